"""The gateway in V1 and in the other shapes of a request: who is let in, and how they may ask."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from vcokit.simulator import Account, Connection, Credentials, Fault
from vcokit.simulator.defaults import TIMESTAMP_TOLERANCE
from vcokit.simulator.gateway import read_parameters
from vcokit.simulator.requests import FORM, HttpRequest

WALL = 1_767_323_045.0
ONE = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}


# What is wrong with a V1 request, in the order in which it is found out.
GATE = [
    ("UnsupportedHTTPMethod", {"method": "PUT"}),
    ("InvalidParameter.Format", {"common": {"Format": "YAML"}}),
    ("MissingVersion", {"common": {"Version": None}}),
    ("InvalidVersion", {"common": {"Version": "2014-05-26"}}),
    ("InvalidAction.NotFound", {"action": "DescribeVpcs"}),
    ("InvalidSignatureMethod", {"common": {"SignatureMethod": "HMAC-SHA256"}}),
    ("InvalidSignatureType", {"common": {"SignatureType": "BEARERTOKEN"}}),
    ("IncompleteSignature", {"common": {"Signature": ""}}),
    ("MissingAccessKeyId", {"common": {"AccessKeyId": None}}),
    ("MissingSignatureNonce", {"common": {"SignatureNonce": None}}),
    ("MissingTimestamp", {"common": {"Timestamp": None}}),
    ("InvalidAccessKeyId.NotFound", {"credentials": Credentials("nobody", "x")}),
    ("InvalidTimeStamp.Format", {"common": {"Timestamp": "2026-01-02 03:04:05"}}),
    ("InvalidTimeStamp.Expired", {"common": {"Timestamp": "2025-01-02T03:04:05Z"}}),
    ("SignatureDoesNotMatch", {"secret": "wrong"}),
    ("InvalidSecurityToken", {"common": {"SecurityToken": "x"}}),
    ("SignatureNonceUsed", {"common": {"SignatureNonce": "used"}}),
    ("MissingVpnConnectionId", {"parameters": {"RegionId": "cn-hangzhou"}}),
]


def spoiled(sign_v1, *spoils):
    """Return a request with several things wrong."""
    how = {"action": "DescribeVpnConnection", "parameters": ONE, "common": {}}
    for spoil in spoils:
        how = how | spoil | {"common": how["common"] | spoil.get("common", {})}
    return sign_v1(how.pop("action"), how.pop("parameters"), **how)


def test_the_gate_checks_v1_in_order(gate, sign_v1):
    """Of any two things wrong the earlier one in the documented order is answered."""
    before = gate()
    before.send(sign_v1("DescribeRegions", common={"SignatureNonce": "used"}))
    for position, (code, spoil) in enumerate(GATE):
        for _, later in [("", {}), *GATE[position + 1 :]]:
            if spoil.keys() & later.keys() - {"common"}:
                continue
            if spoil.get("common", {}).keys() & later.get("common", {}).keys():
                continue
            # A request that lacks part of its signature has none that could be wrong as well.
            assert before.code(spoiled(sign_v1, later, spoil)) == code, later


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_v1_is_answered_like_v3(gate, sign, sign_v1, method):
    """Both schemes and methods give the same answer, request ids aside."""
    answers = [
        gate().send(make("DescribeVpnConnection", ONE, method=method)) for make in (sign, sign_v1)
    ]
    assert answers[0].body == answers[1].body
    assert answers[0].headers == answers[1].headers


def test_headers_of_v3_alone_do_not_make_v3(gate, sign_v1):
    """SDKs send x-acs-action and x-acs-version with V1 too; the parameters are what counts."""
    headers = {"x-acs-action": "DescribeRegions", "x-acs-version": "2016-04-28"}
    before = gate()
    answer = before.send(sign_v1("DescribeVpnConnection", ONE, headers=headers))
    assert json.loads(answer.body)["State"] == "attached"
    assert before.world.cloud.history[0].operation == "DescribeVpnConnection"


def test_no_signature_at_all_is_incomplete(gate):
    """Neither scheme: an operation may be named in either way, but nobody has signed."""
    unsigned = HttpRequest("GET", query=b"Action=DescribeRegions&Version=2016-04-28")
    assert gate().code(unsigned) == "MissingSignatureMethod"
    headers = ((b"x-acs-action", b"DescribeRegions"), (b"x-acs-version", b"2016-04-28"))
    assert gate().code(HttpRequest("GET", headers=headers)) == "IncompleteSignature"
    assert gate().code(HttpRequest("GET")) == "MissingVersion"


def test_v1_and_v3_share_nonces(gate, sign, sign_v1):
    """A nonce that one scheme has used up is used up for the other."""
    before = gate()
    assert before.code(sign("DescribeRegions", headers={"x-acs-signature-nonce": "n"})) == ""
    assert before.code(sign_v1("DescribeRegions", common={"SignatureNonce": "n"})) == (
        "SignatureNonceUsed"
    )


@pytest.mark.parametrize("scheme", ["sign", "sign_v1"])
def test_temporary_keys_need_their_token(gate, scheme, request):
    """In either scheme the token must be there, be the right one, and not have expired."""
    make = request.getfixturevalue(scheme)
    account = Account("2", "STS.key", "secret", security_token="t/+=", token_expires=WALL + 60)
    before = gate(accounts=[account])
    keys = account.credentials
    assert before.code(make("DescribeRegions", credentials=keys)) == ""
    without = keys._replace(security_token=None)
    assert before.code(make("DescribeRegions", credentials=without)) == "MissingSecurityToken"
    other = keys._replace(security_token="x")
    assert before.code(make("DescribeRegions", credentials=other)) == "InvalidSecurityToken"
    late = make("DescribeRegions", credentials=keys, wall=WALL + 60)
    assert before.code(late, wall=WALL + 60) == "InvalidSecurityToken.Expired"


def test_a_disabled_key_is_refused(gate, sign):
    """The key is known, and that is all; its signature is not looked at."""
    off = Account("2", "key-2", "secret-2", active=False)
    code = gate(accounts=[off]).code(sign("DescribeRegions", credentials=off.credentials))
    assert code == "InvalidAccessKeyId.Inactive"


# -- shapes ------------------------------------------------------------------------------------


def test_parameters_may_come_in_a_form_body(gate, sign, sign_v1, name_route):
    """V1 and V3, query and form: the route is created whichever way it is named."""
    named = name_route(Description="a b*c ü")
    body = urlencode(named).encode()
    in_form = {"content-type": FORM}
    requests = [
        sign("CreateVcoRouteEntry", body=body, headers=in_form),
        sign("CreateVcoRouteEntry", {"RegionId": named["RegionId"]}, body=body, headers=in_form),
        sign_v1("CreateVcoRouteEntry", form=named),
        sign_v1("CreateVcoRouteEntry", {"RegionId": named["RegionId"]}, form=named),
        sign_v1("CreateVcoRouteEntry", form=named, method="GET"),
    ]
    for request in requests:
        answer = json.loads(gate().send(request).body)
        assert answer.get("Description") == "a b*c ü", answer


def test_query_and_form_must_agree(gate, sign, sign_v1, name_route):
    """The same name with two values is refused by both schemes, signed or not."""
    form = name_route()
    other = {"RegionId": "eu-west-1"}
    body = urlencode(form).encode()
    v3 = sign("CreateVcoRouteEntry", other, body=body, headers={"content-type": FORM})
    assert gate().code(v3) == "InvalidParameter"
    # The vendor's library can sign only one of the two, so this fails at the signature already.
    assert gate().code(sign_v1("CreateVcoRouteEntry", other, form=form)) in (
        "SignatureDoesNotMatch",
        "InvalidParameter",
    )


@pytest.mark.parametrize(
    "written",
    [
        lambda value: quote(value, safe="~"),
        lambda value: quote(value, safe="*~"),
        lambda value: quote(value, safe="").replace("%20", "+"),
        lambda value: quote(value, safe="*!'()~"),
        lambda value: quote(value, safe="/"),
    ],
)
@pytest.mark.parametrize("scheme", ["sign", "sign_v1"])
def test_a_query_is_taken_as_any_client_writes_it(gate, name_route, scheme, written, request):
    """%20 or +, a bare star or %2A, and whatever else a library leaves as it is."""
    text = "a b*c~d+e/f%g&h=i(j)k!l'm"
    signed = request.getfixturevalue(scheme)("CreateVcoRouteEntry", name_route(Description=text))
    pairs = signed.query_pairs
    query = "&".join(f"{name}={written(value)}" for name, value in pairs).encode()
    answer = json.loads(gate().send(replace(signed, query=query)).body)
    assert answer["Description"] == text


def test_booleans_are_taken_in_any_letters(gate, name_route):
    """Python writes True, others true."""
    for text in ("true", "True", "TRUE"):
        answer = gate().call("CreateVcoRouteEntry", name_route(DryRun=text))
        assert answer["Code"] == "DryRunOperation"


def test_parameters_are_read_once():
    """Equal values in query and form are one, two in either are two."""
    form = ((b"content-type", FORM.encode()),)
    both = HttpRequest("POST", query=b"a=1&b=2", headers=form, body=b"a=1&c=3")
    assert read_parameters(both) == {"a": "1", "b": "2", "c": "3"}


# -- permissions -------------------------------------------------------------------------------


def allow(*actions: str, resource: str = "*", **more) -> dict:
    """Return a policy of one statement."""
    return {
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource} | more]
    }


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (None, ""),
        (allow("*"), ""),
        (allow("vpc:*"), ""),
        (allow("VPC:describe*"), ""),
        (allow("vpc:DescribeVpnConnection"), ""),
        (allow("vpc:DescribeVpnConnections"), "Forbidden.RAM"),
        (allow("vpc:Describe*", resource="acs:vpc:cn-hangzhou:*:vpnconnection/vco-1"), ""),
        (allow("vpc:Describe*", resource="acs:vpc:*:*:vpnconnection/vco-?"), ""),
        (allow("vpc:Describe*", resource="acs:vpc:eu-west-1:*:vpnconnection/*"), "Forbidden.RAM"),
        (allow("vpc:Describe*", resource="acs:vpc:*:2:vpnconnection/*"), "Forbidden.RAM"),
    ],
)
def test_a_policy_decides_what_a_key_may_do(gate, policy, code):
    """Allowed is what a statement covers, by action in any letters and by resource."""
    account = Account("1000000000000001", policy=policy)
    assert gate(accounts=[account]).call("DescribeVpnConnection", ONE).get("Code", "") == code


def test_a_denial_beats_a_permission(gate):
    """Whatever else allows it, and in whatever order they stand."""
    deny = {
        "Effect": "Deny",
        "Action": "vpc:DescribeVpnConnection",
        "Resource": "acs:vpc:*:*:vpnconnection/vco-1",
    }
    every = allow("*")["Statement"]
    for statements in ([deny, *every], [*every, deny]):
        before = gate(accounts=[Account(policy={"Version": "1", "Statement": statements})])
        assert before.call("DescribeVpnConnection", ONE)["Code"] == "Forbidden.RAM"
        assert "State" in before.call("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-2"})


def test_a_call_without_a_connection_needs_them_all(gate):
    """A listing of a region is not covered by a permission for one of its connections."""
    here = {"RegionId": "cn-hangzhou"}
    for resource, code in (("acs:vpc:*:*:vpnconnection/vco-1", "Forbidden.RAM"), ("*", "")):
        account = Account(policy=allow("vpc:Describe*", resource=resource))
        answer = gate(accounts=[account]).call("DescribeVpnConnections", here)
        assert answer.get("Code", "") == code


def test_who_may_not_is_told_what(gate, sign):
    """403, with the action and the resource that would be needed, and kept in the history."""
    before = gate(accounts=[Account(policy=allow("vpc:Create*"))])
    answer = before.send(sign("DescribeVpnConnection", ONE))
    body = json.loads(answer.body)
    assert (answer.status, body["Code"]) == (403, "Forbidden.RAM")
    assert body["AccessDeniedDetail"] == {
        "AuthAction": "vpc:DescribeVpnConnection",
        "AuthResource": "acs:vpc:cn-hangzhou:1000000000000001:vpnconnection/vco-1",
    }
    assert before.world.cloud.history[0].code == "Forbidden.RAM"


def test_permission_comes_before_limits_and_checks(gate, sign):
    """Who may not learns nothing of connections, uses up no limit and no fault."""
    account = Account(policy=allow("vpc:Create*"))
    before = gate(accounts=[account], faults=[Fault("status_503")])
    for _ in range(700):
        assert before.code(sign("DescribeVpnConnection", {})) == "Forbidden.RAM"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([], "Write a mapping"),
        ({}, "Statement is a list"),
        ({"Version": "2", "Statement": []}, 'Version = "1"'),
        ({"Statement": [], "Id": "x"}, "nothing else"),
        (allow("*", Condition={}), "not modelled"),
        ({"Statement": [{"Effect": "Allow", "NotAction": "*", "Resource": "*"}]}, "not modelled"),
        ({"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}, "Allow or Deny"),
        ({"Statement": {"Effect": "Allow", "Action": [1], "Resource": "*"}}, "list of texts"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(policy, message):
    """What is not modelled is no permission and no denial but an error."""
    with pytest.raises(ValueError, match=message):
        Account(policy=policy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"access_key_id": ""}, "access_key_id"),
        ({"denial_code": "InternalError"}, "denial_code 'InternalError' is unknown"),
        ({"token_expires": 5.0}, "without security_token"),
    ],
)
def test_accounts_that_cannot_be_are_refused(options, message):
    """An account that nobody could use cannot be made, and the message shows no secret."""
    with pytest.raises(ValueError, match=message) as caught:
        Account(access_key_secret="hidden", **options) if options else None
    assert "hidden" not in str(caught.value)


# -- the clock ---------------------------------------------------------------------------------


def test_a_skewed_server_refuses_and_says_its_time(gate, sign):
    """A server whose clock is 20 minutes fast calls an honest date expired; its Date shows why."""
    before = gate(faults=[Fault("skew", seconds=1200.0, count=1)])
    answer = before.send(sign("DescribeRegions"))
    assert json.loads(answer.body)["Code"] == "InvalidTimeStamp.Expired"
    assert dict(answer.headers)[b"date"] == b"Fri, 02 Jan 2026 03:24:05 GMT"
    good = before.send(sign("DescribeRegions"))
    assert (good.status, dict(good.headers)[b"date"]) == (200, b"Fri, 02 Jan 2026 03:04:05 GMT")


@pytest.mark.parametrize("scheme", ["sign", "sign_v1"])
@pytest.mark.parametrize("seconds", [-7200.0, 7200.0])
def test_a_client_that_follows_the_server_s_clock_is_let_in(gate, scheme, seconds, request):
    """Fast or slow: dated by the server's Date the same call is good, and its nonce is kept."""
    make = request.getfixturevalue(scheme)
    before = gate(faults=[Fault("skew", seconds=seconds)])
    late = make("DescribeRegions", wall=WALL + seconds)
    assert before.code(make("DescribeRegions")) == "InvalidTimeStamp.Expired"
    assert [before.code(late), before.code(late)] == ["", "SignatureNonceUsed"]


def test_a_small_skew_does_no_harm(gate, sign):
    """Within the tolerance only the Date tells."""
    before = gate(faults=[Fault("skew", seconds=TIMESTAMP_TOLERANCE - 1)])
    assert before.code(sign("DescribeRegions")) == ""


def test_a_skew_can_be_of_one_operation_and_connection(gate, sign, name_route):
    """Like any fault it may strike some calls only."""
    fault = Fault("skew", operation="CreateVcoRouteEntry", vpn_connection_id="vco-2", seconds=2e4)
    before = gate(faults=[fault], connections=[Connection("vco-1"), Connection("vco-2")])
    assert before.code(sign("CreateVcoRouteEntry", name_route())) == ""
    assert before.code(sign("CreateVcoRouteEntry", name_route("vco-2"))) == (
        "InvalidTimeStamp.Expired"
    )
