"""``vcokit diff``: what differs between two inventories, or between one and the live routes."""

from __future__ import annotations

from typing import Annotated, Final

import pandas as pd
import typer

from vcokit import schema
from vcokit._text import pluralize, printable
from vcokit.audit.audit import Audit
from vcokit.audit.plannable import plannable_rows
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.reach import Reach
from vcokit.cli.reading import Reading
from vcokit.cli.tabular import TableFormat, show_frame
from vcokit.errors import InputError

_PATH: Final = ["vpn_connection_id", "route_dest", "next_hop"]


def diff_command(
    old: Annotated[str, typer.Argument(help="Inventory, as audit takes it.", metavar="A")],
    reading: Reading,
    reach: Reach,
    new: Annotated[
        str | None, typer.Argument(help="Inventory; without it, the live routes.", metavar="B")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        TableFormat, typer.Option(help="How differences are shown.")
    ] = TableFormat.table,
    limit: Annotated[int, typer.Option(min=0, help="Differences listed at most.")] = 50,
) -> int:
    """Compare two inventories, or an inventory with the live routes.

    Exit code 1 if they differ. Routes are compared by connection, network and next hop; order,
    spelling and description are of no matter. Rows with errors take no part, and are counted.
    """
    if new is None:
        before = reading.read([old])
        after = _live(before, reach)
    elif reach.simulated or reach.profile is not None:
        raise InputError("two inventories need no cloud", remedy="Leave B out to compare with it")
    else:
        before, after = reading.read([old]), reading.read([new])
    changes = compared(before, after)
    counts = changes["change"].value_counts()
    said = ", ".join(f"{counts.get(name, 0):,} {name}" for name in ("added", "removed", "changed"))
    names = f"{printable(old)} → {printable(new or 'live')}"
    show.error_console().print(f"{names}: {said}{_left_out(before, after)}", markup=False)
    show_frame(changes, format, "Differences", limit)
    return Exit.FINDINGS if len(changes) else Exit.OK


def _live(routes: pd.DataFrame, reach: Reach) -> pd.DataFrame:
    from vcokit.live import live_routes

    with reach.connected(routes) as client:
        return schema.destination_routes(live_routes(client, routes))


def _left_out(*inventories: pd.DataFrame) -> str:
    left = sum(len(routes) - len(_plannable(routes)) for routes in inventories)
    return f"; {pluralize(left, 'row')} with errors, or repeats, left out" if left else ""


def compared(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return what two sets of routes do not have in common.

    Parameters
    ----------
    before, after : DataFrame
        Routes; rows that a plan would block take no part.

    Returns
    -------
    DataFrame
        change (added, removed, changed), region_id, vpn_connection_id, route_dest, next_hop,
        old_weight, weight; as in the first, then what is new.

    Examples
    --------
    >>> one = pd.DataFrame({"region_id": "r", "vpn_connection_id": "vco-a", "next_hop": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16"], "weight": 100})
    >>> compared(one, one.assign(weight=[100, 0]))[["change", "route_dest", "old_weight", "weight"]]
        change   route_dest  old_weight  weight
    0  changed  10.1.0.0/16         100       0
    """
    old, new = _plannable(before), _plannable(after)
    both = old.merge(new, on=_PATH, how="outer", suffixes=("_old", ""), sort=False)
    both["region_id"] = both["region_id"].fillna(both["region_id_old"])
    both = both.rename(columns={"weight_old": "old_weight"})
    change = pd.Series("changed", index=both.index, dtype="str")
    change[both["old_weight"].isna()] = "added"
    change[both["weight"].isna()] = "removed"
    differing = (both["old_weight"] != both["weight"]).fillna(True).to_numpy(dtype=bool)
    columns = ["change", "region_id", *_PATH, "old_weight", "weight"]
    return both.assign(change=change)[differing][columns].reset_index(drop=True)


def _plannable(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that stand, by their network; a route that is live twice is there once."""
    rows = plannable_rows(Audit(routes))
    wanted = rows.routes.assign(route_dest=rows.network)[rows.plannable]
    return wanted[["region_id", *_PATH, "weight"]].drop_duplicates(_PATH)
