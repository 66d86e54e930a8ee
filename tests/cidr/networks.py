"""Random networks for the tests of prefix algebra, and columns of them and back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import netaddr
import numpy as np
import pandas as pd
from hypothesis import strategies as some

import vcokit as vk

Network = ipaddress.IPv4Network

#: Both ends of the address space, all of it, and its halves.
EDGES = [Network(n) for n in ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/32", "0.0.0.0/8")]
EDGES += [Network(n) for n in ("255.255.255.255/32", "255.255.255.0/24", "255.0.0.0/8")]

#: Few bits of few networks, so that prefixes nest, repeat and stand side by side.
NESTING = some.tuples(
    some.integers(0, 15).map(lambda bits: 0x0A000000 | (bits << 20)), some.integers(0, 14)
).map(lambda pair: Network(pair, strict=False))
#: The last addresses there are, and the first.
NARROW = some.tuples(
    some.integers(0, 63) | some.integers(0xFFFFFFC0, 0xFFFFFFFF), some.integers(24, 32)
).map(lambda pair: Network(pair, strict=False))
ANY = some.tuples(some.integers(0, 2**32 - 1), some.integers(0, 32)).map(
    lambda pair: Network(pair, strict=False)
)
NETWORK = NESTING | NARROW | ANY | some.sampled_from(EDGES)
#: Networks that often repeat, of all lengths.
REPEATING = some.tuples(some.sampled_from([0, 0x0A000000, 0xFFFFFFFF]), some.integers(0, 32)).map(
    lambda pair: Network(pair, strict=False)
)
#: Cells that hold no prefix.
DIRT = some.none() | some.sampled_from(["", "x", "10.0.0.0", "::/0", "10.0.0.0/33", "010.0.0.0/8"])


def scattered(rng: np.random.Generator, size: int) -> list[Network]:
    """Return many networks of every length, of which one in four is long."""
    lengths = rng.choice([*range(1, 33), *range(24, 33)], size).tolist()
    addresses = rng.integers(0, 2**32, size, dtype=np.uint64).tolist()
    return [Network(pair, strict=False) for pair in zip(addresses, lengths, strict=True)]


def bits_of(network: Network) -> str:
    """Return a prefix as its bits: one holds another where its bits begin the other's."""
    return format(int(network.network_address), "032b")[: network.prefixlen]


def column(rows: Iterable[object], dtype: str = "str") -> pd.Series:
    """Return networks, other text and None as a column; of cidr, only the networks."""
    rows = list(rows)
    if dtype == "cidr":
        rows = [row if isinstance(row, Network) else None for row in rows]
    text = [None if row is None else str(row) for row in rows]
    return pd.Series(text, dtype="str", name="dest").astype(dtype)


def cells(found: pd.Series | pd.Index | vk.CidrArray) -> list[Network | None]:
    """Return a cidr column as stdlib's networks and None."""
    assert found.dtype == "cidr"
    return [None if cell is pd.NA else cell.to_ipaddress() for cell in found]


def ip_set(networks: Iterable[object]) -> netaddr.IPSet:
    """Return the networks among some cells as netaddr's set of addresses."""
    return netaddr.IPSet([str(network) for network in networks if isinstance(network, Network)])


def fewest(addresses: netaddr.IPSet) -> list[Network]:
    """Return the fewest prefixes of a set: of netaddr's, as stdlib collapses them."""
    return list(ipaddress.collapse_addresses(Network(str(b)) for b in addresses.iter_cidrs()))
