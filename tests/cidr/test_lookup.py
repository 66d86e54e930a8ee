"""A table finds what a search of all prefixes finds, and addresses are read strictly."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.cidr.inventories import EDGES, NETWORK, Network, arrays, random_networks, scattered
from vcokit.cidr import longest_match
from vcokit.cidr.accessor import addresses
from vcokit.cidr.longest_match import Table

ROWS = some.lists(NETWORK, max_size=40)
ADDRESSES = some.lists(
    NETWORK.flatmap(lambda n: some.sampled_from([int(n[0]), int(n[-1]), (int(n[-1]) + 1) % 2**32]))
    | some.integers(0, 2**32 - 1),
    max_size=20,
)


def longest(networks: list[Network], address: int) -> int:
    """Return the first row of the longest network that stdlib finds an address in."""
    wanted = ipaddress.IPv4Address(address)
    around = [(-n.prefixlen, row) for row, n in enumerate(networks) if wanted in n]
    return min(around)[1] if around else -1


def borders(networks: list[Network]) -> list[int]:
    """Return the first and last address of each network, and those beside them."""
    ends = [int(end) for n in networks for end in (n[0], n[-1])]
    return [(end + step) % 2**32 for end in ends for step in (-1, 0, 1)]


@given(ROWS, ADDRESSES)
def test_find(networks: list, others: list) -> None:
    """Each address falls to the longest network that holds it, to its first row."""
    wanted = [*borders(networks), *others]
    found = Table(*arrays(networks)).find(np.array(wanted, dtype=np.uint32))
    assert found.dtype == np.int64
    assert found.tolist() == [longest(networks, address) for address in wanted]


def test_thousands_of_inventories() -> None:
    """The same on crowded and nested inventories, by numbers."""
    rng = random.Random(34)
    for _ in range(2000):
        networks = random_networks(rng)
        wanted = rng.sample(borders([*networks, EDGES[0]]), 5)
        spans = [(-n.prefixlen, row, int(n[0]), int(n[-1])) for row, n in enumerate(networks)]
        expected = [
            min((s for s in spans if s[2] <= address <= s[3]), default=(0, -1))[1]
            for address in wanted
        ]
        found = Table(*arrays(networks)).find(np.array(wanted, dtype=np.uint32))
        assert found.tolist() == expected


def test_many_addresses() -> None:
    """At the size at which tables of slots are made, each address falls to the same row."""
    rng = np.random.default_rng(6)
    network, length = scattered(rng, 20_000)
    inside = network + rng.integers(0, 256, len(network), dtype=np.uint32)
    wanted = np.concatenate([inside, rng.integers(0, 2**32, 30_000, dtype=np.uint32)])
    assert len(wanted) > longest_match._FEW
    rows: dict = {}
    for row, pair in enumerate(zip(network.tolist(), length.tolist(), strict=True)):
        rows.setdefault(pair, row)
    masks = [(0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF for bits in range(33)]

    def first_hit(address: int) -> int:
        keys = ((address & masks[bits], bits) for bits in reversed(range(33)))
        return next((rows[key] for key in keys if key in rows), -1)

    found = Table(network, length).find(wanted)
    assert found.tolist() == [first_hit(address) for address in wanted.tolist()]


def test_default_route_and_nothing() -> None:
    """The default route holds all addresses, an empty table none."""
    ends = np.array([0, 2**32 - 1], dtype=np.uint32)
    assert Table(*arrays([Network("0.0.0.0/0")])).find(ends).tolist() == [0, 0]
    empty = Table(*arrays([]))
    assert empty.find(ends).tolist() == [-1, -1]
    assert empty.find(ends[:0]).tolist() == []
    assert (len(empty), repr(empty)) == (0, "Table of 0 prefixes")


def test_numbers_that_could_wrap_are_refused() -> None:
    """Signed or longer numbers are no addresses until someone has looked at their range."""
    with pytest.raises(TypeError, match="uint32"):
        Table(*arrays(EDGES)).find(np.array([-1], dtype=np.int64))  # type: ignore[arg-type]


def test_rows_without_a_prefix() -> None:
    """A table is made of prefixes alone."""
    with pytest.raises(ValueError, match="without a prefix"):
        Table(np.zeros(1, np.uint32), np.array([255], np.uint8))


TEXT = [
    "10.0.0.1",
    "0.0.0.0",  # noqa: S104 - an address to read, not to bind to
    "255.255.255.255",
    None,
    "",
    "10.0.0.01",
    "10.0.0.256",
    "10.0.0.1/32",
]
TEXT += [" 10.0.0.1", "10.0.0", "१०.0.0.1", "::1", "10.0.0.1/", "1.2.3.4.5"]
READ = [0x0A000001, 0, 2**32 - 1, *[None] * (len(TEXT) - 3)]


def read(column: pd.Series) -> list[int | None]:
    """Return what was read, None where nothing was."""
    values, valid = addresses(column)
    assert (values.dtype, valid.dtype) == (np.uint32, np.bool_)
    assert not values[~valid].any()
    return [
        value if ok else None for value, ok in zip(values.tolist(), valid.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    "kind", ["str", "object", "string", "category", pd.ArrowDtype(pa.string()), "sliced", "chunked"]
)
def test_text(kind: str | pd.ArrowDtype) -> None:
    """Addresses are read strictly out of every kind of text column."""
    if kind == "sliced":
        column = pd.Series(["x", *TEXT, "y"], dtype="str").iloc[1:-1]
    elif kind == "chunked":
        column = pd.concat([pd.Series(TEXT[:3], dtype="str"), pd.Series(TEXT[3:], dtype="str")])
    else:
        column = pd.Series(TEXT, dtype=kind)
    assert read(column) == READ


@given(some.lists(some.ip_addresses(v=4)))
def test_text_as_stdlib_writes_it(expected: list) -> None:
    """What stdlib writes is read back."""
    text = pd.Series([str(address) for address in expected], dtype="str")
    assert read(text) == [int(address) for address in expected]
    assert read(pd.Series(expected, dtype="object")) == [int(address) for address in expected]


@pytest.mark.parametrize(
    "kind", ["int64", "uint64", "Int64", "UInt64", "UInt32", pd.ArrowDtype(pa.int64())]
)
def test_integers(kind: str | pd.ArrowDtype) -> None:
    """Numbers are addresses from the first to the last, and missing ones are none."""
    assert read(pd.Series([0, 2**32 - 1], dtype=kind)) == [0, 2**32 - 1]
    if kind not in ("int64", "uint64"):
        assert read(pd.Series([7, None], dtype=kind)) == [7, None]
    if kind != "UInt32":
        assert read(pd.Series([2**32, 2**62], dtype=kind)) == [None, None]


def test_integers_out_of_range() -> None:
    """No number wraps around into an address."""
    assert read(pd.Series([-1, -(2**63)])) == [None, None]
    assert read(pd.Series([2**64 - 1, 2**63], dtype="uint64")) == [None, None]
    assert read(pd.Series([-1, 127], dtype="int8")) == [None, 127]


@pytest.mark.parametrize("values", [[0.5], [True], [pd.Timestamp(0)]])
def test_what_is_no_address(values: list) -> None:
    """A column of another kind is refused, not read as if it were text."""
    with pytest.raises(TypeError, match="text or integers"):
        addresses(pd.Series(values))


def test_no_rows() -> None:
    """Empty columns have empty answers."""
    for kind in ("str", "object", "int64"):
        assert read(pd.Series([], dtype=kind)) == []
