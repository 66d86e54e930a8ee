"""Whole-column prefix algebra as ``Series.cidr``, on columns of text and of the dtype ``cidr``.

=======================================================  ==========================================
`network`, `prefix_length`, `flags`                      what a row holds
`normalized`, `to_cidr`                                  the column put right, as it is or as cidr
`overlaps`, `covered_by`                                 row by row, against other prefixes
`closest_cover`                                          row by row, against the column itself
`lookup`                                                 address by address, the longest prefix
`aggregate`, `subtract`, `intersect`, `complement`       the addresses of all rows, as few prefixes
=======================================================  ==========================================

Text is read as `vcokit.cidr.parse` reads it. Rows that hold no prefix take no part: they are in no
relation (False, -1) and add no address. Where host bits are set, the network takes part. Answers
row by row have the column's index and name.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vcokit.cidr import lookup, relations, sets
from vcokit.cidr.array import CidrArray, CidrDtype
from vcokit.cidr.coerce import Columns
from vcokit.cidr.parse import I64, Prefixes, to_text
from vcokit.cidr.read import Others, is_readable, read_column, read_others
from vcokit.cidr.relations import NONE
from vcokit.cidr.scalar import Cidr

if TYPE_CHECKING:
    from vcokit.cidr.scalar import Prefix


@pd.api.extensions.register_series_accessor("cidr")
class CidrAccessor:
    """Whole-column prefix algebra on a Series of text or of the dtype ``cidr``.

    Parameters
    ----------
    series : Series of str, cidr, or categories of them
        IPv4 prefixes ``a.b.c.d/len``; rows that hold none are kept and flagged. It is read once
        an accessor: ``nets = routes.cidr`` saves the reading where much is asked.

    Raises
    ------
    AttributeError
        The Series is of another dtype.

    Examples
    --------
    >>> import vcokit
    >>> routes = pd.Series(["10.0.0.0/8", "10.1.2.3/16", "10.1.0.0"])
    >>> routes.cidr.normalized().tolist()
    ['10.0.0.0/8', '10.1.0.0/16', nan]
    >>> routes.cidr.closest_cover().tolist()
    [-1, 0, -1]
    """

    def __init__(self, series: pd.Series) -> None:
        if not is_readable(series):
            raise AttributeError(f".cidr works on text and on cidr columns, not on {series.dtype}")
        self._series = series

    # -- What a row holds

    @cached_property
    def _prefixes(self) -> Prefixes:
        return read_column(self._series)

    @property
    def network(self) -> pd.Series:
        """Network address as a number, host bits cleared; Series of UInt32, NA where none.

        Examples
        --------
        >>> pd.Series(["0.0.1.7/24", "x"]).cidr.network.tolist()
        [256, <NA>]
        """
        found = self._prefixes
        return self._answer(pd.arrays.IntegerArray(found.network.copy(), ~found.valid))

    @property
    def prefix_length(self) -> pd.Series:
        """Prefix length 0-32; Series of UInt8, NA where there is no prefix.

        Examples
        --------
        >>> pd.Series(["0.0.1.7/24", "x"]).cidr.prefix_length.tolist()
        [24, <NA>]
        """
        found = self._prefixes
        return self._answer(pd.arrays.IntegerArray(found.length.copy(), ~found.valid))

    @property
    def flags(self) -> pd.Series:
        """What was seen in each cell (see `vcokit.cidr.parse`); Series of uint8, 0: all is well.

        Examples
        --------
        >>> pd.Series(["0.0.1.0/24", "0.0.1.7/24", "x", None, "::/0"]).cidr.flags.tolist()
        [0, 8, 2, 1, 4]
        """
        return self._answer(self._prefixes.flags.copy())

    def normalized(self) -> pd.Series:
        """Return each prefix with its host bits cleared, missing where there is none.

        Returns
        -------
        Series of str or cidr
            As the column itself; text where it is of categories.

        Examples
        --------
        >>> pd.Series(["10.1.2.3/16", "x"]).cidr.normalized().tolist()
        ['10.1.0.0/16', nan]
        """
        if isinstance(self._series.dtype, CidrDtype):
            return self._series.copy()
        return self._answer(to_text(self._prefixes.network, self._prefixes.length).array)

    def to_cidr(self) -> pd.Series:
        """Return the column as cidr, whatever it holds.

        Host bits are cleared, and what is no prefix is missing; ``astype("cidr")`` raises there.

        Returns
        -------
        Series of cidr

        Examples
        --------
        >>> pd.Series(["10.1.2.3/16", "x"]).cidr.to_cidr()
        0    10.1.0.0/16
        1           <NA>
        dtype: cidr
        >>> pd.Series(["10.1.2.3/16", "x"]).astype("cidr")
        Traceback (most recent call last):
            ...
        ValueError: position 0: '10.1.2.3/16' has host bits set; its network is '10.1.0.0/16'
        (and 1 more). On a column of text, .cidr.to_cidr() clears host bits
        """
        found = self._prefixes
        return self._answer(CidrArray.from_arrays(found.network.copy(), found.length.copy()))

    # -- Relations, row by row

    def overlaps(self, other: Others) -> pd.Series:
        """Tell which rows share an address with some other prefix.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            A column is read as this one is. In a list, and where it is one prefix, what is no
            prefix in strict form is an error.

        Returns
        -------
        Series of bool
            False where there is no prefix.

        Raises
        ------
        ValueError, TypeError
            A list or a single value holds what is no prefix.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8", "11.0.0.0/8", "x"]).cidr.overlaps("10.1.0.0/16").tolist()
        [True, False, False]
        """
        return self._tell(relations.overlaps, other)

    def covered_by(self, other: Others) -> pd.Series:
        """Tell which rows lie in some other prefix, or are equal to one.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As of `overlaps`, errors too.

        Returns
        -------
        Series of bool
            False where there is no prefix.

        Examples
        --------
        >>> private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
        >>> pd.Series(["10.1.0.0/16", "0.0.0.0/0", None]).cidr.covered_by(private).tolist()
        [True, False, False]
        """
        return self._tell(relations.covered_by, other)

    def closest_cover(self, groups: Any = None) -> pd.Series:
        """Return the position of the closest shorter prefix that holds each prefix.

        Parameters
        ----------
        groups : Series or array-like, shape (n,), optional
            Only prefixes of one group are looked at together, and rows whose group is missing
            are left out. A Series has the index of the column.

        Returns
        -------
        Series of int64
            Position (not label) in the column, of the first row that holds that prefix; -1 where
            no prefix holds it, or there is none.

        Raises
        ------
        ValueError
            `groups` is of another length, or has another index.

        Examples
        --------
        >>> nets = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"])
        >>> nets.cidr.closest_cover(groups=["a", "a", "b"]).tolist()
        [-1, 0, -1]
        """
        rows, codes, _ = self._grouped(groups)
        inside = relations.closest_cover(*self._at(rows), codes)
        result = np.full(len(self._series), NONE, dtype=np.int64)
        result[rows] = np.where(inside >= 0, rows.take(inside), NONE) if len(rows) else inside
        return self._answer(result)

    def lookup(self, addresses: Any) -> I64:
        """Return the position of the longest prefix that holds each address.

        Parameters
        ----------
        addresses : Series or array, shape (m,), list, or one address
            Text ``a.b.c.d``, whole numbers, or ``ipaddress.IPv4Address``.

        Returns
        -------
        ndarray of int64, shape (m,)
            Position (not label) of the first row that holds that prefix; -1 where no prefix holds
            the address, or a column of data has none. ``column.array.take(positions,
            allow_fill=True)`` are the prefixes.

        Raises
        ------
        ValueError
            A list or a single value holds what is no address; as of `overlaps`.
        TypeError
            Addresses are neither text nor integers, or some text and some integers.

        Examples
        --------
        >>> nets = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "x"])
        >>> nets.cidr.lookup(["10.1.2.3", "10.2.0.0", "11.0.0.0"])
        array([ 1,  0, -1])
        >>> nets.cidr.lookup(pd.Series(["10.1.2.3", "elsewhere"]))
        array([ 1, -1])
        """
        values, valid = lookup.asked(addresses)
        rows = np.flatnonzero(self._prefixes.valid)
        found = lookup.Table(*self._at(rows)).find(values[valid])
        result = np.full(len(values), NONE, dtype=np.int64)
        result[valid] = np.where(found >= 0, rows.take(found), NONE) if len(rows) else NONE
        return result

    # -- The addresses of all rows

    def aggregate(self, groups: Any = None) -> pd.Series:
        """Return the fewest prefixes that hold the same addresses.

        Parameters
        ----------
        groups : Series or array-like, shape (n,), optional
            Each group is aggregated by itself; as of `closest_cover`.

        Returns
        -------
        Series of cidr
            In order. With groups, indexed by group and sorted by it first.

        Raises
        ------
        ValueError
            As of `closest_cover`.

        Examples
        --------
        >>> nets = pd.Series(["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "x"])
        >>> nets.cidr.aggregate()
        0    10.0.0.0/8
        dtype: cidr
        >>> nets.cidr.aggregate(groups=["b", "b", "a", "a"])
        a    10.1.0.0/16
        b     10.0.0.0/8
        dtype: cidr
        """
        rows, codes, labels = self._grouped(groups, sort=True)
        network, length, group = sets.aggregate(*self._at(rows), codes)
        index = None if group is None or labels is None else labels.take(group)
        return self._set((network, length), index)

    def subtract(self, other: Others) -> pd.Series:
        """Return the fewest prefixes that hold the addresses of the column that others do not.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As of `overlaps`, errors too.

        Returns
        -------
        Series of cidr
            In order, with a fresh ``RangeIndex``.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8"]).cidr.subtract("10.128.0.0/9").astype("str").tolist()
        ['10.0.0.0/9']
        """
        return self._set(sets.subtract(*self._at(self._prefixes.valid), *read_others(other)))

    def intersect(self, other: Others) -> pd.Series:
        """Return the fewest prefixes that hold the addresses that column and others share.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As of `overlaps`, errors too.

        Returns
        -------
        Series of cidr
            In order, with a fresh ``RangeIndex``.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8"]).cidr.intersect("0.0.0.0/0").astype("str").tolist()
        ['10.0.0.0/8']
        """
        return self._set(sets.intersect(*self._at(self._prefixes.valid), *read_others(other)))

    def complement(self, within: Prefix) -> pd.Series:
        """Return the fewest prefixes of what is free within one prefix.

        Parameters
        ----------
        within : str, Cidr, ipaddress.IPv4Network or netaddr.IPNetwork

        Returns
        -------
        Series of cidr
            In order, with a fresh ``RangeIndex``.

        Raises
        ------
        ValueError, TypeError
            `within` is no prefix.

        Examples
        --------
        >>> taken = pd.Series(["10.0.0.0/10", "10.128.0.0/9"])
        >>> taken.cidr.complement(within="10.0.0.0/8").astype("str").tolist()
        ['10.64.0.0/10']
        """
        space = Cidr(within)
        taken = self._at(self._prefixes.valid)
        return self._set(sets.complement(*taken, space.network, space.prefix_length))

    # -- Between columns and arrays

    def _answer(self, values: Any) -> pd.Series:
        return pd.Series(values, index=self._series.index, name=self._series.name, copy=False)

    def _set(self, found: Columns, index: pd.Index | None = None) -> pd.Series:
        return pd.Series(CidrArray.from_arrays(*found), index=index, name=self._series.name)

    def _at(self, rows: Any) -> Columns:
        """Return the columns of some rows, all of which hold a prefix."""
        return self._prefixes.network[rows], self._prefixes.length[rows]

    def _tell(self, relation: Any, other: Others) -> pd.Series:
        result = self._prefixes.valid.copy()
        result[result] = relation(*self._at(result), *read_others(other))
        return self._answer(result)

    def _grouped(self, groups: Any, sort: bool = False) -> tuple[I64, I64 | None, pd.Index | None]:
        """Return the rows that take part, the code of the group of each, and the groups' labels."""
        valid = self._prefixes.valid
        if groups is None:
            return np.flatnonzero(valid), None, None
        if not isinstance(groups, pd.Series):
            groups = pd.Series(groups)
        elif len(groups) == len(valid) and not groups.index.equals(self._series.index):
            raise ValueError("groups has another index: align it, or pass groups.array")
        if len(groups) != len(valid):
            raise ValueError(f"groups has {len(groups)} rows, the column {len(valid)}")
        codes, labels = pd.factorize(groups, sort=sort)
        rows = np.flatnonzero(valid & (codes >= 0))
        return rows, codes[rows].astype(np.int64, copy=False), pd.Index(labels, name=groups.name)
