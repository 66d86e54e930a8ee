"""A recording gives nothing away, and plays again what happened."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import vcokit as vk
from tests.cloud.stub import Stub, reply
from vcokit.cloud.masking import Pseudonyms  # what it promises of addresses needs many of them
from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK, Account, Connection, Fault, Simulator
from vcokit.simulator.recorded import RecordingError

ROOT = Path(__file__).parents[2]
#: A key with which no pseudonym happens to be an address of the inventory.
KEY = bytes([1]) * 32
ACCOUNT = Account(
    access_key_id="LTAI5tRecordedKeyId", access_key_secret="a-secret-of-it", security_token="a+tok"
)
FAULTS = [
    *(Fault(kind, probability=0.02) for kind in ("drop_before", "drop_after", "truncate", "html")),
    *(Fault(kind, probability=0.02) for kind in ("status_500", "busy", "throttle", "task_fails")),
    Fault("refuse", operation="CreateVcoRouteEntry", code="Forbidden.RAM", count=3, after=30),
]
#: What a rollout says of its steps that another may say, too.
COMPARED = ["step", "action", "state", "weight", "attempts", "code"]


def rolled_out(
    cloud: Simulator, routes: pd.DataFrame, journal: Path, record: Path | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Plan routes and roll them out; return the steps, and what verifying finds."""
    with cloud, vk.connect(cloud, record=record) as client:
        if record is not None:
            client.record_routes(routes)
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        rollout = vk.Rollout(plan, client, journal=journal)
        rollout.start().wait()
        found = vk.verify_routes(routes, vk.live_routes(client, routes))
    return rollout.frame(), found["verdict"].value_counts().to_dict()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Record a rollout of every tenth row of data/routes.csv, in a cloud that fails now and then.

    All rows together take a minute, and end the same.
    """
    folder = tmp_path_factory.mktemp("recording")
    routes = vk.read_routes(ROOT / "data" / "routes.csv").iloc[::10].reset_index(drop=True)
    cloud = Simulator.for_routes(
        routes, speed=1500.0, seed=3, faults=FAULTS, accounts=[ACCOUNT], task_seconds=(1.0, 4.0)
    )
    connections = cloud.connections()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vcokit.cloud.recording.secrets.token_bytes", lambda size: KEY[:size])
        steps, verdicts = rolled_out(cloud, routes, folder / "a.db", folder / "sent")
    texts = {path.name: path.read_text("utf-8") for path in (folder / "sent").iterdir()}
    return SimpleNamespace(
        folder=folder / "sent",
        routes=routes,
        steps=steps,
        verdicts=verdicts,
        cloud=cloud,
        connections=connections,
        texts=texts,
        lines=[json.loads(line) for line in texts["exchanges.jsonl"].splitlines()],
    )


def test_nothing_of_the_original_is_in_it(story: SimpleNamespace) -> None:
    """No id, address, name, description or key of the inventory and of the cloud stands there."""
    names = ["vpn_connection_id", "name", "account_id", "transit_router_id", "transit_router_name"]
    words = [
        *(set(story.routes[name].dropna()) for name in ("vpn_connection_id", "next_hop")),
        set(story.routes["description"].dropna()),
        *(set(story.connections[name].dropna()) for name in names),
        set(story.cloud.calls()["request_id"]),
        set(story.cloud.calls()["client_token"].dropna()),
        {CANARY_PSK, CANARY_AUTH_KEY, "cen-", "203.0.113.", str(story.folder)},
        {ACCOUNT.access_key_id, ACCOUNT.access_key_secret, ACCOUNT.security_token, "Signature"},
    ]
    whole = "\n".join(story.texts.values())
    assert set(story.texts) == {"exchanges.jsonl", "routes.csv"}
    leaked = {word for known in words for word in known if word in whole}
    assert leaked == {"cen-"}  # the kind of an id stays
    assert not re.search(r"(?<![\d-])20\d\d-\d\d-\d\d", whole)
    # Longer numbers have shorter ones in them, so addresses are looked for as they stand.
    there = set(re.findall(r"[\d.]+\d(?:/\d+)?", whole))
    stays = {"0.0.0.0/0", "100.64.0.0/10"}
    assert set(story.routes["route_dest"].dropna()) & there <= stays


def test_it_plays_again_to_the_same_steps(story: SimpleNamespace, tmp_path: Path) -> None:
    """The same plan in pseudonyms has the same states, codes and attempts, at another speed too."""
    assert story.steps["state"].value_counts()["done"] > 200
    assert (story.steps["state"] == "failed").any()
    assert story.steps["attempts"].max() > 1
    routes = vk.read_routes(story.folder / "routes.csv")
    cloud = Simulator.replay(story.folder, speed=4000.0)
    steps, verdicts = rolled_out(cloud, routes, tmp_path / "b.db")
    assert "NotRecorded" not in set(cloud.calls()["code"])
    pd.testing.assert_frame_equal(steps[COMPARED], story.steps[COMPARED])
    assert verdicts == story.verdicts
    assert cloud.routes().empty


def test_the_same_is_replaced_by_the_same(story: SimpleNamespace) -> None:
    """Each connection has one pseudonym; what contains what, and repeats, stays as it was."""
    routes = pd.read_csv(story.folder / "routes.csv", dtype="str")
    assert len(routes) == len(story.routes)
    for name, column in {"VpnConnectionId": "vpn_connection_id", "RouteDest": "route_dest"}.items():
        pairs = set(zip(story.routes[column].fillna(""), routes[name].fillna(""), strict=True))
        assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    assert (routes["RegionId"].dropna().isin(story.routes["region_id"].dropna())).all()
    asked = {one["parameters"].get("VpnConnectionId") for one in story.lines[1:]} - {None}
    assert asked <= set(routes["VpnConnectionId"])
    before, after = (vk.audit_routes(frame) for frame in (story.routes, vk_routes(story.folder)))
    special = ["special-purpose"]  # what lies there lies elsewhere now, and other rows may
    counted = [
        one[~one["rule"].isin(special)]["rule"].value_counts().to_dict() for one in (before, after)
    ]
    assert counted[0] == counted[1]


def vk_routes(folder: Path) -> pd.DataFrame:
    """Return the inventory of a recording."""
    return vk.read_routes(folder / "routes.csv")


networks = some.tuples(some.integers(0, 2**32 - 1), some.integers(0, 32)).map(
    lambda of: str(ipaddress.IPv4Network(of, strict=False))
)
KEPT = ipaddress.ip_network("100.64.0.0/10")


@given(networks, networks, some.binary(min_size=16, max_size=16))
def test_networks_keep_how_they_lie(one: str, other: str, key: bytes) -> None:
    """Two share as many leading bits as before, and nothing stands for itself without need."""
    text = Pseudonyms(key, 0.0).text
    before = [ipaddress.ip_network(of) for of in (one, other)]
    after = [ipaddress.ip_network(text(of)) for of in (one, other)]
    assert [of.prefixlen for of in after] == [of.prefixlen for of in before]
    assert shared(*after) == shared(*before)
    for old, new in zip(before, after, strict=True):
        outside = old.supernet()
        assert (old == new) == (outside.supernet_of(KEPT) and (outside != KEPT or old == outside))
        assert old.subnet_of(KEPT) == new.subnet_of(KEPT)


def shared(one: Any, other: Any) -> int:
    """Return how many leading bits two networks share, as far as both have any."""
    bits = [f"{int(of.network_address):032b}"[: of.prefixlen] for of in (one, other)]
    pairs = list(zip(*bits, strict=False))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))


@given(some.integers(0, 2**32 - 1), some.integers(0, 31))
def test_host_bits_stay_host_bits(number: int, length: int) -> None:
    """A destination with host bits has some afterwards, and one without has none."""
    text = Pseudonyms(KEY, 0.0).text
    written = f"{ipaddress.IPv4Address(number)}/{length}"
    interface = ipaddress.ip_interface(text(written))
    clean = str(ipaddress.ip_interface(written).network) == written
    assert (str(interface.network) == str(interface)) == clean
    assert ipaddress.ip_interface(text(str(ipaddress.ip_interface(written).network))).network == (
        interface.network
    )


# -- exchanges of every kind ----------------------------------------------------------------------


def exchanges(folder: Path) -> list[dict[str, Any]]:
    """Return what was recorded, without the line about it."""
    lines = (folder / "exchanges.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_what_nobody_knows_gives_nothing_away(tmp_path: Path) -> None:
    """Unknown fields are there by their names alone; messages keep the vendor's words alone."""
    row = {
        "VpnConnectionId": "vco-a",
        "RouteDest": "10.1.0.0/16",
        "NextHop": "vco-a",
        "Weight": 100,
        "CreateTime": 1_000_000,
        "Owner": {"Mail": "jane@acme.example", "AccountId": 1234567890, "IsRoot": True},
        "AsPath": "[65530]",
        "State": "see vco-secret1",
    }
    page = {"RequestId": "r-acme", "TotalCount": 1, "VcoRouteEntries": [row]}
    said = "The specified service is configuring. Ask Jane of acme-hq about 10.9.8.7 (vco-a)"
    error = {"RequestId": "r", "Code": "Odd.Code", "Message": said, "HostId": "gw.acme.example"}
    with Stub([reply(page), reply(error, "403 No")]) as stub:
        client = stub.client(record=tmp_path / "sent")
        client.describe_vco_route_entries(vpn_connection_id="vco-a", region_id="cn-hangzhou")
        with pytest.raises(vk.errors.ApiError):
            client.describe_vco_route_entries(vpn_connection_id="vco-a", region_id="acme-1")
    text = (tmp_path / "sent" / "exchanges.jsonl").read_text("utf-8")
    for word in ("acme", "jane", "Jane", "12345", "65530", "secret1", "10.1.", "10.9", '"vco-a'):
        assert word not in text
    listed, refused = exchanges(tmp_path / "sent")
    (shown,) = listed["answer"]["VcoRouteEntries"]
    assert set(shown) == set(row)
    assert shown["Owner"]["AccountId"] == 0
    assert shown["Owner"]["IsRoot"] is True
    assert (shown["Weight"], shown["NextHop"]) == (100, shown["VpnConnectionId"])
    assert shown["CreateTime"] < 1_000_000
    assert refused["answer"]["Code"] == "Odd.Code"
    assert refused["answer"]["Message"].startswith("The specified service is configuring.")
    assert (listed["parameters"]["RegionId"], refused["status"]) == ("cn-hangzhou", 403)


@pytest.mark.parametrize(
    ("kind", "failure", "error"),
    [
        ("drop_after", "no answer", vk.errors.NoAnswerError),
        ("truncate", "cut", vk.errors.ProtocolError),
        ("html", "page", vk.errors.ProtocolError),
        ("empty", "empty", vk.errors.ProtocolError),
        ("throttle", None, vk.errors.ThrottledError),
    ],
)
def test_what_was_no_answer_is_none_again(
    kind: str, failure: str | None, error: type[Exception], tmp_path: Path
) -> None:
    """Whatever went wrong with a call goes wrong with it in the same way."""
    faults = [Fault(kind, seconds=30.0)]
    with Simulator([Connection("vco-a")], faults=faults, speed=10.0) as cloud:
        one = failed(cloud, error, record=tmp_path / "sent")
    (line,) = exchanges(tmp_path / "sent")
    assert line.get("failure") == failure
    with Simulator.replay(tmp_path / "sent", speed=20.0) as cloud:
        other = failed(cloud, error, line["parameters"]["VpnConnectionId"])
    if kind == "throttle":  # the wait is of the cloud's clock, which runs faster here
        assert (one.retry_after, other.retry_after) == (3.0, 1.5)


def failed(cloud: Any, error: type[Exception], connection: str = "vco-a", **options: Any) -> Any:
    """Make a call that fails, and return its error."""
    with vk.connect(cloud, read_attempts=1, **options) as client, pytest.raises(error) as caught:
        client.describe_vpn_connection(region_id="cn-hangzhou", vpn_connection_id=connection)
    return caught.value


def test_a_lost_answer_is_not_repeated_for_ever(tmp_path: Path) -> None:
    """A rollout that reads more often than it did then gets the last answer that was not lost."""
    with Simulator([Connection("vco-a")]) as cloud, vk.connect(cloud, record=tmp_path) as client:
        client.describe_vpn_connection(region_id="cn-hangzhou", vpn_connection_id="vco-a")
    path = tmp_path / "exchanges.jsonl"
    lost = json.loads(path.read_text().splitlines()[-1]) | {"failure": "no answer"}
    del lost["answer"], lost["status"]
    with path.open("a") as file:
        file.write(json.dumps(lost) + "\n")
    place = {
        "region_id": "cn-hangzhou",
        "vpn_connection_id": lost["parameters"]["VpnConnectionId"],
    }
    with Simulator.replay(tmp_path) as cloud, vk.connect(cloud) as client:
        states = [client.describe_vpn_connection(**place)["State"] for _ in range(3)]
        assert states == ["attached"] * 3
        assert cloud.calls()["operation"].size == 4


def test_a_call_that_never_left_never_came(tmp_path: Path) -> None:
    """It is recorded, and the one that was sent again in its place is what is played."""
    cloud = Simulator([Connection("vco-a")])
    cloud.start()
    cloud.stop()
    target = SimpleNamespace(
        endpoint="http://127.0.0.1:9", credentials=cloud.credentials, speed=1.0
    )
    failed(target, vk.errors.NotSentError, record=tmp_path / "sent")
    assert exchanges(tmp_path / "sent")[0]["failure"] == "not sent"
    with Simulator.replay(tmp_path / "sent") as again:
        error = failed(again, vk.errors.ApiError)
    assert error.code == "NotRecorded"


def test_requests_that_were_never_made(tmp_path: Path) -> None:
    """The answer says so, and what differs; a write is not answered more often than it was."""
    with (
        Simulator([Connection("vco-a")], task_seconds=0.0) as cloud,
        vk.connect(cloud, record=tmp_path / "sent") as client,
    ):
        client.create_vco_route_entry(**route("vco-a", "10.1.0.0/16"))
    (line,) = exchanges(tmp_path / "sent")
    mine, there = line["parameters"]["VpnConnectionId"], line["parameters"]["RouteDest"]
    with Simulator.replay(tmp_path / "sent") as cloud, vk.connect(cloud) as client:
        with pytest.raises(vk.errors.ApiError, match="Weight is 0, was 100") as caught:
            client.create_vco_route_entry(**route(mine, there, weight=0))
        assert f"{mine} {there} was not recorded" in str(caught.value)
        client.create_vco_route_entry(**route(mine, there))
        with pytest.raises(vk.errors.ApiError, match="recorded only once"):
            client.create_vco_route_entry(**route(mine, there))
        with pytest.raises(vk.errors.ApiError, match="no other DescribeRegions was"):
            client.describe_regions()
        assert cloud.calls()["code"].fillna("").tolist() == [
            "NotRecorded",
            "",
            "NotRecorded",
            "NotRecorded",
        ]


def route(connection: str, network: str, weight: int = 100) -> dict[str, Any]:
    """Return what a create says."""
    return {
        "region_id": "cn-hangzhou",
        "vpn_connection_id": connection,
        "route_dest": network,
        "next_hop": connection,
        "weight": weight,
    }


# -- what cannot be -------------------------------------------------------------------------------


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path) -> None:
    """Without a folder there is no recording, and an inventory has no place."""
    with Simulator() as cloud, vk.connect(cloud) as client:
        client.describe_regions()
        with pytest.raises(vk.errors.InputError, match="nothing is recorded"):
            client.record_routes(vk_routes_of())
    assert list(tmp_path.iterdir()) == []


def vk_routes_of() -> pd.DataFrame:
    """Return an inventory of one row."""
    return pd.DataFrame([route("vco-a", "10.0.0.0/8")])


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    """Two recordings have two sets of pseudonyms, so each needs a folder of its own."""
    (tmp_path / "other").write_text("mine")
    for folder in (tmp_path, tmp_path / "other" / "below"):
        with Simulator() as cloud, pytest.raises(vk.errors.InputError, match="folder"):
            vk.connect(cloud, record=folder)
    assert (tmp_path / "other").read_text() == "mine"


def test_a_recording_that_ends_stops_no_rollout(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing more can be written, calls go on, and it is said once."""
    caplog.set_level(logging.WARNING, "vcokit.cloud")
    with Simulator() as cloud, vk.connect(cloud, record=tmp_path / "sent") as client:
        shutil.rmtree(tmp_path / "sent")
        assert all(len(client.describe_regions()) for _ in range(3))
    assert [one.message.split(":")[0] for one in caplog.records] == ["the recording ends"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: None, "cannot be read"),
        (lambda _: "", "line 1: is not a JSON object"),
        (lambda text: text.replace('"version":1', '"version":9'), "of this version"),
        (lambda text: text.replace('"at"', '"et"', 1), "line 2: is not a valid exchange"),
        (
            lambda text: text.replace('"status":200', '"status":"x"', 1),
            "line 2: is not a valid exchange",
        ),
        (lambda text: text.replace('{"at"', "[", 1), "line 2: is not a JSON object"),
    ],
)
def test_a_recording_that_is_none(
    spoil: Callable[[str], str | None], said: str, tmp_path: Path
) -> None:
    """One error names the file, the line and the remedy; a torn last line is passed over."""
    with Simulator() as cloud, vk.connect(cloud, record=tmp_path) as client:
        client.describe_regions()
    path = tmp_path / "exchanges.jsonl"
    text = path.read_text("utf-8")
    path.write_text(text + text.splitlines()[1][:40])
    Simulator.replay(tmp_path)
    spoilt = spoil(text)
    path.unlink() if spoilt is None else path.write_text(spoilt)
    with pytest.raises(RecordingError, match=said) as caught:
        Simulator.replay(tmp_path)
    assert str(caught.value).startswith(str(path))
