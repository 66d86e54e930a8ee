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
from alibabacloud_vpc20160428 import models
from hypothesis import example, given
from hypothesis import strategies as st

from tests.simulator.conftest import (
    CONTRACT,
    SmallCloud,
    SmallService,
    route,
    vendor_signed,
)
from vcokit.simulator import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    Account,
    Connection,
    LearnedRoute,
    Route,
    Switches,
)
from vcokit.simulator.backend import Cloud

# One spoiled request for each check of a create, in the order of the design; "there" are the
# routes that it then meets. A later one never hides an earlier one.
SPOILED = [
    ("MissingRegionId", {"RegionId": ""}),
    ("MissingVpnConnectionId", {"VpnConnectionId": ""}),
    ("MissingRouteDest", {"RouteDest": ""}),
    ("MissingWeight", {"Weight": ""}),
    ("MissingNextHop", {"NextHop": ""}),
    ("InvalidWeight", {"Weight": "50"}),
    ("InvalidVpnConnectionInstanceId.NotFound", {"VpnConnectionId": "vco-9"}),
    ("IllegalParam.RouteDest", {"RouteDest": "10.1.2.3/16"}),
    ("OperationFailed.InvalidCidrBlock", {"RouteDest": "0.0.0.0/0"}),
    ("InvalidNextHop.NotFound", {"NextHop": "vco-2"}),
]
THERE = [
    ("VpnRouteEntry.AlreadyExists", Route("vco-1", "10.1.0.0/16", 100, "vco-1")),
    ("VpnRouteEntry.Conflict", Route("vco-1", "10.1.0.0/16", 0, "vco-1")),
    ("VpnRouteEntry.BackupRoute", Route("vco-1", "10.1.0.0/16", 100, "vco-2")),
]


def test_a_create_is_checked_in_the_design_s_order():
    """Of two things wrong with the parameters the one that the design names first is answered."""
    for (code, first), (other, second) in itertools.combinations(SPOILED, 2):
        cloud = SmallCloud()
        if set(first) & set(second):
            continue
        assert cloud.create(0.0, **{**second, **first}).code == code, (code, other)


@pytest.mark.parametrize(("code", "changes"), SPOILED)
def test_parameters_are_checked_before_tasks_and_routes(code, changes):
    """What is wrong with the parameters is answered though a task runs and the route is there."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")], quota=1)
    cloud.delete(0.0)
    assert cloud.create(1.0, **changes).code == code


def test_routes_are_checked_in_the_design_s_order():
    """Same route before other weight, before other next hop, before the quota; busy before all."""
    for count in range(len(THERE), 0, -1):
        for chosen in itertools.combinations(THERE, count):
            routes = [route for _, route in chosen]
            cloud = SmallCloud(routes=[*routes, Route("vco-1", "10.9.0.0/16")], quota=1)
            assert cloud.create(0.0).code == chosen[0][0]
            cloud.delete(0.0, "vco-1", "10.9.0.0/16")
            assert cloud.create(1.0).code == "VpnConnection.Configuring"
    cloud = SmallCloud(routes=[Route("vco-1", "10.9.0.0/16")], quota=1)
    assert cloud.create(0.0).code == "CreateDbrRoutesQuotaFull.QuotaFull"


@pytest.mark.parametrize("operation", ["CreateVcoRouteEntry", "DeleteVcoRouteEntry"])
def test_absent_and_empty_are_the_same(operation):
    """A required parameter that is absent is missed like an empty one, in order."""
    required = CONTRACT["operations"][operation]["parameters"]["required"]
    assert len(required) == 5
    for position, name in enumerate(required):
        absent = route()
        for later in required[position:]:
            del absent[later]
        assert SmallCloud().call(operation, absent).code == f"Missing{name}"


def test_a_modify_misses_its_new_weight():
    """NewWeight is required, between Weight and NextHop."""
    assert SmallCloud().modify(0.0, NewWeight="", NextHop="").code == "MissingNewWeight"
    assert SmallCloud().modify(0.0, NewWeight="", Weight="").code == "MissingWeight"


@pytest.mark.parametrize(
    "text",
    ["1", "50", "-0", "+100", "0100", "00", "100.0", "1e2", " 100", "100\n", "１００", "true"],
)
def test_a_weight_is_the_very_text_0_or_100(text):
    """Nothing but 0 and 100 is a weight, in any of the three writes."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.delete(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.modify(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.modify(0.0, NewWeight=text).code == "InvalidNewWeight"


@pytest.mark.parametrize("id_", ["vco-", "vpn-1", "vco-1 ", "VCO-1", "vco-ü", "vco-1\n", "*", "1"])
def test_ids_that_name_nothing_are_not_found(id_):
    """A malformed id is answered like one that does not exist, with 404."""
    answer = SmallCloud().create(0.0, VpnConnectionId=id_, NextHop=id_)
    assert (answer.status, answer.code) == (404, "InvalidVpnConnectionInstanceId.NotFound")


def test_a_starred_id_is_an_id():
    """The documentation hides parts of ids behind stars; such an id can be used."""
    cloud = SmallCloud(connections=[Connection("vco-p0w2jpkhi2eeop6q6****")])
    assert cloud.create(0.0, "vco-p0w2jpkhi2eeop6q6****").status == 200


def strictly_a_network(text: str) -> bool:
    """Tell by the standard library whether a text is a.b.c.d/len without host bits."""
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdigit()) or str(int(length)) != length:
        return False
    try:
        ipaddress.IPv4Address(address)
        ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return True


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
@example("::/0")
@example("10.0.0.0/999")
@example("10.0.0.0/08")
@example("010.0.0.0/8")
@example("10.0.0.0/8 ")
@example("10.0.0/8")
@example("10.0.0.0")
@example("10.0.0.0/255.0.0.0")
@example("255.255.255.255/32")
def test_a_destination_is_what_the_standard_library_says(text):
    """A destination is accepted exactly where ipaddress reads a strict network."""
    cloud = Cloud([Connection("vco-1")])
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1", "NextHop": "vco-1"}
    code = cloud.call(
        "CreateVcoRouteEntry", named | {"RouteDest": text, "Weight": "0"}, now=0.0
    ).code
    if not text:
        assert code == "MissingRouteDest"
    elif strictly_a_network(text.removesuffix("/0") + "/32" if text.endswith("/0") else text):
        assert code == ("OperationFailed.InvalidCidrBlock" if text.endswith("/0") else "")
    else:
        assert code == "IllegalParam.RouteDest"


def test_a_pair_across_connections_is_no_conflict():
    """The same network on two connections, with the same or another weight, is accepted."""
    cloud = SmallCloud()
    assert cloud.create(0.0, "vco-1").status == 200
    assert cloud.create(0.0, "vco-2", Weight="0").status == 200
    assert cloud.create(0.0, "vco-3").status == 200


def test_longer_and_shorter_prefixes_are_no_conflict():
    """Only the equal network counts as there."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, "vco-1", "10.1.0.0/17", Weight="0").status == 200
    assert cloud.create(4.0, "vco-1", "10.0.0.0/15", Weight="0").status == 200


def test_the_quota_counts_routes_of_the_connection():
    """The last free place is taken, the next is refused, a delete frees one."""
    cloud = SmallCloud(quota=2)
    cloud.create(0.0, "vco-1", "10.1.0.0/16")
    assert cloud.create(4.0, "vco-1", "10.2.0.0/16").status == 200
    assert cloud.create(8.0, "vco-1", "10.3.0.0/16").code == "CreateDbrRoutesQuotaFull.QuotaFull"
    assert cloud.create(8.0, "vco-2", "10.3.0.0/16").status == 200
    cloud.delete(8.0, "vco-1", "10.1.0.0/16")
    assert cloud.create(12.0, "vco-1", "10.3.0.0/16").status == 200


def test_the_default_quota_is_50():
    """Fifty routes are let in, the next is not."""
    cloud = SmallCloud(task_seconds=0.0, limits={"CreateVcoRouteEntry": (99, 60.0)})
    codes = [cloud.create(0.0, "vco-1", f"10.{n}.0.0/16").code for n in range(51)]
    assert codes == [""] * 50 + ["CreateDbrRoutesQuotaFull.QuotaFull"]


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
    """Delete and modify find a route only by connection, network, next hop and present weight."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.modify(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.listed(0.0) == {("10.1.0.0/16", 100)}


def test_a_route_with_a_foreign_next_hop_can_be_changed_and_deleted():
    """What is there can be named, even if it could not be created."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16", 100, "vco-2")])
    assert cloud.modify(0.0, NextHop="vco-2").status == 200
    assert cloud.delete(4.0, NextHop="vco-2", Weight="0").status == 200
    assert cloud.listed(8.0) == set()


@pytest.mark.parametrize(("code", "changes"), SPOILED[:9])
def test_deletes_and_modifies_are_checked_like_creates(code, changes):
    """Missing and invalid parameters give the same codes in all three writes."""
    assert SmallCloud().delete(0.0, **changes).code == code
    assert SmallCloud().modify(0.0, **changes).code == code


def test_a_weight_that_is_there_already_cannot_be_set():
    """A modify to the present weight finds its own route there."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.modify(0.0, NewWeight="100").code == "VpnRouteEntry.AlreadyExists"


def test_only_ipsec_tunnels_there_are():
    """OverlayMode is Ipsec or absent."""
    assert SmallCloud().create(0.0, OverlayMode="Gre").code == "InvalidOverlayMode"
    assert SmallCloud().create(0.0, OverlayMode="Ipsec").status == 200


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_a_dry_run_changes_nothing_and_says_so(text):
    """A passed dry run is the error DryRunOperation; the state and the token stay as they were."""
    cloud = SmallCloud()
    answer = cloud.create(0.0, DryRun=text, ClientToken="t")
    assert (answer.status, answer.code) == (400, "DryRunOperation")
    assert cloud.describe(0.0)[0] == "attached"
    assert cloud.create(0.0, DryRun="false", ClientToken="t").status == 200


def test_a_failed_dry_run_gives_its_own_error():
    """A dry run is refused by what would refuse the create."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, DryRun="true").code == "VpnRouteEntry.AlreadyExists"
    assert cloud.create(0.0, DryRun="true", Weight="1").code == "InvalidWeight"
    assert cloud.create(0.0, DryRun="perhaps").code == "InvalidDryRun"


def test_only_a_create_can_be_dry():
    """Delete and modify know no DryRun: they act."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(0.0, DryRun="true").status == 200
    assert cloud.listed(0.0) == set()


def test_what_lies_beyond_the_routes_hides_no_numbered_check():
    """A learned route, an SSL pool and a full router are told only where nothing else is wrong."""
    beyond = Connection(
        "vco-1",
        ssl_client_pools=("10.0.0.0/8",),
        learned_routes=(LearnedRoute("10.1.0.0/16"),),
    )
    for code, there in (
        *THERE,
        ("CreateDbrRoutesQuotaFull.QuotaFull", Route("vco-1", "9.0.0.0/8")),
    ):
        cloud = SmallCloud(connections=[beyond], routes=[there], quota=1, router_quota=1)
        assert cloud.create(0.0).code == code
    cloud = SmallCloud(connections=[beyond], routes=[Route("vco-1", "9.0.0.0/8")], router_quota=1)
    assert cloud.create(0.0).code == "VpnRouteEntry.Conflict"
    assert cloud.create(0.0, "vco-1", "10.9.0.0/16").code == "VpnRouteEntry.ConflictSSL"
    assert cloud.create(0.0, "vco-1", "11.0.0.0/8").code == "QuotaExceeded.VpnRouteEntry"


def test_the_quota_of_a_router_counts_all_its_connections():
    """Those there and those on their way, of connections of one router, account and kind only."""
    others = [
        Connection("vco-2"),
        Connection("vco-3", transit_router_id="tr-2"),
        Connection("vco-4", account_id="2"),
        Connection("vco-5", attach_type="VPNGW"),
    ]
    routes = [Route(f"vco-{n}", "10.9.0.0/16") for n in (2, 3, 4, 5)]
    cloud = SmallCloud(connections=[Connection("vco-1"), *others], routes=routes, router_quota=3)
    assert cloud.create(0.0, "vco-2").status == 200
    assert cloud.create(0.0, "vco-1").status == 200
    assert cloud.create(4.0, "vco-1", "10.2.0.0/16").code == "QuotaExceeded.VpnRouteEntry"
    assert cloud.create(4.0, "vco-3").status == 200


STATES = CONTRACT["states"]


@pytest.mark.parametrize("kind", ["NO_ASSOCIATED", "VPNGW"])
def test_a_connection_without_transit_router_takes_no_writes(kind):
    """It is told behind an unknown connection, before a wrong destination; listings never work."""
    cloud = SmallCloud(connections=[Connection("vco-1", attach_type=kind)])
    for answer in (cloud.create(), cloud.delete(), cloud.modify(), cloud.list()):
        assert (answer.status, answer.code) == (400, "Vco.StatusNotSupport")
    assert cloud.create(0.0, "vco-1", "0.0.0.0/0").code == "Vco.StatusNotSupport"
    assert cloud.create(0.0, "vco-9").code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"


@pytest.mark.parametrize("state", STATES["passing"])
def test_a_connection_on_its_way_is_busy(state):
    """Its State is shown; writes are refused as busy unless the switch is off, listings always."""
    connections = [Connection("vco-1", state=state)]
    cloud = SmallCloud(connections=connections)
    assert cloud.describe()[0] == state
    assert cloud.list().code == "Vco.StatusNotSupport"
    for write in (cloud.create, cloud.delete, cloud.modify):
        assert write().code == "VpnConnection.Configuring"
    free = SmallCloud(connections=connections, switches=Switches(not_attached_refused=False))
    assert free.create().status == 200


# -- listings ------------------------------------------------------------------------------------


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
def test_answers_have_the_contract_s_fields_and_types(operation, kind):
    """Each field that is answered is one of the contract, with its JSON type."""
    if kind != "CEN" and operation == "DescribeVcoRouteEntries":
        kind = "CEN"
    connections = [Connection("vco-1", attach_type=kind, vpn_gateway_id="vpn-1")]
    answer = SmallService(connections=connections, routes=[Route("vco-1", "10.1.0.0/16")]).call(
        operation, READS[operation]
    )
    known = CONTRACT["operations"][operation]["answer"]["fields"]
    for path, value in fields(answer):
        assert path in known, path
        assert type(value) is JSON_TYPES[known[path]], path


@pytest.mark.parametrize("more", [{}, {"RouteEntryType": "bgp"}])
@pytest.mark.parametrize("operation", READS)
def test_a_connection_of_two_tunnels_shows_the_contract_s_fields(operation, more):
    """Tunnels, tags, learned routes and their counts: known fields of the right JSON type."""
    before = SmallService(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])
    known = CONTRACT["operations"][operation]["answer"]["fields"]
    for path, value in fields(before.call(operation, READS[operation] | more)):
        assert path in known, path
        assert type(value) is JSON_TYPES[known[path]], path


@pytest.mark.parametrize("operation", READS)
def test_answers_lack_nothing(operation):
    """All answers together hold all fields of the contract but those named here."""
    before = SmallService(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])
    gateway = SmallService(
        connections=[Connection("vco-1", attach_type="VPNGW", vpn_gateway_id="vpn-1")]
    )
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
    absent = CONTRACT["operations"][operation]["answer"]["fields"].keys() - found
    assert [path for path in absent if not any(name in path for name in hidden)] == []


def test_lists_are_wrapped_as_the_vendor_wraps_them():
    """Regions and connections stand in a singular element, routes and attachments do not."""
    ask = SmallService(routes=[Route("vco-1", "10.1.0.0/16")]).call
    assert isinstance(ask("DescribeRegions")["Regions"]["Region"], list)
    assert isinstance(ask("DescribeVpnConnections", HERE)["VpnConnections"]["VpnConnection"], list)
    assert isinstance(ask("DescribeVcoRouteEntries", ONE)["VcoRouteEntries"], list)
    assert isinstance(ask("DescribeVpnAttachments", HERE)["VpnAttachments"], list)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("connection", [Connection("vco-1"), RICH], ids=["plain", "rich"])
def test_the_vendor_s_models_take_every_answer(operation, connection):
    """The SDK reads each answer into its model and loses no field."""
    before = SmallService(connections=[connection], routes=[Route("vco-1", "10.1.0.0/16")])
    answer = before.call(operation, READS[operation])
    model = getattr(models, f"{operation}ResponseBody")().from_map(answer)
    assert leaves(answer) <= leaves(model.to_map())


def test_descriptions_hold_secrets():
    """The pre-shared key and the BGP key are in both answers, so that clients can drop them."""
    world = SmallService(connections=[RICH])
    one = world.call("DescribeVpnConnection", ONE)
    row = world.call("DescribeVpnConnections", HERE)["VpnConnections"]["VpnConnection"][0]
    for shown in (one, row):
        tunnels = shown["TunnelOptionsSpecification"]["TunnelOptions"]
        assert [tunnel["TunnelIkeConfig"]["Psk"] for tunnel in tunnels] == [CANARY_PSK] * 2
        assert shown["IkeConfig"]["Psk"] == CANARY_PSK
        assert shown["VpnBgpConfig"]["AuthKey"] == CANARY_AUTH_KEY


def test_attachments_name_the_connection_otherwise_and_show_no_state():
    """The id is InstanceId, neither State nor Status is there, only attached ones are listed."""
    connections = [Connection("vco-1", name="a"), Connection("vco-2", attach_type="VPNGW")]
    rows = SmallService(connections=connections).call("DescribeVpnAttachments", HERE)[
        "VpnAttachments"
    ]
    assert [row["InstanceId"] for row in rows] == ["vco-1"]
    assert rows[0].keys().isdisjoint({"State", "Status", "VpnConnectionId"})


@pytest.mark.parametrize(
    ("kind", "state"), [("CEN", "attached"), ("NO_ASSOCIATED", "init"), ("VPNGW", "active")]
)
def test_the_state_of_an_idle_connection_follows_its_attachment(kind, state):
    """What a connection is bound to decides its State."""
    cloud = SmallCloud(connections=[Connection("vco-1", attach_type=kind)])
    assert cloud.describe()[0] == state


@pytest.mark.parametrize(
    ("operation", "rows"),
    [
        ("DescribeVpnConnections", lambda a: a["VpnConnections"]["VpnConnection"]),
        ("DescribeVpnAttachments", lambda a: a["VpnAttachments"]),
    ],
)
def test_connections_come_in_pages_of_ten(operation, rows):
    """Without PageNumber and PageSize the first ten are shown."""
    cloud = SmallCloud(connections=[Connection(f"vco-{n}") for n in range(25)])
    first = cloud.call(operation, HERE).fields
    assert (first["TotalCount"], first["PageNumber"], first["PageSize"]) == (25, 1, 10)
    last = cloud.call(operation, HERE | {"PageNumber": "3"}).fields
    assert (len(rows(first)), len(rows(last))) == (10, 5)


@pytest.mark.parametrize("name", ["PageNumber", "PageSize"])
@pytest.mark.parametrize("text", ["0", "-1", "1.0", "x", "٣", "01", "9" * 5000])
def test_pages_that_cannot_be_are_refused(name, text):
    """Page numbers and sizes are positive integers without leading zeros."""
    assert SmallCloud().list(**{name: text}).code == f"Invalid{name}"


def test_a_page_has_at_most_50_rows():
    """50 are granted, 51 are refused."""
    assert SmallCloud().list(PageSize="50").status == 200
    assert SmallCloud().list(PageSize="51").code == "InvalidPageSize"


def test_learned_routes_are_listed_apart():
    """RouteEntryType custom or absent lists destination routes, bgp the others; x is refused."""
    cloud = SmallCloud(connections=[RICH], routes=[Route("vco-1", "10.1.0.0/16")])

    def shown(**how: str) -> list[str]:
        answer = cloud.list(**how).fields
        assert answer["TotalCount"] >= len(answer["VcoRouteEntries"])
        return [row["RouteDest"] for row in answer["VcoRouteEntries"]]

    assert shown(RouteEntryType="custom") == shown(RouteEntryType="") == ["10.1.0.0/16"]
    assert shown(RouteEntryType="bgp") == ["172.16.0.0/12", "172.20.0.0/16"]
    assert shown(RouteEntryType="bgp", PageSize="1", PageNumber="2") == ["172.20.0.0/16"]
    assert cloud.list(RouteEntryType="x").code == "IllegalParam.RouteEntryType"


def test_routes_are_counted_where_there_are_two_tunnels():
    """By kind and source; a connection of one tunnel has no such statistics."""
    cloud = SmallCloud(
        connections=[RICH, Connection("vco-2")], routes=[Route("vco-1", "10.1.0.0/16")]
    )
    counts = {
        (row["RouteEntryType"], row["Source"]): row["RouteCount"]
        for row in cloud.list().fields["VpnRouteCounts"]
    }
    assert counts == {("custom", "CLOUD"): 1, ("bgp", "CLOUD"): 1, ("bgp", "VPN_BGP"): 1}
    assert "VpnRouteCounts" not in cloud.list(0.0, "vco-2").fields


def test_tunnels_follow_task_and_status():
    """A tunnel is updating while a task runs, and down when a harmful route is there."""
    cloud = SmallCloud(connections=[RICH])

    def tunnels(now: float) -> set[tuple[str, str]]:
        answer = cloud.call("DescribeVpnConnection", ONE, now).fields
        rows = answer["TunnelOptionsSpecification"]["TunnelOptions"]
        return {(row["State"], row["Status"]) for row in rows}

    cloud.create(0.0, "vco-1", "100.64.0.0/16")
    assert tunnels(1.0) == {("updating", "ipsec_sa_established")}
    assert tunnels(5.0) == {("active", "ike_sa_not_established")}


@pytest.mark.parametrize("operation", READS)
def test_reads_miss_what_they_need(operation):
    """RegionId and, where one connection is meant, VpnConnectionId are required."""
    for name in READS[operation]:
        assert SmallCloud().call(operation, READS[operation] | {name: ""}).code == f"Missing{name}"


def test_connections_can_be_filtered():
    """By id, gateway, customer gateway and resource group."""
    cloud = SmallCloud(
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


def test_connections_can_be_filtered_by_tags():
    """All tags that are asked for must be there; without a value any value will do."""
    cloud = SmallCloud(
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


def test_a_locked_connection_is_read_only():
    """Overdue payment refuses writes by a code of its own; it can still be read."""
    cloud = SmallCloud(
        connections=[Connection("vco-1", state="financialLocked")],
        routes=[Route("vco-1", "10.1.0.0/16")],
    )
    assert cloud.describe()[0] == "financialLocked"
    assert cloud.listed() == {("10.1.0.0/16", 100)}
    for write in (cloud.create, cloud.delete, cloud.modify):
        assert write().code == "VpnConnection.FinancialLocked"


def test_attachments_can_be_filtered():
    """By id; AttachType can only be CEN."""
    cloud = SmallCloud()
    answer = cloud.call("DescribeVpnAttachments", ONE | {"AttachType": "CEN"})
    assert [row["InstanceId"] for row in answer.fields["VpnAttachments"]] == ["vco-1"]
    wrong = cloud.call("DescribeVpnAttachments", HERE | {"AttachType": "VPNGW"})
    assert wrong.code == "InvalidAttachType"


def test_regions_are_the_vendor_s_and_the_caller_s():
    """All regions with their endpoints, names in the language asked for, and any invented ones."""
    cloud = SmallCloud(connections=[Connection("vco-1"), Connection("vco-2", "moon-base-1")])

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


def test_listing_waits_for_the_task_where_the_switch_says_so():
    """listing_needs_attached=True refuses a listing while updating; by default it works."""
    assert SmallCloud().list(0.0).status == 200
    cloud = SmallCloud(switches=Switches(listing_needs_attached=True))
    cloud.create(0.0)
    assert cloud.list(3.9).code == "Vco.StatusNotSupport"
    assert cloud.list(4.0).status == 200


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("total", [0, 1, 49, 50, 51])
def test_pages_make_up_the_whole(total, size):
    """The pages of any size hold each row once, in order; those behind the end are empty."""
    routes = [Route("vco-1", f"10.{n}.0.0/16") for n in range(total)]
    cloud = SmallCloud(routes=routes)
    found = []
    for number in range(1, -(-total // size) + 2):
        answer = cloud.list(PageNumber=str(number), PageSize=str(size)).fields
        rows = answer.pop("VcoRouteEntries")
        assert answer == {"TotalCount": total, "PageNumber": number, "PageSize": size}
        assert len(rows) == max(0, min(size, total - (number - 1) * size))
        found += [row["RouteDest"] for row in rows]
    assert found == [one.route_dest for one in routes]


@pytest.mark.parametrize(
    ("kind", "weights"), [("shown", [100, 0]), ("missing", [None] * 2), ("constant", [100] * 2)]
)
def test_the_weight_of_a_listing_is_a_switch(kind, weights):
    """Shown, missing or the same for all: newer SDKs call it not in use."""
    routes = [Route("vco-1", "10.1.0.0/16"), Route("vco-1", "10.2.0.0/16", 0)]
    cloud = SmallCloud(routes=routes, switches=Switches(listing_weight=kind))
    assert [row.get("Weight") for row in cloud.list().fields["VcoRouteEntries"]] == weights


# -- how answers are written ------------------------------------------------------------------


LEARNED = LearnedRoute("172.16.0.0/12", source="CLOUD", as_path="[12000]", community="65535:65510")
LISTED = [
    Connection("vco-1", name="<a & b>", tags={"env": "prod"}, tunnels=2, learned_routes=[LEARNED]),
    Connection("vco-2"),
]
ROUTES = [Route("vco-1", "10.1.0.0/16"), Route("vco-1", "10.2.0.0/16", weight=0)]


def as_json_has_it(element: ET.Element, shape: Any) -> Any:
    """Read XML back by the shape of a JSON answer: the rule for lists the other way round."""
    if isinstance(shape, dict):
        found: dict[str, Any] = {}
        for name, inner in shape.items():
            children = element.findall(name)
            if isinstance(inner, list):
                assert len(children) == len(inner), name
                found[name] = [as_json_has_it(*pair) for pair in zip(children, inner, strict=True)]
            else:
                (child,) = children
                found[name] = as_json_has_it(child, inner)
        assert {child.tag for child in element} <= shape.keys()
        return found
    text = element.text or ""
    if isinstance(shape, bool):
        return {"true": True, "false": False}[text]
    return int(text) if isinstance(shape, int) else text


def parsed(body: bytes) -> ET.Element:
    """Read XML."""
    return ET.fromstring(body)  # noqa: S314 - what a simulator of ours wrote


def both(action, parameters, **options):
    """Return an answer as JSON has it and as XML has it."""
    written = SmallService(**options).send(vendor_signed(action, parameters))
    as_xml = SmallService(**options).send(vendor_signed(action, parameters | {"Format": "xml"}))
    return json.loads(written.body), as_xml


@pytest.mark.parametrize("action", READS)
def test_xml_says_what_json_says(action):
    """Each reading operation: lists plain and wrapped, tags, tunnels, both kinds of route."""
    options = {"connections": LISTED, "routes": ROUTES}
    for more in ({}, {"RouteEntryType": "bgp"}):
        data, answer = both(action, READS[action] | more, **options)
        root = parsed(answer.body)
        assert root.tag == f"{action}Response"
        assert as_json_has_it(root, data) == data


@pytest.mark.parametrize("write", ["CreateVcoRouteEntry", "DeleteVcoRouteEntry"])
def test_writes_answer_in_xml_too(write):
    """Fields of a create, the bare request id of a delete."""
    routes = [] if write.startswith("Create") else [Route("vco-1", "10.1.0.0/16")]
    data, answer = both(write, route(Description="<é>\r\n"), routes=routes)
    assert as_json_has_it(parsed(answer.body), data) == data


def test_xml_has_its_declaration_and_content_type():
    """Exactly the value by which the vendor's SDK knows XML."""
    answer = SmallService().send(vendor_signed("DescribeRegions", {"Format": "XML"}))
    assert answer.body.startswith(
        b"<?xml version='1.0' encoding='UTF-8'?><DescribeRegionsResponse>"
    )
    assert dict(answer.headers)[b"content-type"] == b"text/xml;charset=utf-8"


def test_an_error_in_xml_has_the_vendor_s_envelope():
    """<Error> with RequestId, HostId, Code, Message and Recommend."""
    data, answer = both("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-9"})
    root = parsed(answer.body)
    assert (answer.status, root.tag) == (404, "Error")
    assert as_json_has_it(root, data) == data
    assert [child.tag for child in root] == ["RequestId", "HostId", "Code", "Message", "Recommend"]


def test_a_wrapped_list_stands_in_one_element():
    """Regions holds many Region; a plain list is its element again and again."""
    regions = parsed(SmallService().send(vendor_signed("DescribeRegions", {"Format": "XML"})).body)
    assert len(regions.findall("Regions")) == 1
    assert len(regions.findall("Regions/Region")) > 30
    before = SmallService(routes=ROUTES)
    routes = before.send(vendor_signed("DescribeVcoRouteEntries", ONE | {"Format": "XML"}))
    assert len(parsed(routes.body).findall("VcoRouteEntries")) == 2


@pytest.mark.parametrize("form", ["JSON", "json", "Json", "", None])
def test_json_is_the_default(form):
    """In any letters, empty or absent."""
    answer = SmallService().send(
        vendor_signed("DescribeRegions", {} if form is None else {"Format": form})
    )
    assert json.loads(answer.body)["Regions"]


def test_accept_asks_where_format_does_not():
    """application/xml alone asks for XML; the parameter wins, and */* asks for nothing."""
    before = SmallService()
    for accept, more, xml in (
        ("application/xml", {}, True),
        ("text/xml", {}, True),
        ("application/xml", {"Format": "JSON"}, False),
        ("*/*", {}, False),
        ("application/json, application/xml", {}, False),
    ):
        answer = before.send(vendor_signed("DescribeRegions", more, headers={"accept": accept}))
        assert answer.body.startswith(b"<?xml") is xml, accept


@pytest.mark.parametrize("form", ["YAML", "jsonx", "<xml>"])
def test_other_formats_are_refused_in_json(form):
    """There are two formats; who asks for a third is told so in the default."""
    answer = SmallService().send(vendor_signed("DescribeRegions", {"Format": form}))
    assert json.loads(answer.body)["Code"] == "InvalidParameter.Format"


def test_text_that_xml_cannot_hold_is_replaced():
    """Control characters are none of XML's; everything else survives, markup too."""
    text = "a\x00b\x1b[31mc\ufffe <script>&amp;]]> \t\n\r 😀"
    parameters = route(Description=text) | {"Format": "XML"}
    answer = SmallService().send(vendor_signed("CreateVcoRouteEntry", parameters))
    told = parsed(answer.body).findtext("Description")
    assert told == re.sub("[\x00\x1b\ufffe]", "\ufffd", text)


def test_a_refused_request_is_answered_in_its_format():
    """Even one that was not let in."""
    nobody = Account("1", "nobody", "x").credentials
    answer = SmallService().send(
        vendor_signed("DescribeRegions", {"Format": "XML"}, credentials=nobody)
    )
    assert parsed(answer.body).findtext("Code") == "InvalidAccessKeyId.NotFound"


def test_a_permission_s_detail_is_written_in_both():
    """AccessDeniedDetail nests in XML as in JSON."""
    account = Account(policy={"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    data, answer = both("DescribeRegions", {}, accounts=[account])
    assert data["AccessDeniedDetail"]["AuthAction"] == "vpc:DescribeRegions"
    assert as_json_has_it(parsed(answer.body), data) == data


def test_an_error_has_the_vendor_s_envelope():
    """RequestId, HostId, Code, Message and Recommend, nothing else, in JSON by default."""
    answer = SmallService().send(
        vendor_signed("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-9"})
    )
    body = json.loads(answer.body)
    assert answer.status == 404
    assert dict(answer.headers)[b"content-type"] == b"application/json;charset=utf-8"
    assert dict(answer.headers)[b"x-acs-request-id"].decode() == body["RequestId"]
    assert body == {
        "RequestId": body["RequestId"],
        "HostId": "127.0.0.1:80",
        "Code": "InvalidVpnConnectionInstanceId.NotFound",
        "Message": "The specified vpn connection instance id does not exist.",
        "Recommend": "https://api.alibabacloud.com/troubleshoot"
        f"?q=InvalidVpnConnectionInstanceId.NotFound&product=Vpc&requestId={body['RequestId']}",
    }
