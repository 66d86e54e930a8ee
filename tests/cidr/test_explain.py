"""What is suggested for a bad cell is what a person would write, or nothing."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit.cidr.explain import suggest

RIGHT = {
    "10.1.2.3": "10.1.2.3/32",
    "10.1.2.0/255.255.255.0": "10.1.2.0/24",
    "10.1.2.9/255.255.255.0": "10.1.2.0/24",
    "10.1.2.0 255.255.255.0": "10.1.2.0/24",
    " 10.0.0.0/8": "10.0.0.0/8",
    "10.0.0.0 / 8": "10.0.0.0/8",
    "10.\u00a00.0.0/8": "10.0.0.0/8",
    "10.0.0.0\u200b/8": "10.0.0.0/8",
    "１０.0.0.0/8": "10.0.0.0/8",
    "१०.0.0.0/8": "10.0.0.0/8",
    "１０．０．０．０／８": "10.0.0.0/8",
}
NOTHING = [
    "010.0.0.0/8",
    "10.0.0.0/08",
    "10.0.0.0/0",
    "0.0.0.0/0.0.0.0",
    "10.0.0.256/24",
    "10.0.0.0/33",
    "10.0.0.0/255.0.255.0",
    "10.0.0.0/0.0.0.255",
    "1 0.0.0.0/8",
    "10.0.0.0/",
    "10.0.0/24",
    "headquarters",
    "",
]


@pytest.mark.parametrize("text", RIGHT)
def test_put_right(text: str) -> None:
    """A usual slip is put right."""
    assert suggest(text) == RIGHT[text]


@pytest.mark.parametrize("text", NOTHING)
def test_no_guess(text: str) -> None:
    """Where it could mean several things, or nothing, nothing is suggested."""
    assert suggest(text) is None


@given(some.text(max_size=30))
def test_what_is_suggested_can_be_used(text: str) -> None:
    """Whatever the cell, a suggestion is a network in strict form, longer than /0."""
    suggestion = suggest(text)
    if suggestion is not None:
        network = ipaddress.IPv4Network(suggestion)
        assert str(network) == suggestion
        assert network.prefixlen > 0
