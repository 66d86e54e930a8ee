"""Bar plots of routes and findings: by connection, by prefix length, by rule."""

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
from vcokit.plots._arrays import (
    Names,
    RouteArrays,
    display_names,
    drawable_names,
    known_names,
    route_arrays,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure = Literal["routes", "addresses"]

# -- by connection ---------------------------------------------------------------------------------

_MEASURES: Final = {"routes": "routes", "addresses": "IPv4 addresses, overlaps counted once"}


def weight_distribution(
    routes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    measure: Measure = "routes",
    top: int = 24,
    names: Names | None = None,
    title: str | None = None,
) -> Axes:
    """Show the routes of each connection: active to the right, standby to the left.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        whose weight is neither 100 nor 0 are omitted.
    ax : Axes, optional
    measure : {"routes", "addresses"}
        What the bars count. Addresses are counted separately for the active and the standby routes
        of a connection; an address in several of these routes counts once.
    top : int
        Most connections with a bar, those with most routes or addresses. One more row, without a
        bar, has the totals of the others as text.
    names : mapping of str to str, Series or DataFrame, optional
        Names of connections instead of their ids: names by id, or live connections. By default the
        column vpn_connection_name of the routes, if there is one.
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A row for each connection; routes without a valid connection are counted only in the title.
        Beside it: the addresses of the active routes (or the number of routes), and the share of
        its active destinations for which another connection has a standby route.

    Raises
    ------
    InputError
        If a column is missing, or `measure` or `top` is invalid.

    See Also
    --------
    weight_distribution_data : The figures as a frame.

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
    rows, invalid = _weighted(routes)
    coverage = _coverage(rows)
    table = _by_connection(rows, coverage)
    names = known_names(routes, names)
    table["name"] = drawable_names(table["vpn_connection_id"].to_numpy(dtype=object), names)
    ax = _style.new_axes(ax, height=_style.rows_height(min(len(table), top + 1)))
    _style.despine(ax, grid="x")
    ax.set_xlabel(_MEASURES[measure])
    if not len(table):
        _style.title_and_legend(ax, title, "No routes of weight 100 or 0")
        return _style.annotate_empty(ax, "no routes to show")
    total = table[f"active_{measure}"] + table[f"standby_{measure}"]
    table = table.assign(total=total).sort_values(["total", "name"], ascending=[False, True])
    right = _weight_rows(ax, table.iloc[:top], table.iloc[top:], measure)
    handles = [_style.legend_patch(WEIGHTS["active"]), _style.legend_patch(WEIGHTS["standby"])]
    labels = ["active (weight 100)", "standby (weight 0)"]
    sentence = _weight_sentence(table, coverage, invalid)
    _style.title_and_legend(ax, title, sentence, handles, labels, columns=right)
    return ax


def weight_distribution_data(routes: pd.DataFrame, *, names: Names | None = None) -> pd.DataFrame:
    """Return the figures of `weight_distribution` for all connections.

    Parameters
    ----------
    routes : DataFrame
    names : mapping of str to str, Series or DataFrame, optional
        As for the plot.

    Returns
    -------
    DataFrame
        One row per connection, those with most routes first: vpn_connection_id, name, and as int64
        active_routes, standby_routes, active_addresses, standby_addresses, active_destinations,
        and backed_destinations: active destinations for which another connection has a standby
        route.

    Examples
    --------
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": [100, 0],
    ...     "route_dest": "10.0.0.0/8"})
    >>> table = weight_distribution_data(routes)
    >>> table[["name", "active_routes", "standby_routes", "backed_destinations"]]
        name  active_routes  standby_routes  backed_destinations
    0  vco-a              1               0                    1
    1  vco-b              0               1                    0
    """
    rows, _ = _weighted(routes)
    table = _by_connection(rows, _coverage(rows))
    ids = table["vpn_connection_id"].to_numpy(dtype=object)
    table.insert(1, "name", display_names(ids, known_names(routes, names)))
    total = table["active_routes"] + table["standby_routes"]
    order = np.lexsort([table["name"].to_numpy(dtype=str), -total.to_numpy()])
    return table.iloc[order].reset_index(drop=True)


def _weighted(routes: pd.DataFrame) -> tuple[RouteArrays, int]:
    """Return the active and standby rows on connections, and the number without a valid one."""
    rows = route_arrays(routes)
    rows = rows.take(rows.active | rows.standby)
    valid = rows.on_connection
    return rows.take(valid), int((~valid).sum())


def _by_connection(rows: RouteArrays, coverage: pd.DataFrame) -> pd.DataFrame:
    count = len(rows.names)
    table = pd.DataFrame({"vpn_connection_id": rows.names})
    for name, mask in (("active", rows.active), ("standby", rows.standby)):
        table[f"{name}_routes"] = np.bincount(rows.group[mask], minlength=count)
    for name, mask in (("active", rows.active), ("standby", rows.standby)):
        table[f"{name}_addresses"] = _addresses(rows, mask & rows.valid, count)
    backed = coverage["group"][coverage["backed"]]
    table["active_destinations"] = np.bincount(coverage["group"], minlength=count)
    table["backed_destinations"] = np.bincount(backed, minlength=count)
    return table[(table["active_routes"] + table["standby_routes"]) > 0].copy()


def _addresses(rows: RouteArrays, mask: Mask, count: int) -> I64:
    """Return the number of distinct addresses in some rows of each group."""
    prefixes = aggregate(rows.network[mask], rows.length[mask], rows.group[mask])
    sizes = HOSTS.take(prefixes[1]) + np.uint64(1)
    # Below 2^53 floats are exact, and no group has more than 2^32.
    return np.bincount(np.asarray(prefixes[2]), sizes, minlength=count).astype(np.int64)


def _coverage(rows: RouteArrays) -> pd.DataFrame:
    """Return each active (group, destination), and whether another group has a standby for it."""
    pairs = pd.DataFrame({"group": rows.group, "destination": rows.destinations()})
    known = (pairs["destination"] >= 0).to_numpy()
    mine = pairs[rows.active & known].drop_duplicates(ignore_index=True)
    others = pairs[rows.standby & known].drop_duplicates().groupby("destination")["group"]
    number = others.size().reindex(mine["destination"], fill_value=0).to_numpy()
    first = others.first().reindex(mine["destination"], fill_value=-1).to_numpy()
    return mine.assign(backed=(number > 1) | ((number == 1) & (first != mine["group"])))


def _weight_rows(ax: Axes, shown: pd.DataFrame, rest: pd.DataFrame, measure: Measure) -> float:
    """Draw a bar for each shown connection, a sentence for the rest, and the columns beside them.

    Return where the columns end, in points.
    """
    places = np.arange(len(shown))
    for name, sign in (("active", 1), ("standby", -1)):
        lengths = sign * shown[f"{name}_{measure}"].to_numpy(dtype=float)
        ax.barh(places, lengths, color=WEIGHTS[name], height=0.72, label=name)
    ax.axvline(0, color=_style.text_color(ax), linewidth=0.8)
    _style.integer_ticks(ax.xaxis)
    ax.xaxis.set_major_formatter(lambda value, _: _style.compact(abs(value)))
    ax.margins(x=0.02)
    table, labels = shown, list(shown["name"])
    if len(rest):
        # A bar of their sum would be much longer than the others, and a mean is not a count.
        sums = rest.sum(numeric_only=True)
        table = pd.concat([shown, sums.to_frame().T], ignore_index=True)
        labels.append(f"{pluralize(len(rest), 'other')}, together")
        for name, side, away in (("active", "left", 6), ("standby", "right", -6)):
            ax.annotate(
                f"{_style.compact(sums[f'{name}_{measure}'])} {name}",
                (0, len(shown)),
                (away, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                color=_style.text_color(ax),
                fontsize=_style.ROW,
                alpha=0.75,
            )
    _style.label_rows(ax, labels)
    other = "addresses" if measure == "routes" else "routes"
    cells = [_style.compact(value) for value in table[f"active_{other}"]]
    right = _style.side_column(ax, f"active\n{other}", cells)
    pairs = zip(table["backed_destinations"], table["active_destinations"], strict=True)
    cells = [_style.percent(backed, destinations) for backed, destinations in pairs]
    return _style.side_column(ax, "with a\nstandby", cells, left=right)


def _weight_sentence(table: pd.DataFrame, coverage: pd.DataFrame, invalid: int) -> str:
    active, standby = int(table["active_routes"].sum()), int(table["standby_routes"].sum())
    destinations = coverage["destination"].nunique()
    backed = coverage["destination"][coverage["backed"]].nunique()
    share = f"{_style.percent(backed, destinations)} of active destinations have a standby"
    apart = f" ({pluralize(invalid, 'row')} without a valid one)" if invalid else ""
    return (
        f"{active:,} active and {pluralize(standby, 'standby route')} on "
        f"{pluralize(len(table), 'connection')}{apart}; "
        f"{share if destinations else 'no destination is active'}"
    )


# -- by prefix length ------------------------------------------------------------------------------

_LENGTHS: Final = 33
#: Space beside a number above a bar, in points.
_GAP: Final = 3
#: Parts of a bar, stacked from below: colour and name.
_WEIGHT_NAMES: Final = {
    "active": (WEIGHTS["active"], "active (weight 100)"),
    "standby": (WEIGHTS["standby"], "standby (weight 0)"),
    "other": (STATES["blocked"], "another weight"),
}


def prefix_lengths(
    routes: pd.DataFrame, ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Show the number of routes for each prefix length, by weight.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        without an IPv4 prefix, or with a /0, are counted in the title but not drawn.
    ax : Axes, optional
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A bar for each length from /1 to /32, with the number of routes above it.

    Raises
    ------
    InputError
        If a column is missing.

    See Also
    --------
    prefix_lengths_data : The figures as a frame.

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
    valid = rows.take(rows.valid)
    if not len(valid.length):
        _style.title_and_legend(ax, title, "No routes with an IPv4 prefix")
        return _style.annotate_empty(ax, "no prefixes to show")
    table = _by_length(valid)
    _length_bars(ax, table)
    names = [name for name in _WEIGHT_NAMES if table[name].any()]
    handles = [_style.legend_patch(_WEIGHT_NAMES[name][0]) for name in names]
    sentence = _length_sentence(valid, table, len(rows.length))
    labels = [_WEIGHT_NAMES[name][1] for name in names]
    _style.title_and_legend(ax, title, sentence, handles, labels)
    return ax


def prefix_lengths_data(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of `prefix_lengths`.

    Parameters
    ----------
    routes : DataFrame
        As for the plot.

    Returns
    -------
    DataFrame
        One row for each length from 1 to 32, all int64: length; the number of routes by weight:
        active, standby, other; and addresses, the number of distinct addresses in these prefixes.

    Examples
    --------
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8"]})
    >>> table = prefix_lengths_data(routes)
    >>> table[table["active"] > 0]
        length  active  standby  other  addresses
    7        8       1        0      0   16777216
    23      24       2        0      0        512
    """
    rows = route_arrays(routes)
    table = _by_length(rows.take(rows.valid)).iloc[1:]
    return table.reset_index(names="length")


def _by_length(rows: RouteArrays) -> pd.DataFrame:
    """Return the number of routes by weight, and of addresses, for each length from 0 to 32."""
    masks = {"active": rows.active, "standby": rows.standby, "other": ~rows.active & ~rows.standby}
    table = pd.DataFrame(
        {name: np.bincount(rows.length[m], minlength=_LENGTHS) for name, m in masks.items()}
    )
    distinct = [len(np.unique(rows.network[rows.length == bits])) for bits in range(_LENGTHS)]
    table["addresses"] = np.array(distinct) << (32 - np.arange(_LENGTHS))
    return table


def _length_bars(ax: Axes, table: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    places = np.arange(_LENGTHS)
    bottom = np.zeros(_LENGTHS, dtype=np.int64)
    for name, (colour, _) in _WEIGHT_NAMES.items():
        counts = table[name].to_numpy()
        if counts.any():
            ax.bar(places, counts, bottom=bottom, color=colour, width=0.8, label=name)
            bottom = bottom + counts
    used = np.flatnonzero(bottom)
    first = max(0, min(int(used[0]) - 1, 8))
    room = _style.room(ax) / (_LENGTHS - first)
    numbers = {place: _style.compact(int(bottom[place])).replace(" ", "") for place in used}
    widest = max(_style.text_width(text, _style.ROW) for text in numbers.values())
    if widest + _GAP <= room:
        for place, text in numbers.items():
            ax.annotate(
                text,
                (place, bottom[place]),
                (0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=_style.text_color(ax),
                fontsize=_style.ROW,
            )
    ax.set_xlim(first - 0.6, _LENGTHS - 0.4)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 4, 8, 10]))
    ax.xaxis.set_major_formatter(lambda value, _: f"/{value:.0f}")
    _style.integer_ticks(ax.yaxis)
    ax.yaxis.set_major_formatter(lambda value, _: _style.compact(value))
    ax.margins(y=0.1)


def _length_sentence(rows: RouteArrays, table: pd.DataFrame, given: int) -> str:
    """Return a sentence: the most frequent prefix length, and the one with most addresses."""
    length = aggregate(rows.network, rows.length)[1]
    addresses = float((HOSTS.take(length) + np.uint64(1)).sum())
    total = table[list(_WEIGHT_NAMES)].sum(axis=1)
    most, widest = int(total.argmax()), int(table["addresses"].argmax())
    count = int(total.sum())
    left_out = f"; {pluralize(given - count, 'row')} left out" if given > count else ""
    return (
        f"{pluralize(count, 'route')} to {_style.compact(addresses)} addresses: "
        f"{_style.percent(int(total[most]), count)} are /{most}, "
        f"{_style.percent(float(table['addresses'][widest]), addresses)} of the addresses are "
        f"in a /{widest}{left_out}"
    )


# -- by rule ---------------------------------------------------------------------------------------

#: The worst first, in the order of the stacked bars and the legend.
_WORST_FIRST: Final = tuple(reversed(schema.SEVERITIES.categories))
_PLURAL: Final = {"error": "errors", "warning": "warnings", "info": "info"}


def findings_by_rule(
    findings: pd.DataFrame, ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Show the number of rows with a finding for each rule of the audit.

    Parameters
    ----------
    findings : DataFrame
        From `vcokit.audit_routes`.
    ax : Axes, optional
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A bar for each rule with findings, with its number of rows, coloured by severity: errors
        first, then the rules with most rows.

    Raises
    ------
    InputError
        If a column is missing.

    See Also
    --------
    findings_by_rule_data : The figures as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> findings_by_rule(audit_routes(routes), Figure(figsize=(14, 4)).subplots()).get_title("left")
    '2 findings on 1 row: 1 with errors (host-bits-set first), 0 with warnings, 1 with info'
    """
    table = findings_by_rule_data(findings).set_index("rule")
    ax = _style.new_axes(ax, height=_style.rows_height(len(table)))
    _style.despine(ax, grid="x")
    ax.set_xlabel("rows")
    if not len(table):
        _style.title_and_legend(ax, title, "No findings")
        return _style.annotate_empty(ax, "the audit found nothing")
    left = pd.Series(0, index=table.index)
    for name in _WORST_FIRST:
        if table[name].any():
            ax.barh(range(len(table)), table[name], left=left, color=SEVERITIES[name], height=0.72)
            left = left + table[name]
    for row, count in enumerate(left):
        ax.annotate(
            f"{count:,}",
            (count, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=_style.text_color(ax),
            fontsize=_style.ROW,
        )
    ax.margins(x=0.06)
    _style.integer_ticks(ax.xaxis)
    _style.label_rows(ax, table.index)
    found = [name for name in _WORST_FIRST if table[name].any()]
    handles = [_style.legend_patch(SEVERITIES[name]) for name in found]
    _style.title_and_legend(ax, title, _finding_sentence(findings, table), handles, found)
    return ax


def findings_by_rule_data(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of `findings_by_rule`.

    Parameters
    ----------
    findings : DataFrame
        As for the plot.

    Returns
    -------
    DataFrame
        One row for each rule with findings, the worst first: rule, and the number of rows by
        severity (int64): error, warning, info.

    Examples
    --------
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> findings_by_rule_data(audit_routes(routes))
                rule  error  warning  info
    0  host-bits-set      1        0     0
    1        covered      0        0     1
    """
    needed = ("row", "rule", "severity")
    _style.require_columns(findings, needed, what="findings", remedy="Pass vk.audit_routes(routes)")
    severity = findings["severity"].astype(schema.SEVERITIES)
    counts = pd.crosstab(findings["rule"].astype("str"), severity)
    counts = counts.reindex(columns=list(_WORST_FIRST), fill_value=0).rename_axis(columns=None)
    counts = counts.sort_values(list(_WORST_FIRST), ascending=False, kind="stable")
    return counts.reset_index(names="rule")


def _finding_sentence(findings: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return a sentence: the number of rows per severity, and the first rule of the worst."""
    counts = by_severity(findings.astype({"severity": schema.SEVERITIES}))
    parts = [f"{counts[name]:,} with {_PLURAL[name]}" for name in _WORST_FIRST]
    worst = next(place for place, name in enumerate(_WORST_FIRST) if counts[name])
    parts[worst] += f" ({_style.shorten(table[_WORST_FIRST[worst]].idxmax())} first)"
    rows = pluralize(findings["row"].nunique(), "row")
    return f"{pluralize(len(findings), 'finding')} on {rows}: {', '.join(parts)}"
