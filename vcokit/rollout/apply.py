"""A plan carried out by one call, which comes back when it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike

from vcokit.cloud.client import Client
from vcokit.rollout.events import Observer
from vcokit.rollout.executor import Rollout
from vcokit.rollout.plan import Plan


def apply_plan(
    plan: Plan,
    client: Client,
    *,
    journal: str | PathLike[str],
    observers: Iterable[Observer] = (),
    waves: Sequence[int | None] | None = None,
    stop_after: int | None = None,
    rate_share: float = 1.0,
    deadline: float | None = None,
    allow_gap: bool = False,
) -> Rollout:
    """Carry out a plan and wait for its end.

    An interrupt stops it in order, in a notebook too, and the way to go on is printed.

    Parameters
    ----------
    plan, client, journal, observers, waves, stop_after, rate_share, deadline, allow_gap
        See `Rollout`.

    Returns
    -------
    Rollout
        Ended. Failed steps raise nothing here: see `Rollout.raise_on_error`.

    Raises
    ------
    VcokitError
        As `Rollout` and `Rollout.wait` do.
    """
    rollout = Rollout(
        plan,
        client,
        journal=journal,
        observers=observers,
        waves=waves,
        stop_after=stop_after,
        rate_share=rate_share,
        deadline=deadline,
        allow_gap=allow_gap,
    )
    return rollout.start().wait(detach=False)
