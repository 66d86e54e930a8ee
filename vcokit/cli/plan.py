"""``vcokit plan``: what would be sent, as a table, a diff or JSON; nothing is sent."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vcokit.audit import audit_routes
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.outputs import keep_apart, put
from vcokit.cli.own_rules import own_rules
from vcokit.cli.planning import FailOn, Planning, fails
from vcokit.cli.reach import Reach
from vcokit.cli.reading import Files, Quota, Reading, named
from vcokit.cli.steplog import one_line, records
from vcokit.errors import InputError
from vcokit.plain import visible
from vcokit.rollout.plan import Plan


class PlanFormat(StrEnum):
    """How a plan is shown."""

    table = "table"
    diff = "diff"
    json = "json"


def plan_command(
    files: Files,
    reading: Reading,
    planning: Planning,
    reach: Reach,
    save: Annotated[
        Path | None, typer.Option(help="Write the plan to a text file, for apply and for review.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        PlanFormat, typer.Option(help="How the plan is shown.")
    ] = PlanFormat.table,
    fail_on: Annotated[
        FailOn, typer.Option(help="Least severity of a finding that gives exit code 1.")
    ] = FailOn.never,
    quota: Quota = None,
) -> int:
    """Plan what makes the live routes agree with an inventory; send nothing.

    The plan is standard output; what is said about it goes to standard error.
    """
    keep_apart({"--save": save}, [*files, reach.scenario])
    own = own_rules(planning.rules_file)
    routes = reading.read(files)
    with reach.connected(routes) as client:
        routes, connections = planning.resolved(routes, client)
        plan = planning.plan(routes, client, connections, quota, own)
    if save is not None:
        save_plan(plan, save)
    said = show.error_console()
    said.print(f"{named(files, routes)}\nPlan {plan.fingerprint[:12]}: {plan}", markup=False)
    say_gaps(plan)
    put(f"{shown_plan(plan, format)}\n", for_people=format is not PlanFormat.json)
    findings = audit_routes(routes, quota=quota, connections=connections, rules=own)
    return Exit.FINDINGS if fails(findings, fail_on) else Exit.OK


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file that is not an inventory, nor anything else of value.

    Raises
    ------
    InputError
        If a file of that name holds something else than a plan.
    """
    if path.exists() and path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if not file.read(11).startswith(b"vcokit plan"):
                raise InputError(f"{path}: is there, and is no plan", remedy="Name another --save")
    plan.save(path)


def shown_plan(plan: Plan, form: PlanFormat) -> str:
    """Return a plan as text."""
    if form is PlanFormat.diff:
        return plan.diff()
    if form is PlanFormat.table:
        return plan.table()
    gaps = [{"steps": list(gap.steps), "reason": gap.reason} for gap in plan.order.gaps]
    facts = {"fingerprint": plan.fingerprint, "actions": plan.counts, "gaps": gaps}
    return one_line({**facts, "steps": records(plan.frame())})


def say_gaps(plan: Plan) -> None:
    """Tell on standard error what cannot be ordered, so that addresses are uncovered for a time."""
    for gap in plan.order.gaps:
        show.error_console().print(f"gap: {visible(gap.reason)}", markup=False)
