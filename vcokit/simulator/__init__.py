"""A local server that answers as the cloud does. Imports no code of vcokit's: it is the judge.

::

    server ──▶ scenario       a cloud from a file, or for an inventory
      ├──────▶ recorded       a cloud that plays a recording again
      │
      ├──────▶ auth           who may call: signatures, nonces, dates, permissions
      ▼
    backend ─▶ faults         what goes wrong on purpose
      │
      └──────▶ operations     what each operation checks, does and answers
                 └──▶ models, errors      what a cloud consists of; ``vcokit/contract.json``

Below `server` all is pure: time is an argument, chance comes from a seed. ``COVERAGE.md`` says what
is modelled, from which source, with which confidence.

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
    Account,
    Connection,
    Credentials,
    LearnedRoute,
    Route,
    Switches,
    TunnelFailure,
)
from vcokit.simulator.server import Simulator

__all__ = [
    "CANARY_AUTH_KEY",
    "CANARY_PSK",
    "Account",
    "Connection",
    "Credentials",
    "Fault",
    "LearnedRoute",
    "Route",
    "Simulator",
    "Switches",
    "TunnelFailure",
]
