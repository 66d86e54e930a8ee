"""Messages of a rollout, as small frozen records: to and from the scheduler, and to observers.

::

    engine ── Input ──▶ scheduler ── Round: changes, decisions ──▶ engine ── Event ──▶ observers

Inputs and decisions use a monotonic clock; times of events are seconds since the epoch. An observer
is any callable that takes one event: a widget, a progress bar and ``list.append`` all work. If an
observer raises, this is reported once and the observer is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, TypeAlias

from vcokit.rollout.steps import FINAL, Route, State

# -- to the scheduler ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """A write was answered: ``kind`` is ``ok`` or the kind of the refusal."""

    step: int
    kind: str
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A write had no definite answer; if ``left`` is False, it was never sent."""

    step: int
    left: bool = True
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """A connection's state was read; ``state`` is None if the read failed."""

    connection: str
    state: str | None
    kind: str = "ok"
    code: str | None = None
    retry_after: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PolledAll:
    """One page of a region's connections was read.

    Parameters
    ----------
    region, page
        As requested.
    states : mapping of str to str, or None
        State by connection, including connections that the rollout does not know; None if the read
        failed.
    total : int
        Connections on all pages.
    """

    region: str
    page: int
    states: Mapping[str, str] | None = field(hash=False)
    total: int = 0
    kind: str = "ok"
    code: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a connection's routes was read; ``routes`` is None if the read failed.

    ``total`` is the number of rows on all pages, ``rows`` the number on this page, of any type. If
    ``rows`` is None, it is the number of routes.
    """

    connection: str
    page: int
    routes: tuple[Route, ...] | None
    total: int = 0
    kind: str = "ok"
    code: str | None = None
    retry_after: float | None = None
    rows: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the user; ``stop`` keeps pending steps for a later run."""

    name: Literal["pause", "resume", "cancel", "stop"]


Input: TypeAlias = Answered | TimedOut | Polled | PolledAll | Listed | Command

# -- from the scheduler -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a step's write, with the token of this attempt."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Read the state of a connection."""

    connection: str


@dataclass(frozen=True, slots=True)
class PollAll:
    """Read one page of the states of a region's connections: one call for up to fifty of them."""

    region: str
    page: int


@dataclass(frozen=True, slots=True)
class List:
    """Read one page of a connection's routes."""

    connection: str
    page: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """There is nothing more to do before this time, unless an input arrives earlier."""

    time: float


class Cause(StrEnum):
    """Why a rollout stopped before everything was done."""

    KEY = "key"  #: The AccessKey was refused.
    CLOCK = "clock"  #: This machine's clock is wrong.
    SILENCE = "silence"  #: No answers came.
    REFUSED = "refused"  #: A connection that still exists cannot be read or listed.
    DEADLINE = "deadline"
    FAILURES = "failures"  #: The allowed number of steps has failed.
    WAVE = "wave"  #: A step of a wave was not done, so the next wave does not begin.


@dataclass(frozen=True, slots=True)
class Finished:
    """The rollout has ended.

    Parameters
    ----------
    reason : str
        One of `ENDED`.
    message : str or None
    cause : Cause or None
        Only for ``stopped``.
    differences : tuple of str
        Only for ``stale``: how the live routes differ from those of the plan.
    """

    reason: str
    message: str | None = None
    cause: Cause | None = None
    differences: tuple[str, ...] = ()


Decision: TypeAlias = Send | Poll | PollAll | List | WaitUntil | Finished


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the scheduler: first write the changes to disk, then carry out the decisions."""

    changes: tuple[StepChanged, ...]
    decisions: tuple[Decision, ...]


#: Code of a call whose request could not be built: it was never sent, and never can be.
NOT_MADE: Final = "NotMade"

POLL: Final = "DescribeVpnConnection"
POLL_ALL: Final = "DescribeVpnConnections"
LIST: Final = "DescribeVcoRouteEntries"


# -- to observers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RolloutBegan:
    """A rollout was started, for the first time or to go on: the first that its observers hear.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    journal : Path
        By which an observer can look at all of it.
    """

    at: float
    journal: Path


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step changed its state: for the journal, for counts, and for observers.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    step : int
    old, new : State
    code, message, request_id : str or None
        Of the answer that caused it, if there was one.
    attempt, misses : int
        How often it was definitely refused, and how often it was accepted without an effect.
    """

    at: float
    step: int
    old: State
    new: State
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    attempt: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call ended, with or without an answer.

    Parameters
    ----------
    at : float
        When it was sent, in seconds since the epoch.
    operation : str
    vpn_connection_id : str
        Empty for a call about a whole region.
    seconds : float
        From sending to the answer, or until it was given up.
    outcome : str
        ``ok``, the kind of the refusal, or ``unknown``.
    code : str or None
    """

    at: float
    operation: str
    vpn_connection_id: str
    seconds: float
    outcome: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutChanged:
    """The state of the whole rollout changed.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    state : str
        ready, looking, running, waiting (for a window), paused, cancelling, or one of `ENDED`.
    message : str or None
    """

    at: float
    state: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class WaveDone:
    """Every step of a wave was done, so the next one begins. The end of the last is the rollout's.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    wave : int
        Its number, from 1.
    waves : int
        How many there are.
    """

    at: float
    wave: int
    waves: int


Event: TypeAlias = RolloutBegan | StepChanged | CallEnded | WaveDone | RolloutChanged
Observer: TypeAlias = Callable[[Event], None]

#: States in which a rollout ends.
ENDED: Final = ("finished", "cancelled", "stale", "stopped", "interrupted")


def state_of(written: str | None, *, held: bool, left: bool) -> str:
    """Return the state of a journal's rollout as one word, to display.

    Parameters
    ----------
    written : str, optional
        The state in the journal: ready, running once it has started, or how it ended.
    held : bool
        Whether somebody holds the journal.
    left : bool
        Whether some steps are in no final state.

    Returns
    -------
    str
        As `Rollout.state`; ``broken off`` if it neither runs nor has ended.

    Examples
    --------
    >>> state_of("running", held=True, left=True), state_of("running", held=False, left=True)
    ('running', 'broken off')
    """
    if held:
        return "running" if written == "running" else "ready"
    if written == "running":
        return "broken off" if left else "finished"
    return written if written in ENDED else "ready"


def state_of_members(states: Iterable[str]) -> str:
    """Return the state of a fleet by the states of its members.

    Examples
    --------
    >>> state_of_members(["finished", "ready", "running"]), state_of_members(["finished", "ready"])
    ('running', 'stopped')
    """
    found = {"running" if is_under_way(state) else state for state in states}
    if len(found) == 1:
        return found.pop()
    for state in ("running", "broken off", "interrupted"):
        if state in found:
            return state
    return "cancelled" if found == {"finished", "cancelled"} else "stopped"


def is_under_way(state: str) -> bool:
    """Return whether a rollout in this state runs, waits for a window, or is paused."""
    return state not in (*ENDED, "ready", "broken off")


@dataclass
class Tally:
    """Counts, updated by events only; views display them.

    Parameters
    ----------
    states : mapping of str to int
        Steps by state before the first event.
    """

    states: Counter[str]
    calls: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    rollout: str = "ready"
    message: str | None = None
    started: float | None = None
    latest: float | None = None

    def add(self, event: Event) -> None:
        """Count one event."""
        self.latest = event.at if self.latest is None else max(self.latest, event.at)
        if isinstance(event, StepChanged):
            self.states[event.old] -= 1
            self.states[event.new] += 1
        elif isinstance(event, CallEnded):
            self.calls[event.operation] += 1
            self.outcomes[event.outcome] += 1
        elif isinstance(event, RolloutChanged):
            self.rollout, self.message = event.state, event.message
            if self.started is None:
                self.started = event.at

    @property
    def total(self) -> int:
        """Number of steps."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """Number of steps in a final state."""
        return sum(count for state, count in self.states.items() if state in FINAL)


def tally(events: Iterable[Event], states: Mapping[str, int]) -> Tally:
    """Count events and return the counts.

    Parameters
    ----------
    events : iterable of Event
        In order.
    states : mapping of str to int
        Steps by state before the first event.

    Examples
    --------
    >>> counted = tally([StepChanged(0.0, 1, State.PENDING, State.SENT)], {"pending": 2})
    >>> counted.states["pending"], counted.states["sent"], counted.total, counted.ended
    (1, 1, 2, 0)
    """
    counts = Tally(Counter(states))
    for event in events:
        counts.add(event)
    return counts
