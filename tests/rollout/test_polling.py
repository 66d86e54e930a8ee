"""One look at many connections: when it is taken, what it says, and what it must not say."""

from __future__ import annotations

import pytest

from tests.rollout.play import Play
from vcokit.rollout.messages import Answered, Finished, List, Poll, PollAll, Polled, PolledAll, Send
from vcokit.rollout.steps import State


def states(play: Play, state: str = "attached") -> dict[str, str]:
    """Return a state for every lane, and for a connection that is none of ours."""
    return {**dict.fromkeys(play.scheduler.connections, state), "vco-stranger": "deleting"}


def test_a_page_instead_of_a_call_a_lane() -> None:
    """With three lanes of a region their states come in one call, and all of them go."""
    play = Play(1, 1, 1)
    asked = play.look()
    assert asked == []
    assert play.tell(PolledAll("r", 1, states(play), 4)) == [Send(0, 0), Send(1, 0), Send(2, 0)]


def test_two_lanes_are_looked_at_one_by_one() -> None:
    """A region with two lanes is not read through."""
    play = Play(1, 1)
    play.look()
    assert not any(isinstance(decision, PollAll) for decision in play.asked)


def test_a_long_list_is_not_read_through() -> None:
    """Where the list takes more calls than the lanes do, lanes not seen are asked one by one."""
    play = Play(1, 1, 1)
    play.look()
    asked = play.tell(PolledAll("r", 1, {"vco-0": "attached"}, 5000))
    assert asked == [Poll("vco-1"), Poll("vco-2"), Send(0, 0)]


def test_all_pages_of_a_short_list_are_read() -> None:
    """Lanes wait until the page that shows them has come."""
    play = Play(*[1] * 6)
    play.look()
    assert play.tell(PolledAll("r", 1, {"vco-0": "attached"}, 70)) == [PollAll("r", 2), Send(0, 0)]
    rest = {f"vco-{lane}": "attached" for lane in range(1, 5)}
    asked = play.tell(PolledAll("r", 2, rest, 70))
    assert asked == [Poll("vco-5"), *(Send(step, 0) for step in range(1, 5))]


def test_a_look_older_than_a_write_says_nothing() -> None:
    """What a page shows counts only if it was asked for after the lane's last write had ended."""
    play = Play(2, 2, 2, 2, task_seconds=4.0)
    play.look()
    play.tell(PolledAll("r", 1, states(play), 4))
    play.tell(Answered(0, "ok"), Answered(2, "ok"))
    assert play.until_asked() == [PollAll("r", 1)]
    play.tell(Answered(4, "ok"), after=0.01)
    play.tell(PolledAll("r", 1, states(play), 4), after=0.01)
    assert play.states[0] == play.states[2] == State.SETTLED
    assert play.states[4] == State.ACCEPTED, (
        "its task had not even begun when the page was asked for"
    )
    assert play.states[6] == State.SENT


@pytest.mark.parametrize("kind", ["auth", "unknown", "throttled"])
def test_a_page_that_is_not_read(kind: str) -> None:
    """A refused or lost page lets the lanes go to one call each."""
    play = Play(1, 1, 1)
    play.look()
    asked = play.tell(PolledAll("r", 1, None, 0, kind, "Forbidden.RAM"))
    assert asked == [Poll("vco-0"), Poll("vco-1"), Poll("vco-2")]


def test_a_page_that_knows_a_lane_no_more() -> None:
    """A lane that is not where it was is looked at by itself."""
    play = Play(2, 2, 2)
    play.look()
    play.tell(PolledAll("r", 1, states(play), 4))
    for step in (0, 2, 4):
        play.tell(Answered(step, "ok"), after=0.0)
    while not any(isinstance(d, PollAll) for d in play.asked):
        play.until_asked()
    asked = play.tell(PolledAll("r", 1, {"vco-0": "attached"}, 1))
    assert Send(1, 0) in asked
    assert {Poll("vco-1"), Poll("vco-2")} <= set(asked)


def test_a_wrong_key_in_a_page_stops_everything() -> None:
    """A refused AccessKey ends the rollout whatever call met it."""
    play = Play(1, 1, 1)
    play.look()
    ended = play.tell(PolledAll("r", 1, None, 0, "auth", "InvalidAccessKeyId.NotFound"))
    assert (ended[0].reason, ended[0].cause) == ("stopped", "key")


def test_a_poll_that_is_refused_sends_nothing() -> None:
    """What is in doubt is listed once more; nothing is sent, and the rest can be resumed."""
    play = Play(2).sending()
    play.tell(Answered(0, "server", "InternalError"))
    assert play.until_asked() == [Poll("vco-0")]
    assert play.tell(Polled("vco-0", None, "auth", "Forbidden.RAM")) == [List("vco-0", 1)]
    ended = play.tell(play.listed("vco-0"))
    assert isinstance(ended[0], Finished)
    assert (ended[0].reason, ended[0].cause) == ("stopped", "refused")
    assert "Forbidden.RAM" in str(ended[0].message)
    assert (play.states[0], play.states.get(1)) == (State.UNKNOWN, None)


def test_a_refused_poll_and_a_listing_that_shows_it() -> None:
    """What the last listing shows is done, though the state can no longer be read."""
    play = Play(1).sending()
    play.tell(Answered(0, "ok"))
    play.until_asked()
    play.tell(Polled("vco-0", None, "auth", "Forbidden.RAM"))
    assert play.tell(play.listed("vco-0", 0)) == [Finished("finished")]
    assert play.states[0] == State.DONE
