"""Which call next, at what time: pure, told everything, doing nothing.

The scheduler is given steps, live routes and limits, and then told what happens (see
`vcokit.rollout.messages`); it answers with changes of steps and decisions. It reads no clock and
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

from vcokit.cloud.error_codes import WRONG_CLOCK, is_key
from vcokit.cloud.operations import Limit
from vcokit.cloud.windows import Limiter
from vcokit.rollout import steps as st
from vcokit.rollout.connection import Lane, Ledger, Record
from vcokit.rollout.dependencies import Waits, Waves, waves_of
from vcokit.rollout.handlers import Reads, Writes
from vcokit.rollout.messages import (
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
from vcokit.rollout.options import Options
from vcokit.rollout.ordering import Order
from vcokit.rollout.queueing import Dispatch, Pace
from vcokit.rollout.reconcile import Held
from vcokit.rollout.steps import Route, Step


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

    def held(self) -> list[Held]:
        """Return what each connection was seen to hold, beside what is planned for it."""
        return [self._board.held(lane) for lane in list(self.lanes.values())]

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


#: A refresh of the pace looks at all lanes; it comes after as many events, so that it costs little.
_LEAST_EVENTS = 16


class Board:
    """Where everything stands.

    Parameters
    ----------
    steps, live, limiter, options, records, order
        As of `vcokit.rollout.scheduler.Scheduler`.

    Attributes
    ----------
    ending : Finished or None
        Set when the rollout ends as soon as no call is under way.
    draining : Finished or None
        Set when nothing new is sent, and the rollout ends once all that was sent was seen.
    unseen : int
        Lanes that were not listed yet.
    going, in_doubt : set of str
        Lanes that have not ended; those of which something is not seen yet.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        live: Mapping[str, frozenset[Route]],
        limiter: Limiter,
        options: Options,
        records: Mapping[int, Record],
        order: Order,
    ) -> None:
        self.options = options
        self.ledger = Ledger(steps, options, records)
        self.steps, self.records = self.ledger.steps, self.ledger.records
        of_step = waves_of(self.steps, options.waves, order) if options.waves else {}
        self.waves = Waves(of_step)
        self.waits = Waits(order, self.steps, of_step)
        self.lanes = self.ledger.make_lanes(live, self.waits.over)
        self.pace = Pace(options)
        self.dispatch = Dispatch(self.lanes, limiter, options, self.pace, self._next_write)
        self.paused = self.cancelled = self.verified = False
        self.ending: Finished | None = None
        self.draining: Finished | None = None
        self.differences: list[str] = []
        self.unseen = len(self.lanes)
        self.going = set(self.lanes)
        self.in_doubt: set[str] = set()
        # Those of earlier runs are handed over once more below, and do not count.
        self._failures = -sum(state == st.FAILED for _, state in self.ledger.finals)
        self._silent_since: float | None = None
        self._heard_at = 0.0
        self._events = 0
        self.follow(0.0)
        for lane in self.lanes.values():
            self.requeue(lane, 0.0)

    # -- lanes ----------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """Whether anything new is sent."""
        return not self.paused and self.draining is None

    def requeue(self, lane: Lane, now: float) -> None:
        """Put a lane where it belongs after something has changed."""
        (self.going.discard if lane.ended else self.going.add)(lane.name)
        doubted = lane.in_doubt and not lane.ended  # one that is held may have ended in doubt
        (self.in_doubt.add if doubted else self.in_doubt.discard)(lane.name)
        self.dispatch.queue_up(lane, now, sending=self.sending)

    def held(self, lane: Lane) -> Held:
        """Return a lane as it is held against its plan."""
        steps = tuple((self.steps[n], self.records[n].state) for n in lane.numbers)
        return Held(lane.region_id, lane.name, lane.start, steps, lane.seen)

    def requeue_all(self, now: float) -> None:
        """Put all lanes where they belong."""
        for lane in self.lanes.values():
            self.requeue(lane, now)

    def write_of(self, number: int) -> str:
        """Return the operation of a step."""
        return st.OPERATION[self.steps[number].action]

    def _next_write(self, lane: Lane) -> str:
        return self.write_of(lane.ready[0])

    def refresh(self, now: float) -> None:
        """Decide anew which lanes are in a hurry, now and then."""
        self._events += 1
        if self._events < max(_LEAST_EVENTS, len(self.going) // 2):
            return
        self._events = 0
        windows = {key: (self.dispatch.share(*key), left) for key, left in self.ledger.left.items()}
        changed = self.pace.refresh(
            [self.lanes[name] for name in sorted(self.going)],
            windows,
            self._through,
            self.dispatch.look_seconds,
        )
        for lane in changed:
            self.dispatch.queue_up(lane, now, sending=self.sending)

    def _through(self, lane: Lane) -> tuple[str, str]:
        number = lane.ready[0] if lane.ready else lane.numbers[-1]
        return lane.region_id, st.OPERATION.get(self.steps[number].action, "")

    # -- steps ----------------------------------------------------------------------------------

    def skip(self, lane: Lane, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Take steps out of a lane for good."""
        self.ledger.skip(lane, numbers, code, message)

    def follow(self, now: float) -> None:
        """Let go, or take along, what waited for steps that have come to their end."""
        touched: dict[str, Lane] = {}
        finals = self.ledger.finals
        while True:
            while finals:
                number, state = finals.popleft()
                self.waves.final(number, state)
                if state == st.DONE:
                    self._free(self.waits.done(number), touched)
                else:
                    self._failures += state == st.FAILED
                    self._take_along(number, state, touched)
            wave = self.waves.next_wave()
            if wave is None:
                break
            freed = self.waits.open_wave(wave)
            for number in freed:
                # Hours may have passed since its connection was seen.
                self.lanes[self.steps[number].lane].attached = False
            self._free(freed, touched)
        for lane in touched.values():
            self.requeue(lane, now)
        self._enough(now)

    def _free(self, numbers: Iterable[int], touched: dict[str, Lane]) -> None:
        for number in numbers:
            lane = self.lanes[self.steps[number].lane]
            if number in lane.waiting:
                lane.waiting.discard(number)
                lane.put(number)
                touched[lane.name] = lane

    def _take_along(self, number: int, state: str, touched: dict[str, Lane]) -> None:
        message = f"waits for {self.steps[number]}, which "
        message += "failed" if state == st.FAILED else "was skipped"
        for other in self.waits.lost(number):
            lane = self.lanes[self.steps[other].lane]
            if other in lane.waiting:
                self.skip(lane, [other], None, message)
                touched[lane.name] = lane

    def _enough(self, now: float) -> None:
        """End the rollout in order when too much has failed."""
        if self.cancelled or self.draining is not None:
            return
        most = self.options.stop_after
        if most is not None and self._failures >= most:
            said = f"{self._failures} steps failed, as many as were allowed in one run"
            self.drain(said, "failures", now)
        elif self.waves.spoilt is not None:
            wave = self.waves.spoilt + 1
            self.drain(
                f"not every step of wave {wave} was done, so the next wave does not begin: look "
                "why, then go on with other waves",
                "wave",
                now,
            )

    def let_loose(self, now: float) -> bool:
        """Skip what waits for something that will never come, so that every rollout ends.

        Returns
        -------
        bool
            Whether there was any.
        """
        stuck = [self.lanes[name] for name in sorted(self.going) if self.lanes[name].waiting]
        for lane in stuck:
            self.skip(lane, sorted(lane.waiting), None, "what it waits for can never be done")
            self.requeue(lane, now)
        self.follow(now)
        return bool(stuck)

    # -- ends -----------------------------------------------------------------------------------

    def end(self, reason: str, message: str, cause: str | None = None) -> None:
        """End as soon as no call is under way."""
        if self.ending is None:
            self.ending = Finished(reason, message, cause, tuple(self.differences))

    def drain(self, message: str, cause: str, now: float) -> None:
        """Send nothing new; end once all that was sent was seen."""
        self.draining = Finished("stopped", message, cause)
        self.requeue_all(now)

    def held_up(self) -> Finished | None:
        """Return the end of a rollout of which some lanes could not be brought to theirs."""
        held = [lane for lane in self.lanes.values() if lane.held is not None and lane.undone]
        if not held:
            return None
        more = f", and {len(held) - 1} more connections" if len(held) > 1 else ""
        return Finished("stopped", f"{held[0].name}: {held[0].held}{more}", "refused")

    # -- answers, and their absence -------------------------------------------------------------

    def heard(self, lane: Lane | None, now: float) -> None:
        """Note that the cloud has answered."""
        if lane is not None:
            lane.failures = 0
        self._silent_since, self._heard_at = None, now

    def shut(self, region: str, operation: str, retry_after: float | None, now: float) -> None:
        """Close the window of an operation for as long as the cloud asked for."""
        until = now + (retry_after or self.options.backoff)
        self.dispatch.share(region, operation).shut(until)

    def silent(self, sent: float, now: float) -> None:
        """Note a call without an answer; when it has been silent for long, all stops."""
        if self._silent_since is None:
            self._silent_since = max(sent, self._heard_at)
        if now - self._silent_since >= self.options.lost_after:
            self.end("stopped", f"no answer for {self.options.lost_after:g} s", "silence")

    def unanswered(self, lane: Lane, now: float, asked: float | None = None) -> None:
        """Let a lane wait after a call without an answer, longer each time, or as it was asked."""
        lane.failures += 1
        wait = min(self.options.backoff_cap, self.options.backoff * 2.0 ** (lane.failures - 1))
        lane.not_before = now + max(wait, asked or 0.0)
        self.silent(lane.called_at, now)
        self.requeue(lane, now)

    def refused_key(self, code: str | None) -> bool:
        """End the rollout if a code says that the AccessKey is refused, or the clock is wrong."""
        if code == WRONG_CLOCK:
            self.end("stopped", f"this machine's clock is wrong: {code}", "clock")
        elif is_key(code):
            self.end("stopped", f"the AccessKey was refused: {code}", "key")
        return is_key(code)
