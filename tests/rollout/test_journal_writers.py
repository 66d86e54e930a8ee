"""One writer at a time, whatever the file system can do; and nothing secret in what it writes."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.rollout.stage import Stage
from tests.rollout.test_plan import A, live, routes
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database, lock
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import LEASE_SECONDS, RENEW_SECONDS, Lease
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.scheduler import Scheduler
from vcokit.simulator import Fault


class Now:
    """A clock on the wall that is set by hand."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.time


@pytest.fixture
def plan() -> Plan:
    """A plan of three creates."""
    return plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(3))), live())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "rollout.db"


def lease_of(path: Path, **changes: object) -> None:
    """Write into a journal that somebody holds it."""
    with sqlite3.connect(path) as connection:
        row = {"owner": "other", "process": 7, "host": "elsewhere", "since": 0.0, "seen": 0.0}
        names = ", ".join(f":{name}" for name in row)
        connection.execute("DELETE FROM lease")
        connection.execute(
            f"INSERT INTO lease (owner, process, host, since, seen) VALUES ({names})",  # noqa: S608
            row | changes,
        )
    connection.close()


# -- the lease ----------------------------------------------------------------------------------


def test_a_holder_on_another_host(plan: Plan, path: Path) -> None:
    """A writer on another host, seen a moment ago, keeps a second one out and is named."""
    Journal.create(path, plan, "id").close()
    now = Now()
    lease_of(path, seen=now() - 5, since=now() - 100)
    before = path.read_bytes()
    with pytest.raises(JournalLockedError, match=r"process 7 on elsewhere.*seen 5 s ago.*in 55 s"):
        Journal.open(path, now=now)
    assert path.read_bytes() == before
    now.time += LEASE_SECONDS - 5
    with Journal.open(path, now=now) as journal:
        assert journal.lease() == Lease(now(), now(), journal.lease().owner)
    with Journal.read(path) as journal:
        assert journal.lease() is None


def test_a_dead_holder_on_this_host(plan: Plan, path: Path) -> None:
    """A lease whose process is seen to be gone holds nobody up, though it was seen just now."""
    Journal.create(path, plan, "id").close()
    now = Now()
    ended = subprocess.run([sys.executable, "-c", LEAVES, str(path)], check=False)
    assert ended.returncode == -9
    with Journal.read(path) as journal:
        left = journal.lease()
    assert left is not None
    lease_of(path, seen=now(), **{n: getattr(left, n) for n in ("owner", "process", "host")})
    Journal.open(path, now=now).close()


@pytest.mark.parametrize("wrong", [{"seen": "x"}, {"process": b"x"}, {"since": 1e300}])
def test_a_lease_that_is_none(plan: Plan, path: Path, wrong: dict[str, object]) -> None:
    """Damage in the one row that says who writes is an error like any other."""
    Journal.create(path, plan, "id").close()
    lease_of(path, **wrong)
    for ask in (Journal.open, lambda damaged: Journal.read(damaged).lease()):
        with pytest.raises(JournalError, match="cannot be read"):
            ask(path)


#: A process that dies while it holds a journal.
LEAVES = """
import os, signal, sys
from vcokit.rollout.journal import Journal
journal = Journal.open(sys.argv[1])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_where_there_are_no_file_locks(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without locks the lease alone keeps a second writer out."""

    def none(_: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(lock, "_take", none)
    now = Now()
    with Journal.create(path, plan, "id", now=now):
        now.time += LEASE_SECONDS - 1
        with pytest.raises(JournalLockedError, match=f"process {os.getpid()} on "):
            Journal.open(path, now=now)
    Journal.open(path, now=now).close()


def test_who_lost_the_lease_writes_no_more(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that slept while another took over cannot write an intent, so it sends nothing."""
    monkeypatch.setattr(lock, "_take", lambda _: (_ for _ in ()).throw(OSError(errno.ENOLCK, "")))
    now = Now()
    sleeper = Journal.create(path, plan, "id", now=now)
    now.time += LEASE_SECONDS
    heir = Journal.open(path, now=now)
    with pytest.raises(JournalLockedError, match=f"taken this journal over.*process {os.getpid()}"):
        sleeper.write([StepChanged(now(), 0, "pending", "sent")])
    sleeper.close()
    heir.write([StepChanged(now(), 1, "pending", "sent")])
    assert heir.steps()["state"].tolist() == ["pending", "sent", "pending"]
    heir.close()
    with pytest.raises(JournalError):
        heir.write([StepChanged(now(), 1, "settled", "done")])


def test_the_lease_is_renewed(plan: Plan, path: Path) -> None:
    """Who writes is seen, though not at every round; once it has ended nobody holds it."""
    now = Now()
    with Journal.create(path, plan, "id", now=now) as journal:
        begin = now()
        for seconds, seen in ((RENEW_SECONDS / 2, 0), (RENEW_SECONDS, 1), (RENEW_SECONDS, 2)):
            now.time = begin + seconds
            journal.write(meta={"x": "y"})
            lease = journal.lease()
            assert lease is not None
            assert lease.seen == begin + (RENEW_SECONDS if seen else 0.0)
            assert lease.since == begin


def test_the_lock_tells_who_and_where(plan: Plan, path: Path) -> None:
    """Who is kept out on this host is told the process, the host and since when."""
    now = Now()
    with Journal.create(path, plan, "id", now=now):
        words = f"process {os.getpid()} on {socket.gethostname()}, since 1970-01-12 13:46:40 UTC"
        with pytest.raises(JournalLockedError, match=words):
            Journal.open(path)


# -- file systems that cannot do WAL ------------------------------------------------------------


def without_wal(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Let SQLite open files without shared memory, as some network file systems have none."""
    opened = sqlite3.connect

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        if mode == "keeps":
            return opened(f"{name}&vfs=unix-none", **options)
        return opened(name, factory=Refusing, **options)

    monkeypatch.setattr(database.sqlite3, "connect", connect)


class Refusing(sqlite3.Connection):
    """A connection on a disk where a change to WAL is an error."""

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        """Refuse the one statement."""
        if sql == "PRAGMA journal_mode = WAL":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *rest)


@pytest.mark.parametrize("mode", ["keeps", "fails"])
def test_without_wal(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Where the disk cannot do WAL, whether it says so or fails, DELETE mode does the same work."""
    without_wal(monkeypatch, mode)
    with Journal.create(path, plan, "id") as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(path) as reader:
            assert reader.steps()["state"].tolist() == ["sent", "pending", "pending"]
        assert not path.with_name("rollout.db-wal").exists()
    with Journal.open(path) as journal:
        assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]


def test_with_wal(plan: Plan, path: Path) -> None:
    """Where the disk can, a round is in the file beside, and on disk, when `write` returns."""
    with Journal.create(path, plan, "id") as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)


#: A process that would have SQLite's journal for itself: bytes of its exclusive lock.
GRASPS = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


def test_a_look_leaves_the_writer_its_locks(plan: Plan, path: Path) -> None:
    """Who looks at a journal in the writer's own process drops none of the locks SQLite holds."""
    with Journal.create(path, plan, "id") as journal:
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        with Journal.read(path) as reader:
            reader.meta()
        grasped = subprocess.run(
            [sys.executable, "-c", GRASPS, str(path)], check=False, capture_output=True
        )
        assert b"BlockingIOError" in grasped.stderr


#: A process that dies in the middle of a round, in DELETE mode, with pages on disk already.
DIES = """
import os, signal, sqlite3, sys
from vcokit.rollout import database
from vcokit.rollout.journal import CallRow, Journal
from vcokit.rollout.messages import StepChanged

class Refusing(sqlite3.Connection):
    def execute(self, sql, *rest):
        if sql == "PRAGMA journal_mode = WAL":
            raise sqlite3.OperationalError("no")
        return super().execute(sql, *rest)

opened = sqlite3.connect
database.sqlite3.connect = lambda *a, **k: opened(*a, factory=Refusing, **k)
journal = Journal.open(sys.argv[1])
journal.write([StepChanged(1.0, 0, "pending", "sent")])
journal._db.execute("PRAGMA cache_size = 1")
journal._db.execute("PRAGMA cache_spill = 1")
journal._db.execute("BEGIN IMMEDIATE")
calls = [CallRow(n, "CreateVcoRouteEntry", "r" * 900, "c", 1.0) for n in range(2000)]
journal._db.executemany(CallRow.INSERT, [call.values() for call in calls])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("use", [Journal.read, Journal.open])
def test_killed_in_a_round_without_wal(
    plan: Plan, path: Path, use: Callable[[Path], Journal]
) -> None:
    """What a process that was killed in DELETE mode left half-written is taken back."""
    Journal.create(path, plan, "id").close()
    died = subprocess.run([sys.executable, "-c", DIES, str(path)], check=False)
    assert died.returncode == -9
    assert path.with_name("rollout.db-journal").stat().st_size > 0
    with use(path) as journal:
        assert len(journal.calls()) == 0
        assert journal.steps()["state"].tolist() == ["sent", "pending", "pending"]


# -- what is on disk when a call leaves ---------------------------------------------------------


class Watched:
    """A client whose every call looks into the journal first, through a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tokens: list[str] = []

    def call(self, operation: Any, parameters: dict[str, Any], **_: Any) -> Any:
        """Note what a call would say, and what is on disk by then."""
        if not operation.writes:
            return {"State": "attached"}
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as reader:
            found = reader.execute(
                "SELECT call.outcome, step.state, step.route_dest FROM call JOIN step USING (step)"
                " WHERE client_token = ?",
                (parameters["ClientToken"],),
            ).fetchall()
        reader.close()
        assert found == [(None, "sent", parameters["RouteDest"])]
        self.tokens.append(parameters["ClientToken"])
        return SimpleNamespace(request_id="q")

    def page(self, *_: Any, **__: Any) -> Any:
        """Answer a listing: the routes of every write so far."""
        rows = [
            {"RouteDest": f"10.{n}.0.0/16", "NextHop": A, "Weight": 100}
            for n in range(len(self.tokens))
        ]
        return SimpleNamespace(rows=rows, total=len(rows))


def test_intent_is_durable_before_the_call(plan: Plan, path: Path) -> None:
    """When a write leaves, another process sees its intent and its token in the journal."""
    client = Watched(path)
    limits = dict.fromkeys(OPERATIONS, Limit(1000, 0.001))
    with Journal.create(path, plan, "id") as journal:
        scheduler = Scheduler(plan.each(), plan.live_by_lane(), limits, Options.in_force(1000.0))
        clocks = Clocks(lambda: 1.0, time.monotonic)
        engine = Engine(scheduler, journal, "id", client, lambda _: None, clocks)
        assert engine.run().reason == "finished"
        assert sorted(journal.calls()["client_token"].dropna()) == sorted(client.tokens)
    assert len(client.tokens) == 3


def test_no_secret_and_no_endpoint(tmp_path: Path) -> None:
    """Neither key, nor signature, nor the cloud's address is anywhere in a journal's files."""
    seen: list[bytes] = []

    def keep(_: object) -> None:
        seen.extend(each.read_bytes() for each in tmp_path.iterdir() if len(seen) < 30)

    with Stage(tmp_path, Fault("drop_after", count=2), Fault("html", count=2)) as stage:
        rollout = stage.rollout(observers=[keep])
        rollout.start().wait().raise_on_error()
        keep(seen.clear())
        keys, port = stage.cloud.credentials, stage.cloud.endpoint.rpartition(":")[2]
    everything = b"".join(seen)
    assert b"CreateVcoRouteEntry" in everything
    words = [keys.access_key_secret, keys.access_key_id, "127.0.0.1", f":{port}"]
    for word in [*words, "Authorization", "acs3-hmac", "Signature"]:
        assert word.encode() not in everything, word
