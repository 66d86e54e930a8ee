"""The things the simulator is built from: accounts, connections, routes, and its switches.

All are frozen. Who owns what: an `Account` owns connections by ``account_id``; a `Connection`
stands in one region; a `Route` belongs to one connection and is told from others by connection,
network, next hop and weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vcokit.simulator import defaults

#: How connections are named.
CONNECTION_ID: Final = re.compile(r"vco-[A-Za-z0-9*]+")
#: What a connection may be bound to, and the State it has when no task runs.
ATTACH_TYPES: Final = {"CEN": "attached", "NO_ASSOCIATED": "init", "VPNGW": "active"}
STATUSES: Final = (
    "ike_sa_not_established",
    "ike_sa_established",
    "ipsec_sa_not_established",
    "ipsec_sa_established",
)
TUNNEL_DOWN: Final = STATUSES[0]
TUNNEL_UP: Final = STATUSES[-1]
WEIGHTS: Final = (0, 100)


class Credentials(NamedTuple):
    """An AccessKey: what a client needs to sign its calls."""

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None

    def __repr__(self) -> str:
        token = None if self.security_token is None else "***"
        return (
            f"Credentials(access_key_id={self.access_key_id!r}, access_key_secret='***', "
            f"security_token={token!r})"
        )


@dataclass(frozen=True)
class Account:
    """An account and one of its AccessKeys; accounts with one id and several keys are one account.

    Parameters
    ----------
    account_id : str
        Owner of connections; rate limits and client tokens are kept by it.
    access_key_id, access_key_secret : str
        The key that signs.
    security_token : str, optional
        Makes the key a temporary one: every call must carry the token too.
    """

    account_id: str = defaults.ACCOUNT_ID
    access_key_id: str = defaults.ACCESS_KEY_ID
    access_key_secret: str = field(default=defaults.ACCESS_KEY_SECRET, repr=False)
    security_token: str | None = field(default=None, repr=False)

    @property
    def credentials(self) -> Credentials:
        """The AccessKey as clients take it."""
        return Credentials(self.access_key_id, self.access_key_secret, self.security_token)


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

    def __post_init__(self) -> None:
        if not CONNECTION_ID.fullmatch(self.vpn_connection_id):
            raise ValueError(
                f"connection {self.vpn_connection_id!r}: write vco- and letters, digits or *"
            )
        for name, known in (("attach_type", tuple(ATTACH_TYPES)), ("status", STATUSES)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(
                    f"connection {self.vpn_connection_id}: {name} {value!r} is unknown. "
                    f"Write one of {', '.join(known)}"
                )

    @property
    def attached(self) -> bool:
        """Whether it is attached to a transit router."""
        return self.attach_type == "CEN"


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


@dataclass(frozen=True)
class Switches:
    """How the simulator behaves where the vendor documents nothing; the defaults are the design's.

    Parameters
    ----------
    host_bits_refused : bool
        10.1.2.3/8 is refused; else it is taken for 10.0.0.0/8.
    ipv6_refused : bool
        An IPv6 destination is refused; else it is a destination like any other.
    foreign_next_hop_refused : bool
        A next hop other than the connection is refused; else only one that does not exist.
    shared_space_refused : bool
        A destination that touches 100.64.0.0/10 is refused; else accepted, and the tunnel breaks.
    other_weight_refused : bool
        A route there with the other weight refuses the new one; else the two live side by side.
    listed_after_task : bool
        A new route is listed when its task ends; else at once (it forwards after its task anyway).
    listing_needs_attached : bool
        Routes cannot be listed while a task runs; else they can.
    refused_calls_bind_token : bool
        A refused write binds its ClientToken, and is refused again; else the token stays free.
    token_lifetime : float
        Simulated seconds that a ClientToken is remembered.
    """

    host_bits_refused: bool = True
    ipv6_refused: bool = True
    foreign_next_hop_refused: bool = True
    shared_space_refused: bool = False
    other_weight_refused: bool = True
    listed_after_task: bool = True
    listing_needs_attached: bool = False
    refused_calls_bind_token: bool = False
    token_lifetime: float = defaults.TOKEN_LIFETIME
