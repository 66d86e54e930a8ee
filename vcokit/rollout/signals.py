"""Signals while somebody waits for a rollout: an end in order in a script, none in a notebook.

=============  ==================================  ===========================================
where          first Ctrl-C, or SIGTERM            second
=============  ==================================  ===========================================
script, shell  the rollout is stopped in order:    the program ends at once; the journal holds
               calls under way come back, the      what was intended, and the rollout can go
               journal is closed, the way to go    on all the same
               on is printed
notebook       only the cell ends, the rollout     likewise
               goes on in the background; but
               `apply_plan` stops it in order,
               as nobody else holds it
=============  ==================================  ===========================================

A notebook's kernel is interrupted to get the prompt back; ending hours of work by that would be a
surprise.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: What a shell reports of a program that was ended by a signal, over its number.
_SIGNALLED = 128


class Terminated(KeyboardInterrupt):
    """SIGTERM came: an interrupt by somebody who does not sit at the keyboard."""


@contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM interrupt the main thread as Ctrl-C does, unless the program has a say in it.

    A second one, once the first has been raised, ends the program as it would have without us.

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
    """Go on with an interrupt once all is in order: SIGTERM ends the program, Ctrl-C is raised.

    Parameters
    ----------
    caught : KeyboardInterrupt
    stop, wait : callable
        Ask the rollout to end in order, and block until it has; one more interrupt ends that.
    how_to_resume : str
    detach : bool
        Whether a notebook's rollout goes on without its cell.
    """
    if detach and in_notebook():
        print(
            "The rollout continues. rollout.wait() waits again, rollout.stop() ends it gracefully; "
            "without a name it is vk.Rollout.running()[-1]."
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
    """Tell whether this is a notebook's kernel; found without loading IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def say_if_buttons_are_dead() -> None:
    """Print, in a notebook, that its kernel hears no clicks while a cell blocks it."""
    if in_notebook():
        print("While this cell waits, the view's buttons are dead. Write instead: await rollout")
