"""``Series.cidr``: what it is asked of, what it may be asked about, and how it answers."""

from __future__ import annotations

import netaddr
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from tests.cidr.networks import DIRT, NETWORK, Network, cells, column

ROWS = some.lists(NETWORK | DIRT, max_size=15)
ALL = "0.0.0.0/0"


@pytest.mark.parametrize("dtype", ["str", "cidr"])
@settings(max_examples=40)
@given(rows=ROWS)
def test_what_a_row_holds(dtype: str, rows: list) -> None:
    """Network, length and flags are those of the cells, with the index and name of the column.

    A column of categories answers as the same column of text.
    """
    asked = column(rows, dtype)
    asked.index = pd.Index([f"row {n}" for n in range(len(rows))], dtype="str")
    nets = [row if isinstance(row, Network) else None for row in rows]
    for found in (asked.cidr, asked.astype("category").cidr):
        assert found.network.tolist() == [
            pd.NA if net is None else int(net.network_address) for net in nets
        ]
        assert (found.flags == 0).tolist() == [net is not None for net in nets]
        assert cells(found.to_cidr()) == nets
        text = found.normalized().astype("str").fillna("")
        assert text.tolist() == [str(net or "") for net in nets]
        assert found.closest_cover().tolist() == asked.cidr.closest_cover().tolist()
        for answer in (found.network, found.flags, found.normalized(), found.to_cidr()):
            assert answer.index.equals(asked.index)
            assert answer.name == "dest"
    assert asked.cidr.normalized().dtype == dtype


@pytest.mark.parametrize(
    "other",
    [
        "10.0.0.0/8",
        vk.Cidr("10.0.0.0/8"),
        Network("10.0.0.0/8"),
        netaddr.IPNetwork("10.0.0.0/8"),
        [Network("10.0.0.0/8"), None],
        vk.CidrArray(["10.0.0.0/8", None]),
        pd.Index(["10.0.0.0/8"]),
        np.array(["10.0.0.0/8"]),
        pd.Series([Network("10.0.0.0/8"), "x", None], dtype="object"),
        pd.Series(["10.0.0.0/8"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(["10.0.0.0/8", "x"], dtype="category"),
    ],
)
def test_forms_of_others(other: object) -> None:
    """One prefix in any form, a list, an array, an index and a column can be asked about."""
    asked = column(["10.1.0.0/16", "11.0.0.0/8", None]).cidr
    assert asked.covered_by(other).tolist() == [True, False, False]
    assert asked.overlaps(other).tolist() == [True, False, False]
    assert cells(asked.subtract(other)) == [Network("11.0.0.0/8")]
    assert cells(asked.intersect(other)) == [Network("10.1.0.0/16")]


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
        column([ALL]).cidr.overlaps(other)
    with pytest.raises((TypeError, ValueError)):
        column([ALL]).cidr.complement(other)


@pytest.mark.parametrize("values", [[1, 2], [1.5], pd.to_datetime(["2024-01-01"])])
def test_other_columns_have_no_prefixes(values: object) -> None:
    """Numbers and times, and categories of them, have no ``.cidr``; an empty category has."""
    assert not hasattr(pd.Series(values), "cidr")
    assert not hasattr(pd.Series(values, dtype="category"), "cidr")
    assert pd.Series([None], dtype="category").cidr.flags.tolist() == [1]


def test_groups_that_do_not_fit() -> None:
    """Groups of another length or with another index are refused; an array goes by position."""
    asked = column(["10.0.0.0/8", "10.1.0.0/16"]).cidr
    with pytest.raises(ValueError, match="groups has 1 rows, the column 2"):
        asked.closest_cover(["a"])
    groups = pd.Series(["a", "a"], index=[1, 0])
    with pytest.raises(ValueError, match="another index"):
        asked.aggregate(groups)
    assert asked.closest_cover(groups.array).tolist() == [-1, 0]


def test_answers_are_new() -> None:
    """What is done to an answer changes neither the column nor the next answer."""
    asked = column([Network("10.0.0.0/8")], "cidr")
    held = asked.cidr
    for answer in (held.to_cidr(), held.normalized(), held.network, held.prefix_length, held.flags):
        answer.iloc[0] = ALL if answer.dtype == "cidr" else 1
    assert cells(asked) == [Network("10.0.0.0/8")]
    assert (held.prefix_length[0], held.flags[0], held.network[0]) == (8, 0, 0x0A000000)


@pytest.mark.parametrize("rows", [[], [None, None]], ids=["no rows", "no prefixes"])
@pytest.mark.parametrize("dtype", ["str", "cidr"])
def test_empty(rows: list, dtype: str) -> None:
    """A column without rows, or without a prefix, answers everything with nothing."""
    asked = column(rows, dtype)
    assert asked.cidr.closest_cover().tolist() == [-1] * len(rows)
    assert asked.cidr.closest_cover(groups=asked.array).tolist() == [-1] * len(rows)
    assert asked.cidr.lookup(["10.0.0.1"]).tolist() == [-1]
    assert asked.cidr.overlaps(ALL).tolist() == [False] * len(rows)
    assert column([ALL]).cidr.covered_by(asked).tolist() == [False]
    assert cells(asked.cidr.aggregate()) == cells(asked.cidr.subtract("10.0.0.0/8")) == []
    assert len(asked.cidr.aggregate(groups=asked.array)) == 0
    assert cells(asked.cidr.complement("10.0.0.0/8")) == [Network("10.0.0.0/8")]
