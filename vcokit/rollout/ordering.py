"""Which steps wait for which others, so that no address is uncovered in between: make before break.

A create or a raise *makes*: it counts from the end of its task. A delete or a lower *breaks*: it
counts from its acceptance. A step that breaks waits until all steps of its scope are done that make
and whose networks share an address with its own::

    lane A   create 10.0.0.0/8 ────┐ mark 0
    lane B   raise  10.1.0.0/16 ───┤ mark 1
                                   └──▶ gate 0 ──▶ delete 10.0.0.0/9 on lanes A, B, C …

Two prefixes that hold one address nest. So when the first route over an address breaks, all that
make over that address are done: what covers it after the plan covers it already. A step that fails
takes those that wait for it with it, and what was to break stays.

Marks and gates are by distinct network, never by pairs of steps: any number of connections that
move one network cost one entry each. A network has at most 32 shorter ones that hold it, which
bounds what the gates need in all by 33 a mark and 33 a gate.

Two waits go the other way, from a step to one that breaks (`Order.before`): a create on a full
connection waits for a delete there, and a route that cannot stand beside another waits until that
one is gone. Only these can close a cycle. Two full connections that swap routes::

    delete d1 on A ──waits for──▶ create d1 on B ──needs room──▶ delete d2 on B
          ▲                                                            │ waits for
          └────────────────needs room──── create d2 on A ◀─────────────┘

To find cycles, all steps are played through once, without time. Where all stand still, a step that
breaks goes without what it still waits for: that is a *gap*, and its network may be uncovered for a
while. It is one whose waits all lead back to itself, so that none of them could be met before it.
What room a create takes is settled on the way: each create that finds its connection full waits for
one delete there of its own.

A play costs about as much as there are steps and waits, however many are given up: a standstill is
not searched anew each time (`_Cycles`), and what a step did wait for is kept as a length, not as a
list: what was complete of its gate when it went.

Which create takes what room is left decides whether there is an order at all, and to be sure is to
search through all. First those go that soonest let something of their own connection go. Where that
ends in a gap, some other orders are drawn by lot, always the same ones, and the best is kept. Where
no connection has two creates to choose from, there is one play.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from vcokit.cidr.parse import I64, U64, parse
from vcokit.cidr.relations import pack, span
from vcokit.rollout.steps import CREATE, DELETE, MODIFY, Route, Step

#: Bits of a packed key below the network: those of the length.
_LENGTH_BITS = np.uint64(6)
_LONGEST = np.uint64(63)


@dataclass(frozen=True)
class Gap:
    """What cannot be ordered so that every address stays covered.

    Parameters
    ----------
    steps : tuple of int
        The step that breaks, then those that make and cannot be done before it, in the order in
        which they can be done after it.
    reason : str
        With networks and connections.
    """

    steps: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Order:
    """Which steps wait for which others.

    Parameters
    ----------
    makes : mapping of int to int
        From a step that creates or raises to the mark it helps to make; left out where no gate
        needs the mark.
    breaks : mapping of int to int
        From a step that deletes or lowers to the gate it stands behind; left out where it need
        not wait.
    needs : tuple of tuple of int
        By gate, the marks that must be complete before it opens: every step of a mark done.
    before : mapping of int to tuple of int
        Other waits: from a step to steps that must be done first.
    gaps : tuple of Gap
        What cannot be ordered. The waits that would close a cycle are left out of the rest, so
        that the rest can always be followed to its end.
    """

    makes: Mapping[int, int] = field(default_factory=dict)
    breaks: Mapping[int, int] = field(default_factory=dict)
    needs: tuple[tuple[int, ...], ...] = ()
    before: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def order_of(
    steps: Iterable[Step], live: Mapping[str, frozenset[Route]], quota: int | None = None
) -> Order:
    """Say which steps wait for which others.

    Parameters
    ----------
    steps : iterable of Step
        Those that send nothing are passed over.
    live : mapping of str to frozenset of Route
        By lane, what its connection holds before the first step.
    quota : int, optional
        Routes a connection may have; by default no connection is taken to be full.

    Notes
    -----
    A standby route covers nothing, but steps for it are ordered all the same: a destination should
    not be without its standby either. Where that cannot be had, it is given up without a gap.

    Examples
    --------
    Two halves become one whole on another connection:

    >>> ends = dict(region_id="r", next_hop="h", weight=100, scope="r")
    >>> plan = [Step(0, "delete", vpn_connection_id="vco-a", route_dest="10.0.0.0/9", **ends),
    ...         Step(1, "delete", vpn_connection_id="vco-a", route_dest="10.128.0.0/9", **ends),
    ...         Step(2, "create", vpn_connection_id="vco-b", route_dest="10.0.0.0/8", **ends)]
    >>> found = order_of(plan, {})
    >>> found.makes, found.breaks, found.needs
    ({2: 0}, {0: 0, 1: 1}, ((0,), (0,)))
    """
    sending = [step for step in steps if step.sends]
    waits = _by_network(sending)
    waits.before.update(_same_place(sending))
    gaps = open_cycles(waits, sending, _room(sending, live, quota), quota)
    before = {number: tuple(first) for number, first in sorted(waits.before.items()) if first}
    breaks, needs = _in_use(waits)
    return Order(waits.makes, breaks, needs, before, gaps)


def _in_use(waits: Waits) -> tuple[dict[int, int], tuple[tuple[int, ...], ...]]:
    """Return the gates that some step stands behind and that need something, numbered anew."""
    used = sorted({gate for gate in waits.breaks.values() if waits.needs[gate]})
    number = {gate: new for new, gate in enumerate(used)}
    breaks = {step: number[gate] for step, gate in waits.breaks.items() if gate in number}
    return breaks, tuple(tuple(waits.needs[gate]) for gate in used)


def is_make(step: Step) -> bool:
    """Tell whether a step brings a route, or brings one into force."""
    return step.action == CREATE or (
        step.action == MODIFY and step.old_weight is not None and step.weight > step.old_weight
    )


def is_break(step: Step) -> bool:
    """Tell whether a step takes a route away, or out of force."""
    return step.action == DELETE or (
        step.action == MODIFY and step.old_weight is not None and step.weight < step.old_weight
    )


# -- marks and gates ----------------------------------------------------------------------------


def _by_network(steps: list[Step]) -> Waits:
    """Return the marks and gates of all steps, and which gate needs which marks."""
    keys, ok = _keys(steps)
    makes = ok & np.array([is_make(step) for step in steps], dtype=np.bool_)
    breaks = ok & np.array([is_break(step) for step in steps], dtype=np.bool_)
    active = np.array([_is_active(step) for step in steps], dtype=np.bool_)
    mark_keys, mark_active, mark = _distinct(keys[makes], active[makes])
    gate_keys, gate_active, gate = _distinct(keys[breaks], active[breaks])
    gates, needed = _overlaps(gate_keys, mark_keys)
    opens, begin = np.unique(gates, return_index=True)
    lists = np.split(needed, begin[1:]) if len(opens) else []
    numbers = np.array([step.number for step in steps], dtype=np.int64)
    waits = Waits(
        makes=_where(numbers[makes], mark, np.unique(needed)),
        breaks=_where(numbers[breaks], gate, opens, renumber=True),
        needs=[marks.tolist() for marks in lists],
    )
    waits.active_marks = set(np.flatnonzero(mark_active).tolist())
    waits.active_gates = set(np.flatnonzero(gate_active[opens]).tolist())
    return waits


def _keys(steps: list[Step]) -> tuple[U64, np.ndarray]:
    """Return (scope, network, length) of each step as one number, and where there is one."""
    found = parse(pd.Series([step.route_dest for step in steps], dtype="str"))
    scope, _ = pd.factorize(np.array([step.scope for step in steps], dtype=object))
    # A destination that is no prefix overlaps none; its step waits for nothing.
    ok = found.valid
    return pack(found.network, np.where(ok, found.length, 0), scope.astype(np.int64)), ok


def _is_active(step: Step) -> bool:
    """Tell whether the route that a step makes or breaks is active."""
    return max(step.weight, step.old_weight or 0) > 0


def _distinct(keys: U64, active: np.ndarray) -> tuple[U64, np.ndarray, I64]:
    """Return the distinct (key, active), sorted, and for each row which of them it is."""
    rows = np.lexsort([active, keys])
    ordered, kind = keys[rows], active[rows]
    is_first = np.ones(len(rows), dtype=np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]) | (kind[1:] != kind[:-1])
    number = np.empty(len(rows), dtype=np.int64)
    number[rows] = np.cumsum(is_first) - 1
    return ordered[is_first], kind[is_first], number


def _overlaps(gates: U64, marks: U64) -> tuple[I64, I64]:
    """Return all pairs of a gate and a mark whose networks share an address, by gate.

    Sorted, what lies within a prefix is one run behind it. So a gate's own run of marks are those
    within or equal, and a mark's own run of gates are those within it but for the equal ones.
    """
    first, last = np.searchsorted(marks, gates), _end_of(gates, marks)
    inner_gate, inner_mark = _expand(first, last)
    first, last = np.searchsorted(gates, marks, side="right"), _end_of(marks, gates)
    outer_mark, outer_gate = _expand(first, last)
    pairs = np.concatenate([inner_gate, outer_gate]), np.concatenate([inner_mark, outer_mark])
    rows = np.lexsort([pairs[1], pairs[0]])
    return pairs[0][rows], pairs[1][rows]


def _end_of(outer: U64, inner: U64) -> I64:
    """Return where, among the inner keys, the run within each outer one ends."""
    _, last = span(outer)
    return np.searchsorted(inner, (last << _LENGTH_BITS) | _LONGEST, side="right")


def _expand(first: I64, last: I64) -> tuple[I64, I64]:
    """Return every (position, member) of runs given by their bounds."""
    size = np.maximum(last - first, 0)
    owner = np.repeat(np.arange(len(size)), size)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size) + first[owner]


def _where(numbers: I64, of: I64, wanted: I64, *, renumber: bool = False) -> dict[int, int]:
    """Return which of the wanted marks or gates each step has; others are left out."""
    place = np.searchsorted(wanted, of)
    has = place < len(wanted)
    has[has] = wanted[place[has]] == of[has]
    values = place if renumber else of
    return dict(zip(numbers[has].tolist(), values[has].tolist(), strict=True))


# -- waits of other kinds -----------------------------------------------------------------------


def _same_place(steps: list[Step]) -> dict[int, list[int]]:
    """Return waits of steps whose route the cloud refuses while another step's is there.

    On one connection and network it takes no second route with the same next hop
    (``VpnRouteEntry.Conflict``), nor one with the same weight (``VpnRouteEntry.BackupRoute``).
    """
    place = pd.Series([f"{step.route_dest} {step.lane}" for step in steps], dtype=object)
    crowded = np.flatnonzero(place.duplicated(keep=False))
    waits: dict[int, list[int]] = {}
    for rows in pd.Series(crowded).groupby(place[crowded].to_numpy()).groups.values():
        together = [steps[crowded[row]] for row in rows]
        for step in together:
            first = [other.number for other in together if _in_the_way(other, step)]
            if first:
                waits[step.number] = first
    return waits


def _in_the_way(other: Step, step: Step) -> bool:
    old, new = other.before, step.after
    if other is step or old is None or new is None:
        return False
    return old.next_hop == new.next_hop or old.weight == new.weight


def _room(
    steps: list[Step], live: Mapping[str, frozenset[Route]], quota: int | None
) -> dict[str, int]:
    """Return how many routes more fit on each lane that cannot take all its creates at once.

    Where not even its deletes make room enough, the creates that never fit are taken to fit: the
    cloud refuses them by itself.
    """
    if quota is None:
        return {}
    creates = pd.Series([step.lane for step in steps if step.action == CREATE], dtype=object)
    deletes = pd.Series([step.lane for step in steps if step.action == DELETE], dtype=object)
    goes = deletes.value_counts().to_dict()
    room = {}
    for lane, comes in creates.value_counts().items():
        free = quota - len(live.get(str(lane), ()))
        if free < comes and goes.get(lane, 0):
            room[str(lane)] = max(free, int(comes) - goes[lane])
    return room


# -- cycles: all steps played through --------------------------------------------------------------

#: What keeps a step: a gate, a mark, another step, or a lane without room.
_Node = tuple[Literal["step", "gate", "mark", "lane"], int | str]

#: Steps that a gap names in words; the others are counted.
_NAMED = 3
#: More than any number of steps.
_MANY = 1 << 60
#: Games played at most to find one without a gap, and steps played in all of them together.
_TRIES = 40
_PATIENCE = 50_000


@dataclass
class Waits:
    """An order under way; see `Order`.

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
        # A list of needs is never changed, only others are put behind it.
        gates = dict(self.breaks), list(self.needs)
        return Waits(self.makes, *gates, before, self.active_marks, set(self.active_gates))


def open_cycles(
    waits: Waits, steps: Iterable[Step], room: Mapping[str, int], quota: int | None
) -> tuple[Gap, ...]:
    """Give every create its room, and give up waits until no cycle is left.

    Parameters
    ----------
    waits : Waits
        Changed in place.
    steps : iterable of Step
    room : mapping of str to int
        Routes more that fit, by lane; of full lanes alone.
    quota : int or None
        For the reason of a gap.
    """
    if not room and not waits.before:
        return ()
    steps = list(steps)
    creates = Counter(step.lane for step in steps if step.action == CREATE and step.lane in room)
    tries = min(_TRIES, _PATIENCE // max(1, len(steps)))
    best = _Play(waits.copy(), steps, room).to_the_end()
    for luck in range(tries if max(creates.values(), default=0) > 1 else 0):
        if not best.given_up:
            break
        lot = random.Random(luck)  # noqa: S311 - not for secrets
        play = _Play(waits.copy(), steps, room, lot).to_the_end()
        best = min(best, play, key=lambda played: len(played.given_up))
    gaps = best.gaps(quota)
    vars(waits).update(vars(best.waits_left()))
    return gaps


class _Play:
    """All steps, played through one by one.

    `left` counts the steps of a mark that are not done, `closed` the marks of a gate that are not
    complete, `spare` those of them that may be given up without a gap; `complete` lists the others
    as they came. `held` counts the steps of `Waits.before` that are not done. `slots` are the
    places free on a full lane, each with the deletes that made it, and `roomy` the lanes to look
    at. `place` says as which one a step was done.
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
        self.place: dict[int, int] = {}
        #: Steps that went without what their gate still needed: the gate, how many of its marks
        #: were complete, and how many steps were done.
        self.went: dict[int, tuple[int, int, int]] = {}
        #: Those of them that are gaps, and steps that went without other waits, with these.
        self.given_up: dict[int, list[int]] = {}
        self.slots: dict[str, deque[tuple[int, ...]]] = {
            lane: deque([()] * free) for lane, free in room.items()
        }
        self.roomy = dict.fromkeys(room)
        #: Deletes that must go before any is of use, where more is live than the quota allows.
        self.debt = {lane: max(0, -free) for lane, free in room.items()}
        self.paid: dict[str, tuple[int, ...]] = dict.fromkeys(room, ())
        self._count()
        self._line_up()
        self.cycles = _Cycles(self._keeps, self._is_open, self._ways_out)

    def _count(self) -> None:
        waits = self.waits
        self.of_mark = _inverted(waits.makes)
        self.of_gate = _inverted(waits.breaks)
        self.left = {mark: len(numbers) for mark, numbers in self.of_mark.items()}
        self.gates_of: dict[int, set[int]] = {mark: set() for mark in self.of_mark}
        self.closed: list[int] = []
        self.spare: list[int] = []
        self.complete: list[list[int]] = []
        for gate in range(len(waits.needs)):
            self._watch(gate)
        self.held = {number: len(first) for number, first in waits.before.items()}
        self.holds: dict[int, list[int]] = {}
        for number, first in waits.before.items():
            for other in first:
                self.holds.setdefault(other, []).append(number)
        #: Gates that steps stand behind whose harmless waits were given up, by what they were.
        self.lesser: dict[tuple[int, int], int] = {}

    def _watch(self, gate: int) -> None:
        """Count what a new gate needs."""
        unmet = [mark for mark in self.waits.needs[gate] if self.left[mark]]
        for mark in unmet:
            self.gates_of[mark].add(gate)
        self.closed.append(len(unmet))
        self.spare.append(sum(not self._uncovers(gate, mark) for mark in unmet))
        self.complete.append([mark for mark in self.waits.needs[gate] if not self.left[mark]])

    def _uncovers(self, gate: int, mark: int) -> bool:
        return gate in self.waits.active_gates and mark in self.waits.active_marks

    def _line_up(self) -> None:
        """Put what need not wait into the queue, and creates of full lanes where they wait."""
        deletes: dict[str, list[int]] = {lane: [] for lane in self.slots}
        parked: dict[str, list[int]] = {lane: [] for lane in self.slots}
        self.queue: deque[int] = deque()
        for number, step in self.steps.items():
            if step.action == DELETE and step.lane in self.slots:
                deletes[step.lane].append(number)
            if self._is_parked(step):
                parked[step.lane].append(number)
            elif self._is_free(number):
                self.queue.append(number)
        self.deletes = {
            lane: sorted(numbers, key=lambda n: self.waits.breaks.get(n) in self.waits.active_gates)
            for lane, numbers in deletes.items()
        }
        rank = self._ranks(deletes)
        self.parked = {lane: deque(sorted(numbers, key=rank)) for lane, numbers in parked.items()}

    def _is_parked(self, step: Step) -> bool:
        return step.action == CREATE and step.lane in self.slots

    def _is_free(self, number: int) -> bool:
        gate = self.waits.breaks.get(number)
        is_open = gate is None or number in self.went or self.closed[gate] == 0
        return is_open and not self.held.get(number)

    def _ranks(self, deletes: Mapping[str, Iterable[int]]) -> Callable[[int], tuple[bool, int]]:
        """Return what sorts the creates of a lane: first those that soonest let something go.

        A gate costs the makes that it waits for; what counts is the cheapest gate that needs the
        create, before which a delete of its own lane stands, else one of any full lane.
        """
        breaks = self.waits.breaks
        gates = {
            lane: {breaks[n] for n in numbers if n in breaks} for lane, numbers in deletes.items()
        }
        cost = {
            gate: sum(self.left[mark] for mark in self.waits.needs[gate])
            for gate in set().union(*gates.values())
        }
        least: dict[int, int] = {}
        for gate, makes in cost.items():
            for mark in self.waits.needs[gate]:
                least[mark] = min(makes, least.get(mark, makes))

        def rank(number: int) -> tuple[bool, int]:
            mark = self.waits.makes.get(number, -1)
            if self.luck is not None:
                return mark not in least, self.luck.randrange(_MANY)
            own = self.gates_of.get(mark, set()) & gates[self.steps[number].lane]
            return not own, min((cost[gate] for gate in own), default=least.get(mark, _MANY))

        return rank

    # -- the play -------------------------------------------------------------------------------

    def to_the_end(self) -> _Play:
        """Play until every step is done, giving up waits where all stand still."""
        for last in reversed(self.steps):
            while last not in self.place:
                while self.queue:
                    self._do(self.queue.popleft())
                if not self._take_room() and last not in self.place:
                    self._give_up(last)
        return self

    def _take_room(self) -> bool:
        """Let creates go where there is room; tell whether one went."""
        went = False
        while self.roomy:
            lane = next(iter(self.roomy))
            del self.roomy[lane]
            slots = self.slots[lane]
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
        self.place[number] = len(self.place)
        self.cycles.forget(("step", number))
        step = self.steps[number]
        if step.action == DELETE and step.lane in self.slots:
            self._leave_room(number, step.lane)
        self._fulfil(self.waits.makes.get(number))
        for other in self.holds.get(number, ()):
            self.held[other] -= 1
            self._wake(other)

    def _leave_room(self, number: int, lane: str) -> None:
        if self.debt[lane]:
            self.debt[lane] -= 1
            self.paid[lane] += (number,)
        else:
            self.slots[lane].append((*self.paid[lane], number))
            self.roomy[lane] = None

    def _fulfil(self, mark: int | None) -> None:
        """Note that a step of a mark is done."""
        if mark is None:
            return
        self.left[mark] -= 1
        if self.left[mark]:
            return
        self.cycles.forget(("mark", mark))
        for gate in sorted(self.gates_of[mark]):
            self.closed[gate] -= 1
            self.spare[gate] -= not self._uncovers(gate, mark)
            self.complete[gate].append(mark)
            if self.closed[gate] == 0:
                self.cycles.forget(("gate", gate))
                for number in self.of_gate.get(gate, ()):
                    self._wake(number)

    def _wake(self, number: int) -> None:
        if number in self.place or not self._is_free(number):
            return
        step = self.steps[number]
        if self._is_parked(step):
            self.roomy[step.lane] = None
        else:
            self.queue.append(number)

    # -- standstills ----------------------------------------------------------------------------

    def _keeps(self, node: _Node) -> list[_Node]:
        """Return what a step, gate, mark or lane waits for."""
        kind, which = node
        if kind == "step":
            return self._keeps_step(int(which))
        if kind == "gate":
            return [("mark", mark) for mark in self.waits.needs[int(which)]]
        steps = self.of_mark[int(which)] if kind == "mark" else self.deletes[str(which)]
        return [("step", number) for number in steps]

    def _keeps_step(self, number: int) -> list[_Node]:
        nodes: list[_Node] = []
        if self.held.get(number):
            nodes += [("step", other) for other in self.waits.before[number]]
        gate = self.waits.breaks.get(number)
        if gate is not None and number not in self.went:
            nodes.append(("gate", gate))
        step = self.steps[number]
        if self._is_parked(step) and not self.slots[step.lane]:
            nodes.append(("lane", step.lane))
        return nodes

    def _is_open(self, node: _Node) -> bool:
        """Tell whether what is waited for is still to come."""
        kind, which = node
        if kind == "step":
            return which not in self.place
        if kind == "lane":
            return True
        return (self.left[int(which)] if kind == "mark" else self.closed[int(which)]) > 0

    def _ways_out(self, node: _Node) -> tuple[bool, bool]:
        """Tell whether a step would go without its gate, and whether some of it costs no gap."""
        number = int(node[1]) if node[0] == "step" else -1
        gate = self.waits.breaks.get(number)
        if gate is None or self._is_free(number) or self.held.get(number) or number in self.went:
            return False, False
        return True, self.spare[gate] > 0

    def _give_up(self, last: int) -> None:
        """Let a step of a cycle go without some of its waits: where it can be, without a gap."""
        cycle = self.cycles.find(("step", last))
        harmless, breaks = self.cycles.way_out(cycle, harmless=True), self.cycles.way_out(cycle)
        if harmless is not None:
            self._spare(harmless)
        elif breaks is not None:
            self.given_up[breaks] = []
            self._go_without(breaks)
        else:
            nodes = (visit.node for visit in reversed(self.cycles.trail[cycle:]))
            steps = (int(which) for kind, which in nodes if kind == "step")
            self._let_go(next(number for number in steps if self.held.get(number)))

    def _go_without(self, number: int) -> None:
        """Let a step wait for no more of its gate than is complete."""
        gate = self.waits.breaks[number]
        self.went[number] = gate, len(self.complete[gate]), len(self.place)
        self.cycles.forget(("step", number))
        self._wake(number)

    def _spare(self, number: int) -> None:
        """Let a step go without what its gate needs that is not of active routes on both sides."""
        gate = self.waits.breaks[number]
        if self.spare[gate] == self.closed[gate]:
            self._go_without(number)
            return
        key = gate, len(self.complete[gate])
        if key not in self.lesser:
            needs = self.waits.needs
            needs.append([m for m in needs[gate] if not self.left[m] or self._uncovers(gate, m)])
            self.lesser[key] = len(needs) - 1
            self.waits.active_gates.add(self.lesser[key])
            self._watch(self.lesser[key])
        self.waits.breaks[number] = self.lesser[key]
        self.of_gate.setdefault(self.lesser[key], []).append(number)
        self.cycles.forget(("step", number))

    def _let_go(self, number: int) -> None:
        """Let a step go without the others that it should wait for."""
        first = self.waits.before[number]
        self.given_up[number] = [other for other in first if other not in self.place]
        self.waits.before[number] = [other for other in first if other in self.place]
        for other in self.given_up[number]:
            self.holds[other].remove(number)
        self.held[number] = 0
        self.cycles.forget(("step", number))
        self._wake(number)

    # -- what came of it ------------------------------------------------------------------------

    def waits_left(self) -> Waits:
        """Return the waits that were not given up."""
        waits = self.waits.copy()
        gates: dict[tuple[int, int], int] = {}
        for number, (gate, met, _) in self.went.items():
            if (gate, met) not in gates:
                gates[gate, met] = len(waits.needs)
                waits.needs.append(self.complete[gate][:met])
            waits.breaks[number] = gates[gate, met]
        return waits

    def gaps(self, quota: int | None) -> tuple[Gap, ...]:
        """Return what is given up of each step, in words too."""
        makes: dict[int, list[int]] = {}
        for number in self.given_up:
            gate, *_ = self.went.get(number, (None,))
            if gate is not None and gate not in makes:
                of_gate = [n for mark in self.waits.needs[gate] for n in self.of_mark[mark]]
                makes[gate] = sorted(of_gate, key=self.place.__getitem__)
        gaps = []
        for number, others in sorted(self.given_up.items()):
            if number in self.went:
                gate, _, done = self.went[number]
                begin = bisect_left(makes[gate], done, key=self.place.__getitem__)
                others = others + makes[gate][begin:]
            gaps.append(self._gap(number, others, quota))
        return tuple(gaps)

    def _gap(self, number: int, others: list[int], quota: int | None) -> Gap:
        named = others[:_NAMED]
        words = [str(self.steps[other]) for other in named]
        if len(others) > _NAMED:
            words.append(f"{len(others) - _NAMED:,} more")
        full = sorted({self.steps[n].lane for n in (number, *named)} & set(self.slots))
        why = f" ({', '.join(full)}: full, quota {quota})" if full else ""
        reason = f"{self.steps[number]}: cannot wait for {', '.join(words)}{why}"
        return Gap((number, *others), reason)


@dataclass
class _Visit:
    """One node on the way of a search.

    Parameters
    ----------
    node : tuple
    keeps : list of tuple
        What it waits for.
    at : int
        Which of these is to be looked at next.
    low : int
        The earliest visit that it is known to lead back to.
    parent : int
        The visit that led here; -1 for none.
    before : tuple of int
        `at` and `low` of the parent, when it led here.
    ways_out : tuple of int
        The latest visits so far of a step that would go without its gate, and of one for which
        that is harmless in part; -1 for none.
    is_under_way : bool
        Whether something behind it is still being looked at.
    """

    node: _Node
    keeps: list[_Node]
    at: int
    low: int
    parent: int
    before: tuple[int, int]
    ways_out: tuple[int, int]
    is_under_way: bool = True


class _Cycles:
    """A search, at a standstill, for steps that wait for one another and for nothing else.

    It goes along the waits, as Tarjan's does for strong components, and ends at the first one
    found. Nothing leads out of that, so nothing of it can go before one of its waits is given up.
    What is done then is forgotten, with all that was visited after it; what was visited before
    cannot have met it, so it stays, and the next search begins there.

    Parameters
    ----------
    keeps : callable
        From a node to what it waits for.
    is_open : callable
        Whether what is waited for is still to come.
    ways_out : callable
        Whether a node is a step that would go without its gate, and whether harmlessly in part.
    """

    def __init__(
        self,
        keeps: Callable[[_Node], list[_Node]],
        is_open: Callable[[_Node], bool],
        ways_out: Callable[[_Node], tuple[bool, bool]],
    ) -> None:
        self._keeps, self._is_open, self._ways_out = keeps, is_open, ways_out
        self.trail: list[_Visit] = []
        self._index: dict[_Node, int] = {}
        self._tip = -1

    def find(self, root: _Node) -> int:
        """Return where on the trail a cycle begins; it goes on to the end of the trail."""
        if not self.trail:
            self._visit(root)
        while True:
            visit = self.trail[self._tip]
            if self._look_ahead(visit):
                continue
            if visit.low == self._tip:
                return self._tip
            visit.is_under_way = False
            self._tip = visit.parent
            parent = self.trail[visit.parent]
            parent.low = min(parent.low, visit.low)

    def _look_ahead(self, visit: _Visit) -> bool:
        """Look at what a visit has not looked at; tell whether that led to another."""
        while visit.at < len(visit.keeps):
            node = visit.keeps[visit.at]
            if node in self._index:
                visit.low = min(visit.low, self._index[node])
            elif self._is_open(node):
                self._visit(node)
                visit.at += 1
                return True
            else:
                del visit.keeps[visit.at]  # it is over for good: no later search looks at it again
                continue
            visit.at += 1
        return False

    def _visit(self, node: _Node) -> None:
        here, before = len(self.trail), (0, 0)
        if self._tip >= 0:
            parent = self.trail[self._tip]
            before = parent.at, parent.low
        latest = self.trail[-1].ways_out if self.trail else (-1, -1)
        is_way, is_harmless = self._ways_out(node)
        ways_out = (here if is_way else latest[0], here if is_harmless else latest[1])
        self.trail.append(
            _Visit(node, self._keeps(node)[::-1], 0, here, self._tip, before, ways_out)
        )
        self._index[node] = here
        self._tip = here

    def way_out(self, cycle: int, *, harmless: bool = False) -> int | None:
        """Return the latest step of a cycle that would go without its gate, or harmlessly so."""
        at = self.trail[-1].ways_out[harmless]
        while at >= cycle:
            node = self.trail[at].node
            if self._ways_out(node)[harmless]:
                return int(node[1])
            at = self.trail[at - 1].ways_out[harmless] if at else -1
        return None

    def forget(self, node: _Node) -> None:
        """Go back to where a node was not visited yet, if it was."""
        if node not in self._index:
            return
        at = self._index[node]
        visit = self.trail[at]
        for gone in self.trail[at:]:
            del self._index[gone.node]
        del self.trail[at:]
        self._tip = visit.parent
        while visit.parent >= 0:
            parent = self.trail[visit.parent]
            parent.at, parent.low = visit.before
            if parent.is_under_way:
                break
            parent.is_under_way = True
            visit = parent


def _inverted(of: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the steps of each mark or gate."""
    steps: dict[int, list[int]] = {}
    for number, which in of.items():
        steps.setdefault(which, []).append(number)
    return steps
