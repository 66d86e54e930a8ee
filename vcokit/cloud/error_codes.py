"""Error codes of the API as data: the kind of each, what a kind means, and the remedy.

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
``other``       raise   refused  a code of no known kind
``no-answer``   again   unknown  nothing came back: no code at all
``protocol``    again   unknown  what came back is no answer of this API: no code at all
==============  ======  =======  =========================================================

A read is sent *again* by the client; a write never is, its sender must first learn what became of
it. Codes in `REPEATED` tell of an earlier copy of the same request: a write that is answered so is
*unknown*, whatever the kind. Codes and classes are from the vendor's operation pages and gateway
tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vcokit.errors import ApiError, CloudError, NoAnswerError


@dataclass(frozen=True)
class Kind:
    """What a kind of error means for the call that met it.

    Parameters
    ----------
    again : bool
        Whether a read may be sent again.
    write : str
        What became of a write: ``refused``, ``unknown`` or ``passed``.
    """

    again: bool
    write: str = "refused"


KINDS: Final[Mapping[str, Kind]] = {
    "busy": Kind(again=True),
    "throttled": Kind(again=True),
    "input": Kind(again=False),
    "state": Kind(again=False),
    "quota": Kind(again=False),
    "auth": Kind(again=False),
    "not-found": Kind(again=False),
    "server": Kind(again=True, write="unknown"),
    "dry-run-ok": Kind(again=False, write="passed"),
    "other": Kind(again=False),
    "no-answer": Kind(again=True, write="unknown"),
    "protocol": Kind(again=True, write="unknown"),
}


@dataclass(frozen=True)
class Code:
    """An error code: its kind, and what to do about it.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    remedy : str
        As an imperative; empty where the code says it all.
    """

    kind: str
    remedy: str = ""


_WAIT: Final = "Wait until the connection's State is attached, then send it again"
_SLOW: Final = "Send fewer calls, or wait"
_RAM: Final = "Allow the RAM user this operation on the connection"
_KEY: Final = "Check the AccessKey and its secret"

#: Codes that name no parameter. `classify` knows the families of the others.
CODES: Final[Mapping[str, Code]] = {
    "VpnConnection.Configuring": Code("busy", _WAIT),
    "VpnGateway.Configuring": Code("busy", _WAIT),
    "Appliance.Configuring": Code("busy", _WAIT),
    "TaskConflict": Code("busy", _WAIT),
    "VpnTask.CONFLICT": Code("busy", _WAIT),
    "OperationConflict": Code("busy", _WAIT),
    "SystemBusy": Code("busy", _WAIT),
    "OperationFailed.IdempotentTokenProcessing": Code("busy", "Wait for the first call to end"),
    "Throttling": Code("throttled", _SLOW),
    "Throttling.User": Code("throttled", _SLOW),
    "Throttling.Api": Code("throttled", _SLOW),
    "Throttling.DeepPageSkip": Code("throttled", "Read pages in order"),
    "Rejected.Throttling": Code("throttled", _SLOW),
    "IllegalParam.RouteDest": Code("input", "Write the destination as a.b.c.d/len, no host bits"),
    "IllegalParam.RouteEntryType": Code("input", "Ask for custom or bgp"),
    "IllegalParam.ClientToken": Code("input", "Use at most 64 ASCII characters"),
    "OperationFailed.InvalidCidrBlock": Code("input", "The default route is no destination"),
    "IdempotentParameterMismatch": Code("input", "Use a new ClientToken for another request"),
    "MissingParameter": Code("input"),
    "InvalidParameter": Code("input"),
    "InvalidParameter.Format": Code("input"),
    "InvalidParameter.TagKey": Code("input"),
    "InvalidParameter.TagValue": Code("input"),
    "Duplicated.TagKey": Code("input"),
    "Forbidden.TagKey.Duplicated": Code("input"),
    "SizeLimitExceeded.TagNum": Code("input"),
    "InvalidAction.NotFound": Code("input"),
    "InvalidApi.NotFound": Code("input"),
    "InvalidVersion": Code("input"),
    "NoSuchVersion": Code("input"),
    "InvalidProduct.NotFound": Code("input", "Check the endpoint"),
    "InvalidProtocol.NeedSsl": Code("input", "Use https"),
    "UnsupportedHTTPMethod": Code("input"),
    "VpnRouteEntry.AlreadyExists": Code("state", "The route is there: read the live routes again"),
    "VpnRouteEntry.Conflict": Code("state", "Change the weight of the route that is there"),
    "VpnRouteEntry.ConflictSSL": Code("state", "Choose another destination or SSL client pool"),
    "VpnRouteEntry.BackupRoute": Code("state", "Take away the route with the other next hop"),
    "VpnConnection.FinancialLocked": Code("state", "Settle the account's bills"),
    "Vco.StatusNotSupport": Code("state", "Attach the connection to a transit router"),
    "Resource.QuotaFull": Code("quota", "Ask the vendor for a higher quota"),
    "Resource.PbrRouteQuotaFull": Code("quota", "Ask the vendor for a higher quota"),
    "CreatePbrRoutesQuotaFull.QuotaFull": Code("quota", "Ask the vendor for a higher quota"),
    "CreateDbrRoutesQuotaFull.QuotaFull": Code("quota", "Ask the vendor for a higher quota"),
    "QuotaExceeded.VpnRouteEntry": Code("quota", "Ask the vendor for a higher quota"),
    "InvalidNextHop.NotFound": Code("not-found", "Use the connection's own id as next hop"),
    "InvalidRouteEntry.NotFound": Code("not-found", "Read the live routes again"),
    "InvalidVpnConnectionInstanceId.NotFound": Code(
        "not-found", "Check the connection's id, its region and the account"
    ),
    "Forbbiden.SubUser": Code("auth", _RAM),  # the misspelling is the vendor's
    "Forbidden": Code("auth", _RAM),
    "Forbidden.RAM": Code("auth", _RAM),
    "Forbidden.RiskControl": Code("auth", "Ask the vendor's support"),
    "SignatureDoesNotMatch": Code("auth", _KEY),
    "IncompleteSignature": Code("auth"),
    "SignatureNonceUsed": Code("auth", "Sign again with a new nonce"),
    "InvalidTimeStamp.Expired": Code("auth", "Set this machine's clock"),
    "InvalidTimeStamp.Format": Code("auth"),
    "IllegalTimestamp": Code("auth"),
    "InvalidAccessKeyId.NotFound": Code("auth", _KEY),
    "InvalidAccessKeyId.Inactive": Code("auth", "Enable the AccessKey"),
    "MissingSecurityToken": Code("auth", "Give the STS token with its key"),
    "InvalidSecurityToken.Expired": Code("auth", "Get a new STS token"),
    "InvalidSignatureMethod": Code("auth"),
    "ServiceUnavailable": Code("server"),
    "InternalError": Code("server"),
    "InternalServerError": Code("server"),
    "UnknownError": Code("server"),
    "DryRunOperation": Code("dry-run-ok"),
}

#: The code of a date that is too far from the cloud's.
WRONG_CLOCK: Final = "InvalidTimeStamp.Expired"

#: Refusals that a new nonce and date cure.
RESIGNED: Final = frozenset({"SignatureNonceUsed"})

#: Refusals of a request because the same one came before. Nonces and tokens are new for each call,
#: so only its own copy can have used them up (a proxy that sent it twice, say), and what became of
#: that copy the refusal does not tell.
REPEATED: Final = RESIGNED | {"OperationFailed.IdempotentTokenProcessing"}

#: How codes begin that refuse the key, its signature or its date, and with them every call, as
#: against those that refuse a permission. The vendor's tables name some of each family.
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

#: Families of codes by how they begin and how they end, for those the table does not name. The
#: gateway makes codes of parameters' names: MissingRouteDest, InvalidWeight.
_BEGINNINGS: Final = (
    ("Throttling", "throttled"),
    ("Forbidden", "auth"),
    ("NoPermission", "auth"),
    *((beginning, "auth") for beginning in _OF_THE_KEY),
    ("QuotaExceeded", "quota"),
    ("Missing", "input"),
    ("IllegalParam", "input"),
    ("InvalidParameter", "input"),
)
_ENDINGS: Final = ((".NotFound", "not-found"), ("QuotaFull", "quota"), (".Configuring", "busy"))


def classify(code: str, http_status: int) -> Code:
    """Return kind and remedy of an error code, of an unknown one too.

    Parameters
    ----------
    code : str
        As in the answer's ``Code``.
    http_status : int
        Decides where the code says nothing.

    Examples
    --------
    >>> classify("TaskConflict", 400).kind, classify("MissingRouteDest", 400).kind
    ('busy', 'input')
    >>> classify("Never.Seen", 400).kind, classify("Never.Seen", 502).kind
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
        return Code("server")
    return Code("input" if code.startswith("Invalid") else "other")


def is_key(code: str | None) -> bool:
    """Tell whether a code refuses the AccessKey: no call can work until it is put right.

    Examples
    --------
    >>> is_key("InvalidSecurityToken.Expired"), is_key("Forbidden.RAM"), is_key(None)
    (True, False, False)
    """
    return code is not None and code.startswith(_OF_THE_KEY) and code not in RESIGNED


def kind_of(error: CloudError) -> str:
    """Return the kind of an error, one without a code too.

    Examples
    --------
    >>> kind_of(NoAnswerError("no answer")), kind_of(CloudError("half an answer"))
    ('no-answer', 'protocol')
    """
    if isinstance(error, ApiError):
        return error.kind
    return "no-answer" if isinstance(error, NoAnswerError) else "protocol"


def fate_of_write(code: str, http_status: int) -> str:
    """Return what became of a write that was answered with a code.

    Returns
    -------
    str
        ``refused``, ``unknown`` (look before it is sent again) or ``passed``, see `Kind`.

    Examples
    --------
    >>> fate_of_write("SystemBusy", 400), fate_of_write("SignatureNonceUsed", 400)
    ('refused', 'unknown')
    """
    return "unknown" if code in REPEATED else KINDS[classify(code, http_status).kind].write


def may_try_again(error: CloudError) -> bool:
    """Tell whether a read that met an error may be sent again, signed anew.

    Examples
    --------
    >>> may_try_again(ApiError("", code="SignatureNonceUsed")), may_try_again(CloudError("cut"))
    (True, True)
    """
    return KINDS[kind_of(error)].again or getattr(error, "code", "") in RESIGNED
