"""``vcokit quota`` and ``probe``: the quotas of the account, and the behaviour of its cloud."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vcokit import schema
from vcokit._text import printable
from vcokit.cli.console import (
    check_output_paths,
    console,
    error_console,
    to_csv,
    write_atomic,
    write_stdout,
)
from vcokit.cli.options import CloudOptions, OutputPath, Yes
from vcokit.errors import InputError
from vcokit.probing import probe
from vcokit.quotas import live_quota


def quota_command(output: OutputPath = None, *, cloud: CloudOptions) -> None:
    """Show the quotas of the account: routes per connection, calls per operation.

    The Quota Center answers; it needs permissions of its own (see vcokit policy quota). Without
    them a note says so.

    Example: vcokit quota
    """
    check_output_paths({"--output": output}, [cloud.scenario])
    with cloud.connect(schema.frame(schema.ROUTES)) as client:
        quotas = live_quota(client)
    text = to_csv(quotas.frame())
    if output is None:
        write_stdout(text)
    else:
        write_atomic(output, [text])
    for line in [str(quotas).splitlines()[0], *quotas.notes]:
        error_console().print(printable(line), soft_wrap=True)


def probe_command(
    connection: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Connection to ask about. Dry runs need one."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="JSON file to write.")
    ] = Path("probe.json"),
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Also write routes in 198.18.0.0/15 on this connection, and delete them again.",
        ),
    ] = False,
    yes: Yes = False,
    *,
    cloud: CloudOptions,
    region: Annotated[
        str | None, typer.Option(metavar="REGION", help="Region of the connection.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Also write the resulting settings, for vcokit.toml. FILE must be new.",
        ),
    ] = None,
    among_others: Annotated[
        bool,
        typer.Option(
            "--among-others", help="Use the sandbox although the connection has other routes."
        ),
    ] = False,
    journal: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="File that lists the sandbox routes while the probe runs."
        ),
    ] = Path("probe-journal.json"),
) -> None:
    """Ask the account how its cloud behaves, with reads and dry runs.

    The answers stand beside what vcokit assumes, and go to a file that a simulator can be given.
    With --sandbox routes are written too: it asks first, or needs --yes. --settings writes the
    settings that follow from the answers.

    Example: vcokit probe --connection vco-p0w2jpkhi2eeop6q6test
    """
    outputs = {"--output": output, "--journal": journal, "--settings": settings}
    check_output_paths(outputs, [cloud.scenario])
    if settings is not None and settings.exists():
        raise InputError(
            f"{settings}: exists already", remedy="Name a new file for --settings, and compare both"
        )
    if sandbox and connection is None:
        raise InputError("--sandbox needs a connection", remedy="Name an unused connection")
    if sandbox and not (yes or cloud.simulated):
        _confirm(str(connection))
    with cloud.connect(schema.frame(schema.ROUTES)) as client:
        found = probe(
            client,
            connection,
            region=region,
            sandbox=sandbox,
            among_others=among_others,
            journal=journal,
        )
    write_atomic(output, [found.to_json()])
    for line in str(found).splitlines():
        console().print(printable(line), soft_wrap=True)
    error_console().print(f"→ {printable(output)}")
    if settings is not None:
        write_atomic(settings, [found.settings_toml() + "\n"])
        error_console().print(f"→ {printable(settings)}")


def _confirm(connection: str) -> None:
    """Ask whether routes may be written; raise if the user does not agree or cannot be asked."""
    if not sys.stdin.isatty():
        raise InputError("there is no terminal to ask on", remedy="Pass --yes to write at once")
    text = f"Write routes in 198.18.0.0/15 on {printable(connection)}, and delete them again?"
    if not typer.confirm(text):
        raise InputError("nothing was written", remedy="Leave --sandbox out to read only")
