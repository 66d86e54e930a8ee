"""Suggestions go into a new frame, each into its own cell, and only into the frame they are of."""

from __future__ import annotations

import random

import pandas as pd
import pytest

import vcokit as vk
from tests.inventories import REGIONS, draw
from vcokit.errors import InputError


def routes(*destinations: str, **columns: object) -> pd.DataFrame:
    """Return routes of one connection."""
    given = {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a", "next_hop": "vco-a"}
    return pd.DataFrame({**given, "route_dest": list(destinations), "weight": 100, **columns})


def suggested(findings: pd.DataFrame) -> set[tuple]:
    """Return row, rule and suggestion of the findings that have one."""
    made = findings[findings["suggestion"].notna()]
    return set(zip(made["row"], made["rule"], made["suggestion"], strict=True))


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_every_suggested_cell_and_no_other(dtype: str) -> None:
    """Whatever its strings are, all other cells stay as they are, and so does the index."""
    cells = ["10.1.2.3/16", "10.2.0.0 255.255.0.0", "192.0.2.1", "nonsense", "10.9.0.0/16"]
    given = routes(*cells, extra=range(5)).astype({"route_dest": dtype})
    given.index = pd.Index([7, 7, 8, 9, 9])
    kept = given.copy(deep=True)
    corrected = vk.apply_suggestions(given, vk.audit_routes(given))
    pd.testing.assert_frame_equal(given, kept)
    right = ["10.1.0.0/16", "10.2.0.0/16", "192.0.2.1/32", *cells[3:]]
    assert corrected["route_dest"].tolist() == right
    others = [name for name in given.columns if name != "route_dest"]
    pd.testing.assert_frame_equal(corrected[others], kept[others])


def test_a_weight_is_put_in_as_a_number_and_nothing_changes_nothing() -> None:
    """A suggestion for a weight is a number; no findings give an equal frame, and a new one."""
    given = vk.read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.1.2.3/16,100\n")
    found = vk.audit_routes(given)
    corrected = vk.apply_suggestions(given, found.assign(column="weight", suggestion="0"))
    assert corrected["weight"].dtype == given["weight"].dtype
    assert corrected["weight"].tolist() == [0]
    same = vk.apply_suggestions(given, found.head(0))
    pd.testing.assert_frame_equal(same, given)
    assert same is not given


def test_findings_that_do_not_fit_are_refused() -> None:
    """What was found elsewhere, or before rows moved, and two values for one cell."""
    given = routes("10.0.0.0/8", "10.1.2.3/16")
    found = vk.audit_routes(given)
    two = pd.concat([found, found.assign(suggestion="10.1.2.0/24")])
    for rows, findings, said in (
        (given.iloc[::-1], found, "not of these routes"),
        (given.head(1), found, "names row 1"),
        (given, two, "different values for route_dest of row 1"),
    ):
        with pytest.raises(InputError, match=said):
            vk.apply_suggestions(rows, findings)


def test_what_one_audit_suggests_goes_together_and_is_right() -> None:
    """All suggestions can be put in at once, whatever is live; audited again, they are gone."""
    rules = set()
    for seed in range(8):
        rng = random.Random(seed)
        drawn = draw(rng, 60, dirt=0.3)
        given, live = drawn.routes(), pd.DataFrame(drawn.connection_rows()).assign(name="bad")
        live["region_id"] = [rng.choice(REGIONS) for _ in range(len(live))]
        findings = vk.audit_routes(given, connections=live)
        left = vk.audit_routes(vk.apply_suggestions(given, findings), connections=live)
        assert not suggested(left) & suggested(findings)
        rules |= {rule for _, rule, _ in suggested(findings)}
    assert rules >= {"malformed-cidr", "host-bits-set", "wrong-region"}


def test_where_a_connection_is_live_decides_its_region() -> None:
    """The live region is suggested, not that of the connection's first row."""
    given = routes("10.0.0.0/8", "11.0.0.0/8", region_id=["cn-a", "cn-c"])
    live = pd.DataFrame({"vpn_connection_id": ["vco-a"], "region_id": ["cn-b"]})
    findings = vk.audit_routes(given, connections=live)
    assert suggested(findings) == {(row, "wrong-region", "cn-b") for row in (0, 1)}
    assert "region-mismatch" in set(findings["rule"])
    assert vk.apply_suggestions(given, findings)["region_id"].tolist() == ["cn-b", "cn-b"]
    assert suggested(vk.audit_routes(given)) == {(1, "region-mismatch", "cn-a")}


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_name_is_put_right_in_both_cells(dtype: str) -> None:
    """The id that takes a name's place takes it in the next hop too, and nowhere else."""
    names = {"vpn_connection_id": ["depot", "Depot", "depot"], "next_hop": ["depot", None, "vco-b"]}
    given = routes("10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8", **names)
    given = given.astype(dict.fromkeys(names, dtype))
    live = pd.DataFrame(
        {"vpn_connection_id": ["vco-a"], "name": "depot", "region_id": "cn-hangzhou"}
    )
    corrected = vk.apply_suggestions(given, vk.audit_routes(given, connections=live))
    assert corrected["vpn_connection_id"].tolist() == ["vco-a"] * 3
    assert corrected["next_hop"].astype("str").fillna("").tolist() == ["vco-a", "", "vco-b"]
