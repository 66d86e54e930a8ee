"""The shell does what the library does, says it harmlessly, and leaves with a documented code."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, ROOT, SMALL, as_environment, run
from vcokit import cli, errors
from vcokit.cli.commands import COMMANDS
from vcokit.cli.show import visible
from vcokit.simulator import Simulator


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


@pytest.mark.parametrize(
    ("cells", "fail_on", "expected"),
    [
        (GOOD, "info", 0),
        (GOOD.replace("100", "0"), "error", 0),
        (GOOD.replace("100", "0"), "warning", 1),
        (GOOD.replace("100", "7"), "error", 1),
        (GOOD.replace("100", "7"), "never", 0),
    ],
)
def test_audit_exit_codes(shell, tmp_path: Path, cells: str, fail_on: str, expected: int) -> None:
    """--fail-on says which severity fails."""
    path = tmp_path / "routes.csv"
    path.write_text(HEAD + cells)
    assert shell("audit", path, "--fail-on", fail_on)[0] == expected


def test_apply_simulate(shell, tmp_path: Path) -> None:
    """Read, audit, plan, apply, verify: all said, all done, and a journal is left."""
    path = tmp_path / "routes.csv"
    path.write_text(SMALL.read_text("utf-8"), encoding="utf-8")
    code, out, err = shell("apply", path, "--simulate", "--speed", "600")
    assert (code, err) == (0, "")
    assert "29 create, 0 modify, 0 delete, 0 keep, 11 blocked" in out
    assert "Verified live: 29 as planned" in out
    with vk.Journal.read(tmp_path / "routes.simulated.db") as journal:
        assert (journal.steps()["state"] == "done").sum() == 29


def test_apply_asks_nobody(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal and without --yes nothing is sent to a real endpoint."""
    routes = vk.read_routes(SMALL)
    with Simulator.for_routes(routes) as cloud:
        as_environment(monkeypatch, cloud)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code, _, err = shell("apply", SMALL, "--journal", tmp_path / "x.db")
        assert code == 2
        assert "--yes" in err
        assert not (cloud.calls()["operation"] == "CreateVcoRouteEntry").any()


def test_apply_and_resume_against_an_endpoint(
    shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against an endpoint of the environment; a finished journal is resumed to nothing."""
    routes = vk.read_routes(SMALL)
    journal = tmp_path / "x.db"
    with Simulator.for_routes(routes, speed=600.0) as cloud:
        as_environment(monkeypatch, cloud)
        code, out, err = shell("apply", SMALL, "--journal", journal, "--yes")
        note = f"note: calls go to {cloud.endpoint} (endpoint set by VCOKIT_ENDPOINT)"
        assert code == 0
        assert err.startswith(note)
        assert err.count("\n") == 1
        assert "29 as planned" in out
        code, out, err = shell("resume", journal)
        assert code == 0
        again = shell("apply", SMALL, "--journal", tmp_path / "y.db", "--yes")
        assert "Nothing was sent" in again[1]
        assert not (tmp_path / "y.db").exists()


WRONG = {
    ("audit", "nowhere.csv"): (2, "nowhere.csv"),
    ("audit", str(ROOT / "data" / "cloud-ipv4-prefixes.csv.gz")): (2, "remedy|vpn|connection"),
    ("audit",): (2, "FILE"),
    ("audit", str(SMALL), "--quota", "x"): (2, "quota"),
    ("nonsense",): (2, "nonsense"),
    ("resume", "nowhere.db"): (2, "no such journal"),
    ("apply", str(SMALL)): (2, "--yes"),
    ("apply", str(SMALL), "--yes"): (4, "AccessKey"),
}


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage(shell, arguments: tuple[str, ...]) -> None:
    """A wrong call gives its code and one message, never a traceback."""
    expected, words = WRONG[arguments]
    code, _, err = shell(*arguments)
    assert code == expected
    assert re.search(words, err, re.I)
    assert "Traceback" not in err


def test_out_of_reach(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cloud that cannot be reached is exit code 5."""
    with Simulator() as cloud:
        as_environment(monkeypatch, cloud)
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "1")
    code, _, err = shell("apply", SMALL, "--yes", "--journal", tmp_path / "x.db")
    assert code == 5
    assert "could not be opened" in err


def test_exit_codes_of_errors() -> None:
    """Every error of the package has the exit code that the documentation gives it."""
    assert cli.exit_code(errors.InventoryError("x")) == 2
    assert cli.exit_code(errors.StalePlanError("x")) == 3
    assert cli.exit_code(errors.CredentialsError("x")) == 4
    assert cli.exit_code(errors.AuthError("x", code="Forbidden")) == 4
    assert cli.exit_code(errors.NoAnswerError("x")) == 5
    assert cli.exit_code(errors.RolloutError("x")) == 6


def test_hostile_text_is_harmless(tmp_path: Path) -> None:
    """Escapes and markup of a file come out as text; without a terminal no control character."""
    hostile = '"10.0.0.0/8\x1b[31m","[red]x[/red]\x1b]0;title\x07"'
    row = f"cn-hangzhou,vco-a,{hostile.split(',')[0]},vco-a,100,{hostile.split(',')[1]}\n"
    bad_id = "cn-hangzhou,[bold]vco[/bold],10.0.0.0/8,vco-a,100,\n"
    path = tmp_path / "routes.csv"
    path.write_text(HEAD + row + bad_id)
    result = run("audit", path)
    assert result.returncode == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout + result.stderr)
    assert r"10.0.0.0/8\x1b[31m" in result.stdout
    assert "[bold]vco[/bold]" in result.stdout


def test_visible() -> None:
    """Control, bidirectional and invisible characters are spelt out; letters stay."""
    assert visible("a\u202eb\u200bc\n主") == "a\\u202eb\\u200bc\\n主"


def test_help_of_every_command(shell) -> None:
    """Every command has help, and the commands stand in the overall help."""
    overall = run("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", overall, re.M)
        code, shown, _ = shell(name, "--help")
        assert code == 0
        assert f"vcokit {name} " in shown
        assert len(shown.splitlines()) > 4


def test_simulate_serves_until_interrupted() -> None:
    """Its first line says where it listens; an interrupt ends it with exit code 0."""
    child = subprocess.Popen(
        [sys.executable, "-m", "vcokit", "simulate", str(SMALL), "--speed", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = child.stdout.readline()
    endpoint = first.removeprefix("listening on ").strip()
    said = dict(child.stderr.readline().strip().split("=") for _ in range(2))
    client = vk.connect(
        endpoint=endpoint,
        access_key_id=said["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=said["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    )
    with client:
        assert len(client.describe_vpn_connections(region_id="cn-hangzhou")) >= 1
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 0


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
        assert code == 2
        assert words in err
        assert not re.search(r"\w=[\[{\"'(]|\w=(?:True|None)|\w\(\)", err)
    code, _, err = shell("plan", SMALL)
    assert (code, "--profile" in err) == (4, True)
