"""In the shell too a rehearsal stays one, and it is said where calls go if somebody set that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vcokit as vk
from tests.cli.stage import FAST, as_environment
from tests.cloud.stub import Stub, reply
from vcokit import schema
from vcokit.cli import ExitCode
from vcokit.simulator import Simulator

KEYS = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}


def rehearsed(inventory: Path, name: str) -> Path:
    """Rehearse by the library until nothing was sent yet, as a notebook does."""
    routes = vk.read_routes(inventory)
    with Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        vk.Rollout(plan, client, journal=inventory.with_name(name)).close()
    return inventory.with_name(name)


def begun(inventory: Path, name: str) -> Path:
    """Begin a rollout on the cloud, which sends nothing."""
    plan = vk.plan_routes(vk.read_routes(inventory), schema.frame(schema.LIVE_ROUTES))
    client = vk.connect("cn-hangzhou", **KEYS)
    vk.Rollout(plan, client, journal=inventory.with_name(name)).close()
    return inventory.with_name(name)


@pytest.mark.parametrize("command", ["resume", "undo"])
def test_a_rehearsal_by_any_name_never_reaches_the_cloud(
    shell, inventory: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """It is refused with the way on, where an endpoint is set, and where the regions' own are."""
    journal = rehearsed(inventory, "rollout.db")
    code, _, err = shell(command, journal)  # there is no key: nothing was looked for
    assert (code, "Add --simulate" in err, err.count("\n")) == (ExitCode.INPUT, True, 1)
    with Stub([reply("no such page", "404 Not Found")]) as stub:
        monkeypatch.setenv("VCOKIT_ENDPOINT", stub.endpoint)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEYS["access_key_id"])
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEYS["access_key_secret"])
        code, _, err = shell(command, journal)
        assert (code, "on a simulator (--simulate)" in err) == (ExitCode.INPUT, True)
        assert {asked.target for asked in stub.asked} == {"/.vcokit-simulator"}


def test_a_rehearsal_goes_on_as_one(
    shell, inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status says how; with --simulate it comes to its end, and so it does where one answers."""
    for number, given in enumerate([FAST, ()]):
        journal = rehearsed(inventory, f"rollout{number}.db")
        facts = json.loads(shell("status", journal, "--json")[1])
        assert facts["simulated"]
        assert facts["resume"] == f"vcokit resume {journal} --simulate"
        with Simulator.for_routes(vk.read_routes(inventory), speed=600.0) as cloud:
            if not given:
                as_environment(monkeypatch, cloud)
                again = json.loads(shell("status", journal, "--json")[1])["resume"]
                assert again == f"vcokit resume {journal}"
            assert shell("resume", journal, *given)[0] == ExitCode.OK
        assert "on a simulator" in shell("status", journal)[1]


@pytest.mark.parametrize("command", ["resume", "undo"])
def test_a_journal_of_the_cloud_goes_on_in_no_simulator(
    shell, inventory: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Neither in one that is asked for nor in one that an endpoint names."""
    journal = begun(inventory, "a.simulated.db")
    code, _, err = shell(command, journal, "--simulate")
    assert (code, "Leave out --simulate" in err) == (ExitCode.INPUT, True)
    with Simulator.for_routes(vk.read_routes(inventory)) as cloud:
        as_environment(monkeypatch, cloud)
        code, _, err = shell(command, journal)
        assert (code, "this is a simulator" in err) == (ExitCode.INPUT, True)
        assert len(cloud.calls()) == 0


def test_a_saved_plan_is_applied_where_it_was_made(shell, inventory: Path) -> None:
    """A plan of a simulator is refused by the cloud before a key is looked for, and reversed."""
    assert shell("plan", inventory, "--simulate", "--save", "plan.jsonl")[0] == ExitCode.OK
    code, _, err = shell("apply", "plan.jsonl", "--yes")
    assert (code, "made on a simulator" in err) == (ExitCode.INPUT, True)
    assert shell("apply", "plan.jsonl", *FAST)[0] == ExitCode.OK
    assert json.loads(Path("plan.jsonl").read_text().splitlines()[0])["simulated"]
    plan = vk.Plan.load("plan.jsonl")
    vk.Plan(plan.steps, plan.live, plan.quota, plan.lost, simulated=False).save("real.jsonl")
    code, _, err = shell("apply", "real.jsonl", "--simulate")
    assert (code, "made on the cloud" in err) == (ExitCode.INPUT, True)


def test_a_rehearsal_may_have_any_name(shell, inventory: Path) -> None:
    """The name decides nothing, so that none is refused."""
    given = FAST
    assert shell("apply", inventory, *given, "--journal", "x.db")[0] == ExitCode.OK
    code, _, err = shell("resume", "x.db")
    assert (code, "Add --simulate" in err) == (ExitCode.INPUT, True)
    assert shell("undo", "x.db", *given)[0] == ExitCode.OK
    assert shell("resume", "x.undo.db")[0] == ExitCode.INPUT


def test_an_endpoint_of_the_folder_is_said(shell, inventory: Path, cloud, monkeypatch) -> None:
    """Every command that calls says where, and what set that; logs in JSON stay JSON."""
    monkeypatch.delenv("VCOKIT_ENDPOINT")
    Path("vcokit.toml").write_text(f'endpoint = "{cloud.endpoint}"\n')
    said = f"calls go to {cloud.endpoint} (endpoint set by vcokit.toml), which is a simulator"
    for command in (
        ("plan", inventory),
        ("live", inventory),
        ("verify", inventory),
        ("diff", inventory),
        ("apply", inventory, "--yes", "--stop-after", "1", "--max-hours", "1e-9"),
        ("resume", "routes.rollout.db"),
        ("undo", "routes.rollout.db", "--save", "undo.txt"),
    ):
        assert f"note: {said}\n" in shell(*command)[2], command
    log = shell("undo", "routes.rollout.db", "--yes", "--log-format", "json")[2]
    notes = [json.loads(line) for line in log.splitlines()]
    assert said in [note.get("message") for note in notes]
