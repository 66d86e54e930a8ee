"""How long calls took, by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import duration, pluralize
from vcokit.palette import STATES
from vcokit.plots import canvas
from vcokit.plots.moments import CALLS, F64

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Shares of the calls that a row shows: thin line, thick line, point.
_QUANTILES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
#: Calls of an operation that are drawn one by one when they were not answered well; the slowest.
_MARKED: Final = 2_000
#: Shorter calls are drawn as this long, seconds: the axis is logarithmic.
_SHORTEST: Final = 1e-5
#: What came of calls: colour, mark, name.
_OTHERS: Final = {
    "refused": (STATES["failed"], "x", "refused"),
    "unknown": (STATES["unknown"], "D", "no answer (unknown)"),
}


def call_latency(calls: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show how long the calls of each operation took, and which were not answered well.

    Parameters
    ----------
    calls : DataFrame
        From `Rollout.calls` or `Journal.calls`. Calls that are still out are left out.
    ax : Axes, optional

    Returns
    -------
    Axes
        A row an operation, the most called first, time on a logarithmic axis: a line over 98 % of
        the calls, a thicker one over the middle half, a point at the median; a mark for each call
        that was refused or had no answer. Beside it calls, median and the 99th percentile.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> calls = pd.DataFrame({"operation": "CreateVcoRouteEntry", "outcome": "ok",
    ...     "seconds": [0.03, 0.04, 0.05]})
    >>> call_latency(calls, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '3 calls: the median took 40 ms, 99 % at most 50 ms; all answered'
    """
    needed = ("operation", "seconds", "outcome")
    canvas.require(calls, needed, what="calls", remedy=CALLS)
    seconds = calls["seconds"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    ended = np.isfinite(seconds)
    table = pd.DataFrame(
        {
            "operation": schema.text_column(calls["operation"]).fillna("").to_numpy()[ended],
            "seconds": np.maximum(seconds[ended], _SHORTEST),
            "outcome": _outcomes(calls["outcome"])[ended],
        }
    )
    order = table["operation"].value_counts(sort=True).index
    ax = canvas.axes(ax, height=max(2.4, 1.3 + 0.42 * len(order)))
    canvas.quiet(ax, grid="x")
    ax.set_xlabel("time from sending to answer, logarithmic")
    if not len(table):
        canvas.head(ax, "No calls were answered")
        return canvas.say_empty(ax, "no calls to show")
    _draw(ax, table, list(order))
    return ax


def _outcomes(column: pd.Series) -> np.ndarray:
    """Return ok, unknown or refused a call."""
    outcome = schema.text_column(column).fillna("unknown").to_numpy()
    return np.where(np.isin(outcome, ["ok", "unknown"]), outcome, "refused")


def _draw(ax: Axes, table: pd.DataFrame, order: list[str]) -> None:
    groups = table.groupby("operation")["seconds"]
    quantiles = np.array([np.quantile(groups.get_group(name), _QUANTILES) for name in order])
    ax.set_xscale("log")
    ax.set_xlim(*_decades(quantiles, table["seconds"][table["outcome"] != "ok"]))
    places = np.arange(len(order))
    low, first, median, third, high = quantiles.T
    colour = STATES["accepted"]
    ax.hlines(places, low, high, color=colour, linewidth=1.6, alpha=0.75)
    ax.hlines(places, first, third, color=colour, linewidth=7)
    ax.plot(median, places, "o", color=canvas.ink(ax), markersize=4.5, label="median")
    handles, names = _marks(ax, table, order)
    canvas.row_names(ax, order, limit=36)
    ax.xaxis.set_major_formatter(lambda value, _: duration(value))
    ax.xaxis.set_minor_formatter(lambda *_: "")
    sizes = [f"{len(groups.get_group(name)):,}" for name in order]
    canvas.column(ax, "calls", sizes, left=0, width=46)
    canvas.column(ax, "median", [duration(value) for value in median], left=42, width=54)
    canvas.column(ax, "99 % within", [duration(value) for value in high], left=94, width=62)
    canvas.head(ax, _title(table), [ax.lines[0], *handles], ["median", *names], columns=156)


def _marks(ax: Axes, table: pd.DataFrame, order: list[str]) -> tuple[list[object], list[str]]:
    """Mark the calls that were not answered well, a little below their row."""
    handles: list[object] = []
    names = []
    row = {name: place for place, name in enumerate(order)}
    for outcome, (colour, mark, said) in _OTHERS.items():
        chosen = table[table["outcome"] == outcome].nlargest(_MARKED, "seconds")
        if len(chosen):
            places = chosen["operation"].map(row).to_numpy(dtype=float) + 0.24
            style: canvas.Style = {
                "marker": mark,
                "color": colour,
                "s": 16,
                "linewidths": 1.1,
                "zorder": 3,
            }
            handles.append(ax.scatter(chosen["seconds"], places, label=outcome, **style))
            names.append(f"{said}: {int((table['outcome'] == outcome).sum()):,}")
    return handles, names


def _decades(quantiles: F64, marked: pd.Series) -> tuple[float, float]:
    """Return the whole decades in which all that is drawn lies, at least one."""
    drawn = np.log10(np.append(quantiles.ravel(), marked))
    low, high = np.floor(drawn.min()), np.ceil(drawn.max())
    return 10.0**low, 10.0 ** max(high, low + 1)


def _title(table: pd.DataFrame) -> str:
    bad = int((table["outcome"] != "ok").sum())
    said = "all answered" if not bad else f"{bad:,} refused or without an answer"
    median, high = np.quantile(table["seconds"], (0.5, 0.99))
    return (
        f"{pluralize(len(table), 'call')}: the median took {duration(median)}, "
        f"99 % at most {duration(high)}; {said}"
    )
