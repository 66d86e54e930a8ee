"""Which host answers for a region: ``vpc.<region>.aliyuncs.com``, but for those of the table.

The table is that of the official SDK for Python, alibabacloud_vpc20160428 7.2.2; a test compares it
with the SDK that is installed. The vendor's metadata names a regional host for cn-hangzhou and the
two finance regions as well; both answer, and the SDK's is the one that is used every day.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from vcokit.errors import InputError

CENTRAL: Final = "vpc.aliyuncs.com"
_NEBULA: Final = "vpc-nebula.cn-qingdao-nebula.aliyuncs.com"
_REHEARSAL: Final = "vpc-pre.cn-hangzhou.aliyuncs.com"

_BY_HOST: Final[Mapping[str, str]] = {
    CENTRAL: "cn-hangzhou cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-north-2-gov-1"
    " ap-northeast-2-pop cn-beijing-finance-pop cn-beijing-gov-1 cn-beijing-nu16-b01 cn-fujian"
    " cn-haidian-cm12-c01 cn-hangzhou-bj-b01 cn-hangzhou-finance cn-hangzhou-internal-prod-1"
    " cn-hongkong-finance-pop cn-shanghai-et2-b01 cn-shanghai-inner cn-shenzhen-inner"
    " cn-shenzhen-st4-d01 cn-shenzhen-su18-b01 cn-wuhan cn-yushanfang cn-zhangbei"
    " cn-zhangbei-na61-b01 rus-west-1-pop",
    _NEBULA: "cn-edge-1 cn-huhehaote-nebula-1 cn-qingdao-nebula cn-zhengzhou-nebula-1",
    _REHEARSAL: "cn-hangzhou-internal-test-1 cn-hangzhou-internal-test-3 cn-hangzhou-test-306"
    " cn-shanghai-et15-b01 cn-shanghai-internal-test-1",
    "vpc-inner-pre.cn-hangzhou.aliyuncs.com": "cn-hangzhou-internal-test-2",
    "vpc.cn-zhangjiakou.aliyuncs.com": "cn-zhangjiakou-na62-a01",
    "vpc-nebula.cn-shenzhen-cloudstone.aliyuncs.com": "eu-west-1-oxs",
}

#: Host of each region that the rule does not give.
HOSTS: Final[Mapping[str, str]] = {
    region: host for host, regions in _BY_HOST.items() for region in regions.split()
}

_PUBLIC: Final = (
    "cn-qingdao cn-beijing cn-zhangjiakou cn-zhengzhou-jva cn-huhehaote cn-wulanchabu cn-hangzhou"
    " cn-shanghai cn-nanjing cn-fuzhou cn-shenzhen cn-heyuan cn-guangzhou cn-chengdu cn-wuhan-lr"
    " cn-hongkong ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2 ap-southeast-3"
    " ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-south-1 us-east-1 us-west-1 eu-west-1"
    " eu-central-1 me-east-1 me-central-1 na-south-1 cn-shanghai-finance-1 cn-shenzhen-finance-1"
    " cn-beijing-finance-1 cn-heyuan-acdr-1"
)
#: The regions that the vendor's metadata names, and those of the table above.
REGIONS: Final = frozenset((*_PUBLIC.split(), *HOSTS))

#: Most characters of a label of a host name (RFC 1035, 2.3.4).
_LABEL: Final = 63
_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_region(text: str) -> bool:
    """Tell whether a text has the form of a region id, and is one label of a host name.

    Examples
    --------
    >>> is_region("cn-hangzhou"), is_region("evil.example/")
    (True, False)
    """
    return len(text) <= _LABEL and _REGION.fullmatch(text) is not None


def endpoint_host(region_id: str) -> str:
    """Return the API's host for a region, as the official SDK maps it.

    Raises
    ------
    InputError
        If the text is no region id: a cell of a file must never choose a host.

    Examples
    --------
    >>> endpoint_host("eu-central-1"), endpoint_host("cn-hangzhou")
    ('vpc.eu-central-1.aliyuncs.com', 'vpc.aliyuncs.com')
    """
    if not is_region(region_id):
        raise InputError(f"{region_id!r} is no region id", remedy="Write it like cn-hangzhou")
    return HOSTS.get(region_id, f"vpc.{region_id}.aliyuncs.com")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("10.0.0.1")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
