"""What is called covered may be dropped: nothing is forwarded another way without it."""

from __future__ import annotations

import ipaddress
import random
import re
from collections import defaultdict

import pandas as pd
import pytest

from tests.audit.inventories import random_rows, routes_frame
from vcokit.audit import audit_routes

Table = dict[tuple[str, ipaddress.IPv4Network], set[tuple[str, str, int]]]


def forwarding_table(rows: pd.DataFrame) -> Table:
    """Return the routes of every (region, network), read one row at a time."""
    table: Table = defaultdict(set)
    for one in rows.itertuples():
        cells = (one.region_id, one.vpn_connection_id, one.route_dest, one.next_hop)
        if any(pd.isna(cell) or cell == "" for cell in (*cells, one.weight)):
            continue
        if one.weight not in (0, 100):
            continue
        try:
            network = ipaddress.IPv4Network(one.route_dest, strict=False)
        except ValueError:
            continue
        # The standard library takes masks, bare addresses and /08 as well.
        strict = re.fullmatch(r"[0-9.]+/(0|[1-9][0-9]?)", one.route_dest)
        if strict and network.prefixlen:
            hop = (one.vpn_connection_id, one.next_hop, one.weight)
            table[one.region_id, network].add(hop)
    return table


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


@pytest.mark.parametrize("seed", range(40))
def test_dropping_what_is_covered_changes_no_forwarding(seed: int) -> None:
    """Each covered destination, and all of them together, can be dropped."""
    rows = routes_frame(random_rows(random.Random(seed), 40))
    findings = audit_routes(rows)
    table = forwarding_table(rows)
    covered = {
        (rows["region_id"].iloc[row], ipaddress.IPv4Network(rows["route_dest"].iloc[row], False))
        for row in findings.loc[findings["rule"] == "covered", "row"]
    }
    points = turning_points(table)
    before = {(r, p): way(table, r, p) for r in ("cn-a", "cn-b") for p in points}
    for gone in [*({one} for one in covered), covered]:
        left = {key: hops for key, hops in table.items() if key not in gone}
        assert all(way(left, r, p) == hops for (r, p), hops in before.items())


def test_there_are_covered_destinations() -> None:
    """The inventories above hold covered destinations, and others whose loss would be felt."""
    found = [
        audit_routes(routes_frame(random_rows(random.Random(seed), 40)))["rule"]
        for seed in range(40)
    ]
    rules = pd.concat(found).value_counts()
    assert rules["covered"] >= 5
    assert rules["more-specific"] > 10
