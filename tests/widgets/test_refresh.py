"""Painting is seldom, cheap, goes on without a cell, and stops when told."""

from __future__ import annotations

import threading

import pytest

from vcokit.widgets.rollout import INTERVAL, SHARE, RefreshThread, ThrottledHTML, backoff


def test_the_same_is_sent_once() -> None:
    """What a page shows already is not sent again."""
    sent: list[str] = []
    element = ThrottledHTML(sent.append, interval=2.0, bytes_per_second=1e9)
    assert [element.show(html, now) for html, now in (("a", 0.0), ("a", 5.0), ("b", 9.0))] == [
        True,
        False,
        True,
    ]
    assert sent == ["a", "b"]
    assert not element.due(10.9)
    assert element.due(11.0)


def test_a_element_keeps_to_its_bytes() -> None:
    """Whatever its size, a element that is shown when it is due sends no more than its share."""
    for size in (10, 1_000, 400_000):
        sent: list[str] = []
        element = ThrottledHTML(sent.append, interval=0.2, bytes_per_second=12_000)
        for tick in range(5_000):
            now = tick / 10
            if element.due(now):
                element.show(f"{tick:06}" + "x" * size, now)
        assert sum(map(len, sent)) <= 12_000 * 500 + 2 * (size + 6)


@pytest.mark.parametrize("cost", [0.0, 0.001, 0.02, 0.5])
def test_refresh_takes_a_small_share(cost: float) -> None:
    """However dear a refresh is, the thread rests long enough after it."""
    pause = backoff(cost)
    assert pause >= INTERVAL
    assert cost / (cost + pause) <= SHARE + 1e-6


def test_it_refreshes_by_itself_until_it_is_over() -> None:
    """Told nothing at all, it refreshes on; it ends with the refresh that says so."""
    left, over = iter([True, True, False]), threading.Event()

    def refresh() -> bool:
        more = next(left)
        if not more:
            over.set()
        return more

    thread = RefreshThread(refresh, heartbeat=0.001)
    thread.start()
    assert over.wait(10)
    assert thread.join(10)


def test_it_refreshes_when_it_is_told() -> None:
    """A word is enough; without one, and before its time, nothing is refreshed."""
    refreshed = threading.Event()
    thread = RefreshThread(lambda: refreshed.set() or True, heartbeat=3600.0)
    thread.start()
    assert not refreshed.is_set()
    thread.mark_dirty()
    assert refreshed.wait(10)
    thread.stop()
    assert thread.join(10)
