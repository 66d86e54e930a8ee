"""Parquet: columns of any type as text, `cidr` columns among them, a batch of rows at a time.

A Parquet file has no lines: ``line`` is missing, and a message names the row, from 0. What a
few bytes may stand for is bounded, in rows and in bytes, while they are read. Columns of bytes that
are no text, such as pictures or keys, are left out, and noted.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
from itertools import chain
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.interop import CidrType, from_arrow, register
from vcokit.cidr.parse import NO_LENGTH, to_text
from vcokit.errors import InventoryError
from vcokit.inventory.bound import Bound
from vcokit.inventory.cells import absent
from vcokit.inventory.heads import locate, shortened
from vcokit.inventory.reasons import reason_of
from vcokit.inventory.records import Progress, Records
from vcokit.inventory.table import Options, Table, check_cells, named_head

#: Most rows and most bytes in memory; Arrow's text of twenty million routes is some 3 GB.
ROWS: Final = 20_000_000
BYTES: Final = 3 << 30

_MOST: Final = 32  # bits of a prefix
_BATCH: Final = 16_384
_ITEM: Final = 4  # cells that a value within another costs, as it becomes a Python object
_COLUMNS: Final = 1_000
_REMEDY: Final = "Write it again, such as by pandas.DataFrame.to_parquet"


def read_parquet(
    source: str, data: bytes, bound: Bound, options: Options, progress: Progress | None = None
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
        texts = _texts(file.metadata)
        referred = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
        file = referred if _may_repeat(referred, bound) else file
        names = _names(source, file)
        places = locate(names, options.wanted).values()
        columns = _columns(source, file, names, frozenset(chain(*places)), bound, progress)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, InventoryError):
            raise
        raise InventoryError(
            f"a damaged Parquet file: {reason_of(error)}", source=source, remedy=_REMEDY
        ) from None
    notes = tuple(
        f"column {shortened(name)!r} holds bytes that are no text, and was left out"
        for place, name in enumerate(names)
        if place not in columns
    )
    names = [names[place] for place in columns]
    records = Records(list(columns.values()), None)
    check_cells(source, names, records)
    head = named_head(source, names, options)
    return Table(source, "parquet", head, records, bound, notes=notes, protected=False)


def _texts(metadata: Any) -> list[str]:
    """Return the columns that hold text, by their paths."""
    parts = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    return [part.path for part in parts if part.physical_type == "BYTE_ARRAY"]


def _may_repeat(file: Any, bound: Bound) -> bool:
    """Tell whether few texts may stand for so many that they must not be laid out unseen.

    Raises where the file says itself that it holds too much. The texts that a group of rows refers
    to stand before it, so its first row shows the longest of them.
    """
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    text = sum(chunk.total_uncompressed_size for chunk in chunks)
    cells = sum(chunk.num_values for chunk in chunks)
    bound.check(text, cells)
    for number, group in enumerate(groups):
        for batch in itertools.islice(file.iter_batches(1, [number], use_threads=False), 1):
            for column in batch.columns:
                if pa.types.is_nested(column.type):
                    return True
                if pa.types.is_dictionary(column.type):
                    longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                    text += longest * group.num_rows
    return not bound.fits(text, cells)


def _names(source: str, file: Any) -> list[str]:
    names = [str(name) for name in file.schema_arrow.names]
    if len(names) > _COLUMNS:
        raise InventoryError(
            f"{len(names):,} columns, which is no table of routes", source=source, remedy=_REMEDY
        )
    return names


def _columns(
    source: str,
    file: Any,
    names: list[str],
    fields: frozenset[int],
    bound: Bound,
    progress: Progress | None,
) -> dict[int, Any]:
    """Return columns as text, by place, read a batch of rows at a time.

    One that holds bytes that are no text is left out, unless it is a field.
    """
    chunks: dict[int, list[Any]] = {place: [] for place in range(len(names))}
    rows = size = 0
    total = max(1, file.metadata.num_rows)
    for batch in file.iter_batches(_BATCH, use_threads=False):
        for place in list(chunks):
            column = batch.column(place)
            column.validate(full=True)  # a page may hold text that is no UTF-8
            bound.take(*_laid_out(column))
            try:
                chunks[place].append(found := absent(_text(column)))
            except _NoTextError:
                if place in fields:
                    raise _no_text(source, names[place]) from None
                del chunks[place]
            else:
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
    return {place: pa.chunked_array(parts, pa.large_string()) for place, parts in chunks.items()}


def _laid_out(column: Any) -> tuple[int, int]:
    """Return the bytes of text and the cells that an Arrow array comes to."""
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        return _laid_out(column.storage)
    if pa.types.is_dictionary(kind):
        if not pa.types.is_string(kind.value_type) and not _is_binary(kind.value_type):
            return len(column) * column.dictionary.nbytes, len(column)
        lengths = pc.fill_null(pc.binary_length(column.dictionary), 0)
        return pc.sum(pc.take(lengths, column.indices), min_count=0).as_py(), len(column)
    if not pa.types.is_nested(kind):
        return column.nbytes, len(column)
    if pa.types.is_struct(kind):
        parts = [_laid_out(part) for part in column.flatten()]
        names = len(column) * sum(len(field.name) for field in kind)
    else:
        parts, names = [_laid_out(column.flatten())], 0
    text, cells = map(sum, zip(*parts, strict=True)) if parts else (0, 0)
    return names + text, len(column) + _ITEM * cells


class _NoTextError(ValueError):
    """Bytes that are no UTF-8, where a column may hold any."""


def _no_text(source: str, name: str) -> InventoryError:
    return InventoryError(
        "bytes that are no UTF-8", source=source, column=name, remedy="Write the column as text"
    )


def _text(column: Any) -> Any:
    """Return an Arrow array of any type as large_string; a whole float is a whole number."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == CidrType():
        return _prefixes(column)
    if isinstance(column, pa.ExtensionArray):
        return _text(column.storage)
    if pa.types.is_nested(column.type):
        return pa.array([_written(value) for value in column.to_pylist()], pa.large_string())
    if pa.types.is_floating(column.type):  # 1e18 is written without an exponent, as pandas has it
        column = column.cast(pa.float64())
        return _floats(column)
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        if _is_binary(column.type):
            raise _NoTextError from None
        raise


def _is_binary(kind: Any) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests) or pa.types.is_binary_view(kind)


def _prefixes(column: Any) -> Any:
    """Return prefixes as text; a length beyond 32, which only another program writes, as well."""
    network, length = from_arrow(column)
    texts = pa.array(to_text(network, length), from_pandas=True).cast(pa.large_string())
    wrong = (length > _MOST) & (length != NO_LENGTH)
    if not wrong.any():
        return texts
    pairs = zip(network[wrong].tolist(), length[wrong].tolist(), strict=True)
    written = [f"{ipaddress.IPv4Address(number)}/{bits}" for number, bits in pairs]
    return pc.replace_with_mask(texts, pa.array(wrong), pa.array(written, pa.large_string()))


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
        return ", ".join(_item(item) for item in value if item is not None)
    return json.dumps(value, ensure_ascii=False, default=_item)


def _item(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
