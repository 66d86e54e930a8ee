"""Virtual time: a clock that jumps from one event to the next, and an event loop that lives by it.

::

    World      the time, and what is to happen when; goes on when a process dies
    Loop       asyncio's own loop, but where it would sleep the world's clock jumps

Everything runs in one thread, in an order that follows from the times alone; of one moment, what
was asked for first comes first.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import base_events
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from threading import Event
from typing import Any

#: Asyncio takes timers as due that are nearer than this; what a real clock has, in seconds.
RESOLUTION = 1e-9
#: What a turn of the loop takes that waits for nothing, in seconds. On a clock that stood still, a
#: wait that rounding has made an instant too short would never end, as it does on any real one.
TURN = 1e-6
#: Such turns in a row after which nobody believes that the loop gets anywhere.
TURNS_IN_A_ROW = 2_000


class HangError(AssertionError):
    """Nothing is under way and nothing is waited for, or time does not go on."""


class World:
    """The time, and what happens whether or not somebody looks.

    Parameters
    ----------
    until : float
        Virtual second after which the story must have ended.
    """

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._tie = count()
        self._turns = 0
        #: Called whenever the loop waits; a process may die there.
        self.each_wait: Callable[[], None] | None = None

    def at(self, moment: float, happen: Callable[[], None]) -> None:
        """Let something happen at a moment, now at the earliest."""
        heapq.heappush(self._heap, (max(self.now, moment), next(self._tie), happen))

    def sleep(self, seconds: float | None) -> None:
        """Go on to the next event, or so far; what happens on the way happens."""
        self._count(seconds)
        if seconds is None or seconds > TURN:
            if self.each_wait is not None:
                self.each_wait()
        else:
            seconds = TURN
        target = None if seconds is None else self.now + seconds
        if self._heap and (target is None or self._heap[0][0] <= target):
            self.now = self._heap[0][0]
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
        elif target is None:
            raise HangError(f"at {self.now:.3f} s everybody waits and nothing is to come")
        else:
            self.now = target
        if self.now > self.until:
            raise HangError(f"no end after {self.now:.0f} s")

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass, whatever happens meanwhile."""
        end = self.now + seconds
        while self.now < end:
            self.sleep(end - self.now)

    def _count(self, seconds: float | None) -> None:
        """See that the loop waits now and then."""
        self._turns = 0 if seconds is None or seconds > TURN else self._turns + 1
        if self._turns > TURNS_IN_A_ROW:
            raise HangError(f"at {self.now:.3f} s the loop turns and turns")


class Loop(base_events.BaseEventLoop):
    """An event loop that never sleeps.

    Parameters
    ----------
    world : World
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self._clock_resolution = RESOLUTION
        self._selector = self  # what asyncio asks for events of sockets; there are none
        #: Set whenever another thread has asked for something.
        self.called = Event()

    def time(self) -> float:
        """Return the virtual second."""
        return self.world.now

    def select(self, timeout: float | None) -> list[object]:
        """Stand where asyncio would sleep."""
        self.world.sleep(timeout)
        return []

    def call_soon_threadsafe(self, *what: Any, **more: Any) -> asyncio.Handle:
        """Take what another thread asks for, and let it be known that it was asked."""
        handle = super().call_soon_threadsafe(*what, **more)
        self.called.set()
        return handle

    def run_in_executor(  # type: ignore[override]
        self, _executor: object, work: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do at once what would go to another thread, which knows no virtual time."""
        future = self.create_future()
        try:
            future.set_result(work(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, object]) -> None:
        """Pass over what a dead process leaves behind; anything else is told as ever."""
        if not self.is_closed() and not isinstance(context.get("exception"), SystemExit):
            super().call_exception_handler(context)

    def _process_events(self, _events: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def drop(self) -> None:
        """Let go of everything that runs, without letting it run on."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(RuntimeError, SystemExit):
                task.get_coro().close()  # type: ignore[union-attr]
        self.close()
