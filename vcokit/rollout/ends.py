"""When a rollout is not to begin, and how it ended, as errors."""

from __future__ import annotations

from typing import Final

from vcokit.errors import (
    ClockError,
    CredentialsError,
    InputError,
    JournalError,
    JournalLockedError,
    NoAnswerError,
    PlanError,
    RolloutError,
    StalePlanError,
    VcokitError,
)
from vcokit.rollout.alphabet import Finished
from vcokit.rollout.plan import Plan

#: Gaps that an error names.
_NAMED: Final = 5


def error_of(ended: Finished, how_to_go_on: str) -> VcokitError | None:
    """Return the error of an end; None where it ended well, or as it was told to.

    Parameters
    ----------
    ended : Finished
    how_to_go_on : str
        The line of code that goes on with the rollout.

    Examples
    --------
    >>> error_of(Finished("finished"), "…") is None
    True
    >>> error_of(Finished("stopped", "no answer for 120 s", "silence"), "…")
    NoAnswerError('no answer for 120 s')
    """
    message = str(ended.message)
    if ended.reason == "stale":
        return StalePlanError(
            f"{message}: {len(ended.differences)} differences, this run sent nothing",
            differences=ended.differences,
            remedy="Read the live routes again and make a new plan",
        )
    if ended.cause == "key":
        return CredentialsError(message, remedy=how_to_go_on)
    if ended.cause == "silence":
        return NoAnswerError(message, remedy=f"Go on with {how_to_go_on}")
    if ended.cause == "refused":
        return RolloutError(message, remedy=f"Mend that, then go on with {how_to_go_on}")
    return None


def helped(error: BaseException | None, how_to_go_on: str) -> BaseException | None:
    """Return an error with the way to go on beside its remedy, where it is one of ours.

    Examples
    --------
    >>> from vcokit.errors import JournalError
    >>> print(helped(JournalError("the disk is full", remedy="Make room"), "…"))
    the disk is full. Make room, then go on with …
    """
    ours = isinstance(error, JournalError | CredentialsError | ClockError)
    if not isinstance(error, VcokitError) or not ours or isinstance(error, JournalLockedError):
        return error
    if how_to_go_on not in (error.remedy or ""):
        remedy = f"{error.remedy}, then go" if error.remedy else "Go"
        error.remedy = f"{remedy} on with {how_to_go_on}"
    return error


def require_plan_and_client(plan: object, client: object) -> None:
    """Refuse what is no plan, or no client, before anything is made.

    Raises
    ------
    InputError
        It names the call that makes one.
    """
    if not isinstance(plan, Plan):
        raise InputError(
            f"a rollout carries out a Plan, not {_kind(plan)}",
            remedy="Pass vk.plan_routes(routes, live), or vk.Plan.load(path)",
        )
    require_client(client)


def require_client(client: object) -> None:
    """Refuse what is no client.

    Raises
    ------
    InputError
    """
    # By what it can do: the simulation hands over one of its own.
    needed = ("limits", "limiter", "simulated", "speed", "settings", "call", "page")
    if not all(hasattr(client, name) for name in needed):
        raise InputError(
            f"a rollout needs a client, not {_kind(client)}", remedy="Pass vk.connect(…)"
        )


def _kind(value: object) -> str:
    return f"{value!r}" if isinstance(value, str) else type(value).__name__


def refuse_gaps(plan: Plan, *, allowed: bool) -> None:
    """Refuse a plan that cannot be ordered without leaving an address uncovered.

    Raises
    ------
    PlanError
        It lists the gaps.
    """
    gaps = () if allowed else plan.order.gaps
    if gaps:
        reasons = "; ".join(gap.reason for gap in gaps[:_NAMED])
        more = f"; and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        raise PlanError(
            f"the plan cannot be ordered without a gap: {reasons}{more}",
            remedy="Change the inventory, or pass allow_gap=True",
        )
