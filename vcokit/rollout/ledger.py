"""Where every step stands, and what has changed since somebody last asked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import Change
from vcokit.rollout.lanes import Lane, Record
from vcokit.rollout.options import Options
from vcokit.rollout.steps import Route, Step


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
