"""Between rollout and cloud: round trips, lost answers, late requests, and a record of it all.

`Wire` is what the engine takes for its `AsyncClient`: a call travels to the simulator's state and
its answer back, in virtual time. What happens is kept as plain tuples, for the judge and for
whoever reads the trace::

    send ─→ cloud ─→ hear          one number a call; a dead process hears nothing
               └──→ routes         whenever what a connection holds has changed
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.clockwork import World
from vcokit.cloud.answers import Answer
from vcokit.cloud.codes import classify
from vcokit.cloud.listing import Page
from vcokit.cloud.operations import OPERATIONS, Limit, Operation
from vcokit.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    BusyError,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    ProtocolError,
    QuotaError,
    ServerError,
    StateError,
    ThrottledError,
)
from vcokit.simulator.backend import Cloud

READ_TIMEOUT = 10.0
ERRORS = {
    "busy": BusyError,
    "throttled": ThrottledError,
    "input": BadRequestError,
    "state": StateError,
    "quota": QuotaError,
    "auth": AuthError,
    "not-found": NotFoundError,
    "server": ServerError,
}


class Network:
    """The way to the cloud and back.

    Parameters
    ----------
    world : World
    cloud : Cloud
    rng : random.Random
        Of round trips.
    outages : list of (float, float)
        When nothing leaves this machine, or nothing comes back.
    """

    def __init__(
        self, world: World, cloud: Cloud, rng: random.Random, outages: list[tuple[float, float]]
    ) -> None:
        self.world, self.cloud, self.rng, self.outages = world, cloud, rng, outages
        self.log: list[tuple] = []
        self.calls = 0
        self._seen = 0
        self._routes: dict[str, frozenset] = {}
        self._ends: dict[str, float] = {}
        self.look()

    def note(self, kind: str, *what: Any) -> None:
        """Keep what happened, with the time."""
        self.log.append((self.world.now, kind, *what))

    def is_out(self) -> bool:
        """Tell whether the network is down."""
        return any(begin <= self.world.now < end for begin, end in self.outages)

    def look(self) -> None:
        """Note every connection whose routes have changed, and calls that came by themselves."""
        connections = self.cloud.advance(self.world.now)
        self._late()
        for connection in connections:
            name = connection.vpn_connection_id
            routes = frozenset(tuple(route.key) for route in connection.table)
            if self._routes.get(name) != routes:
                self._routes[name] = routes
                self.note("routes", name, routes)
            task = connection.task
            if task is not None and self._ends.get(name) != task.ends:
                self._ends[name] = task.ends
                self.world.at(task.ends, self.look)

    def _late(self) -> None:
        for call in self.cloud.history[self._seen :]:
            self.note("late", call)
        self._seen = len(self.cloud.history)

    def arrive(self, operation: str, parameters: Mapping[str, str]) -> Any:
        """Let the cloud answer a call that arrives now; watch what comes of it."""
        answer = self.cloud.call(operation, parameters, now=self.world.now)
        own = self.cloud.history.pop()
        self._late()
        self.cloud.history.append(own)
        self._seen += 1
        for seconds in answer.faults.duplicate_delays:
            self.world.at(self.world.now + seconds, self.look)
        if OPERATIONS[operation].writes:
            self.look()
        return answer


class Wire:
    """What the engine takes for its client; one a process.

    Parameters
    ----------
    network : Network
    limits : mapping of str to Limit
        What the client thinks the limits are.
    leaving : callable
        Called with number, operation and parameters of a call before it leaves; may kill.
    """

    speed = 1.0
    round_trip = None

    def __init__(
        self,
        network: Network,
        limits: Mapping[str, Limit],
        leaving: Callable[[int, Operation, dict[str, str]], None],
    ) -> None:
        self._network, self.limits, self._leaving = network, limits, leaving
        self.alive = True

    def to_async(self) -> Wire:
        """Return an asynchronous client: itself."""
        return self

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def exchange(
        self, operation: Operation, parameters: Mapping[str, object], **_: object
    ) -> tuple[Operation, dict[str, str]]:
        """Return a call, not made yet."""
        return operation, dict(operation.wire(parameters))

    def page(
        self,
        operation: Operation,
        parameters: Mapping[str, object],
        number: int,
        **_: object,
    ) -> tuple[Operation, dict[str, str]]:
        """Return a page of a listing, not asked for yet."""
        return self.exchange(operation, {"PageSize": 50, "PageNumber": number, **parameters})

    async def run(self, call: tuple[Operation, dict[str, str]]) -> Any:
        """Make a call; its answer, or the error that the real client would raise."""
        operation, parameters = call
        network = self._network
        network.calls += 1
        number = network.calls
        self._leaving(number, operation, parameters)
        future = asyncio.get_running_loop().create_future()
        trip = network.rng.uniform(0.05, 0.3)
        if network.is_out():
            self._lose(number, trip, future)
        else:
            there = network.world.now + trip / 2
            network.world.at(there, lambda: self._there(number, call, trip, future))
        result, outcome = await future
        if isinstance(result, Exception):
            raise result
        return _result(operation, result) if outcome == "ok" else None

    def _lose(self, number: int, trip: float, future: asyncio.Future) -> None:
        """Lose a call on its way: either it never left, or nobody knows."""
        if self._network.rng.random() < 0.5:
            self._back(number, trip, future, NotSentError("no route to the cloud"), "unsent")
        else:
            self._back(number, READ_TIMEOUT, future, NoAnswerError("no answer"), "lost")

    def _there(
        self, number: int, call: tuple[Operation, dict[str, str]], trip: float, future: Any
    ) -> None:
        network, (operation, parameters) = self._network, call
        answer = network.arrive(operation.name, parameters)
        network.note("cloud", number, answer)
        faults, wait = answer.faults, trip / 2 + answer.faults.delay
        if network.is_out() or wait + trip / 2 > READ_TIMEOUT:
            left = READ_TIMEOUT - trip / 2
            self._back(number, left, future, NoAnswerError("no answer in time"), "lost")
        elif faults.drops:
            self._back(number, wait, future, NoAnswerError("closed without an answer"), "lost")
        elif faults.truncates or (faults.body_override and answer.status == 200):
            self._back(number, wait, future, ProtocolError("cut off", received=""), "cut")
        elif answer.code:
            self._back(number, wait, future, _error(answer), answer.code)
        else:
            self._back(number, wait, future, answer, "ok")

    def _back(
        self, number: int, wait: float, future: asyncio.Future, result: Any, outcome: str
    ) -> None:
        def hear() -> None:
            if self.alive and not future.done():
                self._network.note("hear", number, outcome)
                future.set_result((result, outcome))

        self._network.world.at(self._network.world.now + wait, hear)


def _error(answer: Any) -> ApiError:
    wait = min(answer.retry_after, 30.0) if answer.retry_after else None
    kind = "throttled" if wait else classify(answer.code, answer.status).kind
    return ERRORS.get(kind, ApiError)(
        answer.message,
        code=answer.code,
        request_id=answer.request_id,
        http_status=answer.status,
        retry_after=wait,
    )


def _result(operation: Operation, answer: Any) -> Any:
    if not operation.rows:
        return Answer(operation.name, answer.request_id, dict(answer.fields))
    rows: Any = answer.fields
    for name in operation.rows:
        rows = rows[name]
    return Page([dict(row) for row in rows], answer.fields["TotalCount"], answer.request_id)
