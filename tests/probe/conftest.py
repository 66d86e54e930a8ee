"""A cloud whose time passes only while the probe sleeps, and a probe of it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

import vcokit as vk
from vcokit.simulator import Connection, Simulator

NAME = "vco-p0w2jpkhi2eeop6q6mine"
WRITES = {"CreateVcoRouteEntry", "DeleteVcoRouteEntry", "ModifyVcoRouteEntryWeight"}


class Clock:
    """A clock that sleeping moves, and nothing else."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Stage:
    """A simulator, a client of it, and a probe with their clock."""

    def __init__(self, folder: Path, stack: ExitStack, **options: Any) -> None:
        self.clock, self.journal = Clock(), folder / "journal.json"
        options = {"connections": [Connection(NAME)], "task_seconds": 3.0} | options
        self.cloud = stack.enter_context(Simulator(monotonic=self.clock, **options))
        self._stack = stack
        self.client = self.connect()

    def connect(self, transport: httpx.BaseTransport | None = None) -> vk.Client:
        """Return a client, by another transport where one is given."""
        how = {"steady": self.clock, "sleep": self.clock.sleep, "transport": transport}
        return self._stack.enter_context(vk.connect(self.cloud, region="cn-hangzhou", **how))

    def probe(self, connection: str | None = NAME, **options: Any) -> vk.Probe:
        """Probe the connection."""
        how = {"sleep": self.clock.sleep, "now": self.clock, "journal": self.journal}
        client = options.pop("client", self.client)
        return vk.probe(client, connection, **how | options)

    def writes(self) -> Any:
        """Return the calls that write, those aside that only ask to be checked."""
        calls = self.cloud.calls()
        dry = calls["parameters"].map(lambda given: given.get("DryRun", "").lower() == "true")
        return calls[calls["operation"].isin(WRITES) & ~dry]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Return what makes a stage; a look every second is enough for times in whole seconds."""
    monkeypatch.setenv("VCOKIT_POLL_INTERVAL", "2")
    with ExitStack() as stack:
        yield lambda **options: Stage(tmp_path, stack, **options)
