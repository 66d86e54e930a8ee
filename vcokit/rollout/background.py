"""The threads of a rollout: its own thread, which others may wait for, and those of its calls.

All are daemon threads: a thread that hangs does not keep the program from ending.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import Any, Final

from vcokit.errors import PlanError

#: How long the end of the program waits for the work to end gracefully; seconds.
_AT_EXIT: Final = 15.0


class Threads:
    """A pool of threads for calls, and a mailbox for their results.

    One thread submits work and gets mail; any thread may put an item into the mailbox. A thread
    that has done its work waits for more. The pool of the standard library is not used, because at
    the program's end it would wait for calls that hang.
    """

    def __init__(self) -> None:
        self._mail: SimpleQueue[Any] = SimpleQueue()
        self._todo: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = self._made = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Run `work`, which must not raise, in a thread of the pool."""
        with self._lock:
            is_free = self._idle > 0
            self._idle -= is_free
        if not is_free:
            threading.Thread(target=self._work, name="call of a rollout", daemon=True).start()
            self._made += 1
        self._todo.put(work)

    def _work(self) -> None:
        while (work := self._todo.get()) is not None:
            work()
            with self._lock:
                self._idle += 1

    def put(self, item: Any) -> None:
        """Put an item into the mailbox."""
        self._mail.put(item)

    def get(self, seconds: float | None) -> Any:
        """Return the first item, waiting for it at most `seconds`; None if there is none."""
        try:
            return self._mail.get(timeout=seconds)
        except Empty:
            return None

    def close(self) -> None:
        """Let each thread end when it has no more work."""
        for _ in range(self._made):
            self._todo.put(None)


class Background:
    """The thread of a rollout.

    Parameters
    ----------
    name : str
        Name of the thread.
    work : callable
        Called once, in the thread; raises nothing.
    stop : callable
        Asks the work to end gracefully; called at the program's end if the work still runs.
    last : callable
        Called after that if the work ended gracefully, to print a last message.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        stop: Callable[[], None],
        last: Callable[[], None],
    ) -> None:
        self._work, self._stop, self._last = work, stop, last
        # Thread.join is not used: an interrupt during it marks a live thread as ended.
        self._over = threading.Event()
        self._process: int | None = None
        self._gate = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises
        ------
        PlanError
            If it was started already.
        """
        if self._thread.ident is not None:
            raise PlanError("this rollout was started already", remedy="wait() for it, or await it")
        self._process = os.getpid()
        atexit.register(self._end_in_order)
        try:
            self._thread.start()
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Let the program end at any time, without waiting for the work."""
        atexit.unregister(self._end_in_order)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self.let_go()
            with self._gate:
                self._over.set()
                waiting = list(self._waiting)
            for call in waiting:
                call()

    def _end_in_order(self) -> None:
        if not self.running:
            return
        self._stop()
        if self._over.wait(_AT_EXIT):
            self._last()

    @property
    def begun(self) -> bool:
        """Whether it was started."""
        return self._thread.ident is not None

    @property
    def here(self) -> bool:
        """Whether the current thread does the work."""
        return threading.current_thread() is self._thread

    @property
    def running(self) -> bool:
        """Whether it was started by this process and has not ended."""
        # A forked child has a copy of everything except the thread.
        return self.begun and self._process == os.getpid() and not self._over.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has ended or the time is over; return whether it has ended."""
        self._must_run()
        return self._over.wait(None if timeout is None else max(0.0, timeout))

    def __await__(self) -> Generator[Any, None, bool]:
        self._must_run()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()

        def end() -> None:
            if not future.done():
                future.set_result(True)

        def call() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there
                loop.call_soon_threadsafe(end)

        with self._gate:
            if self._over.is_set():
                return True
            self._waiting.append(call)
        try:
            return (yield from future)
        finally:
            with self._gate:
                self._waiting.remove(call)

    def _must_run(self) -> None:
        if self._thread.ident is None:
            raise PlanError("the rollout was not started", remedy="Call start() first")
