r"""Text from outside, as a picture shows it: plain, short, and in letters that the fonts have.

Three things of matplotlib would otherwise act on such text: ``$`` begins mathematics (and an
unfinished formula raises), a setting sends all text through TeX, and a letter that no font has is
drawn as a box, with a warning. Control characters are spelt out as `vcokit._text.printable` does.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate, takewhile, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unicodedata import east_asian_width

from vcokit._text import printable

if TYPE_CHECKING:
    from matplotlib.text import Text

_log: Final = logging.getLogger("vcokit.plots")

#: A text as it is shown, letter by letter: one that is spelt out has several signs.
Letters: TypeAlias = tuple[str, ...]

#: Signs of a name that are shown; the vendor's ids of connections have 25.
LIMIT: Final = 28
_CUT: Final = "…"
#: Width of a Chinese letter, which is as wide as it is high, in Latin ones.
_WIDE: Final = 1.75
#: Letters looked at, however long a text is.
_READ: Final = 400

#: Fonts with Chinese letters, of Linux, Windows and macOS; used where they are installed.
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


def shown(text: object, limit: int = LIMIT) -> str:
    r"""Return text for a picture: without control characters, no longer than a limit.

    Parameters
    ----------
    text : object
        A missing value is empty.
    limit : int
        Signs; what is longer loses its middle, never a part of a letter that is spelt out.

    Returns
    -------
    str
        Letters that no font has are spelt out, ``\ue000``; of Chinese ones that is said once.

    Examples
    --------
    >>> shown("vco-" + "0123456789" * 4, 16)
    'vco-0123…3456789'
    >>> print(shown("a\tb"), shown("\t\t\t\t\t", 8))
    a\tb \t\t…\t
    """
    return "".join(_shorten(_letters(text), limit))


def distinct(texts: Iterable[object], limit: int = LIMIT) -> list[str]:
    """Return texts as `shown` does, so that those that differ can be told apart.

    Parameters
    ----------
    texts : iterable of object
        Of one picture.
    limit : int
        As of `shown`. Where labels coincide, each keeps its beginning and what is different.

    Examples
    --------
    >>> distinct(["the-warehouse-at-gate-1-abc", "the-warehouse-at-gate-2-abc"], 12)
    ['the-wa…1-abc', 'the-wa…2-abc']
    >>> distinct(["aaaaaaaaaaaa-1-bbbbbbbbbbbb", "aaaaaaaaaaaa-2-bbbbbbbbbbbb", "c"], 12)
    ['aaaa…-1-bbb…', 'aaaa…-2-bbb…', 'c']
    """
    every = [_letters(text) for text in texts]
    labels = _apart(list(dict.fromkeys(every)), limit)
    met = Counter[str]()
    for letters, label in labels.items():
        # Texts that look alike, or whose difference a short label has no room for.
        met[label] += 1
        if met[label] > 1:
            number = f" ({met[label]})"
            labels[letters] = "".join(_fitting(tuple(label), limit - len(number))) + number
    return [labels[letters] for letters in every]


def _apart(texts: list[Letters], limit: int, place: int = 0) -> dict[Letters, str]:
    """Label texts; those whose labels coincide are labelled again, by where they first differ."""
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
    """Return the beginning of a text and what stands around a place; place 0 for both its ends."""
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
    """Return letters without those in the middle where they are longer than a limit."""
    if sum(map(len, letters)) <= limit:
        return letters
    back = _fitting(letters[::-1], (limit - 1) // 2)[::-1]
    front = _fitting(letters, limit - 1 - sum(map(len, back)))
    return (*front, _CUT, *back)


def _fitting(letters: Letters, room: int) -> Letters:
    """Return the first letters, as many as there is room for."""
    widths = accumulate(map(len, letters))
    return letters[: sum(1 for _ in takewhile(lambda width: width <= room, widths))]


def wide(text: str) -> float:
    """Return how wide a text is, in letters of the Latin kind.

    Examples
    --------
    >>> wide("gate"), wide("北门")
    (4.0, 3.5)
    """
    return sum(_WIDE if east_asian_width(letter) in "WF" else 1.0 for letter in text)


def plain(artist: Text, text: str, *, mono: bool = False) -> Text:
    """Make an artist show text as it stands: no mathematics, no TeX, and with Chinese letters.

    Parameters
    ----------
    artist : Text
        What shows it.
    text : str
        What is shown, which says which fonts it needs.
    mono : bool
        Whether in a font of equal widths.
    """
    artist.set_parse_math(False)
    artist.set_usetex(False)
    if text.isascii():
        artist.set_fontfamily("monospace" if mono else artist.get_fontfamily())
    else:
        artist.set_fontfamily((["monospace"] if mono else []) + _families())
    return artist


def _families() -> list[str]:
    """Return the fonts of text from outside, the usual ones first."""
    import matplotlib as mpl

    return [*mpl.rcParams["font.family"], *_chinese()]


def _letters(text: object) -> Letters:
    """Return the letters of a text as they are shown, some spelt out; a missing value has none."""
    whole = "" if printable(text) == "" else str(text)[:_READ]
    if whole.isascii() and whole.isprintable():
        return tuple(whole)
    fonts = _fonts(tuple(_families()))
    return tuple(_letter(letter, fonts) for letter in whole)


def _letter(letter: str, fonts: tuple[Any, ...]) -> str:
    """Spell a letter out if it is none to be shown, or no font has it."""
    plainly = printable(letter)
    if plainly.isascii() or any(font.get_char_index(ord(letter)) for font in fonts):
        return plainly
    if east_asian_width(letter) in "WF":
        _say_what_to_install()
    return letter.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1)
def _say_what_to_install() -> None:
    """Say once that names stand spelt out for want of a font."""
    _log.warning(
        "No font of this machine has Chinese letters: pictures spell them out. "
        "Install one, such as %s",
        _CHINESE[0],
    )


@lru_cache(maxsize=1)
def _chinese() -> tuple[str, ...]:
    """Return the fonts of `_CHINESE` that are installed, also since matplotlib last looked."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    if there.isdisjoint(_CHINESE):
        _look_again()
        there = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _CHINESE if name in there)


def _look_again() -> None:
    """Make Chinese fonts known that were installed after matplotlib wrote its list of fonts."""
    from matplotlib.font_manager import findSystemFonts, fontManager, get_font

    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            # Whatever is wrong with a font of the system, it is not the picture's business.
            with suppress(OSError, RuntimeError):
                if get_font(path).family_name in _CHINESE:
                    fontManager.addfont(path)


@lru_cache(maxsize=8)
def _fonts(families: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the fonts in which text may be drawn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return tuple(get_font(findfont(FontProperties(family=[name]))) for name in families)
