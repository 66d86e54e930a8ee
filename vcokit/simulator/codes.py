"""Error codes: HTTP status and text of each, and the refusal that carries one.

====================  ======================================================================
`ERRORS`              code → HTTP status and text
`TEXTS`               (operation, code) → the text where an operation has its own
`LISTED`              operation → codes that the vendor's page lists for it
`describe_error`      the same for codes that the gateway makes from a parameter's name
====================  ======================================================================

Source: the vendor's API metadata of VPC 2016-04-28 and its gateway tables. Where a source gives no
status or no text, the line says *ours*. `simulator/COVERAGE.md` tells what brings each code about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SUB_USER: Final = "User not authorized to operate on the specified resource"
_QUOTAS: Final[Mapping[str, tuple[int, str]]] = {
    "Resource.QuotaFull": (400, "The quota of resource is full"),
    "Resource.PbrRouteQuotaFull": (400, "The quota of Policy-based route is full."),
    "CreatePbrRoutesQuotaFull.QuotaFull": (
        400,
        "The number of policy routes exceeds the quota limit.",
    ),
    "CreateDbrRoutesQuotaFull.QuotaFull": (
        400,
        "The number of created destination routes exceeds the quota limit.",
    ),
    "QuotaExceeded.VpnRouteEntry": (
        400,
        "The number of route entries to the VPN gateway in the VPC routing table "
        "has reached the quota limit.",
    ),
}
_BUSY: Final[Mapping[str, tuple[int, str]]] = {
    "VpnConnection.Configuring": (400, "The specified service is configuring."),
    "TaskConflict": (
        400,
        "The operation is too frequent, please wait a moment and try again.",
    ),
    # Of sibling operations; the vendor's own Terraform provider retries the first three here too.
    "VpnGateway.Configuring": (400, "The specified service is configuring."),  # status ours
    "Appliance.Configuring": (400, "The specified service is configuring."),  # ours
    "VpnTask.CONFLICT": (400, "Vpn task has conflict."),
    "OperationConflict": (
        409,
        "The operation against this instance is too frequent, please try again later.",
    ),
    "SystemBusy": (400, "The system is busy. Please try again later."),
}
_ROUTES: Final[Mapping[str, tuple[int, str]]] = {
    "VpnConnection.FinancialLocked": (400, "The specified service is financial locked."),
    "VpnRouteEntry.AlreadyExists": (400, "The specified route entry is already exist."),
    "VpnRouteEntry.Conflict": (400, "The specified route entry has conflict."),
    "VpnRouteEntry.ConflictSSL": (
        400,
        "The specified route entry has conflict with SSL client.",
    ),
    "VpnRouteEntry.BackupRoute": (400, "Validate backup route entry failed."),
    "InvalidRouteEntry.NotFound": (400, "The specified route entry does not exist."),
    "InvalidNextHop.NotFound": (400, "The specified NextHop does not exist."),
    "IllegalParam.RouteDest": (400, "The specified RouteDest is invalid"),
    "IllegalParam.RouteEntryType": (400, "The specified RouteEntryType is invalid."),
    "OperationFailed.InvalidCidrBlock": (
        400,
        "Operation failed because the specified network block is invalid.",
    ),
    "Vco.StatusNotSupport": (
        400,
        "The current VPN connection state does not support this operation.",
    ),
    "InvalidVpnConnectionInstanceId.NotFound": (
        404,
        "The specified vpn connection instance id does not exist.",
    ),
    "DryRunOperation": (400, "Request validation has been passed with DryRun flag set."),
}
_TAGS: Final[Mapping[str, tuple[int, str]]] = {
    "Forbidden.TagKey.Duplicated": (400, "The specified tag key already exists."),
    "Duplicated.TagKey": (400, "The specified parameter TagKey is duplicated."),
    "SizeLimitExceeded.TagNum": (400, "The maximum number of tags is exceeded."),
    "InvalidParameter.TagKey": (400, "The specified parameter TagKey is invalid."),
    "InvalidParameter.TagValue": (400, "The specified parameter TagValue is invalid."),
}
_TOKENS: Final[Mapping[str, tuple[int, str]]] = {
    "IdempotentParameterMismatch": (
        400,
        "The request uses the same client token as a previous, but non-identical request. "
        "Do not reuse a client token with different requests, unless the requests are identical.",
    ),
    "IllegalParam.ClientToken": (
        400,
        "Token verify failed because client token length too long.",
    ),
    "OperationFailed.IdempotentTokenProcessing": (400, "Action is processing."),
}
_PERMISSIONS: Final[Mapping[str, tuple[int, str]]] = {
    "Forbidden": (403, f"{_SUB_USER}."),
    # The misspelling is part of the code.
    "Forbbiden.SubUser": (403, f"{_SUB_USER} as your account is created by another user."),
    "Forbidden.RAM": (403, f"{_SUB_USER}, or this API doesn't support RAM."),
    "Forbidden.RiskControl": (403, "This operation is forbidden by Aliyun Risk Control system."),
}
_GATEWAY: Final[Mapping[str, tuple[int, str]]] = {
    "UnsupportedHTTPMethod": (400, "This http method is not supported."),
    "InvalidAction.NotFound": (
        404,
        "Specified api is not found, please check your url and method.",
    ),
    "InvalidProduct.NotFound": (404, "Cannot find product according to your specified domain."),
    "InvalidProtocol.NeedSsl": (404, "Your request is denied as lack of ssl protect."),
    "NoSuchVersion": (400, "The specified version does not exist."),
    "InvalidParameter.Format": (400, "Specified parameter format is not valid."),
    "IncompleteSignature": (400, "The request signature does not conform to Aliyun standards."),
    "InvalidSignatureMethod": (400, "Specified signature method is not valid."),
    "SignatureDoesNotMatch": (400, "Specified signature does not match our calculation."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "IllegalTimestamp": (
        400,
        'The input parameter "Timestamp" that is mandatory for processing this request '
        "is not supplied.",
    ),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidAccessKeyId.Inactive": (400, "Specified access key is disabled."),
    "InvalidSecurityToken.Expired": (400, "Specified SecurityToken is expired."),  # recalled only
}
_THROTTLES: Final[Mapping[str, tuple[int, str]]] = {
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "Throttling.Api": (400, "Request was denied due to api flow control."),
    "Throttling": (400, "Request was denied due to request throttling."),
    "Throttling.DeepPageSkip": (400, "Request was denied due to request throttling."),  # ours
    "Rejected.Throttling": (400, "Request was denied due to request throttling."),  # ours
}
_SERVER: Final[Mapping[str, tuple[int, str]]] = {
    "InternalError": (
        500,
        "The request processing has failed due to some unknown error, exception or failure.",
    ),
    "ServiceUnavailable": (
        503,
        "The request has failed due to a temporary failure of the server.",
    ),
    "UnknownError": (500, "The request processing has failed due to some unknown error."),  # ours
}

ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    **_BUSY,
    **_ROUTES,
    **_QUOTAS,
    **_TAGS,
    **_TOKENS,
    **_PERMISSIONS,
    **_GATEWAY,
    **_THROTTLES,
    **_SERVER,
}
#: Codes that may stand for one another: another code of the same kind, as a fault gives it.
KINDS: Final[Mapping[str, frozenset[str]]] = {
    "busy": frozenset(_BUSY) | {"OperationFailed.IdempotentTokenProcessing"},
    "throttle": frozenset(_THROTTLES),
    "server": frozenset(_SERVER),
    "permission": frozenset(_PERMISSIONS),
}

#: The page of Create alone leaves the second half of the sentence out.
TEXTS: Final[Mapping[tuple[str, str], str]] = {
    ("CreateVcoRouteEntry", "Forbbiden.SubUser"): f"{_SUB_USER}.",
}

_CONNECTION: Final = (
    "InvalidVpnConnectionInstanceId.NotFound",
    "Forbbiden.SubUser",
    "Forbidden",
)
_WRITE: Final = (
    "Resource.QuotaFull",
    "VpnConnection.Configuring",
    "VpnConnection.FinancialLocked",
    "VpnRouteEntry.AlreadyExists",
    "VpnRouteEntry.Conflict",
    "TaskConflict",
    *_CONNECTION,
)
_TAG_FILTER: Final = tuple(_TAGS)

LISTED: Final[Mapping[str, tuple[str, ...]]] = {
    "CreateVcoRouteEntry": (
        *_WRITE,
        "VpnRouteEntry.ConflictSSL",
        "VpnRouteEntry.BackupRoute",
        "InvalidNextHop.NotFound",
        "IllegalParam.RouteDest",
        "OperationFailed.InvalidCidrBlock",
        *(code for code in _QUOTAS if code != "Resource.QuotaFull"),
        "DryRunOperation",
    ),
    "DeleteVcoRouteEntry": (*_WRITE, "InvalidRouteEntry.NotFound"),
    "ModifyVcoRouteEntryWeight": _WRITE,
    "DescribeVcoRouteEntries": (
        "IllegalParam.RouteEntryType",
        "Vco.StatusNotSupport",
        *_CONNECTION,
    ),
    "DescribeVpnConnection": _CONNECTION,
    "DescribeVpnConnections": (*_TAG_FILTER, "Forbbiden.SubUser", "Forbidden"),
    "DescribeVpnAttachments": _TAG_FILTER,
    "DescribeRegions": (),
}


def describe_error(code: str) -> tuple[int, str]:
    """Return the HTTP status and the text of an error code.

    The gateway makes codes from parameter names; those stand in no table.

    Examples
    --------
    >>> describe_error("MissingRouteDest")
    (400, 'RouteDest is mandatory for this action.')
    >>> describe_error("InvalidWeight")
    (400, 'Specified parameter Weight is not valid.')
    """
    if code in ERRORS:
        return ERRORS[code]
    if code.startswith("Missing"):
        return 400, f"{code.removeprefix('Missing')} is mandatory for this action."
    return 400, f"Specified parameter {code.removeprefix('Invalid')} is not valid."


class Refusal(Exception):  # noqa: N818 - an answer of the cloud, no fault of the simulator
    """The call is answered with an error code.

    Parameters
    ----------
    code : str
        One of `ERRORS`, or one the gateway makes from a parameter's name.
    message : str, optional
        In place of the text of the table.
    retry_after : float, optional
        Simulated seconds the client is asked to wait.
    detail : mapping, optional
        ``AccessDeniedDetail`` of a refused permission.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, text = describe_error(code)
        self.message = text if message is None else message
        self.retry_after = retry_after
        self.detail = detail or {}
        super().__init__(f"{code}: {self.message}")
