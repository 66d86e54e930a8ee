"""Sources to read: paths, patterns, standard input, open files and text, compressed or not.

==============================  ==========================================================
given                           read
==============================  ==========================================================
``"a.csv"``, a `Path`           that file
``"b/*.csv"``, ``"b/**/*.csv"`` all matching files, sorted by name; at least one must match;
                                Excel's lock files (``~$book.xlsx``) are ignored
``"-"``                         standard input
a str with a newline, bytes,    its content
an open file
a list or several of these      each in turn; a file is read only once
==============================  ==========================================================

The format is given by ``format=``; else by the name's suffix, see `SUFFIXES` (``.gz`` and ``.zst``
are ignored); else by the first bytes of the content. If name and content indicate different
formats, this is an error that names both.

::

    bytes of the file ──decompress──▶ bytes ──reader──▶ text and cells ──▶ columns
                     `is_decompression_bomb`       `Budget`

A kilobyte can expand to gigabytes: by a repeated row, by references to a text, or by a header of
thousands of columns above rows of one cell. So the readers compute the size before they expand such
content (repeats and references times their length, rows times columns), because a library that runs
out of memory may end the whole process. This keeps a file of up to a megabyte below a gigabyte of
memory. The limit of a larger file is a multiple of its size, chosen to fit inventories: compressed
ones expand about 30 times, the most repetitive 100 times.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import re
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa

from vcokit._text import printable
from vcokit.errors import InputError, InventoryError
from vcokit.inventory.encoding import beginning

#: Formats, as ``format=`` names them.
FORMATS: Final = ("csv", "excel", "jsonl", "parquet", "terraform")
SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tf": "terraform",  # can only be written
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".ods": "excel",
    ".xls": "excel",  # the Excel reader refuses it, with a remedy
}
#: Suffixes of compressed files.
COMPRESSED: Final = (".gz", ".zst")

#: Limits of decompression: bytes that are allowed for any file, beyond that the ratio to the bytes
#: read from the compressed file, and the most bytes in any case.
UNPACKED_FREE: Final = 64 << 20
UNPACKED_RATIO: Final = 128
UNPACKED_MOST: Final = 4 << 30
#: Limits of text and cells: bytes that are allowed for any file, and beyond that the ratio to the
#: size of the file.
FREE: Final = 224 << 20
RATIO: Final = 224
#: Bytes that a cell counts in addition to its text.
CELL: Final = 16
#: Most bytes of a source that may be endless, such as a pipe or a device.
STREAM: Final = 1 << 30

_MAGIC: Final = ((b"PK\x03\x04", "excel"), (b"\xd0\xcf\x11\xe0", "excel"), (b"PAR1\x15", "parquet"))
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: Beginning of a JSON object, or of a list of objects.
_JSON: Final = re.compile(r"[\ufeff \t\r\n]*(?:\{|\[[ \t\r\n]*[\{\]])")

_STDIN: Final = "-"
_BLOCK: Final = 1 << 20  # bytes that are read at a time if the size is not known
_SHOWN: Final = 200  # most characters of foreign text in a message


class Readable(Protocol):
    """A file object, open for reading, binary or text."""

    def read(self) -> Any:
        """Return the rest of the content."""


Source: TypeAlias = str | bytes | os.PathLike[str] | Readable


class Budget:
    """Limit on the text and cells of a file of ``size`` bytes before decompression."""

    def __init__(self, source: str, size: int) -> None:
        self._source = source
        self._most = max(FREE, RATIO * size)
        self._size = size
        self._taken = 0

    def check(self, text: int, cells: int, *, line: int | None = None) -> None:
        """Raise if these bytes of text and cells, in addition to those taken, exceed the limit.

        Empty cells count too.
        """
        if self._taken + text + CELL * cells > self._most:
            raise InventoryError(
                f"a file of {self._size:,} bytes that becomes more than {self._most >> 20:,} MiB "
                "of cells, which is too large for an inventory",
                source=self._source,
                line=line,
                remedy="Look for repeated content: a long text in many rows, a header of many "
                "columns, many networks in one cell; or split the file, and read its parts "
                "together",
            )

    def take(self, text: int, cells: int, *, line: int | None = None) -> None:
        """Check the limit, and count the given amounts as taken."""
        self.check(text, cells, line=line)
        self._taken += text + CELL * cells


@dataclass(frozen=True)
class File:
    """A source with its decompressed content and its format; ``sha256`` is of the bytes as read."""

    name: str
    content: bytes | str
    format: str
    budget: Budget
    sha256: str
    notes: Sequence[str] = ()


def find_sources(given: Iterable[Any]) -> list[Any]:
    """Return the given sources with patterns expanded and without repeated files."""
    found: list[Any] = []
    seen: set[tuple[int, int]] = set()
    for source in _listed(given):
        there = _file_of(source)
        if there is None or (there.st_dev, there.st_ino) not in seen:
            found.append(source)
        if there is not None:
            seen.add((there.st_dev, there.st_ino))
    if not found:
        raise InputError("no source was given", remedy="Give a path, an open file, or text")
    return found


def open_source(
    source: Any,
    format: str | None = None,  # noqa: A002
    seen: Counter[str] | None = None,
) -> File:
    """Return a source with its content and its format.

    ``seen`` counts the names of sources that are not paths, so that each gets a unique name.
    """
    name, content = _content_of(source)
    named = named_format(name)
    if seen is not None and not is_path(source):
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name[:-1]} {seen[name]}>" if name[-1:] == ">" else f"{name} ({seen[name]})"
    budget = Budget(name, len(content))
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    digest = hashlib.sha256(raw).hexdigest()
    notes: list[str] = []
    if isinstance(content, bytes):
        content, notes = _decompress(name, content)
    return File(name, content, format or named or _format_of(content), budget, digest, notes)


@contextmanager
def one_memory_error(source: str) -> Iterator[None]:
    """Replace a `MemoryError` of any library by an `InventoryError`."""
    try:
        yield
    except MemoryError:  # Arrow's error is a subclass
        raise InventoryError(
            "there is not enough memory to read it",
            source=source,
            remedy="Split the file and read one part after the other, or free memory",
        ) from None


def size_of(source: Any) -> int:
    """Return the size of a source if it is known before reading, else 0."""
    there = _file_of(source)
    if there is not None:
        return there.st_size
    is_content = isinstance(source, str | bytes | bytearray | memoryview) and not is_path(source)
    return len(source) if is_content else 0


def name_of(source: object) -> str:
    """Return the name of a source: its path (also of an open file), or its kind."""
    if isinstance(source, str) and not is_path(source):
        return "<text>"
    if not isinstance(source, str | os.PathLike):
        source = getattr(source, "name", None)  # an int if a file descriptor was opened
    name = os.fsdecode(source) if isinstance(source, str | os.PathLike) else ""
    # Bytes of a name that are not text are lone surrogates in it.
    return name.encode("utf-8", "backslashreplace").decode("utf-8") if name else "<buffer>"


def named_format(name: str) -> str | None:
    """Return the format that a file's name indicates, or None.

    Examples
    --------
    >>> named_format("a.csv.gz"), named_format("A.XLSX"), named_format("routes")
    ('csv', 'excel', None)
    """
    path = PurePath(name)
    suffix = path.suffix.lower()
    return SUFFIXES.get(PurePath(path.stem).suffix.lower() if suffix in COMPRESSED else suffix)


def check_format(format: str | None) -> None:  # noqa: A002
    """Raise `InputError` if the argument is not a format."""
    if format is not None and format not in FORMATS:
        raise InputError(
            f"format {format!r} is not known",
            remedy=f"Write one of {', '.join(FORMATS)}, or leave it out to detect it",
        )


def is_path(source: Any) -> bool:
    """Return whether a source is a path; a str with a line end is text instead."""
    if isinstance(source, str):
        return not ("\n" in source or "\r" in source)
    return isinstance(source, os.PathLike) and isinstance(os.fspath(source), str)


def is_decompression_bomb(seen: int, consumed: int) -> bool:
    """Return whether `seen` bytes, decompressed from `consumed` bytes, are too many for routes.

    Examples
    --------
    >>> [is_decompression_bomb(n << 20, 1 << 20) for n in (64, 100, 300)]
    [False, False, True]
    """
    return seen > UNPACKED_MOST or (seen > UNPACKED_FREE and seen > UNPACKED_RATIO * consumed)


def reason_of(error: BaseException) -> str:
    r"""Return the text of a library's error: on one line, shortened, control characters escaped.

    Examples
    --------
    >>> print(reason_of(ValueError("type \x0f\nat 7.")), reason_of(EOFError()))
    type \x0f at 7 EOFError
    """
    text = printable(" ".join(str(error).split())).rstrip(". ")
    return text[:_SHOWN] or type(error).__name__


def _listed(given: Iterable[Any]) -> Iterator[Any]:
    """Yield sources one by one, with the matching files in place of a pattern."""
    for source in given:
        if isinstance(source, list | tuple):
            yield from _listed(source)
        elif is_path(source) and glob.has_magic(os.fspath(source)) and not _file_of(source):
            # Not a pattern if there is a file with this name, such as ``[a].csv``.
            yield from _matching(os.fspath(source))
        else:
            yield source


def _matching(pattern: str) -> list[str]:
    """Return the files that match a pattern, without Excel's lock files of open workbooks."""
    try:
        names = glob.glob(pattern, recursive=True)
        found = sorted(n for n in names if Path(n).is_file() and PurePath(n).name[:2] != "~$")
    except (OSError, ValueError, RecursionError):
        found = []
    if not found:
        shown = pattern if pattern.isprintable() else ascii(pattern)
        raise InventoryError("no file matches this pattern", source=shown, remedy="Check the path")
    return found


def _file_of(source: Any) -> os.stat_result | None:
    """Return the file status of a source, or None if it is not the path of an existing file."""
    if not is_path(source) or source == _STDIN:
        return None
    try:
        return os.stat(source)
    except (OSError, ValueError):
        return None


def _content_of(source: Any) -> tuple[str, bytes | str]:
    """Return the name and the content of a source."""
    if isinstance(source, str) and source == _STDIN:
        if sys.stdin is None:
            raise InventoryError(
                "there is no standard input", source="<stdin>", remedy="Give a path"
            )
        return "<stdin>", _content_of_open(getattr(sys.stdin, "buffer", sys.stdin))
    if isinstance(source, str) and not is_path(source):
        return "<text>", source
    if isinstance(source, str | os.PathLike):
        return name_of(source), _content_of_path(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<buffer>", bytes(source)
    if hasattr(source, "read"):
        return name_of(source), _content_of_open(source)
    remedy = "Give a path, an open file, the text itself, or a list of these"
    if isinstance(source, pd.DataFrame):
        remedy = "A frame needs no reading: give it to audit_routes or plan_routes as it is"
    raise InputError(f"routes cannot be read from a {type(source).__name__}", remedy=remedy)


def _content_of_path(path: str | os.PathLike[str]) -> bytes | str:
    name = os.fspath(path)
    if not isinstance(name, str):
        raise InputError("a path must be text, not bytes", remedy="Decode it with os.fsdecode")
    try:
        with Path(name).open("rb") as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return file.read() if is_regular else _bounded(name_of(path), file)
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


def _content_of_open(file: Any) -> bytes | str:
    try:
        content = _bounded(name_of(file), file) if isinstance(file, io.IOBase) else file.read()
    except InventoryError:
        raise
    except (OSError, ValueError) as error:  # closed, write-only, or opened with a wrong encoding
        raise InventoryError(
            f"the open file cannot be read: {error}",
            source=name_of(file),
            remedy='Open it with mode "rb", or give its path',
        ) from None
    if isinstance(content, str | bytes):
        return content
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    raise InputError(
        f"read() of the source returned a {type(content).__name__}",
        remedy="Give a file object that reads bytes or text",
    )


def _bounded(name: str, file: Any) -> bytes | str:
    """Return the content of an open file that may be endless; raise if it exceeds `STREAM`."""
    part = file.read(_BLOCK)
    content: Any = io.StringIO(newline="") if isinstance(part, str) else io.BytesIO()
    while part:
        content.write(part)
        if content.tell() > STREAM:
            raise InventoryError(
                f"more than {STREAM >> 20:,} MiB, without end",
                source=name,
                remedy="Save it as a file, and give its path; a device is not an inventory",
            )
        part = file.read(_BLOCK)
    held: bytes | str = content.getvalue()
    return held


def _decompress(name: str, data: bytes) -> tuple[bytes, list[str]]:
    """Return decompressed gzip or zstd data, and a note about it; return other data unchanged.

    Compressed data is recognized by its first bytes, whatever the name.
    """
    kind = "gzip" if data.startswith(_GZIP) else "zstd" if data.startswith(_ZSTD) else None
    if kind is None:
        return data, []
    packed, content = io.BytesIO(data), io.BytesIO()
    try:
        file: Any = (
            gzip.GzipFile(fileobj=packed)
            if kind == "gzip"
            else pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")
        )
        while part := file.read(_BLOCK):
            content.write(part)
            if is_decompression_bomb(content.tell(), packed.tell()):
                raise InventoryError(
                    f"a packed file of more than {content.tell() >> 20:,} MiB, "
                    "which no inventory has",
                    source=name,
                    remedy="Unpack it, look what it is, and read that file",
                )
    except (MemoryError, InventoryError):
        raise
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
        raise InventoryError(
            f"a damaged {kind} file: {reason_of(error)}", source=name, remedy="Fetch the file again"
        ) from None
    return content.getvalue(), [f"unpacked with {kind}"]


def _format_of(content: bytes | str) -> str:
    """Return the format of content whose name does not indicate it."""
    if isinstance(content, bytes):
        for magic, found in _MAGIC:
            if content.startswith(magic):
                return found
        content = beginning(content)
    return "jsonl" if _JSON.match(content) else "csv"
