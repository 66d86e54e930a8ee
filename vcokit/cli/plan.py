"""``vcokit plan``: what would be sent, as lines, a table, a diff, Markdown or JSON."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from vcokit._text import printable
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
from vcokit.rollout.plan import Plan
from vcokit.rollout.plan_io import is_plan

#: Colours of a plan's lines, by how they begin.
_STYLES: Final = {"+ ": "green", "~ ": "yellow", "- ": "red", "! ": "magenta"}


class PlanFormat(StrEnum):
    """How a plan is shown."""

    text = "text"
    table = "table"
    diff = "diff"
    markdown = "markdown"
    json = "json"


def plan_command(
    files: Files,
    reading: Reading,
    planning: Planning,
    reach: Reach,
    save: Annotated[
        Path | None, typer.Option(help="Write the plan to a file of JSON lines, for apply.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        PlanFormat, typer.Option(help="How the plan is shown.")
    ] = PlanFormat.text,
    fail_on: Annotated[
        FailOn, typer.Option(help="Least severity of a finding that gives exit code 1.")
    ] = FailOn.never,
    quota: Quota = None,
) -> int:
    """Plan what makes the live routes agree with an inventory; send nothing.

    Lines begin with + (create), ~ (modify), - (delete) or ! (blocked, with the reason). The plan is
    standard output; what is said about it goes to standard error.
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
    show_plan(plan, format)
    findings = audit_routes(routes, quota=quota, connections=connections, rules=own)
    return Exit.FINDINGS if fails(findings, fail_on) else Exit.OK


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file that is not an inventory, nor anything else of value.

    Raises
    ------
    InputError
        If a file of that name holds something else than a plan.
    """
    if path.is_file() and path.stat().st_size and not is_plan(path):
        raise InputError(f"{path}: is there, and is no plan", remedy="Name another --save")
    plan.save(path)


def show_plan(plan: Plan, form: PlanFormat) -> None:
    """Print a plan: its lines in colours on a terminal, everything else as it is anywhere."""
    text = _as_json(plan) if form is PlanFormat.json else getattr(plan, form.value)()
    if form is PlanFormat.text and sys.stdout.isatty():
        text = _coloured(text)
    put(f"{text}\n", for_people=form is not PlanFormat.json)


def _coloured(text: str) -> str:
    shown = show.console()
    with shown.capture() as coloured:
        for line in text.splitlines():
            shown.print(Text(line, style=_STYLES.get(line[:2], "")), soft_wrap=True)
    return coloured.get().removesuffix("\n")


def _as_json(plan: Plan) -> str:
    gaps = [{"steps": list(gap.steps), "reason": gap.reason} for gap in plan.order.gaps]
    facts = {"fingerprint": plan.fingerprint, "actions": plan.counts, "gaps": gaps}
    return one_line({**facts, "steps": records(plan.frame())})


def say_gaps(plan: Plan) -> None:
    """Tell on standard error what cannot be ordered, so that addresses are uncovered for a time."""
    for gap in plan.order.gaps:
        show.error_console().print(f"gap: {printable(gap.reason)}", markup=False)
