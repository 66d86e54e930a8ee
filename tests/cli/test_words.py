"""What the shell says is in its own words: options that there are, places, counts, remedies."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, as_environment
from vcokit.cli import ExitCode
from vcokit.simulator import Simulator


@pytest.mark.parametrize(
    "options",
    [("--max-hours", "-1"), ("--max-hours", "nan"), ("--rate-share", "2"), ("--rate-share", "0"),
     ("--waves", "0,rest"), ("--waves", "rest,1"), ("--waves", ""), ("--waves", "1,,2")],
)  # fmt: skip
def test_options_are_checked_first(shell, inventory: Path, options) -> None:
    """Before anything is read, and by the option's own name."""
    for command in ("apply", "resume", "undo"):
        code, out, err = shell(command, inventory, "--simulate", *options)
        assert (code, out) == (ExitCode.INPUT, "")
        assert err.startswith(f"error: {options[0]} ")
        assert not re.search(r"deadline|\w=|None", err)


def test_a_folder_that_is_not_ones_own(shell, inventory: Path) -> None:
    """Each refusal to write has a remedy, and none of them is an open file."""
    folder = Path("closed")
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write anywhere, but nobody into this one
        folder = Path("/sys")
    for command in (
        ("plan", inventory, "--simulate", "--save", folder / "p.txt"),
        ("apply", inventory, "--simulate", "--journal", folder / "j.simulated.db"),
        ("live", inventory, "--simulate", "--output", folder / "l.csv"),
        ("aggregate", inventory, "--output", folder / "l.csv"),
    ):
        code, _, err = shell(*command)
        assert code == ExitCode.INPUT
        assert re.search(r"(Permission denied|Read-only file system)\W+(Name|Give|Check|See) ", err)
        assert "open" not in err


def test_a_region_that_is_none_stops_nothing(shell, inventory: Path, monkeypatch) -> None:
    """Its rows are blocked, each with its line and the reason; the others go."""
    names = ("evil.com/#", "CN-HANGZHOU.", "a b", "北京")
    rows = (GOOD.replace("cn-hangzhou", f'"{one}"').replace("vco-a", "vco-b") for one in names)
    routes = vk.read_routes(str(HEAD + GOOD))
    inventory.write_text(HEAD + GOOD + "".join(rows), encoding="utf-8")
    with Simulator.for_routes(routes, speed=600.0) as cloud:
        as_environment(monkeypatch, cloud)
        code, out, err = shell("plan", inventory)
        assert (code, "1 create, 0 modify, 0 delete, 0 keep, 4 blocked" in err) == (
            ExitCode.OK,
            True,
        )
        for line in (3, 4, 5, 6):
            assert re.search(rf"\n! .* line {line}: invalid-region: .*not a region id", out)
        assert shell("apply", inventory, "--yes")[0] == ExitCode.OK
        for command in ("live", "verify"):
            assert "vco-b: cannot be listed" in shell(command, inventory)[2]


def test_a_second_undo_names_the_option_there_is(shell, inventory: Path) -> None:
    """It is --undo-journal."""
    fast = FAST
    assert shell("apply", inventory, *fast)[0] == ExitCode.OK
    assert shell("undo", "routes.simulated.db", *fast)[0] == ExitCode.OK
    code, _, err = shell("undo", "routes.simulated.db", *fast)
    assert (code, "--undo-journal" in err) == (ExitCode.INPUT, True)
    assert shell("undo", "routes.simulated.db", *fast, "--save", "u.txt")[0] == ExitCode.OK
    given = ("--undo-journal", "again.simulated.db")
    assert shell("undo", "routes.simulated.db", *fast, *given)[0] == ExitCode.OK


def test_a_profile_that_is_not_there(shell, tmp_path: Path, monkeypatch) -> None:
    """Config does not name the key of a profile that there is none of."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "AccessKey  none: " in shell("config", "--profile", "zz")[1]
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(
        '{"current": "a", "profiles": [{"name": "a", "mode": "AK"}]}'
    )
    assert "has no profile 'zz'" in shell("config", "--profile", "zz")[1]
    assert "AccessKey  of the profile a " in shell("config", "--profile", "a")[1]


def test_one_is_not_plural(shell, inventory: Path) -> None:
    """What is counted is one, or several."""
    inventory.write_text(HEAD + GOOD)
    assert "routes.csv: 1 route\n" in shell("plan", inventory, "--simulate")[2]
    assert shell("live", inventory, "--simulate")[2] == "0 routes\n"
