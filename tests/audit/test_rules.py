"""The audit's findings are those of a slow, independent reading of the same rules."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings

import vcokit as vk
from tests.audit.oracle import RULES, oracle
from tests.inventories import Inventory, Row, as_read, draw, inventories, routes_frame

LIVE = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
CONNECTION = ["vpn_connection_id", "region_id", "state", "attach_type", "transit_router_id"]
CONNECTION += ["attached"]
FINDING = ["row", "source", "line", "column", "region_id", "vpn_connection_id", "route_dest"]
FINDING += ["rule", "severity", "message", "suggestion", "related_row", "related_line", "api_code"]
#: Rules for which the design names a suggestion; others may suggest more.
SUGGESTING = {"malformed-cidr", "host-bits-set"}


def cells(frame: pd.DataFrame, *names: str) -> list[dict]:
    """Return columns of a frame, row by row, what is missing as None."""
    part = frame[[*names]].astype("object")
    return part.where(part.notna(), None).to_dict("records")


def plain(findings: pd.DataFrame) -> list[dict]:
    """Return findings in the oracle's words."""
    names = ("row", "rule", "severity", "column", "related_row", "api_code", "suggestion")
    return cells(findings, *names)


def audited(rows: list[dict], **given) -> pd.DataFrame:
    """Audit rows, and hold what is found to the oracle."""
    frames = {
        name: pd.DataFrame(given[name], columns=columns)
        for name, columns in (("live", LIVE), ("connections", CONNECTION))
        if given.get(name) is not None
    }
    scope = given.get("scope", ("region_id",))
    found = vk.audit_routes(routes_frame(rows), **frames, quota=given.get("quota"), scope=scope)
    told, expected = plain(found), oracle(rows, **given)
    for finding, wanted in zip(told, expected, strict=False):
        # The product may suggest more than the design asks for.
        if wanted["rule"] not in SUGGESTING or wanted["suggestion"] is None:
            finding["suggestion"] = None
        assert finding == wanted
    assert len(told) == len(expected)
    for finding, line in zip(expected, cells(found, "related_line"), strict=True):
        related = finding["related_row"]
        assert line["related_line"] == (None if related is None else rows[related].get("line"))
    return found


@pytest.mark.parametrize("block", range(4))
def test_random_inventories(block: int) -> None:
    """On random inventories with every kind of dirt the audit equals the oracle; all rules speak.

    Each is audited alone, with a quota, or beside a cloud.
    """
    spoken: set[str] = set()
    for seed in range(block * 36, block * 36 + 36):
        chance = random.Random(seed)
        drawn = draw(chance)
        cloud = {"live": drawn.live_rows(), "connections": drawn.connection_rows()}
        cloud["quota"] = chance.choice([None, 3, 8])
        told = ({}, {"quota": drawn.quota}, cloud)[seed % 3]
        spoken |= set(audited(drawn.read(), **told)["rule"])
    assert spoken == set(RULES)


@settings(max_examples=20)
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

TEN, ELEVEN, INSIDE = "10.0.0.0/8", "11.0.0.0/8", "10.1.0.0/16"


def row(dest: str | None, weight: object = 100, connection: str | None = "vco-a", **more) -> dict:
    """Return one row, as reading gives it."""
    text = None if weight is None else str(weight)
    return as_read(Row("r", connection, dest, connection, text)) | {"source": None} | more


#: A line is a destination, with cells that are not as usual, and what is found of the row: rule,
#: related row, API code. ``live`` are routes that the cloud has; ``{60}`` stands for 60 letters.
CASES = """
## the first empty field of check 1 is named
10.0.0.0/8 weight= next_hop= | missing-value MissingWeight
10.0.0.0/8 next_hop= | missing-value MissingNextHop
10.0.0.0/8 route_dest= | missing-value MissingRouteDest
10.0.0.0/8 connection= next_hop=vco-a | missing-value MissingVpnConnectionId
10.0.0.0/8 region_id= | missing-value MissingRegionId

## after vco- come ASCII letters, digits or *, 60 at most
11.0.0.0/8 connection=VCO-a | invalid-connection-id InvalidVpnConnectionInstanceId.NotFound
12.0.0.0/8 connection=vco-中 | invalid-connection-id InvalidVpnConnectionInstanceId.NotFound
13.0.0.0/8 connection=vco-{60} |
14.0.0.0/8 connection=vco-{61} | invalid-connection-id InvalidVpnConnectionInstanceId.NotFound

## reserved space is touched from inside and outside, and to the last address
64.0.0.0/2 region_id=p connection=vco-p | shared-address-space; special-purpose
100.127.255.255/32 | shared-address-space
100.128.0.0/9 |
100.63.0.0/16 |
0.9.0.0/16 | special-purpose
127.0.0.1/32 | special-purpose
126.0.0.0/8 |
128.0.0.0/8 |
169.254.0.0/15 | special-purpose
169.253.0.0/16 |
223.0.0.0/8 |
239.0.0.0/8 | special-purpose
255.0.0.0/9 | special-purpose

## a region is one label of a host name, of at most 63 characters
20.0.0.0/8 connection=vco-0 region_id={63} |
21.0.0.0/8 connection=vco-1 region_id={64} | invalid-region
22.0.0.0/8 connection=vco-2 region_id=cn_a | invalid-region
23.0.0.0/8 connection=vco-3 region_id=-cn | invalid-region

## a description counts as it is encoded, three bytes for one
10.0.0.0/8 description={6000} |
11.0.0.0/8 description=%{5998} | description-too-long

## of several faults each has a finding, the first check has the code
10.0.0.1/8 weight=7 connection=vpn-a next_hop=vco-b | invalid-weight InvalidWeight; \
invalid-connection-id; host-bits-set; next-hop-mismatch

## the first row that has a region decides; another one is accepted
20.0.0.0/8 region_id= | missing-value MissingRegionId
21.0.0.0/8 |
22.0.0.0/8 region_id=s | region-mismatch 1

## of 100, 0, 100 the third repeats the first and contradicts the second, which was refused
10.0.0.0/8 |
10.0.0.0/8 weight=0 | weight-conflict 0 VpnRouteEntry.Conflict
10.0.0.0/8 | duplicate 0 VpnRouteEntry.AlreadyExists; weight-conflict 1

## at quota=1 a repeat of an accepted row exists, that of a refused one is past it too
10.0.0.0/8 |
10.0.0.0/8 | duplicate 0 VpnRouteEntry.AlreadyExists
11.0.0.0/8 | quota-exceeded CreateDbrRoutesQuotaFull.QuotaFull
11.0.0.0/8 | duplicate 2; quota-exceeded CreateDbrRoutesQuotaFull.QuotaFull

## the twin of a refused row is accepted, and its own twin is not
10.0.0.1/8 | host-bits-set IllegalParam.RouteDest
10.0.0.0/8 | duplicate 0
10.0.0.0/8 | duplicate 0 VpnRouteEntry.AlreadyExists

## check 6 comes before check 9
10.0.0.0/8 |
10.0.0.0/8 next_hop=vco-b | next-hop-mismatch InvalidNextHop.NotFound; next-hop-conflict 0

## live as it is, with another weight, next hop, or both, on another connection
10.0.0.0/8 | already-live VpnRouteEntry.AlreadyExists; live-conflict
11.0.0.0/8 | live-conflict VpnRouteEntry.Conflict
12.0.0.0/8 | live-conflict
13.0.0.0/8 |
14.0.0.0/8 | live-conflict VpnRouteEntry.BackupRoute
live 10.0.0.9/8 |
live 10.0.0.0/8 weight=0 |
live 10.0.0.0/8 next_hop=vco-b |
live 11.0.0.0/8 weight=0 |
live 12.0.0.0/8 weight=0 next_hop=vco-b |
live 13.0.0.0/8 connection=vco-b |
live 14.0.0.0/8 next_hop=vco-b |
live nonsense |

## equal cost relates to the first active row of another connection; a standby is well
10.0.0.0/8 weight=0 |
10.0.0.0/8 connection=vco-b | equal-cost 2
10.0.0.0/8 connection=vco-c | equal-cost 1
10.0.0.0/8 connection=vco-d | equal-cost 1

## each scope is a destination of its own
10.0.0.0/8 weight=0 | no-active-route
10.0.0.0/8 connection=vco-b region_id=s |

## the closest network decides, with all its connections; a default route covers nothing
10.0.0.0/24 | more-specific 3
10.0.0.0/8 |
10.0.0.0/8 weight=0 connection=vco-b |
10.0.0.0/16 weight=0 connection=vco-b | covered 1
10.0.0.0/16 | covered 1
0.0.0.0/0 | default-route OperationFailed.InvalidCidrBlock
10.1.0.0/16 weight=0 | more-specific 1
10.1.0.0/16 connection=vco-b | more-specific 1

## what no plan makes covers nothing: a route in error
100.0.0.0/8 | shared-address-space
100.1.0.0/16 |

## two that disagree
10.0.0.0/8 |
10.0.0.0/8 weight=0 | weight-conflict 0 VpnRouteEntry.Conflict
10.1.0.0/16 |
10.1.0.0/16 weight=0 | weight-conflict 2 VpnRouteEntry.Conflict

## one past the quota=1
11.0.0.0/8 |
10.0.0.0/8 | quota-exceeded CreateDbrRoutesQuotaFull.QuotaFull
10.1.0.0/16 | quota-exceeded CreateDbrRoutesQuotaFull.QuotaFull

## or one that stands in another region
10.0.0.0/8 region_id=s |
10.0.0.0/8 | region-mismatch 0; duplicate 0 VpnRouteEntry.AlreadyExists
10.1.0.0/16 | region-mismatch 0

## repeats do no harm
10.0.0.1/8 | host-bits-set IllegalParam.RouteDest
10.0.0.0/8 | duplicate 0
10.1.0.0/16 | covered 0

## nothing is lost with a row that no plan makes
10.0.0.0/8 |
10.1.0.1/16 | host-bits-set IllegalParam.RouteDest; covered 0

## half a destination is another thing
10.0.0.0/8 | equal-cost 1
10.0.0.0/8 connection=vco-b | equal-cost 0
10.1.0.0/16 | equal-cost 3
10.1.0.1/16 connection=vco-b | host-bits-set IllegalParam.RouteDest; equal-cost 2
"""


def case_of(text: str) -> tuple[list[dict], dict, list[tuple]]:
    """Return rows, what an audit is told, and what it has to find."""
    rows: list[dict] = []
    told: dict = {}
    expected: list[tuple] = []
    head, *lines = text.splitlines()
    if quota := re.search(r"quota=(\d+)", head):
        told["quota"] = int(quota[1])
    for line in filter(None, lines):
        left, _, found = line.partition("|")
        first, *words = re.sub(r"\{(\d+)\}", lambda many: "z" * int(many[1]), left).split()
        dest = words.pop(0) if first == "live" else first
        named = {name: text or None for name, _, text in (word.partition("=") for word in words)}
        weight, connection = named.pop("weight", "100"), named.pop("connection", "vco-a")
        made = row(dest, weight, connection, **named)
        if first == "live":
            told.setdefault("live", []).append(made)
            continue
        for finding in filter(None, map(str.split, found.split(";"))):
            related = next((int(word) for word in finding if word.isdecimal()), None)
            code = next((word for word in finding[1:] if not word.isdecimal()), None)
            expected.append((len(rows), finding[0], related, code))
        rows.append(made)
    return rows, told, expected


@pytest.mark.parametrize("text", CASES.split("\n## ")[1:], ids=lambda text: text.partition("\n")[0])
def test_what_the_design_says(text: str) -> None:
    """In each case that the design names, audit and oracle find what was worked out by hand.

    A rule that runs alone finds the same.
    """
    rows, told, expected = case_of(text)
    found = plain(audited(rows, **told))
    assert [(f["row"], f["rule"], f["related_row"], f["api_code"]) for f in found] == expected
    alone = vk.audit_routes(routes_frame(rows), rules="covered", quota=told.get("quota"))
    assert alone["row"].tolist() == [row for row, rule, *_ in expected if rule == "covered"]


FIFTY_TWO = [row(f"10.{number}.0.0/16") for number in range(52)]


@pytest.mark.parametrize(
    ("before", "live", "warned"),
    [
        ([], [], 50),
        ([FIFTY_TWO[0]], [], 51),
        ([], [row(ELEVEN), row(ELEVEN), FIFTY_TWO[0]], 49),
    ],
    ids=["the 51st", "repeats do not count", "live routes count, each once"],
)
def test_the_usual_quota_is_warned_of_once(before: list, live: list, warned: int) -> None:
    """Past 50 routes that are accepted, there before or not, the next row is warned of."""
    found = audited([*before, *FIFTY_TWO], live=live)
    assert found.loc[found["severity"] == "warning", "row"].tolist() == [warned]


#: Connections, and what is found of rows for them, in the order of the alphabet.
CONNECTED: list[tuple[dict | None, tuple | None]] = [
    ({}, None),
    ({"region_id": "elsewhere"}, ("wrong-region", "InvalidVpnConnectionInstanceId.NotFound")),
    ({"transit_router_id": ""}, ("not-attached", "Vco.StatusNotSupport")),
    ({"attach_type": "NO_ASSOCIATED"}, ("not-attached", "Vco.StatusNotSupport")),
    (None, ("unknown-connection", "InvalidVpnConnectionInstanceId.NotFound")),
    ({"attached": False, "state": "attaching"}, ("not-attached", None)),
    ({"attached": False, "state": "detaching"}, ("not-attached", "Vco.StatusNotSupport")),
    ({"attach_type": "VPNGW", "state": "attaching"}, ("not-attached", "Vco.StatusNotSupport")),
]


def test_a_connection_that_is_not_there_is_elsewhere_or_not_attached_is_refused() -> None:
    """One that will be attached by itself is found, and not refused."""
    base = {"region_id": "r", "attach_type": "CEN", "transit_router_id": "tr-1"}
    known = [
        {"vpn_connection_id": f"vco-{letter}"} | base | cells
        for letter, (cells, _) in zip("abcdefgh", CONNECTED, strict=True)
        if cells is not None
    ]
    rows = [row(f"{n}.0.0.0/8", connection=f"vco-{c}") for n, c in enumerate("abcdefgh", 20)]
    found = plain(audited(rows, connections=known))
    expected = [(n, *told) for n, (_, told) in enumerate(CONNECTED) if told]
    assert [(f["row"], f["rule"], f["api_code"]) for f in found] == expected


@pytest.mark.parametrize(
    ("scope", "rules"), [(("region_id",), ["more-specific"]), (("region_id", "tr"), [])]
)
def test_a_scope_may_be_of_more_columns(scope: tuple, rules: list[str]) -> None:
    """Networks meet within their scope, which the file's own columns may narrow."""
    rows = [row(TEN, tr="t1"), row(INSIDE, connection="vco-b", tr="t2")]
    rows.append(row("10.1.2.0/24", connection="vco-c", tr="t1", region_id="s"))
    assert audited(rows, scope=scope)["rule"].tolist() == rules
