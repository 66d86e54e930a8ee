"""Aggregating changes no forwarding, whoever is down, and leaves nothing that could go."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.audit.aggregate import aggregate_routes  # one test asks it forty times

Entry = tuple[str, str, int]

#: A small corner of the address space, so that prefixes meet often.
NETWORKS = st.integers(27, 32).flatmap(
    lambda length: st.integers(0, 2 ** (length - 27) - 1).map(
        lambda number: f"10.0.0.{number << (32 - length)}/{length}"
    )
)
ROWS = st.tuples(st.sampled_from("rs"), st.sampled_from("abc"), NETWORKS, st.sampled_from([0, 100]))


def frame(rows: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    """Return rows as routes; a connection lives in one region."""
    cells = [(region, f"vco-{region}{name}", dest, weight) for region, name, dest, weight in rows]
    names = ["region_id", "vpn_connection_id", "route_dest", "weight"]
    made = pd.DataFrame(cells, columns=names)
    words = [f"row {number}" for number in range(len(rows))]
    return made.assign(next_hop=made["vpn_connection_id"], description=words)


@pytest.fixture
def fewest(tmp_path: Path, shell) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return `vcokit aggregate` as a function from routes to routes."""

    def run(routes: pd.DataFrame) -> pd.DataFrame:
        given, made = tmp_path / "given.csv", tmp_path / "made.csv"
        vk.write_routes(routes, given)
        code, _, said = shell("aggregate", given, "--output", made, "--drop-blocked")
        assert code == 0, said
        return vk.read_routes(made)

    return run


def table(routes: pd.DataFrame) -> dict[tuple[str, ipaddress.IPv4Network], frozenset[Entry]]:
    """Return the set of each destination, by the standard library alone."""
    found: dict[tuple[str, ipaddress.IPv4Network], set[Entry]] = {}
    for row in routes.itertuples():
        key = row.region_id, ipaddress.IPv4Network(row.route_dest)
        found.setdefault(key, set()).add((row.vpn_connection_id, row.next_hop, int(row.weight)))
    return {key: frozenset(entries) for key, entries in found.items()}


def standing(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that no plan blocks: neither repeats nor rows that contradict others."""
    unique = routes.drop_duplicates(["vpn_connection_id", "route_dest", "weight"])
    alone = ~unique.duplicated(["vpn_connection_id", "route_dest"], keep=False)
    return unique[alone]


def stack(destinations, region: str, address: ipaddress.IPv4Address) -> list[frozenset[Entry]]:
    """Return the sets of an address from the longest prefix to the shortest, equal ones once."""
    holding = [key for key in destinations if key[0] == region and address in key[1]]
    sets = [destinations[key] for key in sorted(holding, key=lambda key: -key[1].prefixlen)]
    return [one for n, one in enumerate(sets) if n == 0 or one != sets[n - 1]]


@settings(max_examples=30)
@given(st.lists(ROWS, max_size=14))
def test_every_address_keeps_its_sets_and_nothing_is_left_to_do(rows) -> None:
    """The set that decides, and those that may take over, stay in their order, in the fewest.

    No two siblings of one set are left whose parent is free, and nothing under its own set.
    """
    routes = frame(rows)
    before, after = table(standing(routes)), table(aggregate_routes(routes))
    assert len(after) <= len(before)
    for region in "rs":
        for address in ipaddress.IPv4Network("10.0.0.0/27"):
            assert stack(before, region, address) == stack(after, region, address)
    for (region, network), entries in after.items():
        above = [n for r, n in after if r == region and n != network and network.subnet_of(n)]
        if above:
            assert after[region, max(above, key=lambda one: one.prefixlen)] != entries
        (sibling,) = set(network.supernet().subnets()) - {network}
        if after.get((region, sibling)) == entries:
            assert (region, network.supernet()) in after


def test_a_second_time_changes_nothing(fewest) -> None:
    """What was aggregated is its own aggregate, and passes the audit without an error."""
    routes = vk.read_routes("data/routes.csv")
    once = fewest(routes)
    again = fewest(once)
    pd.testing.assert_frame_equal(again.drop(columns="source"), once.drop(columns="source"))
    assert not (vk.audit_routes(once)["severity"] == "error").any()
    assert 0 < len(once) < len(routes)


def test_what_goes_makes_room(fewest) -> None:
    """Halves go together once their parent has gone: merged itself, or covered."""
    halves = [("r", "a", "10.0.0.0/26", 100), ("r", "a", "10.0.0.64/26", 100)]
    parent = ("r", "b", "10.0.0.0/25", 100)
    for other in ("10.0.0.128/25", "10.0.0.0/24"):
        found = fewest(frame([*halves, parent, ("r", "b", other, 100)]))
        assert sorted(found["route_dest"]) == ["10.0.0.0/24", "10.0.0.0/25"]


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        (("r", "b", "10.0.0.0/25", 0), 3),  # halves of one connection, one of them not alone
        (("r", "b", "10.0.0.0/24", 100), 3),  # would take over if both halves of it were down
        (("r", "a", "10.0.0.0/24", 100), 1),
        (("r", "a", "10.0.0.128/26", 100), 1),
        (("s", "a", "10.0.0.0/25", 0), 2),
    ],
)
def test_what_stays(fewest, beside: tuple, left: int) -> None:
    """Halves of one set go together, unless another route says otherwise; a row keeps its words."""
    halves = [("r", "a", "10.0.0.0/25", 100), ("r", "a", "10.0.0.128/25", 100)]
    assert len(fewest(frame([*halves, beside]))) == left
    assert fewest(frame([beside]))["description"].tolist() == ["row 0"]
