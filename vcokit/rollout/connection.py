"""A lane: the steps of one connection, where they stand, and what the lane wants next."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from vcokit.rollout import steps as st
from vcokit.rollout.messages import LIST, POLL, Change
from vcokit.rollout.options import Options
from vcokit.rollout.steps import Route, Step

SEND: Final = "send"


@dataclass(slots=True)
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


@dataclass(slots=True)
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
    ready : list of int
        A heap of the steps that may be sent; the lowest number goes first.
    waiting : set of int
        Steps that wait for steps of any lane, or for their wave.
    task : int or None
        Step that was accepted and whose task runs.
    settled : dict of int to None
        Steps whose task has ended, to be seen in a listing.
    unknown : dict of int to str or None
        Steps that may have happened, to be looked at before anything else; with the code of the
        refusal, where it was one.
    asked : tuple of int
        Steps in doubt when the first page of the listing under way was asked for: those, and no
        later ones, it decides.
    looked, attached : bool
        Whether the lane was listed before anything is sent; whether its connection was seen
        attached and nothing was sent since.
    awaited : bool
        Whether steps of other lanes wait for a settled step of this one to be seen.
    brief : bool
        Whether its listing fits into the time of a task, so that it costs the lane nothing.
    verify : bool
        Whether it is to be read back at the end.
    shy : bool
        Whether it can be listed only once its connection was seen attached.
    held : str or None
        Why nothing more is sent and nothing more can be known of the lane in this run; what is in
        doubt stays so, after one more listing.
    quiet_at : float
        When its last write ended; infinite while one is on its way. A look that left before that
        says nothing.
    over_at : float
        When its last task was first seen over; infinite until then, and while one may be running.
    conflicts : int
        Writes that came too soon after a task, in a row.
    seen : frozenset of Route or None
        What its latest listing showed, at ``seen_at``.
    """

    name: str
    region_id: str
    start: frozenset[Route]
    numbers: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    task: int | None = None
    settled: dict[int, None] = field(default_factory=dict)
    unknown: dict[int, str | None] = field(default_factory=dict)
    asked: tuple[int, ...] = ()
    looked: bool = False
    attached: bool = False
    awaited: bool = False
    brief: bool = True
    verify: bool = False
    shy: bool = False
    held: str | None = None
    sent: bool = False
    quiet_at: float = -1.0
    seen: frozenset[Route] | None = None
    seen_at: float = -1.0
    # -- of the call under way, and of the task that runs
    calling: bool = False
    called_at: float = 0.0
    slot: bool = False
    not_before: float = 0.0
    poll_at: float = 0.0
    accepted_at: float = 0.0
    running_at: float = 0.0
    over_at: float = inf
    conflicts: int = 0
    failures: int = 0
    # -- of the listing under way
    listing: list[Route] = field(default_factory=list)
    page: int = 1
    total: int = -1
    counted: int = 0
    restarts: int = 0
    list_after: int = 1
    # -- of its place in the queues, see `vcokit.rollout.queueing` and `vcokit.rollout.queueing`
    version: int = 0
    due: bool = False
    patient: bool = False
    slack: float = 0.0
    tasks: int = 0
    spent: float = 0.0

    @property
    def left(self) -> int:
        """Number of steps that are still to be sent, or whose task runs."""
        return len(self.ready) + len(self.waiting) + (self.task is not None)

    @property
    def in_doubt(self) -> bool:
        """Whether the cloud may hold something of the lane that no listing has shown."""
        return bool(self.settled or self.unknown or self.task is not None)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do, now or later."""
        if self.held is not None:
            return not self.verify and self.page == 1
        return self.looked and not (
            self.ready or self.waiting or self.in_doubt or self.verify or self.page > 1
        )

    @property
    def undone(self) -> bool:
        """Whether steps are to be sent or in doubt."""
        return bool(self.ready or self.waiting or self.in_doubt)

    def hold(self, why: str) -> None:
        """Send nothing more; look once more at what is in doubt."""
        self.held = why
        self.verify = self.in_doubt
        self.forget_listing()

    def wants(self, *, sending: bool = True) -> str | None:
        """Return what the lane does next: `LIST`, `POLL`, `SEND`, or None when it has nothing.

        While a task runs the lane has nothing else to do, so that is when settled steps are looked
        up; a listing that takes longer than a task waits until enough have come together.

        Parameters
        ----------
        sending : bool
            Whether anything may be sent at all.
        """
        if self.shy and self.held is None:
            return POLL
        if not self.looked or self.page > 1 or self.verify:
            return LIST
        if self.held is not None:
            return None
        if self.task is not None:
            return LIST if self.brief and self._list_due() else POLL
        if not (self.ready or self.unknown or self.settled):
            return None
        if not self.attached:
            return POLL
        if self.unknown or not self.ready or not sending:
            return LIST if self.unknown or self.settled else SEND
        hurried = self.awaited and self.patient
        return LIST if self._list_due() and (hurried or not self.brief) else SEND

    def _list_due(self) -> bool:
        """Tell whether settled steps are to be looked up though more are to be sent."""
        enough = len(self.settled) >= self.list_after
        return enough or (self.awaited and self._worth_it())

    def _worth_it(self) -> bool:
        # A long listing is begun early only for some steps, or it would cost more than it brings.
        return 4 * len(self.settled) * 50 >= len(self.seen or ())

    def forget_listing(self) -> None:
        """Begin a listing anew."""
        self.listing, self.page, self.total, self.counted = [], 1, -1, 0

    def drop(self, numbers: Iterable[int]) -> None:
        """Take steps out of what is to be sent."""
        gone = set(numbers)
        self.waiting -= gone
        if not gone.isdisjoint(self.ready):
            self.ready = [number for number in self.ready if number not in gone]
            heapq.heapify(self.ready)

    def put(self, number: int) -> None:
        """Let a step wait for its turn to be sent."""
        heapq.heappush(self.ready, number)

    def doubts(self) -> tuple[int, ...]:
        """Return the steps that a listing asked for now decides."""
        running = () if self.task is None or self.held is None else (self.task,)
        return (*self.settled, *self.unknown, *running)

    def decided(self, number: int) -> None:
        """Let go of a step that a listing has decided."""
        self.unknown.pop(number, None)
        self.settled.pop(number, None)
        if number == self.task:
            self.task = None

    def next_step(self) -> int:
        """Take the step that is sent next out of those that may be."""
        return heapq.heappop(self.ready)

    def unsent(self) -> list[int]:
        """Return the steps that are still to be sent, in order."""
        return sorted([*self.ready, *self.waiting])


class Ledger:
    """The records of all steps; every change of one is noted for the journal.

    Parameters
    ----------
    steps : iterable of Step
    options : Options
    records : mapping of int to Record
        Of steps that have gone on already.

    Attributes
    ----------
    finals : deque of (int, str)
        Steps that came to their end, with their state, for whoever has to follow.
    left : Counter of (str, str)
        Pending steps by region and operation.
    """

    def __init__(
        self, steps: Iterable[Step], options: Options, records: Mapping[int, Record]
    ) -> None:
        self.steps = {step.number: step for step in steps}
        self.records = {
            number: records.get(number) or Record(st.BORN.get(step.action, st.PENDING))
            for number, step in self.steps.items()
        }
        self._options = options
        self.finals: deque[tuple[int, str]] = deque(
            (number, record.state)
            for number, record in self.records.items()
            if record.state in st.FINAL and self.steps[number].sends
        )
        self.left = Counter(
            self._through(number)
            for number, record in self.records.items()
            if record.state == st.PENDING
        )
        self._lost: Counter[int] = Counter()
        self._changes: list[Change] = []

    def _through(self, number: int) -> tuple[str, str]:
        step = self.steps[number]
        return step.region_id, st.OPERATION[step.action]

    def take_changes(self) -> tuple[Change, ...]:
        """Return what has changed since the last time."""
        changes, self._changes = tuple(self._changes), []
        return changes

    def set(
        self,
        number: int,
        state: str,
        code: str | None = None,
        message: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Let a step go into a state."""
        record = self.records[number]
        if (record.state == st.PENDING) != (state == st.PENDING):
            self.left[self._through(number)] += 1 if state == st.PENDING else -1
        record.state = state
        if state in st.FINAL:
            self.finals.append((number, state))
        self._changes.append(Change(number, state, record.attempt, code, message, request_id))

    def doubt_again(self, lane: Lane) -> None:
        """Let what is to be sent, and once went without an answer, be looked at instead.

        Its first request may have had its effect since it was last looked for.
        """
        lost = [number for number in lane.unsent() if self._lost[number]]
        lane.drop(lost)
        for number in lost:
            self.set(number, st.UNKNOWN, message="sent once without an answer")
            lane.unknown[number] = None
            lane.attached = False

    def skip(self, lane: Lane, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Take steps that are still to be sent out of a lane for good."""
        gone = list(numbers)
        lane.drop(gone)
        for number in gone:
            self.set(number, st.SKIPPED, code, message)

    def make_lanes(
        self, live: Mapping[str, frozenset[Route]], may_go: Callable[[int], bool]
    ) -> dict[str, Lane]:
        """Return the lanes of all steps, each step where its record has it.

        Parameters
        ----------
        live : mapping of str to frozenset of Route
        may_go : callable
            Whether a pending step waits for nothing.
        """
        lanes: dict[str, Lane] = {}
        for step in self.steps.values():
            lane = lanes.get(step.lane)
            if lane is None:
                start = live.get(step.lane, frozenset())
                lane = Lane(step.lane, step.region_id, start, list_after=self._options.list_after)
                lanes[step.lane] = lane
            self._put(step.number, lane, may_go)
        return lanes

    def _put(self, number: int, lane: Lane, may_go: Callable[[int], bool]) -> None:
        lane.numbers.append(number)
        state = self.records[number].state
        if state == st.PENDING and may_go(number):
            lane.put(number)
        elif state == st.PENDING:
            lane.waiting.add(number)
        elif state in (st.SENT, st.UNKNOWN):
            self.set(number, st.UNKNOWN, message="the rollout broke off before an answer")
            lane.unknown[number] = None
        elif state in (st.ACCEPTED, st.SETTLED):
            lane.settled[number] = None

    def settle(self, lane: Lane, listed: frozenset[Route]) -> list[int]:
        """Decide the steps that were in doubt when a listing was asked for, by what it shows.

        Returns
        -------
        list of int
            Steps that came to nothing and are to be sent again; they stand in the lane for it.
        """
        again = []
        doubts = frozenset(lane.doubts())
        for number in (asked for asked in lane.asked if asked in doubts):
            refused = lane.unknown.get(number)
            if self.steps[number].shows(listed):
                self.set(number, st.DONE)
            elif lane.held is not None:
                continue
            elif refused is not None:
                self.set(number, st.FAILED, refused, "refused, and the listing shows it is not so")
            elif self._miss(number, accepted=number in lane.settled):
                again.append(number)
                lane.put(number)
            lane.decided(number)
        return again

    def _miss(self, number: int, *, accepted: bool) -> bool:
        """Note that a step came to nothing; tell whether it is to be sent again.

        An accepted attempt has had its outcome, so its token is used up. One whose answer was lost
        may still be on its way, so it is sent again as the same request.
        """
        record = self.records[number]
        if accepted:
            record.misses += 1
            record.attempt += 1
            said = ("TaskFailed", "accepted, but the listing does not show it")
            last = record.misses >= self._options.step_attempts
        else:
            self._lost[number] += 1
            said = ("NoAnswer", "no answer, and the listing does not show it")
            last = self._lost[number] >= self._options.lost_attempts
        self.set(number, st.FAILED if last else st.PENDING, *said)
        return not last
