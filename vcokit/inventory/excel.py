"""Workbooks as people keep them (.xlsx, .xlsm, .xlsb, .ods), a table for each sheet that has heads.

=======================  ==================================================================
in the workbook          as read
=======================  ==================================================================
rows above the heads     titles, as in a CSV; the head is looked for in the first rows
a sheet without heads    left out, and so is a hidden one that was not asked for: both noted
a sheet with some heads  an error that names it and what it lacks: its rows would be lost. A list of
                         sites (region and connection, no destination or weight) is left out
a sheet called           ``region_id`` of its rows that name none, for the regions that the vendor
``cn-hangzhou``          has; a sheet called ``us-office`` is none
``100``, ``100.0``       ``100``; other numbers as Python writes them
TRUE, dates, times       ``TRUE``, ``2026-05-01``, ``12:30:00``
a formula                the value that was saved with it; none, if none was
``#REF!``                ``#REF!`` (.xlsx, .xlsm; the other formats do not give it)
cells merged downwards   their value in every row of the merge, in its first column (.xlsx, .xlsm);
                         not where the merge begins in the heads or above
an empty row             nothing
full-width letters       as they stand: the audit says what to write instead
=======================  ==================================================================

``source`` is ``routes.xlsx[Sheet1]`` and ``line`` the sheet's row. The package python-calamine
reads the cells; `vcokit.inventory.workbook` looks first that they are bounded.
"""

from __future__ import annotations

import datetime
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from vcokit.cloud.endpoints import REGIONS
from vcokit.errors import InputError, InventoryError
from vcokit.inventory import workbook
from vcokit.inventory.bound import Bound
from vcokit.inventory.cells import absent, clean_cell
from vcokit.inventory.heads import (
    HEAD_LINES,
    Candidate,
    Head,
    best_of,
    check_head,
    locate,
    needs,
    shortened,
)
from vcokit.inventory.reasons import reason_of
from vcokit.inventory.records import Progress, Records, joined
from vcokit.inventory.table import Options, Table, check_cells, check_names
from vcokit.plain import visible

_OLE: Final = b"\xd0\xcf\x11\xe0"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_BATCH: Final = 20_000  # rows that are kept as Python objects
_BATCH_TEXT: Final = 16 << 20  # characters of them
_WHOLE: Final = 2**53  # a larger float is not known to the last digit

Row = tuple[int, list[str]]
_Failed = tuple[str, str, Candidate]  # source, sheet, the row that comes nearest to heads


def read_excel(
    name: str, data: bytes, bound: Bound, options: Options, progress: Progress | None = None
) -> list[Table]:
    """Return the tables of a workbook.

    Raises
    ------
    InventoryError
        If it is no workbook, cannot be opened, or no sheet holds routes.
    InputError
        If the sheet asked for is not there, or python-calamine is not installed.
    """
    _refuse_others(name, data)
    archive = workbook.opened(name, data, bound)
    book, sheets = _book(name, data)
    wanted, notes = _wanted(name, sheets, options.sheet)
    parts = workbook.sheet_parts(archive)
    found: list[Table] = []
    failed: list[_Failed] = []
    for number, sheet in enumerate(wanted, 1):
        source = f"{name}[{visible(sheet)}]"
        result = _sheet(source, book, sheet, archive, parts.get(sheet), bound, options)
        if isinstance(result, Table):
            found.append(result)
        else:
            notes.append(f"sheet {shortened(sheet)!r} holds no heads of routes and was left out")
            failed += [(source, sheet, result)] if result else []
        if progress:
            progress(number / len(wanted))
    if not found:
        _refuse_all(name, failed, options)
    _refuse_lost(failed, options)
    return [replace(found[0], beside=tuple((name, note) for note in notes)), *found[1:]]


def _refuse_others(name: str, data: bytes) -> None:
    """Raise for what is no archive."""
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            what, remedy = "an encrypted workbook", "Save it without a password"
        else:
            what, remedy = "an old Excel workbook (.xls)", "Open it, and save it as .xlsx"
        raise InventoryError(f"this is {what}", source=name, remedy=remedy)
    if not data.startswith(b"PK"):
        raise InventoryError(
            "no workbook: it is no zip archive",
            source=name,
            remedy='Name it as what it is, or pass format=, such as format="csv"',
        )


def _book(name: str, data: bytes) -> tuple[Any, list[tuple[str, bool]]]:
    """Return the open workbook, and its sheets, with whether each is shown."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise InputError(
            f"{name}: workbooks are read by python-calamine, which is not installed",
            remedy='Install it: pip install "vcokit[excel]"; or save the sheet as CSV UTF-8',
        ) from None
    try:
        book = calamine.load_workbook(io.BytesIO(data))
        visible = calamine.SheetVisibleEnum.Visible
        kind = calamine.SheetTypeEnum.WorkSheet
        sheets = [(s.name, s.visible == visible) for s in book.sheets_metadata if s.typ == kind]
    except BaseException as error:
        raise _damaged(name, error) from None
    return book, sheets


def _damaged(source: str, error: BaseException) -> InventoryError:
    """Return the error for what the reader raised, or raise what is none of its faults."""
    if isinstance(error, MemoryError):
        raise error
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error
    if type(error).__name__ == "PasswordError":
        return InventoryError(
            "an encrypted workbook", source=source, remedy="Save it without a password"
        )
    return InventoryError(
        f"a damaged workbook: {reason_of(error)}",
        source=source,
        remedy="Open it in a spreadsheet, and save it anew as .xlsx",
    )


def _wanted(
    name: str, sheets: Sequence[tuple[str, bool]], sheet: str | None
) -> tuple[list[str], list[str]]:
    """Return the sheets to read, and notes on those that are hidden."""
    names = [each for each, _ in sheets]
    if sheet is not None:
        if sheet in names:
            return [sheet], []
        raise InventoryError(
            f"no sheet is called {shortened(sheet)!r}; there are "
            + shortened(", ".join(map(repr, names))),
            source=name,
            remedy="Name one of these as sheet=, or leave it out to read all that have heads",
        )
    hidden = [each for each, shown in sheets if not shown]
    notes = [f"sheet {shortened(each)!r} is hidden and was left out" for each in hidden]
    return [each for each, shown in sheets if shown], notes


def _sheet(
    source: str,
    book: Any,
    name: str,
    archive: zipfile.ZipFile,
    part: str | None,
    bound: Bound,
    options: Options,
) -> Table | Candidate | None:
    """Return a sheet as a table; where it has no heads, the row that comes nearest, if any."""
    try:
        sheet = book.get_sheet_by_name(name)
        merges = sheet.merged_cell_ranges or []
        first = sheet.start[1] if sheet.start else 0
        rows = _rows(sheet, first, workbook.errors(archive, part) if part else {})
        above = list(itertools.islice(rows, HEAD_LINES))
        best = _best(list(_Filled(above, merges, first, 0)), first, options)
        if best is None or not best.complete:
            return best
        check_names(source, best.cells, best.number)
        _check(source, name, best, options)
        below = (row for row in itertools.chain(above, rows) if row[0] > best.line)
        body = _Filled(below, merges, first, best.line + 1)
        records = _records(body, len(best.cells), bound)
    except (InventoryError, MemoryError):
        raise
    except BaseException as error:
        raise _damaged(source, error) from None
    letters = [_letters(first + place) for place in range(len(best.cells))]
    check_cells(source, [shortened(cell) for cell in best.cells], records, letters)
    notes = [f"merged cells filled in {body.filled} row{'s' * (body.filled != 1)}"]
    return Table(
        source,
        "excel",
        _head(best, above),
        records,
        bound,
        notes=tuple(notes if body.filled else ()),
        region=_region_of(name),
    )


def _rows(sheet: Any, first: int, errors: dict[tuple[int, int], str]) -> Iterator[Row]:
    """Yield the rows of a sheet as (row from 0, cells as text), errors put in."""
    by_row: dict[int, dict[int, str]] = {}
    for (row, column), text in errors.items():
        by_row.setdefault(row, {})[column - first] = text
    for number, values in enumerate(sheet.iter_rows()):
        cells = [value if type(value) is str else written(value) for value in values]
        for column, text in by_row.get(number, {}).items():
            if 0 <= column < len(cells) and not cells[column]:
                cells[column] = text
        yield number, cells


class _Filled:
    """Rows with the cells filled that are merged downwards, by merges from a row on."""

    def __init__(self, rows: Iterable[Row], merges: Iterable[Any], first: int, start: int) -> None:
        self._rows = iter(rows)
        self._merges: dict[int, list[tuple[int, int]]] = {}
        for (top, left), (bottom, _) in merges:
            if bottom > top >= start and left >= first:
                self._merges.setdefault(top, []).append((left - first, bottom))
        self._open: dict[int, tuple[str, int]] = {}
        self.filled = 0

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        number, given = next(self._rows)
        cells = [*given]
        self._fill(number, cells)
        return number, cells

    def _fill(self, number: int, cells: list[str]) -> None:
        filled = False
        for column, (text, bottom) in list(self._open.items()):
            if number > bottom:
                del self._open[column]
            elif column < len(cells) and not cells[column] and text:
                cells[column] = text
                filled = True
        self.filled += filled
        for column, bottom in self._merges.get(number, ()):
            if column < len(cells):
                self._open[column] = cells[column], bottom


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


def _best(above: Sequence[Row], first: int, options: Options) -> Candidate | None:
    """Return the head among the first rows, or the row that comes nearest to one."""
    candidates = []
    for number, cells in above:
        heads = [clean_cell(cell) for cell in cells]
        if any(heads):
            names = [f"{_letters(first + place)}{number + 1}" for place in range(len(heads))]
            found = locate(heads, options.wanted)
            candidates.append(Candidate(number, heads, 1, "", found, names))
    return best_of(candidates) if candidates else None


def _letters(column: int) -> str:
    return workbook.column_letters(column + 1)


def _head(best: Candidate, above: Sequence[Row]) -> Head:
    titles = (
        (number + 1, " ".join(cell for cell in cells if clean_cell(cell)))
        for number, cells in above
        if number < best.line
    )
    return Head(
        best.line + 1,
        tuple(best.cells),
        {name: places[0] for name, places in best.found.items()},
        titles=tuple((line, shortened(clean_cell(text))) for line, text in titles if text),
    )


def _records(rows: Iterator[Row], width: int, bound: Bound) -> Records:
    """Return the rows below a head; one in which all cells are empty is none."""
    parts = []
    for batch, blank in _batches(rows, bound):
        columns = list(zip(*(cells for _, cells in batch), strict=True)) or [()] * width
        arrays = [absent(pa.array(column, pa.large_string())) for column in columns]
        lines = np.array([number + 1 for number, _ in batch], dtype=np.int64)
        parts.append(Records([pa.chunked_array([array]) for array in arrays], lines, blank))
    if not parts:
        nothing = pa.chunked_array([pa.array([], pa.large_string())])
        return Records([nothing] * width, np.zeros(0, dtype=np.int64))
    return joined(parts)


def _batches(rows: Iterator[Row], bound: Bound) -> Iterator[tuple[list[Row], int]]:
    """Yield rows that are not blank, some at a time, and how many blank ones are among them.

    A merged cell stands in many rows, so what they come to is counted here.
    """
    batch: list[Row] = []
    text = blank = 0
    for number, cells in rows:
        if not any(map(clean_cell, cells)):
            blank += 1
            continue
        size = sum(map(len, cells))
        bound.take(size, len(cells), line=number + 1)
        batch.append((number, cells))
        text += size
        if len(batch) == _BATCH or text > _BATCH_TEXT:
            yield batch, blank
            batch, text, blank = [], 0, 0
    if batch or blank:
        yield batch, blank


def _refuse_all(name: str, failed: Sequence[_Failed], options: Options) -> None:
    """Raise for a workbook in which no sheet has heads, at the row that comes nearest."""
    if failed:
        nearest = max(failed, key=lambda each: (len(each[2].found), -each[2].line))
        _check(*nearest, options)
    raise InventoryError(
        "no sheet that is shown holds a cell",
        source=name,
        remedy="The first row must name the columns: "
        "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description",
    )


def _refuse_lost(failed: Sequence[_Failed], options: Options) -> None:
    """Raise for a sheet whose rows would be lost, as a head is mistyped or not there."""
    instead = "mend the head if other sheets have it; hide a sheet of no routes, or give sheet="
    for each in failed:
        if needs(each[2]):
            _check(*each, options, instead)


def _check(source: str, sheet: str, best: Candidate, options: Options, instead: str = "") -> None:
    """Raise for heads that cannot be used; see `check_head`."""
    region = bool(_region_of(sheet) or options.region)
    check_head(source, best, options.wanted, region, instead)


def _region_of(sheet: str) -> str | None:
    """Return the region that a sheet is called, if it is called one."""
    name = sheet.lower() if sheet.isascii() else ""
    return name if name in REGIONS else None
