"""Calls per second, beside the official SDK, to a simulator in a process of its own.

The call is DescribeVpnConnection, the one that a rollout makes most. No limit is told to the
client, or what is measured would be how it keeps to the limit.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from types import SimpleNamespace
from typing import Any, Final

from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client as Official

import vcokit as vk
from benchmarks import DisagreementError, Row, interleaved, ratio

REGION: Final = "cn-hangzhou"
CONNECTION: Final = "vco-1"
LIMITS: Final = {"DescribeVpnConnection": (10**9, 1.0)}
TOGETHER: Final = 32


def serve(pipe: Any) -> None:
    """Serve one connection until something comes through the pipe."""
    from vcokit.simulator import Connection, Simulator

    with Simulator([Connection(CONNECTION)], limits=LIMITS) as cloud:
        pipe.send((cloud.endpoint, cloud.credentials))
        pipe.recv()


@contextmanager
def simulator() -> Iterator[Any]:
    """Start a simulator in a process of its own; yield what `vcokit.connect` takes."""
    # Spawned, for a fork would share this process's garbage collector state and sockets.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    try:
        endpoint, credentials = ours.recv()
        yield SimpleNamespace(endpoint=endpoint, credentials=credentials, speed=1.0, limits=LIMITS)
    finally:
        ours.send(None)
        process.join(10)


def official(cloud: Any) -> Callable[[], str]:
    """Return one call by the official SDK."""
    client = Official(
        Config(
            endpoint=cloud.endpoint.removeprefix("http://"),
            protocol="http",
            region_id=REGION,
            access_key_id=cloud.credentials.access_key_id,
            access_key_secret=cloud.credentials.access_key_secret,
        )
    )
    asked = {"region_id": REGION, "vpn_connection_id": CONNECTION}
    request = models.DescribeVpnConnectionRequest(**asked)
    return lambda: str(client.describe_vpn_connection(request).body.state)


def rows(calls: int, rounds: int) -> Iterator[Row]:
    """Yield the rows of the table.

    Raises
    ------
    DisagreementError
        If client and SDK do not read the same state.
    """
    with simulator() as cloud, vk.connect(cloud, region=REGION) as client:
        sdk = official(cloud)

        def ours() -> str:
            return str(client.describe_vpn_connection(vpn_connection_id=CONNECTION)["State"])

        compare(ours(), sdk())
        with ThreadPoolExecutor(TOGETHER) as pool:
            contenders = {
                "one": lambda: [ours() for _ in range(calls)],
                "sdk, one": lambda: [sdk() for _ in range(calls)],
                "many": lambda: list(pool.map(lambda _: ours(), range(calls))),
                "sdk, many": lambda: list(pool.map(lambda _: sdk(), range(calls))),
            }
            for call in contenders.values():
                call()
            found = interleaved(contenders, rounds)
    for question, mine, theirs, how in (
        ("calls, one after another", "one", "sdk, one", "official SDK"),
        (f"calls, {TOGETHER} at a time", "many", "sdk, many", f"official SDK, {TOGETHER} threads"),
    ):
        rates = [f"{calls / median(found[name]):,.0f} per s" for name in (mine, theirs)]
        yield Row(question, rates[0], how, rates[1], ratio(found[mine], found[theirs]))


def compare(ours: str, theirs: str) -> None:
    """Raise where the two do not read the same state."""
    if not ours == theirs == "attached":
        raise DisagreementError(f"calls: vcokit reads {ours!r}, the official SDK {theirs!r}")
