"""`vcokit simulate`: a process of its own that serves the official SDK, and says what is wrong."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client

import vcokit as vk

#: The scenario that needs no more to serve a client.
SMALL = """
[[accounts]]
access_key_id = "testAccessKeyId"
access_key_secret = "testAccessKeySecret"

[[connections]]
vpn_connection_id = "vco-p0w2jpkhi2eeop6q6test"
region_id = "ap-southeast-2"
task_seconds = 2
"""
ROUTE = {
    "region_id": "ap-southeast-2",
    "vpn_connection_id": "vco-p0w2jpkhi2eeop6q6test",
    "route_dest": "10.1.0.0/16",
    "next_hop": "vco-p0w2jpkhi2eeop6q6test",
}
INVENTORY = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight\nr,vco-1,10.0.0.0/8,vco-1,100\n"


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run the command; yield the process and the host that its first line names."""
    command = [sys.executable, "-m", "vcokit", "simulate", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = child.stdout.readline()
        assert first.startswith("listening on http://"), child.communicate()
        yield child, first.removeprefix("listening on http://").strip()
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def refused(shell) -> Callable[..., tuple[int, str]]:
    """Run the command that cannot work, here; return its exit code and what it said, unfolded."""

    def run(*arguments: object) -> tuple[int, str]:
        code, out, err = shell("simulate", *arguments)
        assert out == ""
        return code, " ".join(err.split())

    return run


def written(folder: Path, text: str, name: str = "scenario.toml") -> Path:
    """Return a file with a text in it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def client(host: str, region: str = "ap-southeast-2") -> Client:
    """Return the official SDK's client with the keys of the small scenario."""
    return Client(
        Config(
            endpoint=host,
            protocol="http",
            region_id=region,
            access_key_id="testAccessKeyId",
            access_key_secret="testAccessKeySecret",
        )
    )


def state(sdk: Client) -> str:
    """Return the State of the connection."""
    named = {name: ROUTE[name] for name in ("region_id", "vpn_connection_id")}
    return sdk.describe_vpn_connection(models.DescribeVpnConnectionRequest(**named)).body.state


def test_the_small_scenario_serves_the_official_sdk(tmp_path):
    """Create, poll until attached, find the route listed: with nothing but those eight lines."""
    with serving("--scenario", written(tmp_path, SMALL), "--speed", "20") as (child, host):
        sdk = client(host)
        request = models.CreateVcoRouteEntryRequest(**ROUTE, weight=100)
        assert sdk.create_vco_route_entry(request).body.state == "published"
        assert any(state(sdk) == "attached" for _ in range(1_000))
        named = {name: ROUTE[name] for name in ("region_id", "vpn_connection_id")}
        rows = sdk.describe_vco_route_entries(models.DescribeVcoRouteEntriesRequest(**named)).body
        assert [row.route_dest for row in rows.vco_route_entries] == ["10.1.0.0/16"]
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        assert child.returncode == 0
    assert out == ""
    assert "testAccessKeyId" in err
    assert "testAccessKeySecret" not in err, "a key of somebody's own is not shown"


def test_a_scenario_can_stand_beside_an_inventory(tmp_path):
    """Connections from the file of routes, everything else from the scenario, but for options."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = SMALL[: SMALL.index("[[connections]]")]
    text += '[[faults]]\nkind = "refuse"\ncode = "SystemBusy"\ncount = 1\n'
    text += 'vpn_connection_id = "vco-1"\n'
    arguments = (written(tmp_path, INVENTORY, "r.csv"), "--scenario", written(tmp_path, text))
    request = models.DescribeVpnConnectionRequest(region_id="r", vpn_connection_id="vco-1")
    with serving(*arguments, "--port", port) as (_, host):
        assert host == f"127.0.0.1:{port}"
        sdk = client(host, "r")
        with pytest.raises(ClientException) as caught:
            sdk.describe_vpn_connection(request)
        assert caught.value.code == "SystemBusy"
        assert sdk.describe_vpn_connection(request).body.state == "attached"


def test_connections_stand_in_one_place(tmp_path, refused):
    """An inventory and a scenario that both name connections contradict one another."""
    arguments = (written(tmp_path, INVENTORY, "r.csv"), "--scenario", written(tmp_path, SMALL))
    code, said = refused(*arguments)
    assert code == 2
    assert "both name connections. Remove [[connections]] from the scenario" in said


def test_a_wrong_scenario_is_one_clear_line(tmp_path, refused):
    """File, key and remedy, exit code 2, no traceback."""
    path = written(tmp_path, SMALL.replace("task_seconds", "task_second"))
    code, said = refused("--scenario", path)
    assert code == 2
    assert said.startswith(f"error: {path}: connections[0].task_second: no such key. Write task_")
    code, said = refused("--scenario", tmp_path / "none.toml")
    assert (code, "none.toml: cannot be read: No such file" in said) == (2, True)


def test_other_addresses_need_to_be_allowed(refused):
    """Without --allow-remote only this machine can reach it; with it that is said loudly."""
    code, said = refused("--host", "0.0.0.0")  # noqa: S104
    assert code == 2
    assert (
        "'0.0.0.0' is not a loopback address. Write 127.0.0.1, or allow_remote=True (--allow"
        in said
    )
    # Port 0 on every address, for as long as it takes to read two lines.
    with serving("--host", "0.0.0.0", "--allow-remote") as (child, host):  # noqa: S104
        assert host.startswith("0.0.0.0:")
        said = "".join(child.stderr.readline() for _ in range(3))
        assert "WARNING: listening on 0.0.0.0, where other machines may reach it" in said
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0


def test_loopback_needs_no_warning():
    """Allowed but not used is no danger; what is said first is all that a client needs."""
    with serving("--allow-remote") as (child, host):
        said = dict(child.stderr.readline().strip().split("=") for _ in range(2))
        keys = {name.removeprefix("ALIBABA_CLOUD_").lower(): key for name, key in said.items()}
        with vk.connect("cn-hangzhou", endpoint=f"http://{host}", **keys) as client:
            assert client.describe_vpn_connections(region_id="cn-hangzhou").empty
        child.send_signal(signal.SIGINT)
        assert "WARNING" not in child.communicate(timeout=20)[1]
        assert child.returncode == 0


def test_a_port_that_is_taken_is_told(refused):
    """With the remedy, exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused("--port", port)
    assert code == 2
    assert said.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert said.endswith("Name another --port, or leave it out")


def test_nonsense_is_told(refused):
    """What the simulator itself refuses comes out as an error of the shell."""
    code, said = refused("--speed", "0")
    assert (code, said) == (2, "error: speed 0.0. Write a number above 0")
