"""What was reviewed is what is sent: a plan's impact, its fingerprint, and the times it may run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vcokit as vk
from tests.conftest import environment_of

SMALL = Path(__file__).parent.parent.parent / "data" / "routes-small.csv"
ROUTES = "region,connection,cidr,weight\ncn-hangzhou,vco-a,10.0.0.0/8,100\n"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a cloud that the environment names; the inventory stands in routes.csv."""
    (tmp_path / "routes.csv").write_text(ROUTES)
    monkeypatch.chdir(tmp_path)
    with vk.Simulator.for_routes(vk.read_routes("routes.csv"), speed=1000.0) as found:
        for name, value in environment_of(found).items():
            monkeypatch.setenv(name, value)
        yield found


def test_only_the_expected_plan_is_sent(cloud: vk.Simulator, shell) -> None:
    """The plan that was shown is sent; one with another weight sends nothing and exits with 3."""
    code, shown, _ = shell("plan", "routes.csv", "--format", "json")
    fingerprint = json.loads(shown)["fingerprint"]
    Path("other.csv").write_text(ROUTES.replace("100", "0"))
    code, _, err = shell("apply", "other.csv", "--yes", "--expect", fingerprint)
    assert code == 3
    assert fingerprint[:12] in err
    assert cloud.calls()["operation"].str.startswith("Describe").all()
    assert not Path("other.rollout.db").exists()
    code, _, _ = shell("apply", "routes.csv", "--yes", "--expect", fingerprint[:12])
    assert code == 0
    assert cloud.calls()["operation"].eq("CreateVcoRouteEntry").sum() == 1


@pytest.mark.parametrize("text", ["", "abc", "0123456789AB", "g" * 12, "0" * 65])
def test_what_is_no_fingerprint_is_refused_before_anything_is_read(text: str, shell) -> None:
    """The message says where to copy it from."""
    code, _, err = shell("apply", SMALL, "--simulate", "--expect", text)
    assert code == 2
    assert "vcokit plan" in err


@pytest.mark.parametrize("kind", ["text", "table", "diff", "markdown", "json"])
def test_the_impact_of_a_plan(kind: str, shell) -> None:
    """Every format has the same figures, those of the library."""
    code, out, _ = shell("plan", SMALL, "--simulate", "--impact", "--format", kind)
    assert code == 0
    routes = vk.read_routes(SMALL)
    with vk.Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        impact = vk.plan_routes(routes, vk.live_routes(client, routes)).impact()
    if kind == "json":
        assert [one["block"] for one in json.loads(out)["impact"]] == impact["block"].tolist()
    else:
        total = impact["addresses"].sum()
        assert f"Impact: {total:,} addresses gained" in out
        assert all(block in out for block in impact["block"])


def test_a_plan_without_impact_says_so(cloud: vk.Simulator, shell) -> None:
    """Where no address is forwarded differently, one line says it."""
    shell("apply", "routes.csv", "--yes")
    code, out, _ = shell("plan", "routes.csv", "--impact")
    assert code == 0
    assert "Impact: no address is forwarded differently" in out


def test_windows(cloud: vk.Simulator, shell) -> None:
    """What is not a window is refused before anything is read; an open one sends, and is kept."""
    code, _, err = shell("apply", "routes.csv", "--yes", "--window", "at night")
    assert code == 2
    assert "22:00-05:00 Asia/Shanghai" in err
    assert not len(cloud.calls())
    code, _, _ = shell("apply", "routes.csv", "--yes", "--window", "00:00-24:00 UTC")
    assert code == 0
    with vk.Journal.read("routes.rollout.db") as journal:
        assert json.loads(journal.meta()["options"])["windows"] == ["00:00-24:00 UTC"]


def test_accepted_findings_do_not_fail_and_change_no_plan(
    cloud: vk.Simulator, shell, tmp_path: Path
) -> None:
    """What an exception accepts passes --fail-on, is told, and leaves the fingerprint as it is."""
    rows = ROUTES + "cn-hangzhou,vco-a,10.1.0.0/16,100\n"
    Path("routes.csv").write_text(rows)
    Path("agreed.toml").write_text(
        '[[exception]]\nrule = "covered"\nreason = "NET-2417"\nuntil = 2099-12-31\n'
    )
    command = ("plan", "routes.csv", "--format", "json", "--fail-on", "info")
    code, shown, _ = shell(*command)
    assert code == 1
    code, same, _ = shell(*command, "--exceptions", "agreed.toml", "--save", "p.jsonl")
    assert (code, json.loads(same)["fingerprint"]) == (0, json.loads(shown)["fingerprint"])
    code, _, err = shell("apply", "p.jsonl", "--yes", "--exceptions", "agreed.toml")
    assert (code, "--exceptions" in err) == (2, True)
    given = ("--yes", "--exceptions", "agreed.toml", "--fail-on", "info", "--report", "r.json")
    assert shell("apply", "routes.csv", *given)[0] == 0
    record = json.loads(Path("r.json").read_text("utf-8"))
    assert [(one["rule"], one["reason"]) for one in record["accepted"]] == [("covered", "NET-2417")]
    assert shell("apply", "p.jsonl", "--yes", "--ticket", " ")[0] == 2
