"""The running simulator: its life, its clocks, what it shows, and faults on a real socket."""

from __future__ import annotations

import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from vcokit.simulator import Account, Connection, Route, Simulator, Switches

REGION = "cn-hangzhou"
ONE = {"RegionId": REGION, "VpnConnectionId": "vco-1"}


def hands(start: float = 100.0):
    """Return a clock that goes only when it is told to: ``clock.now += 1``."""

    class Clock:
        now = start

        def __call__(self) -> float:
            return self.now

    return Clock()


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


def test_it_stops_when_a_block_fails():
    """An exception in a with block leaves no server behind."""
    cloud = made()
    with pytest.raises(ZeroDivisionError), cloud:
        _ = 1 / 0
    with pytest.raises(RuntimeError):
        _ = cloud.endpoint


def test_a_restart_keeps_port_state_and_time(caller, name_route):
    """What was there is there again, at the same address; the time in between did not count."""
    clock = hands()
    cloud = made(monotonic=clock)
    with cloud:
        endpoint = cloud.endpoint
        assert caller(cloud).send("CreateVcoRouteEntry", name_route()).status_code == 200
        clock.now += 0.5
    clock.now += 1000.0
    assert cloud.now == 30.0
    assert not cloud.routes()["listed"].any()
    with cloud:
        assert cloud.endpoint == endpoint
        clock.now += 0.5
        assert cloud.routes()["listed"].all()
        assert len(cloud.calls()) == 1


def test_nothing_is_left_of_it():
    """A stopped simulator leaves no thread and no open port, at once even with clients."""
    before = set(threading.enumerate())
    cloud = made().start()
    port = int(cloud.endpoint.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)):
        begun = time.monotonic()
        cloud.stop()
        assert time.monotonic() - begun < 2.0
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


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


def test_a_port_that_is_taken_is_an_error_not_a_hang():
    """Starting on a port in use raises OSError and leaves nothing running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cloud = made(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            cloud.start()
        with pytest.raises(RuntimeError):
            _ = cloud.endpoint


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
def test_speed_divides_task_times(caller, name_route, speed):
    """A task of 60 simulated seconds takes 60/speed seconds of the wall."""
    clock = hands()
    with made(speed=speed, monotonic=clock) as cloud:
        client = caller(cloud)
        assert client.send("CreateVcoRouteEntry", name_route()).status_code == 200
        clock.now += 59.0 / speed
        assert client.send("DescribeVpnConnection", ONE).json()["State"] == "updating"
        clock.now += 1.001 / speed
        assert client.send("DescribeVpnConnection", ONE).json()["State"] == "attached"


def test_speed_divides_limits_and_their_waits(caller):
    """The window closes speed times sooner and the header says so; `limits` stays unscaled."""
    clock = hands()
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


def test_frames_show_the_state_of_the_moment(caller, name_route):
    """Routes, connections and calls as frames, following the simulated clock."""
    clock = hands()
    with made(monotonic=clock) as cloud:
        caller(cloud).send("CreateVcoRouteEntry", name_route(Weight="0"))
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


def test_a_cloud_can_be_kept_between_runs(tmp_path, caller, name_route):
    """What save writes load gives back: connections, routes, quota; options win."""
    path = tmp_path / "cloud.json"
    clock = hands()
    with made(monotonic=clock, quota=88) as cloud:
        caller(cloud).send("CreateVcoRouteEntry", name_route())
        cloud.save(path)
    back = Simulator.load(path, speed=7.0)
    assert (back.quota, back.speed) == (88, 7.0)
    assert back.routes()["route_dest"].tolist() == ["10.1.0.0/16"]
    assert back.connections()["vpn_connection_id"].tolist() == ["vco-1", "vco-2"]
    assert Simulator.load(path, quota=9).quota == 9


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 7}', "\ufffd"])
def test_what_is_no_snapshot_is_refused(tmp_path, text):
    """A file of something else is named, with the remedy."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json is no snapshot .* Simulator\.save"):
        Simulator.load(path)


def test_weights_out_of_a_frame_can_be_saved(tmp_path):
    """Routes made of numpy integers are written as JSON."""
    weight = pd.Series([100], dtype="Int64").to_numpy()[0]
    made(routes=[Route("vco-1", "10.0.0.0/8", weight)]).save(tmp_path / "x.json")
    assert Simulator.load(tmp_path / "x.json").routes()["weight"].tolist() == [100]


def test_calls_side_by_side_are_each_answered_once(caller, name_route):
    """Eight clients at once: of creates on one connection one is accepted, all are kept."""
    with made(task_seconds=1e6, limits={"CreateVcoRouteEntry": (1000, 60.0)}) as cloud:
        clients = [caller(cloud) for _ in range(8)]

        def run(number: int) -> int:
            named = name_route(RouteDest=f"10.{number}.0.0/16")
            return clients[number % 8].send("CreateVcoRouteEntry", named).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(run, range(200)))
        assert statuses.count(200) == 1
        assert statuses.count(400) == 199
        calls = cloud.calls()
    assert len(calls) == 200
    assert calls["request_id"].is_unique
    assert calls["time"].is_monotonic_increasing


def test_answers_do_not_wait_for_acknowledgements(caller):
    """Fifty calls on one connection take far less than the 40 ms each that a lazy socket adds."""
    with made() as cloud:
        client = caller(cloud)
        begun = time.monotonic()
        for _ in range(50):
            client.send("DescribeRegions")
        assert time.monotonic() - begun < 1.5


def test_switches_reach_the_cloud(caller, name_route):
    """What the constructor is given is in force."""
    with made(switches=Switches(listed_after_task=False)) as cloud:
        caller(cloud).send("CreateVcoRouteEntry", name_route())
        assert cloud.routes()["listed"].tolist() == [True]


def test_the_state_can_be_had_without_the_server():
    """Importing the pure state loads neither uvicorn nor pandas."""
    import subprocess

    code = (
        "import sys, vcokit.simulator.state, vcokit.simulator.service; "
        "print(*[m for m in ('uvicorn', 'starlette', 'h11') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_the_package_names_what_it_has():
    """Each public name can be had, and a name that is none is an AttributeError."""
    import vcokit.simulator as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = room.Nonsense
