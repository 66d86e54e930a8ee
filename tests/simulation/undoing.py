"""Taking back what a rollout did, in the same cloud, and whether that was right.

What was ours is read from the simulator's own history: a write with a token of the rollout that
changed something. Whoever undoes only knows the journal, so it may know less, never more.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.cases import Case, Expected, Live
from tests.simulation.cover import Cover
from tests.simulation.network import Network
from tests.simulation.scenario import Scenario
from vcokit.rollout.plan import Plan
from vcokit.simulator.faults import FaultPlan


@dataclass
class Undoing:
    """What became of taking back: routes before and after, and what the history proves.

    Changes are (connection, network): those that the first rollout's tokens made (``ours``), those
    whose step is done and whose last call was answered with success (``proven``), and those of
    writes that were answered with success and have changed routes (``answered``).
    """

    plan: Plan = None  # type: ignore[assignment]
    before: dict[str, frozenset[Live]] = field(default_factory=dict)
    after: dict[str, frozenset[Live]] = field(default_factory=dict)
    log: list[tuple] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # where steps that send something have ended
    ours: set[tuple[str, str]] = field(default_factory=set)
    proven: set[tuple[str, str]] = field(default_factory=set)
    answered: set[tuple[str, str]] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)  # networks somebody else may have touched

    def changes(self) -> Counter[Expected]:
        """Return the steps of the plan that send something."""
        return Counter(
            (s.action, s.vpn_connection_id, s.route_dest, s.next_hop, s.old_weight, s.weight)
            for s in self.plan.each()
            if s.sends
        )

    def blocked(self) -> set[tuple[str, str]]:
        """Return connection and network of what the plan says it cannot prove."""
        steps = self.plan.steps
        rows = steps[steps["action"] == "blocked"]
        return set(zip(rows["vpn_connection_id"], rows["route_dest"], strict=True))


def prepare(case: Case, path: Path, network: Network, scenario: Scenario) -> Undoing:
    """Return what is known before anything is taken back; from now on nothing goes wrong.

    What was there at the start has room again, whatever quota came into force since.
    """
    network.cloud.quota = 10_000
    network.cloud.faults = FaultPlan(())
    network.outages.clear()
    undoing = Undoing(before=network.routes())
    undoing.foreign = {given["RouteDest"] for *_, given in scenario.writers}
    db = sqlite3.connect(path)
    tokens = {token for (token,) in db.execute("SELECT client_token FROM call WHERE step NOT NULL")}
    last = dict(db.execute("SELECT step, outcome FROM call WHERE step NOT NULL ORDER BY call"))
    steps = db.execute(
        "SELECT step, state, vpn_connection_id, route_dest FROM step WHERE action <> 'blocked'"
    ).fetchall()
    db.close()
    undoing.ours = {
        (call.vpn_connection_id, call.parameters["RouteDest"])
        for call in network.cloud.history
        if call.changed and call.client_token in tokens
    }
    places = {number: (name, net) for number, _, name, net in steps}
    done = {number for number, state, *_ in steps if state == "done"}
    answered = {number for number, outcome in last.items() if outcome == "ok"}
    undoing.proven = {places[number] for number in done & answered}
    undoing.answered = {places[number] for number in answered} & undoing.ours
    return undoing


def judge_undo(undoing: Undoing, case: Case, scenario: Scenario) -> list[str]:
    """Return what was wrong with taking back; nothing where all was right."""
    regions, start = case.regions, case.live
    changes = undoing.changes()
    taken = {(name, net) for _, name, net, *_ in changes}
    wrong = [
        f"undo: {place} was not changed by this rollout" for place in sorted(taken - undoing.ours)
    ]
    # What is not attached to a transit router any more takes no call.
    detached = {name for _, name, state in scenario.states if state == "init"}
    for name, net in sorted(undoing.proven - taken):
        if net not in undoing.foreign and name not in detached:
            wrong.append(f"undo: {name, net} is provably ours and is not taken back")
    for name, net in sorted(undoing.answered - taken - undoing.blocked()):
        if net not in undoing.foreign:
            wrong.append(f"undo: {name, net} was answered and is in no list")
    # By a clock on the wall that was set forward, windows of an earlier process have passed.
    if scenario.keeps_limits and not any(far > 0 for _, far in scenario.jumps):
        wrong += [
            f"throttled: undo at {moment:.3f} s"
            for moment, kind, *what in undoing.log
            if kind == "cloud" and what[1].code == "Throttling.User"
        ]
    if set(undoing.states) - {"done"}:
        wrong.append(f"undo: steps ended as {Counter(undoing.states)}")
        return wrong
    for name, routes in undoing.after.items():
        if name not in start:
            continue
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
    before = {name: undoing.before[name] for name in start}
    cover = Cover(regions, before, changes, ordered=ordered)
    for moment, kind, *what in undoing.log:
        if kind == "routes" and what[0] in start:
            gap = cover.gap(what[0], what[1], set())
            if gap:
                wrong.append(f"undo: {gap} is uncovered at {moment:.3f} s")
    return wrong
