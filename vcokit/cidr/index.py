"""The index of a ``cidr`` column: labels are found, joined and sorted by their keys.

pandas gives the labels of a foreign type to its engine as objects, and asks an index even where a
plain column is merged or sorted by two keys. A subclass may say what the engine gets instead; this
one hands it the keys, one integer a row (see `vcokit.cidr.keyed`), as `pandas.PeriodIndex` does.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from vcokit.cidr.coerce import prefix_key
from vcokit.cidr.keyed import compared_keys
from vcokit.cidr.parse import I64


class CidrIndex(pd.Index):
    """What ``pd.Index`` makes of a `CidrArray`.

    Labels are looked up by `Cidr`, or by all that makes one.

    Examples
    --------
    >>> sites = pd.Series(["all", "north"], index=pd.array(["10.0.0.0/8", "10.1.0.0/16"], "cidr"))
    >>> sites["10.1.0.0/16"]
    'north'
    >>> sites["10.0.0.0/8":"10.255.255.255/32"].tolist()
    ['all', 'north']
    """

    # What pandas.core.indexes.base.Index asks of its subclasses; the stubs leave it out.
    _values: Any
    _engine: Any

    @property
    def _engine_type(self) -> Any:
        integers: Any = pd.Index([0])
        return integers._engine_type

    def _get_engine_target(self) -> I64:
        return np.asarray(self._values._keys)

    def _from_join_target(self, result: I64) -> Any:
        return type(self._values)._of_keys(result)

    def _maybe_cast_indexer(self, key: Hashable) -> int:
        """Return the key of a label; what is no prefix is no label."""
        try:
            return prefix_key(key)
        except (TypeError, ValueError):
            raise KeyError(key) from None

    def _maybe_cast_listlike_indexer(self, target: Any) -> pd.Index:
        keys, wrong = compared_keys(target)
        # Of labels that are no prefixes, pandas says itself which are not there.
        found = target if wrong.any() else type(self._values)._of_keys(keys)
        labels: pd.Index = pd.Index(found, dtype="object" if wrong.any() else None)
        return labels

    def __contains__(self, key: Any) -> bool:
        hash(key)
        try:
            return self._maybe_cast_indexer(key) in self._engine
        except KeyError:
            return False

    @property
    def is_monotonic_increasing(self) -> bool:
        """Whether the labels rise or repeat; False where one is missing, which has no order."""
        return not self.hasnans and super().is_monotonic_increasing

    @property
    def is_monotonic_decreasing(self) -> bool:
        """Whether the labels fall or repeat; False where one is missing, which has no order."""
        return not self.hasnans and super().is_monotonic_decreasing
