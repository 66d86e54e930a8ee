"""The audit's findings are those of a slow, independent reading of the same rules."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given

import vcokit as vk
from tests.audit.oracle import RULES, oracle
from tests.inventories import Inventory, draw, inventories, routes_frame

LIVE = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
CONNECTION = ["vpn_connection_id", "region_id", "state", "attach_type", "transit_router_id"]
CONNECTION += ["attached"]
FINDING = ["row", "source", "line", "column", "region_id", "vpn_connection_id", "route_dest"]
FINDING += ["rule", "severity", "message", "suggestion", "related_row", "related_line", "api_code"]
#: Rules for which the design names a suggestion; others may suggest more.
SUGGESTING = {"malformed-cidr", "host-bits-set"}


def plain(findings: pd.DataFrame) -> list[dict]:
    """Return findings in the oracle's words."""
    names = ["row", "rule", "severity", "column", "related_row", "api_code", "suggestion"]
    columns = [
        [None if cell is pd.NA or cell != cell else cell for cell in findings[name].tolist()]
        for name in names
    ]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def audited(rows: list[dict], **given) -> pd.DataFrame:
    """Audit rows, and hold what is found to the oracle."""
    frames = {
        name: pd.DataFrame(given[name], columns=columns)
        for name, columns in (("live", LIVE), ("connections", CONNECTION))
        if given.get(name) is not None
    }
    scope = given.get("scope", ("region_id",))
    found = vk.audit_routes(routes_frame(rows), **frames, quota=given.get("quota"), scope=scope)
    expected = oracle(rows, **given)
    told = plain(found)
    for finding, wanted in zip(told, expected, strict=False):
        # The product may suggest more than the design asks for.
        if wanted["rule"] not in SUGGESTING or wanted["suggestion"] is None:
            finding["suggestion"] = None
        assert finding == wanted
    assert len(told) == len(expected)
    related = [None if f["related_row"] is None else rows[f["related_row"]] for f in expected]
    lines = [None if one is None else one.get("line") for one in related]
    assert (
        found["related_line"].astype("object").where(found["related_line"].notna(), None).tolist()
        == lines
    )
    return found


@pytest.mark.parametrize("block", range(10))
def test_random_inventories(block: int) -> None:
    """On random inventories with every kind of dirt the audit equals the oracle."""
    for seed in range(block * 30, block * 30 + 30):
        chance = random.Random(seed)
        drawn = draw(chance)
        rows, there = drawn.read(), {"live": drawn.live_rows()}
        there["connections"] = drawn.connection_rows()
        audited(rows)
        audited(rows, quota=drawn.quota)
        audited(rows, **there, quota=chance.choice([None, 3, 8]))


@given(inventories(size=8, dirt=0.3))
def test_small_inventories(drawn: Inventory) -> None:
    """What Hypothesis makes of the same dirt is judged the same; it shows the least that is not."""
    live, connections = drawn.live_rows(), drawn.connection_rows()
    audited(drawn.read(), live=live, connections=connections, quota=drawn.quota)


def test_order_and_columns() -> None:
    """Findings have fixed columns, are sorted by row, then rule, at most one of a rule a row."""
    findings = vk.audit_routes(draw(random.Random(1), 60, dirt=0.3).routes())
    assert list(findings.columns) == FINDING
    keys = list(zip(findings["row"], findings["rule"].cat.codes, strict=True))
    assert keys == sorted(set(keys))
    assert findings["rule"].cat.ordered
    assert findings["rule"].cat.categories.tolist() == list(RULES)
    nothing = vk.audit_routes(routes_frame([]))
    assert len(nothing) == 0
    assert dict(nothing.dtypes.drop("source")) == dict(findings.dtypes.drop("source"))


def test_the_oracle_stands_alone() -> None:
    """The oracle is there without what it judges, and without what that is made of."""
    code = "import sys, tests.audit.oracle; print(*sys.modules)"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert result.returncode == 0
    assert not {"vcokit", "netaddr", "numpy", "pandas"} & set(result.stdout.split())


# -- cases worked out by hand, none by running it ------------------------------------------------


def row(dest: str | None, weight: object = 100, connection: str | None = "vco-a", **cells) -> dict:
    """Return one row, as the oracle takes it; a weight that is text stands in `weight_text`."""
    return {
        "region_id": "r",
        "vpn_connection_id": connection,
        "route_dest": dest,
        "next_hop": connection,
        "weight": weight if isinstance(weight, int) else None,
        "weight_text": weight if isinstance(weight, str) else None,
    } | cells


def connection(name: str, region: str = "r", kind: str = "CEN", **cells) -> dict:
    """Return a live connection."""
    base = {"vpn_connection_id": name, "region_id": region, "attach_type": kind}
    return base | {"transit_router_id": "tr-1"} | cells


EXISTS = "VpnRouteEntry.AlreadyExists"
CONFLICT = "VpnRouteEntry.Conflict"
BACKUP = "VpnRouteEntry.BackupRoute"
FULL = "CreateDbrRoutesQuotaFull.QuotaFull"
BAD_DEST = "IllegalParam.RouteDest"
DEFAULT = "OperationFailed.InvalidCidrBlock"
BAD_HOP = "InvalidNextHop.NotFound"
NO_CONNECTION = "InvalidVpnConnectionInstanceId.NotFound"
NOT_ATTACHED = "Vco.StatusNotSupport"
TEN, ELEVEN, INSIDE = "10.0.0.0/8", "11.0.0.0/8", "10.1.0.0/16"
WIDE = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
FIFTY_TWO = [row(f"10.{number}.0.0/16") for number in range(52)]
#: Cells that are no prefix; what is suggested for such is in `tests/cidr/test_suggest.py`.
MALFORMED = ["10.0.0.0", "10.0.0.0/255.0.0.0", TEN.translate(WIDE), "10.0.0.0/08", "010.0.0.0/8"]
MALFORMED += ["10.0.0.0/", "10.0.0.0/33", "10.0.0/8", f"{TEN}\n", "2001:db8::1", "NA"]
MALFORMED += ["2001:db8::/032", "fe80::%eth0/64", "see ticket"]

#: What is asked, and row, rule, related row and API code of each finding, in order.
CASES: dict[str, tuple[list[dict], dict, list[tuple]]] = {
    "no rows": ([], {}, []),
    "a good row": ([row(TEN), row(ELEVEN, connection="vco-aZ9****")], {}, []),
    "the first empty field of check 1 is named; NA is text": (
        [
            row(TEN, None, next_hop="\u3000\u200b", weight_text=" "),
            row(TEN, next_hop=None),
            row(None),
            row(TEN, connection=None, next_hop="vco-a"),
            row(TEN, region_id=""),
        ],
        {},
        [
            (n, "missing-value", None, f"Missing{name}")
            for n, name in enumerate(["Weight", "NextHop", "RouteDest", "VpnConnectionId"])
        ]
        + [(4, "missing-value", None, "MissingRegionId")],
    ),
    "a weight other than 0 and 100 is refused, and is no destination's route": (
        [*(row(TEN, weight) for weight in (50, -1, "abc", "100".translate(WIDE))), row(TEN, 0)],
        {},
        [(n, "invalid-weight", None, "InvalidWeight") for n in range(4)]
        + [(4, "no-active-route", None, None)],
    ),
    "after vco- come ASCII letters, digits or *": (
        [
            row(f"{n}.0.0.0/8", connection=name)
            for n, name in enumerate(
                ["vpn-a", "vco-", "VCO-a", "vco-a_b", "vco-\u4e2d", "vco-" + "z" * 61], 11
            )
        ],
        {},
        [(n, "invalid-connection-id", None, NO_CONNECTION) for n in range(6)],
    ),
    "what is not a.b.c.d/len is malformed": (
        [row(dest) for dest in MALFORMED],
        {},
        [(n, "malformed-cidr", None, BAD_DEST) for n in range(len(MALFORMED))],
    ),
    "a well-formed IPv6 prefix is unsupported, not malformed and no default route": (
        [row(dest) for dest in ("2001:db8::/32", "::/0", "2001:db8::1/64", "::ffff:1.2.3.4/96")],
        {},
        [(n, "ipv6-unsupported", None, BAD_DEST) for n in range(4)],
    ),
    "length 0 is a default route whatever the address, and touches nothing": (
        [row("0.0.0.0/0"), row("1.2.3.4/0", 0)],
        {},
        [(n, "default-route", None, DEFAULT) for n in range(2)],
    ),
    "reserved space is touched from inside and outside": (
        [row("64.0.0.0/2"), row("100.127.255.255/32", 100), row("100.128.0.0/9")],
        {"scope": ("route_dest",)},
        [
            (0, "shared-address-space", None, None),
            (0, "special-purpose", None, None),
            (1, "shared-address-space", None, None),
        ],
    ),
    "each network of special purpose is touched": (
        [
            row(dest)
            for dest in (
                "0.9.0.0/16",
                "127.0.0.1/32",
                "169.254.0.0/15",
                "239.0.0.0/8",
                "255.0.0.0/9",
            )
        ],
        {},
        [(n, "special-purpose", None, None) for n in range(5)],
    ),
    "a region is one label of a host name, of at most 63 characters": (
        [
            row(f"{n}.0.0.0/8", region_id=region, connection=f"vco-{n}")
            for n, region in enumerate(["c" * 63, "c" * 64, "cn_a", "-cn"], 20)
        ],
        {},
        [(n, "invalid-region", None, None) for n in (1, 2, 3)],
    ),
    "what lies beside reserved space is well": (
        [
            *(row(f"{n}.0.0.0/8") for n in (1, 126, 128, 223)),
            *(row(f"{n}.0.0/16") for n in ("100.63", "100.128", "169.253", "169.255")),
        ],
        {},
        [],
    ),
    "a description counts as it is encoded": (
        [row(TEN, description="杭" * 666 + "-" * 6), row(ELEVEN, description="杭" * 666 + "-" * 7)],
        {},
        [(1, "description-too-long", None, None)],
    ),
    "of several faults each has a finding, the first check has the code": (
        [row("10.0.0.1/8", 7, "vpn-a", next_hop="vco-b")],
        {},
        [
            (0, "invalid-weight", None, "InvalidWeight"),
            (0, "invalid-connection-id", None, None),
            (0, "host-bits-set", None, None),
            (0, "next-hop-mismatch", None, None),
        ],
    ),
    "a connection that is not there, is elsewhere or is not attached is refused": (
        [row(f"{n}.0.0.0/8", connection=f"vco-{c}") for n, c in enumerate("abcdefgh", 20)],
        {
            "connections": [
                connection("vco-a"),
                connection("vco-b", "elsewhere"),
                connection("vco-c", transit_router_id=""),
                connection("vco-d", kind="NO_ASSOCIATED"),
                connection("vco-f", attached=False, state="attaching"),
                connection("vco-g", attached=False, state="detaching"),
                connection("vco-h", kind="VPNGW", state="attaching"),
            ]
        },
        [
            (1, "wrong-region", None, NO_CONNECTION),
            (2, "not-attached", None, NOT_ATTACHED),
            (3, "not-attached", None, NOT_ATTACHED),
            (4, "unknown-connection", None, NO_CONNECTION),
            (5, "not-attached", None, None),
            (6, "not-attached", None, NOT_ATTACHED),
            (7, "not-attached", None, NOT_ATTACHED),
        ],
    ),
    "the first row that has a region decides; another one is accepted": (
        [row("20.0.0.0/8", region_id=None), row("21.0.0.0/8"), row("22.0.0.0/8", region_id="s")],
        {},
        [(0, "missing-value", None, "MissingRegionId"), (2, "region-mismatch", 1, None)],
    ),
    "of 100, 0, 100 the third repeats the first and contradicts the second, which was refused": (
        [row(TEN, weight) for weight in (100, 0, 100)],
        {},
        [
            (1, "weight-conflict", 0, CONFLICT),
            (2, "duplicate", 0, EXISTS),
            (2, "weight-conflict", 1, None),
        ],
    ),
    "at the quota a repeat of an accepted row exists, that of a refused one is past it too": (
        [row(TEN), row(TEN), row(ELEVEN), row(ELEVEN)],
        {"quota": 1},
        [
            (1, "duplicate", 0, EXISTS),
            (2, "quota-exceeded", None, FULL),
            (3, "duplicate", 2, None),
            (3, "quota-exceeded", None, FULL),
        ],
    ),
    "the twin of a refused row is accepted, and its own twin is not": (
        [row("10.0.0.1/8"), row(TEN), row(TEN)],
        {},
        [
            (0, "host-bits-set", None, BAD_DEST),
            (1, "duplicate", 0, None),
            (2, "duplicate", 0, EXISTS),
        ],
    ),
    "check 6 comes before check 9": (
        [row(TEN), row(TEN, next_hop="vco-b")],
        {},
        [(1, "next-hop-mismatch", None, BAD_HOP), (1, "next-hop-conflict", 0, None)],
    ),
    "only live routes lead to a backup route": (
        [row(TEN)],
        {"live": [row(TEN, next_hop="vco-b")]},
        [(0, "live-conflict", None, BACKUP)],
    ),
    "the 51st row that is accepted is warned of once": (
        FIFTY_TWO,
        {},
        [(50, "quota-exceeded", None, None)],
    ),
    "repeats do not count for the quota": (
        [FIFTY_TWO[0], *FIFTY_TWO],
        {},
        [(1, "duplicate", 0, EXISTS), (51, "quota-exceeded", None, None)],
    ),
    "live routes count for the quota, each once": (
        FIFTY_TWO,
        {"live": [row(ELEVEN), row(ELEVEN), FIFTY_TWO[0]]},
        [(0, "already-live", None, EXISTS), (49, "quota-exceeded", None, None)],
    ),
    "live as it is, with another weight, with both other, on another connection": (
        [row(f"{number}.0.0.0/8") for number in (10, 11, 12, 13)],
        {
            "live": [
                row("10.0.0.9/8"),
                row(ELEVEN, 0),
                row("12.0.0.0/8", 0, next_hop="vco-b"),
                row("13.0.0.0/8", connection="vco-b"),
                row("not a prefix"),
                row(TEN, 0),
                row(TEN, next_hop="vco-b"),
            ]
        },
        [
            (0, "already-live", None, EXISTS),
            (0, "live-conflict", None, None),
            (1, "live-conflict", None, CONFLICT),
            (2, "live-conflict", None, None),
        ],
    ),
    "both twins meet the live route, for the first was not accepted": (
        [row(TEN), row(TEN)],
        {"live": [row(TEN)]},
        [
            (0, "already-live", None, EXISTS),
            (1, "duplicate", 0, None),
            (1, "already-live", None, EXISTS),
        ],
    ),
    "equal cost relates to the first active row of another connection": (
        [row(TEN, w, f"vco-{c}") for c, w in zip("abcd", (0, 100, 100, 100), strict=True)],
        {},
        [(1, "equal-cost", 2, None), (2, "equal-cost", 1, None), (3, "equal-cost", 1, None)],
    ),
    "a standby route beside an active one is well": (
        [row(TEN, 0), row(TEN, connection="vco-b")],
        {},
        [],
    ),
    "each scope is a destination of its own": (
        [row(TEN, 0), row(TEN, connection="vco-b", region_id="s")],
        {},
        [(0, "no-active-route", None, None)],
    ),
    "the closest network decides, with all its connections; a default route covers nothing": (
        [
            row("10.0.0.0/24"),
            row(TEN),
            row(TEN, 0, "vco-b"),
            row("10.0.0.0/16", 0, "vco-b"),
            row("10.0.0.0/16"),
            row("0.0.0.0/0"),
            row(INSIDE, 0),
            row(INSIDE, connection="vco-b"),
        ],
        {},
        [
            (0, "more-specific", 3, None),
            (3, "covered", 1, None),
            (4, "covered", 1, None),
            (5, "default-route", None, DEFAULT),
            (6, "more-specific", 1, None),
            (7, "more-specific", 1, None),
        ],
    ),
    "of one scope": (
        [row(TEN, tr="t1"), row(INSIDE, connection="vco-b", tr="t2")],
        {},
        [(1, "more-specific", 0, None)],
    ),
    "a scope may be of more columns, the file's own too": (
        [
            row(TEN, tr="t1"),
            row(INSIDE, connection="vco-b", tr="t2"),
            row("10.1.2.0/24", connection="vco-c", tr="t1", region_id="s"),
        ],
        {"scope": ("region_id", "tr")},
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_design_says(case: str) -> None:
    """In each case that the design names, audit and oracle find what was worked out by hand."""
    rows, given, expected = CASES[case]
    found = plain(audited(rows, **given))
    assert [(f["row"], f["rule"], f["related_row"], f["api_code"]) for f in found] == expected


#: Rows, and those of them that are covered.
COVERED: list[tuple[list[dict], dict, list[int]]] = [
    ([row("100.0.0.0/8"), row("100.1.0.0/16")], {}, []),  # 100/8 touches 100.64/10: an error
    ([row(TEN), row(TEN), row(INSIDE)], {}, [2]),
    ([row("10.0.0.1/8"), row(TEN), row(INSIDE)], {}, [2]),
    ([row(TEN), row(TEN, 0), row(INSIDE), row(INSIDE, 0)], {}, []),
    # Nothing is lost with a row that no plan makes; half a destination is another thing.
    ([row(TEN), row("10.1.0.1/16")], {}, [1]),
    ([row(TEN), row(TEN, 100, "vco-b"), row(INSIDE), row("10.1.0.1/16", 100, "vco-b")], {}, []),
    ([row(TEN), row(TEN, 100, "vco-b"), row(INSIDE), row(INSIDE, 100, "vco-b")], {}, [2, 3]),
    # Neither by the quota, nor where another region's row of the connection is the one that stands.
    ([row(ELEVEN), row(TEN), row(INSIDE)], {"quota": 1}, []),
    ([row(TEN, region_id="s"), row(TEN), row(INSIDE)], {}, []),
]


@pytest.mark.parametrize(("rows", "given", "expected"), COVERED)
def test_what_no_plan_makes_covers_nothing(rows: list, given: dict, expected: list) -> None:
    """A destination is covered by what a plan makes alone: repeats do no harm, blocked rows do."""
    found = audited(rows, **given)
    assert found.loc[found["rule"] == "covered", "row"].tolist() == expected
    alone = vk.audit_routes(routes_frame(rows), rules="covered", quota=given.get("quota"))
    assert alone["row"].tolist() == expected


# A scene in which every rule speaks, so that each can be missed.
SCENE = [
    row(None),
    row(TEN, "heavy"),
    row(TEN, connection="bad"),
    row(TEN, connection="vco-gone"),
    row(TEN, connection="vco-far"),
    row(TEN, connection="vco-loose"),
    row(TEN),
    row(TEN, region_id="q"),
    row("10.0.0.0"),
    row("2001:db8::/32"),
    row("10.0.0.1/8", 0),
    row("0.0.0.0/0"),
    row("12.0.0.0/8", next_hop="vco-b"),
    row("12.0.0.0/8"),
    row("100.64.0.0/16"),
    row("127.0.0.0/16"),
    row(INSIDE, 0),
    row("13.0.0.0/8"),
    row("14.0.0.0/8"),
    row("13.1.0.0/16"),
    row("17.0.0.0/8", connection="vco-c", region_id="r_1"),
    row("18.0.0.0/8", description="d" * 6_001),
    *(row(f"20.{n}.0.0/16") for n in range(60)),
]


def test_every_rule() -> None:
    """In one scene all rules speak, and as the oracle has it; chosen ones speak alone."""
    found = audited(
        SCENE,
        live=[row("13.0.0.0/8"), row("14.0.0.0/8", 0)],
        connections=[
            connection("vco-a"),
            connection("bad"),
            connection("vco-far", "elsewhere"),
            connection("vco-loose", kind="VPNGW"),
        ],
        quota=50,
    )
    assert set(found["rule"]) == set(RULES)
    assert set(vk.audit_routes(routes_frame(SCENE), rules=["duplicate"])["rule"]) == {"duplicate"}
