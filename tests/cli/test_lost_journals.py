"""A journal that is gone, half gone, or another's: one line says so, whoever asks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD
from tests.cli.test_unattended import PIPES, under_way
from tests.rollout.test_lock import owned
from vcokit import schema
from vcokit.cli import ExitCode
from vcokit.errors import JournalLockedError
from vcokit.rollout.journal import Journal
from vcokit.widgets import RolloutView


def planned(count: int, begin: str) -> vk.Plan:
    """Return a plan of so many creates."""
    rows = [("cn-hangzhou", "vco-a", f"{begin}.{n}.0/24", "vco-a", 100) for n in range(count)]
    wanted = pd.DataFrame(rows, columns=list(schema.ROUTES_REQUIRED))
    return vk.plan_routes(wanted, schema.frame(schema.LIVE_ROUTES))


def test_the_journal_is_removed_under_way(tmp_path: Path, inventory: Path) -> None:
    """The rollout stops, exit code 2; error and summary say what happened and what to do."""
    journal, summary = tmp_path / "x.simulated.db", tmp_path / "s.json"
    with under_way(journal, inventory, "--summary", summary, **PIPES, text=True) as child:
        journal.unlink()
        _, err = child.communicate(timeout=60)
    assert child.returncode == ExitCode.INPUT
    assert "the journal is lost: x.simulated.db was deleted or renamed" in err
    assert f"put it back, then resume with vcokit resume {journal} --simulate" in err
    facts = json.loads(summary.read_text())
    assert (facts["state"], facts["exit_code"]) == ("stopped", ExitCode.INPUT)
    assert facts["states"]["pending"] > 0


def test_a_removed_journal_does_not_poison_the_next(shell, tmp_path: Path, inventory: Path) -> None:
    """Killed, the journal removed, applied again: refused by name; those removed too, it is new."""
    journal = tmp_path / "routes.simulated.db"
    with under_way(journal, inventory, **PIPES) as child:
        child.kill()
        child.wait(30)
    journal.unlink()
    inventory.write_text(HEAD + GOOD)
    code, out, err = shell("apply", inventory, *FAST)
    assert (code, out) == (ExitCode.INPUT, "")
    assert "beside it: routes.simulated.db-wal, routes.simulated.db-shm" in err
    for end in ("-wal", "-shm"):
        os.unlink(f"{journal}{end}")
    assert shell("apply", inventory, *FAST)[0] == ExitCode.OK
    with Journal.open(journal) as opened:
        assert opened.steps()["route_dest"].tolist() == ["10.0.0.0/8"]


def test_a_journal_with_the_rounds_of_another(shell, tmp_path: Path) -> None:
    """Restored beside what was left of another, it is damaged for who looks, not only who opens."""
    paths = [tmp_path / name for name in ("a.db", "b.db")]
    for number, path in enumerate(paths):
        Journal.create(path, planned(9, f"10.{number}"), f"id-{number}").close()
    with closing(sqlite3.connect(paths[1])) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE step SET attempts = 1")
        other.commit()
        shutil.copy(f"{paths[1]}-wal", f"{paths[0]}-wal")
    code, _, err = shell("status", paths[0])
    assert (code, "damaged" in err, "a.db-wal and a.db-shm" in err) == (ExitCode.INPUT, True, True)


HOLDERS = {
    "nobody": (None, False),
    "on another host": ("elsewhere", True),
    "dead on this host": (socket.gethostname(), False),
}
STATES = {
    ("ready", True): ("ready", "ready"),
    ("running", True): ("running", "broken off"),
    ("running", False): ("running", "finished"),
    ("finished", False): ("ready", "finished"),
    ("stopped", True): ("ready", "stopped"),
    ("stale", True): ("ready", "stale"),
}


#: Each state once with nobody and once held, each holder with a rollout that has begun.
ANSWERS = [(*state, who) for state in STATES for who in ("nobody", "on another host")]
ANSWERS += [("running", True, who) for who in HOLDERS if ("running", True, who) not in ANSWERS]


@pytest.mark.parametrize(("written", "left", "holder"), ANSWERS)
def test_one_answer(shell, tmp_path: Path, written: str, left: bool, holder: str) -> None:
    """Status and the view name one state, and one holder: whom `open` gives way to, or nobody."""
    path, (host, held) = tmp_path / "rollout.db", HOLDERS[holder]
    Journal.create(path, planned(2, "10.0"), "id").close()
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE meta SET value = ? WHERE name = 'state'", (written,))
        journal.execute("UPDATE step SET state = ?", ("pending" if left else "done",))
    if host is not None:
        owned(path, host)
    wanted = STATES[written, left][not held]
    facts = json.loads(shell("status", path, "--json")[1])
    assert (facts["state"], facts["holder"] is not None) == (wanted, held)
    view = RolloutView.from_journal(path)
    view._thread.stop()
    assert f" {wanted}: " in view._repr_mimebundle_()["text/plain"]
    if held:
        with pytest.raises(JournalLockedError):
            Journal.open(path)
    else:
        Journal.open(path).close()


@pytest.mark.parametrize("command", ["resume", "undo"])
@pytest.mark.parametrize("left", [True, False])
def test_a_journal_of_another_host(shell, inventory: Path, command: str, left: bool) -> None:
    """Refused with host, time and remedy; --take-over goes on with it, or takes it back."""
    assert shell("apply", inventory, *FAST)[0] == ExitCode.OK
    journal = inventory.with_name("routes.simulated.db")
    if left:
        with closing(sqlite3.connect(journal)) as rows, rows:
            rows.execute("UPDATE step SET state = 'pending', attempts = 0")
    owned(journal)
    given = (command, journal, *FAST)
    code, _, err = shell(*given)
    assert (code, err.count("\n")) == (ExitCode.INPUT, 1)
    assert "process 7 on elsewhere, since 1970-01-12 13:46:40 UTC" in err
    assert "If it is certainly dead, pass --take-over" in err
    assert "on elsewhere" in shell("status", journal)[1]
    assert shell(*given, "--take-over")[0] == ExitCode.OK
    assert json.loads(shell("status", journal, "--json")[1])["holder"] is None
