"""Medians of interleaved rounds in one process.

Every round asks each program once, starting with another one each time, so that a slow moment of
the machine strikes all alike. Garbage is collected before each call and not during it, which
spares the peers that make objects. A result is let go only after the clock has stopped.

Nobody pays the debts of who came before. A program that frees a million objects leaves an allocator
that tidies up at the next large request, and pages that the system is slow to hand out again: a
call of 0.04 s took 0.2 s after it, one of 0.6 s a whole second. So `settle` goes before each.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Ratio(NamedTuple):
    """How many times as fast ours was: the median over the rounds, the lowest, the highest."""

    median: float
    low: float
    high: float


def settle(room: int = 0) -> None:
    """Give back what allocators kept of freed memory, then take and leave some bytes of it.

    Parameters
    ----------
    room : int
        Bytes that the system is made to hand out, so that they are at hand.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim:
        trim(0)
    np.ones(room, dtype=np.uint8)


def clocked(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call took without collecting garbage, and its result."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        begin = time.perf_counter()
        result = call()
        return time.perf_counter() - begin, result
    finally:
        if was_on:
            gc.enable()


def interleaved(
    calls: Mapping[str, Callable[[], Any]], rounds: int, room: int = 0
) -> dict[str, list[float]]:
    """Return the seconds of each call in each round.

    Parameters
    ----------
    calls : mapping of str to callable
    rounds : int
    room : int
        Bytes at hand before each call, see `settle`.

    Returns
    -------
    dict of str to list of float

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
            settle(room)
            seconds[name].append(clocked(calls[name])[0])
    return seconds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return how many times as fast ours was, round by round.

    Examples
    --------
    >>> ratio([1.0, 1.0, 2.0], [10.0, 12.0, 22.0])
    Ratio(median=11.0, low=10.0, high=12.0)
    """
    each = [their / our for our, their in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))
