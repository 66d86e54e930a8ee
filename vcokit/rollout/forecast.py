"""Forecast how long a plan will take: run the scheduler in virtual time against a model cloud.

The model has only what decides the time: rate limits, one task per connection, task times, the
pause after a task, and round trips. It refuses a write that comes too soon after a task, so that
the scheduler has to learn the pause; no other call ever fails in it.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from math import inf
from typing import Any, Final

import pandas as pd

from vcokit import config
from vcokit.cloud.client import Client
from vcokit.cloud.operations import OPERATIONS, PAGE_SIZE, Limit
from vcokit.errors import InputError
from vcokit.rollout.messages import (
    Answered,
    Decision,
    Finished,
    Input,
    List,
    Listed,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    Send,
    WaitUntil,
)
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Route, State, Step

#: Round trip to a cloud that has not been called yet, seconds.
_ROUND_TRIP: Final = 0.1


@dataclass(frozen=True, repr=False)
class Forecast:
    """When the steps of a plan are expected to be sent, settled and done.

    Parameters
    ----------
    seconds : float
        Time until the last step is done.
    settled : tuple of float
        Times at which the first, second, … step has settled, ascending.
    calls : mapping of str to int
        Calls by operation.
    times : DataFrame
        A row per step that sends: step, sent, settled, done; seconds since the start, float64.

    Examples
    --------
    >>> Forecast(75.2, (70.0, 75.1), {"Send": 2, "Poll": 9}, pd.DataFrame())
    <Forecast 0:01:15: 2 steps, 11 calls (2 send, 9 poll)>
    """

    seconds: float
    settled: tuple[float, ...]
    calls: Mapping[str, int]
    times: pd.DataFrame

    def __repr__(self) -> str:
        calls = ", ".join(f"{count:,} {name.lower()}" for name, count in self.calls.items())
        total = f"{sum(self.calls.values()):,} calls" + (f" ({calls})" if calls else "")
        takes = timedelta(seconds=round(self.seconds))
        return f"<Forecast {takes}: {len(self.settled):,} steps, {total}>"

    def remaining(self, settled: int, elapsed: float) -> float:
        """Return the seconds left, scaled by how fast the real rollout runs so far.

        Parameters
        ----------
        settled : int
            Number of steps that have settled or are done.
        elapsed : float
            Seconds since the rollout's start.
        """
        if settled <= 0 or not self.settled:
            return max(0.0, self.seconds - elapsed)
        thought = self.settled[min(settled, len(self.settled)) - 1]
        pace = elapsed / thought if thought > 0 else 1.0
        return max(0.0, (self.seconds - thought) * pace)


def forecast(
    plan: Plan,
    client: Client | None = None,
    *,
    limits: Mapping[str, Limit] | None = None,
    speed: float | None = None,
    task_seconds: float | None = None,
    round_trip: float | None = None,
    waves: Sequence[int | None] | None = None,
    rate_share: float = 1.0,
    windows: str | Iterable[str] | None = None,
    begin: float | None = None,
) -> Forecast:
    """Estimate how long a plan will take.

    Parameters
    ----------
    plan : Plan
    client : Client, optional
        From `connect`; gives the limits, the speed and the round trip of its cloud. No call is
        made. Without it, the values of the real cloud are used.
    limits : mapping of str to Limit, optional
        By default the client's, else those of the contract at that speed.
    speed : float, optional
        How many times faster the cloud's clock runs; by default the client's value, else 1.
    task_seconds : float, optional
        Duration of a route task, on the cloud's clock; by default the setting of the same name.
    round_trip : float, optional
        Time from request to answer, in seconds; by default the client's, if it has made a call.
    waves, rate_share, windows
        As for `Rollout`. The plan decides the order in which steps wait for one another.
    begin : float, optional
        When the rollout begins, in seconds since the epoch, for the windows; now by default.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        If `speed`, `waves`, `rate_share` or `windows` is invalid.
    ConfigError
        If `task_seconds` or a setting that is used is invalid.

    Examples
    --------
    >>> import pandas as pd
    >>> from vcokit import schema
    >>> from vcokit.rollout.plan import plan_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": [f"10.{i}.0.0/16" for i in range(20)], "next_hop": "vco-a", "weight": 0})
    >>> plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    >>> 20 * (3 + 1) < forecast(plan, task_seconds=3.0).seconds < 20 * (4 + 1)
    True
    """
    if client is not None:
        speed = client.speed if speed is None else speed
        limits = client.limits if limits is None else limits
        round_trip = client.round_trip if round_trip is None else round_trip
    speed = 1.0 if speed is None else speed
    if speed <= 0:
        raise InputError(f"speed={speed!r}", remedy="Write how many times faster, such as 60")
    seconds = float(config.get("task_seconds", task_seconds)) / speed
    table = limits or {name: op.limit.faster(speed) for name, op in OPERATIONS.items()}
    live = plan.live_by_connection()
    options = Options.in_force(speed).wishing(
        waves=waves or (), rate_share=rate_share, windows=windows
    )
    scheduler = Scheduler(plan.each(), live, table, options, order=plan.order)
    trip = _ROUND_TRIP if round_trip is None else round_trip
    model = _Model(scheduler, live, seconds, trip)
    return _run(scheduler, model, time.time() if begin is None else begin)


class _Model:
    """A cloud whose tasks all take the same time; it refuses only writes that come too soon."""

    def __init__(
        self,
        scheduler: Scheduler,
        live: Mapping[str, frozenset[Route]],
        task_seconds: float,
        round_trip: float,
    ) -> None:
        self._steps = scheduler.steps
        # Dicts, because they keep an order: a page is a slice of it.
        self._live = {name: dict.fromkeys(sorted(routes)) for name, routes in live.items()}
        self._regions: dict[str, list[str]] = {}
        for one in scheduler.connections.values():
            self._regions.setdefault(one.region_id, []).append(one.name)
        self._busy_until: dict[str, float] = {}
        self._task_seconds = task_seconds
        self._pause = scheduler.options.pause
        self.round_trip = round_trip

    def answer(self, decision: Send | Poll | PollAll | List, now: float) -> Input:
        """Return the input that a call sent now will give one round trip later."""
        there = now + self.round_trip / 2
        if isinstance(decision, Send):
            step = self._steps[decision.step]
            if there < self._busy_until.get(step.vpn_connection_id, -inf) + self._pause:
                return Answered(step.number, "busy", "TaskConflict")
            self._change(step, there)
            return Answered(step.number, "ok")
        if isinstance(decision, Poll):
            return Polled(decision.connection, self._state(decision.connection, there))
        begin = (decision.page - 1) * PAGE_SIZE
        if isinstance(decision, PollAll):
            names = self._regions[decision.region]
            page = {n: self._state(n, there) for n in names[begin : begin + PAGE_SIZE]}
            return PolledAll(decision.region, decision.page, page, len(names))
        routes = self._live.get(decision.connection, {})
        listed = tuple(islice(routes, begin, begin + PAGE_SIZE))
        return Listed(decision.connection, decision.page, listed, len(routes))

    def _change(self, step: Step, there: float) -> None:
        self._busy_until[step.vpn_connection_id] = there + self._task_seconds
        routes = self._live.setdefault(step.vpn_connection_id, {})
        if step.before is not None:
            routes.pop(step.before, None)
        if step.after is not None:
            routes[step.after] = None

    def _state(self, connection: str, there: float) -> str:
        return "updating" if self._busy_until.get(connection, 0.0) > there else "attached"


def _run(scheduler: Scheduler, model: _Model, begin: float) -> Forecast:
    arrivals: list[tuple[float, int, Input]] = []
    tie = count()
    calls: dict[str, int] = {}
    times: dict[tuple[int, str], float] = {}
    now, inputs = 0.0, list[Input]()
    while True:
        result = scheduler.advance(inputs, now, begin + now)
        for change in result.changes:
            times[change.step, change.new] = now
        wake, finished = _carry_out(result.decisions, model, now, arrivals, tie, calls)
        if finished:
            return _forecast(now, calls, times)
        # A round without a `Finished` or a `WaitUntil` waits for a call in progress.
        moments = [entry[0] for entry in arrivals[:1]] + ([] if wake is None else [wake])
        now, inputs = max(now, min(moments)), []
        while arrivals and arrivals[0][0] <= now:
            inputs.append(heapq.heappop(arrivals)[2])


def _carry_out(
    decisions: tuple[Decision, ...],
    model: _Model,
    now: float,
    arrivals: list[tuple[float, int, Input]],
    tie: Any,
    calls: dict[str, int],
) -> tuple[float | None, bool]:
    wake = None
    for decision in decisions:
        if isinstance(decision, Finished):
            return None, True
        if isinstance(decision, WaitUntil):
            wake = decision.time
        else:
            name = type(decision).__name__
            calls[name] = calls.get(name, 0) + 1
            arrival = (now + model.round_trip, next(tie), model.answer(decision, now))
            heapq.heappush(arrivals, arrival)
    return wake, False


def _forecast(now: float, calls: dict[str, int], times: dict[tuple[int, str], float]) -> Forecast:
    columns = {"sent": State.SENT, "settled": State.SETTLED, "done": State.DONE}
    numbers = sorted({step for step, _ in times})
    frame = pd.DataFrame({"step": numbers}, dtype="int64")
    for name, state in columns.items():
        frame[name] = pd.Series([times.get((n, state)) for n in numbers], dtype="float64")
    settled = tuple(sorted(frame["settled"].dropna()))
    return Forecast(now, settled, calls, frame)
