"""What is written in any format reads back equal, and is written whole or not at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inventory.test_write import frames, kept
from vcokit.audit import audit_routes
from vcokit.errors import InputError
from vcokit.inventory import read_routes, write_routes

ROUTES = read_routes("region,connection,cidr,weight,Site\nr,v,10.0.0.0/8,100,=1+1\nr,v,,standby,\n")


def written(routes: pd.DataFrame, format: str) -> bytes:  # noqa: A002
    """Return what is written of routes."""
    file = io.BytesIO()
    write_routes(routes, file, format=format)
    return file.getvalue()


def has_tab(routes: pd.DataFrame) -> bool:
    """Tell whether a cell leads with a tab, which only a protected cell can keep."""
    return any(
        routes[name].astype("str").str.startswith("\t", na=False).any() for name in kept(routes)
    )


@settings(max_examples=50)
@given(frames(), st.sampled_from(["jsonl", "parquet"]))
def test_every_format_reads_back_equal(routes: pd.DataFrame, form: str) -> None:
    """Every frame that reading could have given comes back equal, and is written equal again."""
    if has_tab(routes) or any(name.startswith("\t") for name in routes.columns):
        return
    if form == "jsonl" and routes.empty:
        return
    data = written(routes, form)
    back = read_routes(data, format=form)
    pd.testing.assert_frame_equal(kept(back), kept(routes), check_flags=False)
    assert written(back, form) == data


def test_other_tools_read_what_is_written() -> None:
    """JSON lines are JSON with numbers as weights; Parquet has whole numbers where all are."""
    rows = [json.loads(line) for line in written(ROUTES, "jsonl").splitlines()]
    assert [row["weight"] for row in rows] == [100, "standby"]
    assert [row["Site"] for row in rows] == ["=1+1", None]
    table = pq.read_table(io.BytesIO(written(ROUTES.iloc[:1], "parquet")))
    assert table["weight"].to_pylist() == [100]
    assert str(table.schema.field("weight").type) == "int64"


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.pq", "a.ndjson", "a.csv"])
def test_the_name_says_the_format(tmp_path: Path, name: str) -> None:
    """A path is written as what it is called."""
    write_routes(ROUTES, tmp_path / name)
    back = read_routes(tmp_path / name)
    pd.testing.assert_frame_equal(kept(back), kept(ROUTES), check_flags=False)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods", "a.xlsm.gz"])
def test_workbooks_are_not_written(tmp_path: Path, name: str) -> None:
    """The error says to write CSV instead, and nothing is written."""
    with pytest.raises(InputError, match=r"workbooks are not written\. Write \.csv"):
        write_routes(ROUTES, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        (ROUTES.assign(Site="a\0"), "holds a NUL"),
        (ROUTES.assign(**{"Prefix": "x", "Prefix (file)": "y"}), "two columns would be called"),
        (ROUTES.drop(columns="weight"), "lacks the column weight"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, routes: pd.DataFrame, said: str
) -> None:
    """An error comes before a file does."""
    for name in ("a.jsonl", "a.parquet"):
        with pytest.raises(InputError, match=said):
            write_routes(routes, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_parquet_is_no_text() -> None:
    """A text file cannot take Parquet in."""
    with pytest.raises(InputError, match="mode"):
        write_routes(ROUTES, io.StringIO(), format="parquet")


SAVED = {
    "parquet": lambda routes, path: routes.to_parquet(path),
    "jsonl": lambda routes, path: routes.to_json(path, orient="records", lines=True),
    "csv": lambda routes, path: routes.to_csv(path, index=False),
}


@pytest.mark.parametrize("form", SAVED)
def test_a_frame_that_pandas_saved_is_the_same_inventory(tmp_path: Path, form: str) -> None:
    """What stood in place of a weight comes back, source and line are those of this reading."""
    path = tmp_path / f"routes.{form}"
    SAVED[form](ROUTES, path)
    back = read_routes(path)
    pd.testing.assert_frame_equal(kept(back), kept(ROUTES), check_flags=False, check_dtype=False)
    assert set(back["source"]) == {str(path)}
    noted = "columns weight_text, source, line taken for those of an earlier reading"
    assert any(note.startswith(noted) for note in back.attrs["read"]["notes"])
    rules = [audit_routes(one)["rule"].astype("str").tolist() for one in (ROUTES, back)]
    assert rules[0] == rules[1]


def test_columns_of_those_names_may_be_somebody_elses() -> None:
    """A line or source alone, or text beside a weight, is kept as any other column."""
    row = {"region": "r", "connection": "v", "cidr": "10.0.0.0/8", "weight": 100}
    others = {"source": "CMDB", "line": 7, "weight_text": "full"}
    back = read_routes(json.dumps(row | others) + "\n")
    assert back["weight"].tolist() == [100]
    assert back["weight_text (file)"].tolist() == ["full"]
    del others["weight_text"]
    back = read_routes(json.dumps(row | others) + "\n")
    assert back[["source (file)", "line (file)"]].to_numpy().tolist() == [["CMDB", "7"]]
