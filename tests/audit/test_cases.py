"""The inventories of data/ are judged as the oracle judges them; cases that the design names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.audit.oracle import oracle
from tests.audit.test_rules import CONNECTION, LIVE, assert_same, plain
from vcokit import schema
from vcokit.audit import apply_suggestions, audit_routes, explain
from vcokit.cli import main
from vcokit.errors import InputError
from vcokit.inventory import read_routes, write_routes
from vcokit.rollout.plan import plan_routes

DATA = Path(__file__).parents[2] / "data"
NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "weight_text"]


def as_rows(routes: pd.DataFrame) -> list[dict]:
    """Return a routes frame as the oracle reads it."""
    frame = routes[[*NAMES, "line"]].astype("object")
    return frame.where(routes[[*NAMES, "line"]].notna(), None).to_dict("records")


def row(dest: str | None, weight: object = 100, connection: str = "vco-a", **cells) -> dict:
    """Return one row."""
    number = weight if isinstance(weight, int) else None
    text = weight if isinstance(weight, str) else None
    base = {
        "region_id": "r",
        "vpn_connection_id": connection,
        "route_dest": dest,
        "next_hop": connection,
        "weight": number,
        "weight_text": text,
    }
    return {**base, **cells}


def audit(*rows: dict, **given) -> pd.DataFrame:
    """Audit rows, and hold the findings to the oracle while at it."""
    full = [{"source": None, "line": None, **one} for one in rows]
    assert_same(full, **given)
    frames = {k: v for k, v in given.items() if k in ("quota", "scope")}
    if "live" in given:
        frames["live"] = pd.DataFrame(given["live"], columns=LIVE)
    if "connections" in given:
        frames["connections"] = pd.DataFrame(given["connections"], columns=CONNECTION)
    return audit_routes(pd.DataFrame(full).astype({"weight": "Int64"}), **frames)


def said(found: pd.DataFrame, rule: str) -> list[tuple]:
    """Return row, related row and API code of a rule's findings."""
    part = found.loc[found["rule"] == rule, ["row", "related_row", "api_code"]].astype("object")
    return [tuple(None if pd.isna(cell) else cell for cell in one) for one in part.to_numpy()]


@pytest.mark.parametrize("name", ["routes.csv", "routes-small.csv", "routes-zh.csv"])
def test_the_inventories(name: str) -> None:
    """On each inventory of data/, as read, the findings equal the oracle's, one by one."""
    routes = read_routes(DATA / name)
    found = plain(audit_routes(routes))
    expected = oracle(as_rows(routes))
    assert [(f["row"], f["rule"]) for f in found] == [(f["row"], f["rule"]) for f in expected]
    for finding, wanted in zip(found, expected, strict=True):
        for key in ("severity", "column", "related_row", "api_code"):
            assert finding[key] == wanted[key], wanted
        if wanted["suggestion"] is not None:
            assert finding["suggestion"] == wanted["suggestion"]


def test_the_small_inventory_in_two_languages() -> None:
    """The Chinese export holds the same routes and gets the same findings."""
    one, other = (read_routes(DATA / name) for name in ("routes-small.csv", "routes-zh.csv"))
    pd.testing.assert_frame_equal(one[NAMES], other[NAMES])
    columns = ["row", "rule", "suggestion", "api_code"]
    pd.testing.assert_frame_equal(audit_routes(one)[columns], audit_routes(other)[columns])


# A scene in which every rule speaks, so that each can be missed.
SCENE = [
    row(None),
    row("10.0.0.0/8", "heavy"),
    row("10.0.0.0/8", connection="bad"),
    row("10.0.0.0/8", connection="vco-gone"),
    row("10.0.0.0/8", connection="vco-far"),
    row("10.0.0.0/8", connection="vco-loose"),
    row("10.0.0.0/8"),
    row("10.0.0.0/8", region_id="q"),
    row("10.0.0.0"),
    row("2001:db8::/32"),
    row("10.0.0.1/8", 0),
    row("0.0.0.0/0"),
    row("12.0.0.0/8", next_hop="vco-b"),
    row("12.0.0.0/8"),
    row("100.64.0.0/16"),
    row("127.0.0.0/16"),
    row("10.1.0.0/16", 0),
    row("13.0.0.0/8"),
    row("14.0.0.0/8"),
    row("13.1.0.0/16"),
    row("17.0.0.0/8", connection="vco-c", region_id="r_1"),
    row("18.0.0.0/8", description="d" * 6_001),
    *(row(f"20.{n}.0.0/16") for n in range(60)),
]
SCENE_LIVE = [
    {
        **dict.fromkeys(LIVE),
        "vpn_connection_id": "vco-a",
        "route_dest": d,
        "next_hop": "vco-a",
        "weight": w,
    }
    for d, w in (("13.0.0.0/8", 100), ("14.0.0.0/8", 0))
]
SCENE_CONNECTIONS = [
    {"vpn_connection_id": name, "region_id": region, "attach_type": kind, "transit_router_id": "t"}
    for name, region, kind in (
        ("vco-a", "r", "CEN"),
        ("bad", "r", "CEN"),
        ("vco-far", "elsewhere", "CEN"),
        ("vco-loose", "r", "VPNGW"),
    )
]
GIVEN = {"live": SCENE_LIVE, "connections": SCENE_CONNECTIONS, "quota": 50}


def test_the_scene_has_every_rule() -> None:
    """In one scene all rules speak, and as the oracle has it."""
    found = audit(*SCENE, **GIVEN)
    assert set(found["rule"]) == set(found["rule"].cat.categories)


# -- the cases that the design names --------------------------------------------------------------


def test_100_0_100() -> None:
    """Of [w100, w0, w100] the second conflicts; the third meets the first, which was accepted."""
    found = audit(row("10.0.0.0/8", 100), row("10.0.0.0/8", 0), row("10.0.0.0/8", 100))
    assert said(found, "weight-conflict") == [(1, 0, "VpnRouteEntry.Conflict"), (2, 1, None)]
    assert said(found, "duplicate") == [(2, 0, "VpnRouteEntry.AlreadyExists")]


def test_quota_of_one_and_two_equal_rows() -> None:
    """The twin of an accepted row is a duplicate, not past the quota."""
    found = audit(row("10.0.0.0/8"), row("10.0.0.0/8"), row("11.0.0.0/8"), quota=1)
    assert said(found, "duplicate") == [(1, 0, "VpnRouteEntry.AlreadyExists")]
    assert said(found, "quota-exceeded") == [(2, None, "CreateDbrRoutesQuotaFull.QuotaFull")]


def test_twins_of_a_row_past_the_quota() -> None:
    """With the quota used up, the twin of a refused row is refused for the quota too."""
    found = audit(row("10.0.0.0/8"), row("11.0.0.0/8"), row("11.0.0.0/8"), quota=1)
    assert [one[0] for one in said(found, "quota-exceeded")] == [1, 2]
    assert said(found, "duplicate") == [(2, 1, None)]


def test_leading_zero_of_a_length() -> None:
    """/08 is malformed, and nothing is guessed."""
    found = audit(row("10.0.0.0/08"))
    assert said(found, "malformed-cidr") == [(0, None, "IllegalParam.RouteDest")]
    assert found["suggestion"].isna().all()


def test_a_refused_row_before_its_accepted_twin() -> None:
    """The twin of a refused row is accepted, though it is a duplicate of that row's network."""
    found = audit(row("10.0.0.1/8"), row("10.0.0.0/8"))
    assert said(found, "host-bits-set") == [(0, None, "IllegalParam.RouteDest")]
    assert said(found, "duplicate") == [(1, 0, None)]


def test_scope_of_more_columns() -> None:
    """Destinations meet within the scope that is asked for, by a column of the file's own."""
    rows = [row("10.0.0.0/8", tr="t1"), row("10.0.0.0/8", connection="vco-b", tr="t2")]
    assert not said(audit(*rows, scope=("region_id", "tr")), "equal-cost")
    assert len(said(audit(*rows), "equal-cost")) == 2


def test_chosen_rules() -> None:
    """rules= runs those alone; an unknown one is named."""
    frame = pd.DataFrame(SCENE).astype({"weight": "Int64"})
    assert set(audit_routes(frame, rules=["duplicate"])["rule"]) == {"duplicate"}
    with pytest.raises(InputError, match="duplicates"):
        audit_routes(frame, rules=["duplicates"])


@pytest.mark.parametrize("quota", [-1, True, "1", 1.5, float("inf"), np.int64(-1)])
def test_a_quota_that_is_none(quota: object) -> None:
    """What is not a number of routes is refused by name."""
    with pytest.raises(InputError, match="quota"):
        audit_routes(pd.DataFrame(SCENE), quota=quota)


def test_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules are counted with the worst first; rows with several findings count once."""
    cells = ["11.0.0.1/8", "11.0.0.1/8", "10.0.0.0/8", "10.1.0.0/16"]
    routes, report = tmp_path / "routes.csv", tmp_path / "report.json"
    write_routes(pd.DataFrame([row(cell) for cell in cells]), routes)
    monkeypatch.setattr("sys.argv", ["vcokit", "audit", str(routes), "--output", str(report)])
    with pytest.raises(SystemExit):
        main()
    said = json.loads(report.read_text())
    counted = [(one["rule"], one["severity"], one["rows"]) for one in said["rules"]]
    errors = [("host-bits-set", "error", 2), ("duplicate", "error", 1)]
    assert counted == [*errors, ("covered", "info", 1)]
    assert said["counts"]["rows"] == {"error": 2, "warning": 0, "info": 1}


def test_related_lines_and_places() -> None:
    """Where lines are known, messages and related_line speak of lines; else of rows."""
    rows = [row("10.0.0.0/8", line=7), row("10.0.0.0/8", line=9)]
    found = audit(*rows)
    duplicate = found[found["rule"] == "duplicate"].iloc[0]
    assert (duplicate["line"], duplicate["related_line"]) == (9, 7)
    assert duplicate["message"] == "same route as line 7"
    assert "row 0" in audit(row("10.0.0.0/8"), row("10.0.0.0/8"))["message"].iloc[0]


def test_lines_of_another_file_are_told_with_the_file() -> None:
    """Where rows of several files meet, a message names the file of a row that is in another."""
    files = ["a.csv", "b.csv", "b.csv", None, None]
    lines = [2, 2, 3, 2, None]
    rows = [row("10.0.0.0/8", source=s, line=n) for s, n in zip(files, lines, strict=True)]
    rows[2]["weight"] = 0
    found = audit_routes(pd.DataFrame(rows).astype({"weight": "Int64", "line": "Int64"}))
    told = found[found["rule"].isin(["duplicate", "weight-conflict"])]
    assert list(zip(told["row"], told["message"], strict=True)) == [
        (1, "same route as a.csv, line 2"),
        (2, "a.csv, line 2 gives the same route the weight 100"),
        (3, "same route as a.csv, line 2"),
        (3, "b.csv, line 3 gives the same route the weight 0"),
        (4, "same route as a.csv, line 2"),
        (4, "b.csv, line 3 gives the same route the weight 0"),
    ]
    # A line of no file would be looked for in the row's own: the row is told.
    one, other = {**rows[3]}, {**rows[0]}
    found = audit_routes(pd.DataFrame([one, other]).astype({"line": "Int64"}))
    assert said_of(found, "duplicate") == ["same route as row 0"]


def test_what_no_plan_makes_covers_nothing() -> None:
    """A destination is covered by what a plan makes alone: repeats do no harm, blocked rows do."""
    wide, narrow = row("100.0.0.0/8"), row("100.1.0.0/16")  # 100/8 touches 100.64/10: an error
    assert said(audit(wide, narrow), "covered") == []
    assert said(audit(wide, narrow), "more-specific") == []
    wide, narrow = row("10.0.0.0/8"), row("10.1.0.0/16")
    assert said(audit(wide, wide, narrow), "covered") == [(2, 0, None)]
    assert said(audit(row("10.0.0.1/8"), wide, narrow), "covered") == [(2, 0, None)]
    other = row("10.0.0.0/8", weight=0)
    both = [narrow, row("10.1.0.0/16", weight=0)]
    assert said(audit(wide, other, *both), "covered") == []
    # Nothing is lost with a row that no plan makes; half a destination is another thing.
    assert said(audit(wide, row("10.1.0.1/16")), "covered") == [(1, 0, None)]
    pair = [wide, row("10.0.0.0/8", connection="vco-b"), narrow]
    assert said(audit(*pair, row("10.1.0.1/16", connection="vco-b")), "covered") == []
    assert len(said(audit(*pair, row("10.1.0.0/16", connection="vco-b")), "covered")) == 2
    # Neither by the quota, nor where another region's row of the connection is the one that stands.
    assert said(audit(row("11.0.0.0/8"), wide, narrow, quota=1), "covered") == []
    elsewhere = [row("10.0.0.0/8", region_id="s"), wide, narrow]
    assert said(audit(*elsewhere), "covered") == []
    assert set(audit_routes(pd.DataFrame([wide, narrow]), rules="covered")["row"]) == {1}
    blocked = [row("100.0.0.0/8"), row("100.1.0.0/16")]
    assert audit_routes(pd.DataFrame(blocked), rules="covered").empty


def said_of(found: pd.DataFrame, rule: str) -> list[str]:
    """Return the messages of a rule."""
    return found.loc[found["rule"] == rule, "message"].tolist()


@pytest.mark.parametrize("rule", ["region-mismatch", "equal-cost", "covered", "more-specific"])
def test_every_message_tells_files_apart(rule: str) -> None:
    """Each rule that speaks of another row names that row's file where it is not the row's own."""
    scene = {
        "region-mismatch": [row("10.0.0.0/8"), row("11.0.0.0/8", region_id="s")],
        "equal-cost": [row("10.0.0.0/8"), row("10.0.0.0/8", connection="vco-b")],
        "covered": [row("10.0.0.0/8"), row("10.1.0.0/16")],
        "more-specific": [row("10.0.0.0/8"), row("10.1.0.0/16", connection="vco-b")],
    }[rule]
    beside = [{**one, "source": "a.csv", "line": n + 2} for n, one in enumerate(scene)]
    assert "a.csv" not in said_of(audit(*beside), rule)[-1]
    beside[1]["source"] = "b.csv"
    assert "a.csv, line 2" in said_of(audit(*beside), rule)[-1]


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
    rows = pd.DataFrame([row("10.0.0.0/8"), row("10.1.0.0/16", connection="vco-b")])
    cells = rows.loc[[0, 0], column] if column in rows else ["t", "t"]
    if rule == "region-mismatch":
        rows[["vpn_connection_id", "next_hop"]] = "vco-a"
    rows = rows.drop(columns="weight_text")
    rows[column] = pd.Series([*cells[:1], "vco-a\udc80"], dtype=dtype)
    found = audit_routes(rows, scope=["region_id"])
    (finding,) = found[found["rule"] == rule].to_dict("records")
    if column != "tr":
        assert "vco-a\\udc80" in (finding.get(column) or "") + finding["message"]
    audit_routes(rows, scope=["region_id", column])
    apply_suggestions(rows, found)
    explain(rows, "10.1.2.3", scope=["region_id", column])


def test_what_may_be_put_in_the_cell_mends_it() -> None:
    """Put into its cell, each suggestion makes the finding go away, and no error comes."""
    routes = read_routes(DATA / "routes.csv")
    found = audit_routes(routes)
    errors = found[(found["severity"] == "error") & found["suggestion"].notna()]
    assert set(errors["rule"]) >= {"malformed-cidr", "host-bits-set", "next-hop-mismatch"}
    mended = routes.copy()
    for one in errors.itertuples():
        mended.loc[one.row, one.column] = one.suggestion
    after = audit_routes(mended)
    left = set(zip(after["row"], after["rule"], strict=True))
    assert not left & set(zip(errors["row"], errors["rule"], strict=True))


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
    long = LONG[rule].format(z="z" * 70_000)
    routes = read_routes("\n".join([head, *good, long]) + "\n")
    found = audit_routes(routes)
    (finding,) = found[found["severity"] == "error"].to_dict("records")
    assert (finding["rule"], finding["row"], finding["line"]) == (rule, 3, 5)
    plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    assert plan.steps["action"].tolist() == ["create"] * 3 + ["blocked"]


@pytest.mark.parametrize(
    ("region", "fits"), [("c" * 63, True), ("c" * 64, False), ("cn_a", False), ("-cn", False)]
)
def test_a_region_is_a_label_of_a_host_name(region: str, fits: bool) -> None:
    """What cannot be part of a host name is no region; DNS takes 63 characters."""
    found = audit(row("10.0.0.0/8", region_id=region))
    assert found["rule"].tolist() == ([] if fits else ["invalid-region"])


def test_many_connections_of_many_destinations() -> None:
    """What is covered is found however many destinations and connections there are."""
    count = 50_000
    ids = [f"vco-{number}" for number in range(count)]
    dests = [f"10.{n >> 8}.{n & 255}.0/{length}" for length in (25, 26) for n in range(count)]
    columns = {"region_id": "r", "vpn_connection_id": [*ids, *ids], "route_dest": dests}
    routes = pd.DataFrame(columns)
    routes = routes.assign(next_hop=routes["vpn_connection_id"], weight=100)
    found = audit_routes(routes)
    assert found["rule"].unique().tolist() == ["covered"]
    assert found["row"].tolist() == list(range(count, 2 * count))
    assert (found["row"] - found["related_row"] == count).all()
