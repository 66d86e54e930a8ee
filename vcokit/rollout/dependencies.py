"""Which steps may be sent: a step waits for steps of any connection, and for its wave.

What waits for what is a graph of steps and groups (see `vcokit.rollout.ordering`). It is counted
down, never searched, so that a step costs as much as it has waits::

    step done ─→ each step and group that waits for it has one wait less
              ─→ a group at 0 is done itself, and so on ─→ a step at 0 may be sent

A step that failed or was skipped takes with it all that wait for it, and so on; what it takes is
returned, and comes back here as lost itself. `graphlib.TopologicalSorter` counts down too, but
does not tell who waits for a step, and takes no step as done before its turn has come. Both are
needed: somebody else may have done in the cloud what a step still waits to do.

Waves are canaries first: connections in waves, the next one only when every step of the last was
done. ``waves=[1, 5, None]`` puts the first connection into the first wave, the next five into the
second, the rest into the third; connections come by their first step. A step that waits for one of
a later wave belongs to that wave itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import accumulate

from vcokit.rollout.steps import Step

#: A step by its number, or a group by its name. A group is done when all it waits for is done.
Node = int | str
Waits = Mapping[Node, Sequence[Node]]


class Countdown:
    """What still waits for what.

    Parameters
    ----------
    waits : mapping of node to sequence of node
        From a step or a group to what must be done before it.
    """

    def __init__(self, waits: Waits) -> None:
        self._left: Counter[Node] = Counter()
        self._behind: dict[Node, list[Node]] = {}
        for node, first in waits.items():
            for other in first:
                self.add(node, other)

    def add(self, node: Node, other: Node) -> None:
        """Let a node wait for one that is not done."""
        self._left[node] += 1
        self._behind.setdefault(other, []).append(node)

    def give_up(self, node: Node, other: Node) -> None:
        """Let a node wait for another no longer."""
        self._left[node] -= 1
        self._behind[other].remove(node)

    def is_free(self, node: Node) -> bool:
        """Tell whether a node waits for nothing."""
        return not self._left[node]

    def is_awaited(self, node: Node) -> bool:
        """Tell whether a step still waits for this node, through whatever groups."""
        behind = self._behind.get(node, ())
        return any(isinstance(other, int) or self.is_awaited(other) for other in behind)

    def done(self, node: Node) -> list[int]:
        """Note that a node is done; return the steps that wait no longer."""
        free = []
        ended = [node]
        while ended:
            for other in self._behind.pop(ended.pop(), ()):
                self._left[other] -= 1
                if self._left[other]:
                    continue
                if isinstance(other, int):
                    free.append(other)
                else:
                    ended.append(other)
        return free

    def lost(self, node: Node) -> list[int]:
        """Note that a node will never be done; return the steps that wait for it."""
        lost = []
        ended = [node]
        while ended:
            for other in self._behind.pop(ended.pop(), ()):
                if isinstance(other, int):
                    lost.append(other)
                else:
                    ended.append(other)
        return lost


class Dependencies:
    """The waits of a rollout that are not over.

    Parameters
    ----------
    waits : mapping of node to sequence of node
        Those of an order.
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave; empty for no waves.

    Attributes
    ----------
    spoilt : int or None
        The wave, from 0, of which a step came to nothing, after which none begins.
    """

    def __init__(
        self, waits: Waits, steps: Mapping[int, Step], waves: Sequence[int | None] = ()
    ) -> None:
        self.spoilt: int | None = None
        self._countdown = Countdown(waits)
        self._wave_of = waves_of(steps, waves, waits) if waves else {}
        self._wave, self._last_wave = 0, max(self._wave_of.values(), default=0)
        self._wave_left = Counter(self._wave_of.values())
        self._harmed: set[int] = set()
        for number, wave in self._wave_of.items():
            if wave > 0:
                self._countdown.add(number, _wave_name(wave))

    def may_go(self, number: int) -> bool:
        """Tell whether a step waits for nothing."""
        return self._countdown.is_free(number)

    def is_awaited(self, number: int) -> bool:
        """Tell whether another step waits for this one to be done."""
        return self._countdown.is_awaited(number)

    def done(self, number: int) -> list[int]:
        """Note that a step is done; return the steps that wait no longer."""
        self._one_less_in_wave(number, harmed=False)
        return self._countdown.done(number)

    def lost(self, number: int) -> list[int]:
        """Note that a step will never be done; return the steps that wait for it.

        One that waits for several such steps is returned with each of them.
        """
        self._one_less_in_wave(number, harmed=True)
        return self._countdown.lost(number)

    def begin_wave(self) -> list[int] | None:
        """Let the next wave begin; return the steps that wait no longer, None if it may not."""
        wave = self._wave
        if self.spoilt is not None or wave >= self._last_wave or self._wave_left[wave]:
            return None
        if wave in self._harmed:
            self.spoilt = wave
            return None
        self._wave += 1
        return self._countdown.done(_wave_name(self._wave))

    def _one_less_in_wave(self, number: int, *, harmed: bool) -> None:
        wave = self._wave_of.get(number)
        if wave is not None:
            self._wave_left[wave] -= 1
            if harmed:
                self._harmed.add(wave)


def _wave_name(wave: int) -> str:
    return f"wave {wave}"


def waves_of(
    steps: Mapping[int, Step], waves: Sequence[int | None], waits: Waits
) -> dict[int, int]:
    """Return the wave, from 0, of every step that sends.

    Parameters
    ----------
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave; None for the rest, which is the last wave if nothing says so.
    waits : mapping of node to sequence of node
        Those of an order. Nothing waits for itself, through whatever else.

    Examples
    --------
    >>> def create(number, lane):
    ...     return Step(number, "create", "r", lane, f"10.{number}.0.0/16", "h", 100)
    >>> steps = {n: create(n, lane) for n, lane in enumerate("aab")}
    >>> waves_of(steps, [1, None], {})
    {0: 0, 1: 0, 2: 1}
    >>> waves_of(steps, [1, None], {0: [2]})
    {0: 1, 1: 0, 2: 1}
    """
    sending = [step for step in steps.values() if step.sends]
    of_connection = waves_by_name(dict.fromkeys(step.lane for step in sending), waves)
    found: defaultdict[Node, int] = defaultdict(int)
    found.update((step.number, of_connection[step.lane]) for step in sending)
    for node in TopologicalSorter(waits).static_order():
        found[node] = max(found[node], *(found[other] for other in waits.get(node, ())), 0)
    return {step.number: found[step.number] for step in sending}


def waves_by_name(names: Iterable[str], waves: Sequence[int | None]) -> dict[str, int]:
    """Return the wave, from 0, of each name, in their order.

    Examples
    --------
    >>> waves_by_name("abcd", [1, 2]), waves_by_name("ab", [])
    ({'a': 0, 'b': 1, 'c': 1, 'd': 2}, {'a': 0, 'b': 0})
    """
    sized = [wave for wave, size in enumerate(waves) if size is not None]
    ends = list(accumulate(size for size in waves if size is not None))
    sized.append(len(waves) - 1 if waves and waves[-1] is None else len(waves))  # the rest
    return {name: sized[bisect_right(ends, place)] for place, name in enumerate(names)}
