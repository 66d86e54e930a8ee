"""The fields of the API's answers and their types, under the API's names.

A field inside another is written with a dot, one inside the rows of a list with ``[]``::

    TunnelOptionsSpecification.TunnelOptions[].Status   string

Types are ``string``, ``integer``, ``boolean``, ``array`` and ``object``, from the vendor's API
metadata of 2016-04-28 and, for newer fields, the models of the official SDK. An answer may leave
out any field but those that an operation *needs*; `vcokit.cloud.answers` looks at the types of
those that are used here, no others: a new type in a field that nobody reads breaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Fields: TypeAlias = Mapping[str, str]


def _under(prefix: str, **names_by_type: str) -> dict[str, str]:
    return {
        f"{prefix}{name}": kind for kind, names in names_by_type.items() for name in names.split()
    }


_PAGE: Final = _under("", string="RequestId", integer="TotalCount PageNumber PageSize")

_TUNNEL: Final = "TunnelOptionsSpecification.TunnelOptions[]."

#: What a connection says of itself, alone or in a list. Booleans of health check, BGP and tunnels
#: are strings; lifetimes and AS numbers are integers of a connection, strings of a tunnel.
_CONNECTION: Final = {
    **_under(
        "",
        string="VpnConnectionId Name State Status AttachType AttachInstanceId TransitRouterId"
        " TransitRouterName VpnGatewayId CustomerGatewayId NetworkType Spec InternetIp LocalSubnet"
        " RemoteSubnet RemoteCaCertificate ResourceGroupId",
        boolean="EnableNatTraversal EffectImmediately EnableDpd CrossAccountAuthorized"
        " EnableTunnelsBgp",
        integer="CreateTime",
        object="IkeConfig IpsecConfig VcoHealthCheck VpnBgpConfig TunnelOptionsSpecification",
    ),
    **_under(
        "IkeConfig.",
        string="IkeVersion IkeMode IkeEncAlg IkeAuthAlg IkePfs LocalId RemoteId Psk",
        integer="IkeLifetime",
    ),
    **_under("IpsecConfig.", string="IpsecEncAlg IpsecAuthAlg IpsecPfs", integer="IpsecLifetime"),
    **_under("VcoHealthCheck.", string="Enable Status Sip Dip Policy", integer="Interval Retry"),
    **_under(
        "VpnBgpConfig.",
        string="Status TunnelCidr LocalBgpIp PeerBgpIp AuthKey",
        integer="LocalAsn PeerAsn",
    ),
    **_under("TunnelOptionsSpecification.", array="TunnelOptions"),
    **_under(
        _TUNNEL,
        string="TunnelId CustomerGatewayId EnableDpd EnableNatTraversal InternetIp Role State"
        " Status ZoneNo RemoteCaCertificate",
        object="TunnelBgpConfig TunnelIkeConfig TunnelIpsecConfig",
    ),
    **_under(
        f"{_TUNNEL}TunnelBgpConfig.",
        string="BgpStatus LocalAsn LocalBgpIp PeerAsn PeerBgpIp TunnelCidr",
    ),
    **_under(
        f"{_TUNNEL}TunnelIkeConfig.",
        string="IkeVersion IkeMode IkeEncAlg IkeAuthAlg IkePfs IkeLifetime LocalId RemoteId Psk",
    ),
    **_under(
        f"{_TUNNEL}TunnelIpsecConfig.",
        string="IpsecEncAlg IpsecAuthAlg IpsecPfs IpsecLifetime",
    ),
}

ROUTE: Final[Fields] = {
    **_under(
        "",
        string="RequestId VpnConnectionId RouteDest NextHop OverlayMode State Description",
        integer="Weight CreateTime",
    )
}

NOTHING: Final[Fields] = _under("", string="RequestId")

ROUTES: Final[Fields] = {
    **_PAGE,
    **_under("", array="VcoRouteEntries VpnRouteCounts"),
    **_under(
        "VcoRouteEntries[].",
        string="VpnConnectionId RouteDest NextHop State RouteEntryType AsPath Community Source",
        integer="Weight CreateTime",
        array="NextHopTunnelIdList",
    ),
    **_under("VcoRouteEntries[].NextHopTunnelIdList", string="[]"),
    **_under("VpnRouteCounts[].", string="RouteEntryType Source", integer="RouteCount"),
}

CONNECTION: Final[Fields] = {
    **_CONNECTION,
    **_under("", string="RequestId ZoneNo TunnelBandwidth", object="Tags"),
    **_under("VpnBgpConfig.", string="EnableBgp"),
    **_under("Tags.", array="Tag"),
    **_under("Tags.Tag[].", string="Key Value"),
    **_under(_TUNNEL, integer="TunnelIndex"),
}

CONNECTIONS: Final[Fields] = {
    **_PAGE,
    **_under("", object="VpnConnections"),
    **_under("VpnConnections.", array="VpnConnection"),
    **{f"VpnConnections.VpnConnection[].{name}": kind for name, kind in _CONNECTION.items()},
    **_under("VpnConnections.VpnConnection[].", object="Tag"),  # so named in this answer alone
    **_under("VpnConnections.VpnConnection[].Tag.", array="Tag"),
    **_under("VpnConnections.VpnConnection[].Tag.Tag[].", string="Key Value"),
}

ATTACHMENTS: Final[Fields] = {
    **_PAGE,
    **_under("", array="VpnAttachments"),
    **_under(
        "VpnAttachments[].",
        string="InstanceId Name Description AttachType TransitRouterId TransitRouterName"
        " TunnelBandwidth Tag",
        boolean="CrossAccountAuthorized",
        array="Tags",
    ),
}

REGIONS: Final[Fields] = {
    **_under("", string="RequestId", object="Regions"),
    **_under("Regions.", array="Region"),
    **_under("Regions.Region[].", string="RegionId LocalName RegionEndpoint"),
}

_PYTHON: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value of parsed JSON is of a type; null stands for a field left out.

    Examples
    --------
    >>> fits("7", "integer"), fits(7, "integer"), fits(True, "integer"), fits(None, "array")
    (False, True, False, True)
    """
    if value is None:
        return True
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))
