"""Keeps a second writer out of a journal, whatever becomes of the first.

Two means, since each fails where the other holds::

    file lock   the operating system's, on a file beside the journal; goes with the process that
                holds it, so that a killed rollout can be resumed at once
    lease       a row in the journal: who holds it, on which host, seen alive when; for network
                file systems, whose locks may not reach another host

(The lock is not on the journal itself: closing any second descriptor of an SQLite file would drop
the locks that SQLite holds on it.)

A lock that is free does not prove its holder dead: a journal with a second name, by a hard link or
mounted alone into a container, has a second lock. So a lease counts until it runs out, or the
process that it names is seen to be gone; see `Lease.in_force`.

The lock's file is opened without following a link, and a file that no rollout wrote is refused
before it is altered. Windows cannot open so: there a link is seen after it was followed, still
before anything is written; one that leads nowhere may leave an empty file.

A writer has both, as long as it writes::

    Hold(path, connection, lock, now)   refuses where another may write
        .writing(now)                   a round in one transaction; seen alive when that is due
        .due                            when it wants to be seen again
        .let_go()                       everything into the one file, then nobody holds it
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import re
import socket
import sqlite3
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database

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
#: No link is followed, and nobody waits for the other end of a pipe.
_CAREFULLY: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: What a holder writes into the lock's file, and more bytes than that ever has.
_HOLDER: Final = re.compile(
    rb"process \d+ on .*, since \d+-\d\d-\d\d \d\d:\d\d:\d\d UTC", re.DOTALL
)
_MOST: Final = 512
_INSERT: Final = "INSERT INTO lease (since, seen, owner, process, host) VALUES (?, ?, ?, ?, ?)"
_REMEDY: Final = "Wait for it or end it; looking at a journal is always allowed"
_OURS_REMEDY: Final = "stop() or close the rollout that has it, or del it where it never began"


@cache
def _processes() -> str:
    """Return which processes the numbers of this one's count among; empty if not to be known.

    A host name alone does not say: many hosts may have it, before and after a boot, and containers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _begun(process: int) -> str | None:
    """Return when a process began, in ticks; None if it has ended, empty if not to be known.

    Fields 3 and 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
    """
    try:
        said = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return None if said[0] in (b"Z", b"X") else said[19].decode("ascii")


def _is_gone(process: int, begun: str) -> bool:
    """Tell whether a process has ended; its number may be another's by now."""
    if os.name != "posix":  # where signal 0 is no question
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # it is there, or no number of a process
    found = _begun(process)
    return found is None or (bool(found and begun) and found != begun)


def _new_owner() -> str:
    return f"{uuid.uuid4().hex}@{_processes()}/{_begun(os.getpid()) or ''}"


@dataclass(frozen=True)
class Lease:
    """Who writes a journal.

    Parameters
    ----------
    since, seen : float
        When it was taken, and when its holder wrote last; seconds since the epoch.
    owner : str
        Told apart by this even where process and host are the same. Behind an ``@``: among which
        processes `process` is to be looked for, and behind a ``/`` when that one began.
    process : int
    host : str

    Examples
    --------
    >>> print(Lease(0.0, 0.0, process=7, host="laptop"))
    process 7 on laptop, since 1970-01-01 00:00:00 UTC
    """

    since: float
    seen: float
    owner: str = field(default_factory=_new_owner)
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.process} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def is_ours(self) -> bool:
        """Whether it is that of a journal which this program has open."""
        return database.is_held(self.owner)

    def is_dead(self) -> bool:
        """Tell whether its holder is seen to be gone; False where that is not to be known."""
        processes, _, begun = self.owner.partition("@")[2].rpartition("/")
        if self.host != socket.gethostname() or processes != _processes():
            return False
        if self.process == os.getpid():
            return not self.is_ours
        return _is_gone(self.process, begun)

    def in_force(self, now: float, *, locked: bool = True) -> bool:
        """Tell whether its holder may still write: the one answer, for who looks and who opens.

        Parameters
        ----------
        now : float
            Seconds since the epoch.
        locked : bool
            Whether a free file lock proves that no process of this host has the journal; where
            the file system has no locks, a holder counts until it was not seen for
            `LEASE_SECONDS`. Who only looks does not try the lock.
        """
        return now < self.seen + LEASE_SECONDS and not (locked and self.is_dead())

    def refuse(self, path: Path, now: float, *, locked: bool) -> None:
        """Refuse a second writer where this lease is in force.

        Parameters
        ----------
        path : Path
            The journal.
        now : float
            Seconds since the epoch.
        locked : bool
            Whether the second writer has the file lock; see `in_force`.
        """
        if not self.in_force(now, locked=locked):
            return
        left = self.seen + LEASE_SECONDS - now
        seen = f"seen {now - self.seen:.0f} s ago"
        if self.is_ours:
            raise _held_by_us(path, f"{self}; {seen}")
        raise JournalLockedError(
            f"another rollout holds this journal ({self}; {seen})",
            path=path,
            remedy=f"{_REMEDY}. If it is dead, its lease ends in {left:.0f} s",
        )


def _held_by_us(path: Path, who: str) -> JournalLockedError:
    return JournalLockedError(
        f"this program (this kernel) holds this journal itself ({who})",
        path=path,
        remedy=_OURS_REMEDY,
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
    lease : Lease
        What its holder writes into the journal.
    locked : bool
        False where the file system has no locks, so that only the lease counts.

    Raises
    ------
    JournalLockedError
        If another process, or another rollout of this one, holds it.
    JournalError
        If the lock's file cannot be made; the remedy names the folder. If there is something of
        its name that no rollout made: it is not touched.
    """

    def __init__(self, path: Path, now: float) -> None:
        self._beside = path.with_name(path.name + "-lock")
        self.lease = Lease(now, now)
        self.locked = True
        if database.held_as(self._beside) is not None:
            # By a journal that nobody refers to any more, perhaps, but in a circle of objects.
            gc.collect()
        self._descriptor: int | None = self._take(path)
        database.hold(self.lease.owner, path)
        self.covers(self._descriptor)
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, str(self.lease).encode("utf-8", "replace"))
        except OSError as error:
            self.release()
            raise _cannot(path, error) from None

    def covers(self, file: Path | int) -> None:
        """Note that a file is held by this program: the journal, before SQLite opens it."""
        database.hold_file(self.lease.owner, file)

    def _take(self, path: Path) -> int:
        while True:
            descriptor = self._try(path)
            try:
                there = os.lstat(self._beside)
                if not self._is_ours(descriptor, there):
                    raise _in_the_way(path, self._beside)
                # The holder before us takes the file away when it lets go; then we hold a ghost.
                if os.path.samestat(os.fstat(descriptor), there):
                    return descriptor
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _try(self, path: Path) -> int:
        try:
            descriptor = os.open(self._beside, os.O_CREAT | os.O_RDWR | _CAREFULLY, 0o600)
        except (OSError, ValueError) as error:
            if os.path.lexists(self._beside) and not stat.S_ISREG(os.lstat(self._beside).st_mode):
                raise _in_the_way(path, self._beside) from None
            raise _cannot(path, error) from None
        try:
            _take(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                self.locked = False
                return descriptor
            said = _said(descriptor)
            holder = said.decode("utf-8", "replace") if said else "it has just begun"
            os.close(descriptor)
            if database.held_as(self._beside) is not None:
                raise _held_by_us(path, holder) from None
            raise JournalLockedError(
                f"another rollout holds this journal ({holder})", path=path, remedy=_REMEDY
            ) from None
        return descriptor

    def _is_ours(self, descriptor: int, there: os.stat_result) -> bool:
        """Tell whether the file is one that a rollout made, or that was just made; by one name."""
        opened = os.fstat(descriptor)
        plain = stat.S_ISREG(there.st_mode) and stat.S_ISREG(opened.st_mode)
        return plain and opened.st_nlink <= 1 and _said(descriptor) is not None

    def release(self) -> None:
        """Let go of the lock and take its file away; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        database.let_go(self.lease.owner)
        if self.lease.process == os.getpid():  # else a child of it, that shares a descriptor
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), os.lstat(self._beside)):
                    self._beside.unlink()
        os.close(descriptor)


def _said(descriptor: int) -> bytes | None:
    """Return what the holder wrote into a lock's file; None where no holder wrote what is there."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    found = os.read(descriptor, _MOST)
    return found if not found or _HOLDER.fullmatch(found) else None


def _in_the_way(path: Path, beside: Path) -> JournalError:
    """Return the error of a journal whose lock's file has the name of somebody's own."""
    return JournalError(
        f"cannot be locked: {beside.name} beside it is no lock of a rollout; it was not touched",
        path=path,
        remedy="Move it or delete it, or choose another name for the journal",
    )


def _cannot(path: Path, why: Exception) -> JournalError:
    """Return the error of a journal beside which no lock's file can be made."""
    remedy = f"See that the folder {path.parent} is there, has room, and that you may write in it"
    said = why.strerror if isinstance(why, OSError) and why.strerror else why
    return JournalError(f"cannot be locked ({said})", path=path, remedy=remedy)


# -- a writer's hold: its file lock, and its row in the journal ------------------------------------


def lease_in(connection: sqlite3.Connection) -> Lease | None:
    """Return who writes a journal; None when nobody does."""
    found = connection.execute("SELECT since, seen, owner, process, host FROM lease").fetchone()
    if found is None:
        return None
    try:
        since, seen, owner, process, host = found
        lease = Lease(float(since), float(seen), str(owner), int(process), str(host))
        str(lease)
    except (TypeError, ValueError, OverflowError, OSError) as error:  # not what was ever written
        raise sqlite3.DatabaseError(f"lease: {error}") from None
    return lease


class Hold:
    """What lets one writer write.

    Parameters
    ----------
    path : Path
        The journal.
    connection : sqlite3.Connection
        That may write; closed where the hold is refused.
    lock : Lock
    now : float
        Seconds since the epoch.

    Raises
    ------
    JournalLockedError
        If another writer may live.
    sqlite3.Error
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock, now: float) -> None:
        self._path, self._db, self._lock = path, connection, lock
        self._seen = now
        try:
            self._take(now)
            self._files = database.Files(path)
        except BaseException:
            connection.close()
            raise

    def _take(self, now: float) -> None:
        mine = replace(self._lock.lease, seen=now)
        with database.transaction(self._db):
            other = lease_in(self._db)
            if other is not None:
                other.refuse(self._path, now, locked=self._lock.locked)
            self._db.execute("DELETE FROM lease")
            row = (mine.since, mine.seen, mine.owner, mine.process, mine.host)
            self._db.execute(_INSERT, row)
        self._show()

    def _show(self) -> None:
        """Have the lease in the file itself: whoever has another name for that sees no other."""
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @property
    def due(self) -> float:
        """When the holder is to be seen again; seconds since the epoch."""
        return self._seen + RENEW_SECONDS

    @contextmanager
    def writing(self, now: float) -> Iterator[None]:
        """Write a round, in one transaction: two writers never both have an intent on disk.

        Raises
        ------
        JournalLockedError
            If another has taken the journal over.
        JournalError
            If the journal is not there any more.
        sqlite3.Error
        """
        self._refuse_if_gone()
        # Not only late: a clock that was put back has left a lease that seems to last for hours.
        is_due = abs(now - self._seen) >= RENEW_SECONDS
        with database.transaction(self._db):
            self._refuse_if_lost()
            if is_due:
                self._db.execute("UPDATE lease SET seen = ?", (now,))
            yield
        if is_due:
            self._seen = now
            self._show()

    def _refuse_if_gone(self) -> None:
        """Refuse to write where nobody would find it: SQLite itself would not notice."""
        how = self._files.lost()
        if how is not None:
            raise JournalError(
                f"the journal is lost: {how}; nothing was sent since this was seen",
                path=self._path,
                remedy="If it is gone for good, make a new plan from the live routes. If it was "
                "moved, put it back",
            )

    def _refuse_if_lost(self) -> None:
        found = lease_in(self._db)
        if found is None or found.owner != self._lock.lease.owner:
            raise JournalLockedError(
                f"another rollout has taken this journal over ({found or 'and ended'})",
                path=self._path,
                remedy="Leave it to that one; nothing was sent since",
            )

    def let_go(self, patience: float | None = None) -> None:
        """Write everything into the one file and let others write.

        Parameters
        ----------
        patience : float, optional
            Seconds to wait for readers; those of every connection if not given.
        """
        if self._lock.lease.process != os.getpid():  # a child of it leaves all to its parent
            self._lock.release()
            return
        try:
            if patience is not None:
                self._db.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
            self._db.execute("DELETE FROM lease WHERE owner = ?", (self._lock.lease.owner,))
        except sqlite3.Error:
            pass  # a full disk: the lease runs out by itself
        finally:
            database.settle(self._db, there=self._files.lost() is None)
            self._lock.release()
