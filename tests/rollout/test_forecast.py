"""A forecast is of the cloud that is asked, and can be read at a glance."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd
import pytest

from vcokit import errors, schema
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.live import live_routes
from vcokit.rollout.forecast import forecast
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.simulator import Simulator

ROUTES = pd.DataFrame(
    {
        "region_id": "cn-hangzhou",
        "vpn_connection_id": "vco-a",
        "route_dest": [f"10.{i // 256}.{i % 256}.0/24" for i in range(400)],
        "next_hop": "vco-a",
        "weight": 100,
    }
)
SPEED = 600.0


@pytest.fixture
def plan() -> Plan:
    """Return a plan of four hundred creates."""
    return plan_routes(ROUTES, schema.frame(schema.LIVE_ROUTES))


@pytest.fixture
def client() -> Iterator[Client]:
    """Give a client that has called a fast cloud."""
    with Simulator.for_routes(ROUTES, speed=SPEED) as cloud, connect(cloud) as made:
        live_routes(made, ROUTES)
        yield made


def test_a_client_says_what_its_cloud_is_like(plan: Plan, client: Client) -> None:
    """Limits, speed and round trip are the client's where they are not given."""
    told = {"limits": client.limits, "speed": SPEED, "round_trip": client.round_trip}
    found = forecast(plan, client)
    assert found.seconds == forecast(plan, **told).seconds
    # Its own round trips are as long as this machine is busy.
    assert forecast(plan, client, round_trip=0.001).seconds < forecast(plan).seconds / 50
    # What is given goes before what the client says.
    slow = forecast(plan, client, round_trip=5.0)
    assert slow.seconds == forecast(plan, **{**told, "round_trip": 5.0}).seconds > found.seconds


def test_it_is_read_at_a_glance(plan: Plan) -> None:
    """However long the plan, a forecast is one line: how long, how many steps, which calls."""
    line = repr(forecast(plan))
    assert line.startswith("<Forecast 0:")
    assert "400 steps" in line
    assert 400 <= int(re.search(r"(\d+) send", line)[1]) <= 410  # some come too soon after a task
    assert len(line) < 120


def test_the_pause_after_a_task_counts(plan: Plan) -> None:
    """On one connection every step takes a round trip, its task, and the pause after it."""
    found = forecast(plan, task_seconds=3.0, round_trip=0.1)
    assert 400 * (3 + 1) < found.seconds < 400 * (3 + 1 + 0.4)


@pytest.mark.parametrize("wrong", [{"speed": 0.0}, {"waves": [0]}, {"rate_share": 2.0}])
def test_what_is_no_pace_is_refused(plan: Plan, wrong: dict) -> None:
    """A speed, a wave or a share that is none is one error that says what to write."""
    with pytest.raises(errors.InputError, match=next(iter(wrong))):
        forecast(plan, **wrong)


def test_a_setting_that_is_none_is_named(plan: Plan) -> None:
    """So is a time that tasks cannot take."""
    with pytest.raises(errors.ConfigError, match="task_seconds"):
        forecast(plan, task_seconds=-1.0)
