"""The address space as a map: what is routed, through which connection, and where routes nest.

The map is a square of cells along Hilbert's curve, so that a prefix is one compact patch. A cell
belongs to the connection to which most of its addresses go by the longest prefix; where routes
nest, so that the longest prefix decides, an outline is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit._text import pluralize
from vcokit.cidr.parse import I64, Mask
from vcokit.palette import GROUPS, REST
from vcokit.plots import canvas, lettering
from vcokit.plots.columns import read
from vcokit.plots.figures import share, short
from vcokit.plots.hilbert import cells
from vcokit.plots.moments import F64
from vcokit.plots.naming import Names
from vcokit.plots.territory import (
    Frame,
    Shares,
    active_first,
    fill,
    frame_of,
    nested,
    segments,
    shares,
    touched,
    touching,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cidr.scalar import Prefix

#: Opacity of a cell of which next to nothing is routed, and of one that is routed whole.
_PALE, _FULL = 0.45, 1.0
#: Blocks that have a name on the map: 4^n of them.
_NAMED: Final = 4


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
    canvas.check_top(top)
    rows = read(routes, by).called(names)
    rows = active_first(rows.take(rows.valid & (rows.group >= 0)))
    ax = canvas.axes(ax, height=7.6 if len(rows.length) else 2.4, width=7.2)
    frame = frame_of(rows, zoom)
    rows = rows.take(touching(rows, frame))
    ax.set(xticks=[], yticks=[])
    ax.xaxis.label.set_fontsize(canvas.TEXT)
    if not len(rows.length):
        canvas.head(ax, f"No routes in {frame.prefix}")
        return canvas.say_empty(ax, "no routes to show")
    lengths, winner = segments(rows, frame)
    held = shares(rows, lengths, winner, min(top, len(GROUPS)))
    rank, filled = fill(frame, lengths, np.append(held.rank, 0)[rows.group[winner]], winner)
    ranges = nested(rows, frame)
    palette = [*GROUPS[: len(held.named)], REST]
    _paint(ax, frame, palette, rank, filled)
    _outline(ax, frame, touched(ranges, frame))
    _name_blocks(ax, frame)
    inside = float((ranges[1] - ranges[0]).sum())
    _legend(ax, _title(frame, held, len(rows.length), inside), palette, held, inside > 0)
    cell = frame.prefix.prefix_length + 2 * frame.order
    sizes = "1 address" if frame.cell == 1 else f"{frame.cell:,} addresses"
    ax.set_xlabel(f"a cell is a /{cell}, {sizes}; pale cells are routed in part")
    return ax


def _paint(ax: Axes, frame: Frame, palette: list[str], rank: I64, filled: F64) -> None:
    from matplotlib.colors import to_rgba_array

    image = np.zeros((frame.side, frame.side, 4))
    x, y = cells(frame.order)
    image[y, x] = to_rgba_array(palette)[rank]
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
    length = frame.prefix.prefix_length
    finest = max(0, min(_NAMED, frame.order - 2))
    # Names of one octet leave room for the map.
    fitting = (n for n in range(finest, 0, -1) if -(-(length + 2 * n) // 8) - length // 8 <= 1)
    order = next(fitting, min(2, finest))
    per_side = 1 << order
    width = frame.side // per_side
    lines = np.arange(1, per_side) * width
    style: canvas.Style = {"colors": canvas.ink(ax), "linewidth": 0.5, "alpha": 0.16}
    ax.hlines(lines, 0, frame.side, **style)
    ax.vlines(lines, 0, frame.side, **style)
    x, y = cells(order)
    bits = length + 2 * order
    for place, (column, row) in enumerate(zip(x, y, strict=True)):
        network = frame.first + place * (frame.size >> (2 * order))
        ax.annotate(
            _block_name(network, bits, length),
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


def _title(frame: Frame, held: Shares, routes: int, inside: float) -> str:
    routed = sum(addresses for _, addresses in held.named) + held.others_hold
    said = f"{share(inside, routed)} nest" if inside else "none nest"
    return (
        f"{short(routed)} addresses of {frame.prefix} are routed ({share(routed, frame.size)}), "
        f"by {pluralize(routes, 'route')}; {said}"
    )


def _legend(ax: Axes, title: str, palette: list[str], held: Shares, nests: bool) -> None:
    from matplotlib.lines import Line2D

    labels = lettering.distinct(name for name, _ in held.named)
    counts = (short(addresses) for _, addresses in held.named)
    names = [f"{label}: {count}" for label, count in zip(labels, counts, strict=True)]
    if held.others:
        names.append(f"{pluralize(held.others, 'other')}: {short(held.others_hold)}")
    handles: list[Any] = [canvas.patch(colour) for colour in palette[: len(names)]]
    if nests:
        handles.append(Line2D([], [], color=canvas.ink(ax), linewidth=1.2))
        names.append("nested: the longest prefix decides")
    canvas.head(ax, title, handles, names)
