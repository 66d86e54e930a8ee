"""The SQLite file that makes a rollout survive anything: intent on disk before a call leaves.

One file a rollout, readable with any SQLite tool; its tables stand in `vcokit.rollout.tables`.
Everything of one round of the scheduler is one transaction, committed (synchronous FULL, WAL)
before any of its calls leaves. The file is made with mode 0600
and holds neither secrets nor an endpoint. A lock beside it keeps a second writer out; readers are
welcome at any time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.errors import JournalError
from vcokit.rollout.lock import Lock
from vcokit.rollout.plan import PLAN_COLUMNS, Plan
from vcokit.rollout.tables import APPLICATION_ID, TABLES, VERSION, CallEnd, CallRow, StepRow

_LIVE: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")


class Journal:
    """A rollout's journal; open one with `create`, `open` or `read`.

    Parameters
    ----------
    path : Path
    connection : sqlite3.Connection
    lock : Lock or None
        Held by a writer.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock | None) -> None:
        self.path = path
        self._db = connection
        self._lock = lock

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
        now: Callable[[], float] = time.time,
    ) -> Journal:
        """Make the journal of a new rollout and lock it.

        Raises
        ------
        JournalError
            If the file exists already, or cannot be made.
        """
        path = Path(path)
        lock = Lock(path)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            journal = cls(path, _connect(path, read_only=False), lock)
        except FileExistsError:
            lock.release()
            raise JournalError(
                "this journal exists already",
                path=path,
                remedy="Go on with it by Rollout.open(path, client), or choose another name",
            ) from None
        except OSError as error:
            lock.release()
            raise JournalError(f"cannot be made ({error})", path=path) from None
        journal._fill(plan, rollout_id, now())
        return journal

    def _fill(self, plan: Plan, rollout_id: str, now: float) -> None:
        with self._transaction(immediate=False):
            for statement in TABLES.split(";"):
                self._db.execute(statement)
            meta = {
                "rollout_id": rollout_id,
                "fingerprint": plan.fingerprint,
                "state": "ready",
                "created_at": repr(now),
                **plan.meta(),
            }
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            self._insert("step", plan.steps, PLAN_COLUMNS)
            self._insert("live", plan.live, _LIVE)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _insert(self, table: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
        holes = ", ".join("?" * len(columns))
        objects = [frame[name].astype("object") for name in columns]
        rows = zip(*(column.where(column.notna(), None) for column in objects), strict=True)
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})"  # noqa: S608
        self._db.executemany(sql, rows)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Journal:
        """Open a journal to go on with its rollout, and lock it.

        Raises
        ------
        JournalError
            If there is none, or it is of another program or a newer version; it is not touched.
        JournalLockedError
            If another rollout holds it.
        """
        path = Path(path)
        _check_file(path)
        lock = Lock(path)
        try:
            return cls._checked(path, read_only=False, lock=lock)
        except JournalError:
            lock.release()
            raise

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Journal:
        """Open a journal to look at it, also while its rollout goes on."""
        path = Path(path)
        _check_file(path)
        return cls._checked(path, read_only=True, lock=None)

    @classmethod
    def _checked(cls, path: Path, *, read_only: bool, lock: Lock | None) -> Journal:
        # Looked at read-only first: to open a foreign database for writing would change it.
        try:
            connection = _connect(path, read_only=True)
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"cannot be read ({error})", path=path) from None
        if application != APPLICATION_ID or version != VERSION:
            connection.close()
            raise _foreign(path, application, version)
        if not read_only:
            connection.close()
            connection = _connect(path, read_only=False)
        return cls(path, connection, lock)

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        if self._lock is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            # Back to one plain file, which a reader need not put others beside; a reader that
            # looks at it just now keeps it as it is.
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        """
        try:
            with self._transaction():
                for row in steps:
                    self._db.execute(*row.update())
                self._db.executemany(CallRow.INSERT, [row.values() for row in calls])
                self._db.executemany(CallEnd.UPDATE, [row.values() for row in ends])
                for name, value in (meta or {}).items():
                    self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        except sqlite3.Error as error:
            raise JournalError(
                f"cannot be written ({error})", path=self.path, remedy="Make room, then resume"
            ) from None

    @contextmanager
    def _transaction(self, *, immediate: bool = True) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE" if immediate else "BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- read -----------------------------------------------------------------------------------

    def meta(self) -> dict[str, str]:
        """Return what is known of the rollout as a whole."""
        return dict(self._query("SELECT name, value FROM meta"))

    def steps(self) -> pd.DataFrame:
        """Return a row a step, of `vcokit.schema.STEPS`."""
        return self._frame("step", schema.STEPS)

    def calls(self) -> pd.DataFrame:
        """Return a row a call, of `vcokit.schema.CALLS`."""
        return self._frame("call", schema.CALLS)

    def plan(self) -> Plan:
        """Return the plan that the rollout carries out."""
        steps = self._frame("step", {name: schema.STEPS[name] for name in PLAN_COLUMNS})
        live = self._frame("live", {name: schema.LIVE_ROUTES[name] for name in _LIVE}, "rowid")
        return Plan.of(steps, live, self.meta())

    def standing(self) -> Iterator[tuple[int, str, int, int]]:
        """Yield step, state, attempt, misses of every step that is not blocked."""
        yield from self._query(
            "SELECT step, state, attempt, misses FROM step WHERE action != 'blocked' ORDER BY step"
        )

    def last_call(self) -> int:
        """Return the highest number of a call; 0 before the first."""
        return int(next(self._query("SELECT coalesce(max(call), 0) FROM call"))[0])

    def _query(self, sql: str) -> Iterator[Any]:
        try:
            yield from self._db.execute(sql)
        except sqlite3.Error as error:
            raise JournalError(f"cannot be read ({error})", path=self.path) from None

    def _frame(self, table: str, columns: schema.Schema, order: str = "") -> pd.DataFrame:
        names = ", ".join(columns)
        sql = f"SELECT {names} FROM {table} ORDER BY {order or table}"  # noqa: S608
        values = list(zip(*self._query(sql), strict=True)) or [()] * len(columns)
        data: dict[str, object] = {}
        for (name, dtype), column in zip(columns.items(), values, strict=True):
            seconds = pd.Series(column, dtype="float64") if dtype == schema.TIME else None
            data[name] = (
                list(column) if seconds is None else pd.to_datetime(seconds, unit="s", utc=True)
            )
        return schema.frame(columns, data)


def _foreign(path: Path, application: int, version: int) -> JournalError:
    if application != APPLICATION_ID:
        return JournalError("this is no journal of vcokit", path=path)
    return JournalError(
        f"written by another version of vcokit (format {version}, known is {VERSION})",
        path=path,
        remedy="Use that version, or install a newer vcokit",
    )


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}"
    # A rollout's thread writes what another thread opened; its one lock is the loop it runs in.
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise JournalError("there is no such journal", path=path, remedy="Check the path")
    with path.open("rb") as file:
        head = file.read(16)
    if head != b"SQLite format 3\x00":
        raise JournalError("this is no journal of vcokit", path=path)
