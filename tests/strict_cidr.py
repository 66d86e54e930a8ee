"""The strict reading of prefixes, by the standard library, one text at a time: an oracle for all.

An IPv4 prefix is ``a.b.c.d/len`` in ASCII digits without leading zeros. `ipaddress` alone reads
more: bare addresses, masks, ``/08``. Nothing of vcokit is imported here.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, IPv4Network, IPv6Address

NUMBER = re.compile("0|[1-9][0-9]{0,2}")


def is_number(text: str, largest: int) -> bool:
    """Tell whether a text is a whole number up to `largest`: ASCII, no leading zero."""
    return NUMBER.fullmatch(text) is not None and int(text) <= largest


def is_address(text: str) -> bool:
    """Tell whether a text is four octets."""
    return [is_number(octet, 255) for octet in text.split(".")] == [True] * 4


def interface_of(text: str | None) -> IPv4Interface | None:
    """Return address and network of a text in the strict form, None of any other.

    >>> interface_of("10.1.2.3/8"), interface_of("10.0.0.0/08"), interface_of("10.0.0.0")
    (IPv4Interface('10.1.2.3/8'), None, None)
    """
    address, _, length = (text or "").partition("/")
    if not is_address(address) or not is_number(length, 32):
        return None
    return IPv4Interface(f"{address}/{length}")


def network_of(text: str | None) -> IPv4Network | None:
    """Return the network of a text in the strict form, its host bits cleared."""
    found = interface_of(text)
    return found and found.network


def is_ipv6_prefix(text: str) -> bool:
    """Tell whether a text is a well-formed IPv6 prefix, host bits or not, without a zone."""
    address, _, length = text.partition("/")
    try:
        return is_number(length, 128) and not IPv6Address(address).scope_id
    except ValueError:
        return False
