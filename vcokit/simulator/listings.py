"""The answers of the reading operations: which rows, which page, which fields.

Lists are plain (``VcoRouteEntries``, ``VpnAttachments``) or wrapped in a singular element
(``Regions.Region``, ``VpnConnections.VpnConnection``, ``Tags.Tag``), as the vendor has it. A field
that would have nothing to say is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from vcokit.simulator.checks import Ask, connection, missing
from vcokit.simulator.checks import check as make_checks
from vcokit.simulator.codes import Refusal
from vcokit.simulator.described import Fields, describe
from vcokit.simulator.described import tags as shown_tags
from vcokit.simulator.model import LearnedRoute, Route
from vcokit.simulator.regions import REGIONS
from vcokit.simulator.sites import Site
from vcokit.simulator.tags import matches, read_filter

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
    """Return a page of the routes of a connection, made by hand or learned by BGP."""
    make_checks(ask, (missing, connection))
    kind = ask.text("RouteEntryType") or "custom"
    if kind not in ("custom", "bgp"):
        raise Refusal("IllegalParam.RouteEntryType")
    site, page = ask.site, _page(ask)
    if not site.connection.attached or (site.task and ask.switches.listing_needs_attached):
        raise Refusal("Vco.StatusNotSupport")
    rows, total = (_custom if kind == "custom" else _learned)(ask, site, *_window(page))
    return {**_paged(page, total), "VcoRouteEntries": rows, **_counts(site)}


def _counts(site: Site) -> Fields:
    """Return the statistics that connections of several tunnels have."""
    if not site.connection.tunnels:
        return {}
    counts = {("custom", "CLOUD"): len(site.table)}
    for route in site.connection.learned_routes:
        counts[("bgp", route.source)] = counts.get(("bgp", route.source), 0) + 1
    rows = [
        {"RouteCount": count, "RouteEntryType": kind, "Source": source}
        for (kind, source), count in counts.items()
    ]
    return {"VpnRouteCounts": rows}


def _learned(_ask: Ask, site: Site, start: int, stop: int) -> tuple[list[Fields], int]:
    routes = site.connection.learned_routes
    return [_learned_route(site, route) for route in routes[start:stop]], len(routes)


def _learned_route(site: Site, route: LearnedRoute) -> Fields:
    of = site.connection
    return {
        "VpnConnectionId": of.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": of.vpn_connection_id,
        "State": "Active",
        "RouteEntryType": "bgp",
        "CreateTime": of.created_ms,
        "AsPath": route.as_path,
        "Community": route.community,
        "Source": route.source,
    }


def _custom(ask: Ask, site: Site, start: int, stop: int) -> tuple[list[Fields], int]:
    routes, total = site.table.page(start, stop), len(site.table)
    if site.awaited and not ask.switches.listed_after_task:
        if start <= total < stop:
            routes.append(site.awaited)
        total += 1
    return [_route(route) for route in routes], total


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
    shown = describe(ask.site)
    # What this answer alone has.
    shown["VpnBgpConfig"]["EnableBgp"] = "false"
    tunnels = shown.get("TunnelOptionsSpecification", {}).get("TunnelOptions", ())
    for number, tunnel in enumerate(tunnels, start=1):
        tunnel["TunnelIndex"] = number
    zone = ask.site.connection.zone
    return {**shown, "ZoneNo": zone, "Tags": {"Tag": shown_tags(ask.site)}}


def list_connections(ask: Ask, sites: Iterable[Site]) -> Fields:
    """Return a page of the connections of a region."""
    make_checks(ask, (missing,))
    page, wanted = _page(ask), read_filter(ask.parameters)
    chosen = [
        site
        for site in sites
        if _is_wanted(ask, site) and matches(wanted, site.connection.tag_pairs)
    ]
    rows = [_with_tags(site) for site in chosen[slice(*_window(page))]]
    return {**_paged(page, len(chosen)), "VpnConnections": {"VpnConnection": rows}}


def _with_tags(site: Site) -> Fields:
    # The container is called Tag here and Tags in the description of one connection.
    return {**describe(site), "Tag": {"Tag": shown_tags(site)}}


def _is_wanted(ask: Ask, site: Site) -> bool:
    """Tell whether a connection passes the filters, that by tags aside."""
    of = site.connection
    filters = {
        "VpnConnectionId": of.vpn_connection_id,
        "VpnGatewayId": of.vpn_gateway_id,
        "CustomerGatewayId": of.customer_gateway_id,
        "ResourceGroupId": of.resource_group_id,
    }
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


LISTINGS: Final[Mapping[str, Callable[[Ask, Iterable[Site]], Fields]]] = {
    "DescribeVcoRouteEntries": list_routes,
    "DescribeVpnConnection": describe_connection,
    "DescribeVpnConnections": list_connections,
    "DescribeVpnAttachments": list_attachments,
    "DescribeRegions": list_regions,
}
