"""A value for every address, kept by segments; looked up by counting bits before searching.

Segments follow one another, each from its start up to the next. A slot is the 256 addresses that
share their upper 24 bits. Most slots lie in one segment as a whole. In a mixed slot, where a
segment starts further in, the last steps are a search over the few starts of that slot::

    turns    2^24 slots, a bit each, in words of 32: set where the answer of a slot is not that of
             the slot before it
    answers  for each set bit: the value; or, in a mixed slot, below -1, how many segments start
             before it

A word is (ones in all words before it) << 32 | 32 bits, so that one memory access and one bit count
say which answer is meant. The words are 4 MiB whatever the segments are and stay in the processor's
cache; a plain table over 2^24 slots would be 64 MiB and would not. Forwarding tables are packed in
this way since Degermark, Brodnik, Carlsson and Pink, "Small Forwarding Tables for Fast Routing
Lookups", SIGCOMM 1997.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vcokit.cidr.ordering import U64
from vcokit.cidr.parse import I64, U32

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
