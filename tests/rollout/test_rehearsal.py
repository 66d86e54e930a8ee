"""A rehearsal stays a rehearsal: neither its journal nor its plan goes on in the cloud, or back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.cloud.stub import Stub, reply
from tests.rollout.stage import Stage, inventory
from vcokit import errors, schema
from vcokit.rollout.undo import undo_plan

KEYS = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}
HAND = schema.frame(schema.LIVE_ROUTES)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A simulator and a client of it."""
    with Stage(tmp_path, lanes=1, each=3) as stage:
        yield stage


@pytest.fixture
def cloud() -> vk.Client:
    """A client of the cloud, which nothing in these tests ever reaches."""
    return vk.connect("cn-hangzhou", **KEYS)


def made(plan: vk.Plan, client: vk.Client, journal: Path) -> Path:
    """Make a journal by a rollout that sends nothing; return its path."""
    vk.Rollout(plan, client, journal=journal).close()
    return journal


def test_a_client_knows_whether_a_simulator_answers(stage: Stage, cloud: vk.Client) -> None:
    """By an object or by its URL, a simulator is one; a region is none; no call of the API asks."""
    assert stage.client.simulated
    assert vk.connect(endpoint=stage.cloud.endpoint, **KEYS).simulated
    assert not cloud.simulated
    assert len(stage.cloud.calls()) == 0


def test_only_this_machine_by_plain_http_can_be_a_simulator() -> None:
    """Whatever else is named is not even asked, so that it cannot say that it is one."""
    with Stub([reply("a simulator of vcokit\n")]) as stub:
        assert stub.client().simulated
        port = stub.endpoint.rpartition(":")[2]
        asked = len(stub.asked)
        assert not vk.connect(endpoint=f"https://127.0.0.1:{port}", **KEYS).simulated
        assert (len(stub.asked), stub.connections) == (asked, asked)


@pytest.mark.parametrize(
    "answer", [reply("no such page", "404 Not Found"), reply("welcome"), b"", b"rubbish"]
)
def test_a_tunnel_to_the_cloud_is_the_cloud(stage: Stage, answer: bytes) -> None:
    """What listens on this machine and does not say that it is a simulator is the cloud."""
    with Stub([answer]) as stub:
        client = stub.client()
        assert not client.simulated
        with pytest.raises(errors.JournalError, match="not connected to one"):
            vk.Rollout.open(made(stage_plan(stage), stage.client, stage.path / "r.db"), client)
        assert {asked.target for asked in stub.asked} <= {"/.vcokit-simulator"}


def stage_plan(stage: Stage) -> vk.Plan:
    """Return a plan of the stage's live routes."""
    return vk.plan_routes(stage.routes, vk.live_routes(stage.client, stage.routes))


def test_a_journal_goes_on_where_it_was_begun(stage: Stage, cloud: vk.Client) -> None:
    """That of a simulator is refused in the cloud, whatever its name, and the other way round."""
    rehearsed = made(stage_plan(stage), stage.client, stage.path / "rollout.db")
    with pytest.raises(errors.JournalError, match="for the cloud, make a new plan"):
        vk.Rollout.open(rehearsed, cloud)
    assert vk.Rollout.open(rehearsed, stage.client).start().wait().state == "finished"
    real = made(vk.plan_routes(stage.routes, HAND), cloud, stage.path / "a.simulated.db")
    with pytest.raises(errors.JournalError, match="this is a simulator"):
        vk.Rollout.open(real, stage.client)
    vk.Rollout.open(real, cloud).close()
    with vk.Journal.read(rehearsed) as one, vk.Journal.read(real) as other:
        assert (one.simulated, other.simulated) == (True, False)
        assert (one.plan().simulated, other.plan().simulated) == (True, False)


def test_a_plan_is_carried_out_where_it_was_made(stage: Stage, cloud: vk.Client) -> None:
    """A plan of a simulator's live routes, though there are none yet, is refused by the cloud."""
    plan, journal = stage_plan(stage), stage.path / "rollout.db"
    assert plan.simulated
    with pytest.raises(errors.PlanError, match="Make a new plan"):
        vk.Rollout(plan, cloud, journal=journal)
    with pytest.raises(errors.PlanError, match="made on the cloud"):
        vk.Rollout(replace(plan, simulated=False), stage.client, journal=journal)
    assert not journal.exists()


def test_every_plan_that_is_made_of_a_plan_knows(stage: Stage, cloud: vk.Client) -> None:
    """Some of the steps, a file, a journal, and what takes a rollout back."""
    plan = stage_plan(stage)
    plan.save(stage.path / "plan.jsonl")
    rollout = vk.Rollout(plan, stage.client, journal=stage.path / "r.db").start().wait()
    with vk.Journal.read(rollout.journal) as journal:
        live = vk.live_routes(stage.client, stage.routes)
        made_of_it = {
            "some": plan.only(actions="create"),
            "file": vk.Plan.load(stage.path / "plan.jsonl"),
            "journal": journal.plan(),
            "undo": rollout.undo(),
            "undo by hand": undo_plan(journal.steps(), journal.calls(), live),
        }
    assert {name: one.simulated for name, one in made_of_it.items()} == dict.fromkeys(
        made_of_it, True
    )
    for number, one in enumerate(made_of_it.values()):
        with pytest.raises(errors.PlanError):
            vk.Rollout(one, cloud, journal=stage.path / f"{number}.db")


def test_a_plan_that_does_not_know_is_bound_by_its_first_journal(
    stage: Stage, cloud: vk.Client
) -> None:
    """Live routes made by hand say nothing; what the first client is, holds from then on."""
    plan = vk.plan_routes(stage.routes, HAND)
    assert plan.simulated is None
    journal = made(plan, stage.client, stage.path / "r.db")
    with vk.Journal.read(journal) as read:
        assert read.plan().simulated
        assert read.plan().fingerprint == plan.fingerprint
    with pytest.raises(errors.JournalError):
        vk.Rollout.open(journal, cloud)


def test_live_routes_that_are_put_together_know(stage: Stage) -> None:
    """Rows say it themselves, whatever becomes of the frame's attrs; both at once are refused."""
    made(stage_plan(stage), stage.client, stage.path / "r.db")
    vk.Rollout.open(stage.path / "r.db", stage.client).start().wait()
    live = vk.live_routes(stage.client, stage.routes)
    none = live.iloc[:0]
    for frames, known in (((live, HAND), True), ((none, none), True), ((HAND, HAND), None)):
        both = pd.concat(frames, ignore_index=True)
        assert vk.plan_routes(stage.routes, both).simulated is known
    mixed = pd.concat([live, live.assign(simulated=False)], ignore_index=True)
    with pytest.raises(errors.PlanError, match="Make a plan for each"):
        vk.plan_routes(stage.routes, mixed)


def test_who_does_not_say_it_decides_by_no_name(stage: Stage, cloud: vk.Client) -> None:
    """A journal that does not say what it is is read, and gone on with nowhere, by any name."""
    plan = vk.plan_routes(inventory(1, 3), HAND)
    for name in ("real.db", "a.simulated-2.db"):
        path = stage.path / name
        vk.Journal.create(path, plan, "id", meta={"options": "{}"}).close()
        for client in (cloud, stage.client):
            with pytest.raises(errors.JournalError, match=r"does not say.*Make a new plan"):
                vk.Rollout.open(path, client)
        with vk.Journal.read(path) as journal:
            assert journal.simulated is None
            assert len(journal.steps()) == 3
    plan.save(stage.path / "plan.jsonl")
    assert vk.Plan.load(stage.path / "plan.jsonl").simulated is None


def test_a_journal_that_was_made_to_say_something_else_is_damaged(
    stage: Stage, cloud: vk.Client
) -> None:
    """What it was begun on is under the seal."""
    journal = made(stage_plan(stage), stage.client, stage.path / "r.db")
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("UPDATE meta SET value = 'no' WHERE name = 'simulated'")
    with pytest.raises(errors.JournalError, match="damaged"):
        vk.Rollout.open(journal, cloud)
