"""Who is let in, in which order that is checked, and how a request may be written; both schemes."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.simulator.conftest import FORM, SIGNERS, WALL, SmallService, route, vendor_signed
from vcokit.simulator import Account, Connection, Credentials, Fault
from vcokit.simulator.auth import HttpRequest

ONE = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}
TEMPORARY = Account("2", "STS.key", "secret", security_token="t/+==", token_expires=WALL + 60)


def spoil(scheme: str, name: str, value: str | None) -> dict:
    """Return what gives a request another value of what it says of itself; None leaves it out."""
    headers = {
        "Action": "x-acs-action",
        "Version": "x-acs-version",
        "SignatureNonce": "x-acs-signature-nonce",
        "Timestamp": "x-acs-date",
        "SecurityToken": "x-acs-security-token",
    }
    if scheme == "V1":
        return {"common": {name: value}}
    return {"headers": {headers[name]: value}}


def flaws(scheme: str) -> list[tuple[str, dict]]:
    """Return what may be wrong with a request, in the order in which it is found out."""
    v3 = [("IncompleteSignature", {"headers": {"x-acs-content-sha256": None}})]
    v1 = [
        ("InvalidSignatureMethod", {"common": {"SignatureMethod": "HMAC-SHA256"}}),
        ("InvalidSignatureType", {"common": {"SignatureType": "BEARERTOKEN"}}),
        ("IncompleteSignature", {"common": {"Signature": ""}}),
        ("MissingAccessKeyId", {"common": {"AccessKeyId": None}}),
    ]
    return [
        ("UnsupportedHTTPMethod", {"method": "PUT"}),
        ("InvalidParameter.Format", {"parameters": ONE | {"Format": "YAML"}, "common": {}}),
        ("MissingVersion", spoil(scheme, "Version", None)),
        ("InvalidVersion", spoil(scheme, "Version", "2014-05-26")),
        ("InvalidAction.NotFound", {"action": "DescribeVpcs"}),
        *(v1 if scheme == "V1" else v3),
        ("MissingSignatureNonce", spoil(scheme, "SignatureNonce", None)),
        ("MissingTimestamp", spoil(scheme, "Timestamp", None)),
        ("InvalidAccessKeyId.NotFound", {"credentials": Credentials("nobody", "x")}),
        ("InvalidTimeStamp.Format", spoil(scheme, "Timestamp", "2026-01-02 03:04:05")),
        ("InvalidTimeStamp.Expired", spoil(scheme, "Timestamp", "2025-01-02T03:04:05Z")),
        ("SignatureDoesNotMatch", {"credentials": Account(access_key_secret="x").credentials}),
        ("InvalidSecurityToken", spoil(scheme, "SecurityToken", "x")),
        ("SignatureNonceUsed", spoil(scheme, "SignatureNonce", "used")),
        ("MissingVpnConnectionId", {"parameters": {"RegionId": "cn-hangzhou"}}),
    ]


def test_checks_are_made_in_order(scheme):
    """Of any two things wrong the one that is earlier in the documented order is answered."""
    service, make = SmallService(), SIGNERS[scheme]
    service.send(make("DescribeRegions", **spoil(scheme, "SignatureNonce", "used")))
    known = flaws(scheme)
    for position, (code, first) in enumerate(known):
        for other, later in [("", {}), *known[position + 1 :]]:
            how = {"action": "DescribeVpnConnection", "parameters": ONE}
            nested = ("headers", "common")
            clash = (first.keys() & later.keys()) - {*nested}
            if clash or any(first.get(n, {}).keys() & later.get(n, {}).keys() for n in nested):
                continue
            both = {n: later.get(n, {}) | first.get(n, {}) for n in nested}
            how |= later | first | {n: of for n, of in both.items() if of}
            how = {name: of for name, of in how.items() if name not in nested or of}
            assert service.code(make(how.pop("action"), how.pop("parameters"), **how)) == code, (
                other
            )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_schemes_and_methods_are_answered_alike(method):
    """V1 and V3, GET and POST give the same answer, headers too."""
    answers = [
        SmallService().send(make("DescribeVpnConnection", ONE, method=method))
        for make in SIGNERS.values()
    ]
    assert json.loads(answers[0].body)["State"] == "attached"
    assert answers[0] == answers[1]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "get", "X"])
def test_other_methods_are_refused(sign, method):
    """Only GET and POST are methods of this API."""
    assert SmallService().code(sign("DescribeRegions", method=method)) == "UnsupportedHTTPMethod"


def test_the_operation_must_be_named(sign, scheme):
    """Operation and version are required, and only the root is served."""
    service = SmallService()
    assert service.code(vendor_signed("x", headers={"x-acs-action": None})) == "MissingAction"
    assert service.code(sign("x", **spoil(scheme, "Version", None))) == "MissingVersion"
    answer = service.send(replace(sign("DescribeRegions"), path="/v2"))
    assert (answer.status, json.loads(answer.body)["Code"]) == (404, "InvalidAction.NotFound")


def test_headers_of_v3_alone_do_not_make_v3():
    """SDKs send x-acs-action and x-acs-version with V1 too; the parameters are what counts."""
    headers = {"x-acs-action": "DescribeRegions", "x-acs-version": "2016-04-28"}
    service = SmallService()
    answer = service.send(SIGNERS["V1"]("DescribeVpnConnection", ONE, headers=headers))
    assert json.loads(answer.body)["State"] == "attached"
    assert service.cloud.history[0].operation == "DescribeVpnConnection"


def test_no_signature_at_all_is_incomplete():
    """Neither scheme: an operation may be named in either way, but nobody has signed."""
    unsigned = HttpRequest("GET", query=b"Action=DescribeRegions&Version=2016-04-28")
    assert SmallService().code(unsigned) == "MissingSignatureMethod"
    headers = ((b"x-acs-action", b"DescribeRegions"), (b"x-acs-version", b"2016-04-28"))
    assert SmallService().code(HttpRequest("GET", headers=headers)) == "IncompleteSignature"
    assert SmallService().code(HttpRequest("GET")) == "MissingVersion"


# -- dates and nonces -----------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-900, 0, 900])
def test_dates_are_good_for_fifteen_minutes_either_way(sign, offset):
    """Exactly fifteen minutes are still good, one second more is not."""
    assert SmallService().code(sign("DescribeRegions", wall=WALL + offset)) == ""
    further = sign("DescribeRegions", wall=WALL + offset + (1 if offset >= 0 else -1))
    assert SmallService().code(further) == ("InvalidTimeStamp.Expired" if offset else "")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05.5Z",
        "2026-1-2T3:4:5Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:60Z",
        "0000-01-02T00:00:00Z",
        "２０２６-01-02T03:04:05Z",
        "Fri, 02 Jan 2026 03:04:05 GMT",
    ],
)
def test_dates_have_one_form(sign, scheme, text):
    """Only yyyy-MM-ddTHH:mm:ssZ is a date, and only if there is such a day."""
    request = sign("DescribeRegions", **spoil(scheme, "Timestamp", text))
    assert SmallService().code(request) == "InvalidTimeStamp.Format"


def test_a_request_can_be_sent_once(sign):
    """The same nonce again is a replay; the resend of a call carries a new one."""
    service, request = SmallService(), sign("DescribeRegions")
    assert [service.code(request), service.code(request)] == ["", "SignatureNonceUsed"]
    assert service.code(sign("DescribeRegions")) == ""


def test_a_nonce_is_used_up_for_both_schemes_and_one_key():
    """What V3 has used V1 cannot use; another key can."""
    other = Account("2", "key-2", "secret-2")
    service = SmallService([Account(), other])
    requests = [
        make("DescribeRegions", credentials=account.credentials, **spoil(of, "SignatureNonce", "n"))
        for of, make in SIGNERS.items()
        for account in (Account(), other)
    ]
    assert list(map(service.code, requests)) == ["", "", *["SignatureNonceUsed"] * 2]


def test_a_nonce_counts_only_when_its_signature_was_right(sign):
    """A forged request cannot use up the nonce of a true one."""
    service, request = SmallService(), sign("DescribeRegions")
    forged = replace(request, query=request.query + b"&a=1")
    assert service.code(forged) == "SignatureDoesNotMatch"
    assert service.code(request) == ""


def test_nonces_are_remembered_as_long_as_they_matter(sign):
    """To the last second in which the request is not expired, in whatever order they came."""
    service = SmallService()
    late, early = (sign("DescribeRegions", wall=WALL + offset) for offset in (800, -800))
    for request in (late, early):
        assert service.code(request) == ""
    assert service.code(early, wall=WALL + 100) == "SignatureNonceUsed"
    assert service.code(early, wall=WALL + 101) == "InvalidTimeStamp.Expired"
    assert service.code(late, wall=WALL + 1700) == "SignatureNonceUsed"


# -- keys -----------------------------------------------------------------------------------------


def test_temporary_keys_need_their_token(sign):
    """The token must be there, be the right one, and not have expired; others must send none."""
    service, keys = SmallService([TEMPORARY, Account()]), TEMPORARY.credentials

    def code(token: str | None, wall: float = WALL) -> str:
        credentials = keys._replace(security_token=token)
        return service.code(sign("DescribeRegions", credentials=credentials, wall=wall), wall)

    assert code(keys.security_token, WALL + 59) == ""
    assert code(None) == "MissingSecurityToken"
    assert code("x") == "InvalidSecurityToken"
    assert code(keys.security_token, WALL + 60) == "InvalidSecurityToken.Expired"
    plain = Account().credentials._replace(security_token="x")
    assert service.code(sign("DescribeRegions", credentials=plain)) == "InvalidSecurityToken"


def test_the_key_is_named_once():
    """A header that names another key than Authorization is refused."""
    request = vendor_signed("DescribeRegions", headers={"x-acs-accesskey-id": "other"})
    assert SmallService().code(request) == "InvalidAccessKeyId.NotFound"


def test_a_disabled_key_is_refused(sign):
    """The key is known, and that is all; its signature is not looked at."""
    off = Account("2", "key-2", "secret-2", active=False)
    request = sign("DescribeRegions", credentials=Credentials("key-2", "wrong"))
    assert SmallService([off]).code(request) == "InvalidAccessKeyId.Inactive"


def test_each_key_acts_for_its_account(sign):
    """A call reaches the connections of the account whose key signed it."""
    mine, theirs = Account(), Account("2", "key-2", "secret-2")
    service = SmallService([mine, theirs], connections=[Connection("vco-1", account_id="2")])
    found = sign("DescribeVpnConnection", ONE, credentials=theirs.credentials)
    assert service.code(found) == ""
    not_found = sign("DescribeVpnConnection", ONE, credentials=mine.credentials)
    assert service.code(not_found) == "InvalidVpnConnectionInstanceId.NotFound"


def test_who_is_refused_is_in_the_history(sign):
    """A call that is not let in is kept, without an account."""
    service = SmallService()
    service.send(sign("DescribeVpnConnection", ONE, credentials=Credentials("nobody", "x")))
    call = service.cloud.history[0]
    assert (call.operation, call.account_id, call.code, call.status, call.vpn_connection_id) == (
        "DescribeVpnConnection",
        "",
        "InvalidAccessKeyId.NotFound",
        404,
        "vco-1",
    )


def test_parameters_of_the_protocol_are_not_kept():
    """Signatures and tokens in a query never reach the history."""
    service = SmallService()
    service.call("DescribeRegions", {"SecurityToken": "s", "Signature": "s", "Format": "JSON"})
    assert service.cloud.history[0].parameters == {}


# -- how parameters may be written ----------------------------------------------------------------


def test_parameters_may_come_in_a_form_body(sign):
    """Query, form, or a name in both with one value: the route is created."""
    form = route(Description="a b*c ü")
    for query in ({}, {"RegionId": form["RegionId"]}):
        for method in ("POST", "GET"):
            answer = SmallService().send(
                sign("CreateVcoRouteEntry", query, form=form, method=method)
            )
            assert json.loads(answer.body).get("Description") == "a b*c ü"


def test_query_and_form_must_agree():
    """The same name with two values is refused."""
    request = vendor_signed("CreateVcoRouteEntry", {"RegionId": "eu-west-1"}, form=route())
    assert SmallService().code(request) == "InvalidParameter"


@pytest.mark.parametrize("form", ["a=1&b=2&a=3", "a=1&a=1"])
def test_a_parameter_is_there_once(form):
    """Which of two values counts is nowhere written, so two are refused, equal ones too."""
    headers = {"content-type": FORM}
    answer = SmallService().send(
        vendor_signed("DescribeRegions", body=form.encode(), headers=headers)
    )
    body = json.loads(answer.body)
    assert (body["Code"], '"a"' in body["Message"]) == ("InvalidParameter", True)


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
def test_a_query_is_taken_as_any_client_writes_it(sign, written):
    """%20 or +, a bare star or %2A, and whatever else a library leaves as it is."""
    text = "a b*c~d+e/f%g&h=i(j)k!l'm 测试 😀 <script>\x00"
    signed = sign("CreateVcoRouteEntry", route(Description=text))
    query = "&".join(f"{name}={written(value)}" for name, value in signed.query_pairs)
    answer = json.loads(SmallService().send(replace(signed, query=query.encode())).body)
    assert answer["Description"] == text


# -- permissions ----------------------------------------------------------------------------------


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
        (allow("VPC:describe*"), ""),
        (allow("vpc:DescribeVpnConnection"), ""),
        (allow("vpc:DescribeVpnConnections"), "Forbidden.RAM"),
        (allow("vpc:Describe*", resource="acs:vpc:cn-hangzhou:*:vpnconnection/vco-1"), ""),
        (allow("vpc:Describe*", resource="acs:vpc:*:*:vpnconnection/vco-?"), ""),
        (allow("vpc:Describe*", resource="acs:vpc:*:*:vpnconnection/vco-[1]"), "Forbidden.RAM"),
        (allow("vpc:Describe*", resource="acs:vpc:eu-west-1:*:vpnconnection/*"), "Forbidden.RAM"),
        (allow("vpc:Describe*", resource="acs:vpc:*:2:vpnconnection/*"), "Forbidden.RAM"),
    ],
)
def test_a_policy_decides_what_a_key_may_do(policy, code):
    """Allowed is what a statement covers, by action in any letters and by resource."""
    account = Account("1000000000000001", policy=policy)
    answer = SmallService([account]).call("DescribeVpnConnection", ONE)
    assert answer.get("Code", "") == code


def test_a_denial_beats_a_permission():
    """Whatever else allows it, and in whatever order they stand."""
    deny = {
        "Effect": "Deny",
        "Action": "vpc:DescribeVpnConnection",
        "Resource": "acs:vpc:*:*:vpnconnection/vco-1",
    }
    every = allow("*")["Statement"]
    for statements in ([deny, *every], [*every, deny]):
        service = SmallService([Account(policy={"Version": "1", "Statement": statements})])
        assert service.call("DescribeVpnConnection", ONE)["Code"] == "Forbidden.RAM"
        assert "State" in service.call("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-2"})


def test_a_call_without_a_connection_needs_them_all():
    """A listing of a region is not covered by a permission for one of its connections."""
    here = {"RegionId": "cn-hangzhou"}
    for resource, code in (("acs:vpc:*:*:vpnconnection/vco-1", "Forbidden.RAM"), ("*", "")):
        account = Account(policy=allow("vpc:Describe*", resource=resource))
        answer = SmallService([account]).call("DescribeVpnConnections", here)
        assert answer.get("Code", "") == code


def test_who_may_not_is_told_what(sign):
    """403, with the action and the resource that would be needed, before limits and faults."""
    account = Account(policy=allow("vpc:Create*"))
    service = SmallService([account], faults=[Fault("status_503")])
    for _ in range(610):
        answer = service.send(sign("DescribeVpnConnection", ONE))
        body = json.loads(answer.body)
        assert (answer.status, body["Code"]) == (403, "Forbidden.RAM")
    assert body["AccessDeniedDetail"] == {
        "AuthAction": "vpc:DescribeVpnConnection",
        "AuthResource": "acs:vpc:cn-hangzhou:1000000000000001:vpnconnection/vco-1",
    }
    assert service.cloud.history[0].code == "Forbidden.RAM"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": []}, "write a mapping"),
        ({"policy": {}}, "Statement is a list"),
        ({"policy": {"Version": "2", "Statement": []}}, 'Version = "1"'),
        ({"policy": {"Statement": [], "Id": "x"}}, "nothing else"),
        ({"policy": allow("*", Condition={})}, "not modelled"),
        (
            {"policy": {"Statement": {"Effect": "Allow", "NotAction": "*", "Resource": "*"}}},
            "not modelled",
        ),
        (
            {"policy": {"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}},
            "Allow, Deny",
        ),
        (
            {"policy": {"Statement": {"Effect": "Allow", "Action": [1], "Resource": "*"}}},
            "list of texts",
        ),
        ({"access_key_id": ""}, "access_key_id"),
        ({"denial_code": "InternalError"}, "denial_code is unknown. Write one of Forbbiden"),
        ({"token_expires": 5.0}, "without security_token"),
    ],
)
def test_an_account_that_cannot_be_is_refused(options, message):
    """What is not modelled is no permission and no denial but an error, without secrets."""
    with pytest.raises(ValueError, match=message) as caught:
        Account(access_key_secret="hidden", **options)
    assert "hidden" not in str(caught.value)


def test_secrets_are_in_no_repr():
    """Accounts and credentials show who, never how."""
    account = Account("1", "the-id", "the-secret", security_token="the-token")
    shown = f"{account!r} {account} {account.credentials!r} {account.credentials} {[account]}"
    assert "the-id" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown


# -- the server's clock ---------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-7200.0, 7200.0])
def test_a_skewed_server_says_its_time(sign, seconds):
    """It calls an honest date expired; dated by its Date the call is good, its nonce is kept."""
    service = SmallService(faults=[Fault("skew", seconds=seconds)])
    answer = service.send(sign("DescribeRegions"))
    assert json.loads(answer.body)["Code"] == "InvalidTimeStamp.Expired"
    hour = {-7200.0: b"01", 7200.0: b"05"}[seconds]
    assert dict(answer.headers)[b"date"] == b"Fri, 02 Jan 2026 %s:04:05 GMT" % hour
    followed = sign("DescribeRegions", wall=WALL + seconds)
    assert [service.code(followed), service.code(followed)] == ["", "SignatureNonceUsed"]


def test_a_skew_can_be_of_one_operation_and_connection(sign):
    """Like any fault it may hit some calls only; within the tolerance it does no harm."""
    fault = Fault("skew", operation="CreateVcoRouteEntry", vpn_connection_id="vco-2", seconds=2e4)
    service = SmallService(faults=[fault, Fault("skew", seconds=899.0)])
    assert service.code(sign("CreateVcoRouteEntry", route())) == ""
    hit = sign("CreateVcoRouteEntry", route("vco-2"))
    assert service.code(hit) == "InvalidTimeStamp.Expired"
