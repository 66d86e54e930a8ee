"""A column of prefixes: how it is made, compared, sorted and counted, and how it is kept."""

from __future__ import annotations

import io
import operator
from collections import Counter
from pathlib import Path

import netaddr
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from tests.cidr.networks import REPEATING as NETWORKS
from tests.cidr.networks import Network as Net
from tests.cidr.networks import cells
from tests.cidr.networks import column as column_of
from vcokit import CidrArray

COLUMNS = some.lists(some.none() | NETWORKS, max_size=20)
STRUCT = pa.struct({"network": pa.uint32(), "length": pa.uint8()})


def column(nets: list) -> pd.Series:
    """Return a cidr column of stdlib networks and None."""
    return column_of(nets, "cidr")


# -- Made of values


def test_made_of_anything_that_holds_prefixes() -> None:
    """Text, stdlib, netaddr, Cidr and missing values mixed; text, whoever keeps it."""
    values = ["10.0.0.0/8", Net("10.0.0.0/8"), netaddr.IPNetwork("10.0.0.0/8")]
    values += [vk.Cidr("10.0.0.0/8"), None, pd.NA, float("nan"), np.float32("nan")]
    for made in (CidrArray(values), pd.Series(values, dtype="cidr").array):
        assert cells(made) == [Net("10.0.0.0/8")] * 4 + [None] * 4
    text = ["10.0.0.0/8", "192.168.1.0/24"]
    arrow = [pa.string(), pa.large_string(), pa.string_view()]
    kinds = ["str", "string[python]", "string[pyarrow]", "object", *map(pd.ArrowDtype, arrow)]
    for made in [*(pd.array(text, dtype=kind) for kind in kinds), np.array(text, dtype="U20")]:
        assert cells(CidrArray(made)) == [*map(Net, text)]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("10.1.2.3", r"'10\.1\.2\.3' is not a\.b\.c\.d/len; write '10\.1\.2\.3/32'"),
        ("10.1.2.3/16", r"host bits set; its network is '10\.1\.0\.0/16'.*clears host bits"),
        ("::/0", r"'::/0' is not .*leaves out what is not an IPv4 prefix"),
        ("", r"'' is not"),
    ],
)
def test_bad_text_is_named(bad: str, told: str) -> None:
    """The first text that is no prefix is named with its position, a remedy, and how many more."""
    text = ["10.0.0.0/8", None, bad, "worse"]
    with pytest.raises(ValueError, match=rf"position 2: .*{told}") as error:
        pd.Series(text, dtype="str").astype("cidr")
    assert "(and 1 more)" in str(error.value)
    assert ".cidr.to_cidr()" in str(error.value)


def test_bad_objects_are_named() -> None:
    """So is the first object that is none."""
    for bad, kind in ((5, TypeError), (pd.NaT, TypeError), ([], TypeError), ("10/8", ValueError)):
        with pytest.raises(kind, match="position 1: "):
            CidrArray([vk.Cidr("10.0.0.0/8"), bad])


def test_made_of_its_two_arrays() -> None:
    """They are taken as they are, without a copy, once they are known to be prefixes."""
    network, length = np.array([0x0A000000, 0], np.uint32), np.array([8, 255], np.uint8)
    made = CidrArray.from_arrays(network, length)
    assert cells(made) == [Net("10.0.0.0/8"), None]
    assert np.shares_memory(made.network, network)
    assert np.shares_memory(made.prefix_length, length)
    assert np.shares_memory(CidrArray(made).network, network)
    assert not np.shares_memory(CidrArray(made, copy=True).network, network)


@pytest.mark.parametrize(
    ("network", "length", "kinds", "error"),
    [
        *(([1], [length], "u4 u1", ValueError) for length in (24, 255)),
        ([0], [33], "u4 u1", ValueError),
        ([0, 0], [0], "u4 u1", ValueError),
        ([[0]], [[0]], "u4 u1", ValueError),
        ([0], [0], "i8 u1", TypeError),
        ([0], [0], "u4 i8", TypeError),
    ],
)
def test_arrays_that_are_no_prefixes(network, length, kinds: str, error: type[Exception]) -> None:
    """Host bits, a network under a missing length, lengths out of range, other dtypes: refused."""
    arrays = [np.array(*one) for one in zip((network, length), kinds.split(), strict=True)]
    with pytest.raises(error):
        CidrArray.from_arrays(*arrays)


# -- Cells


def test_cells_are_set_from_anything() -> None:
    """Text, a stdlib network (which can be iterated), a list and a missing value can be set."""
    made = CidrArray([None] * 5)
    made[0] = "10.0.0.0/8"
    made[1] = Net("11.0.0.0/8")
    made[2:4] = [netaddr.IPNetwork("12.0.0.0/8"), vk.Cidr("13.0.0.0/8")]
    made[4] = "14.0.0.0/8"
    made[4] = pd.NA
    assert cells(made) == [Net(f"{n}.0.0.0/8") for n in range(10, 14)] + [None]
    assert made.network[4] == 0


def test_a_column_has_one_dimension() -> None:
    """An index that would make it a table is refused; an ellipsis changes nothing."""
    made = CidrArray(["10.0.0.0/8", "11.0.0.0/8"])
    with pytest.raises(IndexError, match="one dimension"):
        made[:, None]
    assert made[..., 1] == vk.Cidr("11.0.0.0/8")


def test_a_slice_of_what_is_read_only() -> None:
    """What shares memory that must not be written to cannot be written to; a copy can."""
    made = pd.Index(CidrArray(["10.0.0.0/8", "11.0.0.0/8"])).array
    with pytest.raises(ValueError, match="read-only"):
        made[:1][0] = None
    picked = made[[0]]
    picked[0] = None
    assert made[0] == vk.Cidr("10.0.0.0/8")


def test_what_functions_give_stays_what_it_is() -> None:
    """``map`` gives cidr where it got prefixes back, and text where it got the like as text."""
    made = pd.Series(["10.0.0.0/8", "11.0.0.0/8"], dtype="cidr")
    assert made.map(lambda net: net).dtype == "cidr"
    assert made.map(str).dtype == "str"
    assert made.map(lambda net: net.prefix_length).tolist() == [8, 8]


# -- Compared


@settings(max_examples=25)
@given(COLUMNS, NETWORKS)
def test_comparisons(nets: list, other: Net) -> None:
    """Each comparison, with a prefix in any form and with a column, is that of stdlib; NA stays."""
    made = column(nets)
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        compare = getattr(operator, name)
        expected = [pd.NA if net is None else compare(net, other) for net in nets]
        for form in (other, str(other), vk.Cidr(other), netaddr.IPNetwork(str(other))):
            found = compare(made, form)
            assert found.dtype == "boolean"
            assert found.tolist() == expected
        assert compare(made, column([other] * len(nets))).tolist() == expected
        assert compare(made, [other] * len(nets)).tolist() == expected
        assert compare(made, pd.NA).isna().all()


@pytest.mark.parametrize("other", ["elsewhere", "10.0.0.1/8", 5, Net("10.0.0.0/9"), "::/0"])
def test_nothing_equals_what_is_no_prefix(other: object) -> None:
    """Compared with text or an object that is no such prefix, all differ; NA stays NA.

    What is no prefix comes neither before nor after; columns are of one length.
    """
    made = CidrArray(["10.0.0.0/8", None])
    assert (made == other).tolist() == [False, pd.NA]
    assert (made != other).tolist() == [True, pd.NA]
    with pytest.raises(TypeError, match="prefixes only"):
        _ = made < "elsewhere"
    with pytest.raises(TypeError):
        made[:1].searchsorted("elsewhere")
    with pytest.raises(ValueError, match="Lengths must match"):
        _ = made == ["10.0.0.0/8"]


# -- By value


@settings(max_examples=40)
@given(COLUMNS)
def test_by_value(nets: list) -> None:
    """Sorted, counted, distinct and extreme are what plain Python makes of stdlib's networks."""
    made = column(nets)
    known = [net for net in nets if net is not None]
    assert cells(made.sort_values()) == sorted(known) + [None] * (len(nets) - len(known))
    assert cells(made.unique()) == list(dict.fromkeys(nets))
    assert made.duplicated().tolist() == [net in nets[:n] for n, net in enumerate(nets)]
    counts = made.value_counts(dropna=False)
    assert dict(zip(cells(counts.index), counts, strict=True)) == Counter(nets)
    assert cells(made.value_counts().index.sort_values()) == sorted(set(known))
    codes, distinct = made.factorize()
    assert [None if code < 0 else cells(distinct)[code] for code in codes] == nets
    ends = cells(CidrArray([made.min(), made.max()]))
    assert ends == ([min(known), max(known)] if known else [None] * 2)
    most = Counter(known).most_common(1)
    assert cells(made.mode()) == sorted(n for n, c in Counter(known).items() if c == most[0][1])
    assert made.isin([*known[:2], "elsewhere"]).tolist() == [net in known[:2] for net in nets]


@given(some.lists(NETWORKS, max_size=20), NETWORKS)
def test_searchsorted(nets: list, other: Net) -> None:
    """A prefix goes where it keeps the order."""
    made = column(sorted(nets)).array
    before = sum(net < other for net in nets)
    assert made.searchsorted(vk.Cidr(other)) == before
    assert made.searchsorted([other, other]).tolist() == [before] * 2
    with pytest.raises(ValueError, match="missing prefixes have no order"):
        CidrArray([None]).searchsorted(other)


# -- In and out


@settings(max_examples=25)
@given(COLUMNS)
def test_arrow_and_back(nets: list) -> None:
    """Through Arrow, whole, in chunks and sliced, a column stays what it is."""
    made = column(nets)
    table = pa.Table.from_pandas(pd.DataFrame({"net": made}))
    assert cells(table.to_pandas().net) == nets
    pieces = pa.concat_tables([table.slice(1), table])
    assert cells(pieces.to_pandas().net) == nets[1:] + nets
    assert pieces.to_pandas().net.dtype == "cidr"
    assert table.column("net").null_count == sum(net is None for net in nets)


def test_files_and_back(tmp_path: Path) -> None:
    """Parquet gives the column back with its dtype; by another reader, two plain numbers.

    CSV and JSON hold its text.
    """
    made = pd.DataFrame({"net": CidrArray(["10.0.0.0/8", None]), "n": [1, 2]})
    path = tmp_path / "nets.parquet"
    made.to_parquet(path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), made)
    plain = pq.ParquetFile(path).schema_arrow.field("net").type.storage_type
    assert plain == STRUCT
    text = made.to_csv(index=False, lineterminator="\n")
    assert text == "net,n\n10.0.0.0/8,1\n,2\n"
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text), dtype={"net": "cidr"}), made)
    assert made["net"].to_json() == '{"0":"10.0.0.0\\/8","1":null}'


def test_arrow_in_other_types() -> None:
    """Asked for text or for the plain struct, Arrow gets it; from both, the column comes back.

    Numbers from elsewhere are looked at: host bits are refused, a null in a field is missing.
    """
    made, read = CidrArray(["10.0.0.0/8", None]), vk.CidrDtype().__from_arrow__
    for kind in (pa.string(), pa.large_string(), STRUCT):
        there = pa.array(made, type=kind)
        assert there.type == kind
        assert cells(read(there)) == [Net("10.0.0.0/8"), None]
    assert pa.array(made, type=pa.string()).to_pylist() == ["10.0.0.0/8", None]
    with pytest.raises(ValueError, match="host bits"):
        read(pa.array([{"network": 1, "length": 8}], type=STRUCT))
    halves = [{"network": None, "length": 8}, {"network": 5, "length": None}]
    assert cells(read(pa.array(halves, type=STRUCT))) == [None, None]


def test_shown() -> None:
    """A cell is shown as its text, and is no number: the error says where the numbers are."""
    made = pd.Series(["10.0.0.0/8", None], dtype="cidr")
    assert repr(made) == "0    10.0.0.0/8\n1          <NA>\ndtype: cidr"
    assert repr(made.dtype) == "CidrDtype()"
    with pytest.raises(TypeError, match=r"\.cidr\.network"):
        made.iloc[:1].astype("int64")
    with pytest.raises(ValueError, match="without a copy"):
        np.array(made.array, copy=False)
