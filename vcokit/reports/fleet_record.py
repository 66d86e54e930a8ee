"""The change record of a fleet: the records of its members, put together.

The facts are those of a rollout's record. Counts are summed up, and every row (a step, a
connection, a run, a call) says in ``member`` whose it is. ``members`` has a row per member.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from vcokit.reports import record_text
from vcokit.reports.record import ChangeRecord, calls_by_outcome, change_record
from vcokit.rollout.fleet import Fleet
from vcokit.rollout.fleet_directory import fingerprint_of
from vcokit.rollout.messages import state_of_members

FORMAT: Final = "vcokit fleet change record"
VERSION: Final = 1
_COUNTED: Final = ("rows", "blocks", "addresses")


def fleet_record(directory: str | os.PathLike[str]) -> ChangeRecord:
    """Return the record of a change of many accounts, from the directory of its fleet.

    The journals are only read; the fleet may be running or interrupted.

    Parameters
    ----------
    directory : path

    Returns
    -------
    ChangeRecord
        Of all members. `change_record` returns the record of one, from its journal.

    Raises
    ------
    JournalError
        If the directory holds no fleet, or a journal cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.live import live_routes
    >>> from vcokit.rollout.plan import plan_routes
    >>> from vcokit.simulator import Simulator
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16"], "next_hop": "vco-a", "weight": 100})
    >>> with (Simulator.for_routes(routes) as cloud, connect(cloud) as client,
    ...       TemporaryDirectory() as folder):
    ...     plan = plan_routes(routes, live_routes(client, routes))
    ...     fleet = Fleet({"berlin": plan}, {"berlin": client}, directory=f"{folder}/fleet")
    ...     fleet_record(f"{folder}/fleet")
    <ChangeRecord of fleet: Not begun: 2 of 2 changes are left>
    """
    fleet = Fleet.read(directory)
    records = {name: change_record(fleet.journal(name)) for name in fleet.members}
    found = {name: record.facts for name, record in records.items()}
    all_facts = list(found.values())
    asked = [one["asked"] for one in all_facts]
    calls = pd.concat([record.frames[1] for record in records.values()], ignore_index=True)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "journal": fleet.directory.name,
        "rollout_id": None,
        "state": state_of_members(one["state"] for one in all_facts),
        "message": None,
        "ended": all(one["ended"] for one in all_facts),
        "left": sum(one["left"] for one in all_facts),
        "in_doubt": sum(one["in_doubt"] for one in all_facts),
        "simulated": all_facts[0]["simulated"],
        "created_at": min(one["created_at"] for one in all_facts),
        "first_call_at": min(_known(all_facts, "first_call_at"), default=None),
        "last_event_at": max(_known(all_facts, "last_event_at"), default=None),
        "asked": {
            # The members have the same inventory and options.
            **asked[0],
            "routes": sum(_known(asked, "routes")) or None,
            "fingerprint": fingerprint_of(
                {name: one["asked"]["fingerprint"] for name, one in found.items()}
            ),
            "actions": _summed(one["actions"] for one in asked),
            "fleet": fleet.options,
            "undoes": None,
        },
        "approval": all_facts[0]["approval"],
        "findings": _merged([one["findings"] for one in all_facts]),
        "accepted": _merged([one["accepted"] for one in all_facts]),
        "impact": {
            "totals": _added(one["impact"]["totals"] for one in all_facts),
            "blocks": list(_rows(found, "impact", "blocks")),
        },
        "gaps": [f"{name}: {gap}" for name, one in found.items() for gap in one["gaps"]],
        "regions": sorted({region for one in all_facts for region in one["regions"]}),
        "runs": list(_rows(found, "runs")),
        "states": _summed(one["states"] for one in all_facts),
        "calls": calls_by_outcome(calls),
        "members": [_member(name, one) for name, one in found.items()],
        "connections": list(_rows(found, "connections")),
        "undone": None,
        "steps": list(_rows(found, "steps")),
        "writes": list(_rows(found, "writes")),
    }
    resumable = facts["left"] and facts["state"] not in ("stale", "running")
    simulate = " --simulate" if facts["simulated"] else ""
    again = f"vcokit fleet resume {shlex.quote(facts['journal'])}{simulate}"
    facts["resume"] = again if resumable else None
    facts["verdict"] = record_text.verdict(facts)
    steps = pd.concat([record.frames[0] for record in records.values()], ignore_index=True)
    return ChangeRecord(facts, (steps, calls))


def _known(facts: Iterable[Mapping[str, Any]], name: str) -> Iterator[Any]:
    return (one[name] for one in facts if one[name] is not None)


def _rows(found: Mapping[str, Mapping[str, Any]], *path: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of all members, each with its member."""
    for member, facts in found.items():
        part: Any = facts
        for name in path:
            part = part[name]
        for row in part or ():
            yield {"member": member, **row}


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _merged(tables: list[list[dict[str, Any]] | None]) -> list[dict[str, Any]] | None:
    """Return the counted findings of all members; None if those of a member are not kept."""
    known = [table for table in tables if table is not None]
    return _added(known) if len(known) == len(tables) else None


def _added(tables: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return rows in which everything but their counts is the same as one row."""
    total: dict[tuple[tuple[str, Any], ...], Counter[str]] = {}
    for table in tables:
        for row in table:
            named = tuple((name, value) for name, value in row.items() if name not in _COUNTED)
            counts = {name: row[name] for name in _COUNTED if name in row}
            total.setdefault(named, Counter()).update(counts)
    return [{**dict(named), **counts} for named, counts in total.items()]


def _member(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a member in one row."""
    counts = record_text.numbers(facts)
    return {
        "member": name,
        "state": facts["state"],
        **{each: counts[each] for each in ("changes", "done", "failed", "skipped", "left")},
        "first_call_at": facts["first_call_at"],
        "last_event_at": facts["last_event_at"],
        "message": facts["message"],
    }
