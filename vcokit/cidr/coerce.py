"""Whatever holds prefixes → (network uint32, length uint8), and the keys that they sort by.

=================  ==========================================================================
`prefix_key`       one value: a `Cidr`, what it can be made of, or a missing value
`strict_column`    values, each a prefix or missing: the first that is not is an error
`lenient_keys`     values that may be anything → keys, and which of them are no prefix
`to_keys`          columns → int64 keys, `network << 6 | length`, `NO_KEY` where missing
`from_keys`        keys → columns
=================  ==========================================================================

Keys order as prefixes do, by network and then the shorter first. pandas factorizes, sorts, joins
and counts them as plain integers, so that nothing is done by objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from vcokit.cidr.parse import HOST_BITS, I64, MISSING, NO_LENGTH, U8, U32, Mask, parse
from vcokit.cidr.scalar import LENGTH_BITS, Cidr, key_of
from vcokit.plain import as_text

Columns: TypeAlias = tuple[U32, U8]

#: The key of a missing prefix: below every other.
NO_KEY: Final = -1


def to_keys(network: U32, length: U8) -> I64:
    """Return the key of each prefix.

    Parameters
    ----------
    network : ndarray of uint32
    length : ndarray of uint8
        `NO_LENGTH` where there is no prefix.

    Returns
    -------
    ndarray of int64
        ``network << 6 | length``; `NO_KEY` where there is no prefix.

    Examples
    --------
    >>> to_keys(np.array([1, 0], np.uint32), np.array([32, 255], np.uint8))
    array([96, -1])
    """
    keys = network.astype(np.int64)
    keys <<= LENGTH_BITS
    keys |= length
    keys[length == NO_LENGTH] = NO_KEY
    return keys


def from_keys(keys: I64) -> Columns:
    """Return network and length of each key; the inverse of `to_keys`.

    Examples
    --------
    >>> from_keys(np.array([96, -1]))
    (array([1, 0], dtype=uint32), array([ 32, 255], dtype=uint8))
    """
    missing = keys == NO_KEY
    network = (keys >> LENGTH_BITS).astype(np.uint32)
    length = (keys & ((1 << LENGTH_BITS) - 1)).astype(np.uint8)
    network[missing] = 0
    length[missing] = NO_LENGTH
    return network, length


def is_missing(value: object) -> bool:
    """Tell whether a value stands for a missing prefix: None, NA or a float NaN.

    Examples
    --------
    >>> [is_missing(value) for value in (None, pd.NA, float("nan"), pd.NaT, "")]
    [True, True, True, False, False]
    """
    is_nan = isinstance(value, (float, np.floating)) and np.isnan(value)
    return value is None or value is pd.NA or bool(is_nan)


def prefix_key(value: Any) -> int:
    """Return the key of one prefix; `NO_KEY` for a missing value.

    Raises
    ------
    ValueError, TypeError
        As of `Cidr`.

    Examples
    --------
    >>> prefix_key("0.0.0.1/32"), prefix_key(None)
    (96, -1)
    """
    return NO_KEY if is_missing(value) else key_of(Cidr(value))


def is_many(values: object) -> bool:
    """Tell whether it is many values; a network of stdlib or netaddr, iterable as it is, is one.

    Examples
    --------
    >>> import ipaddress
    >>> [is_many(value) for value in (["10.0.0.0/8"], "10.0.0.0/8", ipaddress.ip_network("::/0"))]
    [True, False, False]
    """
    return bool(pd.api.types.is_list_like(values)) and not hasattr(values, "prefixlen")


def is_text(values: Any) -> bool:
    """Tell whether values are text, or all of them missing, so that they can be parsed at once.

    Examples
    --------
    >>> is_text(pd.array(["a"], dtype="str")), is_text(["a", None]), is_text(["a", 1])
    (True, True, False)
    """
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, pd.StringDtype):
        return True
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.pyarrow_dtype in (pa.string(), pa.large_string())
    return pd.api.types.infer_dtype(values, skipna=True) in {"string", "empty"}


def strict_column(values: Sequence[Any] | Any) -> Columns:
    """Read values, each of which is a prefix or missing.

    Parameters
    ----------
    values : array-like
        Text is parsed at once; other values one by one, as `Cidr` takes them.

    Returns
    -------
    network : ndarray of uint32
    length : ndarray of uint8
        `NO_LENGTH` where the value is missing.

    Raises
    ------
    ValueError, TypeError
        Naming the position of the first value that is no prefix, the value, and a remedy.

    Examples
    --------
    >>> strict_column(["10.0.0.0/8", None])
    (array([167772160,         0], dtype=uint32), array([  8, 255], dtype=uint8))
    """
    if is_text(values):
        return _strict_text(as_text(values))
    values = list(values)
    keys, wrong = _ask_each(values)
    if wrong.any():
        _refuse(values, int(wrong.argmax()))
    return from_keys(keys)


def _refuse(values: Sequence[Any], position: int) -> NoReturn:
    """Raise what one of the values is refused with, and say which it is."""
    try:
        prefix_key(values[position])
    except (TypeError, ValueError) as error:
        raise type(error)(f"position {position}: {error}") from None
    raise AssertionError(f"{values[position]!r} was refused, and now is not")


def _strict_text(column: pd.Series) -> Columns:
    found = parse(column)
    wrong = np.flatnonzero((found.flags != 0) & (found.flags != MISSING))
    if len(wrong):
        raise ValueError(_complaint(column, found.flags, wrong))
    return found.network, found.length


def _complaint(column: pd.Series, flags: U8, wrong: npt.NDArray[np.intp]) -> str:
    """Say which is the first text that is no prefix, and what to do about it."""
    first = int(wrong[0])
    told = _reason(str(column.iloc[first]))
    others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    effect = (
        "clears host bits" if flags[first] == HOST_BITS else "leaves out what is no IPv4 prefix"
    )
    return f"position {first}: {told}{others}. On a column of text, .cidr.to_cidr() {effect}"


def _reason(text: str) -> str:
    try:
        Cidr(text)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{text!r} is a prefix to Cidr and none to parse")


def lenient_keys(values: Any) -> tuple[I64, Mask]:
    """Read values that may be anything, to compare prefixes with.

    Parameters
    ----------
    values : array-like

    Returns
    -------
    keys : ndarray of int64
        `NO_KEY` where the value is missing or no prefix.
    wrong : ndarray of bool
        Where it is no prefix in strict form, or one with host bits set.

    Examples
    --------
    >>> lenient_keys(["0.0.0.1/32", "elsewhere", None])
    (array([96, -1, -1]), array([False,  True, False]))
    """
    if not is_text(values):
        return _ask_each(values)
    found = parse(as_text(values))
    wrong = np.asarray((found.flags != 0) & (found.flags != MISSING))
    return np.where(wrong, NO_KEY, to_keys(found.network, found.length)), wrong


def _ask_each(values: Any) -> tuple[I64, Mask]:
    """Ask each Python object for its prefix: there is no other way to read objects."""
    keys = np.full(len(values), NO_KEY, dtype=np.int64)
    wrong = np.zeros(len(values), dtype=np.bool_)
    for position, value in enumerate(values):
        try:
            keys[position] = prefix_key(value)
        except (TypeError, ValueError):
            wrong[position] = True
    return keys, wrong
