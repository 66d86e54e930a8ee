r"""Text from outside, as a picture shows it: plain, short, and in letters that the fonts have.

Three things of matplotlib would otherwise act on such text: ``$`` begins mathematics (and an
unfinished formula raises), a setting sends all text through TeX, and a letter that no font has is
drawn as a box, with a warning. Control characters are spelt out as `vcokit.plain.visible` does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from vcokit.plain import visible

if TYPE_CHECKING:
    from matplotlib.text import Text

#: Letters of a name that are shown; the vendor's ids of connections have 25.
LIMIT: Final = 28
_CUT: Final = "…"
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
        Letters; what is longer loses its middle.

    Returns
    -------
    str
        Letters that no font has are spelt out, ``\ue000``.

    Examples
    --------
    >>> shown("vco-" + "0123456789" * 4, 16)
    'vco-0123…3456789'
    >>> print(shown("a\tb"))
    a\tb
    """
    return shorten(_spelt(visible(text)[:_READ]), limit)


def shorten(text: str, limit: int) -> str:
    """Return text without its middle where it is longer than a limit.

    Examples
    --------
    >>> shorten("abcdefgh", 5), shorten("abcde", 5)
    ('ab…gh', 'abcde')
    """
    if len(text) <= limit:
        return text
    back = (limit - 1) // 2
    return text[: limit - 1 - back] + _CUT + text[len(text) - back :]


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


def _spelt(text: str) -> str:
    """Spell out the letters that no font has."""
    if text.isascii():
        return text
    fonts = _fonts(tuple(_families()))
    return "".join(
        letter
        if letter.isascii() or any(font.get_char_index(ord(letter)) for font in fonts)
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


@lru_cache(maxsize=1)
def _chinese() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _CHINESE if name in there)


@lru_cache(maxsize=8)
def _fonts(families: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the fonts in which text may be drawn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return tuple(get_font(findfont(FontProperties(family=[name]))) for name in families)
