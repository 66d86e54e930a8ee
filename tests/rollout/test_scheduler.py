"""Each thing the scheduler can be told leads to the decision that the design asks for."""

from __future__ import annotations

import pytest

from tests.rollout.play import LIMITS, Play
from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import MARGIN, Window
from vcokit.rollout.connection import Record
from vcokit.rollout.messages import (
    Answered,
    Command,
    Finished,
    List,
    Listed,
    Poll,
    Polled,
    PolledAll,
    Send,
    TimedOut,
)
from vcokit.rollout.options import Options
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Action, Route, State, Step, client_token


def test_it_looks_before_it_sends() -> None:
    """All lanes are listed first; then a lane is polled; only then something is sent."""
    play = Play(1, 1)
    assert play.asked == [List("vco-0", 1), List("vco-1", 1)]
    assert play.tell(play.listed("vco-0")) == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == []
    assert play.tell(play.listed("vco-1")) == [Poll("vco-1"), Send(0, 0)]


def test_done_is_what_a_listing_shows() -> None:
    """Accepted, settled, done: each at its own moment, the last by a listing alone."""
    play = Play(1).sending()
    assert play.tell(Answered(0, "ok")) == []
    assert play.states[0] == State.ACCEPTED
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "updating")) == []
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    assert play.states[0] == State.SETTLED
    assert play.tell(play.listed("vco-0", 0)) == [Finished("finished")]
    assert play.states[0] == State.DONE


def test_a_task_that_failed_is_sent_anew() -> None:
    """Accepted and not there: a new attempt with a new token, and failed after some."""
    play = Play(1, step_attempts=2).sending()
    for attempt in (0, 1):
        play.tell(Answered(0, "ok"))
        play.until_asked()
        play.tell(Polled("vco-0", "attached"))
        asked = play.tell(play.listed("vco-0"))
        assert asked == ([Send(0, 1)] if attempt == 0 else [Finished("finished")])
    assert (play.states[0], play.codes[0]) == (State.FAILED, "TaskFailed")
    assert client_token("r", 0, 0) != client_token("r", 0, 1)


def test_a_lost_answer_is_looked_at_first() -> None:
    """After a time-out: poll, list, and only if it is not there the same request again."""
    play = Play(1, lost_attempts=2).sending()
    assert play.tell(TimedOut(0)) == []
    assert play.states[0] == State.UNKNOWN
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    assert play.tell(play.listed("vco-0")) == [Send(0, 0)]
    play.tell(Answered(0, "server", "InternalError"))
    play.until_asked()
    play.tell(Polled("vco-0", "attached"))
    assert play.tell(play.listed("vco-0")) == [Finished("finished")]
    assert (play.states[0], play.codes[0]) == (State.FAILED, "NoAnswer")


def test_what_never_left_is_sent_again_without_a_look() -> None:
    """A connection that could not be opened changed nothing: pending, the same attempt."""
    play = Play(1).sending()
    play.tell(TimedOut(0, left=False))
    assert play.states[0] == State.PENDING
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == [Send(0, 0)]


def test_busy_waits_for_attached() -> None:
    """Busy: the step goes back, with a new token, behind a poll."""
    play = Play(1).sending()
    assert play.tell(Answered(0, "busy", "TaskConflict")) == []
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == [Send(0, 1)]


def test_too_soon_after_a_task_is_learnt() -> None:
    """A conflict counts nothing against its step; from then on all connections wait a second."""
    play = Play(2, 2, step_attempts=1, list_after=10).sending()
    play.tell(Answered(0, "ok"))
    while Poll("vco-0") not in play.asked:
        play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [Send(1, 0)]
    assert play.tell(Answered(1, "busy", "TaskConflict")) == []
    assert play.states[1] == State.PENDING
    assert play.tell(Polled("vco-1", "attached")) == []
    over = play.now
    while Send(2, 0) not in play.asked:
        if Poll("vco-0") in play.until_asked():
            assert Send(1, 1) in play.tell(Polled("vco-0", "attached"))
    assert over + 1.0 <= play.now < over + 1.1


def test_throttled_shuts_the_operation_for_as_long_as_asked() -> None:
    """Throttled: nothing of that operation goes in that region before x-acs-retry-after."""
    play = Play(2, 1).sending()
    play.tell(Polled("vco-1", "attached"))
    play.tell(Answered(0, "throttled", "Throttling.User", retry_after=5.0))
    assert play.states[0] == State.PENDING
    begin = play.now
    assert play.until_asked() == [Send(0, 1)]
    assert play.now >= begin + 5.0


def test_already_there_is_looked_at() -> None:
    """AlreadyExists on what a listing shows is done; on what it does not show, failed."""
    for shown, state in (((0,), State.DONE), ((), State.FAILED)):
        play = Play(1).sending()
        assert play.tell(Answered(0, "state", "VpnRouteEntry.AlreadyExists")) == [Poll("vco-0")]
        assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
        play.tell(play.listed("vco-0", *shown))
        assert play.states[0] == state


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("auth", "SignatureNonceUsed"),
        ("throttled", "SignatureNonceUsed"),
        ("busy", "OperationFailed.IdempotentTokenProcessing"),
    ],
)
def test_a_request_that_came_twice_is_looked_at(kind: str, code: str) -> None:
    """A copy of a write is refused: what is listed is done, else the same request goes again."""
    for shown, state in (((0,), State.DONE), ((), State.SENT)):
        play = Play(2).sending()
        assert play.tell(Answered(0, kind, code)) == [Poll("vco-0")]
        assert (play.states[0], play.codes[0]) == (State.UNKNOWN, code)
        assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
        assert play.tell(play.listed("vco-0", *shown)) == [Send(1, 0) if shown else Send(0, 0)]
        assert play.states[0] == state


@pytest.mark.parametrize(
    ("kind", "code", "rest"),
    [
        ("input", "IllegalParam.RouteDest", None),
        ("other", "Never.Seen", None),
        ("quota", "CreateDbrRoutesQuotaFull.QuotaFull", State.SKIPPED),
        ("auth", "Forbidden.RAM", State.SKIPPED),
        ("not-found", "InvalidVpnConnectionInstanceId.NotFound", State.SKIPPED),
        ("state", "VpnConnection.FinancialLocked", State.SKIPPED),
    ],
)
def test_definite_refusals(kind: str, code: str, rest: str | None) -> None:
    """The step fails; what the connection would be refused for too is skipped, else it goes on."""
    play = Play(3).sending()
    asked = play.tell(Answered(0, kind, code, "m", "R"))
    assert (play.states[0], play.codes[0]) == (State.FAILED, code)
    assert [play.states.get(1), play.states.get(2)] == (
        [rest, rest] if rest else [State.SENT, None]
    )
    assert asked == ([Finished("finished")] if rest else [Send(1, 0)])


@pytest.mark.parametrize(
    "code",
    [
        "SignatureDoesNotMatch",
        "InvalidSecurityToken",
        "InvalidSecurityToken.MismatchWithAccessKey",
        "InvalidAccessKeySecret",
        "IllegalTimestamp",
    ],
)
def test_a_refused_key_stops_everything(code: str) -> None:
    """A key that is refused ends the rollout once nothing is on its way; the step is pending."""
    play = Play(1, 1).sending()
    play.tell(Polled("vco-1", "attached"))
    assert play.tell(Answered(0, "auth", code)) == []
    ended = play.tell(Answered(1, "ok"))
    assert ended == [Finished("stopped", f"the AccessKey was refused: {code}", "key")]
    assert play.states == {0: State.PENDING, 1: State.ACCEPTED}
    read = Play(1)
    assert (
        read.tell(Listed("vco-0", 1, None, 0, "auth", "InvalidAccessKeyId.NotFound"))[0].cause
        == "key"
    )


@pytest.mark.parametrize("state", ["financialLocked", "detaching", "active", "init"])
def test_a_connection_in_a_state_for_no_writes(state: str) -> None:
    """Nothing is sent to a connection that will not be attached by itself."""
    play = Play(2)
    play.tell(play.listed("vco-0"))
    assert play.tell(Polled("vco-0", state)) == [Finished("finished")]
    assert set(play.states.values()) == {State.SKIPPED}


def test_a_connection_that_is_detached_at_the_first_look() -> None:
    """Its steps are skipped with the reason, without a listing; other connections go on."""
    play = Play(2, 1)
    play.tell(Listed("vco-0", 1, None, 0, "state", "Vco.StatusNotSupport"))
    assert play.tell(play.listed("vco-1")) == [Poll("vco-1")]
    assert play.tell(Polled("vco-0", "init")) == []
    assert {play.states[n] for n in (0, 1)} == {State.SKIPPED}
    assert {play.messages[n] for n in (0, 1)} == {"the connection is init"}
    assert play.tell(Polled("vco-1", "attached")) == [Send(2, 0)]
    assert play.do(2) == [Finished("finished")]


def test_a_write_on_a_connection_that_is_detached() -> None:
    """The step fails, what else is to be sent to the connection is skipped with the code."""
    play = Play(3).sending()
    assert play.tell(Answered(0, "state", "Vco.StatusNotSupport")) == [Finished("finished")]
    assert play.states == {0: State.FAILED, 1: State.SKIPPED, 2: State.SKIPPED}
    assert set(play.codes.values()) == {"Vco.StatusNotSupport"}


def test_a_connection_that_is_gone() -> None:
    """One that can no longer be polled or listed: the rest is skipped, what is in doubt fails."""
    play = Play(2).sending()
    play.tell(TimedOut(0))
    assert play.until_asked() == [Poll("vco-0")]
    gone = "InvalidVpnConnectionInstanceId.NotFound"
    assert play.tell(Polled("vco-0", None, "not-found", gone)) == [List("vco-0", 1)]
    assert play.tell(Listed("vco-0", 1, None, 0, "not-found", gone)) == [Finished("finished")]
    assert (play.states, play.codes) == ({0: State.FAILED, 1: State.SKIPPED}, {0: gone, 1: gone})


def test_a_connection_that_was_there_when_planned() -> None:
    """A lane that cannot be listed at the first look makes the plan stale."""
    play = Play(1)
    ended = play.tell(Listed("vco-0", 1, None, 0, "not-found", "X.NotFound"))
    assert ended[0].reason == "stale"
    assert ended[0].differences == ("vco-0: can no longer be listed (X.NotFound)",)


@pytest.mark.parametrize("kind", ["throttled", "unknown", "server"])
def test_failing_reads_are_tried_again(kind: str) -> None:
    """A read that fails for a while is asked for again, and later each time."""
    play = Play(1)
    waits = []
    for _ in range(4):
        begin = play.now + 0.1
        play.tell(Listed("vco-0", 1, None, 0, kind, None))
        assert play.until_asked() == [List("vco-0", 1)]
        waits.append(play.now - begin)
    expected = [0.5, 0.5, 0.5, 0.5] if kind == "throttled" else [0.5, 1.0, 2.0, 4.0]
    assert waits == pytest.approx(expected, abs=1e-4)
    assert play.tell(play.listed("vco-0")) == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", None, kind, None)) == []
    assert play.until_asked() == [Poll("vco-0")]


def test_a_fault_that_asks_for_a_wait_gets_it() -> None:
    """After a server's fault with x-acs-retry-after nothing of the lane is asked before it."""
    read = Play(1)
    begin = read.now + 0.1
    read.tell(Listed("vco-0", 1, None, 0, "server", "ServiceUnavailable", 20.0))
    assert read.until_asked() == [List("vco-0", 1)]
    assert read.now - begin == pytest.approx(20.0, abs=1e-4)
    write = Play(1).sending()
    begin = write.now + 0.1
    write.tell(Answered(0, "server", "ServiceUnavailable", retry_after=20.0))
    assert write.states[0] == State.UNKNOWN
    assert write.until_asked() == [Poll("vco-0")]
    assert write.now - begin == pytest.approx(20.0, abs=1e-4)


def test_silence_ends_it() -> None:
    """When nothing was answered for long enough it stops, and says that it can be resumed."""
    play = Play(1, lost_after=10.0)
    while not isinstance(play.asked[0], Finished):
        play.tell(Listed("vco-0", 1, None, 0, "unknown", None))
        if not play.asked:
            play.until_asked()
    assert play.asked[0].cause == "silence"
    assert play.now > 10.0


def test_long_listings_come_page_by_page() -> None:
    """A listing of 120 routes is asked for in three pages, and judged as a whole."""
    play = Play(1)
    routes = [Route(f"9.0.{n}.0/24", "h", 0) for n in range(120)]
    pages = [tuple(routes[begin : begin + 50]) for begin in (0, 50, 100)]
    assert play.tell(Listed("vco-0", 1, pages[0], 120)) == [List("vco-0", 2)]
    assert play.tell(Listed("vco-0", 2, pages[1], 120)) == [List("vco-0", 3)]
    ended = play.tell(Listed("vco-0", 3, pages[2], 120))
    assert len(ended[0].differences) == 120


def test_the_longest_lane_goes_first() -> None:
    """Of lanes that are ready, the one with the most steps left has the slot."""
    play = Play(1, 3, 2, limits={"CreateVcoRouteEntry": Limit(1, 60.0)})
    lanes = ("vco-0", "vco-1", "vco-2")
    for lane in lanes:
        play.tell(play.listed(lane))
    states = dict.fromkeys(lanes, "attached")
    assert play.tell(PolledAll("r", 1, states, 3)) == [Send(1, 0)]
    play.tell(Answered(1, "ok"))
    while not any(isinstance(d, Send) for d in play.asked):
        assert play.until_asked()
        for decision in play.asked:
            if isinstance(decision, Poll):
                play.tell(Polled(decision.connection, "updating"))
    assert play.steps[play.asked[0].step].vpn_connection_id == "vco-2"


def test_in_flight_is_a_bound() -> None:
    """Never more calls are under way than allowed."""
    play = Play(*[1] * 9, in_flight=4)
    assert len(play.asked) == 4
    assert len(play.tell(play.listed("vco-0"))) == 1


def test_resume_from_records() -> None:
    """From a journal: done stays done, sent becomes unknown, accepted and settled are looked at."""
    steps = Play(4).steps
    states = [State.DONE, State.SENT, State.ACCEPTED, State.PENDING]
    records = {n: Record(state, attempt=n) for n, state in enumerate(states)}
    scheduler = Scheduler(steps, {}, LIMITS, Options.in_force(), records)
    first = scheduler.advance([], 0.0)
    assert [(c.step, c.new) for c in first.changes] == [(1, State.UNKNOWN)]
    there = (steps[0].after, steps[2].after)
    assert scheduler.advance([Listed("vco-0", 1, there, 2)], 1.0).decisions == (Poll("vco-0"),)
    scheduler.advance([Polled("vco-0", "attached")], 2.0)
    result = scheduler.advance([Listed("vco-0", 1, there, 2)], 3.0)
    assert [(c.step, c.new) for c in result.changes] == [
        (2, State.DONE),
        (1, State.PENDING),
        (1, State.SENT),
    ]
    assert result.decisions == (Send(1, 1),)


def test_a_step_that_was_done_and_is_gone_is_stale() -> None:
    """On resume a route that this rollout had made and somebody took away makes it stale."""
    steps = Play(1).steps
    scheduler = Scheduler(steps, {}, LIMITS, None, {0: Record(State.DONE)})
    scheduler.advance([], 0.0)
    result = scheduler.advance([Listed("vco-0", 1, (), 0)], 1.0)
    assert result.decisions[0].reason == "stale"
    assert "is gone" in result.decisions[0].differences[0]


def test_commands() -> None:
    """Pause holds back, resume lets go, stop leaves the rest pending, cancel skips it."""
    play = Play(2)
    play.tell(play.listed("vco-0"), Command("pause"))
    assert play.tell(Polled("vco-0", "attached")) == []
    assert play.wake is None
    assert play.tell(Command("resume")) == [Send(0, 0)]
    assert play.tell(Command("stop")) == []
    assert play.tell(Answered(0, "ok"))[0].reason == "interrupted"
    assert play.states == {0: State.ACCEPTED}
    other = Play(2).sending()
    assert other.tell(Command("cancel")) == []
    assert other.states[1] == State.SKIPPED
    assert other.tell(Answered(0, "busy", "TaskConflict"))[0].reason == "cancelled"
    assert other.states[0] == State.SKIPPED
    third = Play(1).sending()
    third.tell(Command("cancel"))
    assert third.tell(TimedOut(0, left=False))[0].reason == "cancelled"
    fourth = Play(1).sending()
    fourth.tell(Command("cancel"))
    fourth.tell(TimedOut(0))
    assert fourth.until_asked() == [Poll("vco-0")]
    fourth.tell(Polled("vco-0", "attached"))
    assert fourth.tell(fourth.listed("vco-0"))[0].reason == "cancelled"
    assert fourth.states[0] == State.SKIPPED


def test_nothing_to_do() -> None:
    """Without steps it has finished; with kept ones alone it looks, and has finished."""
    assert Scheduler([], {}, LIMITS).advance([], 0.0).decisions == (Finished("finished"),)
    keep = Step(0, Action.KEEP, "r", "vco-0", "10.0.0.0/8", "h", 100)
    scheduler = Scheduler([keep], {"vco-0": frozenset({keep.after})}, LIMITS)
    assert scheduler.advance([], 0.0).decisions == (List("vco-0", 1),)
    listed = Listed("vco-0", 1, (keep.after,), 1)
    assert scheduler.advance([listed], 1.0).decisions == (Finished("finished"),)


def test_windows() -> None:
    """A slot is held from the sending until the answer plus the window, and not a moment less."""
    share = Window(2, 10.0).share()
    assert share.take(0.0)
    assert share.take(0.0)
    assert share.opens(0.0) is None
    share.give_back(3.0)
    assert share.opens(3.0) == 13.0 + MARGIN
    assert not share.free(13.0)
    assert share.free(13.0 + MARGIN)
    share.shut(20.0)
    assert share.opens(14.0) == 20.0
    assert share.free(20.0)


def test_words_of_a_step() -> None:
    """A step says itself in a line, as errors and logs name it."""
    modify = Step(1, Action.MODIFY, "r", "vco-a", "10.0.0.0/8", "vco-a", 100, old_weight=0)
    assert str(modify) == "modify 10.0.0.0/8 on vco-a, weight 0 -> 100"
