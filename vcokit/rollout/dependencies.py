"""Which steps may be sent: a step waits for steps of any lane, and for its wave.

A step that breaks stands behind a gate, a gate needs marks, a mark is complete when each step that
makes it is done (see `vcokit.rollout.ordering`). All is counted down, never searched, so that a
step costs as much as it has waits::

    step done ─→ its mark has one step less ─→ at 0, its gates have one mark less
              ─→ at 0, the steps behind the gate have one wait less ─→ at 0, they may be sent

A step that failed or was skipped takes with it all that wait for it, and so on; what it takes is
returned, and comes back here as lost itself.

Waves are canaries first: connections in waves, the next one only when every step of the last was
done. ``waves=[1, 5, None]`` puts the first connection into the first wave, the next five into the
second, the rest into the third; connections come by their first step. A step that waits for one of
a later wave belongs to that wave itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from vcokit.rollout.ordering import Order
from vcokit.rollout.steps import DONE, FINAL, Step


class Waits:
    """The waits that are not over.

    Parameters
    ----------
    order : Order
    steps : mapping of int to Step
    waves : mapping of int to int
        Wave of each step, from 0; steps that are left out have none to wait for.
    """

    def __init__(self, order: Order, steps: Mapping[int, Step], waves: Mapping[int, int]) -> None:
        self._order = order
        self._makes = {n: mark for n, mark in order.makes.items() if n in steps}
        self._left: Counter[int] = Counter()
        self._in_mark = Counter(self._makes.values())
        self._marks_of = [len(marks) for marks in order.needs]
        self._gates: dict[int, list[int]] = defaultdict(list)
        self._behind: dict[int, list[int]] = defaultdict(list)
        self._after: dict[int, list[int]] = defaultdict(list)
        self._by_wave: dict[int, list[int]] = defaultdict(list)
        self._lost: set[int] = set()
        self._count_gates(steps)
        self._count_before(steps)
        for number, wave in waves.items():
            if wave > 0:
                self._by_wave[wave].append(number)
                self._left[number] += 1

    def _count_gates(self, steps: Mapping[int, Step]) -> None:
        for number, gate in self._order.breaks.items():
            if number in steps:
                self._behind[gate].append(number)
        for gate, marks in enumerate(self._order.needs):
            open_marks = [mark for mark in marks if self._in_mark[mark]]
            self._marks_of[gate] = len(open_marks)
            for mark in open_marks:
                self._gates[mark].append(gate)
            if open_marks:
                self._left.update(self._behind[gate])

    def _count_before(self, steps: Mapping[int, Step]) -> None:
        for number, first in self._order.before.items():
            for other in first:
                if number in steps and other in steps:
                    self._after[other].append(number)
                    self._left[number] += 1

    def over(self, number: int) -> bool:
        """Tell whether a step waits for nothing."""
        return not self._left[number]

    def awaited(self, number: int) -> bool:
        """Tell whether another step waits for this one to be done."""
        if number in self._after:
            return True
        mark = self._makes.get(number)
        return mark is not None and bool(self._gates.get(mark))

    def done(self, number: int) -> list[int]:
        """Note that a step is done; return the steps that wait no longer."""
        free = self._less(self._after.pop(number, ()))
        mark = self._makes.get(number)
        if mark is None:
            return free
        self._in_mark[mark] -= 1
        if self._in_mark[mark] == 0:
            for gate in self._gates.pop(mark, ()):
                self._marks_of[gate] -= 1
                if self._marks_of[gate] == 0:
                    free += self._less(self._behind.pop(gate, ()))
        return free

    def open_wave(self, wave: int) -> list[int]:
        """Let a wave begin; return the steps that wait no longer."""
        return self._less(self._by_wave.pop(wave, ()))

    def _less(self, numbers: Iterable[int]) -> list[int]:
        free = []
        for number in numbers:
            self._left[number] -= 1
            if self._left[number] == 0:
                free.append(number)
        return free

    def lost(self, number: int) -> list[int]:
        """Note that a step will never be done; return the steps that wait for it."""
        lost = list(self._after.pop(number, ()))
        mark = self._makes.get(number)
        for gate in () if mark is None else self._gates.pop(mark, ()):
            lost += self._behind.pop(gate, ())
        fresh = [other for other in lost if other not in self._lost]
        self._lost.update(fresh)
        return fresh


# -- waves ----------------------------------------------------------------------------------------


def waves_of(
    steps: Mapping[int, Step], waves: Sequence[int | None], order: Order
) -> dict[int, int]:
    """Return the wave, from 0, of every step that sends.

    Parameters
    ----------
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave; None for the rest, which is the last wave if nothing says so.
    order : Order

    Examples
    --------
    >>> def create(number, lane):
    ...     return Step(number, "create", "r", lane, f"10.{number}.0.0/16", "h", 100)
    >>> steps = {n: create(n, lane) for n, lane in enumerate("aab")}
    >>> waves_of(steps, [1, None], Order())
    {0: 0, 1: 0, 2: 1}
    >>> waves_of(steps, [1, None], Order(before={0: (2,)}))
    {0: 1, 1: 0, 2: 1}
    """
    sending = [step for step in steps.values() if step.sends]
    of_lane = _of_lanes(dict.fromkeys(step.lane for step in sending), waves)
    found = {step.number: of_lane[step.lane] for step in sending}
    _move_later(found, order)
    return found


def _of_lanes(lanes: Iterable[str], waves: Sequence[int | None]) -> dict[str, int]:
    sized = [wave for wave, size in enumerate(waves) if size is not None]
    ends = list(accumulate(size for size in waves if size is not None))
    sized.append(len(waves) - 1 if waves and waves[-1] is None else len(waves))  # the rest
    return {lane: sized[bisect_right(ends, place)] for place, lane in enumerate(lanes)}


def _move_later(found: dict[int, int], order: Order) -> None:
    """Move steps into the wave of what they wait for, until nothing moves any more."""
    waiters = _waiters(found, order)
    behind: dict[int, list[int]] = defaultdict(list)
    for number, gate in order.breaks.items():
        if number in found:
            behind[gate].append(number)
    gates: dict[int, list[int]] = defaultdict(list)
    for gate, marks in enumerate(order.needs):
        for mark in marks:
            gates[mark].append(gate)
    reached: Counter[int] = Counter()  # the latest wave that a gate has heard of
    moved = sorted(found, key=found.__getitem__, reverse=True)
    while moved:
        number = moved.pop()
        wave, later = found[number], list(waiters.get(number, ()))
        for gate in gates.get(order.makes.get(number, -1), ()):
            if reached[gate] < wave:
                reached[gate] = wave
                later += behind[gate]
        for other in later:
            if found[other] < wave:
                found[other] = wave
                moved.append(other)


def _waiters(found: Mapping[int, int], order: Order) -> dict[int, list[int]]:
    waiters: dict[int, list[int]] = defaultdict(list)
    for number, first in order.before.items():
        for other in first:
            if number in found and other in found:
                waiters[other].append(number)
    return waiters


class Waves:
    """How far the waves have come.

    Parameters
    ----------
    of_step : mapping of int to int
        From `waves_of`; empty where there are no waves.

    Attributes
    ----------
    current : int
        The wave that goes now.
    spoilt : int or None
        The wave that came to harm, after which none begins.
    """

    def __init__(self, of_step: Mapping[int, int]) -> None:
        self._of_step = of_step
        self._left = Counter(of_step.values())
        self._last = max(of_step.values(), default=0)
        self._bad: set[int] = set()
        self.current = 0
        self.spoilt: int | None = None

    def final(self, number: int, state: str) -> None:
        """Note that a step has come to its end."""
        wave = self._of_step.get(number)
        if wave is not None and state in FINAL:
            self._left[wave] -= 1
            if state != DONE:
                self._bad.add(wave)

    def next_wave(self) -> int | None:
        """Return the next wave if it may begin now, else None."""
        if self.spoilt is not None or self.current >= self._last or self._left[self.current]:
            return None
        if self.current in self._bad:
            self.spoilt = self.current
            return None
        self.current += 1
        return self.current
