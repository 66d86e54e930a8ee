"""A listing against what should be there: before anything is sent, and at the end."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import pandas as pd

from vcokit import schema
from vcokit.rollout.lanes import Lane, Record
from vcokit.rollout.steps import DONE, FAILED, IN_DOUBT, SKIPPED, Route, Step


def differences(
    lane: Lane,
    steps: Mapping[int, Step],
    records: Mapping[int, Record],
    listed: frozenset[Route],
) -> list[str]:
    """Hold a listing against what the plan saw, plus what its steps have done since.

    Steps in doubt, failed and skipped ones, may or may not have had their effect: their routes
    count as neither there nor gone.

    Parameters
    ----------
    lane : Lane
    steps : mapping of int to Step
    records : mapping of int to Record
    listed : frozenset of Route
        What the lane's connection holds now.

    Returns
    -------
    list of str
        One line a difference, sorted.
    """
    expected: set[Route | None] = set(lane.start)
    open_to: set[Route | None] = {None}
    for step in (steps[number] for number in lane.numbers):
        state = records[step.number].state
        if step.sends and state == DONE:
            expected.discard(step.before)
            expected.add(step.after)
        elif step.sends and (state in IN_DOUBT or state in (FAILED, SKIPPED)):
            open_to |= {step.before, step.after}
    strange = {route for route in (expected ^ listed) - open_to if route is not None}
    return [
        f"{lane.name}: {route.route_dest} via {route.next_hop}, weight {route.weight}, "
        + ("is new" if route in listed else "is gone")
        for route in sorted(strange)
    ]


def unlike_planned(lanes: Iterable[Lane], steps: Mapping[int, Step]) -> pd.DataFrame:
    """Return where the latest listings of lanes differ from what was planned.

    Parameters
    ----------
    lanes : iterable of Lane
        Those that were never listed are passed over.
    steps : mapping of int to Step

    Returns
    -------
    DataFrame
        Of `vcokit.schema.DIFFERENCES`, a row a route: ``missing`` (planned, and no route of that
        network is there), ``different`` (one with another weight or next hop is) or
        ``unexpected`` (there, and neither planned nor live when the plan was made). ``row`` is NA.
    """
    found = [row for lane in lanes if lane.seen is not None for row in _of_lane(lane, steps)]
    names = list(schema.DIFFERENCES)[:-1]
    return schema.frame(
        schema.DIFFERENCES,
        {name: [row[place] for row in found] for place, name in enumerate(names)},
    )


def _of_lane(lane: Lane, steps: Mapping[int, Step]) -> Iterator[tuple[object, ...]]:
    wanted = set(lane.start)
    for step in (steps[number] for number in lane.numbers):
        if step.before is not None:
            wanted.discard(step.before)
        if step.after is not None:
            wanted.add(step.after)
    seen = lane.seen or frozenset()
    extra: dict[str, deque[Route]] = defaultdict(deque)
    for route in sorted(seen - wanted):
        extra[route.route_dest].append(route)
    place = (lane.region_id, lane.name)
    for route in sorted(wanted - seen):
        others = extra[route.route_dest]
        there = others.popleft() if others else None
        verdict = "missing" if there is None else "different"
        live = (None, None) if there is None else (there.next_hop, there.weight)
        yield (verdict, *place, *route, *live)
    for route in chain.from_iterable(extra.values()):
        yield ("unexpected", *place, route.route_dest, None, None, route.next_hop, route.weight)
