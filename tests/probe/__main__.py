"""Probes by the hundred, and what they find: ``make probes``.

::

    found       random clouds, each probed: which of the questions were answered as it is
    killed      probes of a process of their own, killed with SIGKILL at random moments and resumed
    forecast    rollouts beside their rehearsal on a simulator of what a probe saw

Everything follows from a seed, but what processes were just doing when they were killed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.probe.conftest import Stage
from tests.probe.forecasts import compared
from tests.probe.killing import killed
from tests.probe.test_facts import FLIPPED, drawn, wrong_answers


def found(first: int, count: int) -> int:
    """Probe random clouds; print a table question × found, and return how many were not."""
    asked, seen = Counter[str](), Counter[str]()
    for seed in range(first, first + count):
        options = drawn(seed)
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            probe = Stage(Path(folder), stack, **options).probe(sandbox=True)
        wrong = wrong_answers(options, probe)
        for question in wrong.keys() | {name for _, name, _ in FLIPPED}:
            asked[question] += 1
            seen[question] += not wrong.get(question)
        for question, what in wrong.items():
            if what:
                print(f"seed {seed}: {question}: {what}", flush=True)
    print(f"{'question':28} asked  found")
    for question in sorted(asked):
        print(f"{question:28} {asked[question]:5}  {seen[question]:5}")
    return sum((asked - seen).values())


def main() -> int:
    """Do what the command line says; the exit code is 1 where something went wrong."""
    parser = argparse.ArgumentParser("python -m tests.probe", description=__doc__)
    parser.add_argument("what", choices=["found", "killed", "forecast"])
    parser.add_argument("-n", "--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    chosen = parser.parse_args()
    os.environ["VCOKIT_POLL_INTERVAL"] = "2"
    does = {"found": found, "killed": killed, "forecast": compared}
    return int(does[chosen.what](chosen.first, chosen.count) > 0)


if __name__ == "__main__":
    sys.exit(main())
