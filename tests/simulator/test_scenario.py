"""How a cloud is described: in Python, in a file, by an inventory; and what describes none."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.simulator.conftest import Clock, route
from vcokit.simulator import (
    Account,
    Connection,
    Fault,
    LearnedRoute,
    Role,
    Route,
    Simulator,
    Switches,
    TunnelFailure,
)
from vcokit.simulator.scenario import Scenario, ScenarioError, parse_scenario

PAGE = Path(__file__).parents[2] / "docs" / "scenario.md"
FULL = """
speed = 60
task_seconds = [2, 5]
limits = {CreateVcoRouteEntry = [6, 60]}
switches = {listed_after_task = false}

[[accounts]]
account_id = "1"
access_key_id = "one"
access_key_secret = "first-secret"
roles = [{name = "vcokit", trusts = ["2"], external_id = "an-id"}]

[[accounts]]
access_key_id = "STS.two"
access_key_secret = "second-secret"
security_token = "the-token"
policy = {Statement = [{Effect = "Allow", Action = "vpc:Describe*", Resource = "*"}]}

[[connections]]
vpn_connection_id = "vco-1"
tags = {env = "prod"}
ssl_client_pools = ["10.8.0.0/16"]
task_seconds = 3
learned_routes = [{route_dest = "172.16.0.0/12", source = "CLOUD"}]

[[routes]]
vpn_connection_id = "vco-1"
route_dest = "10.1.0.0/16"
weight = 0

[[faults]]
kind = "busy"
vpn_connection_id = "vco-1"
probability = 0.25
"""


def test_a_scenario_says_what_python_would(tmp_path):
    """Every table becomes its objects, the first account owns what names no owner."""
    policy = {"Statement": [{"Effect": "Allow", "Action": "vpc:Describe*", "Resource": "*"}]}
    two = {"access_key_id": "STS.two", "access_key_secret": "second-secret", "policy": policy}
    one = {"tags": {"env": "prod"}, "ssl_client_pools": ("10.8.0.0/16",), "task_seconds": 3}
    learned = (LearnedRoute("172.16.0.0/12", "CLOUD"),)
    assert parse_scenario(FULL) == {
        "speed": 60,
        "task_seconds": (2, 5),
        "limits": {"CreateVcoRouteEntry": (6, 60)},
        "switches": Switches(listed_after_task=False),
        "accounts": (
            Account("1", "one", "first-secret", roles=(Role("vcokit", ("2",), "an-id"),)),
            Account(security_token="the-token", **two),
        ),
        "connections": (Connection("vco-1", account_id="1", learned_routes=learned, **one),),
        "routes": (Route("vco-1", "10.1.0.0/16", 0),),
        "faults": (Fault("busy", vpn_connection_id="vco-1", probability=0.25),),
    }
    assert parse_scenario("") == {}
    path = tmp_path / "full.toml"
    path.write_text(FULL, encoding="utf-8")
    cloud = Simulator.from_scenario(path, speed=5.0)
    assert (cloud.speed, cloud.quota) == (5.0, 50), "arguments win over the file"
    assert cloud.credentials.access_key_id == "one"
    assert cloud.limits["CreateVcoRouteEntry"] == (6, 60.0)
    assert cloud.routes()["route_dest"].tolist() == ["10.1.0.0/16"]


TABLES = {
    "The file": Scenario,
    "[[accounts]]": Account,
    "[[accounts.roles]]": Role,
    "[[connections]]": Connection,
    "[[connections.learned_routes]]": LearnedRoute,
    "[[connections.failures]]": TunnelFailure,
    "[[routes]]": Route,
    "[switches]": Switches,
    "[[faults]]": Fault,
}


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_lists_every_key(heading):
    """Each field that a table can hold is on its page, with its default, and nothing else is."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(f"{heading}\n")]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, flags=re.MULTILINE)
    expected = []
    for one in fields(TABLES[heading]):
        default = one.default
        if one.default_factory is not MISSING or default in ((), None):
            default = ""
        if one.init:
            shown = "needed" if default is MISSING else str(default).lower() or "–"
            expected.append((one.name, shown.strip("()")))
    assert [(name, default.strip("`").lower()) for name, default in rows] == expected


# -- what cannot be -------------------------------------------------------------------------------


#: What each kind of thing needs beside what is wrong with it.
NEEDED: dict[type, dict[str, Any]] = {
    Account: {"access_key_secret": "hidden"},
    Connection: {"vpn_connection_id": "vco-1"},
    LearnedRoute: {"route_dest": "10.0.0.0/8"},
    Route: {"vpn_connection_id": "vco-1", "route_dest": "10.0.0.0/8"},
    Simulator: {"connections": [Connection("vco-1")]},
}


def policy(**changes: Any) -> dict[str, Any]:
    """Return what gives an account a policy of one statement; None leaves an element out."""
    one = {"Effect": "Allow", "Action": "*", "Resource": "*"} | changes
    return {"policy": {"Statement": {name: of for name, of in one.items() if of is not None}}}


INFINITE, NAN = float("inf"), float("nan")
IMPOSSIBLE = [
    (Simulator, {"connections": [Connection("vco-1")] * 2}, "twice"),
    (Simulator, {"routes": [Route("vco-1", "10.0.0.0")]}, "not a network"),
    (Simulator, {"routes": [Route("vco-1", "0.0.0.0/0")]}, "default route"),
    (Simulator, {"routes": [Route("vco-9", "10.0.0.0/8")]}, "no connection vco-9"),
    (Simulator, {"task_seconds": (5.0, 2.0)}, "task_seconds"),
    (Simulator, {"limits": {"Nonsense": (1, 1)}}, "Nonsense"),
    (Simulator, {"limits": {"DescribeRegions": (0, 1)}}, "at least 1"),
    (Simulator, {"speed": 0}, "above 0"),
    (Simulator, {"accounts": []}, "account"),
    (Connection, {"vpn_connection_id": "vpn-1"}, "vco-"),
    (Connection, {"attach_type": "X"}, "attach_type is unknown. Write one of CEN"),
    (Connection, {"tunnels": 3}, "tunnels is 0, 1 or 2"),
    (Connection, {"ssl_client_pools": ["10.0.0.1/8"]}, "pool is not a network"),
    (Connection, {"task_seconds": [3, 2]}, "task_seconds: write a time"),
    (LearnedRoute, {"route_dest": "10.0.0.0"}, "learned route is not a network"),
    (LearnedRoute, {"source": "X"}, "source is unknown"),
    (Route, {"weight": 50}, "neither 0 nor 100"),
    (Switches, {"listing_weight": "x"}, "listing_weight is unknown. Write one of const"),
    (Switches, {"task_conflict_seconds": -1.0}, "write seconds"),
    (Fault, {"kind": "flood"}, "kind is unknown"),
    (Fault, {"kind": "delay", "operation": "DescribeVpcs"}, "operation is unknown"),
    (Fault, {"kind": "delay", "probability": 1.5}, "probability"),
    (Fault, {"kind": "delay", "after": -1}, "after"),
    (Fault, {"kind": "delay", "burst": 0}, "burst"),
    (Fault, {"kind": "delay", "seconds": -1.0}, "seconds"),
    (Fault, {"kind": "skew", "seconds": NAN}, "seconds"),
    (Fault, {"kind": "drop_before", "applied": True}, "applied cannot be set"),
    (Fault, {"kind": "refuse"}, "name the code"),
    (Fault, {"kind": "refuse", "code": "Nonsense"}, "code is not allowed for this kind"),
    (Fault, {"kind": "busy", "code": "Throttling.User"}, "Write one of Appliance.Configuring"),
    (Fault, {"kind": "delay", "code": "TaskConflict"}, "Leave code out"),
    (Account, {"policy": {}}, "Statement is a list"),
    (Account, {"policy": {"Version": "2", "Statement": []}}, 'Version = "1"'),
    (Account, {"policy": {"Statement": [], "Id": "x"}}, "nothing else"),
    (Account, policy(Condition={}), "not modelled"),
    (Account, policy(Action=None, NotAction="*"), "not modelled"),
    (Account, policy(Effect="Maybe"), "Allow, Deny"),
    (Account, policy(Action=[1]), "list of texts"),
    (Account, {"access_key_id": ""}, "access_key_id"),
    (Account, {"denial_code": "InternalError"}, "denial_code is unknown. Write one of Forbbiden"),
    (Account, {"token_expires": 5.0}, "without security_token"),
]


@pytest.mark.parametrize(("kind", "options", "message"), IMPOSSIBLE)
def test_what_cannot_be_cannot_be_made(kind, options, message):
    """Whatever the cloud could not be or hold raises ValueError, says what could, no secret."""
    with pytest.raises(ValueError, match=message) as caught:
        kind(**NEEDED.get(kind, {}) | options)
    assert "hidden" not in str(caught.value)


CONNECTION = '[[connections]]\nvpn_connection_id = "vco-1"\nregion_id = "r"\n'
ACCOUNT = '[[accounts]]\naccess_key_id = "k"\naccess_key_secret = "the-secret"\n'
ROUTE = CONNECTION + '[[routes]]\nvpn_connection_id = "vco-1"\nroute_dest = "10.0.0.0/8"\n'
STRANGER = "[[faults]]\nkind = 'busy'\nvpn_connection_id = 'vco-2'"
# what is written, and what follows the file's name: the key, and what to write
WRONG = [
    ("speed = x", r"is not TOML: .* \(at line 1, column 9\)\. Correct that line"),
    ("{", "is not JSON: .* Correct that line"),
    ("speed = " + "9" * 5000, "is not TOML: .* Correct that line"),
    ("speed = " + "[" * 20000, "is not TOML: .* Correct that line"),
    ('{"routes": 1}', "routes: write a list"),
    ("[]", "is not TOML"),
    ("sped = 1", "sped: no such key. Write speed"),
    ("xyz = 1", "xyz: no such key. Write one of speed, seed, quota"),
    ('speed = "the-secret"', "speed: write a number"),
    ("speed = 0", "speed: is out of range. Write a number above 0"),
    ("speed = nan", "speed: is out of range"),
    ("task_seconds = 'x'", "task_seconds: write a number or a list"),
    ("accounts = [5]", r"accounts\[0\]: write a table"),
    (ACCOUNT.replace('"the-secret"', "5"), r"accounts\[0\].access_key_secret: write a text"),
    (ACCOUNT + ACCOUNT, r"accounts\[1\].access_key_id: is that of accounts\[0\] again. Take one"),
    ('[[connections]]\nregion_id = "r"', r"connections\[0\].vpn_connection_id: is missing"),
    (CONNECTION.replace("vco-1", "the-secret"), r"connections\[0\]: vpn_connection_id: write vco-"),
    (CONNECTION + "task_second = 1", r"connections\[0\].task_second: no such key. Write task_sec"),
    (CONNECTION + "ssl_client_pools = [1]", r"connections\[0\].ssl_client_pools\[0\]: write a te"),
    (CONNECTION + "learned_routes = [{}]", r".*learned_routes\[0\].route_dest: is missing"),
    (CONNECTION + 'account_id = "9"', r"connections\[0\].account_id: is not among the accounts"),
    (CONNECTION * 2, r"connections\[1\].vpn_connection_id: is that of connections\[0\] again"),
    (CONNECTION + STRANGER, r"faults\[0\].vpn_connection_id: is not among the connections"),
    (ROUTE.replace("vco-1", "vco-l", 1), r"routes\[0\].vpn_connection_id: is not among the connec"),
    (
        ROUTE.replace("10.0.0.0", "10.0.0.1"),
        r"routes\[0\].route_dest: .*not a network. Write a.b.c.d",
    ),
    (ROUTE + ROUTE[len(CONNECTION) :], r"routes\[1\].route_dest: is that of routes\[0\] again"),
    ("[limits]\nCreateVcoRoute = [1, 2]", "limits.CreateVcoRoute: no such operation. Write Create"),
    ("[limits]\nDescribeRegions = [1]", "limits.DescribeRegions: write a list of a whole number a"),
    ("[limits]\nDescribeRegions = [0, 1]", "limits.DescribeRegions: write calls from 1, second"),
    ("[switches]\nlisted_after_task = 1", "switches.listed_after_task: write true or false"),
    ("[[faults]]\nkind = 'the-secret'", r"faults\[0\]: fault: kind is unknown. Write one of"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_a_slip_is_told_by_file_key_and_remedy(tmp_path, text, message):
    """One message of one line, and never a value in it, which might be a secret."""
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"my\.toml: {message}") as caught:
        Simulator.from_scenario(path)
    assert "\n" not in str(caught.value)
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "cannot be read: No such file"), (b"\xff\xfe", "cannot be read: it is not UTF-8")],
)
def test_a_file_that_is_no_text_is_named(tmp_path, data, message):
    """Absent or no text: one message with the remedy."""
    path = tmp_path / "some.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ScenarioError, match=rf"some\.toml: {message}.* Name a TOML file"):
        Simulator.load(path)


def test_whatever_can_be_parsed_can_be_made():
    """Any value of any key gives a simulator or a ScenarioError, nothing else."""
    odd = ["-1", "0", "1.5", "nan", "inf", "true", "'x'", "[]", "[[]]", "{}", "''", "2026-01-01"]
    odd += ["[1, 2]", "{a = 1}", "9e400", "99999999999999999999"]
    start = {"The file": "", "[[accounts]]": "[[accounts]]\n", "[[routes]]": ROUTE}
    start |= {"[[connections]]": CONNECTION, "[switches]": "[switches]\n"}
    start |= {"[[faults]]": "[[faults]]\nkind = 'delay'\n"}
    outcomes = []
    for heading, before in start.items():
        for one in fields(TABLES[heading]):
            text = re.sub(rf"^{one.name} = .*\n", "", before, flags=re.MULTILINE)
            for value in odd:
                try:
                    Simulator(**parse_scenario(f"{text}{one.name} = {value}\n"))
                    outcomes.append("made")
                except ScenarioError:
                    outcomes.append("refused")
    assert outcomes.count("made") > 80
    assert outcomes.count("refused") > 500


# -- a cloud that is kept -------------------------------------------------------------------------


def test_a_cloud_can_be_kept_between_runs(tmp_path, caller):
    """What save writes load gives back, running tasks count as ended; arguments win."""
    path, again = tmp_path / "cloud.json", tmp_path / "again.json"
    connections = [
        Connection("vco-1", "r", name="ü", tags={"a": "b"}, task_seconds=[1, 2], tunnels=2),
        Connection("vco-2", "r", learned_routes=[LearnedRoute("172.16.0.0/12")]),
    ]
    weight = pd.Series([0], dtype="Int64").to_numpy()[0]  # no number that JSON knows
    routes = [Route("vco-1", "10.9.0.0/16", weight, description="é"), Route("vco-2", "10.8.0.0/16")]
    options = {"quota": 88, "router_quota": 99, "monotonic": Clock()}
    late = Switches(removed_at_acceptance=False)
    with Simulator(connections, routes, switches=late, **options) as before:
        client = caller(before)
        client.send("CreateVcoRouteEntry", route(RegionId="r"))
        client.send("DeleteVcoRouteEntry", route("vco-2", "10.8.0.0/16", RegionId="r"))
        before.save(path)
        assert before.connections()["state"].tolist() == ["updating", "updating"]
    back = Simulator.load(path, speed=7.0)
    assert (back.quota, back.speed, Simulator.load(path, quota=9).quota) == (88, 7.0, 9)
    assert back.routes()["route_dest"].tolist() == ["10.9.0.0/16", "10.1.0.0/16"]
    assert back.connections()["state"].tolist() == ["attached", "attached"]
    back.save(again)
    assert again.read_text("utf-8") == path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["router_quota"] == 99


# -- a cloud for an inventory ---------------------------------------------------------------------


def inventory(*rows: tuple) -> pd.DataFrame:
    """Return rows of (region, connection, destination, weight) as a routes frame."""
    columns = ["region_id", "vpn_connection_id", "route_dest", "weight"]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    frame.insert(3, "next_hop", frame["vpn_connection_id"])
    return frame.astype(dict.fromkeys(frame, "str") | {"weight": "Int64"})


DIRTY = pd.DataFrame(
    {
        "region_id": [1, None, "r", float("nan")],
        "vpn_connection_id": [2.5, None, "vco-1", "vco-1"],
        "route_dest": [None, 3, "10.0.0.0/8", ["x"]],
        "next_hop": [None] * 4,
        "weight": ["abc", None, 100, 1e300],
    },
    dtype=object,
)
FOUND = inventory(
    (None, "vco-b", "10.0.0.0/8", 100),
    ("eu-west-1", "vco-b", "10.0.0.0/8", 100),
    ("us-east-1", "vco-b", "rubbish", None),
    ("us-east-1", "vco-a****", "10.0.0.0/8", 0),
    ("eu-west-1", "vpn-x", "10.0.0.0/8", 100),
    ("eu-west-1", "vco-", "10.0.0.0/8", 100),
    ("eu-west-1", None, "10.0.0.0/8", 100),
    ("", "vco-c", "10.0.0.0/8", 100),
)
REGIONS = {"vco-b": "eu-west-1", "vco-a****": "us-east-1", "vco-c": "cn-hangzhou"}


@pytest.mark.parametrize(
    ("rows", "regions"),
    [(FOUND, REGIONS), (FOUND.astype("category"), REGIONS), (DIRTY, {"vco-1": "r"})],
    ids=["text", "categories", "dirt"],
)
def test_each_well_formed_id_is_a_connection(rows, regions):
    """In order, attached, in the region of its first row that names one, else the default."""
    found = Simulator.for_routes(rows).connections()
    assert list(found["vpn_connection_id"]) == list(regions)
    assert found["region_id"].tolist() == list(regions.values())
    assert found["attach_type"].unique().tolist() == ["CEN"]
    assert found["state"].unique().tolist() == ["attached"]
    assert Simulator.for_routes(rows).routes().empty


def test_what_is_invented_is_plausible_and_comes_from_the_seed():
    """A transit router for each region, zones of the region, names of their own; repeatable."""
    rows = inventory(
        *(("cn-hangzhou", f"vco-{n}", "10.0.0.0/8", 100) for n in range(5)),
        ("ap-southeast-5", "vco-x", "10.0.0.0/8", 100),
    )
    found, again = (Simulator.for_routes(rows, seed=4).connections() for _ in range(2))
    pd.testing.assert_frame_equal(found, again)
    assert not found.equals(Simulator.for_routes(rows, seed=5).connections())
    assert found["name"].is_unique
    assert found.groupby("region_id")["transit_router_id"].nunique().tolist() == [1, 1]
    assert found["transit_router_id"].nunique() == 2
    assert found["zone"].str.fullmatch(r"cn-hangzhou-[abc]|ap-southeast-5[abc]").all()
    assert found["transit_router_id"].str.fullmatch("tr-[a-z0-9]{20}").all()


def test_the_quota_lets_the_inventory_in():
    """50, or the distinct rows of the largest connection; repeats and malformed ids count not."""
    small = inventory(*(("r", "vco-1", f"10.{n}.0.0/16", 100) for n in range(50)))
    large = inventory(*(("r", "vco-1", f"10.{n}.0.0/16", 100) for n in range(60)))
    twice = pd.concat([large, large.assign(region_id="x"), small.assign(vpn_connection_id="bad")])
    few, bad = small.head(3), large.assign(vpn_connection_id="bad")
    quotas = [Simulator.for_routes(one).quota for one in (small, few, twice, bad, inventory())]
    assert quotas == [50, 50, 60, 50, 50]
    assert Simulator.for_routes(large, quota=7).quota == 7


def test_options_reach_the_simulator():
    """A minute passes in a second unless told; all else is as for the constructor."""
    rows, there = FOUND.head(2), [Route("vco-b", "10.1.0.0/16", 0)]
    limits = {"DescribeRegions": (1, 2.0)}
    made = Simulator.for_routes(rows, speed=5.0, limits=limits, routes=there)
    assert (made.speed, Simulator.for_routes(rows).speed) == (5.0, 60.0)
    assert made.limits["DescribeRegions"] == (1, 2.0)
    assert made.routes()["route_dest"].tolist() == ["10.1.0.0/16"]


def test_what_is_no_inventory_is_told():
    """A frame that lacks a column, or no frame, is refused with the remedy."""
    for column in inventory():
        with pytest.raises(ValueError, match=f"lacks the column {column}.*read_routes"):
            Simulator.for_routes(inventory().drop(columns=column))
    with pytest.raises(ValueError, match=r"must be a DataFrame, not str.*read_routes"):
        Simulator.for_routes("routes.csv")
