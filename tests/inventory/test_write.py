"""What `write_routes` writes reads back equal, is safe in a spreadsheet, and is never half done."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcokit.errors import InputError
from vcokit.inventory import read_routes, write_routes
from vcokit.inventory.header import canonical_name
from vcokit.schema import ROUTES, frame

HEADS = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
LISTED = "\xa0\u3000\ufeff\u200b\u200c\u200d\u2060"

LETTERS = st.one_of(
    st.sampled_from("=+-@'\t\",;|\n\r 中éab" + LISTED),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)


def is_read_so(cell: str) -> bool:
    """Tell whether reading could have given a cell: no blanks at its ends.

    A tab may lead, from behind a protecting ``'``.
    """
    ends = cell[-1:] + ("" if cell.startswith("\t") else cell[:1])
    return bool(cell) and not any(end.isspace() or end in LISTED for end in ends)


CELL = st.one_of(st.none(), st.text(LETTERS, min_size=1, max_size=8).filter(is_read_so))
NAME = st.one_of(
    st.none(),
    st.text(st.sampled_from("=+-@'\",;|\n\r ab中-"), min_size=1, max_size=8).filter(is_read_so),
)
WEIGHT = st.one_of(
    st.none(),
    st.integers(-(2**53), 2**53),  # `split_weight` rounds beyond, where other cells are text
    st.sampled_from([0, 100]),
    st.sampled_from(
        ["abc", "0100", "+100", "1e2", "=1", "'=1", "-", "-x,y", "１００", "主", "1\n2"]
    ),
)
EXTRA = (
    st.text(LETTERS, min_size=1, max_size=6)
    .filter(is_read_so)
    .filter(lambda name: canonical_name(name) is None and name not in ROUTES)
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a frame that reading could have given."""
    rows = draw(st.integers(0, 6))

    def some(cells: st.SearchStrategy) -> list:
        return draw(st.lists(cells, min_size=rows, max_size=rows))

    weights = some(WEIGHT)
    routes = frame(
        ROUTES,
        {
            "region_id": some(NAME),
            "vpn_connection_id": some(NAME),
            "route_dest": some(CELL),
            "next_hop": some(NAME),
            "weight": pd.array([w if isinstance(w, int) else pd.NA for w in weights], "Int64"),
            "description": some(CELL),
            "weight_text": [w if isinstance(w, str) else None for w in weights],
        },
    )
    for name in draw(st.lists(EXTRA, unique=True, max_size=3)):
        routes[name] = pd.Series(some(CELL), index=routes.index, dtype="str")
    return routes[kept(routes).notna().any(axis="columns")].reset_index(drop=True)


def stored(routes: pd.DataFrame, form: str) -> bytes:
    """Return what is written of routes in a format."""
    file = io.BytesIO()
    write_routes(routes, file, format=form)
    return file.getvalue()


def written(routes: pd.DataFrame) -> str:
    """Return the CSV that is written of routes."""
    return stored(routes, "csv").decode()


def kept(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a frame that a file keeps."""
    return routes.drop(columns=["source", "line"])


def has_tab(routes: pd.DataFrame) -> bool:
    """Tell whether a cell leads with a tab, which only a protected cell can keep."""
    cells = [*routes.columns, *kept(routes).astype("str").fillna("").stack()]
    return any(cell.startswith("\t") for cell in cells)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@settings(deadline=None, max_examples=120)
@given(frames())
def test_what_is_written_reads_back_equal(form: str, routes: pd.DataFrame) -> None:
    """Every frame that reading could have given comes back equal, other columns and all."""
    if form != "csv" and (has_tab(routes) or routes.empty):
        return
    data = stored(routes, form)
    back = read_routes(data, format=form)
    pd.testing.assert_frame_equal(kept(back), kept(routes), check_flags=False)
    assert stored(back, form) == data


@settings(deadline=None)
@given(frames())
def test_no_cell_is_a_formula(routes: pd.DataFrame) -> None:
    """No cell but a number starts with what a spreadsheet computes."""
    for record in list(csv.reader(io.StringIO(written(routes), newline=""))):
        for cell in record:
            assert cell[:1] not in ("=", "+", "-", "@", "\t", *"＝＋－＠") or float(cell) < 0
            assert cell[:1] != "'" or cell[1] in "=+-@'\t＝＋－＠"


@pytest.mark.parametrize("sign", ["=", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("by", [";", "\t", "|", ","])
def test_no_locale_finds_a_formula(sign: str, by: str) -> None:
    """A full-width sign is a formula too, and no separator of any locale parts a cell."""
    cells = [f"{sign}1+1", f"x{by}{sign}1+1", f"'{sign}1"]
    routes = frame(ROUTES, {"route_dest": cells, "description": cells})
    text = written(routes)
    assert f"'{sign}1+1" in text
    assert f'"x{by}{sign}1+1"' in text
    for record in csv.reader(io.StringIO(text)):
        assert not [cell for cell in record if cell.startswith(sign)]
    assert read_routes(text)["description"].tolist() == cells


@settings(deadline=None)
@given(frames())
@example(frame(ROUTES, {"route_dest": ["a\rb", 'c"d', "e,f", "g\nh", "'i"]}))
def test_quotes_are_minimal_and_right(routes: pd.DataFrame) -> None:
    """The file is what the csv module writes, which before 3.13 forgets to quote a CR; but for
    what some other locale parts cells at.
    """
    text = written(routes)
    records = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(record) for record in records} == {6 + routes.shape[1] - len(ROUTES)}
    assert len(records) == len(routes) + 1
    if not re.search(r"[\r;|\t]", text):
        again = io.StringIO(newline="")
        csv.writer(again, lineterminator="\n").writerows(records)
        assert text == again.getvalue()


def test_the_form_is_that_of_the_api() -> None:
    """The API's names, comma, LF, empty cells for what is missing, text of a bad weight."""
    routes = read_routes(
        "site,cidr,connection,region,weight,备注\n北,10.0.0.0/8,vco-a,r,100.0,=1\n,,,,abc,\n"
    )
    assert written(routes) == (f"{HEADS},site\nr,vco-a,10.0.0.0/8,vco-a,100,'=1,北\n,,,,abc,,\n")


def test_names_are_protected_and_quoted_too() -> None:
    """The name of a column may look like a formula or hold a comma as well as a cell may."""
    routes = frame(ROUTES).assign(**{"=1+1": [], "a,b": []})
    assert written(routes) == HEADS + """,'=1+1,"a,b"\n"""
    assert list(read_routes(written(routes)).columns)[-2:] == ["=1+1", "a,b"]


def test_an_empty_frame_is_a_header() -> None:
    """A frame without rows gives a file of one line, which reads back as one."""
    assert written(frame(ROUTES)) == HEADS + "\n"
    assert read_routes(HEADS + "\n").empty


def test_frames_made_by_hand_are_written() -> None:
    """Objects, floats, an odd index and absent optional columns are no hindrance."""
    routes = pd.DataFrame(
        {
            "weight": [100.0, None, -5],
            "region_id": ["R", None, " "],
            "vpn_connection_id": ["vco-a"] * 3,
            "route_dest": ["10.0.0.0/8", float("nan"), " x "],
            "next_hop": ["vco-a"] * 3,
            "Cost": [-1.5, None, 2],
            7: [-1, 2, 3],
            "when": pd.to_datetime(["2026-11-23", None, None]),
        },
        index=[5, 5, 1],
    )
    text = written(routes)
    assert text.splitlines() == [
        HEADS + ",Cost,7,when",
        "R,vco-a,10.0.0.0/8,vco-a,100,,-1.5,-1,2026-11-23",
        ",vco-a,,vco-a,,,,2,",
        ",vco-a, x ,vco-a,-5,,2.0,3,",
    ]
    back = read_routes(text)
    assert back["route_dest"].tolist()[2] == "x"
    assert back["region_id"].tolist()[0] == "r"


def test_a_column_that_reads_as_a_field_is_marked() -> None:
    """A column with the name of a field's alias would be read as that field: it is not."""
    text = "region,connection,Prefix,Ziel,weight\nr,vco-a,alt,10.0.0.0/8,0\n"
    routes = read_routes(text, columns={"route_dest": "Ziel"})
    assert "Prefix" in routes.columns
    back = read_routes(written(routes))
    assert back["Prefix (file)"].tolist() == ["alt"]
    assert back["route_dest"].tolist() == ["10.0.0.0/8"]


def test_all_targets_get_the_same(tmp_path: Path) -> None:
    """Paths, str or Path, binary and text files hold the same, in UTF-8."""
    routes = read_routes(HEADS + "\nr,vco-中,d,n,0,x\n")
    text = written(routes)
    write_routes(routes, tmp_path / "a.csv")
    write_routes(routes, str(tmp_path / "b.csv"))
    write_routes(routes, tmp_path / "c.csv.gz")
    binary = io.BytesIO()
    write_routes(routes, binary)
    with (tmp_path / "d.csv").open("w", encoding="utf-8", newline="") as file:
        write_routes(routes, file)
    contents = [(tmp_path / f"{name}.csv").read_bytes() for name in "abd"]
    contents += [binary.getvalue(), gzip.decompress((tmp_path / "c.csv.gz").read_bytes())]
    assert set(contents) == {text.encode()}
    pd.testing.assert_frame_equal(
        kept(read_routes(tmp_path / "c.csv.gz")), kept(routes), check_flags=False
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_long_frame_is_written_whole(form: str) -> None:
    """However many rows there are."""
    routes = read_routes(HEADS + "\n" + "".join(f"r,v,{n},n,0,\n" for n in range(45_000)))
    assert read_routes(stored(routes, form))["route_dest"].equals(routes["route_dest"])


def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends writing early, the path holds what it held, and nothing lies beside it."""
    path = tmp_path / "routes.csv"
    path.write_text("old", encoding="utf-8")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_routes(frame(ROUTES), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["routes.csv"]


def test_a_file_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is synchronised before the name changes hands, and the name after."""
    path = tmp_path / "routes.csv"
    path.write_text("old", encoding="utf-8")
    seen = []
    sync = os.fsync

    def watched(handle: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.read_text(encoding="utf-8")))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_routes(frame(ROUTES), path)
    assert seen == [(False, "old"), (True, HEADS + "\n")]


def test_replacing_keeps_mode_and_link(tmp_path: Path) -> None:
    """The mode of the file that is replaced, and a link that leads to it, stay."""
    path = tmp_path / "routes.csv"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    write_routes(frame(ROUTES), link)
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == HEADS + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_pipes_are_written_to_not_replaced(tmp_path: Path) -> None:
    """What is there and is no file, a pipe or a device, is written to and stays what it is."""
    path = tmp_path / "pipe"
    os.mkfifo(path)  # never a real device: run as root, a fault here would replace it
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_routes(frame(ROUTES), path)
    assert path.is_fifo()
    assert os.read(reader, 1000).decode() == HEADS + "\n"
    os.close(reader)


@pytest.mark.parametrize("name", ["none/a.csv", ".", "a\0b", "x" * 300])
def test_a_target_that_cannot_be_written_is_an_input_error(tmp_path: Path, name: str) -> None:
    """A path that cannot be written names itself and the reason."""
    with pytest.raises(InputError, match="cannot be written"):
        write_routes(frame(ROUTES), tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_target_that_is_none_is_an_input_error() -> None:
    """What is neither path nor file, a closed file, and a file of another encoding are refused."""
    with pytest.raises(InputError, match="written to a int"):
        write_routes(frame(ROUTES), 5)
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(InputError, match="closed file"):
        write_routes(frame(ROUTES), closed)
    narrow = io.TextIOWrapper(io.BytesIO(), "ascii")
    with pytest.raises(InputError, match="ascii"):
        write_routes(frame(ROUTES, {"description": ["中"]}), narrow)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("a\0b", "a NUL in row 1, which no file can"),
        ("x" * 131_073, "131,072 characters in row 1"),
        ("\ud800", "pair"),
    ],
    ids=range(3),
)
@pytest.mark.parametrize("column", ["description", "Site"])
def test_what_no_file_can_hold_is_refused(
    tmp_path: Path, column: str, value: str, what: str
) -> None:
    """A cell that could not be read back is an input error before a file is touched."""
    routes = frame(ROUTES, {"route_dest": ["d", "e"]}).astype({"description": object})
    routes[column] = pd.Series(["x", value], dtype=object)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        with pytest.raises(InputError, match=what):
            write_routes(routes, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_name_that_no_file_can_hold_is_refused() -> None:
    """Names of columns are held to what cells are."""
    with pytest.raises(InputError, match="NUL"):
        written(frame(ROUTES).assign(**{"a\0": []}))
    names = pd.Index([*list(ROUTES)[:8], "\ud800"], dtype=object)  # else pandas refuses it
    with pytest.raises(InputError, match="surrogate"):
        written(frame(ROUTES).astype(object).set_axis(names, axis=1))


def test_the_longest_cell_reads_back() -> None:
    """A cell of as many characters as may be comes back whole."""
    routes = frame(ROUTES, {"description": ['"' * 131_072]})
    assert read_routes(written(routes))["description"].equals(routes["description"])


@pytest.mark.parametrize("routes", [None, pd.DataFrame(), [1]], ids=range(3))
def test_what_is_no_routes_frame_is_an_input_error(routes: pd.DataFrame) -> None:
    """A frame that lacks columns, and what is no frame, are refused."""
    with pytest.raises(InputError, match="routes"):
        written(routes)


def test_a_column_twice_is_an_input_error() -> None:
    """An optional column that is there twice is refused, not guessed at."""
    routes = frame(ROUTES)
    with pytest.raises(InputError, match="more than one column description"):
        written(pd.concat([routes, routes[["description"]]], axis="columns"))


SAMPLE = read_routes("region,connection,cidr,weight,Site\nr,v,10.0.0.0/8,100,=1+1\nr,v,,standby,\n")


def test_other_tools_read_what_is_written() -> None:
    """JSON lines are JSON with numbers as weights; Parquet has whole numbers where all are."""
    rows = [json.loads(line) for line in stored(SAMPLE, "jsonl").splitlines()]
    assert [row["weight"] for row in rows] == [100, "standby"]
    assert [row["Site"] for row in rows] == ["=1+1", None]
    table = pq.read_table(io.BytesIO(stored(SAMPLE.iloc[:1], "parquet")))
    assert table["weight"].to_pylist() == [100]
    assert str(table.schema.field("weight").type) == "int64"
    with pytest.raises(InputError, match="mode"):
        write_routes(SAMPLE, io.StringIO(), format="parquet")
    twice = SAMPLE.assign(**{"Prefix": "x", "Prefix (file)": "y"})
    with pytest.raises(InputError, match="two columns would be called"):
        stored(twice, "jsonl")


@pytest.mark.parametrize(
    "name",
    ["a.jsonl", "a.parquet", "a.pq", "a.ndjson", "a.csv", "a.csv.gz", "a.jsonl.gz", "a.JSONL.ZST"],
)
def test_the_name_says_the_format(tmp_path: Path, name: str) -> None:
    """A path is written as what it is called, and compressed."""
    write_routes(SAMPLE, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert data.startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert data.startswith(b"\x28\xb5\x2f\xfd") == name.endswith(".ZST")
    back = read_routes(tmp_path / name)
    pd.testing.assert_frame_equal(kept(back), kept(SAMPLE), check_flags=False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, r"workbooks are not written\. Write \.csv") for name in ("a.xlsx", "a.ods.gz")),
        ("live.json", "means no format"),
    ],
)
def test_what_is_not_written_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """The error says what to write instead, and nothing is written."""
    with pytest.raises(InputError, match=said):
        write_routes(SAMPLE, tmp_path / name)
    assert not list(tmp_path.iterdir())
