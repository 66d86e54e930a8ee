"""How many signed calls a second the simulator serves to a load from another process.

::

    python -m benchmarks.service [--calls 1000] [--rounds 5]

The simulator runs as ``vcokit simulate`` in a process of its own; this process signs the requests
beforehand and then only writes and reads sockets, one call at a time on each of 1 or 32 kept
connections. Printed are calls a second, the median and the worst of the rounds; the exit code is 1
where a median is below the 500 that keep the simulator from being the bottleneck of a demo.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

NEEDED = 500
KEY, SECRET, REGION = "benchmark-key", "benchmark-secret", "cn-hangzhou"
CONNECTIONS = 40
SCENARIO = f"""
quota = 1000000
task_seconds = 0
accounts = [{{access_key_id = "{KEY}", access_key_secret = "{SECRET}"}}]

[limits]
""" + "".join(
    f"{name} = [100000000, 1]\n"
    for name in ("CreateVcoRouteEntry", "DescribeVcoRouteEntries", "DescribeVpnConnection")
)


def scenario() -> str:
    """Return a cloud with limits out of the way, and fifty routes on its first connection."""
    connections = (
        f'[[connections]]\nvpn_connection_id = "vco-{number}"\nregion_id = "{REGION}"\n'
        for number in range(CONNECTIONS)
    )
    routes = (
        f'[[routes]]\nvpn_connection_id = "vco-0"\nroute_dest = "172.16.{number}.0/24"\n'
        for number in range(50)
    )
    return SCENARIO + "".join(connections) + "".join(routes)


def poll(number: int) -> tuple[str, dict[str, str]]:
    """Return the call that asks whether a task has ended."""
    return "DescribeVpnConnection", _named(number % CONNECTIONS)


def listing(_number: int) -> tuple[str, dict[str, str]]:
    """Return the call that lists fifty routes."""
    return "DescribeVcoRouteEntries", _named(0) | {"PageSize": "50"}


def create(number: int) -> tuple[str, dict[str, str]]:
    """Return a call that makes a route; each number makes another."""
    place = number % (CONNECTIONS - 1) + 1
    first, second = divmod(number // (CONNECTIONS - 1), 256)
    dest = f"10.{first}.{second}.0/24"
    more = {"RouteDest": dest, "Weight": "100", "NextHop": f"vco-{place}"}
    return "CreateVcoRouteEntry", _named(place) | more | {"ClientToken": f"token-{number}"}


def _named(connection: int) -> dict[str, str]:
    return {"RegionId": REGION, "VpnConnectionId": f"vco-{connection}"}


def v3(call: tuple[str, dict[str, str]], host: str, nonce: str) -> bytes:
    """Return a call as the bytes of an HTTP request, signed by ACS3-HMAC-SHA256."""
    action, parameters = call
    query = _canonical(parameters)
    payload = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": payload,
        "x-acs-date": _now(),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": "2016-04-28",
    }
    lines, names = "".join(f"{k}:{v}\n" for k, v in headers.items()), ";".join(headers)
    request = f"POST\n/\n{query}\n{lines}\n{names}\n{payload}"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={names},Signature={signature}"
    )
    sent = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return f"POST /?{query} HTTP/1.1\r\n{sent}content-length: 0\r\n\r\n".encode()


def v1(call: tuple[str, dict[str, str]], host: str, nonce: str) -> bytes:
    """Return a call as the bytes of an HTTP request, signed by HMAC-SHA1."""
    action, parameters = call
    common = {
        "Action": action,
        "Version": "2016-04-28",
        "Format": "JSON",
        "AccessKeyId": KEY,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
        "Timestamp": _now(),
    }
    everything = parameters | common
    to_sign = f"GET&%2F&{quote(_canonical(everything), safe='~')}"
    digest = hmac.new(f"{SECRET}&".encode(), to_sign.encode(), hashlib.sha1).digest()
    query = urlencode(everything | {"Signature": base64.b64encode(digest).decode()})
    return f"GET /?{query} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()


def _canonical(parameters: dict[str, str]) -> str:
    return "&".join(f"{k}={quote(v, safe='~')}" for k, v in sorted(parameters.items()))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Line(asyncio.Protocol):
    """One kept connection: sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = next(self.requests, None)
        if request is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; when it is whole, see that it is a good one."""
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(AssertionError(body[:300]))
            return
        self.buffer = b""
        self.send()


async def load(port: int, requests: list[bytes], lines: int) -> float:
    """Return the calls a second that a load gets served."""
    loop, queue = asyncio.get_running_loop(), iter(requests)
    made = [
        (await loop.create_connection(lambda: Line(queue), "127.0.0.1", port))[1]
        for _ in range(lines)
    ]
    begun = time.perf_counter()
    for line in made:
        line.send()
    await asyncio.gather(*(line.done for line in made))
    return len(requests) / (time.perf_counter() - begun)


@contextlib.contextmanager
def simulator() -> Iterator[int]:
    """Start ``vcokit simulate`` and yield its port."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.toml"
        path.write_text(scenario(), encoding="utf-8")
        command = [sys.executable, "-m", "vcokit", "simulate", "--scenario", str(path)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            first = child.stdout.readline()  # type: ignore[union-attr]
            yield int(first.rsplit(":", 1)[1])
        finally:
            child.terminate()
            child.wait()


WORKLOADS: dict[str, tuple[Callable, Callable]] = {
    "poll, V3": (poll, v3),
    "poll, V1": (poll, v1),
    "list 50 routes, V3": (listing, v3),
    "create, V3": (create, v3),
}


def main() -> int:
    """Measure, print, and tell by the exit code whether it is enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {arguments.calls} calls a round")
    print(f"{'workload':<20} {'in flight':>9} {'calls/s':>8} {'worst':>7}")
    worst, made = float("inf"), 0
    with simulator() as port:
        for name, (call, sign) in WORKLOADS.items():
            for lines in (1, 32):
                rates = []
                for _ in range(arguments.rounds):
                    numbers = range(made, made + arguments.calls)
                    made += arguments.calls
                    host = f"127.0.0.1:{port}"
                    requests = [sign(call(n), host, f"nonce-{n}") for n in numbers]
                    rates.append(asyncio.run(load(port, requests, lines)))
                median = statistics.median(rates)
                worst = min(worst, median)
                print(f"{name:<20} {lines:>9} {median:>8.0f} {min(rates):>7.0f}")
    print(f"least median {worst:.0f}, needed {NEEDED}")
    return int(worst < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
