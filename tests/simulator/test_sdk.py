"""The official SDK against a running simulator, in both its schemes: it works, and it errs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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

from tests.simulator.conftest import CONTRACT, REGION, Clock, expected_error
from vcokit.simulator import (
    Account,
    Connection,
    Fault,
    LearnedRoute,
    Route,
    Simulator,
    Switches,
)

#: The SDK's name of each scheme.
SCHEMES = {"V3": None, "V1": "v2"}
PLAIN = Account()
TEMPORARY = Account("1000000000000001", "STS.key", "secret", security_token="to+ken/== %")

CREATE = "CreateVcoRouteEntry"
DELETE = "DeleteVcoRouteEntry"
MODIFY = "ModifyVcoRouteEntryWeight"
LIST = "DescribeVcoRouteEntries"
DESCRIBE = "DescribeVpnConnection"

TWO = [Connection("vco-1"), Connection("vco-2")]
HERE = Route("vco-1", "10.1.0.0/16")
NOBODY = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Cause:
    """What brings an error code about: a simulator, calls that come before, the refused call."""

    options: dict[str, Any] = field(default_factory=dict)
    before: tuple[tuple[str, dict[str, Any]], ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)


def python_name(name: str) -> str:
    """Return the SDK's name of an operation or a parameter."""
    return re.sub("(?<!^)([A-Z])", r"_\1", name).lower()


#: Values of the parameters that operations require.
GIVEN = {
    "RegionId": REGION,
    "VpnConnectionId": "vco-1",
    "RouteDest": "10.1.0.0/16",
    "Weight": 100,
    "NewWeight": 0,
    "NextHop": "vco-1",
}


def request_of(operation: str, **changes: Any) -> dict[str, Any]:
    """Return the arguments of the SDK's request for a call that would be accepted."""
    required = CONTRACT["operations"][operation]["parameters"]["required"]
    return {python_name(name): GIVEN[name] for name in required} | changes


def asked_for(code: str) -> Cause:
    """Return a call that is refused because it was asked for: nothing is known of the cause."""
    return Cause({"faults": [Fault("refuse", code=code)]})


def denied(code: str) -> Cause:
    """Return a call of a key that may do nothing."""
    return Cause({"accounts": [Account(policy=NOBODY, denial_code=code)]})


def with_connection(**fields: Any) -> Cause:
    """Return a call to the simulator of one connection that is so."""
    return Cause({"connections": [Connection("vco-1", **fields)]})


TAG_CODES = (
    "SizeLimitExceeded.TagNum",
    "InvalidParameter.TagKey",
    "InvalidParameter.TagValue",
    "Duplicated.TagKey",
    "Forbidden.TagKey.Duplicated",
)


def common_causes() -> dict[tuple[str, str], Cause]:
    """Return the codes that many operations list alike."""
    found = {}
    for operation, facts in CONTRACT["operations"].items():
        # A task runs on the connection, or has just ended, whatever the write would do.
        other_route = ((CREATE, {"route_dest": "10.9.0.0/16"}),)
        there = {"routes": [HERE]} if operation in (DELETE, MODIFY) else {}
        soon = {"switches": Switches(task_conflict_seconds=1e6), "task_seconds": 0.0}
        unattached = {"connections": [Connection("vco-1", attach_type="NO_ASSOCIATED")]}
        causes = {
            "Forbidden": denied("Forbidden"),
            "Forbbiden.SubUser": denied("Forbbiden.SubUser"),
            "InvalidVpnConnectionInstanceId.NotFound": Cause(
                changes={"vpn_connection_id": "vco-9"}
            ),
            "Resource.QuotaFull": asked_for("Resource.QuotaFull"),
            "VpnConnection.Configuring": Cause(there, other_route),
            "TaskConflict": Cause(there | soon, other_route),
            "VpnConnection.FinancialLocked": with_connection(state="financialLocked"),
            "InvalidRouteEntry.NotFound": Cause(),
            "Vco.StatusNotSupport": Cause(
                unattached | {"switches": Switches(not_attached_refused=True)}
            ),
            **{code: asked_for(code) for code in TAG_CODES},
        }
        found |= {
            (operation, code): causes[code] for code in facts["errors"]["codes"] if code in causes
        }
    return found


CAUSES: dict[tuple[str, str], Cause] = {
    **common_causes(),
    (CREATE, "VpnRouteEntry.AlreadyExists"): Cause({"routes": [HERE]}),
    (CREATE, "VpnRouteEntry.Conflict"): Cause({"routes": [HERE]}, changes={"weight": 0}),
    (CREATE, "VpnRouteEntry.ConflictSSL"): with_connection(ssl_client_pools=("10.0.0.0/8",)),
    (CREATE, "VpnRouteEntry.BackupRoute"): Cause(
        {"routes": [Route("vco-1", "10.1.0.0/16", 100, "vco-2")]}
    ),
    (CREATE, "InvalidNextHop.NotFound"): Cause(changes={"next_hop": "vco-2"}),
    (CREATE, "IllegalParam.RouteDest"): Cause(changes={"route_dest": "10.1.2.3/8"}),
    (CREATE, "OperationFailed.InvalidCidrBlock"): Cause(changes={"route_dest": "0.0.0.0/0"}),
    (CREATE, "CreateDbrRoutesQuotaFull.QuotaFull"): Cause(
        {"quota": 1, "routes": [Route("vco-1", "10.9.0.0/16")]}
    ),
    (CREATE, "QuotaExceeded.VpnRouteEntry"): Cause(
        {"router_quota": 1, "routes": [Route("vco-2", "10.9.0.0/16")]}
    ),
    (CREATE, "Resource.PbrRouteQuotaFull"): asked_for("Resource.PbrRouteQuotaFull"),
    (CREATE, "CreatePbrRoutesQuotaFull.QuotaFull"): asked_for("CreatePbrRoutesQuotaFull.QuotaFull"),
    (CREATE, "DryRunOperation"): Cause(changes={"dry_run": True}),
    (DELETE, "VpnRouteEntry.AlreadyExists"): asked_for("VpnRouteEntry.AlreadyExists"),
    (DELETE, "VpnRouteEntry.Conflict"): asked_for("VpnRouteEntry.Conflict"),
    (MODIFY, "VpnRouteEntry.AlreadyExists"): Cause({"routes": [HERE]}, changes={"new_weight": 100}),
    (MODIFY, "VpnRouteEntry.Conflict"): asked_for("VpnRouteEntry.Conflict"),
    (LIST, "IllegalParam.RouteEntryType"): Cause(changes={"route_entry_type": "static"}),
    (LIST, "Vco.StatusNotSupport"): with_connection(attach_type="NO_ASSOCIATED"),
}
#: The same codes in other ways, and codes that an operation does not list.
MORE_CAUSES = [
    (
        CREATE,
        "VpnRouteEntry.Conflict",
        with_connection(learned_routes=(LearnedRoute("10.1.0.0/16"),)),
    ),
    (
        CREATE,
        "OperationFailed.InvalidCidrBlock",
        Cause(
            {"switches": Switches(shared_space_refused=True)},
            changes={"route_dest": "100.64.0.0/10"},
        ),
    ),
    (
        LIST,
        "Vco.StatusNotSupport",
        Cause({"switches": Switches(listing_needs_attached=True)}, ((CREATE, {}),)),
    ),
]
CASES = [(*key, cause) for key, cause in CAUSES.items()] + MORE_CAUSES


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
    request = getattr(models, f"{operation}Request")().from_map(_named(operation, changes))
    return getattr(client, python_name(operation))(request).body


def _named(operation: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return a request under the names of the wire, from which the SDK makes its own."""
    arguments = request_of(operation, **changes)
    names = {python_name(name): name for name in CONTRACT["parameters"]}
    wire = {names[name]: value for name, value in arguments.items() if name != "tag"}
    if "tag" in arguments:
        wire["Tag"] = [{k.capitalize(): v for k, v in tag.items()} for tag in arguments["tag"]]
    return wire


def refused(client: Client, operation: str, **changes: Any) -> AlibabaCloudException:
    """Return the exception that a call raises."""
    with pytest.raises(AlibabaCloudException) as caught:
        call(client, operation, **changes)
    return caught.value


# -- it works ----------------------------------------------------------------------------------


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
    """Poll once a second, as the vendor's page says; the next write comes a second later."""
    for _ in range(4):
        assert call(client, DESCRIBE).state == "updating"
        clock.now += 1.0
    assert call(client, DESCRIBE).state == "attached"
    clock.now += 1.0


def weights(client: Client) -> list[int]:
    """Return the weights of the routes that the SDK lists."""
    body = call(client, LIST, page_size=50)
    assert body.total_count == len(body.vco_route_entries)
    return [row.weight for row in body.vco_route_entries]


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


@pytest.mark.parametrize(
    ("operation", "code", "cause"), CASES, ids=[f"{o}-{c}" for o, c, _ in CASES]
)
def test_the_sdk_raises_with_code_and_request_id(operation, code, cause: Cause, scheme):
    """Each code that an operation lists: status, code, text, and the id of the history."""
    with made(**cause.options) as cloud:
        client = client_of(cloud, scheme)
        for before, changes in cause.before:
            call(client, before, **changes)
        error = refused(client, operation, **cause.changes)
        last = cloud.calls().iloc[-1]
    status, text = expected_error(operation, code)
    assert (error.code, error.status_code) == (code, status)
    assert text in error.message
    assert (error.request_id, code) == (last["request_id"], last["code"])


def test_every_code_of_every_operation_is_raised():
    """The causes are those of the contract's codes, operation by operation."""
    facts = CONTRACT["operations"].items()
    assert CAUSES.keys() == {(name, code) for name, of in facts for code in of["errors"]["codes"]}


def test_the_sdk_raises_every_code_that_there_is(scheme):
    """Any code of the contract, asked for by a fault, with its status and request id."""
    errors = CONTRACT["errors"]
    faults = [Fault("refuse", code=code, after=n, count=1) for n, code in enumerate(errors)]
    with made(faults=faults) as cloud:
        client = client_of(cloud, scheme)
        raised = [refused(client, DESCRIBE) for _ in errors]
        calls = cloud.calls()
    assert [error.code for error in raised] == list(errors)
    assert [error.status_code for error in raised] == [of["status"] for of in errors.values()]
    assert [error.request_id for error in raised] == calls["request_id"].tolist()
    for error in raised:
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


@pytest.mark.parametrize(
    ("code", "options", "config", "changes"), GATEWAY, ids=[case[0] for case in GATEWAY]
)
def test_the_sdk_raises_what_the_gateway_says(scheme, code, options, config, changes):
    """Keys, tokens, clocks, permissions, parameters: each by its code and the history's id."""
    with made(**options) as cloud:
        error = refused(client_of(cloud, scheme, **config), CREATE, **changes)
        last = cloud.calls().iloc[-1]
    assert (error.code, error.request_id) == (code, last["request_id"])


def test_the_sdk_is_told_of_a_token_used_twice(scheme):
    """Other parameters under the same token."""
    with made() as cloud:
        client = client_of(cloud, scheme)
        call(client, CREATE, client_token="t")
        assert refused(client, CREATE, client_token="t", weight=0).code == (
            "IdempotentParameterMismatch"
        )


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
