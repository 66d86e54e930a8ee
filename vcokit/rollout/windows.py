"""Windows: the times of day and week in which a rollout may send something new.

``"22:00-05:00 Asia/Shanghai"`` is open every night, ``"Sat,Sun 00:00-24:00 UTC"`` at weekends,
``"Mon-Fri 22:00-05:00 Europe/Berlin"`` in the nights that begin on those days. Times follow the
clocks of the zone, also when the clocks change. With several windows, a rollout may send while at
least one is open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from math import inf
from typing import Final
from zoneinfo import ZoneInfo

from vcokit.errors import InputError

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "(?:" + "|".join(_DAYS) + ")"
_WINDOW: Final = re.compile(
    rf"(?:({_DAY}(?:[-,]{_DAY})*)\s+)?(\d\d?):(\d\d)-(\d\d?):(\d\d)\s+(\S+)", re.IGNORECASE
)
_REMEDY: Final = 'Write "22:00-05:00 Asia/Shanghai", or with days "Mon-Fri 22:00-05:00 UTC"'
_DAY_MINUTES: Final = 24 * 60
#: Days to compute: a week, the day before it and the day after it.
_AHEAD: Final = range(-1, 9)


@dataclass(frozen=True)
class Window:
    """A period of the day, on some days of the week, in a time zone.

    Parameters
    ----------
    days : frozenset of int
        Days on which it begins; Monday is 0.
    begin, end : int
        Minutes of the day; an end that is not later than the begin is on the next day.
    zone : str
        Name in the time zone database.

    Examples
    --------
    >>> Window.parse("Fri-Sun 22:00-05:00 Asia/Shanghai").days
    frozenset({4, 5, 6})
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: str

    @classmethod
    def parse(cls, text: str) -> Window:
        """Return the window that a text describes.

        Raises
        ------
        InputError
            If the text is not a valid window, or its zone is unknown.
        """
        match = _WINDOW.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError(f"{text!r} is not a window", remedy=_REMEDY)
        days, *clock, zone = match.groups()
        hours = [int(part) for part in clock]
        begin, end = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
        late = begin >= _DAY_MINUTES or end > _DAY_MINUTES
        if late or hours[1] > 59 or hours[3] > 59 or begin == end:
            raise InputError(
                f"{text!r} has an invalid time, or begins and ends at the same time", remedy=_REMEDY
            )
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise InputError(f"{text!r}: no time zone is called {zone!r}", remedy=_REMEDY) from None
        return cls(frozenset(_days(days)), begin, end, zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def around(self, at: float) -> Iterator[tuple[float, float]]:
        """Yield opening and closing times from the day before a time until a week after it.

        They are seconds since the epoch.

        Parameters
        ----------
        at : float
            Seconds since the epoch.
        """
        today = datetime.fromtimestamp(at, UTC).astimezone(self._zone).date()
        for ahead in _AHEAD:
            day = today + timedelta(days=ahead)
            if day.weekday() in self.days:
                over = self.end + _DAY_MINUTES * (self.end <= self.begin)
                midnight = datetime.combine(day, time())
                opens, closes = (midnight + timedelta(minutes=m) for m in (self.begin, over))
                yield self._seconds(opens), self._seconds(closes)

    def _seconds(self, moment: datetime) -> float:
        """Return when the zone's clocks show a time; the first time if they show it twice."""
        return moment.replace(tzinfo=self._zone).timestamp()


def _days(text: str | None) -> Iterator[int]:
    """Yield the days that a list names; a range may cross the end of the week."""
    if text is None:
        yield from range(7)
        return
    for part in text.split(","):
        first, *last = (_DAYS.index(name.capitalize()) for name in part.split("-"))
        for step in range((last[-1] - first) % 7 + 1 if last else 1):
            yield (first + step) % 7


def next_change(windows: Iterable[Window], at: float) -> tuple[bool, float]:
    """Return whether any window is open at a time, and until when that does not change.

    Parameters
    ----------
    windows : iterable of Window
    at : float
        Seconds since the epoch.

    Returns
    -------
    is_open : bool
    until : float
        Seconds since the epoch; call again at this time at the latest.

    Examples
    --------
    >>> next_change([Window.parse("01:00-02:00 UTC")], 0.0)
    (False, 3600.0)
    >>> next_change([Window.parse("01:00-02:00 UTC"), Window.parse("2:00-3:30 UTC")], 5400.0)
    (True, 12600.0)
    """
    closes = at
    is_open = False
    for begin, end in sorted(stretch for one in windows for stretch in one.around(at)):
        if begin > closes:
            return (True, closes) if is_open else (False, begin)
        if end > closes:
            is_open, closes = True, end
    return (True, closes) if is_open else (False, inf)


class Timetable:
    """Tracks whether a rollout may send something new, as time passes.

    Parameters
    ----------
    windows : iterable of str
        If there are none, it is always open.

    Attributes
    ----------
    is_open : bool
    opens_at : float or None
        When it opens, on the rollout's clock; None while it is open.
    """

    def __init__(self, windows: Iterable[str]) -> None:
        self._windows = [Window.parse(text) for text in windows]
        self.is_open = not self._windows
        self.opens_at: float | None = None
        #: From when until when it is known to be open or closed, in seconds since the epoch.
        self._known = inf, -inf
        self._closed_since: float | None = None

    def update(self, now: float, at: float) -> float | None:
        """Update the state to a new time.

        Parameters
        ----------
        now, at : float
            The same time on the rollout's clock, and in seconds since the epoch.

        Returns
        -------
        float or None
            None if nothing has changed. Otherwise the number of seconds it was closed before it
            opened; 0 if it was not closed before, or has just closed.

        Examples
        --------
        >>> nights = Timetable(["22:00-05:00 UTC"])
        >>> nights.update(now=0.0, at=12 * 3600.0), nights.is_open, nights.opens_at
        (0.0, False, 36000.0)
        >>> nights.update(now=7200.0, at=14 * 3600.0)
        >>> nights.update(now=36000.0, at=22 * 3600.0), nights.is_open
        (36000.0, True)
        """
        since, until = self._known
        if not self._windows:
            return None
        if since <= at < until:
            if not self.is_open:  # the clock may have been set since then
                self.opens_at = now + until - at
            return None
        self.is_open, until = next_change(self._windows, at)
        self._known = at, until
        if not self.is_open:
            self.opens_at = now + until - at
            self._closed_since = now if self._closed_since is None else self._closed_since
            return 0.0
        closed_for = 0.0 if self._closed_since is None else now - self._closed_since
        self.opens_at = self._closed_since = None
        return closed_for
