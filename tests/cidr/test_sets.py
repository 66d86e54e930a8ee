"""Sets of addresses equal those of stdlib and netaddr, in the fewest prefixes there can be."""

from __future__ import annotations

import ipaddress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from tests.cidr.networks import DIRT, NETWORK, Network, cells, column, fewest, ip_set, scattered

DATA = Path(__file__).parents[2] / "data"
BOTH = pytest.mark.parametrize("dtype", ["str", "cidr"])
ROWS = some.lists(NETWORK | DIRT, max_size=30)
GROUPED = some.lists(some.tuples(NETWORK | DIRT, some.sampled_from(["b", "a", "c", None])))


def assert_fewest(networks: list[Network]) -> None:
    """Check that prefixes rise, are disjoint, and that no two are the halves of another.

    No set of addresses has more than one such list of prefixes, and none has a shorter one.
    """
    for one, two in pairwise(networks):
        assert one[-1] < two[0]
        same = one.prefixlen == two.prefixlen
        assert not (same and one.prefixlen and one.supernet() == two.supernet())


@BOTH
@settings(max_examples=40)
@given(rows=ROWS, others=ROWS, within=NETWORK)
def test_addresses_of_all_rows(dtype: str, rows: list, others: list, within: Network) -> None:
    """Aggregate, difference, intersection and free space are netaddr's, in stdlib's fewest."""
    asked, other = column(rows, dtype).cidr, column(others)
    mine, theirs = ip_set(rows), ip_set(others)
    for found, expected in (
        (asked.aggregate(), mine),
        (asked.subtract(other), mine - theirs),
        (asked.intersect(other), mine & theirs),
        (asked.complement(within), ip_set([within]) - mine),
    ):
        assert cells(found) == fewest(expected)
        assert (found.name, type(found.index)) == ("dest", pd.RangeIndex)
        assert_fewest(cells(found))


@BOTH
@settings(max_examples=40)
@given(rows=GROUPED)
def test_aggregate_in_groups(dtype: str, rows: list) -> None:
    """Each group by itself, however it borders on the next, sorted by group, indexed by it."""
    asked = column([net for net, _ in rows], dtype)
    groups = pd.Series([group for _, group in rows], dtype="str", name="site")
    found = asked.cidr.aggregate(groups=groups)
    expected = [
        (site, net)
        for site in ("a", "b", "c")
        for net in fewest(ip_set(net for net, its in rows if its == site))
    ]
    assert list(zip(found.index, cells(found), strict=True)) == expected
    assert found.index.name == "site"


def test_every_range_of_a_small_space() -> None:
    """Every range of addresses, at both ends of all there are, becomes stdlib's fewest prefixes."""
    for base in (0, 2**32 - 32):
        ranges = [(low, high) for low in range(base, base + 32) for high in range(low, base + 32)]
        single = [np.arange(low, high + 1).astype(np.uint32) for low, high in ranges]
        network = np.concatenate(single)
        made = pd.Series(vk.CidrArray.from_arrays(network, np.full(len(network), 32, np.uint8)))
        found = made.cidr.aggregate(np.repeat(np.arange(len(ranges)), [*map(len, single)]))
        ends = [[*map(ipaddress.IPv4Address, pair)] for pair in ranges]
        expected = [net for pair in ends for net in ipaddress.summarize_address_range(*pair)]
        assert cells(found) == expected


def test_the_widest_ranges() -> None:
    """All but one address takes 32 prefixes, all but both ends 62, and all of them one."""
    ends = [Network("0.0.0.0/32"), Network("255.255.255.255/32")]
    everything = Network("0.0.0.0/0")
    for taken in ([], ends[:1], ends[1:], ends):
        found = cells(column(taken).cidr.complement(everything))
        assert len(found) == [1, 32, 62][len(taken)]
        assert found == fewest(ip_set([everything]) - ip_set(taken))
    assert cells(column(["0.0.0.0/1", "128.0.0.0/1"]).cidr.aggregate()) == [everything]


def test_many_rows() -> None:
    """Thousands of prefixes collapse as by stdlib, and are all that free space leaves."""
    nets = [net for net in scattered(np.random.default_rng(8), 3_000) if net.prefixlen > 10]
    asked = column(nets, "cidr").cidr
    expected = list(ipaddress.collapse_addresses(nets))
    assert cells(asked.aggregate()) == expected
    free = asked.complement("0.0.0.0/0")
    assert_fewest(cells(free))
    assert cells(free.cidr.complement("0.0.0.0/0")) == expected
    assert len(asked.intersect(free)) == 0


def test_published_prefixes() -> None:
    """Each provider's prefixes aggregate to the space another tool published, in the fewest."""
    given_rows, reference = (
        pd.read_csv(DATA / f"cloud-ipv4-{kind}.csv.gz", dtype={"prefix": "cidr"})
        for kind in ("prefixes", "aggregated")
    )
    found = given_rows["prefix"].cidr.aggregate(given_rows["provider"])
    assert sorted(reference["provider"].unique()) == sorted(found.index.unique())
    for name, theirs in reference.groupby("provider")["prefix"]:
        mine = cells(found[found.index == name])
        assert_fewest(mine)
        assert mine == list(ipaddress.collapse_addresses(cells(theirs)))
