"""Drives a scheduler in virtual time against the model of a cloud, as the engine does a real one.

What the engine writes into the journal is written here too, so that both can be weighed: CPU
seconds of deciding and of writing are counted apart from those of the model.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any, Final

from benchmarks.cloudmodel import CREATES, REGION, TRIP, CloudModel
from vcokit.cloud.operations import Limit
from vcokit.rollout import alphabet
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    Answered,
    Finished,
    List,
    Listed,
    Poll,
    Polled,
    Send,
    WaitUntil,
)
from vcokit.rollout.journal import Journal
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import client_token
from vcokit.rollout.tables import CallEnd, CallRow, StepRow

POLL_ALL: Final = "DescribeVpnConnections"
#: A little later than it asks to be woken, or rounding would wake it too early for ever; seconds.
_ASLEEP: Final = 1e-6
_READS_TOGETHER: Final = 200  # as the engine


class Stopwatch:
    """CPU seconds of this thread."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done inside."""
        begin = time.thread_time()
        yield
        self.seconds += time.thread_time() - begin


class Driver:
    """Drives a scheduler against the model, as the engine does against the cloud.

    Parameters
    ----------
    model : CloudModel
    told : mapping of str to Limit
        What the scheduler thinks the limits are.
    seed : int
        Of the round trips of reads.
    journal : Journal, optional
        Written as the engine writes it.
    """

    def __init__(
        self,
        model: CloudModel,
        told: Mapping[str, Limit],
        seed: int,
        journal: Journal | None = None,
    ) -> None:
        self.model = model
        self._rng = Random(f"{seed}/trips")
        self._journal = journal
        self.deciding, self.writing = Stopwatch(), Stopwatch()
        self._tie, self._number = count(), count(1)
        self._heap: list[tuple[float, int, bool, Any]] = []
        self._calls: list[CallRow] = []
        self._ends: list[CallEnd] = []
        live = {lane: frozenset[Any]() for lane in model.lanes}
        with self.deciding.running():
            self.scheduler = Scheduler(model.work.steps, live, told)

    def run(self, until: float = math.inf) -> float:
        """Go on to the end; return the time of it, or the first one later than `until`."""
        now, inputs = 0.0, list[Any]()
        while now < until:
            with self.deciding.running():
                result = self.scheduler.advance(inputs, now)
            leaving = [d for d in result.decisions if not isinstance(d, WaitUntil | Finished)]
            numbers = [next(self._number) for _ in leaving]
            if self._journal is not None:
                with self.writing.running():
                    self._write(self._journal, result.changes, leaving, numbers, now)
            for decision, number in zip(leaving, numbers, strict=True):
                self._leave(decision, number, now)
            last = result.decisions[-1] if result.decisions else None
            if isinstance(last, Finished):
                if last.reason != "finished":
                    raise RuntimeError(f"ended {last.reason}: {last.message}")
                return now
            wake = last.time + _ASLEEP if isinstance(last, WaitUntil) else math.inf
            now, inputs = self._until(wake, now)
        return now

    def _until(self, wake: float, now: float) -> tuple[float, list[Any]]:
        """Let time pass until the scheduler has to know something, or wants to."""
        while self._heap and self._heap[0][0] <= wake:
            moment, _, there, what = heapq.heappop(self._heap)
            if there:
                self._arrive(moment, *what)
                continue
            now, inputs = max(now, moment), [self._told(*what)]
            while self._heap and self._heap[0][0] <= now and not self._heap[0][2]:
                inputs.append(self._told(*heapq.heappop(self._heap)[3]))
            return now, inputs
        if wake == math.inf:
            raise RuntimeError("the scheduler waits for nothing")
        return max(now, wake), []

    def _leave(self, decision: Any, number: int, now: float) -> None:
        if isinstance(decision, Send):
            trip = self.model.work.trips[decision.step]
        else:
            trip = self._rng.uniform(*TRIP)
        what = (decision, number, trip)
        heapq.heappush(self._heap, (now + trip / 2, next(self._tie), True, what))

    def _arrive(self, moment: float, decision: Any, number: int, trip: float) -> None:
        answer = self._answer(decision, moment)
        what = (answer, number, trip)
        heapq.heappush(self._heap, (moment + trip / 2, next(self._tie), False, what))

    def _told(self, answer: Any, number: int, trip: float) -> Any:
        if self._journal is not None:
            kind = getattr(answer, "kind", "ok")
            self._ends.append(CallEnd(number, trip, kind, None, 200, f"request-{number:028}"))
        return answer

    def _answer(self, decision: Any, now: float) -> Any:
        if isinstance(decision, Send):
            kind, wait = self.model.create(decision.step, now)
            return Answered(decision.step, kind, retry_after=wait)
        if isinstance(decision, Poll):
            wait = self.model.admit(POLL, now)
            if wait is not None:
                return Polled(decision.lane, None, "throttled", retry_after=wait)
            return Polled(decision.lane, self.model.state(decision.lane, now))
        if isinstance(decision, List):
            wait = self.model.admit(LIST, now)
            if wait is not None:
                said = {"kind": "throttled", "retry_after": wait}
                return Listed(decision.lane, decision.page, None, **said)  # type: ignore[arg-type]
            return Listed(
                decision.lane, decision.page, *self.model.listing(decision.lane, decision.page, now)
            )
        return self._states(decision, now)

    def _states(self, decision: Any, now: float) -> Any:
        """Answer a look at a page of connections, where the scheduler knows such looks."""
        answer: Any = getattr(alphabet, "PolledAll")  # noqa: B009 - not in every version
        wait = self.model.admit(POLL_ALL, now)
        if wait is not None:
            return answer(decision.region, decision.page, None, 0, "throttled", None, wait)
        states = self.model.states(decision.page, now)
        return answer(decision.region, decision.page, states, len(self.model.lanes))

    def _write(
        self,
        journal: Journal,
        changes: Sequence[Any],
        leaving: list[Any],
        numbers: list[int],
        now: float,
    ) -> None:
        """Write a round as the engine does: reads wait for the next change, or for company."""
        records = self.scheduler.records
        rows = [
            StepRow(
                now,
                change.step,
                change.state,
                change.attempt,
                records[change.step].misses,
                change.code,
                change.message,
                change.request_id,
            )
            for change in changes
        ]
        self._calls += [self._row(d, n, now) for d, n in zip(leaving, numbers, strict=True)]
        if rows or len(self._calls) + len(self._ends) > _READS_TOGETHER:
            journal.write(rows, self._calls, self._ends)
            self._calls, self._ends = [], []

    def _row(self, decision: Any, number: int, now: float) -> CallRow:
        if isinstance(decision, Send):
            step = self.scheduler.steps[decision.step]
            token = client_token("bench", step.number, decision.attempt)
            about = (CREATES, REGION, step.lane, now, step.number, decision.attempt, token)
            return CallRow(number, *about)
        operation = {"Poll": POLL, "List": LIST}.get(type(decision).__name__, POLL_ALL)
        return CallRow(number, operation, REGION, getattr(decision, "lane", ""), now)
