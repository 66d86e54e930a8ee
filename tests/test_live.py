"""What is live is read whole, and compared with what was asked for, route by route."""

from __future__ import annotations

import re

import httpx
import pandas as pd
import pytest

import vcokit as vk
from vcokit import errors
from vcokit.simulator import Connection, Fault, Route

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
    assert unlisted(found) == {B: "'r (test)' is no region id"}
    plan = vk.plan_routes(frame, found).frame()
    assert plan["action"].tolist() == ["create", "blocked", "blocked"]
    assert "'r (test)' is no region id" in plan["message"].iloc[1]
    with vk.connect(**KEYS) as real, pytest.raises(errors.InputError, match="is no region id"):
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
