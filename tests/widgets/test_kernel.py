"""In a real kernel: few messages, small ones, painted also while a cell is busy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from tests.rollout.stage import inventory
from vcokit.simulator import Account, Simulator

ROOT = Path(__file__).parents[2]
LANES, EACH, SPEED = 50, 12, 300.0

SETUP = """
import os, sys
sys.path.insert(0, {root!r})
from types import SimpleNamespace
import vcokit as vk
from tests.rollout.stage import inventory
from vcokit.simulator import Credentials
key = [os.environ["TEST_KEY_ID"], os.environ["TEST_KEY_SECRET"]]
cloud = SimpleNamespace(endpoint={endpoint!r}, speed={speed!r}, credentials=Credentials(*key))
client = vk.connect(cloud)
routes = inventory({lanes}, {each})
plan = vk.plan_routes(routes, vk.live_routes(client, routes))
events = []
rollout = vk.Rollout(plan, client, journal={journal!r}, observers=[events.append])
"""
#: What a page gets of a view.
TO_THE_PAGE = ("comm_open", "comm_msg", "display_data", "update_display_data")

# The kernel's own libraries warn of themselves. The simulator is in the process of the tests:
# counting its lines would make it slow.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.no_cover]


class Kernel:
    """A kernel, and what it sends to a page."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell and return the messages that came until its end."""
        request = self.client.execute(code)
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            messages.append(message)
            assert message["msg_type"] != "error", message["content"]
            mine = message["parent_header"].get("msg_id") == request
            if mine and message["content"].get("execution_state") == "idle":
                return messages


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel that has the key of every simulator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("TEST_KEY_ID", Account().access_key_id)
        patch.setenv("TEST_KEY_SECRET", Account().access_key_secret)
        manager, client = start_new_kernel()
        try:
            yield Kernel(client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


@pytest.fixture
def ready(kernel: Kernel, tmp_path: Path) -> Iterator[Kernel]:
    """The kernel with a rollout that is ready, and a cloud of this process for it."""
    with Simulator.for_routes(inventory(LANES, EACH), speed=SPEED) as cloud:
        sizes = {"lanes": LANES, "each": EACH, "speed": SPEED, "root": str(ROOT)}
        journal = str(tmp_path / "rollout.db")
        kernel.run(SETUP.format(endpoint=cloud.endpoint, journal=journal, **sizes))
        yield kernel


def to_the_page(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages that are about a view."""
    return [m for m in messages if m["msg_type"] in TO_THE_PAGE]


def painted(messages: list[dict[str, Any]]) -> list[str]:
    """Return the HTML that was painted, in order."""
    states = (m["content"].get("data", {}).get("state", {}) for m in messages)
    return [str(state["value"]) for state in states if "value" in state]


BUSY = "n = 0\nwhile not rollout.ended:\n    n += 1\nview._thread.join(60)"
AWAITS = "await rollout\nview._thread.join(60)"


@pytest.mark.parametrize("cell", [BUSY, AWAITS], ids=["busy", "awaits"])
def test_few_and_small_messages(ready: Kernel, cell: str) -> None:
    """A cell is busy or awaits: the view is painted throughout, in few messages of few bytes.

    A page that is reloaded afterwards is told how it ended.
    """
    first = ready.run(
        "from vcokit.widgets import view_of\nrollout.start()\nview = view_of(rollout)\nrollout"
    )
    kinds = {m["msg_type"] for m in to_the_page(first)}
    assert {"comm_open", "display_data"} <= kinds
    messages = ready.run(f"{cell}\nprint(len(events))")
    events = int("".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream"))
    sent = to_the_page(messages)
    heads = [html for html in painted(sent) if "changes made" in html]
    assert len(heads) >= 3
    assert "finished" in heads[-1]
    assert f"done <b>{LANES * EACH}</b>" in heads[-1]
    assert len(sent) <= events / 5
    assert sum(len(json.dumps(m["content"])) for m in sent) <= 5_000 * len(sent)
    copies = [m for m in sent if m["msg_type"] == "update_display_data"]
    assert "finished" in copies[-1]["content"]["data"]["text/html"]
    # What a page asks for after a reload: the state of all widgets.
    asked = "from ipywidgets import Widget\nstate = Widget.get_manager_state()['state']\n"
    found = ready.run(f"{asked}print(any('finished' in str(s['state']) for s in state.values()))")
    assert any(m["content"].get("text") == "True\n" for m in found)
