"""What the README says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import vcokit as vk
from vcokit.audit.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_session_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of the first screen runs as it stands, and ends with all as planned."""
    session = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert len([line for line in session.splitlines() if line.strip()]) <= 12
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    names: dict = {}
    monkeypatch.setenv("VCOKIT_IN_FLIGHT", "32")
    exec(compile(session, "README.md", "exec"), names)  # noqa: S102
    assert str(names["plan"]) in session
    assert set(names["check"]["verdict"]) == {"as planned"}
    assert set(names["rollout"].frame()["state"]) == {"done", "blocked"}


def snippet(heading: str) -> str:
    """Return the Python of a section."""
    return re.search(rf"^## {heading}\n.*?```python\n(.*?)```", README, re.DOTALL | re.M)[1]


def test_keys_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way to give a key works as it stands, and the client shows none of it."""
    profile = {"name": "network", "mode": "AK", "access_key_id": "LTAI1", "region_id": "r"}
    kept = {"profiles": [profile | {"access_key_secret": "kept"}], "current": "network"}
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(json.dumps(kept), "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI2")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "set")
    keys = snippet("Keys")
    exec(compile(keys, "README.md", "exec"), {"vk": vk, "key_id": "LTAI3", "secret": "given"})  # noqa: S102
    assert capsys.readouterr().out.strip() in keys


def test_the_preflight_runs() -> None:
    """What is asked before anything is sent runs as it stands, and only reads."""
    routes = vk.read_routes(ROOT / "data" / "routes-small.csv")
    with vk.Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        names = {"vk": vk, "routes": routes, "client": client}
        exec(compile(snippet("Before anything is sent"), "README.md", "exec"), names)  # noqa: S102
        assert cloud.calls()["operation"].str.startswith("Describe").all()
    rules = {"unknown-connection", "wrong-region", "not-attached"}
    assert not rules & set(names["findings"]["rule"])
    assert names["plan"].counts["create"] > 0


def test_the_rules_are_those_of_the_code() -> None:
    """The table of rules names every rule, in order, with its severity and sentence."""
    table = re.findall(r"^\| `([a-z0-9-]+)` \| (error|warning|info) \| (.*) \|$", README, re.M)
    assert table == [(rule.name, rule.severity, rule.summary) for rule in RULES]


def test_files_that_are_named_exist() -> None:
    """Every relative link and picture leads somewhere."""
    pictures = re.findall(r'\bsrc(?:set)?="([^"]+)"', README)
    assert "docs/pictures/rollout_progress-dark.png" in pictures
    for target in [*re.findall(r"\]\(([^)#:]+)\)", README), *pictures]:
        assert (ROOT / target).exists(), target


def test_two_commands_come_first() -> None:
    """The first screen has the two commands, the session and one picture."""
    first_screen = "\n".join(README.splitlines()[:32])
    for part in ("make demo", "make test", "import vcokit as vk", "<picture>", ".png"):
        assert part in first_screen
