"""Hostile text is harmless in every format: no control characters, it parses, it means nothing."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.reports import published
from tests.reports.samples import HOSTILE, audited, hostile
from vcokit import reports
from vcokit._text import printable
from vcokit.reports import escape

INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
PIECES = st.sampled_from(
    [*HOSTILE, "<", "&", "|", "`", "\\", '"', "'", "\n", "\x00", "\x1b", "]]>"]
)
TEXT = st.lists(PIECES | st.text(max_size=5), max_size=4).map("".join)
FAST = [kind for kind in reports.KINDS if kind != "html"]  # which draws pictures


def invisible(text: str) -> set[str]:
    """Return what of a text cannot be seen, but for the ends of its lines."""
    return {a for a in set(text) - {"\n"} if unicodedata.category(a) in INVISIBLE}


def attributes_of(page: str) -> tuple[list[str], dict[str, int]]:
    """Return the addresses that a page names and how often each element stands in it."""
    addresses: list[str] = []
    elements: dict[str, int] = {}

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            elements[tag] = elements.get(tag, 0) + 1
            addresses.extend(v or "" for n, v in attrs if n in ("src", "href", "srcset", "action"))
            style = [] if tag in ("th", "td") else ["style"]  # a renderer's own, to the right
            assert not [n for n, _ in attrs if n.startswith("on") or n in style]

    Reader().feed(page)
    return addresses, elements


@pytest.mark.parametrize("kind", reports.KINDS)
def test_known_harm(kind: str) -> None:
    """Every cell known to do harm, in every column and as a file's name."""
    text = reports.write(kind, *audited(hostile()))
    assert not invisible(text)
    text.encode("utf-8")


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6, unique=True))
def test_any_text(cells: list[str]) -> None:
    """Whatever the cells hold, each file has no control characters and parses."""
    findings, routes = audited(hostile(tuple(cells)))
    written = {kind: reports.write(kind, findings, routes) for kind in FAST}
    for kind, text in written.items():
        assert not invisible(text), kind
        text.encode("utf-8")
    assert [one["message"] for one in json.loads(written["json"])["findings"]] == list(
        findings["message"]
    )
    log = json.loads(written["sarif"])
    published.sarif().validate(log)
    assert len(list(csv.reader(io.StringIO(written["csv"])))) == len(findings) + 1
    published.junit(written["junit"])
    _, elements = attributes_of(rendered(written["markdown"]))
    assert set(elements) <= {"h2", "h3", "p", "strong", "ul", "li", "code", "table", "thead",
                             "tbody", "tr", "th", "td"}  # fmt: skip
    columns = 4 + 7 + (routes["source"].nunique() > 1)
    assert elements["th"] == columns
    assert elements["td"] == 4 * findings["rule"].nunique() + (columns - 4) * len(findings)


def rendered(text: str) -> str:
    """Return Markdown as HTML, markup allowed, as an unkind reader would."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


@settings(max_examples=50, deadline=None)
@given(TEXT)
def test_a_cell_of_markdown_shows_its_text(cell: str) -> None:
    """A cell of a table shows the text, all of it, and calls nobody outside of code."""
    for made in (escape.markdown_cell(cell), escape.code_span(cell)):
        page = rendered(f"| a | b |\n| - | - |\n| {made} | end |\n")
        cells = re.findall("<td>(.*?)</td>", page, re.S)
        assert len(cells) == 2
        inner = re.sub("</?code>", "", cells[0])
        assert "<" not in inner
        assert " ".join(html.unescape(inner).split()) == " ".join(printable(cell).split())
        outside = re.sub("<code>.*?</code>", "", cells[0], flags=re.S)
        assert not re.search(r"@\w|#\d|www\.|://", outside)


@settings(max_examples=50, deadline=None)
@given(TEXT)
def test_messages_of_sarif_have_no_links(text: str) -> None:
    """Braces are doubled, brackets before an address escaped; undone, it is the text."""
    made = escape.sarif_text(text)
    assert "{" not in made.replace("{{", "")
    assert not re.search(r"(?<!\\)\](?=\()", made)
    undone = made.replace("{{", "{").replace("}}", "}")
    if "](" in printable(text):
        undone = re.sub(r"\\([\[\]])", r"\1", undone)
    assert undone == printable(text)


def test_a_page_names_nothing_outside() -> None:
    """Every address on a page is within the page, and no cell has made an element of it."""
    page = reports.write("html", *audited(hostile()))
    addresses, elements = attributes_of(page)
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert elements["script"] == 2
    assert elements["style"] == 1
    assert "content=\"default-src 'none';" in page


def test_the_data_of_a_page_is_the_findings() -> None:
    """What the page's script reads is the findings, visible."""
    findings, routes = audited(hostile())
    page = reports.write("html", findings, routes, limit=None)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert not re.search("[<>&]", data[1])
    read = json.loads(data[1])
    heads = [head["name"] for head in read["heads"]]
    assert len(read["rows"]) == len(findings)
    for row, (_, finding) in zip(read["rows"], findings.iterrows(), strict=True):
        for name, value in zip(heads, row, strict=True):
            assert (value is None) == bool(pd.isna(finding[name]))
            assert value is None or str(value) == printable(finding[name])
