"""What may go wrong with a fleet, drawn from one seed: with each member, and with all of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields

from tests.simulation.cases import SEEDS_A_CASE, case_of
from tests.simulation.scenario import KEYS, READS, WINDOWS, WRITES, Scenario, drawn
from vcokit.simulator import Fault

#: Members, in their order, and the letters of their connections.
MEMBERS = {"berlin": "ab", "madrid": "cd", "oslo": "ef"}
#: A cloud is silent for good where nothing comes back from it until then.
FOR_GOOD = 1e9


@dataclass
class FleetScenario:
    """One story of a fleet that may happen.

    Deaths and commands are those of the fleet; jumps are those of the clock that all members have.
    """

    seed: int
    #: The trouble of each member, which has a cloud of its own.
    members: dict[str, Scenario]
    max_members: int = 3
    waves: tuple[int | None, ...] | None = None
    stop_after: int | str | None = None
    #: What each member is told: its share of the limits, and the windows.
    told: dict[str, object] = field(default_factory=dict)
    #: Whether clients are functions that connect; else a process has one client a member.
    connecting: bool = True
    #: How often it fails to connect a member.
    unreachable: dict[str, int] = field(default_factory=dict)
    deaths: list[int] = field(default_factory=list)
    #: Moment, command, and the member whose rollout it is given to; empty for the fleet.
    commands: list[tuple[float, str, str]] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        told = [(one.name, getattr(self, one.name)) for one in fields(self)[2:]]
        lines = [f"fleet of seed {self.seed}"]
        lines += [f"  {name}: {value}" for name, value in told if value]
        lines += [f"{name}: {one}" for name, one in self.members.items()]
        return "\n".join(lines)


def fleet_scenario_of(seed: int) -> FleetScenario:
    """Return the scenario of a seed; the same always."""
    rng = random.Random(f"fleet/{seed}")
    story = FleetScenario(seed, {name: _member(rng, seed, name) for name in MEMBERS})
    story.max_members = rng.choice([1, 1, 2, 2, 3])
    if rng.random() < 0.6:
        story.waves = rng.choice([(1, None), (1, 1), (2, None), (1, 1, None), (None,)])
    if rng.random() < 0.5:
        story.stop_after = rng.choice([1, 1, 2, "1%", "34%", "67%"])
    if rng.random() < 0.15:
        story.told["rate_share"] = rng.choice([0.5, 0.25])
    if rng.random() < 0.15:
        story.told["windows"] = list(WINDOWS)
    story.connecting = rng.random() < 0.6
    if rng.random() < 0.4:
        _breaks(rng, story)
    if rng.random() < 0.5:
        steps = sum(len(one.case.steps) for one in story.members.values())
        # Some die while the directory is made.
        moments = [10, *[60 + 40 * steps] * 9]
        count = rng.choice([1, 1, 2, 3])
        story.deaths = sorted(rng.randrange(1, rng.choice(moments)) for _ in range(count))
    if rng.random() < 0.5:
        _commands(rng, story)
    for one in story.members.values():
        one.rollout |= story.told
        one.jumps = story.jumps
    return story


def _member(rng: random.Random, seed: int, name: str) -> Scenario:
    place = list(MEMBERS).index(name)
    case = case_of(2_000_000 + 3 * (seed // SEEDS_A_CASE) + place, MEMBERS[name], small=True)
    chances = {
        "limits": 1.0,
        "options": 1.0,
        "faults": 0.4,
        "writers": 0.05,
        "outages": 0.06,
        "switches": 0.3,
        "states": 0.05,
    }
    return drawn(rng, Scenario(rng.randrange(10**6), case), chances)


def _breaks(rng: random.Random, story: FleetScenario) -> None:
    """Let one member fail, for a while or for good."""
    name = rng.choice(list(story.members))
    one = story.members[name]
    kind = rng.choice(["key", "forbidden", "silent", "stale", "unreachable"])
    if kind == "key":
        count = rng.choice([1, 1, 3, None])
        one.faults.append(Fault("refuse", code=rng.choice(KEYS), count=count))
    elif kind == "forbidden":
        refused = rng.choice([WRITES, READS])
        one.faults += [Fault("refuse", each, code="Forbidden.RAM") for each in refused]
    elif kind == "silent":
        begin = rng.choice([0.0, rng.uniform(0.0, 20.0)])
        one.outages.append((begin, begin + rng.choice([150.0, 600.0, FOR_GOOD])))
    elif kind == "stale":
        vpn = next(iter(one.case.regions))
        given = {"RegionId": one.case.regions[vpn], "VpnConnectionId": vpn, "NextHop": vpn}
        given |= {"RouteDest": one.case.rows[0][2], "Weight": "0"}
        one.writers.append((0.0, WRITES[0], vpn, given))
    else:
        story.unreachable[name] = rng.choice([1, 2, 10])


def _commands(rng: random.Random, story: FleetScenario) -> None:
    moment, paused = 0.0, False
    for _ in range(rng.choice([1, 1, 2, 3])):
        moment += rng.choice([0.0, 0.01, rng.uniform(0.0, 30.0), rng.uniform(0.0, 30.0)])
        name = rng.choice(["pause", "pause", "resume", "cancel", "cancel", "stop"])
        member = rng.choice(["", "", "", "", *story.members])
        if member and name in ("pause", "resume"):
            member = ""  # who pauses one member alone must not forget it
        paused = name == "pause" or (paused and (name == "stop" or bool(member)))
        story.commands.append((moment, name, member))
    if paused:
        moment += rng.choice([0.01, 5.0, 300.0])
        story.commands.append((moment, rng.choice(["resume", "resume", "cancel", "stop"]), ""))
