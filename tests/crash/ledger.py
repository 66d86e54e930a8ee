"""Holds what the cloud saw against what the journal says: call by call, route by route."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pandas as pd

Live = set[tuple[str, str, str, int]]


def live_of(routes: pd.DataFrame) -> Live:
    """Return routes as a set."""
    names = ["vpn_connection_id", "route_dest", "next_hop", "weight"]
    return set(routes[names].itertuples(index=False, name=None))


def wanted(steps: pd.DataFrame, start: Live) -> Live:
    """Return what is live once every step is done."""
    there = set(start)
    for step in steps[steps["action"] != "blocked"].itertuples():
        path = (step.vpn_connection_id, step.route_dest, step.next_hop)
        there -= {(*path, 0), (*path, 100)}
        if step.action != "delete":
            there.add((*path, step.weight))
    return there


def violations(
    steps: pd.DataFrame,
    calls: pd.DataFrame,
    history: pd.DataFrame,
    live: Live,
    start: Live,
    *,
    exact: bool = False,
) -> list[str]:
    """Return what is wrong, a line each, with the routes after the rollout and before it.

    Where nothing was killed, reads are accounted for one to one as well, and every call has an
    outcome: that is ``exact``.
    """
    left = steps[~steps["state"].isin(["done", "blocked"])]
    found = [f"step {s.step} is {s.state}" for s in left.itertuples()]
    expected = wanted(steps, start)
    found += [f"missing: {route}" for route in sorted(expected - live)]
    found += [f"unplanned: {route}" for route in sorted(live - expected)]
    found += _effects(steps, history)
    found += _writes(steps, calls, history)
    found += _reads(calls, history)
    if exact:
        found += _exactly(calls, history)
    return found


def _effects(steps: pd.DataFrame, history: pd.DataFrame) -> Iterator[str]:
    """Yield changes that were made more than once, or that no step asks for."""
    operation = {
        "create": "CreateVcoRouteEntry",
        "modify": "ModifyVcoRouteEntryWeight",
        "delete": "DeleteVcoRouteEntry",
    }
    planned = {
        (operation[step.action], step.vpn_connection_id, step.route_dest)
        for step in steps[steps["action"].isin(list(operation))].itertuples()
    }
    made = Counter(
        (call.operation, call.vpn_connection_id, call.parameters["RouteDest"])
        for call in history[history["changed"]].itertuples()
    )
    for change, times in sorted(made.items()):
        if change not in planned:
            yield f"not planned: {change}"
        if times > 1:
            yield f"{times} times: {change}"


def _writes(steps: pd.DataFrame, calls: pd.DataFrame, history: pd.DataFrame) -> Iterator[str]:
    """Yield writes of either side that have no counterpart on the other.

    Of each token: every call that the journal knows an outcome of was seen by the cloud; every
    call that the cloud saw was in the journal before; answers are the same on both sides. A call
    whose outcome the journal does not know (the process was killed) may have left or not.
    """
    route = {s.step: (s.vpn_connection_id, s.route_dest) for s in steps.itertuples()}
    written, seen = defaultdict(list), defaultdict(list)
    for call in calls[calls["client_token"].notna()].itertuples():
        written[call.client_token].append(call)
    for call in history[history["client_token"].notna()].itertuples():
        seen[call.client_token].append(call)
    for token in sorted(written.keys() | seen.keys()):
        mine, theirs = written[token], seen[token]
        ended = [call for call in mine if not pd.isna(call.outcome)]
        if not len(ended) <= len(theirs) <= len(mine):
            yield f"{token}: {len(ended)} to {len(mine)} calls written, {len(theirs)} seen"
        strange = _ids(ended) - _ids(theirs)
        if strange:
            yield f"{token}: answers {sorted(strange)} that the cloud never gave"
        of_steps = {(call.operation, *route[call.step], call.attempt) for call in mine}
        of_cloud = {
            (c.operation, c.vpn_connection_id, c.parameters["RouteDest"]) for c in theirs
        } - {about[:3] for about in of_steps}
        if len(of_steps) > 1 or of_cloud:
            yield f"{token}: used for {sorted(of_steps)} and {sorted(of_cloud)}"


def _ids(calls: list) -> Counter[str]:
    return Counter(call.request_id for call in calls if not pd.isna(call.request_id))


def _reads(calls: pd.DataFrame, history: pd.DataFrame) -> Iterator[str]:
    """Yield reads whose answer the cloud never gave, or gave once and the journal has twice."""
    mine = _ids(list(calls[calls["client_token"].isna()].itertuples()))
    theirs = _ids(list(history[history["client_token"].isna()].itertuples()))
    for request, times in sorted((mine - theirs).items()):
        yield f"read {request}: {times} times more in the journal"


def _exactly(calls: pd.DataFrame, history: pd.DataFrame) -> Iterator[str]:
    """Yield operations that one side counts more calls of, and calls without an outcome."""
    mine, theirs = (Counter(frame["operation"]) for frame in (calls, history))
    for operation in sorted(mine.keys() | theirs.keys()):
        if mine[operation] != theirs[operation]:
            yield f"{operation}: {mine[operation]} written, {theirs[operation]} seen"
    if calls["outcome"].isna().any():
        yield f"{calls['outcome'].isna().sum()} calls without an outcome"
