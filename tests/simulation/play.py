"""One story from beginning to end: real rollouts and a real client, in virtual time.

::

    play(scenario)   Rollout.open ─→ its end ───────────→ undo ─→ the second rollout ─→ Story
                        ↑        │ killed  │ stopped
                        └────────┴─────────┘ by what the journal's file holds

All goes through public names: a rollout is opened, observed and steered as a user does it, the
client signs and sends HTTP requests, and only their way through the network and the clocks are
simulated. A process has one client for all that it does. A killed process leaves the files of its
journals as they lie on the disk at that moment, and calls that have left still arrive.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import vcokit as vk
from tests.simulation.cases import Case
from tests.simulation.clockwork import HangError, Killed, Threads, World
from tests.simulation.network import EPOCH, Network, Transport
from tests.simulation.scenario import Scenario
from tests.simulation.undoing import Undoing, prepare
from vcokit.errors import StalePlanError, VcokitError
from vcokit.rollout.engine import Clocks
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.options import Options
from vcokit.rollout.rollout import Rollout
from vcokit.simulator import Account, Connection
from vcokit.simulator import Route as LiveRoute
from vcokit.simulator.backend import Cloud

#: A story is over by then, whatever happens in it; outages and pauses included.
UNTIL = 40_000.0
#: Times that rollouts which stopped are resumed.
REOPENINGS = 12
#: States in which a rollout is resumed.
RESUMED = ("stopped", "interrupted")


@dataclass
class Part:
    """One rollout of a story, and what became of it.

    Parameters
    ----------
    number : int
    case : Case
    path : Path
        The journal as it is now.
    rollout : Rollout or None
        Of the process that lives.
    reason : str
        The state in which the last process ended it; empty before.
    states : dict of int to (str, str or None)
        State and code of every step in the journal at the end.
    calls : list of tuple
        Rows of the journal's calls: number, step, attempt, operation, token, outcome, code.
    undoing : Undoing or None
        What became of taking it back, where it was.
    """

    number: int
    case: Case
    path: Path
    rollout: Rollout | None = None
    reason: str = ""
    states: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    calls: list[tuple] = field(default_factory=list)
    undoing: Undoing | None = None


@dataclass
class Story:
    """What happened, and where it has left things.

    Parameters
    ----------
    scenario : Scenario
    log : list of tuple
        Time, kind and more of everything that happened, in order.
    parts : list of Part
    wrong : list of str
        What broke the story off.
    error : Exception or None
        The error that did.
    """

    scenario: Scenario
    log: list[tuple]
    parts: list[Part] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    error: Exception | None = None


def play(scenario: Scenario, folder: Path) -> Story:
    """Play a story; its files go into a folder, and are gone when it is over."""
    return _Stage(scenario, folder).play()


def cloud_of(scenario: Scenario) -> Cloud:
    """Return the cloud of a story as it is at the beginning."""
    cases = scenario.cases
    return Cloud(
        [Connection(name, region) for case in cases for name, region in case.regions.items()],
        [
            LiveRoute(name, net, weight, hop)
            for case in cases
            for name, routes in case.live.items()
            for net, hop, weight in sorted(routes)
        ],
        seed=scenario.seed,
        quota=scenario.quota,
        task_seconds=scenario.task_seconds,
        limits=scenario.limits,
        switches=scenario.switches,
        faults=scenario.faults,
        epoch=EPOCH,
    )


@lru_cache(maxsize=1)
def _settings() -> Options:
    return Options.in_force()


class _Threads(Threads):
    """Those of a rollout's own thread: it takes part until it closes them."""

    def close(self) -> None:
        """Leave, so that the story goes on."""
        self.world.leave()


class Stage:
    """What every story has: its time, and a process that may die at any look at the clock.

    Parameters
    ----------
    folder : Path
        Where all files of the story are.
    deaths : list of int
        See `Scenario`.
    jumps : list of (float, float)
        See `Scenario`.
    """

    def __init__(self, folder: Path, deaths: list[int], jumps: list[tuple[float, float]]) -> None:
        self.folder = folder
        self.world = World(UNTIL)
        self.deaths = list(deaths)
        self.moments = 0
        self.armed = False
        self.dead: str | None = None
        self.generation = 0
        self.offset = 0.0
        self.clocks = Clocks(
            lambda: self._at_a_moment("at a look at the clock", self.wall),
            lambda: self._at_a_moment("at a look at the clock", lambda: self.world.now),
            lambda: _Threads(self.world),
            self.world.wait_for,
        )
        for moment, seconds in jumps:
            self.world.at(moment, partial(self._jump, seconds))

    def _jump(self, seconds: float) -> None:
        self.offset += seconds

    def wall(self) -> float:
        """Return what the clock on the wall shows."""
        return EPOCH + self.world.now + self.offset

    @staticmethod
    def tell(story: Any, happen: Callable[[], None]) -> None:
        """Let a story happen; what breaks it off is in it."""
        try:
            happen()
        except HangError as hang:
            story.wrong.append(f"end: {hang}")
        except Exception as error:
            story.wrong.append(f"end: {type(error).__name__}: {error}")
            story.error = error

    def let_things_settle(self) -> None:
        """Let everything arrive that is still on its way, and every task end."""
        self.world.until += 2000.0
        self.world.wait(200.0)

    def until_dead(self, go_on: Callable[[], None]) -> None:
        """Let the threads of a process go on, one at a time, until it has ended or was killed."""
        self.world.each_wait = partial(self.moment, "while it waits")
        try:
            go_on()
        except Killed:
            if isinstance(self.world.dead, HangError):
                raise self.world.dead from None
        finally:
            self.world.each_wait = None
            self.armed = False
            self.bury()

    # -- moments at which a process may die -------------------------------------------------------

    def _at_a_moment(self, what: str, look: Callable[[], float]) -> float:
        self.world.enter()  # a rollout's own thread looks at the clock before it does anything
        self.moment(what)
        return look()

    def moment(self, what: str) -> None:
        """Die, if it is time."""
        if not self.armed:
            return
        self.moments += 1
        if self.deaths and self.moments >= self.deaths[0]:
            self.deaths.pop(0)
            self._die(what)

    def _die(self, what: str) -> None:
        """Keep the files as they are now; whatever the process does since is lost."""
        self.armed, self.dead = False, what
        self.keep_files()
        killed = self.world.dead = Killed(what)
        if not self.world.is_left:  # else the thread ends by itself
            self.world.leave()
            raise killed

    def keep_files(self) -> None:
        """Keep what a process that dies leaves on the disk, and let it send nothing more."""
        raise NotImplementedError

    def bury(self) -> None:
        """Wait for the end of all threads of a process."""
        raise NotImplementedError


class Link:
    """An account as a process has it: the way to its cloud, its client, the journals it writes.

    Parameters
    ----------
    stage : Stage
    scenario : Scenario
    rng : random.Random
        Of round trips.
    account : Account, optional
    log : list of tuple, optional
        See `Network`.
    """

    def __init__(
        self,
        stage: Stage,
        scenario: Scenario,
        rng: random.Random,
        account: Account | None = None,
        log: list[tuple] | None = None,
    ) -> None:
        self.stage, self.believed = stage, scenario.believed
        self.account = account or Account()
        cloud = cloud_of(scenario)
        self.network = Network(stage.world, cloud, rng, scenario.outages, self.account, log)
        self.transport: Transport | None = None
        self.readers: list[sqlite3.Connection] = []
        at = stage.world.at
        for number, (moment, operation, _, given) in enumerate(scenario.writers):
            named = {**given, "ClientToken": f"somebody-{number}"}
            at(moment, partial(self.network.foreign, operation, named))
        for moment, *turn in scenario.states:
            at(moment, partial(self.network.turn, *turn))

    def connect(self, **settings: str) -> vk.Client:
        """Return a client of the process that lives."""
        where = SimpleNamespace(
            endpoint="https://vpc.example.com",
            credentials=self.account.credentials,
            speed=1.0,
            limits={**self.believed},
        )
        self.transport = Transport(self.network, self._leaving)
        # Reads of its own are one by one.
        with patch.dict(os.environ, {"VCOKIT_LIST_WORKERS": "1", **settings}):
            return vk.connect(
                where,
                clock=self.stage.wall,
                steady=lambda: self.stage.world.now,
                sleep=self.stage.world.wait,
                luck=random.Random(self.stage.generation).random,
                transport=self.transport,
            )

    def cut(self) -> None:
        """Let nothing come back to a process that is no more."""
        if self.transport is not None:
            self.transport.alive = False

    def read(self, path: Path) -> None:
        """Look into a journal whenever a write leaves, until `close`."""
        # Whichever thread has the turn looks into it.
        where = f"{path.as_uri()}?mode=ro"
        self.readers.append(sqlite3.connect(where, uri=True, check_same_thread=False))

    def close(self) -> None:
        """Look into no journal any more."""
        while self.readers:
            self.readers.pop().close()

    def told(self, number: int, event: object) -> None:
        """Note what a rollout says of its steps."""
        if isinstance(event, StepChanged):
            said = (event.old, event.new, event.code, event.message)
            self.network.note("step", number, event.step, *said)
            self.stage.moment("after a transaction")

    def _leaving(self, number: int, operation: str, given: dict[str, str]) -> None:
        self.stage.moment("before a call leaves")
        token = given.get("ClientToken")
        intended = None if token is None else self._is_intended(token)
        self.network.note("send", number, operation, given, intended)

    def _is_intended(self, token: str) -> bool:
        """Tell whether the intent of a write is on disk: its call, and its step as sent with it."""
        sql = (
            "SELECT count(*) FROM call JOIN step USING (step) WHERE client_token = ? AND"
            " outcome IS NULL AND state = 'sent' AND step.attempt = call.attempt"
        )
        readers = self.readers
        return not readers or any(db.execute(sql, (token,)).fetchone()[0] for db in readers)


class _Stage(Stage):
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        super().__init__(folder, scenario.deaths, scenario.jumps)
        self.scenario = scenario
        self.rng = random.Random(f"play/{scenario.seed}")
        self.link = Link(self, scenario, self.rng)
        self.network = self.link.network
        self.story = Story(scenario, self.network.log)
        self.reopened = 0
        #: Rollouts whose journals the client of the moment has opened, and all that ever ran.
        self.known: set[int] = set()
        self.ran: set[int] = set()
        self.running: list[Part] = []
        self.client: vk.Client | None = None
        for moment, name in scenario.commands:
            self.world.at(moment, partial(self._command, name))

    def _command(self, name: str) -> None:
        """Steer the first rollout that runs, from another thread as a user's cell does."""
        self.network.note("command", name)
        if self.running and not self.running[0].reason:
            self.world.start(getattr(self.running[0].rollout, name))

    # -- the story ------------------------------------------------------------------------------

    def play(self) -> Story:
        """Let one thing follow another until everything has ended."""
        parts = [
            Part(number, case, self._new_journal(number, case))
            for number, case in enumerate(self.scenario.cases)
        ]
        self.story.parts = parts
        self.tell(self.story, self._stages)
        for part in parts:
            part.states, part.calls = read(part.path)
        for path in self.folder.iterdir():
            path.unlink()
        # A client is collected once nobody has it; this story is what its clock leads to.
        self.client, self.running = None, []
        for part in parts:
            part.rollout = None
        return self.story

    def _stages(self) -> None:
        parts = self.story.parts
        for stage in [parts] if self.scenario.together else [[part] for part in parts]:
            self._carry_out(stage)
            self.let_things_settle()
            if self.scenario.undo and stage[0] is parts[0]:
                parts[0].undoing = self._undo(parts[0])

    def _carry_out(self, parts: list[Part]) -> None:
        """Let processes follow one another until the rollouts have ended."""
        self.reopened = 0
        while self.reopened <= REOPENINGS:
            todo = [part for part in parts if part.reason in ("", *RESUMED)]
            if not todo:
                return
            self._process(todo)
            if self.dead is None:
                if not any(part.reason in RESUMED for part in todo):
                    return
                self.reopened += 1
            self.client = None
            self.world.wait(self.rng.choice([0.05, 1.0, 20.0, 100.0]))

    def _process(self, parts: list[Part]) -> None:
        """Run rollouts in one process until they have ended or it was killed."""
        if self.client is None:
            self.client, self.known = self.link.connect(), set()
        self.known |= {part.number for part in parts}
        self.ran |= self.known
        self.generation += 1
        self.network.note("boot", self.generation, sorted(self.ran - self.known))
        self.dead = None
        for part in parts:
            self._open(part)
        self.running, self.armed = parts, True
        try:
            self.until_dead(self._run)
        finally:
            self.running = []
            self.link.close()
        if self.dead is not None:
            for part in parts:
                part.path = self._grave(part)
            self.network.note("dead", self.generation, self.dead, kept(part.path for part in parts))

    def _run(self) -> None:
        """Run the rollouts, each in its own thread, until all have ended."""
        for part in self.running:
            assert part.rollout is not None
            part.rollout.start()
        self.world.let_in(len(self.running))
        left = list(self.running)
        while left:
            self.world.watch()
            for part in [part for part in left if part.rollout.join(0.0)]:  # type: ignore[union-attr]
                left.remove(part)
                self._ended(part)

    def bury(self) -> None:
        """Wait for the end of all threads of a process."""
        self.world.end()
        for part in self.running:
            assert part.rollout is not None
            part.rollout.join()

    def _ended(self, part: Part) -> None:
        """See how a rollout has ended, before anything else happens."""
        assert part.rollout is not None
        part.reason = part.rollout.state
        differences: list[str] = []
        try:
            part.rollout.wait()
        except StalePlanError as stale:
            differences = list(stale.differences)
        except VcokitError as said:
            self.network.note("error", type(said).__name__, str(said))
        except Exception as error:
            # A rollout ends with this package's own errors; any other is a fault of the code.
            self.story.wrong.append(f"end: {type(error).__name__}: {error}")
            self.story.error = error
        self.network.note("end", part.number, part.reason, differences)

    # -- processes ------------------------------------------------------------------------------

    def _open(self, part: Part) -> None:
        wishes: dict[str, Any] = self.scenario.rollout
        if self.reopened > 1:
            # Who resumes for the second time has other wishes.
            wishes = wishes | dict.fromkeys(("waves", "stop_after", "deadline"))
        assert self.client is not None
        part.reason = ""
        part.rollout = Rollout.open(
            part.path,
            self.client,
            observers=[partial(self.link.told, part.number)],
            options=replace(_settings(), **self.scenario.options),
            clocks=self.clocks,
            **wishes,
        )
        self.link.read(part.path)

    def _new_journal(self, number: int, case: Case) -> Path:
        """Return the journal of a rollout that was made and never started."""
        path = self.folder / f"{number}.db"
        if case.journal is None:
            clocks = Clocks(lambda: EPOCH, lambda: 0.0)
            client = vk.connect("cn-hangzhou", access_key_id="nobody", access_key_secret="none")
            Rollout(case.plan, client, journal=path, clocks=clocks, allow_gap=True).close()
            case.journal = path.read_bytes()
            _remove(path)
        path.write_bytes(case.journal)
        return path

    # -- what a process that dies leaves ----------------------------------------------------------

    def keep_files(self) -> None:
        """Keep the journals as they are now, and let the process send nothing more."""
        self.link.cut()
        for part in self.running:
            for old in part.path.parent.glob(f"{part.path.name}*"):
                if not old.name.endswith("-shm"):
                    name = old.name.replace(part.path.name, self._grave(part).name)
                    shutil.copyfile(old, old.with_name(name))

    def _grave(self, part: Part) -> Path:
        return self.folder / f"{part.number}-{self.generation}.db"

    # -- undo -----------------------------------------------------------------------------------

    def _undo(self, part: Part) -> Undoing:
        """Take back what a rollout did, with the client of the process that did it, if it lives."""
        log = self.network.log
        begin = len(log)
        if self.client is None:
            self.client = self.link.connect()
            part.rollout = Rollout.open(part.path, self.client, clocks=self.clocks)
            part.rollout.close()
        assert part.rollout is not None
        undoing = prepare(part.case, part.path, self.network, self.scenario)
        undoing.plan = part.rollout.undo()
        path = self.folder / "undo.db"
        rollout = Rollout(
            undoing.plan,
            self.client,
            journal=path,
            options=_settings(),
            clocks=self.clocks,
            allow_gap=True,
        )
        self.running = [Part(-1, part.case, path, rollout)]
        self.until_dead(self._run)
        self.running = []
        undoing.states = [state for state, _ in read(path)[0].values() if state != "blocked"]
        undoing.after = self.network.routes()
        undoing.log = log[begin:]
        del log[begin:]
        return undoing


def kept(paths: Iterable[Path]) -> frozenset[str]:
    """Return the tokens of which journals know what became of the last write."""
    sql = (
        "SELECT client_token, outcome, max(call) FROM call WHERE client_token NOT NULL"
        " GROUP BY client_token"
    )
    found: set[str] = set()
    for path in paths:
        db = sqlite3.connect(path)
        found |= {token for token, outcome, _ in db.execute(sql) if outcome is not None}
        db.close()
    return frozenset(found)


def read(path: Path) -> tuple[dict[int, tuple[str, str | None]], list[tuple]]:
    """Return state and code of every step of a journal, and all calls."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT step, state, code FROM step").fetchall()
    calls = db.execute(
        "SELECT call, step, attempt, operation, client_token, outcome, code FROM call ORDER BY call"
    ).fetchall()
    db.close()
    return {number: (state, code) for number, state, code in rows}, calls


def _remove(path: Path) -> None:
    for old in path.parent.glob(f"{path.name}*"):
        with suppress(FileNotFoundError):
            old.unlink()
