"""Signatures of the vendor's own libraries: right as they are, wrong with anything changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from tests.simulator.conftest import FORM, read_vectors, vendor_signed
from vcokit.simulator import Account
from vcokit.simulator.auth import HttpRequest, parse_auth, verify_signature
from vcokit.simulator.errors import ApiError

VECTORS = [*read_vectors("v3_vectors.json"), *read_vectors("v1_vectors.json")]
SECRET = Account().access_key_secret


def every_vector(*schemes: str) -> pytest.MarkDecorator:
    """Run a test with each vector of some schemes."""
    chosen = [v for v in VECTORS if v["id"].startswith(schemes)]
    return pytest.mark.parametrize("vector", chosen, ids=[v["id"] for v in chosen])


def request_of(vector: dict[str, Any], query: str | None = None) -> HttpRequest:
    """Return the request of a vector, its query written as a form unless given."""
    if "headers" in vector:
        headers = vector["headers"] | {"authorization": vector["authorization"]}
        written, body = urlencode(vector["query"]), vector["body"]
    else:
        headers = {"host": "vpc.aliyuncs.com", "content-type": FORM}
        written, body = vector["signed_query_string"], vector["form_body"]
    return HttpRequest(
        method=vector["method"],
        query=(written if query is None else query).encode(),
        headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
        body=body.encode(),
    )


def is_right(request: HttpRequest, secret: str) -> bool:
    """Tell whether a request's signature is accepted."""
    try:
        verify_signature(request, parse_auth(request), secret)
    except ApiError:
        return False
    return True


@every_vector("v3", "v1")
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


@every_vector("v3")
def test_a_v3_query_may_be_written_in_any_way(vector):
    """Plus or %20 for a space, a bare star, capital or small hex, any order: all the same."""
    quoted = {name: quote(value, safe="*") for name, value in vector["query"].items()}
    forms = [
        "&".join(f"{name}={value}" for name, value in reversed(quoted.items())),
        "&".join(f"{name}={value}" for name, value in quoted.items()).replace("%2F", "%2f"),
        "&".join(f"{name}={quote(value, safe='')}" for name, value in vector["query"].items()),
    ]
    for form in forms:
        assert is_right(request_of(vector, form), vector["access_key_secret"])


def meaning(request: HttpRequest) -> tuple[Any, ...]:
    """Return what a request says, by the standard library: the same is the same request.

    In V1 no header takes part, but that which says whether a body holds parameters.
    """
    pairs = sorted(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
    headers = {name.lower(): value.strip() for name, value in request.headers}
    if b"authorization" in headers:
        return request.method, pairs, sorted(headers.items()), request.body
    form = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
    return request.method, sorted(pairs + form), headers.get(b"content-type")


def one_byte_changed(request: HttpRequest) -> Iterator[tuple[str, HttpRequest]]:
    """Yield a request with one byte changed, for every byte of it, and where that was."""
    for part in ("query", "body"):
        for at, changed in flipped(getattr(request, part)):
            yield f"{part} {at}", replace(request, **{part: changed})
    if b"authorization" not in dict(request.headers):
        return  # V1: no header takes part
    for position, header in enumerate(request.headers):
        for side, name in enumerate(("name", "value")):
            for at, changed in flipped(header[side]):
                headers = list(request.headers)
                headers[position] = (changed, header[1]) if side == 0 else (header[0], changed)
                where = f"{name} of {header[0]!r} {at}"
                yield where, replace(request, headers=tuple(headers))


def flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield bytes with one of them changed, for each position."""
    for at, byte in enumerate(data):
        yield at, data[:at] + bytes([byte ^ 1]) + data[at + 1 :]


@every_vector("v3", "v1")
def test_any_one_byte_changed_is_refused(vector):
    """Every byte of query, body and headers counts, but for those that say the same."""
    request, secret = request_of(vector), vector["access_key_secret"]
    key = parse_auth(request).access_key_id
    refused = total = 0
    for where, changed in one_byte_changed(request):
        total += 1
        if meaning(changed) == meaning(request):
            assert is_right(changed, secret), where
        else:
            # Another key's name is refused when its secret is looked up, before any signature.
            right = is_right(changed, secret)
            assert not right or parse_auth(changed).access_key_id != key, where
            refused += 1
    assert refused > 0.9 * total > 200


@every_vector("v3", "v1")
def test_method_secret_and_what_is_added_count(vector):
    """Another method, any letter of the secret, a byte more in query or body: refused."""
    request, secret = request_of(vector), vector["access_key_secret"]
    other = "GET" if request.method == "POST" else "POST"
    changes = [
        replace(request, method=other),
        replace(request, query=request.query + b"&Extra=1"),
        replace(request, query=b"a=&" + request.query),
        replace(request, body=request.body + b"x"),
    ]
    if "headers" in vector:
        more = (*request.headers, (b"x-acs-extra", b"1"))
        changes.append(replace(request, headers=more))
    for changed in changes:
        assert meaning(changed) != meaning(request)
        assert not is_right(changed, secret)
    for at in range(len(secret)):
        assert not is_right(request, secret[:at] + chr(ord(secret[at]) ^ 1) + secret[at + 1 :])


def code_of(request: HttpRequest) -> str:
    """Return the code by which a signature is refused, empty where it is accepted."""
    try:
        verify_signature(request, parse_auth(request), SECRET)
    except ApiError as error:
        return error.code
    return ""


PLAIN_V1 = read_vectors("v1_vectors.json")[2]["query"]


def test_a_false_content_hash_is_refused():
    """A client that signs the true hash but sends another is wrong too."""
    lying = vendor_signed("DescribeRegions", headers={"x-acs-content-sha256": "0" * 64})
    assert code_of(lying) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "IncompleteSignature"),
        ("Bearer x", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256  Credential=a,SignedHeaders=host,Signature=b", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=b", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b", "IncompleteSignature"),
        ("ACS3-HMAC-SM3 Credential=a,SignedHeaders=host,Signature=b", "InvalidSignatureMethod"),
        ("ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=b", "InvalidSignatureMethod"),
    ],
)
def test_headers_that_are_no_authorization_are_refused(text, code):
    """Anything but the documented form is incomplete, other schemes are named as such."""
    headers = ((b"host", b"h"), (b"x-acs-date", b"d"), (b"authorization", text.encode()))
    assert code_of(HttpRequest("POST", headers=headers)) == code


@pytest.mark.parametrize("name", ["host", "x-acs-date", "x-acs-credentials-provider"])
def test_what_came_must_be_signed(name):
    """The host and every x-acs header that came must be among the signed ones."""
    request = vendor_signed("DescribeRegions", headers={"x-acs-credentials-provider": "static_ak"})
    headers = {key: value.decode() for key, value in request.headers}
    text = headers[b"authorization"].replace(f";{name}", "").replace(f"{name};", "")
    headers[b"authorization"] = text
    cut = replace(request, headers=tuple((k, v.encode()) for k, v in headers.items()))
    assert code_of(cut) == "IncompleteSignature"


def test_a_header_that_is_signed_must_have_come():
    """A proxy that takes a signed header away breaks the signature."""
    request = vendor_signed("DescribeRegions", headers={"user-agent": "x"})
    headers = tuple(pair for pair in request.headers if pair[0] != b"user-agent")
    assert code_of(replace(request, headers=headers)) == "IncompleteSignature"


def test_a_content_type_must_be_signed_where_there_is_a_body():
    """With a body the content type counts; without one it is no part of the request."""
    unsigned = ((b"content-type", b"text/plain"),)
    empty = vendor_signed("DescribeRegions")
    assert code_of(replace(empty, headers=empty.headers + unsigned)) == ""
    full = vendor_signed("DescribeRegions", body=b"x")
    assert code_of(replace(full, headers=full.headers + unsigned)) == "IncompleteSignature"


def test_unsigned_headers_of_the_library_do_no_harm():
    """Accept-Encoding, Connection and the like come from HTTP and are never signed."""
    request = vendor_signed("DescribeRegions")
    more = ((b"accept-encoding", b"gzip"), (b"connection", b"keep-alive"), (b"accept", b"*/*"))
    assert is_right(replace(request, headers=request.headers + more), SECRET)


def test_several_values_of_a_header_are_sorted_and_joined():
    """As signatures want it: trimmed, sorted, with commas."""
    headers = ((b"x-acs-a", b" two "), (b"x-acs-a", b"one"))
    assert HttpRequest("GET", headers=headers).header_values == {"x-acs-a": "one,two"}


@every_vector("v1")
def test_a_byte_more_or_less_is_refused(vector):
    """Nothing can be added, doubled or taken away."""
    request, secret = request_of(vector), vector["access_key_secret"]
    for query in (request.query + b"&Extra=1", b"a=&" + request.query, request.query[:-3]):
        assert not is_right(replace(request, query=query), secret)
    for name, value in vector["query"].items():
        fewer = {k: v for k, v in vector["query"].items() if k != name}
        query = urlencode(fewer | {"Signature": vector["signature"]}).encode()
        assert not is_right(replace(request, query=query), secret), (name, value)


@every_vector("v1")
def test_a_v1_query_may_be_written_in_any_way(vector):
    """Plus or %20 for a space, a bare star, small hex, any order, query or form: all the same."""
    secret = vector["access_key_secret"]
    everything = vector["query"] | vector["form"] | {"Signature": vector["signature"]}
    forms = [
        urlencode(everything),
        "&".join(f"{name}={quote(value, safe='*')}" for name, value in everything.items()),
        "&".join(f"{name}={quote(everything[name])}" for name in reversed(everything)),
        re.sub("%[0-9A-F]{2}", lambda hex_: hex_[0].lower(), urlencode(everything)),
    ]
    for form in forms:
        in_query = replace(request_of(vector), query=form.encode(), body=b"")
        assert is_right(in_query, secret)
        assert is_right(replace(in_query, query=b"", body=form.encode()), secret)


def test_a_name_in_query_and_form_counts_once():
    """The vendor's older SDK repeats RegionId with the same value; another value is another."""
    vector = next(v for v in VECTORS if v.get("form"))
    request, secret = request_of(vector), vector["access_key_secret"]
    region = vector["form"]["RegionId"].encode()
    repeated = replace(request, query=request.query + b"&RegionId=" + region)
    assert is_right(repeated, secret)
    assert not is_right(replace(repeated, query=repeated.query + b"x"), secret)


def test_a_body_that_is_no_form_takes_no_part():
    """Only a form holds parameters, its type in any letters and with a charset."""
    vector = next(v for v in VECTORS if v.get("form"))
    request, secret = request_of(vector), vector["access_key_secret"]
    for kind, right in (
        (b"application/X-WWW-Form-URLEncoded; charset=UTF-8", True),
        (b"application/json", False),
        (b"", False),
    ):
        headers = ((b"host", b"a"), (b"content-type", kind))
        assert is_right(replace(request, headers=headers), secret) is right


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SignatureMethod": ""}, "MissingSignatureMethod"),
        ({"SignatureMethod": "HMAC-MD5"}, "InvalidSignatureMethod"),
        ({"SignatureVersion": ""}, "MissingSignatureVersion"),
        ({"SignatureVersion": "2.0"}, "InvalidSignatureVersion"),
        ({"SignatureType": "BEARERTOKEN"}, "InvalidSignatureType"),
        ({"Signature": ""}, "IncompleteSignature"),
    ],
)
def test_the_scheme_must_be_the_known_one(changes, code):
    """Another method, version or type, or no signature, is refused by its own code."""
    query = PLAIN_V1 | {"Signature": "x"} | changes
    assert code_of(HttpRequest("GET", query=urlencode(query).encode())) == code


def test_two_signatures_are_none():
    """Which of two would count nobody has written down."""
    query = urlencode(PLAIN_V1).encode() + b"&Signature=a&Signature=b"
    assert code_of(HttpRequest("GET", query=query)) == "IncompleteSignature"


def test_a_signature_outside_ascii_is_wrong_and_no_fault():
    """Whatever is where the signature should be is compared, not trusted."""
    query = urlencode(PLAIN_V1 | {"Signature": "ü💥\ufffd"}).encode()
    assert code_of(HttpRequest("GET", query=query)) == "SignatureDoesNotMatch"
