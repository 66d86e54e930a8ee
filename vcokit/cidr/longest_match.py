"""Which prefix an address falls to: the longest that holds it, for whole columns of addresses.

The prefixes are flattened to disjoint segments, each with the one prefix that wins in it::

    10.0.0.0/8     ├────────────────────────────┤
    10.1.0.0/16        ├────────┤
    10.1.2.0/24           ├─┤
    segments     - │ 0 │1 │2│ 1 │       0       │ -      position of the winner, - where none
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vcokit.cidr.parse import I64, U8, U32
from vcokit.cidr.relations import NONE, U64, closest_cover_sorted, distinct, pack, span

#: The value of addresses below all segments.
_BELOW: Final = -1
#: Answers up to here mean a mixed slot: so many segments start before it, counted down from here.
_MIXED: Final = -2

_SLOT_BITS: Final = 8
_SLOTS: Final = 1 << (32 - _SLOT_BITS)
_IN_SLOT: Final = (1 << _SLOT_BITS) - 1
_WORD_BITS: Final = 5
_IN_WORD: Final = (1 << _WORD_BITS) - 1
_COUNT_SHIFT: Final = 32
#: The bits of a word up to and including each place.
_UP_TO: Final[U64] = np.array([(2 << place) - 1 for place in range(32)], dtype=np.uint64)

#: Fewer addresses than this are searched for; more are worth the table of turns.
_FEW: Final = 1 << 15
#: Addresses looked up in one go: what lies between the steps stays in the processor's cache.
_CHUNK: Final = 1 << 15


class Segments:
    """A value for every address.

    Parameters
    ----------
    starts : ndarray of uint32, shape (n,)
        Where segments start, strictly rising.
    values : ndarray of int64, shape (n,)
        The value of each segment, -1 or more; below the first start it is -1.

    Notes
    -----
    The table of turns is made when many addresses are first asked for; a few are found by binary
    search alone.

    Examples
    --------
    >>> segments = Segments(np.array([10, 300], np.uint32), np.array([7, 8]))
    >>> segments.at(np.array([9, 10, 299, 300], np.uint32)).tolist()
    [-1, 7, 7, 8]
    """

    def __init__(self, starts: U32, values: I64) -> None:
        self._starts = starts
        self._values = np.append(_BELOW, values)
        self._turns: _Turns | None = None

    def at(self, addresses: U32) -> I64:
        """Return the value of each address.

        Parameters
        ----------
        addresses : ndarray of uint32, shape (m,)

        Returns
        -------
        ndarray of int64, shape (m,)
        """
        if self._turns is None:
            if len(addresses) < _FEW:
                return self._values.take(np.searchsorted(self._starts, addresses, side="right"))
            self._turns = _Turns(self._starts, self._values)
        found = np.empty(len(addresses), dtype=np.int64)
        for begin in range(0, len(addresses), _CHUNK):
            chunk = slice(begin, begin + _CHUNK)
            found[chunk] = self._turns.at(addresses[chunk])
        return found


class _Turns:
    """The two tables of the module's docstring, and the way through them."""

    def __init__(self, starts: U32, values: I64) -> None:
        self._starts, self._values = starts, values
        slot = (starts >> _SLOT_BITS).astype(np.int64)
        mixed = _distinct(slot[(starts & _IN_SLOT) != 0])
        # Behind a mixed slot no search is needed again; the first slot is there for what is below.
        turns = _distinct(np.sort(np.concatenate([[0], slot, mixed + 1])))
        self._words = _words(turns)
        inside = np.bincount(self._turn(slot), minlength=len(turns))
        rank = np.cumsum(inside)
        turn = self._turn(mixed)
        inside = inside.take(turn)
        self._answers = values.take(rank)
        self._answers[turn] = _MIXED - (rank.take(turn) - inside)
        most = int(inside.max(initial=0)).bit_length()
        self._strides = [1 << bit for bit in reversed(range(most))]

    def at(self, addresses: U32) -> I64:
        """Return the value of each address."""
        found = self._answers.take(self._turn(addresses >> _SLOT_BITS))
        mixed = np.flatnonzero(found <= _MIXED)
        if len(mixed):
            rank = self._search(_MIXED - found.take(mixed), addresses.take(mixed))
            found[mixed] = self._values.take(rank)
        return found

    def _search(self, rank: I64, addresses: U32) -> I64:
        """Return how many segments start at or below each address, from the end of a slot before.

        ``rank`` is how many start before the address's slot; it is used up.
        """
        for stride in self._strides:
            ahead = rank + stride
            # Starts of later slots are above the address: only the end of all needs a look.
            fits = self._starts.take(ahead - 1, mode="clip") <= addresses
            fits &= ahead <= len(self._starts)
            rank += stride * fits
        return rank

    def _turn(self, slots: I64 | U32) -> I64:
        """Return which turn, from 0, each slot's answer comes from."""
        word = self._words.take(slots >> _WORD_BITS)
        ones = np.bitwise_count(word & _UP_TO.take(slots & _IN_WORD))
        word >>= np.uint64(_COUNT_SHIFT)
        turn = word.view(np.int64)
        turn += ones
        turn -= 1
        return turn


def _distinct(values: I64) -> I64:
    """Return sorted values, each once."""
    is_new = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=is_new[1:])
    return values[is_new]


def _words(turns: I64) -> U64:
    """Return the words of all slots: bits set at the turns, and the ones before each word."""
    # A sum of distinct powers of two is their union, and below 2^53 a float holds it exactly.
    weights = np.ldexp(1.0, (turns & _IN_WORD).astype(np.int32))
    count = _SLOTS >> _WORD_BITS
    bits = np.bincount(turns >> _WORD_BITS, weights, minlength=count).astype(np.uint64)
    ones = np.bitwise_count(bits).astype(np.uint64)
    return np.asarray(bits | ((np.cumsum(ones) - ones) << _COUNT_SHIFT))


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
    At most two segments a prefix, 12 bytes each; `Segments` says how an address finds
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
        >>> table.find(np.array([0x0A000001], np.uint32))
        array([0])
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
