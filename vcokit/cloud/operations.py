"""The VPC API 2016-04-28 as data: eight operations, their limits, and the table of error codes.

Nothing here decides; the client, the scheduler and the audit walk these tables. Facts are from the
vendor's API metadata and quota pages; what no source gives is marked *assumed*.

Error kinds, and what each means for a write:

==============  ============================================================================
``busy``        another task runs on the connection: wait, send again
``throttled``   a rate limit: wait, send again; nothing was done
``input``       can never succeed as sent
``state``       not valid in the present state of account, route table or connection
``quota``       a quota is used up
``auth``        credentials, signature or permission
``not-found``   a named resource does not exist
``server``      a fault on the server's side: whether it was done is unknown
``dry-run-ok``  not a failure: the dry run passed
``other``       a code of no known kind: refused, reason unknown
==============  ============================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vcokit import schema
from vcokit.errors import InputError

PRODUCT: Final = "Vpc"
VERSION: Final = "2016-04-28"

#: Longest page of the listing operations.
PAGE_SIZE: Final = 50
#: Longest ClientToken, in ASCII characters.
TOKEN_LENGTH: Final = 64

#: Fields of answers that are secrets. They are dropped where an answer is parsed.
SECRET_FIELDS: Final = frozenset({"Psk", "AuthKey"})


@dataclass(frozen=True)
class Limit:
    """So many calls in any window of so many seconds, per account, region and operation.

    Parameters
    ----------
    calls : int
    seconds : float
    """

    calls: int
    seconds: float

    def faster(self, speed: float) -> Limit:
        """Return the limit of a cloud whose clock runs so many times faster."""
        return Limit(self.calls, self.seconds / speed)


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Parameters
    ----------
    name : str
    writes : bool
        Whether it changes something; a write is asynchronous and is never retried by the client.
    required : tuple of str
        Parameters that must be given.
    limit : Limit
        Calls per account and region.
    rows : tuple of str
        Where the list stands in the answer; empty where the answer is no list.
    columns : mapping of str to str
        Column of the frame for each field of a list's rows; fields not named here are dropped.
    frame : mapping of str to dtype
        Schema of the frame.
    paged : bool
        Whether the list comes in pages (PageNumber, PageSize, TotalCount).
    """

    name: str
    writes: bool
    required: tuple[str, ...]
    limit: Limit
    rows: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    frame: schema.Schema = field(default_factory=dict)
    paged: bool = False


_ROUTE: Final = ("RegionId", "VpnConnectionId", "RouteDest", "Weight", "NextHop")

REGIONS: Final[schema.Schema] = {
    "region_id": schema.STR,
    "local_name": schema.STR,
    "endpoint": schema.STR,
}

_CONNECTION_COLUMNS: Final = {
    "VpnConnectionId": "vpn_connection_id",
    "InstanceId": "vpn_connection_id",  # so named in DescribeVpnAttachments
    "Name": "name",
    "RegionId": "region_id",
    "State": "state",
    "Status": "status",
    "AttachType": "attach_type",
    "TransitRouterId": "transit_router_id",
    "TransitRouterName": "transit_router_name",
    "ZoneNo": "zone",
}

_TABLE: Final = (
    Operation(
        "CreateVcoRouteEntry",
        writes=True,
        required=_ROUTE,
        limit=Limit(60, 60),  # assumed: the page names no number, its siblings have this one
    ),
    Operation("DeleteVcoRouteEntry", writes=True, required=_ROUTE, limit=Limit(60, 60)),
    Operation(
        "ModifyVcoRouteEntryWeight",
        writes=True,
        required=(*_ROUTE, "NewWeight"),
        limit=Limit(120, 60),
    ),
    Operation(
        "DescribeVcoRouteEntries",
        writes=False,
        required=("RegionId", "VpnConnectionId"),
        limit=Limit(600, 60),
        rows=("VcoRouteEntries",),
        columns={
            "VpnConnectionId": "vpn_connection_id",
            "RouteDest": "route_dest",
            "NextHop": "next_hop",
            "Weight": "weight",
            "State": "state",
            "RouteEntryType": "route_entry_type",
            "CreateTime": "create_time",
            "AsPath": "as_path",
            "Community": "community",
            "Source": "origin",
        },
        frame=schema.LIVE_ROUTES,
        paged=True,
    ),
    Operation(
        "DescribeVpnConnection",
        writes=False,
        required=("RegionId", "VpnConnectionId"),
        limit=Limit(600, 60),
    ),
    Operation(
        "DescribeVpnConnections",
        writes=False,
        required=("RegionId",),
        limit=Limit(600, 60),
        rows=("VpnConnections", "VpnConnection"),
        columns=_CONNECTION_COLUMNS,
        frame=schema.LIVE_CONNECTIONS,
        paged=True,
    ),
    Operation(
        "DescribeVpnAttachments",
        writes=False,
        required=("RegionId",),
        limit=Limit(600, 60),
        rows=("VpnAttachments",),
        columns=_CONNECTION_COLUMNS,
        frame=schema.LIVE_CONNECTIONS,
        paged=True,
    ),
    Operation(
        "DescribeRegions",
        writes=False,
        required=(),
        limit=Limit(60, 60),  # assumed: no source gives one
        rows=("Regions", "Region"),
        columns={
            "RegionId": "region_id",
            "LocalName": "local_name",
            "RegionEndpoint": "endpoint",
        },
        frame=REGIONS,
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = {operation.name: operation for operation in _TABLE}


@dataclass(frozen=True)
class Code:
    """An error code: its kind, and what to do about it.

    Parameters
    ----------
    kind : str
        One of the kinds of this module.
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

#: Codes of credentials that cannot work for any call, as against one that lacks a permission.
KEY_CODES: Final = frozenset(
    {
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidTimeStamp.Expired",
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId.Inactive",
        "MissingSecurityToken",
        "InvalidSecurityToken.Expired",
        "InvalidSignatureMethod",
    }
)

#: Families of codes by how they begin, for those the table does not name.
_FAMILIES: Final = (
    ("Throttling", "throttled"),
    ("Forbidden", "auth"),
    ("InvalidSecurityToken", "auth"),
    ("Missing", "input"),
    ("IllegalParam", "input"),
    ("InvalidParameter", "input"),
)


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
    for beginning, kind in _FAMILIES:
        if code.startswith(beginning):
            return Code(kind)
    if code.endswith(".NotFound"):
        return Code("not-found")
    if http_status >= 500:
        return Code("server")
    return Code("input" if code.startswith("Invalid") else "other")


#: Hosts that the general rule ``vpc.<region>.aliyuncs.com`` does not give.
_CENTRAL: Final = "vpc.aliyuncs.com"
_CENTRAL_REGIONS: Final = frozenset(
    {"cn-hangzhou", "cn-shanghai-finance-1", "cn-shenzhen-finance-1"}
)


_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def endpoint_host(region_id: str) -> str:
    """Return the API's host for a region, as the official SDK maps it.

    Raises
    ------
    InputError
        If the text is no region id: a cell of a file must never choose a host.

    Examples
    --------
    >>> endpoint_host("eu-central-1"), endpoint_host("cn-hangzhou")
    ('vpc.eu-central-1.aliyuncs.com', 'vpc.aliyuncs.com')
    """
    if not _REGION.fullmatch(region_id):
        raise InputError(f"{region_id!r} is no region id", remedy="Write it like cn-hangzhou")
    return _CENTRAL if region_id in _CENTRAL_REGIONS else f"vpc.{region_id}.aliyuncs.com"
