"""Times the client beside the official SDK, the simulator in a process of its own.

All contenders take turns in one run, so that a slow moment of the machine strikes each; medians of
the rounds are printed, as calls a second and as ratios. Before anything is timed the answers are
compared. The call is DescribeVpnConnection, the one that a rollout makes most.

    python -m benchmarks.client [--calls 400] [--rounds 7]

==============  ================================================================
SDK             the official SDK, one call after another, its connection kept
one at a time   our client, one call after another
32 in flight    our asynchronous client, as a rollout uses it
32 threads      our client, shared by threads, as `live_routes` uses it
==============  ================================================================
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.signing import Acs3Auth

REGION, CONNECTION = "cn-hangzhou", "vco-1"
OPERATION = "DescribeVpnConnection"
IN_FLIGHT = 32
#: The bars of the project: ratios at least so high, milliseconds at most so many.
BARS = {"one at a time": 1.0, "32 in flight": 1.0}
SIGNING_MS = 0.1


def serve(pipe: Pipe) -> None:
    """Serve one connection, without a rate limit, until something comes through the pipe."""
    from vcokit.simulator import Connection, Simulator

    limits = {OPERATION: (10**9, 1.0)}
    with Simulator([Connection(CONNECTION)], limits=limits) as cloud:
        pipe.send((cloud.endpoint, *cloud.credentials[:2]))
        pipe.recv()


@contextmanager
def simulator() -> Iterator[tuple[str, str, str]]:
    """Start a simulator in a process of its own; give its endpoint, key id and secret."""
    # Spawned, for a fork would share this process's garbage collector state and sockets.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join(10)


def official(endpoint: str, key: str, secret: str) -> Callable[[], str]:
    """Return one call by the official SDK, which returns the connection's State."""
    from alibabacloud_tea_openapi.models import Config
    from alibabacloud_vpc20160428 import models
    from alibabacloud_vpc20160428.client import Client as Official

    client = Official(
        Config(
            endpoint=endpoint.removeprefix("http://"),
            protocol="http",
            region_id=REGION,
            access_key_id=key,
            access_key_secret=secret,
        )
    )

    def call() -> str:
        request = models.DescribeVpnConnectionRequest(
            region_id=REGION, vpn_connection_id=CONNECTION
        )
        return str(client.describe_vpn_connection(request).body.state)

    return call


def ours(client: Client) -> str:
    """Make one call by our client; return the connection's State."""
    return str(client.describe_vpn_connection(vpn_connection_id=CONNECTION)["State"])


def one_by_one(call: Callable[[], object]) -> Callable[[int], float]:
    """Return what makes so many calls, one after another, and returns the seconds."""

    def run(calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - begin

    return run


def in_flight(client: Client) -> Callable[[int], float]:
    """Return what makes so many calls, 32 at any time; lines are open before the clock starts."""

    async def run(calls: int) -> float:
        async with client.to_async() as both:
            left = iter(range(IN_FLIGHT))

            async def work() -> None:
                for _ in left:
                    await both.describe_vpn_connection(vpn_connection_id=CONNECTION)

            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
            left = iter(range(calls))
            begin = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
            return time.perf_counter() - begin

    return lambda calls: asyncio.run(run(calls))


def in_threads(client: Client) -> Callable[[int], float]:
    """Return what makes so many calls from 32 threads that share one client."""

    def run(calls: int) -> float:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(lambda _: ours(client), range(IN_FLIGHT)))
            begin = time.perf_counter()
            list(pool.map(lambda _: ours(client), range(calls)))
            return time.perf_counter() - begin

    return run


def signing(client: Client, times: int = 2000) -> float:
    """Return the milliseconds that signing one request takes, the least of five tries."""
    place = {"RegionId": REGION, "VpnConnectionId": CONNECTION}
    request = client.request(OPERATIONS[OPERATION], place)
    auth = Acs3Auth(client.target.credentials)
    return min(one_by_one(lambda: auth.sign(request))(times) / times for _ in range(5)) * 1e3


def main() -> None:
    """Print the table; leave with 1 where a bar is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=400)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    with simulator() as (endpoint, key, secret):
        keys = {"access_key_id": key, "access_key_secret": secret}
        with connect(REGION, endpoint=endpoint, **keys) as client:
            met = _compare(client, official(endpoint, key, secret), chosen.calls, chosen.rounds)
    sys.exit(0 if met else 1)


def _compare(client: Client, sdk: Callable[[], str], calls: int, rounds: int) -> bool:
    if not sdk() == ours(client) == "attached":
        raise SystemExit("the answers differ, so their times mean nothing")
    contenders = {
        "SDK": one_by_one(sdk),
        "one at a time": one_by_one(lambda: ours(client)),
        "32 in flight": in_flight(client),
        "32 threads": in_threads(client),
    }
    for run in contenders.values():
        run(calls // 4)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            rates[name].append(calls / run(calls))
    return _report(rates, signing(client))


def _report(rates: dict[str, list[float]], milliseconds: float) -> bool:
    """Print rates and ratios; tell whether every bar is met."""
    peers = {"one at a time": "SDK", "32 in flight": "one at a time", "32 threads": "one at a time"}
    met = milliseconds <= SIGNING_MS
    print(f"{'':14} {'calls/s':>8}  ratio")
    for name, found in rates.items():
        line = f"{name:14} {statistics.median(found):8,.0f}"
        if name in peers:
            pairs = zip(found, rates[peers[name]], strict=True)
            ratio = statistics.median(mine / peer for mine, peer in pairs)
            met = met and ratio >= BARS.get(name, 0.0)
            line += f"  {ratio:.2f} × {peers[name]}"
        print(line)
    print(f"{'signing':14} {milliseconds:8.3f} ms a request (at most {SIGNING_MS})")
    return met


if __name__ == "__main__":
    main()
