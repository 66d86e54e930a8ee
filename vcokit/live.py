"""What the cloud holds now, as frames."""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Thread
from typing import TypeVar

import pandas as pd

from vcokit import schema
from vcokit.audit.columns import is_connection
from vcokit.cloud.client import Client
from vcokit.cloud.endpoints import is_region
from vcokit.errors import InputError, NotFoundError, Remedy, StateError

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")


def live_routes(
    client: Client, routes: pd.DataFrame, *, workers: int | None = None
) -> pd.DataFrame:
    """Return the destination routes that the connections of an inventory hold now.

    Parameters
    ----------
    client : Client
        From `connect`.
    routes : DataFrame
        Anything with the columns region_id and vpn_connection_id: routes, or live connections.
        Ids that are none of a connection are passed over; a connection that stands in several
        regions is looked for in that of its first row.
    workers : int, optional
        Connections listed side by side; setting ``list_workers``.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.LIVE_ROUTES`, connections in order of appearance. A connection that is
        not listed has one row at the end, without a destination: its ``route_entry_type`` is
        ``unlisted``, its ``state`` the cloud's code, or what is wrong with its region or its
        listing. A plan creates and deletes nothing there. Frames of several clients may be put
        together with ``pd.concat``.

    Raises
    ------
    InputError
        If an argument is not what it should be.
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
        connection: f"{reprlib.repr(region)} is no region id"
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
        except (InputError, UnicodeError) as error:  # its name is too long for any request
            unlisted[connection] = str(error)
        return None

    asked = [pair for pair in named if is_region(pair[0])]
    found = side_by_side(look, asked, client.settings.get("list_workers", workers))
    frames = [frame for frame in found if frame is not None and len(frame)]
    live = pd.concat(frames, ignore_index=True) if frames else schema.frame(schema.LIVE_ROUTES)
    live = pd.concat([live, _unlisted(named, unlisted)], ignore_index=True) if unlisted else live
    live["simulated"] = pd.array([client.simulated] * len(live), dtype="boolean")
    live.attrs["simulated"] = client.simulated  # for where there is no row to say it
    return live


def _first_lack(found: pd.DataFrame) -> str | None:
    """Return what the cloud leaves out of a destination route; such a route cannot be named."""
    custom = found["route_entry_type"].fillna("custom") == "custom"
    for name, said in (("route_dest", "destination"), ("next_hop", "next hop")):
        lacking = found[custom & found[name].isna()]
        if len(lacking):
            other = lacking["next_hop" if name == "route_dest" else "route_dest"].iloc[0]
            of = "" if pd.isna(other) else f" ({other})"
            return f"the cloud lists a route without a {said}{of}; look at it in the console"
    return None


def _unlisted(named: list[tuple[str, str]], reasons: dict[str, str]) -> pd.DataFrame:
    """Return the rows of connections that are not listed, of `vcokit.schema.LIVE_ROUTES`."""
    pairs = [pair for pair in named if pair[1] in reasons]
    columns = {
        "region_id": [region for region, _ in pairs],
        "vpn_connection_id": [name for _, name in pairs],
        "state": [reasons[name] for _, name in pairs],
        "route_entry_type": [schema.UNLISTED] * len(pairs),
    }
    return schema.frame(schema.LIVE_ROUTES, columns)


def side_by_side(ask: Callable[[_Asked], _Told], asked: Sequence[_Asked], most: int) -> list[_Told]:
    """Return what is told of each, asked for by so many threads at most; the first error is raised.

    An interrupt ends it at once: threads that still wait for an answer hold up nobody's end, as
    those of a pool would.
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


def connections_of(routes: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (region, connection) of every connection that can be asked for, as rows name them."""
    return [(region, name) for region, name in _named(routes) if is_region(region)]


def _named(routes: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (region, connection) of every connection that rows name, in order of appearance."""
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

    Two lists of each region are put together: DescribeVpnConnections knows State and tunnels,
    DescribeVpnAttachments which connections a transit router has, another account's too. Pre-shared
    and BGP keys, which the cloud does send, are dropped where its answers are parsed.

    Parameters
    ----------
    client : Client
        From `connect`.
    regions : DataFrame, str or iterable of str, optional
        Routes (anything with a column region_id), or region ids; by default the client's region.
        What has not the form of a region id is passed over.
    details : bool
        Whether to ask for each connection by itself, one call each: only then the zone of a
        single-tunnel connection is known.
    workers : int, optional
        Calls side by side; setting ``list_workers``.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.LIVE_CONNECTIONS`, all text but two nullable booleans, cross_account and
        attached; for `with_connection_ids` and ``audit_routes(connections=…)``. Regions in order
        of appearance, which stand in ``attrs["regions"]`` as well.

    Raises
    ------
    InputError
        If no region is known at all, or an argument is not what it should be.
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
            f"{reprlib.repr(wrong[0])} is no region id",
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
    """Return the connections of a region; those that only the attachments know come last."""
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
        return None  # gone since it was listed, or another account's
    zone = answer.get("ZoneNo")
    return zone if isinstance(zone, str) and zone else None
