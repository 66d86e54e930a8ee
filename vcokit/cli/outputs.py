"""What a command writes: never onto what it reads, and its own bytes whatever the terminal speaks.

::

    --output --save --summary ──keep_apart── inventories, plan, journal, scenario
    text of a file            ──put────────▶ standard output, UTF-8
    who read our output left  ──silence────▶ the command goes on to its end
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from vcokit.errors import InputError

#: What stands beside a journal while somebody writes to it.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")
_STDIN: Final = "/dev/stdin"


def keep_apart(
    outputs: Mapping[str, Path | None],
    needed: Iterable[str | Path | None] = (),
    *,
    journals: Iterable[Path | None] = (),
) -> None:
    """Refuse to write onto what the same command needs, under whatever name.

    Parameters
    ----------
    outputs : mapping of str to Path or None
        File to write, by its option.
    needed : iterable of str or Path
        Files that are read, as the shell was given them: patterns too, ``-`` is standard input.
    journals : iterable of Path
        Journals that are read or made, there yet or not.

    Raises
    ------
    InputError
        If an output is one of them or another output, also by a link.

    Examples
    --------
    >>> keep_apart({"--output": Path("a.csv")}, ["b.csv", None])
    >>> keep_apart({"--save": Path("a.csv")}, ["a.csv"])
    Traceback (most recent call last):
        ...
    vcokit.errors.InputError: --save a.csv would overwrite a.csv, which this command needs. \
Name another file
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    taken = list(_named(name for name in needed if name)) if given else []
    taken += [Path(f"{path}{end}") for path in journals if path for end in _BESIDE]
    for option, path in given.items():
        for other in taken:
            if _same(path, other):
                raise InputError(
                    f"{option} {path} would overwrite {other}, which this command needs",
                    remedy="Name another file",
                )
        taken.append(path)


def _named(names: Iterable[str | Path]) -> Iterator[Path]:
    """Yield the files that are meant; a pattern that fits none is told of by who reads it."""
    from vcokit.inventory.sources import find_sources

    for name in names:
        if name == "-":
            yield Path(_STDIN)
            continue
        try:
            yield from map(Path, find_sources([name]))
        except InputError:
            continue


def _same(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file, there yet or not."""
    try:
        if one.exists() and other.exists():
            return one.samefile(other)
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):
        return False


def put(text: str | Iterable[str], *, for_people: bool = False) -> None:
    """Write text to standard output: of a file the same bytes whatever encoding that has.

    Parameters
    ----------
    text : str or iterable of str
    for_people : bool
        Whether it is text to be read there, in standard output's own encoding; what that lacks is
        spelt out.
    """
    encoding = (sys.stdout.encoding if for_people else None) or "utf-8"
    raw = getattr(sys.stdout, "buffer", None)
    try:
        sys.stdout.flush()
        for part in [text] if isinstance(text, str) else text:
            if raw is None:  # a notebook's, or one that a program put there: it takes text alone
                sys.stdout.write(part)
            else:
                raw.write(part.encode(encoding, "backslashreplace"))
        (raw or sys.stdout).flush()
    except BrokenPipeError:
        silence(sys.stdout)


def replace(path: Path, text: Iterable[str]) -> None:
    """Write a file in UTF-8, whole or not at all.

    Raises
    ------
    InputError
    """
    from vcokit.inventory.write import replacing

    try:
        with replacing(path) as file:
            for part in text:
                file.write(part.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="Check folder, rights and room",
        ) from None


def silence(stream: IO[Any]) -> None:
    """Let what is written to a stream go nowhere: whoever read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        pass  # it has no descriptor: nothing of ours was piped
    finally:
        os.close(nowhere)
