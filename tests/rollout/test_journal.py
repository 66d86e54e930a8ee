"""A journal keeps what was written, keeps others out, and is never damaged by a wrong file."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.rollout.test_plan import A, live, routes
from vcokit import schema
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan, plan_routes


@pytest.fixture
def plan() -> Plan:
    """A plan with a step of each kind."""
    wanted = routes(
        (A, "10.0.0.0/8", 100), (A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 0), (A, "x", 0)
    )
    return plan_routes(wanted, live((A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 100)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "rollout.db"


def test_plan_comes_back(plan: Plan, path: Path) -> None:
    """The plan that is read from a journal is the plan that was put in."""
    Journal.create(path, plan, "id").close()
    with Journal.read(path) as journal:
        again = journal.plan()
        assert again.fingerprint == plan.fingerprint
        pd.testing.assert_frame_equal(again.frame(), plan.frame())
        assert again.live_by_lane() == plan.live_by_lane()
        assert journal.meta()["rollout_id"] == "id"


def test_steps_and_calls_come_back(plan: Plan, path: Path) -> None:
    """Rows that were written are in the frames, with times and counts, and schemas hold."""
    journal = Journal.create(path, plan, "id")
    journal.write(
        [StepChanged(100.0, 0, "pending", "sent")],
        [CallRow(1, "CreateVcoRouteEntry", "r", A, 100.0, 0, 0, "token")],
    )
    journal.write(
        [
            StepChanged(100.5, 0, "sent", "accepted", request_id="q"),
            StepChanged(103.0, 0, "accepted", "settled"),
        ],
        ends=[CallEnd(1, 0.5, "ok", None, 200, "q")],
    )
    steps, calls = journal.steps(), journal.calls()
    assert list(steps.columns) == list(schema.STEPS)
    assert list(calls.columns) == list(schema.CALLS)
    first = steps.iloc[0]
    assert (first["state"], first["attempts"], first["request_id"]) == ("settled", 1, "q")
    assert first["accepted_at"] == pd.Timestamp(100.5, unit="s", tz="UTC")
    assert pd.isna(first["ended_at"])
    assert calls.iloc[0][["client_token", "outcome", "http_status"]].tolist() == [
        "token",
        "ok",
        200,
    ]
    assert journal.last_call() == 1
    journal.close()


def test_empty_frames_have_their_columns(path: Path) -> None:
    """A journal of an empty plan gives empty frames with all columns and dtypes."""
    with Journal.create(path, plan_routes(routes(), live()), "id") as journal:
        for frame, wanted in ((journal.steps(), schema.STEPS), (journal.calls(), schema.CALLS)):
            pd.testing.assert_frame_equal(frame, schema.frame(wanted))


def test_a_round_is_written_whole_or_not_at_all(plan: Plan, path: Path) -> None:
    """If one row of a round cannot be written, none is."""
    with Journal.create(path, plan, "id") as journal:
        call = CallRow(1, "CreateVcoRouteEntry", "r", A, 100.0)
        with pytest.raises(JournalError, match="cannot be written"):
            journal.write([StepChanged(1.0, 0, "pending", "sent")], [call, call])
        assert journal.steps()["state"].tolist()[0] == "pending"
        assert len(journal.calls()) == 0


def test_one_writer_many_readers(plan: Plan, path: Path) -> None:
    """A second writer is told who holds the journal; readers are welcome; then it is free."""
    holder = Journal.create(path, plan, "id")
    with pytest.raises(JournalLockedError, match=str(os.getpid())):
        Journal.open(path)
    with Journal.read(path) as reader:
        assert len(reader.steps()) == 4
    holder.close()
    Journal.open(path).close()
    assert sorted(p.name for p in path.parent.iterdir()) == ["rollout.db"]


def test_a_dead_holder_holds_nothing(plan: Plan, path: Path) -> None:
    """The lock of a process that was killed is gone with it."""
    Journal.create(path, plan, "id").close()
    code = (
        "import os, signal, sys; from vcokit.rollout.journal import Journal;"
        "Journal.open(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert result.returncode == -9
    Journal.open(path).close()


def test_an_old_journal_is_not_overwritten(plan: Plan, path: Path) -> None:
    """Making a journal where one is says how to go on with that one."""
    Journal.create(path, plan, "id").close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"Rollout\.open"):
        Journal.create(path, plan, "other")
    assert path.read_bytes() == before


def test_for_nobody_else(plan: Plan, path: Path) -> None:
    """A journal can be read by its owner alone."""
    Journal.create(path, plan, "id").close()
    assert path.stat().st_mode & 0o777 == 0o600


def foreign_database(path: Path) -> None:
    """Make a database of another program."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def versioned(path: Path, version: int) -> None:
    """Make a journal of another version."""
    Journal.create(path, plan_routes(routes(), live()), "id").close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def torn_journal(path: Path) -> None:
    """Make a journal that was cut in the middle."""
    Journal.create(path, plan_routes(routes(), live()), "id").close()
    path.write_bytes(path.read_bytes()[:3000])


WRONG = {
    "text": (lambda path: path.write_text("RegionId,Weight\n"), "no journal"),
    "empty": (lambda path: path.write_bytes(b""), "no journal"),
    "foreign": (foreign_database, "no journal"),
    "newer": (lambda path: versioned(path, 99), "a newer version.*[Ii]nstall a newer"),
    "older": (lambda path: versioned(path, 2), "an older version.*new plan"),
    "torn": (torn_journal, "damaged"),
    "torn in its header": (lambda path: path.write_bytes(b"SQLite format 3\x00 "), "damaged"),
    "absent": (lambda _: None, "no such journal"),
    "folder": (lambda path: path.mkdir(), "no such journal"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_files(kind: str, path: Path) -> None:
    """A file that is no journal of ours is refused by name, and not touched."""
    make, words = WRONG[kind]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for use in (Journal.open, Journal.read):
        with pytest.raises(JournalError, match=words) as caught:
            use(path).steps()
        assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_where_nothing_can_be_made(plan: Plan, tmp_path: Path) -> None:
    """A journal in a folder that is not there is one clear error."""
    with pytest.raises(JournalError, match="cannot be"):
        Journal.create(tmp_path / "nowhere" / "rollout.db", plan, "id")


def test_what_is_kept_besides(plan: Plan, path: Path) -> None:
    """What the rollout wants kept comes back; it cannot pass for the journal's own."""
    given = {"options": '{"waves": [1, null]}', "rollout_id": "forged"}
    with Journal.create(path, plan, "id", meta=given) as journal:
        assert journal.meta()["options"] == '{"waves": [1, null]}'
        assert journal.meta()["rollout_id"] == "id"


def test_many_changes_of_one_step_in_a_round(plan: Plan, path: Path) -> None:
    """Changes of a round are written in their order; times and counts add up."""
    with Journal.create(path, plan, "id") as journal:
        journal.write(
            [StepChanged(1.0, 0, "pending", "sent"), StepChanged(1.0, 1, "pending", "sent")]
        )
        journal.write(
            [
                StepChanged(2.0, 0, "sent", "pending", "Busy", "b", "q1", attempt=1),
                StepChanged(2.0, 1, "settled", "done"),
                StepChanged(2.0, 0, "pending", "sent", attempt=1),
            ]
        )
        journal.write([StepChanged(3.0, 0, "sent", "failed", "X", "no", attempt=1, misses=2)])
        step, other = (journal.steps().iloc[n] for n in range(2))
    assert (step["state"], step["attempts"], step["request_id"]) == ("failed", 2, "q1")
    assert (step["sent_at"].timestamp(), step["ended_at"].timestamp()) == (2.0, 3.0)
    assert pd.isna(step["accepted_at"])
    assert (other["state"], other["attempts"], other["ended_at"].timestamp()) == ("done", 1, 2.0)


def test_made_whole_or_not_at_all(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies while it makes a journal leaves none, and the next try makes it."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(database, "_name", dies)
        with pytest.raises(KeyboardInterrupt):
            Journal.create(path, plan, "id")
    assert list(path.parent.iterdir()) == []
    path.with_name("rollout.db-new").write_bytes(b"somebody's own")
    Journal.create(path, plan, "id").close()
    assert path.with_name("rollout.db-new").read_bytes() == b"somebody's own"
    assert {each.name for each in path.parent.iterdir()} == {"rollout.db", "rollout.db-new"}


def test_where_there_are_no_hard_links(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links takes a journal too."""

    def refuses(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuses)
    Journal.create(path, plan, "id").close()
    Journal.open(path).close()
    assert [each.name for each in path.parent.iterdir()] == ["rollout.db"]


def test_a_closed_journal_is_one_file(plan: Plan, path: Path) -> None:
    """After the end all is in one file, also if it is closed twice; copies of it are journals."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    journal.close()
    journal.close()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert sorted(each.name for each in path.parent.iterdir()) == ["copy.db", "rollout.db"]
    with Journal.read(copy) as reader:
        assert reader.steps()["state"].tolist()[0] == "sent"


def test_a_full_disk(plan: Plan, path: Path) -> None:
    """A round that does not fit on the disk is an error with a remedy; the rounds before stay."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    journal._db.execute("PRAGMA max_page_count = 1")  # SQLite's own way to be full
    calls = [CallRow(n, "CreateVcoRouteEntry", "r" * 500, A, 1.0) for n in range(100)]
    with pytest.raises(JournalError, match=r"full.*Make room"):
        journal.write([StepChanged(2.0, 0, "sent", "unknown")], calls)
    journal.close()
    with Journal.open(path) as again:
        assert again.steps()["state"].tolist()[0] == "sent"
        assert len(again.calls()) == 0
