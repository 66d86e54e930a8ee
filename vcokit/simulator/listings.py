"""The answers of the reading operations: which rows, which page, which fields.

Lists are plain (``VcoRouteEntries``, ``VpnAttachments``) or wrapped in a singular element
(``Regions.Region``, ``VpnConnections.VpnConnection``, ``Tags.Tag``), as the vendor has it. A field
that would have nothing to say is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from vcokit.simulator import defaults
from vcokit.simulator.checks import Ask, connection, missing
from vcokit.simulator.checks import check as make_checks
from vcokit.simulator.facts import Refusal
from vcokit.simulator.model import Route
from vcokit.simulator.regions import REGIONS
from vcokit.simulator.sites import Site

Fields: TypeAlias = dict[str, Any]

DEFAULT_PAGE_SIZE: Final = 10
LARGEST_PAGE_SIZE: Final = 50
#: More digits than any page number can need, fewer than make a slow integer.
_POSITIVE: Final = re.compile(r"[1-9][0-9]{0,8}")
_LANGUAGES: Final = ("zh-CN", "en-US")


def _positive(ask: Ask, name: str, default: int, largest: int | None = None) -> int:
    text = ask.text(name)
    if not text:
        return default
    if not _POSITIVE.fullmatch(text) or (largest is not None and int(text) > largest):
        raise Refusal(f"Invalid{name}")
    return int(text)


def _page(ask: Ask) -> tuple[int, int]:
    number = _positive(ask, "PageNumber", 1)
    return number, _positive(ask, "PageSize", DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)


def _paged(page: tuple[int, int], total: int) -> Fields:
    return {"TotalCount": total, "PageNumber": page[0], "PageSize": page[1]}


def _window(page: tuple[int, int]) -> tuple[int, int]:
    number, size = page
    return (number - 1) * size, number * size


def list_routes(ask: Ask, _sites: Iterable[Site]) -> Fields:
    """Return a page of the routes of a connection; ``bgp`` ones are never there."""
    make_checks(ask, (missing, connection))
    kind = ask.text("RouteEntryType") or "custom"
    if kind not in ("custom", "bgp"):
        raise Refusal("IllegalParam.RouteEntryType")
    site, page = ask.site, _page(ask)
    if not site.connection.attached or (site.task and ask.switches.listing_needs_attached):
        raise Refusal("Vco.StatusNotSupport")
    routes, total = _listed(ask, site, *_window(page)) if kind == "custom" else ([], 0)
    return {**_paged(page, total), "VcoRouteEntries": [_route(route) for route in routes]}


def _listed(ask: Ask, site: Site, start: int, stop: int) -> tuple[list[Route], int]:
    routes, total = site.table.page(start, stop), len(site.table)
    if site.awaited and not ask.switches.listed_after_task:
        if start <= total < stop:
            routes.append(site.awaited)
        total += 1
    return routes, total


def _route(route: Route) -> Fields:
    return {
        "VpnConnectionId": route.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": route.next_hop,
        "Weight": route.weight,
        "State": "published",
        "RouteEntryType": "custom",
        "CreateTime": route.created_ms,
    }


def describe_connection(ask: Ask, _sites: Iterable[Site]) -> Fields:
    """Return all that is known of one connection."""
    make_checks(ask, (missing, connection))
    shown = _connection(ask.site)
    shown["VpnBgpConfig"]["EnableBgp"] = "false"
    return {**shown, "ZoneNo": ask.site.connection.zone, "Tags": {"Tag": []}}


def list_connections(ask: Ask, sites: Iterable[Site]) -> Fields:
    """Return a page of the connections of a region."""
    make_checks(ask, (missing,))
    page = _page(ask)
    chosen = [site for site in sites if _is_wanted(ask, site)]
    rows = [{**_connection(site), "Tag": {"Tag": []}} for site in chosen[slice(*_window(page))]]
    return {**_paged(page, len(chosen)), "VpnConnections": {"VpnConnection": rows}}


def _is_wanted(ask: Ask, site: Site) -> bool:
    """Tell whether a connection passes the filters; none has tags, so a tag filter leaves none."""
    of = site.connection
    filters = {
        "VpnConnectionId": of.vpn_connection_id,
        "VpnGatewayId": of.vpn_gateway_id,
        "CustomerGatewayId": of.customer_gateway_id,
        "ResourceGroupId": of.resource_group_id,
    }
    if any(name.startswith("Tag.") for name in ask.parameters):
        return False
    return all(ask.text(name) in ("", value) for name, value in filters.items())


def list_attachments(ask: Ask, sites: Iterable[Site]) -> Fields:
    """Return a page of the connections that are attached to transit routers."""
    make_checks(ask, (missing,))
    if ask.text("AttachType") not in ("", "CEN"):
        raise Refusal("InvalidAttachType")
    page, wanted = _page(ask), ask.text("VpnConnectionId")
    chosen = [
        site
        for site in sites
        if site.connection.attached and wanted in ("", site.connection.vpn_connection_id)
    ]
    rows = [_attachment(site) for site in islice(chosen, *_window(page))]
    return {**_paged(page, len(chosen)), "VpnAttachments": rows}


def _attachment(site: Site) -> Fields:
    of = site.connection
    return {
        "InstanceId": of.vpn_connection_id,
        "Name": of.name,
        "Description": "",
        "AttachType": of.attach_type,
        "TransitRouterId": of.transit_router_id,
        "TransitRouterName": of.transit_router_name,
        "CrossAccountAuthorized": False,
    }


def list_regions(ask: Ask, sites: Iterable[Site]) -> Fields:
    """Return the vendor's regions, and any other that the caller has connections in."""
    language = ask.text("AcceptLanguage") or _LANGUAGES[0]
    if language not in _LANGUAGES:
        raise Refusal("InvalidAcceptLanguage")
    named = {region: names[_LANGUAGES.index(language)] for region, names in REGIONS.items()}
    others = dict.fromkeys(site.connection.region_id for site in sites)
    return {
        "Regions": {
            "Region": [
                {
                    "RegionId": region,
                    "LocalName": name,
                    "RegionEndpoint": f"vpc.{region}.aliyuncs.com",
                }
                for region, name in ({region: region for region in others} | named).items()
            ]
        }
    }


def _connection(site: Site) -> Fields:
    """Return the fields that a connection has in either answer, its secrets among them."""
    of = site.connection
    attachment = {
        "CEN": {
            "AttachInstanceId": of.cen_id,
            "TransitRouterId": of.transit_router_id,
            "TransitRouterName": of.transit_router_name,
        },
        "VPNGW": {"VpnGatewayId": of.vpn_gateway_id},
    }.get(of.attach_type, {})
    return {
        "VpnConnectionId": of.vpn_connection_id,
        "Name": of.name,
        "State": site.state,
        "Status": site.status,
        "AttachType": of.attach_type,
        **attachment,
        "CreateTime": of.created_ms,
        "CustomerGatewayId": of.customer_gateway_id,
        "ResourceGroupId": of.resource_group_id,
        "InternetIp": of.internet_ip,
        **_CONSTANT,
        "IkeConfig": {**_IKE, "LocalId": of.internet_ip},
        "IpsecConfig": dict(_IPSEC),
        "VcoHealthCheck": dict(_HEALTH),
        "VpnBgpConfig": dict(_BGP),
    }


_CONSTANT: Final[Mapping[str, Any]] = {
    "NetworkType": "public",
    "Spec": "1000M",
    "LocalSubnet": "0.0.0.0/0",
    "RemoteSubnet": "0.0.0.0/0",
    "EffectImmediately": True,
    "EnableDpd": True,
    "EnableNatTraversal": True,
    "EnableTunnelsBgp": False,
    "CrossAccountAuthorized": False,
}
_IKE: Final[Mapping[str, Any]] = {
    "IkeVersion": "ikev2",
    "IkeMode": "main",
    "IkeEncAlg": "aes",
    "IkeAuthAlg": "sha1",
    "IkePfs": "group2",
    "IkeLifetime": 86400,
    "RemoteId": "198.51.100.1",
    "Psk": defaults.CANARY_PSK,
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
    "AuthKey": defaults.CANARY_AUTH_KEY,
}

LISTINGS: Final[Mapping[str, Callable[[Ask, Iterable[Site]], Fields]]] = {
    "DescribeVcoRouteEntries": list_routes,
    "DescribeVpnConnection": describe_connection,
    "DescribeVpnConnections": list_connections,
    "DescribeVpnAttachments": list_attachments,
    "DescribeRegions": list_regions,
}
