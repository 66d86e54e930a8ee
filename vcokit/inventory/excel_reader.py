"""Workbooks (.xlsx, .xlsm, .xlsb, .ods): one table for each sheet with a header.

=======================  ==================================================================
in the workbook          as read
=======================  ==================================================================
rows above the header    titles, as in a CSV; the header is searched for in the first rows
header cells merged      one header: the rows of the merge are not routes. The names of other
over two rows            columns are joined from both rows, ``Contact Name``
a sheet without header   left out, with a note; also a hidden sheet that was not asked for
a sheet with part of a   an error that names the sheet and what is missing, because its rows would
header                   be lost. A list of sites (region and connection, but neither destination
                         nor weight) is left out
a sheet named            the name is the ``region_id`` of rows without one. This applies only to
``cn-hangzhou``          the vendor's regions, not to a name such as ``us-office``
``100``, ``100.0``       ``100``; other numbers in Python's format
TRUE, dates, times       ``TRUE``, ``2026-05-01``, ``12:30:00``
a formula                the value that was saved with it; empty if there is none
``#REF!``                ``#REF!`` (.xlsx, .xlsm; not available in the other formats)
1, shown as ``100%``     ``100%`` (.xlsx, .xlsm, .ods; in .xlsb the number)
cells merged downwards   their value in every row of the merge, in its first column (.xlsx, .xlsm);
                         not if the merge begins in the header or above
an empty row             nothing
full-width letters       unchanged: the audit suggests a correction
=======================  ==================================================================

``source`` is ``routes.xlsx[Sheet1]`` and ``line`` the sheet's row.

The package python-calamine reads the cells. It omits errors, and does not report the number format
of a cell. So these cells are changed to text in the XML before it reads them. It also allocates all
cells of a sheet's range: with two cells at ``A1`` and ``XFD1048576``, these are 17 thousand million
cells. So every part of the archive is decompressed first, and a limit is checked against its actual
content, not against the sizes that the sheet or the archive declare:

=======  ===========================================================================
xlsx     rows and columns from the reference of every cell; cells without a reference are counted
         along their row. Text: each shared text, multiplied by the number of references to it
ods      cells and rows with content and their text, multiplied by their repetitions
xlsb     the row and column number of every cell record; shared texts as in xlsx
=======  ===========================================================================
"""

from __future__ import annotations

import datetime
import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn
from xml.parsers import expat

from vcokit._text import pluralize, printable
from vcokit.cloud.endpoints import REGIONS
from vcokit.errors import InputError, InventoryError, Remedy
from vcokit.inventory.clean import RowBuffer, check_cells, clean_cell
from vcokit.inventory.header import (
    COLUMNS,
    FIRST_ROW,
    HEADER_LINES,
    Header,
    Options,
    RawTable,
    best_header,
    check_header,
    check_names,
    match_columns,
    shortened,
    titles_of,
)
from vcokit.inventory.sources import Budget, is_decompression_bomb, reason_of

#: Most cells that a sheet may span: a million rows of thirty columns, a gigabyte.
SPAN: Final = 32_000_000
#: Most parts of a workbook; even the largest workbooks of Excel have only hundreds of parts.
PARTS: Final = 5_000

_OLE: Final = b"\xd0\xcf\x11\xe0"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
#: Beginnings of names by which an archive is recognized as a workbook.
_OF_A_WORKBOOK: Final = ("[content_types].xml", "xl/", "content.xml", "mimetype", "meta-inf/")
_WHOLE: Final = 2**53  # the last digits of larger floats are not exact
_BLOCK: Final = 4 << 20
_COPY_TABLE: Final = "Copy the table into a new workbook, or save the sheet as CSV UTF-8"

_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
_TAG: Final = re.compile(rb"<(?:\w+:)?(row|c)[\s/>]")
_SHARED_TAG: Final = re.compile(rb"<(?:\w+:)?si[\s/>]")
#: A cell's value; a value that is an integer, which may refer to a shared text.
_VALUE: Final = re.compile(rb"<(?:\w+:)?v[\s>]")
_NUMBER: Final = re.compile(rb"<(?:\w+:)?v>([0-9]{1,9})</")
#: The type of a cell with an error.
_ERROR_CELL: Final = re.compile(rb"""(<(?:\w+:)?c\b[^<>]*?\bt\s*=\s*["'])e(?=["'])""")
#: A cell with a style, an optional formula, and a number. The length of attributes is limited,
#: because very long ones would cause excessive backtracking; normal ones are short.
_STYLED_CELL: Final = re.compile(
    rb"""(<(?:\w+:)?c\b[^<>]{0,200}?\bs\s*=\s*["']([0-9]{1,9})["'])([^<>]{0,200}>"""
    rb"""(?:<(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f>))?<(?:\w+:)?v>)([0-9.eE+-]{1,30})(?=<)"""
)
_TYPE: Final = re.compile(rb"""\bt\s*=\s*["'](\w*)["']""")
#: A custom number format of the workbook; a cell style; the id of the format that either names.
_FORM: Final = re.compile(rb"<(?:\w+:)?numFmt\b[^<>]*")
_STYLE: Final = re.compile(rb"<(?:\w+:)?xf\b[^<>]*")
_FORM_ID: Final = re.compile(rb"""\bnumFmtId\s*=\s*["']([0-9]+)""")
#: Ids of the built-in number formats ``0%`` and ``0.00%``.
_PERCENT: Final = (b"9", b"10")
#: A percentage cell of an OpenDocument, and its number; the cell's text is the percentage as shown.
_ODS_PERCENT: Final = re.compile(rb"""(<[^<>]*?\bvalue-type\s*=\s*["'])percentage(["'][^<>]*)""")
_ODS_NUMBER: Final = re.compile(rb"""\s(?:\w+:)?value\s*=\s*["'][^"'<>]*["']""")
#: Record types of xlsb: a row (0), cells and formulas (1 to 11), a cell of rich text (62); a cell
#: that refers to a shared text; a shared text.
_CELLS: Final = frozenset([*range(12), 62])
_SHARED_CELL: Final = 7
_SHARED_ITEM: Final = 19

#: Exceptions that a damaged archive or part raises.
_DAMAGES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    LookupError,
    NotImplementedError,  # a compression method that Python does not know
    OSError,
    OverflowError,
    RuntimeError,  # an encrypted part
    ValueError,
)

_Row = tuple[int, list[str]]


def read_excel(name: str, data: bytes, budget: Budget, options: Options) -> list[RawTable]:
    """Return the tables of a workbook; raise if it is not one, or if no sheet contains routes."""
    book = _Workbook.opened(name, data, budget)
    wanted, notes = book.wanted(options.sheet)
    found: list[RawTable] = []
    failed: list[tuple[str, Header]] = []
    for sheet in wanted:
        result = _table(book, sheet, budget, options)
        if isinstance(result, RawTable):
            found.append(result)
        else:
            notes.append(f"sheet {shortened(sheet)!r} has no header of routes and was left out")
            failed += [(sheet, result)] if result else []
    if not found:
        _refuse_all(book, failed, options)
    for sheet, nearest in failed:
        if nearest.looks_like_routes:
            instead = Remedy(
                "correct the header if other sheets have it; hide a sheet of no routes, or give "
                "{sheet}",
                sheet=...,
            )
            region = _region_of(sheet)
            check_header(book.source(sheet), nearest, options, region=region, instead=instead)
    return [replace(found[0], sheet_notes=tuple((name, note) for note in notes)), *found[1:]]


@dataclass(frozen=True)
class _Workbook:
    """An open workbook: calamine's reader, and whether each sheet is visible."""

    name: str
    reader: Any
    sheets: Sequence[tuple[str, bool]]

    @classmethod
    def opened(cls, name: str, data: bytes, budget: Budget) -> _Workbook:
        """Check the size of a workbook and open it."""
        _refuse_other_formats(name, data)
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            _refuse_other_archives(name, archive)
            parts = _unpacked(name, archive, len(data))
            _check_size(name, parts, budget)
            data = _as_shown(dict(parts)) or data
        except InventoryError:
            raise
        except _DAMAGES as error:
            raise InventoryError(
                f"a damaged workbook: {reason_of(error)}",
                source=name,
                remedy="Fetch the file again, or save it again as .xlsx",
            ) from None
        try:
            import python_calamine as calamine
        except ImportError:
            raise InputError(
                f"{name}: workbooks are read by python-calamine, which is not installed",
                remedy='Install it: pip install "vcokit[excel]"; or save the sheet as CSV UTF-8',
            ) from None
        try:
            reader = calamine.load_workbook(io.BytesIO(data))
            shown = calamine.SheetVisibleEnum.Visible
            kind = calamine.SheetTypeEnum.WorkSheet
            sheets = [(s.name, s.visible == shown) for s in reader.sheets_metadata if s.typ == kind]
        except BaseException as error:
            _refuse_damaged(name, error)
        return cls(name, reader, sheets)

    def source(self, sheet: str) -> str:
        """Return the source of the rows of a sheet."""
        return f"{self.name}[{printable(sheet)}]"

    def wanted(self, sheet: str | None) -> tuple[list[str], list[str]]:
        """Return the sheets to read, and notes on those that are hidden."""
        names = [each for each, _ in self.sheets]
        if sheet is None:
            hidden = [each for each, shown in self.sheets if not shown]
            notes = [f"sheet {shortened(each)!r} is hidden and was left out" for each in hidden]
            return [each for each, shown in self.sheets if shown], notes
        if sheet in names:
            return [sheet], []
        raise InventoryError(
            f"no sheet is named {shortened(sheet)!r}; there are "
            + shortened(", ".join(map(repr, names))),
            source=self.name,
            remedy=Remedy(
                "Name one of these as {sheet}, or leave it out to read all that have a header",
                sheet=...,
            ),
        )


def _table(
    book: _Workbook, name: str, budget: Budget, options: Options
) -> RawTable | Header | None:
    """Return a sheet as a table; without a header, return the row most like one, if any."""
    source = book.source(name)
    try:
        sheet = book.reader.get_sheet_by_name(name)
        merges = sheet.merged_cell_ranges or []
        first = sheet.start[1] if sheet.start else 0
        rows = enumerate(
            [value if type(value) is str else written(value) for value in values]
            for values in sheet.iter_rows()
        )
        above = list(itertools.islice(rows, HEADER_LINES))
        best = _best(above, merges, first, options)
        if best is None or not best.complete:
            return best
        check_names(source, best.cells, best.line)
        check_header(source, best, options, region=_region_of(name))
        start = best.below - 1
        below = (row for row in itertools.chain(above, rows) if row[0] >= start)
        buffer, filled, blank = RowBuffer(), 0, 0
        for number, cells, was_filled in _fill_merged(below, merges, first):
            filled += was_filled
            if any(cells) and any(map(clean_cell, cells)):
                # A merged cell is copied to many rows, so their total size is counted here.
                budget.take(sum(map(len, cells)), len(cells), line=number + 1)
                buffer.add(number + 1, cells)
            else:
                blank += 1
        columns, lines = buffer.columns(len(best.cells)), buffer.lines()
    except (InventoryError, MemoryError):
        raise
    except BaseException as error:
        _refuse_damaged(source, error)
    letters = [column_letters(first + place + 1) for place in range(len(best.cells))]
    check_cells(source, [shortened(cell) for cell in best.cells], columns, lines, letters)
    notes = [f"merged cells filled in {pluralize(filled, 'row')}"] if filled else []
    if best.lines > 1:
        notes.append(f"rows {best.line} to {start} are the header")
    return RawTable(
        source,
        "excel",
        best,
        columns,
        lines,
        budget,
        notes=tuple(notes),
        region=_region_of(name),
        blank=blank,
    )


def _best(
    above: Sequence[_Row], merges: Iterable[Any], first: int, options: Options
) -> Header | None:
    """Return the header among the first rows, or the row most like one.

    If a field's cell is merged downwards, all rows of the merge are the header.
    """
    candidates = []
    for number, cells, _ in _fill_merged(above, merges, first):
        names = [clean_cell(cell) for cell in cells]
        if any(names):
            places = [
                f"{column_letters(first + place + 1)}{number + 1}" for place in range(len(names))
            ]
            found = match_columns(names, options.requested)
            candidates.append(Header(number + 1, tuple(names), found, names=places))
    if not candidates:
        return None
    best = best_header(candidates)
    first_row = (best.line or 1) - 1  # rows count from 0 here
    fields = set(best.fields.values())
    heights = [
        bottom - top + 1
        for (top, left), (bottom, _) in merges
        if top == first_row and left - first in fields
    ]
    lines = max(heights, default=1)
    cells = list(best.cells)
    for number, below in above:
        if first_row < number < first_row + lines:
            for place in set(range(len(cells))) - fields:
                cells[place] = f"{cells[place]} {clean_cell(below[place])}".strip()
    titles = (
        (number + 1, clean_cell(" ".join(cell for cell in given if clean_cell(cell))))
        for number, given in above
        if number < first_row
    )
    return replace(best, cells=tuple(cells), lines=lines, titles=titles_of(titles))


def _fill_merged(
    rows: Iterable[_Row], merges: Iterable[Any], first: int
) -> Iterator[tuple[int, list[str], bool]]:
    """Yield rows with downward merged cells filled, if the merge begins in one of the rows.

    The last value is whether any cell of the row was filled.
    """
    begins: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in merges:
        if bottom > top and left >= first:
            begins.setdefault(top, []).append((left - first, bottom))
    active: dict[int, tuple[str, int]] = {}
    for number, given in rows:
        cells, filled = [*given], False
        for column, (text, bottom) in list(active.items()):
            if number > bottom:
                del active[column]
            elif column < len(cells) and not cells[column] and text:
                cells[column] = text
                filled = True
        for column, bottom in begins.get(number, ()):
            if column < len(cells):
                active[column] = cells[column], bottom
        yield number, cells, filled


def written(value: Any) -> str:
    """Return the value of a cell as text.

    Examples
    --------
    >>> written(100.0), written(0.5), written(True), written(datetime.date(2026, 5, 1))
    ('100', '0.5', 'TRUE', '2026-05-01')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


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


def _column_number(letters: bytes) -> int:
    """Return the number of a column, from 1.

    Examples
    --------
    >>> _column_number(b"A"), _column_number(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters.upper()[:8]:
        number = number * 26 + letter - 64
    return number


def _as_shown(parts: dict[str, bytes]) -> bytes | None:
    """Return a workbook with errors and percentages changed to text, or None if it has none."""
    percent: set[bytes] = set()
    for name, content in parts.items():
        if name.endswith("styles.xml"):
            percent |= _percent_styles(content)

    def percentage(match: re.Match[bytes]) -> bytes:
        begin, style, middle, number = match.groups()
        end, value = middle.split(b">", 1)
        kind = _TYPE.search(begin + end)
        if style not in percent or (kind and kind[1] != b"n"):
            return match[0]
        text = written(round(float(number) * 100, 10))
        return _TYPE.sub(b"", begin + end) + b' t="str">' + value + f"{text}%".encode()

    changed = {}
    for name, content in parts.items():
        shown = content
        if name == "content.xml":
            shown = _ODS_PERCENT.sub(
                lambda cell: _ODS_NUMBER.sub(b"", cell[1] + b"string" + cell[2]), content
            )
        elif name.startswith("xl/worksheets/") and name.endswith(".xml"):
            shown = _ERROR_CELL.sub(rb"\1str", content)
            if percent:
                shown = _STYLED_CELL.sub(percentage, shown)
        if shown != content:
            changed[name] = shown
    if not changed:
        return None
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as copy:
        for name, content in (parts | changed).items():
            copy.writestr(name, content)
    return file.getvalue()


def _percent_styles(content: bytes) -> set[bytes]:
    """Return the numbers of the styles that show cells as percentages."""
    forms = {*_PERCENT}
    for match in _FORM.finditer(content):
        number = _FORM_ID.search(match[0])
        if number and b"%" in match[0]:
            forms.add(number[1])
    styles = content.split(b"cellXfs", 2)[1:2]  # the content between the tags
    numbers = [_FORM_ID.search(style[0]) for style in _STYLE.finditer(b"".join(styles))]
    return {b"%d" % place for place, number in enumerate(numbers) if number and number[1] in forms}


def _region_of(sheet: str) -> str | None:
    """Return the region in a sheet's name, or None if the name is not a region."""
    name = sheet.lower() if sheet.isascii() else ""
    return name if name in REGIONS else None


def _refuse_other_formats(name: str, data: bytes) -> None:
    """Raise if the data is not an archive."""
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            what, remedy = "an encrypted workbook", "Save it without a password"
        else:
            what, remedy = "an old Excel workbook (.xls)", "Open it, and save it as .xlsx"
        raise InventoryError(f"this is {what}", source=name, remedy=remedy)
    if not data.startswith(b"PK"):
        raise InventoryError(
            "not a workbook: it is not a zip archive",
            source=name,
            remedy=Remedy("Name it as what it is, or pass {format}", format="csv"),
        )


def _refuse_other_archives(source: str, archive: zipfile.ZipFile) -> None:
    """Raise if an archive is not a workbook."""
    names = [name.casefold() for name in archive.namelist()]
    if names and not any(name.startswith(_OF_A_WORKBOOK) for name in names):
        raise InventoryError(
            f"this is a zip archive of {pluralize(len(names), 'file')}, not a workbook",
            source=source,
            remedy='Unpack it, and read the files in it, such as "folder/*.csv"',
        )


def _refuse_damaged(source: str, error: BaseException) -> NoReturn:
    """Raise the error for an exception of calamine; raise any other exception unchanged."""
    if isinstance(error, MemoryError):
        raise error
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error
    if type(error).__name__ == "PasswordError":
        raise InventoryError(
            "an encrypted workbook", source=source, remedy="Save it without a password"
        ) from None
    raise InventoryError(
        f"a damaged workbook: {reason_of(error)}",
        source=source,
        remedy="Open it in a spreadsheet, and save it again as .xlsx",
    ) from None


def _refuse_all(
    book: _Workbook, failed: Sequence[tuple[str, Header]], options: Options
) -> NoReturn:
    """Raise the error for a workbook without a header, at the row most like one."""
    if failed:
        sheet, nearest = max(failed, key=lambda each: (len(each[1].found), -(each[1].line or 0)))
        check_header(book.source(sheet), nearest, options, region=_region_of(sheet))
    raise InventoryError("all visible sheets are empty", source=book.name, remedy=FIRST_ROW)


def _unpacked(source: str, archive: zipfile.ZipFile, size: int) -> list[tuple[str, bytes]]:
    """Return the parts of an archive of `size` bytes; raise for a decompression bomb."""
    parts = archive.infolist()
    if len(parts) > PARTS:
        raise InventoryError(
            f"an archive of {len(parts):,} parts", source=source, remedy=_COPY_TABLE
        )
    found = []
    total = 0
    for part in parts:
        content = io.BytesIO()
        with archive.open(part) as file:
            while block := file.read(_BLOCK):
                content.write(block)
                total += len(block)
                if is_decompression_bomb(total, size):
                    raise InventoryError(
                        f"a workbook of more than {total >> 20:,} MiB, unpacked",
                        source=source,
                        remedy=_COPY_TABLE,
                    )
        found.append((part.filename, content.getvalue()))
    return found


def _check_size(source: str, parts: Sequence[tuple[str, bytes]], budget: Budget) -> None:
    """Raise if a workbook would need far too much memory."""
    is_binary = any(name == "xl/workbook.bin" for name, _ in parts)
    shared: list[int] = []  # bytes of the texts that cells refer to
    references: list[int] = []
    sheets: list[bytes] = []
    cells = text = 0
    for name, content in parts:
        if is_binary and not name.endswith((".xml", ".rels")):
            rows, columns = _xlsb_size(content, shared, references)
        elif name == "content.xml":
            rows, columns, held = _OdsSize(source).of(content)
            text += held
        elif name.casefold().endswith("sharedstrings.xml"):
            rows = columns = 0
            starts = [match.start() for match in _SHARED_TAG.finditer(content)]
            shared += [end - start for start, end in itertools.pairwise([*starts, len(content)])]
        else:
            rows, columns = _xlsx_size(content)
            sheets += [content] if rows else []
        cells += rows * columns
        if rows * columns > SPAN or columns > COLUMNS:
            raise InventoryError(
                f"a sheet ({printable(name)}) that spans {rows:,} rows and {columns:,} columns",
                source=source,
                remedy=_COPY_TABLE,
            )
    for content in sheets if shared else ():
        numbers = [int(match[1]) for match in _NUMBER.finditer(content)]
        unknown = sum(1 for _ in _VALUE.finditer(content)) - len(numbers)
        text += max(shared) * unknown
        references += numbers
    text += sum(shared[number] for number in references if number < len(shared))
    budget.check(text, cells)


def _xlsx_size(content: bytes) -> tuple[int, int]:
    """Return the most rows and columns that the cells of an XML sheet may span."""
    letters: set[bytes] = set()
    rows = referred = 0
    for match in _REFERENCE.finditer(content):
        if match[1]:
            letters.add(match[1])
            referred += 1
        rows = max(rows, int(match[2][:12]))
    columns = max(map(_column_number, letters), default=0)
    cells = lines = here = most = 0
    for match in _TAG.finditer(content):
        if match[1] == b"c":
            cells, here = cells + 1, here + 1
            most = max(most, here)
            if here > COLUMNS:  # the sheet will be refused, so stop counting
                break
        else:
            lines, here = lines + 1, 0
    if cells > referred:  # some cells have no reference and follow other cells
        rows, columns = rows + lines, columns + most
    return rows, columns


class _OdsSize:
    """Measures how far the cells of an OpenDocument reach, and their text, with repetitions."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._largest = (0, 0)
        self._text = self._row_text = self._cell_text = 0
        self._rows = self._columns = self._row = self._column = self._reach = 0
        self._repeat = self._cell_repeat = 1

    def of(self, content: bytes) -> tuple[int, int, int]:
        """Return the rows and columns of the largest sheet, and the bytes of text of all sheets."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._letters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(content, True)
        return (*self._largest, self._text)

    def _refuse(self, *_: Any) -> None:
        raise InventoryError(
            "a document type, which no workbook has", source=self._source, remedy=_COPY_TABLE
        )

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
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
        elif name == "s":  # a number of blanks
            self._cell_text += _repeats(attributes, "c")

    def _letters(self, text: str) -> None:
        self._cell_text += len(text.encode())

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name in ("table-cell", "covered-table-cell"):
            self._row_text += self._cell_repeat * self._cell_text * (self._reach == self._column)
            self._cell_text = 0
        elif name == "table-row":
            self._text += self._repeat * self._row_text
            self._row += self._repeat
            if self._reach:
                self._rows, self._columns = self._row, max(self._columns, self._reach)
                size = (self._rows, self._columns)
                self._largest = max(self._largest, size, key=lambda each: each[0] * each[1])


def _repeats(attributes: dict[str, str], what: str) -> int:
    for key, value in attributes.items():
        if key.rpartition(":")[2] == what:
            return max(1, int(value[:12]))
    return 1


def _xlsb_size(data: bytes, shared: list[int], references: list[int]) -> tuple[int, int]:
    """Return the number of rows and columns that the cells of a binary sheet span.

    Append the lengths of shared texts to `shared`, and the numbers of the shared texts that cells
    refer to to `references`. A record is a type (one or two bytes), a length (up to four bytes,
    seven bits each) and its content; a row and a cell begin with their number ([MS-XLSB] 2.1.4,
    2.4). A record that is too short for its number is damaged: the reader would use the number of
    the previous record.
    """
    place = rows = columns = 0
    while place < len(data):
        kind, place = _varint(data, place, 2)
        length, place = _varint(data, place, 4)
        if kind in _CELLS:
            if length < 4 or place + length > len(data):
                raise ValueError("a cell is cut off")
            number = int.from_bytes(data[place : place + 4], "little") + 1
            rows, columns = (
                (max(rows, number), columns) if kind == 0 else (rows, max(columns, number))
            )
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
