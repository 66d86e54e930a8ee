"""A long frame is filtered, searched, sorted and turned page by page; the page gets its rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from vcokit.widgets.table import FilteredFrame, PagedTable, by_column, by_destination

COLUMNS = (("line", "60px"), ("rule", "120px"), ("destination", "auto"), ("note", "100px"))
KEYS = {"line": by_column("line"), "rule": by_column("rule"), "destination": by_destination}


@pytest.fixture
def frame() -> pd.DataFrame:
    """Rows in no order, with equal values, missing ones, and a destination that is none."""
    return pd.DataFrame(
        {
            "line": pd.array([7, None, 5, 6, 5], dtype="Int64"),
            "rule": ["b", "a", "b", "a", "c"],
            "route_dest": ["10.0.2.0/24", "?", "10.0.10.0/24", "9.0.0.0/8", "9.0.0.0/9"],
        }
    )


@pytest.fixture
def table(frame: pd.DataFrame) -> Callable[..., PagedTable]:
    """Make a table of the frame."""

    def cells(rows: pd.DataFrame) -> object:
        return zip(rows["line"], rows["rule"], rows["route_dest"], rows.index, strict=True)

    def make(size: int, **given: object) -> PagedTable:
        rows = FilteredFrame(frame, ["rule", "route_dest"], page_size=size)
        return PagedTable(rows, COLUMNS, cells, KEYS, **given)

    return make


def shown(table: PagedTable) -> list[int]:
    """Return the positions in the frame of the rows that are shown."""
    body = table.html.value.split("<tbody>")[1]
    return [int(re.findall(r">([^<]*)</td>", row)[3]) for row in body.split("</tr>")[:-1]]


def test_filters_and_search_are_met_together(frame: pd.DataFrame) -> None:
    """Equal values, a part of a value, text in any searched column; an empty filter takes all."""
    rows = FilteredFrame(frame, ["rule", "route_dest"])
    for equal, search, contains, found in (
        ({"rule": "b"}, "", {}, [0, 2]),
        ({"rule": ""}, "", {}, [0, 1, 2, 3, 4]),
        ({"rule": "b"}, "10.0.10", {}, [2]),
        ({}, " B ", {}, [0, 2]),
        ({}, ".*", {}, []),
        ({}, "", {"route_dest": "9.0"}, [3, 4]),
        ({"rule": "a"}, "9", {"route_dest": "/8"}, [3]),
    ):
        rows.filter(equal, search, contains)
        assert rows.positions.tolist() == found


@pytest.mark.parametrize(
    ("column", "ascending", "descending"),
    [
        ("line", [2, 4, 3, 0, 1], [0, 3, 2, 4, 1]),
        ("rule", [1, 3, 0, 2, 4], [4, 0, 2, 1, 3]),
        ("destination", [3, 4, 0, 2, 1], [2, 0, 4, 3, 1]),
    ],
)
def test_a_header_sorts(
    table: Callable[..., PagedTable], column: str, ascending: list[int], descending: list[int]
) -> None:
    """Up, down, and as the frame is; equal rows keep their order, missing values are last.

    Destinations are sorted by address, not as text.
    """
    made = table(15)
    header = made.header[column]
    for order, label in (
        (ascending, f"{column} ▲"),
        (descending, f"{column} ▼"),
        (range(5), column),
    ):
        header.click()
        assert shown(made) == list(order)
        assert header.description == label


def test_another_header_begins_anew(table: Callable[..., PagedTable]) -> None:
    """One column sorts at a time; one without a key has no button to click."""
    made = table(15)
    made.header["rule"].click()
    made.header["rule"].click()
    made.header["line"].click()
    assert made.header["rule"].description == "rule"
    assert shown(made) == [2, 4, 3, 0, 1]
    assert made.header["note"].disabled


def test_a_filter_keeps_the_order(table: Callable[..., PagedTable]) -> None:
    """What is filtered is sorted, whichever came first."""
    made = table(15)
    made.header["line"].click()
    made.rows.filter({"rule": "b"})
    made.show()
    assert shown(made) == [2, 0]


def test_sorting_is_what_pandas_does() -> None:
    """Of many rows with many equal values, each page is a stretch of the sorted frame."""
    numbers = np.random.default_rng(7).integers(0, 50, 1_000)
    frame = pd.DataFrame({"value": numbers})
    rows = FilteredFrame(frame, ["value"], page_size=15)
    rows.sort(by_column("value"), descending=True)
    wanted = frame.sort_values("value", ascending=False, kind="stable").index
    for index in (0, 1, 66):
        rows.go_to_page(index)
        begin = 15 * index
        assert rows.page_positions().tolist() == wanted[begin : begin + 15].tolist()


def test_pages_turn_to_both_ends(table: Callable[..., PagedTable]) -> None:
    """Buttons that lead nowhere are disabled; a filter goes back to the first page."""
    made = table(2)
    assert "1 to 2 of 5 · page 1 of 3" in made.where.value
    assert made.previous.disabled
    made.next.click()
    assert shown(made) == [2, 3]
    made.last.click()
    assert shown(made) == [4]
    assert made.next.disabled
    made.previous.click()
    assert shown(made) == [2, 3]
    made.first.click()
    made.rows.go_to_page(99)
    assert str(made.rows) == "5 to 5 of 5"
    made.rows.filter({"rule": "b"})
    assert str(made.rows) == "1 to 2 of 2"
    made.rows.filter({"rule": "none"})
    assert str(made.rows) == "none"


def test_a_row_is_picked(table: Callable[..., PagedTable]) -> None:
    """Its position in the frame is reported, in whatever order; it is marked where it is shown."""
    picked: list[int | None] = []
    made = table(2, on_pick=picked.append)
    made.header["line"].click()
    made.pick_buttons[1].click()
    assert picked == [4]
    assert made.html.value.count("class=on") == 1
    made.next.click()
    assert "class=on" not in made.html.value
    made.last.click()
    assert [button.layout.visibility for button in made.pick_buttons] == ["visible", "hidden"]
    made.pick(1)
    assert picked == [4, None]
