"""Bytes of rows → the five numbers of ``a.b.c.d/len``, without a loop over rows.

Every row costs the same, whatever stands in it or beside it::

    bytes    1 0 . 1 . 2 . 0 / 2 4|1 0 . 1 …   one flat buffer; | is where a row ends
    signs    4 3 1 4 1 5 1 3 2 5 7 4 3 1 4     1 is a dot, 2 a slash, 3-12 a digit, 0 all else
    marks    0 0 1 0 1 0 1 0 1 0 0 0 0 1 0     one bit a byte: this is no digit
    shape        ^   ^   ^   ^     |           a row's marks and its end, one number of 19 bits:
                                               162 of them can be a prefix, and a table tells where
                                               the marks stand in those
    keys       143  14  15  13    257          the four signs before each mark and before the end,
                                               one number of 16 bits: a table tells the octet or the
                                               length (here cut at the sign that stops it)

So one look judges the digits of a field, its width, its value and the sign in front of it. A row of
another shape has no marks, and its fields are none.
"""

from __future__ import annotations

import itertools
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
#: Positions, of the type that NumPy's ``take`` reads without a copy.
Places: TypeAlias = npt.NDArray[np.intp]
#: Offsets of rows as Arrow keeps them, int32 or int64.
Offsets: TypeAlias = npt.NDArray[Any]

#: Value of a field that is none.
NO_FIELD: Final = 256


def scan(offsets: Offsets, data: U8) -> U16:
    """Read rows of text as ``a.b.c.d/len``.

    Parameters
    ----------
    offsets : ndarray of int32 or int64
        Where each row starts in `data`, and where the last ends: one more than there are rows.
    data : ndarray of uint8
        ASCII, or anything else.

    Returns
    -------
    ndarray of uint16
        Fields x rows: four octets and the length. At least one of a row's fields is `NO_FIELD` or
        more where the row is no prefix; the row's others are of no meaning then.

    Examples
    --------
    >>> text = np.frombuffer(b"10.1.2.0/2410.1.2.0/33", dtype=np.uint8)
    >>> scan(np.array([0, 11, 22]), text).T.tolist()
    [[10, 1, 2, 0, 24], [10, 1, 2, 0, 256]]
    """
    signs = _signs(data[offsets[0] : offsets[-1]])
    places = np.subtract(offsets, offsets[0], dtype=np.intp)
    keys = _keys(places, _shapes(places, signs), signs)
    fields = np.empty_like(keys)
    # No key is out of range; to wrap is the mode that checks fastest.
    _OCTETS.take(keys[:4], out=fields[:4], mode="wrap")
    _LENGTHS.take(keys[4], out=fields[4], mode="wrap")
    return fields


_DOT, _SLASH, _ZERO = range(1, 4)
_SIGNS: Final = _ZERO + 10
#: Signs before the first and behind the last of a run, so that each has neighbours.
_BEFORE: Final = 4
_BEHIND: Final = 32


def _signs(text: U8) -> U8:
    """Return the sign of each byte, `_BEFORE` more in front and `_BEHIND` more behind."""
    signs = np.zeros(_BEFORE + len(text) + _BEHIND, dtype=np.uint8)
    inside = signs[_BEFORE:-_BEHIND]
    # Dot, slash and the digits follow one another in ASCII; below the dot, uint8 wraps around.
    np.subtract(text, ord(".") - _DOT, out=inside)
    inside *= (inside < _SIGNS).view(np.uint8)
    return signs


#: Widest prefix, in bytes: 255.255.255.255/32.
_WIDEST: Final = 18
#: The end's bit by the width of a row. A wider row gets that of an empty one, which has no shape.
_END: Final[U32] = np.array([1 << width for width in range(_WIDEST + 1)] + [1], dtype=np.uint32)


def _shape_table() -> Places:
    """Return where four marks stand, five bits each, by marks and end; 0 for any other marks."""
    table = np.zeros(2 << _WIDEST, dtype=np.intp)
    for widths in itertools.product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2)):
        ends = list(itertools.accumulate(widths, lambda end, width: end + 1 + width))
        shape = sum(end << 5 * field for field, end in enumerate(ends[:4]))
        table[sum(1 << end for end in ends)] = shape
    return table


_SHAPES: Final = _shape_table()


def _shapes(places: Places, signs: U8) -> Places:
    """Return the shape of each row."""
    marks = np.packbits(signs[_BEFORE:] < _ZERO, bitorder="little")
    # The 32 marks from each eighth byte on: at least 25 of them from any row's start on.
    windows: U32 = np.ndarray((len(marks) - 3,), dtype="<u4", buffer=marks, strides=(1,))
    starts = places[:-1]
    row = windows.take(starts >> 3) >> (starts & 7).astype(np.uint32)
    end = _END.take(np.diff(places), mode="clip")
    return _SHAPES.take((row & (end - np.uint32(1))) | end)


def _keys(places: Places, shapes: Places, signs: U8) -> U16:
    """Return the key of each field: fields x rows."""
    near = signs[: -_BEHIND - 1] * np.uint8(16)
    near |= signs[1:-_BEHIND]
    before = near[:-2].astype(np.uint16)
    before *= 256
    before |= near[2:]
    keys: U16 = before.take(_field_ends(places, shapes))
    # Nothing stops the first octet but the row's start: put a dot there.
    stop = np.left_shift(1, (shapes & 3) << 2).astype(np.uint16)
    keys[0] = (keys[0] & (stop - np.uint16(1))) | stop
    return keys


def _field_ends(places: Places, shapes: Places) -> Places:
    """Return where each field ends, in bytes of the run: fields x rows."""
    ends = np.empty((5, len(shapes)), dtype=np.intp)
    for field in range(4):
        np.right_shift(shapes, 5 * field, out=ends[field])
    ends[:4] &= 31
    ends[:4] += places[:-1]
    ends[4] = places[1:]
    return ends


def _field_table(limit: int, stop: int) -> U16:
    """Return the value of a field by its key: 0 to `limit` behind a sign, without leading zeros."""
    table = np.full(1 << 16, NO_FIELD, dtype=np.uint16)
    for value in range(limit + 1):
        key = stop
        for digit in str(value):
            key = key << 4 | _ZERO + int(digit)
        # Whatever is farther away than the stop does not matter.
        table.reshape(-1, 16 << 4 * len(str(value)))[:, key] = value
    return table


_OCTETS: Final = _field_table(255, _DOT)
_LENGTHS: Final = _field_table(32, _SLASH)
