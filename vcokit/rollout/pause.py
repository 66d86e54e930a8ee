"""How long a connection is left alone after a task, as the cloud teaches it.

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

It is shortened after some writes that left right at its end were taken; each refusal doubles how
many. A cloud that wants no pause costs nothing, one that does a few refused writes a rollout.
"""

from __future__ import annotations

from typing import Final

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
