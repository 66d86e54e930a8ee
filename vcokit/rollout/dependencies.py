"""Which steps may be sent: a step waits for steps of any connection, and for its wave.

A step that breaks stands behind a gate, a gate needs marks, a mark is complete when each step that
makes it is done (see `vcokit.rollout.ordering`). All is counted down, never searched, so that a
step costs as much as it has waits::

    step done ─→ its mark has one step less ─→ at 0, its gates have one mark less
              ─→ at 0, the steps behind the gate have one wait less ─→ at 0, they may be sent

A step that failed or was skipped takes with it all that wait for it, and so on; what it takes is
returned, and comes back here as lost itself. (`graphlib.TopologicalSorter` counts down too, but
does not tell who waits for a step, which both of these need.)

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
from vcokit.rollout.steps import Step


class Dependencies:
    """The waits that are not over.

    Parameters
    ----------
    order : Order
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave; empty for no waves.

    Attributes
    ----------
    spoilt : int or None
        The wave, from 0, of which a step came to nothing, after which none begins.
    """

    def __init__(
        self, order: Order, steps: Mapping[int, Step], waves: Sequence[int | None] = ()
    ) -> None:
        self.spoilt: int | None = None
        self._makes = {n: mark for n, mark in order.makes.items() if n in steps}
        self._in_mark = Counter(self._makes.values())
        self._marks_of = [sum(self._in_mark[mark] > 0 for mark in needs) for needs in order.needs]
        # By step, how many waits it has; by mark, gate and step, what stands behind it.
        self._left: Counter[int] = Counter()
        self._gates: dict[int, list[int]] = defaultdict(list)
        self._behind: dict[int, list[int]] = defaultdict(list)
        self._after: dict[int, list[int]] = defaultdict(list)
        for gate, marks in enumerate(order.needs):
            for mark in marks:
                if self._in_mark[mark]:
                    self._gates[mark].append(gate)
        for number, gate in order.breaks.items():
            if number in steps:
                self._behind[gate].append(number)
                self._left[number] += self._marks_of[gate] > 0
        for number, first in order.before.items():
            for other in first:
                if number in steps and other in steps:
                    self._after[other].append(number)
                    self._left[number] += 1
        self._lost: set[int] = set()
        self._begin_waves(waves_of(steps, waves, order) if waves else {})

    def _begin_waves(self, wave_of: Mapping[int, int]) -> None:
        self._wave_of = wave_of
        self._in_wave: dict[int, list[int]] = defaultdict(list)
        self._wave_left = Counter(wave_of.values())
        self._harmed: set[int] = set()
        self._wave, self._last_wave = 0, max(wave_of.values(), default=0)
        for number, wave in wave_of.items():
            if wave > 0:
                self._in_wave[wave].append(number)
                self._left[number] += 1

    def may_go(self, number: int) -> bool:
        """Tell whether a step waits for nothing."""
        return not self._left[number]

    def is_awaited(self, number: int) -> bool:
        """Tell whether another step waits for this one to be done."""
        if number in self._after:
            return True
        mark = self._makes.get(number)
        return mark is not None and bool(self._gates.get(mark))

    def done(self, number: int) -> list[int]:
        """Note that a step is done; return the steps that wait no longer."""
        self._one_less_in_wave(number, harmed=False)
        free = self._one_wait_less(self._after.pop(number, ()))
        mark = self._makes.get(number)
        if mark is None:
            return free
        self._in_mark[mark] -= 1
        if self._in_mark[mark] == 0:
            for gate in self._gates.pop(mark, ()):
                self._marks_of[gate] -= 1
                if self._marks_of[gate] == 0:
                    free += self._one_wait_less(self._behind.pop(gate, ()))
        return free

    def lost(self, number: int) -> list[int]:
        """Note that a step will never be done; return the steps that wait for it."""
        self._one_less_in_wave(number, harmed=True)
        lost = list(self._after.pop(number, ()))
        mark = self._makes.get(number)
        for gate in () if mark is None else self._gates.pop(mark, ()):
            lost += self._behind.pop(gate, ())
        fresh = [other for other in lost if other not in self._lost]
        self._lost.update(fresh)
        return fresh

    def begin_wave(self) -> list[int] | None:
        """Let the next wave begin; return the steps that wait no longer, None if it may not."""
        wave = self._wave
        if self.spoilt is not None or wave >= self._last_wave or self._wave_left[wave]:
            return None
        if wave in self._harmed:
            self.spoilt = wave
            return None
        self._wave += 1
        return self._one_wait_less(self._in_wave.pop(self._wave, ()))

    def _one_less_in_wave(self, number: int, *, harmed: bool) -> None:
        wave = self._wave_of.get(number)
        if wave is not None:
            self._wave_left[wave] -= 1
            if harmed:
                self._harmed.add(wave)

    def _one_wait_less(self, numbers: Iterable[int]) -> list[int]:
        free = []
        for number in numbers:
            self._left[number] -= 1
            if self._left[number] == 0:
                free.append(number)
        return free


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
