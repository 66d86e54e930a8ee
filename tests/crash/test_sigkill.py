"""A rollout that is killed at any moment and resumed ends as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import vcokit as vk
from tests.crash import fleets
from tests.crash.accident import Case, faulty_case, play, random_case

ROOT = Path(__file__).parents[2]

# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover


@pytest.mark.parametrize("seed", [0, 3])
def test_killed_again_and_again_with_faults(tmp_path: Path, seed: int) -> None:
    """Killed four times at random moments, answers lost besides: all is accounted for."""
    # Deaths follow soon upon one another, so that the rollout is long enough for all of them.
    outcome = play(replace(random_case(seed), stretch=20), 4, tmp_path)
    assert outcome.violations == []
    assert outcome.kills == 4


def test_the_real_inventory(tmp_path: Path) -> None:
    """Rows of data/routes.csv as they are, dirty ones too, killed twice on their way."""
    routes = vk.read_routes(ROOT / "data" / "routes.csv").iloc[:500]
    outcome = play(Case(0, routes, stretch=200), 2, tmp_path)
    assert outcome.violations == []
    assert outcome.kills == 2
    assert outcome.calls > 400


def test_a_fleet_is_killed_again_and_again(tmp_path: Path) -> None:
    """Killed three times, with answers lost besides: each account is accounted for by itself."""
    outcome = fleets.play(8, 3, tmp_path)
    assert outcome.violations == []
    assert outcome.kills == 3


def test_every_fifth_answer_faulty(tmp_path: Path) -> None:
    """Three hundred steps converge; what the cloud saw and what the journal says are the same."""
    outcome = play(faulty_case(1, 300), 0, tmp_path)
    assert outcome.violations == []
    assert outcome.calls > 500
