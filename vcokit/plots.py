"""Pictures of routes and rollouts.

Each takes a frame and ``ax=None``, and returns the `matplotlib.axes.Axes` it drew on. Without an
``ax`` it makes a new figure by pyplot, so that a notebook shows it; nothing is ever shown or
styled globally. Colours are those of `vcokit.colours`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.facts import ACTIVE, STANDBY
from vcokit.colours import STATES, WEIGHTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: States from the bottom of the progress plot to its top.
_STACK: Final = ("done", "failed", "skipped", "settled", "accepted", "sent", "pending")


def weight_distribution(routes: pd.DataFrame, ax: Axes | None = None, *, top: int = 24) -> Axes:
    """Show how many active and standby routes each connection has.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        whose weight is neither 100 nor 0 are left out.
    ax : Axes, optional
    top : int
        Connections shown, those with the most routes; the rest is summed up in one bar.

    Returns
    -------
    Axes
        A horizontal bar a connection, in routes: active to the right, standby to the left.
    """
    ax = ax or _new_axes(height=6.2)
    counts = _by_weight(routes)
    shown = counts.head(top)
    rest = counts.iloc[top:]
    labels = list(shown.index)
    if len(rest):
        labels.append(f"{len(rest)} others, mean")
        shown = pd.concat([shown, rest.mean().to_frame().T])
    places = np.arange(len(shown))
    ax.barh(places, shown["active"], color=WEIGHTS["active"], label="active (weight 100)")
    ax.barh(places, -shown["standby"], color=WEIGHTS["standby"], label="standby (weight 0)")
    ax.set_yticks(places, labels, fontsize=7, family="monospace")
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    ax.set_xlabel("routes")
    ax.set_title(_weight_title(routes, counts), loc="left", fontsize=10)
    _tidy(ax)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    return ax


def _by_weight(routes: pd.DataFrame) -> pd.DataFrame:
    """Count routes by connection and weight, most first."""
    schema.require_columns(routes, ("vpn_connection_id", "route_dest", "weight"), what="routes")
    connection = schema.text_column(routes["vpn_connection_id"])
    weight, _ = schema.split_weight(routes["weight"])
    counts = pd.DataFrame(
        {
            "active": (weight == ACTIVE).fillna(False).groupby(connection).sum(),
            "standby": (weight == STANDBY).fillna(False).groupby(connection).sum(),
        }
    ).astype("int64")
    total = counts.sum(axis=1).rename("total")
    order = total.to_frame().assign(name=total.index)
    return counts.loc[order.sort_values(["total", "name"], ascending=[False, True]).index]


def _weight_title(routes: pd.DataFrame, counts: pd.DataFrame) -> str:
    weight, _ = schema.split_weight(routes["weight"])
    names = [name for name in ("region_id", "route_dest") if name in routes.columns]
    there = pd.MultiIndex.from_frame(routes[names].reset_index(drop=True))
    active = there[(weight == ACTIVE).fillna(False).to_numpy(dtype=bool)].unique()
    backed = active.intersection(there[(weight == STANDBY).fillna(False).to_numpy(dtype=bool)])
    share = f"{len(backed) / len(active):.0%}" if len(active) else "none"
    return (
        f"{counts['active'].sum():,} active and {counts['standby'].sum():,} standby routes on "
        f"{len(counts):,} connections; {share} of active destinations have a standby"
    )


def rollout_progress(steps: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show in which state the steps of a rollout were, over time.

    Parameters
    ----------
    steps : DataFrame
        From `Rollout.frame` or `Journal.steps`. Steps that send nothing (keep, blocked) are left
        out.
    ax : Axes, optional

    Returns
    -------
    Axes
        Stacked areas: steps by state against time since the first call.
    """
    ax = ax or _new_axes(height=3.6)
    sends = steps[steps["action"].isin(["create", "modify", "delete"])]
    seconds, layers = _layers(sends)
    unit, scale = _unit(seconds[-1] if len(seconds) else 0.0)
    drawn = [state for state in _STACK if layers[state].any()]
    if drawn:
        ax.stackplot(
            seconds / scale,
            [layers[state] for state in drawn],
            colors=[STATES[state] for state in drawn],
            labels=drawn,
            step="post",
        )
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.set_xlim(0, max(seconds[-1] / scale, 1e-9) if len(seconds) else 1)
    ax.set_ylim(0, max(len(sends), 1))
    ax.set_xlabel(f"time since the first call, {unit}")
    ax.set_ylabel("steps")
    ended = int(sends["state"].isin(["done"]).sum())
    ax.set_title(f"{ended:,} of {len(sends):,} steps done", loc="left", fontsize=10)
    _tidy(ax)
    return ax


def _layers(steps: pd.DataFrame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return moments, and the number of steps in each state from each moment on.

    A step is in a state from the state's own stamp to the next stamp it has; stamps of states it
    did not pass through are missing.
    """
    stamps = steps[["sent_at", "accepted_at", "settled_at", "ended_at"]]
    begin = stamps["sent_at"].min()
    times = np.full((len(steps), 6), np.inf)
    times[:, 0] = 0.0
    if not pd.isna(begin):
        for place, name in enumerate(stamps, start=1):
            seconds = (stamps[name] - begin).dt.total_seconds().to_numpy(dtype=float)
            times[:, place] = np.where(np.isnan(seconds), np.inf, np.maximum(seconds, 0.0))
    moments = np.unique(times[np.isfinite(times)]) if len(steps) else np.zeros(1)
    until = np.minimum.accumulate(times[:, ::-1], axis=1)[:, ::-1]
    layers = {
        state: _present(times[:, place], until[:, place + 1], moments)
        for place, state in enumerate(("pending", "sent", "accepted", "settled"))
    }
    for state in ("done", "failed", "skipped"):
        mine = (steps["state"] == state).to_numpy()
        layers[state] = _present(times[mine, 4], times[mine, 5], moments)
    return moments, layers


def _present(begin: np.ndarray, end: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Count, at each moment, the intervals that have begun and not ended."""
    there = np.isfinite(begin)
    begun = np.searchsorted(np.sort(begin[there]), moments, side="right")
    ended = np.searchsorted(np.sort(np.maximum(begin, end)[there]), moments, side="right")
    return (begun - ended).astype(float)


def _unit(seconds: float) -> tuple[str, float]:
    if seconds > 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if seconds > 120 else ("seconds", 1.0)


def _new_axes(height: float) -> Any:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(9.0, height), layout="constrained")[1]


def _tidy(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=8)
