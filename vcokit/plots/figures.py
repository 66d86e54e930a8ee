"""Numbers on pictures: counts, addresses, shares, units of an axis."""

from __future__ import annotations

from typing import Final

_POWERS: Final = ((1_000_000_000, "bn"), (1_000_000, "M"), (1_000, "k"))
#: Up to this many a count is written out.
_WRITTEN_OUT: Final = 9_999


def short(number: float) -> str:
    """Return a count in at most three figures and a letter; small ones as they are.

    Examples
    --------
    >>> short(0), short(9_999), short(16_777_216), short(4_294_967_296), short(999_950)
    ('0', '9,999', '16.8 M', '4.29 bn', '1 M')
    """
    if number <= _WRITTEN_OUT:
        return f"{number:,.0f}"
    for power, letter in reversed(_POWERS):
        value = float(f"{number / power:.3g}")
        if value < 1000:
            return f"{value:g} {letter}"
    return f"{number / _POWERS[0][0]:,.0f} {_POWERS[0][1]}"


def share(part: float, whole: float) -> str:
    """Return a share in per cent; small but not nothing is said so.

    Examples
    --------
    >>> share(1, 3), share(0, 3), share(1, 9999), share(9998, 9999), share(0, 0)
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


def unit(seconds: float) -> tuple[str, float]:
    """Return the unit of a time axis of such a length, and how many seconds it has.

    Examples
    --------
    >>> unit(90), unit(600), unit(9000)
    (('seconds', 1.0), ('minutes', 60.0), ('hours', 3600.0))
    """
    if seconds > 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if seconds > 120 else ("seconds", 1.0)
