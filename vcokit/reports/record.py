"""The change record, from a journal: what was requested, who approved and ran it, what happened.

`fleet_record` puts the records of many accounts together.

::

    change_record(journal) ─▶ ChangeRecord ─┬─ .html()      a page that needs no network, printable
                              .facts        ├─ .markdown()  for a ticket or a wiki
                                            ├─ .json()      all of it
                                            └─ .csv()       the steps

Every figure comes from the journal: all four formats are written from `ChangeRecord.facts`, plain
values that are counted once. The journal may be of an interrupted or a running rollout; the record
then states this, and what is left. Facts that a journal of an earlier version does not contain are
None, and "not kept" on the pages. The same journal gives the same bytes.
"""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Final

import pandas as pd

from vcokit._text import csv_cell
from vcokit.errors import InputError
from vcokit.inventory.write import replacing
from vcokit.reports import record_text
from vcokit.reports.escape import dump_json
from vcokit.rollout import database
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import ENDED
from vcokit.rollout.plan import Plan
from vcokit.rollout.provenance import APPROVAL, LISTED, Run, runs_in
from vcokit.rollout.steps import FINAL, IN_DOUBT, OPERATION, Action, State

FORMAT: Final = "vcokit change record"
VERSION: Final = 1
#: Suffixes of file names, and the method that returns such a file.
KINDS: Final[Mapping[str, str]] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".csv": "csv",
}
_ROUTE: Final = ["vpn_connection_id", "route_dest", "next_hop"]
_TIMES: Final = ("sent_at", "accepted_at", "settled_at", "ended_at")
#: Fields of a step in a record, in addition to its route before and after.
_STEP: Final = (
    "step",
    "action",
    "state",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "description",
    "source",
    "line",
    "attempts",
    *_TIMES,
    "code",
    "message",
    "request_id",
)
_CALL: Final = (
    "call",
    "step",
    "operation",
    "attempt",
    "sent_at",
    "seconds",
    "outcome",
    "code",
    "http_status",
    "request_id",
)


@dataclass(frozen=True)
class ChangeRecord:
    """The record of a change; made by `change_record`.

    Parameters
    ----------
    facts : mapping
        All its content as plain values, as written by `json`. Its main parts are ``asked``,
        ``approval``, ``impact``, ``runs``, ``states``, ``connections``, ``steps`` and ``writes``.
    frames : tuple of DataFrame
        Steps and calls of the journal, for the plots.
    """

    facts: Mapping[str, Any]
    frames: tuple[pd.DataFrame, pd.DataFrame] = field(repr=False)

    def __repr__(self) -> str:
        return f"<ChangeRecord of {self.facts['journal']}: {self.facts['verdict']}>"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the record to a file; the suffix selects the format: .html, .md, .json or .csv.

        An existing file is replaced atomically.

        Raises
        ------
        InputError
            If the suffix is unknown, or the file cannot be written.
        """
        text = getattr(self, kind_of_record(path))()
        try:
            with replacing(Path(path), packed=False) as file:
                file.write(text.encode())
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror or error})",
                remedy="Name a file in an existing, writable folder with free space",
            ) from None

    def html(self) -> str:
        """Return the record as one HTML page with plots: light, dark, and printable."""
        from vcokit.reports.html import record_page

        return record_page(self)

    def markdown(self) -> str:
        """Return the record as Markdown, for a ticket or wiki; long tables are cut with a note."""
        return record_text.markdown(self.facts)

    def json(self) -> str:
        """Return the complete record as JSON, one step per line."""
        return "\n".join(_json_lines(self.facts)) + "\n"

    def csv(self) -> str:
        """Return all steps as CSV, safe to open in a spreadsheet."""
        names = [*self.facts["steps"][0]] if self.facts["steps"] else [*_STEP]
        rows: Iterator[Sequence[object]] = (list(step.values()) for step in self.facts["steps"])
        return "".join(",".join(map(csv_cell, row)) + "\n" for row in [names, *rows])


def kind_of_record(path: str | os.PathLike[str]) -> str:
    """Return the format of a record for the suffix of a file name.

    Raises
    ------
    InputError
        If no format has this suffix.

    Examples
    --------
    >>> kind_of_record("change.HTML"), kind_of_record("out/change.md")
    ('html', 'markdown')
    """
    kind = KINDS.get(PurePath(path).suffix.lower())
    if kind is None:
        raise InputError(
            f"{str(path)!r} has no known suffix of a change record",
            remedy=f"End it in {', '.join(KINDS)}",
        )
    return kind


def change_record(
    journal: Journal | str | os.PathLike[str],
    *,
    undo: Journal | str | os.PathLike[str] | None = None,
) -> ChangeRecord:
    """Return the record of a change from the journal of its rollout.

    The journal is only read; its rollout may be running or interrupted.

    Parameters
    ----------
    journal : Journal or path
    undo : Journal or path, optional
        The journal of the rollout that undid the change, so that each step shows whether it was
        undone.

    Returns
    -------
    ChangeRecord
        ``write("change.html")`` writes it to a file.

    Raises
    ------
    JournalError
        If a journal cannot be read, or is damaged.
    InputError
        If `undo` is the journal of another rollout.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from vcokit import schema
    >>> from vcokit.rollout.plan import plan_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rollout.db"
    ...     Journal.create(path, plan, "some id", meta={"ticket": "NET-7"}).close()
    ...     record = change_record(path)
    >>> record
    <ChangeRecord of rollout.db: Not begun: 1 of 1 change is left>
    >>> record.facts["approval"], record.facts["states"]
    ({'approved_by': None, 'ticket': 'NET-7'}, {'pending': 1, 'blocked': 1})
    """
    if not isinstance(journal, Journal):
        with Journal.read(journal) as opened:
            return change_record(opened, undo=undo)
    with journal.one_moment():
        journal.check()
        plan, meta, state = journal.plan(), journal.meta(), journal.state()
        steps, calls = journal.steps(), journal.calls()
    try:
        runs, listed = runs_in(meta), json.loads(meta.get(LISTED, "null"))
        created = _text_of_time(float(meta["created_at"]))
        options = json.loads(meta.get("options", "null"))
        after = None if listed is None else {name: _whole(seen) for name, seen in listed.items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        raise database.damaged(journal.path, "its description of the runs is invalid") from None
    origin = plan.origin
    undone = None if undo is None else _undone(undo, meta["rollout_id"])
    rows = _steps(steps, plan, undone)
    states = Counter(row["state"] for row in rows)
    left = sum(count for name, count in states.items() if name not in FINAL)
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "journal": journal.path.name,
        "rollout_id": meta["rollout_id"],
        "state": state,
        "message": meta.get("message"),
        "ended": state in ENDED and not left,
        "left": left,
        "in_doubt": sum(states[name] for name in IN_DOUBT),
        "simulated": journal.simulated,
        "created_at": created,
        **_span(calls, steps),
        "asked": {
            "files": None if origin is None else dict(origin.files) or None,
            "routes": None if origin is None else origin.routes,
            "fingerprint": plan.fingerprint,
            "actions": plan.counts,
            "quota": plan.quota,
            "options": options,
            "undoes": None if origin is None else origin.undoes,
        },
        "approval": {name: meta.get(name) for name in APPROVAL},
        "findings": None if origin is None else origin.findings,
        "accepted": None if origin is None else origin.accepted,
        "impact": _impact(plan),
        "gaps": [gap.reason for gap in plan.order.gaps],
        "regions": sorted({row["region_id"] for row in rows if row["region_id"]}),
        "runs": None if runs is None else _runs(runs, state),
        "states": {name: states[name] for name in steps["state"].cat.categories if states[name]},
        "calls": calls_by_outcome(calls),
        "connections": _connections(rows, plan, after),
        "undone": None if undone is None else undone.facts,
        "steps": rows,
        "writes": _records(calls[calls["step"].notna()], _CALL),
    }
    facts["resume"] = _resume(facts)
    facts["verdict"] = record_text.verdict(facts)
    return ChangeRecord(facts, (steps, calls))


def _resume(facts: Mapping[str, Any]) -> str | None:
    """Return the command that resumes the rollout; None if it cannot be resumed."""
    if not facts["left"] or facts["state"] in ("stale", "running"):
        return None
    simulate = " --simulate" if facts["simulated"] else ""
    return f"vcokit resume {shlex.quote(facts['journal'])}{simulate}"


# -- the parts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Undone:
    """The rollout that undid the change: its facts, and how the step of each route ended."""

    facts: dict[str, Any]
    routes: Mapping[tuple[Any, ...], str]


def _undone(undo: Journal | str | os.PathLike[str], rollout_id: str) -> _Undone:
    if not isinstance(undo, Journal):
        with Journal.read(undo) as opened:
            return _undone(opened, rollout_id)
    with undo.one_moment():
        undo.check()
        plan, meta, state, steps = undo.plan(), undo.meta(), undo.state(), undo.steps()
    if plan.origin is None or plan.origin.undoes != rollout_id:
        raise InputError(
            f"{undo.path}: this rollout is not the undo of the recorded one",
            remedy="Name the journal that vcokit undo made",
        )
    rows = _records(steps, (*_ROUTE, "action", "state", "message"))
    routes = {
        tuple(row[name] for name in _ROUTE): "undone"
        if row["state"] == State.DONE
        else f"not undone: {row['message'] or row['state']}"
        for row in rows
    }
    states = Counter(row["state"] for row in rows)
    facts = {
        "journal": undo.path.name,
        "rollout_id": meta["rollout_id"],
        "state": state,
        "actions": plan.counts,
        "states": {name: count for name, count in states.items() if count},
    }
    return _Undone(facts, routes)


def _steps(steps: pd.DataFrame, plan: Plan, undone: _Undone | None) -> list[dict[str, Any]]:
    """Return the result of each step, with its route before and after according to listings."""
    rows = _records(steps, _STEP)
    weights = _records(steps, ("weight",))
    live: dict[tuple[Any, ...], int] = {}
    for row in _records(plan.live, (*_ROUTE, "weight")):
        live[tuple(row[name] for name in _ROUTE)] = row["weight"]
    for row, weight in zip(rows, weights, strict=True):
        route = tuple(row[name] for name in _ROUTE)
        row["weight"] = weight["weight"]
        row["before"] = live.get(route)
        shown = row["state"] == State.DONE
        row["after"] = None if row["action"] == Action.DELETE or not shown else weight["weight"]
        row["after_by"] = "listing" if shown else "not seen" if row["attempts"] else "not sent"
        if undone is not None:
            row["undone"] = undone.routes.get(route) if row["attempts"] else None
    return rows


def _connections(
    rows: Sequence[Mapping[str, Any]], plan: Plan, listed: Mapping[str, Mapping[str, int]] | None
) -> list[dict[str, Any]]:
    """Return each connection: its routes before, its changes by state, its routes after."""
    before: dict[str, Counter[str]] = {}
    for row in _records(plan.live, ("vpn_connection_id", "weight")):
        before.setdefault(row["vpn_connection_id"], Counter())[str(row["weight"])] += 1
    found: dict[str, dict[str, Any]] = {}
    for step in rows:
        name = step["vpn_connection_id"]
        if step["action"] == Action.BLOCKED or name is None:
            continue
        one = found.setdefault(
            name,
            {
                "vpn_connection_id": name,
                "region_id": step["region_id"],
                "before": _by_weight(before.get(name, {})),
                "changes": 0,
                "states": Counter(),
                "after": None if listed is None or name not in listed else _by_weight(listed[name]),
            },
        )
        if step["action"] in OPERATION:
            one["changes"] += 1
            one["states"][step["state"]] += 1
    return [{**one, "states": dict(one["states"])} for one in found.values()]


def _whole(counts: Mapping[str, object]) -> dict[str, int]:
    return {weight: int(str(count)) for weight, count in counts.items()}


def _by_weight(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts of routes by the meaning of their weight."""
    known = {"active": counts.get("100", 0), "standby": counts.get("0", 0)}
    rest = sum(counts.values()) - sum(known.values())
    return {**known, "other": rest} if rest else known


def _impact(plan: Plan) -> dict[str, Any]:
    changes = plan.impact()
    totals = changes.groupby("change", observed=True)["addresses"].agg(["size", "sum"])
    return {
        "totals": [
            {"change": str(change), "blocks": int(blocks), "addresses": int(addresses)}
            for change, blocks, addresses in totals.itertuples()
        ],
        "blocks": _records(changes, tuple(map(str, changes.columns))),
    }


def calls_by_outcome(calls: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the number of calls by operation and outcome, and their duration."""
    outcome = calls["outcome"].fillna("no answer")
    groups = calls.groupby([calls["operation"], outcome], sort=True)["seconds"]
    table = groups.agg(["size", "median", "max"]).reset_index()
    return [
        {
            "operation": operation,
            "outcome": said,
            "calls": int(count),
            "median_seconds": None if pd.isna(median) else round(float(median), 6),
            "slowest_seconds": None if pd.isna(slowest) else round(float(slowest), 6),
        }
        for operation, said, count, median, slowest in table.itertuples(index=False)
    ]


def _span(calls: pd.DataFrame, steps: pd.DataFrame) -> dict[str, str | None]:
    """Return when the first call was sent, and when something was last sent or changed."""
    last = pd.concat([calls["sent_at"], *(steps[name] for name in _TIMES)]).max()
    return {"first_call_at": _stamp(calls["sent_at"].min()), "last_event_at": _stamp(last)}


def _runs(runs: Sequence[Run], state: str) -> list[dict[str, Any]]:
    """Return the runs of a rollout in this state."""
    rows = [
        asdict(run)
        | {
            "began": _text_of_time(run.began),
            "ended": None if run.ended is None else _text_of_time(run.ended),
        }
        for run in runs
    ]
    if state == "running":
        rows[-1:] = [row | {"state": state} for row in rows[-1:]]
    return rows


# -- plain values ----------------------------------------------------------------------------------


def _text_of_time(seconds: float) -> str:
    return str(_stamp(datetime.fromtimestamp(seconds, UTC)))


def _stamp(time: Any) -> str | None:
    """Return a time as text, to the microsecond."""
    return None if pd.isna(time) else f"{time:%Y-%m-%dT%H:%M:%S.%fZ}"


def _records(frame: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows as plain values: text, numbers, times as text; a missing value is None."""
    columns = []
    for name in names:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        there = column.notna().tolist()
        values = column.astype("object").tolist()
        columns.append([value if has else None for value, has in zip(values, there, strict=True)])
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _json_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield an object as lines: one per part, and one per member of a long list."""
    yield "{"
    *_, last = facts
    for name, value in facts.items():
        comma = "" if name == last else ","
        if isinstance(value, list) and value:
            yield f"{json.dumps(name)}: ["
            yield ",\n".join(dump_json(one) for one in value)
            yield f"]{comma}"
        else:
            yield f"{json.dumps(name)}: {dump_json(value)}{comma}"
    yield "}"
