"""``vcokit apply`` and ``vcokit resume``: bring the cloud to what an inventory asks for."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from vcokit import config
from vcokit.audit import audit_routes
from vcokit.cli import show
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.errors import InputError
from vcokit.inventory import read_routes
from vcokit.live import live_routes, verify_routes
from vcokit.plain import visible
from vcokit.rollout.executor import Rollout
from vcokit.rollout.forecast import forecast
from vcokit.rollout.plan import Plan, plan_routes

STEPS_FAILED = 6


def apply_command(
    file: Annotated[Path, typer.Argument(help="Inventory, a CSV file.")],
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Against a simulator made for this inventory.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option(help="Journal to make. By default FILE with .rollout.db.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of rows that name none.")] = None,
    quota: Annotated[int | None, typer.Option(min=0, help="Routes a connection may have.")] = None,
    speed: Annotated[float | None, typer.Option(help="Speed of the simulator's clock.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
) -> int:
    """Read, audit, plan, apply and verify an inventory."""
    shown = show.console()
    routes = read_routes(file, region=region)
    shown.print(f"{visible(file)}: {len(routes):,} routes", markup=False)
    with _cloud(routes, speed) if simulate else nullcontext() as cloud, connect(cloud) as client:
        findings = audit_routes(routes, quota=quota)
        if len(findings):
            shown.print(show.findings_by_rule(findings))
        plan = plan_routes(routes, live_routes(client, routes), quota=quota)
        shown.print(f"Plan {plan.fingerprint[:12]}: {plan}", markup=False)
        if not may_send(plan, ask=not (yes or simulate)):
            shown.print("Nothing was sent.")
            return 0
        path = journal or file.with_suffix(".rollout.db")
        rollout = Rollout(plan, client, journal=path)
        carry_out(rollout, client, shown)
        return conclude(rollout, client, routes, shown)


def resume_command(
    journal: Annotated[Path, typer.Argument(help="Journal of a rollout that broke off.")],
) -> int:
    """Go on with a rollout where it broke off, on the cloud that the environment names."""
    shown = show.console()
    with connect() as client:
        rollout = Rollout.open(journal, client)
        shown.print(f"Plan {rollout.plan.fingerprint[:12]}: {rollout.plan}", markup=False)
        carry_out(rollout, client, shown)
        return _exit_code(rollout, shown)


def _cloud(routes: pd.DataFrame, speed: float | None) -> AbstractContextManager[Any]:
    from vcokit.simulator import Simulator

    return Simulator.for_routes(routes, speed=config.get("speed", speed))


def may_send(plan: Plan, *, ask: bool) -> bool:
    """Tell whether there is anything to send and, where it is asked, whether it may be sent."""
    if not any(plan.counts[action] for action in ("create", "modify", "delete")):
        return False
    if not ask:
        return True
    if not sys.stdin.isatty():
        raise InputError("there is nobody to ask", remedy="Pass --yes to send without asking")
    return typer.confirm("Send it?")


def carry_out(rollout: Rollout, client: Client, shown: Console) -> None:
    """Start a rollout and show it until it has ended."""
    thought = forecast(
        rollout.plan, limits=client.limits, speed=client.speed, round_trip=client.round_trip
    )
    shown.print(f"Forecast: {show.duration(thought.seconds)}", markup=False)
    show.follow(rollout.start(), thought, shown)


def conclude(rollout: Rollout, client: Client, routes: pd.DataFrame, shown: Console) -> int:
    """Print what came of a rollout, read back from the cloud; return the exit code."""
    code = _exit_code(rollout, shown)
    verdicts = verify_routes(routes, live_routes(client, routes))["verdict"].value_counts()
    said = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items() if count)
    shown.print(f"Verified live: {said}", markup=False)
    return code


def _exit_code(rollout: Rollout, shown: Console) -> int:
    tally = rollout.tally()
    shown.print(show.states(tally))
    steps = rollout.frame()
    failed = steps[steps["state"] == "failed"]
    if len(failed):
        rows = failed[["line", "vpn_connection_id", "route_dest", "code", "message"]].head(20)
        columns = ("line", "connection", "destination", "code", "message")
        shown.print(show.table("Failed steps", columns, rows.itertuples(index=False)))
    return STEPS_FAILED if len(failed) else 0
