"""The inventories of data/ are what their maker says, and are judged as the oracle judges them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import vcokit as vk
from tests.audit.oracle import RULES, oracle
from tests.audit.test_rules import plain

DATA = Path(__file__).parents[2] / "data"
FIRST = ("special-purpose", "dest", ("127.0.0.0/8", "169.254.{b}.0/24"))
SECOND = ("shared-address-space", "dest", ("100.64.{b}.0/24",))
NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "weight_text"]


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    """Return the script that makes the inventories, as a module that reads its source once."""
    spec = importlib.util.spec_from_file_location("make_inventories", DATA / "make_inventories.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.published = cache(module.published)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def large(maker: ModuleType) -> list:
    """Return the rows of the large inventory, as they are made."""
    return maker.large()


def test_they_are_made_again_to_the_byte(maker: ModuleType) -> None:
    """The script makes the files that stand in the folder."""
    assert maker.main(["--check"]) is None


@pytest.mark.parametrize("name", ["routes.csv", "routes-small.csv", "routes-zh.csv"])
def test_they_are_judged_as_the_oracle_judges_them(name: str) -> None:
    """On each inventory, as read, the findings equal the oracle's, one by one."""
    routes = vk.read_routes(DATA / name)
    cells = routes[[*NAMES, "line"]].astype("object")
    expected = oracle(cells.where(cells.notna(), None).to_dict("records"))
    found = plain(vk.audit_routes(routes))
    for finding, wanted in zip(found, expected, strict=True):
        if wanted["suggestion"] is None:
            finding["suggestion"] = None  # the product may suggest more
        assert finding == wanted


def test_the_large_one_shows_every_rule(large: list) -> None:
    """Each mistake is found by the rule it is named after; each rule of rows speaks twice."""
    found = vk.audit_routes(vk.read_routes(DATA / "routes.csv"))
    mistakes = {row: one.mistake for row, one in enumerate(large) if one.mistake}
    assert set(mistakes.items()) <= set(zip(found["row"], found["rule"], strict=True))
    assert set(found.loc[found["severity"] == "error", "row"]) <= mistakes.keys()
    counts = found["rule"].value_counts()
    elsewhere = {"unknown-connection", "wrong-region", "not-attached", "already-live"}
    elsewhere |= {"live-conflict", "invalid-region", "description-too-long"}
    assert RULES.keys() - set(counts[counts > 0].index) == elsewhere
    assert set(counts[counts == 1].index) == {"quota-exceeded"}
    assert 2200 <= len(large) <= 2600


def test_the_small_ones_are_the_same_published_routes(maker: ModuleType) -> None:
    """English and Chinese differ in nothing but descriptions, and the prefixes are real."""
    one, other = (vk.read_routes(DATA / name) for name in ("routes-small.csv", "routes-zh.csv"))
    pd.testing.assert_frame_equal(one[NAMES], other[NAMES])
    found, same = vk.audit_routes(one), vk.audit_routes(other)
    columns = ["row", "rule", "suggestion", "api_code"]
    pd.testing.assert_frame_equal(found[columns], same[columns])
    published = {str(network) for networks in maker.published().values() for network in networks}
    errors = found.loc[found["severity"] == "error", "row"]
    assert set(one["route_dest"].drop(index=errors)) <= published


def test_a_new_kind_of_mistake_moves_no_other(
    maker: ModuleType, large: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind that comes later changes as many rows as it has values, all of them good ones."""
    before = large
    for later in ((FIRST,), (FIRST, SECOND)):
        monkeypatch.setattr(maker, "LATER", later)
        rows = maker.large()
        changed = [(old, new) for old, new in zip(before, rows, strict=True) if old != new]
        rule, _, values = later[-1]
        assert len(changed) == len(values)
        assert {old.mistake for old, _ in changed} == {""}
        assert {new.mistake for _, new in changed} == {rule}
        before = rows
