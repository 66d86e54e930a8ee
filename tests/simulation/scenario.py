"""What may go wrong with a rollout, drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tests.simulation.cases import CROWD, SEEDS_A_CASE, Case, case_from, case_of, case_to
from vcokit.simulator import Fault, Switches

#: Windows of a story, which begins at 11:06:40: closed for 20 s, open and closed for a minute each
#: twice, and then open.
WINDOWS = ("11:07-11:08 UTC", "11:09-11:10 UTC", "11:11-11:06 UTC")
WRITES = ("CreateVcoRouteEntry", "ModifyVcoRouteEntryWeight", "DeleteVcoRouteEntry")
READS = ("DescribeVpnConnection", "DescribeVpnConnections", "DescribeVcoRouteEntries")
#: Refusals for good, and one of the key, after which a rollout stops.
REFUSALS = ("Forbidden.RAM", "IllegalParam.RouteDest", "VpnRouteEntry.ConflictSSL", "SystemBusy")
KEYS = ("InvalidAccessKeyId.Inactive", "InvalidSecurityToken.Expired")


@dataclass
class Scenario:
    """One story that may happen."""

    seed: int
    case: Case
    faults: list[Fault] = field(default_factory=list)
    #: Calls in so many seconds, by operation: of the cloud, and what the client thinks they are.
    limits: dict[str, tuple[int, float]] = field(default_factory=dict)
    believed: dict[str, tuple[int, float]] = field(default_factory=dict)
    task_seconds: tuple[float, float] = (1.0, 5.0)
    quota: int = 1000
    switches: Switches = field(default_factory=Switches)
    #: Numbers of the moments at which the process is killed: a journal has moments before and after
    #: each of its transactions, a call one before it leaves, a loop one at each wait.
    deaths: list[int] = field(default_factory=list)
    commands: list[tuple[float, str]] = field(default_factory=list)
    #: Writes of somebody else: moment, operation, connection, parameters.
    writers: list[tuple[float, str, str, dict]] = field(default_factory=list)
    #: When a connection comes into another state; an empty one is attached.
    states: list[tuple[float, str, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    #: When the clock on the wall is set, and how far.
    jumps: list[tuple[float, float]] = field(default_factory=list)
    #: Fields of the scheduler's options that are not the default, and what the rollout is told.
    options: dict[str, object] = field(default_factory=dict)
    rollout: dict[str, object] = field(default_factory=dict)
    #: Whether what the first rollout did is taken back.
    undo: bool = False
    #: Of another rollout, of other connections of the same account, by the same client: beside the
    #: first, or after it and its undo.
    second: Case | None = None
    together: bool = False

    @property
    def cases(self) -> list[Case]:
        """The cases of the rollouts, in order."""
        return [self.case] if self.second is None else [self.case, self.second]

    @property
    def keeps_limits(self) -> bool:
        """Whether the client knows all that counts: the limits, and every call that is made."""
        known = all(
            self.believed[name][0] <= calls and self.believed[name][1] >= seconds
            for name, (calls, seconds) in self.limits.items()
        )
        unseen = {fault.kind for fault in self.faults} & {"late", "duplicate"}
        return known and not self.writers and not unseen

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON, so that it stays what it is when the generator changes."""
        cases = {"case": case_to(self.case)}
        cases |= {} if self.second is None else {"second": case_to(self.second)}
        plain = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name not in ("case", "second", "faults", "switches")
        }
        faults = [asdict(fault) for fault in self.faults]
        return {**plain, "faults": faults, "switches": asdict(self.switches), **cases}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scenario:
        """Return the scenario that JSON describes."""
        given = dict(data)
        given["case"] = case_from(given["case"])
        given["second"] = case_from(given["second"]) if "second" in given else None
        given["faults"] = [Fault(**fault) for fault in given["faults"]]
        given["switches"] = Switches(**given["switches"])
        for name in ("limits", "believed"):
            given[name] = {key: tuple(value) for key, value in given[name].items()}
        for name in ("commands", "writers", "states", "outages", "jumps"):
            given[name] = [tuple(entry) for entry in given.get(name, [])]
        given["task_seconds"] = tuple(given["task_seconds"])
        return cls(**given)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, case {self.case.number}: {self.case.plan}"]
        for name in list(self.__dataclass_fields__)[2:]:
            value = getattr(self, name)
            if value:
                shown = f"case {value.number}: {value.plan}" if name == "second" else value
                lines.append(f"  {name}: {shown}")
        return "\n".join(lines)


def scenario_of(seed: int) -> Scenario:
    """Return the scenario of a seed; the same always."""
    rng = random.Random(f"scenario/{seed}")
    chances = {
        "limits": 1.0,
        "options": 1.0,
        "faults": 0.75,
        "deaths": 0.35,
        "commands": 0.15,
        "writers": 0.1,
        "outages": 0.08,
        "jumps": 0.1,
        "switches": 0.4,
        "rollout": 0.3,
        "states": 0.12,
    }
    story = drawn(rng, Scenario(seed, case_of(seed // SEEDS_A_CASE)), chances)
    story.undo = rng.random() < 0.04
    if rng.random() < 0.1:
        story.second = case_of(seed // SEEDS_A_CASE + 1_000_000, "vwxyz")
        story.together = not story.undo and rng.random() < 0.5
        if story.second.quota is not None:
            story.quota = max(story.quota, story.second.quota)
    return story


def drawn(rng: random.Random, story: Scenario, chances: Mapping[str, float]) -> Scenario:
    """Return a scenario in which each kind of trouble comes up by its chance."""
    slow = rng.choice([0.5, 2.0, 5.0, 15.0])
    story.task_seconds = (slow / 4, slow)
    for kind, chance in chances.items():
        if rng.random() < chance:
            _DRAWS[kind](rng, story)
    if story.switches.listing_weight == "missing":
        # What became of a changed weight, only its answer can tell: no listing shows that a task
        # came to nothing.
        story.faults = [fault for fault in story.faults if fault.kind != "task_fails"]
    if story.case.quota is not None:
        story.quota = story.case.quota
    return story


def _limits(rng: random.Random, story: Scenario) -> None:
    if rng.random() < 0.4:
        story.limits = {name: (rng.randint(1, 4), rng.choice([5.0, 20.0])) for name in WRITES}
        story.limits |= {name: (rng.randint(2, 20), rng.choice([2.0, 10.0])) for name in READS}
    # Most know the limits; some think that they may do more, some that they may do less.
    factor = rng.choices([1, 2, 0.5], [6, 2, 1])[0]
    story.believed = {
        name: (max(1, int(calls * factor)), seconds)
        for name, (calls, seconds) in story.limits.items()
    }


def _options(rng: random.Random, story: Scenario) -> None:
    story.options = {
        "in_flight": rng.choice([1, 2, 4, 32]),
        "list_after": rng.choice([1, 2, 10]),
        "task_seconds": rng.choice([0.5, 3.0, 10.0]),
        "step_attempts": rng.choice([1, 2, 4]),
        "lost_attempts": rng.choice([2, 20, 20]),
        "lost_after": rng.choice([30.0, 120.0]),
    }
    if len(story.case.regions) >= CROWD:
        # So many calls meet so many faults that who gives up at the second comes to no end.
        story.options |= {"lost_attempts": 50, "lost_after": 1200.0}


def _faults(rng: random.Random, story: Scenario) -> None:
    kinds = {
        "drop_before": {},
        "drop_after": {},
        "late": {"seconds": rng.uniform(0.1, 40.0)},
        "delay": {"seconds": rng.choice([0.5, 4.0, 12.0])},
        "status_500": {"applied": rng.random() < 0.5},
        "status_503": {"applied": rng.random() < 0.5},
        "throttle": {"seconds": rng.choice([0.5, 3.0, 20.0]), "burst": rng.choice([1, 5])},
        "busy": {"burst": rng.choice([1, 3, 10])},
        "truncate": {},
        "empty": {"applied": rng.random() < 0.5},
        "html": {"applied": rng.random() < 0.5},
        "content_type": {},
        "duplicate": {"seconds": rng.uniform(0.1, 40.0)},
        "resent": {},
        "task_fails": {},
        "reappear": {"seconds": rng.choice([1.0, 4.0, 9.0])},
        "refuse": {"code": rng.choice(REFUSALS + KEYS), "count": rng.randint(1, 3)},
    }
    for kind in rng.sample(list(kinds), rng.choice([1, 1, 2, 3, 5])):
        operation = rng.choice([None, None, *WRITES, *READS]) if rng.random() < 0.4 else None
        if operation in READS and kind in ("busy", "task_fails"):
            operation = None
        chance = rng.choice([0.03, 0.1, 0.3])
        story.faults.append(Fault(kind, operation, probability=chance, **kinds[kind]))


def _deaths(rng: random.Random, story: Scenario) -> None:
    moments = 30 + 40 * len(story.case.steps)
    story.deaths = sorted(rng.randrange(1, moments) for _ in range(rng.choice([1, 1, 2, 3, 6])))


def _commands(rng: random.Random, story: Scenario) -> None:
    moment = rng.uniform(0.0, 40.0)
    name = rng.choice(["pause", "cancel", "stop"])
    story.commands.append((moment, name))
    if name == "pause":
        later = moment + rng.choice([0.01, 5.0, 300.0])
        story.commands.append((later, rng.choice(["resume", "resume", "cancel", "stop"])))


def _writers(rng: random.Random, story: Scenario) -> None:
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(story.case.regions))
        live = sorted(story.case.live[name])
        planned = [s for s in story.case.steps if s.vpn_connection_id == name and s.sends]
        route: dict[str, object]
        kind = rng.choice(["foreign", "theirs", "ours"])
        if kind == "ours" and planned:
            step = rng.choice(planned)
            route = {"RouteDest": step.route_dest, "Weight": rng.choice([0, 100])}
        elif kind == "theirs" and live:
            route = {"RouteDest": rng.choice(live)[0], "Weight": rng.choice([0, 100])}
        else:
            route = {"RouteDest": f"172.20.{rng.randrange(200)}.0/24", "Weight": 100}
        operation = rng.choice(WRITES)
        given = {"RegionId": story.case.regions[name], "VpnConnectionId": name, "NextHop": name}
        given |= {key: str(value) for key, value in route.items()}
        if operation == WRITES[1]:
            given["NewWeight"] = str(100 - int(given["Weight"]))
        story.writers.append((rng.uniform(0.0, 90.0), operation, name, given))


def _outages(rng: random.Random, story: Scenario) -> None:
    begin = rng.uniform(0.0, 60.0)
    story.outages.append((begin, begin + rng.choice([1.0, 15.0, 100.0, 400.0])))


def _jumps(rng: random.Random, story: Scenario) -> None:
    for _ in range(rng.randint(1, 3)):
        moment, far = rng.uniform(0.0, 120.0), rng.choice([-7200.0, -30.0, 45.0, 86400.0])
        story.jumps.append((moment, far))
        if abs(far) > 100.0:
            # Nothing can be signed by a clock that is so wrong: somebody puts it right.
            story.jumps.append((moment + rng.choice([0.5, 10.0, 60.0]), -far))


def _switches(rng: random.Random, story: Scenario) -> None:
    story.switches = Switches(
        removed_at_acceptance=rng.random() < 0.6,
        listed_after_task=rng.random() < 0.6,
        listing_needs_attached=rng.random() < 0.3,
        refused_calls_bind_token=rng.random() < 0.4,
        task_conflict_seconds=rng.choice([0.0, 0.3, 1.5, 3.0]),
        not_attached_refused=rng.random() < 0.7,
        listing_weight=rng.choices(["shown", "missing"], [4, 1])[0],
    )
    if rng.random() < 0.15:
        story.quota = max(1, max(map(len, story.case.live.values())) + rng.randint(-1, 3))


def _states(rng: random.Random, story: Scenario) -> None:
    """Let some connections be attached later, not at all, or no longer."""
    names = list(story.case.regions)
    for name in rng.sample(names, min(len(names), rng.choice([1, 1, 2]))):
        kind = rng.choice(["arrives", "arrives", "detached", "leaves"])
        if kind == "arrives":
            passing = rng.choice(["attaching", "provisioning", "upgrading"])
            story.states += [(0.0, name, passing), (rng.uniform(0.5, 60.0), name, "")]
        elif kind == "detached":
            story.states.append((0.0, name, "init"))
        else:
            begin = rng.uniform(1.0, 60.0)
            story.states += [(begin, name, "detaching"), (begin + 5.0, name, "init")]


def _rollout(rng: random.Random, story: Scenario) -> None:
    if rng.random() < 0.5:
        story.rollout["waves"] = rng.choice([[1, None], [1, 2, None], [2, None]])
    if rng.random() < 0.3:
        story.rollout["stop_after"] = rng.randint(1, 3)
    if rng.random() < 0.3:
        story.rollout["rate_share"] = rng.choice([0.5, 0.25])
    if rng.random() < 0.3:
        story.rollout["windows"] = list(WINDOWS)
    if rng.random() < 0.3:
        story.rollout["deadline"] = rng.choice([5.0, 30.0, 200.0])


_DRAWS = {
    "limits": _limits,
    "options": _options,
    "faults": _faults,
    "deaths": _deaths,
    "commands": _commands,
    "writers": _writers,
    "outages": _outages,
    "jumps": _jumps,
    "switches": _switches,
    "rollout": _rollout,
    "states": _states,
}
