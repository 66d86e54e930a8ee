"""Sliding windows: so many calls in any stretch of so many seconds, and fewer where that is wrong.

When the cloud counts a call is not known, only that it is between sending and answer. A slot is
therefore held from the sending until the answer plus the window; then the limit holds whenever the
cloud counted::

    send ├── on its way ──┤ answer ├────────── window ──────────┤ slot is free again

A throttled answer says that the true limit is lower, or that somebody else has part of it. The pace
falls to the calls that the cloud did take in this window, and at most by half; after some windows
without another one it creeps up, by one, two, four …, never above the limit. Each creep that ends
in a throttled answer doubles the wait for the next, so that a limit that is known wrongly costs a
few refused calls an hour.

The limits are the account's, so a client has one `Limiter`, and all who call by it have a `Share`
of each window: its own reads, and every rollout, side by side or one after another::

    Client ── Limiter ── Window (region, operation) ─┬─ Share of the client's own calls
                                                     ├─ Share of a rollout
                                                     └─ slots of those that have ended

A share takes whatever slots are free, until another one has to wait that has fewer: then that one
goes first. Callers of one share that can wait may be kept from taking all its slots at once, so
that one that cannot finds a slot in the middle of a window.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Final, TypeVar

from vcokit.cloud.operations import KNOWN, Limit
from vcokit.errors import ThrottledError

_Result = TypeVar("_Result")

#: Seconds added to a window, so that rounding of clocks never lets a call in early.
MARGIN: Final = 0.001
#: Time within which a request that left reaches the cloud; seconds.
ON_ITS_WAY: Final = 1.0
#: Windows without a throttled answer before the pace creeps up, at first and at most.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 64
#: Parts of a window: how long a slot is kept for a share that was told to come for it, and after
#: how long one that depends on what others do asks again.
_KEPT: Final = 1 / 60
_AGAIN: Final = 1 / 1200
#: Seconds after which it is asked again for a slot while every one is on its way.
_A_MOMENT: Final = 0.05


def backoff(attempt: int, *, base: float, cap: float, luck: float = 0.0) -> float:
    """Return the seconds before the next try, which double each time.

    Parameters
    ----------
    attempt : int
        Tries that have failed, from 1.
    base, cap : float
        The first wait, and the longest.
    luck : float
        A number from 0 to 1: how much of half the wait is left out, so that calls that failed
        together do not come back together.

    Examples
    --------
    >>> [backoff(n, base=0.5, cap=30.0) for n in (1, 2, 3, 2_000)]
    [0.5, 1.0, 2.0, 30.0]
    >>> backoff(3, base=0.5, cap=30.0, luck=1.0)
    1.0
    """
    doubled = base * 2.0 ** min(attempt - 1, 60)  # more is beyond any cap
    return float(min(cap, doubled * (1 - luck / 2)))


class Window:
    """The calls of one operation in one region, of all who share it. Safe between threads.

    Parameters
    ----------
    calls : int
        How many may fall into any window.
    seconds : float
        Length of the window.

    Attributes
    ----------
    calls : int
        How many are let through a window now; at most the limit.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self.limit = self.calls = calls
        self.seconds = seconds
        self.lock = threading.Lock()
        self.shares: list[Share] = []
        self.shut_until = 0.0
        self._former: list[float] = []  # a heap: until when slots are held that nobody has now
        self._lowered_at = -1.0
        self._raise_at = 0.0
        self._patience = _PATIENCE
        self._by = 1

    def share(self, most: int | None = None) -> Share:
        """Return a new share, of so many calls at most."""
        share = Share(self, self.limit if most is None else most)
        with self.lock:
            self.shares.append(share)
        return share

    def hold(self, until: float) -> None:
        """Hold a slot for a call that somebody else has made."""
        with self.lock:
            heapq.heappush(self._former, until)

    # -- for shares, which hold the lock --------------------------------------------------------

    def expire(self, now: float) -> None:
        """Let go of the slots whose time is over."""
        while self._former and self._former[0] <= now:
            heapq.heappop(self._former)
        for share in self.shares:
            share.expire(now)

    def is_full(self) -> bool:
        """Tell whether all slots are taken."""
        return len(self._former) + sum(share.used for share in self.shares) >= self.calls

    def next_end(self) -> float | None:
        """Return when the first of the slots that are held is free."""
        ends = [end for share in self.shares if (end := share.next_end()) is not None]
        return min(ends + self._former[:1], default=None)

    def leave(self, share: Share, ends: list[float]) -> None:
        """Take a share away; its slots are held as long as they are."""
        self.shares.remove(share)
        for end in ends:
            heapq.heappush(self._former, end)

    def lower(self, now: float, sent: float, calls: int) -> None:
        """Lower the pace, from so many calls, after one that was refused as too many."""
        if sent < self._lowered_at:
            return  # it left before the pace was lowered last, and says nothing new
        if self._lowered_at >= 0.0:
            self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
        self._lowered_at, self._by = now, 1
        self._raise_at = now + self._patience * self.seconds
        taken = len(self._former) + sum(share.held for share in self.shares)
        self.calls = max(1, calls // 2, min(calls - 1, taken))
        for share in self.shares:
            share.patient = min(share.patient, self.calls)

    def creep(self, now: float) -> None:
        """Raise the pace a little, if it was lowered long enough ago."""
        if self.calls >= self.limit or now < self._raise_at:
            return
        self.calls = min(self.limit, self.calls + self._by)
        self._by *= 2
        self._raise_at = now + self.seconds
        for share in self.shares:
            share.patient = self.calls
        if self.calls == self.limit:
            self._patience = _PATIENCE


class Share:
    """What one caller has of a window.

    Parameters
    ----------
    window : Window
    most : int
        Calls of any window that are its own at most.

    Attributes
    ----------
    patient : int
        How many of them callers that can wait may hold.

    Examples
    --------
    >>> share = Window(1, 60.0).share()
    >>> share.take(0.0), share.take(0.1)
    (True, False)
    >>> share.give_back(0.5); share.free(60.0), share.free(60.6)
    (False, True)
    """

    def __init__(self, window: Window, most: int) -> None:
        self.patient = most
        self._window, self._most = window, most
        # By whether the caller can wait: calls on their way, and until when slots are held.
        self._flying = [0, 0]
        self._held: tuple[deque[float], deque[float]] = (deque(), deque())
        self._waits_until = -inf

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self._window.seconds

    @property
    def calls(self) -> int:
        """How many calls a window it may reckon with: what others leave, an even part at least."""
        window = self._window
        with window.lock:
            others = [s.used for s in window.shares if s is not self and s.used]
            even = window.calls // (1 + len(others))
            return max(1, min(self._most, max(even, window.calls - sum(others))))

    def free(self, now: float, *, patient: bool = False) -> bool:
        """Tell whether a call may be sent now."""
        return self.opens(now, patient=patient) == now

    def take(self, now: float, *, patient: bool = False) -> bool:
        """Take a slot for a call that is sent now, if it may be."""
        with self._window.lock:
            opens = self._opens(now, patient=patient)
            taken = opens == now
            self._flying[patient] += taken
            waits = not taken and not self._is_spent(patient=patient)
            kept = _KEPT * self.seconds
            self._waits_until = (now if opens is None else opens) + kept if waits else -inf
            return taken

    def give_back(self, now: float, *, patient: bool = False) -> None:
        """Let the slot of an answered call run out."""
        with self._window.lock:
            self._flying[patient] -= 1
            self._held[patient].append(now + self.seconds + MARGIN)
            self._window.creep(now)

    def throttled(self, now: float, sent: float, *, patient: bool = False) -> None:
        """Give back the slot of a call that was refused as too many, and lower the pace."""
        with self._window.lock:
            self._flying[patient] -= 1
            self._window.lower(now, sent, min(self._window.calls, self._most))

    def shut(self, until: float) -> None:
        """Send nothing before a time, because the cloud said so."""
        with self._window.lock:
            self._window.shut_until = max(self._window.shut_until, until)

    def opens(self, now: float, *, patient: bool = False) -> float | None:
        """Return when a call may be sent, if no answer comes before; None: not before one does."""
        with self._window.lock:
            return self._opens(now, patient=patient)

    def close(self, now: float) -> None:
        """Take no more; a call whose answer never came may still be counted."""
        with self._window.lock:
            late = now + ON_ITS_WAY + self.seconds + MARGIN
            self._window.leave(self, [*self._held[0], *self._held[1], *[late] * sum(self._flying)])

    def _opens(self, now: float, *, patient: bool) -> float | None:
        window = self._window
        window.expire(now)
        again = now + _AGAIN * self.seconds
        if self._is_spent(patient=patient):
            end = self.next_end(patient=patient)
        elif window.is_full():
            end = window.next_end()
            if end is None and any(s.used for s in window.shares if s is not self):
                end = again  # nobody tells us what comes of calls of others
        else:
            end = again if self._comes_after_another(now) else now
        return None if end is None else max(end, window.shut_until)

    def _is_spent(self, *, patient: bool) -> bool:
        """Tell whether it has all that is its own, whatever others leave."""
        patiently = self._flying[1] + len(self._held[1])
        return self.used >= self._most or (patient and patiently >= self.patient)

    def _comes_after_another(self, now: float) -> bool:
        """Tell whether somebody waits for a slot who has fewer."""
        others = (share for share in self._window.shares if share is not self)
        return any(other._waits_until >= now and other.used < self.used for other in others)

    # -- for the window, while the lock is held --------------------------------------------------

    @property
    def held(self) -> int:
        """Slots of calls that were answered."""
        return len(self._held[0]) + len(self._held[1])

    @property
    def used(self) -> int:
        """Slots that are taken."""
        return self.held + sum(self._flying)

    def expire(self, now: float) -> None:
        """Let go of the slots whose time is over."""
        for held in self._held:
            while held and held[0] <= now:
                held.popleft()

    def next_end(self, *, patient: bool = False) -> float | None:
        """Return when its first slot is free; where patient callers have theirs, of those."""
        patiently = patient and self._flying[1] + len(self._held[1]) >= self.patient
        some = self._held[1:] if patiently else self._held
        return min((held[0] for held in some if held), default=None)


class Limiter:
    """The windows of one client. Safe between threads.

    All who share it go by one clock, the one by which the client waits.

    Parameters
    ----------
    limits : mapping of str to Limit
        By operation; each region has its own windows.

    Attributes
    ----------
    counted : dict of str to list of range
        Numbers of the calls that it has counted itself, by rollout.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self.limits = limits
        self.counted: dict[str, list[range]] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self._lock = threading.Lock()

    def share(self, region: str, operation: str, part: float = 1.0) -> Share:
        """Return a new share of a window, of a part of its limit at most."""
        return self._window(region, operation).share(
            max(1, int(self.limits[operation].calls * part))
        )

    def hold(self, region: str, operation: str, until: float) -> None:
        """Hold a slot for a call that somebody else has made."""
        self._window(region, operation).hold(until)

    def _window(self, region: str, operation: str) -> Window:
        limit, key = self.limits[operation], (region, operation)
        with self._lock:
            if key not in self._windows:
                self._windows[key] = Window(limit.calls, limit.seconds)
            return self._windows[key]


class Pacer:
    """What a client's own calls have of the limits, and how they wait. Safe between threads.

    Parameters
    ----------
    limiter : Limiter
    read_share : float
        Part of each limit of reads that is used, above 0 and at most 1.
    now : callable
        Seconds of a clock that never goes back.
    sleep : callable
        Lets so many seconds of it pass.
    """

    def __init__(
        self,
        limiter: Limiter,
        read_share: float,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._limiter, self._read_share = limiter, read_share
        self._now, self._sleep = now, sleep
        self._shares: dict[tuple[str, str], Share] = {}
        self._lock = threading.Lock()

    def paced(self, region: str, operation: str, call: Callable[[], _Result]) -> _Result:
        """Make one try of a call as soon as there is room for it."""
        share = self._share(region, operation)
        while (wait := self._take(share)) > 0.0:
            self._sleep(wait)
        sent, throttled = self._now(), False
        try:
            return call()
        except ThrottledError:
            throttled = True
            raise
        finally:  # also where the caller gives up in the middle
            if throttled:
                share.throttled(self._now(), sent)
            else:
                share.give_back(self._now())

    def shut(self, region: str, operation: str, seconds: float) -> None:
        """Let nobody ask for some time, because the cloud said that it is too much."""
        self._share(region, operation).shut(self._now() + seconds)

    def _share(self, region: str, operation: str) -> Share:
        key = (region, operation)
        with self._lock:
            if key not in self._shares:
                part = 1.0 if KNOWN[operation].writes else self._read_share
                self._shares[key] = self._limiter.share(region, operation, part)
            return self._shares[key]

    def _take(self, share: Share) -> float:
        """Take a slot and return 0, or return the seconds to wait before it is asked again."""
        now = self._now()
        if share.take(now):
            return 0.0
        opens = share.opens(now)
        return _A_MOMENT if opens is None else max(MARGIN, opens - now)
