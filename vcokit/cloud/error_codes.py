"""Error codes of the API: the kind of each code, the meaning of a kind, and the remedy.

==============  ======  =======  =========================================================
kind            a read  a write  meaning
==============  ======  =======  =========================================================
``busy``        again   refused  another task runs on the connection
``throttled``   again   refused  a rate limit
``input``       raise   refused  can never succeed as sent
``state``       raise   refused  not valid in the present state of what it names
``quota``       raise   refused  a quota is used up
``auth``        raise   refused  credentials, signature or permission
``not-found``   raise   refused  a named resource does not exist
``server``      again   unknown  a fault on the server's side
``dry-run-ok``  raise   passed   not a failure: the dry run found nothing wrong
``other``       raise   refused  an unknown code
``no-answer``   again   unknown  no answer was received, so there is no code
``protocol``    again   unknown  the answer is not one of this API, so there is no code
==============  ======  =======  =========================================================

A read is sent *again* by the client. A write never is, because its sender must first learn its
outcome. Codes in `REPEATED` mean that an earlier copy of the same request arrived: the outcome of
a write with such an answer is *unknown*, whatever the kind. Codes and their kinds come from
``contract.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vcokit.contract import CONTRACT
from vcokit.errors import ApiError, CloudError, NoAnswerError


class Kind(StrEnum):
    """The kinds of errors. Those up to ``dry-run-ok`` are the classes in the contract."""

    BUSY = "busy"
    THROTTLED = "throttled"
    INPUT = "input"
    STATE = "state"
    QUOTA = "quota"
    AUTH = "auth"
    NOT_FOUND = "not-found"
    SERVER = "server"
    DRY_RUN_OK = "dry-run-ok"
    OTHER = "other"
    NO_ANSWER = "no-answer"
    PROTOCOL = "protocol"


class Fate(StrEnum):
    """The outcome of a write that got an error; if *unknown*, check before sending it again."""

    REFUSED = "refused"
    UNKNOWN = "unknown"
    PASSED = "passed"


@dataclass(frozen=True)
class Meaning:
    """What a kind of error means for the failed call.

    Parameters
    ----------
    again : bool
        Whether a read may be sent again.
    write : Fate
        The outcome of a write.
    """

    again: bool
    write: Fate = Fate.REFUSED


MEANINGS: Final[Mapping[Kind, Meaning]] = {
    Kind.BUSY: Meaning(again=True),
    Kind.THROTTLED: Meaning(again=True),
    Kind.INPUT: Meaning(again=False),
    Kind.STATE: Meaning(again=False),
    Kind.QUOTA: Meaning(again=False),
    Kind.AUTH: Meaning(again=False),
    Kind.NOT_FOUND: Meaning(again=False),
    Kind.SERVER: Meaning(again=True, write=Fate.UNKNOWN),
    Kind.DRY_RUN_OK: Meaning(again=False, write=Fate.PASSED),
    Kind.OTHER: Meaning(again=False),
    Kind.NO_ANSWER: Meaning(again=True, write=Fate.UNKNOWN),
    Kind.PROTOCOL: Meaning(again=True, write=Fate.UNKNOWN),
}


@dataclass(frozen=True)
class Code:
    """An error code: its kind, and what to do about it.

    Parameters
    ----------
    kind : Kind
    remedy : str
        In the imperative; empty if the code needs no explanation.
    """

    kind: Kind
    remedy: str = ""


_WAIT: Final = "Wait until the connection's State is attached, then send it again"
_SLOW: Final = "Send fewer calls, or wait"
_QUOTA: Final = "Ask the vendor for a higher quota"
_CONNECTION: Final = "Check the connection's id, its region and the account"
_RAM: Final = "Allow the RAM user this operation on the connection"
_KEY: Final = "Check the AccessKey and its secret"
_TOKEN: Final = f"Use at most {CONTRACT['parameters']['ClientToken']['longest']} ASCII characters"

#: What to do about a code, if the code itself does not make it clear.
_REMEDIES: Final[Mapping[str, str]] = {
    "VpnConnection.Configuring": _WAIT,
    "VpnGateway.Configuring": _WAIT,
    "Appliance.Configuring": _WAIT,
    "TaskConflict": _WAIT,
    "VpnTask.CONFLICT": _WAIT,
    "OperationConflict": _WAIT,
    "SystemBusy": _WAIT,
    "OperationFailed.IdempotentTokenProcessing": "Wait for the first call to end",
    "Throttling": _SLOW,
    "Throttling.User": _SLOW,
    "Throttling.Api": _SLOW,
    "Throttling.DeepPageSkip": "Read pages in order",
    "Rejected.Throttling": _SLOW,
    "IllegalParam.RouteDest": "Write the destination as a.b.c.d/len, no host bits",
    "IllegalParam.RouteEntryType": "Ask for custom or bgp",
    "IllegalParam.ClientToken": _TOKEN,
    "OperationFailed.InvalidCidrBlock": "The default route is not allowed as a destination",
    "IdempotentParameterMismatch": "Use a new ClientToken for another request",
    "InvalidProduct.NotFound": "Check the endpoint",
    "InvalidProtocol.NeedSsl": "Use https",
    "VpnRouteEntry.AlreadyExists": "The route is there: read the live routes again",
    "VpnRouteEntry.Conflict": "Change the weight of the route that is there",
    "VpnRouteEntry.ConflictSSL": "Choose another destination or SSL client pool",
    "VpnRouteEntry.BackupRoute": "Delete the route with the other next hop",
    "VpnConnection.FinancialLocked": "Settle the account's bills",
    "Vco.StatusNotSupport": "Attach the connection to a transit router",
    "Resource.QuotaFull": _QUOTA,
    "Resource.PbrRouteQuotaFull": _QUOTA,
    "CreatePbrRoutesQuotaFull.QuotaFull": _QUOTA,
    "CreateDbrRoutesQuotaFull.QuotaFull": _QUOTA,
    "QuotaExceeded.VpnRouteEntry": _QUOTA,
    "InvalidNextHop.NotFound": "Use the connection's own id as next hop",
    "InvalidRouteEntry.NotFound": "Read the live routes again",
    "InvalidVpnConnectionInstanceId.NotFound": _CONNECTION,
    "Forbbiden.SubUser": _RAM,  # the misspelling is the vendor's
    "Forbidden": _RAM,
    "Forbidden.RAM": _RAM,
    "Forbidden.RiskControl": "Ask the vendor's support",
    "SignatureDoesNotMatch": _KEY,
    "SignatureNonceUsed": "Sign again with a new nonce",
    "InvalidTimeStamp.Expired": "Set this machine's clock",
    "InvalidAccessKeyId.NotFound": _KEY,
    "InvalidAccessKeyId.Inactive": "Enable the AccessKey",
    "MissingSecurityToken": "Give the STS token with its key",
    "InvalidSecurityToken.Expired": "Get a new STS token",
}

#: Codes that contain no parameter name. `classify` knows the families of the others.
CODES: Final[Mapping[str, Code]] = {
    code: Code(Kind(fact["class"]), _REMEDIES.get(code, ""))
    for code, fact in CONTRACT["errors"].items()
}

#: The code for a date that is too far from the cloud's.
WRONG_CLOCK: Final = "InvalidTimeStamp.Expired"

#: Refusals that a new nonce and date resolve.
RESIGNED: Final = frozenset({"SignatureNonceUsed"})

#: Refusals of a request because the same request arrived before. Nonces and tokens are new for each
#: call, so only a copy of this request can have used them (sent twice by a proxy, for example). The
#: refusal does not report the outcome of that copy.
REPEATED: Final = RESIGNED | {"OperationFailed.IdempotentTokenProcessing"}

#: Prefixes of codes that refuse the key, its signature or its date, and therefore every call; other
#: codes refuse only a permission. The vendor's tables name some codes of each family.
_OF_THE_KEY: Final = (
    "InvalidAccessKey",
    "InvalidSecurityToken",
    "MissingSecurityToken",
    "Signature",
    "InvalidSignature",
    "IncompleteSignature",
    "InvalidTimeStamp",
    "IllegalTimestamp",
)

#: Families of codes by prefix and suffix, for codes that are not in the table. The gateway builds
#: codes from parameter names: MissingRouteDest, InvalidWeight.
_BEGINNINGS: Final = (
    ("Throttling", Kind.THROTTLED),
    ("Forbidden", Kind.AUTH),
    ("NoPermission", Kind.AUTH),
    *((beginning, Kind.AUTH) for beginning in _OF_THE_KEY),
    ("QuotaExceeded", Kind.QUOTA),
    ("Missing", Kind.INPUT),
    ("IllegalParam", Kind.INPUT),
    ("InvalidParameter", Kind.INPUT),
)
_ENDINGS: Final = (
    (".NotFound", Kind.NOT_FOUND),
    ("QuotaFull", Kind.QUOTA),
    (".Configuring", Kind.BUSY),
)


def classify(code: str, http_status: int) -> Code:
    """Return kind and remedy of an error code, even of an unknown code.

    Parameters
    ----------
    code : str
        As in the answer's ``Code``.
    http_status : int
        Decides the kind if the code is unknown.

    Examples
    --------
    >>> classify("TaskConflict", 400).kind.value, classify("MissingRouteDest", 400).kind.value
    ('busy', 'input')
    >>> classify("Never.Seen", 400).kind.value, classify("Never.Seen", 502).kind.value
    ('other', 'server')
    """
    if code in CODES:
        return CODES[code]
    for beginning, kind in _BEGINNINGS:
        if code.startswith(beginning):
            return Code(kind)
    for ending, kind in _ENDINGS:
        if code.endswith(ending):
            return Code(kind)
    if http_status >= 500:
        return Code(Kind.SERVER)
    return Code(Kind.INPUT if code.startswith("Invalid") else Kind.OTHER)


def is_key(code: str | None) -> bool:
    """Return whether a code refuses the AccessKey, so that no call works until it is corrected.

    Examples
    --------
    >>> is_key("InvalidSecurityToken.Expired"), is_key("Forbidden.RAM"), is_key(None)
    (True, False, False)
    """
    return code is not None and code.startswith(_OF_THE_KEY) and code not in RESIGNED


def kind_of(error: CloudError) -> Kind:
    """Return the kind of an error, even of an error without a code.

    Examples
    --------
    >>> kind_of(NoAnswerError("no answer")).value, kind_of(CloudError("half an answer")).value
    ('no-answer', 'protocol')
    """
    if isinstance(error, ApiError):
        return Kind(error.kind)
    return Kind.NO_ANSWER if isinstance(error, NoAnswerError) else Kind.PROTOCOL


def fate_of_write(code: str, http_status: int) -> Fate:
    """Return the outcome of a write that was answered with an error code.

    Examples
    --------
    >>> fate_of_write("SystemBusy", 400).value, fate_of_write("SignatureNonceUsed", 400).value
    ('refused', 'unknown')
    """
    return Fate.UNKNOWN if code in REPEATED else MEANINGS[classify(code, http_status).kind].write


def may_try_again(error: CloudError) -> bool:
    """Return whether a read that got an error may be sent again with a new signature.

    Examples
    --------
    >>> may_try_again(ApiError("", code="SignatureNonceUsed")), may_try_again(CloudError("cut"))
    (True, True)
    """
    return MEANINGS[kind_of(error)].again or getattr(error, "code", "") in RESIGNED
