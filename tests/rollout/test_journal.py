"""A journal keeps what was written: whole rounds, on disk before a call leaves, in one file."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.rollout.stage import Stage
from tests.rollout.test_plan import A, live, routes
from vcokit import schema
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.errors import JournalError
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.scheduler import Scheduler
from vcokit.simulator import Fault

CREATE = "CreateVcoRouteEntry"


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(each.name for each in folder.iterdir())


# -- what comes back ----------------------------------------------------------------------------


def test_plan_comes_back(path: Path) -> None:
    """The plan that is read from a journal is the plan that was put in, a step of each kind."""
    wanted = routes(
        (A, "10.0.0.0/8", 100), (A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 0), (A, "x", 0)
    )
    plan = plan_routes(wanted, live((A, "10.1.0.0/16", 0), (A, "10.2.0.0/16", 100)))
    given = {"options": '{"waves": [1, null]}', "rollout_id": "forged"}
    Journal.create(path, plan, "id", meta=given).close()
    with Journal.read(path) as journal:
        again = journal.plan()
        assert again.fingerprint == plan.fingerprint
        pd.testing.assert_frame_equal(again.frame(), plan.frame())
        assert again.live_by_connection() == plan.live_by_connection()
        assert journal.meta()["options"] == '{"waves": [1, null]}'
        assert journal.meta()["rollout_id"] == "id", "what is kept besides passes for our own"


def test_steps_and_calls_come_back(plan: Plan, path: Path) -> None:
    """Changes of a round are written in their order; times and counts add up."""
    with Journal.create(path, plan, "id") as journal:
        journal.write(
            [StepChanged(1.0, n, "pending", "sent") for n in range(2)],
            [CallRow(1, CREATE, "r", A, 1.0, 0, 0, "token")],
        )
        journal.write(
            [
                StepChanged(2.0, 0, "sent", "pending", "Busy", "b", "q1", attempt=1),
                StepChanged(2.5, 1, "sent", "accepted", request_id="q"),
                StepChanged(3.0, 0, "pending", "sent", attempt=1),
                StepChanged(3.5, 1, "accepted", "settled"),
            ],
            ends=[CallEnd(1, 0.5, "throttled", "Busy", 400, "q1")],
        )
        journal.write([StepChanged(4.0, 0, "sent", "failed", "X", "no", attempt=1, misses=2)])
        steps, calls = journal.steps(), journal.calls()
        assert list(journal.standing()) == [
            (0, "failed", 1, 2), (1, "settled", 0, 0), (2, "pending", 0, 0),
        ]  # fmt: skip
        assert journal.last_call() == 1
    told = ["state", "attempts", "code", "message", "request_id"]
    assert steps[told].iloc[0].tolist() == ["failed", 2, "X", "no", "q1"]
    times = ["sent_at", "accepted_at", "settled_at", "ended_at"]
    seconds = (steps[times] - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    assert seconds.fillna(-1).values.tolist() == [
        [3.0, -1, -1, 4.0], [1.0, 2.5, 3.5, -1], [-1, -1, -1, -1],
    ]  # fmt: skip
    said = ["call", "step", "client_token", "seconds", "outcome", "code", "http_status"]
    assert calls[said].values.tolist() == [[1, 0, "token", 0.5, "throttled", "Busy", 400]]


def test_a_journal_of_nothing(path: Path) -> None:
    """A journal of an empty plan gives empty frames with all columns and dtypes."""
    with Journal.create(path, plan_routes(routes(), live()), "id") as journal:
        for frame, wanted in ((journal.steps(), schema.STEPS), (journal.calls(), schema.CALLS)):
            pd.testing.assert_frame_equal(frame, schema.frame(wanted))


def test_a_pending_step_that_was_sent_is_in_doubt(plan: Plan, path: Path) -> None:
    """Whoever goes on looks at it first: a second copy may have arrived after the refusal."""
    with Journal.create(path, plan, "id") as journal:
        journal.write([StepChanged(1.0, 0, "pending", "sent")])
        journal.write([StepChanged(2.0, 0, "sent", "pending", attempt=1)])
        assert [state for _, state, _, _ in journal.standing()] == ["unknown"] + ["pending"] * 2


# -- rounds -------------------------------------------------------------------------------------


def test_a_round_is_written_whole_or_not_at_all(plan: Plan, path: Path) -> None:
    """A row that cannot be written, or a full disk, is an error; the rounds before stay."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    again = [CallRow(1, CREATE, "r", A, 100.0)] * 2
    with pytest.raises(JournalError, match="cannot be written"):
        journal.write([StepChanged(2.0, 0, "sent", "unknown")], again)
    journal._db.execute("PRAGMA max_page_count = 1")  # SQLite's own way to be full
    many = [CallRow(n, CREATE, "r" * 500, A, 1.0) for n in range(100)]
    with pytest.raises(JournalError, match=r"full.*Make room"):
        journal.write([StepChanged(2.0, 0, "sent", "unknown")], many)
    journal.close()
    with Journal.open(path) as opened:
        assert opened.steps()["state"].tolist() == ["sent", "pending", "pending"]
        assert len(opened.calls()) == 0


def test_a_closed_journal_is_one_file(plan: Plan, path: Path) -> None:
    """For its owner alone; closed twice as well; a copy of it is a journal; it says so itself."""
    journal = Journal.create(path, plan, "id")
    journal.write([StepChanged(1.0, 0, "pending", "sent")])
    journal.close()
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert names(path.parent) == ["copy.db", "rollout.db"]
    with Journal.read(copy) as reader:
        assert reader.steps()["state"].tolist() == ["sent", "pending", "pending"]
        with pytest.raises(JournalError, match="opened to be read"):
            reader.write()
    for ask in ("steps", "calls", "meta", "owner", "write", "last_call", "state"):
        for closed in (journal, reader):
            with pytest.raises(JournalError, match=r"closed.*vk\.Journal\.read\(path\)"):
                getattr(closed, ask)()


# -- made ---------------------------------------------------------------------------------------


def test_an_old_journal_is_not_overwritten(plan: Plan, path: Path) -> None:
    """Making a journal where one is says how to go on with that one."""
    Journal.create(path, plan, "id").close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"exists already.*Rollout\.open"):
        Journal.create(path, plan, "other")
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["INSERT INTO step", "COMMIT", "PRAGMA synchronous"])
@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk is full"), KeyboardInterrupt()])
def test_made_whole_or_not_at_all(
    plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, error: BaseException
) -> None:
    """Whatever ends its making leaves nothing, and the next try makes it, beside others' files."""

    class Breaks(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql.startswith(statement):
                raise error
            return super().execute(sql, *rest)

        executemany = execute

    opened = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(
            sqlite3, "connect", lambda *given, **options: opened(*given, factory=Breaks, **options)
        )
        with pytest.raises(
            (JournalError, KeyboardInterrupt), match=r"^$|cannot be made.*Make room"
        ):
            Journal.create(path, plan, "id")
    assert names(path.parent) == []
    path.with_name("rollout.db-new").write_bytes(b"somebody's own")
    Journal.create(path, plan, "id").close()
    assert path.with_name("rollout.db-new").read_bytes() == b"somebody's own"
    assert names(path.parent) == ["rollout.db", "rollout.db-new"]


def test_an_error_leaves_no_journal(tmp_path: Path) -> None:
    """A rollout that cannot be made leaves no file, so that the corrected call has its name."""
    wrong: dict[str, Any] = {
        "observers": print,
        "clocks": 3,
        "waves": [0],
        "stop_after": 0,
        "rate_share": "half",
        "deadline": -1,
        "options": "none",
    }
    with Stage(tmp_path, lanes=1, each=1) as stage:
        for name, value in wrong.items():
            with pytest.raises(Exception, match=r".") as caught:
                stage.rollout(**{name: value})
            assert not isinstance(caught.value, JournalError)
            assert names(tmp_path) == [], name
        stage.rollout().start().wait().raise_on_error()


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
        scheduler = Scheduler(
            plan.each(), plan.live_by_connection(), limits, Options.in_force(1000.0)
        )
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
    assert CREATE.encode() in everything
    words = [keys.access_key_secret, keys.access_key_id, "127.0.0.1", f":{port}"]
    for word in [*words, "Authorization", "acs3-hmac", "Signature"]:
        assert word.encode() not in everything, word
