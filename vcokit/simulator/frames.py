"""What the simulator knows, as frames: routes, connections, calls. An empty one keeps its columns.

Strings are ``str``, whole numbers ``Int64``; a string that is empty is missing. Of calls, `time` is
in simulated seconds and `parameters` holds mappings. Rows are gathered apart from frames: the first
has to be done while nothing moves, the second takes its time and loads pandas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from vcokit.simulator.history import Call
from vcokit.simulator.model import Route
from vcokit.simulator.sites import Site

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = Mapping[str, Any]

ROUTES: Final = {
    "region_id": "str",
    "vpn_connection_id": "str",
    "route_dest": "str",
    "next_hop": "str",
    "weight": "Int64",
    "listed": "bool",
    "forwarding": "bool",
}
CONNECTIONS: Final = {
    "region_id": "str",
    "vpn_connection_id": "str",
    "name": "str",
    "account_id": "str",
    "attach_type": "str",
    "transit_router_id": "str",
    "transit_router_name": "str",
    "zone": "str",
    "state": "str",
    "status": "str",
    "routes": "Int64",
}
CALLS: Final = {
    "time": "float64",
    "operation": "str",
    "account_id": "str",
    "region_id": "str",
    "vpn_connection_id": "str",
    "parameters": "object",
    "status": "Int64",
    "code": "str",
    "request_id": "str",
    "client_token": "str",
    "replayed": "bool",
    "effect": "Int64",
    "changed": "bool",
    "faults": "str",
}


def route_rows(sites: Iterable[Site], *, listed_after_task: bool) -> Iterator[Row]:
    """Yield a row of `ROUTES` for every route that is there or on its way.

    Parameters
    ----------
    sites : iterable of Site
        Settled to the present.
    listed_after_task : bool
        Whether a route on its way is listed only when its task ends.

    Yields
    ------
    mapping
        `listed`: the cloud's listing shows it. `forwarding`: it is in force and the tunnel is up.
    """
    for site in sites:
        for route in site.table:
            yield _route_row(site, route, listed=True, forwarding=site.forwards)
        if site.awaited is not None:
            yield _route_row(site, site.awaited, listed=not listed_after_task, forwarding=False)


def _route_row(site: Site, route: Route, *, listed: bool, forwarding: bool) -> Row:
    return {
        "region_id": site.connection.region_id,
        "vpn_connection_id": route.vpn_connection_id,
        "route_dest": route.route_dest,
        "next_hop": route.next_hop,
        "weight": route.weight,
        "listed": listed,
        "forwarding": forwarding,
    }


def connection_rows(sites: Iterable[Site]) -> Iterator[Row]:
    """Yield a row of `CONNECTIONS` for every connection; `routes` counts those in force."""
    for site in sites:
        now = {"state": site.state, "status": site.status, "routes": len(site.table)}
        yield vars(site.connection) | now


def call_rows(calls: Iterable[Call]) -> Iterator[Row]:
    """Yield a row of `CALLS` for every call."""
    return (vars(call) for call in calls)


def frame(columns: Mapping[str, str], rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a frame of these columns and dtypes."""
    import pandas as pd

    rows = list(rows)
    values = {
        name: pd.Series([_value(row[name], dtype) for row in rows], dtype=_dtype(dtype))
        for name, dtype in columns.items()
    }
    return pd.DataFrame(values, columns=list(columns))


def _value(value: Any, dtype: str) -> Any:
    return None if dtype == "str" and value == "" else value


def _dtype(dtype: str) -> Any:
    return object if dtype == "object" else dtype
