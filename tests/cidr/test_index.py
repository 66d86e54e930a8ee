"""An index of prefixes finds, slices, joins and aligns as an index of the same numbers does."""

from __future__ import annotations

import ipaddress
import pickle

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import vcokit as vk
from vcokit.cidr.array import CidrArray
from vcokit.cidr.interop import CidrIndex

Net = ipaddress.IPv4Network

NETWORKS = some.tuples(some.sampled_from([0, 0x0A000000, 0xFFFFFFFF]), some.integers(0, 32)).map(
    lambda pair: Net(pair, strict=False)
)
LABELS = some.lists(NETWORKS, max_size=12)


def index(nets: list) -> pd.Index:
    """Return an index of stdlib networks."""
    return pd.Index(CidrArray([str(net) for net in nets]))


def numbers(nets: list) -> pd.Index:
    """Return an index of numbers that order as the networks do, by stdlib alone."""
    return pd.Index([int(net.network_address) * 64 + net.prefixlen for net in nets], dtype="int64")


def as_numbers(found: pd.Index) -> list:
    """Return labels as those numbers."""
    return numbers([label.to_ipaddress() for label in found]).tolist()


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


@given(LABELS, NETWORKS, NETWORKS)
def test_slices(nets: list, start: Net, stop: Net) -> None:
    """From one label to another, there or not, as of the numbers."""
    nets = sorted(nets)
    by_net = pd.Series(range(len(nets)), index=index(nets))
    by_number = pd.Series(range(len(nets)), index=numbers(nets))
    ends = slice(*numbers([start, stop]))
    assert by_net.loc[str(start) : vk.Cidr(stop)].tolist() == by_number.loc[ends].tolist()


FRAME = pd.DataFrame({"n": [1, 2, 3]}, index=CidrArray(["10.1.0.0/16", "10.0.0.0/8", None]))


@pytest.mark.parametrize("label", ["10.0.0.0/8", vk.Cidr("10.0.0.0/8")])
def test_a_row_is_found(label: object) -> None:
    """By text, by Cidr, alone and in a list; a missing label is found as NA."""
    assert isinstance(FRAME.index, CidrIndex)
    assert FRAME.loc[label, "n"] == FRAME.at[label, "n"] == 2
    assert FRAME.loc[[label, "10.1.0.0/16"], "n"].tolist() == [2, 1]
    assert FRAME.index.get_loc(pd.NA) == 2
    assert label in FRAME.index


@pytest.mark.parametrize("label", ["10.0.0.0/9", "elsewhere", 1, 0x0A000000 << 6 | 8])
def test_a_row_is_not_found(label: object) -> None:
    """What is no label is a KeyError, a number that happens to be a key as well."""
    assert label not in FRAME.index
    with pytest.raises(KeyError):
        FRAME.loc[label]
    with pytest.raises(KeyError):
        FRAME.loc[[label]]


def test_repeated_labels() -> None:
    """All rows of a label are found."""
    rows = pd.Series([1, 2, 3], index=CidrArray(["10.0.0.0/8", "11.0.0.0/8", "10.0.0.0/8"]))
    assert rows["10.0.0.0/8"].tolist() == [1, 3]
    assert not rows.index.is_unique


def test_a_missing_label_has_no_order() -> None:
    """An index that holds one is not in order, wherever it stands."""
    for labels in ([None, "10.0.0.0/8"], ["10.0.0.0/8", None], [None]):
        found = pd.Index(CidrArray(labels))
        assert not found.is_monotonic_increasing
        assert not found.is_monotonic_decreasing


def test_frames_align() -> None:
    """Arithmetic, reindexing and levels meet by label."""
    other = pd.Series([10, 20], index=CidrArray(["10.0.0.0/8", "12.0.0.0/8"]))
    total = FRAME["n"].dropna().add(other, fill_value=0)
    assert total["10.0.0.0/8"] == 12
    assert FRAME["n"].reindex(other.index).tolist()[0] == 2
    levels = pd.MultiIndex.from_arrays([list("ab"), other.index], names=["site", "net"])
    assert pd.Series([1, 2], index=levels)["b", vk.Cidr("12.0.0.0/8")] == 2


def test_kept() -> None:
    """Pickled, copied and shown, it stays an index of prefixes."""
    found = FRAME.index.rename("net")
    assert pickle.loads(pickle.dumps(found)).equals(found)  # noqa: S301
    assert repr(found[:1]) == "CidrIndex([10.1.0.0/16], dtype='cidr', name='net')"
    assert found.astype("str").tolist()[:2] == ["10.1.0.0/16", "10.0.0.0/8"]
