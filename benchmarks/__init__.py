"""vcokit beside others, in one run and one table: ``make bench``.

=============  =============================================================================
`inventories`  seeded inventories of any size, with dirt
`algebra`      whole-column prefix algebra beside netaddr, ipaddress, pytricia, Polars, DuckDB …
`makespan`     a rollout's duration, in virtual time, beside other ways to send the same calls
`calls`        the client's calls per second beside the official SDK's
=============  =============================================================================

Answers are compared before anything is timed, and one that differs ends the run. Times are medians
of interleaved rounds: each round asks everyone once, another one first, so that a slow moment of
the machine strikes all alike. The harnesses that there are (pytest-benchmark, pyperf) time one
program to its end before the next, so these ten lines are our own.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple


class DisagreementError(Exception):
    """Two answers to one question differ, so that their times mean nothing."""


class Row(NamedTuple):
    """A row of the table: a question, how vcokit does, who else, how that does, what is gained."""

    question: str
    ours: str
    peer: str
    theirs: str
    gain: str


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call in each round; garbage is collected between, not during.

    Examples
    --------
    >>> asked = []
    >>> times = interleaved({"a": lambda: asked.append("a"), "b": lambda: asked.append("b")}, 2)
    >>> asked, {name: len(seconds) for name, seconds in times.items()}
    (['a', 'b', 'b', 'a'], {'a': 2, 'b': 2})
    """
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            gc.disable()
            try:
                begin = time.perf_counter()
                result = calls[name]()
                seconds[name].append(time.perf_counter() - begin)
            finally:
                gc.enable()
            del result  # after the clock has stopped
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return how many times as fast ours was, the median over the rounds.

    >>> ratio([1.0, 1.0, 2.0], [10.0, 12.0, 22.0])
    '11 ×'
    """
    times = median(their / our for our, their in zip(ours, theirs, strict=True))
    return f"{times:.0f} ×" if times >= 10 else f"{times:.2g} ×"
