"""The tables of operations, parameters, fields, codes and endpoints say what the vendor says."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client as OfficialClient

from tests.cloud.test_answers import came
from vcokit import errors
from vcokit.cloud import answers, endpoints, fields
from vcokit.cloud.error_codes import (
    CODES,
    KINDS,
    classify,
    fate_of_write,
    is_key,
    kind_of,
    may_try_again,
)
from vcokit.cloud.operations import OPERATIONS, PRODUCT, SECRET_FIELDS, VERSION, Operation
from vcokit.errors import InputError
from vcokit.simulator.backend import Cloud

CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text("utf-8"))
ROUTE_OPERATIONS = [name for name in CONTRACT["operations"] if "VcoRoute" in name]
NAMES = list(CONTRACT["operations"])


def told(operation: Operation) -> dict[str, dict[str, Any]]:
    """Return the parameters of an operation in the contract's form."""
    limits = ("default", "least", "most", "longest")
    result = {}
    for one in operation.parameters:
        result[one.name] = {"type": one.type, "required": one.required}
        if one.choices:
            result[one.name]["choices"] = list(one.choices)
        given = {name: getattr(one, name) for name in limits if getattr(one, name) is not None}
        result[one.name].update(given)
    return result


def test_all_operations_are_there() -> None:
    """Eight operations, no more and no fewer, of the right product and version."""
    assert list(OPERATIONS) == NAMES
    assert (CONTRACT["product"], CONTRACT["version"]) == (PRODUCT, VERSION)


@pytest.mark.parametrize("name", NAMES)
def test_an_operation(name: str) -> None:
    """Parameters with types and limits, answer fields, list, rate limit: each fact is there."""
    operation, fact = OPERATIONS[name], CONTRACT["operations"][name]
    assert told(operation) == fact["parameters"]
    assert dict(operation.answers) == fact["fields"]
    assert operation.writes == (fact["kind"] == "write")
    if fact["limit"] is not None:
        assert [operation.limit.calls, operation.limit.seconds] == fact["limit"]
    assert list(operation.rows) == CONTRACT["lists"].get(name, [])
    prefix = ".".join(operation.rows) + "[]."
    assert all(prefix + path in operation.answers for path in operation.columns)
    assert set(operation.needs) <= set(operation.answers)
    assert set(operation.identity) <= set(operation.columns)
    assert bool(operation.identity) == bool(operation.rows)


def test_limits_are_those_of_the_simulator() -> None:
    """Of a number that nobody publishes both make the same guess, apart from each other."""
    theirs = Cloud().limits
    assert {name: (one.limit.calls, one.limit.seconds) for name, one in OPERATIONS.items()} == {
        name: theirs[name] for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_official_sdk(name: str) -> None:
    """The SDK's request has the same parameters; of those nobody needs it may have more."""
    described = getattr(models, f"{name}Request")
    sample = dict.fromkeys(described().__init__.__code__.co_varnames[1:], "x")
    sample.pop("tag", None)
    theirs = set(described(**sample).to_map()) | ({"Tag"} if "tag" in dir(described()) else set())
    ours = {parameter.name for parameter in OPERATIONS[name].parameters}
    assert ours <= theirs
    assert theirs - ours <= {
        "OwnerAccount",
        "OwnerId",
        "ResourceOwnerAccount",
        "ResourceOwnerId",
    }


def test_nothing_secret_becomes_a_column() -> None:
    """No field that is a secret is named by a frame."""
    for operation in OPERATIONS.values():
        last = {path.rpartition(".")[2] for path in operation.columns}
        assert not last & SECRET_FIELDS


# -- parameters -----------------------------------------------------------------------------------

GOOD: dict[str, dict[str, Any]] = {
    "CreateVcoRouteEntry": {
        "RegionId": "r",
        "VpnConnectionId": "vco-1",
        "RouteDest": "10.0.0.0/8",
        "Weight": 100,
        "NextHop": "vco-1",
    },
    "DescribeVpnConnections": {"RegionId": "r"},
    "DescribeVcoRouteEntries": {"RegionId": "r", "VpnConnectionId": "vco-1"},
}


@pytest.mark.parametrize(
    ("name", "wrong", "word"),
    [
        ("CreateVcoRouteEntry", {"Weight": 50}, "0 or 100"),
        ("CreateVcoRouteEntry", {"Weight": "100"}, "an integer"),
        ("CreateVcoRouteEntry", {"Weight": 100.0}, "an integer"),
        ("CreateVcoRouteEntry", {"Weight": True}, "an integer"),
        ("CreateVcoRouteEntry", {"RouteDest": 10}, "text"),
        ("CreateVcoRouteEntry", {"RouteDest": "\ud800"}, "UTF-8"),
        ("CreateVcoRouteEntry", {"ClientToken": "x" * 65}, "64 ASCII"),
        ("CreateVcoRouteEntry", {"ClientToken": "é"}, "64 ASCII"),
        ("CreateVcoRouteEntry", {"OverlayMode": "Gre"}, "Ipsec"),
        ("CreateVcoRouteEntry", {"DryRun": "yes"}, "True or False"),
        ("CreateVcoRouteEntry", {"NewWeight": 0}, "takes no NewWeight"),
        ("DescribeVpnConnections", {"PageSize": 51}, "from 1 to 50"),
        ("DescribeVpnConnections", {"PageNumber": 0}, "from 1"),
        ("DescribeVpnConnections", {"Tag": ["a"]}, "mapping"),
        ("DescribeVpnConnections", {"Tag": {str(n): "" for n in range(21)}}, "20 tags"),
        ("DescribeVpnConnections", {"DryRun": True}, "takes no DryRun"),
        ("DescribeVcoRouteEntries", {"RouteEntryType": "all"}, "custom or bgp"),
    ],
)
def test_values_the_cloud_could_never_accept(name: str, wrong: dict, word: str) -> None:
    """They are refused before anything is sent, saying what to give instead."""
    list(OPERATIONS[name].wire(GOOD[name]))
    with pytest.raises(InputError, match=word):
        list(OPERATIONS[name].wire({**GOOD[name], **wrong}))


def test_values_as_they_travel() -> None:
    """Integers of NumPy, booleans and tags are written as the official SDK writes them."""
    create = {**GOOD["CreateVcoRouteEntry"], "Weight": np.int64(0), "DryRun": False}
    sent = dict(OPERATIONS["CreateVcoRouteEntry"].wire(create))
    assert (sent["Weight"], sent["DryRun"]) == ("0", "False")
    tags = {"RegionId": "r", "Tag": {"a": "1", "b": ""}}
    request = models.DescribeVpnConnectionsRequest(
        region_id="r",
        tag=[
            models.DescribeVpnConnectionsRequestTag(key="a", value="1"),
            models.DescribeVpnConnectionsRequestTag(key="b", value=""),
        ],
    )
    from alibabacloud_tea_openapi.utils import Utils

    theirs = Utils.query(request.to_map())
    assert dict(OPERATIONS["DescribeVpnConnections"].wire(tags)) == theirs


# -- codes ----------------------------------------------------------------------------------------


def every_code() -> list[tuple[str, int, str]]:
    """Return each code of the contract once, with its status and kind."""
    found = {}
    tables = [fact["errors"] for fact in CONTRACT["operations"].values()]
    for code, (status, kind) in itertools.chain.from_iterable(
        table.items() for table in (*tables, CONTRACT["common_errors"])
    ):
        assert found.setdefault(code, (status or 400, kind))[1] == kind
    return [(code, *rest) for code, rest in found.items()]


@pytest.mark.parametrize(("code", "status", "kind"), every_code())
def test_every_code_is_in_the_table(code: str, status: int, kind: str) -> None:
    """Each code of the contract has an entry of its own, of the contract's kind."""
    assert code in CODES
    assert CODES[code].kind == classify(code, status).kind == kind
    assert kind in KINDS


@pytest.mark.parametrize("name", ROUTE_OPERATIONS)
def test_every_code_of_a_route_operation_is_raised(name: str) -> None:
    """All codes of the four operations come as errors of their class, code and request id."""
    assert len(CONTRACT["operations"][name]["errors"]) >= 5
    for code, (status, kind) in CONTRACT["operations"][name]["errors"].items():
        body = json.dumps({"Code": code, "RequestId": "R-1", "Message": "m"}).encode()
        with pytest.raises(errors.ApiError) as caught:
            answers.read(OPERATIONS[name], came(status, content=body), 30.0)
        assert type(caught.value) is not errors.ApiError
        assert (caught.value.kind, caught.value.code) == (kind, code)
        assert (caught.value.request_id, caught.value.http_status) == ("R-1", status)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("Never.Seen", 400, "other"),
        ("Never.Seen", 504, "server"),
        ("MissingNewWeight", 400, "input"),
        ("InvalidNewWeight", 400, "input"),
        ("Throttling.Something", 429, "throttled"),
        ("Forbidden.Something", 403, "auth"),
        ("InvalidAccessKeyId.Other", 400, "auth"),
        ("InvalidSecurityToken.MismatchWithAccessKey", 400, "auth"),
        ("MissingSecurityToken.Other", 400, "auth"),
        ("InvalidSignatureVersion", 400, "auth"),
        ("InvalidThing.NotFound", 404, "not-found"),
        ("SomeQuotaFull", 400, "quota"),
        ("Thing.Configuring", 400, "busy"),
    ],
)
def test_codes_the_table_does_not_name(code: str, status: int, kind: str) -> None:
    """A code nobody has written down is of the kind its form tells, and a typed error anyhow."""
    assert code not in CODES
    assert classify(code, status).kind == kind


#: Codes of the gateway's tables that speak of the key, its signature or its date. Those with .Other
#: are on no page: of a family that names the key no member speaks of the step.
OF_THE_KEY = [
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidSignatureMethod",
    "InvalidTimeStamp.Expired",
    "InvalidTimeStamp.Format",
    "IllegalTimestamp",
    "InvalidAccessKeyId.NotFound",
    "InvalidAccessKeyId.Inactive",
    "InvalidAccessKeySecret",
    "MissingSecurityToken",
    "InvalidSecurityToken",
    "InvalidSecurityToken.Expired",
    "InvalidSecurityToken.MismatchWithAccessKey",
    "InvalidSecurityToken.Other",
]


def test_codes_of_the_key() -> None:
    """What refuses the key is told from what refuses one step, by families, known or not."""
    assert [code for code in OF_THE_KEY if not is_key(code)] == []
    assert {classify(code, 400).kind for code in OF_THE_KEY} == {"auth"}
    others = set(CODES) - set(OF_THE_KEY)
    assert {"SignatureNonceUsed", "Forbidden.RAM", "MissingParameter"} < others
    assert [code for code in others if is_key(code)] == []
    assert not is_key(None)


def test_kinds_are_the_classes_of_errors() -> None:
    """Each kind with a code is the kind of exactly one class; the two without have their own."""
    classes = [errors.ApiError, *errors.ApiError.__subclasses__()]
    with_code = sorted(kind.kind for kind in classes)
    assert with_code == sorted(set(KINDS) - {"no-answer", "protocol"})
    assert kind_of(errors.NotSentError("")) == "no-answer"
    assert kind_of(errors.ProtocolError("")) == "protocol"


def test_what_is_tried_again_may_be() -> None:
    """Refusals that stay are raised at once; waiting, faults and lost answers are tried again."""
    again = {kind for kind, meaning in KINDS.items() if meaning.again}
    assert again == {"busy", "throttled", "server", "no-answer", "protocol"}
    unknown = {kind for kind, meaning in KINDS.items() if meaning.write == "unknown"}
    assert unknown == {"server", "no-answer", "protocol"}
    assert may_try_again(errors.AuthError("", code="SignatureNonceUsed"))
    assert not may_try_again(errors.AuthError("", code="SignatureDoesNotMatch"))


@pytest.mark.parametrize(
    ("code", "status", "kind", "fate"),
    [
        ("VpnTask.CONFLICT", 400, "busy", "refused"),
        ("OperationConflict", 409, "busy", "refused"),
        ("SystemBusy", 400, "busy", "refused"),
        ("OperationFailed.IdempotentTokenProcessing", 400, "busy", "unknown"),
        ("SignatureNonceUsed", 400, "auth", "unknown"),
        ("SignatureDoesNotMatch", 400, "auth", "refused"),
        ("VpnRouteEntry.AlreadyExists", 400, "state", "refused"),
        ("InternalError", 500, "server", "unknown"),
        ("Never.Seen", 502, "server", "unknown"),
        ("DryRunOperation", 400, "dry-run-ok", "passed"),
    ],
)
def test_what_became_of_a_write(code: str, status: int, kind: str, fate: str) -> None:
    """A busy cloud has refused; a fault, or a copy of the request, leaves it to be looked at."""
    assert (classify(code, status).kind, fate_of_write(code, status)) == (kind, fate)


# -- endpoints ------------------------------------------------------------------------------------


def official(region: str) -> str:
    """Return the host that the installed SDK sends a region's calls to."""
    keys = {"access_key_id": "x", "access_key_secret": "x"}
    return OfficialClient(Config(region_id=region, **keys))._endpoint


def test_hosts_are_those_of_the_official_sdk() -> None:
    """Every region of the vendor's metadata, and every exception of the SDK, has the SDK's host."""
    exceptions = OfficialClient(
        Config(region_id="cn-beijing", access_key_id="x", access_key_secret="x")
    )._endpoint_map
    assert dict(endpoints.HOSTS) == exceptions
    for region in {*CONTRACT["endpoints"], *exceptions}:
        assert endpoints.endpoint_host(region) == official(region)


def test_hosts_are_those_of_the_metadata_but_for_three() -> None:
    """Where the metadata and the SDK disagree is known: three regions of the central host."""
    other = {
        region
        for region, host in CONTRACT["endpoints"].items()
        if endpoints.endpoint_host(region) != host
    }
    assert other == {"cn-hangzhou", "cn-shanghai-finance-1", "cn-shenzhen-finance-1"}
    assert {endpoints.endpoint_host(region) for region in other} == {endpoints.CENTRAL}


def test_types_of_json() -> None:
    """A value is of the type its field has; null is no value, true is no integer."""
    values = {"string": "", "integer": 0, "boolean": False, "array": [], "object": {}}
    for kind, value in itertools.product(values, values.values()):
        assert fields.fits(value, kind) == (value is values[kind])
        assert fields.fits(None, kind)
    assert not fields.fits(True, "integer")
