"""A plan is shown by connection, as before → after, with what blocks it and how long it takes."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from PIL import Image

import vcokit as vk
from tests.rollout.stage import inventory
from vcokit import schema
from vcokit.errors import InputError
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.widgets import PlanView
from vcokit.widgets.plan import COLOURS, connections_of, reasons_of, static_html, summary_html
from vcokit.widgets.timeline import lanes_by_end, timeline_png

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def plan() -> Plan:
    """A plan of every action that there is: two connections, one row without any."""
    routes = inventory(2, 3).astype({"weight": object})
    routes["description"] = HOSTILE
    routes.loc[5, "vpn_connection_id"] = None
    routes.loc[4, "route_dest"] = HOSTILE
    live = schema.frame(
        schema.LIVE_ROUTES,
        {
            "region_id": ["cn-hangzhou"] * 2,
            "vpn_connection_id": ["vco-0"] * 2,
            "route_dest": ["10.0.0.0/24", "10.0.1.0/24"],
            "next_hop": ["vco-0"] * 2,
            "weight": [0, 0],
        },
    )
    return plan_routes(routes, live)


def words(html: str) -> str:
    """Return the text of HTML, tags taken out, blanks drawn together."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def test_steps_by_connection(plan: Plan) -> None:
    """A row a connection in the plan's order, with its steps by action; they add up."""
    lanes = connections_of(plan)
    assert lanes["vpn_connection_id"].tolist() == ["vco-0", "vco-1"]
    for action, count in plan.counts.items():
        # Of the blocked ones, one is of no connection.
        assert lanes[action].sum() == count - (action == "blocked")
    assert lanes.loc[0, ["create", "modify", "keep"]].tolist() == [1, 1, 1]


def test_before_and_after(plan: Plan) -> None:
    """A click on a connection shows its steps, each as what is there and what will be."""
    view = PlanView(plan)
    shown = words(view.steps.html.value)
    assert "modify 10.0.1.0/24 standby (0) → active (100)" in shown
    assert "create 10.0.2.0/24 none → standby (0)" in shown
    assert "keep 10.0.0.0/24 standby (0), unchanged" in shown
    view.connections.pick_buttons[1].click()
    assert "10.1.0.0/24" in words(view.steps.html.value)
    assert "10.0.1.0/24" not in words(view.steps.html.value)


def test_connections_are_counted_one_way(plan: Plan) -> None:
    """Head, table and copy count the same connections; rows without a valid one stand apart."""
    steps = plan.steps.copy()
    steps.loc[steps.index[4], "vpn_connection_id"] = "vpn-1"
    wrong = Plan(steps, plan.live)
    assert "4 steps on 2 connections, 2 rows without a valid one" in words(summary_html(wrong))
    assert connections_of(wrong)["vpn_connection_id"].tolist() == ["vco-0", "vco-1"]
    view = PlanView(wrong)
    assert "1 to 2 of 2" in view.connections.where.value
    assert view.blocked.rows.frame["step"].tolist() == [4, 5]
    many = plan_routes(inventory(70, 1), schema.frame(schema.LIVE_ROUTES))
    steps = many.steps.copy()
    steps.loc[0, "vpn_connection_id"] = None
    copy = words(static_html(Plan(steps, many.live)))
    assert "69 steps on 69 connections, 1 row without a valid one" in copy
    assert "the first 50 of 69" in copy


def test_connections_are_searched(plan: Plan) -> None:
    """A name finds its connection, and what is found first is shown."""
    view = PlanView(plan)
    view.search.value = "VCO-1"
    assert view.connections.rows.positions.tolist() == [1]
    assert "Steps of vco-1" in view._heading.value


def test_what_blocks_it(plan: Plan) -> None:
    """Reasons are counted by rule, and each blocked row says its own."""
    view = PlanView(plan)
    assert view.tabs.titles[1] == "Blocked (2)"
    reasons = reasons_of(plan)
    assert reasons["steps"].sum() == plan.counts["blocked"] == 2
    assert set(reasons["reason"]) == {"malformed-cidr", "missing-value"}
    assert "is not a.b.c.d/len" in words(view.blocked.html.value)


def test_how_long(plan: Plan) -> None:
    """The forecast is made when it is asked for, and told with its picture."""
    view = PlanView(plan)
    assert view._picture.layout.display == "none"
    view.ask.click()
    assert view.forecast is not None
    assert "in total" in view._total.value
    assert "about" in view._head.value
    assert bytes(view._picture.value).startswith(b"\x89PNG")
    given = PlanView(plan, forecast=view.forecast)
    assert given.ask.layout.display == "none"


def test_the_timeline_shows_those_that_end_last(tmp_path: object) -> None:
    """Lanes stand in the order of their ends, the last first; the picture is no empty one."""
    plan = plan_routes(inventory(40, 2), schema.frame(schema.LIVE_ROUTES))
    forecast = vk.forecast(plan)
    times = lanes_by_end(plan, forecast)
    ends = times.groupby("vpn_connection_id", sort=False)["settled"].max()
    assert ends.is_monotonic_decreasing
    assert len(times) == len(forecast.times) == 80
    path = tmp_path / "timeline.png"
    path.write_bytes(timeline_png(plan, forecast, top=5))
    with Image.open(path) as picture:
        assert picture.mode == "RGBA"
        assert picture.getextrema()[3] == (0, 255)


def test_pyplot_is_left_alone(plan: Plan) -> None:
    """No figure of pyplot's is made: a callback must not touch the current one."""
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    timeline_png(plan, vk.forecast(plan))
    assert pyplot.get_fignums() == before


def test_hostile_text_is_text(plan: Plan) -> None:
    """Markup in destinations and descriptions is shown, live and static."""
    view = PlanView(plan)
    bundle = view._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    for html in (view.steps.html.value, view.blocked.html.value, data["text/html"]):
        assert "<script" not in html
    assert "&lt;script&gt;" in view.steps.html.value
    assert "&lt;script&gt;" in view.blocked.html.value


def test_nothing_to_do() -> None:
    """An empty plan is shown as that."""
    empty = schema.frame(schema.ROUTES)
    view = PlanView(plan_routes(empty, schema.frame(schema.LIVE_ROUTES)))
    view.ask.click()
    assert view._picture.layout.display == "none"
    assert "Nothing is blocked" in view.tabs.children[1].children[0].value
    assert isinstance(connections_of(view.plan), pd.DataFrame)


def test_every_action_has_a_colour() -> None:
    """No action of the schema is left without one."""
    assert set(COLOURS) == set(schema.ACTIONS.categories)


def test_what_is_no_plan() -> None:
    """Routes are no plan: one error says how to make one."""
    for wrong in (inventory(2, 2), "plan.txt", None):
        with pytest.raises(InputError, match=r"vk\.plan_routes"):
            PlanView(wrong)
