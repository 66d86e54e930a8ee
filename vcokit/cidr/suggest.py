"""Suggestions: what a malformed cell most likely means.

========================================  ==============================================
a bare address                            ``/32``, unless it is itself a network mask
a dotted mask after a slash or a blank    its length
digits and signs of other scripts         their ASCII characters
blanks, invisible characters              removed, unless blanks separate two digits
host bits                                 cleared
========================================  ==============================================

Leading zeros stay malformed, since some programs read them as octal. The default route is never
suggested: the cloud would refuse it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import numpy as np
import pandas as pd

from vcokit.cidr.parse import U32, Mask, parse
from vcokit.cidr.scalar import (
    ADDRESS,
    LENGTH,
    LENGTH_BITS,
    address_number,
    from_key,
    netmask_length,
)

_PREFIX: Final = re.compile(rf"({ADDRESS})(?:/({ADDRESS}|{LENGTH}))?")
#: Address and dotted mask in one cell, separated by blanks or a punctuation mark.
_ADDRESS_AND_MASK: Final = re.compile(rf"\s*({ADDRESS})(?:\s*[,;|、]\s*|\s+)({ADDRESS})\s*")
#: A blank between two digits may replace a lost punctuation mark.
_SPLIT_NUMBER: Final = re.compile(r"[0-9]\s+[0-9]")
_ALL_ONES: Final = 0xFFFFFFFF


def suggestions(cells: pd.Series) -> pd.Series:
    """Return the result of `suggest` for each cell of a Series of str; NA if it is None.

    Examples
    --------
    >>> suggestions(pd.Series(["10.1.2.3", "10.1.2.0/255.255.255.0", "headquarters"])).tolist()
    ['10.1.2.3/32', '10.1.2.0/24', nan]
    """
    codes, distinct = pd.factorize(cells)
    # Most cells are bare addresses; these are parsed as one column, and the others one by one.
    hosts = pd.Series(distinct, dtype="str") + "/32"
    address = parse(hosts)
    bare = hosts.where(address.valid & ~_are_any_masks(address.network))
    texts: list[str] = distinct.tolist()
    meant: list[str | None] = list(bare)
    for position in np.flatnonzero(~address.valid).tolist():
        meant[position] = suggest(texts[position])
    # A missing cell has the code -1, which takes the last element.
    return pd.Series(pd.array([*meant, None], dtype="str").take(codes))


def suggest(text: str) -> str | None:
    """Return the prefix that a malformed cell most likely means, in strict form, or None.

    Examples
    --------
    >>> suggest("10.1.2.3"), suggest("10.1.2.0/255.255.255.0"), suggest("１０.0.0.0 /8")
    ('10.1.2.3/32', '10.1.2.0/24', '10.0.0.0/8')
    >>> suggest("010.0.0.0/8") is suggest("headquarters") is None
    True
    """
    plain = text if text.isascii() else _to_ascii(text)
    match = _ADDRESS_AND_MASK.fullmatch(plain)
    if match is None and not _SPLIT_NUMBER.search(plain):
        match = _PREFIX.fullmatch("".join(plain.split()))
    if match is None:
        return None
    address, suffix = address_number(match[1]), match[2]
    if suffix is None:
        length = None if _is_any_mask(address) else 32
    else:
        length = netmask_length(address_number(suffix)) if "." in suffix else int(suffix)
    if not length:
        return None
    network = address & (_ALL_ONES << (32 - length))
    return str(from_key(network << LENGTH_BITS | length))


def _is_any_mask(address: int) -> bool:
    """Return whether an address is a network mask or its inverse, so its network is unknown."""
    return netmask_length(address) is not None or netmask_length(address ^ _ALL_ONES) is not None


def _are_any_masks(addresses: U32) -> Mask:
    """Return which addresses of a column are a network mask or its inverse."""
    one = np.uint32(1)
    hosts = ~addresses
    return np.asarray(((hosts & (hosts + one)) == 0) | ((addresses & (addresses + one)) == 0))


def _to_ascii(text: str) -> str:
    return "".join(map(_ascii_of, unicodedata.normalize("NFKC", text)))


def _ascii_of(letter: str) -> str:
    """Return an ASCII digit for a digit, a blank for a blank, nothing for invisible characters."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    if letter.isspace():
        return " "
    return "" if unicodedata.category(letter) == "Cf" else letter
