"""The tables of a journal, and the rows that a rollout writes into them.

::

    meta   name, value        rollout_id, fingerprint, state, message, created_at, started_at
    live   the live routes that the plan was made from
    step   a row a step: what is planned (action, route, row of the inventory), where it stands
           (state, attempt, misses), what was answered last (code, message, request_id), when
    call   a row a call, reads too: operation, token, when sent, how long, what came of it

Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

#: ``PRAGMA application_id`` of a journal ("vcok"), and the version of its tables.
APPLICATION_ID: Final = 0x76636F6B
VERSION: Final = 2

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE live (
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT, weight INTEGER
);
CREATE TABLE step (
    step INTEGER PRIMARY KEY, action TEXT NOT NULL, state TEXT NOT NULL, scope TEXT,
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT,
    old_weight INTEGER, weight INTEGER, description TEXT, message TEXT,
    row INTEGER, source TEXT, line INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0, misses INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, code TEXT, request_id TEXT,
    sent_at REAL, accepted_at REAL, settled_at REAL, ended_at REAL
);
CREATE TABLE call (
    call INTEGER PRIMARY KEY, step INTEGER, operation TEXT NOT NULL, region_id TEXT,
    vpn_connection_id TEXT, attempt INTEGER, client_token TEXT, sent_at REAL NOT NULL,
    seconds REAL, outcome TEXT, code TEXT, http_status INTEGER, request_id TEXT
);
"""
#: The column that says when a step came into a state.
_STAMP: Final = {
    "sent": "sent_at",
    "accepted": "accepted_at",
    "settled": "settled_at",
    "done": "ended_at",
    "failed": "ended_at",
    "skipped": "ended_at",
}

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

    def update(self) -> tuple[str, dict[str, Value]]:
        """Return the statement that brings the step here, and its parameters."""
        stamp = _STAMP.get(self.state)
        times = f", {stamp} = :at" if stamp else ""
        sent = ", attempts = attempts + 1" if self.state == "sent" else ""
        # The column's name comes from the table above, never from data.
        statement = (
            "UPDATE step SET state = :state, attempt = :attempt, misses = :misses, code = :code,"  # noqa: S608
            " message = :message, request_id = coalesce(:request_id, request_id)"
            f"{times}{sent} WHERE step = :step"
        )
        return statement, {name: getattr(self, name) for name in self.__slots__}


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
