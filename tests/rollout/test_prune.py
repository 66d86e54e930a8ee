"""Pruning deletes what no row names, where that is certain, and little at a time."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from tests import strict_cidr
from tests.inventories import draw
from tests.rollout.test_plan import NAMES, actions, live, routes, unlisted
from vcokit import schema
from vcokit.errors import InputError, PlanError
from vcokit.rollout.plan import Plan, plan_routes

A, B, C = "vco-a", "vco-b", "vco-c"
KEPT = (A, "10.0.0.0/8", 100)
EXTRA = (A, "172.16.0.0/12", 100)


def deleted(plan: Plan) -> list[tuple[str, str]]:
    """Return connection and destination of what is deleted."""
    steps = plan.frame()
    gone = steps[steps["action"] == "delete"]
    return list(zip(gone["vpn_connection_id"], gone["route_dest"], strict=True))


def pruned(wanted: pd.DataFrame, there: pd.DataFrame, **options: object) -> Plan:
    """Return the plan that prunes."""
    return plan_routes(wanted, there, prune=True, **options)


def test_only_when_asked() -> None:
    """Without prune=True nothing is deleted; with it what no row names is."""
    assert actions(plan_routes(routes(KEPT), live(KEPT, EXTRA))) == ["keep"]
    plan = pruned(routes(KEPT), live(KEPT, EXTRA))
    assert str(plan) == "0 create, 0 modify, 1 delete, 1 keep, 0 blocked"
    (last,) = plan.frame().tail(1).itertuples(index=False)
    assert (last.step, last.state, last.weight, last.next_hop, last.scope) == (
        1,
        "pending",
        100,
        A,
        "r",
    )
    assert pd.isna([last.row, last.line, last.source, last.message, last.description]).all()


@pytest.mark.parametrize("lost", ["route_entry_type", "state"])
def test_live_routes_that_cannot_say_what_was_not_listed_delete_nothing(lost: str) -> None:
    """Without the columns that tell of connections that could not be listed, nobody prunes."""
    there = live(KEPT, EXTRA).drop(columns=lost)
    assert actions(plan_routes(routes(KEPT), there)) == ["keep"]
    with pytest.raises(InputError, match="could not be listed") as caught:
        pruned(routes(KEPT), there)
    assert "vk.live_routes(client, routes)" in str(caught.value)


def test_other_connections_are_left_alone() -> None:
    """What the inventory does not name as a connection keeps all it has, next hops too."""
    wanted = routes(KEPT, (B, "10.0.0.0/8", 100, C))
    there = live(KEPT, (C, "172.16.0.0/12", 100), ("vco-d", "172.16.0.0/12", 100))
    assert deleted(pruned(wanted, there)) == []


def test_routes_that_are_not_custom_are_left_alone() -> None:
    """A route that came by BGP is never deleted."""
    there = live(KEPT, EXTRA, (A, "172.32.0.0/12", 0)).assign(
        route_entry_type=["custom", "bgp", "custom"]
    )
    assert deleted(pruned(routes(KEPT), there)) == [(A, "172.32.0.0/12")]


@pytest.mark.parametrize(
    "row",
    [
        (A, "172.16.0.0/12", 7),
        (A, "172.16.0.9/12", 100),
        (A, "172.16.0.0/12", 100, "vco-z"),
        (A, "172.16.0.0/12", None),
    ],
)
def test_what_a_blocked_row_names_is_left_alone(row: tuple) -> None:
    """A row protects its connection and network, whatever else is wrong with it."""
    for there in (EXTRA, (A, "172.16.0.1/12", 100)):  # host bits, which the cloud should not hold
        plan = pruned(routes(KEPT, row), live(KEPT, there))
        assert deleted(plan) == []
        assert actions(plan) == ["keep", "blocked"]


@pytest.mark.parametrize("dest", ["172.16.0.0", "172.16.0.0/33", "x", None, "fd00::/8"])
def test_an_unreadable_destination_protects_its_connection(dest: str | None) -> None:
    """On a connection with such a row deletes are blocked with the reason; others go on."""
    wanted = routes(KEPT, (A, dest, 100), (B, "10.1.0.0/16", 100))
    plan = pruned(wanted, live(KEPT, EXTRA, (B, "172.16.0.0/12", 0)))
    assert deleted(plan) == [(B, "172.16.0.0/12")]
    blocked = plan.frame().iloc[3]
    assert (blocked["action"], blocked["state"], blocked["route_dest"]) == (
        "blocked",
        "blocked",
        "172.16.0.0/12",
    )
    assert "names no destination" in blocked["message"]


def test_a_row_without_a_connection_protects_its_network() -> None:
    """It may be any connection's; and a row that names nothing at all may be any route's."""
    there = live(KEPT, EXTRA, (A, "172.32.0.0/12", 0))
    wanted = routes(KEPT, (None, "172.16.0.1/12", 100))
    assert deleted(pruned(wanted, there)) == [(A, "172.32.0.0/12")]
    assert deleted(pruned(routes(KEPT, (None, None, 100)), there)) == []


@pytest.mark.parametrize("typed", ["vco-a.", "VCO-a", "ｖco-a", " vco-a"])
def test_an_id_that_is_none_protects_its_network(typed: str) -> None:
    """A slip of the pen in the connection's cell deletes nothing that the row names."""
    there = live(KEPT, EXTRA, (A, "172.32.0.0/12", 0))
    plan = pruned(routes(KEPT, (typed, "172.16.0.0/12", 100)), there)
    assert deleted(plan) == [(A, "172.32.0.0/12")]
    assert "unknown connection names its network" in plan.frame()["message"].dropna().iloc[-1]


def test_an_id_that_the_cloud_does_not_list_protects_its_network() -> None:
    """Of the right form but nobody's, it may be meant for any connection."""
    there = live(KEPT, EXTRA)
    wanted = routes(KEPT, ("vco-aa", "172.16.0.0/12", 100))
    assert deleted(pruned(wanted, there)) == [(A, "172.16.0.0/12")]  # nothing is known of vco-aa
    known = schema.frame(
        schema.LIVE_CONNECTIONS, {"region_id": ["r"], "vpn_connection_id": [A], "attached": [True]}
    )
    assert deleted(pruned(wanted, there, connections=known)) == []
    there = unlisted(there, "vco-aa", "InvalidVpnConnectionInstanceId.NotFound")
    assert deleted(pruned(wanted, there)) == []


def test_a_connection_of_two_scopes_is_left_alone() -> None:
    """Where rows of one connection name two scopes, nobody knows what else covers."""
    wanted = routes(KEPT, (A, "10.1.0.0/16", 100)).assign(router=["x", "y"])
    plan = pruned(wanted, live(KEPT, EXTRA), scope="router")
    assert deleted(plan) == []
    assert "several scopes" in plan.frame()["message"].iloc[2]
    plan = pruned(wanted.assign(router="x"), live(KEPT, EXTRA), scope="router")
    assert plan.frame()["scope"].tolist() == ["x", "x", "x"]


def many(connection: str, count: int) -> list[tuple]:
    """Return live routes that no row names."""
    return [(connection, f"172.16.{n}.0/24", 100) for n in range(count)]


def test_no_more_than_a_few() -> None:
    """By default ten routes of a connection may go, or a tenth of them where that is more."""
    wanted = routes(KEPT, (B, "10.0.0.0/8", 0))
    assert len(deleted(pruned(wanted, live(*many(A, 10), *many(B, 10))))) == 20
    with pytest.raises(PlanError, match=r"vco-a 11 of 11 live routes \(allowed: 10\)") as caught:
        pruned(wanted, live(*many(A, 11), *many(B, 10)))
    assert "vco-b" not in str(caught.value)
    assert "max_delete=11" in str(caught.value.remedy)
    kept = [(A, f"10.{n}.0.0/16", 100) for n in range(110)]
    assert len(deleted(pruned(routes(*kept), live(*kept, *many(A, 12))))) == 12
    with pytest.raises(PlanError, match="13 of 123"):
        pruned(routes(*kept), live(*kept, *many(A, 13)))


def test_the_number_can_be_given() -> None:
    """max_delete= counts the deletes of one connection; blocked ones do not count."""
    wanted, there = routes(KEPT), live(KEPT, *many(A, 30))
    assert len(deleted(pruned(wanted, there, max_delete=30))) == 30
    with pytest.raises(PlanError, match="allowed: 0"):
        pruned(wanted, there, max_delete=0)
    assert deleted(pruned(routes(KEPT, (A, None, 100)), there, max_delete=0)) == []
    for wrong in (-1, True):
        with pytest.raises(InputError, match="max_delete"):
            pruned(wanted, there, max_delete=wrong)


def test_what_is_deleted_makes_room() -> None:
    """With quota= a full connection can be changed to others: creates wait for deletes there."""
    wanted = routes((A, "10.0.0.0/8", 100), (A, "11.0.0.0/8", 100))
    there = live(*many(A, 2))
    assert actions(plan_routes(wanted, there, quota=2)) == ["blocked", "blocked"]
    plan = pruned(wanted, there, quota=2)
    assert actions(plan) == ["create", "create", "delete", "delete"]
    assert [plan.order.first(number) for number in range(4)] == [{2}, {3}, set(), set()]
    assert plan.order.gaps == ()


def test_the_connections_of_deletes_alone_are_in_the_plan() -> None:
    """Where all rows of a connection are blocked, its live routes are known to the plan."""
    plan = pruned(routes((A, "10.0.0.1/8", 100)), live(EXTRA))
    assert deleted(plan) == [(A, "172.16.0.0/12")]
    assert [len(table) for table in plan.live_by_connection().values()] == [1]


@pytest.mark.parametrize("seed", range(20))
def test_only_what_no_row_can_mean(seed: int) -> None:
    """On random dirt: what is deleted is live, and no row names its connection and network."""
    drawn = draw(random.Random(seed), 25, dirt=0.3)
    wanted, given = drawn.routes(), pd.DataFrame(drawn.live_rows(), columns=NAMES)
    there = schema.frame(schema.LIVE_ROUTES, given.to_dict("series"))
    plan = plan_routes(wanted, there, prune=True, max_delete=100)
    named, unread = set(), set()
    for row in wanted.itertuples():
        network = None if pd.isna(row.route_dest) else strict_cidr.network_of(row.route_dest)
        if network is None:
            unread.add(row.vpn_connection_id)
        else:
            named.add((row.vpn_connection_id, str(network)))
    lives = set(zip(there["vpn_connection_id"], there["route_dest"], strict=True))
    known = set(wanted["vpn_connection_id"].dropna())
    gone = set(deleted(plan))
    assert gone <= lives - named
    assert not {connection for connection, _ in gone} & unread
    sure = wanted["vpn_connection_id"].fillna("").str.fullmatch("vco-[0-9a-zA-Z]+").all()
    regions = wanted.groupby("vpn_connection_id")["region_id"].nunique(dropna=False)
    one_scope = set(regions.index[regions == 1])
    assert not sure or gone >= {r for r in lives - named if r[0] in (known & one_scope) - unread}
