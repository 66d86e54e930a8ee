"""Which call next, at what time: pure, told everything, doing nothing.

The scheduler is given steps, live routes and limits, and then told what happens (see
`vcokit.rollout.messages`); it answers with changes of steps and decisions. It reads no clock and
sends nothing, so that it can be run in virtual time against any cloud::

    advance(inputs, now)
        handlers       what each input means; they ask the connection to move steps
        dependencies   what may go now, or is lost, because steps have come to their end
        queue          whose call goes
        → Round        changes to be written down, then calls to be made

Every connection goes its own round, one call at a time::

    list ─all seen, none stale→ poll ─attached→ send ─200→ (task) → poll → send …
     ↑                           ↑                │ no answer   │      │ nothing left to send
     └── not there: send again ──┴── in doubt ────┘             │      ↓
                                                                └─→ list ─seen→ done

One route, walked through: create 10.1.0.0/16 on vco-a. The connection is listed, as all are, and
holds what the plan saw. Its state is read, alone or with the page of the list it stands on:
attached. The step waits for nothing, or for routes that others make, and then stands in the heap of
CreateVcoRouteEntry, behind connections with more time left to fill. A slot comes free: `Send`, and
the slot is held. Answer 200: accepted; the connection is looked at when a task is likely over.
Attached: settled, and the next step may go. While that one's task runs, or when there is none, the
connection is listed; the listing shows the route: done, and what waited for it may go. At the end,
connections whose listing has grown old are listed once more, and what differs from the plan is
reported.

It ends when no connection has anything left: finished, or cancelled; or early, when nothing new is
to be sent: *drained*, when all that was sent was seen first (deadline, failures, a spoilt wave), or
at once when the calls under way have come back (stop, a refused key, silence, a stale plan).
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

#: A refresh of the pace looks at all connections; it comes after as many events, so that it costs
#: little.
_LEAST_EVENTS: Final = 16


class Scheduler:
    """The decisions of one rollout.

    Parameters
    ----------
    steps : iterable of Step
        A connection sends them by number, those first that wait for nothing.
    live : mapping of str to frozenset of Route
        By connection, the live routes that the plan was made from.
    limits : Limiter, or mapping of str to Limit
        Of the client, which others share; or by operation, for a rollout that is alone.
    options : Options
    records : mapping of int to Record, optional
        Where steps stand that have gone on already, from a journal.
    order : Order, optional
        Which steps wait for which others; by default none for any.

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
        #: Steps that came to their end and are not followed yet.
        self._finals: deque[tuple[int, State]] = deque()
        #: Pending steps by region and operation.
        self._left: Counter[tuple[str, str]] = Counter()
        #: Set when the rollout ends as soon as no call is under way, and when nothing new is sent
        #: and it ends once all that was sent was seen.
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
        #: Connections that have not ended, and those of which something is not seen yet.
        self._active = set(self.connections)
        self._in_doubt: set[str] = set()
        self._follow(0.0)
        self.requeue_all(0.0)

    def _take_in(self, live: Mapping[str, frozenset[Route]], records: Mapping[int, Record]) -> None:
        """Make the connections, each step where its record has it."""
        standing = {
            number: records.get(number) or Record(BORN.get(step.action, State.PENDING))
            for number, step in self.steps.items()
        }
        for number, step in self.steps.items():
            state = standing[number].state
            if state in FINAL and step.sends:
                self._finals.append((number, state))
                # Those of earlier runs are followed once more, and do not count.
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
        """Note a change of a step."""
        was, is_ = change.old == State.PENDING, change.new == State.PENDING
        if was != is_:
            step = self.steps[change.step]
            self._left[step.region_id, OPERATION[step.action]] += 1 if is_ else -1
        if change.new in FINAL:
            self._finals.append((change.step, change.new))
        self._changes.append(change)

    @property
    def steered(self) -> str | None:
        """What holds it up: paused, cancelling, or waiting for a window; None where it goes on."""
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
        """Return what each connection was seen to hold, beside what is planned for it."""
        return [one.holdings() for one in list(self.connections.values())]

    def close(self, now: float) -> None:
        """Leave the limits to others; nothing is asked of it any more."""
        self.queue.close(now)

    # -- the loop -------------------------------------------------------------------------------

    def advance(self, inputs: Iterable[Input], now: float, at: float = 0.0) -> Round:
        """Take in what happened and return what changed and what to do.

        Parameters
        ----------
        inputs : iterable of Input
            In order of arrival; none when only time has passed.
        now : float
            Seconds of a clock that never goes back, the one of the limiter.
        at : float
            Seconds since the epoch, when what changes is written down.

        Returns
        -------
        Round
            Changes first to be written down, then decisions to be carried out. The decisions end
            in `WaitUntil` or `Finished`, or in neither while only an answer can bring news.
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
        """Put a connection where it belongs after something has changed."""
        name, ended = connection.name, connection.ended
        (self._active.discard if ended else self._active.add)(name)
        doubted = connection.in_doubt and not ended  # a suspended one may have ended in doubt
        (self._in_doubt.add if doubted else self._in_doubt.discard)(name)
        self.queue.put(connection, now, sending=self._sending)

    def requeue_all(self, now: float) -> None:
        """Put all connections where they belong."""
        for connection in self.connections.values():
            self.requeue(connection, now)

    def _refresh(self, now: float) -> None:
        """Decide anew which connections are in a hurry, now and then."""
        self._events += 1
        if self._events < max(_LEAST_EVENTS, len(self._active) // 2):
            return
        self._events = 0
        active = [self.connections[name] for name in sorted(self._active)]
        for connection in self.queue.refresh(active, self._left):
            self.queue.put(connection, now, sending=self._sending)

    def compared(self, connection: Connection, differences: list[str]) -> None:
        """Note in what a connection differs from what the plan saw."""
        connection.need_no_baseline()
        self._unseen -= 1
        self._differences += differences
        if self._unseen == 0 and self._differences and not self.cancelled:
            self.end("stale", "the live routes are not those the plan was made from")

    # -- what follows when steps come to their end ----------------------------------------------

    def _follow(self, now: float) -> None:
        """Let go, or take along, what waited for steps that have come to their end."""
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
        """Drain when too much has failed."""
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
        """End as soon as no call is under way."""
        if self._ending is None:
            self._ending = Finished(reason, message, cause, tuple(self._differences))

    def _drain(self, message: str, cause: Cause, now: float) -> None:
        """Send nothing new; end once all that was sent was seen."""
        self._draining = Finished("stopped", message, cause)
        self.requeue_all(now)

    @property
    def _deadline(self) -> float:
        """The time at which the deadline passes; infinite where there is none."""
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
        """Send nothing new outside of the windows; what is under way is seen through.

        Hours may have passed when one opens: then connections are listed again before anything is
        sent, as at the start.
        """
        closed_for = self._timetable.update(now, at)
        if closed_for is None:
            return
        if closed_for > self.options.fresh:
            self._look_again()
        self.requeue_all(now)

    def _look_again(self) -> None:
        """Have connections with steps to send compared anew with what the plan saw."""
        if self.closing:
            return
        for one in self.connections.values():
            if one.has_baseline and one.suspended is None and one.unsent():
                one.need_baseline()
                self._unseen += 1

    def _mind_the_end(self, now: float) -> None:
        """End when nothing is left to do, once all was read back."""
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
        """Have connections listed once more whose listing has grown old since they changed."""
        self._verified = True
        for one in self.connections.values():
            is_old = now - one.seen_at > self.options.fresh
            if one.was_sent_to and one.suspended is None and is_old:
                one.read_back()
                self.requeue(one, now)

    def _held_up(self) -> Finished | None:
        """Return the end of a rollout of which some connections could not be brought to theirs."""
        held = [one for one in self.connections.values() if one.suspended and one.undone]
        if not held:
            return None
        more = f", and {len(held) - 1} more connections" if len(held) > 1 else ""
        return Finished("stopped", f"{held[0].name}: {held[0].suspended}{more}", Cause.REFUSED)

    def _get_unstuck(self, now: float) -> bool:
        """End, or let go of waits, where nothing moves any more; tell whether that helped.

        What waits for a connection that cannot be read, or for another day, is left as it is. What
        waits for something that will never come is skipped, so that every rollout ends.
        """
        self._ending = self._draining or self._held_up()
        if self._ending is not None:
            return True
        active = [self.connections[name] for name in sorted(self._active)]
        stuck = [one for one in active if one.waiting]
        for one in stuck:
            one.skip(sorted(one.waiting), None, "what it waits for can never be done")
            self.requeue(one, now)
        self._follow(now)
        return bool(stuck)

    # -- answers, and their absence -------------------------------------------------------------

    def heard(self, now: float) -> None:
        """Note that the cloud has answered."""
        self._silent_since, self._heard_at = None, now

    def silent(self, sent: float, now: float) -> None:
        """Note a call without an answer; when it has been silent for long, all stops."""
        if self._silent_since is None:
            self._silent_since = max(sent, self._heard_at)
        if now - self._silent_since >= self.options.lost_after:
            self.end("stopped", f"no answer for {self.options.lost_after:g} s", Cause.SILENCE)

    def refused_key(self, code: str | None) -> bool:
        """End if a code says that the AccessKey is refused, or the clock is wrong."""
        if code == WRONG_CLOCK:
            self.end("stopped", f"this machine's clock is wrong: {code}", Cause.CLOCK)
        elif is_key(code):
            self.end("stopped", f"the AccessKey was refused: {code}", Cause.KEY)
        return is_key(code)

    # -- commands -------------------------------------------------------------------------------

    def _command(self, event: Command, now: float) -> None:
        if event.name == "stop":
            self.end("interrupted", "stopped; what is pending can be resumed")
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
