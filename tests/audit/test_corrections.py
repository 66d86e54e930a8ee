"""Suggestions go into a new frame, each into its own cell, and only into the frame they are of."""

from __future__ import annotations

import ipaddress
import random

import pandas as pd
import pytest

from tests.inventories import REGIONS, draw
from vcokit import schema
from vcokit.audit import apply_suggestions, audit_routes
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


def test_every_suggested_cell_and_no_other() -> None:
    """Host bits go, masks become lengths, bare addresses get one; all else stays as it is."""
    cells = ("10.1.2.3/16", "10.2.0.0 255.255.0.0", "192.0.2.1", "nonsense", "10.9.0.0/16")
    given = routes(*cells, extra=range(5))
    kept = given.copy(deep=True)
    findings = audit_routes(given)
    corrected = apply_suggestions(given, findings)
    pd.testing.assert_frame_equal(given, kept)
    wanted = dict(findings.dropna(subset=["suggestion"])[["row", "suggestion"]].to_numpy())
    assert set(wanted) >= {0, 2}
    for row, cell in enumerate(corrected["route_dest"]):
        assert cell == wanted.get(row, kept["route_dest"][row])
    assert corrected["route_dest"][0] == str(ipaddress.ip_network("10.1.2.3/16", strict=False))
    others = [name for name in given.columns if name != "route_dest"]
    pd.testing.assert_frame_equal(corrected[others], kept[others])


def test_put_right_they_are_right() -> None:
    """Audited again, the corrected frame has none of the findings that had a suggestion."""
    given = routes("10.1.2.3/16", "10.2.0.0/255.255.0.0", "192.0.2.1", next_hop=["vco-a", None, ""])
    findings = audit_routes(given)
    assert findings["suggestion"].notna().sum() >= 4
    again = audit_routes(apply_suggestions(given, findings))
    assert not (again["severity"] == "error").any()


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_any_column_of_text(dtype: str) -> None:
    """A frame made by hand keeps working, whatever its strings are; so does its index."""
    given = routes("10.1.2.3/16", "10.2.0.0/16").astype({"route_dest": dtype})
    given.index = pd.Index([7, 7])
    corrected = apply_suggestions(given, audit_routes(given))
    assert corrected["route_dest"].tolist() == ["10.1.0.0/16", "10.2.0.0/16"]
    assert corrected.index.tolist() == [7, 7]


def test_numbers_stay_numbers() -> None:
    """A suggestion for a weight is put in as a number."""
    given = schema.conform_routes(routes("10.0.0.0/8"))
    one = audit_routes(routes("10.1.2.3/16")).head(1)
    finding = one.assign(column="weight", suggestion="0", route_dest="10.0.0.0/8")
    corrected = apply_suggestions(given, finding)
    assert corrected["weight"].dtype == given["weight"].dtype
    assert corrected["weight"].tolist() == [0]


def test_nothing_accepted_nothing_changed() -> None:
    """No findings give an equal frame, and a new one."""
    given = routes("10.1.2.3/16")
    corrected = apply_suggestions(given, audit_routes(given).head(0))
    pd.testing.assert_frame_equal(corrected, given)
    assert corrected is not given


def test_findings_of_other_routes_are_refused() -> None:
    """What was found elsewhere, or before rows moved, changes nothing here."""
    given = routes("10.0.0.0/8", "10.1.2.3/16")
    findings = audit_routes(given)
    with pytest.raises(InputError, match="not of these routes"):
        apply_suggestions(given.iloc[::-1], findings)
    with pytest.raises(InputError, match="names row 1"):
        apply_suggestions(given.head(1), findings)


def test_two_suggestions_for_one_cell_are_refused() -> None:
    """None wins by its position."""
    given = routes("10.1.2.3/16")
    finding = audit_routes(given).dropna(subset=["suggestion"])
    two = pd.concat([finding, finding.assign(suggestion="10.1.2.0/24")])
    with pytest.raises(InputError, match="different values for route_dest of row 0"):
        apply_suggestions(given, two)


@pytest.mark.parametrize("seed", range(60))
def test_what_one_audit_suggests_goes_together(seed: int) -> None:
    """All suggestions of an audit can be put in at once, whatever is live."""
    rng = random.Random(seed)
    drawn = draw(rng, 40, dirt=0.3)
    given, live = drawn.routes(), pd.DataFrame(drawn.connection_rows()).assign(name="bad")
    live["region_id"] = [rng.choice(REGIONS) for _ in range(len(live))]
    findings = audit_routes(given, connections=live)
    corrected = apply_suggestions(given, findings)
    left = audit_routes(corrected, connections=live)
    suggested = findings[findings["suggestion"].notna()]
    again = set(zip(left["row"], left["rule"], left["suggestion"], strict=True))
    assert not again & set(
        zip(suggested["row"], suggested["rule"], suggested["suggestion"], strict=True)
    )


def test_where_a_connection_is_live_decides_its_region() -> None:
    """The live region is suggested, not that of the connection's first row."""
    given = routes("10.0.0.0/8", "11.0.0.0/8", region_id=["cn-a", "cn-c"])
    live = pd.DataFrame({"vpn_connection_id": ["vco-a"], "region_id": ["cn-b"]})
    findings = audit_routes(given, connections=live)
    told = findings.set_index("rule")["suggestion"]
    assert told["wrong-region"].tolist() == ["cn-b", "cn-b"]
    assert pd.isna(told["region-mismatch"])
    assert apply_suggestions(given, findings)["region_id"].tolist() == ["cn-b", "cn-b"]
    assert audit_routes(given).set_index("rule").loc["region-mismatch", "suggestion"] == "cn-a"


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_name_is_put_right_in_both_cells(dtype: str) -> None:
    """The id that takes a name's place takes it in the next hop too, and nowhere else."""
    names = {"vpn_connection_id": ["depot", "Depot", "depot"], "next_hop": ["depot", None, "vco-b"]}
    given = routes("10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8", **names)
    given = given.astype(dict.fromkeys(names, dtype))
    live = pd.DataFrame(
        {"vpn_connection_id": ["vco-a"], "name": "depot", "region_id": "cn-hangzhou"}
    )
    corrected = apply_suggestions(given, audit_routes(given, connections=live))
    assert corrected["vpn_connection_id"].tolist() == ["vco-a"] * 3
    assert corrected["next_hop"].astype("str").fillna("").tolist() == ["vco-a", "", "vco-b"]
