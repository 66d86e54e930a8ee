"""A model of the cloud for the scheduler alone: limits, tasks, round trips, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, islice

from tests.rollout.play import LIMITS
from vcokit.cloud.operations import Limit
from vcokit.rollout.messages import (
    LIST,
    POLL,
    POLL_ALL,
    Answered,
    Finished,
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
from vcokit.rollout.ordering import Order
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import OPERATION, Action, State, Step


@dataclass
class Model:
    """One rollout against the model, and what came of it.

    Parameters
    ----------
    steps : list of Step
    true : mapping of str to Limit
        Limits that the cloud keeps; the scheduler is told those of the contract.
    task : (float, float)
        Shortest and longest task.
    pause : float
        How long after a task the cloud takes no write.
    refused : set of int
        Steps that the cloud refuses.
    """

    steps: list[Step]
    true: Mapping[str, Limit] = field(default_factory=dict)
    task: tuple[float, float] = (2.0, 20.0)
    pause: float = 0.0
    refused: Iterable[int] = ()
    order: Order | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        options = Options(**{**Options.in_force().__dict__, **self.options})
        self.scheduler = Scheduler(self.steps, {}, LIMITS, options, None, self.order)
        self.limits = {**LIMITS, **self.true}
        self.passed: dict[str, deque[float]] = defaultdict(deque)
        self.calls: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.live: dict[str, dict] = defaultdict(dict)
        self.busy: dict[str, float] = {}
        self.lane_seconds: Counter[str] = Counter()
        self.sent: list[tuple[float, int]] = []
        self.done: dict[int, float] = {}
        self.states: dict[int, str] = {}

    def run(self) -> Model:
        """Play it to its end."""
        heap: list = []
        tie = count()
        self.now, inputs = 0.0, []
        while True:
            result = self.scheduler.advance(inputs, self.now)
            for change in result.changes:
                self.states[change.step] = change.new
                if change.new == State.DONE:
                    self.done[change.step] = self.now
            wake = None
            for decision in result.decisions:
                if isinstance(decision, Finished):
                    self.finished = decision
                    return self
                if isinstance(decision, WaitUntil):
                    wake = decision.time
                else:
                    trip = self.rng.uniform(0.05, 0.3)
                    there = (self.now + trip / 2, next(tie), decision, self.now + trip)
                    heapq.heappush(heap, there)
            inputs = []
            while not inputs and heap and (wake is None or heap[0][0] <= wake):
                moment, _, what, back = heapq.heappop(heap)
                if back is None:
                    self.now, inputs = moment, [what]
                else:
                    answer = self.at_the_cloud(what, moment, back - moment)
                    heapq.heappush(heap, (back, next(tie), answer, None))
            if not inputs:
                assert wake is not None, "it waits for nothing"
                self.now = max(self.now, wake)

    def at_the_cloud(self, decision: Send | Poll | PollAll | List, now: float, half: float):
        """Return the answer to a call that arrives."""
        if isinstance(decision, Send):
            return self.write(self.scheduler.steps[decision.step], now, half)
        operation = {Poll: POLL, PollAll: POLL_ALL, List: LIST}[type(decision)]
        assert self.admit(operation, now) is None, "reads are throttled"
        if isinstance(decision, Poll):
            return Polled(decision.connection, self.state(decision.connection, now))
        begin = (decision.page - 1) * 50
        if isinstance(decision, PollAll):
            names = list(self.scheduler.connections)
            page = {name: self.state(name, now) for name in names[begin : begin + 50]}
            return PolledAll(decision.region, decision.page, page, len(names))
        routes = self.live[decision.connection]
        page = tuple(islice(routes, begin, begin + 50))
        return Listed(decision.connection, decision.page, page, len(routes))

    def write(self, step: Step, now: float, half: float) -> Answered:
        """Return the answer to a write."""
        wait = self.admit(OPERATION[step.action], now)
        if wait is not None:
            self.outcomes["throttled"] += 1
            return Answered(step.number, "throttled", "Throttling.User", retry_after=wait)
        if self.busy.get(step.vpn_connection_id, 0.0) > now:
            self.outcomes["busy"] += 1
            return Answered(step.number, "busy", "VpnConnection.Configuring")
        if now < self.busy.get(step.vpn_connection_id, -self.pause) + self.pause:
            self.outcomes["too soon"] += 1
            return Answered(step.number, "busy", "TaskConflict")
        if step.number in self.refused:
            return Answered(step.number, "input", "IllegalParam.RouteDest")
        self.outcomes["ok"] += 1
        self.sent.append((now, step.number))
        seconds = self.rng.uniform(*self.task)
        self.busy[step.vpn_connection_id] = now + seconds
        self.lane_seconds[step.vpn_connection_id] += seconds + 2 * half
        if step.before is not None:
            self.live[step.vpn_connection_id].pop(step.before, None)
        if step.after is not None:
            self.live[step.vpn_connection_id][step.after] = None
        return Answered(step.number, "ok")

    def admit(self, operation: str, now: float) -> float | None:
        """Count a call, or return how long to wait."""
        self.calls[operation] += 1
        limit, passed = self.limits[operation], self.passed[operation]
        while passed and passed[0] <= now - limit.seconds:
            passed.popleft()
        if len(passed) >= limit.calls:
            return passed[0] + limit.seconds - now
        passed.append(now)
        return None

    def state(self, lane: str, now: float) -> str:
        """Return the state of a connection."""
        return "updating" if self.busy.get(lane, 0.0) > now else "attached"

    def bound(self) -> float:
        """Return the time that no scheduler can fall below."""
        limit = self.limits["CreateVcoRouteEntry"]
        windows = -(-len(self.sent) // limit.calls) - 1
        sizes = Counter(self.scheduler.steps[number].vpn_connection_id for _, number in self.sent)
        lanes = [self.lane_seconds[name] + self.pause * (n - 1) for name, n in sizes.items()]
        return max(windows * limit.seconds, *lanes)


def creates(*lanes: int) -> list[Step]:
    """Return create steps of lanes by their sizes, a step a lane in turn."""
    turns = [(turn, lane) for lane, size in enumerate(lanes) for turn in range(size)]
    return [
        Step(
            n,
            Action.CREATE,
            "r",
            f"vco-{lane}",
            f"10.{turn // 256}.{turn % 256}.{lane}/32",
            "h",
            100,
        )
        for n, (turn, lane) in enumerate(sorted(turns))
    ]
