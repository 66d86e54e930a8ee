"""The routes as numbers and masks, one element per row; the input of every rule, computed once.

::

    region, connection, next_hop   a code per word, -1 if the cell is empty; connections and next
                                   hops, of the rows and of live routes, share one numbering
    weight                         0, 100, or another integer; -1 if there is none
    prefixes                       network, length, flags: see `vcokit.cidr.parse`
    takes_part                     complete, a prefix longer than /0, weight 0 or 100
    scope                          a code per scope; an empty cell counts as a value of its own

See `vcokit.audit.groups` for how rows are related to other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.cidr.parse import HOST_BITS, IPV6, MALFORMED, parse
from vcokit.cidr.relations import is_new
from vcokit.cloud.endpoints import is_region
from vcokit.errors import InputError

I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
#: An Arrow array of large_string. pyarrow has no type annotations.
Text: TypeAlias = Any

TEXT: Final = pa.large_string()
NONE: Final = -1

ACTIVE: Final = 100
STANDBY: Final = 0

#: A connection's id: ``vco-`` and letters, digits or ``*``, with which documents mask ids. The
#: vendor's ids have 25 characters; 64 leave room for longer ids, and fit into every request.
CONNECTION_ID: Final = r"vco-[A-Za-z0-9*]{1,60}"

#: Most bytes of a description, percent-encoded. All parameters are in the query of a request. URLs
#: of 8,000 bytes are supported everywhere (RFC 9110, 4.1), and the other parts take under 2,000.
DESCRIPTION_BYTES: Final = 6_000

#: Fields whose absence is a finding, in the order in which the cloud checks them.
NEEDED: Final = ("region_id", "vpn_connection_id", "route_dest", "weight", "next_hop")

#: Columns of routes that an audit reads.
_READ: Final = tuple(name for name in schema.ROUTES if name != "description")


def is_connection(ids: pd.Series) -> Mask:
    """Return which cells have the form of a connection's id; no other cells count as connections.

    Examples
    --------
    >>> is_connection(pd.Series(["vco-a", "vpn-a", None])).tolist()
    [True, False, False]
    """
    return schema.text_column(ids).str.fullmatch(CONNECTION_ID, na=False).to_numpy(dtype=np.bool_)


def count_connections(rows: pd.DataFrame) -> int:
    """Return the number of connections that the rows of an inventory or a plan name.

    Examples
    --------
    >>> count_connections(pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-a", "vpn-b", None]}))
    1
    """
    ids = rows["vpn_connection_id"]
    return int(ids[is_connection(ids)].nunique())


class RouteColumns:
    """An inventory as numbers and masks, one element per row.

    Parameters
    ----------
    routes : DataFrame
        Any frame that `vcokit.schema.conform_routes` accepts.
    live : DataFrame, optional
        Live routes; those that are not destination routes are ignored.
    connections : DataFrame, optional
        Live connections.
    scope : sequence of str
        Columns of `routes`; destinations are compared only if they agree in all of these.
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
        ids = strings(self.routes["vpn_connection_id"])
        self.regions = Dictionary(strings(self.routes["region_id"]))
        self.prefixes = parse(self.routes["route_dest"])
        self.ids = Dictionary(ids)
        self.region = self.regions.codes
        self.connection = self.ids.codes
        #: Number of connections; codes of other next hops and of live connections are not lower.
        self.id_count = len(self.ids)
        # Nearly every next hop is the row's own connection. Comparing is cheaper than a lookup.
        hops = strings(self.routes["next_hop"])
        others = ~_mask(pc.fill_null(pc.equal(ids, hops), False))
        self.next_hop = self.connection.copy()
        self.next_hop[others] = self.ids.number(hops.filter(pa.array(others)))
        if self.live is not None:
            self.live_connection = self.ids.number(strings(self.live["vpn_connection_id"]))
            self.live_next_hop = self.ids.number(strings(self.live["next_hop"]))

    def text(self, rows: I64, column: str) -> Text:
        """Return a column of some rows; null if the cell is empty."""
        coded = {
            "region_id": (self.regions, self.region),
            "vpn_connection_id": (self.ids, self.connection),
            "next_hop": (self.ids, self.next_hop),
        }
        if column in coded:
            words, codes = coded[column]
            return words.text(codes[rows])
        if column == "route_dest":
            return self._destinations.take(pa.array(rows))
        return as_text(pd.Series(self.routes[column].array.take(rows)))

    @cached_property
    def _destinations(self) -> Text:
        """Destinations as one array, because taking rows from chunks is slower."""
        return as_text(self.routes["route_dest"])

    @property
    def code_count(self) -> int:
        """Number of connections and next hops together."""
        return len(self.ids)

    @cached_property
    def weight(self) -> I64:
        """Weight of each row; -1 if it is not an integer."""
        return self.routes["weight"].to_numpy(dtype=np.int64, na_value=-1)

    @cached_property
    def is_active(self) -> Mask:
        """Whether the weight is 100."""
        return np.asarray(self.weight == ACTIVE)

    @cached_property
    def has_weight(self) -> Mask:
        """Whether the weight's cell is not empty."""
        frame = self.routes
        return (frame["weight"].notna() | frame["weight_text"].notna()).to_numpy()

    @cached_property
    def weight_ok(self) -> Mask:
        """Whether the weight is 0 or 100."""
        return np.asarray(self.is_active | (self.weight == STANDBY))

    @cached_property
    def empty(self) -> dict[str, Mask]:
        """Whether each of the `NEEDED` fields is empty."""
        return {
            "region_id": self.region == NONE,
            "vpn_connection_id": self.connection == NONE,
            "route_dest": self.routes["route_dest"].isna().to_numpy(),
            "weight": ~self.has_weight,
            "next_hop": self.next_hop == NONE,
        }

    @cached_property
    def complete(self) -> Mask:
        """Whether none of the `NEEDED` fields is empty."""
        return np.asarray(~np.logical_or.reduce(list(self.empty.values())))

    @cached_property
    def id_ok(self) -> Mask:
        """Whether there is a connection id of the right form."""
        good = pc.match_substring_regex(self.ids.words, f"^{CONNECTION_ID}$")
        return np.append(_mask(good), False).take(self.connection)  # code -1 takes the last element

    @cached_property
    def region_ok(self) -> Mask:
        """Whether there is a region of the right form."""
        by_code = [*map(is_region, self.regions.words.to_pylist()), False]
        return np.asarray(by_code, dtype=np.bool_).take(self.region)

    @cached_property
    def description_bytes(self) -> I64:
        """Bytes that each description takes in a request; 0 for short ones, which always fit."""
        size = np.zeros(self.size, dtype=np.int64)
        if "description" in self.given.columns:
            cells = strings(schema.text_column(self.given["description"]))
            # Percent-encoding turns a byte into at most three.
            long = pc.greater(pc.binary_length(cells), DESCRIPTION_BYTES // 3)
            if pc.any(long).as_py():
                for row in np.flatnonzero(_mask(pc.fill_null(long, False))):
                    size[row] = len(quote(cells[row].as_py(), safe=""))
        return size

    @property
    def malformed(self) -> Mask:
        """Whether there is a destination that is neither an IPv4 nor an IPv6 prefix."""
        return np.asarray((self.prefixes.flags & MALFORMED) != 0)

    @property
    def ipv6(self) -> Mask:
        """Whether the destination is an IPv6 prefix."""
        return np.asarray((self.prefixes.flags & IPV6) != 0)

    @cached_property
    def is_default(self) -> Mask:
        """Whether the destination has length 0."""
        return np.asarray(self.prefixes.length == 0)

    @cached_property
    def has_network(self) -> Mask:
        """Whether the destination is an IPv4 prefix longer than /0."""
        return np.asarray(self.prefixes.valid & ~self.is_default)

    @cached_property
    def host_bits(self) -> Mask:
        """Whether the destination is an IPv4 prefix longer than /0 with host bits set."""
        return np.asarray(((self.prefixes.flags & HOST_BITS) != 0) & self.has_network)

    @cached_property
    def takes_part(self) -> Mask:
        """Rows that rules about several rows compare: from ``duplicate`` on, in rule order."""
        return np.asarray(self.complete & self.weight_ok & self.has_network)

    @cached_property
    def scope(self) -> I64:
        """Code of each row's scope."""
        code = np.zeros(self.size, dtype=np.int64)
        for name in self._scope:
            codes = self._codes(name) + 1
            code = code * (int(codes.max(initial=0)) + 1) + codes
            if len(self._scope) > 1:
                code = dense(code)
        return code

    def _codes(self, name: str) -> I64:
        if name == "region_id":
            return self.region
        if name in self._others:
            return Dictionary(self._others[name]).codes
        column = self.routes[name]
        text = column if column.dtype == schema.STR else column.astype(schema.STR)
        return Dictionary(strings(text)).codes


def _custom_routes(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live routes, without BGP routes."""
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


# -- words as codes ---------------------------------------------------------------------------


def strings(column: pd.Series) -> Any:
    """Return a column of text as an Arrow array, flat or chunked, without a copy."""
    text = pa.array(column.array, from_pandas=True)
    if isinstance(text, pa.ChunkedArray) and not text.num_chunks:
        text = pa.nulls(0, TEXT)
    return text if text.type == TEXT else text.cast(TEXT)


def as_text(column: pd.Series) -> Text:
    """Return a column of text as one Arrow array."""
    text = strings(column)
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def say(*parts: str | Text) -> Text:
    """Join parts into one message per row; a part is a text for all rows or one per row."""
    texts = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", TEXT))


class Dictionary:
    """Numbers words from 0 in order of appearance; -1 is a missing word.

    Parameters
    ----------
    words : pyarrow.Array or pyarrow.ChunkedArray of large_string
        The first words; the attribute `codes` has their codes.

    Examples
    --------
    >>> known = Dictionary(pa.array(["a", "b", None, "a"], pa.large_string()))
    >>> known.codes.tolist(), known.number(pa.array(["c", "b"], pa.large_string())).tolist()
    ([0, 1, -1, 0], [2, 1])
    """

    def __init__(self, words: Any) -> None:
        encoded = words.dictionary_encode()
        # Arrow gives all chunks of one column the same dictionary.
        chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
        self.words = chunks[0].dictionary
        self.codes: I64 = np.concatenate([_indices(chunk.indices) for chunk in chunks])

    def __len__(self) -> int:
        return len(self.words)

    def number(self, words: Any) -> I64:
        """Return the codes of more words; new words get new codes."""
        codes = _indices(pc.index_in(words, value_set=self.words))
        new = (codes == NONE) & _mask(pc.is_valid(words))
        if new.any():
            more = Dictionary(words.filter(pa.array(new)))
            codes[new] = more.codes + len(self.words)
            self.words = pa.concat_arrays([self.words, more.words])
        return codes

    def text(self, codes: I64) -> Text:
        """Return the words of some codes; null for -1."""
        missing = codes == NONE
        return self.words.take(pa.array(codes, mask=missing if missing.any() else None))


def _indices(indices: Any) -> I64:
    filled = pc.fill_null(indices, NONE) if indices.null_count else indices
    return np.array(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


def _mask(values: Any) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)


# -- codes as groups --------------------------------------------------------------------------


def dense(codes: I64) -> I64:
    """Renumber codes from 0 in order of appearance.

    Examples
    --------
    >>> dense(np.array([70, 7, 70])).tolist()
    [0, 1, 0]
    """
    return np.asarray(pd.factorize(codes)[0], dtype=np.int64)


def first_row(codes: npt.NDArray[Any], count: int | None = None) -> I64:
    """Return, by code, the first row that has it; -1 if no row has it. Code -1 is ignored.

    Examples
    --------
    >>> first_row(np.array([1, -1, 0, 1]), 3).tolist()
    [2, 0, -1]
    """
    size = int(codes.max(initial=NONE)) + 1 if count is None else count
    first = np.full(size + 1, NONE, dtype=np.int64)
    # Written backwards, so that the first row of each code is written last and stays. Code -1
    # writes to the extra last element, which is cut off.
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first[:-1]


def first_other(codes: I64, values: npt.NDArray[Any]) -> I64:
    """Return, for each row, the first row with its code but another value; -1 if there is none.

    Examples
    --------
    >>> first_other(np.array([0, 0, 0, 1]), np.array([7, 7, 9, 9])).tolist()
    [2, 2, 0, -1]
    """
    if len(codes) == 0:
        return np.zeros(0, dtype=np.int64)
    first = first_row(codes)
    differs = values != values[first[codes]]
    second = np.full(len(first), NONE, dtype=np.int64)
    others = np.flatnonzero(differs)[::-1]
    second[codes[others]] = others
    return np.where(differs, first[codes], second[codes])


def ranks(codes: npt.NDArray[Any]) -> I64:
    """Return, for each row, the number of earlier rows with its code.

    Examples
    --------
    >>> ranks(np.array([5, 7, 5, 5])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(is_new(ordered))
    sizes = np.diff(np.append(starts, len(codes)))
    result = np.empty(len(codes), dtype=np.int64)
    result[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return result
