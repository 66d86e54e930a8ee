"""A rollout over HTTP: it does what was planned, can be steered, and survives what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.rollout.stage import Stage
from vcokit import errors
from vcokit.cloud.connect import connect
from vcokit.live import live_routes
from vcokit.rollout import rollout as room
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import CallEnded, RolloutChanged, StepChanged, tally
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.rollout import Rollout, apply_plan


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lane wait less after a lost answer than it would out in the world."""
    monkeypatch.setenv("VCOKIT_RETRY_BASE", "0.02")


def test_all_is_done_and_live(tmp_path: Path) -> None:
    """Every step ends done, the live routes equal the plan, and no call was refused."""
    with Stage(tmp_path) as stage:
        rollout = stage.rollout().start().wait()
        assert rollout.state == "finished"
        assert set(rollout.frame()["state"]) == {"done"}
        assert stage.verdicts() == {"as planned": 36}
        assert set(rollout.calls()["outcome"]) == {"ok"}
        assert (
            plan_routes(stage.routes, live_routes(stage.client, stage.routes)).counts["create"] == 0
        )
        assert rollout.raise_on_error() is rollout


def test_nothing_is_sent_before_start(tmp_path: Path) -> None:
    """Making a rollout makes its journal, and no call."""
    with Stage(tmp_path) as stage:
        rollout = stage.rollout()
        before = len(stage.cloud.calls())
        assert rollout.state == "ready"
        assert (tmp_path / "rollout.db").exists()
        with pytest.raises(errors.PlanError, match="start"):
            rollout.wait()
        assert len(stage.cloud.calls()) == before
        rollout.start().wait()
        with pytest.raises(errors.PlanError, match="started already"):
            rollout.start()


def test_a_stale_plan_is_refused(tmp_path: Path) -> None:
    """If a live route has changed since the plan was made, nothing is sent, and it says which."""
    with Stage(tmp_path) as stage:
        rollout = stage.rollout()
        stage.client.create_vco_route_entry(
            region_id="cn-hangzhou", vpn_connection_id="vco-0", route_dest="9.0.0.0/8", weight=0
        )
        while len(live_routes(stage.client, stage.routes)) == 0:
            pass
        with pytest.raises(errors.StalePlanError) as caught:
            rollout.start().wait()
        assert caught.value.differences == ("vco-0: 9.0.0.0/8 via vco-0, weight 0, is new",)
        assert rollout.state == "stale"
        assert set(rollout.frame()["state"]) == {"pending"}
        assert len(stage.creations()) == 1


def test_pause_resume_cancel(tmp_path: Path) -> None:
    """Paused, nothing new is sent; resumed, it goes on; cancelled, the rest is skipped."""
    with Stage(tmp_path, speed=60.0, lanes=2, each=30) as stage:
        rollout = stage.rollout()
        first = threading.Event()
        rollout.observe(lambda event: first.set() if isinstance(event, StepChanged) else None)
        rollout.start()
        assert first.wait(30)
        rollout.pause()
        settled = _until_still(stage, rollout)
        assert rollout.state == "paused"
        rollout.resume()
        while len(stage.creations()) <= settled:
            assert not rollout.join(0.01)
        rollout.cancel()
        rollout.wait()
        assert rollout.state == "cancelled"
        states = Counter(rollout.frame()["state"])
        assert set(states) == {"done", "skipped"}
        assert states["done"] == len(stage.creations()) == stage.verdicts()["as planned"]


def _until_still(stage: Stage, rollout: Rollout) -> int:
    """Wait until nothing is on its way; return how many routes were created by then."""
    while any(rollout.tally().states[state] for state in ("sent", "accepted")):
        assert not rollout.join(0.01)
    made = len(stage.creations())
    assert not rollout.join(0.5)
    assert len(stage.creations()) == made
    return made


def test_await(tmp_path: Path) -> None:
    """Awaiting gives the ended rollout and leaves the loop free meanwhile."""

    async def go(stage: Stage) -> tuple[Rollout, int]:
        rollout = stage.rollout().start()
        task = asyncio.ensure_future(_wait_for(rollout))
        ticks = 0
        while not task.done():
            await asyncio.sleep(0)
            ticks += 1
        return await task, ticks

    async def _wait_for(rollout: Rollout) -> Rollout:
        return await rollout

    with Stage(tmp_path, lanes=2, each=2) as stage:
        rollout, ticks = asyncio.run(go(stage))
        assert rollout.state == "finished"
        assert ticks > 10


def test_observers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An observer hears every change and call; one that raises is dropped, the rollout goes on."""
    heard: list = []

    def broken(event: object) -> None:
        raise ValueError("no")

    with Stage(tmp_path, lanes=2, each=2) as stage, caplog.at_level(logging.ERROR, "vcokit"):
        rollout = stage.rollout(observers=[broken, heard.append]).start().wait()
        calls = len(rollout.calls())
    assert sum(isinstance(event, CallEnded) for event in heard) == calls
    assert [e.state for e in heard if isinstance(e, RolloutChanged)] == [
        "looking",
        "running",
        "finished",
    ]
    counted = tally(heard, {"pending": 4})
    assert counted.states["done"] == counted.total == 4
    assert len(caplog.records) == 1


def test_a_wrong_key_stops_and_can_go_on(tmp_path: Path) -> None:
    """A refused AccessKey stops the rollout with nothing lost; the right key goes on."""
    with Stage(tmp_path, lanes=2, each=3) as stage:
        plan = plan_routes(stage.routes, live_routes(stage.client, stage.routes))
        journal = tmp_path / "rollout.db"
        key = stage.cloud.credentials.access_key_id
        with (
            connect(stage.cloud, access_key_id=key, access_key_secret="wrong") as stranger,
            pytest.raises(errors.CredentialsError, match="SignatureDoesNotMatch"),
        ):
            Rollout(plan, stranger, journal=journal).start().wait()
        rollout = Rollout.open(journal, stage.client).start().wait()
        assert set(rollout.frame()["state"]) == {"done"}


@pytest.mark.parametrize(("seconds", "way"), [(-3600, "behind"), (3600, "ahead of")])
def test_a_wrong_clock_stops_and_can_go_on(tmp_path: Path, seconds: float, way: str) -> None:
    """A wrong clock stops a rollout as a ClockError with its size; put right, it goes on."""
    with Stage(tmp_path, lanes=2, each=3) as stage:
        plan = plan_routes(stage.routes, live_routes(stage.client, stage.routes))
        journal = tmp_path / "rollout.db"
        with (
            connect(stage.cloud, clock=lambda: time.time() + seconds) as wrong,
            pytest.raises(errors.ClockError, match=rf" \d+ (min|s) {way} the cloud's") as caught,
        ):
            Rollout(plan, wrong, journal=journal).start().wait()
        assert caught.value.skew == pytest.approx(-seconds, abs=60)
        assert "Set this machine's clock, then resume with" in str(caught.value)
        rollout = Rollout.open(journal, stage.client).start().wait()
        assert set(rollout.frame()["state"]) == {"done"}


def test_a_silent_cloud_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that is gone stops the rollout after a while; when it is back, it goes on."""
    monkeypatch.setenv("VCOKIT_LOST_AFTER", "0.3")
    with Stage(tmp_path, lanes=3, each=3) as stage:
        rollout = stage.rollout()
        stage.cloud.stop()
        with pytest.raises(errors.NoAnswerError, match="no answer for"):
            rollout.start().wait()
        assert set(rollout.frame()["state"]) == {"pending"}
        stage.cloud.start()
        monkeypatch.delenv("VCOKIT_LOST_AFTER")
        again = Rollout.open(rollout.journal, stage.client).start().wait()
        assert set(again.frame()["state"]) == {"done"}


def test_stop_and_open(tmp_path: Path) -> None:
    """Stopped, a rollout leaves the rest pending; opened again, it finishes the rest."""
    with Stage(tmp_path, speed=60.0, lanes=2, each=20) as stage:
        rollout = stage.rollout()
        some = threading.Event()
        rollout.observe(lambda e: some.set() if getattr(e, "new", "") == "settled" else None)
        rollout.start()
        assert some.wait(30)
        rollout.stop()
        rollout.wait()
        assert rollout.state == "interrupted"
        assert rollout.tally().states["pending"] > 0
        with Journal.read(rollout.journal) as journal:
            assert journal.meta()["state"] == "interrupted"
        again = Rollout.open(rollout.journal, stage.client).start().wait()
        assert set(again.frame()["state"]) == {"done"}
        assert max(stage.creations().values()) == 1
        assert stage.verdicts() == {"as planned": 40}


def test_a_time_out_of_wait_leaves_it_running(tmp_path: Path) -> None:
    """Waiting for a while raises TimeoutError, and the rollout goes on."""
    with Stage(tmp_path, speed=60.0, lanes=1, each=10) as stage:
        rollout = stage.rollout().start()
        with pytest.raises(TimeoutError):
            rollout.wait(timeout=0)
        assert rollout.wait().state == "finished"


def test_failed_steps(tmp_path: Path) -> None:
    """A step that is refused for good fails with code and request id; the others go on."""
    with Stage(tmp_path, lanes=2, each=8) as stage:
        stage.cloud._cloud.quota = 5
        rollout = stage.rollout().start().wait()
        steps = rollout.frame()
        assert Counter(steps["state"]) == {"done": 10, "failed": 2, "skipped": 4}
        failed = steps[steps["state"] == "failed"]
        assert set(failed["code"]) == {"CreateDbrRoutesQuotaFull.QuotaFull"}
        assert failed["request_id"].notna().all()
        with pytest.raises(errors.RolloutError, match="not done: 2 failed, 4 skipped"):
            rollout.raise_on_error()


def test_weights_are_changed_in_place(tmp_path: Path) -> None:
    """A flipped weight is one modify, and the route is never gone in between."""
    with Stage(tmp_path, lanes=2, each=4) as stage:
        stage.rollout().start().wait()
        stage.routes = stage.routes.assign(weight=100 - stage.routes["weight"])
        plan = plan_routes(stage.routes, live_routes(stage.client, stage.routes))
        assert plan.counts["modify"] == 8
        apply_plan(plan, stage.client, journal=tmp_path / "flip.db").raise_on_error()
        assert stage.verdicts() == {"as planned": 8}
        assert not (stage.cloud.calls()["operation"] == "DeleteVcoRouteEntry").any()


def test_no_secret_in_the_journal(tmp_path: Path) -> None:
    """The journal holds neither key nor secret nor endpoint."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout().start().wait()
        data = Path(rollout.journal).read_bytes()
        keys = stage.cloud.credentials
        for secret in (keys.access_key_secret, keys.access_key_id, stage.cloud.endpoint):
            assert secret.encode() not in data


def test_shown_without_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor knows no view: what it shows by itself is one line of text."""
    monkeypatch.setattr(room, "_view", None)
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        assert rollout._repr_mimebundle_() == {"text/plain": repr(rollout)}
        assert "2 pending" in repr(rollout)
        rollout.start().wait()
        assert "2 done" in repr(rollout)


@pytest.mark.parametrize("place", ["_round", "_ask"])
def test_an_unforeseen_error_reaches_whoever_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """If the loop or a call itself breaks, wait() raises what broke it; the journal is closed."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        monkeypatch.setattr(rollout._engine, place, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rollout.start().wait()
        Journal.open(rollout.journal).close()
