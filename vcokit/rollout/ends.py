"""When a rollout is not to begin, and how it ended, as errors."""

from __future__ import annotations

from typing import Final

from vcokit.errors import (
    CredentialsError,
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
            f"{message}: {len(ended.differences)} differences, nothing was sent",
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
