"""How close a rollout comes to the shortest time there is, beside a naive peer: in virtual time.

::

    Scheduler ─decisions→ half a round trip → CloudModel → the other half ─inputs→ Scheduler
        └──── changes and calls → Journal, as the engine writes them (``--journal``)

``python -m benchmarks.makespan`` takes ten thousand steps on 250 connections: even, skewed after
Zipf, and half of them on one connection; limits as told, and half of that. Medians of several
seeds. Times are virtual and follow from the seed; CPU and memory are those of this machine.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Final

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import naive
from benchmarks.child import mib
from benchmarks.cloudmodel import CREATES, CloudModel, Work
from benchmarks.driver import Driver
from vcokit import schema
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan, plan_routes

OURS: Final = "vcokit"
NAIVE: Final = "ten workers, 3-6-9 s"
PATIENT: Final = "the same, never giving up"


def even(steps: int, lanes: int) -> list[int]:
    """Return as many steps a lane, but for the rest.

    >>> even(10, 4)
    [3, 3, 2, 2]
    """
    return [steps // lanes + (lane < steps % lanes) for lane in range(lanes)]


def zipf(steps: int, lanes: int) -> list[int]:
    """Return steps by lane that fall with its rank: a half, a third, a quarter of the first …

    >>> zipf(100, 4)
    [48, 24, 16, 12]
    """
    whole = sum(1 / rank for rank in range(1, lanes + 1))
    sizes = [max(1, int(steps / whole / rank)) for rank in range(1, lanes + 1)]
    sizes[0] += steps - sum(sizes)
    return sizes


def giant(steps: int, lanes: int) -> list[int]:
    """Return half of all on the first lane.

    >>> giant(100, 6)
    [50, 10, 10, 10, 10, 10]
    """
    return [steps - steps // 2, *even(steps // 2, lanes - 1)]


SHAPES: Final[dict[str, Callable[[int, int], list[int]]]] = {
    "even": even,
    "Zipf": zipf,
    "one giant lane": giant,
}


@dataclass(frozen=True)
class Result:
    """What came of one run.

    Parameters
    ----------
    ratio : float
        Makespan over lower bound.
    seconds : float
        Makespan, virtual.
    throttled : float
        Share of all calls.
    busy : float
        Share of writes.
    reads : float
        Share of the limit that the most used reading operation used.
    failed : float
        Share of steps.
    scheduler, journal : float
        CPU milliseconds a step, NaN where there was none.
    """

    ratio: float
    seconds: float
    throttled: float
    busy: float
    reads: float
    failed: float
    scheduler: float = math.nan
    journal: float = math.nan


def limits(share: float = 1.0) -> dict[str, Limit]:
    """Return the limits of the contract, or a share of that of creates."""
    table = {name: operation.limit for name, operation in OPERATIONS.items()}
    full = table[CREATES]
    return table | {CREATES: Limit(max(1, int(full.calls * share)), full.seconds)}


def ours(work: Work, seed: int, share: float, journal: Journal | None = None) -> Result:
    """Return how the scheduler does where the true limit is a share of what it was told."""
    model = CloudModel(work, limits(share))
    driver = Driver(model, limits(), seed, journal)
    seconds = driver.run()
    return _result(
        model,
        seconds,
        1 - model.created() / len(work.steps),
        driver.deciding.seconds,
        driver.writing.seconds if journal else math.nan,
    )


def theirs(work: Work, seed: int, share: float, timeout: float) -> Result:
    """Return how the naive peer does."""
    model = CloudModel(work, limits(share))
    seconds, failed = naive.run(model, seed, timeout)
    return _result(model, seconds, failed / len(work.steps))


def _result(
    model: CloudModel,
    seconds: float,
    failed: float,
    deciding: float = math.nan,
    writing: float = math.nan,
) -> Result:
    steps = len(model.work.steps)
    return Result(
        seconds / model.work.bound(model.limits),
        seconds,
        model.share("throttled"),
        model.share("busy", writes=True),
        model.reads_used(seconds),
        failed,
        deciding / steps * 1000,
        (deciding + writing) / steps * 1000,
    )


def plan_of(work: Work) -> Plan:
    """Return the plan of some work, for a journal."""
    rows = [
        (s.region_id, s.vpn_connection_id, s.route_dest, s.next_hop, s.weight) for s in work.steps
    ]
    routes = pd.DataFrame(rows, columns=list(schema.ROUTES_REQUIRED))
    return plan_routes(routes, schema.frame(schema.LIVE_ROUTES))


def medians(results: Sequence[Result]) -> Result:
    """Return the median of each figure."""
    return Result(**{f.name: median(asdict(r)[f.name] for r in results) for f in fields(Result)})


def measure(
    steps: int, lanes: int, seeds: Sequence[int], *, on_disk: bool
) -> Iterator[tuple[str, str, str, Result]]:
    """Yield shape, limit, who, and the medians of what came of it."""
    for shape, sizes in SHAPES.items():
        works = [Work.of(sizes(steps, lanes), seed) for seed in seeds]
        each = list(zip(works, seeds, strict=True))
        for limit, share in (("as told", 1.0), ("half of it", 0.5)):
            yield shape, limit, OURS, medians([_ours(w, s, share, on_disk) for w, s in each])
            for who, timeout in ((NAIVE, naive.TIMEOUT), (PATIENT, math.inf)):
                yield shape, limit, who, medians([theirs(w, s, share, timeout) for w, s in each])


def _ours(work: Work, seed: int, share: float, on_disk: bool) -> Result:
    if not on_disk:
        return ours(work, seed, share)
    with tempfile.TemporaryDirectory(prefix="vcokit-bench-") as folder:
        path = Path(folder) / "rollout.db"
        with Journal.create(path, plan_of(work), "bench") as journal:
            return ours(work, seed, share, journal)


# -- memory -------------------------------------------------------------------------------------


def weigh(steps: int, lanes: int, until: float) -> tuple[float, float]:
    """Return MiB that a rollout takes that goes on from its journal: in all, and before it is read.

    Measured in a process of its own, at its peak: journal, plan, scheduler, and the model besides,
    over so many virtual seconds.
    """
    work = Work.of(even(steps, lanes), 0)
    command = [sys.executable, "-m", "benchmarks.makespan", "--weigh"]
    with tempfile.TemporaryDirectory(prefix="vcokit-bench-") as folder:
        path = Path(folder) / "rollout.db"
        Journal.create(path, plan_of(work), "bench").close()
        given = [str(path), str(steps), str(lanes), str(until)]
        said = subprocess.run([*command, *given], check=True, capture_output=True, text=True)
    whole, before = said.stdout.split()
    return float(whole), float(before)


def _weigh_here(path: str, steps: int, lanes: int, until: float) -> tuple[float, float]:
    before = mib("VmHWM")
    work = Work.of(even(steps, lanes), 0)
    with Journal.open(path) as journal:
        journal.plan()
        Driver(CloudModel(work, limits()), limits(), 0, journal).run(until)
    return mib("VmHWM"), before


# -- what is shown ------------------------------------------------------------------------------

_HEADS: Final = (
    "steps on connections",
    "limit",
    "who",
    "× lower bound",
    "hours",
    "throttled",
    "busy",
    "reads used",
    "failed",
    "CPU ms a step",
    "with journal",
)


def cells(shape: str, limit: str, who: str, result: Result) -> list[str]:
    """Return a row of the table; who did not do all the work is not held against its bound.

    >>> cells("even", "as told", "x", Result(1.0123, 7200.0, 0.0, 0.0012, 0.3, 0.0))
    ['even', 'as told', 'x', '1.012', '2.0', '0.00 %', '0.12 %', '30 %', '0.0 %', '–', '–']
    """
    cpu = ["–" if math.isnan(ms) else f"{ms:.2f}" for ms in (result.scheduler, result.journal)]
    return [
        shape,
        limit,
        who,
        "–" if result.failed else f"{result.ratio:.3f}",
        f"{result.seconds / 3600:.1f}",
        f"{result.throttled:.2%}".replace("%", " %"),
        f"{result.busy:.2%}".replace("%", " %"),
        f"{result.reads:.0%}".replace("%", " %"),
        f"{result.failed:.1%}".replace("%", " %"),
        *cpu,
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table for the README.

    >>> print(markdown([["a"] * 11]).splitlines()[1].count("|"))
    12
    """
    lines = [_HEADS, ["---"] * 3 + ["---:"] * (len(_HEADS) - 3), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(rows: Sequence[Sequence[str]]) -> None:
    """Print rows for a person."""
    table = Table(*_HEADS, box=None)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.makespan", description=__doc__)
    add = parser.add_argument
    add("--steps", type=int, default=10_000)
    add("--lanes", type=int, default=250, help="connections")
    add("--seeds", type=int, default=3, help="runs that medians are taken of")
    add("--journal", action="store_true", help="write the journal to disk as well")
    add("--readme", action="store_true", help="print the table as Markdown")
    add("--memory", type=int, metavar="STEPS", help="weigh so many steps, for an hour of theirs")
    add("--weigh", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Do what the command line says."""
    chosen = options(arguments)
    if chosen.weigh:
        path, steps, lanes, until = chosen.weigh
        print(*_weigh_here(path, int(steps), int(lanes), float(until)))
        return
    if chosen.memory:
        whole, before = weigh(chosen.memory, chosen.lanes, 3600.0)
        print(
            f"{chosen.memory:,} steps: {whole:.0f} MiB at the peak, {before:.0f} MiB of it imports"
        )
        return
    found = measure(chosen.steps, chosen.lanes, range(chosen.seeds), on_disk=chosen.journal)
    rows = [cells(*row) for row in found]
    if chosen.readme:
        print(markdown(rows))
    else:
        show(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
