"""Keeps a second writer out of a journal, whatever becomes of the first.

The lock is the operating system's, on a file beside the journal, and goes with the process that
holds it. (Not on the journal itself: closing any second descriptor of an SQLite file would drop
the locks that SQLite holds on it.)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vcokit.errors import JournalError, JournalLockedError

if sys.platform == "win32":  # pragma: no cover - developed and tested on POSIX
    import msvcrt

    def _take(descriptor: int) -> None:
        # A byte far behind the holder's number, so that the number can still be read.
        os.lseek(descriptor, 1024, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """A lock that is held; `release` it.

    Parameters
    ----------
    path : Path
        The journal.

    Raises
    ------
    JournalLockedError
        If another process, or another rollout of this one, holds it.
    JournalError
        If the lock's file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._beside = path.with_name(path.name + "-lock")
        self._descriptor: int | None = None
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
        os.write(self._descriptor, f"{os.getpid()}\n".encode("ascii"))

    def _try(self, path: Path) -> int:
        try:
            descriptor = os.open(self._beside, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise JournalError(f"cannot be locked ({error})", path=path) from None
        try:
            _take(descriptor)
        except OSError:
            os.lseek(descriptor, 0, os.SEEK_SET)
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise JournalLockedError(
                f"another rollout holds this journal (process {holder or 'unknown'})",
                path=path,
                remedy="Wait for it or end it; looking at a journal is always allowed",
            ) from None
        return descriptor

    def release(self) -> None:
        """Let go of the lock and take its file away."""
        if self._descriptor is not None:
            self._beside.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
