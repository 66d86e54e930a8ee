"""How rows are related: one sort of the rows that take part, and the groups that follow from it.

Sorted by (scope, network, length, connection), the rows form nested runs::

    scope  network      connection
    r      10.0.0.0/8   a           ┐ destination 0   ┐ two rows that contend for (a, 10.0.0.0/8)
    r      10.0.0.0/8   a           │                 ┘
    r      10.0.0.0/8   b           ┘                   does not contend
    r      10.1.0.0/16  a             destination 1, covered by destination 0
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from vcokit.audit.columns import I64, NONE, Mask, RouteColumns, dense, first_other, first_row
from vcokit.cidr.parse import U64
from vcokit.cidr.relations import GROUP_BITS, closest_cover_sorted, is_new, pack, stable_sort


class Groups:
    """Rows that take part, sorted once.

    Parameters
    ----------
    columns : RouteColumns

    Attributes
    ----------
    rows : ndarray of int64
        Rows that take part, sorted as described in the module; equal rows keep their order.
    destination : ndarray of int64
        Number of each row's destination, in sorted order; -1 for rows that take no part.
    count : int
        Number of destinations.
    """

    def __init__(self, columns: RouteColumns) -> None:
        self._columns = columns
        rows = np.flatnonzero(columns.takes_part)
        prefixes = columns.prefixes
        key = pack(
            prefixes.network.take(rows), prefixes.length.take(rows), columns.scope.take(rows)
        )
        connection = columns.connection.take(rows)
        order, self._key, self._connection = _sorted(key, connection, columns.id_count)
        self.rows = rows.take(order)
        starts = is_new(self._key)
        self._starts = np.flatnonzero(starts)
        self.count = len(self._starts)
        self._of_sorted: I64 = np.cumsum(starts) - 1
        self.destination = np.full(columns.size, NONE, dtype=np.int64)
        self.destination[self.rows] = self._of_sorted

    # -- destinations ---------------------------------------------------------------------------

    @cached_property
    def first(self) -> I64:
        """First row of each destination."""
        if self.count == 0:
            return np.zeros(0, dtype=np.int64)
        return np.minimum.reduceat(self.rows, self._starts)

    @cached_property
    def active(self) -> I64:
        """Active rows, ascending."""
        return np.flatnonzero(self._columns.takes_part & self._columns.is_active)

    @cached_property
    def first_active(self) -> I64:
        """First active row of each destination; -1 if there is none."""
        place = first_row(self.destination.take(self.active), self.count)
        return np.append(self.active, NONE).take(place)  # place -1 takes the last element

    @cached_property
    def cover(self) -> I64:
        """The closest destination that covers each destination; -1 if there is none.

        An extra element at the end, -1, is for rows that take no part.
        """
        return np.append(closest_cover_sorted(self._key[self._starts]), NONE)

    @cached_property
    def same_next_hop_set(self) -> Mask:
        """Whether each destination has exactly the routes of the destination that covers it.

        Here, the routes of a destination are a sorted list of numbers, one per (connection, next
        hop, weight). Lists of equal length are compared element by element.
        """
        inner = np.flatnonzero(self.cover[:-1] >= 0)
        outer = self.cover[inner]
        wanted = np.zeros(self.count, dtype=np.bool_)
        wanted[inner] = wanted[outer] = True
        route, size = self._routes_of(wanted)
        begin = np.cumsum(size) - size
        result = np.zeros(self.count + 1, dtype=np.bool_)
        equal = size[inner] == size[outer]
        inner, outer = inner[equal], outer[equal]
        lengths = size[inner]
        which = np.repeat(np.arange(len(inner)), lengths)
        element = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        differs = route[begin[inner][which] + element] != route[begin[outer][which] + element]
        result[inner] = np.bincount(which[differs], minlength=len(inner)) == 0
        return result

    def _routes_of(self, wanted: Mask) -> tuple[I64, I64]:
        """Return the distinct routes of some destinations, and the number per destination.

        The routes are sorted by destination, then by route.
        """
        chosen = wanted[self._of_sorted]
        rows, columns = self.rows[chosen], self._columns
        hop = columns.connection[rows] * columns.code_count
        route = dense((hop + columns.next_hop[rows]) * 2 + columns.is_active[rows])
        count = int(route.max(initial=0)) + 1
        both = np.sort(self._of_sorted[chosen] * count + route)
        both = both[is_new(both)]
        destination, route = np.divmod(both, count)
        return route, np.bincount(destination, minlength=self.count)

    def redundant(self, has_row_error: Mask) -> Mask:
        """Return which destinations can be dropped, because they have the routes of their cover.

        In addition, a plan must include all routes of the cover, and all or none of the
        destination. Then no address is forwarded differently without the destination, neither now
        nor after rows in error are corrected.
        """
        inner = np.flatnonzero(self.same_next_hop_set)
        outer = self.cover[inner]
        asked = np.zeros(self.count, dtype=np.bool_)
        asked[inner] = asked[outer] = True
        chosen = asked[self._of_sorted]
        destination = self._of_sorted[chosen]
        lost = self._unmade(has_row_error)[self.rows[chosen]]
        some_lost, some_made = (
            np.bincount(destination[which], minlength=self.count) > 0 for which in (lost, ~lost)
        )
        result = np.zeros(self.count + 1, dtype=np.bool_)
        result[inner] = ~some_lost[outer] & ~(some_lost & some_made)[inner]
        return result

    def _unmade(self, has_row_error: Mask) -> Mask:
        """Return the rows whose route no row of their destination adds to a plan."""
        contending = self.contending
        unmade = has_row_error.copy()
        unmade[contending.rows[contending.disagrees]] = True
        route = dense(contending.route_key * self.count + self.destination[contending.rows])
        made = np.zeros(len(route), dtype=np.bool_)
        made[route[~unmade[contending.rows]]] = True
        unmade[contending.rows] &= ~made[route]
        return unmade

    # -- rows of one connection and network -----------------------------------------------------

    @cached_property
    def contending(self) -> Contending:
        """Rows that share connection and network with another row."""
        rows = np.sort(self.rows[self._may_contend()])
        columns = self._columns
        prefixes = columns.prefixes
        connection = columns.connection[rows]
        key = pack(prefixes.network[rows], prefixes.length[rows], connection)
        prefix_key = dense(key.view(np.int64))
        nexthop_key = dense(prefix_key * columns.code_count + columns.next_hop[rows])
        active = columns.is_active[rows].astype(np.int64)
        return Contending(rows, prefix_key, nexthop_key, active)

    def _may_contend(self) -> Mask:
        """Return which sorted rows may contend: neighbours, and connections in several scopes.

        Contending rows are compared across scopes. If a connection's rows name several scopes, its
        rows for one network are not neighbours; so all rows of such connections are included.
        A normal inventory has few of them.
        """
        if self.count == 0:
            return np.zeros(0, dtype=np.bool_)
        same = (self._key[1:] == self._key[:-1]) & (self._connection[1:] == self._connection[:-1])
        neighbours: Mask = np.concatenate([[False], same]) | np.concatenate([same, [False]])
        scope = self._key >> np.uint64(GROUP_BITS)
        if scope[0] == scope[-1]:
            return neighbours
        usual = np.zeros(self._columns.id_count, dtype=np.uint64)
        usual[self._connection] = scope
        elsewhere = scope != usual.take(self._connection)
        if not elsewhere.any():
            return neighbours
        split = np.zeros(self._columns.id_count, dtype=np.bool_)
        split[self._connection[elsewhere]] = True
        return np.asarray(neighbours | split.take(self._connection))


class Contending:
    """Rows that share connection and network with another row, numbered by what they share.

    A clean inventory has few such rows, and only they get these numbers. Sorting all rows by next
    hop and weight as well would make the audit of a million clean rows take half as long again.

    Parameters
    ----------
    rows : ndarray of int64
        Ascending.
    prefix_key : ndarray of int64
        Number of (connection, network).
    nexthop_key : ndarray of int64
        Number of (connection, network, next hop).
    active : ndarray of int64
        1 for an active row, 0 for a standby row.
    """

    def __init__(self, rows: I64, prefix_key: I64, nexthop_key: I64, active: I64) -> None:
        self.rows = rows
        self.prefix_key = prefix_key
        self.nexthop_key = nexthop_key
        self.active = active

    @cached_property
    def weight_key(self) -> I64:
        """Number of (connection, network, weight)."""
        return dense(self.prefix_key * 2 + self.active)

    @cached_property
    def route_key(self) -> I64:
        """Number of (connection, network, next hop, weight)."""
        return dense(self.nexthop_key * 2 + self.active)

    @cached_property
    def disagrees(self) -> Mask:
        """Whether other rows of the same connection and network differ in weight or next hop."""
        differing = self.prefix_key[first_other(self.prefix_key, self.route_key) != NONE]
        return np.isin(self.prefix_key, differing)


def _sorted(key: U64, connection: I64, count: int) -> tuple[I64, U64, I64]:
    """Return the stable order by (key, connection), and the sorted keys and connections.

    If the connection fits below the key in 64 bits, this is one sort of one number.
    """
    bits = count.bit_length()
    if int(key.max(initial=0)).bit_length() + bits <= 64:
        below = np.uint64(bits)
        order, ordered = stable_sort((key << below) | connection.astype(np.uint64))
        found = ordered & np.uint64((1 << bits) - 1)
        return order, ordered >> below, found.view(np.int64)
    inner, _ = stable_sort(connection.astype(np.uint64))
    outer, ordered = stable_sort(key.take(inner))
    order = inner.take(outer)
    return order, ordered, connection.take(order)
