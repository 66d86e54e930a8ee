"""The live view shows the truth, steers the rollout, and shows hostile text as text."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from vcokit.errors import InputError, JournalError
from vcokit.rollout import rollout as room
from vcokit.rollout.journal import Journal
from vcokit.simulator import Fault
from vcokit.widgets import RolloutView, view_of
from vcokit.widgets.companion import Companion
from vcokit.widgets.sources import JournalSource

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
        view._painter._thread.join(10)
        assert not view._painter._thread.is_alive()
        assert "done 6" in shown(view)
        assert "100 % of 6 changes made" in shown(view)
        assert "finished" in shown(view)
        assert view._steering.cancel.disabled


def test_the_view_of_an_ended_rollout(tmp_path: Path) -> None:
    """A view that is made afterwards shows the same, and has nothing to steer."""
    with Stage(tmp_path, CONFLICT, lanes=3, each=2) as stage:
        rollout = stage.rollout()
        before = RolloutView(rollout)
        rollout.start().wait()
        before._painter._thread.join(10)
        after = RolloutView(rollout)
        assert "done 3 failed 3" in shown(after)
        assert "50 % of 6 changes made" in shown(after)
        assert before._head._shown == after._head._shown
        assert before._lanes._shown == after._lanes._shown
        assert before._failures._shown == after._failures._shown
        assert after._steering.hold.disabled
        assert "The rollout is finished" in after._steering.note.value


def test_buttons_steer(tmp_path: Path) -> None:
    """Pause pauses, then resumes; cancel asks, takes no for an answer, then cancels."""
    with Stage(tmp_path, speed=60.0, lanes=2, each=20) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        buttons = view._steering
        assert buttons.hold.disabled
        assert "Not started" in buttons.note.value
        some = threading.Event()
        rollout.observe(lambda e: some.set() if getattr(e, "new", "") == "accepted" else None)
        rollout.start()
        assert some.wait(30)
        view.paint()
        buttons.hold.click()
        assert rollout.state == "paused"
        assert buttons.hold.description == "Resume"
        buttons.hold.click()
        assert rollout.state == "running"
        assert buttons.really.layout.display == "none"
        buttons.cancel.click()
        assert buttons.really.layout.display is None
        assert "would be skipped" in buttons.note.value
        buttons.never.click()
        assert buttons.really.layout.display == "none"
        assert rollout.state == "running"
        buttons.cancel.click()
        buttons.really.click()
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
        view._painter._thread.join(10)
        assert not view._painter._thread.is_alive()
        assert view_of(rollout) is not view
        rollout.start().wait()
        assert not view._source._events


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
        for name in ("_lanes", "_failures"):
            assert getattr(live, name)._shown == getattr(read, name)._shown
        counted = re.search(r"done.*?calls, \d+ not ok", shown(live))
        assert counted is not None
        assert "finished" in shown(read)
        assert live._board.states == read._board.states
        assert live._board.calls == read._board.calls
        assert "10." in read._events._shown
        assert read._steering.hold.disabled
        read.close()


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
        source = JournalSource(path)
        board = source.refresh()
        assert (board.state, board.message) == ("running", f"in process {running.pid}")
        assert board.states["pending"] < 60
        assert "where the rollout runs" in source.dead()
        before = board.states["pending"]
        for _ in range(6):
            assert running.stdout.readline() == "accepted\n"
        assert source.refresh().states["pending"] < before
    finally:
        running.kill()
        running.communicate()
    board = source.refresh()
    assert board.state == "broken off"
    assert "vk.Rollout.open(" in board.message
    assert source.dead() == "The rollout is broken off"
    assert source.over() is False


def test_a_journal_is_read_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stands still costs a look at its date; one that goes leaves the last view."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        stage.rollout().start().wait()
    source = JournalSource(tmp_path / "rollout.db")
    readings: list[object] = []
    read = Journal.read
    monkeypatch.setattr(Journal, "read", lambda path: (readings.append(path), read(path))[1])
    assert source.refresh().states["done"] == 2
    assert readings == []
    (tmp_path / "rollout.db").unlink()
    board = source.refresh()
    assert board.states["done"] == 2
    assert "there is no such journal" in board.message


def test_the_copy_follows_each_change_of_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is no older than the rollout's state, however seldom it is brought up to date."""
    copies: list[str] = []
    monkeypatch.setattr(Companion, "update", lambda _, __, words: copies.append(words))
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        view = RolloutView.from_journal(rollout.journal, clock=lambda: 0.0)
        view._painter.stop()
        view.paint()
        rollout.start().wait()
        view.paint()
        view.paint()
    assert ["finished" in words for words in copies] == [False, True]


def test_a_view_that_is_shown_later_shows_that_moment(tmp_path: Path) -> None:
    """What a cell puts out is what is so when it runs, not what was so when the view was made."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout()
        view = RolloutView.from_journal(rollout.journal)
        view._painter.stop()
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


def test_the_executor_knows_no_view() -> None:
    """It shows itself through a hook that the top floor sets."""
    assert "widgets" not in Path(room.__file__).read_text()


def test_what_is_no_rollout(tmp_path: Path) -> None:
    """A journal's name, or a plan, is no rollout: one error says how a journal is seen."""
    for wrong in ("rollout.db", tmp_path / "rollout.db", None):
        with pytest.raises(InputError, match=r"vk.RolloutView.from_journal"):
            RolloutView(wrong)
