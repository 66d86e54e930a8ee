"""The parts of a simulated cloud: accounts, connections, routes, switches, and defaults.

::

    Account       one AccessKey: who may call, and what the key may do
      └── Role    what keys of other accounts may do in the account, and which may
    Connection    an IPsec connection: its configuration, its routes, its running task
      ├── RouteTable ── Route     identified by network, next hop and weight (`RouteKey`)
      └── Task ── Change          takes effect when the task ends
    Switches      behaviour where the vendor documents nothing

`CONTRACT` contains what the vendor documents: ``vcokit/contract.json``, the same file that the
client reads. Seconds are simulated seconds unless a name refers to wall time.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

CONTRACT: Final[Mapping[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "contract.json").read_text(encoding="utf-8")
)

#: The documented facts of the service of each operation: the VPC API, or another.
SERVICE_OF: Final[Mapping[str, Mapping[str, Any]]] = {
    name: service
    for service in (CONTRACT, *CONTRACT["services"].values())
    for name in service["operations"]
}
#: The documented facts of each operation.
OPERATION_FACTS: Final[Mapping[str, Any]] = {
    name: service["operations"][name] for name, service in SERVICE_OF.items()
}

#: The defaults of all options; `None` in a signature means the vendor's value.
REGION: Final = "cn-hangzhou"
ACCOUNT_ID: Final = "1000000000000001"
ACCESS_KEY_ID: Final = "simulator-access-key-id"
ACCESS_KEY_SECRET: Final = "simulator-access-key-secret"  # noqa: S105 - valid only here
QUOTA: Final[int] = CONTRACT["limits"]["routes_per_connection"]["value"]
TASK_SECONDS: Final = (2.0, 5.0)
TASK_CONFLICT_SECONDS: Final = float(CONTRACT["limits"]["task_conflict_seconds"]["value"])
#: Default epoch seconds of simulated second 0 (2026-01-01T00:00:00Z).
EPOCH: Final = 1_767_225_600.0

#: Secrets in the answers of the cloud, which no client may show or store. The last two begin the
#: secret and the token of every assumed role.
CANARY_PSK: Final = "canary-psk-5e0d1c7b"
CANARY_AUTH_KEY: Final = "canary-auth-key-93fa26d8"
CANARY_ROLE_SECRET: Final = "canary-role-secret-7ab4"  # noqa: S105 - valid only here
CANARY_ROLE_TOKEN: Final = "canary-role-token-c81e"  # noqa: S105

_STATES: Final = CONTRACT["states"]
#: What a connection may be attached to, and its State while no task runs.
ATTACH_TYPES: Final[Mapping[str, str]] = _STATES["idle"]
STATUSES: Final[Sequence[str]] = _STATES["status"]
SEVERITIES: Final[Sequence[str]] = _STATES["severities"]
TUNNEL_UP: Final = STATUSES[-1]
CONNECTION_ID: Final = re.compile(r"vco-[A-Za-z0-9*]+")

#: Seconds that a task takes: fixed, or between two values.
Duration: TypeAlias = float | Sequence[float]
#: Number of calls of an operation per account and region, and the window in seconds.
Limit: TypeAlias = tuple[int, float]


# -- destinations ---------------------------------------------------------------------------------

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,2})"
_IPV4: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{3}}/{_NUMBER}")
#: Carrier-grade NAT addresses (RFC 6598): the cloud uses them itself.
SHARED_SPACE: Final = ipaddress.IPv4Network("100.64.0.0/10")


@dataclass(frozen=True)
class Destination:
    """A well-formed destination; two destinations are equal if their networks are equal."""

    network: str
    length: int
    has_host_bits: bool
    touches_shared_space: bool


def parse_destination(text: str) -> Destination | None:
    """Return the destination in a text; None if it is not ``a.b.c.d/length`` in ASCII digits.

    Examples
    --------
    >>> parse_destination("10.1.2.3/8").network, parse_destination("10.01.0.0/16")
    ('10.0.0.0/8', None)
    """
    if not _IPV4.fullmatch(text):
        return None
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None
    return Destination(
        network=str(network),
        length=network.prefixlen,
        has_host_bits=text != str(network),
        touches_shared_space=network.overlaps(SHARED_SPACE),
    )


def check_network(text: str, what: str) -> str:
    """Return a text if it is a network.

    Raises
    ------
    ValueError
        If it is not a network; the message names it with `what`.
    """
    found = parse_destination(text)
    if found is None or found.has_host_bits:
        raise ValueError(f"{what} is not a network. Write a.b.c.d/len")
    return found.network


# -- accounts -------------------------------------------------------------------------------------


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


ROLE_ARN: Final = re.compile(
    CONTRACT["services"]["security_token"]["parameters"]["RoleArn"]["pattern"]
)


@dataclass(frozen=True)
class Role:
    """A role of an account: keys of other accounts can assume it, and then act in this account.

    Parameters
    ----------
    name : str
        The last part of its ARN, ``acs:ram::<account_id>:role/<name>``.
    trusts : sequence of str
        Ids of the accounts whose keys may assume it.
    external_id : str, optional
        Whoever assumes it must give this id.
    policy : mapping, optional
        What an assumed key may do, as for `Account`.

    Raises
    ------
    ValueError
        If the policy cannot be used.
    """

    name: str
    trusts: Sequence[str]
    external_id: str | None = None
    policy: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_policy(self.policy)


@dataclass(frozen=True)
class Account:
    """An account and one of its AccessKeys; entries with the same id are one account.

    Parameters
    ----------
    account_id : str
        Owner of connections; rate limits and client tokens belong to it.
    access_key_id, access_key_secret : str
        The key that signs.
    security_token : str, optional
        Makes the key temporary: every call must also contain the token.
    token_expires : float, optional
        Epoch seconds at which the token expires; without it the token never expires.
    active : bool
        Whether the key is enabled.
    policy : mapping, optional
        What the key may do, as a RAM policy document; without it the key may do everything.
        Statements have Effect, Action and Resource; conditions and negated elements are not
        modelled.
    denial_code : str
        Error code for a call that the policy does not allow.
    roles : sequence of Role
        Its roles. Their account must have a number as id, as in the real cloud.

    Raises
    ------
    ValueError
        If the key is invalid, or the policy, the code or a role cannot be used.
    """

    account_id: str = ACCOUNT_ID
    access_key_id: str = ACCESS_KEY_ID
    access_key_secret: str = field(default=ACCESS_KEY_SECRET, repr=False)
    security_token: str | None = field(default=None, repr=False)
    token_expires: float | None = None
    active: bool = True
    policy: Mapping[str, Any] | None = field(default=None, repr=False)
    denial_code: str = "Forbidden.RAM"
    roles: Sequence[Role] = ()

    def __post_init__(self) -> None:
        if not self.access_key_id or not self.access_key_secret:
            raise ValueError("account: write an access_key_id and an access_key_secret")
        denials = [code for code, of in CONTRACT["errors"].items() if of["status"] == 403]
        _check_choice("denial_code", self.denial_code, denials)
        if self.token_expires is not None and self.security_token is None:
            raise ValueError("token_expires without security_token: nothing would expire")
        _check_policy(self.policy)
        for role in self.roles:
            if not ROLE_ARN.fullmatch(f"acs:ram::{self.account_id}:role/{role.name}"):
                raise ValueError(
                    f"role {role.name}: write an account_id of digits, and a name of letters, "
                    "digits, dots, dashes or underscores"
                )

    @property
    def credentials(self) -> Credentials:
        """The AccessKey in the form that clients accept."""
        return Credentials(self.access_key_id, self.access_key_secret, self.security_token)

    def may(self, action: str, resource: str) -> bool:
        """Return whether the policy allows an action on a resource and no statement denies it."""
        if self.policy is None:
            return True
        effects = {
            one["Effect"]
            for one in _statements(self.policy)
            if _covers(one["Action"], action, str.lower) and _covers(one["Resource"], resource, str)
        }
        return effects == {"Allow"}


def _check_policy(policy: Mapping[str, Any] | None) -> None:
    """Refuse an invalid policy, or one with elements that are not modelled."""
    if policy is None:
        return
    if not isinstance(policy, Mapping):
        raise ValueError("policy: write a mapping with Version and Statement")
    if policy.get("Version", "1") != "1" or policy.keys() - {"Version", "Statement"}:
        raise ValueError('policy: write Version = "1" and Statement, nothing else')
    statements = _statements(policy)
    if not isinstance(statements, list | tuple) or not statements:
        raise ValueError("policy: Statement is a list of at least one statement")
    for one in statements:
        if not isinstance(one, Mapping) or one.keys() != {"Effect", "Action", "Resource"}:
            raise ValueError(
                "policy statement: write Effect, Action and Resource; conditions and negated "
                "elements are not modelled"
            )
        _check_choice("policy: Effect", one["Effect"], ("Allow", "Deny"))
        for name in ("Action", "Resource"):
            if not all(isinstance(text, str) for text in _texts(one[name])):
                raise ValueError(f"policy: {name} is a text or a list of texts")


def _statements(policy: Mapping[str, Any]) -> Any:
    statements = policy.get("Statement")
    return [statements] if isinstance(statements, Mapping) else statements


def _texts(written: Any) -> Iterable[Any]:
    return written if isinstance(written, list | tuple) else (written,)


def _covers(patterns: Any, text: str, fold: Any) -> bool:
    """Return whether a pattern matches (``*`` any text, ``?`` one character).

    Actions are case-insensitive.
    """
    folded = fold(text)
    return any(fnmatchcase(folded, fold(one).replace("[", "[[]")) for one in _texts(patterns))


def _check_choice(what: str, value: object, known: Iterable[str]) -> None:
    if value not in (known := list(known)):
        choices = ", ".join(sorted(filter(None, known)))
        raise ValueError(f"{what} is unknown. Write one of {choices}")


# -- routes ---------------------------------------------------------------------------------------


class RouteKey(NamedTuple):
    """The identity of a route within its connection."""

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
        Empty means the connection itself.
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
    created_ms: int = int(EPOCH * 1000)

    def __post_init__(self) -> None:
        if self.weight not in (0, 100):
            raise ValueError("route: weight is neither 0 nor 100")
        if not self.next_hop:
            object.__setattr__(self, "next_hop", self.vpn_connection_id)
        # Weights from a frame are NumPy integers, which cannot be written as JSON.
        object.__setattr__(self, "weight", int(self.weight))

    @property
    def key(self) -> RouteKey:
        """Its identity among the routes of its connection."""
        return RouteKey(self.route_dest, self.next_hop, self.weight)


@dataclass(frozen=True)
class LearnedRoute:
    """A route that a connection learnt by BGP: it is listed as ``bgp`` and never changes.

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
        check_network(self.route_dest, "learned route")
        _check_choice("learned route: source", self.source, ("CLOUD", "VPN_BGP"))


@dataclass(frozen=True)
class TunnelFailure:
    """Why a tunnel of a connection is down.

    Parameters
    ----------
    tunnel : int
        1, or 2 for a connection with two tunnels.
    status : str
        How far the IKE/IPsec negotiation progressed.
    code, reason : str
        The cloud's diagnosis.
    severity : str
        ``Critical``, ``Warn`` or ``Normal``.
    local, remote : str
        Different values of a parameter, here and at the peer; empty if none differs.
    """

    tunnel: int = 1
    status: str = STATUSES[0]
    code: str = "Phase1NegotiationTimeout"
    reason: str = "Phase1 negotiation timeout"
    severity: str = SEVERITIES[0]
    local: str = ""
    remote: str = ""

    def __post_init__(self) -> None:
        if self.tunnel not in (1, 2):
            raise ValueError("failure: tunnel is 1 or 2")
        _check_choice("failure: status", self.status, STATUSES[:-1])
        _check_choice("failure: severity", self.severity, SEVERITIES)


class RouteTable:
    """The routes of one connection, in the order in which they were added."""

    def __init__(self) -> None:
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
        """Whether a route covers addresses that the cloud itself needs."""
        return bool(self._harmful)

    def keys_at(self, network: str) -> Iterable[RouteKey]:
        """Return the routes of a network."""
        return self._by_network.get(network, ())

    def page(self, start: int, stop: int) -> list[Route]:
        """Return some routes by position."""
        return list(islice(self._routes.values(), start, stop))

    def add(self, route: Route) -> None:
        """Add a route; replace a route with the same key."""
        key = route.key
        self._routes[key] = route
        self._by_network.setdefault(route.route_dest, set()).add(key)
        destination = parse_destination(route.route_dest)
        if destination is not None and destination.touches_shared_space:
            self._harmful.add(key)

    def remove(self, key: RouteKey) -> Route:
        """Remove an existing route and return it."""
        self._harmful.discard(key)
        keys = self._by_network[key.route_dest]
        keys.remove(key)
        if not keys:
            del self._by_network[key.route_dest]
        return self._routes.pop(key)


@dataclass(frozen=True)
class Change:
    """The change that a write requests: add, remove or replace a route."""

    adds: Route | None = None
    removes: RouteKey | None = None

    @property
    def effective_immediately(self) -> bool:
        """Whether it takes effect at acceptance.

        A change that reduces traffic does. A change that adds traffic takes effect at the task's
        end.
        """
        if self.adds is None:
            return True
        return self.removes is not None and self.adds.weight < self.removes.weight


@dataclass(frozen=True)
class Task:
    """Background work: the simulated second of its end, and the change that then takes effect."""

    ends: float
    change: Change


# -- connections ----------------------------------------------------------------------------------


@dataclass
class Connection:
    """An IPsec connection: its configuration, and its state in a cloud.

    ::

                     write accepted
        attached ───────────────────────▶ updating
            ▲                                │
            └────────────────────────────────┘
               the task ends: its change takes effect, if it has not yet

    Nothing runs automatically when a task ends: call `advance` before reading a connection. A cloud
    works on copies of its arguments.

    Parameters
    ----------
    vpn_connection_id : str
        ``vco-`` and letters, digits or ``*``.
    region_id : str
        Its region; calls for another region do not find it.
    name : str
        Free text.
    account_id : str
        Its owner; calls of other accounts do not find it.
    attach_type : str
        ``CEN`` (a transit router: can have routes), ``NO_ASSOCIATED`` or ``VPNGW``.
    transit_router_id, transit_router_name, cen_id : str
        The transit router and its network, if ``attach_type`` is ``CEN``.
    zone : str
        Zone of the gateway.
    status : str
        IKE/IPsec negotiation state; it is independent of tasks.
    vpn_gateway_id, customer_gateway_id, resource_group_id, internet_ip : str
        As the cloud shows them.
    created_ms : int
        Epoch milliseconds.
    state : str
        State while no task runs, if it differs from that of ``attach_type``:
        ``financialLocked``, ``detaching``, …
    task_seconds : float or (float, float), optional
        Duration of its tasks, instead of the cloud's.
    tunnels : int
        0 for a single tunnel, or the number of tunnels of a multi-tunnel connection.
    tags : mapping of str to str
        Its tags.
    ssl_client_pools : sequence of str
        Networks of SSL clients; a destination that overlaps one of them is refused.
    learned_routes : sequence of LearnedRoute
        Routes that came by BGP.
    failures : sequence of TunnelFailure
        Its tunnels that are down, and why.
    withheld : sequence of str
        Networks of its routes that are not published to the route table of the transit router.

    Attributes
    ----------
    table : RouteTable
        Its routes, in a cloud.
    task : Task or None
        The running task.
    task_ended : float
        Simulated second at which the last task ended.

    Raises
    ------
    ValueError
        If the connection is invalid; the message explains what to write.
    """

    vpn_connection_id: str
    region_id: str = REGION
    name: str = ""
    account_id: str = ACCOUNT_ID
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
    created_ms: int = int(EPOCH * 1000)
    state: str = ""
    task_seconds: Duration | None = None
    tunnels: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    ssl_client_pools: Sequence[str] = ()
    learned_routes: Sequence[LearnedRoute] = ()
    failures: Sequence[TunnelFailure] = ()
    withheld: Sequence[str] = ()
    table: RouteTable = field(default_factory=RouteTable, init=False, repr=False, compare=False)
    task: Task | None = field(default=None, init=False, repr=False, compare=False)
    task_ended: float = field(default=-math.inf, init=False, repr=False, compare=False)
    #: Deleted routes that listings still show now and then, and the time at which that ends.
    reappearing: list[tuple[float, Route]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not CONNECTION_ID.fullmatch(self.vpn_connection_id):
            raise ValueError("vpn_connection_id: write vco- and letters, digits or *")
        this = f"connection {self.vpn_connection_id}:"
        states = ("", *ATTACH_TYPES.values(), *_STATES["passing"], _STATES["locked"])
        _check_choice(f"{this} attach_type", self.attach_type, ATTACH_TYPES)
        _check_choice(f"{this} status", self.status, STATUSES)
        _check_choice(f"{this} state", self.state, states)
        if not 0 <= self.tunnels <= 2:
            raise ValueError(f"{this} tunnels is 0, 1 or 2")
        for pool in self.ssl_client_pools:
            check_network(pool, f"{this} pool")
        if any(failure.tunnel > max(1, self.tunnels) for failure in self.failures):
            raise ValueError(f"{this} failures name tunnel 2, but tunnels is {self.tunnels}")
        for network in self.withheld:
            check_network(network, f"{this} withheld")
        if self.task_seconds is not None:
            read_duration(self.task_seconds)

    @property
    def idle_state(self) -> str:
        """The State while no task runs."""
        return self.state or ATTACH_TYPES[self.attach_type]

    @property
    def is_locked(self) -> bool:
        """Whether it is locked for overdue payment."""
        return bool(self.idle_state == _STATES["locked"])

    @property
    def is_passing(self) -> bool:
        """Whether the connection is in a transition other than a task of a write."""
        return self.idle_state in _STATES["passing"]

    @property
    def is_attached(self) -> bool:
        """Whether it is attached to a transit router; a locked connection stays attached."""
        return self.attach_type == "CEN" and (self.is_locked or self.idle_state == "attached")

    @property
    def shown_state(self) -> str:
        """The State that the cloud shows; this field indicates a running task."""
        return str(_STATES["busy"]) if self.task else self.idle_state

    @property
    def tunnel_ids(self) -> list[str]:
        """Ids of its tunnels; one empty id for a single tunnel, which has no id."""
        name = self.vpn_connection_id.removeprefix("vco-")
        return [f"tun-{name}{number + 1}" for number in range(self.tunnels)] or [""]

    def failure_of(self, tunnel_id: str) -> TunnelFailure | None:
        """Return why a tunnel is down, or None if it is up; a harmful route brings all down."""
        number = self.tunnel_ids.index(tunnel_id) + 1
        if self.table.breaks_tunnel:
            return TunnelFailure(number)
        named = (failure for failure in self.failures if failure.tunnel == number)
        other = None if self.status == TUNNEL_UP else TunnelFailure(number, self.status)
        return next(named, other)

    def status_of(self, tunnel_id: str) -> str:
        """Return the IKE/IPsec Status of one of its tunnels."""
        failure = self.failure_of(tunnel_id)
        return failure.status if failure else TUNNEL_UP

    @property
    def shown_status(self) -> str:
        """The IKE/IPsec Status that the cloud shows: up while at least one tunnel is up."""
        statuses = [self.status_of(tunnel_id) for tunnel_id in self.tunnel_ids]
        return TUNNEL_UP if TUNNEL_UP in statuses else statuses[0]

    @property
    def pending_route(self) -> Route | None:
        """The new route of a running task; None if the task changes an existing route."""
        if self.task is None or self.task.change.removes is not None:
            return None
        return self.task.change.adds

    def advance(self, now: float) -> None:
        """Bring the connection to simulated second `now`."""
        if self.task is not None and self.task.ends <= now:
            self._apply(self.task.change)
            self.task_ended = self.task.ends
            self.task = None

    def start_task(self, change: Change, ends: float, *, removes_immediately: bool = True) -> None:
        """Start the task of an accepted write."""
        if change.effective_immediately and removes_immediately:
            self._apply(change)
            change = Change()
        self.task = Task(ends, change)

    def _apply(self, change: Change) -> None:
        if change.removes is not None:
            self.table.remove(change.removes)
        if change.adds is not None:
            self.table.add(change.adds)

    def routes_in_the_end(self) -> list[Route]:
        """Return the routes after the end of the running task."""
        change = self.task.change if self.task else Change()
        routes = [route for route in self.table if route.key != change.removes]
        return routes if change.adds is None else [*routes, change.adds]


def read_duration(written: Duration) -> tuple[float, float]:
    """Return the shortest and the longest time of a duration.

    Raises
    ------
    ValueError
        If it is not a valid duration.

    Examples
    --------
    >>> read_duration(3), read_duration([2, 5])
    ((3.0, 3.0), (2.0, 5.0))
    """
    several = [written, written] if isinstance(written, int | float) else list(written)
    numbers = [one for one in several if type(one) in (int, float) and 0 <= one < math.inf]
    if len(several) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
        raise ValueError(
            "task_seconds: write a time such as 2, or the shortest and the longest such as [2, 5]"
        )
    return float(numbers[0]), float(numbers[1])


# -- switches -------------------------------------------------------------------------------------

#: How a listing may show a route's weight.
LISTING_WEIGHTS: Final = ("shown", "missing", "constant")
#: How a destination with host bits is treated.
HOST_BITS: Final = ("refused", "masked")
#: Possible answers to a write while a task runs.
BUSY_CODES: Final = ("VpnConnection.Configuring", "TaskConflict")


@dataclass(frozen=True)
class Switches:
    """Behaviour of the simulator where the vendor documents nothing.

    Parameters
    ----------
    shared_space_refused : bool
        A destination that overlaps 100.64.0.0/10 is refused; else it is accepted and brings the
        tunnel down.
    not_attached_refused : bool
        A write on a connection that is not attached to a transit router is refused:
        ``VpnConnection.Configuring`` while it is being attached or detached, else
        ``Vco.StatusNotSupport``.
    task_conflict_seconds : float
        Simulated seconds after the end of a task in which a write on the same connection is
        answered ``TaskConflict``.
    removed_at_acceptance : bool
        A delete or a lower weight takes effect at acceptance; else when its task ends.
    listed_after_task : bool
        A new route is listed when its task ends; else immediately. It forwards after its task in
        both cases.
    listing_needs_attached : bool
        Routes cannot be listed while a task runs; else they can.
    listing_weight : str
        The weight of a route in a listing: ``shown``, ``missing``, or ``constant`` (100).
    host_bits : str
        A destination with host bits is ``refused``, or replaced by its network (``masked``).
    other_next_hop_refused : bool
        A next hop other than the connection itself is refused; else it is accepted.
    busy_code : str
        The answer to a write while a task runs on its connection.
    dry_run_checks_state : bool
        A dry run also checks tasks, other routes and quotas; else it checks only its parameters.
    refused_calls_bind_token : bool
        A refused write binds its ClientToken and is refused again; else the token stays free.

    Raises
    ------
    ValueError
        If a value is not allowed.
    """

    shared_space_refused: bool = False
    not_attached_refused: bool = True
    task_conflict_seconds: float = TASK_CONFLICT_SECONDS
    removed_at_acceptance: bool = True
    listed_after_task: bool = True
    listing_needs_attached: bool = False
    listing_weight: str = LISTING_WEIGHTS[0]
    host_bits: str = HOST_BITS[0]
    other_next_hop_refused: bool = True
    busy_code: str = BUSY_CODES[0]
    dry_run_checks_state: bool = True
    refused_calls_bind_token: bool = False

    def __post_init__(self) -> None:
        _check_choice("listing_weight", self.listing_weight, LISTING_WEIGHTS)
        _check_choice("host_bits", self.host_bits, HOST_BITS)
        _check_choice("busy_code", self.busy_code, BUSY_CODES)
        if not self.task_conflict_seconds >= 0:
            raise ValueError("task_conflict_seconds: write seconds, 0 or more")
