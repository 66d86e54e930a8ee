"""The client against a real simulator: every operation, every class of error, no secrets."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io

import httpx
import pandas as pd
import pytest

from vcokit import errors, schema
from vcokit.cloud import answers
from vcokit.cloud.client import AsyncClient, Calls, Client
from vcokit.cloud.connect import connect
from vcokit.cloud.operations import CODES, OPERATIONS, Limit, classify, endpoint_host
from vcokit.cloud.target import Target
from vcokit.simulator import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    Connection,
    Fault,
    Route,
    Simulator,
    Switches,
)

A, REGION = "vco-a", "cn-hangzhou"
SPEED = 200.0


def simulator(*faults: Fault, **options) -> Simulator:
    """Return a cloud with two connections and a route."""
    connections = [Connection(A, name="one"), Connection("vco-b", attach_type="NO_ASSOCIATED")]
    routes = [Route(A, "10.9.0.0/16")]
    return Simulator(connections, routes, speed=SPEED, faults=faults, **options)


@pytest.fixture
def cloud():
    """A running cloud in which nothing goes wrong."""
    with simulator() as running:
        yield running


def waits(client: Client) -> list[float]:
    """Let a client note its waits instead of sleeping; return where it notes them."""
    noted: list[float] = []
    client._sleep = noted.append
    return noted


def test_the_life_of_a_route(cloud: Simulator) -> None:
    """Create, poll, list, modify, delete: each call does what it is named after."""
    with connect(cloud, region=REGION) as client:
        made = client.create_vco_route_entry(
            vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0, client_token="t1"
        )
        assert made["State"] == "published"
        assert made.request_id
        until_attached(client)
        client.modify_vco_route_entry_weight(
            vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0, new_weight=100
        )
        until_attached(client)
        listed = client.describe_vco_route_entries(vpn_connection_id=A)
        assert list(listed.columns) == list(schema.LIVE_ROUTES)
        assert dict(zip(listed["route_dest"], listed["weight"], strict=True)) == {
            "10.9.0.0/16": 100,
            "10.0.0.0/8": 100,
        }
        assert listed["region_id"].tolist() == [REGION, REGION]
        assert listed["create_time"].notna().all()
        client.delete_vco_route_entry(vpn_connection_id=A, route_dest="10.0.0.0/8", weight=100)
        assert client.describe_vco_route_entries(vpn_connection_id=A)["route_dest"].tolist() == [
            "10.9.0.0/16"
        ]


def until_attached(client: Client) -> None:
    """Poll until a task has ended; the simulator's clock runs fast."""
    while client.describe_vpn_connection(vpn_connection_id=A)["State"] != "attached":
        pass


def test_lists_are_frames(cloud: Simulator) -> None:
    """Connections, attachments and regions come as frames of their schema."""
    with connect(cloud, region=REGION) as client:
        connections = client.describe_vpn_connections()
        assert list(connections.columns) == list(schema.LIVE_CONNECTIONS)
        assert connections["vpn_connection_id"].tolist() == [A, "vco-b"]
        assert connections["attach_type"].tolist() == ["CEN", "NO_ASSOCIATED"]
        attached = client.describe_vpn_attachments()
        assert attached["vpn_connection_id"].tolist() == [A]
        assert REGION in client.describe_regions()["region_id"].tolist()


def test_all_pages() -> None:
    """A listing of more than one page comes whole, in order, no row twice."""
    routes = [Route(A, f"10.{n // 256}.{n % 256}.0/24") for n in range(131)]
    with Simulator([Connection(A)], routes, quota=200) as cloud, connect(cloud) as client:
        listed = client.describe_vco_route_entries(region_id=REGION, vpn_connection_id=A)
        assert listed["route_dest"].tolist() == [route.route_dest for route in routes]


def test_async_is_the_same(cloud: Simulator) -> None:
    """The asynchronous client gives what the synchronous one gives."""

    async def ask() -> tuple[pd.DataFrame, str]:
        async with connect(cloud, region=REGION).to_async() as client:
            listed = await client.describe_vco_route_entries(vpn_connection_id=A)
            answer = await client.describe_vpn_connection(vpn_connection_id=A)
            return listed, answer["State"]

    listed, state = asyncio.run(ask())
    with connect(cloud, region=REGION) as client:
        pd.testing.assert_frame_equal(
            listed, client.describe_vco_route_entries(vpn_connection_id=A)
        )
    assert state == "attached"


def test_both_forms_have_every_operation() -> None:
    """Each operation of the table is a method of both clients, named after it."""
    for name in OPERATIONS:
        method = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        assert inspect.isfunction(getattr(Client, method)), method
        assert getattr(Client, method) is getattr(AsyncClient, method) is getattr(Calls, method)
        assert inspect.getdoc(getattr(Client, method))


REFUSALS = {
    "busy": (errors.BusyError, "VpnConnection.Configuring"),
    "throttle": (errors.ThrottledError, "Throttling.User"),
    "status_500": (errors.ServerError, "InternalError"),
    "status_503": (errors.ServerError, "ServiceUnavailable"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_write_is_tried_once(kind: str) -> None:
    """A refused write raises the error of its class, with code and request id, and no retry."""
    expected, code = REFUSALS[kind]
    with simulator(Fault(kind, count=1)) as cloud, connect(cloud, region=REGION) as client:
        noted = waits(client)
        with pytest.raises(expected) as caught:
            client.create_vco_route_entry(vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0)
        calls = cloud.calls()
        assert caught.value.code == code
        assert caught.value.request_id == calls["request_id"].iloc[0]
        assert caught.value.operation == "CreateVcoRouteEntry"
        assert len(calls) == 1
        assert noted == []


@pytest.mark.parametrize(
    "kind", ["throttle", "status_500", "status_503", "drop_before", "truncate", "html"]
)
def test_a_read_is_tried_again(kind: str) -> None:
    """A read that fails for a while is tried again with growing waits, and then answers."""
    with simulator(Fault(kind, count=3)) as cloud, connect(cloud, region=REGION) as client:
        noted = waits(client)
        assert len(client.describe_vco_route_entries(vpn_connection_id=A)) == 1
        assert len(noted) == 3
        if kind != "throttle":
            assert noted == [0.5, 1.0, 2.0]


def test_a_throttled_client_waits_as_told() -> None:
    """x-acs-retry-after, in milliseconds, is what the client waits."""
    fault = Fault("throttle", count=1, seconds=50.0)
    with simulator(fault) as cloud, connect(cloud, region=REGION) as client:
        noted = waits(client)
        client.describe_vpn_connection(vpn_connection_id=A)
        assert noted == [pytest.approx(50.0 / SPEED, abs=0.002)]


def test_a_read_gives_up() -> None:
    """After its attempts a read raises the last error."""
    with (
        simulator(Fault("status_503")) as cloud,
        connect(cloud, region=REGION, read_attempts=3) as client,
    ):
        noted = waits(client)
        with pytest.raises(errors.ServerError):
            client.describe_regions()
        assert len(noted) == 2
        assert len(cloud.calls()) == 3


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        ("drop_before", errors.CloudError, "read the live routes|cut off"),
        ("drop_after", errors.CloudError, "read the live routes|cut off"),
        ("truncate", errors.ProtocolError, "cut off"),
        ("html", errors.ProtocolError, "HTML"),
    ],
)
def test_a_write_without_an_answer(kind: str, expected: type, words: str) -> None:
    """An answer that is lost, cut or strange is no refusal: it is unknown, and says so."""
    with simulator(Fault(kind, count=1)) as cloud, connect(cloud, region=REGION) as client:
        with pytest.raises(expected, match=words) as caught:
            client.create_vco_route_entry(vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0)
        assert not isinstance(caught.value, errors.ApiError | errors.NotSentError)


def test_nobody_listens() -> None:
    """A refused connection is an error of its own: the request never left."""
    stopped = simulator()
    with stopped as cloud:
        client = connect(cloud, region=REGION)
    with client, pytest.raises(errors.NotSentError, match="could not be opened"):
        client.create_vco_route_entry(vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0)


def test_dry_run(cloud: Simulator) -> None:
    """A passed dry run is raised as what it is, and nothing is changed."""
    with connect(cloud, region=REGION) as client:
        with pytest.raises(errors.DryRunPassed):
            client.create_vco_route_entry(
                vpn_connection_id=A, route_dest="10.0.0.0/8", weight=0, dry_run=True
            )
        assert len(client.describe_vco_route_entries(vpn_connection_id=A)) == 1


def test_no_secret_of_an_answer_survives(cloud: Simulator) -> None:
    """Psk and AuthKey, which the cloud does send, are in no answer, frame, repr or error."""
    with connect(cloud, region=REGION) as client:
        answer = client.describe_vpn_connection(vpn_connection_id=A)
        frame = client.describe_vpn_connections()
        assert answer["IkeConfig"]
        said = f"{answer!r} {answer.data} {frame.to_csv()} {client!r} {client.target!r}"
    raw = httpx.Response(200, content=f'{{"IkeConfig":{{"Psk":"{CANARY_PSK}"}}, cut'.encode())
    with pytest.raises(errors.ProtocolError) as caught:
        answers.read(OPERATIONS["DescribeVpnConnection"], raw, 30.0)
    said += f"{caught.value} {caught.value.received}"
    assert "***" in caught.value.received
    for secret in (CANARY_PSK, CANARY_AUTH_KEY, cloud.credentials.access_key_secret):
        assert secret not in said


def test_every_transport_error_is_mapped() -> None:
    """No exception of the HTTP library escapes: each becomes an error of this package."""
    operation = OPERATIONS["CreateVcoRouteEntry"]

    def subclasses(kind: type) -> list[type]:
        return [kind, *(deep for sub in kind.__subclasses__() for deep in subclasses(sub))]

    for kind in subclasses(httpx.RequestError):
        mapped = answers.transport_error(operation, kind("boom"))
        assert isinstance(mapped, errors.NoAnswerError | errors.ProtocolError), kind
        assert mapped.operation == operation.name
    for kind in (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError):
        assert not isinstance(answers.transport_error(operation, kind("boom")), errors.NotSentError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"RequestId": 5, "VcoRouteEntries": []}',
        b'{"RequestId": "x"}',
        b'{"RequestId": "x", "VcoRouteEntries": {}}',
        b'{"RequestId": "x", "VcoRouteEntries": [1]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_strange_answers(body: bytes, status: int) -> None:
    """Whatever comes that is no answer of the API is one ProtocolError that shows what came."""
    with pytest.raises(errors.ProtocolError) as caught:
        answers.read(
            OPERATIONS["DescribeVcoRouteEntries"], httpx.Response(status, content=body), 30.0
        )
    assert len(caught.value.received) <= 200
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    "row",
    [
        {"Weight": "heavy"},
        {"CreateTime": "yesterday"},
        {"CreateTime": 10**30},
        {"Weight": [1]},
    ],
)
def test_rows_of_the_wrong_type(row: dict) -> None:
    """A list with values of the wrong type is a ProtocolError, not a traceback of pandas."""
    with pytest.raises(errors.ProtocolError):
        answers.frame_of(OPERATIONS["DescribeVcoRouteEntries"], [row], "cn-hangzhou")


def test_retry_after_makes_a_throttled_error_and_is_capped() -> None:
    """A positive x-acs-retry-after means throttled whatever the code, and is believed to a cap."""
    operation = OPERATIONS["DescribeRegions"]
    body = b'{"Code": "InternalError", "RequestId": "r", "Message": "m"}'
    for header, expected in (("250", 0.25), ("99999999", 30.0)):
        response = httpx.Response(500, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ThrottledError) as caught:
            answers.read(operation, response, 30.0)
        assert caught.value.retry_after == expected
    for header in ("0", "-5", "soon", "9" * 5000):
        response = httpx.Response(500, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ServerError):
            answers.read(operation, response, 30.0)


def test_every_code_has_its_class() -> None:
    """Each code of the table, and an unknown one, is raised as the class of its kind."""
    operation = OPERATIONS["CreateVcoRouteEntry"]
    for code in [*CODES, "Never.Seen", "MissingWeight", "InvalidWeight"]:
        body = f'{{"Code": "{code}", "RequestId": "r", "Message": "m"}}'.encode()
        with pytest.raises(errors.ApiError) as caught:
            answers.read(operation, httpx.Response(400, content=body), 30.0)
        assert caught.value.kind == classify(code, 400).kind
        assert caught.value.code == code
        assert caught.value.request_id == "r"


# -- where calls go -------------------------------------------------------------------------------


def keys() -> dict[str, str]:
    """Return a made-up AccessKey."""
    return {"access_key_id": "LTAIexample", "access_key_secret": "s3cret-value"}


def test_endpoints_by_region() -> None:
    """Without an endpoint each call goes to the host of its own region, over https."""
    client = connect(**keys())
    operation = OPERATIONS["DescribeVpnConnections"]
    for region in ("eu-central-1", "cn-hangzhou"):
        request = client.request(operation, {"RegionId": region})
        assert request.url.scheme == "https"
        assert request.url.host == endpoint_host(region)


@pytest.mark.parametrize("region", ["evil.example/", "a@evil.example", "x#", "", " ", "A", "x..y"])
def test_a_cell_never_chooses_a_host(region: str) -> None:
    """A region that is none is refused before anything is sent."""
    client = connect(**keys())
    with pytest.raises(errors.InputError):
        client.describe_vpn_connections(region_id=region)


@pytest.mark.parametrize("endpoint", ["http://vpc.example.com", "ftp://x", "https://x/path", "//"])
def test_endpoints_that_are_refused(endpoint: str) -> None:
    """A key never travels over plain http to another machine, nor to what is no endpoint."""
    with pytest.raises(errors.ConfigError):
        connect(endpoint=endpoint, **keys())


def test_loopback_may_be_plain() -> None:
    """Plain http is allowed to this machine."""
    assert connect(endpoint="http://127.0.0.1:8080", **keys()).target.endpoint.startswith("http://")


def test_simulator_speed_is_adopted(cloud: Simulator) -> None:
    """A client of a fast cloud divides the limits' windows, and keeps its own time-outs."""
    client = connect(cloud)
    assert client.speed == SPEED
    assert client.limits["CreateVcoRouteEntry"] == Limit(60, 60 / SPEED)
    assert client.target.read_timeout == 10.0


def test_strangers_are_refused() -> None:
    """Connecting to something that is no cloud says what to pass instead."""
    with pytest.raises(errors.InputError, match="no endpoint, credentials and speed"):
        connect(42)


def test_missing_parameters_are_named() -> None:
    """A call that lacks what it must have is refused here, naming all of it."""
    client = connect(**keys())
    with pytest.raises(errors.InputError, match="RegionId"):
        client.describe_vpn_connections()


# -- credentials ----------------------------------------------------------------------------------


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without explicit keys those of the environment sign; explicit ones win."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "x")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "y")
    found = connect().target.credentials()
    assert (found.access_key_id, found.security_token) == ("from-environment", "y")
    explicit = connect(**keys()).target.credentials()
    assert (explicit.access_key_id, explicit.security_token) == ("LTAIexample", None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"access_key_id": "a"},
        {"access_key_secret": "b"},
        {"access_key_id": "a b", "access_key_secret": "c"},
    ],
)
def test_no_whole_key(given: dict[str, str]) -> None:
    """No key, half a key or a garbled one is an error that says what to do."""
    with pytest.raises(errors.CredentialsError) as caught:
        connect(**given)
    assert caught.value.remedy


def test_secrets_in_no_repr_or_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A client, its parts and their errors never show the secret."""
    client = connect(**keys(), security_token="t0ken-value")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        print(client, repr(client), client.target, client._auth, [client.target.credentials()])
    assert "s3cret-value" not in shown.getvalue()
    assert "t0ken-value" not in shown.getvalue()
    assert isinstance(client.target, Target)


def test_wrong_key_is_an_auth_error(cloud: Simulator) -> None:
    """A wrong secret is refused by the cloud, and the error does not repeat what was signed."""
    client = connect(
        cloud,
        region=REGION,
        access_key_id=cloud.credentials.access_key_id,
        access_key_secret="wrong",
    )
    with client, pytest.raises(errors.AuthError) as caught:
        client.describe_regions()
    assert caught.value.code == "SignatureDoesNotMatch"
    assert "x-acs-" not in str(caught.value)


def test_switches_reach_the_client() -> None:
    """A cloud that refuses 100.64/10 answers as documented, and the client says so."""
    options = {"switches": Switches(shared_space_refused=True)}
    with (
        simulator(**options) as cloud,
        connect(cloud, region=REGION) as client,
        pytest.raises(errors.BadRequestError, match=r"OperationFailed\.InvalidCidrBlock"),
    ):
        client.create_vco_route_entry(vpn_connection_id=A, route_dest="100.64.0.0/16", weight=0)
