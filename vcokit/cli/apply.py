"""``vcokit apply`` and ``vcokit resume``: bring the cloud to what an inventory asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import pandas as pd
import typer
from rich.console import Console

from vcokit.audit import audit_routes
from vcokit.audit.rules import Rule
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.journals import Standing, new_journal, refuse_held, refuse_stranger
from vcokit.cli.own_rules import own_rules
from vcokit.cli.plan import say_gaps
from vcokit.cli.planning import FailOn, Planning, fails, saved_plan
from vcokit.cli.reach import Reach
from vcokit.cli.reading import FILES, Quota, Reading, named
from vcokit.cli.running import Pace, Yes, conduct, may_ask, may_send, resume_command_of
from vcokit.cli.saying import Saying
from vcokit.cloud.client import Client
from vcokit.live import live_routes
from vcokit.rollout import rehearsal
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan
from vcokit.rollout.reconcile import verify_routes
from vcokit.rollout.rollout import Rollout

_ROUTE: Final = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]

JournalPath = Annotated[Path, typer.Argument(help="Journal of a rollout.", metavar="JOURNAL")]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Take the journal from a rollout on another host, which is surely dead. One that lives"
        " ends with an error and sends nothing more.",
    ),
]


def apply_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|PLAN", help=f"{FILES} Or one saved plan.")
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
    with saying.account(*files, reach.scenario, journal=journal) as account:
        shown, wishes, ask = show.console(), pace.given(), not (yes or reach.simulated)
        plan = account.plan = saved_plan(files)
        path = new_journal(journal, files, simulated=reach.simulated)
        account.needs(path)
        if plan is not None:
            planning.refuse_with_plan(reading, quota)
            if plan.simulated and not reach.may_be_simulated:
                rehearsal.refuse_plan(plan.simulated, client=False)
        reach.check()
        if ask:
            may_ask()
        own = own_rules(planning.rules_file)
        routes = reading.read(files, saying.note) if plan is None else _wanted(plan)
        if plan is None:
            shown.print(named(files, routes), markup=False)
        there = None if plan is None else plan.live
        with reach.connected(routes, there, say=saying.note) as client:
            if plan is not None:
                rehearsal.refuse_plan(plan.simulated, client=client.simulated)
            else:
                routes, connections = planning.resolved(routes, client)
                findings = audit_routes(routes, quota=quota, connections=connections, rules=own)
                if len(findings):
                    shown.print(show.findings_by_rule(findings))
                if fails(findings, fail_on):
                    shown.print("Nothing was sent.")
                    return account.ends(Exit.FINDINGS)
                plan = account.plan = planning.plan(routes, client, connections, quota, own)
            shown.print(f"Plan {plan.fingerprint[:12]}: {plan}", markup=False)
            say_gaps(plan)
            if not may_send(plan, ask=ask):
                shown.print("Nothing was sent.")
                return account.ends(Exit.OK)
            rollout = Rollout(plan, client, journal=path, allow_gap=allow_gap, **wishes)
            go_on, verify = resume_command_of(path, reach.again), _Verify(plan, routes, client, own)
            return conduct(rollout, client, shown, account, go_on=go_on, check=verify.say)


def _wanted(plan: Plan) -> pd.DataFrame:
    """Return the routes that are live once a plan is carried out, as far as it has steps."""
    steps = plan.frame()
    return steps[steps["action"].isin(["create", "modify", "keep"])][_ROUTE].reset_index(drop=True)


class _Verify:
    """What the cloud holds after a rollout, beside what was asked for."""

    def __init__(
        self, plan: Plan, routes: pd.DataFrame, client: Client, own: Sequence[Rule]
    ) -> None:
        self._plan, self._routes, self._client, self._own = plan, routes, client, own

    def say(self) -> Exit:
        """Print the verdicts; they change no exit code, the steps have told already."""
        live = live_routes(self._client, self._routes)
        verdicts = verify_routes(self._routes, live, rules=self._own)["verdict"].value_counts()
        said = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items() if count)
        show.console().print(f"Verified live: {said or 'nothing to look for'}", markup=False)
        return Exit.OK


def resume_command(
    journal: JournalPath,
    reach: Reach,
    pace: Pace,
    saying: Saying,
    take_over: TakeOver = False,
) -> int:
    """Go on with a rollout where it broke off.

    Options that are not given are those the rollout was begun with. With --simulate the cloud is
    one that holds what the journal says was done.
    """
    with saying.account(reach.scenario, journal=journal) as account:
        account.needs(journal)
        shown, wishes, standing = show.console(), pace.given(), Standing.of(journal)
        account.plan = standing.plan
        refuse_stranger(journal, reach)
        shown.print(f"Plan {standing.plan.fingerprint[:12]}: {standing.plan}", markup=False)
        if not len(standing.left):
            if take_over:
                Journal.open(journal, take_over=True).close()
            return account.ends(_nothing_left(journal, shown))
        with reach.connected(standing.routes, standing.live, say=saying.note) as client:
            rollout = Rollout.open(journal, client, take_over=take_over, **wishes)
            go_on = resume_command_of(journal, reach.again)
            return conduct(rollout, client, shown, account, go_on=go_on, forecasted=standing.left)


def _nothing_left(journal: Path, shown: Console) -> Exit:
    """Say that a rollout has come to its end; return the exit code that it ended with."""
    with Journal.read(journal) as read:
        refuse_held(read)
        states = read.steps()["state"].value_counts()
    told = ", ".join(f"{number:,} {name}" for name, number in states.items() if number)
    shown.print(f"Nothing is left to do: {told or 'no steps'}. Nothing was sent.", markup=False)
    harmed = states.get("failed", 0) + states.get("skipped", 0)
    return Exit.FAILED if harmed else Exit.OK
