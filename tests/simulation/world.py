"""A rollout in virtual time: the scheduler against the simulator's state, any fault at any moment.

Hours pass in a moment and everything follows from one seed. What the real executor has around the
scheduler is here in its plainest form: a journal that keeps what a round changed, calls that take
a round trip, answers that get lost, and a process that may die at any time::

    Scheduler ─Send, Poll, List→ (half a round trip) → Cloud ─answer→ (the other half) → Scheduler
        ↑                                                                 ╳ lost, cut, too late
        └── built again from the journal after a crash
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pandas as pd

from vcokit import schema
from vcokit.cloud.operations import OPERATIONS, classify
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    POLL_ALL,
    Answered,
    Command,
    Finished,
    List,
    Listed,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    Send,
    TimedOut,
    WaitUntil,
)
from vcokit.rollout.lanes import Record
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Route, client_token
from vcokit.simulator import Connection, Fault
from vcokit.simulator import Route as LiveRoute
from vcokit.simulator.state import Cloud

REGIONS = ("cn-hangzhou", "eu-central-1")
READ_TIMEOUT = 10.0
LOSSY = ("drop_before", "drop_after", "status_500", "status_503", "truncate", "html")


@dataclass
class World:
    """One rollout, and what came of it.

    Parameters
    ----------
    plan : Plan
    cloud : Cloud
    rng : random.Random
        Round trips, late arrivals, crashes.
    late : float
        Chance of a write to arrive only after its client has given up.
    crashes : int
        Times the process dies.
    """

    plan: Plan
    cloud: Cloud
    rng: random.Random
    late: float = 0.0
    crashes: int = 0
    now: float = 0.0
    records: dict[int, Record] = field(default_factory=dict)
    intents: set[tuple[int, int]] = field(default_factory=set)
    outcomes: Counter = field(default_factory=Counter)
    finished: Finished | None = None

    def __post_init__(self) -> None:
        self.steps = {step.number: step for step in self.plan.each()}
        self.heap: list[tuple[float, int, str, object]] = []
        self.tie = count()
        self.generation = 0

    # -- the process ----------------------------------------------------------------------------

    def boot(self) -> Scheduler:
        """Start the process, from what the journal holds."""
        self.generation += 1
        self.began = self.now
        limits = {name: operation.limit for name, operation in OPERATIONS.items()}
        records = {n: Record(r.state, r.attempt, r.misses) for n, r in self.records.items()}
        live = self.plan.live_by_lane()
        return Scheduler(self.steps.values(), live, limits, Options.in_force(), records)

    def run(self, *, commands: list[tuple[float, str]] = (), until: float = 50_000.0) -> World:
        """Play the rollout to its end."""
        for moment, name in commands:
            heapq.heappush(self.heap, (moment, next(self.tie), "command", Command(name)))
        deaths = sorted(self.rng.uniform(1, 120) for _ in range(self.crashes))
        scheduler = self.boot()
        inputs: list = []
        while True:
            wake = self.round(scheduler, inputs)
            if self.finished is not None:
                return self
            moment = min([entry[0] for entry in self.heap[:1]] + ([wake] if wake else []))
            assert moment < until, "the rollout does not come to an end"
            if deaths and moment >= deaths[0]:
                self.now = max(self.now, deaths.pop(0))
                scheduler, inputs = self.boot(), []
                continue
            self.now = max(self.now, moment)
            inputs = self.arrivals()

    def round(self, scheduler: Scheduler, inputs: list) -> float | None:
        """Play one round, changes first; return when to wake up."""
        result = scheduler.advance(inputs, self.now - self.began)
        for change in result.changes:
            misses = scheduler.records[change.step].misses
            self.records[change.step] = Record(change.state, change.attempt, misses)
            if change.state == st.SENT:
                self.intents.add((change.step, change.attempt))
        wake = None
        for decision in result.decisions:
            match decision:
                case Finished():
                    self.finished = decision
                case WaitUntil():
                    # A little later, or rounding would wake it a little too early for ever.
                    wake = decision.time + self.began + 1e-6
                case _:
                    self.leave(decision)
        return wake

    # -- the network ----------------------------------------------------------------------------

    def leave(self, decision: Send | Poll | PollAll | List) -> None:
        """Send a call on its way."""
        trip = self.rng.uniform(0.05, 0.3)
        late = isinstance(decision, Send) and self.rng.random() < self.late
        there = self.now + (self.rng.uniform(0.0, 40.0) if late else trip / 2)
        call = _Call(decision, self.generation, self.now, self.now + trip, *self.asked(decision))
        heapq.heappush(self.heap, (there, next(self.tie), "there", call))

    def asked(self, decision: Send | Poll | PollAll | List) -> tuple[str, dict[str, str]]:
        """Return operation and parameters of a call."""
        if isinstance(decision, Send):
            assert (decision.step, decision.attempt) in self.intents, "sent before it was intended"
            step = self.steps[decision.step]
            token = client_token("world", step.number, decision.attempt)
            parameters = step.parameters(token)
            return st.OPERATION[step.action], {k: str(v) for k, v in parameters.items()}
        if isinstance(decision, PollAll):
            page = {"PageNumber": str(decision.page), "PageSize": "50"}
            return POLL_ALL, {"RegionId": decision.region, **page}
        lane = decision.lane
        region = next(s.region_id for s in self.steps.values() if s.lane == lane)
        place = {"RegionId": region, "VpnConnectionId": lane}
        if isinstance(decision, Poll):
            return POLL, place
        return LIST, {**place, "PageNumber": str(decision.page), "PageSize": "50"}

    def arrivals(self) -> list:
        """Let everything of this moment arrive; return what the scheduler is told."""
        told = []
        while self.heap and self.heap[0][0] <= self.now:
            moment, _, kind, what = heapq.heappop(self.heap)
            if kind == "command":
                told.append(what)
            elif kind == "there":
                self.at_the_cloud(what, moment)
            elif what[0] == self.generation:
                told.append(what[1])
        return told

    def at_the_cloud(self, call: _Call, moment: float) -> None:
        """Let the cloud answer a call; the answer, or the time-out, comes back later."""
        answer = self.cloud.call(call.operation, call.parameters, now=moment)
        verdict = answer.verdict
        lost = verdict.drops or verdict.truncates or verdict.is_html
        back = max(call.back, moment) + verdict.delay
        if back - call.left > READ_TIMEOUT:
            lost, back = True, call.left + READ_TIMEOUT
        heard = _heard(call.decision, None if lost else answer)
        self.outcomes["lost" if lost else answer.code or "ok"] += 1
        back = max(back, self.now)
        heapq.heappush(self.heap, (back, next(self.tie), "back", (call.generation, heard)))


@dataclass
class _Call:
    decision: Send | Poll | PollAll | List
    generation: int
    left: float
    back: float
    operation: str
    parameters: dict[str, str]


def _heard(decision: Send | Poll | PollAll | List, answer) -> object:
    """Return what the scheduler hears of an answer, None being a lost one."""
    code = answer.code if answer else None
    kind = "unknown" if answer is None else classify(code, answer.status).kind if code else "ok"
    wait = answer.retry_after if answer else None
    if isinstance(decision, Send):
        if answer is None:
            return TimedOut(decision.step)
        return Answered(decision.step, kind, code, None, answer.request_id, wait)
    if isinstance(decision, Poll):
        state = answer.fields["State"] if kind == "ok" else None
        return Polled(decision.lane, state, kind, code, wait)
    if isinstance(decision, PollAll):
        if kind != "ok":
            return PolledAll(decision.region, decision.page, None, 0, kind, code, wait)
        rows = answer.fields["VpnConnections"]["VpnConnection"]
        states = {row["VpnConnectionId"]: row["State"] for row in rows}
        return PolledAll(decision.region, decision.page, states, answer.fields["TotalCount"])
    if kind != "ok":
        return Listed(decision.lane, decision.page, None, 0, kind, code, wait)
    rows = answer.fields["VcoRouteEntries"]
    routes = tuple(Route(r["RouteDest"], r["NextHop"], r["Weight"]) for r in rows)
    return Listed(decision.lane, decision.page, routes, answer.fields["TotalCount"])


# -- random worlds --------------------------------------------------------------------------------


def random_world(
    seed: int,
    *,
    faults: bool = True,
    late: bool = False,
    crashes: int = 0,
    connections: int | None = None,
    routes: int = 12,
) -> World:
    """Return a world that follows from a seed: inventory, live routes, task times, faults."""
    rng = random.Random(seed)
    names = [f"vco-{number:03}" for number in range(connections or rng.randint(1, 8))]
    regions = {name: rng.choice(REGIONS) for name in names}
    wanted = [
        (regions[name], name, f"10.{index}.{number}.0/24", name, rng.choice([0, 100]))
        for index, name in enumerate(names)
        for number in range(rng.randint(1, routes))
    ]
    live = [
        (*row[:4], row[4] if rng.random() < 0.5 else 100 - row[4])
        for row in wanted
        if rng.random() < 0.3
    ]
    live += [(regions[n], n, f"172.16.{i}.0/24", n, 100) for i, n in enumerate(names)]
    frame = pd.DataFrame(wanted, columns=list(schema.ROUTES_REQUIRED))
    there = schema.frame(
        schema.LIVE_ROUTES,
        pd.DataFrame(live, columns=list(schema.ROUTES_REQUIRED)).to_dict("series"),
    )
    cloud = Cloud(
        [Connection(name, regions[name]) for name in names],
        [LiveRoute(row[1], row[2], row[4], row[3]) for row in live],
        seed=seed,
        quota=1000,
        task_seconds=(0.5, rng.uniform(1, 20)),
        faults=random_faults(rng) if faults else (),
    )
    return World(plan_routes(frame, there), cloud, rng, late=0.1 if late else 0.0, crashes=crashes)


def random_faults(rng: random.Random) -> list[Fault]:
    """Return a few faults, each striking now and then."""
    kinds = [*LOSSY, "throttle", "busy", "task_fails", "delay"]
    return [
        Fault(kind, probability=rng.uniform(0.02, 0.2), seconds=rng.choice([1.0, 12.0]))
        for kind in rng.sample(kinds, rng.randint(0, 4))
    ]


def live_of(cloud: Cloud, now: float) -> dict[str, frozenset[Route]]:
    """Return the routes of each connection of the cloud."""
    return {
        site.connection.vpn_connection_id: frozenset(
            Route(r.route_dest, r.next_hop, r.weight) for r in site.table
        )
        for site in cloud.sites(now)
    }
