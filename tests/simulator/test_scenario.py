"""Scenarios: what is written is what is simulated, and a slip of the pen is told where it is."""

from __future__ import annotations

import math
import re
from dataclasses import fields

import pytest

from vcokit.simulator import Account, Connection, Fault, LearnedRoute, Route, Simulator, Switches
from vcokit.simulator.durations import Between, Lognormal
from vcokit.simulator.facts import OPERATIONS
from vcokit.simulator.scenario import ScenarioError, parse_scenario
from vcokit.simulator.scenario_keys import KEYS

#: As small as one can be.
SMALL = """
[[accounts]]
access_key_id = "testAccessKeyId"
access_key_secret = "testAccessKeySecret"

[[connections]]
id = "vco-p0w2jpkhi2eeop6q6test"
region = "ap-southeast-2"
task_seconds = 2
"""

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
id = "vco-1"
region = "cn-hangzhou"
name = "branch"
tags = {env = "prod"}
tunnels = 2
ssl_client_pools = ["10.8.0.0/16"]
task_seconds = {median = 3, sigma = 0.5, longest = 60}
[[connections.learned_routes]]
route_dest = "172.16.0.0/12"
source = "CLOUD"

[[connections]]
id = "vco-2"
region = "eu-west-1"
account = "2"
state = "financialLocked"

[[routes]]
connection = "vco-1"
route_dest = "10.0.0.0/8"

[[routes]]
connection = "vco-1"
route_dest = "10.1.0.0/16"
weight = 0
next_hop = "vco-2"
description = "site 7"

[limits]
CreateVcoRouteEntry = {calls = 6, seconds = 60}

[durations]
DeleteVcoRouteEntry = 1

[switches]
listed_after_task = false
token_scope = "region"
token_lifetime = 60
statuses = {SignatureDoesNotMatch = 403}

[[faults]]
kind = "busy"
connection = "vco-1"
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
    made = parse_scenario(SMALL)
    assert made == {
        "accounts": [
            Account(access_key_id="testAccessKeyId", access_key_secret="testAccessKeySecret")
        ],
        "connections": [Connection("vco-p0w2jpkhi2eeop6q6test", "ap-southeast-2", task_seconds=2)],
    }


def test_a_full_scenario_says_everything():
    """Every table becomes what Python would have written."""
    made = parse_scenario(FULL)
    policy = {"Statement": [{"Effect": "Allow", "Action": "vpc:Describe*", "Resource": "*"}]}
    assert made == {
        "speed": 60,
        "seed": 7,
        "quota": 90,
        "router_quota": 200,
        "task_seconds": Between(2.0, 5.0),
        "accounts": [
            Account("1", "one", "first-secret"),
            Account(
                *("2", "STS.two", "second-secret", "the-token", 2e9, False),
                policy=policy,
                denial_code="Forbbiden.SubUser",
            ),
        ],
        "connections": [
            Connection(
                "vco-1",
                "cn-hangzhou",
                name="branch",
                account_id="1",
                tags={"env": "prod"},
                tunnels=2,
                ssl_client_pools=("10.8.0.0/16",),
                task_seconds=Lognormal(3.0, 0.5, 60.0),
                learned_routes=(LearnedRoute("172.16.0.0/12", "CLOUD"),),
            ),
            Connection("vco-2", "eu-west-1", account_id="2", state="financialLocked"),
        ],
        "routes": [
            Route("vco-1", "10.0.0.0/8"),
            Route("vco-1", "10.1.0.0/16", 0, "vco-2", "site 7"),
        ],
        "limits": {"CreateVcoRouteEntry": (6, 60.0)},
        "durations": {"DeleteVcoRouteEntry": Between(1.0, 1.0)},
        "switches": Switches(
            listed_after_task=False,
            token_scope="region",
            token_lifetime=60,
            statuses={"SignatureDoesNotMatch": 403},
        ),
        "faults": [
            Fault("busy", "CreateVcoRouteEntry", "vco-1", 9, 0.25, 1, 3, code="TaskConflict"),
            Fault("status_500", applied=True, seconds=2),
        ],
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


def test_nothing_is_a_scenario_too():
    """An empty file leaves every default."""
    assert parse_scenario("") == {}


@pytest.mark.parametrize(
    ("table", "kind", "but"),
    [
        ("accounts", Account, set()),
        ("connections", Connection, set()),
        ("learned_routes", LearnedRoute, set()),
        ("routes", Route, set()),
        ("switches", Switches, set()),
        ("faults", Fault, set()),
    ],
)
def test_everything_can_be_written(table, kind, but):
    """Each field of what Python can make has its key."""
    written = {argument for argument, _ in KEYS[table].values()}
    assert written == {field.name for field in fields(kind)} - but


def test_every_operation_can_have_a_limit():
    """And every writing one a duration."""
    assert KEYS["limits"].keys() == OPERATIONS.keys()
    assert KEYS["durations"].keys() == {name for name, of in OPERATIONS.items() if of.writes}


CONNECTION = '[[connections]]\nid = "vco-1"\nregion = "r"\n'
ACCOUNT = '[[accounts]]\naccess_key_id = "k"\naccess_key_secret = "the-secret"\n'
# what is written, and all that follows the file's name
WRONG = [
    ("speed = x", r"is no TOML: .* \(at line 1, column 9\)\. Put that line right"),
    ("speed = " + "9" * 5000, "is no TOML: .* Put that line right"),
    ("speed = " + "[" * 20000, "is no TOML: .* Put that line right"),
    ("sped = 1", "sped: no such key. Write speed"),
    ("xyz = 1", "xyz: no such key. Write one of speed, seed, quota"),
    ('speed = "fast"', "speed: is a text. Write a number"),
    ("speed = 0", "speed: is out of range. Write a number above 0"),
    ("speed = inf", "speed: is out of range"),
    ("speed = true", "speed: is true or false. Write a number"),
    ("seed = 1.5", "seed: is a number. Write a whole number"),
    ("seed = 2026-01-01", "seed: is a date. Write a whole number"),
    ("quota = -1", "quota: is out of range"),
    ("task_seconds = -1", r"task_seconds: .* Write a time such as 2"),
    ("task_seconds = [1]", "task_seconds: .* Write a time such as 2"),
    ("accounts = 5", "accounts: is a whole number. Write a list"),
    ("accounts = [5]", r"accounts\[0\]: is a whole number. Write a table"),
    ('[[accounts]]\naccess_key_id = "k"', r"accounts\[0\].access_key_secret: is missing. Write it"),
    (ACCOUNT.replace('"the-secret"', "5"), r"accounts\[0\].access_key_secret: is a whole number"),
    (ACCOUNT + ACCOUNT, r"accounts\[1\].access_key_id: is that of accounts\[0\] again"),
    (ACCOUNT + "policy = {}", r"accounts\[0\]: policy: Statement is a list"),
    ('[[connections]]\nregion = "r"', r"connections\[0\].id: is missing"),
    ('[[connections]]\nid = "vco-1"', r"connections\[0\].region: is missing"),
    (CONNECTION.replace("vco-1", "vpn-1"), r"connections\[0\]: connection 'vpn-1': write vco-"),
    (CONNECTION + "task_second = 1", r"connections\[0\].task_second: no such key. Write task_sec"),
    (CONNECTION + 'task_seconds = "2"', r"connections\[0\].task_seconds: .* Write a time"),
    (CONNECTION + "tags = {k = 1}", r"connections\[0\].tags.k: is a whole number. Write a text"),
    (CONNECTION + "ssl_client_pools = [1]", r"connections\[0\].ssl_client_pools\[0\]: is a whole"),
    (CONNECTION + 'ssl_client_pools = ["x"]', r"connections\[0\]: pool 'x' is no network"),
    (
        CONNECTION + "learned_routes = [{}]",
        r"connections\[0\].learned_routes\[0\].route_dest: is m",
    ),
    (CONNECTION + "learned_routes = [{route_dest = 'x'}]", r".*learned_routes\[0\]: learned route"),
    (CONNECTION + 'account = "9"', r"connections\[0\].account: '9' is not among the accounts"),
    (CONNECTION * 2, r"connections\[1\].id: is that of connections\[0\] again. Take one"),
    ('[[routes]]\nconnection = "vco-1"', r"routes\[0\].route_dest: is missing"),
    (
        CONNECTION + '[[routes]]\nconnection = "vco-l"\nroute_dest = "10.0.0.0/8"',
        r"routes\[0\].connection: 'vco-l' is not among the connections. Write vco-1",
    ),
    (
        CONNECTION + '[[routes]]\nconnection = "vco-1"\nroute_dest = "10.0.0.1/8"',
        r"routes\[0\].route_dest: no network. Write a.b.c.d/len",
    ),
    (
        CONNECTION + '[[routes]]\nconnection = "vco-1"\nroute_dest = "10.0.0.0/8"\nweight = 5',
        r"routes\[0\]: route 10.0.0.0/8: weight 5. Write 0 or 100",
    ),
    (
        CONNECTION + '[[routes]]\nconnection = "vco-1"\nroute_dest = "10.0.0.0/8"\n' * 2,
        r"routes\[1\].connection: is that of routes\[0\] again",
    ),
    ("[limits]\nCreateVcoRoute = {}", "limits.CreateVcoRoute: no such key. Write CreateVcoRouteE"),
    ("[limits]\nDescribeRegions = [1, 2]", "limits.DescribeRegions: is a list. Write a table"),
    ("[limits]\nDescribeRegions = {calls = 1}", "limits.DescribeRegions.seconds: is missing"),
    (
        "[limits]\nDescribeRegions = {calls = 1, seconds = inf}",
        "limits.DescribeRegions: lets nothing pass",
    ),
    ("[durations]\nDescribeRegions = 1", "durations.DescribeRegions: no such key"),
    ("[durations]\nDeleteVcoRouteEntry = [9, 1]", "durations.DeleteVcoRouteEntry: .* Write a time"),
    ("[switches]\nipv6_refuse = true", "switches.ipv6_refuse: no such key. Write ipv6_refused"),
    ("[switches]\nipv6_refused = 1", "switches.ipv6_refused: is a whole number. Write true or fal"),
    ("[switches]\ntoken_scope = 'x'", "switches: token_scope 'x' is unknown. Write one of"),
    ("[switches]\ncodes = {TaskConflict = 1}", "switches.codes.TaskConflict: is a whole number"),
    ("[[faults]]\ncount = 1", r"faults\[0\].kind: is missing"),
    ("[[faults]]\nkind = 'flood'", r"faults\[0\]: fault 'flood' is unknown. Write one of"),
    ("[[faults]]\nkind = 'busy'\ncode = 'x'", r"faults\[0\]: fault busy: code 'x' is none of"),
    (
        CONNECTION + "[[faults]]\nkind = 'busy'\nconnection = 'vco-2'",
        r"faults\[0\].connection: 'vco-2' is not among the connections. Write vco-1",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_a_slip_is_told_by_file_key_and_remedy(text, message):
    """One message of one line, and never a secret in it."""
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
    tables = {"": "", **{name: f"[[{name}]]\n" for name in ("accounts", "routes", "faults")}}
    tables |= {"connections": CONNECTION, "switches": "[switches]\n", "limits": "[limits]\n"}
    tables |= {"durations": "[durations]\n"}
    start = {"accounts": ACCOUNT, "routes": CONNECTION + '[[routes]]\nconnection = "vco-1"\n'}
    start |= {"faults": "[[faults]]\nkind = 'delay'\n"}
    made = refused = 0
    for table, head in tables.items():
        for key in KEYS[table]:
            for value in odd:
                try:
                    Simulator(**parse_scenario(f"{start.get(table, head)}{key} = {value}\n"))
                    made += 1
                except ScenarioError:
                    refused += 1
    assert made > 100
    assert refused > 500
    assert math.isfinite(made)
