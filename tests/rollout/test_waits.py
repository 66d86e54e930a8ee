"""Steps wait for steps, for their wave, and for nothing else; and every rollout ends."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from tests.rollout.model import Model, creates
from tests.rollout.play import Play
from vcokit import errors
from vcokit.rollout.connection import Record
from vcokit.rollout.dependencies import Dependencies, waves_of
from vcokit.rollout.messages import Answered, Command, Finished, List, Polled, Send
from vcokit.rollout.options import Options
from vcokit.rollout.ordering import Order
from vcokit.rollout.steps import FINAL, State, Step

#: Step 1 takes away what step 0, on another connection, brings.
BARRIER = Order({1: ("barrier",), "barrier": ("cover",), "cover": (0,)})


def test_a_step_waits_until_another_was_seen() -> None:
    """What takes away goes when what brings is done, not when it is accepted or settled."""
    play = Play(1, 1, order=BARRIER)
    play.look()
    assert play.attach(0) == [Send(0, 0)]
    play.tell(Answered(0, "ok"))
    play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    asked = play.tell(play.listed("vco-0", 0))
    assert [str(a) for a in asked] == ["Poll(connection='vco-1')"]
    assert play.attach(1) == [Send(1, 0)]


def test_a_later_step_may_go_first() -> None:
    """A step that waits holds up nobody: the next of its lane goes."""
    play = Play(2, 1, order=Order({0: (2,)}))
    play.look()
    sent = [d.step for d in play.attach(0) if isinstance(d, Send)]
    assert sent == [1]


@pytest.mark.parametrize("order", [BARRIER, Order({1: (0,)})])
def test_a_failure_takes_along_what_waits(order: Order) -> None:
    """What waits for a step that failed is skipped, and says what it waited for."""
    play = Play(1, 1, order=order)
    play.look()
    play.attach(0)
    assert play.tell(Answered(0, "input", "IllegalParam.RouteDest")) == [Finished("finished")]
    assert play.states == {0: State.FAILED, 1: State.SKIPPED}
    assert play.messages[1] == f"waits for {play.steps[0]}, which failed"


def test_failures_go_on() -> None:
    """Skipped steps take along what waits for them, through groups and other waits alike."""
    order = Order(
        {1: ("barrier 1",), "barrier 1": ("cover 0",), "cover 0": (0,), 2: (1,)}
        | {3: ("barrier 3",), "barrier 3": ("cover 2",), "cover 2": (2,)}
    )
    play = Play(1, 1, 1, 1, order=order)
    play.look()
    play.attach(0)
    play.tell(Answered(0, "input", "X"))
    assert [play.states[n] for n in range(4)] == [State.FAILED, *[State.SKIPPED] * 3]
    assert str(play.messages[3]).endswith("which was skipped")


def test_waits_are_over_after_a_restart() -> None:
    """From a journal: what was done is waited for no more, what failed takes along the rest."""
    done = Play(1, 1, order=BARRIER, records={0: Record(State.DONE)})
    assert done.scheduler.connections["vco-1"].ready == [1]
    failed = Play(1, 1, order=BARRIER, records={0: Record(State.FAILED)})
    assert failed.states == {1: State.SKIPPED}


def test_a_circle_ends_too() -> None:
    """Steps that wait for one another for ever are skipped, so that the rollout ends."""
    play = Play(1, 1, order=Order({0: (1,), 1: (0,)}))
    play.look()
    assert play.asked == [Finished("finished")]
    assert set(play.states.values()) == {State.SKIPPED}


def test_many_behind_one_barrier() -> None:
    """Hundreds that bring and hundreds that take one network are counted, not paired."""
    removing = dict.fromkeys(range(500, 1000), ("barrier",))
    groups = {"barrier": ("cover",), "cover": tuple(range(500))}
    waits = Dependencies(removing | groups, dict.fromkeys(range(1000)))
    assert not any(waits.may_go(number) for number in removing)
    freed = [waits.done(number) for number in range(500)]
    assert freed[:-1] == [[]] * 499
    assert sorted(freed[-1]) == list(range(500, 1000))


@pytest.mark.parametrize("seed", range(12))
def test_no_step_goes_before_what_it_waits_for(seed: int) -> None:
    """Whatever the order, waves and failures: everything ends, and nothing goes too early."""
    rng = random.Random(seed)
    steps = creates(*[rng.randint(1, 6) for _ in range(rng.randint(2, 8))])
    size = len(steps)
    before = {n: tuple(rng.sample(range(n), min(n, 2))) for n in range(size) if rng.random() < 0.3}
    adding, removing = range(size * 2 // 3), range(size * 2 // 3, size)
    waits = {n: (*before.get(n, ()), f"barrier {n % 3}") for n in removing}
    waits |= {f"cover {c}": tuple(n for n in adding if n % 4 == c) for c in range(4)}
    for barrier, covers in enumerate([(0, 1), (2,), (3, 0)]):
        waits[f"barrier {barrier}"] = tuple(f"cover {cover}" for cover in covers)
    order = Order({n: first for n, first in before.items() if n in adding} | waits)
    refused = set(rng.sample(range(size), rng.randint(0, 1)))
    waves = rng.choice([(), (1, None), (2, 1, None)])
    model = Model(steps, refused=refused, order=order, options={"waves": waves}, seed=seed).run()
    left = {n for n in range(size) if model.states.get(n, "pending") not in FINAL}
    assert not left or model.finished.cause == "wave"
    for moment, step in model.sent:
        assert all(model.done.get(other, 1e9) <= moment for other in order.first(step))


def test_a_spoilt_wave_stops_the_rollout() -> None:
    """Where a canary's step failed, nothing else is sent; the rest is pending."""
    play = Play(2, 2, waves=(1, None))
    play.look()
    play.attach(0)
    assert play.tell(Answered(0, "input", "X")) == [Send(1, 0)]
    ended = play.do(1)
    assert (ended[0].reason, ended[0].cause) == ("stopped", "wave")
    assert 2 not in play.states
    again = Play(2, 2, waves=(1, None), records={0: Record(State.FAILED), 1: Record(State.DONE)})
    assert again.scheduler.connections["vco-1"].waiting == {2, 3}


def test_waves_of_the_real_thing() -> None:
    """In virtual time no write of a wave leaves before all of the earlier ones were seen."""
    model = Model(creates(*[3] * 9), options={"waves": (1, 3, None)}).run()
    wave_of = {f"vco-{lane}": 0 if lane == 0 else 1 if lane < 4 else 2 for lane in range(9)}
    first, last = {}, {}
    for moment, step in model.sent:
        wave = wave_of[model.scheduler.steps[step].vpn_connection_id]
        first[wave] = min(moment, first.get(wave, 1e9))
        last[wave] = max(model.done[step], last.get(wave, 0.0))
    assert last[0] < first[1] <= last[1] < first[2]


def test_a_step_moves_into_the_wave_it_waits_for() -> None:
    """A wait for a later wave, through groups and chains, moves the step there."""
    steps = {step.number: step for step in creates(1, 1, 1, 1)}
    order = Order({0: (1,), 1: ("barrier",), "barrier": ("cover",), "cover": (3,)})
    assert waves_of(steps, (1, 1, 1, None), order.waits) == {0: 3, 1: 3, 2: 2, 3: 3}


def test_stop_after_failures() -> None:
    """After so many failed steps nothing new is sent; what was sent is seen first."""
    play = Play(3, 3, stop_after=2)
    play.look()
    play.attach(0, 1)
    asked = play.tell(Answered(0, "input", "X"), Answered(3, "ok"))
    assert asked == [Send(1, 0)]
    assert play.tell(Answered(1, "input", "X")) == []
    ended = play.until_asked()
    ended = play.tell(Polled("vco-1", "attached"))
    assert ended == [List("vco-1", 1)]
    ended = play.tell(play.listed("vco-1", 3))
    assert (ended[0].reason, ended[0].cause) == ("stopped", "failures")
    assert play.states == {0: State.FAILED, 1: State.FAILED, 3: State.DONE}


def test_a_deadline() -> None:
    """After the deadline nothing new is sent; it wakes for it, and ends once all is seen."""
    play = Play(9, deadline=5.0).sending()
    play.tell(Answered(0, "ok"))
    play.until_asked()
    play.tell(Polled("vco-0", "updating"), after=6.0)
    asked = play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)], asked
    ended = play.tell(play.listed("vco-0", 0))
    assert (ended[0].reason, ended[0].cause) == ("stopped", "deadline")
    early = Play(1, deadline=5.0)
    assert early.wake is None or early.wake <= early.begun + 5.0
    early.tell(after=6.0)
    assert early.tell(early.listed("vco-0"))[0].cause == "deadline"


def test_a_paused_rollout_wakes_for_its_deadline() -> None:
    """A pause does not hold the deadline up."""
    play = Play(2, deadline=50.0)
    play.tell(play.listed("vco-0"), Command("pause"))
    play.tell(Polled("vco-0", "attached"))
    assert play.wake == play.begun + 50.0
    assert play.tell(after=60.0)[0].cause == "deadline"


def test_all_is_read_back_at_the_end() -> None:
    """Lanes whose last listing has grown old are listed once more before the end."""
    play = Play(1, 1, fresh=5.0, order=Order({1: (0,)}))
    play.look()
    play.attach(0)
    play.do(0)
    play.attach(1)
    play.now += 10.0
    asked = play.do(1)
    assert asked == [List("vco-0", 1)]
    assert play.tell(play.listed("vco-0")) == [Finished("finished")]
    assert play.states[0] == State.DONE


@pytest.mark.parametrize(
    "wish",
    [
        {"waves": (0,)},
        {"waves": (None, 1)},
        {"waves": ("1",)},
        {"waves": 3},
        {"waves": "1,rest"},
        {"rate_share": "all"},
        {"deadline": "2h"},
        {"stop_after": 0},
        {"rate_share": 0.0},
        {"rate_share": 1.5},
        {"deadline": 0.0},
    ],
)
def test_wishes_that_cannot_be_kept(wish: dict) -> None:
    """A wish that makes no sense is refused, with what to write instead."""
    with pytest.raises(errors.InputError, match="Write"):
        Options.in_force().wishing(**wish)


def test_waves_take_no_more_memory_than_connections() -> None:
    """A wave may be larger than any inventory, or empty; every connection finds its own."""
    steps = {n: Step(n, "create", "r", f"c{n}", f"10.{n}.0.0/16", "h", 100) for n in range(5)}
    tracemalloc.start()
    try:
        found = [
            waves_of(steps, waves, {})
            for waves in ((1, 30_000_000), (0, 2, 0, 1), (1, None), (), (None,), (2, 0, None))
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [list(each.values()) for each in found] == [
        [0, 1, 1, 1, 1],
        [1, 1, 3, 4, 4],
        [0, 1, 1, 1, 1],
        [0] * 5,
        [0] * 5,
        [0, 0, 2, 2, 2],
    ]
    assert peak < 1_000_000
