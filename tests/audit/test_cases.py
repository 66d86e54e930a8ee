"""What findings say of other rows and of odd cells, and what an audit cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vcokit as vk
from benchmarks.inventories import Inventory, Shape
from tests.audit.test_rules import ELEVEN, INSIDE, TEN, audited, row
from vcokit.cli import main
from vcokit.errors import InputError


def messages(found: pd.DataFrame, rule: str) -> list[str]:
    """Return the messages of a rule."""
    return found.loc[found["rule"] == rule, "message"].tolist()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        *(
            ({"quota": quota}, "quota")
            for quota in (-1, True, "1", 1.5, float("inf"), np.int64(-1))
        ),
        ({"rules": ["duplicates"]}, "duplicates"),
    ],
)
def test_what_cannot_be_asked(given: dict, told: str) -> None:
    """A quota that is no number of routes, and a rule that is not there, are refused by name."""
    with pytest.raises(InputError, match=told):
        vk.audit_routes(pd.DataFrame([row(TEN)]), **given)


def test_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules are counted with the worst first; rows with several findings count once."""
    cells = ["11.0.0.1/8", "11.0.0.1/8", TEN, INSIDE]
    routes, report = tmp_path / "routes.csv", tmp_path / "report.json"
    vk.write_routes(pd.DataFrame([row(cell) for cell in cells]), routes)
    monkeypatch.setattr("sys.argv", ["vcokit", "audit", str(routes), "--output", str(report)])
    with pytest.raises(SystemExit):
        main()
    told = json.loads(report.read_text())
    counted = [(one["rule"], one["severity"], one["rows"]) for one in told["rules"]]
    errors = [("host-bits-set", "error", 2), ("duplicate", "error", 1)]
    assert counted == [*errors, ("covered", "info", 1)]
    assert told["counts"]["rows"] == {"error": 2, "warning": 0, "info": 1}


# -- rows are named by their lines, and by their files --------------------------------------------


def test_lines() -> None:
    """Where lines are known, messages and related_line speak of lines; else of rows."""
    found = audited([row(TEN, line=7), row(TEN, line=9), row("x", line=11)])
    assert found["line"].tolist() == [9, 11]
    assert found["related_line"].tolist() == [7, pd.NA]
    assert messages(found, "duplicate") == ["same route as line 7"]
    assert messages(audited([row(TEN), row(TEN)]), "duplicate") == ["same route as row 0"]


def test_lines_of_another_file_are_told_with_the_file() -> None:
    """Where rows of several files meet, a message names the file of a row that is in another."""
    places = [("a.csv", 2), ("b.csv", 2), ("b.csv", 3), (None, 2), (None, None)]
    rows = [row(TEN, 0 if line == 3 else 100, source=name, line=line) for name, line in places]
    found = audited(rows)
    assert messages(found, "duplicate") == ["same route as a.csv, line 2"] * 3
    assert messages(found, "weight-conflict") == [
        "a.csv, line 2 gives the same route the weight 100",
        *["b.csv, line 3 gives the same route the weight 0"] * 2,
    ]
    # A line of no file would be looked for in the row's own: the row is told.
    assert messages(audited([rows[3], rows[0]]), "duplicate") == ["same route as row 0"]


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("region-mismatch", row(ELEVEN, region_id="s")),
        ("equal-cost", row(TEN, connection="vco-b")),
        ("covered", row(INSIDE)),
        ("more-specific", row(INSIDE, connection="vco-b")),
    ],
)
def test_every_message_tells_files_apart(rule: str, other: dict) -> None:
    """Each rule that speaks of another row names that row's file where it is not the row's own."""
    for file in ("a.csv", "b.csv"):
        first = row(TEN, source="a.csv", line=2)
        found = audited([first, {**other, "source": file, "line": 3}])
        assert ("a.csv, line 2" in messages(found, rule)[-1]) == (file == "b.csv")


# -- odd cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("vpn_connection_id", "invalid-connection-id"),
        ("next_hop", "next-hop-mismatch"),
        ("route_dest", "malformed-cidr"),
        ("weight", "invalid-weight"),
        ("region_id", "region-mismatch"),
        ("source", "more-specific"),
        ("tr", "more-specific"),
    ],
)
@pytest.mark.parametrize("dtype", ["object", "string[python]"])
def test_half_a_surrogate_pair_is_a_bad_cell(column: str, rule: str, dtype: str) -> None:
    """Text that no file can hold is judged as it is spelt out, wherever it stands."""
    rows = pd.DataFrame([row(TEN), row(INSIDE, connection="vco-b")])
    cells = rows.loc[[0, 0], column] if column in rows else ["t", "t"]
    if rule == "region-mismatch":
        rows[["vpn_connection_id", "next_hop"]] = "vco-a"
    rows = rows.drop(columns="weight_text")
    rows[column] = pd.Series([*cells[:1], "vco-a\udc80"], dtype=dtype)
    found = vk.audit_routes(rows, scope=["region_id"])
    (finding,) = found[found["rule"] == rule].to_dict("records")
    if column != "tr":
        assert "vco-a\\udc80" in (finding.get(column) or "") + finding["message"]
    vk.audit_routes(rows, scope=["region_id", column])
    vk.apply_suggestions(rows, found)
    vk.explain(rows, "10.1.2.3", scope=["region_id", column])


LONG = {
    "invalid-connection-id": "cn-a,vco-{z},10.9.0.0/16,vco-{z},100,d",
    "next-hop-mismatch": "cn-a,vco-a,10.9.0.0/16,vco-{z},100,d",
    "invalid-region": "{z},vco-q,10.9.0.0/16,vco-q,100,d",
    "description-too-long": "cn-a,vco-a,10.9.0.0/16,vco-a,100,{z}",
}


@pytest.mark.parametrize("rule", LONG)
def test_what_no_request_carries_blocks_its_row_alone(rule: str) -> None:
    """A cell too long for a request is a finding; a plan blocks its row and makes the others."""
    head = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
    good = [f"cn-a,vco-a,10.{n}.0.0/16,vco-a,100,d" for n in range(3)]
    routes = vk.read_routes("\n".join([head, *good, LONG[rule].format(z="z" * 70_000)]) + "\n")
    found = vk.audit_routes(routes)
    (finding,) = found[found["severity"] == "error"].to_dict("records")
    assert (finding["rule"], finding["row"], finding["line"]) == (rule, 3, 5)
    if rule.startswith("invalid"):
        assert len(finding["message"]) < 200
    plan = vk.plan_routes(routes, routes.iloc[:0])
    assert plan.steps["action"].tolist() == ["create"] * 3 + ["blocked"]


def test_many_connections_of_many_destinations() -> None:
    """What is covered is found however many destinations and connections there are."""
    count = 50_000
    ids = [f"vco-{number}" for number in range(count)]
    dests = [f"10.{n >> 8}.{n & 255}.0/{length}" for length in (25, 26) for n in range(count)]
    columns = {"region_id": "r", "vpn_connection_id": [*ids, *ids], "route_dest": dests}
    routes = pd.DataFrame(columns)
    routes = routes.assign(next_hop=routes["vpn_connection_id"], weight=100)
    found = vk.audit_routes(routes)
    assert found["rule"].unique().tolist() == ["covered"]
    assert found["row"].tolist() == list(range(count, 2 * count))
    assert (found["row"] - found["related_row"] == count).all()


def test_many_scopes() -> None:
    """Rows of one connection and network meet, however many scopes and connections there are."""
    sites = np.arange(10_000).repeat(3)
    ids = [f"vco-{2 * site + second}" for site in range(10_000) for second in (0, 1, 0)]
    routes = pd.DataFrame({"region_id": "r", "vpn_connection_id": ids, "route_dest": TEN})
    routes = routes.assign(next_hop=ids, weight=100, site=sites.astype("str"))
    found = vk.audit_routes(routes, scope="site", rules="duplicate")
    assert found["row"].tolist() == list(range(2, 30_000, 3))
    assert (found["row"] - found["related_row"] == 2).all()


def test_live_routes_that_are_no_destination_routes() -> None:
    """Rows for connections that are not listed, and routes learnt by BGP, are passed over."""
    live = pd.DataFrame([row(TEN), row(None, None)]).assign(route_entry_type=["custom", "unlisted"])
    assert vk.audit_routes(live).empty
    learnt = live.iloc[:1].assign(route_entry_type="bgp")
    assert vk.audit_routes(live.iloc[:1], live=learnt).empty
    assert vk.audit_routes(live.iloc[:1], live=live)["rule"].tolist() == ["already-live"]


def test_any_number_of_processors(tmp_path: Path) -> None:
    """Routes and findings are the same whether one processor works on them or eight."""
    path = Inventory(Shape(50_000, dirt=0.03)).write(tmp_path / "routes.csv")
    frames = []
    usual = pa.cpu_count()
    try:
        for count in (1, 8):
            pa.set_cpu_count(count)
            routes = vk.read_routes(path)
            frames.append((routes, vk.audit_routes(routes)))
    finally:
        pa.set_cpu_count(usual)
    for one, several in zip(*frames, strict=True):
        pd.testing.assert_frame_equal(one, several)
