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
around or between. Bytes are looked at in place, in the Arrow buffer of the column::

    "10.1.2.0/24" "10.1.2.0" …      one flat buffer, offsets of the rows
       ^ ^ ^ ^                      positions of separators, four in a good row: . . . /
     10 1 2 0  24                   up to three digits before each separator and the row's end
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

U8: TypeAlias = npt.NDArray[np.uint8]
U32: TypeAlias = npt.NDArray[np.uint32]
I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MISSING: Final = 1
MALFORMED: Final = 2
IPV6: Final = 4
HOST_BITS: Final = 8

#: Length of a row that holds no prefix.
NO_LENGTH: Final = 255

#: Rows looked at in one go: their bytes and positions stay in the processor's cache.
_CHUNK: Final = 16_384

_FIELDS: Final = 5
_LIMIT: Final = np.array([255, 255, 255, 255, 32], dtype=np.int32)[:, None]
#: Least value of a field of so many digits: 07 and 007 have leading zeros. A field of no digits
#: or of more than three can reach no value.
_LEAST: Final = np.array([1 << 30, 0, 10, 100, 1 << 30], dtype=np.int32)
_NOT_A_DIGIT: Final = 10_000
_DIGIT: Final = np.full(256, _NOT_A_DIGIT, dtype=np.int32)
_DIGIT[ord("0") : ord("9") + 1] = np.arange(10)
_IS_SEPARATOR: Final = np.zeros(256, dtype=np.bool_)
_IS_SEPARATOR[[ord("."), ord("/")]] = True
_SEPARATORS: Final = np.frombuffer(b".../", dtype=np.uint8)[:, None]

#: Network mask by prefix length.
MASKS: Final[U32] = np.array(
    [(0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF for length in range(33)], dtype=np.uint32
)


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
        Arrow-backed or not, chunked or sliced; a column of objects is read by its strings.

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
    size = len(column)
    network = np.zeros(size, dtype=np.uint32)
    length = np.full(size, NO_LENGTH, dtype=np.uint8)
    flags = np.full(size, MALFORMED, dtype=np.uint8)
    done = 0
    for piece in _pieces(column):
        rows = slice(done, done + len(piece))
        _parse_piece(piece, network[rows], length[rows], flags[rows])
        done += len(piece)
    return Prefixes(network, length, flags)


def _pieces(column: pd.Series) -> Iterator[Any]:
    """Yield the column as flat Arrow arrays of at most `_CHUNK` rows."""
    text = pa.array(column.array, from_pandas=True)
    chunks = text.chunks if isinstance(text, pa.ChunkedArray) else [text]
    for chunk in chunks:
        flat = chunk if chunk.type == pa.large_string() else chunk.cast(pa.large_string())
        for start in range(0, len(flat), _CHUNK):
            yield flat.slice(start, _CHUNK)


def _parse_piece(piece: Any, network: U32, length: U8, flags: U8) -> None:
    """Fill one piece's rows of the three columns in place."""
    starts, ends, data = _flat(piece)
    good, address, bits = _read_rows(starts, ends, data)
    if piece.null_count:
        missing = pc.is_null(piece).to_numpy(zero_copy_only=False)
        flags[missing] = MISSING
        good &= ~missing
    masked = address & MASKS[np.where(good, bits, 0)]
    network[good] = masked[good]
    length[good] = bits[good]
    flags[good] = np.where(address != masked, HOST_BITS, 0)[good]
    if not good.all():
        flags[_is_ipv6(piece)] = IPV6


def _flat(piece: Any) -> tuple[I64, I64, U8]:
    """Return where each row starts and ends in the piece's bytes, and the bytes."""
    _, offset_buffer, data_buffer = piece.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)
    offsets = offsets[piece.offset : piece.offset + len(piece) + 1]
    data = (
        np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
        if data_buffer is not None
        else np.zeros(0, dtype=np.uint8)
    )
    offsets = offsets - offsets[0]
    return offsets[:-1], offsets[1:], data


def _read_rows(starts: I64, ends: I64, data: U8) -> tuple[Mask, U32, U8]:
    """Return which rows are ``a.b.c.d/len``, their address, and their length."""
    separators = np.flatnonzero(_IS_SEPARATOR[data])
    first = np.searchsorted(separators, starts)
    good = np.searchsorted(separators, ends) - first == _FIELDS - 1
    # Rows of another count read some neighbour's separators; `good` has ruled them out already.
    padded = np.concatenate([separators, np.zeros(_FIELDS, dtype=separators.dtype)])
    places = padded.take(first + np.arange(_FIELDS - 1)[:, None])
    if len(data):
        good &= (data.take(places) == _SEPARATORS).all(axis=0)
    begin = np.vstack([starts, places + 1])
    end = np.vstack([places, ends])
    values, fits = _read_fields(begin, end, data)
    good &= fits
    octets = values[:4].astype(np.uint32)
    address = (octets[0] << 24) | (octets[1] << 16) | (octets[2] << 8) | octets[3]
    return good, np.asarray(address), values[4].astype(np.uint8)


def _read_fields(begin: I64, end: I64, data: U8) -> tuple[npt.NDArray[np.int32], Mask]:
    """Return the value of each field (fields x rows), and the rows whose five fields all fit."""
    # Two leading bytes let the three places before any field's end exist.
    digits = np.concatenate([np.zeros(2, dtype=np.int32), _DIGIT[data]])
    if len(data) == 0:
        return np.zeros(end.shape, dtype=np.int32), np.zeros(end.shape[1], dtype=np.bool_)
    width = np.clip(end - begin, 0, 4)
    last = np.clip(end, 0, len(data)) + 1
    values = digits.take(last)
    values += np.where(width > 1, 10 * digits.take(last - 1), 0)
    values += np.where(width > 2, 100 * digits.take(np.maximum(last - 2, 0)), 0)
    fits = (values >= _LEAST[width]) & (values <= _LIMIT)
    return values, np.asarray(fits.all(axis=0))


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


def _is_ipv6(piece: Any) -> Mask:
    colon = pc.match_substring(piece, ":")
    if not pc.any(colon).as_py():
        return np.zeros(len(piece), dtype=np.bool_)
    matches = pc.fill_null(pc.match_substring_regex(piece, _IPV6), False)
    return np.asarray(matches.to_numpy(zero_copy_only=False), dtype=np.bool_)


def to_text(network: U32, length: U8) -> pd.Series:
    """Write prefixes as text.

    Parameters
    ----------
    network : ndarray of uint32
    length : ndarray of uint8
        `NO_LENGTH` gives a missing value.

    Returns
    -------
    Series of str
        Of the same length, with a fresh ``RangeIndex``.

    Examples
    --------
    >>> to_text(np.array([167772160, 0], np.uint32), np.array([8, 255], np.uint8)).tolist()
    ['10.0.0.0/8', nan]
    """
    octets = [_NUMBERS.take(pa.array((network >> shift) & 0xFF)) for shift in (24, 16, 8, 0)]
    address = pc.binary_join_element_wise(*octets, _DOT)
    bits = _NUMBERS.take(pa.array(length, mask=length == NO_LENGTH))
    return pd.Series(pc.binary_join_element_wise(address, bits, _SLASH), dtype="str")


_NUMBERS: Final = pa.array([str(number) for number in range(256)], type=pa.large_string())
_DOT: Final = pa.scalar(".", type=pa.large_string())
_SLASH: Final = pa.scalar("/", type=pa.large_string())
