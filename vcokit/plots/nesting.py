"""The routes in and around one prefix, as a tree.

::

    10.0.0.0/8        ●─┐                         vco-a active
    10.1.0.0/16         └───●─┬───┐               vco-b active, vco-c standby
    10.1.2.0/24               │   ●               vco-b active
    10.1.9.0/24               └───●               vco-d standby
                      /8    /16  /24
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit.audit.columns import ACTIVE, STANDBY
from vcokit.cidr.parse import I64, NONE, to_text
from vcokit.cidr.relations import touches
from vcokit.cidr.scalar import Cidr
from vcokit.palette import WEIGHTS
from vcokit.plots import canvas, lettering
from vcokit.plots.columns import Rows, read
from vcokit.plots.naming import Names
from vcokit.plots.tree import Tree, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

#: Connections of one destination that are named (one, where there are more), and their letters.
_NAMED: Final = 2
_NAME: Final = 25
#: Width of a letter of equal widths, as a share of its size.
_LETTER: Final = 0.6
#: Width of the column that counts what is not shown, with the gaps around it, points.
_HIDDEN: Final = 56
_WORDS: Final = {ACTIVE: "active", STANDBY: "standby", NONE: "(no weight)"}
#: Marks of a destination: by (some route active, some route standby).
_LOOKS: Final = {
    (True, True): (WEIGHTS["active"], WEIGHTS["standby"], "active, and a standby"),
    (True, False): (WEIGHTS["active"], WEIGHTS["active"], "active only"),
    (False, True): (WEIGHTS["standby"], WEIGHTS["standby"], "standby only"),
}


def nesting_tree(
    routes: pd.DataFrame,
    prefix: Prefix,
    ax: Axes | None = None,
    *,
    top: int = 32,
    names: Names | None = None,
) -> Axes:
    """Show which routes hold a prefix, and which lie in it.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight.
    prefix : str, Cidr or IPv4Network
        What is asked about; it need not be a route. A bare address is taken as its /32.
    ax : Axes, optional
    top : int
        Destinations shown, the outer ones first; what lies in them is counted.
    names : mapping of str to str, Series or DataFrame, optional
        What connections are called instead of by their ids: names by id, or live connections.

    Returns
    -------
    Axes
        A row a destination, in the order of addresses, each where its length stands on the axis
        and tied to the closest destination that holds it. Beside it its connections.

    Raises
    ------
    InputError
        If a column is missing, or `top` is no number of destinations.
    ValueError, TypeError
        If it is no prefix.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.9.0.0/16"]})
    >>> nesting_tree(routes, "10.1.0.0/16", Figure(figsize=(14, 4)).subplots()).get_title("left")
    '10.1.0.0/16 is a destination; 1 holds it, 1 lies in it'
    """
    asked = _asked(prefix)
    canvas.check_top(top)
    rows = read(routes).called(names)
    rows = rows.take(rows.valid & touches(rows.network, rows.length, *numbers(asked)))
    tree = Tree(rows, asked)
    kept = tree.kept(top)
    ax = canvas.axes(ax, height=canvas.rows_height(len(kept)), width=10.5)
    canvas.quiet(ax)
    ax.set_xlabel("prefix length, bits")
    if not len(rows.length):
        canvas.head(ax, f"{asked} is no destination, nothing holds it, nothing lies in it")
        return canvas.say_empty(ax, "no routes to show")
    _ties(ax, tree, kept)
    handles, said = _marks(ax, tree, kept)
    columns = _rows(ax, tree, kept, rows)
    canvas.head(ax, tree.title(), handles, said, columns=columns)
    return ax


def _asked(prefix: Prefix) -> Cidr:
    is_bare = isinstance(prefix, str) and "/" not in prefix
    return Cidr(f"{prefix}/32" if is_bare else prefix)


def _ties(ax: Axes, tree: Tree, kept: I64) -> None:
    """Tie each destination to the one above it: down from there, then across."""
    from matplotlib.collections import LineCollection

    row = np.full(len(tree.keys), NONE)
    row[kept] = np.arange(len(kept))
    lower = kept[tree.cover[kept] >= 0]
    upper = tree.cover[lower]
    x, end, level = tree.length[upper], tree.length[lower], row[lower]
    across = np.stack([np.column_stack([x, level]), np.column_stack([end, level])], axis=1)
    # Rows rise, so that the last child met is the lowest.
    lowest = dict(zip(upper.tolist(), level.tolist(), strict=True))
    down = [[(tree.length[node], row[node]), (tree.length[node], y)] for node, y in lowest.items()]
    lines = [*across, *down]
    style: canvas.Style = {"colors": canvas.ink(ax), "linewidths": 0.8, "alpha": 0.5, "zorder": 1}
    ax.add_collection(LineCollection(lines, **style))


def _marks(ax: Axes, tree: Tree, kept: I64) -> tuple[list[Any], list[str]]:
    handles, names = [], []
    for (active, standby), (face, edge, name) in _LOOKS.items():
        here = (tree.active[kept] == active) & (tree.standby[kept] == standby)
        if here.any():
            style: canvas.Style = {
                "c": face,
                "edgecolors": edge,
                "linewidths": 2.2,
                "s": 52,
                "zorder": 3,
            }
            at = (tree.length[kept][here], np.flatnonzero(here))
            handles.append(ax.scatter(*at, label=name, **style))
            names.append(name)
    neither = ~tree.active[kept] & ~tree.standby[kept]
    if neither.any():
        style = {
            "facecolors": ax.get_facecolor(),
            "edgecolors": canvas.ink(ax),
            "zorder": 3,
        }
        at = (tree.length[kept][neither], np.flatnonzero(neither))
        handles.append(ax.scatter(*at, s=40, label="neither", **style))
        names.append("no active or standby route")
    return handles, names


def _rows(ax: Axes, tree: Tree, kept: I64, rows: Rows) -> float:
    """Name the rows: the destination on the left, its connections on the right.

    Return how wide all is that stands on the right, points; 0 where no column there has a head.
    """
    texts = list(to_text(tree.network[kept], tree.length[kept]))
    canvas.row_names(ax, texts)
    asked = int(np.searchsorted(kept, tree.asked))
    ax.get_yticklabels()[asked].set_fontweight("bold")
    ax.axhspan(asked - 0.5, asked + 0.5, color=canvas.ink(ax), alpha=0.07, linewidth=0)
    hidden = tree.hidden(kept)
    if hidden.any():
        cells = [f"+ {count:,}" if count else "" for count in hidden]
        canvas.column(ax, "not shown,\nbelow it", cells, left=2, width=_HIDDEN - 12)
    left = _HIDDEN if hidden.any() else 6
    across = ax.get_yaxis_transform()
    said = _connections(rows, tree.node, kept)
    for place, words in enumerate(said):
        where: canvas.Style = {"xycoords": across, "textcoords": "offset points", "va": "center"}
        text = ax.annotate(words, (1, place), (left, 0), **where)
        text.set(color=canvas.ink(ax), fontsize=canvas.ROW)
        lettering.plain(text, words, mono=True)
    low = int(tree.length[kept].min())
    high = int(tree.length[kept].max())
    ax.set_xlim(low - 0.8, max(high, low + 8) + 0.8)
    ax.set_xticks([bits for bits in range(0, 33, 4) if low - 0.8 <= bits <= max(high, low + 8)])
    ax.xaxis.set_major_formatter(lambda value, _: f"/{value:.0f}")
    widest = max(map(lettering.wide, said)) * canvas.ROW * _LETTER
    return left + widest if hidden.any() else 0.0


def _connections(rows: Rows, node: I64, kept: I64) -> list[str]:
    """Name the connections of each destination shown, active ones first."""
    table = pd.DataFrame({"node": node, "group": rows.group, "weight": rows.weight})
    table = table[np.isin(node, kept)].drop_duplicates()
    table = table.sort_values("weight", ascending=False, kind="stable")
    parts = dict(iter(table.groupby("node")))
    groups = {group for part in parts.values() for group in _first(part)["group"].tolist()}
    named = sorted(groups - {NONE})
    labels = lettering.distinct((rows.names[group] for group in named), _NAME)
    called = {NONE: "(no connection)", **dict(zip(named, labels, strict=True))}
    return [_said(parts[place], called) if place in parts else "" for place in kept.tolist()]


def _first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the routes of one destination that are named."""
    return table if len(table) <= _NAMED else table.iloc[:1]


def _said(table: pd.DataFrame, called: dict[int, str]) -> str:
    first = _first(table)
    pairs = zip(first["group"], first["weight"], strict=True)
    said = [f"{called[group]} {_WORDS.get(weight, weight)}" for group, weight in pairs]
    rest = len(table) - len(first)
    return ", ".join([*said, *([f"{rest:,} more"] if rest else [])])
