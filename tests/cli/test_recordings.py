"""``--record`` and ``--replay``: what a command did, for a bug report, and the same again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.stage import FAST, SMALL


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def counts(journal: str, shell) -> dict[str, int]:
    """Return how many steps of a journal are in which state."""
    _, out, _ = shell("status", journal, "--json")
    return json.loads(out)["states"]


def test_what_was_done_is_done_again(shell) -> None:
    """A recorded apply is applied again from its folder, and ends the same; nothing leaks."""
    code, _, err = shell("apply", SMALL, *FAST, "--journal", "a.db", "--record", "sent")
    assert code == 0, err
    code, out, err = shell(
        "apply", "sent/routes.csv", "--replay", "sent", "--speed", "600", "--journal", "b.db"
    )
    assert code == 0, err
    assert "29 as planned" in out
    assert counts("a.db", shell) == counts("b.db", shell)
    written = "".join(path.read_text("utf-8") for path in Path("sent").iterdir())
    with open(SMALL, encoding="utf-8") as file:
        ids = {row["VpnConnectionId"] for row in csv.DictReader(file)} - {""}
    assert not [one for one in ids if one in written]


def test_commands_without_an_inventory_are_recorded(shell) -> None:
    """Any command that calls the cloud can be recorded, and played again."""
    assert shell("quota", "--simulate", "--record", "sent")[0] == 0
    assert [path.name for path in Path("sent").iterdir()] == ["exchanges.jsonl"]
    assert shell("quota", "--replay", "sent")[1] == shell("quota", "--simulate")[1]


def test_what_was_never_asked_is_said(shell) -> None:
    """The original inventory has no answers in a recording: the error names the request."""
    assert shell("plan", SMALL, "--simulate", "--record", "sent")[0] == 0
    code, _, err = shell("plan", SMALL, "--replay", "sent")
    assert code == 5
    assert "was not recorded" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", SMALL, "--replay", "nowhere"), "cannot be read"),
        (("plan", SMALL, "--replay", "x", "--facts", "y"), "Leave out --scenario and --facts"),
        (("plan", SMALL, "--simulate", "--record", "."), "is not empty"),
        (("diff", SMALL, SMALL, "--record", "sent"), "need no cloud"),
    ],
)
def test_what_cannot_be(arguments: tuple, said: str, shell) -> None:
    """One error with its remedy, and nothing is written."""
    Path("mine").write_text("")
    code, _, err = shell(*arguments)
    assert (code, said in err) == (2, True), err
    assert [path.name for path in Path().iterdir()] == ["mine"]
