"""A writer's hold on a journal: its file lock, and its row in the journal.

::

    Hold(path, connection, lock, now)   refuses where another may write
        .writing(now)                   a round in one transaction; seen alive when that is due
        .due                            when it wants to be seen again
        .let_go()                       everything into the one file, then nobody holds it

What keeps a second writer out stands in `vcokit.rollout.lock`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database
from vcokit.rollout.lock import RENEW_SECONDS, Lease, Lock

_INSERT: Final = "INSERT INTO lease (since, seen, owner, process, host) VALUES (?, ?, ?, ?, ?)"


def lease_in(connection: sqlite3.Connection) -> Lease | None:
    """Return who writes a journal; None when nobody does.

    Raises
    ------
    sqlite3.Error
    """
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
