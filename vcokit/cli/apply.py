"""``vcokit apply`` and ``vcokit resume``: bring the cloud to what an inventory asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import pandas as pd
import typer

from vcokit.audit import audit_routes
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.journals import Standing, new_journal, refuse_stranger
from vcokit.cli.plan import say_gaps
from vcokit.cli.planning import FailOn, Planning, fails, saved_plan
from vcokit.cli.reach import Reach
from vcokit.cli.reading import FILES, Quota, Reading, named
from vcokit.cli.running import Pace, Saying, Yes, conduct, may_send
from vcokit.cloud.client import Client
from vcokit.live import live_routes, verify_routes
from vcokit.rollout.executor import Rollout
from vcokit.rollout.plan import Plan

_ROUTE: Final = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]

JournalPath = Annotated[Path, typer.Argument(help="Journal of a rollout.", metavar="JOURNAL")]


def apply_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...|PLAN", help=f"{FILES} Or one saved plan.")
    ],
    reading: Reading,
    planning: Planning,
    reach: Reach,
    pace: Pace,
    saying: Saying,
    journal: Annotated[
        Path | None, typer.Option(help="Journal to make. By default FILE with .rollout.db.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Least severity of a finding that sends nothing, exit code 1.")
    ] = FailOn.never,
    allow_gap: Annotated[
        bool, typer.Option("--allow-gap", help="Also where addresses are uncovered in between.")
    ] = False,
    quota: Quota = None,
    yes: Yes = False,
) -> int:
    """Read, audit, plan, apply and verify an inventory, or apply a saved plan.

    Rows with errors are left out and said; the others are sent once somebody, or --yes, agrees.
    A plan that --save wrote is sent only while the live routes are those it was made from.
    """
    shown = show.console()
    wishes = pace.given()
    saying.check()
    plan = saved_plan(files)
    path = new_journal(journal, files, simulated=reach.simulated)
    if plan is not None:
        planning.refuse_with_plan(reading, quota)
    routes = reading.read(files, saying.note) if plan is None else _wanted(plan)
    if plan is None:
        shown.print(named(files, routes), markup=False)
    with reach.connected(routes, None if plan is None else plan.live) as client:
        if plan is None:
            routes, connections = planning.resolved(routes, client)
            findings = audit_routes(routes, quota=quota, connections=connections)
            if len(findings):
                shown.print(show.findings_by_rule(findings))
            if fails(findings, fail_on):
                shown.print("Nothing was sent.")
                return Exit.FINDINGS
            plan = planning.plan(routes, client, connections, quota)
        shown.print(f"Plan {plan.fingerprint[:12]}: {plan}", markup=False)
        say_gaps(plan)
        if not may_send(plan, ask=not (yes or reach.simulated)):
            shown.print("Nothing was sent.")
            return Exit.OK
        rollout = Rollout(plan, client, journal=path, allow_gap=allow_gap, **wishes)
        verify = _Verify(plan, routes, client)
        return conduct(rollout, client, shown, saying, simulated=reach.simulated, check=verify.say)


def _wanted(plan: Plan) -> pd.DataFrame:
    """Return the routes that are live once a plan is carried out, as far as it has steps."""
    steps = plan.frame()
    return steps[steps["action"].isin(["create", "modify", "keep"])][_ROUTE].reset_index(drop=True)


class _Verify:
    """What the cloud holds after a rollout, beside what was asked for."""

    def __init__(self, plan: Plan, routes: pd.DataFrame, client: Client) -> None:
        self._plan, self._routes, self._client = plan, routes, client

    def say(self) -> Exit:
        """Print the verdicts; they change no exit code, the steps have told already."""
        live = live_routes(self._client, self._routes)
        verdicts = verify_routes(self._routes, live)["verdict"].value_counts()
        said = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items() if count)
        show.console().print(f"Verified live: {said or 'nothing to look for'}", markup=False)
        return Exit.OK


def resume_command(
    journal: JournalPath,
    reach: Reach,
    pace: Pace,
    saying: Saying,
) -> int:
    """Go on with a rollout where it broke off.

    Options that are not given are those the rollout was begun with. With --simulate the cloud is
    one that holds what the journal says was done.
    """
    shown = show.console()
    saying.check()
    wishes = pace.given()
    standing = Standing.of(journal)
    refuse_stranger(journal, simulated=reach.simulated)
    with reach.connected(standing.routes, standing.live) as client:
        rollout = Rollout.open(journal, client, **wishes)
        shown.print(f"Plan {rollout.plan.fingerprint[:12]}: {rollout.plan}", markup=False)
        return conduct(rollout, client, shown, saying, simulated=reach.simulated)
