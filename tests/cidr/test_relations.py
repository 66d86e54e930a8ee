"""Relations between prefixes equal a brute-force reading."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import vcokit  # noqa: F401 - registers the accessor
from tests.cidr.networks import (
    ANY,
    EDGES,
    NETWORK,
    Network,
    arrays,
    bits_of,
    random_networks,
    scattered,
)
from vcokit.cidr.relations import (
    MAX_GROUPS,
    closest_cover,
    closest_cover_sorted,
    covered_by,
    distinct,
    duplicates,
    overlaps,
    pack,
    touches,
)

ROWS = some.lists(NETWORK, max_size=40)
GROUPED = some.lists(
    some.tuples(NETWORK, some.sampled_from([0, 1, 2, MAX_GROUPS - 1])), max_size=40
)
#: Inventories that one seed makes, for the readings that are quick enough for thousands.
MANY = 3000


def columns(rows: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (network, group) rows as columns."""
    groups = np.array([row[1] for row in rows], dtype=np.int64)
    return *arrays([row[0] for row in rows]), groups


def brute_cover(rows: list) -> list[int]:
    """Return the first row of the longest shorter prefix of the group that holds each."""
    result = []
    for mine, group in rows:
        around = [
            (-other.prefixlen, row)
            for row, (other, its) in enumerate(rows)
            if its == group and other.prefixlen < mine.prefixlen and mine.subnet_of(other)
        ]
        result.append(min(around)[1] if around else -1)
    return result


def cover_by_bits(rows: list) -> list[int]:
    """Return the same by cutting bits off the end until what is left is there."""
    first: dict = {}
    for row, (network, group) in enumerate(rows):
        first.setdefault((group, bits_of(network)), row)
    result = []
    for network, group in rows:
        bits = bits_of(network)
        shorter = ((group, bits[:length]) for length in reversed(range(len(bits))))
        result.append(next((first[key] for key in shorter if key in first), -1))
    return result


def brute_duplicates(rows: list) -> list[int]:
    """Return the first row that equals each, -1 on that row itself."""
    return [rows.index(row) if rows.index(row) < place else -1 for place, row in enumerate(rows)]


@given(GROUPED)
def test_closest_cover_in_groups(rows: list) -> None:
    """The closest cover within a group is that of a plain search."""
    assert closest_cover(*columns(rows)).tolist() == brute_cover(rows)


@given(ROWS)
def test_closest_cover(networks: list) -> None:
    """The closest cover of all is that of a plain search."""
    expected = brute_cover([(network, 0) for network in networks])
    assert closest_cover(*arrays(networks)).tolist() == expected


@given(GROUPED)
def test_duplicates(rows: list) -> None:
    """A repeat names the first row of its group that has the same prefix."""
    assert duplicates(*columns(rows)).tolist() == brute_duplicates(rows)


@given(ROWS)
def test_duplicates_without_groups(networks: list) -> None:
    """Without groups all rows are looked at together."""
    assert duplicates(*arrays(networks)).tolist() == brute_duplicates(networks)


@given(ROWS, ROWS)
def test_covered_by(networks: list, others: list) -> None:
    """A prefix is covered where stdlib finds it a subnet of some one of the others."""
    found = covered_by(*arrays(networks), *arrays(others))
    assert found.dtype == np.bool_
    expected = [any(network.subnet_of(other) for other in others) for network in networks]
    assert found.tolist() == expected


@given(ROWS, ROWS)
def test_overlaps(networks: list, others: list) -> None:
    """A prefix overlaps where stdlib says so of some one of the others."""
    found = overlaps(*arrays(networks), *arrays(others))
    assert found.dtype == np.bool_
    expected = [any(network.overlaps(other) for other in others) for network in networks]
    assert found.tolist() == expected


def test_two_halves_do_not_cover() -> None:
    """What only two prefixes together hold is covered by neither."""
    whole, halves = [Network("10.0.0.0/8")], [Network("10.0.0.0/9"), Network("10.128.0.0/9")]
    assert covered_by(*arrays(whole), *arrays(halves)).tolist() == [False]
    assert overlaps(*arrays(whole), *arrays(halves)).tolist() == [True]


def test_thousands_of_inventories() -> None:
    """Every relation, in groups and between sets, equals a reading of prefixes as bit strings."""
    rng = random.Random(33)
    for _ in range(MANY):
        rows = [(network, rng.choice([0, 1, 7])) for network in random_networks(rng)]
        others = {bits_of(network) for network in random_networks(rng, 6)}
        cols, its = (
            columns(rows),
            arrays([Network((int(b.ljust(32, "0"), 2), len(b))) for b in others]),
        )
        assert closest_cover(*cols).tolist() == cover_by_bits(rows)
        assert duplicates(*cols).tolist() == brute_duplicates(rows)
        mine = [bits_of(network) for network, _ in rows]
        held = [any(bits.startswith(other) for other in others) for bits in mine]
        holds = [any(other.startswith(bits) for other in others) for bits in mine]
        assert covered_by(*cols[:2], *its).tolist() == held
        assert overlaps(*cols[:2], *its).tolist() == np.logical_or(held, holds).tolist()


def test_a_chain_of_all_lengths() -> None:
    """33 prefixes, one in another, each find the next, at either end of the address space."""
    for address in (0, 2**32 - 1):
        networks = [Network((address, length), strict=False) for length in range(33)]
        assert closest_cover(*arrays(networks)).tolist() == [-1, *range(32)]
        backwards = closest_cover(*arrays(networks[::-1])).tolist()
        assert backwards == [*range(1, 33), -1]


@pytest.mark.parametrize("size", [40_000])
def test_many_rows_of_any_skew(size: int) -> None:
    """One giant group is as no groups, groups of one have no covers, and groups do not mix."""
    rng = np.random.default_rng(9)
    network, length = scattered(rng, size)
    network[size // 2 :], length[size // 2 :] = network[: size // 2], length[: size // 2]
    one = closest_cover(network, length, np.full(size, MAX_GROUPS - 1))
    np.testing.assert_array_equal(one, closest_cover(network, length))
    own = rng.permutation(size)
    assert (closest_cover(network, length, own) == -1).all()
    assert (duplicates(network, length, own) == -1).all()
    halves = np.arange(size) // (size // 2)
    alone = closest_cover(network[: size // 2], length[: size // 2])
    both = closest_cover(network, length, halves)
    np.testing.assert_array_equal(both[: size // 2], alone)
    np.testing.assert_array_equal(both[size // 2 :], np.where(alone < 0, -1, alone + size // 2))
    rows = [(Network(pair), 0) for pair in zip(network.tolist(), length.tolist(), strict=True)]
    assert one.tolist() == cover_by_bits(rows)


def test_nothing() -> None:
    """Empty columns have empty answers, and nothing lies in an empty set."""
    none, some_rows = arrays([]), arrays(EDGES)
    assert closest_cover(*none).tolist() == duplicates(*none).tolist() == []
    assert covered_by(*none, *some_rows).tolist() == overlaps(*none, *some_rows).tolist() == []
    assert not covered_by(*some_rows, *none).any()
    assert not overlaps(*some_rows, *none).any()
    assert closest_cover_sorted(pack(*none)).tolist() == []


def test_distinct_keeps_first_rows() -> None:
    """Of equal keys the first row stands for all."""
    key = np.array([9, 4, 9, 4, 2**64 - 1], dtype=np.uint64)
    order, is_first, keys, rows = distinct(key)
    assert order.tolist() == [1, 3, 0, 2, 4]
    assert is_first.tolist() == [True, False, True, False, True]
    assert (keys.tolist(), rows.tolist()) == ([4, 9, 2**64 - 1], [1, 0, 4])


@pytest.mark.parametrize("group", [-1, MAX_GROUPS])
def test_groups_that_do_not_fit(group: int) -> None:
    """A group that would run into its neighbour is refused, with the remedy."""
    with pytest.raises(ValueError, match="factorize"):
        closest_cover(*arrays(EDGES[:1]), np.array([group]))


def test_rows_without_a_prefix() -> None:
    """A length that is none is refused wherever it may come in."""
    good, bad = arrays(EDGES[:1]), (np.zeros(1, np.uint32), np.array([255], np.uint8))
    for call in (closest_cover, duplicates):
        with pytest.raises(ValueError, match="without a prefix"):
            call(*bad)
    for relation in (covered_by, overlaps):
        for pair in ((*good, *bad), (*bad, *good)):
            with pytest.raises(ValueError, match="without a prefix"):
                relation(*pair)


@given(some.lists(ANY, min_size=1, max_size=20), ANY)
def test_touches(networks: list, other: Network) -> None:
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
