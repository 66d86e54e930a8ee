"""``vcokit quota`` and ``probe``: what the account may have, and how its cloud behaves."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import vcokit as vk

CONNECTION = "vco-aaaaaaaaaaaaaaaaaaaaa"
SCENARIO = f"""
speed = 2000.0
quota = 77
[switches]
shared_space_refused = true
[[connections]]
vpn_connection_id = "{CONNECTION}"
region_id = "cn-hangzhou"
"""
HERE = ("--scenario", "cloud.toml", "--region", "cn-hangzhou")


@pytest.fixture(autouse=True)
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where a scenario is."""
    monkeypatch.chdir(tmp_path)
    Path("cloud.toml").write_text(SCENARIO)


def test_quotas_are_a_table(shell) -> None:
    """The account's number of routes is in a row of the table, and in the line beside it."""
    code, out, err = shell("quota", "--scenario", "cloud.toml")
    assert code == 0
    rows = {row["about"]: row["value"] for row in csv.DictReader(io.StringIO(out))}
    assert rows["routes of a connection"] == "77"
    assert "77" in err


def test_a_probe_is_a_file_that_a_simulator_takes(shell) -> None:
    """It writes nothing to the cloud, names what differs, and --facts behaves as it was seen."""
    code, out, _ = shell("probe", *HERE, "--connection", CONNECTION)
    assert code == 0
    assert "! … of a destination in 100.64.0.0/10?" in out
    assert json.loads(Path("probe.json").read_text())
    Path("routes.csv").write_text(
        f"region,connection,cidr,weight\ncn-hangzhou,{CONNECTION},10.0.0.0/8,100\n"
    )
    code, out, err = shell("apply", "routes.csv", "--facts", "probe.json", "--speed", "2000")
    assert (code, "1 as planned" in out) == (0, True), err
    with vk.Simulator(facts="probe.json") as cloud:
        assert cloud.calls().empty


def test_settings_go_to_a_new_file(shell) -> None:
    """They are written beside the probe; no file that is there is replaced."""
    asked = ("probe", *HERE, "--connection", CONNECTION, "--settings", "vcokit.toml")
    assert shell(*asked)[0] == 0
    assert "quota_hint = 77" in Path("vcokit.toml").read_text()
    before = Path("vcokit.toml").read_text()
    code, _, err = shell(*asked)
    assert (code, "exists already" in err) == (2, True)
    assert Path("vcokit.toml").read_text() == before


def test_the_sandbox_asks(shell) -> None:
    """It needs a connection, and where there is no terminal to ask on, --yes."""
    code, _, err = shell("probe", "--sandbox")
    assert (code, "needs a connection" in err) == (2, True)
    code, _, err = shell("probe", "--sandbox", "--connection", CONNECTION)
    assert (code, "--yes" in err) == (2, True)
    assert not Path("probe.json").exists()


def test_facts_that_are_none_are_one_error(shell) -> None:
    """Another file is refused with its name."""
    Path("other.json").write_text("{}")
    code, _, err = shell("quota", "--facts", "other.json")
    assert (code, "other.json" in err) == (2, True)
