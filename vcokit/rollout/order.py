"""Which steps wait for which others, so that no address is uncovered in between.

A create or a raise *makes*: it is counted from the end of its task. A delete or a lower *breaks*:
it is counted from its acceptance. A step that breaks waits until all steps of its scope are done
that make and whose networks share an address with its own::

    lane A   create 10.0.0.0/8 ────┐ mark 0
    lane B   raise  10.1.0.0/16 ───┤ mark 1
                                   └──▶ gate 0 ──▶ delete 10.0.0.0/9 on lanes A, B, C …

Two prefixes that hold one address nest, so when the first route over an address breaks, all that
make over that address are done: what covers it after the plan covers it already. A step that fails
takes those that wait for it with it, and what was to break stays.

Marks and gates are by distinct network, never by pairs of steps: any number of connections that
move one network cost one entry each. A network has at most 32 shorter ones that hold it, which
bounds what the gates need in all by 33 a mark and 33 a gate.

Two waits go the other way, from a step to one that breaks (`Order.before`): a create on a full
connection waits for a delete there, and a route that cannot stand beside another waits until that
one is gone. Only these can close a circle, and `vcokit.rollout.circles` opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vcokit.cidr.parse import I64, U64, parse
from vcokit.cidr.relations import pack, span
from vcokit.rollout.circles import Gap, Waits, open_circles
from vcokit.rollout.steps import CREATE, DELETE, MODIFY, Route, Step

#: Bits of a packed key below the network: those of the length.
_LENGTH_BITS = np.uint64(6)
_LONGEST = np.uint64(63)


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
        What cannot be ordered. The waits that would close a circle are left out of the rest, so
        that the rest can always be followed to its end.
    """

    makes: Mapping[int, int] = field(default_factory=dict)
    breaks: Mapping[int, int] = field(default_factory=dict)
    needs: tuple[tuple[int, ...], ...] = ()
    before: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def order(
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

    Returns
    -------
    Order

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
    >>> found = order(plan, {})
    >>> found.makes, found.breaks, found.needs
    ({2: 0}, {0: 0, 1: 1}, ((0,), (0,)))
    """
    sending = [step for step in steps if step.sends]
    waits = _by_network(sending)
    waits.before.update(_same_place(sending))
    gaps = open_circles(waits, sending, _room(sending, live, quota), quota)
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
