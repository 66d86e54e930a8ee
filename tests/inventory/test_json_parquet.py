"""JSON is read as the objects it holds, Parquet columns of any type as their text."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.cidr.interop import CidrType
from vcokit.errors import InventoryError

ROW = {
    "RegionId": "cn-hangzhou",
    "VpnConnectionId": "vco-a",
    "RouteDest": "10.1.0.0/16",
    "NextHop": "vco-a",
    "Weight": 100,
}


def lines(*rows: object) -> bytes:
    """Return objects a line each."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text('ab中"\\\n/\u2028', min_size=1, max_size=5)
)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.sampled_from(["Site", "ASN", "x"]), SCALAR), min_size=1))
def test_objects_are_rows(rows: list[dict[str, object]]) -> None:
    """Keys name columns wherever they first come, values are text, null and no key missing."""
    routes = vk.read_routes(lines(*({**ROW, **row} for row in rows)), format="jsonl")
    assert routes["line"].tolist() == list(range(1, len(rows) + 1))
    assert set(routes["weight"]) == {100}
    for key in {key for row in rows for key in row}:
        for row, cell in zip(rows, routes.get(key, pd.Series([None] * len(rows))), strict=True):
            value = row.get(key)
            text = json.dumps(value) if isinstance(value, bool) else str(value)
            text = "" if value is None else text.strip().strip("\u2028\n")
            assert ("" if pd.isna(cell) else cell) == text


def test_numbers_stay_as_they_are_written() -> None:
    """No number is rounded, none is too long, and what is no number of JSON is dirt."""
    data = lines(ROW).decode()
    texts = ["9" * 10_000, "1e400", "100.0", "NaN", "-Infinity", "0.10"]
    routes = vk.read_routes("".join(data.replace("100", text) for text in texts), format="jsonl")
    assert routes["weight"].tolist()[2] == 100
    assert routes["weight_text"].dropna().tolist() == [t for t in texts if t != "100.0"]


def test_lists_and_objects_are_cells() -> None:
    """A list is its items; a list of networks is as many rows; an object is shown as it is."""
    rows = {**ROW, "RouteDest": ["10.1.0.0/16", "10.2.0.0/16"], "tags": {"a": [1]}}
    routes = vk.read_routes(lines(rows))
    assert routes["route_dest"].tolist() == ["10.1.0.0/16", "10.2.0.0/16"]
    assert routes["line"].tolist() == [1, 1]
    assert routes["tags"].tolist() == ['{"a": [1]}'] * 2


def test_what_is_within_a_cell_is_json_as_it_was() -> None:
    """Numbers within objects and lists stay numbers, digit by digit; texts stay texts."""
    text = '{"a": 1, "b": [2.50, "3", null, true, 1e400, {"c": "é\\n"}], "d": 12345678901234567890}'
    row = lines(ROW).decode().strip().removesuffix("}") + f', "tags": {text}}}\n'
    assert vk.read_routes(row).at[0, "tags"] == text


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        ([None, "10.0.0.0/8"], ["10.0.0.0/8"]),
        (["10.0.0.0/8", None, "11.0.0.0/8", None], ["10.0.0.0/8", "11.0.0.0/8"]),
        ([None], [None]),
        ([], [None]),
    ],
)
def test_an_item_that_is_null_is_none(items: list[str | None], wanted: list[str | None]) -> None:
    """A null among the networks of a cell leaves the others as they are."""
    found = vk.read_routes(lines({**ROW, "RouteDest": items}))["route_dest"]
    assert [None if pd.isna(cell) else cell for cell in found] == wanted


ARRAYS = [
    json.dumps([ROW, {**ROW, "Site": "主"}]),
    json.dumps([ROW, {**ROW, "Site": "主"}], indent=1, ensure_ascii=False),
    f"\n [ {json.dumps(ROW)}\n,\n{json.dumps({**ROW, 'Site': '主'})} , ]\n",
]


@pytest.mark.parametrize("text", ARRAYS, ids=["line", "indented", "odd"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_a_list_of_objects_is_a_table(tmp_path: Path, text: str, encoding: str) -> None:
    """What other tools call JSON is read too, whatever its encoding, under any name."""
    path = tmp_path / "routes.json"
    path.write_bytes(text.encode(encoding))
    routes = vk.read_routes(path)
    assert routes["weight"].tolist() == [100, 100]
    assert routes["Site"].fillna("").tolist() == ["", "主"]
    lines = [
        number for number, line in enumerate(text.split("\n"), 1) for _ in range(line.count("{"))
    ]
    assert routes["line"].tolist() == lines


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32", "gb18030"])
def test_objects_are_known_in_any_encoding(encoding: str) -> None:
    """What JSON lines are is seen in their text, not in their bytes."""
    text = "".join(json.dumps(ROW | {"Site": "主"}, ensure_ascii=False) + "\r\n" for _ in "ab")
    routes = vk.read_routes(text.encode(encoding))
    assert routes["Site"].tolist() == ["主", "主"]
    assert routes.attrs["read"]["format"] == "jsonl"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "holds no object"),
        ('[\n{"a": 1}\n{"a": 2}]', "line 3: no comma before it"),
        ('[\n{"a": 1},\n7]', "line 3: a single value where an object belongs"),
        ('[\n{"a": 1},\n', "line 4: the list is not closed"),
        ('[{"a": 1}]\n[]', "line 2: something behind the list"),
        ('[{"a":\n' + "[" * 100_000, "line 1: far too deep"),
        ('[{"a": 1,\n"a": 2}]', "line 1: the key 'a' stands there twice"),
        ('{"a": ' + "[" * 900 + "]" * 900 + "}\n", "line 1: far too deep|no column for"),
    ],
)
def test_a_damaged_list_names_its_line(text: str, said: str) -> None:
    """One error says what is wrong with the list, and where."""
    with pytest.raises(InventoryError, match=said) as caught:
        vk.read_routes(text + "\n")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lines(ROW) + b"{", "line 2: no JSON: .*character 2"),
        (lines(ROW) + b"\n[1]", "line 3: a list where an object belongs"),
        (lines(ROW, 7), "line 2: a single value"),
        (b'{"Weight": 1, "Weight": 2}', "line 1: the key 'Weight' stands there twice"),
        (lines(ROW) + b'{"a": "\xff\xff"}', "byte 0xff is neither UTF-8 nor GB18030"),
        (lines({**ROW, "NextHop": "\ud800"}), "line 1: half of a surrogate"),
        (lines({**ROW, "\ud800": 1}), "is no character"),
        (lines({**ROW, "NextHop": "a\0"}), "line 1, column 'NextHop': a cell holds a NUL"),
        (lines({**ROW, "NextHop": "a" * 131_073}), "more than 131,072 characters"),
        (b'{"a":' + b"[" * 100_000, "line 1: far too deep"),
        (lines({"a": 1}), "no column for region_id, .* the columns here are 'a'"),
        (lines({f"k{n}": 1 for n in range(2000)}), "more than 1,000 different keys"),
        (b"\n\n", "holds no object"),
        (b"PK\x03\x04", "an Excel workbook"),
    ],
)
def test_what_is_no_object_names_its_line(data: bytes, said: str) -> None:
    """One error says what is wrong, where, and what to write."""
    with pytest.raises(InventoryError, match=said) as caught:
        vk.read_routes(io.BytesIO(data), format="jsonl")
    assert caught.value.remedy


ROWS = 3
BASE = {
    "region_id": ["cn-hangzhou"] * ROWS,
    "vpn_connection_id": ["VCO-A"] * ROWS,
    "route_dest": ["10.1.0.0/16", "10.2.0.0/16", None],
    "weight": [100, 0, None],
}


def stored(columns: dict[str, Any]) -> bytes:
    """Return a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    "weight",
    [
        pa.array([100, 0, None], pa.int8()),
        pa.array([100, 0, None], pa.float32()),
        pa.array([100, 0, None], pa.decimal128(5, 1)),
        pa.array(["100", "0", None]).dictionary_encode(),
        pa.array(["100.0", " 0 ", ""], pa.large_string()),
        pa.array([b"100", b"0", None], pa.binary()),
        pa.array([["100"], ["0"], None], pa.list_(pa.string())),
        pa.array([["100", None], [None, "0"], [None]], pa.list_(pa.string())),
        pa.array([100.0, 0.0, float("nan")]),
    ],
    ids=str,
)
def test_a_weight_is_one_in_any_type(weight: pa.Array) -> None:
    """Numbers, text, dictionaries, bytes and lists of one item are the same weights."""
    routes = vk.read_routes(stored({**BASE, "weight": weight}))
    assert routes["weight"].fillna(-1).tolist() == [100, 0, -1]
    assert routes["line"].isna().all()
    assert set(routes["vpn_connection_id"]) == {"vco-a"}


def test_other_types_are_their_text() -> None:
    """Truth, times, decimals, huge floats and structures come as text."""
    values = {
        "truth": pa.array([True, False, None]),
        "day": pa.array([datetime.date(2026, 5, 1), None, None]),
        "exact": pa.array([decimal.Decimal("1.50"), None, None]),
        "large": pa.array([1e17, 0.5, None]),
        "struct": pa.array([{"a": 1}, None, None]),
        "null": pa.nulls(ROWS),
    }
    found = vk.read_routes(stored({**BASE, **values})).iloc[0]
    assert found["truth"] == "true"
    assert (found["day"], found["exact"]) == ("2026-05-01", "1.50")
    assert (found["large"], found["struct"]) == ("100000000000000000", '{"a": 1}')


def test_a_cidr_column_is_read() -> None:
    """What pandas writes of a routes frame with a cidr column comes back as routes."""
    routes = vk.read_routes("region,connection,cidr,weight\nr,v,10.0.0.0/8,100\nr,v,,0\n")
    file = io.BytesIO()
    routes.assign(route_dest=routes["route_dest"].cidr.to_cidr()).to_parquet(file)
    back = vk.read_routes(file.getvalue())
    pd.testing.assert_frame_equal(back.iloc[:, :6], routes.iloc[:, :6], check_flags=False)


def test_bytes_of_no_interest_are_left_out() -> None:
    """A column of bytes that are no text keeps nobody from reading the others; it is noted."""
    blobs = {
        "first": [b"\xff", b"a", None],
        "text": [b"a", b"b", None],
        "last": [b"a", b"b", b"\x80"],
    }
    nested = {"list": [[b"a", b"\xff"], None, None]}
    routes = vk.read_routes(stored({**blobs, **BASE, **nested}))
    assert routes["text"].fillna("").tolist() == ["a", "b", ""]
    assert routes["list"].tolist()[0] == r"a, \xff"
    assert not {"first", "last"} & set(routes.columns)
    noted = "column 'first' holds bytes that are no text, and was left out"
    assert noted in routes.attrs["read"]["notes"]


def test_a_stored_prefix_that_is_none_is_malformed() -> None:
    """A length beyond 32 in a cidr column is for the audit to judge, and not absent."""
    numbers = [{"network": 10 << 24, "length": 40}, {"network": 10 << 24, "length": 8}, None]
    storage = pa.array(numbers, CidrType().storage_type)
    dests = pa.ExtensionArray.from_storage(CidrType(), storage)
    routes = vk.read_routes(stored({**BASE, "route_dest": dests}))
    assert routes["route_dest"].fillna("").tolist() == ["10.0.0.0/40", "10.0.0.0/8", ""]
    found = vk.audit_routes(routes)
    assert found[found["rule"] == "malformed-cidr"]["row"].tolist() == [0]


GOOD = stored(BASE)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD[:-9], "a damaged Parquet file"),
        (b"PAR1" + bytes(60) + b"PAR1", "a damaged Parquet file"),
        (b"region,cidr\n", "no Parquet file: it does not begin with PAR1"),
        (
            stored({**BASE, "route_dest": pa.array([b"\xff"] * 3)}),
            "column 'route_dest': bytes that",
        ),
        (stored({**BASE, "weight": ["a\0", "b", "c"]}), "column 'weight': row 0 holds a NUL"),
        (stored({"a": [1]}), "no column for region_id"),
        (stored({**BASE, "cidr": ["x"] * 3}), "more than one column for route_dest"),
    ],
)
def test_a_parquet_file_that_cannot_be_read_says_what_to_do(data: bytes, said: str) -> None:
    """One error names the file and a remedy."""
    with pytest.raises(InventoryError, match=said) as caught:
        vk.read_routes(data, format="parquet")
    assert caught.value.remedy
