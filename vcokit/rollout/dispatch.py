"""Whose turn it is: lanes on the clock, lanes that are ready, and the windows they go through.

A lane that wants a call stands in one of two places, until the call ends or its wishes change::

    timers   a heap by time        lanes that must wait a while
    ready    a heap an operation   lanes that may go; those with the most steps left go first

Lanes are never searched for: an entry whose version is no longer the lane's is passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import count

from vcokit.cloud.operations import Limit
from vcokit.rollout.lanes import SEND, Lane
from vcokit.rollout.windows import Window


class Dispatch:
    """Lets lanes go while there are slots.

    Parameters
    ----------
    lanes : mapping of str to Lane
    limits : mapping of str to Limit
        By operation; each region has its own windows.
    in_flight : int
        Calls under way at most.
    operation_of : callable
        The operation of a lane's next write.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        limits: Mapping[str, Limit],
        in_flight: int,
        operation_of: Callable[[Lane], str],
    ) -> None:
        self.flying = 0
        self._lanes = lanes
        self._limits = limits
        self._in_flight = in_flight
        self._operation_of = operation_of
        self._windows: dict[tuple[str, str], Window] = {}
        self._timers: list[tuple[float, int, str, int]] = []
        self._reads: dict[tuple[str, str], list[tuple[int, int, str, int]]] = {}
        self._writes: dict[tuple[str, str], list[tuple[int, int, str, int]]] = {}
        self._tie = count()

    def window(self, region: str, operation: str) -> Window:
        """Return the window of an operation in a region."""
        key = (region, operation)
        if key not in self._windows:
            limit = self._limits[operation]
            self._windows[key] = Window(limit.calls, limit.seconds)
        return self._windows[key]

    def queue_up(self, lane: Lane, now: float) -> None:
        """Put a lane where it belongs now, and forget where it stood."""
        lane.version += 1
        want = lane.wants()
        if lane.calling or want is None:
            return
        if lane.not_before > now:
            entry = (lane.not_before, next(self._tie), lane.name, lane.version)
            heapq.heappush(self._timers, entry)
            return
        operation = self._operation_of(lane) if want == SEND else want
        heaps = self._writes if want == SEND else self._reads
        heap = heaps.setdefault((lane.region_id, operation), [])
        heapq.heappush(heap, (-len(lane.queue), next(self._tie), lane.name, lane.version))

    def go(self, now: float, *, may_send: bool) -> Iterator[Lane]:
        """Yield the lanes whose call goes now, each with its slot taken."""
        while self._timers and self._timers[0][0] <= now:
            _, _, name, version = heapq.heappop(self._timers)
            if self._lanes[name].version == version:
                self.queue_up(self._lanes[name], now)
        for heaps in (self._reads, self._writes) if may_send else (self._reads,):
            for key, heap in heaps.items():
                yield from self._through(heap, self.window(*key), now)

    def _through(
        self, heap: list[tuple[int, int, str, int]], window: Window, now: float
    ) -> Iterator[Lane]:
        while heap and window.free(now) and self.flying < self._in_flight:
            _, _, name, version = heapq.heappop(heap)
            lane = self._lanes[name]
            if lane.version == version:
                window.take()
                lane.calling = True
                self.flying += 1
                yield lane

    def end(self, lane: Lane, operation: str, now: float) -> None:
        """Note that a lane's call has ended, one way or another."""
        lane.calling = False
        self.flying -= 1
        self.window(lane.region_id, operation).give_back(now)

    def next_time(self, now: float, *, may_send: bool) -> float | None:
        """Return when a lane may go though nothing is told before; None: only when told."""
        times = [self._timers[0][0]] if self._timers else []
        if self.flying < self._in_flight:
            for heaps in (self._reads, self._writes) if may_send else (self._reads,):
                opens = [self.window(*key).opens(now) for key, heap in heaps.items() if heap]
                times += [time for time in opens if time is not None]
        return min(times, default=None)
