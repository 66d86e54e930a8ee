"""Every address has the value of the segment that the standard library's bisection finds."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from vcokit.cidr import longest_match as segments
from vcokit.cidr.longest_match import Segments

LAST = 2**32 - 1
#: Around the borders of slots of 256 and of words of 32 slots, and at both ends.
ADDRESS = (
    some.integers(0, 1024)
    | some.integers(LAST - 1024, LAST)
    | some.integers(0x0A000000, 0x0A000000 + 3 * 8192)
    | some.integers(0, 2**24 - 1).map(lambda slot: slot << 8)
    | some.integers(0, LAST)
)


def by_bisection(starts: list[int], addresses: list[int]) -> list[int]:
    """Return the number of starts at or below each address, -1 where it is none."""
    return [bisect_right(starts, address) or -1 for address in addresses]


def found(starts: list[int], addresses: list[int]) -> list[int]:
    """Return values by segments whose values are how many start at or below them; none is -1."""
    column = Segments(np.array(starts, dtype=np.uint32), np.arange(1, len(starts) + 1))
    values = column.at(np.array(addresses, dtype=np.uint32))
    assert values.dtype == np.int64
    return values.tolist()


@pytest.fixture
def every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few addresses ranked as many are, a few at a time."""
    monkeypatch.setattr(segments, "_FEW", 0)
    monkeypatch.setattr(segments, "_CHUNK", 7)


def near(starts: list[int]) -> list[int]:
    """Return each start, and the addresses beside it and at the ends of its slot."""
    around = [(s + step) & LAST for s in starts for step in (-256, -1, 0, 1, 255, 256)]
    return [*around, *(s & ~255 for s in starts), *(s | 255 for s in starts), 0, LAST]


@settings(max_examples=60)
@given(some.sets(ADDRESS, max_size=60), some.lists(ADDRESS, max_size=20), some.booleans())
def test_at(starts: set, addresses: list, are_many: bool) -> None:
    """Few addresses or many, each has the value of the last segment that starts at or below."""
    rising = sorted(starts)
    wanted = [*near(rising), *addresses]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_FEW", 0 if are_many else len(wanted) + 1)
        assert found(rising, wanted) == by_bisection(rising, wanted)


@pytest.mark.usefixtures("every_way")
@pytest.mark.parametrize(
    "starts",
    [
        [],
        [0],
        [LAST],
        [0, LAST],
        list(range(1024)),
        list(range(LAST - 1023, LAST + 1)),
        [slot << 8 for slot in range(100)],
        [(slot << 8) | 255 for slot in range(2**24 - 40, 2**24)],
        [1 << bit for bit in range(32)],
    ],
    ids=lambda starts: f"{len(starts)} from {min(starts, default=None)}",
)
def test_shapes(starts: list[int]) -> None:
    """Full slots, empty ones, their borders, and the ends of the address space."""
    wanted = near(starts[:8] + starts[-8:])
    assert found(starts, wanted) == by_bisection(starts, wanted)


def test_many() -> None:
    """At the size at which tables are worth it, answers do not change."""
    rng = np.random.default_rng(4)
    starts = np.unique(rng.integers(0, 2**32, 60_000, dtype=np.uint32)).tolist()
    addresses = rng.integers(0, 2**32, 100_000, dtype=np.uint32).tolist()
    assert found(starts, addresses) == by_bisection(starts, addresses)


@pytest.mark.usefixtures("every_way")
def test_values_of_none() -> None:
    """Segments without a value, -1, are not taken for mixed slots."""
    column = Segments(np.array([0, 256, 300], dtype=np.uint32), np.array([-1, 2**32, -1]))
    addresses = np.array([0, 255, 256, 299, 300, 512, LAST], dtype=np.uint32)
    assert column.at(addresses).tolist() == [-1, -1, 2**32, 2**32, -1, -1, -1]
