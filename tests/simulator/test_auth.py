"""Who is let in: the vendor's own signatures, the order of checks, keys, permissions; both schemes.

The vectors are of other products and of other days too, which the API refuses before it looks at a
signature; so they are held against `verify_signature` itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.simulator.conftest import FORM, HERE, ONE, WALL, SmallService, meaning, route, signed
from vcokit.simulator import CANARY_PSK, Account, Connection, Credentials, Fault
from vcokit.simulator.auth import HttpRequest, parse_auth, verify_signature
from vcokit.simulator.errors import ApiError

VECTORS = [
    vector
    for name in ("v3_vectors.json", "v1_vectors.json")
    for vector in json.loads((Path(__file__).parent / name).read_text("utf-8"))["vectors"]
]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v["id"] for v in VECTORS])
TEMPORARY = Account("2", "STS.key", "secret", security_token="t/+==", token_expires=WALL + 60)
OTHER = Account("2", "key-2", "secret-2")


# -- signatures -----------------------------------------------------------------------------------


def request_of(vector: dict[str, Any]) -> HttpRequest:
    """Return the request of a vector."""
    if "headers" in vector:
        headers = vector["headers"] | {"authorization": vector["authorization"]}
        query, body = urlencode(vector["query"]), vector["body"]
    else:
        headers = {"host": "vpc.aliyuncs.com", "content-type": FORM}
        query, body = vector["signed_query_string"], vector["form_body"]
    lines = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return HttpRequest(vector["method"], query=query.encode(), headers=lines, body=body.encode())


def is_right(request: HttpRequest, secret: str) -> bool:
    """Tell whether a request's signature is accepted."""
    try:
        verify_signature(request, parse_auth(request), secret)
    except ApiError:
        return False
    return True


@every_vector
def test_a_vendor_s_signature_is_right(vector):
    """It is accepted, and what the server would sign is the vendor's to the byte."""
    request = request_of(vector)
    assert is_right(request, vector["access_key_secret"])
    with pytest.raises(ApiError) as caught:
        verify_signature(request, parse_auth(request), "another secret")
    message = "Specified signature is not matched with our calculation. server string to sign is:"
    expected = f"{message}{vector['string_to_sign']}"
    if "headers" in vector:
        expected = (
            "Specified signature does not match our calculation. "
            f"server StringToSign is [{vector['string_to_sign']}] "
            f"server CanonicalRequest is [{vector['canonical_request']}]"
        )
    assert (caught.value.code, caught.value.message) == ("SignatureDoesNotMatch", expected)


def flipped(data: bytes) -> Iterator[bytes]:
    """Yield bytes with one of them changed, for each position."""
    for at, byte in enumerate(data):
        yield data[:at] + bytes([byte ^ 1]) + data[at + 1 :]


def changed(request: HttpRequest) -> Iterator[HttpRequest]:
    """Yield a request with one thing more, less or other: any byte of it, and in V3 any header."""
    yield replace(request, method="GET" if request.method == "POST" else "POST")
    for query in (*flipped(request.query), request.query + b"&Extra=1", b"a=&" + request.query):
        yield replace(request, query=query)
    pairs = request.query.split(b"&")
    for at in range(len(pairs)):
        yield replace(request, query=b"&".join(pairs[:at] + pairs[at + 1 :]))
    for body in (*flipped(request.body), request.body + b"x"):
        yield replace(request, body=body)
    if b"authorization" in dict(request.headers):
        yield replace(request, headers=(*request.headers, (b"x-acs-extra", b"1")))
        for at, (name, value) in enumerate(request.headers):
            before, after = request.headers[:at], request.headers[at + 1 :]
            others = [(other, value) for other in flipped(name)]
            for other in others + [(name, other) for other in flipped(value)]:
                yield replace(request, headers=(*before, other, *after))


@every_vector
def test_whatever_changes_a_request_is_refused(vector):
    """Every byte of request and secret counts, but for those that say the same."""
    request, secret = request_of(vector), vector["access_key_secret"]
    key = parse_auth(request).access_key_id
    refused = total = 0
    for other in changed(request):
        total += 1
        if meaning(other) == meaning(request):
            assert is_right(other, secret), other
        else:
            # Another key's name is refused when its secret is looked up, before any signature.
            assert not is_right(other, secret) or parse_auth(other).access_key_id != key, other
            refused += 1
    assert refused > 0.9 * total > 200
    assert not any(is_right(request, wrong.decode()) for wrong in flipped(secret.encode()))


def put(request: HttpRequest, **headers: str | None) -> HttpRequest:
    """Return a V3 request with other headers; None takes one away."""
    values = {name.decode(): value.decode() for name, value in request.headers} | headers
    lines = [(k.encode(), v.encode()) for k, v in values.items() if v is not None]
    return replace(request, headers=tuple(lines))


def unsign(request: HttpRequest, name: str) -> HttpRequest:
    """Return a V3 request that does not name a header among the signed ones."""
    (text,) = [value.decode() for key, value in request.headers if key == b"authorization"]
    return put(request, authorization=text.replace(f";{name}", "").replace(f"{name};", ""))


V3 = "ACS3-HMAC-SHA256"
BARE = signed("DescribeRegions")
MORE = signed("DescribeRegions", headers={"user-agent": "x", "x-acs-credentials-provider": "ak"})
#: Values of one header count sorted and joined: what was signed came as two lines.
JOINED = put(signed("DescribeRegions", headers={"x-acs-a": "one,two"}), **{"x-acs-a": " two "})
TYPE = {"content-type": "a/b"}
V1 = signed("DescribeRegions", scheme="V1")
FORMS = [
    (replace(JOINED, headers=(*JOINED.headers, (b"x-acs-a", b"one"))), ""),
    *(
        (put(BARE, authorization=text), "IncompleteSignature")
        for text in (
            "",
            "Bearer x",
            V3,
            f"{V3} Credential=a,SignedHeaders=host",
            f"{V3} Credential=,SignedHeaders=host,Signature=b",
            f"{V3} Credential=a,SignedHeaders=host,Signature=b",
            f"{V3} Credential=a, SignedHeaders=host, Signature=b",
            f"{V3}  Credential=a,SignedHeaders=host,Signature=b",
        )
    ),
    (put(BARE, authorization=f"{V3[:-6]}SM3 Credential=a"), "InvalidSignatureMethod"),
    (unsign(BARE, "host"), "IncompleteSignature"),
    (unsign(BARE, "x-acs-date"), "IncompleteSignature"),
    (unsign(MORE, "x-acs-credentials-provider"), "IncompleteSignature"),
    (put(MORE, **{"user-agent": None}), "IncompleteSignature"),  # taken away by a proxy
    (put(signed("DescribeRegions", body=b"x"), **TYPE), "IncompleteSignature"),
    (put(BARE, **TYPE), ""),  # there is no body that it would be of
    (put(BARE, accept="*/*", connection="keep-alive"), ""),
    (
        signed("DescribeRegions", headers={"x-acs-content-sha256": "0" * 64}),
        "SignatureDoesNotMatch",
    ),
    (signed("DescribeRegions", headers={"x-acs-accesskey-id": "x"}), "InvalidAccessKeyId.NotFound"),
    (signed("DescribeRegions", scheme="V1", said={"SignatureType": ""}), ""),
    (signed("DescribeRegions", scheme="V1", said={"Signature": "ü💥"}), "SignatureDoesNotMatch"),
    # Which of two signatures would count nobody has written down.
    (replace(V1, query=V1.query + b"&Signature=a"), "IncompleteSignature"),
]


@pytest.mark.parametrize(("request_", "code"), FORMS)
def test_a_signature_has_one_form_and_covers_what_counts(request_, code):
    """In V3 host, x-acs headers and the type of a body; one outside ASCII is wrong, no fault."""
    assert SmallService().code(request_) == code


# -- the order of checks --------------------------------------------------------------------------


def flaws(scheme: str) -> list[tuple[str, dict]]:
    """Return what may be wrong with a request, in the order in which it is found out."""
    own = {
        "V3": [("IncompleteSignature", {"headers": {"x-acs-content-sha256": None}})],
        "V1": [
            ("MissingSignatureMethod", {"said": {"SignatureMethod": ""}}),
            ("InvalidSignatureMethod", {"said": {"SignatureMethod": "HMAC-SHA256"}}),
            ("MissingSignatureVersion", {"said": {"SignatureVersion": ""}}),
            ("InvalidSignatureVersion", {"said": {"SignatureVersion": "2.0"}}),
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


def test_what_names_no_operation_is_refused(scheme):
    """Only GET and POST of the root; operation, version and signature must be there."""
    service = SmallService()
    for method in ("DELETE", "HEAD", "OPTIONS", "get", "X"):
        request = signed("DescribeRegions", scheme=scheme, method=method)
        assert service.code(request) == "UnsupportedHTTPMethod"
    answer = service.send(replace(signed("DescribeRegions", scheme=scheme), path="/v2"))
    assert (answer.status, json.loads(answer.body)["Code"]) == (404, "InvalidAction.NotFound")
    assert service.code(signed("x", headers={"x-acs-action": None})) == "MissingAction"
    assert service.code(HttpRequest("GET")) == "MissingVersion"


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


# -- dates and nonces -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05.5Z",
        "2026-1-2T3:4:5Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:60Z",
        "0000-01-02T00:00:00Z",
        "２０２６-01-02T03:04:05Z",
    ],
)
def test_dates_have_one_form(scheme, text):
    """Only yyyy-MM-ddTHH:mm:ssZ is a date, and only if there is such a moment."""
    request = signed("DescribeRegions", scheme=scheme, said={"Timestamp": text})
    assert SmallService().code(request) == "InvalidTimeStamp.Format"


@pytest.mark.parametrize("skew", [0.0, -7200.0, 7200.0])
def test_dates_are_good_for_fifteen_minutes_either_way(scheme, skew):
    """Of the server's clock, which may be wrong; every answer says its time."""
    service = SmallService(faults=[Fault("skew", seconds=skew)])
    hour = {-7200.0: b"01", 0.0: b"03", 7200.0: b"05"}[skew]
    dated = b"Fri, 02 Jan 2026 %s:04:05 GMT" % hour
    for offset in (-901, -900, 900, 901):
        request = signed("DescribeRegions", scheme=scheme, wall=WALL + skew + offset)
        answer = service.send(request)
        code = "InvalidTimeStamp.Expired" if abs(offset) > 900 else ""
        assert json.loads(answer.body).get("Code", "") == code
        assert dict(answer.headers)[b"date"] == dated
    assert dict(service.send(signed("Nonsense", scheme=scheme)).headers)[b"date"] == dated


def test_a_skew_can_be_of_one_operation_and_connection(scheme):
    """Like any fault it may hit some calls only; within the tolerance it does no harm."""
    hit = {"operation": "CreateVcoRouteEntry", "vpn_connection_id": "vco-2"}
    service = SmallService(faults=[Fault("skew", **hit, seconds=2e4), Fault("skew", seconds=899.0)])
    assert service.code(signed("CreateVcoRouteEntry", route(), scheme)) == ""
    request = signed("CreateVcoRouteEntry", route("vco-2"), scheme)
    assert service.code(request) == "InvalidTimeStamp.Expired"


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


def test_nonces_are_remembered_as_long_as_they_matter(scheme):
    """To the last second in which the request is not expired, in whatever order they came."""
    service = SmallService()
    late, early = (signed("DescribeRegions", None, scheme, wall=WALL + s) for s in (800, -800))
    assert [service.code(late), service.code(early)] == ["", ""]
    assert service.code(early, wall=WALL + 100) == "SignatureNonceUsed"
    assert service.code(early, wall=WALL + 101) == "InvalidTimeStamp.Expired"
    assert service.code(late, wall=WALL + 1700) == "SignatureNonceUsed"


# -- keys and permissions -------------------------------------------------------------------------


def test_temporary_keys_need_their_token(scheme):
    """The token must be there, be the right one, and not have expired."""
    service, keys = SmallService([TEMPORARY]), TEMPORARY.credentials
    for token, seconds, code in (
        (keys.security_token, 59, ""),
        (None, 0, "MissingSecurityToken"),
        ("x", 0, "InvalidSecurityToken"),
        (keys.security_token, 60, "InvalidSecurityToken.Expired"),
    ):
        how = {"credentials": keys._replace(security_token=token), "wall": WALL + seconds}
        assert service.code(signed("DescribeRegions", None, scheme, **how), how["wall"]) == code


def test_each_key_acts_for_its_account(scheme):
    """A call reaches the connections of its key's account; a disabled key is known, no more."""
    off = Account("2", "key-3", "secret-3", active=False)
    connections = [Connection("vco-1", account_id="2")]
    service = SmallService([Account(), OTHER, off], connections=connections)
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
    assert (call.operation, call.account_id, call.status, call.code, call.parameters) == (
        *("DescribeVpnConnection", ""),
        *(404, "InvalidAccessKeyId.NotFound", ONE),
    )
    assert (other.parameters, other.code) == ({}, "")


def allow(*actions: str, resource: str = "*") -> dict:
    """Return a policy of one statement."""
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


def at(where: str) -> dict:
    """Return a policy that allows everything on some connections."""
    return allow("*", resource=f"acs:vpc:{where}")


ALLOW = allow("*")["Statement"][0]
DENY = {"Effect": "Deny", "Action": "*", "Resource": "acs:vpc:*:*:vpnconnection/vco-1"}
POLICIES = [
    (allow("VPC:describe*"), ONE, ""),
    (allow("vpc:DescribeVpnConnections"), ONE, "Forbidden.RAM"),
    (at("cn-hangzhou:*:vpnconnection/vco-1"), ONE, ""),
    (at("*:*:vpnconnection/vco-?"), ONE, ""),
    (at("*:*:vpnconnection/vco-[1]"), ONE, "Forbidden.RAM"),
    (at("eu-west-1:*:vpnconnection/*"), ONE, "Forbidden.RAM"),
    (at("*:2:vpnconnection/*"), ONE, "Forbidden.RAM"),
    # A denial beats a permission, in whatever order they stand.
    ({"Version": "1", "Statement": [DENY, ALLOW]}, ONE, "Forbidden.RAM"),
    ({"Version": "1", "Statement": [ALLOW, DENY]}, ONE, "Forbidden.RAM"),
    ({"Statement": [DENY, ALLOW]}, ONE | {"VpnConnectionId": "vco-2"}, ""),
    # A call that names no connection needs them all.
    (at("*:*:vpnconnection/vco-1"), HERE, "Forbidden.RAM"),
]


@pytest.mark.parametrize(("policy", "asked", "code"), POLICIES)
def test_a_policy_decides_what_a_key_may_do(policy, asked, code):
    """Allowed is what a statement covers, by action in any letters and by resource."""
    operation = "DescribeVpnConnections" if asked == HERE else "DescribeVpnConnection"
    account = Account("1000000000000001", policy=policy)
    assert SmallService([account]).call(operation, asked).get("Code", "") == code


@pytest.mark.parametrize("code", ["Forbidden.RAM", "Forbbiden.SubUser"])
def test_who_may_not_is_told_what(scheme, code):
    """403, with the action and the resource that would be needed, before limits and faults."""
    account = Account(policy=allow("vpc:Create*"), denial_code=code)
    limits = {"DescribeVpnConnection": (1, 60.0)}
    service = SmallService([account], faults=[Fault("status_503")], limits=limits)
    for _ in range(3):
        answer = service.send(signed("DescribeVpnConnection", ONE, scheme))
        body = json.loads(answer.body)
        assert (answer.status, body["Code"]) == (403, code)
    assert body["AccessDeniedDetail"] == {
        "AuthAction": "vpc:DescribeVpnConnection",
        "AuthResource": "acs:vpc:cn-hangzhou:1000000000000001:vpnconnection/vco-1",
    }
    assert service.cloud.history[0].code == code


# -- how parameters may be written ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_parameters_may_come_in_a_form_body(scheme, method):
    """Query, form, or a name in both with one value; of another type a body holds none."""
    form = route(Description="a b*c ü")
    for query in ({}, HERE):
        request = signed("CreateVcoRouteEntry", query, scheme, form=form, method=method)
        assert SmallService().read(request)["Description"] == "a b*c ü"
    kinds = {"application/X-WWW-Form-URLEncoded; charset=UTF-8": "", "a/json": "MissingRegionId"}
    for kind, code in kinds.items():
        how = {"headers": {"content-type": kind}, "method": method}
        request = signed("CreateVcoRouteEntry", body=urlencode(form).encode(), **how)
        assert SmallService().code(request) == code


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


def test_a_query_is_taken_as_any_client_writes_it(scheme):
    """%20 or +, a bare star or %2A, small hex, any order, and what a library leaves as it is."""
    text = "a b*c~d+e/f%g&h=i(j)k!l'm 测试 😀 <script>\x00"
    request = signed("CreateVcoRouteEntry", route(Description=text), scheme)
    pairs = request.query_pairs
    for safe in ("~", "*~", "", "*!'()~", "/"):
        query = "&".join(f"{name}={quote(value, safe=safe)}" for name, value in reversed(pairs))
        small = re.sub("%[0-9A-F]{2}", lambda hex_: hex_[0].lower(), query)
        for written in (query, query.replace("%20", "+"), small):
            answer = SmallService().read(replace(request, query=written.encode()))
            assert answer["Description"] == text
