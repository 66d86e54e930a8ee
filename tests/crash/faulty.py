"""A long rollout with every fifth answer faulty: it converges, and every call is accounted for."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import patch

import pandas as pd

import vcokit as vk
from tests.crash import child, ledger
from tests.crash.accident import Outcome
from vcokit import schema
from vcokit.rollout.journal import Journal
from vcokit.simulator import Connection, Fault, Simulator

#: Adds up to 20 %; each call is struck by one at most, or rarely by two.
SHARES = {
    "drop_before": 0.03,
    "drop_after": 0.03,
    "status_500": 0.03,
    "status_503": 0.02,
    "truncate": 0.03,
    "html": 0.02,
    "empty": 0.01,
    "content_type": 0.01,
    "throttle": 0.01,
    "busy": 0.01,
}
FAULTS = [
    *(Fault(kind, probability=share, seconds=0.5) for kind, share in SHARES.items()),
    Fault("task_fails", probability=0.02),
]
SPEED = 3000.0


def inventory(steps: int, lanes: int = 50) -> pd.DataFrame:
    """Return a clean inventory."""
    lane = pd.Series(range(steps)) % lanes
    number = pd.Series(range(steps)) // lanes
    names = "vco-" + lane.astype("str")
    routes = {
        "region_id": pd.Series("cn-hangzhou", names.index),
        "vpn_connection_id": names,
        "route_dest": "10." + lane.astype("str") + "." + number.astype("str") + ".0/24",
        "next_hop": names,
        "weight": 100 * (number % 2),
    }
    return schema.frame(schema.ROUTES, routes)


def play(steps: int, seed: int, folder: Path) -> Outcome:
    """Carry out a plan of so many creates against a cloud that fails all the time."""
    begin, journal = time.monotonic(), folder / f"faulty-{seed}.db"
    routes = inventory(steps)
    connections = [Connection(name) for name in routes["vpn_connection_id"].unique()]
    with (
        patch.dict("os.environ", child.SETTINGS),
        Simulator(connections, speed=SPEED, seed=seed, quota=1000, faults=FAULTS) as cloud,
        vk.connect(cloud) as client,
    ):
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        before = len(cloud.calls())
        rollout = vk.Rollout(plan, client, journal=journal).start().wait()
        history = cloud.calls().iloc[before:]
        live = ledger.live_of(cloud.routes())
    with Journal.read(journal) as opened:
        written, calls = opened.steps(), opened.calls()
    found = [] if rollout.state == "finished" else [f"ended {rollout.state}"]
    found += ledger.violations(written, calls, history, live, set(), exact=True)
    return Outcome(seed, 0, len(history), 0, time.monotonic() - begin, found)
