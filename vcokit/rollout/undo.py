"""The plan that reverts what a rollout provably did, and nothing else.

A step is *ours* if its last write was answered with success and a listing has shown the effect:
during the rollout (done), or now (accepted, settled, or interrupted before it was known). Then

========  =================================  ==================================================
step      is reverted by                     only if
========  =================================  ==================================================
create    delete                             the identical route is live
modify    modify, to the old weight          the identical route is live, the old one is not
delete    create                             no live route conflicts with it
========  =================================  ==================================================

The cloud's listing shows no description, so a route that was deleted and is created again has none.

What is not proven is listed as blocked, with the reason: after a lost answer somebody else may have
made the change, ``AlreadyExists`` says that somebody did, and a change that was not seen yet may
still happen. A step that had no effect and can have none needs no undo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.rollout import rehearsal
from vcokit.rollout.plan import Plan
from vcokit.rollout.provenance import Origin
from vcokit.rollout.reconcile import routes_there
from vcokit.rollout.steps import (
    LIVE_COLUMNS,
    OPERATION,
    PLAN_COLUMNS,
    UNKNOWN_WEIGHT,
    Action,
    Route,
    State,
    Step,
)

#: Outcomes of a write that may have taken effect: no answer, or a server error.
_UNCERTAIN: Final = frozenset({"unknown", "server", None})

#: States of a step whose last write was answered with success, except a step that listings later
#: showed to have had no effect.
_TOOK: Final = frozenset({State.SENT, State.UNKNOWN, State.ACCEPTED, State.SETTLED, State.DONE})

_CHANGED: Final = "changed since: "
_UNSEEN: Final = "may still take effect: resume the rollout to find out"
_DESCRIPTION: Final = "created again without its description, which no listing shows"


def undo_plan(
    steps: pd.DataFrame,
    calls: pd.DataFrame,
    live: pd.DataFrame,
    *,
    quota: int | None = None,
    rollout_id: str | None = None,
) -> Plan:
    """Return the plan that reverts what a rollout provably did.

    Parameters
    ----------
    steps : DataFrame
        From `Journal.steps`.
    calls : DataFrame
        From `Journal.calls`.
    live : DataFrame
        The routes that the connections of the rollout hold now, from `live_routes`.
    quota : int, optional
        Routes per connection, so that routes that are created again wait for room.
    rollout_id : str, optional
        Id of the rollout, so that the change records of both can refer to each other.

    Returns
    -------
    Plan
        A step for each step of the rollout that had an effect or may have had one, the last one
        first; steps that are not provably ours are blocked, with the reason. ``row``, ``source``
        and ``line`` are those of the reverted step.

    Raises
    ------
    InputError, PlanError
        If `live` does not hold live routes.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"step": [0], "action": ["create"], "state": ["done"],
    ...     "scope": ["r"], "region_id": ["r"], "vpn_connection_id": ["vco-a"],
    ...     "route_dest": ["10.0.0.0/8"], "next_hop": ["vco-a"], "weight": [100]})
    >>> calls = schema.frame(schema.CALLS, {"call": [1], "step": [0], "outcome": ["ok"],
    ...     "operation": ["CreateVcoRouteEntry"]})
    >>> live = schema.frame(schema.LIVE_ROUTES, {name: steps[name] for name in LIVE_COLUMNS})
    >>> print(undo_plan(steps, calls, live))
    0 create, 0 modify, 1 delete, 0 keep, 0 blocked
    >>> print(undo_plan(steps, calls.assign(outcome="unknown"), live))
    0 create, 0 modify, 0 delete, 0 keep, 1 blocked
    """
    there = routes_there(live).drop_duplicates(ignore_index=True)
    now = _Live(there, schema.unlisted_connections(live))
    found = list(_marks(steps, calls, now))
    gone = [mark.step for mark in found if mark.reason is None and mark.step.after is not None]
    taken = {(step.vpn_connection_id, route) for step in gone for route in _spellings(step.after)}
    rows = [_row(mark, now, taken) for mark in reversed(found)]
    plan = _plan(rows, steps, there, quota)
    origin = Origin(undoes=rollout_id)
    return replace(plan, simulated=rehearsal.of_live(live), origin=origin)


class _Live:
    """The current live routes, by connection.

    Parameters
    ----------
    there : DataFrame
        Of `LIVE_COLUMNS`.
    unlisted : mapping of str to str
        The cloud's error code by connection, for connections that it does not list.
    """

    def __init__(self, there: pd.DataFrame, unlisted: Mapping[str, str]) -> None:
        self.unlisted = unlisted
        found: dict[str, set[Route]] = {}
        columns = (there[name].tolist() for name in LIVE_COLUMNS[1:])
        for connection, *route in zip(*columns, strict=True):
            found.setdefault(connection, set()).add(Route(*route))
        self.routes = {name: frozenset(routes) for name, routes in found.items()}
        self.places: dict[tuple[str, str], set[Route]] = {}
        for name, routes in self.routes.items():
            for one in routes:
                self.places.setdefault((name, one.route_dest), set()).add(one)

    def of(self, connection: str) -> frozenset[Route]:
        """Return the routes of a connection."""
        return self.routes.get(connection, frozenset())

    def in_the_way(self, step: Step, route: Route, taken: set[tuple[str, Route]]) -> Route | None:
        """Return a live route that conflicts with a new one, unless it is deleted as well."""
        for other in self.places.get((step.vpn_connection_id, route.route_dest), ()):
            alike = other.next_hop == route.next_hop or other.weight == route.weight
            if alike and (step.vpn_connection_id, other) not in taken:
                return other
        return None


@dataclass(frozen=True)
class _Mark:
    """A step that had an effect, or may have had one.

    Parameters
    ----------
    step : Step
    reason : str or None
        Why it cannot be reverted; None if it can.
    """

    step: Step
    reason: str | None


def _marks(steps: pd.DataFrame, calls: pd.DataFrame, live: _Live) -> Iterator[_Mark]:
    """Yield the steps that had an effect or may have had one, in their order."""
    answers = _answers(calls)
    states = dict(zip(steps["step"].tolist(), steps["state"].tolist(), strict=True))
    for step in Plan(steps, schema.frame(schema.LIVE_ROUTES)).each():
        if not step.sends or step.number not in answers:
            continue
        state, answer = states[step.number], answers[step.number]
        if step.vpn_connection_id in live.unlisted:
            gone = (
                f"the cloud does not list the connection: {live.unlisted[step.vpn_connection_id]}"
            )
            yield _Mark(step, gone)
            continue
        shows = step.shows(live.of(step.vpn_connection_id))
        if answer == "ok" and state in _TOOK:
            yield _Mark(step, _why_not(step, state, shows=shows))
        elif shows and _may_be_ours(state, answer):
            yield _Mark(step, _unproven(answer))
        elif (
            not shows
            and state in (State.SENT, State.UNKNOWN, State.PENDING)
            and answer in _UNCERTAIN
        ):
            yield _Mark(step, _UNSEEN)


def _answers(calls: pd.DataFrame) -> dict[int, str | None]:
    """Return the outcome of the last write of each step; None if it is unknown."""
    writes = calls[calls["step"].notna() & calls["operation"].isin(list(OPERATION.values()))]
    last = writes.sort_values("call").drop_duplicates("step", keep="last")
    outcome = last["outcome"].astype("object")
    said = outcome.where(outcome.notna(), None).tolist()
    return dict(zip(last["step"].tolist(), said, strict=True))


def _why_not(step: Step, state: str, *, shows: bool) -> str | None:
    """Return why a step that was answered with success cannot be reverted; None if it can."""
    if shows:
        return None
    if state != State.DONE:
        return _UNSEEN
    if step.action == Action.DELETE:
        return _CHANGED + "the route is there again"
    return _CHANGED + "the route is not as the rollout left it"


def _may_be_ours(state: str, answer: str | None) -> bool:
    """Return whether a visible effect may come from a step that no answer proves.

    A refused step had no effect, unless a listing decided it (after ``AlreadyExists`` and others).
    """
    return answer == "ok" or answer in _UNCERTAIN or state in (State.DONE, State.UNKNOWN)


def _unproven(answer: str | None) -> str:
    if answer == "ok":
        return "not proven ours: accepted, then failed because no listing showed it"
    if answer in _UNCERTAIN:
        return "not proven ours: no answer came"
    return "not proven ours: the cloud reported that the change already existed"


# -- steps --------------------------------------------------------------------------------------


def _spellings(route: Route | None) -> tuple[Route, ...]:
    """Return the forms in which listings may show a route: with its weight, or without."""
    return () if route is None else (route, route._replace(weight=UNKNOWN_WEIGHT))


def _row(mark: _Mark, live: _Live, taken: set[tuple[str, Route]]) -> dict[str, Any]:
    """Return a plan row for a mark."""
    step, reason, message = mark.step, mark.reason, None
    back = step.before
    if reason is None and back is not None:
        other = live.in_the_way(step, back, taken)
        if other is not None:
            reason = f"{_CHANGED}there is a route via {other.next_hop}, weight {other.weight}"
            if other.weight == UNKNOWN_WEIGHT:
                reason = (
                    f"{_CHANGED}there is a route via {other.next_hop}, its weight is not reported"
                )
        elif step.action == Action.DELETE:
            message = _DESCRIPTION
    action = {Action.CREATE: Action.DELETE, Action.DELETE: Action.CREATE}.get(
        step.action, step.action
    )
    given = {"of": step.number, "action": action, "state": State.PENDING, "message": message}
    if reason is not None:
        given |= {"action": Action.BLOCKED, "state": State.BLOCKED, "message": reason}
    given |= {name: getattr(step, name) for name in (*LIVE_COLUMNS, "scope")}
    if step.action == Action.MODIFY:
        given |= {"weight": step.old_weight, "old_weight": step.weight}
    return given


def _plan(
    rows: list[dict[str, Any]], steps: pd.DataFrame, there: pd.DataFrame, quota: int | None
) -> Plan:
    columns: dict[str, object] = {
        name: [row.get(name) for row in rows] for name in PLAN_COLUMNS if name != "step"
    }
    origin = steps.set_index("step").loc[[row["of"] for row in rows]]
    columns |= {name: origin[name] for name in ("row", "source", "line")}
    columns["step"] = range(len(rows))
    plan = schema.frame({name: schema.STEPS[name] for name in PLAN_COLUMNS}, columns)
    touched = plan.loc[plan["action"] != Action.BLOCKED, "vpn_connection_id"].unique()
    kept = there[there["vpn_connection_id"].isin(touched)].reset_index(drop=True)
    return Plan(plan, kept, quota)
