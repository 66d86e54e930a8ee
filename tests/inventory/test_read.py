"""`read_routes` from end to end: the frame, what fills it, and the report that comes with it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.audit import audit_routes
from vcokit.errors import InputError, InventoryError
from vcokit.inventory import read_routes, records
from vcokit.schema import ROUTES, conform_routes

HEAD = "region_id,vpn_connection_id,route_dest,next_hop,weight,description"
ROW = "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,Berlin"
SIX = list(ROUTES)[:6]


def table(*rows: str, head: str = HEAD) -> str:
    """Return a file of a head and rows."""
    return "".join(row + "\n" for row in (head, *rows))


@pytest.fixture(params=["fast", "exact"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by either parser."""
    if request.param == "exact":
        monkeypatch.setattr(records, "fast", lambda _: None)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("rows", [(), (ROW,), (ROW, ",,,,,x")])
def test_the_frame_has_the_schemas_columns(rows: tuple[str, ...]) -> None:
    """Columns, order and dtypes are those of the schema, however many rows there are."""
    routes = read_routes(table(*rows))
    assert list(routes.columns) == list(ROUTES)
    assert [str(dtype) for dtype in routes.dtypes] == [str(dtype) for dtype in ROUTES.values()]
    assert routes.index.equals(pd.RangeIndex(len(rows)))
    pd.testing.assert_frame_equal(conform_routes(routes), routes, check_flags=False)


def test_a_plain_file_is_what_pandas_reads(tmp_path: Path) -> None:
    """On a clean file the six columns are those of `pandas.read_csv`."""
    path = tmp_path / "routes.csv"
    rows = [f"r{n},vco-{n},10.{n}.0.0/16,vco-{n},{n % 2 * 100},site {n}" for n in range(200)]
    path.write_text(table(*rows), encoding="utf-8")
    wanted = pd.read_csv(path).astype({"weight": "Int64"})
    routes = read_routes(path)
    pd.testing.assert_frame_equal(routes[SIX], wanted, check_flags=False)
    assert routes["line"].tolist() == list(range(2, 202))
    assert set(routes["source"]) == {str(path)}
    assert routes["source"].dtype == "category"


CELL = st.text(st.sampled_from("ab,;\"\n\r 中é\u3000'"), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(CELL, min_size=7, max_size=7), max_size=8), st.sampled_from(",;\t|"))
def test_dirty_files_are_what_csv_reads(rows: list[list[str]], delimiter: str) -> None:
    """Any cells, quoted as need be, come back trimmed, with the line their row starts on."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow([*HEAD.split(","), "Site"])
    lines = []
    for row in rows:
        lines.append(len(list(io.StringIO(file.getvalue(), newline=""))) + 1)
        writer.writerow(row)
    routes = read_routes(file.getvalue())
    trimmed = [[cell.strip().strip("\u3000 \r\n") for cell in row] for row in rows]
    lines = [line for line, row in zip(lines, trimmed, strict=True) if any(row)]
    trimmed = [row for row in trimmed if any(row)]
    for place, name in enumerate(["region_id", "vpn_connection_id", "route_dest", "next_hop"]):
        values = [row[place].removeprefix("'") if row[place][:2] == "''" else row[place]
                  for row in trimmed]  # fmt: skip
        assert routes[name].fillna("").tolist() == values
    assert routes["weight"].isna().all()
    assert routes["line"].tolist() == lines


def test_absence_is_an_empty_cell_and_nothing_else() -> None:
    """NA, null, None and nan are text; empty and blank cells are missing."""
    words = ["NA", "N/A", "null", "None", "nan", "NULL", "-nan", "#N/A"]
    routes = read_routes(table(*(f"{word},v,{word},n,{word},{word}" for word in words)))
    assert routes["route_dest"].tolist() == words
    assert routes["weight_text"].tolist() == words
    assert read_routes(table(" ,\u3000,\u200b,\xa0,\ufeff,''\n"))[SIX].isna().sum().sum() == 5


def test_identifiers_are_lower_case_and_nothing_else_is() -> None:
    """Region, connection and next hop become lower case; the rest is left as it is."""
    routes = read_routes(table("CN-Hangzhou,VCO-A,10.0.0.0/8,Vco-B,ABC,Note"))
    assert routes[SIX].iloc[0].tolist()[:4] == ["cn-hangzhou", "vco-a", "10.0.0.0/8", "vco-b"]
    assert (routes.at[0, "description"], routes.at[0, "weight_text"]) == ("Note", "ABC")


def test_weights_are_whole_numbers_or_kept_as_text() -> None:
    """The schema's rule decides what is a weight; what is none is kept as it stood."""
    cells = ["100", "0", "100.0", "-5", "0100", "+100", "1e2", "１００", "abc", "'=1", ""]
    routes = read_routes(table(*(f"r,v,d,n,{cell},x" for cell in cells)))
    assert routes["weight"].tolist()[:4] == [100, 0, 100, -5]
    assert routes["weight"].isna().tolist() == [False] * 4 + [True] * 7
    assert routes["weight_text"].tolist()[4:10] == ["0100", "+100", "1e2", "１００", "abc", "=1"]
    assert routes["weight_text"].isna().tolist() == [True] * 4 + [False] * 6 + [True]


def test_words_stand_for_weights() -> None:
    """With ``weights=`` words are weights, whatever their case and the blanks around them."""
    rows = ["r,v,d,n, 主 ,x", "r,v,d,n,备,x", "r,v,d,n,ACTIVE,x", "r,v,d,n,0,x", "r,v,d,n,other,x"]
    routes = read_routes(table(*rows), weights={"主": 100, " 备": np.int64(0), "Active": 100})
    assert routes["weight"].tolist()[:4] == [100, 0, 100, 0]
    assert routes.at[4, "weight_text"] == "other"
    assert "weight words replaced in 3 cells" in routes.attrs["read"]["notes"]


@pytest.mark.parametrize(
    "weights", [{"a": "b"}, {"a": 1.5}, {"a": True}, {" ": 1}, {5: 1}, {"a": 1, "A ": 2}, ["a"]]
)
def test_words_that_cannot_be_weights_are_input_errors(weights: dict[str, int]) -> None:
    """A word stands for one whole number."""
    with pytest.raises(InputError, match="weights"):
        read_routes(table(ROW), weights=weights)


def test_a_weight_is_never_guessed() -> None:
    """A file without weights is refused."""
    with pytest.raises(InventoryError, match="no column for weight"):
        read_routes("region,connection,cidr\nr,v,d\n")


def test_a_missing_next_hop_column_is_the_connection() -> None:
    """Without that column the next hop is the connection; an empty cell in it stays missing."""
    routes = read_routes("region,connection,cidr,weight\nr, VCO-A ,d,0\nr,,d,0\n")
    assert routes["next_hop"].tolist()[0] == "vco-a"
    assert routes["next_hop"].isna().tolist() == [False, True]
    assert "next_hop taken from the connection" in routes.attrs["read"]["notes"]
    routes = read_routes(table("r,vco-a,d,,0,x"))
    assert routes["next_hop"].isna().all()
    assert routes.attrs["read"]["notes"] == []


def test_a_region_fills_what_is_empty() -> None:
    """``region=`` stands where the column is absent or a cell empty, and nowhere else."""
    routes = read_routes(table(ROW, ",v,d,n,0,x", " ,v,d,n,0,x"), region=" CN-Beijing ")
    assert routes["region_id"].tolist() == ["cn-hangzhou", "cn-beijing", "cn-beijing"]
    assert "region_id filled with cn-beijing in 2 rows" in routes.attrs["read"]["notes"]
    routes = read_routes("connection,cidr,weight\nv,d,0\n", region="cn-beijing")
    assert routes["region_id"].tolist() == ["cn-beijing"]
    assert len(read_routes("connection,cidr,weight\n", region="cn-beijing")) == 0


@pytest.mark.parametrize("region", ["", " ", 5])
def test_a_region_that_is_none_is_an_input_error(region: str) -> None:
    """``region=`` names a region."""
    with pytest.raises(InputError, match="region"):
        read_routes(table(ROW), region=region)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0", 5])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    """What cannot part cells is refused before the file is read."""
    with pytest.raises(InputError, match="cannot part cells"):
        read_routes("no-such-file", delimiter=delimiter)


def test_other_columns_stand_to_the_right() -> None:
    """Unknown columns are kept as text under their own heads, behind those of the schema."""
    routes = read_routes(table(ROW + ",7,,=1,x", ROW + ",NA,,'=2,", head=HEAD + ",Site,,line,Site"))
    assert list(routes.columns) == [*ROUTES, "Site", "line (file)", "Site (2)"]
    assert [str(routes[name].dtype) for name in routes.columns[9:]] == ["str"] * 3
    assert routes["Site"].tolist() == ["7", "NA"]
    assert routes["line (file)"].tolist() == ["=1", "=2"]
    assert routes["line"].tolist() == [2, 3]
    assert routes.attrs["read"]["unknown"] == ["Site", "line (file)", "Site (2)"]


def test_columns_without_head_are_kept_if_they_hold_anything() -> None:
    """A delimiter at the end of all lines makes no column; cells without a head do."""
    assert list(read_routes(table(ROW + ", ,", head=HEAD + ",,")).columns) == list(ROUTES)
    routes = read_routes(table(ROW + ",,x", head=HEAD + ",,"))
    assert list(routes.columns) == [*ROUTES, "column 8"]
    assert list(read_routes(table(head=HEAD + ",Site")).columns) == [*ROUTES, "Site"]


def test_lines_are_those_of_the_file() -> None:
    """Titles, the head, blank lines and line ends in quotes all count."""
    text = f'Titel\n\n"a\nb"\n{HEAD}\n{ROW}\n\n{ROW[:-6]}"x\r\ny\n"\n \n{ROW}\n'
    routes = read_routes(text)
    assert routes["line"].tolist() == [6, 8, 12]
    assert routes["description"].tolist() == ["Berlin", "x\r\ny", "Berlin"]
    assert routes.attrs["read"]["head_line"] == 5
    assert routes.attrs["read"]["skipped"] == [
        {"line": 1, "text": "Titel"},
        {"line": 3, "text": '"a'},
        {"line": 4, "text": 'b"'},
    ]


def test_short_rows_lack_cells() -> None:
    """What a short row lacks is missing, for the audit to find."""
    routes = read_routes(table(ROW, "cn-hangzhou,vco-a"))
    assert routes.loc[1, SIX].isna().tolist() == [False, False, True, True, True, True]
    assert "fewer cells than the head in 1 row" in routes.attrs["read"]["notes"]


def test_the_report_is_plain_and_complete() -> None:
    """``attrs["read"]`` is JSON and says all that reading found and did."""
    data = f"Mai\n{HEAD};Site\n{ROW}; x\n\nR,v\n".replace(",", ";").encode("utf-16")
    routes = read_routes(io.BytesIO(data), columns={"description": "Description"})
    report = routes.attrs["read"]
    assert json.loads(json.dumps(report)) == report
    assert report == {
        "source": "<buffer>",
        "format": "csv",
        "encoding": "utf-16-le",
        "delimiter": ";",
        "head_line": 2,
        "skipped": [{"line": 1, "text": "Mai"}],
        "columns": {name: name for name in SIX},
        "unknown": ["Site"],
        "notes": [
            "blanks trimmed in 1 cell",
            "put in lower case: 1 cell",
            "1 blank line skipped",
            "fewer cells than the head in 1 row",
        ],
    }


def test_frames_with_a_report_can_be_worked_with() -> None:
    """The report is copied, compared and saved by pandas; frames with it still join and filter."""
    routes = read_routes(table(ROW, ROW))
    both = pd.concat([routes, routes[routes["weight"] == 100]])
    assert both.attrs == routes.attrs
    assert len(both) == 4
    assert routes.copy().equals(routes)
    file = io.BytesIO()
    routes.to_parquet(file)
    assert pd.read_parquet(file).attrs == routes.attrs


def test_long_titles_are_cut_in_the_report() -> None:
    """A title line, however long, does not make the report long."""
    routes = read_routes("x" * 10_000 + "\n" + table(ROW))
    assert len(routes.attrs["read"]["skipped"][0]["text"]) == 200


@pytest.mark.parametrize("text", ["\n", " \n\u3000\r\n", "\ufeff\n", "\r"])
def test_a_file_of_blank_lines_is_an_error(text: str) -> None:
    """A file of nothing but blanks says so, and so does an empty one."""
    with pytest.raises(InventoryError, match="nothing but blank lines"):
        read_routes(text)
    with pytest.raises(InventoryError, match="is empty"):
        read_routes(io.BytesIO(b""))


def test_errors_name_the_file(tmp_path: Path) -> None:
    """An error of any stage begins with the name of the file."""
    path = tmp_path / "routes.csv"
    for text in (
        "",
        "a\n",
        HEAD + "\na,b,c,d,e,f,g\n",
        HEAD + '\n"a\n',
        "\0\n",
        HEAD + ",Weight\n",
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InventoryError) as caught:
            read_routes(path)
        assert str(caught.value).startswith(str(path))
        assert caught.value.source == str(path)
        assert caught.value.remedy


def test_columns_may_be_named_by_the_caller() -> None:
    """Heads that no alias covers are read with ``columns=``, in either direction."""
    text = "Ziel,Tunnel,Rang,Prefix\n10.0.0.0/8,vco-a,100,alt\n"
    wanted = {"route_dest": "Ziel", "vpn_connection_id": "Tunnel", "weight": "Rang"}
    routes = read_routes(text, columns=wanted, region="r")
    turned = read_routes(text, columns={head: name for name, head in wanted.items()}, region="r")
    pd.testing.assert_frame_equal(routes, turned)
    assert routes.loc[0, SIX[:5]].tolist() == ["r", "vco-a", "10.0.0.0/8", "vco-a", 100]
    assert routes["Prefix"].tolist() == ["alt"]
    assert routes.attrs["read"]["columns"] == {head: name for name, head in wanted.items()}


def test_only_ascii_letters_are_put_in_lower_case() -> None:
    """The Kelvin sign is no ``k``: what the audit must refuse does not become another id."""
    routes = read_routes(
        "RegionId,VpnConnectionId,RouteDest,NextHop,Weight\n"
        "CN-A,VCO-\u212a1,10.0.0.0/8,VCO-\u0130,100\n"
    )
    assert routes.loc[0, ["region_id", "vpn_connection_id", "next_hop"]].tolist() == [
        "cn-a", "vco-\u212a1", "vco-\u0130",
    ]  # fmt: skip
    assert "invalid-connection-id" in set(audit_routes(routes)["rule"])


def test_the_report_of_many_files_is_not_copied() -> None:
    """What reading noticed of many files costs nothing in every later operation on the frame."""
    head = "Region,Connection,CIDR,Weight\n"
    routes = read_routes([f"{head}cn-hangzhou,vco-{i},10.0.{i}.0/24,100\n" for i in range(30)])
    copied = routes[routes["weight"] == 100].copy()
    assert copied.attrs["read"] is routes.attrs["read"]
    assert len(copied.attrs["read"]["tables"]) == 30
    assert json.loads(json.dumps(copied.attrs["read"])) == copied.attrs["read"]
