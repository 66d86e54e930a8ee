"""A journal is one file by whatever name it is called, on whatever disk it has to live."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.rollout.test_plan import A, live, routes
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database, lock
from vcokit.rollout.journal import CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan, plan_routes

#: Warned of since Python 3.12 where there are other threads; here the child uses none.
FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def plan() -> Plan:
    """A plan of three creates."""
    return plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(3))), live())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "rollout.db"


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(each.name for each in folder.iterdir())


# -- names --------------------------------------------------------------------------------------


def test_the_working_directory_may_change(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means the folder that was current when it was given, to the very end."""
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


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path in a folder that was taken away is one clear error."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(JournalError, match="Check the path"):
        Journal.open("rollout.db")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_one_writer_by_whatever_name(
    plan: Plan, path: Path, link: Callable[[Path, Path], None]
) -> None:
    """A journal whose rollout lives is not taken over by another name of the same file."""
    other = path.with_name("latest.db")
    with Journal.create(path, plan, "id") as holder:
        link(path, other)
        with pytest.raises(JournalLockedError, match=rf"{os.getpid()}.*close the rollout"):
            Journal.open(other)
        holder.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(other) as reader:
            assert reader.steps()["state"].tolist() == ["sent", "pending", "pending"]
    Journal.open(other).close()


@FORKS
def test_one_writer_by_another_name_in_another_process(plan: Plan, path: Path) -> None:
    """A holder on this host that lives is not said to be dead because another lock was free."""
    Journal.create(path, plan, "id").close()
    other = path.with_name("other.db")
    os.link(path, other)
    beginning, waiting = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # the holder; it ends without a word, as one that is killed
        try:
            held = Journal.open(path)
            os.write(beginning[1], str(held.lease()).encode())
            os.read(waiting[0], 1)
        finally:
            os._exit(0)
    try:
        assert os.read(beginning[0], 99).startswith(f"process {child} on ".encode())
        with pytest.raises(JournalLockedError, match=f"another rollout .*process {child} on "):
            Journal.open(other)
    finally:
        os.write(waiting[1], b"x")
        os.waitpid(child, 0)
        for end in (*beginning, *waiting):
            os.close(end)
    Journal.open(other).close()


def test_a_link_is_in_the_way(plan: Plan, path: Path) -> None:
    """A new journal follows no link of its name, not even one that leads nowhere."""
    elsewhere = path.with_name("elsewhere.db")
    path.symlink_to(elsewhere)
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(path, plan, "id")
    assert names(path.parent) == ["rollout.db"]


# -- disks --------------------------------------------------------------------------------------


def test_no_room_for_the_lock(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full a journal cannot be opened; once there is room, it can."""
    Journal.create(path, plan, "id").close()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(JournalError, match=rf"No space.*{path.parent} is there, has room"):
            Journal.open(path)
    assert names(path.parent) == ["rollout.db"]
    Journal.open(path).close()


@pytest.mark.parametrize("words", ["database or disk is full", "disk I/O error"])
@pytest.mark.parametrize("statement", ["PRAGMA synchronous", "INSERT INTO lease", "COMMIT"])
def test_no_room_for_the_first_write(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, words: str
) -> None:
    """A journal for which there was room, but not for a first write, is not left behind."""
    opened = sqlite3.connect

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql.startswith(statement) and "-new" not in self.name:
                raise sqlite3.OperationalError(words)
            return super().execute(sql, *rest)

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        made = opened(name, factory=Full, **options)
        made.name = name
        return made

    with monkeypatch.context() as patched:
        patched.setattr(database.sqlite3, "connect", connect)
        with pytest.raises(JournalError, match=f"cannot be made.*{words}.*Make room"):
            Journal.create(path, plan, "id")
    assert names(path.parent) == []
    Journal.create(path, plan, "id").close()


@pytest.mark.parametrize("why", [errno.ENOENT, errno.EACCES, errno.EROFS])
def test_where_no_lock_can_be_made(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    """A folder that is not there, or not to be written in, is named with what to do."""
    if why == errno.ENOENT:
        path = path.parent / "nowhere" / "rollout.db"
    else:

        def refuses(*_: object) -> int:
            raise OSError(why, os.strerror(why))

        monkeypatch.setattr(lock.os, "open", refuses)
    with pytest.raises(JournalError, match=f"cannot be locked.*the folder {path.parent} is there"):
        Journal.create(path, plan, "id")


def test_a_closed_journal_says_so(plan: Plan, path: Path) -> None:
    """Who asks a journal after its end is told that it is closed, and how to open it."""
    with Journal.create(path, plan, "id") as journal:
        pass
    with Journal.read(path) as reader:
        pass
    asks: list[Callable[[Journal], object]] = [
        Journal.steps,
        Journal.calls,
        Journal.meta,
        Journal.lease,
        Journal.write,
        Journal.last_call,
        lambda closed: list(closed.standing()),
    ]
    for ask in asks:
        for closed in (journal, reader):
            with pytest.raises(JournalError, match=r"closed.*vk\.Journal\.read\(path\)"):
                ask(closed)


def test_a_reader_writes_nothing(plan: Plan, path: Path) -> None:
    """A journal that was opened to be read says so to who would write."""
    Journal.create(path, plan, "id").close()
    with Journal.read(path) as reader, pytest.raises(JournalError, match="opened to be read"):
        reader.write()


def test_a_writer_that_closes_does_no_damage(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that grew, whole, between a look at its first bytes and one at its size is sound."""
    with Journal.create(path, plan, "id"):
        pass
    young = path.read_bytes()[: database._HEADER]
    with Journal.open(path) as journal:
        journal.write(calls=[CallRow(n, "Create", "r" * 900, A, 1.0) for n in range(99)])
    assert path.read_bytes()[: database._HEADER] != young
    seen, looks = database._seen, []

    def between(looked: Path) -> tuple[bytes, int]:
        looks.append(looked)
        head, size = seen(looked)
        return (young if len(looks) == 1 else head), size

    monkeypatch.setattr(database, "_seen", between)
    database.check_bytes(path)
    assert len(looks) == 2


def test_a_file_that_never_rests_is_left_to_sqlite(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is another at every look is not called damaged, and not looked at for ever."""
    Journal.create(path, plan, "id").close()
    head, looks = path.read_bytes()[: database._HEADER], []

    def growing(looked: Path) -> tuple[bytes, int]:
        looks.append(looked)
        return head, len(looks)

    monkeypatch.setattr(database, "_seen", growing)
    database.check_bytes(path)
    assert len(looks) <= 101


# -- network file systems -----------------------------------------------------------------------

MOUNTS = """\
proc /proc proc rw 0 0
/dev/vda / ext4 rw 0 0
server:/h /var/h nfs4 rw 0 0
/dev/vdb /var/h/local ext4 rw 0 0
//server/share\\040name /var/mnt/share\\040name cifs rw 0 0
me@there: /var/mnt/there fuse.sshfs rw 0 0
autofs /auto autofs rw 0 0
server:/auto /auto nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "shared"),
    [
        ("/rollout.db", False),
        ("/var/h/me/rollout.db", True),
        ("/var/hasty/rollout.db", False),
        ("/var/h/local/rollout.db", False),
        ("/var/mnt/share name/rollout.db", True),
        ("/var/mnt/there/rollout.db", True),
        ("/auto/rollout.db", True),
    ],
)
def test_disks_that_hosts_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, shared: bool
) -> None:
    """The innermost mount that holds a file decides, and of two at one place the later."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr(database, "_MOUNTS", mounts)
    assert database.is_shared(Path(file)) is shared
    monkeypatch.setattr(database, "_MOUNTS", tmp_path / "none")
    assert not database.is_shared(Path(file))


def test_no_wal_where_hosts_share_the_disk(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that accepts WAL, but that other hosts may have mounted, gets DELETE mode."""
    mounts = path.with_name("mounts")
    mounts.write_text(f"server:/ {path.parent} nfs4 rw 0 0\n")
    with Journal.create(path, plan, "id") as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    monkeypatch.setattr(database, "_MOUNTS", mounts)
    with Journal.open(path) as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        assert not path.with_name("rollout.db-wal").exists()
