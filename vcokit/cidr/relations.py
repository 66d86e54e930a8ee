"""Which prefix covers which: relations between prefixes of a column, or of two columns.

Prefixes nest or are disjoint. Sorted by (group, network, length), every prefix comes after the
prefixes that contain it, so a relation is a running maximum over one sorted order. The cost does
not depend on how the prefixes are distributed over groups::

    10.0.0.0/8   ├──────────────────────────────┤   level 0
    10.1.0.0/16    ├────────┤                       level 1
    10.1.2.0/24       ├─┤                           level 2
    10.9.0.0/16                   ├───────┤         level 1

Columns are given as ``network`` (uint32, host bits cleared) and ``length`` (uint8, 0-32), without
rows that have no prefix, and with ``group`` (int64, 0 to `MAX_GROUPS` - 1) if only prefixes of the
same group are compared. Positions are int64, `NONE` (-1) if there is none.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vcokit.cidr.parse import I64, MASKS, NONE, U8, U32, U64, Mask
from vcokit.cidr.scalar import LENGTH_BITS, LENGTH_MASK

#: Bits of a packed key below the group: network and length.
GROUP_BITS: Final = 32 + LENGTH_BITS
#: Groups that fit a packed key.
MAX_GROUPS: Final = 1 << (64 - GROUP_BITS)

#: This many sorted numbers stay in the processor's cache. If there are more, it is faster to sort
#: the searched values first, because then each search ends close to the previous one.
_FEW: Final = 1 << 14

#: Host bits of an address by prefix length.
HOSTS: Final[U64] = (~MASKS).astype(np.uint64)


# -- the sorted order --------------------------------------------------------------------------


def pack(network: U32, length: U8, group: I64 | None = None) -> U64:
    """Return one sortable number per prefix: ``group << 38 | network << 6 | length``.

    Raises
    ------
    ValueError
        A group does not fit.
    """
    key = network.astype(np.uint64)
    key <<= np.uint64(LENGTH_BITS)
    key |= length
    if group is None:
        return key
    if len(group) and not 0 <= group.min() <= group.max() < MAX_GROUPS:
        raise ValueError(f"groups are numbered from 0 and below {MAX_GROUPS}; factorize them")
    return np.asarray(key | (group.astype(np.uint64) << np.uint64(GROUP_BITS)))


def span(key: U64) -> tuple[U64, U64]:
    """Return the first and last address of packed prefixes, with the group above 32 bits.

    Examples
    --------
    >>> first, last = span(pack(np.array([256], np.uint32), np.array([24], np.uint8)))
    >>> first.tolist(), last.tolist()
    ([256], [511])
    """
    first = key >> np.uint64(LENGTH_BITS)
    return first, first | HOSTS.take(key & np.uint64(LENGTH_MASK))


def stable_sort(key: U64) -> tuple[I64, U64]:
    """Return ``np.argsort(key, kind="stable")`` and the sorted key, in less time.

    NumPy sorts numbers faster than it argsorts them. So the position is put into the bits below the
    key. If there is not enough room, the lowest bits of the key are left out. A second sort by the
    complete key is then fast, because the keys are almost sorted.
    """
    bits = len(key).bit_length()
    left_out = max(int(key.max(initial=0)).bit_length() + bits - 64, 0)
    numbered = key >> np.uint64(left_out) << np.uint64(bits)
    numbered |= np.arange(len(key), dtype=np.uint64)
    numbered.sort()
    order = (numbered & np.uint64((1 << bits) - 1)).view(np.int64)
    if not left_out:
        numbered >>= np.uint64(bits)
        return order, numbered
    ordered = key.take(order)
    again = np.argsort(ordered, kind="stable")
    return order.take(again), ordered.take(again)


def distinct(key: U64) -> tuple[I64, Mask, U64, I64]:
    """Sort packed keys and remove duplicates.

    Returns
    -------
    order : ndarray of int64, shape (n,)
        Rows in the order of their keys; rows with equal keys keep their order.
    is_first : ndarray of bool, shape (n,)
        In that order, whether a key differs from the previous one.
    keys : ndarray of uint64, shape (m,)
        The distinct keys, sorted.
    rows : ndarray of int64, shape (m,)
        The first row of each distinct key.
    """
    order, ordered = stable_sort(key)
    is_first = is_new(ordered)
    if is_first.all():
        return order, is_first, ordered, order
    firsts = np.flatnonzero(is_first)
    return order, is_first, ordered.take(firsts), order.take(firsts)


def is_new(ordered: npt.NDArray[Any]) -> Mask:
    """Return, for each sorted number, whether it differs from the previous one."""
    found = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=found[1:])
    return found


# -- within a column ---------------------------------------------------------------------------


def closest_cover(network: U32, length: U8, group: I64 | None = None) -> I64:
    """Return the first row of the closest cover of each prefix; -1 if there is none.

    The closest cover is the longest of the shorter prefixes of the same group that contain it.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A010200], np.uint32)
    >>> closest_cover(nets, np.array([8, 16, 24], np.uint8)).tolist()
    [-1, 0, 1]
    """
    order, is_first, keys, rows = distinct(pack(network, length, group))
    # NONE is -1, which takes the last element, and that is NONE too.
    found = np.append(rows, NONE).take(closest_cover_sorted(keys))
    if len(keys) < len(order):
        found = found.take(np.cumsum(is_first) - 1)
    result = np.empty(len(network), dtype=np.int64)
    result[order] = found
    return result


def closest_cover_sorted(key: U64) -> I64:
    """Return the position of the closest cover of each of the sorted, distinct packed keys.

    Levels of nesting are removed one by one. A prefix that is in no earlier prefix is a root; each
    of the others is inside the last root before it. Then the same is done with the others, at most
    33 times.
    """
    cover = np.full(len(key), NONE, dtype=np.int64)
    rows = np.arange(len(key))
    first, last = span(key)
    while len(rows):
        is_root = _are_roots(first, last)
        inner = np.flatnonzero(~is_root)
        # Before the j-th inner prefix there are j other inner ones; all others are roots.
        parents = rows[is_root].take(inner - np.arange(1, len(inner) + 1))
        rows, first, last = rows.take(inner), first.take(inner), last.take(inner)
        cover[rows] = parents
    return cover


def _are_roots(first: U64, last: U64) -> Mask:
    """Return which of the sorted prefixes are not inside an earlier one."""
    is_root = np.ones(len(first), dtype=np.bool_)
    np.greater(first[1:], np.maximum.accumulate(last)[:-1], out=is_root[1:])
    return is_root


# -- with other prefixes -----------------------------------------------------------------------


def touches(network: U32, length: U8, other: int, other_length: int) -> Mask:
    """Return which prefixes share an address with a given prefix: they contain it or are in it.

    Examples
    --------
    >>> touches(np.array([0x0A000000, 0], np.uint32), np.array([8, 0], np.uint8), 0x0A010000, 16)
    array([ True,  True])
    """
    mask = MASKS[np.minimum(length, other_length)]
    return np.asarray(((network ^ np.uint32(other)) & mask) == 0)


def covered_by(network: U32, length: U8, other_network: U32, other_length: U8) -> Mask:
    """Return which prefixes are inside a prefix of another column, or equal to it.

    A prefix that only several other prefixes together contain is not covered.
    """
    return _reach(network, other_network, other_length) >= _last(network, length)


def overlaps(network: U32, length: U8, other_network: U32, other_length: U8) -> Mask:
    """Return which prefixes share an address with at least one prefix of another column."""
    return _reach(_last(network, length), other_network, other_length) >= network


def _last(network: U32, length: U8) -> U32:
    """Return the last address of each prefix."""
    return np.asarray(network | ~MASKS.take(length))


def _reach(addresses: U32, network: U32, length: U8) -> I64:
    """Return the last address of the last outermost prefix that starts at or below each address.

    It is -1 if there is none.
    """
    first, last = span(np.sort(pack(network, length)))
    is_root = _are_roots(first, last)
    starts, reach = first[is_root].astype(np.uint32), last[is_root].astype(np.int64)
    reach = np.append(-1, reach)
    if len(starts) < _FEW:
        return reach.take(np.searchsorted(starts, addresses, side="right"))
    order = np.argsort(addresses)
    result = np.empty(len(addresses), dtype=np.int64)
    result[order] = reach.take(np.searchsorted(starts, addresses.take(order), side="right"))
    return result
