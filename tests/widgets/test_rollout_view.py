"""The live view shows the truth, steers the rollout, and shows hostile text as text."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from vcokit.rollout.events import Tally
from vcokit.widgets import rollout_view
from vcokit.widgets.rollout_view import RolloutView, bar_html, foot_text, head_html


def shown(view: RolloutView) -> str:
    """Return all the HTML of a view."""
    return view._head.value + view._bar.value + view._foot.value


def test_the_end_is_shown(tmp_path: Path) -> None:
    """Whatever was painted on the way, the last painting shows how it ended."""
    with Stage(tmp_path, lanes=2, each=3) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        assert "pending <b>6</b>" in shown(view)
        assert "not started" in shown(view)
        painted = threading.Event()
        paint = view.paint

        def noticed() -> None:
            paint()
            if view._pause.disabled:
                painted.set()

        view.paint = noticed
        rollout.start().wait()
        assert painted.wait(10)
        assert "done <b>6</b>" in shown(view)
        assert "finished" in shown(view)
        assert view._cancel.disabled


def test_the_view_of_an_ended_rollout(tmp_path: Path) -> None:
    """A view that is made afterwards shows the same, and has nothing to steer."""
    with Stage(tmp_path, lanes=1, each=2) as stage:
        rollout = stage.rollout().start().wait()
        view = RolloutView(rollout)
        assert "done <b>2</b>" in shown(view)
        assert view._pause.disabled


def test_buttons_steer(tmp_path: Path) -> None:
    """Pause pauses, then resumes; cancel asks once, then cancels."""
    with Stage(tmp_path, speed=60.0, lanes=2, each=20) as stage:
        rollout = stage.rollout()
        view = RolloutView(rollout)
        some = threading.Event()
        rollout.observe(lambda e: some.set() if getattr(e, "new", "") == "accepted" else None)
        rollout.start()
        assert some.wait(30)
        view._pause.click()
        assert rollout.state == "paused"
        view.paint()
        assert view._pause.description == "Resume"
        view._pause.click()
        assert rollout.state == "running"
        view._cancel.click()
        assert view._cancel.description == "Really cancel?"
        assert rollout.state == "running"
        view._cancel.click()
        rollout.wait()
        assert rollout.state == "cancelled"


def test_few_paintings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollout of many events is painted at most once an interval, besides first and last."""
    monkeypatch.setattr(rollout_view, "INTERVAL", 60.0)
    paintings: list[int] = []
    paint = RolloutView.paint
    monkeypatch.setattr(RolloutView, "paint", lambda self: (paintings.append(1), paint(self)))
    with Stage(tmp_path, lanes=4, each=10) as stage:
        rollout = stage.rollout()
        RolloutView(rollout)
        rollout.start().wait()
        assert len(paintings) <= 3


def test_a_notebook_shows_the_view(tmp_path: Path) -> None:
    """The rollout's own repr in a notebook is its live view, with text beside it."""
    with Stage(tmp_path, lanes=1, each=1) as stage:
        rollout = vk.Rollout(stage.rollout().plan, stage.client, journal=tmp_path / "shown.db")
        bundle = rollout._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "application/vnd.jupyter.widget-view+json" in data
        rollout.start().wait()


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """A message with markup in it is shown, not obeyed."""
    hostile = "<script>alert(1)</script>"
    with Stage(tmp_path, lanes=1, each=1) as stage:
        rollout = stage.rollout()
        tally = rollout.tally()
        tally.rollout, tally.message = hostile, hostile
        assert "<script>" not in head_html(rollout, tally)
        assert "&lt;script&gt;" in head_html(rollout, tally)
        rollout.start().wait()


def test_bar_and_foot() -> None:
    """Widths are shares of all steps; time and calls are counted, and stop at the end."""
    tally = Tally(Counter({"done": 1, "pending": 3}))
    assert "width:25.000%" in bar_html(tally)
    assert "width:75.000%" in bar_html(tally)
    tally.started, tally.latest = 100.0, 190.0
    tally.calls.update({"CreateVcoRouteEntry": 1200})
    tally.outcomes.update({"ok": 1150, "busy": 50})
    assert foot_text(tally, 165.0) == "1 m 05 s · 1,200 calls, 50 not ok"
    tally.rollout = "finished"
    assert foot_text(tally, 9999.0).startswith("1 m 30 s")
