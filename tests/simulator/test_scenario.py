"""A cloud from a file, and for an inventory: what is written is what is simulated."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pandas as pd
import pytest

from tests.simulator.conftest import Clock, route
from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route, Simulator, Switches
from vcokit.simulator.scenario import Scenario, ScenarioError, parse_scenario

PAGE = Path(__file__).parents[2] / "docs" / "scenario.md"
FULL = """
speed = 60
seed = 7
quota = 90
router_quota = 200
task_seconds = [2, 5]

[[accounts]]
account_id = "1"
access_key_id = "one"
access_key_secret = "first-secret"

[[accounts]]
account_id = "2"
access_key_id = "STS.two"
access_key_secret = "second-secret"
security_token = "the-token"
token_expires = 2e9
active = false
denial_code = "Forbbiden.SubUser"
[accounts.policy]
Version = "1"
Statement = [{Effect = "Allow", Action = "vpc:Describe*", Resource = "*"}]

[[connections]]
vpn_connection_id = "vco-1"
region_id = "cn-hangzhou"
name = "branch"
tags = {env = "prod"}
tunnels = 2
ssl_client_pools = ["10.8.0.0/16"]
task_seconds = 3
[[connections.learned_routes]]
route_dest = "172.16.0.0/12"
source = "CLOUD"

[[connections]]
vpn_connection_id = "vco-2"
region_id = "eu-west-1"
account_id = "2"
state = "financialLocked"

[[routes]]
vpn_connection_id = "vco-1"
route_dest = "10.0.0.0/8"

[[routes]]
vpn_connection_id = "vco-1"
route_dest = "10.1.0.0/16"
weight = 0
next_hop = "vco-2"
description = "site 7"

[limits]
CreateVcoRouteEntry = [6, 60]

[switches]
listed_after_task = false
listing_weight = "missing"
task_conflict_seconds = 2

[[faults]]
kind = "busy"
vpn_connection_id = "vco-1"
operation = "CreateVcoRouteEntry"
probability = 0.25
count = 9
after = 1
burst = 3
code = "TaskConflict"

[[faults]]
kind = "status_500"
applied = true
seconds = 2
"""


def test_a_small_scenario_needs_no_more_than_keys_and_a_connection():
    """One account, one connection, and the account owns it."""
    text = """
    [[accounts]]
    account_id = "7"
    access_key_id = "k"
    access_key_secret = "s"
    [[connections]]
    vpn_connection_id = "vco-1"
    """
    assert parse_scenario(text) == {
        "accounts": (Account("7", "k", "s"),),
        "connections": (Connection("vco-1", account_id="7"),),
    }
    assert parse_scenario("") == {}


def test_a_full_scenario_says_everything():
    """Every table becomes what Python would have written."""
    policy = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "vpc:Describe*", "Resource": "*"}],
    }
    assert parse_scenario(FULL) == {
        "speed": 60,
        "seed": 7,
        "quota": 90,
        "router_quota": 200,
        "task_seconds": (2, 5),
        "accounts": (
            Account("1", "one", "first-secret"),
            Account(
                *("2", "STS.two", "second-secret", "the-token", 2e9, False),
                policy=policy,
                denial_code="Forbbiden.SubUser",
            ),
        ),
        "connections": (
            Connection(
                "vco-1",
                "cn-hangzhou",
                name="branch",
                account_id="1",
                tags={"env": "prod"},
                tunnels=2,
                ssl_client_pools=("10.8.0.0/16",),
                task_seconds=3,
                learned_routes=(LearnedRoute("172.16.0.0/12", "CLOUD"),),
            ),
            Connection("vco-2", "eu-west-1", account_id="2", state="financialLocked"),
        ),
        "routes": (
            Route("vco-1", "10.0.0.0/8"),
            Route("vco-1", "10.1.0.0/16", 0, "vco-2", "site 7"),
        ),
        "limits": {"CreateVcoRouteEntry": (6, 60)},
        "switches": Switches(
            listed_after_task=False, listing_weight="missing", task_conflict_seconds=2
        ),
        "faults": (
            Fault("busy", "CreateVcoRouteEntry", "vco-1", 9, 0.25, 1, 3, code="TaskConflict"),
            Fault("status_500", applied=True, seconds=2),
        ),
    }


def test_a_simulator_is_made_of_it(tmp_path):
    """from_scenario reads the file, and arguments win over it."""
    path = tmp_path / "full.toml"
    path.write_text(FULL, encoding="utf-8")
    cloud = Simulator.from_scenario(path, speed=5.0)
    assert (cloud.speed, cloud.quota) == (5.0, 90)
    assert cloud.credentials.access_key_id == "one"
    assert cloud.limits["CreateVcoRouteEntry"] == (6, 60.0)
    assert cloud.routes()["route_dest"].tolist() == ["10.0.0.0/8", "10.1.0.0/16"]


TABLES = {
    "The file": Scenario,
    "[[accounts]]": Account,
    "[[connections]]": Connection,
    "[[connections.learned_routes]]": LearnedRoute,
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


CONNECTION = '[[connections]]\nvpn_connection_id = "vco-1"\nregion_id = "r"\n'
ACCOUNT = '[[accounts]]\naccess_key_id = "k"\naccess_key_secret = "the-secret"\n'
ROUTE = CONNECTION + '[[routes]]\nvpn_connection_id = "vco-1"\nroute_dest = "10.0.0.0/8"\n'
# what is written, and all that follows the file's name
WRONG = [
    ("speed = x", r"is no TOML: .* \(at line 1, column 9\)\. Put that line right"),
    ("{", "is no JSON: .* Put that line right"),
    ("speed = " + "9" * 5000, "is no TOML: .* Put that line right"),
    ("speed = " + "[" * 20000, "is no TOML: .* Put that line right"),
    ("sped = 1", "sped: no such key. Write speed"),
    ("xyz = 1", "xyz: no such key. Write one of speed, seed, quota"),
    ('speed = "the-secret"', "speed: write a number"),
    ("speed = 0", "speed: is out of range. Write a number above 0"),
    ("speed = inf", "speed: is out of range"),
    ("speed = nan", "speed: is out of range"),
    ("speed = true", "speed: write a number"),
    ("seed = 1.5", "seed: write a whole number"),
    ("seed = 2026-01-01", "seed: write a whole number"),
    ("quota = -1", "quota: is out of range"),
    ("task_seconds = -1", "task_seconds: task_seconds: write a time such as 2"),
    ("task_seconds = [1]", "task_seconds: .* write a time such as 2"),
    ("task_seconds = 'x'", "task_seconds: write a number or a list"),
    ("accounts = 5", "accounts: write a list"),
    ("accounts = [5]", r"accounts\[0\]: write a table"),
    (ACCOUNT.replace('"the-secret"', "5"), r"accounts\[0\].access_key_secret: write a text"),
    (ACCOUNT + ACCOUNT, r"accounts\[1\].access_key_id: is that of accounts\[0\] again. Take one"),
    (ACCOUNT + "policy = {}", r"accounts\[0\]: policy: Statement is a list"),
    (ACCOUNT + 'denial_code = "the-secret"', r"accounts\[0\]: denial_code is unknown. Write one"),
    ('[[connections]]\nregion_id = "r"', r"connections\[0\].vpn_connection_id: is missing"),
    (CONNECTION.replace("vco-1", "the-secret"), r"connections\[0\]: vpn_connection_id: write vco-"),
    (CONNECTION + "task_second = 1", r"connections\[0\].task_second: no such key. Write task_sec"),
    (CONNECTION + 'task_seconds = "2"', r"connections\[0\].task_seconds: write a number or a list"),
    (CONNECTION + "task_seconds = [2, 1]", r"connections\[0\].task_seconds: .* write a time"),
    (CONNECTION + "tags = {k = 1}", r"connections\[0\].tags.k: write a text"),
    (
        CONNECTION + "ssl_client_pools = [1]",
        r"connections\[0\].ssl_client_pools\[0\]: write a text",
    ),
    (
        CONNECTION + 'ssl_client_pools = ["x"]',
        r"connections\[0\]: connection vco-1: pool is no net",
    ),
    (
        CONNECTION + "learned_routes = [{}]",
        r"connections\[0\].learned_routes\[0\].route_dest: is m",
    ),
    (CONNECTION + "learned_routes = [{route_dest = 'x'}]", r".*learned_routes\[0\]: learned route"),
    (
        CONNECTION + 'account_id = "9"',
        r"connections\[0\].account_id: is not among the accounts. Ad",
    ),
    (
        CONNECTION * 2,
        r"connections\[1\].vpn_connection_id: is that of connections\[0\] again. Take",
    ),
    (ROUTE.replace('route_dest = "10.0.0.0/8"', ""), r"routes\[0\].route_dest: is missing"),
    (ROUTE.replace("vco-1", "vco-l", 1), r"routes\[0\].vpn_connection_id: is not among the connec"),
    (ROUTE.replace("10.0.0.0", "10.0.0.1"), r"routes\[0\].route_dest: .*no network. Write a.b.c.d"),
    (ROUTE.replace("10.0.0.0/8", "0.0.0.0/0"), r"routes\[0\].route_dest: the default route is no"),
    (ROUTE + "weight = 5", r"routes\[0\]: route: weight is neither 0 nor 100"),
    (ROUTE + ROUTE[len(CONNECTION) :], r"routes\[1\].route_dest: is that of routes\[0\] again"),
    ("[limits]\nCreateVcoRoute = [1, 2]", "limits.CreateVcoRoute: no such operation. Write Create"),
    ("[limits]\nDescribeRegions = 5", "limits.DescribeRegions: write a list of a whole number an"),
    ("[limits]\nDescribeRegions = [1]", "limits.DescribeRegions: write a list of a whole number a"),
    ("[limits]\nDescribeRegions = [1, inf]", "limits.DescribeRegions: write calls from 1, second"),
    ("[switches]\nlisted_after = true", "switches.listed_after: no such key. Write listed_after_t"),
    ("[switches]\nlisted_after_task = 1", "switches.listed_after_task: write true or false"),
    ("[switches]\nlisting_weight = 'x'", "switches: listing_weight is unknown. Write one of const"),
    ("switches = 1", "switches: write a table"),
    ("[[faults]]\ncount = 1", r"faults\[0\].kind: is missing"),
    ("[[faults]]\nkind = 'the-secret'", r"faults\[0\]: fault: kind is unknown. Write one of"),
    ("[[faults]]\nkind = 'busy'\ncode = 'the-secret'", r"faults\[0\]: fault busy: code is none of"),
    (
        CONNECTION + "[[faults]]\nkind = 'busy'\nvpn_connection_id = 'vco-2'",
        r"faults\[0\].vpn_connection_id: is not among the connections",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_a_slip_is_told_by_file_key_and_remedy(text, message):
    """One message of one line, and never a value in it, which might be a secret."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "my.toml")
    assert re.match(rf"my\.toml: {message}", str(caught.value)), caught.value
    assert "\n" not in str(caught.value)
    assert "the-secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """Absent, or no text: one message with the remedy."""
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read: No such file"):
        Simulator.from_scenario(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match=r"bytes\.toml: cannot be read: it is no UTF-8. Name"):
        Simulator.from_scenario(tmp_path / "bytes.toml")


def test_whatever_can_be_parsed_can_be_made():
    """Any value of any key gives a simulator or a ScenarioError, nothing else."""
    odd = ["-1", "0", "1", "1.5", "nan", "inf", "-inf", "true", "'x'", "[]", "[[]]", "{}", "''"]
    odd += ["2026-01-01", "[1, 2]", "{a = 1}", "9e400", "99999999999999999999"]
    start = {"The file": "", "[[accounts]]": "[[accounts]]\n", "[[routes]]": ROUTE}
    start |= {"[[connections]]": CONNECTION, "[switches]": "[switches]\n"}
    start |= {"[[faults]]": "[[faults]]\nkind = 'delay'\n"}
    outcomes = []
    for heading, before in start.items():
        for one in fields(TABLES[heading]):
            for value in odd:
                text = re.sub(rf"^{one.name} = .*\n", "", before, flags=re.MULTILINE)
                try:
                    Simulator(
                        **{"accounts": [Account()]}
                        | parse_scenario(f"{text}{one.name} = {value}\n")
                    )
                    outcomes.append("made")
                except ScenarioError:
                    outcomes.append("refused")
    assert outcomes.count("made") > 100
    assert outcomes.count("refused") > 500


# -- a cloud that is kept -------------------------------------------------------------------------


def test_a_cloud_can_be_kept_between_runs(tmp_path):
    """What save writes load gives back, running tasks count as ended."""
    path, clock = tmp_path / "cloud.json", Clock()
    weight = pd.Series([0], dtype="Int64").to_numpy()[0]
    connections = [
        Connection("vco-1", "r", name="ü", tags={"a": "b"}, task_seconds=[1, 2], tunnels=2),
        Connection("vco-2", "r", learned_routes=[LearnedRoute("172.16.0.0/12")]),
    ]
    routes = [Route("vco-1", "10.9.0.0/16", weight, description="é"), Route("vco-2", "10.8.0.0/16")]
    options = {"quota": 88, "router_quota": 99, "monotonic": clock}
    cloud = Simulator(connections, routes, **options)
    cloud._cloud.call("CreateVcoRouteEntry", route(RegionId="r"), now=0.0)
    cloud._cloud.call("DeleteVcoRouteEntry", route("vco-2", "10.8.0.0/16", RegionId="r"), now=0.0)
    cloud.save(path)
    assert cloud.connections()["state"].tolist() == ["updating", "updating"]
    back = Simulator.load(path, speed=7.0)
    assert (back.quota, back.speed) == (88, 7.0)
    assert back.routes()["route_dest"].tolist() == ["10.9.0.0/16", "10.1.0.0/16"]
    assert back.connections()["state"].tolist() == ["attached", "attached"]
    again = tmp_path / "again.json"
    back.save(again)
    assert again.read_text("utf-8") == path.read_text("utf-8")
    assert Simulator.load(path, quota=9).quota == 9


@pytest.mark.parametrize("text", ["[]", '{"format": 7}', '{"routes": 1}', "\ufffd"])
def test_what_is_no_cloud_is_refused(tmp_path, text):
    """A file of something else is named."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"other\.json: "):
        Simulator.load(path)


# -- a cloud for an inventory ---------------------------------------------------------------------


COLUMNS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def inventory(*rows: tuple) -> pd.DataFrame:
    """Return rows of (region, connection, destination, weight) as a routes frame."""
    columns = {name: [] for name in COLUMNS}
    for region, connection, dest, weight in rows:
        for name, value in zip(
            COLUMNS, (region, connection, dest, connection, weight), strict=True
        ):
            columns[name].append(value)
    dtypes = dict.fromkeys(COLUMNS, "str") | {"weight": "Int64"}
    return pd.DataFrame(columns).astype(dtypes)


def test_each_well_formed_id_is_a_connection():
    """Malformed and missing ids make none; each other makes one, attached, in order."""
    rows = inventory(
        ("eu-west-1", "vco-b", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-a****", "10.0.0.0/8", 0),
        ("eu-west-1", "vco-b", "rubbish", None),
        ("eu-west-1", "vpn-x", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-", "10.0.0.0/8", 100),
        ("eu-west-1", None, "10.0.0.0/8", 100),
    )
    found = Simulator.for_routes(rows).connections()
    assert found["vpn_connection_id"].tolist() == ["vco-b", "vco-a****"]
    assert found["attach_type"].unique().tolist() == ["CEN"]
    assert found["state"].unique().tolist() == ["attached"]
    assert Simulator.for_routes(rows).routes().empty


def test_a_cloud_may_hold_routes_at_the_start():
    """Beside the inventory it is made for, a cloud takes the routes that are there already."""
    rows = inventory(("eu-west-1", "vco-b", "10.0.0.0/8", 100))
    cloud = Simulator.for_routes(rows, routes=[Route("vco-b", "10.1.0.0/16", 0)])
    assert cloud.routes()["route_dest"].tolist() == ["10.1.0.0/16"]


def test_the_region_is_that_of_the_first_row_that_names_one():
    """A missing region is no region; where no row names one the default is taken."""
    rows = inventory(
        (None, "vco-1", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-1", "10.1.0.0/16", 100),
        ("us-east-1", "vco-1", "10.2.0.0/16", 100),
        (None, "vco-2", "10.0.0.0/8", 100),
        ("", "vco-3", "10.0.0.0/8", 100),
    )
    found = Simulator.for_routes(rows).connections().set_index("vpn_connection_id")
    assert found["region_id"].to_dict() == {
        "vco-1": "eu-west-1",
        "vco-2": "cn-hangzhou",
        "vco-3": "cn-hangzhou",
    }


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
    assert Simulator.for_routes(small).quota == 50
    large = inventory(*(("r", "vco-1", f"10.{n}.0.0/16", 100) for n in range(60)))
    twice = pd.concat([large, large.assign(region_id="x"), small.assign(vpn_connection_id="bad")])
    assert Simulator.for_routes(twice).quota == 60
    assert Simulator.for_routes(large.assign(vpn_connection_id="bad")).quota == 50
    assert Simulator.for_routes(large, quota=7).quota == 7
    assert Simulator.for_routes(inventory()).quota == 50


def test_options_reach_the_simulator():
    """Speed and all other options are those of the constructor."""
    rows = inventory(("r", "vco-1", "10.0.0.0/8", 100))
    cloud = Simulator.for_routes(rows, speed=5.0, limits={"DescribeRegions": (1, 2.0)})
    assert cloud.speed == 5.0
    assert cloud.limits["DescribeRegions"] == (1, 2.0)
    assert Simulator.for_routes(rows).speed == 60.0


def test_dirty_cells_do_no_harm():
    """Numbers, objects and missing values in any column make a cloud all the same."""
    rows = pd.DataFrame(
        {
            "region_id": [1, None, "r", float("nan")],
            "vpn_connection_id": [2.5, None, "vco-1", "vco-1"],
            "route_dest": [None, 3, "10.0.0.0/8", ["x"]],
            "next_hop": [None] * 4,
            "weight": ["abc", None, 100, 1e300],
        },
        dtype=object,
    )
    found = Simulator.for_routes(rows).connections()
    assert found[["region_id", "vpn_connection_id"]].to_numpy().tolist() == [["r", "vco-1"]]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_lacks_is_named(column):
    """A frame that is no inventory is refused with the column and the remedy."""
    with pytest.raises(ValueError, match=f"lacks the column {column}.*read_routes"):
        Simulator.for_routes(inventory().drop(columns=column))


def test_what_is_no_frame_is_told():
    """A path in the place of a frame is refused with the remedy."""
    with pytest.raises(ValueError, match=r"must be a DataFrame, not str.*read_routes"):
        Simulator.for_routes("routes.csv")


def test_a_categorical_inventory_is_an_inventory():
    """Columns that a reader made categorical work like text."""
    rows = inventory(("eu-west-1", "vco-1", "10.0.0.0/8", 100)).astype("category")
    assert Simulator.for_routes(rows).connections()["region_id"].tolist() == ["eu-west-1"]
