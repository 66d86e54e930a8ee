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
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

from vcokit.errors import InventoryError
from vcokit.inventory.packed import swollen
from vcokit.inventory.reasons import reason_of
from vcokit.plain import visible

#: Most cells that a sheet may span: a million rows of thirty columns, a gigabyte.
SPAN: Final = 32_000_000
#: Most columns that a sheet has, in Excel as in LibreOffice.
COLUMNS: Final = 16_384
#: A workbook as large as Excel makes has hundreds of parts.
PARTS: Final = 5_000

_BLOCK: Final = 4 << 20
_OVERLAP: Final = 1 << 10  # of two blocks, where a tag was not found to end
_REMEDY: Final = "Copy the table into a new workbook, or save the sheet as CSV UTF-8"

_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
#: Records of xlsb: a row (0), cells and formulas (1 to 11), a cell of rich text (62).
_CELLS: Final = frozenset([*range(12), 62])
_TAG: Final = re.compile(rb"<(?:\w+:)?(row|c)[\s/>]")
_ERROR: Final = re.compile(
    rb"""<(?:\w+:)?c\b([^>]*\bt=["']e["'][^>]*)>(?:(?!</(?:\w+:)?c>).){0,9000}?"""
    rb"""<(?:\w+:)?v>(#[^<]{1,40})</""",
    re.DOTALL,
)


def opened(source: str, data: bytes) -> zipfile.ZipFile:
    """Return the archive that a workbook is, once it is known to be bounded.

    Raises
    ------
    InventoryError
        If it is no archive, damaged, encrypted, or would become far too large.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        _survey(source, archive)
    except InventoryError:
        raise
    except _DAMAGES as error:
        raise InventoryError(
            f"a damaged workbook: {reason_of(error)}",
            source=source,
            remedy="Fetch the file again, or save it anew as .xlsx",
        ) from None
    return archive


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
        for match in _ERROR.finditer(content):
            reference = _REFERENCE.search(match[1])
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


def _survey(source: str, archive: zipfile.ZipFile) -> None:
    """Unpack every part once, bounded, and look how far its cells reach."""
    parts = archive.infolist()
    if len(parts) > PARTS:
        raise InventoryError(f"an archive of {len(parts):,} parts", source=source, remedy=_REMEDY)
    names = {part.filename for part in parts}
    total = 0
    for part in parts:
        blocks = _blocks(source, archive, part, total)
        total += part.file_size
        if "xl/workbook.bin" in names and not part.filename.endswith((".xml", ".rels")):
            rows, columns = _binary_corner(b"".join(blocks))
        elif part.filename == "content.xml":
            rows, columns = _repeated_corner(source, blocks)
        else:
            rows, columns = _corner(archive, part, blocks)
        if rows * columns > SPAN or columns > COLUMNS:
            raise InventoryError(
                f"a sheet ({visible(part.filename)}) that spans {rows:,} rows and "
                f"{columns:,} columns",
                source=source,
                remedy=_REMEDY,
            )


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


def _repeated_corner(source: str, blocks: Iterator[bytes]) -> tuple[int, int]:
    """Return the corner of the largest sheet of an OpenDocument."""
    corner = _Corner()
    parser = expat.ParserCreate()
    parser.StartElementHandler = corner.begin
    parser.EndElementHandler = corner.end

    def refuse(*_: Any) -> None:
        raise InventoryError(
            "a document type, which no workbook has", source=source, remedy=_REMEDY
        )

    parser.StartDoctypeDeclHandler = refuse
    for block in blocks:
        parser.Parse(block)
    parser.Parse(b"", True)
    return corner.largest


class _Corner:
    """How far the cells of an OpenDocument reach; each row and cell may be repeated."""

    def __init__(self) -> None:
        self.largest = (0, 0)
        self._rows = self._columns = self._row = self._column = self._reach = 0
        self._repeat = 1

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take in the beginning of an element."""
        name = name.rpartition(":")[2]
        if name == "table":
            self._rows = self._columns = self._row = 0
        elif name == "table-row":
            self._repeat = _repeats(attributes, "number-rows-repeated")
            self._column = self._reach = 0
        elif name in ("table-cell", "covered-table-cell"):
            self._column += _repeats(attributes, "number-columns-repeated")
            if any(key.endswith("value-type") for key in attributes):
                self._reach = self._column
        elif name == "p":
            self._reach = self._column

    def end(self, name: str) -> None:
        """Take in the end of an element."""
        if name.rpartition(":")[2] == "table-row":
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


def _binary_corner(data: bytes) -> tuple[int, int]:
    """Return the corner of a sheet of an xlsb archive, from its records.

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
