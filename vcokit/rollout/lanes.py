"""A lane: the steps of one connection, where they stand, and what the lane wants next."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vcokit.rollout.alphabet import LIST, POLL
from vcokit.rollout.steps import DONE, FAILED, IN_DOUBT, Route, Step

SEND: Final = "send"


@dataclass
class Record:
    """Where a step stands, as the journal knows it.

    Parameters
    ----------
    state : str
    attempt : int
        Rises after each definite refusal; part of the client token.
    misses : int
        How often it was accepted and came to nothing.
    """

    state: str
    attempt: int = 0
    misses: int = 0


@dataclass
class Lane:
    """The steps of one connection; of its calls, one is under way at a time.

    What it wants is not stored but follows from where its steps stand (`wants`).

    Parameters
    ----------
    name : str
        The connection.
    region_id : str
    start : frozenset of Route
        Live routes that the plan was made from.

    Attributes
    ----------
    numbers : list of int
        All steps of the lane.
    queue : deque of int
        Steps to be sent, in order.
    task : int or None
        Step that was accepted and whose task runs.
    settled : list of int
        Steps whose task has ended, to be seen in a listing.
    unknown : dict of int to str or None
        Steps that may have happened, to be looked at before anything else; with the code of the
        refusal, where it was one.
    list_after : int
        Settled steps after which the lane is listed though more are to be sent.
    looked, attached : bool
        Whether the lane was listed before anything is sent; whether its connection was seen
        attached and nothing was sent since.
    """

    name: str
    region_id: str
    start: frozenset[Route]
    numbers: list[int] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    task: int | None = None
    settled: list[int] = field(default_factory=list)
    unknown: dict[int, str | None] = field(default_factory=dict)
    looked: bool = False
    attached: bool = False
    calling: bool = False
    not_before: float = 0.0
    accepted_at: float = 0.0
    failures: int = 0
    listing: list[Route] = field(default_factory=list)
    page: int = 1
    version: int = 0
    list_after: int = 1

    def wants(self) -> str | None:
        """Return what the lane does next: `LIST`, `POLL`, `SEND`, or None when it has ended."""
        if not self.looked:
            return LIST
        if not (self.queue or self.unknown or self.settled or self.task is not None):
            return None
        if not self.attached:
            return POLL
        if self.unknown or not self.queue or len(self.settled) >= self.list_after:
            return LIST
        return SEND

    def forget_listing(self) -> None:
        """Begin a listing anew."""
        self.listing = []
        self.page = 1

    def in_doubt(self) -> list[int]:
        """Return the steps that the next listing decides."""
        return [*self.settled, *self.unknown]


def differences(
    lane: Lane,
    steps: Mapping[int, Step],
    records: Mapping[int, Record],
    listed: frozenset[Route],
) -> list[str]:
    """Hold a listing against what the plan saw, plus what its steps have done since.

    Steps in doubt, and failed ones, may or may not have had their effect: their routes count as
    neither there nor gone.

    Parameters
    ----------
    lane : Lane
    steps : mapping of int to Step
    records : mapping of int to Record
    listed : frozenset of Route
        What the lane's connection holds now.

    Returns
    -------
    list of str
        One line a difference, sorted.
    """
    expected: set[Route | None] = set(lane.start)
    open_to: set[Route | None] = {None}
    for step in (steps[number] for number in lane.numbers):
        state = records[step.number].state
        if step.sends and state == DONE:
            expected.discard(step.before)
            expected.add(step.after)
        elif step.sends and (state in IN_DOUBT or state == FAILED):
            open_to |= {step.before, step.after}
    strange = {route for route in (expected ^ listed) - open_to if route is not None}
    return [
        f"{lane.name}: {route.route_dest} via {route.next_hop}, weight {route.weight}, "
        + ("is new" if route in listed else "is gone")
        for route in sorted(strange)
    ]
