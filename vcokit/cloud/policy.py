"""RAM policies from the table of operations: only the permissions that the calls need.

A policy names actions (``vpc:CreateVcoRouteEntry``) and resources
(``acs:vpc:<region>:<account>:vpnconnection/<id>``, ``*`` for any).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from vcokit.cloud.endpoints import is_region
from vcokit.cloud.operations import KNOWN, Operation
from vcokit.contract import limit
from vcokit.errors import InputError

#: Longest document of a custom policy, in characters.
LONGEST: Final = limit("policy_characters")

ANY: Final = "*"
_ACCOUNT: Final = re.compile(r"[0-9]{1,20}")
_CONNECTION: Final = re.compile(r"vco-[A-Za-z0-9]+")
_ROLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def policy_document(
    operations: Iterable[str],
    *,
    region: str = ANY,
    account: str = ANY,
    connections: Sequence[str] = (),
    role: str = ANY,
) -> dict[str, Any]:
    """Return the policy that allows some operations.

    Parameters
    ----------
    operations : iterable of str
        Names of operations; order and repetition do not matter.
    region, account : str
        A region id and an account's number, or ``*``.
    connections : sequence of str
        Connections that the policy covers; all connections if empty. Listing operations take no
        connection and are allowed on the whole region.
    role : str
        Name of the role that ``AssumeRole`` is allowed for, or ``*``. `account` is that of the
        role.

    Returns
    -------
    dict
        To be written as JSON; one statement for each set of resources.

    Raises
    ------
    InputError
        If an operation is unknown, a value is not valid in a resource's name, or the document is
        too long.

    Examples
    --------
    >>> document = policy_document(["DescribeVcoRouteEntries"], connections=["vco-1"])
    >>> document["Statement"][0]["Resource"]
    ['acs:vpc:*:*:vpnconnection/vco-1']
    """
    asked = sorted(set(operations))
    _check(asked, region, account, connections, role)
    actions: dict[tuple[str, ...], list[str]] = {}
    for name in asked:
        operation = KNOWN[name]
        resources = _resources(operation, region, account, connections, role)
        actions.setdefault(resources, []).append(operation.action)
    statements = [
        {"Effect": "Allow", "Action": names, "Resource": list(resources)}
        for resources, names in actions.items()
    ]
    document = {"Version": "1", "Statement": statements}
    length = len(json.dumps(document, separators=(",", ":")))
    if length > LONGEST:
        raise InputError(
            f"a policy for {len(connections)} connections has {length:,} characters; RAM allows at"
            f" most {LONGEST:,}",
            remedy="Leave the connections out and name the region and the account",
        )
    return document


def _resources(
    operation: Operation, region: str, account: str, connections: Sequence[str], role: str
) -> tuple[str, ...]:
    narrow = connections and "VpnConnectionId" in operation.required
    named = sorted(set(connections)) if narrow else [ANY]
    place = {"region": region, "account": account, "role": role}
    return tuple(operation.resource.format(connection=name, **place) for name in named)


def _check(
    operations: Sequence[str], region: str, account: str, connections: Sequence[str], role: str
) -> None:
    if unknown := [name for name in operations if name not in KNOWN]:
        raise InputError(
            f"{unknown[0]!r} is not an operation", remedy=f"Name some of {', '.join(KNOWN)}"
        )
    # A * inside a name would silently widen the policy.
    if region != ANY and not is_region(region):
        raise InputError(f"{region!r} is not a region id", remedy="Write it like cn-hangzhou, or *")
    if account != ANY and not _ACCOUNT.fullmatch(account):
        raise InputError(f"{account!r} is not an account", remedy="Write its number, or *")
    if role != ANY and not _ROLE.fullmatch(role):
        raise InputError(f"{role!r} is not the name of a role", remedy="Write its name only, or *")
    wrong = [name for name in connections if not _CONNECTION.fullmatch(name)]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not a connection", remedy="Write it like vco-p0w2jp")
