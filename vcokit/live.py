"""The present routes and connections in the cloud, as frames."""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Thread
from typing import Any, Final, TypeVar

import pandas as pd

from vcokit import schema
from vcokit.audit.columns import is_connection
from vcokit.cloud.client import Client
from vcokit.cloud.endpoints import is_region
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.responses import note_of
from vcokit.contract import TUNNEL_UP
from vcokit.errors import CloudError, InputError, NotFoundError, Remedy, StateError

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")


def live_routes(
    client: Client, routes: pd.DataFrame, *, workers: int | None = None
) -> pd.DataFrame:
    """Return the present destination routes of the connections of an inventory.

    Parameters
    ----------
    client : Client
        From `connect`.
    routes : DataFrame
        Any frame with the columns region_id and vpn_connection_id: routes, or live connections.
        Invalid connection ids are skipped. A connection with several regions is looked up in the
        region of its first row.
    workers : int, optional
        Number of connections listed in parallel; by default the setting ``list_workers``.

    Returns
    -------
    DataFrame
        With the schema `vcokit.schema.LIVE_ROUTES`, connections in order of appearance. A
        connection that cannot be listed has one row at the end, without a destination: its
        ``route_entry_type`` is ``unlisted``, its ``state`` the cloud's code, or what is wrong with
        its region or its listing. A plan creates and deletes nothing on such a connection. Frames
        of several clients can be combined with ``pd.concat``.

    Raises
    ------
    InputError
        If an argument is invalid.
    CloudError
        If the cloud cannot be reached or refuses for another reason.

    Examples
    --------
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.simulator import Route, Simulator
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "172.16.0.0/12"], "next_hop": "vco-a", "weight": 100})
    >>> there = [Route("vco-a", "10.0.0.0/8", 100)]
    >>> with Simulator.for_routes(routes, routes=there) as cloud, connect(cloud) as client:
    ...     live = live_routes(client, routes)
    >>> live[["vpn_connection_id", "route_dest", "weight"]]
      vpn_connection_id  route_dest  weight
    0             vco-a  10.0.0.0/8     100
    """
    _require_client(client, "live_routes(client, routes)")
    named = _named(routes)
    unlisted = {
        connection: f"{reprlib.repr(region)} is not a region id"
        for region, connection in named
        if not is_region(region)
    }

    def look(pair: tuple[str, str]) -> pd.DataFrame | None:
        region_id, connection = pair
        try:
            found = client.describe_vco_route_entries(
                region_id=region_id, vpn_connection_id=connection
            )
            if (lacking := _first_lack(found)) is None:
                return found
            unlisted[connection] = lacking
        except (NotFoundError, StateError) as error:
            unlisted[connection] = error.code
        except (InputError, UnicodeError) as error:  # its id is too long for a request
            unlisted[connection] = str(error)
        return None

    asked = [pair for pair in named if is_region(pair[0])]
    found = side_by_side(look, asked, client.settings.get("list_workers", workers))
    frames = [frame for frame in found if frame is not None and len(frame)]
    live = pd.concat(frames, ignore_index=True) if frames else schema.frame(schema.LIVE_ROUTES)
    live = pd.concat([live, _unlisted(named, unlisted)], ignore_index=True) if unlisted else live
    live["simulated"] = pd.array([client.simulated] * len(live), dtype="boolean")
    live.attrs["simulated"] = client.simulated  # needed if there is no row with this value
    return live


def _first_lack(found: pd.DataFrame) -> str | None:
    """Return what is wrong if a destination route has a missing field and cannot be identified."""
    custom = found["route_entry_type"].fillna("custom") == "custom"
    for name, said in (("route_dest", "destination"), ("next_hop", "next hop")):
        lacking = found[custom & found[name].isna()]
        if len(lacking):
            other = lacking["next_hop" if name == "route_dest" else "route_dest"].iloc[0]
            of = "" if pd.isna(other) else f" ({other})"
            return f"the cloud lists a route without a {said}{of}; check it in the console"
    return None


def _unlisted(named: list[tuple[str, str]], reasons: dict[str, str]) -> pd.DataFrame:
    """Return the rows of unlisted connections, with the schema `vcokit.schema.LIVE_ROUTES`."""
    pairs = [pair for pair in named if pair[1] in reasons]
    columns = {
        "region_id": [region for region, _ in pairs],
        "vpn_connection_id": [name for _, name in pairs],
        "state": [reasons[name] for _, name in pairs],
        "route_entry_type": [schema.UNLISTED] * len(pairs),
    }
    return schema.frame(schema.LIVE_ROUTES, columns)


def side_by_side(ask: Callable[[_Asked], _Told], asked: Sequence[_Asked], most: int) -> list[_Told]:
    """Return the result for each item, with at most `workers` threads; raise the first error.

    An interrupt ends it immediately. Unlike the threads of a pool, threads that still wait for an
    answer do not delay the exit.
    """
    told: dict[int, _Told] = {}
    errors: dict[int, BaseException] = {}
    todo = deque(enumerate(asked))

    def work(over: Event) -> None:
        while todo:
            try:
                number, one = todo.popleft()
            except IndexError:  # another thread was faster
                break
            try:
                told[number] = ask(one)
            except BaseException as error:
                errors[number] = error
                todo.clear()
        over.set()

    ends = [Event() for _ in asked[:most]]
    try:
        for over in ends:
            Thread(target=work, args=[over], daemon=True).start()
        for over in ends:
            over.wait()
    finally:
        todo.clear()
    if errors:
        raise errors[min(errors)]
    return [told[number] for number in range(len(asked))]


# -- beyond the listing: tunnels, and the tables of transit routers --------------------------------

#: Most connections or tunnels in one call.
_DIAGNOSED: Final = 20
_BY_TUNNEL: Final = "tunnel_id"
_BY_CONNECTION: Final = "vpn_connection_id"
_FOUND: Final = ["severity", "code", "reason", "local_value", "remote_value", "failed_at"]


def live_tunnels(client: Client, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the tunnels of the connections of an inventory, and what is wrong with them.

    Only tunnels that are not up are diagnosed. Both reads are optional: values that the key may not
    read are missing, and a note gives the reason.

    Parameters
    ----------
    client : Client
        From `connect`.
    routes : DataFrame
        As in `live_routes`.

    Returns
    -------
    DataFrame
        With the schema `vcokit.schema.LIVE_TUNNELS`: at least one row for each connection, and one
        for each fault of a tunnel. ``status`` is missing if it could not be read.

    Raises
    ------
    CloudError
        If the AccessKey is refused.

    Examples
    --------
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.simulator import Connection, Simulator, TunnelFailure
    >>> wrong = TunnelFailure(1, code="Phase1ProposalMismatch", local="SHA256", remote="SHA")
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a"]})
    >>> down = Connection("vco-a", failures=[wrong])
    >>> with Simulator([down]) as cloud, connect(cloud) as client:
    ...     tunnels = live_tunnels(client, routes)
    >>> tunnels[["status", "code", "local_value", "remote_value"]].iloc[0].tolist()
    ['ike_sa_not_established', 'Phase1ProposalMismatch', 'SHA256', 'SHA']
    """
    _require_client(client, "live_tunnels(client, routes)")
    frames = [_tunnels_in(client, *one) for one in _by_region(routes).items()]
    empty = schema.frame(schema.LIVE_TUNNELS)
    return pd.concat(frames, ignore_index=True) if frames else empty


def _tunnels_in(client: Client, region: str, names: list[str]) -> pd.DataFrame:
    """Return the tunnels of some connections of a region."""
    rows: list[dict[str, Any]] = []
    note = None
    try:
        pages = client.listing(OPERATIONS["DescribeVpnConnections"], {"RegionId": region})
        rows = [row for page in pages for row in page.rows]
        note = "the cloud does not list the connection"
    except CloudError as error:
        note = note_of(error, "so the status of tunnels is not known")
    found = {row.get("VpnConnectionId"): row for row in rows}
    tunnels = pd.DataFrame(
        [
            (name, tunnel.get("TunnelId"), tunnel.get("Status"), None if name in found else note)
            for name in names
            for tunnel in _tunnels_of(found.get(name, {}))
        ],
        columns=[_BY_CONNECTION, _BY_TUNNEL, "status", "note"],
    ).astype("str")
    tunnels["region_id"] = region
    is_down = (tunnels["status"] != TUNNEL_UP) & tunnels["status"].notna()
    is_single = tunnels[_BY_TUNNEL].isna()
    try:
        parts = [
            _diagnosed(client, region, tunnels[is_down & is_single], _BY_CONNECTION),
            _diagnosed(client, region, tunnels[is_down & ~is_single], _BY_TUNNEL),
        ]
        tunnels = pd.concat([tunnels[~is_down], *parts]).sort_index(kind="stable")
    except CloudError as error:
        tunnels.loc[is_down, "note"] = note_of(error, "so the reasons are not known")
    known = {name: tunnels[name] for name in schema.LIVE_TUNNELS if name in tunnels}
    return schema.frame(schema.LIVE_TUNNELS, known)


def _tunnels_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tunnels in the cloud's description of a connection; a single tunnel has no id."""
    several = (row.get("TunnelOptionsSpecification") or {}).get("TunnelOptions")
    return several or [{"Status": row.get("Status")}]


def _diagnosed(client: Client, region: str, tunnels: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return tunnels with their faults; a tunnel with several faults has several rows.

    Connections with one tunnel are requested by their own ids, others by the ids of their tunnels.
    """
    ids = tunnels[by].tolist()
    parts = [ids[start : start + _DIAGNOSED] for start in range(0, len(ids), _DIAGNOSED)]
    found = [
        client.diagnose_vpn_connections(
            region_id=region,
            vpn_connection_ids=part if by == _BY_CONNECTION else None,
            tunnel_ids=part if by == _BY_TUNNEL else None,
        )
        for part in parts
    ]
    if not found:
        return tunnels
    told = pd.concat(found, ignore_index=True)[[by, *_FOUND]]
    return tunnels.reset_index().merge(told, how="left", on=by).set_index("index")


def live_router_routes(client: Client, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the routes to the connections of an inventory in the tables of transit routers.

    All route tables of the transit routers with these connections are read. These reads are
    optional: values that the key may not read are missing, and a note gives the reason.

    Parameters
    ----------
    client : Client
        From `connect`. Calls go to Cloud Enterprise Network's own host, or to the client's
        endpoint if one is set.
    routes : DataFrame
        As in `live_routes`.

    Returns
    -------
    DataFrame
        With the schema `vcokit.schema.LIVE_ROUTER_ROUTES`, at least one row for each connection. A
        row without a destination means that no table has a route to the connection or, if it has a
        note, that the tables could not be read.

    Raises
    ------
    CloudError
        If the AccessKey is refused.

    Examples
    --------
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.simulator import Connection, Route, Simulator
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a"]})
    >>> there = [Route("vco-a", "10.0.0.0/8")]
    >>> with Simulator([Connection("vco-a")], there) as cloud, connect(cloud) as client:
    ...     found = live_router_routes(client, routes)
    >>> found[["transit_router_id", "route_dest", "status"]].iloc[0].tolist()
    ['tr-simulator', '10.0.0.0/8', 'Active']
    """
    _require_client(client, "live_router_routes(client, routes)")
    otherwise = "so the tables of transit routers are not known"
    asked: list[tuple[str, str, str | None, str | None]] = []
    for region, names in _by_region(routes).items():
        routers: dict[str, str] = {}
        note = "it is not attached to a transit router"
        try:
            there = _connections_in(client, region).dropna(subset="transit_router_id")
            routers = dict(zip(there["vpn_connection_id"], there["transit_router_id"], strict=True))
        except CloudError as error:
            note = note_of(error, otherwise)
        asked += [
            (region, name, routers.get(name), None if name in routers else note) for name in names
        ]
    entries = [schema.frame(schema.LIVE_ROUTER_ROUTES)]
    unread: dict[str | None, str] = {}
    for router in dict.fromkeys(router for _, _, router, _ in asked if router is not None):
        try:
            entries.append(_entries_of(client, router))
        except CloudError as error:
            unread[router] = note_of(error, otherwise)
    rows = [(*place, router, unread.get(router, note)) for *place, router, note in asked]
    names = ["region_id", "vpn_connection_id", "transit_router_id", "note"]
    found = pd.DataFrame(rows, columns=names, dtype="str")
    told = pd.concat(entries, ignore_index=True).drop(columns=["region_id", "note"])
    both = found.merge(told, how="left", on=["vpn_connection_id", "transit_router_id"])
    return schema.frame(schema.LIVE_ROUTER_ROUTES, {str(name): both[name] for name in both})


def _entries_of(client: Client, router: str) -> pd.DataFrame:
    """Return the routes to connections in all tables of a transit router."""
    tables = client.list_transit_router_route_tables(transit_router_id=router)["route_table_id"]
    frames = [
        client.list_transit_router_route_entries(route_table_id=table).assign(route_table_id=table)
        for table in tables
    ]
    empty = schema.frame(schema.LIVE_ROUTER_ROUTES)
    return pd.concat([empty, *frames], ignore_index=True).assign(transit_router_id=router)


# -- which connections ----------------------------------------------------------------------------


def _by_region(routes: pd.DataFrame) -> dict[str, list[str]]:
    """Return the connections that can be listed, by region."""
    found: dict[str, list[str]] = {}
    for region, name in connections_of(routes):
        found.setdefault(region, []).append(name)
    return found


def connections_of(routes: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (region, connection) of every connection that can be listed, as given in the rows."""
    return [(region, name) for region, name in _named(routes) if is_region(region)]


def _named(routes: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (region, connection) of every connection in the rows, in order of appearance."""
    schema.require_columns(routes, ("region_id", "vpn_connection_id"), what="routes")
    names = pd.DataFrame(
        {name: schema.text_column(routes[name]) for name in ("region_id", "vpn_connection_id")}
    )
    named = names[is_connection(names["vpn_connection_id"])].dropna()
    first = named.drop_duplicates("vpn_connection_id")
    return list(zip(first["region_id"], first["vpn_connection_id"], strict=True))


def live_connections(
    client: Client,
    regions: pd.DataFrame | str | Iterable[str] | None = None,
    *,
    details: bool = False,
    workers: int | None = None,
) -> pd.DataFrame:
    """Return the IPsec connections of some regions, and which are attached to a transit router.

    Two listings of each region are combined: DescribeVpnConnections has State and tunnels.
    DescribeVpnAttachments has the connections of transit routers, also those of other accounts.
    Pre-shared keys and BGP keys, which the cloud sends, are dropped when its answers are parsed.

    Parameters
    ----------
    client : Client
        From `connect`.
    regions : DataFrame, str or iterable of str, optional
        Routes (any frame with a column region_id), or region ids; by default the client's region.
        Invalid region ids are skipped.
    details : bool
        Whether to read each connection with a separate call. Only then is the zone of a
        single-tunnel connection known.
    workers : int, optional
        Number of parallel calls; by default the setting ``list_workers``.

    Returns
    -------
    DataFrame
        With the schema `vcokit.schema.LIVE_CONNECTIONS`: all text except two nullable booleans,
        cross_account and attached. For `with_connection_ids` and ``audit_routes(connections=…)``.
        Regions are in order of appearance; ``attrs["regions"]`` also contains them.

    Raises
    ------
    InputError
        If no region is known, or an argument is invalid.
    CloudError
        If the cloud cannot be reached or refuses.

    Examples
    --------
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.simulator import Simulator
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a", "vco-b"],
    ...     "route_dest": "10.0.0.0/8", "next_hop": ["vco-a", "vco-b"], "weight": [100, 0]})
    >>> with Simulator.for_routes(routes) as cloud, connect(cloud) as client:
    ...     connections = live_connections(client, routes)
    >>> connections[["region_id", "vpn_connection_id", "state", "attached"]]
         region_id vpn_connection_id     state  attached
    0  cn-hangzhou             vco-a  attached      True
    1  cn-hangzhou             vco-b  attached      True
    """
    _require_client(client, "live_connections(client, regions)")
    asked = _regions(client, regions)
    most = client.settings.get("list_workers", workers)
    frames = side_by_side(lambda region: _connections_in(client, region), asked, most)
    found = pd.concat(frames, ignore_index=True) if frames else None
    if details and found is not None:
        pairs = list(zip(found["region_id"], found["vpn_connection_id"], strict=True))
        zones = side_by_side(lambda pair: _zone(client, *pair), pairs, most)
        found["zone"] = found["zone"].fillna(pd.Series(zones, dtype=found["zone"].dtype))
    result = schema.frame(schema.LIVE_CONNECTIONS) if found is None else found
    result.attrs["regions"] = asked
    return result


def _regions(client: Client, regions: pd.DataFrame | str | Iterable[str] | None) -> list[str]:
    if isinstance(regions, pd.DataFrame):
        schema.require_columns(regions, ("region_id",), what="routes")
        column = schema.text_column(regions["region_id"])
        return [str(region) for region in column.dropna().unique() if is_region(str(region))]
    if regions is None:
        if not client.target.region:
            raise InputError("no region is known", remedy=Remedy("Name one: {region}", region=...))
        regions = [client.target.region]
    asked = [regions] if isinstance(regions, str) or not isinstance(regions, Iterable) else regions
    listed = list(asked)
    if wrong := [region for region in listed if not isinstance(region, str) or not region]:
        raise InputError(
            f"{reprlib.repr(wrong[0])} is not a region id",
            remedy='Name regions as text, "cn-hangzhou" or a list of them, or pass routes',
        )
    return list(dict.fromkeys(listed))


def _require_client(client: object, call: str) -> None:
    if not isinstance(client, Client):
        raise InputError(
            f"the first argument must be a Client, not {type(client).__name__}",
            remedy=f'Write {call}, with client = connect(region="cn-hangzhou")',
        )


def _connections_in(client: Client, region: str) -> pd.DataFrame:
    """Return the connections of a region; those that are only in the attachments are last."""
    known = client.describe_vpn_connections(region_id=region)
    attached = client.describe_vpn_attachments(region_id=region).assign(attached=True)
    by_id = attached.drop_duplicates("vpn_connection_id").set_index("vpn_connection_id")
    ids = known["vpn_connection_id"]
    for name in ("name", "attach_type", "transit_router_id", "transit_router_name"):
        known[name] = known[name].fillna(ids.map(by_id[name]).astype(known[name].dtype))
    shared = ids.map(by_id["cross_account"]).astype(schema.BOOL)
    known["cross_account"] = known["cross_account"].fillna(shared)
    known["attached"] = ids.isin(by_id.index).astype(schema.BOOL)
    others = attached[~attached["vpn_connection_id"].isin(ids)]
    both = pd.concat([known, others], ignore_index=True)
    return schema.frame(schema.LIVE_CONNECTIONS, {str(name): both[name] for name in both})


def _zone(client: Client, region: str, connection: str) -> str | None:
    try:
        answer = client.describe_vpn_connection(region_id=region, vpn_connection_id=connection)
    except NotFoundError:
        return None  # deleted since it was listed, or it belongs to another account
    zone = answer.get("ZoneNo")
    return zone if isinstance(zone, str) and zone else None
