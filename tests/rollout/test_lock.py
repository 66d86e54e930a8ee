"""One writer at a time: kept out by a file lock on this host, by the owner's row on others."""

from __future__ import annotations

import gc
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from tests.rollout.test_journal import names
from tests.rollout.test_journal_damage import OWN, link
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import lock
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan

#: A journal of format 3, begun on a simulator by a rollout on a host called laptop that was killed.
FORMAT_3 = Path(__file__).with_name("data") / "journal-3.sql"


def owned(path: Path, host: str = "elsewhere", process: int = 7) -> None:
    """Write into a journal that somebody holds it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM owner")
        row = (host, process, 1e6, "0.1.0", "other")
        connection.execute("INSERT INTO owner VALUES (?, ?, ?, ?, ?)", row)


# -- this host ----------------------------------------------------------------------------------


def test_one_writer_many_readers(plan: Plan, path: Path) -> None:
    """A second writer is told who holds the journal; readers are welcome; then it is free."""
    with Journal.create(path, plan, "id", now=lambda: 1e6):
        words = (
            rf"this program \(this kernel\) holds.*process {os.getpid()} on {socket.gethostname()},"
            rf" since 1970-01-12 13:46:40 UTC, vcokit {vk.__version__}\).*stop\(\).*or del it"
        )
        with pytest.raises(JournalLockedError, match=words):
            Journal.open(path)
        with pytest.raises(JournalLockedError):
            Journal.open(path, take_over=True)
        with Journal.read(path) as reader:
            assert len(reader.steps()) == 3
            assert reader.holder() == reader.owner() is not None
    with Journal.open(path):
        assert "rollout.db-lock" in names(path.parent)
    with Journal.read(path) as reader:
        assert reader.owner() is None
    assert names(path.parent) == ["rollout.db"]


#: A process that holds a journal until it is told to die.
HOLDS = """
import os, signal, sys
from vcokit.rollout.journal import Journal
journal = Journal.open(sys.argv[1])
print(os.getpid(), flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_dead_holder_holds_nothing(plan: Plan, path: Path) -> None:
    """Another process that lives keeps everybody out; what a killed one left keeps nobody."""
    Journal.create(path, plan, "id").close()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], **pipes, text=True) as child:
        number = child.stdout.readline().strip()
        with Journal.read(path) as reader:
            assert str(reader.holder().process) == number
            with pytest.raises(JournalLockedError, match=f"another rollout .*process {number} on "):
                Journal.open(path)
            child.communicate()
            assert reader.holder() is None
            assert reader.owner() is not None
    assert "rollout.db-lock" in names(path.parent)
    Journal.open(path).close()
    assert names(path.parent) == ["rollout.db"]


def test_whoever_looks_is_in_nobodys_way(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking has the lock for a moment: who opens the journal just then tries again."""
    Journal.create(path, plan, "id").close()
    taken, tries = lock._take, []

    def late(descriptor: int, *, alone: bool) -> None:
        tries.append(alone)
        if len(tries) == 1:
            raise BlockingIOError
        taken(descriptor, alone=alone)

    monkeypatch.setattr(lock, "_take", late)
    Journal.open(path).close()
    assert tries == [True, True]


#: A process that would have SQLite's journal for itself: bytes of its exclusive lock.
GRASPS = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


def test_a_look_leaves_the_writer_its_locks(plan: Plan, path: Path) -> None:
    """Who looks, or is refused, in the writer's own process drops no lock that SQLite holds."""
    with Journal.create(path, plan, "id") as journal:
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(path) as reader:
            reader.holder()
        with pytest.raises(JournalLockedError):
            Journal.open(path)
        grasped = subprocess.run(
            [sys.executable, "-c", GRASPS, str(path)], check=False, capture_output=True
        )
        assert b"BlockingIOError" in grasped.stderr


@pytest.mark.parametrize("circle", [False, True])
@pytest.mark.parametrize("read", [False, True])
def test_a_forgotten_journal_lets_go(plan: Plan, path: Path, circle: bool, read: bool) -> None:
    """One that nobody refers to any more is free and whole, whoever reads it just then."""
    holder = SimpleNamespace(journal=Journal.create(path, plan, "id"))
    holder.journal.write([StepChanged(1.0, 0, "pending", "sent")])
    reader = sqlite3.connect(path, isolation_level=None)
    if read:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM step").fetchone()
    if circle:
        holder.itself = holder
    gc.disable()
    try:
        del holder
        with Journal.open(path) as journal:
            assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]
            reader.close()
    finally:
        gc.enable()
    assert names(path.parent) == ["rollout.db"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_leaves_it_to_its_parent(plan: Plan, path: Path) -> None:
    """A process that was forked off takes nothing away from the one that holds the journal."""
    journal = Journal.create(path, plan, "id")
    child = os.fork()
    if child == 0:
        try:
            journal.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert path.with_name("rollout.db-lock").exists()
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    with pytest.raises(JournalLockedError):
        Journal.open(path)
    journal.close()


# -- the lock's file ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [link, os.mkfifo, Path.mkdir])
@pytest.mark.parametrize("use", ["create", "open"])
def test_nothing_in_its_place_is_followed(
    plan: Plan, path: Path, make: Callable[[Path], None], use: str
) -> None:
    """A link, a pipe or a folder in the lock's place is an error, and stays as it is."""
    if use == "open":
        Journal.create(path, plan, "id").close()
    path.with_name("victim.txt").write_bytes(OWN)
    make(path.with_name("rollout.db-lock"))
    there = names(path.parent)
    with pytest.raises(JournalError, match=r"cannot be locked.*rollout\.db-lock in it.*is a file"):
        Journal.create(path, plan, "id") if use == "create" else Journal.open(path)
    assert path.with_name("victim.txt").read_bytes() == OWN
    assert names(path.parent) == there


def test_a_file_in_its_place_stays_as_it_is(plan: Plan, path: Path) -> None:
    """Somebody's own, or what an earlier version left, from the start or put there under way."""
    place = path.with_name("rollout.db-lock")
    place.write_bytes(OWN)
    with Journal.create(path, plan, "id"), pytest.raises(JournalLockedError):
        Journal.open(path)
    assert place.read_bytes() == OWN
    place.unlink()
    journal = Journal.open(path)
    place.unlink()
    place.touch()
    journal.close()
    assert place.exists()


# -- other hosts --------------------------------------------------------------------------------


def test_a_holder_on_another_host(plan: Plan, path: Path) -> None:
    """It counts until somebody says that it is dead, however long ago it began."""
    Journal.create(path, plan, "id").close()
    owned(path)
    before = path.read_bytes()
    words = (
        r"on another host holds this journal \(process 7 on elsewhere, since 1970-01-12 13:46:40 "
        r"UTC, vcokit 0\.1\.0\).*certainly dead, pass take_over=True"
    )
    with pytest.raises(JournalLockedError, match=words):
        Journal.open(path)
    assert path.read_bytes() == before
    with Journal.read(path) as reader:
        assert reader.holder().host == "elsewhere"
    with Journal.open(path, take_over=True) as journal:
        assert journal.owner().host == socket.gethostname()
    Journal.open(path).close()


def test_who_was_taken_over_writes_no_more(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that slept cannot write an intent any more, so it sends nothing; the heir does."""
    monkeypatch.setattr(lock, "_take", lambda *_, **__: None)  # the locks of hosts do not meet
    sleeper = Journal.create(path, plan, "id")
    host = socket.gethostname()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        with pytest.raises(JournalLockedError, match=f"on another host.*on {host}"):
            Journal.open(path)
        heir = Journal.open(path, take_over=True)
    with pytest.raises(JournalLockedError, match=r"taken this journal over \(.* on elsewhere"):
        sleeper.write([StepChanged(1.0, 0, "pending", "sent")])
    sleeper.close()
    heir.write([StepChanged(1.0, 1, "pending", "sent")])
    assert heir.steps()["state"].tolist() == ["pending", "sent", "pending"]
    assert heir.owner().host == "elsewhere"
    heir.close()


def test_the_owner_is_in_the_file_itself(plan: Plan, path: Path) -> None:
    """Whoever has the one file alone, as a container may, sees who writes it."""
    Journal.create(path, plan, "id").close()
    with Journal.open(path) as journal:
        alone = path.with_name("alone.db")
        alone.write_bytes(path.read_bytes())
        with Journal.read(alone) as reader:
            assert reader.owner() == journal.owner()


# -- earlier formats ----------------------------------------------------------------------------


def test_a_journal_of_format_3(tmp_path: Path) -> None:
    """It is looked at without being altered, and gone on with, as one of today's from then on."""
    path = tmp_path / "rollout.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_3.read_text(encoding="utf-8"))
    before = path.read_bytes()
    with Journal.read(path) as journal:
        journal.check()
        assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]
        assert str(journal.holder()).startswith("process 7 on laptop, since 2026-")
        assert (journal.state(), journal.simulated) == ("running", True)
    with Stage(tmp_path, lanes=1, each=3) as stage:
        with pytest.raises(JournalLockedError, match="process 7 on laptop"):
            vk.Rollout.open(path, stage.client)
        assert path.read_bytes() == before
        rollout = vk.Rollout.open(path, stage.client, take_over=True)
        assert rollout.start().wait().state == "finished"
        assert set(rollout.frame()["state"]) == {"done"}
    with Journal.open(path) as journal:
        journal.check()
