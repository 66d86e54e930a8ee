"""The official SDK as the judge: what our client sends is what the SDK sends, and is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_vpc20160428 import models

from tests import official as sdk
from tests.cloud.stub import Asked, Stub, reply
from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.operations import KNOWN
from vcokit.errors import ApiError
from vcokit.simulator import Account, Connection, Route, Simulator

REGION, A = "cn-hangzhou", "vco-a"
ROUTE = {"region_id": REGION, "vpn_connection_id": A, "route_dest": "10.0.0.0/8", "next_hop": A}
TEXT = "a b*c~d+e/f%g&h=i 测试 😀"
HERE = {"region_id": REGION}
ONE = {**HERE, "vpn_connection_id": A}

PAGE = {"page_number": 1, "page_size": 50}
TAG = models.DescribeVpnConnectionsRequestTag(key="team", value="net work")
#: For each operation the arguments of our method, and what the SDK's request has besides, or else.
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CreateVcoRouteEntry": (
        {**ROUTE, "weight": 100, "description": TEXT, "client_token": "t-1", "dry_run": False},
        {},
    ),
    "DeleteVcoRouteEntry": ({**ROUTE, "weight": 0, "client_token": "t-2"}, {}),
    "ModifyVcoRouteEntryWeight": ({**ROUTE, "weight": 0, "new_weight": 100}, {}),
    "DescribeVcoRouteEntries": ({**ONE, "route_entry_type": "custom"}, PAGE),
    "DescribeVpnConnection": (ONE, {}),
    "DescribeVpnConnections": (
        {**HERE, "tags": {"team": "net work"}},
        {**PAGE, "tags": None, "tag": [TAG]},
    ),
    "DescribeVpnAttachments": (ONE, PAGE),
    "DescribeRegions": ({}, {"accept_language": "en-US"}),
    "DiagnoseVpnConnections": (
        {**HERE, "vpn_connection_ids": [A, "vco-b"], "tunnel_ids": ["tun-1"]},
        PAGE,
    ),
    "ListTransitRouterRouteTables": ({"transit_router_id": "tr-simulator"}, {"max_results": 100}),
    "ListTransitRouterRouteEntries": (
        {"route_table_id": "vtb-simulator"},
        {
            "route_table_id": None,
            "transit_router_route_table_id": "vtb-simulator",
            "transit_router_route_entry_status": "All",
            "transit_router_route_entry_next_hop_resource_type": "VPN",
            "max_results": 100,
        },
    ),
}
#: Headers that the SDK for Python signs and the rule does not ask for: the SDK for Node signs none
#: of the first two, and the last one says where the SDK had its key from.
SDK_ONLY = {"accept", "user-agent", "x-acs-credentials-provider"}


def official(name: str, endpoint: str, key: str, secret: str, token: str | None) -> Any:
    """Return the client of an operation's SDK, pointed at a server of ours."""
    return sdk.client(
        name,
        endpoint=endpoint.removeprefix("http://"),
        protocol="http",
        region_id=REGION,
        access_key_id=key,
        access_key_secret=secret,
        security_token=token,
    )


def sent_by(send: Callable[[Stub], object]) -> Asked:
    """Return what a client sends to a server that refuses everything."""
    with Stub([reply({"Code": "Forbidden", "RequestId": "r"}, "403 Forbidden")]) as stub:
        with pytest.raises(Exception, match="Forbidden"):
            send(stub)
        return stub.asked[0]


@pytest.mark.parametrize("token", [None, TEST_TOKEN], ids=["key", "sts"])
@pytest.mark.parametrize("name", CALLS)
def test_the_same_request(name: str, token: str | None) -> None:
    """Action, version, method, host, parameters and signed headers are those of the SDK."""
    ours, more = CALLS[name]
    theirs = {field: value for field, value in (ours | more).items() if value is not None}
    keys = {"access_key_id": "LTAIexample", "access_key_secret": TEST_SECRET}
    request = sdk.model(name, "Request")(**theirs)

    def by_us(stub: Stub) -> object:
        with stub.client(**keys, security_token=token) as client:
            return getattr(client, sdk.method(name))(**ours)

    def by_them(stub: Stub) -> object:
        client = official(name, stub.endpoint, "LTAIexample", TEST_SECRET, token)
        return getattr(client, sdk.method(name))(request)

    mine, other = sent_by(by_us), sent_by(by_them)
    assert mine.method == other.method == "POST"
    assert mine.parameters == other.parameters
    for header in ("x-acs-action", "x-acs-version", "x-acs-content-sha256", "accept"):
        assert mine.headers[header] == other.headers[header]
    assert mine.headers["x-acs-action"] == name
    assert mine.headers["host"].startswith("127.0.0.1:")
    assert other.signed - mine.signed == SDK_ONLY
    assert mine.signed <= other.signed
    assert mine.headers.get("x-acs-security-token") == other.headers.get("x-acs-security-token")
    assert mine.headers.get("x-acs-accesskey-id") == other.headers.get("x-acs-accesskey-id")
    assert mine.headers["content-length"] == other.headers["content-length"] == "0"


@pytest.mark.parametrize("token", [None, TEST_TOKEN], ids=["key", "sts"])
@pytest.mark.parametrize("name", CALLS)
def test_the_simulator_accepts_it(name: str, token: str | None) -> None:
    """Each operation is answered, by key and by temporary key: the signature is right."""
    account = Account("1", "LTAIexample", TEST_SECRET, security_token=token)
    there = [] if name == "CreateVcoRouteEntry" else [Route(A, "10.0.0.0/8", weight=0)]
    with (
        Simulator([Connection(A, account_id="1")], there, accounts=[account]) as cloud,
        connect(cloud) as client,
    ):
        getattr(client, sdk.method(name))(**CALLS[name][0])
        calls = cloud.calls()
    assert calls["operation"].tolist() == [name]
    assert calls["status"].tolist() == [200]


def test_codes_as_the_official_sdk_reads_them() -> None:
    """For one refusal both clients tell the same code, status and request id."""
    body = {"Code": "TaskConflict", "Message": "m", "RequestId": "R-9", "HostId": "h"}
    with Stub([reply(body, "400 Bad Request", x_acs_request_id="R-9")]) as stub:
        with stub.client() as client, pytest.raises(ApiError) as mine:
            client.describe_vpn_connection(vpn_connection_id=A)
        request = models.DescribeVpnConnectionRequest(**ONE)
        client = official("DescribeVpnConnection", stub.endpoint, "id", "any-secret", None)
        with pytest.raises(Exception, match="TaskConflict") as theirs:
            client.describe_vpn_connection(request)
    assert mine.value.code == theirs.value.code
    assert mine.value.request_id == theirs.value.request_id
    assert mine.value.http_status == theirs.value.status_code


def test_every_method_has_its_case() -> None:
    """The table of this file has each operation that the client has a method for."""
    methods = {name for name in KNOWN if hasattr(Client, sdk.method(name))}
    assert set(CALLS) == methods
