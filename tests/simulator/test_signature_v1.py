"""V1 signatures of the vendor's own libraries: right as they are, wrong with any byte changed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from vcokit.simulator.codes import Refusal
from vcokit.simulator.requests import FORM, HttpRequest
from vcokit.simulator.signature_v1 import check_signature, read_signature, string_to_sign

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "v1_vectors.json").read_text(encoding="utf-8")
)["vectors"]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v["id"] for v in VECTORS])


def request_of(vector: dict[str, Any]) -> HttpRequest:
    """Return the request of a vector as one valid wire form has it."""
    headers = ((b"host", b"vpc.aliyuncs.com"), (b"content-type", FORM.encode()))
    return HttpRequest(
        method=vector["method"],
        query=vector["signed_query_string"].encode(),
        headers=headers,
        body=vector["form_body"].encode(),
    )


def is_right(request: HttpRequest, secret: str) -> bool:
    """Tell whether a request's signature is accepted."""
    try:
        check_signature(request, read_signature(request), secret)
    except Refusal:
        return False
    return True


def meaning(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what query and form say, by the standard library: the same is the same request."""
    pairs = (
        parse_qsl(part.decode("latin-1"), keep_blank_values=True)
        for part in (request.query, request.body)
    )
    return sorted(pair for part in pairs for pair in part)


@every_vector
def test_a_vendor_s_signature_is_right(vector):
    """The string to sign is the vendor's to the byte, and the signature is accepted."""
    request = request_of(vector)
    assert read_signature(request) == vector["signature"]
    assert string_to_sign(request) == vector["string_to_sign"]
    assert is_right(request, vector["access_key_secret"])


@every_vector
def test_any_one_byte_changed_is_refused(vector):
    """Every byte of query and body counts, but for those that say the same in other letters."""
    request, secret = request_of(vector), vector["access_key_secret"]
    refused = 0
    for part in ("query", "body"):
        data = getattr(request, part)
        for at, byte in enumerate(data):
            changed = data[:at] + bytes([byte ^ 1]) + data[at + 1 :]
            other = replace(request, **{part: changed})
            if meaning(other) != meaning(request):
                assert not is_right(other, secret), (part, at)
                refused += 1
            else:
                assert is_right(other, secret), (part, at)
    assert refused > 0.9 * (len(request.query) + len(request.body))


@every_vector
def test_method_and_secret_count(vector):
    """GET and POST differ in the first word of what is signed; any letter of the secret counts."""
    request, secret = request_of(vector), vector["access_key_secret"]
    other = "GET" if request.method == "POST" else "POST"
    assert not is_right(replace(request, method=other), secret)
    for at in range(len(secret)):
        assert not is_right(request, secret[:at] + chr(ord(secret[at]) ^ 1) + secret[at + 1 :])
    assert not is_right(request, secret + "&")


@every_vector
def test_a_byte_more_or_less_is_refused(vector):
    """Nothing can be added, doubled or taken away."""
    request, secret = request_of(vector), vector["access_key_secret"]
    for query in (request.query + b"&Extra=1", b"a=&" + request.query, request.query[:-3]):
        assert not is_right(replace(request, query=query), secret)
    for name, value in vector["query"].items():
        fewer = {k: v for k, v in vector["query"].items() if k != name}
        query = urlencode(fewer | {"Signature": vector["signature"]}).encode()
        assert not is_right(replace(request, query=query), secret), (name, value)


@every_vector
def test_a_query_may_be_written_in_any_way(vector):
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
    vector = next(v for v in VECTORS if v["form"])
    request, secret = request_of(vector), vector["access_key_secret"]
    region = vector["form"]["RegionId"].encode()
    repeated = replace(request, query=request.query + b"&RegionId=" + region)
    assert is_right(repeated, secret)
    assert not is_right(replace(repeated, query=repeated.query + b"x"), secret)


def test_a_body_that_is_no_form_takes_no_part():
    """Only a form holds parameters, its type in any letters and with a charset."""
    vector = next(v for v in VECTORS if v["form"])
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
    query = VECTORS[2]["query"] | {"Signature": "x"} | changes
    with pytest.raises(Refusal) as caught:
        read_signature(HttpRequest("GET", query=urlencode(query).encode()))
    assert caught.value.code == code


def test_two_signatures_are_none():
    """Which of two would count nobody has written down."""
    query = urlencode(VECTORS[2]["query"]).encode() + b"&Signature=a&Signature=b"
    with pytest.raises(Refusal, match="IncompleteSignature"):
        read_signature(HttpRequest("GET", query=query))


def test_a_wrong_signature_is_told_what_the_server_signed():
    """The text has the documented form; the older SDK takes it apart at its colon."""
    vector = VECTORS[4]
    request = request_of(vector)
    with pytest.raises(Refusal) as caught:
        check_signature(request, read_signature(request), "wrong")
    assert caught.value.message == (
        "Specified signature is not matched with our calculation. "
        f"server string to sign is:{vector['string_to_sign']}"
    )


def test_a_signature_outside_ascii_is_wrong_and_no_fault():
    """Whatever stands where the signature should be is compared, not trusted."""
    query = urlencode(VECTORS[2]["query"] | {"Signature": "ü💥\ufffd"}).encode()
    assert not is_right(HttpRequest("GET", query=query), "testAccessKeySecret")
