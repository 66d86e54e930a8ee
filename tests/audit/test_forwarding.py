"""What is called covered may be dropped: what a plan makes forwards no other way without it."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter, defaultdict
from typing import Any

import pandas as pd
import pytest

import vcokit as vk
from tests import strict_cidr
from tests.audit.oracle import oracle
from tests.inventories import draw

Table = dict[tuple[str, ipaddress.IPv4Network], set[tuple[str, str, int]]]


def forwarding_table(rows: pd.DataFrame) -> Table:
    """Return the routes of every (region, network) that a plan makes, by the oracle's findings."""
    found = oracle(rows.astype("object").where(rows.notna(), None).to_dict("records"))
    relations = ("duplicate", "weight-conflict", "next-hop-conflict")
    blocked = {f["row"] for f in found if f["severity"] == "error" and f["rule"] not in relations}
    places = defaultdict(set)
    for one in rows.itertuples():
        if (network := network_of(one)) is not None:
            places[one.vpn_connection_id, network].add((one.next_hop, one.weight))
    table: Table = defaultdict(set)
    for row, one in enumerate(rows.itertuples()):
        network = network_of(one)
        if network is None or row in blocked or len(places[one.vpn_connection_id, network]) > 1:
            continue
        table[one.region_id, network].add((one.vpn_connection_id, one.next_hop, one.weight))
    return table


def network_of(one: Any) -> ipaddress.IPv4Network | None:
    """Return the network of a row that takes part."""
    cells = (one.region_id, one.vpn_connection_id, one.route_dest, one.next_hop)
    if any(pd.isna(cell) or cell == "" for cell in (*cells, one.weight)):
        return None
    network = strict_cidr.network_of(one.route_dest)
    takes_part = network and network.prefixlen > 0 and one.weight in (0, 100)
    return network if takes_part else None


def way(table: Table, region: str, address: int) -> set[tuple[str, str, int]]:
    """Return the routes of the longest prefix that holds an address."""
    holding = [
        (network.prefixlen, hops)
        for (where, network), hops in table.items()
        if where == region and ipaddress.IPv4Address(address) in network
    ]
    return max(holding, key=lambda one: one[0])[1] if holding else set()


def turning_points(table: Table) -> list[int]:
    """Return addresses between which no answer can change."""
    points = {0}
    for _, network in table:
        points |= {int(network.network_address), int(network.broadcast_address) + 1}
    return sorted(point for point in points if point < 2**32)


#: Networks that lie in one another, some of which a plan refuses.
NESTED = ["10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/24", "10.1.2.3/32"]
NESTED += ["100.0.0.0/8", "100.1.0.0/16", "100.64.0.0/10", "100.64.0.0/16"]


def nested_rows(rng: random.Random) -> pd.DataFrame:
    """Return a pair of connections on nested networks, now and then spoilt, so that sets meet."""
    rows = []
    for dest in NESTED:
        for name, weight in [("vco-a", 100), ("vco-b", 0)][: rng.choice([0, 1, 2, 2])]:
            spoilt = rng.random() < 0.15
            region = "cn-a" if rng.random() < 0.95 else "cn-b"
            hop = "vco-z" if spoilt and rng.random() < 0.5 else name
            weights = [weight] + [100 - weight if spoilt else weight] * (rng.random() < 0.2)
            rows += [(region, name, dest, hop, one) for one in weights]
    rng.shuffle(rows)
    names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "any"])
def test_dropping_what_is_covered_changes_no_forwarding(nested: bool) -> None:
    """Each covered destination, and all of them together, can be dropped; others are felt."""
    counts = Counter[str]()
    for seed in range(24):
        chance = random.Random(seed)
        rows = nested_rows(chance) if nested else draw(chance, 40, dirt=0.3).routes()
        findings, table = vk.audit_routes(rows), forwarding_table(rows)
        covered = {
            (rows["region_id"][row], ipaddress.IPv4Network(rows["route_dest"][row], False))
            for row in findings.loc[findings["rule"] == "covered", "row"]
        }
        asked = {(region, point) for region, _ in table for point in turning_points(table)}
        before = {key: way(table, *key) for key in asked}
        for gone in [*({one} for one in covered), covered]:
            left = {key: hops for key, hops in table.items() if key not in gone}
            assert all(way(left, *key) == hops for key, hops in before.items())
        counts.update(made=len(covered & table.keys()), left=len(table.keys() - covered))
    assert counts["made"] > (10 if nested else 0)
    assert counts["left"] > 50
