"""Shared parts of all plots: axes, title, legend, row labels, colours, external text, numbers.

::

    title: the result in figures                  wrapped to the available width
    ■ name  ■ name                                legend, in rows
    ┌──────────────────────────┐
    │ data                     │ column  column   `side_column`: text beside the rows of a bar chart
    └──────────────────────────┘

Text and lines have the colours that the axes were made with (`text_color`), not those of the
current settings: axes made with a dark style stay readable when something is drawn on them later.

Three features of matplotlib affect external text: ``$`` starts mathematics (and an incomplete
formula raises an exception), a setting sends all text through TeX, and a letter that no font has is
drawn as a box, with a warning. `set_literal` and `shorten` prevent this.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate, takewhile, zip_longest
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unicodedata import east_asian_width

import pandas as pd

from vcokit._text import printable
from vcokit.errors import InputError
from vcokit.palette import STATES, STATES_ON_DARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_log: Final = logging.getLogger("vcokit.plots")

#: Style of an artist, by matplotlib's names.
Style: TypeAlias = dict[str, Any]

#: Sizes of text in points.
TITLE: Final = 11
TEXT: Final = 9
ROW: Final = 8.5
#: Most characters of a name that are shown; the vendor's connection ids have 25.
LIMIT: Final = 28
#: Space that a layout reserves for an axis and its label, in points.
_AXIS: Final = 22
#: Estimated part of the width of axes in a grid that remains beside all names.
_BESIDE_OTHERS: Final = 0.6
#: At a low resolution, letters are widened to whole dots: the part of a width that remains usable.
_HINTED: Final = 0.93
#: Attribute of axes in a grid: a function that fits title and legend to a width, and the width of
#: the columns.
_PLACE: Final = "_vcokit_place"


# -- axes ------------------------------------------------------------------------------------------


def new_axes(ax: Axes | None, *, height: float, width: float = 9.0) -> Axes:
    """Return the given axes, or those of a new figure of this size in inches.

    A grid of subplots without a layout gets matplotlib's "constrained" layout, so that the names
    beside one plot do not overlap the next plot.
    """
    if ax is None:
        from matplotlib import pyplot

        made: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
        return made
    figure: Any = ax.get_figure(root=True)
    if figure.get_layout_engine() is None and ax.get_subplotspec() is not None:
        figure.set_layout_engine("constrained")
    return ax


def text_color(ax: Axes) -> Any:
    """Return the text colour of these axes."""
    return ax.xaxis.label.get_color()


def is_dark(ax: Axes) -> bool:
    """Return whether these axes have light text, which means a dark background."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(text_color(ax))
    return 0.3 * red + 0.6 * green + 0.1 * blue > 0.5


def state_colors(ax: Axes) -> Mapping[str, str]:
    """Return the colour of each state on these axes."""
    return STATES_ON_DARK if is_dark(ax) else STATES


def check_top(top: object) -> None:
    """Refuse an invalid number of rows.

    Raises
    ------
    InputError
    """
    if isinstance(top, bool) or not isinstance(top, Integral) or top < 1:
        raise InputError(f"top={top!r}", remedy="Write how many to show, from 1")


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str, remedy: str) -> None:
    """Refuse a value that is not a frame with these columns; the error names where to get one.

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
    """Return the height in inches of a figure with a number of rows of bars.

    Examples
    --------
    >>> rows_height(24) > rows_height(3) >= 2
    True
    """
    return max(2.5, 1.4 + 0.21 * rows)


def despine(ax: Axes, *, grid: str = "") -> None:
    """Keep only the left and lower spines; add faint grid lines for the axis ``x`` or ``y``."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=TEXT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(TEXT)
    if grid:
        ax.grid(axis=grid, color=text_color(ax), alpha=0.14, linewidth=0.7)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def integer_ticks(axis: Any) -> None:
    """Put ticks of an axis only at integers, written with commas."""
    axis.get_major_locator().set_params(integer=True)
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def annotate_empty(ax: Axes, sentence: str) -> Axes:
    """Write in the middle of the axes that there is nothing to show."""
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)
    text = ax.text(0.5, 0.5, sentence, transform=ax.transAxes, ha="center", va="center")
    text.set(color=text_color(ax), alpha=0.75, fontsize=TITLE)
    return ax


# -- title and legend ------------------------------------------------------------------------------


def title_and_legend(
    ax: Axes,
    title: str | None,
    sentence: str,
    handles: Sequence[Any] = (),
    names: Sequence[str] = (),
    *,
    columns: float = 0,
) -> None:
    """Write the title, and below it the legend; names of rows and columns must exist already.

    Parameters
    ----------
    ax : Axes
    title : str or None
        Title from the caller; "" for no title, None for the sentence.
    sentence : str
        The plot's own title.
    handles : sequence of Artist
        Handles of the legend.
    names : sequence of str
        One for each handle.
    columns : float
        Width in points of the columns of figures on the right; their headers are beside the
        legend.
    """
    text = sentence if title is None else shorten(title, 400)

    def place(width: float) -> None:
        width *= _HINTED
        header = 2.9 * ROW if columns else 0.0
        above = 0.0
        if len(handles):
            above, fits = _legend(ax, handles, names, width - columns)
            if columns and not fits:  # above the headers of columns, not beside them
                above = header + _legend(ax, handles, names, width, lift=header)[0]
        wrapped = _wrap(text, width)
        above = max(above, header) + 7
        set_literal(ax.set_title(wrapped, loc="left", fontsize=TITLE, pad=above), wrapped)

    place(room(ax))
    figure: Any = ax.get_figure(root=True)
    if len(figure.axes) > 1:
        # Text beside a plot takes space from it, so all plots of a grid are fitted again.
        setattr(ax, _PLACE, (place, columns))
        figure.draw_without_rendering()
        for other in figure.axes:
            if hasattr(other, _PLACE):
                fit, right = getattr(other, _PLACE)
                fit(other.bbox.width * 72 / figure.dpi + right)


def room(ax: Axes) -> float:
    """Return the points from the left edge of the axes to the end of the available space.

    A layout that runs when the figure is drawn will put the edge beside the names of the rows.
    """
    figure: Any = ax.get_figure(root=True)
    points = 72 / figure.dpi
    if len(figure.axes) > 1:
        return float(ax.bbox.width * points * _BESIDE_OTHERS)
    if figure.get_layout_engine() is None:
        return float((figure.bbox.x1 - ax.bbox.x0) * points)
    labels = ax.get_yticklabels()
    mono = bool(labels) and labels[0].get_fontfamily()[:1] == ["monospace"]
    size = ROW if mono else TEXT
    names = (text_width(label.get_text(), size, mono=mono) for label in labels)
    return float(figure.bbox.width * points - _AXIS - max(names, default=0.0))


def text_width(text: str, size: float, *, mono: bool = False) -> float:
    """Return the width of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_families(text, mono=mono), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def _wrap(text: str, width: float) -> str:
    """Break a text into lines of a width in points; a number stays on the line of its unit."""
    lines: list[list[str]] = []
    left = 0.0
    space = text_width("a a", TITLE) - text_width("aa", TITLE)
    for word in _words(text):
        wide = text_width(word, TITLE)
        if not lines or left + space + wide > width:
            lines.append([])
            left = -space
        lines[-1].append(word)
        left += space + wide
    return "\n".join(map(" ".join, lines))


def _words(text: str) -> list[str]:
    """Return the words of a sentence; a number and its unit are one word.

    Examples
    --------
    >>> _words("took 40 ms, 99 % of it")
    ['took', '40 ms,', '99 %', 'of', 'it']
    """
    words: list[str] = []
    for word in text.split():
        is_unit = word.strip(",;:)") in ("%", "k", "M", "bn", "ms", "s", "min", "h", "d")
        if is_unit and words and words[-1][-1].isdecimal():
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _legend(
    ax: Axes, handles: Sequence[Any], names: Sequence[str], width: float, *, lift: float = 0
) -> tuple[float, bool]:
    """Draw the legend above the axes, in as few rows as fit the width.

    Return its height in points, and whether it fits.
    """
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure(root=True)
    box: Any = None
    fits = False
    for columns in range(len(names), 0, -1):
        legend = ax.legend(
            handles,
            list(names),
            loc="lower left",
            bbox_to_anchor=(0, 1),
            bbox_transform=ax.transAxes + ScaledTranslation(0, lift / 72, figure.dpi_scale_trans),
            ncols=columns,
            frameon=False,
            fontsize=TEXT,
            labelcolor=text_color(ax),
            borderaxespad=0.15,
            borderpad=0,
            handlelength=1.1,
            handletextpad=0.5,
            columnspacing=1.4,
            labelspacing=0.3,
            scatterpoints=1,
        )
        for text, name in zip(legend.get_texts(), names, strict=True):
            set_literal(text, name)
        box = legend.get_window_extent()
        fits = box.width * 72 / figure.dpi <= width
        if fits:
            break
    return float(box.height * 72 / figure.dpi), fits


def legend_patch(colour: str, **style: Any) -> Any:
    """Return a patch of a colour for a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, **style)


# -- rows ------------------------------------------------------------------------------------------


def label_rows(ax: Axes, names: Iterable[object], *, limit: int = LIMIT, tall: float = 1.0) -> None:
    """Label the rows 0, 1, … from the top with external text.

    Parameters
    ----------
    ax : Axes
    names : iterable of str
    limit : int
        Most characters; a longer name loses its middle, or the part that it shares with others.
    tall : float
        Height of the last row, in rows.
    """
    shown = unique_labels(names, limit)
    places = [*range(len(shown) - 1), len(shown) - 1 + (tall - 1) / 2]
    ax.set_yticks(places, shown)
    for tick, text in zip(ax.yaxis.get_major_ticks(), shown, strict=True):
        for label in (tick.label1, tick.label2):
            label.set_fontsize(ROW)
            set_literal(label, text, mono=True)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(shown) - 1.4 + tall, -0.6)


def side_column(ax: Axes, name: str, cells: Sequence[str], *, left: float = 0) -> float:
    """Write a column of figures to the right of the rows; return where it ends.

    Parameters
    ----------
    ax : Axes
    name : str
        Its header; may contain line breaks.
    cells : sequence of str
        One for each row, right-aligned.
    left : float
        Where it begins, in points from the right spine.
    """
    style: Style = {
        "textcoords": "offset points",
        "ha": "right",
        "color": text_color(ax),
        "fontsize": ROW,
    }
    right = left + 12 + max(text_width(text, ROW) for text in [*name.split("\n"), *cells])
    across = ax.get_yaxis_transform()
    for row, cell in enumerate(cells):
        ax.annotate(cell, (1, row), (right, 0), xycoords=across, va="center", **style)
    corner = ((1, 1), (right, 3))
    ax.annotate(name, *corner, xycoords="axes fraction", va="bottom", alpha=0.75, **style)
    return right


# -- text from outside -----------------------------------------------------------------------------

#: A text as it is shown, letter by letter: an escaped letter has several characters.
Letters: TypeAlias = tuple[str, ...]

_CUT: Final = "…"
#: Most letters of a text that are read, however long it is.
_READ: Final = 400

#: Fonts with Chinese letters, of Linux, Windows and macOS; used if they are installed.
_CHINESE: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
)


def shorten(text: object, limit: int = LIMIT) -> str:
    r"""Return text for a picture: without control characters, no longer than a limit.

    Parameters
    ----------
    text : object
        A missing value is empty.
    limit : int
        Most characters; a longer text loses its middle, but never a part of an escaped letter.

    Returns
    -------
    str
        Letters that no font has are escaped, ``\ue000``; for Chinese letters that is logged once.

    Examples
    --------
    >>> shorten("vco-" + "0123456789" * 4, 16)
    'vco-0123…3456789'
    >>> print(shorten("a\tb"), shorten("\t\t\t\t\t", 8))
    a\tb \t\t…\t
    """
    return "".join(_shorten(_letters(text), limit))


def unique_labels(texts: Iterable[object], limit: int = LIMIT) -> list[str]:
    """Shorten texts as `shorten` does, but so that different texts have different labels.

    Parameters
    ----------
    texts : iterable of object
        Those of one picture.
    limit : int
        As for `shorten`. If labels are equal, each keeps its beginning and the different part.

    Examples
    --------
    >>> unique_labels(["the-warehouse-at-gate-1-abc", "the-warehouse-at-gate-2-abc"], 12)
    ['the-wa…1-abc', 'the-wa…2-abc']
    >>> unique_labels(["aaaaaaaaaaaa-1-bbbbbbbbbbbb", "aaaaaaaaaaaa-2-bbbbbbbbbbbb", "c"], 12)
    ['aaaa…-1-bbb…', 'aaaa…-2-bbb…', 'c']
    """
    every = [_letters(text) for text in texts]
    labels = _apart(list(dict.fromkeys(every)), limit)
    met = Counter[str]()
    for letters, label in labels.items():
        # Texts that look the same, or whose difference does not fit into a short label.
        met[label] += 1
        if met[label] > 1:
            number = f" ({met[label]})"
            labels[letters] = "".join(_fitting(tuple(label), limit - len(number))) + number
    return [labels[letters] for letters in every]


def _apart(texts: list[Letters], limit: int, place: int = 0) -> dict[Letters, str]:
    """Label texts; texts with equal labels are labelled again, around their first difference."""
    found = {text: "".join(_window(text, place, limit)) for text in texts}
    alike: dict[str, list[Letters]] = {}
    for text, label in found.items():
        alike.setdefault(label, []).append(text)
    for group in alike.values():
        if len(group) > 1 and (differ := _first_difference(group)) > place:
            found |= _apart(group, limit, differ)
    return found


def _first_difference(texts: list[Letters]) -> int:
    return next(place for place, letters in enumerate(zip_longest(*texts)) if len(set(letters)) > 1)


def _window(letters: Letters, place: int, limit: int) -> Letters:
    """Return the beginning of a text and the part around a position; for position 0 both ends."""
    if not place or sum(map(len, letters)) <= limit:
        return _shorten(letters, limit)
    first = _fitting(letters, limit // 3)
    since = max(len(first), place - 1)
    head = first + ((_CUT,) if since > len(first) else ())
    room = limit - sum(map(len, head))
    rest = letters[since:]
    if sum(map(len, rest)) <= room:
        return head + rest
    return (*head, *_fitting(rest, room - 1), _CUT)


def _shorten(letters: Letters, limit: int) -> Letters:
    """Return letters without the middle if they are longer than a limit."""
    if sum(map(len, letters)) <= limit:
        return letters
    back = _fitting(letters[::-1], (limit - 1) // 2)[::-1]
    front = _fitting(letters, limit - 1 - sum(map(len, back)))
    return (*front, _CUT, *back)


def _fitting(letters: Letters, room: int) -> Letters:
    """Return the first letters, as many as fit."""
    widths = accumulate(map(len, letters))
    return letters[: sum(1 for _ in takewhile(lambda width: width <= room, widths))]


def set_literal(artist: Text, text: str, *, mono: bool = False) -> Text:
    """Make an artist show text literally: no mathematics, no TeX, and with Chinese letters.

    Parameters
    ----------
    artist : Text
        The artist that shows it.
    text : str
        The text, which determines the fonts.
    mono : bool
        Whether to use a monospaced font.
    """
    artist.set_parse_math(False)
    artist.set_usetex(False)
    artist.set_fontfamily(_families(text, mono=mono))
    return artist


def is_drawable(text: str) -> bool:
    """Return whether the fonts have all letters of a text; if not, log that once."""
    return "".join(_letters(text)) == printable(text[:_READ])


def _families(text: str, *, mono: bool = False) -> list[str]:
    """Return the fonts that a text needs, the usual fonts first."""
    import matplotlib as mpl

    usual = list(mpl.rcParams["font.family"])
    if text.isascii():
        return ["monospace"] if mono else usual
    return (["monospace"] if mono else []) + usual + list(_chinese())


def _letters(text: object) -> Letters:
    """Return the letters of a text as they are shown, some escaped; a missing value has none."""
    whole = "" if printable(text) == "" else str(text)[:_READ]
    if whole.isascii() and whole.isprintable():
        return tuple(whole)
    fonts = _fonts(tuple(_families(whole)))
    return tuple(_letter(letter, fonts) for letter in whole)


def _letter(letter: str, fonts: tuple[Any, ...]) -> str:
    """Return a letter, escaped if it is not printable or no font has it."""
    plainly = printable(letter)
    if plainly.isascii() or any(font.get_char_index(ord(letter)) for font in fonts):
        return plainly
    if east_asian_width(letter) in "WF":
        _say_what_to_install()
    return letter.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1)
def _say_what_to_install() -> None:
    """Log once that a font is missing, and which font to install."""
    _log.warning(
        "No font of this machine has Chinese letters: plots show the id of a connection in place "
        "of its name, and spell out other text. Install one, such as %s",
        _CHINESE[0],
    )


@lru_cache(maxsize=1)
def _chinese() -> tuple[str, ...]:
    """Return the installed fonts of `_CHINESE`, also those that matplotlib has not listed yet."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    if installed.isdisjoint(_CHINESE):
        _look_again()
        installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _CHINESE if name in installed)


def _look_again() -> None:
    """Add Chinese fonts that were installed after matplotlib wrote its list of fonts."""
    from matplotlib.font_manager import findSystemFonts, fontManager, get_font

    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            # A damaged system font must not prevent the picture.
            with suppress(OSError, RuntimeError):
                if get_font(path).family_name in _CHINESE:
                    fontManager.addfont(path)


@lru_cache(maxsize=8)
def _fonts(families: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the fonts with which text may be drawn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return tuple(get_font(findfont(FontProperties(family=[name]))) for name in families)


# -- Numbers on pictures: counts, addresses, shares, units of an axis.
#

# -- numbers ---------------------------------------------------------------------------------------

_POWERS: Final = ((1_000_000_000, "bn"), (1_000_000, "M"), (1_000, "k"))
#: Largest count that is written in full.
_WRITTEN_OUT: Final = 9_999


def compact(number: float) -> str:
    """Return a count with at most three digits and a letter; small counts in full.

    Examples
    --------
    >>> compact(0), compact(9_999), compact(16_777_216), compact(4_294_967_296), compact(999_950)
    ('0', '9,999', '16.8 M', '4.29 bn', '1 M')
    """
    if number <= _WRITTEN_OUT:
        return f"{number:,.0f}"
    for power, letter in reversed(_POWERS):
        value = float(f"{number / power:.3g}")
        if value < 1000:
            return f"{value:g} {letter}"
    return f"{number / _POWERS[0][0]:,.0f} {_POWERS[0][1]}"


def percent(part: float, whole: float) -> str:
    """Return a share in per cent; a share above zero but below one per cent is "< 1 %".

    Examples
    --------
    >>> percent(1, 3), percent(0, 3), percent(1, 9999), percent(9998, 9999), percent(0, 0)
    ('33 %', '0 %', '< 1 %', '> 99 %', '–')
    """
    if not whole:
        return "–"
    value = 100 * part / whole
    if 0 < value < 1:
        return "< 1 %"
    if 99 < value < 100:
        return "> 99 %"
    return f"{value:.0f} %"


def time_unit(seconds: float) -> tuple[str, float]:
    """Return the unit for a time axis of a length, and the seconds in that unit.

    Examples
    --------
    >>> time_unit(90), time_unit(600), time_unit(9000)
    (('seconds', 1.0), ('minutes', 60.0), ('hours', 3600.0))
    """
    if seconds > 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if seconds > 120 else ("seconds", 1.0)
