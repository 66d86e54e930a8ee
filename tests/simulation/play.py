"""One story from beginning to end: real scheduler, engine and journal, in virtual time.

::

    play(scenario)   boot ─→ engine.run() ─→ ended ───────────→ (undo) ─→ Story
                      ↑          │ killed        │ stopped
                      └──────────┴───────────────┘ by what the journal's file holds

A killed process leaves the files of its journal as they lie on the disk at that moment, and calls
that have left still arrive. Of one seed in each case the rollout is opened as a user opens it; of
the others engine and scheduler are put together here, which takes a tenth of the time.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.simulation import disk
from tests.simulation.cases import SEEDS_A_CASE, case_of
from tests.simulation.clockwork import HangError, Loop, World
from tests.simulation.disk import KnownJournal
from tests.simulation.network import Network, Wire
from tests.simulation.scenario import Scenario
from tests.simulation.undoing import Undoing, undo
from vcokit.cloud.operations import OPERATIONS, Limit, Operation
from vcokit.rollout.alphabet import Command, Finished
from vcokit.rollout.engine import Clocks, Engine
from vcokit.rollout.events import StepChanged
from vcokit.rollout.executor import Rollout
from vcokit.rollout.journal import Journal
from vcokit.rollout.lanes import Record
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.scheduler import Scheduler
from vcokit.simulator import Connection
from vcokit.simulator import Route as LiveRoute
from vcokit.simulator.backend import Cloud

#: Seconds since the epoch at virtual second 0.
EPOCH = 1_795_000_000.0
#: A story is over by then, whatever happens in it; outages and pauses included.
UNTIL = 40_000.0
#: Times a rollout that stopped is gone on with.
REOPENINGS = 8
ROLLOUT_ID = "simulated"


class Killed(SystemExit):
    """The process is no more; asyncio lets nothing run after it."""


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
    undoing : Undoing or None
        What became of taking it back, where it was.
    wrong : list of str
        What broke the story off.
    error : Exception or None
        The error that did.
    """

    scenario: Scenario
    log: list[tuple]
    states: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    ended: Finished | None = None
    calls: list[tuple] = field(default_factory=list)
    undoing: Undoing | None = None
    wrong: list[str] = field(default_factory=list)
    error: Exception | None = None


def play(scenario: Scenario, folder: Path) -> Story:
    """Play a story; its files go into a folder, and are gone when it is over."""
    return _Stage(scenario, folder).play()


@lru_cache(maxsize=64)
def _template(number: int, folder: Path) -> bytes:
    """Return the journal of a case as a new rollout has it; making one takes long."""
    return disk.fresh(folder, case_of(number).plan, ROLLOUT_ID, EPOCH)


@lru_cache(maxsize=1)
def _settings() -> Options:
    return Options.in_force()


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


class _Stage:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.rng = random.Random(f"play/{scenario.seed}")
        self.world = World(UNTIL)
        self.network = Network(self.world, cloud_of(scenario), self.rng, scenario.outages)
        self.story = Story(scenario, self.network.log)
        self.deaths = list(scenario.deaths)
        self.moments = 0
        self.generation = 0
        self.reopened = 0
        self.offset = 0.0
        self.engine: Engine | None = None
        self.clocks = Clocks(self._wall, lambda: self.world.now)
        self.is_opened = scenario.seed % SEEDS_A_CASE == 0
        self.path = folder / "0.db"
        self.path.write_bytes(self._new_journal())
        self._plan_events()

    def _new_journal(self) -> bytes:
        case = self.scenario.case
        if not self.is_opened:
            return _template(case.number, self.folder)
        meta = {"options": self._options().to_json()}
        return disk.fresh(self.folder, case.plan, ROLLOUT_ID, EPOCH, meta)

    def _plan_events(self) -> None:
        at = self.world.at
        for moment, name in self.scenario.commands:
            at(moment, lambda name=name: self._command(name))
        for number, (moment, operation, _, given) in enumerate(self.scenario.writers):
            named = {**given, "ClientToken": f"somebody-{number}"}
            at(moment, lambda operation=operation, named=named: self._foreign(operation, named))
        for moment, seconds in self.scenario.jumps:
            at(moment, lambda seconds=seconds: self._jump(seconds))

    def _command(self, name: Any) -> None:
        self.network.note("command", name)
        if self.engine is not None:
            self.engine.command(Command(name))

    def _foreign(self, operation: str, given: dict[str, str]) -> None:
        answer = self.network.arrive(operation, given)
        self.network.note("writer", operation, given, answer)

    def _jump(self, seconds: float) -> None:
        self.offset += seconds

    def _wall(self) -> float:
        return EPOCH + self.world.now + self.offset

    def play(self) -> Story:
        """Let processes follow one another until the rollout has ended."""
        try:
            while self.reopened <= REOPENINGS:
                ended = self._process()
                if ended is not None and ended.reason not in ("stopped", "interrupted"):
                    break
                self.reopened += ended is not None
                self.world.sleep(self.rng.choice([0.05, 1.0, 20.0, 100.0]))
            self._let_things_settle()
            if self.scenario.undo:
                self.story.undoing = self._undo()
        except HangError as hang:
            self.story.wrong.append(f"end: {hang}")
        except Exception as error:
            self.story.wrong.append(f"end: {type(error).__name__}: {error}")
            self.story.error = error
        self.story.states, self.story.calls = disk.read(self.path)
        disk.remove(self.path)
        return self.story

    def _let_things_settle(self) -> None:
        """Let everything arrive that is still on its way, and every task end."""
        self.world.until += 2000.0
        end = self.world.now + 200.0
        while self.world.now < end:
            self.world.sleep(end - self.world.now)

    def _undo(self) -> Undoing:
        log_begins = len(self.network.log)
        done = undo(self.path, self.network, self.scenario, self.run_plan)
        done.log = [
            (entry[0], *entry[2:])
            for entry in self.network.log[log_begins:]
            if entry[1] == "routes"
        ]
        del self.network.log[log_begins:]
        return done

    # -- processes ------------------------------------------------------------------------------

    def _process(self) -> Finished | None:
        """Run one process; None where it was killed."""
        self.generation += 1
        self.network.note("boot", self.generation)
        KnownJournal.known = None if self.is_opened else self.scenario.case.plan
        reader = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        wire = Wire(self.network, self._limits(), lambda *call: self._leaving(reader, *call))
        journal, finish = self._open(wire)
        write = journal.write
        journal.write = lambda *rows, **more: self._write(write, *rows, **more)  # type: ignore
        try:
            ended = self._run(self.engine, wire, self._moment)
            journal.write = write  # type: ignore[method-assign]
            reader.close()
            finish(ended)
        except Killed as killed:
            reader.close()
            self.path = disk.bury(journal, self.folder / f"{self.generation}.db")
            self.network.note("dead", self.generation, str(killed))
            return None
        finally:
            self.engine = None
        self.network.note("end", self.generation, ended)
        self.story.ended = ended
        return ended

    def _run(
        self, engine: Engine | None, wire: Wire, each_wait: Callable[[], None] | None
    ) -> Finished:
        assert engine is not None
        loop = Loop(self.world)
        self.world.each_wait = each_wait
        try:
            return loop.run_until_complete(engine.run())
        finally:
            wire.alive = False
            self.world.each_wait = None
            loop.drop()

    def _options(self) -> Options:
        return replace(_settings(), **self.scenario.options).wishing(**self.scenario.rollout)

    def _open(self, wire: Wire) -> tuple[Journal, Callable[[Finished], None]]:
        """Open the rollout, as a user does or as quickly as it goes."""
        if self.is_opened:
            options = replace(_settings(), **self.scenario.options)
            # Who goes on for the second time has other wishes.
            wishes: Any = dict.fromkeys(("waves", "stop_after", "deadline"))
            rollout = Rollout.open(
                self.path,
                wire,  # type: ignore[arg-type]
                observers=[self._told],
                options=options,
                clocks=self.clocks,
                **(wishes if self.reopened > 1 else {}),
            )
            self.engine = rollout._engine
            return rollout._journal, rollout._finish
        journal = KnownJournal.open(self.path, now=self._wall)
        options = self._options()
        if self.reopened > 1:
            options = options.wishing(waves=None, stop_after=None, deadline=None)
        self.engine = self._engine(journal, wire, self.scenario.case.plan, ROLLOUT_ID, options)
        return journal, lambda ended: self._finish(journal, ended)

    @staticmethod
    def _finish(journal: Journal, ended: Finished) -> None:
        journal.write(meta={"state": ended.reason, "message": ended.message})
        journal.close()

    def _engine(
        self, journal: Journal, wire: Wire, plan: Plan, rollout_id: str, options: Options
    ) -> Engine:
        records = {number: Record(*stands) for number, *stands in journal.standing()}
        slots = disk.slots_held(journal, wire.limits, self._wall())
        scheduler = Scheduler(
            plan.each(), plan.live_by_lane(), wire.limits, options, records, plan.order, slots
        )
        client: Any = wire
        return Engine(scheduler, journal, rollout_id, client, self._told, self.clocks)

    def run_plan(self, plan: Plan) -> list[str]:
        """Carry out another plan where nothing goes wrong; return where its steps have ended."""
        path = self.folder / "other.db"
        journal = Journal.create(path, plan, "another", now=self._wall)
        wire = Wire(self.network, self._limits(), lambda *_: None)
        engine = self._engine(journal, wire, plan, "another", _settings())
        records = engine._scheduler.records
        self._finish(journal, self._run(engine, wire, None))
        disk.remove(path)
        return [records[step.number].state for step in plan.each() if step.sends]

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

    def _write(self, write: Callable[..., None], *rows: Any, **more: Any) -> None:
        self._moment("before a transaction")
        write(*rows, **more)
        self.network.note("kept")
        self._moment("after a transaction")

    def _leaving(
        self, reader: sqlite3.Connection, number: int, operation: Operation, given: dict[str, str]
    ) -> None:
        self._moment("before a call leaves")
        intended = disk.is_intended(reader, given["ClientToken"]) if operation.writes else None
        self.network.note("send", number, self.generation, operation.name, given, intended)
