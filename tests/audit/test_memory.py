"""An audit of a large inventory stays within a few times the size of its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.inventories import Inventory, Shape


def peak(path: Path) -> int:
    """Return the most bytes that `vcokit audit` of a file held."""
    command = [sys.executable, "-m", "vcokit", "audit", str(path), "--fail-on", "never"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss << 10


def test_a_dirty_inventory_takes_at_most_five_times_its_file(tmp_path: Path) -> None:
    """Of 100,000 rows, 3 % spoilt; what the command takes for one row is not counted."""
    small = Inventory(Shape(1)).write(tmp_path / "small.csv")
    large = Inventory(Shape(100_000, dirt=0.03)).write(tmp_path / "large.csv")
    assert peak(large) - peak(small) < 5 * large.stat().st_size
