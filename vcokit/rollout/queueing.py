"""Whose turn it is, and when a look at a connection is worth a call.

A lane that wants a call stands in one place, until the call ends or its wishes change::

    timers   a heap by time        lanes that must wait a while
    ready    a heap an operation   lanes that may go; first those in a hurry, then by time left
    parked   in `Pages`            lanes that wait for a page which says where they stand

Lanes are never searched for: an entry whose version is no longer the lane's is passed over.

From the times of tasks seen so far (`Durations`) follows how long each lane still takes, and each
window; the longest of them is the *horizon*, the time that the rollout cannot be shorter than. A
lane that takes less has *slack*::

    horizon ├──────────────────────────────────────────────┤
    lane A  ├─ task ─┼─ task ─┼─ task ─┼─ task ─┼─ task ───┤   no slack: looked at tightly
    lane B  ├─ task ─┼·········┼─ task ─┼··················    slack: looked at once, late

*Patient* is a lane that reaches the horizon with at most two calls or so in a window. The others
need slots in the middle of a window, when the patient ones would have taken them all; so patient
lanes share what the others leave, and get no less than what brings them to the horizon in time.

A look that comes too early costs a call, one that comes too late costs the lane. The first one
comes between the time in which a few tasks end and that in which most do, the later the more slack
there is; the next ones follow at a part of the slack. Some tasks are looked at from early on
whatever the slack, so that the times stay known.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeAlias

from vcokit.cloud.operations import OPERATIONS, PAGE_SIZE
from vcokit.cloud.windows import Limiter, Share
from vcokit.rollout.connection import SEND, Lane
from vcokit.rollout.messages import POLL, POLL_ALL, PollAll
from vcokit.rollout.options import Options

# -- how long tasks take, and the pause after them ------------------------------------------------


#: Tasks that are remembered; older ones are forgotten, so that a cloud may become slower or faster.
_REMEMBERED: Final = 256
#: A bracket wider than this part of its upper end is a wide one.
_NARROW: Final = 0.3


class Durations:
    """Times of the latest tasks, seconds, from looks that only bracket their end.

    Between a look that saw a task running and one that saw it over lies its end, anywhere. A narrow
    bracket is taken by its middle. A wide one tells little by itself, so it is taken by the mean of
    what is known to fall into it: looks that come late on purpose do not make tasks seem longer.

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


#: How much longer the pause is after a refusal, at first and at most, and how much shorter it is
#: tried.
_LONGER: Final = 1.25
_MOST_LONGER: Final = 2.0
_SHORTER: Final = 0.9
#: Guesses that the pause is long at most: what is refused later has another cause.
_LONGEST: Final = 10.0
#: Part of the guess below which there is no pause.
_NONE: Final = 0.1
#: Writes that must be taken before a shorter pause is tried, at first and at most.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 512
#: Seconds by which two times may differ because numbers are rounded.
_ROUNDING: Final = 1e-6


class Pause:
    """The time between the end of a connection's task, as it is seen, and its next write.

    A write that comes too soon after the end of its connection's last task is refused
    (``TaskConflict``); how soon is too soon the vendor does not say. So the pause is learnt, by one
    rollout for all its connections. It is counted from the answer that showed the task over to the
    sending of the next write, so that a pause as long as the cloud's own is never too short::

        task runs ─┤ over ── seen over ├─────── pause ───────┤ the next write leaves

        0 ──refused──▶ the guess ──refused──▶ a quarter longer … up to ten guesses
                           │  ▲
           a tenth shorter │  │ back to what did well
                           ▼  │
                         refused, or not

    It is shortened after some writes that left right at its end were taken; each refusal doubles
    how many. A cloud that wants no pause costs nothing, one that does a few refused writes a
    rollout.

    Parameters
    ----------
    guess : float
        How long it is, seconds, once the cloud was found to want one and until it is known better.

    Attributes
    ----------
    seconds : float
        How long it is now.

    Examples
    --------
    >>> pause = Pause(1.0)
    >>> pause.refused(0.1), pause.seconds, pause.refused(1.0), pause.seconds
    (True, 1.0, True, 1.25)
    >>> pause.refused(0.2), pause.refused(60.0), pause.seconds
    (False, False, 1.25)
    """

    def __init__(self, guess: float) -> None:
        self.seconds = 0.0
        self._guess = guess
        self._did_well = 0.0
        self._taken = 0
        self._patience = _PATIENCE

    def refused(self, waited: float) -> bool:
        """Learn from a write that came too soon; tell whether the pause is longer now.

        Parameters
        ----------
        waited : float
            Seconds from when the task was seen over to when the write was sent.
        """
        longest = _LONGEST * self._guess
        if waited + _ROUNDING < self.seconds or waited > longest:
            return False  # it left before the pause was what it is now, or no pause would help
        if self.seconds < self._did_well:
            self.seconds = self._did_well
        else:
            longer = min(_LONGER * waited, _MOST_LONGER * self.seconds)
            self.seconds = self._did_well = min(longest, max(self._guess, longer))
        self._taken = 0
        self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
        return True

    def taken(self, waited: float) -> None:
        """Learn from a write that was not too soon; those that waited longer anyway say nothing."""
        if not self.seconds or waited > _LONGER * self.seconds:
            return
        self._taken += 1
        if self._taken >= self._patience:
            self._taken, self._did_well = 0, self.seconds
            self.seconds *= _SHORTER
            if self.seconds < _NONE * self._guess:
                self.seconds = 0.0


# -- who is in a hurry ----------------------------------------------------------------------------


#: Calls in a window that a patient lane needs at most to reach the horizon.
_PATIENT: Final = 2.2
#: A lane with less slack a step than this part of a task is critical.
_CRITICAL: Final = 0.25
#: Part of the read limit that looks at critical lanes may take.
_LOOKS: Final = 0.7
#: Of so many tasks of a lane one is looked at from early on.
_EXPLORED: Final = 8
#: Tasks of others that count as much as a lane's own when its times are guessed.
_OTHERS: Final = 8
#: Shortest time to go by, where neither steps nor times seen give one; seconds.
_INSTANT: Final = 0.001
#: How much of a new round trip goes into their mean.
_LEAN: Final = 0.1


class Pace:
    """What the times seen so far say about lanes.

    Parameters
    ----------
    options : Options
    """

    def __init__(self, options: Options) -> None:
        self.times = Durations(options.task_seconds)
        self.pause = Pause(options.pause)
        self.trip = 0.0
        self._interval = options.poll_interval
        self._tight: dict[str, float] = {}

    # -- what is seen ---------------------------------------------------------------------------

    def answered(self, seconds: float) -> None:
        """Note a round trip."""
        self.trip += (seconds - self.trip) * (_LEAN if self.trip else 1.0)

    def task_over(self, lane: Lane, now: float) -> None:
        """Note that a lane's task was seen over."""
        low = max(0.0, lane.running_at - lane.accepted_at)
        high = max(low, now - lane.accepted_at - self.trip / 2)
        lane.spent += self.times.add(low, high)
        lane.tasks += 1

    # -- what follows ---------------------------------------------------------------------------

    def step_seconds(self, lane: Lane) -> float:
        """Return the time that a step of a lane is thought to take."""
        task = (_OTHERS * self.times.mean + lane.spent) / (_OTHERS + lane.tasks)
        return task + self.pause.seconds + 1.5 * self.trip

    def remaining(self, lane: Lane) -> float:
        """Return the time that a lane still needs, were it never kept waiting."""
        return lane.left * self.step_seconds(lane)

    def refresh(
        self,
        lanes: Iterable[Lane],
        windows: Mapping[tuple[str, str], tuple[Share, int]],
        window_of: Callable[[Lane], tuple[str, str]],
        looks: Callable[[str, list[Lane]], float],
    ) -> list[Lane]:
        """Decide anew which lanes are in a hurry.

        Parameters
        ----------
        lanes : iterable of Lane
            Those that have not ended.
        windows : mapping of (str, str) to (Share, int)
            By region and operation: the window, and the steps that have to go through it.
        window_of : callable
            Region and operation of a lane's next write.
        looks : callable
            Given a region and its critical lanes, seconds that one look at all of them costs.

        Returns
        -------
        list of Lane
            Those that are patient now and were not before, or the other way round.
        """
        active = [(lane, self.remaining(lane)) for lane in lanes if lane.left]
        through = [left / w.calls * w.seconds for w, left in windows.values() if left]
        horizon = max([*through, *(time for _, time in active), self.times.mean, _INSTANT])
        critical: dict[str, list[Lane]] = defaultdict(list)
        hurried: dict[tuple[str, str], float] = defaultdict(float)
        changed = []
        for lane, time in active:
            lane.slack = (horizon - time) / lane.left
            if lane.slack < _CRITICAL * self.times.mean:
                critical[lane.region_id].append(lane)
            key = window_of(lane)
            rate = windows[key][0].seconds / horizon if key in windows else 0.0
            if lane.patient != (lane.left * rate <= _PATIENT):
                lane.patient = not lane.patient
                changed.append(lane)
            if not lane.patient:
                hurried[key] += lane.left
        for key, (window, left) in windows.items():
            self._share(window, left, hurried.get(key, 0.0), window.seconds / horizon)
        self._tight = {
            region: max(self._tightest(), looks(region, some) / _LOOKS)
            for region, some in critical.items()
        }
        return changed

    def _share(self, window: Share, left: int, hurried: float, rate: float) -> None:
        """Say how many calls of a window patient lanes may hold."""
        calls = window.calls
        if not hurried:
            window.patient = calls
            return
        theirs = hurried * rate
        needed = math.ceil(1.1 * (left - hurried) * rate) + 1
        share = max(needed, int(calls - 2 * theirs - 2))
        # One more than they need, since tasks of one lane do not end in step with its slots.
        window.patient = max(1, min(share, calls - math.ceil(theirs) - 1))

    def _tightest(self) -> float:
        """Return the shortest time between two looks: more would not be seen any earlier."""
        wanted = min(self._interval, self.times.mean / 40)
        return max(wanted, self._interval / 4, self.trip / 2)

    def first_look(self, lane: Lane) -> float:
        """Return the seconds after its acceptance at which a task is looked at first."""
        low = self.times.quantile(0.02) if len(self.times) else 0.5 * self.times.mean
        latest = self.times.quantile(0.9)
        if lane.tasks % _EXPLORED == 0:
            return 0.9 * low
        return 0.9 * low + min(max(0.0, lane.slack), latest - 0.9 * low)

    def next_look(self, lane: Lane, elapsed: float) -> float:
        """Return the seconds until the next look at a task that runs for some time already."""
        tight = self._tight.get(lane.region_id, self._tightest())
        return max(tight, min(max(0.0, lane.slack) / 4, elapsed / 4))


# -- many connections by one look -----------------------------------------------------------------


#: Lanes of a region from which a read through its list is tried.
_WORTH_A_SWEEP: Final = 3


@dataclass
class Flight:
    """A page that was asked for, and the lanes that wait for it."""

    sent: float
    lanes: list[Lane]


@dataclass
class Pages:
    """Where a region's connections stand in its list, so that one call looks at up to fifty.

    DescribeVpnConnections gives the state of every connection of a page; which page a connection
    stands on is known once it was seen there. A region with several lanes is therefore read through
    once, as long as that takes fewer calls than one a lane::

        unknown ─first look→ sweeping, page by page; lanes wait parked ─all read→ known
           ↑                     │ no answer, or throttled                 refused │
           └──── a while later ──┘                            off: one call a lane ┘

    What a page says of a lane counts only if the lane's last write had ended when the page was
    asked for; else it may be older than the write.

    Parameters
    ----------
    lanes : int
        Lanes of the rollout in the region.

    Attributes
    ----------
    page_of : dict of str to int
        Page that a lane was seen on last.
    on_page : dict of int to set of str
        Lanes by page.
    to_read : list of int
        Pages that are still to be asked for in a sweep.
    last : int
        The last page that the sweep has asked for, or will.
    parked : list of Lane
        Lanes that wait for the end of the sweep.
    """

    lanes: int
    page_of: dict[str, int] = field(default_factory=dict)
    on_page: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    to_read: list[int] = field(default_factory=list)
    parked: list[Lane] = field(default_factory=list)
    flights: dict[int, Flight] = field(default_factory=dict)
    sweeping: bool = False
    swept: bool = False
    refused: bool = False
    not_before: float = 0.0
    last: int = 0

    def may_sweep(self, now: float) -> bool:
        """Tell whether the list is to be read through now."""
        worth = self.lanes >= _WORTH_A_SWEEP and now >= self.not_before
        return worth and not (self.swept or self.sweeping or self.refused)

    def sweep(self) -> None:
        """Begin to read the list through."""
        self.sweeping, self.to_read, self.last = True, self._not_on_its_way([1]), 1

    def place(self, page: int, names: frozenset[str], ours: frozenset[str]) -> None:
        """Note which lanes a page shows."""
        for name in self.on_page[page] - names:
            self.page_of.pop(name, None)
        self.on_page[page] = {name for name in names if name in ours}
        for name in self.on_page[page]:
            other = self.page_of.get(name, page)
            if other != page:
                self.on_page[other].discard(name)
            self.page_of[name] = page

    def go_on(self, page: int, total: int) -> list[Lane]:
        """Go on with a sweep after a page; return the lanes that are let go when it has ended."""
        pages = -(-total // PAGE_SIZE)
        if page == 1 and pages <= max(1, self.lanes // 2):
            # Page 1 may come again while others are read: lanes on it have asked for it.
            self.to_read += self._not_on_its_way(range(self.last + 1, pages + 1))
            self.last = max(self.last, pages)
        if self.to_read or self.flights:
            return []
        self.sweeping, self.swept = False, True
        parked, self.parked = self.parked, []
        return parked

    def _not_on_its_way(self, pages: Iterable[int]) -> list[int]:
        return [page for page in pages if page not in self.flights]

    def give_up(self, *, for_good: bool, until: float) -> list[Lane]:
        """End a sweep that cannot go on; return the lanes that are let go."""
        self.refused = self.refused or for_good
        self.not_before, self.sweeping, self.to_read = until, False, []
        parked, self.parked = self.parked, []
        return parked


# -- whose turn it is -----------------------------------------------------------------------------


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
