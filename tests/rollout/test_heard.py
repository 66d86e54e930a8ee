"""What came of a call: fields that the cloud leaves out, and rows that are not of the contract."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vcokit.rollout.engine import decoded
from vcokit.rollout.messages import List, Listed, Poll, PollAll, Polled, PolledAll
from vcokit.rollout.steps import UNKNOWN_WEIGHT, Route

ROW = {"RouteDest": "10.0.0.0/8", "NextHop": "vco-a", "Weight": 100}


def page(*rows: dict) -> SimpleNamespace:
    """Return a page of rows."""
    return SimpleNamespace(rows=list(rows), total=len(rows))


@pytest.mark.parametrize("kind", [{}, {"RouteEntryType": None}, {"RouteEntryType": ""}])
def test_a_route_without_a_type_is_a_destination_route(kind: dict) -> None:
    """As in `live_routes`: the type that is left out is custom."""
    came = decoded(List("vco-a", 1), page({**ROW, **kind}), None)
    assert came == Listed("vco-a", 1, (Route("10.0.0.0/8", "vco-a", 100),), 1, rows=1)


def test_routes_of_other_types_are_counted_and_left_out() -> None:
    """A route that came by BGP fills its place on the page."""
    came = decoded(List("vco-a", 1), page({**ROW, "RouteEntryType": "bgp"}), None)
    assert came == Listed("vco-a", 1, (), 1, rows=1)


def test_a_route_without_a_weight_is_one_of_an_unknown_weight() -> None:
    """The vendor's page calls the field "not in use": it may be left out."""
    rows = ({**ROW, "Weight": None}, {k: v for k, v in ROW.items() if k != "Weight"})
    route = Route("10.0.0.0/8", "vco-a", UNKNOWN_WEIGHT)
    assert decoded(List("vco-a", 1), page(*rows), None).routes == (route, route)


@pytest.mark.parametrize("row", [{}, {**ROW, "NextHop": None, "Weight": "much"}])
def test_a_route_that_cannot_be_read_is_no_answer(row: dict) -> None:
    """It is asked for again; nothing is decided by half a page."""
    assert decoded(List("vco-a", 1), page(row), None) == Listed("vco-a", 1, None, kind="unknown")


@pytest.mark.parametrize("state", [None, "", 7])
def test_a_connection_without_a_state_is_on_no_page(state: object) -> None:
    """The others of its page count; it is asked for by itself, and no answer there is none."""
    rows = {"VpnConnectionId": "vco-a", "State": state}, {"VpnConnectionId": "vco-b", "State": "x"}
    came = decoded(PollAll("r", 1), page(*rows), None)
    assert came == PolledAll("r", 1, {"vco-b": "x"}, 2)
    assert decoded(PollAll("r", 1), page({"State": "x"}), None).states is None
    assert decoded(Poll("vco-a"), rows[0], None) == Polled("vco-a", None, kind="unknown")
