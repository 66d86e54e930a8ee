"""`RolloutView`: watch and control a rollout, or watch one of another process by its journal.

::

    journal ─▶ RolloutSnapshot ─▶ HTML ─▶ ThrottledHTML ─▶ page
               in a RefreshThread, never in a cell
    rollout ◀─ pause, resume, cancel ◀─ RolloutControls

The view of a running rollout and the view of a journal show the same snapshots. Only a rollout of
this process can be controlled, and only it knows whether it is paused.

Messages to the page are limited to an average of eight per second and 48 kB per second, whatever
the size of the rollout. Large elements are updated less often. Refreshing takes at most a twentieth
of one processor: after a refresh the thread sleeps in proportion to the cost of the refresh.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

import ipywidgets
import pandas as pd

from vcokit import schema
from vcokit._text import duration, pluralize
from vcokit.audit.columns import is_connection
from vcokit.cloud.error_codes import classify
from vcokit.cloud.operations import Limit
from vcokit.errors import InputError, JournalError
from vcokit.rollout.database import times_of
from vcokit.rollout.forecast import Forecast, forecast
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import ENDED, Event
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.snapshot import RATE_WINDOW, FailedStep, RolloutSnapshot
from vcokit.rollout.steps import OPERATION
from vcokit.widgets._html import escape, muted, stacked_bar, stat, style_tag, table, wrap
from vcokit.widgets._static import StaticFallback

# -- the view -------------------------------------------------------------------------------------

#: Most failures that are listed.
FAILURES_SHOWN: Final = 50
#: Most steps of a plan that is forecast automatically.
_FORECAST_UP_TO: Final = 10_000
_REMEDY: Final = (
    "Pass a vk.Rollout. The view of a journal is vk.RolloutView.from_journal('rollout.db')"
)


class RolloutView(ipywidgets.VBox):  # type: ignore[misc]
    """The live view of a rollout. In a notebook it is also the repr of the rollout.

    Parameters
    ----------
    rollout : Rollout
        Not started yet, running, or ended.
    forecast : Forecast, optional
        From `vcokit.forecast`. By default it is made from the plan, if that is not too long.
    limits : mapping of str to Limit, optional
        Rate limits of the account, ``client.limits``; by default those that the rollout knows.
    clock : callable
        Seconds since the epoch.

    Notes
    -----
    The buttons work while the kernel is free: end the cell with ``rollout.start()``, or use
    ``await rollout``. During a cell that blocks (``rollout.wait()``) the view is still updated, but
    a click takes effect only when the cell has ended.

    A saved notebook shows a static copy, see `vcokit.widgets._static`.

    Raises
    ------
    InputError
        If it is not a rollout. `from_journal` shows a journal.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import vcokit as vk
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "172.16.0.0/12"], "next_hop": "vco-a", "weight": 100})
    >>> with (tempfile.TemporaryDirectory() as folder, vk.Simulator.for_routes(routes) as cloud,
    ...         vk.connect(cloud) as client):
    ...     plan = vk.plan_routes(routes, vk.live_routes(client, routes))
    ...     view = vk.RolloutView(vk.Rollout(plan, client, journal=f"{folder}/rollout.db"))
    ...     print(str(view).replace(plan.fingerprint[:12], "…"))
    ...     view.close()
    <Rollout … ready: 2 pending>
    """

    _thread: RefreshThread | None = None

    def __init__(
        self,
        rollout: Rollout,
        *,
        forecast: Forecast | None = None,
        limits: Mapping[str, Limit] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(rollout, Rollout):
            raise InputError(f"not a rollout: {_describe(rollout)}", remedy=_REMEDY)
        limits = limits or getattr(rollout, "limits", None)
        self._begin(rollout.journal, rollout, forecast, limits, clock, HEARTBEAT)

    @classmethod
    def from_journal(
        cls,
        path: str | PathLike[str],
        *,
        forecast: Forecast | None = None,
        limits: Mapping[str, Limit] | None = None,
        clock: Callable[[], float] = time.time,
        every: float = 1.0,
    ) -> RolloutView:
        """Return the view of a journal, also while another process writes it.

        Parameters
        ----------
        path : path
        forecast, limits, clock
            As for the class.
        every : float
            Seconds between two reads of the file; more if reading it takes long.

        Raises
        ------
        JournalError
            If there is no such journal, or it cannot be read.
        """
        view = cls.__new__(cls)
        view._begin(Path(path), None, forecast, limits, clock, every)
        return view

    def _begin(
        self,
        path: Path,
        rollout: Rollout | None,
        forecast: Forecast | None,
        limits: Mapping[str, Limit] | None,
        clock: Callable[[], float],
        heartbeat: float,
    ) -> None:
        self.closed = False
        self._path, self._rollout, self._limits, self._clock = path, rollout, limits, clock
        self._guard = threading.RLock()
        self._journal_snapshot: RolloutSnapshot | None = None
        self._read_at: object = None
        self._filter = ipywidgets.Text(placeholder="connection, code, request id …")
        self._snapshot = self._look()
        self._time_left = TimeLeft(self._snapshot.changes, forecast)
        # A separate thread: a forecast takes long, and neither cells nor clicks wait for it.
        self._forecaster = threading.Thread(target=self._forecast, name="forecast", daemon=True)
        self._fallback = StaticFallback()
        self._fallback_state = self._snapshot.state
        self._build()
        self.refresh()
        self._thread = RefreshThread(self.refresh, heartbeat=heartbeat)
        if rollout is not None and not rollout.ended:
            rollout.observe(self._on_event)
        if not self._finished:
            self._thread.start()

    def _build(self) -> None:
        head, connections, recent, failures = (ipywidgets.HTML() for _ in range(4))
        self._head = ThrottledHTML(_setter(head), interval=0.0, bytes_per_second=20_000)
        self._connections = ThrottledHTML(
            _setter(connections), interval=1.5, bytes_per_second=12_000
        )
        self._recent = ThrottledHTML(_setter(recent), interval=1.0, bytes_per_second=5_000)
        self._failures = ThrottledHTML(_setter(failures), interval=1.0, bytes_per_second=5_000)
        self._copy = ThrottledHTML(self._update_fallback, interval=30.0, bytes_per_second=5_000)
        self.controls = RolloutControls(self._rollout, self.refresh)
        self._filter.observe(self._on_filter, "value")
        heading = ipywidgets.HTML(wrap("<h4>Failed or unknown</h4>"))
        self._filter.layout.margin = "8px 0 0 8px"
        bar = ipywidgets.HBox([heading, self._filter], layout={"align_items": "center"})
        self._failed = ipywidgets.VBox([bar, failures])
        style = ipywidgets.HTML(style_tag(self._fallback.hides_fallback))
        style.layout.display = "none"
        parts = [style, head, self.controls, connections, recent, self._failed]
        ipywidgets.VBox.__init__(self, parts)
        self.add_class("vco-live").add_class(self._fallback.css_class)

    def _on_event(self, _: Event) -> None:
        if self._thread is not None:
            self._thread.mark_dirty()

    def _on_filter(self, _: Any) -> None:
        with self._guard:
            self._snapshot = self._look()
            self._show_failures(self._clock())

    # -- read ------------------------------------------------------------------------------------

    def _look(self) -> RolloutSnapshot:
        """Return the current snapshot; the journal is read only if it has changed.

        While a journal cannot be read, the last snapshot is kept: a network share may be
        unavailable for a moment.
        """
        # Read before the journal: once a rollout has ended, its journal contains everything.
        tally = self._rollout.tally() if self._rollout is not None else None
        known = self._journal_snapshot
        holder = known.holder if known is not None else None
        alive = holder is not None and holder.may_write(self._path)
        read_at = (times_of(self._path), alive, self._filter.value)
        ended = tally is not None and tally.rollout in ENDED
        problem = None
        if known is None or ended or read_at != self._read_at:
            try:
                with Journal.read(self._path) as journal:
                    known = journal.snapshot(
                        earlier=known,
                        failures=FAILURES_SHOWN,
                        search=self._filter.value,
                        now=self._clock(),
                    )
            except JournalError as error:
                if known is None:
                    raise
                problem = str(error)
            else:
                self._journal_snapshot = known
                self._read_at = read_at[0], known.holder is not None, read_at[2]
        if tally is None:
            return replace(known, message=problem or _journal_message(known, self._path))
        return replace(
            known,
            state=tally.rollout,
            message=tally.message or problem,
            started=tally.started,
            # The last event of an ended rollout, also if the rollout sent nothing.
            latest=tally.latest or known.latest,
        )

    @property
    def _finished(self) -> bool:
        """Whether nothing will change any more; a journal can be resumed at any time."""
        return self._rollout is not None and self._snapshot.state in ENDED

    # -- shown -----------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Update the elements that are due; return whether more changes are to be expected."""
        with self._guard:
            self._snapshot = snapshot = self._look()
            last = self._finished
            now = self._clock()
            timing = self._timing(snapshot, now)
            self._head.show(head_html(snapshot, self._path.name, timing), now)
            if last or self._connections.due(now):
                self._connections.show(connections_html(snapshot), now)
            if last or self._recent.due(now):
                self._recent.show(recent_html(snapshot), now)
            if last or self._failures.due(now):
                self._show_failures(now)
            if last or snapshot.state != self._fallback_state or self._copy.due(now):
                self._fallback_state = snapshot.state
                self._copy.show(self._static(snapshot, timing), now)
            self.controls.show(snapshot)
            return not last

    def _show_failures(self, now: float) -> None:
        failed = self._snapshot.states["failed"] + self._snapshot.states["unknown"]
        self._failed.layout.display = None if failed else "none"
        if failed:
            self._failures.show(failures_html(self._snapshot), now)

    def _timing(self, snapshot: RolloutSnapshot, now: float) -> Timing:
        if snapshot.started is None:
            return Timing()
        held = self._rollout is not None or snapshot.holder is not None
        going = held and snapshot.state not in ENDED
        moving = going and snapshot.state not in ("ready", "waiting", "paused")
        states = snapshot.states
        to_settle = sum(states[name] for name in ("pending", "sent", "unknown", "accepted"))
        self._time_left.note(now, to_settle, moving=moving)
        wanted = moving and snapshot.changes_made and self._time_left.wants_forecast
        if wanted and self._forecaster.ident is None:
            self._forecaster.start()
        rates = {}
        if moving and now - snapshot.at <= RATE_WINDOW:
            limits = self._limits or {}
            for (operation, region), rate in snapshot.rates.items():
                limit = limits.get(operation)
                rates[operation, region] = rate, limit.calls / limit.seconds if limit else None
        end = now if going else snapshot.latest or now
        left = self._time_left.estimate() if going else None
        return Timing(max(0.0, end - snapshot.started), going, left, rates)

    def _forecast(self) -> None:
        try:
            if self._rollout is not None:
                plan = self._rollout.plan
            else:
                with Journal.read(self._path) as journal:
                    plan = journal.plan()
        except JournalError:
            return  # the estimate then uses the pace
        self._time_left.forecast = forecast(plan)

    # -- kept ------------------------------------------------------------------------------------

    def _static(self, snapshot: RolloutSnapshot, timing: Timing) -> str:
        return static_html(snapshot, self._path.name, timing, self._fallback.hides_view)

    def _update_fallback(self, html: str) -> None:
        self._fallback.update(html, repr(self))

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget, and publish its static fallback for the saved notebook."""
        with self._guard:
            self._snapshot = snapshot = self._look()
            html = self._static(snapshot, self._timing(snapshot, self._clock()))
        return self._fallback.bundle(super()._repr_mimebundle_(**given), html, repr(self))

    def __repr__(self) -> str:
        states = self._snapshot.states
        counts = ", ".join(
            f"{states[name]} {name}" for name in schema.STATES.categories if states[name]
        )
        return f"<Rollout {self._snapshot.fingerprint[:12]} {self._snapshot.state}: {counts}>"

    def close(self) -> None:
        """Stop refreshing, and remove the view from the page."""
        self.closed = True
        # Also called for a view whose construction failed.
        if self._thread is not None:
            self._thread.stop()
        super().close()


def _describe(thing: object) -> str:
    return repr(str(thing)) if isinstance(thing, str | PathLike) else type(thing).__name__


def _setter(element: Any) -> Callable[[str], None]:
    def show(html: str) -> None:
        element.value = html

    return show


def _journal_message(snapshot: RolloutSnapshot, path: Path) -> str | None:
    """Return the message beside the state in the view of a journal."""
    if snapshot.holder is not None:
        return f"in process {snapshot.holder.process}"
    if snapshot.state == "ready":
        return "no process runs it"
    if snapshot.state == "broken off":
        return f'no process runs it; resume with vk.Rollout.open("{path}", client).start()'
    return snapshot.message


# ipywidgets keeps all widgets until they are closed, so this mapping keeps nothing else alive.
_views: dict[Rollout, RolloutView] = {}


def view_of(rollout: Rollout) -> RolloutView:
    """Return the single view of a rollout, which its repr shows in every cell.

    If each cell had its own view, each of them would read the journal.
    """
    if rollout not in _views or _views[rollout].closed:
        _views[rollout] = RolloutView(rollout)
    return _views[rollout]


# -- controls -------------------------------------------------------------------------------------


class RolloutControls(ipywidgets.HBox):  # type: ignore[misc]
    """Buttons to pause, resume and cancel; if they cannot work, they are disabled with a reason.

    Parameters
    ----------
    rollout : Rollout or None
        None for the view of a journal.
    changed : callable
        Called after a click.
    """

    def __init__(self, rollout: Rollout | None, changed: Callable[[], Any]) -> None:
        self._rollout, self._changed = rollout, changed
        self._asking = False
        self.pause = self._button("Pause", "pause", self._on_pause)
        self.cancel = self._button("Cancel", "stop", self._on_cancel)
        self.confirm = self._button("Yes, cancel", "stop", self._on_confirm)
        self.confirm.button_style = "danger"
        self.decline = self._button("No, continue", "", self._on_decline)
        self.note = ipywidgets.HTML()
        super().__init__([self.pause, self.cancel, self.confirm, self.decline, self.note])
        self.layout.flex_flow = "row wrap"
        self.layout.align_items = "center"

    def _button(self, label: str, icon: str, on_click: Callable[[Rollout], None]) -> Any:
        def clicked(_: Any) -> None:
            if self._rollout is not None:
                on_click(self._rollout)
                self._changed()

        button = ipywidgets.Button(description=label, icon=icon, layout={"width": "auto"})
        button.on_click(clicked)
        return button

    def _on_pause(self, rollout: Rollout) -> None:
        if self.pause.description == "Resume":
            rollout.resume()
        else:
            rollout.pause()

    def _on_cancel(self, _: Rollout) -> None:
        self._asking = True

    def _on_decline(self, _: Rollout) -> None:
        self._asking = False

    def _on_confirm(self, rollout: Rollout) -> None:
        self._asking = False
        rollout.cancel()

    def show(self, snapshot: RolloutSnapshot) -> None:
        """Enable the buttons that can be used now."""
        state = snapshot.state
        reason = self._read_only_reason(snapshot)
        usable = not reason and state in ("looking", "running", "waiting", "paused")
        self._asking = self._asking and usable
        paused = state == "paused"
        label, icon = ("Resume", "play") if paused else ("Pause", "pause")
        self.pause.description, self.pause.icon = label, icon
        self.pause.disabled = not usable
        self.pause.tooltip = reason or ("Send again" if paused else "Send nothing new for now")
        self.cancel.disabled = not usable or self._asking
        self.cancel.tooltip = reason or "Skip all pending steps"
        for button in (self.confirm, self.decline):
            button.layout.display = None if self._asking else "none"
        note = ""
        if self._asking:
            note = f"{snapshot.states['pending']:,} pending steps would be skipped; "
            note += "steps that were sent are completed"
        elif paused:
            note = "Nothing new is sent; steps that were sent are completed"
        elif state == "waiting":
            note = "Nothing new is sent until the next window opens"
        elif state == "ready":
            note = "Not started: rollout.start()"
        self.note.value = wrap(muted(reason or note))

    def _read_only_reason(self, snapshot: RolloutSnapshot) -> str:
        """Return why the rollout cannot be controlled here; empty if it can."""
        if self._rollout is None and snapshot.state in ("ready", "running"):
            return "This is the view of a journal; pause or cancel where the rollout runs"
        if self._rollout is None or snapshot.state in ENDED:
            return f"The rollout is {snapshot.state}"
        return ""


# -- when to refresh ------------------------------------------------------------------------------

#: Shortest time between two refreshes, and longest while changes are expected, in seconds.
INTERVAL: Final = 0.2
HEARTBEAT: Final = 1.0
#: Largest share of the processor's time that refreshing takes.
SHARE: Final = 0.05


class ThrottledHTML:
    """One element of a page that limits how often it changes.

    Parameters
    ----------
    put : callable
        Shows some HTML.
    interval : float
        Shortest time between two changes, in seconds.
    bytes_per_second : float
        Most bytes that it sends to the page on average, so large HTML changes less often.

    Examples
    --------
    >>> shown = []
    >>> element = ThrottledHTML(shown.append, interval=2.0, bytes_per_second=10.0)
    >>> element.show("a" * 50, now=0.0), element.due(2.0), element.due(5.0)
    (True, False, True)
    """

    def __init__(
        self, put: Callable[[str], None], *, interval: float, bytes_per_second: float
    ) -> None:
        self._put = put
        self._interval = interval
        self._bytes_per_second = bytes_per_second
        self._next = float("-inf")
        self.shown: str | None = None

    def due(self, now: float) -> bool:
        """Return whether it may change now. If not, its HTML does not need to be made."""
        return now >= self._next

    def show(self, html: str, now: float) -> bool:
        """Show some HTML unless it is already shown; return whether it was sent."""
        if html == self.shown:
            return False
        self._put(html)
        self.shown = html
        self._next = now + max(self._interval, len(html) / self._bytes_per_second)
        return True


def backoff(cost: float) -> float:
    """Return how long to sleep after a refresh, in seconds.

    Parameters
    ----------
    cost : float
        Processor time of the refresh, in seconds.

    Examples
    --------
    >>> backoff(0.001), backoff(0.09)
    (0.2, 1.71)
    """
    return round(max(INTERVAL, cost / SHARE - cost), 6)


class RefreshThread:
    """A thread that refreshes a view when there is something new, and at each heartbeat.

    A separate thread keeps running while a cell is busy. Messages of widgets may be sent from any
    thread: ipykernel passes them to its single sending thread.

    Parameters
    ----------
    refresh : callable
        Refreshes, and returns whether there will be more changes.
    heartbeat : float
        Seconds after which it refreshes even if nothing was marked as new.
    """

    def __init__(self, refresh: Callable[[], bool], *, heartbeat: float = HEARTBEAT) -> None:
        self._refresh = refresh
        self._heartbeat = heartbeat
        self._dirty = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def mark_dirty(self) -> None:
        """Signal that there is something new; cheap, and may be called from any thread."""
        self._dirty.set()

    def stop(self) -> None:
        """Stop refreshing."""
        self._stopped.set()
        self._dirty.set()

    def join(self, timeout: float) -> bool:
        """Wait until the thread has ended; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        more = True
        while more and not self._stopped.is_set():
            self._dirty.wait(self._heartbeat)
            self._dirty.clear()
            if self._stopped.is_set():
                return
            before = time.thread_time()
            more = self._refresh()
            self._stopped.wait(backoff(time.thread_time() - before) if more else 0.0)


# -- the time that is left ------------------------------------------------------------------------


class Estimate(NamedTuple):
    """How long a rollout will still take.

    Parameters
    ----------
    seconds : float
    basis : str
        What the estimate is based on: ``the forecast`` or ``the pace``.
    """

    seconds: float
    basis: str


class TimeLeft:
    """Estimates the remaining time from the decrease of the number of remaining steps.

    With a forecast of the same steps, the remaining time in the forecast is scaled by the progress
    of the rollout relative to it. The estimate therefore includes a long queue of one connection at
    the end, and does not depend on the speed of a simulator's clock. Without a forecast, the
    estimate assumes the pace of the last minute. Time in which the rollout is paused does not
    count.

    Parameters
    ----------
    changes : int
        Steps of the plan that send something.
    forecast : Forecast, optional

    Examples
    --------
    >>> left = TimeLeft(100)
    >>> for second in range(11):
    ...     left.note(float(second), left=100 - 2 * second, moving=True)
    >>> left.estimate()
    Estimate(seconds=40.0, basis='the pace')
    """

    _WINDOW: Final = 60.0  # seconds without pauses in which the pace is measured
    _ENOUGH: Final = 5  # settled steps needed for a usable estimate

    def __init__(self, changes: int, forecast: Forecast | None = None) -> None:
        self._changes = changes
        self.forecast = forecast
        self._now: float | None = None
        self._moved = 0.0
        self._first = 0
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def wants_forecast(self) -> bool:
        """Whether a forecast would help and can be made quickly."""
        return self.forecast is None and self._changes <= _FORECAST_UP_TO

    def note(self, now: float, left: int, *, moving: bool) -> None:
        """Record how many steps are not settled yet, and whether the rollout makes progress."""
        if self._now is None:
            self._first = left
        elif moving:
            self._moved += max(0.0, now - self._now)
        self._now = now
        self._samples.append((self._moved, left))
        while len(self._samples) > 2 and self._samples[1][0] < self._moved - self._WINDOW:
            self._samples.popleft()

    def estimate(self) -> Estimate | None:
        """Return the estimate; None while too few steps have settled."""
        left = self._samples[-1][1] if self._samples else self._first
        if self._samples and left == 0:
            return Estimate(0.0, "the pace")
        if self._first - left < self._ENOUGH:
            return None
        course = self.forecast.settled if self.forecast else ()
        # A forecast of other steps, such as that of the full plan after a resume, cannot be used.
        if self.forecast is not None and len(course) == self._changes:
            begin, here = (
                course[self._changes - n - 1] if n < self._changes else 0.0
                for n in (self._first, left)
            )
            if here > begin:
                scale = self._moved / (here - begin)
                return Estimate((self.forecast.seconds - here) * scale, "the forecast")
        then, left_then = self._samples[0]
        if left_then <= left or self._moved <= then:
            return None
        return Estimate(left * (self._moved - then) / (left_then - left), "the pace")


# -- HTML: pure functions from a snapshot to what is shown ----------------------------------------

#: The states from left to right: ended, in progress, pending.
STATE_ORDER: Final = (
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
#: The colour of a connection is that of the first of these states that one of its steps has, else
#: that of done.
STATE_PRIORITY: Final = (
    "failed",
    "unknown",
    "sent",
    "accepted",
    "settled",
    "pending",
    "skipped",
    "blocked",
)
#: When the remaining time starts to count, by the state of the rollout.
_LATER: Final = {"paused": ", once it is resumed", "waiting": ", once a window opens"}
#: Colour of the state of the rollout.
STATUS_COLOUR: Final = {
    "ready": "pending",
    "looking": "sent",
    "running": "accepted",
    "waiting": "skipped",
    "paused": "skipped",
    "cancelling": "skipped",
    "finished": "done",
    "cancelled": "skipped",
    "stale": "failed",
    "stopped": "failed",
    "interrupted": "failed",
    "broken off": "failed",
}
_MANY_CONNECTIONS: Final = 600  # from this number on, the cells are smaller
_CELL, _SMALL_CELL = 14, 8  # pixels, as in the style sheet
_VERBS: Final = {operation: action for action, operation in OPERATION.items()}
_RATES_SHOWN: Final = 3
_FAILURE_COLUMNS: Final = (
    ("step", "60px"),
    ("route", "21%"),
    ("connection", "19%"),
    ("code", "17%"),
    ("message and remedy", "auto"),
    ("request id", "15%"),
)


@dataclass(frozen=True)
class Timing:
    """The times and rates that a clock adds to a snapshot.

    Parameters
    ----------
    elapsed : float or None
        Seconds since the start; None before.
    going : bool
        Whether it is running: remaining time and rates are shown only then.
    left : Estimate or None
    rates : mapping
        By operation and region: calls per second, and the limit if it is known.
    """

    elapsed: float | None = None
    going: bool = True
    left: Estimate | None = None
    rates: Mapping[tuple[str, str], tuple[float, float | None]] = field(default_factory=dict)


def head_html(snapshot: RolloutSnapshot, journal: str, timing: Timing) -> str:
    """Return the identity of the rollout, its progress, and its speed."""
    colour = STATUS_COLOUR.get(snapshot.state, "pending")
    message = f" {muted(snapshot.message)}" if snapshot.message else ""
    actions = ", ".join(
        f"{snapshot.actions[name]:,} {name}"
        for name in schema.ACTIONS.categories
        if snapshot.actions.get(name)
    )
    states = snapshot.states
    return wrap(
        '<div><span class="t">Rollout</span><span class="pill"><span class="key" style="margin:0">'
        f'<i class="s-{colour}"></i>{escape(snapshot.state)}</span></span>'
        f"plan <code>{escape(snapshot.fingerprint[:12])}</code> "
        f"{muted(actions or 'nothing to do')} "
        f"{muted('· journal')} <code>{escape(journal)}</code>{message}</div>",
        stacked_bar((f"s-{name}", name, states[name]) for name in STATE_ORDER),
        f'<div class="row">{"".join(_stats(snapshot, timing))}</div>',
    )


def _stats(snapshot: RolloutSnapshot, timing: Timing) -> Iterator[str]:
    changes, made = snapshot.changes, snapshot.changes_made
    # Rounded down, so that 100 % means complete.
    percent = 100 * made // changes if changes else 100
    yield stat(f"{percent} %", f"of {changes:,} changes made")
    if timing.elapsed is None:
        yield muted("not started")
        return
    elapsed = duration(round(timing.elapsed))
    yield stat(elapsed, "so far" if timing.going else "in total")
    if timing.going and timing.left is None:
        yield muted("time left: too early to tell")
    elif timing.left is not None:
        later = _LATER.get(snapshot.state, "")
        seconds = duration(round(timing.left.seconds))
        yield stat(f"≈ {seconds}", f"left, by {timing.left.basis}{later}")
    for (operation, region), (rate, limit) in list(timing.rates.items())[:_RATES_SHOWN]:
        label = f"{_VERBS.get(operation, operation)} calls/s in {region}"
        if limit is None:
            yield stat(f"{rate:.3g}", label)
        else:
            share = f"{min(100.0, 100 * rate / limit):.0f}"
            meter = f'<span class="meter" title="{share} % of the limit">'
            meter += f'<i style="width:{share}%"></i></span>'
            yield stat(f"{rate:.3g} of {limit:.3g}", label, meter)
    refused = sum(count for (_, outcome), count in snapshot.calls.items() if outcome != "ok")
    calls = sum(snapshot.calls.values()) + len(snapshot.open_calls)
    yield stat(f"{calls:,}", f"calls, {refused:,} not ok")


def connections_html(snapshot: RolloutSnapshot) -> str:
    """Return one small cell per connection, which fills from below with its completed changes."""
    names = pd.Series([*snapshot.connections], dtype="str")
    # Blocked rows may have a cell that is not a connection.
    shown = names[is_connection(names)].tolist()
    many = len(shown) > _MANY_CONNECTIONS
    height = _SMALL_CELL if many else _CELL
    cells = "".join(_cell(name, snapshot.connections[name], height) for name in shown)
    note = muted(f"{len(shown):,}, one cell each; it fills with green as changes are made")
    return wrap(
        f"<h4>Connections {note}</h4>",
        f'<div class="lanes{" many" if many else ""}">{cells}</div>',
    )


def _cell(name: str, states: Mapping[str, int], height: int) -> str:
    state = next((state for state in STATE_PRIORITY if states.get(state)), "done")
    made, total = states.get("settled", 0) + states.get("done", 0), sum(states.values())
    # Rounded down, so that one remaining step of a thousand is visible.
    filled = 0 if state in ("done", "settled") else height * made // max(1, total)
    # If all other steps are blocked, the completed steps are done, not only settled: darker green.
    fill = f" f{filled}{' d' if state == 'blocked' else ''}" if filled else ""
    label = f"{escape(name)}: {state}, {made} of {total} made"
    return f'<i class="s-{state}{fill}" title="{label}"></i>'


def recent_html(snapshot: RolloutSnapshot) -> str:
    """Return the recent changes, the last one first."""
    if not snapshot.recent:
        return ""
    lines = ""
    for change in reversed(snapshot.recent):
        # UTC, as in the journal: the kernel's time zone means nothing to a reader elsewhere.
        clock = f"{datetime.fromtimestamp(change.at, UTC):%H:%M:%S}Z"
        what = f"{change.state} · {change.action} {change.route_dest} on {change.vpn_connection_id}"
        text = escape(f"{what}: {change.code}" if change.code else what)
        lines += f'<tr><td class="m">{clock}</td><td title="{text}">{text}</td></tr>'
    columns = '<colgroup><col style="width:82px"><col></colgroup>'
    return wrap("<h4>Recent changes</h4>", f"<table>{columns}<tbody>{lines}</tbody></table>")


def failures_html(snapshot: RolloutSnapshot) -> str:
    """Return a table of the first failures, and the number of all failures."""
    total = snapshot.states["failed"] + snapshot.states["unknown"]
    found = snapshot.failures_found
    count = (
        f"{found:,} of {pluralize(total, 'step')}" if found < total else pluralize(total, "step")
    )
    cut = f", the first {len(snapshot.failures)} listed" if len(snapshot.failures) < found else ""
    rows = map(_failure_cells, snapshot.failures)
    return wrap(muted(f"{count}{cut}"), table(_FAILURE_COLUMNS, rows, multiline=True))


def _failure_cells(failure: FailedStep) -> tuple[object, ...]:
    # Messages begin with their code, which has its own column.
    message = failure.message.removeprefix(f"{failure.code}: ").rstrip(". ")
    remedy = classify(failure.code, 0).remedy if failure.code else ""
    return (
        failure.step,
        f"{failure.action} {failure.route_dest}",
        failure.vpn_connection_id,
        failure.code,
        ". ".join(part for part in (message, remedy) if part),
        failure.request_id,
    )


def static_html(snapshot: RolloutSnapshot, journal: str, timing: Timing, css: str = "") -> str:
    """Return the complete view as HTML that needs no kernel, no widget and no script."""
    html = style_tag(css) + head_html(snapshot, journal, timing)
    html += connections_html(snapshot) + recent_html(snapshot)
    if snapshot.states["failed"] or snapshot.states["unknown"]:
        html += wrap("<h4>Failed or unknown</h4>") + failures_html(snapshot)
    return html
