"""Base class of observers that work in their own thread and never delay the rollout.

::

    rollout's thread        follower's thread, a daemon
    RolloutBegan ─────────▶ starts
    event ──put──▶ mailbox ──▶ reads the journal, writes, sends
    the end ──────────────▶ ends automatically, soon
    close()                 waits for that, for a limited time; so does the exit of the program
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from vcokit import config
from vcokit.rollout.engine import Clocks
from vcokit.rollout.messages import Event, RolloutBegan

_log: Final = logging.getLogger("vcokit.monitoring")
#: Mailbox item: no more events will come.
CLOSED: Final = object()
#: Seconds that `close` waits beyond ``wait``, so that the thread can end on its own first.
_GRACE: Final = 1.0


class Follower:
    """Base class of followers: starts, feeds and ends their thread.

    Parameters
    ----------
    wait : float, optional
        Seconds that the follower may still take after the rollout has ended; setting
        ``monitor_wait``.
    on_warning : callable, optional
        Called with a sentence about what could not be done; by default it is logged.
    clocks : Clocks, optional
        By default the clocks of the machine.
    """

    def __init__(
        self,
        wait: float | None,
        on_warning: Callable[[str], object] | None,
        clocks: Clocks | None,
    ) -> None:
        self.wait: float = config.get("monitor_wait", wait)
        self._warn = on_warning or _log.warning
        self._clocks = clocks or Clocks(time.time, time.monotonic)
        self._threads = self._clocks.threads()
        self._begun = False
        self._over = threading.Event()
        # Registered before the rollout registers its own exit handler. Exit handlers run in
        # reverse order, so the rollout ends first.
        atexit.register(self.close)

    def __call__(self, event: Event) -> None:
        """Accept an event of the rollout, without blocking."""
        if isinstance(event, RolloutBegan) and not self._begun:
            self._begun = True
            self._threads.submit(self._run)
        if self._begun and not self._over.is_set():
            self._hear(event)

    def close(self) -> None:
        """Wait until the thread has ended, for a limited time. A second call does nothing."""
        atexit.unregister(self.close)
        if self._begun and not self._over.is_set():
            self._threads.put(CLOSED)
            self._over.wait(self.wait + _GRACE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception:  # a failing follower must not affect the rollout
            _log.exception("a follower of the rollout failed: %r", self)
        finally:
            self._over.set()
            atexit.unregister(self.close)
            self._threads.close()

    def _hear(self, event: Event) -> None:
        """Handle an event, in the rollout's thread."""
        raise NotImplementedError

    def _follow(self) -> None:
        """Follow the rollout to its end, in the follower's own thread."""
        raise NotImplementedError
