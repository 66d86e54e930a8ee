"""Kills real rollouts over HTTP and prints what came of it: ``make crash N=300``.

``--seed 17`` plays one case again, as often as ``--times`` says: the case and the moments of its
kills follow from the seed, what the processes were just doing does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import count, repeat
from pathlib import Path

from tests.crash import fleets
from tests.crash.accident import Case, Outcome, faulty_case, play, random_case

KILLS_A_CASE = 6


def played(case: Case, kills: int) -> Outcome:
    """Play a case and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="vcokit-crash-") as folder:
        outcome = play(case, kills, Path(folder))
    print(outcome, flush=True)
    if outcome.violations and kills:
        print(f"  again: python -m tests.crash --seed {case.seed} --times 20", flush=True)
    return outcome


def main() -> int:
    """Do what the command line says; the exit code is 1 where something went wrong."""
    parser = argparse.ArgumentParser("python -m tests.crash", description=__doc__)
    add = parser.add_argument
    add("-n", "--kills", type=int, default=300, help="go on until so many were killed")
    add("--first", type=int, default=0, help="seed to begin with")
    add("--seed", type=int, help="play this case alone")
    add("--times", type=int, default=1, help="play it so often")
    add("--fleets", action="store_true", help="fleets of three to five accounts instead")
    add("--steps", type=int, default=5_000, help="of the rollout with faulty answers")
    chosen = parser.parse_args()
    outcomes = []
    if chosen.fleets:
        seeds = count(chosen.first) if chosen.seed is None else repeat(chosen.seed, chosen.times)
        for seed in seeds:
            with tempfile.TemporaryDirectory(prefix="vcokit-crash-") as folder:
                outcomes.append(fleets.play(seed, KILLS_A_CASE, Path(folder)))
            print(outcomes[-1], flush=True)
            if sum(outcome.kills for outcome in outcomes) >= chosen.kills:
                break
    elif chosen.seed is not None:
        outcomes += [played(random_case(chosen.seed), KILLS_A_CASE) for _ in range(chosen.times)]
    else:
        seed = chosen.first
        while sum(outcome.kills for outcome in outcomes) < chosen.kills:
            outcomes.append(played(random_case(seed), KILLS_A_CASE))
            seed += 1
        if chosen.steps:
            outcomes.append(played(faulty_case(0, chosen.steps), 0))
    wrong = sum(len(outcome.violations) for outcome in outcomes)
    print(f"{len(outcomes)} rollouts, {wrong} violations")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
