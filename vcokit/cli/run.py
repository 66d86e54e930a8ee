"""Run a rollout in the shell: its progress, log, summary, report and exit code.

::

    with SummaryWriter(log, …) as summary:     the summary is written however the command ends:
        summary.set_journal(journal)           with success, failed steps, an error or an interrupt
        summary.plan = …
        code = run_rollout(rollout, …)         forecast ─▶ start ─▶ progress ─▶ result
        return summary.finish(code)                          │
                                                          StepLog
"""

from __future__ import annotations

import atexit
import json
import os
import shlex
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from vcokit._text import duration, printable
from vcokit.cli import FAULT, ExitCode, exit_code, shell_text, shell_words
from vcokit.cli.console import (
    FAILED,
    check_output_paths,
    dumps,
    error_console,
    print_note,
    reader_left,
    state_counts,
    steps_not_done,
    to_records,
    write_atomic,
)
from vcokit.cli.options import LogFormat, LogOptions
from vcokit.cloud.client import Client
from vcokit.errors import InputError, JournalError, Remedy, VcokitError
from vcokit.reports.record import change_record, kind_of_record
from vcokit.rollout.fleet import Fleet
from vcokit.rollout.fleet_plan import FleetPlan
from vcokit.rollout.forecast import Forecast, forecast
from vcokit.rollout.messages import ENDED, Event, RolloutChanged, StepChanged, Tally
from vcokit.rollout.plan import Plan
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.signals import terminating
from vcokit.rollout.steps import FINAL

# -- before anything is sent -----------------------------------------------------------------------


def require_terminal() -> None:
    """Raise an error if there is no terminal on which the user can be asked.

    Raises
    ------
    InputError
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(
            "there is no terminal to ask on", remedy="Pass --yes to send without asking"
        )


def confirm(plan: Plan | FleetPlan, *, ask: bool) -> bool:
    """Return whether there is anything to send and, with `ask`, whether the user agrees to send it.

    Raises
    ------
    InputError
        If there is no terminal to ask on.
    """
    if not any(plan.counts[action] for action in ("create", "modify", "delete")):
        return False
    if not ask:
        return True
    require_terminal()
    return typer.confirm("Send it?")


# -- from start to end -----------------------------------------------------------------------------

#: Number of failed steps that are listed at most.
_LISTED: Final = 20


def run_rollout(
    rollout: Rollout,
    client: Client,
    console: Console,
    summary: SummaryWriter,
    *,
    resume_command: str,
    left: Plan | None = None,
    verify: Callable[[], None] | None = None,
) -> ExitCode:
    """Start a rollout, show it until it has ended, and return its exit code.

    Parameters
    ----------
    rollout : Rollout
        Not started yet.
    client : Client
    console : Console
    summary : SummaryWriter
        The summary of the command.
    resume_command : str
        The command that resumes the rollout if it is interrupted.
    left : Plan, optional
        The remaining steps of the rollout if some have ended already, to forecast the time.
    verify : callable, optional
        Called when the rollout has succeeded, to compare the live routes with the plan.

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As the rollout does.
    """
    summary.rollout, summary.plan, summary.resume_command = rollout, rollout.plan, resume_command
    log = summary.step_log(rollout.plan)
    for observer in (log, *summary.followers):
        if observer is not None:
            rollout.observe(observer)
    code: int = ExitCode.INTERRUPTED
    try:
        show_rollout(rollout, client, console, resume_command, left)
        code = ended = print_result(rollout, console, resume_command)
        if verify is not None and ended is ExitCode.OK:
            verify()
    except VcokitError as error:
        if isinstance(error.remedy, Remedy):  # add the options that select the same cloud
            error.remedy = error.remedy.reworded(resume=resume_command)
        code = exit_code(error)
        raise
    finally:
        if log is not None:
            log.write(time.time(), "end", state=rollout.state, exit_code=int(code))
        if rollout.ended:  # else the program ends at once, without waiting for the observers
            for follower in summary.followers:
                follower.close()
        if summary.options.report is not None:
            _write_record(summary.options.report, rollout, console)
    return ended


def _write_record(path: Path, rollout: Rollout, console: Console) -> None:
    """Write the change record of a rollout, however it ended; an error here is only printed."""
    try:
        change_record(rollout.journal).write(path)
    except VcokitError as fault:
        error_console().print(f"no report: {printable(fault)}", soft_wrap=True)
    else:
        console.print(f"Report: {printable(path)}", soft_wrap=True)


def print_result(rollout: Rollout, console: Console, resume_command: str) -> ExitCode:
    """Print the number of steps in each state; return the exit code."""
    tally = rollout.tally()
    console.print(state_counts(tally))
    steps = rollout.frame()
    for state in ("failed", "skipped"):
        some = steps[steps["state"] == state]
        if len(some):
            console.print(steps_not_done(some, state, _LISTED))
    if tally.rollout == "stopped":
        why = printable(shell_words(tally.message))
        console.print(f"Stopped: {why}. Resume with: {resume_command}", soft_wrap=True)
        return ExitCode.RESUMABLE
    return ExitCode.FAILED if tally.states["failed"] + tally.states["skipped"] else ExitCode.OK


# -- progress --------------------------------------------------------------------------------------

#: Seconds between two reads of the state of a rollout.
_REFRESH: Final = 0.1
#: Without a terminal, seconds between two lines: if something has changed, and if nothing has.
_REPORT_INTERVAL: Final = 5.0
_IDLE_INTERVAL: Final = 60.0


def show_rollout(
    rollout: Rollout,
    client: Client,
    console: Console,
    resume_command: str,
    left: Plan | None = None,
) -> None:
    """Start a rollout and show it until it has ended.

    Ctrl-C or SIGTERM stops the rollout gracefully and prints the command to resume it. A second one
    ends the program at once.

    Raises
    ------
    VcokitError, KeyboardInterrupt
        As the rollout does.
    """
    options = rollout.options
    expected = forecast(
        left or rollout.plan,
        client,
        waves=options.waves,
        rate_share=options.rate_share,
        windows=options.windows,
    )
    console.print(f"Forecast: {duration(round(expected.seconds))}")
    shown = RolloutProgress(rollout, expected, console)
    rollout.start()
    watch(rollout, shown, console, resume_command)
    rollout.wait()


def watch(
    running: Rollout | Fleet, shown: ProgressDisplay, console: Console, resume_command: str
) -> None:
    """Show a rollout or a fleet that was started until it has ended.

    Ctrl-C or SIGTERM stops it gracefully and prints the command to resume it. A second one ends the
    program at once.

    Raises
    ------
    KeyboardInterrupt
    """
    try:
        with terminating(), shown:
            while not running.join(_REFRESH):
                shown.show()
            shown.show(last=True)
    except KeyboardInterrupt:
        messages = error_console() if reader_left(console) else console
        try:
            messages.print("Stopping: waiting for the answers to calls that were sent …")
            running.stop()
            running.join()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a third one has no effect
            atexit.register(_leave)  # runs before other exit handlers, which would wait
            messages.print("Ended at once, without the answers to calls that were sent.")
            raise
        finally:
            intact = "The journals are" if isinstance(running, Fleet) else "The journal is"
            messages.print(f"{intact} intact. Resume with: {resume_command}", soft_wrap=True)
        raise


def _leave() -> None:
    """End the program, although one of its threads still waits for an answer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(ExitCode.INTERRUPTED)


class _Bar(Progress):
    """A bar with text beside it, and lines below it."""

    below: Sequence[Text] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        """Yield the bar, then the lines."""
        yield from super().get_renderables()
        yield from self.below


class ProgressDisplay(ABC):
    """Progress: a bar on a terminal, elsewhere a line at intervals.

    Parameters
    ----------
    console : Console
    steps : int
        Number of steps that are not in a final state yet.
    status_command : str
        The command that shows the state, for users who have closed standard output.
    """

    def __init__(self, console: Console, steps: int, status_command: str) -> None:
        self._console, self._status_command = console, status_command
        self._started = self._reported = time.monotonic()
        self._counts, self._reader_left = "", False
        self._bar: _Bar | None = None
        if console.is_terminal:
            self._bar = _Bar(
                BarColumn(bar_width=32),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[text]}"),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=max(1, steps), text="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @abstractmethod
    def show(self, *, last: bool = False) -> None:
        """Show the current progress."""

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning, above 0."""
        return max(time.monotonic() - self._started, 1e-9)

    def print_line(self, counts: str, line: str, *, last: bool) -> None:
        """Print a line unless the last one was short ago; more often if the counts change."""
        now = time.monotonic()
        pause = _IDLE_INTERVAL if counts == self._counts else _REPORT_INTERVAL
        if not last and now - self._reported <= pause:
            return
        self._reported, self._counts = now, counts
        self._console.print(f"  {line}")
        if reader_left(self._console) and not self._reader_left:
            self._reader_left = True
            error_console().print(
                "Standard output is closed; the rollout continues. SIGTERM stops it gracefully. "
                f"See its state with: {self._status_command}",
                soft_wrap=True,
            )


class RolloutProgress(ProgressDisplay):
    """The progress of a rollout.

    Parameters
    ----------
    rollout : Rollout
    expected : Forecast
    console : Console
    """

    def __init__(self, rollout: Rollout, expected: Forecast, console: Console) -> None:
        tally = rollout.tally()
        journal = shlex.quote(str(rollout.journal))
        super().__init__(console, tally.total - tally.ended, f"vcokit status {journal}")
        self._rollout, self._forecast = rollout, expected
        self._settled_before, self._ended_before = _settled(tally), tally.ended

    def show(self, *, last: bool = False) -> None:
        """Show the current counts."""
        tally = self._rollout.tally()
        # Use the clock, not the time of the latest event: if nothing happens, the rate must fall.
        elapsed = self.elapsed
        settled = _settled(tally) - self._settled_before
        rate = f"{settled / elapsed:,.1f}/s"
        if tally.rollout == "waiting":
            rate = "waits for the next window"
        left = f"about {duration(round(self._forecast.remaining(settled, elapsed)))} left"
        states = state_counts(tally)
        if self._bar is not None:
            nearly = 0.9 * tally.states["settled"] + 0.5 * tally.states["accepted"]
            done = tally.ended - self._ended_before + nearly
            self._bar.update(self._task, completed=done, text=f"{rate} {left} {states.markup}")
        else:
            line = f"{states.plain.strip()}  {rate}  after {duration(round(elapsed))}"
            self.print_line(states.plain, line if last else f"{line}  {left}", last=last)


def _settled(tally: Tally) -> int:
    return sum(tally.states[state] for state in ("settled", "done", "failed"))


# -- log -------------------------------------------------------------------------------------------


class StepLog:
    """An observer that writes a log line for each step that has ended: done, failed or skipped.

    ::

        {"at": "2026-01-02T03:04:05Z", "event": "step", "step": 7, "state": "done",
         "action": "create", "vpn_connection_id": "vco-a", "route_dest": "10.0.0.0/8", …}
        {"at": …, "event": "note", "message": "routes.csv: 2 blank lines skipped"}
        {"at": …, "event": "rollout", "state": "finished", "message": null}
        {"at": …, "event": "end", "state": "finished", "exit_code": 0}

    Each entry is exactly one line: invisible characters in texts of files or of the cloud are
    escaped.

    Parameters
    ----------
    plan : Plan
        The plan of the rollout.
    stream : file
        Open for text.
    kind : LogFormat
    """

    def __init__(self, plan: Plan, stream: IO[str], kind: LogFormat) -> None:
        self._steps = {step.number: step for step in plan.each()}
        self._stream = stream
        self._kind = kind
        self._request_ids: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Write a line if the event ends a step or changes the state of the rollout."""
        if isinstance(event, StepChanged) and event.request_id:
            # The id comes with the answer to a write; the step is done later, when a listing
            # confirms it.
            self._request_ids[event.step] = event.request_id
        if isinstance(event, StepChanged) and event.new in FINAL:
            step = self._steps[event.step]
            self.write(
                event.at,
                "step",
                step=event.step,
                state=event.new,
                action=step.action,
                region_id=step.region_id,
                vpn_connection_id=step.vpn_connection_id,
                route_dest=step.route_dest,
                next_hop=step.next_hop,
                weight=step.weight,
                code=event.code,
                message=event.message,
                request_id=self._request_ids.pop(event.step, None),
            )
        elif isinstance(event, RolloutChanged):
            self.write(event.at, "rollout", state=event.state, message=event.message)

    def write(self, at: float, event: str, **fields: Any) -> None:
        """Write a line for any other event."""
        _write_log_line(self._stream, self._kind, at, event, **fields)


def _write_log_line(stream: IO[str], kind: LogFormat, at: float, event: str, **fields: Any) -> None:
    """Write a line of a log; ``at`` is in seconds since the epoch."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    if kind is LogFormat.json:
        line = dumps({"at": moment.replace("+00:00", "Z"), "event": event, **fields})
    else:
        line = " ".join([moment, event, *(printable(v) for v in fields.values() if v is not None)])
    stream.write(line + "\n")
    stream.flush()


# -- summary ---------------------------------------------------------------------------------------

#: Maximum number of failed steps in a summary, and maximum size of a summary in bytes.
MOST_FAILED: Final = 1000
_LARGEST: Final = 16_000_000
#: Keys that distinguish a summary from other JSON files.
_SUMMARY_KEYS: Final = frozenset({"plan", "actions", "exit_code", "meaning"})


class SummaryWriter:
    """The summary of a command, written when the command ends, however it ends.

    Parameters
    ----------
    options : LogOptions
    *needed : str or Path
        Files that the command reads.
    journal : Path, optional
        Journal that the command reads or creates.
    save : Path, optional
        Plan that the command writes.

    Attributes
    ----------
    plan : Plan, FleetPlan or None
        The plan of the command, as soon as it is known.
    rollout : Rollout or None
        The rollout of the plan.
    resume_command : str or None
        The command that resumes the rollout.

    Raises
    ------
    InputError
        If an output of the command cannot be written or would overwrite a file that it needs, or
        if the summary would overwrite a file that is not a summary.
    """

    def __init__(
        self,
        options: LogOptions,
        *needed: str | Path | None,
        journal: Path | None = None,
        save: Path | None = None,
    ) -> None:
        self.options = options
        self.plan: Plan | FleetPlan | None = None
        self.rollout: Rollout | None = None
        self.resume_command: str | None = None
        self._needed = needed
        self._save = save
        self._journal: Path | None = None
        self._summary = options.summary
        self._code = ExitCode.OK
        self._started = time.monotonic()
        self._check_paths(journal)
        if options.summary is not None:
            _check_summary(options.summary)
        if options.report is not None:
            kind_of_record(options.report)
            _check_writable(options.report)
        #: Observers for the options, without the log.
        self.followers = options.followers(self.print_note)

    def _check_paths(self, journal: Path | None) -> None:
        """Refuse outputs that would overwrite needed files, and then write no summary either."""
        options = self.options
        outputs = {
            "--summary": options.summary,
            "--save": self._save,
            "--report": options.report,
            "--metrics": options.metrics,
        }
        try:
            check_output_paths(outputs, self._needed, journals=[journal])
        except InputError:
            self._summary = None
            raise

    def set_journal(self, journal: Path) -> None:
        """Set the journal of the command, as soon as its path is known.

        Raises
        ------
        InputError
            If an output of the command would overwrite it.
        """
        self._check_paths(journal)
        self._journal = journal

    def print_note(self, note: str) -> None:
        """Print a note on standard error, as JSON if the log is JSON."""
        if self.options.log_format is LogFormat.json:
            _write_log_line(sys.stderr, LogFormat.json, time.time(), "note", message=note)
        else:
            print_note(note)

    def step_log(self, plan: Plan) -> StepLog | None:
        """Return the observer that writes the log; None if the options ask for no log."""
        kind = self.options.log_format
        return StepLog(plan, sys.stderr, kind) if kind else None

    def finish(self, code: ExitCode) -> ExitCode:
        """Record the exit code of the command, and return it."""
        self._code = code
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        code = self._code if error is None else exit_code(error)
        if self._summary is not None:
            try:
                facts = self._facts(code, error)
                write_atomic(self._summary, [dumps(facts) + "\n"], packed=False)
            except VcokitError as fault:
                # This error does not change the exit code of the rollout.
                error_console().print(f"no summary: {printable(fault)}")
        if code is ExitCode.INTERRUPTED:
            self._print_interrupted()
            raise typer.Exit(int(code)) from None

    def _print_interrupted(self) -> None:
        state = self.state
        if state == "ready" or (state in ENDED and state != "interrupted"):
            # Otherwise the command to resume was printed already.
            how = "nothing was sent" if state == "ready" else f"the rollout is {state}"
            error_console().print(f"interrupted, {how}")

    def _facts(self, code: int, error: BaseException | None) -> dict[str, Any]:
        """Return the content of the summary."""
        facts: dict[str, Any] = {
            **self._place(),
            "plan": None if self.plan is None else self.plan.fingerprint,
            "actions": {} if self.plan is None else self.plan.counts,
            "state": None,
            "message": _message(error),
            "exit_code": int(code),
            "meaning": ExitCode(code).meaning,
            "seconds": round(time.monotonic() - self._started, 3),
            "states": {},
            "resume": None,
            "failed": [],
        }
        if error is not None and code == FAULT:
            facts["meaning"] = "a fault of vcokit itself: see the traceback"
        found = self._progress()
        return facts | found | {"message": facts["message"] or found.get("message")}

    @property
    def state(self) -> str:
        """State of the rollout; ready before it is known."""
        return "ready" if self.rollout is None else self.rollout.state

    def _place(self) -> dict[str, Any]:
        """Return where the progress is recorded."""
        journal = self._journal if self.rollout is None else self.rollout.journal
        return {"journal": None if journal is None else str(journal)}

    def _progress(self) -> dict[str, Any]:
        """Return how far the rollout has come."""
        if self.rollout is None:
            return {"calls": {}}
        tally = self.rollout.tally()
        can_go_on = tally.ended < tally.total and tally.rollout != "stale"
        return {
            "state": tally.rollout,
            "message": shell_words(tally.message),
            "states": {name: count for name, count in tally.states.items() if count},
            "calls": dict(tally.calls),
            "resume": self.resume_command if can_go_on else None,
            "failed": _failed(self.rollout),
        }


def _failed(rollout: Rollout) -> list[dict[str, Any]]:
    """Return the first failed steps; none if the journal is lost, which the error reports."""
    try:
        steps = rollout.frame()
    except JournalError:
        return []
    failed = steps.loc[steps["state"] == "failed"].head(MOST_FAILED)
    return to_records(failed[list(FAILED)])


def _message(error: BaseException | None) -> str | None:
    if isinstance(error, VcokitError):
        return shell_text(error)
    return str(error) or None if isinstance(error, Exception) else None


def _check_writable(path: Path) -> None:
    if not os.access(path.absolute().parent, os.W_OK) or (path.exists() and not path.is_file()):
        raise InputError(f"{path}: cannot be written", remedy="Name a file in an existing folder")


def _check_summary(path: Path) -> None:
    """Refuse a summary that cannot be written, or that would overwrite any other file."""
    _check_writable(path)
    if path.exists() and path.stat().st_size and not _is_summary(path):
        raise InputError(f"{path}: exists and is not a summary", remedy="Name another --summary")


def _is_summary(path: Path) -> bool:
    if path.stat().st_size > _LARGEST:
        return False
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= _SUMMARY_KEYS
