"""JSON is read as the objects it holds, Parquet columns of any type as their text."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk

ROW = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-a", "RouteDest": "10.1.0.0/16"}
ROW |= {"NextHop": "vco-a", "Weight": 100}
NESTED = '{"a": 1, "b": [2.50, "3", null, true, 1e400, {"c": "é\\n"}], "d": 12345678901234567890}'


def lines(*rows: object) -> bytes:
    """Return objects a line each."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


TEXT = st.text('ab中"\\\n/\u2028', min_size=1, max_size=5)
SCALAR = st.none() | st.booleans() | st.integers() | TEXT


@settings(deadline=None, max_examples=25)
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


@pytest.mark.parametrize(
    ("value", "cells"),
    [
        *((text, [text]) for text in ("9" * 10_000, "1e400", "NaN", "-Infinity", "0.10", "true")),
        *((text, [None]) for text in ("null", "[null]", "[]")),
        ('["10.1.0.0/16", "10.2.0.0/16"]', ["10.1.0.0/16", "10.2.0.0/16"]),
        ('[null, "10.0.0.0/8", null, "11.0.0.0/8"]', ["10.0.0.0/8", "11.0.0.0/8"]),
        (NESTED, [NESTED]),
    ],
    ids=range(12),
)
def test_values_are_as_they_are_written(value: str, cells: list[str | None]) -> None:
    """No number is rounded, none is too long; a list is its items, an object itself, as JSON."""
    text = lines({**ROW, "RouteDest": 7}).decode().replace("7", value)
    found = vk.read_routes(text, format="jsonl")
    assert [None if pd.isna(cell) else cell for cell in found["route_dest"]] == cells
    assert set(found["line"]) == {1}


MORE = {**ROW, "Site": "主"}
TEXTS = {
    "lines": "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in (ROW, MORE)),
    "list": json.dumps([ROW, MORE]),
    "indented": json.dumps([ROW, MORE], indent=1, ensure_ascii=False),
    "odd": f"\n [ {json.dumps(ROW)}\n,\n{json.dumps(MORE)} , ]\n",
    "pretty": f"{json.dumps(ROW, indent=1)}\n{json.dumps(MORE, indent=1)}\n",
}


@pytest.mark.parametrize("form", TEXTS)
def test_objects_are_known_in_any_encoding(form: str) -> None:
    """One behind the other or in a list, what other tools call JSON is seen in the text."""
    text = TEXTS[form]
    starts = [
        number for number, line in enumerate(text.split("\n"), 1) for _ in range(line.count("{"))
    ]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "gb18030"):
        routes = vk.read_routes(text.encode(encoding))
        assert routes["weight"].tolist() == [100, 100]
        assert routes["Site"].fillna("").tolist() == ["", "主"]
        assert routes["line"].tolist() == starts
        assert routes.attrs["read"]["format"] == "jsonl"


BASE = {
    "region_id": ["cn-hangzhou"] * 3,
    "vpn_connection_id": ["VCO-A"] * 3,
    "route_dest": ["10.1.0.0/16", "10.2.0.0/16", None],
    "weight": [100, 0, None],
}


def stored(columns: dict[str, Any]) -> bytes:
    """Return a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def first(value: object) -> pa.Array:
    """Return a column whose first cell is given, the others missing."""
    return pa.array([value, None, None])


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


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (first(True), "true"),
        (first(datetime.date(2026, 5, 1)), "2026-05-01"),
        (first(decimal.Decimal("1.50")), "1.50"),
        (first(1e17), "100000000000000000"),
        (first(0.5), "0.5"),
        (first({"a": 1}), '{"a": 1}'),
        (first({"a": datetime.date(2026, 5, 1)}), '{"a": "2026-05-01"}'),
        (first([datetime.date(2026, 5, 1), None]), "2026-05-01"),
        (first([1.5, 2.0]), "1.5, 2.0"),
        (first(b"a"), "a"),
        (first([b"a", b"\xff"]), r"a, \xff"),
        (pa.nulls(3), ""),
    ],
    ids=range(12),
)
def test_other_types_are_their_text(column: pa.Array, text: str) -> None:
    """Truth, times, decimals, huge floats, bytes and structures come as text."""
    routes = vk.read_routes(stored({**BASE, "other": column}))
    assert routes["other"].fillna("").tolist() == [text, "", ""]


def test_bytes_of_no_interest_are_left_out() -> None:
    """A column of bytes that are no text keeps nobody from reading the others; it is noted."""
    last = pa.array([b"a", b"b", b"\x80"])
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\xff" * 16] * 3, pa.binary(16)))
    blobs = {"first": [b"\xff", b"a", None], "last": last, "coded": last.dictionary_encode()}
    routes = vk.read_routes(stored({**blobs, **BASE, "uuid": uuid}))
    assert not {"first", "last", "coded", "uuid"} & set(routes.columns)
    noted = "column 'first' holds bytes that are no text, and was left out"
    assert noted in routes.attrs["read"]["notes"]


def test_a_cidr_column_is_read() -> None:
    """What pandas writes of a routes frame with a cidr column comes back as routes.

    A length beyond 32, which another program may write, is for the audit to judge, and not absent.
    """
    routes = vk.read_routes("region,connection,cidr,weight\nr,v,10.0.0.0/8,100\nr,v,,0\n")
    file = io.BytesIO()
    routes.assign(route_dest=routes["route_dest"].cidr.to_cidr()).to_parquet(file)
    back = vk.read_routes(file.getvalue())
    pd.testing.assert_frame_equal(back.iloc[:, :6], routes.iloc[:, :6], check_flags=False)
    kind = pq.read_table(io.BytesIO(file.getvalue())).schema.field("route_dest").type
    numbers = [{"network": 10 << 24, "length": 40}, {"network": 10 << 24, "length": 8}, None]
    dests = pa.ExtensionArray.from_storage(kind, pa.array(numbers, kind.storage_type))
    routes = vk.read_routes(stored({**BASE, "route_dest": dests}))
    assert routes["route_dest"].fillna("").tolist() == ["10.0.0.0/40", "10.0.0.0/8", ""]
