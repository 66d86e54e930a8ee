"""What findings say of other rows and of odd cells, and what an audit cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vcokit as vk
from benchmarks.inventories import Inventory, Shape
from tests.audit.test_rules import ELEVEN, INSIDE, TEN, audited, row
from vcokit.errors import InputError


def messages(found: pd.DataFrame, rule: str) -> list[str]:
    """Return the messages of a rule."""
    return found.loc[found["rule"] == rule, "message"].tolist()


@pytest.mark.parametrize(
    "given",
    [*({"quota": quota} for quota in (-1, True, "1", 1.5, np.int64(-1))), {"rules": ["quotas"]}],
)
def test_what_cannot_be_asked(given: dict) -> None:
    """A quota that is not a number of routes, and a rule that is not there, are refused by name."""
    with pytest.raises(InputError, match="quota"):
        vk.audit_routes(pd.DataFrame([row(TEN)]), **given)


def test_counting(tmp_path: Path, shell: Callable[..., Any]) -> None:
    """Rules are counted with the worst first; rows with several findings count once."""
    path = tmp_path / "routes.csv"
    cells = ["11.0.0.1/8", "11.0.0.1/8", TEN, INSIDE]
    vk.write_routes(pd.DataFrame([row(cell) for cell in cells]), path)
    told = json.loads(shell("audit", path, "--format", "json")[1])
    counted = [(one["rule"], one["severity"], one["rows"]) for one in told["rules"]]
    errors = [("host-bits-set", "error", 2), ("duplicate", "error", 1)]
    assert counted == [*errors, ("covered", "info", 1)]
    assert told["counts"]["rows"] == {"error": 2, "warning": 0, "info": 1}


# -- rows are named by their lines, and by their files --------------------------------------------


def test_rows_are_named_by_line_and_file() -> None:
    """Where rows have lines, messages tell them, and the file of a row that is in another file."""
    found = audited([row(TEN, line=7), row(TEN, line=9)])
    assert found[["line", "related_line"]].to_numpy().tolist() == [[9, 7]]
    assert messages(found, "duplicate") == ["same route as line 7"]
    assert messages(audited([row(TEN), row(TEN)]), "duplicate") == ["same route as row 0"]
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
    if rule == "region-mismatch":
        rows[["vpn_connection_id", "next_hop"]] = "vco-a"
    first = rows.at[0, column] if column in rows else "t"
    rows = rows.drop(columns="weight_text")
    rows[column] = pd.Series([first, "vco-a\udc80"], dtype=dtype)
    found = vk.audit_routes(rows, scope=["region_id"])
    (finding,) = found[found["rule"] == rule].to_dict("records")
    if column != "tr":
        assert "vco-a\\udc80" in (finding.get(column) or "") + finding["message"]
    vk.audit_routes(rows, scope=["region_id", column])
    vk.apply_suggestions(rows, found)
    vk.explain(rows, "10.1.2.3", scope=["region_id", column])


@pytest.mark.parametrize(
    ("rule", "cells"),
    [
        ("invalid-connection-id", "cn-a,vco-{z},10.9.0.0/16,vco-{z},100,d"),
        ("next-hop-mismatch", "cn-a,vco-a,10.9.0.0/16,vco-{z},100,d"),
        ("invalid-region", "{z},vco-q,10.9.0.0/16,vco-q,100,d"),
        ("description-too-long", "cn-a,vco-a,10.9.0.0/16,vco-a,100,{z}"),
    ],
)
def test_what_no_request_carries_blocks_its_row_alone(rule: str, cells: str) -> None:
    """A cell too long for a request is a finding; a plan blocks its row and makes the others."""
    head = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
    good = "cn-a,vco-a,10.1.0.0/16,vco-a,100,d"
    routes = vk.read_routes("\n".join([head, good, cells.format(z="z" * 70_000)]) + "\n")
    found = vk.audit_routes(routes)
    (finding,) = found[found["severity"] == "error"].to_dict("records")
    assert (finding["rule"], finding["row"], finding["line"]) == (rule, 1, 3)
    assert len(finding["message"]) < 200 or not rule.startswith("invalid")
    steps = vk.plan_routes(routes, routes.iloc[:0]).steps
    assert steps["action"].tolist() == ["create", "blocked"]


@pytest.mark.parametrize("rule", ["covered", "duplicate"])
def test_many_connections_of_many_destinations(rule: str) -> None:
    """However many there are, each row meets its own and no other; so with as many scopes."""
    count = 50_000
    ids = [f"vco-{number}" for number in range(count)]
    dests = [
        f"10.{n >> 8}.{n & 255}.0/{length}"
        for length in (25, 26 if rule == "covered" else 25)
        for n in range(count)
    ]
    routes = pd.DataFrame({"region_id": "r", "vpn_connection_id": ids * 2, "route_dest": dests})
    routes = routes.assign(next_hop=routes["vpn_connection_id"], weight=100, site=ids * 2)
    found = vk.audit_routes(routes, scope="site", rules=rule)
    assert found["row"].tolist() == list(range(count, 2 * count))
    assert (found["row"] - found["related_row"] == count).all()


def test_live_routes_that_are_no_destination_routes() -> None:
    """Rows for connections that are not listed, and routes learnt by BGP, are passed over."""
    live = pd.DataFrame([row(TEN), row(None, None)]).assign(route_entry_type=["custom", "unlisted"])
    assert vk.audit_routes(live).empty
    learnt = live.iloc[:1].assign(route_entry_type="bgp")
    assert vk.audit_routes(live.iloc[:1], live=learnt).empty
    assert vk.audit_routes(live.iloc[:1], live=live)["rule"].tolist() == ["already-live"]


# -- what blocks a row of a plan is said in the row's own step ------------------------------------


@pytest.mark.parametrize(
    ("rows", "steps"),
    [
        (
            [*(row(f"10.{n}.0.0/16") for n in range(51)), row("127.0.0.0/8", 0)],
            [("create", None)] * 52,
        ),
        (
            [row(TEN), row("11.0.0.1/8", 7, next_hop="vco-b")],
            [
                ("create", None),
                (
                    "blocked",
                    "invalid-weight: weight '7' is neither 0 (standby) nor 100 (active); "
                    "host-bits-set: 11.0.0.1/8 has host bits set; its network is 11.0.0.0/8; "
                    "next-hop-mismatch: next hop vco-b is not the connection vco-a; may be refused",
                ),
            ],
        ),
        (
            [row(TEN), row(TEN, 0)],
            [
                ("blocked", "a later row gives the same route another weight or next hop"),
                ("blocked", "weight-conflict: row 0 gives the same route the weight 100"),
            ],
        ),
        (
            [row("10.0.0.1/8"), row(TEN), row(TEN)],
            [
                ("blocked", "host-bits-set: 10.0.0.1/8 has host bits set; its network is " + TEN),
                ("create", None),
                ("blocked", "duplicate: same route as row 0"),
            ],
        ),
    ],
    ids=["a warning blocks nothing", "all its errors", "rows that disagree", "a repeat"],
)
def test_a_blocked_row_says_why(rows: list[dict], steps: list[tuple]) -> None:
    """It names all its errors in the order of the rules; of rows that disagree each says so.

    The first row without an error is the one that is made, the rows after it are repeats.
    """
    routes = pd.DataFrame(rows)
    made = vk.plan_routes(routes, routes.iloc[:0]).steps
    said = made["message"].astype("object").where(made["message"].notna(), None)
    assert list(zip(made["action"], said, strict=True)) == steps


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
