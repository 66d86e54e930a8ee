"""`vcokit audit` into files and pipes: whole or not at all, plain, and the library's own text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, ROOT, SMALL, on_terminal
from tests.reports import published
from vcokit import reports
from vcokit.audit.rules import RULES
from vcokit.cli.audit import _skipped
from vcokit.reports.csv_locations import locate_cells

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def test_audit_says_what_the_library_finds(shell) -> None:
    """Exit code 1 with errors; every rule with its count, every finding with its line."""
    code, out, err = shell("audit", SMALL)
    findings = vk.audit_routes(vk.read_routes(SMALL))
    assert (code, err) == (1, "")
    for rule, count in findings["rule"].value_counts().items():
        if count:
            assert re.search(rf"{rule}\s+{count} ", out), rule
    for line in findings["line"]:
        assert re.search(rf"^ *{line}\s", out, re.M)


@pytest.mark.parametrize("kind", [kind for kind in reports.KINDS if kind != "html"])
def test_a_format_on_standard_output(shell, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is the library's text, and nothing else; the exit code is the audit's."""
    monkeypatch.chdir(ROOT)
    code, out, err = shell("audit", "data/routes-small.csv", "--format", kind)
    routes = vk.read_routes("data/routes-small.csv")
    findings = vk.audit_routes(routes)
    options = {
        "sarif": {"places": locate_cells(findings, routes), "root": ROOT},
        "junit": {"skipped": _skipped(None, live=None, connections=None)},
    }.get(kind, {})
    assert (code, err) == (1, "")
    assert out == reports.write(kind, findings, routes, **options)


def test_a_file_by_its_name(shell, tmp_path: Path) -> None:
    """--output says the format by its end; what is printed says what was found, and where."""
    path = tmp_path / "audit.sarif"
    code, out, _ = shell("audit", SMALL, "--output", path, "--fail-on", "never")
    assert code == 0
    assert out.count("\n") == 1
    assert "10 rows with error" in out
    assert str(path) in out
    assert json.loads(path.read_text("utf-8"))["version"] == "2.1.0"


def test_a_failed_run_leaves_nothing(
    shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing breaks off, the file of before stands, and nothing beside it."""
    path = tmp_path / "audit.json"
    path.write_text("before")

    def breaks(*_: object, **__: object):
        yield "{"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports, "parts", breaks)
    code, _, err = shell("audit", SMALL, "--output", path)
    assert code == 2
    assert "No space left on device" in err
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--output", "audit.pdf"), "means no format"),
        (("--output", "nowhere/audit.json"), "folder"),
        (("--output", "."), "file"),
        (("--format", "pdf"), "pdf"),
        (("--rules", "no-such-rule"), "no-such-rule"),
        (("--live", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_wrong_options(shell, inventory: Path, arguments: tuple[str, str], words: str) -> None:
    """What cannot be used is exit code 2, one message, and nothing written."""
    code, out, err = shell("audit", SMALL, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert list(inventory.parent.iterdir()) == [inventory]


def test_several_files_and_patterns(shell, tmp_path: Path) -> None:
    """Findings of several files name theirs."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"{HEAD}cn-{name},vco-{name},10.0.0.1/8,,100,\n")
    code, out, _ = shell("audit", tmp_path / "*.csv")
    assert code == 1
    assert re.search(r"^\S*a\.csv +2 +error +host-bits-set", out, re.M)
    assert re.search(r"^\S*b\.csv +2 +error +host-bits-set", out, re.M)


def test_live_quota_and_rules(shell, tmp_path: Path) -> None:
    """Live routes of a file, a quota and a choice of rules go into the audit."""
    path = tmp_path / "routes.csv"
    path.write_text(f"{HEAD}cn-a,vco-a,10.0.0.0/8,vco-a,100,\ncn-a,vco-a,11.0.0.1/8,vco-a,100,\n")
    *_, out = shell("audit", path, "--live", path, "--quota", "1", "--format", "json")[:2]
    found = {one["rule"] for one in json.loads(out)["findings"]}
    assert found >= {"already-live", "host-bits-set"}
    chosen = "already-live,duplicate"
    *_, out = shell("audit", path, "--live", path, "--rules", chosen, "--format", "json")[:2]
    assert {one["rule"] for one in json.loads(out)["findings"]} == {"already-live"}


def test_a_pipe_gets_plain_lines(tmp_path: Path) -> None:
    """Whatever the environment asks for: no colours, no control characters, nothing folded."""
    path = tmp_path / "routes.csv"
    path.write_text(f"{HEAD}cn-a,vco-a,{'9' * 400}\x1b[31m,vco-a,100,\n")
    result = subprocess.run(
        [sys.executable, "-m", "vcokit", "audit", str(path)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "40", "PYTHONIOENCODING": "ascii"},
    )
    out = result.stdout.decode("ascii")
    assert result.returncode == 1
    assert not CONTROL.search(out)
    assert any("9" * 400 in line and "malformed-cidr" in line for line in out.splitlines())
    assert result.stderr == b""


def test_a_terminal_gets_tables() -> None:
    """A person sees colours and tables as wide as the terminal."""
    code, text = on_terminal("audit", SMALL, "--limit", "5")
    assert code == 1
    assert "\x1b[" in text
    assert "Findings, the worst 5 of 28" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 120


def test_a_long_file_is_read_under_a_bar(shell, tmp_path: Path) -> None:
    """A terminal sees how far reading a long file is, and nothing of it stays; a pipe sees none."""
    path = tmp_path / "long.csv"
    rows = (GOOD.replace("10.0.0.0/8", f"10.{n >> 8}.{n & 255}.0/24") for n in range(1 << 16))
    path.write_text(HEAD + "".join(row.replace("fine", "f" * 50) for row in rows))
    code, text = on_terminal("audit", path, "--rules", "duplicate")
    assert code == 0
    assert re.search(r"Reading .*━.*/6\.\d MB", text)
    assert "\x1b[2K" in text[text.rindex("Reading") :]  # the line of the bar is erased
    _, out, err = shell("audit", path, "--rules", "duplicate")
    assert "Reading" not in out + err


def test_a_rule_that_did_not_run_did_not_pass(shell, tmp_path: Path) -> None:
    """JUnit skips what lacks its option or was not asked for; all else is passed or failed."""
    published.junit(shell("audit", SMALL, "--format", "junit")[1])

    def skipped(*options: object) -> dict[str, str]:
        out = shell("audit", SMALL, "--format", "junit", *options)[1]
        (suite,) = ElementTree.fromstring(out)  # noqa: S314
        found = {case.get("name"): case.find("skipped") for case in suite}
        told = {name: one.get("message") for name, one in found.items() if one is not None}
        assert suite.get("skipped") == str(len(told))
        assert suite.get("tests") == str(len(suite)) == str(len(RULES))
        return told

    cloud = {"unknown-connection", "wrong-region", "not-attached"}
    live = {"already-live", "live-conflict"}
    assert skipped() == dict.fromkeys(cloud, "needs --connections") | dict.fromkeys(
        live, "needs --live"
    )
    known = tmp_path / "connections.csv"
    known.write_text("vpn_connection_id,region_id\nvco-a,cn-hangzhou\n")
    assert skipped("--live", SMALL, "--connections", known) == {}
    told = skipped("--rules", "duplicate,wrong-region")
    assert set(told) == {rule.name for rule in RULES} - {"duplicate"}
    assert told["wrong-region"] == "needs --connections"
    assert told["covered"] == "not asked for"
