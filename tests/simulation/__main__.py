"""Many stories at once, or one to be read.

``python -m tests.simulation --seeds 100000`` plays seeds on all cores and tells seeds a second;
``python -m tests.simulation --seed 17 --trace`` plays one again and shows all that happens in it.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation.cases import SEEDS_A_CASE
from tests.simulation.judge import judge
from tests.simulation.play import play
from tests.simulation.scenario import scenario_of
from tests.simulation.trace import trace

#: Seeds that a process plays before it tells what it found; whole cases.
BLOCK = 8 * SEEDS_A_CASE


def scratch() -> Path | None:
    """Return where journals are quick to write: in memory, if the machine has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder is made in it
    return memory if os.access(memory, os.W_OK) else None


def play_block(seeds: range) -> tuple[dict[int, list[str]], Counter[str]]:
    """Play some seeds; return what was wrong by seed, and how the rollouts ended."""
    was_on = gc.isenabled()
    gc.disable()  # stories hold no circles worth looking for all the time
    wrong: dict[int, list[str]] = {}
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        for seed in seeds:
            story = play(scenario_of(seed), Path(folder))
            found = judge(story)
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


def campaign(start: int, size: int, jobs: int) -> int:
    """Play seeds on some cores; return how many went wrong."""
    begun, played, bad = time.monotonic(), 0, 0
    ends: Counter[str] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        todo = list(blocks(start, size))
        for seeds, (wrong, ended) in zip(todo, pool.map(play_block, todo), strict=True):
            played, bad, ends = played + len(seeds), bad + len(wrong), ends + ended
            for seed, found in wrong.items():
                for line in found[:3]:
                    print(f"seed {seed}: {line}")
                print(f"  replay: python -m tests.simulation --seed {seed} --trace", flush=True)
            seconds = time.monotonic() - begun
            if sys.stderr.isatty():
                print(f"\r{played} seeds, {played / seconds:.0f} a second", end="", file=sys.stderr)
    seconds = time.monotonic() - begun
    told = ", ".join(f"{count} {reason}" for reason, count in ends.most_common())
    print(f"{played} seeds in {seconds:.0f} s, {played / seconds:.0f} a second on {jobs} cores")
    print(f"{bad} with a violation; they ended: {told}")
    return bad


def show(seed: int, *, full: bool) -> int:
    """Play one seed and tell what was wrong; all that happened, if asked for."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        story = play(scenario_of(seed), Path(folder))
    if full:
        for line in trace(story):
            print(line)
    found = judge(story)
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
    given = parser.parse_args()
    if given.seed is not None:
        return min(1, show(given.seed, full=given.trace))
    return min(1, campaign(given.start, given.seeds, given.jobs))


if __name__ == "__main__":
    sys.exit(main())
