"""An observer with a thread of its own: what it does costs the rollout nothing.

::

    rollout's thread        follower's thread, a daemon
    RolloutBegan ─────────▶ begins
    event ──put──▶ mailbox ──▶ looks at the journal, writes, sends
    the end ──────────────▶ ends by itself, soon
    close()                 waits for that, so long at most; so does the end of the program
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
#: In the mailbox: nothing more will come.
CLOSED: Final = object()
#: What the thread has to end by itself before nobody waits for it any more; seconds.
_GRACE: Final = 1.0


class Follower:
    """What all followers have in common: their thread, its begin and its end.

    Parameters
    ----------
    wait : float, optional
        Seconds it may still need when the rollout has ended; setting ``monitor_wait``.
    on_warning : callable, optional
        Called with a sentence about what could not be done; by default it is logged.
    clocks : Clocks, optional
        By default those of the machine.
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
        # Now, and so before the rollout asks for the same: its end comes first then.
        atexit.register(self.close)

    def __call__(self, event: Event) -> None:
        """Take an event of the rollout; return at once."""
        if isinstance(event, RolloutBegan) and not self._begun:
            self._begun = True
            self._threads.submit(self._run)
        if self._begun and not self._over.is_set():
            self._hear(event)

    def close(self) -> None:
        """Wait until all is said, at most as long as it may take. A second time does nothing."""
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
        except Exception:  # it is nobody's business but its own
            _log.exception("a follower of the rollout failed: %r", self)
        finally:
            self._over.set()
            atexit.unregister(self.close)
            self._threads.close()

    def _hear(self, event: Event) -> None:
        """Take an event, in the rollout's thread."""
        raise NotImplementedError

    def _follow(self) -> None:
        """Follow the rollout to its end, in the thread of its own."""
        raise NotImplementedError
