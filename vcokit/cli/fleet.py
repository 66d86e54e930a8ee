"""``vcokit fleet plan``, ``apply``, ``resume``, ``status``, ``report`` and ``undo``: many accounts.

::

    FILE… ──plan──▶ plan ──┬── --save PLAN ──apply──▶┐
                           └── apply ───────────────▶ directory ──resume──▶ …
                                                          │ └──────undo──▶ directory of the undo
                                                          └── status, report

The inventory has a column ``account``. The file of ``--fleet`` says how to connect to each account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
import typer
from rich.console import Console
from rich.text import Text

from vcokit import schema
from vcokit._text import duration, pluralize, printable
from vcokit.audit import Review, audit_routes
from vcokit.cli import ExitCode
from vcokit.cli.console import (
    check_output_paths,
    coloured_counts,
    console,
    dumps,
    error_console,
    findings_by_rule,
    table,
    write_stdout,
)
from vcokit.cli.inspect import ReportFormat, ReportOutput, write_record
from vcokit.cli.journals import (
    ResumePoint,
    command_to_resume,
    require_same_target,
    require_unlocked,
    resume_args_of,
)
from vcokit.cli.members import (
    FleetSummary,
    fleet_facts,
    members_of,
    members_table,
    run_fleet,
)
from vcokit.cli.options import (
    FILES,
    AllowGap,
    ApprovalOptions,
    DeleteOptions,
    Exceptions,
    Expect,
    FailOn,
    FailOnApply,
    FailOnPlan,
    Files,
    FleetCloudOptions,
    FleetOptions,
    Impact,
    LogOptions,
    MemberOptions,
    Quota,
    ReadOptions,
    Summary,
    TakeOver,
    Yes,
    load_own_rules,
    summary_line,
)
from vcokit.cli.rollout import (
    PlanFormat,
    PlanFormatOption,
    check_fingerprint,
    print_plan,
    print_summary,
    require_expected,
    reviewed,
    save_plan,
)
from vcokit.cli.run import confirm, require_terminal
from vcokit.errors import InputError
from vcokit.reports.fleet_record import fleet_record
from vcokit.rollout import rehearsal
from vcokit.rollout.fleet import Connect, Fleet
from vcokit.rollout.fleet_directory import FILE, refuse_existing
from vcokit.rollout.fleet_plan import ACCOUNT, FleetPlan, plan_fleet
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan_io import is_fleet_plan, is_plan
from vcokit.rollout.steps import LIVE_COLUMNS, Action

_COMMAND: Final = "vcokit fleet"
#: Most members that are listed before the user confirms.
_LISTED: Final = 20
#: Most members that an error names.
_NAMED: Final = 3

FleetPath = Annotated[Path, typer.Argument(help="Directory of a fleet.", metavar="DIRECTORY")]
NewDirectory = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Directory to make. It has a journal for each member."),
]


# -- plan ------------------------------------------------------------------------------------------


def plan_command(
    files: Files,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plan to a file, for vcokit fleet apply."),
    ] = None,
    format: PlanFormatOption = PlanFormat.text,  # noqa: A002 - the option's name
    impact: Impact = False,
    *,
    cloud: FleetCloudOptions,
    exceptions: Exceptions = None,
    fail_on: FailOnPlan = FailOn.never,
    planning: DeleteOptions,
    quota: Quota = None,
    read: ReadOptions,
) -> int:
    """Plan what makes the live routes of many accounts agree with an inventory; send nothing.

    The column account of the inventory names the member of each row. The plan has a part for each
    member, and one fingerprint.

    Example: vcokit fleet plan routes.csv --save plan.jsonl
    """
    check_output_paths({"--save": save}, [*files, cloud.file, exceptions])
    routes = read.read(files)
    with cloud.connect(routes) as clients:
        plan, findings = _planned(routes, clients, planning, quota, exceptions)
    if save is not None:
        save_plan(plan, save)
    messages = error_console()
    messages.print(summary_line(files, routes))
    print_summary(plan, messages)
    print_plan(plan, format, plan.impact() if impact else None)
    return ExitCode.FINDINGS if fail_on.fails(_unaccepted(findings)) else ExitCode.OK


def _planned(
    routes: pd.DataFrame,
    clients: Mapping[str, Connect],
    planning: DeleteOptions,
    quota: int | None,
    exceptions: Path | None,
) -> tuple[FleetPlan, pd.DataFrame | Review]:
    """Return the plan of an inventory, and its findings."""
    schema.require_columns(routes, (ACCOUNT,), what="routes of a fleet")
    own = load_own_rules(planning.rules_file)
    found = audit_routes(routes, quota=quota, scope=[ACCOUNT, "region_id"], rules=own)
    findings = reviewed(found, routes, exceptions) or found
    options = {"findings": findings, "quota": quota, "rules": own, **planning.arguments()}
    return plan_fleet(routes, clients, **options), findings


def _unaccepted(findings: pd.DataFrame | Review) -> pd.DataFrame:
    return findings.findings if isinstance(findings, Review) else findings


# -- apply and resume ------------------------------------------------------------------------------


def apply_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|PLAN", help=f"{FILES} Or one saved plan.")
    ],
    directory: NewDirectory,
    yes: Yes = False,
    *,
    approved: ApprovalOptions,
    cloud: FleetCloudOptions,
    exceptions: Exceptions = None,
    expect: Expect = None,
    fail_on: FailOnApply = FailOn.never,
    summary_file: Summary = None,
    pace: FleetOptions,
    planning: DeleteOptions,
    allow_gap: AllowGap = False,
    quota: Quota = None,
    read: ReadOptions,
) -> int:
    """Plan and apply an inventory of many accounts, or apply a saved plan.

    Rows with errors are left out and listed. The others are sent when you confirm, or at once
    with --yes. Members whose live routes have changed since a saved plan was made send nothing.

    Example: vcokit fleet apply routes.csv --directory rollout-2026-12 --waves 1,5,rest
    """
    needed = (*files, cloud.file, exceptions)
    with FleetSummary(LogOptions(summary=summary_file), *needed) as summary:
        summary.directory = directory
        screen, ask = console(), not (yes or cloud.simulate)
        wishes = {**pace.arguments(), **approved.arguments(), "allow_gap": allow_gap}
        cloud.check()
        check_fingerprint(expect)
        plan = summary.plan = _saved_plan(files)
        refuse_existing(directory)
        if plan is not None:
            planning.refuse_with_plan(read, quota, exceptions)
            _refuse_plan(plan, cloud)
        if ask:
            require_terminal()
        routes = read.read(files, summary.print_note) if plan is None else _wanted(plan)
        live = None if plan is None else _live(plan)
        with cloud.connect(routes, live, on_note=summary.print_note) as clients:
            if plan is None:
                screen.print(summary_line(files, routes))
                plan, findings = _planned(routes, clients, planning, quota, exceptions)
                summary.plan = plan
                left = _unaccepted(findings)
                if len(left):
                    screen.print(findings_by_rule(left))
                if isinstance(findings, Review):
                    screen.print(f"Findings: {findings}")
                if fail_on.fails(left):
                    screen.print("Nothing was sent.")
                    return summary.finish(ExitCode.FINDINGS)
            _require_members(plan, clients, cloud)
            print_summary(plan, screen)
            _print_members(plan, screen)
            require_expected(plan, expect)
            return summary.finish(_carry_out(plan, clients, summary, cloud, ask=ask, **wishes))


def _carry_out(
    plan: FleetPlan,
    clients: Mapping[str, Connect],
    summary: FleetSummary,
    cloud: FleetCloudOptions,
    *,
    ask: bool,
    **wishes: Any,
) -> ExitCode:
    """Ask, and carry out a plan in a new directory."""
    screen, directory = console(), summary.directory
    if directory is None or not confirm(plan, ask=ask):
        screen.print("Nothing was sent.")
        return ExitCode.OK
    fleet = Fleet(plan, clients, directory=directory, **wishes)
    again = command_to_resume(directory, cloud.resume_args, command=_COMMAND)
    return run_fleet(fleet, screen, summary, resume_command=again)


def _print_members(plan: FleetPlan, screen: Console) -> None:
    more = f", the first {_LISTED} of {len(plan):,}" if len(plan) > _LISTED else ""
    actions = list(schema.ACTIONS.categories)
    rows = [(name, *(one.counts[each] for each in actions)) for name, one in plan.items()]
    screen.print(table(f"Members{more}", ["member", *actions], rows[:_LISTED]))


def _saved_plan(files: Sequence[str]) -> FleetPlan | None:
    """Return the plan of a file; None if the file is not the plan of a fleet."""
    if len(files) == 1 and is_fleet_plan(files[0]):
        return FleetPlan.load(files[0])
    if is_plan(files[0]):
        raise InputError(f"{files[0]}: this is the plan of one account", remedy="Use vcokit apply")
    return None


def _refuse_plan(plan: FleetPlan, cloud: FleetCloudOptions) -> None:
    """Refuse a plan of a simulator in the cloud, before anything is connected."""
    if not cloud.may_be_simulated:
        for one in plan.values():
            rehearsal.refuse_plan(one.simulated, client=False)


def _wanted(plan: FleetPlan) -> pd.DataFrame:
    """Return the routes of the steps that are not blocked, with their accounts."""
    steps = plan.frame()
    steps = steps[steps["action"] != Action.BLOCKED]
    return steps[["member", *LIVE_COLUMNS]].rename(columns={"member": ACCOUNT})


def _live(plan: FleetPlan) -> pd.DataFrame:
    return pd.concat([one.live for one in plan.values()], ignore_index=True)


def _require_members(
    members: Iterable[str], clients: Mapping[str, Connect], cloud: FleetCloudOptions
) -> None:
    """Refuse members that the file of members does not have."""
    missing = [name for name in members if name not in clients]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InputError(
            f"{cloud.file}: has no member {', '.join(missing[:_NAMED])}{more}",
            remedy=f"Add a table [members.{missing[0]}]",
        )


def resume_command(
    directory: FleetPath,
    *,
    cloud: FleetCloudOptions,
    take_over: TakeOver = False,
    summary_file: Summary = None,
    pace: MemberOptions,
) -> int:
    """Resume a fleet that was interrupted or stopped.

    Members that are done are not begun again. Options that you leave out keep the values that the
    fleet was begun with. With --simulate, the simulator holds the routes that are done according
    to the journals.

    Example: vcokit fleet resume rollout-2026-12
    """
    with FleetSummary(LogOptions(summary=summary_file), cloud.file) as summary:
        summary.directory = directory
        screen, wishes = console(), pace.arguments()
        cloud.check()
        fleet = Fleet.read(directory)
        points = _points(directory, fleet, cloud)
        plan = summary.plan = FleetPlan({name: point.plan for name, point in points.items()})
        print_summary(plan, screen)
        members = members_of(fleet)
        if not members["left"].any():
            counts = fleet_facts(members, 0)["members"]
            said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            screen.print(f"Nothing is left to do: {said}. Nothing was sent.")
            return summary.finish(ExitCode.FAILED if "failed" in counts else ExitCode.OK)
        with _connected(points, cloud, summary) as clients:
            opened = Fleet.open(directory, clients, take_over=take_over, **wishes)
            again = command_to_resume(directory, cloud.resume_args, command=_COMMAND)
            return summary.finish(run_fleet(opened, screen, summary, resume_command=again))


def _points(directory: Path, fleet: Fleet, cloud: FleetCloudOptions) -> dict[str, ResumePoint]:
    """Return what the journals of a fleet contain; refuse those of another cloud."""
    for name in fleet.members:
        require_same_target(fleet.journal(name), cloud, fleet=directory)
    return {name: ResumePoint.of(fleet.journal(name)) for name in fleet.members}


@contextmanager
def _connected(
    points: Mapping[str, ResumePoint], cloud: FleetCloudOptions, summary: FleetSummary
) -> Iterator[Mapping[str, Connect]]:
    """Yield how to connect to the members of a fleet that exists."""
    routes = [point.routes.assign(**{ACCOUNT: name}) for name, point in points.items()]
    live = [point.live for point in points.values()]
    given = (pd.concat(frames, ignore_index=True) for frames in (routes, live))
    with cloud.connect(*given, on_note=summary.print_note) as clients:
        _require_members(points, clients, cloud)
        yield clients


# -- status and report -----------------------------------------------------------------------------


def status_command(
    directory: FleetPath,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="List at most N members, the worst.")
    ] = 20,
) -> None:
    """Show the state of a fleet, also while it runs, without a key.

    The journals are only read: a running fleet is not disturbed.

    Example: vcokit fleet status rollout-2026-12
    """
    fleet = Fleet.read(directory)
    members = members_of(fleet)
    facts = _status_facts(directory, fleet, members, limit)
    if json:
        write_stdout(f"{dumps(facts)}\n")
        return
    screen = console()
    rehearsed = ", on a simulator" if facts["simulated"] else ""
    screen.print(f"{printable(directory)}: {facts['state']}{rehearsed}")
    screen.print(Text("members  ") + coloured_counts(facts["members"]))
    if facts["states"]:
        screen.print(Text("steps    ") + coloured_counts(facts["states"]))
    left = f"left     {pluralize(facts['left'], 'step')}"
    if facts["seconds_left"] is not None:
        left += f", about {duration(facts['seconds_left'])} left"
    screen.print(left)
    if facts["resume"]:
        screen.print(f"Resume with: {facts['resume']}", soft_wrap=True)
    screen.print(members_table("Members", members, limit))


def _status_facts(
    directory: Path, fleet: Fleet, members: pd.DataFrame, limit: int
) -> dict[str, Any]:
    """Return the state of a fleet as plain values."""
    facts = fleet_facts(members, limit)
    with Journal.read(fleet.journal(fleet.members[0])) as journal:
        simulated, resume_args = journal.simulated, resume_args_of(journal)
    resumable = facts["left"] and facts["state"] not in ("running", "stale")
    again = command_to_resume(directory, resume_args, command=_COMMAND)
    return {
        "directory": str(directory),
        "simulated": simulated,
        **facts,
        "seconds_left": _seconds_left(members),
        "resume": again if resumable else None,
    }


def _seconds_left(members: pd.DataFrame) -> int | None:
    """Return the time until the last step ends, if the pace of all that run stays the same."""
    running = members[(members["outcome"] == "running") & (members["seconds_left"] > 0)]
    pace = (running["left"] / running["seconds_left"]).sum()
    return round(members["left"].sum() / pace) if pace else None


def report_command(
    directory: FleetPath,
    output: ReportOutput = None,
    format: ReportFormat = None,  # noqa: A002 - the option's name
) -> None:
    """Write the record of a change of many accounts: what was requested, approved and done.

    It has the members, the steps of all of them, and what failed. The record of one member is that
    of its journal: vcokit report DIRECTORY/berlin.db.

    Example: vcokit fleet report rollout-2026-12 --output change.html
    """
    fleet = Fleet.read(directory)
    needed = [directory / FILE]
    check_output_paths({"--output": output}, needed, journals=map(fleet.journal, fleet.members))
    write_record(fleet_record(directory), output, format)


# -- undo ------------------------------------------------------------------------------------------


def undo_command(
    source: FleetPath,
    yes: Yes = False,
    *,
    directory: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory to make. It is needed, unless --save is."),
    ] = None,
    approved: ApprovalOptions,
    cloud: FleetCloudOptions,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plan to a file and send nothing."),
    ] = None,
    format: PlanFormatOption = PlanFormat.text,  # noqa: A002 - the option's name
    summary_file: Summary = None,
    pace: FleetOptions,
    allow_gap: AllowGap = False,
) -> int:
    """Undo a fleet, in a directory of its own.

    The plan is shown first. Steps that a journal cannot prove are listed as blocked and left alone.
    The undo can be resumed, and undone too.

    Example: vcokit fleet undo rollout-2026-12 --directory undo-2026-12
    """
    with FleetSummary(LogOptions(summary=summary_file), cloud.file, save=save) as summary:
        screen = console()
        wishes = {**pace.arguments(), **approved.arguments(), "allow_gap": allow_gap}
        cloud.check()
        if save is None:
            if directory is None:
                raise InputError("no --directory", remedy="Name one, or --save FILE to only plan")
            refuse_existing(directory)
            summary.directory = directory
        fleet = Fleet.read(source)
        points = _points(source, fleet, cloud)
        for name in fleet.members:
            with Journal.read(fleet.journal(name)) as journal:
                require_unlocked(journal)
        with _connected(points, cloud, summary) as clients:
            plan = summary.plan = FleetPlan(Fleet.open(source, clients).undo())
            if not plan:
                screen.print("There is nothing to undo. Nothing was sent.")
                return summary.finish(ExitCode.OK)
            if save is not None:
                # Save the plan before it is printed: the reader of the output may close it early.
                save_plan(plan, save)
            print_plan(plan, format)
            print_summary(plan, screen)
            ask = not (yes or cloud.simulate)
            return summary.finish(_carry_out(plan, clients, summary, cloud, ask=ask, **wishes))
