"""Which files are meant, of which format, what compressed files hold, and how far reading is."""

from __future__ import annotations

import gzip
import io
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InputError, InventoryError
from vcokit.inventory import sources

HEAD = "region_id,vpn_connection_id,route_dest,next_hop,weight,description\n"
CSV = HEAD + "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,杭州\n"
JSON = '{"region":"r","connection":"v","cidr":"10.0.0.0/8","weight":0}\n'
WORKBOOK = sheets.xlsx(sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW))


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
    routes = vk.read_routes("a.csv", ["b/*.csv", Path("c.jsonl")], "a.csv", "[x].csv", CSV)
    names = ["a.csv", "b/1.csv", "b/2.csv", "c.jsonl", "[x].csv", "<text>"]
    assert routes["source"].tolist() == [name.replace("/", os.sep) for name in names]
    assert list(routes["source"].cat.categories) == routes["source"].tolist()
    assert routes["line"].tolist() == [2, 2, 2, 1, 2, 2]
    assert routes["next_hop"].tolist() == ["vco-a"] * 3 + ["v"] + ["vco-a"] * 2
    found = vk.audit_routes(routes)
    assert found[found["rule"] == "duplicate"]["source"].tolist()[0] == os.path.join("b", "1.csv")
    report = routes.attrs["read"]
    assert [table["source"] for table in report["tables"]] == routes["source"].tolist()
    assert "c.jsonl: next_hop taken from the connection" in report["notes"]


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
    assert (
        notes[1]
        == notes[3]
        == [
            "next_hop taken from the connection",
            "protective ' taken away in 1 cell",
            "several networks split into rows in 1 cell",
            "put in lower case: 2 cells",
            "1 blank line skipped",
        ]
    )
    assert notes[2][1:] == ["blanks trimmed in 1 cell", "region_id filled with cn-b in 1 row"]
    said = "<text>, <text 3>, <text 4> and 1 more: 1 blank line skipped"
    assert said in routes.attrs["read"]["notes"]


def test_the_report_of_many_files_is_not_copied() -> None:
    """What reading noticed of many files costs nothing in every later operation on the frame."""
    routes = vk.read_routes([CSV] * 30)
    copied = routes[routes["weight"] == 100].copy()
    assert copied.attrs["read"] is routes.attrs["read"]
    assert len(copied.attrs["read"]["tables"]) == 30


@pytest.mark.parametrize("pattern", ["no*.csv", "b/**/x?.csv", "[z].csv", "b/?$*.csv"])
def test_a_pattern_that_fits_nothing_is_an_error(folder: Path, pattern: str) -> None:
    """No file is no inventory, nor is what a spreadsheet program leaves beside an open one."""
    with pytest.raises(InventoryError, match="no file fits this pattern"):
        vk.read_routes(pattern)


class Stdin:
    """Standard input of bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("data", [CSV.encode(), gzip.compress(CSV.encode()), JSON.encode()])
def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What comes through a pipe is known by its content."""
    monkeypatch.setattr("sys.stdin", Stdin(data))
    assert set(vk.read_routes("-")["source"]) == {"<stdin>"}
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InventoryError, match="no standard input"):
        vk.read_routes("-")


class Reader:
    """A file object that reads what it was given."""

    def __init__(self, content: object) -> None:
        self._content = content

    def read(self) -> object:
        """Return it."""
        return self._content


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    """Paths, binary and text files, bytes and text itself give the same routes.

    Errors and ``source`` name the file, open or not; those of one name are told apart.
    """
    path = tmp_path / "routes.csv"
    path.write_text(CSV, encoding="utf-8", newline="")
    with path.open("rb") as binary, path.open(encoding="utf-8") as decoded:
        given = [path, binary, decoded, io.BytesIO(CSV.encode()), CSV, CSV.encode()]
        given += [
            bytearray(CSV.encode()),
            io.StringIO("\ufeff" + CSV),
            Reader(bytearray(CSV.encode())),
        ]
        routes = vk.read_routes(given)
    assert routes["description"].tolist() == ["杭州"] * len(given)
    names = [str(path), str(path), f"{path} (2)", "<buffer>", "<text>", "<buffer 2>"]
    assert routes["source"].tolist() == [*names, "<buffer 3>", "<buffer 4>", "<buffer 5>"]
    with pytest.raises(InventoryError, match=r"^<text 2>, line 1: no column"):
        vk.read_routes([CSV, "a,b\n"])
    path.write_text("x\n", encoding="utf-8")
    with path.open("rb") as file, pytest.raises(InventoryError) as caught:
        vk.read_routes(file)
    assert caught.value.source == str(path)


@pytest.mark.parametrize(
    "source", [pd.DataFrame({"a": [1]}), pd.Series(["a.csv"]), np.array(["a", "b"]), 5, None, Path]
)
@pytest.mark.parametrize("listed", [False, True])
def test_what_is_no_source_is_one_error(source: Any, listed: bool) -> None:
    """A frame, or whatever else is no file, is named by its type, with what to do."""
    with pytest.raises(InputError, match=f"from a {type(source).__name__}") as caught:
        vk.read_routes([source] if listed else source)
    wanted = "audit_routes" if isinstance(source, pd.DataFrame) else "list"
    assert wanted in str(caught.value.remedy)
    with pytest.raises(InputError, match="no source of routes"):
        vk.read_routes([])


@pytest.mark.parametrize(
    "name", ["no-such.csv", "", "x" * 5000, "a\0b", ".", "ziel,vco", "路由"], ids=range(7)
)
def test_a_missing_file_names_both_readings(name: str) -> None:
    """A str that is no file may have been meant as text: the error says both."""
    with pytest.raises(InventoryError, match=r"taken for a path.*text itself"):
        vk.read_routes(name)


def test_a_path_is_a_path(tmp_path: Path) -> None:
    """Its error names it as given; a name that is no text can be read and shown."""
    with pytest.raises(InventoryError) as caught:
        vk.read_routes(tmp_path / "none.csv")
    assert caught.value.source == str(tmp_path / "none.csv")
    assert "text" not in str(caught.value.remedy)
    path = tmp_path / "r\udcff.csv"
    path.write_text(CSV, encoding="utf-8")
    assert vk.read_routes(path)["source"][0].encode("utf-8")


class BytesPath:
    """A path of bytes."""

    def __fspath__(self) -> bytes:
        return b"a.csv"


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    """Closed files, files opened for writing or in a wrong encoding, and files of no bytes."""
    path = tmp_path / "a.csv"
    with path.open("wb") as writing, pytest.raises(InventoryError, match="open file"):
        vk.read_routes(writing)
    closed = io.BytesIO(b"a\n")
    closed.close()
    with pytest.raises(InventoryError, match="closed file"):
        vk.read_routes(closed)
    path.write_bytes(b"\xff\n")
    with path.open(encoding="utf-8") as wrong, pytest.raises(InventoryError, match="rb"):
        vk.read_routes(wrong)
    with pytest.raises(InputError, match="gave a int"):
        vk.read_routes(Reader(5))
    with pytest.raises(InputError, match="not bytes"):
        vk.read_routes(BytesPath())


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", WORKBOOK, 'an Excel workbook .* no CSV. .* format="excel"'),
        ("a.xlsx", CSV.encode(), 'no workbook: .* format="csv"'),
        ("a.parquet", CSV.encode(), 'no Parquet file: .* format="csv"'),
        ("a.jsonl", CSV.encode(), "line 1: no JSON"),
        ("a.csv", b"PAR1\x15\x04\x15\0PAR1", 'a Parquet file, no CSV. .* format="parquet"'),
        ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(90), "old Excel workbook"),
        ("a.zip", sheets.zipped({"a.csv": "x", "b.csv": "y"}), "a zip archive of 2 .* Unpack it"),
    ],
)
def test_a_name_that_lies_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    """The error says what the file is, and how to have it read."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InventoryError, match=said):
        vk.read_routes(path)


def test_a_given_format_is_obeyed(tmp_path: Path) -> None:
    """``format=`` stands above name and content; a wrong one is refused."""
    path = tmp_path / "a.csv"
    path.write_bytes(WORKBOOK)
    assert len(vk.read_routes(path, format="excel")) == 1
    with pytest.raises(InputError, match="format 'xml' is not known"):
        vk.read_routes(path, format="xml")
    with pytest.raises(InventoryError, match="text, where a file of format 'excel' belongs"):
        vk.read_routes(io.StringIO(CSV), format="excel")
    assert len(vk.read_routes(io.BytesIO(WORKBOOK))) == 1


def zstd(data: bytes) -> bytes:
    """Return bytes compressed with zstd."""
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(data)
    packed: bytes = buffer.getvalue().to_pybytes()
    return packed


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_compressed_files_are_read(
    monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    """They are known by their content, whatever is in them; a cut one is refused, and so is a bomb.

    It is refused while it becomes too large.
    """
    routes = vk.read_routes(compress(CSV.encode("gb18030")))
    assert routes["description"].tolist() == ["杭州"]
    assert routes.attrs["read"]["notes"][0].startswith("unpacked with")
    data = compress(os.urandom(5000))
    for cut in (12, 2000, -1):
        with pytest.raises(InventoryError, match="<buffer 2>: a damaged"):
            vk.read_routes([CSV.encode(), data[:cut]])
    monkeypatch.setattr(sources, "UNPACKED_FREE", 1 << 20)
    with pytest.raises(InventoryError, match="a packed file of more than"):
        vk.read_routes(compress(CSV.encode() + bytes(8 << 20)))


def test_progress_rises_to_the_end(folder: Path) -> None:
    """The hook gets rising bytes from 0 to all, and the frame is the same as without."""
    said: list[tuple[int, int]] = []
    files = ["a.csv", CSV.encode(), io.StringIO(JSON)]
    routes = vk.read_routes(files, progress=lambda done, total: said.append((done, total)))
    size, more = len(CSV.encode()), len(JSON)
    assert said == [(0, 2 * size), (size, 2 * size), (2 * size,) * 2, (2 * size + more,) * 2]
    assert routes.equals(vk.read_routes([*files[:2], io.StringIO(JSON)]))


def test_a_hook_that_fails_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the hook is logged once and costs nothing else; Ctrl-C is no fault."""
    calls = []

    def hook(done: int, total: int) -> None:
        calls.append(done)
        raise RuntimeError("broken bar")

    with caplog.at_level(logging.ERROR):
        assert len(vk.read_routes(CSV, progress=hook)) == 1
    assert (len(calls), len(caplog.records)) == (1, 1)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vk.read_routes(CSV, progress=stop)
