"""What is not of a journal, beside it or in its place: never followed, taken in, or taken away."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from tests.rollout.test_plan import A, live, routes
from vcokit.errors import JournalError, VcokitError
from vcokit.rollout.engine import Clocks
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import RENEW_SECONDS
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan, plan_routes


@pytest.fixture
def plan() -> Plan:
    """A plan of three creates."""
    return plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(3))), live())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "rollout.db"


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder."""
    return {each.name: each.read_bytes() for each in folder.iterdir()}


# -- what another journal left ------------------------------------------------------------------


def test_a_killed_rollout_is_not_replayed_into_the_next_journal(plan: Plan, path: Path) -> None:
    """Beside what a removed journal left no new one is made; without that, one is, and is whole."""
    alive = path.with_name("alive.db")
    with Journal.create(alive, plan, "old") as journal:
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        for end in ("-wal", "-shm"):  # as a kill leaves them, once the journal itself is removed
            shutil.copy(f"{alive}{end}", f"{path}{end}")
    before = contents(path.parent)
    assert before["rollout.db-wal"]
    with pytest.raises(JournalError, match=r"left: rollout\.db-wal, rollout\.db-shm.*delete"):
        Journal.create(path, plan, "new")
    assert contents(path.parent) == before
    for end in ("-wal", "-shm"):
        os.unlink(f"{path}{end}")
    Journal.create(path, plan, "new").close()
    with Journal.open(path) as journal:
        assert journal.meta()["rollout_id"] == "new"
        assert journal.steps()["state"].tolist() == ["pending"] * 3


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_each_leftover_is_named(plan: Plan, path: Path, end: str) -> None:
    """Whatever SQLite would take for the new journal's own is in the way, an empty file too."""
    Path(f"{path}{end}").touch()
    with pytest.raises(JournalError, match=f"left: rollout.db{end}. Put that journal back"):
        Journal.create(path, plan, "id")
    assert [each.name for each in path.parent.iterdir()] == [f"rollout.db{end}"]


def test_restoring_says_what_to_do_with_the_rest(plan: Plan, path: Path) -> None:
    """The remedy of a damaged journal names the files that would be replayed into its copy."""
    Journal.create(path, plan, "id").close()
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(JournalError, match=r"a copy, once rollout\.db-wal and rollout\.db-shm are"):
        Journal.open(path)


# -- what is the user's own ---------------------------------------------------------------------

OWN = b"ssh-ed25519 AAAA me@home\n"


def link(lock: Path) -> None:
    """Point to a file of the user's."""
    lock.symlink_to("victim.txt")


def second_name(lock: Path) -> None:
    """Give a file of the user's a second name."""
    os.link(lock.with_name("victim.txt"), lock)


def nowhere(lock: Path) -> None:
    """Point to where nothing is."""
    lock.symlink_to("nothing.txt")


def own_file(lock: Path) -> None:
    """Write what no rollout wrote."""
    lock.write_bytes(OWN)


def like_ours(lock: Path) -> None:
    """Write what only begins as a rollout's."""
    lock.write_bytes(b"process 7 on laptop, since 2026-01-01 00:00:00 UTC\n" + OWN)


@pytest.mark.parametrize(
    "make", [link, second_name, nowhere, own_file, like_ours, os.mkfifo, Path.mkdir]
)
@pytest.mark.parametrize("use", ["create", "open"])
def test_the_lock_is_nobody_elses(
    plan: Plan, path: Path, make: Callable[[Path], None], use: str
) -> None:
    """A link, a file of somebody else, or no file, in the lock's place is refused, not touched."""
    if use == "open":
        Journal.create(path, plan, "id").close()
    victim, lock = path.with_name("victim.txt"), path.with_name("rollout.db-lock")
    victim.write_bytes(OWN)
    make(lock)
    there = sorted(each.name for each in path.parent.iterdir())
    with pytest.raises(JournalError, match=r"rollout\.db-lock beside it is no lock.*Move it"):
        Journal.create(path, plan, "id") if use == "create" else Journal.open(path)
    assert victim.read_bytes() == OWN
    assert sorted(each.name for each in path.parent.iterdir()) == there
    if make in (own_file, like_ours):
        assert lock.read_bytes().endswith(OWN)


def test_the_lock_of_a_killed_rollout_is_taken(plan: Plan, path: Path) -> None:
    """What a dead holder left in the lock's place keeps nobody out, and goes with the next one."""
    for left in (b"", b"process 999999999 on laptop, since 2026-01-01 00:00:00 UTC"):
        lock = path.with_name("rollout.db-lock")
        lock.write_bytes(left)
        with Journal.create(path, plan, "id") as journal:
            assert lock.read_text() == str(journal.lease())
        assert [each.name for each in path.parent.iterdir()] == ["rollout.db"]
        path.unlink()


def test_another_lock_of_that_name_stays(plan: Plan, path: Path) -> None:
    """A file that took the lock's name under way is not taken away at the end."""
    journal = Journal.create(path, plan, "id")
    path.with_name("rollout.db-lock").unlink()
    path.with_name("rollout.db-lock").write_bytes(OWN)
    journal.close()
    assert path.with_name("rollout.db-lock").read_bytes() == OWN


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("make", [link, os.mkfifo])
@pytest.mark.parametrize("use", [Journal.read, Journal.open])
def test_nothing_beside_is_followed(
    plan: Plan, path: Path, end: str, make: Callable[[Path], None], use: Callable[[Path], Journal]
) -> None:
    """A link or a pipe where SQLite keeps its own is one error, by whatever way it is opened."""
    Journal.create(path, plan, "id").close()
    victim = path.with_name("victim.txt")
    victim.write_bytes(OWN)
    make(Path(f"{path}{end}"))
    with pytest.raises(JournalError, match=rf"rollout\.db{end} beside it is no file of its own"):
        use(path)
    assert victim.read_bytes() == OWN


# -- under way ----------------------------------------------------------------------------------


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
    removed: "rollout.db was taken away",
    moved: "rollout.db was taken away",
    replaced: "rollout.db is another file now",
    cut: "rollout.db was cut to 0 bytes",
    without_rounds: "rollout.db-wal was taken away",
}


@pytest.mark.parametrize("how", LOST)
def test_a_journal_that_is_lost_is_missed(
    plan: Plan, path: Path, how: Callable[[Path], None]
) -> None:
    """Neither a round nor a renewal is written where nobody will find it; it says how it is."""
    now = [1000.0]
    journal = Journal.create(path, plan, "id", now=lambda: now[0])
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    how(path)
    journal.renew(now[0])  # not due yet
    with pytest.raises(JournalError, match=f"lost: {LOST[how]}.*moved, put it back"):
        journal.write([StepChanged(1.0, 1, "pending", "sent")])
    now[0] += RENEW_SECONDS
    with pytest.raises(JournalError, match=LOST[how]):
        journal.renew(now[0])
    journal.close()


def test_a_journal_that_was_moved_is_whole(plan: Plan, path: Path) -> None:
    """What was written before the move is in the moved file, and that can be opened."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    moved(path)
    journal.close()
    with Journal.open(path.with_name("moved.db")) as again:
        assert again.steps()["state"].tolist() == ["sent", "pending", "pending"]


def test_nothing_of_who_came_after_is_taken_away(plan: Plan, path: Path) -> None:
    """A writer whose files were all removed leaves those of the next journal of that name alone."""
    first = Journal.create(path, plan, "first")
    for each in list(path.parent.iterdir()):
        each.unlink()
    second = Journal.create(path, plan, "second")
    second.write([StepChanged(1.0, 0, "pending", "sent")])
    there = sorted(each.name for each in path.parent.iterdir())
    first.close()
    assert sorted(each.name for each in path.parent.iterdir()) == there
    second.write([StepChanged(1.0, 1, "pending", "sent")])
    second.close()
    with Journal.open(path) as journal:
        assert journal.meta()["rollout_id"] == "second"
        assert journal.steps()["state"].tolist() == ["sent", "sent", "pending"]


@pytest.mark.parametrize("how", [removed, moved, replaced, cut])
def test_a_rollout_without_its_journal_stops(tmp_path: Path, how: Callable[[Path], None]) -> None:
    """Once its journal is lost nothing more leaves, and whoever waits is told so."""
    written: list[int] = []

    def lose(event: object) -> None:
        if isinstance(event, StepChanged) and event.new == "settled" and not written:
            written.append(int((stage.cloud.calls()["operation"] == "CreateVcoRouteEntry").sum()))
            how(tmp_path / "rollout.db")

    with Stage(tmp_path, lanes=1, each=8) as stage:
        rollout = stage.rollout(observers=[lose]).start()
        with pytest.raises(JournalError, match=r"the journal is lost.*then go on with vk\.Rollout"):
            rollout.wait()
        assert rollout.state == "stopped"
        creates = (stage.cloud.calls()["operation"] == "CreateVcoRouteEntry").sum()
    # The one more was on disk, in the round that settled the step before.
    assert written[0] <= creates <= written[0] + 1


def test_a_rollout_that_waits_misses_its_journal(tmp_path: Path) -> None:
    """Paused, with nothing to write, it stops with the next renewal."""
    late: list[float] = []
    clocks = Clocks(lambda: time.time() + sum(late), time.monotonic)
    with Stage(tmp_path, lanes=1, each=4) as stage:
        rollout = stage.rollout(clocks=clocks)
        rollout.pause()
        rollout.start()
        removed(tmp_path / "rollout.db")
        late.append(RENEW_SECONDS)
        rollout.pause()  # wakes it, as any moment would
        with pytest.raises(JournalError, match="the journal is lost"):
            rollout.wait()
        assert not stage.creations()


# -- never begun --------------------------------------------------------------------------------


def test_an_error_leaves_no_journal(tmp_path: Path) -> None:
    """A rollout that cannot be made leaves no file, so that the corrected call has its name."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        for wrong in ({"observers": print}, {"clocks": 3}, {"waves": [0]}):
            with pytest.raises((TypeError, AttributeError, VcokitError)):
                stage.rollout(**wrong)
            assert list(tmp_path.iterdir()) == []
        stage.rollout().start().wait().raise_on_error()


# -- forged -------------------------------------------------------------------------------------

ENDLESS = """
ALTER TABLE step RENAME TO step2;
CREATE VIEW step AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT i AS step, step2.* FROM n, step2 WHERE step2.step = 0;
"""
FORGED = {
    "a view without end": ENDLESS,
    "a trigger": "CREATE TRIGGER t BEFORE UPDATE ON step BEGIN SELECT RAISE(IGNORE); END;",
    "a table": "CREATE TABLE t (x);",
    "a column that is computed": "ALTER TABLE meta ADD COLUMN x AS (hex(zeroblob(1000)));",
    "a table too few": "DROP TABLE call;",
}


def forge(path: Path, script: str) -> None:
    """Change a journal as whoever can write its file may."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)


@pytest.mark.parametrize("kind", FORGED)
@pytest.mark.parametrize("use", [Journal.read, Journal.open])
def test_a_forged_journal(
    plan: Plan, path: Path, kind: str, use: Callable[[Path], Journal]
) -> None:
    """A journal with anything but its tables is refused before any of it is read."""
    Journal.create(path, plan, "id").close()
    forge(path, FORGED[kind])
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"damaged \(changed by hand: .*Restore it"):
        use(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = '{\"deadline\": 1e400, [' WHERE name = 'options'",
        "UPDATE meta SET value = '" + "[" * 100_000 + "' WHERE name = 'options'",
        "UPDATE meta SET value = '{\"deadline\": -5}' WHERE name = 'options'",
        "UPDATE meta SET value = '[3]' WHERE name = 'options'",
        "UPDATE meta SET value = x'00ff' WHERE name = 'options'",
        "UPDATE meta SET value = NULL WHERE name = 'rollout_id'",
        "INSERT INTO meta VALUES ('quota', 'many')",
        "INSERT INTO meta VALUES ('lost', '[[')",
        "INSERT INTO meta VALUES ('lost', '" + "[" * 100_000 + "')",
        "INSERT INTO meta VALUES (x'00', 'x')",
    ],
)
def test_what_it_knows_of_itself_is_damaged(tmp_path: Path, change: str) -> None:
    """Whatever stands in the place of a wish, or of a part of the plan: one error, and a remedy."""
    path = tmp_path / "rollout.db"
    with Stage(tmp_path, lanes=1, each=1) as stage:
        stage.rollout().close()
        forge(path, change)
        with pytest.raises(JournalError, match=r"damaged.*Restore it from a copy"):
            vk.Rollout.open(path, stage.client)
        assert [each.name for each in tmp_path.iterdir()] == ["rollout.db"]
