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

Callers that can wait may be kept from taking all slots at once, so that one that cannot finds a
slot in the middle of a window.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: Seconds added to a window, so that rounding of clocks never lets a call in early.
MARGIN: Final = 0.001
#: Windows without a throttled answer before the pace creeps up, at first and at most.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 64


class Window:
    """The calls of one operation in one region.

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
    patient : int
        How many of them callers that can wait may hold.

    Examples
    --------
    >>> window = Window(1, 60.0)
    >>> window.take(); window.give_back(0.5); window.free(60.0), window.free(60.6)
    (False, True)
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self.limit = calls
        self.calls = calls
        self.patient = calls
        self.seconds = seconds
        # By whether the caller can wait: calls on their way, and until when slots are held.
        self._flying = [0, 0]
        self._held: tuple[deque[float], deque[float]] = (deque(), deque())
        self._shut_until = 0.0
        self._lowered_at = -1.0
        self._raise_at = 0.0
        self._patience = _PATIENCE
        self._by = 1

    def free(self, now: float, *, patient: bool = False) -> bool:
        """Tell whether a call may be sent now."""
        for held in self._held:
            while held and held[0] <= now:
                held.popleft()
        return now >= self._shut_until and not self._full(patient=patient)

    def _full(self, *, patient: bool) -> bool:
        mine = self._flying[1] + len(self._held[1])
        if patient and mine >= self.patient:
            return True
        return mine + self._flying[0] + len(self._held[0]) >= self.calls

    def take(self, *, patient: bool = False) -> None:
        """Take a slot for a call that is sent."""
        self._flying[patient] += 1

    def give_back(self, now: float, *, patient: bool = False) -> None:
        """Let the slot of an answered call run out."""
        self._flying[patient] -= 1
        self._held[patient].append(now + self.seconds + MARGIN)
        if self.calls < self.limit and now >= self._raise_at:
            self._creep(now)

    def hold(self, until: float) -> None:
        """Hold a slot for a call that an earlier run of this rollout made."""
        held = self._held[0]
        held.append(until)
        if len(held) > 1 and held[-2] > until:
            ordered = sorted(held)
            held.clear()
            held.extend(ordered)

    def shut(self, until: float) -> None:
        """Send nothing before a time, because the cloud said so."""
        self._shut_until = max(self._shut_until, until)

    def throttled(self, now: float, sent: float, *, patient: bool = False) -> None:
        """Give back the slot of a call that was refused as too many, and lower the pace.

        Calls that left before the pace was lowered last say nothing new.
        """
        self._flying[patient] -= 1
        taken = len(self._held[0]) + len(self._held[1])
        if sent < self._lowered_at:
            return
        if self._lowered_at >= 0.0:
            self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
        self._lowered_at, self._by = now, 1
        self._raise_at = now + self._patience * self.seconds
        self.calls = max(1, self.calls // 2, min(self.calls - 1, taken))
        self.patient = min(self.patient, self.calls)

    def _creep(self, now: float) -> None:
        self.calls = min(self.limit, self.calls + self._by)
        self._by *= 2
        self._raise_at = now + self.seconds
        self.patient = self.calls
        if self.calls == self.limit:
            self._patience = _PATIENCE

    def opens(self, now: float, *, patient: bool = False) -> float | None:
        """Return when a call may be sent, if no answer comes before; None: not before one does."""
        if self.free(now, patient=patient):
            return now
        if not self._full(patient=patient):
            return self._shut_until
        heads = [held[0] for held in self._held if held]
        mine = self._flying[1] + len(self._held[1])
        if patient and mine >= self.patient:
            heads = [self._held[1][0]] if self._held[1] else []
        return max(min(heads), self._shut_until) if heads else None
