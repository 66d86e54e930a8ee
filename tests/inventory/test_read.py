"""`read_routes` from end to end: which files are meant, of which format, and their frame."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InputError, InventoryError

SIX = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
NINE = [*SIX, "weight_text", "source", "line"]
TYPES = [*["str"] * 4, "Int64", "str", "str", "category", "Int64"]
HEAD = ",".join(SIX)
ROW = "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,杭州"
CSV = f"{HEAD}\n{ROW}\n"
JSON = '{"region":"r","connection":"v","cidr":"10.0.0.0/8","weight":0}\n'
WORKBOOK = sheets.xlsx(sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW))


def table(*rows: str, head: str = HEAD) -> str:
    """Return a file of a header and rows."""
    return "".join(row + "\n" for row in (head, *rows))


# -- the frame ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [(), (ROW,), (ROW, ",,,,,x"), ('r,"\r",d,n,0,x\r',)])
def test_the_frame_has_the_schemas_columns(rows: tuple[str, ...]) -> None:
    """Columns, order and dtypes are those of the schema, however many rows there are."""
    routes = vk.read_routes(table(*rows))
    assert list(routes.columns) == NINE
    assert [str(dtype) for dtype in routes.dtypes] == TYPES
    assert routes.index.equals(pd.RangeIndex(len(rows)))


def test_what_fills_an_empty_cell() -> None:
    """``region=`` stands where the column is absent or a cell empty, and nowhere else.

    Without its column the next hop is the connection; an empty cell in it stays missing.
    """
    routes = vk.read_routes(table(ROW, ",v,d,,0,x", " ,v,d,n,0,x"), region=" CN-Beijing ")
    assert routes["region_id"].tolist() == ["cn-hangzhou", "cn-beijing", "cn-beijing"]
    assert routes["next_hop"].isna().tolist() == [False, True, False]
    notes = ["blanks trimmed in 1 cell", "region_id filled with cn-beijing in 2 rows"]
    assert routes.attrs["read"]["notes"] == notes
    absent = "connection,cidr,weight\n"
    routes = vk.read_routes(absent + " VCO-A ,d,0\n,d,0\n", region="cn-a")
    assert routes["region_id"].tolist() == ["cn-a"] * 2
    assert routes["next_hop"].fillna("").tolist() == ["vco-a", ""]
    assert "next_hop set to the connection" in routes.attrs["read"]["notes"]
    assert len(vk.read_routes(absent, region="cn-a")) == 0
    with pytest.raises(InventoryError, match="no column for region_id;"):
        vk.read_routes(absent + "v,d,0\n")
    for none in ("", " ", 5):
        with pytest.raises(InputError, match="region"):
            vk.read_routes(CSV, region=none)


def test_other_columns_stand_to_the_right() -> None:
    """They are kept as text under their own names; one without a name if it holds anything."""
    rows = (ROW + ",7,,=1,x", ROW + ",NA,,'=2,")
    routes = vk.read_routes(table(*rows, head=HEAD + ",Site,,line,Site"))
    others = ["Site", "line (file)", "Site (2)"]
    assert list(routes.columns) == [*NINE, *others]
    assert [str(routes[name].dtype) for name in others] == ["str"] * 3
    assert routes[others].fillna("").to_numpy().tolist() == [["7", "=1", "x"], ["NA", "=2", ""]]
    assert routes["line"].tolist() == [2, 3]
    assert routes.attrs["read"]["unknown"] == others
    for more, head, names in (
        (", ,", ",,", []),
        (",,x", ",,", ["column 8"]),
        (None, ",Site", ["Site"]),
    ):
        given = [] if more is None else [ROW + more]
        assert list(vk.read_routes(table(*given, head=HEAD + head)).columns[9:]) == names


def test_lines_are_those_of_the_file() -> None:
    """Titles, the header, blank lines and line ends in quotes all count."""
    routes = vk.read_routes(f'Titel\n\n"a\nb"\n{HEAD}\n{ROW}\n\n{ROW[:-2]}"x\r\ny\n"\n \n{ROW}\n')
    assert routes["line"].tolist() == [6, 8, 12]
    assert routes["description"].tolist() == ["杭州", "x\r\ny", "杭州"]
    assert routes.attrs["read"]["head_line"] == 5
    skipped = [{"line": 1, "text": "Titel"}, {"line": 3, "text": '"a'}, {"line": 4, "text": 'b"'}]
    assert routes.attrs["read"]["skipped"] == skipped


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
        "sha256": {"<buffer>": hashlib.sha256(data).hexdigest()},
    }
    long = vk.read_routes("x" * 10_000 + "\n" + CSV).attrs["read"]
    assert len(long["skipped"][0]["text"]) == 200


def test_frames_with_a_report_can_be_worked_with() -> None:
    """The report is compared and saved by pandas, never copied; frames with it join and filter."""
    routes = vk.read_routes([CSV] * 30)
    both = pd.concat([routes, routes[routes["weight"] == 100].copy()])
    assert both.attrs["read"] is routes.attrs["read"]
    assert (len(both), len(both.attrs["read"]["tables"])) == (60, 30)
    assert routes.copy().equals(routes)
    file = io.BytesIO()
    routes.to_parquet(file)
    assert pd.read_parquet(file).attrs == routes.attrs
    none = vk.read_routes(table("," * 5))
    assert none.merge(none, on=SIX, how="outer").empty


def test_a_frame_that_pandas_saved_is_the_same_inventory(tmp_path: Path) -> None:
    """What stood in place of a weight comes back, source and line are those of this reading."""
    routes = vk.read_routes(
        "region,connection,cidr,weight,Site\nr,v,10.0.0.0/8,100,=1+1\nr,v,,standby,\n"
    )
    routes.to_parquet(tmp_path / "a.parquet")
    routes.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    routes.to_csv(tmp_path / "a.csv", index=False)
    kept = routes.drop(columns=["source", "line"])
    for path in tmp_path.iterdir():
        back = vk.read_routes(path)
        pd.testing.assert_frame_equal(back[list(kept)], kept, check_flags=False, check_dtype=False)
        assert set(back["source"]) == {str(path)}
        noted = "columns weight_text, source, line taken for those of an earlier reading"
        assert noted in back.attrs["read"]["notes"]


@pytest.mark.parametrize(
    "others", [{"source": "CMDB", "line": "7"}, {"source": "a", "line": "7", "weight_text": "full"}]
)
def test_columns_of_those_names_may_be_somebody_elses(others: dict[str, str]) -> None:
    """A line or source alone, or text beside a weight, is kept as any other column."""
    back = vk.read_routes(json.dumps(json.loads(JSON) | others) + "\n")
    assert back["weight"].tolist() == [0]
    found = {name: back[f"{name} (file)"].tolist()[0] for name in others}
    assert found == others


# -- the sources -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of inventories, in which the test stands."""
    (tmp_path / "b").mkdir()
    for name in ("a.csv", "b/2.csv", "b/1.csv", "[x].csv"):
        (tmp_path / name).write_text(CSV, encoding="utf-8")
    (tmp_path / "c.jsonl").write_text(JSON, encoding="utf-8")
    (tmp_path / "b/~$1.csv").write_bytes(b"\x04user" + b" " * 160)  # of a spreadsheet program
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_several_files_are_one_frame(folder: Path) -> None:
    """Files, patterns and lists are read in order, each file once; findings name their file."""
    routes = vk.read_routes(
        "a.csv", ["b/*.csv", Path("c.jsonl")], "./a.csv", folder / "a.csv", "[x].csv", CSV
    )
    names = ["a.csv", os.path.join("b", "1.csv"), os.path.join("b", "2.csv")]
    assert routes["source"].tolist() == [*names, "c.jsonl", "[x].csv", "<text>"]
    assert list(routes["source"].cat.categories) == routes["source"].tolist()
    assert routes["line"].tolist() == [2, 2, 2, 1, 2, 2]
    assert routes["next_hop"].tolist() == ["vco-a"] * 3 + ["v"] + ["vco-a"] * 2
    found = vk.audit_routes(routes)
    assert found[found["rule"] == "duplicate"]["source"].tolist()[0] == names[1]
    report = routes.attrs["read"]
    assert [table["source"] for table in report["tables"]] == routes["source"].tolist()
    assert "c.jsonl: next_hop set to the connection" in report["notes"]


def test_several_files_are_cleaned_each_by_its_own_format(folder: Path) -> None:
    """What was done is counted for each, columns that one has are missing in the others' rows.

    A ``'`` is taken away where the format may need one; what many note is said once.
    """
    one = "region,connection,cidr,weight,Site,\nCN-A,v,10.0.0.0/8 11.0.0.0/8,x,'=1,\n,,,,,\n"
    two = JSON.replace('"v"', '" v "').replace('"r"', "null").replace("}", ',"Site":"\'=1"}')
    routes = vk.read_routes("a.csv", one, two, one, one, one, region="cn-b")
    assert routes["Site"].fillna("").tolist() == ["", "=1", "=1", "'=1", *["=1"] * 6]
    assert routes["weight_text"].fillna("").tolist()[:4] == ["", "x", "x", ""]
    assert routes["region_id"].tolist()[:4] == ["cn-hangzhou", "cn-a", "cn-a", "cn-b"]
    assert list(routes.columns[9:]) == ["Site"]
    notes = [table["notes"] for table in routes.attrs["read"]["tables"]]
    assert notes[0] == []
    assert notes[1] == notes[3]
    assert notes[1] == [
        "next_hop set to the connection",
        "protective ' taken away in 1 cell",
        "several networks split into rows in 1 cell",
        "put in lower case: 2 cells",
        "1 blank line skipped",
    ]
    assert notes[2][1:] == ["blanks trimmed in 1 cell", "region_id filled with cn-b in 1 row"]
    said = "<text>, <text 3>, <text 4> and 1 more: 1 blank line skipped"
    assert said in routes.attrs["read"]["notes"]


@pytest.mark.parametrize("data", [CSV.encode(), gzip.compress(CSV.encode()), JSON.encode()])
def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What comes through a pipe is known by its content."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert set(vk.read_routes("-")["source"]) == {"<stdin>"}
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InventoryError, match="no standard input"):
        vk.read_routes("-")


def reader(content: object) -> SimpleNamespace:
    """Return a file object that reads what it was given."""
    return SimpleNamespace(read=lambda: content)


class BytesPath:
    """A path of bytes."""

    def __fspath__(self) -> bytes:
        return b"a.csv"


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    """Paths, binary and text files, bytes and text itself give the same routes.

    ``source`` names the file, open or not; those of one name are told apart.
    """
    path = tmp_path / "routes.csv"
    path.write_text(CSV, encoding="utf-8", newline="")
    data = CSV.encode()
    with path.open("rb") as binary, path.open(encoding="utf-8") as decoded:
        given = [path, binary, decoded, io.BytesIO(data), CSV, data, bytearray(data)]
        given += [io.StringIO("\ufeff" + CSV), reader(bytearray(data))]
        routes = vk.read_routes(given)
    assert routes["description"].tolist() == ["杭州"] * len(given)
    names = [str(path), str(path), f"{path} (2)", "<buffer>", "<text>", "<buffer 2>"]
    assert routes["source"].tolist() == [*names, "<buffer 3>", "<buffer 4>", "<buffer 5>"]
    odd = tmp_path / "r\udcff.csv"
    odd.write_text(CSV, encoding="utf-8")
    assert vk.read_routes(odd)["source"][0].encode("utf-8")


@pytest.mark.parametrize("listed", [False, True])
def test_what_is_no_source_is_one_error(listed: bool) -> None:
    """A frame, or whatever else is not a file, is named by its type, with what to do."""
    sources: list[Any] = [pd.DataFrame({"a": [1]}), pd.Series(["a.csv"]), np.array(["a", "b"])]
    for source in [*sources, 5, None, Path]:
        with pytest.raises(InputError, match=f"from a {type(source).__name__}") as caught:
            vk.read_routes([source] if listed else source)
        wanted = "audit_routes" if isinstance(source, pd.DataFrame) else "list"
        assert wanted in str(caught.value.remedy)


def opened(mode: str, data: bytes = b"\xff\n", **options: str) -> Callable[[Path], Any]:
    """Return what opens a file of some bytes in a folder."""

    def source(folder: Path) -> Any:
        (folder / "a.csv").write_bytes(data)
        return (folder / "a.csv").open(mode, **options)

    return source


def closed(_: Path) -> io.BytesIO:
    """Return a closed file."""
    file = io.BytesIO(b"a\n")
    file.close()
    return file


@pytest.mark.parametrize(
    ("source", "said"),
    [
        *(
            (name, "taken for a path.*text itself")
            for name in ("no-such.csv", "", "x" * 5000, "a\0b", ".", "ziel,vco", "路由")
        ),
        *(
            (name, "no file matches this pattern")
            for name in ("no*.csv", "b/**/x?.csv", "[z].csv", "b/?$*.csv")
        ),
        (lambda folder: folder / "none.csv", r"^.*none\.csv: cannot be read.*Check the path$"),
        ([], "no source was given"),
        ([CSV, "a,b\n", "a,b\n"], "^<text 2>, line 1: no column"),
        (opened("wb"), r"^.*a\.csv: the open file cannot be read.*\"rb\""),
        (opened("r", encoding="utf-8"), r"^.*a\.csv: the open file cannot be read.*\"rb\""),
        (opened("rb", b"x\n"), r"^.*a\.csv, line 1: no column"),
        (closed, "closed file"),
        (reader(5), "returned a int"),
        (BytesPath(), "not bytes"),
        (CSV[:-1] + ',"a\n', "^<text>, line 2: a quote"),
        (HEAD + ",Weight\n", "^<text>, line 1: more than one column for weight"),
    ],
    ids=range(22),
)
def test_what_cannot_be_read_is_one_error(folder: Path, source: Any, said: str) -> None:
    """It names the source and what to do, whatever stage it comes from."""
    given = source(folder) if callable(source) else source
    with pytest.raises(InputError, match=said) as caught:
        vk.read_routes(given)
    assert caught.value.remedy
    if isinstance(given, io.IOBase):
        given.close()


@pytest.mark.parametrize(
    ("name", "data", "options", "said"),
    [
        ("a.csv", WORKBOOK, {}, 'an Excel workbook .* not CSV. .* format="excel"'),
        ("a.csv", WORKBOOK, {"format": "xml"}, "format 'xml' is not known"),
        ("a.xlsx", CSV.encode(), {}, 'not a workbook: .* format="csv"'),
        ("a.parquet", CSV.encode(), {}, 'not a Parquet file: .* format="csv"'),
        ("a.jsonl", CSV.encode(), {}, "line 1: not JSON"),
        ("a.csv", b"PAR1\x15\x04\x15\0PAR1", {}, 'a Parquet file, not CSV. .* format="parquet"'),
        ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(90), {}, "old Excel workbook"),
        ("a.zip", sheets.zipped({"a": "x", "b": "y"}), {}, "a zip archive of 2 .* Unpack it"),
    ],
    ids=range(8),
)
def test_a_name_that_lies_is_told(
    tmp_path: Path, name: str, data: bytes, options: dict[str, str], said: str
) -> None:
    """The error says what the file is, and how to have it read: ``format=`` stands above all."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        vk.read_routes(path, **options)
    path = tmp_path / "b.csv"
    path.write_bytes(WORKBOOK)
    assert len(vk.read_routes(path, WORKBOOK, format="excel")) == 2
    assert len(vk.read_routes(WORKBOOK)) == 1
    with pytest.raises(InventoryError, match="text instead of a file of format 'excel'"):
        vk.read_routes(io.StringIO(CSV), format="excel")


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: pa.compress(data, "zstd", True)])
def test_compressed_files_are_read(compress: Callable[[bytes], bytes]) -> None:
    """They are known by their content, whatever is in them; a cut one is refused."""
    routes = vk.read_routes(compress(CSV.encode("gb18030")))
    assert routes["description"].tolist() == ["杭州"]
    assert routes.attrs["read"]["notes"][0].startswith("unpacked with")
    data = compress(os.urandom(5000))
    for cut in (12, 2000, -1):
        with pytest.raises(InventoryError, match="<buffer 2>: a damaged"):
            vk.read_routes([CSV.encode(), data[:cut]])


def test_progress_rises_to_the_end(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The hook gets rising bytes from 0 to all, and the frame is the same as without.

    A fault of the hook is logged once and costs nothing else; Ctrl-C is no fault.
    """
    said: list[tuple[int, int]] = []
    files = ["a.csv", CSV.encode(), io.StringIO(JSON)]
    routes = vk.read_routes(files, progress=lambda done, total: said.append((done, total)))
    size, more = len(CSV.encode()), len(JSON)
    assert said == [(0, 2 * size), (size, 2 * size), (2 * size,) * 2, (2 * size + more,) * 2]
    assert routes.equals(vk.read_routes([*files[:2], io.StringIO(JSON)]))
    hook = Mock(side_effect=RuntimeError("broken bar"))
    with caplog.at_level(logging.ERROR):
        assert len(vk.read_routes(CSV, progress=hook)) == 1
    assert (hook.call_count, len(caplog.records)) == (1, 1)
    with pytest.raises(KeyboardInterrupt):
        vk.read_routes(CSV, progress=Mock(side_effect=KeyboardInterrupt))
