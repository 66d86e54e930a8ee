"""The live view of a rollout: a shell of core widgets around a board and its presenters.

::

    source ─▶ board ─▶ rollout_html ─▶ panels ─▶ page      painted by a thread of its own
      ▲                                                    (`painter`), never by a cell
      └── pause, resume, cancel ◀── buttons

Messages to the page, in the mean: at most seven a second and 45 kB a second, whatever the size of
the rollout; panels that are big are painted more seldom.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, Final

import ipywidgets

from vcokit.cloud.operations import Limit
from vcokit.errors import InputError
from vcokit.rollout.forecast import Forecast, forecast
from vcokit.rollout.rollout import Rollout
from vcokit.widgets import rollout_html
from vcokit.widgets.board import Board
from vcokit.widgets.companion import Companion
from vcokit.widgets.pace import Pace, rates
from vcokit.widgets.painter import HEARTBEAT, Painter, Panel
from vcokit.widgets.rollout_html import Moment
from vcokit.widgets.sources import JournalSource, LiveSource, Source
from vcokit.widgets.steering import Steering
from vcokit.widgets.style import sheet

_LANES_EVERY: Final = 2.0
_COPY_EVERY: Final = 30.0
_REMEDY: Final = (
    "Hand over a vk.Rollout; the view of a journal is vk.RolloutView.from_journal('rollout.db')"
)


class RolloutView(ipywidgets.VBox):  # type: ignore[misc]
    """The live view of a rollout, which is also its repr in a notebook.

    Parameters
    ----------
    rollout : Rollout
        Started or not, or ended.
    forecast : Forecast, optional
        From `vcokit.forecast`; by default made of the plan, if it is not too long.
    limits : mapping of str to Limit, optional
        What the account may call, ``client.limits``; without it rates stand without a limit.
    clock : callable
        Seconds since the epoch.

    Notes
    -----
    Buttons work while the kernel is free to hear them: end the cell with ``rollout.start()``, or
    ``await rollout``. In a cell that blocks (``rollout.wait()``) the view goes on, its buttons do
    not; what was clicked is done when the cell has ended.

    A saved notebook shows a static copy, see `vcokit.widgets.companion`.

    Raises
    ------
    InputError
        If it is no rollout; that of a journal is seen by `from_journal`.

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

    _painter: Painter | None = None

    def __init__(
        self,
        rollout: Rollout,
        *,
        forecast: Forecast | None = None,
        limits: Mapping[str, Limit] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(rollout, Rollout):
            raise InputError(f"no rollout: {_shown(rollout)}", remedy=_REMEDY)
        self._begin(LiveSource(rollout, self._touch, limits), forecast, clock, HEARTBEAT)

    @classmethod
    def from_journal(
        cls,
        path: str | PathLike[str],
        *,
        forecast: Forecast | None = None,
        limits: Mapping[str, Limit] | None = None,
        clock: Callable[[], float] = time.time,
        every: float = HEARTBEAT,
    ) -> RolloutView:
        """Return the view of a journal's rollout, also of one that runs in another process.

        Parameters
        ----------
        path : path
        forecast, limits, clock
            As of the class.
        every : float
            Seconds between two looks at the file; more where reading it takes long.

        Raises
        ------
        JournalError
            If there is no such journal, or it cannot be read.
        """
        source = JournalSource(path, limits)
        view = cls.__new__(cls)
        view._begin(source, forecast, clock, every)
        return view

    def _begin(
        self,
        source: Source,
        forecast: Forecast | None,
        clock: Callable[[], float],
        heartbeat: float,
    ) -> None:
        self.closed = False
        self._source = source
        self._clock = clock
        self._guard = threading.RLock()
        self._board = source.refresh()
        self._pace = Pace(self._board.sends, forecast)
        self._companion = Companion()
        self._copied = self._board.state
        self._copy = Panel(self._update_copy, every=_COPY_EVERY, bytes_a_second=5_000)
        # Apart: it takes the processor for a while, and neither cells nor clicks shall wait for it.
        self._foreteller = threading.Thread(target=self._foretell, name="forecast", daemon=True)
        self._build()
        self.paint()
        self._painter = Painter(self.paint, name="view", heartbeat=heartbeat)
        if not source.over():
            self._painter.start()

    def _build(self) -> None:
        elements = [ipywidgets.HTML() for _ in range(4)]
        head, lanes, events, failures = (_putter(element) for element in elements)
        self._head = Panel(head, every=0.0, bytes_a_second=20_000)
        self._lanes = Panel(lanes, every=_LANES_EVERY, bytes_a_second=12_000)
        self._events = Panel(events, every=1.0, bytes_a_second=5_000)
        self._failures = Panel(failures, every=1.0, bytes_a_second=5_000)
        self._filter = ipywidgets.Text(placeholder="connection, code, request id …")
        self._filter.observe(self._on_filter, "value")
        self._steering = Steering(self._source, self._paint_now)
        style = ipywidgets.HTML(sheet(self._companion.hides_copy))
        style.layout.display = "none"
        label = ipywidgets.Label("show those with")
        self._failed = ipywidgets.VBox([ipywidgets.HBox([label, self._filter]), elements[3]])
        parts = [style, elements[0], self._steering, elements[1], elements[2], self._failed]
        ipywidgets.VBox.__init__(self, parts)
        self.add_class("vco-live").add_class(self._companion.mark)

    # -- told ------------------------------------------------------------------------------------

    def _touch(self) -> None:
        if self._painter is not None:
            self._painter.touch()

    def _on_filter(self, _: Any) -> None:
        with self._guard:
            self._paint_failures(self._clock())

    def _paint_now(self) -> None:
        self.paint()

    # -- shown -----------------------------------------------------------------------------------

    def paint(self) -> bool:
        """Show this moment, as far as it is due; tell whether another is to be expected."""
        with self._guard:
            self._board = board = self._source.refresh()
            over = self._source.over()
            now = self._clock()
            moment = self._moment(board, now)
            self._head.show(rollout_html.head(board, self._source.title, moment), now)
            if over or self._lanes.due(now):
                self._lanes.show(rollout_html.lanes(board.lanes()), now)
            if over or self._events.due(now):
                self._events.show(rollout_html.events(board), now)
            if over or self._failures.due(now):
                self._paint_failures(now)
            if over or board.state != self._copied or self._copy.due(now):
                self._copied = board.state
                self._copy.show(self._static(board, moment), now)
            self._steering.show(board)
            return not over

    def _moment(self, board: Board, now: float) -> Moment:
        if board.started is None:
            return Moment()
        end = board.latest if board.ended and board.latest else now
        moving = board.state in ("looking", "running", "cancelling")
        self._pace.note(now, board.left, moving=moving)
        found = rates(board.writes, now, self._source.limits)
        if board.made and moving and self._pace.wants_forecast and self._foreteller.ident is None:
            self._foreteller.start()
        return Moment(max(0.0, end - board.started), self._pace.remaining(), found)

    def _foretell(self) -> None:
        self._pace.forecast = forecast(self._source.plan)

    def _paint_failures(self, now: float) -> None:
        total = len(self._board.failures)
        self._failed.layout.display = None if total else "none"
        if total:
            found = self._board.failures_with(self._filter.value)
            self._failures.show(rollout_html.failures(found, total), now)

    # -- kept ------------------------------------------------------------------------------------

    def _static(self, board: Board, moment: Moment) -> str:
        rule = self._companion.hides_view
        return rollout_html.static_page(board, self._source.title, moment, rule)

    def _update_copy(self, html: str) -> None:
        self._companion.update(html, repr(self))

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget for the page; put its static copy beside it, for the saved notebook."""
        with self._guard:
            self._board = board = self._source.refresh()
            html = self._static(board, self._moment(board, self._clock()))
        return self._companion.bundle(super()._repr_mimebundle_(**given), html, repr(self))

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self._board.states.items() if count)
        return f"<Rollout {self._source.title.fingerprint} {self._board.state}: {counts}>"

    def close(self) -> None:
        """Paint no more, and take the view from the page."""
        self.closed = True
        # Also called when a view that could not be made is thrown away.
        if self._painter is not None:
            self._painter.stop()
            self._source.close()
        super().close()


def _shown(thing: object) -> str:
    return repr(str(thing)) if isinstance(thing, str | PathLike) else type(thing).__name__


def _putter(element: Any) -> Callable[[str], None]:
    def put(html: str) -> None:
        element.value = html

    return put


# Open widgets live until they are closed (ipywidgets keeps them all), so this keeps no more alive.
_views: dict[Rollout, RolloutView] = {}


def view_of(rollout: Rollout) -> RolloutView:
    """Return the one view of a rollout that its repr shows, in however many cells.

    A view for each would paint for each.
    """
    if rollout not in _views or _views[rollout].closed:
        _views[rollout] = RolloutView(rollout)
    return _views[rollout]
