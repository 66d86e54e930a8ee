"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vcokit.audit.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_session_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of the first screen runs as it stands, and ends with all as planned."""
    session = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert len([line for line in session.splitlines() if line.strip()]) <= 12
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    names: dict = {}
    monkeypatch.setenv("VCOKIT_IN_FLIGHT", "32")
    exec(compile(session, "README.md", "exec"), names)  # noqa: S102
    assert str(names["plan"]) in session
    assert set(names["check"]["verdict"]) == {"as planned"}
    assert set(names["rollout"].frame()["state"]) == {"done", "blocked"}


def test_the_rules_are_those_of_the_code() -> None:
    """The table of rules names every rule, in order, with its severity and sentence."""
    table = re.findall(r"^\| `([a-z0-9-]+)` \| (error|warning|info) \| (.*) \|$", README, re.M)
    assert table == [(rule.name, rule.severity, rule.sentence) for rule in RULES]


def test_files_that_are_named_exist() -> None:
    """Every relative link and picture leads somewhere."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_two_commands_come_first() -> None:
    """The first screen has the two commands, the session and one picture."""
    first_screen = "\n".join(README.splitlines()[:32])
    for part in ("make demo", "make test", "import vcokit as vk", "![", ".png"):
        assert part in first_screen
