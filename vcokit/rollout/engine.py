"""The loop of a rollout: runs the scheduler, writes the journal, sends calls, notifies observers.

One round::

    inputs ─→ scheduler.advance ─→ changes and decisions
                                        │ one transaction in the journal
                                        ↓ only after that
              observers are notified, and calls are sent, each in its own thread

It decides only one thing itself: a call that does not end counts as a call without an answer, after
``lost_after`` seconds, or 15 seconds if the rollout is about to end. It runs in the rollout's own
thread, so that a blocked notebook cell never delays it.

This module decodes the results of calls into inputs of the scheduler: rows into routes and states,
errors into kinds. A result that does not follow the contract counts as no answer, so that it is
requested again; a field that the cloud left out gets the meaning that the contract says. A call
that could not even be built counts as a permanent refusal: it was never sent.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final, TypeAlias, TypeGuard

from vcokit.cloud.client import Client
from vcokit.cloud.operations import OPERATIONS
from vcokit.errors import (
    ApiError,
    ClockError,
    CloudError,
    InputError,
    JournalError,
    NoAnswerError,
    NotSentError,
)
from vcokit.rollout.background import Threads
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import (
    LIST,
    NOT_MADE,
    POLL,
    POLL_ALL,
    Answered,
    CallEnded,
    Command,
    Event,
    Finished,
    Input,
    List,
    Listed,
    Observer,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    RolloutChanged,
    Round,
    Send,
    StepChanged,
    TimedOut,
    WaitUntil,
    WaveDone,
)
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import OPERATION, UNKNOWN_WEIGHT, Route, State, client_token

_log: Final = logging.getLogger("vcokit.rollout")

#: Reads are written to the journal with the next change of a step, or in groups of this number.
_READS_TOGETHER: Final = 200
#: How long a call may be in progress while the rollout is about to end; seconds.
_LONGEST_AT_END: Final = 15.0
#: Shortest wait, also if rounding gives none, so that other threads can run; seconds.
_SHORTEST: Final = 1e-6

#: What a call may raise: no answer, a refusal, or a request that cannot be encoded.

#: What a call may raise: no answer, a refusal, or that its request cannot be written.
Fault: TypeAlias = CloudError | InputError | UnicodeError


@dataclass(frozen=True)
class Clocks:
    """The clocks, as an argument, and the threads that wait by them.

    Parameters
    ----------
    wall : callable
        Seconds since the epoch; for what is written to the journal.
    steady : callable
        Seconds of a monotonic clock; for decisions.
    threads : callable
        Called in the rollout's own thread; returns the threads of its calls, and the mailbox on
        which it waits for them and for the time.
    wait : callable
        Called with an event and seconds in the thread that gave a command; blocks until the event
        is set, or for so many seconds.
    """

    wall: Callable[[], float]
    steady: Callable[[], float]
    threads: Callable[[], Threads] = Threads
    wait: Callable[[threading.Event, float], object] = threading.Event.wait


@dataclass(frozen=True, slots=True)
class _Told:
    """A command, and an event that is set when the command was processed."""

    input: Command
    taken: threading.Event


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call that has ended."""

    input: Input
    row: CallEnd
    event: CallEnded


@dataclass(eq=False, slots=True)
class _Flight:
    """A call in progress."""

    decision: Send | Poll | PollAll | List
    row: CallRow
    begin: float


@dataclass(frozen=True, slots=True)
class _Came:
    """The result of a call, and when it arrived."""

    flight: _Flight
    result: Any
    error: BaseException | None
    at: float


class Engine:
    """Carries out the decisions of a scheduler.

    Parameters
    ----------
    scheduler : Scheduler
    journal : Journal
        Open for writing.
    rollout_id : str
        Part of every client token.
    client : Client
    tell : callable
        Called with each event, after it is on disk.
    clocks : Clocks
    """

    def __init__(
        self,
        scheduler: Scheduler,
        journal: Journal,
        rollout_id: str,
        client: Client,
        tell: Observer,
        clocks: Clocks,
    ) -> None:
        self._scheduler = scheduler
        self._journal = journal
        self._rollout_id = rollout_id
        self._client = client
        self._tell = tell
        self._clocks = clocks
        self._numbers = count(journal.last_call() + 1)
        # What is not in the journal yet.
        self._steps: list[StepChanged] = []
        self._calls: list[CallRow] = []
        self._ends: list[CallEnd] = []
        self._flights: dict[int, _Flight] = {}  # by call, in the order they were sent
        self._longest = scheduler.options.lost_after
        # What has arrived and was not passed to the scheduler yet.
        self._arrived: list[_Ended | _Told] = []
        self._wrong_clock: ClockError | None = None
        self._sending = False
        self._state = "looking"
        self._wave = scheduler.dependencies.wave
        self._gate = threading.Lock()
        self._early: list[_Told] = []  # commands from before the loop runs
        self._threads: Threads  # set by `run`
        self._runs = False

    def command(self, command: Command) -> threading.Event:
        """Queue a command, from any thread, also before the loop runs.

        Returns
        -------
        Event
            Set once the command was processed, or cannot be any more.
        """
        told = _Told(command, threading.Event())
        with self._gate:
            if self._runs:
                self._threads.put(told)
                return told.taken
            self._early.append(told)
        told.taken.set()
        return told.taken

    def run(self) -> Finished:
        """Run the rollout until it ends, and return how it ended."""
        with contextlib.closing(self._clocks.threads()) as self._threads:
            with self._gate:
                self._runs = True
                self._arrived += self._early
            try:
                return self._rounds()
            except Exception:
                self._land()
                raise
            finally:
                self._let_go()

    def _let_go(self) -> None:
        """Release the limits to others, and wake threads that wait for a command."""
        self._scheduler.close(self._clocks.steady())
        with self._gate:
            self._runs = False
        self._collect(0.0)
        for item in self._arrived:
            if isinstance(item, _Told):
                item.taken.set()

    def _rounds(self) -> Finished:
        while True:
            finished, wake = self._round()
            if finished is not None:
                self._flush(force=True)
                if finished.cause == "clock" and self._wrong_clock is not None:
                    raise self._wrong_clock  # it says by how much the clock is wrong
                return finished
            self._wait(wake)

    def _wait(self, until: float | None) -> None:
        """Wait until something arrives, or until a time.

        Raises
        ------
        BaseException
            An error that no call may raise ends the loop, after everything that arrived with it
            was collected.
        """
        while True:
            left = math.inf if until is None else until - self._clocks.steady()
            if errors := self._collect(max(_SHORTEST, left)):
                raise errors[0]
            if self._arrived or (until is not None and until <= self._clocks.steady()):
                return

    def _collect(self, seconds: float) -> list[BaseException]:
        """Wait at most `seconds`, and collect everything that arrived; return unexpected errors."""
        oldest = next(iter(self._flights.values()), None)
        if oldest is not None:
            left = oldest.begin + self._longest - self._clocks.steady()
            seconds = min(seconds, max(_SHORTEST, left))
        item = self._threads.get(None if seconds == math.inf else seconds)
        errors = []
        while item is not None:
            if isinstance(item, _Told):
                self._arrived.append(item)
            elif (error := self._came_back(item)) is not None:
                errors.append(error)
            item = self._threads.get(0.0)
        self._give_up()
        return errors

    def _land(self) -> None:
        """Wait for the calls in progress after an error, and send nothing else.

        Their answers are kept if the journal can be written after all. If not, a resumed rollout
        checks their steps in a listing.
        """
        self._hurry()
        while self._flights:
            self._collect(math.inf)
        wall = self._clocks.wall()
        arrived = self._arrived
        self._ends += [item.row for item in arrived if isinstance(item, _Ended)]
        # The user already gets the first error; another one would only hide it.
        with contextlib.suppress(Exception):
            inputs = [Command("stop"), *(item.input for item in arrived)]
            result = self._scheduler.advance(inputs, self._clocks.steady(), wall)
            self._steps += result.changes
            self._flush(force=True)
            self._tell_ends(arrived)
            self._tell_changes(result)
        with contextlib.suppress(JournalError):
            self._flush(force=True)

    def _round(self) -> tuple[Finished | None, float | None]:
        arrived, self._arrived = self._arrived, []
        self._ends += [item.row for item in arrived if isinstance(item, _Ended)]
        inputs = [item.input for item in arrived]
        now, wall = self._clocks.steady(), self._clocks.wall()
        result = self._scheduler.advance(inputs, now, wall)
        leaving = [
            (decision, self._row(decision, wall))
            for decision in result.decisions
            if isinstance(decision, Send | Poll | PollAll | List)
        ]
        earlier = len(self._calls)
        self._calls += [row for _, row in leaving]
        self._steps += result.changes
        try:
            self._flush(force=bool(self._steps))
        except BaseException:
            # The calls of this round are never sent; answers must still be written.
            del self._calls[earlier:]
            self._steps = [change for change in self._steps if change.new != State.SENT]
            raise
        self._tell_ends(arrived)
        self._tell_changes(result)
        self._tell_waves(wall)
        self._sending |= any(isinstance(decision, Send) for decision, _ in leaving)
        self._tell_state(wall)
        for told in arrived:
            if isinstance(told, _Told):
                told.taken.set()
        if self._scheduler.closing:
            self._hurry()
        for decision, row in leaving:
            self._leave(decision, row)
        return _ending(result)

    def _flush(self, *, force: bool) -> None:
        if force or len(self._calls) + len(self._ends) > _READS_TOGETHER:
            self._journal.write(self._steps, self._calls, self._ends)
            self._steps, self._calls, self._ends = [], [], []

    def _tell_ends(self, arrived: list[_Ended | _Told]) -> None:
        for item in arrived:
            if isinstance(item, _Ended):
                self._tell(item.event)

    def _tell_changes(self, result: Round) -> None:
        for change in result.changes:
            self._tell(change)

    def _tell_waves(self, wall: float) -> None:
        waves = self._scheduler.dependencies
        while self._wave < waves.wave:
            self._wave += 1
            self._tell(WaveDone(wall, self._wave, waves.last_wave + 1))

    def _tell_state(self, wall: float) -> None:
        state = self._scheduler.steered or ("running" if self._sending else "looking")
        if state != self._state:
            self._state = state
            self._tell(RolloutChanged(wall, state))

    def _row(self, decision: Send | Poll | PollAll | List, wall: float) -> CallRow:
        number = next(self._numbers)
        if isinstance(decision, Send):
            step = self._scheduler.steps[decision.step]
            token = client_token(self._rollout_id, step.number, decision.attempt)
            return CallRow(
                number,
                OPERATION[step.action],
                step.region_id,
                step.vpn_connection_id,
                wall,
                step.number,
                decision.attempt,
                token,
            )
        if isinstance(decision, PollAll):
            return CallRow(number, POLL_ALL, decision.region, None, wall)
        connection = self._scheduler.connections[decision.connection]
        operation = POLL if isinstance(decision, Poll) else LIST
        return CallRow(number, operation, connection.region_id, connection.name, wall)

    # -- calls ----------------------------------------------------------------------------------

    def _leave(self, decision: Send | Poll | PollAll | List, row: CallRow) -> None:
        flight = _Flight(decision, row, self._clocks.steady())
        self._threads.submit(partial(self._carry, flight))
        self._flights[row.call] = flight

    def _carry(self, flight: _Flight) -> None:
        """Make a call in its own thread and pass on the result."""
        result, error = None, None
        try:
            result = self._ask(flight.decision, flight.row)
        except BaseException as caught:
            error = caught
        self._threads.put(_Came(flight, result, error, self._clocks.steady()))

    def _ask(self, decision: Send | Poll | PollAll | List, row: CallRow) -> Any:
        operation = OPERATIONS[row.operation]
        if isinstance(decision, Send):
            step = self._scheduler.steps[decision.step]
            parameters = step.parameters(row.client_token or "")
            return self._client.call(operation, parameters, attempts=1)
        place = {"RegionId": row.region_id, "VpnConnectionId": row.vpn_connection_id}
        if isinstance(decision, PollAll):
            place.pop("VpnConnectionId")
        if isinstance(decision, Poll):
            return self._client.call(operation, place, attempts=1)
        return self._client.page(operation, place, decision.page, attempts=1)

    def _hurry(self) -> None:
        """Wait less for calls from now on, because the rollout is about to end."""
        self._longest = min(self._longest, _LONGEST_AT_END)

    def _give_up(self) -> None:
        """Treat calls that have not returned in time as calls without an answer."""
        now = self._clocks.steady()
        for flight in list(self._flights.values()):
            if now < flight.begin + self._longest:
                return  # later calls are not late either
            del self._flights[flight.row.call]
            seconds = now - flight.begin
            error = NoAnswerError(f"no complete answer after {seconds:.0f} s")
            self._ended(flight, None, error, now)

    def _came_back(self, came: _Came) -> BaseException | None:
        """Process the result of a call; return an error that no call may raise."""
        flight, error = came.flight, came.error
        if self._flights.pop(flight.row.call, None) is None:
            return None  # it was given up before
        if error is not None and not is_fault(error):
            return error
        if isinstance(error, ClockError):
            self._wrong_clock = error
        self._ended(flight, came.result, error, came.at)
        return None

    def _ended(self, flight: _Flight, result: Any, error: Fault | None, at: float) -> None:
        row, seconds = flight.row, at - flight.begin
        came = "ok" if error is None else outcome(error)
        code = None if error is None else code_of(error)
        status = 200 if error is None else getattr(error, "http_status", None)
        request_id = getattr(error or result, "request_id", None)
        end = CallEnd(row.call, seconds, came, code, status, request_id)
        told = CallEnded(
            row.sent_at, row.operation, row.vpn_connection_id or "", seconds, came, code
        )
        self._arrived.append(_Ended(decoded(flight.decision, result, error), end, told))


def _ending(result: Round) -> tuple[Finished | None, float | None]:
    """Return the end, or the wake-up time, from the decisions of a round."""
    last = result.decisions[-1] if result.decisions else None
    finished = last if isinstance(last, Finished) else None
    return finished, last.time if isinstance(last, WaitUntil) else None


def guarded(observers: list[Observer]) -> Observer:
    """Return one observer for many: one that raises is logged once and dropped."""

    def tell(event: Event) -> None:
        for observer in list(observers):
            try:
                observer(event)
            except Exception:
                observers.remove(observer)
                _log.exception("an observer failed and was removed: %r", observer)

    return tell


# -- results of calls ----------------------------------------------------------------------------


def is_fault(error: BaseException) -> TypeGuard[Fault]:
    """Return whether an error is one that a call may raise.

    A text that cannot be encoded was never sent; a text that cannot be decoded came from the cloud.
    """
    known = isinstance(error, CloudError | InputError | UnicodeError)
    return known and not isinstance(error, UnicodeDecodeError)


def outcome(error: Fault) -> str:
    """Return the kind of a refusal; ``unknown`` if the error is not a refusal."""
    if not isinstance(error, CloudError):
        return "input"
    return error.kind if isinstance(error, ApiError) else "unknown"


def code_of(error: Fault) -> str | None:
    """Return the code of a refusal, or of a call that could not be made."""
    return getattr(error, "code", None) if isinstance(error, CloudError) else NOT_MADE


def decoded(decision: Send | Poll | PollAll | List, result: Any, error: Fault | None) -> Input:
    """Return the result of a call as an input of the scheduler."""
    if isinstance(decision, Send):
        return _of_write(decision, result, error)
    said: dict[str, Any] = {}
    if error is not None:
        retry_after = getattr(error, "retry_after", None)
        said = {"kind": outcome(error), "code": code_of(error), "retry_after": retry_after}
    if said.get("code") == NOT_MADE and not isinstance(decision, PollAll):
        said["message"] = str(error)
    if isinstance(decision, Poll):
        state = None if error else result.get("State")
        if isinstance(state, str) and state:
            return Polled(decision.connection, state)
        return Polled(decision.connection, None, **(said or {"kind": "unknown"}))
    if isinstance(decision, PollAll):
        states = None if error else _states(result.rows)
        if states is None:
            failed = said or {"kind": "unknown"}
            return PolledAll(decision.region, decision.page, None, **failed)
        return PolledAll(decision.region, decision.page, states, result.total)
    routes = None if error else _routes(result.rows)
    if routes is None:
        return Listed(decision.connection, decision.page, None, **(said or {"kind": "unknown"}))
    return Listed(decision.connection, decision.page, routes, result.total, rows=len(result.rows))


def _of_write(decision: Send, answer: Any, error: Fault | None) -> Input:
    if error is None:
        return Answered(decision.step, "ok", request_id=answer.request_id)
    if not isinstance(error, CloudError):
        return Answered(decision.step, outcome(error), code_of(error), str(error))
    if isinstance(error, ApiError):
        return Answered(
            decision.step,
            error.kind,
            error.code,
            error.message,
            error.request_id,
            error.retry_after,
        )
    return TimedOut(decision.step, not isinstance(error, NotSentError), error.message)


def _states(rows: list[dict[str, Any]]) -> dict[str, str] | None:
    """Return a page of connections as states; None if a row does not follow the contract.

    A connection without a state counts as on no page: it is read by a call of its own.
    """
    try:
        return {
            str(row["VpnConnectionId"]): row["State"]
            for row in rows
            if isinstance(row.get("State"), str) and row["State"]
        }
    except KeyError:
        return None


def _weight(row: dict[str, Any]) -> int:
    weight = row.get("Weight")
    return UNKNOWN_WEIGHT if weight is None else int(weight)


def _routes(rows: list[dict[str, Any]]) -> tuple[Route, ...] | None:
    """Return a page of a listing as routes; None if a row does not follow the contract."""
    try:
        return tuple(
            Route(str(row["RouteDest"]), str(row["NextHop"]), _weight(row))
            for row in rows
            if (row.get("RouteEntryType") or "custom") == "custom"
        )
    except (KeyError, TypeError, ValueError):
        return None
