"""What each connection was busy with: a Gantt chart of lanes.

A lane has one step in flight, so that queue, call and task of its steps follow one another; the
wait for the listing that shows a step goes on beside the next steps and is a thin line below::

    vco-a   ░░░▓▓████████▓▓██████████          queue, call, task, call, task
                       ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂      wait for a listing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.cidr.parse import I64
from vcokit.palette import STATES
from vcokit.plots import canvas, lettering
from vcokit.plots.figures import unit
from vcokit.plots.moments import CALLS, F64, begin, present, seconds, sending
from vcokit.plots.naming import Names, called
from vcokit.plots.spans import Lanes
from vcokit.rollout.steps import OPERATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a lane does: the state whose colour it has, the name, top and bottom in the row.
KINDS: Final = {
    "queue": ("pending", "queue (limit, or its turn)", -0.34, 0.2),
    "call": ("sent", "call", -0.34, 0.2),
    "task": ("accepted", "task of the cloud", -0.34, 0.2),
    "doubt": ("unknown", "no answer (unknown)", -0.34, 0.2),
    "wait": ("settled", "wait for a listing", 0.23, 0.36),
}
#: Height of the row that sums up the other lanes, rows.
_REST: Final = 4.0
#: Steps drawn one by one at most; more would not be told apart.
_MOMENTS: Final = 800


def lane_timeline(
    steps: pd.DataFrame,
    ax: Axes | None = None,
    *,
    calls: pd.DataFrame | None = None,
    top: int = 24,
    names: Names | None = None,
) -> Axes:
    """Show over time what each connection was busy with: queue, call, task, wait.

    Parameters
    ----------
    steps : DataFrame
        From `Rollout.frame` or `Journal.steps`. Steps that send nothing are left out.
    ax : Axes, optional
    calls : DataFrame, optional
        From `Rollout.calls` or `Journal.calls`: writes that were not answered well, and sent again
        since, are marked too; a step itself knows its last call only.
    top : int
        Connections shown, those whose steps ended last (which the rollout waited for); one row
        shows what share of the others did what.
    names : mapping of str to str, Series or DataFrame, optional
        What connections are called instead of by their ids: names by id, or live connections.

    Returns
    -------
    Axes
        A row a connection, over the time since the first call.

    Raises
    ------
    InputError
        If a column is missing, or `top` is no number of connections.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> begun = pd.Timestamp("2026-01-01", tz="UTC")
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "state": ["done"],
    ...     "vpn_connection_id": ["vco-a"], "sent_at": [begun],
    ...     "accepted_at": [begun + pd.Timedelta("1s")], "settled_at": [begun + pd.Timedelta("4s")],
    ...     "ended_at": [begun + pd.Timedelta("5s")]})
    >>> lane_timeline(steps, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '1 step on 1 connection in 5 s: lanes were busy 80 % of it, the last to end is vco-a'
    """
    canvas.check_top(top)
    sends = sending(steps)
    since = begin(sends)
    lanes = Lanes(sends, since)
    shown = lanes.latest(top)
    rest = len(lanes.names) - len(shown)
    ax = canvas.axes(ax, height=canvas.rows_height(len(shown) + (5 if rest else 0)))
    canvas.quiet(ax, grid="x")
    unit_name, scale = unit(lanes.end)
    ax.set_xlabel(f"time since the first call, {unit_name}")
    if pd.isna(since):
        canvas.head(ax, f"0 of {pluralize(len(sends), 'step')} sent")
        return canvas.say_empty(ax, "nothing was sent yet")
    _rows(ax, lanes, shown, scale)
    marks = _marks(ax, lanes, shown, scale, calls, since)
    labels = lettering.distinct(called(np.asarray(lanes.names, dtype=object), names)[shown])
    others = [f"{rest:,} others, share"] if rest else []
    canvas.row_names(ax, [*labels, *others], tall=_REST if rest else 1.0)
    if rest:
        _others(ax, lanes, shown, scale)
    ax.set_xlim(0, lanes.end / scale or 1)
    handles = [canvas.patch(STATES[KINDS[kind][0]]) for kind in lanes.there]
    said = [KINDS[kind][1] for kind in lanes.there]
    canvas.head(
        ax, lanes.title(labels[0]), [*handles, *marks], [*said, *(m.get_label() for m in marks)]
    )
    return ax


def _rows(ax: Axes, lanes: Lanes, shown: I64, scale: float) -> None:
    """Draw the intervals of the lanes shown: one collection of bars a kind."""
    from matplotlib.collections import PolyCollection

    row = np.full(len(lanes.names), -1)
    row[shown] = np.arange(len(shown))
    for kind in lanes.there:
        state, _, top, bottom = KINDS[kind]
        lane, into, out = lanes.spans[kind]
        here = row[lane] >= 0
        place, left, right = row[lane][here], into[here] / scale, out[here] / scale
        upper, lower = place + top, place + bottom
        corners = [(left, lower), (left, upper), (right, upper), (right, lower)]
        bars = np.stack([np.column_stack(corner) for corner in corners], axis=1)
        # An edge of the bar's own colour keeps calls of milliseconds visible in hours.
        style: canvas.Style = {
            "facecolors": STATES[state],
            "edgecolors": STATES[state],
            "linewidths": 0.4,
        }
        ax.add_collection(PolyCollection(list(bars), label=kind, **style))


def _marks(
    ax: Axes,
    lanes: Lanes,
    shown: I64,
    scale: float,
    calls: pd.DataFrame | None,
    since: Any,
) -> list[Any]:
    """Mark failed steps, and calls that were refused or not answered."""
    row = np.full(len(lanes.names) + 1, -1)  # the last is for connections that are no lane
    row[shown] = np.arange(len(shown))
    failed = np.isfinite(lanes.failed_at)
    points = {"failed": (row[lanes.lane[failed]], lanes.failed_at[failed])}
    if calls is not None:
        points.update(_calls(calls, lanes, row, since))
    looks = {
        "failed": ("X", STATES["failed"]),
        "call refused": ("x", STATES["failed"]),
        "call without an answer": ("D", STATES["unknown"]),
    }
    made = []
    for name, (place, at) in points.items():
        if (place >= 0).any():
            mark, colour = looks[name]
            style: canvas.Style = {
                "marker": mark,
                "color": colour,
                "s": 26,
                "zorder": 4,
                "linewidths": 1.2,
            }
            here = place >= 0
            made.append(ax.scatter(at[here] / scale, place[here] - 0.07, label=name, **style))
    return made


def _calls(calls: pd.DataFrame, lanes: Lanes, row: I64, since: Any) -> dict[str, tuple[I64, F64]]:
    needed = ("operation", "vpn_connection_id", "sent_at", "outcome")
    canvas.require(calls, needed, what="calls", remedy=CALLS)
    writes = calls[calls["operation"].isin(OPERATION.values()).to_numpy()]
    lane = pd.Index(lanes.names).get_indexer(schema.text_column(writes["vpn_connection_id"]))
    at = seconds(writes["sent_at"], since)
    outcome = schema.text_column(writes["outcome"]).fillna("unknown").to_numpy()
    refused = ~np.isin(outcome, ["ok", "unknown"])
    unknown = outcome == "unknown"
    return {
        "call refused": (row[lane[refused]], at[refused]),
        "call without an answer": (row[lane[unknown]], at[unknown]),
    }


def _others(ax: Axes, lanes: Lanes, shown: I64, scale: float) -> None:
    """Stack, below the rows, what share of the other lanes did what at each moment."""
    is_rest = np.ones(len(lanes.names), dtype=np.bool_)
    is_rest[shown] = False
    count = int(is_rest.sum())
    moments = np.linspace(0.0, lanes.end, _MOMENTS)
    bottom = len(shown) - 0.4 + _REST
    floor = np.full(len(moments), bottom)
    for kind in ("task", "call", "doubt", "queue"):
        lane, into, out = lanes.spans[kind]
        here = is_rest[lane]
        if here.any():
            level = present(into[here], out[here], moments) / count * _REST
            colour = STATES[KINDS[kind][0]]
            ax.fill_between(
                moments / scale, floor - level, floor, color=colour, linewidth=0, step="post"
            )
            floor = floor - level
