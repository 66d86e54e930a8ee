"""Signatures of scheme V1 (``HMAC-SHA1``): everything is a parameter, no header takes part.

::

    string to sign = METHOD & %2F & encode(name=value&name=value…)     (so values are encoded twice)
    signature      = base64(HMAC-SHA1(secret + "&", string to sign))

Parameters of the query and of a form body are taken together, without ``Signature``; one that
stands in both with the same value counts once, as the vendor's older SDK sends it.

Source: the vendor's page on signatures of RPC calls; what SDKs send.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from vcokit.simulator.codes import Refusal
from vcokit.simulator.requests import HttpRequest, canonical_pairs, encode

METHOD: Final = "HMAC-SHA1"
VERSION: Final = "1.0"
#: What ``SignatureType`` may be; the older SDK sends it empty.
TYPES: Final = ("",)


def read_signature(request: HttpRequest) -> str:
    """Return the parameter ``Signature`` and see that the scheme is the one that is known.

    Raises
    ------
    Refusal
        ``IncompleteSignature`` where there is none or more than one; ``MissingSignatureMethod``,
        ``InvalidSignatureMethod`` and the like for what goes with it.
    """
    for name, known in (("SignatureMethod", METHOD), ("SignatureVersion", VERSION)):
        value = request.parameters.get(name, "")
        if value != known:
            raise Refusal(f"Invalid{name}" if value else f"Missing{name}")
    if request.parameters.get("SignatureType", "") not in TYPES:
        raise Refusal("InvalidSignatureType")
    found = {value for name, value in request.pairs if name == "Signature"}
    if len(found) != 1 or found == {""}:
        raise Refusal("IncompleteSignature")
    return found.pop()


def check_signature(request: HttpRequest, signature: str, secret: str) -> None:
    """Make the signature again and compare.

    Raises
    ------
    Refusal
        ``SignatureDoesNotMatch``. The text has the form, colon included, that the vendor's older
        SDK takes apart.
    """
    to_sign = string_to_sign(request)
    digest = hmac.new(f"{secret}&".encode(), to_sign.encode(), hashlib.sha1).digest()
    if not hmac.compare_digest(base64.b64encode(digest), signature.encode("utf-8", "replace")):
        raise Refusal(
            "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation. "
            f"server string to sign is:{to_sign}",
        )


def string_to_sign(request: HttpRequest) -> str:
    """Return the request in the one form that both sides sign."""
    once = dict.fromkeys(pair for pair in request.pairs if pair[0] != "Signature")
    return f"{request.method}&%2F&{encode(canonical_pairs(list(once)))}"
