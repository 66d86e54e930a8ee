"""The official SDK against a running simulator, in both its schemes: it works, and it errs."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import (
    AlibabaCloudException,
    ClientException,
    ServerException,
    ThrottlingException,
)
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from alibabacloud_vpc20160428 import models
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from tests import official
from tests.simulator.conftest import CONTRACT, FACTS, HERE, ONE, READS, Clock, route
from vcokit.simulator import Account, Connection, Fault, Route, Simulator, TunnelFailure

#: The SDK's name of each scheme.
SCHEMES = {"V3": None, "V1": "v2"}
TEMPORARY = Account("1000000000000001", "STS.key", "secret", security_token="to+ken/== %")
DESCRIBE = "DescribeVpnConnection"


def made(**options: Any) -> Simulator:
    """Return a simulator of two connections."""
    return Simulator(**{"connections": [Connection("vco-1"), Connection("vco-2")]} | options)


def client_of(
    cloud: Simulator, scheme: str = "V3", operation: str = DESCRIBE, **config: Any
) -> Any:
    """Return the client of an operation's SDK, pointed at a simulator as users would point it."""
    where = {"endpoint": cloud.endpoint.removeprefix("http://"), "protocol": "http"}
    keys = cloud.credentials._asdict()
    algorithm = {"region_id": "cn-hangzhou", "signature_algorithm": SCHEMES[scheme]}
    return official.client(operation, **where | algorithm | keys | config)


def call(client: Any, operation: str, method: str = "POST", **request: Any) -> dict[str, Any]:
    """Call an operation by the SDK's generic way and return what it answers."""
    params = Params(
        action=operation,
        version=official.VERSIONS[operation],
        protocol="HTTP",
        pathname="/",
        method=method,
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    return client.call_api(params, OpenApiRequest(**request), RuntimeOptions())["body"]


def refused(client: Any, operation: str, **changes: str) -> AlibabaCloudException:
    """Return the exception that a call raises which would be accepted but for some changes."""
    asked = READS.get(operation, route(NewWeight="0")) | changes
    with pytest.raises(AlibabaCloudException) as caught:
        call(client, operation, query=asked)
    return caught.value


# -- it works ----------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [Account(), TEMPORARY], ids=["key", "sts"])
def test_the_sdk_takes_a_route_through_its_life(scheme, account):
    """Create, poll, list, modify, delete, list: typed requests and answers, key and STS."""
    named = {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-1"}
    this = named | {"route_dest": "10.1.0.0/16", "next_hop": "vco-1"}
    new = this | {"weight": 100, "client_token": "t", "dry_run": False}
    new["description"] = "a b*c~d+e/f%g&h=i 测试 😀"
    clock = Clock()
    with made(accounts=[account], task_seconds=4.0, monotonic=clock) as cloud:
        client = client_of(cloud, scheme)

        def polled_and_listed() -> list[int]:
            """Poll once a second, as the vendor's page says; then return the weights listed."""
            one = models.DescribeVpnConnectionRequest(**named)
            states = []
            for _ in range(5):
                states.append(client.describe_vpn_connection(one).body.state)
                clock.now += 1.0
            assert states == ["updating"] * 4 + ["attached"]
            listing = models.DescribeVcoRouteEntriesRequest(**named, page_size=50)
            body = client.describe_vco_route_entries(listing).body
            assert body.total_count == len(body.vco_route_entries)
            return [row.weight for row in body.vco_route_entries]

        create = models.CreateVcoRouteEntryRequest(**new)
        created, again = (client.create_vco_route_entry(create).body for _ in range(2))
        assert (created.weight, created.state) == (100, "published")
        assert created.description == new["description"]
        assert again.request_id == created.request_id
        assert polled_and_listed() == [100]
        lower = models.ModifyVcoRouteEntryWeightRequest(**this, weight=100, new_weight=0)
        client.modify_vco_route_entry_weight(lower)
        assert polled_and_listed() == [0]
        client.delete_vco_route_entry(models.DeleteVcoRouteEntryRequest(**this, weight=0))
        assert polled_and_listed() == []
        calls = cloud.calls()
    assert set(calls["account_id"]) == {account.account_id}
    assert calls["effect"].dropna().tolist() == [1, 1, 2, 3]


def test_the_sdk_reads_connections_and_regions(scheme):
    """The other reads come back as the SDK's own models."""
    connections = [Connection("vco-1", tunnels=2, tags={"env": "prod"}), Connection("vco-2")]
    with made(connections=connections) as cloud:
        client = client_of(cloud, scheme)
        tag = models.DescribeVpnConnectionsRequestTag(key="env", value="prod")
        for more, ids in (({}, ["vco-1", "vco-2"]), ({"tag": [tag]}, ["vco-1"])):
            asked = models.DescribeVpnConnectionsRequest(region_id="cn-hangzhou", **more)
            rows = client.describe_vpn_connections(asked).body.vpn_connections.vpn_connection
            assert [row.vpn_connection_id for row in rows] == ids
        tunnels = rows[0].tunnel_options_specification.tunnel_options
        assert [tunnel.role for tunnel in tunnels] == ["master", "slave"]
        asked = models.DescribeVpnAttachmentsRequest(region_id="cn-hangzhou")
        rows = client.describe_vpn_attachments(asked).body.vpn_attachments
        assert [row.instance_id for row in rows] == ["vco-1", "vco-2"]
        regions = client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert "cn-hangzhou" in {row.region_id for row in regions}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("where", ["query", "body"])
def test_the_sdk_s_generic_call_works_in_every_shape(scheme, method, where):
    """GET or POST, parameters in the query or in a form body."""
    with made() as cloud:
        answer = call(client_of(cloud, scheme), DESCRIBE, method, **{where: ONE})
    assert answer["State"] == "attached"


def typed(cloud: Simulator, scheme: str, operation: str, **asked: Any) -> Any:
    """Return what an operation answers, as a model of its SDK."""
    client = client_of(cloud, scheme, operation)
    request = official.model(operation, "Request")(**asked)
    return getattr(client, official.method(operation))(request).body


def test_the_sdk_reads_a_diagnosis(scheme):
    """What is wrong with a tunnel that is down, of whose value which side; of others nothing."""
    wrong = TunnelFailure(2, code="Phase1ProposalMismatch", local="SHA256", remote="SHA")
    connections = [Connection("vco-1", tunnels=2, failures=[wrong]), Connection("vco-2")]
    asked = {"region_id": "cn-hangzhou", "vpn_connection_ids": ["vco-2"]}
    with made(connections=connections) as cloud:
        ids = {"tunnel_ids": ["tun-11", "tun-12"]}
        body = typed(cloud, scheme, "DiagnoseVpnConnections", **asked, **ids)
    (row,) = body.vpn_connections
    assert (body.total_count, row.tunnel_id, row.severity) == (1, "tun-12", "Critical")
    assert (row.failed_reason_code, row.vpn_connection_id) == (wrong.code, "vco-1")
    assert (row.mismatch_local_param, row.mismatch_remote_param) == ("SHA256", "SHA")


def test_the_sdk_reads_the_next_hop_s_tunnels(scheme):
    """A route of a connection with two tunnels names those that are up."""
    connections = [Connection("vco-1", tunnels=2, failures=[TunnelFailure(1)])]
    asked = {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-1"}
    with made(connections=connections, routes=[Route("vco-1", "10.0.0.0/8")]) as cloud:
        body = typed(cloud, scheme, "DescribeVcoRouteEntries", **asked)
    assert [row.next_hop_tunnel_id_list for row in body.vco_route_entries] == [["tun-12"]]


def test_the_sdk_reads_quotas(scheme):
    """The account's number in a list and by itself, of the types that its SDK has."""
    code = "vpn_quota_vco_routes"
    with made(quota=123) as cloud:
        body = typed(cloud, scheme, "ListProductQuotas", product_code="vpn", max_results=2)
        one = typed(cloud, scheme, "GetProductQuota", product_code="vpn", quota_action_code=code)
        more = typed(
            cloud, scheme, "ListProductQuotas", product_code="vpn", next_token=body.next_token
        )
    assert body.quotas[0].quota_action_code == code
    assert len(body.quotas) + len(more.quotas) == body.total_count == more.total_count
    assert (body.quotas[0].total_quota, one.quota.total_quota) == (123.0, 123.0)
    assert one.quota.to_map() == body.quotas[0].to_map()


def test_the_sdk_reads_the_table_of_a_transit_router(scheme):
    """Its tables by the router, the routes by the table: as many pages as it takes."""
    routes = [Route("vco-1", f"10.{number}.0.0/16") for number in range(45)]
    with made(routes=[*routes, Route("vco-2", "11.0.0.0/8", 0)]) as cloud:
        router = {"transit_router_id": "tr-simulator"}
        (table,) = typed(
            cloud, scheme, "ListTransitRouterRouteTables", **router
        ).transit_router_route_tables
        asked = {"transit_router_route_table_id": table.transit_router_route_table_id}
        found, token = [], None
        for _ in range(3):
            page = typed(cloud, scheme, "ListTransitRouterRouteEntries", **asked, next_token=token)
            found += page.transit_router_route_entries
            token = page.next_token
        every = {**asked, "transit_router_route_entry_status": "All", "max_results": 100}
        whole = typed(cloud, scheme, "ListTransitRouterRouteEntries", **every)
    assert (token, page.total_count, whole.total_count) == (None, 45, 46)
    names = [row.transit_router_route_entry_destination_cidr_block for row in found]
    assert names == [route.route_dest for route in routes]
    assert {row.transit_router_route_entry_next_hop_resource_id for row in found} == {"vco-1"}


# -- it errs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", FACTS)
def test_the_sdk_raises_every_code(scheme, operation):
    """Each that an operation lists, or that there is, with status, text and request id."""
    facts = FACTS[operation]["errors"]
    codes = CONTRACT["errors"] if operation == DESCRIBE else facts["codes"]
    faults = [Fault("refuse", code=code, after=n, count=1) for n, code in enumerate(codes)]
    with made(faults=faults) as cloud:
        client = client_of(cloud, scheme)
        raised = [refused(client, operation) for _ in codes]
        ids = cloud.calls()["request_id"].tolist()
    assert [error.request_id for error in raised] == ids
    for error, code in zip(raised, codes, strict=True):
        expected = CONTRACT["errors"][code]
        assert (error.code, error.status_code) == (code, expected["status"])
        assert facts.get("texts", {}).get(code, expected["text"]) in error.message
        kind = ServerException if error.status_code >= 500 else ClientException
        assert isinstance(error, kind), error.code


def test_the_sdk_takes_a_wrong_signature_apart(scheme):
    """What the server would have signed stands in its text, in the form that the SDK looks for."""
    with made() as cloud:
        error = refused(client_of(cloud, scheme, access_key_secret="wrong"), DESCRIBE)
    assert (error.code, error.status_code) == ("SignatureDoesNotMatch", 400)


def test_the_sdk_knows_a_throttle_when_it_sees_one(scheme):
    """The wait in the header makes the SDK raise its throttling error, in milliseconds."""
    with made(limits={"DescribeVpnConnections": (1, 60.0)}, monotonic=Clock()) as cloud:
        client = client_of(cloud, scheme)
        call(client, "DescribeVpnConnections", query=HERE)
        error = refused(client, "DescribeVpnConnections")
    assert isinstance(error, ThrottlingException)
    assert (error.code, error.retry_after) == ("Throttling.User", 60_000)


def test_the_sdk_reads_an_error_in_xml():
    """An error in XML is an error with code and id; a success in XML is none the SDK can read."""
    with made() as cloud:
        error = refused(client_of(cloud), DESCRIBE, VpnConnectionId="vco-9", Format="XML")
        assert error.request_id == cloud.calls()["request_id"][0]
    assert error.code == "InvalidVpnConnectionInstanceId.NotFound"


@pytest.mark.parametrize("kind", ["html", "empty", "truncate", "drop_before", "drop_after"])
def test_the_sdk_does_not_take_a_broken_answer_for_one(kind):
    """A page, nothing, half an answer, none: the SDK raises, whatever the simulator did."""
    with made(faults=[Fault(kind, count=1)]) as cloud:
        client = client_of(cloud)
        with pytest.raises(UnretryableException):
            call(client, DESCRIBE, query=ONE)
        assert call(client, DESCRIBE, query=ONE)["State"] == "attached"
