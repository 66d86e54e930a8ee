"""Whose turn it is: lanes on the clock, lanes that are ready, and the windows they go through.

A lane that wants a call stands in one place, until the call ends or its wishes change::

    timers   a heap by time        lanes that must wait a while
    ready    a heap an operation   lanes that may go; first those in a hurry, then by time left
    parked   in `Pages`            lanes that wait for a page which says where they stand

Lanes are never searched for: an entry whose version is no longer the lane's is passed over.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TypeAlias

from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.ratelimit import Limiter, Share
from vcokit.rollout.alphabet import POLL, POLL_ALL, PollAll
from vcokit.rollout.lanes import SEND, Lane
from vcokit.rollout.options import Options
from vcokit.rollout.pace import Pace
from vcokit.rollout.polling import Flight, Pages

Entry: TypeAlias = tuple[bool, float, int, Lane, int]
Heaps: TypeAlias = dict[tuple[str, str], list[Entry]]


class Dispatch:
    """Lets lanes go while there are slots.

    Parameters
    ----------
    lanes : mapping of str to Lane
    limiter : Limiter
        Of the client: it knows what others have of the same limits.
    options : Options
    pace : Pace
    operation_of : callable
        The operation of a lane's next write.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        limiter: Limiter,
        options: Options,
        pace: Pace,
        operation_of: Callable[[Lane], str],
    ) -> None:
        self.flying = 0
        self._lanes = lanes
        self._limiter = limiter
        self._options = options
        self._pace = pace
        self._operation_of = operation_of
        self._shares: dict[tuple[str, str], Share] = {}
        self._timers: list[tuple[float, int, Lane, int]] = []
        self._reads: Heaps = {}
        self._writes: Heaps = {}
        self._tie = count()
        sizes = Counter(lane.region_id for lane in lanes.values())
        self.pages = {region: Pages(size) for region, size in sizes.items()}
        self._ours = frozenset(lanes)

    def share(self, region: str, operation: str) -> Share:
        """Return what the rollout has of the window of an operation in a region."""
        key = (region, operation)
        if key not in self._shares:
            part = self._options.rate_share
            if not OPERATIONS[operation].writes:
                part *= self._options.read_share
            self._shares[key] = self._limiter.share(region, operation, part)
        return self._shares[key]

    def close(self, now: float) -> None:
        """Leave the limits to others."""
        for share in self._shares.values():
            share.close(now)

    # -- places ---------------------------------------------------------------------------------

    def queue_up(self, lane: Lane, now: float, *, sending: bool) -> None:
        """Put a lane where it belongs now, and forget where it stood."""
        lane.version += 1
        lane.due = False
        if lane.calling:
            return
        want = lane.wants(sending=sending)
        if want is None:
            return
        at = lane.not_before
        if want == POLL:
            at = max(at, lane.poll_at)
        elif want == SEND:
            at = max(at, lane.over_at + self._pace.pause.seconds)
        if at > now:
            heapq.heappush(self._timers, (at, next(self._tie), lane, lane.version))
            return
        lane.due = want == POLL
        operation = self._operation_of(lane) if want == SEND else want
        heaps = self._writes if want == SEND else self._reads
        heap = heaps.setdefault((lane.region_id, operation), [])
        urgency = -self._pace.remaining(lane)
        heapq.heappush(heap, (lane.patient, urgency, next(self._tie), lane, lane.version))

    def go(self, now: float, *, may_send: bool, sending: bool) -> Iterator[Lane | PollAll]:
        """Yield the lanes, and pages, whose call goes now, each with its slot taken."""
        while self._timers and self._timers[0][0] <= now:
            _, _, lane, version = heapq.heappop(self._timers)
            if lane.version == version:
                self.queue_up(lane, now, sending=sending)
        for key, heap in list(self._reads.items()):
            if key[1] == POLL:
                yield from self._polls(key[0], heap, now)
            else:
                yield from self._through(heap, self.share(*key), now)
        for key, heap in self._writes.items() if may_send else ():
            yield from self._through(heap, self.share(*key), now)

    def _through(self, heap: list[Entry], share: Share, now: float) -> Iterator[Lane]:
        while self.flying < self._options.in_flight:
            lane = _top(heap)
            if lane is None or not share.take(now, patient=lane.patient):
                return
            heapq.heappop(heap)
            yield self._let_go(lane, now)

    def _let_go(self, lane: Lane, now: float) -> Lane:
        lane.slot, lane.calling, lane.called_at, lane.due = lane.patient, True, now, False
        lane.version += 1
        self.flying += 1
        return lane

    def end(self, lane: Lane, operation: str, now: float, *, throttled: bool = False) -> None:
        """Note that a lane's call has ended, one way or another."""
        lane.calling = False
        self.flying -= 1
        self._pace.answered(now - lane.called_at)
        share = self.share(lane.region_id, operation)
        if throttled:
            share.throttled(now, lane.called_at, patient=lane.slot)
        else:
            share.give_back(now, patient=lane.slot)

    # -- states, one by one or a page at a time -------------------------------------------------

    def _polls(self, region: str, heap: list[Entry], now: float) -> Iterator[Lane | PollAll]:
        pages = self.pages[region]
        one, many = self.share(region, POLL), self.share(region, POLL_ALL)
        while self.flying < self._options.in_flight:
            if pages.to_read and many.take(now):
                yield self._ask(region, pages.to_read.pop(0), [], now)
                continue
            lane = _top(heap)
            if lane is None:
                return
            page = pages.page_of.get(lane.name)
            if page is None and pages.may_sweep(now):
                pages.sweep()
            if page is None and pages.sweeping:
                pages.parked.append(self._set_aside(lane, heap))
            elif page in pages.flights:
                pages.flights[page].lanes.append(self._set_aside(lane, heap))
            elif page is not None and self._goes_by_page(pages, page, one, many, now):
                yield self._ask(region, page, self._due_on(pages, page), now)
            elif one.take(now, patient=lane.patient):
                heapq.heappop(heap)
                yield self._let_go(lane, now)
            else:
                return

    def _goes_by_page(self, pages: Pages, page: int, one: Share, many: Share, now: float) -> bool:
        """Take a slot for a page, where it is worth one; tell whether it was taken."""
        worth = not pages.refused and (len(self._due_on(pages, page)) > 1 or not one.free(now))
        return worth and many.take(now)

    def _due_on(self, pages: Pages, page: int) -> list[Lane]:
        return [lane for name in pages.on_page[page] if (lane := self._lanes[name]).due]

    def _set_aside(self, lane: Lane, heap: list[Entry]) -> Lane:
        heapq.heappop(heap)
        lane.calling, lane.due = True, False
        lane.version += 1
        return lane

    def _ask(self, region: str, page: int, lanes: list[Lane], now: float) -> PollAll:
        self.flying += 1
        for lane in lanes:
            lane.calling, lane.due = True, False
            lane.version += 1
        self.pages[region].flights[page] = Flight(now, lanes)
        return PollAll(region, page)

    def end_page(self, region: str, page: int, now: float, *, throttled: bool = False) -> Flight:
        """Note that a page has come, or not; return what was asked for, its lanes let go."""
        flight = self.pages[region].flights.pop(page)
        self.flying -= 1
        self._pace.answered(now - flight.sent)
        share = self.share(region, POLL_ALL)
        if throttled:
            share.throttled(now, flight.sent)
        else:
            share.give_back(now)
        for lane in flight.lanes:
            lane.calling = False
        return flight

    def place(self, region: str, page: int, names: frozenset[str]) -> None:
        """Note which connections a page shows."""
        self.pages[region].place(page, names, self._ours)

    def look_seconds(self, region: str, lanes: list[Lane]) -> float:
        """Return the time that one look at some lanes of a region takes of its windows."""
        pages = self.pages[region]
        known = {pages.page_of[lane.name] for lane in lanes if lane.name in pages.page_of}
        alone = sum(lane.name not in pages.page_of for lane in lanes)
        one, many = self.share(region, POLL), self.share(region, POLL_ALL)
        return max(alone * one.seconds / one.calls, len(known) * many.seconds / many.calls)

    # -- time -----------------------------------------------------------------------------------

    def next_time(self, now: float, *, may_send: bool) -> float | None:
        """Return when a lane may go though nothing is told before; None: only when told."""
        while self._timers and self._timers[0][2].version != self._timers[0][3]:
            heapq.heappop(self._timers)
        times = [self._timers[0][0]] if self._timers else []
        if self.flying < self._options.in_flight:
            opens = [self._opens(key, heap, now) for key, heap in self._reads.items()]
            opens += [
                self.share(region, POLL_ALL).opens(now)
                for region, pages in self.pages.items()
                if pages.to_read
            ]
            if may_send:
                opens += [self._opens(key, heap, now) for key, heap in self._writes.items()]
            times += [time for time in opens if time is not None]
        return min(times, default=None)

    def _opens(self, key: tuple[str, str], heap: list[Entry], now: float) -> float | None:
        lane = _top(heap)
        if lane is None:
            return None
        opens = self.share(*key).opens(now, patient=lane.patient)
        pages = self.pages[key[0]]
        if key[1] == POLL and not pages.refused and lane.name in pages.page_of:
            other = self.share(key[0], POLL_ALL).opens(now)
            return min((time for time in (opens, other) if time is not None), default=None)
        return opens


def _top(heap: list[Entry]) -> Lane | None:
    """Return the lane that goes first, with entries that hold no more taken away."""
    while heap and heap[0][4] != heap[0][3].version:
        heapq.heappop(heap)
    return heap[0][3] if heap else None
