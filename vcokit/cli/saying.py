"""What is written of a rollout besides the screen: a line a step, and a summary at the end.

::

    with saying.account(…) as account:     from here on the summary is written, however it ends:
        account.needs(journal)             well, badly, by an error, by an interrupt
        account.plan = …
        conduct(rollout, account, …)
        return account.ends(code)
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vcokit._text import printable
from vcokit.cli import show
from vcokit.cli.exits import MEANING, Exit, exit_code
from vcokit.cli.outputs import keep_apart
from vcokit.cli.reading import say_note
from vcokit.cli.steplog import LogFormat, StepLog, one_line, records, write_line
from vcokit.cli.words import in_shell, wording
from vcokit.errors import InputError, JournalError, VcokitError
from vcokit.rollout.messages import ENDED

if TYPE_CHECKING:
    from vcokit.rollout.plan import Plan
    from vcokit.rollout.rollout import Rollout

#: Failed steps that a summary lists, and bytes that one can have.
_SUMMED: Final = 1000
_LARGEST: Final = 16_000_000
#: What tells a summary from any other JSON.
_OURS: Final = frozenset({"journal", "plan", "exit_code", "meaning"})
#: Code of a traceback, Python's own, and what it means.
_FAULT: Final = 1
_FAULTY: Final = "a fault of vcokit itself: see the traceback"


@dataclass(frozen=True)
class Saying:
    """What is written of a rollout besides the screen."""

    log_format: Annotated[
        LogFormat | None, typer.Option(help="Write one line a step on standard error.")
    ] = None
    summary: Annotated[
        Path | None,
        typer.Option(help="Write a summary as JSON at the end, however it ends."),
    ] = None

    def account(
        self, *needed: str | Path | None, journal: Path | None = None, save: Path | None = None
    ) -> Account:
        """Return what writes the summary of a command.

        Parameters
        ----------
        *needed : str or Path
            Files that the command reads.
        journal, save : Path, optional
            Journal that it reads or makes, and plan that it writes.

        Raises
        ------
        InputError
            If the summary could not be written, or would destroy something of value.
        """
        account = Account(self)
        account.keep_apart({"--summary": self.summary, "--save": save}, needed, [journal])
        if self.summary is not None:
            _check(self.summary)
        return account

    def note(self, note: str) -> None:
        """Write what reading noted to standard error, as the log is written."""
        if self.log_format is LogFormat.json:
            write_line(sys.stderr, LogFormat.json, time.time(), "note", message=note)
        else:
            say_note(note)

    def log(self, plan: Plan) -> StepLog | None:
        """Return the observer that logs, if one is wished."""
        return StepLog(plan, sys.stderr, self.log_format) if self.log_format else None


def _check(path: Path) -> None:
    """Refuse a summary that could not be written, or would take the place of something else."""
    if not os.access(path.absolute().parent, os.W_OK) or (path.exists() and not path.is_file()):
        raise InputError(
            f"{path}: cannot be written", remedy="Name a file in a folder that is there"
        )
    if path.exists() and path.stat().st_size and not _is_summary(path):
        raise InputError(f"{path}: is there, and is no summary", remedy="Name another --summary")


def _is_summary(path: Path) -> bool:
    if path.stat().st_size > _LARGEST:
        return False
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= _OURS


class Account:
    """The summary of one command, written when the command ends, however it ends.

    Parameters
    ----------
    saying : Saying

    Attributes
    ----------
    plan : Plan or None
        What is to be done, once that is known.
    rollout : Rollout or None
        Who does it.
    go_on : str or None
        The command that goes on with it.
    """

    def __init__(self, saying: Saying) -> None:
        self.saying = saying
        self.plan: Plan | None = None
        self.rollout: Rollout | None = None
        self.go_on: str | None = None
        self._journal: Path | None = None
        self._summary = saying.summary
        self._code = Exit.OK
        self._started = time.monotonic()

    def keep_apart(
        self,
        outputs: dict[str, Path | None],
        needed: Iterable[str | Path | None],
        journals: Iterable[Path | None],
    ) -> None:
        """Refuse outputs that the command needs, and then write no summary either.

        Raises
        ------
        InputError
        """
        try:
            keep_apart(outputs, needed, journals=journals)
        except InputError:
            self._summary = None
            raise

    def needs(self, journal: Path) -> None:
        """Name the journal, as soon as it has a name.

        Raises
        ------
        InputError
            If the summary is to be written onto it.
        """
        self.keep_apart({"--summary": self.saying.summary}, (), [journal])
        self._journal = journal

    def ends(self, code: Exit) -> Exit:
        """Take the exit code down, and return it."""
        self._code = code
        return code

    def __enter__(self) -> Account:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        code = self._code if error is None else _code_of(error)
        if self._summary is not None:
            try:
                write_json(self._summary, self._facts(int(code), error))
            except (OSError, VcokitError) as fault:
                # The rollout's own end stands.
                show.error_console().print(f"no summary: {printable(fault)}", markup=False)
        if code is Exit.INTERRUPTED:
            self._say_interrupted()
            raise typer.Exit(int(code)) from None

    def _say_interrupted(self) -> None:
        state = "ready" if self.rollout is None else self.rollout.state
        if state == "ready" or (state in ENDED and state != "interrupted"):
            # Else it was said with the command that goes on.
            how = "nothing was sent" if state == "ready" else f"the rollout is {state}"
            show.error_console().print(f"interrupted, {how}", markup=False)

    def _facts(self, code: int, error: BaseException | None) -> dict[str, Any]:
        """Return what a summary says."""
        named = self.rollout.journal if self.rollout is not None else self._journal
        seconds = round(time.monotonic() - self._started, 3)
        return {
            "journal": None if named is None else str(named),
            "plan": None if self.plan is None else self.plan.fingerprint,
            "actions": {} if self.plan is None else self.plan.counts,
            "state": None,
            "message": _message(error),
            "exit_code": code,
            "meaning": _FAULTY if _is_fault(error) else MEANING[Exit(code)],
            "seconds": seconds,
            "states": {},
            "calls": {},
            "resume": None,
            "failed": [],
            **self._of_rollout(error),
        }

    def _of_rollout(self, error: BaseException | None) -> dict[str, Any]:
        if self.rollout is None:
            return {}
        tally = self.rollout.tally()
        can_go_on = tally.ended < tally.total and tally.rollout != "stale"
        return {
            "state": tally.rollout,
            "message": _message(error) or wording(tally.message),
            "states": {name: count for name, count in tally.states.items() if count},
            "calls": dict(tally.calls),
            "resume": self.go_on if can_go_on else None,
            "failed": self._failed(self.rollout),
        }

    def _failed(self, rollout: Rollout) -> list[dict[str, Any]]:
        """Return the first failed steps; none where the journal is lost, which the error tells."""
        try:
            steps = rollout.frame()
        except JournalError:
            return []
        failed = steps.loc[steps["state"] == "failed"].head(_SUMMED)
        return records(failed[list(show.FAILED)])


def _code_of(error: BaseException) -> int:
    """Return the exit code that an exception comes to."""
    if isinstance(error, VcokitError):
        return exit_code(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Exit.INTERRUPTED
    if isinstance(error, OSError | typer.BadParameter):
        return Exit.INPUT
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else _FAULT


def _is_fault(error: BaseException | None) -> bool:
    return error is not None and _code_of(error) == _FAULT


def _message(error: BaseException | None) -> str | None:
    if isinstance(error, VcokitError):
        return in_shell(error)
    return str(error) or None if isinstance(error, Exception) else None


def write_json(path: Path, facts: Any) -> None:
    """Write a file of JSON in one step; what a link points to is replaced, not the link.

    Raises
    ------
    OSError
    """
    whole = Path(os.path.realpath(path))
    descriptor, beside = tempfile.mkstemp(dir=whole.parent, prefix=f".{whole.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(one_line(facts) + "\n")
        Path(beside).replace(whole)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
