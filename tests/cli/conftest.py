"""What most tests of the shell begin with: an inventory in the working folder, and a cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import vcokit as vk
from tests.cli.stage import TEN, as_environment
from vcokit.simulator import Simulator


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten good rows of one connection, in a folder of their own, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "routes.csv"
    path.write_text(TEN)
    return path


@pytest.fixture
def serve(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Simulator]]:
    """Start a cloud for the inventory as it is now, and name it in the environment."""
    with ExitStack() as stack:

        def start(**options: Any) -> Simulator:
            made = Simulator.for_routes(vk.read_routes(inventory), speed=600.0, **options)
            cloud = stack.enter_context(made)
            as_environment(monkeypatch, cloud)
            return cloud

        yield start


@pytest.fixture
def cloud(serve: Callable[..., Simulator]) -> Simulator:
    """Serve the inventory's cloud."""
    return serve()
