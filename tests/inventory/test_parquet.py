"""Parquet columns of any type are the text that Arrow and Python write of them."""

from __future__ import annotations

import datetime
import decimal
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vcokit as vk
from vcokit.cidr.interop import CidrType
from vcokit.errors import InventoryError
from vcokit.inventory import parquet, read_routes
from vcokit.schema import ROUTES

SIX = list(ROUTES)[:6]
ROWS = 3
BASE = {
    "region_id": ["cn-hangzhou"] * ROWS,
    "vpn_connection_id": ["VCO-A"] * ROWS,
    "route_dest": ["10.1.0.0/16", "10.2.0.0/16", None],
    "weight": [100, 0, None],
}


def stored(columns: dict[str, object], **options: object) -> bytes:
    """Return a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
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
    routes = read_routes(stored({**BASE, "weight": weight}))
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
    found = read_routes(stored({**BASE, **values})).iloc[0]
    assert found["truth"] == "true"
    assert (found["day"], found["exact"]) == ("2026-05-01", "1.50")
    assert (found["large"], found["struct"]) == ("100000000000000000", '{"a": 1}')


def test_a_cidr_column_is_read() -> None:
    """What pandas writes of a routes frame with a cidr column comes back as routes."""
    routes = read_routes("region,connection,cidr,weight\nr,v,10.0.0.0/8,100\nr,v,,0\n")
    file = io.BytesIO()
    routes.assign(
        route_dest=vk.CidrArray.from_text(routes["route_dest"])
        if hasattr(vk.CidrArray, "from_text")
        else routes["route_dest"].cidr.to_cidr()
    ).to_parquet(file)
    back = read_routes(file.getvalue())
    pd.testing.assert_frame_equal(back[SIX], routes[SIX], check_flags=False)


def test_bytes_of_no_interest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of bytes that are no text keeps nobody from reading the others; it is noted."""
    monkeypatch.setattr(parquet, "_BATCH", 2)
    blobs = {
        "first": [b"\xff", b"a", None],
        "text": [b"a", b"b", None],
        "last": [b"a", b"b", b"\x80"],
    }
    nested = {"list": [[b"a", b"\xff"], None, None]}
    routes = read_routes(stored({**blobs, **BASE, **nested}))
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
    routes = read_routes(stored({**BASE, "route_dest": dests}))
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
def test_what_cannot_be_read_says_what_to_do(data: bytes, said: str) -> None:
    """One error names the file and a remedy."""
    with pytest.raises(InventoryError, match=said) as caught:
        read_routes(data, format="parquet")
    assert caught.value.remedy


def test_rows_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes can stand for any number of equal rows; they are counted as they come."""
    equal = {name: pa.array([str(values[0])] * 300_000) for name, values in BASE.items()}
    data = stored(equal)
    assert len(data) < 20_000
    monkeypatch.setattr(parquet, "ROWS", 150_000)
    with pytest.raises(InventoryError, match="more than 150,000 rows"):
        read_routes(data)
