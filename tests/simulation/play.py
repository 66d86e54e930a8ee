"""One story from beginning to end: real scheduler, engine and journal, in virtual time.

::

    play(scenario)   boot ─→ engine.run() ─→ ended ──────────────→ Story
                      ↑          │ killed        │ stopped, to be resumed
                      └──────────┴───────────────┘ by what the journal's file holds

A killed process leaves the files of its journal as they lie on the disk at that moment, and calls
that have left still arrive.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from tests.simulation.cases import SEEDS_A_CASE, case_of
from tests.simulation.clockwork import Hang, Loop, World
from tests.simulation.network import Network, Wire
from tests.simulation.scenario import Scenario
from vcokit.cloud.operations import OPERATIONS, Limit, Operation
from vcokit.rollout.alphabet import Command, Finished
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.events import StepChanged
from vcokit.rollout.journal import Journal
from vcokit.rollout.lanes import Record
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.scheduler import Scheduler
from vcokit.simulator import Connection
from vcokit.simulator import Route as LiveRoute
from vcokit.simulator.state import Cloud

#: Seconds since the epoch at virtual second 0.
EPOCH = 1_795_000_000.0
#: A story is over by then, whatever happens in it; outages and pauses included.
UNTIL = 40_000.0
#: Times a rollout that stopped is gone on with.
REOPENINGS = 8
ROLLOUT_ID = "simulated"


class Killed(SystemExit):
    """The process is no more; asyncio lets nothing run after it."""


class KnownJournal(Journal):
    """A journal whose plan need not be read out of it: that takes longer than a whole rollout."""

    known: ClassVar[Plan | None] = None

    def plan(self) -> Plan:
        """Return the plan of the case that is played."""
        return self.known or super().plan()


@dataclass
class Story:
    """What happened, and where it has left things.

    Parameters
    ----------
    scenario : Scenario
    log : list of tuple
        Time, kind and more of everything that happened, in order.
    states : dict of int to (str, str or None)
        State and code of every step in the journal at the end.
    ended : Finished or None
        How the last process ended.
    calls : list of tuple
        Rows of the journal's calls: number, step, attempt, operation, token, outcome, code.
    wrong : list of str
        What broke the story off.
    """

    scenario: Scenario
    log: list[tuple]
    states: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    ended: Finished | None = None
    calls: list[tuple] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def play(scenario: Scenario, folder: Path) -> Story:
    """Play a story; its files go into a folder, which is emptied again."""
    return _Stage(scenario, folder).play()


@lru_cache(maxsize=64)
def _template(number: int, folder: Path) -> bytes:
    """Return the journal of a case as a new rollout has it; making one takes long."""
    path = folder / f"case-{number}.db"
    Journal.create(path, case_of(number).plan, ROLLOUT_ID, now=lambda: EPOCH).close()
    data = path.read_bytes()
    path.unlink()
    return data


def cloud_of(scenario: Scenario) -> Cloud:
    """Return the cloud of a story as it is at the beginning."""
    case = scenario.case
    return Cloud(
        [Connection(name, region) for name, region in case.regions.items()],
        [
            LiveRoute(name, net, weight, hop)
            for name, routes in case.live.items()
            for net, hop, weight in sorted(routes)
        ],
        seed=scenario.seed,
        quota=scenario.quota,
        task_seconds=scenario.task_seconds,
        limits=scenario.limits,
        switches=scenario.switches,
        faults=scenario.faults,
    )


@lru_cache(maxsize=1)
def _defaults() -> Options:
    return Options.in_force()


class _Stage:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.rng = random.Random(f"play/{scenario.seed}")
        self.world = World(UNTIL)
        self.network = Network(
            self.world, cloud_of(scenario), self.rng, scenario.outages
        )
        self.story = Story(scenario, self.network.log)
        self.deaths = list(scenario.deaths)
        self.moments = 0
        self.generation = 0
        self.reopened = 0
        self.offset = 0.0
        self.engine: Engine | None = None
        self.path = folder / "0.db"
        self.path.write_bytes(_template(scenario.case.number, folder))
        self._plan_events()

    def _plan_events(self) -> None:
        for moment, name in self.scenario.commands:
            self.world.at(moment, lambda name=name: self._command(name))
        for number, (moment, operation, _, given) in enumerate(self.scenario.writers):
            token = f"somebody-{number}"
            self.world.at(
                moment, lambda o=operation, g=given, t=token: self._foreign(o, g, t)
            )
        for moment, seconds in self.scenario.jumps:
            self.world.at(moment, lambda seconds=seconds: self._jump(seconds))

    def _command(self, name: str) -> None:
        self.network.note("command", name)
        if self.engine is not None:
            self.engine.command(Command(name))  # type: ignore[arg-type]

    def _foreign(self, operation: str, given: dict, token: str) -> None:
        answer = self.network.arrive(operation, {**given, "ClientToken": token})
        self.network.note("writer", operation, given, answer)

    def _jump(self, seconds: float) -> None:
        self.offset += seconds

    # -- processes ------------------------------------------------------------------------------

    def play(self) -> Story:
        """Let processes follow one another until the rollout has ended."""
        openings = 0
        try:
            while openings <= REOPENINGS:
                ended = self._process()
                if ended is not None and ended.reason not in ("stopped", "interrupted"):
                    break
                openings += ended is not None
                self.reopened = openings
                self.world.sleep(self.rng.choice([0.05, 1.0, 20.0, 100.0]))
            self.world.until += 2000.0
            self._let_things_settle()
        except Hang as hang:
            self.story.wrong.append(f"hang: {hang}")
        except Exception as error:
            if "PYTEST" in str(type(error)):
                raise
            self.story.wrong.append(f"raised: {type(error).__name__}: {error}")
            self.story.error = error  # type: ignore[attr-defined]
        self._read_journal()
        return self.story

    def _let_things_settle(self) -> None:
        """Let everything arrive that is still on its way, and every task end."""
        end = self.world.now + 200.0
        while self.world.now < end:
            self.world.sleep(end - self.world.now)

    def _process(self) -> Finished | None:
        """Run one process; None where it was killed."""
        self.generation += 1
        case = self.scenario.case
        self.network.note("boot", self.generation)
        # Of one seed in each case the plan is read from the journal every time.
        KnownJournal.known = case.plan if self.scenario.seed % SEEDS_A_CASE else None
        journal = KnownJournal.open(self.path, now=self._wall)
        reader = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        wire = Wire(self.network, self._limits(), lambda *call: self._leaving(reader, *call))
        loop = Loop(self.world)
        try:
            self.engine = self._engine(journal, wire)
            write = journal.write
            journal.write = lambda *rows, **more: self._write(write, *rows, **more)  # type: ignore
            self.world.each_wait = self._moment
            ended = loop.run_until_complete(self.engine.run())
            reader.close()
            write(meta={"state": ended.reason, "message": ended.message})
            journal.close()
        except Killed as killed:
            self._bury(journal, reader)
            self.network.note("dead", self.generation, str(killed))
            return None
        finally:
            wire.alive = False
            self.engine = None
            self.world.each_wait = None
            loop.drop()
        self.network.note("end", self.generation, ended)
        self.story.ended = ended
        return ended

    def _engine(self, journal: Journal, wire: Wire) -> Engine:
        case = self.scenario.case
        records = {
            number: Record(state, attempt, misses)
            for number, state, attempt, misses in journal.standing()
        }
        options = replace(_defaults(), **self.scenario.options)
        if self.reopened < 2:  # who goes on for the second time has other wishes
            options = options.wishing(**self.scenario.rollout)
        scheduler = Scheduler(
            case.steps,
            case.plan.live_by_lane(),
            wire.limits,
            options,
            records,
            case.order,
            self._recent(journal, wire.limits),
        )
        clocks = Clocks(self._wall, lambda: self.world.now)
        return Engine(scheduler, journal, ROLLOUT_ID, wire, self._told, clocks)  # type: ignore

    def _recent(self, journal: Journal, limits: dict[str, Limit]) -> list[tuple[str, str, float]]:
        """Return which slots the calls of earlier processes still hold, and until when."""
        sql = "SELECT region_id, operation, sent_at + coalesce(seconds, 10.0) FROM call"
        return [
            (region, name, min(ended - self._wall() + limits[name].seconds, limits[name].seconds))
            for region, name, ended in journal._query(sql)
        ]

    def _wall(self) -> float:
        return EPOCH + self.world.now + self.offset

    def _limits(self) -> dict[str, Limit]:
        known = {name: operation.limit for name, operation in OPERATIONS.items()}
        known |= {name: Limit(*limit) for name, limit in self.scenario.believed.items()}
        return known

    def _told(self, event: object) -> None:
        if isinstance(event, StepChanged):
            said = (event.old, event.new, event.code, event.message)
            self.network.note("step", self.generation, event.step, *said)

    # -- moments at which a process may die -------------------------------------------------------

    def _moment(self, what: str = "while it waits") -> None:
        self.moments += 1
        if self.deaths and self.moments >= self.deaths[0]:
            self.deaths.pop(0)
            raise Killed(what)

    def _write(self, write, *rows, **more) -> None:
        self._moment("before a transaction")
        write(*rows, **more)
        self.network.note("kept")
        self._moment("after a transaction")

    def _leaving(
        self, reader: sqlite3.Connection, number: int, operation: Operation, given: dict
    ) -> None:
        self._moment("before a call leaves")
        intended = None
        if operation.writes:
            sql = (
                "SELECT count(*) FROM call JOIN step USING (step) WHERE client_token = ? AND"
                " outcome IS NULL AND state = 'sent' AND step.attempt = call.attempt"
            )
            intended = bool(reader.execute(sql, (given.get("ClientToken"),)).fetchone()[0])
        self.network.note("send", number, self.generation, operation.name, given, intended)

    def _bury(self, journal: Journal, reader: sqlite3.Connection) -> None:
        """Keep the journal's files as they are now, and let go of the dead process's hold."""
        path = self.folder / f"{self.generation}.db"
        for old in self.folder.glob(f"{self.path.name}*"):
            if not old.name.endswith("-shm"):
                shutil.copyfile(old, path.with_name(old.name.replace(self.path.name, path.name)))
        reader.close()
        journal._db.close()
        if journal._lock is not None:
            journal._lock.release()
        for old in self.folder.glob(f"{self.path.name}*"):
            old.unlink()
        self.path = path

    def _read_journal(self) -> None:
        with sqlite3.connect(self.path) as db:
            rows = db.execute("SELECT step, state, code FROM step")
            self.story.states = {step: (state, code) for step, state, code in rows}
            self.story.calls = db.execute(
                "SELECT call, step, attempt, operation, client_token, outcome, code FROM call"
            ).fetchall()
        db.close()
        for old in self.folder.glob(f"{self.path.name}*"):
            old.unlink()
