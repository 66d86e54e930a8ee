"""What is live is read whole, and compared with what was asked for, route by route."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.rollout.test_plan import A, B, live, routes
from vcokit import errors, schema
from vcokit.cloud.connect import connect
from vcokit.live import connections_of, live_connections, live_routes, verify_routes
from vcokit.simulator import Connection, Fault, Route, Simulator


def test_every_connection_of_an_inventory_is_listed() -> None:
    """Live routes of all connections come in the inventory's order, those no row names too."""
    names = [f"vco-{n}" for n in range(12)]
    there = [Route(name, f"10.{n}.{m}.0/24") for n, name in enumerate(names) for m in range(60)]
    cloud = Simulator([Connection(n, "r") for n in names], there, quota=100)
    with cloud, connect(cloud) as client:
        found = live_routes(client, routes(*((name, "9.0.0.0/8", 0) for name in names[::-1])))
    assert list(found.columns) == list(schema.LIVE_ROUTES)
    assert found["vpn_connection_id"].unique().tolist() == names[::-1]
    assert len(found) == 12 * 60
    assert found.attrs["unlisted"] == {}


def test_connections_that_cannot_be_listed_are_named() -> None:
    """A connection that is not there, or not attached, is reported with the cloud's code."""
    cloud = Simulator([Connection(A, "r"), Connection(B, "r", attach_type="NO_ASSOCIATED")])
    with cloud, connect(cloud) as client:
        wanted = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0), ("vco-gone", "9.0.0.0/8", 0))
        found = live_routes(client, wanted)
    assert len(found) == 0
    assert found.attrs["unlisted"] == {
        "vco-b": "Vco.StatusNotSupport",
        "vco-gone": "InvalidVpnConnectionInstanceId.NotFound",
    }


def test_other_refusals_are_raised() -> None:
    """What is wrong with the caller, not with a connection, is raised."""
    cloud = Simulator([Connection(A, "r")])
    wrong = {"access_key_id": "nobody", "access_key_secret": "x"}
    with cloud, connect(cloud, **wrong) as client, pytest.raises(errors.AuthError):
        live_routes(client, routes((A, "9.0.0.0/8", 0)))


def test_only_what_is_a_connection_is_asked_for() -> None:
    """Bad ids and empty cells are passed over; a connection is looked for in its first region."""
    frame = pd.DataFrame(
        {
            "region_id": ["r", None, "q", "r", "s"],
            "vpn_connection_id": ["bad", A, A, A, None],
        }
    )
    assert connections_of(frame) == [("q", A)]


def test_live_connections() -> None:
    """Connections of every region that the inventory names come as one frame."""
    cloud = Simulator([Connection(A, "r"), Connection(B, "q"), Connection("vco-c", "elsewhere")])
    with cloud, connect(cloud) as client:
        found = live_connections(client, pd.DataFrame({"region_id": ["r", "q", None, "empty"]}))
    assert dict(zip(found["vpn_connection_id"], found["region_id"], strict=True)) == {
        A: "r",
        B: "q",
    }


def test_a_listing_that_breaks_off_is_read_again() -> None:
    """A page that comes cut off does not lose routes."""
    there = [Route(A, f"10.0.{n}.0/24") for n in range(120)]
    fault = Fault("truncate", after=1, count=1)
    cloud = Simulator([Connection(A, "r")], there, quota=200, faults=[fault])
    with cloud, connect(cloud) as client:
        client._sleep = lambda _: None
        assert len(live_routes(client, routes((A, "9.0.0.0/8", 0)))) == 120


def verdicts(wanted: pd.DataFrame, there: pd.DataFrame) -> list[tuple]:
    """Return verdict, destination, and what is live, of each difference."""
    found = verify_routes(wanted, there)
    assert list(found.columns) == list(schema.DIFFERENCES)
    names = ["verdict", "route_dest", "live_weight"]
    return [tuple(None if pd.isna(v) else v for v in row) for row in found[names].to_numpy()]


def test_every_verdict() -> None:
    """As planned, missing, different, and what nobody asked for."""
    wanted = routes((A, "10.0.0.0/8", 0), (A, "11.0.0.0/8", 0), (A, "12.0.0.0/8", 0))
    there = live(
        (A, "10.0.0.0/8", 0), (A, "12.0.0.0/8", 100), (A, "13.0.0.0/8", 100), (B, "14.0.0.0/8", 0)
    )
    assert verdicts(wanted, there) == [
        ("as planned", "10.0.0.0/8", 0),
        ("missing", "11.0.0.0/8", None),
        ("different", "12.0.0.0/8", 100),
        ("unexpected", "13.0.0.0/8", 100),
    ]


def test_blocked_rows_are_neither_missing_nor_unexpected() -> None:
    """What a plan would block is not asked for; what is live of it is not unexpected either."""
    wanted = routes((A, "10.0.0.1/8", 0), (A, "11.0.0.0/8", 0), (A, "11.0.0.0/8", 100))
    assert verdicts(wanted, live((A, "10.0.0.0/8", 100), (A, "11.0.0.0/8", 0))) == []


def test_live_twice_with_either_weight() -> None:
    """A destination that is live with both weights is as planned if one agrees."""
    there = live((A, "10.0.0.0/8", 100), (A, "10.0.0.0/8", 0))
    assert verdicts(routes((A, "10.0.0.0/8", 0)), there) == [("as planned", "10.0.0.0/8", 0)]


def test_nothing_to_compare() -> None:
    """Empty frames give an empty frame with its columns."""
    assert verdicts(routes(), live()) == []
