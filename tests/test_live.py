"""What is live is read whole, and compared with what was asked for, route by route."""

from __future__ import annotations

import re

import httpx
import pandas as pd
import pytest

import vcokit as vk
from vcokit import errors
from vcokit.cloud.policy import policy_document
from vcokit.contract import TUNNEL_UP
from vcokit.simulator import (
    Account,
    Connection,
    Fault,
    Route,
    TunnelFailure,
)

A, B, GONE = "vco-a", "vco-b", "vco-gone"
NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
KEYS = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}


def routes(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Return routes, of an inventory or live: connection, destination and weight of each."""
    full = [("r", name, dest, name, weight) for name, dest, weight in rows]
    return pd.DataFrame(full, columns=NAMES)


def unlisted(found: pd.DataFrame) -> dict[str, str]:
    """Return the connections that could not be listed, and why."""
    rows = found[found["route_entry_type"] == "unlisted"]
    return dict(zip(rows["vpn_connection_id"], rows["state"], strict=True))


# -- live routes --------------------------------------------------------------------------------


def test_every_connection_of_an_inventory_is_listed(simulate) -> None:
    """Live routes of all connections come in the inventory's order, those no row names too."""
    names = [f"vco-{n}" for n in range(12)]
    there = [Route(name, f"10.{n}.{m}.0/24") for n, name in enumerate(names) for m in range(60)]
    _, client = simulate([Connection(n, "r") for n in names], there, quota=100)
    found = vk.live_routes(client, routes(*((name, "9.0.0.0/8", 0) for name in names[::-1])))
    assert found["vpn_connection_id"].unique().tolist() == names[::-1]
    assert len(found) == 12 * 60
    assert unlisted(found) == {}


def test_connections_that_cannot_be_listed_are_named(simulate) -> None:
    """A connection that is not there, or not attached, is reported with the cloud's code."""
    _, client = simulate([Connection(A, "r"), Connection(B, "r", attach_type="NO_ASSOCIATED")])
    wanted = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0), (GONE, "9.0.0.0/8", 0))
    found = vk.live_routes(client, wanted)
    assert len(found) == 2
    assert unlisted(found) == {
        B: "Vco.StatusNotSupport",
        GONE: "InvalidVpnConnectionInstanceId.NotFound",
    }


def test_what_is_not_listed_is_no_route(simulate) -> None:
    """Neither an audit of live routes nor verifying takes such a row for a route."""
    wanted = routes((A, "10.0.0.0/8", 100), (GONE, "10.9.0.0/16", 100))
    _, client = simulate([Connection(A, "r")], [Route(A, "10.0.0.0/8", 100)])
    found = vk.live_routes(client, wanted)
    assert len(found) == 2
    assert vk.audit_routes(found).empty
    assert verdicts(wanted, found) == [
        ("as planned", "10.0.0.0/8", 100),
        ("missing", "10.9.0.0/16", None),
    ]


def test_live_routes_of_two_clients_are_put_together(simulate) -> None:
    """What one of them could not list stays known: nothing is created or deleted there."""
    wanted = routes((A, "10.0.0.0/8", 100), (GONE, "10.9.0.0/16", 100), (B, "11.0.0.0/8", 0))
    _, first = simulate([Connection(A, "r")], [Route(A, "10.9.0.0/16")])
    _, second = simulate([Connection(B, "r")])
    parts = [vk.live_routes(first, wanted.iloc[:2]), vk.live_routes(second, wanted.iloc[2:])]
    for order in (parts, parts[::-1]):
        plan = vk.plan_routes(wanted, pd.concat(order, ignore_index=True), prune=True).frame()
        assert plan["action"].tolist() == ["create", "blocked", "create", "blocked"]
        assert "InvalidVpnConnectionInstanceId.NotFound" in plan["message"].iloc[1]
        assert plan["message"].iloc[3].startswith("not deleted")


def test_other_refusals_are_raised(simulate) -> None:
    """What is wrong with the caller, not with a connection, is raised."""
    cloud, _ = simulate([Connection(A, "r")])
    wrong = {"access_key_id": "nobody", "access_key_secret": "x"}
    with vk.connect(cloud, **wrong) as client, pytest.raises(errors.AuthError):
        vk.live_routes(client, routes((A, "9.0.0.0/8", 0)))


def test_only_what_is_a_connection_is_asked_for(simulate) -> None:
    """Bad ids and empty cells are passed over; a connection is looked for in its first region."""
    cloud, client = simulate([Connection(A, "q"), Connection(A + "2", "r")])
    frame = pd.DataFrame(
        {"region_id": ["r", None, "q", "r", "s"], "vpn_connection_id": ["bad", A, A, A, None]}
    )
    assert unlisted(vk.live_routes(client, frame)) == {}
    asked = cloud.calls()[["region_id", "vpn_connection_id"]].drop_duplicates()
    assert asked.to_numpy().tolist() == [["q", A]]


def test_a_region_that_is_none_stops_nothing(simulate) -> None:
    """A dirty region cell costs its own connection, which a plan then leaves alone, no other."""
    frame = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0), (B, "8.0.0.0/8", 0))
    frame["region_id"] = ["r", "r (test)", "r"]
    _, client = simulate([Connection(A, "r"), Connection(B, "r")], [Route(A, "10.0.0.0/8")])
    found = vk.live_routes(client, frame)
    assert found["vpn_connection_id"].tolist() == [A, B]
    assert unlisted(found) == {B: "'r (test)' is not a region id"}
    plan = vk.plan_routes(frame, found).frame()
    assert plan["action"].tolist() == ["create", "blocked", "blocked"]
    assert "'r (test)' is not a region id" in plan["message"].iloc[1]
    with vk.connect(**KEYS) as real, pytest.raises(errors.InputError, match="is not a region id"):
        real.describe_vco_route_entries(region_id="r (test)", vpn_connection_id=B)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("RouteDest", r"a route without a destination \(vco-a\)"),
        ("NextHop", r"a route without a next hop \(10.9.0.0/16\)"),
    ],
)
def test_a_route_that_cannot_be_named_stops_nothing(field: str, reason: str) -> None:
    """A live route of which a part is left out costs its own connection alone, with the reason."""
    row = {"RouteDest": "10.9.0.0/16", "NextHop": A, "Weight": 100, "VpnConnectionId": A}

    def answer(request: httpx.Request) -> httpx.Response:
        rows = [row | {field: ""}] if request.url.params["VpnConnectionId"] == A else []
        told = {"RequestId": "q", "TotalCount": len(rows), "VcoRouteEntries": rows}
        return httpx.Response(200, json=told)

    frame = routes((A, "9.0.0.0/8", 0), (B, "9.0.0.0/8", 0))
    with vk.connect("r", **KEYS, transport=httpx.MockTransport(answer)) as client:
        found = vk.live_routes(client, frame)
    assert list(unlisted(found)) == [A]
    plan = vk.plan_routes(frame, found).frame()
    assert plan["action"].tolist() == ["blocked", "create"]
    assert re.search(reason, plan["message"].iloc[0])


def test_a_listing_that_breaks_off_is_read_again(simulate) -> None:
    """A page that comes cut off does not lose routes."""
    there = [Route(A, f"10.0.{n}.0/24") for n in range(120)]
    fault = Fault("truncate", after=1, count=1)
    cloud, _ = simulate([Connection(A, "r")], there, quota=200, faults=[fault])
    waits: list[float] = []
    with vk.connect(cloud, sleep=waits.append, steady=lambda: sum(waits)) as client:
        assert len(vk.live_routes(client, routes((A, "9.0.0.0/8", 0)))) == 120
    assert waits


def test_wrong_arguments_name_the_right_call() -> None:
    """What is no client, or no frame, is one error of ours that says what to write."""
    client = vk.connect("r", **KEYS)
    frame = routes((A, "9.0.0.0/8", 0))
    calls = {
        r"live_routes\(client, routes\)": [(frame, client), (None, frame), ("r", frame)],
        r"live_connections\(client, regions\)": [("r",), (frame,), (frame, client)],
    }
    for call, given in calls.items():
        door = vk.live_routes if "routes" in call else vk.live_connections
        for arguments in given:
            with pytest.raises(errors.InputError, match=call):
                door(*arguments)
    for regions in (5, [None], ["r", 5], client, [""]):
        with pytest.raises(errors.InputError, match="region"):
            vk.live_connections(client, regions)


# -- live connections ---------------------------------------------------------------------------


def test_live_connections(simulate) -> None:
    """Connections of every region that the inventory names come as one frame, in its order."""
    cloud, client = simulate(
        [
            Connection(A, "r", name="one"),
            Connection(B, "q"),
            Connection("vco-c", "elsewhere"),
            Connection("vco-d", "r", attach_type="NO_ASSOCIATED"),
        ]
    )
    wanted = pd.DataFrame({"region_id": ["r", "q", None, "empty", "No Region!", "r"]})
    found = vk.live_connections(client, wanted)
    assert len(cloud.calls()) == 6
    assert found["vpn_connection_id"].tolist() == [A, "vco-d", B]
    assert found["region_id"].tolist() == ["r", "r", "q"]
    assert found["attached"].tolist() == [True, False, True]
    assert found["state"].tolist() == ["attached", "init", "attached"]
    assert found["status"].tolist() == ["ipsec_sa_established"] * 3
    assert found["name"].isna().tolist() == [False, True, True]
    assert found.attrs["regions"] == ["r", "q", "empty"]


def test_regions_by_name_and_none(simulate) -> None:
    """Regions may be named, or be the client's; without any there is nothing to ask."""
    cloud, client = simulate([Connection(A, "r"), Connection(B, "q")])
    with vk.connect(cloud, region="q") as here:
        assert vk.live_connections(here)["vpn_connection_id"].tolist() == [B]
        assert vk.live_connections(here, "r")["vpn_connection_id"].tolist() == [A]
        both = vk.live_connections(here, ["q", "r", "q"])
        assert both["vpn_connection_id"].tolist() == [B, A]
        nothing = vk.live_connections(here, pd.DataFrame({"region_id": [None]}, dtype="str"))
        assert (list(nothing.columns), len(nothing)) == (list(both.columns), 0)
    with pytest.raises(errors.InputError, match="no region"):
        vk.live_connections(client)


def test_zones_when_asked_for(simulate) -> None:
    """The zone of a single-tunnel connection is asked for one by one, and only on request."""
    _, client = simulate([Connection(A, "r", zone="r-a"), Connection(B, "r", zone="r-b")])
    assert vk.live_connections(client, "r")["zone"].isna().all()
    assert vk.live_connections(client, "r", details=True)["zone"].tolist() == ["r-a", "r-b"]


def test_connections_that_only_a_list_knows() -> None:
    """What the attachments know beyond the connections is there, and fills what those leave out."""
    known = {"VpnConnectionId": A, "State": "attached", "Status": "ipsec_sa_established"}
    attached = {
        "InstanceId": A,
        "TransitRouterId": "tr-1",
        "TransitRouterName": "hub",
        "AttachType": "CEN",
        "CrossAccountAuthorized": True,
    }
    other = {"InstanceId": B, "Name": "other account's"}
    answers = {
        "DescribeVpnConnections": {"TotalCount": 1, "VpnConnections": {"VpnConnection": [known]}},
        "DescribeVpnAttachments": {"TotalCount": 2, "VpnAttachments": [attached, other]},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        operation = request.headers["x-acs-action"]
        return httpx.Response(200, json={"RequestId": "r", **answers[operation]})

    with vk.connect("cn-hangzhou", **KEYS, transport=httpx.MockTransport(answer)) as client:
        found = vk.live_connections(client, "cn-hangzhou")
    assert found["vpn_connection_id"].tolist() == [A, B]
    assert found["attached"].tolist() == [True, True]
    assert found["region_id"].tolist() == ["cn-hangzhou"] * 2
    row = found.iloc[0]
    assert (row["transit_router_id"], row["transit_router_name"]) == ("tr-1", "hub")
    assert (row["attach_type"], row["cross_account"]) == ("CEN", True)
    assert pd.isna(found.iloc[1]["state"])


# -- verifying ----------------------------------------------------------------------------------


def verdicts(wanted: pd.DataFrame, there: pd.DataFrame) -> list[tuple]:
    """Return verdict, destination, and what is live, of each difference."""
    found = vk.verify_routes(wanted, there)[["verdict", "route_dest", "live_weight"]]
    return [tuple(None if pd.isna(v) else v for v in row) for row in found.to_numpy()]


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        pytest.param(
            [(A, "10.0.0.0/8", 0), (A, "11.0.0.0/8", 0), (A, "12.0.0.0/8", 0)],
            [
                (A, "10.0.0.0/8", 0),
                (A, "12.0.0.0/8", 100),
                (A, "13.0.0.0/8", 100),
                (B, "14.0.0.0/8", 0),
            ],
            [
                ("as planned", "10.0.0.0/8", 0),
                ("missing", "11.0.0.0/8", None),
                ("different", "12.0.0.0/8", 100),
                ("unexpected", "13.0.0.0/8", 100),
            ],
            id="every verdict; of what nobody asked for only that on connections that are named",
        ),
        pytest.param(
            [(A, "10.0.0.1/8", 0), (A, "11.0.0.0/8", 0), (A, "11.0.0.0/8", 100)],
            [(A, "10.0.0.0/8", 100), (A, "11.0.0.0/8", 0)],
            [],
            id="what a plan would block is neither missing nor unexpected",
        ),
        pytest.param(
            [(A, "10.0.0.0/8", 0)],
            [(A, "10.0.0.0/8", 100), (A, "10.0.0.0/8", 0)],
            [("as planned", "10.0.0.0/8", 0)],
            id="live with both weights is as planned if one agrees",
        ),
        pytest.param([], [], [], id="nothing to compare"),
    ],
)
def test_verdicts(wanted: list, there: list, expected: list) -> None:
    """As planned, missing, different, and what nobody asked for."""
    assert verdicts(routes(*wanted), routes(*there)) == expected


# -- beyond the listing -------------------------------------------------------------------------

MISMATCH = TunnelFailure(2, code="Phase1ProposalMismatch", local="SHA256", remote="SHA")
ASKED = routes((A, "10.0.0.0/8", 100), (A, "11.0.0.0/8", 0), (B, "12.0.0.0/8", 100))
THERE = [Route(A, "10.0.0.0/8"), Route(A, "11.0.0.0/8", 0), Route(B, "12.0.0.0/8")]


def told(found: pd.DataFrame, *names: str) -> list[tuple]:
    """Return some columns of a frame as rows of plain values."""
    rows = found[list(names)].astype(object)
    return [tuple(row) for row in rows.where(rows.notna(), None).itertuples(index=False)]


def may(*operations: str) -> dict[str, list[Account]]:
    """Return an account that is allowed some operations."""
    return {"accounts": [Account(policy=policy_document(operations))]}


def test_tunnels_and_what_is_wrong_with_them(simulate) -> None:
    """Each tunnel has its status; one that is down its reason, and the values that differ."""
    kinds = [Connection(A, "r", tunnels=2, failures=[MISMATCH]), Connection(B, "r")]
    broken = Connection("vco-c", "r", failures=[TunnelFailure(severity="Warn")])
    cloud, client = simulate([*kinds, broken])
    found = vk.live_tunnels(client, routes(*((name, "9.0.0.0/8", 0) for name in (A, B, "vco-c"))))
    down = "ike_sa_not_established"
    assert told(found, "vpn_connection_id", "tunnel_id", "status", "severity", "code") == [
        (A, "tun-a1", TUNNEL_UP, None, None),
        (A, "tun-a2", down, "Critical", "Phase1ProposalMismatch"),
        (B, None, TUNNEL_UP, None, None),
        ("vco-c", None, down, "Warn", "Phase1NegotiationTimeout"),
    ]
    assert told(found, "local_value", "remote_value")[1] == ("SHA256", "SHA")
    assert found["failed_at"].notna().tolist() == [False, True, False, True]
    assert found["note"].isna().all()
    # What is up is not diagnosed: a call for connections of one tunnel, one for tunnels of two.
    assert cloud.calls()["operation"].tolist().count("DiagnoseVpnConnections") == 2


def test_many_tunnels_are_diagnosed_in_parts(simulate) -> None:
    """No call names more than twenty, and none is forgotten."""
    names = [f"vco-{number}" for number in range(45)]
    cloud, client = simulate([Connection(n, "r", failures=[TunnelFailure()]) for n in names])
    found = vk.live_tunnels(client, routes(*((name, "9.0.0.0/8", 0) for name in names)))
    assert found["vpn_connection_id"].tolist() == names
    assert (found["severity"] == "Critical").all()
    asked = cloud.calls().query("operation == 'DiagnoseVpnConnections'")["parameters"]
    assert [sum("VpnConnectionIds" in name for name in one) for one in asked] == [20, 20, 5]


@pytest.mark.parametrize(
    ("allowed", "lacks", "status"),
    [
        ((), "vpc:DescribeVpnConnections", None),
        (("DescribeVpnConnections",), "vpc:DiagnoseVpnConnections", "ike_sa_not_established"),
    ],
)
def test_without_permission_for_tunnels(allowed: tuple, lacks: str, status: str, simulate) -> None:
    """One note names the permission; what else is known stands."""
    broken = [Connection(name, "r", failures=[TunnelFailure()]) for name in (A, B)]
    _, client = simulate(broken, THERE, **may("DescribeVcoRouteEntries", *allowed))
    found = vk.live_tunnels(client, ASKED)
    (note,) = set(found["note"])
    assert note.endswith(f"It needs the permission {lacks}")
    assert told(found, "status", "severity") == [(status, None)] * 2
    verdict = vk.verify_routes(ASKED, vk.live_routes(client, ASKED), tunnels=found)["verdict"]
    assert set(verdict) == ({"as planned"} if status is None else {"tunnel down"})


def test_routes_in_the_tables_of_transit_routers(simulate) -> None:
    """Each route that arrived has its status; a connection without one has a row that says so."""
    elsewhere = Connection("vco-c", "r", transit_router_id="tr-2", attach_type="NO_ASSOCIATED")
    held = Connection(B, "r", transit_router_id="tr-1", withheld=["12.0.0.0/8"])
    cloud, client = simulate([Connection(A, "r", transit_router_id="tr-1"), held, elsewhere], THERE)
    found = vk.live_router_routes(client, routes(*((n, "9.0.0.0/8", 0) for n in (A, B, "vco-c"))))
    assert told(found, "vpn_connection_id", "transit_router_id", "route_dest", "status") == [
        (A, "tr-1", "10.0.0.0/8", "Active"),
        (A, "tr-1", "11.0.0.0/8", "Standby"),
        (B, "tr-1", None, None),
        ("vco-c", None, None, None),
    ]
    assert told(found, "route_table_id", "route_type")[0] == ("vtb-1", "Propagated")
    assert told(found, "note")[2:] == [(None,), ("it is not attached to a transit router",)]
    assert cloud.calls()["operation"].tolist().count("ListTransitRouterRouteEntries") == 1


@pytest.mark.parametrize(
    ("allowed", "lacks"),
    [
        ((), "vpc:DescribeVpnConnections"),
        (("DescribeVpnConnections",), "vpc:DescribeVpnAttachments"),
        (("DescribeVpnConnections", "DescribeVpnAttachments"), "cen:ListTransitRouterRouteTables"),
        (
            ("DescribeVpnConnections", "DescribeVpnAttachments", "ListTransitRouterRouteTables"),
            "cen:ListTransitRouterRouteEntries",
        ),
    ],
)
def test_without_permission_for_transit_routers(allowed: tuple, lacks: str, simulate) -> None:
    """One note names the permission, and routes are verified without them."""
    _, client = simulate(
        [Connection(A, "r"), Connection(B, "r")], THERE, **may("DescribeVcoRouteEntries", *allowed)
    )
    found = vk.live_router_routes(client, ASKED)
    (note,) = set(found["note"])
    assert note.endswith(f"It needs the permission {lacks}")
    verdicts = vk.verify_routes(ASKED, vk.live_routes(client, ASKED), router_routes=found)
    assert told(verdicts, "verdict", "router") == [("as planned", None)] * 3


def test_a_long_table_of_a_transit_router(simulate) -> None:
    """All its pages are read, beside throttled ones."""
    there = [Route(A, f"10.0.{number}.0/24") for number in range(250)]
    faults = [Fault("throttle", operation="ListTransitRouterRouteEntries", count=1, seconds=0.01)]
    _, client = simulate([Connection(A, "r")], there, faults=faults, quota=300, speed=100)
    found = vk.live_router_routes(client, ASKED.head(1))
    assert found["route_dest"].tolist() == [route.route_dest for route in there]


def test_a_key_that_is_refused_is_an_error(simulate) -> None:
    """Then no note helps: nothing at all will work."""
    fault = Fault("refuse", code="InvalidAccessKeyId.NotFound")
    _, client = simulate([Connection(A, "r")], faults=[fault])
    for read in (vk.live_tunnels, vk.live_router_routes):
        with pytest.raises(errors.AuthError):
            read(client, ASKED)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({}, [("as planned", "up", "active"), ("as planned", "up", "standby")]),
        (
            {"tunnels": 2, "failures": [MISMATCH]},
            [("as planned", "degraded", "active"), ("as planned", "degraded", "standby")],
        ),
        (
            {"failures": [TunnelFailure()]},
            [("tunnel down", "down", "absent"), ("tunnel down", "down", "absent")],
        ),
        (
            {"withheld": ["10.0.0.0/8", "11.0.0.0/8"]},
            [("not in router", "up", "absent"), ("as planned", "up", "absent")],
        ),
    ],
)
def test_verdicts_beyond_the_listing(broken: dict, expected: list, simulate) -> None:
    """No tunnel up, or not in the router's table: a route that is listed does not forward."""
    _, client = simulate([Connection(A, "r", **broken), Connection(B, "r")], THERE)
    live = vk.live_routes(client, ASKED)
    seen = {
        "tunnels": vk.live_tunnels(client, ASKED),
        "router_routes": vk.live_router_routes(client, ASKED),
    }
    verdicts = vk.verify_routes(ASKED, live, **seen)
    assert told(verdicts, "verdict", "tunnel", "router") == [
        *expected,
        ("as planned", "up", "active"),
    ]
    # A route that is not there stays missing, whatever its tunnel does.
    missing = vk.verify_routes(routes((A, "13.0.0.0/8", 100)), live.iloc[:0], **seen)
    assert missing["verdict"].tolist() == ["missing"]
    assert vk.verify_routes(ASKED, live)[["tunnel", "router"]].isna().all(axis=None)


def test_the_tunnels_of_a_next_hop_are_a_column(simulate) -> None:
    """Those that are up, of a connection with two tunnels."""
    kinds = [Connection(A, "r", tunnels=2, failures=[MISMATCH]), Connection(B, "r")]
    _, client = simulate(kinds, THERE)
    found = vk.live_routes(client, ASKED)["next_hop_tunnels"]
    assert found.fillna("").tolist() == ["tun-a1", "tun-a1", ""]
