"""What every rule looks at, worked out once: each row by itself, as numbers and masks.

::

    region, connection, next_hop   a number a word, -1 where the cell is empty; next hops and the
                                   connections and next hops of live routes share one numbering
    weight                         0, 100, or another int; -1 where there is no integer
    prefixes                       network, length, flags: see `vcokit.cidr.parse`
    takes_part                     complete, a prefix longer than /0, weight 0 or 100
    scope                          a number a scope; an empty cell in it is a value of its own

How rows meet other rows stands in `vcokit.audit.groups`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.codes import I32, I64, NONE, Mask, Vocabulary, dense, strings
from vcokit.cidr.parse import HOST_BITS, IPV6, MALFORMED, parse
from vcokit.cloud.endpoints import is_region
from vcokit.errors import InputError

ACTIVE: Final = 100
STANDBY: Final = 0

#: A connection's id: ``vco-`` and letters, digits or the ``*`` that documents mask ids with. The
#: vendor's have 25 characters; 64 leave room, and fit every request.
CONNECTION_ID: Final = r"vco-[A-Za-z0-9*]{1,60}"

#: Most bytes of a description, percent-encoded. All parameters stand in the query of a request;
#: of an address 8,000 bytes are understood everywhere (RFC 9110, 4.1), the rest takes under 2,000.
DESCRIPTION_BYTES: Final = 6_000

#: Fields whose absence is a finding, in the order in which the cloud asks for them.
NEEDED: Final = ("region_id", "vpn_connection_id", "route_dest", "weight", "next_hop")

#: Columns of routes that an audit reads.
_READ: Final = tuple(name for name in schema.ROUTES if name != "description")


def is_connection(ids: pd.Series) -> Mask:
    """Tell which cells have the form of a connection's id. No other counts as a connection.

    Examples
    --------
    >>> is_connection(pd.Series(["vco-a", "vpn-a", None])).tolist()
    [True, False, False]
    """
    return schema.text_column(ids).str.fullmatch(CONNECTION_ID, na=False).to_numpy(dtype=np.bool_)


def count_connections(rows: pd.DataFrame) -> int:
    """Return how many connections the rows of an inventory, or the steps of a plan, name.

    Examples
    --------
    >>> count_connections(pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-a", "vpn-b", None]}))
    1
    """
    ids = rows["vpn_connection_id"]
    return int(ids[is_connection(ids)].nunique())


class Facts:
    """An inventory as numbers, a row at a time.

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
        self.given = routes
        self.routes = schema.conform_routes(routes, _READ)
        self.size = len(self.routes)
        schema.require_columns(routes, scope, what="routes (for scope=)")
        self._others = {
            name: strings(schema.text_column(routes[name])) for name in scope if name not in _READ
        }
        self._scope = tuple(scope)
        self.live = None if live is None else _custom_routes(live)
        self.connections = connections
        if connections is not None:
            schema.require_columns(
                connections, ("vpn_connection_id", "region_id"), what="connections"
            )
        self.prefixes = parse(self.routes["route_dest"])
        self._number_words()

    def _number_words(self) -> None:
        self.regions = Vocabulary(strings(self.routes["region_id"]))
        self.region = self.regions.codes
        ids = strings(self.routes["vpn_connection_id"])
        self.ids = Vocabulary(ids)
        self.connection = self.ids.codes
        self.id_count = len(self.ids)
        # Nearly every next hop is its own connection, which is cheaper to see than to look up.
        hops = strings(self.routes["next_hop"])
        same = pc.fill_null(pc.equal(ids, hops), False).to_numpy(zero_copy_only=False)
        self.next_hop = self.connection.copy()
        others = np.flatnonzero(~same)
        self.next_hop[others] = self.ids.number(hops.filter(pa.array(~same)))
        if self.live is not None:
            self.live_connection = self.ids.number(strings(self.live["vpn_connection_id"]))
            self.live_next_hop = self.ids.number(strings(self.live["next_hop"]))

    def text(self, rows: I64, column: str) -> pd.Series:
        """Return a column of some rows on a fresh index."""
        numbered = {
            "region_id": (self.regions, self.region),
            "vpn_connection_id": (self.ids, self.connection),
            "next_hop": (self.ids, self.next_hop),
        }
        if column in numbered:
            words, codes = numbered[column]
            return words.take(codes[rows])
        values = self.routes[column].array
        return pd.Series((self._flat_dest if column == "route_dest" else values).take(rows))

    @cached_property
    def _flat_dest(self) -> Any:
        """Destinations in one piece, from which rows are taken more quickly."""
        text = strings(self.routes["route_dest"])
        flat = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        return pd.Series(flat, dtype="str").array

    @property
    def code_count(self) -> int:
        """Number of connections and next hops together."""
        return len(self.ids)

    @cached_property
    def weight(self) -> I64:
        """Weight of each row; -1 where there is no integer."""
        return self.routes["weight"].to_numpy(dtype=np.int64, na_value=-1)

    @cached_property
    def is_active(self) -> Mask:
        """Where the weight is 100."""
        return np.asarray(self.weight == ACTIVE)

    @cached_property
    def has_weight(self) -> Mask:
        """Where something stands in the weight's cell."""
        frame = self.routes
        return (frame["weight"].notna() | frame["weight_text"].notna()).to_numpy()

    @cached_property
    def weight_ok(self) -> Mask:
        """Where the weight is 0 or 100."""
        return np.asarray(self.is_active | (self.weight == STANDBY))

    @cached_property
    def empty(self) -> dict[str, Mask]:
        """Where each of the `NEEDED` fields is empty."""
        return {
            "region_id": self.region == NONE,
            "vpn_connection_id": self.connection == NONE,
            "route_dest": self.routes["route_dest"].isna().to_numpy(),
            "weight": ~self.has_weight,
            "next_hop": self.next_hop == NONE,
        }

    @cached_property
    def complete(self) -> Mask:
        """Where none of the `NEEDED` fields is empty."""
        return np.asarray(~np.logical_or.reduce(list(self.empty.values())))

    @cached_property
    def id_ok(self) -> Mask:
        """Where there is a connection id of the right form."""
        good = pc.match_substring_regex(self.ids.words, f"^{CONNECTION_ID}$")
        by_code = np.append(good.to_numpy(zero_copy_only=False), False)
        return np.asarray(by_code[self.connection])  # code -1 reads the last element

    @cached_property
    def region_ok(self) -> Mask:
        """Where there is a region of the right form."""
        by_code = [*map(is_region, self.regions.words.to_pylist()), False]
        return np.asarray(by_code, dtype=np.bool_)[self.region]

    @cached_property
    def description_bytes(self) -> I64:
        """Bytes that each description takes in a request; 0 where all of them are short."""
        size = np.zeros(self.size, dtype=np.int64)
        if "description" in self.given.columns:
            cells = strings(schema.text_column(self.given["description"]))
            plain = pc.fill_null(pc.binary_length(cells), 0).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(3 * plain > DESCRIPTION_BYTES):  # a byte takes three at most
                size[row] = len(quote(cells[row].as_py(), safe=""))
        return size

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
        """Number of each row's scope."""
        code = np.zeros(self.size, dtype=np.int64)
        for name in self._scope:
            codes = self._codes(name).astype(np.int64) + 1
            code = code * (int(codes.max(initial=0)) + 1) + codes
            if len(self._scope) > 1:
                code = dense(code)
        return code

    def _codes(self, name: str) -> I32:
        if name == "region_id":
            return self.region
        words = self._others[name] if name in self._others else self._text(name)
        return Vocabulary(words).codes

    def _text(self, name: str) -> Any:
        column = self.routes[name]
        return strings(column if column.dtype == schema.STR else column.astype(schema.STR))


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
