"""The official SDK against a running simulator, in both its schemes: it works, and it errs."""

from __future__ import annotations

from collections.abc import Iterator
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

from tests.simulator.conftest import CONTRACT, HERE, ONE, Clock, route
from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route, Simulator, Switches

#: The SDK's name of each scheme.
SCHEMES = {"V3": None, "V1": "v2"}
TEMPORARY = Account("1000000000000001", "STS.key", "secret", security_token="to+ken/== %")
CREATE = "CreateVcoRouteEntry"
DELETE = "DeleteVcoRouteEntry"
MODIFY = "ModifyVcoRouteEntryWeight"
LIST = "DescribeVcoRouteEntries"
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


def parameters_of(operation: str, **changes: str) -> dict[str, str]:
    """Return the parameters of a call that would be accepted, with some changed."""
    required = CONTRACT["operations"][operation]["parameters"]["required"]
    return {name: route(NewWeight="0")[name] for name in required} | changes


def refused(client: Client, operation: str, **changes: str) -> AlibabaCloudException:
    """Return the exception that a call raises."""
    with pytest.raises(AlibabaCloudException) as caught:
        call(client, operation, query=parameters_of(operation, **changes))
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


@dataclass(frozen=True)
class Cause:
    """What brings a code about: a simulator, a create before, the refused call, a client."""

    options: dict[str, Any] = field(default_factory=dict)
    before: dict[str, str] | None = None
    changes: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


def asked(**changes: str) -> Cause:
    """Return a call with other parameters."""
    return Cause(changes=changes)


def connected(**fields: Any) -> Cause:
    """Return a call to the simulator of one connection that is so."""
    return Cause({"connections": [Connection("vco-1", **fields)]})


def holding(*routes: Route, **options: Any) -> Cause:
    """Return a call to a simulator that has routes."""
    return Cause({"routes": routes} | options)


def denied(code: str) -> Cause:
    """Return a call of a key that may only read."""
    may = {"Effect": "Allow", "Action": "vpc:Read*", "Resource": "*"}
    return Cause({"accounts": [Account(policy={"Statement": [may]}, denial_code=code)]})


def causes_of(operation: str) -> dict[str, Cause]:
    """Return what brings the codes of an operation about."""
    there = {"routes": [THERE]} if operation in (DELETE, MODIFY) else {}
    other = {"RouteDest": "10.9.0.0/16"}  # a task runs, or has just ended, whatever the write is
    soon = {"switches": Switches(task_conflict_seconds=1e6), "task_seconds": 0.0}
    return {
        "Forbidden": denied("Forbidden"),
        "Forbbiden.SubUser": denied("Forbbiden.SubUser"),
        "InvalidVpnConnectionInstanceId.NotFound": asked(VpnConnectionId="vco-9"),
        "VpnConnection.Configuring": Cause(there, other),
        "TaskConflict": Cause(there | soon, other),
        "VpnConnection.FinancialLocked": connected(state="financialLocked"),
        "InvalidRouteEntry.NotFound": Cause(),
        "Vco.StatusNotSupport": connected(attach_type="NO_ASSOCIATED"),
    } | OWN_CAUSES.get(operation, {})


THERE = Route("vco-1", "10.1.0.0/16")
OWN_CAUSES = {
    CREATE: {
        "VpnRouteEntry.AlreadyExists": holding(THERE),
        "VpnRouteEntry.Conflict": holding(Route("vco-1", "10.1.0.0/16", 0)),
        "VpnRouteEntry.ConflictSSL": connected(ssl_client_pools=("10.0.0.0/8",)),
        "VpnRouteEntry.BackupRoute": holding(Route("vco-1", "10.1.0.0/16", 100, "vco-2")),
        "InvalidNextHop.NotFound": asked(NextHop="vco-2"),
        "IllegalParam.RouteDest": asked(RouteDest="10.1.2.3/8"),
        "OperationFailed.InvalidCidrBlock": asked(RouteDest="0.0.0.0/0"),
        "CreateDbrRoutesQuotaFull.QuotaFull": holding(Route("vco-1", "10.9.0.0/16"), quota=1),
        "QuotaExceeded.VpnRouteEntry": holding(Route("vco-2", "10.9.0.0/16"), router_quota=1),
        "DryRunOperation": asked(DryRun="true"),
    },
    MODIFY: {
        "VpnRouteEntry.AlreadyExists": Cause({"routes": [THERE]}, changes={"NewWeight": "100"})
    },
    LIST: {"IllegalParam.RouteEntryType": asked(RouteEntryType="static")},
}
#: No page says what brings these about: the simulator answers them where a fault asks for them.
ONLY_ASKED_FOR = {
    "CreatePbrRoutesQuotaFull.QuotaFull",
    "Duplicated.TagKey",
    "Forbidden.TagKey.Duplicated",
    "InvalidParameter.TagKey",
    "InvalidParameter.TagValue",
    "Resource.PbrRouteQuotaFull",
    "Resource.QuotaFull",
    "SizeLimitExceeded.TagNum",
    "VpnRouteEntry.AlreadyExists",  # of a delete
    "VpnRouteEntry.Conflict",  # of a delete and a change of weight
}


def listed() -> Iterator[tuple[str, str, Cause]]:
    """Yield each code that an operation lists, and its cause."""
    for name, facts in CONTRACT["operations"].items():
        causes = causes_of(name)
        for code in facts["errors"]["codes"]:
            if code in causes or code not in ONLY_ASKED_FOR:
                yield name, code, causes[code]
            else:
                yield name, code, Cause({"faults": [Fault("refuse", code=code)]})


OLD = Account("1", "k", "s", "t", token_expires=1.0)
STRICT = Switches(shared_space_refused=True)
#: The same codes in other ways, and those of the gateway and of parameters.
MORE = [
    ("VpnRouteEntry.Conflict", connected(learned_routes=(LearnedRoute("10.1.0.0/16"),))),
    (
        "OperationFailed.InvalidCidrBlock",
        Cause({"switches": STRICT}, changes={"RouteDest": "100.64.0.0/10"}),
    ),
    ("InvalidAccessKeyId.NotFound", Cause(config={"access_key_id": "nobody"})),
    ("InvalidAccessKeyId.Inactive", Cause({"accounts": [Account(active=False)]})),
    ("SignatureDoesNotMatch", Cause(config={"access_key_secret": "wrong"})),
    ("MissingSecurityToken", Cause({"accounts": [TEMPORARY]}, config={"security_token": None})),
    ("InvalidSecurityToken", Cause({"accounts": [TEMPORARY]}, config={"security_token": "x"})),
    ("InvalidSecurityToken.Expired", Cause({"accounts": [OLD]})),
    ("InvalidTimeStamp.Expired", Cause({"faults": [Fault("skew", seconds=1800.0)]})),
    ("SignatureNonceUsed", Cause({"faults": [Fault("resent")]})),
    ("Forbidden.RAM", denied("Forbidden.RAM")),
    *((f"Missing{name}", asked(**{name: ""})) for name in route()),
    ("InvalidWeight", asked(Weight="50")),
    ("InvalidOverlayMode", asked(OverlayMode="Gre")),
    ("IllegalParam.ClientToken", asked(ClientToken="t" * 65)),
    ("InvalidClientToken", asked(ClientToken="tökén")),
    (
        "IdempotentParameterMismatch",
        Cause({}, {"ClientToken": "t"}, {"ClientToken": "t", "Weight": "0"}),
    ),
    ("InternalError", Cause({"faults": [Fault("status_500")]})),
    ("ServiceUnavailable", Cause({"faults": [Fault("status_503")]})),
]
CASES = [*listed(), *((CREATE, code, cause) for code, cause in MORE)]


def expected_error(operation: str, code: str) -> tuple[int, str]:
    """Return status and text of an error code, as the contract has them."""
    for beginning, family in CONTRACT["families"].items():
        if code not in CONTRACT["errors"] and code.startswith(beginning):
            return family["status"], family["text"].format(code.removeprefix(beginning))
    facts = CONTRACT["errors"][code]
    own = CONTRACT["operations"][operation]["errors"].get("texts", {})
    # What the server would have signed stands in the place of one text.
    return facts["status"], "" if code == "SignatureDoesNotMatch" else own.get(code, facts["text"])


@pytest.mark.parametrize(
    ("operation", "code", "cause"), CASES, ids=[f"{o}-{c}" for o, c, _ in CASES]
)
def test_the_sdk_raises_with_code_and_request_id(operation, code, cause: Cause, scheme):
    """Each code that an operation lists: status, code, text, and the id of the history."""
    with made(**cause.options) as cloud:
        client = client_of(cloud, scheme, **cause.config)
        if cause.before is not None:
            call(client, CREATE, query=parameters_of(CREATE, **cause.before))
        error = refused(client, operation, **cause.changes)
        last = cloud.calls().iloc[-1]
    status, text = expected_error(operation, code)
    assert (error.code, error.status_code) == (code, status)
    assert text in error.message
    assert (error.request_id, code) == (last["request_id"], last["code"])


def test_the_sdk_raises_every_code_that_there_is(scheme):
    """Any code of the contract, asked for by a fault, with its status, text and request id."""
    errors = CONTRACT["errors"]
    faults = [Fault("refuse", code=code, after=n, count=1) for n, code in enumerate(errors)]
    with made(faults=faults) as cloud:
        client = client_of(cloud, scheme)
        raised = [refused(client, DESCRIBE) for _ in errors]
        ids = cloud.calls()["request_id"].tolist()
    assert [error.request_id for error in raised] == ids
    for error, code in zip(raised, errors, strict=True):
        assert (error.code, error.status_code) == (code, errors[code]["status"])
        assert errors[code]["text"] in error.message
        kind = ServerException if error.status_code >= 500 else ClientException
        assert isinstance(error, kind), error.code


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
