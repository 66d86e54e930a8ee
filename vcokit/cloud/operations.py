"""The operations of the API: the parameters, answers and rate limit of each.

`OPERATIONS` are those of the VPC API. `KNOWN` also contains those of other services of the vendor:
the Quota Center, the transit routers and the Security Token Service. The facts are the vendor's,
from ``contract.json``::

    Operation ─┬─ Parameter …   its type and bounds, and how a value is sent
               ├─ Limit         the number of calls allowed per window
               └─ answers       the type of each field

How this package reads an answer is defined in `_READINGS`: which fields it requires, and which
columns a list fills. An operation that has no entry there returns fields, not a frame.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from vcokit import schema
from vcokit.contract import CONTRACT, limit
from vcokit.errors import InputError


@dataclass(frozen=True)
class Service:
    """A service of the vendor.

    Parameters
    ----------
    version : str
        Version of its API.
    host : str
        The single host for all regions; empty if each region has its own host.
    """

    version: str
    host: str = ""


#: Longest page of the listing operations.
PAGE_SIZE: Final[int] = CONTRACT["parameters"]["PageSize"]["most"]
#: Longest ClientToken, in ASCII characters.
TOKEN_LENGTH: Final[int] = CONTRACT["parameters"]["ClientToken"]["longest"]
#: Most tags that a listing can be filtered by.
MOST_TAGS: Final = limit("tags_in_a_filter")

#: Fields of answers that are secrets. They are dropped when an answer is parsed, except for those
#: that an operation is called for (`Operation.secrets`).
SECRET_FIELDS: Final[frozenset[str]] = frozenset(CONTRACT["secret_fields"]["names"])


@dataclass(frozen=True)
class Limit:
    """The number of calls allowed per window, for each account, region and operation.

    Parameters
    ----------
    calls : int
    seconds : float
    """

    calls: int
    seconds: float

    def faster(self, speed: float) -> Limit:
        """Return the limit for a cloud whose clock runs `speed` times faster."""
        return Limit(self.calls, self.seconds / speed)


# -- parameters -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    ==========  ==============================================  ==========================
    type        given as                                        sent as
    ==========  ==============================================  ==========================
    ``string``  str                                             itself
    ``integer`` int, or any integer that indexes (NumPy's too)  decimal digits
    ``boolean`` bool                                            ``True`` or ``False``
    ``list``    sequence of str                                 ``TunnelIds.1``, ``TunnelIds.2``
    ``tags``    mapping of str to str, at most 20               ``Tag.1.Key``, ``Tag.1.Value``
    ==========  ==============================================  ==========================

    Booleans are sent as the official SDK for Python sends them; the cloud ignores their case.

    Parameters
    ----------
    name : str
        As the API writes it.
    type : str
        One of those in the table.
    required : bool
    choices : tuple
        Allowed values; empty if there is no list of them.
    default : object
        Value that the cloud uses if none is given; None if none is documented.
    least, most : int, optional
        Bounds of an integer.
    longest : int, optional
        Most characters of a string, which then must be ASCII.

    Examples
    --------
    >>> list(Parameter("PageSize", "integer", least=1, most=50).wire(20))
    [('PageSize', '20')]
    >>> list(Parameter("Tag", "tags").wire({"team": "net"}))
    [('Tag.1.Key', 'team'), ('Tag.1.Value', 'net')]
    """

    name: str
    type: str = "string"
    required: bool = False
    choices: tuple[str | int, ...] = ()
    default: str | int | bool | None = None
    least: int | None = None
    most: int | None = None
    longest: int | None = None

    def wire(self, value: object) -> Iterator[tuple[str, str]]:
        """Yield name and value as they are sent.

        Raises
        ------
        InputError
            If the cloud could never accept the value.
        """
        return _WIRE[self.type](self, value)

    def refuse(self, value: object, wanted: str) -> InputError:
        """Return the error for a value that is not what is wanted."""
        return InputError(f"{self.name} is {value!r}", remedy=f"Give {wanted}")


def _string(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        raise of.refuse(value, "text")
    if of.choices and value not in of.choices:
        raise of.refuse(value, " or ".join(map(str, of.choices)))
    if of.longest is not None and (len(value) > of.longest or not value.isascii()):
        raise of.refuse(value, f"at most {of.longest} ASCII characters")
    if not _is_text(value):
        raise of.refuse(value, "text that can be written as UTF-8")
    yield of.name, value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise of.refuse(value, "an integer")
    if of.choices and number not in of.choices:
        raise of.refuse(value, " or ".join(map(str, of.choices)))
    below = of.least is not None and number < of.least
    if below or (of.most is not None and number > of.most):
        raise of.refuse(
            value, f"an integer from {of.least}" + (f" to {of.most}" if of.most else "")
        )
    yield of.name, str(number)


def _boolean(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, bool):
        raise of.refuse(value, "True or False")
    yield of.name, str(value)


def _list(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise of.refuse(value, "a list of texts")
    for number, text in enumerate(value, start=1):
        yield from _string(Parameter(f"{of.name}.{number}"), text)


def _tags(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping) or len(value) > MOST_TAGS:
        raise of.refuse(value, f"a mapping of at most {MOST_TAGS} tags")
    for number, (key, text) in enumerate(value.items(), start=1):
        yield from _string(Parameter(f"{of.name}.{number}.Key"), key)
        yield from _string(Parameter(f"{of.name}.{number}.Value"), text)


_WIRE: Final[Mapping[str, Callable[[Parameter, object], Iterator[tuple[str, str]]]]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "list": _list,
    "tags": _tags,
}


# -- operations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Parameters
    ----------
    name : str
    writes : bool
        Whether it changes something; a write is asynchronous and is never retried by the client.
    parameters : tuple of Parameter
        All its parameters.
    limit : Limit
        Calls per account and region.
    answers : mapping of str to str
        Type of each field of the answer: ``string``, ``integer``, ``number``, ``boolean``,
        ``array`` or ``object``. A field inside another is written with a dot, a field inside the
        rows of a list with ``[]``: ``TunnelOptionsSpecification.TunnelOptions[].Status``. An
        answer may omit any field that is not in `needs`.
    action : str
        Its action in a RAM policy.
    resource : str
        Its resource in a RAM policy, with ``{region}``, ``{account}``, ``{connection}`` and
        ``{role}`` to be filled in; ``*`` for everything.
    needs : tuple of str
        Fields without which an answer is invalid.
    secrets : tuple of str
        Secret fields that it is called for: an answer has them as `Secret`.
    rows : tuple of str
        Path of the list in the answer; empty if the answer is not a list.
    columns : mapping of str to str
        Column of the frame for each field of a list's rows; fields not named here are dropped.
        If several fields have the same column, the first one with a value is used.
    identity : tuple of str
        Fields that identify a row of a list, even if other fields change.
    frame : mapping of str to dtype
        Schema of the frame.
    service : Service
        The service that the operation belongs to.
    """

    name: str
    writes: bool
    parameters: tuple[Parameter, ...]
    limit: Limit
    answers: Mapping[str, str]
    action: str
    resource: str
    service: Service
    needs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    frame: schema.Schema = field(default_factory=dict)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Parameters that must be given."""
        return tuple(parameter.name for parameter in self.parameters if parameter.required)

    @cached_property
    def paged(self) -> bool:
        """Whether the list has numbered pages (PageNumber, PageSize, TotalCount)."""
        return "PageSize" in self._by_name

    @cached_property
    def tokened(self) -> bool:
        """Whether each page of the list has a token for the next (MaxResults, NextToken)."""
        return "NextToken" in self._by_name

    @property
    def longest_page(self) -> int:
        """Most rows of a page that can be requested; 0 if the list has no pages."""
        found = self._by_name.get("PageSize") or self._by_name.get("MaxResults")
        return (found.most or 0) if found else 0

    def wire(self, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Yield parameters as they are sent; omit those that are None.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or has a value that the cloud could never accept.
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


# -- answers --------------------------------------------------------------------------------------

#: Python's type of each type in parsed JSON. The match is exact, because a boolean must not pass as
#: an integer; but a number may be an integer.
TYPES: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True)
class _Reading:
    """How this package reads an operation's answer; the attributes are those of `Operation`."""

    needs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    frame: schema.Schema = field(default_factory=dict)


_READINGS: Final[Mapping[str, _Reading]] = {
    "AssumeRole": _Reading(
        needs=(
            "Credentials.AccessKeyId",
            "Credentials.AccessKeySecret",
            "Credentials.SecurityToken",
            "Credentials.Expiration",
        ),
        secrets=("AccessKeySecret", "SecurityToken"),
    ),
    "DescribeVcoRouteEntries": _Reading(
        needs=("TotalCount",),
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
            "NextHopTunnelIdList[]": "next_hop_tunnels",
        },
        identity=("RouteDest", "NextHop", "Weight", "RouteEntryType", "AsPath", "Source"),
        frame=schema.LIVE_ROUTES,
    ),
    "DescribeVpnConnection": _Reading(needs=("State",)),
    "DescribeVpnConnections": _Reading(
        needs=("TotalCount",),
        columns={
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
        },
        identity=("VpnConnectionId",),
        frame=schema.LIVE_CONNECTIONS,
    ),
    "DescribeVpnAttachments": _Reading(
        needs=("TotalCount",),
        columns={
            "InstanceId": "vpn_connection_id",  # this name occurs only in this answer
            "Name": "name",
            "AttachType": "attach_type",
            "TransitRouterId": "transit_router_id",
            "TransitRouterName": "transit_router_name",
            "CrossAccountAuthorized": "cross_account",
        },
        identity=("InstanceId",),
        frame=schema.LIVE_CONNECTIONS,
    ),
    "DiagnoseVpnConnections": _Reading(
        needs=("TotalCount",),
        columns={
            "VpnConnectionId": "vpn_connection_id",
            "TunnelId": "tunnel_id",
            "Severity": "severity",
            "FailedReasonCode": "code",
            "FailedReason": "reason",
            "MismatchLocalParam": "local_value",
            "MismatchRemoteParam": "remote_value",
            "FailedTime": "failed_at",
        },
        identity=("VpnConnectionId", "TunnelId", "FailedReasonCode", "FailedTime"),
        frame=schema.LIVE_TUNNELS,
    ),
    "ListTransitRouterRouteTables": _Reading(
        columns={
            "RegionId": "region_id",
            "TransitRouterId": "transit_router_id",
            "TransitRouterRouteTableId": "route_table_id",
        },
        identity=("TransitRouterRouteTableId",),
        frame={
            "region_id": schema.STR,
            "transit_router_id": schema.STR,
            "route_table_id": schema.STR,
        },
    ),
    "ListTransitRouterRouteEntries": _Reading(
        columns={
            "TransitRouterRouteEntryDestinationCidrBlock": "route_dest",
            "TransitRouterRouteEntryNextHopResourceId": "vpn_connection_id",
            "TransitRouterRouteEntryStatus": "status",
            "TransitRouterRouteEntryType": "route_type",
        },
        identity=(
            "TransitRouterRouteEntryDestinationCidrBlock",
            "TransitRouterRouteEntryNextHopResourceId",
        ),
        frame=schema.LIVE_ROUTER_ROUTES,
    ),
    "DescribeRegions": _Reading(
        columns={
            "RegionId": "region_id",
            "LocalName": "local_name",
            "RegionEndpoint": "endpoint",
        },
        identity=("RegionId",),
        frame={
            "region_id": schema.STR,
            "local_name": schema.STR,
            "endpoint": schema.STR,
        },
    ),
}


# -- the table ------------------------------------------------------------------------------------


def _parameter(name: str, required: bool, facts: Mapping[str, Any]) -> Parameter:
    fact = facts["parameters"][name]
    bounds = {key: fact.get(key) for key in ("default", "least", "most", "longest")}
    return Parameter(name, fact["type"], required, tuple(fact.get("choices", ())), **bounds)


def _operations(facts: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    """Yield the operations from a service's facts and their entries in `_READINGS`."""
    service = Service(facts["version"], facts.get("host", {}).get("value", ""))
    ram = facts["ram"]
    for name, fact in facts["operations"].items():
        reading = _READINGS.get(name, _Reading())
        yield (
            name,
            Operation(
                name,
                writes=fact["writes"],
                parameters=tuple(
                    _parameter(each, kind == "required", facts)
                    for kind, names in fact["parameters"].items()
                    for each in names
                ),
                limit=Limit(fact["limit"]["calls"], fact["limit"]["seconds"]),
                answers=fact["answer"]["fields"],
                action=ram["action"].format(operation=name),
                resource="*" if name in ram.get("any_resource", ()) else ram["resource"],
                service=service,
                rows=tuple(fact["rows"].split(".")) if "rows" in fact else (),
                **vars(reading),
            ),
        )


OPERATIONS: Final[Mapping[str, Operation]] = dict(_operations(CONTRACT))
KNOWN: Final[Mapping[str, Operation]] = {
    name: operation
    for facts in (CONTRACT, *CONTRACT["services"].values())
    for name, operation in _operations(facts)
}
