"""What most tests of the shell begin with: an inventory in the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.stage import TEN


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten good rows of one connection, in a folder of their own, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "routes.csv"
    path.write_text(TEN)
    return path
