"""What a rollout is tried on: an inventory, what is live, and what the plan has to be.

The generator knows of every row what it makes it for, so that the steps it expects come from how
the case was built and from plain dictionaries, never from the package::

    networks ─→ a role for each (connection, network) ─→ rows and live routes
                                                      └→ steps expected

Making a plan takes longer than carrying it out in virtual time, so several seeds share a case.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Any

import pandas as pd

from vcokit import schema
from vcokit.rollout.ordering import Order
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.steps import Step

#: Seeds that share a case; each has its own times, faults, limits and deaths.
SEEDS_A_CASE = 25
#: Connections of some cases: more than one page of a list has.
CROWD = 60
REGION, OTHER_REGION = "cn-hangzhou", "eu-central-1"

#: A route as the cloud tells it from others: network, next hop, weight.
Live = tuple[str, str, int]
#: A change: action, connection, network, next hop, weight before, weight after.
Expected = tuple[str, str, str, str, int | None, int]


@dataclass
class Case:
    """An inventory, live routes, and the plan that leads from one to the other."""

    number: int
    regions: dict[str, str]  # of each connection
    live: dict[str, set[Live]] = field(default_factory=dict)
    rows: list[tuple] = field(default_factory=list)
    expected: Counter = field(default_factory=Counter)  # steps that send something
    prune: bool = False
    quota: int | None = None  # of a connection, where the plan knows of it
    plan: Plan = None  # type: ignore[assignment]
    steps: list[Step] = field(default_factory=list)
    order: Order = field(default_factory=Order)
    unreadable: set[str] = field(default_factory=set)
    journal: bytes | None = None  # of a rollout that was never started; making one takes long
    named: set[tuple[str, str]] = field(default_factory=set)

    @property
    def planned(self) -> Counter:
        """The steps that the plan really has, in the same form."""
        return Counter(
            (s.action, s.vpn_connection_id, s.route_dest, s.next_hop, s.old_weight, s.weight)
            for s in self.steps
            if s.sends
        )


@lru_cache(maxsize=64)
def case_of(number: int, letters: str = "abcde", *, small: bool = False) -> Case:
    """Return the case of a number; the same always. Its connections are named by letters."""
    rng = random.Random(f"case/{number}")
    crowd = 0.0 if small else 0.04
    case = Case(number, _connections(rng, letters, crowd), prune=rng.random() < 0.6)
    most = 4 if small else 8 if len(case.regions) < CROWD else 2
    nets = networks(rng, rng.randint(1, most))
    for name in case.regions:
        case.live[name] = set()
        for net in nets:
            if rng.random() < 0.7:
                _give_role(case, rng, name, net)
        if rng.random() < 0.1:
            _row(case, name, rng.choice(["10.0.0.300/8", "10.1.0.0", "fd00::/8"]), 100)
            case.unreadable.add(name)
    if not case.rows:
        _wants(case, rng, next(iter(case.regions)), "192.168.0.0/24", None)
    rng.shuffle(case.rows)
    _expect_deletes(case)
    if rng.random() < 0.2:
        then = after(case.live, case.expected)
        case.quota = max(map(len, [*case.live.values(), *then.values()]), default=1)
    return planned(case)


def planned(case: Case) -> Case:
    """Return a case with its plan."""
    options = {"prune": True, "max_delete": 1000} if case.prune else {}
    case.plan = plan_routes(
        inventory_frame(case.rows), live_frame(case.regions, case.live), **options
    )
    case.steps = list(case.plan.each())
    # Reading a frame row by row takes longer than a whole rollout; the plan never changes.
    # Told afterwards: what an audit makes of a quota is not what is tried here.
    case.plan = replace(case.plan, quota=case.quota)
    by_lane = case.plan.live_by_connection()
    object.__setattr__(case.plan, "each", lambda: iter(case.steps))
    object.__setattr__(case.plan, "live_by_connection", lambda: by_lane)
    case.order = case.plan.order
    return case


def case_to(case: Case) -> dict[str, Any]:
    """Return a case as JSON."""
    return {
        "number": case.number,
        "regions": case.regions,
        "live": {name: sorted(routes) for name, routes in case.live.items()},
        "rows": case.rows,
        "expected": [[*change, count] for change, count in case.expected.items()],
        "prune": case.prune,
        "quota": case.quota,
    }


def case_from(data: Mapping[str, Any]) -> Case:
    """Return the case that JSON describes, with its plan."""
    case = Case(data["number"], dict(data["regions"]), prune=data["prune"], quota=data["quota"])
    case.live = {
        name: {(net, hop, weight) for net, hop, weight in routes}
        for name, routes in data["live"].items()
    }
    case.rows = [tuple(row) for row in data["rows"]]
    case.expected = Counter({tuple(change): count for *change, count in data["expected"]})
    return planned(case)


def after(live: Mapping[str, Set[Live]], changes: Counter[Expected]) -> dict[str, set[Live]]:
    """Return the routes of each connection once every change is made."""
    tables = {name: set(routes) for name, routes in live.items()}
    for action, name, net, hop, old, weight in changes.elements():
        if action != "create":
            tables[name].discard((net, hop, weight if old is None else old))
        if action != "delete":
            tables[name].add((net, hop, weight))
    return tables


def networks(rng: random.Random, size: int) -> list[str]:
    """Return distinct networks, many of them inside one another."""
    found: dict[str, None] = {}
    while len(found) < size:
        if found and rng.random() < 0.6:
            outer = IPv4Network(rng.choice(list(found)))
            length = min(28, outer.prefixlen + rng.randint(1, 3))
        else:
            outer, length = IPv4Network("10.0.0.0/8"), rng.choice([9, 10, 12, 16, 24])
        start = rng.randrange(int(outer.network_address), int(outer.broadcast_address) + 1)
        found[str(IPv4Network((start, max(length, outer.prefixlen)), strict=False))] = None
    return list(found)


def _connections(rng: random.Random, letters: str, crowd: float) -> dict[str, str]:
    names = [f"vco-{letter}" for letter in letters[: rng.choice([1, 2, 2, 3, 3, 4, 5])]]
    if rng.random() < crowd:
        names = [f"vco-{letters[n % 5]}{n}" for n in range(rng.randint(CROWD, 2 * CROWD))]
    return {name: REGION if rng.random() < 0.8 else OTHER_REGION for name in names}


def _give_role(case: Case, rng: random.Random, name: str, net: str) -> None:
    """Give a network a part to play on a connection."""
    weight = rng.choice([0, 100])
    role = rng.choices(
        ["create", "keep", "modify", "extra", "hop", "blocked", "disagree"],
        [10, 2, 5, 5, 0.3, 0.6, 0.4],
    )[0]
    if role == "extra":
        case.live[name].add((net, name, weight))
    elif role == "hop":
        case.live[name].add((net, f"{name}x", weight))
        _row(case, name, net, weight)
    elif role == "blocked":
        _protects(case, rng, name, net)
    elif role == "disagree":
        case.live[name].add((net, name, weight))
        _row(case, name, net, weight)
        _row(case, name, net, 100 - weight)
    else:
        before = {"create": None, "keep": weight, "modify": 100 - weight}[role]
        _wants(case, rng, name, net, before, weight)


def _wants(
    case: Case, rng: random.Random, name: str, net: str, before: int | None, weight: int = 100
) -> None:
    """Add a row that stands, and what is live in its place."""
    _row(case, name, net, weight, rng.choice([None, "from the sheet"]))
    if rng.random() < 0.05:
        _row(case, name, net, weight)  # a repeat, which is blocked
    if before is not None:
        case.live[name].add((net, name, before))
    if before != weight:
        action = "create" if before is None else "modify"
        case.expected[action, name, net, name, before, weight] += 1


def _protects(case: Case, rng: random.Random, name: str, net: str) -> None:
    """Add a row that is blocked but names its network: what is live there stays."""
    weight = rng.choice([0, 100])
    case.live[name].add((net, name, weight))
    inner = IPv4Network(net).network_address + 1
    if rng.random() < 0.5:
        _row(case, name, f"{inner}/{net.partition('/')[2]}", weight)  # host bits set
    else:
        _row(case, name, net, 50)  # no weight that the cloud knows


def _row(case: Case, name: str, dest: str, weight: int, text: str | None = None) -> None:
    case.rows.append((case.regions[name], name, dest, name, weight, text))
    with suppress(ValueError):
        case.named.add((name, str(IPv4Network(dest, strict=False))))


def _expect_deletes(case: Case) -> None:
    """Expect a delete of each live route that no row names, where one may be expected."""
    if not case.prune:
        return
    for name in {row[1] for row in case.rows} - case.unreadable:
        for net, hop, weight in case.live[name]:
            if (name, net) not in case.named:
                case.expected["delete", name, net, hop, None, weight] += 1


def inventory_frame(rows: list[tuple]) -> pd.DataFrame:
    """Return rows as an inventory."""
    names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
    return pd.DataFrame(rows, columns=names)


def live_frame(regions: Mapping[str, str], live: Mapping[str, Set[Live]]) -> pd.DataFrame:
    """Return live routes as a listing gives them."""
    rows = [
        (regions[name], name, *route, "custom")
        for name, routes in live.items()
        for route in sorted(routes)
    ]
    names = [*schema.ROUTES_REQUIRED, "route_entry_type"]
    data = {column: [row[i] for row in rows] for i, column in enumerate(names)}
    return schema.frame(schema.LIVE_ROUTES, data)
