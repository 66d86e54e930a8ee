"""What the scheduler is told, and what it asks for. Times are of a clock that never goes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from vcokit.rollout.steps import Route

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

    lane: str
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

    lane: str
    page: int
    routes: tuple[Route, ...] | None
    total: int = 0
    kind: str = "ok"
    code: str | None = None
    retry_after: float | None = None
    rows: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the user wants; ``stop`` leaves what is pending for another day."""

    name: Literal["pause", "resume", "cancel", "stop"]


Input: TypeAlias = Answered | TimedOut | Polled | PolledAll | Listed | Tick | Command

# -- out ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a step's write, with the token of this attempt."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Read the state of a lane's connection."""

    lane: str


@dataclass(frozen=True, slots=True)
class PollAll:
    """Read one page of the states of a region's connections: one call instead of up to fifty."""

    region: str
    page: int


@dataclass(frozen=True, slots=True)
class List:
    """Read one page of a lane's routes."""

    lane: str
    page: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing more to do before this time, unless something is told before."""

    time: float


@dataclass(frozen=True, slots=True)
class Finished:
    """All is done that will be.

    Parameters
    ----------
    reason : str
        One of `vcokit.rollout.events.ENDED`.
    message : str or None
    cause : str or None
        Of ``stopped``: ``key`` (the AccessKey was refused), ``clock`` (this machine's is wrong),
        ``silence`` (no answers), ``refused`` (some connections cannot be read or listed, for
        another reason than being gone), ``deadline``, ``failures`` (as many as were allowed) or
        ``wave`` (a step of a wave came to nothing, so the next one does not begin).
    differences : tuple of str
        Of ``stale``: what is not as the plan saw it.
    """

    reason: str
    message: str | None = None
    cause: str | None = None
    differences: tuple[str, ...] = ()


Decision: TypeAlias = Send | Poll | PollAll | List | WaitUntil | Finished


@dataclass(frozen=True, slots=True)
class Change:
    """A step goes into another state; to be on disk before the decisions are carried out."""

    step: int
    state: str
    attempt: int
    code: str | None = None
    message: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the scheduler: what changed, then what to do."""

    changes: tuple[Change, ...]
    decisions: tuple[Decision, ...]


#: Code of a call whose request could not be written: it never left, and never will.
NOT_MADE: Final = "NotMade"

POLL: Final = "DescribeVpnConnection"
POLL_ALL: Final = "DescribeVpnConnections"
LIST: Final = "DescribeVcoRouteEntries"
