"""Plots of a rollout: steps by state, activity of each connection, duration of calls.

A step is in a state from the time stamp of that state to its next time stamp::

    pending      sent            accepted        settled        ended (done, failed, skipped)
    |--- queue --|---- call -----|---- task -----|---- wait ----|
    0            sent_at         accepted_at     settled_at     ended_at

States that it did not pass through have no time stamp. The last known state of a step in doubt
(unknown) was *sent*. The start of the doubt is not recorded, so its whole call counts as unknown.
Times are seconds since the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import duration, pluralize
from vcokit.cidr.parse import I64, Mask
from vcokit.palette import STATES
from vcokit.plots import _style
from vcokit.plots._arrays import F64, Names, display_names, drawable_names, known_names
from vcokit.rollout.steps import OPERATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cloud.operations import Limit
    from vcokit.rollout.forecast import Forecast

# -- when steps were in which state -------------------------------------------------------------

_STAMPS: Final = ("sent_at", "accepted_at", "settled_at", "ended_at")
#: The phases of a step: the states that have an end.
_PHASES: Final = ("pending", "sent", "accepted", "settled")
_FINAL: Final = ("done", "failed", "skipped")
_STEPS_REMEDY: Final = "Pass rollout.frame(), or the steps() of vk.Journal.read('rollout.db')"
#: How to get a frame of calls.
_CALLS_REMEDY: Final = "Pass rollout.calls(), or the calls() of vk.Journal.read('rollout.db')"
#: Actions that send something.
_SENDS: Final = ("create", "modify", "delete")


def sending_steps(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the steps that send something.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("action", "state", "vpn_connection_id", *_STAMPS)
    _style.require_columns(steps, needed, what="steps", remedy=_STEPS_REMEDY)
    return steps[steps["action"].isin(_SENDS).to_numpy()]


def start_time(steps: pd.DataFrame) -> Any:
    """Return when the first call was sent, as a Timestamp; NaT if none was sent."""
    return steps["sent_at"].min()


def seconds(stamps: pd.Series, since: Any) -> F64:
    """Return time stamps as seconds, at least 0; NaN if missing.

    Examples
    --------
    >>> stamps = pd.Series(pd.to_datetime(["2026-01-01 00:00:01", None], utc=True))
    >>> seconds(stamps, pd.Timestamp("2026-01-01", tz="UTC")).tolist()
    [1.0, nan]
    """
    if pd.isna(since):
        return np.full(len(stamps), np.nan)
    passed = (stamps - since).dt.total_seconds().to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(np.maximum(passed, 0.0))


def state_intervals(steps: pd.DataFrame, since: Any) -> tuple[F64, F64]:
    """Return when each step entered and left each phase and the end.

    Parameters
    ----------
    steps : DataFrame
        With the schema `vcokit.schema.STEPS`.
    since : Timestamp or NaT

    Returns
    -------
    into, out : ndarray of float64, shape (n, 5)
        Seconds for the four `_PHASES` and the end. ``inf`` if the step did not reach the phase, or
        is still in it.
    """
    into = np.full((len(steps), 6), np.inf)
    into[:, 0] = 0.0
    for place, name in enumerate(_STAMPS, start=1):
        stamp = seconds(steps[name], since)
        into[:, place] = np.where(np.isnan(stamp), np.inf, stamp)
    out = np.minimum.accumulate(into[:, ::-1], axis=1)[:, ::-1]
    return into[:, :5], out[:, 1:]


def state_counts(
    steps: pd.DataFrame, since: Any, most: int | None = None
) -> tuple[F64, dict[str, F64]]:
    """Count the steps in each state, from each moment on.

    Parameters
    ----------
    steps : DataFrame
        Steps that send something.
    since : Timestamp or NaT
    most : int, optional
        Most moments; if there are more, this number at equal distances is used.

    Returns
    -------
    moments : ndarray of float64, shape (m,)
        Ascending, from 0.
    counts : dict of str to ndarray of float64, shape (m,)
        By state.
    """
    into, out = state_intervals(steps, since)
    moments = np.unique(np.append(into[np.isfinite(into)], 0.0))
    if most is not None and len(moments) > most:
        moments = np.linspace(0.0, moments[-1], most)
    state = steps["state"].astype("str").to_numpy()
    doubt = state == "unknown"
    counts = {
        name: count_active(into[:, place], out[:, place], moments)
        for place, name in enumerate(_PHASES)
    }
    counts["unknown"] = count_active(into[doubt, 1], out[doubt, 1], moments)
    counts["sent"] = counts["sent"] - counts["unknown"]
    for name in _FINAL:
        mine = state == name
        counts[name] = count_active(into[mine, 4], out[mine, 4], moments)
    return moments, counts


def count_active(into: F64, out: F64, moments: F64) -> F64:
    """Count, at each moment, the intervals that have started and not ended.

    Examples
    --------
    >>> begun, ended = np.array([0.0, 1.0]), np.array([2.0, np.inf])
    >>> count_active(begun, ended, np.array([0.0, 1.0, 2.0])).tolist()
    [1.0, 2.0, 1.0]
    """
    entered = np.isfinite(into)
    begun = np.searchsorted(np.sort(into[entered]), moments, side="right")
    ended = np.searchsorted(np.sort(np.maximum(into, out)[entered]), moments, side="right")
    return (begun - ended).astype(float)


# -- steps by state over time -------------------------------------------------------------------

#: States from the bottom of the plot to its top.
_STACK: Final = (
    "done",
    "failed",
    "skipped",
    "settled",
    "accepted",
    "unknown",
    "sent",
    "pending",
)
#: Most moments that are drawn: more than the horizontal pixels of a figure.
_MAX_MOMENTS: Final = 1_600


def rollout_progress(
    steps: pd.DataFrame,
    ax: Axes | None = None,
    *,
    forecast: Forecast | None = None,
    limits: Mapping[str, Limit] | None = None,
    title: str | None = None,
) -> Axes:
    """Show the states of the steps of a rollout over time.

    Parameters
    ----------
    steps : DataFrame
        From `Rollout.frame` or `Journal.steps`. Steps that send nothing (keep, blocked) are
        omitted.
    ax : Axes, optional
    forecast : Forecast, optional
        From `vcokit.forecast` of the same plan: a dashed line with its number of done steps.
    limits : mapping of str to Limit, optional
        ``client.limits``: a dotted line with the most calls that the cloud's limits allow. The
        limits apply per account, region and operation.
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        Stacked areas: steps by state against time since the first call.

    Raises
    ------
    InputError
        If a column is missing.

    See Also
    --------
    rollout_progress_data : The counts as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vcokit import schema
    >>> begun = pd.Timestamp("2026-01-01", tz="UTC")
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"] * 2, "state": ["done", "pending"],
    ...     "sent_at": [begun, pd.NaT], "ended_at": [begun + pd.Timedelta("9s"), pd.NaT]})
    >>> rollout_progress(steps, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '1 of 2 steps done after 9 s, 1 pending'
    """
    ax = _style.new_axes(ax, height=3.6)
    _style.despine(ax)
    ax.set_ylabel("steps")
    sends = sending_steps(steps)
    since = start_time(sends)
    if not len(sends):
        _style.title_and_legend(ax, title, "0 of 0 steps done")
        ax.set_xlabel("time since the first call")
        return _style.annotate_empty(ax, "no steps that send anything")
    moments, counts = state_counts(sends, since, _MAX_MOMENTS)
    ends = [moments[-1], _forecast_end(forecast)]
    name, scale = _style.time_unit(max(ends))
    _draw_areas(ax, moments / scale, counts)
    lines = [
        _forecast_line(ax, forecast, scale),
        _limit_line(ax, sends, limits, scale, max(ends)),
    ]
    ax.set_xlim(0, max(ends) / scale or 1)
    ax.set_ylim(0, len(sends))
    _style.integer_ticks(ax.yaxis)
    ax.set_xlabel(f"time since the first call, {name}")
    drawn = [state for state in _STACK if counts[state].any()]
    colours = _style.state_colors(ax)
    handles = [_style.legend_patch(colours[state]) for state in drawn]
    drawn_lines = [line for line in lines if line is not None]
    names = [*drawn, *(str(line.get_label()) for line in drawn_lines)]
    sentence = _progress_sentence(sends, moments[-1], forecast)
    _style.title_and_legend(ax, title, sentence, [*handles, *drawn_lines], names)
    return ax


def rollout_progress_data(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of `rollout_progress`, without those of forecast and limits.

    Parameters
    ----------
    steps : DataFrame
        As for the plot.

    Returns
    -------
    DataFrame
        One row for each moment at which a step changed its state: seconds since the first call
        (float64), and the number of steps in each state from then on (int64). The states are done,
        failed, skipped, settled, accepted, unknown, sent and pending.

    Examples
    --------
    >>> from vcokit import schema
    >>> begun = pd.Timestamp("2026-01-01", tz="UTC")
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"] * 2, "state": ["done", "pending"],
    ...     "sent_at": [begun, pd.NaT], "ended_at": [begun + pd.Timedelta("9s"), pd.NaT]})
    >>> rollout_progress_data(steps)[["seconds", "done", "sent", "pending"]]
       seconds  done  sent  pending
    0      0.0     0     1        1
    1      9.0     1     0        1
    """
    sends = sending_steps(steps)
    moments, counts = state_counts(sends, start_time(sends))
    table = pd.DataFrame({name: counts[name].astype(np.int64) for name in _STACK})
    table.insert(0, "seconds", moments)
    return table


def _draw_areas(ax: Axes, moments: F64, counts: dict[str, F64]) -> None:
    drawn = [state for state in _STACK if counts[state].any()]
    ax.stackplot(
        moments,
        [counts[state] for state in drawn],
        colors=[_style.state_colors(ax)[state] for state in drawn],
        labels=drawn,
        step="post",
        linewidth=0,
    )


def _forecast_end(forecast: Forecast | None) -> float:
    """Return when the last step of a forecast is done, in seconds since its first call."""
    if forecast is None or not len(forecast.times):
        return 0.0
    return float(forecast.times["done"].max() - forecast.times["sent"].min())


def _forecast_line(ax: Axes, forecast: Forecast | None, scale: float) -> Any:
    if forecast is None or not len(forecast.times):
        return None
    done = np.sort(forecast.times["done"].dropna().to_numpy(dtype=float))
    at = np.append(0.0, np.maximum(done - float(forecast.times["sent"].min()), 0.0)) / scale
    return _draw_line(ax, at, np.arange(len(at)), "--", "forecast: done", drawstyle="steps-post")


def _limit_line(
    ax: Axes,
    steps: pd.DataFrame,
    limits: Mapping[str, Limit] | None,
    scale: float,
    end: float,
) -> Any:
    """Draw the number of calls that the limits allow up to each moment.

    The calls of one window are possible immediately, and the same number in each further window,
    until an operation has no more steps in a region.
    """
    if limits is None:
        return None
    groups = steps.groupby(["region_id", "action"], observed=True, dropna=False).size()
    at = np.linspace(0.0, max(end, 1e-9), _MAX_MOMENTS)
    possible = np.zeros(len(at))
    for action, count in zip(groups.index.get_level_values("action"), groups, strict=True):
        limit = limits[OPERATION[str(action)]]
        windows = 1 + np.floor(at / limit.seconds)
        possible += np.minimum(limit.calls * windows, count)
    return _draw_line(ax, at / scale, possible, ":", "limit: calls allowed")


def _draw_line(ax: Axes, x: F64, y: Any, style: str, label: str, **more: Any) -> Any:
    """Draw a line that is visible on areas of any colour."""
    under: _style.Style = {"color": ax.get_facecolor(), "linewidth": 3.4, "alpha": 0.55}
    ax.plot(x, y, "-", **under, **more)
    look: _style.Style = {"color": _style.text_color(ax), "linewidth": 1.4, "label": label}
    return ax.plot(x, y, style, **look, **more)[0]


def _progress_sentence(steps: pd.DataFrame, end: float, forecast: Forecast | None) -> str:
    state = steps["state"].astype("str")
    states = state.value_counts()
    others = [f"{states[name]:,} {name}" for name in reversed(_STACK[1:]) if name in states]
    text = (
        f"{states.get('done', 0):,} of {pluralize(len(steps), 'step')} done after {duration(end)}"
    )
    if forecast is not None:
        text += f" (forecast: {duration(_forecast_end(forecast))})"
    return ", ".join([text, *others])


# -- activity of each connection ----------------------------------------------------------------

#
# A lane (the row of a connection) has one step in flight, so queue, call and task of its steps
# follow one another. The wait for the listing that shows a step continues during the next steps and
# is a thin line below::
#
#     vco-a   ░░░▓▓████████▓▓██████████          queue, call, task, call, task
#                        ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂      wait for a listing

#: Kinds of intervals in a lane: the state that gives the colour, the name, top and bottom in the
#: row.
_KINDS: Final = {
    "queue": ("pending", "queue (limit, or its turn)", -0.34, 0.2),
    "call": ("sent", "call", -0.34, 0.2),
    "task": ("accepted", "task of the cloud", -0.34, 0.2),
    "doubt": ("unknown", "no answer (unknown)", -0.34, 0.2),
    "wait": ("settled", "wait for a listing", 0.23, 0.36),
}
#: Height of the row that summarises the other lanes, in rows.
_OTHERS_HEIGHT: Final = 4.0
#: Number of moments drawn in that row; more could not be distinguished.
_SUMMARY_MOMENTS: Final = 800


def lane_timeline(
    steps: pd.DataFrame,
    ax: Axes | None = None,
    *,
    calls: pd.DataFrame | None = None,
    top: int = 24,
    names: Names | None = None,
    title: str | None = None,
) -> Axes:
    """Show the activity of each connection over time: queue, call, task, wait.

    Parameters
    ----------
    steps : DataFrame
        From `Rollout.frame` or `Journal.steps`. Steps that send nothing are omitted.
    ax : Axes, optional
    calls : DataFrame, optional
        From `Rollout.calls` or `Journal.calls`: also mark failed writes that were sent again later.
        A step itself contains only its last call.
    top : int
        Most connections that are shown, those whose steps ended last (which the rollout waited
        for). One row shows the activities of the others as shares.
    names : mapping of str to str, Series or DataFrame, optional
        Names of connections instead of their ids: names by id, or live connections. By default the
        column vpn_connection_name of the steps, if there is one.
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A row per connection, over the time since the first call.

    Raises
    ------
    InputError
        If a column is missing, or `top` is not a valid number.

    See Also
    --------
    lane_timeline_data : The intervals as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> begun = pd.Timestamp("2026-01-01", tz="UTC")
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "state": ["done"],
    ...     "vpn_connection_id": ["vco-a"], "sent_at": [begun],
    ...     "accepted_at": [begun + pd.Timedelta("1s")], "settled_at": [begun + pd.Timedelta("4s")],
    ...     "ended_at": [begun + pd.Timedelta("5s")]})
    >>> lane_timeline(steps, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '1 step on 1 connection in 5 s, each busy 80 % of the time; vco-a ended last'
    """
    _style.check_top(top)
    sends = sending_steps(steps)
    since = start_time(sends)
    lanes = LaneIntervals(sends, since)
    shown = lanes.latest(top)
    rest = len(lanes.names) - len(shown)
    ax = _style.new_axes(ax, height=_style.rows_height(len(shown) + (5 if rest else 0)))
    _style.despine(ax, grid="x")
    unit_name, scale = _style.time_unit(lanes.end)
    ax.set_xlabel(f"time since the first call, {unit_name}")
    if pd.isna(since):
        _style.title_and_legend(ax, title, f"0 of {pluralize(len(sends), 'step')} sent")
        return _style.annotate_empty(ax, "nothing was sent yet")
    _draw_intervals(ax, lanes, shown, scale)
    marks = _mark_failures(ax, lanes, shown, scale, calls, since)
    ids = np.asarray(lanes.names, dtype=object)
    labels = _style.unique_labels(drawable_names(ids, known_names(steps, names))[shown])
    others = [f"{rest:,} others, share"] if rest else []
    _style.label_rows(ax, [*labels, *others], tall=_OTHERS_HEIGHT if rest else 1.0)
    if rest:
        _draw_others(ax, lanes, shown, scale)
    ax.set_xlim(0, lanes.end / scale or 1)
    colours = _style.state_colors(ax)
    handles = [_style.legend_patch(colours[_KINDS[kind][0]]) for kind in lanes.kinds]
    texts = [_KINDS[kind][1] for kind in lanes.kinds] + [mark.get_label() for mark in marks]
    sentence = lanes.sentence(labels[0])
    _style.title_and_legend(ax, title, sentence, [*handles, *marks], texts)
    return ax


def lane_timeline_data(steps: pd.DataFrame, *, names: Names | None = None) -> pd.DataFrame:
    """Return the intervals of `lane_timeline` for all connections.

    Parameters
    ----------
    steps : DataFrame
    names : mapping of str to str, Series or DataFrame, optional
        Both as for the plot.

    Returns
    -------
    DataFrame
        One row for each interval: vpn_connection_id, name, kind (queue, call, task, doubt, wait),
        and begin and end (float64) in seconds since the first call. Sorted by connection, then by
        time.

    Examples
    --------
    >>> begun = pd.Timestamp("2026-01-01", tz="UTC")
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "state": ["done"],
    ...     "vpn_connection_id": ["vco-a"], "sent_at": [begun],
    ...     "accepted_at": [begun + pd.Timedelta("1s")], "settled_at": [begun + pd.Timedelta("4s")],
    ...     "ended_at": [begun + pd.Timedelta("5s")]})
    >>> lane_timeline_data(steps)
      vpn_connection_id   name  kind  begin  end
    0             vco-a  vco-a  call    0.0  1.0
    1             vco-a  vco-a  task    1.0  4.0
    2             vco-a  vco-a  wait    4.0  5.0
    """
    sends = sending_steps(steps)
    lanes = LaneIntervals(sends, start_time(sends))
    ids = np.asarray(lanes.names, dtype=object)
    called = display_names(ids, known_names(steps, names))
    parts = [
        pd.DataFrame({"lane": lane, "kind": kind, "begin": into, "end": out})
        for kind, (lane, into, out) in lanes.spans.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values(["lane", "begin", "end"], kind="stable", ignore_index=True)
    lane = table.pop("lane").to_numpy()
    table.insert(0, "vpn_connection_id", pd.Series(ids[lane], dtype="str"))
    table.insert(1, "name", pd.Series(called[lane], dtype="str"))
    return table.astype({"kind": "str"})


def _draw_intervals(ax: Axes, lanes: LaneIntervals, shown: I64, scale: float) -> None:
    """Draw the intervals of the shown lanes: one collection of bars per kind."""
    from matplotlib.collections import PolyCollection

    colours = _style.state_colors(ax)
    row = np.full(len(lanes.names), -1)
    row[shown] = np.arange(len(shown))
    for kind in lanes.kinds:
        state, _, top, bottom = _KINDS[kind]
        lane, into, out = lanes.spans[kind]
        here = row[lane] >= 0
        place, left, right = row[lane][here], into[here] / scale, out[here] / scale
        upper, lower = place + top, place + bottom
        corners = [(left, lower), (left, upper), (right, upper), (right, lower)]
        bars = np.stack([np.column_stack(corner) for corner in corners], axis=1)
        # An edge in the bar's own colour keeps calls of milliseconds visible on an axis of hours.
        style: _style.Style = {
            "facecolors": colours[state],
            "edgecolors": colours[state],
            "linewidths": 0.4,
        }
        ax.add_collection(PolyCollection(list(bars), label=kind, **style))


def _mark_failures(
    ax: Axes,
    lanes: LaneIntervals,
    shown: I64,
    scale: float,
    calls: pd.DataFrame | None,
    since: Any,
) -> list[Any]:
    """Mark failed steps, and calls that were refused or not answered."""
    row = np.full(len(lanes.names) + 1, -1)  # the last is for connections without a lane
    row[shown] = np.arange(len(shown))
    failed = np.isfinite(lanes.failed_at)
    points = {"failed": (row[lanes.lane[failed]], lanes.failed_at[failed])}
    if calls is not None:
        points.update(_failed_calls(calls, lanes, row, since))
    looks = {
        "failed": ("X", STATES["failed"]),
        "call refused": ("x", STATES["failed"]),
        "call without an answer": ("D", STATES["unknown"]),
    }
    made = []
    for name, (place, at) in points.items():
        if (place >= 0).any():
            mark, colour = looks[name]
            style: _style.Style = {
                "marker": mark,
                "color": colour,
                "s": 26,
                "zorder": 4,
                "linewidths": 1.2,
            }
            here = place >= 0
            made.append(ax.scatter(at[here] / scale, place[here] - 0.07, label=name, **style))
    return made


def _failed_calls(
    calls: pd.DataFrame, lanes: LaneIntervals, row: I64, since: Any
) -> dict[str, tuple[I64, F64]]:
    needed = ("operation", "vpn_connection_id", "sent_at", "outcome")
    _style.require_columns(calls, needed, what="calls", remedy=_CALLS_REMEDY)
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


def _draw_others(ax: Axes, lanes: LaneIntervals, shown: I64, scale: float) -> None:
    """Draw the activities of the other lanes as stacked shares below the rows."""
    is_rest = np.ones(len(lanes.names), dtype=np.bool_)
    is_rest[shown] = False
    count = int(is_rest.sum())
    moments = np.linspace(0.0, lanes.end, _SUMMARY_MOMENTS)
    bottom = len(shown) - 0.4 + _OTHERS_HEIGHT
    floor = np.full(len(moments), bottom)
    for kind in ("task", "call", "doubt", "queue"):
        lane, into, out = lanes.spans[kind]
        here = is_rest[lane]
        if here.any():
            level = count_active(into[here], out[here], moments) / count * _OTHERS_HEIGHT
            colour = _style.state_colors(ax)[_KINDS[kind][0]]
            ax.fill_between(
                moments / scale, floor - level, floor, color=colour, linewidth=0, step="post"
            )
            floor = floor - level


class LaneIntervals:
    """The intervals of all lanes, by kind.

    Parameters
    ----------
    steps : DataFrame
        Steps that send something.
    since : Timestamp or NaT
        When the first call was sent.

    Attributes
    ----------
    names : ndarray of object
        Connections, in the order of their first steps.
    lane : ndarray of int64
        Lane of each step.
    spans : dict of str to (lane, begin, end)
        Intervals of each kind, in seconds.
    end : float
        The last time stamp, in seconds.
    """

    def __init__(self, steps: pd.DataFrame, since: Any) -> None:
        self.lane, self.names = pd.factorize(
            schema.text_column(steps["vpn_connection_id"]).fillna("")
        )
        self.state = steps["state"].astype("str").to_numpy()
        into, out = state_intervals(steps, since)
        stamps = into[np.isfinite(into)]
        self.end = float(stamps.max(initial=0.0))
        self.into, self.out = np.minimum(into, self.end), np.minimum(out, self.end)
        self.sent = np.isfinite(into[:, 1])
        self.failed_at = np.where(self.state == "failed", into[:, 4], np.inf)
        self.spans = {
            "queue": self._queues(self.sent),
            "call": self._phase(1, self.sent & (self.state != "unknown")),
            "task": self._phase(2, np.isfinite(into[:, 2])),
            "doubt": self._phase(1, self.sent & (self.state == "unknown")),
            "wait": self._phase(3, np.isfinite(into[:, 3])),
        }
        self.kinds = [kind for kind, (lane, _, _) in self.spans.items() if len(lane)]

    def _phase(self, place: int, mask: Mask) -> tuple[I64, F64, F64]:
        return self.lane[mask], self.into[mask, place], self.out[mask, place]

    def _queues(self, sent: Mask) -> tuple[I64, F64, F64]:
        """Return the gaps in which a lane had remaining steps and none in flight."""
        stopped = self.out[:, 0]  # of a step that was never sent: skipped or still pending
        order = np.lexsort((-stopped, self.into[:, 1], self.lane))
        lane = self.lane[order]
        free = np.where(sent, self.out[:, 2], 0.0)[order]  # its task has ended, or it has failed
        first = np.append(True, lane[1:] != lane[:-1])[: len(lane)]
        since = np.where(first, 0.0, np.append(0.0, free[:-1])[: len(lane)])
        until = np.where(sent, self.into[:, 1], stopped)[order]
        # One pending step represents all others, because the lane has one queue.
        waits = until > since
        again = ~sent[order] & ~first & ~np.append(True, sent[order][:-1])[: len(lane)]
        keep = waits & ~again
        return lane[keep], since[keep], until[keep]

    def latest(self, top: int) -> I64:
        """Return the lanes that ended last, the last one first."""
        ends = np.zeros(len(self.names))
        np.maximum.at(ends, self.lane, np.where(self.sent, self.out[:, 2], 0.0))
        return np.lexsort((np.arange(len(ends)), -ends))[:top]

    def sentence(self, last: str) -> str:
        """Return a sentence: duration, how busy the lanes were, and the label of the last one."""
        spans = [self.spans[kind] for kind in ("call", "task", "doubt")]
        busy = sum(float((out - into).sum()) for _, into, out in spans)
        lanes = len(np.unique(self.lane[self.sent]))
        return (
            f"{pluralize(int(self.sent.sum()), 'step')} on {pluralize(lanes, 'connection')} in "
            f"{duration(self.end)}, each busy {_style.percent(busy, lanes * self.end)} of the "
            f"time; {last} ended last"
        )


# -- duration of calls --------------------------------------------------------------------------

#: Quantiles that a row shows: thin line, thick line, point.
_QUANTILES: Final = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}
#: Most failed calls of an operation that are drawn separately; the slowest.
_MAX_MARKED: Final = 2_000
#: Shorter calls are drawn with this duration in seconds, because the axis is logarithmic.
_SHORTEST: Final = 1e-5
#: Outcomes of failed calls: colour, mark, name.
_BAD_OUTCOMES: Final = {
    "refused": (STATES["failed"], "x", "refused"),
    "unknown": (STATES["unknown"], "D", "no answer (unknown)"),
}


def call_latency(calls: pd.DataFrame, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Show how long the calls of each operation took, and which calls failed.

    Parameters
    ----------
    calls : DataFrame
        From `Rollout.calls` or `Journal.calls`. Calls that have not ended are omitted.
    ax : Axes, optional
    title : str, optional
        By default a sentence with the main figures; "" for no title.

    Returns
    -------
    Axes
        A row per operation, the most called first, with time on a logarithmic axis: a line for 98 %
        of the calls, a thicker line for the middle half, a point at the median, and a mark for each
        call that was refused or had no answer. Beside it the number of calls, the median and the
        99th percentile.

    Raises
    ------
    InputError
        If a column is missing.

    See Also
    --------
    call_latency_data : The figures as a frame.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> calls = pd.DataFrame({"operation": "CreateVcoRouteEntry", "outcome": "ok",
    ...     "seconds": [0.03, 0.04, 0.05]})
    >>> call_latency(calls, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '3 calls: the median took 40 ms, 99 % at most 50 ms; all answered'
    """
    answered = _answered(calls)
    table = _by_operation(answered)
    ax = _style.new_axes(ax, height=max(2.5, 1.4 + 0.42 * len(table)))
    _style.despine(ax, grid="x")
    ax.set_xlabel("time from sending to answer, logarithmic")
    if not len(table):
        _style.title_and_legend(ax, title, "No calls were answered")
        return _style.annotate_empty(ax, "no calls to show")
    ax.set_xscale("log")
    ax.set_xlim(*_decades(table, answered["seconds"][answered["outcome"] != "ok"]))
    places = np.arange(len(table))
    colour = STATES["accepted"]
    ax.hlines(places, table["p01"], table["p99"], color=colour, linewidth=1.6, alpha=0.75)
    ax.hlines(places, table["p25"], table["p75"], color=colour, linewidth=7)
    ink = _style.text_color(ax)
    ax.plot(table["median"], places, "o", color=ink, markersize=4.5, label="median")
    handles, labels = _mark_bad_calls(ax, answered, list(table["operation"]))
    _style.label_rows(ax, table["operation"], limit=36)
    ax.xaxis.set_major_formatter(lambda value, _: duration(value))
    ax.xaxis.set_minor_formatter(lambda *_: "")
    right = _style.side_column(ax, "calls", [f"{count:,}" for count in table["calls"]])
    for name, header in (("median", "median"), ("p99", "99 %\nwithin")):
        cells = [duration(value) for value in table[name]]
        right = _style.side_column(ax, header, cells, left=right)
    handles, labels = [ax.lines[0], *handles], ["median", *labels]
    _style.title_and_legend(ax, title, _latency_sentence(answered), handles, labels, columns=right)
    return ax


def call_latency_data(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of `call_latency`.

    Parameters
    ----------
    calls : DataFrame
        As for the plot.

    Returns
    -------
    DataFrame
        One row for each operation, the most called first: operation; the number of calls, of
        refused calls, and of unknown calls, which had no answer (int64); and, in seconds (float64),
        the times within which 1, 25, 50, 75 and 99 % of them ended: p01, p25, median, p75, p99.

    Examples
    --------
    >>> calls = pd.DataFrame({"operation": "CreateVcoRouteEntry", "outcome": "ok",
    ...     "seconds": [0.03, 0.04, 0.05]})
    >>> call_latency_data(calls)[["operation", "calls", "refused", "unknown", "median"]]
                 operation  calls  refused  unknown  median
    0  CreateVcoRouteEntry      3        0        0    0.04
    """
    return _by_operation(_answered(calls))


def _answered(calls: pd.DataFrame) -> pd.DataFrame:
    """Return operation, seconds and outcome (ok, refused, unknown) of all ended calls."""
    needed = ("operation", "seconds", "outcome")
    _style.require_columns(calls, needed, what="calls", remedy=_CALLS_REMEDY)
    seconds = calls["seconds"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    outcome = schema.text_column(calls["outcome"]).fillna("unknown").to_numpy()
    table = pd.DataFrame(
        {
            "operation": schema.text_column(calls["operation"]).fillna("").to_numpy(),
            "seconds": np.maximum(seconds, _SHORTEST),
            "outcome": np.where(np.isin(outcome, ["ok", "unknown"]), outcome, "refused"),
        }
    )
    return table[np.isfinite(seconds)].reset_index(drop=True)


def _by_operation(answered: pd.DataFrame) -> pd.DataFrame:
    counts = answered["operation"].value_counts(sort=True)
    table = pd.DataFrame({"operation": counts.index.astype("str"), "calls": counts.to_numpy()})
    for name in _BAD_OUTCOMES:
        bad = answered["operation"][answered["outcome"] == name].value_counts()
        table[name] = bad.reindex(counts.index, fill_value=0).to_numpy(dtype=np.int64)
    groups = answered.groupby("operation")["seconds"]
    for name, part in _QUANTILES.items():
        table[name] = groups.quantile(part).reindex(counts.index).to_numpy(dtype=float)
    return table


def _mark_bad_calls(
    ax: Axes, table: pd.DataFrame, order: list[str]
) -> tuple[list[object], list[str]]:
    """Mark the failed calls, a little below their row."""
    handles: list[object] = []
    names = []
    row = {name: place for place, name in enumerate(order)}
    for outcome, (colour, mark, label) in _BAD_OUTCOMES.items():
        chosen = table[table["outcome"] == outcome].nlargest(_MAX_MARKED, "seconds")
        if len(chosen):
            places = chosen["operation"].map(row).to_numpy(dtype=float) + 0.24
            style: _style.Style = {
                "marker": mark,
                "color": colour,
                "s": 16,
                "linewidths": 1.1,
                "zorder": 3,
            }
            handles.append(ax.scatter(chosen["seconds"], places, label=outcome, **style))
            names.append(f"{label}: {int((table['outcome'] == outcome).sum()):,}")
    return handles, names


def _decades(table: pd.DataFrame, marked: pd.Series) -> tuple[float, float]:
    """Return the full decades that contain everything drawn, at least one."""
    drawn = np.log10(np.append(table[list(_QUANTILES)].to_numpy().ravel(), marked))
    low, high = np.floor(drawn.min()), np.ceil(drawn.max())
    return 10.0**low, 10.0 ** max(high, low + 1)


def _latency_sentence(table: pd.DataFrame) -> str:
    bad = int((table["outcome"] != "ok").sum())
    answered = "all answered" if not bad else f"{bad:,} refused or without an answer"
    median, high = np.quantile(table["seconds"], (0.5, 0.99))
    return (
        f"{pluralize(len(table), 'call')}: the median took {duration(median)}, "
        f"99 % at most {duration(high)}; {answered}"
    )
