"""Signatures of the vendor's own libraries: right as they are, wrong with anything changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

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
REFUSED = ("SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureMethod")
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
        if refusal.code not in REFUSED:
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


def meaning(request: HttpRequest) -> tuple[Any, ...]:
    """Return what a request says, by the standard library: the same is the same request."""
    headers = sorted((name, value.strip()) for name, value in request.headers)
    query = parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)
    return request.method, sorted(query), headers, request.body


def one_byte_changed(request: HttpRequest) -> Iterator[tuple[str, HttpRequest]]:
    """Yield a request with one byte changed, for every byte of it, and where that was."""
    for part in ("query", "body"):
        for at, changed in flipped(getattr(request, part)):
            yield f"{part} {at}", replace(request, **{part: changed})
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


@every_vector
def test_any_one_byte_changed_is_refused(vector):
    """Every byte of query, body and headers counts, but for those that say the same."""
    request, secret = request_of(vector), vector["access_key_secret"]
    key = vector["access_key_id"]
    refused = total = 0
    for where, changed in one_byte_changed(request):
        total += 1
        if meaning(changed) == meaning(request):
            assert is_right(changed, secret), where
        else:
            # Another key's name is refused when its secret is looked up, before any signature.
            ours = key.encode() in dict(changed.headers).get(b"authorization", b"")
            assert not (ours and is_right(changed, secret)), where
            refused += 1
    assert refused > 0.97 * total > 500


@every_vector
def test_method_secret_and_what_is_added_count(vector):
    """Another method, any letter of the secret, a byte more in query or body: refused."""
    request, secret = request_of(vector), vector["access_key_secret"]
    other = "GET" if request.method == "POST" else "POST"
    for changed in (
        replace(request, method=other),
        replace(request, body=request.body + b"x"),
        replace(request, query=request.query + b"&Extra=1"),
        replace(request, headers=(*request.headers, (b"x-acs-extra", b"1"))),
    ):
        assert not is_right(changed, secret)
    for at in range(len(secret)):
        assert not is_right(request, secret[:at] + chr(ord(secret[at]) ^ 1) + secret[at + 1 :])


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
