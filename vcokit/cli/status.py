"""``vcokit status``: how a rollout stands, by its journal, also while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any, Final

import pandas as pd
import typer

from vcokit._text import duration, pluralize, printable
from vcokit.cli import show
from vcokit.cli.apply import JournalPath
from vcokit.cli.journals import Rest, again_of
from vcokit.cli.outputs import put
from vcokit.cli.running import resume_command_of
from vcokit.cli.steplog import one_line, records
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import Owner

#: Seconds that the pace of the moment is taken of.
_WINDOW: Final = 300.0


def status_command(
    journal: JournalPath,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Failed steps listed at most.")] = 20,
) -> None:
    """Tell how a rollout stands, also while it runs.

    Looking changes nothing and disturbs nobody.
    """
    facts = facts_of(journal, time.time(), limit)
    if json:
        put(f"{one_line(facts)}\n")
        return
    shown = show.console()
    shown.print("\n".join(_lines(facts)), markup=False)
    if facts["failed"]:
        listed = pd.DataFrame(facts["failed"], columns=list(show.FAILED))
        shown.print(show.steps_not_done(listed, "failed", limit))


def facts_of(path: Any, now: float, limit: int) -> dict[str, Any]:
    """Return what a journal says of its rollout, as plain values.

    Parameters
    ----------
    path : Path
    now : float
        Seconds since the epoch.
    limit : int
        Failed steps at most.

    Raises
    ------
    JournalError
        If there is no such journal, or it cannot be read.
    """
    with Journal.read(path) as journal:
        journal.check()
        steps, meta, held, state = (
            journal.steps(),
            journal.meta(),
            journal.holder(),
            journal.state(),
        )
        outcomes = journal.calls()["outcome"].value_counts()
        simulated, again = journal.simulated, again_of(journal)
    rest = Rest.of(steps, meta)
    failed = steps[steps["state"] == "failed"]
    pace = _pace(steps, now if held is not None else None)
    return {
        "journal": str(path),
        "simulated": simulated,
        "state": state,
        "message": meta.get("message") if held is None else None,
        "holder": None if held is None else _told(held),
        "actions": _counts(steps["action"]),
        "states": _counts(steps["state"]),
        "left": rest.left,
        "steps_per_minute": pace.per_minute,
        "seconds_left": pace.seconds(rest.left) if held is not None else None,
        "calls": {str(name): int(number) for name, number in outcomes.items()},
        "failed_steps": len(failed),
        "failed": records(failed[list(show.FAILED)].head(limit)),
        "resume": resume_command_of(path, again) if rest.resumable and held is None else None,
    }


def _told(owner: Owner) -> dict[str, Any]:
    return {
        "process": owner.process,
        "host": owner.host,
        "since": owner.since,
        "version": owner.version,
        "here": owner.is_here,
        "text": str(owner),
    }


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(number) for name, number in column.value_counts().items() if number}


@dataclass(frozen=True)
class Pace:
    """Steps that came to their end in a minute; None where none has."""

    per_minute: float | None

    def seconds(self, left: int) -> float | None:
        """Return how long what is left takes at this pace."""
        return None if not self.per_minute else round(left / self.per_minute * 60)


def _pace(steps: pd.DataFrame, now: float | None) -> Pace:
    """Return the pace of the last minutes: until now of a rollout that runs, else at its end."""
    sent = steps["sent_at"].dropna()
    settled = steps["settled_at"].fillna(steps["ended_at"])[steps["sent_at"].notna()].dropna()
    if not len(settled):
        return Pace(None)
    last = settled.max() if now is None else pd.Timestamp(now, unit="s", tz="UTC")
    first = max(sent.min(), last - pd.Timedelta(seconds=_WINDOW))
    seconds = max((last - first).total_seconds(), 1.0)
    return Pace(round(float((settled >= first).sum()) / seconds * 60, 1))


def _lines(facts: dict[str, Any]) -> list[str]:
    rehearsal = ", on a simulator" if facts["simulated"] else ""
    said = [f"{printable(facts['journal'])}: {facts['state']}{rehearsal}"]
    if facts["message"]:
        said.append(f"message {printable(facts['message'])}")
    if facts["holder"]:
        elsewhere = "" if facts["holder"]["here"] else "; whether it lives is not seen from here"
        said.append(f"holder  {printable(facts['holder']['text'])}{elsewhere}")
    said += [f"{name:<7} {_listed(facts[name])}" for name in ("actions", "states", "calls")]
    said.append(f"left    {pluralize(facts['left'], 'step')}{_at_pace(facts)}")
    if facts["resume"]:
        said.append(f"Go on with: {facts['resume']}")
    elif facts["state"] == "stale":
        said.append("The live routes are others now: apply the inventory again, by a new plan")
    return said


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {printable(name)}" for name, number in counts.items()) or "none"


def _at_pace(facts: dict[str, Any]) -> str:
    if facts["steps_per_minute"] is None:
        return ""
    rest = facts["seconds_left"]
    until = "" if rest is None else f", about {duration(round(rest))}"
    return f"; {facts['steps_per_minute']:g} a minute{until}"
