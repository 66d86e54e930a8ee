"""Signals during a wait for a rollout: a script ends gracefully, a notebook's rollout continues.

=============  ==================================  ===========================================
where          first Ctrl-C or SIGTERM             second
=============  ==================================  ===========================================
script, shell  the rollout stops gracefully:       the program ends at once; the journal has
               calls in progress return, the       all intents, so the rollout can be resumed
               journal is closed, the command to
               resume is printed
notebook       only the cell ends, the rollout     the same
               continues in the background; but
               `apply_plan` stops it gracefully,
               because nothing else refers to it
=============  ==================================  ===========================================

Users interrupt a notebook's kernel to get the prompt back; they do not expect this to end hours of
work.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: A shell reports this number plus the signal number for a program that a signal ended.
_SIGNALLED = 128


class Terminated(KeyboardInterrupt):
    """SIGTERM was received: an interrupt that does not come from the keyboard."""


@contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM interrupt the main thread as Ctrl-C does, unless the program handles it itself.

    A second SIGTERM, after the first was raised, has its default effect: it ends the program.

    Examples
    --------
    >>> with terminating():
    ...     signal.getsignal(signal.SIGTERM) is _interrupt
    True
    >>> signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    True
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def interrupted(
    caught: KeyboardInterrupt,
    stop: Callable[[], None],
    wait: Callable[[], object],
    how_to_resume: str,
    *,
    detach: bool,
) -> NoReturn:
    """Handle an interrupt: end gracefully, then SIGTERM ends the program and Ctrl-C is raised.

    Parameters
    ----------
    caught : KeyboardInterrupt
    stop, wait : callable
        Ask the rollout to end gracefully, and block until it has; another interrupt ends the wait.
    how_to_resume : str
    detach : bool
        Whether a notebook's rollout continues without its cell.
    """
    if detach and in_notebook():
        print(
            "The rollout continues. rollout.wait() waits again, rollout.stop() ends it gracefully; "
            "if it has no name, use vk.Rollout.running()[-1]."
        )
        raise caught
    stop()
    try:
        wait()
    except KeyboardInterrupt:
        print(f"Ended at once; the journal is intact. Resume with: {how_to_resume}")
        raise
    print(f"Stopped. Resume with: {how_to_resume}")
    if isinstance(caught, Terminated):
        raise SystemExit(_SIGNALLED + signal.SIGTERM) from None
    raise caught


def in_notebook() -> bool:
    """Return whether this is a notebook's kernel, without importing IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def say_if_buttons_are_dead() -> None:
    """Print, in a notebook, that its kernel receives no clicks while a cell blocks it."""
    if in_notebook():
        print("While this cell waits, the view's buttons do not work. Use instead: await rollout")
