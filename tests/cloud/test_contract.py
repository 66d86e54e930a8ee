"""The facts are those of the official SDK, as far as it has them, and code does as they say."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from alibabacloud_credentials.provider import RamRoleArnCredentialsProvider
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client as OfficialClient

from tests import official as sdk
from tests.cloud.test_responses import came
from vcokit import errors
from vcokit.cloud import endpoints, error_codes, responses
from vcokit.cloud.error_codes import (
    CODES,
    MEANINGS,
    classify,
    fate_of_write,
    is_key,
    kind_of,
    may_try_again,
)
from vcokit.cloud.operations import KNOWN, OPERATIONS, SECRET_FIELDS
from vcokit.contract import CONTRACT
from vcokit.errors import InputError


def unsure(fact: Any, path: str) -> Iterator[str]:
    """Yield where a fact stands that neither has a confidence nor stands below one."""
    if not isinstance(fact, dict):
        yield path
    elif fact.get("confidence") not in CONTRACT["confidence"]:
        for name, inner in fact.items():
            yield from unsure(inner, f"{path}.{name}")


def test_every_fact_has_its_confidence() -> None:
    """Nothing is stated without saying how sure it is, in a word that the file explains."""
    sections = {name: one for name, one in CONTRACT.items() if isinstance(one, dict)}
    del sections["confidence"]
    assert [path for name, one in sections.items() for path in unsure(one, name)] == []


# -- operations -----------------------------------------------------------------------------------

JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def described(name: str, model: type) -> Iterator[tuple[str, type, bool]]:
    """Yield each field of a model of an operation: name, type, whether it is a list of such."""
    names = {"main_models": sdk.models_of(name), "List": list, "Dict": dict}
    empty = model().to_map()
    for attribute, hint in typing.get_type_hints(model.__init__, names).items():
        is_list = typing.get_origin(hint) is list
        kind = typing.get_args(hint)[0] if is_list else hint
        if typing.get_origin(kind) is dict:
            continue  # whatever it holds
        value = "x" if kind in JSON_TYPES else kind()
        said = model(**{attribute: [value] if is_list else value}).to_map()
        (field,) = (field for field in said if said[field] != empty.get(field))
        yield field, kind, is_list


def answered(name: str, model: type, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and type of each field of an answer of the SDK, those inside others too."""
    for field, kind, is_list in described(name, model):
        path = before + field
        if is_list:
            yield path, "array"
            path += "[]"
        if kind in JSON_TYPES:
            yield path, JSON_TYPES[kind]
        else:
            if not is_list:
                yield path, "object"
            yield from answered(name, kind, f"{path}.")


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_those_of_the_official_sdk(name: str) -> None:
    """The SDK's request has the same parameters; of those nobody needs it may have more.

    Of an operation of another service only some are known here.
    """
    theirs = {
        field: ("list" if kind is str else "tags") if is_list else JSON_TYPES.get(kind)
        for field, kind, is_list in described(name, sdk.model(name, "Request"))
    }
    ours = {parameter.name: parameter.type for parameter in KNOWN[name].parameters}
    assert ours.items() <= theirs.items()
    accounts = {"OwnerAccount", "OwnerId", "ResourceOwnerAccount", "ResourceOwnerId"}
    assert name not in OPERATIONS or theirs.keys() - ours.keys() <= accounts


@pytest.mark.parametrize("name", KNOWN)
def test_answers_are_those_of_the_official_sdk(name: str) -> None:
    """The SDK's answer has the same fields of the same types, at any depth.

    Of an operation of another service only those that are used are known here.
    """
    theirs = dict(answered(name, sdk.model(name, "ResponseBody")))
    ours = KNOWN[name].answers
    assert ours == theirs if name in OPERATIONS else ours.items() <= theirs.items()


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_read_is_answered(name: str) -> None:
    """Needed fields, rows and columns are fields of the answer, and a frame has the columns."""
    operation = KNOWN[name]
    place = ".".join(operation.rows)
    assert set(operation.needs) <= operation.answers.keys()
    assert {f"{place}[].{path}" for path in operation.columns} <= operation.answers.keys()
    assert set(operation.columns.values()) <= operation.frame.keys()
    assert set(operation.identity) <= operation.columns.keys()
    assert bool(operation.identity) == bool(operation.columns)
    if operation.rows:
        assert operation.answers[place] == "array"


def test_nothing_secret_becomes_a_column() -> None:
    """No field that is a secret is named by a frame."""
    for operation in KNOWN.values():
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
    "DiagnoseVpnConnections": {"RegionId": "r", "TunnelIds": ["tun-1", "tun-2"]},
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
        ("DiagnoseVpnConnections", {"TunnelIds": "tun-1"}, "a list of texts"),
        ("DiagnoseVpnConnections", {"TunnelIds": [1]}, "text"),
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

LISTED = [
    (name, code)
    for name, fact in CONTRACT["operations"].items()
    for code in fact["errors"]["codes"]
]


@pytest.mark.parametrize(("name", "code"), LISTED)
def test_every_code_of_an_operation_is_raised(name: str, code: str) -> None:
    """Each code comes as the error of its class, with status, code, text and request id."""
    fact = CONTRACT["errors"][code]
    text = CONTRACT["operations"][name]["errors"].get("texts", {}).get(code, fact["text"])
    body = json.dumps({"Code": code, "RequestId": "R-1", "Message": text}).encode()
    with pytest.raises(errors.ApiError, match="R-1") as caught:
        responses.read(OPERATIONS[name], came(fact["status"], content=body), 30.0)
    assert type(caught.value) is not errors.ApiError
    assert (caught.value.kind, caught.value.code) == (fact["class"], code)
    assert text in str(caught.value)
    assert (caught.value.request_id, caught.value.http_status) == ("R-1", fact["status"])


def test_a_code_decides_before_its_family() -> None:
    """A code of the contract is of its class, whatever its form and its status would tell."""
    kinds = {code: classify(code, status).kind for code in CODES for status in (400, 502)}
    assert kinds == {code: fact["class"] for code, fact in CONTRACT["errors"].items()}


def test_remedies_are_of_codes_that_there_are() -> None:
    """No remedy waits for a code that the contract does not know."""
    assert set(error_codes._REMEDIES) <= set(CODES)  # a private table: it shows nowhere else


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
    assert with_code == sorted(set(MEANINGS) - {"no-answer", "protocol"})
    assert set(with_code) - {"other"} == set(CONTRACT["classes"]["meanings"])
    assert kind_of(errors.NotSentError("")) == "no-answer"
    assert kind_of(errors.ProtocolError("")) == "protocol"


def test_what_is_tried_again_may_be() -> None:
    """Refusals that stay are raised at once; waiting, faults and lost answers are tried again."""
    again = {kind for kind, meaning in MEANINGS.items() if meaning.again}
    assert again == {"busy", "throttled", "server", "no-answer", "protocol"}
    unknown = {kind for kind, meaning in MEANINGS.items() if meaning.write == "unknown"}
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
    for region in endpoints.REGIONS:
        assert endpoints.endpoint_host(region) == official(region)


@pytest.mark.parametrize("name", sorted(KNOWN.keys() - OPERATIONS.keys() - {"AssumeRole"}))
def test_other_services_have_the_host_of_their_sdk(name: str) -> None:
    """One host answers for all regions."""
    keys = {"access_key_id": "x", "access_key_secret": "x"}
    assert KNOWN[name].service.host == sdk.client(name, region_id="eu-west-1", **keys)._endpoint


def test_roles_are_asked_for_at_the_host_of_the_official_package() -> None:
    """The package for credentials asks one host, too; the SDK has a host for most regions."""
    keys = {"access_key_id": "x", "access_key_secret": "x"}
    provider = RamRoleArnCredentialsProvider(**keys, role_arn="acs:ram::1:role/x")
    assert KNOWN["AssumeRole"].service.host == provider._sts_endpoint
