"""Which prefix an address falls to: the longest that holds it, for whole columns of addresses.

The prefixes are flattened to disjoint segments, each with the one prefix that wins in it::

    10.0.0.0/8     ├────────────────────────────┤
    10.1.0.0/16        ├────────┤
    10.1.2.0/24           ├─┤
    segments     - │ 0 │1 │2│ 1 │       0       │ -      position of the winner, - where none
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.coerce import is_many
from vcokit.cidr.ordering import U64
from vcokit.cidr.parse import I64, U8, U32, Mask, parse
from vcokit.cidr.relations import NONE, closest_cover_sorted, distinct, pack, span
from vcokit.cidr.segments import Segments
from vcokit.plain import as_text

#: One past the last address.
_END: Final = 1 << 32


class Table:
    """A set of prefixes made ready for longest-prefix lookup.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.

    Raises
    ------
    ValueError
        If a row holds no prefix.

    Notes
    -----
    At most two segments a prefix, 12 bytes each; `vcokit.cidr.segments` says how an address finds
    its own, and what is built when many are first asked for.

    Examples
    --------
    >>> table = Table(np.array([0x0A000000, 0x0A010000], np.uint32), np.array([8, 16], np.uint8))
    >>> table
    Table of 2 prefixes
    >>> table.find(np.array([0x0A000001, 0x0A010001, 0x0B000000], np.uint32)).tolist()
    [0, 1, -1]
    """

    def __init__(self, network: U32, length: U8) -> None:
        _, _, keys, rows = distinct(pack(network, length))
        starts, winners = _flatten(keys)
        self._size = len(network)
        # NONE is -1, which takes the last: NONE again.
        self._segments = Segments(starts, np.append(rows, NONE).take(winners))

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"Table of {self._size:,} prefixes"

    def find(self, addresses: U32) -> I64:
        """Return the position of the longest prefix that holds each address.

        Parameters
        ----------
        addresses : ndarray of uint32

        Returns
        -------
        ndarray of int64
            Position of the first row with that prefix; -1 where no prefix holds the address.

        Raises
        ------
        TypeError
            If the addresses are of another dtype: what does not fit must not wrap around.

        Examples
        --------
        >>> table = Table(np.array([0], np.uint32), np.array([0], np.uint8))
        >>> values, valid = addresses(pd.Series(["10.0.0.1", "10.0.0.256"]))
        >>> np.where(valid, table.find(values), -1).tolist()
        [0, -1]
        """
        if addresses.dtype != np.uint32:
            raise TypeError(f"addresses are uint32, not {addresses.dtype}; see `addresses`")
        return self._segments.at(addresses)


def _flatten(keys: U64) -> tuple[U32, I64]:
    """Return where segments start, and which of the sorted, distinct keys wins in each."""
    count = len(keys)
    first, last = span(keys)
    # Every prefix wins from its first address, and behind its last one its cover does. Events are
    # numbered so that at one address the last in order decides: openings after closings, the
    # innermost opening last, the outermost closing last.
    number = np.arange(count, dtype=np.uint64)
    shift = (2 * count).bit_length()
    closing = ((last + 1) << shift) | number[::-1]
    opening = (first << shift) | (number + np.uint64(count))
    events = np.sort(np.concatenate([closing, opening]))
    address = events >> shift
    decides = np.ones(len(events), dtype=np.bool_)
    np.not_equal(address[1:], address[:-1], out=decides[:-1])
    decides &= address < _END
    winner = np.append(closest_cover_sorted(keys)[::-1], np.arange(count))
    event = events[decides] & ((1 << shift) - 1)
    return address[decides].astype(np.uint32), winner.take(event)


def asked(given: Any) -> tuple[U32, Mask]:
    """Read addresses that somebody asks for: columns leniently, what is written by hand strictly.

    Parameters
    ----------
    given : Series, Index or array, list, or one address

    Returns
    -------
    values, valid
        As of `addresses`.

    Raises
    ------
    ValueError
        A list or a single value holds what is no address.
    TypeError
        As of `addresses`.

    Examples
    --------
    >>> asked("0.0.0.1")
    (array([1], dtype=uint32), array([ True]))
    """
    if hasattr(given, "dtype") and np.ndim(given) == 1:
        return addresses(pd.Series(given, copy=False))
    column = pd.Series(given if is_many(given) else [given], dtype="object")
    values, valid = addresses(column)
    wrong = np.flatnonzero(~valid & column.notna().to_numpy())
    if len(wrong):
        raise ValueError(
            f"position {wrong[0]}: {column.iloc[wrong[0]]!r} is no IPv4 address. Write a.b.c.d or "
            "a number from 0 to 4294967295; in a Series such cells are passed over"
        )
    return values, valid


def addresses(column: pd.Series) -> tuple[U32, Mask]:
    """Read a column of IPv4 addresses, as text or as numbers.

    Parameters
    ----------
    column : Series of str, integers or objects
        Objects are all whole numbers, or all text or what prints itself as an address. Text is
        ``a.b.c.d``, strict as prefixes are (see `vcokit.cidr.parse`); a number is an address from
        0 to 4294967295.

    Returns
    -------
    values : ndarray of uint32
        0 where there is no address.
    valid : ndarray of bool
        Where there is one.

    Raises
    ------
    TypeError
        If the column holds neither text nor integers, or both.

    Examples
    --------
    >>> values, valid = addresses(pd.Series(["10.0.0.1", "10.0.0.01", "10.0.0.0/8", None]))
    >>> values.tolist(), valid.tolist()
    ([167772161, 0, 0, 0], [True, False, False, False])
    >>> values, valid = addresses(pd.Series([167772161, -1]))
    >>> values.tolist(), valid.tolist()
    ([167772161, 0], [True, False])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_integer_dtype(column.dtype):
        return _from_integers(column)
    if column.dtype == "object":
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "integer":
            return _from_integers(column)
        if kind not in _TEXT_KINDS:
            raise TypeError(f"addresses are text or integers, not {_told(kind)}")
    text = _as_text(column)
    whole = pc.binary_join_element_wise(text, *_WHOLE)
    found = parse(pd.Series(whole, dtype="str"))
    return found.network, found.valid


def _told(kind: str) -> str:
    return "both together" if kind == "mixed-integer" else kind


#: What pandas calls objects that are text, or print themselves as addresses do.
_TEXT_KINDS: Final = frozenset({"string", "empty", "mixed"})
#: What makes an address the prefix of that one address; the last joins, and is nothing.
_WHOLE: Final = tuple(pa.scalar(part, type=pa.large_string()) for part in ("/32", ""))


def _as_text(column: pd.Series) -> Any:
    """Return a column of text, chunked or not, as Arrow's large strings."""
    if column.dtype == "object" or column.dtype == pd.StringDtype("python"):
        column = as_text(column)
    text = pa.array(column.array, from_pandas=True)
    kind = text.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise TypeError(f"addresses are text or integers, not {column.dtype}")
    return text.cast(pa.large_string())


def _from_integers(column: pd.Series) -> tuple[U32, Mask]:
    """Read whole numbers, of a dtype of theirs or as objects, which may be of any size."""
    missing = column.isna().to_numpy(dtype=np.bool_)
    filled = column.mask(missing, 0) if missing.any() else column
    kind = {"u": np.uint64, "O": object}.get(filled.dtype.kind, np.int64)
    number = filled.to_numpy(dtype=kind)
    valid = np.asarray((number >= 0) & (number < _END), dtype=np.bool_) & ~missing
    return np.where(valid, number, 0).astype(np.uint32), valid
