"""The demo does the main job, leaves a report one can show, and has nothing to do twice."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib.image
import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, SMALL
from vcokit.cli import tools

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """The small inventory, with a hostile row."""
    path = tmp_path / "routes.csv"
    hostile = GOOD.replace("10.0.0.0/8", SCRIPT).replace("vco-a", "vco-<b>")
    path.write_text(SMALL.read_text("utf-8") + hostile, encoding="utf-8")
    return path


def test_twice(shell, tmp_path: Path, inventory: Path) -> None:
    """The first run creates all and says so; the second finds it all live; --fresh begins anew.

    The cloud that is kept of another inventory, whose connections are others, is not used.
    """
    out, other = tmp_path / "out", tmp_path / "other.csv"
    other.write_text(HEAD + GOOD)
    assert shell("demo", other, "--out", out, "--speed", "600")[0] == 0
    given = ("demo", inventory, "--out", out, "--speed", "600")
    code, first, err = shell(*given)
    assert (code, err) == (0, "")
    for words in (
        "41 routes",
        "29 create, 0 modify, 0 delete, 0 keep, 12 blocked",
        "verify  29 as planned",
        "a new plan would be: 0 create",
    ):
        assert words in first
    rules = vk.audit_routes(vk.read_routes(inventory))["rule"].value_counts()
    for rule, count in rules.items():
        assert not count or re.search(rf"{rule}\s+{count}\s", first)
    for name in ("weight_distribution.png", "rollout_progress.png"):
        assert matplotlib.image.imread(out / name).std() > 0.05
    is_shown((out / "report.html").read_text("utf-8"), rules[rules > 0].index)

    code, second, _ = shell(*given)
    assert code == 0
    assert "0 create, 0 modify, 0 delete, 29 keep, 12 blocked" in second
    assert "29 routes live" in second
    assert not (out / "rollout_progress.png").exists()
    assert "29 create" in shell(*given, "--fresh")[1]


def is_shown(page: str, rules: Iterable[str]) -> None:
    """See that a report is one HTML file with the figures, the rules and the plots, harmless."""
    assert SCRIPT not in page
    assert html.escape(SCRIPT) in page
    assert page.count("data:image/png;base64,") == 4  # two pictures, light and dark
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for rule in rules:
        assert rule in text
    for number, says in ((41, "routes read"), (29, "created"), (12, "blocked"), (29, "verified")):
        assert re.search(rf"\b{number}\s+{says}", text)


def test_every_rollout_can_have_the_report(shell, tmp_path: Path, inventory: Path) -> None:
    """--report of apply, of a saved plan, of resume and undo: one page with its own figures."""
    page, plan, journal = (tmp_path / name for name in ("report.html", "p.jsonl", "r.db"))
    fast = FAST

    def reported(*command: object) -> str:
        code, out, _ = shell(*command, *fast, "--report", page)
        assert code in (0, 7)
        assert f"Report: {page}\n" in out
        text = html.unescape(re.sub(r"<[^>]+>", " ", page.read_text("utf-8")))
        page.unlink()
        return " ".join(text.split())

    said = reported("apply", inventory, "--journal", journal)
    assert "41 routes read" in said
    assert "29 created" in said
    assert "12 blocked" in said
    assert "29 deleted" in reported("undo", journal)
    Path(inventory).write_text(HEAD + GOOD)
    assert shell("plan", inventory, "--simulate", "--save", plan)[0] == 0
    late = ("--max-hours", "1e-9", "--journal", tmp_path / "late.db")
    assert "0 created" in reported("apply", plan, *late)
    assert "1 created" in reported("resume", tmp_path / "late.db", "--max-hours", "1")


def test_a_report_destroys_nothing(shell, tmp_path: Path, inventory: Path) -> None:
    """What cannot be written, or would be written onto the inventory, is refused before a call."""
    for path in (inventory, tmp_path / "no" / "r.html", tmp_path):
        code, out, err = shell("apply", inventory, "--simulate", "--report", path)
        assert (code, out, err.count("\n")) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["routes.csv"]


def test_a_damaged_cloud_says_how_to_begin_anew(shell, tmp_path: Path, inventory: Path) -> None:
    """A kept cloud that cannot be read is one error with its remedy."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "cloud.json").write_text("{")
    code, _, err = shell("demo", inventory, "--out", out)
    assert code == 2
    assert "--fresh" in err


def test_the_inventory_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The demo's inventory is the one of data/, from whichever folder it is started."""
    assert tools.find_inventory() == Path("data/routes.csv")
    monkeypatch.chdir(tmp_path)
    assert tools.find_inventory().is_file()
