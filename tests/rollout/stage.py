"""What rollouts are tried on: a clean inventory, a running cloud for it, and a client."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from vcokit.cloud.connect import connect
from vcokit.live import live_routes
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.reconcile import verify_routes
from vcokit.rollout.rollout import Rollout
from vcokit.simulator import Fault, Simulator

SPEED = 600.0


def inventory(lanes: int = 6, each: int = 6) -> pd.DataFrame:
    """Return a clean inventory."""
    rows = [
        ("cn-hangzhou", f"vco-{lane}", f"10.{lane}.{n}.0/24", f"vco-{lane}", 100 * (n % 2))
        for lane in range(lanes)
        for n in range(each)
    ]
    names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    return pd.DataFrame(rows, columns=names)


class Stage:
    """A running cloud for an inventory, and a client of it."""

    def __init__(self, path: Path, *faults: Fault, speed: float = SPEED, **size: int) -> None:
        self.routes = inventory(**size)
        self.path = path
        self.cloud = Simulator.for_routes(self.routes, speed=speed, faults=faults)

    def __enter__(self) -> Stage:
        self.cloud.start()
        self.client = connect(self.cloud)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.cloud.stop()

    def rollout(self, **options: object) -> Rollout:
        """Return a rollout of a fresh plan."""
        plan = plan_routes(self.routes, live_routes(self.client, self.routes))
        return Rollout(plan, self.client, journal=self.path / "rollout.db", **options)

    def verdicts(self) -> dict[str, int]:
        """Return what verifying finds."""
        found = verify_routes(self.routes, live_routes(self.client, self.routes))["verdict"]
        return {name: count for name, count in found.value_counts().items() if count}

    def creations(self) -> Counter[tuple[str, str]]:
        """Return how often each route was created, by the simulator's own history."""
        calls = self.cloud.calls()
        made = calls[(calls["operation"] == "CreateVcoRouteEntry") & calls["changed"]]
        return Counter((p["VpnConnectionId"], p["RouteDest"]) for p in made["parameters"])
