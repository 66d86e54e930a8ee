"""Keeps a second writer out of a journal, whatever becomes of the first.

Two means, since each fails where the other holds::

    file lock   the operating system's, on a file beside the journal; goes with the process that
                holds it, so that a killed rollout can be resumed at once
    lease       a row in the journal: who holds it, on which host, seen alive when; for network
                file systems, whose locks may not reach another host

(The lock is not on the journal itself: closing any second descriptor of an SQLite file would drop
the locks that SQLite holds on it.)
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vcokit.errors import JournalError, JournalLockedError

if sys.platform == "win32":  # pragma: no cover - developed and tested on POSIX
    import msvcrt

    def _take(descriptor: int) -> None:
        # A byte far behind the holder's line, so that the line can still be read.
        os.lseek(descriptor, 1024, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


#: Seconds after which a lease that was not renewed counts no more, and between two renewals.
LEASE_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 10.0

#: What a file lock fails with where somebody holds it; with anything else there are none.
_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
_REMEDY: Final = "Wait for it or end it; looking at a journal is always allowed"


@dataclass(frozen=True)
class Lease:
    """Who writes a journal.

    Parameters
    ----------
    since, seen : float
        When it was taken, and when its holder wrote last; seconds since the epoch.
    owner : str
        Told apart by this even where process and host are the same.
    process : int
    host : str

    Examples
    --------
    >>> print(Lease(0.0, 0.0, process=7, host="laptop"))
    process 7 on laptop, since 1970-01-01 00:00:00 UTC
    """

    since: float
    seen: float
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.process} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"

    def refuse(self, path: Path, now: float, *, locked: bool) -> None:
        """Refuse a second writer where this lease may still be in force.

        Parameters
        ----------
        path : Path
            The journal.
        now : float
            Seconds since the epoch.
        locked : bool
            Whether the second writer has the file lock. Then a holder on this host is dead; one
            on another host may live, unless it was not seen for `LEASE_SECONDS`.

        Raises
        ------
        JournalLockedError
        """
        left = self.seen + LEASE_SECONDS - now
        if left <= 0 or (locked and self.host == socket.gethostname()):
            return
        raise JournalLockedError(
            f"another rollout holds this journal ({self}; seen {now - self.seen:.0f} s ago)",
            path=path,
            remedy=f"{_REMEDY}. If it is dead, its lease ends in {left:.0f} s",
        )


class Lock:
    """A lock that is held; `release` it.

    Parameters
    ----------
    path : Path
        The journal.
    now : float
        Seconds since the epoch; told to whom it keeps out.

    Attributes
    ----------
    locked : bool
        False where the file system has no locks, so that only the lease counts.

    Raises
    ------
    JournalLockedError
        If another process, or another rollout of this one, holds it.
    JournalError
        If the lock's file cannot be made.
    """

    def __init__(self, path: Path, now: float) -> None:
        self._beside = path.with_name(path.name + "-lock")
        self._descriptor: int | None = None
        self.locked = True
        while self._descriptor is None:
            descriptor = self._try(path)
            # The holder before us takes the file away when it lets go; then we hold a ghost.
            try:
                ghost = os.fstat(descriptor).st_ino != self._beside.stat().st_ino
            except FileNotFoundError:
                ghost = True
            if ghost:
                os.close(descriptor)
            else:
                self._descriptor = descriptor
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(Lease(now, now)).encode("utf-8", "replace"))

    def _try(self, path: Path) -> int:
        try:
            descriptor = os.open(self._beside, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot be locked ({error.strerror or error})",
                path=path,
                remedy="Name a journal in a folder that is there and yours",
            ) from None
        try:
            _take(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                self.locked = False
                return descriptor
            os.lseek(descriptor, 0, os.SEEK_SET)
            holder = os.read(descriptor, 512).decode("utf-8", "replace")
            os.close(descriptor)
            raise JournalLockedError(
                f"another rollout holds this journal ({holder or 'it has just begun'})",
                path=path,
                remedy=_REMEDY,
            ) from None
        return descriptor

    def release(self) -> None:
        """Let go of the lock and take its file away."""
        if self._descriptor is not None:
            self._beside.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
