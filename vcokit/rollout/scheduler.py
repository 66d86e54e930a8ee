"""Which call next, at what time: pure, told everything, doing nothing.

The scheduler is given steps, live routes and limits, and then told what happens (see
`vcokit.rollout.alphabet`); it answers with changes of steps and decisions. It reads no clock and
sends nothing, so that it can be run in virtual time against any cloud. Its parts:

============  ================================================================
`board`       everything below, and the moves that go with every event
`ledger`      where each step stands, and what has changed
`lanes`       the steps of one connection, and what it wants next
`waits`       which steps wait for which, `waves` which for canaries
`pace`        times seen, who is in a hurry, when a look is worth a call
`dispatch`    whose turn it is; `windows` the limits, `polling` looks by page
`writes`      what an answer to a write means
`reads`       what a state or a listing means
============  ================================================================

Every lane goes its own round, one call at a time::

    list ─all lanes seen, none stale→ poll ─attached→ send ─200→ (task) → poll → send …
     ↑                                 ↑                │ no answer   │      │ nothing left to send
     └──── not there: send again ──────┴── in doubt ────┘             │      ↓
                                                                      └─→ list ─seen→ done

One route, walked through: create 10.1.0.0/16 on vco-a. The lane is listed, as all are, and holds
what the plan saw. Its state is read, alone or with the page of the list it stands on: attached. The
step waits for nothing, or for routes that others make, and then stands in the heap of
CreateVcoRouteEntry, behind lanes with more time left to fill. A slot comes free: `Send`, and the
slot is held. Answer 200: accepted; the lane is looked at when a task is likely over. Attached:
settled, and the next step may go. While that one's task runs, or when there is none, the lane is
listed; the listing shows the route: done, and what waited for it may go. At the end, lanes whose
listing has grown old are listed once more, and what differs from the plan is reported.

It ends when no lane has anything left: finished, or cancelled; or early, when nothing new is to be
sent: *drained*, when all that was sent was seen first (deadline, failures, a spoilt wave), or at
once when the calls under way have come back (stop, a refused key, silence, a stale plan).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import Limiter
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    Answered,
    Command,
    Decision,
    Finished,
    Input,
    List,
    Listed,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    Round,
    Send,
    TimedOut,
    WaitUntil,
)
from vcokit.rollout.board import Board
from vcokit.rollout.lanes import Lane, Record
from vcokit.rollout.options import Options
from vcokit.rollout.order import Order
from vcokit.rollout.reads import Reads
from vcokit.rollout.steps import Route, Step
from vcokit.rollout.writes import Writes


class Scheduler:
    """The decisions of one rollout.

    Parameters
    ----------
    steps : iterable of Step
        A lane sends them by number, those first that wait for nothing.
    live : mapping of str to frozenset of Route
        By lane, the live routes that the plan was made from.
    limits : Limiter, or mapping of str to Limit
        Of the client, which others share; or by operation, for a rollout that is alone.
    options : Options
    records : mapping of int to Record, optional
        Where steps stand that have gone on already, from a journal.
    order : Order, optional
        Which steps wait for which others; by default none for any.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        live: Mapping[str, frozenset[Route]],
        limits: Limiter | Mapping[str, Limit],
        options: Options | None = None,
        records: Mapping[int, Record] | None = None,
        order: Order | None = None,
    ) -> None:
        self.options = options or Options.in_force()
        limiter = limits if isinstance(limits, Limiter) else Limiter(limits)
        board = Board(steps, live, limiter, self.options, records or {}, order or Order())
        self._board = board
        self._writes, self._reads = Writes(board), Reads(board)
        self.steps, self.records, self.lanes = board.steps, board.records, board.lanes
        self._start: float | None = None

    @property
    def steered(self) -> str | None:
        """What the user has made of it: paused or cancelling; None where it just goes on."""
        board = self._board
        return "cancelling" if board.cancelled else "paused" if board.paused else None

    @property
    def closing(self) -> bool:
        """Whether it is about to end: nothing new is sent, and nobody should wait long."""
        board = self._board
        return board.cancelled or board.draining is not None or board.ending is not None

    def close(self, now: float) -> None:
        """Leave the limits to others; nothing is asked of it any more."""
        self._board.dispatch.close(now)

    # -- the loop -------------------------------------------------------------------------------

    def advance(self, inputs: Iterable[Input], now: float) -> Round:
        """Take in what happened and return what changed and what to do.

        Parameters
        ----------
        inputs : iterable of Input
            In order of arrival; none when only time has passed.
        now : float
            Seconds of a clock that never goes back, the one of the limiter.

        Returns
        -------
        Round
            Changes first to be written down, then decisions to be carried out. The decisions end
            in `WaitUntil` or `Finished`, or in neither while only an answer can bring news.
        """
        if self._start is None:
            self._start = now
        for event in inputs:
            self._take(event, now)
            self._board.follow(now)
            self._board.refresh(now)
        decisions = self._decide(now)
        return Round(self._board.ledger.take_changes(), tuple(decisions))

    def _take(self, event: Input, now: float) -> None:
        match event:
            case Answered():
                self._writes.answered(event, now)
            case TimedOut():
                self._writes.timed_out(event, now)
            case Polled():
                self._reads.polled(event, now)
            case PolledAll():
                self._reads.polled_all(event, now)
            case Listed():
                self._reads.listed(event, now)
            case Command():
                self._command(event, now)

    def _decide(self, now: float) -> list[Decision]:
        board = self._board
        self._mind_the_time(now)
        self._mind_the_end(now)
        flying = board.dispatch.flying
        if board.ending is not None:
            return [] if flying else [board.ending]
        may_send = board.unseen == 0 and board.sending
        going = board.dispatch.go(now, may_send=may_send, sending=board.sending)
        decisions = [self._decision(lane) for lane in going]
        wake = self._wake(now, may_send=may_send)
        stuck = wake is None and not decisions and not flying and not board.paused
        if stuck and self._get_unstuck(now):
            return self._decide(now)
        return decisions if wake is None else [*decisions, WaitUntil(wake)]

    def _get_unstuck(self, now: float) -> bool:
        """End, or let go of waits, where nothing moves any more; tell whether that helped.

        What waits for a connection that cannot be read, or for another day, is left as it is.
        """
        board = self._board
        board.ending = board.draining or board.held_up()
        return board.ending is not None or board.let_loose(now)

    @property
    def _deadline(self) -> float:
        """The time at which the deadline passes; infinite where there is none."""
        seconds = self.options.deadline
        return inf if seconds is None or self._start is None else self._start + seconds

    def _wake(self, now: float, *, may_send: bool) -> float | None:
        board, deadline = self._board, self._deadline
        times = [board.dispatch.next_time(now, may_send=may_send)]
        if board.draining is None and now < deadline < inf:
            times.append(deadline)
        return min((time for time in times if time is not None), default=None)

    def _mind_the_time(self, now: float) -> None:
        """Send nothing new once the deadline has passed."""
        board = self._board
        if now < self._deadline or board.draining or board.cancelled:
            return
        message = f"the deadline of {self.options.deadline:g} s has passed"
        if board.unseen:
            board.end("stopped", message, "deadline")
        elif board.going:
            board.drain(message, "deadline", now)

    def _mind_the_end(self, now: float) -> None:
        """End when nothing is left to do, once all was read back."""
        board = self._board
        if board.ending is not None or board.dispatch.flying:
            return
        if not board.going:
            if not board.verified:
                self._verify(now)
            if not board.going:
                board.ending = board.held_up() or Finished(
                    "cancelled" if board.cancelled else "finished"
                )
        elif board.draining is not None and not board.in_doubt and not board.unseen:
            board.ending = board.draining

    def _verify(self, now: float) -> None:
        """Have lanes listed once more whose last listing has grown old since they were changed."""
        board = self._board
        board.verified = True
        for lane in board.lanes.values():
            if lane.sent and lane.held is None and now - lane.seen_at > self.options.fresh:
                lane.verify = True
                board.requeue(lane, now)

    def _decision(self, lane: Lane | PollAll) -> Decision:
        if isinstance(lane, PollAll):
            return lane
        board = self._board
        want = lane.wants(sending=board.sending)
        if want == POLL:
            return Poll(lane.name)
        if want == LIST:
            if lane.page == 1:
                # A first look decides nothing: tasks may be under way while it is taken.
                lane.asked = lane.doubts() if lane.looked else ()
            return List(lane.name, lane.page)
        return self._send(lane)

    def _send(self, lane: Lane) -> Send:
        number = lane.next_step()
        lane.attached, lane.quiet_at, lane.sent = False, inf, True
        self._board.ledger.set(number, st.SENT)
        return Send(number, self.records[number].attempt)

    # -- commands -------------------------------------------------------------------------------

    def _command(self, event: Command, now: float) -> None:
        board = self._board
        if event.name == "stop":
            board.end("interrupted", "stopped; what is pending can be resumed")
        elif event.name == "cancel":
            self._cancel(now)
        else:
            board.paused = event.name == "pause"
            board.requeue_all(now)

    def _cancel(self, now: float) -> None:
        board = self._board
        board.cancelled, board.paused, board.draining = True, False, None
        for lane in board.lanes.values():
            board.ledger.doubt_again(lane)
            board.skip(lane, lane.unsent(), None, "cancelled")
            lane.looked = True
            if lane.page > 1 and not lane.in_doubt:
                lane.forget_listing()
        board.unseen = 0
        board.requeue_all(now)
