"""When to paint: often enough to be true, seldom enough to cost nothing. One thread a view.

::

    event ──▶ Painter.touch          any thread, costs a flag
                 │ at most five times a second, at most a twentieth of the time
                 ▼
              paint()  ──▶ Panel.show ──▶ a message to the page, if the HTML changed and the
                                          panel's share of the bytes allows it

A thread of its own, so that neither a busy nor a blocked cell holds the painting up. Messages of
widgets may leave from any thread: ipykernel hands them to its one sending thread, and a page finds
the widget by its own id, whatever request they are said to belong to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

#: Shortest time between two paintings, seconds.
INTERVAL: Final = 0.2
#: Longest, while something is to be expected: clocks and estimates go on.
HEARTBEAT: Final = 1.0
#: Largest share of the time that painting may take.
SHARE: Final = 0.04


class Panel:
    """One element of a page: what it shows, and when it may show something else.

    Parameters
    ----------
    put : callable
        Shows some HTML.
    every : float
        Shortest time between two showings, seconds.
    bytes_a_second : float
        What it may send to the page, in the mean; big HTML is shown more seldom.

    Examples
    --------
    >>> shown = []
    >>> panel = Panel(shown.append, every=2.0, bytes_a_second=10.0)
    >>> panel.show("a" * 50, now=0.0), panel.due(2.0), panel.due(5.0)
    (True, False, True)
    """

    def __init__(self, put: Callable[[str], None], *, every: float, bytes_a_second: float) -> None:
        self._put = put
        self._every = every
        self._bytes_a_second = bytes_a_second
        self._shown: str | None = None
        self._next = float("-inf")

    def due(self, now: float) -> bool:
        """Tell whether it may show something else; before that, nothing need be made."""
        return now >= self._next

    def show(self, html: str, now: float) -> bool:
        """Show some HTML, unless it is shown already; tell whether it was sent."""
        if html == self._shown:
            return False
        self._put(html)
        self._shown = html
        self._next = now + max(self._every, len(html) / self._bytes_a_second)
        return True


def rest(cost: float) -> float:
    """Return how long to rest after a painting, seconds.

    Parameters
    ----------
    cost : float
        Time of the processor that the painting took, seconds.

    Examples
    --------
    >>> rest(0.001), rest(0.1)
    (0.2, 2.4)
    """
    return round(max(INTERVAL, cost / SHARE - cost), 6)


class Painter:
    """A thread that paints when there is something new, until painting says that it is over.

    Parameters
    ----------
    paint : callable
        Paints, and tells whether there will be anything more.
    name : str
        Of the thread.
    heartbeat : float
        Seconds after which it paints without being told.
    """

    def __init__(
        self, paint: Callable[[], bool], *, name: str, heartbeat: float = HEARTBEAT
    ) -> None:
        self._paint = paint
        self._heartbeat = heartbeat
        self._stale = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def touch(self) -> None:
        """Say that there is something new."""
        self._stale.set()

    def stop(self) -> None:
        """Paint no more."""
        self._stopped.set()
        self._stale.set()

    def _run(self) -> None:
        more = True
        while more and not self._stopped.is_set():
            self._stale.wait(self._heartbeat)
            self._stale.clear()
            if self._stopped.is_set():
                return
            before = time.thread_time()
            more = self._paint()
            self._stopped.wait(rest(time.thread_time() - before) if more else 0.0)
