"""As fast as the limits allow, in virtual time; and never above a limit."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.rollout.model import Model, creates
from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import MARGIN, Window
from vcokit.rollout.messages import LIST, POLL, POLL_ALL, Answered
from vcokit.rollout.queueing import Durations
from vcokit.rollout.steps import State

HALF = {"CreateVcoRouteEntry": Limit(30, 60.0)}
SHAPES = {"even": [12] * 100, "giant": [300, *[3] * 99], "skewed": [240, 120, 80, 60, *[7] * 100]}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_close_to_the_lower_bound(shape: str, seed: int) -> None:
    """All is done within 1.08 of what cannot be less, no call is refused, reads are half used."""
    model = Model(creates(*SHAPES[shape]), seed=seed).run()
    assert set(model.states.values()) == {State.DONE}
    assert set(model.outcomes) == {"ok"}
    assert model.now <= 1.08 * model.bound() + 25.0  # a short rollout has a tail: the last task
    for operation in (LIST, POLL, POLL_ALL):
        assert model.calls[operation] <= 5.0 * model.now + 300


@pytest.mark.parametrize("pause", [0.1, 1.0, 5.0])
def test_the_pause_after_a_task_is_learnt(pause: float) -> None:
    """Whatever it is, a few writes in hundreds are refused for it, and little time is lost."""
    model = Model(creates(*SHAPES["skewed"]), pause=pause).run()
    assert set(model.states.values()) == {State.DONE}
    assert model.outcomes["too soon"] <= 0.01 * model.outcomes["ok"]
    assert model.outcomes["busy"] == 0
    assert model.now <= 1.08 * model.bound() + 25.0


def test_a_pause_that_no_wait_of_ours_ends() -> None:
    """Where the cloud wants more than is ever waited for, all is done all the same, only late."""
    model = Model(creates(4, 4), pause=40.0).run()
    assert set(model.states.values()) == {State.DONE}


def test_what_is_no_pause_of_the_cloud_is_forgotten() -> None:
    """One conflict by somebody else's task costs a pause for some steps, not for all."""
    play = Model(creates(400), task=(2.0, 2.0))
    real, once = play.write, [True]

    def write(step, now, half):
        if now > 10.0 and once:
            once.clear()
            return Answered(step.number, "busy", "TaskConflict")
        return real(step, now, half)

    play.write = write
    play.run()
    assert set(play.states.values()) == {State.DONE}
    assert play.now <= 1.2 * Model(creates(400), task=(2.0, 2.0)).run().now


def test_a_wrong_limit_is_learnt() -> None:
    """Where the true limit is half of the one told, a few calls in hundreds are throttled."""
    model = Model(creates(*[24] * 100), HALF).run()
    assert set(model.states.values()) == {State.DONE}
    assert model.outcomes["throttled"] <= 0.01 * sum(model.calls.values())
    assert model.outcomes["busy"] == 0
    assert model.now <= 1.08 * model.bound()


def test_a_share_of_the_rate() -> None:
    """With rate_share a third of the limit goes through any window."""
    model = Model(creates(*[3] * 40), options={"rate_share": 1 / 3}).run()
    times = [moment for moment, _ in model.sent]
    assert all(b - a >= 60.0 for a, b in zip(times, times[20:], strict=False))
    assert set(model.states.values()) == {State.DONE}


def test_a_lane_in_a_hurry_finds_slots() -> None:
    """The lane that decides the end never waits a window for others that could wait."""
    model = Model(creates(80, *[2] * 150)).run()
    mine = [
        moment
        for moment, step in model.sent
        if model.scheduler.steps[step].vpn_connection_id == "vco-0"
    ]
    assert max(b - a for a, b in pairwise(mine)) < 25.0


def test_throttled_lowers_and_success_raises() -> None:
    """The pace falls to what was taken, no lower than half; it creeps up and stays in the limit."""
    window = Window(60, 60.0)
    share = window.share()
    assert all(share.take(0.0) for _ in range(60))
    for _ in range(25):
        share.give_back(0.2)
    share.throttled(0.3, 0.0)
    assert window.calls == 30
    share.throttled(0.3, 0.0)
    assert window.calls == 30, "what left before the pace was lowered says nothing new"
    pace, now = [], 0.3
    while window.calls < 60:
        now += 30.0
        share.take(now)
        share.give_back(now)
        pace.append(window.calls)
    assert pace[0] == 30
    assert sorted(pace) == pace
    assert now > 4 * 60.0
    for _ in range(10):
        now += 60.0
        share.take(now)
        share.give_back(now)
    assert window.calls == 60


def test_each_vain_creep_waits_longer() -> None:
    """After a second throttled answer it takes twice as long to try again."""
    window, waits, now = Window(10, 1.0), [], 0.0
    share = window.share()
    for _ in range(3):
        lowered, before = now, window.calls
        share.take(now)
        share.throttled(now, now)
        window.calls = before = 5
        while window.calls == before:
            now += 0.1
            share.take(now)
            share.give_back(now)
        waits.append(now - lowered)
    assert waits == pytest.approx([4.0, 8.0, 16.0], abs=0.2)


def test_patient_lanes_leave_slots() -> None:
    """Lanes that can wait hold only their part of a window; others have all of it."""
    share = Window(3, 60.0).share()
    share.patient = 1
    assert share.take(0.0, patient=True)
    assert not share.free(0.0, patient=True)
    assert share.free(0.0)
    share.give_back(1.0, patient=True)
    assert share.opens(1.0, patient=True) == 61.0 + MARGIN
    assert share.opens(1.0) == 1.0
    assert share.take(1.0)
    assert share.take(1.0)
    assert not share.free(1.0)
    assert share.opens(1.0) == 61.0 + MARGIN


def test_slots_of_an_earlier_run_are_held() -> None:
    """A slot that another process took counts until its window is over."""
    window = Window(2, 60.0)
    share = window.share()
    window.hold(50.0)
    window.hold(20.0)
    assert share.opens(0.0) == 20.0
    assert share.take(20.0)
    assert not share.free(21.0)


def test_who_has_fewer_goes_first() -> None:
    """Whoever waits for a slot and has fewer gets the next ones, until both have as many."""
    window = Window(4, 60.0)
    first, second = window.share(), window.share()
    for _ in range(4):
        assert first.take(0.0)
        first.give_back(0.5)
    assert not second.take(1.0)
    at = 60.5 + MARGIN
    assert second.opens(1.0) == at
    assert first.calls == 4
    assert second.calls == 2
    assert first.take(at)
    assert not first.take(at)
    assert at < first.opens(at) < at + 1.0
    assert second.take(at)
    assert second.take(at)
    assert not second.take(at)
    assert first.take(at)


def test_a_slot_is_not_kept_for_long() -> None:
    """A slot that was kept for somebody who does not come is taken by others."""
    window = Window(1, 60.0)
    first, second = window.share(), window.share()
    assert first.take(0.0)
    first.give_back(0.0)
    assert not second.take(1.0)
    assert first.take(62.0)


def test_who_ends_leaves_slots_that_are_held() -> None:
    """What one has sent counts after its end, also a call whose answer never came."""
    window = Window(2, 60.0)
    first, second = window.share(), window.share(1)
    assert first.take(0.0)
    assert first.take(0.0)
    assert second.opens(0.0) == pytest.approx(0.05), "nobody tells it of the other's calls"
    first.give_back(1.0)
    first.close(2.0)
    assert second.opens(2.0) == 61.0 + MARGIN
    assert second.take(61.1)
    assert second.opens(61.1) is None, "its own part is one call"


def test_durations_follow_the_cloud() -> None:
    """Wide brackets teach nothing new; narrow ones do, and the oldest are forgotten."""
    times = Durations(3.0)
    for _ in range(300):
        times.add(9.9, 10.1)
    assert times.mean == pytest.approx(10.0)
    for _ in range(300):
        times.add(0.0, 15.0)
    assert times.mean == pytest.approx(10.0)
    for _ in range(300):
        times.add(0.0, 4.0)
    assert times.mean == pytest.approx(2.0)
    assert times.quantile(0.0) == times.quantile(1.0) == pytest.approx(2.0)
