"""By which heads files name the columns of routes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final

#: Heads by which files name the columns of routes, as `header_key` writes them: the names of the
#: API, its console and its orchestration templates, and the common words of spreadsheets.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "region_id": ("regionid", "region", "地域", "地域id", "区域", "区域id", "地区"),
    "vpn_connection_id": (
        "vpnconnectionid",
        "vpnconnection",
        "connectionid",
        "connection",
        "vco",
        "vcoid",
        "ipsecconnectionid",
        "ipsecconnection",
        "ipsecid",
        "ipsecvpnconnection",
        "ipsecvpnconnectionid",
        "ipsec连接id",
        "ipsec连接",
        "ipsec连接实例id",
        "vpn连接id",
        "vpn连接",
        "连接",
        "连接id",
    ),
    "route_dest": (
        "routedest",
        "routedestination",
        "destination",
        "destinationcidr",
        "destinationcidrblock",
        "destinationnetwork",
        "dest",
        "destcidr",
        "dst",
        "dstcidr",
        "cidr",
        "cidrblock",
        "prefix",
        "route",
        "network",
        "目标网段",
        "目的网段",
        "目标地址",
        "目的地址",
        "目标cidr",
        "目的cidr",
        "路由目标网段",
    ),
    "next_hop": ("nexthop", "nexthopid", "nh", "下一跳", "下一跳id", "下一跳实例", "下一跳实例id"),
    "weight": ("weight", "routeweight", "权重", "路由权重"),
    "description": (
        "description",
        "desc",
        "comment",
        "comments",
        "remark",
        "remarks",
        "note",
        "notes",
        "描述",
        "备注",
        "说明",
    ),
}

#: Heads of a column of names. Where no column holds the ids of connections, their names stand for
#: them: `vcokit.with_connection_ids` puts the ids in.
NAME_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "vpn_connection_id": (
        "connectionname",
        "vpnconnectionname",
        "ipsecname",
        "ipsecconnectionname",
        "ipsecvpnconnectionname",
        "连接名",
        "连接名称",
        "vpn连接名称",
        "ipsec连接名",
        "ipsec连接名称",
    ),
}

#: Heads of a column that holds the mask or the length of the network beside it.
MASK_HEADS: Final = (
    "mask",
    "netmask",
    "subnetmask",
    "networkmask",
    "prefixlength",
    "prefixlen",
    "masklength",
    "masklen",
    "length",
    "len",
    "bits",
    "掩码",
    "子网掩码",
    "网络掩码",
    "掩码长度",
    "前缀长度",
)


def header_key(head: str) -> str:
    """Return a head as it is compared: NFKC, lower case, letters and digits only.

    Examples
    --------
    >>> header_key("  Vpn_Connection-Id ")
    'vpnconnectionid'
    >>> header_key("ＩＰｓｅｃ连接 ID")
    'ipsec连接id'
    """
    text = unicodedata.normalize("NFKC", head).casefold()
    return "".join(letter for letter in text if letter.isalnum())


def field_of(head: str) -> str | None:
    """Return the column of routes that a head names, or None.

    Examples
    --------
    >>> field_of("RouteDest"), field_of("目标网段"), field_of("Site")
    ('route_dest', 'route_dest', None)
    """
    return _FIELD_OF.get(header_key(head))


def _outside(head: str) -> str:
    """Return a head without what stands in brackets."""
    return _BRACKETS.sub(" ", unicodedata.normalize("NFKC", head))


_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】")
_NAMED: Final = {alias: field for field, aliases in NAME_ALIASES.items() for alias in aliases}

#: How a head is read, the first way that finds a column first: ``Weight``, ``Weight (0/100)``,
#: ``Connection name``.
READINGS: Final[tuple[Callable[[str], str | None], ...]] = (
    field_of,
    lambda head: field_of(_outside(head)),
    lambda head: _NAMED.get(header_key(head)) or _NAMED.get(header_key(_outside(head))),
)

_FIELD_OF: Final = {alias: field for field, aliases in ALIASES.items() for alias in aliases}


def match_heads(heads: Iterable[Hashable]) -> dict[str, list[Hashable]]:
    """Return, for each column of routes, the heads of a file that name it, in the file's order.

    Examples
    --------
    >>> match_heads(["Region", "cidr", "Prefix", "Site"])
    {'region_id': ['Region'], 'route_dest': ['cidr', 'Prefix']}
    """
    found: dict[str, list[Hashable]] = {}
    for head in heads:
        field = field_of(str(head))
        if field is not None:
            found.setdefault(field, []).append(head)
    return found
