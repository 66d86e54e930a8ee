"""``vcokit simulate``: the simulator as a server of its own, until it is interrupted."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from vcokit.cli import show
from vcokit.inventory import read_routes


def simulate_command(
    file: Annotated[
        Path | None, typer.Argument(help="Inventory whose connections shall be there.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0,
    speed: Annotated[float, typer.Option(help="How many times faster its clock runs.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of everything it draws.")] = 0,
) -> None:
    """Serve the simulated API on 127.0.0.1 until Ctrl-C."""
    from vcokit.simulator import Simulator

    if file is None:
        cloud = Simulator(port=port, speed=speed, seed=seed)
    else:
        cloud = Simulator.for_routes(read_routes(file), port=port, speed=speed, seed=seed)
    with cloud:
        # The first line is for programs: whoever starts this waits for it.
        print(f"listening on {cloud.endpoint}", flush=True)
        keys = cloud.credentials
        shown = show.error_console()
        # The simulator's keys are no secret: it makes them up, and they open nothing else.
        shown.print(f"ALIBABA_CLOUD_ACCESS_KEY_ID={keys.access_key_id}", markup=False)
        shown.print(f"ALIBABA_CLOUD_ACCESS_KEY_SECRET={keys.access_key_secret}", markup=False)
        _until_interrupted()


def _until_interrupted() -> None:
    enough = threading.Event()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: enough.set())
    enough.wait()
