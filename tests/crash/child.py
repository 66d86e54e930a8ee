"""The process that is killed: starts or resumes the rollout of an inventory against a simulator."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

import vcokit as vk


class Keys(NamedTuple):
    """What signs."""

    access_key_id: str
    access_key_secret: str


@dataclass
class Cloud:
    """The simulator of another process, as `connect` takes it."""

    endpoint: str
    credentials: Keys
    speed: float


def main() -> None:
    """Run with: verb, endpoint, key id, secret, speed, journal, inventory."""
    verb, endpoint, key, secret, speed, journal, inventory = sys.argv[1:]
    client = vk.connect(Cloud(endpoint, Keys(key, secret), float(speed)))
    if verb == "resume":
        rollout = vk.Rollout.open(journal, client)
    else:
        routes = vk.read_routes(inventory)
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        rollout = vk.Rollout(plan, client, journal=journal)
    rollout.start().wait().raise_on_error()


if __name__ == "__main__":
    main()
