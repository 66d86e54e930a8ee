"""The order of sortable numbers, equal ones in their own order, as fast as NumPy sorts.

NumPy sorts numbers many times faster than it sorts places by numbers. So each row's own number goes
into the low bits of its key, over the lowest bits of the key itself if there is no room beside
them; rows that then tie, usually few, are put in order afterwards::

    key       │ group     │ network              │ length │      up to 64 bits
    sorted    │ group     │ network      │ row number     │      what is cut off: put right later
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

U64: TypeAlias = npt.NDArray[np.uint64]
I64: TypeAlias = npt.NDArray[np.int64]


def stable_order(key: U64) -> I64:
    """Return the positions of keys in ascending order, equal ones in their own order.

    Parameters
    ----------
    key : ndarray of uint64

    Returns
    -------
    ndarray of int64
        As ``np.argsort(key, kind="stable")``.

    Examples
    --------
    >>> stable_order(np.array([7, 5, 7, 5], np.uint64)).tolist()
    [1, 3, 0, 2]
    """
    return stable_sort(key)[0]


def stable_sort(key: U64) -> tuple[I64, U64]:
    """Return the positions of keys as `stable_order` does, and the keys in that order.

    Parameters
    ----------
    key : ndarray of uint64

    Returns
    -------
    order : ndarray of int64
    ordered : ndarray of uint64
        As ``key[order]``.

    Examples
    --------
    >>> order, ordered = stable_sort(np.array([7, 5, 7, 5], np.uint64))
    >>> order.tolist(), ordered.tolist()
    ([1, 3, 0, 2], [5, 5, 7, 7])
    """
    bits = max(len(key) - 1, 0).bit_length()
    cut = max(int(key.max(initial=0)).bit_length() + bits - 64, 0)
    numbered = key >> np.uint64(cut)
    rows = _sort_numbered(numbered, np.arange(len(key), dtype=np.uint64), bits)
    if cut == 0:
        return rows, numbered
    ordered = key.take(rows)
    _put_right(rows, ordered, numbered[1:] == numbered[:-1], bits)
    return rows, ordered


def _sort_numbered(key: U64, rows: U64, bits: int) -> I64:
    """Sort keys in place, and return their rows, numbers of so many bits, in that order."""
    key <<= np.uint64(bits)
    key |= rows
    key.sort()
    rows = key & np.uint64((1 << bits) - 1)
    key >>= np.uint64(bits)
    return rows.view(np.int64)


def _put_right(rows: I64, ordered: U64, ties: npt.NDArray[np.bool_], bits: int) -> None:
    """Bring, in place, rows into the order of their whole keys, and equal ones into their own.

    ``ties`` tells of each row but the last whether it tied with the next.
    """
    places = np.flatnonzero(np.append(False, ties) | np.append(ties, False))
    if len(places) == 0:
        return
    keys = ordered.take(places)
    finer = np.argsort(keys)
    keys = keys.take(finer)
    # Numbers of the distinct keys are short, whatever the keys: there is room for the rows.
    number = np.cumsum(np.append(False, keys[1:] != keys[:-1]), dtype=np.uint64)
    tied = rows.take(places.take(finer)).view(np.uint64)
    rows[places] = _sort_numbered(number, tied, bits)
    ordered[places] = keys
