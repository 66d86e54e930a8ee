"""In which order a write is refused, and by which codes."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vcokit.simulator import Connection, LearnedRoute, Route, Switches
from vcokit.simulator.facts import OPERATIONS
from vcokit.simulator.limits import merged_limits
from vcokit.simulator.prefixes import parse_destination

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


def test_a_create_is_checked_in_the_design_s_order(world):
    """Of two things wrong with the parameters the one that the design names first is answered."""
    for (code, first), (other, second) in itertools.combinations(SPOILED, 2):
        cloud = world()
        if set(first) & set(second):
            continue
        assert cloud.create(0.0, **{**second, **first}).code == code, (code, other)


@pytest.mark.parametrize(("code", "changes"), SPOILED)
def test_parameters_are_checked_before_tasks_and_routes(world, code, changes):
    """What is wrong with the parameters is answered though a task runs and the route is there."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")], quota=1)
    cloud.delete(0.0)
    assert cloud.create(1.0, **changes).code == code


def test_routes_are_checked_in_the_design_s_order(world):
    """Same route before other weight, before other next hop, before the quota; busy before all."""
    for count in range(len(THERE), 0, -1):
        for chosen in itertools.combinations(THERE, count):
            routes = [route for _, route in chosen]
            cloud = world(routes=[*routes, Route("vco-1", "10.9.0.0/16")], quota=1)
            assert cloud.create(0.0).code == chosen[0][0]
            cloud.delete(0.0, "vco-1", "10.9.0.0/16")
            assert cloud.create(1.0).code == "VpnConnection.Configuring"
    cloud = world(routes=[Route("vco-1", "10.9.0.0/16")], quota=1)
    assert cloud.create(0.0).code == "CreateDbrRoutesQuotaFull.QuotaFull"


def test_what_lies_beyond_the_routes_hides_no_numbered_check(world):
    """A learned route, an SSL pool and a full router are told only where nothing else is wrong."""
    beyond = Connection(
        "vco-1",
        ssl_client_pools=("10.0.0.0/8",),
        learned_routes=(LearnedRoute("10.1.0.0/16"),),
    )
    for code, route in (
        *THERE,
        ("CreateDbrRoutesQuotaFull.QuotaFull", Route("vco-1", "9.0.0.0/8")),
    ):
        cloud = world(connections=[beyond], routes=[route], quota=1, router_quota=1)
        assert cloud.create(0.0).code == code
    assert world(connections=[beyond], router_quota=1).create(0.0).code == "VpnRouteEntry.Conflict"
    cloud = world(connections=[beyond], router_quota=1)
    assert cloud.create(0.0, "vco-1", "10.9.0.0/16").code == "VpnRouteEntry.ConflictSSL"


@pytest.mark.parametrize("operation", ["CreateVcoRouteEntry", "DeleteVcoRouteEntry"])
def test_absent_and_empty_are_the_same(world, name_route, operation):
    """A required parameter that is absent is missed like an empty one, in order."""
    for position, name in enumerate(OPERATIONS[operation].required):
        absent = name_route()
        for later in OPERATIONS[operation].required[position:]:
            del absent[later]
        assert world().call(operation, absent).code == f"Missing{name}"


def test_a_modify_misses_its_new_weight(world):
    """NewWeight is required, between Weight and NextHop."""
    assert world().modify(0.0, NewWeight="", NextHop="").code == "MissingNewWeight"
    assert world().modify(0.0, NewWeight="", Weight="").code == "MissingWeight"


@pytest.mark.parametrize(
    "text",
    ["1", "50", "-0", "+100", "0100", "00", "100.0", "1e2", " 100", "100\n", "１００", "true"],
)
def test_a_weight_is_the_very_text_0_or_100(world, text):
    """Nothing but 0 and 100 is a weight, in any of the three writes."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.delete(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.modify(0.0, Weight=text).code == "InvalidWeight"
    assert cloud.modify(0.0, NewWeight=text).code == "InvalidNewWeight"


@pytest.mark.parametrize("id_", ["vco-", "vpn-1", "vco-1 ", "VCO-1", "vco-ü", "vco-1\n", "*", "1"])
def test_ids_that_name_nothing_are_not_found(world, id_):
    """A malformed id is answered like one that does not exist, with 404."""
    answer = world().create(0.0, VpnConnectionId=id_, NextHop=id_)
    assert (answer.status, answer.code) == (404, "InvalidVpnConnectionInstanceId.NotFound")


def test_a_starred_id_is_an_id(world):
    """The documentation hides parts of ids behind stars; such an id can be used."""
    cloud = world(connections=[Connection("vco-p0w2jpkhi2eeop6q6****")])
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
    from vcokit.simulator.state import Cloud

    cloud = Cloud([Connection("vco-1")])
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1", "NextHop": "vco-1"}
    code = cloud.call(
        "CreateVcoRouteEntry", named | {"RouteDest": text, "Weight": "0"}, now=0.0
    ).code
    if not text:
        assert code == "MissingRouteDest"
    elif text.endswith("/0") and parse_destination(text) and ":" not in text:
        assert code == "OperationFailed.InvalidCidrBlock"
    elif strictly_a_network(text):
        assert code == ""
    else:
        assert code == "IllegalParam.RouteDest"


@given(aligned)
def test_shared_space_is_what_the_standard_library_says(text):
    """A destination touches 100.64.0.0/10 exactly where ipaddress says they overlap."""
    found = parse_destination(text)
    shared = ipaddress.IPv4Network("100.64.0.0/10")
    assert found is not None
    assert found.touches_shared_space == ipaddress.IPv4Network(text).overlaps(shared)
    assert found.network == text


def test_host_bits_are_cleared_where_the_switch_says_so(world):
    """host_bits_refused=False takes 10.1.2.3/16 for 10.1.0.0/16, also to find a route."""
    cloud = world(switches=Switches(host_bits_refused=False))
    assert cloud.create(0.0, "vco-1", "10.1.2.3/16").fields["RouteDest"] == "10.1.0.0/16"
    assert cloud.create(4.0, "vco-1", "10.1.9.9/16").code == "VpnRouteEntry.AlreadyExists"
    assert cloud.delete(4.0, "vco-1", "10.1.7.7/16").status == 200


def test_ipv6_is_taken_where_the_switch_says_so(world):
    """ipv6_refused=False takes IPv6 destinations, but not their default route."""
    cloud = world(switches=Switches(ipv6_refused=False))
    assert cloud.create(0.0, "vco-1", "2001:db8:0::/32").fields["RouteDest"] == "2001:db8::/32"
    assert cloud.create(4.0, "vco-1", "::/0").code == "OperationFailed.InvalidCidrBlock"
    assert cloud.create(4.0, "vco-1", "2001:db8::1/32").code == "IllegalParam.RouteDest"
    assert cloud.create(4.0, "vco-1", "2001::db8::/32").code == "IllegalParam.RouteDest"


def test_other_next_hops_are_taken_where_the_switch_says_so(world):
    """foreign_next_hop_refused=False takes any connection that is there, one for each weight."""
    cloud = world(switches=Switches(foreign_next_hop_refused=False))
    assert cloud.create(0.0, NextHop="vco-9").code == "InvalidNextHop.NotFound"
    assert cloud.create(0.0, NextHop="vco-2").status == 200
    assert cloud.create(4.0, NextHop="vco-3").code == "VpnRouteEntry.BackupRoute"
    assert cloud.create(4.0, NextHop="vco-3", Weight="0").status == 200


def test_both_weights_live_side_by_side_where_the_switch_says_so(world):
    """other_weight_refused=False lets a twin in; then neither can take the other's weight."""
    cloud = world(switches=Switches(other_weight_refused=False))
    cloud.create(0.0)
    assert cloud.create(4.0, Weight="0").status == 200
    assert cloud.listed(8.0) == {("10.1.0.0/16", 100), ("10.1.0.0/16", 0)}
    assert cloud.modify(8.0).code == "VpnRouteEntry.AlreadyExists"


def test_a_pair_across_connections_is_no_conflict(world):
    """The same network on two connections, with the same or another weight, is accepted."""
    cloud = world()
    assert cloud.create(0.0, "vco-1").status == 200
    assert cloud.create(0.0, "vco-2", Weight="0").status == 200
    assert cloud.create(0.0, "vco-3").status == 200


def test_longer_and_shorter_prefixes_are_no_conflict(world):
    """Only the equal network counts as there."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, "vco-1", "10.1.0.0/17", Weight="0").status == 200
    assert cloud.create(4.0, "vco-1", "10.0.0.0/15", Weight="0").status == 200


def test_the_quota_counts_routes_of_the_connection(world):
    """The last free place is taken, the next is refused, a delete frees one."""
    cloud = world(quota=2)
    cloud.create(0.0, "vco-1", "10.1.0.0/16")
    assert cloud.create(4.0, "vco-1", "10.2.0.0/16").status == 200
    assert cloud.create(8.0, "vco-1", "10.3.0.0/16").code == "CreateDbrRoutesQuotaFull.QuotaFull"
    assert cloud.create(8.0, "vco-2", "10.3.0.0/16").status == 200
    cloud.delete(8.0, "vco-1", "10.1.0.0/16")
    assert cloud.create(12.0, "vco-1", "10.3.0.0/16").status == 200


def test_the_default_quota_is_50(world):
    """Fifty routes are let in, the next is not."""
    cloud = world(task_seconds=0.0, limits={"CreateVcoRouteEntry": (99, 60.0)})
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
def test_a_route_is_named_by_all_four(world, changes):
    """Delete and modify find a route only by connection, network, next hop and present weight."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.modify(0.0, **changes).code == "InvalidRouteEntry.NotFound"
    assert cloud.listed(0.0) == {("10.1.0.0/16", 100)}


def test_a_route_with_a_foreign_next_hop_can_be_changed_and_deleted(world):
    """What is there can be named, even if it could not be created."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16", 100, "vco-2")])
    assert cloud.modify(0.0, NextHop="vco-2").status == 200
    assert cloud.delete(4.0, NextHop="vco-2", Weight="0").status == 200
    assert cloud.routes() == []


@pytest.mark.parametrize(("code", "changes"), SPOILED[:9])
def test_deletes_and_modifies_are_checked_like_creates(world, code, changes):
    """Missing and invalid parameters give the same codes in all three writes."""
    assert world().delete(0.0, **changes).code == code
    assert world().modify(0.0, **changes).code == code


def test_a_weight_that_is_there_already_cannot_be_set(world):
    """A modify to the present weight finds its own route there."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.modify(0.0, NewWeight="100").code == "VpnRouteEntry.AlreadyExists"


@pytest.mark.parametrize("kind", ["NO_ASSOCIATED", "VPNGW"])
def test_a_connection_without_transit_router_has_no_routes(world, kind):
    """Listings need a connection that is attached, and writes where the switch says so."""
    cloud = world(
        connections=[Connection("vco-1", attach_type=kind)],
        switches=Switches(not_attached_code="Vco.StatusNotSupport"),
    )
    for answer in (cloud.create(), cloud.delete(), cloud.modify(), cloud.list()):
        assert answer.code == "Vco.StatusNotSupport"


def test_only_ipsec_tunnels_there_are(world):
    """OverlayMode is Ipsec or absent."""
    assert world().create(0.0, OverlayMode="Gre").code == "InvalidOverlayMode"
    assert world().create(0.0, OverlayMode="Ipsec").status == 200


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_a_dry_run_changes_nothing_and_says_so(world, text):
    """A passed dry run is the error DryRunOperation; the state and the token stay as they were."""
    cloud = world()
    answer = cloud.create(0.0, DryRun=text, ClientToken="t")
    assert (answer.status, answer.code) == (400, "DryRunOperation")
    assert cloud.describe(0.0)[0] == "attached"
    assert cloud.create(0.0, DryRun="false", ClientToken="t").status == 200


def test_a_failed_dry_run_gives_its_own_error(world):
    """A dry run is refused by what would refuse the create."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.create(0.0, DryRun="true").code == "VpnRouteEntry.AlreadyExists"
    assert cloud.create(0.0, DryRun="true", Weight="1").code == "InvalidWeight"
    assert cloud.create(0.0, DryRun="perhaps").code == "InvalidDryRun"


def test_only_a_create_can_be_dry(world):
    """Delete and modify know no DryRun: they act."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(0.0, DryRun="true").status == 200
    assert cloud.listed(0.0) == set()


def test_operations_are_the_contract_s(contract):
    """All eight, with the parameters they must have and the limits that are published."""
    assert OPERATIONS.keys() == contract["operations"].keys()
    for name, facts in contract["operations"].items():
        assert sorted(OPERATIONS[name].required) == sorted(facts["required"]), name
        if facts["limit"]:
            assert list(merged_limits(None)[name]) == facts["limit"], name
