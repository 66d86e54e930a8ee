"""A rollout shown until it has ended: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vcokit._text import duration
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.show import is_closed, states
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.messages import Tally
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.signals import terminating

#: Seconds between two looks at a rollout.
_LOOK: Final = 0.1
#: Seconds between two lines where there is no terminal: if anything changed, and if nothing did.
_SAY: Final = 5.0
_SAY_AGAIN: Final = 60.0


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
        where = show.error_console() if is_closed(shown) else shown
        try:
            where.print("Stopping in order …")
            rollout.stop()
            rollout.join()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a third one has nothing to end
            rollout.let_go()
            atexit.register(_leave)
            where.print("Ended at once, without an answer to the calls under way.")
            raise
        finally:
            where.print(f"The journal is whole. Go on with: {go_on}", markup=False, soft_wrap=True)
        raise
    rollout.wait()


def _leave() -> None:
    """Leave the program though a thread of it still waits for an answer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(Exit.INTERRUPTED)


class _Follower:
    """A progress bar on a terminal, a line now and then elsewhere."""

    def __init__(self, rollout: Rollout, thought: Forecast, shown: Console) -> None:
        self._rollout = rollout
        self._forecast = thought
        self._console = shown
        self._begun = self._said = time.monotonic()
        self._last, self._told_closed = "", False
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
        else:
            self._line(states(tally).plain.strip(), fields, last=last)

    def _line(self, counts: str, fields: dict[str, Any], *, last: bool) -> None:
        now = time.monotonic()
        pause = _SAY_AGAIN if counts == self._last else _SAY
        if not last and now - self._said <= pause:
            return
        self._said, self._last = now, counts
        left = "" if last else f"  {fields['left']}"
        self._console.print(f"  {counts}  {fields['rate']}  after {fields['after']}{left}")
        if is_closed(self._console) and not self._told_closed:
            self._told_closed = True
            journal = shlex.quote(str(self._rollout.journal))
            show.error_console().print(
                "Nobody reads standard output any more; the rollout goes on. "
                f"SIGTERM ends it in order. Look at it with: vcokit status {journal}",
                markup=False,
                soft_wrap=True,
            )

    def _fields(self, tally: Tally) -> dict[str, Any]:
        # By the clock, not by the latest event: where nothing happens the rate goes down.
        elapsed = max(time.monotonic() - self._begun, 1e-9)
        settled = _settled(tally) - self._before
        left = self._forecast.remaining(settled, elapsed)
        return {
            "rate": f"{settled / elapsed:,.1f}/s",
            "after": duration(round(elapsed)),
            "left": f"about {duration(round(left))} left",
            "states": states(tally).markup,
        }


def _settled(tally: Tally) -> int:
    return sum(tally.states[state] for state in ("settled", "done", "failed"))
