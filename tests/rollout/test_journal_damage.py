"""A damaged journal is one clear error or reads as it was; what is refused is never touched."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.rollout.test_plan import A, live, routes
from vcokit.errors import JournalError
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import plan_routes

ROUNDS = 30
STATES = ("sent", "accepted", "settled", "done")


def write_rounds(journal: Journal) -> None:
    """Write a few rounds; the call's number says how many were."""
    for n in range(ROUNDS):
        call = CallRow(n + 1, "CreateVcoRouteEntry", "cn-hangzhou", A, 100.0 + n, n, 0, f"t{n}")
        journal.write([StepChanged(100.0 + n, n, "pending", STATES[n % 4])], [call])
        journal.write(ends=[CallEnd(n + 1, 0.25, "ok", None, 200, f"request {n}")])


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of sixty steps, some under way, closed in order."""
    path = tmp_path_factory.mktemp("closed") / "rollout.db"
    wanted = routes(*((A, f"10.{n}.0.0/16", 100) for n in range(60)))
    with Journal.create(path, plan_routes(wanted, live((A, "10.1.0.0/16", 0))), "id") as journal:
        write_rounds(journal)
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a killed process leaves it: much of it still beside the file."""
    path = tmp_path_factory.mktemp("killed") / "rollout.db"
    alive = path.with_name("alive.db")
    wanted = routes(*((A, f"10.{n}.0.0/16", 100) for n in range(60)))
    with Journal.create(alive, plan_routes(wanted, live((A, "10.1.0.0/16", 0))), "id") as journal:
        write_rounds(journal)
        for end in ("", "-wal"):
            shutil.copy(f"{alive}{end}", f"{path}{end}")
    return path


def look(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read all that a journal says."""
    with Journal.read(path) as journal:
        journal.plan()
        list(journal.standing())
        journal.last_call()
        return journal.steps(), journal.calls()


def go_on(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open a journal as a rollout that goes on does, and read all that such a one needs."""
    with Journal.open(path) as journal:
        journal.plan()
        list(journal.standing())
        journal.last_call()
        return journal.steps(), pd.DataFrame({"call": range(journal.last_call())})


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


def refusals(path: Path) -> int:
    """Count the ways to open a damaged file that refuse it; each has to leave it alone."""
    count = 0
    for use in (look, go_on):
        before = contents(path)
        try:
            use(path)
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


def cuts(size: int, count: int = 60) -> list[int]:
    """Return lengths to cut a file to: its first bytes, its last, page ends, and some at random."""
    rng = random.Random(size)
    pages = [page + by for page in range(0, size, 4096 * 60 // count) for by in (-1, 0, 1)]
    picked = [*range(0, 120, 7), *pages, *rng.sample(range(size), count), size - 1]
    return sorted({cut for cut in picked if 0 <= cut < size})


def test_cut_anywhere(closed: Path, tmp_path: Path) -> None:
    """A journal cut at any byte is refused, by both ways to open it, and left as it was."""
    path = tmp_path / "rollout.db"
    for cut in cuts(closed.stat().st_size):
        damaged(closed, path, lambda data, cut=cut: data[:cut])
        assert refusals(path) == 2, cut


def test_any_bit_turned(closed: Path, tmp_path: Path) -> None:
    """A journal with a bit turned is refused or read; a plan or an id that changed never passes."""
    path, rng = tmp_path / "rollout.db", random.Random(5)
    size, found = closed.stat().st_size, 0
    for _ in range(60):
        position, bit = rng.randrange(size), rng.randrange(8)
        damaged(closed, path, lambda data, p=position, b=bit: flip(data, p, b))
        found += refusals(path)
    assert found > 10  # most bits of a small file are unused


def test_the_plan_or_the_id_altered(closed: Path, tmp_path: Path) -> None:
    """Where a route or the rollout's id was altered in place, nothing goes on."""
    path = tmp_path / "rollout.db"
    for old, new in ((b"10.59.0.0/16", b"10.58.0.0/16"), (b"rollout_idid", b"rollout_idie")):
        damaged(closed, path, lambda data, old=old, new=new: data.replace(old, new))
        assert path.read_bytes() != closed.read_bytes()
        before = contents(path)
        with pytest.raises(JournalError, match="damaged"):
            go_on(path)
        assert contents(path) == before


def test_half_overwritten(closed: Path, tmp_path: Path) -> None:
    """A journal whose half is zeros, noise or another file's is refused."""
    path, rng = tmp_path / "rollout.db", random.Random(7)
    half = closed.stat().st_size // 2 // 4096 * 4096
    for filling in (bytes(half), rng.randbytes(half), (b"vpn_connection_id,weight\n" * half)):
        for damage in (
            lambda data, f=filling: data[:half] + f[: len(data) - half],
            lambda data, f=filling: f[:half] + data[half:],
            lambda data, f=filling: data[:4096] + f[: half - 4096] + data[half:],
        ):
            damaged(closed, path, damage)
            assert refusals(path) == 2


def test_what_a_killed_process_left_is_read(killed: Path, tmp_path: Path) -> None:
    """All rounds are there though none was written into the file itself."""
    path = tmp_path / "rollout.db"
    damaged(killed, path, lambda data: data)
    for use in (look, go_on, look):
        _, calls = use(path)
        assert len(calls) == ROUNDS
    assert look(path)[1]["outcome"].tolist() == ["ok"] * ROUNDS


def test_the_tail_cut_off(killed: Path, tmp_path: Path) -> None:
    """If the file beside is cut at any byte, whole rounds are missing from the end, never parts."""
    path = tmp_path / "rollout.db"
    seen = set()
    for cut in cuts(Path(f"{killed}-wal").stat().st_size, 8):
        damaged(killed, path, lambda data, cut=cut: data[:cut], end="-wal")
        go_on(path)
        steps, calls = look(path)
        sent = steps["sent_at"].notna() | steps["ended_at"].notna()
        sent |= steps["accepted_at"].notna() | steps["settled_at"].notna()
        assert sent.sum() == len(calls)
        assert calls["call"].tolist() == list(range(1, len(calls) + 1))
        assert calls["outcome"].isna().sum() <= 1
        seen.add(len(calls))
    assert {0, ROUNDS} <= seen or len(seen) > 10


def test_damage_beside(killed: Path, tmp_path: Path) -> None:
    """A bit turned in either file of a killed rollout gives an error or a journal, nothing else."""
    path, rng = tmp_path / "rollout.db", random.Random(11)
    for end in ("", "-wal"):
        size = Path(f"{killed}{end}").stat().st_size
        for _ in range(25):
            position, bit = rng.randrange(size), rng.randrange(8)
            damaged(killed, path, lambda data, p=position, b=bit: flip(data, p, b), end)
            refusals(path)


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal", "-new"])
def test_rubbish_beside(closed: Path, tmp_path: Path, end: str) -> None:
    """Files of another time beside a journal do not keep it from being read."""
    path = tmp_path / "rollout.db"
    damaged(closed, path, lambda data: data)
    Path(f"{path}{end}").write_bytes(b"rubbish" * 1000)
    for use in (look, go_on):
        _, calls = use(path)
        assert len(calls) == ROUNDS
