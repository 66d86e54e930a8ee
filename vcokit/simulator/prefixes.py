"""Destinations: what is one, does it have host bits, does it touch the shared address space.

The arithmetic is netaddr's; only the spelling is ours, for netaddr takes more than the cloud does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from netaddr import AddrFormatError, IPNetwork

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,2})"
_IPV4: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{3}}/{_NUMBER}")
_IPV6: Final = re.compile(rf"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/{_NUMBER}")
#: Carrier-grade NAT addresses (RFC 6598): the cloud uses them itself.
SHARED_SPACE: Final = IPNetwork("100.64.0.0/10")


@dataclass(frozen=True)
class Destination:
    """A well-formed destination.

    Parameters
    ----------
    network : str
        The network without host bits; two destinations are one where this is equal.
    version : int
        4 or 6.
    length : int
        Prefix length.
    has_host_bits : bool
        Whether the text had bits behind the prefix.
    touches_shared_space : bool
        Whether it lies in 100.64.0.0/10 or contains it.
    """

    network: str
    version: int
    length: int
    has_host_bits: bool
    touches_shared_space: bool


def parse_destination(text: str) -> Destination | None:
    """Return what a text says, or None where it is no ``address/length`` in ASCII digits.

    Examples
    --------
    >>> parse_destination("10.1.2.3/8").network, parse_destination("10.01.0.0/16")
    ('10.0.0.0/8', None)
    """
    if not (_IPV4.fullmatch(text) or _IPV6.fullmatch(text)):
        return None
    try:
        written = IPNetwork(text)
    except (AddrFormatError, ValueError):
        return None
    network = written.cidr
    return Destination(
        network=str(network),
        version=written.version,
        length=written.prefixlen,
        has_host_bits=written.ip != network.ip,
        touches_shared_space=network in SHARED_SPACE or SHARED_SPACE in network,
    )


def overlap(one: str, other: str) -> bool:
    """Tell whether two networks share an address; those of different versions never do.

    Examples
    --------
    >>> overlap("10.0.0.0/8", "10.1.0.0/16"), overlap("10.0.0.0/8", "11.0.0.0/8")
    (True, False)
    """
    first, second = IPNetwork(one), IPNetwork(other)
    return first in second or second in first
