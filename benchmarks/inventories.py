"""Seeded inventories of any size, with as much dirt as wanted: numbers, text, and a CSV.

========  ==================================================================================
spread    how rows are spread over connections: ``even`` (40 each), ``zipf`` (the n-th pair of
          connections has 1/n of the first one's), ``giant`` (one connection has them all)
order     ``shuffled``, or ``sorted`` as an export lists them: by connection, then network
dirt      part of the rows that are spoilt, each of `KINDS` as often as the next
========  ==================================================================================

A destination is a /24, led by a pair of connections, one active and one standby, as two tunnels
to one site are. A site's /24s lie close together, twelve to a /20 with gaps, so that there is
something to aggregate. One destination in a hundred is nested: see `_NESTED`. The same shape
gives the same inventory, to the byte. What a spoilt destination still says is known from how it
was made, so that whoever reads it can be judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

SEED: Final = 20261123
#: Routes of a connection where all have the same number.
ROUTES_EACH: Final = 40
SPREADS: Final = ("even", "zipf", "giant")
ORDERS: Final = ("shuffled", "sorted")

#: Destinations taken from each /20, of the sixteen it has room for.
_OF_A_BLOCK: Final = 12
#: What cannot be a site's: 0/8, 127/8, 100.64/10, 169.254/16 and all from 224/4 up.
_TAKEN: Final = ((0x00000000, 8), (0x7F000000, 8), (0x64400000, 10), (0xA9FE0000, 16))
_LAST: Final = 0xE0000000
#: Out of how many destinations one is nested: which one, in or around which other one, how long.
#: Chains of three are among them; a /18 holds sites of other connections too.
_NESTED: Final = (
    (200, 1, 0, 26),
    (1000, 2, 1, 28),
    (400, 101, 100, 23),
    (2000, 102, 101, 22),
    (5000, 901, 900, 18),
)
_LETTERS: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", dtype="S1")

TEXT: Final = pa.large_string()
Column = Any  # pyarrow ships no types


#: What a spoilt destination says: still the row's network; or no IPv4 prefix in the strict form.
ITS_OWN: Final = "its own"
NOTHING: Final = ""
_UNREAD: Final = -1

_WIDE: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_HEADS: Final = {
    "region": "RegionId",
    "connection": "VpnConnectionId",
    "dest": "RouteDest",
    "hop": "NextHop",
    "weight": "Weight",
}


@dataclass(frozen=True)
class Kind:
    """One way to spoil a row.

    Parameters
    ----------
    name : str
    cells : mapping of str to str
        New text by field, a template of what `_words` gives.
    reads : str
        What the destination then says: `ITS_OWN`, `NOTHING` or a template of a prefix.
    copies : bool
        Whether the row first becomes a copy of a clean one.
    """

    name: str
    cells: dict[str, str]
    reads: str = ITS_OWN
    copies: bool = False


def _destination(name: str, text: str, reads: str = NOTHING) -> Kind:
    return Kind(name, {"dest": text}, reads)


KINDS: Final = (
    _destination("bare address", "{address}"),
    _destination("dotted mask", "{address}/{mask}"),
    _destination("zero before the length", "{address}/0{length}"),
    _destination("zeros before octets", "{a:03}.{b:03}.{c:03}.{d:03}/{length}"),
    _destination("octet too large", "{a}.256.{c}.0/{length}"),
    _destination("length too large", "{address}/33"),
    _destination("three octets", "{a}.{b}.{c}/{length}"),
    _destination("comma for a dot", "{a},{b}.{c}.{d}/{length}"),
    _destination("blank inside", "{address} /{length}"),
    _destination("full-width digits", "{wide}/{length}"),
    _destination("a range", "{address}-{last}"),
    _destination("words", "see NET-{a}{b}"),
    _destination("IPv6", "2001:db8:{a:x}{b:02x}::/48"),
    _destination("no destination", ""),
    _destination("host bits", "{last}/{length}", ITS_OWN),
    _destination("default route", "0.0.0.0/0", "0.0.0.0/0"),
    _destination("shared address space", "100.64.{b}.0/24", "100.64.{b}.0/24"),
    _destination("link local", "169.254.{b}.0/24", "169.254.{b}.0/24"),
    _destination("multicast", "224.{a}.{b}.0/24", "224.{a}.{b}.0/24"),
    Kind("weight of 50", {"weight": "50"}),
    Kind("weight in words", {"weight": "standby"}),
    Kind("zero before the weight", {"weight": "0100"}),
    Kind("weight of a spreadsheet", {"weight": "{weight}.0"}),
    Kind("no weight", {"weight": ""}),
    Kind("foreign id", {"connection": "vpn-{tail}", "hop": "vpn-{tail}"}),
    Kind("no connection", {"connection": ""}),
    Kind("tunnel for next hop", {"hop": "169.254.10.1"}),
    Kind("no next hop", {"hop": ""}),
    Kind("other region", {"region": "eu-central-1"}),
    Kind("no region", {"region": ""}),
    Kind("repeated", {}, copies=True),
    Kind("other weight", {"weight": "{other_weight}"}, copies=True),
    Kind("other next hop", {"hop": "169.254.12.1"}, copies=True),
)


@dataclass(frozen=True)
class Shape:
    """What an inventory looks like.

    Parameters
    ----------
    rows : int
        At most ten million.
    spread : {"even", "zipf", "giant"}
    order : {"shuffled", "sorted"}
    dirt : float
        Part of the rows that are spoilt, from 0 to 1.
    seed : int
    """

    rows: int
    spread: str = "even"
    order: str = "shuffled"
    dirt: float = 0.0
    seed: int = SEED


class Inventory:
    """The inventory of a shape, a row an element.

    Parameters
    ----------
    shape : Shape

    Attributes
    ----------
    network, length : ndarray
        uint32 with host bits cleared and uint8, before anything was spoilt.
    connection : ndarray
        int64 from 0; those of a pair are 2n and 2n + 1.
    active : ndarray
        bool.
    columns : dict of str to Arrow array
        The text of the file by its head, mistakes included.
    kinds : ndarray
        int16, the place in `KINDS` of each row's mistake, -1 where it has none.
    reads : ndarray
        int64, network × 64 + length of what the destination's text says, -1 where it is no prefix.

    Examples
    --------
    >>> found = Inventory(Shape(4, order="sorted"))
    >>> found.connection.tolist(), found.active.tolist(), found.text[0] == found.clean[0]
    ([0, 0, 1, 1], [True, True, False, False], True)
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.network, self.length, self.connection, self.active = _layout(shape)
        self.columns = _columns(self)
        self.clean = self.columns["RouteDest"].to_pylist()
        self.kinds, self.reads = _spoil(self)

    @cached_property
    def text(self) -> list[str]:
        """Destinations as the file has them, empty where there is none."""
        return pc.fill_null(self.columns["RouteDest"], "").to_pylist()

    def addresses(self, count: int) -> np.ndarray:
        """Return addresses to look up: nine in ten lie in a destination, one is anywhere."""
        rng = np.random.default_rng((self.shape.seed, 4))
        row = rng.integers(len(self.network), size=count)
        host = rng.integers(1 << 32, size=count, dtype=np.uint32)
        mask = np.uint32(0xFFFFFFFF) << (32 - self.length[row]).astype(np.uint32)
        found = self.network[row] | host & ~mask
        return np.where(rng.random(count) < 0.1, host, found)

    def write(self, path: Path) -> Path:
        """Write the CSV; return where."""
        table = pa.table(self.columns)
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(quoting_style="needed"))
        return path


def _layout(shape: Shape) -> tuple[np.ndarray, ...]:
    """Return networks, lengths, connections and roles, distinct but for the role."""
    rng = np.random.default_rng(shape.seed)
    giant = shape.spread == "giant"
    count = shape.rows if giant else (shape.rows + 1) // 2
    pair = np.zeros(count, np.int64) if giant else _pairs(shape, count)
    network, length = _nest(_destinations(count, rng), pair)
    if giant:
        found = (network, length, pair, np.ones(count, np.bool_))
    else:
        twin = np.r_[:count, : shape.rows - count]
        active = np.arange(shape.rows) < count
        found = (network[twin], length[twin], 2 * pair[twin] + ~active, active)
    if shape.order == "shuffled":
        order = rng.permutation(shape.rows)
    else:
        order = np.lexsort((found[1], found[0], found[2]))
    return tuple(column[order] for column in found)


def _pairs(shape: Shape, count: int) -> np.ndarray:
    """Return the pair of connections that leads each destination, in order."""
    pairs = max(1, shape.rows // (2 * ROUTES_EACH))
    if shape.spread == "even":
        return np.arange(count, dtype=np.int64) * pairs // count
    share = np.cumsum(1 / np.arange(1, pairs + 1))
    return np.searchsorted(share / share[-1], (np.arange(count) + 0.5) / count).astype(np.int64)


def _destinations(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return distinct /24s, those that follow one another mostly out of the same /20."""
    blocks = np.arange(0, _LAST, 1 << 12, dtype=np.uint32)
    for start, length in _TAKEN:
        blocks = blocks[(blocks ^ np.uint32(start)) >> np.uint32(32 - length) != 0]
    chosen = rng.permutation(blocks)[: -(-count // _OF_A_BLOCK)]
    if len(chosen) * _OF_A_BLOCK < count:
        raise ValueError(f"there is no room for {count:,} destinations")
    shift = rng.integers(16, size=len(chosen), dtype=np.uint32)
    place = np.arange(_OF_A_BLOCK, dtype=np.uint32) * np.uint32(4) // np.uint32(3)  # leaves gaps
    offset = (place + shift[:, None]) % np.uint32(16)
    return (chosen[:, None] | offset << np.uint32(8)).reshape(-1)[:count]


def _nest(network: np.ndarray, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace destinations by prefixes inside or around a neighbour of the same pair."""
    length = np.full(len(network), 24, dtype=np.uint8)
    for period, place, other, bits in _NESTED:
        places = np.arange(place, len(network), period)
        others = places - place + other
        places, others = places[same := pair[places] == pair[others]], others[same]
        new = network[others] & np.uint32(0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF)
        new, once = np.unique(new, return_index=True)  # two sites may lie in one /18
        network[places[once]] = new
        length[places[once]] = bits
    return network, length


_NUMBERS: Final = pa.array([str(number) for number in range(256)], type=TEXT)


def addresses_as_text(address: np.ndarray) -> Column:
    """Write addresses (uint32) as an Arrow array of ``a.b.c.d``.

    Examples
    --------
    >>> addresses_as_text(np.array([0x0A000001], np.uint32)).to_pylist()
    ['10.0.0.1']
    """
    octets = [_NUMBERS.take(pa.array((address >> bits) & 0xFF)) for bits in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*octets, pa.scalar(".", TEXT))


def prefixes_as_text(network: np.ndarray, length: np.ndarray) -> Column:
    """Write prefixes as an Arrow array of ``a.b.c.d/len``.

    Examples
    --------
    >>> prefixes_as_text(np.array([0x0A000000], np.uint32), np.array([8], np.uint8)).to_pylist()
    ['10.0.0.0/8']
    """
    bits = _NUMBERS.take(pa.array(length))
    return pc.binary_join_element_wise(addresses_as_text(network), bits, pa.scalar("/", TEXT))


def _columns(inventory: Inventory) -> dict[str, Column]:
    """Return the columns of a clean file."""
    rows = len(inventory.network)
    names = _connection_ids(
        int(inventory.connection.max()) + 1 if rows else 0, inventory.shape.seed
    )
    connection = names.take(pa.array(inventory.connection))
    role = pa.array(~inventory.active)
    return {
        "RegionId": pa.repeat(pa.scalar("cn-hangzhou", TEXT), rows),
        "VpnConnectionId": connection,
        "RouteDest": prefixes_as_text(inventory.network, inventory.length),
        "NextHop": connection,
        "Weight": pa.array(["100", "0"], TEXT).take(role.cast(pa.int8())),
        "Description": pa.array(["to the site, primary", "to the site, backup"], TEXT).take(
            role.cast(pa.int8())
        ),
    }


def _connection_ids(count: int, seed: int) -> Column:
    """Return ids of the length and letters that the cloud gives; distinct, in rising order."""
    rng = np.random.default_rng((seed, 1))
    letters = _LETTERS[rng.integers(len(_LETTERS), size=(count, 18))]
    found = np.sort(letters.view("S18").reshape(-1))
    return pc.binary_join_element_wise(
        pa.scalar("vco-bp1", TEXT), pa.array(found.astype("U18"), TEXT), pa.scalar("", TEXT)
    )


def _spoil(inventory: Inventory) -> tuple[np.ndarray, np.ndarray]:
    """Put the mistakes into the columns; return the kind of each row, and what it then says."""
    rows, seed = len(inventory.network), inventory.shape.seed
    kinds = np.full(rows, -1, dtype=np.int16)
    spoilt = np.random.default_rng((seed, 2)).permutation(rows)[
        : round(rows * inventory.shape.dirt)
    ]
    kinds[spoilt] = np.arange(len(spoilt)) % len(KINDS)
    reads = inventory.network.astype(np.int64) << 6 | inventory.length
    if not len(spoilt):
        return kinds, reads
    chosen = [KINDS[place] for place in kinds[spoilt]]
    models = spoilt
    if len(clean := np.flatnonzero(kinds < 0)):
        others = np.random.default_rng((seed, 3)).choice(clean, len(spoilt))
        models = np.where([kind.copies for kind in chosen], others, spoilt)
    words = _words(inventory, models)
    own = reads[models].tolist()
    reads[spoilt] = [
        mine if kind.reads == ITS_OWN else _read(kind.reads.format_map(given))
        for mine, kind, given in zip(own, chosen, words, strict=True)
    ]
    place = np.arange(rows)
    place[spoilt] = rows + np.arange(len(spoilt))
    for field, head in _HEADS.items():
        texts = [
            kind.cells.get(field, "{" + field + "}").format_map(given)
            for kind, given in zip(chosen, words, strict=True)
        ]
        new = pa.array([text or None for text in texts], TEXT)
        both = pa.chunked_array([inventory.columns[head], new])
        inventory.columns[head] = both.take(pa.array(place)).combine_chunks()
    return kinds, reads


def _words(inventory: Inventory, rows: np.ndarray) -> list[dict[str, Any]]:
    """Return what the templates of mistakes may name of each of some good rows."""
    taken = [inventory.columns[head].take(pa.array(rows)).to_pylist() for head in _HEADS.values()]
    numbers = zip(inventory.network[rows].tolist(), inventory.length[rows].tolist(), strict=True)
    found = []
    for (network, length), *cells in zip(numbers, *taken, strict=True):
        text = dict(zip(_HEADS, cells, strict=True))
        tail = text["connection"].removeprefix("vco-")
        other = "0" if text["weight"] == "100" else "100"
        found.append(words(network, length) | text | {"tail": tail, "other_weight": other})
    return found


def words(network: int, length: int) -> dict[str, Any]:
    """Return what the templates of mistaken destinations may name of the right one.

    Examples
    --------
    >>> "{address}/{mask}".format_map(words(0x0A000000, 8))
    '10.0.0.0/255.0.0.0'
    """
    mask = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
    named = {
        "address": _dotted(network),
        "last": _dotted(network | ~mask & 0xFFFFFFFF),
        "mask": _dotted(mask),
        "length": length,
        "wide": _dotted(network).translate(_WIDE),
    }
    return named | dict(zip("abcd", network.to_bytes(4, "big"), strict=True))


def _dotted(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))


def _read(text: str) -> int:
    """Return what a well-formed prefix says, without host bits; no text says nothing."""
    if not text:
        return _UNREAD
    address, length = text.split("/")
    value = int.from_bytes(bytes(map(int, address.split("."))), "big")
    return value << 6 | int(length)
