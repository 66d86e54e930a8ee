"""``vcokit simulate``: the simulator as a server of its own, until it is interrupted."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcokit.cli import show
from vcokit.cli.reading import Reading
from vcokit.errors import InputError

if TYPE_CHECKING:
    from vcokit.simulator import Simulator


def simulate_command(
    reading: Reading,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Inventory whose connections shall be there."),
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option(help="TOML file: accounts, connections, routes, limits, switches, faults."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0,
    speed: Annotated[
        float | None, typer.Option(help="How many times faster its clock runs.  [default: 1]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything it draws.  [default: 0]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --host be other than a loopback address.")
    ] = False,
) -> None:
    """Serve the simulated API on 127.0.0.1 until Ctrl-C. Options win over the scenario."""
    given = {"speed": speed, "seed": seed}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options |= {"port": port, "host": host, "allow_remote": allow_remote}
    cloud, has_own_keys = _cloud(file, reading, scenario, options)
    try:
        cloud.start()
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            remedy="Name another --port, or leave it out",
        ) from None
    with cloud:
        # Before the first line: whoever reads it may say that it is enough the next moment.
        enough = _interrupted()
        # The first line is for programs: whoever starts this waits for it.
        print(f"listening on {cloud.endpoint}", flush=True)
        _say(cloud, host=host, has_own_keys=has_own_keys)
        enough.wait()


def _cloud(
    file: Path | None, reading: Reading, scenario: Path | None, options: dict[str, Any]
) -> tuple[Simulator, bool]:
    """Return the simulator, and whether its keys are somebody's own and so no one else's."""
    from vcokit.simulator import Simulator
    from vcokit.simulator.scenario import read_scenario

    try:
        written = {} if scenario is None else read_scenario(scenario)
        has_own_keys = "accounts" in written
        options = {**written, **options}
        if file is None:
            return Simulator(**options), has_own_keys
        if "connections" in written:
            raise InputError(
                f"{file} and {scenario} both name connections",
                remedy="Take [[connections]] out of the scenario, or leave the inventory out",
            )
        options.setdefault("speed", 1.0)
        return Simulator.for_routes(reading.read([str(file)]), **options), has_own_keys
    except ValueError as error:
        raise InputError(str(error)) from None


def _say(cloud: Simulator, *, host: str, has_own_keys: bool) -> None:
    from vcokit.simulator.server import is_loopback

    shown, keys = show.error_console(), cloud.credentials
    shown.print(f"ALIBABA_CLOUD_ACCESS_KEY_ID={keys.access_key_id}", markup=False)
    if not has_own_keys:
        # The keys that the simulator makes up are no secret: they open nothing else.
        shown.print(f"ALIBABA_CLOUD_ACCESS_KEY_SECRET={keys.access_key_secret}", markup=False)
    if not is_loopback(host):
        shown.print(
            f"WARNING: listening on {host}, where other machines may reach it. Keys, routes and "
            "everything else travel in clear text over plain HTTP. Stop it when you are done.",
            markup=False,
            soft_wrap=True,
            style="bold red",
        )


def _interrupted() -> threading.Event:
    """Return what is set by Ctrl-C or a polite kill."""
    enough = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: enough.set())
    return enough
