"""``vcokit audit``: what is wrong, or worth knowing, about an inventory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vcokit import schema
from vcokit.audit import audit_routes, report
from vcokit.cli import show
from vcokit.inventory import read_routes
from vcokit.plain import visible


class FailOn(StrEnum):
    """Least severity of a finding that makes the command fail."""

    error = "error"
    warning = "warning"
    info = "info"
    never = "never"


def audit_command(
    file: Annotated[Path, typer.Argument(help="Inventory, a CSV file.")],
    quota: Annotated[int | None, typer.Option(min=0, help="Routes a connection may have.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of rows that name none.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Least severity that gives exit code 1.")
    ] = FailOn.error,
    limit: Annotated[int, typer.Option(min=0, help="Findings listed at most.")] = 50,
) -> int:
    """Read an inventory and print what is wrong, or worth knowing, about its rows."""
    shown = show.console()
    routes = read_routes(file, region=region)
    findings = audit_routes(routes, quota=quota)
    counted = report.counts(findings)
    shown.print(f"{visible(file)}: {len(routes):,} routes", markup=False)
    if len(findings):
        shown.print()
        shown.print(show.findings_by_rule(findings))
    if len(findings) and limit:
        shown.print()
        shown.print(show.findings_list(findings, limit))
    shown.print()
    rows = ", ".join(f"{count:,} rows with {name}" for name, count in counted.items())
    shown.print(rows if len(findings) else "Nothing found.", markup=False)
    return _exit_code(counted, fail_on)


def _exit_code(counted: dict[str, int], fail_on: FailOn) -> int:
    if fail_on is FailOn.never:
        return 0
    order = list(schema.SEVERITIES.categories)
    failing = order[order.index(fail_on.value) :]
    return int(any(counted[name] for name in failing))
