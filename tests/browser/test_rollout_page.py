"""The view of a rollout, in a browser: it advances, is steered, survives a reload, stays behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import DARK, LIGHT, Lab, Notebook
from tests.rollout.stage import inventory
from vcokit.inventory import write_routes
from vcokit.simulator import Fault, Simulator

#: A number of the live view by the words behind it; -1 where they are not there. Its static copy is
#: in the page as well, unseen.
FACT = """(words) => {
  const facts = [...document.querySelectorAll('.vco-live .fact')];
  const fact = facts.find(each => each.textContent.includes(words));
  if (!fact) return -1;
  const [, minutes, number] = /(?:(\\d+) min )?(\\d+)/.exec(fact.textContent);
  return 60 * (minutes || 0) + +number;
}"""
SETTLED = "() => !document.querySelector('.vco-live .s-accepted, .vco-live .s-sent')"
SETUP = """\
import os
from types import SimpleNamespace
import vcokit as vk
from vcokit.simulator import Credentials
key = [os.environ[f"ALIBABA_CLOUD_ACCESS_KEY_{{part}}"] for part in ("ID", "SECRET")]
cloud = SimpleNamespace(endpoint={endpoint!r}, speed={speed!r}, credentials=Credentials(*key))
client = vk.connect(cloud)
routes = vk.read_routes({routes!r})
plan = vk.plan_routes(routes, vk.live_routes(client, routes))
rollout = vk.Rollout(plan, client, journal={journal!r})
rollout.limits = client.limits
"""


class World:
    """A cloud that the test watches and a notebook calls."""

    def __init__(self, path: Path, cloud: Simulator) -> None:
        self.cloud, self.path = cloud, path

    def setup(self) -> str:
        """Return the notebook's first cell."""
        return SETUP.format(
            endpoint=self.cloud.endpoint,
            speed=self.cloud.speed,
            routes=str(self.path / "routes.csv"),
            journal=str(self.path / "rollout.db"),
        )

    def created(self) -> int:
        """Return how many creations the cloud has seen."""
        return int((self.cloud.calls()["operation"] == "CreateVcoRouteEntry").sum())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a cloud for an inventory of so many connections."""
    clouds = []

    def make(lanes: int, each: int, speed: float, *faults: Fault) -> World:
        routes = inventory(lanes, each)
        routes["description"] = "<script>alert(1)</script>"
        write_routes(routes, tmp_path / "routes.csv")
        clouds.append(Simulator.for_routes(routes, speed=speed, faults=faults, quota=500).start())
        return World(tmp_path, clouds[-1])

    yield make
    for cloud in clouds:
        cloud.stop()


def number(notebook: Notebook, words: str, at_least: int) -> int:
    """Wait until a number of the view is so high, and return it."""
    notebook.page.wait_for_function(
        f"([words, least]) => ({FACT})(words) >= least", arg=[words, at_least]
    )
    return notebook.page.evaluate(FACT, words)


def percent(notebook: Notebook, at_least: int) -> int:
    """Wait until so much is made, and return how much is."""
    return number(notebook, "changes made", at_least)


def test_watched_paused_reloaded_and_cancelled(
    lab: Lab, browser: Browser, world: Callable[..., World], picture: Callable[..., None]
) -> None:
    """Awaited, it advances; pause holds the cloud's history still, over a reload too."""
    here = world(24, 100, 60.0)
    lab.theme(LIGHT)
    name = lab.write("steer.ipynb", here.setup(), "rollout.start()", "await rollout")
    notebook = lab.open(browser, name)
    notebook.run_all()
    first = percent(notebook, 3)
    percent(notebook, first + 5)
    picture(notebook.page, "rollout-light")
    notebook.button("Pause").click()
    notebook.says("paused")
    notebook.page.wait_for_function(SETTLED)
    made = here.created()
    number(notebook, "so far", number(notebook, "so far", 0) + 2)
    assert here.created() == made
    notebook.save()
    notebook.load()
    notebook.says("paused")
    share = 100 * made // (24 * 100)
    assert percent(notebook, 1) == share
    assert here.created() == made
    notebook.button("Resume").click()
    percent(notebook, share + 3)
    assert here.created() > made
    notebook.button("Cancel").click()
    notebook.says("pending steps would be skipped")
    notebook.button("No, go on").click()
    percent(notebook, share + 5)
    notebook.button("Cancel").click()
    notebook.button("Yes, cancel").click()
    notebook.says("cancelled")
    assert not notebook.alerts
    notebook.close()


def test_a_busy_cell_does_not_stop_it(
    lab: Lab, browser: Browser, world: Callable[..., World], picture: Callable[..., None]
) -> None:
    """While a cell counts as fast as it can the view goes on, to the end; saved, it stays."""
    here = world(
        12,
        15,
        60.0,
        Fault(
            "refuse",
            count=7,
            after=40,
            code="VpnRouteEntry.Conflict",
            operation="CreateVcoRouteEntry",
        ),
    )
    lab.theme(DARK)
    busy = "number = 0\nwhile not rollout.ended:\n    number += 1\nprint('counted')"
    name = lab.write("busy.ipynb", here.setup(), "rollout.start()", busy)
    notebook = lab.open(browser, name, height=1400)
    notebook.run_all()
    first = percent(notebook, 5)
    percent(notebook, first + 20)
    assert notebook.page.get_by_text("counted", exact=True).count() == 0
    picture(notebook.page, "rollout-dark")
    notebook.says("finished")
    notebook.says("Change the weight of the route that is there")
    notebook.page.get_by_placeholder("connection, code").fill("nowhere")
    notebook.says(re.compile("0 of 7"))
    notebook.page.get_by_placeholder("connection, code").fill("conflict")
    notebook.says("Change the weight of the route that is there")
    filled = "e => getComputedStyle(e).borderBottomWidth"
    assert notebook.page.locator(".vco-live .lanes > .s-failed").first.evaluate(filled) != "0px"
    picture(notebook.page, "rollout-failures-dark")
    kept_without_kernel(lab, notebook, name)
    picture(notebook.page, "saved-dark")
    notebook.close()


def kept_without_kernel(lab: Lab, notebook: Notebook, name: str) -> None:
    """Open a saved notebook without its kernel: it shows how the rollout ended, no dead view."""
    copy = notebook.page.locator(".vco-copy")
    assert not copy.is_visible()
    notebook.page.wait_for_function(
        "() => /finished/.test(document.querySelector('.vco-copy').textContent)"
    )
    notebook.save()
    notebook.shut_down_kernel()
    notebook.load()
    copy.wait_for(state="visible")
    shown = copy.inner_text()
    assert "finished" in shown
    assert "173" in shown
    assert "VpnRouteEntry.Conflict" in shown
    notebook.wait_idle()
    dead = notebook.page.get_by_text(re.compile("model not found|Loading widget"))
    assert not any(each.is_visible() for each in dead.all())
    outputs = nbformat.read(lab.root / name, as_version=4).cells[1].outputs
    assert "finished" in "".join(o.get("data", {}).get("text/html", "") for o in outputs)
