"""Decide which call is next, and when: pure logic without I/O.

The scheduler gets steps, live routes and limits, and then inputs about what happened (see
`vcokit.rollout.messages`); it returns changes of steps, and decisions. It reads no clock and sends
nothing, so it can be run in virtual time against any cloud::

    advance(inputs, now)
        handlers       what each input means; they ask the connection to move steps
        dependencies   which steps may be sent now, or are skipped, because others have ended
        queue          which connection's call is next
        → Round        changes to write to the journal, then calls to send

Every connection follows its own cycle, one call at a time::

    list ─all listed, no diffs→ poll ─attached→ send ─200→ (task) → poll → send …
     ↑                           ↑                │ no answer   │      │ nothing left to send
     └── not there: send again ──┴── in doubt ────┘             │      ↓
                                                                └─→ list ─seen→ done

An example: create 10.1.0.0/16 on vco-a. The connection is listed, as all are, and holds the routes
that the plan was made from. Its state is read, alone or with a page of the region's connections:
attached. The step waits for nothing, or for routes that other steps create. Then its connection
enters the heap of CreateVcoRouteEntry, behind connections that need more time. When a rate limit
slot is free, the decision is `Send`, and the slot is used. Answer 200: the step is accepted, and
the state is read again when a task is likely to be over. Attached: the step is settled, and the
next step may be sent. While the next step's task runs, or if there is none, the connection is
listed. The listing shows the route: the step is done, and steps that waited for it may be sent. At
the end, connections whose last listing is old are listed once more, and differences from the plan
are reported.

The rollout ends when no connection has anything left to do: finished, or cancelled. It ends early
when nothing new is to be sent: either *drained*, after everything that was sent was seen in a
listing (deadline, failures, a failed wave), or as soon as the calls in progress have returned
(stop, a refused key, no answers, a stale plan).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Final

from vcokit._text import duration, pluralize
from vcokit.cloud.error_codes import WRONG_CLOCK, is_key
from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import Limiter
from vcokit.errors import Remedy
from vcokit.rollout import handlers
from vcokit.rollout.connection import Connection, Record, Want
from vcokit.rollout.dependencies import Dependencies
from vcokit.rollout.messages import (
    Answered,
    Cause,
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
    StepChanged,
    TimedOut,
    WaitUntil,
)
from vcokit.rollout.options import Options
from vcokit.rollout.ordering import Order
from vcokit.rollout.queueing import Queue
from vcokit.rollout.reconcile import Holdings
from vcokit.rollout.steps import BORN, FINAL, OPERATION, Route, State, Step
from vcokit.rollout.windows import Timetable

#: Updating the pace visits all connections; it happens only after a number of events, so that it
#: costs little. This is the smallest such number.
_LEAST_EVENTS: Final = 16


class Scheduler:
    """Makes the decisions of one rollout.

    Parameters
    ----------
    steps : iterable of Step
        A connection sends them by number; steps that wait for nothing are first.
    live : mapping of str to frozenset of Route
        By connection, the live routes that the plan was made from.
    limits : Limiter, or mapping of str to Limit
        The limiter of the client, which others share; or limits by operation, for a rollout that
        shares with nobody.
    options : Options
    records : mapping of int to Record, optional
        From a journal: the state of steps of an earlier run.
    order : Order, optional
        Which steps wait for which others; by default no step waits.

    Attributes
    ----------
    steps : dict of int to Step
    connections : dict of str to Connection
    cancelled : bool
        Whether the user has cancelled it.
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
        self.steps = {step.number: step for step in steps}
        self.cancelled = False
        self._paused = self._verified = False
        self._start: float | None = None
        self._changes: list[StepChanged] = []
        #: Steps that ended and whose consequences are not handled yet.
        self._finals: deque[tuple[int, State]] = deque()
        #: Pending steps by region and operation.
        self._left: Counter[tuple[str, str]] = Counter()
        #: `_ending` ends the rollout as soon as no call is in progress. `_draining` ends it once
        #: everything that was sent was seen in a listing; nothing new is sent.
        self._ending: Finished | None = None
        self._draining: Finished | None = None
        self._differences: list[str] = []
        self._failures = 0
        self._silent_since: float | None = None
        self._heard_at = 0.0
        self._events = 0
        self._timetable = Timetable(self.options.windows)
        self.dependencies = Dependencies((order or Order()).waits, self.steps, self.options.waves)
        self.connections: dict[str, Connection] = {}
        self._take_in(live, records or {})
        limiter = limits if isinstance(limits, Limiter) else Limiter(limits)
        self.queue = Queue(self.connections.values(), limiter, self.options)
        self._unseen = len(self.connections)
        #: Connections that have not ended, and those with steps in doubt.
        self._active = set(self.connections)
        self._in_doubt: set[str] = set()
        self._follow(0.0)
        self.requeue_all(0.0)

    def _take_in(self, live: Mapping[str, frozenset[Route]], records: Mapping[int, Record]) -> None:
        """Create the connections, with each step in the state of its record."""
        standing = {
            number: records.get(number) or Record(BORN.get(step.action, State.PENDING))
            for number, step in self.steps.items()
        }
        for number, step in self.steps.items():
            state = standing[number].state
            if state in FINAL and step.sends:
                self._finals.append((number, state))
                # Failures of earlier runs are handled once more, but do not count.
                self._failures -= state == State.FAILED
            if state == State.PENDING:
                self._left[step.region_id, OPERATION[step.action]] += 1
        for number, step in self.steps.items():
            one = self.connections.get(step.vpn_connection_id)
            if one is None:
                start = live.get(step.vpn_connection_id, frozenset())
                one = Connection(
                    step.vpn_connection_id, step.region_id, start, self.options, self._changed
                )
                self.connections[step.vpn_connection_id] = one
            one.add(step, standing[number], may_go=self.dependencies.may_go(number))

    def _changed(self, change: StepChanged) -> None:
        """Record a change of a step."""
        was, is_ = change.old == State.PENDING, change.new == State.PENDING
        if was != is_:
            step = self.steps[change.step]
            self._left[step.region_id, OPERATION[step.action]] += 1 if is_ else -1
        if change.new in FINAL:
            self._finals.append((change.step, change.new))
        self._changes.append(change)

    @property
    def steered(self) -> str | None:
        """Why it is not sending: cancelling, paused, or waiting for a window; None if it may."""
        if self.cancelled:
            return "cancelling"
        if self._paused:
            return "paused"
        return "waiting" if not self._timetable.is_open and self._left.total() else None

    @property
    def closing(self) -> bool:
        """Whether it is about to end: nothing new is sent, and nobody should wait long."""
        return self.cancelled or self._draining is not None or self._ending is not None

    def holdings(self) -> list[Holdings]:
        """Return what each connection was seen to hold, together with what is planned for it."""
        return [one.holdings() for one in list(self.connections.values())]

    def close(self, now: float) -> None:
        """Release its share of the limits to others; it makes no more decisions."""
        self.queue.close(now)

    # -- the loop -------------------------------------------------------------------------------

    def advance(self, inputs: Iterable[Input], now: float, at: float = 0.0) -> Round:
        """Process what happened and return what changed and what to do.

        Parameters
        ----------
        inputs : iterable of Input
            In order of arrival; empty if only time has passed.
        now : float
            Seconds of a monotonic clock, the one of the limiter.
        at : float
            Seconds since the epoch, for the records of changes.

        Returns
        -------
        Round
            Changes to write to the journal first, then decisions to carry out. The decisions end
            with `WaitUntil` or `Finished`, or with neither if only an answer can bring progress.
        """
        if self._start is None:
            self._start = now
        self._mind_the_windows(now, at)
        for event in inputs:
            self._take(event, now)
            self._follow(now)
            self._refresh(now)
        decisions = self._decide(now)
        changes, self._changes = tuple(replace(one, at=at) for one in self._changes), []
        return Round(changes, tuple(decisions))

    def _take(self, event: Input, now: float) -> None:
        match event:
            case Answered():
                handlers.answered(self, self._of_step(event.step), event, now)
            case TimedOut():
                handlers.timed_out(self, self._of_step(event.step), event, now)
            case Polled():
                handlers.polled(self, self.connections[event.connection], event, now)
            case PolledAll():
                handlers.polled_all(self, event, now)
            case Listed():
                handlers.listed(self, self.connections[event.connection], event, now)
            case Command():
                self._command(event, now)

    def _of_step(self, number: int) -> Connection:
        return self.connections[self.steps[number].vpn_connection_id]

    def _decide(self, now: float) -> list[Decision]:
        self._mind_the_time(now)
        self._mind_the_end(now)
        flying = self.queue.flying
        if self._ending is not None:
            return [] if flying else [self._ending]
        may_send = self._unseen == 0 and self._sending
        going = self.queue.go(now, may_send=may_send, sending=self._sending)
        decisions = [self._decision(one) for one in going]
        wake = self._wake(now, may_send=may_send)
        stuck = wake is None and not decisions and not flying and not self._paused
        if stuck and self._get_unstuck(now):
            return self._decide(now)
        return decisions if wake is None else [*decisions, WaitUntil(wake)]

    def _decision(self, one: Connection | PollAll) -> Decision:
        if isinstance(one, PollAll):
            return one
        want = self.queue.want(one, sending=self._sending)
        if want is Want.POLL:
            return Poll(one.name)
        if want is Want.LIST:
            if one.page == 1:
                one.begin_listing()
            return List(one.name, one.page)
        number = one.send()
        return Send(number, one.attempt(number))

    def _wake(self, now: float, *, may_send: bool) -> float | None:
        deadline = self._deadline
        times = [self.queue.next_time(now, may_send=may_send), self._timetable.opens_at]
        if self._draining is None and now < deadline < inf:
            times.append(deadline)
        return min((time for time in times if time is not None), default=None)

    # -- connections ----------------------------------------------------------------------------

    @property
    def _sending(self) -> bool:
        """Whether anything new is sent."""
        return self._timetable.is_open and not self._paused and self._draining is None

    def requeue(self, connection: Connection, now: float) -> None:
        """Put a connection in the right queue after a change."""
        name, ended = connection.name, connection.ended
        (self._active.discard if ended else self._active.add)(name)
        doubted = connection.in_doubt and not ended  # a suspended one may have ended in doubt
        (self._in_doubt.add if doubted else self._in_doubt.discard)(name)
        self.queue.put(connection, now, sending=self._sending)

    def requeue_all(self, now: float) -> None:
        """Put every connection in the right queue."""
        for connection in self.connections.values():
            self.requeue(connection, now)

    def _refresh(self, now: float) -> None:
        """Recompute from time to time which connections are in a hurry."""
        self._events += 1
        if self._events < max(_LEAST_EVENTS, len(self._active) // 2):
            return
        self._events = 0
        active = [self.connections[name] for name in sorted(self._active)]
        for connection in self.queue.refresh(active, self._left):
            self.queue.put(connection, now, sending=self._sending)

    def compared(self, connection: Connection, differences: list[str]) -> None:
        """Record how a connection differs from the routes of the plan."""
        connection.need_no_baseline()
        self._unseen -= 1
        self._differences += differences
        if self._unseen == 0 and self._differences and not self.cancelled:
            self.end("stale", "the live routes are not those the plan was made from")

    # -- what happens after steps have ended ----------------------------------------------------

    def _follow(self, now: float) -> None:
        """Release, or skip, the steps that waited for steps that have ended."""
        touched: dict[str, Connection] = {}
        while True:
            while self._finals:
                number, state = self._finals.popleft()
                if state == State.DONE:
                    self._release(self.dependencies.done(number), touched)
                else:
                    self._failures += state == State.FAILED
                    self._take_along(number, state, touched)
            freed = self.dependencies.begin_wave()
            if freed is None:
                break
            self._release(freed, touched, anew=True)
        for connection in touched.values():
            self.requeue(connection, now)
        self._mind_the_failures(now)

    def _release(
        self, numbers: list[int], touched: dict[str, Connection], *, anew: bool = False
    ) -> None:
        for number in numbers:
            connection = self._of_step(number)
            if connection.release(number, anew=anew):
                touched[connection.name] = connection

    def _take_along(self, number: int, state: State, touched: dict[str, Connection]) -> None:
        message = f"waits for {self.steps[number]}, which "
        message += "failed" if state == State.FAILED else "was skipped"
        for other in self.dependencies.lost(number):
            connection = self._of_step(other)
            if other in connection.waiting:
                connection.skip([other], None, message)
                touched[connection.name] = connection

    def _mind_the_failures(self, now: float) -> None:
        """Send nothing new if too many steps have failed."""
        if self.cancelled or self._draining is not None:
            return
        most, spoilt = self.options.stop_after, self.dependencies.spoilt
        if most is not None and self._failures >= most:
            said = f"{pluralize(self._failures, 'step')} failed, the limit of this run"
            self._drain(said, Cause.FAILURES, now)
        elif spoilt is not None:
            said = Remedy(
                f"not every step of wave {spoilt + 1} was done, so the next wave does not begin: "
                "find out why, then resume with other waves, such as {waves}",
                waves=[None],
            )
            self._drain(said, Cause.WAVE, now)

    # -- ends -----------------------------------------------------------------------------------

    def end(self, reason: str, message: str, cause: Cause | None = None) -> None:
        """End as soon as no call is in progress."""
        if self._ending is None:
            self._ending = Finished(reason, message, cause, tuple(self._differences))

    def _drain(self, message: str, cause: Cause, now: float) -> None:
        """Send nothing new; end once everything that was sent was seen in a listing."""
        self._draining = Finished("stopped", message, cause)
        self.requeue_all(now)

    @property
    def _deadline(self) -> float:
        """The time at which the deadline passes; infinite if there is none."""
        seconds = self.options.deadline
        return inf if seconds is None or self._start is None else self._start + seconds

    def _mind_the_time(self, now: float) -> None:
        """Send nothing new once the deadline has passed."""
        if now < self._deadline or self._draining or self.cancelled:
            return
        message = f"the time limit of {duration(self.options.deadline or 0)} has passed"
        if self._unseen:
            self.end("stopped", message, Cause.DEADLINE)
        elif self._active:
            self._drain(message, Cause.DEADLINE, now)

    def _mind_the_windows(self, now: float, at: float) -> None:
        """Send nothing new outside the windows; calls and tasks in progress are completed.

        Hours may have passed when a window opens: then connections are listed again before anything
        is sent, as at the start.
        """
        closed_for = self._timetable.update(now, at)
        if closed_for is None:
            return
        if closed_for > self.options.fresh:
            self._look_again()
        self.requeue_all(now)

    def _look_again(self) -> None:
        """Require a new comparison with the plan for connections with steps to send."""
        if self.closing:
            return
        for one in self.connections.values():
            if one.has_baseline and one.suspended is None and one.unsent():
                one.need_baseline()
                self._unseen += 1

    def _mind_the_end(self, now: float) -> None:
        """End when nothing is left to do and old listings were read again."""
        if self._ending is not None or self.queue.flying:
            return
        if not self._active:
            if not self._verified:
                self._verify(now)
            if not self._active:
                reason = "cancelled" if self.cancelled else "finished"
                self._ending = self._held_up() or Finished(reason)
        elif self._draining is not None and not self._in_doubt and not self._unseen:
            self._ending = self._draining

    def _verify(self, now: float) -> None:
        """List changed connections once more if their last listing is old."""
        self._verified = True
        for one in self.connections.values():
            is_old = now - one.seen_at > self.options.fresh
            if one.was_sent_to and one.suspended is None and is_old:
                one.read_back()
                self.requeue(one, now)

    def _held_up(self) -> Finished | None:
        """Return the end of a rollout that was stopped by connections it could not read."""
        held = [one for one in self.connections.values() if one.suspended and one.undone]
        if not held:
            return None
        more = f", and {len(held) - 1} more connections" if len(held) > 1 else ""
        return Finished("stopped", f"{held[0].name}: {held[0].suspended}{more}", Cause.REFUSED)

    def _get_unstuck(self, now: float) -> bool:
        """End, or skip steps, if nothing can progress any more; return whether that helped.

        Steps are left as they are if their connection cannot be read, or if they are kept for a
        later run. Steps that wait for something that will never happen are skipped, so that every
        rollout ends.
        """
        self._ending = self._draining or self._held_up()
        if self._ending is not None:
            return True
        active = [self.connections[name] for name in sorted(self._active)]
        stuck = [one for one in active if one.waiting]
        for one in stuck:
            one.skip(sorted(one.waiting), None, "it waits for a step that can never be done")
            self.requeue(one, now)
        self._follow(now)
        return bool(stuck)

    # -- answers and missing answers ------------------------------------------------------------

    def heard(self, now: float) -> None:
        """Record that the cloud has answered."""
        self._silent_since, self._heard_at = None, now

    def silent(self, sent: float, now: float) -> None:
        """Record a call without an answer; after a long time without any, the rollout stops."""
        if self._silent_since is None:
            self._silent_since = max(sent, self._heard_at)
        if now - self._silent_since >= self.options.lost_after:
            self.end("stopped", f"no answer for {self.options.lost_after:g} s", Cause.SILENCE)

    def refused_key(self, code: str | None) -> bool:
        """End if a code says that the AccessKey is refused, or the clock is wrong.

        Return whether it does.
        """
        if code == WRONG_CLOCK:
            self.end("stopped", f"this machine's clock is wrong: {code}", Cause.CLOCK)
        elif is_key(code):
            self.end("stopped", f"the AccessKey was refused: {code}", Cause.KEY)
        return is_key(code)

    # -- commands -------------------------------------------------------------------------------

    def _command(self, event: Command, now: float) -> None:
        if event.name == "stop":
            self.end("interrupted", "stopped; pending steps can be resumed")
        elif event.name == "cancel":
            self._cancel(now)
        else:
            self._paused = event.name == "pause"
            self.requeue_all(now)

    def _cancel(self, now: float) -> None:
        self.cancelled, self._paused, self._draining = True, False, None
        for one in self.connections.values():
            one.doubt_again()
            one.skip(one.unsent(), None, "cancelled")
            one.need_no_baseline()
            if one.page > 1 and not one.in_doubt:
                one.forget_listing()
        self._unseen = 0
        self.requeue_all(now)
