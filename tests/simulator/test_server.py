"""The running simulator: its life and clocks, faults and limits on a real socket, what it shows."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx
import pandas as pd
import pytest

from tests.simulator.conftest import REGION, WALL, Clock, route, vendor_signed
from vcokit.simulator import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    Account,
    Connection,
    Fault,
    Route,
    Simulator,
    Switches,
)
from vcokit.simulator.server import HttpLimits

ONE = {"RegionId": REGION, "VpnConnectionId": "vco-1"}


def made(**options) -> Simulator:
    """Return a simulator of two connections whose tasks take 60 simulated seconds."""
    connections = [Connection("vco-1", name="a", zone="z"), Connection("vco-2")]
    return Simulator(connections, **{"speed": 60.0, "task_seconds": 60.0} | options)


def test_it_has_no_endpoint_before_it_is_started():
    """Asking too early says what to do; while it runs the endpoint is a loopback address."""
    cloud = made()
    with pytest.raises(RuntimeError, match=r"start\(\)"):
        _ = cloud.endpoint
    with cloud:
        assert cloud.endpoint.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="not started"):
        _ = cloud.endpoint


def test_start_and_stop_can_be_called_at_any_time():
    """Twice is once, a stop without a start is nothing, and a with block stops it at its end."""
    cloud = made()
    cloud.stop()
    assert cloud.start() is cloud
    endpoint = cloud.endpoint
    assert cloud.start().endpoint == endpoint
    with cloud, cloud as inner:
        assert inner is cloud
    with pytest.raises(RuntimeError):
        _ = cloud.endpoint
    cloud.stop()


def test_the_inner_of_two_blocks_does_not_stop_it(caller):
    """Only the outermost block ends the server."""
    cloud = made()
    with cloud:
        with cloud:
            pass
        assert caller(cloud).send("DescribeRegions").status_code == 200


def test_a_restart_keeps_port_state_and_time(caller):
    """What was there is there again, at the same address; the time in between did not count."""
    clock = Clock()
    cloud = made(monotonic=clock)
    with cloud:
        endpoint = cloud.endpoint
        assert caller(cloud).send("CreateVcoRouteEntry", route()).status_code == 200
        clock.now += 0.5
    clock.now += 1000.0
    assert cloud.now == 30.0
    assert not cloud.routes()["listed"].any()
    with cloud:
        assert cloud.endpoint == endpoint
        clock.now += 0.5
        assert cloud.routes()["listed"].all()
        assert len(cloud.calls()) == 1


def test_several_run_side_by_side(caller):
    """Each has its own port, state and keys."""
    other = Account("2", "other-key", "other-secret")
    with made() as one, made(accounts=[other]) as two:
        assert one.endpoint != two.endpoint
        assert caller(two).send("DescribeRegions").status_code == 200
        refused = caller(two).send("DescribeRegions", credentials=one.credentials)
        assert refused.json()["Code"] == "InvalidAccessKeyId.NotFound"
        assert (len(one.calls()), len(two.calls())) == (0, 2)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::", ""])  # noqa: S104
def test_it_listens_on_loopback_only(host):
    """Another address is refused unless it is asked for explicitly."""
    with pytest.raises(ValueError, match="allow_remote"):
        made(host=host)


def test_it_listens_elsewhere_where_it_is_asked_to():
    """allow_remote=True lets any address through; loopback needs no asking."""
    assert made(host="0.0.0.0", allow_remote=True) is not None  # noqa: S104
    for host in ("127.0.0.1", "127.8.9.10", "::1", "localhost"):
        assert made(host=host) is not None


def test_its_repr_shows_what_is_in_force_and_no_secret():
    """Endpoint, speed and key id are shown, the secret and the token are not."""
    account = Account("1", "the-id", "the-secret", security_token="the-token")
    cloud = made(accounts=[account])
    assert "stopped" in repr(cloud)
    with cloud:
        shown = repr(cloud)
        assert cloud.endpoint in shown
    assert "the-id" in shown
    assert "the-secret" not in shown + str(cloud.credentials)
    assert "the-token" not in shown + str(cloud.credentials)
    assert cloud.credentials.access_key_secret == "the-secret"


@pytest.mark.parametrize("speed", [1.0, 60.0, 1000.0])
def test_speed_divides_task_times(caller, speed):
    """A task of 60 simulated seconds takes 60/speed seconds of the wall."""
    clock = Clock()
    with made(speed=speed, monotonic=clock) as cloud:
        client = caller(cloud)
        assert client.send("CreateVcoRouteEntry", route()).status_code == 200
        clock.now += 59.0 / speed
        assert client.send("DescribeVpnConnection", ONE).json()["State"] == "updating"
        clock.now += 1.001 / speed
        assert client.send("DescribeVpnConnection", ONE).json()["State"] == "attached"


def test_speed_divides_limits_and_their_waits(caller):
    """The window closes speed times sooner and the header says so; `limits` stays unscaled."""
    clock = Clock()
    with made(speed=60.0, monotonic=clock, limits={"DescribeRegions": (2, 30.0)}) as cloud:
        assert cloud.limits["DescribeRegions"] == (2, 30.0)
        assert cloud.limits["CreateVcoRouteEntry"] == (60, 60.0)
        client = caller(cloud)
        codes = [client.send("DescribeRegions").status_code for _ in range(3)]
        assert codes == [200, 200, 400]
        assert client.send("DescribeRegions").headers["x-acs-retry-after"] == "500"
        clock.now += 0.5
        assert client.send("DescribeRegions").status_code == 200


def test_speed_leaves_signatures_alone(caller):
    """At any speed a request dated fourteen minutes ago is good, and one of sixteen is not."""
    with made(speed=1000.0) as cloud:
        client = caller(cloud)
        for minutes, status in ((14, 200), (16, 400)):
            answer = client.send("DescribeRegions", wall=time.time() - minutes * 60)
            assert answer.status_code == status


def test_frames_show_the_state_of_the_moment(caller):
    """Routes, connections and calls as frames, following the simulated clock."""
    clock = Clock()
    with made(monotonic=clock) as cloud:
        caller(cloud).send("CreateVcoRouteEntry", route(Weight="0"))
        before = cloud.connections().set_index("vpn_connection_id")
        assert before["state"].to_dict() == {"vco-1": "updating", "vco-2": "attached"}
        assert before["routes"].to_dict() == {"vco-1": 0, "vco-2": 0}
        assert cloud.routes()["listed"].tolist() == [False]
        clock.now += 1.0
        assert cloud.routes().to_dict("records") == [
            {
                "region_id": REGION,
                "vpn_connection_id": "vco-1",
                "route_dest": "10.1.0.0/16",
                "next_hop": "vco-1",
                "weight": 0,
                "listed": True,
                "forwarding": True,
            }
        ]
        assert cloud.connections()["routes"].tolist() == [1, 0]
        call = cloud.calls().iloc[0]
        assert (call["status"], call["effect"], call["changed"]) == (200, 1, True)
        assert call["parameters"]["Weight"] == "0"
        assert pd.isna(call["code"])


def test_a_connection_can_be_changed_behind_the_api():
    """Locked from outside it keeps its routes and its task; what cannot be changes nothing."""
    cloud = made(routes=[Route("vco-1", "10.9.0.0/16")])
    cloud._cloud.call("CreateVcoRouteEntry", route(), now=0.0)
    cloud.change("vco-1", state="financialLocked", name="b")
    with pytest.raises(ValueError, match="state is unknown"):
        cloud.change("vco-1", state="x")
    with pytest.raises(ValueError, match="no connection vco-9"):
        cloud.change("vco-9", name="c")
    shown = cloud.connections().iloc[0]
    assert (shown["state"], shown["name"], shown["routes"]) == ("updating", "b", 1)
    answer = cloud._cloud.call("DeleteVcoRouteEntry", route("vco-1", "10.9.0.0/16"), now=60.0)
    assert answer.code == "VpnConnection.FinancialLocked"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0}, "above 0"),
        ({"speed": float("inf")}, "above 0"),
        ({"accounts": []}, "account"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, message):
    """A speed must be positive, and somebody must be able to call."""
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_frames_tell_listed_from_forwarding():
    """A route behind a broken tunnel is listed only; one on its way neither listed nor in force."""
    routes = [
        Route("vco-1", "100.64.0.0/16"),
        Route("vco-1", "10.9.0.0/16"),
        Route("vco-2", "10.8.0.0/16"),
    ]
    for early in (False, True):
        cloud = made(routes=routes, switches=Switches(listed_after_task=not early))
        cloud._cloud.call("CreateVcoRouteEntry", route("vco-2"), now=0.0)
        shown = cloud.routes().set_index("route_dest")[["listed", "forwarding"]]
        assert shown.T.to_dict("list") == {
            "100.64.0.0/16": [True, False],
            "10.9.0.0/16": [True, False],
            "10.8.0.0/16": [True, True],
            "10.1.0.0/16": [early, False],
        }


def test_empty_frames_keep_columns_and_dtypes():
    """A simulator without anything shows frames of the same shape as a full one."""
    full = made(routes=[Route("vco-1", "10.0.0.0/8")])
    empty = Simulator()
    for name in ("routes", "connections", "calls"):
        shown = getattr(empty, name)()
        assert len(shown) == 0
        assert (
            shown.dtypes.astype(str).to_dict() == getattr(full, name)().dtypes.astype(str).to_dict()
        )
    assert list(empty.routes()) == [
        "region_id",
        "vpn_connection_id",
        "route_dest",
        "next_hop",
        "weight",
        "listed",
        "forwarding",
    ]
    assert empty.routes()["weight"].dtype == "Int64"
    assert empty.calls()["status"].dtype == "Int64"


def test_calls_side_by_side_are_each_answered_once(caller):
    """Eight clients at once: of creates on one connection one is accepted, all are kept."""
    with made(task_seconds=1e6, limits={"CreateVcoRouteEntry": (1000, 60.0)}) as cloud:
        clients = [caller(cloud) for _ in range(8)]

        def run(number: int) -> int:
            named = route(RouteDest=f"10.{number}.0.0/16")
            return clients[number % 8].send("CreateVcoRouteEntry", named).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(run, range(200)))
        assert statuses.count(200) == 1
        assert statuses.count(400) == 199
        calls = cloud.calls()
    assert len(calls) == 200
    assert calls["request_id"].is_unique
    assert calls["time"].is_monotonic_increasing


# -- faults on the wire ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "there"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_call_gets_no_answer(caller, kind, there):
    """The socket closes without a byte, before or after the call was done; the next is fine."""
    with made(faults=[Fault(kind, count=1)]) as cloud:
        client = caller(cloud)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.send("CreateVcoRouteEntry", route())
        assert (len(cloud.routes()) == 1) is there
        assert cloud.calls()["status"].isna().tolist() == [True]
        assert client.send("DescribeRegions").status_code == 200


def test_a_truncated_answer_breaks_off(caller):
    """Half of the body comes, less than Content-Length says; the call was done."""
    with made(faults=[Fault("truncate", count=1)]) as cloud:
        client = caller(cloud)
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            client.send("CreateVcoRouteEntry", route())
        assert len(cloud.routes()) == 1
        assert client.send("DescribeRegions").status_code == 200


def test_a_truncated_answer_is_half_there():
    """What came before the break is the beginning of the answer."""
    with made(faults=[Fault("truncate")]) as cloud:
        host, port = cloud.endpoint.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            request = vendor_signed("DescribeRegions", host=f"{host}:{port}", wall=time.time())
            lines = (name + b": " + value + b"\r\n" for name, value in request.headers)
            client.sendall(b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")
            received = b""
            while chunk := client.recv(65536):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert body.startswith(b'{"RequestId":"')
    assert len(body) == length // 2


def test_an_html_page_is_no_answer(caller):
    """The fault html gives a page in place of JSON, with status 200."""
    with made(faults=[Fault("html")]) as cloud:
        answer = caller(cloud).send("DescribeRegions")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/html;charset=utf-8",
        )
        assert "<h1>" in answer.text


def test_a_late_call_is_done_behind_its_sender_s_back(caller):
    """The socket closes; when its time has come the route is there, and the history says so."""
    clock = Clock()
    faults = [Fault("late", seconds=120.0, operation="CreateVcoRouteEntry")]
    with made(faults=faults, monotonic=clock) as cloud:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            caller(cloud).send("CreateVcoRouteEntry", route())
        assert cloud.routes().empty
        clock.now += 2.0
        assert cloud.routes()["listed"].tolist() == [False]
        clock.now += 1.0
        assert cloud.routes()["listed"].tolist() == [True]
        assert cloud.calls()["changed"].tolist() == [False, True]


def test_a_delayed_answer_comes_too_late(caller):
    """A client that does not wait gives up, though the call was done; nor does a stop wait."""
    with made(faults=[Fault("delay", seconds=3600.0)]) as cloud:
        with pytest.raises(httpx.ReadTimeout):
            caller(cloud, timeout=0.2).send("CreateVcoRouteEntry", route())
        assert len(cloud.routes()) == 1
    with pytest.raises(RuntimeError):
        _ = cloud.endpoint


def test_a_stop_cuts_off_who_waits_for_an_answer(caller):
    """A client that waits for a delayed answer is cut off when the simulator stops."""
    cloud = made(faults=[Fault("delay", seconds=3600.0)]).start()
    client = caller(cloud)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.send, "DescribeRegions")
        while len(cloud.calls()) == 0:
            threading.Event().wait(0.001)
        cloud.stop()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            waiting.result(timeout=60)


def test_a_stop_leaves_no_open_port():
    """Open connections are cut, and nobody listens any more."""
    cloud = made().start()
    address = address_of(cloud)
    with socket.create_connection(address, timeout=60) as client:
        cloud.stop()
        assert rest_of(client) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def address_of(cloud: Simulator) -> tuple[str, int]:
    """Return where a simulator listens."""
    host, port = cloud.endpoint.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_creation_times_agree_with_the_date_of_answers(caller, speed):
    """Whatever the speed, after an hour, and after a pause, CreateTime is the answer's Date."""
    monotonic, wall = Clock(50.0), Clock(WALL)

    def create(cloud: Simulator, dest: str) -> None:
        answer = caller(cloud).send("CreateVcoRouteEntry", route(RouteDest=dest), wall=wall.now)
        date = parsedate_to_datetime(answer.headers["date"])
        assert date.timestamp() == wall.now
        assert answer.json()["CreateTime"] == wall.now * 1000
        assert datetime.fromtimestamp(wall.now, date.tzinfo) == date

    cloud = made(speed=speed, task_seconds=1.0, monotonic=monotonic, wall=wall)
    with cloud:
        create(cloud, "10.1.0.0/16")
        monotonic.now, wall.now = monotonic.now + 3600, wall.now + 3600
        create(cloud, "10.2.0.0/16")
    monotonic.now, wall.now = monotonic.now + 500, wall.now + 500
    with cloud:
        monotonic.now, wall.now = monotonic.now + 10, wall.now + 10
        create(cloud, "10.3.0.0/16")


# -- who is answered ------------------------------------------------------------------------------


def rest_of(client: socket.socket) -> bytes:
    """Return all that comes until the connection ends, in whatever way."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            received += chunk
    return received


def exchange(cloud: Simulator, data: bytes) -> bytes:
    """Send bytes, close the sending side, and read all that comes back."""
    with socket.create_connection(address_of(cloud), timeout=60) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        return rest_of(client)


def asked_as(cloud: Simulator, *hosts: str, more: bytes = b"") -> int:
    """Return the status of a request that names some hosts, with its port for ``PORT``."""
    port = str(address_of(cloud)[1])
    lines = "".join(f"Host: {host.replace('PORT', port)}\r\n" for host in hosts)
    answer = exchange(cloud, b"GET / HTTP/1.1\r\n" + lines.encode() + more + b"\r\n")
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "LOCALHOST:PORT"]
)
def test_loopback_names_with_its_port_are_answered(host):
    """A request that was meant for this server gets an answer of the API."""
    with made() as cloud:
        assert asked_as(cloud, host) == 400
        assert cloud.calls()["code"].tolist() == ["MissingVersion"]


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example"],
        ["evil.example:PORT"],
        ["127.0.0.1"],
        ["127.0.0.1:1"],
        ["127.0.0.1:x"],
        ["192.0.2.1:PORT"],
        ["localhost.evil.example:PORT"],
        ["evil@127.0.0.1:PORT"],
        ["127.0.0.1:PORT", "evil.example"],
    ],
)
def test_other_hosts_are_refused(hosts):
    """A name that somebody points here (DNS rebinding) is misdirected, and nothing is called."""
    with made() as cloud:
        assert asked_as(cloud, *hosts) == 421
        assert cloud.calls().empty


def test_a_page_of_the_web_is_refused(caller):
    """A signed call that a browser sends for a page of another site is not done."""
    with made() as cloud:
        client = caller(cloud)
        for site, status in (("cross-site", 403), ("same-site", 403), ("none", 200)):
            answer = client.send(
                "CreateVcoRouteEntry", route(), "V1", method="GET", more={"Sec-Fetch-Site": site}
            )
            assert answer.status_code == status
        assert len(cloud.calls()) == 1


def test_addresses_of_other_machines_are_answered_where_they_are_listened_on():
    """With allow_remote an address is taken for its own, a name is not."""
    with made(host="0.0.0.0", allow_remote=True) as cloud:  # noqa: S104
        assert asked_as(cloud, "192.0.2.1:PORT") == 400
        assert asked_as(cloud, "evil.example:PORT") == 421


# -- what a client may take -----------------------------------------------------------------------

HEAD = b"POST / HTTP/1.1\r\nHost: %s:%d\r\n"


def head_for(cloud: Simulator) -> bytes:
    """Return the beginning of a request that is meant for a simulator."""
    host, port = address_of(cloud)
    return HEAD % (host.encode(), port)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"X: y\r\n" * 20_000 + b"\r\n", 431),
        (b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"Content-Length: 100000000\r\n\r\n" + b"x" * 100_000, 413),
        (b"Content-Length: 65537\r\n\r\n", 413),
        (b"Content-Length: -1\r\n\r\n", 400),
        (b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"Content-Length: 9\r\n\r\nshort", 408),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"Content-Length: 65536\r\n\r\n" + b"x" * 65536, 400),
    ],
)
def test_heads_and_bodies_have_a_longest_length(more, status):
    """What is too long or of no known length is refused before it is read; 64 KiB are read."""
    with made() as cloud:
        answer = exchange(cloud, head_for(cloud) + more)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert len(cloud.calls()) == (1 if b"Length: 65536\r" in more else 0)


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_request_that_does_not_come_is_not_waited_for(sent):
    """An idle connection, half a line and half a head are closed when their time is over."""
    with made(http_limits=HttpLimits(idle_seconds=0.05, request_seconds=0.05)) as cloud:
        with socket.create_connection(address_of(cloud), timeout=60) as client:
            client.sendall(sent)
            assert rest_of(client) == b""
        assert cloud.calls().empty


def test_a_head_without_its_end_is_no_request(caller):
    """A signed V1 call whose head breaks off is not done, though all that matters has come."""
    with made() as cloud:
        host, port = address_of(cloud)
        client = caller(cloud)
        signed = client.sign("CreateVcoRouteEntry", route(), "V1", method="GET")
        data = b"GET /?%s HTTP/1.1\r\nHost: %s:%d\r\n" % (signed.query, host.encode(), port)
        assert exchange(cloud, data) == b""
        assert cloud.calls().empty
        assert exchange(cloud, data + b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_slow_sender_is_not_waited_for():
    """Bytes that keep coming do not keep a request alive beyond its time."""
    with (
        made(http_limits=HttpLimits(request_seconds=0.2)) as cloud,
        socket.create_connection(address_of(cloud), timeout=60) as client,
    ):
        client.sendall(head_for(cloud) + b"Content-Length: 60000\r\n\r\n")
        answer, client_reads = b"", client.dup()
        client_reads.settimeout(0.02)
        for _ in range(10_000):
            try:
                client.sendall(b"x")
                answer = client_reads.recv(100)
                break
            except TimeoutError:
                continue
        client_reads.close()
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_one_connection_too_many_closes_the_one_that_waits_longest(caller):
    """However many connections somebody leaves open, a client is served."""
    with made(http_limits=HttpLimits(connections=3)) as cloud:
        idle = [socket.create_connection(address_of(cloud), timeout=60) for _ in range(8)]
        assert caller(cloud).send("DescribeRegions").status_code == 200
        for connection in idle[:5]:
            assert rest_of(connection) == b""
        for connection in idle:
            connection.close()


def test_requests_may_follow_one_another_without_waiting():
    """Several requests in one packet are answered one by one, in order."""
    with made() as cloud:
        data = head_for(cloud) + b"Content-Length: 0\r\n\r\n"
        answer = exchange(cloud, data * 3)
        assert answer.count(b"HTTP/1.1 400 ") == len(cloud.calls()) == 3


# -- secrets --------------------------------------------------------------------------------------


def test_nothing_that_it_shows_or_keeps_holds_a_secret(caplog, capfd, caller, tmp_path):
    """Keys, tokens and the secrets of answers are in no frame, repr, log, output or file."""
    caplog.set_level(logging.DEBUG)
    secret, token = "canary-secret-2c9e", "canary-token-77b1/+="
    account = Account("1", "STS.key", secret, security_token=token)
    connection = Connection("vco-1", account_id="1", tunnels=2)
    with Simulator([connection], accounts=[account]) as cloud:
        client = caller(cloud)
        for action in ("DescribeVpnConnection", "CreateVcoRouteEntry"):
            for scheme in ("V3", "V1"):
                answer = client.send(action, route(SecurityToken=token), scheme)
        wrong = account.credentials._replace(access_key_secret="other")
        assert client.send("DescribeRegions", credentials=wrong).status_code == 400
        answer = client.send("DescribeVpnConnection", ONE)
        assert (answer.text.count(CANARY_PSK), answer.text.count(CANARY_AUTH_KEY)) == (3, 1)
        cloud.save(tmp_path / "cloud.json")
        shown = " ".join(
            made.to_csv() for made in (cloud.calls(), cloud.routes(), cloud.connections())
        )
        shown += f"{cloud!r} {vars(cloud)!r} {[vars(call) for call in cloud._cloud.history]}"
    # The client that calls here is httpx, and logs what it asks; that is not the simulator's.
    records = [record for record in caplog.records if not record.name.startswith("http")]
    shown += " ".join(record.getMessage() for record in records) + "".join(capfd.readouterr())
    shown += (tmp_path / "cloud.json").read_text(encoding="utf-8")
    assert "STS.key" in shown
    for hidden in (secret, token, "canary-secret", "canary-token", CANARY_PSK, CANARY_AUTH_KEY):
        assert hidden not in shown
