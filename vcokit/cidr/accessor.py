"""Whole-column prefix algebra as ``Series.cidr``, on columns of text and of the dtype ``cidr``.

=======================================================  ==========================================
`network`, `prefix_length`, `flags`                      the parts of each row
`normalized`, `to_cidr`                                  the corrected column, same dtype or cidr
`overlaps`, `covered_by`                                 each row compared with other prefixes
`closest_cover`                                          each row compared with the column itself
`lookup`                                                 the longest match of each address
`aggregate`, `subtract`, `intersect`, `complement`       the addresses of all rows, as few prefixes
=======================================================  ==========================================

Text is parsed by `vcokit.cidr.parse`. Rows without a prefix are ignored: they are in no relation
(False, -1) and add no address. If host bits are set, the network is used. Results per row have the
column's index and name.

The other prefixes, and the addresses, may be given in many forms (`as_prefixes`, `as_addresses`).
Columns are read leniently: invalid cells are ignored. Lists and single values are usually written
by hand, so an invalid value in them is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr import relations, sets
from vcokit.cidr.array import CidrArray, CidrDtype, is_many, kind_of
from vcokit.cidr.longest_match import LongestMatch
from vcokit.cidr.parse import (
    I64,
    MISSING,
    NO_LENGTH,
    NONE,
    U32,
    Columns,
    Mask,
    Prefixes,
    as_arrow_text,
    parse,
    to_text,
)
from vcokit.cidr.scalar import Cidr

if TYPE_CHECKING:
    from vcokit.cidr.scalar import Prefix

#: One prefix, a list of them, or a column.
Others: TypeAlias = "Prefix | Sequence[Prefix] | pd.Series | pd.Index | CidrArray"


@pd.api.extensions.register_series_accessor("cidr")
class CidrAccessor:
    """Whole-column prefix algebra on a Series of text or of the dtype ``cidr``.

    Parameters
    ----------
    series : Series of str, cidr, or categories of them
        IPv4 prefixes ``a.b.c.d/len``; rows without a prefix are kept and flagged. The column is
        parsed once per accessor: to call several methods, keep it as ``nets = routes.cidr``.

    Raises
    ------
    AttributeError
        The Series has another dtype.

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

    # -- the parts of each row

    @cached_property
    def _prefixes(self) -> Prefixes:
        return read_column(self._series)

    @property
    def network(self) -> pd.Series:
        """Network address as a number, host bits cleared; Series of UInt32, NA without a prefix.

        Examples
        --------
        >>> pd.Series(["0.0.1.7/24", "x"]).cidr.network.tolist()
        [256, <NA>]
        """
        found = self._prefixes
        return self._answer(pd.arrays.IntegerArray(found.network.copy(), ~found.valid))

    @property
    def prefix_length(self) -> pd.Series:
        """Prefix length 0-32; Series of UInt8, NA without a prefix.

        Examples
        --------
        >>> pd.Series(["0.0.1.7/24", "x"]).cidr.prefix_length.tolist()
        [24, <NA>]
        """
        found = self._prefixes
        return self._answer(pd.arrays.IntegerArray(found.length.copy(), ~found.valid))

    @property
    def flags(self) -> pd.Series:
        """What is wrong with each cell (see `vcokit.cidr.parse`); Series of uint8, 0 if valid.

        Examples
        --------
        >>> pd.Series(["0.0.1.0/24", "0.0.1.7/24", "x", None, "::/0"]).cidr.flags.tolist()
        [0, 8, 2, 1, 4]
        """
        return self._answer(self._prefixes.flags.copy())

    def normalized(self) -> pd.Series:
        """Return each prefix with its host bits cleared, and missing values for other cells.

        Returns
        -------
        Series of str or cidr
            The same dtype as the column; text for categories.

        Examples
        --------
        >>> pd.Series(["10.1.2.3/16", "x"]).cidr.normalized().tolist()
        ['10.1.0.0/16', nan]
        """
        if isinstance(self._series.dtype, CidrDtype):
            return self._series.copy()
        return self._answer(to_text(self._prefixes.network, self._prefixes.length).array)

    def to_cidr(self) -> pd.Series:
        """Return the column as cidr, without errors for invalid cells.

        Host bits are cleared, and cells that are not prefixes become missing; ``astype("cidr")``
        would raise an error.

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

    # -- relations, row by row

    def overlaps(self, other: Others) -> pd.Series:
        """Return which rows share an address with at least one of the other prefixes.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            Another column is read leniently, like this one. In a list, or as a single value,
            anything but a prefix in strict form is an error.

        Returns
        -------
        Series of bool
            False for rows without a prefix.

        Raises
        ------
        ValueError, TypeError
            A list contains, or a single value is, something other than a prefix.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8", "11.0.0.0/8", "x"]).cidr.overlaps("10.1.0.0/16").tolist()
        [True, False, False]
        """
        return self._per_row(relations.overlaps, other)

    def covered_by(self, other: Others) -> pd.Series:
        """Return which rows are inside one of the other prefixes, or equal to it.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As in `overlaps`, with the same errors.

        Returns
        -------
        Series of bool
            False for rows without a prefix.

        Examples
        --------
        >>> private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
        >>> pd.Series(["10.1.0.0/16", "0.0.0.0/0", None]).cidr.covered_by(private).tolist()
        [True, False, False]
        """
        return self._per_row(relations.covered_by, other)

    def closest_cover(self, groups: Any = None) -> pd.Series:
        """Return the position of the closest shorter prefix that contains each prefix.

        Parameters
        ----------
        groups : Series or array-like, shape (n,), optional
            Only prefixes of the same group are compared, and rows whose group is missing are left
            out. A Series must have the index of the column.

        Returns
        -------
        Series of int64
            Position (not label) in the column of the first row with that prefix; -1 if no prefix
            contains it, or the row has no prefix.

        Raises
        ------
        ValueError
            `groups` has another length or another index.

        Examples
        --------
        >>> nets = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"])
        >>> nets.cidr.closest_cover(groups=["a", "a", "b"]).tolist()
        [-1, 0, -1]
        """
        rows, codes, _ = self._grouped(groups)
        inside = relations.closest_cover(*self._at(rows), codes)
        result = np.full(len(self._series), NONE, dtype=np.int64)
        # NONE is -1, which takes the last element, and that is NONE too.
        result[rows] = np.append(rows, NONE).take(inside)
        return self._answer(result)

    def lookup(self, addresses: Any) -> I64:
        """Return the position of the longest prefix that contains each address.

        Parameters
        ----------
        addresses : Series or array, shape (m,), list, or one address
            Text ``a.b.c.d``, integers, or ``ipaddress.IPv4Address``.

        Returns
        -------
        ndarray of int64, shape (m,)
            Position (not label) of the first row with that prefix; -1 if no prefix contains the
            address, or a cell of a Series is not an address. ``column.array.take(positions,
            allow_fill=True)`` returns the prefixes.

        Raises
        ------
        ValueError
            A list contains, or a single value is, something other than an address.
        TypeError
            The addresses are neither text nor integers, or a mixture of both.

        Examples
        --------
        >>> nets = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "x"])
        >>> nets.cidr.lookup(["10.1.2.3", "10.2.0.0", "11.0.0.0"])
        array([ 1,  0, -1])
        >>> nets.cidr.lookup(pd.Series(["10.1.2.3", "elsewhere"]))
        array([ 1, -1])
        """
        values, valid = as_addresses(addresses)
        rows = np.flatnonzero(self._prefixes.valid)
        found = LongestMatch(*self._at(rows)).find(values[valid])
        result = np.full(len(values), NONE, dtype=np.int64)
        result[valid] = np.append(rows, NONE).take(found)
        return result

    # -- the addresses of all rows

    def aggregate(self, groups: Any = None) -> pd.Series:
        """Return the fewest prefixes with the same addresses.

        Parameters
        ----------
        groups : Series or array-like, shape (n,), optional
            Each group is aggregated separately; otherwise as in `closest_cover`.

        Returns
        -------
        Series of cidr
            Sorted; with groups, sorted by group first, and indexed by group.

        Raises
        ------
        ValueError
            As in `closest_cover`.

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
        return self._sorted_set((network, length), index)

    def subtract(self, other: Others) -> pd.Series:
        """Return the fewest prefixes with the addresses that are in the column but not in others.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As in `overlaps`, with the same errors.

        Returns
        -------
        Series of cidr
            Sorted, with a new ``RangeIndex``.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8"]).cidr.subtract("10.128.0.0/9").astype("str").tolist()
        ['10.0.0.0/9']
        """
        return self._sorted_set(sets.subtract(*self._at(self._prefixes.valid), *as_prefixes(other)))

    def intersect(self, other: Others) -> pd.Series:
        """Return the fewest prefixes with the addresses that the column and others share.

        Parameters
        ----------
        other : Series, array, list, or one prefix
            As in `overlaps`, with the same errors.

        Returns
        -------
        Series of cidr
            Sorted, with a new ``RangeIndex``.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8"]).cidr.intersect("0.0.0.0/0").astype("str").tolist()
        ['10.0.0.0/8']
        """
        return self._sorted_set(
            sets.intersect(*self._at(self._prefixes.valid), *as_prefixes(other))
        )

    def complement(self, within: Prefix) -> pd.Series:
        """Return the fewest prefixes with the addresses that are in `within` but not in the column.

        Parameters
        ----------
        within : str, Cidr, ipaddress.IPv4Network or netaddr.IPNetwork

        Returns
        -------
        Series of cidr
            Sorted, with a new ``RangeIndex``.

        Raises
        ------
        ValueError, TypeError
            `within` is not a prefix.

        Examples
        --------
        >>> taken = pd.Series(["10.0.0.0/10", "10.128.0.0/9"])
        >>> taken.cidr.complement(within="10.0.0.0/8").astype("str").tolist()
        ['10.64.0.0/10']
        """
        space = as_prefixes([Cidr(within)])
        return self._sorted_set(sets.subtract(*space, *self._at(self._prefixes.valid)))

    # -- between columns and arrays

    def _answer(self, values: Any) -> pd.Series:
        return pd.Series(values, index=self._series.index, name=self._series.name, copy=False)

    def _sorted_set(self, found: Columns, index: pd.Index | None = None) -> pd.Series:
        return pd.Series(CidrArray.from_arrays(*found), index=index, name=self._series.name)

    def _at(self, rows: Any) -> Columns:
        """Return network and length of some rows, all of which have a prefix."""
        return self._prefixes.network[rows], self._prefixes.length[rows]

    def _per_row(self, relation: Any, other: Others) -> pd.Series:
        result = self._prefixes.valid.copy()
        result[result] = relation(*self._at(result), *as_prefixes(other))
        return self._answer(result)

    def _grouped(self, groups: Any, sort: bool = False) -> tuple[I64, I64 | None, pd.Index | None]:
        """Return the rows with prefix and group, their group codes, and the groups' labels."""
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


# -- reading columns of prefixes, and the arguments of methods ---------------------------------


def is_readable(column: pd.Series) -> bool:
    """Return whether prefixes can be read from a column of this dtype.

    These are text, objects, cidr, and categories of them.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return is_readable(_categories(column))
    return isinstance(dtype, CidrDtype) or dtype == "object" or kind_of(column) == "string"


def read_column(column: pd.Series) -> Prefixes:
    """Read a column of text, of cidr, of objects by their ``str()``, or of categories of these.

    Examples
    --------
    >>> read_column(pd.Series(["10.0.0.0/8", None], dtype="cidr")).flags
    array([0, 1], dtype=uint8)
    """
    array = column.array
    if isinstance(array, CidrArray):
        flags = np.where(array.isna(), np.uint8(MISSING), np.uint8(0))
        return Prefixes(array.network, array.prefix_length, flags)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return parse(column)
    # Each category is read once; a missing cell has the code -1, which takes the last element.
    found, codes = read_column(_categories(column)), column.cat.codes.to_numpy()
    return Prefixes(
        np.append(found.network, np.uint32(0)).take(codes),
        np.append(found.length, np.uint8(NO_LENGTH)).take(codes),
        np.append(found.flags, np.uint8(MISSING)).take(codes),
    )


def _categories(column: pd.Series) -> pd.Series:
    kept = column.cat.categories
    return pd.Series(kept, dtype=kept.dtype if len(kept) else "str")  # no categories: all missing


def as_prefixes(other: Others | Any) -> Columns:
    """Return the prefixes of an argument such as ``other``, without missing ones.

    Raises
    ------
    ValueError, TypeError
        A list contains, or a single value is, something other than a prefix; or prefixes cannot
        be read from the dtype of a column.

    Examples
    --------
    >>> as_prefixes(pd.Series(["0.0.0.1/32", "elsewhere"]))
    (array([1], dtype=uint32), array([32], dtype=uint8))
    """
    if hasattr(other, "dtype"):
        column = pd.Series(other, copy=False)
        if not is_readable(column):
            raise TypeError(f"prefixes are text or cidr, not {column.dtype}")
    else:
        column = pd.Series(CidrArray(other if is_many(other) else [other]))
    found = read_column(column)
    return found.network[found.valid], found.length[found.valid]


def as_addresses(given: Any) -> tuple[U32, Mask]:
    """Return addresses as numbers (0 for invalid cells), and a mask of the valid ones.

    Text is ``a.b.c.d``, as strict as for prefixes. An integer is an address from 0 to 4294967295.
    Objects must be all integers, or all text or objects whose ``str()`` is an address.

    Raises
    ------
    ValueError
        A list contains, or a single value is, something other than an address.
    TypeError
        A column contains neither text nor integers, or both.

    Examples
    --------
    >>> values, valid = as_addresses(pd.Series(["10.0.0.1", "10.0.0.01", "10.0.0.0/8", None]))
    >>> values.tolist(), valid.tolist()
    ([167772161, 0, 0, 0], [True, False, False, False])
    """
    if hasattr(given, "dtype") and np.ndim(given) == 1:
        return _address_column(pd.Series(given, copy=False))
    column = pd.Series(given if is_many(given) else [given], dtype="object")
    values, valid = _address_column(column)
    wrong = np.flatnonzero(~valid & column.notna().to_numpy())
    if len(wrong):
        raise ValueError(
            f"position {wrong[0]}: {column.iloc[wrong[0]]!r} is not an IPv4 address. Write a.b.c.d "
            "or a number from 0 to 4294967295; in a Series, such cells are ignored"
        )
    return values, valid


def _address_column(column: pd.Series) -> tuple[U32, Mask]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    kind = kind_of(column)
    if kind == "integer":
        return _addresses_of_integers(column)
    # pandas returns "mixed" for objects of other types: their text is parsed as an address.
    if kind not in {"string", "empty"} and not (kind == "mixed" and column.dtype == "object"):
        kind = "both together" if kind == "mixed-integer" else kind
        raise TypeError(f"addresses are text or integers, not {kind}")
    text = as_arrow_text(column).cast(pa.large_string())
    hosts = pc.binary_join_element_wise(text, *_HOST)
    found = parse(pd.Series(hosts, dtype="str"))
    return found.network, found.valid


#: Suffix that makes an address a prefix with only that address, and the separator: an empty text.
_HOST: Final = tuple(pa.scalar(part, type=pa.large_string()) for part in ("/32", ""))


def _addresses_of_integers(column: pd.Series) -> tuple[U32, Mask]:
    """Read integers: of an integer dtype, or objects, which may be of any size."""
    missing = column.isna().to_numpy(dtype=np.bool_)
    filled = column.mask(missing, 0) if missing.any() else column
    number = filled.to_numpy(dtype={"u": np.uint64, "O": object}.get(filled.dtype.kind, np.int64))
    valid = np.asarray((number >= 0) & (number < 1 << 32), dtype=np.bool_) & ~missing
    return np.where(valid, number, 0).astype(np.uint32), valid
