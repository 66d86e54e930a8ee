"""What the cloud holds now, as frames, and whether it is what an inventory asks for."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd

from vcokit import config, schema
from vcokit.audit.case import Case
from vcokit.audit.facts import CONNECTION_ID
from vcokit.audit.standing import standing
from vcokit.cloud.client import Client
from vcokit.errors import NotFoundError, StateError

_CONNECTION: Final = re.compile(CONNECTION_ID)


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
        Of `vcokit.schema.LIVE_ROUTES`, connections in order of appearance. Connections that the
        cloud does not list are in ``attrs["unlisted"]``, by id, with the cloud's code.

    Raises
    ------
    CloudError
        If the cloud cannot be reached or refuses for another reason.
    """
    pairs = connections_of(routes)
    unlisted: dict[str, str] = {}

    def look(pair: tuple[str, str]) -> pd.DataFrame | None:
        region_id, connection = pair
        try:
            return client.describe_vco_route_entries(
                region_id=region_id, vpn_connection_id=connection
            )
        except (NotFoundError, StateError) as error:
            unlisted[connection] = error.code
            return None

    with ThreadPoolExecutor(config.get("list_workers", workers)) as pool:
        frames = [frame for frame in pool.map(look, pairs) if frame is not None and len(frame)]
    live = pd.concat(frames, ignore_index=True) if frames else schema.frame(schema.LIVE_ROUTES)
    live.attrs["unlisted"] = {connection: unlisted[connection] for connection in sorted(unlisted)}
    return live


def connections_of(routes: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (region, connection) of every connection that rows name, in order of appearance."""
    schema.require_columns(routes, ("region_id", "vpn_connection_id"), what="routes")
    names = pd.DataFrame(
        {name: schema.text_column(routes[name]) for name in ("region_id", "vpn_connection_id")}
    )
    first = names.dropna().drop_duplicates("vpn_connection_id")
    pairs = zip(first["region_id"], first["vpn_connection_id"], strict=True)
    return [(region, name) for region, name in pairs if _CONNECTION.fullmatch(name)]


def live_connections(client: Client, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the IPsec connections of the regions that an inventory names.

    Parameters
    ----------
    client : Client
    routes : DataFrame
        Anything with a column region_id.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.LIVE_CONNECTIONS`; for ``audit_routes(connections=…)``.
    """
    schema.require_columns(routes, ("region_id",), what="routes")
    regions = schema.text_column(routes["region_id"]).dropna().unique()
    frames = [client.describe_vpn_connections(region_id=str(region)) for region in regions]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return schema.frame(schema.LIVE_CONNECTIONS)
    return pd.concat(frames, ignore_index=True)


def verify_routes(
    routes: pd.DataFrame, live: pd.DataFrame, *, quota: int | None = None
) -> pd.DataFrame:
    """Compare what an inventory asks for with what is live, route by route.

    Parameters
    ----------
    routes : DataFrame
        The inventory. Rows that a plan would block are passed over.
    live : DataFrame
        From `live_routes`; connections that the inventory does not name are passed over.
    quota : int, optional
        As in `audit_routes`.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.DIFFERENCES`: a row each route asked for, ``as planned``, ``missing`` or
        ``different``, and behind them a row each live route whose connection and network no row
        names, ``unexpected``.
    """
    case = Case(routes, live=live, quota=quota)
    sorted_rows = standing(case)
    wanted = sorted_rows.routes.assign(route_dest=sorted_rows.network)
    named = wanted[["vpn_connection_id", "route_dest"]].dropna().drop_duplicates()
    wanted = wanted.assign(row=np.arange(len(wanted)))[sorted_rows.stands]
    there = _destinations(live)
    found = wanted.merge(
        there, on=["vpn_connection_id", "route_dest"], how="left", suffixes=("", "_live")
    )
    exact = (found["live_weight"] == found["weight"]) & (
        found["live_next_hop"] == found["next_hop"]
    )
    found["verdict"] = np.select(
        [exact.fillna(False).to_numpy(dtype=bool), found["live_next_hop"].isna()],
        ["as planned", "missing"],
        "different",
    )
    # A destination may be live twice, with either weight; the row that agrees decides.
    found = found.iloc[np.argsort(found["verdict"] != "as planned", kind="stable")]
    found = found.drop_duplicates("row").sort_values("row")
    return _differences(found, _unexpected(there, named))


def _destinations(live: pd.DataFrame) -> pd.DataFrame:
    columns = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    renamed = {"next_hop": "live_next_hop", "weight": "live_weight", "region_id": "live_region"}
    return schema.destination_routes(live)[columns].rename(columns=renamed)


def _unexpected(there: pd.DataFrame, named: pd.DataFrame) -> pd.DataFrame:
    mine = there[there["vpn_connection_id"].isin(named["vpn_connection_id"])]
    known = pd.MultiIndex.from_frame(named)
    index = pd.MultiIndex.from_frame(mine[["vpn_connection_id", "route_dest"]])
    extra = mine[~index.isin(known)]
    return extra.rename(columns={"live_region": "region_id"}).assign(verdict="unexpected")


def _differences(found: pd.DataFrame, extra: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, dtype in schema.DIFFERENCES.items():
        parts = [
            part[name] if name in part else pd.Series([None] * len(part), dtype=dtype)
            for part in (found, extra)
        ]
        columns[name] = pd.concat([part.astype(dtype) for part in parts], ignore_index=True)
    return schema.frame(schema.DIFFERENCES, columns)
