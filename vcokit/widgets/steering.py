"""The buttons of a rollout: pause, resume, and cancel, which asks once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from vcokit.widgets.board import Board
from vcokit.widgets.sources import Source
from vcokit.widgets.style import grey, page


class Steering(ipywidgets.HBox):  # type: ignore[misc]
    """Buttons that steer a rollout; disabled, with the reason beside them, where they cannot.

    Parameters
    ----------
    source : Source
    done : callable
        Called after something was done.
    """

    def __init__(self, source: Source, done: Callable[[], None]) -> None:
        self._source = source
        self._done = done
        self._asking = False
        self.hold = _button("Pause", "pause", self._on_hold)
        self.cancel = _button("Cancel", "stop", self._on_cancel)
        self.really = _button("Yes, cancel", "stop", self._on_really)
        self.really.button_style = "danger"
        self.never = _button("No, go on", "", self._on_never)
        self.note = ipywidgets.HTML()
        super().__init__([self.hold, self.cancel, self.really, self.never, self.note])
        self.layout.flex_flow = "row wrap"

    def show(self, board: Board) -> None:
        """Show what can be done now."""
        dead = self._source.dead()
        pausable = not dead and board.state in ("looking", "running", "paused")
        _set(self.hold, disabled=not pausable, tooltip=dead or "Send nothing new, or go on")
        paused = board.state == "paused"
        self.hold.description, self.hold.icon = ("Resume", "play") if paused else ("Pause", "pause")
        can_cancel = pausable and not self._asking
        _set(self.cancel, disabled=not can_cancel, tooltip=dead or "Skip what is pending")
        self._asking = self._asking and pausable
        for button in (self.really, self.never):
            button.layout.display = None if self._asking else "none"
        self.note.value = page(grey(dead or self._note(board)))

    def _note(self, board: Board) -> str:
        if self._asking:
            pending = board.states["pending"]
            return f"{pending:,} pending steps would be skipped; what is under way is seen through"
        if board.state == "paused":
            return "Nothing new is sent; what is under way is seen through"
        if board.state == "ready":
            return "Not started: rollout.start()"
        return ""

    # -- clicked ---------------------------------------------------------------------------------

    def _on_hold(self, _: Any) -> None:
        if self.hold.description == "Resume":
            self._source.resume()
        else:
            self._source.pause()
        self._done()

    def _on_cancel(self, _: Any) -> None:
        self._asking = True
        self._done()

    def _on_never(self, _: Any) -> None:
        self._asking = False
        self._done()

    def _on_really(self, _: Any) -> None:
        self._asking = False
        self._source.cancel()
        self._done()


def _button(words: str, icon: str, clicked: Callable[[Any], None]) -> Any:
    button = ipywidgets.Button(description=words, icon=icon)
    button.layout.width = "auto"
    button.on_click(clicked)
    return button


def _set(button: Any, *, disabled: bool, tooltip: str) -> None:
    button.disabled, button.tooltip = disabled, tooltip
