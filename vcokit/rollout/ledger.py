"""Where every step stands, and what has changed since somebody last asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

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
        self._lost: Counter[int] = Counter()
        self._changes: list[Change] = []

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
        record.state = state
        self._changes.append(Change(number, state, record.attempt, code, message, request_id))

    def skip(self, lane: Lane, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Take steps out of a lane's queue for good."""
        for number in numbers:
            self.set(number, st.SKIPPED, code, message)
            lane.queue.remove(number)

    def make_lanes(self, live: Mapping[str, frozenset[Route]]) -> dict[str, Lane]:
        """Return the lanes of all steps, each step where its record has it."""
        lanes: dict[str, Lane] = {}
        for step in self.steps.values():
            lane = lanes.get(step.lane)
            if lane is None:
                start = live.get(step.lane, frozenset())
                lane = Lane(step.lane, step.region_id, start, list_after=self._options.list_after)
                lanes[step.lane] = lane
            self._put(step.number, lane)
        return lanes

    def _put(self, number: int, lane: Lane) -> None:
        lane.numbers.append(number)
        state = self.records[number].state
        if state == st.PENDING:
            lane.queue.append(number)
        elif state in (st.SENT, st.UNKNOWN):
            self.set(number, st.UNKNOWN, message="the rollout broke off before an answer")
            lane.unknown[number] = None
        elif state in (st.ACCEPTED, st.SETTLED):
            lane.settled.append(number)

    def settle(self, lane: Lane, listed: frozenset[Route]) -> list[int]:
        """Decide every step in doubt by what a listing shows.

        Returns
        -------
        list of int
            Steps that came to nothing and are to be sent again; they stand first in the queue.
        """
        again = []
        for number in lane.in_doubt():
            refused = lane.unknown.get(number)
            if self.steps[number].shows(listed):
                self.set(number, st.DONE)
            elif refused is not None:
                self.set(number, st.FAILED, refused, "refused, and the listing shows it is not so")
            elif self._miss(number, accepted=number in lane.settled):
                again.append(number)
        lane.settled, lane.unknown = [], {}
        lane.queue.extendleft(reversed(again))
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
