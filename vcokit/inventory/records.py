"""Where a row begins and ends: two parsers of the lines below the head, which agree exactly.

=======  ================================================================================
`fast`   pyarrow's, in parallel, no Python per row; says None where the body is not plain:
         quoted line ends, lines that are blank, short or long, a cell beyond the limit
`exact`  the `csv` module's, for any body; the only one that raises, so that a fault is
         worded once and names its line
=======  ================================================================================

Why `fast` can be trusted: pyarrow ends each row at a line end and skips blank lines, so with
as many rows as lines, each row is one line. Quotes alone need more: a row whose last quote is
never closed at the end of a block or of the file would be let through, so no cell may hold a
line end, and the last line is read again by `csv`.

Cells are raw: neither trimmed nor unprotected. An empty cell, and one that a short row lacks,
is null. A line that is blank, or holds one blank cell, is no row; one of several blank cells is
one here, and none once cells are clean: see `vcokit.inventory.shape`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from vcokit.errors import InventoryError
from vcokit.inventory.cells import Column, absent
from vcokit.inventory.heads import NAMES
from vcokit.schema import BLANKS

#: Hears which part of a body is done, from 0 to 1.
Progress: TypeAlias = Callable[[float], object]

#: Longest cell, in characters. It is the `csv` module's own limit, so that reading need not
#: change a setting of the whole process; a longer one comes of a quote that is never closed.
CELL_LIMIT: Final = 131_072

_BLOCK: Final = 4 << 20  # bytes that pyarrow parses at a time: few chunks, yet all cores busy
_PART: Final = 16 << 20  # bytes between two words on progress
_CACHED: Final = 1 << 18  # bytes that NumPy compares at a time: they stay in the cache
_BATCH: Final = 20_000  # records that the exact parser keeps as Python objects
_NAMED: Final = 5  # lines that a message names


@dataclass(frozen=True)
class Body:
    """The lines below a head: ``data`` from byte ``start`` on, the first being line ``line``."""

    source: str
    data: bytes
    start: int
    line: int
    width: int
    delimiter: str


@dataclass(frozen=True)
class Records:
    """Rows of raw cells: a column a head, ``lines`` (int64) the line on which a row starts.

    ``blank`` lines were skipped; ``short`` rows had fewer cells than the head. ``lines`` is None
    where a table has no lines.
    """

    columns: list[Column]
    lines: np.ndarray[Any, np.dtype[np.int64]] | None
    blank: int = 0
    short: int = 0


def parse(body: Body, progress: Progress | None = None) -> Records:
    """Return the rows of a body; ``progress`` hears from time to time which part of it is done.

    Raises
    ------
    InventoryError
        If a quote is never closed, a cell is beyond `CELL_LIMIT`, or rows have more cells than
        the head.
    """
    found = fast(body) if progress is None else _by_parts(body, progress)
    return found or exact(body, progress)


def most_rows(body: Body) -> int:
    """Return how many rows a body has at most: as many as lines, whichever way those end."""
    data, start = body.data, body.start
    ends = _count(data, b"\n", start)
    if data.find(b"\r", start) >= 0:
        ends += data.count(b"\r", start) - data.count(b"\r\n", start)
    return ends + 1


def _by_parts(body: Body, progress: Progress) -> Records | None:
    """Return what `fast` returns, from one part of the body after another.

    A part ends at a line end. Should it lie within quotes, `fast` sees them open, and says None.
    """
    parts: list[Records] = []
    start, line = body.start, body.line
    while start < len(body.data):
        end = body.data.find(b"\n", start + _PART) + 1 or len(body.data)
        part = fast(replace(body, data=body.data[start:end], start=0, line=line))
        if part is None or part.lines is None:
            return None
        parts.append(part)
        start, line = end, line + len(part.lines)
        progress((end - body.start) / (len(body.data) - body.start))
    return joined(parts) if parts else None


def joined(parts: Sequence[Records]) -> Records:
    """Return records of the same columns, one below the other."""
    columns = [
        pa.chunked_array([chunk for column in columns for chunk in column.chunks])
        for columns in zip(*(part.columns for part in parts), strict=True)
    ]
    lines = np.concatenate([part.lines for part in parts if part.lines is not None])
    return Records(columns, lines, sum(p.blank for p in parts), sum(p.short for p in parts))


def fast(body: Body) -> Records | None:
    """Return the rows of a plain body; None where the exact parser must look."""
    lines = _line_count(body)
    if lines is None or not body.delimiter.isascii():
        return None
    try:
        table = _arrow_table(body)
    except pa.ArrowInvalid:  # rows of other widths, no rows, quotes across blocks
        return None
    if table.num_rows != lines or any(_longest(column) > _limit() for column in table.columns):
        return None
    if body.data.find(b'"', body.start) >= 0 and not _last_quote_is_closed(body):
        return None
    numbers = np.arange(body.line, body.line + lines, dtype=np.int64)
    return Records(table.columns, numbers)


def _line_count(body: Body) -> int | None:
    """Return how many lines a body has; None where a CR alone ends lines."""
    data, start = body.data, body.start
    if data.find(b"\r", start) >= 0 and data.count(b"\r", start) != data.count(b"\r\n", start):
        return None
    return _count(data, b"\n", start) + (len(data) > start and not data.endswith(b"\n"))


def _count(data: bytes, letter: bytes, start: int) -> int:
    """Return how often a byte occurs; seven times as fast as `bytes.count` where it is frequent."""
    letters = np.frombuffer(data, dtype=np.uint8, offset=start)
    parts = range(0, len(letters), _CACHED)
    return sum(int(np.count_nonzero(letters[at : at + _CACHED] == letter[0])) for at in parts)


def _arrow_table(body: Body) -> Any:
    names = [str(place) for place in range(body.width)]
    return pa_csv.read_csv(
        pa.py_buffer(body.data).slice(body.start),
        read_options=pa_csv.ReadOptions(column_names=names, block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(delimiter=body.delimiter),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()),
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,  # `text` has checked it
        ),
    )


def _longest(column: Column) -> int:
    """Return a bound of the longest cell of a column: its bytes, never fewer than characters."""
    return pc.max(pc.binary_length(column)).as_py() or 0


def _limit() -> int:
    """Return the limit in force: a process may have set that of `csv` below ours."""
    return min(CELL_LIMIT, csv.field_size_limit())


def _last_quote_is_closed(body: Body) -> bool:
    """Tell whether the last line leaves no quote open.

    In all lines before it none is: a quoted line end would make fewer rows than there are lines.
    """
    last = body.data.rfind(b"\n", body.start, len(body.data) - 1) + 1
    line = body.data[max(last, body.start) :].decode("utf-8")
    reader = csv.reader([line, ""], delimiter=body.delimiter)
    next(reader)
    return reader.line_num == 1


def exact(body: Body, progress: Progress | None = None) -> Records:
    """Return the rows of any body, or raise; see `parse`."""
    heap = _Heap(body)
    total = progress and max(1, body.data.count(b"\n", body.start))
    for line, record in _records(body):
        heap.add(line, record)
        if progress and total and not heap.rows:
            progress(min(1.0, (line - body.line) / total))
    return heap.records()


def _records(body: Body) -> Iterator[tuple[int, list[str]]]:
    """Yield every record with the line on which it starts.

    The `csv` module takes the end of the file for the end of a quote. An empty line is fed to it
    behind the last one: only an open quote can make it part of a record that began before.
    """
    feed = _Feed(body)
    reader = csv.reader(feed, delimiter=body.delimiter)
    while True:
        before = reader.line_num
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _too_long(body, body.line + before, str(error)) from None
        if record is None or (feed.ended and before == feed.lines):
            return
        if feed.ended:
            raise InventoryError(
                "a quote is opened and never closed",
                source=body.source,
                line=body.line + before,
                remedy='Close the quote; a " that belongs to a quoted cell is written twice',
            )
        yield body.line + before, record


class _Feed:
    """The lines of a body, and an empty one behind them; ``ended`` once that was fed."""

    def __init__(self, body: Body) -> None:
        raw = io.BytesIO(body.data)  # shares the bytes, does not copy them
        raw.seek(body.start)
        self._lines = io.TextIOWrapper(raw, "utf-8", newline="")
        self.lines = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.lines += 1
            yield line
        self.ended = True
        yield ""


def _too_long(body: Body, line: int, reason: str = "") -> InventoryError:
    reason = reason or f"field larger than field limit ({CELL_LIMIT})"
    return InventoryError(
        f"a cell of the row that starts here cannot be read ({reason})",
        source=body.source,
        line=line,
        remedy="Look for a quote that is never closed, or check that this is a CSV file",
    )


@dataclass
class _Heap:
    """Records on their way into columns, a batch of them at a time as Python objects."""

    body: Body
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    batches: list[list[Any]] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)
    long: list[tuple[int, list[str]]] = field(default_factory=list)
    blank: int = 0
    short: int = 0

    def add(self, line: int, record: list[str]) -> None:
        """Take in a record, cut or filled up to the width of the head."""
        width = self.body.width
        if len(record) <= 1 and not (record and record[0].strip(BLANKS)):
            self.blank += 1
            return
        if len(record) < width:
            self.short += any(cell.strip(BLANKS) for cell in record)
            record += [""] * (width - len(record))
        elif len(record) > width:
            if any(cell.strip(BLANKS) for cell in record[width:]):
                self.long.append((line, record if not self.long else []))
            record = record[:width]
        self.rows.append(record)
        self.lines.append(line)
        if len(self.rows) == _BATCH:
            self.flush()

    def flush(self) -> None:
        """Turn the batch into Arrow arrays."""
        columns = list(zip(*self.rows, strict=True)) or [()] * self.body.width
        arrays = [pa.array(column, pa.large_string()) for column in columns]
        for array in arrays:
            if _longest(array) > CELL_LIMIT:
                self._refuse_longest(array)
        self.batches.append([absent(array) for array in arrays])
        self.numbers.append(np.array(self.lines, dtype=np.int64))
        self.rows, self.lines = [], []

    def records(self) -> Records:
        """Return everything taken in."""
        self.flush()
        if self.long:
            self._refuse_long()
        columns = [pa.chunked_array(arrays) for arrays in zip(*self.batches, strict=True)]
        return Records(columns, np.concatenate(self.numbers), self.blank, self.short)

    def _refuse_longest(self, array: Any) -> None:
        """Raise for a cell beyond the limit; `csv` lets it through where its own is raised."""
        lengths = pc.utf8_length(array).to_numpy()
        if lengths.max() > CELL_LIMIT:
            raise _too_long(self.body, self.lines[int(lengths.argmax())])

    def _refuse_long(self) -> None:
        line, cells = self.long[0]
        shifted = any(cell[:1].isspace() and cell.lstrip()[:1] == '"' for cell in cells)
        more = ""
        if len(self.long) > 1:
            named = ", ".join(str(number) for number, _ in self.long[1:_NAMED])
            dots = ", ..." if len(self.long) > _NAMED else ""
            more = f", and {len(self.long) - 1} more such lines ({named}{dots})"
        between = NAMES.get(self.body.delimiter, repr(self.body.delimiter))
        raise InventoryError(
            f"{len(cells)} cells where the head has {self.body.width}{more}",
            source=self.body.source,
            line=line,
            remedy="Take away the blank before the quote: it must come first in its cell"
            if shifted
            else f"Put quotes around a cell that holds a {between}, or give each column a head",
        )
