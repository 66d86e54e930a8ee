"""What lanes did when: queue, call, task and wait of their steps, as intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import duration, pluralize
from vcokit.cidr.parse import I64, Mask
from vcokit.plots.figures import share
from vcokit.plots.moments import F64, entered


class Lanes:
    """The intervals of all lanes, by kind.

    Parameters
    ----------
    steps : DataFrame
        That send something.
    since : Timestamp or NaT
        When the first call was sent.

    Attributes
    ----------
    names : ndarray of object
        Connections, in the order of their first steps.
    lane : ndarray of int64
        Lane of each step.
    spans : dict of str to (lane, begin, end)
        Intervals of each kind; seconds.
    end : float
        When the last stamp was made, seconds.
    """

    def __init__(self, steps: pd.DataFrame, since: Any) -> None:
        self.lane, self.names = pd.factorize(
            schema.text_column(steps["vpn_connection_id"]).fillna("")
        )
        self.state = steps["state"].astype("str").to_numpy()
        into, out = entered(steps, since)
        stamps = into[np.isfinite(into)]
        self.end = float(stamps.max(initial=0.0))
        self.into, self.out = np.minimum(into, self.end), np.minimum(out, self.end)
        self.sent = np.isfinite(into[:, 1])
        self.failed_at = np.where(self.state == "failed", into[:, 4], np.inf)
        self.spans = {
            "queue": self._queues(self.sent),
            "call": self._phase(1, self.sent & (self.state != "unknown")),
            "task": self._phase(2, np.isfinite(into[:, 2])),
            "doubt": self._phase(1, self.sent & (self.state == "unknown")),
            "wait": self._phase(3, np.isfinite(into[:, 3])),
        }
        self.there = [kind for kind, (lane, _, _) in self.spans.items() if len(lane)]

    def _phase(self, place: int, mask: Mask) -> tuple[I64, F64, F64]:
        return self.lane[mask], self.into[mask, place], self.out[mask, place]

    def _queues(self, sent: Mask) -> tuple[I64, F64, F64]:
        """Return the gaps in which a lane had steps left and none in flight."""
        stopped = self.out[:, 0]  # of a step that was never sent: skipped, or not yet
        order = np.lexsort((-stopped, self.into[:, 1], self.lane))
        lane = self.lane[order]
        free = np.where(sent, self.out[:, 2], 0.0)[order]  # its task has ended, or it has failed
        first = np.append(True, lane[1:] != lane[:-1])[: len(lane)]
        since = np.where(first, 0.0, np.append(0.0, free[:-1])[: len(lane)])
        until = np.where(sent, self.into[:, 1], stopped)[order]
        # Of the steps not sent yet, one stands for all: the lane has one queue.
        waits = until > since
        again = ~sent[order] & ~first & ~np.append(True, sent[order][:-1])[: len(lane)]
        keep = waits & ~again
        return lane[keep], since[keep], until[keep]

    def latest(self, top: int) -> I64:
        """Return the lanes that ended last, the last one first."""
        ends = np.zeros(len(self.names))
        np.maximum.at(ends, self.lane, np.where(self.sent, self.out[:, 2], 0.0))
        return np.lexsort((np.arange(len(ends)), -ends))[:top]

    def title(self, last: str) -> str:
        """Say how long it took, how busy the lanes were, and which was the last, by its label."""
        busy = sum(float((out - into).sum()) for _, into, out in self._busy())
        lanes = len(np.unique(self.lane[self.sent]))
        return (
            f"{pluralize(int(self.sent.sum()), 'step')} on {pluralize(lanes, 'connection')} in "
            f"{duration(self.end)}: lanes were busy {share(busy, lanes * self.end)} of it, "
            f"the last to end is {last}"
        )

    def _busy(self) -> list[tuple[I64, F64, F64]]:
        return [self.spans[kind] for kind in ("call", "task", "doubt")]
