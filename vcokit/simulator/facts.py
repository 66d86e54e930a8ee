"""What the vendor's contract says, as tables: operations, parameters, rate limits, error codes.

===================  ====================================================================
`OPERATIONS`         name → does it write, which parameters must it have, how often
`COMMON_PARAMETERS`  parameters of the protocol, no part of what is asked
`ERRORS`             code → HTTP status and message
===================  ====================================================================

Where the vendor documents nothing, a comment says that the value is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

VERSION: Final = "2016-04-28"

#: Calls that an account may make of an operation in a region, in any so many seconds.
Limit: TypeAlias = tuple[int, float]

_ROUTE: Final = ("RegionId", "VpnConnectionId", "RouteDest", "Weight", "NextHop")
_CHANGED_ROUTE: Final = (*_ROUTE[:4], "NewWeight", *_ROUTE[4:])


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Parameters
    ----------
    name : str
        As in the header ``x-acs-action``.
    writes : bool
        Whether it starts a task on a connection.
    limit : tuple of int and float
        Calls and seconds.
    required : tuple of str
        Parameters it must have, in the order in which they are missed.
    """

    name: str
    writes: bool
    limit: Limit
    required: tuple[str, ...] = ()


OPERATIONS: Final[Mapping[str, Operation]] = {
    operation.name: operation
    for operation in (
        # The number for Create is not published; its siblings have 60 a minute.
        Operation("CreateVcoRouteEntry", True, (60, 60.0), _ROUTE),
        Operation("DeleteVcoRouteEntry", True, (60, 60.0), _ROUTE),
        Operation("ModifyVcoRouteEntryWeight", True, (120, 60.0), _CHANGED_ROUTE),
        Operation("DescribeVcoRouteEntries", False, (600, 60.0), _ROUTE[:2]),
        Operation("DescribeVpnConnection", False, (600, 60.0), _ROUTE[:2]),
        Operation("DescribeVpnConnections", False, (600, 60.0), _ROUTE[:1]),
        Operation("DescribeVpnAttachments", False, (600, 60.0), _ROUTE[:1]),
        # No number is published; ours is that of the other reads.
        Operation("DescribeRegions", False, (600, 60.0)),
    )
}

COMMON_PARAMETERS: Final = frozenset(
    {
        "Action",
        "Version",
        "Format",
        "AccessKeyId",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "SignatureType",
        "Signature",
        "SecurityToken",
        "Timestamp",
    }
)

ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    # of routes and connections
    "VpnConnection.Configuring": (400, "The specified service is configuring."),
    "VpnRouteEntry.AlreadyExists": (400, "The specified route entry is already exist."),
    "VpnRouteEntry.Conflict": (400, "The specified route entry has conflict."),
    "VpnRouteEntry.BackupRoute": (400, "Validate backup route entry failed."),
    "InvalidRouteEntry.NotFound": (400, "The specified route entry does not exist."),
    "InvalidNextHop.NotFound": (400, "The specified NextHop does not exist."),
    "IllegalParam.RouteDest": (400, "The specified RouteDest is invalid"),
    "IllegalParam.RouteEntryType": (400, "The specified RouteEntryType is invalid."),
    "OperationFailed.InvalidCidrBlock": (
        400,
        "Operation failed because the specified network block is invalid.",
    ),
    "CreateDbrRoutesQuotaFull.QuotaFull": (
        400,
        "The number of created destination routes exceeds the quota limit.",
    ),
    "Vco.StatusNotSupport": (
        400,
        "The current VPN connection state does not support this operation.",
    ),
    "InvalidVpnConnectionInstanceId.NotFound": (
        404,
        "The specified vpn connection instance id does not exist.",
    ),
    # of tokens and dry runs
    "IdempotentParameterMismatch": (
        400,
        "The request uses the same client token as a previous, but non-identical request. "
        "Do not reuse a client token with different requests, unless the requests are identical.",
    ),
    "IllegalParam.ClientToken": (
        400,
        "Token verify failed because client token length too long.",
    ),
    "DryRunOperation": (400, "Request validation has been passed with DryRun flag set."),
    # of the gateway
    "UnsupportedHTTPMethod": (400, "This http method is not supported."),
    "InvalidAction.NotFound": (
        404,
        "Specified api is not found, please check your url and method.",
    ),
    "IncompleteSignature": (400, "The request signature does not conform to Aliyun standards."),
    "InvalidSignatureMethod": (400, "Specified signature method is not valid."),
    "SignatureDoesNotMatch": (400, "Specified signature does not match our calculation."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "InternalError": (
        500,
        "The request processing has failed due to some unknown error, exception or failure.",
    ),
    "ServiceUnavailable": (
        503,
        "The request has failed due to a temporary failure of the server.",
    ),
}


def describe_error(code: str) -> tuple[int, str]:
    """Return the HTTP status and the message of an error code.

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
        In place of the message of the table.
    retry_after : float, optional
        Simulated seconds the client is asked to wait.
    """

    def __init__(
        self, code: str, message: str | None = None, *, retry_after: float | None = None
    ) -> None:
        self.code = code
        self.status, text = describe_error(code)
        self.message = text if message is None else message
        self.retry_after = retry_after
        super().__init__(f"{code}: {self.message}")
