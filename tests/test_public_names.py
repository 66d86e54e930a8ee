"""The public names are there, for users, for their editors, and for their type checkers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import vcokit as vk

ROOT = Path(__file__).parent.parent
#: A program whose first line is right and whose others each have a name that is none.
PROGRAM = """from vcokit import {names}
from vcokit import read_rutes
import vcokit as vk
vk.audit_rutes
"""


def test_every_public_name_is_there() -> None:
    """What the package promises can be had."""
    assert all(getattr(vk, name) is not None for name in vk.__all__)
    assert {"Client", "Explanation", "Forecast"} < set(vk.__all__)


def test_a_checker_knows_all_public_names_and_no_others(tmp_path: Path) -> None:
    """``mypy --strict`` on a user's program finds each name that is misspelt, and only those."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(names=", ".join(vk.__all__)))
    # With the settings and in the folder of `make lint`, what that has checked is not read anew.
    command = [sys.executable, "-m", "mypy", program]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert [int(line) for line in re.findall(r"program\.py:(\d+): error", said)] == [2, 4], said


@pytest.mark.parametrize("module", [vk, vk.plots, vk.errors], ids=lambda module: module.__name__)
def test_what_an_editor_offers_are_the_public_names(module: ModuleType) -> None:
    """``dir`` shows what is meant for users, not the modules it is made of."""
    assert dir(module) == sorted(module.__all__)
