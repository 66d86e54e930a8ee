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
from vcokit.cidr.array import from_keys
from vcokit.cidr.parse import I64, NONE, Mask, to_text
from vcokit.cidr.relations import closest_cover_sorted, pack, touches
from vcokit.cidr.scalar import Cidr
from vcokit.palette import WEIGHTS
from vcokit.plots import _style
from vcokit.plots._arrays import Names, RouteArrays, known_names, route_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

#: Most connections named for one destination (one if there are more), and their characters.
_NAMED: Final = 2
_NAME: Final = 25
#: Part of the width that these names may use; the tree needs the rest.
_RIGHT: Final = 0.6
_WORDS: Final = {ACTIVE: "active", STANDBY: "standby", NONE: "(no weight)"}
#: Marks of a destination: by (some route active, some route standby).
_MARKS: Final = {
    (True, True): (WEIGHTS["active"], WEIGHTS["standby"], "active, with a standby"),
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
    title: str | None = None,
) -> Axes:
    """Show which routes contain a prefix, and which routes are inside it.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight.
    prefix : str, Cidr or IPv4Network
        The prefix to examine; it does not need to be a route. A bare address is read as its /32.
    ax : Axes, optional
    top : int
        Most destinations that are shown, outer ones first; hidden destinations are counted.
    names : mapping of str to str, Series or DataFrame, optional
        Names of connections instead of their ids: names by id, or live connections. By default the
        column vpn_connection_name of the routes, if there is one.
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A row for each destination, in the order of addresses. Each mark is at the destination's
        length on the axis, with a line to the closest destination that contains it. Its connections
        are beside it.

    Raises
    ------
    InputError
        If a column is missing, or `top` is not a valid number.
    ValueError, TypeError
        If `prefix` is not a prefix.

    See Also
    --------
    nesting_tree_data : The destinations as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.9.0.0/16"]})
    >>> nesting_tree(routes, "10.1.0.0/16", Figure(figsize=(14, 4)).subplots()).get_title("left")
    '10.1.0.0/16 is a destination; 1 holds it, 1 lies in it'
    """
    asked = _asked(prefix)
    _style.check_top(top)
    tree = _Tree(route_arrays(routes).named(known_names(routes, names)), asked)
    kept = tree.kept(top)
    ax = _style.new_axes(ax, height=_style.rows_height(len(kept)), width=10.5)
    _style.despine(ax)
    ax.set_xlabel("prefix length, bits")
    if not len(tree.rows.length):
        sentence = f"{asked} is not a destination, nothing holds it, nothing lies in it"
        _style.title_and_legend(ax, title, sentence)
        return _style.annotate_empty(ax, "no routes to show")
    _draw_ties(ax, tree, kept)
    handles, labels = _draw_marks(ax, tree, kept)
    columns = _label_destinations(ax, tree, kept)
    _style.title_and_legend(ax, title, tree.sentence(), handles, labels, columns=columns)
    return ax


def nesting_tree_data(routes: pd.DataFrame, prefix: Prefix) -> pd.DataFrame:
    """Return all destinations of `nesting_tree`.

    Parameters
    ----------
    routes : DataFrame
    prefix : str, Cidr or IPv4Network
        Both as for the plot.

    Returns
    -------
    DataFrame
        One row for each destination that contains the prefix or is inside it, and for the prefix
        itself, in the order of addresses: route_dest (text); depth, the number of destinations that
        contain it; within, the closest of these, missing at the top; and its number of active,
        standby and other routes (int64).

    Examples
    --------
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.9.0.0/16"]})
    >>> nesting_tree_data(routes, "10.1.0.0/16")
        route_dest  depth       within  active  standby  other
    0   10.0.0.0/8      0          NaN       1        0      0
    1  10.1.0.0/16      1   10.0.0.0/8       1        0      0
    2  10.1.2.0/24      2  10.1.0.0/16       1        0      0
    """
    tree = _Tree(route_arrays(routes), _asked(prefix))
    texts = np.array([*to_text(tree.network, tree.length), None], dtype=object)
    rows, size = tree.rows, len(tree.keys)
    masks = {"active": rows.active, "standby": rows.standby, "other": ~rows.active & ~rows.standby}
    return pd.DataFrame(
        {
            "route_dest": pd.Series(texts[:-1], dtype="str"),
            "depth": tree.depth,
            "within": pd.Series(texts[tree.cover], dtype="str"),
            **{name: np.bincount(tree.node[m], minlength=size) for name, m in masks.items()},
        }
    )


def _asked(prefix: Prefix) -> Cidr:
    is_bare = isinstance(prefix, str) and "/" not in prefix
    return Cidr(f"{prefix}/32" if is_bare else prefix)


class _Tree:
    """Destinations in and around a prefix, and itself, each below the closest that contains it.

    Parameters
    ----------
    rows : RouteArrays
    asked : Cidr

    Attributes
    ----------
    rows : RouteArrays
        Rows whose prefix contains the examined prefix, or is inside it.
    keys : ndarray of uint64
        Distinct destinations, sorted: the rows of the tree from the top.
    node : ndarray of int64
        Destination of each row.
    cover, depth : ndarray of int64
        Position of the closest destination that contains each, -1 at the top; the number of
        destinations that contain it.
    asked : int
        Position of the examined prefix.
    """

    def __init__(self, rows: RouteArrays, asked: Cidr) -> None:
        self.prefix = asked
        network, length = asked.network, asked.prefix_length
        self.rows = rows = rows.take(
            rows.valid & touches(rows.network, rows.length, network, length)
        )
        mine = pack(np.array([network], np.uint32), np.array([length], np.uint8))
        given = pack(rows.network, rows.length)
        self.keys, position = np.unique(np.append(given, mine), return_inverse=True)
        self.node, self.asked = position[:-1], int(position[-1])
        self.is_route = bool((self.node == self.asked).any())
        self.network, self.length = from_keys(self.keys.astype(np.int64))
        self.cover = closest_cover_sorted(self.keys)
        self.depth = self._climb(lambda above: above >= 0)[0]
        self.active = self._any(rows.active)
        self.standby = self._any(rows.standby)

    def _any(self, mask: Mask) -> Mask:
        found = np.zeros(len(self.keys), dtype=np.bool_)
        found[self.node[mask]] = True
        return found

    def _climb(self, goes_on: Any) -> tuple[I64, I64]:
        """Climb from each destination while a condition holds; return steps and end positions."""
        steps = np.zeros(len(self.keys), dtype=np.int64)
        at = np.arange(len(self.keys))
        while True:
            above = np.where(at >= 0, self.cover[at], NONE)
            moves = np.asarray(goes_on(above)) & (above >= 0)
            if not moves.any():
                return steps, at
            at = np.where(moves, above, at)
            steps += moves

    def kept(self, top: int) -> I64:
        """Return the shown destinations: outer ones, and all that contain the examined prefix."""
        order = np.lexsort((np.arange(len(self.keys)), self.depth))
        number = max(top, int(self.depth[self.asked]) + 1)
        return np.sort(order[:number])

    def hidden(self, kept: I64) -> I64:
        """Return for each shown destination the number of hidden destinations below it."""
        is_kept = np.zeros(len(self.keys), dtype=np.bool_)
        is_kept[kept] = True
        at = np.arange(len(self.keys))
        while not is_kept[at].all():
            at = np.where(is_kept[at], at, self.cover[at])
        return np.bincount(at, minlength=len(self.keys))[kept] - 1

    def sentence(self) -> str:
        """Return a sentence: how many destinations contain the prefix, and how many are inside."""
        around = int(self.depth[self.asked])
        inside = len(self.keys) - around - 1
        what = "is a destination" if self.is_route else "is not a destination itself"
        holds = f"{around:,} hold{'s' if around == 1 else ''} it" if around else "none holds it"
        lies = f"{inside:,} lie{'s' if inside == 1 else ''} in it" if inside else "none lies in it"
        deep = int(self.depth.max()) - around
        levels = f", {deep} deep" if deep > 1 else ""
        return f"{self.prefix} {what}; {holds}, {lies}{levels}"


# -- drawing ---------------------------------------------------------------------------------------


def _draw_ties(ax: Axes, tree: _Tree, kept: I64) -> None:
    """Connect each destination to the one above it: down from there, then across."""
    from matplotlib.collections import LineCollection

    row = np.full(len(tree.keys), NONE)
    row[kept] = np.arange(len(kept))
    lower = kept[tree.cover[kept] >= 0]
    upper = tree.cover[lower]
    x, end, level = tree.length[upper], tree.length[lower], row[lower]
    across = np.stack([np.column_stack([x, level]), np.column_stack([end, level])], axis=1)
    # Rows are in ascending order, so the last child is the lowest.
    lowest = dict(zip(upper.tolist(), level.tolist(), strict=True))
    down = [[(tree.length[node], row[node]), (tree.length[node], y)] for node, y in lowest.items()]
    lines = [*across, *down]
    style: _style.Style = {
        "colors": _style.text_color(ax),
        "linewidths": 0.8,
        "alpha": 0.5,
        "zorder": 1,
    }
    ax.add_collection(LineCollection(lines, **style))


def _draw_marks(ax: Axes, tree: _Tree, kept: I64) -> tuple[list[Any], list[str]]:
    handles, names = [], []
    for (active, standby), (face, edge, name) in _MARKS.items():
        here = (tree.active[kept] == active) & (tree.standby[kept] == standby)
        if here.any():
            style: _style.Style = {
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
            "edgecolors": _style.text_color(ax),
            "zorder": 3,
        }
        at = (tree.length[kept][neither], np.flatnonzero(neither))
        handles.append(ax.scatter(*at, s=40, label="neither", **style))
        names.append("no active or standby route")
    return handles, names


def _label_destinations(ax: Axes, tree: _Tree, kept: I64) -> float:
    """Label the rows: the destination on the left, its connections on the right.

    Return the width in points of everything on the right; 0 if no column there has a header.
    """
    _style.label_rows(ax, list(to_text(tree.network[kept], tree.length[kept])))
    asked = int(np.searchsorted(kept, tree.asked))
    ax.get_yticklabels()[asked].set_fontweight("bold")
    ax.axhspan(asked - 0.5, asked + 0.5, color=_style.text_color(ax), alpha=0.07, linewidth=0)
    hidden = tree.hidden(kept)
    left = 0.0
    if hidden.any():
        cells = [f"+ {count:,}" if count else "" for count in hidden]
        left = _style.side_column(ax, "not shown,\nbelow it", cells)
    across = ax.get_yaxis_transform()
    room = _style.room(ax) * _RIGHT / _style.text_width("m", _style.ROW, mono=True)
    texts = _connections(tree.rows, tree.node, kept, _NAME)
    if max(map(len, texts)) > room:
        texts = _connections(tree.rows, tree.node, kept, max(8, int(room / _NAMED) - 9))
    for place, words in enumerate(texts):
        where: _style.Style = {"xycoords": across, "textcoords": "offset points", "va": "center"}
        text = ax.annotate(words, (1, place), (left + 8, 0), **where)
        text.set(color=_style.text_color(ax), fontsize=_style.ROW)
        _style.set_literal(text, words, mono=True)
    low, high = int(tree.length[kept].min()), int(tree.length[kept].max())
    ax.set_xlim(low - 0.8, max(high, low + 8) + 0.8)
    ax.set_xticks([bits for bits in range(0, 33, 4) if low - 0.8 <= bits <= max(high, low + 8)])
    ax.xaxis.set_major_formatter(lambda value, _: f"/{value:.0f}")
    if not hidden.any():
        return 0.0
    return left + 8 + max(_style.text_width(words, _style.ROW, mono=True) for words in texts)


def _connections(rows: RouteArrays, node: I64, kept: I64, limit: int) -> list[str]:
    """Return the names of the connections of each shown destination, active first, shortened."""
    table = pd.DataFrame({"node": node, "group": rows.group, "weight": rows.weight})
    table = table[np.isin(node, kept)].drop_duplicates()
    table = table.sort_values("weight", ascending=False, kind="stable")
    parts = dict(iter(table.groupby("node")))
    groups = {group for part in parts.values() for group in _named_routes(part)["group"].tolist()}
    named = sorted(groups - {NONE})
    labels = _style.unique_labels((rows.names[group] for group in named), limit)
    called = {NONE: "(no connection)", **dict(zip(named, labels, strict=True))}
    return [
        _connections_text(parts[place], called) if place in parts else "" for place in kept.tolist()
    ]


def _named_routes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the routes of one destination whose connections are named."""
    return table if len(table) <= _NAMED else table.iloc[:1]


def _connections_text(table: pd.DataFrame, called: dict[int, str]) -> str:
    first = _named_routes(table)
    pairs = zip(first["group"], first["weight"], strict=True)
    texts = [f"{called[group]} {_WORDS.get(weight, weight)}" for group, weight in pairs]
    rest = len(table) - len(first)
    return ", ".join([*texts, *([f"{rest:,} more"] if rest else [])])
