"""How time and memory grow with the rows: ours alone, each size in processes of their own.

The exponent is the least-squares slope of log(seconds) over log(rows): 1 where twice the rows take
twice as long. It is taken from `FITTED` rows on, below which the fixed cost of a call shows; where
a series does not reach two sizes there, from all sizes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks import child
from benchmarks.beside import Say, agreed
from benchmarks.contest import BY_NAME, OURS
from benchmarks.inventories import Shape
from benchmarks.peers import PEERS

SIZES: Final = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
FITTED: Final = 100_000
#: Cases, and the exponent that is promised of them.
PROMISED: Final = {
    "parse-dirty": None,
    "duplicates": None,
    "cover-groups": 1.2,
    "cover-global": 1.3,
    "table": None,
    "aggregate": None,
    "findings": 1.2,
}


def exponent(rows: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the least-squares slope of log(seconds) over log(rows).

    Examples
    --------
    >>> round(exponent([1e3, 1e4, 1e5], [0.1, 1.0, 10.0]), 6)
    1.0
    >>> round(exponent([10, 20], [1, 4]), 6)
    2.0
    """
    x, y = np.log(np.asarray(rows, float)), np.log(np.asarray(seconds, float))
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def run(
    sizes: Sequence[int], cases: Iterable[str], rounds: int, *, addresses: int, say: Say
) -> dict[str, Any]:
    """Measure ours at every size, on an even and shuffled inventory of which 3 % is dirty.

    Parameters
    ----------
    sizes : sequence of int
        At least two; answers are compared with the peers' at the smallest.
    cases : iterable of str
        Those of `PROMISED` among them are measured.
    rounds, addresses : int
    say : callable

    Returns
    -------
    dict
        ``shape``, ``rounds``, and ``cases``: for each ``case``, ``title``, ``points`` (rows,
        seconds, median, before_mib, peak_mib), ``exponent`` and ``promised``.
    """
    wanted = [name for name in PROMISED if name in set(cases)]
    points: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for rows in sorted(sizes):
        with TemporaryDirectory(prefix="vcokit-growth-") as folder:
            say(f"growth: {rows:,} rows are made")
            given = child.make(Shape(rows, dirt=0.03), Path(folder), addresses)
            for name in wanted:
                if rows == min(sizes):
                    agreed(BY_NAME[name], given, _able(name))
                say(f"growth: {rows:,} rows, {name}")
                found = child.ask(given.folder, name, OURS, rounds)
                points[name].append(
                    {"rows": rows, "median": statistics.median(found["seconds"])} | found
                )
    shape = Shape(max(sizes), dirt=0.03).kind
    return {"shape": shape, "rounds": rounds, "cases": [_fitted(*item) for item in points.items()]}


def _able(case: str) -> list[Any]:
    return [peer for peer in PEERS if not peer.missing and case in peer.entries]


def _fitted(name: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a case's series with its exponent."""
    large = [point for point in points if point["rows"] >= FITTED]
    used = large if len(large) > 1 else points
    slope = exponent([point["rows"] for point in used], [point["median"] for point in used])
    return {
        "case": name,
        "title": BY_NAME[name].title,
        "points": points,
        "exponent": slope,
        "from_rows": used[0]["rows"],
        "promised": PROMISED[name] if used is large else None,
    }
