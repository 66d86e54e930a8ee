"""A rollout shown until it has ended: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vcokit.cli.show import duration, states
from vcokit.rollout.events import Tally
from vcokit.rollout.executor import Rollout
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.interrupt import terminating

#: Seconds between two looks at a rollout, and between two lines where there is no terminal.
_LOOK: Final = 0.1
_SAY: Final = 5.0


def follow(rollout: Rollout, thought: Forecast, shown: Console, go_on: str) -> None:
    """Show a rollout until it has ended.

    On Ctrl-C or SIGTERM the rollout is stopped in order, and the command that goes on with it is
    printed; a second one ends the program at once.

    Parameters
    ----------
    rollout : Rollout
        Started.
    thought : Forecast
    shown : Console
    go_on : str
        The command that goes on with the rollout.
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
        shown.print(f"The journal is whole. Go on with: {go_on}", markup=False, soft_wrap=True)
        raise
    rollout.wait()


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
