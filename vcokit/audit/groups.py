"""How rows meet: one sort of the rows that take part, and what follows from it.

Sorted by (scope, network, length, connection), rows lie in runs within runs::

    scope  network      connection
    r      10.0.0.0/8   a           ┐ destination 0   ┐ place (a, 10.0.0.0/8): a crowd of two
    r      10.0.0.0/8   a           │                 ┘
    r      10.0.0.0/8   b           ┘                   place (b, 10.0.0.0/8): alone
    r      10.1.0.0/16  a             destination 1, covered by destination 0

Most places hold one row, and there is nothing to compare. What rules ask of rows of one connection
and network is therefore worked out for the *crowd* alone: rows that share their place.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from vcokit.audit.codes import I32, I64, NONE, Mask, dense, first_other, first_row
from vcokit.audit.facts import Facts
from vcokit.cidr.relations import closest_cover_sorted, pack, stable_order


class Groups:
    """Rows that take part, sorted once.

    Parameters
    ----------
    facts : Facts

    Attributes
    ----------
    rows : ndarray of int64
        Rows that take part, sorted as the module says; equal ones in their own order.
    destination : ndarray of int32
        Number of each row's destination, in sorted order; -1 of rows that take no part.
    count : int
        Number of destinations.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        rows = np.flatnonzero(facts.takes_part)
        prefixes = facts.prefixes
        key = pack(prefixes.network[rows], prefixes.length[rows], facts.scope[rows])
        connection = facts.connection[rows]
        order = _order(key, connection, facts.id_count)
        self.rows = rows[order]
        self._key = key[order]
        self._connection = connection[order]
        starts = np.concatenate([[True], self._key[1:] != self._key[:-1]])[: len(rows)]
        self._starts = np.flatnonzero(starts)
        self.count = len(self._starts)
        self._of_sorted: I32 = np.cumsum(starts, dtype=np.int32) - np.int32(1)
        self.destination = np.full(facts.size, NONE, dtype=np.int32)
        self.destination[self.rows] = self._of_sorted

    # -- destinations ---------------------------------------------------------------------------

    @cached_property
    def first(self) -> I64:
        """First row of each destination."""
        if self.count == 0:
            return np.zeros(0, dtype=np.int64)
        return np.minimum.reduceat(self.rows, self._starts)

    @cached_property
    def has_active(self) -> Mask:
        """By destination, whether an active route leads there; one more at the end, False."""
        active = np.zeros(self.count + 1, dtype=np.bool_)
        active[self.destination[self._facts.takes_part & self._facts.is_active]] = True
        return active

    @cached_property
    def first_active(self) -> I64:
        """First active row of each destination; -1 where there is none."""
        active = self._facts.takes_part & self._facts.is_active
        return first_row(np.where(active, self.destination, NONE), self.count)

    @cached_property
    def cover(self) -> I64:
        """The closest destination that holds each destination; -1 where none does.

        One more stands at the end, -1, for rows that take no part.
        """
        return np.append(closest_cover_sorted(self._key[self._starts]), NONE)

    @cached_property
    def same_way(self) -> Mask:
        """By destination, whether it has exactly the routes of the destination that covers it.

        The routes of a destination are a sorted list of numbers here, one a (connection, next
        hop, weight); lists of one length are compared place by place.
        """
        inner = np.flatnonzero(self.cover[:-1] >= 0)
        outer = self.cover[inner]
        lists, begin, size = self._route_lists(inner, outer)
        result = np.zeros(self.count + 1, dtype=np.bool_)
        equal = size[inner] == size[outer]
        inner, outer = inner[equal], outer[equal]
        lengths = size[inner]
        which = np.repeat(np.arange(len(inner)), lengths)
        place = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        differs = lists[begin[inner][which] + place] != lists[begin[outer][which] + place]
        result[inner] = np.bincount(which[differs], minlength=len(inner)) == 0
        return result

    def _route_lists(self, inner: I64, outer: I64) -> tuple[I64, I64, I64]:
        """Return the sorted routes of some destinations, where each list begins, and its length."""
        wanted = np.zeros(self.count, dtype=np.bool_)
        wanted[inner] = wanted[outer] = True
        chosen = wanted[self._of_sorted]
        rows, destination = self.rows[chosen], self._of_sorted[chosen]
        facts = self._facts
        hops = facts.connection[rows].astype(np.int64) * facts.code_count + facts.next_hop[rows]
        route = hops * 2 + facts.is_active[rows]
        same = destination[1:] == destination[:-1]
        if (same & (route[1:] < route[:-1])).any():
            order = np.lexsort([route, destination])
            route, destination = route[order], destination[order]
            same = destination[1:] == destination[:-1]
        distinct = np.concatenate([[True], ~(same & (route[1:] == route[:-1]))])[: len(route)]
        size = np.bincount(destination[distinct], minlength=self.count)
        return route[distinct], np.cumsum(size) - size, size

    def spare(self, in_error: Mask) -> Mask:
        """Tell of which destinations a plan makes all routes of the cover, and all or none of it.

        Of those that have the routes of their cover, these can be dropped: without them no address
        goes another way, neither as things are nor once rows in error are put right.

        Parameters
        ----------
        in_error : ndarray of bool
            Rows that a plan blocks for what they are.
        """
        lost = self._unmade(in_error)[self.rows]
        some_lost, some_made = (
            np.append(np.bincount(self._of_sorted[which], minlength=self.count) > 0, False)
            for which in (lost, ~lost)
        )
        return np.asarray(~some_lost[self.cover] & ~(some_lost & some_made))

    def _unmade(self, in_error: Mask) -> Mask:
        """Tell of which rows no row of their destination makes the route."""
        crowd = self.crowd
        unmade = in_error.copy()
        unmade[crowd.rows[crowd.disagrees]] = True
        route = dense(crowd.identity * self.count + self.destination[crowd.rows])
        made = np.zeros(len(route), dtype=np.bool_)
        made[route[~unmade[crowd.rows]]] = True
        unmade[crowd.rows] &= ~made[route]
        return unmade

    # -- places ---------------------------------------------------------------------------------

    @cached_property
    def crowd(self) -> Crowd:
        """Rows that share connection and network with another row."""
        rows = np.sort(self.rows[self._crowded()])
        facts = self._facts
        prefixes = facts.prefixes
        connection = facts.connection[rows].astype(np.int64)
        key = pack(prefixes.network[rows], prefixes.length[rows], connection)
        place = dense(key.view(np.int64))
        path = dense(place * facts.code_count + facts.next_hop[rows])
        active = facts.is_active[rows].astype(np.int64)
        return Crowd(rows, place, path, active)

    def _crowded(self) -> Mask:
        """Tell which sorted rows may share their place: neighbours, or of one split connection.

        A place knows no scope, so rows of one place lie apart where a connection's rows name
        several; of those connections all rows are taken, which is few in any sane inventory.
        """
        if self.count == 0:
            return np.zeros(0, dtype=np.bool_)
        same = (self._key[1:] == self._key[:-1]) & (self._connection[1:] == self._connection[:-1])
        crowded = np.concatenate([[False], same]) | np.concatenate([same, [False]])
        scope = self._facts.scope[self.rows]
        usual = np.zeros(self._facts.id_count, dtype=np.int64)
        usual[self._connection] = scope
        split = np.zeros(self._facts.id_count, dtype=np.bool_)
        split[self._connection[scope != usual[self._connection]]] = True
        return np.asarray(crowded | split[self._connection])


class Crowd:
    """Rows that share their place, ascending, numbered by what they share.

    Parameters
    ----------
    rows : ndarray of int64
    place : ndarray of int64
        Number of (connection, network).
    path : ndarray of int64
        Number of (connection, network, next hop).
    active : ndarray of int64
        1 of an active row, 0 of a standby one.
    """

    def __init__(self, rows: I64, place: I64, path: I64, active: I64) -> None:
        self.rows = rows
        self.place = place
        self.path = path
        self.active = active

    @cached_property
    def identity(self) -> I64:
        """Number of (connection, network, next hop, weight)."""
        return dense(self.path * 2 + self.active)

    @cached_property
    def disagrees(self) -> Mask:
        """Rows whose place has rows of other weight or next hop."""
        differing = self.place[first_other(self.place, self.identity) != NONE]
        return np.isin(self.place, differing)

    @cached_property
    def pair(self) -> I64:
        """Number of (connection, network, weight)."""
        return dense(self.place * 2 + self.active)


def _order(key: npt.NDArray[np.uint64], connection: I32, count: int) -> I64:
    """Return the order by (key, connection), equal rows in their own order.

    One sort of one number where the connection fits below the key.
    """
    bits = max(1, int(count).bit_length())
    if len(key) and int(key.max()).bit_length() + bits <= 64:
        packed = (key << np.uint64(bits)) | connection.astype(np.uint64)
        return stable_order(packed)
    inner = stable_order(connection.astype(np.uint64))
    return inner[stable_order(key[inner])]
