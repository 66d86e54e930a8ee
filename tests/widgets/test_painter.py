"""Painting is seldom, cheap, goes on without a cell, and stops when told."""

from __future__ import annotations

import threading

import pytest

from vcokit.widgets.painter import INTERVAL, SHARE, Painter, Panel, rest


def test_the_same_is_sent_once() -> None:
    """What a page shows already is not sent again."""
    sent: list[str] = []
    panel = Panel(sent.append, every=2.0, bytes_a_second=1e9)
    assert [panel.show(html, now) for html, now in (("a", 0.0), ("a", 5.0), ("b", 9.0))] == [
        True,
        False,
        True,
    ]
    assert sent == ["a", "b"]
    assert not panel.due(10.9)
    assert panel.due(11.0)


def test_a_panel_keeps_to_its_bytes() -> None:
    """Whatever its size, a panel that is shown when it is due sends no more than its share."""
    for size in (10, 1_000, 400_000):
        sent: list[str] = []
        panel = Panel(sent.append, every=0.2, bytes_a_second=12_000)
        for tick in range(5_000):
            now = tick / 10
            if panel.due(now):
                panel.show(f"{tick:06}" + "x" * size, now)
        assert sum(map(len, sent)) <= 12_000 * 500 + 2 * (size + 6)


@pytest.mark.parametrize("cost", [0.0, 0.001, 0.02, 0.5])
def test_painting_takes_a_small_share(cost: float) -> None:
    """However dear a painting is, the painter rests long enough after it."""
    pause = rest(cost)
    assert pause >= INTERVAL
    assert cost / (cost + pause) <= SHARE + 1e-6


def test_it_paints_by_itself_until_it_is_over() -> None:
    """Told nothing at all, it paints on; it ends with the painting that says so."""
    left, over = iter([True, True, False]), threading.Event()

    def paint() -> bool:
        more = next(left)
        if not more:
            over.set()
        return more

    painter = Painter(paint, name="test", heartbeat=0.001)
    painter.start()
    assert over.wait(10)
    painter._thread.join(10)
    assert not painter._thread.is_alive()


def test_it_paints_when_it_is_told() -> None:
    """A word is enough; without one, and before its time, nothing is painted."""
    painted = threading.Event()
    painter = Painter(lambda: painted.set() or True, name="test", heartbeat=3600.0)
    painter.start()
    assert not painted.is_set()
    painter.touch()
    assert painted.wait(10)
    painter.stop()
    painter._thread.join(10)
    assert not painter._thread.is_alive()
