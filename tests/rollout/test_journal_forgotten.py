"""A journal that nobody has any more lets go; one that is silent for long is still seen alive."""

from __future__ import annotations

import gc
import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.rollout.test_journal_writers import Now
from tests.rollout.test_plan import A, live, routes
from vcokit.errors import JournalError, JournalLockedError
from vcokit.rollout import database, lock
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import LEASE_SECONDS, RENEW_SECONDS, Lease
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


# -- forgotten ----------------------------------------------------------------------------------


def test_a_forgotten_journal_lets_go(plan: Plan, path: Path) -> None:
    """A journal that nobody refers to is closed: one file, whole, and free."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    del journal
    gc.collect()
    assert [each.name for each in path.parent.iterdir()] == ["rollout.db"]
    with Journal.read(path) as reader:
        assert reader.lease() is None
        assert reader.steps()["state"].tolist()[0] == "sent"


def test_forgotten_in_a_circle(plan: Plan, path: Path) -> None:
    """Who opens a journal again need not know that its last holder waits to be collected."""
    holder = SimpleNamespace(journal=Journal.create(path, plan, "id"))
    holder.itself = holder
    gc.disable()
    try:
        del holder
        Journal.open(path).close()
    finally:
        gc.enable()


def test_a_reader_does_not_hold_up_who_forgets(plan: Plan, path: Path) -> None:
    """A journal that is forgotten while another reads it lets go without waiting for that one."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM step").fetchone()
    waits: list[str] = []
    journal._db.set_trace_callback(waits.append)
    del journal
    gc.collect()
    assert waits[0] == "PRAGMA busy_timeout = 0"
    reader.close()
    Journal.open(path).close()


def test_this_program_is_told_that_it_is_itself(plan: Plan, path: Path) -> None:
    """Who is kept out by a rollout of the same program is told so, and what to do about it."""
    with Journal.create(path, plan, "id"):
        words = rf"this program \(this kernel\) holds.*process {os.getpid()} .*stop\(\).*or del it"
        with pytest.raises(JournalLockedError, match=words):
            Journal.open(path)


@FORKS
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
    assert journal.lease() is not None
    journal.close()


# -- who is dead --------------------------------------------------------------------------------


def test_who_is_dead_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead is who has ended, or whose number is another's; who cannot be asked may live."""
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    where = Lease(0.0, 0.0).owner.partition("@")[2]
    processes, _, begun = where.rpartition("/")
    parent = lock._begun(os.getppid())
    cases = [
        (Lease(0, 0, f"x@{processes}/1", ended.pid), True),
        (Lease(0, 0, f"x@{processes}/{parent}", os.getppid()), False),
        (Lease(0, 0, f"x@{processes}/", os.getppid()), False),
        (Lease(0, 0, f"x@{processes}/{begun}"), True),  # this program, which has no such lease
        (Lease(0, 0, f"x@{processes}/1", 2**70), False),
        (Lease(0, 0, f"x@{processes}/1", ended.pid, "elsewhere"), False),
        (Lease(0, 0, "x@other boot.1/1", ended.pid), False),
        (Lease(0, 0, "x", ended.pid), False),
    ]
    assert [lease.is_dead() for lease, _ in cases] == [dead for _, dead in cases]
    if parent:
        assert Lease(0, 0, f"x@{processes}/1", os.getppid()).is_dead(), "its number was reused"


@FORKS
def test_a_process_that_waits_to_be_buried_is_dead() -> None:
    """A process that was killed, and that nobody has waited for, holds nothing."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    processes = Lease(0.0, 0.0).owner.partition("@")[2].rpartition("/")[0]
    assert Lease(0, 0, f"x@{processes}/", child).is_dead()
    os.waitpid(child, 0)


# -- seen alive ---------------------------------------------------------------------------------


def test_a_silent_writer_is_seen_alive(plan: Plan, path: Path) -> None:
    """A rollout that writes nothing for hours keeps its journal if it renews when that is due."""
    now = Now()
    with Journal.create(path, plan, "id", now=now) as journal:
        assert journal.renew_at == now() + RENEW_SECONDS
        for _ in range(20):
            now.time = journal.renew_at
            journal.renew(now())
            lease = journal.lease()
            assert lease is not None
            assert lease.seen == now()
        with pytest.raises(JournalLockedError):
            lease.refuse(path, now() + LEASE_SECONDS - 1, locked=False)
    assert journal.renew_at == math.inf


def test_renewing_early_costs_nothing(plan: Plan, path: Path) -> None:
    """Before it is due, and by who only reads, nothing is written."""
    now = Now()
    with Journal.create(path, plan, "id", now=now) as journal, Journal.read(path) as reader:
        said: list[str] = []
        journal._db.set_trace_callback(said.append)
        journal.renew(now() + RENEW_SECONDS - 0.001)
        reader.renew(now() + 10_000)
        assert said == []
        assert reader.renew_at == math.inf


def test_who_was_taken_over_cannot_renew(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that slept too long is told by `renew` as by `write`, and the heir keeps it."""

    def none(_: int) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(lock, "_take", none)
    now = Now()
    sleeper = Journal.create(path, plan, "id", now=now)
    now.time += LEASE_SECONDS
    monkeypatch.setattr(database, "held_as", lambda _: None)  # as if it were in another program
    heir = Journal.open(path, now=now)
    with pytest.raises(JournalLockedError, match="taken this journal over"):
        sleeper.renew(now())
    sleeper.close()
    assert heir.lease() is not None
    heir.close()


def test_a_renewal_that_fails_is_tried_again(plan: Plan, path: Path) -> None:
    """A full disk makes `renew` an error, and it is due still."""
    now = Now()
    journal = Journal.create(path, plan, "id", now=now)
    due = journal.renew_at

    def full(*_: object) -> int:
        return sqlite3.SQLITE_DENY

    journal._db.set_authorizer(full)
    with pytest.raises(JournalError, match="cannot be written"):
        journal.renew(due)
    assert journal.renew_at == due
    journal._db.set_authorizer(None)
    journal.renew(due)
    assert journal.renew_at == due + RENEW_SECONDS
    journal.close()


def test_a_clock_that_is_put_back(plan: Plan, path: Path) -> None:
    """A lease that was seen in what is now the future is put right by the next round."""
    now = Now()
    with Journal.create(path, plan, "id", now=now) as journal:
        now.time -= 3600
        journal.write()
        lease = journal.lease()
        assert lease is not None
        assert lease.seen == now()


def test_the_lease_is_in_the_file_itself(plan: Plan, path: Path) -> None:
    """Whoever has the one file alone, as a container may, sees who writes it."""
    now = Now()
    with Journal.create(path, plan, "id", now=now) as journal:
        now.time = journal.renew_at
        journal.renew(now())
        alone = path.with_name("alone.db")
        alone.write_bytes(path.read_bytes())
        with sqlite3.connect(alone) as reader:
            assert reader.execute("SELECT seen FROM lease").fetchall() == [(now(),)]
        reader.close()
