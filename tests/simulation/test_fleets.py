"""Whatever goes wrong with whichever member at whatever moment, a fleet keeps every promise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.simulation.__main__ import scratch
from tests.simulation.cases import SEEDS_A_CASE
from tests.simulation.fleet_judge import judge_fleet
from tests.simulation.fleet_play import FleetStory, play_fleet
from tests.simulation.fleet_scenario import fleet_scenario_of
from tests.simulation.trace import trace_fleet

# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover

#: A seed in which a fleet is killed while members run, and in which a user steers it.
EVENTFUL = 9


def story_of(seed: int) -> FleetStory:
    """Play one seed."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        return play_fleet(fleet_scenario_of(seed), Path(folder))


def test_nothing_goes_wrong() -> None:
    """Stories of fleets keep every promise, and between them all that may happen does."""
    wrong, found = {}, set()
    for seed in range(SEEDS_A_CASE):
        story = story_of(seed)
        if said := judge_fleet(story):
            wrong[seed] = said
        for member, (_, kind, *what) in story.log:
            if not member:
                found |= {kind, (kind, str(what[0]))}
                if kind == "end" and what[1] is not None:
                    found.add(("halted", "failed" in what[1]))
                elif kind == "command" and what[1]:
                    found.add("a member alone")
            elif kind == "end":
                found.add((kind, what[1]))
    assert wrong == {}, "replay one: python -m tests.simulation --fleets --seed SEED --trace"
    assert found >= {
        "dead", "unreachable", ("halted", True), ("halted", False),
        ("command", "pause"), ("command", "resume"), ("command", "cancel"), ("command", "stop"),
        "a member alone", ("end", "finished"), ("end", "stopped"), ("end", "cancelled"),
        ("end", "interrupted"),
    }  # fmt: skip


def test_a_seed_is_a_story() -> None:
    """A seed gives the same story again, although its threads begin by themselves."""
    assert list(trace_fleet(story_of(EVENTFUL))) == list(trace_fleet(story_of(EVENTFUL)))
