"""Seeded inventories of any size: who routes what where, first as numbers, then as columns of text.

========  ==================================================================================
spread    how rows are spread over connections: ``even`` (40 each), ``zipf`` (the n-th pair of
          connections has 1/n of the first one's), ``giant`` (one connection has them all)
order     ``shuffled``, or ``sorted`` as an export lists them: by connection, then network
dirt      part of the rows that are spoilt, in the many ways of `benchmarks.dirt`
========  ==================================================================================

A destination is a /24, led by a pair of connections, one active and one standby, as two tunnels
to one site are. A site's /24s lie close together, twelve to a /20 with gaps, so that there is
something to aggregate. One destination in a hundred is nested: see `_NESTED`. The same shape
gives the same inventory, to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


@dataclass(frozen=True)
class Shape:
    """What an inventory looks like.

    Parameters
    ----------
    rows : int
    spread : {"even", "zipf", "giant"}
    order : {"shuffled", "sorted"}
    dirt : float
        Part of the rows that are spoilt, from 0 to 1.
    seed : int

    Examples
    --------
    >>> str(Shape(1_000_000, "zipf", dirt=0.03))
    '1,000,000 rows, zipf, shuffled, 3 % dirty'
    """

    rows: int
    spread: str = "even"
    order: str = "shuffled"
    dirt: float = 0.0
    seed: int = SEED

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.kind}"

    @property
    def kind(self) -> str:
        """The shape without its size."""
        dirt = f"{self.dirt:.0%}".replace("%", " % dirty") if self.dirt else "clean"
        return f"{self.spread}, {self.order}, {dirt}"


@dataclass(frozen=True)
class Layout:
    """A clean inventory as numbers, an element a row.

    ``network`` uint32 with host bits cleared, ``length`` uint8, ``connection`` int64 from 0,
    ``active`` bool.
    """

    network: np.ndarray
    length: np.ndarray
    connection: np.ndarray
    active: np.ndarray

    def __len__(self) -> int:
        return len(self.network)

    def take(self, rows: np.ndarray) -> Layout:
        """Return the rows at some positions."""
        columns = (self.network, self.length, self.connection, self.active)
        return Layout(*(column[rows] for column in columns))


def lay_out(shape: Shape) -> Layout:
    """Return the clean inventory of a shape.

    Parameters
    ----------
    shape : Shape
        Of at most ten million rows; its dirt is left out.

    Returns
    -------
    Layout
        Distinct in (connection, network, length).

    Examples
    --------
    >>> found = lay_out(Shape(4, order="sorted"))
    >>> found.connection.tolist(), found.active.tolist()
    ([0, 0, 1, 1], [True, True, False, False])
    """
    rng = np.random.default_rng(shape.seed)
    giant = shape.spread == "giant"
    count = shape.rows if giant else (shape.rows + 1) // 2
    pair = np.zeros(count, np.int64) if giant else _pairs(shape, count)
    network, length = _nest(_destinations(count, rng), pair)
    if giant:
        layout = Layout(network, length, pair, np.ones(count, np.bool_))
    else:
        twin = np.r_[:count, : shape.rows - count]
        active = np.arange(shape.rows) < count
        layout = Layout(network[twin], length[twin], 2 * pair[twin] + ~active, active)
    if shape.order == "shuffled":
        return layout.take(rng.permutation(shape.rows))
    return layout.take(np.lexsort((layout.length, layout.network, layout.connection)))


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


def columns(layout: Layout, seed: int) -> dict[str, Column]:
    """Return the columns of a clean inventory's file, by head, as Arrow arrays of text.

    Examples
    --------
    >>> list(columns(lay_out(Shape(2)), SEED))
    ['RegionId', 'VpnConnectionId', 'RouteDest', 'NextHop', 'Weight', 'Description']
    """
    rows = len(layout)
    names = _connection_ids(int(layout.connection.max()) + 1 if rows else 0, seed)
    connection = names.take(pa.array(layout.connection))
    role = pa.array(~layout.active)
    return {
        "RegionId": pa.repeat(pa.scalar("cn-hangzhou", TEXT), rows),
        "VpnConnectionId": connection,
        "RouteDest": prefixes_as_text(layout.network, layout.length),
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
