"""Kills real rollouts over HTTP and prints what came of it: ``make crash N=300``.

``--seed 17`` plays one case again, as often as ``--times`` says: the case and the moments of its
kills follow from the seed, what the processes were just doing does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.crash import accident, faulty

KILLS_A_CASE = 6
FAULTY_STEPS = 5_000


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m tests.crash", description=__doc__)
    add = parser.add_argument
    add("-n", "--kills", type=int, default=300, help="go on until so many were killed")
    add("--first", type=int, default=0, help="seed to begin with")
    add("--seed", type=int, help="play this case alone")
    add("--times", type=int, default=1, help="play it so often")
    add("--steps", type=int, default=FAULTY_STEPS, help="of the rollout with faulty answers")
    return parser.parse_args()


def kill(chosen: argparse.Namespace) -> bool:
    """Play cases until enough were killed; tell whether all was well."""
    begin, kills, seed, wrong = time.monotonic(), 0, chosen.first, 0
    while kills < chosen.kills:
        outcome = one(seed)
        kills, wrong = kills + outcome.kills, wrong + len(outcome.violations)
        seed += 1
    seconds = time.monotonic() - begin
    cases = seed - chosen.first
    print(f"{kills} kills in {cases} rollouts, {seconds:.0f} s, {wrong} violations")
    return wrong == 0


def one(seed: int) -> accident.Outcome:
    """Play a case and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="vcokit-crash-") as folder:
        outcome = accident.play(accident.random_case(seed), KILLS_A_CASE, Path(folder))
    print(outcome, flush=True)
    if outcome.violations:
        print(f"  again: python -m tests.crash --seed {seed} --times 20", flush=True)
    return outcome


def converge(steps: int) -> bool:
    """Carry out the rollout with faulty answers; tell whether all was well."""
    with tempfile.TemporaryDirectory(prefix="vcokit-crash-") as folder:
        outcome = faulty.play(steps, 0, Path(folder))
    print(f"{steps} steps, 20 % faulty answers: {outcome}")
    return not outcome.violations


def main() -> int:
    """Do what the command line says."""
    chosen = options()
    if chosen.seed is not None:
        return int(any(one(chosen.seed).violations for _ in range(chosen.times)))
    well = kill(chosen)
    if chosen.steps:
        well = converge(chosen.steps) and well
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
