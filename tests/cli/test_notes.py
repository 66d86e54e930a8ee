"""What reading noted is said by every command that reads an inventory, once, where it is seen."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import openpyxl
import pytest

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, ROOT
from vcokit import formats

SAID = "note: {}: blanks trimmed in 1 cell\n"
COMMANDS = (
    ("audit", "{}"),
    ("audit", "{}", "--format", "json"),
    ("plan", "{}", "--simulate"),
    ("apply", "{}", "--simulate", "--speed", "600"),
    ("verify", "{}", "--simulate"),
    ("live", "{}", "--simulate"),
    ("diff", "{}", "--simulate"),
    ("explain", "10.1.1.1", "{}"),
    ("aggregate", "{}"),
    ("demo", "{}", "--speed", "600"),
)


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an inventory of which one thing is noted."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "routes.csv"
    path.write_text(HEAD + GOOD.replace("fine", " fine"))
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_what_reading_noted(shell, noted: Path, command: tuple[str, ...]) -> None:
    """Each note is a line on standard error, with its file, and comes once."""
    _, _, err = shell(*(word.format(noted) for word in command))
    assert err.count("note:") == 1
    assert SAID.format(noted) in err


def test_every_command_reads_in_one_place() -> None:
    """No command reads an inventory but by `vcokit.cli.reading`, which says the notes."""
    folder = ROOT / "vcokit" / "cli"
    readers = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if "read_routes" in (getattr(node, "id", None), getattr(node, "attr", None))
    }
    assert readers == {"reading.py"}


def test_notes_are_lines_of_the_log(shell, noted: Path) -> None:
    """Where the log is JSON lines, so are the notes."""
    _, _, err = shell("apply", noted, "--simulate", "--speed", "600", "--log-format", "json")
    lines = [json.loads(line) for line in err.splitlines()]
    assert lines[0]["event"] == "note"
    assert lines[0]["message"] == f"{noted}: blanks trimmed in 1 cell"


def test_notes_are_harmless(shell, tmp_path: Path) -> None:
    """What a workbook's author called a sheet cannot speak to the terminal, nor make lines."""
    made = openpyxl.Workbook()
    made.active.append(["Region", "Connection", "CIDR", "Weight"])
    made.active.append(["cn-a", "vco-a", "10.0.0.0/8", 100])
    made.create_sheet("a\tb").append(["A cover"])
    made.save(tmp_path / "routes.xlsx")
    _, _, err = shell("explain", "10.1.1.1", tmp_path / "routes.xlsx")
    assert "\t" not in err
    assert r"'a\tb' has no header" in err
    assert err.count("\n") == 2


@pytest.mark.parametrize("kind", ["text", "json", "markdown", "html"])
def test_a_report_holds_the_notes(noted: Path, kind: str) -> None:
    """A report says what was noted of what it is about, also where nothing was found."""
    routes = vk.read_routes(noted)
    written = formats.write(kind, vk.audit_routes(routes), routes)
    if kind == "json":
        assert json.loads(written)["notes"] == [f"{noted}: blanks trimmed in 1 cell"]
    assert "blanks trimmed in 1 cell" in written
    routes.attrs = {}
    assert "blanks trimmed" not in formats.write(kind, vk.audit_routes(routes), routes)
