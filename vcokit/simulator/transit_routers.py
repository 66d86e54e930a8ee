"""The transit routers of a simulated cloud: each has one table of routes learned from connections.

A route is published while a tunnel of its connection is up. Its status there comes from the
contract and is an assumption; ids of tables and attachments are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vcokit.simulator.errors import ApiError
from vcokit.simulator.models import CONTRACT, TUNNEL_UP, Connection
from vcokit.simulator.operations import Fields, RequestContext, operation, read_tokened_page

_FACTS: Final = CONTRACT["services"]["transit_router"]
_PUBLISHED: Final = _FACTS["published"]["value"]
_WRONG_TOKEN: Final = "IllegalParam.NextToken"  # noqa: S105 - an error code


@operation("ListTransitRouterRouteTables")
def list_tables(request: RequestContext) -> Fields:
    """Return a page of the route tables of one transit router, or of all."""
    wanted = request.text("TransitRouterId")
    regions = {one.transit_router_id: one.region_id for one in _attached(request)}
    rows = [
        {
            "RegionId": region,
            "TransitRouterId": router,
            "TransitRouterRouteTableId": _table_of(router),
            "TransitRouterRouteTableName": "",
            "TransitRouterRouteTableStatus": "Active",
            "TransitRouterRouteTableType": "System",
        }
        for router, region in regions.items()
        if wanted in ("", router)
    ]
    return read_tokened_page(request, rows, _WRONG_TOKEN)


@operation("ListTransitRouterRouteEntries")
def list_entries(request: RequestContext) -> Fields:
    """Return a page of the routes of a route table."""
    for name in ("TransitRouterRouteEntryStatus", "TransitRouterRouteEntryNextHopResourceType"):
        if request.text(name) not in ("", *_FACTS["parameters"][name]["choices"]):
            raise ApiError(f"IllegalParam.{name}")
    table = request.text("TransitRouterRouteTableId")
    connections = [one for one in _attached(request) if _table_of(one.transit_router_id) == table]
    if not connections:
        raise ApiError("InvalidTransitRouterRouteTableId.NotFound")
    status = request.text("TransitRouterRouteEntryStatus") or "Active"
    found = [
        entry
        for connection in connections
        for entry in _entries(connection)
        if status in ("All", entry["TransitRouterRouteEntryStatus"])
    ]
    if request.text("TransitRouterRouteEntryNextHopResourceType") not in ("", "VPN"):
        found = []
    return read_tokened_page(request, found, _WRONG_TOKEN)


def _attached(request: RequestContext) -> Iterator[Connection]:
    """Yield the caller's connections that are attached to a transit router."""
    for connection in request.cloud.connections(request.now):
        if connection.account_id == request.account_id and connection.is_attached:
            yield connection


def _table_of(transit_router_id: str) -> str:
    return f"vtb-{transit_router_id.removeprefix('tr-')}"


def _entries(connection: Connection) -> Iterator[Fields]:
    """Yield the routes that a route table has learned from a connection."""
    if connection.shown_status != TUNNEL_UP:
        return
    routes = [(route.route_dest, route.weight) for route in connection.table]
    routes += [(route.route_dest, 100) for route in connection.learned_routes]
    name = connection.vpn_connection_id
    for route_dest, weight in routes:
        if route_dest in connection.withheld:
            continue
        yield {
            "OperationalMode": False,
            "TransitRouterRouteEntryDestinationCidrBlock": route_dest,
            "TransitRouterRouteEntryNextHopId": f"tr-attach-{name.removeprefix('vco-')}",
            "TransitRouterRouteEntryNextHopResourceId": name,
            "TransitRouterRouteEntryNextHopResourceType": "VPN",
            "TransitRouterRouteEntryNextHopType": "Attachment",
            "TransitRouterRouteEntryOriginResourceId": name,
            "TransitRouterRouteEntryOriginResourceType": "VPN",
            "TransitRouterRouteEntryStatus": _PUBLISHED[str(weight)],
            "TransitRouterRouteEntryType": "Propagated",
        }
