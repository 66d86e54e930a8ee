"""``vcokit live``, ``verify``, ``diff``, ``status`` and ``report``: commands that only read.

Messages go to standard error, so that standard output contains only the routes or the differences.
"""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import pandas as pd
import typer

from vcokit import schema
from vcokit._text import duration, pluralize, printable
from vcokit.audit.audit import Audit
from vcokit.audit.plannable import plannable_rows
from vcokit.cli import ExitCode
from vcokit.cli.console import (
    FAILED,
    TableFormat,
    check_output_paths,
    console,
    dumps,
    error_console,
    print_frame,
    print_note,
    steps_not_done,
    to_csv,
    to_records,
    write_atomic,
    write_stdout,
)
from vcokit.cli.journals import command_to_resume, resume_args_of
from vcokit.cli.options import (
    FILES,
    CloudOptions,
    FileOptions,
    Files,
    JournalPath,
    Limit,
    LiveQuota,
    Names,
    OutputPath,
    ReadOptions,
    RulesFile,
    load_own_rules,
    look_up_names,
    quota_of,
    summary_line,
)
from vcokit.contract import TUNNEL_UP
from vcokit.errors import InputError
from vcokit.inventory import write_routes
from vcokit.inventory.write import format_of
from vcokit.live import live_connections, live_router_routes, live_routes, live_tunnels
from vcokit.reports.record import ChangeRecord, change_record, kind_of_record
from vcokit.rollout.journal import Journal
from vcokit.rollout.reconcile import verify_routes

if TYPE_CHECKING:
    from vcokit.cloud.client import Client

TableFormatOption = Annotated[
    TableFormat, typer.Option("--format", "-f", help="Format of the differences.")
]

# -- live ------------------------------------------------------------------------------------------

_FIELDS: Final = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def live_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help=f"{FILES} Only their connections are used."),
    ] = None,
    output: OutputPath = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="REGION", help="Region to read. Repeatable."),
    ] = None,
    connections: Annotated[
        bool, typer.Option("--connections", help="Write the connections, not their routes.")
    ] = False,
    *,
    cloud: CloudOptions,
    read: FileOptions,
) -> None:
    """Write what the cloud holds now, as an inventory.

    These are the destination routes of the connections of some files, or of all connections of
    some regions. The result can be read, audited, compared and applied like any inventory.

    Example: vcokit live --region cn-hangzhou --output live.csv
    """
    check_output_paths({"--output": output}, [*(files or ()), cloud.scenario])
    if output is not None and format_of(output) != "csv" and connections:
        raise InputError(f"{output}: connections are written as CSV", remedy="Name a .csv file")
    routes = read.read(files) if files else schema.frame(schema.ROUTES)
    with cloud.connect(routes) as client:
        found = _find(client, routes if files else None, region, connections=connections)
    unlisted = {} if connections else schema.unlisted_connections(found)
    if not connections:  # an inventory does not contain routes that were learnt by BGP
        found = schema.destination_routes(found).reset_index(drop=True)
        # Live routes have a type; with it, the Terraform file also imports them.
        is_terraform = output is not None and format_of(output) == "terraform"
        found = found[[*_FIELDS, "route_entry_type"] if is_terraform else _FIELDS]
    if output is None:
        write_stdout(to_csv(found))
    elif connections:
        write_atomic(output, [to_csv(found)])
    else:
        write_routes(found, output)
    _print_unlisted(unlisted)
    where = f" → {printable(output)}" if output is not None else ""
    thing = "connection" if connections else "route"
    error_console().print(f"{pluralize(len(found), thing)}{where}")


def _find(
    client: Client, routes: pd.DataFrame | None, region: list[str] | None, *, connections: bool
) -> pd.DataFrame:
    if routes is not None and not connections:
        return live_routes(client, routes)
    found = live_connections(client, routes if routes is not None and not region else region)
    return found if connections else live_routes(client, found)


def _print_unlisted(unlisted: dict[Any, Any]) -> None:
    for connection, code in unlisted.items():
        error_console().print(f"{printable(connection)}: cannot be listed ({printable(code)})")


# -- verify ----------------------------------------------------------------------------------------


def verify_command(
    files: Files,
    format: TableFormatOption = TableFormat.table,  # noqa: A002 - the option's name
    *,
    cloud: CloudOptions,
    limit: Limit = 50,
    allow_unexpected: Annotated[
        bool,
        typer.Option("--allow-unexpected", help="Accept live routes that no row names."),
    ] = False,
    quota: LiveQuota = None,
    tunnels: Annotated[
        bool,
        typer.Option("--tunnels", help="Check whether tunnels are up, and report why not."),
    ] = False,
    transit_router: Annotated[
        bool,
        typer.Option(
            "--transit-router", help="Check whether routes are in the tables of transit routers."
        ),
    ] = False,
    rules_file: RulesFile = None,
    names: Names = False,
    read: ReadOptions,
) -> int:
    """Compare what an inventory asks for with what is live.

    The exit code is 1 if a route is missing, different or unexpected, has its tunnels down
    (--tunnels), or is not in the transit router (--transit-router). Rows with errors are not
    compared.

    Example: vcokit verify routes.csv --format csv
    """
    own = load_own_rules(rules_file)
    routes = read.read(files)
    with cloud.connect(routes) as client:
        routes, _ = look_up_names(routes, client, names=names)
        live = live_routes(client, routes)
        verdicts = verify_routes(
            routes,
            live,
            quota=quota_of(quota, client),
            rules=own,
            tunnels=_tunnels(client, routes) if tunnels else None,
            router_routes=_router_routes(client, routes) if transit_router else None,
        )
    counts = _listed(_counts(verdicts["verdict"]), "nothing to compare")
    error_console().print(f"{summary_line(files, routes)}; live: {counts}")
    _print_unlisted(schema.unlisted_connections(live))
    differences = verdicts[~verdicts["verdict"].isin(["as planned", "weight unknown"])]
    if allow_unexpected:
        differences = differences[differences["verdict"] != "unexpected"]
    # Add the file and line of each row, if known.
    row = differences["row"].fillna(-1).astype("int64")
    places = {
        name: routes[name].reset_index(drop=True).reindex(row).array for name in ("source", "line")
    }
    print_frame(differences.assign(**places), format, "Differences", limit)
    return ExitCode.FINDINGS if len(differences) else ExitCode.OK


def _tunnels(client: Client, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the tunnels of the connections in `routes`; print those that are down, and why."""
    found = live_tunnels(client, routes)
    down = found[found["status"].notna() & (found["status"] != TUNNEL_UP)]
    for row in to_records(down):
        name = row["vpn_connection_id"]
        if row["tunnel_id"]:
            name = f"{row['tunnel_id']} of {name}"
        told = [row["status"], row["severity"], row["reason"] or row["code"]]
        sides = {"the connection": row["local_value"], "the peer": row["remote_value"]}
        told += [f"{side} has {value}" for side, value in sides.items() if value]
        line = f"tunnel {name}: {', '.join(filter(None, told))}"
        error_console().print(printable(line), soft_wrap=True, highlight=False)
    _print_notes(found)
    return found


def _router_routes(client: Client, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the routes in the tables of transit routers; print what could not be read."""
    found = live_router_routes(client, routes)
    _print_notes(found)
    return found


def _print_notes(found: pd.DataFrame) -> None:
    """Print what could not be read, each reason once."""
    for note, rows in found.dropna(subset="note").groupby("note", sort=False):
        names = rows["vpn_connection_id"].unique()
        print_note(f"{note} ({pluralize(len(names), 'connection')})")


# -- diff ------------------------------------------------------------------------------------------

_PATH: Final = ["vpn_connection_id", "route_dest", "next_hop"]


def diff_command(
    old: Annotated[str, typer.Argument(help="Inventory: a file, as in audit.", metavar="A")],
    new: Annotated[
        str | None, typer.Argument(help="Inventory. Default: the live routes.", metavar="B")
    ] = None,
    format: TableFormatOption = TableFormat.table,  # noqa: A002 - the option's name
    *,
    cloud: CloudOptions,
    limit: Limit = 50,
    read: ReadOptions,
) -> int:
    """Compare two inventories, or an inventory with the live routes.

    The exit code is 1 if they differ. Routes are compared by connection, network and next hop;
    their order, spelling and description do not matter. Rows with errors are counted and not
    compared.

    Example: vcokit diff yesterday.csv today.csv
    """
    if new is None:
        before = read.read([old])
        with cloud.connect(before) as client:
            after = schema.destination_routes(live_routes(client, before))
    elif cloud.simulated or cloud.profile is not None or cloud.record is not None:
        raise InputError(
            "two inventories need no cloud", remedy="Leave B out to compare with the live routes"
        )
    else:
        before, after = read.read([old]), read.read([new])
    changes = compare_routes(before, after)
    number = changes["change"].value_counts()
    counts = ", ".join(
        f"{number.get(name, 0):,} {name}" for name in ("added", "removed", "changed")
    )
    left_out = sum(len(routes) - len(_plannable(routes)) for routes in (before, after))
    more = f"; {pluralize(left_out, 'row')} with errors or repeated, left out" if left_out else ""
    names = f"{printable(old)} → {printable(new or 'live')}"
    error_console().print(f"{names}: {counts}{more}")
    print_frame(changes, format, "Differences", limit)
    return ExitCode.FINDINGS if len(changes) else ExitCode.OK


def compare_routes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the differences between two sets of routes.

    Parameters
    ----------
    before, after : DataFrame
        Routes. Rows that a plan would block are not compared.

    Returns
    -------
    DataFrame
        Columns: change (added, removed, changed), region_id, vpn_connection_id, route_dest,
        next_hop, old_weight, weight. Rows: in the order of `before`, then the added routes.

    Examples
    --------
    >>> one = pd.DataFrame({"region_id": "r", "vpn_connection_id": "vco-a", "next_hop": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.0.0/16"], "weight": 100})
    >>> two = one.assign(weight=[100, 0])
    >>> compare_routes(one, two)[["change", "route_dest", "old_weight", "weight"]]
        change   route_dest  old_weight  weight
    0  changed  10.1.0.0/16         100       0
    """
    old, new = _plannable(before), _plannable(after)
    both = old.merge(new, on=_PATH, how="outer", suffixes=("_old", ""), sort=False)
    both["region_id"] = both["region_id"].fillna(both["region_id_old"])
    both = both.rename(columns={"weight_old": "old_weight"})
    change = pd.Series("changed", index=both.index, dtype="str")
    change[both["old_weight"].isna()] = "added"
    change[both["weight"].isna()] = "removed"
    differing = (both["old_weight"] != both["weight"]).fillna(True).to_numpy(dtype=bool)
    columns = ["change", "region_id", *_PATH, "old_weight", "weight"]
    return both.assign(change=change)[differing][columns].reset_index(drop=True)


def _plannable(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that can be planned, with their networks, each route once."""
    rows = plannable_rows(Audit(routes))
    wanted = rows.routes.assign(route_dest=rows.network)[rows.plannable]
    return wanted[["region_id", *_PATH, "weight"]].drop_duplicates(_PATH)


# -- status ----------------------------------------------------------------------------------------


def status_command(
    journal: JournalPath,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="List at most N failed steps.")
    ] = 20,
) -> None:
    """Show the state of a rollout, also while it runs.

    The journal is only read: a running rollout is not disturbed.

    Example: vcokit status routes.rollout.db
    """
    facts = status_facts(journal, time.time(), limit)
    if json:
        write_stdout(f"{dumps(facts)}\n")
        return
    screen = console()
    screen.print("\n".join(_status_lines(facts)))
    if facts["failed"]:
        failed = pd.DataFrame(facts["failed"], columns=list(FAILED))
        screen.print(steps_not_done(failed, "failed", limit))


# -- report ----------------------------------------------------------------------------------------


class RecordFormat(StrEnum):
    """Formats of a change record."""

    markdown = "markdown"
    html = "html"
    json = "json"
    csv = "csv"


ReportOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="File to write; its name determines the format."
    ),
]
ReportFormat = Annotated[
    RecordFormat | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{', '.join(RecordFormat)}. Default: by --output, else markdown.",
    ),
]


def report_command(
    journal: JournalPath,
    output: ReportOutput = None,
    format: ReportFormat = None,  # noqa: A002 - the option's name
    undo: Annotated[
        Path | None,
        typer.Option(
            metavar="JOURNAL", help="Journal of the undo of this rollout, if there is one."
        ),
    ] = None,
) -> None:
    """Write the record of a change from its journal: what was requested, approved and done.

    The record has the inventory and its digest, the plan, accepted findings, impact, who ran it
    and when, and each step with times, codes and request ids. The HTML page can be printed. It
    can also be written while the rollout runs, or after it was interrupted.

    Example: vcokit report routes.rollout.db --output change.html
    """
    check_output_paths({"--output": output}, journals=[journal, undo])
    write_record(change_record(journal, undo=undo), output, format)


def write_record(record: ChangeRecord, output: Path | None, form: RecordFormat | None) -> None:
    """Write a record to a file, or to standard output."""
    kind = form or (kind_of_record(output) if output is not None else RecordFormat.markdown)
    text = getattr(record, str(kind))()
    if output is None:
        write_stdout(text)
        return
    write_atomic(output, [text], packed=False)
    error_console().print(f"Report: {printable(output)}", soft_wrap=True)


def status_facts(path: Path, now: float, limit: int) -> dict[str, Any]:
    """Return the state of a rollout from its journal, as plain values.

    Parameters
    ----------
    path : Path
        The journal.
    now : float
        Seconds since the epoch.
    limit : int
        Maximum number of failed steps.

    Raises
    ------
    JournalError
        If there is no such journal, or it cannot be read.
    """
    with Journal.read(path) as journal:
        journal.check()
        found = journal.snapshot(failures=limit, now=now)
        resume_args = resume_args_of(journal)
    holder = found.holder
    calls: Counter[str] = Counter()
    for (_, outcome), count in found.calls.items():
        calls[outcome] += count
    failed = [one for one in found.failures if one.state == "failed"]
    seconds = found.seconds_left
    return {
        "journal": str(path),
        "simulated": found.simulated,
        "state": found.state,
        "message": found.message if holder is None else None,
        "holder": None
        if holder is None
        else {
            "process": holder.process,
            "host": holder.host,
            "since": holder.since,
            "version": holder.version,
            "here": holder.is_here,
            "text": str(holder),
        },
        "actions": dict(found.actions),
        "states": {name: count for name, count in found.states.items() if count},
        "left": found.left,
        "steps_per_minute": None if found.pace is None else round(found.pace * 60, 1),
        "seconds_left": round(seconds) if holder is not None and seconds is not None else None,
        "calls": dict(calls.most_common()),
        "failed_steps": found.states["failed"],
        "failed": [{name: getattr(one, name) or None for name in FAILED} for one in failed],
        "resume": command_to_resume(path, resume_args)
        if found.resumable and holder is None
        else None,
    }


def _status_lines(facts: dict[str, Any]) -> list[str]:
    rehearsal = ", on a simulator" if facts["simulated"] else ""
    lines = [f"{printable(facts['journal'])}: {facts['state']}{rehearsal}"]
    if facts["message"]:
        lines.append(f"message {printable(facts['message'])}")
    if facts["holder"]:
        elsewhere = "" if facts["holder"]["here"] else "; whether it is alive is not known here"
        lines.append(f"holder  {printable(facts['holder']['text'])}{elsewhere}")
    lines += [f"{name:<7} {_listed(facts[name])}" for name in ("actions", "states", "calls")]
    left = f"left    {pluralize(facts['left'], 'step')}"
    if facts["steps_per_minute"] is not None:
        left += f"; {facts['steps_per_minute']:g} steps per minute"
    if facts["seconds_left"] is not None:
        left += f", about {duration(round(facts['seconds_left']))} left"
    lines.append(left)
    if facts["resume"]:
        lines.append(f"Resume with: {facts['resume']}")
    elif facts["state"] == "stale":
        lines.append(
            "The live routes have changed. Make a new plan: vcokit apply with the inventory"
        )
    return lines


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(number) for name, number in column.value_counts().items() if number}


def _listed(counts: dict[str, int], otherwise: str = "none") -> str:
    parts = [f"{number:,} {printable(name)}" for name, number in counts.items()]
    return ", ".join(parts) or otherwise
