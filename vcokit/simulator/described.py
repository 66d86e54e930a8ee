"""What the cloud shows of a connection: its attachment, its tunnels, its secrets among the rest.

Which of these are texts and which are truth values or numbers is the vendor's choice: tunnels
spell ``"true"`` and ``"86400"`` where the connection itself has true and 86400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from vcokit.simulator import defaults
from vcokit.simulator.sites import Site

Fields: TypeAlias = dict[str, Any]


def describe(site: Site) -> Fields:
    """Return the fields that a connection has in either answer, its secrets among them."""
    of = site.connection
    attachment = {
        "CEN": {
            "AttachInstanceId": of.cen_id,
            "TransitRouterId": of.transit_router_id,
            "TransitRouterName": of.transit_router_name,
        },
        "VPNGW": {"VpnGatewayId": of.vpn_gateway_id},
    }.get(of.attach_type, {})
    return {
        "VpnConnectionId": of.vpn_connection_id,
        "Name": of.name,
        "State": site.state,
        "Status": site.status,
        "AttachType": of.attach_type,
        **attachment,
        "CreateTime": of.created_ms,
        "CustomerGatewayId": of.customer_gateway_id,
        "ResourceGroupId": of.resource_group_id,
        "InternetIp": of.internet_ip,
        **_CONSTANT,
        "IkeConfig": {**_IKE, "LocalId": of.internet_ip},
        "IpsecConfig": dict(_IPSEC),
        "VcoHealthCheck": dict(_HEALTH),
        "VpnBgpConfig": dict(_BGP),
        **_tunnels(site),
    }


def _tunnels(site: Site) -> Fields:
    """Return the tunnels of a connection that has several, nothing for the others."""
    rows = [_tunnel(site, number) for number in range(site.connection.tunnels)]
    return {"TunnelOptionsSpecification": {"TunnelOptions": rows}} if rows else {}


def _tunnel(site: Site, number: int) -> Fields:
    of = site.connection
    return {
        "TunnelId": f"tun-{of.vpn_connection_id.removeprefix('vco-')}{number + 1}",
        "Role": ("master", "slave")[number],
        "State": "updating" if site.task else "active",
        "Status": site.status,
        "CustomerGatewayId": of.customer_gateway_id,
        "InternetIp": of.internet_ip,
        "ZoneNo": of.zone,
        "EnableDpd": "true",
        "EnableNatTraversal": "true",
        "TunnelIkeConfig": {
            **_IKE,
            "IkeLifetime": str(_IKE["IkeLifetime"]),
            "LocalId": of.internet_ip,
        },
        "TunnelIpsecConfig": {**_IPSEC, "IpsecLifetime": str(_IPSEC["IpsecLifetime"])},
        "TunnelBgpConfig": {
            "BgpStatus": "false",
            "LocalAsn": str(_BGP["LocalAsn"]),
            "LocalBgpIp": _BGP["LocalBgpIp"],
            "PeerAsn": str(_BGP["PeerAsn"]),
            "PeerBgpIp": _BGP["PeerBgpIp"],
            "TunnelCidr": _BGP["TunnelCidr"],
        },
    }


def tags(site: Site) -> list[Fields]:
    """Return the tags of a connection as the cloud shows them."""
    return [{"Key": key, "Value": value} for key, value in site.connection.tag_pairs]


_CONSTANT: Final[Mapping[str, Any]] = {
    "NetworkType": "public",
    "Spec": "1000M",
    "LocalSubnet": "0.0.0.0/0",
    "RemoteSubnet": "0.0.0.0/0",
    "EffectImmediately": True,
    "EnableDpd": True,
    "EnableNatTraversal": True,
    "EnableTunnelsBgp": False,
    "CrossAccountAuthorized": False,
}
_IKE: Final[Mapping[str, Any]] = {
    "IkeVersion": "ikev2",
    "IkeMode": "main",
    "IkeEncAlg": "aes",
    "IkeAuthAlg": "sha1",
    "IkePfs": "group2",
    "IkeLifetime": 86400,
    "RemoteId": "198.51.100.1",
    "Psk": defaults.CANARY_PSK,
}
_IPSEC: Final[Mapping[str, Any]] = {
    "IpsecEncAlg": "aes",
    "IpsecAuthAlg": "sha1",
    "IpsecPfs": "group2",
    "IpsecLifetime": 86400,
}
_HEALTH: Final[Mapping[str, Any]] = {
    "Enable": "false",
    "Status": "success",
    "Sip": "",
    "Dip": "",
    "Interval": 3,
    "Retry": 3,
    "Policy": "revoke_route",
}
_BGP: Final[Mapping[str, Any]] = {
    "Status": "false",
    "TunnelCidr": "169.254.11.0/30",
    "LocalBgpIp": "169.254.11.2",
    "PeerBgpIp": "169.254.11.1",
    "LocalAsn": 65531,
    "PeerAsn": 65530,
    "AuthKey": defaults.CANARY_AUTH_KEY,
}
