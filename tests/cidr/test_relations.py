"""Relations between prefixes equal a brute-force reading, row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.cidr.networks import DIRT, NETWORK, Network, bits_of, cells, column, scattered

BOTH = pytest.mark.parametrize("dtype", ["str", "cidr"])
ROWS = some.lists(NETWORK | DIRT, max_size=40)
GROUPED = some.lists(
    some.tuples(NETWORK | DIRT, some.sampled_from(["a", "b", "c", None])), max_size=40
)


def cover_by_bits(rows: list) -> list[int]:
    """Return the first row of the longest shorter prefix of the group that holds each.

    Bits are cut off the end until what is left is there. None is no group.
    """
    first: dict = {}
    for row, (network, group) in enumerate(rows):
        if isinstance(network, Network) and group is not None:
            first.setdefault((group, bits_of(network)), row)
    result = []
    for network, group in rows:
        bits = bits_of(network) if isinstance(network, Network) else ""
        shorter = ((group, bits[:length]) for length in reversed(range(len(bits))))
        result.append(next((first[key] for key in shorter if key in first), -1))
    return result


@BOTH
@settings(max_examples=40)
@given(rows=GROUPED)
def test_closest_cover(dtype: str, rows: list) -> None:
    """The closest cover, of all and in groups, is that of a plain search among the prefixes."""
    nets, groups = [net for net, _ in rows], [group for _, group in rows]
    asked = column(nets, dtype)
    asked.index = asked.index[::-1]
    assert asked.cidr.closest_cover().tolist() == cover_by_bits([(net, "all") for net in nets])
    expected = cover_by_bits(rows)
    series = pd.Series(groups, index=asked.index, dtype="str")
    for form in (groups, series, series.astype("category")):
        found = asked.cidr.closest_cover(groups=form)
        assert found.tolist() == expected
        assert (found.dtype, found.name, found.index.equals(asked.index)) == ("int64", "dest", True)


@BOTH
@settings(max_examples=40)
@given(rows=ROWS, others=ROWS)
def test_relations_to_others(dtype: str, rows: list, others: list) -> None:
    """``overlaps`` and ``covered_by`` are those of stdlib; rows without a prefix are False."""
    asked, nets = column(rows, dtype), [net for net in others if isinstance(net, Network)]
    asked.index = asked.index[::-1]
    overlaps = [isinstance(row, Network) and any(row.overlaps(net) for net in nets) for row in rows]
    covered = [isinstance(row, Network) and any(row.subnet_of(net) for net in nets) for row in rows]
    for form in (column(others), column(others, "cidr"), nets):
        for found, expected in (
            (asked.cidr.overlaps(form), overlaps),
            (asked.cidr.covered_by(form), covered),
        ):
            assert found.tolist() == expected
            assert (found.dtype, found.index.equals(asked.index)) == ("bool", True)


def test_a_chain_of_all_lengths() -> None:
    """33 prefixes, one in another, each find the next, at either end of the address space."""
    for address in (0, 2**32 - 1):
        nets = [Network((address, length), strict=False) for length in range(33)]
        assert column(nets).cidr.closest_cover().tolist() == [-1, *range(32)]
        assert column(nets[::-1]).cidr.closest_cover().tolist() == [*range(1, 33), -1]


def test_many_rows_of_any_skew() -> None:
    """One giant group is as no groups, groups of one have no covers, and groups do not mix."""
    rng = np.random.default_rng(9)
    nets = scattered(rng, 9_000) * 2
    asked = column(nets, "cidr").cidr
    both = cover_by_bits([(net, 0) for net in nets])
    assert asked.closest_cover().tolist() == both
    assert asked.closest_cover(np.full(18_000, 7)).tolist() == both
    assert (asked.closest_cover(rng.permutation(18_000)) == -1).all()
    groups = np.resize(np.arange(1_500), 9_000).tolist() * 2
    assert asked.closest_cover(groups).tolist() == cover_by_bits([*zip(nets, groups, strict=True)])


def test_many_others() -> None:
    """Thousands of prefixes are compared with tens of thousands, most of them outermost."""
    rng = np.random.default_rng(10)
    nets, others = scattered(rng, 6_000), scattered(rng, 36_000)
    theirs = {bits_of(net) for net in others if net.prefixlen > 18}
    around = {bits[:length] for bits in theirs for length in range(len(bits))}
    held = [any(bits_of(net)[:n] in theirs for n in range(net.prefixlen + 1)) for net in nets]
    expected = [is_held or bits_of(net) in around for net, is_held in zip(nets, held, strict=True)]
    other = column([net for net in others if net.prefixlen > 18], "cidr")
    asked = column(nets, "cidr").cidr
    assert asked.covered_by(other).tolist() == held
    assert asked.overlaps(other).tolist() == expected
    assert 0 < sum(held) < sum(expected) < len(nets)


def test_host_bits_are_cleared() -> None:
    """Where host bits are set, the network takes part; ``astype`` would not have it."""
    asked = pd.Series(["10.1.2.3/16"])
    assert cells(asked.cidr.to_cidr()) == [Network("10.1.0.0/16")]
    assert asked.cidr.covered_by("10.1.0.0/16").tolist() == [True]
    with pytest.raises(ValueError, match="host bits"):
        asked.astype("cidr")
