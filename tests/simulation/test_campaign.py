"""Whatever goes wrong at whatever moment, a rollout keeps every promise that the judge knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.simulation.__main__ import play_block, scratch
from tests.simulation.cases import SEEDS_A_CASE
from tests.simulation.judge import judge
from tests.simulation.play import Story, play
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.trace import trace

#: Seeds that every run of the tests plays, a block a test; `make campaign` plays many more.
SEEDS = 100
BLOCK = SEEDS_A_CASE

#: Seeds whose stories between them have it all; others where the generator draws other numbers.
TELLING = (11, 19, 27, 40, 68, 69)

# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover

#: Scenarios in which the code was wrong once, as data: they stay what they are when the generator
#: draws other numbers. Each file says what it found.
FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))


def story_of(scenario: Scenario) -> Story:
    """Play one scenario."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        return play(scenario, Path(folder))


# A process that is killed at its last look at the clock ends its thread with SystemExit.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_nothing_goes_wrong(first: int) -> None:
    """Stories from many seeds keep every promise."""
    wrong, _ = play_block(range(first, first + BLOCK))
    assert wrong == {}, "replay one: python -m tests.simulation --seed SEED --trace"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once(path: Path) -> None:
    """A scenario in which the code was wrong once stays right."""
    data = json.loads(path.read_text())
    story = story_of(Scenario.from_json(data["scenario"]))
    if story.error is not None:
        raise story.error
    assert judge(story) == [], data["found"]


def test_a_seed_is_a_story() -> None:
    """A seed gives the same story in another process, whatever the order of its sets."""
    seed = 53
    told = "\n".join(trace(story_of(scenario_of(seed))))
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--trace"]
    surroundings = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=True)
    assert other.stdout.removesuffix(f"seed {seed}: all right\n").rstrip() == told.rstrip()


def test_a_scenario_is_data() -> None:
    """A scenario written as JSON and read again is the same, with everything in it."""
    data = json.loads(json.dumps(scenario_of(91).to_json()))
    assert json.loads(json.dumps(Scenario.from_json(data).to_json())) == data


def test_stories_are_worth_telling() -> None:
    """Deaths, faults, second writers, every action and every way to end all come up."""
    scenarios = [scenario_of(seed) for seed in range(6 * SEEDS_A_CASE)]
    assert {fault.kind for one in scenarios for fault in one.faults} >= {
        "drop_before", "drop_after", "late", "delay", "duplicate", "throttle", "task_fails"
    }  # fmt: skip
    assert {step.action for one in scenarios for step in one.case.steps} >= {
        "create", "modify", "delete", "keep"
    }  # fmt: skip
    found = set()
    for seed in TELLING:
        story = story_of(scenarios[seed])
        found |= {("kind", entry[1]) for entry in story.log}
        found |= {("heard", entry[3]) for entry in story.log if entry[1] == "hear"}
        found |= {("end", part.reason) for part in story.parts}
        found |= {("state", s) for part in story.parts for s, _ in part.states.values()}
        found |= {("together", scenarios[seed].together, len(story.parts))}
    assert found >= {
        ("kind", "dead"), ("kind", "late"), ("kind", "writer"), ("kind", "command"),
        ("kind", "turn"), ("kind", "step"), ("kind", "routes"),
        ("heard", "TaskConflict"), ("heard", "Vco.StatusNotSupport"),
        ("heard", "VpnConnection.Configuring"),
        ("state", "done"), ("state", "failed"), ("state", "skipped"), ("state", "blocked"),
        ("end", "finished"), ("end", "cancelled"),
        ("together", False, 1), ("together", False, 2), ("together", True, 2),
    }  # fmt: skip
