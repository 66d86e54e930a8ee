"""The VPC API 2016-04-28 as data: eight operations, what each takes and answers, and how often.

Nothing here decides; client, scheduler, audit and `vcokit policy` walk these tables. Facts are from
the vendor's API metadata, operation pages and quota pages; what no source gives is marked
*assumed*. Beside it stand

============= ========================================================
`parameters`  types and limits of parameters, and how they travel
`fields`      the fields of answers and their types
`error_codes` the error codes and their kinds
`endpoints`   which host answers for a region
============= ========================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from vcokit import schema
from vcokit.cloud import fields
from vcokit.cloud.error_codes import CODES as CODES
from vcokit.cloud.error_codes import classify as classify
from vcokit.cloud.parameters import Parameter
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
    parameters : tuple of Parameter
        All that it takes.
    limit : Limit
        Calls per account and region.
    answers : mapping of str to str
        Type of each field of the answer, see `vcokit.cloud.fields`.
    needs : tuple of str
        Fields without which an answer is none.
    rows : tuple of str
        Where the list stands in the answer; empty where the answer is no list.
    columns : mapping of str to str
        Column of the frame for each field of a list's rows; fields not named here are dropped.
        Of several fields of one column the first that has a value counts.
    identity : tuple of str
        Fields that tell one row of a list from another, whatever else of it changes.
    frame : mapping of str to dtype
        Schema of the frame.
    resource : str
        What a RAM policy allows it on, after ``acs:vpc:<region>:<account>:``; empty for everything.
    """

    name: str
    writes: bool
    parameters: tuple[Parameter, ...]
    limit: Limit
    answers: fields.Fields
    needs: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    frame: schema.Schema = field(default_factory=dict)
    resource: str = "vpnconnection"

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Parameters that must be given."""
        return tuple(parameter.name for parameter in self.parameters if parameter.required)

    @cached_property
    def paged(self) -> bool:
        """Whether the list comes in pages (PageNumber, PageSize, TotalCount)."""
        return any(parameter.name == "PageSize" for parameter in self.parameters)

    @property
    def action(self) -> str:
        """What a RAM policy calls it."""
        return f"{PRODUCT.lower()}:{self.name}"

    def wire(self, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Yield parameters as they travel; those given as None are left out.

        Raises
        ------
        InputError
            If one is missing, unknown, or has a value that the cloud could never accept.
        """
        present = {name: value for name, value in given.items() if value is not None}
        missing = [name for name in self.required if present.get(name, "") == ""]
        if missing:
            raise InputError(f"{self.name} needs {', '.join(missing)}")
        unknown = [name for name in present if name not in self._by_name]
        if unknown:
            raise InputError(f"{self.name} takes no {', '.join(unknown)}")
        for name, value in present.items():
            yield from self._by_name[name].wire(value)

    @cached_property
    def _by_name(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}


# -- parameters -----------------------------------------------------------------------------------

_REGION: Final = Parameter("RegionId", required=True)
_CONNECTION: Final = Parameter("VpnConnectionId", required=True)
_TOKEN: Final = Parameter("ClientToken", longest=TOKEN_LENGTH)
_OVERLAY: Final = Parameter("OverlayMode", choices=("Ipsec",), default="Ipsec")

#: Every operation of the VPC API takes these; nobody needs them.
_OWNER: Final = (
    Parameter("OwnerAccount"),
    Parameter("ResourceOwnerAccount"),
    Parameter("ResourceOwnerId", "integer"),
)
_OWNER_ID: Final = Parameter("OwnerId", "integer")

#: A route is named by all of these, its present weight included.
_ROUTE: Final = (
    _REGION,
    _CONNECTION,
    Parameter("RouteDest", required=True),
    Parameter("Weight", "integer", required=True, choices=(0, 100)),
    Parameter("NextHop", required=True),
)
_PAGES: Final = (
    Parameter("PageNumber", "integer", default=1, least=1),
    Parameter("PageSize", "integer", default=10, least=1, most=PAGE_SIZE),
)

# -- frames ---------------------------------------------------------------------------------------

REGIONS: Final[schema.Schema] = {
    "region_id": schema.STR,
    "local_name": schema.STR,
    "endpoint": schema.STR,
}

_ROUTE_COLUMNS: Final = {
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
}

_CONNECTION_COLUMNS: Final = {
    "VpnConnectionId": "vpn_connection_id",
    "Name": "name",
    "State": "state",
    "Status": "status",
    "TunnelOptionsSpecification.TunnelOptions[].Status": "tunnel_status",
    "AttachType": "attach_type",
    "TransitRouterId": "transit_router_id",
    "TransitRouterName": "transit_router_name",
    "TunnelOptionsSpecification.TunnelOptions[].ZoneNo": "zone",
    "CrossAccountAuthorized": "cross_account",
}

_ATTACHMENT_COLUMNS: Final = {
    "InstanceId": "vpn_connection_id",  # so named in this answer alone
    "Name": "name",
    "AttachType": "attach_type",
    "TransitRouterId": "transit_router_id",
    "TransitRouterName": "transit_router_name",
    "CrossAccountAuthorized": "cross_account",
}

# -- operations -----------------------------------------------------------------------------------

_TABLE: Final = (
    Operation(
        "CreateVcoRouteEntry",
        writes=True,
        parameters=(
            *_ROUTE,
            Parameter("Description"),
            _OVERLAY,
            _TOKEN,
            Parameter("DryRun", "boolean", default=False),  # this operation alone has it
            *_OWNER,
        ),
        limit=Limit(60, 60),  # assumed: the page names no number, its siblings have this one
        answers=fields.ROUTE,
    ),
    Operation(
        "DeleteVcoRouteEntry",
        writes=True,
        parameters=(*_ROUTE, _OVERLAY, _TOKEN, *_OWNER),
        limit=Limit(60, 60),
        answers=fields.NOTHING,
    ),
    Operation(
        "ModifyVcoRouteEntryWeight",
        writes=True,
        parameters=(
            *_ROUTE,
            Parameter("NewWeight", "integer", required=True, choices=(0, 100)),
            _OVERLAY,
            _TOKEN,
            *_OWNER,
        ),
        limit=Limit(120, 60),
        answers=fields.NOTHING,
    ),
    Operation(
        "DescribeVcoRouteEntries",
        writes=False,
        parameters=(
            _REGION,
            _CONNECTION,
            Parameter("RouteEntryType", choices=("custom", "bgp"), default="custom"),
            *_PAGES,
            _TOKEN,
            *_OWNER,
        ),
        limit=Limit(600, 60),
        answers=fields.ROUTES,
        needs=("TotalCount",),
        rows=("VcoRouteEntries",),
        columns=_ROUTE_COLUMNS,
        identity=("RouteDest", "NextHop", "Weight", "RouteEntryType", "AsPath", "Source"),
        frame=schema.LIVE_ROUTES,
    ),
    Operation(
        "DescribeVpnConnection",
        writes=False,
        parameters=(_REGION, _CONNECTION, *_OWNER, _OWNER_ID),
        limit=Limit(600, 60),
        answers=fields.CONNECTION,
        needs=("State",),
    ),
    Operation(
        "DescribeVpnConnections",
        writes=False,
        parameters=(
            _REGION,
            Parameter("VpnGatewayId"),
            Parameter("CustomerGatewayId"),
            *_PAGES,
            Parameter("VpnConnectionId"),
            Parameter("Tag", "tags"),
            Parameter("ResourceGroupId"),
            *_OWNER,
            _OWNER_ID,
        ),
        limit=Limit(600, 60),
        answers=fields.CONNECTIONS,
        needs=("TotalCount",),
        rows=("VpnConnections", "VpnConnection"),
        columns=_CONNECTION_COLUMNS,
        identity=("VpnConnectionId",),
        frame=schema.LIVE_CONNECTIONS,
    ),
    Operation(
        "DescribeVpnAttachments",
        writes=False,
        parameters=(
            _REGION,
            *_PAGES,
            Parameter("VpnConnectionId"),
            Parameter("AttachType", choices=("CEN",), default="CEN"),
            *_OWNER,
            _OWNER_ID,
        ),
        limit=Limit(600, 60),
        answers=fields.ATTACHMENTS,
        needs=("TotalCount",),
        rows=("VpnAttachments",),
        columns=_ATTACHMENT_COLUMNS,
        identity=("InstanceId",),
        frame=schema.LIVE_CONNECTIONS,
    ),
    Operation(
        "DescribeRegions",
        writes=False,
        parameters=(
            Parameter("ProductType", default="VPC"),
            Parameter("AcceptLanguage", choices=("zh-CN", "en-US"), default="zh-CN"),
        ),
        limit=Limit(60, 60),  # assumed: no source gives one, this is the lowest of the others
        answers=fields.REGIONS,
        rows=("Regions", "Region"),
        columns={
            "RegionId": "region_id",
            "LocalName": "local_name",
            "RegionEndpoint": "endpoint",
        },
        identity=("RegionId",),
        frame=REGIONS,
        resource="",
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = {operation.name: operation for operation in _TABLE}
