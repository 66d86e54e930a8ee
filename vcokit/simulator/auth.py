"""Authentication: the received request, its signature in both schemes, and the checks in order.

======================  =========================  ========================
part of a request       in V3                      in V1
======================  =========================  ========================
operation, version      ``x-acs-action``           ``Action``
                        ``x-acs-version``          ``Version``
AccessKey id            ``Authorization``          ``AccessKeyId``
token                   ``x-acs-security-token``   ``SecurityToken``
nonce                   ``x-acs-signature-nonce``  ``SignatureNonce``
date                    ``x-acs-date``             ``Timestamp``
signature               ``Authorization``          ``Signature``
======================  =========================  ========================

A header ``Authorization`` that begins with ``ACS3-`` means V3; else a parameter ``Signature`` or
``Action`` means V1. The headers ``x-acs-action`` and ``x-acs-version`` alone mean nothing, because
SDKs also send them with V1. `Authenticator.authenticate` makes these checks, and the first one that
fails determines the answer::

    method ─▶ format ─▶ version, operation ─▶ form of the signature ─▶ nonce, date present
      ─▶ key known, enabled ─▶ token present ─▶ date near ─▶ signature correct
      ─▶ token correct, not expired ─▶ nonce unused ─▶ parameters once ─▶ permission

The vendor documents the codes, but not their order. Sources of the signatures: the vendor's pages
on V3 requests and on signatures of RPC calls, and the requests of its SDKs.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from vcokit.simulator.errors import ApiError, describe_error
from vcokit.simulator.models import CONTRACT, ROLE_ARN, SERVICE_OF, Account

JSON, XML = "JSON", "XML"
#: Parameters of the protocol, not of an operation.
COMMON_PARAMETERS: Final = frozenset(CONTRACT["common_parameters"]["names"])
#: How far the date of a request may differ from the server's, in both directions (wall time).
TIMESTAMP_TOLERANCE: Final[int] = CONTRACT["limits"]["timestamp_tolerance_seconds"]["value"]

_FORM: Final = "application/x-www-form-urlencoded"
_V3: Final = "ACS3-HMAC-SHA256"
_AUTHORIZATION: Final = re.compile(
    rf"{_V3} Credential=(?P<key>[^,\s]+),SignedHeaders=(?P<headers>[^,\s]+)"
    r",Signature=(?P<signature>[^,\s]+)"
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_HEADERS: Final = {
    "Action": "x-acs-action",
    "Version": "x-acs-version",
    "SecurityToken": "x-acs-security-token",
    "SignatureNonce": "x-acs-signature-nonce",
    "Timestamp": "x-acs-date",
}

#: Names and values in the order of the request; a name may occur more than once.
Pairs: TypeAlias = list[tuple[str, str]]


# -- requests -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HttpRequest:
    """A request as it was received.

    Clients write the same query in many ways: a space as ``+`` or ``%20``, a star bare or as
    ``%2A``, names in any order, parameters in the query or in the body. Only the decoded values
    count.

    Parameters
    ----------
    method, path : str
        Those of the request line.
    query : bytes
        The text after the question mark, not decoded.
    headers : tuple of (bytes, bytes)
        Names in lower case; a name may occur more than once.
    body : bytes
        The complete body.
    """

    method: str
    path: str = "/"
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    @cached_property
    def header_values(self) -> Mapping[str, str]:
        """Headers as they are signed: trimmed; several values sorted and joined by commas."""
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            text = value.decode("utf-8", "replace").strip()
            values.setdefault(name.decode("latin-1").lower(), []).append(text)
        return {name: ",".join(sorted(several)) for name, several in values.items()}

    @cached_property
    def query_pairs(self) -> Pairs:
        """Names and values of the query."""
        return _decode_form(self.query)

    @cached_property
    def form_pairs(self) -> Pairs:
        """Names and values of a form body; empty if the body is not a form."""
        kind = self.header_values.get("content-type", "").partition(";")[0].strip().lower()
        return _decode_form(self.body) if kind == _FORM else []

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Values by name, from query and form; the first if there are several."""
        return dict(reversed([*self.query_pairs, *self.form_pairs]))

    @cached_property
    def is_v1(self) -> bool:
        """Whether the request is of scheme V1."""
        if self.header_values.get("authorization", "").startswith("ACS3-"):
            return False
        return "Signature" in self.parameters or "Action" in self.parameters

    @property
    def action(self) -> str:
        """The operation that it names; empty if there is no such operation."""
        action = self.auth_field("Action")
        return action if action in SERVICE_OF else ""

    @cached_property
    def format(self) -> str | None:
        """The requested format, ``JSON`` or ``XML``; None if the request asks for another."""
        named = self.parameters.get("Format", "").upper()
        if named:
            return named if named in (JSON, XML) else None
        accepted = self.header_values.get("accept", "")
        return XML if "xml" in accepted and "json" not in accepted else JSON

    def auth_field(self, name: str) -> str:
        """Return a part of the request in its scheme, by the name in V1; empty if absent."""
        if self.is_v1:
            return self.parameters.get(name, "")
        return self.header_values.get(_HEADERS[name], "")


def _decode_form(data: bytes) -> Pairs:
    """Return names and values of a form; bytes that are not UTF-8 become U+FFFD."""
    pieces = (piece.partition(b"=") for piece in data.split(b"&") if piece)
    return [(_decode(name), _decode(value)) for name, _, value in pieces]


def _decode(data: bytes) -> str:
    if b"+" in data or b"%" in data:
        data = unquote_to_bytes(data.replace(b"+", b" "))
    return data.decode("utf-8", "replace")


# -- signatures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParsedAuth:
    """The credentials and signature in a request, not verified yet.

    Parameters
    ----------
    access_key_id, security_token : str
        The key; the token is empty if there is none.
    nonce, date : str
        These make the request unique; empty if absent. The date is not parsed.
    signature : str
        As received.
    signed_headers : tuple of str
        Headers that the signature covers, sorted; empty in V1.
    """

    access_key_id: str
    security_token: str
    nonce: str
    date: str
    signature: str
    signed_headers: tuple[str, ...] = ()


def parse_auth(request: HttpRequest) -> ParsedAuth:
    """Return the credentials and signature in a request.

    Raises
    ------
    ApiError
        If a required part is absent or malformed.
    """
    parse = _parse_v1 if request.is_v1 else _parse_v3
    key, signature, signed_headers = parse(request)
    token, nonce, date = map(request.auth_field, ("SecurityToken", "SignatureNonce", "Timestamp"))
    return ParsedAuth(key, token, nonce, date, signature, signed_headers)


def _required_auth_field(request: HttpRequest, name: str) -> str:
    value = request.auth_field(name)
    if not value:
        raise ApiError(f"Missing{name}")
    return value


def _parse_v1(request: HttpRequest) -> tuple[str, str, tuple[str, ...]]:
    """Return key and signature, and no header names: V1 signs no headers."""
    for name, known in (("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")):
        value = request.parameters.get(name, "")
        if value != known:
            raise ApiError(f"Invalid{name}" if value else f"Missing{name}")
    # The older SDK sends this parameter with an empty value.
    if request.parameters.get("SignatureType", ""):
        raise ApiError("InvalidSignatureType")
    pairs = [*request.query_pairs, *request.form_pairs]
    signatures = {value for name, value in pairs if name == "Signature"}
    if len(signatures) != 1 or signatures == {""}:
        raise ApiError("IncompleteSignature")
    key = request.parameters.get("AccessKeyId", "")
    if not key:
        raise ApiError("MissingAccessKeyId")
    return key, signatures.pop(), ()


def _parse_v3(request: HttpRequest) -> tuple[str, str, tuple[str, ...]]:
    """Return key, signature and the names of the signed headers."""
    values = request.header_values
    text = values.get("authorization", "")
    match = _AUTHORIZATION.fullmatch(text)
    if text.startswith("ACS3-") and text.split(" ")[0] != _V3:
        raise ApiError("InvalidSignatureMethod")
    if match is None:
        raise ApiError("IncompleteSignature")
    signed = set(match["headers"].lower().split(";"))
    needed = {name for name in values if name.startswith("x-acs-")}
    needed |= {"host", "x-acs-content-sha256"}
    if request.body and "content-type" in values:
        needed.add("content-type")
    if not needed <= signed <= set(values):
        raise ApiError("IncompleteSignature")
    key = match["key"]
    if values.get("x-acs-accesskey-id", key) != key:
        raise ApiError("InvalidAccessKeyId.NotFound")
    return key, match["signature"], tuple(sorted(signed))


def verify_signature(request: HttpRequest, auth: ParsedAuth, secret: str) -> None:
    """Compute the signature again and compare it.

    ::

        V3   string to sign = ACS3-HMAC-SHA256 ⏎ hex(SHA256(canonical request))
             signature      = hex(HMAC-SHA256(secret, string to sign))
        V1   string to sign = METHOD & %2F & encode(name=value&name=value…)
             signature      = base64(HMAC-SHA1(secret + "&", string to sign))

    Raises
    ------
    ApiError
        ``SignatureDoesNotMatch``, with the text that the server would have signed. The message of
        V1 has the form, including the colon, that the vendor's older SDK parses.
    """
    if request.is_v1:
        to_sign = string_to_sign_v1(request)
        digest = hmac.digest(f"{secret}&".encode(), to_sign.encode(), "sha1")
        expected = base64.b64encode(digest)
        message = (
            "Specified signature is not matched with our calculation. "
            f"server string to sign is:{to_sign}"
        )
    else:
        payload = hashlib.sha256(request.body).hexdigest()
        canonical = canonical_request(request, auth.signed_headers, payload)
        to_sign = f"{_V3}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        expected = hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex().encode()
        if request.header_values["x-acs-content-sha256"] != payload:
            expected = b""
        message = (
            "Specified signature does not match our calculation. "
            f"server StringToSign is [{to_sign}] server CanonicalRequest is [{canonical}]"
        )
    # Bytes, because compare_digest accepts no text outside ASCII.
    if not hmac.compare_digest(expected, auth.signature.encode("utf-8", "replace")):
        raise ApiError("SignatureDoesNotMatch", message)


def string_to_sign_v1(request: HttpRequest) -> str:
    """Return the text that V1 signs: query and form; the same pair in both counts once."""
    pairs = [*request.query_pairs, *request.form_pairs]
    once = dict.fromkeys(pair for pair in pairs if pair[0] != "Signature")
    return f"{request.method}&%2F&{_encode(_canonical_query(once))}"


def canonical_request(request: HttpRequest, signed_headers: Iterable[str], payload: str) -> str:
    """Return the text whose hash V3 signs."""
    names = sorted(signed_headers)
    query = _canonical_query(request.query_pairs)
    headers = "".join(f"{name}:{request.header_values[name]}\n" for name in names)
    return "\n".join((request.method, "/", query, headers, ";".join(names), payload))


def _canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, sorted by the raw name and encoded, as both schemes sign them.

    Examples
    --------
    >>> _canonical_query([("Tag.2.Key", "x"), ("Tag.10.Key", "a b*~/"), ("a", "")])
    'Tag.10.Key=a%20b%2A~%2F&Tag.2.Key=x&a='
    """
    ordered = sorted(pairs, key=lambda pair: pair[0].encode("utf-8", "replace"))
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in ordered)


def _encode(text: str) -> str:
    return quote(text, safe="~", encoding="utf-8", errors="replace")


# -- the checks -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caller:
    """The verified caller and the operation."""

    account_id: str
    operation: str
    parameters: Mapping[str, str]


class Authenticator:
    """Accepts or refuses calls.

    Parameters
    ----------
    keys : mapping of str to Account
        Who may call, by AccessKey id. Keys that are added later may call, too.
    """

    def __init__(self, keys: Mapping[str, Account]) -> None:
        self._keys = keys
        self._nonces: set[tuple[str, str]] = set()
        self._nonce_ends: list[tuple[float, tuple[str, str]]] = []

    def authenticate(self, request: HttpRequest, wall: float) -> Caller:
        """Make the checks in order.

        Parameters
        ----------
        request : HttpRequest
            Any request.
        wall : float
            Epoch seconds by the server's clock.

        Raises
        ------
        ApiError
            The error of the first check that fails.
        """
        if request.method not in ("GET", "POST"):
            raise ApiError("UnsupportedHTTPMethod")
        if request.format is None:
            raise ApiError("InvalidParameter.Format")
        version = SERVICE_OF.get(request.action, CONTRACT)["version"]
        if _required_auth_field(request, "Version") != version:
            raise ApiError("InvalidVersion")
        _required_auth_field(request, "Action")
        operation = request.action
        if not operation or request.path != "/":
            raise ApiError("InvalidAction.NotFound")
        auth = parse_auth(request)
        _required_auth_field(request, "SignatureNonce")
        _required_auth_field(request, "Timestamp")
        account = self._account(auth)
        date = _check_clock_skew(auth.date, wall)
        verify_signature(request, auth, account.access_key_secret)
        if auth.security_token != (account.security_token or ""):
            raise ApiError("InvalidSecurityToken")
        if account.token_expires is not None and wall >= account.token_expires:
            raise ApiError("InvalidSecurityToken.Expired")
        # A nonce counts as used only after a correct signature, else anyone could use it up.
        self._use_nonce((auth.access_key_id, auth.nonce), date, wall)
        parameters = read_parameters(request)
        _check_permission(account, operation, parameters)
        return Caller(account.account_id, operation, parameters)

    def _account(self, auth: ParsedAuth) -> Account:
        account = self._keys.get(auth.access_key_id)
        if account is None:
            raise ApiError("InvalidAccessKeyId.NotFound")
        if not account.active:
            raise ApiError("InvalidAccessKeyId.Inactive")
        if account.security_token is not None and not auth.security_token:
            raise ApiError("MissingSecurityToken")
        return account

    def _use_nonce(self, key: tuple[str, str], date: float, wall: float) -> None:
        """Remember a nonce until the date of its request is too old to be accepted again."""
        while self._nonce_ends and self._nonce_ends[0][0] < wall:
            self._nonces.discard(heapq.heappop(self._nonce_ends)[1])
        if key in self._nonces:
            raise ApiError("SignatureNonceUsed")
        self._nonces.add(key)
        heapq.heappush(self._nonce_ends, (date + TIMESTAMP_TOLERANCE, key))


def _check_clock_skew(text: str, wall: float) -> float:
    """Return the date of a request in epoch seconds."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        date = datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ApiError("InvalidTimeStamp.Format") from None
    if abs(date - wall) > TIMESTAMP_TOLERANCE:
        raise ApiError("InvalidTimeStamp.Expired")
    return date


def read_parameters(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of the operation, from query and form.

    Raises
    ------
    ApiError
        If a parameter occurs twice, because it is not documented which value counts. The same value
        in the query and in the form is accepted, because the vendor's older SDK sends that.
    """
    found: dict[str, str] = {}
    for pairs in (request.query_pairs, request.form_pairs):
        here: dict[str, str] = {}
        for name, value in pairs:
            if name in here or found.get(name, value) != value:
                text = describe_error("InvalidParameter")[1].format(name)
                raise ApiError("InvalidParameter", text)
            here[name] = value
        found |= here
    return operation_parameters(found)


def operation_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return parameters without those of the protocol, which include secrets."""
    return {name: value for name, value in parameters.items() if name not in COMMON_PARAMETERS}


def _check_permission(account: Account, operation: str, parameters: Mapping[str, str]) -> None:
    """Check the policy of the key; a call that names no connection or role needs access to all."""
    ram = SERVICE_OF[operation]["ram"]
    action = ram["action"].format(operation=operation)
    anything = operation in ram.get("any_resource", ())
    named = {
        "region": parameters.get("RegionId") or "*",
        "account": account.account_id,
        "connection": parameters.get("VpnConnectionId") or "*",
        "role": "*",
    }
    if role := ROLE_ARN.fullmatch(parameters.get("RoleArn", "")):
        named |= role.groupdict()  # the account is that of the role
    resource = ("*" if anything else ram["resource"]).format(**named)
    if not account.may(action, resource):
        detail = {"AuthAction": action, "AuthResource": resource}
        raise ApiError(ram.get("denial", account.denial_code), detail=detail)
