"""Destinations in and around a prefix, each under the closest that holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from vcokit.cidr.array import from_keys
from vcokit.cidr.parse import I64, NONE, Mask
from vcokit.cidr.relations import closest_cover_sorted, pack
from vcokit.cidr.scalar import Cidr
from vcokit.plots.columns import Rows


def numbers(prefix: Cidr) -> tuple[int, int]:
    """Return network and length of a prefix."""
    return prefix.network, prefix.prefix_length


class Tree:
    """Destinations in and around a prefix, that one too.

    Parameters
    ----------
    rows : Rows
        Each with a prefix that holds the one asked about or lies in it.
    asked : Cidr

    Attributes
    ----------
    keys : ndarray of uint64
        Distinct destinations, sorted: a tree's rows from above.
    node : ndarray of int64
        Destination of each row.
    cover, depth : ndarray of int64
        Position of the closest that holds each, -1 at the top; how many hold it.
    asked : int
        Position of the prefix asked about.
    """

    def __init__(self, rows: Rows, asked: Cidr) -> None:
        self.prefix = asked
        network, length = numbers(asked)
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
        """Climb from every destination while the next one is wanted: steps, and where it ended."""
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
        """Return the destinations shown: the outer ones, and all that hold what is asked about."""
        order = np.lexsort((np.arange(len(self.keys)), self.depth))
        number = max(top, int(self.depth[self.asked]) + 1)
        return np.sort(order[:number])

    def hidden(self, kept: I64) -> I64:
        """Return, for each destination shown, how many below it are not."""
        is_kept = np.zeros(len(self.keys), dtype=np.bool_)
        is_kept[kept] = True
        at = np.arange(len(self.keys))
        while not is_kept[at].all():
            at = np.where(is_kept[at], at, self.cover[at])
        return np.bincount(at, minlength=len(self.keys))[kept] - 1

    def title(self) -> str:
        """Say how many destinations hold the prefix, and how many lie in it."""
        around = int(self.depth[self.asked])
        inside = len(self.keys) - around - 1
        what = "is a destination" if self.is_route else "is no destination itself"
        holds = f"{around:,} hold{'s' if around == 1 else ''} it" if around else "none holds it"
        lies = f"{inside:,} lie{'s' if inside == 1 else ''} in it" if inside else "none lies in it"
        deep = int(self.depth.max()) - around
        levels = f", {deep} deep" if deep > 1 else ""
        return f"{self.prefix} {what}; {holds}, {lies}{levels}"
