"""Sets of addresses as columns of prefixes: aggregate, subtract, intersect.

Prefixes are converted to sorted disjoint ranges, the ranges are combined, and the result is
converted back to the fewest prefixes::

    prefixes   ├──────┤├──┤   ├────┤├┤        10.0.0.0/23, 10.0.2.0/24, ...
    ranges     ├──────────┤   ├──────┤        (first, last), neither touching nor overlapping
    prefixes   ├──────┤├──┤   ├────┤├┤        the fewest: as many as the set bits of two numbers

A range is (first uint64, last uint64), both inclusive, with the group above 32 bits. Columns are
given as in `vcokit.cidr.relations`; results are sorted by group, then by network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from vcokit.cidr.parse import I64, U8, U32, U64, Columns, Mask
from vcokit.cidr.relations import pack, span

# As uint64: with a plain number, the result would be signed according to NumPy's annotations.
_ONE: Final = np.uint64(1)
_ADDRESS_BITS: Final = np.uint64(32)
_ADDRESS: Final = np.uint64((1 << 32) - 1)
#: Position of the exponent in a float64, and its bias (IEEE 754).
_EXPONENT_SHIFT: Final = np.uint64(52)
_EXPONENT_BIAS: Final = np.uint64(1023)


def aggregate(network: U32, length: U8, group: I64 | None = None) -> tuple[U32, U8, I64 | None]:
    """Return the fewest prefixes with the same addresses, separately for each group.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A800000, 0x0A000000], np.uint32)
    >>> merged = aggregate(nets, np.array([9, 16, 9, 16], np.uint8), np.array([0, 1, 1, 1]))
    >>> merged[1].tolist(), merged[2].tolist()
    ([9, 15, 9], [0, 1, 1])
    """
    found, bits, groups = fewest_prefixes(*_ranges(pack(network, length, group)))
    return found, bits, None if group is None else groups


def subtract(network: U32, length: U8, other_network: U32, other_length: U8) -> Columns:
    """Return the fewest prefixes with the addresses in one column that are not in another."""
    mine, others = pack(network, length), pack(other_network, other_length)
    return _combine(mine, others, lambda here, there: here & ~there)


def intersect(network: U32, length: U8, other_network: U32, other_length: U8) -> Columns:
    """Return the fewest prefixes with the addresses that two columns have in common."""
    mine, others = pack(network, length), pack(other_network, other_length)
    return _combine(mine, others, np.logical_and)


def _ranges(key: U64) -> tuple[U64, U64]:
    """Return the sorted ranges of packed prefixes, joined as far as possible within a group."""
    first, last = span(np.sort(key))
    reach = np.maximum.accumulate(last)
    opens = np.ones(len(first), dtype=np.bool_)
    # Ranges that touch are joined, but not the end of one group and the start of the next.
    np.greater(first[1:], reach[:-1] + _ONE, out=opens[1:])
    opens[1:] |= (first[1:] ^ reach[:-1]) > _ADDRESS
    closes = np.append(opens[1:], True)[: len(first)]
    return first[opens], reach[closes]


def _combine(mine: U64, others: U64, is_wanted: Callable[[Mask, Mask], Mask]) -> Columns:
    """Return the fewest prefixes with the addresses for which ``is_wanted(in_mine, in_others)``."""
    # Each edge of a range switches membership of one side on or off. After the last edge at an
    # address, the parities give the sides that contain it.
    mine_edges, other_edges = (_edges(key) << _ONE for key in (mine, others))
    edges = np.sort(np.concatenate([mine_edges, other_edges | _ONE]))
    address, is_other = edges >> _ONE, (edges & _ONE).astype(np.bool_)
    is_last = np.ones(len(edges), dtype=np.bool_)
    np.not_equal(address[1:], address[:-1], out=is_last[:-1])
    in_mine = np.logical_xor.accumulate(~is_other)[is_last]
    in_others = np.logical_xor.accumulate(is_other)[is_last]
    wanted = is_wanted(in_mine, in_others)
    switches = address[is_last][np.diff(wanted, prepend=False)]
    network, length, _ = fewest_prefixes(switches[0::2], switches[1::2] - _ONE)
    return network, length


def _edges(key: U64) -> U64:
    """Return the addresses at which ranges of packed prefixes begin, or have ended, ascending."""
    first, last = _ranges(key)
    return np.column_stack([first, last + _ONE]).ravel()


def fewest_prefixes(first: U64, last: U64) -> tuple[U32, U8, I64]:
    """Return the fewest prefixes that fill each range, and the group of each, in order.

    From the first address, prefixes grow until the address with the most trailing zeros, the
    middle, and shrink after it. Their sizes are the set bits of the distances from the middle to
    both ends::

        first 5 = 101b                  middle 8 = 1000b              last 13, its end 14 = 1110b
              ├┤├──────┤                ├───────────────┤├───────┤
              1    2      8 - 5 = 11b           4            2      14 - 8 = 110b
    """
    start, stop = first & _ADDRESS, (last & _ADDRESS) + _ONE
    middle = stop & ~(_highest_bit(start ^ stop) - _ONE)
    growing, shrinking = middle - start, stop - middle
    counts = np.bitwise_count(growing).astype(np.int64) + np.bitwise_count(shrinking)
    end = np.cumsum(counts)
    network = np.empty(int(counts.sum()), dtype=np.uint32)
    length = np.empty(len(network), dtype=np.uint8)
    _fill(network, length, middle, growing, end - counts, 1)
    _fill(network, length, middle, shrinking, end - 1, -1)
    return network, length, np.repeat((first >> _ADDRESS_BITS).astype(np.int64), counts)


def _fill(network: U32, length: U8, middle: U64, distance: U64, place: I64, step: int) -> None:
    """Write the prefixes between the middle of each range and one of its ends, outermost first.

    ``distance`` is the distance from the middle to the end, and ``place`` the row of the outermost
    prefix. The next prefix is ``step`` rows further: 1 below the middle, -1 above it.
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
