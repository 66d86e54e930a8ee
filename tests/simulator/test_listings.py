"""What reads show: the contract's fields and types, pages, filters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from alibabacloud_vpc20160428 import models
from hypothesis import given
from hypothesis import strategies as st

from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK, Connection, LearnedRoute, Route, Switches
from vcokit.simulator.state import Cloud

HERE = {"RegionId": "cn-hangzhou"}
ONE = HERE | {"VpnConnectionId": "vco-1"}
READS = {
    "DescribeVcoRouteEntries": ONE,
    "DescribeVpnConnection": ONE,
    "DescribeVpnConnections": HERE,
    "DescribeVpnAttachments": HERE,
    "DescribeRegions": {},
}
JSON_TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of all fields of an answer, lists as ``name[]``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            inner_path = f"{path}.{name}".lstrip(".")
            yield inner_path, inner
            yield from fields(inner, inner_path)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, f"{path}[]")


def leaves(value: Any) -> set[tuple[str, Any]]:
    """Return the fields that hold no other fields."""
    return {(path, leaf) for path, leaf in fields(value) if not isinstance(leaf, dict | list)}


RICH = Connection(
    "vco-1",
    zone="cn-hangzhou-h",
    tags={"env": "prod", "team": ""},
    tunnels=2,
    learned_routes=[
        LearnedRoute("172.16.0.0/12", source="CLOUD", as_path="[12000]", community="65535:65510"),
        LearnedRoute("172.20.0.0/16"),
    ],
)


@pytest.mark.parametrize("kind", ["CEN", "VPNGW", "NO_ASSOCIATED"])
@pytest.mark.parametrize("operation", READS)
def test_answers_have_the_contract_s_fields_and_types(gate, contract, operation, kind):
    """Each field that is answered is one of the contract, with its JSON type."""
    if kind != "CEN" and operation == "DescribeVcoRouteEntries":
        kind = "CEN"
    connections = [Connection("vco-1", attach_type=kind, vpn_gateway_id="vpn-1")]
    answer = gate(connections=connections, routes=[Route("vco-1", "10.1.0.0/16")]).call(
        operation, READS[operation]
    )
    known = contract["operations"][operation]["fields"]
    for path, value in fields(answer):
        assert path in known, path
        assert type(value) is JSON_TYPES[known[path]], path


@pytest.mark.parametrize("more", [{}, {"RouteEntryType": "bgp"}])
@pytest.mark.parametrize("operation", READS)
def test_a_connection_of_two_tunnels_shows_the_contract_s_fields(gate, contract, operation, more):
    """Tunnels, tags, learned routes and their counts: known fields of the right JSON type."""
    before = gate(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])
    known = contract["operations"][operation]["fields"]
    for path, value in fields(before.call(operation, READS[operation] | more)):
        assert path in known, path
        assert type(value) is JSON_TYPES[known[path]], path


@pytest.mark.parametrize("operation", READS)
def test_answers_lack_nothing(gate, contract, operation):
    """All answers together hold all fields of the contract but those named here."""
    before = gate(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])
    gateway = gate(connections=[Connection("vco-1", attach_type="VPNGW", vpn_gateway_id="vpn-1")])
    found = {
        path
        for answer in (
            before.call(operation, READS[operation]),
            before.call(operation, READS[operation] | {"RouteEntryType": "bgp"}),
            gateway.call(operation, READS[operation]),
        )
        for path in dict(fields(answer))
    }
    hidden = ("RemoteCaCertificate", "TunnelBandwidth", "NextHopTunnelIdList", "Attachments[].Tag")
    absent = contract["operations"][operation]["fields"].keys() - found
    assert [path for path in absent if not any(name in path for name in hidden)] == []


def test_lists_are_wrapped_as_the_vendor_wraps_them(gate):
    """Regions and connections stand in a singular element, routes and attachments do not."""
    ask = gate(routes=[Route("vco-1", "10.1.0.0/16")]).call
    assert isinstance(ask("DescribeRegions")["Regions"]["Region"], list)
    assert isinstance(ask("DescribeVpnConnections", HERE)["VpnConnections"]["VpnConnection"], list)
    assert isinstance(ask("DescribeVcoRouteEntries", ONE)["VcoRouteEntries"], list)
    assert isinstance(ask("DescribeVpnAttachments", HERE)["VpnAttachments"], list)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("connection", [Connection("vco-1"), RICH], ids=["plain", "rich"])
def test_the_vendor_s_models_take_every_answer(gate, operation, connection):
    """The SDK reads each answer into its model and loses no field."""
    before = gate(connections=[connection], routes=[Route("vco-1", "10.1.0.0/16")])
    answer = before.call(operation, READS[operation])
    model = getattr(models, f"{operation}ResponseBody")().from_map(answer)
    assert leaves(answer) <= leaves(model.to_map())


def test_descriptions_hold_secrets(gate):
    """The pre-shared key and the BGP key are in both answers, so that clients can drop them."""
    world = gate(connections=[RICH])
    one = world.call("DescribeVpnConnection", ONE)
    row = world.call("DescribeVpnConnections", HERE)["VpnConnections"]["VpnConnection"][0]
    for shown in (one, row):
        tunnels = shown["TunnelOptionsSpecification"]["TunnelOptions"]
        assert [tunnel["TunnelIkeConfig"]["Psk"] for tunnel in tunnels] == [CANARY_PSK] * 2
        assert shown["IkeConfig"]["Psk"] == CANARY_PSK
        assert shown["VpnBgpConfig"]["AuthKey"] == CANARY_AUTH_KEY


def test_attachments_name_the_connection_otherwise_and_show_no_state(gate):
    """The id is InstanceId, neither State nor Status is there, only attached ones are listed."""
    connections = [Connection("vco-1", name="a"), Connection("vco-2", attach_type="VPNGW")]
    rows = gate(connections=connections).call("DescribeVpnAttachments", HERE)["VpnAttachments"]
    assert [row["InstanceId"] for row in rows] == ["vco-1"]
    assert rows[0].keys().isdisjoint({"State", "Status", "VpnConnectionId"})


@pytest.mark.parametrize(
    ("kind", "state"), [("CEN", "attached"), ("NO_ASSOCIATED", "init"), ("VPNGW", "active")]
)
def test_the_state_of_an_idle_connection_follows_its_attachment(world, kind, state):
    """What a connection is bound to decides its State."""
    cloud = world(connections=[Connection("vco-1", attach_type=kind)])
    assert cloud.describe()[0] == state


@given(
    total=st.integers(0, 60), size=st.integers(1, 50), extra=st.integers(1, 3), seed=st.integers()
)
def test_pages_make_up_the_whole(total, size, extra, seed):
    """The pages of any size hold each row once, in order; those behind the end are empty."""
    routes = [Route("vco-1", f"10.{n}.0.0/16") for n in range(total)]
    cloud = Cloud([Connection("vco-1")], routes, seed=seed)
    found = []
    for number in range(1, -(-total // size) + 1 + extra):
        page = {"PageNumber": str(number), "PageSize": str(size)}
        answer = cloud.call("DescribeVcoRouteEntries", ONE | page, now=0.0).fields
        rows = answer.pop("VcoRouteEntries")
        assert answer == {"TotalCount": total, "PageNumber": number, "PageSize": size}
        assert len(rows) == max(0, min(size, total - (number - 1) * size))
        found += [row["RouteDest"] for row in rows]
    assert found == [route.route_dest for route in routes]


@pytest.mark.parametrize(
    ("operation", "rows"),
    [
        ("DescribeVpnConnections", lambda a: a["VpnConnections"]["VpnConnection"]),
        ("DescribeVpnAttachments", lambda a: a["VpnAttachments"]),
    ],
)
def test_connections_come_in_pages_of_ten(world, operation, rows):
    """Without PageNumber and PageSize the first ten are shown."""
    cloud = world(connections=[Connection(f"vco-{n}") for n in range(25)])
    first = cloud.call(operation, HERE).fields
    assert (first["TotalCount"], first["PageNumber"], first["PageSize"]) == (25, 1, 10)
    last = cloud.call(operation, HERE | {"PageNumber": "3"}).fields
    assert (len(rows(first)), len(rows(last))) == (10, 5)


@pytest.mark.parametrize("name", ["PageNumber", "PageSize"])
@pytest.mark.parametrize("text", ["0", "-1", "1.0", "x", "٣", "01", "9" * 5000])
def test_pages_that_cannot_be_are_refused(world, name, text):
    """Page numbers and sizes are positive integers without leading zeros."""
    assert world().list(**{name: text}).code == f"Invalid{name}"


def test_a_page_has_at_most_50_rows(world):
    """50 are granted, 51 are refused."""
    assert world().list(PageSize="50").status == 200
    assert world().list(PageSize="51").code == "InvalidPageSize"


def test_learned_routes_are_listed_apart(world):
    """RouteEntryType custom or absent lists destination routes, bgp the others; x is refused."""
    cloud = world(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])

    def shown(**how: str) -> list[str]:
        answer = cloud.list(**how).fields
        assert answer["TotalCount"] >= len(answer["VcoRouteEntries"])
        return [row["RouteDest"] for row in answer["VcoRouteEntries"]]

    assert shown(RouteEntryType="custom") == shown(RouteEntryType="") == ["10.1.0.0/16"]
    assert shown(RouteEntryType="bgp") == ["172.16.0.0/12", "172.20.0.0/16"]
    assert shown(RouteEntryType="bgp", PageSize="1", PageNumber="2") == ["172.20.0.0/16"]
    assert cloud.list(RouteEntryType="x").code == "IllegalParam.RouteEntryType"


def test_routes_are_counted_where_there_are_two_tunnels(world):
    """By kind and source; a connection of one tunnel has no such statistics."""
    cloud = world(connections=[RICH, Connection("vco-2")], routes=[Route("vco-1", "10.1.0.0/16")])
    counts = {
        (row["RouteEntryType"], row["Source"]): row["RouteCount"]
        for row in cloud.list().fields["VpnRouteCounts"]
    }
    assert counts == {("custom", "CLOUD"): 1, ("bgp", "CLOUD"): 1, ("bgp", "VPN_BGP"): 1}
    assert "VpnRouteCounts" not in cloud.list(0.0, "vco-2").fields


def test_tunnels_follow_task_and_status(world):
    """A tunnel is updating while a task runs, and down when a harmful route is there."""
    cloud = world(connections=[RICH])

    def tunnels(now: float) -> set[tuple[str, str]]:
        answer = cloud.call("DescribeVpnConnection", ONE, now).fields
        rows = answer["TunnelOptionsSpecification"]["TunnelOptions"]
        return {(row["State"], row["Status"]) for row in rows}

    cloud.create(0.0, "vco-1", "100.64.0.0/16")
    assert tunnels(1.0) == {("updating", "ipsec_sa_established")}
    assert tunnels(5.0) == {("active", "ike_sa_not_established")}


@pytest.mark.parametrize("operation", READS)
def test_reads_miss_what_they_need(world, operation):
    """RegionId and, where one connection is meant, VpnConnectionId are required."""
    for name in READS[operation]:
        assert world().call(operation, READS[operation] | {name: ""}).code == f"Missing{name}"


def test_connections_can_be_filtered(world):
    """By id, gateway, customer gateway and resource group."""
    cloud = world(
        connections=[
            Connection("vco-1", vpn_gateway_id="vpn-1", attach_type="VPNGW"),
            Connection("vco-2", customer_gateway_id="cgw-2"),
            Connection("vco-3", resource_group_id="rg-3"),
            Connection("vco-4", "eu-west-1"),
        ]
    )

    def ids(**filters: str) -> list[str]:
        rows = cloud.call("DescribeVpnConnections", HERE | filters).fields["VpnConnections"]
        return [row["VpnConnectionId"] for row in rows["VpnConnection"]]

    assert ids() == ["vco-1", "vco-2", "vco-3"]
    assert ids(VpnConnectionId="vco-2") == ids(CustomerGatewayId="cgw-2") == ["vco-2"]
    assert ids(VpnGatewayId="vpn-1") == ["vco-1"]
    assert ids(ResourceGroupId="rg-3") == ["vco-3"]
    assert ids(VpnConnectionId="vco-4") == []


def test_connections_can_be_filtered_by_tags(world):
    """All tags that are asked for must be there; without a value any value will do."""
    cloud = world(
        connections=[
            Connection("vco-1", tags={"env": "prod", "team": "net"}),
            Connection("vco-2", tags={"env": "test"}),
            Connection("vco-3"),
        ]
    )

    def ids(*tags: str) -> list[str]:
        parts = itertools.product(range(1, 21), ("Key", "Value"))
        asked = {f"Tag.{n}.{part}": tag for (n, part), tag in zip(parts, tags, strict=False)}
        rows = cloud.call("DescribeVpnConnections", HERE | asked).fields["VpnConnections"]
        return [row["VpnConnectionId"] for row in rows["VpnConnection"]]

    assert ids("env") == ["vco-1", "vco-2"]
    assert ids("env", "prod") == ["vco-1"]
    assert ids("env", "prod", "team", "net") == ["vco-1"]
    assert ids("env", "test", "team", "net") == ids("other") == []


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({f"Tag.{n}.Key": f"k{n}" for n in range(1, 22)}, "SizeLimitExceeded.TagNum"),
        ({"Tag.1.Key": ""}, "InvalidParameter.TagKey"),
        ({"Tag.1.Value": "v"}, "InvalidParameter.TagKey"),
        ({"Tag.1.Key": "k" * 65}, "InvalidParameter.TagKey"),
        ({"Tag.1.Key": "acs:k"}, "InvalidParameter.TagKey"),
        ({"Tag.1.Key": "k", "Tag.1.Value": "v" * 129}, "InvalidParameter.TagValue"),
        ({"Tag.1.Key": "k", "Tag.1.Value": "see https://x"}, "InvalidParameter.TagValue"),
        ({"Tag.1.Key": "k", "Tag.2.Key": "k"}, "Duplicated.TagKey"),
        ({"Tag.1.Key": "k" * 64, "Tag.1.Value": "v" * 128}, ""),
        ({f"Tag.{n}.Key": f"k{n}" for n in range(1, 21)}, ""),
    ],
)
def test_tags_that_cannot_be_are_refused(world, tags, code):
    """The vendor's limits, each by its own code."""
    assert world().call("DescribeVpnConnections", HERE | tags).code == code


@pytest.mark.parametrize("state", ["attaching", "detaching", "provisioning", "upgrading"])
def test_a_connection_on_its_way_has_no_routes(world, state):
    """Its State is shown; listings are refused until it is attached."""
    cloud = world(connections=[Connection("vco-1", state=state)])
    assert cloud.describe()[0] == state
    assert cloud.list().code == "Vco.StatusNotSupport"


def test_a_locked_connection_is_read_only(world):
    """Overdue payment refuses writes by a code of its own; it can still be read."""
    cloud = world(
        connections=[Connection("vco-1", state="financialLocked")],
        routes=[Route("vco-1", "10.1.0.0/16")],
    )
    assert cloud.describe()[0] == "financialLocked"
    assert cloud.listed() == {("10.1.0.0/16", 100)}
    for write in (cloud.create, cloud.delete, cloud.modify):
        assert write().code == "VpnConnection.FinancialLocked"


def test_attachments_can_be_filtered(world):
    """By id; AttachType can only be CEN."""
    cloud = world()
    answer = cloud.call("DescribeVpnAttachments", ONE | {"AttachType": "CEN"})
    assert [row["InstanceId"] for row in answer.fields["VpnAttachments"]] == ["vco-1"]
    wrong = cloud.call("DescribeVpnAttachments", HERE | {"AttachType": "VPNGW"})
    assert wrong.code == "InvalidAttachType"


def test_regions_are_the_vendor_s_and_the_caller_s(world):
    """All regions with their endpoints, names in the language asked for, and any invented ones."""
    cloud = world(connections=[Connection("vco-1"), Connection("vco-2", "moon-base-1")])

    def names(**language: str) -> dict[str, str]:
        rows = cloud.call("DescribeRegions", language).fields["Regions"]["Region"]
        assert {row["RegionEndpoint"] for row in rows} == {
            f"vpc.{row['RegionId']}.aliyuncs.com" for row in rows
        }
        return {row["RegionId"]: row["LocalName"] for row in rows}

    assert len(names()) == 37
    assert names()["cn-hongkong"] == "中国香港"
    assert names(AcceptLanguage="en-US")["cn-qingdao"] == "China (Qingdao)"
    assert names()["moon-base-1"] == "moon-base-1"
    assert cloud.call("DescribeRegions", {"AcceptLanguage": "tlh"}).code == "InvalidAcceptLanguage"


def test_listing_waits_for_the_task_where_the_switch_says_so(world):
    """listing_needs_attached=True refuses a listing while updating; by default it works."""
    assert world().list(0.0).status == 200
    cloud = world(switches=Switches(listing_needs_attached=True))
    cloud.create(0.0)
    assert cloud.list(3.9).code == "Vco.StatusNotSupport"
    assert cloud.list(4.0).status == 200
