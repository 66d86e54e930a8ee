"""A rollout in its user's hands: what is refused at the door, commands, ends, waiting."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.rollout.stage import Stage
from tests.rollout.test_steering import ROOT, _refuse_one
from vcokit import errors
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import RolloutChanged
from vcokit.rollout.rollout import Rollout, apply_plan


def test_what_is_no_plan_or_no_client_makes_no_journal(tmp_path: Path) -> None:
    """A wrong argument is named with what to pass, and leaves nothing behind that is in the way."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        plan, path = stage.rollout().plan, tmp_path / "other.db"
        for wrong, client, remedy in (
            (str(path), stage.client, "vk.plan_routes"),
            (stage.routes, stage.client, "vk.plan_routes"),
            (plan, stage.cloud, "vk.connect"),
            (plan, "cn-hangzhou", "vk.connect"),
        ):
            with pytest.raises(errors.InputError, match=remedy):
                Rollout(wrong, client, journal=path)
        with pytest.raises(errors.InputError, match=r"vk\.connect"):
            Rollout.open(tmp_path / "rollout.db", stage.cloud)
        assert list(tmp_path.glob("other.db*")) == []
        assert Rollout(plan, stage.client, journal=path).start().wait().ended


def test_a_rollout_that_is_not_started_can_be_closed(tmp_path: Path) -> None:
    """Closed, its journal is free for whoever opens it; closing one that runs does nothing."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        first = stage.rollout()
        with pytest.raises(errors.JournalLockedError):
            Rollout.open(first.journal, stage.client)
        first.close()
        again = Rollout.open(first.journal, stage.client).start()
        again.close()
        assert again.wait().state == "finished"


def test_what_comes_after_the_end_does_nothing(tmp_path: Path) -> None:
    """An ended rollout stays ended, whatever button is pressed."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout().start().wait()
        for command in (rollout.pause, rollout.resume, rollout.cancel, rollout.stop):
            command()
            assert rollout.state == "finished"
            assert rollout.ended
        assert rollout.raise_on_error() is rollout


def test_commands_are_told_in_order_and_by_the_rollout_itself(tmp_path: Path) -> None:
    """Observers hear one event at a time, never from who commands; a cancel is not resumed."""
    with Stage(tmp_path, speed=60.0, lanes=1, each=20) as stage:
        rollout = stage.rollout()
        states, alone, busy, here = [], [], threading.Lock(), threading.local()
        here.commands = True

        def hear(event: object) -> None:
            alone.append(busy.acquire(blocking=False) and not hasattr(here, "commands"))
            busy.release()
            if isinstance(event, RolloutChanged):
                states.append(event.state)

        rollout.observe(hear)
        rollout.pause()
        rollout.start()
        while rollout.state != "paused":
            assert not rollout.join(0.01)
        rollout.resume()
        assert rollout.state in ("looking", "running")
        rollout.cancel()
        assert rollout.state == "cancelling"
        rollout.resume()
        assert rollout.state == "cancelling"
        rollout.wait()
        assert states[:2] == ["looking", "paused"]
        assert states[-2:] == ["cancelling", "cancelled"]
        assert all(alone)


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_an_unfinished_rollout_is_an_error_where_one_asks(tmp_path: Path, how: str) -> None:
    """raise_on_error passes only what ended with every step done."""
    with Stage(tmp_path, speed=60.0, lanes=1, each=20) as stage:
        rollout = stage.rollout()
        with pytest.raises(errors.RolloutError, match=r"not ended \(ready\)"):
            rollout.raise_on_error()
        rollout.start()
        getattr(rollout, how)()
        rollout.wait()
        said = "interrupted: stopped" if how == "stop" else "not done: .* skipped"
        with pytest.raises(errors.RolloutError, match=said):
            rollout.raise_on_error()


def test_failures_of_an_earlier_run_do_not_stop_the_next(tmp_path: Path) -> None:
    """`stop_after` counts from the start: who goes on after a look means to go on."""
    with Stage(tmp_path, _refuse_one(), lanes=2, each=20) as stage:
        rollout = stage.rollout(stop_after=1).start().wait()
        assert rollout.state == "stopped"
        assert "pending" in set(rollout.frame()["state"])
        again = Rollout.open(rollout.journal, stage.client).start().wait()
        assert again.options.stop_after == 1
        assert again.state == "finished"
        assert set(again.frame()["state"]) == {"done", "failed"}


def test_apply_plan_ends_with_its_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody else holds the rollout, so an interrupt stops it in order, in a notebook too."""
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with Stage(tmp_path, speed=60.0, lanes=2, each=20) as stage:
        plan = stage.rollout().plan
        assert Rollout.running() == []

        def interrupted(rollout: Rollout, timeout: float | None = None) -> bool:
            assert Rollout.running() == [rollout]
            raise KeyboardInterrupt

        monkeypatch.setattr(Rollout, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            apply_plan(plan, stage.client, journal=tmp_path / "cell.db")
        assert "Resume with: vk.Rollout.open" in capsys.readouterr().out
        assert Rollout.running() == []
        with Journal.open(tmp_path / "cell.db") as journal:
            assert journal.meta()["state"] == "interrupted"


def test_waits_that_are_given_up_leave_nothing_behind(tmp_path: Path) -> None:
    """A wait that times out is forgotten, its rollout goes on, and the next one sees its end."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def impatient(rollout: Rollout) -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        for _ in range(50):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_ended(rollout), 0)

    async def _ended(rollout: Rollout) -> Rollout:
        return await rollout

    with Stage(tmp_path, speed=60.0, lanes=1, each=3) as stage:
        rollout = stage.rollout().start()
        asyncio.run(impatient(rollout))
        gc.collect()
        assert loops[0]() is None, "kept by a wait that was given up"
        assert asyncio.run(_ended(rollout)).state == "finished"
        assert asyncio.run(_ended(rollout)).state == "finished"


_AWAITS = """
import asyncio, sys
from pathlib import Path
from tests.rollout.stage import Stage

async def wait(rollout):
    await rollout

with Stage(Path(sys.argv[1]), speed=20.0, lanes=2, each=30) as stage:
    rollout = stage.rollout()
    rollout.observe(lambda e: getattr(e, "new", "") == "settled" and print("settled", flush=True))
    rollout.start()
    asyncio.run(wait(rollout))
"""


def test_an_interrupt_of_await_ends_in_order(tmp_path: Path) -> None:
    """Ctrl-C in a script that awaits ends it, the journal is closed, the way to go on printed."""
    with subprocess.Popen(
        [sys.executable, "-c", _AWAITS, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "settled\n"
        script.send_signal(signal.SIGINT)
        err = script.communicate(timeout=60)[1]
    assert script.returncode != 0
    assert "Resume with: vk.Rollout.open" in err
    with Journal.open(tmp_path / "rollout.db") as journal:
        assert journal.meta()["state"] == "interrupted"
