"""``vcokit audit``, ``explain`` and ``aggregate``: commands on inventories that need no cloud.

::

    FILE… ──read──▶ routes ──audit──▶ findings ─┬─ on a terminal: tables that fit its width
                                                ├─ in a pipe: the same as plain lines
                                                └─ --format, --output: a format of `vcokit.reports`
"""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vcokit import audit
from vcokit._text import pluralize, printable
from vcokit.cli import ExitCode
from vcokit.cli.console import (
    check_output_paths,
    console,
    dumps,
    error_console,
    findings_by_rule,
    print_note,
    severity,
    table,
    to_csv,
    to_records,
    write_atomic,
    write_stdout,
)
from vcokit.cli.options import (
    AUDIT,
    FILES,
    LIVE,
    CloudOptions,
    Exceptions,
    FailOn,
    Files,
    LiveQuota,
    OutputPath,
    Quota,
    ReadOptions,
    RulesFile,
    load_own_rules,
    quota_of,
    read_connections,
    summary_line,
)
from vcokit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from vcokit.audit.rules import Rule
    from vcokit.reports import Report

#: Default number of findings that are listed on a terminal.
_LISTED: Final = 50
#: Rules that need the data of an option.
_NEEDS: Final = {
    "connections": ("unknown-connection", "wrong-region", "not-attached"),
    "live": ("already-live", "live-conflict"),
}


class Format(StrEnum):
    """Formats of findings, the same as in `vcokit.reports.KINDS`."""

    text = "text"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    sarif = "sarif"
    junit = "junit"
    html = "html"


# ``--rules`` selects rules by name. ``--list-rules`` is a separate option, because ``--rules``
# without names would take the next word, a FILE, as a name.
def audit_command(
    files: Annotated[list[str] | None, typer.Argument(help=FILES, metavar="FILE")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write; its name determines the format."
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"{', '.join(Format)}. Default: by --output, else text.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            metavar="SEVERITY",
            help=f"Exit with 1 if there are such findings, or worse: {', '.join(FailOn)}.",
        ),
    ] = FailOn.error,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="List at most N findings, the worst. Default: depends on the format.",
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="Run these rules only: names with commas between them. Repeatable.",
            rich_help_panel=AUDIT,
        ),
    ] = None,
    rules_file: RulesFile = None,
    list_rules: Annotated[
        bool,
        typer.Option(
            "--list-rules", help="List all rules, also yours; read nothing.", rich_help_panel=AUDIT
        ),
    ] = False,
    live: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Compare with live routes: a file of vcokit live.",
            rich_help_panel=AUDIT,
        ),
    ] = None,
    connections: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Compare with live connections: a file of vcokit live --connections.",
            rich_help_panel=AUDIT,
        ),
    ] = None,
    quota: LiveQuota = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON or SARIF of an earlier audit: show only what is new.",
            rich_help_panel=AUDIT,
        ),
    ] = None,
    exceptions: Exceptions = None,
    today: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="Date for the expiry of exceptions. Default: today.",
            rich_help_panel=AUDIT,
        ),
    ] = None,
    *,
    cloud: CloudOptions,
    read: ReadOptions,
) -> int:
    """Read inventories and list what is wrong or unusual in their rows.

    Example: vcokit audit routes.csv --output findings.html
    """
    from vcokit.reports.report import report_of

    own = load_own_rules(rules_file)
    if list_rules:
        console().print(_rule_table(own))
        return ExitCode.OK
    if not files:
        raise InputError("FILE is missing", remedy="Name an inventory, or - for standard input")
    kind = _kind(output_format, output)  # report a wrong file name before the long work
    check_output_paths(
        {"--output": output}, [*files, live, connections, *(rules_file or ()), baseline, exceptions]
    )
    routes = read.read(files)
    number = _quota(quota, cloud, routes)
    live_routes = None if live is None else ReadOptions(region=read.region).read([live])
    live_connections = None if connections is None else read_connections(connections)
    chosen = [name.strip() for part in rules for name in part.split(",")] if rules else None
    own = [rule for rule in own if chosen is None or rule.name in chosen]
    findings = audit.audit_routes(
        routes,
        live=live_routes,
        connections=live_connections,
        quota=number,
        rules=[*(chosen or ()), *own],
    )
    review = None
    if baseline is not None or exceptions is not None:
        review = audit.review_findings(
            findings, routes, baseline=baseline, exceptions=exceptions, today=today
        )
        findings = review.findings
        for exception in review.expired:
            print_note(f"{exception} has expired and is not applied")
    if kind is None:
        limit = _LISTED if limit is None else limit
        _print_tables(report_of(findings, routes, limit=limit, review=review), limit)
    else:
        options: dict[str, Any] = {"limit": limit, "fail_on": str(fail_on), "review": review}
        if kind == "junit":
            options["skipped"] = _skipped(chosen, live=live_routes, connections=live_connections)
        _write(kind, findings, routes, output, **options)
    return ExitCode.FINDINGS if fail_on.fails(findings) else ExitCode.OK


def _quota(given: str | None, cloud: CloudOptions, routes: pd.DataFrame) -> int | None:
    """Return the quota; connect to the cloud only to read the quota of the account."""
    if given == LIVE:
        with cloud.connect(routes) as client:
            return quota_of(given, client)
    if cloud != CloudOptions():
        raise InputError("an audit needs no cloud", remedy="Add --quota live, or leave it out")
    return quota_of(given, None)


def _rule_table(own: Sequence[Rule]) -> Any:
    """Return all rules as a table: name, severity, origin and meaning."""
    from vcokit.audit.rules import RULES

    rows = [(rule, "built-in") for rule in RULES] + [(rule, "own") for rule in own]
    return table(
        "Rules",
        ("rule", "severity", "from", "meaning"),
        ((rule.name, severity(rule.severity), whose, rule.summary) for rule, whose in rows),
    )


def _skipped(chosen: list[str] | None, **given: object) -> dict[str, str]:
    """Return the rules that do not run, and why: not selected, or without the data they need."""
    from vcokit.audit.rules import RULES

    lacking = {
        rule: f"needs --{option}"
        for option, rules in _NEEDS.items()
        for rule in rules
        if given[option] is None
    }
    if chosen is None:
        return lacking
    rest = {rule.name: "not asked for" for rule in RULES if rule.name not in chosen}
    return lacking | rest


def _kind(asked: Format | None, output: Path | None) -> str | None:
    """Return the format, or None for tables on a terminal; raise if the file cannot be written."""
    from vcokit.reports import kind_of

    if asked is None and output is None:
        return None if sys.stdout.isatty() else "text"
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise InputError(f"{output} cannot be written", remedy="Name a file in an existing folder")
    return kind_of(output) if asked is None and output is not None else str(asked)


def _print_tables(report: Report, limit: int) -> None:
    """Print findings as tables for a terminal; with the file of each if there are several files."""
    from vcokit.reports.tables import finding_rows, limit_note, severity_counts

    screen = console()
    for name, count in report.sources.items():
        screen.print(f"{printable(name)}: {pluralize(count, 'route')}")
    if len(report.findings):
        screen.print()
        screen.print(findings_by_rule(report.findings))
    if len(report.findings) and limit:
        columns, rows = finding_rows(report)
        at = columns.index("severity")
        coloured = ([*row[:at], severity(row[at]), *row[at + 1 :]] for row in rows)
        screen.print()
        screen.print(table(f"Findings{limit_note(report)}", columns, coloured))
    screen.print()
    screen.print(severity_counts(report) if len(report.findings) else "Nothing found.")
    if report.held_back:
        screen.print(report.held_back)


def _write(
    kind: str,
    findings: pd.DataFrame,
    routes: pd.DataFrame,
    output: Path | None,
    *,
    limit: int | None,
    **options: Any,
) -> None:
    """Write findings in one of the formats, to a file or to standard output."""
    from vcokit.reports import KINDS, parts
    from vcokit.reports.report import report_of, worst

    limit = KINDS[kind].limit if limit is None else limit
    options["limit"] = limit
    if kind == "sarif":
        from vcokit.reports.csv_locations import locate_cells

        options |= {"places": locate_cells(worst(findings, limit), routes), "root": Path.cwd()}
    text = parts(kind, findings, routes, **options)
    review = options["review"]
    if output is None:
        write_stdout(text, for_people=kind == "text")
        if kind == "csv" and review is not None:
            print_note(str(review))  # the CSV of findings has no place for the review
        return
    write_atomic(output, text)
    report = report_of(findings, routes, review=review)
    write_stdout(f"{report.summary}: {printable(output)}\n", for_people=True)


class ExplainFormat(StrEnum):
    """Formats of an explanation."""

    text = "text"
    json = "json"


def explain_command(
    address: Annotated[
        str,
        typer.Argument(help="Such as 10.1.2.3, or a prefix 10.1.0.0/16.", metavar="ADDRESS"),
    ],
    files: Files,
    format: Annotated[  # noqa: A002 - the option's name
        ExplainFormat, typer.Option("--format", "-f", help="Format of the output.")
    ] = ExplainFormat.text,
    quota: Quota = None,
    *,
    read: ReadOptions,
) -> None:
    """Say which route wins for an address, and which one takes over if its connection is down.

    No cloud is asked. Findings that concern the address are listed too.

    Example: vcokit explain 10.1.2.3 routes.csv
    """
    found = audit.explain(read.read(files), address, quota=quota)
    if format is ExplainFormat.text:
        write_stdout(f"{found}\n", for_people=True)
        return
    frames = {name: getattr(found, name) for name in ("routes", "if_down", "findings")}
    records = {name: to_records(frame) for name, frame in frames.items()}
    write_stdout(dumps({"address": found.address, **records}) + "\n")


_FIELDS: Final = [
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "weight",
    "description",
]


def aggregate_command(
    files: Files,
    output: OutputPath = None,
    drop_blocked: Annotated[
        bool, typer.Option("--drop-blocked", help="Leave out rows with errors, and repeated rows.")
    ] = False,
    *,
    read: ReadOptions,
) -> int:
    """Write the same forwarding with the fewest destinations.

    For every address the same connections with the same weights win as before, also when one of
    them is down. If rows have errors, nothing is written and the exit code is 1; --drop-blocked
    leaves such rows out.

    Example: vcokit aggregate routes.csv --output fewer.csv
    """
    from vcokit.audit.aggregate import aggregate_routes
    from vcokit.audit.audit import Audit
    from vcokit.audit.plannable import plannable_rows
    from vcokit.inventory import write_routes
    from vcokit.inventory.write import format_of

    check_output_paths({"--output": output}, files)
    if output is not None:
        format_of(output)
    routes = read.read(files)
    rows = plannable_rows(Audit(routes))
    messages = error_console()
    blocked = len(routes) - int(rows.plannable.sum())
    if blocked:
        messages.print(findings_by_rule(rows.findings[rows.findings["severity"] == "error"]))
        messages.print(f"{summary_line(files, routes)}; {blocked:,} have errors or are repeated")
    if blocked and not drop_blocked:
        messages.print("Nothing was written. Correct these rows, or pass --drop-blocked.")
        return ExitCode.FINDINGS
    fewest = aggregate_routes(routes)
    if output is None:
        write_stdout(to_csv(fewest[_FIELDS]))
    else:
        write_routes(fewest, output)
    where = f" → {printable(output)}" if output is not None else ""
    messages.print(f"{summary_line(files, routes)} → {pluralize(len(fewest), 'route')}{where}")
    return ExitCode.OK
