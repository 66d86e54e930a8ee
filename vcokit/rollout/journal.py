"""The SQLite file that lets a rollout survive crashes: intent is on disk before a call is sent.

::

    Journal.create(path, plan, id)   Journal.open(path)   Journal.read(path)
        a new one, locked                to resume, locked    to read, at any time
                      .write(steps, calls, ends)              .steps()  .calls()  .plan()
                          one round, one transaction

One file per rollout, readable with any SQLite tool. `vcokit.rollout.database` opens it, and
`vcokit.rollout.lock` decides who may write. Each round of the scheduler is one transaction, which
is on disk before any call of the round is sent. The file is created with mode 0600 and contains
neither secrets nor an endpoint. Its tables::

    meta   name, value        rollout_id, fingerprint, seal, created_at, state, message; what the
                              caller wants to keep (options, simulated, approved_by, ticket);
                              origin and runs (`vcokit.rollout.provenance`); listed: the routes
                              of each connection at the end of the last run, by weight
    owner  one row            the writer: host, process, since, version of vcokit, id; no row when
                              closed
    live   the live routes that the plan was made from
    step   a row per step     what is planned: action, scope, route, description, row, source, line
                              progress: state, attempt, misses
                              the last answer: code, message, request_id
                              times: sent_at, accepted_at, settled_at, ended_at
                              attempts: how often it was sent
    call   a row per call     the request: operation, region, connection, step, attempt,
                              client_token and time; the result: seconds, outcome, code,
                              http_status, request_id. No outcome: the process died before it
                              knew one

Times are seconds since the epoch. ``application_id`` marks the file as a journal; ``user_version``
is the format of the tables. Format 3 had a table ``lease`` instead of ``owner``; it can be read as
well, and becomes format 4 when its rollout is resumed. Changes to what is written only once are
detected: `seal` is a digest of rollout_id, fingerprint, created_at and simulated, and of origin and
approval if there are any; the fingerprint is one of step and live.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database, provenance, rehearsal
from vcokit.rollout.lock import Lock, Owner, held
from vcokit.rollout.messages import StepChanged, state_of
from vcokit.rollout.plan import PLAN_COLUMNS, Plan
from vcokit.rollout.snapshot import RolloutSnapshot, take_snapshot
from vcokit.rollout.steps import FINAL, State

_SET: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
#: How long a closing writer waits for readers, as it may close at any time; milliseconds.
_LEAVING: Final = 1000
_SET_OWNER: Final = "INSERT INTO owner VALUES (:host, :process, :since, :version, :id)"
_LIVE: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")
_SEALED: Final = ("rollout_id", "fingerprint", "created_at")

_STATES: Final = ", ".join(f"'{state}'" for state in schema.STATES.categories)
_ACTIONS: Final = ", ".join(f"'{action}'" for action in schema.ACTIONS.categories)
TABLES: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE live (
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT, weight INTEGER
);
CREATE TABLE step (
    step INTEGER PRIMARY KEY,
    action TEXT NOT NULL CHECK (action IN ({_ACTIONS})),
    state TEXT NOT NULL CHECK (state IN ({_STATES})), scope TEXT,
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT,
    old_weight INTEGER, weight INTEGER, description TEXT, message TEXT,
    row INTEGER, source TEXT, line INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (typeof(attempt) = 'integer' AND attempt >= 0),
    misses INTEGER NOT NULL DEFAULT 0 CHECK (typeof(misses) = 'integer' AND misses >= 0),
    attempts INTEGER NOT NULL DEFAULT 0, code TEXT, request_id TEXT,
    sent_at REAL, accepted_at REAL, settled_at REAL, ended_at REAL
);
CREATE TABLE call (
    call INTEGER PRIMARY KEY, step INTEGER, operation TEXT NOT NULL, region_id TEXT,
    vpn_connection_id TEXT, attempt INTEGER, client_token TEXT, sent_at REAL NOT NULL,
    seconds REAL, outcome TEXT, code TEXT, http_status INTEGER, request_id TEXT
);
"""

#: The table of the owner, and how it is read, by format.
_OWNER_TABLE: Final = {
    3: """CREATE TABLE lease (
    owner TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
    since REAL NOT NULL, seen REAL NOT NULL
)""",
    4: """CREATE TABLE owner (
    host TEXT NOT NULL, process INTEGER NOT NULL, since REAL NOT NULL, version TEXT NOT NULL,
    id TEXT NOT NULL
)""",
}
_OWNER: Final = {
    3: "SELECT host, process, since, '0.1.0', owner FROM lease",
    4: "SELECT host, process, since, version, id FROM owner",
}


@cache
def _made(version: int) -> frozenset[tuple[str, str, str]]:
    """Return type, name and SQL of everything that a journal of a format consists of."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES + _OWNER_TABLE[version])
        return _consists_of(connection)


def _consists_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    # SQLite itself creates indices of keys, and statistics.
    sql = "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'"
    return frozenset(connection.execute(sql))


def _strange_in(connection: sqlite3.Connection, version: int) -> list[str]:
    """Return how a database differs from the tables of a journal; empty if it does not.

    Call this before reading anything else: a view in place of a table may never end, and a trigger
    may undo what is written.
    """
    found, made = _consists_of(connection), _made(version)
    named = {f"{kind} {name}" for kind, name, _ in found - made}
    return sorted(named or {f"no {kind} {name}" for kind, name, _ in made - found})


#: The record of each step for a resumed rollout. A request that was sent once may have arrived
#: after the listing that did not show it, or as a second copy after a refusal: it is unknown again.
STANDING: Final = """
SELECT step, CASE WHEN state = 'pending' AND attempts > 0 THEN 'unknown' ELSE state END,
    attempt, misses
FROM step WHERE action != 'blocked' ORDER BY step
"""

#: Whether steps are left that are in no final state.
_IS_LEFT: Final = f"""
SELECT EXISTS (SELECT 1 FROM step WHERE state NOT IN ({", ".join(f"'{each}'" for each in FINAL)}))
"""  # noqa: S608

#: One statement for all states, so that `executemany` can run it; its names are those of a
#: `StepChanged`.
_UPDATE_STEP: Final = f"""
UPDATE step SET state = :new, attempt = :attempt, misses = :misses, code = :code,
    message = :message, request_id = coalesce(:request_id, request_id),
    attempts = attempts + (:new = '{State.SENT}'),
    sent_at = CASE :new WHEN '{State.SENT}' THEN :at ELSE sent_at END,
    accepted_at = CASE :new WHEN '{State.ACCEPTED}' THEN :at ELSE accepted_at END,
    settled_at = CASE :new WHEN '{State.SETTLED}' THEN :at ELSE settled_at END,
    ended_at = CASE WHEN :new IN ('{State.DONE}', '{State.FAILED}', '{State.SKIPPED}') THEN :at
        ELSE ended_at END
WHERE step = :step
"""  # noqa: S608
_INSERT_CALL: Final = """
INSERT INTO call (call, step, operation, region_id, vpn_connection_id, attempt, client_token,
    sent_at)
VALUES (:call, :step, :operation, :region_id, :vpn_connection_id, :attempt, :client_token, :sent_at)
"""
_UPDATE_CALL: Final = """
UPDATE call SET seconds = :seconds, outcome = :outcome, code = :code, http_status = :http_status,
    request_id = :request_id
WHERE call = :call
"""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call that is about to be sent: one row to insert.

    Parameters
    ----------
    call : int
        Assigned by the writer, ascending.
    operation, region_id : str
    vpn_connection_id : str or None
        None for a call about a whole region.
    sent_at : float
        Seconds since the epoch.
    step, attempt, client_token
        Only for a write.
    """

    call: int
    operation: str
    region_id: str
    vpn_connection_id: str | None
    sent_at: float
    step: int | None = None
    attempt: int | None = None
    client_token: str | None = None


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The result of a call: one row to update.

    Parameters
    ----------
    call : int
    seconds : float
    outcome : str
        ``ok``, the kind of the refusal, or ``unknown``.
    code, http_status, request_id
        From the answer.
    """

    call: int
    seconds: float
    outcome: str
    code: str | None = None
    http_status: int | None = None
    request_id: str | None = None


class _Hold(NamedTuple):
    """What a writer holds: its file lock, its row in the journal, and its open files."""

    lock: Lock
    owner: Owner
    files: database.Files


class Journal:
    """A rollout's journal; open one with `create`, `open` or `read`.

    A journal that is garbage-collected releases its file, as if it were closed.

    Parameters
    ----------
    path : Path
        Absolute and without links, so that it stays valid if the working directory changes.
    connection : sqlite3.Connection
    version : int
        Format of its tables.
    hold : _Hold, optional
        Only for a writer.

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
        version: int,
        hold: _Hold | None = None,
    ) -> None:
        self.path = path
        self._db = connection
        self._version = version
        self._hold = hold
        self._plan: Plan | None = None
        self._forgotten = weakref.finalize(self, _let_go, connection, hold)
        # At the program's end a thread may still write to it; the operating system frees the lock.
        self._forgotten.atexit = False

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
        """Create the journal of a new rollout and lock it.

        Parameters
        ----------
        path : path
        plan : Plan
        rollout_id : str
            Part of every client token.
        meta : mapping of str to str, optional
            Other texts to keep, such as options; the journal's own names take precedence.
        now : callable
            Seconds since the epoch.

        Raises
        ------
        JournalError
            If the file exists already, or cannot be created; then no part of it is left.
        """
        path = database.place_of_new(path)
        own = {
            "rollout_id": rollout_id,
            "fingerprint": plan.fingerprint,
            "created_at": repr(now()),
            "state": "ready",
        }
        kept = {**(meta or {}), **plan.meta(), **own}
        kept["seal"] = _seal(kept)
        lock, owner = Lock(path, None), Owner.here(now())
        try:
            connection = database.make(path, lambda db: _fill(db, plan, kept, owner))
        except BaseException:
            lock.release()
            raise
        return cls(path, connection, database.FORMAT, _Hold(lock, owner, database.Files(path)))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        take_over: bool = False,
        now: Callable[[], float] = time.time,
    ) -> Journal:
        """Open a journal to resume its rollout, and lock it.

        Parameters
        ----------
        path : path
        take_over : bool
            Whether to take the journal from a rollout on another host. Pass True only if you are
            sure that it is dead; if it is not, it ends with an error before it sends anything more.
        now : callable
            Seconds since the epoch.

        Raises
        ------
        JournalError
            If there is no journal, or it belongs to another program, has another version, or is
            damaged; it is not modified.
        JournalLockedError
            If another rollout holds it.
        """
        path = database.place_of(path)
        with cls.read(path) as found:
            told = found.owner()
        database.refuse_second_name(path)
        lock = Lock(path, told)
        try:
            with cls.read(path) as found:
                # Check this first: the changes of a live writer could look like damage.
                other = found.owner()
                if other is not None and not other.is_here and not take_over:
                    raise held(path, other)
                found.check()
            owner = Owner.here(now())
            connection = database.connect(path, write=True)
            try:
                _take(connection, path, found._version, owner, other)
            except BaseException:
                connection.close()
                raise
        except BaseException as error:
            lock.release()
            if isinstance(error, sqlite3.Error):
                raise database.refused(path, "opened", error) from None
            raise
        journal = cls(path, connection, database.FORMAT, _Hold(lock, owner, database.Files(path)))
        journal._plan = found.plan()
        return journal

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Journal:
        """Open a journal for reading, also while its rollout runs.

        Raises
        ------
        JournalError
            As for `open`; damage that only a check of the whole file shows is found by `open`, or
            when the damaged part is read.
        """
        path = database.place_of(path)
        version = database.format_of(path)
        try:
            journal = cls(path, database.connect(path, write=False), version)
        except sqlite3.Error as error:
            raise database.damaged(path, str(error)) from None
        try:
            with journal._reading():
                strange = _strange_in(journal._db, version)
            if strange:
                raise database.damaged(path, f"changed by hand: {', '.join(strange)[:200]}")
        except BaseException:
            journal.close()
            raise
        return journal

    def check(self) -> None:
        """Refuse a journal that is damaged or was changed since it was created.

        Raises
        ------
        JournalError
        """
        found = [row[0] for row in self._query("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise database.damaged(self.path, f"{found}")
        meta = self.meta()
        if meta.get("seal") != _seal(meta):
            raise database.damaged(self.path, "its seal does not match")
        self.plan()

    def close(self) -> None:
        """Write everything into the main file and release it; closing again has no effect."""
        self._forgotten()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the owner ------------------------------------------------------------------------------

    def owner(self) -> Owner | None:
        """Return the writer of this journal, also one that was killed; None if it was closed."""
        with self._reading():
            return _owner_in(self._db, self._version)

    def holder(self) -> Owner | None:
        """Return who holds this journal now; None if nobody does, or the owner is dead.

        If this returns None, `open` can take the journal.
        """
        owner = self.owner()
        return owner if owner is not None and owner.may_write(self.path) else None

    def state(self) -> str:
        """Return the rollout's state as one word; see `vcokit.rollout.messages.state_of`."""
        left = next(self._query(_IS_LEFT))[0]
        return state_of(self.meta().get("state"), held=self.holder() is not None, left=left)

    # -- write ----------------------------------------------------------------------------------

    def write(
        self,
        steps: Iterable[StepChanged] = (),
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
        with self._writing():
            self._db.executemany(_UPDATE_STEP, map(asdict, steps))
            self._db.executemany(_INSERT_CALL, map(asdict, calls))
            self._db.executemany(_UPDATE_CALL, map(asdict, ends))
            self._db.executemany(_SET, list((meta or {}).items()))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Open a round's transaction, so that two writers never both have an intent on disk."""
        if self._hold is None or not self._forgotten.alive:
            raise self._failed("written", "it was opened to be read", "Open it with Journal.open")
        if (how := self._hold.files.lost()) is not None:
            raise JournalError(
                f"the journal is lost: {how}; nothing was sent since this was seen",
                path=self.path,
                remedy="If it is permanently lost, make a new plan from the live routes. If it was "
                "moved, put it back",
            )
        try:
            with database.transaction(self._db):
                owner = _owner_in(self._db, self._version)
                if owner != self._hold.owner:
                    raise JournalLockedError(
                        f"another rollout has taken this journal over ({owner or 'and ended'})",
                        path=self.path,
                        remedy="Leave the journal to that rollout; this one has sent nothing since",
                    )
                yield
        except sqlite3.Error as error:
            raise self._failed("written", error, "Make room, then resume") from None

    # -- read -----------------------------------------------------------------------------------

    def meta(self) -> dict[str, str]:
        """Return what the journal keeps about the rollout as a whole.

        Raises
        ------
        JournalError
            If a name or a value is not text.
        """
        found = dict(self._query("SELECT name, value FROM meta WHERE value IS NOT NULL"))
        for name, value in found.items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise database.damaged(self.path, f"meta: {name!r:.60} is no text")
        return found

    @property
    def simulated(self) -> bool | None:
        """Whether the rollout was begun on a simulator; None if the journal does not say."""
        return rehearsal.of_text(self.meta().get(rehearsal.NAME))

    def steps(self) -> pd.DataFrame:
        """Return a row per step, of `vcokit.schema.STEPS`."""
        return self._frame("step", schema.STEPS)

    def calls(self, *, after: int = 0) -> pd.DataFrame:
        """Return a row per call whose number is above `after`, of `vcokit.schema.CALLS`."""
        return self._frame("call", schema.CALLS, where=f"call > {after:d}")

    def plan(self) -> Plan:
        """Return the plan that the rollout carries out.

        Raises
        ------
        JournalError
            If it is not the plan that the journal was created with.
        """
        if self._plan is None:
            # All columns are read, so that damage to a step is found before anything is sent.
            steps = self.steps()[list(PLAN_COLUMNS)]
            live = self._frame("live", {name: schema.LIVE_ROUTES[name] for name in _LIVE}, "rowid")
            try:
                plan = Plan.of(steps, live, self.meta())
            except (ValueError, TypeError, RecursionError):  # not what was ever written
                raise database.damaged(
                    self.path, "what it says of its plan is no such text"
                ) from None
            if not plan.has_fingerprint(self.meta().get("fingerprint")):
                raise database.damaged(self.path, "the plan in it is not the one it began with")
            self._plan = plan
        return self._plan

    def standing(self) -> Iterator[tuple[int, str, int, int]]:
        """Yield step, state, attempt and misses of every step that is not blocked.

        A pending step that was sent before counts as unknown again.
        """
        yield from self._query(STANDING)

    def snapshot(
        self,
        *,
        earlier: RolloutSnapshot | None = None,
        failures: int = 50,
        search: str = "",
        now: float | None = None,
    ) -> RolloutSnapshot:
        """Return the progress of the rollout: counts, pace, recent changes, failures, holder.

        It is fast for large journals too: a few SQL aggregates in one read transaction.

        Parameters
        ----------
        earlier : RolloutSnapshot, optional
            An earlier snapshot of this journal. Calls that it has counted are not counted again,
            which saves time and does not change the result.
        failures : int
            The maximum number of failures in the list.
        search : str
            Text that the listed failures contain, ignoring case: a connection, a destination, a
            code, a request id.
        now : float, optional
            Seconds since the epoch; by default the time of this machine.

        Returns
        -------
        RolloutSnapshot

        Raises
        ------
        JournalError
            If something in the journal has a value that vcokit never writes.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from vcokit.rollout.plan import plan_routes
        >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
        ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
        >>> plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
        >>> with TemporaryDirectory() as folder:
        ...     with Journal.create(Path(folder) / "rollout.db", plan, "some id") as journal:
        ...         journal.write([StepChanged(9.0, 0, "pending", "sent")])
        ...         snapshot = journal.snapshot()
        >>> snapshot.state, dict(snapshot.states), snapshot.left
        ('ready', {'sent': 1, 'blocked': 1}, 1)
        """
        with self._reading():
            self._db.execute("BEGIN")
            try:
                return take_snapshot(
                    self._db,
                    self.meta(),
                    self.holder(),
                    now=time.time() if now is None else now,
                    earlier=earlier,
                    failures=failures,
                    search=search,
                )
            except (TypeError, ValueError, OverflowError) as error:  # vcokit never writes this
                raise database.damaged(self.path, f"{error}") from None
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Let everything that is read within be of one moment, also while a rollout writes."""
        with self._reading():
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def task_seconds(self, bounds: Sequence[float] = ()) -> tuple[list[int], float]:
        """Return how long the cloud's tasks have taken: from the answer until they were seen over.

        Of each step its last task counts. SQLite sums them up, so that it is cheap.

        Parameters
        ----------
        bounds : sequence of float
            Seconds.

        Returns
        -------
        list of int
            Tasks that took at most as long as each bound; at the end, all of them.
        float
            Seconds of all of them together.
        """
        up_to = "".join(f", total(seconds <= {float(bound)!r})" for bound in bounds)
        (row,) = self._query(
            f"SELECT total(seconds){up_to}, count(*) FROM "  # noqa: S608 - numbers only
            "(SELECT settled_at - accepted_at AS seconds FROM step WHERE settled_at >= accepted_at)"
        )
        return [int(number) for number in row[1:]], float(row[0])

    def calls_since(self, since: float) -> Iterator[tuple[int, str, str, float, float | None]]:
        """Yield number, region, operation, sent_at and seconds of each call sent after a time."""
        sql = "SELECT call, region_id, operation, sent_at, seconds FROM call WHERE sent_at > ?"
        for call, region, operation, sent, seconds in self._query(sql, since):
            try:
                took = None if seconds is None else float(seconds)
                yield call, str(region), str(operation), float(sent), took
            except (TypeError, ValueError) as error:  # vcokit never writes this
                raise database.damaged(self.path, f"call {call}: {error}") from None

    def last_call(self) -> int:
        """Return the highest number of a call; 0 before the first."""
        return int(next(self._query("SELECT coalesce(max(call), 0) FROM call"))[0])

    def _query(self, sql: str, *values: float) -> Iterator[Any]:
        with self._reading():
            yield from self._db.execute(sql, values)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeError) as error:
            if type(error) is sqlite3.DatabaseError:  # its subclasses do not mean damage
                raise database.damaged(self.path, str(error)) from None
            raise self._failed("read", error) from None

    def _failed(self, done: str, why: object, remedy: str | None = None) -> JournalError:
        if not self._forgotten.alive:
            remedy = "Open it again with vk.Journal.read(path)"
            return JournalError("this journal is closed", path=self.path, remedy=remedy)
        return JournalError(f"cannot be {done} ({why})", path=self.path, remedy=remedy)

    def _frame(
        self, table: str, columns: schema.Schema, order: str = "", where: str = "TRUE"
    ) -> pd.DataFrame:
        names = ", ".join(columns)
        sql = f"SELECT {names} FROM {table} WHERE {where} ORDER BY {order or table}"  # noqa: S608
        # Column by column, without keeping rows: rows of a hundred thousand steps take 60 MB.
        values = list(zip(*self._query(sql), strict=True)) or [()] * len(columns)
        try:
            return _frame_of(columns, values)
        except (TypeError, ValueError, OverflowError) as error:  # vcokit never writes this
            raise database.damaged(self.path, f"{table}: {error}") from None


def _seal(meta: Mapping[str, str]) -> str:
    """Return a digest of the values that never change."""
    # If a journal does not say whether it is simulated, the digest covers the other values only.
    said = "\n".join(meta.get(name, "") for name in _SEALED) + meta.get(rehearsal.NAME, "")
    kept = {name: meta[name] for name in (provenance.ORIGIN, *provenance.APPROVAL) if name in meta}
    if kept:  # those of earlier versions have none of it
        said += f"\n{json.dumps(kept)}"
    return hashlib.sha256(said.encode()).hexdigest()


# -- the owner ------------------------------------------------------------------------------------


def _take(
    db: sqlite3.Connection, path: Path, version: int, owner: Owner, other: Owner | None
) -> None:
    """Replace the owner of a journal by another, and convert the journal to the current format."""
    with database.transaction(db):
        found = _owner_in(db, version)
        if found != other:  # another host took it first
            raise held(path, found)
        if version < database.FORMAT:
            db.execute("DROP TABLE lease")
            db.execute(_OWNER_TABLE[database.FORMAT])
            db.execute(f"PRAGMA user_version = {database.FORMAT}")
        db.execute("DELETE FROM owner")
        db.execute(_SET_OWNER, asdict(owner))
    with suppress(sqlite3.Error):
        # Into the main file: another host may not see the write-ahead log.
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _let_go(db: sqlite3.Connection, hold: _Hold | None) -> None:
    """Close a journal; a writer's is merged into one file first, then others may write."""
    if hold is None:
        db.close()
        return
    if hold.lock.is_ours:  # a child of the process that holds it leaves everything to its parent
        with suppress(sqlite3.Error):  # on a full disk, the free lock is enough
            db.execute(f"PRAGMA busy_timeout = {_LEAVING}")
            db.execute("DELETE FROM owner WHERE id = ?", (hold.owner.id,))
        database.settle(db, there=hold.files.lost() is None)
    hold.lock.release()


def _owner_in(connection: sqlite3.Connection, version: int) -> Owner | None:
    found = connection.execute(_OWNER[version]).fetchone()
    if found is None:
        return None
    try:
        host, process, since, made_by, name = found
        owner = Owner(str(host), int(process), float(since), str(made_by), str(name))
        str(owner)
    except (TypeError, ValueError, OverflowError, OSError) as error:  # vcokit never writes this
        raise sqlite3.DatabaseError(f"owner: {error}") from None
    return owner


def _fill(
    connection: sqlite3.Connection, plan: Plan, meta: Mapping[str, str], owner: Owner
) -> None:
    for statement in (TABLES + _OWNER_TABLE[database.FORMAT]).split(";"):
        connection.execute(statement)
    connection.executemany(_SET, list(meta.items()))
    connection.execute(_SET_OWNER, asdict(owner))
    _insert(connection, "step", plan.steps, PLAN_COLUMNS)
    _insert(connection, "live", plan.live, _LIVE)


# -- from frames to tables and back ---------------------------------------------------------------


def _insert(
    connection: sqlite3.Connection, table: str, frame: pd.DataFrame, columns: Sequence[str]
) -> None:
    """Insert each row of a frame into a table; missing values become NULL."""
    holes = ", ".join("?" * len(columns))
    objects = [frame[name].astype("object") for name in columns]
    rows = zip(*(column.where(column.notna(), None) for column in objects), strict=True)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})"  # noqa: S608
    connection.executemany(sql, rows)


def _frame_of(columns: schema.Schema, values: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return columns as a frame and empty their list; seconds since the epoch become timestamps.

    Parameters
    ----------
    columns : mapping of str to dtype
        See `vcokit.schema`.
    values : list of tuple
        One per column, in that order.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If a value is one that vcokit never writes.

    Examples
    --------
    >>> _frame_of({"step": "int64", "sent_at": schema.TIME}, [(1, 2), (0.0, None)])
       step                   sent_at
    0     1 1970-01-01 00:00:00+00:00
    1     2                       NaT
    """
    data: dict[str, object] = {}
    for name, dtype in reversed(list(columns.items())):
        column = values.pop()
        if dtype == schema.TIME:
            seconds = np.array(column, dtype="float64")
            data[name] = pd.to_datetime(seconds, unit="s", utc=True)
            continue
        if isinstance(dtype, pd.CategoricalDtype) and not set(column) <= set(dtype.categories):
            raise ValueError(f"{name} is none of {', '.join(dtype.categories)}")
        data[name] = pd.array(column, dtype=dtype)
    return schema.frame(columns, data)
