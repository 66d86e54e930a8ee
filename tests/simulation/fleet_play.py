"""One story of a fleet: as that of a rollout, with a cloud and an account for each member.

::

    play_fleet(scenario)   Fleet(…) ─→ start ─→ its end ─→ Fleet.open ─→ … ─→ FleetStory
                                          │ killed               ↑
                                          └── the directory, as it lies on the disk

All goes through public names. The thread of a member's rollout begins by itself, in the middle of
whatever the fleet does; its first look at the clock is where it waits until it is let in. So one
thread runs at a time here too.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import vcokit as vk
from tests.simulation.clockwork import Killed
from tests.simulation.fleet_scenario import FleetScenario
from tests.simulation.play import Link, Part, Stage, Story, kept, read
from vcokit.errors import CredentialsError, StalePlanError, VcokitError
from vcokit.rollout.fleet import Fleet
from vcokit.rollout.rollout import Rollout
from vcokit.simulator import Account

#: Times that a fleet which has stopped is opened again: first as it is, then with other options.
REOPENINGS = 2
DIRECTORY = "fleet"


@dataclass(frozen=True)
class Disk:
    """What the journal of a member says.

    Parameters
    ----------
    state : str
        How its rollout ended, as it is written; running if it did not.
    steps : Counter of str
        Steps by state, without those that are blocked.
    """

    state: str
    steps: Counter[str]

    @property
    def left(self) -> int:
        """Steps that can still be carried out."""
        return self.steps.total() - sum(self.steps[one] for one in ("done", "failed", "skipped"))

    @property
    def is_done(self) -> bool:
        """Whether every step is done."""
        return self.steps["done"] == self.steps.total()


@dataclass
class FleetStory:
    """What happened to a fleet, and where it has left things.

    Parameters
    ----------
    scenario : FleetScenario
    log : list of (str, tuple)
        Member, or nothing for the fleet; and time, kind and more of what happened, in order.
    members : dict of str to Story
        The same, of each member alone.
    clouds : dict of str to dict
        What each connection of a member holds at the end.
    wrong : list of str
        What broke the story off.
    error : Exception or None
        The error that did.
    """

    scenario: FleetScenario
    log: list[tuple[str, tuple]]
    members: dict[str, Story] = field(default_factory=dict)
    clouds: dict[str, dict[str, frozenset]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def parts(self) -> list[Part]:
        """The rollouts of the members, in order."""
        return [part for member in self.members.values() for part in member.parts]


def play_fleet(scenario: FleetScenario, folder: Path) -> FleetStory:
    """Play a story; its files go into a folder, and are gone when it is over."""
    return _FleetStage(scenario, folder).play()


class _Log(list):
    """The log of a member: each entry goes into that of the fleet too."""

    def __init__(self, member: str, whole: list[tuple[str, tuple]]) -> None:
        super().__init__()
        self._member, self._whole = member, whole

    def append(self, entry: tuple) -> None:
        """Keep an entry."""
        super().append(entry)
        self._whole.append((self._member, entry))


class _FleetStage(Stage):
    def __init__(self, scenario: FleetScenario, folder: Path) -> None:
        super().__init__(folder, scenario.deaths, scenario.jumps)
        self.scenario = scenario
        self.rng = random.Random(f"play/{scenario.seed}")
        self.story = FleetStory(scenario, [])
        self.links: dict[str, Link] = {}
        for name, one in scenario.members.items():
            log = _Log(name, self.story.log)
            account = Account(access_key_id=f"key-of-{name}")
            self.links[name] = Link(self, one, random.Random(one.seed), account, log)
            self.story.members[name] = Story(one, log, [Part(0, one.case, folder)])
        self.clients: dict[str, vk.Client] = {}
        self.unreachable = dict(scenario.unreachable)
        #: Members that the fleet has just tried to begin, where it connects them.
        self.tried: list[tuple[str, str]] = []
        self.reopened = 0
        self.disk = folder / "0"
        self.disk.mkdir()
        self.fleet: Fleet | None = None
        self.begun: dict[str, Rollout] = {}
        self.running: set[str] = set()
        for moment, *command in scenario.commands:
            self.world.at(moment, partial(self._command, *command))

    def note(self, kind: str, *what: Any) -> None:
        """Keep what happened to the fleet, with the time."""
        self.story.log.append(("", (self.world.now, kind, *what)))

    # -- the story ------------------------------------------------------------------------------

    def play(self) -> FleetStory:
        """Let one life follow another until the fleet has ended."""
        self.tell(self.story, self._lives)
        for name, member in self.story.members.items():
            (part,) = member.parts
            part.path = self.disk / DIRECTORY / f"{name}.db"
            part.reason = part.reason or "not begun"
            if part.path.exists():
                part.states, part.calls = read(part.path)
            self.story.clouds[name] = self.links[name].network.routes()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.fleet = None  # a story is what its clock leads to
        return self.story

    def _lives(self) -> None:
        while True:
            self.generation += 1
            for link in self.links.values():
                link.network.note("boot", self.generation, [])
            self.dead, self.armed = None, True
            self.until_dead(self._live)
            if self.dead is not None:
                self._find_what_is_left(self.dead)
            elif self.fleet.state != "stopped" or self.reopened == REOPENINGS:  # type: ignore[union-attr]
                break
            else:
                self.reopened += 1
            if self.dead is not None or self.rng.random() < 0.5:
                self.clients = {}
            self.world.wait(self.rng.choice([0.05, 1.0, 20.0, 100.0]))
        self.let_things_settle()

    def _live(self) -> None:
        """Let a process open the fleet and see it to its end."""
        self.fleet, self.begun, self.tried = None, {}, []
        self.fleet = self._opened()
        journals = {name: disk_of(self.fleet.journal(name)) for name in self.links}
        self.note("boot", self.generation, self._options(), journals)
        self.fleet.start()
        self._let_in()
        while not self.fleet.join(0.0):
            self.world.watch()
            self._see_who_has_ended()
            self._let_in()
        self._see_who_has_ended()
        self._note_end(self.fleet)

    def _opened(self) -> Fleet:
        directory = self.disk / DIRECTORY
        clients: dict[str, Any] = {name: partial(self._connect, name) for name in self.links}
        if not self.scenario.connecting:
            self.clients = self.clients or {name: one() for name, one in clients.items()}
            clients = dict(self.clients)
        if directory.exists():
            return Fleet.open(directory, clients, clocks=self.clocks, **self._wishes())
        plans = {name: one.case.plan for name, one in self.scenario.members.items()}
        told: dict[str, Any] = {**self._options(), **self.scenario.told}
        return Fleet(
            plans, clients, directory=directory, clocks=self.clocks, allow_gap=True, **told
        )

    def _wishes(self) -> dict[str, Any]:
        """Return what whoever opens it again says: the second time, go on in spite of failures."""
        if self.reopened < 2:
            return {}
        return {"max_members": 3, "waves": None, "stop_after": None}

    def _options(self) -> dict[str, Any]:
        """Return the options that are in force."""
        one = self.scenario
        given = {"max_members": one.max_members, "waves": one.waves, "stop_after": one.stop_after}
        return given | self._wishes()

    def _connect(self, name: str) -> vk.Client:
        if self.fleet is not None:  # who cannot even connect to make a journal has no fleet
            reached = self.unreachable.get(name, 0) == 0
            self.tried.append((name, "begin" if reached else "unreachable"))
            if not reached:
                self.unreachable[name] -= 1
                raise CredentialsError("no AccessKey was found", remedy="Bring one")
        options = self.scenario.members[name].options
        return self.links[name].connect(
            **{f"VCOKIT_{key.upper()}": str(value) for key, value in options.items()}
        )

    # -- a life ---------------------------------------------------------------------------------

    def _let_in(self) -> None:
        """Let the rollouts take part that the fleet has begun."""
        assert self.fleet is not None
        running = self.fleet.rollouts().items()
        new = {name: one for name, one in running if self.begun.get(name) is not one}
        self.world.let_in(len(new))
        self.begun |= new
        if self.dead is not None:
            return
        for name, kind in self.tried or [(name, "begin") for name in new]:
            self.note(kind, name)
        self.tried = []
        for name, rollout in new.items():
            self.running.add(name)
            rollout.observe(partial(self.links[name].told, 0))
            self.links[name].read(rollout.journal)

    def _see_who_has_ended(self) -> None:
        """Note how members have ended, before anything else happens."""
        assert self.fleet is not None
        for name in sorted(self.running):
            if not self.begun[name].join(0.0):
                continue
            self.running.remove(name)
            result = self.fleet.results()[name]
            (part,) = self.story.members[name].parts
            part.reason = result.state
            differences: list[str] = []
            if isinstance(result.error, StalePlanError):
                differences = list(result.error.differences)
            elif result.error is not None and not isinstance(result.error, VcokitError):
                # A rollout ends with this package's own errors; any other is a fault of the code.
                self.story.wrong.append(f"end: {name}: {result.error!r}")
            self.links[name].network.note("end", 0, result.state, differences)
            self.note("over", name, result.state, disk_of(self.fleet.journal(name)))

    def _note_end(self, fleet: Fleet) -> None:
        results = {
            name: (one.state, one.failed, bool(str(one.error or "")))
            for name, one in fleet.results().items()
        }
        shown = {
            row.member: (row.state, row.done, row.failed, row.skipped, row.left)
            for row in fleet.frame().itertuples()
        }
        journals = {name: disk_of(fleet.journal(name)) for name in self.links}
        self.note("end", fleet.state, fleet.message, results, shown, journals)

    def _command(self, name: str, member: str) -> None:
        """Steer the fleet, or the rollout of one member, from another thread."""
        if self.fleet is not None and self.fleet.state != "ready" and not self.fleet.join(0.0):
            self.world.start(partial(self._steer, self.fleet, name, member))

    def _steer(self, fleet: Fleet, name: str, member: str) -> None:
        steered: Fleet | Rollout | None = fleet.rollouts().get(member) if member else fleet
        if steered is None:
            return
        self.note("command", name, member)
        getattr(steered, name)()
        self.note("commanded", name, member)
        self._let_in()
        if fleet.join(0.0):
            self.world.wake()  # nobody ran, so nobody's end tells that it is over

    # -- what a process that dies leaves ----------------------------------------------------------

    def keep_files(self) -> None:
        """Keep the directory as it is now, and let the process send nothing more."""
        for link in self.links.values():
            link.cut()
        shutil.copytree(self.disk, self._grave, ignore=shutil.ignore_patterns("*-shm"))
        if self.fleet is not None:
            self.fleet.stop()  # whichever rollout ends now, no other begins

    @property
    def _grave(self) -> Path:
        return self.folder / str(self.generation)

    def bury(self) -> None:
        """Wait for the end of all threads of a process, and of its hold on the directory."""
        fleet = None if self.fleet is None or self.fleet.state == "ready" else self.fleet
        if fleet is not None:
            with suppress(Killed):
                fleet.stop()
            self._let_in()
        self.world.end()
        for rollout in self.begun.values():
            rollout.join()
        if fleet is not None:
            fleet.stop()
            assert fleet.join(0.0), "a fleet that is told to stop, and of which nobody runs, ends"
        self.running = set()
        for link in self.links.values():
            link.close()

    def _find_what_is_left(self, where: str) -> None:
        self.disk = self._grave
        self.note("dead", self.generation, where)
        for name, link in self.links.items():
            path = self.disk / DIRECTORY / f"{name}.db"
            tokens = kept([path]) if path.exists() else frozenset()
            link.network.note("dead", self.generation, where, tokens)


def disk_of(path: Path) -> Disk:
    """Return what a journal says."""
    db = sqlite3.connect(path)
    (state,) = db.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
    steps = db.execute("SELECT state, count(*) FROM step WHERE state <> 'blocked' GROUP BY 1")
    disk = Disk(state, Counter(dict(steps.fetchall())))
    db.close()
    return disk
