"""What is shown of a rollout: shares, rates, cells; and hostile text is text."""

from __future__ import annotations

import re

import pytest

from tests.widgets.test_board import steps
from vcokit._text import duration
from vcokit.palette import STATES
from vcokit.rollout.messages import RolloutChanged, StepChanged
from vcokit.widgets import rollout_html
from vcokit.widgets.board import Board, Failure
from vcokit.widgets.pace import Rate, Remaining
from vcokit.widgets.rollout_html import FAILURES_SHOWN, ORDER, Moment, Title
from vcokit.widgets.style import CSS, stacked

HOSTILE = '<script>alert("1")</script>\x1b[31m'
TITLE = Title("0123456789ab", "4 create", "rollout.db")


def words(html: str) -> str:
    """Return the text of HTML, tags taken out, blanks drawn together."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def test_widths_are_shares() -> None:
    """A part is as wide as its number, has its state's colour, and is left out where it is none."""
    html = rollout_html.head(Board(steps("done", "pending", "pending", "pending")), TITLE, Moment())
    assert re.findall(r'class="s-(\w+)" style="flex-grow:(\d+)"', html) == [
        ("done", "1"),
        ("pending", "3"),
    ]
    assert all(f".s-{name}{{background:{colour}}}" in CSS for name, colour in STATES.items())
    assert set(ORDER) == set(STATES)
    assert stacked([]) == '<div class="bar"></div><div></div>'


def test_time_and_rate() -> None:
    """Time taken, time left and its ground, each region's rate against its limit."""
    board = Board(steps("done", "pending", "pending", "pending"), "running", started=0.0)
    rate = Rate("CreateVcoRouteEntry", "cn-hangzhou", 0.5, 1.0)
    shown = rollout_html.head(board, TITLE, Moment(75.0, Remaining(9_000.0, "the pace"), [rate]))
    assert "25 % of 4 changes made" in words(shown)
    assert "1 min 15 s so far" in words(shown)
    assert "≈ 2 h 30 min left, by the pace" in words(shown)
    assert "0.5 of 1 create calls/s in cn-hangzhou" in words(shown)
    assert "50 % of the limit" in shown
    bare = rollout_html.head(board, TITLE, Moment(75.0, None, [Rate("Other", "r", 2.0, None)]))
    assert "too early to tell" in words(bare)
    assert "2 Other calls/s in r" in words(bare)


def test_all_but_one_is_not_all() -> None:
    """A share is rounded down, and a lane of a thousand with one step left is not full."""
    board = Board(steps(*["done"] * 999, "pending"))
    assert "99 % of" in words(rollout_html.head(board, TITLE, Moment()))
    assert 'class="s-pending f13"' in rollout_html.lanes(board.lanes())


def test_done_beside_blocked() -> None:
    """What is made of a lane whose rest is blocked has the colour of done, not of settled."""
    blocked = Board(steps("done", "blocked")).lanes()
    assert 'class="s-blocked f7 d"' in rollout_html.lanes(blocked)
    going_on = Board(steps("done", "pending")).lanes()
    assert 'class="s-pending f7"' in rollout_html.lanes(going_on)


def test_a_cell_a_connection() -> None:
    """Each has one cell that says its name and how far it is; thousands have small ones."""
    names = tuple(f"vco-{n}" for n in range(1000))
    few = Board(steps("done", "failed", lanes=("vco-a", "vco-b"))).lanes()
    html = rollout_html.lanes(few)
    assert 'class="s-done" title="vco-a: done, 1 of 1 made"' in html
    assert 'class="s-failed" title="vco-b: failed, 0 of 1 made"' in html
    many = rollout_html.lanes(Board(steps(*["pending"] * 1000, lanes=names)).lanes())
    assert many.count("<i ") == 1000
    assert 'class="lanes many"' in many
    assert len(many) < 80_000


def test_hostile_text_is_text() -> None:
    """In names, messages, codes and titles, markup is shown and terminal codes are spelt out."""
    frame = steps("sent", lanes=(HOSTILE,))
    frame.loc[0, "route_dest"] = HOSTILE
    board = Board(frame)
    board.add(StepChanged(1.0, 0, "sent", "failed", HOSTILE, HOSTILE, HOSTILE))
    board.add(RolloutChanged(1.0, HOSTILE, HOSTILE))
    page = rollout_html.static_page(board, Title(HOSTILE, HOSTILE, HOSTILE), Moment())
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 8
    assert 'alert("' not in page


def test_many_failures_are_cut() -> None:
    """A table of thousands is not sent: the first are, and the number says how many there are."""
    many = [Failure(n, "vco-a", "create", "Code", "why", f"REQ-{n}", "") for n in range(5_000)]
    html = rollout_html.failures(many, 5_000)
    assert html.count("<tr") == FAILURES_SHOWN + 1
    assert f"5,000, the first {FAILURES_SHOWN} shown" in html


def test_the_last_event_comes_first() -> None:
    """Events stand in the order in which one reads news, in UTC."""
    board = Board(steps("pending"))
    assert rollout_html.events(board) == ""
    board.add(StepChanged(0.0, 0, "pending", "sent"))
    board.add(StepChanged(3661.0, 0, "sent", "accepted"))
    shown = words(rollout_html.events(board))
    assert shown == (
        "Latest events 01:01:01Z accepted · create 10.0.0.0/24 on vco-a "
        "00:00:00Z sent · create 10.0.0.0/24 on vco-a"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (0.0004, "0.4 ms"),
        (0.9996, "1 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (3_599.6, "1 h 0 min"),
        (86_399.6, "1 d 0 h"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    """Rounded once, so that no minute has sixty seconds; the same in shell, views and plots."""
    assert duration(seconds) == said
