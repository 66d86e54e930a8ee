"""`vcokit fleet`: many accounts planned, applied, resumed, undone and recorded as one."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.cli.stage import ROOT, on_terminal, run
from tests.rollout.accounts import Accounts, connection_of, refusing
from vcokit import errors
from vcokit.cli import ExitCode
from vcokit.simulator import Connection, Simulator

NAMES = ["berlin", "madrid", "oslo"]
FAST = ("--simulate", "--speed", "600")
DIRECTORY = ("--directory", "roll")
SETTINGS = {"VCOKIT_POLL_INTERVAL": "0.01", "VCOKIT_TASK_SECONDS": "0.01"}


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Accounts]]:
    """Serve accounts, with their inventory, file of members and profiles, as a user has them."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def start(*faults, **options) -> Accounts:
            accounts = stack.enter_context(Accounts(NAMES, *faults, **options))
            write_profiles(accounts.keys)
            table = '[members.{0}]\nprofile = "{0}"\nregion = "cn-hangzhou"\n'
            Path("fleet.toml").write_text("".join(map(table.format, NAMES)))
            routes = [rows.assign(account=name) for name, rows in accounts.routes.items()]
            pd.concat(routes).to_csv("routes.csv", index=False)
            for name, value in {"VCOKIT_ENDPOINT": accounts.cloud.endpoint, **SETTINGS}.items():
                monkeypatch.setenv(name, value)
            return accounts

        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield start


def write_profiles(keys: dict[str, tuple[str, str]]) -> None:
    """Write the profiles of the vendor's CLI."""
    profiles = [
        {"name": name, "mode": "AK", "access_key_id": key, "access_key_secret": secret}
        for name, (key, secret) in keys.items()
    ]
    Path("home/.aliyun").mkdir(parents=True, exist_ok=True)
    Path("home/.aliyun/config.json").write_text(json.dumps({"profiles": profiles}))
    Path("home/.aliyun/config.json").chmod(0o600)


@pytest.fixture
def accounts(serve: Callable[..., Accounts]) -> Accounts:
    """Three accounts without a fault; all have the same networks."""
    return serve()


def test_what_was_reviewed_is_applied(shell, accounts: Accounts) -> None:
    """A plan is shown in every format and saved; the saved one is sent, to each account its own."""
    plan = vk.plan_fleet(vk.read_routes("routes.csv"), accounts.clients)
    code, out, err = shell("fleet", "plan", "routes.csv", "--save", "p.jsonl", "--fail-on", "info")
    assert (code, out) == (ExitCode.OK, f"{plan.text()}\n")  # accounts are not compared
    assert f"Plan {plan.fingerprint[:12]}: 3 members: 6 create" in err
    for form in ("table", "diff", "markdown"):
        out = shell("fleet", "plan", "routes.csv", "--format", form, "--impact")[1]
        assert out.startswith(f"{getattr(plan, form)()}\n")
        assert all(f"gained  {name}" in out for name in NAMES)
    told = json.loads(shell("fleet", "plan", "routes.csv", "-f", "json")[1])
    assert [step["member"] for step in told["steps"]] == plan.frame()["member"].tolist()
    saved = vk.FleetPlan.load("p.jsonl")
    assert (list(saved), saved.fingerprint) == (NAMES, plan.fingerprint)
    assert saved.frame().equals(plan.frame())
    given = (
        "--ticket",
        "NET-7",
        "--approved-by",
        "Chen",
        "--waves",
        "1,rest",
        "--rate-share",
        ".5",
    )
    expect = ("--expect", plan.fingerprint[:12], "--summary", "s.json")
    code, out, err = shell("fleet", "apply", "p.jsonl", "--yes", *DIRECTORY, *given, *expect)
    assert (code, "finished 3  6 of 6 steps" in out) == (ExitCode.OK, True), err
    assert accounts.creations() == dict.fromkeys(NAMES, 2)
    for name in NAMES:
        with vk.Journal.read(f"roll/{name}.db") as journal:
            meta = journal.meta()
            assert (meta["ticket"], meta["approved_by"]) == ("NET-7", "Chen")
            assert json.loads(meta["options"])["rate_share"] == 0.5
    facts = json.loads(Path("s.json").read_text())
    assert (facts["state"], facts["exit_code"], facts["failed"]) == ("finished", 0, [])
    assert (facts["plan"], facts["directory"]) == (plan.fingerprint, "roll")
    assert (facts["members"], facts["states"]) == ({"finished": 3}, {"done": 6})
    code, out, _ = shell("fleet", "resume", "roll")
    assert (code, "Nothing is left to do: 3 finished" in out) == (ExitCode.OK, True)


def swap(lines: list[str]) -> list[str]:
    """Give the plans of two members to each other."""
    return [line.replace("berlin", "x").replace("oslo", "berlin").replace("x", "oslo")
            if line.startswith('{"member"') else line for line in lines]  # fmt: skip


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: [line.replace('"weight": 100', '"weight": 0') for line in lines],
        swap,
        lambda lines: [lines[0].replace('"members": 3', '"members": 2'), *lines[1:-4]],
        lambda lines: [lines[0], *lines[5:9], *lines[1:5], *lines[9:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[:-1],
    ],
    ids=["weight", "names", "fewer", "order", "more", "cut"],
)
def test_a_changed_plan_is_refused(shell, accounts: Accounts, edit) -> None:
    """Whatever was edited in the file, in a member or between them: nothing is sent."""
    shell("fleet", "plan", "routes.csv", "--save", "p.jsonl")
    lines = Path("p.jsonl").read_text().splitlines()
    Path("p.jsonl").write_text("\n".join(edit(lines)) + "\n")
    code, _, err = shell("fleet", "apply", "p.jsonl", "--yes", *DIRECTORY)
    assert (code, "p.jsonl, line" in err) == (ExitCode.INPUT, True)
    assert not Path("roll").exists()
    assert not any(accounts.creations().values())


def test_a_failed_canary(shell, serve: Callable[..., Accounts]) -> None:
    """It holds the others back, with 7; who failed is told with the reason, and how to go on."""
    accounts = serve(refusing("berlin", count=1))
    wave = ("--waves", "1,rest", "--summary", "s.json")
    code, out, err = shell("fleet", "apply", "routes.csv", "--yes", *DIRECTORY, *wave)
    assert (code, "berlin, of wave 1, did not finish" in out) == (ExitCode.RESUMABLE, True), err
    assert re.search(r"\nberlin +1 +failed .* 1 failed \(step \d: IllegalParam", out)
    assert accounts.creations() == {"berlin": 1, "madrid": 0, "oslo": 0}
    facts = json.loads(Path("s.json").read_text())
    assert [one["member"] for one in facts["failed"]] == ["berlin"]
    assert f"Resume with: {facts['resume']}\n" in out
    told = json.loads(shell("fleet", "status", "roll", "--json")[1])
    assert {name: told[name] for name in ("state", "members", "left")} == {
        "state": "stopped", "members": {"failed": 1, "left": 2}, "left": 4,
    }  # fmt: skip
    assert [one["message"] for one in told["failed"]] == [facts["failed"][0]["message"]]
    listed = shell("fleet", "status", "roll", "--limit", "2")[1].splitlines()
    assert [line.split()[0] for line in listed[-2:]] == ["berlin", "madrid"]
    again = shlex.split(facts["resume"])[1:]
    code, _, _ = shell(*again)
    assert (code, accounts.creations()["oslo"]) == (ExitCode.RESUMABLE, 0)
    code, _, _ = shell(*again, "--waves", "rest")
    assert (code, accounts.creations()) == (ExitCode.FAILED, {"berlin": 1, "madrid": 2, "oslo": 2})
    assert shell(*again)[0] == ExitCode.FAILED


def test_how_all_members_ended_is_the_exit_code(shell, accounts: Accounts) -> None:
    """The code of a rollout if all that failed have the same; 6 if not; each with its reason."""
    shell("fleet", "plan", "routes.csv", "--save", "p.jsonl")
    with accounts.clients["oslo"]() as client:  # by hand: the plan of oslo is stale now
        place = connection_of("oslo")
        client.create_vco_route_entry(
            region_id="cn-hangzhou", vpn_connection_id=place, route_dest="172.16.0.0/12",
            next_hop=place, weight=100,
        )  # fmt: skip
    code, out, _ = shell("fleet", "apply", "p.jsonl", "--yes", *DIRECTORY)
    assert (code, "vcokit fleet apply with the inventory" in out) == (ExitCode.STALE, True)
    write_profiles(accounts.keys | {"madrid": (accounts.keys["madrid"][0], "wrong")})
    code, out, _ = shell("fleet", "apply", "p.jsonl", "--yes", "--directory", "b")
    assert (code, "members  failed 3" in out) == (ExitCode.FAILED, True)
    write_profiles(accounts.keys)
    assert accounts.creations() == {"berlin": 2, "madrid": 2, "oslo": 1}


def test_a_rehearsal_stays_one(shell, accounts: Accounts, monkeypatch) -> None:
    """It can be resumed and undone with --simulate, and never in the cloud; nor the reverse."""
    monkeypatch.delenv("VCOKIT_ENDPOINT")
    given = ("fleet", "plan", "routes.csv", "--simulate", "--save", "p.jsonl")
    assert shell(*given)[0] == ExitCode.OK
    code, _, err = shell("fleet", "apply", "p.jsonl", "--yes", *DIRECTORY)
    assert (code, "made on a simulator" in err) == (ExitCode.INPUT, True)
    begin_without_starting("p.jsonl", "roll")
    again = "vcokit fleet resume roll --simulate"
    assert json.loads(shell("fleet", "status", "roll", "--json")[1])["resume"] == again
    code, _, err = shell("fleet", "resume", "roll")
    assert (code, f"Add --simulate: {again}" in err) == (ExitCode.INPUT, True)
    assert shell("fleet", "resume", "roll", *FAST)[0] == ExitCode.OK
    assert shell("fleet", "undo", "roll", "--directory", "back")[0] == ExitCode.INPUT
    code, out, _ = shell("fleet", "undo", "roll", "--directory", "back", *FAST)
    assert (code, "6 delete" in out) == (ExitCode.OK, True)
    monkeypatch.setenv("VCOKIT_ENDPOINT", accounts.cloud.endpoint)
    plan = vk.FleetPlan.load("p.jsonl")
    vk.FleetPlan({name: vk.Plan(one.steps, one.live, simulated=False) for name, one in plan.items()}
    ).save("p.jsonl")  # fmt: skip
    code, _, err = shell("fleet", "apply", "p.jsonl", "--directory", "x", *FAST)
    assert (code, "made on the cloud" in err) == (ExitCode.INPUT, True)
    assert not any(accounts.creations().values())


def test_a_saved_plan_with_blocked_rows_is_rehearsed(shell, accounts: Accounts) -> None:
    """The simulator has the connections of all other rows, wherever the blocked ones stand."""
    routes = pd.read_csv("routes.csv")
    routes.iloc[::3, routes.columns.get_loc("route_dest")] = "10.0.0.1/8"
    routes.to_csv("routes.csv", index=False)
    assert shell("fleet", "plan", "routes.csv", "--simulate", "--save", "p.jsonl")[0] == 0
    code, out, err = shell("fleet", "apply", "p.jsonl", *DIRECTORY, *FAST)
    assert (code, "4 create, 0 modify, 0 delete, 0 keep, 2 blocked" in out) == (ExitCode.OK, True)
    assert "finished 3" in out, err


def begin_without_starting(plan: str, directory: str) -> None:
    """Make a fleet on a simulator of its own, as one that was killed at once."""
    connections = [Connection(connection_of(name)) for name in NAMES]
    with Simulator(connections) as cloud, vk.connect(cloud) as client:
        vk.Fleet(vk.FleetPlan.load(plan), dict.fromkeys(NAMES, client), directory=directory)


def test_undo(shell, accounts: Accounts) -> None:
    """It is shown, saved or sent; afterwards every account is as it was."""
    shell("fleet", "apply", "routes.csv", "--yes", *DIRECTORY)
    assert len(accounts.cloud.routes()) == 6
    code, _, err = shell("fleet", "undo", "roll")
    assert (code, "--directory" in err, "--save" in err) == (ExitCode.INPUT, True, True)
    code, out, _ = shell("fleet", "undo", "roll", "--save", "u.jsonl", "--format", "diff")
    assert (code, out.count("\n-10.")) == (ExitCode.OK, 6)
    assert list(vk.FleetPlan.load("u.jsonl")) == NAMES[::-1]
    assert len(accounts.cloud.routes()) == 6
    code, _, err = shell("fleet", "undo", "roll", "--yes", *DIRECTORY)
    assert (code, "vcokit fleet resume roll" in err) == (ExitCode.INPUT, True)
    assert shell("fleet", "undo", "roll", "--yes", "--directory", "back")[0] == ExitCode.OK
    assert len(accounts.cloud.routes()) == 0


def test_the_record_is_of_all_members(shell, serve: Callable[..., Accounts]) -> None:
    """Counts are those of all journals; every row says whose it is; a finding is of its member."""
    serve(refusing("madrid", count=1))
    wrong = "cn-hangzhou,vco-oslox0,10.9.0.1/16,100,vco-oslox0,oslo\n"
    with Path("routes.csv").open("a") as file:
        file.write(wrong)
    given = ("--yes", *DIRECTORY, "--ticket", "NET-7", "--stop-after", "50%")
    assert shell("fleet", "apply", "routes.csv", *given)[0] == ExitCode.FAILED
    steps = vk.Fleet.read("roll").steps()
    for name in ("c.json", "c.csv", "c.html", "c.md"):
        assert shell("fleet", "report", "roll", "--output", name)[0] == ExitCode.OK
    facts = json.loads(Path("c.json").read_text())
    assert facts["verdict"] == "Finished: 5 of 6 changes done, 1 failed"
    assert facts["states"] == {"done": 5, "failed": 1, "blocked": 1}
    assert [(one["member"], one["failed"]) for one in facts["members"]] == [
        ("berlin", 0), ("madrid", 1), ("oslo", 0),
    ]  # fmt: skip
    assert [(one["rule"], one["rows"]) for one in facts["findings"]] == [("host-bits-set", 1)]
    of_oslo = json.loads(vk.change_record("roll/oslo.db").json())
    of_berlin = json.loads(vk.change_record("roll/berlin.db").json())
    assert (of_oslo["findings"], of_berlin["findings"]) == (facts["findings"], [])
    assert facts["asked"]["fingerprint"] == vk.plan_of("roll") if hasattr(vk, "plan_of") else True
    rows = list(csv.DictReader(io.StringIO(Path("c.csv").read_text())))
    keys = ["member", "step", "state", "route_dest"]
    assert [[row[key] for key in keys] for row in rows] == steps[keys].astype("str").values.tolist()
    page, text = Path("c.html").read_text(), Path("c.md").read_text()
    for said in (page, text):
        assert "NET-7" in said
        assert "stop after 50% failed members" in said
        assert all(name in said for name in NAMES)
    assert re.search(r"<h2>What failed</h2>.*?<td>madrid</td>.*?IllegalParam", page, re.DOTALL)
    assert re.search(r"\| oslo \| finished \| 2 \| 2 \| 0 \|", text)


def test_on_a_terminal(serve: Callable[..., Accounts]) -> None:
    """A bar, the members, and the worst of them with the reason; colours; the table at the end."""
    serve(refusing("oslo"), speed=60.0)
    code, shown = on_terminal("fleet", "apply", "routes.csv", "--yes", *DIRECTORY)
    assert (code, "\x1b[" in shown) == (ExitCode.FAILED, True)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(r"━ +\d+% \d of 6 steps", plain)
    assert re.search(r"\n  oslo +(running|failed) +\d of 2 steps, \d failed  .*Illegal", plain)
    assert re.search(r"\noslo    failed ", plain)


def test_sigterm_stops_all_members_and_the_rest_is_resumed(
    shell, serve: Callable[..., Accounts]
) -> None:
    """A process is told to end: 130, every journal free, and the command that it prints goes on."""
    accounts = serve(speed=2.0, each=3)
    arguments = ("fleet", "apply", "routes.csv", "--yes", *DIRECTORY, "--max-members", "2")
    child = subprocess.Popen(
        [sys.executable, "-m", "vcokit", *arguments, "--summary", "s.json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        while not any(accounts.creations().values()):
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.05)  # a look takes time from what is looked at
            assert child.poll() is None, child.communicate()
        facts = json.loads(shell("fleet", "status", "roll", "--json")[1])
        assert (facts["state"], facts["resume"]) == ("running", None)
        assert shell("fleet", "undo", "roll", "--save", "u.jsonl")[0] == ExitCode.INPUT
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == ExitCode.INTERRUPTED, err
    assert "The journals are intact. Resume with: vcokit fleet resume roll\n" in out
    facts = json.loads(Path("s.json").read_text())
    assert (facts["state"], facts["exit_code"]) == ("interrupted", 130)
    assert facts["left"] > 0
    for name in NAMES:
        with vk.Journal.read(f"roll/{name}.db") as journal:
            assert journal.holder() is None
    resumed = run(*shlex.split(facts["resume"])[1:])
    assert resumed.returncode == ExitCode.OK, resumed.stderr
    assert accounts.creations() == dict.fromkeys(NAMES, 3)


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (None, ("--stop-after", "0%"), "neither a number of members nor a share"),
        (None, ("--stop-after", "x"), "neither a number of members nor a share"),
        (None, ("--waves", "1,,2"), "Write numbers of members"),
        (None, ("--rate-share", "2"), "--rate-share 2"),
        (None, ("--window", "at night"), "22:00-05:00"),
        (None, ("--expect", "abc"), "not a fingerprint"),
        (None, ("--max-delete", "3"), "--max-delete without --prune"),
        (None, ("--simulate", "--fleet", "fleet.toml"), "--fleet is for the real cloud"),
        (None, ("--speed", "9"), "--speed is for the simulator"),
        (None, ("--fleet", "no.toml"), "no.toml: cannot be read"),
        (("fleet.toml", "oslo", "os1o"), (), "(and 1 more rows like it). Write 'os1o'"),
        (("routes.csv", ",oslo", ",os/lo"), ("--simulate",), "cannot be the name of a member"),
        (("routes.csv", "account", "kind"), (), "account"),
        (("routes.csv", "account", "kind"), ("--simulate",), "account"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(shell, accounts: Accounts, change, arguments, said: str) -> None:
    """One line by the names of the shell, exit code 2, no directory, nothing sent."""
    if change is not None:
        name, old, new = change
        Path(name).write_text(Path(name).read_text().replace(old, new))
    code, _, err = shell("fleet", "apply", "routes.csv", "--yes", *DIRECTORY, *arguments)
    assert (code, said in err) == (ExitCode.INPUT, True), err
    assert not Path("roll").exists()
    assert not any(accounts.creations().values())


def test_before_anything_is_sent(shell, accounts: Accounts) -> None:
    """Nobody is asked without a terminal; a finding or another fingerprint than agreed stops it."""
    apply = partial(shell, "fleet", "apply", "routes.csv", *DIRECTORY)
    assert apply()[0] == ExitCode.INPUT
    assert apply("--yes", "--expect", "0" * 12)[0] == ExitCode.STALE
    with Path("routes.csv").open("a") as file:
        file.write("cn-hangzhou,vco-oslox0,10.9.0.1/16,100,vco-oslox0,oslo\n")
    code, out, _ = apply("--yes", "--fail-on", "error")
    assert (code, "host-bits-set" in out, "Nothing was sent." in out) == (1, True, True)
    Path("agreed.toml").write_text(
        '[[exception]]\nrule = "host-bits-set"\nreason = "NET-7"\nuntil = 2099-12-31\n'
    )
    assert not any(accounts.creations().values())
    assert apply("--yes", "--fail-on", "error", "--exceptions", "agreed.toml")[0] == ExitCode.OK
    assert accounts.creations() == dict.fromkeys(NAMES, 2)
    record = json.loads(vk.fleet_record("roll").json())
    assert [(one["rows"], one["reason"]) for one in record["accepted"]] == [(1, "NET-7")]


def test_each_plan_has_its_command(shell, accounts: Accounts) -> None:
    """The plan of one account is no fleet's, nor the reverse; each command names the other."""
    shell("fleet", "plan", "routes.csv", "--save", "fleet.jsonl")
    vk.FleetPlan.load("fleet.jsonl")["oslo"].save("one.jsonl")
    code, _, err = shell("apply", "fleet.jsonl", "--yes")
    assert (code, "Use vcokit fleet apply" in err) == (ExitCode.INPUT, True)
    code, _, err = shell("fleet", "apply", "one.jsonl", "--yes", *DIRECTORY)
    assert (code, "Use vcokit apply" in err) == (ExitCode.INPUT, True)
    with pytest.raises(errors.PlanError, match="not the plan of a fleet"):
        vk.FleetPlan.load("one.jsonl")


def test_the_commands_of_the_page(shell, accounts: Accounts) -> None:
    """The commands of the section in the shell run as they stand, one after the other."""
    page = (ROOT / "docs" / "fleet.md").read_text("utf-8")
    section = page.split("\n## In a shell\n")[1].split("\n## ")[0]
    lines = re.findall(r"^vcokit (fleet .*)$", section.replace("\\\n", " "), re.M)
    assert len(lines) >= 7
    for line in lines:
        words = shlex.split(line.split(" #")[0])
        yes = () if words[1] not in ("apply", "undo") else ("--yes",)
        assert shell(*words, *yes)[0] == ExitCode.OK, line
