"""The views of an audit and a plan, in a browser: looked through, corrected, and never obeyed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import DARK, LIGHT, PATIENCE, Lab, Notebook
from vcokit.inventory import write_routes

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
SETUP = "import vcokit as vk\nimport vcokit.schema\nroutes = vk.read_routes({path!r})"


@pytest.fixture
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
    return notebook.page.locator(".vco-live table").first.locator("tbody tr").all_inner_texts()


#: How far each button of a row is from the middle of its row, pixels down the page.
OFF = """() => {
  const box = (one) => one.getBoundingClientRect();
  const middle = (one) => box(one).y + box(one).height / 2;
  const live = document.querySelector('.vco-live');
  const rows = [...live.querySelector('table').querySelectorAll('tbody tr')].map(middle);
  const buttons = [...live.querySelectorAll('button[title="Show what is behind it"]')];
  return buttons.slice(0, rows.length).map((one, place) => middle(one) - rows[place]);
}"""

#: How the first two heads of the table, and the cells below, are aligned: line and severity.
ALIGNED = """() => ['th:nth-child(1)', 'td:nth-child(1)', 'th:nth-child(2)', 'td:nth-child(2)'].map(
  (one) => getComputedStyle(document.querySelector('.vco-live table ' + one)).textAlign)"""


def test_findings_are_looked_through_and_accepted(
    lab: Lab, browser: Browser, inventory_file: str, picture: Callable[..., None]
) -> None:
    """Filtered, searched, turned and accepted; of 10,000 findings the page has fifteen rows."""
    lab.theme(LIGHT)
    name = lab.write(
        "audit.ipynb",
        SETUP.format(path=inventory_file),
        "view = vk.AuditView(routes)\nview",
    )
    notebook = lab.open(browser, name, height=1400)
    notebook.run_all()
    notebook.button("host-bits-set").click()
    where = notebook.page.locator(".vco-live").get_by_text(re.compile("^1 to 15 of"))
    expect(where).to_contain_text("of 9,999", timeout=PATIENCE)
    assert len(rows(notebook)) == 15
    off = notebook.page.evaluate(OFF)
    assert len(off) == 15
    assert max(map(abs, off)) < 1, off
    assert notebook.page.evaluate(ALIGNED) == ["right", "right", "left", "left"]
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
        SETUP.format(path=inventory_file) + "\nroutes = routes.head(2000)",
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
    notebook.page.get_by_role("tab", name="How long").click()
    expect(notebook.page.locator(".vco-live img").last).to_be_visible(timeout=PATIENCE)
    picture(notebook.page, "plan-dark")
    assert not notebook.alerts
    assert notebook.page.locator("img[src=x]").count() == 0
    notebook.close()
