"""``vcokit verify``: whether what is live is what an inventory asks for."""

from __future__ import annotations

from typing import Annotated, Final

import pandas as pd
import typer

from vcokit import schema
from vcokit._text import printable
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.own_rules import RulesFile, own_rules
from vcokit.cli.planning import Planning
from vcokit.cli.reach import Reach
from vcokit.cli.reading import Files, Quota, Reading, named
from vcokit.cli.tabular import TableFormat, show_frame
from vcokit.live import live_routes
from vcokit.rollout.reconcile import verify_routes

_PLACE: Final = ("source", "line")


def verify_command(
    files: Files,
    reading: Reading,
    reach: Reach,
    names: Annotated[
        bool, typer.Option("--names", help="Look connections up: names become ids.")
    ] = False,
    allow_unexpected: Annotated[
        bool,
        typer.Option("--allow-unexpected", help="Live routes that no row names are no difference."),
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        TableFormat, typer.Option(help="How differences are shown.")
    ] = TableFormat.table,
    limit: Annotated[int, typer.Option(min=0, help="Differences listed at most.")] = 50,
    quota: Quota = None,
    rules_file: RulesFile = None,
) -> int:
    """Compare what an inventory asks for with what is live.

    Exit code 1 if something is missing, different or unexpected. Rows with errors are passed over.
    """
    own = own_rules(rules_file)
    routes = reading.read(files)
    with reach.connected(routes) as client:
        routes, _ = Planning(names=names).resolved(routes, client)
        live = live_routes(client, routes)
    verdicts = verify_routes(routes, live, quota=quota, rules=own)
    said = show.error_console()
    counts = {str(name): n for name, n in verdicts["verdict"].value_counts().items() if n}
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    said.print(f"{named(files, routes)}; live: {told or 'nothing to compare'}", markup=False)
    for connection, code in schema.unlisted_connections(live).items():
        said.print(f"{printable(connection)}: cannot be listed ({printable(code)})", markup=False)
    differing = verdicts[verdicts["verdict"] != "as planned"]
    if allow_unexpected:
        differing = differing[differing["verdict"] != "unexpected"]
    show_frame(_placed(differing, routes), format, "Differences", limit)
    return Exit.FINDINGS if len(differing) else Exit.OK


def _placed(differing: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
    """Return differences with the file and the line of their rows, where they have one."""
    row = differing["row"]
    at = row.fillna(-1).astype("int64")
    places = {name: routes[name].reset_index(drop=True).reindex(at).array for name in _PLACE}
    return differing.assign(**places)
