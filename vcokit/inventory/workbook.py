"""What a workbook would become in memory, known before it is opened; what its reader leaves out.

The reader of workbooks lays a sheet out in full: two cells at ``A1`` and ``XFD1048576`` are 17
thousand million cells to it. So every part of the archive is unpacked once, a block at a time,
and the corner of each sheet is found from what is written there: not from the dimension that a
sheet declares, nor from the sizes that the archive declares.

=======  ===========================================================================
xlsx     the reference of every cell; cells without one are counted along their row
ods      cells and rows that hold something, as often as they are repeated
xlsb     the row and column number of every cell record
=======  ===========================================================================
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

from vcokit.errors import InventoryError
from vcokit.inventory.bound import COLUMNS, Bound, swollen
from vcokit.inventory.reasons import reason_of
from vcokit.plain import counted, visible

#: Most cells that a sheet may span: a million rows of thirty columns, a gigabyte.
SPAN: Final = 32_000_000
#: A workbook as large as Excel makes has hundreds of parts.
PARTS: Final = 5_000

_BLOCK: Final = 4 << 20
_OVERLAP: Final = 1 << 10  # of two blocks, where a tag was not found to end
_REMEDY: Final = "Copy the table into a new workbook, or save the sheet as CSV UTF-8"

_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
#: Records of xlsb: a row (0), cells and formulas (1 to 11), a cell of rich text (62).
_CELLS: Final = frozenset([*range(12), 62])
_TAG: Final = re.compile(rb"<(?:\w+:)?(row|c)[\s/>]")
#: The attributes of a cell, or an error that is the value of the cell before it.
_CELL_OR_ERROR: Final = re.compile(rb"<(?:\w+:)?(?:c\b([^<>]*)>|v>(#[^<]{1,40})<)")
_IS_ERROR: Final = re.compile(rb"""\bt=["']e["']""")
#: A cell's value, and one that is a whole number: it may refer to a shared text.
_VALUE: Final = re.compile(rb"<(?:\w+:)?v[\s>]")
_NUMBER: Final = re.compile(rb"<(?:\w+:)?v>([0-9]{1,9})</")
_SHARED: Final = re.compile(rb"<(?:\w+:)?si[\s/>]")
#: Records of xlsb: a shared text, a cell that refers to one.
_SHARED_ITEM: Final = 19
_SHARED_CELL: Final = 7


def opened(source: str, data: bytes, bound: Bound) -> zipfile.ZipFile:
    """Return the archive that a workbook is, once it is known to be bounded.

    Raises
    ------
    InventoryError
        If it is no archive, damaged, encrypted, or would become far too large.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        _refuse_other_archives(source, archive)
        _survey(source, archive, bound)
    except InventoryError:
        raise
    except _DAMAGES as error:
        raise InventoryError(
            f"a damaged workbook: {reason_of(error)}",
            source=source,
            remedy="Fetch the file again, or save it anew as .xlsx",
        ) from None
    return archive


#: What some part of a workbook is called.
_OF_A_WORKBOOK: Final = ("[content_types].xml", "xl/", "content.xml", "mimetype", "meta-inf/")


def _refuse_other_archives(source: str, archive: zipfile.ZipFile) -> None:
    """Raise for an archive of other files than those of a workbook."""
    names = [name.casefold() for name in archive.namelist()]
    if names and not any(name.startswith(_OF_A_WORKBOOK) for name in names):
        raise InventoryError(
            f"this is a zip archive of {counted(len(names), 'file')}, no workbook",
            source=source,
            remedy='Unpack it, and read the files in it, such as "folder/*.csv"',
        )


_DAMAGES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    LookupError,
    NotImplementedError,  # a way of packing that Python does not know
    OSError,
    OverflowError,
    RuntimeError,  # an encrypted part
    ValueError,
)


def errors(archive: zipfile.ZipFile, part: str) -> dict[tuple[int, int], str]:
    """Return the error cells of a sheet (``#REF!``), which the reader leaves empty, by place."""
    try:
        content = archive.read(part)
    except (*_DAMAGES, KeyError):
        return {}
    found = {}
    if b't="e"' in content or b"t='e'" in content:
        attributes = b""
        for match in _CELL_OR_ERROR.finditer(content):
            if match[2] is None:
                attributes = match[1]
            elif _IS_ERROR.search(attributes):
                reference = _REFERENCE.search(attributes)
                if reference and reference[1]:
                    row, column = int(reference[2]) - 1, column_number(reference[1]) - 1
                    found[row, column] = match[2].decode("utf-8", "replace")
    return found


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return which part of an xlsx archive each sheet is; empty where that cannot be told."""
    try:
        targets: dict[str, str] = {}
        for name, attributes in _elements(archive.read("xl/_rels/workbook.xml.rels")):
            if name == "Relationship":
                target = attributes["Target"]
                targets[attributes["Id"]] = (
                    target.lstrip("/") if target[:1] == "/" else f"xl/{target}"
                )
        return {
            attributes["name"]: targets[key]
            for name, attributes in _elements(archive.read("xl/workbook.xml"))
            if name == "sheet"
            for attribute, key in attributes.items()
            if attribute.endswith(":id") and key in targets
        }
    except (*_DAMAGES, KeyError):
        return {}


def column_number(letters: bytes) -> int:
    """Return the number of a column, from 1.

    Examples
    --------
    >>> column_number(b"A"), column_number(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters.upper()[:8]:
        number = number * 26 + letter - 64
    return number


def column_letters(number: int) -> str:
    """Return the letters of a column, from 1.

    Examples
    --------
    >>> column_letters(1), column_letters(28), column_letters(16384)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _survey(source: str, archive: zipfile.ZipFile, bound: Bound) -> None:
    """Unpack every part once, bounded; look how far its cells reach, and which texts they hold."""
    parts = archive.infolist()
    if len(parts) > PARTS:
        raise InventoryError(f"an archive of {len(parts):,} parts", source=source, remedy=_REMEDY)
    names = {part.filename for part in parts}
    total = cells = text = 0
    shared: list[int] = []  # lengths of the texts that cells refer to
    references: list[int] = []
    sheets = []
    for part in parts:
        blocks = _blocks(source, archive, part, total)
        total += part.file_size
        if "xl/workbook.bin" in names and not part.filename.endswith((".xml", ".rels")):
            rows, columns = _binary_corner(b"".join(blocks), shared, references)
        elif part.filename == "content.xml":
            corner = _repeated_corner(source, blocks)
            rows, columns = corner.largest
            text += corner.text
        elif part.filename.casefold().endswith("sharedstrings.xml"):
            rows = columns = 0
            shared += _lengths(b"".join(blocks))
        else:
            rows, columns = _corner(archive, part, blocks)
            sheets += [part] if rows else []
        cells += rows * columns
        if rows * columns > SPAN or columns > COLUMNS:
            raise InventoryError(
                f"a sheet ({visible(part.filename)}) that spans {rows:,} rows and "
                f"{columns:,} columns",
                source=source,
                remedy=_REMEDY,
            )
    bound.check(text, cells)
    longest = max(shared, default=0)
    if not bound.fits(longest * cells, cells):  # as a rule it does, and no second look is needed
        for part in sheets:
            numbers, unknown = _references(archive, part)
            references += numbers
            text += longest * unknown
    text += sum(shared[number] for number in references if number < len(shared))
    bound.check(text, cells)


def _lengths(content: bytes) -> list[int]:
    """Return the bytes that each shared text of an xlsx archive takes, at most."""
    starts = [match.start() for match in _SHARED.finditer(content)]
    return [end - start for start, end in itertools.pairwise([*starts, len(content)])]


def _references(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> tuple[list[int], int]:
    """Return the shared texts that the values of an XML sheet may refer to; the count of others."""
    content = archive.read(part)
    numbers = [*map(int, _NUMBER.findall(content))]
    return numbers, len(_VALUE.findall(content)) - len(numbers)


def _blocks(
    source: str, archive: zipfile.ZipFile, part: zipfile.ZipInfo, before: int
) -> Iterator[bytes]:
    """Yield a part block by block; raise where it becomes far larger than it can be."""
    seen = 0
    with archive.open(part) as file:
        while block := file.read(_BLOCK):
            seen += len(block)
            if swollen(seen + before, max(1, part.compress_size)) and swollen(
                seen, max(1, part.compress_size)
            ):
                raise InventoryError(
                    f"a part ({visible(part.filename)}) of more than {seen >> 20:,} MiB",
                    source=source,
                    remedy=_REMEDY,
                )
            yield block


def _corner(
    archive: zipfile.ZipFile, part: zipfile.ZipInfo, blocks: Iterator[bytes]
) -> tuple[int, int]:
    """Return how many rows and columns the cells of an XML sheet may reach over, at most."""
    letters: set[bytes] = set()
    rows = cells = referred = 0
    rest = b""
    for block in blocks:
        block, rest = _whole_tags(rest + block)
        for column, row in _REFERENCE.findall(block):
            letters.add(column)
            referred += bool(column)
            rows = max(rows, int(row[:12]))
        cells += _TAG.findall(block).count(b"c")
    columns = max(map(column_number, letters), default=0)
    if cells > referred:
        counted = _counted(archive, part)
        rows, columns = rows + counted[0], max(columns, counted[1])
    return rows, columns


def _whole_tags(block: bytes) -> tuple[bytes, bytes]:
    """Return a block up to its last tag, and what is left for the next."""
    cut = block.rfind(b"<")
    if cut > 0 and len(block) - cut <= _BLOCK:
        return block[:cut], block[cut:]
    return block, block[-_OVERLAP:] if len(block) > _OVERLAP else b""


def _counted(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> tuple[int, int]:
    """Return how many rows an XML sheet has without a number, and the most cells in one row."""
    rows = most = here = 0
    rest = b""
    with archive.open(part) as file:
        while block := file.read(_BLOCK):
            block, rest = _whole_tags(rest + block)
            for match in _TAG.finditer(block):
                if match[1] == b"c":
                    here += 1
                    most = max(most, here)
                else:
                    here = 0
                    rows += not _REFERENCE.match(block, match.end())
    return rows, most


def _repeated_corner(source: str, blocks: Iterator[bytes]) -> _Corner:
    """Return the corner of the largest sheet of an OpenDocument, and the text of all."""
    corner = _Corner()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = corner.begin
    parser.EndElementHandler = corner.end
    parser.CharacterDataHandler = corner.letters

    def refuse(*_: Any) -> None:
        raise InventoryError(
            "a document type, which no workbook has", source=source, remedy=_REMEDY
        )

    parser.StartDoctypeDeclHandler = refuse
    for block in blocks:
        parser.Parse(block)
    parser.Parse(b"", True)
    return corner


class _Corner:
    """How far the cells of an OpenDocument reach, and what text they hold, repeated as they are."""

    def __init__(self) -> None:
        self.largest = (0, 0)
        self.text = 0
        self._row_text = self._cell_text = 0
        self._cell_repeat = 1
        self._rows = self._columns = self._row = self._column = self._reach = 0
        self._repeat = 1

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take in the beginning of an element."""
        name = name.rpartition(":")[2]
        if name == "table":
            self._rows = self._columns = self._row = 0
        elif name == "table-row":
            self._repeat = _repeats(attributes, "number-rows-repeated")
            self._column = self._reach = self._row_text = 0
        elif name in ("table-cell", "covered-table-cell"):
            self._cell_repeat = _repeats(attributes, "number-columns-repeated")
            self._column += self._cell_repeat
            self._cell_text = sum(map(len, attributes.values()))
            if any(key.endswith("value-type") for key in attributes):
                self._reach = self._column
        elif name == "p":
            self._reach = self._column
        elif name == "s":  # blanks, so many of them
            self._cell_text += _repeats(attributes, "c")

    def letters(self, text: str) -> None:
        """Take in text."""
        self._cell_text += len(text.encode())

    def end(self, name: str) -> None:
        """Take in the end of an element."""
        name = name.rpartition(":")[2]
        if name in ("table-cell", "covered-table-cell"):
            self._row_text += self._cell_repeat * self._cell_text * (self._reach == self._column)
            self._cell_text = 0
        elif name == "table-row":
            self.text += self._repeat * self._row_text
            self._row += self._repeat
            if self._reach:
                self._rows, self._columns = self._row, max(self._columns, self._reach)
                span = self._rows * self._columns
                if span > self.largest[0] * self.largest[1]:
                    self.largest = self._rows, self._columns


def _repeats(attributes: dict[str, str], what: str) -> int:
    for key, value in attributes.items():
        if key.rpartition(":")[2] == what:
            return max(1, int(value[:12]))
    return 1


def _binary_corner(data: bytes, shared: list[int], references: list[int]) -> tuple[int, int]:
    """Return the corner of a sheet of an xlsb archive, from its records.

    The lengths of shared texts are put to the others, and so are the numbers of those that cells
    refer to.

    A record is a type (one or two bytes), a length (up to four, seven bits each) and its content;
    a row and a cell begin with their number ([MS-XLSB] 2.1.4, 2.4). One that is too short for it
    is damage: the reader would take the number from the record before.
    """
    place = rows = columns = 0
    while place < len(data):
        kind, place = _varint(data, place, 2)
        length, place = _varint(data, place, 4)
        if kind in _CELLS:
            if length < 4 or place + length > len(data):
                raise ValueError("a cell is cut off")
            number = int.from_bytes(data[place : place + 4], "little") + 1
            if kind == 0:
                rows = max(rows, number)
            else:
                columns = max(columns, number)
            if kind == _SHARED_CELL:
                references.append(int.from_bytes(data[place + 8 : place + 12], "little"))
        elif kind == _SHARED_ITEM:
            shared.append(length)
        place += length
    return rows, columns


def _varint(data: bytes, place: int, most: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 7 * most, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            break
    return number, place


def _elements(content: bytes) -> list[tuple[str, dict[str, str]]]:
    """Return the elements of a small XML part, without the prefixes of their names."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append(
        (name.rpartition(":")[2], attributes)
    )
    parser.Parse(content, True)
    return found
