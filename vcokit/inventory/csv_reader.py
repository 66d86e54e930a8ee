"""CSV: the rows below the header, read by pyarrow, or by the `csv` module in doubtful cases.

====================  ==========================================================================
`_regular_columns`    uses Arrow on all processors, for a body with one row per line and the same
                      number of cells in each; returns None for any other body
`_by_arrow`           tries that first, then Arrow on one processor, with Python only for rows with
                      fewer or more cells than the header. Returns None if the body has an error, or
                      something that Arrow reads differently: a line that ends with CR alone, a
                      delimiter that is not ASCII, a cell longer than the limit
`_by_csv`             uses the `csv` module, for any body; only this function raises, so that each
                      error is worded in one place and names its line
====================  ==========================================================================

The result of Arrow is verified: the number of rows, plus the line ends within their cells, must be
equal to the number of lines. Quotes need one more check: Arrow accepts the end of the file as the
end of a quote, so the last row is read again by `csv`.

Cells are raw: neither trimmed nor unprotected. Empty cells, and the missing cells of a short row,
are null. A blank line may become a row of such cells, or no row.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from vcokit.errors import InventoryError
from vcokit.inventory.clean import CELL_LIMIT, STRING, Column, RowBuffer, too_long
from vcokit.inventory.encoding import Text
from vcokit.inventory.header import Header, Options, RawTable, find_header
from vcokit.inventory.sources import Budget
from vcokit.schema import BLANKS
from vcokit.schema.glance import Bytes, count_bytes, holds_byte

_BLOCK: Final = 4 << 20  # bytes that pyarrow parses at a time; large, so that chunks are few
_COUNTED: Final = 1 << 18  # bytes in which line ends are counted at a time; fits the CPU's cache
_NAMED: Final = 5  # most lines that a message names
_DELIMITER_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class _Body:
    """The lines below a header: ``data`` from byte ``start`` on; the first has number ``line``."""

    source: str
    data: bytes
    start: int
    line: int
    width: int
    delimiter: str
    lines: int
    has_lone_cr: bool
    has_quotes: bool

    @classmethod
    def of(cls, text: Text, header: Header) -> _Body:
        """Return the body of a text, and count its lines, which end with LF, CR LF or CR alone."""
        data, start = text.data, header.body
        ends, alone = _line_ends(data, start), 0
        if data.find(b"\r", start) >= 0:
            alone = data.count(b"\r", start) - data.count(b"\r\n", start)
        is_open = len(data) > start and data[-1:] not in (b"\n", b"\r")
        return cls(
            text.source,
            data,
            start,
            header.below,
            len(header.cells),
            header.delimiter,
            ends + alone + is_open,
            alone > 0,
            data.find(b'"', start) >= 0,
        )


#: Columns, lines, number of short rows, and number of blank lines.
_Parsed: TypeAlias = tuple[Sequence[Column], npt.NDArray[np.int64], int, int]


def read_csv(text: Text, budget: Budget, options: Options) -> RawTable:
    """Return a CSV file as a table; raise if it is not one."""
    header = find_header(text, options)
    body = _Body.of(text, header)
    budget.take(len(text.data), body.lines * body.width, line=header.line)
    columns, lines, short, blank = _by_arrow(body) or _by_csv(body)
    return RawTable(
        text.source,
        "csv",
        header,
        columns,
        lines,
        budget,
        text.encoding,
        text.notes,
        short=short,
        blank=blank,
    )


def _by_arrow(body: _Body) -> _Parsed | None:
    """Return the rows of a body, or None if the `csv` module must read it."""
    if body.has_lone_cr or not body.delimiter.isascii() or not body.lines:
        return None
    irregular = _Irregular(body)
    try:
        columns = _regular_columns(body)
        if columns is None:
            columns = irregular.put_into(_arrow_columns(body, irregular))
    except pa.ArrowInvalid:  # a row that is too long, a quote or a row across blocks
        return None
    if any((pc.max(pc.binary_length(c)).as_py() or 0) > _limit() for c in columns):
        return None
    rows = len(columns[0])
    lines = np.arange(body.line, body.line + rows, dtype=np.int64)
    last = 0
    if rows != body.lines:
        inner = np.sum([count_bytes(column, _are_line_ends) for column in columns], axis=0)
        if rows + inner.sum() != body.lines:
            return None
        lines[1:] += inner.cumsum()[:-1]
        last = int(inner[-1])
    if body.has_quotes and not _last_quote_is_closed(body, last + 1):
        return None
    return columns, lines, irregular.short, 0


def _regular_columns(body: _Body) -> Sequence[Column] | None:
    """Return the rows if the body has one row per line with the same number of cells; else None.

    Arrow's blocks end at a line end, even within quotes. Then that line end is part of a cell.
    """
    try:
        columns = _arrow_columns(body)
    except pa.ArrowInvalid:
        return None
    if body.has_quotes and any(holds_byte(column, _are_line_ends) for column in columns):
        return None
    return columns


def _arrow_columns(body: _Body, irregular: _Irregular | None = None) -> Sequence[Column]:
    """Return the rows of a body that have as many cells as the header.

    If `irregular` is given, it handles the other rows. It needs their row numbers, which Arrow only
    provides without threads. Otherwise, such a row raises an error.
    """
    names = [str(place) for place in range(body.width)]
    columns: Sequence[Column] = pa_csv.read_csv(
        pa.py_buffer(body.data).slice(body.start),
        read_options=pa_csv.ReadOptions(
            column_names=names, block_size=_BLOCK, use_threads=irregular is None
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=body.delimiter,
            newlines_in_values=body.has_quotes and irregular is not None,
            ignore_empty_lines=False,
            invalid_row_handler=irregular,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, STRING),
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,  # `decode` has already checked it
        ),
    ).columns
    return columns


class _Irregular:
    """Collects the rows with fewer or more cells than the header, which Arrow skips.

    A row whose extra cells are not all blank is an error, which `_by_csv` then reports.
    """

    def __init__(self, body: _Body) -> None:
        self._width, self._delimiter = body.width, body.delimiter
        self._rows = RowBuffer()
        self.short = 0

    def __call__(self, row: Any) -> str:
        """Handle a row from Arrow; return whether Arrow should skip it or raise an error."""
        text = row.text
        try:
            cells = (
                next(csv.reader([text], delimiter=self._delimiter))
                if '"' in text
                else text.split(self._delimiter)
            )
        except csv.Error:
            return "error"
        if any(cell.strip(BLANKS) for cell in cells[self._width :]):
            return "error"
        is_blank = not any(cell.strip(BLANKS) for cell in cells)
        self.short += len(cells) < self._width and not is_blank
        self._rows.add(row.number - 1, [] if is_blank else cells[: self._width])
        return "skip"

    def put_into(self, columns: Sequence[Column]) -> Sequence[Column]:
        """Return columns with the collected rows inserted at their positions."""
        places = self._rows.lines()
        if not len(places):
            return columns
        regular = len(columns[0])
        order = np.zeros(regular + len(places), dtype=np.int64)
        order[places] = np.arange(regular, len(order))
        order[np.delete(np.arange(len(order)), places)] = np.arange(regular)
        taken = pa.array(order)
        others = self._rows.columns(self._width)
        return [
            pa.chunked_array([pa.concat_arrays([*column.chunks, *other.chunks]).take(taken)])
            for column, other in zip(columns, others, strict=True)
        ]


def _are_line_ends(codes: Bytes) -> npt.NDArray[np.bool_]:
    return np.asarray(codes == ord("\n"))


def _line_ends(data: bytes, start: int) -> int:
    """Return the number of line feeds from a position on, three times as fast as ``count``."""
    codes = np.frombuffer(data, dtype=np.uint8)
    blocks = (codes[place : place + _COUNTED] for place in range(start, len(data), _COUNTED))
    return sum(int(np.count_nonzero(_are_line_ends(block))) for block in blocks)


def _limit() -> int:
    """Return the effective cell limit: a process may have set a lower limit for `csv`."""
    return min(CELL_LIMIT, csv.field_size_limit())


def _last_quote_is_closed(body: _Body, lines: int) -> bool:
    """Return whether the last row, which spans `lines` lines, has no unclosed quote."""
    start = len(body.data) - body.data.endswith(b"\n")
    for _ in range(lines):
        start = body.data.rfind(b"\n", body.start, start)
    row = body.data[max(start + 1, body.start) :].decode("utf-8")
    reader = csv.reader([*io.StringIO(row, newline=""), ""], delimiter=body.delimiter)
    next(reader)
    return reader.line_num == lines


def _by_csv(body: _Body) -> _Parsed:
    """Return the rows of any body, or raise an error."""
    buffer = RowBuffer()
    beyond: list[tuple[int, int, bool]] = []  # line, cells, whether a blank precedes a quote
    short = blank = 0
    for line, record in _records(body):
        if len(record) <= 1 and not (record and record[0].strip(BLANKS)):
            blank += 1
            continue
        short += len(record) < body.width and any(cell.strip(BLANKS) for cell in record)
        if any(cell.strip(BLANKS) for cell in record[body.width :]):
            shifted = any(cell[:1].isspace() and cell.lstrip()[:1] == '"' for cell in record)
            beyond.append((line, len(record), shifted))
        buffer.add(line, record[: body.width])
    columns, lines = buffer.columns(body.width), buffer.lines()
    for column in columns:
        long = pc.index(too_long(column), True).as_py()
        if long >= 0:  # `csv` accepts it if its own limit was raised
            _refuse_cell(body, int(lines[long]), f"field larger than field limit ({CELL_LIMIT})")
    if beyond:
        _refuse_long_rows(body, beyond)
    return columns, lines, short, blank


def _records(body: _Body) -> Iterator[tuple[int, list[str]]]:
    """Yield every record with the line on which it starts.

    The `csv` module accepts the end of the file as the end of a quote. So an extra empty line is
    added after the last one: it can be part of an earlier record only if a quote is open.
    """
    raw = io.BytesIO(body.data)  # shares the bytes, does not copy them
    raw.seek(body.start)
    lines = io.TextIOWrapper(raw, "utf-8", newline="")
    reader = csv.reader(itertools.chain(lines, [""]), delimiter=body.delimiter)
    while (before := reader.line_num) < body.lines:
        try:
            record = next(reader)
        except csv.Error as error:
            _refuse_cell(body, body.line + before, str(error))
        if reader.line_num > body.lines:
            raise InventoryError(
                "a quote is never closed",
                source=body.source,
                line=body.line + before,
                remedy='Close the quote; inside a quoted cell, write " twice',
            )
        yield body.line + before, record


def _refuse_cell(body: _Body, line: int, reason: str) -> NoReturn:
    raise InventoryError(
        f"a cell of the row that starts here cannot be read ({reason})",
        source=body.source,
        line=line,
        remedy="Look for a quote that is never closed, or check that this is a CSV file",
    ) from None


def _refuse_long_rows(body: _Body, beyond: Sequence[tuple[int, int, bool]]) -> NoReturn:
    line, cells, shifted = beyond[0]
    more = ""
    if len(beyond) > 1:
        named = ", ".join(str(number) for number, _, _ in beyond[1:_NAMED])
        dots = ", ..." if len(beyond) > _NAMED else ""
        more = f", and {len(beyond) - 1} more such lines ({named}{dots})"
    between = _DELIMITER_NAMES.get(body.delimiter, repr(body.delimiter))
    raise InventoryError(
        f"{cells} cells where the header has {body.width}{more}",
        source=body.source,
        line=line,
        remedy="Remove the blank before the quote: a quote must be the first character of its cell"
        if shifted
        else f"Put quotes around a cell that holds a {between}, or give each column a name",
    )
