"""A story to be read: one line for everything that happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.fleet_play import FleetStory
from tests.simulation.play import Story
from tests.simulation.scenario import Scenario

SHORT = {
    "CreateVcoRouteEntry": "create",
    "ModifyVcoRouteEntryWeight": "modify",
    "DeleteVcoRouteEntry": "delete",
    "DescribeVpnConnection": "poll",
    "DescribeVpnConnections": "poll all",
    "DescribeVcoRouteEntries": "list",
}


def trace(story: Story) -> Iterator[str]:
    """Yield the scenario and what came of it; times are virtual seconds."""
    yield str(story.scenario)
    teller = _Teller(story.scenario)
    for moment, *entry in story.log:
        yield f"{moment:10.3f}  {teller.line(*entry)}"


def trace_fleet(story: FleetStory) -> Iterator[str]:
    """Yield the scenario of a fleet and what came of it, member by member as it happened."""
    yield str(story.scenario)
    tellers = {name: _Teller(one) for name, one in story.scenario.members.items()}
    for member, (moment, *entry) in story.log:
        line = tellers[member].line(*entry) if member else _other(*entry)
        yield f"{moment:10.3f}  {member:8}{line}"


class _Teller:
    """Tells what happens to one account: calls and tokens have names."""

    def __init__(self, scenario: Scenario) -> None:
        self._steps = [{step.number: step for step in case.steps} for case in scenario.cases]
        self._sent: dict[int, str] = {}
        self._tokens: dict[str, int] = {}

    def line(self, kind: str, *what: Any) -> str:
        """Return one entry of a log as a line."""
        told = getattr(self, f"_{kind}", None)
        return (told(*what) if told else _other(kind, *what)).rstrip()

    def _named(self, operation: str, given: Mapping[str, str]) -> str:
        token = given.get("ClientToken")
        known = self._tokens
        name = "" if token is None else f" token {known.setdefault(token, len(known) + 1)}"
        return _call(operation, given) + name

    def _send(self, number: int, operation: str, given: Mapping[str, str], intent: object) -> str:
        self._sent[number] = self._named(operation, given)
        left = "" if intent is not False else "  WITHOUT INTENT"
        return f"#{number} {self._sent[number]} leaves{left}"

    def _cloud(self, number: int, answer: Any) -> str:
        return f"#{number} {self._sent[number]} at the cloud: {_answer(answer)}"

    def _hear(self, number: int, outcome: str) -> str:
        return f"#{number} {self._sent[number]} heard: {outcome}"

    def _step(self, part: int, number: int, old: str, new: str, code: Any, text: Any) -> str:
        step = self._steps[part][number]
        return f"step {number} ({step}): {old} -> {new}  {code or ''} {text or ''}"

    def _routes(self, name: str, routes: frozenset) -> str:
        return f"{name} now holds {', '.join(f'{r[0]}={r[2]}' for r in sorted(routes))}"

    def _late(self, call: Any) -> str:
        return f"late {self._named(call.operation, call.parameters)}: {_answer(call)}"

    def _writer(self, operation: str, given: Mapping[str, str], changed: bool) -> str:
        return f"somebody else: {self._named(operation, given)}" + ": changed" * changed

    def _dead(self, generation: int, where: str, _kept: object) -> str:
        return f"---- dead: process {generation}, {where}"


def _other(kind: str, *what: Any) -> str:
    return f"---- {kind} {' '.join(map(str, what))}"


def _call(operation: str, given: Mapping[str, str]) -> str:
    parts = [SHORT[operation], given.get("VpnConnectionId", given.get("RegionId", ""))]
    if "RouteDest" in given:
        parts += [f"{given['RouteDest']}={given.get('NewWeight', given['Weight'])}"]
    return " ".join(parts)


def _answer(answer: Any) -> str:
    said = [answer.code or "ok"]
    said += ["changed"] * answer.changed + ["replayed"] * answer.replayed
    fields = getattr(answer, "fields", {})
    said += [str(fields["State"])] if "State" in fields else []
    if "VcoRouteEntries" in fields:
        rows = fields["VcoRouteEntries"]
        said += ["[" + ", ".join(f"{r['RouteDest']}={r.get('Weight')}" for r in rows) + "]"]
    return " ".join(said) + (f"  ({answer.faults})" if answer.faults else "")
