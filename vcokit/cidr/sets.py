"""Sets of addresses as columns of prefixes: aggregate, subtract, intersect, complement.

Prefixes become sorted disjoint ranges, ranges are combined, and what is left becomes the fewest
prefixes again::

    prefixes   ├──────┤├──┤   ├────┤├┤        10.0.0.0/23, 10.0.2.0/24, ...
    ranges     ├──────────┤   ├──────┤        (first, last), neither touching nor overlapping
    prefixes   ├──────┤├──┤   ├────┤├┤        the fewest: as many as the set bits of two numbers

A range is (first uint64, last uint64), both ends in it, the group above 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from vcokit.cidr.parse import I64, MASKS, U8, U32, Mask
from vcokit.cidr.relations import U64, pack, span

# Of the columns' own type: NumPy's annotations take uint64 beside a plain number for signed.
_ONE: Final = np.uint64(1)
_ADDRESS_BITS: Final = np.uint64(32)
_ADDRESS: Final = np.uint64((1 << 32) - 1)
#: Where the exponent of a float64 stands, and what it is above the power of two (IEEE 754).
_EXPONENT_SHIFT: Final = np.uint64(52)
_EXPONENT_BIAS: Final = np.uint64(1023)


def aggregate(network: U32, length: U8, group: I64 | None = None) -> tuple[U32, U8, I64 | None]:
    """Return the fewest prefixes that hold the same addresses, group by group.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        From 0, below `vcokit.cidr.relations.MAX_GROUPS`.

    Returns
    -------
    network : ndarray of uint32
    length : ndarray of uint8
    group : ndarray of int64, or None where none was given
        Sorted by (group, network).

    Raises
    ------
    ValueError
        If a group does not fit, or a row holds no prefix.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A800000, 0x0A000000], np.uint32)
    >>> bits = np.array([9, 16, 9, 16], np.uint8)
    >>> aggregate(nets, bits)[0].tolist(), aggregate(nets, bits)[1].tolist()
    ([167772160], [8])
    >>> merged = aggregate(nets, bits, np.array([0, 1, 1, 1]))
    >>> merged[1].tolist(), merged[2].tolist()
    ([9, 15, 9], [0, 1, 1])
    """
    found, bits, groups = _prefixes(*_ranges(pack(network, length, group)))
    return found, bits, None if group is None else groups


def subtract(network: U32, length: U8, other_network: U32, other_length: U8) -> tuple[U32, U8]:
    """Return the fewest prefixes that hold the addresses of one set and none of another.

    Parameters
    ----------
    network, other_network : ndarray of uint32, shapes (n,) and (m,)
        Host bits cleared.
    length, other_length : ndarray of uint8, shapes (n,) and (m,)
        0-32.

    Returns
    -------
    network : ndarray of uint32
        Sorted.
    length : ndarray of uint8

    Raises
    ------
    ValueError
        If a row holds no prefix.

    Examples
    --------
    >>> one = np.array([0x0A000000], np.uint32)
    >>> nets, bits = subtract(one, np.array([8], np.uint8), one, np.array([10], np.uint8))
    >>> nets.tolist(), bits.tolist()
    ([171966464, 176160768], [10, 9])
    """
    mine, others = pack(network, length), pack(other_network, other_length)
    return _combine(mine, others, lambda here, there: here & ~there)


def intersect(network: U32, length: U8, other_network: U32, other_length: U8) -> tuple[U32, U8]:
    """Return the fewest prefixes that hold the addresses which two sets have in common.

    Parameters
    ----------
    network, other_network : ndarray of uint32, shapes (n,) and (m,)
        Host bits cleared.
    length, other_length : ndarray of uint8, shapes (n,) and (m,)
        0-32.

    Returns
    -------
    network : ndarray of uint32
        Sorted.
    length : ndarray of uint8

    Raises
    ------
    ValueError
        If a row holds no prefix.

    Examples
    --------
    >>> one, two = np.array([0x0A000000], np.uint32), np.array([0x0A800000, 0], np.uint32)
    >>> nets, bits = intersect(one, np.array([8], np.uint8), two, np.array([9, 8], np.uint8))
    >>> nets.tolist(), bits.tolist()
    ([176160768], [9])
    """
    mine, others = pack(network, length), pack(other_network, other_length)
    return _combine(mine, others, np.logical_and)


def complement(network: U32, length: U8, within_network: int, within_length: int) -> tuple[U32, U8]:
    """Return the fewest prefixes that hold the free addresses of one prefix.

    Parameters
    ----------
    network : ndarray of uint32
        What is taken, inside and outside of that prefix; host bits cleared.
    length : ndarray of uint8
        0-32.
    within_network : int
        Host bits cleared.
    within_length : int
        0-32.

    Returns
    -------
    network : ndarray of uint32
        Sorted.
    length : ndarray of uint8

    Raises
    ------
    ValueError
        If a row holds no prefix, or ``within`` is none.

    Examples
    --------
    >>> taken = np.array([0x0A000000, 0x0B000000], np.uint32), np.array([10, 8], np.uint8)
    >>> nets, bits = complement(*taken, 0x0A000000, 8)
    >>> nets.tolist(), bits.tolist()
    ([171966464, 176160768], [10, 9])
    """
    if not _is_prefix(within_network, within_length):
        raise ValueError(f"{within_network}/{within_length} is no prefix with host bits cleared")
    whole = np.array([within_network], np.uint32), np.array([within_length], np.uint8)
    return subtract(*whole, network, length)


def _is_prefix(network: int, length: int) -> bool:
    """Tell whether two numbers are a prefix with host bits cleared."""
    if not 0 <= length < len(MASKS):
        return False
    return 0 <= network <= int(_ADDRESS) and network & int(MASKS[length]) == network


def _ranges(key: U64) -> tuple[U64, U64]:
    """Return the sorted ranges that packed prefixes fill, as wide as they can be in a group."""
    first, last = span(np.sort(key))
    reach = np.maximum.accumulate(last)
    opens = np.ones(len(first), dtype=np.bool_)
    # Ranges that touch are one range, but the end of one group and the start of the next are two.
    np.greater(first[1:], reach[:-1] + _ONE, out=opens[1:])
    opens[1:] |= (first[1:] ^ reach[:-1]) > _ADDRESS
    closes = np.append(opens[1:], True)[: len(first)]
    return first[opens], reach[closes]


def _combine(mine: U64, others: U64, is_wanted: Callable[[Mask, Mask], Mask]) -> tuple[U32, U8]:
    """Return the fewest prefixes of the addresses wanted, by (in mine, in others)."""
    # Each edge of a range turns membership of one side on or off; behind the last edge at an
    # address, the parities say on which sides one is.
    mine_edges, other_edges = (_edges(key) << _ONE for key in (mine, others))
    edges = np.sort(np.concatenate([mine_edges, other_edges | _ONE]))
    address, is_other = edges >> _ONE, (edges & _ONE).astype(np.bool_)
    is_last = np.ones(len(edges), dtype=np.bool_)
    np.not_equal(address[1:], address[:-1], out=is_last[:-1])
    in_mine = np.logical_xor.accumulate(~is_other)[is_last]
    in_others = np.logical_xor.accumulate(is_other)[is_last]
    wanted = is_wanted(in_mine, in_others)
    turns = address[is_last][np.diff(wanted, prepend=False)]
    network, length, _ = _prefixes(turns[0::2], turns[1::2] - _ONE)
    return network, length


def _edges(key: U64) -> U64:
    """Return where membership of the addresses of packed prefixes turns, rising."""
    first, last = _ranges(key)
    return np.column_stack([first, last + _ONE]).ravel()


def _prefixes(first: U64, last: U64) -> tuple[U32, U8, I64]:
    """Return the fewest prefixes that fill each range, and the group of each, in order.

    From the first address, blocks grow up to the most even address that ends one, and shrink
    behind it. Their sizes are the set bits of that address's distance from either end::

        first 5 = 101b                  middle 8 = 1000b              last 13, its end 14 = 1110b
              ├┤├──────┤                ├───────────────┤├───────┤
              1    2      8 - 5 = 11b           4            2      14 - 8 = 110b
    """
    start, stop = first & _ADDRESS, (last & _ADDRESS) + _ONE
    middle = stop & ~(_highest_bit(start ^ stop) - _ONE)
    growing, shrinking = middle - start, stop - middle
    blocks = np.bitwise_count(growing).astype(np.int64) + np.bitwise_count(shrinking)
    end = np.cumsum(blocks)
    network = np.empty(int(blocks.sum()), dtype=np.uint32)
    length = np.empty(len(network), dtype=np.uint8)
    _lay(network, length, middle, growing, end - blocks, 1)
    _lay(network, length, middle, shrinking, end - 1, -1)
    return network, length, np.repeat((first >> _ADDRESS_BITS).astype(np.int64), blocks)


def _lay(network: U32, length: U8, middle: U64, distance: U64, place: I64, step: int) -> None:
    """Lay the blocks between the middle of each range and one end in place, the outermost first.

    ``distance`` is that of the end from the middle, ``place`` where its outermost block goes;
    steps of 1 are those of blocks below the middle, of -1 above it.
    """
    rows = np.flatnonzero(distance)
    while len(rows):
        middle, distance, place = middle.take(rows), distance.take(rows), place.take(rows)
        rest = distance & (distance - _ONE)
        network[place] = middle - distance if step > 0 else middle + rest
        length[place] = _ADDRESS_BITS - np.bitwise_count((distance ^ rest) - _ONE)
        distance, place, rows = rest, place + step, np.flatnonzero(rest)


def _highest_bit(number: U64) -> U64:
    """Return the highest set bit of each number from 1 to 2^53."""
    exponent = number.astype(np.float64).view(np.uint64) >> _EXPONENT_SHIFT
    return np.asarray(_ONE << (exponent - _EXPONENT_BIAS))
