"""A rollout over HTTP that is killed again and again: the case, the kills, and the reckoning.

::

    this process                                a process forked for each life of the rollout
      Simulator ── wall clock, once a call ─┐     connect, plan or open, start, wait
      kills ← the n-th further call arrives ┘     │
            ← the journal's files change the n-th time
      the next life: resume, where there is a journal

The inventory, the faults and the moments of the kills follow from a seed. What they fall upon does
not: processes are real, so a seed that failed may have to be played more than once.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pandas as pd

from tests.crash import child, ledger
from vcokit import schema
from vcokit.rollout.journal import Journal
from vcokit.simulator import Account, Fault, Route, Simulator
from vcokit.simulator.scenario import connections_for

SPEED = 400.0
#: Seconds a life may take at most; only a rollout that hangs does.
PATIENCE = 120.0
LOSSY = ("drop_before", "drop_after", "status_500", "status_503", "truncate", "html", "empty")

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash.child", "vcokit.rollout.executor"])


class Trap:
    """A clock on the wall, which the simulator reads once a call; kills when its call arrives."""

    def __init__(self) -> None:
        self.left = 0
        self.victim: int | None = None

    def __call__(self) -> float:
        """Tell the time."""
        if self.left > 0 and self.victim is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(self.victim, signal.SIGKILL)
        return time.time()

    def set(self, victim: int | None, calls: int) -> None:
        """Kill a process when so many more calls have arrived."""
        self.victim, self.left = victim, calls


@dataclass(frozen=True)
class Case:
    """What there is to do, and how it goes wrong.

    Parameters
    ----------
    seed : int
    routes : DataFrame
        The inventory.
    live : list of Route
        Of the cloud at the start.
    doomed : set of str
        Networks of live routes that the plan deletes.
    faults : list of Fault
    stretch : int
        Calls that a life makes at most before it is killed, where it is killed at a call.
    """

    seed: int
    routes: pd.DataFrame
    live: list[Route]
    doomed: set[str]
    faults: list[Fault]
    stretch: int = 40


def random_case(seed: int) -> Case:
    """Return the case of a seed: creates, changed weights, deletes, and routes of somebody else."""
    rng = random.Random(seed)
    rows, live = [], []
    for lane in range(rng.randint(2, 6)):
        name = f"vco-{lane}"
        for n in range(rng.randint(3, 12)):
            weight = rng.choice([0, 100])
            rows.append(("cn-hangzhou", name, f"10.{lane}.{n}.0/24", name, weight))
            if rng.random() < 0.3:
                live.append(Route(name, f"10.{lane}.{n}.0/24", rng.choice([0, 100]), name))
        live += [Route(name, f"172.16.{3 * lane + n}.0/24", 100, name) for n in range(3)]
    doomed = {f"172.16.{3 * lane}.0/24" for lane in range(6)}
    routes = schema.frame(
        schema.ROUTES, pd.DataFrame(rows, columns=list(schema.ROUTES_REQUIRED)).to_dict("series")
    )
    return Case(seed, routes, live, doomed, random_faults(rng))


def random_faults(rng: random.Random) -> list[Fault]:
    """Return a few faults, each striking now and then; none waits long."""
    kinds = [*LOSSY, "throttle", "busy", "task_fails", "delay"]
    return [
        Fault(kind, probability=rng.uniform(0.02, 0.12), seconds=0.05 if kind == "delay" else 1.0)
        for kind in rng.sample(kinds, rng.randint(1, 5))
    ]


def cloud_of(case: Case, trap: Trap) -> Simulator:
    """Return the cloud of a case."""
    return Simulator(
        connections_for(case.routes, case.seed, Account().account_id),
        case.live,
        speed=SPEED,
        seed=case.seed,
        quota=1000,
        faults=case.faults,
        task_seconds=(0.5, 8.0),
        wall=trap,
    )


@dataclass
class Outcome:
    """What came of a case.

    Parameters
    ----------
    seed, kills : int
    calls : int
        What the simulator saw.
    lost : int
        Intents that were on disk when the process died.
    seconds : float
    violations : list of str
    """

    seed: int
    kills: int
    calls: int
    lost: int
    seconds: float
    violations: list[str]

    def __str__(self) -> str:
        verdict = "; ".join(self.violations) or "as planned"
        said = f"{self.kills} kills, {self.calls} calls, {self.lost} intents without an outcome"
        return f"seed {self.seed}: {said}, {self.seconds:.1f} s: {verdict}"


def play(case: Case, kills: int, folder: Path) -> Outcome:
    """Play a case: kill it so many times, unless it ends before; then let it end."""
    begin, seed, trap = time.monotonic(), case.seed, Trap()
    with cloud_of(case, trap) as cloud:
        start = ledger.live_of(cloud.routes())
        lives = _Lives(case, cloud, trap, folder)
        rng = random.Random(f"{seed}/kills")
        done = lives.play(rng, kills)
        found = [] if done else [f"the rollout does not come to its end: {lives.said()}"]
        live, history = ledger.live_of(cloud.routes()), cloud.calls()
    if not lives.journal.exists():
        return Outcome(seed, lives.kills, len(history), 0, time.monotonic() - begin, found)
    with Journal.read(lives.journal) as journal:
        steps, calls = journal.steps(), journal.calls()
        if journal.lease() is not None and done:
            found.append(f"held by {journal.lease()} after its end")
    found += ledger.violations(steps, calls, history, live, start)
    lost = int(calls["outcome"].isna().sum())
    return Outcome(seed, lives.kills, len(history), lost, time.monotonic() - begin, found)


class _Lives:
    """The processes of one rollout, one after another."""

    def __init__(self, case: Case, cloud: Simulator, trap: Trap, folder: Path) -> None:
        self.case, self.cloud, self.trap = case, cloud, trap
        self.journal = folder / f"rollout-{case.seed}.db"
        self.file = folder / f"said-{case.seed}.txt"
        self.kills = 0

    def play(self, rng: random.Random, kills: int) -> bool:
        """Kill so many lives, then let one end; tell whether it did."""
        while self.kills < kills:
            code = self.live(rng)
            if code != -signal.SIGKILL:
                return code == 0
        return self.live(None) == 0

    def live(self, rng: random.Random | None) -> int | None:
        """Let the rollout begin or go on, until it ends or is killed; return the exit code."""
        verb = "resume" if self.journal.exists() else "start"
        keys = tuple(self.cloud.credentials[:2])
        given = (verb, self.cloud.endpoint, keys, SPEED, str(self.journal))
        process = FORKS.Process(
            target=child.run,
            args=(str(self.file), child.SETTINGS, *given, self.case.routes, self.case.doomed),
        )
        process.start()
        if rng is not None:
            self.doom(process, rng)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            return None
        self.trap.set(None, 0)
        self.kills += process.exitcode == -signal.SIGKILL
        return process.exitcode

    def doom(self, process: ForkServerProcess, rng: random.Random) -> None:
        """Choose the moment of a death: at a call, or as the journal is written."""
        if rng.random() < 0.6:
            self.trap.set(process.pid, rng.randint(1, self.case.stretch))
            return
        if changes(self.journal, rng.randint(1, 3 * self.case.stretch // 2), process):
            process.kill()

    def said(self) -> str:
        """Return what went wrong in the last life that said so."""
        return self.file.read_text("utf-8") if self.file.exists() else "it hangs"


def changes(journal: Path, times: int, process: ForkServerProcess) -> bool:
    """Wait until a journal's files have changed so many times; False if the process ends before."""
    end, last = time.monotonic() + PATIENCE, stamp(journal)
    while times > 0 and time.monotonic() < end:
        now = stamp(journal)
        if now != last:
            times, last = times - 1, now
        else:
            process.join(0.0005)
            if not process.is_alive():
                return False
    return True


def stamp(journal: Path) -> tuple[int, ...]:
    """Return what changes with every round that is written."""
    found = []
    for end in ("-new", "", "-wal"):
        try:
            about = os.stat(f"{journal}{end}")
            found += [about.st_size, about.st_mtime_ns]
        except FileNotFoundError:
            found.append(0)
    return tuple(found)
