"""Undoing takes back what a rollout provably did; what is not proven is listed, not touched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.rollout.stage import Stage
from tests.rollout.test_plan import A, B, live, unlisted
from vcokit import errors, schema
from vcokit.live import live_routes
from vcokit.rollout.plan import Plan
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.steps import OPERATION, PLAN_COLUMNS
from vcokit.rollout.undo import undo_plan
from vcokit.simulator import Fault

NET = "10.0.0.0/8"
#: What is live once such a step has taken effect, and before.
EFFECTS = {
    "create": ([(A, NET, 100)], []),
    "delete": ([], [(A, NET, 100)]),
    "modify": ([(A, NET, 100)], [(A, NET, 0)]),
}


def journal(*rows: tuple) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return steps and calls; a row is (action, state, outcomes of its writes[, connection])."""
    steps, calls = [], []
    for number, (action, state, outcomes, *lane) in enumerate(rows):
        connection = lane[0] if lane else A
        steps.append(
            {
                "step": number,
                "action": action,
                "state": state,
                "scope": "s",
                "region_id": "r",
                "vpn_connection_id": connection,
                "route_dest": NET,
                "next_hop": connection,
                "weight": 100,
                "old_weight": 0 if action == "modify" else None,
                "row": 7,
                "source": "a.csv",
                "line": 9,
            }
        )
        operation = OPERATION.get(action, "")
        calls += [{"step": number, "operation": operation, "outcome": said} for said in outcomes]
    looks = [{"step": None, "operation": "DescribeVcoRouteEntries", "outcome": "ok"}]
    calls = looks + calls + looks
    return frame(schema.STEPS, steps), frame(
        schema.CALLS, [{"call": n, **call} for n, call in enumerate(calls)]
    )


def frame(names: dict, rows: list[dict]) -> pd.DataFrame:
    """Return rows as a frame of a schema."""
    given = {name for row in rows for name in row}
    return schema.frame(names, {name: [row.get(name) for row in rows] for name in given})


def did(plan: Plan) -> list[str]:
    """Return what the plan does."""
    return plan.frame()["action"].tolist()


def reason(plan: Plan) -> str:
    """Return what blocks the one step of a plan."""
    (message,) = plan.frame()["message"]
    return message


@pytest.mark.parametrize("state", ["done", "accepted", "settled"])
@pytest.mark.parametrize(
    ("action", "back"), [("create", "delete"), ("delete", "create"), ("modify", "modify")]
)
def test_what_is_ours_is_taken_back(action: str, back: str, state: str) -> None:
    """Answered with success and seen: the opposite is done, with the same route and scope."""
    plan = undo_plan(*journal((action, state, ["ok"])), live(*EFFECTS[action][0]))
    (step,) = plan.each()
    assert (step.action, step.route_dest, step.next_hop, step.scope) == (back, NET, A, "s")
    assert (step.weight, step.old_weight) == ((0, 100) if back == "modify" else (100, None))
    after = {step.after} - {None}
    assert {tuple(route) for route in after} == {
        (dest, lane, weight) for lane, dest, weight in EFFECTS[action][1]
    }
    row = plan.frame().iloc[0]
    assert (row["row"], row["source"], row["line"]) == (7, "a.csv", 9)
    assert ("description" in str(row["message"])) == (action == "delete")


@pytest.mark.parametrize("action", EFFECTS)
def test_a_lost_answer_is_followed_by_the_one_that_counts(action: str) -> None:
    """The last write decides: the same request again, answered, is ours; lost at last, is not."""
    there = live(*EFFECTS[action][0])
    plan = undo_plan(*journal((action, "done", ["unknown", "ok"])), there)
    assert did(plan) != ["blocked"]
    plan = undo_plan(*journal((action, "done", ["busy", "unknown"])), there)
    assert did(plan) == ["blocked"]
    assert "no answer" in reason(plan)


@pytest.mark.parametrize("action", EFFECTS)
@pytest.mark.parametrize(
    ("state", "outcomes", "word"),
    [
        ("done", ["unknown"], "no answer"),
        ("done", ["server"], "no answer"),
        ("done", [None], "no answer"),
        ("done", ["unknown", "state"], "already existed"),
        ("unknown", ["state"], "already existed"),
        ("sent", [None], "no answer"),
        ("failed", ["ok"], "no listing showed it"),
        ("failed", ["unknown"], "no answer"),
        ("skipped", ["unknown"], "no answer"),
    ],
)
def test_what_is_not_proven_is_listed(action: str, state: str, outcomes: list, word: str) -> None:
    """The effect is there, but no answer proves that it is ours: blocked, with the reason."""
    plan = undo_plan(*journal((action, state, outcomes)), live(*EFFECTS[action][0]))
    assert did(plan) == ["blocked"]
    assert "not proven ours" in reason(plan)
    assert word in reason(plan)
    assert list(plan.each()) == []


@pytest.mark.parametrize("action", EFFECTS)
@pytest.mark.parametrize(
    ("state", "outcomes"),
    [
        ("accepted", ["ok"]),
        ("settled", ["ok"]),
        ("unknown", ["unknown"]),
        ("sent", [None]),
        ("pending", ["unknown"]),
    ],
)
def test_what_may_still_come_is_listed(action: str, state: str, outcomes: list) -> None:
    """Nothing is to be seen yet, but a task or a request may be on its way: blocked."""
    plan = undo_plan(*journal((action, state, outcomes)), live(*EFFECTS[action][1]))
    assert did(plan) == ["blocked"]
    assert "may still take effect" in reason(plan)


@pytest.mark.parametrize("action", EFFECTS)
@pytest.mark.parametrize(
    ("state", "outcomes", "there"),
    [
        ("pending", [], 1),
        ("skipped", [], 0),
        ("skipped", [], 1),
        ("pending", ["busy"], 0),
        ("failed", ["quota"], 0),
        ("failed", ["quota"], 1),
        ("failed", ["ok"], 1),
        ("failed", ["unknown"], 1),
        ("skipped", ["throttled"], 1),
    ],
)
def test_what_had_no_effect_leaves_nothing(
    action: str, state: str, outcomes: list, there: int
) -> None:
    """Never sent, refused, or come to nothing: there is nothing to take back."""
    plan = undo_plan(*journal((action, state, outcomes)), live(*EFFECTS[action][there]))
    assert len(plan) == 0


def test_keep_and_blocked_leave_nothing() -> None:
    """What was kept or blocked was there, or was not, without this rollout."""
    steps, calls = journal(("keep", "done", []), ("blocked", "blocked", []))
    assert len(undo_plan(steps, calls, live((A, NET, 100)))) == 0


@pytest.mark.parametrize("action", EFFECTS)
def test_what_changed_since_is_listed(action: str) -> None:
    """Done and ours, but somebody has taken it back already: blocked."""
    plan = undo_plan(*journal((action, "done", ["ok"])), live(*EFFECTS[action][1]))
    assert did(plan) == ["blocked"]
    assert "changed since" in reason(plan)


@pytest.mark.parametrize("there", [(A, NET, 0), (A, NET, 100, B)])
def test_what_stands_in_the_way_is_left_alone(there: tuple) -> None:
    """A deleted route is not made again beside one that the cloud would not let it stand by."""
    plan = undo_plan(*journal(("delete", "done", ["ok"])), live(there))
    assert did(plan) == ["blocked"]
    assert "changed since" in reason(plan)


def test_an_unlisted_connection_is_left_alone() -> None:
    """What the cloud does not list is not taken for empty."""
    there = unlisted(live(), A, "InvalidVpnConnectionInstanceId.NotFound")
    plan = undo_plan(*journal(("delete", "done", ["ok"])), there)
    assert did(plan) == ["blocked"]
    assert "NotFound" in reason(plan)


def test_the_last_is_taken_back_first_and_in_order() -> None:
    """A move is taken back as a move: the old route comes before the new one goes."""
    steps, calls = journal(("create", "done", ["ok"], B), ("delete", "done", ["ok"], A))
    plan = undo_plan(steps, calls, live((B, NET, 100)))
    assert did(plan) == ["create", "delete"]
    assert (plan.order.first(0), plan.order.first(1)) == (set(), {0})
    assert plan.live["vpn_connection_id"].tolist() == [B]


def test_a_pair_on_one_place_goes_both_ways() -> None:
    """Where one route made way for another, taking the other away lets the first come back."""
    steps, calls = journal(("delete", "done", ["ok"]), ("create", "done", ["ok"]))
    steps["next_hop"] = ["old", "new"]
    plan = undo_plan(steps, calls, live((A, NET, 100, "new")))
    assert did(plan) == ["delete", "create"]
    assert (plan.order.first(0), plan.order.first(1)) == (set(), {0})


def test_an_empty_journal_gives_an_empty_plan() -> None:
    """Nothing done, nothing to take back; the columns are there."""
    plan = undo_plan(*journal(), live())
    assert list(plan.frame().columns) == list(PLAN_COLUMNS)
    assert len(plan) == 0


def routes_of(stage: Stage) -> set[tuple]:
    """Return what is live at a stage, descriptions aside."""
    found = live_routes(stage.client, stage.routes)
    names = ["vpn_connection_id", "route_dest", "next_hop", "weight"]
    return set(found[names].itertuples(index=False, name=None))


@pytest.mark.parametrize("lost", [0, 2])
def test_a_rollout_is_taken_back(tmp_path: Path, lost: int) -> None:
    """Over HTTP: after the undo the connections hold what they held, but for what is listed.

    A rollout that still runs is not taken back.
    """
    fault = Fault("drop_after", operation=OPERATION["create"], after=1, count=lost)
    faults = [fault] if lost else []
    with Stage(tmp_path, *faults, lanes=3, each=4) as stage:
        stage.client.create_vco_route_entry(
            region_id="cn-hangzhou", vpn_connection_id="vco-0", route_dest="9.0.0.0/8", weight=0
        )
        while not (before := routes_of(stage)):
            pass
        rollout = stage.rollout()
        with pytest.raises(errors.PlanError, match="still runs"):
            rollout.start().undo()
        assert rollout.wait().tally().states["done"] == 12
        undo = rollout.undo()
        Rollout(undo, stage.client, journal=tmp_path / "undo.db").start().wait().raise_on_error()
        listed = undo.frame().query("action == 'blocked'")
        names = ["vpn_connection_id", "route_dest", "next_hop", "weight"]
        assert routes_of(stage) - before == set(listed[names].itertuples(index=False, name=None))
        assert before <= routes_of(stage)


@pytest.mark.parametrize("state", ["sent", "unknown"])
@pytest.mark.parametrize("action", ["create", "delete", "modify"])
def test_answered_and_broken_off(action: str, state: str) -> None:
    """A write answered with success is taken back once it is seen, and is listed until then."""
    steps, calls = journal((action, state, ["ok"]))
    after, before = EFFECTS[action]
    assert undo_plan(steps, calls, live(*after)).counts["blocked"] == 0
    unseen = undo_plan(steps, calls, live(*before))
    assert unseen.counts["blocked"] == 1
    assert "may still take effect" in unseen.frame()["message"][0]
