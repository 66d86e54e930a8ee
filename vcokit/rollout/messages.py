"""What is said in a rollout, as small frozen records: to the scheduler, by it, and to observers.

::

    engine ── Input ──▶ scheduler ── Round: changes, decisions ──▶ engine ── Event ──▶ observers

Times of inputs and decisions are of a clock that never goes back; those of events are seconds since
the epoch. An observer is any callable that takes one event: a widget, a progress bar and
``list.append`` are the same thing. One that raises is told of once and dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from vcokit.rollout.steps import FINAL, Route, State

# -- in -----------------------------------------------------------------------------------------


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
    """A write had no definite answer; with ``left`` False it never left this machine."""

    step: int
    left: bool = True
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """A connection's state was read; ``state`` is None where the read failed."""

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
        As asked for.
    states : mapping of str to str, or None
        State by connection, also of those that the rollout does not know; None where the read
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
    """A page of a connection's routes was read; ``routes`` is None where the read failed.

    ``total`` counts the rows of all pages, ``rows`` those of this one, whatever their type; None:
    as many as there are routes.
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
    """What the user wants; ``stop`` leaves what is pending for another day."""

    name: Literal["pause", "resume", "cancel", "stop"]


Input: TypeAlias = Answered | TimedOut | Polled | PolledAll | Listed | Command

# -- out ----------------------------------------------------------------------------------------


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
    """Read one page of the states of a region's connections: one call instead of up to fifty."""

    region: str
    page: int


@dataclass(frozen=True, slots=True)
class List:
    """Read one page of a connection's routes."""

    connection: str
    page: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing more to do before this time, unless something is told before."""

    time: float


class Cause(StrEnum):
    """Why a rollout stopped before all was done."""

    KEY = "key"  #: The AccessKey was refused.
    CLOCK = "clock"  #: This machine's clock is wrong.
    SILENCE = "silence"  #: No answers came.
    REFUSED = "refused"  #: A connection cannot be read or listed, though it is not gone.
    DEADLINE = "deadline"
    FAILURES = "failures"  #: As many steps failed as were allowed.
    WAVE = "wave"  #: A step of a wave came to nothing, so the next one does not begin.


@dataclass(frozen=True, slots=True)
class Finished:
    """All is done that will be.

    Parameters
    ----------
    reason : str
        One of `ENDED`.
    message : str or None
    cause : Cause or None
        Of ``stopped``.
    differences : tuple of str
        Of ``stale``: what is not as the plan saw it.
    """

    reason: str
    message: str | None = None
    cause: Cause | None = None
    differences: tuple[str, ...] = ()


Decision: TypeAlias = Send | Poll | PollAll | List | WaitUntil | Finished


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the scheduler: what changed, to be on disk before what is to be done is done."""

    changes: tuple[StepChanged, ...]
    decisions: tuple[Decision, ...]


#: Code of a call whose request could not be written: it never left, and never will.
NOT_MADE: Final = "NotMade"

POLL: Final = "DescribeVpnConnection"
POLL_ALL: Final = "DescribeVpnConnections"
LIST: Final = "DescribeVcoRouteEntries"


# -- to observers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step went into another state: for the journal, for tallies, and for observers.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    step : int
    old, new : State
    code, message, request_id : str or None
        Of the answer behind it, where there was one.
    attempt, misses : int
        How often it was definitely refused, and how often it was accepted and came to nothing.
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
    """A call came to its end, or to none.

    Parameters
    ----------
    at : float
        Seconds since the epoch, when it was sent.
    operation : str
    vpn_connection_id : str
        Empty of a call that is about a whole region.
    seconds : float
        From sending to the answer, or to giving up.
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
    """The rollout as a whole went into another state.

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


Event: TypeAlias = StepChanged | CallEnded | RolloutChanged
Observer: TypeAlias = Callable[[Event], None]

#: States a rollout ends in.
ENDED: Final = ("finished", "cancelled", "stale", "stopped", "interrupted")


def state_of(written: str | None, *, held: bool, left: bool) -> str:
    """Return in a word how the rollout of a journal stands, for whoever looks at it.

    Parameters
    ----------
    written : str, optional
        The state in the journal: ready, running from the start on, or how it ended.
    held : bool
        Whether somebody holds the journal.
    left : bool
        Whether steps are in no final state.

    Returns
    -------
    str
        As `Rollout.state`; ``broken off`` where it neither runs nor came to an end.

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


@dataclass
class Tally:
    """Counts that follow the events, and nothing else: a view shows a tally.

    Parameters
    ----------
    states : mapping of str to int
        Steps by state, to begin with.
    """

    states: Counter[str]
    calls: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    rollout: str = "ready"
    message: str | None = None
    started: float | None = None
    latest: float | None = None

    def add(self, event: Event) -> None:
        """Take one event into account."""
        self.latest = event.at if self.latest is None else max(self.latest, event.at)
        if isinstance(event, StepChanged):
            self.states[event.old] -= 1
            self.states[event.new] += 1
        elif isinstance(event, CallEnded):
            self.calls[event.operation] += 1
            self.outcomes[event.outcome] += 1
        else:
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
    """Count events.

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
