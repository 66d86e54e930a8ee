"""``vcokit policy``: the RAM policy that a command needs, as JSON to paste into the console."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from vcokit.cli import show
from vcokit.cloud.policy import ANY, policy_document
from vcokit.errors import InputError

_ROLLOUT: Final = (
    "DescribeVcoRouteEntries",
    "DescribeVpnConnection",
    "DescribeVpnConnections",  # many connections in one look; without it, one call each
    "CreateVcoRouteEntry",
    "ModifyVcoRouteEntryWeight",
)

#: Operations that each command may call on the real cloud.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": (),
    "apply": _ROLLOUT,  # a plan of an inventory deletes nothing …
    "resume": (*_ROLLOUT, "DeleteVcoRouteEntry"),  # … but the undoing of one may have broken off
    "simulate": (),
    "demo": (),
    "policy": (),
}

#: What the library calls beyond the commands: `live_connections` before an audit.
PREFLIGHT: Final = ("DescribeVpnConnections", "DescribeVpnAttachments", "DescribeVpnConnection")


def policy_command(
    commands: Annotated[
        list[str] | None,
        typer.Argument(help="Commands the policy is for. By default all, and preflight."),
    ] = None,
    region: Annotated[str, typer.Option(help="Region id; * is any.")] = ANY,
    account: Annotated[str, typer.Option(help="Number of the account; * is any.")] = ANY,
    connection: Annotated[
        list[str] | None, typer.Option(help="Connection the policy is for; may be repeated.")
    ] = None,
) -> None:
    """Print the RAM policy that commands need (preflight: reading live connections)."""
    known = {**NEEDS, "preflight": PREFLIGHT}
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
