"""Sets of addresses equal those of stdlib and netaddr, in the fewest prefixes there can be."""

from __future__ import annotations

import ipaddress
import random
from itertools import pairwise
from pathlib import Path

import netaddr
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.cidr.networks import NETWORK, Network, arrays, networks_of, random_networks, scattered
from vcokit.cidr.parse import parse
from vcokit.cidr.relations import MAX_GROUPS
from vcokit.cidr.sets import aggregate, complement, intersect, subtract

DATA = Path(__file__).parents[2] / "data"
ROWS = some.lists(NETWORK, max_size=40)
GROUPED = some.lists(
    some.tuples(NETWORK, some.sampled_from([0, 1, 2, MAX_GROUPS - 2, MAX_GROUPS - 1])), max_size=40
)


def ip_set(networks: list[Network]) -> netaddr.IPSet:
    """Return networks as netaddr's set of addresses."""
    return netaddr.IPSet([str(network) for network in networks])


def blocks(addresses: netaddr.IPSet) -> list[Network]:
    """Return the fewest prefixes of a set, as netaddr finds them."""
    return [Network(str(block)) for block in addresses.iter_cidrs()]


def assert_fewest(networks: list[Network]) -> None:
    """Check that prefixes rise, are disjoint, and that no two are the halves of another.

    No set of addresses has more than one such list of prefixes, and none has a shorter one.
    """
    for one, two in pairwise(networks):
        assert one[-1] < two[0]
        same = one.prefixlen == two.prefixlen
        assert not (same and one.prefixlen and one.supernet() == two.supernet())


@given(ROWS)
def test_aggregate(networks: list) -> None:
    """The aggregate of all is what stdlib collapses them to."""
    network, length, group = aggregate(*arrays(networks))
    assert group is None
    assert (network.dtype, length.dtype) == (np.uint32, np.uint8)
    assert networks_of(network, length) == list(ipaddress.collapse_addresses(networks))


@given(GROUPED)
def test_aggregate_in_groups(rows: list) -> None:
    """Each group collapses by itself, however it borders on the next."""
    groups = sorted({group for _, group in rows})
    expected = [
        (group, network)
        for group in groups
        for network in ipaddress.collapse_addresses([n for n, its in rows if its == group])
    ]
    numbers = np.array([group for _, group in rows], dtype=np.int64)
    network, length, found = aggregate(*arrays([n for n, _ in rows]), numbers)
    assert found is not None
    assert found.dtype == np.int64
    pairs = zip(found.tolist(), networks_of(network, length), strict=True)
    assert list(pairs) == expected


@given(ROWS, ROWS)
def test_subtract(networks: list, others: list) -> None:
    """What is left is what netaddr leaves."""
    found = networks_of(*subtract(*arrays(networks), *arrays(others)))
    assert found == blocks(ip_set(networks) - ip_set(others))
    assert_fewest(found)


@given(ROWS, ROWS)
def test_intersect(networks: list, others: list) -> None:
    """What is in both is what netaddr finds in both."""
    found = networks_of(*intersect(*arrays(networks), *arrays(others)))
    assert found == blocks(ip_set(networks) & ip_set(others))
    assert_fewest(found)


@given(ROWS, NETWORK)
def test_complement(networks: list, within: Network) -> None:
    """Free space is what netaddr leaves of one prefix."""
    found = networks_of(
        *complement(*arrays(networks), int(within.network_address), within.prefixlen)
    )
    assert found == blocks(ip_set([within]) - ip_set(networks))
    assert_fewest(found)


@given(NETWORK, NETWORK)
def test_one_without_another(one: Network, other: Network) -> None:
    """One prefix cut out of another leaves what stdlib leaves."""
    if other.subnet_of(one):
        expected = sorted(one.address_exclude(other))
    else:
        expected = [] if one.subnet_of(other) else [one]
    assert networks_of(*subtract(*arrays([one]), *arrays([other]))) == expected


@pytest.mark.parametrize("base", [0, 0x0A000000, 0xFFFFFF00], ids=["low", "middle", "high"])
def test_thousands_of_small_spaces(base: int) -> None:
    """In a space of 64 addresses every operation equals that of Python's sets of numbers."""
    rng = random.Random(base)

    def crowd() -> list[Network]:
        pairs = (
            (base + 192 + rng.randrange(64), rng.randint(26, 32)) for _ in range(rng.randrange(9))
        )
        return [Network(pair, strict=False) for pair in pairs]

    def members(networks: list[Network]) -> set[int]:
        return {int(address) - base for network in networks for address in network}

    for _ in range(1000):
        mine, others = crowd(), crowd()
        space = Network((base + 192, 26))
        for found, expected in (
            (aggregate(*arrays(mine))[:2], members(mine)),
            (subtract(*arrays(mine), *arrays(others)), members(mine) - members(others)),
            (intersect(*arrays(mine), *arrays(others)), members(mine) & members(others)),
            (complement(*arrays(mine), base + 192, 26), members([space]) - members(mine)),
        ):
            networks = networks_of(*found)
            assert members(networks) == expected
            assert sum(network.num_addresses for network in networks) == len(expected)
            assert_fewest(networks)


def test_every_range_of_a_small_space() -> None:
    """Every range of addresses, at both ends of all there are, becomes stdlib's fewest prefixes."""
    for base in (0, 2**32 - 32):
        for first in range(base, base + 32):
            for last in range(first, base + 32):
                single = np.arange(first, last + 1, dtype=np.uint64).astype(np.uint32)
                found = aggregate(single, np.full(len(single), 32, dtype=np.uint8))
                ends = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
                assert networks_of(*found[:2]) == list(ipaddress.summarize_address_range(*ends))


def test_the_widest_ranges() -> None:
    """All but one address takes 32 prefixes, all but both ends 62, and all of them one."""
    ends = [Network("0.0.0.0/32"), Network("255.255.255.255/32")]
    for taken in ([], ends[:1], ends[1:], ends):
        found = networks_of(*complement(*arrays(taken), 0, 0))
        assert len(found) == [1, 32, 62][len(taken)]
        assert found == blocks(ip_set([Network("0.0.0.0/0")]) - ip_set(taken))
    both = aggregate(*arrays([Network("0.0.0.0/1"), Network("128.0.0.0/1")]))
    assert networks_of(*both[:2]) == [Network("0.0.0.0/0")]


def test_many_rows() -> None:
    """Tens of thousands of prefixes collapse as by stdlib, and are all that free space leaves."""
    rng = np.random.default_rng(8)
    network, length = scattered(rng, 30_000)
    long = length > 12
    network, length = network[long], length[long]
    merged = aggregate(network, length)[:2]
    expected = list(ipaddress.collapse_addresses(networks_of(network, length)))
    assert networks_of(*merged) == expected
    free = complement(network, length, 0, 0)
    assert_fewest(networks_of(*free))
    back = complement(*free, 0, 0)
    assert networks_of(*back) == expected
    assert len(intersect(*merged, *free)[0]) == 0
    groups = rng.integers(0, 2, len(network))
    own = aggregate(network, length, groups)
    again = [
        ipaddress.collapse_addresses(networks_of(network[groups == g], length[groups == g]))
        for g in (0, 1)
    ]
    assert networks_of(*own[:2]) == [n for half in again for n in half]


def published(name: str) -> pd.DataFrame:
    """Return providers' prefixes: provider, prefix, network, length."""
    frame = pd.read_csv(DATA / name, dtype={"provider": "str", "prefix": "str"})
    found = parse(frame["prefix"])
    assert not found.flags.any()
    return frame.assign(network=found.network, length=found.length)


def test_published_prefixes() -> None:
    """Each provider's prefixes aggregate to the space another tool published, in the fewest."""
    given_rows, reference = (
        published(f"cloud-ipv4-{kind}.csv.gz") for kind in ("prefixes", "aggregated")
    )
    codes, names = pd.factorize(given_rows["provider"], sort=True)
    network, length, group = aggregate(
        given_rows["network"].to_numpy(), given_rows["length"].to_numpy(), codes.astype(np.int64)
    )
    assert sorted(reference["provider"].unique()) == list(names)
    for code, name in enumerate(names):
        mine = networks_of(network[group == code], length[group == code])
        assert_fewest(mine)
        theirs = reference.loc[reference["provider"] == name, "prefix"]
        assert mine == list(ipaddress.collapse_addresses(map(Network, theirs)))


@pytest.mark.parametrize("within", [(1, 8), (0, 33), (0, -1), (-256, 24), (2**32, 32)], ids=str)
def test_within_what_is_no_prefix(within: tuple[int, int]) -> None:
    """Free space is looked for within a prefix, or not at all."""
    with pytest.raises(ValueError, match="no prefix with host bits cleared"):
        complement(*arrays([]), *within)


def test_rows_without_a_prefix() -> None:
    """A length that is none is refused on either side."""
    good, bad = arrays([Network("10.0.0.0/8")]), (np.zeros(1, np.uint32), np.array([255], np.uint8))
    with pytest.raises(ValueError, match="without a prefix"):
        aggregate(*bad)
    for operation in (subtract, intersect):
        for pair in ((*good, *bad), (*bad, *good)):
            with pytest.raises(ValueError, match="without a prefix"):
                operation(*pair)


def test_nothing() -> None:
    """Empty sets stay empty, with groups or without."""
    none, one = arrays([]), arrays([Network("10.0.0.0/8")])
    assert [len(part) for part in aggregate(*none)[:2]] == [0, 0]
    grouped = aggregate(*none, np.zeros(0, dtype=np.int64))
    assert grouped[2] is not None
    assert len(grouped[2]) == 0
    assert networks_of(*subtract(*none, *one)) == networks_of(*intersect(*one, *none)) == []
    assert networks_of(*subtract(*one, *none)) == [Network("10.0.0.0/8")]


def test_random_networks_collapse() -> None:
    """Thousands of crowded inventories collapse as stdlib collapses them."""
    rng = random.Random(35)
    for _ in range(2000):
        networks = random_networks(rng)
        found = aggregate(*arrays(networks))
        assert networks_of(*found[:2]) == list(ipaddress.collapse_addresses(networks))
