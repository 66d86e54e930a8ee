"""The running simulator: its life and clocks, faults and limits on a real socket, what it shows."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pandas as pd
import pytest

from tests.simulator.conftest import ONE, REGION, WALL, Clock, dial, exchange, rest_of, route
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

CREATE, DESCRIBE = "CreateVcoRouteEntry", "DescribeVpnConnection"
BROKEN = (httpx.RemoteProtocolError, httpx.ReadError)


def made(**options) -> Simulator:
    """Return a simulator of two connections whose tasks take 60 simulated seconds."""
    connections = [Connection("vco-1", name="a", zone="z"), Connection("vco-2")]
    return Simulator(connections, **{"speed": 60.0, "task_seconds": 60.0} | options)


def head_for(cloud: Simulator, line: bytes = b"POST /") -> bytes:
    """Return the beginning of a request that is meant for a simulator."""
    host = cloud.endpoint.removeprefix("http://").encode()
    return b"%s HTTP/1.1\r\nHost: %s\r\n" % (line, host)


# -- life and clocks ------------------------------------------------------------------------------


def test_it_runs_from_start_to_stop_and_within_the_outermost_block(caller):
    """Twice is once, a stop without a start is nothing; while it runs it has an endpoint."""
    cloud = made()
    cloud.stop()
    with pytest.raises(RuntimeError, match=r"start\(\)"):
        _ = cloud.endpoint
    assert cloud.start() is cloud
    endpoint = cloud.endpoint
    assert endpoint.startswith("http://127.0.0.1:")
    assert cloud.start().endpoint == endpoint
    with cloud:
        with cloud as inner:
            assert inner is cloud
        assert caller(cloud).send("DescribeRegions").status_code == 200
    with pytest.raises(RuntimeError, match="not started"):
        _ = cloud.endpoint
    cloud.stop()


def test_a_restart_keeps_port_state_and_time(caller):
    """What was there is there again, at the same address; the time in between did not count."""
    clock = Clock()
    cloud = made(monotonic=clock)
    with cloud:
        endpoint = cloud.endpoint
        assert caller(cloud).send(CREATE, route()).status_code == 200
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
    with made() as one, made(accounts=[Account("2", "other-key", "other-secret")]) as two:
        assert caller(two).send("DescribeRegions").status_code == 200
        refused = caller(two).send("DescribeRegions", credentials=one.credentials)
        assert refused.json()["Code"] == "InvalidAccessKeyId.NotFound"
        assert (len(one.calls()), len(two.calls())) == (0, 2)


def test_it_listens_on_loopback_unless_it_is_asked_to_listen_elsewhere():
    """Another address needs allow_remote=True."""
    for host in ("0.0.0.0", "192.0.2.1", "example.org", "::", ""):  # noqa: S104
        with pytest.raises(ValueError, match="allow_remote"):
            made(host=host)
        assert made(host=host, allow_remote=True) is not None
    for host in ("127.0.0.1", "127.8.9.10", "::1", "localhost"):
        assert made(host=host) is not None


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_speed_divides_tasks_limits_and_waits_but_no_dates(caller, speed):
    """`limits` stays unscaled; at any speed a request may be dated fifteen minutes ago."""
    clock, wall, limit = Clock(), Clock(WALL), {"DescribeRegions": (2, 30.0)}
    with made(speed=speed, monotonic=clock, wall=wall, limits=limit) as cloud:
        client = caller(cloud)
        assert cloud.limits["DescribeRegions"] == (2, 30.0)
        assert client.send(CREATE, route(), wall=WALL - 900).status_code == 200
        assert client.send(CREATE, route(), wall=WALL - 901).status_code == 400
        answers = [client.send("DescribeRegions", wall=WALL) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 400]
        assert answers[2].headers["x-acs-retry-after"] == str(round(30_000 / speed))
        clock.now += 59.0 / speed
        assert client.send("DescribeRegions", wall=WALL).status_code == 200
        assert client.send(DESCRIBE, ONE, wall=WALL).json()["State"] == "updating"
        clock.now += 1.001 / speed
        assert client.send(DESCRIBE, ONE, wall=WALL).json()["State"] == "attached"


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_creation_times_agree_with_the_date_of_answers(caller, speed):
    """Whatever the speed, after an hour, and after a pause, CreateTime is the answer's Date."""
    monotonic, wall = Clock(50.0), Clock(WALL)

    def create_after(seconds: float, dest: str) -> None:
        monotonic.now, wall.now = monotonic.now + seconds, wall.now + seconds
        answer = caller(cloud).send(CREATE, route(RouteDest=dest), wall=wall.now)
        assert parsedate_to_datetime(answer.headers["date"]).timestamp() == wall.now
        assert answer.json()["CreateTime"] == wall.now * 1000

    cloud = made(speed=speed, task_seconds=1.0, monotonic=monotonic, wall=wall)
    with cloud:
        create_after(0.0, "10.1.0.0/16")
        create_after(3600.0, "10.2.0.0/16")
    monotonic.now, wall.now = monotonic.now + 500, wall.now + 500
    with cloud:
        create_after(10.0, "10.3.0.0/16")


# -- what it shows --------------------------------------------------------------------------------


def test_frames_show_the_state_of_the_moment(caller):
    """Routes, connections and calls as frames, following the simulated clock."""
    clock = Clock()
    with made(monotonic=clock) as cloud:
        caller(cloud).send(CREATE, route(Weight="0"))
        before = cloud.connections().set_index("vpn_connection_id")
        assert before["state"].to_dict() == {"vco-1": "updating", "vco-2": "attached"}
        assert before["routes"].to_dict() == {"vco-1": 0, "vco-2": 0}
        clock.now += 1.0
        named = {"region_id": REGION, "vpn_connection_id": "vco-1", "next_hop": "vco-1"}
        shown = {"route_dest": "10.1.0.0/16", "weight": 0, "listed": True, "forwarding": True}
        assert cloud.routes().to_dict("records") == [named | shown]
        assert cloud.connections()["routes"].tolist() == [1, 0]
        call = cloud.calls().iloc[0]
        assert (call["status"], call["effect"], call["changed"]) == (200, 1, True)
        assert call["parameters"]["Weight"] == "0"
        assert pd.isna(call["code"])


@pytest.mark.parametrize("early", [False, True])
def test_frames_tell_listed_from_forwarding(caller, early):
    """A route behind a broken tunnel is listed only; one on its way neither listed nor in force."""
    there = [("vco-1", "100.64.0.0/16"), ("vco-1", "10.9.0.0/16"), ("vco-2", "10.8.0.0/16")]
    switches = Switches(listed_after_task=not early)
    with made(routes=[Route(*one) for one in there], switches=switches, monotonic=Clock()) as cloud:
        caller(cloud).send(CREATE, route("vco-2"))
        shown = cloud.routes().set_index("route_dest")[["listed", "forwarding"]]
    assert shown.T.to_dict("list") == {
        "100.64.0.0/16": [True, False],
        "10.9.0.0/16": [True, False],
        "10.8.0.0/16": [True, True],
        "10.1.0.0/16": [early, False],
    }


def test_empty_frames_keep_columns_and_dtypes():
    """A simulator without anything shows frames of the same shape as a full one."""
    full, empty = made(routes=[Route("vco-1", "10.0.0.0/8")]), Simulator()
    for name in ("routes", "connections", "calls"):
        shown, other = getattr(empty, name)(), getattr(full, name)()
        assert len(shown) == 0
        assert shown.dtypes.astype(str).to_dict() == other.dtypes.astype(str).to_dict()
    columns = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    assert list(empty.routes()) == [*columns, "listed", "forwarding"]
    assert empty.routes()["weight"].dtype == "Int64"
    assert empty.calls()["status"].dtype == "Int64"


def test_a_connection_can_be_changed_behind_the_api(caller):
    """Locked from outside it keeps its routes and its task; what cannot be changes nothing."""
    clock = Clock()
    with made(routes=[Route("vco-1", "10.9.0.0/16")], monotonic=clock) as cloud:
        client = caller(cloud)
        client.send(CREATE, route())
        cloud.change("vco-1", state="financialLocked", name="b")
        with pytest.raises(ValueError, match="state is unknown"):
            cloud.change("vco-1", state="x")
        with pytest.raises(ValueError, match="no connection vco-9"):
            cloud.change("vco-9", name="c")
        shown = cloud.connections().iloc[0]
        assert (shown["state"], shown["name"], shown["routes"]) == ("updating", "b", 1)
        clock.now += 1.0
        answer = client.send("DeleteVcoRouteEntry", route("vco-1", "10.9.0.0/16"))
        assert answer.json()["Code"] == "VpnConnection.FinancialLocked"


def test_nothing_that_it_shows_or_keeps_holds_a_secret(caplog, capfd, caller, tmp_path):
    """Keys, tokens and the secrets of answers are in no frame, repr, log, output or file."""
    caplog.set_level(logging.DEBUG)
    secret, token = "canary-secret-2c9e", "canary-token-77b1/+="
    account = Account("1", "STS.key", secret, security_token=token)
    keys = account.credentials
    cloud = Simulator([Connection("vco-1", account_id="1", tunnels=2)], accounts=[account])
    shown = f"{cloud!r}"
    assert "stopped" in shown
    with cloud:
        client = caller(cloud)
        for action in (DESCRIBE, CREATE):
            for scheme in ("V3", "V1"):
                client.send(action, route(SecurityToken=token), scheme=scheme)
        wrong = keys._replace(access_key_secret="other")
        assert client.send("DescribeRegions", credentials=wrong).status_code == 400
        answer = client.send(DESCRIBE, ONE)
        assert (answer.text.count(CANARY_PSK), answer.text.count(CANARY_AUTH_KEY)) == (3, 1)
        cloud.save(tmp_path / "cloud.json")
        for frame in (cloud.calls(), cloud.routes(), cloud.connections()):
            shown += frame.to_csv()
        assert cloud.endpoint in repr(cloud)
        shown += f"{cloud!r} {vars(cloud)!r} {account!r} {account} {keys!r} {keys} {[account]}"
    # The client that calls here is httpx, and logs what it asks; that is not the simulator's.
    records = [record for record in caplog.records if not record.name.startswith("http")]
    shown += " ".join(record.getMessage() for record in records) + "".join(capfd.readouterr())
    shown += (tmp_path / "cloud.json").read_text(encoding="utf-8")
    assert "STS.key" in shown
    assert cloud.credentials.access_key_secret == secret
    for hidden in (secret, token, "canary-secret", "canary-token", CANARY_PSK, CANARY_AUTH_KEY):
        assert hidden not in shown


# -- calls and faults on the wire -----------------------------------------------------------------


def test_calls_side_by_side_are_each_answered_once(caller):
    """Eight clients at once: of creates on one connection one is accepted, all are kept."""
    with made(task_seconds=1e6, limits={CREATE: (1000, 60.0)}) as cloud:
        clients = [caller(cloud) for _ in range(8)]

        def run(number: int) -> int:
            named = route(RouteDest=f"10.{number}.0.0/16")
            return clients[number % 8].send(CREATE, named).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(run, range(160)))
        calls = cloud.calls()
    assert (statuses.count(200), statuses.count(400), len(calls)) == (1, 159, 160)
    assert calls["request_id"].is_unique
    assert calls["time"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("kind", "there"), [("drop_before", False), ("drop_after", True), ("truncate", True)]
)
def test_a_call_may_get_no_answer_or_half_of_one(caller, kind, there):
    """Not a byte, or half of the body that was promised; the next call is fine."""
    with made(faults=[Fault(kind, count=2)]) as cloud:
        client = caller(cloud)
        with pytest.raises(BROKEN):
            client.send(CREATE, route())
        assert (len(cloud.routes()) == 1) is there
        request = client.sign("DescribeRegions")
        lines = b"".join(b"%s: %s\r\n" % pair for pair in request.headers if pair[0] != b"host")
        head, _, body = exchange(cloud, head_for(cloud) + lines + b"\r\n").partition(b"\r\n\r\n")
        if kind == "truncate":
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert body.startswith(b'{"RequestId":"')
            assert len(body) == length // 2
        else:
            assert head + body == b""
        assert client.send("DescribeRegions").status_code == 200
        answered = kind == "truncate"
        assert cloud.calls()["status"].notna().tolist() == [answered, answered, True]


def test_a_late_call_is_done_behind_its_sender_s_back(caller):
    """The socket closes; when its time has come the route is there, and the history says so."""
    clock = Clock()
    late = Fault("late", seconds=120.0, operation=CREATE)
    faults = [late, Fault("duplicate", seconds=60.0, operation="DescribeRegions")]
    with made(faults=faults, monotonic=clock) as cloud:
        with pytest.raises(BROKEN):
            caller(cloud).send(CREATE, route())
        assert cloud.routes().empty
        for listed in (False, True):
            clock.now += 2.0 if not listed else 1.0
            assert cloud.routes()["listed"].tolist() == [listed]
        calls = cloud.calls()
        assert calls["changed"].tolist() == [False, True]
        assert calls["status"].isna().all()
        assert caller(cloud).send("DescribeRegions").status_code == 200
        clock.now += 1.0
        assert len(cloud.routes()) == 1
        answered = cloud.calls()["status"].notna().tolist()
        assert answered == [False, False, True, False], "nobody waits for the copy"


def test_a_stop_cuts_off_who_waits_and_leaves_no_open_port(caller):
    """A client gives up, though its call was done; others wait for an answer, or do not ask."""
    cloud = made(faults=[Fault("delay", seconds=3600.0)]).start()
    with pytest.raises(httpx.ReadTimeout):
        caller(cloud, timeout=0.2).send(CREATE, route())
    assert len(cloud.routes()) == 1
    client = caller(cloud)
    host, port = cloud.endpoint.removeprefix("http://").split(":")
    with ThreadPoolExecutor(1) as pool, dial(cloud) as idle:
        waiting = pool.submit(client.send, "DescribeRegions")
        while len(cloud.calls()) == 1:
            threading.Event().wait(0.001)
        cloud.stop()
        with pytest.raises(BROKEN):
            waiting.result(timeout=60)
        assert rest_of(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


# -- who is answered ------------------------------------------------------------------------------

ITS_OWN = ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "LOCALHOST:PORT"]
NOT_ITS_OWN = [
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
]


def asked_as(cloud: Simulator, *hosts: str) -> int:
    """Return the status of a request that names some hosts, with its port for ``PORT``."""
    port = cloud.endpoint.rpartition(":")[2]
    lines = "".join(f"Host: {host.replace('PORT', port)}\r\n" for host in hosts)
    return int(exchange(cloud, b"GET / HTTP/1.1\r\n%s\r\n" % lines.encode()).split(b" ")[1])


def test_only_loopback_names_with_its_port_are_answered():
    """A name that somebody points here (DNS rebinding) is misdirected, and nothing is called."""
    with made() as cloud:
        assert {asked_as(cloud, *hosts) for hosts in NOT_ITS_OWN} == {421}
        assert cloud.calls().empty
        assert {asked_as(cloud, host) for host in ITS_OWN} == {400}
        assert cloud.calls()["code"].tolist() == ["MissingVersion"] * len(ITS_OWN)


def test_addresses_of_other_machines_are_answered_where_they_are_listened_on():
    """With allow_remote an address is taken for its own, a name is not."""
    with made(host="0.0.0.0", allow_remote=True) as cloud:  # noqa: S104
        assert asked_as(cloud, "192.0.2.1:PORT") == 400
        assert asked_as(cloud, "evil.example:PORT") == 421


def test_a_page_of_the_web_is_refused(caller):
    """A signed call that a browser sends for a page of another site is not done."""
    with made() as cloud:
        how = {"scheme": "V1", "method": "GET"}
        for site, status in (("cross-site", 403), ("same-site", 403), ("none", 200)):
            more = {"Sec-Fetch-Site": site}
            assert caller(cloud).send(CREATE, route(), more, **how).status_code == status
        assert len(cloud.calls()) == 1


# -- what a client may take -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"X: y\r\n" * 20_000 + b"\r\n", 431),
        (b"X: y\r\n" * 200 + b"\r\n", 431),
        ((b"X: " + b"y" * 1000 + b"\r\n") * 90 + b"\r\n", 431),
        (b"Content-Length: 100000000\r\n\r\n" + b"x" * 100_000, 413),
        (b"Content-Length: 65537\r\n\r\n" + b"x" * 65537, 413),
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
        with dial(cloud) as client:
            client.sendall(sent)
            assert rest_of(client) == b""
        assert cloud.calls().empty


def test_a_head_without_its_end_is_no_request(caller):
    """A signed V1 call whose head breaks off is not done, though all that matters has come."""
    with made() as cloud:
        request = caller(cloud).sign(CREATE, route(), scheme="V1", method="GET")
        data = head_for(cloud, b"GET /?" + request.query)
        assert exchange(cloud, data) == b""
        assert cloud.calls().empty
        assert exchange(cloud, data + b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_slow_sender_is_not_waited_for():
    """Bytes that keep coming do not keep a request alive beyond its time."""
    with made(http_limits=HttpLimits(request_seconds=0.2)) as cloud, dial(cloud) as client:
        client.sendall(head_for(cloud) + b"Content-Length: 60000\r\n\r\n")
        answer = b""
        with client.dup() as reader:
            reader.settimeout(0.02)
            for _ in range(10_000):
                client.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    answer = reader.recv(100)
                    break
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_one_connection_too_many_closes_the_one_that_waits_longest(caller):
    """However many connections somebody leaves open, a client is served."""
    with made(http_limits=HttpLimits(connections=3)) as cloud:
        idle = [dial(cloud) for _ in range(8)]
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
