"""Reads keep to the limits by themselves, by a clock that only waiting and calls move on."""

from __future__ import annotations

import threading
from collections import deque

import httpx
import pandas as pd
import pytest

from vcokit import errors
from vcokit.cloud.client import Client
from vcokit.cloud.connect import Target
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.live import live_routes

LIST = "DescribeVcoRouteEntries"
TRIP = 0.05
KEY = Credentials("LTAIexample", "any-secret")


class Clock:
    """Seconds that pass only where somebody waits; waits side by side pass together."""

    def __init__(self) -> None:
        self._now, self._lock = 0.0, threading.Lock()
        self.waits: list[float] = []

    def now(self) -> float:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.waits.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        until = self._now + seconds
        with self._lock:
            self._now = max(self._now, until)


class Metered(httpx.BaseTransport):
    """A cloud that lists one route of each connection, and so many calls in sixty seconds.

    Parameters
    ----------
    clock : Clock
    calls : int
        Its true limit, whatever the client was told.
    header : str
        What it asks for when that is too much; empty for nothing.
    """

    def __init__(self, clock: Clock, calls: int, header: str = "") -> None:
        self._clock, self._calls, self._header = clock, calls, header
        self._taken: dict[str, deque[float]] = {}
        self._lock = threading.Lock()
        self.refused: list[float] = []
        self.interrupts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; the call is counted halfway."""
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        self._clock.pass_by(TRIP / 2)
        with self._lock:
            reply = self._answer(request.url.params, self._clock.now())
        self._clock.pass_by(TRIP / 2)
        return reply

    def take(self, region: str, now: float) -> bool:
        """Count a call, of this client or of somebody else; tell whether there was room."""
        taken = self._taken.setdefault(region, deque())
        while taken and taken[0] <= now - 60.0:
            taken.popleft()
        if len(taken) >= self._calls:
            return False
        taken.append(now)
        return True

    def _answer(self, asked: httpx.QueryParams, now: float) -> httpx.Response:
        if not self.take(asked["RegionId"], now):
            self.refused.append(now)
            body = {"Code": "Throttling.User", "Message": "Too many.", "RequestId": "R-1"}
            headers = {"x-acs-retry-after": self._header} if self._header else {}
            return httpx.Response(400, headers=headers, json=body)
        name = asked["VpnConnectionId"]
        row = {"RouteDest": "10.0.0.0/8", "NextHop": name, "Weight": 0, "VpnConnectionId": name}
        body = {"RequestId": "R-1", "TotalCount": 1, "VcoRouteEntries": [row]}
        return httpx.Response(200, json=body)


def client_of(cloud: Metered, clock: Clock, told: int = 20, share: float = 1.0) -> Client:
    """Return a client that was told a limit, and whose reads may use all of it."""
    limits = {name: Limit(told, 60.0) for name in OPERATIONS}
    target = Target(lambda: KEY, region="r", limits=limits, read_share=share, transport=cloud)
    return Client(target, sleep=clock.sleep, now=clock.now)


def rows(count: int, *regions: str) -> pd.DataFrame:
    """Return routes of so many connections in each region."""
    pairs = [(region, f"vco-{region}{n}") for region in regions or ("r",) for n in range(count)]
    return pd.DataFrame(pairs, columns=["region_id", "vpn_connection_id"])


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_more_connections_than_the_limit_allows(workers: int, share: float) -> None:
    """They are all listed, none is refused, and as fast as the share of the limit allows."""
    clock = Clock()
    cloud = Metered(clock, 20)
    client = client_of(cloud, clock, share=share)
    assert len(live_routes(client, rows(50), workers=workers)) == 50
    assert cloud.refused == []
    windows = (50 - 1) // int(20 * share)
    assert windows * 60 <= clock.now()
    assert workers > 1 or clock.now() < windows * 60 + 3  # threads move this clock on too far


def test_regions_do_not_wait_for_one_another() -> None:
    """The limit is that of a region: twenty calls in each of three take no minute."""
    clock = Clock()
    cloud = Metered(clock, 20)
    found = live_routes(client_of(cloud, clock), rows(20, "r", "s", "t"), workers=1)
    assert (len(found), clock.waits) == (60, [])


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(("header", "least"), [("", 30.0), ("20000", 20.0)])
def test_a_limit_that_is_lower_than_told(workers: int, header: str, least: float) -> None:
    """A throttled answer makes all wait as asked, or half a window, and go on more slowly."""
    clock = Clock()
    cloud = Metered(clock, 6, header)
    assert len(live_routes(client_of(cloud, clock), rows(40), workers=workers)) == 40
    assert cloud.refused
    assert len(cloud.refused) < 4 * workers
    first = cloud.refused[0]
    assert not [at for at in cloud.refused if first + 1 < at < first + least]


def test_what_somebody_else_has_taken() -> None:
    """Calls of a program that ended a moment ago cost a wait, not the list."""
    clock = Clock()
    cloud = Metered(clock, 20)
    assert all(cloud.take("r", 0.0) for _ in range(20))
    assert len(live_routes(client_of(cloud, clock), rows(20), workers=4)) == 20


def test_a_cloud_that_always_refuses_is_an_error() -> None:
    """After its attempts a throttled read is raised."""
    clock = Clock()
    with pytest.raises(errors.ThrottledError, match=r"Too many\. Send fewer calls, or wait$"):
        live_routes(client_of(Metered(clock, 0), clock), rows(1))
    assert clock.waits == [30.0] * 4


def test_who_schedules_calls_is_not_paced() -> None:
    """One try at a time is sent at once, for a rollout asks for its turn; other writes wait."""
    clock = Clock()
    client = client_of(Metered(clock, 1000), clock, told=1)
    asked = {"RegionId": "r", "VpnConnectionId": "vco-a"}
    for _ in range(3):
        client.call(OPERATIONS[LIST], asked, attempts=1)
    assert clock.waits == []
    for _ in range(3):
        client.create_vco_route_entry(vpn_connection_id="vco-a", route_dest="10.0.0.0/8", weight=0)
    assert clock.waits == pytest.approx([60.0, 60.0], abs=0.1)


def test_a_read_that_is_broken_off_gives_its_slot_back() -> None:
    """Whoever stops in the middle of a call leaves no slot taken for ever."""
    clock = Clock()
    cloud = Metered(clock, 1000)
    client = client_of(cloud, clock, told=1)
    cloud.interrupts = 1
    with pytest.raises(KeyboardInterrupt):
        client.describe_vco_route_entries(vpn_connection_id="vco-a")
    client.describe_vco_route_entries(vpn_connection_id="vco-a")
    assert clock.now() == pytest.approx(60.0, abs=0.1)
