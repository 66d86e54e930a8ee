"""What a column of prefixes is made of, and what it is asked about → network and length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from vcokit.cidr.array import CidrArray, CidrDtype
from vcokit.cidr.coerce import Columns, is_many, is_text, strict_column
from vcokit.cidr.parse import MISSING, NO_LENGTH, U8, Prefixes, parse

if TYPE_CHECKING:
    from vcokit.cidr.scalar import Prefix

#: One prefix, a list of them, or a column.
Others: TypeAlias = "Prefix | Sequence[Prefix] | pd.Series | pd.Index | CidrArray"


def is_readable(column: pd.Series) -> bool:
    """Tell whether a column is of a dtype that prefixes are read from: text, objects or cidr.

    Examples
    --------
    >>> is_readable(pd.Series(["10.0.0.0/8"])), is_readable(pd.Series([10]))
    (True, False)
    """
    if isinstance(column.dtype, pd.ArrowDtype):
        return is_text(column.array)
    return isinstance(column.dtype, (CidrDtype, pd.StringDtype)) or column.dtype == "object"


def read_column(column: pd.Series) -> Prefixes:
    """Read a column of text, of cidr, or of objects by their text.

    Examples
    --------
    >>> read_column(pd.Series(["10.0.0.0/8", None], dtype="cidr")).flags
    array([0, 1], dtype=uint8)
    """
    array = column.array
    if isinstance(array, CidrArray):
        flags: U8 = np.where(array.isna(), MISSING, 0).astype(np.uint8)
        return Prefixes(array.network, array.prefix_length, flags)
    return parse(column.astype("str") if column.dtype == "object" else column)


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
