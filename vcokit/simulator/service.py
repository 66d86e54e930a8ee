"""From a request to a response, purely: who asks, may they, what do they ask, how is it answered.

The gateway's checks stand in `Service.admit`, in order; what they let through goes to the cloud.
Two clocks come as arguments: `wall` in epoch seconds, by which signatures are dated, and `now` in
simulated seconds, by which the cloud lives.
"""

from __future__ import annotations

import calendar
import heapq
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from vcokit.simulator import defaults
from vcokit.simulator.facts import COMMON_PARAMETERS, OPERATIONS, VERSION, Refusal
from vcokit.simulator.model import Account
from vcokit.simulator.signature import HttpRequest, check_signature, read_authorization
from vcokit.simulator.state import Answer, Cloud

_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
_JSON: Final = "application/json;charset=utf-8"
_HTML: Final = "text/html;charset=utf-8"
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Please sign in to the network</h1></body></html>\n"
_HELP: Final = (
    "https://api.alibabacloud.com/troubleshoot?q={code}&product=Vpc&requestId={request_id}"
)


@dataclass(frozen=True)
class HttpResponse:
    """A response, and what shall happen to it on its way.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : tuple of (bytes, bytes)
        Those of the API; those of the protocol (Content-Length) are the carrier's.
    body : bytes
        The whole body.
    delay : float
        Seconds of wall time to wait before sending.
    drops : bool
        Close the socket, send nothing.
    truncates : bool
        Send half of the body, then close the socket.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    delay: float = 0.0
    drops: bool = False
    truncates: bool = False


@dataclass(frozen=True)
class Caller:
    """Who calls what, believed."""

    account_id: str
    operation: str


class NonceMemory:
    """Nonces that were used, each for as long as its request could be sent again.

    A request is good from `TIMESTAMP_TOLERANCE` before its date until as long after it; then its
    nonce is forgotten, for the date refuses it by itself.
    """

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()
        self._ends: list[tuple[float, tuple[str, str]]] = []

    def __len__(self) -> int:
        return len(self._used)

    def use(self, access_key_id: str, nonce: str, *, date: float, wall: float) -> None:
        """Note a nonce.

        Raises
        ------
        Refusal
            ``SignatureNonceUsed``.
        """
        while self._ends and self._ends[0][0] < wall:
            self._used.discard(heapq.heappop(self._ends)[1])
        key = (access_key_id, nonce)
        if key in self._used:
            raise Refusal("SignatureNonceUsed")
        self._used.add(key)
        heapq.heappush(self._ends, (date + defaults.TIMESTAMP_TOLERANCE, key))


class Service:
    """The API over a cloud.

    Parameters
    ----------
    cloud : Cloud
        What is asked.
    accounts : iterable of Account
        Who may ask.
    speed : float
        Simulated seconds in a second of wall time, for the header ``x-acs-retry-after``.
    """

    def __init__(self, cloud: Cloud, accounts: Iterable[Account], *, speed: float = 1.0) -> None:
        self.cloud = cloud
        self.speed = speed
        self.nonces = NonceMemory()
        self._accounts = {account.access_key_id: account for account in accounts}

    def respond(self, request: HttpRequest, *, wall: float, now: float) -> HttpResponse:
        """Answer a request.

        Parameters
        ----------
        request : HttpRequest
            Whatever came; nothing is too malformed for an answer.
        wall : float
            Epoch seconds.
        now : float
            Simulated seconds.
        """
        try:
            caller = self.admit(request, wall)
            parameters = read_parameters(request)
        except Refusal as refusal:
            answer = self._turn_away(refusal, request, now)
        else:
            answer = self.cloud.call(
                caller.operation, parameters, account=caller.account_id, now=now
            )
        return self._render(answer, host=request.header_values.get("host", ""))

    def admit(self, request: HttpRequest, wall: float) -> Caller:
        """Make the gateway's checks, in this order.

        Raises
        ------
        Refusal
            The first that finds something.
        """
        headers = request.header_values
        if request.method not in ("GET", "POST"):
            raise Refusal("UnsupportedHTTPMethod")
        operation = _operation(request)
        authorization = read_authorization(request)
        nonce = _required(headers, "x-acs-signature-nonce", "SignatureNonce")
        written = _required(headers, "x-acs-date", "Timestamp")
        account = self._account(authorization.access_key_id, headers)
        date = _date(written, wall)
        check_signature(request, authorization, account.access_key_secret)
        _check_security_token(account, headers)
        # A nonce counts as used only when its signature was right, else anyone could use it up.
        self.nonces.use(account.access_key_id, nonce, date=date, wall=wall)
        return Caller(account.account_id, operation)

    def _account(self, access_key_id: str, headers: Mapping[str, str]) -> Account:
        account = self._accounts.get(access_key_id)
        if account is None or headers.get("x-acs-accesskey-id", access_key_id) != access_key_id:
            raise Refusal("InvalidAccessKeyId.NotFound")
        if account.security_token is not None and not headers.get("x-acs-security-token"):
            raise Refusal("MissingSecurityToken")
        return account

    def _turn_away(self, refusal: Refusal, request: HttpRequest, now: float) -> Answer:
        named = request.header_values.get("x-acs-action", "")
        operation = named if named in OPERATIONS else ""
        return self.cloud.turn_away(refusal, operation, _uncommon(request), now=now)

    def _render(self, answer: Answer, *, host: str) -> HttpResponse:
        verdict = answer.verdict
        is_page = verdict.is_html and not verdict.code
        headers = {"content-type": _HTML} if is_page else self._headers(answer)
        return HttpResponse(
            status=answer.status,
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            body=_PAGE if is_page else _body(answer, host),
            delay=verdict.delay,
            drops=verdict.drops,
            truncates=verdict.truncates,
        )

    def _headers(self, answer: Answer) -> dict[str, str]:
        headers = {"content-type": _JSON, "x-acs-request-id": answer.request_id}
        if answer.retry_after is not None:
            # Rounded up, so that a client which waits as long as it is told has waited enough.
            milliseconds = ceil(answer.retry_after * 1000 / self.speed)
            headers["x-acs-retry-after"] = str(max(1, milliseconds))
        return headers


def read_parameters(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of the operation.

    Raises
    ------
    Refusal
        If one stands there twice: which of them counts nobody has written down.
    """
    seen: set[str] = set()
    for name, _ in request.pairs:
        if name in seen:
            text = f'The specified value of parameter "{name}" is not valid.'
            raise Refusal("InvalidParameter", text)
        seen.add(name)
    return _uncommon(request)


def _uncommon(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.pairs if name not in COMMON_PARAMETERS}


def _operation(request: HttpRequest) -> str:
    version = _required(request.header_values, "x-acs-version", "Version")
    if version != VERSION:
        raise Refusal("InvalidVersion")
    action = _required(request.header_values, "x-acs-action", "Action")
    if action not in OPERATIONS or request.path != "/":
        raise Refusal("InvalidAction.NotFound")
    return action


def _required(headers: Mapping[str, str], header: str, name: str) -> str:
    value = headers.get(header, "")
    if not value:
        raise Refusal(f"Missing{name}")
    return value


def _date(text: str, wall: float) -> float:
    match = _DATE.fullmatch(text)
    if match is None:
        raise Refusal("InvalidTimeStamp.Format")
    return _near(_epoch(*(int(part) for part in match.groups())), wall)


def _epoch(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    in_range = year >= 1 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60
    if not in_range or not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise Refusal("InvalidTimeStamp.Format")
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def _near(date: float, wall: float) -> float:
    if abs(date - wall) > defaults.TIMESTAMP_TOLERANCE:
        raise Refusal("InvalidTimeStamp.Expired")
    return date


def _check_security_token(account: Account, headers: Mapping[str, str]) -> None:
    if headers.get("x-acs-security-token", "") != (account.security_token or ""):
        raise Refusal("InvalidSecurityToken")


def _body(answer: Answer, host: str) -> bytes:
    fields: dict[str, Any] = {"RequestId": answer.request_id}
    if answer.code:
        fields["HostId"] = host
        fields["Code"] = answer.code
        fields["Message"] = answer.message
        fields["Recommend"] = _HELP.format(code=answer.code, request_id=answer.request_id)
    else:
        fields |= answer.fields
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
