"""The things a simulated cloud holds: connections and routes.

All are frozen. An account owns connections by ``account_id``; a `Connection` stands in one region;
a `Route` belongs to one connection and is told from others by connection, network, next hop and
weight; a `LearnedRoute` came by BGP and is only looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from vcokit.simulator import defaults
from vcokit.simulator.durations import Duration, Written, read_duration
from vcokit.simulator.prefixes import parse_destination
from vcokit.simulator.tags import Tags, read_tags

#: How connections are named.
CONNECTION_ID: Final = re.compile(r"vco-[A-Za-z0-9*]+")
#: What a connection may be bound to, and the State it has when no task runs.
ATTACH_TYPES: Final = {"CEN": "attached", "NO_ASSOCIATED": "init", "VPNGW": "active"}
FINANCIAL_LOCKED: Final = "financialLocked"
#: States in which no task of ours runs; ``updating`` comes of tasks alone.
STATES: Final = (
    *ATTACH_TYPES.values(),
    "attaching",
    "detaching",
    "provisioning",
    "upgrading",
    FINANCIAL_LOCKED,
)
STATUSES: Final = (
    "ike_sa_not_established",
    "ike_sa_established",
    "ipsec_sa_not_established",
    "ipsec_sa_established",
)
TUNNEL_DOWN: Final = STATUSES[0]
TUNNEL_UP: Final = STATUSES[-1]
WEIGHTS: Final = (0, 100)
#: Where a route that came by BGP comes from.
LEARNED_FROM: Final = ("CLOUD", "VPN_BGP")


@dataclass(frozen=True)
class LearnedRoute:
    """A route that a connection has by BGP: it is listed as ``bgp`` and never changes.

    Parameters
    ----------
    route_dest : str
        The network.
    source : str
        ``CLOUD`` or ``VPN_BGP``.
    as_path, community : str
        As the cloud shows them.
    """

    route_dest: str
    source: str = "VPN_BGP"
    as_path: str = "[65530]"
    community: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "route_dest", _network(self.route_dest, "learned route"))
        if self.source not in LEARNED_FROM:
            known = ", ".join(LEARNED_FROM)
            raise ValueError(f"learned route: source {self.source!r}. Write one of {known}")


@dataclass(frozen=True)
class Connection:
    """An IPsec connection as it stands when no task runs.

    Parameters
    ----------
    vpn_connection_id : str
        ``vco-`` and letters, digits or ``*``.
    region_id : str
        Where it stands; calls that name another region do not find it.
    name : str
        Free text.
    account_id : str
        Its owner; calls of other accounts do not find it.
    attach_type : str
        ``CEN`` (a transit router: can have routes), ``NO_ASSOCIATED`` or ``VPNGW``.
    transit_router_id, transit_router_name, cen_id : str
        The transit router and its network, where ``attach_type`` is ``CEN``.
    zone : str
        Zone of the gateway.
    status : str
        IKE/IPsec negotiation state; says nothing about tasks.
    vpn_gateway_id, customer_gateway_id, resource_group_id, internet_ip : str
        As the cloud shows them.
    created_ms : int
        Epoch milliseconds.
    state : str
        State while no task runs, where it is another than that of ``attach_type``:
        ``financialLocked``, ``detaching``, …
    task_seconds : duration, optional
        Time its tasks take, in place of the cloud's (`durations.read_duration`).
    tunnels : int
        0 for a single tunnel, or how many a connection of several has.
    tags : mapping of str to str
        Kept as pairs.
    ssl_client_pools : tuple of str
        Networks of SSL clients; a destination that overlaps one is refused.
    learned_routes : tuple of LearnedRoute
        Routes that came by BGP.

    Raises
    ------
    ValueError
        If the cloud could hold no such connection; the message says what to write.
    """

    vpn_connection_id: str
    region_id: str = defaults.REGION
    name: str = ""
    account_id: str = defaults.ACCOUNT_ID
    attach_type: str = "CEN"
    transit_router_id: str = "tr-simulator"
    transit_router_name: str = ""
    cen_id: str = "cen-simulator"
    zone: str = ""
    status: str = TUNNEL_UP
    vpn_gateway_id: str = ""
    customer_gateway_id: str = "cgw-simulator"
    resource_group_id: str = "rg-simulator"
    internet_ip: str = "192.0.2.1"
    created_ms: int = int(defaults.EPOCH * 1000)
    state: str = ""
    task_seconds: Written | None = None
    tunnels: int = 0
    tags: Tags | Mapping[str, str] = ()
    ssl_client_pools: tuple[str, ...] = ()
    learned_routes: tuple[LearnedRoute, ...] = ()

    def __post_init__(self) -> None:
        if not CONNECTION_ID.fullmatch(self.vpn_connection_id):
            raise ValueError(
                f"connection {self.vpn_connection_id!r}: write vco- and letters, digits or *"
            )
        self._check("attach_type", tuple(ATTACH_TYPES))
        self._check("status", STATUSES)
        self._check("state", ("", *STATES))
        if not 0 <= self.tunnels <= 2:
            raise ValueError(f"connection {self.vpn_connection_id}: tunnels is 0, 1 or 2")
        # Data out of a file are lists and mappings; everything here is one immutable form.
        self._put("tags", read_tags(self.tags))
        self._put("ssl_client_pools", tuple(_network(p, "pool") for p in self.ssl_client_pools))
        self._put("learned_routes", tuple(map(_learned, self.learned_routes)))
        if self.task_seconds is not None:
            self._put("task_seconds", read_duration(self.task_seconds))

    def _check(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise ValueError(
                f"connection {self.vpn_connection_id}: {name} {getattr(self, name)!r} is unknown. "
                f"Write one of {', '.join(filter(None, known))}"
            )

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def duration(self) -> Duration | None:
        """Time its tasks take, None where it is the cloud's."""
        return cast("Duration | None", self.task_seconds)

    @property
    def tag_pairs(self) -> Tags:
        """Key and value of its tags."""
        return cast("Tags", self.tags)

    @property
    def idle_state(self) -> str:
        """The State that is shown while no task runs."""
        return self.state or ATTACH_TYPES[self.attach_type]

    @property
    def locked(self) -> bool:
        """Whether it is locked for overdue payment."""
        return self.idle_state == FINANCIAL_LOCKED

    @property
    def attached(self) -> bool:
        """Whether it is attached to a transit router; a lock leaves it attached."""
        return self.attach_type == "CEN" and self.idle_state in ("attached", FINANCIAL_LOCKED)


def _network(text: str, what: str) -> str:
    found = parse_destination(text)
    if found is None or found.has_host_bits:
        raise ValueError(f"{what} {text!r} is no network. Write a.b.c.d/len")
    return found.network


def _learned(written: LearnedRoute | Mapping[str, Any]) -> LearnedRoute:
    return written if isinstance(written, LearnedRoute) else LearnedRoute(**written)


class RouteKey(NamedTuple):
    """What tells a route from the others of its connection."""

    route_dest: str
    next_hop: str
    weight: int


@dataclass(frozen=True)
class Route:
    """A destination route.

    Parameters
    ----------
    vpn_connection_id : str
        The connection it belongs to.
    route_dest : str
        The network, ``a.b.c.d/len`` without host bits.
    weight : int
        100 active, 0 standby.
    next_hop : str
        The connection itself where empty.
    description : str
        Free text; the cloud does not list it.
    created_ms : int
        Epoch milliseconds.
    """

    vpn_connection_id: str
    route_dest: str
    weight: int = 100
    next_hop: str = ""
    description: str = ""
    created_ms: int = int(defaults.EPOCH * 1000)

    def __post_init__(self) -> None:
        if self.weight not in WEIGHTS:
            raise ValueError(f"route {self.route_dest}: weight {self.weight!r}. Write 0 or 100")
        if not self.next_hop:
            object.__setattr__(self, "next_hop", self.vpn_connection_id)
        # Weights out of a frame are numpy's, and those cannot be written as JSON.
        object.__setattr__(self, "weight", int(self.weight))

    @property
    def key(self) -> RouteKey:
        """What tells it from the other routes of its connection."""
        return RouteKey(self.route_dest, self.next_hop, self.weight)
