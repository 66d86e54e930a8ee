"""What all plots share: axes to draw on, a head that says the finding, quiet axes, "nothing here".

::

    title: the finding in figures                 wrapped to the width that there is
    ■ name  ■ name                                legend, in rows
    ┌──────────────────────────┐
    │ data                     │ column  column   `columns`: text beside the rows of a bar chart
    └──────────────────────────┘

Colours of text and lines are those the axes were made with (`ink`), not today's settings: axes
made under a dark style stay readable when they are drawn on after it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pandas as pd

from vcokit.errors import InputError
from vcokit.plots import lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Looks of an artist, by matplotlib's names.
Style: TypeAlias = dict[str, Any]

#: Sizes of text, points.
TITLE: Final = 10.5
TEXT: Final = 8.5
ROW: Final = 7.5
#: Width of a letter of the title and of a legend, as a share of its size.
_LETTER: Final = 0.57
#: Room that a layout leaves for an axis and its label, points.
_AXIS: Final = 22
#: Width of a legend's patch and the gaps around it, letters.
_PATCH: Final = 6
_LINE: Final = 1.45
_NUMBER: Final = re.compile(r"([0-9]) (?=(?:%|k|M|bn|ms|s|min|h)(?![a-z]))")
#: What is left of the width of axes in a grid when a layout has made room for all names.
_BESIDE_OTHERS: Final = 0.8
#: Height of the heads of columns, points.
_HEADS: Final = 25


def axes(ax: Axes | None, *, height: float, width: float = 9.0) -> Axes:
    """Return the axes given, or those of a new figure.

    Parameters
    ----------
    ax : Axes or None
    height, width : float
        Of the new figure, inches.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot

    made: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    return made


def ink(ax: Axes) -> Any:
    """Return the colour of the text of these axes."""
    return ax.xaxis.label.get_color()


def check_top(top: object) -> None:
    """Refuse what is no number of rows.

    Raises
    ------
    InputError
    """
    if isinstance(top, bool) or not isinstance(top, Integral) or top < 1:
        raise InputError(f"top={top!r}", remedy="Write how many to show, from 1")


def require(frame: pd.DataFrame, names: Iterable[str], *, what: str, remedy: str) -> None:
    """Refuse what is no frame with some columns, and say where to get one.

    Raises
    ------
    InputError
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{what} must be a DataFrame, not {type(frame).__name__}", remedy=remedy)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"{what} lacks the columns {', '.join(missing)}", remedy=remedy)


def rows_height(rows: int) -> float:
    """Return the height of a figure with so many rows of bars, inches.

    Examples
    --------
    >>> rows_height(24) > rows_height(3) >= 2
    True
    """
    return max(2.4, 1.3 + 0.2 * rows)


def head(
    ax: Axes,
    title: str,
    handles: Sequence[Any] = (),
    names: Sequence[str] = (),
    *,
    columns: float = 0,
) -> None:
    """Write the title, and below it the legend; rows and columns have their names by then.

    Parameters
    ----------
    ax : Axes
    title : str
    handles : sequence of Artist
        Of the legend.
    names : sequence of str
        One a handle.
    columns : float
        Width of the columns of figures to the right, points; their heads stand beside the legend.
    """
    room = width(ax)
    legend_rows = _legend(ax, handles, names, room - columns) if len(handles) else 0
    letters = max(20, int(room / (TITLE * _LETTER)))
    # A number stays on the line of its unit.
    kept = _NUMBER.sub("\\1\N{NO-BREAK SPACE}", title)
    wrapped = textwrap.fill(kept, letters, break_on_hyphens=False)
    wrapped = wrapped.replace("\N{NO-BREAK SPACE}", " ")
    pad = max(7 + legend_rows * TEXT * _LINE, _HEADS if columns else 0)
    lettering.plain(ax.set_title(wrapped, loc="left", fontsize=TITLE, pad=pad), wrapped)


def width(ax: Axes) -> float:
    """Return the points from the left edge of the axes to the end of the room they have.

    A layout that is made when the figure is drawn will put the edge beside the names of the rows.
    """
    figure: Any = ax.get_figure(root=True)
    points = 72 / figure.dpi
    if len(figure.axes) > 1:
        return float(ax.bbox.width * points * _BESIDE_OTHERS)
    if figure.get_layout_engine() is None:
        return float((figure.bbox.x1 - ax.bbox.x0) * points)
    names = [label.get_text() for label in ax.get_yticklabels()]
    left = _AXIS + max(map(lettering.wide, names), default=0.0) * ROW * _LETTER
    return float(figure.bbox.width * points - left)


def _legend(ax: Axes, handles: Sequence[Any], names: Sequence[str], room: float) -> int:
    widths = [(lettering.wide(name) + _PATCH) * TEXT * _LETTER for name in names]
    columns = max(1, min(len(names), int(room / max(widths))))
    if sum(widths) <= room:
        columns = len(names)
    legend = ax.legend(
        handles,
        list(names),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=TEXT,
        labelcolor=ink(ax),
        borderaxespad=0.15,
        borderpad=0,
        handlelength=1.1,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.3,
        scatterpoints=1,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        lettering.plain(text, name)
    return -(-len(names) // columns)


def patch(colour: str, **style: Any) -> Any:
    """Return a patch of a colour, for a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, **style)


def quiet(ax: Axes, *, grid: str = "") -> None:
    """Leave the left and lower spine and, along ``x`` or ``y``, faint lines behind the data."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=TEXT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(TEXT)
    if grid:
        ax.grid(axis=grid, color=ink(ax), alpha=0.14, linewidth=0.7)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def whole(axis: Any) -> None:
    """Put ticks of an axis at whole numbers only, written with commas."""
    axis.get_major_locator().set_params(integer=True)
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def row_names(
    ax: Axes, names: Iterable[object], *, limit: int = lettering.LIMIT, tall: float = 1.0
) -> None:
    """Name the rows 0, 1, … from above, in text that comes from outside.

    Parameters
    ----------
    ax : Axes
    names : iterable of str
    limit : int
        Letters shown; what is longer loses its middle, or what it has in common with others.
    tall : float
        Height of the last row, rows.
    """
    shown = lettering.distinct(names, limit)
    places = [*range(len(shown) - 1), len(shown) - 1 + (tall - 1) / 2]
    ax.set_yticks(places, shown)
    for tick, text in zip(ax.yaxis.get_major_ticks(), shown, strict=True):
        for label in (tick.label1, tick.label2):
            label.set_fontsize(ROW)
            lettering.plain(label, text, mono=True)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(shown) - 1.4 + tall, -0.6)


def column(ax: Axes, name: str, cells: Sequence[str], *, left: float, width: float = 58) -> None:
    """Write a column of figures to the right of the rows.

    Parameters
    ----------
    ax : Axes
    name : str
        Its head; may have line breaks.
    cells : sequence of str
        One a row, right-aligned.
    left, width : float
        Where it begins, from the right spine, and how wide it is; points.
    """
    style: Style = {"textcoords": "offset points", "ha": "right", "color": ink(ax), "fontsize": ROW}
    across = ax.get_yaxis_transform()
    for row, cell in enumerate(cells):
        ax.annotate(cell, (1, row), (left + width, 0), xycoords=across, va="center", **style)
    corner = ((1, 1), (left + width, 3))
    ax.annotate(name, *corner, xycoords="axes fraction", va="bottom", alpha=0.75, **style)


def say_empty(ax: Axes, what: str) -> Axes:
    """Say in the middle of the axes that there is nothing to show."""
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)
    text = ax.text(0.5, 0.5, what, transform=ax.transAxes, ha="center", va="center")
    text.set(color=ink(ax), alpha=0.75, fontsize=TITLE)
    return ax
