"""The oracle's reading of one cell: what is empty, what was most likely meant.

By stdlib, one cell at a time; which choices it makes is told in `tests.audit.oracle`.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Network

from tests.strict_cidr import is_address, network_of

MASKS = {str(IPv4Network((0, length)).netmask): length for length in range(33)}
#: Masks and what they leave: the network before them is lost.
NO_HOSTS = {*MASKS, *(str(IPv4Network((0, length)).hostmask) for length in range(33))}
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"


def none_if_blank(cell: str | None) -> str | None:
    """Return the cell as it stands, None if there is nothing in it but blanks."""
    return cell if cell and re.search(rf"[^\s{ZERO_WIDTH}]", cell) else None


def put_right(text: str) -> str | None:
    """Return what a malformed destination most likely means, None if that is a guess."""
    text = "".join(str(unicodedata.decimal(sign, sign)) for sign in text)
    text = "".join(sign for sign in text if sign not in ZERO_WIDTH)
    if re.search(r"[0-9]\s+[0-9]", text):
        return None
    address, slash, length = re.sub(r"\s", "", text).partition("/")
    if not slash and address in NO_HOSTS:
        return None
    if not slash:
        length = "32"
    elif is_address(length):
        length = MASKS.get(length)
    network = network_of(f"{address}/{length}")
    return str(network) if network and network.prefixlen > 0 else None
