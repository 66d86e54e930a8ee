"""A cloud as plain data, and back: connections, routes and the quota, nothing that moves.

::

    {"format": "vcokit-simulator/1", "quota": 50, "router_quota": null,
     "connections": [{"vpn_connection_id": …, "region_id": …, …}, …],
     "routes": [{"vpn_connection_id": …, "route_dest": …, …}, …]}

Running tasks count as ended: the cloud would end them while nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from vcokit.simulator.model import Connection, Route
from vcokit.simulator.sites import NO_CHANGE, Site

FORMAT: Final = "vcokit-simulator/1"


def take(sites: Iterable[Site], quota: int, router_quota: int | None = None) -> dict[str, Any]:
    """Return sites as data that JSON can hold."""
    sites = list(sites)
    return {
        "format": FORMAT,
        "quota": quota,
        "router_quota": router_quota,
        "connections": [_plain(asdict(site.connection)) for site in sites],
        "routes": [asdict(route) for site in sites for route in _routes_in_the_end(site)],
    }


def _plain(value: Any) -> Any:
    """Return data with lists for tuples, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _routes_in_the_end(site: Site) -> list[Route]:
    change = site.task.change if site.task else NO_CHANGE
    routes = [route for route in site.table if route.key != change.removes]
    return routes if change.adds is None else [*routes, change.adds]


def restore(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that make the cloud of a snapshot: connections, routes, quotas.

    Raises
    ------
    ValueError
        If the data are not of this format.
    """
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {FORMAT!r}")
        return {
            "connections": [Connection(**connection) for connection in data["connections"]],
            "routes": [Route(**route) for route in data["routes"]],
            "quota": int(data["quota"]),
            "router_quota": data.get("router_quota"),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it lacks or misspells something: {error!r}") from None
