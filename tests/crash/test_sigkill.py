"""A rollout that is killed at any moment and resumed ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from vcokit.rollout.journal import Journal
from vcokit.simulator import Fault, Simulator

ROOT = Path(__file__).parents[2]
CHILD = [sys.executable, "-m", "tests.crash.child"]
SPEED = 240.0


def spawn(verb: str, cloud: Simulator, journal: Path, inventory: Path) -> subprocess.Popen[str]:
    """Start the child."""
    keys = cloud.credentials
    given = [cloud.endpoint, keys.access_key_id, keys.access_key_secret, str(cloud.speed)]
    return subprocess.Popen(
        [*CHILD, verb, *given, str(journal), str(inventory)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def created(cloud: Simulator) -> Counter[tuple[str, str]]:
    """Return how often each route was created, by the simulator's own history."""
    calls = cloud.calls()
    made = calls[(calls["operation"] == "CreateVcoRouteEntry") & calls["changed"]]
    return Counter((p["VpnConnectionId"], p["RouteDest"]) for p in made["parameters"])


def planned(cloud: Simulator, routes: pd.DataFrame) -> vk.Plan:
    """Return what there is to do now."""
    with vk.connect(cloud) as client:
        return vk.plan_routes(routes, vk.live_routes(client, routes))


def kill_after(cloud: Simulator, child: subprocess.Popen[str], creations: int) -> bool:
    """Kill the child without warning once so many routes were created; tell whether it lived."""
    while child.poll() is None:
        if sum(created(cloud).values()) >= creations:
            child.kill()
            child.communicate()
            return True
        try:
            child.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    child.communicate()
    return False


def finish(cloud: Simulator, journal: Path, inventory: Path) -> None:
    """Resume to the end."""
    child = spawn("resume", cloud, journal, inventory)
    said, _ = child.communicate(timeout=240)
    assert child.returncode == 0, said


def assert_as_planned(cloud: Simulator, routes: pd.DataFrame, journal: Path) -> None:
    """Assert that all is done, live as planned, and nothing was created twice."""
    with Journal.read(journal) as opened:
        steps = opened.steps()
    assert set(steps["state"]) <= {"done", "blocked"}
    with vk.connect(cloud) as client:
        live = vk.live_routes(client, routes)
    assert set(vk.verify_routes(routes, live)["verdict"]) == {"as planned"}
    made = created(cloud)
    assert set(made.values()) == {1}
    assert len(made) == len(live) == (steps["state"] == "done").sum()


def test_the_real_inventory_killed_half_way(tmp_path: Path) -> None:
    """data/routes.csv, killed with SIGKILL half-way and resumed: the same routes, none twice."""
    inventory, journal = ROOT / "data" / "routes.csv", tmp_path / "rollout.db"
    routes = vk.read_routes(inventory)
    with Simulator.for_routes(routes, speed=SPEED) as cloud:
        plan = planned(cloud, routes)
        half = plan.counts["create"] // 2
        assert kill_after(cloud, spawn("start", cloud, journal, inventory), half)
        with Journal.read(journal) as opened:
            assert (opened.steps()["state"] == "pending").any()
        finish(cloud, journal, inventory)
        assert_as_planned(cloud, routes, journal)
        assert planned(cloud, routes).counts["keep"] == plan.counts["create"]


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_with_faults(tmp_path: Path, seed: int) -> None:
    """Killed at random moments, answers lost besides: nothing is lost and nothing made twice."""
    rng = random.Random(seed)
    inventory, journal = ROOT / "data" / "routes-small.csv", tmp_path / "rollout.db"
    routes = vk.read_routes(inventory)
    faults = [Fault("drop_after", probability=0.1), Fault("task_fails", probability=0.1)]
    with Simulator.for_routes(routes, speed=SPEED, seed=seed, faults=faults) as cloud:
        verb = "start"
        for _ in range(3):
            child = spawn(verb, cloud, journal, inventory)
            killed = kill_after(cloud, child, sum(created(cloud).values()) + rng.randint(1, 8))
            verb = "resume" if journal.exists() else "start"
            if not killed:
                break
        finish(cloud, journal, inventory)
        assert_as_planned(cloud, routes, journal)
