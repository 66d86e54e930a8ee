"""A rollout, watched and steered in a notebook.

::

    ┌ Rollout a951f8055ce3 · running · 2,404 create, 0 modify, …          ┐
    │ ██████████░░░░░░░░░░░░░░░░  done 812 · settled 310 · … · pending …  │
    │ [ Pause ] [ Cancel ]        3 m 12 s, about 4 m 50 s left           │
    └─────────────────────────────────────────────────────────────────────┘

The rollout's thread only marks the view as out of date; a thread of the view's own paints it, at
most five times a second, so that neither a busy cell nor a long rollout is held up. Core widgets
only, no JavaScript.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import ipywidgets

from vcokit.colours import STATES
from vcokit.rollout.events import ENDED, Event, Tally
from vcokit.rollout.executor import Rollout

#: Shortest time between two paintings, seconds.
INTERVAL: Final = 0.2

_ORDER: Final = (
    "done",
    "settled",
    "accepted",
    "sent",
    "unknown",
    "failed",
    "skipped",
    "pending",
    "blocked",
)


class RolloutView(ipywidgets.VBox):  # type: ignore[misc]
    """The live view of a rollout: counts by state, time, pause and cancel.

    Parameters
    ----------
    rollout : Rollout
        Started or not, or ended.
    clock : callable
        Seconds since the epoch.

    Notes
    -----
    Buttons work while no cell blocks the kernel: await the rollout rather than `wait` for it.
    """

    def __init__(self, rollout: Rollout, *, clock: Callable[[], float] = time.time) -> None:
        self._rollout = rollout
        self._clock = clock
        self._stale = threading.Event()
        self._head = ipywidgets.HTML()
        self._bar = ipywidgets.HTML()
        self._foot = ipywidgets.HTML()
        self._pause = ipywidgets.Button(description="Pause", icon="pause")
        self._cancel = ipywidgets.Button(description="Cancel", icon="stop")
        self._pause.on_click(self._on_pause)
        self._cancel.on_click(self._on_cancel)
        self._sure = False
        buttons = ipywidgets.HBox([self._pause, self._cancel, self._foot])
        super().__init__([self._head, self._bar, buttons])
        self.paint()
        if not rollout.ended:
            rollout.observe(self._on_event)
            threading.Thread(target=self._keep_painting, name="view", daemon=True).start()

    # -- told ------------------------------------------------------------------------------------

    def _on_event(self, _: Event) -> None:
        self._stale.set()

    def _keep_painting(self) -> None:
        ended = False
        while not ended:
            self._stale.wait()
            self._stale.clear()
            ended = self._rollout.ended
            self.paint()
            if not ended:
                threading.Event().wait(INTERVAL)

    # -- shown -----------------------------------------------------------------------------------

    def paint(self) -> None:
        """Show the counts of this moment."""
        tally = self._rollout.tally()
        self._head.value = head_html(self._rollout, tally)
        self._bar.value = bar_html(tally)
        self._foot.value = _grey(foot_text(tally, self._clock()))
        ended = tally.rollout in ENDED
        self._pause.disabled = self._cancel.disabled = ended
        paused = tally.rollout == "paused"
        self._pause.description = "Resume" if paused else "Pause"
        self._pause.icon = "play" if paused else "pause"

    # -- steered ---------------------------------------------------------------------------------

    def _on_pause(self, _: Any) -> None:
        if self._rollout.state == "paused":
            self._rollout.resume()
        else:
            self._rollout.pause()

    def _on_cancel(self, _: Any) -> None:
        if not self._sure:
            self._sure = True
            self._cancel.description = "Really cancel?"
            return
        self._cancel.description = "Cancel"
        self._rollout.cancel()


def head_html(rollout: Rollout, tally: Tally) -> str:
    """Return the line that says which rollout this is and how it stands."""
    message = f" ({html.escape(tally.message)})" if tally.message else ""
    return (
        f"<b>Rollout</b> <code>{rollout.plan.fingerprint[:12]}</code> · "
        f"<b>{html.escape(tally.rollout)}</b>{message} · {html.escape(str(rollout.plan))}"
    )


def bar_html(tally: Tally) -> str:
    """Return the stacked bar of steps by state, with its legend."""
    total = max(1, tally.total)
    present = [(state, tally.states[state]) for state in _ORDER if tally.states[state] > 0]
    pieces = "".join(
        f'<div title="{state}: {count:,}" style="width:{100 * count / total:.3f}%;'
        f'background:{STATES[state]}"></div>'
        for state, count in present
    )
    legend = " &nbsp; ".join(
        f'<span style="color:{STATES[state]}">&#9632;</span> {state} <b>{count:,}</b>'
        for state, count in present
    )
    return (
        '<div style="display:flex;height:14px;border-radius:3px;overflow:hidden;'
        f'max-width:760px">{pieces}</div><div style="font-size:90%">{legend}</div>'
    )


def foot_text(tally: Tally, now: float) -> str:
    """Return the time the rollout has taken, and the calls it has made."""
    if tally.started is None:
        return "not started"
    end = tally.latest if tally.rollout in ENDED else now
    seconds = max(0.0, (end or now) - tally.started)
    minutes, rest = divmod(int(seconds), 60)
    refused = sum(tally.outcomes.values()) - tally.outcomes["ok"]
    return f"{minutes} m {rest:02d} s · {sum(tally.calls.values()):,} calls, {refused:,} not ok"


def _grey(text: str) -> str:
    return f'<span style="color:#6B7077">{html.escape(text)}</span>'
