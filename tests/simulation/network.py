"""The network between the real client and the simulated cloud, in virtual time.

`Network` takes the place of a client's transport: a request travels to the simulator's service and
its response back. Round trips take time, requests and answers are lost, and time-outs are the
client's own. What happens is kept as plain tuples, for the judge and for whoever reads the trace::

    send ─→ cloud ─→ hear          one number a call; a dead process hears nothing
               └──→ routes         whenever what a connection holds has changed
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.simulation.clockwork import Turn, World
from vcokit.simulator import Account
from vcokit.simulator.auth import HttpRequest
from vcokit.simulator.backend import Answer, Cloud
from vcokit.simulator.server import HttpResponse, Service

#: Seconds since the epoch at virtual second 0.
EPOCH = 1_795_000_000.0

WRITES = ("CreateVcoRouteEntry", "ModifyVcoRouteEntryWeight", "DeleteVcoRouteEntry")


@dataclass(frozen=True)
class Answered:
    """What the cloud made of a call.

    Parameters
    ----------
    code : str
        Error code; empty where there is none.
    changed : bool
        Whether the call changed routes, or will when its task ends.
    replayed : bool
    faults : str
        Kinds of the faults that struck it.
    fields : dict
        Of a success.
    outcome : str
        What the client hears if all of it arrives: ``ok``, an error code, or ``cut``.
    """

    code: str
    changed: bool
    replayed: bool
    faults: str
    fields: dict[str, Any]
    outcome: str


class Network:
    """The way to the cloud and back; outlives every process.

    Parameters
    ----------
    world : World
    cloud : Cloud
    rng : random.Random
        Of round trips.
    outages : list of (float, float)
        When nothing leaves this machine, or nothing comes back.
    account : Account, optional
        Whose key is known there.
    log : list of tuple, optional
        Where what happens goes.
    """

    def __init__(
        self,
        world: World,
        cloud: Cloud,
        rng: random.Random,
        outages: list[tuple[float, float]],
        account: Account | None = None,
        log: list[tuple] | None = None,
    ) -> None:
        self.world, self.cloud, self.rng, self.outages = world, cloud, rng, outages
        self.service = Service(cloud, [account or Account()])
        self.log: list[tuple] = [] if log is None else log
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

    def routes(self) -> dict[str, frozenset]:
        """Return what each connection holds now: network, next hop, weight."""
        return {
            one.vpn_connection_id: frozenset(tuple(route.key) for route in one.table)
            for one in self.cloud.connections(self.world.now)
        }

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
            if connection.task is not None and self._ends.get(name) != connection.task.ends:
                self._ends[name] = connection.task.ends
                self.world.at(connection.task.ends, self.look)

    def _late(self) -> None:
        for call in self.cloud.history[self._seen :]:
            self.note("late", call)
        self._seen = len(self.cloud.history)

    def foreign(self, operation: str, parameters: Mapping[str, str]) -> None:
        """Let somebody else make a call."""
        self.cloud.call(operation, parameters, now=self.world.now)
        own = self._arrived(operation)
        self.note("writer", operation, parameters, own.changed)

    def turn(self, name: str, state: str) -> None:
        """Let a connection come into another state, as its owner had it."""
        for connection in self.cloud.connections(self.world.now):
            if connection.vpn_connection_id == name:
                connection.state = state
        self.note("turn", name, state or "attached")

    def respond(self, request: httpx.Request) -> tuple[HttpResponse, Answered]:
        """Let the cloud answer a request that arrives now; watch what comes of it."""
        url = request.url
        came = HttpRequest(
            request.method,
            url.path,
            url.query,
            tuple((name.lower(), value) for name, value in request.headers.raw),
        )
        response = self.service.respond(came, wall=EPOCH + self.world.now, now=self.world.now)
        operation = request.headers["x-acs-action"]
        own = self._arrived(operation)
        fields, outcome = _read(response)
        names = own.faults.names
        return response, Answered(own.code, own.changed, own.replayed, names, fields, outcome)

    def _arrived(self, operation: str) -> Answer:
        """Take a call that has just arrived out of those that came by themselves."""
        own = self.cloud.history.pop()
        self._late()
        self.cloud.history.append(own)
        self._seen += 1
        for seconds in own.faults.duplicate_delays:
            self.world.at(self.world.now + seconds, self.look)
        if operation in WRITES:
            self.look()
        return own


def _read(response: HttpResponse) -> tuple[dict[str, Any], str]:
    """Return the fields of a response and what a client hears that gets all of it."""
    try:
        body = json.loads(response.body)
    except ValueError:
        return {}, "cut"
    return body, "ok" if response.status == 200 else body["Code"]


class Transport(httpx.BaseTransport):
    """What one process sends its requests by.

    Parameters
    ----------
    network : Network
    leaving : callable
        Called with number, operation and parameters of a call before it leaves; may kill.
    """

    def __init__(
        self, network: Network, leaving: Callable[[int, str, dict[str, str]], None]
    ) -> None:
        self._network, self._leaving = network, leaving
        self.alive = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; other threads go on until something comes back."""
        came: list[HttpResponse | Exception] = []
        turn, world = Turn(), self._network.world

        def back(what: HttpResponse | Exception) -> None:
            came.append(what)
            world.call(turn)

        self._send(request, back)
        world.rest(turn)
        return _response(came[0])

    def close(self) -> None:
        """Close nothing."""

    def _send(
        self, request: httpx.Request, back: Callable[[HttpResponse | Exception], None]
    ) -> None:
        network = self._network
        network.calls += 1
        number = network.calls
        operation = request.headers["x-acs-action"]
        given = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        self._leaving(number, operation, given)
        call = _Call(self, number, request, back, network.rng.uniform(0.05, 0.3))
        if network.is_out():
            call.lose()
        else:
            network.world.at(network.world.now + call.trip / 2, call.arrive)


class _Call:
    def __init__(
        self,
        transport: Transport,
        number: int,
        request: httpx.Request,
        back: Callable[[HttpResponse | Exception], None],
        trip: float,
    ) -> None:
        self.transport, self.network = transport, transport._network
        self.number, self.request, self._back, self.trip = number, request, back, trip
        self.patience: float = request.extensions["timeout"]["read"]

    def lose(self) -> None:
        """Lose a call on its way: either it never left, or nobody knows."""
        if self.network.rng.random() < 0.5:
            self.hear(self.trip, httpx.ConnectError("no route to the cloud"), "unsent")
        else:
            self.hear(self.patience, httpx.ReadTimeout("no answer in time"), "lost")

    def arrive(self) -> None:
        """Reach the cloud; what it answers is on its way from now on."""
        network = self.network
        response, answered = network.respond(self.request)
        network.note("cloud", self.number, answered)
        wait = self.trip / 2 + response.delay
        if network.is_out() or wait + self.trip / 2 > self.patience:
            left = self.patience - self.trip / 2
            self.hear(left, httpx.ReadTimeout("no answer in time"), "lost")
        elif response.drops:
            closed = "Server disconnected without sending a response."
            self.hear(wait, httpx.RemoteProtocolError(closed), "lost")
        else:
            self.hear(wait, response, "cut" if response.truncates else answered.outcome)

    def hear(self, wait: float, came: HttpResponse | Exception, outcome: str) -> None:
        """Let the client hear something after a while."""

        def back() -> None:
            if self.transport.alive:
                self.network.note("hear", self.number, outcome)
                self._back(came)

        self.network.world.at(self.network.world.now + wait, back)


def _response(came: HttpResponse | Exception) -> httpx.Response:
    if isinstance(came, Exception):
        raise came
    return httpx.Response(came.status, headers=list(came.headers), stream=_Body(came))


class _Body(httpx.SyncByteStream):
    """The body of a response; of one that is truncated its first half, and then a closed socket."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        body = self._response.body
        if self._response.truncates:
            yield body[: len(body) // 2]
            raise httpx.RemoteProtocolError("peer closed connection: the body is incomplete")
        yield body
