"""What came of a call, in the scheduler's alphabet: rows as routes and states, errors as kinds.

Whatever is not of the contract is taken for no answer, so that it is asked for again; a field that
the cloud left out is taken as the contract says. A call that could not even be made is refused for
good: it never left.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

from vcokit.errors import ApiError, CloudError, InputError, NotSentError
from vcokit.rollout.messages import (
    NOT_MADE,
    Answered,
    Input,
    List,
    Listed,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    Send,
    TimedOut,
)
from vcokit.rollout.steps import Route

#: What a call may raise: no answer, a refusal, or that its request cannot be written.
Fault: TypeAlias = CloudError | InputError | UnicodeError


def is_fault(error: BaseException) -> TypeGuard[Fault]:
    """Tell whether an error is one that a call may raise.

    Text that cannot be encoded never left; text that cannot be decoded has come back.
    """
    known = isinstance(error, CloudError | InputError | UnicodeError)
    return known and not isinstance(error, UnicodeDecodeError)


def outcome(error: Fault) -> str:
    """Return the kind of a refusal; ``unknown`` of what is none."""
    if not isinstance(error, CloudError):
        return "input"
    return error.kind if isinstance(error, ApiError) else "unknown"


def code_of(error: Fault) -> str | None:
    """Return the code of a refusal, or of a call that could not be made."""
    return getattr(error, "code", None) if isinstance(error, CloudError) else NOT_MADE


def heard(decision: Send | Poll | PollAll | List, result: Any, error: Fault | None) -> Input:
    """Say to the scheduler what came of a call."""
    if isinstance(decision, Send):
        return _of_write(decision, result, error)
    said: dict[str, Any] = {}
    if error is not None:
        retry_after = getattr(error, "retry_after", None)
        said = {"kind": outcome(error), "code": code_of(error), "retry_after": retry_after}
    if said.get("code") == NOT_MADE and not isinstance(decision, PollAll):
        said["message"] = str(error)
    if isinstance(decision, Poll):
        state = None if error else result.get("State")
        if isinstance(state, str) and state:
            return Polled(decision.lane, state)
        return Polled(decision.lane, None, **(said or {"kind": "unknown"}))
    if isinstance(decision, PollAll):
        states = None if error else _states(result.rows)
        if states is None:
            failed = said or {"kind": "unknown"}
            return PolledAll(decision.region, decision.page, None, **failed)
        return PolledAll(decision.region, decision.page, states, result.total)
    routes = None if error else _routes(result.rows)
    if routes is None:
        return Listed(decision.lane, decision.page, None, **(said or {"kind": "unknown"}))
    return Listed(decision.lane, decision.page, routes, result.total, rows=len(result.rows))


def _of_write(decision: Send, answer: Any, error: Fault | None) -> Input:
    if error is None:
        return Answered(decision.step, "ok", request_id=answer.request_id)
    if not isinstance(error, CloudError):
        return Answered(decision.step, outcome(error), code_of(error), str(error))
    if isinstance(error, ApiError):
        return Answered(
            decision.step,
            error.kind,
            error.code,
            error.message,
            error.request_id,
            error.retry_after,
        )
    return TimedOut(decision.step, not isinstance(error, NotSentError), error.message)


def _states(rows: list[dict[str, Any]]) -> dict[str, str] | None:
    """Return a page of connections as states; None where a row is not of the contract.

    A connection whose state is left out stands on no page: it is asked for by itself.
    """
    try:
        return {
            str(row["VpnConnectionId"]): row["State"]
            for row in rows
            if isinstance(row.get("State"), str) and row["State"]
        }
    except KeyError:
        return None


def _routes(rows: list[dict[str, Any]]) -> tuple[Route, ...] | None:
    """Return a page of a listing as routes; None where a row is not of the contract."""
    try:
        return tuple(
            Route(str(row["RouteDest"]), str(row["NextHop"]), int(row["Weight"]))
            for row in rows
            if (row.get("RouteEntryType") or "custom") == "custom"
        )
    except (KeyError, TypeError, ValueError):
        return None
