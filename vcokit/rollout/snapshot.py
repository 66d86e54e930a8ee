"""The progress of a rollout, from its journal: one frozen record, made by a few SQL aggregates.

::

    Journal.snapshot() ─▶ RolloutSnapshot ─▶ a view, a status, a progress bar
                          state, counts, calls, recent changes, failures, pace, holder

Only what is shown becomes a Python object, so 50,000 steps take less than a tenth of a second.
There are more calls than steps, and the outcome of a call never changes: given an earlier
snapshot, a new one counts only the calls after it, and saves other work as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, NamedTuple

from vcokit.rollout import rehearsal
from vcokit.rollout.lock import Owner
from vcokit.rollout.messages import state_of
from vcokit.rollout.steps import FINAL, IN_DOUBT, OPERATION, Action, State

#: Seconds over which the pace is measured, and the rates of calls.
PACE_WINDOW: Final = 300.0
RATE_WINDOW: Final = 10.0
#: Recent changes in a snapshot.
RECENT: Final = 8
#: The latest calls, which give the rates: more than any account can make in `RATE_WINDOW`.
_LAST_CALLS: Final = 5_000


def _rows(columns: str, query: str) -> str:
    """Return an SQL expression for the rows of a query as one JSON value."""
    return f"(SELECT json_group_array(json_array({columns})) FROM ({query}))"  # noqa: S608


# While a notebook cell is busy, SQLite waits for Python's lock at each row that it returns. So
# there is only one statement, and it returns one row.
_COUNTS: Final = """
SELECT coalesce(vpn_connection_id, '') AS name, state, count(*) AS steps, min(step) AS first
FROM step WHERE state != :usual GROUP BY 1, 2
"""
_RECENT: Final = f"""
SELECT step, state, action, vpn_connection_id, route_dest, code,
    sent_at, accepted_at, settled_at, ended_at
FROM step WHERE coalesce(sent_at, accepted_at, settled_at, ended_at) IS NOT NULL
ORDER BY max(coalesce(sent_at, 0), coalesce(accepted_at, 0), coalesce(settled_at, 0),
    coalesce(ended_at, 0)) DESC, step DESC
LIMIT {RECENT}
"""  # noqa: S608
_ENDED_LATELY: Final = f"""
SELECT count(*) FROM step WHERE sent_at IS NOT NULL AND coalesce(settled_at, ended_at)
    >= (SELECT max(first_write, coalesce(:until, last_sent) - {PACE_WINDOW}) FROM marks)
"""  # noqa: S608
#: Calls whose outcome an earlier snapshot has not counted.
_NEW_CALLS: Final = "call > :after OR call IN (SELECT value FROM json_each(:open))"
_CALLS: Final = f"""
SELECT operation, outcome, count(*) AS calls FROM call WHERE {_NEW_CALLS} GROUP BY 1, 2
"""  # noqa: S608
_OPEN_CALLS: Final = f"SELECT call FROM call WHERE ({_NEW_CALLS}) AND outcome IS NULL"  # noqa: S608
_RATES: Final = f"""
SELECT operation, region_id, count(*) AS calls, min(sent_at) AS first
FROM (SELECT * FROM call ORDER BY call DESC LIMIT {_LAST_CALLS})
WHERE step IS NOT NULL AND sent_at >= :now - {RATE_WINDOW} GROUP BY 1, 2
"""  # noqa: S608
_ALL: Final = f"""
WITH marks AS (SELECT
    (SELECT sent_at FROM call ORDER BY call LIMIT 1) AS first_sent,
    (SELECT sent_at FROM call WHERE step IS NOT NULL ORDER BY call LIMIT 1) AS first_write,
    (SELECT sent_at FROM call ORDER BY call DESC LIMIT 1) AS last_sent,
    (SELECT coalesce(max(call), 0) FROM call) AS last_call
)
SELECT first_sent, first_write, last_sent, last_call, ({_ENDED_LATELY}),
    {_rows("name, state, steps, first", _COUNTS)},
    {
    _rows(
        "step, state, action, vpn_connection_id, route_dest, code, sent_at, accepted_at, "
        "settled_at, ended_at",
        _RECENT,
    )
},
    {_rows("operation, outcome, calls", _CALLS)},
    {_rows("call", _OPEN_CALLS)},
    {_rows("operation, region_id, calls, first", _RATES)}
FROM marks
"""  # noqa: S608
_ACTIONS: Final = "SELECT action, count(*) FROM step GROUP BY 1"
_FAILURES: Final = f"""
SELECT step, state, action, coalesce(vpn_connection_id, ''), coalesce(route_dest, ''), line,
    coalesce(code, ''), coalesce(message, ''), coalesce(request_id, ''), count(*) OVER ()
FROM step
WHERE state IN ('{State.FAILED}', '{State.UNKNOWN}') AND instr(
    lower(step || char(10) || action || ' ' || coalesce(route_dest, '') || char(10)
        || coalesce(vpn_connection_id, '') || char(10) || coalesce(code, '') || char(10)
        || coalesce(message, '') || char(10) || coalesce(request_id, '')),
    lower(?)) > 0
ORDER BY state, step LIMIT ?
"""  # noqa: S608


class RecentChange(NamedTuple):
    """The latest change of one step.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    step : int
    state : str
        The state that the step changed to.
    action, vpn_connection_id, route_dest, code : str
    """

    at: float
    step: int
    state: str
    action: str
    vpn_connection_id: str
    route_dest: str
    code: str


class FailedStep(NamedTuple):
    """A step that failed, or whose outcome is unknown.

    Parameters
    ----------
    step : int
    state : str
        failed or unknown.
    action, vpn_connection_id, route_dest : str
    line : int or None
    code, message, request_id : str
        Of the last answer; empty if there was none.
    """

    step: int
    state: str
    action: str
    vpn_connection_id: str
    route_dest: str
    line: int | None
    code: str
    message: str
    request_id: str


@dataclass(frozen=True)
class RolloutSnapshot:
    """The progress of a rollout at one time.

    Parameters
    ----------
    at : float
        Time of the snapshot, in seconds since the epoch.
    rollout_id, fingerprint : str
        The fingerprint is that of the plan.
    state : str
        See `vcokit.rollout.messages.state_of`.
    message : str or None
        The message that the rollout ended with.
    simulated : bool or None
        Whether it is a rehearsal; None if the journal does not say.
    holder : Owner or None
        Who holds the journal and can write to it.
    actions : mapping of str to int
        Steps by action.
    connections : mapping of str to mapping of str to int
        Steps by connection, in the order of the plan, then by state. Steps without a connection
        are under the empty string.
    calls : mapping of (str, str) to int
        Calls that have ended, by operation and outcome.
    open_calls : tuple of int
        Numbers of the calls without an outcome: in progress, or cut off when a process was killed.
    last_call : int
        Number of the last call; 0 before the first.
    recent : tuple of RecentChange
        The last changes, one per step, the last one at the end.
    failures : tuple of FailedStep
        The first failures, up to the requested number: failed steps, then unknown ones.
    failures_found : int
        The number of all failures that match.
    started : float or None
        When the first call was sent; seconds since the epoch.
    latest : float or None
        When something was last sent or changed; seconds since the epoch.
    pace : float or None
        Steps per second that ended in the last five minutes: until now if somebody holds the
        journal, else until the last call. None before the first step was sent.
    rates : mapping of (str, str) to float
        Write calls per second in the last ten seconds, by operation and region, the most
        frequent first.
    """

    at: float
    rollout_id: str
    fingerprint: str
    state: str
    message: str | None
    simulated: bool | None
    holder: Owner | None
    actions: Mapping[str, int]
    connections: Mapping[str, Mapping[str, int]]
    calls: Mapping[tuple[str, str], int]
    open_calls: tuple[int, ...] = field(repr=False)
    last_call: int = field(repr=False)
    recent: tuple[RecentChange, ...]
    failures: tuple[FailedStep, ...]
    failures_found: int
    started: float | None
    latest: float | None
    pace: float | None
    rates: Mapping[tuple[str, str], float]

    @cached_property
    def states(self) -> Counter[str]:
        """Steps by state."""
        counts: Counter[str] = Counter()
        for states in self.connections.values():
            counts.update(states)
        return counts

    @property
    def left(self) -> int:
        """Steps that are in no final state."""
        return sum(count for state, count in self.states.items() if state not in FINAL)

    @property
    def in_doubt(self) -> int:
        """Steps that the cloud may have done already, or may still do."""
        return sum(count for state, count in self.states.items() if state in IN_DOUBT)

    @property
    def resumable(self) -> bool:
        """Whether `Rollout.open` has something to resume."""
        return bool(self.left) and self.state != "stale"

    @property
    def changes(self) -> int:
        """Steps of the plan that send something."""
        return sum(count for action, count in self.actions.items() if action in OPERATION)

    @property
    def changes_made(self) -> int:
        """Changes that have settled, whether a listing has shown them or not."""
        states = self.states
        return states[State.SETTLED] + states[State.DONE] - self.actions.get(Action.KEEP, 0)

    @property
    def seconds_left(self) -> float | None:
        """Time until the last step ends, if the pace stays the same; None if there is no pace."""
        return self.left / self.pace if self.pace else None


def take_snapshot(
    db: sqlite3.Connection,
    meta: Mapping[str, str],
    holder: Owner | None,
    *,
    now: float,
    earlier: RolloutSnapshot | None,
    failures: int,
    search: str,
) -> RolloutSnapshot:
    """Return the snapshot of a journal's tables; see `Journal.snapshot`.

    Raises
    ------
    sqlite3.Error, TypeError, ValueError, OverflowError
        If something in the tables has a value that vcokit never writes.
    """
    rollout_id = meta.get("rollout_id", "")
    if earlier is not None and (earlier.rollout_id != rollout_id or not earlier.connections):
        earlier = None
    # Grouping takes most of the time, and most steps are in one state. So this state is left out of
    # the query, and its count is computed from the earlier totals below.
    usual = earlier.states.most_common(1)[0][0] if earlier else ""
    given = {
        "usual": usual,
        "after": earlier.last_call if earlier else 0,
        "open": json.dumps(earlier.open_calls if earlier else []),
        "now": now,
        "until": now if holder else None,
    }
    first_sent, first_write, last_sent, last_call, ended, *arrays = db.execute(
        _ALL, given
    ).fetchone()
    counts, changes, new_calls, open_calls, rates = map(json.loads, arrays)
    connections: dict[str, Counter[str]] = {}
    for name in earlier.connections if earlier else ():
        connections[name] = Counter()
    for name, state, count, _ in sorted(counts, key=itemgetter(3)):
        connections.setdefault(str(name), Counter())[state] = count
    if earlier is not None:
        for name, states in connections.items():
            rest = sum(earlier.connections.get(name, {}).values()) - states.total()
            if rest > 0:
                states[usual] = rest
    left = any(state not in FINAL for states in connections.values() for state in states)
    failed = []
    if any(State.FAILED in states or State.UNKNOWN in states for states in connections.values()):
        failed = db.execute(_FAILURES, (search, failures)).fetchall()
    calls = Counter(earlier.calls if earlier else {})
    for operation, outcome, count in new_calls:
        if outcome is not None:
            calls[str(operation), str(outcome)] += count
    recent = tuple(sorted(_recent_change(*row) for row in changes))
    until = now if holder else last_sent
    pace = None
    if first_write is not None:
        seconds = until - max(float(first_write), until - PACE_WINDOW)
        pace = ended / max(seconds, 1.0)
    latest = [float(last_sent)] if last_sent is not None else []
    latest += [recent[-1].at] if recent else []
    return RolloutSnapshot(
        at=now,
        rollout_id=rollout_id,
        fingerprint=meta.get("fingerprint", ""),
        state=state_of(meta.get("state"), held=holder is not None, left=left),
        message=meta.get("message"),
        simulated=rehearsal.of_text(meta.get(rehearsal.NAME)),
        holder=holder,
        actions=earlier.actions if earlier else dict(db.execute(_ACTIONS)),
        connections=connections,
        calls=calls,
        open_calls=tuple(int(call) for (call,) in open_calls),
        last_call=last_call,
        recent=recent,
        failures=tuple(_failed_step(*row) for row in failed),
        failures_found=failed[0][-1] if failed else 0,
        started=None if first_sent is None else float(first_sent),
        latest=max(latest, default=None),
        pace=pace,
        rates=_rates(rates, now),
    )


def _failed_step(
    step: int,
    state: str,
    action: str,
    name: str,
    route_dest: str,
    line: int | None,
    *texts_and_count: Any,
) -> FailedStep:
    code, message, request_id = map(str, texts_and_count[:3])
    return FailedStep(
        step, state, action, str(name), str(route_dest), line, code, message, request_id
    )


def _recent_change(
    step: int,
    state: str,
    action: str,
    name: str | None,
    route_dest: str | None,
    code: str | None,
    *times: float | None,
) -> RecentChange:
    """Return the latest change: the step reached the state that has the latest time."""
    at, place = max((at, place) for place, at in enumerate(times) if at is not None)
    reached = (State.SENT, State.ACCEPTED, State.SETTLED, state)[place]
    texts = (str(text or "") for text in (name, route_dest, code))
    return RecentChange(float(at), step, reached, action, *texts)


def _rates(rows: list[tuple[Any, ...]], now: float) -> dict[tuple[str, str], float]:
    first = min((float(row[3]) for row in rows), default=now)
    seconds = max(1.0, min(RATE_WINDOW, now - first))
    rows = sorted(rows, key=lambda row: (-row[2], row[0], str(row[1])))
    return {(str(name), str(region or "")): calls / seconds for name, region, calls, _ in rows}
