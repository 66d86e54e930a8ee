"""Which files are meant, of which format, how far reading has come, and what packed files hold."""

from __future__ import annotations

import gzip
import io
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.inventory import sheets
from vcokit.audit import audit_routes
from vcokit.errors import InputError, InventoryError
from vcokit.inventory import bound, packed, read_routes, records, write_routes

HEAD = "region_id,vpn_connection_id,route_dest,next_hop,weight,description\n"
CSV = HEAD + "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,Berlin\n"
JSON = '{"region":"r","connection":"v","cidr":"10.0.0.0/8","weight":0}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of inventories, in which the test stands."""
    (tmp_path / "b").mkdir()
    for name in ("a.csv", "b/2.csv", "b/1.csv", "[x].csv"):
        (tmp_path / name).write_text(CSV, encoding="utf-8")
    (tmp_path / "c.jsonl").write_text(JSON, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_several_files_are_one_frame(folder: Path) -> None:
    """Files, patterns and lists are read in order, each file once; findings name their file."""
    routes = read_routes("a.csv", ["b/*.csv", Path("c.jsonl")], "a.csv", "[x].csv", CSV)
    names = ["a.csv", "b/1.csv", "b/2.csv", "c.jsonl", "[x].csv", "<text>"]
    assert routes["source"].tolist() == [name.replace("/", os.sep) for name in names]
    assert list(routes["source"].cat.categories) == routes["source"].tolist()
    assert routes["line"].tolist() == [2, 2, 2, 1, 2, 2]
    found = audit_routes(routes)
    assert found[found["rule"] == "duplicate"]["source"].tolist()[0] == os.path.join("b", "1.csv")
    report = routes.attrs["read"]
    assert [table["source"] for table in report["tables"]] == routes["source"].tolist()
    assert "c.jsonl: next_hop taken from the connection" in report["notes"]


def test_other_columns_of_several_files_stand_side_by_side(folder: Path) -> None:
    """A column that one file has is missing in the rows of the others."""
    routes = read_routes("a.csv", "region,connection,cidr,weight,Site\nr,v,10.0.0.0/8,x,B\n")
    assert routes["Site"].fillna("").tolist() == ["", "B"]
    assert routes["weight_text"].fillna("").tolist() == ["", "x"]
    assert str(routes["weight"].dtype) == "Int64"


@pytest.mark.parametrize("pattern", ["no*.csv", "b/**/x?.csv", "[z].csv"])
def test_a_pattern_that_fits_nothing_is_an_error(folder: Path, pattern: str) -> None:
    """No file is no inventory."""
    with pytest.raises(InventoryError, match="no file fits this pattern"):
        read_routes(pattern)


def test_nothing_is_no_source() -> None:
    """An empty list is an error, not an empty frame."""
    with pytest.raises(InputError, match="no source of routes"):
        read_routes([])


class Stdin:
    """Standard input of bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("data", [CSV.encode(), gzip.compress(CSV.encode()), JSON.encode()])
def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What comes through a pipe is known by its content."""
    monkeypatch.setattr("sys.stdin", Stdin(data))
    assert set(read_routes("-")["source"]) == {"<stdin>"}
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InventoryError, match="no standard input"):
        read_routes("-")


WORKBOOK = sheets.xlsx(sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", WORKBOOK, 'an Excel workbook .* no CSV. .* format="excel"'),
        ("a.xlsx", CSV.encode(), 'no workbook: .* format="csv"'),
        ("a.parquet", CSV.encode(), 'no Parquet file: .* format="csv"'),
        ("a.jsonl", CSV.encode(), "line 1: no JSON"),
        ("a.csv", b"PAR1\x15\x04\x15\0PAR1", 'a Parquet file, no CSV. .* format="parquet"'),
        ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(90), "old Excel workbook"),
    ],
)
def test_a_name_that_lies_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    """The error says what the file is, and how to have it read."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InventoryError, match=said):
        read_routes(path)


def test_a_given_format_is_obeyed(tmp_path: Path) -> None:
    """``format=`` stands above name and content; a wrong one is refused."""
    path = tmp_path / "a.csv"
    path.write_bytes(WORKBOOK)
    assert len(read_routes(path, format="excel")) == 1
    with pytest.raises(InputError, match="format 'xml' is not known"):
        read_routes(path, format="xml")
    with pytest.raises(InventoryError, match="text, where a file of format 'excel' belongs"):
        read_routes(io.StringIO(CSV), format="excel")
    assert len(read_routes(io.BytesIO(WORKBOOK))) == 1


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.csv.zst", "a.JSONL.ZST"])
def test_packed_files_are_written_and_read(tmp_path: Path, name: str) -> None:
    """Each suffix packs and names the format below it."""
    routes = read_routes(CSV)
    write_routes(routes, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert data.startswith(packed.ZSTD if name.lower().endswith(".zst") else packed.GZIP)
    assert read_routes(tmp_path / name)["route_dest"].tolist() == ["10.1.0.0/16"]


def zstd(data: bytes) -> bytes:
    """Return bytes packed with zstd."""
    file = io.BytesIO()
    with pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd") as stream:
        stream.write(data)
        stream.flush()
        return file.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    """What becomes far larger than it can be is refused while it does; a cut file too."""
    data = pack(CSV.encode() + bytes(8 << 20))
    monkeypatch.setattr(bound, "UNPACKED_FREE", 1 << 20)
    with pytest.raises(InventoryError, match="a packed file of more than"):
        read_routes(data)
    with pytest.raises(InventoryError, match="damaged"):
        read_routes(pack(os.urandom(5000))[:2000])


@pytest.mark.parametrize("way", ["fast", "exact"])
def test_progress_rises_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The hook hears rising bytes from 0 to all, and the frame is the same as without."""
    row = "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,\"two\nlines\"\n" if way == "exact" else CSV[
        len(HEAD) :]  # fmt: skip
    (tmp_path / "a.csv").write_text(HEAD + row * 50_000, encoding="utf-8")
    monkeypatch.setattr(records, "_PART", 100_000)
    (tmp_path / "b.csv").write_text(CSV, encoding="utf-8")
    heard: list[tuple[int, int]] = []
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    routes = read_routes(files, progress=lambda done, total: heard.append((done, total)))
    size = sum(file.stat().st_size for file in files)
    assert (heard[0], heard[-1]) == ((0, size), (size, size))
    assert heard == sorted(heard)
    assert len(set(heard)) > 3
    assert routes.equals(read_routes(files))


def test_a_hook_that_fails_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the hook is logged once and costs nothing else; Ctrl-C is no fault."""
    calls = []

    def hook(done: int, total: int) -> None:
        calls.append(done)
        raise RuntimeError("broken bar")

    with caplog.at_level(logging.ERROR):
        assert len(read_routes(CSV, progress=hook)) == 1
    assert len(calls) == 1
    assert len(caplog.records) == 1

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_routes(CSV, progress=stop)


def test_a_pattern_passes_over_lock_files(tmp_path: Path) -> None:
    """What a spreadsheet program leaves beside an open workbook is no inventory."""
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "~$a.csv").write_bytes(b"\x04user" + b" " * 160)
    assert set(read_routes(str(tmp_path / "*.csv"))["source"]) == {str(tmp_path / "a.csv")}
    with pytest.raises(InventoryError, match="no file fits"):
        read_routes(str(tmp_path / "?$*.csv"))


def test_sources_without_names_are_told_apart() -> None:
    """Each of several texts and open files has a name of its own, in its rows and in errors."""
    given = [CSV, CSV.encode(), CSV, io.BytesIO(CSV.encode()), CSV]
    names = ["<text>", "<buffer>", "<text 2>", "<buffer 2>", "<text 3>"]
    assert read_routes(given)["source"].tolist() == names
    with pytest.raises(InventoryError, match=r"^<text 2>, line 1: no column"):
        read_routes([CSV, "a,b\n"])
    with pytest.raises(InventoryError, match=r"^<buffer 2>: a damaged gzip"):
        read_routes([CSV.encode(), gzip.compress(CSV.encode())[:-5]])


@pytest.mark.parametrize(
    "source", [pd.DataFrame({"a": [1]}), pd.Series(["a.csv"]), np.array(["a", "b"]), 5, None]
)
@pytest.mark.parametrize("listed", [False, True])
def test_what_is_no_source_is_one_error(source: object, listed: bool) -> None:
    """A frame, or whatever else is no file, is told by its type, and what to do."""
    with pytest.raises(InputError, match=f"from a {type(source).__name__}") as caught:
        read_routes([source] if listed else source)
    wanted = "audit_routes" if isinstance(source, pd.DataFrame) else "list"
    assert wanted in str(caught.value.remedy)


def test_an_open_file_keeps_its_name(tmp_path: Path) -> None:
    """Errors and ``source`` name the file, open or not; two of one name are told apart."""
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    with path.open("rb") as first, path.open(encoding="utf-8") as second:
        routes = read_routes(first, second)
    assert list(routes["source"].cat.categories) == [str(path), f"{path} (2)"]
    path.write_text("x\n", encoding="utf-8")
    with path.open("rb") as file, pytest.raises(InventoryError) as caught:
        read_routes(file)
    assert caught.value.source == str(path)
