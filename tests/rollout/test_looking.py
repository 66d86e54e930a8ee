"""What a listing may decide, and what it may not: it can be too early, torn, or refused for now."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.rollout.play import Play
from vcokit.rollout.messages import Answered, Finished, List, Listed, Poll, Polled, PolledAll, Send
from vcokit.rollout.ordering import Order
from vcokit.rollout.steps import Action, Route, State


def test_settled_steps_are_listed_while_a_task_runs() -> None:
    """A lane with more to send sends first, and is listed while that task runs."""
    play = Play(3, list_after=1).sending()
    play.tell(Answered(0, "ok"))
    play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [Send(1, 0)]
    assert play.tell(Answered(1, "ok")) == [List("vco-0", 1)]
    play.tell(play.listed("vco-0", 0))
    assert (play.states[0], play.states[1]) == (State.DONE, State.ACCEPTED)


@pytest.mark.parametrize("is_awaited", [False, True])
def test_what_others_wait_for_is_listed_at_once(is_awaited: bool) -> None:
    """A settled step that a step of another connection waits for is looked up while a task runs."""
    waits = {6: ("barrier",), "barrier": ("cover",), "cover": (0,)} if is_awaited else {}
    play = Play(6, 1, order=Order(waits))
    play.look()
    play.attach(0)
    play.tell(Answered(0, "ok"))
    play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [Send(1, 0)]
    assert play.tell(Answered(1, "ok")) == ([List("vco-0", 1)] if is_awaited else [])


def deleting(**options: object) -> Play:
    """Return a rollout of one delete, accepted, and asked for the first listing after its task."""
    play = Play(1, action=Action.DELETE, poll_interval=1.0, **options)
    play.tell(play.shown(there=True))
    play.attach(0)
    play.tell(Answered(0, "ok"))
    play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    return play


def test_a_delete_is_done_once_three_listings_agree() -> None:
    """A route that shows up again begins the count anew; listings are a poll interval apart."""
    play, times = deleting(), []
    for there in (False, False, True, False, False, False):
        assert play.states[0] == State.SETTLED
        play.tell(play.shown(there=there))
        times.append(play.now)
        play.until_asked()
    assert play.states[0] == State.DONE
    assert min(later - before for before, later in pairwise(times)) >= 1.0


def test_a_delete_that_stays_is_sent_again_and_fails_late() -> None:
    """Three listings that show it still there send it again; the last attempt fails after ten."""
    play = deleting(step_attempts=2)
    for _ in range(3):
        assert play.states[0] == State.SETTLED
        play.tell(play.shown(there=True))
        play.until_asked()
    play.tell(Answered(0, "ok"))
    assert play.until_asked() == [Poll("vco-0")]
    play.tell(Polled("vco-0", "attached"))
    for _ in range(10):
        assert play.states[0] == State.SETTLED
        play.tell(play.shown(there=True))
        play.until_asked()
    assert (play.states[0], play.codes[0]) == (State.FAILED, "TaskFailed")


def test_a_delete_that_flickers_for_ever_comes_to_an_end() -> None:
    """Where listings never agree, the twentieth decides."""
    play = deleting()
    for number in range(20):
        assert play.states[0] == State.SETTLED
        play.tell(play.shown(there=number % 2 == 0))
        play.until_asked()
    assert play.states[0] == State.DONE


def test_a_listing_decides_what_it_was_asked_for() -> None:
    """A step that settles while a listing is on its way is not judged by it."""
    play = Play(2, 2, 2, list_after=1)
    play.look()
    play.attach(0, 1, 2)
    play.tell(Answered(0, "ok"), after=0.0)
    for _ in range(40):
        if play.pages:
            break
        for decision in play.until_asked():
            if isinstance(decision, Poll):
                play.tell(Polled(decision.connection, "updating"))
        if play.now > 3.0:
            break
    play.tell(Polled("vco-0", "attached")) if not play.pages else play.attach(0)
    assert play.states[0] == State.SETTLED
    assert play.states[1] == State.SENT
    assert play.tell(Answered(1, "ok")) == [List("vco-0", 1)]
    connection = play.scheduler.connections["vco-0"]
    connection.see_attached(play.now)  # as when a page tells of it meanwhile
    play.tell(play.listed("vco-0", 0))
    assert play.states[0] == State.DONE
    assert 1 in connection.unverified, "its task ended after the listing was asked for"


def test_a_list_that_moves_is_read_again() -> None:
    """Where pages do not fit together, by total or by what they show, it is begun anew."""
    routes = [Route(f"9.0.{n}.0/24", "h", 0) for n in range(120)]
    pages = [tuple(routes[begin : begin + 50]) for begin in (0, 50, 100)]
    other_total = Play(1)
    assert other_total.tell(Listed("vco-0", 1, pages[0], 120)) == [List("vco-0", 2)]
    assert other_total.tell(Listed("vco-0", 2, pages[1], 119)) == [List("vco-0", 1)]
    one_slipped = Play(1)
    one_slipped.tell(Listed("vco-0", 1, pages[0], 120))
    one_slipped.tell(Listed("vco-0", 2, (pages[0][-1], *pages[1][:49]), 120))
    assert one_slipped.tell(Listed("vco-0", 3, pages[2], 120)) == [List("vco-0", 1)]


def test_short_pages_are_no_end() -> None:
    """Pages are turned until as many rows came as there are, of whatever type and size of page."""
    routes = tuple(Route(f"9.0.{n}.0/24", "h", 0) for n in range(25))
    capped = Play(1)
    assert capped.tell(Listed("vco-0", 1, routes[:10], 25)) == [List("vco-0", 2)]
    assert capped.tell(Listed("vco-0", 2, routes[10:20], 25)) == [List("vco-0", 3)]
    assert capped.tell(Listed("vco-0", 3, routes[20:], 25))[0].reason == "stale"
    mixed = Play(1)
    assert mixed.tell(Listed("vco-0", 1, routes[:2], 60, rows=50)) == [List("vco-0", 2)]
    (ended,) = mixed.tell(Listed("vco-0", 2, routes[2:], 60, rows=10))
    assert len(ended.differences) == 25
    torn = Play(1)
    assert torn.tell(Listed("vco-0", 1, (), 25)) == [List("vco-0", 1)]


def test_a_list_that_always_moves_is_taken_in_the_end() -> None:
    """It is not read for ever."""
    play = Play(1)
    for _ in range(6):
        assert isinstance(play.asked[0], List)
        play.tell(Listed("vco-0", 1, tuple(Route(f"9.{n}.0.0/16", "h", 0) for n in range(50)), 51))
        play.tell(Listed("vco-0", 2, (Route("9.0.0.0/16", "h", 0),), 51))
    assert play.asked[0].reason == "stale"


def test_a_task_that_hides_the_list_is_waited_for() -> None:
    """Where only attached connections are listed, the lane is polled first, then listed."""
    play = Play(1)
    hidden = Listed("vco-0", 1, None, 0, "state", "Vco.StatusNotSupport")
    assert play.tell(hidden) == [Poll("vco-0")]
    play.tell(Polled("vco-0", "updating"))
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    assert play.tell(play.listed("vco-0")) == [Send(0, 0)]


def test_a_refused_first_look_is_no_stale_plan() -> None:
    """A listing that a policy refuses stops the rollout and says so; nothing was sent."""
    play = Play(1)
    ended = play.tell(Listed("vco-0", 1, None, 0, "auth", "Forbidden.RAM"))
    assert (ended[0].reason, ended[0].cause) == ("stopped", "refused")
    assert "Forbidden.RAM" in str(ended[0].message)
    assert play.states == {}


def test_a_refused_listing_leaves_what_is_in_doubt() -> None:
    """A step that may be live is not failed by a refused listing; its lane sends no more."""
    play = Play(2, list_after=1).sending()
    play.tell(Answered(0, "server", "InternalError"))
    play.until_asked()
    assert play.tell(Polled("vco-0", "attached")) == [List("vco-0", 1)]
    ended = play.tell(Listed("vco-0", 1, None, 0, "auth", "Forbidden.RAM"))
    assert isinstance(ended[0], Finished)
    assert ended[0].cause == "refused"
    assert play.states == {0: State.UNKNOWN}


def test_a_page_tells_of_a_task_by_others() -> None:
    """A connection that somebody else changes is waited for, though it was attached before."""
    play = Play(2, 2, 2, limits={})
    play.look()
    play.tell(PolledAll("r", 1, dict.fromkeys(play.scheduler.connections, "updating"), 3))
    assert play.states == {}
    play.until_asked()
    assert play.pages == [1]
