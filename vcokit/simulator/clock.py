"""Simulated time over the clock on the wall."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Simulated seconds: those of the wall times a speed, standing still while it is stopped."""

    def __init__(self, monotonic: Callable[[], float], speed: float) -> None:
        self._monotonic, self._speed = monotonic, speed
        self._lived = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """Let time go on."""
        self._started = self._monotonic()

    def stop(self) -> None:
        """Let time stand still."""
        self._lived, self._started = self.now(), None

    def now(self) -> float:
        """Return simulated seconds lived so far."""
        if self._started is None:
            return self._lived
        return self._lived + (self._monotonic() - self._started) * self._speed
