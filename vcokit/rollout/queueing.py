"""Whose turn it is, and when a look at a connection is worth a call.

A connection that wants a call stands in one place, until the call ends or its wishes change::

    timers   a heap by time        those that must wait a while
    ready    a heap an operation   those that may go; first those in a hurry, then by time left
    parked   in `Pages`            those that wait for a page which says where they stand

They are never searched for: an entry whose version is no longer the place's is passed over.

From the times of tasks seen so far (`Durations`) follows how long each connection still takes, and
each window; the longest of them is the *horizon*, the time that the rollout cannot be shorter than.
A connection that takes less has *slack*::

    horizon ├──────────────────────────────────────────────┤
    vco-a   ├─ task ─┼─ task ─┼─ task ─┼─ task ─┼─ task ───┤   no slack: looked at tightly
    vco-b   ├─ task ─┼·········┼─ task ─┼··················    slack: looked at once, late

*Patient* is one that reaches the horizon with at most two calls or so in a window. The others need
slots in the middle of a window, when the patient ones would have taken them all; so the patient
share what the others leave, and get no less than what brings them to the horizon in time.

A look that comes too early costs a call, one that comes too late costs the connection. The first
one comes between the time in which a few tasks end and that in which most do, the later the more
slack there is; the next ones follow at a part of the slack. Some tasks are looked at from early on
whatever the slack, so that the times stay known.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeAlias

from vcokit.cloud.operations import OPERATIONS, PAGE_SIZE
from vcokit.cloud.ratelimit import Limiter, Share
from vcokit.rollout.connection import Connection, Want
from vcokit.rollout.messages import LIST, POLL, POLL_ALL, PollAll
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

#: Calls in a window that a patient connection needs at most to reach the horizon.
_PATIENT: Final = 2.2
#: A connection with less slack a step than this part of a task is critical.
_CRITICAL: Final = 0.25
#: Part of the read limit that looks at critical connections may take.
_LOOKS: Final = 0.7
#: Of so many tasks of a connection one is looked at from early on.
_EXPLORED: Final = 8
#: Tasks of others that count as much as a connection's own when its times are guessed.
_OTHERS: Final = 8
#: Shortest time to go by, where neither steps nor times seen give one; seconds.
_INSTANT: Final = 0.001
#: How much of a new round trip goes into their mean.
_LEAN: Final = 0.1


@dataclass(eq=False, slots=True)
class Place:
    """Where a connection stands in the queues, and what its pace is.

    Attributes
    ----------
    version : int
        Rises whenever it is put elsewhere, so that earlier entries hold no more.
    due : bool
        Whether its state is to be read now.
    calling : bool
        Whether a call of it is under way, which left at ``called_at`` through a slot for those
        that can wait, or not (``slot``).
    patient : bool
        Whether it has time.
    slack : float
        Seconds that each of its steps may take longer.
    tasks, spent : int, float
        Its tasks so far, and the seconds that they took.
    """

    connection: Connection
    version: int = 0
    due: bool = False
    calling: bool = False
    called_at: float = 0.0
    slot: bool = False
    patient: bool = False
    slack: float = 0.0
    tasks: int = 0
    spent: float = 0.0

    def leave(self, *, calling: bool) -> None:
        """Take it out of the queues: its call is under way, or it waits for a page."""
        self.calling, self.due = calling, False
        self.version += 1


class Pace:
    """What the times seen so far say about connections."""

    def __init__(self, options: Options) -> None:
        self.times = Durations(options.task_seconds)
        self.pause = Pause(options.pause)
        self.trip = 0.0
        self._interval = options.poll_interval
        self._tight: dict[str, float] = {}

    def answered(self, seconds: float) -> None:
        """Note a round trip."""
        self.trip += (seconds - self.trip) * (_LEAN if self.trip else 1.0)

    def task_over(self, place: Place, now: float) -> None:
        """Note that a task was seen over."""
        one = place.connection
        low = max(0.0, one.running_at - one.accepted_at)
        high = max(low, now - one.accepted_at - self.trip / 2)
        place.spent += self.times.add(low, high)
        place.tasks += 1

    def remaining(self, place: Place) -> float:
        """Return the time that a connection still needs, were it never kept waiting."""
        task = (_OTHERS * self.times.mean + place.spent) / (_OTHERS + place.tasks)
        return place.connection.left * (task + self.pause.seconds + 1.5 * self.trip)

    def horizon(self, times: Iterable[float]) -> float:
        """Return the longest of the times that are needed."""
        return max([*times, self.times.mean, _INSTANT])

    def is_critical(self, place: Place) -> bool:
        """Tell whether a connection has no time to lose."""
        return place.slack < _CRITICAL * self.times.mean

    def look_tightly(self, look_seconds: Mapping[str, float]) -> None:
        """Say, by region, what one look at all its critical connections costs of its windows."""
        self._tight = {
            region: max(self._tightest(), seconds / _LOOKS)
            for region, seconds in look_seconds.items()
        }

    def _tightest(self) -> float:
        """Return the shortest time between two looks: more would not be seen any earlier."""
        wanted = min(self._interval, self.times.mean / 40)
        return max(wanted, self._interval / 4, self.trip / 2)

    def first_look(self, place: Place) -> float:
        """Return the seconds after its acceptance at which a task is looked at first."""
        low = self.times.quantile(0.02) if len(self.times) else 0.5 * self.times.mean
        latest = self.times.quantile(0.9)
        if place.tasks % _EXPLORED == 0:
            return 0.9 * low
        return 0.9 * low + min(max(0.0, place.slack), latest - 0.9 * low)

    def next_look(self, place: Place, elapsed: float) -> float:
        """Return the seconds until the next look at a task that runs for some time already."""
        tight = self._tight.get(place.connection.region_id, self._tightest())
        return max(tight, min(max(0.0, place.slack) / 4, elapsed / 4))


# -- many connections by one look -----------------------------------------------------------------


#: Connections of a region from which a read through its list is tried.
_WORTH_A_SWEEP: Final = 3


@dataclass
class Flight:
    """A page that was asked for, and the connections that wait for it."""

    sent: float
    places: list[Place]


@dataclass
class Pages:
    """Where a region's connections stand in its list, so that one call looks at up to fifty.

    DescribeVpnConnections gives the state of every connection of a page; which page a connection
    stands on is known once it was seen there. A region with several of ours is therefore read
    through once, as long as that takes fewer calls than one for each::

        unknown ─first look→ sweeping, page by page; others wait parked ─all read→ known
           ↑                     │ no answer, or throttled                 refused │
           └──── a while later ──┘                            off: a call for each ┘

    What a page says of a connection counts only if its last write had ended when the page was asked
    for; else it may be older than the write.

    Parameters
    ----------
    size : int
        Connections of the rollout in the region.

    Attributes
    ----------
    page_of : dict of str to int
        Page that a connection was seen on last.
    on_page : dict of int to dict of str to None
        Connections by page, in its order.
    to_read : list of int
        Pages that are still to be asked for in a sweep.
    last : int
        The last page that the sweep has asked for, or will.
    parked : list of Place
        Connections that wait for the end of the sweep.
    """

    size: int
    page_of: dict[str, int] = field(default_factory=dict)
    on_page: dict[int, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    to_read: list[int] = field(default_factory=list)
    parked: list[Place] = field(default_factory=list)
    flights: dict[int, Flight] = field(default_factory=dict)
    sweeping: bool = False
    swept: bool = False
    refused: bool = False
    not_before: float = 0.0
    last: int = 0

    def may_sweep(self, now: float) -> bool:
        """Tell whether the list is to be read through now."""
        worth = self.size >= _WORTH_A_SWEEP and now >= self.not_before
        return worth and not (self.swept or self.sweeping or self.refused)

    def sweep(self) -> None:
        """Begin to read the list through."""
        self.sweeping, self.to_read, self.last = True, self._not_on_its_way([1]), 1

    def place(self, page: int, names: Collection[str], ours: Collection[str]) -> None:
        """Note which of our connections a page shows, in its order."""
        for name in self.on_page[page]:
            if name not in names:
                self.page_of.pop(name, None)
        self.on_page[page] = dict.fromkeys(name for name in names if name in ours)
        for name in self.on_page[page]:
            other = self.page_of.get(name, page)
            if other != page:
                self.on_page[other].pop(name, None)
            self.page_of[name] = page

    def go_on(self, page: int, total: int) -> list[Place]:
        """Go on with a sweep after a page; return those that are let go when it has ended."""
        pages = -(-total // PAGE_SIZE)
        if page == 1 and pages <= max(1, self.size // 2):
            # Page 1 may come again while others are read: those on it have asked for it.
            self.to_read += self._not_on_its_way(range(self.last + 1, pages + 1))
            self.last = max(self.last, pages)
        if self.to_read or self.flights:
            return []
        self.sweeping, self.swept = False, True
        parked, self.parked = self.parked, []
        return parked

    def _not_on_its_way(self, pages: Iterable[int]) -> list[int]:
        return [page for page in pages if page not in self.flights]

    def give_up(self, *, for_good: bool, until: float) -> list[Place]:
        """End a sweep that cannot go on; return those that are let go."""
        self.refused = self.refused or for_good
        self.not_before, self.sweeping, self.to_read = until, False, []
        parked, self.parked = self.parked, []
        return parked


# -- whose turn it is ------------------------------------------------------------------------------


Entry: TypeAlias = tuple[bool, float, int, Place, int]
Heaps: TypeAlias = dict[tuple[str, str], list[Entry]]

#: The operation of each read.
_READS: Final = {Want.LIST: LIST, Want.POLL: POLL}


class Queue:
    """Lets calls go while there are slots.

    Parameters
    ----------
    connections : iterable of Connection
    limiter : Limiter
        Of the client: it knows what others have of the same limits.
    options : Options

    Attributes
    ----------
    flying : int
        Calls under way.
    pace : Pace
    """

    def __init__(
        self, connections: Iterable[Connection], limiter: Limiter, options: Options
    ) -> None:
        self.flying = 0
        self.pace = Pace(options)
        self._limiter = limiter
        self._options = options
        self._places = {one.name: Place(one) for one in connections}
        self._shares: dict[tuple[str, str], Share] = {}
        self._timers: list[tuple[float, int, Place, int]] = []
        self._reads: Heaps = {}
        self._writes: Heaps = {}
        self._tie = count()
        sizes = Counter(place.connection.region_id for place in self._places.values())
        self._pages = {region: Pages(size) for region, size in sizes.items()}

    # -- windows --------------------------------------------------------------------------------

    def _share(self, region: str, operation: str) -> Share:
        """Return what the rollout has of the window of an operation in a region."""
        key = (region, operation)
        if key not in self._shares:
            part = self._options.rate_share
            if not OPERATIONS[operation].writes:
                part *= self._options.read_share
            self._shares[key] = self._limiter.share(region, operation, part)
        return self._shares[key]

    def shut(self, region: str, operation: str, until: float) -> None:
        """Let nothing through the window of an operation before a time."""
        self._share(region, operation).shut(until)

    def close(self, now: float) -> None:
        """Leave the limits to others."""
        for share in self._shares.values():
            share.close(now)

    # -- pace -----------------------------------------------------------------------------------

    def task_over(self, connection: Connection, now: float) -> None:
        """Note that the task of a connection was seen over."""
        self.pace.task_over(self._places[connection.name], now)

    def first_look(self, connection: Connection) -> float:
        """Return the seconds after its acceptance at which a task is looked at first."""
        return self.pace.first_look(self._places[connection.name])

    def next_look(self, connection: Connection, elapsed: float) -> float:
        """Return the seconds until the next look at a task that runs for some time already."""
        return self.pace.next_look(self._places[connection.name], elapsed)

    def refresh(
        self, active: Iterable[Connection], left: Mapping[tuple[str, str], int]
    ) -> list[Connection]:
        """Decide anew who is in a hurry.

        Parameters
        ----------
        active : iterable of Connection
            Those that have not ended.
        left : mapping of (str, str) to int
            By region and operation, the steps that are still to be sent.

        Returns
        -------
        list of Connection
            Those that have time now and had none before, or the other way round.
        """
        windows = {key: (self._share(*key), number) for key, number in left.items()}
        places = (self._places[one.name] for one in active)
        needs = [(place, self.pace.remaining(place)) for place in places if place.connection.left]
        through = [number / w.calls * w.seconds for w, number in windows.values() if number]
        horizon = self.pace.horizon([*through, *(time for _, time in needs)])
        critical: dict[str, list[str]] = defaultdict(list)
        hurried: dict[tuple[str, str], float] = defaultdict(float)
        changed = []
        for place, time in needs:
            one = place.connection
            place.slack = (horizon - time) / one.left
            if self.pace.is_critical(place):
                critical[one.region_id].append(one.name)
            key = (one.region_id, one.operation)
            rate = windows[key][0].seconds / horizon if key in windows else 0.0
            if place.patient != (one.left * rate <= _PATIENT):
                place.patient = not place.patient
                changed.append(one)
            if not place.patient:
                hurried[key] += one.left
        for key, (window, number) in windows.items():
            _leave_slots(window, number, hurried.get(key, 0.0), window.seconds / horizon)
        self.pace.look_tightly(
            {region: self._look_seconds(region, some) for region, some in critical.items()}
        )
        return changed

    def _look_seconds(self, region: str, names: list[str]) -> float:
        """Return the time that one look at some connections of a region takes of its windows."""
        pages = self._pages[region]
        known = {pages.page_of[name] for name in names if name in pages.page_of}
        alone = sum(name not in pages.page_of for name in names)
        one, many = self._share(region, POLL), self._share(region, POLL_ALL)
        return max(alone * one.seconds / one.calls, len(known) * many.seconds / many.calls)

    # -- places ---------------------------------------------------------------------------------

    def want(self, connection: Connection, *, sending: bool) -> Want | None:
        """Return what a connection does next."""
        patient = self._places[connection.name].patient
        return connection.wants(sending=sending, patient=patient)

    def put(self, connection: Connection, now: float, *, sending: bool) -> None:
        """Put a connection where it belongs now, and forget where it stood."""
        self._put(self._places[connection.name], now, sending=sending)

    def _put(self, place: Place, now: float, *, sending: bool) -> None:
        place.leave(calling=place.calling)
        if place.calling:
            return
        one = place.connection
        want = one.wants(sending=sending, patient=place.patient)
        if want is None:
            return
        at = one.not_before
        if want is Want.POLL:
            at = max(at, one.poll_at)
        elif want is Want.LIST:
            at = max(at, one.list_at)
        elif want is Want.SEND:
            at = max(at, one.over_at + self.pace.pause.seconds)
        if at > now:
            heapq.heappush(self._timers, (at, next(self._tie), place, place.version))
            return
        place.due = want is Want.POLL
        heaps = self._writes if want is Want.SEND else self._reads
        operation = one.operation if want is Want.SEND else _READS[want]
        heap = heaps.setdefault((one.region_id, operation), [])
        urgency = -self.pace.remaining(place)
        heapq.heappush(heap, (place.patient, urgency, next(self._tie), place, place.version))

    def go(self, now: float, *, may_send: bool, sending: bool) -> Iterator[Connection | PollAll]:
        """Yield the connections, and pages, whose call goes now, each with its slot taken."""
        while self._timers and self._timers[0][0] <= now:
            _, _, place, version = heapq.heappop(self._timers)
            if place.version == version:
                self._put(place, now, sending=sending)
        for key, heap in list(self._reads.items()):
            if key[1] == POLL:
                yield from self._polls(key[0], heap, now)
            else:
                yield from self._through(heap, self._share(*key), now)
        for key, heap in self._writes.items() if may_send else ():
            yield from self._through(heap, self._share(*key), now)

    def _through(self, heap: list[Entry], share: Share, now: float) -> Iterator[Connection]:
        while self.flying < self._options.in_flight:
            place = _top(heap)
            if place is None or not share.take(now, patient=place.patient):
                return
            heapq.heappop(heap)
            yield self._let_go(place, now)

    def _let_go(self, place: Place, now: float) -> Connection:
        place.slot, place.called_at = place.patient, now
        place.leave(calling=True)
        self.flying += 1
        return place.connection

    def ended(
        self, connection: Connection, operation: str, now: float, *, throttled: bool = False
    ) -> float:
        """Note that a call has ended, one way or another; return when it left."""
        place = self._places[connection.name]
        place.calling = False
        self.flying -= 1
        self.pace.answered(now - place.called_at)
        share = self._share(connection.region_id, operation)
        if throttled:
            share.throttled(now, place.called_at, patient=place.slot)
        else:
            share.give_back(now, patient=place.slot)
        return place.called_at

    # -- states, one by one or a page at a time -------------------------------------------------

    def _polls(self, region: str, heap: list[Entry], now: float) -> Iterator[Connection | PollAll]:
        pages = self._pages[region]
        one, many = self._share(region, POLL), self._share(region, POLL_ALL)
        while self.flying < self._options.in_flight:
            if pages.to_read and many.take(now):
                yield self._ask(region, pages.to_read.pop(0), [], now)
                continue
            place = _top(heap)
            if place is None:
                return
            page = pages.page_of.get(place.connection.name)
            if page is None and pages.may_sweep(now):
                pages.sweep()
            if page is None and pages.sweeping:
                pages.parked.append(_set_aside(place, heap))
            elif page in pages.flights:
                pages.flights[page].places.append(_set_aside(place, heap))
            elif page is not None and self._goes_by_page(pages, page, one, many, now):
                yield self._ask(region, page, self._due_on(pages, page), now)
            elif one.take(now, patient=place.patient):
                heapq.heappop(heap)
                yield self._let_go(place, now)
            else:
                return

    def _goes_by_page(self, pages: Pages, page: int, one: Share, many: Share, now: float) -> bool:
        """Take a slot for a page, where it is worth one; tell whether it was taken."""
        worth = not pages.refused and (len(self._due_on(pages, page)) > 1 or not one.free(now))
        return worth and many.take(now)

    def _due_on(self, pages: Pages, page: int) -> list[Place]:
        return [place for name in pages.on_page[page] if (place := self._places[name]).due]

    def _ask(self, region: str, page: int, places: list[Place], now: float) -> PollAll:
        self.flying += 1
        for place in places:
            place.leave(calling=True)
        self._pages[region].flights[page] = Flight(now, places)
        return PollAll(region, page)

    def page_ended(
        self, region: str, page: int, now: float, *, throttled: bool = False
    ) -> tuple[float, list[Connection]]:
        """Note that a page has come, or not; return when it was asked for, and who waited."""
        flight = self._pages[region].flights.pop(page)
        self.flying -= 1
        self.pace.answered(now - flight.sent)
        share = self._share(region, POLL_ALL)
        if throttled:
            share.throttled(now, flight.sent)
        else:
            share.give_back(now)
        return flight.sent, _let_loose(flight.places)

    def page_read(
        self, region: str, page: int, names: Collection[str], total: int
    ) -> list[Connection]:
        """Note what a page shows; return those that need not wait for pages any longer."""
        pages = self._pages[region]
        pages.place(page, names, self._places)
        released = [place for place in pages.parked if place.connection.name in names]
        pages.parked = [place for place in pages.parked if place.connection.name not in names]
        if pages.sweeping:
            released += pages.go_on(page, total)
        return _let_loose(released)

    def page_lost(self, region: str, *, for_good: bool, until: float) -> list[Connection]:
        """Read no more pages until a time, or for good; return those that have waited for them."""
        return _let_loose(self._pages[region].give_up(for_good=for_good, until=until))

    # -- time -----------------------------------------------------------------------------------

    def next_time(self, now: float, *, may_send: bool) -> float | None:
        """Return when somebody may go though nothing is told before; None: only when told."""
        while self._timers and self._timers[0][2].version != self._timers[0][3]:
            heapq.heappop(self._timers)
        times = [self._timers[0][0]] if self._timers else []
        if self.flying < self._options.in_flight:
            opens = [self._opens(key, heap, now) for key, heap in self._reads.items()]
            opens += [
                self._share(region, POLL_ALL).opens(now)
                for region, pages in self._pages.items()
                if pages.to_read
            ]
            if may_send:
                opens += [self._opens(key, heap, now) for key, heap in self._writes.items()]
            times += [time for time in opens if time is not None]
        return min(times, default=None)

    def _opens(self, key: tuple[str, str], heap: list[Entry], now: float) -> float | None:
        place = _top(heap)
        if place is None:
            return None
        opens = self._share(*key).opens(now, patient=place.patient)
        pages = self._pages[key[0]]
        if key[1] == POLL and not pages.refused and place.connection.name in pages.page_of:
            other = self._share(key[0], POLL_ALL).opens(now)
            return min((time for time in (opens, other) if time is not None), default=None)
        return opens


def _leave_slots(window: Share, left: int, hurried: float, rate: float) -> None:
    """Say how many calls of a window those that have time may hold."""
    calls = window.calls
    if not hurried:
        window.patient = calls
        return
    theirs = hurried * rate
    needed = math.ceil(1.1 * (left - hurried) * rate) + 1
    share = max(needed, int(calls - 2 * theirs - 2))
    # One more than they need, since tasks do not end in step with the slots.
    window.patient = max(1, min(share, calls - math.ceil(theirs) - 1))


def _top(heap: list[Entry]) -> Place | None:
    """Return who goes first, with entries that hold no more taken away."""
    while heap and heap[0][4] != heap[0][3].version:
        heapq.heappop(heap)
    return heap[0][3] if heap else None


def _set_aside(place: Place, heap: list[Entry]) -> Place:
    heapq.heappop(heap)
    place.leave(calling=True)
    return place


def _let_loose(places: list[Place]) -> list[Connection]:
    for place in places:
        place.calling = False
    return [place.connection for place in places]
