"""Faults on a real socket: what a client sees of them, and what the simulator does meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from vcokit.simulator import Connection, Fault, Simulator


def made(**options) -> Simulator:
    """Return a simulator of one connection whose tasks take 60 simulated seconds."""
    return Simulator([Connection("vco-1")], **{"speed": 60.0, "task_seconds": 60.0} | options)


@pytest.mark.parametrize(("kind", "there"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_call_gets_no_answer(caller, name_route, kind, there):
    """The socket closes without a byte, before or after the call was done; the next is fine."""
    with made(faults=[Fault(kind, count=1)]) as cloud:
        client = caller(cloud)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.send("CreateVcoRouteEntry", name_route())
        assert (len(cloud.routes()) == 1) is there
        assert cloud.calls()["status"].isna().tolist() == [True]
        assert client.send("DescribeRegions").status_code == 200


def test_a_truncated_answer_breaks_off(caller, name_route):
    """Half of the body comes, less than Content-Length says; the call was done."""
    with made(faults=[Fault("truncate", count=1)]) as cloud:
        client = caller(cloud)
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            client.send("CreateVcoRouteEntry", name_route())
        assert len(cloud.routes()) == 1
        assert client.send("DescribeRegions").status_code == 200


def test_a_truncated_answer_is_half_there(sign):
    """What came before the break is the beginning of the answer."""
    with made(faults=[Fault("truncate")]) as cloud:
        host, port = cloud.endpoint.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            request = sign("DescribeRegions", host=f"{host}:{port}", wall=time.time())
            lines = (name + b": " + value + b"\r\n" for name, value in request.headers)
            client.sendall(b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")
            received = b""
            while chunk := client.recv(65536):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert body.startswith(b'{"RequestId":"')
    assert len(body) == length // 2


def test_a_delayed_answer_comes_too_late(caller, name_route):
    """A client that does not wait gives up, though the call was done; nor does a stop wait."""
    with made(faults=[Fault("delay", seconds=3600.0, count=2)]) as cloud:
        hasty = caller(cloud, timeout=0.2)
        with pytest.raises(httpx.ReadTimeout):
            hasty.send("CreateVcoRouteEntry", name_route())
        assert len(cloud.routes()) == 1
        with pytest.raises(httpx.ReadTimeout):
            hasty.send("DescribeRegions")
        begun = time.monotonic()
    assert time.monotonic() - begun < 2.0


def test_a_stop_does_not_wait_for_answers_under_way(caller):
    """A client that waits for a delayed answer is cut off when the simulator stops."""
    cloud = made(faults=[Fault("delay", seconds=3600.0)]).start()
    client = caller(cloud)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.send, "DescribeRegions")
        while len(cloud.calls()) == 0:
            threading.Event().wait(0.001)
        begun = time.monotonic()
        cloud.stop()
        assert time.monotonic() - begun < 2.0
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            waiting.result(timeout=5)


def test_a_short_delay_only_delays(caller):
    """After its delay the answer comes whole."""
    with made(faults=[Fault("delay", seconds=0.05)]) as cloud:
        begun = time.monotonic()
        assert caller(cloud).send("DescribeRegions").status_code == 200
        assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("status_500", 500, "InternalError"),
        ("status_503", 503, "ServiceUnavailable"),
        ("throttle", 400, "Throttling.User"),
        ("busy", 400, "VpnConnection.Configuring"),
    ],
)
def test_faults_answer_with_their_codes(caller, name_route, kind, status, code):
    """Faults of the API look like the API's own errors, with id and, if throttled, a wait."""
    with made(faults=[Fault(kind, seconds=6.0)]) as cloud:
        answer = caller(cloud).send("CreateVcoRouteEntry", name_route())
        assert (answer.status_code, answer.json()["Code"]) == (status, code)
        wait = answer.headers.get("x-acs-retry-after")
        assert wait == ("100" if kind == "throttle" else None)
        assert cloud.calls()["faults"].tolist() == [kind]


def test_an_html_page_is_no_answer(caller):
    """The fault html gives a page in place of JSON, with status 200."""
    with made(faults=[Fault("html")]) as cloud:
        answer = caller(cloud).send("DescribeRegions")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/html;charset=utf-8",
        )
        assert "<h1>" in answer.text


def test_an_empty_answer_is_empty(caller, name_route):
    """200 and nothing, and the connection goes on; the call was done where that was asked."""
    with made(faults=[Fault("empty", applied=True, count=1)]) as cloud:
        client = caller(cloud)
        answer = client.send("CreateVcoRouteEntry", name_route())
        assert (answer.status_code, answer.content) == (200, b"")
        assert len(cloud.routes()) == 1
        assert client.send("DescribeRegions").status_code == 200


def test_a_right_answer_can_come_under_a_wrong_name(caller):
    """The fault content_type calls JSON a page."""
    with made(faults=[Fault("content_type")]) as cloud:
        answer = caller(cloud).send("DescribeRegions")
        assert answer.headers["content-type"] == "text/html;charset=utf-8"
        assert answer.json()["Regions"]


def test_a_late_call_is_done_behind_its_sender_s_back(caller, name_route):
    """The socket closes; when its time has come the route is there, and the history says so."""

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    faults = [Fault("late", seconds=120.0, operation="CreateVcoRouteEntry")]
    with made(faults=faults, monotonic=clock) as cloud:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            caller(cloud).send("CreateVcoRouteEntry", name_route())
        assert cloud.routes().empty
        clock.now += 2.0
        assert cloud.routes()["listed"].tolist() == [False]
        clock.now += 1.0
        assert cloud.routes()["listed"].tolist() == [True]
        assert cloud.calls()["changed"].tolist() == [False, True]


def test_a_skewed_server_shows_its_own_time(caller):
    """The header Date is that of the clock by which the request was found expired."""
    with made(faults=[Fault("skew", seconds=-1800.0)], wall=lambda: 1_767_323_045.0) as cloud:
        answer = caller(cloud).send("DescribeRegions", wall=1_767_323_045.0)
        assert answer.json()["Code"] == "InvalidTimeStamp.Expired"
        assert answer.headers.get_list("date") == ["Fri, 02 Jan 2026 02:34:05 GMT"]
