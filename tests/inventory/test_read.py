"""`read_routes` from end to end: the frame, what fills it, and the report that comes with it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from vcokit.errors import InputError, InventoryError
from vcokit.schema import ROUTES, conform_routes

HEAD = "region_id,vpn_connection_id,route_dest,next_hop,weight,description"
ROW = "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,Berlin"
SIX = list(ROUTES)[:6]


def table(*rows: str, head: str = HEAD) -> str:
    """Return a file of a header and rows."""
    return "".join(row + "\n" for row in (head, *rows))


@pytest.mark.parametrize("rows", [(), (ROW,), (ROW, ",,,,,x"), ('r,"\r",d,n,0,x\r',)])
def test_the_frame_has_the_schemas_columns(rows: tuple[str, ...]) -> None:
    """Columns, order and dtypes are those of the schema, however many rows there are."""
    routes = vk.read_routes(table(*rows))
    assert list(routes.columns) == list(ROUTES)
    assert [str(dtype) for dtype in routes.dtypes] == [str(dtype) for dtype in ROUTES.values()]
    assert routes.index.equals(pd.RangeIndex(len(rows)))
    pd.testing.assert_frame_equal(conform_routes(routes), routes, check_flags=False)


def test_weights_are_whole_numbers_or_kept_as_text() -> None:
    """The schema's rule decides what is a weight; what is none is kept as it stood."""
    cells = ["100", "0", "100.0", "-5", "0100", "+100", "1e2", "１００", "abc", "'=1", ""]
    routes = vk.read_routes(table(*(f"r,v,d,n,{cell},x" for cell in cells)))
    assert routes["weight"].tolist()[:4] == [100, 0, 100, -5]
    assert routes["weight"].isna().tolist() == [False] * 4 + [True] * 7
    assert routes["weight_text"].tolist()[4:10] == ["0100", "+100", "1e2", "１００", "abc", "=1"]
    assert routes["weight_text"].isna().tolist() == [True] * 4 + [False] * 6 + [True]
    with pytest.raises(InventoryError, match="no column for weight"):
        vk.read_routes("region,connection,cidr\nr,v,d\n")


def test_a_missing_next_hop_column_is_the_connection() -> None:
    """Without that column the next hop is the connection; an empty cell in it stays missing."""
    routes = vk.read_routes("region,connection,cidr,weight\nr, VCO-A ,d,0\nr,,d,0\n")
    assert routes["next_hop"].tolist()[0] == "vco-a"
    assert routes["next_hop"].isna().tolist() == [False, True]
    assert "next_hop taken from the connection" in routes.attrs["read"]["notes"]
    routes = vk.read_routes(table("r,vco-a,d,,0,x"))
    assert routes["next_hop"].isna().all()
    assert routes.attrs["read"]["notes"] == []


def test_a_region_fills_what_is_empty() -> None:
    """``region=`` stands where the column is absent or a cell empty, and nowhere else."""
    routes = vk.read_routes(table(ROW, ",v,d,n,0,x", " ,v,d,n,0,x"), region=" CN-Beijing ")
    assert routes["region_id"].tolist() == ["cn-hangzhou", "cn-beijing", "cn-beijing"]
    assert "region_id filled with cn-beijing in 2 rows" in routes.attrs["read"]["notes"]
    routes = vk.read_routes("connection,cidr,weight\nv,d,0\n", region="cn-beijing")
    assert routes["region_id"].tolist() == ["cn-beijing"]
    assert len(vk.read_routes("connection,cidr,weight\n", region="cn-beijing")) == 0
    with pytest.raises(InventoryError, match="no column for region_id;"):
        vk.read_routes("connection,cidr,weight\nv,d,0\n")
    for none in ("", " ", 5):
        with pytest.raises(InputError, match="region"):
            vk.read_routes(table(ROW), region=none)


def test_other_columns_stand_to_the_right() -> None:
    """Unknown columns are kept as text under their own names, behind those of the schema."""
    rows = (ROW + ",7,,=1,x", ROW + ",NA,,'=2,")
    routes = vk.read_routes(table(*rows, head=HEAD + ",Site,,line,Site"))
    assert list(routes.columns) == [*ROUTES, "Site", "line (file)", "Site (2)"]
    assert [str(routes[name].dtype) for name in routes.columns[9:]] == ["str"] * 3
    assert routes["Site"].tolist() == ["7", "NA"]
    assert routes["line (file)"].tolist() == ["=1", "=2"]
    assert routes["line"].tolist() == [2, 3]
    assert routes.attrs["read"]["unknown"] == ["Site", "line (file)", "Site (2)"]


def test_columns_without_a_name_are_kept_if_they_hold_anything() -> None:
    """A delimiter at the end of all lines makes no column; cells without a name do."""
    assert list(vk.read_routes(table(ROW + ", ,", head=HEAD + ",,")).columns) == list(ROUTES)
    routes = vk.read_routes(table(ROW + ",,x", head=HEAD + ",,"))
    assert list(routes.columns) == [*ROUTES, "column 8"]
    assert list(vk.read_routes(table(head=HEAD + ",Site")).columns) == [*ROUTES, "Site"]


def test_lines_are_those_of_the_file() -> None:
    """Titles, the header, blank lines and line ends in quotes all count."""
    text = f'Titel\n\n"a\nb"\n{HEAD}\n{ROW}\n\n{ROW[:-6]}"x\r\ny\n"\n \n{ROW}\n'
    routes = vk.read_routes(text)
    assert routes["line"].tolist() == [6, 8, 12]
    assert routes["description"].tolist() == ["Berlin", "x\r\ny", "Berlin"]
    assert routes.attrs["read"]["head_line"] == 5
    assert routes.attrs["read"]["skipped"] == [
        {"line": 1, "text": "Titel"},
        {"line": 3, "text": '"a'},
        {"line": 4, "text": 'b"'},
    ]


def test_the_report_is_plain_and_complete() -> None:
    """``attrs["read"]`` is JSON and says all that reading found and did."""
    data = f"Mai\n{HEAD};Site\n{ROW}; x\n\nR,v\n".replace(",", ";").encode("utf-16")
    routes = vk.read_routes(io.BytesIO(data), columns={"description": "Description"})
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
            "fewer cells than the header in 1 row",
        ],
    }
    long = vk.read_routes("x" * 10_000 + "\n" + table(ROW)).attrs["read"]
    assert len(long["skipped"][0]["text"]) == 200


def test_frames_with_a_report_can_be_worked_with() -> None:
    """The report is copied, compared and saved by pandas; frames with it still join and filter."""
    routes = vk.read_routes(table(ROW, ROW))
    both = pd.concat([routes, routes[routes["weight"] == 100]])
    assert both.attrs == routes.attrs
    assert len(both) == 4
    assert routes.copy().equals(routes)
    file = io.BytesIO()
    routes.to_parquet(file)
    assert pd.read_parquet(file).attrs == routes.attrs
    none = vk.read_routes(table("," * 5))
    assert none.merge(none, on=SIX, how="outer").empty


@pytest.mark.parametrize("text", ["\n", " \n\u3000\r\n", "\ufeff\n", "\r"])
def test_a_file_of_blank_lines_is_an_error(text: str) -> None:
    """A file of nothing but blanks says so, and so does an empty one."""
    with pytest.raises(InventoryError, match="nothing but blank lines"):
        vk.read_routes(text)
    with pytest.raises(InventoryError, match="is empty"):
        vk.read_routes(io.BytesIO(b""))


@pytest.mark.parametrize(
    "text", ["", "a\n", HEAD + "\na,b,c,d,e,f,g\n", HEAD + '\n"a\n', "\0\n", HEAD + ",Weight\n"]
)
def test_errors_name_the_file(tmp_path: Path, text: str) -> None:
    """An error of any stage begins with the name of the file."""
    path = tmp_path / "routes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        vk.read_routes(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.source == str(path)
    assert caught.value.remedy


SAVED = {
    "parquet": lambda routes, path: routes.to_parquet(path),
    "jsonl": lambda routes, path: routes.to_json(path, orient="records", lines=True),
    "csv": lambda routes, path: routes.to_csv(path, index=False),
}


@pytest.mark.parametrize("form", SAVED)
def test_a_frame_that_pandas_saved_is_the_same_inventory(tmp_path: Path, form: str) -> None:
    """What stood in place of a weight comes back, source and line are those of this reading."""
    routes = vk.read_routes(
        "region,connection,cidr,weight,Site\nr,v,10.0.0.0/8,100,=1+1\nr,v,,standby,\n"
    )
    path = tmp_path / f"routes.{form}"
    SAVED[form](routes, path)
    back = vk.read_routes(path)
    names = [name for name in routes if name not in ("source", "line")]
    pd.testing.assert_frame_equal(back[names], routes[names], check_flags=False, check_dtype=False)
    assert set(back["source"]) == {str(path)}
    noted = "columns weight_text, source, line taken for those of an earlier reading"
    assert noted in back.attrs["read"]["notes"]
    rules = [vk.audit_routes(one)["rule"].astype("str").tolist() for one in (routes, back)]
    assert rules[0] == rules[1]


def test_columns_of_those_names_may_be_somebody_elses() -> None:
    """A line or source alone, or text beside a weight, is kept as any other column."""
    row = {"region": "r", "connection": "v", "cidr": "10.0.0.0/8", "weight": 100}
    others = {"source": "CMDB", "line": 7, "weight_text": "full"}
    back = vk.read_routes(json.dumps(row | others) + "\n")
    assert back["weight"].tolist() == [100]
    assert back["weight_text (file)"].tolist() == ["full"]
    del others["weight_text"]
    back = vk.read_routes(json.dumps(row | others) + "\n")
    assert back[["source (file)", "line (file)"]].to_numpy().tolist() == [["CMDB", "7"]]
