"""What each operation refuses, does and shows: order of checks, listings, fields and types."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import official
from tests.simulator.conftest import (
    CONTRACT,
    FACTS,
    HERE,
    ONE,
    READS,
    SmallCloud,
    SmallService,
    route,
    signed,
)
from tests.strict_cidr import interface_of
from vcokit.simulator import (
    Account,
    Connection,
    LearnedRoute,
    Route,
    Switches,
    TunnelFailure,
)

NOT_FOUND = "InvalidVpnConnectionInstanceId.NotFound"
FULL = "CreateDbrRoutesQuotaFull.QuotaFull"
THERE = Route("vco-1", "10.1.0.0/16")
# One spoiled request for each check of parameters, in the order of the design.
SPOILED = [
    ("MissingRegionId", {"RegionId": ""}),
    ("MissingVpnConnectionId", {"VpnConnectionId": ""}),
    ("MissingRouteDest", {"RouteDest": ""}),
    ("MissingWeight", {"Weight": ""}),
    ("MissingNextHop", {"NextHop": ""}),
    ("InvalidWeight", {"Weight": "50"}),
    (NOT_FOUND, {"VpnConnectionId": "vco-9"}),
    ("IllegalParam.RouteDest", {"RouteDest": "10.1.2.3/16"}),
    ("OperationFailed.InvalidCidrBlock", {"RouteDest": "0.0.0.0/0"}),
    ("InvalidNextHop.NotFound", {"NextHop": "vco-2"}),
    ("InvalidOverlayMode", {"OverlayMode": "Gre"}),
    ("InvalidDryRun", {"DryRun": "perhaps"}),
]
# Routes that a create may meet, in the order of the checks of routes.
MET = [
    ("VpnRouteEntry.AlreadyExists", THERE),
    ("VpnRouteEntry.Conflict", Route("vco-1", "10.1.0.0/16", 0)),
    ("VpnRouteEntry.BackupRoute", Route("vco-1", "10.1.0.0/16", 100, "vco-2")),
    (FULL, Route("vco-1", "9.0.0.0/8")),
]


def test_a_create_is_checked_in_the_design_s_order():
    """Of two things wrong with the parameters the one that the design names first is answered."""
    for (code, first), (other, second) in itertools.combinations(SPOILED, 2):
        if not set(first) & set(second):
            assert SmallCloud().create(0.0, **{**second, **first}).code == code, other


def test_parameters_are_checked_before_tasks_and_routes():
    """Though a task runs and the route is there; the other writes answer the same codes."""
    cloud = SmallCloud(routes=[THERE], quota=1)
    cloud.delete(0.0)
    for code, changes in SPOILED:
        assert cloud.create(1.0, **changes).code == code
        if code not in ("InvalidNextHop.NotFound", "InvalidDryRun"):
            assert cloud.delete(1.0, **changes).code == cloud.modify(1.0, **changes).code == code


def test_routes_are_checked_in_the_design_s_order():
    """Busy, same route, other weight, other next hop, quota; then what lies beyond the routes."""
    beyond = {"ssl_client_pools": ("10.0.0.0/8",), "learned_routes": (LearnedRoute("10.1.0.0/16"),)}
    options = {"connections": [Connection("vco-1", **beyond)], "router_quota": 1}
    for count in range(1, len(MET) + 1):
        for chosen in itertools.combinations(MET, count):
            there = [one for _, one in chosen]
            cloud = SmallCloud(routes=there, quota=1, **options)
            assert cloud.create(0.0).code == chosen[0][0]
            last = there[-1]
            cloud.delete(
                0.0, RouteDest=last.route_dest, Weight=str(last.weight), NextHop=last.next_hop
            )
            assert cloud.create(1.0).code == "VpnConnection.Configuring"
    cloud = SmallCloud(routes=[Route("vco-1", "9.0.0.0/8")], **options)
    assert cloud.create(0.0).code == "VpnRouteEntry.Conflict"
    for dest in ("10.9.0.0/16", "8.0.0.0/6"):
        assert cloud.create(0.0, "vco-1", dest).code == "VpnRouteEntry.ConflictSSL"
    assert cloud.create(0.0, "vco-1", "11.0.0.0/8").code == "QuotaExceeded.VpnRouteEntry"


@pytest.mark.parametrize("operation", FACTS)
def test_what_is_required_is_missed_in_order(operation):
    """A required parameter that is absent is missed like an empty one."""
    required = FACTS[operation]["parameters"]["required"]
    given = route(NewWeight="0") | READS.get(operation, {})
    for position, name in enumerate(required):
        before = {other: given[other] for other in required[:position]}
        empty = before | dict.fromkeys(required[position:], "")
        for parameters in (before, empty):
            assert SmallCloud().call(operation, parameters).code == f"Missing{name}"


@pytest.mark.parametrize("text", ["1", "-0", "+100", "0100", "100.0", "1e2", "100\n", "１００"])
def test_a_weight_is_the_very_text_0_or_100(text):
    """Nothing but 0 and 100 is a weight, in any of the three writes."""
    cloud = SmallCloud(routes=[THERE])
    for write in (cloud.create, cloud.delete, cloud.modify):
        assert write(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.modify(0.0, NewWeight=text).code == "InvalidNewWeight"


def test_ids_have_one_form():
    """A malformed id is like one that does not exist, with 404; stars are letters of an id."""
    for name in ("vco-", "vpn-1", "vco-1 ", "VCO-1", "vco-ü", "vco-1\n", "*", "1"):
        answer = SmallCloud().create(0.0, name)
        assert (answer.status, answer.code) == (404, NOT_FOUND)
    cloud = SmallCloud(connections=[Connection("vco-p0w2jpkhi2eeop6q6****")])
    assert cloud.create(0.0, "vco-p0w2jpkhi2eeop6q6****").status == 200


octets = st.integers(0, 260).map(str) | st.sampled_from(["00", "01", "", "+1", "１", "1 ", "0x1"])
lengths = st.integers(0, 34).map(str) | st.sampled_from(["08", "", "+8", "８", "255.0.0.0", "8\n"])
written = st.builds(
    lambda parts, length, slash: ".".join(parts) + slash + length,
    st.lists(octets, min_size=3, max_size=5),
    lengths,
    st.sampled_from(["/", "/", "/", "", "//", "\\"]),
)
aligned = st.builds(
    lambda address, length: str(ipaddress.IPv4Network((address, length), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(written | aligned | st.text(max_size=20))
@example("10.1.2.3/16")
@example("0.0.0.0/0")
@example("1.2.3.4/0")
@example("10.0.0.0/08")
@example("255.255.255.255/32")
def test_a_destination_is_what_the_standard_library_says(text):
    """A destination is accepted exactly where ipaddress reads a strict network."""
    found = interface_of(text)
    if found is not None and found.network.prefixlen == 0:
        expected = "OperationFailed.InvalidCidrBlock"
    elif found is not None and found.ip == found.network.network_address:
        expected = ""
    else:
        expected = "IllegalParam.RouteDest" if text else "MissingRouteDest"
    assert SmallCloud().create(0.0, RouteDest=text, Weight="0").code == expected


def test_only_the_equal_network_of_one_connection_is_there():
    """Longer and shorter prefixes, and the same on other connections, are accepted."""
    cloud = SmallCloud()
    for names in (("vco-1",), ("vco-2",), ("vco-3",)):
        assert cloud.create(0.0, *names, Weight="0" if names == ("vco-2",) else "100").status == 200
    for now, dest in ((4.0, "10.1.0.0/17"), (8.0, "10.0.0.0/15")):
        assert cloud.create(now, "vco-1", dest, Weight="0").status == 200


def test_the_quota_counts_routes_of_the_connection():
    """50 unless told: the last free place is taken, the next refused; a delete frees one."""
    cloud = SmallCloud(task_seconds=0.0, limits={"CreateVcoRouteEntry": (99, 60.0)})
    codes = [cloud.create(0.0, "vco-1", f"10.{n}.0.0/16").code for n in range(51)]
    assert codes == [""] * 50 + [FULL]
    assert cloud.create(0.0, "vco-2", "10.50.0.0/16").status == 200
    cloud.delete(0.0, "vco-1", "10.1.0.0/16")
    assert cloud.create(0.0, "vco-1", "10.50.0.0/16").status == 200


def test_the_quota_of_a_router_counts_all_its_connections():
    """Those there and those on their way, of connections of one router, account and kind only."""
    others = [
        Connection("vco-2"),
        Connection("vco-3", transit_router_id="tr-2"),
        Connection("vco-4", account_id="2"),
        Connection("vco-5", attach_type="VPNGW"),
        Connection("vco-6"),
    ]
    routes = [Route(f"vco-{n}", "10.9.0.0/16") for n in (2, 3, 4, 5)]
    cloud = SmallCloud(connections=[Connection("vco-1"), *others], routes=routes, router_quota=3)
    assert cloud.create(0.0, "vco-2").status == 200
    assert cloud.create(0.0, "vco-1").status == 200
    for now, name in ((1.0, "vco-6"), (4.0, "vco-1")):
        assert cloud.create(now, name, "10.2.0.0/16").code == "QuotaExceeded.VpnRouteEntry"
    assert cloud.create(4.0, "vco-3").status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"RouteDest": "10.1.0.0/17"},
        {"Weight": "0"},
        {"NextHop": "vco-2"},
        {"VpnConnectionId": "vco-2", "NextHop": "vco-2"},
    ],
)
def test_a_route_is_named_by_all_four(changes):
    """Connection, network, next hop and present weight; a foreign next hop can be named too."""
    cloud = SmallCloud(routes=[THERE])
    assert cloud.delete(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.modify(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.listed(0.0) == {("10.1.0.0/16", 100)}
    assert cloud.modify(0.0, NewWeight="100").code == "VpnRouteEntry.AlreadyExists"
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16", 100, "vco-2")])
    assert cloud.modify(0.0, NextHop="vco-2").status == 200
    assert cloud.delete(4.0, NextHop="vco-2", Weight="0").status == 200
    assert cloud.listed(8.0) == set()


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_a_dry_run_of_a_create_only_checks(text):
    """Passed it is DryRunOperation and nothing has changed; refused it is what a create meets."""
    cloud = SmallCloud(routes=[THERE])
    answer = cloud.create(0.0, "vco-2", DryRun=text, ClientToken="t")
    assert (answer.status, answer.code) == (400, "DryRunOperation")
    assert cloud.describe(0.0, "vco-2")[0] == "attached"
    assert cloud.create(0.0, "vco-2", DryRun="false", ClientToken="t").status == 200
    assert cloud.create(0.0, DryRun=text).code == "VpnRouteEntry.AlreadyExists"
    assert cloud.create(0.0, DryRun=text, Weight="1").code == "InvalidWeight"
    assert cloud.delete(0.0, DryRun=text).status == 200, "no other operation can be dry"
    assert cloud.listed(0.0) == set()


@pytest.mark.parametrize(
    ("fields", "state", "code", "listing"),
    [
        ({"attach_type": "NO_ASSOCIATED"}, "init", *["Vco.StatusNotSupport"] * 2),
        ({"attach_type": "VPNGW"}, "active", *["Vco.StatusNotSupport"] * 2),
        ({"state": "financialLocked"}, "financialLocked", "VpnConnection.FinancialLocked", ""),
        *(
            ({"state": state}, state, "VpnConnection.Configuring", "Vco.StatusNotSupport")
            for state in CONTRACT["states"]["passing"]
        ),
    ],
)
def test_a_connection_that_is_not_attached_takes_no_writes(fields, state, code, listing):
    """Told behind an unknown connection, before a wrong destination; a lock leaves it readable."""
    connections = [Connection("vco-1", **fields)]
    cloud = SmallCloud(connections=connections, routes=[THERE])
    assert cloud.describe()[0] == state
    assert cloud.list().code == listing
    assert {write().code for write in (cloud.create, cloud.delete, cloud.modify)} == {code}
    assert cloud.create(0.0, "vco-9").code == NOT_FOUND
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"
    if listing:
        assert cloud.create(0.0, RouteDest="10.1.2.3/16").code == code
        free = SmallCloud(connections=connections, switches=Switches(not_attached_refused=False))
        assert free.create().status == 200


# -- listings ------------------------------------------------------------------------------------

RICH = Connection(
    "vco-1",
    name="<a & b>",
    zone="cn-hangzhou-h",
    tags={"env": "prod", "team": ""},
    tunnels=2,
    learned_routes=[
        LearnedRoute("172.16.0.0/12", source="CLOUD", as_path="[12000]", community="65535:65510"),
        LearnedRoute("172.20.0.0/16"),
        LearnedRoute("172.21.0.0/16"),
    ],
)
GATEWAY = Connection("vco-1", attach_type="VPNGW", vpn_gateway_id="vpn-1")
BROKEN = Connection("vco-1", tunnels=2, failures=[TunnelFailure(1, local="SHA256", remote="SHA")])
FREE = Connection("vco-1", attach_type="NO_ASSOCIATED")
KINDS = [Connection("vco-1"), RICH, GATEWAY, FREE, BROKEN]
BGP = {"RouteEntryType": "bgp"}
#: What else is asked, so that every field is seen.
MORE = [{}, BGP, {"QuotaCategory": "FlowControl"}, {"QuotaActionCode": "vpn_quota_vco_routes"}]
JSON_TYPES = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of all fields of an answer, what a list holds as ``name[]``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            inner_path = f"{path}.{name}".lstrip(".")
            yield inner_path, inner
            yield from fields(inner, inner_path)
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, dict | list):
                yield f"{path}[]", inner
            yield from fields(inner, f"{path}[]")


@pytest.mark.parametrize("operation", READS)
def test_answers_have_the_contract_s_fields_and_types(operation):
    """Fields of the contract with their JSON types, none missing; the SDK's models take them."""
    known = FACTS[operation]["answer"]["fields"]
    model = official.model(operation, "ResponseBody")
    found = set()
    for connection, more in itertools.product(KINDS, MORE):
        service = SmallService(connections=[connection], routes=[THERE])
        answer = service.call(operation, READS[operation] | more)
        if "Code" in answer:  # not every kind has what is asked for
            continue
        for path, value in fields(answer):
            assert type(value) is JSON_TYPES[known[path]], path
            found.add(path)
        read = list(fields(model().from_map(answer).to_map()))
        assert all(one in read for one in fields(answer) if not isinstance(one[1], dict | list))
    hidden = (
        "RemoteCaCertificate",
        "TunnelBandwidth",
        "Attachments[].Tag",
        "SourceLog",
        "NextToken",
    )
    absent = [path for path in known if path not in found]
    assert [path for path in absent if not any(name in path for name in hidden)] == []


@pytest.mark.parametrize(
    ("operation", "path", "name"),
    [
        ("DescribeVpnConnections", ("VpnConnections", "VpnConnection"), "VpnConnectionId"),
        ("DescribeVpnAttachments", ("VpnAttachments",), "InstanceId"),
        ("DescribeVcoRouteEntries", ("VcoRouteEntries",), "RouteDest"),
    ],
)
def test_pages_make_up_the_whole(operation, path, name):
    """Pages of ten, or as asked for, hold each row once, in order; those behind the end none."""
    for total, size in itertools.product((1, 49, 50, 51), (None, 1, 7, 50)):
        ids = [f"vco-{n}" for n in range(1, total + 1)]
        routes = [Route("vco-1", f"10.{n}.0.0/16") for n in range(total)]
        cloud = SmallCloud(connections=map(Connection, ids), routes=routes)
        asked = READS[operation] | ({} if size is None else {"PageSize": str(size)})
        found, pages = [], -(-total // (size or 10)) + 1
        for number in range(1, pages + 1):
            more = {} if number == 1 else {"PageNumber": str(number)}
            shown = cloud.call(operation, asked | more, float(total)).fields
            counts = [shown[one] for one in ("TotalCount", "PageNumber", "PageSize")]
            assert counts == [total, number, size or 10]
            for one in path:
                shown = shown[one]
            assert len(shown) <= (size or 10) * (number < pages)
            found += [row[name] for row in shown]
        wanted = ids if name != "RouteDest" else [one.route_dest for one in routes]
        assert found == wanted


@pytest.mark.parametrize("name", ["PageNumber", "PageSize"])
def test_pages_that_cannot_be_are_refused(name):
    """Page numbers and sizes are positive integers without leading zeros; 50 rows at most."""
    for text in ("0", "-1", "1.0", "x", "٣", "01", "9" * 5000):
        assert SmallCloud().list(**{name: text}).code == f"Invalid{name}"
    assert SmallCloud().list(PageSize="51").code == "InvalidPageSize"


def test_learned_routes_are_listed_apart_and_counted():
    """By kind of route, and by source where there are two tunnels."""
    cloud = SmallCloud(connections=[RICH, Connection("vco-2")], routes=[THERE])
    learned = ["172.16.0.0/12", "172.20.0.0/16", "172.21.0.0/16"]
    for more, total, shown in (
        ({"RouteEntryType": "custom"}, 1, ["10.1.0.0/16"]),
        ({"RouteEntryType": ""}, 1, ["10.1.0.0/16"]),
        (BGP, 3, learned),
        (BGP | {"PageSize": "1", "PageNumber": "2"}, 3, ["172.20.0.0/16"]),
    ):
        answer = cloud.list(**more).fields
        assert answer["TotalCount"] == total
        assert [row["RouteDest"] for row in answer["VcoRouteEntries"]] == shown
        rows = answer["VpnRouteCounts"]
        counts = {(row["RouteEntryType"], row["Source"]): row["RouteCount"] for row in rows}
        assert counts == {("custom", "CLOUD"): 1, ("bgp", "CLOUD"): 1, ("bgp", "VPN_BGP"): 2}
    assert cloud.list(RouteEntryType="x").code == "IllegalParam.RouteEntryType"
    assert "VpnRouteCounts" not in cloud.list(0.0, "vco-2").fields


def test_tunnels_follow_task_and_status():
    """A tunnel is updating while a task runs, and down when a harmful route is there."""
    cloud = SmallCloud(connections=[RICH])
    cloud.create(0.0, "vco-1", "100.64.0.0/16")
    for now, expected in (
        (1.0, ("updating", "ipsec_sa_established")),
        (5.0, ("active", "ike_sa_not_established")),
    ):
        answer = cloud.call("DescribeVpnConnection", ONE, now).fields
        rows = answer["TunnelOptionsSpecification"]["TunnelOptions"]
        assert [(row["State"], row["Status"]) for row in rows] == [expected] * 2


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, "1235"),
        ({"VpnConnectionId": "vco-2"}, "2"),
        ({"CustomerGatewayId": "cgw-2"}, "2"),
        ({"VpnGatewayId": "vpn-1"}, "1"),
        ({"ResourceGroupId": "rg-3"}, "3"),
        ({"VpnConnectionId": "vco-4"}, ""),
        ({"Tag.1.Key": "env"}, "12"),
        ({"Tag.1.Key": "env", "Tag.1.Value": "prod"}, "1"),
        ({"Tag.1.Key": "env", "Tag.20.Key": "team", "Tag.20.Value": "net"}, "1"),
        ({"Tag.1.Key": "env", "Tag.1.Value": "test", "Tag.2.Key": "team"}, ""),
        ({"Tag.1.Key": "other"}, ""),
    ],
)
def test_connections_can_be_filtered(filters, ids):
    """By ids and tags, all of which must fit; a tag without a value asks for its key."""
    connections = [
        Connection(
            *("vco-1", "cn-hangzhou"),
            vpn_gateway_id="vpn-1",
            attach_type="VPNGW",
            tags={"env": "prod", "team": "net"},
        ),
        Connection("vco-2", customer_gateway_id="cgw-2", tags={"env": "test"}),
        Connection("vco-3", resource_group_id="rg-3"),
        Connection("vco-4", "eu-west-1"),
        Connection("vco-5"),
        Connection("vco-6", account_id="2"),
    ]
    answer = SmallCloud(connections=connections).call("DescribeVpnConnections", HERE | filters)
    rows = answer.fields["VpnConnections"]["VpnConnection"]
    assert [row["VpnConnectionId"] for row in rows] == [f"vco-{n}" for n in ids]


def test_attachments_are_those_of_transit_routers_and_show_no_state():
    """The id is InstanceId, by which they are filtered; AttachType can only be CEN."""
    cloud = SmallCloud(
        connections=[
            Connection("vco-1"),
            Connection("vco-2"),
            Connection("vco-3", attach_type="VPNGW"),
        ]
    )

    def rows(**filters: str) -> list[dict[str, Any]]:
        return cloud.call("DescribeVpnAttachments", HERE | filters).fields["VpnAttachments"]

    assert [row["InstanceId"] for row in rows()] == ["vco-1", "vco-2"]
    assert rows()[0].keys().isdisjoint({"State", "Status", "VpnConnectionId"})
    chosen = rows(VpnConnectionId="vco-2", AttachType="CEN")
    assert [row["InstanceId"] for row in chosen] == ["vco-2"]
    wrong = cloud.call("DescribeVpnAttachments", HERE | {"AttachType": "VPNGW"})
    assert wrong.code == "InvalidAttachType"


def test_regions_are_the_vendor_s_and_the_caller_s():
    """All regions with their endpoints, names in the language asked for, and any invented ones."""
    cloud = SmallCloud(connections=[Connection("vco-1"), Connection("vco-2", "moon-base-1")])

    def names(**language: str) -> dict[str, str]:
        rows = cloud.call("DescribeRegions", language).fields["Regions"]["Region"]
        for row in rows:
            assert row["RegionEndpoint"] == f"vpc.{row['RegionId']}.aliyuncs.com"
        return {row["RegionId"]: row["LocalName"] for row in rows}

    assert len(names()) == 37
    assert names()["cn-hongkong"] == "中国香港"
    assert names(AcceptLanguage="en-US")["cn-qingdao"] == "China (Qingdao)"
    assert names()["moon-base-1"] == "moon-base-1"
    assert cloud.call("DescribeRegions", {"AcceptLanguage": "tlh"}).code == "InvalidAcceptLanguage"


def test_listing_waits_for_the_task_where_the_switch_says_so():
    """listing_needs_attached=True refuses a listing while updating; by default it works."""
    for switch, code in ((True, "Vco.StatusNotSupport"), (False, "")):
        cloud = SmallCloud(switches=Switches(listing_needs_attached=switch))
        cloud.create(0.0)
        assert [cloud.list(now).code for now in (3.9, 4.0)] == [code, ""]


@pytest.mark.parametrize(
    ("kind", "weights"), [("shown", [100, 0]), ("missing", [None] * 2), ("constant", [100] * 2)]
)
def test_the_weight_of_a_listing_is_a_switch(kind, weights):
    """Shown, missing or the same for all: newer SDKs call it not in use."""
    routes = [Route("vco-1", "10.1.0.0/16"), Route("vco-1", "10.2.0.0/16", 0)]
    cloud = SmallCloud(routes=routes, switches=Switches(listing_weight=kind))
    assert [row.get("Weight") for row in cloud.list().fields["VcoRouteEntries"]] == weights


# -- how answers are written ----------------------------------------------------------------------


def texts(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and text of all fields of an answer in JSON that hold no others."""
    for path, value in fields(data):
        if not isinstance(value, dict | list) or value == {"Tag": []}:
            text = value if isinstance(value, str) else json.dumps(value)
            yield path.replace("[]", ""), "" if isinstance(value, dict) else text


def parsed(body: bytes) -> ET.Element:
    """Read XML."""
    return ET.fromstring(body)  # noqa: S314 - what a simulator of ours wrote


def leaves(element: ET.Element, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of all elements of XML that hold no others."""
    for child in element:
        if len(child):
            yield from leaves(child, f"{path}.{child.tag}".lstrip("."))
        else:
            yield f"{path}.{child.tag}".lstrip("."), child.text or ""


DENIED = Account(policy={"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
NOBODY = {"credentials": Account("1", "nobody", "x").credentials}
WRITTEN = [
    *((name, asked | more, {}, {}) for name, asked in READS.items() for more in ({}, BGP)),
    ("CreateVcoRouteEntry", route("vco-1", "11.0.0.0/8", Description="<é>\r\n"), {}, {}),
    ("DeleteVcoRouteEntry", route(), {}, {}),
    ("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-9"}, {}, {}),
    ("DescribeRegions", {}, {"accounts": [DENIED]}, {}),
    ("DescribeRegions", {}, {}, NOBODY),
]


@pytest.mark.parametrize(("action", "asked", "options", "how"), WRITTEN)
def test_xml_says_what_json_says(action, asked, options, how):
    """Answers and refusals: lists plain and wrapped, numbers, truths, nested details."""
    options = {"connections": [RICH, Connection("vco-2")], "routes": [THERE]} | options
    data = SmallService(**options).call(action, asked, **how)
    answer = SmallService(**options).send(signed(action, asked | {"Format": "xml"}, **how))
    assert dict(answer.headers)[b"content-type"] == b"text/xml;charset=utf-8"
    tag = "Error" if "Code" in data else f"{action}Response"
    assert answer.body.startswith(b"<?xml version='1.0' encoding='UTF-8'?><%s>" % tag.encode())
    # A list is its element once for each item, and none where there is no item.
    assert list(leaves(parsed(answer.body))) == list(texts(data))


@pytest.mark.parametrize(
    ("form", "accept", "expected"),
    [
        *((form, None, "JSON") for form in (None, "", "JSON", "json", "Json")),
        *((form, None, "XML") for form in ("XML", "xml")),
        *((form, None, "InvalidParameter.Format") for form in ("YAML", "jsonx", "<xml>")),
        (None, "application/xml", "XML"),
        (None, "text/xml", "XML"),
        ("JSON", "application/xml", "JSON"),
        (None, "*/*", "JSON"),
        (None, "application/json, application/xml", "JSON"),
    ],
)
def test_json_is_the_default(form, accept, expected):
    """Format asks in any letters, Accept where Format does not; a third is refused in JSON."""
    asked = {} if form is None else {"Format": form}
    answer = SmallService().send(signed("DescribeRegions", asked, headers={"accept": accept}))
    if expected == "XML":
        assert parsed(answer.body).tag == "DescribeRegionsResponse"
    else:
        body = json.loads(answer.body)
        assert body.get("Code", "JSON") == expected
        assert dict(answer.headers)[b"content-type"] == b"application/json;charset=utf-8"


def test_text_that_xml_cannot_hold_is_replaced():
    """Control characters are none of XML's; everything else survives, markup too."""
    text = "a\x00b\x1b[31mc\ufffe <script>&amp;]]> \t\n\r 😀"
    parameters = route(Description=text) | {"Format": "XML"}
    answer = SmallService().send(signed("CreateVcoRouteEntry", parameters))
    shown = parsed(answer.body).findtext("Description")
    assert shown == re.sub("[\x00\x1b\ufffe]", "\ufffd", text)


def test_an_error_has_the_vendor_s_envelope():
    """RequestId, HostId, Code, Message and Recommend, nothing else."""
    asked = ONE | {"VpnConnectionId": "vco-9"}
    answer = SmallService().send(signed("DescribeVpnConnection", asked))
    body = json.loads(answer.body)
    assert answer.status == 404
    assert dict(answer.headers)[b"x-acs-request-id"].decode() == body["RequestId"]
    assert body == {
        "RequestId": body["RequestId"],
        "HostId": "127.0.0.1:80",
        "Code": NOT_FOUND,
        "Message": "The specified vpn connection instance id does not exist.",
        "Recommend": "https://api.alibabacloud.com/troubleshoot"
        f"?q={NOT_FOUND}&product=Vpc&requestId={body['RequestId']}",
    }
