"""The gateway before the cloud: who is let in, and the one place that knows in which order.

`Gateway.admit` makes these checks, and the first that finds something answers::

    method ─▶ format ─▶ version, operation ─▶ signature's form ─▶ nonce, date: there
      ─▶ key known, enabled ─▶ token there ─▶ date near ─▶ signature right
      ─▶ token right, not expired ─▶ nonce unused ─▶ parameters once ─▶ permission

The vendor documents the codes, not their order. What passes goes on to rate limits and the checks
of the operation (`state`).
"""

from __future__ import annotations

import calendar
import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vcokit.simulator import defaults
from vcokit.simulator.accounts import Account
from vcokit.simulator.claims import Claim, read_claim, read_operation
from vcokit.simulator.codes import TEXTS, Refusal, describe_error
from vcokit.simulator.envelope import wanted_format
from vcokit.simulator.facts import COMMON_PARAMETERS
from vcokit.simulator.policy import resource_of
from vcokit.simulator.requests import HttpRequest

METHODS: Final = ("GET", "POST")
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)


@dataclass(frozen=True)
class Caller:
    """Who calls what, believed."""

    account_id: str
    operation: str
    parameters: Mapping[str, str]


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


class Gateway:
    """Lets calls in, or refuses them.

    Parameters
    ----------
    accounts : iterable of Account
        Who may call.
    """

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.nonces = NonceMemory()
        self._accounts = {account.access_key_id: account for account in accounts}

    def admit(self, request: HttpRequest, wall: float) -> Caller:
        """Make the checks, in order.

        Parameters
        ----------
        request : HttpRequest
            Whatever came.
        wall : float
            Epoch seconds by the server's clock.

        Raises
        ------
        Refusal
            The first that finds something.
        """
        if request.method not in METHODS:
            raise Refusal("UnsupportedHTTPMethod")
        if wanted_format(request) is None:
            raise Refusal("InvalidParameter.Format")
        operation = read_operation(request)
        claim = read_claim(request)
        account = self._account(claim)
        date = _date(claim.date, wall)
        claim.check(account.access_key_secret)
        _check_token(account, claim, wall)
        # A nonce counts as used only when its signature was right, else anyone could use it up.
        self.nonces.use(account.access_key_id, claim.nonce, date=date, wall=wall)
        parameters = read_parameters(request)
        _check_permission(account, operation, parameters)
        return Caller(account.account_id, operation, parameters)

    def _account(self, claim: Claim) -> Account:
        account = self._accounts.get(claim.access_key_id)
        if account is None:
            raise Refusal("InvalidAccessKeyId.NotFound")
        if not account.active:
            raise Refusal("InvalidAccessKeyId.Inactive")
        if account.security_token is not None and not claim.security_token:
            raise Refusal("MissingSecurityToken")
        return account


def read_parameters(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of the operation, from query and form.

    Raises
    ------
    Refusal
        If one stands there twice: which of them counts nobody has written down. The same value in
        the query and in the form is no such case, for the vendor's older SDK does that.
    """
    form = dict(_each_once(request.form_pairs))
    query = dict(_each_once(request.query_pairs))
    for name in form.keys() & query.keys():
        if form[name] != query[name]:
            raise _twice(name)
    return uncommon(query | form)


def _each_once(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise _twice(name)
        seen.add(name)
        yield name, value


def _twice(name: str) -> Refusal:
    text = f'The specified value of parameter "{name}" is not valid.'
    return Refusal("InvalidParameter", text)


def uncommon(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return parameters without those of the protocol, its secrets among them."""
    return {name: value for name, value in parameters.items() if name not in COMMON_PARAMETERS}


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


def _check_token(account: Account, claim: Claim, wall: float) -> None:
    if claim.security_token != (account.security_token or ""):
        raise Refusal("InvalidSecurityToken")
    if account.token_expires is not None and wall >= account.token_expires:
        raise Refusal("InvalidSecurityToken.Expired")


def _check_permission(account: Account, operation: str, parameters: Mapping[str, str]) -> None:
    """See that the key's policy lets it do this; a call that names no connection needs them all."""
    action = f"vpc:{operation}"
    resource = resource_of(
        parameters.get("RegionId", ""), account.account_id, parameters.get("VpnConnectionId", "")
    )
    if account.may(action, resource):
        return
    code = account.denial_code
    message = TEXTS.get((operation, code), describe_error(code)[1])
    raise Refusal(code, message, detail={"AuthAction": action, "AuthResource": resource})
