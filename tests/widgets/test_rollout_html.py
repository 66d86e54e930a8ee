"""What is shown of a snapshot: shares, rates, cells, failures; and hostile text is text."""

from __future__ import annotations

import re

import pytest

from vcokit._text import duration
from vcokit.palette import STATES
from vcokit.rollout.snapshot import FailedStep, RecentChange, RolloutSnapshot
from vcokit.widgets._html import CSS, stacked_bar
from vcokit.widgets.rollout import (
    FAILURES_SHOWN,
    STATE_ORDER,
    Estimate,
    Timing,
    connections_html,
    failures_html,
    head_html,
    recent_html,
    static_html,
)

HOSTILE = '<script>alert("1")</script>\x1b[31m'


def snapshot(
    connections: dict[str, dict[str, int]], *, kept: int = 0, **given: object
) -> RolloutSnapshot:
    """Return a snapshot of creations, by connection and state."""
    total = sum(sum(states.values()) for states in connections.values())
    facts: dict[str, object] = {
        "at": 0.0,
        "rollout_id": "some id",
        "fingerprint": "0123456789abcdef",
        "state": "running",
        "message": None,
        "simulated": False,
        "holder": None,
        "actions": {"create": total - kept, "keep": kept},
        "connections": connections,
        "calls": {},
        "open_calls": (),
        "last_call": 0,
        "recent": (),
        "failures": (),
        "failures_found": 0,
        "started": 0.0,
        "latest": None,
        "pace": None,
        "rates": {},
    }
    return RolloutSnapshot(**{**facts, **given})


def one(**states: int) -> RolloutSnapshot:
    """Return a snapshot of one connection."""
    return snapshot({"vco-a": states})


def head(shown: RolloutSnapshot, timing: Timing | None = None) -> str:
    """Return the head's HTML."""
    return head_html(shown, "rollout.db", timing or Timing())


def words(html: str) -> str:
    """Return the text of HTML, tags taken out, blanks drawn together."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def test_widths_are_shares() -> None:
    """A part is as wide as its number, has its state's colour, and is left out where it is none."""
    html = head(one(done=1, pending=3))
    assert re.findall(r'class="s-(\w+)" style="flex-grow:(\d+)"', html) == [
        ("done", "1"),
        ("pending", "3"),
    ]
    assert all(f".s-{name}{{background:{colour}}}" in CSS for name, colour in STATES.items())
    assert set(STATE_ORDER) == set(STATES)
    assert stacked_bar([]) == '<div class="bar"></div><div></div>'


def test_which_rollout_it_is() -> None:
    """Plan, actions and journal are named; of an empty plan it is said that there is nothing."""
    text = words(head(snapshot({"vco-a": {"done": 3}}, kept=1, message="in process 7")))
    assert "plan 0123456789ab 2 create, 1 keep · journal rollout.db in process 7" in text
    assert "nothing to do" in words(head(snapshot({})))


def test_time_and_rate() -> None:
    """Time taken, time left and its basis, each region's rate against its limit."""
    shown = one(done=1, pending=3)
    create, other = ("CreateVcoRouteEntry", "cn-hangzhou"), ("Other", "r")
    html = head(shown, Timing(75.0, True, Estimate(9_000.0, "the pace"), {create: (0.5, 1.0)}))
    assert "25 % of 4 changes made" in words(html)
    assert "1 min 15 s so far" in words(html)
    assert "≈ 2 h 30 min left, by the pace" in words(html)
    assert "0.5 of 1 create calls/s in cn-hangzhou" in words(html)
    assert "50 % of the limit" in html
    bare = words(head(shown, Timing(75.0, True, None, {other: (2.0, None)})))
    assert "too early to tell" in bare
    assert "2 Other calls/s in r" in bare
    assert "not started" in words(head(shown))
    over = words(head(shown, Timing(75.0, going=False)))
    assert "1 min 15 s in total" in over
    assert "left" not in over


def test_calls_are_counted() -> None:
    """Refusals and lost answers are not ok; calls under way are calls."""
    calls = {("CreateVcoRouteEntry", "ok"): 5, ("CreateVcoRouteEntry", "throttled"): 2}
    shown = snapshot({"vco-a": {"done": 1}}, calls=calls, open_calls=(8, 9))
    assert "9 calls, 2 not ok" in words(head(shown, Timing(1.0)))


def test_all_but_one_is_not_all() -> None:
    """A share is rounded down, and a connection of a thousand with one step left is not full."""
    shown = one(done=999, pending=1)
    assert "99 % of" in words(head(shown))
    assert 'class="s-pending f13"' in connections_html(shown)


def test_kept_steps_are_no_changes() -> None:
    """What was live before was not made: it counts as done, and in no share of changes."""
    shown = snapshot({"vco-a": {"done": 2, "pending": 1}}, kept=1)
    assert "50 % of 2 changes made" in words(head(shown))


def test_done_beside_blocked() -> None:
    """What is made of a connection whose rest is blocked is done: it has the darker green."""
    assert 'class="s-blocked f7 d"' in connections_html(one(done=1, blocked=1))
    assert 'class="s-pending f7"' in connections_html(one(done=1, pending=1))


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("done",), "done"),
        (("done", "pending"), "pending"),
        (("settled", "done"), "settled"),
        (("sent", "pending", "done"), "sent"),
        (("failed", "sent", "pending"), "failed"),
        (("unknown", "pending", "accepted"), "unknown"),
        (("blocked", "done"), "blocked"),
        (("skipped", "done"), "skipped"),
    ],
)
def test_one_state_colours_a_connection(states: tuple[str, ...], shown: str) -> None:
    """What needs attention comes first, then what is under way, then what waits or is over."""
    html = connections_html(one(**dict.fromkeys(states, 1)))
    assert re.findall(r'<i class="s-(\w+)', html) == [shown]


def test_one_cell_per_connection() -> None:
    """Each has one cell, in the plan's order, that says its name and how far it is.

    A row without a valid connection has none. Thousands have small cells.
    """
    few = {
        "vco-z": {"done": 1},
        "": {"blocked": 2},
        "vpn-1": {"blocked": 1},
        "vco-a": {"failed": 1},
    }
    html = connections_html(snapshot(few))
    assert re.findall(r'<i class="([^"]*)" title="([^"]*)"', html) == [
        ("s-done", "vco-z: done, 1 of 1 made"),
        ("s-failed", "vco-a: failed, 0 of 1 made"),
    ]
    many = connections_html(snapshot({f"vco-{n}": {"pending": 1} for n in range(1000)}))
    assert many.count("<i ") == 1000
    assert 'class="lanes many"' in many
    assert len(many) < 80_000


def test_hostile_text_is_text() -> None:
    """In names, messages, codes and titles, markup is shown and terminal codes are spelt out."""
    name = f"vco-{HOSTILE}"
    shown = snapshot(
        {name: {"failed": 1}},
        state=HOSTILE,
        message=HOSTILE,
        fingerprint=HOSTILE,
        failures=(FailedStep(0, "failed", *[HOSTILE] * 3, None, *[HOSTILE] * 3),),
        failures_found=1,
        recent=(RecentChange(1.0, 0, "failed", *[HOSTILE] * 4),),
    )
    rates = {("Other", HOSTILE): (1.0, None)}
    html = static_html(shown, HOSTILE, Timing(1.0, rates=rates))
    assert "<script" not in html
    assert "\x1b" not in html
    assert html.count("&lt;script&gt;") > 8
    assert 'alert("' not in html


def test_a_failure_says_what_to_do() -> None:
    """Code, message without the code, remedy, request id."""
    said = "VpnRouteEntry.Conflict: The specified route entry has conflict."
    failure = FailedStep(
        7, "failed", "create", "vco-a", "10.0.0.0/8", 9, "VpnRouteEntry.Conflict", said, "REQ-1"
    )
    shown = snapshot({"vco-a": {"failed": 1}}, failures=(failure,), failures_found=1)
    assert words(failures_html(shown)).endswith(
        "7 create 10.0.0.0/8 vco-a VpnRouteEntry.Conflict The specified route entry has conflict. "
        "Change the weight of the route that is there REQ-1"
    )


def test_many_failures_are_cut() -> None:
    """A table of thousands is not sent: the first are, and the number says how many there are."""
    texts = ("failed", "create", "vco-a", "", None, "Code", "why", "REQ")
    some = tuple(FailedStep(n, *texts) for n in range(FAILURES_SHOWN))
    shown = snapshot({"vco-a": {"failed": 5_000}}, failures=some, failures_found=5_000)
    html = failures_html(shown)
    assert html.count("<tr") == FAILURES_SHOWN + 1
    assert f"5,000 steps, the first {FAILURES_SHOWN} listed" in html
    found = snapshot({"vco-a": {"failed": 5_000}}, failures=some[:3], failures_found=3)
    assert "3 of 5,000" in failures_html(found)


def test_the_last_change_comes_first() -> None:
    """Changes stand in the order in which one reads news, in UTC."""
    assert recent_html(one(pending=1)) == ""
    where = ("create", "vco-a", "10.0.0.0/24")
    changes = (
        RecentChange(0.0, 0, "sent", *where, ""),
        RecentChange(3661.0, 1, "failed", *where, "Busy"),
    )
    assert words(recent_html(snapshot({}, recent=changes))) == (
        "Recent changes 01:01:01Z failed · create 10.0.0.0/24 on vco-a: Busy "
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
