"""Taking back what a rollout did, in the same cloud, and whether that was right.

What was ours is read from the simulator's own history: a write with a token of the rollout that
changed something. Whoever undoes only knows the journal, so it may know less, never more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tests.simulation.cases import Expected, Live, live_frame
from tests.simulation.cover import Cover
from tests.simulation.network import Network
from tests.simulation.scenario import Scenario
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan
from vcokit.rollout.undo import undo_plan
from vcokit.simulator.faults import FaultPlan


def undo(
    path: Path, network: Network, scenario: Scenario, run: Callable[[Plan], list[str]]
) -> Undoing:
    """Take back what the rollout of a journal did, in the cloud as it is now, without faults.

    Parameters
    ----------
    path : Path
        The journal.
    network : Network
    scenario : Scenario
    run : callable
        Carries out a plan and returns where its steps have ended.
    """
    with Journal.read(path) as journal:
        steps, calls = journal.steps(), journal.calls()
    before = routes_of(network)
    # What was there at the start has room again, whatever quota came into force since.
    # So has what somebody else put there meanwhile.
    quota = max(scenario.quota, *map(len, scenario.case.live.values())) + len(scenario.writers)
    network.cloud.quota = quota
    live = live_frame(scenario.case.regions, before)
    # So has what takes room because nothing proves it ours.
    quota += undo_plan(steps, calls, live, quota=quota).counts["blocked"]
    network.cloud.quota = quota
    plan = undo_plan(steps, calls, live, quota=quota)
    network.cloud.faults = FaultPlan(())
    network.outages.clear()
    undoing = Undoing(plan, before)
    undoing.foreign = {given["RouteDest"] for *_, given in scenario.writers}
    _find_ours(undoing, network, steps, calls)
    undoing.states = run(plan)
    undoing.after = routes_of(network)
    return undoing


def routes_of(network: Network) -> dict[str, frozenset[Live]]:
    """Return the routes of each connection."""
    return {
        connection.vpn_connection_id: frozenset(tuple(route.key) for route in connection.table)
        for connection in network.cloud.advance(network.world.now)
    }


def _find_ours(
    undoing: Undoing, network: Network, steps: pd.DataFrame, calls: pd.DataFrame
) -> None:
    """Note what the first rollout has changed, and of what its journal is the proof."""
    tokens = {token for token in calls["client_token"] if isinstance(token, str)}
    undoing.ours = {
        (call.vpn_connection_id, call.parameters["RouteDest"])
        for call in network.cloud.history
        if call.changed and call.client_token in tokens
    }
    last = {
        step: outcome
        for step, outcome in zip(calls["step"], calls["outcome"], strict=True)
        if step is not pd.NA
    }
    rows = zip(
        steps["step"], steps["state"], steps["vpn_connection_id"], steps["route_dest"], strict=True
    )
    undoing.proven = {
        (name, net)
        for number, state, name, net in rows
        if state == "done" and last.get(number) == "ok"
    }


@dataclass
class Undoing:
    """What became of taking back.

    Parameters
    ----------
    plan : Plan
    before, after : dict of str to frozenset
        Routes of each connection before and after it.
    log : list of tuple
        Of the second rollout: time, connection, routes, whenever those have changed.
    states : list of str
        Where the steps that send something have ended.
    ours : set of tuple
        Connection and network of each change that the first rollout's tokens made.
    proven : set of tuple
        Those whose step is done and whose last call was answered with success.
    foreign : set of str
        Networks that somebody else may have touched.
    """

    plan: Plan
    before: dict[str, frozenset[Live]]
    after: dict[str, frozenset[Live]] = field(default_factory=dict)
    log: list[tuple[float, str, frozenset[Live]]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    ours: set[tuple[str, str]] = field(default_factory=set)
    proven: set[tuple[str, str]] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)

    def changes(self) -> Counter[Expected]:
        """Return the steps of the plan that send something."""
        return Counter(
            (s.action, s.lane, s.route_dest, s.next_hop, s.old_weight, s.weight)
            for s in self.plan.each()
            if s.sends
        )


def judge_undo(undoing: Undoing, regions: dict[str, str], start: dict[str, set[Live]]) -> list[str]:
    """Return what was wrong with taking back; nothing where all was right."""
    changes = undoing.changes()
    taken = {(name, net) for _, name, net, *_ in changes}
    wrong = [
        f"undo: {place} was not changed by this rollout" for place in sorted(taken - undoing.ours)
    ]
    for name, net in sorted(undoing.proven - taken):
        if net not in undoing.foreign:
            wrong.append(f"undo: {name, net} is provably ours and is not taken back")
    if set(undoing.states) - {"done"}:
        wrong.append(f"undo: steps ended as {Counter(undoing.states)}")
        return wrong
    for name, routes in undoing.after.items():
        for route in sorted(routes ^ frozenset(start[name])):
            mine = (name, route[0]) in taken and route[0] not in undoing.foreign
            if mine:
                wrong.append(f"undo: {name} differs from the start in {route}")
        wrong += [
            f"undo: {name} has changed in {route}, which was not to be undone"
            for route in sorted(routes ^ undoing.before[name])
            if (name, route[0]) not in taken
        ]
    ordered = not undoing.plan.order.gaps
    cover = Cover(regions, undoing.before, changes.elements(), ordered=ordered)
    for moment, name, routes in undoing.log:
        gap = cover.gap(name, routes, set())
        if gap:
            wrong.append(f"undo: {gap} is uncovered at {moment:.3f} s")
    return wrong
