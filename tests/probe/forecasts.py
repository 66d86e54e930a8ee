"""A rollout beside its rehearsal: on the cloud as it is, and on what a probe saw of it.

All of it in virtual time, with round trips of 50 to 300 ms. The cloud is drawn from a seed: the
time of its tasks, the pause after them, its limit of creates, and how long deleted routes flap.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import vcokit as vk
from tests.simulation.cases import Case, planned
from tests.simulation.clockwork import World
from tests.simulation.network import EPOCH, Network, Transport
from tests.simulation.play import play
from tests.simulation.scenario import Scenario
from vcokit.simulator import Account, Connection, Fault, Switches
from vcokit.simulator.backend import Cloud
from vcokit.simulator.facts import read_facts

NAME = "vco-sandbox"
REGION = "cn-hangzhou"
#: How far a rehearsal may be off.
NEAR = 0.05


def cloud_of(seed: int) -> dict[str, Any]:
    """Return how a cloud behaves."""
    chance = random.Random(f"forecast/{seed}")
    shortest = round(chance.uniform(1.5, 8.0), 1)
    longest = shortest + round(chance.choice([0.0, chance.uniform(0.5, 4.0)]), 1)
    flaps = [Fault("reappear", seconds=chance.uniform(3.0, 12.0))] if chance.random() < 0.3 else []
    return {
        "task_seconds": (shortest, longest),
        "limits": {"CreateVcoRouteEntry": (chance.randrange(15, 90), 60.0)},
        "switches": Switches(
            task_conflict_seconds=round(chance.uniform(0.0, 4.0), 1),
            listed_after_task=chance.random() < 0.7,
            listing_weight=chance.choice(["shown", "shown", "missing"]),
            busy_code=chance.choice(["VpnConnection.Configuring", "TaskConflict"]),
        ),
        "faults": flaps,
    }


def case_of(seed: int) -> Case:
    """Return a plan of creates and, in part, deletes on some connections."""
    chance = random.Random(f"plan/{seed}")
    names = [f"vco-{letter}" for letter in "abcdefghij"[: chance.randint(2, 6)]]
    case = Case(seed, dict.fromkeys(names, REGION), prune=True)
    for lane, name in enumerate(names):
        count = chance.randint(8, 16)
        case.rows += [(REGION, name, f"10.{lane}.{n}.0/24", name, 100, None) for n in range(count)]
        old = range(chance.randint(0, 4))
        case.live[name] = {(f"172.16.{n}.0/24", name, 100) for n in old}
    return planned(case)


def probed(options: dict[str, Any], seed: int, path: Path) -> vk.Probe:
    """Probe a cloud in virtual time, and write its file."""
    world = World(40_000.0)
    cloud = Cloud([Connection(NAME, REGION)], seed=seed, epoch=EPOCH, **options)
    network = Network(world, cloud, random.Random(seed), [])
    where = SimpleNamespace(
        endpoint="https://vpc.example.com", credentials=Account().credentials, speed=1.0
    )
    client = vk.connect(
        where,
        region=REGION,
        clock=lambda: EPOCH + world.now,
        steady=lambda: world.now,
        sleep=world.wait,
        luck=lambda: 0.5,
        transport=Transport(network, lambda *_: None),
    )
    probe = vk.probe(
        client,
        NAME,
        sandbox=True,
        journal=path.with_name("journal.json"),
        sleep=world.wait,
        now=lambda: world.now,
        wall=lambda: EPOCH,
        luck=random.Random(seed).random,
    )
    assert probe.left == []
    probe.to_json(path)
    return probe


def seconds(case: Case, options: dict[str, Any], seed: int, folder: Path) -> float:
    """Roll a plan out in virtual time; return how long it took."""
    story = play(Scenario(seed, case, **options), folder)
    assert not story.wrong, story.wrong
    (began,) = (entry[0] for entry in story.log if entry[1] == "boot")
    (ended,) = (entry[0] for entry in story.log if entry[1] == "end")
    return float(ended - began)


def compare(seed: int) -> tuple[float, float, float]:
    """Return how long a rollout took, its rehearsal on facts, and that on the defaults."""
    options, case = cloud_of(seed), case_of(seed)
    with tempfile.TemporaryDirectory(prefix="vcokit-forecast-") as name:
        folder = Path(name)
        (folder / "rollouts").mkdir()
        probed(options, seed, folder / "probe.json")
        facts = read_facts(folder / "probe.json")
        seen = {
            "task_seconds": facts.task_seconds,
            "limits": dict(facts.limits),
            "switches": facts.switches,
            "faults": list(facts.faults),
        }
        really = seconds(case, options, seed, folder / "rollouts")
        rehearsed = seconds(case, seen, seed + 1, folder / "rollouts")
        assumed = seconds(case, {"task_seconds": (2.0, 5.0)}, seed + 1, folder / "rollouts")
    return really, rehearsed, assumed


def compared(first: int, count: int) -> int:
    """Compare so many; print each, and return how many rehearsals were off by more than 5 %."""
    os.environ["VCOKIT_POLL_INTERVAL"] = "1"
    far, offs = 0, []
    print(f"{'seed':>5} {'rollout':>9} {'rehearsed':>9} {'off':>7} {'by default':>10} {'off':>7}")
    for seed in range(first, first + count):
        really, rehearsed, assumed = compare(seed)
        off = rehearsed / really - 1
        offs.append(abs(off))
        far += abs(off) > NEAR
        more = f"{assumed:>9.0f}s {assumed / really - 1:>+7.1%}"
        print(f"{seed:>5} {really:>8.0f}s {rehearsed:>8.0f}s {off:>+7.1%} {more}", flush=True)
    print(f"{count} rollouts, at most {max(offs):.1%} off, {far} by more than {NEAR:.0%}")
    return far
