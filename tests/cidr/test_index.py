"""An index of prefixes finds, slices, joins and aligns as an index of the same numbers does."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from tests.cidr.networks import REPEATING as NETWORKS
from tests.cidr.networks import Network as Net
from vcokit import Cidr, CidrArray

LABELS = some.lists(NETWORKS, max_size=12)
A, B, C = Cidr("10.0.0.0/8"), Cidr("10.1.0.0/16"), Cidr("12.0.0.0/8")


def index(nets: list) -> pd.Index:
    """Return an index of stdlib networks."""
    return pd.Index(CidrArray(nets))


def numbers(nets: list) -> pd.Index:
    """Return an index of numbers that order as the networks do, by stdlib alone."""
    return pd.Index([int(net.network_address) * 64 + net.prefixlen for net in nets], dtype="int64")


def as_numbers(found: pd.Index) -> list:
    """Return labels as those numbers."""
    return numbers([label.to_ipaddress() for label in found]).tolist()


@settings(max_examples=40)
@given(LABELS, LABELS)
def test_sets_of_labels(one: list, other: list) -> None:
    """Union, intersection, difference and join are those of the numbers, and stay cidr."""
    mine, theirs = index(one), index(other)
    mine_too, theirs_too = numbers(one), numbers(other)
    for name in ("union", "intersection", "difference", "symmetric_difference"):
        found = getattr(mine, name)(theirs)
        assert as_numbers(found) == getattr(mine_too, name)(theirs_too).tolist(), name
        assert found.dtype == "cidr"
    for how in ("left", "right", "inner", "outer"):
        assert as_numbers(mine.join(theirs, how=how)) == mine_too.join(theirs_too, how=how).tolist()


@settings(max_examples=40)
@given(LABELS, LABELS)
def test_where_labels_are(one: list, other: list) -> None:
    """Indexers, uniqueness and order are those of the numbers."""
    mine, mine_too = index(one), numbers(one)
    found = mine.get_indexer_for(index(other))
    assert found.tolist() == mine_too.get_indexer_for(numbers(other)).tolist()
    assert mine.is_unique == mine_too.is_unique
    assert mine.is_monotonic_increasing == mine_too.is_monotonic_increasing
    assert mine.is_monotonic_decreasing == mine_too.is_monotonic_decreasing
    for net in other:
        assert (vk.Cidr(net) in mine) == (net in one)


@settings(max_examples=40)
@given(LABELS, NETWORKS, NETWORKS)
def test_slices(nets: list, start: Net, stop: Net) -> None:
    """From one label to another, there or not, as of the numbers."""
    nets = sorted(nets)
    by_net = pd.Series(range(len(nets)), index=index(nets))
    by_number = pd.Series(range(len(nets)), index=numbers(nets))
    ends = slice(*numbers([start, stop]))
    assert by_net.loc[str(start) : vk.Cidr(stop)].tolist() == by_number.loc[ends].tolist()


FRAME = pd.DataFrame({"n": [1, 2, 3]}, index=CidrArray([B, A, None]))


def test_a_row_is_found() -> None:
    """By its label, alone and in a list; all rows of a label; a missing label is found as NA."""
    assert FRAME.loc[A, "n"] == FRAME.at[A, "n"] == 2
    assert FRAME.loc[[A, B], "n"].tolist() == [2, 1]
    assert FRAME.index.get_loc(pd.NA) == 2
    assert A in FRAME.index
    rows = pd.Series([1, 2, 3], index=CidrArray([A, B, A]))
    assert rows[A].tolist() == [1, 3]
    assert not rows.index.is_unique


@pytest.mark.parametrize("label", ["10.0.0.0/9", Cidr("10.0.0.0/9"), "elsewhere", 1, 10 << 30 | 8])
def test_a_row_is_not_found(label: object) -> None:
    """What is no label is a KeyError, a number that happens to be a key as well."""
    assert label not in FRAME.index
    with pytest.raises(KeyError):
        FRAME.loc[label]
    with pytest.raises(KeyError):
        FRAME.loc[[label]]


def test_a_missing_label_has_no_order() -> None:
    """An index that holds one is not in order, wherever it stands."""
    for labels in ([None, A], [A, None], [None]):
        found = pd.Index(CidrArray(labels))
        assert not found.is_monotonic_increasing
        assert not found.is_monotonic_decreasing


def test_frames_align() -> None:
    """Arithmetic, reindexing and levels meet by label; pickled, an index stays what it is."""
    other = pd.Series([10, 20], index=CidrArray([A, C]))
    assert FRAME["n"].dropna().add(other, fill_value=0)[A] == 12
    assert FRAME["n"].reindex(other.index).tolist()[0] == 2
    levels = pd.MultiIndex.from_arrays([list("ab"), other.index], names=["site", "net"])
    assert pd.Series([1, 2], index=levels)["b", C] == 2
    found = FRAME.index.rename("net")
    assert pickle.loads(pickle.dumps(found)).equals(found)  # noqa: S301
    assert (found.dtype, found.name) == ("cidr", "net")
    assert found.astype("str").tolist()[:2] == [str(B), str(A)]


def test_labels_as_text() -> None:
    """A label may be written as text, and the index says what it is."""
    assert FRAME.loc["10.0.0.0/8", "n"] == FRAME.at["10.0.0.0/8", "n"] == 2
    assert FRAME.loc[["10.0.0.0/8"], "n"].tolist() == [2]
    assert "10.0.0.0/8" in FRAME.index
    rows = pd.Series([1, 2], index=CidrArray([A, C]))
    assert rows["10.0.0.0/8":"11.0.0.0/8"].tolist() == [1]
    assert repr(rows.index) == "CidrIndex([10.0.0.0/8, 12.0.0.0/8], dtype='cidr')"


# -- what of pandas it stands on ---------------------------------------------------------------

#: The releases of pandas that all tests of this file were run with.
TRIED = ("3.0.0", "3.0.6", "3.1.0", "3.1.1")


def test_pandas_is_one_that_was_tried() -> None:
    """The index overrides private methods of pandas, which are there in the releases tried.

    Where this fails, pandas is new: run the tests of this folder with it and add it to the list.
    """
    assert pd.__version__.rpartition(".")[0] in {tried.rpartition(".")[0] for tried in TRIED}
    assert type(FRAME.index) is not pd.Index


WITHOUT_A_HOOK = """
import sys
import pandas as pd
import pytest

hook = pd.Index.{hook}
del pd.Index.{hook}
import vcokit
pd.Index.{hook} = hook
assert type(pd.Index(vcokit.CidrArray([None]))) is pd.Index
sys.exit(pytest.main([*sys.argv[1:], "--noconftest", "--hypothesis-profile=ci"]))
"""


@pytest.mark.skipif(
    pd.__version__ < "3.1", reason="its own plain index leaves some unions unsorted"
)
def test_a_pandas_without_the_hooks() -> None:
    """Where pandas lacks one of them when vcokit is imported, all else here holds as well.

    Only a label as text is not found then; it is a KeyError.
    """
    left_out = ["test_labels_as_text", "test_pandas_is_one", "test_a_pandas_without"]
    names = " and ".join(f"not {name}" for name in left_out)
    asked = [__file__, "-q", "-k", names, "-p", "no:cacheprovider"]
    code = WITHOUT_A_HOOK.format(hook="_maybe_cast_indexer")
    result = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert re.search(r"1[0-9] passed", result.stdout)
