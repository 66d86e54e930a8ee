"""Signatures of scheme V3 (``ACS3-HMAC-SHA256``): reading them and making them again.

::

    Authorization: ACS3-HMAC-SHA256 Credential=<key id>,SignedHeaders=<a;b;c>,Signature=<hex>

    canonical request = METHOD ⏎ / ⏎ query ⏎ headers ⏎ SignedHeaders ⏎ hex(SHA256(body))
    string to sign    = ACS3-HMAC-SHA256 ⏎ hex(SHA256(canonical request))
    signature         = hex(HMAC-SHA256(secret, string to sign))

Clients differ in what they sign and in how they write a query: the headers are those they name, and
the query is decoded as a form before it is encoded by the rule. Never is the raw query compared.

Source: the vendor's page on V3 request structure and signature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vcokit.simulator.codes import Refusal
from vcokit.simulator.requests import HttpRequest, canonical_pairs

ALGORITHM: Final = "ACS3-HMAC-SHA256"
FAMILY: Final = "ACS3-"
_AUTHORIZATION: Final = re.compile(
    r"(?P<algorithm>\S+) Credential=(?P<key>[^,\s]+),SignedHeaders=(?P<headers>[^,\s]+)"
    r",Signature=(?P<signature>[^,\s]+)"
)


@dataclass(frozen=True)
class Authorization:
    """What the header says, not yet believed."""

    access_key_id: str
    signed_headers: tuple[str, ...]
    signature: str


def read_authorization(request: HttpRequest) -> Authorization:
    """Read the header ``Authorization`` and see that it covers what it must.

    Raises
    ------
    Refusal
        ``IncompleteSignature`` if it is absent or malformed, names headers that did not come, or
        leaves out one that must be signed; ``InvalidSignatureMethod`` if it is of another scheme.
    """
    text = request.header_values.get("authorization", "")
    match = _AUTHORIZATION.fullmatch(text)
    if text.startswith(FAMILY) and text.split(" ")[0] != ALGORITHM:
        raise Refusal("InvalidSignatureMethod")
    if match is None or match["algorithm"] != ALGORITHM:
        raise Refusal("IncompleteSignature")
    names = tuple(sorted(set(match["headers"].lower().split(";"))))
    if not _must_be_signed(request) <= set(names) <= set(request.header_values):
        raise Refusal("IncompleteSignature")
    return Authorization(match["key"], names, match["signature"])


def _must_be_signed(request: HttpRequest) -> set[str]:
    names = {name for name in request.header_values if name.startswith("x-acs-")}
    if request.body and "content-type" in request.header_values:
        names.add("content-type")
    return names | {"host", "x-acs-content-sha256"}


def check_signature(request: HttpRequest, authorization: Authorization, secret: str) -> None:
    """Make the signature again and compare.

    Raises
    ------
    Refusal
        ``SignatureDoesNotMatch``, with what the server would have signed.
    """
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(request, authorization.signed_headers, payload)
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    # Bytes, for compare_digest takes no text outside ASCII.
    right = hmac.compare_digest(expected.encode(), authorization.signature.encode())
    if not right or request.header_values["x-acs-content-sha256"] != payload:
        raise Refusal(
            "SignatureDoesNotMatch",
            "Specified signature does not match our calculation. "
            f"server StringToSign is [{to_sign}] server CanonicalRequest is [{canonical}]",
        )


def canonical_request(request: HttpRequest, names: Iterable[str], payload: str) -> str:
    """Return the request in the one form that both sides sign."""
    names = sorted(names)
    query = canonical_pairs(request.query_pairs)
    headers = "".join(f"{name}:{request.header_values[name]}\n" for name in names)
    return "\n".join((request.method, "/", query, headers, ";".join(names), payload))
