"""The view of a fleet: the worst member first, few looks at journals, one click to a member."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.accounts import Accounts, refusing
from vcokit.errors import InputError
from vcokit.rollout.fleet import MemberChanged
from vcokit.rollout.journal import CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.widgets import FleetView

HOSTILE = '<img src=x onerror="alert(1)">'


def words(html: str) -> str:
    """Return the text of HTML, tags taken out, blanks drawn together."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def cells(view: FleetView) -> dict[str, str]:
    """Return the words in each cell of the grid by member, in the order of the page."""
    rules = re.findall(r":nth-child\((\d+)\)\{order:(\d+);[^}]*--s:\"([^\"]*)\"", view._cells.shown)
    rules.sort(key=lambda rule: int(rule[1]))
    return {view.grid.options[int(place) - 1]: said for place, _, said in rules}


def still(fleet: vk.Fleet, **options: object) -> FleetView:
    """Return a view that refreshes when it is told to, each time half a minute later."""
    view = FleetView(fleet, **{"clock": partial(next, itertools.count(0.0, 30.0)), **options})
    view._thread.stop()
    return view


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Accounts]:
    """Four accounts of one cloud, which refuses the routes of one of them."""
    with Accounts(["berlin", "madrid", "oslo", "rome"], refusing("oslo"), each=3) as accounts:
        yield accounts


def test_watched_to_the_end(four: Accounts, tmp_path: Path) -> None:
    """The last update shows how each member ended, those that failed first, and why."""
    fleet = four.fleet(tmp_path / "fleet", waves=[1, None])
    view = FleetView(fleet)
    assert "not started" in words(view._head.shown)
    assert cells(view)["berlin"] == "ready · wave 1"
    fleet.start().wait()
    assert view._thread.join(10)
    assert list(cells(view).items()) == [
        ("oslo", "finished · 3 failed"),
        ("berlin", "finished · 3 of 3"),
        ("madrid", "finished · 3 of 3"),
        ("rome", "finished · 3 of 3"),
    ]
    assert "finished 3 failed 1" in words(view._head.shown)
    assert "75 % of 12 steps done 3 steps failed" in words(view._head.shown)
    assert re.search(r"oslo finished .*IllegalParam\.RouteDest", words(view._reasons.shown))
    assert repr(view) == "<FleetView fleet finished: 1 failed, 3 finished>"
    view.search.value = "DEST"
    assert list(cells(view)) == ["oslo"]
    assert view._cells.shown.count("display:none") == 3
    data = view._repr_mimebundle_()
    assert data["text/plain"] == repr(view)
    assert words(data["text/html"]).count("finished · 3 of 3") == 3
    assert "<script" not in data["text/html"]


def test_a_running_member_is_opened_and_paused(tmp_path: Path) -> None:
    """A click opens the rollout itself, with its buttons; another click or Close ends its view."""
    with Accounts(["berlin", "madrid"], speed=60.0, each=20) as accounts:
        fleet = accounts.fleet(tmp_path / "fleet", max_members=1)
        view = still(fleet)
        running = threading.Event()
        fleet.observe(lambda event: running.set() if event.state == "running" else None)
        fleet.start()
        assert running.wait(60)
        view.grid.set_state({"index": 0})  # what the page sends for a click
        opened = view._detail.children[1]
        assert "Member berlin" in view._detail.children[0].children[0].value
        opened.refresh()
        opened.controls.pause.click()
        assert fleet.rollouts()["berlin"].state == "paused"
        view.refresh()
        assert cells(view)["berlin"].startswith("paused")
        view.grid.set_state({"index": 1})  # it has not begun
        assert opened.closed
        other = view._detail.children[1]
        assert "ready" in other._head.shown
        assert other.controls.pause.disabled
        view._detail.children[0].children[1].click()
        assert other.closed
        assert view._detail.children == ()
        assert view.grid.value is None
        fleet.resume()
        fleet.cancel()
        fleet.wait()
    view.refresh()
    assert cells(view)["madrid"] == "cancelled · 0 of 20"
    view.grid.value = "madrid"
    last = view._detail.children[1]
    view.close()
    assert last.closed


def test_a_fleet_of_another_process(tmp_path: Path) -> None:
    """Read from its directory it is followed while it runs, stops, and goes on to its end."""
    with Accounts(["a", "b", "c"], each=4) as accounts:
        fleet = accounts.fleet(tmp_path / "fleet", max_members=1)
        view = still(vk.Fleet.read(tmp_path / "fleet"))
        assert view.state == "ready"
        seen: list[str] = []

        def look(event: MemberChanged) -> None:
            if event.state == "running" and not seen:
                view.refresh()
                seen.append(words(view._head.shown))
                fleet.stop()

        fleet.observe(look)
        fleet.start().wait()
        assert "running 3 members · directory fleet in another process" in seen[0]
        assert view.refresh()
        assert view.state == "stopped"
        assert "interrupted" in repr(view)
        assert view._reasons.shown == ""
        assert "resume with vk.Fleet.open(" in view._head.shown
        vk.Fleet.open(tmp_path / "fleet", accounts.clients).start().wait().raise_on_error()
        assert view.refresh()  # somebody may open it again
        assert repr(view) == "<FleetView fleet finished: 3 finished>"


def test_only_journals_that_can_differ_are_read(
    four: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal is read again if somebody holds it or has changed it, and no other one."""
    fleet = four.fleet(tmp_path / "fleet")
    readings: list[str] = []
    read = Journal.read
    monkeypatch.setattr(Journal, "read", lambda path: (readings.append(path.stem), read(path))[1])
    view = still(vk.Fleet.read(tmp_path / "fleet"))
    assert sorted(readings) == ["berlin", "madrid", "oslo", "rome"]
    readings.clear()
    view.refresh()
    assert readings == []
    with Journal.open(fleet.journal("rome")) as journal:
        readings.clear()
        view.refresh()
        view.refresh()
        assert readings == ["rome", "rome"]
        journal.write(meta={"state": "stopped"})
    view.refresh()
    assert cells(view)["rome"] == "stopped · 0 of 3"
    fleet.journal("madrid").unlink()
    view.refresh()
    assert "there is no such journal" in words(view._head.shown)
    assert cells(view)["madrid"] == "ready · 0 of 3"


def test_a_member_is_slow(four: Accounts, tmp_path: Path) -> None:
    """A member that runs while none of its steps ends is slow after five minutes."""
    fleet = four.fleet(tmp_path / "fleet")
    clock = [0.0]
    with Journal.open(fleet.journal("rome")) as journal:
        journal.write(meta={"state": "running"})
        view = still(fleet, clock=lambda: clock[0])
        shown = []
        for clock[0] in (299.0, 310.0, 320.0, 615.0, 625.0):
            if clock[0] == 320.0:
                journal.write([StepChanged(320.0, 0, "pending", "done")])
            view.refresh()
            shown.append(cells(view)["rome"])
    assert shown == [
        "running · 0 of 3",
        "slow · 0 of 3",
        "running · 1 of 3",
        "running · 1 of 3",
        "slow · 1 of 3",
    ]


def test_time_left(four: Accounts, tmp_path: Path) -> None:
    """It is estimated by the pace of all steps; never less than the slowest member needs."""
    fleet = four.fleet(tmp_path / "fleet")
    begun = time.time() - 100.0
    call = CallRow(1, "CreateVcoRouteEntry", "cn-hangzhou", "vco-romex0", begun, 0)
    with Journal.open(fleet.journal("rome")) as rome:
        rome.write(calls=[call], meta={"state": "running"})
        view = still(fleet)
        assert "too early to tell" in view._head.shown
        for name in ("berlin", "madrid"):
            with Journal.open(fleet.journal(name)) as journal:
                journal.write([StepChanged(begun, step, "pending", "done") for step in range(3)])
        view.refresh()
        assert re.search(r"≈ \d+ s left, by the pace", words(view._head.shown))
        # One step in a hundred seconds.
        changes = itertools.pairwise(("pending", "sent", "done"))
        rome.write([StepChanged(begun, 0, old, new) for old, new in changes])
        view.refresh()
        assert re.search(r"≈ 3 min \d+ s left, by the slowest member", words(view._head.shown))


def test_hostile_text_is_text(four: Accounts, tmp_path: Path) -> None:
    """Markup in a name or a message, of files that were changed by hand, is shown as text."""
    fleet = four.fleet(tmp_path / "fleet")
    facts = fleet.directory / "fleet.json"
    facts.write_text(facts.read_text().replace('"rome"', json.dumps(HOSTILE)))
    path = fleet.journal("rome").rename(fleet.journal(HOSTILE))
    with Journal.open(path) as journal:
        journal.write(meta={"state": "stopped", "message": HOSTILE})
    view = still(vk.Fleet.read(fleet.directory))
    view.grid.value = HOSTILE
    parts = (view._cells.shown, view._head.shown, view._reasons.shown, view._copy.shown)
    html = "".join(parts) + view._detail.children[0].children[0].value
    assert "<img" not in html
    assert html.count("&lt;img") > 4


def test_what_is_no_fleet(tmp_path: Path) -> None:
    """A directory is no fleet: the error says how one is read."""
    with pytest.raises(InputError, match=r"vk\.Fleet\.read"):
        FleetView(tmp_path)
