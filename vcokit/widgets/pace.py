"""How fast a rollout goes and how long it will take: pure, with the time as an argument.

::

    now, steps left, moving? ──▶ Pace ──▶ Remaining(seconds, by)
                                  ▲
                          forecast (if there is one)

The estimate is plain and says what it rests on. With a forecast, the forecast's own course is
stretched by how the rollout keeps up with it, so that a long lane at the end is foreseen; the
stretching takes in the speed of a simulator's clock as well. Without one, the steps that are left
go on at the pace of the last minute. Time in which the rollout stood paused counts in neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vcokit.cloud.operations import Limit
from vcokit.rollout.forecast import Forecast

_WINDOW: Final = 60.0  # seconds of moving time that the pace is taken from
_ENOUGH: Final = 5  # settled steps before an estimate is more than a guess
_FORECAST_UP_TO: Final = 10_000  # steps that a forecast is made of without being asked
_RATE_WINDOW: Final = 10.0  # seconds that a rate is taken over


@dataclass(frozen=True, slots=True)
class Remaining:
    """How long a rollout will still take.

    Parameters
    ----------
    seconds : float
    by : str
        What the estimate rests on: ``the forecast`` or ``the pace``.
    """

    seconds: float
    by: str


class Pace:
    """Follows how the steps that are left grow fewer.

    Parameters
    ----------
    sends : int
        Steps of the plan that send something.
    forecast : Forecast, optional

    Examples
    --------
    >>> pace = Pace(100)
    >>> for second in range(11):
    ...     pace.note(float(second), left=100 - 2 * second, moving=True)
    >>> pace.remaining()
    Remaining(seconds=40.0, by='the pace')
    """

    def __init__(self, sends: int, forecast: Forecast | None = None) -> None:
        self._sends = sends
        self.forecast = forecast
        self._now: float | None = None
        self._moved = 0.0
        self._first: int | None = None
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def wants_forecast(self) -> bool:
        """Whether a forecast would help, and is made in a fraction of a second."""
        return self.forecast is None and self._sends <= _FORECAST_UP_TO

    def note(self, now: float, left: int, *, moving: bool) -> None:
        """Take in how many steps are left at a moment.

        Parameters
        ----------
        now : float
            Seconds, ascending.
        left : int
        moving : bool
            Whether the rollout sends; a pause takes no part in the pace.
        """
        if self._now is not None and moving:
            self._moved += max(0.0, now - self._now)
        self._now = now
        self._first = left if self._first is None else self._first
        self._samples.append((self._moved, left))
        while len(self._samples) > 2 and self._samples[1][0] < self._moved - _WINDOW:
            self._samples.popleft()

    def remaining(self) -> Remaining | None:
        """Return the estimate; None as long as too few steps have settled to tell."""
        if self._first is None or not self._samples:
            return None
        left = self._samples[-1][1]
        if left == 0:
            return Remaining(0.0, "the pace")
        if self._first - left < _ENOUGH:
            return None
        return self._by_forecast(left) or self._by_pace(left)

    def _by_forecast(self, left: int) -> Remaining | None:
        course = self.forecast.settled if self.forecast else ()
        # A forecast of other steps than these, say of the whole plan after a resume, tells nothing.
        if self.forecast is None or len(course) != self._sends or self._first is None:
            return None
        begun, here = (
            course[self._sends - n - 1] if n < self._sends else 0.0 for n in (self._first, left)
        )
        if here <= begun:
            return None
        stretch = self._moved / (here - begun)
        return Remaining((self.forecast.seconds - here) * stretch, "the forecast")

    def _by_pace(self, left: int) -> Remaining | None:
        then, had = self._samples[0]
        settled = had - left
        if settled <= 0 or self._moved <= then:
            return None
        return Remaining(left * (self._moved - then) / settled, "the pace")


@dataclass(frozen=True, slots=True)
class Rate:
    """How often an operation is called in a region, against what is allowed.

    Parameters
    ----------
    operation, region_id : str
    a_second : float
        Calls a second, over the last ten seconds.
    limit : float or None
        Calls a second that the account may make in the region; None where that is not known.
    """

    operation: str
    region_id: str
    a_second: float
    limit: float | None


def rates(
    writes: Iterable[tuple[float, str, str]],
    now: float,
    limits: Mapping[str, Limit] | None = None,
) -> list[Rate]:
    """Return how often each operation is called in each region, the busiest first.

    Parameters
    ----------
    writes : iterable of (float, str, str)
        When, operation, region; ascending.
    now : float
    limits : mapping of str to Limit, optional
        On the clock of `now`: ``client.limits``.

    Examples
    --------
    >>> calls = [(n / 2, "CreateVcoRouteEntry", "cn-hangzhou") for n in range(20)]
    >>> rates(calls, 10.0, {"CreateVcoRouteEntry": Limit(60, 60)})[0].a_second
    2.0
    """
    counts: dict[tuple[str, str], int] = {}
    first = now
    for at, operation, region in writes:
        if at >= now - _RATE_WINDOW:
            first = min(first, at)
            counts[operation, region] = counts.get((operation, region), 0) + 1
    span = max(1.0, min(_RATE_WINDOW, now - first))
    found = []
    for (operation, region), count in sorted(counts.items(), key=lambda entry: -entry[1]):
        limit = (limits or {}).get(operation)
        allowed = limit.calls / limit.seconds if limit else None
        found.append(Rate(operation, region, count / span, allowed))
    return found
