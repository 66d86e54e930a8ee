"""Conversion between text columns and columns of IPv4 prefixes, without a loop over rows.

A prefix is (``network`` uint32, host bits cleared; ``length`` uint8). A row without a prefix has
network 0 and length `NO_LENGTH`. The ``flags`` of a row are:

=============  ===  ============================================================================
`MISSING`        1  the cell is empty
`MALFORMED`      2  it is not ``a.b.c.d/len``
`IPV6`           4  it is an IPv6 prefix (never set together with another flag)
`HOST_BITS`      8  it is a prefix, but host bits were set in the address
=============  ===  ============================================================================

The form is strict: ASCII digits, octets 0-255 and length 0-32 without leading zeros, nothing
before, after or in between. Bytes are read in place, in the Arrow buffer of the column, and the
cost of a row does not depend on its content::

    bytes        1 0 . 1 . 2 . 0 / 2 4|1 0 . 1 …   one flat buffer; | is where a row ends
    classes      4 3 1 4 1 5 1 3 2 5 7 4 3 1 4     1 is a dot, 2 a slash, 3-12 a digit, 0 the rest
    separators   0 0 1 0 1 0 1 0 1 0 0 0 0 1 0     one bit per byte: not a digit
    layout           ^   ^   ^   ^     |           the separators of a row and its end as one number
                                                   of 19 bits. 162 of these numbers can be a prefix;
                                                   a table has the positions of their separators
    lookup keys    143  14  15  13    257          the four classes before each separator and before
                                                   the end as one number of 16 bits. A table has the
                                                   octet or length for each (shown here from the
                                                   separator before the field)

So one lookup checks the digits of a field, its width, its value and the separator before it. Rows
that fail are then matched against the grammar of IPv6.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit._text import as_text
from vcokit.cidr.scalar import ADDRESS

U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
#: Positions, in the type that ``take`` reads without a copy.
Positions: TypeAlias = npt.NDArray[np.intp]
#: Where rows start and where the last one ends, in Arrow's form: int32 or int64, n + 1 numbers.
Offsets: TypeAlias = npt.NDArray[Any]
#: A column of prefixes: network and length.
Columns: TypeAlias = tuple[U32, U8]

MISSING: Final = 1
MALFORMED: Final = 2
IPV6: Final = 4
HOST_BITS: Final = 8

#: Length of a row without a prefix.
NO_LENGTH: Final = 255
#: Position that means "no row".
NONE: Final = -1

#: Network mask by prefix length.
MASKS: Final[U32] = np.array(
    [(0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF for length in range(33)], dtype=np.uint32
)
#: The same for any uint8: no bits for other lengths.
_MASK_OF_ANY: Final[U32] = np.concatenate([MASKS, np.zeros(256 - len(MASKS), dtype=np.uint32)])

#: Most rows and bytes parsed at once, so that intermediate arrays stay in the processor's cache. A
#: cell with more bytes than that is not a prefix.
_CHUNK_ROWS: Final = 16_384
_CHUNK_BYTES: Final = 1 << 19
#: A number of bytes that int32 offsets can always address.
_JOINABLE: Final = 1 << 30


@dataclass(frozen=True)
class Prefixes:
    """A column of IPv4 prefixes: network uint32, length uint8, flags uint8; see the module."""

    network: U32
    length: U8
    flags: U8

    def __len__(self) -> int:
        return len(self.network)

    @property
    def valid(self) -> Mask:
        """Which rows have a prefix, with or without host bits set."""
        return np.asarray(self.length != NO_LENGTH)


def parse(column: pd.Series) -> Prefixes:
    """Parse each row of a column of text; objects are parsed by their ``str()``.

    Examples
    --------
    >>> found = parse(pd.Series(["10.0.0.0/8", "10.1.2.3/16", "10.0.0.0", None, "::/0"]))
    >>> found.network.tolist(), found.length.tolist(), found.flags.tolist()
    ([167772160, 167837696, 0, 0, 0], [8, 16, 255, 255, 255], [0, 8, 2, 1, 4])
    """
    text = as_arrow_text(column)
    size = len(text)
    network = np.empty(size, dtype=np.uint32)
    found = Prefixes(network, np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8))
    chunks = _flat_chunks(text)
    done = 0
    for chunk in chunks:
        _parse_chunk(chunk, _rows(found, done, done + len(chunk)))
        done += len(chunk)
    _flag_ipv6(chunks, found.flags)
    return found


def as_arrow_text(column: pd.Series) -> Any:
    """Return a column as Arrow text, chunked or not, without a copy if it already is Arrow text.

    Values that are not text are converted by ``str()``.
    """
    try:
        found = pa.array(column.array, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError):  # objects of mixed types, lone surrogates
        pass
    else:
        if found.type in _OFFSETS:
            return found
    return pa.array(as_text(column).array, from_pandas=True)


#: Arrow's types of text, with the type of their offsets.
_OFFSETS: Final[dict[Any, np.dtype[Any]]] = {
    pa.string(): np.dtype(np.int32),
    pa.large_string(): np.dtype(np.int64),
}


def _flat_chunks(text: Any) -> list[Any]:
    """Return the chunks of Arrow text without empty ones."""
    if isinstance(text, pa.ChunkedArray):
        # A small chunk would cost as much as a full one, so small chunks are joined first.
        scattered = text.num_chunks > 1 + len(text) // _CHUNK_ROWS and text.nbytes < _JOINABLE
        chunks = [text.combine_chunks()] if scattered else text.chunks
    else:
        chunks = [text]
    return [chunk for chunk in chunks if len(chunk)]


def _rows(found: Prefixes, start: int, stop: int) -> Prefixes:
    """Return a view of some rows, for writing."""
    rows = slice(start, stop)
    return Prefixes(found.network[rows], found.length[rows], found.flags[rows])


def _parse_chunk(text: Any, found: Prefixes) -> None:
    """Fill in the rows of one flat Arrow array."""
    _, buffer, data = text.buffers()
    offsets = np.frombuffer(buffer, dtype=_OFFSETS[text.type])
    offsets = offsets[text.offset : text.offset + len(text) + 1]
    data = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8)
    for start, stop in _runs(offsets):
        _parse_run(offsets[start : stop + 1], data, _rows(found, start, stop))
    if text.null_count:
        # In Arrow, a null may have any bytes in its place, even a prefix.
        missing = np.flatnonzero(text.is_null().to_numpy(zero_copy_only=False))
        found.network[missing], found.length[missing], found.flags[missing] = 0, NO_LENGTH, MISSING


def _runs(offsets: Offsets) -> Iterator[tuple[int, int]]:
    """Yield runs of `_CHUNK_ROWS` rows, halved until they fit `_CHUNK_BYTES` or are one row."""
    size = len(offsets) - 1
    pending = [(start, min(start + _CHUNK_ROWS, size)) for start in range(0, size, _CHUNK_ROWS)]
    while pending:
        start, stop = pending.pop()
        if stop - start > 1 and offsets[stop] - offsets[start] > _CHUNK_BYTES:
            middle = (start + stop) // 2
            pending += [(start, middle), (middle, stop)]
        else:
            yield start, stop


def _parse_run(offsets: Offsets, data: U8, found: Prefixes) -> None:
    """Fill in a run of rows."""
    if offsets[-1] - offsets[0] > _CHUNK_BYTES:
        found.network[:], found.length[:], found.flags[:] = 0, NO_LENGTH, MALFORMED
        return
    fields = _read_fields(offsets, data)
    malformed = np.bitwise_or.reduce(fields) >= _NO_FIELD
    address = ((fields[0] << 8) | fields[1]).astype(np.uint32)
    address <<= 16
    address |= (fields[2] << 8) | fields[3]
    # A malformed row gets the length 255, whose mask gives the network 0.
    np.bitwise_or(fields[4].astype(np.uint8), -malformed.view(np.uint8), out=found.length)
    np.bitwise_and(address, _MASK_OF_ANY.take(found.length), out=found.network)
    np.not_equal(address, found.network, out=found.flags.view(np.bool_))
    np.multiply(found.flags, HOST_BITS, out=found.flags)
    np.copyto(found.flags, MALFORMED, where=malformed)


# -- bytes → the five numbers of a.b.c.d/len ---------------------------------------------------

#: Value of a field that is neither an octet nor a length.
_NO_FIELD: Final = 256
#: Byte classes; a digit's class is `_ZERO` plus the digit.
_DOT, _SLASH, _ZERO = range(1, 4)
_CLASSES: Final = _ZERO + 10
#: Class 0 before the first and after the last byte, so that each byte has neighbours.
_BEFORE: Final = 4
_AFTER: Final = 32
#: Widest prefix, in bytes: 255.255.255.255/32.
_WIDEST: Final = 18


def _read_fields(offsets: Offsets, data: U8) -> U16:
    """Return four octets and the length of each row: fields x rows.

    In a malformed row, at least one field is `_NO_FIELD` or more; its other fields have no meaning.
    """
    classes = _byte_classes(data[offsets[0] : offsets[-1]])
    places = np.subtract(offsets, offsets[0], dtype=np.intp)
    keys = _lookup_keys(places, _layouts(places, classes), classes)
    fields = np.empty_like(keys)
    # No key is out of range; "wrap" is the fastest mode.
    _OCTETS.take(keys[:4], out=fields[:4], mode="wrap")
    _LENGTHS.take(keys[4], out=fields[4], mode="wrap")
    return fields


def _byte_classes(text: U8) -> U8:
    """Return the class of each byte, with `_BEFORE` zeros before and `_AFTER` zeros after them."""
    classes = np.zeros(_BEFORE + len(text) + _AFTER, dtype=np.uint8)
    inside = classes[_BEFORE:-_AFTER]
    # Dot, slash and digits are consecutive in ASCII; for lower characters, uint8 wraps around.
    np.subtract(text, ord(".") - _DOT, out=inside)
    inside *= (inside < _CLASSES).view(np.uint8)
    return classes


def _layouts(places: Positions, classes: U8) -> Positions:
    """Return the positions of each row's four separators, five bits each; 0 if not a prefix."""
    bitmap = np.packbits(classes[_BEFORE:] < _ZERO, bitorder="little")
    # The 32 bits that begin at every eighth byte. At least 25 of them are from a row's start on.
    windows: U32 = np.ndarray((len(bitmap) - 3,), dtype="<u4", buffer=bitmap, strides=(1,))
    starts = places[:-1]
    row = windows.take(starts >> 3) >> (starts & 7).astype(np.uint32)
    end = _END_BIT.take(np.diff(places), mode="clip")
    return _LAYOUTS.take((row & (end - np.uint32(1))) | end)


def _layout_table() -> Positions:
    """Return the layout by separator bits and end bit."""
    table = np.zeros(2 << _WIDEST, dtype=np.intp)
    for widths in itertools.product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2)):
        ends = list(itertools.accumulate(widths, lambda end, width: end + 1 + width))
        layout = sum(end << 5 * field for field, end in enumerate(ends[:4]))
        table[sum(1 << end for end in ends)] = layout
    return table


_LAYOUTS: Final = _layout_table()
#: The end bit by the width of a row. A wider row gets that of an empty row, which has no layout.
_END_BIT: Final[U32] = np.array([1 << width for width in range(_WIDEST + 1)] + [1], dtype=np.uint32)


def _lookup_keys(places: Positions, layouts: Positions, classes: U8) -> U16:
    """Return the lookup key of each field: fields x rows."""
    pairs = classes[: -_AFTER - 1] * np.uint8(16)
    pairs |= classes[1:-_AFTER]
    fours = pairs[:-2].astype(np.uint16)
    fours *= 256
    fours |= pairs[2:]
    keys: U16 = fours.take(_field_ends(places, layouts))
    # Before the first octet there is only the start of the row: put a dot there.
    stop = np.left_shift(1, (layouts & 3) << 2).astype(np.uint16)
    keys[0] = (keys[0] & (stop - np.uint16(1))) | stop
    return keys


def _field_ends(places: Positions, layouts: Positions) -> Positions:
    """Return the end of each field, in bytes of the run: fields x rows."""
    ends = np.empty((5, len(layouts)), dtype=np.intp)
    for field in range(4):
        np.right_shift(layouts, 5 * field, out=ends[field])
    ends[:4] &= 31
    ends[:4] += places[:-1]
    ends[4] = places[1:]
    return ends


def _field_table(limit: int, separator: int) -> U16:
    """Return the value of a field by its lookup key: 0 to `limit`, without leading zeros."""
    table = np.full(1 << 16, _NO_FIELD, dtype=np.uint16)
    for value in range(limit + 1):
        key = separator
        for digit in str(value):
            key = key << 4 | _ZERO + int(digit)
        # The classes before the separator do not matter.
        table.reshape(-1, 16 << 4 * len(str(value)))[:, key] = value
    return table


_OCTETS: Final = _field_table(255, _DOT)
_LENGTHS: Final = _field_table(32, _SLASH)


# -- IPv6 --------------------------------------------------------------------------------------


def _ipv6_pattern() -> str:
    """Return the grammar of an IPv6 address (RFC 3986, ``IPv6address``) and a length 0-128."""
    group = "[0-9A-Fa-f]{1,4}"
    tail = rf"(?:{group}:{group}|{ADDRESS})"
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


def _flag_ipv6(chunks: Sequence[Any], flags: U8) -> None:
    """Flag the IPv6 prefixes among the malformed rows.

    All chunks are matched at once, because compiling the pattern takes longer than applying it.
    """
    rows, texts, start = [], [], 0
    for chunk in chunks:
        malformed = np.flatnonzero(flags[start : start + len(chunk)] == MALFORMED)
        cells = chunk.take(pa.array(malformed))
        narrow = pc.less_equal(pc.binary_length(cells), _WIDEST_IPV6)
        may_be = pc.and_(narrow, pc.match_substring(cells, ":"))
        rows.append(start + malformed[may_be.to_numpy(zero_copy_only=False)])
        texts.append(cells.filter(may_be))
        start += len(chunk)
    if any(map(len, rows)):
        matches = pc.match_substring_regex(pa.concat_arrays(texts), _IPV6)
        flags[np.concatenate(rows)[matches.to_numpy(zero_copy_only=False)]] = IPV6


# -- prefixes → text ---------------------------------------------------------------------------


def to_text(network: U32, length: U8) -> pd.Series:
    """Return prefixes as a Series of str; a length that is not 0-32 gives a missing value.

    Examples
    --------
    >>> to_text(np.array([167772160, 0], np.uint32), np.array([8, 255], np.uint8)).tolist()
    ['10.0.0.0/8', nan]
    """
    network = np.ascontiguousarray(network, dtype=np.uint32)  # because it is read byte by byte
    present = np.asarray(length <= 32)
    offsets = np.zeros(len(network) + 1, dtype=np.int64)
    np.cumsum(_text_widths(network, length, present), out=offsets[1:])
    data = np.empty(offsets[-1], dtype=np.uint8)
    for start in range(0, len(network), _CHUNK_ROWS):
        stop = min(start + _CHUNK_ROWS, len(network))
        padded = _padded_text(network[start:stop], length[start:stop], present[start:stop])
        inside = data[offsets[start] : offsets[stop]]
        padded.take(np.flatnonzero(padded != 0), out=inside, mode="wrap")
    buffers = (np.packbits(present, bitorder="little"), offsets, data)
    arrow = [pa.py_buffer(buffer) for buffer in buffers]
    return pd.Series(pa.Array.from_buffers(pa.large_string(), len(network), arrow), dtype="str")


def _padded(texts: Iterable[str]) -> U32:
    """Return each text as four bytes, padded with zero bytes."""
    return np.frombuffer(b"".join(text.encode().ljust(4, b"\0") for text in texts), dtype=np.uint32)


#: Each part of a prefix as text: three octets with a dot, one with a slash, the length.
_PARTS: Final = [_padded(f"{octet}{sign}" for octet in range(256)) for sign in ".../"]
_PARTS.append(_padded(f"{length}" for length in range(256)))
_OCTET_WIDTH: Final = np.array([len(f"{octet}.") for octet in range(256)], dtype=np.uint8)


def _text_widths(network: U32, length: U8, present: Mask) -> U8:
    """Return the number of bytes of each row's text."""
    widths = (length > 9).astype(np.uint8)
    widths += 1
    for octet in network.view(np.uint8).reshape(-1, 4).T:
        widths += _OCTET_WIDTH.take(octet)
    return widths * present


def _padded_text(network: U32, length: U8, present: Mask) -> U8:
    """Return the text of some rows, four bytes per part, padded with zero bytes."""
    parts = np.empty((len(network), 5), dtype=np.uint32)
    for field, shift in enumerate((24, 16, 8, 0)):
        parts[:, field] = _PARTS[field].take((network >> shift) & 0xFF)
    parts[:, 4] = _PARTS[4].take(length)
    if not present.all():
        parts[~present] = 0
    return parts.view(np.uint8).ravel()
