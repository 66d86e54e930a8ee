"""A board that followed the events shows what one made from the journal shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.rollout.stage import Stage
from vcokit import schema
from vcokit.rollout.messages import CallEnded, RolloutChanged, StepChanged, Tally
from vcokit.simulator import Fault
from vcokit.widgets.board import Board

CONFLICT = Fault(
    "refuse", operation="CreateVcoRouteEntry", count=3, after=5, code="VpnRouteEntry.Conflict"
)


def steps(*states: str, lanes: tuple[str, ...] = ("vco-a",)) -> object:
    """Return a steps frame of creations in some states, taking turns in some lanes."""
    size = len(states)
    return schema.frame(
        schema.STEPS,
        {
            "step": range(size),
            "action": ["create"] * size,
            "state": list(states),
            "region_id": ["cn-hangzhou"] * size,
            "vpn_connection_id": [lanes[n % len(lanes)] for n in range(size)],
            "route_dest": [f"10.0.{n}.0/24" for n in range(size)],
        },
    )


def test_events_lead_where_the_journal_is(tmp_path: Path) -> None:
    """Through refusals and lost answers, every count, lane and failure is the journal's."""
    lost = Fault("drop_after", operation="CreateVcoRouteEntry", count=4, after=9)
    events: list[object] = []
    with Stage(tmp_path, CONFLICT, lost, lanes=5, each=6) as stage:
        rollout = stage.rollout(observers=[events.append])
        followed = Board(rollout.frame())
        rollout.start().wait()
        for event in events:
            followed.add(event)
        read = Board(rollout.frame())
        assert followed.states == read.states
        assert followed.lanes() == read.lanes()
        assert followed.failures_with() == read.failures_with()
        assert followed.made == read.made == 30 - 3
        read.note_calls(rollout.calls())
        assert followed.calls == read.calls
        assert followed.refused == read.refused


def test_an_event_that_was_known_changes_nothing() -> None:
    """Between listening and reading an event may be told twice; it is counted once."""
    board = Board(steps("accepted", "pending"))
    board.add(StepChanged(1.0, 0, "sent", "accepted"))
    assert board.states["accepted"] == 1
    assert board.states["sent"] == 0
    assert sum(board.states.values()) == board.total == 2


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("done", "done"), "done"),
        (("done", "pending"), "pending"),
        (("settled", "done"), "settled"),
        (("sent", "pending", "done"), "sent"),
        (("failed", "sent", "pending"), "failed"),
        (("unknown", "pending", "accepted"), "unknown"),
        (("blocked", "done"), "blocked"),
        (("skipped", "done"), "skipped"),
    ],
)
def test_the_loudest_state_colours_a_lane(states: tuple[str, ...], shown: str) -> None:
    """What needs an eye comes before what is under way, and that before what waits or is over."""
    assert [lane.state for lane in Board(steps(*states)).lanes()] == [shown]


def test_lanes_are_in_the_plans_order() -> None:
    """A cell keeps its place, so that an eye finds it again."""
    board = Board(steps("pending", "done", "done", "done", lanes=("vco-z", "vco-a")))
    assert [lane.vpn_connection_id for lane in board.lanes()] == ["vco-z", "vco-a"]
    assert [(lane.made, lane.total) for lane in board.lanes()] == [(1, 2), (2, 2)]


def test_a_failure_says_what_to_do_and_goes_when_it_is_over() -> None:
    """A step in doubt is shown with code and remedy, as long as it is in doubt."""
    board = Board(steps("sent"))
    said = "VpnRouteEntry.Conflict: The specified route entry has conflict."
    board.add(StepChanged(1.0, 0, "sent", "failed", "VpnRouteEntry.Conflict", said, "REQ-1"))
    failure = board.failures_with("req-1")[0]
    assert failure.message == "The specified route entry has conflict"
    assert failure.remedy == "Change the weight of the route that is there"
    assert not board.failures_with("req-2")
    board.add(StepChanged(2.0, 0, "failed", "pending"))
    assert not board.failures


def test_kept_steps_are_no_changes() -> None:
    """What was live before was not made: it counts as done, and in no share of changes."""
    frame = steps("done", "done", "pending")
    frame.loc[0, "action"] = "keep"
    board = Board(frame)
    assert (board.sends, board.made, board.left) == (2, 1, 1)


def test_old_calls_leave_the_rate() -> None:
    """Only writes count for the rate, and only those of the last minute are kept."""
    board = Board(steps("pending"))
    for at in range(200):
        board.add(CallEnded(float(at), "CreateVcoRouteEntry", "vco-a", 0.1, "ok"))
        board.add(CallEnded(float(at), "DescribeVpnConnection", "vco-a", 0.1, "throttled"))
    assert len(board.writes) == 61
    assert {region for _, _, region in board.writes} == {"cn-hangzhou"}
    assert (sum(board.calls.values()), board.refused) == (400, 200)


def test_the_rollouts_own_tally_is_believed() -> None:
    """Counts of calls are the rollout's own, so that none is counted twice."""
    board = Board(steps("pending"))
    board.add(RolloutChanged(5.0, "looking"))
    assert (board.state, board.started) == ("looking", 5.0)
    tally = Tally(Counter(), Counter(a=3), Counter(ok=2, busy=1), "running", None, 4.0, 9.0)
    board.note_tally(tally)
    assert (board.state, board.started, board.latest, board.refused) == ("running", 4.0, 9.0, 1)


def test_no_steps_at_all() -> None:
    """A plan of nothing is shown as that."""
    board = Board(schema.frame(schema.STEPS))
    board.note_moments(schema.frame(schema.STEPS))
    board.note_calls(schema.frame(schema.CALLS))
    assert (board.total, board.lanes(), list(board.events)) == (0, [], [])
