"""``vcokit aggregate``: the same forwarding with the fewest destinations, as an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcokit._text import pluralize, printable
from vcokit.audit.aggregate import aggregate_routes
from vcokit.audit.audit import Audit
from vcokit.audit.plannable import plannable_rows
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.outputs import keep_apart, put
from vcokit.cli.reading import Files, Reading, named
from vcokit.cli.tabular import as_csv
from vcokit.inventory import write_routes
from vcokit.inventory.write import format_of

_FIELDS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]


def aggregate_command(
    files: Files,
    reading: Reading,
    output: Annotated[
        Path | None, typer.Option(help="File to write; by default standard output, as CSV.")
    ] = None,
    drop_blocked: Annotated[
        bool, typer.Option("--drop-blocked", help="Leave out rows with errors, and repeats.")
    ] = False,
) -> int:
    """Write the same forwarding with the fewest destinations.

    For every address the same connections with the same weights decide before and after, also when
    one of them is down. Rows with errors have no forwarding: while there are any, nothing is
    written and the exit code is 1, unless --drop-blocked leaves them out.
    """
    keep_apart({"--output": output}, files)
    if output is not None:
        format_of(output)
    routes = reading.read(files)
    rows = plannable_rows(Audit(routes))
    said = show.error_console()
    blocked = len(routes) - int(rows.plannable.sum())
    if blocked:
        errors = rows.findings[rows.findings["severity"] == "error"]
        said.print(show.findings_by_rule(errors))
        said.print(f"{named(files, routes)}, {blocked:,} of them with errors, or repeats")
    if blocked and not drop_blocked:
        said.print("Nothing was written: mend them, or pass --drop-blocked.")
        return Exit.FINDINGS
    fewest = aggregate_routes(routes)
    if output is None:
        put(as_csv(fewest[_FIELDS]))
    else:
        write_routes(fewest, output)
    where = f" → {printable(output)}" if output is not None else ""
    said.print(f"{named(files, routes)} → {pluralize(len(fewest), 'route')}{where}", markup=False)
    return Exit.OK
