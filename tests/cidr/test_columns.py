"""The algebra, the rules and pandas work on columns: no step of Python and no object a row."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import vcokit as vk

FEW, MANY = 1_000, 4_000
WORK: dict[str, Callable[[pd.Series], object]] = {
    "network": lambda text: text.cidr.network,
    "prefix_length": lambda text: text.cidr.prefix_length,
    "flags": lambda text: text.cidr.flags,
    "to_cidr": lambda text: text.cidr.to_cidr(),
    "text": lambda text: text.cidr.to_cidr().astype("str"),
    "normalized": lambda text: text.cidr.normalized(),
    "overlaps": lambda text: text.cidr.overlaps(text.iloc[::-1]),
    "covered_by": lambda text: text.cidr.covered_by(text.iloc[::-1]),
    "closest_cover": lambda text: text.cidr.closest_cover(),
    "lookup": lambda text: text.cidr.lookup(text.str.partition("/")[0]),
    "aggregate": lambda text: text.cidr.aggregate(),
    "subtract": lambda text: text.cidr.subtract(text.iloc[::2]),
    "complement": lambda text: text.cidr.complement("10.0.0.0/8"),
    "audit": lambda text: vk.audit_routes(routes(text)),
}


def prefixes(rows: int) -> pd.Series:
    """Return prefixes that nest, repeat and stand side by side, some with host bits."""
    lengths = (16, 24, 24, 25, 32)
    cells = [f"10.{n % 7}.{n // 7 % 256}.{n % 3}/{lengths[n % 5]}" for n in range(rows)]
    return pd.Series(cells, dtype="str")


def routes(text: pd.Series) -> pd.DataFrame:
    """Return routes to prefixes, on a hundred connections."""
    names = "vco-" + pd.Series(range(len(text))).mod(100).astype("str")
    made = pd.DataFrame({"vpn_connection_id": names, "route_dest": text, "next_hop": names})
    return made.assign(region_id="cn-hangzhou", weight=100)


def steps(work: Callable[[], object]) -> int:
    """Return how many instructions of Python some work takes, in this thread."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", WORK)
def test_no_loop_over_rows(name: str) -> None:
    """What an operation costs beyond its columns does not grow with their rows."""
    few, many = prefixes(FEW), prefixes(MANY)
    WORK[name](few)  # what is loaded or made at the first use is no cost of rows
    assert steps(lambda: WORK[name](many)) < 1.3 * steps(lambda: WORK[name](few))


def test_a_loop_is_seen() -> None:
    """The count sees a loop, in a comprehension too."""
    cells = prefixes(MANY).tolist()
    assert steps(lambda: [cell for cell in cells]) > MANY  # noqa: C416


# -- by value, as pandas does it

FRAME = pd.DataFrame(
    {
        "net": vk.CidrArray(["10.1.0.0/16", None, "10.0.0.0/8", "10.1.0.0/16", None]),
        "n": range(5),
        "group": list("aabbb"),
    }
)
BY_VALUE: dict[str, Callable[[pd.DataFrame], object]] = {
    "factorize": lambda f: pd.factorize(f.net, sort=True),
    "duplicated": lambda f: f.duplicated(["net", "group"]),
    "sort_values": lambda f: f.sort_values(["group", "net"], ascending=False),
    "rank": lambda f: f.net.rank(),
    "searchsorted": lambda f: f.net.dropna().sort_values().searchsorted(f.net[0]),
    "is_monotonic": lambda f: f.net.is_monotonic_increasing,
    "groupby": lambda f: f.groupby("net", dropna=False).n.sum(),
    "groupby, two keys": lambda f: f.groupby(["group", "net"]).n.sum(),
    "groupby, of it": lambda f: f.groupby("group").net.agg(["first", "min", "nunique"]),
    "merge, outer": lambda f: f.merge(f, on="net", how="outer", sort=True),
    "merge, two keys": lambda f: f.merge(f, on=["group", "net"]),
    "value_counts": lambda f: f.net.value_counts(dropna=False),
    "isin": lambda f: f.net.isin(f.net[:2]),
    "mode": lambda f: (f.net.mode(), f.net.min()),
    "hash": lambda f: pd.util.hash_pandas_object(f.net),
    "compare": lambda f: (f.net < f.net[0], f.net.equals(f.net)),
    "fill": lambda f: (f.net.where(f.n > 2), f.net.fillna(f.net[0]), f.net.ffill(), f.net.shift()),
    "concat": lambda f: pd.concat([f, f]).iloc[[4, 0]],
    "cast": lambda f: (f.net.astype("str"), f.net.astype("category")),
    "arrow": pa.Table.from_pandas,
    "pickle": lambda f: pickle.loads(pickle.dumps(f.net)),  # noqa: S301
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_no_objects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done by value makes no array of objects and looks at no cell after another."""

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError(f"{name} goes through objects")

    expected = BY_VALUE[name](FRAME)
    for way in ("__iter__", "__array__", "to_numpy", "tolist"):
        monkeypatch.setattr(vk.CidrArray, way, refuse)
    astype = vk.CidrArray.astype
    monkeypatch.setattr(
        vk.CidrArray,
        "astype",
        lambda self, dtype, copy=True: refuse() if dtype == "object" else astype(self, dtype, copy),
    )
    found = BY_VALUE[name](FRAME)
    monkeypatch.undo()
    assert str(found) == str(expected)
