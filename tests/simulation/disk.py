"""The files of a journal: made, read from outside, and left behind by a process that was killed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from vcokit.cloud.operations import Limit
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan

#: A call that no answer ended may have been counted so long after it left, seconds.
_LONGEST = 10.0
_ON_ITS_WAY = 1.0


class KnownJournal(Journal):
    """A journal whose plan need not be read out of it: that takes longer than a whole rollout."""

    known: ClassVar[Plan | None] = None

    def plan(self) -> Plan:
        """Return the plan of the case that is played."""
        return self.known or super().plan()


def fresh(
    folder: Path, plan: Plan, rollout_id: str, now: float, meta: Mapping[str, str] | None = None
) -> bytes:
    """Return what the file of a new rollout's journal holds."""
    path = folder / "fresh.db"
    Journal.create(path, plan, rollout_id, meta=meta, now=lambda: now).close()
    data = path.read_bytes()
    remove(path)
    return data


def is_intended(reader: sqlite3.Connection, token: str) -> bool:
    """Tell whether the intent of a write is on disk: its call, and its step as sent with it."""
    sql = (
        "SELECT count(*) FROM call JOIN step USING (step) WHERE client_token = ? AND"
        " outcome IS NULL AND state = 'sent' AND step.attempt = call.attempt"
    )
    return bool(reader.execute(sql, (token,)).fetchone()[0])


def slots_held(
    journal: Journal, limits: Mapping[str, Limit], now: float
) -> Iterator[tuple[str, str, float]]:
    """Yield the slots that earlier calls hold, as `vcokit.rollout.resume` does, without a frame."""
    sql = "SELECT region_id, operation, sent_at, seconds FROM call"
    for region, operation, sent, seconds in journal._query(sql):
        width = limits[operation].seconds
        ended = now + _ON_ITS_WAY if seconds is None else min(now, sent + seconds)
        if sent + _LONGEST + width > now and ended + width > now:
            yield region, operation, ended + width - now + 0.001


def bury(journal: Any, path: Path) -> Path:
    """Keep a dead process's files as they are now under another path, and let go of its hold."""
    for old in files(journal.path):
        if not old.name.endswith("-shm"):
            shutil.copyfile(old, path.with_name(old.name.replace(journal.path.name, path.name)))
    journal._db.close()
    if journal._lock is not None:
        journal._lock.release()
    remove(journal.path)
    return path


def read(path: Path) -> tuple[dict[int, tuple[str, str | None]], list[tuple]]:
    """Return state and code of every step, and all calls."""
    db = sqlite3.connect(path)
    states = {
        n: (state, code) for n, state, code in db.execute("SELECT step, state, code FROM step")
    }
    calls = db.execute(
        "SELECT call, step, attempt, operation, client_token, outcome, code FROM call ORDER BY call"
    ).fetchall()
    db.close()
    return states, calls


def files(path: Path) -> list[Path]:
    """Return a journal's file and those beside it."""
    return list(path.parent.glob(f"{path.name}*"))


def remove(path: Path) -> None:
    """Take a journal away."""
    for old in files(path):
        old.unlink()
