"""The checks of a write, in the order in which they are made.

A check is a function from `Ask` to an error code, or None where it finds nothing wrong; the first
code found is the answer. `CHECKS` is the only place that knows the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from vcokit.simulator.codes import Refusal
from vcokit.simulator.facts import Operation
from vcokit.simulator.model import WEIGHTS, RouteKey
from vcokit.simulator.prefixes import Destination, overlap, parse_destination
from vcokit.simulator.sites import Site
from vcokit.simulator.switches import Switches

_WEIGHTS: Final = {str(weight): weight for weight in WEIGHTS}
_BOOLEANS: Final = ("", "true", "false")
_OVERLAY_MODES: Final = ("", "Ipsec")
#: Of policy routes; what holds for destination routes is not documented.
_LONGEST_DESCRIPTION: Final = 100


@dataclass(frozen=True)
class Ask:
    """What a call asks for, read as the checks need it.

    Parameters
    ----------
    operation : Operation
        The operation.
    parameters : mapping of str to str
        As they came.
    account : str
        Account id of the caller.
    find : callable
        From a connection's id to its site, settled to the present; None where the caller has no
        such connection in the region that the call names.
    switches : Switches
        How the cloud behaves where that is not documented.
    quota : int
        Routes a connection may have.
    router_quota : int, optional
        Routes that the connections of one transit router may have together.
    now : float
        Simulated second.
    beside : callable
        From a site to the others on its transit router, settled to the present.
    """

    operation: Operation
    parameters: Mapping[str, str]
    account: str
    find: Callable[[str], Site | None]
    switches: Switches
    quota: int
    router_quota: int | None = None
    now: float = 0.0
    beside: Callable[[Site], Iterable[Site]] = lambda _site: ()

    def text(self, name: str) -> str:
        """Return a parameter, empty where it is absent: the API makes no difference."""
        return self.parameters.get(name, "")

    def weight(self, name: str = "Weight") -> int:
        """Return a weight that was checked before."""
        return _WEIGHTS[self.text(name)]

    @cached_property
    def found(self) -> Site | None:
        """The connection that is named, if it is there."""
        return self.find(self.text("VpnConnectionId"))

    @property
    def site(self) -> Site:
        """The connection that is named; its check comes first."""
        if self.found is None:
            raise Refusal("InvalidVpnConnectionInstanceId.NotFound")
        return self.found

    @cached_property
    def destination(self) -> Destination | None:
        """The destination, if it is well formed."""
        return parse_destination(self.text("RouteDest"))

    @property
    def network(self) -> str:
        """The network of the destination; its check comes first."""
        if self.destination is None:
            raise Refusal("IllegalParam.RouteDest")
        return self.destination.network

    @property
    def key(self) -> RouteKey:
        """The route that is named."""
        return RouteKey(self.network, self.text("NextHop"), self.weight())

    @property
    def is_dry_run(self) -> bool:
        """Whether a create shall only be checked."""
        return (
            self.operation.name == "CreateVcoRouteEntry" and self.text("DryRun").lower() == "true"
        )


Check: TypeAlias = Callable[[Ask], str | None]


def missing(ask: Ask) -> str | None:
    """A required parameter is absent or empty."""
    return next((f"Missing{name}" for name in ask.operation.required if not ask.text(name)), None)


def weight(ask: Ask) -> str | None:
    """The weight is not the very text 0 or 100."""
    return None if ask.text("Weight") in _WEIGHTS else "InvalidWeight"


def new_weight(ask: Ask) -> str | None:
    """The weight to set is not the very text 0 or 100."""
    return None if ask.text("NewWeight") in _WEIGHTS else "InvalidNewWeight"


def connection(ask: Ask) -> str | None:
    """The caller has no such connection in this region; a malformed id can name none."""
    return None if ask.found else "InvalidVpnConnectionInstanceId.NotFound"


def destination(ask: Ask) -> str | None:
    """The destination is no network in the form that is asked for."""
    found, switches = ask.destination, ask.switches
    if found is None:
        return "IllegalParam.RouteDest"
    if found.version == 6 and switches.ipv6_refused:
        return "IllegalParam.RouteDest"
    # Nothing of an address is left in a default route; that it is one says the next check.
    if found.has_host_bits and found.length > 0 and switches.host_bits_refused:
        return "IllegalParam.RouteDest"
    return None


def default_route(ask: Ask) -> str | None:
    """The destination is everything, or space the cloud keeps to itself."""
    found = ask.destination
    if found is None or found.length == 0:
        return "OperationFailed.InvalidCidrBlock"
    if found.touches_shared_space and ask.switches.shared_space_refused:
        return "OperationFailed.InvalidCidrBlock"
    return None


def next_hop(ask: Ask) -> str | None:
    """The next hop is another connection than the route's, or none."""
    hop = ask.text("NextHop")
    if hop == ask.text("VpnConnectionId"):
        return None
    if ask.switches.foreign_next_hop_refused or ask.find(hop) is None:
        return "InvalidNextHop.NotFound"
    return None


def overlay_mode(ask: Ask) -> str | None:
    """The tunnel protocol is another than the only one there is."""
    return None if ask.text("OverlayMode") in _OVERLAY_MODES else "InvalidOverlayMode"


def dry_run(ask: Ask) -> str | None:
    """The switch for a dry run is neither true nor false."""
    return None if ask.text("DryRun").lower() in _BOOLEANS else "InvalidDryRun"


def description(ask: Ask) -> str | None:
    """The description is longer than those of policy routes may be, or a URL."""
    text = ask.text("Description")
    if not ask.switches.description_checked or not text:
        return None
    wrong = len(text) > _LONGEST_DESCRIPTION or text.startswith(("http://", "https://"))
    return "InvalidDescription" if wrong else None


def locked(ask: Ask) -> str | None:
    """The connection is locked for overdue payment."""
    return "VpnConnection.FinancialLocked" if ask.site.connection.locked else None


def attached(ask: Ask) -> str | None:
    """The connection is not attached to a transit router."""
    return None if ask.site.connection.attached else ask.switches.not_attached_code or None


def busy(ask: Ask) -> str | None:
    """The last write was accepted too short a time ago, or its task runs on the connection."""
    if ask.now - ask.site.accepted < ask.switches.task_conflict_seconds:
        return "TaskConflict"
    return "VpnConnection.Configuring" if ask.site.task else None


def same_route(ask: Ask) -> str | None:
    """The same route is there."""
    return "VpnRouteEntry.AlreadyExists" if ask.key in ask.site.table else None


def other_weight(ask: Ask) -> str | None:
    """The network is there by this next hop with the other weight."""
    there = ask.site.table.at(ask.network)
    if ask.switches.other_weight_refused and any(key.next_hop == ask.key.next_hop for key in there):
        return "VpnRouteEntry.Conflict"
    return None


def learned(ask: Ask) -> str | None:
    """The network is there by BGP."""
    known = (route.route_dest for route in ask.site.connection.learned_routes)
    if ask.switches.learned_route_refused and ask.network in known:
        return "VpnRouteEntry.Conflict"
    return None


def other_next_hop(ask: Ask) -> str | None:
    """The network is there with this weight by another next hop."""
    there = ask.site.table.at(ask.network)
    if ask.switches.other_next_hop_refused and any(key.weight == ask.key.weight for key in there):
        return "VpnRouteEntry.BackupRoute"
    return None


def same_weight_on_router(ask: Ask) -> str | None:
    """The network is there with this weight on another connection of the transit router."""
    if not ask.switches.same_weight_on_router_refused:
        return None
    there = (key for site in ask.beside(ask.site) for key in site.table.at(ask.network))
    return "VpnRouteEntry.BackupRoute" if any(k.weight == ask.weight() for k in there) else None


def ssl_clients(ask: Ask) -> str | None:
    """The destination overlaps the addresses of an SSL-VPN server's clients."""
    pools = ask.site.connection.ssl_client_pools
    if any(overlap(ask.network, pool) for pool in pools):
        return "VpnRouteEntry.ConflictSSL"
    return None


def quota(ask: Ask) -> str | None:
    """The connection has as many routes as it may have."""
    full = len(ask.site.table) >= ask.quota
    return "CreateDbrRoutesQuotaFull.QuotaFull" if full else None


def router_quota(ask: Ask) -> str | None:
    """The connections of the transit router have together as many routes as they may have."""
    if ask.router_quota is None:
        return None
    sites = (ask.site, *ask.beside(ask.site))
    full = sum(site.table_size for site in sites) >= ask.router_quota
    return "QuotaExceeded.VpnRouteEntry" if full else None


def route_there(ask: Ask) -> str | None:
    """No route has these four: connection, network, next hop and weight."""
    return None if ask.key in ask.site.table else "InvalidRouteEntry.NotFound"


def route_to_change(ask: Ask) -> str | None:
    """As `route_there`; the page of Modify lists no code for it."""
    return None if ask.key in ask.site.table else ask.switches.missing_route_code


def pair(ask: Ask) -> str | None:
    """The network is on another connection of the transit router, which fixes its weight."""
    if not ask.switches.weight_change_in_pair_refused:
        return None
    elsewhere = any(site.table.at(ask.network) for site in ask.beside(ask.site))
    return "VpnRouteEntry.Conflict" if elsewhere else None


def twin(ask: Ask) -> str | None:
    """The route that the weight would make of this one is there; without a change, it is itself."""
    made = ask.key._replace(weight=ask.weight("NewWeight"))
    return "VpnRouteEntry.AlreadyExists" if made in ask.site.table else None


# Busy stands between the two halves: what is wrong with the parameters is wrong at any time, but
# what is wrong with the route table cannot be told before the running task has changed it.
_PARAMETERS: Final[tuple[Check, ...]] = (connection, destination, default_route)
_CONNECTION: Final[tuple[Check, ...]] = (overlay_mode, locked, attached, busy)

CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "CreateVcoRouteEntry": (
        missing,  # 1 (the numbers are those of the design)
        weight,  # 2
        *_PARAMETERS,  # 3, 4, 5
        next_hop,  # 6
        dry_run,
        description,
        *_CONNECTION,
        same_route,  # 7
        other_weight,  # 8
        other_next_hop,  # 9
        quota,  # 10
        # What lies beyond the connection's own routes: behind the numbered, so that it hides none.
        learned,
        same_weight_on_router,
        ssl_clients,
        router_quota,
    ),
    # The next hop of a route that is there is part of its name, whatever it is: these two
    # operations do not list InvalidNextHop.NotFound.
    "DeleteVcoRouteEntry": (missing, weight, *_PARAMETERS, *_CONNECTION, route_there),
    "ModifyVcoRouteEntryWeight": (
        missing,
        weight,
        new_weight,
        *_PARAMETERS,
        *_CONNECTION,
        route_to_change,
        twin,
        pair,
    ),
}


def check(ask: Ask, checks: tuple[Check, ...]) -> None:
    """Make checks in order.

    Raises
    ------
    Refusal
        With the code of the first that finds something.
    """
    for look in checks:
        code = look(ask)
        if code is not None:
            raise Refusal(code)
