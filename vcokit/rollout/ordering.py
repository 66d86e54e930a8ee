"""Decide which steps wait for which others, so that every address stays covered: make before break.

A create or a raised weight *adds coverage*, from the end of its task. A delete or a lowered weight
*removes coverage*, from its acceptance. A step that removes coverage waits until all steps of its
scope that add coverage and whose networks share an address with its own network are done::

    vco-A    create 10.0.0.0/8 ────▶ cover 10.0.0.0/8 ───┐
    vco-B    raise  10.1.0.0/16 ───▶ cover 10.1.0.0/16 ──┤
                                                         ▼
                                               barrier 10.0.0.0/9 ──▶ delete it on A, B, C …

Of two prefixes that share an address, one contains the other. So when the first route over an
address is removed, all steps that add coverage to that address are done: whatever covers it after
the plan covers it already. If a step fails, the steps that wait for it are skipped, so the routes
that they would remove stay.

Covers and barriers are groups by distinct network, not pairs of steps: if any number of connections
move one network, this costs one entry each. A network is contained in at most 32 shorter ones,
which limits the waits of all groups to 33 per cover and 33 per barrier.

Two kinds of waits go in the other direction, towards a step that removes coverage: a create on a
full connection waits for a delete there, and a route that cannot exist beside another one waits
until that one is deleted. Only these can close a cycle. Two full connections that swap routes::

    delete d1 on A ──waits for──▶ create d1 on B ──needs room──▶ delete d2 on B
          ▲                                                            │ waits for
          └────────────────needs room──── create d2 on A ◀─────────────┘

To find cycles, all steps are simulated once, without time. A create whose connection is full waits
for the next delete there; creates that release deletes soonest go first. If no step can
proceed, a cycle is found by following the waits until a node repeats; then one step of the cycle
that removes coverage is done without its wait. This is a *gap*: its network may be uncovered for a
while. Another order of the creates might have no gap, but to find it would need a search through
all orders. So what cannot be ordered this way is reported, and a rollout refuses it unless gaps are
allowed.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

import numpy as np
import pandas as pd

from vcokit.cidr.parse import parse
from vcokit.cidr.relations import pack, span
from vcokit.rollout.dependencies import Countdown, Node
from vcokit.rollout.steps import Action, Route, Step

#: Bits of a packed key below the network; they hold the length.
_LENGTH_BITS: Final = np.uint64(6)
_LONGEST: Final = np.uint64(63)
#: Steps that a gap names; the others are counted.
_NAMED: Final = 3


@dataclass(frozen=True)
class Gap:
    """Steps that cannot be ordered so that every address stays covered.

    Parameters
    ----------
    steps : tuple of int
        The step that removes coverage, then the steps that add it and cannot be done before it, in
        the order in which they can be done after it.
    reason : str
        The reason, with networks and connections.
    """

    steps: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Order:
    """The waits between steps.

    Parameters
    ----------
    waits : mapping of int or str to tuple of int or str
        From a step, by its number, to what must be done before it: steps by number, and groups by
        name. A group is done when all that it waits for is done. There are no cycles.
    gaps : tuple of Gap
        What cannot be ordered. Waits that would close a cycle are left out.
    """

    waits: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    @property
    def waiting(self) -> tuple[int, ...]:
        """The steps that wait for something."""
        return tuple(sorted(node for node in self.waits if isinstance(node, int)))

    def first(self, number: int) -> set[int]:
        """Return all steps that a step waits for, directly or through groups."""
        found: set[int] = set()
        nodes = list(self.waits.get(number, ()))
        while nodes:
            node = nodes.pop()
            if isinstance(node, int):
                found.add(node)
            else:
                nodes += self.waits[node]
        return found


def order_of(
    steps: Iterable[Step], live: Mapping[str, frozenset[Route]], quota: int | None = None
) -> Order:
    """Decide which steps wait for which others.

    Parameters
    ----------
    steps : iterable of Step
        Steps that send nothing are ignored.
    live : mapping of str to frozenset of Route
        The routes of each connection before the first step.
    quota : int, optional
        Routes per connection; by default, no connection counts as full.

    Notes
    -----
    A standby route covers nothing, but steps for it are ordered too, because a destination should
    not be without its standby. If that is not possible, the wait is dropped without a gap.

    Examples
    --------
    Two halves are replaced by one prefix on another connection:

    >>> ends = dict(region_id="r", next_hop="h", weight=100, scope="r")
    >>> plan = [Step(0, "delete", vpn_connection_id="vco-a", route_dest="10.0.0.0/9", **ends),
    ...         Step(1, "delete", vpn_connection_id="vco-a", route_dest="10.128.0.0/9", **ends),
    ...         Step(2, "create", vpn_connection_id="vco-b", route_dest="10.0.0.0/8", **ends)]
    >>> found = order_of(plan, {})
    >>> [found.first(number) for number in range(3)]
    [{2}, {2}, set()]
    >>> found.waits[1]
    ('barrier 10.128.0.0/9 in r',)
    """
    sending = [step for step in steps if step.sends]
    waits = _waits_for_coverage(sending)
    in_the_way = _waits_for_place(sending)
    room = _room(sending, live, quota)
    for number, others in in_the_way.items():
        waits.setdefault(number, []).extend(others)
    gaps: tuple[Gap, ...] = ()
    if in_the_way or room:
        play = _Play(sending, waits, room)
        play.to_the_end()
        gaps = play.gaps(quota)
    return Order({node: tuple(others) for node, others in waits.items() if others}, gaps)


# -- waits for coverage ----------------------------------------------------------------------------


def is_of_an_active_route(step: Step) -> bool:
    """Return whether the route that a step adds or removes is active."""
    return max(step.weight, step.old_weight or 0) > 0


def _waits_for_coverage(steps: list[Step]) -> dict[Node, list[Node]]:
    """Return the waits that keep every address covered.

    A step that removes coverage waits for a barrier, a barrier for the covers that share an address
    with it, a cover for the steps that add it. Active and standby routes have separate covers.
    """
    added: defaultdict[int, dict[bool, list[Step]]] = defaultdict(dict)
    removed: defaultdict[int, list[Step]] = defaultdict(list)
    for step, key in _with_keys(steps):
        if step.adds_coverage:
            added[key].setdefault(is_of_an_active_route(step), []).append(step)
        elif step.removes_coverage:
            removed[key].append(step)
    waits: dict[Node, list[Node]] = {}
    for outgoing, incoming in _overlapping(list(removed), list(added)):
        barrier = f"barrier {_place(removed[outgoing][0])}"
        if barrier not in waits:
            waits[barrier] = []
            waits.update((step.number, [barrier]) for step in removed[outgoing])
        for is_active, adding in added[incoming].items():
            cover = f"{'active' if is_active else 'standby'} cover {_place(adding[0])}"
            waits[cover] = [step.number for step in adding]
            waits[barrier].append(cover)
    return waits


def _place(step: Step) -> str:
    return f"{step.route_dest} in {step.scope}"


def _with_keys(steps: list[Step]) -> Iterator[tuple[Step, int]]:
    """Yield each step with its scope, network and length as one number.

    A step whose destination is not a prefix is left out: it overlaps nothing and waits for nothing.
    """
    found = parse(pd.Series([step.route_dest for step in steps], dtype="str"))
    scope, _ = pd.factorize(np.array([step.scope for step in steps], dtype=object))
    keys = pack(found.network, np.where(found.valid, found.length, 0), scope.astype(np.int64))
    for step, key, is_prefix in zip(steps, keys.tolist(), found.valid.tolist(), strict=True):
        if is_prefix:
            yield step, key


def _overlapping(some: list[int], others: list[int]) -> Iterator[tuple[int, int]]:
    """Yield all pairs of packed prefixes that share an address.

    In sorted order, the prefixes within a prefix follow it as one run. So for each of `some`, the
    others that are within it or equal to it are a run; and for each of `others`, the prefixes of
    `some` that are within it but not equal to it are a run too.
    """
    left, right = sorted(some), sorted(others)
    for key, begin, end in _runs(left, right, side="left"):
        yield from ((key, other) for other in right[begin:end])
    for key, begin, end in _runs(right, left, side="right"):
        yield from ((other, key) for other in left[begin:end])


def _runs(
    outer: list[int], inner: list[int], side: Literal["left", "right"]
) -> Iterator[tuple[int, int, int]]:
    """Yield each outer prefix with the bounds of the run of inner prefixes within it."""
    keys, others = np.array(outer, np.uint64), np.array(inner, np.uint64)
    _, last = span(keys)
    begin = np.searchsorted(others, keys, side=side)
    end = np.searchsorted(others, (last << _LENGTH_BITS) | _LONGEST, side="right")
    yield from zip(outer, begin.tolist(), end.tolist(), strict=True)


# -- waits for another route to go, and for room ---------------------------------------------------


def _waits_for_place(steps: list[Step]) -> dict[int, list[int]]:
    """Return the waits of steps whose route the cloud refuses while another step's route is live.

    For one connection and network, the cloud accepts no second route with the same next hop
    (``VpnRouteEntry.Conflict``), and none with the same weight (``VpnRouteEntry.BackupRoute``).
    """
    together: defaultdict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        together[step.vpn_connection_id, step.route_dest].append(step)
    waits = {
        step.number: [other.number for other in group if _is_in_the_way(other, step)]
        for group in together.values()
        if len(group) > 1
        for step in group
    }
    return {number: others for number, others in waits.items() if others}


def _is_in_the_way(other: Step, step: Step) -> bool:
    old, new = other.before, step.after
    if other is step or old is None or new is None:
        return False
    return old.next_hop == new.next_hop or old.weight == new.weight


def _room(
    steps: list[Step], live: Mapping[str, frozenset[Route]], quota: int | None
) -> dict[str, int]:
    """Return how many more routes fit on each connection that cannot take all creates at once.

    A negative number is the number of deletes that must come before there is any room. If not even
    all deletes make enough room, the creates that never fit are treated as if they fit: the cloud
    refuses them anyway.
    """
    if quota is None:
        return {}
    creates = Counter(step.vpn_connection_id for step in steps if step.action == Action.CREATE)
    deletes = Counter(step.vpn_connection_id for step in steps if step.action == Action.DELETE)
    free = {connection: quota - len(live.get(connection, ())) for connection in creates}
    return {
        connection: max(free[connection], comes - deletes[connection])
        for connection, comes in creates.items()
        if free[connection] < comes and deletes[connection]
    }


# -- cycles ----------------------------------------------------------------------------------------


class _Play:
    """Simulates all steps one by one without time, to assign room and to find cycles.

    Parameters
    ----------
    steps : iterable of Step
    waits : dict of node to list of node
        Modified: creates get waits for the deletes that make room for them.
    room : mapping of str to int
        How many more routes fit, by connection; only for full connections.

    Attributes
    ----------
    place : dict of int to int
        Position at which a step was done.
    given_up : dict of int to list of node
        Waits that a step was done without.
    """

    def __init__(
        self, steps: Iterable[Step], waits: dict[Node, list[Node]], room: Mapping[str, int]
    ) -> None:
        self.steps = {step.number: step for step in steps}
        self.waits = waits
        self.place: dict[int, int] = {}
        self.given_up: dict[int, list[Node]] = {}
        self._countdown = Countdown(waits)
        #: What each node still waits for, the next one last; filled on first use.
        self._rest: dict[Node, list[Node]] = {}
        #: By full connection: the number of deletes before there is any room, the deletes done,
        #: and for each route for which there is room, what must be done before it.
        self._debt = {connection: max(0, -free) for connection, free in room.items()}
        self._gone: dict[str, list[Node]] = {connection: [] for connection in room}
        self._slots: dict[str, deque[list[Node]]] = {
            connection: deque([] for _ in range(free)) for connection, free in room.items()
        }
        #: Full connections on which there may be room for a create now.
        self._roomy = dict.fromkeys(room)
        self._deletes, self._creates = self._of_full_connections()
        self._ready = deque(
            number
            for number, step in self.steps.items()
            if self._countdown.is_free(number) and not self._needs_room(step)
        )

    def _of_full_connections(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Return deletes, and creates in the order in which they are done.

        Creates that release deletes soonest come first: those in a barrier before a delete on
        their own connection, then those in a barrier before a delete on any full connection; among
        these, those whose barrier waits for fewer steps in total.
        """
        deletes: dict[str, list[int]] = {connection: [] for connection in self._slots}
        creates: dict[str, list[int]] = {connection: [] for connection in self._slots}
        behind: defaultdict[Node, set[str]] = defaultdict(set)
        for number, step in self.steps.items():
            if self._needs_room(step):
                creates[step.vpn_connection_id].append(number)
            elif step.action == Action.DELETE and step.vpn_connection_id in deletes:
                deletes[step.vpn_connection_id].append(number)
                for barrier in self.waits.get(number, ()):
                    behind[barrier].add(step.vpn_connection_id)
        soonest: dict[int, tuple[bool, float]] = {}
        for barrier, connections in behind.items():
            adding = [int(each) for cover in self.waits[barrier] for each in self.waits[cover]]
            for number in adding:
                rank = self.steps[number].vpn_connection_id not in connections, len(adding)
                soonest[number] = min(rank, soonest.get(number, rank))
        for numbers in creates.values():
            numbers.sort(key=lambda number: soonest.get(number, (True, inf)))
        for numbers in deletes.values():
            numbers.sort(key=lambda number: is_of_an_active_route(self.steps[number]))
        return deletes, creates

    def _needs_room(self, step: Step) -> bool:
        return step.action == Action.CREATE and step.vpn_connection_id in self._slots

    def to_the_end(self) -> None:
        """Do steps until all are done; drop a wait whenever no step can proceed."""
        for number in self.steps:
            while number not in self.place:
                if self._ready:
                    self._do(self._ready.popleft())
                elif not self._create_where_there_is_room():
                    self._open(self._cycle(number))

    def _create_where_there_is_room(self) -> bool:
        """Do one create for which there is room; return whether there was one."""
        while self._roomy:
            connection = next(iter(self._roomy))
            creates, slots = self._creates[connection], self._slots[connection]
            number = next(filter(self._countdown.is_free, creates), None) if slots else None
            if number is not None:
                creates.remove(number)
                self.waits.setdefault(number, []).extend(slots.popleft())
                self._do(number)
                return True
            del self._roomy[connection]
        return False

    def _do(self, number: int) -> None:
        self.place[number] = len(self.place)
        if number in self.given_up:
            self._settle(number)
        step = self.steps[number]
        if step.action == Action.DELETE and step.vpn_connection_id in self._slots:
            gone, debt = self._gone[step.vpn_connection_id], self._debt[step.vpn_connection_id]
            gone.append(number)
            if len(gone) > debt:
                self._slots[step.vpn_connection_id].append([*gone[:debt], number])
                self._roomy[step.vpn_connection_id] = None
        for other in self._countdown.done(number):
            self._let_go(other)

    def _settle(self, number: int) -> None:
        """Limit the waits of a step to what is done now; record the others as dropped."""
        over: list[Node] = []
        missing: list[Node] = []
        for node in self.waits[number]:
            for each in self.waits[node] if self._is_barrier(node) else [node]:
                (over if self._is_over(each) else missing).append(each)
        self.waits[number], self.given_up[number] = over, missing

    def _let_go(self, number: int) -> None:
        step = self.steps[number]
        if self._needs_room(step):
            self._roomy[step.vpn_connection_id] = None
        else:
            self._ready.append(number)

    def _is_over(self, node: Node) -> bool:
        return node in self.place if isinstance(node, int) else self._countdown.is_free(node)

    def _is_barrier(self, node: Node) -> bool:
        return isinstance(node, str) and isinstance(self.waits[node][0], str)

    # -- cycles, if no step can proceed ---------------------------------------------------------

    def _cycle(self, node: Node) -> list[Node]:
        """Return a cycle: each node waits for the next one, and the last for the first."""
        way: dict[Node, None] = {}
        while node not in way:
            way[node] = None
            node = self._waits_for(node)
        nodes = list(way)
        return nodes[nodes.index(node) :]

    def _waits_for(self, node: Node) -> Node:
        """Return the next node that a node waits for, or a delete that makes room for it."""
        if node not in self._rest:
            self._rest[node] = self.waits.get(node, [])[::-1]
        rest = self._rest[node]
        while rest and self._is_over(rest[-1]):
            rest.pop()
        if rest:
            return rest[-1]
        deletes = self._deletes[self.steps[int(node)].vpn_connection_id]
        return next(number for number in deletes if number not in self.place)

    def _open(self, cycle: list[Node]) -> None:
        """Drop one wait of a cycle, if possible one that leaves no gap."""
        number, barrier, other = min(self._ways_out(cycle), key=self._harm)
        self.given_up.setdefault(number, [])
        self._rest[number].pop()
        if barrier is None:
            self._countdown.give_up(number, other)
        else:
            self._countdown.give_up(number, barrier)
            for cover in self._rest[barrier][:-1]:
                if not self._is_over(cover):
                    self._rest[number].append(cover)
                    self._countdown.add(number, cover)
        if self._countdown.is_free(number):
            self._let_go(number)

    def _ways_out(self, cycle: list[Node]) -> Iterator[tuple[int, Node | None, Node]]:
        """Yield each wait that may be dropped: the step, its barrier or None, and the target."""
        for place, node in enumerate(cycle):
            following, next_but_one = (
                cycle[(place + 1) % len(cycle)],
                cycle[(place + 2) % len(cycle)],
            )
            if not isinstance(node, int):
                continue
            if self._is_barrier(following):
                yield node, following, next_but_one
            elif following in self._rest[node]:  # else it waits for room
                yield node, None, following

    def _harm(self, way_out: tuple[int, Node | None, Node]) -> int:
        """Return how bad it is to drop a wait; 0 if it is for a standby route, on either side."""
        number, _, other = way_out
        if isinstance(other, int):
            return 2
        return 1 if self._uncovers(number, other) else 0

    def _uncovers(self, number: int, other: Node) -> bool:
        """Return whether an address may be uncovered if a step does not wait for a cover."""
        steps = self.steps[number], self.steps[int(self.waits[other][0])]
        return all(map(is_of_an_active_route, steps))

    # -- result ---------------------------------------------------------------------------------

    def gaps(self, quota: int | None) -> tuple[Gap, ...]:
        """Return the dropped waits that leave a gap, with the reason in words."""
        found = []
        for number, missing in sorted(self.given_up.items()):
            others = [each for each in missing if isinstance(each, int)]
            for cover in missing:
                if isinstance(cover, str) and self._uncovers(number, cover):
                    others += [int(each) for each in self.waits[cover]]
            later = {each for each in others if self.place[each] > self.place[number]}
            if later:
                found.append(self._gap(number, sorted(later, key=self.place.__getitem__), quota))
        return tuple(found)

    def _gap(self, number: int, others: list[int], quota: int | None) -> Gap:
        named = others[:_NAMED]
        words = [str(self.steps[other]) for other in named]
        if len(others) > _NAMED:
            words.append(f"{len(others) - _NAMED:,} more")
        full = sorted(
            {self.steps[n].vpn_connection_id for n in (number, *named)} & set(self._slots)
        )
        why = f" ({', '.join(full)}: full, quota {quota})" if full else ""
        reason = f"{self.steps[number]}: cannot wait for {', '.join(words)}{why}"
        return Gap((number, *others), reason)
