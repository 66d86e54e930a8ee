"""``vcokit plan``, ``apply``, ``resume`` and ``undo``: plan a rollout, and run it.

::

    FILE… ──plan──▶ plan ──┬── --save PLAN ──apply──▶┐
                           └── apply ───────────────▶ rollout ──▶ journal ──resume──▶ rollout …
                                                                        ──undo────▶ undo rollout
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
import typer
from rich.console import Console
from rich.text import Text

from vcokit._text import printable
from vcokit.audit import Review, audit_routes, review_findings
from vcokit.audit.rules import Rule
from vcokit.cli import ExitCode
from vcokit.cli.console import (
    check_output_paths,
    console,
    dumps,
    error_console,
    findings_by_rule,
    print_note,
    to_records,
    write_stdout,
)
from vcokit.cli.journals import (
    ResumePoint,
    command_to_resume,
    new_journal,
    require_same_target,
    require_unlocked,
)
from vcokit.cli.options import (
    FILES,
    AllowGap,
    ApprovalOptions,
    CloudOptions,
    Exceptions,
    Expect,
    FailOn,
    FailOnApply,
    FailOnPlan,
    Files,
    Impact,
    JournalPath,
    LiveQuota,
    LogOptions,
    PlanOptions,
    ReadOptions,
    RolloutOptions,
    TakeOver,
    Yes,
    load_own_rules,
    look_up_names,
    quota_of,
    summary_line,
)
from vcokit.cli.run import (
    SummaryWriter,
    confirm,
    require_terminal,
    run_rollout,
)
from vcokit.cloud.client import Client
from vcokit.errors import InputError, StalePlanError
from vcokit.live import live_routes
from vcokit.rollout import plan_text, rehearsal
from vcokit.rollout.fleet_plan import FleetPlan
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan
from vcokit.rollout.plan_io import is_fleet_plan, is_plan
from vcokit.rollout.reconcile import verify_routes
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.undo import undo_plan

#: Colours of the lines of a plan, by the beginning of the line.
_STYLES: Final = {"+ ": "green", "~ ": "yellow", "- ": "red", "! ": "magenta", "# ": "bold"}
_ROUTE: Final = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


class PlanFormat(StrEnum):
    """Formats of a plan."""

    text = "text"
    table = "table"
    diff = "diff"
    markdown = "markdown"
    json = "json"


PlanFormatOption = Annotated[
    PlanFormat,
    typer.Option(
        "--format", "-f", metavar="FORMAT", help=f"Format of the plan: {', '.join(PlanFormat)}."
    ),
]


# -- plan ------------------------------------------------------------------------------------------


def plan_command(
    files: Files,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plan to a file, for vcokit apply."),
    ] = None,
    format: PlanFormatOption = PlanFormat.text,  # noqa: A002 - the option's name
    impact: Impact = False,
    *,
    cloud: CloudOptions,
    exceptions: Exceptions = None,
    fail_on: FailOnPlan = FailOn.never,
    planning: PlanOptions,
    quota: LiveQuota = None,
    read: ReadOptions,
) -> int:
    """Plan what makes the live routes agree with an inventory; send nothing.

    Lines begin with + (create), ~ (modify), - (delete) or ! (blocked, with the reason). The plan
    goes to standard output, messages about it to standard error.

    Example: vcokit plan routes.csv --save plan.jsonl
    """
    check_output_paths({"--save": save}, [*files, cloud.scenario, exceptions])
    own = load_own_rules(planning.rules_file)
    routes = read.read(files)
    with cloud.connect(routes) as client:
        routes, connections = look_up_names(routes, client, names=planning.names)
        number = quota_of(quota, client)
        found = audit_routes(routes, quota=number, connections=connections, rules=own)
        review = reviewed(found, routes, exceptions)
        plan = planning.plan(routes, client, connections, number, own, review or found)
    if save is not None:
        save_plan(plan, save)
    messages = error_console()
    messages.print(summary_line(files, routes))
    print_summary(plan, messages)
    print_plan(plan, format, plan.impact() if impact else None)
    findings = found if review is None else review.findings
    return ExitCode.FINDINGS if fail_on.fails(findings) else ExitCode.OK


def reviewed(
    findings: pd.DataFrame, routes: pd.DataFrame, exceptions: Path | None
) -> Review | None:
    """Return the findings reviewed with a file of exceptions; None if there is no such file."""
    if exceptions is None:
        return None
    review = review_findings(findings, routes, exceptions=exceptions)
    for exception in review.expired:
        print_note(f"{exception} has expired and is not applied")
    return review


def save_plan(plan: Plan | FleetPlan, path: Path) -> None:
    """Write a plan to a file; refuse to overwrite anything other than a plan."""
    known = is_plan(path) or is_fleet_plan(path)
    if path.is_file() and path.stat().st_size and not known:
        raise InputError(f"{path}: exists and is not a plan", remedy="Name another --save")
    plan.save(path)


def print_plan(
    plan: Plan | FleetPlan, form: PlanFormat, impact: pd.DataFrame | None = None
) -> None:
    """Print a plan; colour its lines if the format is text and the output is a terminal."""
    if form is PlanFormat.json:
        gaps = list(_gaps(plan))
        facts = {"fingerprint": plan.fingerprint, "actions": plan.counts, "gaps": gaps}
        facts |= {} if impact is None else {"impact": to_records(impact)}
        write_stdout(dumps({**facts, "steps": to_records(plan.frame())}) + "\n")
    elif form is PlanFormat.text and sys.stdout.isatty():
        for line in plan.text().splitlines():
            console().print(Text(line, style=_STYLES.get(line[:2], "")), soft_wrap=True)
    else:
        write_stdout(f"{getattr(plan, form.value)()}\n", for_people=True)
    if impact is not None and form is not PlanFormat.json:
        text = plan_text.impact(impact)
        if form is PlanFormat.markdown:
            text = plan_text.fenced(text)
        write_stdout(f"\n{text}\n", for_people=True)


def _gaps(plan: Plan | FleetPlan) -> Iterator[dict[str, Any]]:
    """Yield the gaps of a plan; of a fleet, each with its member."""
    for member, one in [("", plan)] if isinstance(plan, Plan) else plan.items():
        of_whom = {"member": member} if member else {}
        for gap in one.order.gaps:
            yield {**of_whom, "steps": list(gap.steps), "reason": gap.reason}


def print_summary(plan: Plan | FleetPlan, console: Console) -> None:
    """Print a plan in one line, then its gaps.

    A gap is a set of steps that cannot be ordered so that all addresses stay covered.
    """
    console.print(f"Plan {plan.fingerprint[:12]}: {plan}")
    for gap in _gaps(plan):
        of = f"{printable(gap['member'])}: " if "member" in gap else ""
        error_console().print(f"gap: {of}{printable(gap['reason'])}")


# -- apply and resume ------------------------------------------------------------------------------


def apply_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|PLAN", help=f"{FILES} Or one saved plan.")
    ],
    yes: Yes = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Journal to make. Default: named after FILE, with .rollout.db."
        ),
    ] = None,
    *,
    approved: ApprovalOptions,
    cloud: CloudOptions,
    exceptions: Exceptions = None,
    expect: Expect = None,
    fail_on: FailOnApply = FailOn.never,
    log: LogOptions,
    pace: RolloutOptions,
    planning: PlanOptions,
    allow_gap: AllowGap = False,
    quota: LiveQuota = None,
    read: ReadOptions,
) -> int:
    """Read, audit, plan, apply and verify an inventory, or apply a saved plan.

    Rows with errors are left out and listed. The others are sent when you confirm, or at once
    with --yes. A saved plan is sent only if the live routes have not changed since it was made.

    Example: vcokit apply routes.csv --simulate
    """
    with SummaryWriter(log, *files, cloud.scenario, exceptions, journal=journal) as summary:
        screen, ask = console(), not (yes or cloud.simulated)
        wishes = pace.arguments() | approved.arguments()
        check_fingerprint(expect)
        plan = summary.plan = _saved_plan(files)
        path = new_journal(journal, files, simulated=cloud.simulated)
        summary.set_journal(path)
        if plan is not None:
            planning.refuse_with_plan(read, quota, exceptions)
            if plan.simulated and not cloud.may_be_simulated:
                rehearsal.refuse_plan(plan.simulated, client=False)
        cloud.check()
        if ask:
            require_terminal()
        own = load_own_rules(planning.rules_file)
        routes = read.read(files, summary.print_note) if plan is None else _wanted(plan)
        if plan is None:
            screen.print(summary_line(files, routes))
        live = None if plan is None else plan.live
        with cloud.connect(routes, live, on_note=summary.print_note) as client:
            if plan is not None:
                rehearsal.refuse_plan(plan.simulated, client=client.simulated)
            else:
                routes, connections = look_up_names(routes, client, names=planning.names)
                number = quota_of(quota, client, summary.print_note)
                found = audit_routes(routes, quota=number, connections=connections, rules=own)
                review = reviewed(found, routes, exceptions)
                findings = found if review is None else review.findings
                if len(findings):
                    screen.print(findings_by_rule(findings))
                if review is not None:
                    screen.print(f"Findings: {review}")
                if fail_on.fails(findings):
                    screen.print("Nothing was sent.")
                    return summary.finish(ExitCode.FINDINGS)
                plan = summary.plan = planning.plan(
                    routes, client, connections, number, own, review or found
                )
            print_summary(plan, screen)
            require_expected(plan, expect)
            if not confirm(plan, ask=ask):
                screen.print("Nothing was sent.")
                return summary.finish(ExitCode.OK)
            rollout = Rollout(plan, client, journal=path, allow_gap=allow_gap, **wishes)

            code = run_rollout(
                rollout,
                client,
                screen,
                summary,
                resume_command=command_to_resume(path, cloud.resume_args),
                verify=lambda: _verify(routes, client, own),
            )
            return summary.finish(code)


def check_fingerprint(text: str | None) -> None:
    """Raise if a text cannot be the beginning of a fingerprint."""
    if text is not None and not re.fullmatch("[0-9a-f]{12,64}", text):
        raise InputError(
            f"--expect {printable(text)}: not a fingerprint",
            remedy="Copy at least its first 12 digits from vcokit plan",
        )


def require_expected(plan: Plan | FleetPlan, expect: str | None) -> None:
    """Raise if a plan is not the one that was approved."""
    if expect is not None and not plan.fingerprint.startswith(expect):
        raise StalePlanError(
            f"the plan is {plan.fingerprint[:12]}, and not {expect[:12]}, which --expect names",
            remedy="Look at the new plan with vcokit plan, and get it approved",
        )


def _saved_plan(files: Sequence[str]) -> Plan | None:
    """Return the plan of a file; None if the file is not a plan."""
    if is_fleet_plan(files[0]):
        raise InputError(
            f"{files[0]}: this is the plan of many accounts", remedy="Use vcokit fleet apply"
        )
    if len(files) != 1 or files[0] == "-" or not is_plan(files[0]):
        return None  # reading it as an inventory reports what is wrong with it, if anything
    return Plan.load(files[0])


def _wanted(plan: Plan) -> pd.DataFrame:
    """Return the routes that the steps of a plan create, modify or keep."""
    steps = plan.frame()
    return steps[steps["action"].isin(["create", "modify", "keep"])][_ROUTE].reset_index(drop=True)


def _verify(routes: pd.DataFrame, client: Client, own: Sequence[Rule]) -> None:
    """Print how the live routes differ from the wanted routes.

    This does not change the exit code, which depends on the steps only.
    """
    differences = verify_routes(routes, live_routes(client, routes), rules=own)
    verdicts = differences["verdict"].value_counts()
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items() if count)
    console().print(f"Verified live: {counts or 'no routes to verify'}")


def resume_command(
    journal: JournalPath,
    *,
    cloud: CloudOptions,
    take_over: TakeOver = False,
    log: LogOptions,
    pace: RolloutOptions,
) -> int:
    """Resume a rollout that was interrupted or stopped.

    Options that you leave out keep the values that the rollout was begun with. With --simulate,
    the simulator holds the routes that are done according to the journal.

    Example: vcokit resume routes.rollout.db
    """
    with SummaryWriter(log, cloud.scenario, journal=journal) as summary:
        summary.set_journal(journal)
        screen, wishes, point = console(), pace.arguments(), ResumePoint.of(journal)
        summary.plan = point.plan
        require_same_target(journal, cloud)
        print_summary(point.plan, screen)
        if not len(point.left):
            if take_over:
                Journal.open(journal, take_over=True).close()
            return summary.finish(_nothing_left(journal, screen))
        with cloud.connect(point.routes, point.live, on_note=summary.print_note) as client:
            rollout = Rollout.open(journal, client, take_over=take_over, **wishes)
            code = run_rollout(
                rollout,
                client,
                screen,
                summary,
                resume_command=command_to_resume(journal, cloud.resume_args),
                left=point.left,
            )
            return summary.finish(code)


def _nothing_left(journal: Path, console: Console) -> ExitCode:
    """Print that a rollout has no steps left; return the exit code with which it ended."""
    with Journal.read(journal) as read:
        require_unlocked(read)
        states = read.steps()["state"].value_counts()
    counts = ", ".join(f"{number:,} {name}" for name, number in states.items() if number)
    console.print(f"Nothing is left to do: {counts or 'no steps'}. Nothing was sent.")
    failed = states.get("failed", 0) + states.get("skipped", 0)
    return ExitCode.FAILED if failed else ExitCode.OK


# -- undo ------------------------------------------------------------------------------------------


def undo_command(
    journal: JournalPath,
    yes: Yes = False,
    *,
    undo_journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Journal to make. Default: named after JOURNAL, with .undo.db."
        ),
    ] = None,
    approved: ApprovalOptions,
    cloud: CloudOptions,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plan to a file and send nothing."),
    ] = None,
    format: PlanFormatOption = PlanFormat.text,  # noqa: A002 - the option's name
    take_over: TakeOver = False,
    log: LogOptions,
    pace: RolloutOptions,
    allow_gap: AllowGap = False,
) -> int:
    """Undo a rollout.

    The plan is shown first. Steps that the journal cannot prove are listed as blocked and left
    alone. Undo has a journal of its own: it can be resumed, and undone too.

    Example: vcokit undo routes.rollout.db
    """
    with SummaryWriter(log, cloud.scenario, journal, journal=undo_journal, save=save) as summary:
        screen, wishes = console(), pace.arguments() | approved.arguments()
        require_same_target(journal, cloud)
        if take_over:
            Journal.open(journal, take_over=True).close()
        # Open the journal for reading only: undo does not change it.
        with Journal.read(journal) as read:
            read.check()
            require_unlocked(read)
            steps, calls, quota = read.steps(), read.calls(), read.plan().quota
            simulated, rollout_id = read.simulated, read.meta()["rollout_id"]
        point = ResumePoint.of(journal)
        path = undo_journal or journal.with_suffix(".undo.db")
        if save is None:
            new_journal(path, [], simulated=cloud.simulated, option="--undo-journal")
            summary.set_journal(path)
        with cloud.connect(point.routes, point.live, on_note=summary.print_note) as client:
            rehearsal.refuse_journal(journal, simulated, client=client.simulated)
            live = live_routes(client, point.routes)
            plan = summary.plan = undo_plan(steps, calls, live, quota=quota, rollout_id=rollout_id)
            if save is not None:
                # Save the plan before it is printed: the reader of the output may close it early.
                save_plan(plan, save)
            if len(plan):
                print_plan(plan, format)
            print_summary(plan, screen)
            if save is not None:
                return summary.finish(ExitCode.OK)
            if not confirm(plan, ask=not (yes or cloud.simulated)):
                screen.print("Nothing was sent.")
                return summary.finish(ExitCode.OK)
            rollout = Rollout(plan, client, journal=path, allow_gap=allow_gap, **wishes)
            code = run_rollout(
                rollout,
                client,
                screen,
                summary,
                resume_command=command_to_resume(path, cloud.resume_args),
            )
            return summary.finish(code)
