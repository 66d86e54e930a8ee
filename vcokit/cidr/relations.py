"""Which prefix holds which: relations between prefixes of a column, within groups.

Prefixes nest or are disjoint. Sorted by (group, start, shorter first), every prefix stands behind
those that hold it, so that relations are running maxima over one sorted order. How the prefixes are
spread over groups plays no part. Columns come with host bits cleared and without the rows that hold
no prefix::

    10.0.0.0/8   ├──────────────────────────────┤   level 0
    10.1.0.0/16    ├────────┤                       level 1
    10.1.2.0/24       ├─┤                           level 2: peeled last
    10.9.0.0/16                   ├───────┤         level 1
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from vcokit.cidr.parse import MASKS, U8, U32, Mask

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


#: Bits of a packed key: group above 38, network above 6, length below.
_LENGTH_BITS: Final = 6
_NETWORK_BITS: Final = 32
#: Groups that fit a packed key.
MAX_GROUPS: Final = 1 << (64 - _NETWORK_BITS - _LENGTH_BITS)

NONE: Final = -1

#: Host bits of an address by prefix length.
HOSTS: Final[U64] = (~MASKS).astype(np.uint64)


def pack(network: U32, length: U8, group: I64 | None = None) -> U64:
    """Pack (group, network, length) into one sortable number a prefix.

    Parameters
    ----------
    network : ndarray of uint32
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        From 0, below `MAX_GROUPS`.

    Returns
    -------
    ndarray of uint64

    Raises
    ------
    ValueError
        If a group does not fit, or a row holds no prefix.

    Examples
    --------
    >>> a, b = pack(np.array([0, 0], np.uint32), np.array([0, 8], np.uint8))
    >>> bool(a < b)
    True
    """
    _require_prefixes(length)
    key = network.astype(np.uint64)
    key <<= np.uint64(_LENGTH_BITS)
    key |= length
    if group is None:
        return key
    if len(group) and not 0 <= group.min() <= group.max() < MAX_GROUPS:
        raise ValueError(f"groups are numbered from 0 and below {MAX_GROUPS}; factorize them")
    return np.asarray(key | (group.astype(np.uint64) << (_NETWORK_BITS + _LENGTH_BITS)))


def touches(network: U32, length: U8, other: int, other_length: int) -> Mask:
    """Tell which prefixes share an address with one prefix: hold it, or lie in it.

    Examples
    --------
    >>> touches(np.array([0x0A000000, 0], np.uint32), np.array([8, 0], np.uint8), 0x0A010000, 16)
    array([ True,  True])
    """
    mask = MASKS[np.minimum(length, other_length)]
    return np.asarray(((network ^ np.uint32(other)) & mask) == 0)


def _require_prefixes(length: U8) -> None:
    if length.max(initial=0) > _NETWORK_BITS:
        raise ValueError("a row without a prefix; leave such rows out")


def _last(network: U32, length: U8) -> U32:
    """Return the last address of each prefix."""
    _require_prefixes(length)
    return np.asarray(network | ~MASKS.take(length))


def span(key: U64) -> tuple[U64, U64]:
    """Return the first and the last address of packed prefixes, the group above 32 bits.

    Examples
    --------
    >>> first, last = span(pack(np.array([256], np.uint32), np.array([24], np.uint8)))
    >>> first.tolist(), last.tolist()
    ([256], [511])
    """
    first = key >> np.uint64(_LENGTH_BITS)
    return first, first | HOSTS.take(key & np.uint64((1 << _LENGTH_BITS) - 1))


def duplicates(network: U32, length: U8, group: I64 | None = None) -> I64:
    """Return, where a row repeats an earlier one of its group, the position of the first such.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        From 0, below `MAX_GROUPS`; only prefixes of one group are looked at together.

    Returns
    -------
    ndarray of int64
        Position of the first row with the same prefix; -1 on that row itself.

    Raises
    ------
    ValueError
        If a group does not fit, or a row holds no prefix.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0B000000, 0x0A000000, 0x0A000000], np.uint32)
    >>> duplicates(nets, np.array([8, 8, 8, 16], np.uint8)).tolist()
    [-1, -1, 0, -1]
    """
    result = np.full(len(network), NONE, dtype=np.int64)
    order, is_first, _, rows = distinct(pack(network, length, group))
    if len(rows) < len(order):
        first = rows.take(np.cumsum(is_first) - 1)
        repeats = first != order
        result[order[repeats]] = first[repeats]
    return result


def distinct(key: U64) -> tuple[I64, Mask, U64, I64]:
    """Sort packed keys, and keep each once.

    Parameters
    ----------
    key : ndarray of uint64, shape (n,)

    Returns
    -------
    order : ndarray of int64, shape (n,)
        Rows in the order of their keys, equal ones in their own order.
    is_first : ndarray of bool, shape (n,)
        Where, in that order, a key is not the one before it.
    keys : ndarray of uint64, shape (m,)
        The distinct keys, sorted.
    rows : ndarray of int64, shape (m,)
        The first row of each distinct key.

    Examples
    --------
    >>> _, is_first, keys, rows = distinct(np.array([7, 5, 7], np.uint64))
    >>> is_first.tolist(), keys.tolist(), rows.tolist()
    ([True, True, False], [5, 7], [1, 0])
    """
    order, ordered = stable_sort(key)
    is_first = np.ones(len(key), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    if is_first.all():
        return order, is_first, ordered, order
    firsts = np.flatnonzero(is_first)
    return order, is_first, ordered.take(firsts), order.take(firsts)


def closest_cover(network: U32, length: U8, group: I64 | None = None) -> I64:
    """Return the position of the closest shorter prefix of the group that holds each prefix.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        From 0, below `MAX_GROUPS`; only prefixes of one group are looked at together.

    Returns
    -------
    ndarray of int64
        Position of the first row that holds the covering prefix; -1 where none does.

    Raises
    ------
    ValueError
        If a group does not fit, or a row holds no prefix.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A010200], np.uint32)
    >>> closest_cover(nets, np.array([8, 16, 24], np.uint8)).tolist()
    [-1, 0, 1]
    """
    order, is_first, keys, rows = distinct(pack(network, length, group))
    # NONE is -1, which takes the last of the rows: NONE again.
    found = np.append(rows, NONE).take(closest_cover_sorted(keys))
    if len(keys) < len(order):
        found = found.take(np.cumsum(is_first) - 1)
    result = np.empty(len(network), dtype=np.int64)
    result[order] = found
    return result


def closest_cover_sorted(key: U64) -> I64:
    """Return the position of the closest cover of each of the sorted, distinct packed keys.

    Parameters
    ----------
    key : ndarray of uint64
        As `pack` makes them, strictly rising.

    Returns
    -------
    ndarray of int64
        Position among the keys; -1 where no other prefix of the group holds it.

    Notes
    -----
    Levels of nesting are peeled one by one. What no earlier prefix reaches is a root; each of the
    rest lies in the last root before it; then the rest is peeled in the same way, at most 33
    times. The time is that of one sweep for each level at which a prefix lies.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A010200, 0x0B000000], np.uint32)
    >>> closest_cover_sorted(pack(nets, np.array([8, 16, 24, 8], np.uint8))).tolist()
    [-1, 0, 1, -1]
    """
    cover = np.full(len(key), NONE, dtype=np.int64)
    rows = np.arange(len(key))
    first, last = span(key)
    while len(rows):
        is_root = _roots(first, last)
        inner = np.flatnonzero(~is_root)
        # Before the j-th inner one stand j others, so that the rest of what precedes it are roots.
        parents = rows[is_root].take(inner - np.arange(1, len(inner) + 1))
        rows, first, last = rows.take(inner), first.take(inner), last.take(inner)
        cover[rows] = parents
    return cover


def _roots(first: U64, last: U64) -> Mask:
    """Tell which of the sorted prefixes lie in none before them."""
    is_root = np.ones(len(first), dtype=np.bool_)
    np.greater(first[1:], np.maximum.accumulate(last)[:-1], out=is_root[1:])
    return is_root


def covered_by(network: U32, length: U8, other_network: U32, other_length: U8) -> Mask:
    """Tell which prefixes lie in some one prefix of another set, or equal it.

    Parameters
    ----------
    network, other_network : ndarray of uint32, shapes (n,) and (m,)
        Host bits cleared.
    length, other_length : ndarray of uint8, shapes (n,) and (m,)
        0-32.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where only several prefixes together hold it.

    Raises
    ------
    ValueError
        If a row holds no prefix.

    Examples
    --------
    >>> nets, bits = np.array([0x0A010000, 0x0A000000], np.uint32), np.array([16, 8], np.uint8)
    >>> covered_by(nets, bits, np.array([0x0A000000], np.uint32), np.array([12], np.uint8))
    array([ True, False])
    """
    return _reach(network, other_network, other_length) >= _last(network, length)


def overlaps(network: U32, length: U8, other_network: U32, other_length: U8) -> Mask:
    """Tell which prefixes share an address with some prefix of another set.

    Parameters
    ----------
    network, other_network : ndarray of uint32, shapes (n,) and (m,)
        Host bits cleared.
    length, other_length : ndarray of uint8, shapes (n,) and (m,)
        0-32.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If a row holds no prefix.

    Examples
    --------
    >>> nets, bits = np.array([0x0A000000, 0x0B000000], np.uint32), np.array([8, 8], np.uint8)
    >>> overlaps(nets, bits, np.array([0x0A010000], np.uint32), np.array([16], np.uint8))
    array([ True, False])
    """
    return _reach(_last(network, length), other_network, other_length) >= network


def _reach(addresses: U32, network: U32, length: U8) -> I64:
    """Return how far the last outermost prefix that starts at or below each address reaches.

    int64: its last address, or -1 where none starts there or below.
    """
    first, last = span(np.sort(pack(network, length)))
    is_root = _roots(first, last)
    starts, reach = first[is_root].astype(np.uint32), last[is_root].astype(np.int64)
    from vcokit.cidr.longest_match import Segments

    return Segments(starts, reach).at(addresses)
