"""A journal is one file by whatever name it is called, on whatever disk it has to live."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.rollout.test_journal import names
from vcokit.errors import JournalError
from vcokit.rollout import lock
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan

# -- names --------------------------------------------------------------------------------------


def test_the_working_directory_may_change(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means the folder that was current when it was given; gone, it is an error."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    Journal.create("rollout.db", plan, "id").close()
    for use in (Journal.open, Journal.read):
        monkeypatch.chdir(here)
        with use("rollout.db") as journal:
            monkeypatch.chdir(there)
            assert journal.path == here / "rollout.db"
            assert len(journal.steps()) == 3
        assert (names(here), names(there)) == (["rollout.db"], [])
    there.rmdir()
    with pytest.raises(JournalError, match="Check the path"):
        Journal.open("rollout.db")


def test_a_link_is_followed_to_the_one_journal(plan: Plan, path: Path) -> None:
    """Whoever opens it by a link has what was written last, and locks the journal itself."""
    with Journal.create(path, plan, "id") as holder:
        path.with_name("latest.db").symlink_to(path)
        holder.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(path.with_name("latest.db")) as reader:
            assert reader.path == path
            assert reader.steps()["state"].tolist() == ["sent", "pending", "pending"]
        with pytest.raises(JournalError, match="holds this journal"):
            Journal.open(path.with_name("latest.db"))


def test_two_names_are_one_too_many(plan: Plan, path: Path) -> None:
    """By a hard link SQLite would not find what was written last: nobody goes on by either name."""
    other = path.with_name("other.db")
    with Journal.create(path, plan, "id"):
        os.link(path, other)
        with pytest.raises(JournalError):
            Journal.open(other)
    for each in (path, other):
        with pytest.raises(JournalError, match=r"second name.*delete the other"):
            Journal.open(each)
        Journal.read(each).close()
    other.unlink()
    Journal.open(path).close()


def test_a_link_is_in_the_way(plan: Plan, path: Path) -> None:
    """A new journal follows no link of its name, not even one that leads nowhere."""
    path.symlink_to(path.with_name("elsewhere.db"))
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(path, plan, "id")
    assert names(path.parent) == ["rollout.db"]


# -- folders and disks --------------------------------------------------------------------------


@pytest.mark.parametrize("why", [errno.ENOENT, errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_in(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    """It is named with what to do; a journal in it can be looked at all the same."""
    Journal.create(path, plan, "id").close()
    if why == errno.ENOENT:
        new = path.parent / "nowhere" / "rollout.db"
    else:
        new = path.with_name("new.db")

        def refuses(*_: object) -> int:
            raise OSError(why, os.strerror(why))

        monkeypatch.setattr(lock.os, "open", refuses)
        with pytest.raises(JournalError, match=r"cannot be locked"):
            Journal.open(path)
    with pytest.raises(JournalError, match=f"locked.*{os.strerror(why)}.*folder {new.parent}, "):
        Journal.create(new, plan, "id")
    with Journal.read(path) as journal:
        assert journal.state() == "ready"
    assert names(path.parent) == ["rollout.db"]


def test_a_disk_without_locks(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes where a second writer cannot be kept out."""

    def none(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(lock, "_take", none)
    with pytest.raises(JournalError, match=r"cannot be locked \(no locks.*on a local disk"):
        Journal.create(path, plan, "id")
    assert not path.exists()


class Refusing(sqlite3.Connection):
    """A connection on a disk where a change to WAL is an error."""

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        """Refuse the one statement."""
        if sql == "PRAGMA journal_mode = WAL":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *rest)


OPENED = sqlite3.connect


@pytest.mark.parametrize("mode", ["wal", "keeps", "fails"])
def test_with_wal_and_without(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Where a disk cannot do WAL, whether it says so or fails, DELETE mode does the same work."""

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        if mode == "keeps":
            return OPENED(f"{name}&vfs=unix-none", **options)
        return OPENED(name, **options, factory=Refusing if mode == "fails" else sqlite3.Connection)

    monkeypatch.setattr(sqlite3, "connect", connect)
    with Journal.create(path, plan, "id") as journal:
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(path) as reader:
            assert reader.steps()["state"].tolist() == ["sent", "pending", "pending"]
        assert path.with_name("rollout.db-wal").exists() == (mode == "wal")
    assert names(path.parent) == ["rollout.db"]
    with Journal.open(path) as journal:
        assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]


#: A process that dies in the middle of a round, in DELETE mode, with pages on disk already.
DIES = """
import os, signal, sqlite3, sys
from tests.rollout.test_journal_places import OPENED, Refusing
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import StepChanged

sqlite3.connect = lambda *a, **k: OPENED(*a, factory=Refusing, **k)
journal = Journal.open(sys.argv[1])
journal.write([StepChanged(1.0, 0, "pending", "sent")])
journal._db.execute("PRAGMA cache_size = 1")
journal._db.execute("PRAGMA cache_spill = 1")
journal._db.execute("BEGIN IMMEDIATE")
sql = "INSERT INTO call (call, operation, sent_at, code) VALUES (?, 'x', 0, hex(zeroblob(400)))"
journal._db.executemany(sql, [(n,) for n in range(2000)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_in_a_round_without_wal(plan: Plan, path: Path) -> None:
    """What a process that was killed in DELETE mode left half-written is taken back."""
    Journal.create(path, plan, "id").close()
    died = subprocess.run([sys.executable, "-c", DIES, str(path)], check=False)
    assert died.returncode == -9
    assert path.with_name("rollout.db-journal").stat().st_size > 0
    for use in (Journal.read, Journal.open):
        copy = path.parent / use.__name__ / path.name
        copy.parent.mkdir()
        for end in ("", "-journal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
        with use(copy) as journal:
            assert len(journal.calls()) == 0
            assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]


def test_a_file_beside_it_goes_while_it_is_looked_at(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer may delete it between two looks: the journal can be read all the same."""
    Journal.create(path, plan, "id").close()
    beside, look = path.with_name("rollout.db-journal"), os.lstat
    beside.touch()

    def look_once(name: Any, **options: Any) -> os.stat_result:
        found = look(name, **options)
        if Path(name) == beside:
            beside.unlink()
        return found

    monkeypatch.setattr(os, "lstat", look_once)
    with Journal.read(path) as journal:
        assert len(journal.steps()) == 3


# -- lost under way -----------------------------------------------------------------------------


def removed(path: Path) -> None:
    """Take it away."""
    path.unlink()


def moved(path: Path) -> None:
    """Give it another name."""
    path.rename(path.with_name("moved.db"))


def replaced(path: Path) -> None:
    """Put a copy in its place, as whoever restores a backup does."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def cut(path: Path) -> None:
    """Empty it."""
    os.truncate(path, 0)


def without_rounds(path: Path) -> None:
    """Take away the file that has what was written last."""
    path.with_name("rollout.db-wal").unlink()


LOST = {
    removed: "rollout.db was deleted or renamed",
    moved: "rollout.db was deleted or renamed",
    replaced: "rollout.db is another file now",
    cut: "rollout.db was emptied",
    without_rounds: "rollout.db-wal was deleted or renamed",
}


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("first", [True, False])
def test_a_journal_that_is_lost_is_missed(
    plan: Plan, path: Path, how: Callable[[Path], None], first: bool
) -> None:
    """No round is written where nobody will find it; the error says how it was lost."""
    journal = Journal.create(path, plan, "id")
    if not first:
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
    how(path)
    with pytest.raises(JournalError, match=f"lost: {LOST[how]}.*moved, put it back"):
        journal.write([StepChanged(1.0, 1, "pending", "sent")])
    journal.close()
    if how is moved:
        with Journal.open(path.with_name("moved.db")) as again:
            assert again.steps()["state"].tolist().count("sent") == (not first)


def test_nothing_of_who_came_after_is_taken_away(plan: Plan, path: Path) -> None:
    """A writer whose files were all removed leaves those of the next journal of that name alone."""
    first = Journal.create(path, plan, "first")
    for each in list(path.parent.iterdir()):
        each.unlink()
    second = Journal.create(path, plan, "second")
    second.write([StepChanged(1.0, 0, "pending", "sent")])
    there = names(path.parent)
    first.close()
    assert names(path.parent) == there
    second.write([StepChanged(1.0, 1, "pending", "sent")])
    second.close()
    with Journal.open(path) as journal:
        assert journal.meta()["rollout_id"] == "second"
        assert journal.steps()["state"].tolist() == ["sent", "sent", "pending"]
