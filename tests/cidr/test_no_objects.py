"""What pandas does by value with a column of prefixes, it does without a Python object a row."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest

from vcokit import CidrArray

FRAME = pd.DataFrame(
    {
        "net": CidrArray(["10.1.0.0/16", None, "10.0.0.0/8", "10.1.0.0/16", None]),
        "n": range(5),
        "group": list("aabbb"),
    }
)
BY_VALUE: dict[str, Callable[[pd.DataFrame], object]] = {
    "factorize": lambda f: f.net.factorize(),
    "factorize, sorted": lambda f: pd.factorize(f.net, sort=True),
    "unique": lambda f: f.net.unique(),
    "nunique": lambda f: f.net.nunique(),
    "duplicated": lambda f: f.net.duplicated(),
    "duplicated, frame": lambda f: f.duplicated(["net", "group"]),
    "drop_duplicates": lambda f: f.drop_duplicates("net"),
    "sort_values": lambda f: f.sort_values("net"),
    "sort_values, two keys": lambda f: f.sort_values(["group", "net"], ascending=False),
    "argsort": lambda f: f.net.argsort(),
    "rank": lambda f: f.net.rank(),
    "searchsorted": lambda f: f.net.dropna().sort_values().searchsorted(f.net[0]),
    "is_monotonic": lambda f: f.net.is_monotonic_increasing,
    "groupby": lambda f: f.groupby("net").n.sum(),
    "groupby, missing": lambda f: f.groupby("net", dropna=False).n.sum(),
    "groupby, two keys": lambda f: f.groupby(["group", "net"]).n.sum(),
    "groupby, first": lambda f: f.groupby("group").net.first(),
    "groupby, min": lambda f: f.groupby("group").net.min(),
    "groupby, nunique": lambda f: f.groupby("group").net.nunique(),
    "merge": lambda f: f.merge(f, on="net"),
    "merge, left": lambda f: f.merge(f.drop_duplicates("net"), on="net", how="left"),
    "merge, outer": lambda f: f.merge(f, on="net", how="outer", sort=True),
    "merge, two keys": lambda f: f.merge(f, on=["group", "net"]),
    "value_counts": lambda f: f.net.value_counts(dropna=False),
    "isin": lambda f: f.net.isin(f.net[:2]),
    "mode": lambda f: f.net.mode(),
    "min": lambda f: f.net.min(),
    "hash": lambda f: pd.util.hash_pandas_object(f.net),
    "compare": lambda f: f.net < f.net[0],
    "equals": lambda f: f.net.equals(f.net),
    "where": lambda f: f.net.where(f.n > 2),
    "fillna": lambda f: f.net.fillna(f.net[0]),
    "ffill": lambda f: f.net.ffill(),
    "shift": lambda f: f.net.shift(),
    "concat": lambda f: pd.concat([f, f]),
    "take": lambda f: f.iloc[[4, 0]],
    "str": lambda f: f.net.astype("str"),
    "category": lambda f: f.net.astype("category"),
    "arrow": pa.Table.from_pandas,
    "pickle": lambda f: pickle.loads(pickle.dumps(f.net)),  # noqa: S301
    "accessor": lambda f: f.net.cidr.closest_cover(),
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_no_objects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done by value makes no array of objects and looks at no cell after another."""

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError(f"{name} goes through objects")

    expected = BY_VALUE[name](FRAME)
    for way in ("__iter__", "__array__", "to_numpy", "tolist"):
        monkeypatch.setattr(CidrArray, way, refuse)
    astype = CidrArray.astype
    monkeypatch.setattr(
        CidrArray,
        "astype",
        lambda self, dtype, copy=True: refuse() if dtype == "object" else astype(self, dtype, copy),
    )
    found = BY_VALUE[name](FRAME)
    monkeypatch.undo()
    assert str(found) == str(expected)
