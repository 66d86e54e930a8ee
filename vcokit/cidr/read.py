"""What a column of prefixes is made of, and what it is asked about → network and length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit.cidr.array import CidrArray, CidrDtype
from vcokit.cidr.coerce import Columns, is_many, is_text, strict_column
from vcokit.cidr.parse import MISSING, NO_LENGTH, U8, Prefixes, parse
from vcokit.plain import as_text

if TYPE_CHECKING:
    from vcokit.cidr.scalar import Prefix

#: One prefix, a list of them, or a column.
Others: TypeAlias = "Prefix | Sequence[Prefix] | pd.Series | pd.Index | CidrArray"


def is_readable(column: pd.Series) -> bool:
    """Tell whether a column is of a dtype that prefixes are read from.

    That is text, objects, cidr, and categories of them.

    Examples
    --------
    >>> is_readable(pd.Series(["10.0.0.0/8"])), is_readable(pd.Series([10]))
    (True, False)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return is_readable(_categories(column))
    if isinstance(column.dtype, pd.ArrowDtype):
        return is_text(column.array)
    return isinstance(column.dtype, (CidrDtype, pd.StringDtype)) or column.dtype == "object"


def read_column(column: pd.Series) -> Prefixes:
    """Read a column of text, of cidr, of objects by their text, or of categories of them.

    Examples
    --------
    >>> read_column(pd.Series(["10.0.0.0/8", None], dtype="cidr")).flags
    array([0, 1], dtype=uint8)
    """
    array = column.array
    if isinstance(array, CidrArray):
        flags: U8 = np.where(array.isna(), MISSING, 0).astype(np.uint8)
        return Prefixes(array.network, array.prefix_length, flags)
    if isinstance(column.dtype, pd.CategoricalDtype):  # each category is read once
        return _taken(read_column(_categories(column)), column.cat.codes.to_numpy())
    return parse(as_text(column) if column.dtype == "object" else column)


def _categories(column: pd.Series) -> pd.Series:
    kept = column.cat.categories
    return pd.Series(kept, dtype=kept.dtype if len(kept) else "str")  # none: all is missing


def _taken(found: Prefixes, rows: npt.NDArray[Any]) -> Prefixes:
    """Return what was found at some rows; nothing, which is missing, at -1."""
    nothing = {"network": 0, "length": NO_LENGTH, "flags": MISSING}
    network, length, flags = (
        np.append(getattr(found, name), np.array([none], getattr(found, name).dtype)).take(rows)
        for name, none in nothing.items()
    )
    return Prefixes(network, length, flags)


def read_others(other: Others | Any) -> Columns:
    """Return the prefixes that a column is asked about.

    Parameters
    ----------
    other : Series, Index, array, list, or one prefix
        Of a column, rows that hold no prefix are left out and host bits are cleared. What is
        written by hand, a list or one prefix, is strict.

    Returns
    -------
    network : ndarray of uint32
    length : ndarray of uint8
        0-32.

    Raises
    ------
    ValueError
        A list or one value holds what is no prefix.
    TypeError
        The same of another type, or a column is of a dtype that holds no prefixes.

    Examples
    --------
    >>> read_others(pd.Series(["0.0.0.1/32", "elsewhere"]))
    (array([1], dtype=uint32), array([32], dtype=uint8))
    """
    if hasattr(other, "dtype"):
        column = pd.Series(other, copy=False)
        if not is_readable(column):
            raise TypeError(f"prefixes are text or cidr, not {column.dtype}")
        found = read_column(column)
        return found.network[found.valid], found.length[found.valid]
    network, length = strict_column(other if is_many(other) else [other])
    valid = length != NO_LENGTH
    return network[valid], length[valid]
