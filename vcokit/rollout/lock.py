"""Keep a second writer out of a journal, even after the first one was killed.

There are two means, because each works where the other fails::

    file lock   a lock of the operating system, on an empty file beside the journal (``-lock``); it
                ends with the process that holds it, so a killed rollout can be resumed at once
    owner       a row in the journal: who writes it, and on which host; it stays until the owner
                releases the journal, or another rollout takes it over

A free lock proves that no process of this host writes. It proves nothing about other hosts: on a
network file system their locks may not be visible here. So an owner on another host counts until
somebody who knows that it is dead takes the journal over. Every transaction checks the row first:
a rollout whose journal was taken over writes nothing more, and so sends nothing more.

The lock is not on the journal itself, because closing any second descriptor of an SQLite file drops
the locks that SQLite has on it (https://www.sqlite.org/howtocorrupt.html, 2.2). The lock file is
opened without following a link. Nothing is written to it, and a file that is not empty is not
deleted.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
import stat
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from vcokit.errors import JournalError, JournalLockedError, Remedy

if sys.platform == "win32":  # pragma: no cover - developed and tested on POSIX
    import msvcrt

    def _take(descriptor: int, *, alone: bool) -> None:
        del alone  # Windows has no shared locks
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int, *, alone: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


#: Do not follow a link, and do not wait for the other end of a pipe.
_CAREFULLY: Final = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: `Owner.may_write` holds the lock for a moment, so try several times, with this pause in seconds.
_TRIES: Final = 5
_MOMENT: Final = 0.02


@dataclass(frozen=True)
class Owner:
    """The writer of a journal.

    Parameters
    ----------
    host : str
    process : int
    since : float
        Seconds since the epoch.
    version : str
        Version of vcokit.
    id : str
        Distinguishes owners even if everything else is the same.

    Examples
    --------
    >>> print(Owner("laptop", 7, 0.0, "0.1.0", "some id"))
    process 7 on laptop, since 1970-01-01 00:00:00 UTC, vcokit 0.1.0
    """

    host: str
    process: int
    since: float
    version: str
    id: str

    @classmethod
    def here(cls, now: float) -> Owner:
        """Return an owner for this process, starting now."""
        return cls(
            socket.gethostname(), os.getpid(), now, metadata.version("vcokit"), uuid.uuid4().hex
        )

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        who = f"process {self.process} on {self.host}"
        return f"{who}, since {since:%Y-%m-%d %H:%M:%S} UTC, vcokit {self.version}"

    @property
    def is_here(self) -> bool:
        """Whether it is a process on this host."""
        return self.host == socket.gethostname()

    def may_write(self, path: Path) -> bool:
        """Return whether it may still write to its journal; see the module docstring."""
        if not self.is_here:
            return True
        try:
            descriptor = os.open(_beside(path), _CAREFULLY)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            _take(descriptor, alone=False)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False


class Lock:
    """A file lock; call `release` to free it.

    Parameters
    ----------
    path : Path
        The journal.
    owner : Owner or None
        The owner to name in the error if the lock is taken.

    Raises
    ------
    JournalLockedError
        If another process, or another rollout of this one, holds it.
    JournalError
        If the lock file cannot be created or is not a regular file, or its disk has no locks.
    """

    def __init__(self, path: Path, owner: Owner | None) -> None:
        self._file = _beside(path)
        self._process = os.getpid()
        for _ in range(_TRIES):
            try:
                found = self._try()
            except (OSError, ValueError) as error:
                raise _cannot(path, error) from None
            if found is not None:
                self._descriptor = found
                return
            gc.collect()  # an unreferenced journal may hold the lock
            time.sleep(_MOMENT)
        raise held(path, owner)

    def _try(self) -> int | None:
        """Return a descriptor that has the lock; None if somebody else has it."""
        while True:
            descriptor = os.open(self._file, _CAREFULLY | os.O_CREAT, 0o600)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EINVAL, f"{self._file.name} beside it is not a file")
                _take(descriptor, alone=True)
                # The last holder deletes the file on release; then this descriptor is of a deleted
                # file, so try again.
                if os.path.samestat(os.fstat(descriptor), os.stat(self._file)):
                    return descriptor
            except (BlockingIOError, PermissionError):  # the second on Windows
                os.close(descriptor)
                return None
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @property
    def is_ours(self) -> bool:
        """Whether this process took it: a forked child shares its descriptor."""
        return self._process == os.getpid()

    def release(self) -> None:
        """Release the lock, and delete its file if that is the one that was locked."""
        if self.is_ours:
            with contextlib.suppress(OSError):
                there = os.lstat(self._file)
                if os.path.samestat(os.fstat(self._descriptor), there) and not there.st_size:
                    self._file.unlink()
        os.close(self._descriptor)


def held(path: Path, owner: Owner | None) -> JournalLockedError:
    """Return the error for a journal that somebody else writes.

    Parameters
    ----------
    path : Path
    owner : Owner or None
        None if the owner has not written its row yet.
    """
    who = "it has just started" if owner is None else str(owner)
    if owner is not None and not owner.is_here:
        return JournalLockedError(
            f"a rollout on another host holds this journal ({who})",
            path=path,
            remedy=Remedy(
                "Wait for it, or end it there. If it is certainly dead, pass {take_over}",
                take_over=True,
            ),
        )
    if owner is not None and owner.process == os.getpid():
        return JournalLockedError(
            f"this program (this kernel) holds this journal itself ({who})",
            path=path,
            remedy="stop() or close the rollout that has it, or del it if it was never started",
        )
    return JournalLockedError(
        f"another rollout holds this journal ({who})",
        path=path,
        remedy="Wait for it or end it; reading a journal is always allowed",
    )


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _cannot(path: Path, why: Exception) -> JournalError:
    said = why.strerror if isinstance(why, OSError) and why.strerror else why
    return JournalError(
        f"cannot be locked ({said})",
        path=path,
        remedy=f"Check that you may write to the folder {path.parent}, that it is on a local disk "
        f"with room, and that {_beside(path).name} in it, if there is one, is a file",
    )
