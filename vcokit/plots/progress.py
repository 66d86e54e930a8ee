"""How a rollout went on: its steps by state over time, beside what was possible and thought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit._text import duration, pluralize
from vcokit.palette import STATES
from vcokit.plots import canvas
from vcokit.plots.figures import unit
from vcokit.plots.moments import F64, begin, layers, sending
from vcokit.rollout.steps import OPERATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vcokit.cloud.operations import Limit
    from vcokit.rollout.forecast import Forecast

#: States from the bottom of the plot to its top.
STACK: Final = (
    "done",
    "failed",
    "skipped",
    "settled",
    "accepted",
    "unknown",
    "sent",
    "pending",
)
#: Moments drawn at most: more than a figure has dots across.
_MOMENTS: Final = 1_600


def rollout_progress(
    steps: pd.DataFrame,
    ax: Axes | None = None,
    *,
    forecast: Forecast | None = None,
    limits: Mapping[str, Limit] | None = None,
) -> Axes:
    """Show in which state the steps of a rollout were, over time.

    Parameters
    ----------
    steps : DataFrame
        From `Rollout.frame` or `Journal.steps`. Steps that send nothing (keep, blocked) are left
        out.
    ax : Axes, optional
    forecast : Forecast, optional
        From `vcokit.forecast` of the same plan: a dashed line of the steps it thinks done.
    limits : mapping of str to Limit, optional
        ``client.limits``: a dotted line of the calls that the cloud's limits, which hold per
        account, region and operation, let through at most.

    Returns
    -------
    Axes
        Stacked areas: steps by state against time since the first call.

    Raises
    ------
    InputError
        If a column is missing.

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
    ax = canvas.axes(ax, height=3.6)
    canvas.quiet(ax)
    ax.set_ylabel("steps")
    sends = sending(steps)
    since = begin(sends)
    if not len(sends):
        canvas.head(ax, "0 of 0 steps done")
        ax.set_xlabel("time since the first call")
        return canvas.say_empty(ax, "no steps that send anything")
    moments, counts = layers(sends, since, _MOMENTS)
    ends = [moments[-1], _last(forecast)]
    name, scale = unit(max(ends))
    _areas(ax, moments / scale, counts)
    lines = [
        _forecast_line(ax, forecast, scale),
        _limit_line(ax, sends, limits, scale, max(ends)),
    ]
    ax.set_xlim(0, max(ends) / scale or 1)
    ax.set_ylim(0, len(sends))
    canvas.whole(ax.yaxis)
    ax.set_xlabel(f"time since the first call, {name}")
    drawn = [state for state in STACK if counts[state].any()]
    handles = [canvas.patch(STATES[state]) for state in drawn]
    there = [line for line in lines if line is not None]
    names = [*drawn, *(str(line.get_label()) for line in there)]
    canvas.head(ax, _title(sends, moments[-1], forecast), [*handles, *there], names)
    return ax


def _areas(ax: Axes, moments: F64, counts: dict[str, F64]) -> None:
    drawn = [state for state in STACK if counts[state].any()]
    ax.stackplot(
        moments,
        [counts[state] for state in drawn],
        colors=[STATES[state] for state in drawn],
        labels=drawn,
        step="post",
        linewidth=0,
    )


def _last(forecast: Forecast | None) -> float:
    """Return when a forecast's last step is done, seconds since its first call."""
    if forecast is None or not len(forecast.times):
        return 0.0
    return float(forecast.times["done"].max() - forecast.times["sent"].min())


def _forecast_line(ax: Axes, forecast: Forecast | None, scale: float) -> Any:
    if forecast is None or not len(forecast.times):
        return None
    done = np.sort(forecast.times["done"].dropna().to_numpy(dtype=float))
    at = np.append(0.0, np.maximum(done - float(forecast.times["sent"].min()), 0.0)) / scale
    return _line(ax, at, np.arange(len(at)), "--", "forecast: done", drawstyle="steps-post")


def _limit_line(
    ax: Axes,
    steps: pd.DataFrame,
    limits: Mapping[str, Limit] | None,
    scale: float,
    end: float,
) -> Any:
    """Draw the calls that have been possible at each moment: a window's worth at once, then so
    many a window, until an operation has no more steps in a region.
    """
    if limits is None:
        return None
    groups = steps.groupby(["region_id", "action"], observed=True, dropna=False).size()
    at = np.linspace(0.0, max(end, 1e-9), _MOMENTS)
    possible = np.zeros(len(at))
    for action, count in zip(groups.index.get_level_values("action"), groups, strict=True):
        limit = limits[OPERATION[str(action)]]
        windows = 1 + np.floor(at / limit.seconds)
        possible += np.minimum(limit.calls * windows, count)
    return _line(ax, at / scale, possible, ":", "limit: calls let through")


def _line(ax: Axes, x: F64, y: Any, style: str, label: str, **more: Any) -> Any:
    """Draw a line that stands out from areas of any colour."""
    under: canvas.Style = {"color": ax.get_facecolor(), "linewidth": 3.4, "alpha": 0.55}
    ax.plot(x, y, "-", **under, **more)
    look: canvas.Style = {"color": canvas.ink(ax), "linewidth": 1.4, "label": label}
    return ax.plot(x, y, style, **look, **more)[0]


def _title(steps: pd.DataFrame, end: float, forecast: Forecast | None) -> str:
    state = steps["state"].astype("str")
    states = state.value_counts()
    said = [f"{states[name]:,} {name}" for name in reversed(STACK[1:]) if name in states]
    text = (
        f"{states.get('done', 0):,} of {pluralize(len(steps), 'step')} done after {duration(end)}"
    )
    if forecast is not None:
        text += f" (forecast: {duration(_last(forecast))})"
    return ", ".join([text, *said])
