"""Calls that keep to the limits by themselves, so that long lists of connections come whole.

Whoever schedules calls (a rollout) asks for one try at a time and has a share of its own in the
client's windows. All other calls of a client, from whatever thread, share one with each other::

    take a slot ──none free──▶ wait until one is
        │
        ▼
    send ─▶ answer: the slot runs out with the window   throttled: slower, all wait
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from vcokit.cloud.listing import Exchange
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.ratelimit import MARGIN, Limiter, Share
from vcokit.errors import ThrottledError

_Result = TypeVar("_Result")

#: Seconds after which it is asked again for a slot while every one is on its way.
_A_MOMENT: Final = 0.05


class Pacer:
    """What one client itself has of the limits. Safe to share between threads.

    Parameters
    ----------
    limiter : Limiter
    read_share : float
        Part of each limit of reads that is used, above 0 and at most 1.
    now : callable
        Seconds of a clock that never goes back, the one by which the client sleeps.
    """

    def __init__(self, limiter: Limiter, read_share: float, now: Callable[[], float]) -> None:
        self.limiter = limiter
        self.now = now
        self._read_share = read_share
        self._shares: dict[tuple[str, str], Share] = {}
        self._lock = threading.Lock()

    def paced(self, region: str, operation: str, call: Exchange[_Result]) -> Exchange[_Result]:
        """Play one try of a call as soon as there is room for it."""
        share = self._share(region, operation)
        while (wait := self._take(share)) > 0.0:
            yield wait
        sent, throttled = self.now(), False
        try:
            return (yield from call)
        except ThrottledError:
            throttled = True
            raise
        finally:  # also where the caller gives up in the middle
            if throttled:
                share.throttled(self.now(), sent)
            else:
                share.give_back(self.now())

    def shut(self, region: str, operation: str, seconds: float) -> None:
        """Let nobody ask for some time, because the cloud said that it is too much."""
        self._share(region, operation).shut(self.now() + seconds)

    def _share(self, region: str, operation: str) -> Share:
        key = (region, operation)
        with self._lock:
            if key not in self._shares:
                part = 1.0 if OPERATIONS[operation].writes else self._read_share
                self._shares[key] = self.limiter.share(region, operation, part)
            return self._shares[key]

    def _take(self, share: Share) -> float:
        """Take a slot and return 0, or return the seconds to wait before it is asked again."""
        now = self.now()
        if share.take(now):
            return 0.0
        opens = share.opens(now)
        return _A_MOMENT if opens is None else max(MARGIN, opens - now)
