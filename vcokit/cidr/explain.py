"""One bad cell at a time, on the slow edge: the right form of what was meant, by netaddr."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import netaddr

_OCTET: Final = "(?:0|[1-9][0-9]{0,2})"
_ADDRESS: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_WHOLE: Final = re.compile(rf"({_ADDRESS})(?:/({_ADDRESS}|0|[1-9][0-9]?))?")
#: Address and dotted mask in one cell, parted by blanks.
_PARTED: Final = re.compile(rf"\s*({_ADDRESS})\s+({_ADDRESS})\s*")
#: Blanks between two digits may stand for a sign that was lost: they are not put right.
_SPLIT_NUMBER: Final = re.compile(r"[0-9]\s+[0-9]")


def suggest(text: str) -> str | None:
    """Return the prefix that a malformed cell most likely means, or None.

    Put right are: a bare address (``/32``), a dotted mask (its length), digits and signs of other
    scripts, blanks and invisible characters, and host bits. Leading zeros are not: some programs
    read them as octal. The default route is never suggested, as it would be refused.

    Parameters
    ----------
    text : str
        The cell.

    Returns
    -------
    str or None
        A prefix in strict form.

    Examples
    --------
    >>> suggest("10.1.2.3"), suggest("10.1.2.0/255.255.255.0"), suggest("１０.0.0.0 /8")
    ('10.1.2.3/32', '10.1.2.0/24', '10.0.0.0/8')
    >>> suggest("010.0.0.0/8") is suggest("headquarters") is None
    True
    """
    plain = "".join(_plain(letter) for letter in unicodedata.normalize("NFKC", text))
    match = _PARTED.fullmatch(plain)
    if match is None and not _SPLIT_NUMBER.search(plain):
        match = _WHOLE.fullmatch("".join(plain.split()))
    if match is None:
        return None
    address, suffix = match.groups()
    bits = _bits(suffix)
    if not bits or not netaddr.valid_ipv4(address, flags=netaddr.INET_PTON):
        return None
    return str(netaddr.IPNetwork(f"{address}/{bits}").cidr)


def _plain(letter: str) -> str:
    """Return a character's ASCII digit, a blank for any blank, nothing for an invisible one."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    if letter.isspace():
        return " "
    return "" if unicodedata.category(letter) == "Cf" else letter


def _bits(suffix: str | None) -> int | None:
    """Return the length that stands behind the slash, 1-32; None where it is none."""
    if suffix is None:
        return 32
    if "." not in suffix:
        return int(suffix) if int(suffix) <= 32 else None
    if not netaddr.valid_ipv4(suffix, flags=netaddr.INET_PTON):
        return None
    mask = netaddr.IPAddress(suffix)
    return int(mask.netmask_bits()) if mask.is_netmask() else None
