"""The official SDK as the judge: what our client sends is what the SDK sends, and is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client as OfficialClient

from tests.cloud.stub import Asked, Stub, reply
from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.operations import OPERATIONS
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
}
#: Headers that the SDK for Python signs and the rule does not ask for: the SDK for Node signs none
#: of the first two, and the last one says where the SDK had its key from.
SDK_ONLY = {"accept", "user-agent", "x-acs-credentials-provider"}


def method(name: str) -> str:
    """Return the method of an operation, as the client and the SDK name it."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def official(endpoint: str, key: str, secret: str, token: str | None) -> OfficialClient:
    """Return the SDK's client, pointed at a server of ours."""
    return OfficialClient(
        Config(
            endpoint=endpoint.removeprefix("http://"),
            protocol="http",
            region_id=REGION,
            access_key_id=key,
            access_key_secret=secret,
            security_token=token,
        )
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
    request = getattr(models, f"{name}Request")(**theirs)

    def by_us(stub: Stub) -> object:
        with stub.client(**keys, security_token=token) as client:
            return getattr(client, method(name))(**ours)

    def by_them(stub: Stub) -> object:
        client = official(stub.endpoint, "LTAIexample", TEST_SECRET, token)
        return getattr(client, method(name))(request)

    mine, sdk = sent_by(by_us), sent_by(by_them)
    assert mine.method == sdk.method == "POST"
    assert mine.parameters == sdk.parameters
    for header in ("x-acs-action", "x-acs-version", "x-acs-content-sha256", "accept"):
        assert mine.headers[header] == sdk.headers[header]
    assert mine.headers["x-acs-action"] == name
    assert mine.headers["host"].startswith("127.0.0.1:")
    assert sdk.signed - mine.signed == SDK_ONLY
    assert mine.signed <= sdk.signed
    assert mine.headers.get("x-acs-security-token") == sdk.headers.get("x-acs-security-token")
    assert mine.headers.get("x-acs-accesskey-id") == sdk.headers.get("x-acs-accesskey-id")
    assert mine.headers["content-length"] == sdk.headers["content-length"] == "0"


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
        getattr(client, method(name))(**CALLS[name][0])
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
        with pytest.raises(Exception, match="TaskConflict") as sdk:
            official(stub.endpoint, "id", "any-secret", None).describe_vpn_connection(request)
    assert mine.value.code == sdk.value.code
    assert mine.value.request_id == sdk.value.request_id
    assert mine.value.http_status == sdk.value.status_code


def test_every_method_has_its_case() -> None:
    """The table of this file has each operation that the client has a method for."""
    methods = {name for name in OPERATIONS if hasattr(Client, method(name))}
    assert set(CALLS) == methods
