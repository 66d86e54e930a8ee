"""Where listings leave weights out, or always say 100, what can be known is still right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from vcokit.errors import ConfigError
from vcokit.rollout.reconcile import Holdings, differences
from vcokit.rollout.steps import UNKNOWN_WEIGHT, Step
from vcokit.rollout.steps import Route as LiveRoute
from vcokit.simulator import Fault, Route, Switches

NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
ROWS = [
    ("vco-a", "10.0.0.0/8", 100),
    ("vco-a", "11.0.0.0/8", 0),
    ("vco-b", "10.0.0.0/8", 0),
    ("vco-b", "12.0.0.0/8", 100),
]
ROUTES = pd.DataFrame([("cn-hangzhou", c, d, c, w) for c, d, w in ROWS], columns=NAMES)


@pytest.fixture(params=["missing", "constant"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[vk.Client]:
    """Return a client of a cloud that holds the first two routes, and tells no weights.

    Of two answers to a changed weight the first is lost.
    """
    if request.param == "constant":  # which nobody can tell from routes that are all active
        monkeypatch.setenv("VCOKIT_LISTING_WEIGHT", "unknown")
    with (
        vk.Simulator.for_routes(
            ROUTES,
            routes=[Route(*row) for row in ROWS[:2]],
            speed=2_000.0,
            switches=Switches(listing_weight=request.param),
            faults=[Fault("drop_after", "ModifyVcoRouteEntryWeight", count=1)],
        ) as cloud,
        vk.connect(cloud) as found,
    ):
        yield found


def test_what_is_there_is_kept(client: vk.Client, tmp_path: Path) -> None:
    """No weight is changed for ever: what is there is kept, and the plan and the check say so."""
    live = vk.live_routes(client, ROUTES)
    assert live["weight"].isna().all()
    plan = vk.plan_routes(ROUTES, live)
    assert str(plan) == "2 create, 0 modify, 0 delete, 2 keep, 0 blocked"
    kept = plan.frame().query("action == 'keep'")
    assert set(kept["message"]) == {"the listing does not report the live weight"}
    rollout = vk.apply_plan(plan, client, journal=tmp_path / "rollout.db")
    assert set(rollout.frame()["state"]) == {"done"}
    assert rollout.differences().empty
    live = vk.live_routes(client, ROUTES)
    check = vk.verify_routes(ROUTES, live)
    assert set(check["verdict"]) == {"weight unknown"}
    assert check["live_weight"].isna().all()
    assert vk.plan_routes(ROUTES, live).counts["keep"] == len(ROUTES)
    findings = vk.audit_routes(ROUTES, live=live)
    assert "live-conflict" not in set(findings["rule"])
    undo = vk.apply_plan(rollout.undo(), client, journal=tmp_path / "undo.db")
    assert set(undo.frame()["state"]) == {"done"}
    assert len(vk.live_routes(client, ROUTES)) == 2


def test_a_changed_weight_is_taken_by_its_answer(client: vk.Client, tmp_path: Path) -> None:
    """It is done once it was accepted and has settled; a lost answer is asked for again."""
    told = ROUTES.head(2)  # as a listing that tells weights would have it
    swapped = told.assign(weight=100 - told["weight"])
    plan = vk.plan_routes(swapped, told)
    assert plan.counts["modify"] == 2
    rollout = vk.apply_plan(plan, client, journal=tmp_path / "rollout.db", allow_gap=True)
    steps = rollout.frame()
    assert set(steps["state"]) == {"done"}
    assert set(steps["message"]) == {"accepted; the listing does not report weights"}
    calls = rollout.calls()
    assert calls["operation"].eq("ModifyVcoRouteEntryWeight").sum() == 3  # one of two again
    assert rollout.differences().empty
    undo = vk.apply_plan(rollout.undo(), client, journal=tmp_path / "undo.db", allow_gap=True)
    assert set(undo.frame()["state"]) == {"done"}


def test_nothing_is_deleted_whose_weight_is_not_told(client: vk.Client) -> None:
    """A call that deletes names the weight too: such a delete is blocked, with the reason."""
    live = vk.live_routes(client, ROUTES)
    plan = vk.plan_routes(ROUTES[1:], live, prune=True)
    assert plan.counts["delete"] == 0
    blocked = plan.frame().query("action == 'blocked'")["message"]
    assert blocked.str.contains("the listing does not report its weight").tolist() == [True]
    more = ROUTES.head(1).assign(route_dest="13.0.0.0/8")
    assert " 10.0.0.0/8    ?  vco-a\n" in vk.plan_routes(more, live).diff()


def test_a_listing_without_weights_is_not_stale() -> None:
    """Routes that are expected with a weight are met by those without; others are named."""
    start = frozenset({LiveRoute("10.0.0.0/8", "h", 100), LiveRoute("11.0.0.0/8", "h", 0)})
    unknown = frozenset(route._replace(weight=UNKNOWN_WEIGHT) for route in start)
    steps = ((Step(0, "create", "r", "vco-a", "12.0.0.0/8", "h", 100), "pending"),)
    assert differences(Holdings("r", "vco-a", start, steps, unknown)) == []
    assert differences(Holdings("r", "vco-a", unknown, steps, unknown)) == []
    (gone,) = differences(Holdings("r", "vco-a", start, steps, frozenset(list(unknown)[:1])))
    assert gone.endswith("is gone")
    more = unknown | {LiveRoute("13.0.0.0/8", "h", UNKNOWN_WEIGHT)}
    (new,) = differences(Holdings("r", "vco-a", start, steps, more))
    assert new.startswith("vco-a: 13.0.0.0/8")


def test_the_setting_has_two_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another text is one error that names them."""
    monkeypatch.setenv("VCOKIT_LISTING_WEIGHT", "never")
    with pytest.raises(ConfigError, match="'never' is not shown or unknown"):
        vk.connect(region="cn-hangzhou", access_key_id="a", access_key_secret="b")
