"""Frames as a table, JSON or CSV on standard output, whatever they hold made harmless.

A cell of CSV that a spreadsheet would take for a formula bears a ``'``, as `write_routes` has it;
what cannot be seen is spelt out, so that neither a terminal nor a log is at the mercy of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pandas as pd

from vcokit._text import csv_cell
from vcokit.cli import show
from vcokit.cli.outputs import put
from vcokit.cli.steplog import one_line, records


class TableFormat(StrEnum):
    """How a frame is shown."""

    table = "table"
    json = "json"
    csv = "csv"


def show_frame(frame: pd.DataFrame, form: TableFormat, title: str, limit: int) -> None:
    """Print a frame.

    Parameters
    ----------
    frame : DataFrame
    form : TableFormat
    title : str
        Of a table.
    limit : int
        Rows of a table at most; the other formats have all.
    """
    if form is TableFormat.json:
        put(f"{one_line(records(frame))}\n")
    elif form is TableFormat.csv:
        put(as_csv(frame))
    elif len(frame):
        frame = telling(frame)
        more = f", the first {limit} of {len(frame):,}" if len(frame) > limit else ""
        rows = frame.head(limit).itertuples(index=False)
        show.console().print(show.table(f"{title}{more}", frame.columns, rows))


def telling(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the columns that tell a reader nothing.

    Empty ones, a next hop that is always the connection itself, the only file or region, and the
    position of a row whose line is told.

    Examples
    --------
    >>> one = {"vpn_connection_id": ["vco-a"], "next_hop": ["vco-a"], "live_next_hop": [None]}
    >>> telling(pd.DataFrame({**one, "row": [7], "line": [9]})).columns.tolist()
    ['vpn_connection_id', 'line']
    """
    silent = {name for name in frame.columns if frame[name].isna().all()}
    if "vpn_connection_id" in frame.columns:
        connection = frame["vpn_connection_id"]
        hops = {"next_hop", "live_next_hop"} & {*frame.columns}
        silent |= {name for name in hops if (frame[name].fillna(connection) == connection).all()}
    silent |= {
        name for name in ("source", "region_id") if name in frame and frame[name].nunique() < 2
    }
    silent |= {"row"} if "line" in {*frame.columns} - silent else set()
    return frame.drop(columns=[name for name in frame.columns if name in silent])


def as_csv(frame: pd.DataFrame) -> str:
    r"""Return a frame as CSV that is safe to show and to open in a spreadsheet.

    Examples
    --------
    >>> print(as_csv(pd.DataFrame({"a": ["=1+1", "\x1b[31m", None], "b": [-1, 2, 3]})))
    a,b
    '=1+1,-1
    \x1b[31m,2
    ,3
    """
    rows: list[Iterable[object]] = [frame.columns, *frame.itertuples(index=False)]
    return "".join(",".join(map(csv_cell, row)) + "\n" for row in rows)
