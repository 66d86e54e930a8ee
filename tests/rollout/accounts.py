"""What fleets are tried on: one running cloud that serves many accounts, each with its routes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

import vcokit as vk
from vcokit.simulator import Account, Connection, Credentials, Fault, Simulator

SPEED = 600.0


def secret_of(name: str) -> str:
    """Return the secret of an account's AccessKey; a test looks for it."""
    return f"canary-of-{name}-3f9c71"


def connection_of(name: str, lane: int = 0) -> str:
    """Return the id of a connection of an account."""
    return f"vco-{name}x{lane}"


def inventory(name: str, lanes: int = 1, each: int = 2) -> pd.DataFrame:
    """Return the routes of an account."""
    rows = [
        ("cn-hangzhou", connection_of(name, lane), f"10.{lane}.{n}.0/24", 100)
        for lane in range(lanes)
        for n in range(each)
    ]
    columns = ["region_id", "vpn_connection_id", "route_dest", "weight"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(next_hop=found["vpn_connection_id"])


def refusing(name: str, *, count: int | None = None) -> Fault:
    """Return a fault that refuses creates of an account."""
    operation, code = "CreateVcoRouteEntry", "IllegalParam.RouteDest"
    place = connection_of(name)
    return Fault("refuse", operation=operation, vpn_connection_id=place, count=count, code=code)


def connect_to(endpoint: str, speed: float, key: tuple[str, str], **options: Any) -> vk.Client:
    """Connect to a simulator, in any process."""
    cloud = SimpleNamespace(endpoint=endpoint, credentials=Credentials(*key), speed=speed)
    return vk.connect(cloud, **options)


class Accounts:
    """A running cloud with accounts, and how to connect to each."""

    def __init__(
        self,
        names: str | list[str],
        *faults: Fault,
        speed: float = SPEED,
        lanes: int = 1,
        each: int = 2,
        **options: Any,
    ) -> None:
        self.routes = {name: inventory(name, lanes, each) for name in names}
        self.keys = {name: (f"key-of-{name}", secret_of(name)) for name in names}
        self.cloud = Simulator(
            [
                Connection(connection_of(name, lane), account_id=name)
                for name in names
                for lane in range(lanes)
            ],
            accounts=[Account(name, *key) for name, key in self.keys.items()],
            speed=speed,
            faults=faults,
            **options,
        )

    def __enter__(self) -> Accounts:
        self.cloud.start()
        self.clients = {
            name: partial(connect_to, self.cloud.endpoint, self.cloud.speed, key)
            for name, key in self.keys.items()
        }
        return self

    def __exit__(self, *_: object) -> None:
        self.cloud.stop()

    def plans(self) -> dict[str, vk.Plan]:
        """Return a fresh plan a member."""
        plans = {}
        for name, connect in self.clients.items():
            with connect() as client:
                live = vk.live_routes(client, self.routes[name])
            plans[name] = vk.plan_routes(self.routes[name], live)
        return plans

    def fleet(self, directory: Path, **options: Any) -> vk.Fleet:
        """Return a fleet of fresh plans."""
        return vk.Fleet(self.plans(), self.clients, directory=directory, **options)

    def creations(self) -> dict[str, int]:
        """Return how many routes were created in each account, by the simulator's own history."""
        calls = self.cloud.calls()
        made = calls[(calls["operation"] == "CreateVcoRouteEntry") & calls["changed"]]
        assert not made.duplicated(["account_id", "client_token"]).any()
        return {name: int((made["account_id"] == name).sum()) for name in self.routes}
