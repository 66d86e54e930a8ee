"""Text columns ⇄ columns of IPv4 prefixes, without a loop over rows.

A prefix is (``network`` uint32, host bits cleared; ``length`` uint8). A row that holds none has
network 0 and length `NO_LENGTH`, and its ``flags`` say why:

=============  ===  ==========================================================================
`MISSING`        1  the cell is empty
`MALFORMED`      2  it is not ``a.b.c.d/len``
`IPV6`           4  it is an IPv6 prefix (set together with nothing else)
`HOST_BITS`      8  it is a prefix, but the address was not that of its network
=============  ===  ==========================================================================

The form is strict: ASCII digits, octets 0-255 and length 0-32 without leading zeros, nothing
around or between. Bytes are looked at in place, in the Arrow buffer of the column, some thousand
rows at a time, see `scan`. What the fast look refuses is looked at once more,
to tell IPv6 from the rest.

The way back, `to_text`, gives each part of a prefix four bytes and then leaves out the empty ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
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

MISSING: Final = 1
MALFORMED: Final = 2
IPV6: Final = 4
HOST_BITS: Final = 8

#: Length of a row that holds no prefix.
NO_LENGTH: Final = 255

#: Rows, and bytes, looked at in one go: what is made of them stays in the processor's cache. A
#: single cell of more bytes than that is no prefix.
_CHUNK: Final = 16_384
_BYTES: Final = 1 << 19

#: Arrow types of one flat buffer behind offsets of so many bytes. Others are cast first.
_OFFSETS: Final[dict[Any, np.dtype[Any]]] = {
    pa.string(): np.dtype(np.int32),
    pa.binary(): np.dtype(np.int32),
    pa.large_string(): np.dtype(np.int64),
    pa.large_binary(): np.dtype(np.int64),
}
#: Bytes that int32 offsets can surely address.
_JOINABLE: Final = 1 << 30

#: Network mask by prefix length.
MASKS: Final[U32] = np.array(
    [(0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF for length in range(33)], dtype=np.uint32
)
#: The same by any uint8: no bits at all where there is no prefix.
_MASK_OF_ANY: Final[U32] = np.concatenate([MASKS, np.zeros(256 - len(MASKS), dtype=np.uint32)])


@dataclass(frozen=True)
class Prefixes:
    """A column of IPv4 prefixes.

    Parameters
    ----------
    network : ndarray of uint32
        Network address, host bits cleared; 0 where there is no prefix.
    length : ndarray of uint8
        Prefix length 0-32; `NO_LENGTH` where there is no prefix.
    flags : ndarray of uint8
        Sum of `MISSING`, `MALFORMED`, `IPV6`, `HOST_BITS`.
    """

    network: U32
    length: U8
    flags: U8

    def __len__(self) -> int:
        return len(self.network)

    @property
    def valid(self) -> Mask:
        """Where there is a prefix, host bits or not."""
        return np.asarray(self.length != NO_LENGTH)

    @property
    def last(self) -> U32:
        """Last address of each prefix; of no meaning where there is none."""
        return self.network | ~MASKS[np.minimum(self.length, 32)]


def parse(column: pd.Series) -> Prefixes:
    """Read a column of text as IPv4 prefixes.

    Parameters
    ----------
    column : Series of str
        Arrow-backed or not, chunked or sliced. Of a column of objects, what they print is read;
        None and NaN are missing.

    Returns
    -------
    Prefixes
        Of the same length, in the same order.

    Examples
    --------
    >>> found = parse(pd.Series(["10.0.0.0/8", "10.1.2.3/16", "10.0.0.0", None, "::/0"]))
    >>> found.network.tolist(), found.length.tolist(), found.flags.tolist()
    ([167772160, 167837696, 0, 0, 0], [8, 16, 255, 255, 255], [0, 8, 2, 1, 4])
    """
    text = _as_arrow(column)
    size = len(text)
    network = np.empty(size, dtype=np.uint32)
    found = Prefixes(network, np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8))
    done = 0
    for piece in _pieces(text):
        _parse_piece(piece, _rows(found, done, done + len(piece)))
        done += len(piece)
    return found


def _as_arrow(column: pd.Series) -> Any:
    """Return the column as Arrow holds it, with no copy where it is Arrow's already."""
    try:
        return pa.array(column.array, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError):
        # Cells of several kinds, or lone surrogates, which UTF-8 cannot hold: read what they print.
        printed = column.astype(pd.StringDtype("python")).str.encode("utf-8", "replace")
        return pa.array(printed.array, type=pa.binary(), from_pandas=True)


def _pieces(text: Any) -> Iterator[Any]:
    """Yield the flat Arrow arrays of a column, none of them empty."""
    if isinstance(text, pa.ChunkedArray):
        # Many small chunks would each pay for a chunk of their own below: join them first.
        scattered = text.num_chunks > 1 + len(text) // _CHUNK and text.nbytes < _JOINABLE
        chunks = [text.combine_chunks()] if scattered else text.chunks
    else:
        chunks = [text]
    for chunk in chunks:
        if len(chunk):
            yield chunk if chunk.type in _OFFSETS else chunk.cast(pa.large_string())


def _rows(found: Prefixes, start: int, stop: int) -> Prefixes:
    """Return a view of some rows, to be written to."""
    rows = slice(start, stop)
    return Prefixes(found.network[rows], found.length[rows], found.flags[rows])


def _parse_piece(piece: Any, found: Prefixes) -> None:
    """Fill the rows of one flat array."""
    offsets, data = _flat(piece)
    for start, stop in _spans(offsets):
        _read(offsets[start : stop + 1], data, _rows(found, start, stop))
    if piece.null_count:
        # Arrow lets any bytes stand under a null, even a prefix.
        missing = np.flatnonzero(piece.is_null().to_numpy(zero_copy_only=False))
        found.network[missing], found.length[missing], found.flags[missing] = 0, NO_LENGTH, MISSING
    _mark_ipv6(piece, offsets, found.flags)


def _flat(piece: Any) -> tuple[Offsets, U8]:
    """Return the offsets of the rows, one more than there are rows, and the bytes they are in."""
    _, offsets, data = piece.buffers()
    places = np.frombuffer(offsets, dtype=_OFFSETS[piece.type])
    text = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8)
    return places[piece.offset : piece.offset + len(piece) + 1], text


def _spans(offsets: Offsets) -> Iterator[tuple[int, int]]:
    """Yield runs of rows: of `_CHUNK` rows, halved until they fit into `_BYTES` or are one."""
    size = len(offsets) - 1
    waiting = [(start, min(start + _CHUNK, size)) for start in range(0, size, _CHUNK)]
    while waiting:
        start, stop = waiting.pop()
        if stop - start > 1 and offsets[stop] - offsets[start] > _BYTES:
            middle = (start + stop) // 2
            waiting += [(start, middle), (middle, stop)]
        else:
            yield start, stop


def _read(offsets: Offsets, data: U8, found: Prefixes) -> None:
    """Fill a run of rows."""
    if offsets[-1] - offsets[0] > _BYTES:
        found.network[:], found.length[:], found.flags[:] = 0, NO_LENGTH, MALFORMED
        return
    fields = scan(offsets, data)
    bad = np.bitwise_or.reduce(fields) >= NO_FIELD
    address = ((fields[0] << 8) | fields[1]).astype(np.uint32)
    address <<= 16
    address |= (fields[2] << 8) | fields[3]
    # A bad row gets the length 255, and by that mask the network 0.
    np.bitwise_or(fields[4].astype(np.uint8), -bad.view(np.uint8), out=found.length)
    np.bitwise_and(address, _MASK_OF_ANY.take(found.length), out=found.network)
    np.not_equal(address, found.network, out=found.flags.view(np.bool_))
    np.multiply(found.flags, HOST_BITS, out=found.flags)
    np.copyto(found.flags, MALFORMED, where=bad)


def _ipv6_pattern() -> str:
    """Return the grammar of an IPv6 address (RFC 3986, ``IPv6address``) and a length 0-128."""
    group = "[0-9A-Fa-f]{1,4}"
    octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    tail = rf"(?:{group}:{group}|{octet}(?:\.{octet}){{3}})"
    forms = [f"(?:{group}:){{6}}{tail}", f"::(?:{group}:){{5}}{tail}"]
    forms += [
        f"(?:(?:{group}:){{0,{before}}}{group})?::(?:{group}:){{{4 - before}}}{tail}"
        for before in range(5)
    ]
    forms += [
        f"(?:(?:{group}:){{0,5}}{group})?::{group}",
        f"(?:(?:{group}:){{0,6}}{group})?::",
    ]
    return f"^(?:{'|'.join(forms)})/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])$"


_IPV6: Final = _ipv6_pattern()
#: Widest IPv6 prefix, in bytes: six groups, an IPv4 address and a length.
_WIDEST_IPV6: Final = 6 * 5 + 15 + 4


def _mark_ipv6(piece: Any, offsets: Offsets, flags: U8) -> None:
    """Tell the IPv6 prefixes among the malformed rows."""
    rows = np.flatnonzero(flags == MALFORMED)
    rows = rows[offsets[rows + 1] - offsets[rows] <= _WIDEST_IPV6]
    if not len(rows):
        return
    cells = piece.take(pa.array(rows))
    colon = pc.match_substring(cells, ":").to_numpy(zero_copy_only=False)
    matches = pc.match_substring_regex(cells.filter(pa.array(colon)), _IPV6)
    flags[rows[colon][matches.to_numpy(zero_copy_only=False)]] = IPV6


def to_text(network: U32, length: U8) -> pd.Series:
    """Write prefixes as text.

    Parameters
    ----------
    network : ndarray of uint32
    length : ndarray of uint8
        `NO_LENGTH`, or any other that is not 0-32, gives a missing value.

    Returns
    -------
    Series of str
        Of the same length, with a fresh ``RangeIndex``.

    Examples
    --------
    >>> to_text(np.array([167772160, 0], np.uint32), np.array([8, 255], np.uint8)).tolist()
    ['10.0.0.0/8', nan]
    """
    network = np.ascontiguousarray(network, dtype=np.uint32)  # its bytes are looked at
    present = np.asarray(length <= 32)
    offsets = np.zeros(len(network) + 1, dtype=np.int64)
    np.cumsum(_widths(network, length, present), out=offsets[1:])
    data = np.empty(offsets[-1], dtype=np.uint8)
    for start in range(0, len(network), _CHUNK):
        stop = min(start + _CHUNK, len(network))
        words = _words(network[start:stop], length[start:stop], present[start:stop])
        inside = data[offsets[start] : offsets[stop]]
        words.take(np.flatnonzero(words != 0), out=inside, mode="wrap")
    buffers = (np.packbits(present, bitorder="little"), offsets, data)
    arrow = [pa.py_buffer(buffer) for buffer in buffers]
    return pd.Series(pa.Array.from_buffers(pa.large_string(), len(network), arrow), dtype="str")


def _word_table(texts: Iterable[str]) -> U32:
    """Return texts as words of four bytes, zero bytes behind them."""
    return np.frombuffer(b"".join(text.encode().ljust(4, b"\0") for text in texts), dtype=np.uint32)


_WORDS: Final = [_word_table(f"{octet}{mark}" for octet in range(256)) for mark in ".../"]
_WORDS.append(_word_table(f"{length}" for length in range(256)))
_OCTET_WIDTH: Final = np.array([len(f"{octet}.") for octet in range(256)], dtype=np.uint8)


def _widths(network: U32, length: U8, present: Mask) -> U8:
    """Return how many bytes each row's text has."""
    widths = (length > 9).astype(np.uint8)
    widths += 1
    for octet in network.view(np.uint8).reshape(-1, 4).T:
        widths += _OCTET_WIDTH.take(octet)
    return widths * present


def _words(network: U32, length: U8, present: Mask) -> U8:
    """Return the text of some rows in five words a row, zero bytes among it."""
    words = np.empty((len(network), 5), dtype=np.uint32)
    for field, shift in enumerate((24, 16, 8, 0)):
        words[:, field] = _WORDS[field].take((network >> shift) & 0xFF)
    words[:, 4] = _WORDS[4].take(length)
    if not present.all():
        words[~present] = 0
    return words.view(np.uint8).ravel()
