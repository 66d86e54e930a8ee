"""Where addresses fall among sorted starts, by counting bits before searching.

The rank of an address is the number of starts at or below it. A slot is the 256 addresses that
share their upper 24 bits. Most slots hold no start, or only their own first address: one rank
serves the whole slot. In a mixed slot, where a start lies further in, the last steps are a search
over the few starts of that slot::

    turns    2^24 slots, a bit each, in words of 32: set where the answer of a slot is not that of
             the slot before it
    answers  for each set bit: the rank; or, in a mixed slot, ~(the rank of what lies before it)

A word is (ones in all words before it) << 32 | 32 bits, so that one memory access and one bit count
say which answer is meant. The words are 4 MiB whatever the starts are and stay in the processor's
cache; a plain table over 2^24 slots would be 64 MiB and would not. Forwarding tables are packed in
this way since Degermark, Brodnik, Carlsson and Pink, "Small Forwarding Tables for Fast Routing
Lookups", SIGCOMM 1997.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vcokit.cidr.ordering import U64
from vcokit.cidr.parse import I64, U32

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
#: Addresses ranked in one go: what lies between the steps stays in the processor's cache.
_CHUNK: Final = 1 << 15


class Ranks:
    """Ranks of addresses among sorted starts.

    Parameters
    ----------
    starts : ndarray of uint32
        Strictly rising.

    Notes
    -----
    The table of turns is made when many addresses are first asked for; a few are found by binary
    search alone.

    Examples
    --------
    >>> Ranks(np.array([10, 300], np.uint32)).of(np.array([9, 10, 299, 300], np.uint32)).tolist()
    [0, 1, 1, 2]
    """

    def __init__(self, starts: U32) -> None:
        self._starts = starts
        self._turns: _Turns | None = None

    def of(self, addresses: U32) -> I64:
        """Return the number of starts at or below each address.

        Parameters
        ----------
        addresses : ndarray of uint32

        Returns
        -------
        ndarray of int64
            From 0 to the number of starts.
        """
        if self._turns is None:
            if len(addresses) < _FEW:
                found = np.searchsorted(self._starts, addresses, side="right")
                return found.astype(np.int64, copy=False)
            self._turns = _Turns(self._starts)
        ranks = np.empty(len(addresses), dtype=np.int64)
        for begin in range(0, len(addresses), _CHUNK):
            chunk = slice(begin, begin + _CHUNK)
            ranks[chunk] = self._turns.rank(addresses[chunk])
        return ranks


class _Turns:
    """The two tables of the module's docstring, and the way through them."""

    def __init__(self, starts: U32) -> None:
        self._starts = starts
        slot = (starts >> _SLOT_BITS).astype(np.int64)
        mixed = _distinct(slot[(starts & _IN_SLOT) != 0])
        # Behind a mixed slot one rank holds again; the first slot is there for ranks of 0.
        turns = np.concatenate([[0], slot, mixed + 1])
        turns = _distinct(np.sort(turns[turns < _SLOTS]))
        self._words = _words(turns)
        inside = np.bincount(self._turn(slot), minlength=len(turns))
        self._answers = np.cumsum(inside)
        turn = self._turn(mixed)
        inside = inside.take(turn)
        self._answers[turn] = ~(self._answers.take(turn) - inside)
        most = int(inside.max(initial=0)).bit_length()
        self._steps = [1 << bit for bit in reversed(range(most))]

    def rank(self, addresses: U32) -> I64:
        """Return the number of starts at or below each address."""
        ranks = self._answers.take(self._turn(addresses >> _SLOT_BITS))
        mixed = np.flatnonzero(ranks < 0)
        if len(mixed):
            ranks[mixed] = self._search(~ranks.take(mixed), addresses.take(mixed))
        return ranks

    def _search(self, rank: I64, addresses: U32) -> I64:
        """Return the rank of each address, from the rank of what lies before its slot."""
        for step in self._steps:
            ahead = rank + step
            # Starts of later slots are above the address: only the end of all needs a look.
            fits = self._starts.take(ahead - 1, mode="clip") <= addresses
            fits &= ahead <= len(self._starts)
            rank += step * fits
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
