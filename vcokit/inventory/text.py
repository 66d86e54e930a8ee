"""What bytes mean: any source as UTF-8 without byte order mark or NUL, or one clear error.

::

    str with a newline ─────────────────────────────┐
    text file object ───────────────────────────────┤
    path, binary file object, bytes                 │
      └─ gzip? unpacked                             │
          └─ xlsx, xls, parquet, ...? refused       ├─▶ no NUL, no lone surrogate ─▶ Text
              └─ encoding given? that one, strictly │
                 byte order mark? what it says      │
                 NULs in every other byte? UTF-16   │
                 else what `narrow` finds           ┘

A line ends with LF, CR LF or CR alone, as in the `csv` module; lines count from 1.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import pandas as pd

from vcokit.errors import InputError, InventoryError
from vcokit.inventory.bound import STREAM
from vcokit.inventory.narrow import is_utf8, line_at, narrow
from vcokit.inventory.packed import GZIP, unpacked


class Readable(Protocol):
    """A file object, open for reading, binary or text."""

    def read(self) -> Any:
        """Return all that is left to read."""


Source: TypeAlias = str | bytes | os.PathLike[str] | Readable

#: Byte order marks. That of UTF-32 LE begins with that of UTF-16 LE, so it is asked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SAVE_SHEET: Final = "Open it in a spreadsheet, save the sheet as CSV UTF-8, and read that file"
_UNPACK: Final = "Unpack it, and read the CSV file in it"

#: What binary files begin with, what they look like then, and what to do.
_MAGIC: Final = (
    (rb"PK\x03\x04", "an Excel workbook (.xlsx) or another zip archive", "Name it .xlsx, .xlsm, "
     '.xlsb or .ods as what it is, or pass format="excel"'),
    (rb"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", _SAVE_SHEET),
    (rb"PAR1(?:[^\t\n\r -~]|[\s\S]*PAR1\Z)", "a Parquet file", "Name it .parquet, "
     'or pass format="parquet"'),
    (rb"ARROW1\x00", "an Arrow file", "Write it out as CSV: pandas.read_feather(path).to_csv(...)"),
    (rb"SQLite format 3\x00", "an SQLite database", "Export the table as CSV"),
    (rb"%PDF-", "a PDF document", "Ask for the table as CSV"),
    (rb"7z\xbc\xaf\x27\x1c|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|BZh[1-9]1AY&SY", "a packed file", _UNPACK),
)  # fmt: skip

_SHOWN: Final = 200  # characters of a path that may be no path

#: Bytes that are read at a time where the end is not known.
_BLOCK: Final = 1 << 20
#: Bytes from which a format is known.
_BEGINNING: Final = 256
#: Bytes looked at for the NULs of UTF-16.
_SAMPLE: Final = 65_536


@dataclass(frozen=True)
class Text:
    """A source as text.

    ``data`` is valid UTF-8 without byte order mark and without NUL; its line ends are those of
    the source. ``encoding`` is that of the source, None where it came decoded.
    """

    source: str
    data: bytes
    encoding: str | None
    notes: tuple[str, ...] = ()


def load(source: Source, encoding: str | None = None) -> Text:
    r"""Return a source as text.

    Parameters
    ----------
    source : str, path or file object
        A str that contains a newline is text itself, any other is a path.
    encoding : str, optional
        Encoding of bytes; found where it is not given.

    Raises
    ------
    InventoryError
        If there is no such file, or what it holds is no text.
    InputError
        If the source is of another type, or there is no such encoding.

    Examples
    --------
    >>> load("RouteDest,Weight\n10.0.0.0/8,100\n").source
    '<text>'
    """
    check_encoding(encoding)
    name, content = content_of(source)
    if isinstance(content, str):
        return decode(name, content, encoding)
    content, notes = unpacked(name, content)
    return decode(name, content, encoding, notes)


def decode(
    name: str, content: bytes | str, encoding: str | None = None, notes: Sequence[str] = ()
) -> Text:
    """Return unpacked content as text; see `load`."""
    if isinstance(content, str):
        return Text(name, _utf8(name, content), None)
    notes = list(notes)
    _refuse_binary(name, content)
    found, data, guessed = _decoded(name, content, encoding)
    notes += [guessed] if guessed else []
    return Text(name, data, found, tuple(notes))


def beginning(data: bytes) -> str:
    r"""Return the first letters of bytes, as far as they are known without reading all of them.

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


def content_of(source: object) -> tuple[str, bytes | str]:
    """Return the name of a source and what it holds."""
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        return "<text>", source
    if isinstance(source, str | os.PathLike):
        return _named(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<buffer>", bytes(source)
    if hasattr(source, "read"):
        return name_of(source), _drained(name_of(source), source)
    remedy = "Give a path, an open file, the text itself, or a list of these"
    if isinstance(source, pd.DataFrame):
        remedy = "A frame needs no reading: give it to audit_routes or plan_routes as it is"
    raise InputError(f"routes cannot be read from a {type(source).__name__}", remedy=remedy)


def _named(path: str | os.PathLike[str]) -> tuple[str, bytes | str]:
    """Return the name of a path, fit for any output, and what the file holds."""
    name = os.fspath(path)
    if not isinstance(name, str):
        raise InputError("a path must be text, not bytes", remedy="Decode it with os.fsdecode")
    try:
        with Path(name).open("rb") as file:
            endless = not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = _bounded(name_of(path), file) if endless else file.read()
    except InventoryError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message, remedy = f"cannot be read: {reason}", "Check the path"
        if isinstance(path, str):
            message = f"taken for a path, as it holds no newline, and {message}"
            remedy += "; if it was meant as the text itself, end it with a newline"
        shown = name[:_SHOWN] if name and name.isprintable() else ascii(name[:_SHOWN])
        raise InventoryError(message, source=shown, remedy=remedy) from None
    return name_of(path), content


def name_of(source: object) -> str:
    """Return the name of a source: its path, also where it comes open, or what it is."""
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        return "<text>"
    if not isinstance(source, str | os.PathLike):
        source = getattr(source, "name", None)  # a number where only a descriptor was opened
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    # Bytes of a name that are no text stand in it as halves of surrogate pairs.
    return name.encode("utf-8", "backslashreplace").decode("utf-8") if name else "<buffer>"


def _bounded(name: str, file: Any) -> bytes | str:
    """Return what an open file holds that may have no end; raise past `STREAM`."""
    part = file.read(_BLOCK)
    content: Any = io.StringIO(newline="") if isinstance(part, str) else io.BytesIO()
    while part:
        content.write(part)
        if content.tell() > STREAM:
            raise InventoryError(
                f"more than {STREAM >> 20:,} MiB, and no end of it",
                source=name,
                remedy="Save it as a file, and give its path; a device is no inventory",
            )
        part = file.read(_BLOCK)
    held: bytes | str = content.getvalue()
    return held


def _drained(name: str, file: Readable) -> bytes | str:
    try:
        content = _bounded(name, file) if isinstance(file, io.IOBase) else file.read()
    except InventoryError:
        raise
    except (OSError, ValueError) as error:  # closed, write-only, or opened in a wrong encoding
        raise InventoryError(
            f"the open file cannot be read: {error}",
            source=name,
            remedy='Open it with mode "rb", or give its path',
        ) from None
    if isinstance(content, str | bytes):
        return content
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    raise InputError(
        f"read() of the source gave a {type(content).__name__}",
        remedy="Give a file object that reads bytes or text",
    )


def _refuse_binary(name: str, data: bytes) -> None:
    """Raise for what is known to be no text. NULs are seen later, once UTF-16 is decoded."""
    for magic, looks_like, remedy in _MAGIC:
        if re.match(magic, data):
            raise InventoryError(f"this is {looks_like}, no CSV", source=name, remedy=remedy)
    if data.startswith(GZIP):
        raise InventoryError("a gzip file within a gzip file", source=name, remedy=_UNPACK)


def check_encoding(encoding: str | None) -> None:
    """Raise `InputError` for what names no encoding of text."""
    if encoding is None:
        return
    try:
        b" ".decode(encoding)  # empty bytes would not be looked at
    except UnicodeError:
        return  # half a character of UTF-16, say
    except (LookupError, TypeError, ValueError):
        raise InputError(
            f"encoding {encoding!r} is not known",
            remedy='Leave it out to have it found, or give one such as "utf-8" or "gb18030"',
        ) from None


def _decoded(name: str, data: bytes, encoding: str | None) -> tuple[str, bytes, str | None]:
    """Return the encoding of bytes, the same text in UTF-8, and a note where it was guessed."""
    if encoding is not None:
        return encoding, _transcoded(name, data, encoding), None
    for mark, found in _MARKS:
        if data.startswith(mark):
            return found, _transcoded(name, data[len(mark) :], found.removesuffix("-sig")), None
    wide = _unmarked_utf16(data)
    if wide:
        return wide, _transcoded(name, data, wide), None
    _refuse_nul(name, data)
    return narrow(name, data)


def _transcoded(name: str, data: bytes, encoding: str) -> bytes:
    """Return bytes of a known encoding as UTF-8; UTF-8 itself is checked, not copied."""
    if codecs.lookup(encoding).name != "utf-8" or data.startswith(codecs.BOM_UTF8):
        return _utf8(name, _strictly(name, data, encoding))
    if not is_utf8(data):
        _strictly(name, data, encoding)
    _refuse_nul(name, data)
    return data


def _strictly(name: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InventoryError(
            f"byte 0x{error.object[error.start]:02x} is no {encoding} ({error.reason})",
            source=name,
            line=_line_in(encoding, error),
            remedy="Save the file as UTF-8, or name the right encoding=",
        ) from None
    except (ValueError, LookupError) as error:  # codecs with errors of their own, such as idna
        raise InventoryError(
            f"not readable as {encoding}: {error}", source=name, remedy="Name the right encoding="
        ) from None


def _line_in(encoding: str, error: UnicodeDecodeError) -> int | None:
    """Return the line of the first byte that cannot be decoded, where the codec lets us know."""
    try:
        before = error.object[: error.start].decode(encoding, "replace").encode("utf-8", "replace")
    except ValueError:
        return None
    return line_at(before, len(before))


def _unmarked_utf16(data: bytes) -> str | None:
    """Return which UTF-16 bytes without a mark are, or None.

    Delimiters, line ends and digits are ASCII, so the bytes of one side are mostly NUL; on the
    other side NULs are rare (a character such as U+4E00 has one).
    """
    sample = data[:_SAMPLE]
    if b"\0" not in sample or len(data) % 2:
        return None
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if max(first, second) < 2 * min(first, second):
        return None
    encoding = "utf-16-be" if first > second else "utf-16-le"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def _utf8(name: str, text: str) -> bytes:
    """Return text in UTF-8, without a leading mark; raise for what is no text after all."""
    try:
        data = text.removeprefix("\ufeff").encode("utf-8")
    except UnicodeEncodeError as error:
        before = text[: error.start].encode("utf-8", "replace")
        raise InventoryError(
            "half of a surrogate pair, which stands for no character",
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
