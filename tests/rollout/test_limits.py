"""The limits are the client's: they hold over all rollouts and undoings that it carries out."""

from __future__ import annotations

from pathlib import Path

from tests.rollout.stage import Stage
from vcokit.live import live_routes
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.rollout import Rollout, apply_plan


def throttled(stage: Stage) -> int:
    """Return how many calls the cloud refused as too many, by its own history."""
    return int(stage.cloud.calls()["code"].fillna("").str.startswith("Throttling").sum())


def test_one_after_the_other_and_back(tmp_path: Path) -> None:
    """A rollout, a second one right behind it, and its undoing: no call is one too many."""
    with Stage(tmp_path, speed=60.0, lanes=40, each=2) as stage:
        parts = [stage.routes.iloc[::2], stage.routes.iloc[1::2]]
        for number, part in enumerate(parts):
            plan = plan_routes(part, live_routes(stage.client, part))
            done = apply_plan(plan, stage.client, journal=tmp_path / f"{number}.db")
        back = apply_plan(done.undo(), stage.client, journal=tmp_path / "back.db")
        assert back.tally().states["done"] == 40
        assert throttled(stage) == 0


def test_side_by_side(tmp_path: Path) -> None:
    """Two rollouts of one client at the same time share its limits: no call is one too many."""
    with Stage(tmp_path, speed=60.0, lanes=70, each=2) as stage:
        half = stage.routes["vpn_connection_id"].isin([f"vco-{n}" for n in range(35)])
        rollouts = []
        for number, part in enumerate([stage.routes[half], stage.routes[~half]]):
            plan = plan_routes(part, live_routes(stage.client, part))
            rollouts.append(Rollout(plan, stage.client, journal=tmp_path / f"{number}.db"))
        for rollout in rollouts:
            rollout.start()
        for rollout in rollouts:
            assert rollout.wait().tally().states["done"] == 70
        assert throttled(stage) == 0
