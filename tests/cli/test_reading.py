"""Every command that reads inventories: what it says of them, and the options that mend them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import openpyxl
import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, SMALL, as_environment
from vcokit import reports
from vcokit.simulator import Connection, Simulator

READERS = [
    ("audit", "FILE"),
    ("audit", "FILE", "--format", "json"),
    ("plan", "FILE", "--simulate"),
    ("apply", "FILE", *FAST),
    ("verify", "FILE", "--simulate"),
    ("diff", "FILE", "--simulate"),
    ("explain", "10.1.2.3", "FILE"),
    ("aggregate", "FILE"),
    ("live", "FILE", "--simulate"),
    ("demo", "FILE", "--out", "OUT", "--speed", "600"),
]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_what_an_error_advises_can_be_done(shell, tmp_path: Path, command) -> None:
    """The option that the error names is taken, and mends it; what reading noted is said once."""
    book = openpyxl.Workbook()
    text = HEAD.replace("Weight", "Gewicht") + GOOD.replace("fine", " fine")
    for line in text.splitlines():
        book.active.append(line.split(","))
    path = tmp_path / "messy.xlsx"
    book.save(path)
    book.close()
    words = {"FILE": str(path), "OUT": str(tmp_path / "out")}
    given = [words.get(word, word) for word in command]
    code, _, err = shell(*given)
    assert code == 2
    assert '--column "weight=' in err
    code, _, err = shell(*given, "--column", "weight=Gewicht")
    assert code in (0, 1), err
    assert [line for line in err.splitlines() if line.startswith("note: ")] == [
        f"note: {path}[Sheet]: blanks trimmed in 1 cell"
    ]


def test_remedies_are_those_of_the_shell(shell, tmp_path: Path) -> None:
    """What the library advises in Python is advised here as an option that there is."""
    path = tmp_path / "routes.csv"
    asked = {
        HEAD.replace("RouteDest", "Ziel") + GOOD: ('--column "route_dest=', ("audit", path)),
        HEAD.replace("RegionId,", "") + GOOD[12:]: ("--region", ("plan", path, "--simulate")),
    }
    for text, (words, command) in asked.items():
        path.write_text(text)
        code, _, err = shell(*command)
        assert (code, words in err) == (2, True)
        assert not re.search(r"\w=[\[{\"'(]|\w=(?:True|None)|\w\(\)", err)
    code, _, err = shell("plan", SMALL)
    assert (code, "--profile" in err) == (4, True)


def test_a_file_that_is_not_there(shell) -> None:
    """The shell takes names only, and speaks of no text and no newline."""
    said = "error: nowhere.csv: cannot be read: No such file or directory. Check the path\n"
    for command in ("audit", "plan", "aggregate"):
        assert shell(command, "nowhere.csv")[::2] == (2, said)


def test_notes_are_lines_of_the_log(shell, inventory: Path) -> None:
    """Where the log is JSON lines, so are the notes."""
    inventory.write_text(HEAD + GOOD.replace("fine", " fine"))
    _, _, err = shell("apply", inventory, *FAST, "--log-format", "json")
    lines = [json.loads(line) for line in err.splitlines()]
    assert lines[0]["event"] == "note"
    assert lines[0]["message"] == f"{inventory}: blanks trimmed in 1 cell"


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
def test_a_report_holds_the_notes(inventory: Path, kind: str) -> None:
    """A report says what was noted of what it is about, also where nothing was found."""
    inventory.write_text(HEAD + GOOD.replace("fine", " fine"))
    routes = vk.read_routes(inventory)
    written = reports.write(kind, vk.audit_routes(routes), routes)
    if kind == "json":
        assert json.loads(written)["notes"] == [f"{inventory}: blanks trimmed in 1 cell"]
    assert "blanks trimmed in 1 cell" in written
    routes.attrs = {}
    assert "blanks trimmed" not in reports.write(kind, vk.audit_routes(routes), routes)


# -- live connections from a file ------------------------------------------------------------------


def test_audit_by_live_connections(shell, tmp_path: Path, monkeypatch) -> None:
    """``live --connections`` writes what ``audit --connections`` takes: the library's findings."""
    rows = [GOOD.replace("vco-a", name).replace("10.0", f"10.{n}") for n, name in
            enumerate(("vco-a", "vco-b", "vco-c", "vco-nowhere"))]  # fmt: skip
    path, known = tmp_path / "routes.csv", tmp_path / "connections.csv"
    path.write_text(HEAD + "".join(rows).replace(".0.0.0/8", ".0.0/16"))
    there = [
        Connection("vco-a", "cn-hangzhou", name="=1+1"),
        Connection("vco-b", "eu-central-1"),
        Connection("vco-c", "cn-hangzhou", attach_type="NO_ASSOCIATED"),
    ]
    with Simulator(there, speed=600.0) as cloud:
        as_environment(monkeypatch, cloud)
        regions = ("--region", "cn-hangzhou", "--region", "eu-central-1")
        assert shell("live", "--connections", *regions, "--output", known)[0] == 0
        with vk.connect(cloud) as client:
            connections = vk.live_connections(client, ["cn-hangzhou", "eu-central-1"])
    wanted = vk.audit_routes(vk.read_routes(path), connections=connections)
    assert {"unknown-connection", "wrong-region", "not-attached"} <= set(wanted["rule"])
    code, out, _ = shell("audit", path, "--connections", known, "--format", "csv")
    assert code == 1
    assert [line.split(",")[7] for line in out.splitlines()[1:]] == wanted["rule"].tolist()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b'"', b"x\n" * 3, None])
def test_connections_that_are_none(shell, inventory: Path, content: bytes | None) -> None:
    """One line that names the file and the command that writes it."""
    known = inventory.with_name("connections.csv")
    if content is not None:
        known.write_bytes(content)
    code, _, err = shell("audit", inventory, "--connections", known)
    assert (code, err.count("\n")) == (2, 1)
    assert str(known) in err
    assert "vcokit live --connections" in err
