"""From any inventory to any other: routes that move, swap, split and merge leave no gap on the way.

What one inventory asks for is live; the plan leads to the other, with deletes. After every change
of a route in the simulator each address that is covered before and after is looked up anew.
"""

from __future__ import annotations

import tempfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from tests.simulation.__main__ import scratch
from tests.simulation.cases import REGION, Case, planned
from tests.simulation.judge import judge
from tests.simulation.play import play
from tests.simulation.scenario import Scenario
from vcokit.simulator import Fault

# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover

NAMES = ("vco-a", "vco-b", "vco-c")
#: Networks that nest and touch in every way that three bits allow.
NETS = [
    str(net)
    for length in (8, 9, 10, 11)
    for net in IPv4Network("10.0.0.0/8").subnets(new_prefix=length)
]
places = some.tuples(some.sampled_from(NAMES), some.sampled_from(NETS))
inventories = some.dictionaries(places, some.sampled_from([0, 100]), max_size=12)
EIGHT, LOW, HIGH = "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"


def moving(
    start: dict[tuple[str, str], int], goal: dict[tuple[str, str], int], quota: int | None = None
) -> Case:
    """Return the case of a move; each connection keeps one row, so that the plan knows it."""
    case = Case(0, dict.fromkeys(NAMES, REGION), prune=True, quota=quota)
    case.live = {name: set() for name in NAMES}
    for (name, net), weight in start.items():
        case.live[name].add((net, name, weight))
    for name in NAMES:
        goal = {**goal, (name, f"192.168.{NAMES.index(name)}.0/24"): 100}
    for (name, net), weight in goal.items():
        case.rows.append((REGION, name, net, name, weight, None))
        before = start.get((name, net))
        if before != weight:
            action = "create" if before is None else "modify"
            case.expected[action, name, net, name, before, weight] += 1
    for (name, net), weight in start.items():
        if (name, net) not in goal:
            case.expected["delete", name, net, name, None, weight] += 1
    return planned(case)


def carried_out(case: Case, seed: int, faults: list[Fault]) -> list[str]:
    """Return what is wrong with carrying a case out, opened as a user opens it."""
    scenario = Scenario(seed, case, faults, task_seconds=(0.5, 8.0))
    scenario.quota = case.quota or 1000
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        story = play(scenario, Path(folder))
    states = {state for part in story.parts for state, _ in part.states.values()}
    unfinished = [] if faults else sorted(states - {"done"})
    return judge(story) + [f"a step is {state}" for state in unfinished]


@settings(max_examples=15)
@example({("vco-a", LOW): 100, ("vco-a", HIGH): 100}, {("vco-b", EIGHT): 100}, 0)
@example({("vco-a", EIGHT): 100}, {("vco-b", LOW): 100, ("vco-c", HIGH): 100}, 0)
@example(
    {("vco-a", LOW): 100, ("vco-b", HIGH): 100}, {("vco-a", HIGH): 100, ("vco-b", LOW): 100}, 0
)
@example(
    {("vco-a", EIGHT): 100, ("vco-b", EIGHT): 0}, {("vco-a", EIGHT): 0, ("vco-b", EIGHT): 100}, 0
)
@given(inventories, inventories, some.integers(0, 10**6))
def test_no_gap(
    start: dict[tuple[str, str], int], goal: dict[tuple[str, str], int], seed: int
) -> None:
    """Between any two inventories everything is done, and nothing is uncovered in between."""
    case = moving(start, goal)
    assert not case.order.gaps
    assert carried_out(case, seed, []) == []


@settings(max_examples=10)
@given(
    inventories,
    inventories,
    some.integers(0, 10**6),
    some.lists(some.sampled_from(["drop_after", "drop_before", "task_fails", "busy"]), max_size=2),
)
def test_no_gap_with_faults(
    start: dict[tuple[str, str], int],
    goal: dict[tuple[str, str], int],
    seed: int,
    kinds: list[str],
) -> None:
    """Nor is it when answers are lost and tasks fail, whatever cannot be done then."""
    faults = [Fault(kind, probability=0.2) for kind in kinds]
    faults.append(Fault("refuse", code="IllegalParam.RouteDest", probability=0.05))
    assert carried_out(moving(start, goal), seed, faults) == []


def test_a_full_pair_is_told() -> None:
    """Two full connections that swap their only route cannot do so without a gap: the plan says."""
    small = {("vco-a", LOW): 100, ("vco-b", HIGH): 100}
    swapped = {("vco-a", HIGH): 100, ("vco-b", LOW): 100}
    assert moving(small, swapped, quota=3).order.gaps == ()
    full = {**small, **{(name, f"192.168.{i}.0/24"): 100 for i, name in enumerate(NAMES)}}
    assert moving(full, swapped, quota=2).order.gaps
