"""``Series.cidr`` on text and on cidr columns answers as stdlib and netaddr do, row by row."""

from __future__ import annotations

import ipaddress

import netaddr
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

import vcokit as vk
from vcokit.cidr.array import CidrArray

Net = ipaddress.IPv4Network

#: Few bits of two corners of the address space, so that prefixes nest, touch and repeat.
NETWORKS = some.tuples(
    some.integers(0, 15).map(lambda bits: 0x0A000000 | bits << 20)
    | some.integers(0, 15).map(lambda bits: 0xFFFFFFF0 | bits),
    some.integers(0, 14) | some.integers(28, 32),
).map(lambda pair: Net(pair, strict=False))
DIRT = some.none() | some.sampled_from(["", "x", "10.0.0.0", "::/0", "10.0.0.0/33", "010.0.0.0/8"])
ROWS = some.lists(NETWORKS | DIRT, max_size=15)
BOTH = pytest.mark.parametrize("dtype", ["str", "cidr"])


def column(rows: list, dtype: str) -> pd.Series:
    """Return rows as a column, with an index that is no position; cidr knows no dirt."""
    if dtype == "cidr":
        rows = [row if isinstance(row, Net) else None for row in rows]
    text = pd.Series([row if row is None else str(row) for row in rows], dtype="str", name="dest")
    text.index = pd.Index([f"row {n}" for n in range(len(rows))], dtype="str")
    return text.astype(dtype)


def networks(rows: list) -> list:
    """Return the rows that are networks."""
    return [row for row in rows if isinstance(row, Net)]


def blocks(nets: list) -> netaddr.IPSet:
    """Return networks as netaddr's set of addresses."""
    return netaddr.IPSet([str(net) for net in nets])


def minimal(addresses: netaddr.IPSet) -> list:
    """Return a set of addresses as stdlib's fewest networks."""
    return list(ipaddress.collapse_addresses(Net(str(block)) for block in addresses.iter_cidrs()))


def cells(found: pd.Series) -> list:
    """Return a cidr column as stdlib networks and None."""
    assert found.dtype == "cidr"
    return [None if cell is pd.NA else cell.to_ipaddress() for cell in found]


@BOTH
@given(rows=ROWS)
def test_what_a_row_holds(dtype: str, rows: list) -> None:
    """Network, length and flags are those of the cells, with the index and name of the column."""
    asked = column(rows, dtype)
    expected = [row if isinstance(row, Net) else None for row in rows]
    found = asked.cidr
    assert found.network.dtype == "UInt32"
    assert found.prefix_length.dtype == "UInt8"
    assert found.flags.dtype == "uint8"
    assert [None if cell is pd.NA else cell for cell in found.network] == [
        None if net is None else int(net.network_address) for net in expected
    ]
    assert (found.flags == 0).tolist() == [net is not None for net in expected]
    assert cells(found.to_cidr()) == expected
    assert found.normalized().dtype == dtype
    assert found.normalized().astype("str").fillna("").tolist() == [
        str(net or "") for net in expected
    ]
    for answer in (found.network, found.flags, found.normalized(), found.to_cidr()):
        assert answer.index.equals(asked.index)
        assert answer.name == "dest"


def test_host_bits_are_cleared() -> None:
    """Where host bits are set, the network takes part; ``astype`` would not have it."""
    asked = pd.Series(["10.1.2.3/16"])
    assert cells(asked.cidr.to_cidr()) == [Net("10.1.0.0/16")]
    assert asked.cidr.flags.tolist() == [8]
    assert asked.cidr.covered_by("10.1.0.0/16").tolist() == [True]
    with pytest.raises(ValueError, match="host bits"):
        asked.astype("cidr")


@BOTH
@given(rows=ROWS, others=ROWS)
def test_relations_to_others(dtype: str, rows: list, others: list) -> None:
    """``overlaps`` and ``covered_by`` are those of stdlib; rows without a prefix are False."""
    asked, nets = column(rows, dtype), networks(others)
    overlaps = [isinstance(row, Net) and any(row.overlaps(net) for net in nets) for row in rows]
    covered = [isinstance(row, Net) and any(row.subnet_of(net) for net in nets) for row in rows]
    for form in (column(others, "str"), column(others, "cidr"), [vk.Cidr(net) for net in nets]):
        for found, expected in (
            (asked.cidr.overlaps(form), overlaps),
            (asked.cidr.covered_by(form), covered),
        ):
            assert found.tolist() == expected
            assert found.dtype == "bool"
            assert found.index.equals(asked.index)


@BOTH
@given(
    rows=some.lists(some.tuples(NETWORKS | DIRT, some.sampled_from(["a", "b", None])), max_size=15)
)
def test_closest_cover(dtype: str, rows: list) -> None:
    """The position is that of a plain search among the rows of the group that hold a prefix."""
    nets = [net for net, _ in rows]
    groups = [group for _, group in rows]
    asked = column(nets, dtype)

    def brute(among: list) -> list:
        result = []
        for mine, group in zip(nets, among, strict=True):
            around = [
                (-net.prefixlen, row)
                for row, (net, its) in enumerate(zip(nets, among, strict=True))
                if isinstance(net, Net) and isinstance(mine, Net) and its == group is not None
                if net.prefixlen < mine.prefixlen and mine.subnet_of(net)
            ]
            result.append(min(around)[1] if around else -1)
        return result

    assert asked.cidr.closest_cover().tolist() == brute(["all"] * len(rows))
    assert asked.cidr.closest_cover(groups=groups).tolist() == brute(groups)
    series = pd.Series(groups, index=asked.index, dtype="str")
    assert asked.cidr.closest_cover(groups=series).tolist() == brute(groups)
    assert asked.cidr.closest_cover(series.astype("category")).index.equals(asked.index)


@BOTH
@given(rows=ROWS, addresses=some.lists(some.integers(0x0A000000, 0x0AFFFFFF), max_size=5))
def test_lookup(dtype: str, rows: list, addresses: list) -> None:
    """The longest prefix that holds each address, its first row, in every form of address."""
    asked = column(rows, dtype)
    spoken = [*map(ipaddress.IPv4Address, addresses), ipaddress.IPv4Address("255.255.255.255")]

    def brute(address: ipaddress.IPv4Address) -> int:
        around = [
            (-net.prefixlen, row)
            for row, net in enumerate(rows)
            if isinstance(net, Net) and address in net
        ]
        return min(around)[1] if around else -1

    expected = [brute(address) for address in spoken]
    text = [str(address) for address in spoken]
    numbers = [int(address) for address in spoken]
    objects = pd.Series(numbers, dtype="object")
    for form in (spoken, text, numbers, pd.Series(text), np.array(numbers, np.uint32), objects):
        found = asked.cidr.lookup(form)
        assert found.dtype == np.int64
        assert found.tolist() == expected
    assert asked.cidr.lookup(text[0]).tolist() == expected[:1]
    assert asked.cidr.lookup([*text, None]).tolist() == [*expected, -1]
    assert asked.cidr.lookup(pd.Series([*text, "elsewhere"])).tolist() == [*expected, -1]


@BOTH
@given(rows=ROWS, others=ROWS, within=NETWORKS)
def test_addresses_of_all_rows(dtype: str, rows: list, others: list, within: Net) -> None:
    """Aggregate, difference, intersection and free space are netaddr's, in stdlib's fewest."""
    asked, other = column(rows, dtype), column(others, "str")
    mine, theirs, space = blocks(networks(rows)), blocks(networks(others)), blocks([within])
    assert cells(asked.cidr.aggregate()) == minimal(mine)
    assert cells(asked.cidr.subtract(other)) == minimal(mine - theirs)
    assert cells(asked.cidr.intersect(other)) == minimal(mine & theirs)
    assert cells(asked.cidr.complement(within)) == minimal(space - mine)
    assert asked.cidr.aggregate().name == "dest"


@BOTH
@given(
    rows=some.lists(some.tuples(NETWORKS | DIRT, some.sampled_from(["b", "a", None])), max_size=15)
)
def test_aggregate_in_groups(dtype: str, rows: list) -> None:
    """Each group by itself, sorted by group, indexed by it."""
    asked = column([net for net, _ in rows], dtype)
    groups = pd.Series([group for _, group in rows], index=asked.index, dtype="str", name="site")
    found = asked.cidr.aggregate(groups=groups)
    expected = [
        (site, net)
        for site in ("a", "b")
        for net in minimal(
            blocks([net for net, its in rows if its == site and isinstance(net, Net)])
        )
    ]
    assert list(zip(found.index, cells(found), strict=True)) == expected
    assert found.index.name == "site"


@pytest.mark.parametrize(
    "other",
    [
        "10.0.0.0/8",
        vk.Cidr("10.0.0.0/8"),
        Net("10.0.0.0/8"),
        netaddr.IPNetwork("10.0.0.0/8"),
        [Net("10.0.0.0/8"), None],
        CidrArray(["10.0.0.0/8", None]),
        pd.Index(["10.0.0.0/8"]),
        np.array(["10.0.0.0/8"]),
        pd.Series([Net("10.0.0.0/8"), "x", None], dtype="object"),
        pd.Series(["10.0.0.0/8"], dtype=pd.ArrowDtype(pa.string())),
    ],
)
def test_forms_of_others(other: object) -> None:
    """One prefix in any form, a list, an array, an index and a column can be asked about."""
    asked = pd.Series(["10.1.0.0/16", "11.0.0.0/8", None])
    assert asked.cidr.covered_by(other).tolist() == [True, False, False]
    assert asked.cidr.overlaps(other).tolist() == [True, False, False]
    assert cells(asked.cidr.subtract(other)) == [Net("11.0.0.0/8")]
    assert cells(asked.cidr.intersect(other)) == [Net("10.1.0.0/16")]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ("10.0.0.0", ValueError),
        ("10.0.0.1/8", ValueError),
        (["10.0.0.0/8", "x"], ValueError),
        (5, TypeError),
        ([5], TypeError),
        (pd.Series([5]), TypeError),
    ],
)
def test_slips_by_hand_are_errors(other: object, kind: type[Exception]) -> None:
    """What is written by hand and is no prefix is an error, not a relation that is never true."""
    with pytest.raises(kind):
        pd.Series(["10.0.0.0/8"]).cidr.overlaps(other)
    with pytest.raises((TypeError, ValueError)):
        pd.Series(["10.0.0.0/8"]).cidr.complement(other)


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
        ([True], TypeError),
        (1.5, TypeError),
    ],
)
def test_slips_by_hand_are_no_addresses(addresses: object, kind: type[Exception]) -> None:
    """An address written by hand that is none is an error, not one that no prefix holds."""
    with pytest.raises(kind):
        pd.Series(["0.0.0.0/0"]).cidr.lookup(addresses)


def test_cells_of_data_that_are_no_address() -> None:
    """In a column, of any dtype, a cell that is no address is passed over."""
    asked = pd.Series(["0.0.0.0/0"]).cidr
    text = ["10.0.0.1", "8.8.8.888", None, "10.0.0.1\udc80"]
    for dtype in ("object", "string[python]"):
        assert asked.lookup(pd.Series(text, dtype=dtype)).tolist() == [0, -1, -1, -1]
    assert asked.lookup(pd.Categorical(text[:3])).tolist() == [0, -1, -1]
    numbers = pd.Series([10 << 24, 2**70, -1, None], dtype="object")
    assert asked.lookup(numbers).tolist() == [0, -1, -1, -1]


@given(rows=ROWS)
def test_categories(rows: list) -> None:
    """A column of categories answers as the same column of text."""
    text = pd.Series([None if row is None else str(row) for row in rows], dtype="str")
    asked = text.astype("category").cidr
    assert asked.flags.tolist() == text.cidr.flags.tolist()
    assert asked.normalized().equals(text.cidr.normalized())
    assert asked.closest_cover().tolist() == text.cidr.closest_cover().tolist()
    assert text.cidr.overlaps(text.astype("category")).equals(text.cidr.overlaps(text))
    as_cidr = text.cidr.to_cidr()
    assert as_cidr.astype("category").cidr.to_cidr().equals(as_cidr)


def test_categories_of_something_else() -> None:
    """Categories of numbers have no ``.cidr``; a column without any value has."""
    assert not hasattr(pd.Series([1, 2], dtype="category"), "cidr")
    assert pd.Series([None], dtype="category").cidr.flags.tolist() == [1]


@pytest.mark.parametrize("dtype", ["object", "string[python]"])
def test_half_a_surrogate_pair(dtype: str) -> None:
    """What no file can hold is no prefix, and no error of encoding."""
    asked = pd.Series(["10.0.0.0/8\udc80", "10.0.0.0/8"], dtype=dtype)
    assert asked.cidr.flags.tolist() == [2, 0]
    assert asked.cidr.normalized().isna().tolist() == [True, False]
    with pytest.raises(ValueError, match="position 0"):
        asked.astype("cidr")
    assert (asked.cidr.to_cidr() == "\udc80").tolist() == [pd.NA, False]


def test_groups_that_do_not_fit() -> None:
    """Groups of another length or with another index are refused; an array goes by position."""
    asked = pd.Series(["10.0.0.0/8", "10.1.0.0/16"])
    with pytest.raises(ValueError, match="groups has 1 rows, the column 2"):
        asked.cidr.closest_cover(["a"])
    groups = pd.Series(["a", "a"], index=[1, 0])
    with pytest.raises(ValueError, match="another index"):
        asked.cidr.aggregate(groups)
    assert asked.cidr.closest_cover(groups.array).tolist() == [-1, 0]


@pytest.mark.parametrize("values", [[1, 2], [1.5], pd.to_datetime(["2024-01-01"])])
def test_other_columns_have_no_prefixes(values: object) -> None:
    """Numbers and times have no ``.cidr``."""
    assert not hasattr(pd.Series(values), "cidr")


def test_objects_are_read_by_their_text() -> None:
    """A column of stdlib's and netaddr's objects, numbers and text is read; the rest is flagged."""
    asked = pd.Series([Net("10.0.0.0/8"), netaddr.IPNetwork("10.1.2.3/16"), 5, "x", None, []])
    assert asked.cidr.flags.tolist() == [0, 8, 2, 2, 1, 2]
    assert cells(asked.cidr.to_cidr())[:2] == [Net("10.0.0.0/8"), Net("10.1.0.0/16")]


def test_answers_are_new() -> None:
    """What is done to an answer changes neither the column nor the next answer."""
    asked = pd.Series(["10.0.0.0/8"], dtype="cidr")
    held = asked.cidr
    for answer in (held.to_cidr(), held.normalized(), held.prefix_length, held.flags):
        answer.iloc[0] = "0.0.0.0/0" if answer.dtype == "cidr" else 1
    assert cells(asked) == [Net("10.0.0.0/8")]
    assert (held.prefix_length[0], held.flags[0], held.network[0]) == (8, 0, 0x0A000000)


def test_empty() -> None:
    """A column without rows, or without a prefix, answers everything with nothing."""
    for asked in (pd.Series([], dtype="str"), pd.Series([None, None], dtype="cidr")):
        assert asked.cidr.closest_cover().tolist() == [-1] * len(asked)
        assert asked.cidr.lookup(["10.0.0.1"]).tolist() == [-1]
        assert asked.cidr.overlaps("0.0.0.0/0").tolist() == [False] * len(asked)
        assert cells(asked.cidr.aggregate()) == cells(asked.cidr.subtract("10.0.0.0/8")) == []
        assert len(asked.cidr.aggregate(groups=asked.array)) == 0
        assert cells(asked.cidr.complement("10.0.0.0/8")) == [Net("10.0.0.0/8")]
