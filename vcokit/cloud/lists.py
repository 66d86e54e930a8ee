"""From the rows of a listing to a frame, under the columns of its operation.

An empty text is a missing one. A column may be fed by a field inside another, or by a list: the
values of a list are joined by commas, in the cloud's order, so that a dual-tunnel connection stays
one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.cloud.operations import Operation, fits
from vcokit.errors import ProtocolError

_SEPARATOR: Final = ", "


def rows_in(operation: Operation, body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a list answer ([] for other answers), or None where it has no list.

    Of no rows the list itself may be null or left out: servers' JSON libraries differ there.
    """
    here: Any = body if operation.rows else []
    for name in operation.rows:
        if not isinstance(here, dict | None):
            return None
        here = None if here is None else here.get(name)
    if here is None and body.get("TotalCount") == 0:
        return []
    if not isinstance(here, list) or not all(isinstance(row, dict) for row in here):
        return None
    return here


def misfit(operation: Operation, body: Mapping[str, Any]) -> str | None:
    """Return the first field that is used, and missing or of the wrong type; None where all fit."""
    for name in ("RequestId", *operation.needs):
        value = body.get(name)
        if value is None or not fits(value, operation.answers[name]):
            return name
    rows = rows_in(operation, body)
    if rows is None:
        return ".".join(operation.rows)
    prefix = ".".join(operation.rows) + "[]."
    for path in operation.columns:
        kind = operation.answers[prefix + path]
        if not all(fits(value, kind) for row in rows for value in _values(row, path)):
            return prefix + path
    return None


def stranger(operation: Operation, body: Mapping[str, Any], asked: object) -> str | None:
    """Return another connection than the one asked for that an answer is about; None of none.

    An answer, or a row, that names no connection is taken for what was asked.
    """
    if asked is None:
        return None
    named = [body.get("VpnConnectionId")]
    for path, column in operation.columns.items():
        if column == "vpn_connection_id":
            named += [row.get(path) for row in rows_in(operation, body) or []]
    return next((name for name in named if name not in (None, "", asked)), None)


def frame_of(
    operation: Operation,
    rows: list[dict[str, Any]],
    region_id: str | None,
    request_id: str | None = None,
) -> pd.DataFrame:
    """Return rows as a frame of the operation; fields that it does not name are dropped.

    Parameters
    ----------
    operation : Operation
        One whose answer is a list.
    rows : list of dict
        Under the API's names.
    region_id : str or None
        The region that was asked, which rows do not repeat.
    request_id : str, optional
        Of the last page, for an error.

    Returns
    -------
    DataFrame
        Of the operation's schema.

    Raises
    ------
    ProtocolError
        If a value does not go into its column.
    """
    columns: dict[str, list[Any]] = {}
    for path, column in operation.columns.items():
        cells = [_cell(row, path) for row in rows]
        before = columns.get(column, cells)
        pairs = zip(before, cells, strict=True)
        merged = [new if old is None else old for old, new in pairs]
        if any(cell is not None for cell in merged):
            columns[column] = merged
    if region_id is not None:
        columns.setdefault("region_id", [region_id] * len(rows))
    try:
        if "create_time" in columns:
            times = pd.to_numeric(pd.Series(columns["create_time"], dtype="object"))
            columns["create_time"] = list(pd.to_datetime(times, unit="ms", utc=True))
        return schema.frame(operation.frame, columns)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(
            f"a list with values of the wrong type ({error})",
            operation=operation.name,
            request_id=request_id,
        ) from None


def _cell(row: Mapping[str, Any], path: str) -> Any:
    if "." not in path:
        return None if row.get(path) == "" else row.get(path)
    found = [value for value in _values(row, path) if value not in (None, "")]
    return _SEPARATOR.join(map(str, found)) if found else None


def _values(row: Any, path: str) -> list[Any]:
    """Return what stands at a path: one value, or one for each row of the lists on the way."""
    if "." not in path:
        return [row.get(path)]
    name, _, rest = path.partition(".")
    inner = row.get(name.removesuffix("[]"))
    several = inner if isinstance(inner, list) else [inner]
    return [value for one in several if isinstance(one, dict) for value in _values(one, rest)]
