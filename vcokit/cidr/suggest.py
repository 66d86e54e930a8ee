"""Cells that are no prefix: the right form of what was meant.

Most such cells of an inventory are bare addresses and dotted masks, which are read as columns.
The rest is looked at one distinct cell at a time, by netaddr.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, TypeAlias

import netaddr
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.parse import MASKS, NO_LENGTH, U8, U32, Prefixes, parse, to_text

Mask: TypeAlias = npt.NDArray[np.bool_]

_OCTET: Final = "(?:0|[1-9][0-9]{0,2})"
_ADDRESS: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_WHOLE: Final = re.compile(rf"({_ADDRESS})(?:/({_ADDRESS}|0|[1-9][0-9]?))?")
#: What makes a prefix of an address, and the empty text that joins the two.
_HOST: Final = (pa.scalar("/32", pa.large_string()), pa.scalar("", pa.large_string()))
#: Address and dotted mask in one cell, parted by blanks or a sign.
_PARTED: Final = re.compile(rf"\s*({_ADDRESS})(?:\s*[,;|、]\s*|\s+)({_ADDRESS})\s*")
#: Blanks between two digits may stand for a sign that was lost: they are not put right.
_SPLIT_NUMBER: Final = re.compile(r"[0-9]\s+[0-9]")


def suggestions(cells: pd.Series) -> pd.Series:
    """Return what `suggest` says of each cell of a column.

    Parameters
    ----------
    cells : Series of str

    Returns
    -------
    Series of str
        Of the same length, with a fresh ``RangeIndex``; NA where nothing is suggested.

    Examples
    --------
    >>> suggestions(pd.Series(["10.1.2.3", "10.1.2.0/255.255.255.0", "headquarters"])).tolist()
    ['10.1.2.3/32', '10.1.2.0/24', nan]
    """
    encoded = pa.array(cells.astype("str").array, pa.large_string(), from_pandas=True)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    encoded = encoded.dictionary_encode()
    meant = _suggest_distinct(encoded.dictionary)
    return pd.Series(meant.take(encoded.indices), dtype="str")


def _suggest_distinct(cells: Any) -> Any:
    """Return suggestions for distinct cells, as Arrow text.

    First the usual forms as they stand; then, of what is left, the same without blanks and with
    ASCII for their likes of other scripts; the rest one by one.
    """
    meant = _usual_forms(cells)
    for again in (_without_blanks, None):
        left = pc.is_null(meant)
        rest = cells.filter(left)
        found = _usual_forms(again(rest)) if again else _one_by_one(rest)
        meant = pc.replace_with_mask(meant, left, found)
    return meant


def _one_by_one(cells: Any) -> Any:
    """Return what `suggest` says of the cells that the columns left; few can still mean anything.

    In printable ASCII that is only an address and a mask with blanks or a sign between them.
    """
    doubtful = pc.or_(
        pc.match_substring_regex(cells, f"^ *{_ADDRESS} *[ ,;|] *{_ADDRESS} *$"),
        pc.match_substring_regex(cells, "[^ -~]"),
    )
    found = [suggest(cell) for cell in cells.filter(doubtful).to_pylist()]
    meant = pa.nulls(len(cells), pa.large_string())
    return pc.replace_with_mask(meant, doubtful, pa.array(found, pa.large_string()))


def _without_blanks(cells: Any) -> Any:
    """Return cells in plain form; null where blanks part two digits, which may mean anything."""
    plain = pc.utf8_normalize(cells, "NFKC")
    split = pc.match_substring_regex(plain, r"[0-9]\s+[0-9]")
    plain = pc.replace_substring_regex(plain, r"\s+", "")
    return pc.if_else(split, pa.scalar(None, pa.large_string()), plain)


def _usual_forms(cells: Any) -> Any:
    """Return what prefixes, bare addresses and dotted masks mean, as Arrow text; else null."""
    direct = parse(pd.Series(cells, dtype="str"))
    whole = _as_prefixes(pc.replace_substring_regex(cells, "/.*", ""))
    mask = _as_prefixes(pc.replace_substring_regex(cells, "^[^/]*/?", ""))
    is_bare = pc.fill_null(pc.invert(pc.match_substring(cells, "/")), False)
    bare = is_bare.to_numpy(zero_copy_only=False)
    host = np.where(_is_mask(whole), NO_LENGTH, np.uint8(32))
    bits = np.where(bare, host, _length_of_mask(mask))
    bits = np.where(direct.valid, direct.length, bits)
    found = whole.valid & (bits > 0) & (bits <= 32)
    length = np.where(found, bits, NO_LENGTH).astype(np.uint8)
    network = whole.network & MASKS[np.where(found, bits, 0)]
    return pa.array(to_text(network, length).array, pa.large_string(), from_pandas=True)


def _as_prefixes(addresses: Any) -> Prefixes:
    return parse(pd.Series(pc.binary_join_element_wise(addresses, *_HOST), dtype="str"))


def _is_mask(addresses: Prefixes) -> Mask:
    """Tell which addresses are a network mask, or what a mask leaves (``0.0.0.255``).

    Such a cell has lost its network: it means no host.
    """
    hosts: U32 = ~addresses.network
    one = np.uint32(1)
    inverse = (addresses.network & (addresses.network + one)) == 0
    return np.asarray(((hosts & (hosts + one)) == 0) | inverse)


def _length_of_mask(masks: Prefixes) -> U8:
    """Return the length that each address means as a network mask; `NO_LENGTH` where none."""
    hosts: U32 = ~masks.network
    is_mask = masks.valid & ((hosts & (hosts + np.uint32(1))) == 0)
    length = 32 - np.bitwise_count(hosts)
    return np.where(is_mask, length, NO_LENGTH).astype(np.uint8)


def suggest(text: str) -> str | None:
    """Return the prefix that a malformed cell most likely means, or None.

    Put right are: a bare address (``/32``; not where it is a mask), a dotted mask (its length),
    digits and signs of other scripts, blanks and invisible characters, and host bits. Leading zeros
    are not: some programs read them as octal. The default route is never suggested, as it would be
    refused.

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
    plain = text if text.isascii() else _in_ascii(text)
    match = _PARTED.fullmatch(plain)
    if match is None and not _SPLIT_NUMBER.search(plain):
        match = _WHOLE.fullmatch("".join(plain.split()))
    if match is None:
        return None
    address, suffix = match.groups()
    bits = _bits(suffix)
    if not bits or not netaddr.valid_ipv4(address, flags=netaddr.INET_PTON):
        return None
    given = netaddr.IPAddress(address)
    if suffix is None and (given.is_netmask() or given.is_hostmask()):
        return None
    return str(netaddr.IPNetwork(f"{address}/{bits}").cidr)


def _in_ascii(text: str) -> str:
    return "".join(_plain(letter) for letter in unicodedata.normalize("NFKC", text))


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
