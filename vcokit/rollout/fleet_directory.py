"""The directory of a fleet: the facts of the whole, and a journal per member.

::

    fleet.json     members in their order, with the fingerprints of their plans; waves, max_members,
                   stop_after. It is written once and never changed
    <member>.db    the journal of a member, the only record of its progress

The directory is created under a temporary name, and renamed when all files are in it: it exists
completely or not at all.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from vcokit.errors import InputError, JournalError, Remedy
from vcokit.rollout.database import sync
from vcokit.rollout.options import are_waves, is_count

#: File with the settings and members of the fleet.
FILE: Final = "fleet.json"
_VERSION: Final = 1
#: A member's name is part of a file name: first a letter or digit, then also dots, dashes and
#: underscores.
_NAME: Final = re.compile(r"[^\W_][\w.-]*")
_LONGEST_NAME: Final = 200  # bytes; file systems allow 255
_SHARE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


@dataclass(frozen=True)
class FleetFacts:
    """The content of `fleet.json`.

    Parameters
    ----------
    members : dict of str to str
        Fingerprint of the plan by name of the member, in the order of the members.
    max_members, waves, stop_after
        See `Fleet`.
    """

    members: dict[str, str]
    max_members: int
    waves: tuple[int | None, ...]
    stop_after: int | str | None

    def __post_init__(self) -> None:
        if not is_count(self.max_members):
            raise InputError(
                f"max_members={self.max_members!r}", remedy="Write a number of members, at least 1"
            )
        if not are_waves(self.waves):
            raise InputError(
                f"waves={list(self.waves)!r}",
                remedy="Write how many members each wave has, such as [1, 5, None]",
            )
        if self.stop_after is not None and not is_limit(self.stop_after):
            raise InputError(
                f"stop_after={self.stop_after!r}",
                remedy='Write a number of members, at least 1, or a share of them such as "10%"',
            )

    @property
    def most_failed(self) -> int | None:
        """Number of failed members after which no other begins; a share is rounded up."""
        if not isinstance(self.stop_after, str):
            return self.stop_after
        return math.ceil(len(self.members) * float(self.stop_after.rstrip("%")) / 100)

    def write(self, folder: Path) -> None:
        """Write the facts into a folder, down to the disk."""
        text = json.dumps({"version": _VERSION, **asdict(self)}, indent=1, ensure_ascii=False)
        with (folder / FILE).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the facts in a folder.

        Raises
        ------
        JournalError
            If there are none, or they cannot be read.
        """
        path = folder / FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.pop("version") != _VERSION:
                raise JournalError(
                    "was written by another version of vcokit", path=path, remedy="Use that version"
                )
            return cls(**{**found, "waves": tuple(found["waves"])})
        except FileNotFoundError:
            raise JournalError(
                f"there is no fleet: {FILE} is missing",
                path=folder,
                remedy="Name the directory of a fleet",
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, InputError) as error:
            raise JournalError(
                f"cannot be read ({type(error).__name__})",
                path=path,
                remedy="Restore the original file",
            ) from None


def is_limit(value: object) -> bool:
    """Return whether a value is a number of members, at least 1, or a share of them.

    Examples
    --------
    >>> is_limit(3), is_limit("2.5%"), is_limit("0%"), is_limit("3")
    (True, True, False, False)
    """
    share = _SHARE.fullmatch(str(value))
    return 0 < float(share[1]) <= 100 if share else is_count(value)


def fingerprint_of(members: Mapping[str, str]) -> str:
    """Return the fingerprint of a fleet: SHA-256, in hex, of its members in any order.

    Parameters
    ----------
    members : mapping of str to str
        Fingerprint of the plan by name of the member.
    """
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(f"{name} {members[name]}\n".encode())
    return digest.hexdigest()


def journal_of(folder: Path, member: str) -> Path:
    """Return the journal of a member."""
    return folder / f"{member}.db"


def refuse_existing(directory: Path) -> None:
    """Refuse a directory for a new fleet that exists and is not empty.

    Raises
    ------
    JournalError
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        there = (directory / FILE).exists()
        raise JournalError(
            "the directory exists already",
            path=directory,
            remedy=Remedy("Resume it: {resume_fleet}", resume_fleet=str(directory))
            if there
            else "Name a directory that is not there yet",
        )


@contextmanager
def created_atomically(directory: Path) -> Iterator[Path]:
    """Yield a temporary directory to fill; rename it to `directory` if no error occurs.

    Raises
    ------
    JournalError
        If `directory` exists and is not empty, or cannot be created.
    """
    refuse_existing(directory)
    made: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        yield made
        if directory.exists():
            directory.rmdir()
        made.rename(directory)
        sync(directory.parent)
    except OSError as error:
        raise JournalError(
            f"cannot be made ({error.strerror or error})",
            path=directory,
            remedy="Check permissions and free space",
        ) from None
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def refuse_names(members: Iterable[str]) -> None:
    """Refuse names of members that cannot be file names, or that would share a file.

    Raises
    ------
    InputError
        Also if there are no members.
    """
    seen: dict[str, str] = {}
    for name in members:
        fits = isinstance(name, str) and _NAME.fullmatch(name)
        if not fits or name.endswith(".") or len(name.encode()) > _LONGEST_NAME:
            raise InputError(
                f"{name!r} cannot be the name of a member, because it names a file",
                remedy="Write letters and digits, and dots, dashes or underscores between them",
            )
        # Some file systems ignore upper and lower case, some normalize accents.
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise InputError(
                f"the members {other!r} and {name!r} would share a file on some disks",
                remedy="Name them so that they differ in more than upper and lower case",
            )
    if not seen:
        raise InputError("a fleet needs a member", remedy="Name at least one")
