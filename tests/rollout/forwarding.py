"""A slow model of forwarding: tables of routes, addresses one by one, steps in any order.

It knows nothing of covers and barriers. Steps are carried out by whatever order is handed to it.
What is watched is which addresses an active route covers, and how many routes a connection holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from vcokit.rollout.steps import Route, Step

#: Three addresses would do for a proof, eight make it worth calling a network.
WORLD = IPv4Network("10.0.0.0/29")
NETWORKS = [net for length in range(29, 33) for net in WORLD.subnets(new_prefix=length)]

Tables = dict[str, set[Route]]


@dataclass
class Cloud:
    """Tables of routes by connection, and the scope of each connection."""

    tables: Tables
    scopes: Mapping[str, str]
    coming: dict[str, int] = field(default_factory=dict)

    def covered(self) -> set[tuple[str, IPv4Address]]:
        """Return (scope, address) of all that an active route covers."""
        return {
            (self.scopes[lane], address)
            for lane, table in self.tables.items()
            for route in table
            if route.weight > 0
            for address in IPv4Network(route.route_dest)
        }

    def accept(self, step: Step) -> None:
        """Take a call: what takes away takes effect now."""
        if step.action == "create":
            self.coming[step.vpn_connection_id] = self.coming.get(step.vpn_connection_id, 0) + 1
        if step.action == "delete" or (step.action == "modify" and step.weight == 0):
            self.settle(step)

    def settle(self, step: Step) -> None:
        """End its task: what brings takes effect now."""
        if step.action == "create":
            self.coming[step.vpn_connection_id] -= 1
        table = self.tables[step.vpn_connection_id]
        if step.before is not None:
            table.discard(step.before)
        if step.after is not None:
            table.add(step.after)

    def size(self, lane: str) -> int:
        """Return how many routes a connection has or will have."""
        return len(self.tables[lane]) + self.coming.get(lane, 0)


def random_tables(rng: random.Random, lanes: list[str], most: int) -> Tables:
    """Return some routes of each connection, each network once, with its connection as next hop."""
    return {
        lane: {
            Route(str(net), lane, rng.choice([0, 100, 100]))
            for net in rng.sample(NETWORKS, rng.randint(0, most))
        }
        for lane in lanes
    }


def steps_between(old: Tables, new: Tables, scopes: Mapping[str, str]) -> list[Step]:
    """Return what leads from some tables to others, in random-free order of connection."""
    found: list[dict[str, Any]] = []
    for lane in old:
        was = {route.route_dest: route for route in old[lane]}
        will = {route.route_dest: route for route in new[lane]}
        for dest in sorted(set(was) | set(will)):
            one, two = was.get(dest), will.get(dest)
            if one == two:
                continue
            action = "create" if one is None else "delete" if two is None else "modify"
            route = two or one
            assert route is not None
            found.append(
                {
                    "action": action,
                    "vpn_connection_id": lane,
                    "route_dest": dest,
                    "next_hop": route.next_hop,
                    "weight": route.weight,
                    "old_weight": one.weight if action == "modify" and one else None,
                    "scope": scopes[lane],
                }
            )
    return [Step(number=n, region_id="r", **given) for n, given in enumerate(found)]


@dataclass
class Run:
    """One carrying out of steps by an order, one call a connection at a time.

    Parameters
    ----------
    steps : list of Step
    order : Order
    cloud : Cloud
    rng : random.Random
        Which step goes next, and which fail.
    failing : float
        Chance of a refusal.
    """

    steps: list[Step]
    order: Any
    cloud: Cloud
    rng: random.Random
    failing: float = 0.0

    def __post_init__(self) -> None:
        self.waiting = {step.number: step for step in self.steps}
        self.flying: dict[str, Step] = {}
        self.done: set[int] = set()
        self.lost: set[int] = set()

    def first(self, number: int) -> set[int]:
        """Return all steps that must be done before this one, as the order says."""
        return self.order.first(number)

    def may_go(self) -> list[Step]:
        """Return the steps that wait for nothing, on connections without a call under way."""
        return [
            step
            for number, step in self.waiting.items()
            if step.vpn_connection_id not in self.flying and self.first(number) <= self.done
        ]

    def events(self) -> Iterator[Step]:
        """Carry everything out, yielding after each event, until nothing can go."""
        while True:
            for number in [n for n in self.waiting if self.first(n) & self.lost]:
                del self.waiting[number]
                self.lost.add(number)
            ready, flying = self.may_go(), list(self.flying.values())
            if not ready and not flying:
                if any(self.first(n) & self.lost for n in self.waiting):
                    continue
                return
            step = self.rng.choice(ready + flying)
            if step in flying:
                self.cloud.settle(step)
                self.done.add(step.number)
                del self.flying[step.vpn_connection_id]
            else:
                del self.waiting[step.number]
                if self.rng.random() < self.failing:
                    self.lost.add(step.number)
                else:
                    self.cloud.accept(step)
                    self.flying[step.vpn_connection_id] = step
            yield step
