"""The page of an audit in a browser, without a network: it searches, sorts, prints, bears harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import vcokit as vk
from tests.formats.samples import HOSTILE, hostile
from vcokit import formats
from vcokit.plain import visible

PATIENCE = 30_000
#: Longest that the page's script may take over a search or a sort, milliseconds: on a busy machine
#: too, and a tenth of what a page that draws all rows takes.
QUICK = 1_500


def inventory(rows: int) -> pd.DataFrame:
    """Return routes of which every one has host bits, in shuffled order of destinations."""
    numbers = [(7919 * n) % rows for n in range(rows)]
    return pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": [f"vco-{n % 97}" for n in range(rows)],
            "route_dest": [f"10.{n >> 8}.{n & 255}.1/24" for n in numbers],
            "next_hop": [f"vco-{n % 97}" for n in range(rows)],
            "weight": 100,
            "line": pd.array(range(2, rows + 2), dtype="Int64"),
        }
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 10,000 findings, and three of hostile text."""
    routes = pd.concat([inventory(10_000), hostile(HOSTILE)], ignore_index=True)
    path = tmp_path_factory.mktemp("page") / "audit.html"
    findings = vk.audit_routes(routes, rules=["host-bits-set", "malformed-cidr"])
    path.write_text(formats.write("html", findings, routes), "utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, large: Path) -> Iterator[Page]:
    """The page, opened without a network; fails where it asks for one or anything is run."""
    said: list[str] = []
    context = browser.new_context(
        offline=True, color_scheme=request.param, viewport={"width": 1440, "height": 1200}
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda asked: said.append(asked.url) if _outside(asked.url) else None)
    opened.goto(large.as_uri())
    yield opened
    context.close()
    assert said == []


def _outside(url: str) -> bool:
    return not url.startswith(("data:", "file:"))


def column(page: Page, name: str) -> list[str]:
    """Return the cells of a column that are shown."""
    place = page.locator("#findings th").all_inner_texts().index(name) + 1
    return page.locator(f"#findings tbody td:nth-child({place})").all_inner_texts()


def took(page: Page, script: str) -> float:
    """Return how long a script of the page takes, layout and all, milliseconds."""
    measured = (
        f"() => {{ const t = performance.now(); {script}; document.body.offsetHeight; "
        "return performance.now() - t; }"
    )
    return page.evaluate(measured)


def test_it_searches_and_sorts(page: Page, picture: Callable[..., None]) -> None:
    """Words narrow 10,000 findings, heads sort all of them, in either direction, quickly."""
    expect(page.locator("#count")).to_have_text(re.compile("10,0[0-9]+ findings"))
    page.locator("#words").fill("10.3.7.1/24 host")
    expect(page.locator("#count")).to_contain_text("1 of 10,0")
    assert column(page, "Destination") == ["10.3.7.1/24"]
    page.locator("#words").fill("10.3.")
    page.get_by_role("button", name="Destination", exact=True).click()
    shown = [cell for cell in column(page, "Destination") if cell.startswith("10.3.")]
    assert shown[:3] == ["10.3.0.1/24", "10.3.1.1/24", "10.3.2.1/24"]  # by number, not by letter
    page.locator("#words").fill("")
    page.get_by_role("button", name="Line", exact=True).click()
    page.get_by_role("button", name="Line", exact=True).click()
    lines = [int(cell) for cell in column(page, "Line")]
    assert lines[0] == 10_001
    assert lines == sorted(lines, reverse=True)
    picture(page, "audit-page")
    fill = (
        "document.getElementById('words').value = '{}'; "
        "document.getElementById('words').dispatchEvent(new Event('input'))"
    )
    assert took(page, fill.format("10.1")) < QUICK
    assert took(page, fill.format("")) < QUICK
    assert took(page, "document.querySelectorAll('#findings thead button')[4].click()") < QUICK


def test_it_filters_and_shows_more(page: Page) -> None:
    """Rules and severities narrow the list; more rows come when they are asked for."""
    page.locator(".rules button", has_text="malformed-cidr").click()
    assert set(column(page, "Rule")) == {"malformed-cidr"}
    page.locator("#rule").select_option("")
    assert len(column(page, "Rule")) == 250
    page.locator("#more").click()
    assert len(column(page, "Rule")) == 500
    page.get_by_label("error").uncheck()
    expect(page.locator("#count")).to_contain_text("0 of 10,0")


def test_harm_is_text(page: Page) -> None:
    """What would be markup is shown as it stands, and no element is made of it."""
    page.locator("#rule").select_option("malformed-cidr")
    shown = column(page, "Destination")
    wanted = [visible(cell) for cell in HOSTILE if visible(cell).strip()]
    assert {" ".join(cell.split()) for cell in shown} == {" ".join(cell.split()) for cell in wanted}
    assert page.locator("#findings img, #findings script, #findings a, #findings b").count() == 0


def test_it_prints_all_that_was_searched_for(page: Page) -> None:
    """On paper there are no buttons, and every row that was found."""
    page.locator("#words").fill("10.3.")
    before = page.locator("#count").inner_text()
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="light")
    found = int(before.split()[0].replace(",", ""))
    assert page.locator("#findings tbody tr").count() == found > 250
    expect(page.locator(".find")).to_be_hidden()
    expect(page.locator("#more")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1200, 800, 400])
def test_nothing_is_clipped(page: Page, width: int) -> None:
    """The page is as wide as the window, and the suggestion, its last column, stands within."""
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#findings tbody tr").first.locator("td").last.bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= width
