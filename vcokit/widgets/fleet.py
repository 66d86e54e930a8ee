"""`FleetView`: watch the members of a fleet, and open the view of one of them.

::

    Fleet.frame() ─▶ MemberGrid, worst first ─▶ page       in a RefreshThread, never in a cell
                         │ click
                         └──▶ RolloutView of the member: of its rollout if that runs in this
                              process, else of its journal

The grid is one widget with a button per member, and its buttons are made only once. A style sheet
gives each button its place, colour, progress and words. So an update of all members is one message,
a button keeps the focus when members change places, and a click opens the member that was clicked.

Refreshing follows the limits of `vcokit.widgets.rollout`. Most of its cost is `Fleet.frame`, which
reads the journals that somebody holds or that have changed.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import ipywidgets
import pandas as pd

from vcokit._text import duration, pluralize, printable
from vcokit.errors import InputError, JournalError
from vcokit.palette import STATES
from vcokit.rollout.fleet import Fleet, MemberChanged
from vcokit.rollout.messages import ENDED
from vcokit.rollout.snapshot import PACE_WINDOW
from vcokit.widgets._html import (
    escape,
    muted,
    scroll_box,
    stacked_bar,
    stat,
    style_tag,
    table,
    wrap,
)
from vcokit.widgets._static import StaticFallback
from vcokit.widgets.rollout import (
    STATUS_COLOUR,
    Estimate,
    RefreshThread,
    RolloutView,
    ThrottledHTML,
    TimeLeft,
    Timing,
)

#: The kinds of members, worst first, each with the step state whose colour it has.
KINDS: Final = {
    "failed": "failed",
    "stopped": "unknown",
    "interrupted": "skipped",
    "slow": "skipped",
    "running": "accepted",
    "ready": "pending",
    "cancelled": "blocked",
    "finished": "done",
}
#: The kinds in the bar at the top: ended, in progress, not begun.
_BAR: Final = (
    "finished",
    "running",
    "slow",
    "interrupted",
    "stopped",
    "failed",
    "cancelled",
    "ready",
)
#: States of a member that does not run.
_AT_REST: Final = ("ready", "broken off", *ENDED)
#: A running member is slow if none of its steps has ended for this time, in seconds.
SLOW_AFTER: Final = PACE_WINDOW
#: Most failed members that are listed with their reasons.
REASONS_SHOWN: Final = 20
_REASON_COLUMNS: Final = (("member", "20%"), ("state", "12%"), ("message", "auto"))
_REMEDY: Final = (
    "Pass a vk.Fleet. A fleet of another process is vk.FleetView(vk.Fleet.read('directory'))"
)


class FleetView(ipywidgets.VBox):  # type: ignore[misc]
    """The live view of a fleet: a cell per member, the worst first.

    A click on a member opens its `RolloutView` below. If the member runs in this process, it can be
    paused and cancelled there.

    Parameters
    ----------
    fleet : Fleet
        Not started yet, running, or ended; or the fleet of another process, from `Fleet.read`.
    clock : callable
        Seconds since the epoch.

    Attributes
    ----------
    grid : MemberGrid
        ``grid.value`` is the name of the open member, or None. Setting it opens another member.
    search : ipywidgets.Text
        Only members whose name, state or message contain this text are shown.

    Notes
    -----
    A member is *slow* if it runs, but none of its steps has ended in the last five minutes.

    A saved notebook shows a static copy, see `vcokit.widgets._static`.

    Raises
    ------
    InputError
        If it is not a fleet.
    JournalError
        If a journal of the fleet cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import vcokit as vk
    >>> routes = pd.DataFrame({"account": "berlin", "region_id": "cn-hangzhou",
    ...     "vpn_connection_id": "vco-a", "route_dest": ["10.0.0.0/8", "172.16.0.0/12"],
    ...     "next_hop": "vco-a", "weight": 100})
    >>> with (tempfile.TemporaryDirectory() as folder, vk.Simulator.for_routes(routes) as cloud,
    ...         vk.connect(cloud) as client):
    ...     clients = {"berlin": client}
    ...     plan = vk.plan_fleet(routes, clients)
    ...     view = vk.FleetView(vk.Fleet(plan, clients, directory=f"{folder}/rollout"))
    ...     print(view)
    ...     view.close()
    <FleetView rollout ready: 1 ready>
    """

    _thread: RefreshThread | None = None
    _open: RolloutView | None = None

    def __init__(self, fleet: Fleet, *, clock: Callable[[], float] = time.time) -> None:
        if not isinstance(fleet, Fleet):
            raise InputError(f"not a fleet: {type(fleet).__name__}", remedy=_REMEDY)
        self._fleet, self._clock = fleet, clock
        self._guard = threading.RLock()
        self._time_left = TimeLeft(0)
        #: Steps that were left of a running member, and since when.
        self._left_since: dict[str, tuple[int, float]] = {}
        self._problem: str | None = None
        self._members = self._look(clock())
        self._fallback = StaticFallback()
        self._fallback_state = self.state
        self._build()
        self.refresh()
        self._thread = RefreshThread(self.refresh)
        if not self._finished:
            fleet.observe(self._on_event)
            self._thread.start()

    def _build(self) -> None:
        head, sheet, reasons = (ipywidgets.HTML() for _ in range(3))
        self._head = ThrottledHTML(
            partial(setattr, head, "value"), interval=0.0, bytes_per_second=10_000
        )
        self._cells = ThrottledHTML(
            partial(setattr, sheet, "value"), interval=1.0, bytes_per_second=25_000
        )
        self._reasons = ThrottledHTML(
            partial(setattr, reasons, "value"), interval=1.0, bytes_per_second=5_000
        )
        self._copy = ThrottledHTML(self._update_fallback, interval=30.0, bytes_per_second=5_000)
        self.search = ipywidgets.Text(placeholder="member, state, message …")
        self.search.observe(self._on_search, "value")
        self.grid = MemberGrid(self._fleet.members)
        self.grid.observe(self._on_pick, "value")
        self._detail = ipywidgets.VBox()
        style = ipywidgets.HTML(style_tag(self._fallback.hides_fallback))
        for hidden in (style, sheet):
            hidden.layout.display = "none"
        parts = [style, sheet, head, self.search, self.grid, reasons, self._detail]
        ipywidgets.VBox.__init__(self, parts)
        self.add_class("vco-live").add_class(self._fallback.css_class)

    def _on_event(self, _: MemberChanged) -> None:
        if self._thread is not None:
            self._thread.mark_dirty()

    def _on_search(self, _: Any) -> None:
        with self._guard:
            self._show_members(self._clock())

    # -- read ------------------------------------------------------------------------------------

    def _look(self, now: float) -> pd.DataFrame:
        """Return the fleet's frame, the worst member first, with a column ``kind``."""
        members = self._fleet.frame()
        kinds = [self._kind(member, now) for member in members.itertuples()]
        members["kind"] = pd.Categorical(kinds, list(KINDS), ordered=True)
        # In the order of the fleet within a kind, so that a cell moves only when its kind changes.
        return members.sort_values("kind", kind="stable")

    def _update(self, now: float) -> None:
        """Look again; while a journal cannot be read, keep what was seen last.

        A network share may be unavailable for a moment.
        """
        try:
            self._members, self._problem = self._look(now), None
        except JournalError as error:
            self._problem = str(error)

    def _kind(self, member: Any, now: float) -> str:
        kind = kind_of(member)
        if kind != "running" or member.state not in ("running", "looking"):
            self._left_since.pop(member.member, None)
            return kind
        left, since = self._left_since.get(member.member, (None, now))
        if left != member.left:
            self._left_since[member.member] = member.left, now
            return kind
        return "slow" if now - since >= SLOW_AFTER else kind

    @property
    def state(self) -> str:
        """State of the fleet; of a fleet of another process, as its journals show it."""
        state = self._fleet.state
        return state if state != "ready" else state_of(self._members)

    @property
    def _finished(self) -> bool:
        """Whether nothing will change any more; a fleet that was only read can always go on."""
        return self._fleet.state in ENDED

    # -- shown -----------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Update the elements that are due; return whether more changes are to be expected."""
        with self._guard:
            last = self._finished  # asked first: then the frame has the last state of all members
            now = self._clock()
            self._update(now)
            timing = self._timing(now)
            self._head.show(self._head_html(timing), now)
            if last or self._cells.due(now):
                self._show_members(now)
            if last or self.state != self._fallback_state or self._copy.due(now):
                self._fallback_state = self.state
                self._copy.show(self._static(timing), now)
            return not last

    def _show_members(self, now: float) -> None:
        shown = matching(self._members, self.search.value)
        self._cells.show(self.grid.sheet(shown), now)
        self._reasons.show(reasons_html(shown), now)

    def _timing(self, now: float) -> Timing:
        members, state = self._members, self.state
        started = members["started"].min()
        if pd.isna(started):
            return Timing()
        self._time_left.note(now, int(members["left"].sum()), moving=state == "running")
        going = state in ("running", "paused", "cancelling")
        end = now if going else members["latest"].max().timestamp()
        left = self._time_left.estimate() if going else None
        running = members.loc[~members["state"].isin(_AT_REST), "seconds_left"]
        longest = max(running.dropna(), default=0.0)
        if left is not None and longest > left.seconds:
            left = Estimate(longest, "the slowest member")
        return Timing(max(0.0, end - started.timestamp()), going, left)

    def _head_html(self, timing: Timing) -> str:
        state, message = self.state, self._problem or self._fleet.message
        if message is None and self._fleet.state == "ready" and state == "running":
            message = "in another process"
        elif state == "stopped":
            resume = "resume with vk.Fleet.open(directory, clients).start()"
            message = f"{message}; {resume}" if message else resume
        return head_html(self._members, self._fleet.directory.name, state, message, timing)

    # -- the open member -------------------------------------------------------------------------

    def _on_pick(self, change: Any) -> None:
        name = change.new
        with self._guard:
            if self._open is not None:
                self._open.close()
                self._open = None
            self._detail.children = [] if name is None else list(self._member_parts(name))

    def _on_close(self, _: Any) -> None:
        self.grid.value = None

    def _member_parts(self, name: str) -> Iterator[Any]:
        """Yield what is shown below the grid of the open member."""
        close = ipywidgets.Button(description="Close", icon="times", layout={"width": "auto"})
        close.on_click(self._on_close)
        heading = ipywidgets.HTML(wrap(f"<h4>Member {escape(name)}</h4>"))
        yield ipywidgets.HBox([heading, close], layout={"align_items": "center"})
        rollout = self._fleet.rollouts().get(name)
        try:
            self._open = (
                RolloutView.from_journal(self._fleet.journal(name), clock=self._clock)
                if rollout is None
                else RolloutView(rollout, clock=self._clock)
            )
        except JournalError as error:
            yield ipywidgets.HTML(wrap(muted(str(error))))
        else:
            yield self._open

    # -- kept ------------------------------------------------------------------------------------

    def _static(self, timing: Timing) -> str:
        html = style_tag(self._fallback.hides_view) + self._head_html(timing)
        return html + cells_html(self._members) + reasons_html(self._members)

    def _update_fallback(self, html: str) -> None:
        self._fallback.update(html, repr(self))

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget, and publish its static fallback for the saved notebook."""
        with self._guard:
            now = self._clock()
            self._update(now)
            html = self._static(self._timing(now))
        return self._fallback.bundle(super()._repr_mimebundle_(**given), html, repr(self))

    def __repr__(self) -> str:
        counts = self._members["kind"].value_counts(sort=False)
        said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return f"<FleetView {self._fleet.directory.name} {self.state}: {said}>"

    def close(self) -> None:
        """Stop refreshing, and remove the view from the page."""
        # Also called for a view whose construction failed.
        if self._thread is not None:
            self._thread.stop()
        if self._open is not None:
            self._open.close()
        super().close()


class MemberGrid(ipywidgets.ToggleButtons):  # type: ignore[misc]
    """A grid of buttons, one per member, which a style sheet arranges and fills.

    Parameters
    ----------
    names : tuple of str
        Names of the members.

    Attributes
    ----------
    value : str or None
        Name of the member that was clicked last.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(options=names, value=None)
        self._selector = f"vco-grid-{self.model_id[:12]}"
        self.add_class("vco-members").add_class(self._selector)

    def sheet(self, members: pd.DataFrame) -> str:
        """Return the style sheet that shows these members, in this order, and hides all others."""
        styles = dict.fromkeys(self.options, "display:none")
        for order, member in enumerate(members.itertuples()):
            words = css_string(words_of(member))
            styles[str(member.member)] = f"order:{order};{_colours(member)};--s:{words}"
        button = f".{self._selector} button:nth-child"
        rules = (f"{button}({n}){{{style}}}" for n, style in enumerate(styles.values(), start=1))
        return f"<style>{''.join(rules)}</style>"


# -- pure functions of the members' frame ----------------------------------------------------------


def kind_of(member: Any) -> str:
    """Return the kind of a member by its row of the frame, one of `KINDS` except slow."""
    state = member.state
    if member.failed or (member.skipped and state not in ("cancelling", "cancelled")):
        return "failed"
    if state in ("ready", "finished", "cancelled"):
        return str(state)
    if state in ("interrupted", "broken off"):
        return "interrupted" if member.left else "finished"
    return "stopped" if state in _AT_REST else "running"


def state_of(members: pd.DataFrame) -> str:
    """Return the state of a fleet that no process is known to run, by the states of its members."""
    states = set(members["state"])
    if states.difference(_AT_REST):
        return "running"
    if not members["left"].any():
        return "finished"
    return "ready" if states == {"ready"} else "stopped"


def words_of(member: Any) -> str:
    """Return the words in the cell of a member, below its name."""
    state = "slow" if member.kind == "slow" else member.state
    if member.failed:
        return f"{state} · {member.failed:,} failed"
    if state == "ready" and not pd.isna(member.wave):
        return f"{state} · wave {member.wave}"
    return f"{state} · {member.done:,} of {member.steps - member.blocked:,}"


def matching(members: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the members whose name, words or message contain a text; case is ignored."""
    text = text.strip().lower()
    if not text:
        return members
    found = [
        text in f"{member.member}\n{words_of(member)}\n{printable(member.message)}".lower()
        for member in members.itertuples()
    ]
    return members[found]


def _colours(member: Any) -> str:
    """Return the CSS variables of a cell: its colour, and where the parts of its bar end."""
    total = max(1, member.steps - member.blocked) / 100
    found, end = [f"--c:{STATES[KINDS[member.kind]]}"], 0
    for name, count in (("d", member.done), ("f", member.failed), ("k", member.skipped)):
        end += count
        if count:
            found.append(f"--{name}:{end / total:.4g}%")
    return ";".join(found)


def css_string(text: str) -> str:
    r"""Return text as a string of CSS that no quote, backslash or tag in it can end.

    Examples
    --------
    >>> print(css_string('running · 1 of 2'), css_string('"</style>'))
    "running · 1 of 2" "\22 \3c \2f style\3e "
    """
    escaped = re.sub(r"[^\w .,·-]", lambda found: f"\\{ord(found[0]):x} ", printable(text))
    return f'"{escaped}"'


def cells_html(members: pd.DataFrame) -> str:
    """Return the cells of the members as plain HTML, without buttons."""
    cells = "".join(
        f'<div class="member" style="{_colours(member)}">{escape(member.member)}'
        f"<i>{escape(words_of(member))}</i></div>"
        for member in members.itertuples()
    )
    return wrap(f'<div class="members">{cells}</div>')


def head_html(
    members: pd.DataFrame, directory: str, state: str, message: str | None, timing: Timing
) -> str:
    """Return the identity of the fleet, its members by kind, its steps, and its times."""
    colour = STATUS_COLOUR.get(state, "pending")
    said = f" {muted(message)}" if message else ""
    counts = members["kind"].value_counts()
    return wrap(
        '<div><span class="t">Fleet</span><span class="pill"><span class="key" style="margin:0">'
        f'<i class="s-{colour}"></i>{escape(state)}</span></span>'
        f"{pluralize(len(members), 'member')} {muted('· directory')} "
        f"<code>{escape(directory)}</code>{said}</div>",
        stacked_bar((f"s-{KINDS[kind]}", kind, counts[kind]) for kind in _BAR),
        f'<div class="row">{"".join(_stats(members, timing))}</div>',
    )


def _stats(members: pd.DataFrame, timing: Timing) -> Iterator[str]:
    total = members[["steps", "done", "failed", "skipped", "blocked"]].sum()
    steps = total["steps"] - total["blocked"]
    # Rounded down, so that 100 % means complete.
    percent = 100 * total["done"] // steps if steps else 100
    yield stat(f"{percent} %", f"of {steps:,} steps done")
    for name in ("failed", "skipped", "blocked"):
        if total[name]:
            yield stat(f"{total[name]:,}", f"steps {name}")
    if timing.elapsed is None:
        yield muted("not started")
        return
    yield stat(duration(round(timing.elapsed)), "so far" if timing.going else "in total")
    if timing.left is not None:
        seconds = duration(round(timing.left.seconds))
        yield stat(f"≈ {seconds}", f"left, by {timing.left.basis}")
    elif timing.going:
        yield muted("time left: too early to tell")


def reasons_html(members: pd.DataFrame) -> str:
    """Return a table of the first members that failed or stopped, with the reasons."""
    bad = members[members["kind"].isin(["failed", "stopped"])]
    if not len(bad):
        return ""
    first = bad.iloc[:REASONS_SHOWN]
    cut = f"{len(bad):,}, the first {len(first)} listed" if len(first) < len(bad) else ""
    rows = zip(first["member"], first["state"], first["message"], strict=True)
    reasons = table(_REASON_COLUMNS, rows, multiline=True)
    return wrap(f"<h4>Failed or stopped {muted(cut)}</h4>", scroll_box(reasons))
