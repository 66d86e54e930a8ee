"""The shell does what the library does, says it harmlessly, and leaves with a documented code."""

from __future__ import annotations

import re
from pathlib import Path

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, SMALL
from vcokit.cli.commands import COMMANDS
from vcokit.cli.show import visible


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


def test_visible() -> None:
    """Control, bidirectional and invisible characters are spelt out; letters stay."""
    assert visible("a\u202eb\u200bc\n主") == "a\\u202eb\\u200bc\\n主"


def test_help_of_every_command(shell) -> None:
    """Every command has help, and the commands stand in the overall help."""
    overall = shell("--help")[1]
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", overall, re.M)
        code, shown, _ = shell(name, "--help")
        assert code == 0
        assert f"vcokit {name} " in shown
        assert len(shown.splitlines()) > 4


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
