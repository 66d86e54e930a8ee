"""The forecast of a plan as a picture: when each connection is busy.

It is drawn on `matplotlib.figure.Figure`, because pyplot has a current figure, which a callback
must not change.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import pandas as pd

from vcokit._text import printable
from vcokit.palette import STATES
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.plan import Plan

#: Number of connections that are drawn: those that end last.
TOP: Final = 24
_INK: Final = "#7d8590"  # readable on white and on black


def lanes_by_end(plan: Plan, forecast: Forecast) -> pd.DataFrame:
    """Return the forecast's steps by connection; the connection that ends last is first.

    Returns
    -------
    DataFrame
        vpn_connection_id, sent, settled, done; times in seconds since the start.
    """
    lane = plan.steps.set_index("step")["vpn_connection_id"]
    times = forecast.times.assign(vpn_connection_id=forecast.times["step"].map(lane))
    end = times.groupby("vpn_connection_id")["settled"].max().rename("end")
    times = times.join(end, on="vpn_connection_id")
    order = ["end", "vpn_connection_id", "sent"]
    return times.sort_values(order, ascending=[False, True, True], ignore_index=True)


def timeline_png(plan: Plan, forecast: Forecast, *, top: int = TOP) -> bytes:
    """Return the picture: one line per connection, a bar from each call to the end of its task.

    Parameters
    ----------
    plan : Plan
    forecast : Forecast
        Forecast of this plan.
    top : int
        Most connections that are drawn.
    """
    from matplotlib.figure import Figure

    times = lanes_by_end(plan, forecast)
    names = list(times["vpn_connection_id"].unique())
    drawn = names[:top]
    figure = Figure(figsize=(9.5, 1.1 + 0.2 * max(3, len(drawn))), layout="constrained", dpi=100)
    figure.patch.set_alpha(0.0)
    ax = figure.subplots()
    scale, unit = (60.0, "minutes") if forecast.seconds > 120 else (1.0, "seconds")
    shown = times[times["vpn_connection_id"].isin(drawn)]
    place = shown["vpn_connection_id"].map({name: at for at, name in enumerate(drawn)})
    begin, until = shown["sent"] / scale, shown["settled"] / scale
    ax.hlines(place, begin, until, color=STATES["accepted"], linewidth=7, capstyle="butt")
    last = until.groupby(place).max()
    ax.hlines(last.index, 0, last, color=_INK, linewidth=0.7, alpha=0.4, zorder=0.5)
    ax.set_yticks(range(len(drawn)), [printable(name) for name in drawn])
    ax.invert_yaxis()
    ax.set_xlim(0, max(forecast.seconds / scale, 1e-9))
    ax.set_xlabel(f"{unit} since the start", fontsize=8)
    ax.set_title(_title(names, drawn), loc="left", fontsize=8, color=_INK)
    _for_light_and_dark(ax)
    out = BytesIO()
    figure.savefig(out, format="png", transparent=True)
    return out.getvalue()


def _title(names: list[str], drawn: list[str]) -> str:
    title = "Blue: a call and its task"
    if len(drawn) == len(names):
        return title
    return f"{title}. Shown are the {len(drawn)} connections that end last, of {len(names):,}"


def _for_light_and_dark(ax: Any) -> None:
    ax.patch.set_alpha(0.0)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    ax.tick_params(colors=_INK, labelsize=8)
    for label in ax.get_yticklabels():
        label.set(fontfamily="monospace", fontsize=7, parse_math=False)
    ax.xaxis.label.set_color(_INK)
