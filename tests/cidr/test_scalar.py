"""One prefix as a value: what makes it, how it compares, and what it is not."""

from __future__ import annotations

import copy
import ipaddress
import operator
import pickle

import netaddr
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.cidr.networks import ANY as NETWORKS
from tests.cidr.test_parse import KINDS, MALFORMED, by_stdlib
from vcokit import Cidr

ADDRESSES = some.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)


@given(NETWORKS)
def test_made_of_anything_that_is_a_prefix(network: ipaddress.IPv4Network) -> None:
    """Text, stdlib, netaddr, two numbers and another Cidr make the same prefix, and back."""
    made = Cidr(str(network))
    start, length = int(network.network_address), network.prefixlen
    others = [network, netaddr.IPNetwork(str(network)), made, Cidr(start, length)]
    assert {made} == {Cidr(other) for other in others}
    assert (made.network, made.prefix_length) == (start, length)
    assert made.last == int(network.broadcast_address)
    assert str(made) == f"{made}" == str(network)
    assert made.to_ipaddress() == network
    assert made.to_netaddr() == netaddr.IPNetwork(str(network))


@pytest.mark.parametrize("text", [*KINDS[0].split("|"), *KINDS[MALFORMED].split("|")])
def test_text_is_as_strict_as_in_a_column(text: str) -> None:
    """What makes a prefix alone is what makes one in a column; it is written as it was read."""
    if by_stdlib(text)[2]:
        with pytest.raises(ValueError, match=r"is not a\.b\.c\.d/len|has host bits set"):
            Cidr(text)
    else:
        assert str(Cidr(text)) == text


@given(some.integers(0, 2**32 - 1), some.integers(0, 32))
def test_host_bits_are_refused_with_the_network(address: int, length: int) -> None:
    """An address that is not its network's is an error that names the network, however made."""
    text = f"{ipaddress.IPv4Address(address)}/{length}"
    network = ipaddress.IPv4Network(text, strict=False)
    for value in [(text,), (netaddr.IPNetwork(text),), (address, length)]:
        if int(network.network_address) == address:
            assert str(Cidr(*value)) == text
        else:
            with pytest.raises(ValueError, match=f"its network is '{network}'"):
                Cidr(*value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *(((value,), TypeError) for value in (5, b"10.0.0.0/8", None)),
        ((ipaddress.IPv4Address("10.0.0.0"),), TypeError),
        ((ipaddress.IPv4Interface("10.0.0.0/8"),), TypeError),
        ((ipaddress.IPv6Network("::/0"),), TypeError),
        ((netaddr.IPNetwork("::/0"),), TypeError),
        (("10.0.0.0/8", 8), TypeError),
        ((0.0, 8), TypeError),
        *((pair, ValueError) for pair in ((0, 33), (0, -1), (2**32, 32), (-1, 32))),
    ],
)
def test_what_is_no_prefix(value: tuple, kind: type[Exception]) -> None:
    """Addresses, other families, other types and numbers out of range are refused."""
    with pytest.raises(kind):
        Cidr(*value)


@given(NETWORKS, NETWORKS)
def test_comparisons_agree(one: ipaddress.IPv4Network, other: ipaddress.IPv4Network) -> None:
    """Comparisons and the hash of equals are those of stdlib; no other type equals or orders."""
    mine, theirs = Cidr(one), Cidr(other)
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        compare = getattr(operator, name)
        assert compare(mine, theirs) == compare(one, other)
    assert hash(Cidr(one)) == hash(mine)
    for stranger in (str(one), one, 5, None):
        assert mine != stranger
        with pytest.raises(TypeError):
            _ = mine < stranger


@given(NETWORKS, NETWORKS, ADDRESSES)
def test_holds(
    one: ipaddress.IPv4Network, other: ipaddress.IPv4Network, address: ipaddress.IPv4Address
) -> None:
    """It holds the addresses and prefixes that stdlib says, in every way to write them."""
    made = Cidr(one)
    for inside in (address, str(address), int(address), netaddr.IPAddress(int(address))):
        assert (inside in made) == (address in one)
    for inside in (other, str(other), Cidr(other), netaddr.IPNetwork(str(other))):
        assert (inside in made) == other.subnet_of(one)


def test_what_cannot_be_held() -> None:
    """Asked for what is neither address nor prefix, ``in`` raises rather than denies."""
    strangers = [ipaddress.IPv6Address("::"), netaddr.IPAddress("::1")]
    for item in ("elsewhere", "10.0.0.0/33", None, *strangers):
        with pytest.raises((TypeError, ValueError)):
            _ = item in Cidr("10.0.0.0/8")


def test_a_value_and_no_collection() -> None:
    """To pandas it is one cell, never a list of addresses; nothing of it can be changed."""
    made = Cidr("10.0.0.0/30")
    assert not pd.api.types.is_list_like(made)
    with pytest.raises(TypeError):
        iter(made)
    assert pd.Series(made, index=[1, 2]).tolist() == [made, made]
    for name in ("_key", "network", "colour"):
        with pytest.raises(AttributeError):
            setattr(made, name, 1)
    with pytest.raises(AttributeError):
        del made._key


@given(NETWORKS)
def test_copies(network: ipaddress.IPv4Network) -> None:
    """Pickled, copied and written as code, it stays itself; a format applies to its text."""
    made = Cidr(network)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made  # noqa: S301
    assert eval(repr(made)) == made  # noqa: S307
    assert f"{made:>20}" == str(network).rjust(20)
