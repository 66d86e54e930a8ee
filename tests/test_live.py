"""What is live is read whole, and compared with what was asked for, route by route."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.cloud.stub import Stub, reply
from tests.rollout.test_plan import A, B, live, routes
from vcokit import errors, schema
from vcokit.audit import audit_routes
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.live import connections_of, live_connections, live_routes, verify_routes
from vcokit.rollout.plan import plan_routes
from vcokit.simulator import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    Connection,
    Fault,
    Route,
    Simulator,
)


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
    assert schema.unlisted_connections(found) == {}


def test_connections_that_cannot_be_listed_are_named() -> None:
    """A connection that is not there, or not attached, is reported with the cloud's code."""
    cloud = Simulator([Connection(A, "r"), Connection(B, "r", attach_type="NO_ASSOCIATED")])
    with cloud, connect(cloud) as client:
        wanted = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0), ("vco-gone", "9.0.0.0/8", 0))
        found = live_routes(client, wanted)
    assert len(schema.destination_routes(found)) == 0
    assert schema.unlisted_connections(found) == {
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


def test_a_region_that_is_none_stops_nothing() -> None:
    """A dirty region cell costs its own connection, which a plan then leaves alone, no other."""
    frame = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0), (B, "8.0.0.0/8", 0))
    frame["region_id"] = ["r", "r (test)", "r"]
    assert connections_of(frame) == [("r", A)]
    cloud = Simulator([Connection(A, "r"), Connection(B, "r")], [Route(A, "10.0.0.0/8")])
    with cloud, connect(cloud) as client:
        found = live_routes(client, frame)
        with pytest.raises(errors.InputError, match="is no region id"):
            Client(replace(client.target, endpoint="")).describe_vco_route_entries(
                region_id="r (test)", vpn_connection_id=B
            )
    assert found["vpn_connection_id"].tolist() == [A, B]
    assert schema.unlisted_connections(found) == {B: "'r (test)' is no region id"}
    plan = plan_routes(frame, found)
    assert plan.steps["action"].tolist() == ["create", "blocked", "blocked"]
    assert "'r (test)' is no region id" in plan.steps["message"].iloc[1]


def test_wrong_arguments_name_the_right_call() -> None:
    """What is no client, or no frame, is one error of ours that says what to write."""
    client = connect("r", access_key_id="LTAIexample", access_key_secret="any-secret")
    frame = routes((A, "9.0.0.0/8", 0))
    calls = {
        r"live_routes\(client, routes\)": [(frame, client), (None, frame), ("r", frame)],
        r"live_connections\(client, regions\)": [("r",), (frame,), (frame, client)],
    }
    for call, given in calls.items():
        door = live_routes if "routes" in call else live_connections
        for arguments in [*given, (client.to_async(), frame)]:
            with pytest.raises(errors.InputError, match=call):
                door(*arguments)
    for regions in (5, [None], ["r", 5], client, [""]):
        with pytest.raises(errors.InputError, match="region"):
            live_connections(client, regions)


def test_live_connections() -> None:
    """Connections of every region that the inventory names come as one frame, in its order."""
    cloud = Simulator(
        [
            Connection(A, "r", name="one"),
            Connection(B, "q"),
            Connection("vco-c", "elsewhere"),
            Connection("vco-d", "r", attach_type="NO_ASSOCIATED"),
        ]
    )
    wanted = pd.DataFrame({"region_id": ["r", "q", None, "empty", "No Region!", "r"]})
    with cloud, connect(cloud) as client:
        found = live_connections(client, wanted)
        assert len(cloud.calls()) == 6
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict(
        schema.LIVE_CONNECTIONS
    )
    assert found["vpn_connection_id"].tolist() == [A, "vco-d", B]
    assert found["region_id"].tolist() == ["r", "r", "q"]
    assert found["attached"].tolist() == [True, False, True]
    assert found["state"].tolist() == ["attached", "init", "attached"]
    assert found["status"].tolist() == ["ipsec_sa_established"] * 3
    assert found["name"].isna().tolist() == [False, True, True]
    assert found.attrs["regions"] == ["r", "q", "empty"]


def test_regions_by_name_and_none() -> None:
    """Regions may be named, or be the client's; without any there is nothing to ask."""
    cloud = Simulator([Connection(A, "r"), Connection(B, "q")])
    with cloud:
        with connect(cloud, region="q") as client:
            assert live_connections(client)["vpn_connection_id"].tolist() == [B]
            assert live_connections(client, "r")["vpn_connection_id"].tolist() == [A]
            both = live_connections(client, ["q", "r", "q"])
            assert both["vpn_connection_id"].tolist() == [B, A]
            nothing = live_connections(client, pd.DataFrame({"region_id": [None]}, dtype="str"))
            assert list(nothing.columns) == list(schema.LIVE_CONNECTIONS)
            assert len(nothing) == 0
        with connect(cloud) as client, pytest.raises(errors.InputError, match="no region"):
            live_connections(client)


def test_zones_when_asked_for() -> None:
    """The zone of a single-tunnel connection is asked for one by one, and only on request."""
    cloud = Simulator([Connection(A, "r", zone="r-a"), Connection(B, "r", zone="r-b")])
    with cloud, connect(cloud) as client:
        assert live_connections(client, "r")["zone"].isna().all()
        assert live_connections(client, "r", details=True)["zone"].tolist() == ["r-a", "r-b"]


def test_connections_that_only_a_list_knows() -> None:
    """What the attachments know beyond the connections is there, and fills what those leave out."""
    known = {"VpnConnectionId": A, "State": "attached", "Status": "ipsec_sa_established"}
    attached = [
        {
            "InstanceId": A,
            "TransitRouterId": "tr-1",
            "TransitRouterName": "hub",
            "AttachType": "CEN",
            "CrossAccountAuthorized": True,
        },
        {"InstanceId": B, "Name": "other account's"},
    ]
    pages = [
        {"RequestId": "r", "TotalCount": 1, "VpnConnections": {"VpnConnection": [known]}},
        {"RequestId": "r", "TotalCount": 2, "VpnAttachments": attached},
    ]
    with Stub([reply(page) for page in pages]) as stub, stub.client() as client:
        found = live_connections(client, "cn-hangzhou")
    assert found["vpn_connection_id"].tolist() == [A, B]
    assert found["attached"].tolist() == [True, True]
    assert found["region_id"].tolist() == ["cn-hangzhou"] * 2
    row = found.iloc[0]
    assert (row["transit_router_id"], row["transit_router_name"]) == ("tr-1", "hub")
    assert (row["attach_type"], row["cross_account"]) == ("CEN", True)
    assert pd.isna(found.iloc[1]["state"])


def test_no_key_reaches_a_frame() -> None:
    """Pre-shared and BGP keys, which the cloud sends with each connection, are in no frame."""
    cloud = Simulator([Connection(A, "r")])
    with cloud, connect(cloud) as client:
        said = live_connections(client, "r", details=True).to_csv()
    assert CANARY_PSK not in said
    assert CANARY_AUTH_KEY not in said


def test_a_listing_that_breaks_off_is_read_again() -> None:
    """A page that comes cut off does not lose routes."""
    there = [Route(A, f"10.0.{n}.0/24") for n in range(120)]
    fault = Fault("truncate", after=1, count=1)
    cloud = Simulator([Connection(A, "r")], there, quota=200, faults=[fault])
    with cloud, connect(cloud) as client:
        waits: list[float] = []
        client._sleep, client._pacer.now = waits.append, lambda: sum(waits)
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


def test_live_routes_of_two_clients_are_put_together() -> None:
    """What one of them could not list stays known: nothing is created or deleted there."""
    wanted = routes((A, "10.0.0.0/8", 100), ("vco-gone", "10.9.0.0/16", 100), (B, "11.0.0.0/8", 0))
    one = Simulator([Connection(A, "r")], [Route(A, "10.9.0.0/16")])
    two = Simulator([Connection(B, "r")], [])
    with one, two, connect(one) as first, connect(two) as second:
        parts = [live_routes(first, wanted.iloc[:2]), live_routes(second, wanted.iloc[2:])]
    for order in (parts, parts[::-1]):
        plan = plan_routes(wanted, pd.concat(order, ignore_index=True), prune=True)
        assert plan.frame()["action"].tolist() == ["create", "blocked", "create", "blocked"]
        assert "InvalidVpnConnectionInstanceId.NotFound" in plan.frame()["message"].iloc[1]
        assert plan.frame()["message"].iloc[3].startswith("not deleted")


def test_what_is_not_listed_is_no_route() -> None:
    """Neither an audit of live routes nor verifying takes such a row for a route."""
    wanted = routes((A, "10.0.0.0/8", 100), ("vco-gone", "10.9.0.0/16", 100))
    with Simulator([Connection(A, "r")], [Route(A, "10.0.0.0/8", 100)]) as cloud:
        found = live_routes(connect(cloud), wanted)
    assert len(found) == 2
    assert audit_routes(found).empty
    assert verdicts(wanted, found) == [
        ("as planned", "10.0.0.0/8", 100),
        ("missing", "10.9.0.0/16", None),
    ]
