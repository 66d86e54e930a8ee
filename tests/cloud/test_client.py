"""The client against a real simulator: every operation, every class of error, no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest

from tests.cloud.stub import Stub, reply
from vcokit import errors, schema
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.live import live_connections
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
    """A running cloud in which nothing goes wrong: a write may follow a task at once."""
    with simulator(switches=Switches(task_conflict_seconds=0.0)) as running:
        yield running


@contextmanager
def waiting(cloud: Simulator, **options) -> Iterator[tuple[Client, list[float]]]:
    """Yield a client that notes its waits instead of sleeping, and where it notes them."""
    noted: list[float] = []
    passing = {"sleep": noted.append, "steady": lambda: sum(noted)}
    with connect(cloud, region=REGION, **passing, **options) as client:
        yield client, noted


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


def test_page_by_page() -> None:
    """A listing comes whole and in order, or a page at a time, as frames that make the whole."""
    routes = [Route(A, f"10.0.{n}.0/24") for n in range(55)]
    asked = {"region_id": REGION, "vpn_connection_id": A, "page_size": 20}
    with Simulator([Connection(A)], routes, quota=200) as cloud, connect(cloud) as client:
        pages = list(client.pages("DescribeVcoRouteEntries", **asked))
        assert [len(page) for page in pages] == [20, 20, 15]
        whole = client.describe_vco_route_entries(region_id=REGION, vpn_connection_id=A)
        pd.testing.assert_frame_equal(pd.concat(pages, ignore_index=True), whole)
        assert whole["route_dest"].tolist() == [route.route_dest for route in routes]
        nothing = list(client.pages("DescribeVpnAttachments", region_id="eu-west-1"))
        assert [len(page) for page in nothing] == [0]
        assert list(nothing[0].columns) == list(schema.LIVE_CONNECTIONS)
        assert len(next(client.pages("DescribeRegions"))) > 20
        for name in ("DescribeVpnConnection", "DescribeEverything"):
            with pytest.raises(errors.InputError, match="is not a listing"):
                next(client.pages(name))


def page(total: int, rows: range) -> bytes:
    """Return an answer of a listing: routes by their numbers, and the total."""
    entries = [
        {"VpnConnectionId": A, "RouteDest": f"10.0.{n}.0/24", "NextHop": A, "Weight": 0}
        for n in rows
    ]
    return reply({"RequestId": "R-1", "TotalCount": total, "VcoRouteEntries": entries})


def listing(*pages: tuple[int, int]) -> list[bytes]:
    """Return answers of a listing: rows and total of each page, full pages but for the last."""
    return [page(total, range(50 * n, 50 * n + rows)) for n, (rows, total) in enumerate(pages)]


@pytest.mark.parametrize(
    "first",
    [
        ((50, 60), (9, 59)),  # one has gone meanwhile
        ((50, 60), (11, 61)),  # one has come
        ((50, 60), (0, 60)),  # the rest does not come
        ((50, 60), (20, 60)),  # more comes than there is
        ((0, 3),),
    ],
)
def test_a_list_that_changes_is_read_again(first: tuple) -> None:
    """A list that does not add up is read from its start; page by page it is an error."""
    asked = {"vpn_connection_id": A}
    with Stub(listing(*first, (50, 60), (10, 60))) as stub, stub.client() as client:
        assert len(client.describe_vco_route_entries(**asked)) == 60
        assert client.waits == [0.5]
    with Stub(listing(*first)) as stub, stub.client() as client:
        pages = client.pages("DescribeVcoRouteEntries", **asked)
        with pytest.raises(errors.ProtocolError, match="changed while it was read") as caught:
            list(pages)
        assert caught.value.request_id == "R-1"


def test_a_list_that_shifts_is_read_again() -> None:
    """One that came before what is read pushes a row onto the next page: it appears twice."""
    asked = {"vpn_connection_id": A}
    # Route 0 comes at the front and route 60 goes at the end while the second page is asked for.
    shifted = [page(60, range(1, 51)), page(60, range(50, 60))]
    whole = [page(60, range(50)), page(60, range(50, 60))]
    with Stub([*shifted, *whole]) as stub, stub.client() as client:
        found = client.describe_vco_route_entries(**asked)
        assert found["route_dest"].tolist() == [f"10.0.{n}.0/24" for n in range(60)]
    words = "60 rows of 60, 1 of them twice"
    with (
        Stub(shifted) as stub,
        stub.client() as client,
        pytest.raises(errors.ProtocolError, match=words),
    ):
        list(client.pages("DescribeVcoRouteEntries", **asked))


def test_what_a_page_itself_holds_twice_is_no_change() -> None:
    """A page is one picture: what stands on it twice is so in the cloud, and is left as it is."""
    entry = {"VpnConnectionId": A, "RouteDest": "10.0.0.0/8", "NextHop": A, "Weight": 0}
    twice = {"RequestId": "R-1", "TotalCount": 2, "VcoRouteEntries": [entry, entry]}
    with Stub([reply(twice)]) as stub, stub.client() as client:
        assert len(client.describe_vco_route_entries(vpn_connection_id=A)) == 2


def test_a_list_that_never_adds_up() -> None:
    """After its attempts it is an error: no part of a list is taken for the whole."""
    with Stub(listing((0, 3))) as stub, stub.client(read_attempts=3) as client:
        with pytest.raises(errors.ProtocolError, match="0 rows of 3"):
            client.describe_vco_route_entries(vpn_connection_id=A)
        assert len(stub.asked) == 3


@pytest.mark.parametrize(
    "kind", ["throttle", "status_500", "status_503", "drop_before", "truncate", "html"]
)
def test_a_read_is_tried_again(kind: str) -> None:
    """A read that fails for a while is tried again, with waits that grow and differ by chance."""
    with simulator(Fault(kind, count=3)) as cloud, waiting(cloud) as (client, noted):
        assert len(client.describe_vco_route_entries(vpn_connection_id=A)) == 1
        assert len(noted) == 3
        if kind != "throttle":
            assert all(
                0.5 * one <= wait <= one for wait, one in zip(noted, (0.5, 1, 2), strict=True)
            )


def test_a_read_gives_up() -> None:
    """After its attempts a read raises the last error."""
    with (
        simulator(Fault("status_503")) as cloud,
        waiting(cloud, read_attempts=3) as (client, noted),
    ):
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
    """Psk and AuthKey, which the cloud does send, are in no answer, frame or repr."""
    with connect(cloud, region=REGION) as client:
        answer = client.describe_vpn_connection(vpn_connection_id=A)
        frames = [client.describe_vpn_connections(), live_connections(client, REGION, details=True)]
        assert answer["IkeConfig"]
        said = f"{answer!r} {answer.data} {client!r} {client.target!r}"
    said += "".join(frame.to_csv() for frame in frames)
    for secret in (CANARY_PSK, CANARY_AUTH_KEY, cloud.credentials.access_key_secret):
        assert secret not in said
