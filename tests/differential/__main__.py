"""``python -m tests.differential``: the audit against the simulator, as many seeds as are wanted.

Every seed is played in two ways, in one of which the audit is told all that it is not told in the
other (live routes, live connections, the quota); four seeds go through all eight.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.differential.judge import TOLD, Told, judge


def told_of(seed: int) -> tuple[Told, Told]:
    """Return the two ways in which a seed is played."""
    return TOLD[seed % 4], TOLD[7 - seed % 4]


def _play(seed: int) -> list[str]:
    return [report for told in told_of(seed) if (report := judge(seed, told)) is not None]


def play(seeds: Iterable[int]) -> int:
    """Play seeds on all processors, print what they disagree on and return how often they do."""
    count = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for reports in pool.map(_play, seeds, chunksize=10):
            for report in reports:
                count += 1
                print(report, end="\n\n")
    return count


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 where the two sides disagree."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many, from 0")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--told", help="with --seed: live, connections, quota, such as 101")
    chosen = parser.parse_args(arguments)
    if chosen.seed is None:
        count = play(range(chosen.seeds))
        print(f"{chosen.seeds} inventories, twice each: {count} disagreements")
        return int(count > 0)
    ways = [tuple(sign == "1" for sign in chosen.told)] if chosen.told else told_of(chosen.seed)
    reports = [judge(chosen.seed, way) for way in ways]
    print("\n\n".join(report or "they agree" for report in reports))
    return int(any(reports))


if __name__ == "__main__":
    sys.exit(main())
