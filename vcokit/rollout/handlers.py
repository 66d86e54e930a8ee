"""Handlers of inputs: answers to writes, states of connections, and listings of routes.

A handler is a function of the rollout (`Run`), a connection, the input, and the time. It sets no
attributes itself: it calls the connection, the queue, and the few methods of the rollout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from vcokit.cloud.error_codes import REPEATED, RESIGNED, is_key
from vcokit.cloud.operations import PAGE_SIZE
from vcokit.contract import ARRIVING, ATTACHED
from vcokit.rollout.connection import Connection
from vcokit.rollout.dependencies import Dependencies
from vcokit.rollout.messages import (
    LIST,
    NOT_MADE,
    POLL,
    POLL_ALL,
    Answered,
    Cause,
    Listed,
    Polled,
    PolledAll,
    TimedOut,
)
from vcokit.rollout.options import Options
from vcokit.rollout.queueing import Queue
from vcokit.rollout.reconcile import differences
from vcokit.rollout.steps import OPERATION, Action, Route, State

#: Refusals after which a listing decides: the change may be there all the same, made by somebody
#: else, or by this step when its answer was lost.
_LOOK_FIRST: Final = frozenset({"VpnRouteEntry.AlreadyExists", "InvalidRouteEntry.NotFound"})

#: The refusal of a write that came too soon after the end of its connection's last task.
_TOO_SOON: Final = "TaskConflict"

#: The refusal if the cloud lists a connection only while it is attached.
_ONLY_ATTACHED: Final = "Vco.StatusNotSupport"

#: Refusals that every other step of the connection would get too.
_OF_THE_CONNECTION: Final = frozenset(
    {
        "InvalidVpnConnectionInstanceId.NotFound",
        "VpnConnection.FinancialLocked",
        "Vco.StatusNotSupport",
    }
)

#: Kinds of answers that are temporary and prove nothing.
_NO_ANSWER: Final = ("unknown", "server", "busy")

#: Share of a task's time within which a listing must fit to be made while the task runs.
_BRIEF: Final = 0.5


class Run(Protocol):
    """The part of the rollout that handlers use."""

    @property
    def options(self) -> Options:
        """Its options."""

    @property
    def connections(self) -> Mapping[str, Connection]:
        """Its connections, by name."""

    @property
    def dependencies(self) -> Dependencies:
        """Which steps wait for which."""

    @property
    def queue(self) -> Queue:
        """Which connection is next."""

    @property
    def cancelled(self) -> bool:
        """Whether the user has cancelled it."""

    def requeue(self, connection: Connection, now: float) -> None:
        """Put a connection in the right queue after a change."""

    def requeue_all(self, now: float) -> None:
        """Put every connection in the right queue."""

    def heard(self, now: float) -> None:
        """Record that the cloud has answered."""

    def silent(self, sent: float, now: float) -> None:
        """Record a call without an answer."""

    def end(self, reason: str, message: str, cause: Cause | None = None) -> None:
        """End as soon as no call is in progress."""

    def refused_key(self, code: str | None) -> bool:
        """End if a code says that the AccessKey is refused, or the clock is wrong."""

    def compared(self, connection: Connection, differences: list[str]) -> None:
        """Record how a connection differs from the routes of the plan."""


# -- answers to writes ----------------------------------------------------------------------------


def answered(run: Run, one: Connection, event: Answered, now: float) -> None:
    """Process an answer to a write."""
    number, said = event.step, (event.code, event.message, event.request_id)
    sent = _write_ended(run, one, number, now, throttled=event.kind == "throttled")
    if event.kind == "server":
        one.doubt(number, event.code, event.message)
        _unanswered(run, one, sent, now, event.retry_after)
        return
    _heard(run, one, now)
    one.write_answered(changes_state=event.kind in ("ok", "busy"), too_soon=event.code == _TOO_SOON)
    if event.kind == "ok":
        run.queue.pace.pause.taken(sent - one.over_at)
        one.accept(number, now, *said)
        one.look_at(now + run.queue.first_look(one))
    elif event.code in REPEATED:
        # Something between us and the cloud sent it twice: not silence, but the outcome is unknown.
        one.doubt(number, *said)
    elif event.kind in ("busy", "throttled") or is_key(event.code):
        _again(run, one, event, sent, now)
    elif event.code in _LOOK_FIRST:
        one.doubt_refusal(number, *said)
    else:
        one.move(number, State.FAILED, *said)
        _give_up_alike(one, event)
    run.requeue(one, now)


def timed_out(run: Run, one: Connection, event: TimedOut, now: float) -> None:
    """Process the lack of a definite answer to a write."""
    sent = _write_ended(run, one, event.step, now)
    if event.left:
        one.doubt(event.step, None, event.message)
    else:
        one.move(event.step, State.PENDING, message=event.message)
        _cancel_too(run, one, event.step)
    _unanswered(run, one, sent, now)


def _write_ended(
    run: Run, one: Connection, number: int, now: float, *, throttled: bool = False
) -> float:
    """Record that a write has ended; return when it was sent."""
    one.write_ended(now)
    operation = OPERATION[one.steps[number].action]
    return run.queue.ended(one, operation, now, throttled=throttled)


def _again(run: Run, one: Connection, event: Answered, sent: float, now: float) -> None:
    """Return a step to pending that was refused for a temporary reason, or for a wrong key."""
    said = (event.code, event.message, event.request_id)
    one.move(event.step, State.PENDING, *said, new_attempt=True)
    _cancel_too(run, one, event.step)
    if event.code == _TOO_SOON:
        # The cause may have been a task of somebody else. Then no pause of ours helps, and the
        # connection waits longer each time.
        one.back_off_after_conflict(now)
        if run.queue.pace.pause.refused(sent - one.over_at):
            run.requeue_all(now)
    elif event.kind == "busy":
        one.look_at(now + run.options.poll_interval)
    elif event.kind == "throttled":
        operation = OPERATION[one.steps[event.step].action]
        _shut(run, one.region_id, operation, event.retry_after, now)
    else:
        run.refused_key(event.code)


def _cancel_too(run: Run, one: Connection, number: int) -> None:
    """Skip a step that is pending again if the rollout was cancelled."""
    if run.cancelled:
        one.skip([number], None, "cancelled")


def _give_up_alike(one: Connection, event: Answered) -> None:
    """Skip steps of the connection that would be refused for the same reason."""
    if event.kind == "quota":
        # Steps that wait for a delete on this connection will find room.
        alike = [n for n in one.ready if one.steps[n].action == Action.CREATE]
    elif event.kind == "auth" or event.code in _OF_THE_CONNECTION:
        alike = one.unsent()
    else:
        return
    one.skip(alike, event.code, "an earlier step of this connection was refused for this reason")


# -- states ---------------------------------------------------------------------------------------


def polled(run: Run, one: Connection, event: Polled, now: float) -> None:
    """Process the state of one connection."""
    sent = run.queue.ended(one, POLL, now, throttled=event.kind == "throttled")
    if event.state is not None:
        _heard(run, one, now)
        _see(run, one, event.state, sent, now)
    elif _read_failed(run, one, POLL, event, sent, now):
        if event.code == NOT_MADE:
            _cannot_ask(run, one, event)
        else:
            _out_of_reach(run, one, "read", event)
    run.requeue(one, now)


def polled_all(run: Run, event: PolledAll, now: float) -> None:
    """Process the states of a page of connections."""
    region = event.region
    throttled = event.kind == "throttled"
    sent, waited = run.queue.page_ended(region, event.page, now, throttled=throttled)
    touched = {one.name: one for one in waited}
    if event.states is None:
        touched |= {one.name: one for one in _page_failed(run, event, sent, now)}
    else:
        run.heard(now)
        released = run.queue.page_read(region, event.page, event.states, event.total)
        touched |= {one.name: one for one in released}
        for name, state in event.states.items():
            found = run.connections.get(name)
            if found is not None and found.region_id == region:
                _see_in_passing(run, found, state, sent, now)
                touched[name] = found
    for one in touched.values():
        run.requeue(one, now)


def _see_in_passing(run: Run, one: Connection, state: str, sent: float, now: float) -> None:
    """Process a state from a shared page, if it was read after the connection's last write."""
    waits = one.has_baseline and one.suspended is None and one.undone
    if (one.list_needs_attached or waits) and one.write_ended_at <= sent:
        one.answered()
        _see(run, one, state, sent, now)


def _see(run: Run, one: Connection, state: str, sent: float, now: float) -> None:
    """Process a state of a connection, from a read that was sent at a given time."""
    if state == ATTACHED:
        if one.task is not None:
            run.queue.task_over(one, now)
        task = one.see_attached(now)
        if task is not None and run.dependencies.is_awaited(task):
            one.depend(has_dependents=True)
    elif state in ARRIVING:
        one.see_busy(sent)
        wait = run.options.poll_interval
        if one.task is not None:
            wait = run.queue.next_look(one, now - one.accepted_at)
        one.look_at(now + wait)
    else:
        one.skip(one.unsent(), None, f"the connection is {state}")
        if not one.has_baseline:
            run.compared(one, [])  # nothing is sent to it, so nothing can be stale
        _suspend(run, one, f"the connection is {state}")


def _page_failed(run: Run, event: PolledAll, sent: float, now: float) -> list[Connection]:
    """Handle a page that was not read; return the connections that waited for the whole list."""
    throttled = event.kind == "throttled"
    passes = throttled or event.kind in _NO_ANSWER or event.code in RESIGNED
    if throttled:
        _shut(run, event.region, POLL_ALL, event.retry_after, now)
    elif passes:
        run.silent(sent, now)
    elif not run.refused_key(event.code):
        run.heard(now)
    until = now + (event.retry_after or 10 * run.options.backoff)
    return run.queue.page_lost(event.region, for_good=not passes, until=until)


# -- listings -------------------------------------------------------------------------------------


def listed(run: Run, one: Connection, event: Listed, now: float) -> None:
    """Process a page of a connection's routes."""
    sent = run.queue.ended(one, LIST, now, throttled=event.kind == "throttled")
    if event.routes is None:
        if _read_failed(run, one, LIST, event, sent, now):
            _cannot_list(run, one, event)
    else:
        _heard(run, one, now)
        # Ignore a page that was requested before the listing was started again.
        if event.page == one.page:
            rows = len(event.routes) if event.rows is None else event.rows
            routes = one.add_page(event.routes, rows, event.total)
            if routes is not None:
                _take(run, one, routes, now)
    run.requeue(one, now)


def _take(run: Run, one: Connection, routes: frozenset[Route], now: float) -> None:
    """Process all routes of a connection."""
    pace = run.queue.pace
    pages = max(1, -(-len(routes) // PAGE_SIZE))
    one.see(routes, now, fits=pages == 1 or pages * pace.trip < _BRIEF * pace.times.mean)
    if not one.has_baseline:
        run.compared(one, differences(one.holdings()))
        return
    again = one.settle(routes, now)
    one.depend(has_dependents=any(map(run.dependencies.is_awaited, one.unverified)))
    if run.cancelled:
        one.skip(again, None, "cancelled")


def _cannot_list(run: Run, one: Connection, event: Listed) -> None:
    """Handle a listing that is refused."""
    one.forget_listing()
    only_attached = event.code == _ONLY_ATTACHED
    if event.code == NOT_MADE:
        _cannot_ask(run, one, event)
    elif only_attached and not one.list_needs_attached and one.suspended is None:
        one.list_once_attached()
    elif one.has_baseline or event.kind != "not-found":
        _out_of_reach(run, one, "listed", event)
    else:
        run.compared(one, [f"{one.name}: can no longer be listed ({event.code})"])


def _cannot_ask(run: Run, one: Connection, event: Polled | Listed) -> None:
    """Let a connection's steps fail if no request for it can be built; others continue."""
    one.give_up(one.unsent(), event.code, event.message)
    if not one.has_baseline:
        run.compared(one, [])
    one.suspend(f"no request can be built for the connection: {event.message}", look=False)


def _out_of_reach(run: Run, one: Connection, what: str, event: Polled | Listed) -> None:
    """Send nothing more to a connection that can no longer be read.

    If the connection is gone, its steps are skipped. Any other refusal may be fixed (a policy, for
    example), so its steps keep their state for another run.
    """
    gone = event.kind == "not-found"
    if gone:
        one.skip(one.unsent(), event.code, "the connection cannot be read")
    _suspend(run, one, f"the connection cannot be {what}: {event.code}", look=what == "read")
    if gone and what == "listed":
        one.give_up_doubts(event.code, "the connection can no longer be listed")


def _suspend(run: Run, one: Connection, why: str, *, look: bool = True) -> None:
    one.suspend(why, look=look)
    if not one.has_baseline:
        run.end("stopped", f"{one.name}: {why}", Cause.REFUSED)


# -- calls that failed ----------------------------------------------------------------------------


def _heard(run: Run, one: Connection, now: float) -> None:
    one.answered()
    run.heard(now)


def _unanswered(
    run: Run, one: Connection, sent: float, now: float, asked: float | None = None
) -> None:
    """Let a connection wait after a call without an answer, or as long as the cloud asked."""
    one.back_off(now, asked)
    run.silent(sent, now)
    run.requeue(one, now)


def _shut(run: Run, region: str, operation: str, retry_after: float | None, now: float) -> None:
    """Close the window of an operation for as long as the cloud asked."""
    run.queue.shut(region, operation, now + (retry_after or run.options.backoff))


def _read_failed(
    run: Run, one: Connection, operation: str, event: Polled | Listed, sent: float, now: float
) -> bool:
    """Handle a failed read; return whether it will always fail for this connection."""
    if event.kind == "throttled":
        _shut(run, one.region_id, operation, event.retry_after, now)
        return False
    if run.refused_key(event.code):
        return False
    if event.kind in _NO_ANSWER or event.code in RESIGNED:
        _unanswered(run, one, sent, now, event.retry_after)
        return False
    _heard(run, one, now)
    return True
