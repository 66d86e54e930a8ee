"""The official SDK against a running simulator: it creates, lists, modifies, deletes, and errs."""

from __future__ import annotations

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException, ThrottlingException
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client

from vcokit.simulator import Account, Connection, Fault, Simulator

ROUTE = {
    "region_id": "cn-hangzhou",
    "vpn_connection_id": "vco-1",
    "route_dest": "10.1.0.0/16",
    "next_hop": "vco-1",
}


def client_of(cloud: Simulator) -> Client:
    """Return the SDK's client, pointed at a simulator as its users would point it."""
    return Client(
        Config(
            endpoint=cloud.endpoint.removeprefix("http://"),
            protocol="http",
            region_id="cn-hangzhou",
            access_key_id=cloud.credentials.access_key_id,
            access_key_secret=cloud.credentials.access_key_secret,
            security_token=cloud.credentials.security_token,
        )
    )


def made(**options) -> Simulator:
    """Return a simulator whose tasks end at once."""
    return Simulator([Connection("vco-1"), Connection("vco-2")], task_seconds=0.0, **options)


def weights(client: Client) -> list[int]:
    """Return the weights of the routes that the SDK lists."""
    request = models.DescribeVcoRouteEntriesRequest(
        region_id="cn-hangzhou", vpn_connection_id="vco-1", page_size=50
    )
    body = client.describe_vco_route_entries(request).body
    assert body.total_count == len(body.vco_route_entries)
    return [row.weight for row in body.vco_route_entries]


def test_the_sdk_takes_a_route_through_its_life():
    """Create, list, modify, delete: typed requests and typed answers throughout."""
    with made() as cloud:
        client = client_of(cloud)
        text = "a b*c~d+e/f%g&h=i 测试 😀"
        created = client.create_vco_route_entry(
            models.CreateVcoRouteEntryRequest(
                **ROUTE, weight=100, description=text, client_token="t", dry_run=False
            )
        )
        assert created.status_code == 200
        assert (created.body.weight, created.body.state) == (100, "published")
        assert created.body.description == text
        assert created.headers["x-acs-request-id"] == created.body.request_id
        assert weights(client) == [100]
        client.modify_vco_route_entry_weight(
            models.ModifyVcoRouteEntryWeightRequest(**ROUTE, weight=100, new_weight=0)
        )
        assert weights(client) == [0]
        client.delete_vco_route_entry(models.DeleteVcoRouteEntryRequest(**ROUTE, weight=0))
        assert weights(client) == []


def test_the_sdk_reads_connections_and_regions():
    """The other four reads come back as the SDK's own models."""
    with made() as cloud:
        client = client_of(cloud)
        here = {"region_id": "cn-hangzhou"}
        one = client.describe_vpn_connection(
            models.DescribeVpnConnectionRequest(**here, vpn_connection_id="vco-1")
        ).body
        assert (one.state, one.status) == ("attached", "ipsec_sa_established")
        several = client.describe_vpn_connections(models.DescribeVpnConnectionsRequest(**here)).body
        ids = [row.vpn_connection_id for row in several.vpn_connections.vpn_connection]
        assert ids == ["vco-1", "vco-2"]
        attached = client.describe_vpn_attachments(
            models.DescribeVpnAttachmentsRequest(**here)
        ).body
        assert [row.instance_id for row in attached.vpn_attachments] == ["vco-1", "vco-2"]
        regions = client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert "cn-hangzhou" in {row.region_id for row in regions}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"weight": 50}, 400, "InvalidWeight"),
        ({"vpn_connection_id": "vco-9"}, 404, "InvalidVpnConnectionInstanceId.NotFound"),
        ({"route_dest": "10.1.2.3/16"}, 400, "IllegalParam.RouteDest"),
        ({"dry_run": True}, 400, "DryRunOperation"),
    ],
)
def test_the_sdk_raises_with_code_and_request_id(changes, status, code):
    """A refusal becomes the SDK's exception, and its id is that of the history."""
    with made() as cloud, pytest.raises(ClientException) as caught:
        client_of(cloud).create_vco_route_entry(
            models.CreateVcoRouteEntryRequest(**{**ROUTE, "weight": 100, **changes})
        )
    error, call = caught.value, cloud.calls().iloc[0]
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id == call["request_id"]
    assert call["code"] == code


def test_the_sdk_knows_a_throttle_when_it_sees_one():
    """The wait in the header makes the SDK raise its throttling error, in milliseconds."""
    faults = [Fault("throttle", seconds=2.0)]
    with made(speed=1.0, faults=faults) as cloud, pytest.raises(ThrottlingException) as caught:
        client_of(cloud).describe_regions(models.DescribeRegionsRequest())
    assert caught.value.code == "Throttling.User"
    assert caught.value.retry_after == 2000


def test_the_sdk_signs_with_temporary_keys():
    """An STS account is let in with its token, and refused without."""
    account = Account("1", "STS.key", "secret", security_token="to+ken/==")
    with made(accounts=[account]) as cloud:
        client_of(cloud).describe_regions(models.DescribeRegionsRequest())
    assert cloud.calls()["status"].tolist() == [200]
