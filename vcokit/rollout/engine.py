"""The loop of a rollout: asks the scheduler, writes down, sends, and tells.

One round::

    what happened ─→ scheduler.advance ─→ changes and decisions
                                               │ one transaction in the journal
                                               ↓ then, and only then
                     observers are told, calls leave, each as a task of its own

It decides nothing itself, but that a call without an end is one without an answer: after
``lost_after`` seconds, or 15 where the rollout is about to end. It runs in a thread and an event
loop of its own, so that a blocked notebook cell never holds it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from vcokit.cloud.client import AsyncClient
from vcokit.cloud.operations import OPERATIONS
from vcokit.errors import ClockError, JournalError, NoAnswerError
from vcokit.rollout import steps as st
from vcokit.rollout.heard import Fault, code_of, heard, is_fault, outcome
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import (
    LIST,
    POLL,
    POLL_ALL,
    CallEnded,
    Command,
    Event,
    Finished,
    Input,
    List,
    Observer,
    Poll,
    PollAll,
    RolloutChanged,
    Round,
    Send,
    StepChanged,
    WaitUntil,
)
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import client_token

_log: Final = logging.getLogger("vcokit.rollout")

#: Reads are written down with the next change of a step, or when so many have come together.
_READS_TOGETHER: Final = 200
#: How long a call may be under way while the rollout is about to end; seconds.
_LONGEST_AT_END: Final = 15.0
#: A wall clock that is set back must not make the loop spin; seconds.
_LEAST_WAIT: Final = 0.1

#: How long what was cancelled is waited for at the end; seconds.
_CLEARING: Final = 0.2


def run_alone(work: Coroutine[Any, Any, Finished]) -> Finished:
    """Run in an event loop of its own; what hangs in it is left behind, not waited for."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_CLEARING))
        loop.close()


@dataclass(frozen=True)
class Clocks:
    """The time, as an argument.

    Parameters
    ----------
    wall : callable
        Seconds since the epoch; for what is written down.
    steady : callable
        Seconds of a clock that never goes back; for what is decided.
    run : callable
        Runs the rollout's coroutine in an event loop that lives by the steady clock.
    """

    wall: Callable[[], float]
    steady: Callable[[], float]
    run: Callable[[Coroutine[Any, Any, Finished]], Finished] = run_alone


@dataclass(frozen=True, slots=True)
class _Told:
    """A command, and what says that it was taken in."""

    input: Command
    taken: threading.Event


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call that came to its end."""

    input: Input
    row: CallEnd
    event: CallEnded


@dataclass(eq=False, slots=True)
class _Flight:
    """A call under way, and when it is waited for no longer."""

    decision: Send | Poll | PollAll | List
    row: CallRow
    begin: float
    task: asyncio.Task[Any]
    timer: asyncio.TimerHandle | None = None


class Engine:
    """Carries out what a scheduler decides.

    Parameters
    ----------
    scheduler : Scheduler
    journal : Journal
        Open for writing.
    rollout_id : str
        Part of every client token.
    client : AsyncClient
    tell : callable
        Called with each event, after it is on disk.
    clocks : Clocks
    """

    def __init__(
        self,
        scheduler: Scheduler,
        journal: Journal,
        rollout_id: str,
        client: AsyncClient,
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
        # What is not written down yet.
        self._steps: list[StepChanged] = []
        self._calls: list[CallRow] = []
        self._ends: list[CallEnd] = []
        self._flights: set[_Flight] = set()
        self._longest = scheduler.options.lost_after
        # What has arrived and is not told to the scheduler yet.
        self._arrived: list[_Ended | _Told] = []
        self._inbox: asyncio.Queue[_Ended | _Told | BaseException] = asyncio.Queue()
        self._wrong_clock: ClockError | None = None
        self._sending = False
        self._state = "looking"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gate = threading.Lock()
        self._commands: list[_Told] = []

    def command(self, command: Command) -> threading.Event:
        """Hand over a command, from any thread, also before the loop runs.

        Returns
        -------
        Event
            Set once it was taken in, or nobody is left to do so.
        """
        told = _Told(command, threading.Event())
        with self._gate:
            self._commands.append(told)
            loop = self._loop
        if loop is None:
            told.taken.set()
            return told.taken
        try:
            loop.call_soon_threadsafe(self._take_commands)
        except RuntimeError:  # the loop has ended, and so has the rollout
            told.taken.set()
        return told.taken

    def _take_commands(self) -> None:
        with self._gate:
            commands, self._commands = self._commands, []
        for told in commands:
            self._inbox.put_nowait(told)

    async def run(self) -> Finished:
        """Carry the rollout to its end and return how it ended."""
        with self._gate:
            self._loop = asyncio.get_running_loop()
        self._take_commands()
        try:
            async with self._client:
                try:
                    return await self._rounds()
                except Exception:
                    await self._land()
                    raise
        finally:
            self._scheduler.close(self._clocks.steady())
            self._take_commands()
            while not self._inbox.empty():
                self._take_in(self._inbox.get_nowait())
            for item in self._arrived:
                if isinstance(item, _Told):
                    item.taken.set()

    async def _rounds(self) -> Finished:
        while True:
            finished, wake = self._round()
            if finished is not None:
                self._flush(force=True)
                if finished.cause == "clock" and self._wrong_clock is not None:
                    raise self._wrong_clock  # it says by how much
                return finished
            await self._alive(wake)

    async def _alive(self, until: float | None) -> None:
        """Wait as `_wait` does, and be seen alive meanwhile, however long nothing happens."""
        while True:
            self._journal.renew(self._clocks.wall())
            lease = max(_LEAST_WAIT, self._journal.renew_at - self._clocks.wall())
            left = math.inf if until is None else until - self._clocks.steady()
            await self._wait(min(left, lease))
            if self._arrived or left <= lease:
                return

    async def _land(self) -> None:
        """See the calls under way to their end, after an error; nothing else leaves.

        What they answer is kept if the journal takes it after all. If not, their steps are looked
        at by whoever goes on.
        """
        self._hurry()
        while self._flights:
            self._take_in(await self._inbox.get())
        while not self._inbox.empty():
            self._take_in(self._inbox.get_nowait())
        wall = self._clocks.wall()
        arrived = self._arrived
        self._ends += [item.row for item in arrived if isinstance(item, _Ended)]
        # The error is on its way to the user already; another one would only hide it.
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
            # Those of this round never leave; what was answered is still to be written.
            del self._calls[earlier:]
            self._steps = [change for change in self._steps if change.new != st.SENT]
            raise
        self._tell_ends(arrived)
        self._tell_changes(result)
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
                st.OPERATION[step.action],
                step.region_id,
                step.lane,
                wall,
                step.number,
                decision.attempt,
                token,
            )
        if isinstance(decision, PollAll):
            return CallRow(number, POLL_ALL, decision.region, None, wall)
        connection = self._scheduler.connections[decision.lane]
        operation = POLL if isinstance(decision, Poll) else LIST
        return CallRow(number, operation, connection.region_id, connection.name, wall)

    async def _wait(self, seconds: float) -> None:
        """Wait for something to arrive, or for time to pass; take in all that has arrived.

        Raises
        ------
        BaseException
            An error that no call may raise ends the loop; what arrived with it is taken in first.
        """
        try:
            async with asyncio.timeout(None if seconds == math.inf else max(0.0, seconds)):
                first = await self._inbox.get()
        except TimeoutError:
            return
        errors = [self._take_in(first)]
        while not self._inbox.empty():
            errors.append(self._take_in(self._inbox.get_nowait()))
        for error in errors:
            if error is not None:
                raise error

    def _take_in(self, item: _Ended | _Told | BaseException) -> BaseException | None:
        """Keep what has arrived for the next round; return it where it is an error."""
        if isinstance(item, BaseException):
            return item
        self._arrived.append(item)
        return None

    # -- calls ----------------------------------------------------------------------------------

    def _leave(self, decision: Send | Poll | PollAll | List, row: CallRow) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._ask(decision, row))
        flight = _Flight(decision, row, self._clocks.steady(), task)
        self._flights.add(flight)
        self._time(flight)
        task.add_done_callback(lambda _: self._came_back(flight))

    def _time(self, flight: _Flight) -> None:
        """Give a call up once it has been under way for as long as is waited for one."""
        if flight.timer is not None:
            flight.timer.cancel()
        left = flight.begin + self._longest - self._clocks.steady()
        loop = asyncio.get_running_loop()
        flight.timer = loop.call_later(max(0.0, left), self._give_up, flight)

    def _hurry(self) -> None:
        """Wait less long for calls from now on, because the rollout is about to end."""
        if self._longest > _LONGEST_AT_END:
            self._longest = _LONGEST_AT_END
            for flight in self._flights:
                self._time(flight)

    def _give_up(self, flight: _Flight) -> None:
        """Take a call that does not come back as one without an answer."""
        self._flights.discard(flight)
        flight.task.cancel()
        seconds = self._clocks.steady() - flight.begin
        self._ended(flight, None, NoAnswerError(f"no end of the answer after {seconds:.0f} s"))

    def _came_back(self, flight: _Flight) -> None:
        """Take in what came of a call, whatever it is."""
        if flight.task.cancelled():
            return  # given up, or the loop is at its end
        error = flight.task.exception()
        if flight not in self._flights:
            return
        self._flights.discard(flight)
        if flight.timer is not None:
            flight.timer.cancel()
        if error is None:
            self._ended(flight, flight.task.result(), None)
        elif is_fault(error):
            if isinstance(error, ClockError):
                self._wrong_clock = error
            self._ended(flight, None, error)
        else:
            self._inbox.put_nowait(error)  # none that a call may raise: the loop ends by it

    def _ended(self, flight: _Flight, result: Any, error: Fault | None) -> None:
        row, seconds = flight.row, self._clocks.steady() - flight.begin
        came = "ok" if error is None else outcome(error)
        code = None if error is None else code_of(error)
        status = 200 if error is None else getattr(error, "http_status", None)
        request_id = getattr(error or result, "request_id", None)
        end = CallEnd(row.call, seconds, came, code, status, request_id)
        told = CallEnded(
            row.sent_at, row.operation, row.vpn_connection_id or "", seconds, came, code
        )
        self._inbox.put_nowait(_Ended(heard(flight.decision, result, error), end, told))

    async def _ask(self, decision: Send | Poll | PollAll | List, row: CallRow) -> Any:
        operation = OPERATIONS[row.operation]
        if isinstance(decision, Send):
            step = self._scheduler.steps[decision.step]
            parameters = step.parameters(row.client_token or "")
            return await self._client.run(self._client.exchange(operation, parameters, attempts=1))
        place = {"RegionId": row.region_id, "VpnConnectionId": row.vpn_connection_id}
        if isinstance(decision, PollAll):
            place.pop("VpnConnectionId")
        if isinstance(decision, Poll):
            return await self._client.run(self._client.exchange(operation, place, attempts=1))
        page = self._client.page(operation, place, decision.page, attempts=1)
        return await self._client.run(page)


def _ending(result: Round) -> tuple[Finished | None, float | None]:
    """Return the end, or the time to wake up at, of a round's decisions."""
    last = result.decisions[-1] if result.decisions else None
    finished = last if isinstance(last, Finished) else None
    return finished, last.time if isinstance(last, WaitUntil) else None


def guarded(observers: list[Observer]) -> Observer:
    """Return one observer for many: one that raises is told of once, in the log, and dropped."""

    def tell(event: Event) -> None:
        for observer in list(observers):
            try:
                observer(event)
            except Exception:
                observers.remove(observer)
                _log.exception("an observer failed and is told no more: %r", observer)

    return tell
