"""Which connections carry which routes, and what stands by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.audit.findings import by_severity
from vcokit.cidr.parse import I64, Mask
from vcokit.cidr.relations import HOSTS
from vcokit.cidr.sets import aggregate
from vcokit.errors import InputError
from vcokit.palette import SEVERITIES, STATES, WEIGHTS
from vcokit.plots import _style
from vcokit.plots._arrays import Names, RouteArrays, route_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure = Literal["routes", "addresses"]

_MEASURES: Final = {"routes": "routes", "addresses": "IPv4 addresses, overlaps counted once"}


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
    if measure not in _MEASURES:
        raise InputError(f"no such measure: {measure!r}", remedy="Write 'routes' or 'addresses'")
    _style.check_top(top)
    rows = route_arrays(routes)
    rows = rows.take(rows.active | rows.standby)
    there = rows.on_connection
    rows, nowhere = rows.take(there).named(names), int((~there).sum())
    coverage = _coverage(rows)
    table = _by_connection(rows, coverage)
    ax = _style.new_axes(ax, height=_style.rows_height(min(len(table), top + 1)))
    _style.despine(ax, grid="x")
    ax.set_xlabel(_MEASURES[measure])
    if not len(table):
        _style.title_and_legend(ax, "No routes of weight 100 or 0")
        return _style.annotate_empty(ax, "no routes to show")
    table = _ranked(table, measure)
    shown, labels = _top_rows(table, top)
    _weight_bars(ax, shown, measure)
    _style.label_rows(ax, labels)
    _weight_columns(ax, shown, measure)
    handles = [_style.legend_patch(WEIGHTS["active"]), _style.legend_patch(WEIGHTS["standby"])]
    said = ["active (weight 100)", "standby (weight 0)"]
    _style.title_and_legend(ax, _weight_title(table, coverage, nowhere), handles, said, columns=104)
    return ax


def _by_connection(rows: RouteArrays, coverage: pd.DataFrame) -> pd.DataFrame:
    """Return figures a connection: routes, addresses, and active destinations, by weight."""
    count = len(rows.names)
    table = pd.DataFrame({"name": rows.names})
    for name, mask in (("active", rows.active), ("standby", rows.standby)):
        table[f"{name}_routes"] = np.bincount(rows.group[mask], minlength=count)
        table[f"{name}_addresses"] = _addresses(rows, mask & rows.valid, count)
    table["destinations"] = np.bincount(coverage["group"], minlength=count)
    table["backed"] = np.bincount(coverage["group"][coverage["backed"]], minlength=count)
    return table[(table["active_routes"] + table["standby_routes"]) > 0]


def _addresses(rows: RouteArrays, mask: Mask, count: int) -> I64:
    """Return how many addresses some rows of each group hold, each once."""
    prefixes = aggregate(rows.network[mask], rows.length[mask], rows.group[mask])
    sizes = HOSTS.take(prefixes[1]) + np.uint64(1)
    # Below 2^53 floats are exact, and no group holds more than 2^32.
    return np.bincount(np.asarray(prefixes[2]), sizes, minlength=count).astype(np.int64)


def _coverage(rows: RouteArrays) -> pd.DataFrame:
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


def _top_rows(table: pd.DataFrame, top: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows shown, the mean of the rest as the last one, and their names."""
    shown, rest = table.iloc[:top], table.iloc[top:]
    names = list(shown["name"])
    if not len(rest):
        return shown, names
    mean = rest.drop(columns="name").mean().to_frame().T
    return pd.concat([shown, mean], ignore_index=True), [*names, f"{len(rest):,} others, mean"]


def _weight_bars(ax: Axes, shown: pd.DataFrame, measure: str) -> None:
    places = np.arange(len(shown))
    for name, sign in (("active", 1), ("standby", -1)):
        lengths = sign * shown[f"{name}_{measure}"].to_numpy(dtype=float)
        ax.barh(places, lengths, color=WEIGHTS[name], height=0.72, label=name)
    ax.axvline(0, color=_style.text_color(ax), linewidth=0.8)
    _style.integer_ticks(ax.xaxis)
    ax.xaxis.set_major_formatter(lambda value, _: _style.short(abs(value)))
    ax.margins(x=0.02)


def _weight_columns(ax: Axes, shown: pd.DataFrame, measure: Measure) -> None:
    other = "addresses" if measure == "routes" else "routes"
    cells = [_style.short(value) for value in shown[f"active_{other}"]]
    _style.side_column(ax, f"active\n{other}", cells, left=0)
    cells = [
        _style.percent(b, n) for b, n in zip(shown["backed"], shown["destinations"], strict=True)
    ]
    _style.side_column(ax, "with a\nstandby", cells, left=52, width=52)


def _weight_title(table: pd.DataFrame, coverage: pd.DataFrame, nowhere: int) -> str:
    active, standby = int(table["active_routes"].sum()), int(table["standby_routes"].sum())
    whole = coverage["destination"].nunique()
    backed = coverage["destination"][coverage["backed"]].nunique()
    said = f"{_style.percent(backed, whole)} of active destinations have a standby"
    apart = f" ({pluralize(nowhere, 'row')} without a valid one)" if nowhere else ""
    return (
        f"{active:,} active and {pluralize(standby, 'standby route')} on "
        f"{pluralize(len(table), 'connection')}{apart}; "
        f"{said if whole else 'no destination is active'}"
    )


# -- How long the prefixes of an inventory are.
#

_LENGTHS: Final = 33
#: Room that a number above a bar, and a name below it, needs, points.
_NUMBER_WIDTH: Final = 17
_TICK_WIDTH: Final = 22
#: What is stacked from below: colour and name.
_WEIGHT_NAMES: Final = {
    "active": (WEIGHTS["active"], "active (weight 100)"),
    "standby": (WEIGHTS["standby"], "standby (weight 0)"),
    "other": (STATES["blocked"], "another weight"),
}


def prefix_lengths(routes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show how many routes have a prefix of each length, by weight.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        without an IPv4 prefix, or with a /0, are counted in the title and left out.
    ax : Axes, optional

    Returns
    -------
    Axes
        A bar a length from /1 to /32, its number of routes above it.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8"]})
    >>> prefix_lengths(routes, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '3 routes to 16.8 M addresses: 67 % are /24, 100 % of the addresses are in a /8'
    """
    rows = route_arrays(routes)
    ax = _style.new_axes(ax, height=3.4)
    _style.despine(ax, grid="y")
    ax.set_xlabel("prefix length, bits")
    ax.set_ylabel("routes")
    good = rows.take(rows.valid)
    if not len(good.length):
        _style.title_and_legend(ax, "No routes with an IPv4 prefix")
        return _style.annotate_empty(ax, "no prefixes to show")
    parts = _length_counts(good)
    _length_bars(ax, parts)
    names = [name for name in _WEIGHT_NAMES if parts[name].any()]
    handles = [_style.legend_patch(_WEIGHT_NAMES[name][0]) for name in names]
    title = _length_title(good, np.sum(list(parts.values()), axis=0), len(rows.length))
    _style.title_and_legend(ax, title, handles, [_WEIGHT_NAMES[name][1] for name in names])
    return ax


def _length_counts(rows: RouteArrays) -> dict[str, I64]:
    masks = {"active": rows.active, "standby": rows.standby, "other": ~rows.active & ~rows.standby}
    return {
        name: np.bincount(rows.length[mask], minlength=_LENGTHS) for name, mask in masks.items()
    }


def _length_bars(ax: Axes, parts: dict[str, I64]) -> None:
    places = np.arange(_LENGTHS)
    bottom = np.zeros(_LENGTHS, dtype=np.int64)
    for name, counts in parts.items():
        if counts.any():
            ax.bar(
                places, counts, bottom=bottom, color=_WEIGHT_NAMES[name][0], width=0.8, label=name
            )
            bottom = bottom + counts
    used = np.flatnonzero(bottom)
    first = max(0, min(int(used[0]) - 1, 8))
    room = _style.room(ax) / (_LENGTHS - first)
    for place in used if room > _NUMBER_WIDTH else ():
        above: _style.Style = {"textcoords": "offset points", "ha": "center", "va": "bottom"}
        text = _style.short(int(bottom[place])).replace(" ", "")
        ax.annotate(
            text, (place, bottom[place]), (0, 2), color=_style.text_color(ax), fontsize=6.5, **above
        )
    ax.set_xlim(first - 0.6, _LENGTHS - 0.4)
    apart = next(step for step in (1, 2, 4, 8) if step * room > _TICK_WIDTH or step == 8)
    ax.set_xticks(range(-(-first // apart) * apart, _LENGTHS, apart))
    ax.xaxis.set_major_formatter(lambda value, _: f"/{value:.0f}")
    _style.integer_ticks(ax.yaxis)
    ax.yaxis.set_major_formatter(lambda value, _: _style.short(value))
    ax.margins(y=0.1)


def _length_title(rows: RouteArrays, total: I64, given: int) -> str:
    """Say what most prefixes are, and where most addresses are."""
    length = aggregate(rows.network, rows.length)[1]
    held = float((HOSTS.take(length) + np.uint64(1)).sum())
    by_length = [_addresses_at(rows, bits) for bits in range(_LENGTHS)]
    most, widest = int(np.argmax(total)), int(np.argmax(by_length))
    count = int(total.sum())
    part = _style.percent(by_length[widest], held)
    left_out = f"; {pluralize(given - count, 'row')} left out" if given > count else ""
    return (
        f"{pluralize(count, 'route')} to {_style.short(held)} addresses: "
        f"{_style.percent(int(total[most]), count)} are /{most}, "
        f"{part} of the addresses are in a /{widest}{left_out}"
    )


def _addresses_at(rows: RouteArrays, bits: int) -> float:
    """Return how many addresses the prefixes of a length hold, each once."""
    network = np.unique(rows.network[rows.length == bits])
    return float(len(network)) * float(1 << (32 - bits))


# -- What an audit found, by rule.
#

#: The worst first, as the bars are stacked and the legend is read.
_WORST_FIRST: Final = tuple(reversed(schema.SEVERITIES.categories))
_PLURAL: Final = {"error": "errors", "warning": "warnings", "info": "info"}


def findings_by_rule(findings: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show how many rows each rule of the audit found fault with.

    Parameters
    ----------
    findings : DataFrame
        From `vcokit.audit_routes`.
    ax : Axes, optional

    Returns
    -------
    Axes
        A bar a rule that found something, in rows, coloured by severity: errors first, then
        those with the most rows.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> findings_by_rule(audit_routes(routes), Figure(figsize=(14, 4)).subplots()).get_title("left")
    '2 findings on 1 row: 1 with errors (host-bits-set first), 0 with warnings, 1 with info'
    """
    needed = ("row", "rule", "severity")
    _style.require_columns(
        findings, needed, what="findings", remedy="Hand over vk.audit_routes(routes)"
    )
    table = _by_rule(findings)
    ax = _style.new_axes(ax, height=_style.rows_height(len(table)))
    _style.despine(ax, grid="x")
    ax.set_xlabel("rows")
    if not len(table):
        _style.title_and_legend(ax, "No findings")
        return _style.annotate_empty(ax, "the audit found nothing")
    _finding_bars(ax, table)
    _style.label_rows(ax, table.index)
    found = [name for name in _WORST_FIRST if table[name].any()]
    handles = [_style.legend_patch(SEVERITIES[name]) for name in found]
    _style.title_and_legend(ax, _finding_title(findings, table), handles, found)
    return ax


def _by_rule(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by rule (rows) and severity (columns), the worst rules first."""
    severity = findings["severity"].astype(schema.SEVERITIES)
    counts = pd.crosstab(findings["rule"].astype("str"), severity)
    counts = counts.reindex(columns=list(_WORST_FIRST), fill_value=0)
    return counts.sort_values(list(_WORST_FIRST), ascending=False, kind="stable")


def _finding_bars(ax: Axes, table: pd.DataFrame) -> None:
    left = pd.Series(0, index=table.index)
    for name in _WORST_FIRST:
        counts = table[name]
        if counts.any():
            ax.barh(range(len(table)), counts, left=left, color=SEVERITIES[name], height=0.72)
            left = left + counts
    for row, count in enumerate(left):
        beside: _style.Style = {
            "textcoords": "offset points",
            "va": "center",
            "fontsize": _style.ROW,
        }
        ax.annotate(f"{count:,}", (count, row), (4, 0), color=_style.text_color(ax), **beside)
    ax.margins(x=0.06)
    _style.integer_ticks(ax.xaxis)


def _finding_title(findings: pd.DataFrame, table: pd.DataFrame) -> str:
    """Say how many rows have a finding of each severity, and the first rule of the worst."""
    counts = by_severity(findings.astype({"severity": schema.SEVERITIES}))
    said = [f"{counts[name]:,} with {_PLURAL[name]}" for name in _WORST_FIRST]
    worst = next(place for place, name in enumerate(_WORST_FIRST) if counts[name])
    rule = _style.shorten(table[_WORST_FIRST[worst]].idxmax())
    said[worst] += f" ({rule} first)"
    rows = pluralize(findings["row"].nunique(), "row")
    return f"{pluralize(len(findings), 'finding')} on {rows}: {', '.join(said)}"
