"""``vcokit policy``: the RAM policy that a command needs, as JSON to paste into the console."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from vcokit.cli import show
from vcokit.cloud.policy import ANY, policy_document
from vcokit.errors import InputError

_LOOK: Final = ("DescribeVcoRouteEntries",)
_ROLLOUT: Final = (
    *_LOOK,
    "DescribeVpnConnection",
    "DescribeVpnConnections",  # many connections in one look; without it, one call each
    "CreateVcoRouteEntry",
    "ModifyVcoRouteEntryWeight",
)
_DELETE: Final = ("DeleteVcoRouteEntry",)
_CONNECTIONS: Final = ("DescribeVpnConnections", "DescribeVpnAttachments")

#: Operations that each command may call on the real cloud.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": (),
    "plan": _LOOK,
    "apply": _ROLLOUT,  # deletes nothing without --prune, which is `prune` below …
    "resume": (*_ROLLOUT, *_DELETE),  # … but what broke off may have been begun with it
    "status": (),
    "undo": (*_ROLLOUT, *_DELETE),
    "verify": _LOOK,
    "live": (*_LOOK, *_CONNECTIONS),
    "diff": _LOOK,
    "explain": (),
    "aggregate": (),
    "policy": (),
    "config": (),
    "simulate": (),
    "demo": (),
    "completion": (),
}

#: What the library calls beyond the commands: `live_connections` before an audit.
PREFLIGHT: Final = (*_CONNECTIONS, "DescribeVpnConnection")

#: What options need beyond their command.
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "preflight": PREFLIGHT,
    "names": _CONNECTIONS,
    "prune": _DELETE,
}


def policy_command(
    commands: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="Commands the policy is for. By default all, and what options need.",
        ),
    ] = None,
    region: Annotated[str, typer.Option(help="Region id; * is any.")] = ANY,
    account: Annotated[str, typer.Option(help="Number of the account; * is any.")] = ANY,
    connection: Annotated[
        list[str] | None, typer.Option(help="Connection the policy is for; may be repeated.")
    ] = None,
) -> None:
    """Print the RAM policy that commands need.

    Beside commands it takes what options need on top: names, prune, and preflight, which is reading
    live connections.
    """
    known = {**NEEDS, **OPTIONS}
    chosen = commands or list(known)
    strange = [name for name in chosen if name not in known]
    if strange:
        raise InputError(
            f"there is no command {strange[0]!r}", remedy=f"There is {', '.join(known)}"
        )
    operations = {name for command in chosen for name in known[command]}
    if not operations:
        message = f"{', '.join(chosen)}: calls nothing on the cloud, needs no policy"
        show.error_console().print(message, markup=False)
        return
    document = policy_document(
        operations, region=region, account=account, connections=connection or ()
    )
    print(json.dumps(document, indent=2))
