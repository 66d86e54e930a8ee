"""Frames as rows of a journal's tables, and back: column by column, whatever their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import pandas as pd

from vcokit import schema


def insert(
    connection: sqlite3.Connection, table: str, frame: pd.DataFrame, columns: Sequence[str]
) -> None:
    """Write a frame into a table, a row a row; what is missing becomes NULL.

    Raises
    ------
    sqlite3.Error
    """
    holes = ", ".join("?" * len(columns))
    objects = [frame[name].astype("object") for name in columns]
    rows = zip(*(column.where(column.notna(), None) for column in objects), strict=True)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})"  # noqa: S608
    connection.executemany(sql, rows)


def frame(columns: schema.Schema, values: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return columns as a frame, and empty their list; seconds since the epoch become times.

    Parameters
    ----------
    columns : mapping of str to dtype
        See `vcokit.schema`.
    values : list of tuple
        One a column, in that order.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If they are not what was ever written.

    Examples
    --------
    >>> frame({"step": "int64", "sent_at": schema.TIME}, [(1, 2), (0.0, None)])
       step                   sent_at
    0     1 1970-01-01 00:00:00+00:00
    1     2                       NaT
    """
    data: dict[str, object] = {}
    for name, dtype in reversed(list(columns.items())):
        column = values.pop()
        if dtype == schema.TIME:
            seconds = pd.Series(column, dtype="float64")
            data[name] = pd.to_datetime(seconds, unit="s", utc=True)
            continue
        if isinstance(dtype, pd.CategoricalDtype) and not set(column) <= set(dtype.categories):
            raise ValueError(f"{name} is none of {', '.join(dtype.categories)}")
        data[name] = pd.Series(column, dtype=dtype)
    return schema.frame(columns, data)
