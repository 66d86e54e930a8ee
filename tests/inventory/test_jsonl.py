"""JSON lines are read as the objects they are; what is no object names its line."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.errors import InventoryError
from vcokit.inventory import read_routes

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
    """Keys are heads wherever they first come, values text, null and no such key are missing."""
    routes = read_routes(lines(*({**ROW, **row} for row in rows)), format="jsonl")
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
    routes = read_routes("".join(data.replace("100", text) for text in texts), format="jsonl")
    assert routes["weight"].tolist()[2] == 100
    assert routes["weight_text"].dropna().tolist() == [t for t in texts if t != "100.0"]


def test_lists_and_objects_are_cells() -> None:
    """A list is its items; a list of networks is as many rows; an object is shown as it is."""
    rows = {**ROW, "RouteDest": ["10.1.0.0/16", "10.2.0.0/16"], "tags": {"a": [1]}}
    routes = read_routes(lines(rows))
    assert routes["route_dest"].tolist() == ["10.1.0.0/16", "10.2.0.0/16"]
    assert routes["line"].tolist() == [1, 1]
    assert routes["tags"].tolist() == ['{"a": ["1"]}'] * 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lines(ROW) + b"{", "line 2: no JSON: .*character 2"),
        (lines(ROW) + b"\n[1]", "line 3: a list where an object belongs"),
        (lines(ROW, 7), "line 2: a single value"),
        (b'{"Weight": 1, "Weight": 2}', "line 1: the key 'Weight' stands there twice"),
        (lines(ROW) + b'{"a": "\xff\xff"}', "byte 0xff is neither UTF-8 nor GB18030"),
        (lines({**ROW, "NextHop": "\ud800"}), "line 1, column 'NextHop': half of a surrogate"),
        (lines({**ROW, "\ud800": 1}), "is no character"),
        (lines({**ROW, "NextHop": "a\0"}), "line 1, column 'NextHop': a cell holds a NUL"),
        (lines({**ROW, "NextHop": "a" * 131_073}), "more than 131,072 characters"),
        (b'{"a":' + b"[" * 100_000, "line 1: far too deep"),
        (lines({"a": 1}), "no column for region_id, .* the heads here are 'a'"),
        (lines({f"k{n}": 1 for n in range(2000)}), "more than 1,000 different keys"),
        (b"\n\n", "holds no object"),
        (b"PK\x03\x04", "an Excel workbook"),
    ],
)
def test_what_is_no_object_names_its_line(data: bytes, said: str) -> None:
    """One error says what is wrong, where, and what to write."""
    with pytest.raises(InventoryError, match=said) as caught:
        read_routes(io.BytesIO(data), format="jsonl")
    assert caught.value.remedy
