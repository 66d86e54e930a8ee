"""Where a plan came from, and who carries it out: what a change record contains besides the steps.

::

    routes, findings ──plan_routes──▶ Origin ─▶ the plan's file, the journal
    Rollout.start                  ──▶ Run    ─▶ the journal, one for each start

Both are stored as JSON. Neither affects what a rollout does, and neither is part of a plan's
fingerprint: the same routes in two files are the same plan. Journals and plans of earlier versions
have no origin and no runs.
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

#: Keys under which a journal stores them.
ORIGIN: Final = "origin"
RUNS: Final = "runs"
#: Key of the number of routes by weight that was listed for each connection at the end of the last
#: run.
LISTED: Final = "listed"
#: Keys of who approved the change and of the ticket that requests it, as the user wrote them.
APPROVAL: Final = ("approved_by", "ticket")


@dataclass(frozen=True)
class Origin:
    """Where a plan came from.

    Parameters
    ----------
    files : mapping of str to str
        SHA-256 of each file that the routes were read from, by file name; empty if they were not
        read from files.
    routes : int or None
        Number of rows of the inventory.
    findings : list of dict, or None
        Findings of an audit that nobody accepted: rule, severity, rows and sentence; None if no
        findings were given.
    accepted : list of dict, or None
        Findings that were accepted: rule, severity, rows, ``held_by`` (exception or baseline), and
        the reason and last day of the exception.
    undoes : str or None
        Id of the rollout that the plan undoes.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    routes: int | None = None
    findings: list[dict[str, Any]] | None = None
    accepted: list[dict[str, Any]] | None = None
    undoes: str | None = None

    @classmethod
    def of(cls, routes: pd.DataFrame, findings: pd.DataFrame | Review | None) -> Self:
        """Return the origin for an inventory and the findings of its audit or review.

        Raises
        ------
        InputError
            If `findings` is not a frame of findings or a `Review`.
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
        """Return the known values as a JSON object."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    @classmethod
    def from_json(cls, kept: Any) -> Self:
        """Return the origin from the result of `to_json`.

        Raises
        ------
        ValueError
            If the value cannot be a result of `to_json`.
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
    """One start of a rollout: who started or resumed it, where, and how the run ended.

    Parameters
    ----------
    user, host : str
    process : int
    version : str
        Of vcokit.
    account : str
        Id of the AccessKey, masked.
    endpoint : str
        URL that all calls were sent to; empty if each was sent to the endpoint of its region. The
        URL of a simulator is not stored.
    options : mapping
        Options of this run.
    began : float
        Seconds since the epoch.
    ended : float or None
        None if it was killed or is still running.
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
        """Return the run from the result of `asdict`.

        Raises
        ------
        ValueError, TypeError
            If the value cannot be a stored run.
        """
        run = cls(**kept)
        if not isinstance(run.began, int | float) or not isinstance(run.options, dict):
            raise ValueError(f"{kept!r:.60}")
        return run


def runs_in(meta: Mapping[str, str]) -> list[Run] | None:
    """Return the runs that a journal stores, oldest first; None if it stores none.

    Raises
    ------
    ValueError, TypeError
        If the stored value is not valid.
    """
    return [Run.from_json(one) for one in json.loads(meta[RUNS])] if RUNS in meta else None


def user_name() -> str:
    """Return the name of the user who runs this program, or the user's number if it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, in a container
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def approval(**texts: str | None) -> dict[str, str]:
    """Return the given values of `APPROVAL`, in the form in which they are stored.

    Raises
    ------
    InputError
        If a value is not a text, or is blank.
    """
    given = {name: text for name, text in texts.items() if text is not None}
    for name, text in given.items():
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{name}={text!r}", remedy="Give a text that is not empty, or leave it out"
            )
    return given


def _counted(findings: pd.DataFrame) -> list[dict[str, Any]]:
    table = by_rule(findings)
    return _records(table.astype({"rule": "str", "severity": "str"}))


def _accepted(held_back: pd.DataFrame) -> list[dict[str, Any]]:
    """Count the findings that were held back, by rule and reason."""
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
