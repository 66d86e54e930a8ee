"""Workbooks as people keep them are read as the table they show; openpyxl says what they hold."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InputError, InventoryError

HEADS = ["Region", "Connection", "CIDR", "Weight"]
LI = ["cn-beijing", "vco-a", "10.0.0.0/8", 100]


def book(*merges: str, **tables: Iterable[Iterable[object]]) -> openpyxl.Workbook:
    """Return a workbook of sheets, each from its rows; cells are merged in the first."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in tables.items():
        sheet = made.create_sheet(name.replace("_", "-"))
        for cells in rows:
            sheet.append(list(cells))
    for cells in merges:
        made.worksheets[0].merge_cells(cells)
    return made


def read(made: openpyxl.Workbook, **options: str) -> pd.DataFrame:
    """Return the routes of a workbook."""
    return vk.read_routes(sheets.saved(made), **options)


def one(*rows: Iterable[object], heads: Iterable[object] = sheets.HEADS) -> bytes:
    """Return a workbook of one sheet, from heads and rows."""
    return sheets.saved(book(S=[heads, *rows]))


@pytest.mark.parametrize("form", ["xlsx", "ods", "xlsb", "openpyxl"])
def test_every_kind_of_workbook_is_a_table(form: str) -> None:
    """The same cells are the same routes, whatever program keeps them, and as in a CSV."""
    rows = [sheets.HEADS, sheets.ROW]
    data = {
        "xlsx": sheets.xlsx(sheets.row(1, rows[0]) + sheets.row(2, rows[1])),
        "ods": sheets.ods("".join(map(sheets.ods_row, rows))),
        "xlsb": sheets.xlsb([(number, enumerate(cells)) for number, cells in enumerate(rows)]),
        "openpyxl": one(sheets.ROW),
    }[form]
    routes = vk.read_routes(data)
    wanted = vk.read_routes("\n".join([",".join(sheets.HEADS), ",".join(sheets.ROW), ""]))
    pd.testing.assert_frame_equal(routes.iloc[:, :7], wanted.iloc[:, :7], check_flags=False)
    assert routes[["source", "line"]].to_numpy().tolist() == [["<buffer>[S]", 2]]
    assert routes.attrs["read"]["format"] == "excel"


def test_titles_and_margins_are_passed_over(tmp_path: Path) -> None:
    """The head may stand anywhere near the top; source names file and sheet, line the row."""
    path = tmp_path / "routes.xlsx"
    rows = [["Routes of May"], [], [None, *sheets.HEADS], [None, *sheets.ROW], []]
    book(Sheet1=[*rows, [None, *sheets.ROW]]).save(path)
    routes = vk.read_routes(path)
    assert routes["line"].tolist() == [4, 6]
    assert set(routes["source"]) == {f"{path}[Sheet1]"}
    report = routes.attrs["read"]
    assert (report["head_line"], report["skipped"]) == (3, [{"line": 1, "text": "Routes of May"}])
    assert "1 blank line skipped" in report["notes"]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (100.0, "General", 100),
        (0.5, "General", "0.5"),
        (True, "General", "TRUE"),
        (datetime.date(2026, 5, 1), "yyyy-mm-dd", "2026-05-01"),
        (datetime.datetime(2026, 5, 1, 2, 3, 4), "yyyy-mm-dd hh:mm:ss", "2026-05-01 02:03:04"),
        (datetime.time(12, 30), "hh:mm:ss", "12:30:00"),
        (2**53, "General", 2**53),
        ("#REF!", "General", "#REF!"),
        ("１００", "General", "１００"),
        (1, "0%", "100%"),
        (0, "0.00%", "0%"),
        (0.07, "#,##0.0 %", "7%"),
        ("1", "0%", 1),
    ],
    ids=str,
)
def test_values_are_the_text_that_people_see(value: object, form: str, shown: object) -> None:
    """Whole numbers have no fraction, truth is in capitals, dates are ISO, errors their name.

    A weight that is shown as a percentage is one, for the audit to say what to write instead.
    """
    made = book(S=[[*HEADS, "Other"], [*LI[:3], value, value], LI])
    for cell in ("D2", "E2"):
        made["S"][cell].number_format = form
        if value == "#REF!":
            made["S"][cell].data_type = "e"
    routes = read(made)
    column = "weight" if isinstance(shown, int) else "weight_text"
    assert routes[[column, "Other"]].to_numpy().tolist()[0] == [shown, str(shown)]
    assert routes.at[1, "weight"] == 100
    found = vk.audit_routes(routes)
    assert ("invalid-weight" in set(found["rule"])) == (shown != 100)
    if form in ("0%", "0.00%") and shown != 1:
        assert found["suggestion"].tolist()[0] == str(100 * value)


def test_a_percentage_of_an_open_document_is_what_it_shows() -> None:
    """It stands in its cell as text, beside the number."""
    percent = (
        '<table:table-cell office:value-type="percentage" office:value="1">'
        "<text:p>100%</text:p></table:table-cell></table:table-row>"
    )
    row = sheets.ods_row(sheets.ROW[:4]).replace("</table:table-row>", percent)
    routes = vk.read_routes(sheets.ods(sheets.ods_row(sheets.HEADS) + row))
    assert routes["weight_text"].tolist() == ["100%"]


def test_text_in_the_style_of_a_percentage_is_text() -> None:
    """The number of a shared text is none that is shown; a number with its type is one."""
    rows = ["", ""]
    for number in range(12):
        rows[number // 6] += f'<c s="1" t="s"><v>{number}</v></c>'
    rows.append(rows[1].replace('t="s"><v>10<', 't="n"><v>1<'))
    data = sheets.xlsx(
        "".join(f"<row>{cells}</row>" for cells in rows),
        shared=[*sheets.HEADS, *sheets.ROW],
        styles='<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="10"/></cellXfs></styleSheet>',
    )
    routes = vk.read_routes(data)
    assert routes["route_dest"].tolist() == ["10.1.0.0/16"] * 2
    assert routes["weight"].fillna(-1).tolist() == [100, -1]
    assert routes["weight_text"].tolist()[1] == "100%"


def test_a_cell_is_named_by_its_letters() -> None:
    """As openpyxl has it, wherever the table begins."""
    for column in (1, 26, 27, 701, 703):
        letters, other = map(openpyxl.utils.get_column_letter, (column, column + 1))
        made = book(S=[[None] * (column - 1) + ["CIDR", "Prefix"]])
        with pytest.raises(InventoryError, match=f"{letters}1 'CIDR' and {other}1 'Prefix'"):
            read(made)


def test_a_cell_merged_downwards_belongs_to_every_row() -> None:
    """The value of a merge stands in each of its rows, in no row below, and is counted."""
    rows = [
        [*LI[:2], "10.0.0.0/16", 100],
        *([None, None, f"10.{n}.0.0/16", 100] for n in (1, 2, 3)),
    ]
    routes = read(book("A2:A4", "B2:B3", S=[HEADS, *rows]))
    assert routes["region_id"].fillna("").tolist() == ["cn-beijing"] * 3 + [""]
    assert routes["vpn_connection_id"].fillna("").tolist() == ["vco-a", "vco-a", "", ""]
    assert "merged cells filled in 2 rows" in routes.attrs["read"]["notes"]


def test_a_header_merged_over_two_rows_is_no_route() -> None:
    """The rows of the merge are the header, and name the other columns; the rows below are routes.

    What begins above the header fills no row either.
    """
    merges = [f"{column}1:{column}2" for column in "ABCD"]
    assert read(book(*merges, S=[HEADS, [], LI]))["line"].tolist() == [3]
    names = [[*HEADS, "Contact", None], [*[None] * 4, "Name", "Phone"]]
    routes = read(book(*merges, "E1:F1", S=[*names, [*LI, "Li", "1"]]))
    assert routes["line"].tolist() == [3]
    assert routes.iloc[0, -2:].to_dict() == {"Contact Name": "Li", "Phone": "1"}
    assert "rows 1 to 2 are the header" in routes.attrs["read"]["notes"]


def test_every_sheet_with_heads_is_read_and_its_name_may_be_the_region() -> None:
    """A region's sheet fills what names no region; others are noted once."""
    made = book(
        cn_beijing=[HEADS, [None, "vco-a", "10.1.0.0/16", 100], ["cn-wuhan", "vco-b", "x", 0]],
        Notes=[["nothing here"]],
        Old=[HEADS, [None, "vco-z", "10.9.0.0/16", 100]],
        eu_central_1=[HEADS[1:], ["vco-c", "10.2.0.0/16", 100]],
    )
    made["Old"].sheet_state = "hidden"
    routes = read(made, region="us-west-1")
    assert routes["region_id"].tolist() == ["cn-beijing", "cn-wuhan", "eu-central-1"]
    assert [*routes["source"].cat.categories] == ["<buffer>[cn-beijing]", "<buffer>[eu-central-1]"]
    notes = " ".join(routes.attrs["read"]["notes"])
    assert notes.count("'Old' is hidden and was left out") == 1
    assert notes.count("'Notes' has no header of routes and was left out") == 1
    assert "<buffer>[eu-central-1]: region_id filled with eu-central-1 in 1 row" in notes
    assert len(routes.attrs["read"]["tables"]) == 2
    assert read(made, sheet="Old", region="us-west-1")["region_id"].tolist() == ["us-west-1"]
    with pytest.raises(InventoryError, match="no sheet is named 'T'; there are 'cn-beijing'"):
        read(made, sheet="T")


@pytest.mark.parametrize("name", ["us-office", "cn-routes", "eu-sites", "cn-hong\u212aong"])
def test_only_a_region_of_the_vendor_is_a_region(name: str) -> None:
    """A sheet whose name only looks like a region fills nothing."""
    with pytest.raises(InventoryError, match="no column for region_id"):
        read(book(**{name: [HEADS[1:], LI[1:]]}))


MISTYPED = ["Region", "Conection", "CIDR", "Weight"]


@pytest.mark.parametrize(
    ("heads", "state", "rows"),
    [
        (HEADS, "visible", 41),
        (MISTYPED, "visible", None),
        (MISTYPED, "hidden", 1),
        (["Written by", "Bob", "on", "Monday"], "visible", 1),
        (["Weight", "Meaning", "Since", "By"], "visible", 1),
        (["Region", "Connection", "City", "Phone"], "visible", 1),
    ],
)
def test_a_sheet_is_never_lost_to_a_mistyped_head(
    heads: list[str], state: str, rows: int | None
) -> None:
    """A sheet with some of the heads needed is an error that names it and what it lacks.

    A legend, a list of sites, and a sheet that is hidden are left out.
    """
    more = [["us-west-1", "vco-b", f"11.{n}.0.0/16", 100] for n in range(40)]
    made = book(Good=[HEADS, LI], us_west_1=[["Routes of May"], heads, *more])
    made["us-west-1"].sheet_state = state
    if rows is not None:
        assert len(read(made)) == rows
        return
    with pytest.raises(InventoryError, match=r"no column for vpn_connection_id;.*'Conection'") as e:
        read(made)
    assert (e.value.source, e.value.line) == ("<buffer>[us-west-1]", 2)
    assert {"sheet=", "hide"} <= set(str(e.value.remedy).split())
    assert len(read(made, sheet="Good")) == 1


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where python-calamine is missing, the error says what to install."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(InputError, match=r"vcokit\[excel\]"):
        vk.read_routes(one(sheets.ROW))


TEXT = st.text('ab中é１,;"<&>|/.+-\n ', min_size=1, max_size=6)
CELL = st.none() | st.integers(-(2**53), 2**53) | st.booleans() | TEXT


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_cells_are_what_openpyxl_wrote(rows: list[tuple[object, object]]) -> None:
    """Any cells come back as text, trimmed, in the row they stood in."""
    data = one(*([*sheets.ROW, *cells] for cells in rows), heads=[*sheets.HEADS, "one", "two"])
    routes = vk.read_routes(data)
    assert routes["line"].tolist() == list(range(2, len(rows) + 2))
    for place, name in enumerate(["one", "two"]):
        for cells, found in zip(rows, routes[name].fillna(""), strict=True):
            value = cells[place]
            text = str(value).upper() if isinstance(value, bool) else str(value)
            assert found == ("" if value is None else text.strip())
