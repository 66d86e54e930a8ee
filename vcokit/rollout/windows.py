"""Sliding windows: so many calls in any stretch of so many seconds.

When the cloud counts a call is not known, only that it is between sending and answer. A slot is
therefore held from the sending until the answer plus the window; then the limit holds whenever the
cloud counted::

    send ├── on its way ──┤ answer ├────────── window ──────────┤ slot is free again
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: Seconds added to a window, so that rounding of clocks never lets a call in early.
MARGIN: Final = 0.001


class Window:
    """The calls of one operation in one region.

    Parameters
    ----------
    calls : int
        How many may fall into any window.
    seconds : float
        Length of the window.

    Examples
    --------
    >>> window = Window(1, 60.0)
    >>> window.take(); window.give_back(0.5); window.free(60.0), window.free(60.6)
    (False, True)
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self._on_the_way = 0
        self._held: deque[float] = deque()
        self._shut_until = 0.0

    def free(self, now: float) -> bool:
        """Tell whether a call may be sent now."""
        while self._held and self._held[0] <= now:
            self._held.popleft()
        return now >= self._shut_until and self._on_the_way + len(self._held) < self.calls

    def take(self) -> None:
        """Take a slot for a call that is sent."""
        self._on_the_way += 1

    def give_back(self, now: float) -> None:
        """Let the slot of an answered call run out."""
        self._on_the_way -= 1
        self._held.append(now + self.seconds + MARGIN)

    def shut(self, until: float) -> None:
        """Send nothing before a time, because the cloud said so."""
        self._shut_until = max(self._shut_until, until)

    def opens(self, now: float) -> float | None:
        """Return when a call may be sent, if no answer comes before; None: not before one does."""
        if self.free(now):
            return now
        if self._on_the_way + len(self._held) < self.calls:
            return self._shut_until
        return max(self._held[0], self._shut_until) if self._held else None
