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
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from vcokit.cloud.client import AsyncClient
from vcokit.cloud.operations import OPERATIONS
from vcokit.errors import ApiError, CloudError, JournalError, NotSentError
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    POLL_ALL,
    Answered,
    Command,
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
from vcokit.rollout.events import CallEnded, Event, Observer, RolloutChanged, StepChanged
from vcokit.rollout.journal import Journal
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Route, client_token
from vcokit.rollout.tables import CallEnd, CallRow, StepRow

_log: Final = logging.getLogger("vcokit.rollout")

#: Reads are written down with the next change of a step, or when so many have come together.
_READS_TOGETHER: Final = 200


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
        self._inbox: asyncio.Queue[_Ended | Command | BaseException] = asyncio.Queue()
        self._sending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._commands: list[Command] = []

    def command(self, command: Command) -> None:
        """Hand over a command, from any thread, also before the loop runs."""
        if self._loop is None:
            self._commands.append(command)
            return
        try:
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, command)
        except RuntimeError:  # the loop has ended, and so has the rollout
            _log.debug("%s came after the end", command.name)

    async def run(self) -> Finished:
        """Carry the rollout to its end and return how it ended."""
        self._loop = asyncio.get_running_loop()
        for command in self._commands:
            self._inbox.put_nowait(command)
        start = self._clocks.steady()
        arrived: list[_Ended | Command] = []
        async with self._client:
            while True:
                now = self._clocks.steady() - start
                try:
                    finished, wake = self._round(arrived, now)
                    if finished is not None:
                        self._flush(force=True)
                        return finished
                except JournalError:
                    await self._land()
                    raise
                arrived = await self._wait(None if wake is None else wake - now)

    async def _land(self) -> None:
        """See the calls under way to their end; nothing else leaves.

        What they answer is kept if the journal takes it after all. If not, their steps are looked
        at by whoever goes on.
        """
        self._calls = []  # those of the round that was not written down never left
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._inbox.empty():
            item = self._inbox.get_nowait()
            if isinstance(item, _Ended):
                self._ends.append(item.row)
        with contextlib.suppress(JournalError):
            self._flush(force=True)

    def _round(
        self, arrived: list[_Ended | Command], now: float
    ) -> tuple[Finished | None, float | None]:
        inputs = [item.input if isinstance(item, _Ended) else item for item in arrived]
        ended = [item for item in arrived if isinstance(item, _Ended)]
        self._ends += [item.row for item in ended]
        result = self._scheduler.advance(inputs, now)
        wall = self._clocks.wall()
        leaving = [
            (decision, self._row(decision, wall))
            for decision in result.decisions
            if isinstance(decision, Send | Poll | PollAll | List)
        ]
        self._calls += [row for _, row in leaving]
        self._write_down(result, wall)
        for item in ended:
            self._tell(item.event)
        self._tell_changes(result, wall)
        if not self._sending and any(isinstance(decision, Send) for decision, _ in leaving):
            self._sending = True
            self._tell(RolloutChanged(wall, "running"))
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

    async def _wait(self, seconds: float | None) -> list[_Ended | Command]:
        """Wait for something to arrive, or for time to pass; return all that has arrived."""
        try:
            async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
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
        seconds = self._clocks.steady() - begin
        outcome = "ok" if error is None else _outcome(error)
        code = getattr(error, "code", None)
        status = 200 if error is None else error.http_status
        request_id = getattr(error or result, "request_id", None)
        end = CallEnd(row.call, seconds, outcome, code, status, request_id)
        told = CallEnded(
            row.sent_at, row.operation, row.vpn_connection_id or "", seconds, outcome, code
        )
        self._inbox.put_nowait(_Ended(_input(decision, result, error), end, told))

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


def _outcome(error: CloudError) -> str:
    return error.kind if isinstance(error, ApiError) else "unknown"


def _input(decision: Send | Poll | PollAll | List, result: Any, error: CloudError | None) -> Input:
    """Say to the scheduler what came of a call."""
    if isinstance(decision, Send):
        return _of_write(decision, result, error)
    said: dict[str, Any] = {}
    if error is not None:
        retry_after = getattr(error, "retry_after", None)
        code = getattr(error, "code", None)
        said = {"kind": _outcome(error), "code": code, "retry_after": retry_after}
    if isinstance(decision, Poll):
        state = None if error else result.get("State")
        if isinstance(state, str):
            return Polled(decision.lane, state)
        return Polled(decision.lane, None, **(said or {"kind": "unknown"}))
    if isinstance(decision, PollAll):
        states = None if error else _states(result.rows)
        if states is None:
            failed = said or {"kind": "unknown"}
            return PolledAll(decision.region, decision.page, None, **failed)
        return PolledAll(decision.region, decision.page, states, result.total)
    routes = None if error else _routes(result.rows)
    if routes is None:
        return Listed(decision.lane, decision.page, None, **(said or {"kind": "unknown"}))
    return Listed(decision.lane, decision.page, routes, result.total)


def _of_write(decision: Send, answer: Any, error: CloudError | None) -> Input:
    if error is None:
        return Answered(decision.step, "ok", request_id=answer.request_id)
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
    """Return a page of connections as states; None where a row is not of the contract."""
    try:
        return {str(row["VpnConnectionId"]): str(row["State"]) for row in rows}
    except KeyError:
        return None


def _routes(rows: list[dict[str, Any]]) -> tuple[Route, ...] | None:
    """Return a page of a listing as routes; None where a row is not of the contract."""
    try:
        return tuple(
            Route(str(row["RouteDest"]), str(row["NextHop"]), int(row["Weight"]))
            for row in rows
            if row.get("RouteEntryType", "custom") == "custom"
        )
    except (KeyError, TypeError, ValueError):
        return None


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
