"""Suggestions go into a new frame, each into its own cell, and only into the frame they are of."""

from __future__ import annotations

import ipaddress
import random

import pandas as pd
import pytest

import vcokit as vk
from tests.inventories import REGIONS, draw
from vcokit.errors import InputError


def routes(*destinations: str, **columns: object) -> pd.DataFrame:
    """Return routes of one connection."""
    given = {
        "region_id": "cn-hangzhou",
        "vpn_connection_id": "vco-a",
        "route_dest": list(destinations),
        "next_hop": "vco-a",
        "weight": 100,
    }
    return pd.DataFrame({**given, **columns})


def suggested(findings: pd.DataFrame) -> set[tuple]:
    """Return row, rule and suggestion of the findings that have one."""
    made = findings[findings["suggestion"].notna()]
    return set(zip(made["row"], made["rule"], made["suggestion"], strict=True))


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_every_suggested_cell_and_no_other(dtype: str) -> None:
    """Whatever its strings are, all other cells stay as they are, and so does the index."""
    cells = ("10.1.2.3/16", "10.2.0.0 255.255.0.0", "192.0.2.1", "nonsense", "10.9.0.0/16")
    given = routes(*cells, extra=range(5)).astype({"route_dest": dtype})
    given.index = pd.Index([7, 7, 8, 9, 9])
    kept = given.copy(deep=True)
    findings = vk.audit_routes(given)
    corrected = vk.apply_suggestions(given, findings)
    pd.testing.assert_frame_equal(given, kept)
    wanted = {row: text for row, _, text in suggested(findings)}
    assert set(wanted) >= {0, 2}
    network = str(ipaddress.ip_network("10.1.2.3/16", strict=False))
    assert corrected["route_dest"].iloc[0] == wanted[0] == network
    assert corrected["route_dest"].tolist() == [wanted.get(n, cell) for n, cell in enumerate(cells)]
    others = [name for name in given.columns if name != "route_dest"]
    pd.testing.assert_frame_equal(corrected[others], kept[others])


def test_put_right_they_are_right() -> None:
    """Audited again, the corrected frame has none of the findings that had a suggestion."""
    for given in (
        routes("10.1.2.3/16", "10.2.0.0/255.255.0.0", "192.0.2.1", next_hop=["vco-a", None, ""]),
        vk.read_routes("data/routes.csv"),
    ):
        findings = vk.audit_routes(given)
        errors = findings[(findings["severity"] == "error") & findings["suggestion"].notna()]
        assert {"malformed-cidr", "host-bits-set"} <= set(errors["rule"])
        again = vk.audit_routes(vk.apply_suggestions(given, errors))
        left = set(zip(again["row"], again["rule"], strict=True))
        assert not left & set(zip(errors["row"], errors["rule"], strict=True))


def test_numbers_stay_numbers() -> None:
    """A suggestion for a weight is put in as a number."""
    given = vk.read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.1.2.3/16,100\n")
    finding = vk.audit_routes(given).assign(column="weight", suggestion="0")
    corrected = vk.apply_suggestions(given, finding)
    assert corrected["weight"].dtype == given["weight"].dtype
    assert corrected["weight"].tolist() == [0]


def test_nothing_accepted_nothing_changed() -> None:
    """No findings give an equal frame, and a new one."""
    given = routes("10.1.2.3/16")
    corrected = vk.apply_suggestions(given, vk.audit_routes(given).head(0))
    pd.testing.assert_frame_equal(corrected, given)
    assert corrected is not given


def test_findings_that_do_not_fit_are_refused() -> None:
    """What was found elsewhere, or before rows moved, and two values for one cell."""
    given = routes("10.0.0.0/8", "10.1.2.3/16")
    findings = vk.audit_routes(given)
    with pytest.raises(InputError, match="not of these routes"):
        vk.apply_suggestions(given.iloc[::-1], findings)
    with pytest.raises(InputError, match="names row 1"):
        vk.apply_suggestions(given.head(1), findings)
    two = pd.concat([findings, findings.assign(suggestion="10.1.2.0/24")])
    with pytest.raises(InputError, match="different values for route_dest of row 1"):
        vk.apply_suggestions(given, two)


@pytest.mark.parametrize("seed", range(30))
def test_what_one_audit_suggests_goes_together(seed: int) -> None:
    """All suggestions of an audit can be put in at once, whatever is live."""
    rng = random.Random(seed)
    drawn = draw(rng, 40, dirt=0.3)
    given, live = drawn.routes(), pd.DataFrame(drawn.connection_rows()).assign(name="bad")
    live["region_id"] = [rng.choice(REGIONS) for _ in range(len(live))]
    findings = vk.audit_routes(given, connections=live)
    left = vk.audit_routes(vk.apply_suggestions(given, findings), connections=live)
    assert not suggested(left) & suggested(findings)


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
