"""Many stories at once, or one to be read.

``python -m tests.simulation --seeds 100000`` plays seeds on all cores and tells seeds a second;
``python -m tests.simulation --seed 17 --trace`` plays one again and shows all that happens in it.
With ``--fleets`` they are stories of fleets.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.simulation.cases import SEEDS_A_CASE
from tests.simulation.fleet_judge import judge_fleet
from tests.simulation.fleet_play import play_fleet
from tests.simulation.fleet_scenario import fleet_scenario_of
from tests.simulation.judge import judge
from tests.simulation.play import play
from tests.simulation.scenario import scenario_of
from tests.simulation.trace import trace, trace_fleet

#: Seeds that a process plays before it tells what it found; whole cases.
BLOCK = 8 * SEEDS_A_CASE


@dataclass(frozen=True)
class Kind:
    """A kind of stories: how one comes from a seed, is played, judged and read."""

    draw: Callable[[int], Any]
    play: Callable[[Any, Path], Any]
    judge: Callable[[Any], list[str]]
    trace: Callable[[Any], Iterable[str]]
    option: str = ""


ROLLOUTS = Kind(scenario_of, play, judge, trace)
FLEETS = Kind(fleet_scenario_of, play_fleet, judge_fleet, trace_fleet, "--fleets ")


def scratch() -> Path | None:
    """Return where journals are quick to write: in memory, if the machine has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder is made in it
    return memory if os.access(memory, os.W_OK) else None


def play_block(seeds: range, kind: Kind = ROLLOUTS) -> tuple[dict[int, list[str]], Counter[str]]:
    """Play some seeds; return what was wrong by seed, and how the rollouts ended."""
    was_on = gc.isenabled()
    gc.disable()  # stories hold no circles worth looking for all the time
    wrong: dict[int, list[str]] = {}
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        for seed in seeds:
            story = kind.play(kind.draw(seed), Path(folder))
            found = kind.judge(story)
            if found:
                wrong[seed] = found
            ends.update(part.reason or "none" for part in story.parts)
    if was_on:
        gc.enable()
    gc.collect()
    return wrong, ends


def blocks(start: int, size: int) -> Iterator[range]:
    """Yield the seeds in blocks."""
    for first in range(start, start + size, BLOCK):
        yield range(first, min(first + BLOCK, start + size))


def campaign(start: int, size: int, jobs: int, kind: Kind = ROLLOUTS) -> int:
    """Play seeds on some cores; return how many went wrong."""
    begun, played, bad = time.monotonic(), 0, 0
    ends: Counter[str] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        todo = list(blocks(start, size))
        played_ones = pool.map(partial(play_block, kind=kind), todo)
        for seeds, (wrong, ended) in zip(todo, played_ones, strict=True):
            played, bad, ends = played + len(seeds), bad + len(wrong), ends + ended
            for seed, found in wrong.items():
                for line in found[:3]:
                    print(f"seed {seed}: {line}")
                replay = f"python -m tests.simulation {kind.option}--seed {seed} --trace"
                print(f"  replay: {replay}", flush=True)
            seconds = time.monotonic() - begun
            if sys.stderr.isatty():
                print(f"\r{played} seeds, {played / seconds:.0f} a second", end="", file=sys.stderr)
    seconds = time.monotonic() - begun
    told = ", ".join(f"{count} {reason}" for reason, count in ends.most_common())
    print(f"{played} seeds in {seconds:.0f} s, {played / seconds:.0f} a second on {jobs} cores")
    print(f"{bad} with a violation; they ended: {told}")
    return bad


def show(seed: int, kind: Kind = ROLLOUTS, *, full: bool) -> int:
    """Play one seed and tell what was wrong; all that happened, if asked for."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        story = kind.play(kind.draw(seed), Path(folder))
    if full:
        for line in kind.trace(story):
            print(line)
    found = kind.judge(story)
    print("\n".join(found) or f"seed {seed}: all right")
    return len(found)


def main() -> int:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to play")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--trace", action="store_true", help="show all that happens")
    parser.add_argument("--fleets", action="store_true", help="stories of fleets")
    given = parser.parse_args()
    kind = FLEETS if given.fleets else ROLLOUTS
    if given.seed is not None:
        return min(1, show(given.seed, kind, full=given.trace))
    return min(1, campaign(given.start, given.seeds, given.jobs, kind))


if __name__ == "__main__":
    sys.exit(main())
