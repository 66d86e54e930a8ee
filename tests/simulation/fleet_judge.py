"""Whether the story of a fleet was right: that of each member, and who ran when.

Each member is judged as a rollout is (`judge`). What is left is judged here, from the log and from
the journals as they lay on the disk when a process began, when a member ended, and at the end. The
code of a fleet is not asked. What it says begins with the promise that was broken::

    crowd      more members ran at once than may
    again      a member ran for whom nothing was left to do, or twice in one life
    wave       a member ran although not all of an earlier wave was done
    budget     a member ran although too many had failed, in this life or before it
    steered    a member ran, or sent a write, in spite of pause, cancel or stop
    idle       nobody began although somebody might
    fleet      state, results, frame and message do not say what the journals say
    reason     a member is left, and nothing says why
    cloud      all of a member is done, and its cloud does not hold what was planned
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from tests.simulation.cases import after
from tests.simulation.fleet_play import Disk, FleetStory
from tests.simulation.judge import OPERATION, judge

#: States in which a rollout was not told to end, and has not ended well.
ENDED_EARLY = {"stopped", "stale"}


def judge_fleet(story: FleetStory) -> list[str]:
    """Return what was wrong with a story, in order; nothing where all was right."""
    wrong = list(story.wrong)
    for name, member in story.members.items():
        if story.wrong:
            member.wrong = ["broken off"]
        wrong += [f"{name}: {one}" for one in judge(member) if one != "broken off"]
    return wrong + list(_FleetJudge(story).judge())


class _FleetJudge:
    def __init__(self, story: FleetStory) -> None:
        self.story = story
        self.options: dict[str, Any] = {}
        self.waves: dict[str, int] = {}
        self.alive = False
        self.steered = ""
        self.paused = False  # and the rollouts have heard of it
        self.quiet = False  # nothing new is sent any more
        self.late: set[str] = set()  # who began after a cancel
        #: Of this life: who runs; who has ended and how; who failed before and has steps left.
        self.running: set[str] = set()
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.doubtful: set[str] = set()
        self.left: set[str] = set()  # who is to begin
        self.begun: set[str] = set()

    def judge(self) -> Iterator[str]:
        last = 0.0
        for member, (moment, kind, *what) in self.story.log:
            said: list[str] = []
            if moment > last and self.alive:
                said += self._idle()
            if not member:
                said += getattr(self, f"_{kind}")(*what)
            elif kind == "send" and what[1] in OPERATION:
                said += self._write(member)
            yield from (f"{one}, by {moment:.3f} s" for one in said)
            last = moment
        if not self.story.wrong:
            yield from self._clouds()

    # -- a life ---------------------------------------------------------------------------------

    def _boot(self, _generation: int, options: dict, disks: dict[str, Disk]) -> Iterable[str]:
        self.options, self.alive, self.steered = options, True, ""
        self.paused = self.quiet = False
        self.waves = waves_of(list(disks), options["waves"])
        self.running, self.late, self.begun = set(), set(), set()
        self.left = {name for name, disk in disks.items() if disk.left}
        self.done = {name for name, disk in disks.items() if disk.is_done}
        self.failed = set(disks) - self.left - self.done
        self.doubtful = {name for name in self.left if disks[name].state in ENDED_EARLY}
        return ()

    def _begin(self, member: str) -> Iterator[str]:
        if member not in self.left:
            yield f"again: {member}"
        if reason := self._why_not(member):
            yield f"{reason}: {member} began"
        self.left.discard(member)
        self.running.add(member)
        self.begun.add(member)
        if self.steered == "cancel":
            self.late.add(member)

    def _over(self, member: str, state: str, disk: Disk) -> Iterator[str]:
        self.running.discard(member)
        self.doubtful.discard(member)
        good = disk.is_done and state not in ENDED_EARLY
        (self.done if good else self.failed).add(member)
        if disk.state != state:
            yield f"fleet: {member} is {state}, its journal says {disk.state}"

    def _unreachable(self, member: str) -> Iterator[str]:
        yield from self._begin(member)
        self.running.discard(member)
        self.failed.add(member)
        self.doubtful.discard(member)

    def _command(self, name: str, member: str) -> Iterable[str]:
        if member:
            return ()
        if name in ("cancel", "stop"):
            self.steered = name
        elif self.steered in ("", "pause"):  # nothing takes up what was cancelled or stopped
            self.steered = name if name == "pause" else ""
            self.paused = False
        return ()

    def _commanded(self, _name: str, member: str) -> Iterable[str]:
        if not member:
            self.paused = self.steered == "pause"
            self.quiet |= self.steered in ("cancel", "stop")
        return ()

    def _dead(self, _generation: int, _where: str) -> Iterable[str]:
        self.alive = False
        return ()

    # -- who may run, and send --------------------------------------------------------------------

    def _why_not(self, member: str) -> str | None:
        """Return which promise is broken if a member begins now."""
        if len(self.running) >= self.options["max_members"]:
            return "crowd"
        if self.steered in ("pause", "stop"):
            return "steered"
        if self.steered == "cancel":
            return None
        wave = self.waves[member]
        if any(one not in self.done for one, its in self.waves.items() if its < wave):
            return "wave"
        failed = self.failed if member in self.doubtful else self.failed | self.doubtful
        if len(failed) >= self._most_failed():
            return "budget"
        return None

    def _most_failed(self) -> float:
        most = self.options["stop_after"]
        if isinstance(most, str):
            return math.ceil(len(self.waves) * float(most[:-1]) / 100)
        return math.inf if most is None else most

    def _idle(self) -> Iterator[str]:
        for member in sorted(self.left):
            if self._why_not(member) is None:
                yield f"idle: {member} might have begun"

    def _write(self, member: str) -> Iterator[str]:
        if self.paused or self.quiet or member in self.late:
            yield f"steered: {member} sent a write"

    # -- the end ----------------------------------------------------------------------------------

    def _end(
        self,
        state: str,
        message: str | None,
        results: dict[str, tuple[str, bool, bool]],
        shown: dict[str, tuple],
        disks: dict[str, Disk],
    ) -> Iterator[str]:
        yield from self._idle()
        self.alive = False
        if self.running:
            yield f"fleet: it is over, and {sorted(self.running)} run"
        if set(results) != set(disks) - self.left:
            yield f"fleet: results of {sorted(results)}, to begin were {sorted(self.left)}"
        for name, disk in disks.items():
            steps = disk.steps
            told = (*(steps[one] for one in ("done", "failed", "skipped")), disk.left)
            if shown[name][1:] != told:
                yield f"fleet: the frame says {shown[name]} of {name}, its journal {told}"
            if name in results:
                yield from self._result(name, disk, *results[name], shown[name][0])
            elif disk.left and message is None and self.steered != "stop":
                yield f"reason: {name} was not begun"
        if state != self._ended(results):
            yield f"fleet: it is {state}, and should be {self._ended(results)}"

    def _result(
        self, name: str, disk: Disk, state: str, failed: bool, explained: bool, shown: str
    ) -> Iterator[str]:
        if shown != state:
            yield f"fleet: {name} is {state}, and {shown} in the frame"
        if failed != (name in self.failed):
            yield f"fleet: {name} {'failed' if failed else 'did not fail'}: {disk}"
        if disk.left and not explained:
            yield f"reason: {name} has {disk.left} steps left"

    def _ended(self, results: dict[str, tuple[str, bool, bool]]) -> str:
        """Return the state in which a fleet ends."""
        if self.steered == "cancel":
            return "cancelled"
        well = all(
            state in ("finished", "cancelled") or name not in self.begun
            for name, (state, *_) in results.items()
        )
        return "stopped" if self.left or not well else "finished"

    def _clouds(self) -> Iterator[str]:
        for name in sorted(self.done - self.left):
            scenario = self.story.scenario.members[name]
            wanted = after(scenario.case.live, scenario.case.expected)
            if scenario.writers or scenario.states:
                continue
            for connection, routes in self.story.clouds[name].items():
                if routes != frozenset(wanted[connection]):
                    yield f"cloud: {connection} of {name} holds {sorted(routes)}"


def waves_of(members: list[str], sizes: tuple[int | None, ...] | None) -> dict[str, int]:
    """Return the wave of each member; those that no wave counts are the last."""
    waves: dict[str, int] = {}
    left = list(members)
    for wave, size in enumerate(sizes or (None,)):
        mine = left if size is None else left[:size]
        waves |= dict.fromkeys(mine, wave)
        left = left[len(mine) :]
    return waves | dict.fromkeys(left, len(sizes or ()))
