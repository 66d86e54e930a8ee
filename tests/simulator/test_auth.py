"""Who is let in, in which order that is checked, and how a request may be written; both schemes."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.simulator.conftest import FORM, HERE, ONE, WALL, SmallService, route, signed
from vcokit.simulator import CANARY_PSK, Account, Connection, Credentials, Fault
from vcokit.simulator.auth import HttpRequest

TEMPORARY = Account("2", "STS.key", "secret", security_token="t/+==", token_expires=WALL + 60)
OTHER = Account("2", "key-2", "secret-2")


def flaws(scheme: str) -> list[tuple[str, dict]]:
    """Return what may be wrong with a request, in the order in which it is found out."""
    own = {
        "V3": [("IncompleteSignature", {"headers": {"x-acs-content-sha256": None}})],
        "V1": [
            ("InvalidSignatureMethod", {"said": {"SignatureMethod": "HMAC-SHA256"}}),
            ("InvalidSignatureType", {"said": {"SignatureType": "BEARERTOKEN"}}),
            ("IncompleteSignature", {"said": {"Signature": ""}}),
            ("MissingAccessKeyId", {"said": {"AccessKeyId": None}}),
        ],
    }
    return [
        ("UnsupportedHTTPMethod", {"method": "PUT"}),
        ("InvalidParameter.Format", {"parameters": ONE | {"Format": "YAML"}}),
        ("MissingVersion", {"said": {"Version": None}}),
        ("InvalidVersion", {"said": {"Version": "2014-05-26"}}),
        ("InvalidAction.NotFound", {"action": "DescribeVpcs"}),
        *own[scheme],
        ("MissingSignatureNonce", {"said": {"SignatureNonce": None}}),
        ("MissingTimestamp", {"said": {"Timestamp": None}}),
        ("InvalidAccessKeyId.NotFound", {"credentials": Credentials("nobody", "x")}),
        ("InvalidTimeStamp.Format", {"said": {"Timestamp": "2026-01-02 03:04:05"}}),
        ("InvalidTimeStamp.Expired", {"said": {"Timestamp": "2025-01-02T03:04:05Z"}}),
        ("SignatureDoesNotMatch", {"credentials": Account(access_key_secret="x").credentials}),
        ("InvalidSecurityToken", {"said": {"SecurityToken": "x"}}),
        ("SignatureNonceUsed", {"said": {"SignatureNonce": "used"}}),
        ("MissingVpnConnectionId", {"parameters": {"RegionId": "cn-hangzhou"}}),
    ]


def test_checks_are_made_in_order(scheme):
    """Of any two things wrong the one that is earlier in the documented order is answered."""
    service, known = SmallService(), flaws(scheme)
    service.send(signed("DescribeRegions", scheme=scheme, said={"SignatureNonce": "used"}))
    for position, (code, first) in enumerate(known):
        for other, later in [("", {}), *known[position + 1 :]]:
            said = [flaw.get("said", {}) for flaw in (later, first)]
            if said[0].keys() & said[1].keys() or (first.keys() & later.keys()) - {"said"}:
                continue  # one request cannot have both
            how = {"action": "DescribeVpnConnection", "parameters": ONE} | later | first
            request = signed(**how | {"scheme": scheme, "said": said[0] | said[1]})
            assert service.code(request) == code, other


def test_schemes_and_methods_are_answered_alike():
    """V1 and V3, GET and POST give the same answer; headers of V3 that SDKs add to V1 are none."""
    stray = {"x-acs-action": "DescribeRegions", "x-acs-version": "2016-04-28"}
    first, *others = [
        SmallService().send(signed("DescribeVpnConnection", ONE, scheme, method=method, headers=of))
        for scheme, of in (("V3", {}), ("V1", {}), ("V1", stray))
        for method in ("GET", "POST")
    ]
    assert json.loads(first.body)["State"] == "attached"
    assert others == [first] * 5


def test_what_names_no_operation_is_refused(scheme):
    """Only GET and POST of the root; operation, version and signature must be there."""
    service = SmallService()
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "get", "X"):
        request = signed("DescribeRegions", scheme=scheme, method=method)
        assert service.code(request) == "UnsupportedHTTPMethod"
    answer = service.send(replace(signed("DescribeRegions", scheme=scheme), path="/v2"))
    assert (answer.status, json.loads(answer.body)["Code"]) == (404, "InvalidAction.NotFound")
    assert service.code(signed("x", headers={"x-acs-action": None})) == "MissingAction"
    assert service.code(HttpRequest("GET")) == "MissingVersion"
    unsigned = HttpRequest("GET", query=b"Action=DescribeRegions&Version=2016-04-28")
    assert service.code(unsigned) == "MissingSignatureMethod"
    headers = ((b"x-acs-action", b"DescribeRegions"), (b"x-acs-version", b"2016-04-28"))
    assert service.code(HttpRequest("GET", headers=headers)) == "IncompleteSignature"


# -- dates and nonces -----------------------------------------------------------------------------


def test_dates_are_good_for_fifteen_minutes_either_way(scheme):
    """Exactly fifteen minutes are still good, one second more is not."""
    for offset, code in ((-901, "InvalidTimeStamp.Expired"), (-900, ""), (0, ""), (900, "")):
        request = signed("DescribeRegions", scheme=scheme, wall=WALL + offset)
        assert SmallService().code(request) == code
    late = signed("DescribeRegions", scheme=scheme, wall=WALL + 901)
    assert SmallService().code(late) == "InvalidTimeStamp.Expired"


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
def test_dates_have_one_form(scheme, text):
    """Only yyyy-MM-ddTHH:mm:ssZ is a date, and only if there is such a day."""
    request = signed("DescribeRegions", scheme=scheme, said={"Timestamp": text})
    assert SmallService().code(request) == "InvalidTimeStamp.Format"


def test_a_nonce_is_used_once_by_a_key_and_by_right_requests_only(scheme):
    """A replay is refused, in the other scheme too; a forgery or another key uses up nothing."""
    service = SmallService([Account(), OTHER])
    said, back = {"SignatureNonce": "n"}, {"V3": "V1", "V1": "V3"}[scheme]
    request = signed("DescribeRegions", scheme=scheme, said=said)
    forged = replace(request, query=request.query + b"&a=1")
    assert service.code(forged) == "SignatureDoesNotMatch"
    assert [service.code(request), service.code(request)] == ["", "SignatureNonceUsed"]
    for account, code in ((Account(), "SignatureNonceUsed"), (OTHER, "")):
        keys = account.credentials
        again = signed("DescribeRegions", scheme=back, said=said, credentials=keys)
        assert service.code(again) == code
    assert service.code(signed("DescribeRegions", scheme=scheme)) == ""


def test_nonces_are_remembered_as_long_as_they_matter(scheme):
    """To the last second in which the request is not expired, in whatever order they came."""
    service = SmallService()
    late, early = (signed("DescribeRegions", None, scheme, wall=WALL + s) for s in (800, -800))
    assert [service.code(late), service.code(early)] == ["", ""]
    assert service.code(early, wall=WALL + 100) == "SignatureNonceUsed"
    assert service.code(early, wall=WALL + 101) == "InvalidTimeStamp.Expired"
    assert service.code(late, wall=WALL + 1700) == "SignatureNonceUsed"


@pytest.mark.parametrize("seconds", [-7200.0, 7200.0])
def test_a_skewed_server_says_its_time(scheme, seconds):
    """Every answer has its Date; a call dated by the wall is expired, one dated by it is good."""
    service = SmallService(faults=[Fault("skew", seconds=seconds)])
    hour = {-7200.0: b"01", 7200.0: b"05"}[seconds]
    for action, code in (
        ("Nonsense", "InvalidAction.NotFound"),
        ("DescribeRegions", "InvalidTimeStamp.Expired"),
    ):
        answer = service.send(signed(action, scheme=scheme))
        assert json.loads(answer.body)["Code"] == code
        assert dict(answer.headers)[b"date"] == b"Fri, 02 Jan 2026 %s:04:05 GMT" % hour
    followed = signed("DescribeRegions", scheme=scheme, wall=WALL + seconds)
    assert [service.code(followed), service.code(followed)] == ["", "SignatureNonceUsed"]


def test_a_skew_can_be_of_one_operation_and_connection(scheme):
    """Like any fault it may hit some calls only; within the tolerance it does no harm."""
    hit = {"operation": "CreateVcoRouteEntry", "vpn_connection_id": "vco-2"}
    service = SmallService(faults=[Fault("skew", **hit, seconds=2e4), Fault("skew", seconds=899.0)])
    assert service.code(signed("CreateVcoRouteEntry", route(), scheme)) == ""
    request = signed("CreateVcoRouteEntry", route("vco-2"), scheme)
    assert service.code(request) == "InvalidTimeStamp.Expired"


# -- keys -----------------------------------------------------------------------------------------


def test_temporary_keys_need_their_token(scheme):
    """The token must be there, be the right one, and not have expired; others must send none."""
    service, keys = SmallService([TEMPORARY, Account()]), TEMPORARY.credentials
    for token, seconds, code in (
        (keys.security_token, 59, ""),
        (None, 0, "MissingSecurityToken"),
        ("x", 0, "InvalidSecurityToken"),
        (keys.security_token, 60, "InvalidSecurityToken.Expired"),
    ):
        how = {"credentials": keys._replace(security_token=token), "wall": WALL + seconds}
        assert service.code(signed("DescribeRegions", None, scheme, **how), how["wall"]) == code
    plain = Account().credentials._replace(security_token="x")
    request = signed("DescribeRegions", scheme=scheme, credentials=plain)
    assert service.code(request) == "InvalidSecurityToken"


def test_each_key_acts_for_its_account(scheme):
    """A call reaches the connections of its key's account; a disabled key is known, no more."""
    off = Account("2", "key-3", "secret-3", active=False)
    service = SmallService(
        [Account(), OTHER, off], connections=[Connection("vco-1", account_id="2")]
    )
    for keys, code in (
        (OTHER.credentials, ""),
        (Account().credentials, "InvalidVpnConnectionInstanceId.NotFound"),
        (Credentials("key-3", "wrong"), "InvalidAccessKeyId.Inactive"),
    ):
        request = signed("DescribeVpnConnection", ONE, scheme, credentials=keys)
        assert service.code(request) == code


def test_who_is_refused_is_in_the_history_without_account_and_secrets(scheme):
    """A call that is not let in is kept; parameters of the protocol and answers never are."""
    service = SmallService()
    nobody = Credentials("nobody", "x")
    service.send(signed("DescribeVpnConnection", ONE, scheme, credentials=nobody))
    service.call("DescribeRegions", {"SecurityToken": "s", "Signature": "s", "Format": "JSON"})
    assert CANARY_PSK in str(service.call("DescribeVpnConnection", ONE))
    assert CANARY_PSK not in repr(service.cloud.history)
    call, other, _ = service.cloud.history
    assert (call.operation, call.account_id, call.vpn_connection_id, call.status, call.code) == (
        *("DescribeVpnConnection", "", "vco-1"),
        *(404, "InvalidAccessKeyId.NotFound"),
    )
    assert call.parameters == ONE
    assert (other.parameters, other.code) == ({}, "")


# -- how parameters may be written ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_parameters_may_come_in_a_form_body(scheme, method):
    """Query, form, or a name in both with one value: the route is created."""
    form = route(Description="a b*c ü")
    for query in ({}, HERE):
        request = signed("CreateVcoRouteEntry", query, scheme, form=form, method=method)
        assert SmallService().read(request)["Description"] == "a b*c ü"


@pytest.mark.parametrize(
    ("query", "body"),
    [({}, "a=1&b=2&a=3"), ({}, "a=1&a=1"), ({"a": "1"}, "a=2")],
)
def test_a_parameter_is_there_once(query, body):
    """Which of two values counts is nowhere written, so two are refused, equal ones too."""
    headers = {"content-type": FORM}
    request = signed("DescribeRegions", query, body=body.encode(), headers=headers)
    answer = SmallService().read(request)
    assert (answer["Code"], '"a"' in answer["Message"]) == ("InvalidParameter", True)


@pytest.mark.parametrize("safe", ["~", "*~", "", "*!'()~", "/"])
def test_a_query_is_taken_as_any_client_writes_it(scheme, safe):
    """%20 or +, a bare star or %2A, and whatever else a library leaves as it is."""
    text = "a b*c~d+e/f%g&h=i(j)k!l'm 测试 😀 <script>\x00"
    request = signed("CreateVcoRouteEntry", route(Description=text), scheme)
    query = "&".join(f"{name}={quote(value, safe=safe)}" for name, value in request.query_pairs)
    for written in (query, query.replace("%20", "+")):
        answer = SmallService().read(replace(request, query=written.encode()))
        assert answer["Description"] == text


# -- permissions ----------------------------------------------------------------------------------


def allow(*actions: str, resource: str = "*") -> dict:
    """Return a policy of one statement."""
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


ONE_OF_THEM = "acs:vpc:*:*:vpnconnection/vco-1"
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "vpc:DescribeVpnConnection", "Resource": ONE_OF_THEM}
POLICIES = [
    (None, ONE, ""),
    (allow("*"), ONE, ""),
    (allow("VPC:describe*"), ONE, ""),
    (allow("vpc:DescribeVpnConnection"), ONE, ""),
    (allow("vpc:DescribeVpnConnections"), ONE, "Forbidden.RAM"),
    (allow("*", resource="acs:vpc:cn-hangzhou:*:vpnconnection/vco-1"), ONE, ""),
    (allow("*", resource="acs:vpc:*:*:vpnconnection/vco-?"), ONE, ""),
    (allow("*", resource="acs:vpc:*:*:vpnconnection/vco-[1]"), ONE, "Forbidden.RAM"),
    (allow("*", resource="acs:vpc:eu-west-1:*:vpnconnection/*"), ONE, "Forbidden.RAM"),
    (allow("*", resource="acs:vpc:*:2:vpnconnection/*"), ONE, "Forbidden.RAM"),
    # A denial beats a permission, in whatever order they stand.
    ({"Version": "1", "Statement": [DENY, ALLOW]}, ONE, "Forbidden.RAM"),
    ({"Version": "1", "Statement": [ALLOW, DENY]}, ONE, "Forbidden.RAM"),
    ({"Statement": [DENY, ALLOW]}, ONE | {"VpnConnectionId": "vco-2"}, ""),
    # A call that names no connection needs them all.
    (allow("*", resource=ONE_OF_THEM), HERE, "Forbidden.RAM"),
    (allow("*"), HERE, ""),
]


@pytest.mark.parametrize(("policy", "asked", "code"), POLICIES)
def test_a_policy_decides_what_a_key_may_do(policy, asked, code):
    """Allowed is what a statement covers, by action in any letters and by resource."""
    operation = "DescribeVpnConnections" if asked == HERE else "DescribeVpnConnection"
    account = Account("1000000000000001", policy=policy)
    assert SmallService([account]).call(operation, asked).get("Code", "") == code


def test_who_may_not_is_told_what(scheme):
    """403, with the action and the resource that would be needed, before limits and faults."""
    account = Account(policy=allow("vpc:Create*"))
    limits = {"DescribeVpnConnection": (1, 60.0)}
    service = SmallService([account], faults=[Fault("status_503")], limits=limits)
    for _ in range(3):
        answer = service.send(signed("DescribeVpnConnection", ONE, scheme))
        body = json.loads(answer.body)
        assert (answer.status, body["Code"]) == (403, "Forbidden.RAM")
    assert body["AccessDeniedDetail"] == {
        "AuthAction": "vpc:DescribeVpnConnection",
        "AuthResource": "acs:vpc:cn-hangzhou:1000000000000001:vpnconnection/vco-1",
    }
    assert service.cloud.history[0].code == "Forbidden.RAM"
