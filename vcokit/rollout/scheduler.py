"""Which call next, at what time: pure, told everything, doing nothing.

The scheduler is given steps, live routes and limits, and then told what happens (see
`vcokit.rollout.alphabet`); it answers with changes of steps and decisions. It reads no clock and
sends nothing, so that it can be run in virtual time against any cloud.

Every lane goes its own round, one call at a time::

    list ─all lanes seen, none stale→ poll ─attached→ send ─200→ (task) → poll → send …
     ↑                                 ↑                │ no answer          │ nothing left to send
     └──── not there: send again ──────┴── in doubt ────┘                    ↓
                                                                 list ─seen→ done

and of the lanes that may send, the one with the most steps left goes first, so that the tail of
the rollout is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vcokit.cloud.codes import REPEATED
from vcokit.cloud.operations import KEY_CODES, PAGE_SIZE, Limit
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import (
    LIST,
    POLL,
    Answered,
    Command,
    Decision,
    Finished,
    Input,
    List,
    Listed,
    Poll,
    Polled,
    Round,
    Send,
    TimedOut,
    WaitUntil,
)
from vcokit.rollout.dispatch import Dispatch
from vcokit.rollout.lanes import Lane, Record, differences
from vcokit.rollout.ledger import Ledger
from vcokit.rollout.options import Options
from vcokit.rollout.steps import Route, Step

ATTACHED: Final = "attached"
#: States of a connection that pass by themselves; in any other but attached it takes no writes.
PASSING: Final = frozenset({"updating", "attaching", "provisioning", "upgrading"})

#: Refusals after which a look decides: the change may be there all the same, made by somebody
#: else or by this very step when its answer was lost.
_LOOK_FIRST: Final = frozenset({"VpnRouteEntry.AlreadyExists", "InvalidRouteEntry.NotFound"})

#: Refusals that every other step of the connection would meet too.
_OF_THE_CONNECTION: Final = frozenset(
    {
        "InvalidVpnConnectionInstanceId.NotFound",
        "VpnConnection.FinancialLocked",
        "Vco.StatusNotSupport",
    }
)


class Scheduler:
    """The decisions of one rollout.

    Parameters
    ----------
    steps : iterable of Step
        In the order in which a lane sends them.
    live : mapping of str to frozenset of Route
        By lane, the live routes that the plan was made from.
    limits : mapping of str to Limit
        By operation.
    options : Options
    records : mapping of int to Record, optional
        Where steps stand that have gone on already, from a journal.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        live: Mapping[str, frozenset[Route]],
        limits: Mapping[str, Limit],
        options: Options | None = None,
        records: Mapping[int, Record] | None = None,
    ) -> None:
        self.options = options or Options.in_force()
        self._ledger = Ledger(steps, self.options, records or {})
        self.steps, self.records = self._ledger.steps, self._ledger.records
        self.lanes = self._ledger.make_lanes(live)
        self._dispatch = Dispatch(
            self.lanes, limits, self.options.in_flight, lambda lane: self._write(lane.queue[0])
        )
        self._paused = False
        self._cancelled = False
        self._ending: Finished | None = None
        self._silent_since: float | None = None
        self._task_seconds = self.options.task_seconds
        self._differences: list[str] = []
        self._unseen = len(self.lanes)
        for lane in self.lanes.values():
            self._dispatch.queue_up(lane, 0.0)

    # -- the loop -------------------------------------------------------------------------------

    def advance(self, inputs: Iterable[Input], now: float) -> Round:
        """Take in what happened and return what changed and what to do.

        Parameters
        ----------
        inputs : iterable of Input
            In order of arrival; none when only time has passed.
        now : float
            Seconds since the rollout's start; never goes back.

        Returns
        -------
        Round
            Changes first to be written down, then decisions to be carried out. The decisions end
            in `WaitUntil` or `Finished`, or in neither while only an answer can bring news.
        """
        for event in inputs:
            self._take(event, now)
        decisions = self._decide(now)
        return Round(self._ledger.take_changes(), tuple(decisions))

    def _take(self, event: Input, now: float) -> None:
        match event:
            case Answered():
                self._answered(event, now)
            case TimedOut():
                self._timed_out(event, now)
            case Polled():
                self._polled(event, now)
            case Listed():
                self._listed(event, now)
            case Command():
                self._command(event, now)

    def _decide(self, now: float) -> list[Decision]:
        flying = self._dispatch.flying
        if self._ending is None and flying == 0 and self._all_ended():
            self._ending = Finished("cancelled" if self._cancelled else "finished")
        if self._ending is not None:
            return [] if flying else [self._ending]
        may_send = self._unseen == 0 and not self._paused
        going = self._dispatch.go(now, may_send=may_send)
        decisions = [self._decision(lane) for lane in going]
        wake = self._dispatch.next_time(now, may_send=may_send)
        return decisions if wake is None else [*decisions, WaitUntil(wake)]

    def _all_ended(self) -> bool:
        return all(lane.wants() is None for lane in self.lanes.values())

    def _decision(self, lane: Lane) -> Decision:
        want = lane.wants()
        if want == POLL:
            return Poll(lane.name)
        if want == LIST:
            return List(lane.name, lane.page)
        number = lane.queue.popleft()
        lane.attached = False
        self._ledger.set(number, st.SENT)
        return Send(number, self.records[number].attempt)

    def _write(self, number: int) -> str:
        return st.OPERATION[self.steps[number].action]

    # -- what happened --------------------------------------------------------------------------

    def _answered(self, event: Answered, now: float) -> None:
        step = self.steps[event.step]
        lane = self._end_call(step.lane, self._write(step.number), now)
        if event.kind == "server":
            self._doubt(lane, event.step, event.code, event.message, now)
            return
        self._heard(lane)
        said = (event.code, event.message, event.request_id)
        # A refusal changes nothing: what was attached still is, unless the refusal says busy.
        lane.attached = event.kind not in ("ok", "busy")
        if event.kind == "ok":
            self._ledger.set(event.step, st.ACCEPTED, *said)
            lane.task, lane.accepted_at = event.step, now
            lane.not_before = now + 0.8 * self._task_seconds
        elif event.code in REPEATED:
            # The same request came before, and may have been carried out: not silence, but doubt.
            self._ledger.set(event.step, st.UNKNOWN, *said)
            lane.unknown[event.step] = None
            lane.attached = False
        elif event.kind in ("busy", "throttled") or event.code in KEY_CODES:
            self._again(lane, event, now)
        elif event.code in _LOOK_FIRST:
            self.records[event.step].attempt += 1
            self._ledger.set(event.step, st.UNKNOWN, *said)
            lane.unknown[event.step] = event.code
            lane.attached = False
        else:
            self._ledger.set(event.step, st.FAILED, *said)
            self._give_up_alike(lane, event)
        self._dispatch.queue_up(lane, now)

    def _again(self, lane: Lane, event: Answered, now: float) -> None:
        """Put a step back that was refused for a reason that passes, or for a wrong key."""
        self.records[event.step].attempt += 1
        self._ledger.set(event.step, st.PENDING, event.code, event.message, event.request_id)
        if not self._cancelled:
            lane.queue.appendleft(event.step)
        else:
            self._ledger.set(event.step, st.SKIPPED, message="cancelled")
        if event.kind == "busy":
            lane.not_before = now + self.options.poll_interval
        elif event.kind == "throttled":
            self._shut(lane, self._write(event.step), event.retry_after, now)
        else:
            self._end("stopped", f"the AccessKey was refused: {event.code}", "key")

    def _give_up_alike(self, lane: Lane, event: Answered) -> None:
        """Skip what would be refused for the same reason on the same connection."""
        if event.kind == "quota":
            alike = [n for n in lane.queue if self.steps[n].action == st.CREATE]
        elif event.kind == "auth" or event.code in _OF_THE_CONNECTION:
            alike = list(lane.queue)
        else:
            return
        message = "an earlier step of this connection was refused so"
        self._ledger.skip(lane, alike, event.code, message)

    def _timed_out(self, event: TimedOut, now: float) -> None:
        step = self.steps[event.step]
        lane = self._end_call(step.lane, self._write(step.number), now)
        if event.left:
            self._doubt(lane, event.step, None, event.message, now)
            return
        self._ledger.set(event.step, st.PENDING, message=event.message)
        lane.queue.appendleft(event.step)
        if self._cancelled:
            self._ledger.skip(lane, [event.step], None, "cancelled")
        self._silence(lane, now)

    def _doubt(
        self, lane: Lane, number: int, code: str | None, message: str | None, now: float
    ) -> None:
        """Note that a step may have happened; the lane looks before it sends again."""
        self._ledger.set(number, st.UNKNOWN, code, message)
        lane.unknown[number] = None
        lane.attached = False
        self._silence(lane, now)

    def _polled(self, event: Polled, now: float) -> None:
        lane = self._end_call(event.lane, POLL, now)
        if event.state is None:
            if self._read_failed(lane, event, now):
                self._ledger.skip(
                    lane, list(lane.queue), event.code, "the connection cannot be read"
                )
                self._task_over(lane)
        elif event.state == ATTACHED:
            self._heard(lane)
            if lane.task is not None:
                self._task_seconds += 0.2 * (now - lane.accepted_at - self._task_seconds)
            self._task_over(lane)
        elif event.state in PASSING:
            self._heard(lane)
            lane.not_before = now + self.options.poll_interval
        else:
            self._heard(lane)
            self._ledger.skip(lane, list(lane.queue), None, f"the connection is {event.state}")
            self._task_over(lane)
        self._dispatch.queue_up(lane, now)

    def _task_over(self, lane: Lane) -> None:
        lane.attached = True
        if lane.task is not None:
            self._ledger.set(lane.task, st.SETTLED)
            lane.settled.append(lane.task)
            lane.task = None

    def _listed(self, event: Listed, now: float) -> None:
        lane = self._end_call(event.lane, LIST, now)
        if event.routes is None:
            if self._read_failed(lane, event, now):
                self._cannot_list(lane, event.code)
        else:
            self._heard(lane)
            lane.listing += event.routes
            if len(lane.listing) < event.total and len(event.routes) == PAGE_SIZE:
                lane.page += 1
            else:
                routes = frozenset(lane.listing)
                lane.forget_listing()
                lane.list_after = max(self.options.list_after, len(routes) // 2)
                if lane.looked:
                    again = self._ledger.settle(lane, routes)
                    if self._cancelled:
                        self._ledger.skip(lane, again, None, "cancelled")
                else:
                    self._seen(lane, differences(lane, self.steps, self.records, routes))
        self._dispatch.queue_up(lane, now)

    def _cannot_list(self, lane: Lane, code: str | None) -> None:
        lane.forget_listing()
        if not lane.looked:
            self._seen(lane, [f"{lane.name}: can no longer be listed ({code})"])
            return
        for number in lane.in_doubt():
            self._ledger.set(number, st.FAILED, code, "the connection can no longer be listed")
        lane.settled, lane.unknown = [], {}

    def _seen(self, lane: Lane, strange: list[str]) -> None:
        lane.looked = True
        self._unseen -= 1
        self._differences += strange
        if self._unseen == 0 and self._differences and not self._cancelled:
            self._end("stale", "the live routes are not those the plan was made from")

    def _command(self, event: Command, now: float) -> None:
        if event.name == "stop":
            self._end("interrupted", "stopped; what is pending can be resumed")
        elif event.name == "cancel":
            self._cancelled, self._paused = True, False
            for lane in self.lanes.values():
                self._ledger.skip(lane, list(lane.queue), None, "cancelled")
                lane.looked = True
                self._dispatch.queue_up(lane, now)
            self._unseen = 0
        else:
            self._paused = event.name == "pause"

    # -- small moves ----------------------------------------------------------------------------

    def _end(self, reason: str, message: str, cause: str | None = None) -> None:
        if self._ending is None:
            self._ending = Finished(reason, message, cause, tuple(self._differences))

    def _end_call(self, name: str, operation: str, now: float) -> Lane:
        lane = self.lanes[name]
        self._dispatch.end(lane, operation, now)
        return lane

    def _shut(self, lane: Lane, operation: str, retry_after: float | None, now: float) -> None:
        """Close the window of an operation for as long as the cloud asked for."""
        until = now + (retry_after or self.options.backoff)
        self._dispatch.window(lane.region_id, operation).shut(until)

    def _heard(self, lane: Lane) -> None:
        lane.failures = 0
        self._silent_since = None

    def _read_failed(self, lane: Lane, event: Polled | Listed, now: float) -> bool:
        """Deal with a read that failed; tell whether it always will for this connection."""
        if event.kind == "throttled":
            operation = POLL if isinstance(event, Polled) else LIST
            self._shut(lane, operation, event.retry_after, now)
            return False
        if event.code in KEY_CODES:
            self._end("stopped", f"the AccessKey was refused: {event.code}", "key")
            return False
        if event.kind in ("unknown", "server", "busy"):
            self._silence(lane, now)
            return False
        self._heard(lane)
        return True

    def _silence(self, lane: Lane, now: float) -> None:
        """Note a call without an answer: the lane waits longer each time; in the end all stops."""
        options = self.options
        lane.failures += 1
        wait = min(options.backoff_cap, options.backoff * 2.0 ** (lane.failures - 1))
        lane.not_before = now + wait
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since > options.lost_after:
            self._end("stopped", f"no answer for {options.lost_after:g} s", "silence")
        self._dispatch.queue_up(lane, now)
