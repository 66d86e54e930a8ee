"""How long a rollout takes, beside other ways to make the same calls: in virtual time.

::

    Rollout, or a peer ─call→ half a round trip → Cloud, the simulator's own → the other half → …
             └──────── one clock, which jumps where others would sleep ─────────────┘

Everybody gets the same steps, the same limits and the same tasks of 2 to 20 s, drawn as they are
accepted; round trips take 50 to 300 ms. The lower bound is what nobody can beat: the rate limit
of creates, and on each connection its tasks one after another, with the pause between two that the
cloud wants.

===========  ===============================================================================
competent    what an engineer writes in twenty lines who knows the limit: a worker for each
             connection, calls spread evenly, the longest lane first, a poll every second, and a
             second later once more what was refused as too soon
provider     as the common provider of an infrastructure tool: ten resources at a time, in no
             order; refused as busy or throttled it waits 3, 6, 9 … s; it does not poll
===========  ===============================================================================

Neither looks before it sends, keeps a journal, or knows after a crash what it has done.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import pandas as pd

import vcokit as vk
from benchmarks import DisagreementError, Row
from vcokit import errors, schema
from vcokit.cloud.client import Page
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.cloud.ratelimit import Limiter
from vcokit.cloud.responses import Answer
from vcokit.rollout.engine import Clocks
from vcokit.simulator import Connection
from vcokit.simulator.backend import Cloud

CREATE: Final = "CreateVcoRouteEntry"
POLL: Final = "DescribeVpnConnection"
REGION: Final = "cn-hangzhou"
#: Seconds: how long tasks take, and round trips.
TASK: Final = (2.0, 20.0)
TRIP: Final = (0.05, 0.3)


def even(steps: int, lanes: int) -> list[int]:
    """Return as many steps a lane, but for the rest.

    >>> even(10, 4)
    [3, 3, 2, 2]
    """
    return [steps // lanes + (lane < steps % lanes) for lane in range(lanes)]


def zipf(steps: int, lanes: int) -> list[int]:
    """Return steps by lane that fall with its rank: a half, a third, a quarter of the first …

    >>> zipf(100, 4)
    [48, 24, 16, 12]
    """
    whole = sum(1 / rank for rank in range(1, lanes + 1))
    sizes = [max(1, int(steps / whole / rank)) for rank in range(1, lanes + 1)]
    sizes[0] += steps - sum(sizes)
    return sizes


def giant(steps: int, lanes: int) -> list[int]:
    """Return half of all on the first lane.

    >>> giant(100, 6)
    [50, 10, 10, 10, 10, 10]
    """
    return [steps - steps // 2, *even(steps // 2, lanes - 1)]


SHAPES: Final = {"even": even, "Zipf": zipf, "one giant lane": giant}


# -- virtual time -----------------------------------------------------------------------------


class Clock(selectors.DefaultSelector):
    """A clock that is moved by an event loop that would sleep."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Let the time pass that the loop would wait for."""
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


def loop_of(clock: Clock) -> asyncio.AbstractEventLoop:
    """Return an event loop that lives by a clock."""
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    return loop


# -- the work, and the cloud that it is done on -----------------------------------------------


@dataclass
class Run:
    """One go at the work: the cloud with its true limits, and what happened on the way to it.

    Parameters
    ----------
    sizes : list of int
        Steps of each connection.
    seed : int
    share : float
        Part of the limit of creates that is in force, whatever a client was told.
    """

    sizes: list[int]
    seed: int
    share: float = 1.0
    told: Mapping[str, Limit] = field(
        default_factory=lambda: {name: one.limit for name, one in OPERATIONS.items()}
    )

    def __post_init__(self) -> None:
        full = self.told[CREATE]
        self.limit = Limit(max(1, int(full.calls * self.share)), full.seconds)
        self.lanes = {
            f"vco-{lane:04}": [f"{10 + lane % 200}.{n // 256}.{n % 256}.0/24" for n in range(size)]
            for lane, size in enumerate(self.sizes)
        }
        limits = {name: (one.calls, one.seconds) for name, one in self.told.items()}
        limits[CREATE] = (self.limit.calls, self.limit.seconds)
        self.cloud = Cloud(
            [Connection(name, REGION) for name in self.lanes],
            seed=self.seed,
            quota=10**6,
            task_seconds=TASK,
            limits=limits,
        )
        self.clock = Clock()
        self.calls, self.refused = Counter[str](), Counter[str]()
        self._trips = Random(f"{self.seed}/trips")
        self._tasks = Random(f"{self.seed}/tasks")  # as the simulator draws them, see `_follow`
        self._ends = dict.fromkeys(self.lanes, 0.0)
        self._busy = dict.fromkeys(self.lanes, 0.0)

    async def call(self, operation: str, parameters: Mapping[str, str]) -> Any:
        """Make a call and return the cloud's answer."""
        trip = self.trip()
        await asyncio.sleep(trip / 2)
        answer = self.arrive(operation, parameters)
        await asyncio.sleep(trip / 2)
        return answer

    def trip(self) -> float:
        """Return the seconds of the next round trip."""
        return self._trips.uniform(*TRIP)

    def arrive(self, operation: str, parameters: Mapping[str, str]) -> Any:
        """Let a call arrive now; return the cloud's answer."""
        answer = self.cloud.call(operation, parameters, now=self.clock.now)
        self.calls[operation] += 1
        self.refused[answer.code] += bool(answer.code)
        self._follow(operation, parameters.get("VpnConnectionId", ""), answer)
        return answer

    def _follow(self, operation: str, lane: str, answer: Any) -> None:
        """Keep how long tasks take, for the lower bound; see that the cloud says the same."""
        if operation == CREATE and not answer.code:
            seconds = self._tasks.uniform(*TASK)
            self._ends[lane] = self.clock.now + seconds
            self._busy[lane] += seconds
        elif operation == POLL and not answer.code:
            ended = answer.fields["State"] == "attached"
            if ended != (self._ends[lane] <= self.clock.now):
                raise DisagreementError("tasks do not take what the lower bound is made of")

    def bound(self) -> float:
        """Return the seconds that nobody can do the same in less of."""
        windows = -(-sum(self.sizes) // self.limit.calls) - 1
        pause = self.cloud.switches.task_conflict_seconds
        lanes = [self._busy[lane] + pause * (len(nets) - 1) for lane, nets in self.lanes.items()]
        return max(windows * self.limit.seconds + TASK[0], *lanes)

    def holds(self) -> dict[str, list[str]]:
        """Return what the cloud holds in the end."""
        self.clock.now += TASK[1]
        found: dict[str, list[str]] = {lane: [] for lane in self.lanes}
        for lane, networks in self.lanes.items():
            for page in range(1, -(-len(networks) // 50) + 1):
                self.clock.now += 1.0  # within the limit of reads
                place = {"RegionId": REGION, "VpnConnectionId": lane, "PageSize": "50"}
                parameters = place | {"PageNumber": str(page)}
                answer = self.cloud.call("DescribeVcoRouteEntries", parameters, now=self.clock.now)
                rows: Any = answer.fields
                for name in OPERATIONS["DescribeVcoRouteEntries"].rows:
                    rows = rows[name]
                found[lane] += [row["RouteDest"] for row in rows]
        return found

    def create(self, lane: str, network: str) -> Awaitable[Any]:
        """Make the call that creates a route."""
        parameters = {"RegionId": REGION, "VpnConnectionId": lane, "RouteDest": network}
        return self.call(CREATE, parameters | {"NextHop": lane, "Weight": "100"})

    def poll(self, lane: str) -> Awaitable[Any]:
        """Make the call that tells whether a task has ended."""
        return self.call(POLL, {"RegionId": REGION, "VpnConnectionId": lane})


# -- who carries it out -----------------------------------------------------------------------


class Wire:
    """What a rollout takes for its client."""

    speed, round_trip, simulated, settings = 1.0, None, False, None
    account = endpoint = ""

    def __init__(self, run: Run) -> None:
        self._run, self.limits = run, run.told
        self.limiter = Limiter(run.told)

    def call(self, operation: Any, parameters: Mapping[str, object], **_: object) -> Answer:
        """Make a call that arrives now; return what the real client would, or raise it."""
        answer = self._answer(operation, parameters)
        return Answer(operation.name, answer.request_id, dict(answer.fields))

    def page(self, operation: Any, parameters: Any, number: int, **_: object) -> Page:
        """Ask for a page of a listing that arrives now."""
        place = {"PageSize": 50, "PageNumber": number, **parameters}
        answer = self._answer(operation, place)
        rows: Any = answer.fields
        for name in operation.rows:
            rows = rows[name]
        return Page([dict(row) for row in rows], answer.fields["TotalCount"], answer.request_id)

    def _answer(self, operation: Any, parameters: Mapping[str, object]) -> Any:
        answer = self._run.arrive(operation.name, dict(operation.wire(parameters)))
        if answer.code:
            kind = errors.ThrottledError if answer.retry_after else errors.BusyError
            said = {"request_id": answer.request_id, "http_status": answer.status}
            raise kind(answer.message, code=answer.code, retry_after=answer.retry_after, **said)
        return answer


class Post:
    """What a rollout has for its calls: each arrives half a round trip later, as does its answer.

    No thread is needed: a call of `Wire` waits for nothing.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._tie, self._half = run, count(), 0.0
        self._heap: list[tuple[float, int, float, Any]] = []

    def submit(self, work: Callable[[], None]) -> None:
        """Send a call on its way."""
        half = self._run.trip() / 2
        self._push(half, half, work)

    def put(self, item: Any) -> None:
        """Send an answer on its way back."""
        self._push(self._half, 0.0, item)

    def _push(self, seconds: float, half: float, what: Any) -> None:
        entry = (self._run.clock.now + seconds, next(self._tie), half, what)
        heapq.heappush(self._heap, entry)

    def get(self, seconds: float) -> Any:
        """Return what comes first within so many seconds; None where nothing does."""
        clock = self._run.clock
        until = clock.now + seconds
        while self._heap and self._heap[0][0] <= until:
            clock.now, _, self._half, what = heapq.heappop(self._heap)
            if not self._half:
                return what
            what()
        clock.now = until
        return None

    def close(self) -> None:
        """Leave nothing behind, for there is nothing."""


def ours(run: Run) -> None:
    """Let a rollout do it, with its journal, as a user would."""
    rows = [(REGION, lane, net, lane, 100) for lane, nets in run.lanes.items() for net in nets]
    names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    routes = pd.DataFrame(rows, columns=names)

    now = run.clock
    threads: Any = lambda: Post(run)  # noqa: E731
    clocks = Clocks(lambda: 1_795_000_000.0 + now.now, lambda: now.now, threads)
    with tempfile.TemporaryDirectory(prefix="vcokit-bench-") as folder:
        wire: Any = Wire(run)
        plan = vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
        vk.Rollout(plan, wire, journal=Path(folder) / "rollout.db", clocks=clocks).start().wait()


def played(worker: Callable[[Run], Awaitable[None]]) -> Callable[[Run], None]:
    """Return a peer as something that does a run."""

    def play(run: Run) -> None:
        with asyncio.Runner(loop_factory=lambda: loop_of(run.clock)) as runner:
            runner.run(worker(run))  # type: ignore[arg-type]

    return play


async def competent(run: Run) -> None:
    """Send from a worker for each connection, the longest first, evenly, and poll every second."""
    limit, tie = run.told[CREATE], count()
    waiting: list[tuple[int, int, asyncio.Future[None]]] = []
    loop = asyncio.get_running_loop()

    async def pace() -> None:
        while True:
            if waiting:
                heapq.heappop(waiting)[2].set_result(None)
            await asyncio.sleep(limit.seconds / limit.calls)

    async def work(lane: str, left: list[str]) -> None:
        while left:
            turn = loop.create_future()
            heapq.heappush(waiting, (-len(left), next(tie), turn))
            await turn
            answer = await run.create(lane, left[-1])
            if answer.code:
                await asyncio.sleep(answer.retry_after or 1.0)
                continue
            left.pop()
            state = ""
            while state != "attached":
                await asyncio.sleep(1.0)
                state = (await run.poll(lane)).fields.get("State")

    pacer = asyncio.create_task(pace())
    await asyncio.gather(*(work(lane, nets[::-1]) for lane, nets in run.lanes.items()))
    pacer.cancel()


async def provider(run: Run) -> None:
    """Send from ten workers in no order, and wait 3, 6, 9 … s where refused."""
    steps = [(lane, net) for lane, nets in run.lanes.items() for net in nets]
    Random(f"{run.seed}/order").shuffle(steps)

    async def work() -> None:
        while steps:
            step, wait = steps.pop(), 3.0
            while (await run.create(*step)).code:
                await asyncio.sleep(wait)
                wait += 3.0

    await asyncio.gather(*(work() for _ in range(10)))


OURS: Final = "vcokit"
WHO: Final[dict[str, Callable[[Run], None]]] = {
    OURS: ours,
    "competent": played(competent),
    "provider": played(provider),
}


# -- measured ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What came of a run: makespan over lower bound, and shares of calls that were refused."""

    ratio: float
    throttled: float
    busy: float

    def __str__(self) -> str:
        refused = f"{self.throttled:.1%} throttled, {self.busy:.1%} busy".replace("%", " %")
        return f"{self.ratio:.3f} × bound; {refused}"


def measure(who: str, sizes: list[int], seed: int, share: float = 1.0) -> Result:
    """Let somebody do the work; return what came of it.

    Raises
    ------
    DisagreementError
        If the cloud does not hold what was to be created, once each.
    """
    run = Run(sizes, seed, share)
    WHO[who](run)
    seconds, made = run.clock.now, run.calls.total()
    refused = run.refused.copy()
    bound = run.bound()
    held = run.holds()
    if {lane: sorted(nets) for lane, nets in held.items()} != {
        lane: sorted(nets) for lane, nets in run.lanes.items()
    }:
        raise DisagreementError(f"{who}: the cloud does not hold the routes of the plan")
    throttled = sum(n for code, n in refused.items() if code.startswith("Throttling"))
    return Result(seconds / bound, throttled / made, (refused.total() - throttled) / made)


def rows(steps: int, lanes: int, seeds: int) -> Iterator[Row]:
    """Yield the rows of the table: every shape, with the limit known and with half of it."""
    for shape, sizes in SHAPES.items():
        for known, share in (("limit known", 1.0), ("half the limit", 0.5)):
            found = {
                who: [measure(who, sizes(steps, lanes), seed, share) for seed in range(seeds)]
                for who in WHO
            }
            mine = median(one.ratio for one in found[OURS])
            for who in [who for who in WHO if who != OURS]:
                pairs = zip(found[OURS], found[who], strict=True)
                gain = median(1 - our.ratio / their.ratio for our, their in pairs)
                middle = sorted(found[who], key=lambda one: one.ratio)[seeds // 2]
                yield Row(
                    f"makespan, {shape}, {known}",
                    f"{mine:.3f} × bound",
                    who,
                    str(middle),
                    f"{gain:.1%} shorter".replace("%", " %"),
                )
