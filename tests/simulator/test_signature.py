"""Signatures of the vendor's own libraries: right as they are, wrong with anything changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.simulator.codes import Refusal
from vcokit.simulator.signature import (
    HttpRequest,
    canonical_request,
    check_signature,
    read_authorization,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "v3_vectors.json").read_text(encoding="utf-8")
)["vectors"]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v["id"] for v in VECTORS])


def request_of(vector: dict[str, Any], query: str | None = None) -> HttpRequest:
    """Return the request of a vector, its query written as a form unless given."""
    headers = vector["headers"] | {"authorization": vector["authorization"]}
    return HttpRequest(
        method=vector["method"],
        query=(urlencode(vector["query"]) if query is None else query).encode(),
        headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
        body=vector["body"].encode(),
    )


def is_right(request: HttpRequest, secret: str) -> bool:
    """Tell whether a request's signature is accepted."""
    try:
        check_signature(request, read_authorization(request), secret)
    except Refusal as refusal:
        if refusal.code not in ("SignatureDoesNotMatch", "IncompleteSignature"):
            raise
        return False
    return True


@every_vector
def test_a_vendor_s_signature_is_right(vector):
    """The canonical request is the vendor's to the byte, and the signature is accepted."""
    request = request_of(vector)
    authorization = read_authorization(request)
    assert authorization.access_key_id == vector["access_key_id"]
    payload = vector["canonical_request"].rsplit("\n", 1)[1]
    names = authorization.signed_headers
    assert canonical_request(request, names, payload) == vector["canonical_request"]
    assert is_right(request, vector["access_key_secret"])


@every_vector
def test_a_query_may_be_written_in_any_way(vector):
    """Plus or %20 for a space, a bare star, capital or small hex, any order: all the same."""
    quoted = {name: quote(value, safe="*") for name, value in vector["query"].items()}
    forms = [
        "&".join(f"{name}={value}" for name, value in reversed(quoted.items())),
        "&".join(f"{name}={value}" for name, value in quoted.items()).replace("%2F", "%2f"),
        "&".join(f"{name}={quote(value, safe='')}" for name, value in vector["query"].items()),
    ]
    for form in forms:
        assert is_right(request_of(vector, form), vector["access_key_secret"])


def changes_of(vector: dict[str, Any]) -> list[tuple[str, HttpRequest, str]]:
    """Return a vector with one thing changed at a time, and the secret to check it with."""
    request, secret = request_of(vector), vector["access_key_secret"]
    changed = [
        ("method", replace(request, method="GET" if request.method == "POST" else "POST"), secret),
        ("body", replace(request, body=request.body + b"x"), secret),
        ("query more", replace(request, query=request.query + b"&Extra=1"), secret),
        ("secret", request, secret[:-1] + "x"),
    ]
    for position, (name, value) in enumerate(vector["query"].items()):
        query = vector["query"] | {name: flip(value, position)}
        changed.append((f"query {name}", replace(request, query=urlencode(query).encode()), secret))
    for position, (name, value) in enumerate(request.headers):
        headers = list(request.headers)
        headers[position] = (name, flip(value.decode().strip(), position).encode())
        changed.append((f"header {name!r}", replace(request, headers=tuple(headers)), secret))
    return changed


def flip(text: str, position: int) -> str:
    """Change one character of a text, at a place that depends on the position."""
    if not text:
        return "x"
    at = (7 * position + 3) % len(text)
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


@every_vector
def test_one_byte_changed_is_refused(vector):
    """Method, body, any query value, any header, the secret: each one counts."""
    for what, request, secret in changes_of(vector):
        assert not is_right(request, secret), what


@settings(max_examples=300)
@given(st.sampled_from(VECTORS), st.integers(0, 63), st.sampled_from("0123456789abcdefgA"))
def test_every_digit_of_a_signature_counts(vector, at, digit):
    """A signature with another digit anywhere is refused; capital letters are other digits."""
    signature = vector["signature"]
    changed = signature[:at] + digit + signature[at + 1 :]
    text = vector["authorization"].replace(signature, changed)
    request = request_of(vector | {"authorization": text})
    assert is_right(request, vector["access_key_secret"]) == (changed == signature)


def test_a_wrong_signature_is_told_what_the_server_signed():
    """The message has the documented form, with string-to-sign and canonical request."""
    vector = VECTORS[1]
    with pytest.raises(Refusal) as caught:
        check_signature(request_of(vector), read_authorization(request_of(vector)), "wrong")
    assert caught.value.message == (
        "Specified signature does not match our calculation. "
        f"server StringToSign is [{vector['string_to_sign']}] "
        f"server CanonicalRequest is [{vector['canonical_request']}]"
    )


def test_a_false_content_hash_is_refused(sign):
    """A client that signs the true hash but sends another is wrong too."""
    lying = sign("DescribeRegions", headers={"x-acs-content-sha256": "0" * 64})
    with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
        check_signature(lying, read_authorization(lying), "simulator-access-key-secret")


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
    with pytest.raises(Refusal, match=code):
        read_authorization(HttpRequest("POST", headers=headers))


@pytest.mark.parametrize("name", ["host", "x-acs-date", "x-acs-credentials-provider"])
def test_what_came_must_be_signed(sign, name):
    """The host and every x-acs header that came must be among the signed ones."""
    request = sign("DescribeRegions", headers={"x-acs-credentials-provider": "static_ak"})
    headers = {key: value.decode() for key, value in request.headers}
    text = headers[b"authorization"].replace(f";{name}", "").replace(f"{name};", "")
    headers[b"authorization"] = text
    cut = replace(request, headers=tuple((k, v.encode()) for k, v in headers.items()))
    with pytest.raises(Refusal, match="IncompleteSignature"):
        read_authorization(cut)


def test_a_header_that_is_signed_must_have_come(sign):
    """A proxy that takes a signed header away breaks the signature."""
    request = sign("DescribeRegions", headers={"user-agent": "x"})
    headers = tuple(pair for pair in request.headers if pair[0] != b"user-agent")
    with pytest.raises(Refusal, match="IncompleteSignature"):
        read_authorization(replace(request, headers=headers))


def test_a_content_type_must_be_signed_where_there_is_a_body(sign):
    """With a body the content type counts; without one it is no part of the request."""
    unsigned = ((b"content-type", b"text/plain"),)
    empty = sign("DescribeRegions")
    read_authorization(replace(empty, headers=empty.headers + unsigned))
    full = sign("DescribeRegions", body=b"x")
    with pytest.raises(Refusal, match="IncompleteSignature"):
        read_authorization(replace(full, headers=full.headers + unsigned))


def test_unsigned_headers_of_the_library_do_no_harm(sign):
    """Accept-Encoding, Connection and the like come from HTTP and are never signed."""
    request = sign("DescribeRegions")
    more = ((b"accept-encoding", b"gzip"), (b"connection", b"keep-alive"), (b"accept", b"*/*"))
    assert is_right(replace(request, headers=request.headers + more), "simulator-access-key-secret")


def test_several_values_of_a_header_are_sorted_and_joined():
    """As signatures want it: trimmed, sorted, with commas."""
    headers = ((b"x-acs-a", b" two "), (b"x-acs-a", b"one"))
    assert HttpRequest("GET", headers=headers).header_values == {"x-acs-a": "one,two"}


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=6))
def test_any_parameters_survive_the_wire(parameters):
    """Whatever text stands in a query, the names and values that went in come out."""
    request = HttpRequest("GET", query=urlencode(parameters, errors="replace").encode())
    sent = {
        name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
        for name, value in parameters.items()
    }
    assert dict(request.pairs) == sent
