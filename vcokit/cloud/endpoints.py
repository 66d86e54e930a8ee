"""Which host answers for a region: ``vpc.<region>.aliyuncs.com``, with some exceptions.

The rule, the exceptions and the regions come from ``contract.json``. The exceptions are those of
the official SDK. For cn-hangzhou and the two finance regions, the vendor's metadata also names a
regional host. Both hosts answer; the SDK's is used here because it is in daily use.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from vcokit.contract import CONTRACT
from vcokit.errors import InputError

_FACTS: Final[Mapping[str, Any]] = CONTRACT["endpoints"]

#: Host of each region that is an exception to the rule.
HOSTS: Final[Mapping[str, str]] = {
    region: host for host, regions in _FACTS["exceptions"]["hosts"].items() for region in regions
}
#: The host of all regions that have no host of their own.
CENTRAL: Final = HOSTS["cn-hangzhou"]
#: The regions in the vendor's metadata, and those of the exceptions.
REGIONS: Final = frozenset((*CONTRACT["regions"]["names"], *HOSTS))

#: Most characters in a label of a host name (RFC 1035, 2.3.4).
_LABEL: Final = 63
_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_region(text: str) -> bool:
    """Return whether a text has the form of a region id and is a single host name label.

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
        If the text is not a region id: a cell of a file must never choose a host.

    Examples
    --------
    >>> endpoint_host("eu-central-1"), endpoint_host("cn-hangzhou")
    ('vpc.eu-central-1.aliyuncs.com', 'vpc.aliyuncs.com')
    """
    if not is_region(region_id):
        raise InputError(f"{region_id!r} is not a region id", remedy="Write it like cn-hangzhou")
    return HOSTS.get(region_id) or _FACTS["rule"].format(region=region_id)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

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
