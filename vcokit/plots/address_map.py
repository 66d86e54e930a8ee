"""The address space as a map: what is routed, through which connection, and where routes nest.

The map is a square of cells along Hilbert's curve, a path through all cells that keeps neighbours
together. The curve of order 1 is one cup. Each higher order puts four turned copies of the previous
order in its cells::

    order 1    0 3     order 2    0  1 14 15
               1 2                3  2 13 12
                                  4  7  8 11
                                  5  6  9 10

Consecutive cells on the curve share an edge, and any block of 4^n cells that starts at a multiple
of 4^n is a square. A prefix of even length is therefore a square, and a prefix of odd length is two
squares side by side. A higher order draws each cell finer and moves none. After D. Hilbert, "Ueber
die stetige Abbildung einer Linie auf ein Flächenstück", Mathematische Annalen 38 (1891).

A cell belongs to the connection that receives most of its addresses by longest-prefix match. An
outline shows where routes nest, so that the longest prefix decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit._text import pluralize
from vcokit.cidr.longest_match import LongestMatch
from vcokit.cidr.parse import I64, MASKS, Mask, to_text
from vcokit.cidr.relations import closest_cover, pack, span
from vcokit.cidr.scalar import Cidr
from vcokit.cidr.sets import aggregate
from vcokit.palette import GROUPS, REST
from vcokit.plots import _style
from vcokit.plots._arrays import F64, Names, RouteArrays, display_names, known_names, route_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

#: The map has at most 2^8 by 2^8 cells: on a map of the whole address space a cell is a /16.
_ORDER: Final = 8
#: Order of the blocks with a name on the map: at most 4^3 blocks.
_BLOCKS_ORDER: Final = 3
#: Space for a block's name, in points, on axes that may become smaller later.
_BLOCK_WIDTH: Final = 45
#: Opacity of a cell of which almost nothing is routed, and of a completely routed cell.
_PALE, _FULL = 0.45, 1.0


def address_map(
    routes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    zoom: Prefix | None = None,
    by: str = "vpn_connection_id",
    top: int = len(GROUPS),
    names: Names | None = None,
    title: str | None = None,
) -> Axes:
    """Show which connection each part of the address space goes through.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with route_dest, weight and the column `by`. If a
        destination has several routes, an active route takes precedence over a standby route, then
        the first one.
    ax : Axes, optional
    zoom : str, Cidr or IPv4Network, optional
        The prefix to show, such as ``"10.0.0.0/8"``; by default the longest prefix that contains
        all routes.
    by : str
        Column whose values have colours.
    top : int
        Number of values with their own colour, those with most of the shown addresses; at most the
        number of colours. The others share a grey.
    names : mapping of str to str, Series or DataFrame, optional
        Names of the values of `by`: names by value, or live connections. By default connections
        have the name in the column vpn_connection_name, if there is one.
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A square of at most 256 by 256 cells; `zoom` begins in the upper left corner. A cell is
        paler if less of it is routed; nested routes are outlined. Each block has its first address
        in a corner, and a thin line connects the blocks in the order of addresses.

    Raises
    ------
    InputError
        If a column is missing, or `top` is not a valid number.
    ValueError, TypeError
        If `zoom` is not a prefix.

    See Also
    --------
    address_map_data : The cells as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": 100,
    ...     "route_dest": ["10.0.0.0/9", "10.1.0.0/16"]})
    >>> address_map(routes, Figure(figsize=(14, 4)).subplots(), zoom="10.0.0.0/8").get_title("left")
    '8.39 M addresses of 10.0.0.0/8 are routed (50 %), by 2 routes; < 1 % nest'
    """
    _style.check_top(top)
    rows = route_arrays(routes, by)
    if by == "vpn_connection_id":
        names = known_names(routes, names)
    found = _Map(rows.named(names), zoom)
    extent = found.extent
    ax = _style.new_axes(ax, height=7.6 if len(found.rows.length) else 2.4, width=7.2)
    ax.set(xticks=[], yticks=[])
    ax.xaxis.label.set_fontsize(_style.TEXT)
    if not len(found.rows.length):
        _style.title_and_legend(ax, title, f"No routes in {extent.prefix}")
        return _style.annotate_empty(ax, "no routes to show")
    colours = [*GROUPS[: min(top, len(GROUPS), len(found.ranking))], REST]
    _paint(ax, found, colours)
    _outline(ax, extent, found.nested)
    explained = _label_blocks(ax, extent)
    _legend(ax, title, found, colours)
    cell = extent.prefix.prefix_length + 2 * extent.order
    sizes = "1 address" if extent.cell == 1 else f"{extent.cell:,} addresses"
    ax.set_xlabel(f"a cell is a /{cell}, {sizes}; pale cells are routed in part{explained}")
    return ax


def address_map_data(
    routes: pd.DataFrame,
    *,
    zoom: Prefix | None = None,
    by: str = "vpn_connection_id",
    names: Names | None = None,
) -> pd.DataFrame:
    """Return the cells of `address_map` in which addresses are routed.

    Parameters
    ----------
    routes : DataFrame
    zoom : str, Cidr or IPv4Network, optional
    by : str
    names : mapping of str to str, Series or DataFrame, optional
        All as for the plot.

    Returns
    -------
    DataFrame
        One row per cell, in the order of addresses: prefix (text); x and y, its column from the
        left and its row from the top (int64); the value of `by` with most of its routed addresses,
        and its name; routed, the part of its addresses that is routed (float64, up to 1); and
        nested (bool).

    Examples
    --------
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": 100,
    ...     "route_dest": ["10.0.0.0/30", "10.0.0.2/32"]})
    >>> address_map_data(routes)
            prefix  x  y vpn_connection_id   name  routed  nested
    0  10.0.0.0/32  0  0             vco-a  vco-a     1.0   False
    1  10.0.0.1/32  0  1             vco-a  vco-a     1.0   False
    2  10.0.0.2/32  1  1             vco-b  vco-b     1.0    True
    3  10.0.0.3/32  1  0             vco-a  vco-a     1.0   False
    """
    found = _Map(route_arrays(routes, by), zoom)
    if by == "vpn_connection_id":
        names = known_names(routes, names)
    owner, routed = found.cells
    extent, here = found.extent, np.flatnonzero(routed > 0)
    x, y = hilbert_cells(extent.order)
    networks = (extent.first + here * extent.cell).astype(np.uint32)
    length = extent.prefix.prefix_length + 2 * extent.order
    lengths = np.full(len(here), length, dtype=np.uint8)
    ids = found.rows.names[owner[here]] if len(here) else np.array([], dtype=object)
    table = pd.DataFrame({"prefix": to_text(networks, lengths), "x": x[here], "y": y[here]})
    table[by] = pd.Series(ids, dtype="str")
    table["name"] = pd.Series(display_names(ids, None), dtype="str")
    if names is not None:
        unique = np.unique(ids.astype(str)).astype(object)
        called = dict(zip(unique, display_names(unique, names), strict=True))
        table["name"] = table[by].map(called)
    return table.assign(routed=routed[here], nested=found.nested[here])


# -- the group of each address ---------------------------------------------------------------------


@dataclass(frozen=True)
class MapExtent:
    """The part of the address space that a map shows.

    Parameters
    ----------
    prefix : Cidr
    order : int
        Order of the curve.
    """

    prefix: Cidr
    order: int

    @property
    def first(self) -> int:
        """First address."""
        return self.prefix.network

    @property
    def size(self) -> int:
        """Number of addresses."""
        return 1 << (32 - self.prefix.prefix_length)

    @property
    def cell(self) -> int:
        """Number of addresses in a cell."""
        return self.size >> (2 * self.order)

    @property
    def side(self) -> int:
        """Number of cells along a side."""
        return 1 << self.order


class _Map:
    """The group of each shown address.

    Parameters
    ----------
    rows : RouteArrays
    zoom : Prefix, optional

    Attributes
    ----------
    extent : MapExtent
    rows : RouteArrays
        Rows with shown addresses; active rows first, because the first of equal prefixes wins.
    """

    def __init__(self, rows: RouteArrays, zoom: Prefix | None) -> None:
        rows = rows.take(rows.valid & (rows.group >= 0))
        rows = rows.take(np.argsort(~rows.active, kind="stable"))
        last = rows.network | ~MASKS.take(rows.length)
        if zoom is not None:
            prefix = Cidr(zoom)
        elif not len(rows.length):
            prefix = Cidr(0, 0)
        else:
            low, high = int(rows.network.min()), int(last.max())
            length = 32 - (low ^ high).bit_length()
            prefix = Cidr(low & int(MASKS[length]), length)
        self.extent = MapExtent(prefix, min(_ORDER, (32 - prefix.prefix_length) // 2))
        end = self.extent.first + self.extent.size - 1
        self.rows = rows.take(np.asarray((last >= self.extent.first) & (rows.network <= end)))

    @cached_property
    def _segments(self) -> tuple[I64, I64]:
        """Split the extent at each start and end of a route or cell.

        Return length and group of each piece; the group is -1 if nothing is routed.
        """
        first, last = span(pack(self.rows.network, self.rows.length))
        edges = np.concatenate([first, last + np.uint64(1)]).astype(np.int64)
        start, end = self.extent.first, self.extent.first + self.extent.size
        inner = edges[(edges > start) & (edges < end)]
        edges = np.unique(np.concatenate([inner, np.arange(start, end, self.extent.cell)]))
        winner = LongestMatch(self.rows.network, self.rows.length).find(edges.astype(np.uint32))
        group = np.append(self.rows.group, -1)[winner]
        return np.diff(edges, append=end), group

    @cached_property
    def held(self) -> F64:
        """Number of shown addresses of each group."""
        length, group = self._segments
        routed = group >= 0
        held = np.bincount(group[routed], length[routed], minlength=len(self.rows.names))
        return held.astype(np.float64)

    @cached_property
    def ranking(self) -> I64:
        """Groups with shown addresses, those with most first."""
        order = np.argsort(-self.held, kind="stable")
        return order[self.held[order] > 0]

    @cached_property
    def cells(self) -> tuple[I64, F64]:
        """The group with most routed addresses in each cell, and the routed part of the cell.

        If groups have equally many addresses in the cell, the group with most shown addresses wins.
        """
        return self.owners(len(self.ranking))

    def owners(self, top: int) -> tuple[I64, F64]:
        """Return `cells` with all groups after the first `top` counted as one group."""
        length, group = self._segments
        count = self.extent.side**2
        if not len(self.ranking):
            return np.zeros(count, dtype=np.int64), np.zeros(count)
        rank = np.full(len(self.rows.names), min(top, len(self.ranking) - 1))
        rank[self.ranking[:top]] = np.arange(min(top, len(self.ranking)))
        cell = (np.cumsum(length) - length) // self.extent.cell  # pieces lie within cells
        routed = group >= 0
        held = pd.Series(length[routed]).groupby([cell[routed], rank[group[routed]]]).sum()
        most = held.sort_values(ascending=False, kind="stable").index.to_frame(index=False)
        most = most.drop_duplicates(0)
        owner, share = np.zeros(count, dtype=np.int64), np.zeros(count)
        owner[most[0]] = self.ranking[most[1]]
        sums = held.groupby(level=0).sum()
        share[sums.index] = sums / self.extent.cell
        return owner, share

    @cached_property
    def _nested_ranges(self) -> tuple[I64, I64]:
        """First and past-the-last addresses of routes inside a shorter route of their region."""
        rows = self.rows
        inside = closest_cover(rows.network, rows.length, rows.region) >= 0
        network, length, _ = aggregate(rows.network[inside], rows.length[inside])
        first, last = span(pack(network, length))
        end = self.extent.first + self.extent.size
        low = np.clip(first.astype(np.int64), self.extent.first, end)
        return low, np.clip(last.astype(np.int64) + 1, self.extent.first, end)

    @property
    def nested_addresses(self) -> float:
        """Number of shown addresses in nested routes."""
        low, high = self._nested_ranges
        return float((high - low).sum())

    @cached_property
    def nested(self) -> Mask:
        """Mask of cells with a part of a nested route."""
        low, high = self._nested_ranges
        first = (low - self.extent.first) // self.extent.cell
        last = (high - 1 - self.extent.first) // self.extent.cell
        size = self.extent.side**2 + 1
        turns = np.bincount(first, minlength=size) - np.bincount(last + 1, minlength=size)
        return np.asarray(np.cumsum(turns[: size - 1]) > 0)


# -- drawing ---------------------------------------------------------------------------------------


def _paint(ax: Axes, found: _Map, colours: list[str]) -> None:
    from matplotlib.colors import to_rgba_array

    extent, named = found.extent, len(colours) - 1
    owner, routed = found.owners(named)
    colour = np.full(len(found.rows.names), named)
    colour[found.ranking[:named]] = np.arange(named)
    image = np.zeros((extent.side, extent.side, 4))
    x, y = hilbert_cells(extent.order)
    image[y, x] = to_rgba_array(colours)[colour[owner]]
    image[y, x, 3] = np.where(routed > 0, _PALE + (_FULL - _PALE) * routed, 0.0)
    box = (0, extent.side, extent.side, 0)
    ax.imshow(image, interpolation="nearest", extent=box, aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.5)


def _outline(ax: Axes, extent: MapExtent, marked: Mask) -> None:
    """Draw lines between marked and unmarked cells."""
    from matplotlib.collections import LineCollection

    grid = np.zeros((extent.side + 2, extent.side + 2), dtype=np.bool_)
    x, y = hilbert_cells(extent.order)
    grid[y + 1, x + 1] = marked
    row, column = np.nonzero(grid[1:-1, 1:] != grid[1:-1, :-1])
    upright = np.stack([np.column_stack([column, row]), np.column_stack([column, row + 1])], axis=1)
    row, column = np.nonzero(grid[1:, 1:-1] != grid[:-1, 1:-1])
    level = np.stack([np.column_stack([column, row]), np.column_stack([column + 1, row])], axis=1)
    lines = list(np.concatenate([upright, level]))
    style: _style.Style = {
        "colors": _style.text_color(ax),
        "linewidths": 1.4 if extent.side <= 64 else 0.8,
        "capstyle": "projecting",
    }
    ax.add_collection(LineCollection(lines, label="nested", **style), autolim=False)


def _label_blocks(ax: Axes, extent: MapExtent) -> str:
    """Draw a faint grid of blocks, name each in its corner, and connect them in order.

    Return the axis label that explains the connecting line.
    """
    from matplotlib.patheffects import withStroke

    length = extent.prefix.prefix_length
    finest = max(0, min(_BLOCKS_ORDER, extent.order - 2))
    figure: Any = ax.get_figure(root=True)
    side = min(ax.bbox.width, ax.bbox.height) * 72 / figure.dpi
    while finest and side < _BLOCK_WIDTH << finest:
        finest -= 1
    # Names of one octet leave enough space for the map.
    fitting = (n for n in range(finest, 0, -1) if -(-(length + 2 * n) // 8) - length // 8 <= 1)
    order = next(fitting, min(2, finest))
    per_side = 1 << order
    width = extent.side // per_side
    lines = np.arange(1, per_side) * width
    style: _style.Style = {"colors": _style.text_color(ax), "linewidth": 0.5, "alpha": 0.16}
    ax.hlines(lines, 0, extent.side, **style)
    ax.vlines(lines, 0, extent.side, **style)
    x, y = hilbert_cells(order)
    # An outline in black or white, like the background, keeps a name readable on any colour.
    rim = withStroke(linewidth=2.2, foreground="black" if _style.is_dark(ax) else "white")
    for place, (column, row) in enumerate(zip(x, y, strict=True)):
        network = extent.first + place * (extent.size >> (2 * order))
        ax.annotate(
            _block_name(network, length + 2 * order, length),
            (column * width, row * width),
            (2, -2),
            textcoords="offset points",
            va="top",
            color=_style.text_color(ax),
            fontsize=_style.ROW,
            path_effects=[rim],
        )
    if not order:
        return ""
    middles = ((x + 0.5) * width, (y + 0.5) * width)
    ax.plot(*middles, color=_style.text_color(ax), linewidth=0.8, alpha=0.35, label="order")
    return "\nthe thin line follows the addresses in their order (a Hilbert curve)"


def _block_name(network: int, bits: int, shown: int) -> str:
    """Return a block's name without the octets that all blocks share.

    Examples
    --------
    >>> _block_name(0x0A000000, 8, 0), _block_name(0x0A110000, 16, 8)
    ('10', '.17')
    >>> _block_name(0x0A114000, 18, 10)
    '.17.64'
    """
    octets = [str(network >> shift & 0xFF) for shift in (24, 16, 8, 0)]
    first, past = shown // 8, -(-bits // 8)
    return ("." if first else "") + ".".join(octets[first : max(past, first + 1)])


def _legend(ax: Axes, title: str | None, found: _Map, colours: list[str]) -> None:
    from matplotlib.lines import Line2D

    named, others = np.split(found.ranking, [len(colours) - 1])
    labels = _style.unique_labels(found.rows.names[named])
    counts = (_style.compact(addresses) for addresses in found.held[named])
    names = [f"{label}: {count}" for label, count in zip(labels, counts, strict=True)]
    if len(others):
        rest = _style.compact(float(found.held[others].sum()))
        names.append(f"{pluralize(len(others), 'other')}: {rest}")
    handles: list[Any] = [_style.legend_patch(colour) for colour in colours[: len(names)]]
    nested, routed = found.nested_addresses, float(found.held.sum())
    if nested:
        handles.append(Line2D([], [], color=_style.text_color(ax), linewidth=1.2))
        names.append("nested: the longest prefix decides")
    nest = f"{_style.percent(nested, routed)} nest" if nested else "none nest"
    sentence = (
        f"{_style.compact(routed)} addresses of {found.extent.prefix} are routed "
        f"({_style.percent(routed, found.extent.size)}), "
        f"by {pluralize(len(found.rows.length), 'route')}; {nest}"
    )
    _style.title_and_legend(ax, title, sentence, handles, names)


# -- Hilbert's curve -------------------------------------------------------------------------------

#: For each cup (the orientation of a copy) and each quarter of its path: the bits of the cell, and
#: the cup of the copy in it. Cup 0 goes down, right, up; 1 right, down, left; 2 left, up, right; 3
#: up, left, down.
_X = np.array([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]])
_Y = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]])
_NEXT = np.array([[1, 0, 0, 3], [0, 1, 1, 2], [3, 2, 2, 1], [2, 3, 3, 0]])


def hilbert_cells(order: int) -> tuple[I64, I64]:
    """Return the cells of the curve, in the order of the path.

    Parameters
    ----------
    order : int
        The square has 2**order by 2**order cells.

    Returns
    -------
    x, y : ndarray of int64
        Column from the left and row from the top.

    Examples
    --------
    >>> x, y = hilbert_cells(1)
    >>> x.tolist(), y.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 0])
    """
    walk = np.arange(4**order, dtype=np.int64)
    x, y = np.zeros_like(walk), np.zeros_like(walk)
    cup = np.zeros_like(walk)
    for level in range(order - 1, -1, -1):
        quarter = (walk >> (2 * level)) & 3
        x = x << 1 | _X[cup, quarter]
        y = y << 1 | _Y[cup, quarter]
        cup = _NEXT[cup, quarter]
    return x, y
