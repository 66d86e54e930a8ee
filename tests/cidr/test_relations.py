"""Relations between prefixes equal a brute-force reading by stdlib `ipaddress`."""

from __future__ import annotations

import ipaddress

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as some

import vcokit  # noqa: F401 - registers the accessor
from vcokit.cidr.relations import closest_cover, touches

#: Few bits of few networks, so that prefixes nest, repeat and stand side by side.
NESTING = some.tuples(
    some.integers(0, 15).map(lambda bits: 0x0A000000 | (bits << 20)), some.integers(0, 14)
).map(lambda pair: ipaddress.IPv4Network((pair[0], pair[1]), strict=False))
ANY = some.tuples(some.integers(0, 2**32 - 1), some.integers(0, 32)).map(
    lambda pair: ipaddress.IPv4Network(pair, strict=False)
)
GROUPED = some.lists(some.tuples(NESTING | ANY, some.integers(0, 2)), max_size=40)


def arrays(networks: list[ipaddress.IPv4Network]) -> tuple[np.ndarray, np.ndarray]:
    """Return networks as columns."""
    starts = np.array([int(n.network_address) for n in networks], dtype=np.uint32)
    return starts, np.array([n.prefixlen for n in networks], dtype=np.uint8)


def brute_cover(networks: list[ipaddress.IPv4Network], groups: list[int]) -> list[int]:
    """Return the first row of the longest shorter prefix of the group that holds each."""
    result = []
    for mine, group in zip(networks, groups, strict=True):
        around = [
            (-other.prefixlen, row)
            for row, (other, its) in enumerate(zip(networks, groups, strict=True))
            if its == group and other.prefixlen < mine.prefixlen and mine.subnet_of(other)
        ]
        result.append(min(around)[1] if around else -1)
    return result


@given(GROUPED)
def test_closest_cover_in_groups(rows: list) -> None:
    """The closest cover within a group is that of a plain search."""
    networks, groups = [row[0] for row in rows], [row[1] for row in rows]
    found = closest_cover(*arrays(networks), np.array(groups, dtype=np.int64))
    assert found.tolist() == brute_cover(networks, groups)


@given(some.lists(NESTING, max_size=40))
def test_closest_cover(networks: list) -> None:
    """The closest cover of all is that of a plain search."""
    assert closest_cover(*arrays(networks)).tolist() == brute_cover(networks, [0] * len(networks))


def test_a_chain_of_all_lengths() -> None:
    """33 prefixes, one in another, each find the next."""
    networks = [ipaddress.IPv4Network((0, length)) for length in range(33)]
    assert closest_cover(*arrays(networks)).tolist() == [-1, *range(32)]


@given(some.lists(ANY, min_size=1, max_size=20), ANY)
def test_touches(networks: list, other: ipaddress.IPv4Network) -> None:
    """Two prefixes touch as stdlib says they overlap."""
    found = touches(*arrays(networks), int(other.network_address), other.prefixlen)
    assert found.tolist() == [network.overlaps(other) for network in networks]


def test_accessor_keeps_the_index() -> None:
    """Answers of the accessor have the index of the column, and pass over what is no prefix."""
    column = pd.Series(["10.0.0.0/8", "x", None, "10.1.0.0/16"], index=list("abcd"), name="dest")
    covers = column.cidr.closest_cover()
    assert covers.to_dict() == {"a": -1, "b": -1, "c": -1, "d": 0}
    assert column.cidr.prefix_length.tolist()[0] == 8
    assert column.cidr.network.isna().tolist() == [False, True, True, False]
    assert column.cidr.flags.tolist() == [0, 2, 1, 0]
    assert column.cidr.normalized().name == "dest"


def test_accessor_groups_leave_out_missing_ones() -> None:
    """A row without a group neither covers nor is covered."""
    column = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"])
    groups = pd.Series([None, "a", "a"])
    assert column.cidr.closest_cover(groups=groups).tolist() == [-1, -1, 1]
