"""The tables of a journal, and the rows that a rollout writes into them.

::

    meta   name, value        rollout_id, fingerprint, seal, created_at, state, message, and what
                              the rollout was told to keep (options)
    lease  one row            who writes: owner, process, host, since, seen; none when closed
    live   the live routes that the plan was made from
    step   a row a step       what is planned: action, scope, route, description, row, source, line
                              where it stands: state, attempt, misses
                              what was answered last: code, message, request_id
                              when: sent_at, accepted_at, settled_at, ended_at; attempts sent
    call   a row a call       what left: operation, region, connection, step, attempt, client_token
                              and when; what came of it: seconds, outcome, code, http_status,
                              request_id. No outcome: the process died before it knew one

Times are seconds since the epoch. ``application_id`` says whose file it is, ``user_version`` which
version of these tables. What is written once cannot be altered unseen: `seal` is a digest of
rollout_id, fingerprint and created_at, and the fingerprint one of step and live.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final, TypeAlias

from vcokit import schema
from vcokit.rollout.steps import ACCEPTED, DONE, FAILED, SENT, SETTLED, SKIPPED

#: ``PRAGMA application_id`` of a journal ("vcok"), and the version of its tables.
APPLICATION_ID: Final = 0x76636F6B
VERSION: Final = 3

_STATES: Final = ", ".join(f"'{state}'" for state in schema.STATES.categories)
_ACTIONS: Final = ", ".join(f"'{action}'" for action in schema.ACTIONS.categories)
TABLES: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE lease (
    owner TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
    since REAL NOT NULL, seen REAL NOT NULL
);
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


@cache
def _made() -> frozenset[tuple[str, str, str]]:
    """Return type, name and statement of all that a journal consists of."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        return _consists_of(connection)


def _consists_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    # Of SQLite's own making are indices of keys, and statistics.
    sql = "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'"
    return frozenset(connection.execute(sql))


def strange_in(connection: sqlite3.Connection) -> list[str]:
    """Return what a database has, or lacks, beside the tables of a journal; empty for a journal.

    A view in the place of a table may have no end, and a trigger may undo what is written: neither
    is looked at before this was asked.

    Raises
    ------
    sqlite3.Error
    """
    found, made = _consists_of(connection), _made()
    named = {f"{kind} {name}" for kind, name, _ in found - made}
    return sorted(named or {f"no {kind} {name}" for kind, name, _ in made - found})


#: The columns that say when a step came into a state, and the one of each state.
_STAMPS: Final = ("sent_at", "accepted_at", "settled_at", "ended_at")
_STAMP: Final = {
    SENT: "sent_at",
    ACCEPTED: "accepted_at",
    SETTLED: "settled_at",
    DONE: "ended_at",
    FAILED: "ended_at",
    SKIPPED: "ended_at",
}

#: Where each step stands for whoever goes on. What was sent once may have arrived after the look
#: that did not show it, or as a second copy after a refusal: it is in question again.
STANDING: Final = """
SELECT step, CASE WHEN state = 'pending' AND attempts > 0 THEN 'unknown' ELSE state END,
    attempt, misses
FROM step WHERE action != 'blocked' ORDER BY step
"""

Value: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """Where a step goes: one row to be updated.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    step : int
    state : str
    attempt, misses : int
    code, message, request_id : str or None
    """

    at: float
    step: int
    state: str
    attempt: int
    misses: int
    code: str | None = None
    message: str | None = None
    request_id: str | None = None

    UPDATE: ClassVar[str] = (
        "UPDATE step SET state = ?, attempt = ?, misses = ?, code = ?, message = ?,"
        " request_id = coalesce(?, request_id), attempts = attempts + ?,"
        " sent_at = coalesce(?, sent_at), accepted_at = coalesce(?, accepted_at),"
        " settled_at = coalesce(?, settled_at), ended_at = coalesce(?, ended_at) WHERE step = ?"
    )

    def values(self) -> tuple[Value, ...]:
        """Return the parameters of `UPDATE`: one statement for all states, so many at once."""
        stamp = _STAMP.get(self.state)
        times = [self.at if stamp == name else None for name in _STAMPS]
        said = (self.code, self.message, self.request_id)
        sent = int(self.state == SENT)
        return (self.state, self.attempt, self.misses, *said, sent, *times, self.step)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call that is about to leave: one row to be inserted.

    Parameters
    ----------
    call : int
        Numbered by the writer, ascending.
    operation, region_id : str
    vpn_connection_id : str or None
        None of a call that is about a whole region.
    sent_at : float
        Seconds since the epoch.
    step, attempt, client_token
        Of a write.
    """

    call: int
    operation: str
    region_id: str
    vpn_connection_id: str | None
    sent_at: float
    step: int | None = None
    attempt: int | None = None
    client_token: str | None = None

    INSERT: ClassVar[str] = (
        "INSERT INTO call (call, step, operation, region_id, vpn_connection_id, attempt,"
        " client_token, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )

    def values(self) -> tuple[Value, ...]:
        """Return the parameters of `INSERT`."""
        connection = (self.region_id, self.vpn_connection_id, self.attempt, self.client_token)
        return (self.call, self.step, self.operation, *connection, self.sent_at)


@dataclass(frozen=True, slots=True)
class CallEnd:
    """What came of a call: one row to be updated.

    Parameters
    ----------
    call : int
    seconds : float
    outcome : str
        ``ok``, the kind of the refusal, or ``unknown``.
    code, http_status, request_id
        Of the answer.
    """

    call: int
    seconds: float
    outcome: str
    code: str | None = None
    http_status: int | None = None
    request_id: str | None = None

    UPDATE: ClassVar[str] = (
        "UPDATE call SET seconds = ?, outcome = ?, code = ?, http_status = ?, request_id = ?"
        " WHERE call = ?"
    )

    def values(self) -> tuple[Value, ...]:
        """Return the parameters of `UPDATE`."""
        return (self.seconds, self.outcome, self.code, self.http_status, self.request_id, self.call)
