"""Which connections carry which routes, and what stands by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from vcokit._text import pluralize
from vcokit.cidr.parse import I64, Mask
from vcokit.cidr.relations import HOSTS
from vcokit.cidr.sets import aggregate
from vcokit.errors import InputError
from vcokit.palette import WEIGHTS
from vcokit.plots import canvas
from vcokit.plots.columns import Rows, read
from vcokit.plots.figures import share, short
from vcokit.plots.naming import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure = Literal["routes", "addresses"]

_UNITS: Final = {"routes": "routes", "addresses": "IPv4 addresses, overlaps counted once"}


def weight_distribution(
    routes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    measure: Measure = "routes",
    top: int = 24,
    names: Names | None = None,
) -> Axes:
    """Show what each connection carries: active to the right, standby to the left.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        whose weight is neither 100 nor 0 are left out.
    ax : Axes, optional
    measure : {"routes", "addresses"}
        What the bars count. Addresses are those of a connection's active, and of its standby,
        routes; what several of its routes hold counts once.
    top : int
        Connections shown, those with most; one more bar is the mean of the rest.
    names : mapping of str to str, Series or DataFrame, optional
        What connections are called instead of by their ids: names by id, or live connections.

    Returns
    -------
    Axes
        A row a connection; routes without a valid one are counted in the title only. Beside it:
        the active routes' addresses (or the number of routes), and the share of its active
        destinations that another connection stands by for.

    Raises
    ------
    InputError
        If a column is missing, or the measure or `top` is none.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": [100, 0],
    ...     "route_dest": "10.0.0.0/8"})
    >>> weight_distribution(routes, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '1 active and 1 standby route on 2 connections; 100 % of active destinations have a standby'
    """
    if measure not in _UNITS:
        raise InputError(f"no such measure: {measure!r}", remedy="Write 'routes' or 'addresses'")
    canvas.check_top(top)
    rows = read(routes)
    rows = rows.take(rows.active | rows.standby)
    there = rows.on_connection
    rows, nowhere = rows.take(there).called(names), int((~there).sum())
    coverage = _coverage(rows)
    table = _table(rows, coverage)
    ax = canvas.axes(ax, height=canvas.rows_height(min(len(table), top + 1)))
    canvas.quiet(ax, grid="x")
    ax.set_xlabel(_UNITS[measure])
    if not len(table):
        canvas.head(ax, "No routes of weight 100 or 0")
        return canvas.say_empty(ax, "no routes to show")
    table = _ranked(table, measure)
    shown, labels = _with_rest(table, top)
    _bars(ax, shown, measure)
    canvas.row_names(ax, labels)
    _columns(ax, shown, measure)
    handles = [canvas.patch(WEIGHTS["active"]), canvas.patch(WEIGHTS["standby"])]
    said = ["active (weight 100)", "standby (weight 0)"]
    canvas.head(ax, _title(table, coverage, nowhere), handles, said, columns=104)
    return ax


def _table(rows: Rows, coverage: pd.DataFrame) -> pd.DataFrame:
    """Return figures a connection: routes, addresses, and active destinations, by weight."""
    count = len(rows.names)
    table = pd.DataFrame({"name": rows.names})
    for name, mask in (("active", rows.active), ("standby", rows.standby)):
        table[f"{name}_routes"] = np.bincount(rows.group[mask], minlength=count)
        table[f"{name}_addresses"] = _addresses(rows, mask & rows.valid, count)
    table["destinations"] = np.bincount(coverage["group"], minlength=count)
    table["backed"] = np.bincount(coverage["group"][coverage["backed"]], minlength=count)
    return table[(table["active_routes"] + table["standby_routes"]) > 0]


def _addresses(rows: Rows, mask: Mask, count: int) -> I64:
    """Return how many addresses some rows of each group hold, each once."""
    prefixes = aggregate(rows.network[mask], rows.length[mask], rows.group[mask])
    sizes = HOSTS.take(prefixes[1]) + np.uint64(1)
    # Below 2^53 floats are exact, and no group holds more than 2^32.
    return np.bincount(np.asarray(prefixes[2]), sizes, minlength=count).astype(np.int64)


def _coverage(rows: Rows) -> pd.DataFrame:
    """Return each active (group, destination), and whether another group stands by for it."""
    pairs = pd.DataFrame({"group": rows.group, "destination": rows.destinations()})
    known = (pairs["destination"] >= 0).to_numpy()
    mine = pairs[rows.active & known].drop_duplicates(ignore_index=True)
    others = pairs[rows.standby & known].drop_duplicates().groupby("destination")["group"]
    number = others.size().reindex(mine["destination"], fill_value=0).to_numpy()
    first = others.first().reindex(mine["destination"], fill_value=-1).to_numpy()
    return mine.assign(backed=(number > 1) | ((number == 1) & (first != mine["group"])))


def _ranked(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    total = table[f"active_{measure}"] + table[f"standby_{measure}"]
    ranked = table.assign(total=total).sort_values(["total", "name"], ascending=[False, True])
    return ranked.reset_index(drop=True)


def _with_rest(table: pd.DataFrame, top: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows shown, the mean of the rest as the last one, and their names."""
    shown, rest = table.iloc[:top], table.iloc[top:]
    names = list(shown["name"])
    if not len(rest):
        return shown, names
    mean = rest.drop(columns="name").mean().to_frame().T
    return pd.concat([shown, mean], ignore_index=True), [*names, f"{len(rest):,} others, mean"]


def _bars(ax: Axes, shown: pd.DataFrame, measure: str) -> None:
    places = np.arange(len(shown))
    for name, sign in (("active", 1), ("standby", -1)):
        lengths = sign * shown[f"{name}_{measure}"].to_numpy(dtype=float)
        ax.barh(places, lengths, color=WEIGHTS[name], height=0.72, label=name)
    ax.axvline(0, color=canvas.ink(ax), linewidth=0.8)
    canvas.whole(ax.xaxis)
    ax.xaxis.set_major_formatter(lambda value, _: short(abs(value)))
    ax.margins(x=0.02)


def _columns(ax: Axes, shown: pd.DataFrame, measure: Measure) -> None:
    other = "addresses" if measure == "routes" else "routes"
    cells = [short(value) for value in shown[f"active_{other}"]]
    canvas.column(ax, f"active\n{other}", cells, left=0)
    cells = [share(b, n) for b, n in zip(shown["backed"], shown["destinations"], strict=True)]
    canvas.column(ax, "with a\nstandby", cells, left=52, width=52)


def _title(table: pd.DataFrame, coverage: pd.DataFrame, nowhere: int) -> str:
    active, standby = int(table["active_routes"].sum()), int(table["standby_routes"].sum())
    whole = coverage["destination"].nunique()
    backed = coverage["destination"][coverage["backed"]].nunique()
    said = f"{share(backed, whole)} of active destinations have a standby"
    apart = f" ({pluralize(nowhere, 'row')} without a valid one)" if nowhere else ""
    return (
        f"{active:,} active and {pluralize(standby, 'standby route')} on "
        f"{pluralize(len(table), 'connection')}{apart}; "
        f"{said if whole else 'no destination is active'}"
    )
