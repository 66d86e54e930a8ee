"""A local server that answers like the cloud. It tests vcokit, so it imports none of its code.

::

    server ──▶ scenario       a cloud from a file, or for an inventory
      ├──────▶ recorded       a cloud that replays a recording
      │
      ├──────▶ auth           who may call: signatures, nonces, dates, permissions
      ▼
    backend ─▶ faults         deliberate failures
      │
      └──────▶ operations     what each operation checks, does and answers
                 └──▶ models, errors      the parts of a cloud; ``vcokit/contract.json``

All modules below `server` are pure: time is an argument, and random numbers come from a seed.
``COVERAGE.md`` lists what is modelled, from which source, and with which confidence.

Examples
--------
>>> from vcokit.simulator import Connection, Simulator
>>> with Simulator([Connection("vco-1")]) as cloud:
...     cloud.endpoint.startswith("http://127.0.0.1:")
True
"""

from __future__ import annotations

from vcokit.simulator.faults import Fault
from vcokit.simulator.models import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    CANARY_ROLE_SECRET,
    CANARY_ROLE_TOKEN,
    Account,
    Connection,
    Credentials,
    LearnedRoute,
    Role,
    Route,
    Switches,
    TunnelFailure,
)
from vcokit.simulator.server import Simulator

__all__ = [
    "CANARY_AUTH_KEY",
    "CANARY_PSK",
    "CANARY_ROLE_SECRET",
    "CANARY_ROLE_TOKEN",
    "Account",
    "Connection",
    "Credentials",
    "Fault",
    "LearnedRoute",
    "Role",
    "Route",
    "Simulator",
    "Switches",
    "TunnelFailure",
]
