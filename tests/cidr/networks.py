"""Random networks for the tests of prefix algebra, and plain ways to write them down."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
from hypothesis import strategies as some

Network = ipaddress.IPv4Network

#: Both ends of the address space, all of it, and its halves.
EDGES = [
    Network(text)
    for text in (
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "0.0.0.0/32",
        "0.0.0.0/8",
        "255.255.255.255/32",
        "255.255.255.0/24",
        "255.0.0.0/8",
    )
]

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


def random_networks(rng: random.Random, most: int = 24) -> list[Network]:
    """Return up to so many networks: in a narrow space they crowd, in a wide one they nest."""
    base = rng.choice([0, 0x0A000000, 0xFFFFFF00, 0xFFFFFFF0])
    free = rng.choice([4, 8, 12, 32])
    networks = []
    for _ in range(rng.randrange(most + 1)):
        address = (base | rng.getrandbits(free)) & 0xFFFFFFFF
        length = rng.randint(max(0, 32 - free - 2), 32)
        networks.append(Network((address, length), strict=False))
        if rng.random() < 0.15:
            networks.append(rng.choice(networks))
        if rng.random() < 0.05:
            networks.append(rng.choice(EDGES))
    return networks


def arrays(networks: list[Network]) -> tuple[np.ndarray, np.ndarray]:
    """Return networks as columns."""
    starts = np.array([int(n.network_address) for n in networks], dtype=np.uint32)
    return starts, np.array([n.prefixlen for n in networks], dtype=np.uint8)


def networks_of(network: np.ndarray, length: np.ndarray) -> list[Network]:
    """Return columns as networks, which refuse host bits."""
    return [Network(pair) for pair in zip(network.tolist(), length.tolist(), strict=True)]


def bits_of(network: Network) -> str:
    """Return a prefix as its bits: one holds another where its bits begin the other's."""
    return format(int(network.network_address), "032b")[: network.prefixlen]


def scattered(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return columns of many prefixes of every length, of which one in four is long."""
    length = rng.choice(np.array([*range(1, 33), *range(24, 33)], dtype=np.uint8), size)
    mask = (0xFFFFFFFF << (32 - length.astype(np.uint64))) & 0xFFFFFFFF
    address = rng.integers(0, 2**32, size, dtype=np.uint64)
    return (address & mask).astype(np.uint32), length
