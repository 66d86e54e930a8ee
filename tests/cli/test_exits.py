"""Every exit code is given where the table says so; nothing else is."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.stage import GOOD, HEAD, ROOT, TEN, refusing
from vcokit import cli, errors
from vcokit.cli import ExitCode


def test_each_code_has_its_meaning() -> None:
    """The table is complete, and the errors of the package fall into it."""
    assert all(code.meaning for code in ExitCode)
    kinds = {
        errors.VcokitError("x"): ExitCode.INPUT,
        errors.InventoryError("x"): ExitCode.INPUT,
        errors.JournalLockedError("x"): ExitCode.INPUT,
        errors.PlanError("x"): ExitCode.INPUT,
        errors.StalePlanError("x"): ExitCode.STALE,
        errors.CredentialsError("x"): ExitCode.CREDENTIALS,
        errors.ClockError("x", code="x"): ExitCode.CREDENTIALS,
        errors.AuthError("x", code="Forbidden"): ExitCode.CREDENTIALS,
        errors.NoAnswerError("x"): ExitCode.UNREACHABLE,
        errors.NotSentError("x"): ExitCode.UNREACHABLE,
        errors.ProtocolError("x"): ExitCode.UNREACHABLE,
        errors.RolloutError("x"): ExitCode.FAILED,
    }
    assert all(cli.exit_code(error) is code for error, code in kinds.items())


def test_0_and_1_findings(shell, inventory: Path) -> None:
    """0 without findings; 1 with findings of the severity that is asked for, nothing sent."""
    given = ("apply", inventory, "--simulate", "--fail-on", "warning")
    assert shell(*given, "--speed", "600")[0] == ExitCode.OK
    inventory.write_text(TEN + GOOD.replace("10.0.0.0/8", "10.99.1.0/16"))
    inventory.with_name("routes.simulated.db").unlink()
    code, out, _ = shell(*given)
    assert code == ExitCode.FINDINGS
    assert "Nothing was sent" in out
    assert not inventory.with_name("routes.simulated.db").exists()
    assert shell("plan", inventory, "--simulate", "--fail-on", "error")[0] == ExitCode.FINDINGS
    assert shell("plan", inventory, "--simulate")[0] == ExitCode.OK


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
def test_1_is_the_severity_that_is_asked_for(
    shell, tmp_path: Path, cells: str, fail_on: str, expected: int
) -> None:
    """--fail-on says which severity fails."""
    path = tmp_path / "routes.csv"
    path.write_text(HEAD + cells)
    assert shell("audit", path, "--fail-on", fail_on)[0] == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "FILE", "--simulate", "--stop-after", "0"), "--stop-after"),
        (("apply", "FILE", "--simulate", "--profile", "x"), "leave out --simulate"),
        (("apply", "FILE", "--speed", "2"), "--simulate"),
        (("apply", "FILE", "--simulate", "--summary", "/nowhere/x.json"), "cannot be written"),
        (("apply", "FILE", "FILE", "--simulate"), "--journal"),
        (("plan", "FILE", "--simulate", "--max-delete", "3"), "--prune"),
        (("plan", "FILE", "--simulate", "--only-network", "x"), "x"),
        (("plan", "FILE", "--weight-word", "x"), "NAME=VALUE"),
        (("plan", "FILE", "--weight-word", "x=y"), "standby=0"),
        (("plan", "FILE", "--simulate", "--save", "FILE"), "would overwrite"),
        (("plan", "FILE", "--scenario", "nowhere.toml"), "nowhere.toml"),
        (("plan", ""), "is not a file"),
        (("audit", str(ROOT / "data" / "cloud-ipv4-prefixes.csv.gz")), "connection"),
        (("audit",), "FILE"),
        (("audit", "FILE", "--quota", "x"), "quota"),
        (("apply", "FILE"), "--yes"),
        (("explain", "10.1.2", "FILE"), "10.1.2"),
        (("diff", "FILE", "FILE", "--simulate"), "no cloud"),
        (("status", "FILE"), "not a vcokit journal"),
        (("undo", "nowhere.db"), "no such journal"),
        (("resume", "nowhere.db"), "no such journal"),
        (("resume", "FILE"), "not a vcokit journal"),
        (("live", "--simulate"), "no region"),
        (("live", "FILE", "--simulate", "--connections", "--output", "/no/x.csv"), "/no/x.csv"),
        (("live", "FILE", "--simulate", "--output", "/no/x.csv"), "/no/x.csv"),
        (("aggregate", "FILE", "--output", "/no/x.csv"), "/no/x.csv"),
        (("plan", "FILE", "--simulate", "--save", "/no/plan.jsonl"), "/no/plan.jsonl"),
        (("apply", "FILE", "--simulate", "--journal", "/no/x.simulated.db"), "/no/x.sim"),
        (("completion", "tcsh"), "tcsh"),
        (("audti", "FILE"), "Did you mean 'audit'"),
    ],
)
def test_2_input(shell, inventory: Path, arguments: tuple[str, ...], words: str) -> None:
    """One line that says what was wrong, and what to do; nothing is written."""
    before = set(inventory.parent.iterdir())
    code, _, err = shell(*(str(inventory) if a == "FILE" else a for a in arguments))
    assert code == ExitCode.INPUT
    assert words in err
    assert err.startswith("error: ") or "routes\n" in err
    assert set(inventory.parent.iterdir()) == before
    assert inventory.read_text() == TEN


def test_3_stale(shell, inventory: Path, tmp_path: Path, cloud) -> None:
    """A saved plan is refused once the live routes are others; the summary says so too."""
    plan, summary = tmp_path / "plan.jsonl", tmp_path / "s.json"
    assert shell("plan", inventory, "--save", plan)[0] == ExitCode.OK
    assert shell("apply", plan, "--yes", "--only-action", "create")[0] == ExitCode.INPUT
    assert shell("apply", inventory, "--yes")[0] == ExitCode.OK
    code, _, err = shell("apply", plan, "--yes", "--summary", summary)
    assert (code, "make a new plan" in err) == (ExitCode.STALE, True)
    assert json.loads(summary.read_text())["exit_code"] == ExitCode.STALE


def test_4_credentials(shell, inventory: Path, cloud, monkeypatch) -> None:
    """A key that the cloud refuses, half a key, or none."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
    code, _, err = shell("verify", inventory)
    assert (code, "wrong" in err) == (ExitCode.CREDENTIALS, False)
    for name in ("SECRET", "ID"):
        monkeypatch.delenv(f"ALIBABA_CLOUD_ACCESS_KEY_{name}")
        assert shell("verify", inventory)[0] == ExitCode.CREDENTIALS
    assert shell("verify", inventory, "--profile", "nobody")[0] == ExitCode.CREDENTIALS


def test_5_out_of_reach(shell, inventory: Path, cloud, monkeypatch) -> None:
    """Nobody listens where the cloud should be."""
    cloud.stop()
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "1")
    for command, *options in (("plan",), ("verify",), ("live",), ("apply", "--yes")):
        code, _, err = shell(command, inventory, *options)
        assert (code, "could not be opened" in err) == (ExitCode.UNREACHABLE, True)


def test_6_steps_failed(shell, inventory: Path, serve) -> None:
    """A step that was refused is listed, and in the summary."""
    serve(faults=[refusing()])
    code, out, _ = shell("apply", inventory, "--yes", "--summary", "s.json")
    assert (code, "IllegalParam.RouteDest" in out) == (ExitCode.FAILED, True)
    facts = json.loads(Path("s.json").read_text())
    assert facts["states"] == {"done": 9, "failed": 1}
    assert facts["failed"][0]["code"] == "IllegalParam.RouteDest"
    assert facts["resume"] is None


def test_6_steps_skipped(shell, inventory: Path, cloud) -> None:
    """Steps that were skipped, as their connection is attached no longer, are not all well."""
    assert shell("plan", inventory, "--save", "plan.jsonl")[0] == ExitCode.OK
    cloud.change("vco-a", state="detaching")
    code, out, _ = shell("apply", "plan.jsonl", "--yes")
    assert (code, "Skipped steps" in out, "Failed steps" in out) == (ExitCode.FAILED, True, False)


def test_7_resumable(shell, inventory: Path, serve) -> None:
    """--stop-after and --max-hours leave the rest for another day, and resume does it."""
    cloud, journal = serve(faults=[refusing()]), inventory.with_name("routes.rollout.db")
    given = ("apply", inventory, "--yes", "--stop-after", "1", "--summary", "s.json")
    code, out, _ = shell(*given)
    assert code == ExitCode.RESUMABLE
    assert f"Resume with: vcokit resume {journal}" in out
    assert json.loads(Path("s.json").read_text())["resume"] == f"vcokit resume {journal}"
    code, _, err = shell("apply", inventory, "--yes")
    assert (code, f"vcokit resume {journal}" in err) == (ExitCode.INPUT, True)
    assert shell("resume", journal, "--max-hours", "1e-9")[0] == ExitCode.RESUMABLE
    given = ("resume", journal, "--stop-after", "5", "--max-hours", "1")
    assert shell(*given)[0] == ExitCode.FAILED  # the one step that had failed has failed
    assert len(cloud.routes()) == 9


@pytest.mark.parametrize("raised", [KeyboardInterrupt, EOFError])
def test_130_interrupted(shell, inventory: Path, cloud, monkeypatch, raised) -> None:
    """Ctrl-C where nothing runs yet, and at the question, is an interrupt and no traceback."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    def asked(*_: object) -> str:
        raise raised

    monkeypatch.setattr("builtins.input", asked)
    code, _, err = shell("apply", inventory)
    assert (code, "Traceback" in err) == (ExitCode.INTERRUPTED, False)
    assert not (cloud.calls()["operation"] == "CreateVcoRouteEntry").any()
