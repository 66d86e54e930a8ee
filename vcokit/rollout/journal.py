"""The SQLite file that makes a rollout survive anything: intent on disk before a call leaves.

::

    Journal.create(path, plan, id)   Journal.open(path)   Journal.read(path)
        a new one, locked                to go on, locked     to look, at any time
                      .write(steps, calls, ends)              .steps()  .calls()  .plan()
                          one round, one transaction

One file a rollout, readable with any SQLite tool; its tables stand in `vcokit.rollout.tables`, how
it is opened in `vcokit.rollout.database`, who may write in `vcokit.rollout.lock`. Everything of one
round of the scheduler is one transaction, on disk before any of its calls leaves. The file is made
with mode 0600 and holds neither secrets nor an endpoint.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database
from vcokit.rollout.lock import RENEW_SECONDS, Lease, Lock
from vcokit.rollout.plan import PLAN_COLUMNS, Plan
from vcokit.rollout.tables import STANDING, TABLES, CallEnd, CallRow, StepRow

_SET: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_LIVE: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")
_SEALED: Final = ("rollout_id", "fingerprint", "created_at")


class Journal:
    """A rollout's journal; open one with `create`, `open` or `read`.

    Parameters
    ----------
    path : Path
    connection : sqlite3.Connection
    lock : Lock or None
        Held by a writer.
    now : callable
        Seconds since the epoch.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from vcokit.rollout.plan import plan_routes
    >>> plan = plan_routes(schema.frame(schema.ROUTES), schema.frame(schema.LIVE_ROUTES))
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rollout.db"
    ...     Journal.create(path, plan, "some id", meta={"options": "{}"}).close()
    ...     with Journal.read(path) as journal:
    ...         journal.meta()["options"], len(journal.steps())
    ('{}', 0)
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: Lock | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._db = connection
        self._lock = lock
        self._now = now
        self._plan: Plan | None = None
        self._lease: Lease | None = None
        self._seen = 0.0
        if lock is not None:
            self._take_lease(lock)

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    # -- open and close -------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        plan: Plan,
        rollout_id: str,
        *,
        meta: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> Journal:
        """Make the journal of a new rollout and lock it.

        Parameters
        ----------
        path : path
        plan : Plan
        rollout_id : str
            Part of every client token.
        meta : mapping of str to str, optional
            What is to be kept besides, such as options; the journal's own names win.
        now : callable
            Seconds since the epoch.

        Raises
        ------
        JournalError
            If the file exists already, or cannot be made.
        """
        path = Path(path)
        own = {
            "rollout_id": rollout_id,
            "fingerprint": plan.fingerprint,
            "created_at": repr(now()),
            "state": "ready",
        }
        kept = {**(meta or {}), **plan.meta(), **own, "seal": _seal(own)}
        lock = Lock(path, now())
        try:
            database.make(path, lambda db: _fill(db, plan, kept))
            return cls(path, database.connect(path, write=True), lock, now)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, now: Callable[[], float] = time.time) -> Journal:
        """Open a journal to go on with its rollout, and lock it.

        Raises
        ------
        JournalError
            If there is none, or it is of another program, of another version, or damaged; it is
            not touched.
        JournalLockedError
            If another rollout holds it.
        """
        path = Path(path)
        database.check_bytes(path)
        lock = Lock(path, now())
        try:
            database.check(path)
            with cls.read(path) as found:
                found._refuse(lock, now())
                found.check_seal()
            journal = cls(path, database.connect(path, write=True), lock, now)
            journal._plan = found.plan()
            return journal
        except BaseException as error:
            lock.release()
            if isinstance(error, sqlite3.Error):
                raise JournalError(f"cannot be opened ({error})", path=path) from None
            raise

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Journal:
        """Open a journal to look at it, also while its rollout goes on.

        Raises
        ------
        JournalError
            As for `open`; what only a look at all of the file would show is seen by `open`, or
            when it is read.
        """
        path = Path(path)
        database.check_bytes(path)
        try:
            return cls(path, database.connect(path, write=False), None)
        except sqlite3.Error as error:
            raise database.damaged(path, str(error)) from None

    def check_seal(self) -> None:
        """Refuse a journal whose rollout or plan is not what it was made with.

        Raises
        ------
        JournalError
        """
        meta = self.meta()
        if meta.get("seal") != _seal(meta):
            raise database.damaged(self.path, "its seal does not fit")
        self.plan()

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        if self._lock is None:
            self._db.close()
            return
        try:
            if self._lease is not None and self._lease_is_ours():
                self._db.execute("DELETE FROM lease")
        except sqlite3.Error:
            pass  # a full disk: the lease runs out by itself
        finally:
            database.settle(self._db)
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- who writes -----------------------------------------------------------------------------

    def lease(self) -> Lease | None:
        """Return who writes this journal; None when nobody does."""
        found = list(self._query("SELECT since, seen, owner, process, host FROM lease"))
        return Lease(*found[0]) if found else None

    def _take_lease(self, lock: Lock) -> None:
        now = self._now()
        mine = Lease(now, now)
        try:
            with self._transaction():
                self._refuse(lock, now)
                self._db.execute("DELETE FROM lease")
                self._db.execute(
                    "INSERT INTO lease (since, seen, owner, process, host) VALUES (?, ?, ?, ?, ?)",
                    (mine.since, mine.seen, mine.owner, mine.process, mine.host),
                )
        except BaseException:
            self._db.close()
            raise
        self._lease, self._seen = mine, now

    def _refuse(self, lock: Lock, now: float) -> None:
        other = self.lease()
        if other is not None:
            other.refuse(self.path, now, locked=lock.locked)

    def _lease_is_ours(self) -> bool:
        found = self._db.execute("SELECT owner FROM lease").fetchone()
        return found is not None and self._lease is not None and found[0] == self._lease.owner

    def _renew(self) -> None:
        """Refuse to write once another took the journal over; else be seen, now and then.

        In the transaction of every round: two writers never both have an intent on disk.
        """
        if not self._lease_is_ours():
            raise JournalLockedError(
                f"another rollout has taken this journal over ({self.lease() or 'and ended'})",
                path=self.path,
                remedy="Leave it to that one; nothing was sent since",
            )
        now = self._now()
        if now - self._seen >= RENEW_SECONDS:
            self._db.execute("UPDATE lease SET seen = ?", (now,))
            self._seen = now

    # -- write ----------------------------------------------------------------------------------

    def write(
        self,
        steps: Iterable[StepRow] = (),
        calls: Iterable[CallRow] = (),
        ends: Iterable[CallEnd] = (),
        meta: Mapping[str, str | None] | None = None,
    ) -> None:
        """Write one round, in one transaction that is on disk when this returns.

        Raises
        ------
        JournalError
            If it cannot be written, for example because the disk is full.
        JournalLockedError
            If another rollout has taken the journal over.
        """
        try:
            with self._transaction():
                self._renew()
                self._db.executemany(StepRow.UPDATE, [row.values() for row in steps])
                self._db.executemany(CallRow.INSERT, [row.values() for row in calls])
                self._db.executemany(CallEnd.UPDATE, [row.values() for row in ends])
                self._db.executemany(_SET, list((meta or {}).items()))
        except sqlite3.Error as error:
            raise JournalError(
                f"cannot be written ({error})", path=self.path, remedy="Make room, then resume"
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A disk that is full has ended the transaction already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # -- read -----------------------------------------------------------------------------------

    def meta(self) -> dict[str, str]:
        """Return what is known of the rollout as a whole."""
        return dict(self._query("SELECT name, value FROM meta"))

    def steps(self) -> pd.DataFrame:
        """Return a row a step, of `vcokit.schema.STEPS`."""
        return self._frame("step", schema.STEPS)

    def calls(self, *, after: int = 0) -> pd.DataFrame:
        """Return a row a call with a number above one, of `vcokit.schema.CALLS`."""
        return self._frame("call", schema.CALLS, where=f"call > {after:d}")

    def plan(self) -> Plan:
        """Return the plan that the rollout carries out.

        Raises
        ------
        JournalError
            If it is not the one that the journal was made with.
        """
        if self._plan is None:
            # All columns, so that no damage to a step comes to light only when it is too late.
            steps = self.steps()[list(PLAN_COLUMNS)]
            live = self._frame("live", {name: schema.LIVE_ROUTES[name] for name in _LIVE}, "rowid")
            plan = Plan.of(steps, live, self.meta())
            if plan.fingerprint != self.meta().get("fingerprint"):
                raise database.damaged(self.path, "the plan in it is not the one it began with")
            self._plan = plan
        return self._plan

    def standing(self) -> Iterator[tuple[int, str, int, int]]:
        """Yield step, state, attempt, misses of every step that is not blocked.

        A pending step that was ever sent counts as unknown again.
        """
        yield from self._query(STANDING)

    def last_call(self) -> int:
        """Return the highest number of a call; 0 before the first."""
        return int(next(self._query("SELECT coalesce(max(call), 0) FROM call"))[0])

    def _query(self, sql: str) -> Iterator[Any]:
        try:
            yield from self._db.execute(sql)
        except (sqlite3.Error, UnicodeError) as error:
            raise JournalError(f"cannot be read ({error})", path=self.path) from None

    def _frame(
        self, table: str, columns: schema.Schema, order: str = "", where: str = "TRUE"
    ) -> pd.DataFrame:
        names = ", ".join(columns)
        sql = f"SELECT {names} FROM {table} WHERE {where} ORDER BY {order or table}"  # noqa: S608
        # Column by column, no row kept: rows of a hundred thousand steps take 60 MB.
        values = list(zip(*self._query(sql), strict=True)) or [()] * len(columns)
        try:
            return _frame(columns, values)
        except (TypeError, ValueError, OverflowError) as error:  # not what was ever written
            raise database.damaged(self.path, f"{table}: {error}") from None


def _seal(meta: Mapping[str, str]) -> str:
    """Return a digest of what never changes."""
    said = "\n".join(meta.get(name, "") for name in _SEALED)
    return hashlib.sha256(said.encode()).hexdigest()


def _fill(connection: sqlite3.Connection, plan: Plan, meta: Mapping[str, str]) -> None:
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.executemany(_SET, list(meta.items()))
    _insert(connection, "step", plan.steps, PLAN_COLUMNS)
    _insert(connection, "live", plan.live, _LIVE)


def _insert(
    connection: sqlite3.Connection, table: str, frame: pd.DataFrame, columns: Sequence[str]
) -> None:
    holes = ", ".join("?" * len(columns))
    objects = [frame[name].astype("object") for name in columns]
    rows = zip(*(column.where(column.notna(), None) for column in objects), strict=True)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})"  # noqa: S608
    connection.executemany(sql, rows)


def _frame(columns: schema.Schema, values: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return columns as a frame, and empty their list; seconds since the epoch become times."""
    data: dict[str, object] = {}
    for name, dtype in reversed(list(columns.items())):
        column = values.pop()
        if dtype == schema.TIME:
            seconds = pd.Series(column, dtype="float64")
            data[name] = pd.to_datetime(seconds, unit="s", utc=True)
            continue
        if isinstance(dtype, pd.CategoricalDtype) and not set(column) <= set(dtype.categories):
            raise ValueError(f"{name} is none of {', '.join(dtype.categories)}")
        data[name] = pd.Series(column, dtype=dtype)
    return schema.frame(columns, data)
