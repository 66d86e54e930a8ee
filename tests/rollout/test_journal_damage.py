"""What is not a journal, or a damaged one, is one clear error, and never touched."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from tests.rollout.test_plan import A, live, routes
from vcokit.errors import JournalError
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import Plan, plan_routes

ROUNDS = 30
STATES = ("sent", "accepted", "settled", "done")


def write_rounds(journal: Journal) -> None:
    """Write a few rounds; the call's number says how many were."""
    for n in range(ROUNDS):
        call = CallRow(n + 1, "CreateVcoRouteEntry", "cn-hangzhou", A, 100.0 + n, n, 0, f"t{n}")
        journal.write([StepChanged(100.0 + n, n, "pending", STATES[n % 4])], [call])
        journal.write(ends=[CallEnd(n + 1, 0.25, "ok", None, 200, f"request {n}")])


@pytest.fixture(scope="module")
def closed(killed: Path) -> Path:
    """A journal of sixty steps, some under way, closed in order."""
    return killed.with_name("alive.db")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a killed process leaves it: much of it still beside the file."""
    path = tmp_path_factory.mktemp("killed") / "rollout.db"
    alive = path.with_name("alive.db")
    wanted = routes(*((A, f"10.{n}.0.0/16", 100) for n in range(60)))
    plan = plan_routes(wanted, live((A, "10.1.0.0/16", 0)))
    with Journal.create(alive, replace(plan, simulated=True), "id") as journal:
        write_rounds(journal)
        for end in ("", "-wal"):
            shutil.copy(f"{alive}{end}", f"{path}{end}")
    return path


def look(path: Path, use: Callable[[Path], Journal] = Journal.read) -> tuple[pd.DataFrame, ...]:
    """Read all that a journal says, as who looks or, by `Journal.open`, as who goes on."""
    with use(path) as journal:
        journal.plan()
        list(journal.standing())
        journal.last_call()
        return journal.steps(), journal.calls()


def damaged(original: Path, path: Path, damage: Callable[[bytes], bytes], end: str = "") -> None:
    """Make a damaged copy."""
    for name in ("", "-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)
        if Path(f"{original}{name}").exists():
            shutil.copy(f"{original}{name}", f"{path}{name}")
    target = Path(f"{path}{end}")
    target.write_bytes(damage(target.read_bytes()))


def contents(path: Path) -> dict[str, bytes]:
    """Return the files of a journal; -shm is SQLite's scratch memory and holds nothing."""
    there = sorted(path.parent.glob(f"{path.name}*"))
    return {each.name: each.read_bytes() for each in there if not each.name.endswith("-shm")}


WAYS = (Journal.read, Journal.open)


def refusals(path: Path, *ways: Callable[[Path], Journal]) -> int:
    """Count the ways to open a damaged file that refuse it; each has to leave it alone."""
    count = 0
    for use in ways or WAYS:
        before = contents(path)
        try:
            look(path, use)
        except JournalError as error:
            refused = error
        else:
            continue
        assert contents(path) == before, "a file that was refused was altered"
        assert str(path) in str(refused)
        count += 1
    return count


def flip(data: bytes, position: int, bit: int) -> bytes:
    """Return bytes with one bit turned."""
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


def cuts(size: int, count: int = 30) -> list[int]:
    """Return lengths to cut a file to: its first bytes, its last, page ends, and some at random."""
    rng = random.Random(size)
    pages = [page + by for page in range(0, size, 4096 * 60 // count) for by in (-1, 0, 1)]
    picked = [*range(0, 120, 15), *pages, *rng.sample(range(size), count), size - 1]
    return sorted({cut for cut in picked if 0 <= cut < size})


def test_cut_anywhere(closed: Path, path: Path) -> None:
    """A journal cut at any byte is refused, or nothing of it was in what is missing."""
    whole, found = look(closed), 0
    for cut in cuts(closed.stat().st_size):
        damaged(closed, path, lambda data, cut=cut: data[:cut])
        for use in WAYS:
            if refusals(path, use):
                found += 1
                continue
            for frame, wanted in zip(look(path, use), whole, strict=True):
                pd.testing.assert_frame_equal(frame, wanted)
    assert found > 50


def test_any_bit_turned(closed: Path, path: Path) -> None:
    """A journal with a bit turned is refused or read; a plan or an id that changed never passes."""
    rng = random.Random(5)
    size, found = closed.stat().st_size, 0
    for _ in range(30):
        position, bit = rng.randrange(size), rng.randrange(8)
        damaged(closed, path, lambda data, p=position, b=bit: flip(data, p, b))
        found += refusals(path)
    assert found > 5  # most bits of a small file are unused


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"10.59.0.0/16", b"10.58.0.0/16"),
        (b"rollout_idid", b"rollout_idie"),
        (b"simulatedyes", b"simulatedno "),
    ],
)
def test_what_is_written_once_altered(closed: Path, path: Path, old: bytes, new: bytes) -> None:
    """Where a route, the rollout's id or its cloud was altered in place, nothing goes on."""
    damaged(closed, path, lambda data: data.replace(old, new))
    assert path.read_bytes() != closed.read_bytes()
    before = contents(path)
    with pytest.raises(JournalError, match="damaged"):
        Journal.open(path)
    assert contents(path) == before


def test_half_overwritten(closed: Path, path: Path) -> None:
    """A journal whose half is zeros, noise or another file's is refused."""
    rng = random.Random(7)
    half = closed.stat().st_size // 2 // 4096 * 4096
    for filling in (bytes(half), rng.randbytes(half), (b"vpn_connection_id,weight\n" * half)):
        for damage in (
            lambda data, f=filling: data[:half] + f[: len(data) - half],
            lambda data, f=filling: f[:half] + data[half:],
            lambda data, f=filling: data[:4096] + f[: half - 4096] + data[half:],
        ):
            damaged(closed, path, damage)
            assert refusals(path) == 2


def test_what_a_killed_process_left_is_read(killed: Path, path: Path) -> None:
    """All rounds are there though none was written into the file itself."""
    damaged(killed, path, lambda data: data)
    for use in (Journal.read, Journal.open, Journal.read):
        assert look(path, use)[1]["outcome"].tolist() == ["ok"] * ROUNDS


def test_the_tail_cut_off(killed: Path, path: Path) -> None:
    """If the file beside is cut at any byte, whole rounds are missing from the end, never parts."""
    seen = set()
    for cut in cuts(Path(f"{killed}-wal").stat().st_size, 8):
        damaged(killed, path, lambda data, cut=cut: data[:cut], end="-wal")
        Journal.open(path).close()
        steps, calls = look(path)
        sent = steps["sent_at"].notna() | steps["ended_at"].notna()
        sent |= steps["accepted_at"].notna() | steps["settled_at"].notna()
        assert sent.sum() == len(calls)
        assert calls["call"].tolist() == list(range(1, len(calls) + 1))
        assert calls["outcome"].isna().sum() <= 1
        seen.add(len(calls))
    assert {0, ROUNDS} <= seen or len(seen) > 10


def test_damage_beside(killed: Path, path: Path) -> None:
    """A bit turned in either file of a killed rollout gives an error or a journal, nothing else."""
    rng = random.Random(11)
    for end in ("", "-wal"):
        size = Path(f"{killed}{end}").stat().st_size
        for _ in range(12):
            position, bit = rng.randrange(size), rng.randrange(8)
            damaged(killed, path, lambda data, p=position, b=bit: flip(data, p, b), end)
            refusals(path)


# -- beside it ----------------------------------------------------------------------------------

OWN = b"ssh-ed25519 AAAA me@home\n"
BESIDE = ("-wal", "-shm", "-journal")


def link(place: Path) -> None:
    """Point to a file of the user's."""
    place.symlink_to("victim.txt")


@pytest.mark.parametrize("end", [*BESIDE, "-new"])
def test_rubbish_beside(closed: Path, path: Path, end: str) -> None:
    """Files of another time beside a journal do not keep it from being read."""
    damaged(closed, path, lambda data: data)
    Path(f"{path}{end}").write_bytes(b"rubbish" * 1000)
    for use in (Journal.read, Journal.open):
        assert len(look(path, use)[1]) == ROUNDS


@pytest.mark.parametrize("end", BESIDE)
@pytest.mark.parametrize("make", [link, os.mkfifo])
@pytest.mark.parametrize("use", [Journal.read, Journal.open])
def test_nothing_beside_is_followed(
    closed: Path,
    path: Path,
    end: str,
    make: Callable[[Path], None],
    use: Callable[[Path], Journal],
) -> None:
    """A link or a pipe where SQLite keeps its own is one error, by whatever way it is opened."""
    damaged(closed, path, lambda data: data)
    victim = path.with_name("victim.txt")
    victim.write_bytes(OWN)
    make(Path(f"{path}{end}"))
    with pytest.raises(JournalError, match=rf"rollout\.db{end} beside it is not a file of its own"):
        use(path)
    assert victim.read_bytes() == OWN


@pytest.mark.parametrize("end", BESIDE)
def test_no_journal_is_made_beside_what_another_left(
    killed: Path, plan: Plan, path: Path, end: str
) -> None:
    """Of a journal that was removed, or empty: SQLite would take it for the new one's."""
    left = Path(f"{path}{end}")
    for content in (b"", Path(f"{killed}-wal").read_bytes()):
        left.write_bytes(content)
        with pytest.raises(
            JournalError, match=f"beside it: rollout.db{end}. Put that journal.*delete"
        ):
            Journal.create(path, plan, "new")
        assert contents(path.parent / "rollout") == ({left.name: content} if end != "-shm" else {})
    left.unlink()
    Journal.create(path, plan, "new").close()
    with Journal.open(path) as journal:
        assert journal.meta()["rollout_id"] == "new"


# -- in its place -------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    """Leave a database of another program as a kill does: its last change is yet to be undone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (x); PRAGMA journal_mode = PERSIST;")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        shutil.copy(path, path.with_name("then"))
        connection.executescript("PRAGMA cache_spill = 1; PRAGMA cache_size = 1; BEGIN;")
        connection.execute("INSERT INTO t VALUES (zeroblob(99999))")
        journal = Path(f"{path}-journal").read_bytes()
    Path(f"{path}-journal").write_bytes(journal)


def versioned(version: int) -> Callable[[Path], None]:
    """Make journals of another version."""

    def make(path: Path) -> None:
        Journal.create(path, plan_routes(routes(), live()), "id").close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {version}")

    return make


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("RegionId,Weight\n"), "not a vcokit journal"),
    "empty": (lambda path: path.write_bytes(b""), "not a vcokit journal"),
    "torn in its header": (
        lambda path: path.write_bytes(b"SQLite format 3\0 "),
        "not a vcokit journal",
    ),
    "foreign": (foreign, "not a vcokit journal"),
    "newer": (versioned(99), "a newer version.*[Ii]nstall a newer"),
    "older": (versioned(2), "an older version.*new plan"),
    "absent": (lambda _: None, "no such journal"),
    "folder": (lambda path: path.mkdir(), "no such journal"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "no such journal"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("use", [Journal.read, Journal.open])
def test_wrong_files(kind: str, use: Callable[[Path], Journal], path: Path) -> None:
    """A file that is not one of our journals is refused with its path, and nothing is altered."""
    make, words = WRONG[kind]
    make(path)
    before = {each.name: each.is_file() and each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(JournalError, match=words) as caught:
        use(path)
    assert str(path) in str(caught.value) or path.is_symlink()
    after = {each.name: each.is_file() and each.read_bytes() for each in path.parent.iterdir()}
    assert after == before


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
    "no owner": "INSERT INTO owner VALUES ('here', x'00', 0, '', '')",
    "an owner of no time": "INSERT INTO owner VALUES ('here', 1, 1e300, '', '')",
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
    with pytest.raises(JournalError, match=r"damaged \((changed by hand|owner): .*Restore it"):
        use(path).owner()
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
        words = r"damaged.*Restore it from a copy, once rollout\.db-wal and rollout\.db-shm are"
        with pytest.raises(JournalError, match=words):
            vk.Rollout.open(path, stage.client)
        assert [each.name for each in tmp_path.iterdir()] == ["rollout.db"]
