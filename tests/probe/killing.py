"""Probes killed with SIGKILL at random moments, and the next ones that clean up after them.

Each is a process of its own against a simulator on 127.0.0.1. It is killed when the n-th of its
calls arrives there, or shortly after: then the answer is lost, or the call has not been made yet.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import vcokit as vk
from tests.crash.accident import Trap
from vcokit.simulator import Connection, Credentials, Route, Simulator

MINE, THEIRS = "vco-mine", "vco-theirs"
#: Routes that were there before: none of them is a probe's.
BEFORE = [
    Route(MINE, "198.18.7.0/24"),
    Route(MINE, "198.19.255.0/24", 0),
    Route(THEIRS, "198.18.0.0/24"),
    Route(THEIRS, "10.0.0.0/8"),
]
WRITES = {"CreateVcoRouteEntry", "DeleteVcoRouteEntry", "ModifyVcoRouteEntryWeight"}
SPEED = 3000.0
#: Calls of a whole probe, about.
CALLS = 200
PATIENCE = 300.0

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.probe.killing"])


class Cloud:
    """A simulator, and the probes that are sent to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.trap, self.journal = Trap(), folder / "journal.json"
        self.simulator = Simulator(
            [Connection(MINE), Connection(THEIRS)],
            BEFORE,
            speed=SPEED,
            seed=seed,
            limits={"CreateVcoRouteEntry": (12, 60.0)},
            wall=self.trap,
        )

    def probe(self, after: int | None, *, late: bool = False) -> bool:
        """Probe in a process of its own; kill it as a call arrives, or is answered. Tell if so."""
        given = (self.simulator.endpoint, tuple(self.simulator.credentials[:2]), self.journal)
        process = FORKS.Process(target=run, args=given)
        process.start()
        if after is not None:
            self.trap.set(process.pid, after)
        if late:  # the call is made, and its answer arrives or does not
            calls = len(self.simulator.calls())
            while process.is_alive() and len(self.simulator.calls()) < calls + after:
                process.join(0.001)
            self.trap.set(None, 0)
            process.kill()
        process.join(PATIENCE)
        self.trap.set(None, 0)
        if process.is_alive():
            process.kill()
            process.join()
            raise AssertionError("the probe hangs")
        if process.exitcode not in (0, -signal.SIGKILL):
            raise AssertionError("the probe failed")
        return process.exitcode != 0

    def left(self) -> set[tuple[str, str]]:
        """Return the routes that are there and were not before."""
        there = self.simulator.routes()
        pairs = zip(there["vpn_connection_id"], there["route_dest"], strict=True)
        return set(pairs) - {(one.vpn_connection_id, one.route_dest) for one in BEFORE}

    def violations(self) -> list[str]:
        """Return what has been touched and was not given."""
        there = self.simulator.routes()
        names = ["vpn_connection_id", "route_dest", "weight"]
        pairs = set(there[names].itertuples(index=False, name=None))
        gone = {(one.vpn_connection_id, one.route_dest, one.weight) for one in BEFORE} - pairs
        found = [f"gone: {route}" for route in sorted(gone)]
        calls = self.simulator.calls()
        for call in calls[calls["operation"].isin(WRITES)].itertuples():
            about = (call.vpn_connection_id, call.parameters["RouteDest"])
            if about[0] != MINE:
                found.append(f"{call.operation} on {about[0]}")
            if call.changed and about in {(r.vpn_connection_id, r.route_dest) for r in BEFORE}:
                found.append(f"{call.operation} of {about}")
            if call.changed and not about[1].startswith(("198.18.", "198.19.")):
                found.append(f"{call.operation} of {about}")
        return found


def run(endpoint: str, keys: tuple[str, str], journal: Path) -> None:
    """Probe, in a process of its own."""
    os.environ["VCOKIT_POLL_INTERVAL"] = "20"
    os.environ["VCOKIT_RETRY_CAP"] = "0.1"
    cloud = SimpleNamespace(endpoint=endpoint, credentials=Credentials(*keys), speed=SPEED)
    with vk.connect(cloud, region="cn-hangzhou") as client:
        told = vk.probe(client, MINE, sandbox=True, journal=journal)
    sys.exit(bool(told.left))


def play(seed: int, kills: int, folder: Path) -> tuple[int, int, list[str]]:
    """Kill probes until so many have died; return how many left routes, and what was wrong."""
    chance, cloud = random.Random(seed), Cloud(folder, seed)
    died = left = 0
    wrong: list[str] = []
    with cloud.simulator:
        while died < kills:
            died += cloud.probe(chance.randint(1, CALLS), late=chance.random() < 0.5)
            there = cloud.left()
            left += bool(there)
            named = json.loads(cloud.journal.read_text()) if cloud.journal.exists() else {}
            known = {(named.get("connection"), one) for one in named.get("networks", [])}
            wrong += [f"seed {seed}: not in the journal: {one}" for one in sorted(there - known)]
        cloud.probe(None)
        wrong += [f"seed {seed}: left behind: {one}" for one in sorted(cloud.left())]
        wrong += [f"seed {seed}: {what}" for what in cloud.violations()]
        if cloud.journal.exists():
            wrong.append(f"seed {seed}: the journal is still there")
    return died, left, wrong


def killed(first: int, count: int) -> int:
    """Kill so many probes, ten to a cloud; print what came of it, and return what was wrong."""
    died = left = bad = 0
    seed = first
    while died < count:
        with tempfile.TemporaryDirectory(prefix="vcokit-probe-") as folder:
            more, some, wrong = play(seed, min(10, count - died), Path(folder))
        died, left, bad, seed = died + more, left + some, bad + len(wrong), seed + 1
        print(f"{died} killed, {left} of them left routes, {bad} violations", *wrong, flush=True)
    return bad
