"""What a terminal shows: tables and progress, everything that comes from outside made harmless."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from vcokit.audit import report
from vcokit.colours import SEVERITIES, STATES
from vcokit.errors import NoAnswerError
from vcokit.plain import visible
from vcokit.rollout.events import Tally
from vcokit.rollout.executor import Rollout
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.interrupt import terminating

#: Columns of output that goes to a file or pipe, so that nothing is wrapped.
_WIDE: Final = 200
#: Seconds between two looks at a rollout, and between two lines where there is no terminal.
_LOOK: Final = 0.1
_SAY: Final = 5.0


def console() -> Console:
    """Return the console for results: colours and a bar only on a terminal."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def error_console() -> Console:
    """Return the console for errors."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _WIDE, highlight=False)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table; cells may be `Text`, everything else is made `visible`."""
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        result.add_column(name, justify="right" if name in _NUMBERS else "left")
    for row in rows:
        result.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    return result


_NUMBERS: Final = frozenset({"rows", "line", "row", "steps", "routes"})


def severity(name: str) -> Text:
    """Return a severity in its colour."""
    return Text(name, style=SEVERITIES[name])


def findings_by_rule(findings: pd.DataFrame) -> Table:
    """Return findings counted by rule."""
    counted = report.by_rule(findings)
    rows = (
        (severity(str(row.severity)), row.rule, row.rows, row.sentence)
        for row in counted.itertuples()
    )
    return table("Findings by rule", ("severity", "rule", "rows", "which says"), rows)


def findings_list(findings: pd.DataFrame, limit: int) -> Table:
    """Return the worst findings, in the order of the file."""
    worst = findings.sort_values("severity", ascending=False, kind="stable").head(limit)
    place = worst["line"].astype("str").where(worst["line"].notna(), worst["row"].astype("str"))
    rows = (
        (where, severity(str(row.severity)), row.rule, row.column, row.message, row.suggestion)
        for where, row in zip(place, worst.itertuples(), strict=True)
    )
    columns = ("line", "severity", "rule", "column", "message", "suggestion")
    more = f", the first {limit} of {len(findings):,}" if len(findings) > limit else ""
    return table(f"Findings{more}", columns, rows)


def states(tally: Tally) -> Text:
    """Return the counts by state, each in its colour."""
    result = Text()
    for name, colour in STATES.items():
        if tally.states[name] > 0:
            result.append(f"{name} {tally.states[name]:,}  ", style=colour)
    return result


def follow(rollout: Rollout, thought: Forecast, shown: Console) -> None:
    """Show a rollout until it has ended.

    On Ctrl-C or SIGTERM the rollout is stopped in order, and the command that goes on with it is
    printed; a second one ends the program at once.
    """
    try:
        with terminating(), _Follower(rollout, thought, shown) as follower:
            while not rollout.join(_LOOK):
                follower.show()
            follower.show(last=True)
    except KeyboardInterrupt:
        shown.print("Stopping in order …")
        rollout.stop()
        rollout.join()
        shown.print(f"The journal is whole. Go on with: vcokit resume {rollout.journal}")
        raise
    try:
        rollout.wait()
    except NoAnswerError:
        shown.print(f"Go on with: vcokit resume {rollout.journal}")
        raise


class _Follower:
    """A progress bar on a terminal, a line now and then elsewhere."""

    def __init__(self, rollout: Rollout, thought: Forecast, shown: Console) -> None:
        self._rollout = rollout
        self._forecast = thought
        self._console = shown
        self._said = time.monotonic()
        self._before = _settled(rollout.tally())
        self._ended = rollout.tally().ended
        self._bar: Progress | None = None

    def __enter__(self) -> _Follower:
        if self._console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=32),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.fields[states]}"),
                console=self._console,
                transient=True,
            )
            tally = self._rollout.tally()
            self._task = self._bar.add_task(
                "", total=max(1, tally.total - tally.ended), rate="", left="", states=""
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, *, last: bool = False) -> None:
        """Show the counts of this moment."""
        tally = self._rollout.tally()
        fields = self._fields(tally)
        if self._bar is not None:
            nearly = 0.9 * tally.states["settled"] + 0.5 * tally.states["accepted"]
            self._bar.update(self._task, completed=tally.ended - self._ended + nearly, **fields)
        elif last or time.monotonic() - self._said > _SAY:
            self._said = time.monotonic()
            self._console.print(f"  {states(tally).plain.strip()}  {fields['rate']}")

    def _fields(self, tally: Tally) -> dict[str, Any]:
        elapsed = max((tally.latest or 0.0) - (tally.started or 0.0), 1e-9)
        settled = _settled(tally) - self._before
        left = self._forecast.remaining(settled, elapsed)
        return {
            "rate": f"{settled / elapsed:,.1f}/s",
            "left": f"about {duration(left)} left",
            "states": states(tally).markup,
        }


def _settled(tally: Tally) -> int:
    return sum(tally.states[state] for state in ("settled", "done", "failed"))


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(4.2), duration(192), duration(7500)
    ('4 s', '3 min 12 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
