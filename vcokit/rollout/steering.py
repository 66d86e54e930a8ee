"""What may be asked of a rollout while it goes, at any time and from any thread."""

from __future__ import annotations

import threading

from vcokit.rollout.alphabet import Command
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.events import Event, Observer, RolloutChanged, Tally


class Steers:
    """The steering part of `vcokit.rollout.executor.Rollout`."""

    _engine: Engine
    _clocks: Clocks
    _guard: threading.Lock
    _tally: Tally
    _observers: list[Observer]
    _told: Observer

    def pause(self) -> None:
        """Send nothing new; what is on its way is seen to its end."""
        self._engine.command(Command("pause"))
        self._say("paused")

    def resume(self) -> None:
        """Go on after a pause."""
        self._engine.command(Command("resume"))
        self._say("running")

    def cancel(self) -> None:
        """Skip what is pending; what is on its way is seen to its end."""
        self._engine.command(Command("cancel"))
        self._say("cancelling")

    def stop(self) -> None:
        """Leave what is pending for another day: `open` goes on with it."""
        self._engine.command(Command("stop"))

    def observe(self, observer: Observer) -> None:
        """Tell an observer of every event from now on."""
        self._observers.append(observer)

    def _say(self, state: str, message: str | None = None) -> None:
        self._tell(RolloutChanged(self._clocks.wall(), state, message))

    def _tell(self, event: Event) -> None:
        with self._guard:
            self._tally.add(event)
        self._told(event)
