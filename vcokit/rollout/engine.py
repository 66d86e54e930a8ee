"""The loop of a rollout: asks the scheduler, writes down, sends, and tells.

One round::

    what happened ─→ scheduler.advance ─→ changes and decisions
                                               │ one transaction in the journal
                                               ↓ then, and only then
                     observers are told, calls leave, each as a task of its own

It decides nothing itself. It runs in a thread and an event loop of its own, so that a blocked
notebook cell never holds it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from vcokit.cloud.client import AsyncClient
from vcokit.cloud.operations import OPERATIONS
from vcokit.errors import ClockError, CloudError, JournalError
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    POLL_ALL,
    Command,
    Finished,
    Input,
    List,
    Poll,
    PollAll,
    Round,
    Send,
    WaitUntil,
)
from vcokit.rollout.events import CallEnded, Event, Observer, RolloutChanged, StepChanged
from vcokit.rollout.heard import heard, outcome
from vcokit.rollout.journal import Journal
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import client_token
from vcokit.rollout.tables import CallEnd, CallRow, StepRow

_log: Final = logging.getLogger("vcokit.rollout")

#: Reads are written down with the next change of a step, or when so many have come together.
_READS_TOGETHER: Final = 200
#: A wall clock that is set back must not make the loop spin; seconds.
_LEAST_WAIT: Final = 0.1


@dataclass(frozen=True)
class Clocks:
    """The time, as an argument.

    Parameters
    ----------
    wall : callable
        Seconds since the epoch; for what is written down.
    steady : callable
        Seconds of a clock that never goes back; for what is decided.
    """

    wall: Callable[[], float]
    steady: Callable[[], float]


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
        self._states = {number: r.state for number, r in scheduler.records.items()}
        self._numbers = count(journal.last_call() + 1)
        self._calls: list[CallRow] = []
        self._ends: list[CallEnd] = []
        self._tasks: set[asyncio.Task[None]] = set()
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
            self._take_commands()
            while not self._inbox.empty():
                item = self._inbox.get_nowait()
                if isinstance(item, _Told):
                    item.taken.set()

    async def _rounds(self) -> Finished:
        start = self._clocks.steady()
        arrived: list[_Ended | _Told] = []
        while True:
            now = self._clocks.steady() - start
            finished, wake = self._round(arrived, now)
            if finished is not None:
                self._flush(force=True)
                if finished.cause == "clock" and self._wrong_clock is not None:
                    raise self._wrong_clock  # it says by how much
                return finished
            arrived = await self._alive(None if wake is None else start + wake)

    async def _alive(self, until: float | None) -> list[_Ended | _Told]:
        """Wait as `_wait` does, and be seen alive meanwhile, however long nothing happens."""
        while True:
            self._journal.renew(self._clocks.wall())
            lease = max(_LEAST_WAIT, self._journal.renew_at - self._clocks.wall())
            left = math.inf if until is None else until - self._clocks.steady()
            arrived = await self._wait(min(left, lease))
            if arrived or left <= lease:
                return arrived

    async def _land(self) -> None:
        """See the calls under way to their end; nothing else leaves.

        What they answer is kept if the journal takes it after all. If not, their steps are looked
        at by whoever goes on.
        """
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._inbox.empty():
            item = self._inbox.get_nowait()
            if isinstance(item, _Ended):
                self._ends.append(item.row)
        with contextlib.suppress(JournalError):
            self._flush(force=True)

    def _round(
        self, arrived: list[_Ended | _Told], now: float
    ) -> tuple[Finished | None, float | None]:
        inputs = [item.input for item in arrived]
        ended = [item for item in arrived if isinstance(item, _Ended)]
        self._ends += [item.row for item in ended]
        result = self._scheduler.advance(inputs, now)
        wall = self._clocks.wall()
        leaving = [
            (decision, self._row(decision, wall))
            for decision in result.decisions
            if isinstance(decision, Send | Poll | PollAll | List)
        ]
        earlier = len(self._calls)
        self._calls += [row for _, row in leaving]
        try:
            self._write_down(result, wall)
        except BaseException:
            del self._calls[earlier:]  # those of this round never leave
            raise
        for item in ended:
            self._tell(item.event)
        self._tell_changes(result, wall)
        self._sending |= any(isinstance(decision, Send) for decision, _ in leaving)
        self._tell_state(wall)
        for told in arrived:
            if isinstance(told, _Told):
                told.taken.set()
        for decision, row in leaving:
            self._leave(decision, row)
        return _ending(result)

    def _write_down(self, result: Round, wall: float) -> None:
        records = self._scheduler.records
        rows = [
            StepRow(
                wall,
                c.step,
                c.state,
                c.attempt,
                records[c.step].misses,
                c.code,
                c.message,
                c.request_id,
            )
            for c in result.changes
        ]
        self._flush(rows, force=bool(rows))

    def _flush(self, rows: list[StepRow] | None = None, *, force: bool) -> None:
        if force or len(self._calls) + len(self._ends) > _READS_TOGETHER:
            self._journal.write(rows or (), self._calls, self._ends)
            self._calls, self._ends = [], []

    def _tell_changes(self, result: Round, wall: float) -> None:
        for change in result.changes:
            old, self._states[change.step] = self._states[change.step], change.state
            said = (change.code, change.message, change.request_id)
            self._tell(StepChanged(wall, change.step, old, change.state, *said))

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
        lane = self._scheduler.lanes[decision.lane]
        operation = POLL if isinstance(decision, Poll) else LIST
        return CallRow(number, operation, lane.region_id, lane.name, wall)

    def _leave(self, decision: Send | Poll | PollAll | List, row: CallRow) -> None:
        task = asyncio.get_running_loop().create_task(self._call(decision, row))
        self._tasks.add(task)
        task.add_done_callback(self._call_ended)

    def _call_ended(self, task: asyncio.Task[None]) -> None:
        """Let go of a call; an error that no call may raise goes to the loop, which ends by it."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._inbox.put_nowait(error)

    async def _wait(self, seconds: float) -> list[_Ended | _Told]:
        """Wait for something to arrive, or for time to pass; return all that has arrived."""
        try:
            async with asyncio.timeout(None if seconds == math.inf else max(0.0, seconds)):
                arrived = [await self._inbox.get()]
        except TimeoutError:
            return []
        while not self._inbox.empty():
            arrived.append(self._inbox.get_nowait())
        for item in arrived:
            if isinstance(item, BaseException):
                raise item
        return [item for item in arrived if not isinstance(item, BaseException)]

    # -- calls ----------------------------------------------------------------------------------

    async def _call(self, decision: Send | Poll | PollAll | List, row: CallRow) -> None:
        """Make one call and put what came of it into the inbox, whatever it is."""
        begin = self._clocks.steady()
        error: CloudError | None = None
        result: Any = None
        try:
            result = await self._ask(decision, row)
        except CloudError as caught:
            error = caught
            if isinstance(caught, ClockError):
                self._wrong_clock = caught
        seconds = self._clocks.steady() - begin
        came = "ok" if error is None else outcome(error)
        code = getattr(error, "code", None)
        status = 200 if error is None else error.http_status
        request_id = getattr(error or result, "request_id", None)
        end = CallEnd(row.call, seconds, came, code, status, request_id)
        told = CallEnded(
            row.sent_at, row.operation, row.vpn_connection_id or "", seconds, came, code
        )
        self._inbox.put_nowait(_Ended(heard(decision, result, error), end, told))

    async def _ask(self, decision: Send | Poll | PollAll | List, row: CallRow) -> Any:
        operation = OPERATIONS[row.operation]
        if isinstance(decision, Send):
            step = self._scheduler.steps[decision.step]
            parameters = step.parameters(row.client_token or "")
            return await self._client.run(self._client.exchange(operation, parameters))
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
