"""A connection in operation: its routes, the one task that may run on it, its State and Status.

::

                     write accepted
        attached ───────────────────────▶ updating
            ▲                                │
            └────────────────────────────────┘
               the task ends: its change, if any is left, comes into force

Nothing wakes up when a task ends. Whoever looks at a site first brings it to the present with
`Site.settle`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from vcokit.simulator.model import TUNNEL_DOWN, TUNNEL_UP, Connection, Route, RouteKey
from vcokit.simulator.prefixes import parse_destination


class RouteTable:
    """The routes of one connection, in the order in which they came.

    Parameters
    ----------
    minds_shared_space : bool
        Whether routes into 100.64.0.0/10 bring the tunnel down.
    """

    def __init__(self, *, minds_shared_space: bool = True) -> None:
        self._minds_shared_space = minds_shared_space
        self._routes: dict[RouteKey, Route] = {}
        self._by_network: dict[str, set[RouteKey]] = {}
        self._harmful: set[RouteKey] = set()

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def __contains__(self, key: object) -> bool:
        return key in self._routes

    def __getitem__(self, key: RouteKey) -> Route:
        return self._routes[key]

    @property
    def breaks_tunnel(self) -> bool:
        """Whether a route takes addresses that the cloud needs itself."""
        return self._minds_shared_space and bool(self._harmful)

    def at(self, network: str) -> frozenset[RouteKey]:
        """Return the routes of a network."""
        return frozenset(self._by_network.get(network, ()))

    def page(self, start: int, stop: int) -> list[Route]:
        """Return some routes by position."""
        return list(islice(self._routes.values(), start, stop))

    def add(self, route: Route) -> None:
        """Add a route; one with the same key is replaced."""
        self._routes[route.key] = route
        self._by_network.setdefault(route.route_dest, set()).add(route.key)
        destination = parse_destination(route.route_dest)
        if destination is not None and destination.touches_shared_space:
            self._harmful.add(route.key)

    def remove(self, key: RouteKey) -> None:
        """Remove a route that is there."""
        del self._routes[key]
        self._harmful.discard(key)
        keys = self._by_network[key.route_dest]
        keys.remove(key)
        if not keys:
            del self._by_network[key.route_dest]


@dataclass(frozen=True)
class Change:
    """What a write asks for: a route more, a route less, or one in place of another."""

    adds: Route | None = None
    removes: RouteKey | None = None

    @property
    def at_once(self) -> bool:
        """Whether it takes effect at acceptance: less traffic now, more when the task ends."""
        if self.adds is None:
            return True
        return self.removes is not None and self.adds.weight < self.removes.weight


NO_CHANGE = Change()


@dataclass(frozen=True)
class Task:
    """Background work: the simulated second it ends, and the change that comes into force then."""

    ends: float
    change: Change


@dataclass
class Site:
    """A connection with what changes about it."""

    connection: Connection
    table: RouteTable = field(default_factory=RouteTable)
    task: Task | None = None
    #: Simulated second of the last accepted write.
    accepted: float = -math.inf

    @property
    def state(self) -> str:
        """The State the cloud shows: this is the field that tells of a task."""
        return "updating" if self.task else self.connection.idle_state

    @property
    def status(self) -> str:
        """The IKE/IPsec Status the cloud shows; down while a harmful route is there."""
        return TUNNEL_DOWN if self.table.breaks_tunnel else self.connection.status

    @property
    def forwards(self) -> bool:
        """Whether the tunnel is up."""
        return self.status == TUNNEL_UP

    @property
    def awaited(self) -> Route | None:
        """The new route that a running task will bring, None for changes of a route there."""
        change = self.task.change if self.task else NO_CHANGE
        return change.adds if change.removes is None else None

    @property
    def table_size(self) -> int:
        """Routes that are there or on their way."""
        return len(self.table) + (self.awaited is not None)

    def settle(self, now: float) -> None:
        """Bring the site to simulated second `now`."""
        if self.task is not None and self.task.ends <= now:
            self.apply(self.task.change)
            self.task = None

    def begin(
        self, change: Change, now: float, *, ends: float, fails: bool, removes_at_once: bool = True
    ) -> None:
        """Start the task of an accepted write; one that fails changes nothing, ever."""
        if fails:
            change = NO_CHANGE
        elif change.at_once and removes_at_once:
            self.apply(change)
            change = NO_CHANGE
        self.task, self.accepted = Task(ends, change), now

    def apply(self, change: Change) -> None:
        """Bring a change into force."""
        if change.removes is not None:
            self.table.remove(change.removes)
        if change.adds is not None:
            self.table.add(change.adds)
