"""What the vendor's contract says of operations, as tables (error codes: `codes`).

===================  ====================================================================
`OPERATIONS`         name → does it write, which parameters must it have, how often
`COMMON_PARAMETERS`  parameters of the protocol, no part of what is asked
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
        # No number is published; ours is the lowest of the others.
        Operation("DescribeRegions", False, (60, 60.0)),
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
