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
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from tests.simulator.conftest import CONTRACT, HERE, ONE, Clock, route
from vcokit.simulator import Account, Connection, Fault, Simulator

#: The SDK's name of each scheme.
SCHEMES = {"V3": None, "V1": "v2"}
TEMPORARY = Account("1000000000000001", "STS.key", "secret", security_token="to+ken/== %")
DESCRIBE = "DescribeVpnConnection"


def made(**options: Any) -> Simulator:
    """Return a simulator of two connections."""
    return Simulator(**{"connections": [Connection("vco-1"), Connection("vco-2")]} | options)


def client_of(cloud: Simulator, scheme: str = "V3", **config: Any) -> Client:
    """Return the SDK's client, pointed at a simulator as its users would point it."""
    where = {"endpoint": cloud.endpoint.removeprefix("http://"), "protocol": "http"}
    keys = cloud.credentials._asdict()
    algorithm = {"region_id": "cn-hangzhou", "signature_algorithm": SCHEMES[scheme]}
    return Client(Config(**where | algorithm | keys | config))


def call(client: Client, operation: str, method: str = "POST", **request: Any) -> dict[str, Any]:
    """Call an operation by the SDK's generic way and return what it answers."""
    params = Params(
        action=operation,
        version="2016-04-28",
        protocol="HTTP",
        pathname="/",
        method=method,
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    return client.call_api(params, OpenApiRequest(**request), RuntimeOptions())["body"]


def refused(client: Client, operation: str, **changes: str) -> AlibabaCloudException:
    """Return the exception that a call raises which would be accepted but for some changes."""
    required = CONTRACT["operations"][operation]["parameters"]["required"]
    asked = {name: route(NewWeight="0")[name] for name in required} | changes
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


# -- it errs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", CONTRACT["operations"])
def test_the_sdk_raises_every_code(scheme, operation):
    """Each that an operation lists, or that there is, with status, text and request id."""
    facts = CONTRACT["operations"][operation]["errors"]
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
