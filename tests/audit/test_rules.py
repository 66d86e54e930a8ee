"""The audit's findings are those of a slow, independent reading of the same rules."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given

from tests.audit.oracle import RULES, oracle
from tests.inventories import Inventory, draw, inventories, routes_frame
from vcokit import schema
from vcokit.audit import audit_routes

LIVE = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
CONNECTION = ["vpn_connection_id", "region_id", "state", "attach_type", "transit_router_id"]
CONNECTION += ["attached"]
#: Rules for which the design names a suggestion; others may suggest more.
SUGGESTING = {"malformed-cidr", "host-bits-set"}


def plain(findings: pd.DataFrame) -> list[dict]:
    """Return findings in the oracle's words."""
    names = ["row", "rule", "severity", "column", "related_row", "api_code", "suggestion"]
    objects = findings[names].astype("object")
    return objects.where(findings[names].notna(), None).to_dict("records")


def assert_same(rows: list[dict], **given) -> None:
    """Assert that the audit finds what the oracle finds."""
    frames = {}
    if given.get("live") is not None:
        frames["live"] = pd.DataFrame(given["live"], columns=LIVE)
    if given.get("connections") is not None:
        frames["connections"] = pd.DataFrame(given["connections"], columns=CONNECTION)
    scope = given.get("scope", ("region_id",))
    found = plain(audit_routes(routes_frame(rows), **frames, quota=given.get("quota"), scope=scope))
    expected = oracle(rows, **given)
    for finding, wanted in zip(found, expected, strict=False):
        if wanted["rule"] not in SUGGESTING:
            finding["suggestion"] = None
        elif wanted["suggestion"] is None:
            finding["suggestion"] = None  # the product may put more right than digits and blanks
        assert finding == wanted
    assert len(found) == len(expected)


@pytest.mark.parametrize("block", range(12))
def test_random_inventories(block: int) -> None:
    """On random inventories with every kind of dirt the audit equals the oracle."""
    for seed in range(block * 50, block * 50 + 50):
        chance = random.Random(seed)
        drawn = draw(chance)
        rows, there = drawn.read(), {"live": drawn.live_rows()}
        there["connections"] = drawn.connection_rows()
        assert_same(rows)
        assert_same(rows, quota=drawn.quota)
        assert_same(rows, **there, quota=chance.choice([None, 3, 8]))


@given(inventories(size=8, dirt=0.3))
def test_small_inventories(drawn: Inventory) -> None:
    """What Hypothesis makes of the same dirt is judged the same; it shows the least that is not."""
    live, connections = drawn.live_rows(), drawn.connection_rows()
    assert_same(drawn.read(), live=live, connections=connections, quota=drawn.quota)


def test_order_and_columns() -> None:
    """Findings have fixed columns, are sorted by row, then rule, at most one of a rule a row."""
    findings = audit_routes(draw(random.Random(1), 60, dirt=0.3).routes())
    assert list(findings.columns) == list(schema.FINDINGS)
    keys = list(zip(findings["row"], findings["rule"].cat.codes, strict=True))
    assert keys == sorted(set(keys))
    assert findings["rule"].cat.ordered
    assert findings["rule"].cat.categories.tolist() == list(RULES)


def test_empty_has_all_columns() -> None:
    """An audit that finds nothing still has every column, with its dtype."""
    nothing = audit_routes(routes_frame([]))
    something = audit_routes(draw(random.Random(1), 60, dirt=0.3).routes())
    assert len(nothing) == 0
    assert dict(nothing.dtypes.drop("source")) == dict(something.dtypes.drop("source"))
