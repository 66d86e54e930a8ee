"""Each address falls to the longest prefix that holds it; addresses are read strictly."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.cidr.networks import DIRT, NETWORK, Network, column, scattered

ROWS = some.lists(NETWORK | DIRT, max_size=40)
LAST = 2**32 - 1


def longest(rows: list, addresses: list[int]) -> list[int]:
    """Return, for each address, the first row of the longest network that holds it.

    The prefix of each length is asked for in turn.
    """
    first: dict = {}
    for row, net in enumerate(rows):
        if isinstance(net, Network):
            first.setdefault((int(net.network_address), net.prefixlen), row)
    masks = [(LAST << (32 - bits)) & LAST for bits in range(33)]

    def one(address: int) -> int:
        keys = ((address & masks[bits], bits) for bits in reversed(range(33)))
        return next((first[key] for key in keys if key in first), -1)

    return [*map(one, addresses)]


def borders(rows: list) -> list[int]:
    """Return the first and last address of each network, and those beside them."""
    ends = [int(end) for n in rows if isinstance(n, Network) for end in (n[0], n[-1])]
    return [(end + step) % 2**32 for end in ends for step in (-1, 0, 1)]


@pytest.mark.parametrize("dtype", ["str", "cidr"])
@settings(max_examples=40)
@given(rows=ROWS, others=some.lists(some.integers(0, LAST), max_size=5))
def test_lookup(dtype: str, rows: list, others: list) -> None:
    """The longest prefix that holds each address, its first row, in every form of address."""
    asked = column(rows, dtype).cidr
    numbers = [*borders(rows), *others, LAST]
    expected = longest(rows, numbers)
    spoken = [*map(ipaddress.IPv4Address, numbers)]
    text = [*map(str, spoken)]
    objects = pd.Series(numbers, dtype="object")
    for form in (spoken, text, numbers, pd.Series(text), np.array(numbers, np.uint32), objects):
        found = asked.lookup(form)
        assert found.dtype == np.int64
        assert found.tolist() == expected
    assert asked.lookup(text[0]).tolist() == expected[:1]
    assert asked.lookup([*text, None]).tolist() == [*expected, -1]
    assert asked.lookup(pd.Series([*text, "elsewhere"])).tolist() == [*expected, -1]


#: So many addresses are not searched for one by one: for these a bitmap is built.
MANY = 40_000


def near(nets: list[Network]) -> list[int]:
    """Return borders of networks, and of the slots of 256 addresses that they begin or end in."""
    ends = [end for net in nets for end in (int(net[0]), int(net[-1]))]
    around = [(end + step) & LAST for end in ends for step in (-256, -1, 0, 1, 256)]
    return [*around, *(end & ~255 for end in ends), *(end | 255 for end in ends), 0, LAST]


SHAPES = {
    "nothing": [],
    "everything": [Network("0.0.0.0/0")],
    "the first address": [Network("0.0.0.0/32")],
    "the last address": [Network("255.255.255.255/32")],
    "both": [Network("0.0.0.0/32"), Network("255.255.255.255/32")],
    "full slots": [Network((n, 32)) for n in range(1024)],
    "full slots at the end": [Network((LAST - n, 32)) for n in range(1024)],
    "every other address": [Network((0x0A000000 + 2 * n, 32)) for n in range(1024)],
    "whole slots": [Network((n << 8, 24)) for n in range(100)],
    "the last of each slot": [Network(((n << 8) | 255, 32)) for n in range(2**24 - 40, 2**24)],
    "all lengths": [Network((0x0A0B0C0D, n), strict=False) for n in range(33)],
    "every power of two": [Network((1 << bit, 32)) for bit in range(32)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_many_addresses_of_any_shape(shape: str) -> None:
    """Full slots, empty and mixed ones, their borders, and the ends of the address space."""
    nets = SHAPES[shape]
    wanted = near(nets[:8] + nets[-8:])
    wanted += random.Random(shape).choices(range(2**32), k=2_000)
    found = column(nets).cidr.lookup(np.resize(np.array(wanted, np.uint32), MANY))
    assert found[: len(wanted)].tolist() == longest(nets, wanted)


@settings(max_examples=15)
@given(some.lists(NETWORK, max_size=60))
def test_many_addresses(nets: list) -> None:
    """However prefixes lie, an address among many falls to the same row as one alone."""
    wanted = near(nets)
    many = np.resize(np.array(wanted, np.uint32), MANY)
    found = column(nets, "cidr").cidr.lookup(many)
    assert found[: len(wanted)].tolist() == longest(nets, wanted)


def test_many_prefixes_and_addresses() -> None:
    """Tens of thousands of both."""
    rng = np.random.default_rng(6)
    nets = scattered(rng, 20_000)
    wanted = [int(net[0]) + int(rng.integers(0, min(256, net.num_addresses))) for net in nets]
    wanted += rng.integers(0, 2**32, 14_000).tolist()
    found = column(nets, "cidr").cidr.lookup(wanted)
    assert found.tolist() == longest(nets, wanted)


# -- how addresses are read --------------------------------------------------------------------

ALL = column(["0.0.0.0/0"]).cidr
GOOD = ["10.0.0.1", "0.0.0.0", "255.255.255.255"]  # noqa: S104 - an address, not to bind to
TEXT = [*GOOD, None, "", "10.0.0.01", "10.0.0.256", "10.0.0.1/32", " 10.0.0.1", "10.0.0"]
TEXT += ["१०.0.0.1", "::1", "10.0.0.1/", "1.2.3.4.5"]
READ = [0, 0, 0, *[-1] * (len(TEXT) - 3)]


@pytest.mark.parametrize("kind", ["str", "object", "string[python]", "category", "arrow", "chunks"])
def test_text(kind: str) -> None:
    """Addresses are read strictly out of every kind of text column; what is none is passed over.

    So is text that UTF-8 cannot hold.
    """
    if kind == "chunks":
        asked = pd.concat([pd.Series(TEXT[:3], dtype="str"), pd.Series(TEXT[3:], dtype="str")])
    else:
        asked = pd.Series(TEXT, dtype=pd.ArrowDtype(pa.string()) if kind == "arrow" else kind)
    assert ALL.lookup(asked).tolist() == READ
    assert ALL.lookup(asked[:0]).tolist() == []
    if kind in ("object", "string[python]"):
        assert ALL.lookup(pd.Series(["10.0.0.1\udc80", "10.0.0.1"], dtype=kind))[0] == -1


@pytest.mark.parametrize(
    ("numbers", "kind", "rows"),
    [
        ([0, 127, -1], "int8", [0, 0, -1]),
        ([LAST, 2**32, 2**62, -1, -(2**63)], "int64", [0, -1, -1, -1, -1]),
        ([LAST, 2**32, 2**63, 2**64 - 1], "uint64", [0, -1, -1, -1]),
        ([LAST, 2**32, -1, None], "Int64", [0, -1, -1, -1]),
        ([LAST, 2**64 - 1, None], "UInt64", [0, -1, -1]),
        ([LAST, None], "UInt32", [0, -1]),
        ([LAST, 2**32, None], pd.ArrowDtype(pa.int64()), [0, -1, -1]),
        ([10 << 24, 2**70, -1, None], "object", [0, -1, -1, -1]),
        ([], "int64", []),
    ],
    ids=str,
)
def test_integers(numbers: list, kind: str | pd.ArrowDtype, rows: list[int]) -> None:
    """Numbers are addresses from the first to the last; no other wraps around into one."""
    assert ALL.lookup(pd.Series(numbers, dtype=kind)).tolist() == rows


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        ("8.8.8.888", ValueError),
        ("10.0.0.0/8", ValueError),
        (["10.0.0.1", "elsewhere"], ValueError),
        (2**32, ValueError),
        ([-1], ValueError),
        ([10 << 24, "10.0.0.1"], TypeError),
        (pd.Series([10 << 24, "10.0.0.1"]), TypeError),
        (pd.Series([0.5]), TypeError),
        (pd.Series([pd.Timestamp(0)]), TypeError),
        (pd.Series(["10.0.0.1"], dtype=pd.ArrowDtype(pa.string_view())), TypeError),
        ([True], TypeError),
        (1.5, TypeError),
    ],
)
def test_slips_are_no_addresses(addresses: object, kind: type[Exception]) -> None:
    """A slip by hand, or a column of another kind, is an error, not what no prefix holds."""
    with pytest.raises(kind):
        ALL.lookup(addresses)
