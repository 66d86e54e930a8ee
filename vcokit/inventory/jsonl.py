r"""JSON lines: an object a line, its keys the heads.

=====================  ===================================================================
value                  cell
=====================  ===================================================================
``"text"``             the text
``100``, ``1e2``       the number as it is written, of any size; ``NaN`` likewise
``true``, ``false``    ``true``, ``false``
``null``, no such key  empty
``["a", 1]``           its items with a comma between them
``{"a": 1}``           itself, as JSON
=====================  ===================================================================
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa

from vcokit.errors import InventoryError
from vcokit.inventory.cells import absent
from vcokit.inventory.heads import shortened
from vcokit.inventory.records import Progress, Records, joined
from vcokit.inventory.table import Options, Table, check_cells, named_head
from vcokit.inventory.text import Text

_BATCH: Final = 20_000  # objects that are kept as such at a time
_KEYS: Final = 1_000  # heads of all objects together; more is no table


def read_jsonl(text: Text, options: Options, progress: Progress | None = None) -> Table:
    """Return JSON lines as a table.

    Raises
    ------
    InventoryError
        If a line is no object or names a key twice, or no object has the columns needed.
    """
    names: dict[str, int] = {}
    parts = [
        _part(text.source, names, batch, lines) for batch, lines in _batches(text, names, progress)
    ]
    if not names:
        raise InventoryError(
            "the file holds no object",
            source=text.source,
            remedy='Write an object a line: {"region_id": "...", "vpn_connection_id": "...", ...}',
        )
    heads = tuple(names)
    records = joined([_widened(part, len(heads)) for part in parts])
    check_cells(text.source, heads, records)
    head = named_head(text.source, heads, options)
    return Table(text.source, "jsonl", head, records, text.encoding, text.notes, protected=False)


def _batches(
    text: Text, names: dict[str, int], progress: Progress | None
) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
    """Yield objects with their lines, and put the names of new keys to the others."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    done = 0
    for number, line in enumerate(text.data.split(b"\n"), 1):
        done += len(line) + 1
        if line.strip():
            rows.append(row := _object(text.source, number, line.decode("utf-8")))
            lines.append(number)
            if not row.keys() <= names.keys():
                _name(text.source, number, row, names)
        if len(rows) == _BATCH:
            yield rows, lines
            rows, lines = [], []
            if progress:
                progress(min(1.0, done / len(text.data)))
    if rows:
        yield rows, lines


def _name(source: str, line: int, row: Iterable[str], names: dict[str, int]) -> None:
    for key in row:
        names.setdefault(key, len(names))
    if len(names) > _KEYS:
        raise InventoryError(
            f"more than {_KEYS:,} different keys",
            source=source,
            line=line,
            remedy="Give every object the same keys",
        )


def _object(source: str, line: int, text: str) -> dict[str, Any]:
    """Return the object of a line."""
    try:
        found = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(source, line, f"no JSON: {error.msg} (character {error.pos + 1})")
    except (ValueError, RecursionError) as error:
        reason = "far too deep" if isinstance(error, RecursionError) else str(error)
        _refuse(source, line, reason)
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list) else "a single value"
        _refuse(source, line, f"{kind} where an object belongs")
    return found


def _refuse(source: str, line: int, what: str) -> NoReturn:
    raise InventoryError(
        what,
        source=source,
        line=line,
        remedy='Write one object a line, each key once: {"route_dest": "10.0.0.0/8", ...}',
    ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shortened(twice)!r} stands there twice")
    return found


#: Numbers stay the text they are: a weight of 1e2 is for the audit to judge, and a number of
#: 10,000 digits is no reason to stop.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=str
)


def _cell(value: Any) -> str | None:
    """Return a value as a cell; see the head of the module."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(_cell(item) or "" for item in value)
    return json.dumps(value, ensure_ascii=False)


def _part(
    source: str, names: dict[str, int], rows: list[dict[str, Any]], lines: list[int]
) -> Records:
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        cells = [v if v is None or type(v) is str else _cell(v) for v in values]
        try:
            columns.append(pa.chunked_array([absent(pa.array(cells, pa.large_string()))]))
        except UnicodeEncodeError:
            _refuse_half(source, name, cells, lines)
    return Records(columns, np.array(lines, dtype=np.int64))


def _refuse_half(source: str, name: str, cells: list[str | None], lines: list[int]) -> NoReturn:
    for cell, line in zip(cells, lines, strict=True):
        try:
            (cell or "").encode("utf-8")
        except UnicodeEncodeError:
            raise InventoryError(
                "half of a surrogate pair, which stands for no character",
                source=source,
                line=line,
                column=name.encode("utf-8", "backslashreplace").decode("utf-8"),
                remedy=r"Mend the \u escape",
            ) from None
    raise AssertionError("a cell that is no text was not found")  # pragma: no cover


def _widened(part: Records, width: int) -> Records:
    """Return a part with empty columns for keys that came later."""
    rows = 0 if part.lines is None else len(part.lines)
    nothing = pa.chunked_array([pa.nulls(rows, pa.large_string())])
    return Records(
        [*part.columns, *itertools.repeat(nothing, width - len(part.columns))], part.lines
    )
