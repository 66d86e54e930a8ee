"""The live view shows the truth, steers the rollout, and shows hostile text as text."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.rollout.stage import Stage, inventory
from vcokit import schema
from vcokit.cloud.operations import Limit
from vcokit.errors import InputError, JournalError
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import plan_routes
from vcokit.simulator import Fault
from vcokit.widgets import RolloutView, view_of
from vcokit.widgets._static import StaticFallback

CONFLICT = Fault(
    "refuse", operation="CreateVcoRouteEntry", count=3, after=2, code="VpnRouteEntry.Conflict"
)


def shown(view: RolloutView) -> str:
    """Return the words of a view: its HTML without tags."""
    elements = [child for child in view.children if hasattr(child, "value")]
    html = "".join(child.value for child in elements[1:]) + view._failed.children[1].value
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_the_end_is_shown(tmp_path: Path) -> None:
    """Whatever was painted on the way, the last painting shows how it ended."""
    with Stage(tmp_path, lanes=2, each=3) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        assert "pending 6" in shown(view)
        assert "not started" in shown(view)
        rollout.start().wait()
        assert view._thread.join(10)
        assert "done 6" in shown(view)
        assert "100 % of 6 changes made" in shown(view)
        assert "finished" in shown(view)
        assert view.controls.cancel.disabled


def test_the_view_of_an_ended_rollout(tmp_path: Path) -> None:
    """A view that is made afterwards shows the same, and has nothing to steer."""
    with Stage(tmp_path, CONFLICT, lanes=3, each=2) as stage:
        rollout = stage.rollout()
        before = RolloutView(rollout)
        rollout.start().wait()
        assert before._thread.join(10)
        after = RolloutView(rollout)
        assert "done 3 failed 3" in shown(after)
        assert "50 % of 6 changes made" in shown(after)
        assert before._head.shown == after._head.shown
        assert before._connections.shown == after._connections.shown
        assert before._failures.shown == after._failures.shown
        assert after.controls.pause.disabled
        assert "The rollout is finished" in after.controls.note.value


def test_the_journal_is_removed(tmp_path: Path) -> None:
    """The rollout stops, and the view says so with what it saw last; then it refreshes no more."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        rollout.journal.unlink()
        with pytest.raises(JournalError):
            rollout.start().wait()
        assert view._thread.join(10)
        assert "pending 2" in shown(view)
        assert "stopped" in shown(view)
        assert "The rollout is stopped" in view.controls.note.value


def test_buttons_steer(tmp_path: Path) -> None:
    """Pause pauses, then resumes; cancel asks, takes no for an answer, then cancels."""
    with Stage(tmp_path, speed=60.0, lanes=2, each=20) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        buttons = view.controls
        assert buttons.pause.disabled
        assert "Not started" in buttons.note.value
        some = threading.Event()
        rollout.observe(lambda e: some.set() if getattr(e, "new", "") == "accepted" else None)
        rollout.start()
        assert some.wait(30)
        view.refresh()
        buttons.pause.click()
        assert rollout.state == "paused"
        assert buttons.pause.description == "Resume"
        buttons.pause.click()
        assert rollout.state == "running"
        assert buttons.confirm.layout.display == "none"
        buttons.cancel.click()
        assert buttons.confirm.layout.display is None
        assert "would be skipped" in buttons.note.value
        buttons.decline.click()
        assert buttons.confirm.layout.display == "none"
        assert rollout.state == "running"
        buttons.cancel.click()
        buttons.confirm.click()
        rollout.wait()
        assert rollout.state == "cancelled"


def test_failures_are_told_and_found(tmp_path: Path) -> None:
    """Each failure stands there with its code, what to do and the request id; a word finds it."""
    with Stage(tmp_path, CONFLICT, lanes=3, each=2) as stage:
        rollout = stage.rollout().start().wait()
        view = RolloutView(rollout)
        steps = rollout.frame().query("state == 'failed'")
        assert len(steps) == 3
        refused = steps[steps["request_id"].notna()]["request_id"]
        for request_id in refused:
            assert request_id in shown(view)
        assert "Change the weight of the route that is there" in shown(view)
        view._filter.value = refused.iloc[0].lower()
        assert "1 of 3" in shown(view)
        view._filter.value = "nowhere"
        assert "0 of 3" in shown(view)
        assert view._failed.layout.display is None


def test_no_failures_no_table(tmp_path: Path) -> None:
    """Where nothing failed there is no empty table."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        assert RolloutView(stage.rollout().start().wait())._failed.layout.display == "none"


def test_one_view_in_many_cells(tmp_path: Path) -> None:
    """The repr shows one view however often; a closed one is made anew, and paints no more."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        rollout = vk.Rollout(stage.rollout().plan, stage.client, journal=tmp_path / "shown.db")
        view = view_of(rollout)
        assert view_of(rollout) is view
        view.close()
        assert view._thread.join(10)
        assert view_of(rollout) is not view
        rollout.start().wait()


def test_a_notebook_shows_the_view(tmp_path: Path) -> None:
    """The rollout's own repr in a notebook is its live view, with text and plain HTML beside it."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        rollout = vk.Rollout(stage.rollout().plan, stage.client, journal=tmp_path / "shown.db")
        bundle = rollout._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["text/plain"] == repr(rollout)
        assert "changes made" in data["text/html"]
        assert "<script" not in data["text/html"]
        rollout.start().wait()


# -- journals -----------------------------------------------------------------------------------


def test_a_journal_shows_what_the_rollout_showed(tmp_path: Path) -> None:
    """After the end, the view of the file is the view of the rollout, without its buttons."""
    with Stage(tmp_path, CONFLICT, lanes=3, each=4) as stage:
        rollout = stage.rollout().start().wait()
        live, read = RolloutView(rollout), RolloutView.from_journal(tmp_path / "rollout.db")
        for name in ("_connections", "_recent", "_failures"):
            assert getattr(live, name).shown == getattr(read, name).shown
        counted = re.search(r"done.*?calls, \d+ not ok", shown(live))
        assert counted is not None
        assert "finished" in shown(read)
        assert live._snapshot.states == read._snapshot.states
        assert live._snapshot.calls == read._snapshot.calls
        assert "10." in read._recent.shown
        assert read.controls.pause.disabled
        read.close()


def test_rates_and_time_left_of_a_journal(tmp_path: Path) -> None:
    """Rates stand against the limits, and fade; a step a second leaves so many seconds."""
    plan = plan_routes(inventory(1, 100), schema.frame(schema.LIVE_ROUTES))
    limits = {"CreateVcoRouteEntry": Limit(60, 30)}
    of_another_plan = Forecast(1.0, (0.5,), {}, pd.DataFrame())
    clock = [100.0]
    with Journal.create(tmp_path / "rollout.db", plan, "some id") as journal:
        journal.write(meta={"state": "running"})
        view = RolloutView.from_journal(
            journal.path, forecast=of_another_plan, limits=limits, clock=lambda: clock[0]
        )
        view._thread.stop()
        for step in range(20):
            at = clock[0] = 101.0 + step
            call = CallRow(step + 1, "CreateVcoRouteEntry", "cn-hangzhou", "vco-0", at, step)
            states = (StepChanged(at, step, "", state) for state in ("sent", "accepted", "settled"))
            journal.write(states, [call], [CallEnd(step + 1, 0.1, "ok")])
            view.refresh()
        assert "1.1 of 2 create calls/s in cn-hangzhou" in shown(view)
        assert "≈ 1 min 20 s left, by the pace" in shown(view)
        assert "20 calls, 0 not ok" in shown(view)
        clock[0] += 60.0
        view.refresh()
        assert "calls/s" not in shown(view)
        view.close()


RUN = """
import sys
sys.path[:0] = {path!r}
from tests.rollout.stage import inventory
from vcokit.cloud.connect import connect
from vcokit.live import live_routes
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.plan import plan_routes
from vcokit.simulator import Simulator
routes = inventory(2, 30)
with Simulator.for_routes(routes, speed=60.0) as cloud, connect(cloud) as client:
    plan = plan_routes(routes, live_routes(client, routes))
    def tell(event):
        if getattr(event, "new", "") == "accepted":
            print("accepted", flush=True)
    Rollout(plan, client, journal={journal!r}, observers=[tell]).start().join()
"""


def test_a_rollout_of_another_process(tmp_path: Path) -> None:
    """It is followed while it runs, cannot be steered, and is told to be broken off when killed."""
    path = tmp_path / "rollout.db"
    code = RUN.format(path=[str(Path(__file__).parents[2])], journal=str(path))
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "accepted\n"
        view = RolloutView.from_journal(path)
        view._thread.stop()
        assert "running plan" in shown(view)
        assert f"in process {running.pid}" in shown(view)
        assert "pause or cancel where the rollout runs" in view.controls.note.value
        before = view._snapshot.states["pending"]
        assert before < 60
        for _ in range(6):
            assert running.stdout.readline() == "accepted\n"
        assert view.refresh()
        assert view._snapshot.states["pending"] < before
    finally:
        running.kill()
        running.communicate()
    assert view.refresh()
    assert "broken off" in shown(view)
    assert "vk.Rollout.open(" in shown(view)
    assert "The rollout is broken off" in view.controls.note.value


def test_a_journal_is_read_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stands still costs a look at its date; one that goes leaves the last view."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        stage.rollout().start().wait()
    view = RolloutView.from_journal(tmp_path / "rollout.db")
    view._thread.stop()
    readings: list[object] = []
    read = Journal.read
    monkeypatch.setattr(Journal, "read", lambda path: (readings.append(path), read(path))[1])
    view.refresh()
    assert readings == []
    view._filter.value = "nowhere"
    assert len(readings) == 1
    (tmp_path / "rollout.db").unlink()
    view.refresh()
    assert "done 2" in shown(view)
    assert "there is no such journal" in shown(view)


def test_the_copy_follows_each_change_of_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is no older than the rollout's state, however seldom it is brought up to date."""
    copies: list[str] = []
    monkeypatch.setattr(StaticFallback, "update", lambda _, __, words: copies.append(words))
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        view = RolloutView.from_journal(rollout.journal, clock=lambda: 0.0)
        view._thread.stop()
        view.refresh()
        rollout.start().wait()
        view.refresh()
        view.refresh()
    assert ["finished" in words for words in copies] == [False, True]


def test_a_view_that_is_shown_later_shows_that_moment(tmp_path: Path) -> None:
    """What a cell puts out is what is so when it runs, not what was so when the view was made."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        view = RolloutView.from_journal(rollout.journal)
        view._thread.stop()
        rollout.start().wait()
        assert "finished: 2 done" in view._repr_mimebundle_()["text/plain"]


def test_no_journal(tmp_path: Path) -> None:
    """Where there is none, that is said at once."""
    with pytest.raises(JournalError, match="no such journal"):
        RolloutView.from_journal(tmp_path / "none.db")


# -- waiting ------------------------------------------------------------------------------------


class Shell:
    """A shell that a kernel runs."""

    kernel = object()


def test_waiting_in_a_cell_says_that_buttons_are_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a notebook with a view, `wait` points to `await`; in a script it says nothing."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        rollout = stage.rollout()
        RolloutView(rollout)
        rollout.start().wait()
        assert capsys.readouterr().out == ""
        module = type("IPython", (), {"get_ipython": staticmethod(Shell)})
        monkeypatch.setitem(sys.modules, "IPython", module)
        rollout.wait()
        assert "await rollout" in capsys.readouterr().out


def test_what_is_no_rollout(tmp_path: Path) -> None:
    """A journal's name, or a plan, is no rollout: one error says how a journal is seen."""
    for wrong in ("rollout.db", tmp_path / "rollout.db", None):
        with pytest.raises(InputError, match=r"vk.RolloutView.from_journal"):
            RolloutView(wrong)
