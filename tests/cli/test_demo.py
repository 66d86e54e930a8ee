"""The demo does the main job, leaves a report one can show, and has nothing to do twice."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib.image
import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, SMALL, as_environment, refusing
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
    assert page.count("<svg role=") == 3
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for rule in rules:
        assert rule in text
    for number, says in ((41, "routes read"), (29, "changes"), (29, "done"), (12, "blocked")):
        assert re.search(rf"\b{number}\s+{says}", text)


def test_every_rollout_can_have_the_report(shell, tmp_path: Path, inventory: Path) -> None:
    """--report of apply, of a saved plan, of resume and undo: the record, with its own figures."""
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
    assert "41 routes read 29 changes 29 done" in said
    assert "12 blocked" in said
    assert "29 delete" in reported("undo", journal)
    assert shell("plan", inventory, "--simulate", "--save", plan)[0] == 0
    late = ("--max-hours", "1e-9", "--journal", tmp_path / "late.db")
    assert "Stopped: 29 of 29 changes are left" in reported("apply", plan, *late)
    assert "29 changes 29 done" in reported("resume", tmp_path / "late.db", "--max-hours", "1")


def test_a_rollout_that_failed_has_a_report_too(
    shell, tmp_path: Path, inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that failed: exit code 6, and a record; vcokit report writes the same one."""
    inventory.write_text(HEAD + GOOD)
    with vk.Simulator.for_routes(vk.read_routes(inventory), faults=[refusing()]) as cloud:
        as_environment(monkeypatch, cloud)
        page, journal = tmp_path / "r.md", tmp_path / "r.db"
        given = ("--yes", "--report", page, "--journal", journal, "--ticket", "NET-1")
        assert shell("apply", inventory, *given, "--approved-by", "Chen Jing")[0] == 6
        said = page.read_text("utf-8")
        for words in ("1 failed", "NET-1", "Chen Jing", "IllegalParam.RouteDest"):
            assert words in said
    code, shown, err = shell("report", journal)
    assert (code, shown, err) == (0, said, "")
    code, _, err = shell("report", journal, "--output", tmp_path / "r.html")
    assert (code, err) == (0, f"Report: {tmp_path / 'r.html'}\n")
    for wrong in ("r.pdf", "r.db"):
        assert shell("report", journal, "--output", tmp_path / wrong)[0] == 2
    assert vk.change_record(journal).markdown() == said


def test_a_report_destroys_nothing(shell, tmp_path: Path, inventory: Path) -> None:
    """What cannot be written, or would be written onto the inventory, is refused before a call."""
    for path in (inventory, tmp_path / "no" / "r.html", tmp_path, tmp_path / "r.pdf"):
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
