"""Text for people: external text made safe to display, counts, and durations."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import pandas as pd

#: A CSV cell that starts with one of these is written with a ``'`` before it. In some locale, a
#: spreadsheet would read such a cell as a formula, or a leading ``'`` as its own protection.
PROTECTED: Final = "=+-@'\t＝＋－＠"
#: A CSV cell that contains one of these is quoted: each of them separates cells in some locale.
QUOTED: Final = '[",;|\t\r\n]'

_NEEDS_QUOTES: Final = re.compile(rf"{QUOTED}|^\s|\s$")


def printable(value: object) -> str:
    r"""Return text with control characters escaped; a missing value becomes an empty text.

    Examples
    --------
    >>> print(printable("a\x1b[31mb"), printable(None))
    a\x1b[31mb
    """
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    text = str(value)
    if text.isprintable():  # true for nearly all text, and ten times as fast
        return text
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        else letter
        for letter in text
    )


def as_text(values: Any) -> pd.Series:
    r"""Return values as a column of ``str`` by their printed form; missing values stay missing.

    A lone surrogate, which a Python string can contain but UTF-8 cannot encode, is escaped.

    Examples
    --------
    >>> as_text(pd.Series(["a\udc80", 7, None], dtype="object")).tolist()
    ['a\\udc80', '7', nan]
    """
    column = values if isinstance(values, pd.Series) else None
    try:
        return (
            pd.Series(values, dtype="str", copy=False) if column is None else column.astype("str")
        )
    except UnicodeEncodeError:
        objects = pd.Series(values, dtype="object")
        whole = objects.astype(pd.StringDtype("python")).str.encode("utf-8", "backslashreplace")
        return whole.str.decode("utf-8").astype("str")


def pluralize(number: int, thing: str) -> str:
    """Return a number with its noun, in the singular or plural.

    Examples
    --------
    >>> pluralize(1, "route"), pluralize(0, "row"), pluralize(12_345, "row")
    ('1 route', '0 rows', '12,345 rows')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units; below a minute with two significant digits.

    Examples
    --------
    >>> duration(0), duration(0.0421), duration(7.25), duration(59.6), duration(340)
    ('0 s', '42 ms', '7.2 s', '1 min 0 s', '5 min 40 s')
    >>> duration(7_500), duration(200_000)
    ('2 h 5 min', '2 d 7 h')
    """
    if seconds < 0.00005:
        return "0 s"
    if seconds < 59.5:
        number, unit = (seconds * 1000, "ms") if seconds < 0.9995 else (seconds, "s")
        return f"{number:.2g} {unit}" if number < 9.95 else f"{number:.0f} {unit}"
    whole = round(seconds)
    for large, name, small, rest in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if whole >= large:
            return f"{whole // large} {name} {whole % large // small} {rest}"
    return f"{whole // 60} min {whole % 60} s"


def csv_cell(value: object) -> str:
    r"""Return a CSV cell without control characters and safe in a spreadsheet of any locale.

    A number is unchanged.

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell("＝1"), csv_cell("a;=1"), csv_cell(-1), csv_cell("a\tb")
    ("'=1+1", "'＝1", '"a;=1"', '-1', 'a\\tb')
    """
    text = printable(None if value is pd.NaT else value)
    if isinstance(value, str) and text.startswith(tuple(PROTECTED)):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
