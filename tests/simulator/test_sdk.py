"""The official SDK against a running simulator, in both its schemes: it works, and it errs."""

from __future__ import annotations

import re
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

from tests.simulator.reach import (
    CREATE,
    DELETE,
    DESCRIBE,
    LIST,
    MODIFY,
    OTHERWISE,
    REACH,
    TWO,
    Reach,
    request_of,
)
from vcokit.simulator import Account, Connection, Fault, Simulator
from vcokit.simulator.codes import ERRORS, LISTED, TEXTS

#: The SDK's name of each scheme.
SCHEMES = {"V3": None, "V1": "v2"}
PLAIN = Account()
TEMPORARY = Account("1000000000000001", "STS.key", "secret", security_token="to+ken/== %")

in_both_schemes = pytest.mark.parametrize("scheme", SCHEMES)


def client_of(cloud: Simulator, scheme: str = "V3", **config: Any) -> Client:
    """Return the SDK's client, pointed at a simulator as its users would point it."""
    keys = {
        "access_key_id": cloud.credentials.access_key_id,
        "access_key_secret": cloud.credentials.access_key_secret,
        "security_token": cloud.credentials.security_token,
    }
    return Client(
        Config(
            endpoint=cloud.endpoint.removeprefix("http://"),
            protocol="http",
            region_id="cn-hangzhou",
            signature_algorithm=SCHEMES[scheme],
            **(keys | config),
        )
    )


def made(**options: Any) -> Simulator:
    """Return a simulator of two connections."""
    return Simulator(**{"connections": TWO, **options})


def call(client: Client, operation: str, **changes: Any) -> Any:
    """Call an operation by its typed request and return the typed answer."""
    method = re.sub("(?<!^)([A-Z])", r"_\1", operation).lower()
    request = getattr(models, f"{operation}Request")().from_map(_named(operation, changes))
    return getattr(client, method)(request).body


def _named(operation: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return a request under the names of the wire, from which the SDK makes its own."""
    arguments = request_of(operation, **changes)
    names = {re.sub("(?<!^)([A-Z])", r"_\1", name).lower(): name for name in _WIRE_NAMES}
    wire = {names[name]: value for name, value in arguments.items() if name != "tag"}
    if "tag" in arguments:
        wire["Tag"] = [{k.capitalize(): v for k, v in tag.items()} for tag in arguments["tag"]]
    return wire


_WIRE_NAMES = (
    *("RegionId", "VpnConnectionId", "RouteDest", "Weight", "NewWeight", "NextHop", "DryRun"),
    *("Description", "ClientToken", "RouteEntryType", "PageSize", "PageNumber", "OverlayMode"),
    "AcceptLanguage",
)


def refused(client: Client, operation: str, **changes: Any) -> AlibabaCloudException:
    """Return the exception that a call raises."""
    with pytest.raises(AlibabaCloudException) as caught:
        call(client, operation, **changes)
    return caught.value


class Clock:
    """A clock that goes only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now


# -- it works ----------------------------------------------------------------------------------


@in_both_schemes
@pytest.mark.parametrize("account", [PLAIN, TEMPORARY], ids=["key", "sts"])
def test_the_sdk_takes_a_route_through_its_life(scheme, account):
    """Create, poll, list, modify, delete, list: typed requests and answers, key and STS."""
    text = "a b*c~d+e/f%g&h=i 测试 😀"
    clock = Clock()
    with made(accounts=[account], task_seconds=4.0, monotonic=clock) as cloud:
        client = client_of(cloud, scheme)
        created = call(client, CREATE, description=text, client_token="t", dry_run=False)
        assert (created.weight, created.state) == (100, "published")
        assert created.description == text
        again = call(client, CREATE, description=text, client_token="t", dry_run=False)
        assert again.request_id == created.request_id
        wait_until_attached(client, clock)
        assert weights(client) == [100]
        call(client, MODIFY)
        wait_until_attached(client, clock)
        assert weights(client) == [0]
        call(client, DELETE, weight=0)
        wait_until_attached(client, clock)
        assert weights(client) == []
        assert cloud.routes().empty
        calls = cloud.calls()
    assert set(calls["account_id"]) == {account.account_id}
    assert calls["effect"].dropna().tolist() == [1, 1, 2, 3]


def wait_until_attached(client: Client, clock: Clock) -> None:
    """Poll the connection as the vendor's documentation says, once a second."""
    for _ in range(4):
        assert call(client, DESCRIBE).state == "updating"
        clock.now += 1.0
    assert call(client, DESCRIBE).state == "attached"


def weights(client: Client) -> list[int]:
    """Return the weights of the routes that the SDK lists."""
    body = call(client, LIST, page_size=50)
    assert body.total_count == len(body.vco_route_entries)
    return [row.weight for row in body.vco_route_entries]


@in_both_schemes
def test_the_sdk_reads_connections_and_regions(scheme):
    """The other four reads come back as the SDK's own models."""
    connections = [Connection("vco-1", tunnels=2, tags={"env": "prod"}), Connection("vco-2")]
    with made(connections=connections) as cloud:
        client = client_of(cloud, scheme)
        one = call(client, DESCRIBE)
        assert (one.state, one.status) == ("attached", "ipsec_sa_established")
        assert [t.role for t in one.tunnel_options_specification.tunnel_options] == [
            "master",
            "slave",
        ]
        several = call(client, "DescribeVpnConnections").vpn_connections.vpn_connection
        assert [row.vpn_connection_id for row in several] == ["vco-1", "vco-2"]
        tagged = call(client, "DescribeVpnConnections", tag=[{"key": "env", "value": "prod"}])
        assert [r.vpn_connection_id for r in tagged.vpn_connections.vpn_connection] == ["vco-1"]
        attached = call(client, "DescribeVpnAttachments").vpn_attachments
        assert [row.instance_id for row in attached] == ["vco-1", "vco-2"]
        regions = client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert "cn-hangzhou" in {row.region_id for row in regions}


@in_both_schemes
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("in_body", [False, True], ids=["query", "form"])
def test_the_sdk_s_generic_call_works_in_every_shape(scheme, method, in_body):
    """GET or POST, parameters in the query or in a form body."""
    params = Params(
        action=DESCRIBE,
        version="2016-04-28",
        protocol="HTTP",
        pathname="/",
        method=method,
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}
    request = OpenApiRequest(body=named) if in_body else OpenApiRequest(query=named)
    with made() as cloud:
        answer = client_of(cloud, scheme).call_api(params, request, RuntimeOptions())
    assert answer["body"]["State"] == "attached"


# -- it errs -----------------------------------------------------------------------------------


CASES = [(*key, reach) for key, reach in REACH.items()] + OTHERWISE


@in_both_schemes
@pytest.mark.parametrize(
    ("operation", "code", "reach"), CASES, ids=[f"{o}-{c}" for o, c, _ in CASES]
)
def test_the_sdk_raises_with_code_and_request_id(operation, code, reach: Reach, scheme):
    """Each code that an operation lists: status, code, text, and the id of the history."""
    with made(**reach.options) as cloud:
        client = client_of(cloud, scheme)
        for before, changes in reach.before:
            call(client, before, **changes)
        error = refused(client, operation, **reach.changes)
        last = cloud.calls().iloc[-1]
    status, text = ERRORS[code]
    assert (error.code, error.status_code) == (code, status)
    assert TEXTS.get((operation, code), text) in error.message
    assert (error.request_id, code) == (last["request_id"], last["code"])


def test_every_code_of_every_operation_is_reached(contract):
    """The enumeration is the contract's, all eight operations, and ours."""
    listed = {(o, code) for o, facts in contract["operations"].items() for code in facts["errors"]}
    assert REACH.keys() == listed == {(o, code) for o, codes in LISTED.items() for code in codes}


def test_what_is_needed_is_named():
    """Where a default cloud does not do it, the thing to set is named, and it is what is set."""
    for key, reach in REACH.items():
        table, _, name = reach.how.partition(".")
        by_itself = {"routes", "quota"}
        if not reach.how:
            assert reach.options.keys() <= by_itself, key
        elif table == "switches":
            assert name in reach.options["switches"].__dataclass_fields__
        else:
            assert table in reach.options, key


@in_both_schemes
def test_the_sdk_raises_every_code_that_there_is(scheme):
    """Any code of the table, asked for by a fault, with its status and request id."""
    faults = [Fault("refuse", code=code, after=n, count=1) for n, code in enumerate(ERRORS)]
    with made(faults=faults) as cloud:
        client = client_of(cloud, scheme)
        errors = [refused(client, DESCRIBE) for _ in ERRORS]
        calls = cloud.calls()
    assert [error.code for error in errors] == list(ERRORS)
    assert [error.status_code for error in errors] == [status for status, _ in ERRORS.values()]
    assert [error.request_id for error in errors] == calls["request_id"].tolist()
    for error in errors:
        kind = ServerException if error.status_code >= 500 else ClientException
        assert isinstance(error, kind), error.code


#: Codes of the gateway and of parameters: options, config of the client, changes of the call.
GATEWAY: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("InvalidAccessKeyId.NotFound", {}, {"access_key_id": "nobody"}, {}),
    ("InvalidAccessKeyId.Inactive", {"accounts": [Account(active=False)]}, {}, {}),
    ("SignatureDoesNotMatch", {}, {"access_key_secret": "wrong"}, {}),
    ("MissingSecurityToken", {"accounts": [TEMPORARY]}, {"security_token": None}, {}),
    ("InvalidSecurityToken", {"accounts": [TEMPORARY]}, {"security_token": "x"}, {}),
    (
        "InvalidSecurityToken.Expired",
        {"accounts": [Account("1", "k", "s", "t", token_expires=1.0)]},
        {},
        {},
    ),
    ("InvalidTimeStamp.Expired", {"faults": [Fault("skew", seconds=1800.0)]}, {}, {}),
    ("SignatureNonceUsed", {"faults": [Fault("resent")]}, {}, {}),
    ("Forbidden.RAM", {"accounts": [Account(policy={"Statement": [
        {"Effect": "Allow", "Action": "vpc:Describe*", "Resource": "*"}]})]}, {}, {}),
    ("MissingRegionId", {}, {}, {"region_id": None}),
    ("MissingVpnConnectionId", {}, {}, {"vpn_connection_id": ""}),
    ("MissingRouteDest", {}, {}, {"route_dest": None}),
    ("MissingWeight", {}, {}, {"weight": None}),
    ("MissingNextHop", {}, {}, {"next_hop": None}),
    ("InvalidWeight", {}, {}, {"weight": 50}),
    ("InvalidOverlayMode", {}, {}, {"overlay_mode": "Gre"}),
    ("IllegalParam.ClientToken", {}, {}, {"client_token": "t" * 65}),
    ("InvalidClientToken", {}, {}, {"client_token": "tökén"}),
    ("InternalError", {"faults": [Fault("status_500")]}, {}, {}),
    ("ServiceUnavailable", {"faults": [Fault("status_503")]}, {}, {}),
]  # fmt: skip


@in_both_schemes
@pytest.mark.parametrize(
    ("code", "options", "config", "changes"), GATEWAY, ids=[case[0] for case in GATEWAY]
)
def test_the_sdk_raises_what_the_gateway_says(scheme, code, options, config, changes):
    """Keys, tokens, clocks, permissions, parameters: each by its code and the history's id."""
    with made(**options) as cloud:
        error = refused(client_of(cloud, scheme, **config), CREATE, **changes)
        last = cloud.calls().iloc[-1]
    assert (error.code, error.request_id) == (code, last["request_id"])


@in_both_schemes
def test_the_sdk_is_told_of_a_token_used_twice(scheme):
    """Other parameters under the same token."""
    with made() as cloud:
        client = client_of(cloud, scheme)
        call(client, CREATE, client_token="t")
        assert refused(client, CREATE, client_token="t", weight=0).code == (
            "IdempotentParameterMismatch"
        )


@in_both_schemes
def test_the_sdk_knows_a_throttle_when_it_sees_one(scheme):
    """The wait in the header makes the SDK raise its throttling error, in milliseconds."""
    with made(limits={CREATE: (1, 60.0)}, monotonic=Clock()) as cloud:
        client = client_of(cloud, scheme)
        call(client, CREATE)
        error = refused(client, CREATE)
    assert isinstance(error, ThrottlingException)
    assert (error.code, error.retry_after) == ("Throttling.User", 60_000)


def test_the_sdk_reads_an_error_in_xml():
    """An error in XML is an error with code and id; a success in XML is none the SDK can read."""
    params = Params(
        action=DESCRIBE,
        version="2016-04-28",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="json",
        body_type="json",
    )
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-9", "Format": "XML"}
    with made() as cloud:
        client = client_of(cloud)
        with pytest.raises(AlibabaCloudException) as caught:
            client.call_api(params, OpenApiRequest(query=named), RuntimeOptions())
    assert caught.value.code == "InvalidVpnConnectionInstanceId.NotFound"


@pytest.mark.parametrize("kind", ["html", "empty", "truncate", "drop_before", "drop_after"])
def test_the_sdk_does_not_take_a_broken_answer_for_one(kind):
    """A page, nothing, half an answer, none: the SDK raises, whatever the simulator did."""
    with made(faults=[Fault(kind, count=1)]) as cloud:
        client = client_of(cloud)
        with pytest.raises(UnretryableException):
            call(client, DESCRIBE)
        assert call(client, DESCRIBE).state == "attached"
