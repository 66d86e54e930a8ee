"""A plan does what makes inventory and cloud agree, and blocks what nobody can decide."""

from __future__ import annotations

import hashlib
import json
import random

import pandas as pd
import pytest

from tests.inventories import draw
from vcokit import schema
from vcokit.errors import InputError
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.reconcile import verify_routes
from vcokit.rollout.steps import Route

A, B = "vco-a", "vco-b"
NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def routes(*rows: tuple) -> pd.DataFrame:
    """Return an inventory; a row is (connection, destination, weight[, next hop])."""
    full = [("r", row[0], row[1], row[3] if len(row) > 3 else row[0], row[2]) for row in rows]
    return pd.DataFrame(full, columns=NAMES)


def live(*rows: tuple) -> pd.DataFrame:
    """Return live routes, written in the same way."""
    return schema.frame(schema.LIVE_ROUTES, routes(*rows).to_dict("series"))


def unlisted(there: pd.DataFrame, connection: str, reason: str) -> pd.DataFrame:
    """Return live routes with a connection that the cloud did not list."""
    row = {"vpn_connection_id": [connection], "state": [reason], "route_entry_type": ["unlisted"]}
    both = pd.concat([there, schema.frame(schema.LIVE_ROUTES, row)], ignore_index=True)
    return both.astype(schema.LIVE_ROUTES)


def actions(plan: Plan) -> list[str]:
    """Return what is done about each row."""
    return plan.frame()["action"].tolist()


def test_each_action() -> None:
    """Not live is created, other weight is modified in place, the same is kept."""
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 100), (A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 0)),
        live((A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 100), (A, "172.16.0.0/12", 100)),
    )
    assert actions(plan) == ["create", "keep", "modify"]
    assert str(plan) == "1 create, 1 modify, 0 delete, 1 keep, 0 blocked"
    assert plan.frame()["old_weight"].tolist() == [pd.NA, pd.NA, 100]


def test_a_row_with_an_error_is_blocked_with_its_reason() -> None:
    """A bad row is blocked and says why; a finding that is only a warning blocks nothing."""
    plan = plan_routes(routes((A, "10.0.0.1/8", 100), (A, "127.0.0.0/8", 100)), live())
    assert actions(plan) == ["blocked", "create"]
    assert "host bits" in plan.frame()["message"].iloc[0]


def test_of_equal_rows_the_first_stands() -> None:
    """Repeats are blocked; the first one that can stand does."""
    plan = plan_routes(
        routes((A, "10.0.0.9/8", 0), (A, "10.0.0.0/8", 0), (A, "10.0.0.0/8", 0)), live()
    )
    assert actions(plan) == ["blocked", "create", "blocked"]
    assert "duplicate" in plan.frame()["message"].iloc[2]


def test_rows_that_disagree_are_all_blocked() -> None:
    """Neither weight wins by its position, even if one of the rows is bad for itself."""
    for first, second in (("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.0/8", "10.0.0.1/8")):
        plan = plan_routes(routes((A, first, 0), (A, second, 100), (B, first, 100)), live())
        assert actions(plan) == ["blocked", "blocked", "create"]
        assert plan.frame()["message"].notna().tolist() == [True, True, False]


def test_another_next_hop_cannot_be_changed_in_place() -> None:
    """A route that is live by another next hop is blocked, not created beside it."""
    plan = plan_routes(routes((A, "10.0.0.0/8", 100)), live((A, "10.0.0.0/8", 100, "vco-z")))
    assert actions(plan) == ["blocked"]
    assert "next hop" in plan.frame()["message"].iloc[0]
    both = live((A, "10.0.0.0/8", 100, "vco-z"), (A, "10.0.0.0/8", 0))
    assert actions(plan_routes(routes((A, "10.0.0.0/8", 100)), both)) == ["modify"]


def test_a_connection_that_cannot_be_listed_is_blocked() -> None:
    """Rows on a connection that the cloud did not list are blocked with the cloud's code."""
    there = unlisted(live(), A, "InvalidVpnConnectionInstanceId.NotFound")
    plan = plan_routes(routes((A, "10.0.0.0/8", 100), (B, "10.0.0.0/8", 0)), there)
    assert actions(plan) == ["blocked", "create"]
    assert "NotFound" in plan.frame()["message"].iloc[0]


def test_quota_blocks_what_would_not_fit() -> None:
    """With quota= the rows past it are blocked; live routes count."""
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 0), (A, "11.0.0.0/8", 0)), live((A, "9.0.0.0/8", 0)), quota=2
    )
    assert actions(plan) == ["create", "blocked"]


def test_bgp_routes_are_no_destination_routes() -> None:
    """A route that was learnt by BGP is neither kept nor changed."""
    there = live((A, "10.0.0.0/8", 100)).assign(route_entry_type="bgp")
    assert actions(plan_routes(routes((A, "10.0.0.0/8", 100)), there)) == ["create"]


def test_fingerprint_follows_plan_and_live_routes() -> None:
    """The fingerprint changes with what is to be done and with what is live, not with order."""
    wanted = routes((A, "10.0.0.0/8", 100))
    there = [(A, "9.0.0.0/8", 0), (A, "8.0.0.0/8", 0)]
    first = plan_routes(wanted, live(*there)).fingerprint
    assert plan_routes(wanted, live(*there[::-1])).fingerprint == first
    others = [
        plan_routes(wanted, live(there[0])),
        plan_routes(wanted, live(*there), quota=50),
        *(
            plan_routes(wanted.assign(**{name: [value]}), live(*there))
            for name, value in (("weight", 0), ("description", "x"), ("region_id", "s"))
        ),
    ]
    assert len({first, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_a_fingerprint_is_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same for any dtypes, index and columns, and any way pandas has of writing CSV."""
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 100), (A, "10.1.0.0/16", 0), (B, "x", 0)),
        live((A, "10.1.0.0/16", 100), (A, "9.0.0.0/8", 0)),
    )
    digested = [
        ["create", "r", "r", A, "10.0.0.0/8", A, None, 100, None],
        ["modify", "r", "r", A, "10.1.0.0/16", A, 100, 0, None],
        ["blocked", "r", "r", B, "x", B, None, 0, None],
        ["r", A, "10.1.0.0/16", A, 100],
        ["r", A, "9.0.0.0/8", A, 0],
        {},
    ]
    text = "".join(json.dumps(values) + "\n" for values in digested)
    assert plan.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setattr(pd.DataFrame, "to_csv", None)
    others = [
        lambda frame: frame.astype("object"),
        lambda frame: frame.astype({"weight": "float64", "route_dest": "category"}),
        lambda frame: frame.set_index(frame.index + 7)[sorted(frame)],
    ]
    for other in others:
        assert Plan(other(plan.steps), other(plan.live)).fingerprint == plan.fingerprint


def test_a_plan_cannot_be_changed_through_its_frame() -> None:
    """What `frame` hands out is a copy."""
    plan = plan_routes(routes((A, "10.0.0.0/8", 100)), live())
    handed_out = plan.frame()
    handed_out.loc[0, "weight"] = 0
    assert plan.frame()["weight"].tolist() == [100]


def test_lanes_know_what_was_live() -> None:
    """The plan keeps the live routes of its connections, those that no row names too."""
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 100)), live((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0))
    )
    assert plan.live_by_connection() == {A: frozenset({Route("9.0.0.0/8", A, 0)})}


def test_empty_and_wrong_frames() -> None:
    """An empty inventory gives an empty plan; a frame of something else is refused by name."""
    assert len(plan_routes(routes(), live())) == 0
    with pytest.raises(InputError, match="route_dest"):
        plan_routes(routes().drop(columns="route_dest"), live())
    with pytest.raises(InputError, match="live routes"):
        plan_routes(routes(), pd.DataFrame())


def expected(row: object, there: set[tuple]) -> tuple[str, int | None]:
    """Return action and old weight of a row that stands, by looking through all live routes."""
    here = [route for route in there if route[:2] == (row.vpn_connection_id, row.route_dest)]
    if (row.vpn_connection_id, row.route_dest, row.next_hop, row.weight) in here:
        return "keep", None
    weights = [weight for *_, hop, weight in here if hop == row.next_hop]
    if weights:
        return "modify", weights[0]
    return ("blocked" if here else "create"), None


@pytest.mark.parametrize("seed", range(20))
def test_rows_meet_live_routes(seed: int) -> None:
    """On random dirt, each row that stands gets what a look through all live routes says."""
    drawn = draw(random.Random(seed), 60, dirt=0.3)
    found = [tuple(route[name] for name in NAMES) for route in drawn.live_rows()]
    # One weight a path: which of two a modify starts from nobody says, as the cloud allows one.
    rows = list({route[1:4]: route for route in found}.values())
    rows += [("cn-a", "vco-a", "10.0.0.1/8", "vco-a", 100), ("cn-z", "vco-new", "::/0", "x", 0)]
    there = schema.frame(schema.LIVE_ROUTES, pd.DataFrame(rows, columns=NAMES).to_dict("series"))
    plan = plan_routes(drawn.routes(), there)
    lives = {tuple(row[1:]) for row in rows}
    steps = plan.frame()
    for row in steps[
        steps["message"].isna() | steps["message"].str.startswith("live with")
    ].itertuples():
        old = None if pd.isna(row.old_weight) else row.old_weight
        assert (row.action, old) == expected(row, lives)


@pytest.mark.parametrize("seed", range(15))
def test_carrying_out_converges(seed: int) -> None:
    """On random dirt: when the steps are done, verify finds all as planned and a new plan keeps."""
    drawn = draw(random.Random(seed), 40, dirt=0.3)
    wanted, given = drawn.routes(), pd.DataFrame(drawn.live_rows(), columns=NAMES)
    there = schema.frame(schema.LIVE_ROUTES, given.to_dict("series"))
    plan = plan_routes(wanted, there)
    after = {(s.vpn_connection_id, r) for s in plan.each() for r in [s.after] if r}
    gone = {(s.vpn_connection_id, s.before) for s in plan.each() if s.action == "modify"}
    kept = {
        (row.vpn_connection_id, Route(row.route_dest, row.next_hop, int(row.weight)))
        for row in there.drop_duplicates().itertuples()
    } - gone
    rows = [("cn-a", lane, *route) for lane, route in sorted(after | kept)]
    then = schema.frame(schema.LIVE_ROUTES, pd.DataFrame(rows, columns=NAMES).to_dict("series"))
    again = plan_routes(wanted, then)
    assert again.counts["create"] == again.counts["modify"] == 0
    stands = plan.frame()["action"] != "blocked"
    verdicts = verify_routes(wanted, then).set_index("row")["verdict"]
    assert (verdicts.loc[plan.frame()["row"][stands]] == "as planned").all()


@pytest.mark.parametrize("weight", [50, 1000])
def test_a_live_weight_that_no_call_can_name(weight: int) -> None:
    """A live route of any other weight than 0 and 100 is blocked with the reason, not sent."""
    there = live((A, "10.0.0.0/24", weight), (A, "10.9.0.0/24", weight))
    plan = plan_routes(routes((A, "10.0.0.0/24", 100), (B, "10.1.0.0/24", 100)), there, prune=True)
    assert actions(plan) == ["blocked", "create", "blocked"]
    assert plan.frame()["message"].fillna("").str.contains("no call accepts").sum() == 2
