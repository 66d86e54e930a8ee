"""What a look at the cloud means: states of connections, and listings of routes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from vcokit.cloud.error_codes import REPEATED, RESIGNED, is_key
from vcokit.cloud.operations import PAGE_SIZE
from vcokit.contract import ARRIVING, ATTACHED
from vcokit.rollout import steps as st
from vcokit.rollout.connection import Lane
from vcokit.rollout.messages import (
    LIST,
    NOT_MADE,
    POLL,
    POLL_ALL,
    Answered,
    Listed,
    Polled,
    PolledAll,
    TimedOut,
)
from vcokit.rollout.reconcile import differences
from vcokit.rollout.steps import Route

if TYPE_CHECKING:
    from vcokit.rollout.scheduler import Board

#: A connection is listed only while it is attached, where the cloud says so.
_ONLY_ATTACHED: Final = "Vco.StatusNotSupport"

#: How often a listing that changes while it is read is begun anew before it is taken as it is.
_RESTARTS: Final = 5
#: Part of a task's time that a listing may take to be made while the task runs.
_BRIEF: Final = 0.5


class Reads:
    """Takes in what comes of reads.

    Parameters
    ----------
    board : Board
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    # -- states ---------------------------------------------------------------------------------

    def polled(self, event: Polled, now: float) -> None:
        """Take in the state of one connection."""
        board = self._board
        lane = board.lanes[event.lane]
        sent = lane.called_at
        board.dispatch.end(lane, POLL, now, throttled=event.kind == "throttled")
        if event.state is not None:
            board.heard(lane, now)
            self._state(lane, event.state, sent, now)
        elif self._read_failed(lane, POLL, event, now):
            if event.code == NOT_MADE:
                self._cannot_ask(lane, event)
            else:
                self._out_of_reach(lane, "read", event)
        board.requeue(lane, now)

    def polled_all(self, event: PolledAll, now: float) -> None:
        """Take in the states of a page of connections."""
        board = self._board
        throttled = event.kind == "throttled"
        flight = board.dispatch.end_page(event.region, event.page, now, throttled=throttled)
        pages = board.dispatch.pages[event.region]
        touched = {lane.name: lane for lane in flight.lanes}
        if event.states is None:
            for lane in self._page_failed(event, flight.sent, now):
                lane.calling = False
                touched[lane.name] = lane
        else:
            board.heard(None, now)
            board.dispatch.place(event.region, event.page, frozenset(event.states))
            released = [lane for lane in pages.parked if lane.name in event.states]
            pages.parked = [lane for lane in pages.parked if lane.name not in event.states]
            if pages.sweeping:
                released += pages.go_on(event.page, event.total)
            for lane in released:
                lane.calling = False
                touched[lane.name] = lane
            for name, state in event.states.items():
                lane_there = board.lanes.get(name)
                if lane_there is not None and lane_there.region_id == event.region:
                    self._passing_by(lane_there, state, flight.sent, now)
                    touched[name] = lane_there
        for lane in touched.values():
            board.requeue(lane, now)

    def _passing_by(self, lane: Lane, state: str, sent: float, now: float) -> None:
        """Take in a state that was read for several lanes, if it is younger than the last write."""
        wanted = lane.shy or (lane.looked and lane.held is None and lane.undone)
        if wanted and lane.quiet_at <= sent:
            lane.failures = 0
            self._state(lane, state, sent, now)

    def _state(self, lane: Lane, state: str, sent: float, now: float) -> None:
        board = self._board
        if state == ATTACHED:
            if lane.task is not None:
                board.pace.task_over(lane, now)
            self._task_over(lane, now)
        elif state in ARRIVING:
            lane.attached, lane.over_at = False, inf
            lane.running_at = max(lane.running_at, sent)
            lane.poll_at = now + self._again_in(lane, now)
        else:
            board.skip(lane, lane.unsent(), None, f"the connection is {state}")
            if not lane.looked:
                self._seen(lane, [])  # nothing is sent to it, so nothing can be stale
            self._hold(lane, f"the connection is {state}")

    def _again_in(self, lane: Lane, now: float) -> float:
        if lane.task is None:
            return self._board.options.poll_interval
        return self._board.pace.next_look(lane, now - lane.accepted_at)

    def _task_over(self, lane: Lane, now: float) -> None:
        lane.attached, lane.shy = True, False
        lane.over_at = min(lane.over_at, now)
        if lane.task is not None:
            self._board.ledger.set(lane.task, st.SETTLED)
            lane.settled[lane.task] = None
            lane.awaited = lane.awaited or self._board.waits.awaited(lane.task)
            lane.task = None

    def _page_failed(self, event: PolledAll, sent: float, now: float) -> list[Lane]:
        """Deal with a page that was not read; return the lanes that waited for the whole list."""
        board = self._board
        pages = board.dispatch.pages[event.region]
        passes = event.kind in ("throttled", "unknown", "server", "busy") or event.code in RESIGNED
        if event.kind == "throttled":
            board.shut(event.region, POLL_ALL, event.retry_after, now)
        elif passes:
            board.silent(sent, now)
        elif not board.refused_key(event.code):
            board.heard(None, now)
        until = now + (event.retry_after or 10 * board.options.backoff)
        return pages.give_up(for_good=not passes, until=until)

    # -- listings -------------------------------------------------------------------------------

    def listed(self, event: Listed, now: float) -> None:
        """Take in a page of a connection's routes."""
        board = self._board
        lane = board.lanes[event.lane]
        board.dispatch.end(lane, LIST, now, throttled=event.kind == "throttled")
        if event.routes is None:
            if self._read_failed(lane, LIST, event, now):
                self._cannot_list(lane, event)
        else:
            board.heard(lane, now)
            # Another page was on its way when the listing was begun anew.
            routes = self._whole(lane, event) if event.page == lane.page else None
            if routes is not None:
                self._take(lane, routes, now)
        board.requeue(lane, now)

    def _whole(self, lane: Lane, event: Listed) -> frozenset[Route] | None:
        """Add a page; return the routes once all are there and the list held still meanwhile."""
        page = event.routes or ()
        rows = len(page) if event.rows is None else event.rows
        moved = lane.total not in (-1, event.total)
        lane.total = event.total
        lane.listing += page
        lane.counted += rows
        if not moved and lane.counted < event.total and rows:
            lane.page += 1
            return None
        routes = frozenset(lane.listing)
        # Between two pages a route that goes shifts another over the edge, unseen; one that comes
        # shows one twice.
        moved = moved or lane.counted != event.total or len(routes) != len(lane.listing)
        lane.forget_listing()
        if moved and lane.restarts < _RESTARTS:
            lane.restarts += 1
            lane.brief = False
            return None
        lane.restarts = 0
        return routes

    def _take(self, lane: Lane, routes: frozenset[Route], now: float) -> None:
        board = self._board
        pages = max(1, -(-len(routes) // PAGE_SIZE))
        lane.brief = pages == 1 or pages * board.pace.trip < _BRIEF * board.pace.times.mean
        lane.list_after = max(board.options.list_after, len(routes) // 2)
        lane.seen, lane.seen_at, lane.verify = routes, now, False
        if not lane.looked:
            self._seen(lane, differences(board.held(lane)))
            return
        again = board.ledger.settle(lane, routes)
        lane.awaited = any(board.waits.awaited(number) for number in lane.settled)
        if board.cancelled:
            board.skip(lane, again, None, "cancelled")

    def _cannot_list(self, lane: Lane, event: Listed) -> None:
        """Deal with a listing that is refused."""
        lane.forget_listing()
        if event.code == NOT_MADE:
            self._cannot_ask(lane, event)
        elif event.code == _ONLY_ATTACHED and not lane.shy and lane.held is None:
            lane.shy, lane.attached = True, False
        elif lane.looked or event.kind != "not-found":
            self._out_of_reach(lane, "listed", event)
        else:
            self._seen(lane, [f"{lane.name}: can no longer be listed ({event.code})"])

    def _cannot_ask(self, lane: Lane, event: Polled | Listed) -> None:
        """Let the steps of a lane fail that cannot be asked for at all: the others go on."""
        board = self._board
        for number in lane.unsent():
            board.ledger.set(number, st.FAILED, event.code, event.message)
        lane.drop(lane.unsent())
        if not lane.looked:
            self._seen(lane, [])
        lane.hold(f"the connection cannot be asked for: {event.message}")
        lane.verify = False

    def _out_of_reach(self, lane: Lane, what: str, event: Polled | Listed) -> None:
        """Send nothing more on a lane of which nothing can be known any more.

        A connection that is gone takes its steps with it. Any other refusal may be mended (a
        policy, for example), so its steps stay where they are for another run.
        """
        board = self._board
        gone = event.kind == "not-found"
        if gone:
            message = "the connection cannot be read"
            board.skip(lane, lane.unsent(), event.code, message)
        if what == "read":
            self._hold(lane, f"the connection cannot be read: {event.code}")
            return
        self._hold(lane, f"the connection cannot be listed: {event.code}")
        lane.verify = False
        if gone:
            for number in lane.doubts():
                message = "the connection can no longer be listed"
                board.ledger.set(number, st.FAILED, event.code, message)
                lane.decided(number)

    def _hold(self, lane: Lane, why: str) -> None:
        lane.hold(lane.held or why)
        if not lane.looked:
            self._board.end("stopped", f"{lane.name}: {why}", "refused")

    def _seen(self, lane: Lane, strange: list[str]) -> None:
        board = self._board
        lane.looked = True
        board.unseen -= 1
        board.differences += strange
        if board.unseen == 0 and board.differences and not board.cancelled:
            board.end("stale", "the live routes are not those the plan was made from")

    # -- failures -------------------------------------------------------------------------------

    def _read_failed(self, lane: Lane, operation: str, event: Polled | Listed, now: float) -> bool:
        """Deal with a read that failed; tell whether it always will for this connection."""
        board = self._board
        if event.kind == "throttled":
            board.shut(lane.region_id, operation, event.retry_after, now)
            return False
        if board.refused_key(event.code):
            return False
        if event.kind in ("unknown", "server", "busy") or event.code in RESIGNED:
            board.unanswered(lane, now, event.retry_after)
            return False
        board.heard(lane, now)
        return True


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
