"""Where a view of a rollout learns what it shows: the rollout itself, or a journal.

================  ==========================================  =======================
source            follows                                     can steer
================  ==========================================  =======================
`LiveSource`      a rollout of this process, by its events    while it has not ended
`JournalSource`   a journal, whoever writes it, by reading    never: it says why
                  it again when the file has changed
================  ==========================================  =======================
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from vcokit.cloud.operations import Limit
from vcokit.errors import JournalError
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import Owner
from vcokit.rollout.messages import Event
from vcokit.rollout.plan import Plan
from vcokit.rollout.rollout import Rollout
from vcokit.widgets.board import Board, seconds
from vcokit.widgets.rollout_html import Title

_FOLLOWS: Final = "This view follows a journal; pause and cancel where the rollout runs"


class Source(Protocol):
    """What a view of a rollout needs to know and may do."""

    title: Title
    plan: Plan
    limits: Mapping[str, Limit] | None

    def refresh(self) -> Board:
        """Return the board, brought up to this moment; always the same thread asks."""

    def dead(self) -> str:
        """Return why it cannot be steered; empty if it can."""

    def over(self) -> bool:
        """Tell whether nothing will change any more."""

    def close(self) -> None:
        """Take in nothing any more."""

    def pause(self) -> None:
        """Send nothing new."""

    def resume(self) -> None:
        """Go on."""

    def cancel(self) -> None:
        """Skip what is pending."""


class LiveSource:
    """A rollout of this process.

    Parameters
    ----------
    rollout : Rollout
    touch : callable
        Called, in the rollout's thread, when there is something new.
    limits : mapping of str to Limit, optional
        By default those the rollout itself knows.
    """

    def __init__(
        self,
        rollout: Rollout,
        touch: Callable[[], None],
        limits: Mapping[str, Limit] | None = None,
    ) -> None:
        self._rollout = rollout
        self._touch = touch
        self._events: deque[Event] = deque()
        self._closed = False
        self.plan = rollout.plan
        self.title = Title.of(rollout.plan, rollout.journal.name)
        self.limits = limits or getattr(rollout, "limits", None)
        # Listened to before the journal is read: what both tell is taken in twice, which changes
        # nothing, and what happens in between is not lost.
        if not rollout.ended:
            rollout.observe(self._on_event)
        self._board = Board(rollout.frame())
        self._board.note_tally(rollout.tally())

    def _on_event(self, event: Event) -> None:
        if not self._closed:
            self._events.append(event)
            self._touch()

    def refresh(self) -> Board:
        """Take in what has happened since; see `Source`."""
        tally = self._rollout.tally()
        while self._events:
            self._board.add(self._events.popleft())
        self._board.note_tally(tally)
        return self._board

    def over(self) -> bool:
        """Tell whether the rollout has ended and all its events are taken in."""
        return self._board.ended and not self._events

    def dead(self) -> str:
        """Return why it cannot be steered."""
        return f"The rollout is {self._rollout.state}" if self._rollout.ended else ""

    def close(self) -> None:
        """Take in no more events; the rollout keeps the observer and it does nothing."""
        self._closed = True

    def pause(self) -> None:
        """See `Rollout.pause`."""
        self._rollout.pause()

    def resume(self) -> None:
        """See `Rollout.resume`."""
        self._rollout.resume()

    def cancel(self) -> None:
        """See `Rollout.cancel`."""
        self._rollout.cancel()


class JournalSource:
    """The journal of a rollout that runs elsewhere, or has run.

    Parameters
    ----------
    path : path
    limits : mapping of str to Limit, optional

    Raises
    ------
    JournalError
        If there is no such journal, or it cannot be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], limits: Mapping[str, Limit] | None = None
    ) -> None:
        self.path = Path(path)
        self.limits = limits
        with Journal.read(self.path) as journal:
            self.plan = journal.plan()
        self.title = Title.of(self.plan, self.path.name)
        self._owner: Owner | None = None
        self._seen: object = None
        self._board = self._read()

    def refresh(self) -> Board:
        """Read the journal again if it has changed, or its writer has gone; see `Source`."""
        if (self._files(), self._holder()) != self._seen:
            try:
                self._board = self._read()
            except JournalError as error:
                # Kept as it was: a journal may be on a share that is away for a moment.
                self._board.message = str(error)
        return self._board

    def _read(self) -> Board:
        files = self._files()
        with Journal.read(self.path) as journal:
            meta, steps, calls = journal.meta(), journal.steps(), journal.calls()
            self._owner, state = journal.owner(), journal.state()
        self._seen = files, self._holder()
        sent = seconds(calls["sent_at"])
        board = Board(steps, started=float(np.min(sent)) if len(sent) else None)
        board.note_calls(calls)
        board.note_moments(steps)
        ended = seconds(steps["ended_at"])
        if len(ended) and not np.isnan(ended).all():
            board.latest = max(board.latest or 0.0, float(np.nanmax(ended)))
        board.state, board.message = state, self._beside(state, meta)
        return board

    def _beside(self, state: str, meta: Mapping[str, str]) -> str | None:
        """Return what is said beside the rollout's state."""
        holder = self._holder()
        if holder is not None:
            return f"in process {holder.process}"
        if state == "ready":
            return "nobody runs it"
        if state == "broken off":
            go_on = f'vk.Rollout.open("{self.path}", client).start()'
            return f"nobody runs it; go on with {go_on}"
        return meta.get("message")

    def _holder(self) -> Owner | None:
        """Return who held the journal when it was read, if that one lives still."""
        return self._owner if self._owner and self._owner.may_write(self.path) else None

    def _files(self) -> list[tuple[int, int]]:
        """Return what changes with every writing: sizes and times of the files."""
        beside = self.path.with_name(self.path.name + "-wal")
        return [(s.st_mtime_ns, s.st_size) for s in map(_stat, (self.path, beside)) if s]

    def over(self) -> bool:
        """Tell never: somebody may go on with the rollout at any time."""
        return False

    def dead(self) -> str:
        """Return why it cannot be steered."""
        state = self._board.state
        return _FOLLOWS if state in ("ready", "running") else f"The rollout is {state}"

    def pause(self) -> None:
        """Do nothing: the buttons are disabled."""

    resume = cancel = close = pause


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
