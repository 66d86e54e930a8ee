"""Which steps may be sent: a step waits for steps of any connection, and for its wave.

The waits form a graph of steps and groups (see `vcokit.rollout.ordering`). Each node counts its
open waits, so nothing is searched, and the cost of a step is the number of its waits::

    step done ─→ each step and group that waits for it has one wait less
              ─→ a group at 0 is done, and counts down in turn ─→ a step at 0 may be sent

If a step failed or was skipped, `lost` returns the steps that wait for it; the caller skips them
and calls `lost` for each of them. `graphlib.TopologicalSorter` also counts down, but it does not
say who waits for a step, and does not accept a step as done before its turn. Both are needed:
somebody else may already have made a change in the cloud for which a step still waits.

Waves allow canaries: the connections are divided into waves, and the next wave begins only when
every step of the last one is done. ``waves=[1, 5, None]`` puts the first connection into the first
wave, the next five into the second, and the rest into the third; connections are ordered by their
first step. A step that waits for a step of a later wave belongs to that later wave.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import accumulate

from vcokit.rollout.steps import Step

#: A step by its number, or a group by its name. A group is done when all that it waits for is done.
Node = int | str
Waits = Mapping[Node, Sequence[Node]]


class Countdown:
    """The open waits of a graph, counted per node.

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
        """Let a node wait for another node that is not done."""
        self._left[node] += 1
        self._behind.setdefault(other, []).append(node)

    def give_up(self, node: Node, other: Node) -> None:
        """Remove a wait."""
        self._left[node] -= 1
        self._behind[other].remove(node)

    def is_free(self, node: Node) -> bool:
        """Return whether a node waits for nothing."""
        return not self._left[node]

    def is_awaited(self, node: Node) -> bool:
        """Return whether a step still waits for this node, directly or through groups."""
        behind = self._behind.get(node, ())
        return any(isinstance(other, int) or self.is_awaited(other) for other in behind)

    def done(self, node: Node) -> list[int]:
        """Record that a node is done; return the steps that now wait for nothing."""
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
        """Record that a node will never be done; return the steps that wait for it."""
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
    """The open waits of a rollout.

    Parameters
    ----------
    waits : mapping of node to sequence of node
        The waits of an `Order`.
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave; empty for no waves.

    Attributes
    ----------
    wave, last_wave : int
        The wave that has begun last, from 0, and the last one of all.
    spoilt : int or None
        The wave, from 0, in which a step was not done; no wave begins after it.
    """

    def __init__(
        self, waits: Waits, steps: Mapping[int, Step], waves: Sequence[int | None] = ()
    ) -> None:
        self.spoilt: int | None = None
        self._countdown = Countdown(waits)
        self._wave_of = waves_of(steps, waves, waits) if waves else {}
        self.wave, self.last_wave = 0, max(self._wave_of.values(), default=0)
        self._wave_left = Counter(self._wave_of.values())
        self._harmed: set[int] = set()
        for number, wave in self._wave_of.items():
            if wave > 0:
                self._countdown.add(number, _wave_name(wave))

    def may_go(self, number: int) -> bool:
        """Return whether a step waits for nothing."""
        return self._countdown.is_free(number)

    def is_awaited(self, number: int) -> bool:
        """Return whether another step waits for this one."""
        return self._countdown.is_awaited(number)

    def done(self, number: int) -> list[int]:
        """Record that a step is done; return the steps that now wait for nothing."""
        self._one_less_in_wave(number, harmed=False)
        return self._countdown.done(number)

    def lost(self, number: int) -> list[int]:
        """Record that a step will never be done; return the steps that wait for it.

        A step that waits for several such steps is returned for each of them.
        """
        self._one_less_in_wave(number, harmed=True)
        return self._countdown.lost(number)

    def begin_wave(self) -> list[int] | None:
        """Begin the next wave; return the steps that now wait for nothing, or None if it cannot."""
        wave = self.wave
        if self.spoilt is not None or wave >= self.last_wave or self._wave_left[wave]:
            return None
        if wave in self._harmed:
            self.spoilt = wave
            return None
        self.wave += 1
        return self._countdown.done(_wave_name(self.wave))

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
    """Return the wave, from 0, of every step that sends something.

    Parameters
    ----------
    steps : mapping of int to Step
    waves : sequence of int or None
        Connections of each wave. None means the rest; without it, the rest is one more last wave.
    waits : mapping of node to sequence of node
        The waits of an `Order`, which have no cycles.

    Examples
    --------
    >>> def create(number, name):
    ...     return Step(number, "create", "r", name, f"10.{number}.0.0/16", "h", 100)
    >>> steps = {n: create(n, name) for n, name in enumerate("aab")}
    >>> waves_of(steps, [1, None], {})
    {0: 0, 1: 0, 2: 1}
    >>> waves_of(steps, [1, None], {0: [2]})
    {0: 1, 1: 0, 2: 1}
    """
    sending = [step for step in steps.values() if step.sends]
    of_connection = waves_by_name(dict.fromkeys(step.vpn_connection_id for step in sending), waves)
    found: defaultdict[Node, int] = defaultdict(int)
    found.update((step.number, of_connection[step.vpn_connection_id]) for step in sending)
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
