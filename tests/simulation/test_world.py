"""Whatever goes wrong at whatever moment, a rollout ends with the cloud as it was planned."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.world import World, live_of, random_world
from vcokit.cloud.operations import OPERATIONS
from vcokit.rollout import steps as st

SEEDS_A_TEST = 25


def assert_right(world: World) -> None:
    """Assert what holds after every rollout, however it went."""
    live = live_of(world.cloud, world.now + 1000.0)
    for step in world.steps.values():
        state = world.records[step.number].state if step.sends else st.DONE
        assert state in st.FINAL, f"{step} ended as {state}"
        if state == st.DONE:
            assert step.shows(live[step.lane]), f"{step} is done but not live"
    expected = {lane: set(routes) for lane, routes in world.plan.live_by_lane().items()}
    touched: dict[str, set] = {lane: set() for lane in expected}
    for step in world.steps.values():
        if step.sends and world.records[step.number].state == st.DONE:
            expected[step.lane] -= {step.before}
            expected[step.lane] |= {step.after}
        elif step.sends:
            touched[step.lane] |= {step.before, step.after}
    for lane, routes in live.items():
        strange = (set(routes) ^ expected[lane]) - touched[lane]
        assert not strange, f"nobody planned {strange} on {lane}"
    assert_nothing_twice(world)
    assert_every_call_intended(world)


def assert_nothing_twice(world: World) -> None:
    """Assert that no route was created twice, by the simulator's own history."""
    made = Counter(
        (call.vpn_connection_id, call.parameters["RouteDest"])
        for call in world.cloud.history
        if call.operation == "CreateVcoRouteEntry" and call.changed
    )
    assert max(made.values(), default=0) <= 1


def assert_every_call_intended(world: World) -> None:
    """Assert that every token the cloud saw was written down before it was sent."""
    tokens = {st.client_token("world", step, attempt) for step, attempt in world.intents}
    seen = {call.client_token for call in world.cloud.history if call.client_token}
    assert seen <= tokens


def assert_limits_kept(world: World) -> None:
    """Assert that no window of the cloud ever held more calls than it may."""
    by_window: dict[tuple[str, str], list[float]] = {}
    for call in world.cloud.history:
        by_window.setdefault((call.operation, call.region_id), []).append(call.time)
    for (operation, _), times in by_window.items():
        limit = OPERATIONS[operation].limit
        times.sort()
        for late, early in zip(times[limit.calls :], times, strict=False):
            assert late - early >= limit.seconds


def blocks(number: int) -> list[int]:
    """Return the first seed of each block, a block a test."""
    return [block * SEEDS_A_TEST for block in range(number)]


@pytest.mark.parametrize("first", blocks(2))
def test_nothing_goes_wrong(first: int) -> None:
    """Without faults every step is done, no call is refused, and limits are kept."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed, faults=False).run()
        assert_right(world)
        assert world.finished.reason == "finished"
        assert {world.records[n].state for n, s in world.steps.items() if s.sends} <= {st.DONE}
        assert set(world.outcomes) == {"ok"}
        assert_limits_kept(world)


@pytest.mark.parametrize("first", blocks(4))
def test_faults(first: int) -> None:
    """With every fault of the simulator the outcome is right, and limits are kept."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed).run()
        assert_right(world)
        assert_limits_kept(world)


@pytest.mark.parametrize("first", blocks(4))
def test_crashes(first: int) -> None:
    """Killed three times at any moment and started again, the outcome is the same."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed, crashes=3).run()
        assert_right(world)


@pytest.mark.parametrize("first", blocks(4))
def test_late_arrivals(first: int) -> None:
    """A request that arrives long after it was given up does no harm, with crashes or not."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed, late=True, crashes=1).run()
        assert_right(world)


@pytest.mark.parametrize("first", blocks(1))
def test_cancel(first: int) -> None:
    """After a cancel what was on its way is seen to its end, and the rest is skipped."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed, routes=30).run(commands=[(7.0, "cancel")])
        assert_right(world)
        assert world.finished.reason in ("cancelled", "finished")


@pytest.mark.parametrize("first", blocks(1))
def test_pause(first: int) -> None:
    """Between pause and resume the cloud sees no write that was not on its way."""
    for seed in range(first, first + SEEDS_A_TEST):
        world = random_world(seed, routes=30, faults=False)
        world.run(commands=[(10.0, "pause"), (200.0, "resume")])
        assert_right(world)
        writes = [c.time for c in world.cloud.history if OPERATIONS[c.operation].writes]
        assert not [time for time in writes if 10.5 < time < 200.0]
