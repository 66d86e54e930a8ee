"""How long the prefixes of an inventory are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from vcokit._text import pluralize
from vcokit.cidr.parse import I64
from vcokit.cidr.relations import HOSTS
from vcokit.cidr.sets import aggregate
from vcokit.palette import STATES, WEIGHTS
from vcokit.plots import canvas
from vcokit.plots.columns import Rows, read
from vcokit.plots.figures import share, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LENGTHS: Final = 33
#: Room that a number above a bar, and a name below it, needs, points.
_NUMBER: Final = 17
_TICK: Final = 22
#: What is stacked from below: colour and name.
_PARTS: Final = {
    "active": (WEIGHTS["active"], "active (weight 100)"),
    "standby": (WEIGHTS["standby"], "standby (weight 0)"),
    "other": (STATES["blocked"], "another weight"),
}


def prefix_lengths(routes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show how many routes have a prefix of each length, by weight.

    Parameters
    ----------
    routes : DataFrame
        Routes, planned steps or live routes: with vpn_connection_id, route_dest and weight. Rows
        without an IPv4 prefix, or with a /0, are counted in the title and left out.
    ax : Axes, optional

    Returns
    -------
    Axes
        A bar a length from /1 to /32, its number of routes above it.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> routes = pd.DataFrame({"vpn_connection_id": "vco-a", "weight": 100,
    ...     "route_dest": ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8"]})
    >>> prefix_lengths(routes, Figure(figsize=(14, 4)).subplots()).get_title("left")
    '3 routes to 16.8 M addresses: 67 % are /24, 100 % of the addresses are in a /8'
    """
    rows = read(routes)
    ax = canvas.axes(ax, height=3.4)
    canvas.quiet(ax, grid="y")
    ax.set_xlabel("prefix length, bits")
    ax.set_ylabel("routes")
    good = rows.take(rows.valid)
    if not len(good.length):
        canvas.head(ax, "No routes with an IPv4 prefix")
        return canvas.say_empty(ax, "no prefixes to show")
    parts = _counts(good)
    _bars(ax, parts)
    names = [name for name in _PARTS if parts[name].any()]
    handles = [canvas.patch(_PARTS[name][0]) for name in names]
    title = _title(good, np.sum(list(parts.values()), axis=0), len(rows.length))
    canvas.head(ax, title, handles, [_PARTS[name][1] for name in names])
    return ax


def _counts(rows: Rows) -> dict[str, I64]:
    masks = {"active": rows.active, "standby": rows.standby, "other": ~rows.active & ~rows.standby}
    return {
        name: np.bincount(rows.length[mask], minlength=_LENGTHS) for name, mask in masks.items()
    }


def _bars(ax: Axes, parts: dict[str, I64]) -> None:
    places = np.arange(_LENGTHS)
    bottom = np.zeros(_LENGTHS, dtype=np.int64)
    for name, counts in parts.items():
        if counts.any():
            ax.bar(places, counts, bottom=bottom, color=_PARTS[name][0], width=0.8, label=name)
            bottom = bottom + counts
    used = np.flatnonzero(bottom)
    first = max(0, min(int(used[0]) - 1, 8))
    room = canvas.width(ax) / (_LENGTHS - first)
    for place in used if room > _NUMBER else ():
        above: canvas.Style = {"textcoords": "offset points", "ha": "center", "va": "bottom"}
        text = short(int(bottom[place])).replace(" ", "")
        ax.annotate(
            text, (place, bottom[place]), (0, 2), color=canvas.ink(ax), fontsize=6.5, **above
        )
    ax.set_xlim(first - 0.6, _LENGTHS - 0.4)
    apart = next(step for step in (1, 2, 4, 8) if step * room > _TICK or step == 8)
    ax.set_xticks(range(-(-first // apart) * apart, _LENGTHS, apart))
    ax.xaxis.set_major_formatter(lambda value, _: f"/{value:.0f}")
    canvas.whole(ax.yaxis)
    ax.yaxis.set_major_formatter(lambda value, _: short(value))
    ax.margins(y=0.1)


def _title(rows: Rows, total: I64, given: int) -> str:
    """Say what most prefixes are, and where most addresses are."""
    length = aggregate(rows.network, rows.length)[1]
    held = float((HOSTS.take(length) + np.uint64(1)).sum())
    by_length = [_held(rows, bits) for bits in range(_LENGTHS)]
    most, widest = int(np.argmax(total)), int(np.argmax(by_length))
    count = int(total.sum())
    part = share(by_length[widest], held)
    left_out = f"; {pluralize(given - count, 'row')} left out" if given > count else ""
    return (
        f"{pluralize(count, 'route')} to {short(held)} addresses: "
        f"{share(int(total[most]), count)} are /{most}, "
        f"{part} of the addresses are in a /{widest}{left_out}"
    )


def _held(rows: Rows, bits: int) -> float:
    """Return how many addresses the prefixes of a length hold, each once."""
    network = np.unique(rows.network[rows.length == bits])
    return float(len(network)) * float(1 << (32 - bits))
