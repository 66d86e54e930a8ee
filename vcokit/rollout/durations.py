"""How long tasks take, from looks that only bracket their end.

Between a look that saw a task running and one that saw it over lies its end, anywhere. A narrow
bracket is taken by its middle. A wide one tells little by itself, so it is taken by the mean of
what is known to fall into it: looks that come late on purpose do not make tasks seem longer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import Final

#: Tasks that are remembered; older ones are forgotten, so that a cloud may become slower or faster.
_REMEMBERED: Final = 256
#: A bracket wider than this part of its upper end is a wide one.
_NARROW: Final = 0.3


class Durations:
    """Times of the latest tasks, seconds.

    Parameters
    ----------
    guess : float
        Time a task is thought to take before one was seen.

    Examples
    --------
    >>> times = Durations(3.0)
    >>> times.mean, times.quantile(0.5)
    (3.0, 3.0)
    >>> times.add(4.0, 5.0), times.add(0.0, 9.0)
    (4.5, 4.5)
    """

    def __init__(self, guess: float) -> None:
        self._guess = guess
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self._sum = 0.0

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, low: float, high: float) -> float:
        """Note a task that ended between two times; return the time it is taken for."""
        known = self._within(low, high) if high - low > _NARROW * high else None
        value = (low + high) / 2 if known is None else known
        if len(self._order) == _REMEMBERED:
            oldest = self._order.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
            self._sum -= oldest
        self._order.append(value)
        insort(self._sorted, value)
        self._sum += value
        return value

    def _within(self, low: float, high: float) -> float | None:
        known = self._sorted[bisect_left(self._sorted, low) : bisect_right(self._sorted, high)]
        return sum(known) / len(known) if known else None

    @property
    def mean(self) -> float:
        """Mean time of a task."""
        return self._sum / len(self._sorted) if self._sorted else self._guess

    def quantile(self, part: float) -> float:
        """Return the time that a part of the tasks end within."""
        if not self._sorted:
            return self._guess
        return self._sorted[min(len(self._sorted) - 1, int(part * len(self._sorted)))]
