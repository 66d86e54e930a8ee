"""Parquet: columns of any type as text, `cidr` columns among them, a batch of rows at a time.

A Parquet file has no lines: ``line`` is missing, and a message names the row, from 0. What a
few bytes may stand for is bounded, in rows and in bytes, while they are read.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.arrow import CidrType, from_arrow, register
from vcokit.cidr.parse import to_text
from vcokit.errors import InventoryError
from vcokit.inventory.cells import absent
from vcokit.inventory.reasons import reason_of
from vcokit.inventory.records import Progress, Records
from vcokit.inventory.table import Options, Table, check_cells, named_head

#: Most rows and most bytes in memory; Arrow's text of twenty million routes is some 3 GB.
ROWS: Final = 20_000_000
BYTES: Final = 3 << 30

_BATCH: Final = 100_000
_COLUMNS: Final = 1_000
_REMEDY: Final = "Write it again, such as by pandas.DataFrame.to_parquet"


def read_parquet(
    source: str, data: bytes, options: Options, progress: Progress | None = None
) -> Table:
    """Return a Parquet file as a table.

    Raises
    ------
    InventoryError
        If the file is none, is damaged, far too large, or lacks columns.
    """
    import pyarrow.parquet as pq  # costs a tenth of importing pandas

    register()
    if not data.startswith(b"PAR1"):
        raise InventoryError(
            "no Parquet file: it does not begin with PAR1",
            source=source,
            remedy='Name it as what it is, or pass format=, such as format="csv"',
        )
    try:
        # memory_map off and no threads: a damaged page is one error, raised here.
        file = pq.ParquetFile(pa.BufferReader(data))
        names = _names(source, file)
        columns = _columns(source, file, names, progress)
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError, OverflowError) as error:
        if isinstance(error, InventoryError):
            raise
        raise InventoryError(
            f"a damaged Parquet file: {reason_of(error)}", source=source, remedy=_REMEDY
        ) from None
    records = Records(columns, None)
    check_cells(source, names, records)
    head = named_head(source, names, options)
    return Table(source, "parquet", head, records, protected=False)


def _names(source: str, file: Any) -> list[str]:
    names = [str(name) for name in file.schema_arrow.names]
    if len(names) > _COLUMNS:
        raise InventoryError(
            f"{len(names):,} columns, which is no table of routes", source=source, remedy=_REMEDY
        )
    return names


def _columns(source: str, file: Any, names: list[str], progress: Progress | None) -> list[Any]:
    """Return every column as text, read a batch of rows at a time."""
    chunks: list[list[Any]] = [[] for _ in names]
    rows = size = 0
    total = max(1, file.metadata.num_rows)
    for batch in file.iter_batches(_BATCH, use_threads=False):
        for place, column in enumerate(batch.columns):
            column.validate(full=True)  # a page may hold text that is no UTF-8
            chunks[place].append(found := absent(_text(column)))
            size += found.nbytes
        rows += batch.num_rows
        if rows > ROWS or size > BYTES:
            raise InventoryError(
                f"more than {ROWS:,} rows or {BYTES >> 20:,} MiB of cells",
                source=source,
                remedy="Split the file, and read one part after the other",
            )
        if progress:
            progress(min(1.0, rows / total))
    return [pa.chunked_array(parts, pa.large_string()) for parts in chunks]


def _text(column: Any) -> Any:
    """Return an Arrow array of any type as large_string; a whole float is a whole number."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == CidrType():
        texts = to_text(*from_arrow(column))
        return pa.array(texts, from_pandas=True).cast(pa.large_string())
    if isinstance(column, pa.ExtensionArray):
        return _text(column.storage)
    if pa.types.is_nested(column.type):
        return pa.array([_written(value) for value in column.to_pylist()], pa.large_string())
    if pa.types.is_floating(column.type):  # 1e18 is written without an exponent, as pandas has it
        column = column.cast(pa.float64())
        return _floats(column)
    return column.cast(pa.large_string())


def _floats(column: Any) -> Any:
    whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 1e18))
    whole = pc.fill_null(whole, False)
    numbers = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.large_string())
    texts = pc.if_else(whole, numbers, column.cast(pa.large_string()))
    return pc.if_else(pc.fill_null(pc.is_nan(column), False), None, texts)


def _written(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(str(item) for item in value if item is not None)
    return json.dumps(value, ensure_ascii=False, default=str)
