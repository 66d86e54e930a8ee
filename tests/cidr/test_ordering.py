"""The fast order is the stable order, however the keys repeat and however large they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit.cidr.relations import stable_order

LARGE = 2**64 - 1
KEYS = some.lists(some.sampled_from([0, 1, 2, LARGE - 1, LARGE]) | some.integers(0, LARGE))


@given(KEYS)
def test_as_a_sort_in_plain_python(keys: list[int]) -> None:
    """Positions come as Python's own stable sort puts them."""
    expected = sorted(range(len(keys)), key=keys.__getitem__)
    assert stable_order(np.array(keys, dtype=np.uint64)).tolist() == expected


@pytest.mark.parametrize("top", [1, 1000, LARGE])
def test_many_keys(top: int) -> None:
    """The same at a size at which NumPy sorts in its fastest way, with few repeats and many."""
    keys = np.random.default_rng(5).integers(0, top, 50_000, dtype=np.uint64, endpoint=True)
    for some_keys in (keys, keys // np.uint64(max(top // 100, 1)), keys[:1], keys[:0]):
        expected = np.argsort(some_keys, kind="stable")
        np.testing.assert_array_equal(stable_order(some_keys), expected)
