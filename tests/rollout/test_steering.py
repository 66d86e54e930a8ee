"""A rollout over HTTP as its user steers it: options, signals, a full disk, undo, differences."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.rollout.play import LIMITS
from tests.rollout.stage import Stage
from vcokit import errors, schema
from vcokit.live import live_routes
from vcokit.rollout import signals
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.rollout import Rollout, slots_held
from vcokit.simulator import Fault

ROOT = Path(__file__).parent.parent.parent


def _refuse_one() -> Fault:
    """Return a fault that refuses the first create on the first connection."""
    operation, code = "CreateVcoRouteEntry", "IllegalParam.RouteDest"
    return Fault("refuse", operation=operation, vpn_connection_id="vco-0", count=1, code=code)


def test_options_are_kept(tmp_path: Path) -> None:
    """What a rollout was told stands in its journal; `open` goes on so, or as it is told."""
    with Stage(tmp_path, lanes=2, each=2) as stage:
        told = {"waves": [1, None], "stop_after": 2, "rate_share": 0.5, "deadline": 600.0}
        told["allow_gap"] = True
        stage.rollout(**told)._journal.close()
        again = Rollout.open(tmp_path / "rollout.db", stage.client)
        options = again.options
        assert (options.waves, options.stop_after) == ((1, None), 2)
        assert (options.rate_share, options.deadline, options.allow_gap) == (0.5, 600.0, True)
        again._journal.close()
        other = Rollout.open(tmp_path / "rollout.db", stage.client, waves=None, stop_after=5)
        assert (other.options.waves, other.options.stop_after) == ((), 5)
        assert other.options.rate_share == 0.5
        assert other.start().wait().state == "finished"


def test_a_failed_canary(tmp_path: Path) -> None:
    """A canary that fails stops the rollout before the rest; told otherwise, it goes on."""
    refuse = _refuse_one()
    with Stage(tmp_path, refuse, lanes=3, each=2) as stage:
        rollout = stage.rollout(waves=[1, None]).start().wait()
        assert rollout.state == "stopped"
        assert Counter(rollout.frame()["state"]) == {"pending": 4, "done": 1, "failed": 1}
        with pytest.raises(errors.RolloutError, match="not done: 1 failed"):
            rollout.raise_on_error()
        again = Rollout.open(rollout.journal, stage.client, waves=None).start().wait()
        assert Counter(again.frame()["state"]) == {"done": 5, "failed": 1}


def test_a_deadline_ends_in_order(tmp_path: Path) -> None:
    """After the deadline all that was sent is done, the rest pending, and it can go on."""
    with Stage(tmp_path, speed=60.0, lanes=1, each=40) as stage:
        rollout = stage.rollout(deadline=0.5).start().wait()
        states = Counter(rollout.frame()["state"])
        assert rollout.state == "stopped"
        assert set(states) == {"done", "pending"}
        assert states["done"] == len(stage.creations())
        with pytest.raises(errors.RolloutError, match="deadline"):
            rollout.raise_on_error()


def test_differences(tmp_path: Path) -> None:
    """What the last listings show is held against the plan, route by route."""
    refuse = _refuse_one()
    with Stage(tmp_path, refuse, lanes=2, each=2) as stage:
        rollout = stage.rollout()
        assert list(rollout.differences().columns) == list(schema.DIFFERENCES)
        rollout.start().wait()
        found = rollout.differences()
        failed = rollout.frame().query("state == 'failed'").iloc[0]
        assert list(found["verdict"]) == ["missing"]
        assert found["route_dest"][0] == failed["route_dest"]
        assert found["row"][0] == failed["row"]


def test_a_gap_is_refused(tmp_path: Path) -> None:
    """A plan that cannot be ordered is refused before anything is written, unless allowed."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        plan = plan_routes(stage.routes, live_routes(stage.client, stage.routes))
        gap = SimpleNamespace(steps=(0,), reason="10.0.0.0/24 on vco-0 has no room")
        plan.__dict__["order"] = SimpleNamespace(**{**vars(plan.order), "gaps": (gap,)})
        path = tmp_path / "rollout.db"
        with pytest.raises(errors.PlanError, match="has no room"):
            Rollout(plan, stage.client, journal=path)
        assert not path.exists()
        allowed = Rollout(plan, stage.client, journal=path, allow_gap=True)
        assert allowed.start().wait().state == "finished"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the journal cannot be written no further call leaves; with room it goes on."""
    with Stage(tmp_path, lanes=3, each=4) as stage:
        rollout = stage.rollout()
        write, room = Journal.write, [6]

        def full(self: Journal, *args: object, **named: object) -> None:
            room[0] -= 1
            if room[0] < 0:
                raise errors.JournalError("cannot be written (disk full)", remedy="Make room")
            write(self, *args, **named)

        monkeypatch.setattr(Journal, "write", full)
        with pytest.raises(errors.JournalError, match="Make room"):
            rollout.start().wait()
        monkeypatch.undo()
        seen = len(stage.cloud.calls())
        with Journal.read(rollout.journal) as journal:
            assert (
                stage.cloud.calls()["client_token"]
                .dropna()
                .isin(journal.calls()["client_token"].dropna())
                .all()
            )
        assert len(stage.cloud.calls()) == seen
        again = Rollout.open(rollout.journal, stage.client).start().wait()
        assert set(again.frame()["state"]) == {"done"}
        assert max(stage.creations().values()) == 1


@pytest.mark.parametrize("in_a_notebook", [False, True])
def test_an_interrupt_of_wait(
    in_a_notebook: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C in a script stops in order and says the way on; in a kernel the rollout goes on."""
    if in_a_notebook:
        shell = SimpleNamespace(kernel=object())
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with Stage(tmp_path, speed=60.0, lanes=2, each=5) as stage:
        rollout = stage.rollout().start()
        joined = rollout.join

        def interrupted(timeout: float | None = None) -> bool:
            monkeypatch.setattr(rollout, "join", joined)
            raise KeyboardInterrupt

        monkeypatch.setattr(rollout, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rollout.wait()
        said = capsys.readouterr().out
        if in_a_notebook:
            assert "The rollout continues" in said
            assert rollout.wait().state == "finished"
        else:
            assert rollout.ended
            assert f'vk.Rollout.open("{rollout.journal}", client).start()' in said
            Journal.open(rollout.journal).close()


def test_sigterm_interrupts_whoever_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """SIGTERM is an interrupt that ends the program in order; the second one is as without us."""
    calls = []
    with pytest.raises(signals.Terminated) as caught, signals.terminating():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(SystemExit) as left:
        signals.interrupted(
            caught.value,
            lambda: calls.append("stop"),
            lambda: calls.append("wait"),
            "open()",
            detach=True,
        )
    assert left.value.code == 143
    assert calls == ["stop", "wait"]
    assert "Resume with: open()" in capsys.readouterr().out


def test_a_handler_of_the_program_is_left_alone() -> None:
    """Where the program handles SIGTERM itself, or waits in another thread, it stays so."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
    try:
        with signals.terminating():
            signal.raise_signal(signal.SIGTERM)
        assert heard == [True]
    finally:
        signal.signal(signal.SIGTERM, before)
    seen = []

    def elsewhere() -> None:
        with signals.terminating():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


_SCRIPT = """
import sys
from pathlib import Path
from tests.rollout.stage import Stage

with Stage(Path(sys.argv[1]), speed=20.0, lanes=2, each=30) as stage:
    rollout = stage.rollout()
    rollout.observe(lambda e: getattr(e, "new", "") == "settled" and print("settled", flush=True))
    rollout.start()
    if sys.argv[2] == "wait":
        rollout.wait()
    while not rollout.tally().states["settled"]:
        rollout.join(0.05)
"""


@pytest.mark.parametrize(("how", "code"), [("wait", 143), ("leave", 0)])
def test_a_script_that_ends_early(tmp_path: Path, how: str, code: int) -> None:
    """Terminated while it waits, or at its end without waiting: the journal is closed in order."""
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path), how]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "settled\n"
        if how == "wait":
            script.send_signal(signal.SIGTERM)
        out = script.communicate(timeout=60)[0]
    assert script.returncode == code
    assert ("Resume with: vk.Rollout.open" in out) == (how == "wait")
    with Journal.open(tmp_path / "rollout.db") as journal:
        assert journal.meta()["state"] == "interrupted"


def test_slots_of_a_clock_that_was_set_back() -> None:
    """No slot is held longer than its window, whatever the wall clock did meanwhile.

    A call without an answer may be on its way still, which takes a second at most.
    """
    calls = [
        ("r", "CreateVcoRouteEntry", sent, seconds)
        for sent, seconds in ((1000.0, 1.0), (10.0, 1.0), (95.0, None))
    ]
    held = [round(until) for _, _, until in slots_held(calls, LIMITS, 100.0)]
    assert held == [60, 61]


def test_limits_hold_over_a_restart(tmp_path: Path) -> None:
    """A rollout that goes on counts the calls of its last run: none is throttled."""
    with Stage(tmp_path, speed=20.0, lanes=40, each=2) as stage:
        rollout = stage.rollout()
        many = threading.Event()
        count = Counter()

        def listen(event: object) -> None:
            count[getattr(event, "new", "")] += 1
            if count["accepted"] >= 30:
                many.set()

        rollout.observe(listen)
        rollout.start()
        assert many.wait(30)
        rollout.stop()
        rollout.wait()
        again = Rollout.open(rollout.journal, stage.client).start().wait()
        assert set(again.frame()["state"]) == {"done"}
        assert "throttled" not in set(again.calls()["outcome"])
