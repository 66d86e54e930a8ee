"""Every exit code is given where the table says so; nothing else is."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, ROOT, TEN, as_environment
from vcokit import cli, errors, schema
from vcokit.cli import running, show
from vcokit.cli.exits import MEANING, Exit
from vcokit.rollout.messages import Tally
from vcokit.simulator import Fault, Simulator


def cloud_for(path: Path, **options) -> Simulator:
    """Return a cloud with the inventory's connections."""
    return Simulator.for_routes(vk.read_routes(path), speed=600.0, **options)


def test_each_code_has_its_meaning() -> None:
    """The table is complete, and the errors of the package fall into it."""
    assert set(MEANING) == set(Exit)
    kinds = {
        errors.VcokitError("x"): Exit.INPUT,
        errors.InventoryError("x"): Exit.INPUT,
        errors.JournalLockedError("x"): Exit.INPUT,
        errors.PlanError("x"): Exit.INPUT,
        errors.StalePlanError("x"): Exit.STALE,
        errors.CredentialsError("x"): Exit.CREDENTIALS,
        errors.ClockError("x", code="x"): Exit.CREDENTIALS,
        errors.AuthError("x", code="Forbidden"): Exit.CREDENTIALS,
        errors.NoAnswerError("x"): Exit.UNREACHABLE,
        errors.NotSentError("x"): Exit.UNREACHABLE,
        errors.ProtocolError("x"): Exit.UNREACHABLE,
        errors.RolloutError("x"): Exit.FAILED,
    }
    assert all(cli.exit_code(error) is code for error, code in kinds.items())


def test_0_and_1_findings(shell, inventory: Path) -> None:
    """0 without findings; 1 with findings of the severity that is asked for, nothing sent."""
    given = ("apply", inventory, "--simulate", "--fail-on", "warning")
    assert shell(*given, "--speed", "600")[0] == Exit.OK
    inventory.write_text(TEN + GOOD.replace("10.0.0.0/8", "10.99.1.0/16"))
    inventory.with_name("routes.simulated.db").unlink()
    code, out, _ = shell(*given)
    assert code == Exit.FINDINGS
    assert "Nothing was sent" in out
    assert not inventory.with_name("routes.simulated.db").exists()
    assert shell("plan", inventory, "--simulate", "--fail-on", "error")[0] == Exit.FINDINGS
    assert shell("plan", inventory, "--simulate")[0] == Exit.OK


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


def test_a_simulated_journal_is_never_taken_for_a_real_one(shell, inventory: Path) -> None:
    """Neither the first nor the next one, nor that of an undo, is resumed on the real cloud."""
    given = (inventory, "--simulate", "--speed", "600")
    assert shell("apply", *given)[0] == shell("apply", *given)[0] == Exit.OK
    second = inventory.with_name("routes.simulated-2.db")
    assert shell("undo", second, *given[1:])[0] == Exit.OK
    for journal in (second, inventory.with_name("routes.simulated-2.undo.db")):
        code, _, err = shell("resume", journal)
        assert (code, "Add --simulate" in err) == (Exit.INPUT, True)


def test_1_differences(shell, inventory: Path, tmp_path: Path) -> None:
    """Verify and diff say by their code whether there is a difference."""
    other = tmp_path / "other.csv"
    other.write_text(TEN.replace("10.9.0.0/16", "10.10.0.0/16"))
    assert shell("diff", inventory, inventory)[0] == Exit.OK
    assert shell("diff", inventory, other)[0] == Exit.FINDINGS
    assert shell("verify", inventory, "--simulate")[0] == Exit.FINDINGS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "FILE", "--simulate", "--waves", "one"), "Write numbers of connections"),
        (("apply", "FILE", "--simulate", "--rate-share", "2"), "up to 1"),
        (("apply", "FILE", "--simulate", "--max-hours", "-1"), "above 0"),
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
        (("plan", ""), "is no file"),
        (("audit", "nowhere.csv"), "nowhere.csv"),
        (("audit", str(ROOT / "data" / "cloud-ipv4-prefixes.csv.gz")), "connection"),
        (("audit",), "FILE"),
        (("audit", "FILE", "--quota", "x"), "quota"),
        (("apply", "FILE"), "--yes"),
        (("explain", "10.1.2", "FILE"), "10.1.2"),
        (("diff", "FILE", "FILE", "--simulate"), "no cloud"),
        (("status", "FILE"), "no journal of vcokit"),
        (("undo", "nowhere.db"), "no such journal"),
        (("resume", "nowhere.db"), "no such journal"),
        (("resume", "FILE"), "no journal of vcokit"),
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
    assert code == Exit.INPUT
    assert words in err
    assert err.startswith("error: ") or "routes\n" in err
    assert set(inventory.parent.iterdir()) == before
    assert inventory.read_text() == TEN


def test_3_stale(shell, inventory: Path, tmp_path: Path, monkeypatch) -> None:
    """A saved plan is refused once the live routes are others; the summary says so too."""
    plan, summary = tmp_path / "plan.jsonl", tmp_path / "s.json"
    with cloud_for(inventory) as cloud:
        as_environment(monkeypatch, cloud)
        assert shell("plan", inventory, "--save", plan)[0] == Exit.OK
        assert shell("apply", plan, "--yes", "--only-action", "create")[0] == Exit.INPUT
        assert shell("apply", inventory, "--yes")[0] == Exit.OK
        code, _, err = shell("apply", plan, "--yes", "--summary", summary)
    assert code == Exit.STALE
    assert "make a new plan" in err
    assert json.loads(summary.read_text())["exit_code"] == Exit.STALE


def test_4_credentials(shell, inventory: Path, monkeypatch) -> None:
    """A key that the cloud refuses, half a key, or none."""
    with cloud_for(inventory) as cloud:
        as_environment(monkeypatch, cloud)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
        code, _, err = shell("verify", inventory)
        assert code == Exit.CREDENTIALS
        assert "wrong" not in err
        monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
        assert shell("verify", inventory)[0] == Exit.CREDENTIALS
        monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
        assert shell("verify", inventory)[0] == Exit.CREDENTIALS
        assert shell("verify", inventory, "--profile", "nobody")[0] == Exit.CREDENTIALS


def test_5_out_of_reach(shell, inventory: Path, monkeypatch) -> None:
    """Nobody listens where the cloud should be."""
    with cloud_for(inventory) as cloud:
        as_environment(monkeypatch, cloud)
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "1")
    for command, *options in (("plan",), ("verify",), ("live",), ("apply", "--yes")):
        code, _, err = shell(command, inventory, *options)
        assert (code, "could not be opened" in err) == (Exit.UNREACHABLE, True)


def refusing(number: int) -> Fault:
    """Return the fault that refuses a number of creates for good."""
    return Fault(
        "refuse", operation="CreateVcoRouteEntry", code="IllegalParam.RouteDest", count=number
    )


def test_6_steps_failed(shell, inventory: Path, tmp_path: Path, monkeypatch) -> None:
    """A step that was refused is listed, and in the summary."""
    summary = tmp_path / "s.json"
    with cloud_for(inventory, faults=[refusing(1)]) as cloud:
        as_environment(monkeypatch, cloud)
        code, out, _ = shell("apply", inventory, "--yes", "--summary", summary)
    assert code == Exit.FAILED
    assert "IllegalParam.RouteDest" in out
    facts = json.loads(summary.read_text())
    assert facts["states"] == {"done": 9, "failed": 1}
    assert facts["failed"][0]["code"] == "IllegalParam.RouteDest"
    assert facts["resume"] is None


@pytest.mark.parametrize(("state", "code"), [("failed", 6), ("skipped", 6), ("done", 0)])
def test_6_is_whatever_was_not_done(capsys, state: str, code: int) -> None:
    """A step that was skipped, as its connection was no longer attached, is not all well either."""
    steps = schema.frame(
        schema.STEPS, {"step": [0], "state": [state], "route_dest": ["10.0.0.0/8"], "line": [2]}
    )
    ended = SimpleNamespace(
        tally=lambda: Tally(Counter([state]), rollout="finished"), frame=lambda: steps
    )
    assert running._end(ended, show.console(), "…") == code
    assert (f"{state.capitalize()} steps" in capsys.readouterr().out) == (code == 6)


def test_7_resumable(shell, inventory: Path, tmp_path: Path, monkeypatch) -> None:
    """--stop-after and --max-hours leave the rest for another day, and resume does it."""
    summary, journal = tmp_path / "s.json", inventory.with_name("routes.rollout.db")
    with cloud_for(inventory, faults=[refusing(1)]) as cloud:
        as_environment(monkeypatch, cloud)
        given = ("apply", inventory, "--yes", "--stop-after", "1", "--summary", summary)
        code, out, _ = shell(*given)
        assert code == Exit.RESUMABLE
        assert f"Go on with: vcokit resume {journal}" in out
        assert json.loads(summary.read_text())["resume"] == f"vcokit resume {journal}"
        code, _, err = shell("apply", inventory, "--yes")
        assert code == Exit.INPUT
        assert f"vcokit resume {journal}" in err
        assert shell("resume", journal, "--max-hours", "1e-9")[0] == Exit.RESUMABLE
        given = ("resume", journal, "--stop-after", "5", "--max-hours", "1")
        assert shell(*given)[0] == Exit.FAILED  # the one step that had failed has failed
        assert len(cloud.routes()) == 9


def test_130_interrupted(shell, inventory: Path, tmp_path: Path, monkeypatch) -> None:
    """Ctrl-C where nothing runs yet, and at the question, is an interrupt and no traceback."""
    for raised in (KeyboardInterrupt, EOFError):
        with cloud_for(inventory) as cloud:
            as_environment(monkeypatch, cloud)
            monkeypatch.setattr(sys, "stdin", io.StringIO())
            monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

            def asked(*_: object, raised=raised) -> str:
                raise raised

            monkeypatch.setattr("builtins.input", asked)
            code, _, err = shell("apply", inventory)
            assert code == Exit.INTERRUPTED
            assert "Traceback" not in err
            assert not (cloud.calls()["operation"] == "CreateVcoRouteEntry").any()
