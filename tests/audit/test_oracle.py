"""The oracle says what the design page says: cases worked out by hand, none by running it."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.audit.oracle import RULES, oracle
from tests.audit.oracle_cells import ZERO_WIDTH

DATA = Path(__file__).parents[2] / "data"
NAMES = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description")
WIDE = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))


def route(dest, connection="vco-a", weight=100, *, hop="same", region="cn-hangzhou", text=None):
    """Return a row as the oracle takes it."""
    return {
        "region_id": region,
        "vpn_connection_id": connection,
        "route_dest": dest,
        "next_hop": connection if hop == "same" else hop,
        "weight": weight,
        "weight_text": text,
    }


def attached(connection, region="cn-hangzhou", kind="CEN", router="tr-1"):
    """Return a live connection."""
    names = ("vpn_connection_id", "region_id", "attach_type", "transit_router_id")
    return dict(zip(names, (connection, region, kind, router), strict=True))


def said(*rows, **settings):
    """Return row, rule, related row and code of each finding."""
    found = oracle(list(rows), **settings)
    return [(f["row"], f["rule"], f["related_row"], f["api_code"]) for f in found]


def only(*rows, **settings):
    """Return the one finding there is."""
    (finding,) = oracle(list(rows), **settings)
    return finding


EXISTS = "VpnRouteEntry.AlreadyExists"
CONFLICT = "VpnRouteEntry.Conflict"
BACKUP = "VpnRouteEntry.BackupRoute"
FULL = "CreateDbrRoutesQuotaFull.QuotaFull"
BAD_DEST = "IllegalParam.RouteDest"
NO_CONNECTION = "InvalidVpnConnectionInstanceId.NotFound"
NOT_ATTACHED = "Vco.StatusNotSupport"


def test_oracle_stands_alone() -> None:
    """The oracle is there without what it judges, and without what that is made of."""
    code = "import sys, tests.audit.oracle; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=DATA.parent, check=True)
    assert not {"vcokit", "netaddr", "numpy", "pandas"} & set(result.stdout.split())


def test_nothing_to_say() -> None:
    """No rows and a good row have no findings."""
    assert said() == []
    assert said(route("10.0.0.0/8")) == []


def test_missing_value_names_the_first_empty_of_check_1() -> None:
    """Weight is asked for before the next hop, blanks alone are nothing, `NA` is text."""
    finding = only(route("10.0.0.0/8", weight=None, hop="\u3000\u200b", text=" "))
    assert (finding["rule"], finding["column"]) == ("missing-value", "weight")
    assert (finding["severity"], finding["api_code"]) == ("error", "MissingWeight")
    assert only(route("10.0.0.0/8", hop=None))["api_code"] == "MissingNextHop"
    assert only(route(None))["api_code"] == "MissingRouteDest"
    assert only(route("10.0.0.0/8", None, hop="vco-a"))["api_code"] == "MissingVpnConnectionId"
    assert only(route("10.0.0.0/8", region=""))["api_code"] == "MissingRegionId"
    assert said(route("NA")) == [(0, "malformed-cidr", None, BAD_DEST)]


@pytest.mark.parametrize(
    ("weight", "text"), [(50, None), (-1, None), (None, "abc"), (None, "100".translate(WIDE))]
)
def test_invalid_weight(weight: int | None, text: str | None) -> None:
    """A weight other than 0 and 100 is refused, and the row is no destination's route."""
    rows = (route("10.0.0.0/8", weight=weight, text=text), route("10.0.0.0/8", weight=0))
    assert said(*rows) == [
        (0, "invalid-weight", None, "InvalidWeight"),
        (1, "no-active-route", None, None),
    ]


@pytest.mark.parametrize("connection", ["vpn-a", "vco-", "VCO-a", "vco-a_b", "vco-\u4e2d"])
def test_invalid_connection_id(connection: str) -> None:
    """After `vco-` come ASCII letters, digits or `*`; trimming and lower case are reading's."""
    assert only(route("10.0.0.0/8", connection))["api_code"] == NO_CONNECTION
    assert only(route("10.0.0.0/8", connection))["rule"] == "invalid-connection-id"
    assert said(route("10.0.0.0/8", "vco-aZ9****")) == []


@pytest.mark.parametrize(
    ("dest", "suggestion"),
    [
        ("10.0.0.0", "10.0.0.0/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.1.2.3/255.0.0.0", "10.0.0.0/8"),
        ("10.0.0.0/255.0.255.0", None),
        ("10.0.0.0/0.0.0.255", None),
        ("10.0.0.0/8".translate(WIDE), "10.0.0.0/8"),
        ("10.1.0.0/8".translate(WIDE), "10.0.0.0/8"),
        (" 10.0. 0.0 /\u00a08\u200b", "10.0.0.0/8"),
        ("1\u200b0.0.0.0/8", "10.0.0.0/8"),
        ("1 0.0.0.0/8", None),
        ("10.0.0.0 255.0.0.0", None),
        ("10.0.0.0/08", None),
        ("010.0.0.0/8", None),
        ("10.0.0.0/0.0.0.0", None),
        ("0.0.0.0/0".translate(WIDE), None),
        ("10.0.0.0/", None),
        ("10.0.0.0/33", None),
        ("10.0.0.256/8", None),
        ("10.0.0/8", None),
        ("10.0.0.0/8\n", "10.0.0.0/8"),
        ("10.0.0.0\uff0f8", None),
        ("2001:db8::1", None),
        ("2001:db8::/032", None),
        ("fe80::%eth0/64", None),
        ("see ticket", None),
    ],
)
def test_malformed(dest: str, suggestion: str | None) -> None:
    """What is not `a.b.c.d/len` is malformed, and put right only where that is no guess."""
    finding = only(route(dest))
    assert (finding["rule"], finding["api_code"]) == ("malformed-cidr", BAD_DEST)
    assert (finding["column"], finding["suggestion"]) == ("route_dest", suggestion)


@pytest.mark.parametrize("dest", ["2001:db8::/32", "::/0", "2001:db8::1/64", "::ffff:1.2.3.4/96"])
def test_ipv6(dest: str) -> None:
    """A well-formed IPv6 prefix is unsupported, not malformed and not a default route."""
    assert said(route(dest)) == [(0, "ipv6-unsupported", None, BAD_DEST)]


def test_length_zero() -> None:
    """Length 0 is a default route whatever the address, and touches nothing."""
    answer = [(0, "default-route", None, "OperationFailed.InvalidCidrBlock")]
    assert said(route("0.0.0.0/0")) == answer
    assert said(route("1.2.3.4/0", weight=0)) == answer


def test_reserved_space_is_touched_from_inside_and_outside() -> None:
    """64.0.0.0/2 holds both 100.64.0.0/10 and 127.0.0.0/8; neither is refused."""
    expected = [(0, "shared-address-space", None, None), (0, "special-purpose", None, None)]
    assert said(route("64.0.0.0/2")) == expected
    assert said(route("100.127.255.255/32")) == expected[:1]
    assert said(route("100.128.0.0/9")) == []
    special = ["0.9.0.0/16", "127.0.0.1/32", "169.254.0.0/15", "239.0.0.0/8", "255.0.0.0/9"]
    assert {only(route(dest))["severity"] for dest in special} == {"warning"}


def test_first_check_that_matches_answers() -> None:
    """A row with several faults has a finding for each, the code is on the first check's."""
    row = route("10.0.0.1/8", "vpn-a", weight=7, hop="vco-b")
    assert said(row) == [
        (0, "invalid-weight", None, "InvalidWeight"),
        (0, "invalid-connection-id", None, None),
        (0, "host-bits-set", None, None),
        (0, "next-hop-mismatch", None, None),
    ]


def test_live_connections() -> None:
    """A connection that is not there, is elsewhere or is not attached is refused."""
    live = [attached("vco-a"), attached("vco-b", "eu-central-1"), attached("vco-c", router="")]
    live.append(attached("vco-d", kind="NO_ASSOCIATED"))
    live.append({**attached("vco-f"), "attached": False, "state": "attaching"})
    live.append({**attached("vco-g"), "attached": False, "state": "detaching"})
    rows = [route(f"{n}.0.0.0/8", f"vco-{c}") for n, c in enumerate("abcdefg", start=20)]
    assert said(*rows, connections=live) == [
        (1, "wrong-region", None, NO_CONNECTION),
        (2, "not-attached", None, NOT_ATTACHED),
        (3, "not-attached", None, NOT_ATTACHED),
        (4, "unknown-connection", None, NO_CONNECTION),
        (5, "not-attached", None, None),
        (6, "not-attached", None, NOT_ATTACHED),
    ]
    assert said(*rows) == []


def test_region_mismatch_relates_to_the_first_row_that_has_a_region() -> None:
    """The first row has none, the second decides, the third is in another; it is accepted."""
    rows = (
        route("10.0.0.0/16", region=None),
        route("10.1.0.0/16", region="eu-central-1"),
        route("10.2.0.0/16"),
    )
    assert said(*rows) == [
        (0, "missing-value", None, "MissingRegionId"),
        (2, "region-mismatch", 1, None),
    ]


def test_back_and_forth() -> None:
    """[100, 0, 100]: the third repeats the first and contradicts the second, which was refused."""
    rows = [route("10.0.0.0/8", weight=weight) for weight in (100, 0, 100)]
    assert said(*rows) == [
        (1, "weight-conflict", 0, CONFLICT),
        (2, "duplicate", 0, EXISTS),
        (2, "weight-conflict", 1, None),
    ]


def test_repeat_at_the_quota_exists_already() -> None:
    """With quota=1 the second of two equal rows is refused as a repeat, the third by the quota."""
    rows = [route("10.0.0.0/8"), route("10.0.0.0/8"), route("11.0.0.0/8"), route("11.0.0.0/8")]
    assert said(*rows, quota=1) == [
        (1, "duplicate", 0, EXISTS),
        (2, "quota-exceeded", None, FULL),
        (3, "duplicate", 2, None),
        (3, "quota-exceeded", None, FULL),
    ]


def test_refused_row_before_its_accepted_twin() -> None:
    """A row with host bits takes part by its network, its twin is a repeat, and is accepted."""
    assert said(route("10.0.0.1/8"), route("10.0.0.0/8"), route("10.0.0.0/8")) == [
        (0, "host-bits-set", None, BAD_DEST),
        (1, "duplicate", 0, None),
        (2, "duplicate", 0, EXISTS),
    ]


def test_next_hop_conflict_is_refused_for_its_next_hop() -> None:
    """Check 6 comes before check 9, so that only live routes can lead to a backup route."""
    rows = (route("10.0.0.0/8"), route("10.0.0.0/8", hop="vco-b"))
    assert said(*rows) == [
        (1, "next-hop-mismatch", None, "InvalidNextHop.NotFound"),
        (1, "next-hop-conflict", 0, None),
    ]
    live = [route("10.0.0.0/8", hop="vco-b")]
    assert said(route("10.0.0.0/8"), live=live) == [(0, "live-conflict", None, BACKUP)]


def test_quota_of_50_is_warned_of_once() -> None:
    """The 51st row that is accepted is warned of, repeats do not count, live routes do."""
    rows = [route(f"10.{number}.0.0/16") for number in range(52)]
    twice = [rows[0], *rows]
    warning = only(*rows)
    assert (warning["row"], warning["severity"]) == (50, "warning")
    assert warning["api_code"] is None
    assert said(*twice) == [(1, "duplicate", 0, EXISTS), (51, "quota-exceeded", None, None)]
    live = [route("11.0.0.0/8"), route("11.0.0.0/8"), rows[0]]
    assert said(*rows, live=live) == [
        (0, "already-live", None, EXISTS),
        (49, "quota-exceeded", None, None),
    ]


def test_live_routes() -> None:
    """There as it is, with another weight, with another weight and next hop, and not at all."""
    live = [
        route("10.0.0.9/8"),
        route("11.0.0.0/8", weight=0),
        route("12.0.0.0/8", weight=0, hop="vco-b"),
        route("13.0.0.0/8", "vco-b"),
        route("not a prefix"),
        route("10.0.0.0/8", hop="vco-b"),
    ]
    rows = [route(f"{number}.0.0.0/8") for number in (10, 11, 12, 13)]
    assert said(*rows, live=live) == [
        (0, "already-live", None, EXISTS),
        (0, "live-conflict", None, None),
        (1, "live-conflict", None, CONFLICT),
        (2, "live-conflict", None, None),
    ]


def test_live_route_causes_the_refusal_of_both_twins() -> None:
    """The first twin was not accepted, so the second one meets the live route, not the first."""
    rows = [route("10.0.0.0/8"), route("10.0.0.0/8")]
    assert said(*rows, live=rows[:1]) == [
        (0, "already-live", None, EXISTS),
        (1, "duplicate", 0, None),
        (1, "already-live", None, EXISTS),
    ]


def test_equal_cost_relates_to_the_first_active_row_of_another_connection() -> None:
    """Three active connections, one standby: the standby row has no finding."""
    rows = [
        route("10.0.0.0/8", f"vco-{c}", w) for c, w in zip("abcd", (0, 100, 100, 100), strict=True)
    ]
    assert said(*rows) == [
        (1, "equal-cost", 2, None),
        (2, "equal-cost", 1, None),
        (3, "equal-cost", 1, None),
    ]


def test_no_active_route() -> None:
    """Two standby connections leave a destination without a route; in two scopes, each one."""
    rows = [route("10.0.0.0/8", "vco-a", 0), route("10.0.0.0/8", "vco-b", 100)]
    assert said(*rows) == []
    rows[1]["region_id"] = "eu-central-1"
    assert said(*rows) == [(0, "no-active-route", None, None)]


def test_covered_and_more_specific_across_connections() -> None:
    """The closest network decides, and all its connections; a default route covers nothing."""
    pair, swapped = [("vco-a", 100), ("vco-b", 0)], [("vco-a", 0), ("vco-b", 100)]
    wide = [route("10.0.0.0/8", *one) for one in pair]
    same = [route("10.0.0.0/16", *one) for one in reversed(pair)]
    half = [route("10.0.0.0/24", *pair[0])]
    other = [route("10.1.0.0/16", *one) for one in swapped]
    rows = [*half, *wide, *same, route("0.0.0.0/0"), *other]
    assert said(*rows) == [
        (0, "more-specific", 3, None),
        (3, "covered", 1, None),
        (4, "covered", 1, None),
        (5, "default-route", None, "OperationFailed.InvalidCidrBlock"),
        (6, "more-specific", 1, None),
        (7, "more-specific", 1, None),
    ]


def test_scope_may_name_more_columns() -> None:
    """With transit routers named, two of one region do not see one another."""
    rows = [route("10.0.0.0/8") | {"tr": "tr-1"}, route("10.0.0.0/16", "vco-b") | {"tr": "tr-2"}]
    assert said(*rows) == [(1, "more-specific", 0, None)]
    assert said(*rows, scope=("region_id", "tr")) == []


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    """Return the script that makes the inventories, as a module."""
    spec = importlib.util.spec_from_file_location("make_inventories", DATA / "make_inventories.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def read(name: str, encoding: str = "utf-8", delimiter: str = ",") -> list[dict]:
    """Read an inventory, as little as will do."""
    rows = []
    with (DATA / name).open(encoding=encoding, newline="") as file:
        for cells in list(csv.reader(file, delimiter=delimiter))[1:]:
            bare = [re.sub(rf"^[\s{ZERO_WIDTH}]+|[\s{ZERO_WIDTH}]+$", "", cell) for cell in cells]
            row = dict(zip(NAMES, bare, strict=True))
            for key in ("region_id", "vpn_connection_id", "next_hop"):
                row[key] = row[key].lower()
            whole = re.fullmatch(r"(0|-?[1-9][0-9]*)(\.0+)?", row["weight"])
            row["weight_text"] = None if whole else row["weight"]
            row["weight"] = int(whole[1]) if whole else None
            rows.append(row)
    return rows


def test_inventories_are_made_again_to_the_byte() -> None:
    """The script makes the files that stand in the folder."""
    command = [sys.executable, DATA / "make_inventories.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_errors_stand_on_the_rows_that_were_spoilt(maker: ModuleType) -> None:
    """Each mistake is found by the rule it is named after, and no other row has an error."""
    found = oracle(read("routes.csv"))
    mistakes = {row: one.mistake for row, one in enumerate(maker.large()) if one.mistake}
    assert set(mistakes.items()) <= {(f["row"], f["rule"]) for f in found}
    assert {f["row"] for f in found if f["severity"] == "error"} <= mistakes.keys()


def test_inventory_shows_every_rule() -> None:
    """Every rule of rows as people type them speaks at least twice, the quota's once."""
    rows = read("routes.csv")
    counts = Counter(f["rule"] for f in oracle(rows))
    assert counts.pop("quota-exceeded") == 1
    elsewhere = {"unknown-connection", "wrong-region", "not-attached", "already-live"}
    elsewhere |= {"live-conflict", "quota-exceeded", "invalid-region", "description-too-long"}
    assert RULES.keys() - counts.keys() == elsewhere
    assert min(counts.values()) >= 2
    assert 2200 <= len(rows) <= 2600


def test_small_inventories_carry_the_same_published_routes(maker: ModuleType) -> None:
    """English and Chinese differ in nothing but descriptions, and the prefixes are real."""
    small, chinese = read("routes-small.csv"), read("routes-zh.csv", "gb18030", ";")
    for row in (*small, *chinese):
        del row["description"]
    assert small == chinese
    published = {str(network) for networks in maker.published().values() for network in networks}
    errors = {f["row"] for f in oracle(small) if f["severity"] == "error"}
    assert {row["route_dest"] for n, row in enumerate(small) if n not in errors} <= published
