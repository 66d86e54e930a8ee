"""Workbooks as people keep them are read as the table they show; openpyxl says what they hold."""

from __future__ import annotations

import builtins
import datetime
import io
from collections.abc import Iterable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inventory import sheets
from vcokit.audit import audit_routes
from vcokit.errors import InputError, InventoryError
from vcokit.inventory import read_routes
from vcokit.schema import ROUTES

SIX = list(ROUTES)[:6]


def book(**tables: Iterable[Iterable[object]]) -> openpyxl.Workbook:
    """Return a workbook of sheets, each from its rows."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in tables.items():
        sheet = made.create_sheet(name.replace("_", "-"))
        for cells in rows:
            sheet.append(list(cells))
    return made


def saved(made: openpyxl.Workbook) -> bytes:
    """Return the bytes of a workbook."""
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def one(*rows: Iterable[object], heads: Iterable[object] = sheets.HEADS) -> bytes:
    """Return a workbook of one sheet, from heads and rows."""
    return saved(book(S=[heads, *rows]))


@pytest.mark.parametrize(
    "data",
    [
        sheets.xlsx(sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW)),
        sheets.ods(sheets.ods_row(sheets.HEADS) + sheets.ods_row(sheets.ROW)),
        sheets.xlsb([(0, enumerate(sheets.HEADS)), (1, enumerate(sheets.ROW))]),
        one(sheets.ROW),
    ],
    ids=["xlsx", "ods", "xlsb", "openpyxl"],
)
def test_every_kind_of_workbook_is_a_table(data: bytes) -> None:
    """The same cells are the same routes, whatever program keeps them, and as in a CSV."""
    routes = read_routes(data)
    wanted = read_routes("\n".join([",".join(sheets.HEADS), ",".join(sheets.ROW), ""]))
    pd.testing.assert_frame_equal(routes[SIX], wanted[SIX], check_flags=False)
    assert routes["line"].tolist() == [2]
    assert routes["source"].tolist() == ["<buffer>[S]"]
    assert routes.attrs["read"]["format"] == "excel"


def test_titles_and_margins_are_passed_over(tmp_path: Path) -> None:
    """The head may stand anywhere near the top; source names file and sheet, line the row."""
    path = tmp_path / "routes.xlsx"
    made = book(Sheet1=[["Routes of May"], [], [None, *sheets.HEADS], [None, *sheets.ROW], []])
    made["Sheet1"].append([None, *sheets.ROW])
    made.save(path)
    routes = read_routes(path)
    assert routes["line"].tolist() == [4, 6]
    assert set(routes["source"]) == {f"{path}[Sheet1]"}
    report = routes.attrs["read"]
    assert (report["head_line"], report["skipped"]) == (3, [{"line": 1, "text": "Routes of May"}])
    assert "1 blank line skipped" in report["notes"]


def test_values_are_the_text_that_people_see() -> None:
    """Whole numbers have no fraction, truth is in capitals, dates are ISO, errors their name."""
    values = [100.0, 0.5, True, datetime.date(2026, 5, 1), "#REF!", datetime.time(12, 30), 2**53]
    made = book(S=[sheets.HEADS, *([*sheets.ROW[:4], value, "x"] for value in values)])
    made["S"]["E6"].data_type = "e"
    routes = read_routes(saved(made))
    assert routes["weight"].tolist()[0] == 100
    assert routes["weight_text"].tolist()[1:6] == ["0.5", "TRUE", "2026-05-01", "#REF!", "12:30:00"]
    found = audit_routes(routes)
    assert found[found["rule"] == "invalid-weight"]["line"].tolist() == [3, 4, 5, 6, 7, 8]


def test_a_cell_merged_downwards_belongs_to_every_row() -> None:
    """The value of a merge stands in each of its rows, in no row below, and is counted."""
    rows = [[*sheets.ROW[:2], f"10.{n}.0.0/16", None, 100, None] for n in range(4)]
    for cells in rows[1:]:
        cells[0] = cells[1] = None
    made = book(S=[sheets.HEADS, *rows])
    made["S"].merge_cells("A2:A4")
    made["S"].merge_cells("B2:B3")
    routes = read_routes(saved(made))
    assert routes["region_id"].fillna("").tolist() == ["cn-hangzhou"] * 3 + [""]
    assert routes["vpn_connection_id"].fillna("").tolist() == ["vco-a", "vco-a", "", ""]
    assert "merged cells filled in 2 rows" in routes.attrs["read"]["notes"]


def test_every_sheet_with_heads_is_read_and_its_name_may_be_the_region() -> None:
    """A region's sheet fills what names no region; sheets without heads or hidden are noted."""
    heads = ["Region", "Connection", "CIDR", "Weight"]
    made = book(
        cn_beijing=[heads, [None, "vco-a", "10.1.0.0/16", 100], ["cn-wuhan", "vco-b", "x", 0]],
        Notes=[["nothing here"]],
        Old=[heads, [None, "vco-z", "10.9.0.0/16", 100]],
        eu_central_1=[heads[1:], ["vco-c", "10.2.0.0/16", 100]],
    )
    made["Old"].sheet_state = "hidden"
    data = saved(made)
    routes = read_routes(data, region="us-west-1")
    assert routes["region_id"].tolist() == ["cn-beijing", "cn-wuhan", "eu-central-1"]
    assert list(routes["source"].cat.categories) == [
        "<buffer>[cn-beijing]",
        "<buffer>[eu-central-1]",
    ]
    notes = " ".join(routes.attrs["read"]["notes"])
    assert "'Old' is hidden" in notes
    assert "'Notes' has no header" in notes
    old = read_routes(data, sheet="Old", region="us-west-1")
    assert old["region_id"].tolist() == ["us-west-1"]


HEADS = ["Region", "Connection", "CIDR", "Weight"]


def left_out(*heads: str) -> openpyxl.Workbook:
    """Return a workbook of a sheet that can be read and one under other heads."""
    good = [HEADS, ["cn-beijing", "vco-a", "10.1.0.0/16", 100]]
    rows = [["us-west-1", "vco-b", f"11.{n}.0.0/16", 100] for n in range(40)]
    return book(Good=good, us_west_1=[["Routes of May"], heads, *rows])


def test_a_sheet_that_is_shown_is_never_lost_to_a_mistyped_head() -> None:
    """A sheet with some of the heads needed is an error that names it and what it lacks."""
    made = left_out("Region", "Conection", "CIDR", "Weight")
    with pytest.raises(InventoryError, match=r"no column for vpn_connection_id;.*'Conection'") as e:
        read_routes(saved(made))
    assert (e.value.source, e.value.line) == ("<buffer>[us-west-1]", 2)
    assert "sheet=" in str(e.value.remedy)
    assert "hide" in str(e.value.remedy)
    assert len(read_routes(saved(made), sheet="Good")) == 1
    made["us-west-1"].sheet_state = "hidden"
    assert len(read_routes(saved(made))) == 1
    assert len(read_routes(saved(left_out("Written by", "Bob", "on", "Monday")))) == 1
    assert len(read_routes(saved(left_out("Weight", "Meaning", "Since", "By")))) == 1


def test_what_is_noted_of_a_workbook_is_said_once() -> None:
    """However many sheets are read, a sheet that is left out is one note."""
    made = left_out(*HEADS)
    made.create_sheet("Cover").append(["Routes of May"])
    made.create_sheet("Old").sheet_state = "hidden"
    report = read_routes(saved(made)).attrs["read"]
    assert len(report["tables"]) == 2
    assert sum("'Cover' has no header" in note for note in report["notes"]) == 1
    assert sum("'Old' is hidden" in note for note in report["notes"]) == 1


def test_full_width_characters_are_left_to_the_audit() -> None:
    """Reading mends no digits: the finding says what to write."""
    routes = read_routes(one(["cn-hangzhou", "vco-a", "１０.１.0.0/16", "vco-a", 100, None]))
    assert routes.at[0, "route_dest"] == "１０.１.0.0/16"
    assert audit_routes(routes)["suggestion"].tolist() == ["10.1.0.0/16"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600), r"old Excel workbook \(\.xls\)\. Open it, and save it"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "encrypted .* password"),
        (one(["x"], heads=[]), r"\[S\], line 2: no column for .* the columns here are 'x'"),
        (one(heads=["CIDR", "Prefix", "Connection", "Region", "Weight"]), "A1 'CIDR' and B1"),
        (one(heads=["CIDR", "Connection", "Region"]), "no column for weight"),
        (one(["x_x0000_y", *sheets.ROW[1:]]), r"line 2, column 'RegionId': cell A2 holds a NUL"),
        (saved(book(S=[])), "no sheet that is shown holds a cell"),
        (one(sheets.ROW)[:-30], "damaged workbook"),
        (b"PK\x03\x04" + bytes(60), "damaged workbook"),
        (sheets.zipped({"a": "b"}), "a zip archive of 1 file, no workbook. Unpack it"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(data: bytes, said: str) -> None:
    """One error names the file, the sheet, the cell and a remedy."""
    with pytest.raises(InventoryError, match=said) as caught:
        read_routes(data, format="excel")
    assert caught.value.remedy
    assert str(caught.value).startswith("<buffer>")


def test_a_sheet_that_is_not_there_is_named() -> None:
    """A wrong sheet name is answered with those that there are."""
    with pytest.raises(InventoryError, match="no sheet is called 'T'; there are 'S'"):
        read_routes(one(sheets.ROW), sheet="T")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where python-calamine is missing, the error says what to install."""
    real = builtins.__import__

    def lacking(name: str, *args: object, **options: object) -> object:
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(InputError, match=r"vcokit\[excel\]"):
        read_routes(one(sheets.ROW))


FAR = sheets.row(1, sheets.HEADS) + f'<row r="1048576">{sheets.cell("XFD1048576", "x")}</row>'
UNNUMBERED = (
    f"<row>{sheets.cell('', 'x') * 9000}</row>{'<row/>' * 90_000}<row>{sheets.cell('', 'x')}</row>"
)
REPEATED = sheets.ods_row(sheets.HEADS) + sheets.ods_row("x", rows=1_048_570, columns=16_384)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (sheets.xlsx(FAR), "spans 1,048,576 rows and 16,384 columns"),
        (sheets.xlsx(FAR.replace('r="', "r = '").replace('" t', "' t").replace('">', "'>")),
         "spans 1,048,576 rows"),
        (sheets.xlsx(UNNUMBERED), "columns"),
        (sheets.ods(REPEATED), "spans 1,048,571 rows"),
        (sheets.xlsb([(0, enumerate(sheets.HEADS)), (1048575, [(16383, "x")])]), "spans 1,048,576"),
        (sheets.xlsx(" " * (80 << 20)), "of more than 6. MiB, unpacked"),
        (sheets.ods("").replace(b"PK", b"PK"), "no sheet"),
    ],
    ids=["corners", "quotes", "unnumbered", "repeated", "binary", "bomb", "empty"],
)  # fmt: skip
def test_what_would_fill_the_memory_is_refused(data: bytes, said: str) -> None:
    """Few bytes that stand for thousands of millions of cells are one error, before they do."""
    with pytest.raises(InventoryError, match=said):
        read_routes(data)


def test_a_declared_size_means_nothing() -> None:
    """A sheet that declares all cells there can be, and has a few, is read."""
    rows = sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW)
    data = sheets.xlsx(rows, before='<dimension ref="A1:XFD1048576"/>')
    assert len(read_routes(data)) == 1
    rows = sheets.ods_row(sheets.HEADS) + sheets.ods_row(sheets.ROW)
    empty = '<table:table-row table:number-rows-repeated="1048574"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'  # noqa: E501
    assert len(read_routes(sheets.ods(rows + empty))) == 1


@pytest.mark.parametrize("column", [1, 26, 27, 701, 703])
def test_a_cell_is_named_by_its_letters(column: int) -> None:
    """As openpyxl has it; error cells are found by them."""
    letters = openpyxl.utils.get_column_letter(column)
    made = book(S=[[None] * (column - 1) + [*HEADS, "x"], []])
    made["S"].append([None] * (column + 3) + ["a"])
    made["S"][f"{letters}3"] = "#REF!"
    made["S"][f"{letters}3"].data_type = "e"
    assert read_routes(saved(made))["region_id"].tolist() == ["#ref!"]
    made["S"][f"{letters}1"] = made["S"].cell(1, column + 1).value
    with pytest.raises(InventoryError, match=f"{letters}1 'Connection' and"):
        read_routes(saved(made))


CELL = st.one_of(
    st.none(),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.text('ab中é１,;"<&>|/.+-\n ', min_size=1, max_size=6),
)


@settings(max_examples=60)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6))
def test_cells_are_what_openpyxl_wrote(rows: list[list[object]]) -> None:
    """Any cells come back as text, trimmed, in the row they stood in."""
    data = one(*([*sheets.ROW, *cells] for cells in rows), heads=[*sheets.HEADS, "one", "two"])
    routes = read_routes(data)
    assert routes["line"].tolist() == list(range(2, len(rows) + 2))
    for place, name in enumerate(["one", "two"]):
        for cells, found in zip(rows, routes[name], strict=True):
            value = cells[place]
            text = str(value).upper() if isinstance(value, bool) else str(value)
            assert ("" if pd.isna(found) else found) == ("" if value is None else text.strip())


def test_a_header_merged_over_two_rows_is_no_route() -> None:
    """The rows of the merge are the header, and name the other columns; the rows below are routes.

    What begins above the header fills no row either.
    """
    made = book(
        S=[
            [*HEADS, "Contact", None],
            [None, None, None, None, "Name", "Phone"],
            ["cn-beijing", "vco-a", "10.0.0.0/8", 100, "Li", "1"],
        ]
    )
    for column in "ABCD":
        made["S"].merge_cells(f"{column}1:{column}2")
    plain = book(S=[HEADS, [None] * 4, ["cn-beijing", "vco-a", "10.0.0.0/8", 100]])
    for column in "ABCD":
        plain["S"].merge_cells(f"{column}1:{column}2")
    assert read_routes(saved(plain))["line"].tolist() == [3]
    made["S"].merge_cells("E1:F1")
    routes = read_routes(saved(made))
    assert routes["line"].tolist() == [3]
    assert routes.iloc[0, -2:].to_dict() == {"Contact Name": "Li", "Phone": "1"}
    assert "rows 1 to 2 are the header" in routes.attrs["read"]["notes"]


@pytest.mark.parametrize("name", ["us-office", "cn-routes", "eu-sites", "cn-hong\u212aong"])
def test_only_a_region_of_the_vendor_is_a_region(name: str) -> None:
    """A sheet whose name only looks like a region fills nothing; the note says what is filled."""
    rows = [HEADS[1:], ["vco-a", "10.0.0.0/8", 100]]
    made = book(S=rows)
    made["S"].title = name
    with pytest.raises(InventoryError, match="no column for region_id"):
        read_routes(saved(made))
    made[name].title = "eu-central-1"
    notes = read_routes(saved(made)).attrs["read"]["notes"]
    assert "region_id filled with eu-central-1 in 1 row" in notes


def test_a_sheet_of_sites_beside_the_routes_is_left_out() -> None:
    """A list of regions and connections without destinations is no table of routes: it is noted."""
    made = left_out(*HEADS)
    made.create_sheet("Sites").append(["Region", "Connection", "City"])
    made["Sites"].append(["cn-beijing", "vco-a", "Beijing"])
    routes = read_routes(saved(made))
    assert len(routes) == 41
    assert "'Sites' has no header of routes and was left out" in " ".join(
        routes.attrs["read"]["notes"]
    )
