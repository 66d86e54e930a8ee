"""Numbers for people: counts, addresses, shares, spans of time."""

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


def many(count: int, thing: str) -> str:
    """Return a count with what is counted, in the plural where it has to be.

    Examples
    --------
    >>> many(1, "route"), many(2467, "route")
    ('1 route', '2,467 routes')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


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


def span(seconds: float) -> str:
    """Return a span of time in the two greatest units it needs.

    Examples
    --------
    >>> span(0.0001), span(0.0421), span(7.25), span(340), span(7270)
    ('0.1 ms', '42 ms', '7.2 s', '5 min 40 s', '2 h 1 min')
    """
    if seconds < 0.9995:
        return f"{_two_figures(seconds * 1000)} ms"
    if seconds < 59.5:
        return f"{_two_figures(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _two_figures(number: float) -> str:
    return f"{number:.2g}" if number < 9.95 else f"{number:.0f}"
