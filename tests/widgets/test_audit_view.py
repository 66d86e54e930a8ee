"""Findings are filtered, sorted, looked at and accepted; the page gets the rows it shows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vcokit.audit import audit_routes
from vcokit.errors import InputError
from vcokit.widgets import AuditView
from vcokit.widgets.audit import static_html

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def routes(size: int = 100) -> pd.DataFrame:
    """Return routes of which each second has host bits, and one is hostile throughout."""
    numbers = np.arange(size)
    frame = pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": [f"vco-{n % 7}" for n in numbers],
            "route_dest": [f"10.{n // 250}.{n % 250}.{n % 2}/24" for n in numbers],
            "next_hop": [f"vco-{n % 7}" for n in numbers],
            "weight": 100,
            "description": HOSTILE,
        }
    )
    frame.loc[4, ["region_id", "vpn_connection_id", "route_dest", "next_hop"]] = HOSTILE
    return frame


@pytest.fixture
def view() -> AuditView:
    """A view of a hundred routes."""
    return AuditView(routes())


def cells(view: AuditView) -> list[list[str]]:
    """Return the texts of the page's rows."""
    body = view.table.html.value.split("<tbody>")[1]
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("</tr>")[:-1]]


def test_the_page_has_but_its_rows() -> None:
    """Of a hundred thousand findings fifteen are sent, and turning a page sends as little."""
    frame = audit_routes(routes(1_000))
    many = pd.concat([frame] * 200, ignore_index=True)
    assert len(many) > 100_000
    view = AuditView(routes(1_000), many)
    assert len(cells(view)) == 15
    assert len(view.table.html.value) < 15_000
    view.table.last.click()
    assert view.table.rows.page_index == view.table.rows.page_count - 1
    assert 1 <= len(cells(view)) <= 15


def test_a_rule_is_chosen(view: AuditView) -> None:
    """The list has each rule with its number of findings; one is chosen, then all again."""
    assert ("host-bits-set (50)", "host-bits-set") in view.rule.options
    view.rule.value = "host-bits-set"
    assert set(view.shown["rule"]) == {"host-bits-set"}
    assert len(view.shown) == 50
    view.choose(rule="malformed-cidr")
    assert view.rule.value == "malformed-cidr"
    assert len(view.shown) == 1
    view.choose(rule="duplicate-exact")  # which nothing was found by
    assert len(view.shown) == 0
    view.rule.value = ""
    assert len(view.shown) == len(view.findings)


def test_a_severity_is_chosen(view: AuditView) -> None:
    """A click shows the findings of a severity, of whatever rule."""
    view.severity.value = "warning"
    assert len(view.shown) == 0
    view.severity.value = "error"
    assert len(view.shown) == (view.findings["severity"] == "error").sum() > 50
    view.choose()
    assert view.severity.value == ""
    with pytest.raises(InputError, match="error, warning, info"):
        view.choose(severity="fatal")


def test_a_connection_is_chosen() -> None:
    """A whole name is that connection alone; a part of a name finds all that contain it."""
    frame = routes(40)
    frame["vpn_connection_id"] = frame["next_hop"] = [f"vco-{n % 20}" for n in range(40)]
    view = AuditView(frame)
    assert "vco-1" in view.connection.options
    for text, names in (
        ("vco-1", {"vco-1"}),
        ("VCO-1", {f"vco-{n}" for n in (1, *range(11, 20, 2))}),
    ):
        view.connection.value = text
        assert set(view.shown["vpn_connection_id"]) == names
    view.choose(connection="vco-3", rule="host-bits-set")
    assert view.shown["row"].tolist() == [3, 23]


@pytest.mark.parametrize("column", ["line", "severity", "rule", "destination", "connection"])
def test_findings_are_sorted(column: str) -> None:
    """Each column sorts both ways: lines as numbers, severities by the worst, text as text."""
    frame = routes(60).sample(frac=1.0, random_state=3, ignore_index=True)
    frame["line"] = pd.array(range(2, 62), dtype="Int64")
    frame.loc[20, "route_dest"] = "10.0.0.0/8"  # covers others: findings of severity info
    view = AuditView(frame)
    keys = {
        "line": lambda row: row.line,
        "severity": lambda row: ("error", "warning", "info").index(row.severity),
        "rule": lambda row: row.rule,
        "destination": lambda row: (
            (0, *map(int, re.split(r"[./]", row.route_dest))) if row.route_dest[0] == "1" else (1,)
        ),
        "connection": lambda row: row.vpn_connection_id,
    }
    rows = list(view.findings.itertuples())
    for reverse in (False, True):
        view.table.header[column].click()
        wanted = sorted(rows, key=keys[column], reverse=reverse)
        values = [keys[column](row) for row in view.shown.itertuples()]
        ends = [keys[column](row) for row in wanted]
        if column == "destination":  # what is not a destination is last either way
            values, ends = ([v for v in each if v[0] == 0] for each in (values, ends))
        assert values == ends
    view.choose(severity="error")
    assert set(view.shown["severity"]) == {"error"}


def test_words_are_searched_within_the_rule(view: AuditView) -> None:
    """Words are taken as they stand, in any case, in any column that names something."""
    view.choose(rule="host-bits-set", words="10.0.11.")
    assert view.shown["route_dest"].tolist() == ["10.0.11.1/24"]
    view.search.value = ".*"
    assert len(view.shown) == 0
    assert "No finding passes" in view._detail.value
    view.search.value = "HOST BITS SET; ITS NETWORK IS 10.0.13.0/24"
    assert view.shown["row"].tolist() == [13]
    view.choose(words="")
    assert len(view.shown) == len(view.findings)


def test_the_row_behind_and_the_related_row() -> None:
    """A click shows the whole row, beside it the row it is said to meet; what differs is marked."""
    frame = routes(6).drop(4)
    frame.loc[5, "route_dest"] = "10.0.0.0/24"
    frame.loc[5, ["vpn_connection_id", "next_hop"]] = "vco-0"
    frame.loc[5, "weight"] = 0
    view = AuditView(frame)
    view.choose(rule="weight-conflict")
    view.table.pick_buttons[0].click()
    shown = re.sub(r"<[^>]*>", " ", view._detail.value)
    assert "related row 0" in shown
    assert "VpnRouteEntry.Conflict" in shown
    marked = r'<td><span class="g">(\w+)</span></td><td class="diff">'
    assert re.findall(marked, view._detail.value) == ["weight"]


def test_accepting_makes_a_new_frame(view: AuditView) -> None:
    """One suggestion, all that are chosen, none again; the routes that were given stay."""
    before = view.routes.copy(deep=True)
    view.choose(rule="host-bits-set")
    view.table.pick_buttons[1].click()
    view.accept.click()
    assert view.accepted["row"].tolist() == [3]
    assert view.accept.disabled
    assert view.corrected["route_dest"][3] == "10.0.3.0/24"
    assert view.corrected["route_dest"][1] == "10.0.1.1/24"
    assert view.accept_shown.description == "Accept all 49 shown"
    view.accept_shown.click()
    assert len(view.accepted) == 50
    assert not (audit_routes(view.corrected)["rule"] == "host-bits-set").any()
    pd.testing.assert_frame_equal(view.routes, before)
    view.undo.click()
    assert len(view.accepted) == 0
    pd.testing.assert_frame_equal(view.corrected, before)


def test_nothing_to_accept(view: AuditView) -> None:
    """Where a finding has no suggestion, the button says so."""
    view.choose(rule="invalid-connection-id")
    assert view.accept.disabled
    assert view.accept_shown.disabled
    view.accept_picked()
    assert len(view.accepted) == 0


def test_export_writes_what_was_corrected(view: AuditView, tmp_path: Path) -> None:
    """The file holds the corrected routes; a file that is there already is left alone."""
    view.choose(rule="host-bits-set")
    view.accept_all()
    view.path.value = str(tmp_path / "corrected.csv")
    view.export.click()
    assert "100 routes written" in view._status.value
    with (tmp_path / "corrected.csv").open(newline="") as file:
        written = [row["RouteDest"] for row in csv.DictReader(file)]
    assert written[3] == "10.0.3.0/24"
    (tmp_path / "corrected.csv").write_text("mine")
    view.export.click()
    assert "Choose another name" in view._status.value
    assert (tmp_path / "corrected.csv").read_text() == "mine"
    view.path.value = str(tmp_path / "no" / "folder.csv")
    view.export.click()
    assert "not written" in view._status.value


def test_hostile_text_is_text(view: AuditView) -> None:
    """In every part, live and static, markup is shown and terminal codes are spelt out."""
    view.choose(words="<script>")
    parts = [view.table.html.value, view._detail.value]
    parts += [static_html(view.routes, view.findings)]
    for html in parts:
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "\x1b" not in html
    assert "\\x1b[31m" in view._detail.value


def test_no_findings_and_no_routes() -> None:
    """A clean inventory, and an empty one, are shown as that: no table of nothing, nor search."""
    clean = routes(10).head(1)
    view = AuditView(clean)
    assert "no finding" in view.children[0].value
    assert len(view.children) == 1
    assert view.table.picked is None
    assert repr(view) == "<AuditView: 0 findings in 1 route>"
    copy = view._repr_mimebundle_()
    html = (copy[0] if isinstance(copy, tuple) else copy)["text/html"]
    assert "1 route, 0 findings" in html
    assert "<table" not in html
    assert AuditView(clean.head(0)).corrected.empty


def test_a_copy_says_only_what_it_leaves_out() -> None:
    """A copy that shows all findings does not speak of the first of them."""
    few, many = routes(10), routes(400)
    assert "the first" not in static_html(few, audit_routes(few))
    assert "the first 50 of 2" in static_html(many, audit_routes(many))


def test_what_are_no_findings() -> None:
    """Live routes, findings of other routes, and what is no frame, are one error with a remedy."""
    frame = routes(10)
    for wrong in (frame, audit_routes(routes(50)), "findings.csv"):
        with pytest.raises(InputError, match=r"vk\.audit_routes"):
            AuditView(frame, wrong)
    with pytest.raises(InputError, match="read_routes"):
        AuditView("routes.csv")
    with pytest.raises(InputError, match="read_routes"):
        AuditView("routes.csv", audit_routes(frame))
