"""Calls that never come back: the rollout ends all the same, and knows what it does not know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.rollout.stage import Stage, inventory
from tests.simulation.clockwork import Threads, Turn, World
from vcokit import schema
from vcokit.cloud.client import Page
from vcokit.cloud.operations import OPERATIONS, Operation
from vcokit.cloud.ratelimit import Limiter
from vcokit.cloud.responses import Answer
from vcokit.errors import InputError
from vcokit.rollout.engine import Clocks
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import Command, Finished
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.rollout import Rollout

ROOT = Path(__file__).parents[2]
DEAF, BAD = "vco-0", "vco-1"


class Silent:
    """A client in virtual time: writes to one connection hang, or cannot be made; the others do."""

    speed, round_trip, simulated, settings = 1.0, None, False, None

    def __init__(self, world: World, hangs: str = "", unmade: tuple[str, ...] = ()) -> None:
        self.world, self.hangs, self.unmade = world, hangs, unmade
        self.limits = {name: operation.limit for name, operation in OPERATIONS.items()}
        self.limiter = Limiter(self.limits)
        self.there: dict[str, list[dict[str, Any]]] = {}

    def call(self, operation: Operation, given: dict[str, Any], **_: object) -> Answer:
        """Answer a call, or never."""
        self._made(operation, given)
        if operation.writes:
            self.there.setdefault(given["VpnConnectionId"], []).append(given)
            return Answer(operation.name, "q", {})
        return Answer(operation.name, "q", {"State": "attached"})

    def page(self, operation: Operation, given: dict[str, Any], *_: object, **__: object) -> Page:
        """Answer a call for a page, or never."""
        self._made(operation, given)
        rows = self.there.get(given.get("VpnConnectionId", ""), [])
        return Page([dict(row) for row in rows], len(rows), "q")

    def _made(self, operation: Operation, given: dict[str, Any]) -> None:
        lane = given.get("VpnConnectionId", "")
        self.world.wait(0.1)
        if operation.name.startswith(self.hangs or "-") and lane in (DEAF, ""):
            self.world.rest(Turn())
        if lane == BAD and operation.name in self.unmade:
            raise InputError(f"{operation.name} cannot be asked: URL too long")


def carried_out(
    path: Path, client: Silent, lanes: int = 2, commands: dict[float, str] | None = None, **more
) -> tuple[Rollout, Finished]:
    """Carry a plan of creates out in virtual time."""
    world = client.world
    plan = plan_routes(inventory(lanes, 2), schema.frame(schema.LIVE_ROUTES))
    clocks = Clocks(lambda: 1e9 + world.now, lambda: world.now, partial(Threads, world))
    rollout = Rollout(plan, client, journal=path / "r.db", clocks=clocks, **more)
    for at, name in (commands or {}).items():
        world.at(at, lambda name=name: rollout._engine.command(Command(name)))
    ended = rollout._engine.run()
    rollout._finish(ended)
    world.end()
    return rollout, ended


@pytest.mark.parametrize(
    ("commands", "more", "reason"),
    [
        ({20.0: "stop"}, {}, "interrupted"),
        ({20.0: "cancel"}, {}, "cancelled"),
        ({}, {"deadline": 20.0}, "stopped"),
    ],
)
def test_a_write_that_hangs(tmp_path: Path, commands: dict, more: dict, reason: str) -> None:
    """Stop, cancel and deadline end a rollout one of whose writes never returns; it is unknown."""
    world = World(400.0)
    client = Silent(world, hangs="Create")
    rollout, ended = carried_out(tmp_path, client, commands=commands, **more)
    assert ended.reason == reason
    assert world.now < 60.0
    calls = rollout.calls()
    hung = calls[(calls["vpn_connection_id"] == DEAF) & calls["step"].notna()]
    assert set(hung["outcome"]) == {"unknown"}


def test_nothing_but_hanging(tmp_path: Path) -> None:
    """Where no call ever returns, silence of lost_after stops the rollout, not a day later."""
    world = World(1000.0)
    rollout, ended = carried_out(tmp_path, Silent(world, hangs="Describe"), lanes=1)
    assert (ended.reason, ended.cause) == ("stopped", "silence")
    assert world.now == pytest.approx(rollout.options.lost_after, abs=1.0)


def test_a_step_that_cannot_be_asked_for(tmp_path: Path) -> None:
    """A step whose request cannot be written fails by itself, with the reason; others go on."""
    client = Silent(World(1000.0), unmade=("CreateVcoRouteEntry",))
    rollout, ended = carried_out(tmp_path, client, lanes=3)
    assert ended.reason == "finished"
    steps = rollout.frame().set_index("vpn_connection_id")
    assert set(steps.loc[BAD, "state"]) == {"failed"}
    assert set(steps.loc[BAD, "code"]) == {"NotMade"}
    assert set(steps.drop(BAD)["state"]) == {"done"}


def test_a_listing_that_cannot_be_asked_for(tmp_path: Path) -> None:
    """A connection that cannot be listed at all costs its own steps alone, with the reason."""
    client = Silent(World(1000.0), unmade=("DescribeVcoRouteEntries",))
    rollout, ended = carried_out(tmp_path, client, lanes=3)
    assert ended.reason == "finished"
    steps = rollout.frame().set_index("vpn_connection_id")
    assert set(steps.loc[BAD, "state"]) == {"failed"}
    assert steps.loc[BAD, "message"].str.contains("too long").all()
    assert set(steps.drop(BAD)["state"]) == {"done"}


def test_a_long_description(tmp_path: Path) -> None:
    """A description longer than any request blocks its own row; nothing ends by it."""
    with Stage(tmp_path) as stage:
        stage.routes["description"] = "d"
        stage.routes.loc[3, "description"] = "路" * 7300
        rollout = stage.rollout().start().wait()
        assert rollout.state == "finished"
        assert (rollout.tally().states["blocked"], rollout.tally().states["done"]) == (1, 35)


_FORKED = """
import os, sys
from pathlib import Path
from tests.rollout.stage import Stage
with Stage(Path(sys.argv[1]), speed=0.1, lanes=1, each=1) as stage:
    rollout = stage.rollout().start()
    child = os.fork()
    if not child:
        sys.exit(7)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, rollout.state in ("looking", "running"), flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_ends_at_once(tmp_path: Path) -> None:
    """A child that ends does not stop its parent's rollout, nor wait for it."""
    command = [sys.executable, "-c", _FORKED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "7 True\n", done.stderr
    assert "Stopped. Resume" not in done.stderr


class _Deaf(BaseHTTPRequestHandler):
    """Lists nothing, has every connection attached, and never answers a write."""

    asked = Event()

    def do_POST(self) -> None:
        """Answer a read; keep a write waiting."""
        action = self.headers["x-acs-action"]
        if action.startswith("Create"):
            self.asked.set()
            Event().wait(60)
        said = {"RequestId": "q", "State": "attached", "TotalCount": 0, "VcoRouteEntries": []}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """Twice Ctrl-C: the command that goes on is said, and no call under way is waited for."""
    inventory(1, 1).to_csv(tmp_path / "r.csv", index=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Deaf)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    env = {
        **os.environ,
        "VCOKIT_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s3cret",
        "VCOKIT_READ_TIMEOUT": "60",  # longer than the machine may take to end
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "vcokit", "apply", "r.csv", "--yes"],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        assert _Deaf.asked.wait(60)
        child.send_signal(signal.SIGINT)
        assert child.stdout is not None
        said = ""
        while "Stopping: waiting" not in said:
            said = child.stdout.readline()
            assert said
        child.send_signal(signal.SIGINT)
        rest = child.communicate(timeout=60)[0]
    server.shutdown()
    server.server_close()
    assert child.returncode == 130
    assert "vcokit resume r.rollout.db" in rest
    assert "Traceback" not in rest
    assert "Stopped. Resume" not in rest
    with Journal.read(tmp_path / "r.rollout.db") as journal:
        assert journal.steps()["state"].tolist() == ["sent"]
