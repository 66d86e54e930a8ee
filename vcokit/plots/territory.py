"""Who holds which part of the address space: the figures behind the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vcokit.cidr.longest_match import LongestMatch
from vcokit.cidr.parse import I64, MASKS, Mask
from vcokit.cidr.relations import closest_cover, pack, span
from vcokit.cidr.scalar import Cidr
from vcokit.cidr.sets import aggregate
from vcokit.plots.columns import Rows
from vcokit.plots.moments import F64

if TYPE_CHECKING:
    from vcokit.cidr.scalar import Prefix

#: The map has 2^8 by 2^8 cells at most: a cell of the whole address space is a /16.
_ORDER: Final = 8


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


def active_first(rows: Rows) -> Rows:
    """Put active rows before the others: of equal prefixes, the first row wins."""
    order = np.argsort(~rows.active, kind="stable")
    return rows.take(order)


def frame_of(rows: Rows, zoom: Prefix | None) -> Frame:
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


def touching(rows: Rows, frame: Frame) -> Mask:
    """Tell which rows hold addresses that are shown."""
    last = rows.network | ~MASKS.take(rows.length)
    return np.asarray((last >= frame.first) & (rows.network <= frame.first + frame.size - 1))


def segments(rows: Rows, frame: Frame) -> tuple[I64, I64]:
    """Cut the frame where a route begins or ends: length of each piece, and its winning row."""
    first, last = span(pack(rows.network, rows.length))
    edges = np.concatenate([first, last + np.uint64(1)]).astype(np.int64)
    end = frame.first + frame.size
    inner = edges[(edges > frame.first) & (edges < end)]
    cell_edges = np.arange(frame.first, end, frame.cell)
    edges = np.unique(np.concatenate([inner, cell_edges]))
    winner = LongestMatch(rows.network, rows.length).find(edges.astype(np.uint32))
    return np.diff(edges, append=end), winner


@dataclass(frozen=True)
class Shares:
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


def shares(rows: Rows, lengths: I64, winner: I64, top: int) -> Shares:
    """Return who holds what, of pieces as `segments` cuts them."""
    routed = winner >= 0
    held = np.bincount(rows.group[winner[routed]], lengths[routed], minlength=len(rows.names))
    order = np.argsort(-held, kind="stable")
    order = order[held[order] > 0]
    first, rest = order[:top], order[top:]
    rank = np.full(len(rows.names), len(first))
    rank[first] = np.arange(len(first))
    named = tuple((str(rows.names[group]), float(held[group])) for group in first)
    return Shares(named, len(rest), float(held[rest].sum()), rank)


def fill(frame: Frame, lengths: I64, rank: I64, winner: I64) -> tuple[I64, F64]:
    """Return each cell's rank, that of most of its routed addresses, and its routed share."""
    start = np.cumsum(lengths) - lengths
    cell = start // frame.cell  # no piece crosses the edge of a cell
    count, ranks = frame.side**2, int(rank.max(initial=0)) + 1
    routed = winner >= 0
    held = np.bincount(
        cell[routed] * ranks + rank[routed], lengths[routed], minlength=count * ranks
    ).reshape(count, ranks)
    return held.argmax(axis=1), held.sum(axis=1) / frame.cell


def nested(rows: Rows, frame: Frame) -> tuple[I64, I64]:
    """Return the ranges, first and past the last, of routes that lie in a shorter one."""
    inside = closest_cover(rows.network, rows.length, rows.region) >= 0
    network, length, _ = aggregate(rows.network[inside], rows.length[inside])
    first, last = span(pack(network, length))
    end = frame.first + frame.size
    low = np.clip(first.astype(np.int64), frame.first, end)
    return low, np.clip(last.astype(np.int64) + 1, frame.first, end)


def touched(ranges: tuple[I64, I64], frame: Frame) -> Mask:
    """Tell which cells hold a part of some ranges."""
    first = (ranges[0] - frame.first) // frame.cell
    last = (ranges[1] - 1 - frame.first) // frame.cell
    count = frame.side**2
    turns = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
    return np.asarray(np.cumsum(turns[:count]) > 0)
