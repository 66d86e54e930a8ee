"""The views in JupyterLab: a rollout is watched and steered, an audit corrected; text is text."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import DARK, LIGHT, PATIENCE, Lab, Notebook
from tests.rollout.accounts import Accounts, refusing
from tests.rollout.stage import inventory
from vcokit.inventory import write_routes
from vcokit.simulator import Fault, Simulator

#: A number of the live view by the words behind it; -1 where they are not there. Its static copy is
#: in the page as well, unseen.
FACT = """(words) => {
  const facts = [...document.querySelectorAll('.vco-live .stat')];
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

# The simulator of these tests is in their process: counting its lines would make it slow.
pytestmark = pytest.mark.no_cover


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
    notebook.reload()
    notebook.says("paused")
    share = 100 * made // (24 * 100)
    assert percent(notebook, 1) == share
    assert here.created() == made
    notebook.button("Resume").click()
    percent(notebook, share + 3)
    assert here.created() > made
    notebook.button("Cancel").click()
    notebook.says("pending steps would be skipped")
    notebook.button("No, continue").click()
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


# -- fleets --------------------------------------------------------------------------------------

#: The names of the members, from left to right and from top to bottom of the page.
SEEN = """() => {
  const place = (one) => [one.getBoundingClientRect().y, one.getBoundingClientRect().x];
  const buttons = [...document.querySelectorAll('.vco-live .vco-members button')];
  const before = (a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1];
  return buttons.sort(before).map((one) => one.textContent);
}"""


def test_a_fleet_is_watched_and_a_member_opened(
    lab: Lab, browser: Browser, tmp_path: Path, picture: Callable[..., None]
) -> None:
    """The member that failed moves to the front, is read out in words, and opens with a key.

    The button that has the focus keeps it while members change places. Saved, all cells stay.
    """
    names = [f"site{number}" for number in range(1, 31)]
    with Accounts(names, refusing("site17")) as accounts:
        fleet = accounts.fleet(tmp_path / "fleet")
        lab.theme(LIGHT)
        view = f"import vcokit as vk\nvk.FleetView(vk.Fleet.read({str(fleet.directory)!r}))"
        notebook = lab.open(browser, lab.write("fleet.ipynb", view), height=1400)
        notebook.run_all()
        cell = notebook.page.get_by_role("button", name=re.compile("^site17"))
        expect(cell).to_have_accessible_name("site17 ready · 0 of 2", timeout=PATIENCE)
        assert notebook.page.evaluate(SEEN) == names
        cell.focus()
        fleet.start().wait()
        expect(cell).to_have_accessible_name("site17 finished · 2 failed", timeout=PATIENCE)
        expect(notebook.page.locator(".vco-live").first).to_contain_text("finished 29")
        assert notebook.page.evaluate(SEEN) == ["site17", *names[:16], *names[17:]]
        expect(cell).to_be_focused()
        notebook.page.get_by_placeholder("member, state").press("Tab")
        expect(cell).to_be_focused()
        notebook.page.keyboard.press("Enter")
        notebook.says("Member site17")
        notebook.says("site17.db")
        expect(cell).to_be_focused()
        picture(notebook.page, "fleet-light")
        notebook.button("Close").click()
        expect(notebook.page.get_by_text("Member site17")).to_have_count(0)
    notebook.save()
    notebook.shut_down_kernel()
    notebook.load()
    expect(notebook.page.locator(".vco-copy .member")).to_have_count(30, timeout=PATIENCE)
    first = notebook.page.locator(".vco-copy .member").first
    expect(first).to_be_visible(timeout=PATIENCE)
    expect(first).to_have_text("site17finished · 2 failed")
    notebook.wait_idle()
    picture(notebook.page, "fleet-saved")
    notebook.close()


# -- audit and plan ------------------------------------------------------------------------------

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
READ = "import vcokit as vk\nimport vcokit.schema\nroutes = vk.read_routes({path!r})"


@pytest.fixture(scope="module")
def inventory_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 20,000 rows: half with host bits, one hostile in every column of text."""
    size = 20_000
    numbers = pd.Series(range(size))
    routes = pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": "vco-" + (numbers % 400).astype("str"),
            "next_hop": "vco-" + (numbers % 400).astype("str"),
            "weight": 100,
            "description": "row " + numbers.astype("str"),
        }
    )
    second, third = (numbers // 250).astype("str"), (numbers % 250).astype("str")
    routes["route_dest"] = "10." + second + "." + third + "." + (numbers % 2).astype("str") + "/24"
    routes.loc[7, ["region_id", "vpn_connection_id", "route_dest", "description"]] = HOSTILE
    path = tmp_path_factory.mktemp("audit") / "routes.csv"
    write_routes(routes, path)
    return str(path)


def rows(notebook: Notebook) -> list[str]:
    """Return the texts of the rows that the page has of the findings' table."""
    return notebook.page.locator(".vco-live table.bare").first.locator("tbody tr").all_inner_texts()


#: How far each button of a row is from the middle of its row, pixels down the page.
OFF = """() => {
  const box = (one) => one.getBoundingClientRect();
  const middle = (one) => box(one).y + box(one).height / 2;
  const live = document.querySelector('.vco-live');
  const rows = [...live.querySelector('table.bare').querySelectorAll('tbody tr')].map(middle);
  const buttons = [...live.querySelectorAll('button[title="Show the details of this row"]')];
  return buttons.slice(0, rows.length).map((one, place) => middle(one) - rows[place]);
}"""

#: How far each header is from its column, pixels across the page: where both begin and end.
BESIDE = """() => {
  const live = document.querySelector('.vco-live');
  const edges = (one) => [one.getBoundingClientRect().left, one.getBoundingClientRect().right];
  const cells = [...live.querySelector('table.bare').querySelectorAll('tbody tr:first-child td')];
  const headers = [...live.querySelectorAll('.vco-header button')];
  return headers.flatMap((one, at) => edges(one).map((x, end) => x - edges(cells[at])[end]));
}"""

#: How the first two headers, and the cells below, are aligned: line and severity.
ALIGNED = """() => ['.vco-header button:nth-child(1)', 'table.bare td:nth-child(1)',
  '.vco-header button:nth-child(2)', 'table.bare td:nth-child(2)'].map(
  (one) => getComputedStyle(document.querySelector('.vco-live ' + one)).textAlign)"""


def test_findings_are_looked_through_and_accepted(
    lab: Lab, browser: Browser, inventory_file: str, picture: Callable[..., None]
) -> None:
    """Filtered, sorted, turned, searched and accepted; of 10,000 the page has fifteen rows."""
    lab.theme(LIGHT)
    name = lab.write(
        "audit.ipynb",
        READ.format(path=inventory_file),
        "view = vk.AuditView(routes)\nview",
    )
    notebook = lab.open(browser, name, height=1400)
    notebook.run_all()
    rule = notebook.page.locator(".vco-live select").first
    rule.select_option("host-bits-set (9,999)")
    where = notebook.page.locator(".vco-live").get_by_text(re.compile("^1 to 15 of"))
    expect(where).to_contain_text("of 9,999", timeout=PATIENCE)
    assert len(rows(notebook)) == 15
    off = notebook.page.evaluate(OFF)
    assert len(off) == 15
    assert max(map(abs, off)) < 1, off
    assert max(map(abs, notebook.page.evaluate(BESIDE))) < 1
    assert notebook.page.evaluate(ALIGNED) == ["right", "right", "left", "left"]
    header = notebook.page.get_by_role("button", name="destination")
    header.click()
    notebook.says("destination ▲")
    header.focus()
    notebook.page.keyboard.press("Enter")
    notebook.says("destination ▼")
    first = notebook.page.locator(".vco-live table.bare tbody tr").first
    expect(first).to_contain_text("10.79.249.1/24", timeout=PATIENCE)
    header.press("Enter")
    notebook.button("›").click()
    notebook.says("16 to 30 of 9,999")
    search = notebook.page.get_by_placeholder("search messages")
    search.fill("10.3.77.1/24")
    search.press("Enter")
    notebook.says("1 to 1 of 1 ")
    assert "10.3.77.0/24" in rows(notebook)[0]
    search.fill("")
    search.press("Enter")
    notebook.button("Accept all 9,999 shown").click()
    notebook.says("9,999 suggestions accepted")
    picture(notebook.page, "audit-light")
    path = Path(inventory_file).with_name("corrected.csv")
    notebook.page.locator(".vco-live input[type=text]").last.fill(str(path))
    notebook.button("Export corrected").click()
    notebook.says("20,000 routes written")
    with path.open() as file:
        assert [row["RouteDest"] for row in csv.DictReader(file)][9] == "10.0.9.0/24"
    assert "10.0.9.1/24" in Path(inventory_file).read_text()
    notebook.close()


def test_hostile_text_is_text(
    lab: Lab, browser: Browser, inventory_file: str, picture: Callable[..., None]
) -> None:
    """Markup in cells of an inventory is shown as it stands, in the views of audit and plan."""
    lab.theme(DARK)
    name = lab.write(
        "hostile.ipynb",
        READ.format(path=inventory_file) + "\nroutes = routes.head(2000)",
        "live = vk.schema.frame(vk.schema.LIVE_ROUTES)\nplan = vk.plan_routes(routes, live)",
        "vk.AuditView(routes)",
        "vk.PlanView(plan, forecast=vk.forecast(plan))",
    )
    notebook = lab.open(browser, name, height=2100)
    notebook.run_all()
    search = notebook.page.get_by_placeholder("search messages")
    search.fill("<script>")
    search.press("Enter")
    notebook.says(re.compile("1 to 4 of 4 |1 to 2 of 2 "))
    notebook.says(HOSTILE)
    notebook.page.get_by_role("tab", name="Blocked").click()
    expect(notebook.page.locator(".vco-live").last).to_contain_text(HOSTILE, timeout=PATIENCE)
    picture(notebook.page, "hostile-dark")
    notebook.page.get_by_role("tab", name="Forecast").click()
    expect(notebook.page.locator(".vco-live img").last).to_be_visible(timeout=PATIENCE)
    picture(notebook.page, "plan-dark")
    assert not notebook.alerts
    assert notebook.page.locator("img[src=x]").count() == 0
    notebook.close()
