"""One connection with all its steps: their states, and what the connection does next.

Only this module changes a connection or a step. `Connection.move` is the only function that moves
a step to another state; it makes the record that the journal, counts and observers get. Other
modules call methods to change something.

The state of a step decides which attribute of the connection holds it::

    pending   ready, or waiting for other steps or its wave
    sent      none: its call is in progress
    unknown   unresolved: a listing must come before anything else is sent
    accepted  task: the cloud is working on it
    settled   unverified: a listing has to show it
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final

from vcokit.cloud.operations import PAGE_SIZE
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.options import Options
from vcokit.rollout.reconcile import Holdings
from vcokit.rollout.steps import OPERATION, Route, State, Step

#: How often a listing that changes while it is read is started again before it is used as it is.
_RESTARTS: Final = 5
#: Consecutive listings that must agree on a delete or a lowered weight: a deleted route may show up
#: again for some seconds. One listing proves a create or a raised weight.
_AGREEING: Final = 3
#: Consecutive listings that must agree before such a step fails: sending it again does less harm.
_BEFORE_FAILING: Final = 10
#: Number of listings after which the last one decides such a step, even if they do not agree.
_LISTINGS: Final = 20
#: Message of a changed weight if the listing does not report weights.
_NOT_TOLD: Final = "accepted; the listing does not report weights"
#: How often the wait after a write that came too soon is doubled while such refusals continue.
_DOUBLINGS: Final = 4


class Want(StrEnum):
    """What a connection does next."""

    LIST = "list"
    POLL = "poll"
    SEND = "send"


@dataclass(slots=True)
class Record:
    """The progress of a step, as the journal keeps it.

    Parameters
    ----------
    state : State
    attempt : int
        Rises after each definite refusal; part of the client token.
    misses : int
        How often it was accepted without an effect.
    """

    state: State
    attempt: int = 0
    misses: int = 0


@dataclass(slots=True)
class Evidence:
    """What listings have shown so far of a step that deletes a route or lowers its weight.

    Parameters
    ----------
    is_done : bool
        What the latest listings agree on.
    agreeing, listings : int
        How many of the latest listings agree, and how many have counted in total.
    at : float
        Time of the last listing that counted.
    """

    is_done: bool
    agreeing: int
    listings: int
    at: float


@dataclass(eq=False, slots=True)
class Connection:
    """The steps of one connection; only one of its calls is in progress at a time.

    What it does next is not stored; `wants` derives it from the states of its steps.

    Parameters
    ----------
    name, region_id : str
    start : frozenset of Route
        Live routes that the plan was made from.
    options : Options
    tell : callable
        Called with each change of a step.

    Attributes
    ----------
    ready : list of int
        Steps that may be sent, ascending; the first one is sent next.
    waiting : set of int
        Steps that wait for steps of any connection, or for their wave.
    task : int or None
        Step that was accepted and whose task is running.
    unverified : dict of int to None
        Steps whose task has ended and that no listing has shown yet.
    unresolved : dict of int to str or None
        Steps that may have taken effect, to be checked in a listing before anything else; with the
        code of the refusal if there was one.
    snapshot : tuple of int
        Steps in doubt when the first page of the current listing was requested. The listing decides
        these steps and no later ones.
    has_baseline : bool
        Whether it was listed before the first write, or does not need to be.
    attached : bool
        Whether it was seen attached and nothing was sent since.
    has_dependents : bool
        Whether steps of other connections wait for an unverified step of this one.
    listing_fits : bool
        Whether it can be listed while a task runs, so that the listing takes no extra time.
    verify : bool
        Whether it has to be listed once more.
    list_needs_attached : bool
        Whether it can be listed only after it was seen attached.
    suspended : str or None
        Why nothing more is sent to it and nothing more can be found out about it in this run. Steps
        in doubt that one more listing does not show stay in doubt.
    was_sent_to : bool
        Whether a step of it was sent in this run.
    write_ended_at : float
        When its last write ended; infinite while one is in progress. A read that was sent before
        that time proves nothing.
    over_at : float
        When its last task was first seen to be over; infinite before that, and while a task may be
        running.
    conflicts : int
        Number of consecutive writes that came too soon after a task.
    seen : frozenset of Route or None
        What its latest listing showed, at ``seen_at``.
    page : int
        Page of its listing that is read next.
    not_before, poll_at : float
        Earliest time of its next call, and earliest time at which its state is read.
    accepted_at, running_at : float
        When the latest task was accepted, and when it was last seen running.
    """

    name: str
    region_id: str
    start: frozenset[Route]
    options: Options
    tell: Callable[[StepChanged], None]
    steps: dict[int, Step] = field(default_factory=dict)
    # -- the steps by place
    ready: list[int] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    task: int | None = None
    unverified: dict[int, None] = field(default_factory=dict)
    unresolved: dict[int, str | None] = field(default_factory=dict)
    _evidence: dict[int, Evidence] = field(default_factory=dict)
    _records: dict[int, Record] = field(default_factory=dict)
    _lost: Counter[int] = field(default_factory=Counter)
    # -- what is known about the connection
    snapshot: tuple[int, ...] = ()
    has_baseline: bool = False
    attached: bool = False
    has_dependents: bool = False
    listing_fits: bool = True
    verify: bool = False
    list_needs_attached: bool = False
    suspended: str | None = None
    was_sent_to: bool = False
    write_ended_at: float = -1.0
    seen: frozenset[Route] | None = None
    seen_at: float = -1.0
    not_before: float = 0.0
    poll_at: float = 0.0
    accepted_at: float = 0.0
    running_at: float = 0.0
    over_at: float = inf
    conflicts: int = 0
    _failures: int = 0
    # -- the current listing
    page: int = 1
    _listing: list[Route] = field(default_factory=list)
    _total: int = -1
    _counted: int = 0
    _restarts: int = 0
    _list_after: int = 1

    def __post_init__(self) -> None:
        self._list_after = self.options.list_after

    def add(self, step: Step, record: Record, *, may_go: bool) -> None:
        """Add a step in the state of its record; with `may_go` False, a pending step waits."""
        number, state = step.number, record.state
        self.steps[number] = step
        self._records[number] = Record(state, record.attempt, record.misses)
        if state == State.PENDING and not may_go:
            self.waiting.add(number)
        elif state == State.PENDING:
            insort(self.ready, number)
        elif state in (State.SENT, State.UNKNOWN):
            self.move(number, State.UNKNOWN, message="the rollout was interrupted before an answer")
        elif state in (State.ACCEPTED, State.SETTLED):
            self.unverified[number] = None

    # -- how a step changes its state -----------------------------------------------------------

    def move(
        self,
        number: int,
        state: State,
        code: str | None = None,
        message: str | None = None,
        request_id: str | None = None,
        *,
        new_attempt: bool = False,
        missed: bool = False,
        refused: bool = False,
    ) -> StepChanged:
        """Move a step to another state, and to the attribute that holds steps in that state.

        Parameters
        ----------
        number : int
        state : State
        code, message, request_id : str, optional
            Of the answer that caused it.
        new_attempt : bool
            Whether its token is used up, because the outcome of the last attempt is known.
        missed : bool
            Whether it was accepted without an effect.
        refused : bool
            Whether it becomes unknown although it was refused.

        Returns
        -------
        StepChanged
            What `tell` was called with.
        """
        record = self._records[number]
        old = record.state
        self._leave(number, old)
        self._evidence.pop(number, None)
        record.state = state
        record.attempt += new_attempt
        record.misses += missed
        if state == State.PENDING:
            insort(self.ready, number)
        elif state == State.UNKNOWN:
            self.unresolved[number] = code if refused else None
        elif state == State.ACCEPTED:
            self.task = number
        elif state == State.SETTLED:
            self.unverified[number] = None
        answer = (code, message, request_id)
        change = StepChanged(0.0, number, old, state, *answer, record.attempt, record.misses)
        self.tell(change)
        return change

    def _leave(self, number: int, state: State) -> None:
        """Remove a step from the attribute that holds steps in a state."""
        if state == State.PENDING and number in self.waiting:
            self.waiting.remove(number)
        elif state == State.PENDING:
            del self.ready[bisect_left(self.ready, number)]
        elif number == self.task:
            self.task = None
        else:
            self.unresolved.pop(number, None)
            self.unverified.pop(number, None)

    # -- queries --------------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """Number of steps that are still to be sent, or whose task is running."""
        return len(self.ready) + len(self.waiting) + (self.task is not None)

    @property
    def in_doubt(self) -> bool:
        """Whether the cloud may hold a change that no listing has shown."""
        return bool(self.unverified or self.unresolved or self.task is not None)

    @property
    def undone(self) -> bool:
        """Whether steps are to be sent or in doubt."""
        return bool(self.ready or self.waiting or self.in_doubt)

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do, now or later."""
        if self.suspended is not None:
            return not self.verify and self.page == 1
        return self.has_baseline and not (self.undone or self.verify or self.page > 1)

    @property
    def operation(self) -> str:
        """Operation of its next write, else of its last step; empty if that sends nothing."""
        number = self.ready[0] if self.ready else next(reversed(self.steps))
        return OPERATION.get(self.steps[number].action, "")

    def unsent(self) -> list[int]:
        """Return the steps that are still to be sent, in order."""
        return sorted([*self.ready, *self.waiting])

    def attempt(self, number: int) -> int:
        """Return the attempt number of a step."""
        return self._records[number].attempt

    def holdings(self) -> Holdings:
        """Return what it was seen to hold, together with what is planned for it."""
        steps = tuple((step, self._records[n].state) for n, step in self.steps.items())
        return Holdings(self.region_id, self.name, self.start, steps, self.seen)

    def wants(self, *, sending: bool = True, patient: bool = False) -> Want | None:
        """Return what it does next; None if there is nothing to do.

        While a task runs, the connection is free for a listing of its unverified steps. A listing
        that takes longer than a task waits until there are enough of them.

        Parameters
        ----------
        sending : bool
            Whether anything may be sent at all.
        patient : bool
            Whether it has time to spare.
        """
        if self.list_needs_attached and self.suspended is None:
            return Want.POLL
        if not self.has_baseline or self.page > 1 or self.verify:
            return Want.LIST
        if self.suspended is not None:
            return None
        if self.task is not None:
            return Want.LIST if self.listing_fits and self._is_list_due() else Want.POLL
        if not (self.ready or self.unresolved or self.unverified):
            return None
        if not self.attached:
            return Want.POLL
        if self.unresolved or not self.ready or not sending:
            return Want.LIST if self.unresolved or self.unverified else Want.SEND
        hurried = self.has_dependents and patient
        return (
            Want.LIST if self._is_list_due() and (hurried or not self.listing_fits) else Want.SEND
        )

    @property
    def list_at(self) -> float:
        """Time before which another listing would give no new evidence for the steps in doubt."""
        if not self._evidence or len(self._evidence) < len(self.unverified) + len(self.unresolved):
            return 0.0
        return max(found.at for found in self._evidence.values()) + self.options.poll_interval

    def _is_list_due(self) -> bool:
        """Return whether unverified steps are listed now even though more are to be sent.

        Steps that one listing has shown are listed again at the end, with the last ones.
        """
        new = len(self.unverified) - sum(number in self.unverified for number in self._evidence)
        if new >= self._list_after:
            return True
        # A long listing early is worth its calls only if it decides enough steps.
        worth_it = 4 * new * PAGE_SIZE >= len(self.seen or ())
        return bool(new) and self.has_dependents and worth_it

    def _doubts(self) -> tuple[int, ...]:
        """Return the steps that a listing requested now would decide."""
        running = () if self.task is None or self.suspended is None else (self.task,)
        return (*self.unverified, *self.unresolved, *running)

    # -- writes ---------------------------------------------------------------------------------

    def send(self) -> int:
        """Mark the next step as sent; return its number."""
        number = self.ready[0]
        self.attached, self.write_ended_at, self.was_sent_to = False, inf, True
        self.move(number, State.SENT)
        return number

    def write_ended(self, now: float) -> None:
        """Record that its write returned, or never will."""
        self.write_ended_at = now

    def write_answered(self, *, changes_state: bool, too_soon: bool) -> None:
        """Record that its write was answered.

        A refusal changes no state: an attached connection is still attached, unless the refusal
        says that it is busy.
        """
        self.conflicts = self.conflicts + 1 if too_soon else 0
        self.attached = not changes_state

    def accept(self, number: int, now: float, *said: str | None) -> None:
        """Record that a step was accepted: its task runs from now on."""
        self.move(number, State.ACCEPTED, *said)
        self.accepted_at = self.running_at = now
        self.over_at = inf

    def doubt(self, number: int, *said: str | None) -> None:
        """Record that a step may have taken effect: its task may be running."""
        self.move(number, State.UNKNOWN, *said)
        self.attached, self.over_at = False, inf

    def doubt_refusal(self, number: int, *said: str | None) -> None:
        """Record that a step was refused, but that only a listing shows whether it took effect."""
        self.move(number, State.UNKNOWN, *said, new_attempt=True, refused=True)
        self.attached = False

    def doubt_again(self) -> None:
        """Mark unsent steps that were sent before as unknown, so that they are checked first.

        A request without an answer may have taken effect since the last check, and so may a second
        copy of a request that was refused.
        """
        for number in self.unsent():
            if self._lost[number] or self.attempt(number):
                self.move(number, State.UNKNOWN, message="sent before, and not yet seen")
                self.attached = False

    def skip(self, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Skip steps that are still to be sent, permanently."""
        for number in list(numbers):
            self.move(number, State.SKIPPED, code, message)

    def release(self, number: int, *, anew: bool = False) -> bool:
        """Let a waiting step be sent; return whether it was still waiting.

        Parameters
        ----------
        number : int
        anew : bool
            Whether hours may have passed since the connection was last read.
        """
        if anew:
            self.attached = False
        if number not in self.waiting:
            return False
        self.waiting.remove(number)
        insort(self.ready, number)
        return True

    # -- when the next call is allowed ----------------------------------------------------------

    def answered(self) -> None:
        """Record that the cloud has answered."""
        self._failures = 0

    def back_off(self, now: float, asked: float | None = None) -> None:
        """Wait after a call without an answer, longer each time, or as long as the cloud asked."""
        options = self.options
        self._failures += 1
        wait = min(options.backoff_cap, options.backoff * 2.0 ** (self._failures - 1))
        self.not_before = now + max(wait, asked or 0.0)

    def back_off_after_conflict(self, now: float) -> None:
        """Wait after a write that came too soon, longer each time in a row."""
        more = min(self.conflicts - 1, _DOUBLINGS)
        # Not only its own polls wait: a page read for others may show it attached earlier.
        self.not_before = now + self.options.poll_interval * 2.0**more

    def look_at(self, time: float) -> None:
        """Do not read its state before a time."""
        self.poll_at = time

    # -- states ---------------------------------------------------------------------------------

    def see_attached(self, now: float) -> int | None:
        """Record that it was seen attached; return the step whose task is over, if one ran."""
        self.attached, self.list_needs_attached = True, False
        self.over_at = min(self.over_at, now)
        task = self.task
        if task is not None:
            self.move(task, State.SETTLED)
        return task

    def see_busy(self, sent: float) -> None:
        """Record that it was seen in a passing state, by a read sent at a given time."""
        self.attached, self.over_at = False, inf
        self.running_at = max(self.running_at, sent)

    def suspend(self, why: str, *, look: bool = True) -> None:
        """Send nothing more; list steps in doubt once more, if that is possible."""
        self.suspended = self.suspended or why
        self.verify = look and self.in_doubt
        self.forget_listing()

    def depend(self, *, has_dependents: bool) -> None:
        """Record whether others wait for an unverified step."""
        self.has_dependents = has_dependents

    # -- listings -------------------------------------------------------------------------------

    def begin_listing(self) -> None:
        """Record the steps that the listing requested now will decide."""
        # The first listing decides nothing: tasks may be running while it is read.
        self.snapshot = self._doubts() if self.has_baseline else ()

    def forget_listing(self) -> None:
        """Discard the current listing, so that the next one starts at page 1."""
        self._listing, self.page, self._total, self._counted = [], 1, -1, 0

    def read_back(self) -> None:
        """Request one more listing."""
        self.verify = True

    def need_no_baseline(self) -> None:
        """Continue without a first listing, or after it."""
        self.has_baseline = True

    def need_baseline(self) -> None:
        """Require a new comparison with the routes of the plan before anything more is sent."""
        self.has_baseline = False
        self.forget_listing()
        self.doubt_again()

    def list_once_attached(self) -> None:
        """Record that the cloud lists it only while it is attached."""
        self.list_needs_attached, self.attached = True, False

    def add_page(self, page: tuple[Route, ...], rows: int, total: int) -> frozenset[Route] | None:
        """Add a page; return the routes once all pages are read and the list did not change."""
        moved = self._total not in (-1, total)
        self._total = total
        self._listing += page
        self._counted += rows
        if not moved and self._counted < total and rows:
            self.page += 1
            return None
        routes = frozenset(self._listing)
        # A route that is deleted between two pages moves another one across the page edge, unseen;
        # a route that is created makes one appear twice.
        moved = moved or self._counted != total or len(routes) != len(self._listing)
        self.forget_listing()
        if moved and self._restarts < _RESTARTS:
            self._restarts += 1
            self.listing_fits = False
            return None
        self._restarts = 0
        return routes

    def see(self, routes: frozenset[Route], now: float, *, fits: bool) -> None:
        """Record what a listing shows."""
        self.listing_fits = fits
        self._list_after = max(self.options.list_after, len(routes) // 2)
        self.seen, self.seen_at, self.verify = routes, now, False

    def settle(self, routes: frozenset[Route], now: float) -> list[int]:
        """Decide the steps that were in doubt when the listing was requested, by what it shows.

        Returns
        -------
        list of int
            Steps that had no effect and are to be sent again.
        """
        again = []
        doubts = frozenset(self._doubts())
        for number in (asked for asked in self.snapshot if asked in doubts):
            refused = self.unresolved.get(number)
            step = self.steps[number]
            is_told = step.is_shown_by(routes)
            # If listings do not report weights, the answer decides a changed weight; if the answer
            # was lost, the same request is sent again.
            shows = step.shows(routes) and (is_told or number not in self._lost_answers())
            if step.removes_coverage and not self._is_decided(number, now, is_done=shows):
                # A suspended connection is listed once; only this case needs more listings.
                self.verify = self.verify or self.suspended is not None
            elif shows:
                self.move(number, State.DONE, message=None if is_told else _NOT_TOLD)
            elif self.suspended is not None:
                continue
            elif refused is not None:
                why = "refused, and the listing does not show the change"
                self.move(number, State.FAILED, refused, why)
            elif self._miss(number, is_told=is_told).new == State.PENDING:
                again.append(number)
        return again

    def _lost_answers(self) -> set[int]:
        """Return the steps whose answer was lost."""
        return {number for number, refused in self.unresolved.items() if refused is None}

    def _is_decided(self, number: int, now: float, *, is_done: bool) -> bool:
        """Record what a listing shows of a step; return whether enough listings in a row agree."""
        found = self._evidence.setdefault(number, Evidence(is_done, 0, 0, -inf))
        if found.is_done != is_done:
            found.is_done, found.agreeing = is_done, 0
        elif now < found.at + self.options.poll_interval:
            return False
        found.agreeing, found.listings, found.at = found.agreeing + 1, found.listings + 1, now
        fails = not is_done and self._is_last_attempt(number)
        enough = _BEFORE_FAILING if fails else _AGREEING
        return found.agreeing >= enough or found.listings >= _LISTINGS

    def _is_last_attempt(self, number: int) -> bool:
        """Return whether a step fails if this attempt had no effect."""
        if number in self.unverified:
            return self._records[number].misses + 1 >= self.options.step_attempts
        if self.unresolved.get(number) is not None:
            return True
        return self._lost[number] + 1 >= self.options.lost_attempts

    def _miss(self, number: int, *, is_told: bool) -> StepChanged:
        """Record that a step had no effect: it is sent again, or fails.

        The outcome of an accepted attempt is known, so its token is used up. A request whose answer
        was lost may still be on its way, so the same request is sent again.
        """
        state = State.FAILED if self._is_last_attempt(number) else State.PENDING
        if number in self.unverified:
            said = ("TaskFailed", "accepted, but the listing does not show it")
            return self.move(number, state, *said, new_attempt=True, missed=True)
        self._lost[number] += 1
        shown = "show it" if is_told else "tell weights"
        return self.move(number, state, "NoAnswer", f"no answer, and the listing does not {shown}")

    def give_up(self, numbers: Iterable[int], code: str | None, message: str | None) -> None:
        """Let steps fail whose outcome cannot be found out, or that cannot be sent at all."""
        for number in list(numbers):
            self.move(number, State.FAILED, code, message)

    def give_up_doubts(self, code: str | None, message: str) -> None:
        """Let all steps in doubt fail, because their outcome can no longer be found out."""
        self.give_up(self._doubts(), code, message)
