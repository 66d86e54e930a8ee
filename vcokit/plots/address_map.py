"""The address space as a map: what is routed, through which connection, and where routes nest.

The map is a square of cells along Hilbert's curve, so that a prefix is one compact patch. A cell
belongs to the connection to which most of its addresses go by the longest prefix; where routes
nest, so that the longest prefix decides, an outline is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit._text import pluralize
from vcokit.cidr.longest_match import LongestMatch
from vcokit.cidr.parse import I64, MASKS, Mask
from vcokit.cidr.relations import closest_cover, pack, span
from vcokit.cidr.scalar import Cidr
from vcokit.cidr.sets import aggregate
from vcokit.palette import GROUPS, REST
from vcokit.plots import _style
from vcokit.plots._arrays import F64, Names, RouteArrays, route_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

#: Opacity of a cell of which next to nothing is routed, and of one that is routed whole.
_PALE, _FULL = 0.45, 1.0
#: Blocks that have a name on the map: 4^n of them.
_BLOCKS_ORDER: Final = 4


def address_map(
    routes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    zoom: Prefix | None = None,
    by: str = "vpn_connection_id",
    top: int = len(GROUPS),
    names: Names | None = None,
) -> Axes:
    """Show which connection each part of the address space goes through.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with route_dest, weight and the column `by`. Where a
        destination has several routes, an active one comes before a standby, then the first.
    ax : Axes, optional
    zoom : str, Cidr or IPv4Network, optional
        The prefix to show, such as ``"10.0.0.0/8"``; by default the longest that holds all routes.
    by : str
        Column whose values have colours.
    top : int
        Values that have a colour of their own, those that most addresses shown go to; at most as
        many as there are colours. The others share a grey.
    names : mapping of str to str, Series or DataFrame, optional
        What the values of `by` are called: names by value, or live connections.

    Returns
    -------
    Axes
        A square of at most 256 by 256 cells, `zoom` beginning in the upper left corner. A cell is
        the paler the less of it is routed; a nested route is outlined.

    Raises
    ------
    InputError
        If a column is missing, or `top` is no number of values.
    ValueError, TypeError
        If `zoom` is no prefix.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": 100,
    ...     "route_dest": ["10.0.0.0/9", "10.1.0.0/16"]})
    >>> address_map(routes, Figure(figsize=(14, 4)).subplots(), zoom="10.0.0.0/8").get_title("left")
    '8.39 M addresses of 10.0.0.0/8 are routed (50 %), by 2 routes; < 1 % nest'
    """
    _style.check_top(top)
    rows = route_arrays(routes, by).named(names)
    rows = active_first(rows.take(rows.valid & (rows.group >= 0)))
    ax = _style.new_axes(ax, height=7.6 if len(rows.length) else 2.4, width=7.2)
    extent = extent_of(rows, zoom)
    rows = rows.take(rows_in(rows, extent))
    ax.set(xticks=[], yticks=[])
    ax.xaxis.label.set_fontsize(_style.TEXT)
    if not len(rows.length):
        _style.title_and_legend(ax, f"No routes in {extent.prefix}")
        return _style.annotate_empty(ax, "no routes to show")
    lengths, winner = address_segments(rows, extent)
    held = ownership(rows, lengths, winner, min(top, len(GROUPS)))
    rank, filled = cell_owners(extent, lengths, np.append(held.rank, 0)[rows.group[winner]], winner)
    ranges = nested_ranges(rows, extent)
    palette = [*GROUPS[: len(held.named)], REST]
    _paint(ax, extent, palette, rank, filled)
    _outline(ax, extent, cells_touched(ranges, extent))
    _label_blocks(ax, extent)
    inside = float((ranges[1] - ranges[0]).sum())
    _title_and_legend(
        ax, _map_title(extent, held, len(rows.length), inside), palette, held, inside > 0
    )
    cell = extent.prefix.prefix_length + 2 * extent.order
    sizes = "1 address" if extent.cell == 1 else f"{extent.cell:,} addresses"
    ax.set_xlabel(f"a cell is a /{cell}, {sizes}; pale cells are routed in part")
    return ax


def _paint(ax: Axes, extent: MapExtent, palette: list[str], rank: I64, filled: F64) -> None:
    from matplotlib.colors import to_rgba_array

    image = np.zeros((extent.side, extent.side, 4))
    x, y = hilbert_cells(extent.order)
    image[y, x] = to_rgba_array(palette)[rank]
    image[y, x, 3] = np.where(filled > 0, _PALE + (_FULL - _PALE) * filled, 0.0)
    ax.imshow(
        image, interpolation="nearest", extent=(0, extent.side, extent.side, 0), aspect="equal"
    )
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.5)


def _outline(ax: Axes, extent: MapExtent, marked: Mask) -> None:
    """Draw lines between cells that are marked and cells that are not."""
    from matplotlib.collections import LineCollection

    grid = np.zeros((extent.side + 2, extent.side + 2), dtype=np.bool_)
    x, y = hilbert_cells(extent.order)
    grid[y + 1, x + 1] = marked
    row, column = np.nonzero(grid[1:-1, 1:] != grid[1:-1, :-1])
    upright = np.stack([np.column_stack([column, row]), np.column_stack([column, row + 1])], axis=1)
    row, column = np.nonzero(grid[1:, 1:-1] != grid[:-1, 1:-1])
    level = np.stack([np.column_stack([column, row]), np.column_stack([column + 1, row])], axis=1)
    lines = list(np.concatenate([upright, level]))
    width = 1.4 if extent.side <= 64 else 0.8
    style: _style.Style = {
        "colors": _style.text_color(ax),
        "linewidths": width,
        "capstyle": "projecting",
    }
    ax.add_collection(LineCollection(lines, label="nested", **style), autolim=False)


def _label_blocks(ax: Axes, extent: MapExtent) -> None:
    """Draw a faint grid of blocks, and name each in its corner."""
    length = extent.prefix.prefix_length
    finest = max(0, min(_BLOCKS_ORDER, extent.order - 2))
    # Names of one octet leave room for the map.
    fitting = (n for n in range(finest, 0, -1) if -(-(length + 2 * n) // 8) - length // 8 <= 1)
    order = next(fitting, min(2, finest))
    per_side = 1 << order
    width = extent.side // per_side
    lines = np.arange(1, per_side) * width
    style: _style.Style = {"colors": _style.text_color(ax), "linewidth": 0.5, "alpha": 0.16}
    ax.hlines(lines, 0, extent.side, **style)
    ax.vlines(lines, 0, extent.side, **style)
    x, y = hilbert_cells(order)
    bits = length + 2 * order
    for place, (column, row) in enumerate(zip(x, y, strict=True)):
        network = extent.first + place * (extent.size >> (2 * order))
        ax.annotate(
            _block_name(network, bits, length),
            (column * width, row * width),
            (1.5, -1.5),
            textcoords="offset points",
            va="top",
            color=_style.text_color(ax),
            alpha=0.6,
            fontsize=5 if order == _BLOCKS_ORDER else 6.5,
        )


def _block_name(network: int, bits: int, shown: int) -> str:
    """Return a block's name without the octets that all blocks have in common.

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


def _map_title(extent: MapExtent, held: Ownership, routes: int, inside: float) -> str:
    routed = sum(addresses for _, addresses in held.named) + held.others_hold
    said = f"{_style.percent(inside, routed)} nest" if inside else "none nest"
    return (
        f"{_style.short(routed)} addresses of {extent.prefix} are routed "
        f"({_style.percent(routed, extent.size)}), "
        f"by {pluralize(routes, 'route')}; {said}"
    )


def _title_and_legend(
    ax: Axes, title: str, palette: list[str], held: Ownership, nests: bool
) -> None:
    from matplotlib.lines import Line2D

    labels = _style.unique_labels(name for name, _ in held.named)
    counts = (_style.short(addresses) for _, addresses in held.named)
    names = [f"{label}: {count}" for label, count in zip(labels, counts, strict=True)]
    if held.others:
        names.append(f"{pluralize(held.others, 'other')}: {_style.short(held.others_hold)}")
    handles: list[Any] = [_style.legend_patch(colour) for colour in palette[: len(names)]]
    if nests:
        handles.append(Line2D([], [], color=_style.text_color(ax), linewidth=1.2))
        names.append("nested: the longest prefix decides")
    _style.title_and_legend(ax, title, handles, names)


# -- Who holds which part of the address space: the figures behind the map.
#

#: The map has 2^8 by 2^8 cells at most: a cell of the whole address space is a /16.
_ORDER: Final = 8


@dataclass(frozen=True)
class MapExtent:
    """The part of the address space that a map shows.

    Parameters
    ----------
    prefix : Cidr
    order : int
        Of the curve.
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
        """Addresses in a cell."""
        return self.size >> (2 * self.order)

    @property
    def side(self) -> int:
        """Cells along a side."""
        return 1 << self.order


def active_first(rows: RouteArrays) -> RouteArrays:
    """Put active rows before the others: of equal prefixes, the first row wins."""
    order = np.argsort(~rows.active, kind="stable")
    return rows.take(order)


def extent_of(rows: RouteArrays, zoom: Prefix | None) -> MapExtent:
    """Return what is shown: the prefix given, or the longest that holds all routes."""
    if zoom is not None:
        prefix = Cidr(zoom)
    elif not len(rows.length):
        prefix = Cidr(0, 0)
    else:
        low = int(rows.network.min())
        high = int((rows.network | ~MASKS.take(rows.length)).max())
        length = 32 - (low ^ high).bit_length()
        prefix = Cidr(low & int(MASKS[length]), length)
    return MapExtent(prefix, min(_ORDER, (32 - prefix.prefix_length) // 2))


def rows_in(rows: RouteArrays, extent: MapExtent) -> Mask:
    """Tell which rows hold addresses that are shown."""
    last = rows.network | ~MASKS.take(rows.length)
    return np.asarray((last >= extent.first) & (rows.network <= extent.first + extent.size - 1))


def address_segments(rows: RouteArrays, extent: MapExtent) -> tuple[I64, I64]:
    """Cut the extent where a route begins or ends: length of each piece, and its winning row."""
    first, last = span(pack(rows.network, rows.length))
    edges = np.concatenate([first, last + np.uint64(1)]).astype(np.int64)
    end = extent.first + extent.size
    inner = edges[(edges > extent.first) & (edges < end)]
    cell_edges = np.arange(extent.first, end, extent.cell)
    edges = np.unique(np.concatenate([inner, cell_edges]))
    winner = LongestMatch(rows.network, rows.length).find(edges.astype(np.uint32))
    return np.diff(edges, append=end), winner


@dataclass(frozen=True)
class Ownership:
    """How many of the addresses shown go to whom.

    Parameters
    ----------
    named : tuple of (str, float)
        Groups with a colour of their own, those with most addresses first, and their addresses.
    others : int
        Number of the other groups.
    others_hold : float
        Addresses of these together.
    rank : ndarray of int64
        By group: its place among the named, else the place behind the last.
    """

    named: tuple[tuple[str, float], ...]
    others: int
    others_hold: float
    rank: I64


def ownership(rows: RouteArrays, lengths: I64, winner: I64, top: int) -> Ownership:
    """Return who holds what, of pieces as `address_segments` cuts them."""
    routed = winner >= 0
    held = np.bincount(rows.group[winner[routed]], lengths[routed], minlength=len(rows.names))
    order = np.argsort(-held, kind="stable")
    order = order[held[order] > 0]
    first, rest = order[:top], order[top:]
    rank = np.full(len(rows.names), len(first))
    rank[first] = np.arange(len(first))
    named = tuple((str(rows.names[group]), float(held[group])) for group in first)
    return Ownership(named, len(rest), float(held[rest].sum()), rank)


def cell_owners(extent: MapExtent, lengths: I64, rank: I64, winner: I64) -> tuple[I64, F64]:
    """Return each cell's rank, that of most of its routed addresses, and its routed share."""
    start = np.cumsum(lengths) - lengths
    cell = start // extent.cell  # no piece crosses the edge of a cell
    count, ranks = extent.side**2, int(rank.max(initial=0)) + 1
    routed = winner >= 0
    held = np.bincount(
        cell[routed] * ranks + rank[routed], lengths[routed], minlength=count * ranks
    ).reshape(count, ranks)
    return held.argmax(axis=1), held.sum(axis=1) / extent.cell


def nested_ranges(rows: RouteArrays, extent: MapExtent) -> tuple[I64, I64]:
    """Return the ranges, first and past the last, of routes that lie in a shorter one."""
    inside = closest_cover(rows.network, rows.length, rows.region) >= 0
    network, length, _ = aggregate(rows.network[inside], rows.length[inside])
    first, last = span(pack(network, length))
    end = extent.first + extent.size
    low = np.clip(first.astype(np.int64), extent.first, end)
    return low, np.clip(last.astype(np.int64) + 1, extent.first, end)


def cells_touched(ranges: tuple[I64, I64], extent: MapExtent) -> Mask:
    """Tell which cells hold a part of some ranges."""
    first = (ranges[0] - extent.first) // extent.cell
    last = (ranges[1] - 1 - extent.first) // extent.cell
    count = extent.side**2
    turns = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
    return np.asarray(np.cumsum(turns[:count]) > 0)


# -- Hilbert's curve: a walk through all cells of a square that keeps neighbours together.
#
# Of order 1 the curve is one cup, and each order puts four turned copies of the last in its cells::
#     order 1    0 3     order 2    0  1 14 15
#                1 2                3  2 13 12
#                                   4  7  8 11
#                                   5  6  9 10
# Cells that follow one another on the curve share an edge, and any block of 4^n cells that starts
# at a multiple of 4^n is a square: a prefix of even length is a square, one of odd length two
# squares side by side. A higher order draws each cell finer, and moves none. After D. Hilbert,
# "Ueber die stetige Abbildung einer Linie auf ein Flächenstück", Mathematische Annalen 38 (1891).

#: For each cup (how a copy is turned) and each quarter on its way: the cell's bits, and the cup of
#: the copy in it. Cup 0 goes down, right, up; 1 right, down, left; 2 left, up, right; 3 up, left,
#: down.
_X = np.array([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]])
_Y = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]])
_NEXT = np.array([[1, 0, 0, 3], [0, 1, 1, 2], [3, 2, 2, 1], [2, 3, 3, 0]])


def hilbert_cells(order: int, start: int = 0, stop: int | None = None) -> tuple[I64, I64]:
    """Return the cells of the curve, in the order of the walk.

    Parameters
    ----------
    order : int
        The square is of 2**order by 2**order cells.
    start, stop : int
        Part of the walk; all of it by default.

    Returns
    -------
    x, y : ndarray of int64
        Column from the left and row from above.

    Examples
    --------
    >>> x, y = hilbert_cells(1)
    >>> x.tolist(), y.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 0])
    """
    walk = np.arange(start, 4**order if stop is None else stop, dtype=np.int64)
    x, y = np.zeros_like(walk), np.zeros_like(walk)
    cup = np.zeros_like(walk)
    for level in range(order - 1, -1, -1):
        quarter = (walk >> (2 * level)) & 3
        x = x << 1 | _X[cup, quarter]
        y = y << 1 | _Y[cup, quarter]
        cup = _NEXT[cup, quarter]
    return x, y
