"""What is suggested for a bad cell is what a person would write, or nothing."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import netaddr
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

import vcokit as vk

RIGHT = {
    "10.1.2.3": "10.1.2.3/32",
    "10.1.2.9/255.255.255.0": "10.1.2.0/24",
    "10.1.2.0 255.255.255.0": "10.1.2.0/24",
    "10.1.2.0,255.255.255.0": "10.1.2.0/24",
    "10.0.0.0 / 8": "10.0.0.0/8",
    "10.\u00a00.0.0/8": "10.0.0.0/8",
    "10.0.0.0\u200b/8": "10.0.0.0/8",
    "१०.0.0.0/8": "10.0.0.0/8",
    "１０．０．０．０／８": "10.0.0.0/8",
}
NOTHING = [
    "010.0.0.0/8",
    "10.0.0.0/08",
    " 10.0.0.0/0",
    "0.0.0.0/0.0.0.0",
    "10.0.0.256/24",
    "10.0.0.0/33",
    "10.0.0.0/255.0.255.0",
    "10.0.0.0/0.0.0.255",
    "255.255.255.0",
    "0.0.0.255",
    "1 0.0.0.0/8",
    "10.0.0.0/",
    "10.0.0/24",
    "０.0.0.0/0",
    "2001:db8::1",
    "2001:db8::/032",
    "fe80::%eth0/64",
    "headquarters",
    "",
]


def suggested(text: str) -> str | None:
    """Return what the error of malformed text says to write."""
    with pytest.raises(ValueError, match=r"is not a\.b\.c\.d/len") as error:
        vk.Cidr(text)
    found = re.search("; write '([^']*)'$", str(error.value))
    return found[1] if found else None


@pytest.mark.parametrize("text", [*RIGHT, *NOTHING])
def test_usual_slips(text: str) -> None:
    """A usual slip is corrected; where it could mean several things, or nothing, nothing is."""
    assert suggested(text) == RIGHT.get(text)


def by_netaddr(text: str) -> str | None:
    """Return what is meant by a cell in which no blank stands between two digits, by netaddr."""
    plain = "".join(
        str(unicodedata.decimal(letter, letter))
        for letter in unicodedata.normalize("NFKC", text)
        if not letter.isspace() and unicodedata.category(letter) != "Cf"
    )
    address, slash, suffix = plain.partition("/")
    flags = netaddr.INET_PTON
    if "\0" in plain:
        return None  # of such a text netaddr raises where it should say no
    if not plain.isascii() or not netaddr.valid_ipv4(address, flags=flags):
        return None
    start = netaddr.IPAddress(address)
    if not slash:
        bits = 0 if start.is_netmask() or start.is_hostmask() else 32
    elif netaddr.valid_ipv4(suffix, flags=flags):
        mask = netaddr.IPAddress(suffix)
        bits = mask.netmask_bits() if mask.is_netmask() else 0
    else:
        bits = int(suffix) if suffix in map(str, range(33)) else 0
    return str(netaddr.IPNetwork(f"{address}/{bits}").cidr) if bits else None


#: Addresses, masks and what separates them, so that random cells are near to what is corrected.
PIECES = ["10.1.2.3", "255.255.0.0", "255.255.255.255", "0.0.0.0/0.0.0.0", "0.255.0.255"]
PIECES += [
    "256.0.0.1",
    "/",
    "/",
    "/",
    " ",
    "0",
    "8",
    "\n",
    "é",
    "１",
    "१",
    "．",
    "\xa0",
    "\x0b",
    "\x1c",
]
CELL = some.text(max_size=30) | some.lists(some.sampled_from(PIECES), max_size=4).map("".join)


@example("\0")
@example("10.1.2.3/\0")
@given(
    CELL.filter(lambda text: not re.search(r"\d\W*\s\W*\d", unicodedata.normalize("NFKC", text)))
)
def test_suggestions_are_those_of_netaddr(text: str) -> None:
    """Addresses, masks and lengths mean what netaddr says; a suggestion is in strict form."""
    try:
        assert str(vk.Cidr(text)) == text
    except ValueError as error:
        if "host bits" not in str(error):
            found = suggested(text)
            assert found == by_netaddr(text)
            assert found is None or str(ipaddress.IPv4Network(found)) == found != "0.0.0.0/0"
