"""The peer in virtual time: ten workers that send, wait 3, 6, 9 … s where refused, never poll.

So goes the common provider of an infrastructure tool: a create that is refused as busy or throttled
is sent again after 3 s, then 6, 9 and so on, until the time-out of its resource (a minute) is over,
and has then failed; one that is answered 200 counts as made, whatever becomes of its task; ten
resources at a time, in no order of connections.
"""

from __future__ import annotations

import heapq
from random import Random
from typing import Final

from benchmarks.cloudmodel import CloudModel

WORKERS: Final = 10
STEP_UP: Final = 3.0
TIMEOUT: Final = 60.0


def run(model: CloudModel, seed: int, timeout: float = TIMEOUT) -> tuple[float, int]:
    """Carry out the model's work; return the seconds it took and how many steps failed.

    Parameters
    ----------
    model : CloudModel
        Still untouched.
    seed : int
        Of the order; an inventory's own, connection by connection, would be far worse.
    timeout : float
        Seconds after which a step has failed; ``inf`` for never.

    Examples
    --------
    >>> from benchmarks.cloudmodel import Work
    >>> from vcokit.cloud.operations import Limit
    >>> model = CloudModel(Work.of([1], seed=1), {"CreateVcoRouteEntry": Limit(60, 60.0)})
    >>> seconds, failed = run(model, seed=1)
    >>> seconds == model.work.trips[0], failed, model.created()
    (True, 0, 1)
    """
    order = list(range(len(model.work.steps)))
    Random(f"{seed}/naive").shuffle(order)
    waiting = order[::-1]
    # (time the call arrives, worker, step, time of its first call, refusals so far)
    calls: list[tuple[float, int, int, float, int]] = []
    for worker in range(min(WORKERS, len(waiting))):
        _next(calls, waiting, worker, 0.0, model)
    end, failed = 0.0, 0
    while calls:
        there, worker, number, begin, refusals = heapq.heappop(calls)
        kind, _ = model.create(number, there)
        trip = model.work.trips[number]
        back = there + trip / 2
        end = max(end, back)
        wait = STEP_UP * (refusals + 1)
        if kind != "ok" and back + wait - begin <= timeout:
            again = (back + wait + trip / 2, worker, number, begin, refusals + 1)
            heapq.heappush(calls, again)
            continue
        failed += kind != "ok"
        _next(calls, waiting, worker, back, model)
    return end, failed


def _next(
    calls: list[tuple[float, int, int, float, int]],
    waiting: list[int],
    worker: int,
    now: float,
    model: CloudModel,
) -> None:
    """Let a worker send its next step."""
    if waiting:
        number = waiting.pop()
        there = now + model.work.trips[number] / 2
        heapq.heappush(calls, (there, worker, number, now, 0))
