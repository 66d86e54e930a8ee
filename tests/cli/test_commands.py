"""Each command does what its library function does, and says it in a form a pipe can take."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, SMALL, TEN
from vcokit.cli.rollout import PlanFormat
from vcokit.cli.tools import COMMAND_NEEDS
from vcokit.rollout.plan import Plan

HOSTILE = "\x1b]0;title\x07[red]<script>\n=1+1\u202e"


def test_plan_shows_and_saves(shell, inventory: Path, tmp_path: Path, cloud) -> None:
    """Each format is the library's; the saved plan is the same plan; nothing is sent."""
    saved = tmp_path / "plan.jsonl"
    client = vk.connect(cloud)
    with client:
        plan = vk.plan_routes(routes := vk.read_routes(inventory), vk.live_routes(client, routes))
    code, out, err = shell("plan", inventory, "--save", saved)
    assert (code, out) == (0, plan.text() + "\n")
    assert f"Plan {plan.fingerprint[:12]}: 10 create" in err
    for name in ("table", "diff", "markdown"):
        assert shell("plan", inventory, "--format", name)[1] == getattr(plan, name)() + "\n"
    told = json.loads(shell("plan", inventory, "--format", "json")[1])
    assert told["fingerprint"] == plan.fingerprint == Plan.load(saved).fingerprint
    assert [step["route_dest"] for step in told["steps"]] == plan.frame()["route_dest"].tolist()
    assert not (cloud.calls()["operation"].isin(COMMAND_NEEDS["apply"][3:])).any()


def test_plan_of_a_part(shell, inventory: Path, cloud) -> None:
    """Options narrow it as `Plan.only` does; --prune deletes what no row names."""
    code, out, _ = shell("plan", inventory, "--only-network", "10.3.0.0/16", "--format", "json")
    assert (code, json.loads(out)["actions"]["create"]) == (0, 1)
    assert shell("apply", inventory, "--yes")[0] == 0
    inventory.write_text(TEN.replace(GOOD.replace("10.0.0.0/8", "10.3.0.0/16"), ""))
    given = ("plan", inventory, "--prune", "--format", "diff")
    code, out, _ = shell(*given)
    assert (code, re.findall(r"^-\d\S*", out, re.M)) == (0, ["-10.3.0.0/16"])
    code, _, err = shell(*given, "--max-delete", "0")
    assert code == 2
    assert "delete" in err


def test_live_routes_go_to_terraform(shell, inventory: Path, tmp_path: Path, cloud) -> None:
    """A .tf file of live routes has their blocks, and the imports that take them over."""
    assert shell("apply", inventory, "--yes")[0] == 0
    path = tmp_path / "routes.tf"
    assert shell("live", inventory, "--output", path)[0] == 0
    text = path.read_text()
    assert text.count('route_dest        = "') == 10
    assert text.count("\nimport {\n") == text.count("\nresource ") == 1


def test_apply_a_saved_plan_and_undo_it(shell, inventory: Path, tmp_path: Path, cloud) -> None:
    """What was planned is what is sent; undo shows what it will do and takes it back."""
    saved = tmp_path / "plan.jsonl"
    shell("plan", inventory, "--save", saved)
    code, out, _ = shell("apply", saved, "--yes")
    assert (code, len(cloud.routes())) == (0, 10)
    assert "Verified live: 10 as planned" in out
    journal = tmp_path / "plan.rollout.db"
    code, out, err = shell("undo", journal)
    assert (code, len(cloud.routes())) == (2, 10)
    assert "--yes" in err
    assert len(re.findall(r"^- 10\.", out, re.M)) == 10
    code, out, _ = shell("undo", journal, "--save", tmp_path / "undo.jsonl")
    assert (code, len(cloud.routes())) == (0, 10)
    assert shell("undo", journal, "--yes")[0] == 0
    assert len(cloud.routes()) == 0
    assert (tmp_path / "plan.rollout.undo.db").exists()


def test_apply_again_takes_another_journal(shell, inventory: Path, cloud) -> None:
    """No journal is overwritten: a nightly apply of the same file has one each time it sends."""
    assert shell("apply", inventory, "--yes")[0] == 0
    assert "Nothing was sent" in shell("apply", inventory, "--yes")[1]
    assert not inventory.with_name("routes.rollout-2.db").exists()
    inventory.write_text(TEN + GOOD.replace("10.0.0.0/8", "10.20.0.0/16"))
    assert shell("apply", inventory, "--yes")[0] == 0
    assert inventory.with_name("routes.rollout-2.db").exists()
    code, _, err = shell("apply", inventory, "--journal", inventory.with_name("routes.rollout.db"))
    assert code == 2
    assert "exists already" in err


def test_status(shell, inventory: Path, cloud) -> None:
    """States, pace and failures as text and as JSON; of what has ended, nobody holds it."""
    shell("apply", inventory, "--yes")
    journal = inventory.with_name("routes.rollout.db")
    facts = json.loads(shell("status", journal, "--json")[1])
    assert facts["state"] == "finished"
    assert facts["states"] == {"done": 10}
    assert (facts["left"], facts["holder"], facts["resume"]) == (0, None, None)
    assert facts["steps_per_minute"] > 0
    code, out, _ = shell("status", journal)
    assert code == 0
    assert "10 done" in out


def test_verify(shell, inventory: Path, cloud) -> None:
    """Missing, different and unexpected routes are told apart; unexpected ones may be allowed."""
    shell("apply", inventory, "--yes")
    assert shell("verify", inventory)[0] == 0
    fewer = TEN.replace(GOOD.replace("10.0.0.0/8", "10.3.0.0/16"), "")
    inventory.write_text(fewer)
    code, out, err = shell("verify", inventory, "--format", "csv")
    assert (code, "1 unexpected" in err) == (1, True)
    assert [row["route_dest"] for row in csv.DictReader(io.StringIO(out))] == ["10.3.0.0/16"]
    assert shell("verify", inventory, "--allow-unexpected")[0] == 0
    inventory.write_text(fewer + GOOD.replace("10.0.0.0/8", "10.77.0.0/16"))
    told = json.loads(shell("verify", inventory, "--format", "json")[1])
    assert sorted(row["verdict"] for row in told) == ["missing", "unexpected"]


def test_live_can_be_adopted(shell, inventory: Path, tmp_path: Path, cloud) -> None:
    """What live writes is an inventory of what is there: its plan has nothing to do."""
    shell("apply", inventory, "--yes")
    for name in ("live.parquet", "live.csv.gz"):
        path = tmp_path / name
        assert shell("live", "--region", "cn-hangzhou", "--output", path)[0] == 0
        code, _, err = shell("plan", path)
        assert code == 0
        assert "0 create, 0 modify, 0 delete, 10 keep, 0 blocked" in err
        assert shell("diff", inventory, path)[0] == 0
    out = shell("live", inventory)[1]
    assert len(list(csv.DictReader(io.StringIO(out)))) == 10
    out = shell("live", "--region", "cn-hangzhou", "--connections")[1]
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["vpn_connection_id"], row["state"]) == ("vco-a", "attached")
    assert shell("diff", inventory)[0] == 0


def test_names_stand_for_ids(shell, inventory: Path, cloud) -> None:
    """With --names an inventory may name connections as people do."""
    with vk.connect(cloud) as client:
        name = vk.live_connections(client, "cn-hangzhou")["name"][0]
    inventory.write_text(TEN.replace("vco-a", name))
    assert "0 create" in shell("plan", inventory)[2]
    assert "10 create" in shell("plan", inventory, "--names")[2]


def test_any_file_is_an_inventory(shell, inventory: Path, tmp_path: Path, monkeypatch) -> None:
    """Standard input, a workbook, a pattern and words for weights, as `read_routes` takes them."""
    stdin = io.TextIOWrapper(io.BytesIO(TEN.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert "10 create" in shell("plan", "-", "--simulate")[2]
    book = openpyxl.Workbook()
    for line in TEN.replace(",100,", ",主,").splitlines():
        book.active.append(line.split(","))
    book.save(tmp_path / "routes.xlsx")
    book.close()
    given = ("plan", tmp_path / "routes.xlsx", "--simulate")
    assert "10 blocked" in shell(*given)[2]
    assert "10 create" in shell(*given, "--weight-word", "主=100")[2]
    inventory.with_name("more.csv").write_text(HEAD + GOOD.replace("10.0.0.0/8", "10.50.0.0/16"))
    assert "11 create" in shell("plan", tmp_path / "*.csv", "--simulate")[2]


def test_a_scenario_says_what_is_there(shell, inventory: Path, tmp_path: Path) -> None:
    """Connections and routes of the scenario, not of the inventory."""
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        'speed = 600\n[[connections]]\nvpn_connection_id = "vco-a"\nregion_id = "cn-hangzhou"\n'
        '[[routes]]\nvpn_connection_id = "vco-a"\nroute_dest = "10.1.0.0/16"\nweight = 0\n'
    )
    err = shell("plan", inventory, "--scenario", scenario)[2]
    assert "9 create, 1 modify, 0 delete, 0 keep" in err
    code, out, _ = shell("apply", inventory, "--scenario", scenario)
    assert (code, "Verified live: 10 as planned" in out) == (0, True)


def test_diff(shell, inventory: Path, tmp_path: Path) -> None:
    """Added, removed and changed routes, whatever the order of the rows."""
    other = tmp_path / "other.csv"
    rows = TEN.splitlines()[1:]
    rows[0] = rows[0].replace("100", "0")
    changed = [*rows[:-1], rows[-1].replace("10.9.0.0", "10.99.0.0")]
    other.write_text(HEAD + "\n".join(reversed(changed)) + "\n")
    assert shell("diff", inventory, inventory)[0] == 0
    code, out, err = shell("diff", inventory, other, "--format", "json")
    assert code == 1
    told = {
        row["route_dest"]: (row["change"], row["old_weight"], row["weight"])
        for row in json.loads(out)
    }
    assert told == {
        "10.0.0.0/16": ("changed", 100, 0),
        "10.9.0.0/16": ("removed", 100, None),
        "10.99.0.0/16": ("added", None, 100),
    }
    assert "1 added, 1 removed, 1 changed" in err


def test_explain(shell, inventory: Path) -> None:
    """The same words as the library's; JSON has its frames."""
    routes = vk.read_routes(str(inventory))
    assert shell("explain", "10.3.1.2", inventory)[1] == f"{vk.explain(routes, '10.3.1.2')}\n"
    told = json.loads(shell("explain", "10.3.1.2", inventory, "--format", "json")[1])
    assert [row["verdict"] for row in told["routes"]] == ["wins"]


def test_aggregate(shell, inventory: Path, tmp_path: Path) -> None:
    """Fewer rows that pass the audit; with errors in it nothing is written unless it is asked."""
    fewest = tmp_path / "fewest.csv"
    assert shell("aggregate", inventory, "--output", fewest)[0] == 0
    assert vk.read_routes(fewest)["route_dest"].tolist() == ["10.0.0.0/13", "10.8.0.0/15"]
    code, out, _ = shell("aggregate", SMALL)
    assert (code, out) == (1, "")
    code, out, _ = shell("aggregate", SMALL, "--drop-blocked")
    assert (code, out.count("\n") > 2) == (0, True)


def test_config_says_from_where(shell, tmp_path: Path, monkeypatch) -> None:
    """Environment over file over default; no secret, of a key or a URL, is shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vcokit.toml").write_text("in_flight = 7\nread_attempts = 2\n")
    monkeypatch.setenv("VCOKIT_IN_FLIGHT", "9")
    monkeypatch.setenv("VCOKIT_IN_FLITE", "9")
    monkeypatch.setenv("VCOKIT_ENDPOINT", "https://me:s3cret@vpc.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@proxy:3128")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIexample")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s3cret")
    code, out, err = shell("config")
    told = json.loads(shell("config", "--json")[1])
    assert code == 0
    assert "s3cret" not in out + err + json.dumps(told)
    settings = {row["name"]: (row["value"], row["origin"]) for row in told["settings"]}
    assert settings["in_flight"] == ("9", "VCOKIT_IN_FLIGHT")
    assert settings["read_attempts"] == ("2", "vcokit.toml")
    assert settings["step_attempts"][1] == "default"
    assert told["unknown"] == ["VCOKIT_IN_FLITE"]
    assert told["proxies"] == {"HTTPS_PROXY": "http://***@proxy:3128"}
    assert "LTAI***" in told["key"]


def test_a_profile_is_an_account(
    shell, inventory: Path, tmp_path: Path, cloud, monkeypatch
) -> None:
    """--profile takes the key of a profile of the vendor's CLI, not the environment's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    keys = cloud.credentials
    profile = {"name": "prod", "mode": "AK", "access_key_id": keys.access_key_id}
    profile["access_key_secret"] = keys.access_key_secret
    (tmp_path / ".aliyun").mkdir(mode=0o700)
    config = tmp_path / ".aliyun" / "config.json"
    config.write_text(json.dumps({"current": "other", "profiles": [profile]}))
    config.chmod(0o600)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
    assert shell("plan", inventory)[0] == 4
    code, out, err = shell("apply", inventory, "--profile", "prod", "--yes")
    assert (code, len(cloud.routes())) == (0, 10)
    assert keys.access_key_secret not in out + err
    assert "prod" in shell("config", "--profile", "prod")[1]


def test_regions_share_a_journal(shell, tmp_path: Path) -> None:
    """Rows of several regions are one rollout; a region that rows lack is given."""
    path = tmp_path / "two.csv"
    other = GOOD.replace("cn-hangzhou", "eu-central-1").replace("vco-a", "vco-b")
    path.write_text(TEN + other)
    assert shell("apply", path, *FAST)[0] == 0
    with vk.Journal.read(tmp_path / "two.simulated.db") as journal:
        assert set(journal.calls()["region_id"]) == {"cn-hangzhou", "eu-central-1"}
    path.write_text(TEN.replace("RegionId,", "").replace("cn-hangzhou,", ""))
    assert shell("plan", path, "--simulate")[0] == 2
    code, _, err = shell("plan", path, "--simulate", "--region", "cn-beijing")
    assert (code, "10 create" in err) == (0, True)


def test_completion(shell) -> None:
    """The script is what the shell itself takes for well-formed."""
    for name in ("bash", "zsh", "fish", "powershell"):
        code, script, _ = shell("completion", name)
        assert (code, "_VCOKIT_COMPLETE" in script) == (0, True)
    script = shell("completion", "bash")[1]
    if shutil.which("bash"):  # who has none needs no script for it
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_hostile_text_is_harmless_everywhere(shell, tmp_path: Path) -> None:
    """What a cell holds comes out as text from every command that prints cells."""
    path = tmp_path / "routes.csv"
    cell = '"' + HOSTILE + '"'
    rows = (
        f"cn-hangzhou,vco-a,10.0.0.0/8,{cell},100,{cell}\ncn-hangzhou,{cell},{cell},vco-a,{cell},\n"
    )
    rows += GOOD.replace("10.0.0.0/8", "10.1.0.0/16").replace("fine", cell)
    path.write_text(HEAD + rows + GOOD)
    commands = [
        ("audit", path),
        *(("plan", path, "--simulate", "--format", one) for one in PlanFormat),
        ("apply", path, *FAST, "--log-format", "json"),
        ("apply", path, *FAST, "--log-format", "text"),
        *(("verify", path, "--simulate", "--format", one) for one in ("table", "csv", "json")),
        *(("diff", path, SMALL, "--format", one) for one in ("table", "csv", "json")),
        ("explain", "10.1.2.3", path),
        ("explain", "10.1.2.3", path, "--format", "json"),
        ("aggregate", path, "--drop-blocked"),
        ("status", tmp_path / "routes.simulated.db"),
        ("audit", tmp_path / HOSTILE.replace("/", "")),
    ]
    for command in commands:
        code, out, err = shell(*command)
        assert code in (0, 1, 2), command
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", out + err), command
        assert command[0] != "audit" or "[red]<script>" in out + err
        for row in csv.reader(io.StringIO(out)) if "csv" in command else ():
            assert not any(value.startswith(("=", "+", "@")) for value in row)
