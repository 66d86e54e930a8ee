"""Which steps may be sent: a step waits for steps of any lane, and for its wave.

A step that breaks stands behind a gate, a gate needs marks, a mark is complete when each step that
makes it is done (see `vcokit.rollout.order`). All is counted down, never searched, so that a step
costs as much as it has waits::

    step done ─→ its mark has one step less ─→ at 0, its gates have one mark less
              ─→ at 0, the steps behind the gate have one wait less ─→ at 0, they may be sent

A step that failed or was skipped takes with it all that wait for it, and so on; what it takes is
returned, and comes back here as lost itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from vcokit.rollout.order import Order
from vcokit.rollout.steps import Step


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
