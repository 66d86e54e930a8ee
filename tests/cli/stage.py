"""What tests of the shell share: inventories, the command as a user runs it, a cloud to name."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment_of
from vcokit.simulator import Fault, Simulator

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "data" / "routes-small.csv"
HEAD = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description\n"
GOOD = "cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100,fine\n"
#: What makes a rollout against a simulator short.
FAST = ("--simulate", "--speed", "600")
TEN = HEAD + "".join(GOOD.replace("10.0.0.0/8", f"10.{n}.0.0/16") for n in range(10))


def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, without a terminal."""
    command = [sys.executable, "-m", "vcokit", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options
    )


def on_terminal(*arguments: object, columns: int = 120) -> tuple[int, str]:
    """Run the command on a terminal; return its exit code and what the terminal was sent."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "vcokit", *map(str, arguments)]
    surroundings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=surroundings)
    os.close(slave)
    text = read_all(master)
    os.close(master)
    return child.wait(30), text


def refusing(number: int = 1) -> Fault:
    """Return the fault that refuses a number of creates for good."""
    return Fault(
        "refuse", operation="CreateVcoRouteEntry", code="IllegalParam.RouteDest", count=number
    )


def as_environment(monkeypatch: pytest.MonkeyPatch, cloud: Simulator) -> None:
    """Name a simulator in the environment, as a user names the cloud."""
    for name, value in environment_of(cloud).items():
        monkeypatch.setenv(name, value)


def read_all(descriptor: int) -> str:
    """Read what a terminal shows until it closes."""
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return shown.decode("utf-8", "replace")
        if not piece:
            return shown.decode("utf-8", "replace")
        shown += piece
