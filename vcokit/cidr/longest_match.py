"""Longest-prefix match for whole columns of addresses.

Prefixes are flattened to disjoint segments, each with the longest prefix in that segment::

    10.0.0.0/8     ├────────────────────────────┤
    10.1.0.0/16        ├────────┤
    10.1.2.0/24           ├─┤
    segments     - │ 0 │1 │2│ 1 │       0       │ -      row of the longest match, - if none

A few addresses are found by binary search among the starts of the segments. For many, a compressed
bitmap is built. A slot is the 256 addresses with the same upper 24 bits. Most slots are inside one
segment, and neighbouring slots in the same segment form a run. A slot is mixed if a segment starts
after its first address; then the last steps are a search among the few starts in that slot::

    bitmap    2^24 slots, one bit each, in words of 32: set if a run begins there
    answers   for each run: the row; for a mixed slot, a number below -1 that encodes how many
              segments start before it

A word is (bits set in all words before it) << 32 | 32 bits, so the number of a slot's run needs
only one memory access and one bit count. The words take 4 MiB for any set of prefixes, and stay in
the processor's cache; a plain table of 2^24 slots takes 64 MiB and does not. This way to compress
forwarding tables was published by Degermark, Brodnik, Carlsson and Pink, "Small Forwarding Tables
for Fast Routing Lookups", SIGCOMM 1997.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vcokit.cidr.parse import I64, NONE, U8, U32, U64
from vcokit.cidr.relations import closest_cover_sorted, distinct, is_new, pack, span

#: One past the last address.
_END: Final = 1 << 32
#: Answers up to this number mean a mixed slot: this number minus the answer is the number of
#: segments that start before the slot.
_MIXED: Final = -2

_SLOT_BITS: Final = 8
_SLOTS: Final = 1 << (32 - _SLOT_BITS)
_IN_SLOT: Final = (1 << _SLOT_BITS) - 1
_WORD_BITS: Final = 5
_IN_WORD: Final = (1 << _WORD_BITS) - 1
_COUNT_SHIFT: Final = 32
#: The bits of a word up to and including each position.
_UP_TO: Final[U64] = np.array([(2 << place) - 1 for place in range(32)], dtype=np.uint64)

#: The bitmap is built for at least this many addresses; for fewer, binary search is used.
_MANY: Final = 1 << 15
#: Addresses looked up at once, so that intermediate arrays stay in the processor's cache.
_CHUNK: Final = 1 << 15


class LongestMatch:
    """A column of prefixes, prepared for longest match.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000], np.uint32)
    >>> table = LongestMatch(nets, np.array([8, 16], np.uint8))
    >>> table.find(np.array([0x0A000001, 0x0A010001, 0x0B000000], np.uint32)).tolist()
    [0, 1, -1]
    """

    def __init__(self, network: U32, length: U8) -> None:
        _, _, keys, rows = distinct(pack(network, length))
        self._starts, longest = segments(keys)
        # NONE is -1, which takes the last element, and that is NONE too. The first NONE is for
        # addresses below all segments.
        self._rows = np.append(NONE, np.append(rows, NONE).take(longest))
        self._bitmap: _CompressedBitmap | None = None

    def find(self, addresses: U32) -> I64:
        """Return the first row of the longest prefix that contains each address, -1 if none."""
        if self._bitmap is None:
            if len(addresses) < _MANY:
                return self._rows.take(np.searchsorted(self._starts, addresses, side="right"))
            self._bitmap = _CompressedBitmap(self._starts, self._rows)
        found = np.empty(len(addresses), dtype=np.int64)
        for begin in range(0, len(addresses), _CHUNK):
            chunk = slice(begin, begin + _CHUNK)
            found[chunk] = self._bitmap.find(addresses[chunk])
        return found


def segments(keys: U64) -> tuple[U32, I64]:
    """Return where segments start, and which of the sorted, distinct keys is longest in each.

    The key is given by its position, -1 if none.
    """
    count = len(keys)
    first, last = span(keys)
    # Every prefix becomes the longest at its first address; after its last address, its cover is
    # the longest. Events are numbered so that the last event at an address decides: openings after
    # closings, the innermost opening last, the outermost closing last.
    number = np.arange(count, dtype=np.uint64)
    shift = (2 * count).bit_length()
    closing = ((last + 1) << shift) | number[::-1]
    opening = (first << shift) | (number + np.uint64(count))
    events = np.sort(np.concatenate([closing, opening]))
    address = events >> shift
    decides = np.ones(len(events), dtype=np.bool_)
    np.not_equal(address[1:], address[:-1], out=decides[:-1])
    decides &= address < _END
    longest = np.append(closest_cover_sorted(keys)[::-1], np.arange(count))
    event = events[decides] & ((1 << shift) - 1)
    return address[decides].astype(np.uint32), longest.take(event)


class _CompressedBitmap:
    """The bitmap and the answers, as described in the module's docstring.

    ``starts`` are the starts of the segments, ascending. ``rows`` has one more element: the first
    is for addresses below all segments.
    """

    def __init__(self, starts: U32, rows: I64) -> None:
        self._starts, self._rows = starts, rows
        slot = (starts >> _SLOT_BITS).astype(np.int64)
        mixed = slot[(starts & _IN_SLOT) != 0]
        mixed = mixed[is_new(mixed)]
        # A run ends after a mixed slot, so that the following slots need no search. The first slot
        # begins a run for addresses below all segments.
        run_starts = np.sort(np.concatenate([[0], slot, mixed + 1]))
        run_starts = run_starts[is_new(run_starts)]
        self._words = _words(run_starts)
        segments = np.bincount(self._run_of(slot), minlength=len(run_starts))
        rank = np.cumsum(segments)
        run = self._run_of(mixed)
        segments = segments.take(run)
        self._answers = rows.take(rank)
        self._answers[run] = _MIXED - (rank.take(run) - segments)
        most = int(segments.max(initial=0)).bit_length()
        self._strides = [1 << bit for bit in reversed(range(most))]

    def find(self, addresses: U32) -> I64:
        """Return the row of each address."""
        found = self._answers.take(self._run_of(addresses >> _SLOT_BITS))
        mixed = np.flatnonzero(found <= _MIXED)
        if len(mixed):
            rank = self._search(_MIXED - found.take(mixed), addresses.take(mixed))
            found[mixed] = self._rows.take(rank)
        return found

    def _search(self, rank: I64, addresses: U32) -> I64:
        """Return the number of segments that start at or below each address.

        ``rank`` is the number of segments that start before the address's slot; it is overwritten.
        """
        for stride in self._strides:
            ahead = rank + stride
            # Starts in later slots are above the address, so only the end of the array is checked.
            fits = self._starts.take(ahead - 1, mode="clip") <= addresses
            fits &= ahead <= len(self._starts)
            rank += stride * fits
        return rank

    def _run_of(self, slots: I64 | U32) -> I64:
        """Return the number of each slot's run."""
        word = self._words.take(slots >> _WORD_BITS)
        ones = np.bitwise_count(word & _UP_TO.take(slots & _IN_WORD))
        word >>= np.uint64(_COUNT_SHIFT)
        run = word.view(np.int64)
        run += ones
        run -= 1
        return run


def _words(run_starts: I64) -> U64:
    """Return the words of the bitmap."""
    # A sum of distinct powers of two is their union; a float is exact below 2^53.
    weights = np.ldexp(1.0, (run_starts & _IN_WORD).astype(np.int32))
    count = _SLOTS >> _WORD_BITS
    bits = np.bincount(run_starts >> _WORD_BITS, weights, minlength=count).astype(np.uint64)
    ones = np.bitwise_count(bits).astype(np.uint64)
    return np.asarray(bits | ((np.cumsum(ones) - ones) << _COUNT_SHIFT))
