"""Which connection is next, and when a read of a connection's state is worth a call.

A connection that needs a call is in one of these places, until the call ends or its need changes::

    timers   a heap by time           connections that must wait until a time
    ready    a heap per operation     connections that may go; urgent first, then by time needed
    parked   in `Pages`               connections that wait to learn their page of the list

Old entries are not searched for and removed: an entry whose version differs from that of its
`Place` is ignored.

The times of tasks measured so far (`Durations`) give the time that each connection and each rate
limit window still needs. The longest of these times is the *horizon*: the rollout cannot be
shorter. A connection that needs less has *slack*::

    horizon ├──────────────────────────────────────────────┤
    vco-a   ├─ task ─┼─ task ─┼─ task ─┼─ task ─┼─ task ───┤   no slack: read often
    vco-b   ├─ task ─┼·········┼─ task ─┼··················    slack: read rarely, and late

A connection is *patient* if about two calls per window are enough to reach the horizon in time. The
others are urgent: they need slots in the middle of a window, when the patient ones would have taken
all of them. So patient connections share the slots that the urgent ones do not need, but always get
enough to reach the horizon in time.

A read that comes too early wastes a call; one that comes too late delays the connection. The first
read of a task comes between the time in which a few tasks end and the time in which most do; with
more slack it comes later. The next reads follow at intervals of a part of the slack. Some tasks are
read early whatever the slack, to keep the measured times accurate.
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

# -- durations of tasks, and the pause after them --------------------------------------------------


#: Number of latest tasks that count; older ones are dropped, as the cloud may become slower or
#: faster.
_REMEMBERED: Final = 256
#: An interval is wide if its width is more than this part of its upper end.
_NARROW: Final = 0.3


class Durations:
    """Durations of the latest tasks, in seconds, from reads that only give an interval of the end.

    A task ends at some time between a read that saw it running and a read that saw it over. For a
    narrow interval, the middle is used. A wide one contains little information, so the mean of the
    known durations that fall into it is used: then reads that come late on purpose do not make
    tasks seem longer.

    Parameters
    ----------
    guess : float
        Expected duration of a task before one was measured.

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
        """Record a task that ended between two times; return the duration that is used for it."""
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
        """Mean duration of a task."""
        return self._sum / len(self._sorted) if self._sorted else self._guess

    def quantile(self, part: float) -> float:
        """Return the time within which a given part of the tasks ends."""
        if not self._sorted:
            return self._guess
        return self._sorted[min(len(self._sorted) - 1, int(part * len(self._sorted)))]


#: Factors of the pause: after a refusal it becomes longer by the first, but at most by the second;
#: the third is tried to make it shorter.
_LONGER: Final = 1.25
_MOST_LONGER: Final = 2.0
_SHORTER: Final = 0.9
#: The pause is at most this multiple of the guess: a later refusal has another cause.
_LONGEST: Final = 10.0
#: A pause below this part of the guess becomes no pause.
_NONE: Final = 0.1
#: Number of accepted writes before a shorter pause is tried, at first and at most.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 512
#: Tolerance for rounding when two times are compared; seconds.
_ROUNDING: Final = 1e-6


class Pause:
    """The time from when a connection's task is seen to be over to the connection's next write.

    The cloud refuses a write that comes too soon after the end of the connection's last task
    (``TaskConflict``). The vendor does not document how soon is too soon, so each rollout learns
    one pause for all its connections. The pause begins with the answer that showed the end of the
    task and ends when the next write is sent, so a pause as long as the cloud's own is never too
    short::

        task runs ─┤ over ── seen over ├─────── pause ───────┤ next write is sent

        0 ──refused──▶ the guess ──refused──▶ a quarter longer … up to ten guesses
                           │  ▲
           a tenth shorter │  │ back to the last pause that worked
                           ▼  │
                         refused, or not

    A shorter pause is tried after some writes sent right at the end of the pause were accepted;
    each refusal doubles the number of such writes. If the cloud needs no pause, this costs nothing;
    if it does, it costs a few refused writes per rollout.

    Parameters
    ----------
    guess : float
        First value, in seconds, after the cloud was found to need a pause.

    Attributes
    ----------
    seconds : float
        The current pause.

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
        """Learn from a write that came too soon; return whether the pause is longer now.

        Parameters
        ----------
        waited : float
            Seconds from when the task was seen over to when the write was sent.
        """
        longest = _LONGEST * self._guess
        if waited + _ROUNDING < self.seconds or waited > longest:
            return False  # it was sent under an earlier, shorter pause, or no pause would help
        if self.seconds < self._did_well:
            self.seconds = self._did_well
        else:
            longer = min(_LONGER * waited, _MOST_LONGER * self.seconds)
            self.seconds = self._did_well = min(longest, max(self._guess, longer))
        self._taken = 0
        self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
        return True

    def taken(self, waited: float) -> None:
        """Learn from an accepted write; one that waited longer anyway proves nothing."""
        if not self.seconds or waited > _LONGER * self.seconds:
            return
        self._taken += 1
        if self._taken >= self._patience:
            self._taken, self._did_well = 0, self.seconds
            self.seconds *= _SHORTER
            if self.seconds < _NONE * self._guess:
                self.seconds = 0.0


# -- which connections are urgent -----------------------------------------------------------------

#: Maximum number of calls per window that a patient connection needs to reach the horizon.
_PATIENT: Final = 2.2
#: A connection whose slack per step is below this part of a task is critical.
_CRITICAL: Final = 0.25
#: Part of the read limit that reads of critical connections may use.
_LOOKS: Final = 0.7
#: One of this number of tasks of a connection is read early.
_EXPLORED: Final = 8
#: Weight of the mean of all tasks, in tasks, when a connection's own task time is estimated.
_OTHERS: Final = 8
#: Shortest horizon, if neither steps nor measured times give one; seconds.
_INSTANT: Final = 0.001
#: Weight of a new round trip in the mean round trip.
_LEAN: Final = 0.1


@dataclass(eq=False, slots=True)
class Place:
    """Where a connection is in the queues, and its pace.

    Attributes
    ----------
    version : int
        Rises whenever the connection is queued elsewhere, so that earlier entries become invalid.
    due : bool
        Whether its state is to be read now.
    calling : bool
        Whether a call of it is in progress, sent at ``called_at``; ``slot`` says whether the call
        took a slot for patient connections.
    patient : bool
        Whether the connection is patient.
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
        """Invalidate its queue entries: its call is in progress, or it waits for a page."""
        self.calling, self.due = calling, False
        self.version += 1


class Pace:
    """What the measured times say about the pace of connections."""

    def __init__(self, options: Options) -> None:
        self.times = Durations(options.task_seconds)
        self.pause = Pause(options.pause)
        self.trip = 0.0
        self._interval = options.poll_interval
        self._tight: dict[str, float] = {}

    def answered(self, seconds: float) -> None:
        """Record a round trip."""
        self.trip += (seconds - self.trip) * (_LEAN if self.trip else 1.0)

    def task_over(self, place: Place, now: float) -> None:
        """Record that a task was seen to be over."""
        one = place.connection
        low = max(0.0, one.running_at - one.accepted_at)
        high = max(low, now - one.accepted_at - self.trip / 2)
        place.spent += self.times.add(low, high)
        place.tasks += 1

    def remaining(self, place: Place) -> float:
        """Return the time that a connection still needs if it never waits for a slot."""
        task = (_OTHERS * self.times.mean + place.spent) / (_OTHERS + place.tasks)
        return place.connection.left * (task + self.pause.seconds + 1.5 * self.trip)

    def horizon(self, times: Iterable[float]) -> float:
        """Return the longest of the needed times."""
        return max([*times, self.times.mean, _INSTANT])

    def is_critical(self, place: Place) -> bool:
        """Return whether a connection has almost no slack."""
        return place.slack < _CRITICAL * self.times.mean

    def look_tightly(self, look_seconds: Mapping[str, float]) -> None:
        """Set, by region, how often critical connections are read.

        `look_seconds` is the window time that one read of all of them takes.
        """
        self._tight = {
            region: max(self._tightest(), seconds / _LOOKS)
            for region, seconds in look_seconds.items()
        }

    def _tightest(self) -> float:
        """Return the shortest useful time between two reads of a task."""
        wanted = min(self._interval, self.times.mean / 40)
        return max(wanted, self._interval / 4, self.trip / 2)

    def first_look(self, place: Place) -> float:
        """Return the seconds from the acceptance of a step to the first read of its task."""
        low = self.times.quantile(0.02) if len(self.times) else 0.5 * self.times.mean
        latest = self.times.quantile(0.9)
        if place.tasks % _EXPLORED == 0:
            return 0.9 * low
        return 0.9 * low + min(max(0.0, place.slack), latest - 0.9 * low)

    def next_look(self, place: Place, elapsed: float) -> float:
        """Return the seconds to the next read of a task that has run for `elapsed` seconds."""
        tight = self._tight.get(place.connection.region_id, self._tightest())
        return max(tight, min(max(0.0, place.slack) / 4, elapsed / 4))


# -- many connections in one read -----------------------------------------------------------------


#: Smallest number of connections of a region for which reading its whole list is tried.
_WORTH_A_SWEEP: Final = 3


@dataclass
class Flight:
    """A page that was requested, and the connections that wait for it."""

    sent: float
    places: list[Place]


@dataclass
class Pages:
    """The pages of a region's list of connections; one page gives the state of up to fifty.

    DescribeVpnConnections returns the state of every connection of a page. The page of a connection
    is known only after the connection was seen on it. So a region with several of our connections
    is read page by page once, if that takes fewer calls than a call for each of them::

        unknown ─first read→ sweeping, page by page; others wait parked ─all read→ known
           ↑                     │ no answer, or throttled                 refused │
           └──── a while later ──┘                            off: a call for each ┘

    The state on a page counts only if the connection's last write had ended when the page was
    requested; otherwise the state may be older than the write.

    Parameters
    ----------
    size : int
        Connections of the rollout in the region.

    Attributes
    ----------
    page_of : dict of str to int
        Page on which a connection was last seen.
    on_page : dict of int to dict of str to None
        Connections by page, in the order of the page.
    to_read : list of int
        Pages that the sweep still has to request.
    last : int
        The last page that the sweep has requested, or will request.
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
        """Return whether the whole list should be read now."""
        worth = self.size >= _WORTH_A_SWEEP and now >= self.not_before
        return worth and not (self.swept or self.sweeping or self.refused)

    def sweep(self) -> None:
        """Start to read the whole list."""
        self.sweeping, self.to_read, self.last = True, self._not_on_its_way([1]), 1

    def place(self, page: int, names: Collection[str], ours: Collection[str]) -> None:
        """Record which of our connections a page shows, in its order."""
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
        """Continue a sweep after a page; return the places that are released if it has ended."""
        pages = -(-total // PAGE_SIZE)
        if page == 1 and pages <= max(1, self.size // 2):
            # Page 1 may be read again during the sweep, for the connections that are known on it.
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
        """End a sweep that cannot continue; return the places that are released."""
        self.refused = self.refused or for_good
        self.not_before, self.sweeping, self.to_read = until, False, []
        parked, self.parked = self.parked, []
        return parked


# -- the queue -------------------------------------------------------------------------------------


Entry: TypeAlias = tuple[bool, float, int, Place, int]
Heaps: TypeAlias = dict[tuple[str, str], list[Entry]]

#: The operation of each read.
_READS: Final = {Want.LIST: LIST, Want.POLL: POLL}


class Queue:
    """Selects the connections that may call now, while slots are free.

    Parameters
    ----------
    connections : iterable of Connection
    limiter : Limiter
        Of the client: it knows which slots other users of the same limits hold.
    options : Options

    Attributes
    ----------
    flying : int
        Number of calls in progress.
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

    # -- rate limit windows ---------------------------------------------------------------------

    def _share(self, region: str, operation: str) -> Share:
        """Return the rollout's share of the window of an operation in a region."""
        key = (region, operation)
        if key not in self._shares:
            part = self._options.rate_share
            if not OPERATIONS[operation].writes:
                part *= self._options.read_share
            self._shares[key] = self._limiter.share(region, operation, part)
        return self._shares[key]

    def shut(self, region: str, operation: str, until: float) -> None:
        """Let no call of an operation start before a time."""
        self._share(region, operation).shut(until)

    def close(self, now: float) -> None:
        """Release the rollout's shares of the limits to others."""
        for share in self._shares.values():
            share.close(now)

    # -- pace -----------------------------------------------------------------------------------

    def task_over(self, connection: Connection, now: float) -> None:
        """Record that the task of a connection was seen to be over."""
        self.pace.task_over(self._places[connection.name], now)

    def first_look(self, connection: Connection) -> float:
        """Return the seconds from the acceptance of a step to the first read of its task."""
        return self.pace.first_look(self._places[connection.name])

    def next_look(self, connection: Connection, elapsed: float) -> float:
        """Return the seconds to the next read of a task that has run for `elapsed` seconds."""
        return self.pace.next_look(self._places[connection.name], elapsed)

    def refresh(
        self, active: Iterable[Connection], left: Mapping[tuple[str, str], int]
    ) -> list[Connection]:
        """Recompute which connections are urgent.

        Parameters
        ----------
        active : iterable of Connection
            Connections that have not ended.
        left : mapping of (str, str) to int
            By region and operation, the number of steps that are still to be sent.

        Returns
        -------
        list of Connection
            Connections that have become patient or urgent.
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
        """Return how much window time one read of some connections of a region takes."""
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
        """Put a connection in the right queue and invalidate its earlier entries."""
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
        """Yield the connections and pages to call now; each has taken its slot."""
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
        """Record that a call has ended, with or without an answer; return when it was sent."""
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

    # -- states, of one connection or of a page -------------------------------------------------

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
        """Take a slot for a page if that is worth it; return whether it was taken."""
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
        """Record the end of a page's call; return when it was sent, and who waited for it."""
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
        """Record what a page shows; return the connections that need not wait for pages now."""
        pages = self._pages[region]
        pages.place(page, names, self._places)
        released = [place for place in pages.parked if place.connection.name in names]
        pages.parked = [place for place in pages.parked if place.connection.name not in names]
        if pages.sweeping:
            released += pages.go_on(page, total)
        return _let_loose(released)

    def page_lost(self, region: str, *, for_good: bool, until: float) -> list[Connection]:
        """Read no more pages until a time, or permanently; return the released connections."""
        return _let_loose(self._pages[region].give_up(for_good=for_good, until=until))

    # -- time -----------------------------------------------------------------------------------

    def next_time(self, now: float, *, may_send: bool) -> float | None:
        """Return when the next call may start without new input; None if only input allows one."""
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
    """Set how many calls of a window patient connections may have at once."""
    calls = window.calls
    if not hurried:
        window.patient = calls
        return
    theirs = hurried * rate
    needed = math.ceil(1.1 * (left - hurried) * rate) + 1
    share = max(needed, int(calls - 2 * theirs - 2))
    # One slot is kept for the urgent ones, since their tasks do not end in step with the slots.
    window.patient = max(1, min(share, calls - math.ceil(theirs) - 1))


def _top(heap: list[Entry]) -> Place | None:
    """Return the first place of a heap, after dropping invalid entries."""
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
