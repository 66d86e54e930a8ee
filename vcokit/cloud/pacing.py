"""Reads that keep to the limits by themselves, so that long lists of connections come whole.

Whoever schedules calls (a rollout) asks for one try at a time and keeps windows of its own. All
other reads of a client, from whatever thread, go through one window for each region and operation::

    take a slot ──none free──▶ wait until one is
        │
        ▼
    send ─▶ answer: the slot runs out with the window   throttled: slower, all wait
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from vcokit.cloud.listing import Exchange
from vcokit.cloud.operations import Limit
from vcokit.cloud.windows import MARGIN, Window
from vcokit.errors import ThrottledError

_Result = TypeVar("_Result")

#: Seconds after which it is asked again for a slot while every one is on its way.
_A_MOMENT: Final = 0.05


class Pacer:
    """The windows of one client's reads. Safe to share between threads.

    Parameters
    ----------
    limits : mapping of str to Limit
        By operation.
    share : float
        Part of each limit that is used, above 0 and at most 1.
    now : callable
        Seconds of a clock that never goes back, the one by which the client sleeps.
    """

    def __init__(self, limits: Mapping[str, Limit], share: float, now: Callable[[], float]) -> None:
        self.now = now
        self._limits, self._share = limits, share
        self._windows: dict[tuple[str, str], Window] = {}
        self._lock = threading.Lock()

    def paced(self, region: str, operation: str, call: Exchange[_Result]) -> Exchange[_Result]:
        """Play one try of a call as soon as there is room for it."""
        window = self._window(region, operation)
        while (wait := self._take(window)) > 0.0:
            yield wait
        sent, throttled = self.now(), False
        try:
            return (yield from call)
        except ThrottledError:
            throttled = True
            raise
        finally:  # also where the caller gives up in the middle
            self._end(window, sent, throttled=throttled)

    def shut(self, region: str, operation: str, seconds: float) -> None:
        """Let nobody ask for some time, because the cloud said that it is too much."""
        window = self._window(region, operation)
        with self._lock:
            window.shut(self.now() + seconds)

    def _window(self, region: str, operation: str) -> Window:
        limit = self._limits[operation]
        with self._lock:
            key = (region, operation)
            if key not in self._windows:
                calls = max(1, int(limit.calls * self._share))
                self._windows[key] = Window(calls, limit.seconds)
            return self._windows[key]

    def _take(self, window: Window) -> float:
        """Take a slot and return 0, or return the seconds to wait before it is asked again."""
        with self._lock:
            now = self.now()
            opens = window.opens(now)
            if opens is None:
                return _A_MOMENT
            if opens > now:
                return max(MARGIN, opens - now)
            window.take()
            return 0.0

    def _end(self, window: Window, sent: float, *, throttled: bool) -> None:
        with self._lock:
            if throttled:
                window.throttled(self.now(), sent)
            else:
                window.give_back(self.now())
