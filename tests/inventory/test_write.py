"""What `write_routes` writes reads back equal, is safe in a spreadsheet, and is never half done."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError

HEADS = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
SIX = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
FORMULA = "=+-@＝＋－＠\t"
LETTERS = st.sampled_from("=+-@'\t\",;|\n\r 中éab\xa0\u3000" + INVISIBLE) | st.characters(
    exclude_categories=["Cs"], exclude_characters="\0"
)


def is_read_so(cell: str) -> bool:
    """Tell whether reading could have given a cell: no blanks at its ends.

    A tab may lead, from behind a protecting ``'``.
    """
    ends = cell[-1:] + ("" if cell.startswith("\t") else cell[:1])
    return bool(cell) and not any(end.isspace() or end in INVISIBLE for end in ends)


CELL = st.none() | st.text(LETTERS, min_size=1, max_size=8).filter(is_read_so)
NAME = st.none() | st.text(st.sampled_from("=+-@'\",;|\n\r ab中-"), min_size=1, max_size=8).filter(
    is_read_so
)
TEXTS = ["abc", "0100", "+100", "1e2", "=1", "'=1", "-", "-x,y", "１００", "主", "1\n2"]
WEIGHT = st.none() | st.integers(-(2**53), 2**53) | st.sampled_from([0, 100, *TEXTS])
#: No name that a file gives a field ends so.
EXTRA = st.text(LETTERS, max_size=6).map(lambda name: f"{name}x9").filter(is_read_so)


def routes_of(rows: int = 1, **columns: Any) -> pd.DataFrame:
    """Return a frame of routes in which nothing is known but some columns."""
    texts = [*SIX[:4], "description", "weight_text"]
    given = dict.fromkeys(texts, pd.Series([None] * rows, dtype="str"))
    given["weight"] = pd.Series([None] * rows, dtype="Int64")
    return pd.DataFrame(given)[[*SIX, "weight_text"]].assign(**columns)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a frame that reading could have given."""
    rows = draw(st.integers(0, 5))

    def some(cells: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(cells, min_size=rows, max_size=rows))

    weights = some(WEIGHT)
    texts = {name: some(NAME if name != "route_dest" else CELL) for name in SIX[:4]}
    texts["description"] = some(CELL)
    texts["weight_text"] = [w if isinstance(w, str) else None for w in weights]
    texts |= {name: some(CELL) for name in draw(st.lists(EXTRA, unique=True, max_size=2))}
    columns = {name: pd.Series(cells, dtype="str") for name, cells in texts.items()}
    whole = pd.array([w if isinstance(w, int) else pd.NA for w in weights], "Int64")
    routes = routes_of(rows, **columns, weight=whole)
    return routes[routes.notna().any(axis="columns")].reset_index(drop=True)


def stored(routes: pd.DataFrame, form: str) -> bytes:
    """Return what is written of routes in a format."""
    file = io.BytesIO()
    vk.write_routes(routes, file, format=form)
    return file.getvalue()


def written(routes: pd.DataFrame) -> str:
    """Return the CSV that is written of routes."""
    return stored(routes, "csv").decode()


def kept(routes: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a frame that a file keeps."""
    return routes.drop(columns=["source", "line"])


@settings(deadline=None, max_examples=25)
@given(frames())
@example(routes_of(5, route_dest=["a\rb", 'c"d', "e,f", "g\nh", "'i"]))
def test_what_is_written_reads_back_equal(routes: pd.DataFrame) -> None:
    """Every frame that reading could have given comes back equal, in each format.

    No cell of the CSV but a number starts with what a spreadsheet computes. It is what the csv
    module writes, which before 3.13 forgets to quote a CR; but for what some locale parts cells at.
    """
    text = written(routes)
    records = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(record) for record in records} == {routes.shape[1] - 1}
    assert len(records) == len(routes) + 1
    for cell in (cell for record in records for cell in record):
        assert not cell.startswith(tuple(FORMULA)) or float(cell) < 0
        assert cell[:1] != "'" or cell[1] in FORMULA + "'"
    if not re.search(r"[\r;|\t]", text):
        again = io.StringIO(newline="")
        csv.writer(again, lineterminator="\n").writerows(records)
        assert text == again.getvalue()
    cells = [*routes.columns, *routes.astype("str").fillna("").stack()]
    has_tab = any(cell.startswith("\t") for cell in cells)  # which only a protected cell can keep
    for form in ("csv", "jsonl", "parquet"):
        if form == "csv" or not (has_tab or routes.empty):
            data = stored(routes, form)
            back = vk.read_routes(data, format=form)
            pd.testing.assert_frame_equal(kept(back), routes, check_flags=False)
            assert stored(back, form) == data


@pytest.mark.parametrize("sign", "=＝＋－＠")
def test_no_locale_finds_a_formula(sign: str) -> None:
    """A full-width sign is a formula too, and no separator of any locale parts a cell."""
    for by in ";\t|,":
        cells = [f"{sign}1+1", f"x{by}{sign}1+1", f"'{sign}1"]
        text = written(routes_of(3, route_dest=cells, description=cells))
        assert f"'{sign}1+1" in text
        assert f'"x{by}{sign}1+1"' in text
        assert not [c for record in csv.reader(io.StringIO(text)) for c in record if c[:1] == sign]
        assert vk.read_routes(text)["description"].tolist() == cells


def test_the_form_is_that_of_the_api() -> None:
    """The API's names, comma, LF, empty cells for what is missing, text of a bad weight.

    The name of a column may look like a formula or hold a comma as well as a cell may; one that
    would be read as a field is marked.
    """
    head = 'site,cidr,connection,region,weight,备注,=1+1,"a,b",Prefix\n'
    text = f"{head}北,10.0.0.0/8,vco-a,r,100.0,=1,,,\n,,,,abc,,x,,alt\n"
    routes = vk.read_routes(text, columns={"route_dest": "cidr"})
    assert written(routes) == (
        f'{HEADS},site,\'=1+1,"a,b",Prefix (file)\n'
        "r,vco-a,10.0.0.0/8,vco-a,100,'=1,北,,,\n,,,,abc,,,x,,alt\n"
    )
    back = vk.read_routes(written(routes))
    assert list(back.columns)[-3:] == ["=1+1", "a,b", "Prefix (file)"]
    assert written(routes_of(0)) == HEADS + "\n"


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
    assert written(routes).splitlines() == [
        HEADS + ",Cost,7,when",
        "R,vco-a,10.0.0.0/8,vco-a,100,,-1.5,-1,2026-11-23",
        ",vco-a,,vco-a,,,,2,",
        ",vco-a, x ,vco-a,-5,,2.0,3,",
    ]


SAMPLE = vk.read_routes(
    "region,connection,cidr,weight,Site\nr,vco-中,10.0.0.0/8,100,=1+1\nr,v,,standby,\n"
)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV.gz", "a.jsonl", "a.ndjson.gz", "a.JSONL.ZST",
                                  "a.parquet", "a.pq", "a"])  # fmt: skip
def test_the_name_says_the_format(tmp_path: Path, name: str) -> None:
    """A path is written as what it is called, and compressed; files hold the same, in UTF-8."""
    vk.write_routes(SAMPLE, tmp_path / name)
    vk.write_routes(SAMPLE, str(tmp_path / f"_{name}"))
    data = (tmp_path / name).read_bytes()
    assert data == (tmp_path / f"_{name}").read_bytes()
    assert data.startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert data.startswith(b"\x28\xb5\x2f\xfd") == name.endswith(".ZST")
    back = vk.read_routes(tmp_path / name)
    pd.testing.assert_frame_equal(kept(back), kept(SAMPLE), check_flags=False)
    if name == "a.CSV.gz":
        text = io.StringIO()
        vk.write_routes(SAMPLE, text)
        assert gzip.decompress(data) == text.getvalue().encode() == stored(SAMPLE, "csv")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_long_frame_is_written_whole(form: str) -> None:
    """However many rows there are, and a cell of as many characters as may be."""
    routes = routes_of(20_500, route_dest=pd.Series(range(20_500)).astype("str"))
    routes.loc[0, "description"] = '"' * 131_072
    back = vk.read_routes(stored(routes, form), format=form)
    pd.testing.assert_frame_equal(kept(back), routes, check_flags=False)


def test_other_tools_read_what_is_written() -> None:
    """JSON lines are JSON with numbers as weights; Parquet has whole numbers where all are."""
    rows = [json.loads(line) for line in stored(SAMPLE, "jsonl").splitlines()]
    assert [row["weight"] for row in rows] == [100, "standby"]
    assert [row["Site"] for row in rows] == ["=1+1", None]
    table = pq.read_table(io.BytesIO(stored(SAMPLE.iloc[:1], "parquet")))
    assert table["weight"].to_pylist() == [100]
    assert str(table.schema.field("weight").type) == "int64"


def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends writing early, the path holds what it held, and nothing lies beside it."""
    path = tmp_path / "routes.csv"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        vk.write_routes(SAMPLE, path)
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["routes.csv"]


def test_a_file_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is synchronised before the name changes hands, and the name after.

    The mode of the file that is replaced, and a link that leads to it, stay.
    """
    path, link = tmp_path / "routes.csv", tmp_path / "link.csv"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    seen = []
    sync = os.fsync

    def watched(handle: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.read_text(encoding="utf-8")))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    vk.write_routes(routes_of(0), link)
    assert seen == [(False, "old"), (True, HEADS + "\n")]
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_pipes_are_written_to_not_replaced(tmp_path: Path) -> None:
    """What is there and is not a file, a pipe or a device, is written to and stays what it is."""
    path = tmp_path / "pipe.a"
    os.mkfifo(path)  # never a real device: run as root, a fault here would replace it
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    vk.write_routes(routes_of(0), path)
    assert path.is_fifo()
    assert os.read(reader, 1000).decode() == HEADS + "\n"
    os.close(reader)


def closed() -> io.BytesIO:
    """Return a closed file."""
    file = io.BytesIO()
    file.close()
    return file


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        *((name, {}, "cannot be written: .*a directory that exists")
          for name in ("none/a.csv", ".", "a\0b", "x" * 300)),
        ("a.xlsx", {}, r"workbooks cannot be written\. Write \.csv"),
        ("a.ods.gz", {}, r"workbooks cannot be written\. Write \.csv"),
        ("live.json", {}, "means no format"),
        ("a.csv", {"format": "xml"}, "format 'xml' is not known"),
        (5, {}, "written to a int"),
        (closed(), {}, "closed file"),
        (io.TextIOWrapper(io.BytesIO(), "ascii"), {}, "ascii"),
        (io.StringIO(), {"format": "parquet"}, 'mode "wb"'),
    ],
    ids=range(12),
)  # fmt: skip
def test_a_target_that_cannot_be_written_is_an_input_error(
    tmp_path: Path, target: Any, options: dict[str, str], said: str
) -> None:
    """The error names the target and what to write instead, and nothing is written."""
    if isinstance(target, str):
        target = tmp_path / target
    with pytest.raises(InputError, match=said) as caught:
        vk.write_routes(SAMPLE, target, **options)
    assert caught.value.remedy
    assert os.listdir(tmp_path) == []


def cell(value: str) -> Callable[[str], pd.DataFrame]:
    """Return what makes a frame with a bad cell in some column."""
    return lambda column: routes_of(2).assign(**{column: pd.Series(["x", value], dtype=object)})


def named(name: str) -> Callable[[str], pd.DataFrame]:
    """Return what makes a frame with a column of a bad name."""
    names = pd.Index([*SIX, name], dtype=object)  # else pandas refuses half a surrogate pair
    return lambda _: routes_of(0).astype(object).set_axis(names, axis=1)


@pytest.mark.parametrize("column", ["description", "Site"])
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (cell("a\0b"), "a NUL in row 1, which no file can"),
        (cell("x" * 131_073), "131,072 characters in row 1"),
        (cell("\ud800"), "half of a surrogate pair"),
        (named("a\0"), "a NUL in its name"),
        (named("\ud800"), "half of a surrogate pair"),
        (lambda _: SAMPLE.assign(**{"Prefix": "x", "Prefix (file)": "y"}), "two columns would be"),
        (lambda _: pd.concat([SAMPLE, SAMPLE[["description"]]], axis=1), "more than one column de"),
        (lambda _: pd.DataFrame(), "routes lacks the columns region_id"),
        (lambda _: None, "routes must be a DataFrame"),
    ],
    ids=range(9),
)
def test_what_no_file_can_hold_is_refused(
    tmp_path: Path, column: str, frame: Callable[[str], pd.DataFrame], said: str
) -> None:
    """What could not be read back is an input error before a file is touched."""
    for name in ("a.jsonl", "a.parquet") if said.startswith("two") else ("a.csv", "a.jsonl"):
        with pytest.raises(InputError, match=said):
            vk.write_routes(frame(column), tmp_path / name)
    assert os.listdir(tmp_path) == []
