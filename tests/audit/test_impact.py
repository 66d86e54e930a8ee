"""Which addresses go another way: what a loop over single addresses sees, block by block."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import netaddr
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from vcokit.errors import InputError

COLUMNS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
#: All addresses of the tests lie here, and one beside it.
SPACE = list(ipaddress.IPv4Network("10.0.0.0/27"))
OUTSIDE = ipaddress.IPv4Address("10.0.0.32")
NETWORKS = [*ipaddress.IPv4Network("10.0.0.0/27").subnets(new_prefix=27), *(
    network
    for length in (28, 29, 30, 31, 32)
    for network in ipaddress.IPv4Network("10.0.0.0/27").subnets(new_prefix=length)
)]  # fmt: skip
ROUTES = some.lists(
    some.tuples(
        some.sampled_from(["cn-a", "cn-b"]),
        some.sampled_from(["vco-a", "vco-b", "vco-c"]),
        some.sampled_from(NETWORKS).map(str),
        some.sampled_from([0, 100]),
    ),
    max_size=12,
)


def frame(rows: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    """Return routes as a frame."""
    return pd.DataFrame([(r, c, d, c, w) for r, c, d, w in rows], columns=COLUMNS)


def way(rows: list[tuple[str, str, str, int]], region: str, address: ipaddress.IPv4Address) -> str:
    """Return whose routes win for one address, as the frame says it; empty where none does."""
    able = [
        (ipaddress.IPv4Network(dest).prefixlen, weight, connection)
        for where, connection, dest, weight in rows
        if where == region and address in ipaddress.IPv4Network(dest)
    ]
    if not able:
        return ""
    best = max((length, weight) for length, weight, _ in able)
    names = sorted({name for length, weight, name in able if (length, weight) == best})
    return " + ".join(name if best[1] else f"{name} (standby)" for name in names)


def change_of(before: str, after: str) -> str:
    """Return what becomes of an address whose way is another one."""
    if not (before and after):
        return "lost" if before else "gained"
    stood, stands = before.endswith("(standby)"), after.endswith("(standby)")
    return "moved" if stood == stands else "standby only" if stands else "active again"


def blocks(changes: pd.DataFrame) -> Iterator[tuple[str, netaddr.IPNetwork, tuple[str, str, str]]]:
    """Yield region, block and what becomes of it."""
    filled = changes.astype({"change": "str"}).fillna({"before": "", "after": ""})
    for one in filled.itertuples():
        yield one.region_id, netaddr.IPNetwork(one.block), (one.change, one.before, one.after)


@settings(max_examples=30)
@given(ROUTES, ROUTES)
def test_every_address_by_itself(
    before: list[tuple[str, str, str, int]], after: list[tuple[str, str, str, int]]
) -> None:
    """Every address that goes another way is in one block, which says how; no other one is."""
    changes = vk.forwarding_changes(frame(before), frame(after))
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for region, block, what in blocks(changes):
        for address in block:
            assert (region, str(address)) not in found
            found[region, str(address)] = what
    expected = {}
    for region in ("cn-a", "cn-b"):
        for address in [*SPACE, OUTSIDE]:
            was, will = way(before, region, address), way(after, region, address)
            if was != will:
                expected[region, str(address)] = (change_of(was, will), was, will)
    assert found == expected
    assert changes["addresses"].sum() == len(expected)


@settings(max_examples=30)
@given(ROUTES, ROUTES)
def test_the_fewest_blocks(
    before: list[tuple[str, str, str, int]], after: list[tuple[str, str, str, int]]
) -> None:
    """Blocks of one change are as few as netaddr makes of them, and sorted the worst first."""
    changes = vk.forwarding_changes(frame(before), frame(after))
    groups: dict[tuple[str, tuple[str, str, str]], list[netaddr.IPNetwork]] = {}
    for region, block, what in blocks(changes):
        groups.setdefault((region, what), []).append(block)
    for nets in groups.values():
        assert sorted(nets) == netaddr.cidr_merge(nets)
    rank = changes["change"].cat.codes
    assert rank.is_monotonic_increasing
    sizes = changes.groupby(rank)["addresses"]
    assert all(size.is_monotonic_decreasing for _, size in sizes)


@settings(max_examples=30)
@given(ROUTES)
def test_nothing_changes(rows: list[tuple[str, str, str, int]]) -> None:
    """A frame beside itself, in any order, differs nowhere; nor does what aggregate makes of it."""
    routes = frame(rows)
    assert vk.forwarding_changes(routes, routes[::-1]).empty


@settings(max_examples=25)
@given(ROUTES)
def test_what_is_aggregated_forwards_alike(rows: list[tuple[str, str, str, int]]) -> None:
    """Fewer destinations, put together by the library, send no address another way."""
    stands = {(region, name, dest): weight for region, name, dest, weight in rows}
    routes = frame([(r, c + r[-1], dest, weight) for (r, c, dest), weight in stands.items()])
    fewer = vk.aggregate_routes(routes)
    assert len(fewer) <= len(routes)
    assert vk.forwarding_changes(routes, fewer).empty


def test_the_whole_of_the_address_space() -> None:
    """The first and the last address count; a default route takes no part."""
    halves = frame([("r", "vco-a", "0.0.0.0/1", 100), ("r", "vco-a", "128.0.0.0/1", 100)])
    nothing = frame([("r", "vco-a", "0.0.0.0/0", 100)])
    changes = vk.forwarding_changes(halves, nothing)
    assert changes[["block", "addresses"]].values.tolist() == [["0.0.0.0/0", 1 << 32]]
    assert changes["change"].tolist() == ["lost"]
    assert vk.forwarding_changes(nothing, nothing).empty


def test_what_takes_no_part() -> None:
    """Rows without a prefix, a connection or a weight of 0 or 100 forward nothing."""
    good = [("r", "vco-a", "10.0.0.1/24", 100)]
    dirty = frame([*good, ("r", "vco-b", "10.0.0.0", 100), ("r", "vco-b", "10.0.0.0/24", 50)])
    dirty = pd.concat([dirty, frame([("r", None, "10.0.0.0/25", 100)])])  # type: ignore[list-item]
    assert vk.forwarding_changes(frame(good), dirty).empty


def test_scopes_are_columns_of_ones_own() -> None:
    """Routes of different scopes do not meet; a scope that is named like a column is told apart."""
    routes = frame([("r", "vco-a", "10.0.0.0/8", 100), ("r", "vco-b", "10.0.0.0/8", 100)])
    before = routes.assign(router=["tr-1", "tr-2"], change=["x", None], side=["x", "y"])
    after = before[:1]
    for scope in ("router", ["region_id", "router"], "side", ("change",)):
        changes = vk.forwarding_changes(before, after, scope=scope)
        assert changes["before"].tolist() == ["vco-b"]
    assert next(iter(changes)) == "change (scope)"
    assert vk.forwarding_changes(before, after)["before"].tolist() == ["vco-a + vco-b"]


def test_wrong_arguments_are_one_error() -> None:
    """What is no frame, or lacks a column, is told by its name."""
    routes = frame([])
    with pytest.raises(InputError, match="after is routes as a DataFrame, and got a str"):
        vk.forwarding_changes(routes, "routes.csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="before"):
        vk.forwarding_changes(routes.drop(columns="weight"), routes)
    assert list(vk.forwarding_changes(routes, routes)) == [
        "region_id", "block", "addresses", "change", "before", "after",
    ]  # fmt: skip
