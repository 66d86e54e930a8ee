"""What lies around a connection: its transit router, SSL clients, learned routes, the console."""

from __future__ import annotations

import json

import pytest

from vcokit.simulator import Connection, LearnedRoute, Route, Switches
from vcokit.simulator.state import Cloud

TWO = [Connection("vco-1"), Connection("vco-2")]


def test_a_router_s_quota_counts_all_its_connections(world):
    """Routes of either count, those on their way too; another router's do not."""
    there = [Connection("vco-3", transit_router_id="tr-3")]
    cloud = world(connections=TWO + there, router_quota=2, routes=[Route("vco-2", "10.9.0.0/16")])
    assert cloud.create(0.0).status == 200
    assert cloud.create(0.0, "vco-2").code == "QuotaExceeded.VpnRouteEntry"
    assert cloud.create(0.0, "vco-3").status == 200
    cloud.delete(0.0, "vco-2", "10.9.0.0/16")
    assert cloud.create(4.0, "vco-2").status == 200


def test_a_connection_s_own_quota_comes_first(world):
    """Of the two that are used up the connection's is told."""
    cloud = world(connections=TWO, quota=1, router_quota=1, routes=[Route("vco-1", "10.9.0.0/16")])
    assert cloud.create(0.0).code == "CreateDbrRoutesQuotaFull.QuotaFull"
    assert cloud.create(0.0, "vco-2").code == "QuotaExceeded.VpnRouteEntry"


@pytest.mark.parametrize(
    ("dest", "code"),
    [
        ("10.8.0.0/16", "VpnRouteEntry.ConflictSSL"),
        ("10.8.7.0/24", "VpnRouteEntry.ConflictSSL"),
        ("10.0.0.0/8", "VpnRouteEntry.ConflictSSL"),
        ("10.9.0.0/16", ""),
    ],
)
def test_addresses_of_ssl_clients_are_taken(world, dest, code):
    """A destination that overlaps a pool, either way, is refused; another is not."""
    cloud = world(connections=[Connection("vco-1", ssl_client_pools=("10.8.0.0/16",))])
    assert cloud.create(0.0, "vco-1", dest).code == code


def test_pools_know_their_version(world):
    """An IPv6 destination overlaps no IPv4 pool."""
    cloud = world(
        connections=[Connection("vco-1", ssl_client_pools=("10.8.0.0/16",))],
        switches=Switches(ipv6_refused=False),
    )
    assert cloud.create(0.0, "vco-1", "2001:db8::/32").status == 200


def test_learned_routes_are_in_the_way_of_their_network_only(world):
    """The equal network conflicts; a longer or a shorter one does not."""
    learned = (LearnedRoute("10.1.0.0/16"),)
    cloud = world(connections=[Connection("vco-1", learned_routes=learned)])
    assert cloud.create(0.0, "vco-1", "10.1.0.0/16").code == "VpnRouteEntry.Conflict"
    assert cloud.create(0.0, "vco-1", "10.1.0.0/17").status == 200


def test_somebody_at_the_console_can_change_a_connection(world):
    """It is there at once: locked, renamed, detached; the routes and a running task stay."""
    cloud = world()
    cloud.create(0.0)
    cloud.cloud.change("vco-1", 1.0, state="financialLocked", name="new")
    assert cloud.create(2.0, "vco-1", "10.2.0.0/16").code == "VpnConnection.FinancialLocked"
    assert cloud.listed(4.0) == {("10.1.0.0/16", 100)}
    cloud.cloud.change("vco-1", 5.0, state="", attach_type="NO_ASSOCIATED")
    assert cloud.describe(5.0)[0] == "init"
    assert cloud.list(5.0).code == "Vco.StatusNotSupport"


@pytest.mark.parametrize(
    ("who", "fields", "message"),
    [
        ("vco-9", {}, "no connection vco-9"),
        ("vco-1", {"state": "tired"}, "state 'tired' is unknown"),
    ],
)
def test_changes_that_cannot_be_are_refused(world, who, fields, message):
    """A connection stays one that the cloud could hold."""
    with pytest.raises(ValueError, match=message):
        world().cloud.change(who, 0.0, **fields)


def test_a_snapshot_holds_all_of_a_connection():
    """Tags, tunnels, pools, learned routes and durations come back whole, through JSON."""
    connections = [
        Connection(
            "vco-1",
            tags={"env": "prod"},
            tunnels=2,
            ssl_client_pools=("10.8.0.0/16",),
            learned_routes=(LearnedRoute("10.1.0.0/16", source="CLOUD"),),
            task_seconds={"median": 3, "sigma": 0.5, "longest": 60},
            state="upgrading",
        )
    ]
    cloud = Cloud(connections, router_quota=7)
    back = Cloud.from_dict(json.loads(json.dumps(cloud.to_dict())))
    assert back.router_quota == 7
    assert [site.connection for site in back.sites(0.0)] == connections


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "updating"}, "state 'updating' is unknown. Write one of attached"),
        ({"tunnels": 3}, "tunnels is 0, 1 or 2"),
        ({"tags": {"": "x"}}, "tag ''"),
        ({"tags": {"k": "v" * 129}}, "up to 64 and 128"),
        ({"ssl_client_pools": ("10.8.0.1/16",)}, "pool '10.8.0.1/16' is no network"),
        ({"learned_routes": [{"route_dest": "x"}]}, "learned route 'x' is no network"),
        ({"learned_routes": [{"route_dest": "10.0.0.0/8", "source": "x"}]}, "source 'x'"),
        ({"task_seconds": -1}, "task_seconds -1"),
    ],
)
def test_connections_that_cannot_be_are_refused(options, message):
    """What the cloud could not hold cannot be made, and the message says what can."""
    with pytest.raises(ValueError, match=message):
        Connection("vco-1", **options)
