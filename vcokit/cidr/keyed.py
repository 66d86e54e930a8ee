"""What pandas does by value, done on one integer a row: order, equality, groups, counts.

A key is an int64 that orders as its prefix does, and -1 where the prefix is missing (see
`vcokit.cidr.coerce`). factorize, groupby, merge and hashing take keys by `_values_for_factorize`,
sort and rank by `_values_for_argsort`; the methods here do what pandas would else do by objects.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from vcokit.cidr.coerce import NO_KEY, is_many, lenient_keys
from vcokit.cidr.parse import I64, Mask
from vcokit.cidr.scalar import from_key


def compared_keys(values: Any) -> tuple[I64, Mask]:
    """Return the keys of what a column is compared with, and what of it is no prefix.

    Parameters
    ----------
    values : array-like or one value

    Returns
    -------
    keys : ndarray of int64
        -1 where the value is missing or no prefix.
    wrong : ndarray of bool
        Where it is no prefix.

    Examples
    --------
    >>> compared_keys("elsewhere")
    (array([-1]), array([ True]))
    """
    if not is_many(values):
        values = [values]
    values = getattr(values, "array", values)  # of a Series or an Index
    if isinstance(values, KeyedArray):
        keys = values._keys
        return keys, np.zeros(len(keys), dtype=np.bool_)
    return lenient_keys(values)


def _comparison(compare: Callable[[Any, Any], Any]) -> Any:
    """Return the method that compares by keys; pandas unpacks Series and Index for it."""

    def method(self: KeyedArray, other: Any) -> Any:
        if isinstance(other, (pd.Series, pd.Index, pd.DataFrame)):
            return NotImplemented
        return self._compare(other, compare)

    method.__name__ = f"__{compare.__name__}__"
    return method


class KeyedArray(ExtensionArray):
    """An extension array whose cells order and equal as their int64 keys; -1 is missing."""

    @property
    @abstractmethod
    def _keys(self) -> I64:
        """The key of each row."""

    @classmethod
    @abstractmethod
    def _of_keys(cls, keys: I64) -> Self:
        """Return the array that has those keys."""

    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    def _compare(self, other: Any, compare: Callable[[Any, Any], Any]) -> Any:
        theirs, wrong = compared_keys(other)
        if is_many(other) and len(theirs) != len(self):
            raise ValueError(f"Lengths must match to compare: {len(self)} and {len(theirs)}")
        by_order = compare not in (operator.eq, operator.ne)
        if by_order and wrong.any():
            raise TypeError("a prefix comes before or after prefixes only")
        mine = self._keys
        # What is no prefix has the key of a missing one, which no prefix equals.
        missing = (mine == NO_KEY) | ((theirs == NO_KEY) & ~wrong)
        return pd.arrays.BooleanArray(compare(mine, theirs), missing)

    @classmethod
    def _from_factorized(cls, values: I64, original: object) -> Self:  # noqa: ARG003
        return cls._of_keys(values)

    def _values_for_argsort(self) -> I64:
        return self._keys

    def _values_for_factorize(self) -> tuple[I64, int]:
        return self._keys, NO_KEY

    def unique(self) -> Self:
        """Return the distinct prefixes in order of appearance; a missing one counts as one.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", None, "10.0.0.0/8", None], dtype="cidr").unique()
        <CidrArray>
        [10.0.0.0/8, <NA>]
        Length: 2, dtype: cidr
        """
        return self._of_keys(pd.unique(self._keys))

    def duplicated(self, keep: Literal["first", "last", False] = "first") -> Mask:
        """Return which rows repeat another, ndarray of bool.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.0.0.0/8"], dtype="cidr").duplicated()
        array([False,  True])
        """
        return pd.Series(self._keys).duplicated(keep=keep).to_numpy()

    def isin(self, values: Any) -> Mask:
        """Return which rows are among given values, ndarray of bool; what is no prefix is none.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.1.0.0/16"], dtype="cidr").isin(["10.0.0.0/8", "elsewhere"])
        array([ True, False])
        """
        keys, wrong = compared_keys(values)
        return pd.Series(self._keys).isin(keys[~wrong]).to_numpy()

    def searchsorted(
        self, value: Any, side: Literal["left", "right"] = "left", sorter: Any = None
    ) -> Any:
        """Return where values would go to keep the order, as ``numpy.searchsorted`` does.

        Raises
        ------
        ValueError
            A prefix is missing: then there is no order.

        Examples
        --------
        >>> nets = pd.array(["10.0.0.0/8", "11.0.0.0/8"], dtype="cidr")
        >>> nets.searchsorted(["10.1.0.0/16", "12.0.0.0/8"])
        array([1, 2])
        """
        if self.isna().any():
            raise ValueError(
                "searchsorted needs a sorted array, and missing prefixes have no order"
            )
        keys, wrong = compared_keys(value)
        if wrong.any():
            raise TypeError("only prefixes can be searched for in a column of prefixes")
        found = self._keys.searchsorted(keys, side=side, sorter=sorter)
        return found if is_many(value) else found[0]

    def value_counts(self, dropna: bool = True) -> pd.Series:
        """Return how often each prefix is there: Series of Int64, indexed by the prefixes.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.0.0.0/8"], dtype="cidr").value_counts().tolist()
        [2]
        """
        keys = self._keys
        counts = pd.Series(keys[keys != NO_KEY] if dropna else keys).value_counts(sort=False)
        index = pd.Index(self._of_keys(counts.index.to_numpy()), copy=False)
        return pd.Series(counts.array, index=index, name="count", dtype="Int64")

    def _mode(self, dropna: bool = True) -> Self:
        keys = self._keys
        found = pd.Series(keys[keys != NO_KEY] if dropna else keys).mode()
        return self._of_keys(found.to_numpy())

    def min(self, *, axis: int | None = None, skipna: bool = True, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the first prefix in order; NA where there is none.

        Examples
        --------
        >>> pd.array(["10.1.0.0/16", "10.0.0.0/8"], dtype="cidr").min()
        Cidr('10.0.0.0/8')
        """
        return self._extreme(np.min, skipna)

    def max(self, *, axis: int | None = None, skipna: bool = True, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the last prefix in order; NA where there is none.

        Examples
        --------
        >>> pd.array(["10.1.0.0/16", "10.0.0.0/8"], dtype="cidr").max()
        Cidr('10.1.0.0/16')
        """
        return self._extreme(np.max, skipna)

    def _extreme(self, choose: Callable[[I64], Any], skipna: bool) -> Any:
        keys = self._keys
        known = keys[keys != NO_KEY]
        is_known = len(known) > 0 and (skipna or len(known) == len(keys))
        return from_key(int(choose(known))) if is_known else pd.NA
