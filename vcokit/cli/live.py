"""``vcokit live``: what the cloud holds now, as an inventory to adopt or to compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from vcokit import schema
from vcokit._text import pluralize, printable
from vcokit.cli import show
from vcokit.cli.outputs import keep_apart, put, replace
from vcokit.cli.reach import Reach
from vcokit.cli.reading import FILES, Shape
from vcokit.cli.tabular import as_csv
from vcokit.errors import InputError
from vcokit.inventory import write_routes
from vcokit.inventory.write import format_of
from vcokit.live import live_connections, live_routes

if TYPE_CHECKING:
    from vcokit.cloud.client import Client

_FIELDS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def live_command(
    reach: Reach,
    reading: Shape,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help=f"{FILES} Their connections alone are read."),
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="Region to read; may be repeated.")
    ] = None,
    connections: Annotated[
        bool, typer.Option("--connections", help="The connections, not their routes.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="File to write; by default standard output, as CSV.")
    ] = None,
) -> None:
    """Write what the cloud holds now, as an inventory.

    Destination routes of the connections of some files, or of all connections of some regions.
    What is written can be read, audited, compared and applied like any inventory.
    """
    keep_apart({"--output": output}, [*(files or ()), reach.scenario])
    if output is not None and format_of(output) != "csv" and connections:
        raise InputError(f"{output}: connections are written as CSV", remedy="Name a .csv file")
    routes = reading.read(files) if files else schema.frame(schema.ROUTES)
    with reach.connected(routes) as client:
        found = _found(client, routes if files else None, region, connections=connections)
    unlisted = {} if connections else schema.unlisted_connections(found)
    found = found if connections else _destinations(found)
    what = "connection" if connections else "route"
    if output is None:
        put(as_csv(found))
    elif connections:
        replace(output, [as_csv(found)])
    else:
        write_routes(found, output)
    where = f" → {printable(output)}" if output is not None else ""
    said = show.error_console()
    for connection, code in unlisted.items():
        said.print(f"{printable(connection)}: cannot be listed ({printable(code)})", markup=False)
    said.print(f"{pluralize(len(found), what)}{where}", markup=False)


def _found(
    client: Client, routes: pd.DataFrame | None, region: list[str] | None, *, connections: bool
) -> pd.DataFrame:
    if routes is not None and not connections:
        return live_routes(client, routes)
    there = live_connections(client, routes if routes is not None and not region else region)
    return there if connections else live_routes(client, there)


def _destinations(live: pd.DataFrame) -> pd.DataFrame:
    """Return live routes as an inventory has them; routes learnt by BGP are none."""
    return schema.destination_routes(live)[_FIELDS].reset_index(drop=True)
