"""Where a plan came from, and who carries it out: what a change record says beside the steps.

::

    routes, findings ──plan_routes──▶ Origin ─▶ the plan's file, the journal
    Rollout.start                  ──▶ Run    ─▶ the journal, one for each start

Both are kept as JSON. Neither decides anything, and neither is part of a plan's fingerprint: the
same routes in two files are the same plan. Journals and plans of earlier versions have none.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

import pandas as pd

from vcokit import schema
from vcokit.audit.findings import by_rule
from vcokit.audit.review import Review
from vcokit.errors import InputError
from vcokit.inventory.read import digests_of

#: Names under which a journal keeps them.
ORIGIN: Final = "origin"
RUNS: Final = "runs"
#: Routes by weight that each connection was seen to hold at the end of the last run.
LISTED: Final = "listed"
#: Who approved the change, and where it is asked for; as the user wrote them.
APPROVAL: Final = ("approved_by", "ticket")


@dataclass(frozen=True)
class Origin:
    """Where a plan came from.

    Parameters
    ----------
    files : mapping of str to str
        SHA-256 of each file that the routes were read from, by its name; empty where they were not
        read from files.
    routes : int or None
        Rows of the inventory.
    findings : list of dict, or None
        What an audit found and nobody accepted: rule, severity, rows and sentence; None where
        nobody said.
    accepted : list of dict, or None
        What was accepted: rule, severity, rows, ``held_by`` (exception or baseline), and the reason
        and last day of the exception.
    undoes : str or None
        Id of the rollout that the plan takes back.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    routes: int | None = None
    findings: list[dict[str, Any]] | None = None
    accepted: list[dict[str, Any]] | None = None
    undoes: str | None = None

    @classmethod
    def of(cls, routes: pd.DataFrame, findings: pd.DataFrame | Review | None) -> Self:
        """Return that of an inventory, and of what an audit or a review of it found.

        Raises
        ------
        InputError
            If the findings are none.
        """
        files, count = digests_of(routes), len(routes)
        if findings is None:
            return cls(files, count)
        if isinstance(findings, Review):
            return cls(files, count, _counted(findings.findings), _accepted(findings.held_back))
        if not isinstance(findings, pd.DataFrame):
            raise InputError(
                f"findings is a {type(findings).__name__}",
                remedy="Pass vk.audit_routes(routes), or vk.review_findings(…)",
            )
        schema.require_columns(findings, tuple(schema.FINDINGS), what="findings")
        return cls(files, count, _counted(findings))

    def to_json(self) -> dict[str, Any]:
        """Return what is known, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    @classmethod
    def from_json(cls, kept: Any) -> Self:
        """Return what `to_json` gave.

        Raises
        ------
        ValueError
            If it never was written.
        """
        if not isinstance(kept, dict):
            raise ValueError(f"{kept!r:.60}")
        known: dict[str, Any] = {
            each.name: kept[each.name] for each in fields(cls) if each.name in kept
        }
        files = known.setdefault("files", {})
        texts = isinstance(files, dict) and all(isinstance(one, str) for one in files.values())
        tables = (known.get("findings"), known.get("accepted"))
        right = texts and all(table is None or _is_table(table) for table in tables)
        if not (right and isinstance(known.get("routes"), int | None)):
            raise ValueError(f"{kept!r:.60}")
        return cls(**known)


@dataclass(frozen=True)
class Run:
    """One start of a rollout: who began or resumed it, where, and how that ended.

    Parameters
    ----------
    user, host : str
    process : int
    version : str
        Of vcokit.
    account : str
        Id of the AccessKey, masked.
    endpoint : str
        URL that all calls went to; empty where each went to the endpoint of its region. Of a
        simulator it is not kept.
    options : mapping
        What was wished of this run.
    began : float
        Seconds since the epoch.
    ended : float or None
        None where it was killed, or goes on.
    state : str or None
        How it ended.
    """

    user: str
    host: str
    process: int
    version: str
    account: str
    endpoint: str
    options: Mapping[str, Any]
    began: float
    ended: float | None = None
    state: str | None = None

    @classmethod
    def from_json(cls, kept: Any) -> Self:
        """Return one as `asdict` gave it.

        Raises
        ------
        ValueError, TypeError
            If it never was written.
        """
        run = cls(**kept)
        if not isinstance(run.began, int | float) or not isinstance(run.options, dict):
            raise ValueError(f"{kept!r:.60}")
        return run


def runs_in(meta: Mapping[str, str]) -> list[Run] | None:
    """Return the runs that a journal keeps, the first one first; None where it keeps none.

    Raises
    ------
    ValueError, TypeError
        If it never was written.
    """
    return [Run.from_json(one) for one in json.loads(meta[RUNS])] if RUNS in meta else None


def user_name() -> str:
    """Return the name of who runs this program; the number where the system knows no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, in a container
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def approval(**texts: str | None) -> dict[str, str]:
    """Return what was given of `APPROVAL`, as it is kept.

    Raises
    ------
    InputError
        If one is no text.
    """
    given = {name: text for name, text in texts.items() if text is not None}
    for name, text in given.items():
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{name}={text!r}", remedy="Write who, or which; or leave it out")
    return given


def _counted(findings: pd.DataFrame) -> list[dict[str, Any]]:
    table = by_rule(findings)
    return _records(table.astype({"rule": "str", "severity": "str"}))


def _accepted(held_back: pd.DataFrame) -> list[dict[str, Any]]:
    """Count what was held back, by rule and reason."""
    names = ["rule", "severity", "held_by", "reason", "until"]
    table = held_back[names].astype("str")
    return _records(table.groupby(names, dropna=False, sort=False).size().reset_index(name="rows"))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    objects = table.astype("object")
    found = objects.where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in one.items()} for one in found]


def _is_table(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("rows"), int) for one in value
    )
