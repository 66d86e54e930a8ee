"""Behaviour that nobody documents, met by vcokit's own client: each switch and odd connection."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest

import vcokit as vk
from vcokit import cli, errors
from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route, Simulator, Switches

FAST = 600.0
ROUTE = {"vpn_connection_id": "vco-1", "route_dest": "10.1.0.0/16"}


def inventory(*rows: tuple[str, int], connection: str = "vco-1") -> pd.DataFrame:
    """Return routes of one connection by destination and weight, as `read_routes` has them."""
    columns = {
        "region_id": "cn-hangzhou",
        "vpn_connection_id": connection,
        "route_dest": [dest for dest, _ in rows],
        "next_hop": connection,
        "weight": [weight for _, weight in rows],
    }
    dtypes = dict.fromkeys(columns, "str") | {"weight": "Int64"}
    return pd.DataFrame(columns).astype(dtypes)


def made(*connections: Connection, **options) -> Simulator:
    """Return a simulator that is fast."""
    return Simulator(connections or [Connection("vco-1")], **{"speed": FAST} | options)


def carried_out(cloud: Simulator, routes: pd.DataFrame, tmp_path, **options) -> vk.Rollout:
    """Plan what makes a cloud hold an inventory and nothing else, and carry it out."""
    with vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes), **options)
        return vk.apply_plan(plan, client, journal=tmp_path / "rollout.simulated.db")


def refused(cloud: Simulator, **changes) -> errors.ApiError:
    """Return the error that a create raises."""
    with (
        vk.connect(cloud, region="cn-hangzhou") as client,
        pytest.raises(errors.ApiError) as caught,
    ):
        client.create_vco_route_entry(**ROUTE | {"weight": 100} | changes)
    return caught.value


def test_the_policy_of_a_command_lets_it_through(tmp_path, monkeypatch, capsys):
    """What `vcokit policy apply` prints is enough for a rollout, and for no delete."""
    monkeypatch.setattr(sys, "argv", ["vcokit", "policy", "apply"])
    with pytest.raises(SystemExit):
        cli.main()
    policy = json.loads(capsys.readouterr().out)
    with made(accounts=[Account(policy=policy)], routes=[Route("vco-1", "10.2.0.0/16")]) as cloud:
        rollout = carried_out(cloud, inventory(("10.1.0.0/16", 100), ("10.2.0.0/16", 0)), tmp_path)
        assert rollout.state == "finished"
        assert set(rollout.frame()["state"]) == {"done"}
        with (
            vk.connect(cloud, region="cn-hangzhou") as client,
            pytest.raises(errors.AuthError) as caught,
        ):
            client.delete_vco_route_entry(**ROUTE, weight=100)
        assert caught.value.code == "Forbidden.RAM"


@pytest.mark.parametrize(("weight", "shown"), [("constant", 100), ("shown", 0)])
def test_a_listing_may_show_one_weight_for_all(weight, shown):
    """The client shows what the cloud says: it cannot know better."""
    switches = Switches(listing_weight=weight)
    routes = inventory(("10.1.0.0/16", 0))
    with (
        made(routes=[Route("vco-1", "10.1.0.0/16", 0)], switches=switches) as cloud,
        vk.connect(cloud) as client,
    ):
        assert vk.live_routes(client, routes)["weight"].tolist() == [shown]


def test_a_listing_may_lack_the_weight():
    """A route whose weight is not told is listed with a missing one, or the listing is refused."""
    cloud = made(
        routes=[Route("vco-1", "10.1.0.0/16", 0)], switches=Switches(listing_weight="missing")
    )
    with cloud, vk.connect(cloud) as client:
        listed = client.describe_vco_route_entries(
            vpn_connection_id="vco-1", region_id="cn-hangzhou"
        )
    assert listed["weight"].isna().all()


def test_a_rollout_bears_deleted_routes_that_show_up_again(tmp_path):
    """A delete counts as done only when listings agree, and nothing is deleted twice."""
    there = [Route("vco-1", f"10.{n}.0.0/16") for n in range(4)]
    faults = [Fault("reappear", seconds=15.0)]
    with made(routes=there, faults=faults) as cloud:
        rollout = carried_out(cloud, inventory(("10.0.0.0/16", 100)), tmp_path, prune=True)
        calls = cloud.calls()
        left = cloud.routes()["route_dest"].tolist()
    deletes = calls[calls["operation"] == "DeleteVcoRouteEntry"]
    assert rollout.state == "finished"
    assert left == ["10.0.0.0/16"]
    assert deletes["changed"].sum() == 3


def test_a_rollout_bears_task_conflicts(tmp_path):
    """A write that comes too soon after a task is refused and sent again."""
    rows = [(f"10.{n}.0.0/16", 100) for n in range(4)]
    with made(switches=Switches(task_conflict_seconds=60.0)) as cloud:
        rollout = carried_out(cloud, inventory(*rows), tmp_path)
        assert len(cloud.routes()) == 4
    assert rollout.state == "finished"
    assert set(rollout.frame()["state"]) == {"done"}


@pytest.mark.parametrize(
    ("connection", "code", "kind"),
    [
        (Connection("vco-1", attach_type="NO_ASSOCIATED"), "Vco.StatusNotSupport", "StateError"),
        (Connection("vco-1", state="detaching"), "VpnConnection.Configuring", "BusyError"),
    ],
)
def test_writes_on_a_connection_that_is_not_attached(connection, code, kind):
    """Refused as the page has it: for good, or for as long as it is on its way."""
    with made(connection) as cloud:
        error = refused(cloud)
        assert (error.code, type(error).__name__) == (code, kind)


def test_shared_space_may_be_refused():
    """Where it is not, the tunnel breaks."""
    with made(switches=Switches(shared_space_refused=True)) as cloud:
        assert refused(cloud, route_dest="100.64.0.0/16").code == "OperationFailed.InvalidCidrBlock"


def test_learned_routes_are_listed_apart():
    """A client sees them where it asks for them, and a plan never touches them."""
    learned = [LearnedRoute("172.16.0.0/12", "CLOUD", "[12000]", "65535:65510")]
    connection = Connection("vco-1", learned_routes=learned)
    with made(connection) as cloud, vk.connect(cloud, region="cn-hangzhou") as client:
        named = {"vpn_connection_id": "vco-1"}
        rows = client.describe_vco_route_entries(**named, route_entry_type="bgp")
        assert rows[["route_dest", "as_path", "origin"]].to_numpy().tolist() == [
            ["172.16.0.0/12", "[12000]", "CLOUD"]
        ]
        assert client.describe_vco_route_entries(**named).empty
        assert vk.live_routes(client, inventory(("10.1.0.0/16", 100))).empty


def test_connections_of_two_tunnels_and_tags_are_read():
    """Status of each tunnel and its zone, and the filter by tags."""
    connections = [
        Connection("vco-1", tunnels=2, zone="cn-hangzhou-h", tags={"team": "net"}),
        Connection("vco-2", tags={"team": "web"}),
        Connection("vco-3"),
    ]
    with made(*connections) as cloud, vk.connect(cloud, region="cn-hangzhou") as client:
        tagged = client.describe_vpn_connections(tags={"team": "net"})
        assert tagged["vpn_connection_id"].tolist() == ["vco-1"]
        assert tagged["zone"].tolist() == ["cn-hangzhou-h, cn-hangzhou-h"]
        assert "ipsec_sa_established" in str(tagged["tunnel_status"].iloc[0])
        assert len(client.describe_vpn_connections()) == 3
