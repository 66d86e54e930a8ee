"""What an answer to a write means for its step and its lane, and what it means when none comes."""

from __future__ import annotations

from math import inf
from typing import Final

from vcokit.cloud.error_codes import REPEATED, is_key
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import Answered, TimedOut
from vcokit.rollout.board import Board
from vcokit.rollout.lanes import Lane

#: Refusals after which a look decides: the change may be there all the same, made by somebody
#: else or by this very step when its answer was lost.
_LOOK_FIRST: Final = frozenset({"VpnRouteEntry.AlreadyExists", "InvalidRouteEntry.NotFound"})

#: The refusal of a write that came too soon after the end of its connection's last task.
_TOO_SOON: Final = "TaskConflict"
#: How often the wait after such a refusal is doubled, where one follows another.
_DOUBLINGS: Final = 4

#: Refusals that every other step of the connection would meet too.
_OF_THE_CONNECTION: Final = frozenset(
    {
        "InvalidVpnConnectionInstanceId.NotFound",
        "VpnConnection.FinancialLocked",
        "Vco.StatusNotSupport",
    }
)


class Writes:
    """Takes in what comes of writes.

    Parameters
    ----------
    board : Board
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def answered(self, event: Answered, now: float) -> None:
        """Take in an answer."""
        board = self._board
        lane = self._end_call(event.step, now, throttled=event.kind == "throttled")
        if event.kind == "server":
            self._doubt(lane, event, now)
            return
        board.heard(lane, now)
        said = (event.code, event.message, event.request_id)
        lane.conflicts = lane.conflicts + 1 if event.code == _TOO_SOON else 0
        # A refusal changes nothing: what was attached still is, unless the refusal says busy.
        lane.attached = event.kind not in ("ok", "busy")
        if event.kind == "ok":
            board.ledger.set(event.step, st.ACCEPTED, *said)
            board.pace.pause.taken(lane.called_at - lane.over_at)
            lane.task, lane.accepted_at, lane.running_at = event.step, now, now
            lane.over_at = inf
            lane.poll_at = now + board.pace.first_look(lane)
        elif event.code in REPEATED:
            # Somebody between us and the cloud sent it twice: not silence, but doubt.
            board.ledger.set(event.step, st.UNKNOWN, *said)
            lane.unknown[event.step] = None
            lane.attached, lane.over_at = False, inf
        elif event.kind in ("busy", "throttled") or is_key(event.code):
            self._again(lane, event, now)
        elif event.code in _LOOK_FIRST:
            board.records[event.step].attempt += 1
            board.ledger.set(event.step, st.UNKNOWN, *said)
            lane.unknown[event.step] = event.code
            lane.attached = False
        else:
            board.ledger.set(event.step, st.FAILED, *said)
            self._give_up_alike(lane, event)
        board.requeue(lane, now)

    def timed_out(self, event: TimedOut, now: float) -> None:
        """Take in that there was no definite answer."""
        board = self._board
        lane = self._end_call(event.step, now)
        if event.left:
            self._doubt(lane, event, now)
            return
        board.ledger.set(event.step, st.PENDING, message=event.message)
        lane.put(event.step)
        if board.cancelled:
            board.skip(lane, [event.step], None, "cancelled")
        board.unanswered(lane, now)

    def _end_call(self, number: int, now: float, *, throttled: bool = False) -> Lane:
        board = self._board
        lane = board.lanes[board.steps[number].lane]
        board.dispatch.end(lane, board.write_of(number), now, throttled=throttled)
        lane.quiet_at = now
        return lane

    def _again(self, lane: Lane, event: Answered, now: float) -> None:
        """Put a step back that was refused for a reason that passes, or for a wrong key."""
        board = self._board
        board.records[event.step].attempt += 1
        board.ledger.set(event.step, st.PENDING, event.code, event.message, event.request_id)
        lane.put(event.step)
        if board.cancelled:
            board.skip(lane, [event.step], None, "cancelled")
        if event.code == _TOO_SOON:
            self._wait_longer(lane, now)
        elif event.kind == "busy":
            lane.poll_at = now + board.options.poll_interval
        elif event.kind == "throttled":
            board.shut(lane.region_id, board.write_of(event.step), event.retry_after, now)
        else:
            board.refused_key(event.code)

    def _wait_longer(self, lane: Lane, now: float) -> None:
        """Look at a lane again in a while, whose write came too soon; let all others wait longer.

        What has told the cloud so may have been somebody else's task: then no pause of ours helps,
        and the lane waits longer by itself.
        """
        board = self._board
        more = min(lane.conflicts - 1, _DOUBLINGS)
        # Not only its own look waits: a page that others ask for may show it attached before.
        lane.not_before = now + board.options.poll_interval * 2.0**more
        if board.pace.pause.refused(lane.called_at - lane.over_at):
            board.requeue_all(now)

    def _give_up_alike(self, lane: Lane, event: Answered) -> None:
        """Skip what would be refused for the same reason on the same connection."""
        steps = self._board.steps
        if event.kind == "quota":
            # Those that wait for a delete of this connection will find room.
            alike = [n for n in sorted(lane.ready) if steps[n].action == st.CREATE]
        elif event.kind == "auth" or event.code in _OF_THE_CONNECTION:
            alike = lane.unsent()
        else:
            return
        message = "an earlier step of this connection was refused so"
        self._board.skip(lane, alike, event.code, message)

    def _doubt(self, lane: Lane, event: Answered | TimedOut, now: float) -> None:
        """Note that a step may have happened; the lane looks before it sends again."""
        code, asked = None, None
        if isinstance(event, Answered):
            code, asked = event.code, event.retry_after
        self._board.ledger.set(event.step, st.UNKNOWN, code, event.message)
        lane.unknown[event.step] = None
        lane.attached, lane.over_at = False, inf
        self._board.unanswered(lane, now, asked)
