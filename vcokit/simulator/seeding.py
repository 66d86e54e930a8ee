"""A cloud for an inventory: the connections that its routes need, with everything else invented.

Each well-formed connection id becomes one connection attached to a transit router, in the region
of its first row that names one. There is one transit router for each region, so that routes of one
destination on several connections meet. Malformed ids become nothing: the cloud shall not find
them.
"""

from __future__ import annotations

import string
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from vcokit.simulator import defaults
from vcokit.simulator.model import CONNECTION_ID, Connection

if TYPE_CHECKING:
    import pandas as pd

IDENTITY: Final = ("vpn_connection_id", "route_dest", "next_hop", "weight")
_ALPHABET: Final = string.ascii_lowercase + string.digits
_SITES: Final = ("branch", "depot", "factory", "office", "plant", "shop", "warehouse")


def connections_for(
    routes: pd.DataFrame, seed: int, account_id: str = defaults.ACCOUNT_ID
) -> list[Connection]:
    """Return the connections that an inventory needs, in the order in which it names them.

    Parameters
    ----------
    routes : DataFrame
        With columns region_id and vpn_connection_id.
    seed : int
        Of what is invented.
    account_id : str
        Owner of all of them.

    Raises
    ------
    ValueError
        If it is no frame, or a column is not there.
    """
    _require(routes, ("region_id", "vpn_connection_id"))
    regions = _regions(routes)
    chance = Random(f"{seed}/connections")  # noqa: S311 - names, no secrets
    routers = {region: _router(region, chance) for region in dict.fromkeys(regions.values())}
    return [
        replace(
            _connection(number, vpn_connection_id, region, routers[region], chance),
            account_id=account_id,
        )
        for number, (vpn_connection_id, region) in enumerate(regions.items(), start=1)
    ]


def quota_for(routes: pd.DataFrame) -> int:
    """Return the quota that lets an inventory in: the vendor's, or its largest connection.

    Rows that repeat one another count once.
    """
    _require(routes, IDENTITY)
    rows = routes.loc[:, list(IDENTITY)].astype("str").drop_duplicates()
    ids = rows["vpn_connection_id"]
    sizes = ids[ids.str.fullmatch(CONNECTION_ID.pattern, na=False)].value_counts()
    return max(defaults.QUOTA, int(sizes.max()) if len(sizes) else 0)


def _require(routes: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if not hasattr(routes, "columns"):
        raise ValueError(
            f"routes must be a DataFrame, not {type(routes).__name__}. Read a file with "
            "vk.read_routes(path)"
        )
    missing = [name for name in columns if name not in routes.columns]
    if missing:
        raise ValueError(
            f"routes lacks the column {', '.join(missing)}. Read a file with vk.read_routes(path)"
        )


def _regions(routes: pd.DataFrame) -> dict[str, str]:
    """Return the region of each well-formed connection id; the default where no row names one."""
    pairs = routes.loc[:, ["vpn_connection_id", "region_id"]]
    pairs = pairs[pairs["vpn_connection_id"].notna()].drop_duplicates()
    regions: dict[str, str] = {}
    for vpn_connection_id, region in pairs.itertuples(index=False, name=None):
        if not CONNECTION_ID.fullmatch(str(vpn_connection_id)):
            continue
        named = region if isinstance(region, str) else ""
        regions[vpn_connection_id] = regions.get(vpn_connection_id) or named
    return {name: region or defaults.REGION for name, region in regions.items()}


def _router(region: str, chance: Random) -> tuple[str, str, str]:
    return f"tr-{_invent(chance)}", f"transit-{region}", f"cen-{_invent(chance, 18)}"


def _connection(
    number: int, vpn_connection_id: str, region: str, router: tuple[str, str, str], chance: Random
) -> Connection:
    # Zones of regions in China are written cn-hangzhou-h, elsewhere ap-southeast-5a.
    zone = f"{region}{'-' if region.startswith('cn-') else ''}{chance.choice('abc')}"
    return Connection(
        vpn_connection_id,
        region,
        name=f"{chance.choice(_SITES)}-{number:03d}",
        transit_router_id=router[0],
        transit_router_name=router[1],
        cen_id=router[2],
        zone=zone,
        customer_gateway_id=f"cgw-{_invent(chance)}",
        # From the addresses kept for examples (RFC 5737).
        internet_ip=f"203.0.113.{chance.randrange(1, 255)}",
    )


def _invent(chance: Random, length: int = 20) -> str:
    return "".join(chance.choices(_ALPHABET, k=length))
