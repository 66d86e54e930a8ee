"""What a request says of itself, in either scheme, and nothing believed yet.

======================  =========================  ========================
said                    V3                         V1
======================  =========================  ========================
operation, version      ``x-acs-action``           ``Action``
                        ``x-acs-version``          ``Version``
who                     ``Authorization``          ``AccessKeyId``
temporary key           ``x-acs-security-token``   ``SecurityToken``
once                    ``x-acs-signature-nonce``  ``SignatureNonce``
when                    ``x-acs-date``             ``Timestamp``
signature               ``Authorization``          ``Signature``
======================  =========================  ========================

``Authorization`` that begins with ``ACS3-`` means V3; else a parameter ``Signature`` or ``Action``
means V1. The headers ``x-acs-action`` and ``x-acs-version`` alone mean nothing: SDKs send them with
V1 too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vcokit.simulator import signature as v3
from vcokit.simulator import signature_v1 as v1
from vcokit.simulator.codes import Refusal
from vcokit.simulator.facts import OPERATIONS, VERSION
from vcokit.simulator.requests import HttpRequest


@dataclass(frozen=True)
class Claim:
    """What a request says of itself.

    Parameters
    ----------
    access_key_id, security_token : str
        Who it says it comes from; the token is empty where there is none.
    nonce, date : str
        What makes it one of its kind; the date undecoded.
    check : callable
        From a secret to nothing; raises `Refusal` if the signature was not made with it.
    """

    access_key_id: str
    security_token: str
    nonce: str
    date: str
    check: Callable[[str], None]


def is_v1(request: HttpRequest) -> bool:
    """Tell whether a request is of scheme V1."""
    if request.header_values.get("authorization", "").startswith(v3.FAMILY):
        return False
    return "Signature" in request.parameters or "Action" in request.parameters


def named_operation(request: HttpRequest) -> str:
    """Return the operation that a request names, empty where it is none of ours."""
    action = _said(request, "x-acs-action", "Action")
    return action if action in OPERATIONS else ""


def read_operation(request: HttpRequest) -> str:
    """Return the operation that a request asks for.

    Raises
    ------
    Refusal
        If version or operation are absent or unknown.
    """
    version = _required(request, "x-acs-version", "Version")
    if version != VERSION:
        raise Refusal("InvalidVersion")
    action = _required(request, "x-acs-action", "Action")
    if action not in OPERATIONS or request.path != "/":
        raise Refusal("InvalidAction.NotFound")
    return action


def read_claim(request: HttpRequest) -> Claim:
    """Return who a request says it comes from, and what would prove it.

    Raises
    ------
    Refusal
        If something that must be there is not, or is malformed.
    """
    if is_v1(request):
        signature = v1.read_signature(request)
        key = _required(request, "", "AccessKeyId")
        check = partial(v1.check_signature, request, signature)
    else:
        authorization = v3.read_authorization(request)
        key = authorization.access_key_id
        if request.header_values.get("x-acs-accesskey-id", key) != key:
            raise Refusal("InvalidAccessKeyId.NotFound")
        check = partial(v3.check_signature, request, authorization)
    nonce = _required(request, "x-acs-signature-nonce", "SignatureNonce")
    date = _required(request, "x-acs-date", "Timestamp")
    token = _said(request, "x-acs-security-token", "SecurityToken")
    return Claim(key, token, nonce, date, check)


def _said(request: HttpRequest, header: str, parameter: str) -> str:
    if is_v1(request):
        return request.parameters.get(parameter, "")
    return request.header_values.get(header, "")


def _required(request: HttpRequest, header: str, parameter: str) -> str:
    said = _said(request, header, parameter)
    if not said:
        raise Refusal(f"Missing{parameter}")
    return said
