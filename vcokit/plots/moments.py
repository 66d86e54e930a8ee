"""When steps were in which state, as seconds since the first call.

A step is in a state from the state's own stamp to the next stamp that it has::

    pending      sent            accepted        settled        ended (done, failed, skipped)
    |--- queue --|---- call -----|---- task -----|---- wait ----|
    0            sent_at         accepted_at     settled_at     ended_at

States that it did not pass through have no stamp. A step that is in doubt now (unknown) was *sent*
last; when the doubt began is not kept, so that its whole call counts as unknown.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit.plots import canvas

F64 = npt.NDArray[np.float64]

STAMPS: Final = ("sent_at", "accepted_at", "settled_at", "ended_at")
#: What a step does in each state that has an end.
PHASES: Final = ("pending", "sent", "accepted", "settled")
FINAL: Final = ("done", "failed", "skipped")
_STEPS: Final = "Hand over rollout.frame(), or the steps() of vk.Journal.read('rollout.db')"
#: Where calls are to be had.
CALLS: Final = "Hand over rollout.calls(), or the calls() of vk.Journal.read('rollout.db')"
#: Actions that send something.
_SENDS: Final = ("create", "modify", "delete")


def sending(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the steps that send something.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("action", "state", "vpn_connection_id", *STAMPS)
    canvas.require(steps, needed, what="steps", remedy=_STEPS)
    return steps[steps["action"].isin(_SENDS).to_numpy()]


def begin(steps: pd.DataFrame) -> Any:
    """Return when the first call was sent, a Timestamp; NaT before it."""
    return steps["sent_at"].min()


def seconds(stamps: pd.Series, since: Any) -> F64:
    """Return time stamps as seconds, at least 0; NaN where there is none.

    Examples
    --------
    >>> stamps = pd.Series(pd.to_datetime(["2026-01-01 00:00:01", None], utc=True))
    >>> seconds(stamps, pd.Timestamp("2026-01-01", tz="UTC")).tolist()
    [1.0, nan]
    """
    if pd.isna(since):
        return np.full(len(stamps), np.nan)
    passed = (stamps - since).dt.total_seconds().to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(np.maximum(passed, 0.0))


def entered(steps: pd.DataFrame, since: Any) -> tuple[F64, F64]:
    """Return when each step came into each phase and the end, and when it left.

    Parameters
    ----------
    steps : DataFrame
        Of `vcokit.schema.STEPS`.
    since : Timestamp or NaT

    Returns
    -------
    into, out : ndarray of float64, shape (n, 5)
        Seconds: the four `PHASES`, and the end. ``inf`` where the step did not come there, or is
        there still.
    """
    into = np.full((len(steps), 6), np.inf)
    into[:, 0] = 0.0
    for place, name in enumerate(STAMPS, start=1):
        stamp = seconds(steps[name], since)
        into[:, place] = np.where(np.isnan(stamp), np.inf, stamp)
    out = np.minimum.accumulate(into[:, ::-1], axis=1)[:, ::-1]
    return into[:, :5], out[:, 1:]


def layers(steps: pd.DataFrame, since: Any, most: int) -> tuple[F64, dict[str, F64]]:
    """Count the steps in each state, from each moment on.

    Parameters
    ----------
    steps : DataFrame
        That send something.
    since : Timestamp or NaT
    most : int
        Moments; of more, so many at equal distances are looked at.

    Returns
    -------
    moments : ndarray of float64, shape (m,)
        Rising, from 0.
    counts : dict of str to ndarray of float64, shape (m,)
        By state.
    """
    into, out = entered(steps, since)
    moments = np.unique(np.append(into[np.isfinite(into)], 0.0))
    if len(moments) > most:
        moments = np.linspace(0.0, moments[-1], most)
    state = steps["state"].astype("str").to_numpy()
    doubt = state == "unknown"
    counts = {
        name: present(into[:, place], out[:, place], moments) for place, name in enumerate(PHASES)
    }
    counts["unknown"] = present(into[doubt, 1], out[doubt, 1], moments)
    counts["sent"] = counts["sent"] - counts["unknown"]
    for name in FINAL:
        mine = state == name
        counts[name] = present(into[mine, 4], out[mine, 4], moments)
    return moments, counts


def present(into: F64, out: F64, moments: F64) -> F64:
    """Count, at each moment, the intervals that have begun and not ended.

    Examples
    --------
    >>> present(np.array([0.0, 1.0]), np.array([2.0, np.inf]), np.array([0.0, 1.0, 2.0])).tolist()
    [1.0, 2.0, 1.0]
    """
    there = np.isfinite(into)
    begun = np.searchsorted(np.sort(into[there]), moments, side="right")
    ended = np.searchsorted(np.sort(np.maximum(into, out)[there]), moments, side="right")
    return (begun - ended).astype(float)
