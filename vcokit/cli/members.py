"""Run a fleet in the shell: its members in words, its progress, summary, result and exit code.

::

    with FleetSummary(log, …) as summary:      as for a rollout, see `vcokit.cli.run`
        code = run_fleet(fleet, …)             start ─▶ progress ─▶ result
        return summary.finish(code)

A member counts as ``finished`` if all of its steps are done, as ``failed`` if a step was not done
or if it ended early, as ``running``, or as ``left`` if it has not begun or was interrupted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vcokit._text import duration, pluralize, printable
from vcokit.cli import ExitCode, exit_code, shell_text, shell_words
from vcokit.cli.console import coloured_counts, table, to_records
from vcokit.cli.run import MOST_FAILED, ProgressDisplay, SummaryWriter, watch
from vcokit.errors import JournalError, Remedy, VcokitError
from vcokit.rollout.fleet import Fleet
from vcokit.rollout.messages import is_under_way, state_of_members

#: What becomes of members: in the order of counts, and the worst first.
_OUTCOMES: Final = ("finished", "running", "failed", "left")
_WORST_FIRST: Final = ("failed", "running", "left", "finished")
#: States of steps that are counted.
_STATES: Final = ("done", "failed", "skipped", "blocked")
#: Columns of a member in JSON.
_FIELDS: Final = ["member", "wave", "state", "steps", *_STATES, "left", "message"]
#: Members that are listed at most in a result, below a bar and in a line.
_LISTED: Final = 20
_BELOW: Final = 5
_IN_A_LINE: Final = 3
#: Shortest time between two looks at all journals in seconds, and its ratio to the time of a look.
_PAUSE: Final = 0.5
_PATIENCE: Final = 20


def members_of(fleet: Fleet, resume_command: str = "") -> pd.DataFrame:
    """Return the rows of `Fleet.frame` and the outcome of each member, the worst first.

    Parameters
    ----------
    fleet : Fleet
    resume_command : str
        The command that errors name to resume the fleet.
    """
    members = fleet.frame()
    words = {
        "resume": resume_command,
        "new_plan": "make a new plan: vcokit fleet apply with the inventory",
    }
    for name, result in fleet.results().items():
        error = result.error
        if isinstance(error, VcokitError) and isinstance(error.remedy, Remedy):
            members.loc[members["member"] == name, "message"] = shell_text(error, words)
    found = [_outcome(member) for member in members.itertuples()]
    outcome = pd.Categorical(found, _WORST_FIRST, ordered=True)
    by = ["outcome", "failed", "left"]
    return members.assign(outcome=outcome).sort_values(
        by, ascending=[True, False, False], kind="stable", ignore_index=True
    )


def _outcome(member: Any) -> str:
    if is_under_way(member.state):
        return "running"
    if member.failed or member.skipped or member.state in ("stopped", "stale"):
        return "failed"
    return "left" if member.left else "finished"


def fleet_facts(members: pd.DataFrame, limit: int) -> dict[str, Any]:
    """Return the state of a fleet as plain values, with at most so many members that failed."""
    failed = members[members["outcome"] == "failed"].head(limit)
    return {
        "state": state_of_members(members["state"]),
        "members": _counts(members),
        "states": {name: int(members[name].sum()) for name in _STATES if members[name].sum()},
        "left": int(members["left"].sum()),
        "failed": to_records(failed[_FIELDS]),
    }


def _counts(members: pd.DataFrame) -> dict[str, int]:
    number = members["outcome"].value_counts()
    return {name: int(number[name]) for name in _OUTCOMES if number[name]}


def member_counts(members: pd.DataFrame) -> Text:
    """Return the number of members by outcome, each in its colour."""
    return coloured_counts(_counts(members))


def members_table(title: str, members: pd.DataFrame, limit: int) -> Table:
    """Return a table of the first members: their steps, and why they failed."""
    more = f", the first {limit} of {len(members):,}" if len(members) > limit else ""
    names = ["member", "wave", "state", "steps", "done", "failed", "left", "message"]
    # The rollout of a member is finished also if some of its steps failed.
    failed = (members["outcome"] == "failed") & (members["state"] == "finished")
    some = members[names].assign(state=members["state"].mask(failed, "failed"))
    some = some.rename(columns={"message": "why"}).head(limit)
    if some["wave"].isna().all():
        some = some.drop(columns="wave")
    return table(f"{title}{more}", some.columns, some.itertuples(index=False))


# -- from start to end -----------------------------------------------------------------------------


def run_fleet(
    fleet: Fleet, console: Console, summary: FleetSummary, *, resume_command: str
) -> ExitCode:
    """Start a fleet, show it until it has ended, and return its exit code.

    Raises
    ------
    KeyboardInterrupt
        If the user has stopped it.
    JournalLockedError
        If another process runs it.
    """
    summary.fleet, summary.resume_command = fleet, resume_command
    shown = FleetProgress(fleet, console, resume_command)
    fleet.start()
    watch(fleet, shown, console, resume_command)
    return _print_result(fleet, console, resume_command)


def _print_result(fleet: Fleet, console: Console, resume_command: str) -> ExitCode:
    """Print the members and steps by outcome, and who failed; return the exit code.

    Raises
    ------
    Exception
        An error that is a fault of vcokit itself.
    """
    members = members_of(fleet, resume_command)
    facts = fleet_facts(members, 0)
    steps = facts["states"] | ({"left": facts["left"]} if facts["left"] else {})
    console.print(Text("members  ") + member_counts(members))
    console.print(Text("steps    ") + coloured_counts(steps))
    failed = members[members["outcome"] == "failed"]
    if len(failed):
        console.print(members_table("Failed members", failed, _LISTED))
    errors = [result.error for result in fleet.results().values() if result.error is not None]
    for error in errors:
        if not isinstance(error, VcokitError):
            raise error
    if fleet.message is not None:
        console.print(
            f"Stopped: {printable(shell_words(fleet.message))}. Resume with: {resume_command}\n"
            "Members that failed count again then. To begin the others in spite of them, add "
            "--waves rest or a larger --stop-after.",
            soft_wrap=True,
        )
        return ExitCode.RESUMABLE
    if (failed["left"] > 0).any() and facts["state"] != "stale":
        console.print(f"Resume with: {resume_command}", soft_wrap=True)
    codes = {exit_code(error) for error in errors}
    return ExitCode(codes.pop()) if len(codes) == 1 else ExitCode.FAILED if codes else ExitCode.OK


class FleetProgress(ProgressDisplay):
    """The progress of a fleet: its members, its steps, and the members that are worst.

    Parameters
    ----------
    fleet : Fleet
    console : Console
    resume_command : str
        The command that errors name to resume the fleet.
    """

    def __init__(self, fleet: Fleet, console: Console, resume_command: str) -> None:
        left = int(fleet.frame()["left"].sum())
        directory = shlex.quote(str(fleet.directory))
        super().__init__(console, left, f"vcokit fleet status {directory}")
        self._fleet, self._resume_command = fleet, resume_command
        self._left_before, self._next = left, 0.0

    def show(self, *, last: bool = False) -> None:
        """Show the current progress, unless the last look at all journals was short ago."""
        began = self.elapsed
        if began < self._next and not last:
            return
        try:
            members = members_of(self._fleet, self._resume_command)
        except JournalError:  # of a journal that is damaged or lost: its member ends with it
            return
        # Steps that have settled count as done here: a listing confirms many of them at once.
        running = self._fleet.rollouts()
        settled = {name: one.tally().states["settled"] for name, one in running.items()}
        found = members["member"].map(settled).fillna(0).astype("int64")
        members["left"] = (members["left"] - found).clip(lower=0)
        elapsed = self.elapsed
        self._next = elapsed + max(_PAUSE, _PATIENCE * (elapsed - began))
        steps, left = int(members["steps"].sum()), int(members["left"].sum())
        ended = self._left_before - left
        pace = f"{steps - left:,} of {steps:,} steps  {ended / elapsed:,.1f}/s"
        rest = f"about {duration(round(left * elapsed / ended))} left" if ended > 0 else ""
        counts = member_counts(members)
        worst = members[members["outcome"].isin(["failed", "running"])]
        if self._bar is not None:
            self._bar.below = [Text("members  ") + counts, *_lines(worst.head(_BELOW))]
            self._bar.update(self._task, completed=ended, text=f"{pace}  {rest}")
            return
        parts = [counts.plain.strip(), pace, f"after {duration(round(elapsed))}"]
        if not last:
            names = ", ".join(f"{one} ({_done(row)})" for one, row in _rows(worst, _IN_A_LINE))
            parts += [rest, f"worst: {names}" if names else ""]
        line = "  ".join(filter(None, parts))
        self.print_line(f"{counts.plain} {left}", line, last=last)


def _rows(members: pd.DataFrame, most: int) -> Iterable[tuple[str, Any]]:
    return ((printable(row.member), row) for row in members.head(most).itertuples())


def _lines(members: pd.DataFrame) -> list[Text]:
    """Return a line per member, no longer than the terminal is wide."""
    width = max(map(len, members["member"]), default=0)
    return [
        Text(
            f"  {name:<{width}}  {row.outcome:<8}  {_done(row)}  {printable(row.message)}".rstrip(),
            no_wrap=True,
            overflow="ellipsis",
        )
        for name, row in _rows(members, _BELOW)
    ]


def _done(member: Any) -> str:
    """Return how far a member is."""
    done = f"{member.steps - member.left:,} of {pluralize(member.steps, 'step')}"
    return f"{done}, {member.failed:,} failed" if member.failed else done


class FleetSummary(SummaryWriter):
    """The summary of a command for a fleet.

    Attributes
    ----------
    fleet : Fleet or None
        What carries the plan out.
    directory : Path or None
        Its directory.
    """

    fleet: Fleet | None = None
    directory: Path | None = None

    @property
    def state(self) -> str:
        """State of the fleet by its members; ready before it is known."""
        return "ready" if self.fleet is None else state_of_members(self.fleet.frame()["state"])

    def _place(self) -> dict[str, Any]:
        return {"directory": None if self.directory is None else str(self.directory)}

    def _progress(self) -> dict[str, Any]:
        if self.fleet is None:
            return {}
        facts = fleet_facts(members_of(self.fleet, self.resume_command or ""), MOST_FAILED)
        can_go_on = facts["left"] and facts["state"] != "stale"
        return facts | {
            "message": shell_words(self.fleet.message),
            "resume": self.resume_command if can_go_on else None,
        }
