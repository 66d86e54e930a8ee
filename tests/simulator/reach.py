"""How each error code that an operation lists is brought about: the enumeration is the test.

A `Reach` is a simulator, calls that come before, and the call that is refused. `how` names what
has to be set for it, in the words of scenarios; it is empty where the cloud does it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route, Switches

REGION = "cn-hangzhou"
CREATE = "CreateVcoRouteEntry"
DELETE = "DeleteVcoRouteEntry"
MODIFY = "ModifyVcoRouteEntryWeight"
LIST = "DescribeVcoRouteEntries"
DESCRIBE = "DescribeVpnConnection"
CONNECTIONS = "DescribeVpnConnections"
ATTACHMENTS = "DescribeVpnAttachments"
WRITES = (CREATE, DELETE, MODIFY)

TWO = [Connection("vco-1"), Connection("vco-2")]
HERE = Route("vco-1", "10.1.0.0/16")
NOBODY = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Reach:
    """What it takes to be refused by one code."""

    how: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    before: tuple[tuple[str, dict[str, Any]], ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)


def request_of(operation: str, **changes: Any) -> dict[str, Any]:
    """Return the arguments of the SDK's request for a call that would be accepted."""
    of_route = {
        "vpn_connection_id": "vco-1",
        "route_dest": "10.1.0.0/16",
        "weight": 100,
        "next_hop": "vco-1",
    }
    own = {
        CREATE: of_route,
        DELETE: of_route,
        MODIFY: of_route | {"new_weight": 0},
        LIST: {"vpn_connection_id": "vco-1"},
        DESCRIBE: {"vpn_connection_id": "vco-1"},
    }.get(operation, {})
    return {"region_id": REGION} | own | changes


def refused(code: str) -> Reach:
    """Return a call that is refused because it was asked for: nothing is known of the cause."""
    return Reach("faults.refuse", {"faults": [Fault("refuse", code=code)]})


def denied(code: str) -> Reach:
    """Return a call of a key that may do nothing."""
    account = Account(policy=NOBODY, denial_code=code)
    return Reach("accounts.policy", {"accounts": [account]})


def with_connection(**fields: Any) -> dict[str, Any]:
    """Return the simulator of one connection that is so."""
    return {"connections": [Connection("vco-1", **fields)], "routes": []}


def switched(name: str, value: Any, **more: Any) -> Reach:
    """Return what one switch is needed for."""
    options = {"switches": Switches(**{name: value}), **more.pop("options", {})}
    return Reach(f"switches.{name}", options, **more)


def _common() -> dict[tuple[str, str], Reach]:
    """Return the codes that many operations list alike."""
    found = {}
    for operation in (*WRITES, LIST, DESCRIBE, CONNECTIONS):
        for code in ("Forbidden", "Forbbiden.SubUser"):
            found[operation, code] = denied(code)
    for operation in (*WRITES, LIST, DESCRIBE):
        other = {"vpn_connection_id": "vco-9"}
        found[operation, "InvalidVpnConnectionInstanceId.NotFound"] = Reach(changes=other)
    # On a connection of its own route a task runs, whatever it does.
    busy = ((CREATE, {"route_dest": "10.9.0.0/16"}),)
    there = {"routes": [HERE]}
    for operation in WRITES:
        options = {} if operation == CREATE else there
        found |= {
            (operation, "Resource.QuotaFull"): refused("Resource.QuotaFull"),
            (operation, "VpnConnection.Configuring"): Reach(options=options, before=busy),
            (operation, "TaskConflict"): switched(
                "task_conflict_seconds", 1e6, options=options, before=busy
            ),
            (operation, "VpnConnection.FinancialLocked"): Reach(
                "connections.state", with_connection(state="financialLocked")
            ),
        }
    return found


_TAG_CODES = {
    "SizeLimitExceeded.TagNum": [{"key": f"k{n}"} for n in range(21)],
    "InvalidParameter.TagKey": [{"key": "acs:x"}],
    "InvalidParameter.TagValue": [{"key": "k", "value": "v" * 129}],
    "Duplicated.TagKey": [{"key": "k"}, {"key": "k"}],
}

REACH: dict[tuple[str, str], Reach] = {
    **_common(),
    (CREATE, "VpnRouteEntry.AlreadyExists"): Reach(options={"routes": [HERE]}),
    (CREATE, "VpnRouteEntry.Conflict"): Reach(options={"routes": [HERE]}, changes={"weight": 0}),
    (CREATE, "VpnRouteEntry.ConflictSSL"): Reach(
        "connections.ssl_client_pools", with_connection(ssl_client_pools=("10.0.0.0/8",))
    ),
    (CREATE, "VpnRouteEntry.BackupRoute"): Reach(
        options={"routes": [Route("vco-1", "10.1.0.0/16", 100, "vco-2")]}
    ),
    (CREATE, "InvalidNextHop.NotFound"): Reach(changes={"next_hop": "vco-2"}),
    (CREATE, "IllegalParam.RouteDest"): Reach(changes={"route_dest": "10.1.2.3/8"}),
    (CREATE, "OperationFailed.InvalidCidrBlock"): Reach(changes={"route_dest": "0.0.0.0/0"}),
    (CREATE, "CreateDbrRoutesQuotaFull.QuotaFull"): Reach(
        options={"quota": 1, "routes": [Route("vco-1", "10.9.0.0/16")]}
    ),
    (CREATE, "QuotaExceeded.VpnRouteEntry"): Reach(
        "router_quota", {"router_quota": 1, "routes": [Route("vco-2", "10.9.0.0/16")]}
    ),
    (CREATE, "Resource.PbrRouteQuotaFull"): refused("Resource.PbrRouteQuotaFull"),
    (CREATE, "CreatePbrRoutesQuotaFull.QuotaFull"): refused("CreatePbrRoutesQuotaFull.QuotaFull"),
    (CREATE, "DryRunOperation"): Reach(changes={"dry_run": True}),
    (DELETE, "InvalidRouteEntry.NotFound"): Reach(),
    (DELETE, "VpnRouteEntry.AlreadyExists"): refused("VpnRouteEntry.AlreadyExists"),
    (DELETE, "VpnRouteEntry.Conflict"): refused("VpnRouteEntry.Conflict"),
    (MODIFY, "VpnRouteEntry.AlreadyExists"): Reach(
        options={"routes": [HERE]}, changes={"new_weight": 100}
    ),
    (MODIFY, "VpnRouteEntry.Conflict"): switched(
        "weight_change_in_pair_refused",
        True,
        options={"routes": [HERE, Route("vco-2", "10.1.0.0/16", 0)]},
    ),
    (LIST, "IllegalParam.RouteEntryType"): Reach(changes={"route_entry_type": "static"}),
    (LIST, "Vco.StatusNotSupport"): Reach(
        "connections.attach_type", with_connection(attach_type="NO_ASSOCIATED")
    ),
    **{(CONNECTIONS, code): Reach(changes={"tag": tags}) for code, tags in _TAG_CODES.items()},
    (CONNECTIONS, "Forbidden.TagKey.Duplicated"): refused("Forbidden.TagKey.Duplicated"),
    **{(ATTACHMENTS, code): refused(code) for code in (*_TAG_CODES, "Forbidden.TagKey.Duplicated")},
}

#: The same code by another way, where there is one.
OTHERWISE: list[tuple[str, str, Reach]] = [
    (
        CREATE,
        "VpnRouteEntry.Conflict",
        Reach(
            "connections.learned_routes",
            with_connection(learned_routes=(LearnedRoute("10.1.0.0/16"),)),
        ),
    ),
    (
        CREATE,
        "VpnRouteEntry.BackupRoute",
        switched(
            "same_weight_on_router_refused",
            True,
            options={"routes": [Route("vco-2", "10.1.0.0/16")]},
        ),
    ),
    (
        CREATE,
        "OperationFailed.InvalidCidrBlock",
        switched("shared_space_refused", True, changes={"route_dest": "100.64.0.0/10"}),
    ),
    (MODIFY, "InvalidRouteEntry.NotFound", Reach()),
    (
        LIST,
        "Vco.StatusNotSupport",
        switched("listing_needs_attached", True, before=((CREATE, {}),)),
    ),
]
