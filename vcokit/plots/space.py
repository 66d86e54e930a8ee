"""The address space as a map: what is routed, through which connection, and where routes nest.

The map is a square of cells along Hilbert's curve, so that a prefix is one compact patch. A cell
belongs to the connection to which most of its addresses go by the longest prefix; where routes
nest, so that the longest prefix decides, an outline is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit.cidr.lookup import Table
from vcokit.cidr.parse import I64, MASKS, Mask
from vcokit.cidr.relations import closest_cover, pack, span
from vcokit.cidr.scalar import Cidr
from vcokit.cidr.sets import aggregate
from vcokit.colours import GROUPS, REST
from vcokit.plots import canvas, lettering
from vcokit.plots.columns import Rows, read
from vcokit.plots.figures import many, share, short
from vcokit.plots.hilbert import cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

F64 = npt.NDArray[np.float64]

#: The map has 2^8 by 2^8 cells at most: a cell of the whole address space is a /16.
_ORDER: Final = 8
#: Opacity of a cell of which next to nothing is routed, and of one that is routed whole.
_PALE, _FULL = 0.45, 1.0
#: Blocks that have a name on the map: 4^n of them.
_NAMED: Final = 4


@dataclass(frozen=True)
class Frame:
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


def address_map(
    routes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    zoom: Prefix | None = None,
    by: str = "vpn_connection_id",
    top: int = len(GROUPS),
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

    Returns
    -------
    Axes
        A square of at most 256 by 256 cells, `zoom` beginning in the upper left corner. A cell is
        the paler the less of it is routed; a nested route is outlined.

    Raises
    ------
    InputError
        If a column is missing.
    ValueError, TypeError
        If `zoom` is no prefix.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"], "weight": 100,
    ...     "route_dest": ["10.0.0.0/9", "10.1.0.0/16"]})
    >>> address_map(routes, Figure(figsize=(14, 4)).subplots(), zoom="10.0.0.0/8").get_title("left")
    '8.39 M addresses of 10.0.0.0/8 are routed (50 %), by 2 routes; < 1 % of them nest'
    """
    rows = read(routes, by)
    rows = _active_first(rows.take(rows.valid & (rows.group >= 0)))
    ax = canvas.axes(ax, height=7.6, width=7.2)
    frame = _frame(rows, zoom)
    rows = rows.take(_touching(rows, frame))
    ax.set(xticks=[], yticks=[])
    if not len(rows.length):
        canvas.head(ax, f"No routes in {frame.prefix}")
        return canvas.say_empty(ax, "no routes to show")
    lengths, winner = _segments(rows, frame)
    groups, rank = _ranked(rows, lengths, winner, min(top, len(GROUPS)))
    colour, filled = _cells(frame, lengths, np.append(rank, -1)[rows.group[winner]], winner)
    nested = _nested(rows, frame)
    _paint(ax, frame, colour, filled)
    _outline(ax, frame, _touched(nested, frame))
    _name_blocks(ax, frame)
    _describe(ax, frame, rows, groups, float(lengths[winner >= 0].sum()), nested)
    return ax


def _active_first(rows: Rows) -> Rows:
    order = np.argsort(~rows.active, kind="stable")
    return rows.take(order)


def _frame(rows: Rows, zoom: Prefix | None) -> Frame:
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
    return Frame(prefix, min(_ORDER, (32 - prefix.prefix_length) // 2))


def _touching(rows: Rows, frame: Frame) -> Mask:
    last = rows.network | ~MASKS.take(rows.length)
    return np.asarray((last >= frame.first) & (rows.network <= frame.first + frame.size - 1))


def _segments(rows: Rows, frame: Frame) -> tuple[I64, I64]:
    """Cut the frame where a route begins or ends: length of each piece, and its winning row."""
    first, last = span(pack(rows.network, rows.length))
    edges = np.concatenate([first, last + np.uint64(1)]).astype(np.int64)
    end = frame.first + frame.size
    inner = edges[(edges > frame.first) & (edges < end)]
    cell_edges = np.arange(frame.first, end, frame.cell)
    edges = np.unique(np.concatenate([inner, cell_edges]))
    winner = Table(rows.network, rows.length).find(edges.astype(np.uint32))
    return np.diff(edges, append=end), winner


def _ranked(rows: Rows, lengths: I64, winner: I64, top: int) -> tuple[list[tuple[str, float]], I64]:
    """Return the groups with most addresses, and the rank of every group, the rest the last."""
    routed = winner >= 0
    held = np.bincount(rows.group[winner[routed]], lengths[routed], minlength=len(rows.names))
    order = np.argsort(-held, kind="stable")
    order = order[held[order] > 0]
    rank = np.full(len(rows.names), min(top, len(order)))
    rank[order[:top]] = np.arange(len(order[:top]))
    groups = [(str(rows.names[group]), float(held[group])) for group in order[:top]]
    rest = held[order[top:]]
    if len(rest):
        groups.append((f"{len(rest):,} others", float(rest.sum())))
    return groups, rank


def _cells(frame: Frame, lengths: I64, rank: I64, winner: I64) -> tuple[I64, F64]:
    """Return each cell's rank, that of most of its routed addresses, and its routed share."""
    start = np.cumsum(lengths) - lengths
    cell = start // frame.cell  # no piece crosses the edge of a cell
    count, ranks = frame.side**2, int(rank.max(initial=0)) + 1
    routed = winner >= 0
    held = np.bincount(
        cell[routed] * ranks + rank[routed], lengths[routed], minlength=count * ranks
    ).reshape(count, ranks)
    return held.argmax(axis=1), held.sum(axis=1) / frame.cell


def _nested(rows: Rows, frame: Frame) -> tuple[I64, I64]:
    """Return the ranges, first and past the last, of routes that lie in a shorter one."""
    inside = closest_cover(rows.network, rows.length, rows.region) >= 0
    network, length, _ = aggregate(rows.network[inside], rows.length[inside])
    first, last = span(pack(network, length))
    end = frame.first + frame.size
    low = np.clip(first.astype(np.int64), frame.first, end)
    return low, np.clip(last.astype(np.int64) + 1, frame.first, end)


def _touched(ranges: tuple[I64, I64], frame: Frame) -> Mask:
    """Tell which cells hold a part of some ranges."""
    first = (ranges[0] - frame.first) // frame.cell
    last = (ranges[1] - 1 - frame.first) // frame.cell
    count = frame.side**2
    turns = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
    return np.asarray(np.cumsum(turns[:count]) > 0)


def _paint(ax: Axes, frame: Frame, rank: I64, filled: F64) -> None:
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(colour) for colour in (*GROUPS, REST)])
    # The rest has the rank behind the last that has a colour of its own.
    image = np.zeros((frame.side, frame.side, 4))
    x, y = cells(frame.order)
    image[y, x, :3] = palette[rank]
    image[y, x, 3] = np.where(filled > 0, _PALE + (_FULL - _PALE) * filled, 0.0)
    ax.imshow(image, interpolation="nearest", extent=(0, frame.side, frame.side, 0), aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.5)


def _outline(ax: Axes, frame: Frame, marked: Mask) -> None:
    """Draw lines between cells that are marked and cells that are not."""
    from matplotlib.collections import LineCollection

    grid = np.zeros((frame.side + 2, frame.side + 2), dtype=np.bool_)
    x, y = cells(frame.order)
    grid[y + 1, x + 1] = marked
    row, column = np.nonzero(grid[1:-1, 1:] != grid[1:-1, :-1])
    upright = np.stack([np.column_stack([column, row]), np.column_stack([column, row + 1])], axis=1)
    row, column = np.nonzero(grid[1:, 1:-1] != grid[:-1, 1:-1])
    level = np.stack([np.column_stack([column, row]), np.column_stack([column + 1, row])], axis=1)
    lines = list(np.concatenate([upright, level]))
    width = 1.4 if frame.side <= 64 else 0.8
    style: canvas.Style = {"colors": canvas.ink(ax), "linewidths": width, "capstyle": "projecting"}
    ax.add_collection(LineCollection(lines, label="nested", **style), autolim=False)


def _name_blocks(ax: Axes, frame: Frame) -> None:
    """Draw a faint grid of blocks, and name each in its corner."""
    order = min(_NAMED, frame.order, max(0, frame.order - 2))
    per_side = 1 << order
    width = frame.side // per_side
    lines = np.arange(1, per_side) * width
    style: canvas.Style = {"colors": canvas.ink(ax), "linewidth": 0.5, "alpha": 0.16}
    ax.hlines(lines, 0, frame.side, **style)
    ax.vlines(lines, 0, frame.side, **style)
    x, y = cells(order)
    bits = frame.prefix.prefix_length + 2 * order
    for place, (column, row) in enumerate(zip(x, y, strict=True)):
        network = frame.first + place * (frame.size >> (2 * order))
        ax.annotate(
            _block_name(network, bits, frame.prefix.prefix_length),
            (column * width, row * width),
            (1.5, -1.5),
            textcoords="offset points",
            va="top",
            color=canvas.ink(ax),
            alpha=0.6,
            fontsize=5 if order == _NAMED else 6.5,
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


def _describe(
    ax: Axes,
    frame: Frame,
    rows: Rows,
    groups: list[tuple[str, float]],
    routed: float,
    nested: tuple[I64, I64],
) -> None:
    """Say what is seen: title, legend, and what a cell is."""
    from matplotlib.lines import Line2D

    inside = float((nested[1] - nested[0]).sum())
    said = f"{share(inside, routed)} of them nest" if inside else "none nest"
    title = (
        f"{short(routed)} addresses of {frame.prefix} are routed ({share(routed, frame.size)}), "
        f"by {many(len(rows.length), 'route')}; {said}"
    )
    names = [f"{lettering.shown(name)}: {short(held)}" for name, held in groups]
    others = len(groups) and groups[-1][0].endswith(" others")
    colours = [*GROUPS[: len(groups) - 1], REST] if others else list(GROUPS[: len(groups)])
    handles: list[Any] = [canvas.patch(colour) for colour in colours]
    if inside:
        handles.append(Line2D([], [], color=canvas.ink(ax), linewidth=1.2))
        names.append("nested: the longest prefix decides")
    canvas.head(ax, title, handles, names)
    length = frame.prefix.prefix_length + 2 * frame.order
    sizes = f"a /{length}, {many(frame.cell, 'address').replace('addresss', 'addresses')}"
    ax.set_xlabel(f"a cell is {sizes}; pale cells are routed in part", fontsize=canvas.TEXT)
