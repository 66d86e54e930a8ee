r"""In which encoding bytes are that have no mark and no NUL: UTF-8, or what they show instead.

=====================================  =======================================================
bytes                                  taken for
=====================================  =======================================================
UTF-8                                  UTF-8
UTF-8 but for few places               a damaged file: one error, at the first such place
most high bytes stand alone beside     cp1252: Western letters, which are a byte each, stand so
letters (``M\xfcller``)
else                                   GB18030, where every character is one of its own
no GB18030, high bytes are few and     cp1252: ``HQ \x96 Ulm``, ``5 \x80``. Few are one in `_FEW`;
none beside another                    ``\xff``, which fills damaged files, is none of them
=====================================  =======================================================

GB18030 takes nearly any bytes for Chinese, so it is asked late. A file is UTF-8 but for few places
where `_BEFORE` characters of it precede the first, or are `_TIMES` as many as such places near it:
of the characters that Chinese text in GB18030 is made of, a quarter could be UTF-8 by accident.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from vcokit.errors import InventoryError

#: Characters of UTF-8 before the first bad place that cannot be there by accident.
_BEFORE: Final = 8
#: Characters of UTF-8 to a bad place that cannot be there by accident.
_TIMES: Final = 3
#: Bytes behind the first bad place that are looked at.
_NEAR: Final = 1 << 16
#: Of so many bytes one may be high in a text of Western signs.
_FEW: Final = 8
#: Bytes whose high ones are looked at for their neighbours.
_SAMPLE: Final = 1 << 22

_GUESS: Final = "not UTF-8, read as {}; if letters look wrong, name the encoding"


def narrow(name: str, data: bytes) -> tuple[str, bytes, str | None]:
    r"""Return the encoding of bytes, the same text in UTF-8, and a note where it was guessed.

    Raises
    ------
    InventoryError
        If the bytes are damaged UTF-8, or no text of an encoding that is tried.

    Examples
    --------
    >>> narrow("a.csv", "Zürich\n".encode("cp1252"))[0]
    'cp1252'
    >>> narrow("a.csv", "杭州\n".encode("gb18030"))[0]
    'gb18030'
    """
    if is_utf8(data):
        return "utf-8", data, None
    fault = _fault(data, "utf-8")
    if _is_damaged(data, fault.start):
        raise _damaged(name, data, fault)
    reached = fault.start
    for encoding in _likely(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            # The encoding that gets further is the likelier one, its fault the true one.
            reached = max(reached, error.start)
        else:
            shown = encoding.upper() if encoding == "gb18030" else encoding
            return encoding, text.encode("utf-8"), _GUESS.format(shown)
    raise InventoryError(
        f"byte 0x{data[reached]:02x} is neither UTF-8 nor GB18030",
        source=name,
        line=line_at(data, reached),
        remedy='Save the file as UTF-8, or name its encoding, such as encoding="cp1252"',
    )


def line_at(data: bytes, end: int) -> int:
    r"""Return the line, from 1, on which the byte at a position stands.

    Examples
    --------
    >>> line_at(b"a\r\nb\rc\nd", 7)
    4
    """
    ends = data.count(b"\n", 0, end) + data.count(b"\r", 0, end) - data.count(b"\r\n", 0, end)
    return ends + 1


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are UTF-8, in a tenth of the time that decoding them takes."""
    bounds = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, bounds, pa.py_buffer(data)])
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _fault(data: bytes, encoding: str) -> UnicodeDecodeError:
    """Return what a codec says against bytes that it cannot decode."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error
    raise AssertionError(f"bytes that are no {encoding} were decoded")  # pragma: no cover


def _is_damaged(data: bytes, start: int) -> bool:
    """Tell whether bytes whose first bad place is known are UTF-8 but for few places."""
    before = _characters(data[:start])
    near = data[start : start + _NEAR]
    bad = near.decode("utf-8", "replace").count("\ufffd")
    good = before + _characters(near.decode("utf-8", "ignore").encode())
    return before >= _BEFORE or good >= _TIMES * bad


def _characters(data: bytes) -> int:
    """Return how many characters of UTF-8 are not ASCII: those have one such byte each."""
    return int(np.count_nonzero(_letters(data) >= 0xC0))


def _letters(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(data, dtype=np.uint8)


def _damaged(name: str, data: bytes, fault: UnicodeDecodeError) -> InventoryError:
    cut = fault.end == len(data) and fault.reason == "unexpected end of data"
    message = (
        "the file ends in the middle of a character: it seems to be cut off"
        if cut
        else f"byte 0x{data[fault.start]:02x} is no UTF-8, as the file is elsewhere: it is damaged"
    )
    return InventoryError(
        message,
        source=name,
        line=line_at(data, fault.start),
        remedy="Fetch the file again, or save it as UTF-8; if it is in another encoding, name it, "
        'such as encoding="gb18030"',
    )


def _likely(data: bytes) -> tuple[str, ...]:
    """Return the encodings to try, the likeliest first."""
    if _is_western(data):
        return "cp1252", "gb18030"
    high = _letters(data) >= 0x80
    sparse = _FEW * np.count_nonzero(high) <= len(data) and not (high[1:] & high[:-1]).any()
    return ("gb18030", "cp1252") if sparse and b"\xff" not in data else ("gb18030",)


def _is_western(data: bytes) -> bool:
    """Tell whether most high bytes stand alone, beside an ASCII letter."""
    letters = _letters(data[:_SAMPLE])
    high = letters >= 0x80
    letter = ((letters | 0x20) >= ord("a")) & ((letters | 0x20) <= ord("z"))
    ends = np.zeros(1, dtype=np.bool_)
    high_before, high_behind = np.append(ends, high[:-1]), np.append(high[1:], ends)
    beside = np.append(ends, letter[:-1]) | np.append(letter[1:], ends)
    alone = high & ~high_before & ~high_behind & beside
    return bool(2 * np.count_nonzero(alone) > np.count_nonzero(high))
