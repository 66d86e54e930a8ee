"""A cloud in virtual time, as strict as the contract: windows, one task a connection, round trips.

It is neither the simulator (which speaks HTTP and knows every error) nor the forecast's model (in
which nothing is ever refused), so that a mistake in one of them is not one here. Of routes it knows
creates only; nothing fails in it but for limits and busy connections::

    a call passes if fewer than L calls of its operation passed in (t - W, t]; a refused one is not
    counted, and is told when the oldest leaves the window
    a connection runs one task at a time; a write meanwhile is refused as busy
    a route is listed when its task has ended
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from vcokit.cloud.operations import OPERATIONS, PAGE_SIZE, Limit
from vcokit.rollout.steps import CREATE, Route, Step

CREATES: Final = "CreateVcoRouteEntry"
REGION: Final = "cn-hangzhou"
#: Seconds: how long tasks take, and round trips.
TASK: Final = (2.0, 20.0)
TRIP: Final = (0.05, 0.3)


@dataclass(frozen=True)
class Work:
    """What there is to do: so many creates on each connection, and how long each takes.

    Parameters
    ----------
    steps : tuple of Step
        In the order of the inventory, connection by connection.
    tasks, trips : tuple of float
        Seconds of each step's task and of the round trip of its call; whoever makes the call, and
        whenever, they are these.

    Examples
    --------
    >>> work = Work.of([3, 1], seed=1)
    >>> [step.lane for step in work.steps]
    ['vco-0000', 'vco-0000', 'vco-0000', 'vco-0001']
    >>> all(2 <= seconds <= 20 for seconds in work.tasks)
    True
    """

    steps: tuple[Step, ...]
    tasks: tuple[float, ...]
    trips: tuple[float, ...]

    @classmethod
    def of(cls, sizes: Sequence[int], seed: int) -> Work:
        """Return work of so many steps a connection."""
        rng, steps = Random(f"{seed}/work"), list[Step]()
        for lane, size in enumerate(sizes):
            name = f"vco-{lane:04}"
            for n in range(size):
                network = f"{10 + lane % 200}.{n // 256}.{n % 256}.0/24"
                steps.append(Step(len(steps), CREATE, REGION, name, network, name, 100))
        tasks = tuple(rng.uniform(*TASK) for _ in steps)
        return cls(tuple(steps), tasks, tuple(rng.uniform(*TRIP) for _ in steps))

    def bound(self, limits: Mapping[str, Limit]) -> float:
        """Return the seconds that no one can do it in less of.

        The larger of what the limit of creates allows, and of the lanes: tasks one after another,
        with a round trip each.

        Examples
        --------
        >>> work = Work.of([1] * 121, seed=1)
        >>> work.bound({CREATES: Limit(60, 60.0)})
        120.0
        """
        limit = limits[CREATES]
        rate = (-(-len(self.steps) // limit.calls) - 1) * limit.seconds
        lanes: Counter[str] = Counter()
        for step, task, trip in zip(self.steps, self.tasks, self.trips, strict=True):
            lanes[step.lane] += task + trip  # type: ignore[assignment]
        return max(rate, *lanes.values())


@dataclass
class CloudModel:
    """The cloud.

    Parameters
    ----------
    work : Work
    limits : mapping of str to Limit
        Those that are in force, whatever a client was told.

    Attributes
    ----------
    passed : dict of str to list of float
        When each call that passed did, by operation.
    refused : Counter
        Calls that did not, by operation and reason: ``throttled`` or ``busy``.
    """

    work: Work
    limits: Mapping[str, Limit]
    passed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._windows: dict[str, deque[float]] = defaultdict(deque)
        self._busy_until: dict[str, float] = defaultdict(float)
        self._routes: dict[str, list[Route]] = defaultdict(list)
        self._listed_at: dict[str, list[float]] = defaultdict(list)
        self.lanes = sorted({step.lane for step in self.work.steps})

    def admit(self, operation: str, now: float) -> float | None:
        """Count a call; return None, or the seconds to wait where it is one too many."""
        limit, window = self.limits[operation], self._windows[operation]
        while window and window[0] <= now - limit.seconds:
            window.popleft()
        if len(window) >= limit.calls:
            self.refused[operation, "throttled"] += 1
            return window[0] + limit.seconds - now
        window.append(now)
        self.passed[operation].append(now)
        return None

    def create(self, number: int, now: float) -> tuple[str, float | None]:
        """Return what a create is answered, and how long to wait where it is throttled."""
        wait = self.admit(CREATES, now)
        if wait is not None:
            return "throttled", wait
        step = self.work.steps[number]
        if now < self._busy_until[step.lane]:
            self.refused[CREATES, "busy"] += 1
            return "busy", None
        end = now + self.work.tasks[number]
        self._busy_until[step.lane] = end
        self._routes[step.lane].append(Route(step.route_dest, step.next_hop, step.weight))
        self._listed_at[step.lane].append(end)
        return "ok", None

    def state(self, lane: str, now: float) -> str:
        """Return the state of a connection."""
        return "updating" if now < self._busy_until[lane] else "attached"

    def states(self, page: int, now: float) -> dict[str, str]:
        """Return the states of one page of all connections."""
        begin = (page - 1) * PAGE_SIZE
        return {lane: self.state(lane, now) for lane in self.lanes[begin : begin + PAGE_SIZE]}

    def listing(self, lane: str, page: int, now: float) -> tuple[tuple[Route, ...], int]:
        """Return one page of a connection's routes, and how many there are."""
        count = bisect_right(self._listed_at[lane], now)
        begin = (page - 1) * PAGE_SIZE
        return tuple(self._routes[lane][begin : min(begin + PAGE_SIZE, count)]), count

    def created(self) -> int:
        """Return how many routes were made."""
        return sum(len(routes) for routes in self._routes.values())

    # -- the reckoning --------------------------------------------------------------------------

    def share(self, kind: str, *, writes: bool = False) -> float:
        """Return the share of calls, or of writes, that were refused as busy or throttled."""
        wrong = sum(n for (op, why), n in self.refused.items() if why == kind and _of(op, writes))
        right = sum(len(times) for op, times in self.passed.items() if _of(op, writes))
        throttled = sum(
            n for (op, why), n in self.refused.items() if why == "throttled" and _of(op, writes)
        )
        return wrong / max(1, right + throttled)

    def reads_used(self, seconds: float) -> float:
        """Return the share of its limit that the most used reading operation used."""
        reads = {op: len(times) for op, times in self.passed.items() if not OPERATIONS[op].writes}
        return max(
            (
                count * self.limits[op].seconds / (self.limits[op].calls * max(seconds, 60.0))
                for op, count in reads.items()
            ),
            default=0.0,
        )

    def most_in_a_window(self, operation: str) -> int:
        """Return the most calls that passed within any window, counted anew from their times."""
        times, seconds = self.passed[operation], self.limits[operation].seconds
        return max(
            (bisect_right(times, t) - bisect_right(times, t - seconds) for t in times), default=0
        )


def _of(operation: str, writes: bool) -> bool:
    return OPERATIONS[operation].writes or not writes
