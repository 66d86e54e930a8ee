"""One connection and all its steps: where they stand, and what it wants next.

Only this file changes what a connection or a step is: `Connection.move` is the one function that
moves a step to another state, and gives the one record that the journal, tallies and observers get.
Whoever else wants something changed calls a method.

A step stands in one place, which follows from its state::

    pending   ready, or waiting for other steps or its wave
    sent      nowhere: its call is on its way
    unknown   unresolved: a look comes before anything else is sent
    accepted  task: the cloud works on it
    settled   unverified: a listing is to show it
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

#: How often a listing that changes while it is read is begun anew before it is taken as it is.
_RESTARTS: Final = 5
#: Listings in a row that must agree on a delete or a lowered weight: a route that has gone may show
#: up again for some seconds. One listing proves what is made.
_AGREEING: Final = 3
#: How many must agree before such a step fails: to send it once more does less harm.
_BEFORE_FAILING: Final = 10
#: Listings after which such a step is taken as the last one shows it, whether or not they agree.
_LISTINGS: Final = 20
#: What is said of a changed weight that no listing tells.
_NOT_TOLD: Final = "accepted; the listing does not tell weights"
#: How often the wait after a write that came too soon is doubled, where one follows another.
_DOUBLINGS: Final = 4


class Want(StrEnum):
    """What a connection does next."""

    LIST = "list"
    POLL = "poll"
    SEND = "send"


@dataclass(slots=True)
class Record:
    """Where a step stands, as the journal knows it.

    Parameters
    ----------
    state : State
    attempt : int
        Rises after each definite refusal; part of the client token.
    misses : int
        How often it was accepted and came to nothing.
    """

    state: State
    attempt: int = 0
    misses: int = 0


@dataclass(slots=True)
class Evidence:
    """What listings have shown so far of a step that takes a route away, or lowers its weight.

    Parameters
    ----------
    is_done : bool
        What the latest ones agree on.
    agreeing, listings : int
        How many of the latest ones do, and how many have counted in all.
    at : float
        When the last one that counted came.
    """

    is_done: bool
    agreeing: int
    listings: int
    at: float


@dataclass(eq=False, slots=True)
class Connection:
    """The steps of one connection; of its calls, one is under way at a time.

    What it wants is not stored but follows from where its steps stand (`wants`).

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
        Steps that may be sent, ascending; the first goes first.
    waiting : set of int
        Steps that wait for steps of any connection, or for their wave.
    task : int or None
        Step that was accepted and whose task runs.
    unverified : dict of int to None
        Steps whose task has ended, to be seen in a listing.
    unresolved : dict of int to str or None
        Steps that may have happened, to be looked at before anything else; with the code of the
        refusal, where it was one.
    snapshot : tuple of int
        Steps in doubt when the first page of the listing under way was asked for: those, and no
        later ones, it decides.
    has_baseline : bool
        Whether it was listed before anything is sent, or need not be.
    attached : bool
        Whether it was seen attached and nothing was sent since.
    has_dependents : bool
        Whether steps of other connections wait for an unverified step of this one.
    listing_fits : bool
        Whether its listing fits into the time of a task, so that it costs nothing.
    verify : bool
        Whether it is to be read back at the end.
    list_needs_attached : bool
        Whether it can be listed only once it was seen attached.
    suspended : str or None
        Why nothing more is sent and nothing more can be known of it in this run; what is in doubt
        stays so, after one more listing.
    was_sent_to : bool
        Whether a step of it was sent in this run.
    write_ended_at : float
        When its last write ended; infinite while one is on its way. A look that left before that
        says nothing.
    over_at : float
        When its last task was first seen over; infinite until then, and while one may be running.
    conflicts : int
        Writes that came too soon after a task, in a row.
    seen : frozenset of Route or None
        What its latest listing showed, at ``seen_at``.
    page : int
        Page of its listing that is read next.
    not_before, poll_at : float
        Before when it is left alone, and before when its state is not read.
    accepted_at, running_at : float
        When the latest task was accepted, and when it was last seen running.
    """

    name: str
    region_id: str
    start: frozenset[Route]
    options: Options
    tell: Callable[[StepChanged], None]
    steps: dict[int, Step] = field(default_factory=dict)
    # -- where the steps stand
    ready: list[int] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    task: int | None = None
    unverified: dict[int, None] = field(default_factory=dict)
    unresolved: dict[int, str | None] = field(default_factory=dict)
    _evidence: dict[int, Evidence] = field(default_factory=dict)
    _records: dict[int, Record] = field(default_factory=dict)
    _lost: Counter[int] = field(default_factory=Counter)
    # -- what is known of it
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
    # -- of the listing under way
    page: int = 1
    _listing: list[Route] = field(default_factory=list)
    _total: int = -1
    _counted: int = 0
    _restarts: int = 0
    _list_after: int = 1

    def __post_init__(self) -> None:
        self._list_after = self.options.list_after

    def add(self, step: Step, record: Record, *, may_go: bool) -> None:
        """Take a step in, where its record has it; a pending one that may not go waits."""
        number, state = step.number, record.state
        self.steps[number] = step
        self._records[number] = Record(state, record.attempt, record.misses)
        if state == State.PENDING and not may_go:
            self.waiting.add(number)
        elif state == State.PENDING:
            insort(self.ready, number)
        elif state in (State.SENT, State.UNKNOWN):
            self.move(number, State.UNKNOWN, message="the rollout broke off before an answer")
        elif state in (State.ACCEPTED, State.SETTLED):
            self.unverified[number] = None

    # -- the one way of a step from state to state ----------------------------------------------

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
        """Move a step to another state, and to the place that goes with it.

        Parameters
        ----------
        number : int
        state : State
        code, message, request_id : str, optional
            Of the answer behind it.
        new_attempt : bool
            Whether its token is used up: the outcome of the last one is known.
        missed : bool
            Whether it was accepted and came to nothing.
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
        """Take a step out of the place that goes with a state."""
        if state == State.PENDING and number in self.waiting:
            self.waiting.remove(number)
        elif state == State.PENDING:
            del self.ready[bisect_left(self.ready, number)]
        elif number == self.task:
            self.task = None
        else:
            self.unresolved.pop(number, None)
            self.unverified.pop(number, None)

    # -- what is asked of it --------------------------------------------------------------------

    @property
    def left(self) -> int:
        """Number of steps that are still to be sent, or whose task runs."""
        return len(self.ready) + len(self.waiting) + (self.task is not None)

    @property
    def in_doubt(self) -> bool:
        """Whether the cloud may hold something of it that no listing has shown."""
        return bool(self.unverified or self.unresolved or self.task is not None)

    @property
    def undone(self) -> bool:
        """Whether steps are to be sent or in doubt."""
        return bool(self.ready or self.waiting or self.in_doubt)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do, now or later."""
        if self.suspended is not None:
            return not self.verify and self.page == 1
        return self.has_baseline and not (self.undone or self.verify or self.page > 1)

    @property
    def operation(self) -> str:
        """Operation of its next write; where it has none, of its last step, empty for none."""
        number = self.ready[0] if self.ready else next(reversed(self.steps))
        return OPERATION.get(self.steps[number].action, "")

    def unsent(self) -> list[int]:
        """Return the steps that are still to be sent, in order."""
        return sorted([*self.ready, *self.waiting])

    def attempt(self, number: int) -> int:
        """Return the number of a step's attempt."""
        return self._records[number].attempt

    def holdings(self) -> Holdings:
        """Return what it was seen to hold, beside what is planned for it."""
        steps = tuple((step, self._records[n].state) for n, step in self.steps.items())
        return Holdings(self.region_id, self.name, self.start, steps, self.seen)

    def wants(self, *, sending: bool = True, patient: bool = False) -> Want | None:
        """Return what it does next; None when it has nothing.

        While a task runs it has nothing else to do, so that is when unverified steps are looked
        up; a listing that takes longer than a task waits until enough have come together.

        Parameters
        ----------
        sending : bool
            Whether anything may be sent at all.
        patient : bool
            Whether it has time.
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
        """Before when one more listing would say nothing new of what is in doubt."""
        if not self._evidence or len(self._evidence) < len(self.unverified) + len(self.unresolved):
            return 0.0
        return max(found.at for found in self._evidence.values()) + self.options.poll_interval

    def _is_list_due(self) -> bool:
        """Tell whether unverified steps are to be looked up though more are to be sent.

        Those that one listing has shown are looked up again at the end, with the last ones.
        """
        new = len(self.unverified) - sum(number in self.unverified for number in self._evidence)
        if new >= self._list_after:
            return True
        # A long listing is begun early only for some steps, or it would cost more than it brings.
        worth_it = 4 * new * PAGE_SIZE >= len(self.seen or ())
        return bool(new) and self.has_dependents and worth_it

    def _doubts(self) -> tuple[int, ...]:
        """Return the steps that a listing asked for now decides."""
        running = () if self.task is None or self.suspended is None else (self.task,)
        return (*self.unverified, *self.unresolved, *running)

    # -- writes ---------------------------------------------------------------------------------

    def send(self) -> int:
        """Let the step that is sent next go; return its number."""
        number = self.ready[0]
        self.attached, self.write_ended_at, self.was_sent_to = False, inf, True
        self.move(number, State.SENT)
        return number

    def write_ended(self, now: float) -> None:
        """Note that its write came back, or will not."""
        self.write_ended_at = now

    def write_answered(self, *, changes_state: bool, too_soon: bool) -> None:
        """Note that its write was answered.

        A refusal changes nothing: what was attached still is, unless the refusal says busy.
        """
        self.conflicts = self.conflicts + 1 if too_soon else 0
        self.attached = not changes_state

    def accept(self, number: int, now: float, *said: str | None) -> None:
        """Note that a step was accepted: its task runs from now on."""
        self.move(number, State.ACCEPTED, *said)
        self.accepted_at = self.running_at = now
        self.over_at = inf

    def doubt(self, number: int, *said: str | None) -> None:
        """Note that a step may have happened: its task may be running."""
        self.move(number, State.UNKNOWN, *said)
        self.attached, self.over_at = False, inf

    def doubt_refusal(self, number: int, *said: str | None) -> None:
        """Note that a step was refused in a way that only a look can judge."""
        self.move(number, State.UNKNOWN, *said, new_attempt=True, refused=True)
        self.attached = False

    def doubt_again(self) -> None:
        """Let what is to be sent, and once went without an answer, be looked at instead.

        Its first request may have had its effect since it was last looked for.
        """
        for number in [number for number in self.unsent() if self._lost[number]]:
            self.move(number, State.UNKNOWN, message="sent once without an answer")
            self.attached = False

    def skip(self, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Take steps that are still to be sent out of it for good."""
        for number in list(numbers):
            self.move(number, State.SKIPPED, code, message)

    def release(self, number: int, *, anew: bool = False) -> bool:
        """Let a step that has waited go; tell whether it was still waiting.

        Parameters
        ----------
        number : int
        anew : bool
            Whether hours may have passed since the connection was seen.
        """
        if anew:
            self.attached = False
        if number not in self.waiting:
            return False
        self.waiting.remove(number)
        insort(self.ready, number)
        return True

    # -- when it is called next -----------------------------------------------------------------

    def answered(self) -> None:
        """Note that the cloud has answered."""
        self._failures = 0

    def back_off(self, now: float, asked: float | None = None) -> None:
        """Wait after a call without an answer, longer each time, or as the cloud has asked."""
        options = self.options
        self._failures += 1
        wait = min(options.backoff_cap, options.backoff * 2.0 ** (self._failures - 1))
        self.not_before = now + max(wait, asked or 0.0)

    def back_off_after_conflict(self, now: float) -> None:
        """Wait after a write that came too soon, longer where one follows another."""
        more = min(self.conflicts - 1, _DOUBLINGS)
        # Not only its own look waits: a page that others ask for may show it attached before.
        self.not_before = now + self.options.poll_interval * 2.0**more

    def look_at(self, time: float) -> None:
        """Leave its state unread until a time."""
        self.poll_at = time

    # -- states ---------------------------------------------------------------------------------

    def see_attached(self, now: float) -> int | None:
        """Note that it was seen attached; return the step whose task is over, if one ran."""
        self.attached, self.list_needs_attached = True, False
        self.over_at = min(self.over_at, now)
        task = self.task
        if task is not None:
            self.move(task, State.SETTLED)
        return task

    def see_busy(self, sent: float) -> None:
        """Note that it was seen on its way to being attached, by a look that left at a time."""
        self.attached, self.over_at = False, inf
        self.running_at = max(self.running_at, sent)

    def suspend(self, why: str, *, look: bool = True) -> None:
        """Send nothing more; look once more at what is in doubt, if that can be."""
        self.suspended = self.suspended or why
        self.verify = look and self.in_doubt
        self.forget_listing()

    def depend(self, *, has_dependents: bool) -> None:
        """Note whether others wait for an unverified step."""
        self.has_dependents = has_dependents

    # -- listings -------------------------------------------------------------------------------

    def begin_listing(self) -> None:
        """Note what a listing decides whose first page is asked for now."""
        # A first look decides nothing: tasks may be under way while it is taken.
        self.snapshot = self._doubts() if self.has_baseline else ()

    def forget_listing(self) -> None:
        """Begin a listing anew."""
        self._listing, self.page, self._total, self._counted = [], 1, -1, 0

    def read_back(self) -> None:
        """Have it listed once more."""
        self.verify = True

    def need_no_baseline(self) -> None:
        """Go on without a first listing, or after it."""
        self.has_baseline = True

    def need_baseline(self) -> None:
        """Compare it anew with what the plan saw before anything more is sent."""
        self.has_baseline = False
        self.forget_listing()
        self.doubt_again()

    def list_once_attached(self) -> None:
        """Note that the cloud lists it only while it is attached."""
        self.list_needs_attached, self.attached = True, False

    def add_page(self, page: tuple[Route, ...], rows: int, total: int) -> frozenset[Route] | None:
        """Add a page; return the routes once all are there and the list held still meanwhile."""
        moved = self._total not in (-1, total)
        self._total = total
        self._listing += page
        self._counted += rows
        if not moved and self._counted < total and rows:
            self.page += 1
            return None
        routes = frozenset(self._listing)
        # Between two pages a route that goes shifts another over the edge, unseen; one that comes
        # shows one twice.
        moved = moved or self._counted != total or len(routes) != len(self._listing)
        self.forget_listing()
        if moved and self._restarts < _RESTARTS:
            self._restarts += 1
            self.listing_fits = False
            return None
        self._restarts = 0
        return routes

    def see(self, routes: frozenset[Route], now: float, *, fits: bool) -> None:
        """Note what a listing shows."""
        self.listing_fits = fits
        self._list_after = max(self.options.list_after, len(routes) // 2)
        self.seen, self.seen_at, self.verify = routes, now, False

    def settle(self, routes: frozenset[Route], now: float) -> list[int]:
        """Decide the steps that were in doubt when a listing was asked for, by what it shows.

        Returns
        -------
        list of int
            Steps that came to nothing and are to be sent again.
        """
        again = []
        doubts = frozenset(self._doubts())
        for number in (asked for asked in self.snapshot if asked in doubts):
            refused = self.unresolved.get(number)
            step = self.steps[number]
            is_told = step.is_shown_by(routes)
            # Of a changed weight that a listing does not tell, an answer tells; where that was
            # lost, the same request is sent again.
            shows = step.shows(routes) and (is_told or number not in self._lost_answers())
            if step.removes_coverage and not self._is_decided(number, now, is_done=shows):
                # A suspended connection is listed once, and then again only for this.
                self.verify = self.verify or self.suspended is not None
            elif shows:
                self.move(number, State.DONE, message=None if is_told else _NOT_TOLD)
            elif self.suspended is not None:
                continue
            elif refused is not None:
                why = "refused, and the listing shows it is not so"
                self.move(number, State.FAILED, refused, why)
            elif self._miss(number, is_told=is_told).new == State.PENDING:
                again.append(number)
        return again

    def _lost_answers(self) -> set[int]:
        """Return the steps whose answer was lost."""
        return {number for number, refused in self.unresolved.items() if refused is None}

    def _is_decided(self, number: int, now: float, *, is_done: bool) -> bool:
        """Note what a listing shows of a step; tell whether enough of them in a row agree."""
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
        """Tell whether a step fails if it came to nothing."""
        if number in self.unverified:
            return self._records[number].misses + 1 >= self.options.step_attempts
        if self.unresolved.get(number) is not None:
            return True
        return self._lost[number] + 1 >= self.options.lost_attempts

    def _miss(self, number: int, *, is_told: bool) -> StepChanged:
        """Note that a step came to nothing: it is sent again, or has failed.

        An accepted attempt has had its outcome, so its token is used up. One whose answer was lost
        may still be on its way, so it is sent again as the same request.
        """
        state = State.FAILED if self._is_last_attempt(number) else State.PENDING
        if number in self.unverified:
            said = ("TaskFailed", "accepted, but the listing does not show it")
            return self.move(number, state, *said, new_attempt=True, missed=True)
        self._lost[number] += 1
        shown = "show it" if is_told else "tell weights"
        return self.move(number, state, "NoAnswer", f"no answer, and the listing does not {shown}")

    def give_up(self, numbers: Iterable[int], code: str | None, message: str | None) -> None:
        """Let steps fail of which nothing can be known, or that cannot be sent at all."""
        for number in list(numbers):
            self.move(number, State.FAILED, code, message)

    def give_up_doubts(self, code: str | None, message: str) -> None:
        """Let steps fail of which nothing can be known any more."""
        self.give_up(self._doubts(), code, message)
