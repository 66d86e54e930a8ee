"""What a plan says goes another way is what a simulated cloud forwards before and after it."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from vcokit.simulator import Route

NETWORKS = ["10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.128.0.0/9", "11.0.0.0/8"]
CONNECTIONS = ["vco-a", "vco-b", "vco-c"]


def routes_of(rows: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Return an inventory of weights by connection and network."""
    cells = [("cn-hangzhou", name, dest, name, weight) for (name, dest), weight in rows.items()]
    names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    return pd.DataFrame(cells, columns=names)


def drawn(rng: random.Random, size: int) -> dict[tuple[str, str], int]:
    """Return weights by connection and network."""
    return {
        (rng.choice(CONNECTIONS), rng.choice(NETWORKS)): rng.choice([0, 100]) for _ in range(size)
    }


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("prune", [False, True])
def test_what_the_cloud_then_forwards(seed: int, prune: bool, tmp_path: Path) -> None:
    """The foretold changes are those between the listings before and after the rollout."""
    rng = random.Random(seed)
    wanted, there = drawn(rng, 8), drawn(rng, 8)
    wanted |= {(name, "10.9.0.0/16"): 100 for name in CONNECTIONS}  # all connections take part
    routes = routes_of(wanted)
    held = [Route(name, dest, weight) for (name, dest), weight in there.items()]
    with (
        vk.Simulator.for_routes(routes, routes=held, speed=5_000.0) as cloud,
        vk.connect(cloud) as client,
    ):
        before = vk.live_routes(client, routes)
        plan = vk.plan_routes(routes, before, prune=prune, max_delete=100)
        vk.apply_plan(plan, client, journal=tmp_path / "rollout.db", allow_gap=True)
        after = vk.live_routes(client, routes)
    seen = vk.forwarding_changes(before, after)
    pd.testing.assert_frame_equal(plan.impact(), seen)
    pd.testing.assert_frame_equal(plan.impact(before), seen)


def test_other_connections_carry_on() -> None:
    """A route of a connection outside the plan counts where all live routes are given."""
    live = routes_of({("vco-a", "10.0.0.0/8"): 100, ("vco-z", "10.0.0.0/8"): 100})
    plan = vk.plan_routes(routes_of({("vco-a", "10.0.0.0/8"): 0}), live)
    assert plan.impact()["change"].tolist() == ["standby only"]
    found = plan.impact(live)
    assert found[["change", "before", "after"]].values.tolist() == [
        ["moved", "vco-a + vco-z", "vco-z"]
    ]


def test_scopes_of_the_plan() -> None:
    """Routes behind different transit routers do not meet where the plan was made so."""
    routes = routes_of({("vco-a", "10.0.0.0/8"): 100, ("vco-b", "10.0.0.0/8"): 0})
    routes["router"] = ["tr-1", "tr-2"]
    live = routes_of({("vco-b", "10.0.0.0/8"): 100})
    plan = vk.plan_routes(routes, live, scope=["region_id", "router"])
    found = plan.impact()
    assert found["change"].astype("str").tolist() == ["standby only", "gained"]
    assert found["scope"].nunique() == 2


def test_nothing_to_do_changes_nothing() -> None:
    """Kept and blocked rows change nothing."""
    routes = routes_of({("vco-a", "10.0.0.0/8"): 100, ("vco-a", "10.0.0.1"): 100})
    assert vk.plan_routes(routes, routes_of({("vco-a", "10.0.0.0/8"): 100})).impact().empty
