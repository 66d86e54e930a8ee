"""The operations of the API: one function with its checks for each.

A function is registered under its name in ``contract.json``, which contains whether it writes, its
required parameters and its rate limit. A reading function returns the fields of its answer; a
writing function also returns the `Change` that its task makes. The checks of an operation are
listed above it in their order; the first one that returns an error code refuses the call. A new
operation therefore needs an entry in the contract and a function here.

::

    RequestContext ─▶ run_checks ─▶ function ─▶ fields of the answer, Change
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from vcokit.simulator.errors import ApiError
from vcokit.simulator.models import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    CONTRACT,
    OPERATION_FACTS,
    SERVICE_OF,
    TUNNEL_UP,
    Change,
    Connection,
    Destination,
    Limit,
    Route,
    RouteKey,
    TunnelFailure,
    parse_destination,
)

if TYPE_CHECKING:
    from vcokit.simulator.backend import Cloud

Fields: TypeAlias = dict[str, Any]
#: Returns an error code, or None if the check passes.
Check: TypeAlias = Callable[["RequestContext"], str | None]

_PAGE_SIZE: Final = CONTRACT["parameters"]["PageSize"]
_WEIGHTS: Final = {"0": 0, "100": 100}


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Parameters
    ----------
    name : str
        As in the contract.
    writes : bool
        Whether it starts a task on a connection.
    limit : (int, float)
        Calls and seconds.
    required : tuple of str
        Required parameters, in the order in which they are checked.
    checks : tuple of Check
        Checks in their order.
    perform : callable
        Takes a request that passed the checks; returns the fields of its answer, and before them
        the `Change` for a write.
    """

    name: str
    writes: bool
    limit: Limit
    required: tuple[str, ...]
    checks: tuple[Check, ...]
    perform: Callable[[RequestContext], Any]


OPERATIONS: Final[dict[str, Operation]] = {}


def operation(name: str, *checks: Check) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the implementation of an operation of the contract."""
    fact = OPERATION_FACTS[name]

    def register(perform: Callable[[RequestContext], Any]) -> Callable[[RequestContext], Any]:
        OPERATIONS[name] = Operation(
            name,
            writes=fact["writes"],
            limit=(fact["limit"]["calls"], float(fact["limit"]["seconds"])),
            required=tuple(fact["parameters"]["required"]),
            checks=(check_required, *checks),
            perform=perform,
        )
        return perform

    return register


@dataclass(frozen=True)
class RequestContext:
    """A call as its operation sees it.

    Parameters
    ----------
    cloud : Cloud
        The cloud that answers.
    operation : Operation
    parameters : mapping of str to str
        As received.
    account_id : str
        The caller's account.
    now : float
        Simulated second.
    """

    cloud: Cloud
    operation: Operation
    parameters: Mapping[str, str]
    account_id: str
    now: float

    def text(self, name: str) -> str:
        """Return a parameter; empty if absent, because the API treats both the same."""
        return self.parameters.get(name, "")

    def find(self, vpn_connection_id: str) -> Connection | None:
        """Return a connection of the caller in the region of the call, or None."""
        return self.cloud.find(vpn_connection_id, self.account_id, self.text("RegionId"), self.now)

    @cached_property
    def found(self) -> Connection | None:
        """The connection in the call, or None."""
        return self.find(self.text("VpnConnectionId"))

    @property
    def connection(self) -> Connection:
        """The connection in the call, after `check_connection` has found it."""
        assert self.found is not None  # noqa: S101 - the checks come first
        return self.found

    @cached_property
    def destination(self) -> Destination | None:
        """The destination, or None if it is malformed."""
        return parse_destination(self.text("RouteDest"))

    @cached_property
    def key(self) -> RouteKey:
        """The identity of the route in the call, after its parts were checked."""
        assert self.destination is not None  # noqa: S101 - the checks come first
        return RouteKey(
            self.destination.network, self.text("NextHop"), _WEIGHTS[self.text("Weight")]
        )

    @property
    def is_dry_run(self) -> bool:
        """Whether the call is only to be checked."""
        known = "DryRun" in OPERATION_FACTS[self.operation.name]["parameters"]["optional"]
        return known and self.text("DryRun").lower() == "true"


def run_checks(request: RequestContext) -> None:
    """Make the checks of a request's operation in order.

    Raises
    ------
    ApiError
        With the code of the first check that fails.
    """
    blind = request.is_dry_run and not request.cloud.switches.dry_run_checks_state
    for check in request.operation.checks:
        if blind and check in _OF_STATE:
            continue
        code = check(request)
        if code is not None:
            raise ApiError(code)


# -- checks of parameters -------------------------------------------------------------------------


def check_required(request: RequestContext) -> str | None:
    """A required parameter is absent or empty."""
    return next(
        (f"Missing{name}" for name in request.operation.required if not request.text(name)), None
    )


def check_weight(request: RequestContext) -> str | None:
    """The weight is not exactly the text 0 or 100."""
    return None if request.text("Weight") in _WEIGHTS else "InvalidWeight"


def check_new_weight(request: RequestContext) -> str | None:
    """The new weight is not exactly the text 0 or 100."""
    return None if request.text("NewWeight") in _WEIGHTS else "InvalidNewWeight"


def check_connection(request: RequestContext) -> str | None:
    """The caller has no such connection in this region; a malformed id never matches."""
    return None if request.found else "InvalidVpnConnectionInstanceId.NotFound"


def check_attached(request: RequestContext) -> str | None:
    """The connection is not attached to a transit router, not yet attached, or no longer."""
    if request.connection.is_attached or not request.cloud.switches.not_attached_refused:
        return None
    is_passing = request.connection.is_passing
    return "VpnConnection.Configuring" if is_passing else "Vco.StatusNotSupport"


def check_destination(request: RequestContext) -> str | None:
    """The destination is not an IPv4 network, or has host bits."""
    found = request.destination
    # A default route has no meaningful host bits; the next check refuses it.
    masks = request.cloud.switches.host_bits == "masked"
    if found is None or (found.has_host_bits and found.length > 0 and not masks):
        return "IllegalParam.RouteDest"
    return None


def check_default_route(request: RequestContext) -> str | None:
    """The destination is the default route, or space that the cloud reserves for itself."""
    found = request.destination
    if found is None or found.length == 0:
        return "OperationFailed.InvalidCidrBlock"
    if found.touches_shared_space and request.cloud.switches.shared_space_refused:
        return "OperationFailed.InvalidCidrBlock"
    return None


def check_next_hop(request: RequestContext) -> str | None:
    """The next hop is not the connection itself."""
    same = request.text("NextHop") == request.text("VpnConnectionId")
    refused = request.cloud.switches.other_next_hop_refused
    return None if same or not refused else "InvalidNextHop.NotFound"


def check_overlay_mode(request: RequestContext) -> str | None:
    """The tunnel protocol is not the only supported one."""
    return None if request.text("OverlayMode") in ("", "Ipsec") else "InvalidOverlayMode"


def check_dry_run(request: RequestContext) -> str | None:
    """The parameter for a dry run is neither true nor false."""
    return None if request.text("DryRun").lower() in ("", "true", "false") else "InvalidDryRun"


# -- checks of the state --------------------------------------------------------------------------


def check_locked(request: RequestContext) -> str | None:
    """The connection is locked for overdue payment."""
    return "VpnConnection.FinancialLocked" if request.connection.is_locked else None


def check_busy(request: RequestContext) -> str | None:
    """A task runs on the connection, or ended too recently."""
    if request.connection.task:
        return request.cloud.switches.busy_code
    since = request.now - request.connection.task_ended
    return "TaskConflict" if since < request.cloud.switches.task_conflict_seconds else None


def check_same_route(request: RequestContext) -> str | None:
    """The same route exists."""
    return "VpnRouteEntry.AlreadyExists" if request.key in request.connection.table else None


def check_other_weight(request: RequestContext) -> str | None:
    """The network exists with this next hop and the other weight."""
    there = request.connection.table.keys_at(request.key.route_dest)
    other = any(key.next_hop == request.key.next_hop for key in there)
    return "VpnRouteEntry.Conflict" if other else None


def check_other_next_hop(request: RequestContext) -> str | None:
    """The network exists with this weight and another next hop."""
    there = request.connection.table.keys_at(request.key.route_dest)
    other = any(key.weight == request.key.weight for key in there)
    return "VpnRouteEntry.BackupRoute" if other else None


def check_quota(request: RequestContext) -> str | None:
    """The connection already has the maximum number of routes."""
    full = len(request.connection.table) >= request.cloud.quota
    return "CreateDbrRoutesQuotaFull.QuotaFull" if full else None


def check_learned_route(request: RequestContext) -> str | None:
    """The network exists as a BGP route."""
    known = (route.route_dest for route in request.connection.learned_routes)
    return "VpnRouteEntry.Conflict" if request.key.route_dest in known else None


def check_ssl_clients(request: RequestContext) -> str | None:
    """The destination overlaps the addresses of an SSL-VPN server's clients."""
    network = IPv4Network(request.key.route_dest)
    pools = map(IPv4Network, request.connection.ssl_client_pools)
    return "VpnRouteEntry.ConflictSSL" if any(map(network.overlaps, pools)) else None


def check_router_quota(request: RequestContext) -> str | None:
    """The connections of the transit router together already have the maximum number of routes."""
    quota = request.cloud.router_quota
    if quota is None:
        return None
    others = request.cloud.siblings_on_router(request.connection, request.now)
    total = sum(
        len(one.table) + (one.pending_route is not None) for one in (request.connection, *others)
    )
    return "QuotaExceeded.VpnRouteEntry" if total >= quota else None


def check_route_exists(request: RequestContext) -> str | None:
    """No route has this connection, network, next hop and weight."""
    return None if request.key in request.connection.table else "InvalidRouteEntry.NotFound"


def check_target_exists(request: RequestContext) -> str | None:
    """The route with the new weight already exists; if the weight is unchanged, it is the same."""
    target = request.key._replace(weight=_WEIGHTS[request.text("NewWeight")])
    return "VpnRouteEntry.AlreadyExists" if target in request.connection.table else None


#: Checks that a dry run omits if it only checks its parameters.
_OF_STATE: Final = frozenset(
    {
        check_locked,
        check_busy,
        check_same_route,
        check_other_weight,
        check_other_next_hop,
        check_quota,
        check_learned_route,
        check_ssl_clients,
        check_router_quota,
    }
)


# -- writes ---------------------------------------------------------------------------------------


@operation(
    "CreateVcoRouteEntry",  # required parameters come first: check 1 of the design
    check_weight,  # 2
    check_connection,  # 3
    check_attached,  # 3b
    check_destination,  # 4
    check_default_route,  # 5
    check_next_hop,  # 6
    check_overlay_mode,
    check_dry_run,
    # Invalid parameters are invalid at any time. Conflicts in the route table are only known after
    # the running task has changed it.
    check_locked,
    check_busy,
    check_same_route,  # 7
    check_other_weight,  # 8
    check_other_next_hop,  # 9
    check_quota,  # 10
    # Checks beyond the connection's own routes are last, so that they hide no numbered check.
    check_learned_route,
    check_ssl_clients,
    check_router_quota,
)
def create_route(request: RequestContext) -> tuple[Change, Fields]:
    """Add a route to a connection."""
    created_ms = request.cloud.created_ms(request.now)
    description = request.text("Description")
    route = Route(
        request.connection.vpn_connection_id,
        route_dest=request.key.route_dest,
        weight=request.key.weight,
        next_hop=request.key.next_hop,
        description=description,
        created_ms=created_ms,
    )
    fields: Fields = {
        "VpnConnectionId": route.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": route.next_hop,
        "Weight": route.weight,
        "OverlayMode": "Ipsec",
        # Always published, although the task has only started.
        "State": "published",
        "CreateTime": created_ms,
    }
    return Change(adds=route), fields | ({"Description": description} if description else {})


@operation(
    "DeleteVcoRouteEntry",
    check_weight,
    check_connection,
    check_attached,
    check_destination,
    check_default_route,
    # Any next hop of an existing route is part of its identity: the documentation of this operation
    # and the next does not list InvalidNextHop.NotFound.
    check_overlay_mode,
    check_locked,
    check_busy,
    check_route_exists,
)
def delete_route(request: RequestContext) -> tuple[Change, Fields]:
    """Remove a route."""
    return Change(removes=request.key), {}


@operation(
    "ModifyVcoRouteEntryWeight",
    check_weight,
    check_new_weight,
    check_connection,
    check_attached,
    check_destination,
    check_default_route,
    check_overlay_mode,
    check_locked,
    check_busy,
    check_route_exists,
    check_target_exists,
)
def modify_weight(request: RequestContext) -> tuple[Change, Fields]:
    """Change the weight of a route."""
    route = request.connection.table[request.key]
    changed = replace(route, weight=_WEIGHTS[request.text("NewWeight")])
    return Change(adds=changed, removes=request.key), {}


# -- reads ----------------------------------------------------------------------------------------

#: Enough digits for any page number, but not so many that parsing the integer is slow.
_POSITIVE: Final = re.compile(r"[1-9][0-9]{0,8}")
_TAG: Final = re.compile(r"Tag\.([0-9]+)\.Key")


def _read_page(request: RequestContext) -> tuple[Fields, slice]:
    """Return PageNumber and PageSize, and the slice of that page's rows."""
    page: Fields = {}
    for name, default in (("PageNumber", 1), ("PageSize", _PAGE_SIZE["default"])):
        text = request.text(name) or str(default)
        if not _POSITIVE.fullmatch(text):
            raise ApiError(f"Invalid{name}")
        page[name] = int(text)
    if page["PageSize"] > _PAGE_SIZE["most"]:
        raise ApiError("InvalidPageSize")
    start = (page["PageNumber"] - 1) * page["PageSize"]
    return page, slice(start, start + page["PageSize"])


def read_tokened_page(request: RequestContext, found: list[Fields], wrong_token: str) -> Fields:
    """Return the page of rows for MaxResults and NextToken, and the token of the next page.

    Parameters
    ----------
    request : RequestContext
    found : list of dict
        The rows of all pages.
    wrong_token : str
        Error code for an invalid token.
    """
    facts = SERVICE_OF[request.operation.name]
    most = facts["parameters"]["MaxResults"]
    size, start = request.text("MaxResults") or str(most["default"]), request.text("NextToken")
    if not _POSITIVE.fullmatch(size) or int(size) > most["most"]:
        raise ApiError("InvalidMaxResults")
    if start and not _POSITIVE.fullmatch(start):
        raise ApiError(wrong_token)
    first = int(start or 0)
    end = first + int(size)
    rows = facts["operations"][request.operation.name]["rows"]
    page = {rows: found[first:end], "TotalCount": len(found), "MaxResults": int(size)}
    return page | ({"NextToken": str(end)} if end < len(found) else {})


@operation("DescribeVcoRouteEntries", check_connection)
def list_routes(request: RequestContext) -> Fields:
    """Return a page of the destination routes or BGP routes of a connection."""
    connection, switches = request.connection, request.cloud.switches
    kind = request.text("RouteEntryType") or "custom"
    if kind not in ("custom", "bgp"):
        raise ApiError("IllegalParam.RouteEntryType")
    page, rows = _read_page(request)
    if not connection.is_attached or (connection.task and switches.listing_needs_attached):
        raise ApiError("Vco.StatusNotSupport")
    if kind == "bgp":
        learned = connection.learned_routes
        shown = [_learned_route(connection, route) for route in learned[rows]]
        total = len(learned)
    else:
        more = list(request.cloud.reappearing(connection, request.now))
        if connection.pending_route and not switches.listed_after_task:
            more.append(connection.pending_route)
        there = len(connection.table)
        routes = connection.table.page(rows.start, rows.stop)
        routes += more[max(rows.start - there, 0) : max(rows.stop - there, 0)]
        shown = [_custom_route(route, switches.listing_weight) for route in routes]
        total = there + len(more)
    if connection.tunnels:
        ids = [one for one in connection.tunnel_ids if connection.status_of(one) == TUNNEL_UP]
        shown = [row | {"NextHopTunnelIdList": ids} for row in shown]
    listing = {"TotalCount": total, **page, "VcoRouteEntries": shown}
    return listing | (_route_counts(connection) if connection.tunnels else {})


def _custom_route(route: Route, listing_weight: str) -> Fields:
    weight = {
        "shown": {"Weight": route.weight},
        "missing": {},
        "constant": {"Weight": 100},
    }
    return {
        "VpnConnectionId": route.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": route.next_hop,
        **weight[listing_weight],
        "State": "published",
        "RouteEntryType": "custom",
        "CreateTime": route.created_ms,
    }


def _learned_route(connection: Connection, route: Any) -> Fields:
    return {
        "VpnConnectionId": connection.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": connection.vpn_connection_id,
        "State": "Active",
        "RouteEntryType": "bgp",
        "CreateTime": connection.created_ms,
        "AsPath": route.as_path,
        "Community": route.community,
        "Source": route.source,
    }


def _route_counts(connection: Connection) -> Fields:
    """Return the statistics of a connection with several tunnels."""
    counts = {("custom", "CLOUD"): len(connection.table)}
    for route in connection.learned_routes:
        counts["bgp", route.source] = counts.get(("bgp", route.source), 0) + 1
    rows = [
        {"RouteCount": count, "RouteEntryType": kind, "Source": source}
        for (kind, source), count in counts.items()
    ]
    return {"VpnRouteCounts": rows}


@operation("DescribeVpnConnection", check_connection)
def describe_connection(request: RequestContext) -> Fields:
    """Return the details of one connection."""
    fields = _connection_fields(request.connection)
    # Fields that only this answer has.
    fields["VpnBgpConfig"] |= {"EnableBgp": "false"}
    return {
        **fields,
        "ZoneNo": request.connection.zone,
        "Tags": {"Tag": _tags(request.connection)},
    }


@operation("DescribeVpnConnections")
def list_connections(request: RequestContext) -> Fields:
    """Return a page of the connections of a region."""
    page, rows = _read_page(request)
    chosen = [connection for connection in _caller_s(request) if _passes(request, connection)]
    # The container of tags is called Tag here, but Tags in the description of one connection.
    shown = [
        {**_connection_fields(connection), "Tag": {"Tag": _tags(connection)}}
        for connection in chosen[rows]
    ]
    return {"TotalCount": len(chosen), **page, "VpnConnections": {"VpnConnection": shown}}


def _passes(request: RequestContext, connection: Connection) -> bool:
    """Return whether a connection passes all filters; a tag without a value filters by its key."""
    filters = {
        "VpnConnectionId": connection.vpn_connection_id,
        "VpnGatewayId": connection.vpn_gateway_id,
        "CustomerGatewayId": connection.customer_gateway_id,
        "ResourceGroupId": connection.resource_group_id,
    }
    if any(request.text(name) not in ("", value) for name, value in filters.items()):
        return False
    for name, key in request.parameters.items():
        if match := _TAG.fullmatch(name):
            value = request.text(f"Tag.{match[1]}.Value")
            if key not in connection.tags or value not in ("", connection.tags[key]):
                return False
    return True


@operation("DiagnoseVpnConnections")
def diagnose_connections(request: RequestContext) -> Fields:
    """Return a page of faults of tunnels, requested by connection ids or by tunnel ids.

    A connection with several tunnels is requested by tunnel ids.
    """
    page, rows = _read_page(request)
    wanted = {
        name: [text for key, text in request.parameters.items() if key.startswith(f"{name}.")]
        for name in ("VpnConnectionIds", "TunnelIds")
    }
    if not any(wanted.values()):
        raise ApiError("MissingVpnConnectionIds")
    found = []
    for connection in _caller_s(request):
        named = connection.vpn_connection_id in wanted["VpnConnectionIds"]
        if named and connection.tunnels and not wanted["TunnelIds"]:
            raise ApiError("MissingTunnelIds")
        for tunnel_id in connection.tunnel_ids:
            asked = tunnel_id in wanted["TunnelIds"] if connection.tunnels else named
            failure = connection.failure_of(tunnel_id)
            if asked and failure:
                found.append(_diagnosis(connection, tunnel_id, failure))
    return {"TotalCount": len(found), **page, "VpnConnections": found[rows]}


def _diagnosis(connection: Connection, tunnel_id: str, failure: TunnelFailure) -> Fields:
    fields = {
        "VpnConnectionId": connection.vpn_connection_id,
        "TunnelId": tunnel_id,
        "Severity": failure.severity,
        "FailedReasonCode": failure.code,
        "FailedReason": failure.reason,
        "FailedTime": connection.created_ms,
        "MismatchLocalParam": failure.local,
        "MismatchRemoteParam": failure.remote,
    }
    return {name: value for name, value in fields.items() if value != ""}


@operation("DescribeVpnAttachments")
def list_attachments(request: RequestContext) -> Fields:
    """Return a page of the connections that are attached to transit routers."""
    if request.text("AttachType") not in ("", "CEN"):
        raise ApiError("InvalidAttachType")
    page, rows = _read_page(request)
    wanted = request.text("VpnConnectionId")
    chosen = [
        connection
        for connection in _caller_s(request)
        if connection.is_attached and wanted in ("", connection.vpn_connection_id)
    ]
    shown = [
        {
            "InstanceId": connection.vpn_connection_id,
            "Name": connection.name,
            "Description": "",
            "AttachType": connection.attach_type,
            "TransitRouterId": connection.transit_router_id,
            "TransitRouterName": connection.transit_router_name,
            "CrossAccountAuthorized": False,
        }
        for connection in chosen[rows]
    ]
    return {"TotalCount": len(chosen), **page, "VpnAttachments": shown}


@operation("DescribeRegions")
def list_regions(request: RequestContext) -> Fields:
    """Return the vendor's regions, and all other regions with connections of the caller."""
    languages = {"": "zh", "zh-CN": "zh", "en-US": "en"}
    if request.text("AcceptLanguage") not in languages:
        raise ApiError("InvalidAcceptLanguage")
    language = languages[request.text("AcceptLanguage")]
    names = {connection.region_id: connection.region_id for connection in _caller_s(request)}
    names |= {region: of[language] for region, of in CONTRACT["regions"]["names"].items()}
    rule = CONTRACT["endpoints"]["rule"]
    rows = [
        {"RegionId": region, "LocalName": name, "RegionEndpoint": rule.format(region=region)}
        for region, name in names.items()
    ]
    return {"Regions": {"Region": rows}}


# -- what answers show of a connection ------------------------------------------------------------


def _caller_s(request: RequestContext) -> Iterator[Connection]:
    """Yield the caller's connections in the region of the call, or in all regions without one."""
    for connection in request.cloud.connections(request.now):
        if connection.account_id == request.account_id and request.text("RegionId") in (
            "",
            connection.region_id,
        ):
            yield connection


def _tags(connection: Connection) -> list[Fields]:
    return [{"Key": key, "Value": value} for key, value in connection.tags.items()]


def _connection_fields(connection: Connection) -> Fields:
    """Return the fields of a connection that both answers have, including its secrets.

    The vendor decides which fields are texts and which are booleans or numbers: tunnels have
    ``"true"`` and ``"86400"`` where the connection itself has true and 86400.
    """
    attachments: Mapping[str, Fields] = {
        "CEN": {
            "AttachInstanceId": connection.cen_id,
            "TransitRouterId": connection.transit_router_id,
            "TransitRouterName": connection.transit_router_name,
        },
        "VPNGW": {"VpnGatewayId": connection.vpn_gateway_id},
    }
    several = connection.tunnel_ids if connection.tunnels else []
    tunnels = [_tunnel_fields(connection, number, one) for number, one in enumerate(several)]
    return {
        "VpnConnectionId": connection.vpn_connection_id,
        "Name": connection.name,
        "State": connection.shown_state,
        "Status": connection.shown_status,
        "AttachType": connection.attach_type,
        **attachments.get(connection.attach_type, {}),
        "CreateTime": connection.created_ms,
        "CustomerGatewayId": connection.customer_gateway_id,
        "ResourceGroupId": connection.resource_group_id,
        "InternetIp": connection.internet_ip,
        "NetworkType": "public",
        "Spec": "1000M",
        "LocalSubnet": "0.0.0.0/0",
        "RemoteSubnet": "0.0.0.0/0",
        "EffectImmediately": True,
        "EnableDpd": True,
        "EnableNatTraversal": True,
        "EnableTunnelsBgp": False,
        "CrossAccountAuthorized": False,
        "IkeConfig": {**_IKE, "LocalId": connection.internet_ip},
        "IpsecConfig": _IPSEC,
        "VcoHealthCheck": _HEALTH,
        "VpnBgpConfig": dict(_BGP),
        **({"TunnelOptionsSpecification": {"TunnelOptions": tunnels}} if tunnels else {}),
    }


def _tunnel_fields(connection: Connection, number: int, tunnel_id: str) -> Fields:
    asn = {"LocalAsn": str(_BGP["LocalAsn"]), "PeerAsn": str(_BGP["PeerAsn"])}
    addresses = {name: _BGP[name] for name in ("LocalBgpIp", "PeerBgpIp", "TunnelCidr")}
    return {
        "TunnelId": tunnel_id,
        "TunnelIndex": number + 1,
        "Role": ("master", "slave")[number],
        "State": "updating" if connection.task else "active",
        "Status": connection.status_of(tunnel_id),
        "CustomerGatewayId": connection.customer_gateway_id,
        "InternetIp": connection.internet_ip,
        "ZoneNo": connection.zone,
        "EnableDpd": "true",
        "EnableNatTraversal": "true",
        "TunnelIkeConfig": {**_IKE, "IkeLifetime": "86400", "LocalId": connection.internet_ip},
        "TunnelIpsecConfig": {**_IPSEC, "IpsecLifetime": "86400"},
        "TunnelBgpConfig": {"BgpStatus": "false", **asn, **addresses},
    }


_IKE: Final[Mapping[str, Any]] = {
    "IkeVersion": "ikev2",
    "IkeMode": "main",
    "IkeEncAlg": "aes",
    "IkeAuthAlg": "sha1",
    "IkePfs": "group2",
    "IkeLifetime": 86400,
    "RemoteId": "198.51.100.1",
    "Psk": CANARY_PSK,
}
_IPSEC: Final[Mapping[str, Any]] = {
    "IpsecEncAlg": "aes",
    "IpsecAuthAlg": "sha1",
    "IpsecPfs": "group2",
    "IpsecLifetime": 86400,
}
_HEALTH: Final[Mapping[str, Any]] = {
    "Enable": "false",
    "Status": "success",
    "Sip": "",
    "Dip": "",
    "Interval": 3,
    "Retry": 3,
    "Policy": "revoke_route",
}
_BGP: Final[Mapping[str, Any]] = {
    "Status": "false",
    "TunnelCidr": "169.254.11.0/30",
    "LocalBgpIp": "169.254.11.2",
    "PeerBgpIp": "169.254.11.1",
    "LocalAsn": 65531,
    "PeerAsn": 65530,
    "AuthKey": CANARY_AUTH_KEY,
}
