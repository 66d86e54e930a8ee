"""A story to be read: one line for everything that happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.play import Story

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
    steps = [{step.number: step for step in case.steps} for case in story.scenario.cases]
    sent: dict[int, str] = {}
    tokens: dict[str, int] = {}

    def call(operation: str, given: Mapping[str, str]) -> str:
        token = given.get("ClientToken")
        name = "" if token is None else f" token {tokens.setdefault(token, len(tokens) + 1)}"
        return _call(operation, given) + name

    for moment, kind, *what in story.log:
        if kind == "send":
            number, operation, given, intent = what
            sent[number] = call(operation, given)
            left = "" if intent is not False else "  WITHOUT INTENT"
            line = f"#{number} {sent[number]} leaves{left}"
        elif kind == "cloud":
            line = f"#{what[0]} {sent[what[0]]} at the cloud: {_answer(what[1])}"
        elif kind == "hear":
            line = f"#{what[0]} {sent[what[0]]} heard: {what[1]}"
        elif kind == "step":
            part, number, old, new, code, text = what
            step = steps[part][number]
            line = f"step {number} ({step}): {old} -> {new}  {code or ''} {text or ''}"
        elif kind == "routes":
            name, routes = what
            line = f"{name} now holds {', '.join(f'{r[0]}={r[2]}' for r in sorted(routes))}"
        elif kind == "late":
            line = f"late {call(what[0].operation, what[0].parameters)}: {_answer(what[0])}"
        elif kind == "writer":
            line = f"somebody else: {call(what[0], what[1])}" + ": changed" * what[2]
        elif kind == "dead":
            line = f"---- dead: process {what[0]}, {what[1]}"
        else:
            line = f"---- {kind} {' '.join(map(str, what))}"
        yield f"{moment:10.3f}  {line.rstrip()}"


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
