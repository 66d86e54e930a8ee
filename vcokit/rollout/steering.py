"""What may be asked of a rollout while it goes, at any time and from any thread."""

from __future__ import annotations

import threading
from typing import Final, Literal

from vcokit.rollout.alphabet import Command
from vcokit.rollout.background import Background
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.events import Event, Observer, RolloutChanged, Tally

#: How long a command is waited for at most: the thread may hang on a slow disk; seconds.
_MOMENT: Final = 1.0


class Steers:
    """The steering part of `vcokit.rollout.executor.Rollout`.

    A command is taken in by the rollout's own thread, which takes a moment; the state says so when
    the call comes back. One that comes after the end does nothing.
    """

    _background: Background
    _engine: Engine
    _clocks: Clocks
    _guard: threading.Lock
    _tally: Tally
    _observers: list[Observer]
    _told: Observer

    def pause(self) -> None:
        """Send nothing new; what is on its way is seen to its end."""
        self._command("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._command("resume")

    def cancel(self) -> None:
        """Skip what is pending; what is on its way is seen to its end."""
        self._command("cancel")

    def stop(self) -> None:
        """Leave what is pending for another day: `open` goes on with it."""
        self._engine.command(Command("stop"))

    def _command(self, name: Literal["pause", "resume", "cancel"]) -> None:
        taken = self._engine.command(Command(name))
        if not self._background.here:  # an observer cannot wait for its own thread
            taken.wait(_MOMENT)

    def observe(self, observer: Observer) -> None:
        """Tell an observer of every event from now on."""
        self._observers.append(observer)

    def _say(self, state: str, message: str | None = None) -> None:
        self._tell(RolloutChanged(self._clocks.wall(), state, message))

    def _tell(self, event: Event) -> None:
        with self._guard:
            self._tally.add(event)
        self._told(event)
