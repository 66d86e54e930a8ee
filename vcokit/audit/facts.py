"""What every rule looks at, worked out once: codes, parsed networks, and who takes part.

Strings become small numbers here, so that rules compare integers::

    region          code a region            -1 where the cell is empty
    connection      code a connection        live and next hops share the numbering
    next_hop        code a next hop
    weight          0, 100, or another int   -1 where there is no integer
    network, length, flags                   see vcokit.cidr.parse
    takes_part      complete, a prefix longer than /0, weight 0 or 100
    scope           code a scope             -1 where a column of it is empty
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.cidr.parse import HOST_BITS, IPV6, MALFORMED, parse
from vcokit.cidr.relations import NONE, closest_cover, pack
from vcokit.errors import InputError

I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

ACTIVE: Final = 100
STANDBY: Final = 0

#: A connection's id: ``vco-`` and letters, digits or the ``*`` that documents mask ids with.
CONNECTION_ID: Final = r"vco-[A-Za-z0-9*]+"

#: Fields whose absence is a finding, in the order in which the cloud asks for them.
NEEDED: Final = ("region_id", "vpn_connection_id", "route_dest", "weight", "next_hop")


class Facts:
    """An inventory as numbers.

    Parameters
    ----------
    routes : DataFrame
        Any frame that `vcokit.schema.conform_routes` takes.
    live : DataFrame, optional
        Live routes; those that are not destination routes are passed over.
    connections : DataFrame, optional
        Live connections.
    scope : sequence of str
        Columns of `routes` within which destinations meet.
    """

    def __init__(
        self,
        routes: pd.DataFrame,
        *,
        live: pd.DataFrame | None = None,
        connections: pd.DataFrame | None = None,
        scope: Sequence[str] = ("region_id",),
    ) -> None:
        self.routes = schema.conform_routes(routes)
        self.size = len(self.routes)
        schema.require_columns(routes, scope, what="routes (for scope=)")
        self._scope_columns = [
            self.routes[name] if name in schema.ROUTES else schema.text_column(routes[name])
            for name in scope
        ]
        self.prefixes = parse(self.routes["route_dest"])
        self.live = None if live is None else _custom_routes(live)
        self.connections = connections
        if connections is not None:
            schema.require_columns(
                connections, ("vpn_connection_id", "region_id"), what="connections"
            )
        self.region = codes_of(self.routes["region_id"])
        self._number_connections()

    def _number_connections(self) -> None:
        columns = [self.routes["vpn_connection_id"], self.routes["next_hop"]]
        if self.live is not None:
            columns += [self.live["vpn_connection_id"], self.live["next_hop"]]
        codes = codes_of(pd.concat(columns, ignore_index=True))
        parts = np.split(codes, np.cumsum([len(column) for column in columns])[:-1])
        self.connection, self.next_hop = parts[0], parts[1]
        if self.live is not None:
            self.live_connection, self.live_next_hop = parts[2], parts[3]
        self.code_count = int(codes.max(initial=-1)) + 1

    @cached_property
    def weight(self) -> I64:
        """Weight of each row; -1 where there is no integer."""
        return self.routes["weight"].fillna(-1).to_numpy(dtype=np.int64)

    @cached_property
    def has_weight(self) -> Mask:
        """Where something stands in the weight's cell."""
        frame = self.routes
        return (frame["weight"].notna() | frame["weight_text"].notna()).to_numpy()

    @cached_property
    def weight_ok(self) -> Mask:
        """Where the weight is 0 or 100."""
        return np.asarray((self.weight == ACTIVE) | (self.weight == STANDBY))

    @cached_property
    def empty(self) -> dict[str, Mask]:
        """Where each of the `NEEDED` fields is empty."""
        masks = {name: self.routes[name].isna().to_numpy() for name in NEEDED}
        masks["weight"] = ~self.has_weight
        return masks

    @cached_property
    def complete(self) -> Mask:
        """Where none of the `NEEDED` fields is empty."""
        return np.asarray(~np.logical_or.reduce(list(self.empty.values())))

    @cached_property
    def id_ok(self) -> Mask:
        """Where there is a connection id of the right form."""
        ids = self.routes["vpn_connection_id"].str.fullmatch(CONNECTION_ID)
        return ids.fillna(False).to_numpy(dtype=bool)

    @property
    def malformed(self) -> Mask:
        """Where a destination stands that is no prefix of either kind."""
        return np.asarray((self.prefixes.flags & MALFORMED) != 0)

    @property
    def ipv6(self) -> Mask:
        """Where an IPv6 prefix stands."""
        return np.asarray((self.prefixes.flags & IPV6) != 0)

    @cached_property
    def is_default(self) -> Mask:
        """Where the destination is of length 0."""
        return np.asarray(self.prefixes.length == 0)

    @cached_property
    def has_network(self) -> Mask:
        """Where the destination is an IPv4 prefix longer than /0."""
        return np.asarray(self.prefixes.valid & ~self.is_default)

    @cached_property
    def host_bits(self) -> Mask:
        """Where an IPv4 prefix longer than /0 has host bits set."""
        return np.asarray(((self.prefixes.flags & HOST_BITS) != 0) & self.has_network)

    @cached_property
    def takes_part(self) -> Mask:
        """Rows that the rules from ``duplicate`` down look at."""
        return np.asarray(self.complete & self.weight_ok & self.has_network)

    @cached_property
    def scope(self) -> I64:
        """Code of each row's scope; an empty cell of a scope column is a value of its own."""
        code = np.zeros(self.size, dtype=np.int64)
        for column in self._scope_columns:
            codes = codes_of(column) + 1
            code = dense(code * (int(codes.max(initial=0)) + 1) + codes)
        return code

    @cached_property
    def place(self) -> I64:
        """Code of (connection, network) of rows that take part; -1 elsewhere."""
        return self._places[0]

    @cached_property
    def _places(self) -> tuple[I64, pd.Index]:
        return self._part_codes(self.connection)

    @cached_property
    def destination(self) -> I64:
        """Code of (scope, network) of rows that take part; -1 elsewhere."""
        return self._part_codes(self.scope)[0]

    def _part_codes(self, group: I64) -> tuple[I64, pd.Index]:
        rows = np.flatnonzero(self.takes_part)
        prefixes = self.prefixes
        key = pack(prefixes.network[rows], prefixes.length[rows], group[rows])
        codes = np.full(self.size, NONE, dtype=np.int64)
        codes[rows], distinct = pd.factorize(key)
        return codes, pd.Index(distinct)

    @cached_property
    def path(self) -> I64:
        """Code of (place, next hop) of rows that take part; -1 elsewhere."""
        return self.within_place(self.next_hop, self.code_count)

    def within_place(self, values: I64, count: int) -> I64:
        """Return a code of (place, value), values below `count`; -1 where there is no place."""
        return dense(np.where(self.place >= 0, self.place * count + values, NONE))

    @cached_property
    def cover(self) -> I64:
        """First row of the closest shorter network of the scope, of any connection; -1 if none."""
        rows = np.flatnonzero(self.takes_part)
        prefixes = self.prefixes
        inside = closest_cover(prefixes.network[rows], prefixes.length[rows], self.scope[rows])
        cover = np.full(self.size, NONE, dtype=np.int64)
        cover[rows] = np.where(inside >= 0, rows[inside], NONE)
        return cover

    @cached_property
    def has_active(self) -> Mask:
        """By code of a destination, whether an active route leads there; False at the end."""
        active = np.zeros(int(self.destination.max(initial=-1)) + 2, dtype=np.bool_)
        active[self.destination[self.takes_part & (self.weight == ACTIVE)]] = True
        return active

    @cached_property
    def same_way(self) -> Mask:
        """Rows whose destination has the same routes as the network that covers it.

        Two sets are equal if they are of one size and each route of one stands in the other; a
        route of a set is one number here, (destination, route).
        """
        part = self.takes_part
        hops = self.connection * self.code_count + self.next_hop
        route = dense(np.where(part, hops * 2 + (self.weight == ACTIVE), NONE))
        count = int(route.max(initial=-1)) + 1
        rows = np.flatnonzero(part)
        pairs, where = np.unique(self.destination[rows] * count + route[rows], return_index=True)
        member = rows[where]
        cover = self.cover[member]
        around = np.where(cover >= 0, self.destination[cover], NONE)
        shared = np.isin(around * count + route[member], pairs) & (around >= 0)
        size = np.bincount(self.destination[member], minlength=self.has_active.size)
        in_both = np.bincount(self.destination[member][shared], minlength=len(size))
        cover_size = np.where(self.cover >= 0, size[self.destination[self.cover]], NONE)
        own = self.destination
        return np.asarray((size[own] == cover_size) & (in_both[own] == cover_size))

    def live_places(self) -> I64:
        """Return the code of (connection, network) of each live route; -1 where no row has it."""
        if self.live is None:
            raise LookupError("no live routes were given")
        prefixes = parse(self.live["route_dest"])
        known = np.flatnonzero(prefixes.valid & (self.live_connection >= 0))
        key = pack(prefixes.network[known], prefixes.length[known], self.live_connection[known])
        places = np.full(len(prefixes), NONE, dtype=np.int64)
        places[known] = self._places[1].get_indexer(pd.Index(key))
        return places


def codes_of(column: pd.Series) -> I64:
    """Number the distinct values of a column from 0 in order of appearance; -1 where missing."""
    return np.asarray(pd.factorize(cast(Any, column.array))[0], dtype=np.int64)


def dense(codes: I64) -> I64:
    """Renumber codes from 0 in order of appearance; negative ones become -1."""
    result = np.full(len(codes), NONE, dtype=np.int64)
    there = codes >= 0
    result[there] = pd.factorize(codes[there])[0]
    return result


def first_row(codes: I64) -> I64:
    """Return, by code, the first row that has it; codes below 0 are passed over.

    Examples
    --------
    >>> first_row(np.array([1, -1, 0, 1])).tolist()
    [2, 0]
    """
    rows = np.flatnonzero(codes >= 0)[::-1]
    first = np.full(int(codes.max(initial=-1)) + 1, NONE, dtype=np.int64)
    first[codes[rows]] = rows
    return first


def first_other(codes: I64, values: I64) -> I64:
    """Return, for each row, the first row of its code that has another value; -1 where none has.

    Parameters
    ----------
    codes : ndarray of int64
        Group of each row; rows below 0 are passed over and get -1.
    values : ndarray of int64
        What is compared.

    Examples
    --------
    >>> first_other(np.array([0, 0, 0, 1]), np.array([7, 7, 9, 9])).tolist()
    [2, 2, 0, -1]
    """
    result = np.full(len(codes), NONE, dtype=np.int64)
    rows = np.flatnonzero(codes >= 0)
    if len(rows) == 0:
        return result
    code, value = codes[rows], values[rows]
    first = first_row(codes)
    differs = value != values[first[code]]
    second = np.full(len(first), NONE, dtype=np.int64)
    others = rows[differs][::-1]
    second[codes[others]] = others
    result[rows] = np.where(differs, first[code], second[code])
    return result


def _custom_routes(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live ones; BGP routes are none."""
    needed = ("vpn_connection_id", "route_dest", "next_hop", "weight")
    schema.require_columns(live, needed, what="live routes")
    live = schema.destination_routes(live)
    frame = pd.DataFrame({name: schema.text_column(live[name]) for name in needed[:3]})
    weight, text = schema.split_weight(live["weight"])
    if text.notna().any():
        raise InputError(
            f"a live route has the weight {text.dropna().iloc[0]!r}",
            remedy="Pass what vk.live_routes returned",
        )
    return frame.assign(weight=weight.fillna(-1).astype("int64"))
