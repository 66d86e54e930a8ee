"""The page of an audit in a browser, without a network: it searches, sorts, prints, bears harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import vcokit as vk
from tests.reports.samples import HOSTILE, hostile
from vcokit import reports
from vcokit._text import printable

PATIENCE = 30_000
#: What a page without a network may ask for.
OWN = ("data:", "file:")
#: Rows that the page draws at once: what makes a search or a sort quick.
DRAWN = 250


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
    path.write_text(reports.write("html", findings, routes), "utf-8")
    return path


@pytest.fixture
def page(browser: Browser, large: Path) -> Iterator[Page]:
    """The page, opened without a network; fails where it asks for one or anything is run."""
    said: list[str] = []
    context = browser.new_context(offline=True, viewport={"width": 1440, "height": 1200})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda asked: asked.url.startswith(OWN) or said.append(asked.url))
    opened.goto(large.as_uri())
    yield opened
    context.close()
    assert said == []


def column(page: Page, name: str) -> list[str]:
    """Return the cells of a column that are shown."""
    place = page.locator("#findings th").all_inner_texts().index(name) + 1
    return page.locator(f"#findings tbody td:nth-child({place})").all_inner_texts()


def test_it_searches_and_sorts(page: Page, picture: Callable[..., None]) -> None:
    """Words narrow 10,000 findings, heads sort all of them, in either direction; few are drawn."""
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
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        picture(page, f"audit-page-{scheme}")
    for words in ("10.1", ""):
        page.locator("#words").fill(words)
        assert len(column(page, "Line")) == DRAWN
    page.locator("#findings thead button").nth(4).click()
    assert len(column(page, "Line")) == DRAWN


def test_it_filters_and_shows_more(page: Page) -> None:
    """Rules and severities narrow the list; more rows come when they are asked for."""
    page.locator(".rules button", has_text="malformed-cidr").click()
    assert set(column(page, "Rule")) == {"malformed-cidr"}
    page.locator("#rule").select_option("")
    assert len(column(page, "Rule")) == DRAWN
    page.locator("#more").click()
    assert len(column(page, "Rule")) == 2 * DRAWN
    page.get_by_role("checkbox", name="error").uncheck()
    expect(page.locator("#count")).to_contain_text("0 of 10,0")


def test_harm_is_text(page: Page) -> None:
    """What would be markup is shown as it stands, and no element is made of it."""
    page.locator("#rule").select_option("malformed-cidr")
    shown = column(page, "Destination")
    wanted = [printable(cell) for cell in HOSTILE if printable(cell).strip()]
    assert {" ".join(cell.split()) for cell in shown} == {" ".join(cell.split()) for cell in wanted}
    assert page.locator("#findings img, #findings script, #findings a, #findings b").count() == 0


def test_it_prints_all_that_was_searched_for(page: Page) -> None:
    """On paper there are no buttons, and every row that was found."""
    page.locator("#words").fill("10.3.")
    before = page.locator("#count").inner_text()
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="light")
    found = int(before.split()[0].replace(",", ""))
    assert page.locator("#findings tbody tr").count() == found > DRAWN
    expect(page.locator(".find")).to_be_hidden()
    expect(page.locator("#more")).to_be_hidden()


def test_nothing_is_clipped(page: Page) -> None:
    """The page is as wide as the window, and the suggestion, its last column, stands within."""
    for width in (1440, 1200, 800, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator("#findings tbody tr").first.locator("td").last.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= width
