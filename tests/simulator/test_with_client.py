"""What vcokit's own client meets nowhere else: flapping listings, policies, odd connections."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import vcokit as vk
from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route

HERE = {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-1"}
THERE = [Route("vco-1", f"10.{n}.0.0/16") for n in range(4)]


def inventory(*rows: tuple[str, int]) -> pd.DataFrame:
    """Return routes of one connection by destination and weight, as `read_routes` has them."""
    named = [HERE | {"route_dest": dest, "next_hop": "vco-1", "weight": of} for dest, of in rows]
    return pd.DataFrame(named).astype({"weight": "Int64"})


def test_a_rollout_bears_routes_that_show_up_again(simulate, tmp_path):
    """It ends as planned, and nothing is done twice."""
    faults = [Fault("reappear", seconds=15.0)]
    cloud, client = simulate([Connection("vco-1")], THERE, speed=600.0, faults=faults)
    routes = inventory(("10.0.0.0/16", 100), ("10.1.0.0/16", 0), ("10.9.0.0/16", 100))
    plan = vk.plan_routes(routes, vk.live_routes(client, routes), prune=True)
    rollout = vk.apply_plan(plan, client, journal=tmp_path / "rollout.simulated.db")
    assert rollout.state == "finished"
    assert set(rollout.frame()["state"]) == {"done"}
    left = cloud.routes()[["route_dest", "weight"]].itertuples(index=False, name=None)
    assert set(left) == {("10.0.0.0/16", 100), ("10.1.0.0/16", 0), ("10.9.0.0/16", 100)}
    assert cloud.calls()["changed"].sum() == 4


def test_the_policy_of_a_command_lets_it_through(shell, simulate, tmp_path):
    """What `vcokit policy apply` prints is enough for a rollout, and for no delete."""
    account = Account(policy=json.loads(shell("policy", "apply")[1]))
    cloud, client = simulate([Connection("vco-1")], THERE[:1], accounts=[account], speed=600.0)
    routes = inventory(("10.0.0.0/16", 0), ("10.9.0.0/16", 100))
    plan = vk.plan_routes(routes, vk.live_routes(client, routes))
    rollout = vk.apply_plan(plan, client, journal=tmp_path / "rollout.simulated.db")
    assert (rollout.state, len(cloud.routes())) == ("finished", 2)
    with pytest.raises(vk.errors.AuthError) as caught:
        client.delete_vco_route_entry(**HERE, route_dest="10.9.0.0/16", weight=100)
    assert caught.value.code == "Forbidden.RAM"


def test_learned_routes_tunnels_and_tags_are_read(simulate):
    """Learned routes where they are asked for; status and zone of each tunnel; a tag's filter."""
    learned = [LearnedRoute("172.16.0.0/12", "CLOUD", "[12000]", "65535:65510")]
    rich = {"tunnels": 2, "zone": "cn-hangzhou-h", "tags": {"team": "net"}}
    one = Connection("vco-1", learned_routes=learned, **rich)
    _, client = simulate([one, Connection("vco-2", tags={"team": "web"})])
    rows = client.describe_vco_route_entries(**HERE, route_entry_type="bgp")
    assert rows[["route_dest", "as_path", "origin"]].to_numpy().tolist() == [
        ["172.16.0.0/12", "[12000]", "CLOUD"]
    ]
    assert client.describe_vco_route_entries(**HERE).empty
    tagged = client.describe_vpn_connections(region_id="cn-hangzhou", tags={"team": "net"})
    assert tagged[["vpn_connection_id", "zone"]].to_numpy().tolist() == [
        ["vco-1", "cn-hangzhou-h, cn-hangzhou-h"]
    ]
    assert "ipsec_sa_established" in str(tagged["tunnel_status"].iloc[0])
