"""Signatures of the vendor's own libraries: right as they are, wrong with anything changed.

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

from tests.simulator.conftest import FORM, SmallService, meaning, signed
from vcokit.simulator.auth import HttpRequest, parse_auth, verify_signature
from vcokit.simulator.errors import ApiError

VECTORS = [
    vector
    for name in ("v3_vectors.json", "v1_vectors.json")
    for vector in json.loads((Path(__file__).parent / name).read_text("utf-8"))["vectors"]
]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v["id"] for v in VECTORS])


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


@every_vector
def test_a_query_may_be_written_in_any_way(vector):
    """Plus or %20, a bare star or %2A, small hex, any order, in V1 query or form: all the same."""
    secret, pairs = vector["access_key_secret"], dict(vector["query"])
    if "headers" not in vector:
        pairs |= vector["form"] | {"Signature": vector["signature"]}
    for written in (
        urlencode(pairs),
        "&".join(f"{name}={quote(pairs[name], safe='*')}" for name in reversed(pairs)),
        "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items()),
        re.sub("%[0-9A-F]{2}", lambda hex_: hex_[0].lower(), urlencode(pairs)),
    ):
        request = request_of(vector, written)
        if "headers" in vector:
            assert is_right(request, secret)
        else:
            assert is_right(replace(request, body=b""), secret)
            assert is_right(replace(request, query=b"", body=written.encode()), secret)


def flipped(data: bytes) -> Iterator[bytes]:
    """Yield bytes with one of them changed, for each position."""
    for at, byte in enumerate(data):
        yield data[:at] + bytes([byte ^ 1]) + data[at + 1 :]


def one_byte_changed(request: HttpRequest) -> Iterator[HttpRequest]:
    """Yield a request with one byte changed, for every byte of query, body and, in V3, headers."""
    yield from (replace(request, query=changed) for changed in flipped(request.query))
    yield from (replace(request, body=changed) for changed in flipped(request.body))
    if b"authorization" in dict(request.headers):
        for at, (name, value) in enumerate(request.headers):
            changes = [(changed, value) for changed in flipped(name)]
            for change in changes + [(name, changed) for changed in flipped(value)]:
                headers = (*request.headers[:at], change, *request.headers[at + 1 :])
                yield replace(request, headers=headers)


@every_vector
def test_any_one_byte_changed_is_refused(vector):
    """Every byte of query, body and headers counts, but for those that say the same."""
    request, secret = request_of(vector), vector["access_key_secret"]
    key = parse_auth(request).access_key_id
    refused = total = 0
    for changed in one_byte_changed(request):
        total += 1
        if meaning(changed) == meaning(request):
            assert is_right(changed, secret), changed
        else:
            # Another key's name is refused when its secret is looked up, before any signature.
            right = is_right(changed, secret)
            assert not right or parse_auth(changed).access_key_id != key, changed
            refused += 1
    assert refused > 0.9 * total > 200


@every_vector
def test_method_secret_and_what_is_added_or_lost_count(vector):
    """Another method, any letter of the secret, a parameter or byte more or less: refused."""
    request, secret = request_of(vector), vector["access_key_secret"]
    changes = [
        replace(request, method="GET" if request.method == "POST" else "POST"),
        replace(request, query=request.query + b"&Extra=1"),
        replace(request, query=b"a=&" + request.query),
        replace(request, body=request.body + b"x"),
    ]
    if request.query:
        changes.append(replace(request, query=request.query[:-3]))
    signature = {} if "headers" in vector else {"Signature": vector["signature"]}
    for name in vector["query"]:
        fewer = {other: value for other, value in vector["query"].items() if other != name}
        changes.append(replace(request, query=urlencode(fewer | signature).encode()))
    if "headers" in vector:
        changes.append(replace(request, headers=(*request.headers, (b"x-acs-extra", b"1"))))
    for changed in changes:
        assert meaning(changed) != meaning(request)
        assert not is_right(changed, secret)
    for wrong in flipped(secret.encode()):
        assert not is_right(request, wrong.decode())


def test_a_form_counts_as_a_form_and_a_name_in_both_once():
    """The older SDK repeats RegionId with one value; a body of another type takes no part."""
    vector = next(one for one in VECTORS if one.get("form"))
    request, secret = request_of(vector), vector["access_key_secret"]
    region = vector["form"]["RegionId"].encode()
    repeated = replace(request, query=request.query + b"&RegionId=" + region)
    assert is_right(repeated, secret)
    assert not is_right(replace(repeated, query=repeated.query + b"x"), secret)
    kinds = {"application/X-WWW-Form-URLEncoded; charset=UTF-8": True, "application/json": False}
    for kind, right in (kinds | {"": False}).items():
        headers = ((b"host", b"a"), (b"content-type", kind.encode()))
        assert is_right(replace(request, headers=headers), secret) is right


# -- what must be signed ---------------------------------------------------------------------------


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
INCOMPLETE = [
    "",
    "Bearer x",
    V3,
    f"{V3} Credential=a,SignedHeaders=host",
    f"{V3} Credential=,SignedHeaders=host,Signature=b",
    f"{V3} Credential=a,SignedHeaders=host,Signature=b",
    f"{V3} Credential=a, SignedHeaders=host, Signature=b",
    f"{V3}  Credential=a,SignedHeaders=host,Signature=b",
]
OTHER_METHODS = [
    f"ACS3-{method} Credential=a,SignedHeaders=host,Signature=b"
    for method in ("HMAC-SM3", "RSA-SHA256")
]
BARE = signed("DescribeRegions")
FULL = signed("DescribeRegions", body=b"x")
MORE = signed("DescribeRegions", headers={"user-agent": "x", "x-acs-credentials-provider": "ak"})
#: Values of one header count sorted and joined: what was signed came as two lines.
JOINED = put(signed("DescribeRegions", headers={"x-acs-a": "one,two"}), **{"x-acs-a": " two "})
TWICE = replace(JOINED, headers=(*JOINED.headers, (b"x-acs-a", b"one")))
V3_CASES = [
    (TWICE, ""),
    *((put(BARE, authorization=text), "IncompleteSignature") for text in INCOMPLETE),
    *((put(BARE, authorization=text), "InvalidSignatureMethod") for text in OTHER_METHODS),
    (unsign(BARE, "host"), "IncompleteSignature"),
    (unsign(BARE, "x-acs-date"), "IncompleteSignature"),
    (unsign(MORE, "x-acs-credentials-provider"), "IncompleteSignature"),
    (put(MORE, **{"user-agent": None}), "IncompleteSignature"),  # taken away by a proxy
    (put(FULL, **{"content-type": "a/b"}), "IncompleteSignature"),
    (put(BARE, **{"content-type": "a/b"}), ""),  # there is no body that it would be of
    (put(BARE, accept="*/*", connection="keep-alive"), ""),
    (
        signed("DescribeRegions", headers={"x-acs-content-sha256": "0" * 64}),
        "SignatureDoesNotMatch",
    ),
    (
        signed("DescribeRegions", headers={"x-acs-accesskey-id": "other"}),
        "InvalidAccessKeyId.NotFound",
    ),
]


@pytest.mark.parametrize(("request_", "code"), V3_CASES)
def test_v3_signs_what_counts_in_one_form(request_, code):
    """One form of Authorization; host, x-acs headers and the type of a body must be signed."""
    assert SmallService().code(request_) == code


V1_SAID = [
    ({"SignatureMethod": ""}, "MissingSignatureMethod"),
    ({"SignatureMethod": "HMAC-MD5"}, "InvalidSignatureMethod"),
    ({"SignatureVersion": ""}, "MissingSignatureVersion"),
    ({"SignatureVersion": "2.0"}, "InvalidSignatureVersion"),
    ({"SignatureType": "BEARERTOKEN"}, "InvalidSignatureType"),
    ({"SignatureType": ""}, ""),
    ({"Signature": ""}, "IncompleteSignature"),
    ({"Signature": "ü💥\ufffd"}, "SignatureDoesNotMatch"),
]
PLAIN = signed("DescribeRegions", scheme="V1")
V1_CASES = [
    *((signed("DescribeRegions", scheme="V1", said=said), code) for said, code in V1_SAID),
    # Which of two signatures would count nobody has written down.
    (replace(PLAIN, query=PLAIN.query + b"&Signature=a"), "IncompleteSignature"),
]


@pytest.mark.parametrize(("request_", "code"), V1_CASES)
def test_v1_has_one_method_version_type_and_signature(request_, code):
    """Another is refused by its own code, and a signature outside ASCII is wrong, no fault."""
    assert SmallService().code(request_) == code
