"""Which files are meant, and of which format each is.

==============================  ==========================================================
what is given                   what is read
==============================  ==========================================================
``"a.csv"``, a `Path`           that file
``"b/*.csv"``, ``"b/**/*.csv"`` every file of the pattern, by name; one at least; Excel's lock
                                files (``~$book.xlsx``) are none
``"-"``                         standard input
a str with a newline, bytes,    itself
an open file
a list or several of these      one after the other; a file is read once
==============================  ==========================================================

The format is what ``format=`` says; else what the name says, by `SUFFIXES` (``.gz`` and ``.zst``
left off); else what the content begins with. A name that says another format than its content
has is an error that names both.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from vcokit.errors import InputError, InventoryError
from vcokit.inventory.bound import Bound
from vcokit.inventory.packed import unpacked
from vcokit.inventory.table import FORMATS
from vcokit.inventory.text import beginning, content_of, name_of

SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".ods": "excel",
    ".xls": "excel",  # refused there, with what to do
}
PACKINGS: Final = (".gz", ".zst")

#: What an object, or a list of objects, begins with.
_JSON: Final = re.compile(r"[\ufeff \t\r\n]*(?:\{|\[[ \t\r\n]*[\{\]])")

_STDIN: Final = "-"
_MAGIC: Final = ((b"PK\x03\x04", "excel"), (b"\xd0\xcf\x11\xe0", "excel"), (b"PAR1\x15", "parquet"))


@dataclass(frozen=True)
class File:
    """A source with its content, unpacked, and its format."""

    name: str
    content: bytes | str
    format: str
    bound: Bound
    notes: Sequence[str] = ()


def sources_of(given: Iterable[Any]) -> list[Any]:
    """Return the sources that are meant, patterns resolved, no file twice.

    Raises
    ------
    InventoryError
        If no file fits a pattern.
    InputError
        If nothing is given.
    """
    found: list[Any] = []
    for each in given:
        if isinstance(each, list | tuple):
            found += sources_of(each)
        elif _is_name(each) and _is_pattern(os.fspath(each)):
            found += _matching(os.fspath(each))
        else:
            found.append(each)
    if not found:
        raise InputError("no source of routes", remedy="Give a path, an open file, or text")
    return _once(found)


def open_source(
    source: Any,
    format: str | None = None,  # noqa: A002
    seen: Counter[str] | None = None,
) -> File:
    """Return a source with its content and its format.

    ``seen`` counts the sources that have no name of their own, so that each is given one.
    """
    is_stdin = isinstance(source, str) and source == _STDIN
    name, content = _standard_input() if is_stdin else content_of(source)
    named = named_format(name)
    if seen is not None and not _is_name(source):
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name[:-1]} {seen[name]}>" if name[-1:] == ">" else f"{name} ({seen[name]})"
    notes: list[str] = []
    bound = Bound(name, len(content))
    if isinstance(content, bytes):
        content, notes = unpacked(name, content)
    return File(name, content, format or named or _seen_format(content), bound, notes)


@contextmanager
def room_for(source: Any) -> Iterator[None]:
    """Make one error of ours of what any library says where memory is too small for a source."""
    try:
        yield
    except MemoryError:  # that of Arrow is one too
        raise InventoryError(
            "there is not enough memory to read it",
            source=name_of(source),
            remedy="Split the file and read one part after the other, or free memory",
        ) from None


def size_of(source: Any) -> int:
    """Return the size of a source as far as it is known before it is read, else 0."""
    if isinstance(source, bytes | bytearray | memoryview):
        return len(source)
    if not _is_name(source) or source == _STDIN:
        return len(source) if isinstance(source, str) else 0
    try:
        return os.path.getsize(source)
    except (OSError, ValueError):
        return 0


def named_format(name: str) -> str | None:
    """Return the format that a file's name says.

    Examples
    --------
    >>> named_format("a.csv.gz"), named_format("A.XLSX"), named_format("routes")
    ('csv', 'excel', None)
    """
    path = PurePath(name)
    suffix = path.suffix.lower()
    return SUFFIXES.get(PurePath(path.stem).suffix.lower() if suffix in PACKINGS else suffix)


def check_format(format: str | None) -> None:  # noqa: A002
    """Raise `InputError` for what is no format."""
    if format is not None and format not in FORMATS:
        raise InputError(
            f"format {format!r} is not known",
            remedy=f"Write one of {', '.join(FORMATS)}, or leave it out to have it found",
        )


def _is_name(source: Any) -> bool:
    """Tell whether a source is a path."""
    if isinstance(source, str):
        return not ("\n" in source or "\r" in source)
    return isinstance(source, os.PathLike) and isinstance(os.fspath(source), str)


def _is_pattern(name: str) -> bool:
    """Tell whether a name stands for others; a file may be called ``[a].csv``."""
    try:
        return glob.has_magic(name) and not Path(name).exists()
    except (OSError, ValueError):
        return False


def _matching(pattern: str) -> list[str]:
    try:
        names = glob.glob(pattern, recursive=True)
        found = sorted(name for name in names if Path(name).is_file() and not _is_lock(name))
    except (OSError, ValueError, RecursionError):
        found = []
    if not found:
        shown = pattern if pattern.isprintable() else ascii(pattern)
        raise InventoryError("no file fits this pattern", source=shown, remedy="Check the path")
    return found


def _is_lock(name: str) -> bool:
    """Tell whether a file is what Excel leaves beside a workbook while somebody has it open."""
    return PurePath(name).name.startswith("~$")


def _once(sources: list[Any]) -> list[Any]:
    """Return sources without a file that was named before."""
    seen: set[str] = set()
    kept = []
    for source in sources:
        key = None
        if _is_name(source) and source != _STDIN:
            try:
                key = os.path.realpath(source)
            except (OSError, ValueError):
                key = None
        if key is None or key not in seen:
            kept.append(source)
        seen |= {key} if key else set()
    return kept


def _standard_input() -> tuple[str, bytes | str]:
    if sys.stdin is None:
        raise InventoryError("there is no standard input", source="<stdin>", remedy="Give a path")
    _, content = content_of(getattr(sys.stdin, "buffer", sys.stdin))
    return "<stdin>", content


def _seen_format(content: bytes | str) -> str:
    """Return the format that content without a telling name has."""
    if isinstance(content, bytes):
        for magic, found in _MAGIC:
            if content.startswith(magic):
                return found
        content = beginning(content)
    return "jsonl" if _JSON.match(content) else "csv"
