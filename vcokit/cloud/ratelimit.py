"""Sliding windows: a number of calls per window, and fewer if the cloud still throttles.

The cloud counts a call at some moment between request and answer. A slot is therefore held from
the request until one window after the answer, so that the limit is kept whenever the cloud counted
the call::

    send ├── on its way ──┤ answer ├────────── window ──────────┤ slot is free again

A throttled answer means that the true limit is lower, or that another client uses part of it. The
pace drops to the number of calls that the cloud accepted in this window, but at most by half. After
some windows without another throttled answer, the pace rises by one, two, four …, never above the
limit. Each rise that ends in a throttled answer doubles the wait before the next rise. A wrong
limit therefore costs only a few refused calls per hour.

The limits belong to the account, so a client has one `Limiter`. All callers of the client have a
`Share` of each window: its own reads, and every rollout, in parallel or one after another::

    Client ── Limiter ── Window (region, operation) ─┬─ Share of the client's own calls
                                                     ├─ Share of a rollout
                                                     └─ slots of those that have ended

A share takes any free slot, until another share with fewer slots has to wait: then that share is
first. A share can limit the slots of its patient callers (those that can wait), so that an urgent
caller finds a slot in the middle of a window.
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

#: Seconds added to a window, so that rounding of clocks never allows a call too early.
MARGIN: Final = 0.001
#: Seconds within which a sent request reaches the cloud.
ON_ITS_WAY: Final = 1.0
#: Windows without a throttled answer before the pace rises: at first, and at most.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 64
#: Fractions of a window: how long a slot is reserved for a share that waits for it, and how long a
#: share that depends on other shares waits before it tries again.
_KEPT: Final = 1 / 60
_AGAIN: Final = 1 / 1200
#: Seconds before a slot is tried again while all calls are still waiting for their answers.
_A_MOMENT: Final = 0.05


def backoff(attempt: int, *, base: float, cap: float, luck: float = 0.0) -> float:
    """Return the seconds to wait before the next try; they double each time.

    Parameters
    ----------
    attempt : int
        Number of failed tries, from 1.
    base, cap : float
        The first wait, and the longest.
    luck : float
        A number from 0 to 1; 1 shortens the wait by half. Calls that failed together are then not
        repeated together.

    Examples
    --------
    >>> [backoff(n, base=0.5, cap=30.0) for n in (1, 2, 3, 2_000)]
    [0.5, 1.0, 2.0, 30.0]
    >>> backoff(3, base=0.5, cap=30.0, luck=1.0)
    1.0
    """
    doubled = base * 2.0 ** min(attempt - 1, 60)  # larger powers exceed any cap
    return float(min(cap, doubled * (1 - luck / 2)))


class Window:
    """The calls of one operation in one region, by all its shares. Safe between threads.

    Parameters
    ----------
    calls : int
        Number of calls allowed in any window.
    seconds : float
        Length of the window.

    Attributes
    ----------
    calls : int
        Number of calls currently allowed per window; at most the limit.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self.limit = self.calls = calls
        self.seconds = seconds
        self.lock = threading.Lock()
        self.shares: list[Share] = []
        self.shut_until = 0.0
        self._former: list[float] = []  # a heap: when the slots that belong to no share end
        self._lowered_at = -1.0
        self._raise_at = 0.0
        self._patience = _PATIENCE
        self._by = 1

    def share(self, most: int | None = None) -> Share:
        """Return a new share of at most `most` calls per window."""
        share = Share(self, self.limit if most is None else most)
        with self.lock:
            self.shares.append(share)
        return share

    def hold(self, until: float) -> None:
        """Hold a slot for a call that was made elsewhere."""
        with self.lock:
            heapq.heappush(self._former, until)

    # -- for shares, which hold the lock --------------------------------------------------------

    def expire(self, now: float) -> None:
        """Release the slots whose time is over."""
        while self._former and self._former[0] <= now:
            heapq.heappop(self._former)
        for share in self.shares:
            share.expire(now)

    def is_full(self) -> bool:
        """Return whether all slots are taken."""
        return len(self._former) + sum(share.used for share in self.shares) >= self.calls

    def next_end(self) -> float | None:
        """Return when the first held slot becomes free."""
        ends = [end for share in self.shares if (end := share.next_end()) is not None]
        return min(ends + self._former[:1], default=None)

    def leave(self, share: Share, ends: list[float]) -> None:
        """Remove a share; its slots stay held until their ends."""
        self.shares.remove(share)
        for end in ends:
            heapq.heappush(self._former, end)

    def lower(self, now: float, sent: float, calls: int) -> None:
        """Lower the pace from `calls` after a throttled answer to a call sent at `sent`."""
        if sent < self._lowered_at:
            return  # it was sent before the pace was lowered last, so it is no new information
        if self._lowered_at >= 0.0:
            self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
        self._lowered_at, self._by = now, 1
        self._raise_at = now + self._patience * self.seconds
        taken = len(self._former) + sum(share.held for share in self.shares)
        self.calls = max(1, calls // 2, min(calls - 1, taken))
        for share in self.shares:
            share.patient = min(share.patient, self.calls)

    def creep(self, now: float) -> None:
        """Raise the pace a little if the last throttled answer was long enough ago."""
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
    """One caller's share of a window.

    Parameters
    ----------
    window : Window
    most : int
        Most calls of the share per window.

    Attributes
    ----------
    patient : int
        Most slots that callers that can wait may hold.

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
        # Index 1 is for callers that can wait: calls without an answer; ends of held slots.
        self._flying = [0, 0]
        self._held: tuple[deque[float], deque[float]] = (deque(), deque())
        self._waits_until = -inf

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self._window.seconds

    @property
    def calls(self) -> int:
        """Calls per window that it can expect: what others do not use, at least an equal part."""
        window = self._window
        with window.lock:
            others = [s.used for s in window.shares if s is not self and s.used]
            even = window.calls // (1 + len(others))
            return max(1, min(self._most, max(even, window.calls - sum(others))))

    def free(self, now: float, *, patient: bool = False) -> bool:
        """Return whether a call may be sent now."""
        return self.opens(now, patient=patient) == now

    def take(self, now: float, *, patient: bool = False) -> bool:
        """Take a slot for a call that is sent now; return whether there was one."""
        with self._window.lock:
            opens = self._opens(now, patient=patient)
            taken = opens == now
            self._flying[patient] += taken
            waits = not taken and not self._is_spent(patient=patient)
            kept = _KEPT * self.seconds
            self._waits_until = (now if opens is None else opens) + kept if waits else -inf
            return taken

    def give_back(self, now: float, *, patient: bool = False) -> None:
        """Hold the slot of an answered call for one more window."""
        with self._window.lock:
            self._flying[patient] -= 1
            self._held[patient].append(now + self.seconds + MARGIN)
            self._window.creep(now)

    def throttled(self, now: float, sent: float, *, patient: bool = False) -> None:
        """Release the slot of a throttled call, and lower the pace."""
        with self._window.lock:
            self._flying[patient] -= 1
            self._window.lower(now, sent, min(self._window.calls, self._most))

    def shut(self, until: float) -> None:
        """Allow no call before a time that the cloud asked for."""
        with self._window.lock:
            self._window.shut_until = max(self._window.shut_until, until)

    def opens(self, now: float, *, patient: bool = False) -> float | None:
        """Return when a call may be sent at the latest; None if that needs an answer first."""
        with self._window.lock:
            return self._opens(now, patient=patient)

    def close(self, now: float) -> None:
        """Close the share. Slots of calls without an answer stay held: the cloud may count them."""
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
                end = again  # the calls of other shares end without a notice to this share
        else:
            end = again if self._comes_after_another(now) else now
        return None if end is None else max(end, window.shut_until)

    def _is_spent(self, *, patient: bool) -> bool:
        """Return whether it has used all its calls, regardless of other shares."""
        patiently = self._flying[1] + len(self._held[1])
        return self.used >= self._most or (patient and patiently >= self.patient)

    def _comes_after_another(self, now: float) -> bool:
        """Return whether another share with fewer slots waits for one."""
        others = (share for share in self._window.shares if share is not self)
        return any(other._waits_until >= now and other.used < self.used for other in others)

    # -- for the window, while the lock is held --------------------------------------------------

    @property
    def held(self) -> int:
        """Number of slots of answered calls."""
        return len(self._held[0]) + len(self._held[1])

    @property
    def used(self) -> int:
        """Number of taken slots."""
        return self.held + sum(self._flying)

    def expire(self, now: float) -> None:
        """Release the slots whose time is over."""
        for held in self._held:
            while held and held[0] <= now:
                held.popleft()

    def next_end(self, *, patient: bool = False) -> float | None:
        """Return when its first slot is free, or the first patient one if these are used up."""
        patiently = patient and self._flying[1] + len(self._held[1]) >= self.patient
        some = self._held[1:] if patiently else self._held
        return min((held[0] for held in some if held), default=None)


class Limiter:
    """The windows of one client. Safe between threads.

    All shares use the same clock, the one by which the client waits.

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
        """Return a new share of a window, of at most a part of its limit."""
        return self._window(region, operation).share(
            max(1, int(self.limits[operation].calls * part))
        )

    def hold(self, region: str, operation: str, until: float) -> None:
        """Hold a slot for a call that was made elsewhere."""
        self._window(region, operation).hold(until)

    def _window(self, region: str, operation: str) -> Window:
        limit, key = self.limits[operation], (region, operation)
        with self._lock:
            if key not in self._windows:
                self._windows[key] = Window(limit.calls, limit.seconds)
            return self._windows[key]


class Pacer:
    """Makes a client's own calls wait for the rate limits. Safe between threads.

    Parameters
    ----------
    limiter : Limiter
    read_share : float
        Part of each read limit that is used, above 0 and at most 1.
    now : callable
        Returns seconds of a monotonic clock.
    sleep : callable
        Waits for a number of seconds of that clock.
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
        """Make one try of a call as soon as a slot is free."""
        share = self._share(region, operation)
        while (wait := self._take(share)) > 0.0:
            self._sleep(wait)
        sent, throttled = self._now(), False
        try:
            return call()
        except ThrottledError:
            throttled = True
            raise
        finally:  # also if the caller interrupts the call
            if throttled:
                share.throttled(self._now(), sent)
            else:
                share.give_back(self._now())

    def shut(self, region: str, operation: str, seconds: float) -> None:
        """Allow no call for some seconds, because the cloud asked for it."""
        self._share(region, operation).shut(self._now() + seconds)

    def _share(self, region: str, operation: str) -> Share:
        key = (region, operation)
        with self._lock:
            if key not in self._shares:
                part = 1.0 if KNOWN[operation].writes else self._read_share
                self._shares[key] = self._limiter.share(region, operation, part)
            return self._shares[key]

    def _take(self, share: Share) -> float:
        """Take a slot and return 0, or return the seconds to wait before the next attempt."""
        now = self._now()
        if share.take(now):
            return 0.0
        opens = share.opens(now)
        return _A_MOMENT if opens is None else max(MARGIN, opens - now)
