r"""JSON: an object a line, or a list of objects; their keys are the heads.

=====================  ===================================================================
value                  cell
=====================  ===================================================================
``"text"``             the text
``100``, ``1e2``       the number as it is written, of any size; ``NaN`` likewise
``true``, ``false``    ``true``, ``false``
``null``, no such key  empty
``["a", null, 1]``     its items with a comma between them, ``a, 1``; none of them is empty
``{"a": 1}``           itself, as JSON, its numbers as they are written
=====================  ===================================================================
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa

from vcokit.errors import InventoryError
from vcokit.inventory.bound import Bound
from vcokit.inventory.cells import absent
from vcokit.inventory.heads import shortened
from vcokit.inventory.records import Progress, Records, joined
from vcokit.inventory.table import Options, Table, check_cells, named_head
from vcokit.inventory.text import Text

_BATCH: Final = 20_000  # objects that are kept as such at a time
_KEYS: Final = 1_000  # heads of all objects together; more is no table
_PEEK: Final = 4_096  # bytes in which a list must begin
_BLANKS: Final = re.compile(r"[ \t\r\n]*")

_Row = tuple[int, dict[str, Any], float]  # line, object, which part of the file is done


def read_jsonl(
    text: Text, bound: Bound, options: Options, progress: Progress | None = None
) -> Table:
    """Return JSON lines, or a list of objects, as a table.

    Raises
    ------
    InventoryError
        If a line is no object or names a key twice, or no object has the columns needed.
    """
    names: dict[str, int] = {}
    parts = [
        _part(text.source, names, batch, lines)
        for batch, lines in _batches(text, names, bound, progress)
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
    return Table(
        text.source, "jsonl", head, records, bound, text.encoding, text.notes, protected=False
    )


def _batches(
    text: Text, names: dict[str, int], bound: Bound, progress: Progress | None
) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
    """Yield objects with their lines, and put the names of new keys to the others.

    Each object takes a cell of every key, of those that come later as well.
    """
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    objects = _listed(text) if _is_list(text.data) else _lined(text)
    for count, (number, row, done) in enumerate(objects, 1):
        rows.append(row)
        lines.append(number)
        if not row.keys() <= names.keys():
            _name(text.source, number, row, names)
        bound.check(len(text.data), count * len(names), line=number)
        if len(rows) == _BATCH:
            yield rows, lines
            rows, lines = [], []
            if progress:
                progress(min(1.0, done))
    if rows:
        yield rows, lines


def _is_list(data: bytes) -> bool:
    return data[:_PEEK].lstrip().startswith(b"[")


def _lined(text: Text) -> Iterator[_Row]:
    """Yield the objects of lines."""
    done = 0
    for number, line in enumerate(text.data.split(b"\n"), 1):
        done += len(line) + 1
        if line.strip():
            row, _ = _object(text.source, number, line.decode("utf-8"), whole=True)
            yield number, row, done / len(text.data)


def _listed(text: Text) -> Iterator[_Row]:
    """Yield the objects of a list."""
    source, letters = text.source, text.data.decode("utf-8")
    line, seen, place = 1, 0, _behind_blanks(letters, letters.index("[") + 1)
    comma = True
    while place < len(letters) and letters[place] != "]":
        line, seen = line + letters.count("\n", seen, place), place
        if not comma:
            _refuse(source, line, "no comma before it")
        row, place = _object(source, line, letters, place)
        yield line, row, place / len(letters)
        place = _behind_blanks(letters, place)
        comma = letters.startswith(",", place)
        place = _behind_blanks(letters, place + comma)
    end = _behind_blanks(letters, place + 1)
    if place == len(letters) or end < len(letters):
        what = "the list is not closed" if place == len(letters) else "something behind the list"
        _refuse(source, line + letters.count("\n", seen, end), what)


def _behind_blanks(letters: str, place: int) -> int:
    match = _BLANKS.match(letters, place)
    return match.end() if match else place


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


def _object(
    source: str, line: int, text: str, place: int = 0, *, whole: bool = False
) -> tuple[dict[str, Any], int]:
    """Return the object at a place, and the place behind it; or that of a whole line."""
    try:
        if whole:
            flat = "[" not in text and text.rfind("{") <= text.find("{")
            found, end = (_FLAT if flat else _NESTED).decode(text), len(text)
        else:
            found, end = _NESTED.raw_decode(text, place)
    except json.JSONDecodeError as error:
        line = line if whole else error.lineno
        _refuse(source, line, f"no JSON: {error.msg} (character {error.colno})")
    except (ValueError, RecursionError) as error:
        reason = "far too deep" if isinstance(error, RecursionError) else str(error)
        _refuse(source, line, reason)
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list) else "a single value"
        _refuse(source, line, f"{kind} where an object belongs")
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
        raise ValueError(f"the key {shortened(twice)!r} stands there twice")
    return found


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _decoder(number: type[str]) -> json.JSONDecoder:
    """Return a decoder. Numbers stay the text they are, were they of 10,000 digits.

    A weight of 1e2 is for the audit to judge.
    """
    return json.JSONDecoder(
        object_pairs_hook=_unique, parse_int=number, parse_float=number, parse_constant=number
    )


#: Where a value may hold others, its numbers must be known from its texts; that takes longer.
_FLAT: Final = _decoder(str)
_NESTED: Final = _decoder(_Number)


def _cell(value: Any) -> str | None:
    """Return a value as a cell; see the head of the module."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(filter(None, map(_cell, value)))
    return _json(value)


def _json(value: Any) -> str:
    """Return a value as JSON, numbers as they were written."""
    if isinstance(value, dict):
        return f"{{{', '.join([f'{_json(key)}: {_json(value[key])}' for key in value])}}}"
    if isinstance(value, list):
        return f"[{', '.join([_json(item) for item in value])}]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _is_deep(value: Any) -> bool:
    try:
        _cell(value)
    except RecursionError:
        return True
    return False


def _part(
    source: str, names: dict[str, int], rows: list[dict[str, Any]], lines: list[int]
) -> Records:
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            cells = [v if v is None or type(v) is str else _cell(v) for v in values]
        except RecursionError:
            _refuse(source, lines[[*map(_is_deep, values)].index(True)], "far too deep")
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
