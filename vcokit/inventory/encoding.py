r"""Conversion of bytes in any encoding to UTF-8 text, or one error that names the line.

::

    str with a newline, text file ────────────────────┐
    bytes of a path, a binary file, bytes             │
      └─ workbook, Parquet, PDF, …? an error          ├─▶ no NUL, no lone surrogate ─▶ Text
          └─ encoding given? that one, strictly       │
             byte order mark? its encoding            │
             NULs in every other byte? UTF-16         │
             else `detect_encoding`                   ┘

=====================================  =======================================================
bytes without a mark and without NUL   are read as
=====================================  =======================================================
UTF-8                                  UTF-8
UTF-8 except in a few places           a damaged file: one error, at the first such place
most high bytes are single and next    cp1252: this is typical of Western letters, which are one
to a letter (``M\xfcller``)            byte each
anything else                          GB18030, if all bytes are valid GB18030
not GB18030, high bytes are few and    cp1252: ``HQ \x96 Ulm``, ``5 \x80``. "Few" is at most one
never adjacent                         in `_FEW`. Not with ``\xff``, which is common in damaged
                                       files
=====================================  =======================================================

GB18030 accepts nearly any bytes as Chinese, so it is tried late. A file counts as UTF-8 except in a
few places in two cases: at least `_BEFORE` non-ASCII characters of UTF-8 precede the first bad
place, or up to and near that place there are at least `_TIMES` as many of them as bad places. This
ratio is needed because about a quarter of the characters of Chinese text in GB18030 could be valid
UTF-8 by accident.

A line ends with LF, CR LF or CR alone, as in the `csv` module; lines count from 1.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from vcokit.errors import InputError, InventoryError, Remedy

#: Byte order marks. The mark of UTF-32 LE begins with that of UTF-16 LE, so it comes first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SAVE_SHEET: Final = "Open it in a spreadsheet, save the sheet as CSV UTF-8, and read that file"
_UNPACK: Final = "Unpack it, and read the CSV file in it"

#: First bytes of binary files, what kind of file they indicate, and the remedy.
_MAGIC: Final = (
    (rb"PK\x03\x04", "an Excel workbook (.xlsx) or another zip archive", "Name it .xlsx, .xlsm, "
     '.xlsb or .ods as what it is, or pass format="excel"'),
    (rb"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", _SAVE_SHEET),
    (rb"PAR1(?:[^\t\n\r -~]|[\s\S]*PAR1\Z)", "a Parquet file", "Name it .parquet, "
     'or pass format="parquet"'),
    (rb"ARROW1\x00", "an Arrow file", "Write it out as CSV: pandas.read_feather(path).to_csv(...)"),
    (rb"SQLite format 3\x00", "an SQLite database", "Export the table as CSV"),
    (rb"%PDF-", "a PDF document", "Ask for the table as CSV"),
    (rb"\x1f\x8b", "a gzip file within a compressed file", _UNPACK),
    (rb"7z\xbc\xaf\x27\x1c|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|BZh[1-9]1AY&SY", "a packed file", _UNPACK),
)  # fmt: skip

#: Number of first bytes used to detect the format.
_BEGINNING: Final = 256
#: Number of first bytes in which the NULs of UTF-16 are counted.
_UTF16_SAMPLE: Final = 65_536

#: In a table in UTF-16, at least one character in this many is ASCII.
_NULS: Final = 8
#: This many non-ASCII characters of UTF-8 before the first bad place are not an accident.
_BEFORE: Final = 8
#: This many non-ASCII characters of UTF-8 per bad place are not an accident.
_TIMES: Final = 3
#: Number of bytes that are checked from the first bad place on.
_NEAR: Final = 1 << 16
#: In a text with Western signs, at most one byte in this many is high.
_FEW: Final = 8
#: Number of first bytes in which high bytes are compared with their neighbours.
_WESTERN_SAMPLE: Final = 1 << 22

_GUESS: Final = "not UTF-8, read as {}; if letters look wrong, name the encoding"


@dataclass(frozen=True)
class Text:
    """A source as text.

    ``data`` is valid UTF-8 without a byte order mark and without NUL; its line ends are those of
    the source. ``encoding`` is the encoding of the source, None if the source was already text.
    """

    source: str
    data: bytes
    encoding: str | None
    notes: tuple[str, ...] = ()


def decode(
    name: str, content: bytes | str, encoding: str | None = None, notes: Sequence[str] = ()
) -> Text:
    """Return the content of a source as text, or raise `InventoryError`."""
    if isinstance(content, str):
        return Text(name, _utf8(name, content), None)
    for magic, looks_like, remedy in _MAGIC:
        if re.match(magic, content):
            raise InventoryError(f"this is {looks_like}, not CSV", source=name, remedy=remedy)
    if encoding is not None:
        return Text(name, _transcoded(name, content, encoding), encoding, tuple(notes))
    for mark, found in _MARKS:
        if content.startswith(mark):
            data = _transcoded(name, content[len(mark) :], found.removesuffix("-sig"))
            return Text(name, data, found, tuple(notes))
    wide = _unmarked_utf16(content)
    if wide:
        return Text(name, _transcoded(name, content, wide), wide, tuple(notes))
    _refuse_nul(name, content)
    found, data, guess = detect_encoding(name, content)
    return Text(name, data, found, (*notes, guess) if guess else tuple(notes))


def detect_encoding(name: str, data: bytes) -> tuple[str, bytes, str | None]:
    r"""Return the encoding of bytes, the same text in UTF-8, and a note if the encoding is a guess.

    Examples
    --------
    >>> detect_encoding("a.csv", "Zürich\n".encode("cp1252"))[0]
    'cp1252'
    >>> detect_encoding("a.csv", "杭州\n".encode("gb18030"))[0]
    'gb18030'
    """
    if is_utf8(data):
        return "utf-8", data, None
    fault = _fault(data)
    if _is_damaged(data, fault.start):
        raise _damaged(name, data, fault)
    reached = fault.start
    for encoding in _likely(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            # Report the error that is furthest into the file: that encoding is the most likely.
            reached = max(reached, error.start)
        else:
            shown = encoding.upper() if encoding == "gb18030" else encoding
            return encoding, text.encode("utf-8"), _GUESS.format(shown)
    raise InventoryError(
        f"byte 0x{data[reached]:02x} is neither UTF-8 nor GB18030",
        source=name,
        line=line_at(data, reached),
        remedy=Remedy(
            "Save the file as UTF-8, or name its encoding, such as {encoding}", encoding="cp1252"
        ),
    )


def check_encoding(encoding: str | None) -> None:
    """Raise `InputError` if the argument is not the name of a text encoding."""
    if encoding is None:
        return
    try:
        b" ".decode(encoding)  # for empty bytes, Python does not look up the encoding
    except UnicodeError:
        return  # a known encoding, such as UTF-16, in which one byte is half a character
    except (LookupError, TypeError, ValueError):
        raise InputError(
            f"encoding {encoding!r} is not known",
            remedy='Leave it out to have it found, or give one such as "utf-8" or "gb18030"',
        ) from None


def beginning(data: bytes) -> str:
    r"""Return the first characters of bytes, decoded as far as possible from the first bytes only.

    Examples
    --------
    >>> beginning('{"a"'.encode("utf-16-be"))
    '{"a"'
    """
    sample = data[:_BEGINNING]
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return sample[len(mark) :].decode(encoding.removesuffix("-sig"), "ignore")
    return sample.decode(_unmarked_utf16(sample) or "ascii", "ignore")


def line_at(data: bytes, end: int) -> int:
    r"""Return the line number, from 1, of the byte at a position.

    Examples
    --------
    >>> line_at(b"a\r\nb\rc\nd", 7)
    4
    """
    ends = data.count(b"\n", 0, end) + data.count(b"\r", 0, end) - data.count(b"\r\n", 0, end)
    return ends + 1


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are valid UTF-8, ten times as fast as decoding them."""
    bounds = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, bounds, pa.py_buffer(data)])
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _transcoded(name: str, data: bytes, encoding: str) -> bytes:
    """Return bytes of a known encoding as UTF-8; UTF-8 itself is checked but not copied."""
    if codecs.lookup(encoding).name == "utf-8" and not data.startswith(codecs.BOM_UTF8):
        if not is_utf8(data):
            _strictly(name, data, encoding)
        _refuse_nul(name, data)
        return data
    return _utf8(name, _strictly(name, data, encoding))


def _strictly(name: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InventoryError(
            f"byte 0x{error.object[error.start]:02x} is no {encoding} ({error.reason})",
            source=name,
            line=_line_in(encoding, error),
            remedy=Remedy("Save the file as UTF-8, or name the right {encoding}", encoding=...),
        ) from None
    except (ValueError, LookupError) as error:  # some codecs, such as idna, raise other errors
        raise InventoryError(
            f"not readable as {encoding}: {error}",
            source=name,
            remedy=Remedy("Name the right {encoding}", encoding=...),
        ) from None


def _line_in(encoding: str, error: UnicodeDecodeError) -> int | None:
    """Return the line of the first byte that cannot be decoded, None if the codec cannot tell."""
    try:
        before = error.object[: error.start].decode(encoding, "replace").encode("utf-8", "replace")
    except ValueError:
        return None
    return line_at(before, len(before))


def _unmarked_utf16(data: bytes) -> str | None:
    """Return the variant of UTF-16 of bytes without a mark, or None if they are not UTF-16.

    Delimiters, line ends and digits are ASCII, so one byte of each pair is often NUL. The other
    byte is rarely NUL (only for characters such as U+4E00).
    """
    sample = data[:_UTF16_SAMPLE]
    if b"\0" not in sample or len(data) % 2:
        return None
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    most, least = max(first, second), min(first, second)
    if most < 2 * least or _NULS * most < len(sample) // 2:
        return None
    encoding = "utf-16-be" if first > second else "utf-16-le"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def _utf8(name: str, text: str) -> bytes:
    """Return text as UTF-8, without a byte order mark; raise for a lone surrogate or a NUL."""
    try:
        data = text.removeprefix("\ufeff").encode("utf-8")
    except UnicodeEncodeError as error:
        before = text[: error.start].encode("utf-8", "replace")
        raise InventoryError(
            "a lone surrogate, which is not a valid character",
            source=name,
            line=line_at(before, len(before)),
            remedy="Read the file itself, by its path, instead of decoded text",
        ) from None
    _refuse_nul(name, data)
    return data


def _refuse_nul(name: str, data: bytes) -> None:
    place = data.find(b"\0")
    if place >= 0:
        raise InventoryError(
            "a NUL, which no text holds: a binary or damaged file",
            source=name,
            line=line_at(data, place),
            remedy=_SAVE_SHEET,
        )


def _fault(data: bytes) -> UnicodeDecodeError:
    """Return Python's decoding error for bytes that are not UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error
    raise AssertionError("bytes that are not UTF-8 were decoded")  # pragma: no cover


def _is_damaged(data: bytes, start: int) -> bool:
    """Return whether bytes are UTF-8 except in a few places; `start` is the first bad place."""
    before = _characters(data[:start])
    near = data[start : start + _NEAR]
    bad = near.decode("utf-8", "replace").count("\ufffd")
    good = before + _characters(near.decode("utf-8", "ignore").encode())
    return before >= _BEFORE or good >= _TIMES * bad


def _characters(data: bytes) -> int:
    """Return the number of non-ASCII characters of UTF-8, by counting their first bytes."""
    return int(np.count_nonzero(_codes(data) >= 0xC0))


def _codes(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(data, dtype=np.uint8)


def _damaged(name: str, data: bytes, fault: UnicodeDecodeError) -> InventoryError:
    cut = fault.end == len(data) and fault.reason == "unexpected end of data"
    message = (
        "the file ends in the middle of a character: it seems to be cut off"
        if cut
        else f"byte 0x{data[fault.start]:02x} is not UTF-8, but the rest of the file is: "
        "it is damaged"
    )
    return InventoryError(
        message,
        source=name,
        line=line_at(data, fault.start),
        remedy=Remedy(
            "Fetch the file again, or save it as UTF-8; if it is in another encoding, name it, "
            "such as {encoding}",
            encoding="gb18030",
        ),
    )


def _likely(data: bytes) -> tuple[str, ...]:
    """Return the encodings to try, the most likely first."""
    if _is_western(data):
        return "cp1252", "gb18030"
    high = _codes(data) >= 0x80
    sparse = _FEW * np.count_nonzero(high) <= len(data) and not (high[1:] & high[:-1]).any()
    return ("gb18030", "cp1252") if sparse and b"\xff" not in data else ("gb18030",)


def _is_western(data: bytes) -> bool:
    """Return whether most high bytes are single and next to an ASCII letter."""
    codes = np.pad(_codes(data[:_WESTERN_SAMPLE]), 1)
    high = codes >= 0x80
    letter = ((codes | 0x20) >= ord("a")) & ((codes | 0x20) <= ord("z"))
    beside = letter[:-2] | letter[2:]
    alone = high[1:-1] & ~high[:-2] & ~high[2:] & beside
    return bool(2 * np.count_nonzero(alone) > np.count_nonzero(high))
