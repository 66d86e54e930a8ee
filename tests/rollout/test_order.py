"""Whatever follows the waits of an order leaves no address uncovered, and comes to its end."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from ipaddress import IPv4Network

import pandas as pd
import pytest

import vcokit as vk
from tests.rollout.forwarding import Cloud, Run, random_tables, steps_between
from vcokit import schema
from vcokit.rollout.ordering import order_of
from vcokit.rollout.steps import Route, Step


def step(number: int, action: str, lane: str, dest: str, weight: int = 100, **more: object) -> Step:
    """Return a step in region r; its next hop is its connection."""
    given = {"next_hop": lane, "scope": "r"} | more
    return Step(number, action, "r", lane, dest, weight=weight, **given)


def firsts(steps: list[Step], **options: object) -> dict[int, set[int]]:
    """Return, by step, all that it waits for."""
    run = Run(steps, order_of(steps, options.pop("live", {}), **options), Cloud({}, {}), random)
    return {s.number: run.first(s.number) for s in steps if run.first(s.number)}


def held(*dests: str, lane: str) -> frozenset[Route]:
    """Return live routes of a connection."""
    return frozenset(Route(dest, lane, 100) for dest in dests)


# -- the cases to begin with --------------------------------------------------------------------


def test_two_halves_become_one() -> None:
    """Both halves wait for the whole, wherever it is made."""
    steps = [
        step(0, "delete", "a", "10.0.0.0/9"),
        step(1, "delete", "a", "10.128.0.0/9"),
        step(2, "create", "a", "10.0.0.0/8"),
    ]
    assert firsts(steps) == {0: {2}, 1: {2}}


def test_lanes_that_wait_for_one_another() -> None:
    """Each lane's delete waits for the other's create, which waits for nothing."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16"),
        step(1, "create", "a", "10.2.0.0/16"),
        step(2, "delete", "b", "10.2.0.0/16"),
        step(3, "create", "b", "10.1.0.0/16"),
    ]
    assert firsts(steps) == {0: {3}, 2: {1}}


def test_active_and_standby_swap() -> None:
    """The active route becomes standby only after the standby one has become active."""
    steps = [
        step(0, "modify", "a", "10.1.0.0/16", 0, old_weight=100),
        step(1, "modify", "b", "10.1.0.0/16", 100, old_weight=0),
    ]
    assert firsts(steps) == {0: {1}}


def test_scopes_and_other_networks_do_not_meet() -> None:
    """Nothing waits for another scope, nor for a network that shares no address."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16"),
        step(1, "create", "b", "10.1.0.0/16", scope="s"),
        step(2, "create", "c", "10.2.0.0/16"),
        step(3, "keep", "d", "10.1.0.0/16"),
    ]
    assert order_of(steps, {}).waits == {}


def test_waits_are_by_network() -> None:
    """Many connections that move one network cost an entry each, not one a pair."""
    steps = [step(n, "create", f"n{n}", "10.0.0.0/8") for n in range(250)]
    steps += [step(250 + n, "delete", f"o{n}", "10.0.0.0/8") for n in range(250)]
    waits = order_of(steps, {}).waits
    assert all(len(waits[250 + n]) == 1 for n in range(250))
    assert sum(map(len, waits.values())) == 250 + 250 + 1


def test_a_create_waits_for_room() -> None:
    """On a full connection each create waits for a delete of its own; where room is, for none."""
    steps = [step(n, "create", "a", f"10.{n}.0.0/16") for n in range(3)]
    steps += [step(3 + n, "delete", "a", f"11.{n}.0.0/16") for n in range(3)]
    live = {"a": held("11.0.0.0/16", "11.1.0.0/16", "11.2.0.0/16", lane="a")}
    waits = firsts(steps, live=live, quota=4)
    assert sorted(len(first) for first in waits.values()) == [1, 1]
    assert len(set().union(*waits.values())) == 2
    assert firsts(steps, live=live, quota=6) == {}
    # One more is there than may be: the first delete makes room for none.
    waits = firsts([steps[0], *steps[3:]], live=live, quota=2)
    assert [len(first) for first in waits.values()] == [2]


def test_what_never_fits_is_left_to_the_cloud() -> None:
    """Where not even all deletes make room enough, creates that never fit wait for none."""
    steps = [step(n, "create", "a", f"10.{n}.0.0/16") for n in range(3)]
    steps.append(step(3, "delete", "a", "11.0.0.0/16"))
    waits = firsts(steps, live={"a": held("11.0.0.0/16", lane="a")}, quota=1)
    assert list(waits.values()) == [{3}]


def test_full_connections_that_swap_have_a_gap() -> None:
    """Two full connections cannot swap routes; the gap names routes, connections and quota."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16"),
        step(1, "create", "a", "10.2.0.0/16"),
        step(2, "delete", "b", "10.2.0.0/16"),
        step(3, "create", "b", "10.1.0.0/16"),
    ]
    live = {"a": held("10.1.0.0/16", lane="a"), "b": held("10.2.0.0/16", lane="b")}
    found = order_of(steps, live, 1)
    (gap,) = found.gaps
    assert gap.steps == (0, 3)
    for word in ("delete 10.1.0.0/16 on a", "create 10.1.0.0/16 on b", "a, b: full", "quota 1"):
        assert word in str(gap)
    assert order_of(steps, live, 2).gaps == ()


def test_a_pair_on_one_connection_has_a_gap() -> None:
    """A route that its successor cannot stand beside goes first, and that is a gap."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16", next_hop="x"),
        step(1, "create", "a", "10.1.0.0/16", next_hop="y"),
    ]
    found = order_of(steps, {})
    assert [gap.steps for gap in found.gaps] == [(0, 1)]
    assert found.waits[1] == (0,)
    assert 0 not in found.waits


def test_standby_routes_give_way_without_a_gap() -> None:
    """A full connection swaps its standby route for another's: ordered is not possible, nor due."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16", 0),
        step(1, "create", "a", "10.1.0.0/17", 0),
        step(2, "delete", "b", "10.1.0.0/16", 0),
        step(3, "create", "b", "10.1.128.0/17", 0),
    ]
    live = {lane: frozenset({Route("10.1.0.0/16", lane, 0)}) for lane in "ab"}
    found = order_of(steps, live, 1)
    assert found.gaps == ()
    assert (found.first(1), found.first(3)) == ({0}, {2})


def test_a_standby_route_gives_way_before_an_active_one() -> None:
    """Where a cycle holds both, the standby route goes first, and there is no gap."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16"),
        step(1, "create", "a", "10.2.0.0/16", 0),
        step(2, "delete", "b", "10.2.0.0/16", 0),
        step(3, "create", "b", "10.1.0.0/16"),
    ]
    live = {"a": held("10.1.0.0/16", lane="a"), "b": frozenset({Route("10.2.0.0/16", "b", 0)})}
    found = order_of(steps, live, 1)
    assert found.gaps == ()
    assert [found.first(number) for number in range(4)] == [{3}, {0}, set(), {2}]


def test_a_gap_names_only_what_cannot_be_done_before() -> None:
    """Of those that add the same network, the one with room is waited for still."""
    steps = [
        step(0, "delete", "a", "10.1.0.0/16"),
        step(1, "create", "a", "10.0.0.0/8"),
        step(2, "create", "b", "10.0.0.0/8"),
    ]
    found = order_of(steps, {"a": held("10.1.0.0/16", lane="a")}, 1)
    assert [gap.steps for gap in found.gaps] == [(0, 1)]


def test_what_can_be_done_in_no_order_is_let_go() -> None:
    """Two routes of one place that each stand in the other's way are a gap, not a dead end."""
    steps = [
        step(0, "modify", "a", "10.1.0.0/16", 100, old_weight=0, next_hop="x"),
        step(1, "modify", "a", "10.1.0.0/16", 0, old_weight=100, next_hop="y"),
    ]
    found = order_of(steps, {})
    assert found.gaps
    run = Run(steps, found, Cloud({"a": set()}, {"a": "r"}), random.Random(0))
    list(run.events())
    assert run.done == {0, 1}


# -- in general ---------------------------------------------------------------------------------


def world(seed: int) -> tuple[random.Random, list[Step], Cloud, int | None]:
    """Return random steps, the cloud they begin with, and a quota or none."""
    rng = random.Random(seed)
    lanes = [f"vco-{n}" for n in range(rng.randint(1, 4))]
    scopes = {lane: rng.choice("rrs") for lane in lanes}
    old, new = (random_tables(rng, lanes, rng.randint(1, 5)) for _ in range(2))
    steps = steps_between(old, new, scopes)
    rng.shuffle(steps)
    steps = [Step(**{**_fields(s), "number": n}) for n, s in enumerate(steps)]
    needed = max(len(table) for tables in (old, new) for table in tables.values())
    quota = rng.choice([None, needed, needed + 1, needed + 2])
    return rng, steps, Cloud(deepcopy(old), scopes), quota


def _fields(one: Step) -> dict:
    return {name: getattr(one, name) for name in Step.__slots__}


@pytest.mark.parametrize("failing", [0.0, 0.2])
@pytest.mark.parametrize("chunk", range(10))
def test_nothing_is_uncovered_in_between(chunk: int, failing: float) -> None:
    """Any carrying out, in any order that the waits allow and with any refusals, has no gap."""
    for seed in range(chunk * 60, chunk * 60 + 60):
        rng, steps, cloud, quota = world(seed)
        live = {lane: frozenset(table) for lane, table in cloud.tables.items()}
        found = order_of(steps, live, quota)
        run = Run(steps, found, cloud, rng, failing)
        after = deepcopy(cloud)
        for one in steps:
            after.coming[one.vpn_connection_id] = 1
            after.settle(one)
        kept = cloud.covered() & after.covered()
        for _ in run.events():
            full = [lane for lane in cloud.tables if quota and cloud.size(lane) > quota]
            assert not full, (seed, "more routes than the quota allows")
            assert found.gaps or kept <= cloud.covered(), (seed, "uncovered")
        assert run.done | run.lost == {one.number for one in steps}, (seed, "a dead end")
        assert failing or not run.lost


def overlap(one: Step, other: Step) -> bool:
    """Tell whether two steps share scope and an address."""
    nets = IPv4Network(one.route_dest), IPv4Network(other.route_dest)
    return one.scope == other.scope and nets[0].overlaps(nets[1])


def can_be_ordered(steps: list[Step], sizes: dict[str, int], quota: int | None) -> bool:
    """Search all orders for one in which no active route breaks before what makes over it."""

    def makes(one: Step) -> bool:
        return one.weight == 100 and one.action in ("create", "modify")

    def breaks(one: Step) -> bool:
        return one.before is not None and one.before.weight == 100

    @cache
    def goes_on(done: frozenset[int]) -> bool:
        if len(done) == len(steps):
            return True
        size = dict(sizes)
        for one in steps:
            if one.number in done:
                size[one.vpn_connection_id] += {"create": 1, "delete": -1}.get(one.action, 0)
        for one in steps:
            if one.number in done:
                continue
            if breaks(one) and any(
                makes(other) and overlap(one, other) and other.number not in done for other in steps
            ):
                continue
            if (
                one.action == "create"
                and quota is not None
                and size[one.vpn_connection_id] >= quota
            ):
                continue
            if goes_on(done | {one.number}):
                return True
        return False

    return goes_on(frozenset())


def test_what_cannot_be_ordered_is_reported() -> None:
    """A gap is reported wherever a search through all orders finds none, and hardly elsewhere.

    Which create takes what room is not searched: of these worlds, one in a hundred at most has a
    gap reported that a cleverer order would avoid.
    """
    worlds, avoidable = 0, []
    for seed in range(500):
        _, steps, cloud, quota = world(seed)
        if len(steps) > 9:
            continue
        worlds += 1
        live = {lane: frozenset(table) for lane, table in cloud.tables.items()}
        sizes = {lane: len(table) for lane, table in cloud.tables.items()}
        has_gap, can_be = (
            order_of(steps, live, quota).gaps != (),
            can_be_ordered(steps, sizes, quota),
        )
        assert has_gap or can_be, (seed, "a gap is not reported")
        avoidable += [seed] * (has_gap and can_be)
    assert len(avoidable) <= worlds / 100, avoidable


def test_many_moves_are_ordered() -> None:
    """Moves of ten thousand networks, also on full connections: each waits, and none has a gap."""
    steps, live = [], {}
    for n in range(10_000):
        lane, other = f"vco-{n % 50}", f"vco-{(n + 1) % 50}"
        dest = f"10.{n >> 8}.{n & 255}.0/24"
        steps += [step(2 * n, "create", lane, dest), step(2 * n + 1, "delete", other, dest)]
        live.setdefault(other, set()).add(Route(dest, other, 100))
    live = {lane: frozenset(routes) for lane, routes in live.items()}
    for quota in (None, 201):
        found = order_of(steps, live, quota)
        assert found.gaps == ()
        assert all(found.first(number) for number in range(1, 20_000, 2))


# -- what it costs -------------------------------------------------------------------------------


def swapping(connections: int, kept: int = 0) -> vk.Plan:
    """Return a plan for full connections that each swap one summary for a network of its own."""

    def frame(dests: Callable[[int], list[str]]) -> pd.DataFrame:
        rows = [(f"vco-{n:04}", dest) for n in range(connections) for dest in dests(n)]
        ids = [connection for connection, _ in rows]
        given = {"vpn_connection_id": ids, "route_dest": [dest for _, dest in rows]}
        ends = {"region_id": ["cn-hangzhou"] * len(ids), "next_hop": ids}
        return schema.frame(schema.LIVE_ROUTES, given | ends | {"weight": [100] * len(ids)})

    def stay(n: int) -> list[str]:
        return [f"172.{16 + n % 16}.{n // 16}.{4 * place}/30" for place in range(kept)]

    wanted = frame(lambda n: [*stay(n), f"10.{n >> 8}.{n & 255}.0/24"])
    live = frame(lambda n: [*stay(n), "10.0.0.0/8"])
    return vk.plan_routes(wanted, live, prune=True, quota=kept + 1)


def calls_for_order(plan: vk.Plan) -> float:
    """Return how many functions are called to order a plan, for each step that a gap names."""
    count = 0

    def note(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        gaps = plan.order.gaps
    finally:
        sys.setprofile(None)
    return count / sum(len(gap.steps) for gap in gaps)


@pytest.mark.parametrize("kept", [0, 2])
def test_swaps_of_full_connections_cost_no_more_each_where_there_are_more(kept: int) -> None:
    """Four times as many full connections that swap cost no more for each step a gap names."""
    assert calls_for_order(swapping(80, kept)) < 1.2 * calls_for_order(swapping(20, kept))


def test_swaps_of_full_connections_come_to_their_end() -> None:
    """Each has a gap of few words, one goes after the other, and none exceeds its quota."""
    plan = swapping(60)
    steps = [one for one in plan.each() if one.sends]
    gaps = plan.order.gaps
    assert len(gaps) == 60
    assert max(len(str(gap)) for gap in gaps) < 400
    # The first of them to go cannot wait for any, the last for its own alone.
    assert sorted(len(gap.steps) for gap in gaps) == list(range(2, 62))
    tables = {one.vpn_connection_id: {one.before} for one in steps if one.action == "delete"}
    cloud = Cloud(tables, dict.fromkeys(tables, "cn-hangzhou"))
    run = Run(steps, plan.order, cloud, random.Random(0))
    for _ in run.events():
        assert max(map(cloud.size, tables)) <= 1
        # One after the other: never are two of the summaries' successors missing at once.
        gone = [lane for lane, table in tables.items() if not table]
        assert len(gone) <= 1
    assert len(run.done) == len(steps)


def test_a_wait_that_can_be_met_is_not_given_up() -> None:
    """A step that goes before what its own connection has no room for waits for all the rest."""
    steps = [
        step(0, "delete", "a", "10.0.0.0/8"),
        step(1, "create", "a", "10.1.0.0/16"),
        step(2, "create", "b", "10.2.0.0/16"),
        step(3, "delete", "b", "11.0.0.0/16"),
        step(4, "create", "c", "11.0.0.0/17"),
    ]
    live = {"a": held("10.0.0.0/8", lane="a"), "b": held("11.0.0.0/16", lane="b")}
    found = order_of(steps, live, 1)
    assert [gap.steps for gap in found.gaps] == [(0, 1)]
    run = Run(steps, found, Cloud({}, {}), random.Random(0))
    assert [run.first(number) for number in range(4)] == [{2}, {0}, {3}, {4}]
