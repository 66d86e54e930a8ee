"""A rollout over HTTP that is killed again and again: the case, the kills, and the reckoning.

::

    this process                                a process forked for each life of the rollout
      the plan, as a file                         connect, load or open, start, wait
      Simulator ── wall clock, once a call ─┐     │
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
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pandas as pd

import vcokit as vk
from tests.crash import ledger
from tests.inventories import Row, as_read, clean_rows, routes_frame
from vcokit.simulator import Credentials, Fault, Route, Simulator

#: Seconds a life may take at most; only a rollout that hangs does.
PATIENCE = 120.0
#: Waits of this machine, not of the cloud; short ones, so that much happens in little time.
SETTINGS = {
    "VCOKIT_RETRY_BASE": "0.02",
    "VCOKIT_RETRY_CAP": "0.3",
    "VCOKIT_READ_ATTEMPTS": "12",
    "VCOKIT_STEP_ATTEMPTS": "12",
    "VCOKIT_LOST_ATTEMPTS": "50",
}
#: A connection of the cloud that no inventory here names: nobody touches its routes.
OTHER = Row("cn-hangzhou", "vco-other", "10.99.0.0/16", "vco-other", "100")
LOSSY = ("drop_before", "drop_after", "status_500", "status_503", "truncate", "html", "empty")
#: Adds up to 20 %; each call is struck by one at most, or rarely by two.
SHARES = {
    "drop_before": 0.03,
    "drop_after": 0.03,
    "status_500": 0.03,
    "status_503": 0.02,
    "truncate": 0.03,
    "html": 0.02,
    "empty": 0.01,
    "content_type": 0.01,
    "throttle": 0.01,
    "busy": 0.01,
}

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash.accident", "vcokit.rollout"])


@dataclass(frozen=True)
class Case:
    """What there is to do, and how it goes wrong."""

    seed: int
    routes: pd.DataFrame  # what is live beside them on their connections is deleted
    live: Sequence[Route] = ()
    faults: Sequence[Fault] = ()
    stretch: int = 40  # calls of a life at most before it is killed, where it is killed at one
    speed: float = 400.0


def random_case(seed: int) -> Case:
    """Return the case of a seed: creates, changed weights, deletes, and routes of somebody else."""
    chance = random.Random(seed)
    lanes = chance.randint(2, 6)
    rows = clean_rows(lanes, chance.randint(4, 12))
    live = [
        Route(row.vpn_connection_id, row.route_dest, chance.choice([0, 100]))
        for row in rows
        if chance.random() < 0.3
    ]
    names = [*(f"vco-{lane}" for lane in range(lanes)), OTHER.vpn_connection_id]
    live += [Route(name, f"172.16.{n}.0/24") for n, name in enumerate(names)]
    kinds = chance.sample([*LOSSY, "throttle", "busy", "task_fails", "delay"], chance.randint(1, 5))
    faults = [
        Fault(
            kind,
            probability=chance.uniform(0.02, 0.12),
            seconds=0.05 if kind == "delay" else 1.0,
        )
        for kind in kinds
    ]
    return Case(seed, routes_frame(map(as_read, rows)), live, faults)


def faulty_case(seed: int, steps: int) -> Case:
    """Return a case of so many creates against a cloud that fails all the time."""
    faults = [Fault(kind, probability=share, seconds=0.5) for kind, share in SHARES.items()]
    faults.append(Fault("task_fails", probability=0.02))
    routes = routes_frame(map(as_read, clean_rows(50, steps // 50)))
    return Case(seed, routes, faults=faults, speed=3000.0)


@dataclass
class Outcome:
    """What came of a case."""

    seed: int
    kills: int
    calls: int  # that the simulator saw
    lost: int  # intents without an outcome
    violations: list[str]

    def __str__(self) -> str:
        verdict = "; ".join(self.violations) or "as planned"
        said = f"{self.kills} kills, {self.calls} calls, {self.lost} intents without an outcome"
        return f"seed {self.seed}: {said}: {verdict}"


def play(case: Case, kills: int, folder: Path) -> Outcome:
    """Play a case: kill it so many times, unless it ends before; then let it end."""
    trap = Trap()
    cloud = Simulator.for_routes(
        pd.concat([case.routes, routes_frame([as_read(OTHER)])], ignore_index=True),
        routes=case.live,
        speed=case.speed,
        seed=case.seed,
        quota=1000,
        faults=case.faults,
        task_seconds=(0.5, 8.0),
        wall=trap,
    )
    with cloud:
        start = ledger.live_of(cloud.routes())
        with patch.dict(os.environ, SETTINGS), vk.connect(cloud) as client:
            live = vk.live_routes(client, case.routes)
        vk.plan_routes(case.routes, live, prune=True).save(folder / "plan.jsonl")
        before = len(cloud.calls())
        lives = Lives(case, cloud, trap, folder)
        done = lives.play(random.Random(f"{case.seed}/kills"), kills)
        found = [] if done else [f"the rollout does not come to its end: {lives.said()}"]
        end, history = ledger.live_of(cloud.routes()), cloud.calls().iloc[before:]
    if not lives.journal.exists():
        return Outcome(case.seed, lives.kills, len(history), 0, found)
    with vk.Journal.read(lives.journal) as journal:
        steps, calls = journal.steps(), journal.calls()
        if journal.owner() is not None and done:
            found.append(f"held by {journal.owner()} after its end")
    found += ledger.violations(steps, calls, history, end, start, exact=kills == 0)
    lost = int(calls["outcome"].isna().sum())
    return Outcome(case.seed, lives.kills, len(history), lost, found)


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


class Lives:
    """The processes of one rollout, one after another."""

    def __init__(self, case: Case, cloud: Simulator, trap: Trap, folder: Path) -> None:
        self.case, self.cloud, self.trap = case, cloud, trap
        self.plan, self.journal = folder / "plan.jsonl", folder / "rollout.db"
        self.file = folder / "said.txt"
        self.kills = 0

    def play(self, chance: random.Random, kills: int) -> bool:
        """Kill so many lives, then let one end; tell whether it did."""
        while self.kills < kills:
            code = self.live(chance)
            if code != -signal.SIGKILL:
                return code == 0
        return self.live(None) == 0

    def live(self, chance: random.Random | None) -> int | None:
        """Let the rollout begin or go on, until it ends or is killed; return the exit code."""
        keys = tuple(self.cloud.credentials[:2])
        given = (self.cloud.endpoint, keys, self.case.speed, self.plan, self.journal)
        process = FORKS.Process(target=run, args=(self.file, *given))
        process.start()
        if chance is not None:
            self.doom(process, chance)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            return None
        self.trap.set(None, 0)
        self.kills += process.exitcode == -signal.SIGKILL
        return process.exitcode

    def doom(self, process: ForkServerProcess, chance: random.Random) -> None:
        """Choose the moment of a death: at a call, or as the journal is written."""
        if chance.random() < 0.6:
            self.trap.set(process.pid, chance.randint(1, self.case.stretch))
        elif changes(self.journal, chance.randint(1, 3 * self.case.stretch // 2), process):
            process.kill()

    def said(self) -> str:
        """Return what went wrong in the last life that said so."""
        return self.file.read_text("utf-8") if self.file.exists() else "it hangs"


def run(said: Path, *given: object, go: Callable[..., None] | None = None) -> None:
    """Live a life in a process of its own; what goes wrong is written into a file."""
    os.environ.update(SETTINGS)
    try:
        (go or go_on)(*given)
    except BaseException:
        said.write_text(traceback.format_exc(), encoding="utf-8")
        sys.exit(1)


def go_on(endpoint: str, keys: tuple[str, str], speed: float, plan: Path, journal: Path) -> None:
    """Start the rollout, or resume it where there is a journal, and see it to its end."""
    cloud = SimpleNamespace(endpoint=endpoint, credentials=Credentials(*keys), speed=speed)
    with vk.connect(cloud) as client:
        if journal.exists():
            rollout = vk.Rollout.open(journal, client)
        else:
            rollout = vk.Rollout(vk.Plan.load(plan), client, journal=journal)
        rollout.start().wait().raise_on_error()
        if rollout.state != "finished":
            raise RuntimeError(f"ended {rollout.state}: {rollout.tally().message}")


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
