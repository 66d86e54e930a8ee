"""``vcokit audit``: what is wrong, or worth knowing, about inventories.

::

    FILE… ──read──▶ routes ──audit──▶ findings ─┬─ a terminal: tables, as wide as it is
                                                ├─ a pipe: the same as plain lines
                                                └─ --format, --output: a file of `vcokit.reports`
"""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vcokit import schema
from vcokit._text import printable
from vcokit.cli.outputs import keep_apart, put, replace
from vcokit.cli.own_rules import RulesFile, own_rules, rule_table
from vcokit.cli.reading import FILES, Quota, Reading, read_connections, say_note
from vcokit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.audit import Review
    from vcokit.reports import Report

#: Findings that a terminal lists where nobody says how many.
_LISTED: Final = 50
#: Rules that need what an option gives.
_NEEDS: Final = {
    "connections": ("unknown-connection", "wrong-region", "not-attached"),
    "live": ("already-live", "live-conflict"),
}


class FailOn(StrEnum):
    """Least severity of a finding that makes the command fail."""

    error = "error"
    warning = "warning"
    info = "info"
    never = "never"


class Format(StrEnum):
    """Formats of findings, those of `vcokit.reports.KINDS`."""

    text = "text"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    sarif = "sarif"
    junit = "junit"
    html = "html"


def audit_command(
    reading: Reading,
    files: Annotated[list[str] | None, typer.Argument(help=FILES, metavar="FILE")] = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", help="By default what --output ends in, else tables or text."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write, whole or not at all.")] = None,
    live: Annotated[
        str | None, typer.Option(help="File of live routes, as vcokit live writes it.")
    ] = None,
    connections: Annotated[
        str | None,
        typer.Option(help="File of live connections, as vcokit live --connections writes it."),
    ] = None,
    rules: Annotated[
        list[str] | None, typer.Option(help="Rules to run, by name; commas, or repeated.")
    ] = None,
    rules_file: RulesFile = None,
    list_rules: Annotated[
        bool, typer.Option("--list-rules", help="List all rules, yours too, and read nothing.")
    ] = False,
    quota: Quota = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON or SARIF of an earlier audit: show what is new."),
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of agreed exceptions.")
    ] = None,
    today: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="Day by which exceptions are judged.  [default: today]",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Least severity that gives exit code 1.")
    ] = FailOn.error,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Findings listed at most, the worst.  [default: by format]"),
    ] = None,
) -> int:
    """Read inventories and print what is wrong, or worth knowing, about their rows."""
    from vcokit.audit import audit_routes, review_findings
    from vcokit.audit.findings import by_severity
    from vcokit.cli import show

    own = own_rules(rules_file)
    if list_rules:
        show.console().print(rule_table(own))
        return 0
    if not files:
        raise InputError("there is no FILE", remedy="Name an inventory, or - for standard input")
    kind = _kind(output_format, output)  # a wrong name is told before an hour's work
    keep_apart(
        {"--output": output}, [*files, live, connections, *(rules_file or ()), baseline, exceptions]
    )
    routes = reading.read(files)
    known = None if live is None else Reading(region=reading.region).read([live])
    there = None if connections is None else read_connections(connections)
    chosen = [name.strip() for part in rules for name in part.split(",")] if rules else None
    own = [one for one in own if chosen is None or one.name in chosen]
    findings = audit_routes(
        routes, live=known, connections=there, quota=quota, rules=[*(chosen or ()), *own]
    )
    review = None
    if baseline is not None or exceptions is not None:
        held: dict[str, Any] = {"baseline": baseline, "exceptions": exceptions, "today": today}
        review = review_findings(findings, routes, **held)
        findings = review.findings
        for one in review.expired:
            say_note(f"{one} is over, and not applied")
    if kind is None:
        _tables(findings, routes, _LISTED if limit is None else limit, review)
    else:
        options: dict[str, Any] = {"limit": limit, "fail_on": str(fail_on), "review": review}
        if kind == "junit":
            options["skipped"] = _skipped(chosen, live=known, connections=there)
        _write(kind, findings, routes, output, **options)
    return _exit_code(by_severity(findings), fail_on)


def _skipped(chosen: list[str] | None, **given: object) -> dict[str, str]:
    """Return the rules that do not run, and why: not asked for, or without what they look at."""
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
    """Return the format, None for tables on a terminal; raise where nothing can be written."""
    from vcokit.reports import kind_of

    if asked is None and output is None:
        return None if sys.stdout.isatty() else "text"
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise InputError(f"{output} cannot be written", remedy="Name a file in a folder there is")
    return kind_of(output) if asked is None and output is not None else str(asked)


def _tables(
    findings: pd.DataFrame, routes: pd.DataFrame, limit: int, review: Review | None
) -> None:
    from vcokit.cli import show
    from vcokit.reports.facts import report_of
    from vcokit.reports.text import counts

    shown, report = show.console(), report_of(findings, routes, limit=limit, review=review)
    for name, count in report.sources.items():
        shown.print(f"{printable(name)}: {count:,} routes", markup=False)
    if len(findings):
        shown.print()
        shown.print(show.findings_by_rule(findings))
    if len(findings) and limit:
        shown.print()
        shown.print(_listed(report))
    shown.print()
    shown.print(counts(report) if len(findings) else "Nothing found.", markup=False)
    if report.held_back:
        shown.print(report.held_back, markup=False)


def _listed(report: Report) -> Any:
    """Return a table of the worst findings; with the file, where there are several."""
    from vcokit.cli import show
    from vcokit.reports.text import listed, more

    heads, rows = listed(report)
    place = heads.index("severity")
    return show.table(
        f"Findings{more(report)}",
        heads,
        ([*row[:place], show.severity(row[place]), *row[place + 1 :]] for row in rows),
    )


def _write(
    kind: str,
    findings: pd.DataFrame,
    routes: pd.DataFrame,
    output: Path | None,
    *,
    limit: int | None,
    **options: Any,
) -> None:
    """Write findings in a format, to a file or to standard output."""
    from vcokit.reports import KINDS, parts
    from vcokit.reports.facts import report_of, worst

    limit = KINDS[kind].limit if limit is None else limit
    options["limit"] = limit
    if kind == "sarif":
        from vcokit.reports.places import locate

        options |= {"places": locate(worst(findings, limit), routes), "root": Path.cwd()}
    text = parts(kind, findings, routes, **options)
    review = options["review"]
    if output is None:
        put(text, for_people=kind == "text")
        if kind == "csv" and review is not None:
            say_note(str(review))  # a table of findings has no room for it
        return
    replace(output, text)
    put(_written(report_of(findings, routes, review=review), output), for_people=True)


def _written(report: Report, output: Path) -> str:
    return f"{report.summary}: {printable(output)}\n"


def _exit_code(counted: dict[str, int], fail_on: FailOn) -> int:
    if fail_on is FailOn.never:
        return 0
    order = list(schema.SEVERITIES.categories)
    failing = order[order.index(fail_on.value) :]
    return int(any(counted[name] for name in failing))
