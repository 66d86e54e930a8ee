"""How long background tasks take: a fixed time, a range, or a skewed distribution.

============================================  ===============================================
written                                       drawn
============================================  ===============================================
``2``                                         always 2 s
``(2, 5)``                                    evenly between
``{"median": 3, "sigma": 0.5, "longest": 60}``  log-normal around the median, cut at the longest
============================================  ===============================================

Each draw takes exactly one number from the generator, so that another duration on one connection
moves no other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import Any, Final, TypeAlias

_NORMAL: Final = NormalDist()
#: The generator may give 0, and the quantile of 0 is infinite.
_SMALLEST: Final = 2.0**-53


@dataclass(frozen=True)
class Between:
    """Evenly between two times, seconds; the same twice is a fixed time."""

    shortest: float
    longest: float

    def draw(self, chance: Random) -> float:
        """Return a time in seconds."""
        return chance.uniform(self.shortest, self.longest)


@dataclass(frozen=True)
class Lognormal:
    """Half below the median, with a long tail above: as measured times of tasks mostly are.

    Parameters
    ----------
    median, longest : float
        Seconds; a draw above the longest is the longest.
    sigma : float
        Standard deviation of the logarithm; 0.5 puts 95 % below 2.3 times the median.
    """

    median: float
    sigma: float
    longest: float

    def draw(self, chance: Random) -> float:
        """Return a time in seconds."""
        deviation = _NORMAL.inv_cdf(max(chance.random(), _SMALLEST))
        return min(self.median * math.exp(self.sigma * deviation), self.longest)


Duration: TypeAlias = Between | Lognormal
#: What a duration may be written as.
Written: TypeAlias = float | Sequence[float] | Mapping[str, float] | Between | Lognormal


def read_duration(written: Written) -> Duration:
    """Return the duration that is written.

    Raises
    ------
    ValueError
        If it is none; the message says how to write one.

    Examples
    --------
    >>> read_duration((2, 5))
    Between(shortest=2.0, longest=5.0)
    >>> read_duration({"median": 3, "sigma": 0.5, "longest": 60}).draw(Random(1)) < 60
    True
    """
    if isinstance(written, Between | Lognormal):
        return _sane(written, written)
    if isinstance(written, Mapping):
        return _sane(written, _from_mapping(written))
    several = list(written) if isinstance(written, Sequence) else [written, written]
    if len(several) != 2 or not all(map(_is_number, several)):
        raise _unreadable(written)
    return _sane(written, Between(float(several[0]), float(several[1])))


def _from_mapping(written: Mapping[str, Any]) -> Duration:
    for kind in (Between, Lognormal):
        names = kind.__dataclass_fields__.keys()
        if written.keys() == names and all(map(_is_number, written.values())):
            return kind(**{name: float(written[name]) for name in names})
    raise _unreadable(written)


def _sane(written: Written, duration: Duration) -> Duration:
    if isinstance(duration, Between):
        right = 0 <= duration.shortest <= duration.longest < math.inf
    else:
        right = 0 < duration.median <= duration.longest < math.inf and 0 <= duration.sigma < 100
    if not right:
        raise _unreadable(written)
    return duration


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unreadable(written: object) -> ValueError:
    return ValueError(
        f"task_seconds {written!r}. Write a time such as 2, the shortest and the longest such as "
        "[2, 5], or {median = 3, sigma = 0.5, longest = 60}"
    )
