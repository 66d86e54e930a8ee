r"""JSON and Parquet: tables whose columns have names, so there is no header line.

JSON is one object per line, or a list of objects; the keys are the column names. An object may
span several lines: its row has the line on which it starts. The output of ``terraform show -json``
can also be read: the routes among its resources are the rows.

=====================  ===================================================================
value                  cell
=====================  ===================================================================
``"text"``             the text
``100``, ``1e2``       the number as written, of any size; also ``NaN``
``true``, ``false``    ``true``, ``false``
``null``, no such key  empty
``["a", null, 1]``     the items separated by commas, without empty ones: ``a, 1``
``{"a": 1}``           the same JSON, with numbers as written
=====================  ===================================================================

Parquet columns of any type are cast to text, including `cidr` columns. A Parquet file has no lines:
``line`` is missing, and messages name the row, counted from 0. Columns of bytes that are not text,
such as pictures or keys, are left out, and a note says so.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.interop import CidrType, from_arrow, register
from vcokit.cidr.parse import NO_LENGTH, to_text
from vcokit.errors import InventoryError, Remedy
from vcokit.inventory.clean import STRING, RowBuffer, check_cells, empty_to_null
from vcokit.inventory.encoding import Text
from vcokit.inventory.header import Options, RawTable, header_of_names, match_columns, shortened
from vcokit.inventory.sources import Budget, reason_of
from vcokit.inventory.terraform import is_document, resources_of

_NAMES: Final = 1_000  # most columns of a table of routes
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BITS: Final = 32  # longest length of a prefix
_ITEM: Final = 4  # a nested value counts as this many cells, because it becomes a Python object
_REMEDY: Final = "Write it again, such as by pandas.DataFrame.to_parquet"


def read_json(text: Text, budget: Budget, options: Options) -> RawTable:
    """Return JSON lines, or a JSON list of objects, as a table; raise for any other content."""
    names: dict[str, int] = {}
    buffer = RowBuffer()
    for count, (line, found) in enumerate(_rows(text.source, text.data.decode("utf-8")), 1):
        for key in found:
            names.setdefault(key, len(names))
        if len(names) > _NAMES:
            raise InventoryError(
                f"more than {_NAMES:,} different keys",
                source=text.source,
                line=line,
                remedy="Give every object the same keys",
            )
        budget.check(len(text.data), count * len(names), line=line)
        try:
            values = [found.get(name) for name in names]
            cells = [v if v is None or type(v) is str else _cell(v) for v in values]
            "".join(filter(None, cells)).encode("utf-8")
        except RecursionError:
            _refuse(text.source, line, "far too deep")
        except UnicodeEncodeError:
            _refuse(text.source, line, "a lone surrogate, which is not a valid character")
        buffer.add(line, cells)
    if not names:
        raise InventoryError(
            "the file contains no JSON object",
            source=text.source,
            remedy='Write an object a line: {"region_id": "...", "vpn_connection_id": "...", ...}',
        )
    if {"step", "action"} <= names.keys() and "state" not in names:
        # If these were read as rows of an inventory, deleted and blocked routes would be created.
        raise InventoryError(
            "these are the steps of a plan, not an inventory",
            source=text.source,
            remedy="Apply the whole file that was saved, or read it with vk.Plan.load(path)",
        )
    columns, lines = buffer.columns(len(names)), buffer.lines()
    check_cells(text.source, list(names), columns, lines)
    header = header_of_names(text.source, list(names), options)
    return RawTable(
        text.source,
        "jsonl",
        header,
        columns,
        lines,
        budget,
        text.encoding,
        text.notes,
        protected=False,
    )


def _rows(source: str, letters: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield objects; for a document of Terraform, yield the routes in it."""
    for line, found in _objects(source, letters):
        if is_document(found):
            yield from ((line, one) for one in resources_of(source, line, found))
        else:
            yield line, found


def _objects(source: str, letters: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield objects, in sequence or in a list, each with the line on which it starts."""
    place = _behind_space(letters, 0)
    in_list = letters.startswith("[", place)
    place = _behind_space(letters, place + in_list)
    line, seen, comma = 1, 0, True
    while place < len(letters) and not (in_list and letters[place] == "]"):
        line, seen = line + letters.count("\n", seen, place), place
        if in_list and not comma:
            _refuse(source, line, "no comma before it")
        found, end = _object(source, line, letters, place)
        yield line, found
        place = _behind_space(letters, end)
        comma = letters.startswith(",", place)
        if in_list and comma:
            place = _behind_space(letters, place + 1)
    end = _behind_space(letters, place + 1)
    if in_list and (place == len(letters) or end < len(letters)):
        what = (
            "the list is not closed" if place == len(letters) else "unexpected text after the list"
        )
        _refuse(source, line + letters.count("\n", seen, end), what)


def _behind_space(letters: str, place: int) -> int:
    match = _SPACE.match(letters, place)
    return match.end() if match else place


def _object(source: str, line: int, letters: str, place: int) -> tuple[dict[str, Any], int]:
    """Return the object at a position, and the position after it."""
    try:
        found, end = _DECODER.raw_decode(letters, place)
    except json.JSONDecodeError as error:
        _refuse(source, error.lineno, f"not JSON: {error.msg} (character {error.colno})")
    except RecursionError:
        _refuse(source, line, "far too deep")
    except ValueError as error:
        _refuse(source, line, str(error))
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list) else "a single value"
        _refuse(source, line, f"expected an object, found {kind}")
    return found, end


def _refuse(source: str, line: int, what: str) -> NoReturn:
    raise InventoryError(
        what,
        source=source,
        line=line,
        remedy="Write one object a line, or a list of objects, each key once: "
        '{"route_dest": "10.0.0.0/8", ...}',
    ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shortened(twice)!r} appears twice")
    return found


class _Number(str):
    """A number as text, exactly as written, of any length; the audit checks weights such as 1e2."""

    __slots__ = ()


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_Number, parse_float=_Number, parse_constant=_Number
)


def _cell(value: Any) -> str | None:
    """Return a value of JSON or Parquet as a cell; see the module's docstring."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(filter(None, map(_cell, value)))
    return _json(value) if isinstance(value, list | dict) else str(value)


def _json(value: Any) -> str:
    """Return a value as JSON, with numbers as they were written."""
    if isinstance(value, dict):
        return f"{{{', '.join([f'{_json(key)}: {_json(value[key])}' for key in value])}}}"
    if isinstance(value, list):
        return f"[{', '.join([_json(item) for item in value])}]"
    if isinstance(value, _Number):
        return value
    return json.dumps(value, ensure_ascii=False, default=_cell)


def read_parquet(source: str, data: bytes, budget: Budget, options: Options) -> RawTable:
    """Return a Parquet file as a table; raise if it is not one, is damaged or far too large."""
    import pyarrow.parquet as pq  # imported here: it takes a tenth of the time of importing pandas

    register()
    if not data.startswith(b"PAR1"):
        raise InventoryError(
            "not a Parquet file: it does not begin with PAR1",
            source=source,
            remedy=Remedy("Name it as what it is, or pass {format}", format="csv"),
        )
    try:
        # No memory map and no threads: a damaged page is one error, raised here. Texts are read as
        # dictionaries, so that repeated texts are counted before they are expanded.
        texts = _texts(pq.ParquetFile(pa.BufferReader(data)).metadata, budget)
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
        names = [str(name) for name in file.schema_arrow.names]
        if len(names) > _NAMES:
            raise InventoryError(
                f"{len(names):,} columns, which is not a table of routes",
                source=source,
                remedy=_REMEDY,
            )
        fields = frozenset(chain(*match_columns(names, options.requested).values()))
        columns = _columns(source, file.read(use_threads=False), names, fields, budget)
    except (InventoryError, MemoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise InventoryError(
            f"a damaged Parquet file: {reason_of(error)}", source=source, remedy=_REMEDY
        ) from None
    notes = tuple(
        f"column {shortened(name)!r} holds bytes that are no text, and was left out"
        for place, name in enumerate(names)
        if place not in columns
    )
    names = [names[place] for place in columns]
    check_cells(source, names, columns.values(), None)
    header = header_of_names(source, names, options)
    found = list(columns.values())
    return RawTable(source, "parquet", header, found, None, budget, notes=notes, protected=False)


def _texts(metadata: Any, budget: Budget) -> list[str]:
    """Return the paths of columns of text; raise if the file declares too much content."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    budget.check(
        sum(chunk.total_uncompressed_size for chunk in chunks),
        sum(chunk.num_values for chunk in chunks),
    )
    parts = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    return [part.path for part in parts if part.physical_type == "BYTE_ARRAY"]


def _columns(
    source: str, table: Any, names: list[str], fields: frozenset[int], budget: Budget
) -> dict[int, Any]:
    """Return columns as text, by position.

    A column of bytes that are not text is left out; if it is a field, this is an error.
    """
    found: dict[int, Any] = {}
    for place, column in enumerate(table.columns):
        column.validate(full=True)  # a page may contain text that is not UTF-8
        for chunk in column.chunks:
            budget.take(*_laid_out(chunk))
        try:
            cells = pa.chunked_array([_text(chunk) for chunk in column.chunks], STRING)
            found[place] = empty_to_null(cells)
        except pa.ArrowInvalid:
            if not _is_binary(column.type):
                raise
            if place in fields:
                raise InventoryError(
                    "bytes that are not UTF-8",
                    source=source,
                    column=names[place],
                    remedy="Write the column as text",
                ) from None
    return found


def _laid_out(column: Any) -> tuple[int, int]:
    """Return the bytes of text and the number of cells of an Arrow array once it is expanded."""
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


def _text(column: Any) -> Any:
    """Return an Arrow array of any type as text; integral floats are written as integers."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == CidrType():
        return _prefixes(column)
    if isinstance(column, pa.ExtensionArray):
        return _text(column.storage)
    if pa.types.is_nested(column.type):
        return pa.array([_cell(value) for value in column.to_pylist()], STRING)
    if pa.types.is_floating(column.type):
        return _floats(column.cast(pa.float64()))
    return column.cast(STRING)


def _is_binary(kind: Any) -> bool:
    """Return whether a type is a bytes type, or a dictionary or an extension of one."""
    if isinstance(kind, pa.BaseExtensionType):
        return _is_binary(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _is_binary(kind.value_type)
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests) or pa.types.is_binary_view(kind)


def _prefixes(column: Any) -> Any:
    """Return prefixes as text, including lengths over 32, which only other programs write."""
    network, length = from_arrow(column)
    texts = pa.array(to_text(network, length), from_pandas=True).cast(STRING)
    wrong = (length > _BITS) & (length != NO_LENGTH)
    if not wrong.any():
        return texts
    pairs = zip(network[wrong].tolist(), length[wrong].tolist(), strict=True)
    written = [f"{ipaddress.IPv4Address(number)}/{bits}" for number, bits in pairs]
    return pc.replace_with_mask(texts, pa.array(wrong), pa.array(written, STRING))


def _floats(column: Any) -> Any:
    """Return floats as text; 1e17 is written without an exponent, as in pandas."""
    whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 1e18))
    whole = pc.fill_null(whole, False)
    numbers = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(STRING)
    texts = pc.if_else(whole, numbers, column.cast(STRING))
    return pc.if_else(pc.fill_null(pc.is_nan(column), False), None, texts)
