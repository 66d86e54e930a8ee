"""What an accepted write does: the change its task brings, and the fields of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from vcokit.simulator.checks import Ask
from vcokit.simulator.model import Route
from vcokit.simulator.sites import Change


def _create(ask: Ask, created_ms: int) -> tuple[Change, dict[str, Any]]:
    key = ask.key
    route = Route(
        vpn_connection_id=ask.site.connection.vpn_connection_id,
        route_dest=key.route_dest,
        next_hop=key.next_hop,
        weight=key.weight,
        description=ask.text("Description"),
        created_ms=created_ms,
    )
    fields = {
        "VpnConnectionId": route.vpn_connection_id,
        "RouteDest": route.route_dest,
        "NextHop": route.next_hop,
        "Weight": route.weight,
        "OverlayMode": "Ipsec",
        # Always published, although the task has only begun.
        "State": "published",
        "CreateTime": created_ms,
    }
    return Change(adds=route), fields | (
        {"Description": route.description} if route.description else {}
    )


def _delete(ask: Ask, _created_ms: int) -> tuple[Change, dict[str, Any]]:
    return Change(removes=ask.key), {}


def _modify(ask: Ask, _created_ms: int) -> tuple[Change, dict[str, Any]]:
    changed = replace(ask.site.table[ask.key], weight=ask.weight("NewWeight"))
    return Change(adds=changed, removes=ask.key), {}


#: From what is asked and the time in epoch milliseconds.
EFFECTS: Final[Mapping[str, Callable[[Ask, int], tuple[Change, dict[str, Any]]]]] = {
    "CreateVcoRouteEntry": _create,
    "DeleteVcoRouteEntry": _delete,
    "ModifyVcoRouteEntryWeight": _modify,
}
