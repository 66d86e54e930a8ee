"""What a rollout takes over from its journal: wishes, where steps stand, slots that are held."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import pandas as pd

from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import MARGIN, ON_ITS_WAY, Limiter
from vcokit.errors import InputError
from vcokit.rollout import database
from vcokit.rollout.engine import Clocks
from vcokit.rollout.journal import Journal
from vcokit.rollout.lanes import Record
from vcokit.rollout.options import Options

#: A call that left longer ago was counted or lost, answered or not; seconds.
_LONGEST_CALL: Final = 120.0
#: Calls that are looked at; all limits together let some 2,000 a minute through a region.
_LATEST: Final = 20_000


def options_in(journal: Journal, others: Options) -> Options:
    """Return what the user of a rollout wished when it was begun, and others for the rest.

    Raises
    ------
    JournalError
        If the journal's wishes are none.
    """
    try:
        return others.from_json(journal.meta().get("options"))
    except (InputError, ValueError, TypeError, AttributeError, RecursionError):
        raise database.damaged(journal.path, "its options are none of a rollout") from None


def records_in(journal: Journal) -> dict[int, Record]:
    """Return where each step stands."""
    return {
        number: Record(state, attempt, misses)
        for number, state, attempt, misses in journal.standing()
    }


def count_in(limiter: Limiter, journal: Journal, rollout_id: str, clocks: Clocks) -> None:
    """Let a client count the latest calls of a journal, but for those that it has made itself."""
    calls = journal.calls(after=journal.last_call() - _LATEST)
    for made in limiter.counted.get(rollout_id, ()):
        calls = calls[~calls["call"].between(made.start, made.stop - 1)]
    now = clocks.steady()
    for region, operation, left in slots_held(calls, limiter.limits, clocks.wall()):
        limiter.hold(region, operation, now + left)


def slots_held(
    calls: pd.DataFrame, limits: Mapping[str, Limit], now: float
) -> Iterator[tuple[str, str, float]]:
    """Yield the slots that calls of an earlier run still hold in the cloud's windows.

    A call without an answer may have been counted at any moment until now, or be on its way still.
    A wall clock that was set back makes no slot last longer than its window.

    Parameters
    ----------
    calls : DataFrame
        From `Journal.calls`.
    limits : mapping of str to Limit
    now : float
        Seconds since the epoch.

    Yields
    ------
    tuple of str, str, float
        Region, operation, and the seconds from now until the slot is free.

    Examples
    --------
    >>> from vcokit import schema
    >>> at = pd.to_datetime([0.0, 50.0, 55.0], unit="s", utc=True)
    >>> calls = schema.frame(schema.CALLS, {"call": [1, 2, 3], "operation": ["X"] * 3,
    ...     "region_id": ["r"] * 3, "sent_at": at, "seconds": [1.0, 1.0, None]})
    >>> [round(until) for _, _, until in slots_held(calls, {"X": Limit(1, 60.0)}, 100.0)]
    [11, 61]
    """
    longest = max((limit.seconds for limit in limits.values()), default=0.0)
    epoch = pd.Timestamp(0, tz="UTC")
    sent = (calls["sent_at"] - epoch).dt.total_seconds()
    answered = sent + calls["seconds"].astype("float64")
    late = answered.isna() | (answered > now - longest)
    recent = pd.DataFrame(
        {
            "region": calls["region_id"],
            "operation": calls["operation"],
            "free": now - answered,
        }
    )[late & (sent > now - 2 * longest - _LONGEST_CALL)]
    for region, operation, since in zip(
        recent["region"], recent["operation"], recent["free"], strict=True
    ):
        seconds = limits[operation].seconds if operation in limits else 0.0
        ago = -ON_ITS_WAY if math.isnan(since) else max(0.0, since)
        if ago < seconds:
            yield region, operation, seconds - ago + MARGIN
