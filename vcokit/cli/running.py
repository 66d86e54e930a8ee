"""A rollout in the shell: its pace, its log and summary, how it ends as an exit code.

::

    conduct(rollout, …)   forecast ─▶ start ─▶ follow ─▶ states, failed steps ─▶ exit code
                                        │                                          │
                                     StepLog                                  summary file

The summary is written however the rollout ends: well, badly, or by an interrupt.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from vcokit.cli import show
from vcokit.cli.exits import MEANING, Exit, exit_code
from vcokit.cli.follow import follow
from vcokit.cli.reading import say_note
from vcokit.cli.steplog import LogFormat, StepLog, one_line, write_line
from vcokit.cli.words import in_shell
from vcokit.cloud.client import Client
from vcokit.errors import InputError, VcokitError
from vcokit.plain import visible
from vcokit.rollout.executor import Rollout
from vcokit.rollout.forecast import forecast
from vcokit.rollout.plan import Plan

#: Failed steps that the shell lists, and that a summary does.
_SHOWN: Final = 20
_SUMMED: Final = 1000
_HOUR: Final = 3600.0
_REST: Final = "rest"

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")]


@dataclass(frozen=True)
class Pace:
    """How fast and how far a rollout goes."""

    waves: Annotated[
        str | None,
        typer.Option(metavar="1,5,rest", help="Connections of each wave; harm ends it."),
    ] = None
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Failed steps after which to stop.")
    ] = None
    max_hours: Annotated[
        float | None, typer.Option(help="Hours after which nothing new is sent.")
    ] = None
    rate_share: Annotated[
        float | None, typer.Option(help="Part of the account's rate limits to use, up to 1.")
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given, as `Rollout` takes them.

        Examples
        --------
        >>> Pace("1,5,rest", max_hours=0.5).given()
        {'waves': [1, 5, None], 'deadline': 1800.0}
        """
        found: dict[str, Any] = {
            "waves": None if self.waves is None else _waves(self.waves),
            "stop_after": self.stop_after,
            "rate_share": self.rate_share,
            "deadline": None if self.max_hours is None else self.max_hours * _HOUR,
        }
        return {name: value for name, value in found.items() if value is not None}


def _waves(text: str) -> list[int | None]:
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word != _REST and not (word.isascii() and word.isdigit())]
    if wrong or any(len(word) > 9 for word in words):
        raise InputError(f"--waves {text!r}", remedy="Write numbers of connections: 1,5,rest")
    return [None if word == _REST else int(word) for word in words]


@dataclass(frozen=True)
class Saying:
    """What is written of a rollout besides the screen."""

    log_format: Annotated[
        LogFormat | None, typer.Option(help="Write one line a step on standard error.")
    ] = None
    summary: Annotated[
        Path | None, typer.Option(help="Write a summary as JSON at the end, however it ends.")
    ] = None

    def check(self) -> None:
        """Refuse a summary that could not be written, before anything is sent.

        Raises
        ------
        InputError
        """
        if self.summary is not None and (
            self.summary.is_dir() or not os.access(self.summary.absolute().parent, os.W_OK)
        ):
            raise InputError(
                f"{self.summary}: cannot be written", remedy="Name a file in a folder that is there"
            )

    def note(self, note: str) -> None:
        """Write what reading noted to standard error, as the log is written."""
        if self.log_format is LogFormat.json:
            write_line(sys.stderr, LogFormat.json, time.time(), "note", message=note)
        else:
            say_note(note)

    def log(self, plan: Plan) -> StepLog | None:
        """Return the observer that logs, if one is wished."""
        return StepLog(plan, sys.stderr, self.log_format) if self.log_format else None


def may_send(plan: Plan, *, ask: bool) -> bool:
    """Tell whether there is anything to send and, where it is asked, whether it may be sent.

    Raises
    ------
    InputError
        If there is nobody to ask.
    """
    if not sends(plan):
        return False
    if not ask:
        return True
    if not sys.stdin.isatty():
        raise InputError("there is nobody to ask", remedy="Pass --yes to send without asking")
    return typer.confirm("Send it?")


def sends(plan: Plan) -> bool:
    """Tell whether a plan sends anything."""
    return any(plan.counts[action] for action in ("create", "modify", "delete"))


def resume_command_of(journal: Path, *, simulated: bool = False) -> str:
    """Return the command that goes on with a journal.

    Examples
    --------
    >>> resume_command_of(Path("my routes.db"))
    "vcokit resume 'my routes.db'"
    """
    return f"vcokit resume {shlex.quote(str(journal))}{' --simulate' if simulated else ''}"


def conduct(
    rollout: Rollout,
    client: Client,
    shown: Console,
    saying: Saying,
    *,
    simulated: bool = False,
    check: Callable[[], Exit] | None = None,
) -> Exit:
    """Start a rollout, show it until it has ended, and say how it ended.

    Parameters
    ----------
    rollout : Rollout
        Not started yet.
    client : Client
    shown : Console
    saying : Saying
    simulated : bool
        Whether the command that goes on has to simulate as well.
    check : callable, optional
        Called after the end; returns what reading back gave.

    Returns
    -------
    Exit

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As the rollout does; the summary is written all the same.
    """
    started, go_on = time.monotonic(), resume_command_of(rollout.journal, simulated=simulated)
    log = saying.log(rollout.plan)
    if log is not None:
        rollout.observe(log)
    code, failure = Exit.INTERRUPTED, None
    try:
        forecast_and_follow(rollout, client, shown, go_on)
        code = _end(rollout, shown, go_on)
        code = code or (check() if check is not None else Exit.OK)
    except VcokitError as error:
        if error.remedy:
            error.remedy = error.remedy.replace(rollout.how_to_go_on(), go_on)
        code, failure = exit_code(error), error
        raise
    finally:
        if log is not None:
            log.write(time.time(), "end", state=rollout.state, exit_code=int(code))
        if saying.summary is not None:
            seconds = time.monotonic() - started
            _sum_up(saying.summary, lambda: _facts(rollout, code, failure, seconds, go_on))
    return code


def _sum_up(path: Path, facts: Callable[[], dict[str, Any]]) -> None:
    """Write a summary; where that fails, say so and let the rollout's own end stand."""
    try:
        write_json(path, facts())
    except (OSError, VcokitError) as error:
        show.error_console().print(f"no summary: {visible(error)}", markup=False)


def forecast_and_follow(rollout: Rollout, client: Client, shown: Console, go_on: str) -> None:
    """Start a rollout and show it until it has ended.

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As `follow` does.
    """
    thought = forecast(
        rollout.plan,
        client,
        waves=rollout.options.waves,
        rate_share=rollout.options.rate_share,
    )
    shown.print(f"Forecast: {show.duration(thought.seconds)}", markup=False)
    follow(rollout.start(), thought, shown, go_on)


def _end(rollout: Rollout, shown: Console, go_on: str) -> Exit:
    """Print where the steps stand; return the exit code."""
    tally = rollout.tally()
    shown.print(show.states(tally))
    steps = rollout.frame()
    failed = steps[steps["state"] == "failed"]
    if len(failed):
        shown.print(show.failed_steps(failed, _SHOWN))
    if tally.rollout == "stopped":
        shown.print(f"Stopped: {visible(tally.message)}. Go on with: {go_on}", markup=False)
        return Exit.RESUMABLE
    return Exit.FAILED if len(failed) else Exit.OK


def _facts(
    rollout: Rollout, code: Exit, failure: VcokitError | None, seconds: float, go_on: str
) -> dict[str, Any]:
    """Return what a summary says."""
    tally = rollout.tally()
    steps = rollout.frame()
    failed = steps.loc[steps["state"] == "failed"].head(_SUMMED)
    unfinished = any(tally.states[state] for state in ("pending", "sent", "accepted", "unknown"))
    return {
        "journal": str(rollout.journal),
        "plan": rollout.plan.fingerprint,
        "actions": rollout.plan.counts,
        "state": tally.rollout,
        "message": in_shell(failure) if failure is not None else tally.message,
        "exit_code": int(code),
        "meaning": MEANING[code],
        "seconds": round(seconds, 3),
        "states": {name: count for name, count in tally.states.items() if count},
        "calls": dict(tally.calls),
        "resume": go_on if unfinished else None,
        "failed": records(failed[list(show.FAILED)]),
    }


def records(frame: Any) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values, None for what is missing."""
    objects = frame.astype("object")
    return list(objects.where(frame.notna(), None).to_dict("records"))


def write_json(path: Path, facts: Any) -> None:
    """Write a file of JSON in one step.

    Raises
    ------
    OSError
    """
    whole = path.absolute()
    descriptor, beside = tempfile.mkstemp(dir=whole.parent, prefix=f".{whole.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(one_line(facts) + "\n")
        Path(beside).replace(whole)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
