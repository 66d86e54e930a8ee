"""Steps played through once, without time: where they wait in a circle, and what opens it.

A plan can ask for what no order can do. Two full connections that swap routes::

    delete d1 on A ──waits for──▶ create d1 on B ──needs room──▶ delete d2 on B
          ▲                                                            │ waits for
          └────────────────needs room──── create d2 on A ◀─────────────┘

Then one of the waits of a step that breaks for one that makes is given up: that is a *gap*, and its
network may be uncovered for a while. What room a create takes is settled on the way: each create
that finds its connection full waits for one delete there of its own.

Which create takes what room is left decides whether there is an order at all, and to be sure is to
search through all. First those go that soonest let something of their own connection go; where that
ends in a gap, some other orders are drawn by lot, always the same ones, and the best is kept.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vcokit.rollout.steps import CREATE, DELETE, Step

#: Steps that a gap names in words; the others are counted.
_NAMED = 3
#: More than any number of steps.
_MANY = 1 << 60
#: Games played at most to find one without a gap, and steps played in all of them together.
_TRIES = 40
_PATIENCE = 50_000


@dataclass(frozen=True)
class Gap:
    """What cannot be ordered so that every address stays covered.

    Parameters
    ----------
    steps : tuple of int
        The step that breaks, then those that make and cannot be done before it.
    reason : str
        With networks and connections.
    """

    steps: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass
class Waits:
    """An order under way; see `vcokit.rollout.order.Order`.

    Parameters
    ----------
    makes, breaks : dict of int to int
    needs : list of list of int
    before : dict of int to list of int
    active_marks, active_gates : set of int
        Those of active routes: only they can leave an address uncovered.
    """

    makes: dict[int, int]
    breaks: dict[int, int]
    needs: list[list[int]]
    before: dict[int, list[int]] = field(default_factory=dict)
    active_marks: set[int] = field(default_factory=set)
    active_gates: set[int] = field(default_factory=set)

    def copy(self) -> Waits:
        """Return one more, to be changed without the other."""
        before = {number: list(first) for number, first in self.before.items()}
        # A list of needs is never changed, only more are put behind it.
        gates = dict(self.breaks), list(self.needs)
        return Waits(self.makes, *gates, before, self.active_marks, set(self.active_gates))


def open_circles(
    waits: Waits, steps: Iterable[Step], room: Mapping[str, int], quota: int | None
) -> tuple[Gap, ...]:
    """Give every create its room, and give up waits until no circle is left.

    Parameters
    ----------
    waits : Waits
        Changed in place.
    steps : iterable of Step
    room : mapping of str to int
        Routes more that fit, by lane; of full lanes alone.
    quota : int or None
        For the reason of a gap.

    Returns
    -------
    tuple of Gap
    """
    if not room and not waits.before:
        return ()
    steps = list(steps)
    best = _Play(waits.copy(), steps, room).to_the_end()
    for luck in range(min(_TRIES, _PATIENCE // max(1, len(steps)))):
        if not best.given_up:
            break
        lot = random.Random(luck)  # noqa: S311 - not for secrets
        play = _Play(waits.copy(), steps, room, lot).to_the_end()
        best = min(best, play, key=lambda played: len(played.given_up))
    vars(waits).update(vars(best.waits))
    return tuple(best.gap(number, quota) for number in sorted(best.given_up))


class _Play:
    """All steps, played through one by one.

    `left` counts the steps of a mark that are not done, `closed` the marks of a gate that are not
    complete, `held` the steps of `Waits.before` that are not done. `slots` are the places free on
    a full lane, each with the deletes that made it.
    """

    def __init__(
        self,
        waits: Waits,
        steps: Iterable[Step],
        room: Mapping[str, int],
        luck: random.Random | None = None,
    ) -> None:
        self.waits = waits
        self.luck = luck
        self.steps = {step.number: step for step in steps}
        self.undone = dict.fromkeys(self.steps)
        self.given_up: dict[int, dict[int, None]] = {}
        self.slots: dict[str, deque[tuple[int, ...]]] = {
            lane: deque([()] * free) for lane, free in room.items()
        }
        #: Deletes that must go before any is of use, where more is live than the quota allows.
        self.debt = {lane: max(0, -free) for lane, free in room.items()}
        self.paid: dict[str, tuple[int, ...]] = dict.fromkeys(room, ())
        self._count()
        self._line_up()

    def _count(self) -> None:
        waits = self.waits
        self.of_mark = _inverted(waits.makes)
        self.of_gate = _inverted(waits.breaks)
        self.left = {mark: len(numbers) for mark, numbers in self.of_mark.items()}
        self.gates_of: dict[int, list[int]] = {}
        for gate, marks in enumerate(waits.needs):
            for mark in marks:
                self.gates_of.setdefault(mark, []).append(gate)
        self.closed = [len(marks) for marks in waits.needs]
        self.held = {number: len(first) for number, first in waits.before.items()}
        self.holds: dict[int, list[int]] = {}
        for number, first in waits.before.items():
            for other in first:
                self.holds.setdefault(other, []).append(number)

    def _line_up(self) -> None:
        """Put what need not wait into the queue, and creates of full lanes where they wait."""
        self.deletes: dict[str, list[int]] = {lane: [] for lane in self.slots}
        parked: dict[str, list[int]] = {lane: [] for lane in self.slots}
        self.queue: deque[int] = deque()
        for number, step in self.steps.items():
            if step.action == DELETE and step.lane in self.slots:
                self.deletes[step.lane].append(number)
            if self._is_parked(step):
                parked[step.lane].append(number)
            elif self._is_free(number):
                self.queue.append(number)
        for numbers in self.deletes.values():
            numbers.sort(key=self._is_active)
        cost = self._cost()
        self.parked = {
            lane: deque(sorted(numbers, key=lambda number: self._rank(number, cost)))
            for lane, numbers in parked.items()
        }

    def _is_parked(self, step: Step) -> bool:
        return step.action == CREATE and step.lane in self.slots

    def _is_free(self, number: int) -> bool:
        gate = self.waits.breaks.get(number)
        return (gate is None or self.closed[gate] == 0) and not self.held.get(number)

    def _is_active(self, number: int) -> bool:
        return self.waits.breaks.get(number) in self.waits.active_gates

    def _cost(self) -> dict[int, dict[str, int]]:
        """Return, by mark and full lane, how many makes the cheapest delete there waits for."""
        cost: dict[int, dict[str, int]] = {}
        for lane, numbers in self.deletes.items():
            for gate in {self.waits.breaks[n] for n in numbers if n in self.waits.breaks}:
                makes = sum(self.left[mark] for mark in self.waits.needs[gate])
                for mark in self.waits.needs[gate]:
                    known = cost.setdefault(mark, {})
                    known[lane] = min(makes, known.get(lane, makes))
        return cost

    def _rank(self, number: int, cost: Mapping[int, Mapping[str, int]]) -> tuple[bool, int]:
        """Return what sorts creates of one lane: first those that soonest let something go."""
        by_lane = cost.get(self.waits.makes.get(number, -1), {})
        if self.luck is not None:
            return not by_lane, self.luck.randrange(_MANY)
        lane = self.steps[number].lane
        return lane not in by_lane, by_lane.get(lane, min(by_lane.values(), default=_MANY))

    # -- the play -------------------------------------------------------------------------------

    def to_the_end(self) -> _Play:
        """Play until every step is done, giving up waits where all stand still."""
        while self.undone:
            while self.queue:
                self._do(self.queue.popleft())
            if not self._take_room() and self.undone:
                self._give_up()
        return self

    def _take_room(self) -> bool:
        """Let creates go where there is room; tell whether one went."""
        went = False
        for lane, slots in self.slots.items():
            while slots and (number := self._next_parked(lane)) is not None:
                taken = slots.popleft()
                first = self.waits.before.setdefault(number, [])
                first += [other for other in taken if other not in first]
                if not first:
                    del self.waits.before[number]
                self._do(number)
                went = True
        return went

    def _next_parked(self, lane: str) -> int | None:
        parked = self.parked[lane]
        for _ in range(len(parked)):
            if self._is_free(parked[0]):
                return parked.popleft()
            parked.rotate(-1)
        return None

    def _do(self, number: int) -> None:
        del self.undone[number]
        step = self.steps[number]
        if step.action == DELETE and step.lane in self.slots:
            self._leave_room(number, step.lane)
        self._complete(self.waits.makes.get(number))
        for other in self.holds.get(number, ()):
            self.held[other] -= 1
            self._wake(other)

    def _leave_room(self, number: int, lane: str) -> None:
        if self.debt[lane]:
            self.debt[lane] -= 1
            self.paid[lane] += (number,)
        else:
            self.slots[lane].append((*self.paid[lane], number))

    def _complete(self, mark: int | None) -> None:
        if mark is None:
            return
        self.left[mark] -= 1
        if self.left[mark]:
            return
        for gate in self.gates_of.get(mark, ()):
            self.closed[gate] -= 1
            if self.closed[gate] == 0:
                for number in self.of_gate.get(gate, ()):
                    self._wake(number)

    def _wake(self, number: int) -> None:
        if self._is_free(number) and not self._is_parked(self.steps[number]):
            self.queue.append(number)

    # -- circles --------------------------------------------------------------------------------

    def _give_up(self) -> None:
        """Find a circle, and give up one wait of it: one that uncovers nothing where there is."""
        circle = self._circle()
        breaks = [(number, mark) for number, mark, _ in circle if mark is not None]
        harmless = [pair for pair in breaks if not self._uncovers(*pair)]
        if harmless:
            self._drop(*harmless[0])
        elif breaks:
            number, mark = min(breaks)
            makes = [other for other in self.of_mark[mark] if other in self.undone]
            self.given_up.setdefault(number, {}).update(dict.fromkeys(makes))
            self._drop(number, mark)
        else:
            number, _, other = min(circle, key=lambda link: link[0])
            self.given_up.setdefault(number, {})[other] = None
            self._let_go(number, other)

    def _uncovers(self, number: int, mark: int) -> bool:
        return mark in self.waits.active_marks and self._is_active(number)

    def _circle(self) -> list[tuple[int, int | None, int]]:
        """Return a circle of waits: (step, the mark it waits for or None, the step waited for)."""
        number = next(iter(self.undone))
        path: list[tuple[int, int | None, int]] = []
        place: dict[int, int] = {}
        while number not in place:
            place[number] = len(path)
            mark, other = self._waits_for(number)
            path.append((number, mark, other))
            number = other
        return path[place[number] :]

    def _waits_for(self, number: int) -> tuple[int | None, int]:
        """Return what keeps a step: a mark, or None, and one step that is not done."""
        if self.held.get(number):
            return None, next(n for n in self.waits.before[number] if n in self.undone)
        gate = self.waits.breaks.get(number)
        if gate is not None and self.closed[gate]:
            mark = next(mark for mark in self.waits.needs[gate] if self.left[mark])
            return mark, next(n for n in self.of_mark[mark] if n in self.undone)
        # A create that finds no room: any delete will do, best one that may go before its time.
        lane = self.steps[number].lane
        return None, next(n for n in self.deletes[lane] if n in self.undone)

    def _drop(self, number: int, mark: int) -> None:
        """Let a step wait for all that its gate needs but one mark, by a gate of its own."""
        waits = self.waits
        old = waits.breaks[number]
        needs = [other for other in waits.needs[old] if other != mark]
        gate = len(waits.needs)
        waits.needs.append(needs)
        self.closed.append(sum(self.left[other] > 0 for other in needs))
        self.of_gate[old].remove(number)
        self.of_gate[gate] = [number]
        waits.breaks[number] = gate
        if old in waits.active_gates:
            waits.active_gates.add(gate)
        for other in needs:
            self.gates_of[other].append(gate)
        self._wake(number)

    def _let_go(self, number: int, other: int) -> None:
        self.waits.before[number].remove(other)
        self.holds[other].remove(number)
        self.held[number] -= 1
        self._wake(number)

    # -- in words -------------------------------------------------------------------------------

    def gap(self, number: int, quota: int | None) -> Gap:
        """Return what is given up of one step."""
        makes = list(self.given_up[number])
        named = [str(self.steps[other]) for other in makes[:_NAMED]]
        if len(makes) > _NAMED:
            named.append(f"{len(makes) - _NAMED} more")
        full = sorted({self.steps[n].lane for n in (number, *makes)} & set(self.slots))
        why = f" ({', '.join(full)}: full, quota {quota})" if full else ""
        reason = f"{self.steps[number]}: cannot wait for {', '.join(named)}{why}"
        return Gap((number, *makes), reason)


def _inverted(of: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the steps of each mark or gate."""
    steps: dict[int, list[int]] = {}
    for number, which in of.items():
        steps.setdefault(which, []).append(number)
    return steps
