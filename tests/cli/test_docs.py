"""The reference is the code's, and what the page on unattended rollouts says can be done."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

from tests.cli.stage import ROOT
from vcokit.cli import COMMANDS, ExitCode, load

UNATTENDED = (ROOT / "docs" / "unattended.md").read_text("utf-8")


@cache
def reference() -> str:
    """Return what ``make commands`` writes."""
    spec = importlib.util.spec_from_file_location("commands", ROOT / "docs" / "commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.reference()


def test_the_reference_is_that_of_the_code() -> None:
    """docs/commands.md is what the commands say of themselves: make commands."""
    written = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert written == reference()
    for name in COMMANDS:
        assert f"\n## {name}\n" in written
    for code in ExitCode:
        assert f"| {int(code)} | {code.meaning} |" in written


def test_every_argument_is_explained() -> None:
    """Each has help; in the usage line each stands in one pair of brackets.

    What is needed stands in braces, what may be left out in brackets, what repeats has dots.
    """
    for name in COMMANDS:
        usage = re.search(rf"^`vcokit {name} \[OPTIONS\](.*)`$", reference(), re.M)[1]
        assert re.sub(r" (?:\{[A-Z|]+\}|\[[A-Z]+\])(?:\.\.\.)?", "", usage) == ""
        for one in load(name).params:
            assert getattr(one, "help", None), f"{name} {one.name}"


def options_of(name: str) -> set[str]:
    """Return the options of a command."""
    return {word for one in load(name).params for word in one.opts if word.startswith("--")}


def test_commands_of_the_page_are_there() -> None:
    """Each command of the page takes the options it is shown with."""
    text = UNATTENDED.replace("\\\n", " ")
    lines = re.findall(r"^(?:\$ |    )?(vcokit \w+ .*?)(?: \|\|.*)?$", text, re.M)
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.split(" #")[0].split("2>>")[0])
        wrong = {word for word in words if word.startswith("--")} - options_of(words[1])
        assert not wrong, line


def test_the_nightly_script_goes_on_or_begins(tmp_path: Path) -> None:
    """It resumes what is left, applies where nothing is, and wakes nobody for a deadline alone."""
    script = UNATTENDED.split("```sh\n")[1].split("```")[0]
    (tmp_path / "nightly.sh").write_text(script)
    bins = tmp_path / "bin"
    bins.mkdir()
    fake = bins / "vcokit"
    fake.touch(0o755)
    woken: list[int] = []

    def night(status: str | None, code: int = 0, failed: str = "[]") -> list[str]:
        fake.write_text(
            '#!/bin/sh\necho "$@" >> calls.txt\n'
            f"[ $1 = status ] && cat status.json && exit\n[ $1 = audit ] && exit\n"
            f"""echo '{{"failed": {failed}}}' > last.json\nexit {code}\n"""
        )
        (tmp_path / "calls.txt").unlink(missing_ok=True)
        if status is not None:
            (tmp_path / "routes.rollout.db").touch()
            (tmp_path / "status.json").write_text(status)
        env = {"PATH": f"{bins}:/usr/bin:/bin"}
        ended = subprocess.run(["sh", "nightly.sh"], cwd=tmp_path, env=env)
        woken.append(ended.returncode)
        calls = (tmp_path / "calls.txt").read_text().splitlines()
        return [line.split()[0] for line in calls]

    assert night(None) == ["audit", "apply"]
    assert night('{"resume": "vcokit resume routes.rollout.db"}') == ["status", "resume"]
    assert night('{"resume": null}') == ["status", "audit", "apply"]
    assert woken == [0, 0, 0]
    for status in ('{"resume": "vcokit resume routes.rollout.db"}', '{"resume": null}'):
        for code, failed in ((7, "[]"), (7, '[{"line": 2}]'), (6, "[]"), (130, "[]")):
            night(status, code, failed)
    assert woken[3:] == [0, 7, 6, 130] * 2
