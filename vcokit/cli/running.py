"""A rollout in the shell: its pace, and how it ends as an exit code.

::

    conduct(rollout, …)   forecast ─▶ start ─▶ follow ─▶ states, failed steps ─▶ exit code
                                        │
                                     StepLog           the summary: `vcokit.cli.saying`
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from vcokit._text import duration, printable
from vcokit.cli import show
from vcokit.cli.exits import Exit, exit_code
from vcokit.cli.follow import follow
from vcokit.cli.saying import Account
from vcokit.cli.words import wording
from vcokit.cloud.client import Client
from vcokit.errors import InputError, VcokitError
from vcokit.rollout.forecast import forecast
from vcokit.rollout.plan import Plan
from vcokit.rollout.rollout import Rollout

#: Failed steps that the shell lists.
_SHOWN: Final = 20
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

        Raises
        ------
        InputError
            If one cannot be kept; nothing has been read yet.

        Examples
        --------
        >>> Pace("1,5,rest", max_hours=0.5).given()
        {'waves': [1, 5, None], 'deadline': 1800.0}
        """
        for option, wrong, remedy in (
            ("max-hours", self.max_hours is not None and not self.max_hours > 0, "above 0"),
            ("rate-share", self.rate_share is not None and not 0 < self.rate_share <= 1, "up to 1"),
        ):
            if wrong:
                value = getattr(self, option.replace("-", "_"))
                raise InputError(f"--{option} {value:g}", remedy=f"Write a number {remedy}")
        found: dict[str, Any] = {
            "waves": None if self.waves is None else _waves(self.waves),
            "stop_after": self.stop_after,
            "rate_share": self.rate_share,
            "deadline": None if self.max_hours is None else self.max_hours * _HOUR,
        }
        return {name: value for name, value in found.items() if value is not None}


def _waves(text: str) -> list[int | None]:
    words = [word.strip() for word in text.split(",")]
    sizes = words[:-1] if words[-1] == _REST else words
    if not all(word.isascii() and word.isdigit() and int(word[:9]) > 0 for word in sizes) or any(
        len(word) > 9 for word in words
    ):
        raise InputError(
            f"--waves {text!r}",
            remedy="Write numbers of connections from 1, at the end rest if you like: 1,5,rest",
        )
    return [None if word == _REST else int(word) for word in words]


def may_ask() -> None:
    """Refuse to begin what will have to be asked where there is nobody to ask.

    Raises
    ------
    InputError
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError("there is nobody to ask", remedy="Pass --yes to send without asking")


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
    may_ask()
    return typer.confirm("Send it?")


def sends(plan: Plan) -> bool:
    """Tell whether a plan sends anything."""
    return any(plan.counts[action] for action in ("create", "modify", "delete"))


def resume_command_of(journal: Path, again: str = "") -> str:
    """Return the command that goes on with a journal.

    Parameters
    ----------
    journal : Path
    again : str
        Options that reach the same cloud, from `Reach.again`.

    Examples
    --------
    >>> resume_command_of(Path("my routes.db"), " --simulate")
    "vcokit resume 'my routes.db' --simulate"
    """
    return f"vcokit resume {shlex.quote(str(journal))}{again}"


def conduct(
    rollout: Rollout,
    client: Client,
    shown: Console,
    account: Account,
    *,
    go_on: str,
    forecasted: Plan | None = None,
    check: Callable[[], Exit] | None = None,
) -> Exit:
    """Start a rollout, show it until it has ended, and say how it ended.

    Parameters
    ----------
    rollout : Rollout
        Not started yet.
    client : Client
    shown : Console
    account : Account
        Of the command: it writes the summary.
    go_on : str
        The command that goes on, were the rollout to break off.
    forecasted : Plan, optional
        What is left of the rollout's plan, where that is not all of it.
    check : callable, optional
        Called after the end; returns what reading back gave.

    Returns
    -------
    Exit

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As the rollout does.
    """
    account.rollout, account.plan, account.go_on = rollout, rollout.plan, go_on
    log = account.saying.log(rollout.plan)
    if log is not None:
        rollout.observe(log)
    code = Exit.INTERRUPTED
    try:
        forecast_and_follow(rollout, client, shown, go_on, forecasted)
        code = _end(rollout, shown, go_on)
        code = code or (check() if check is not None else Exit.OK)
    except VcokitError as error:
        if error.remedy:
            error.remedy = error.remedy.replace(rollout.how_to_go_on(), go_on)
        code = exit_code(error)
        raise
    finally:
        if log is not None:
            log.write(time.time(), "end", state=rollout.state, exit_code=int(code))
    return account.ends(code)


def forecast_and_follow(
    rollout: Rollout, client: Client, shown: Console, go_on: str, forecasted: Plan | None = None
) -> None:
    """Start a rollout and show it until it has ended.

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As `follow` does.
    """
    thought = forecast(
        forecasted or rollout.plan,
        client,
        waves=rollout.options.waves,
        rate_share=rollout.options.rate_share,
    )
    shown.print(f"Forecast: {duration(round(thought.seconds))}", markup=False)
    follow(rollout.start(), thought, shown, go_on)


def _end(rollout: Rollout, shown: Console, go_on: str) -> Exit:
    """Print where the steps stand; return the exit code."""
    tally = rollout.tally()
    shown.print(show.states(tally))
    steps = rollout.frame()
    harmed = tally.states["failed"] + tally.states["skipped"]
    for state in ("failed", "skipped"):
        some = steps[steps["state"] == state]
        if len(some):
            shown.print(show.steps_not_done(some, state, _SHOWN))
    if tally.rollout == "stopped":
        said = printable(wording(tally.message))
        shown.print(f"Stopped: {said}. Go on with: {go_on}", markup=False, soft_wrap=True)
        return Exit.RESUMABLE
    return Exit.FAILED if harmed else Exit.OK
