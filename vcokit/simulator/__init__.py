"""A local server that answers as the cloud does. Imports nothing else of vcokit: it is the judge.

::

    server ──▶ wire          a real HTTP server on a loopback address
      │
      ▼
    service ──▶ signature    request in, response out: pure
      │
      ▼
    state ──▶ faults         what goes wrong on purpose
      ├─────▶ limits         how often
      ├─────▶ tokens         which answer again
      ├─────▶ checks         in which order a write is refused
      ├─────▶ effects        what an accepted write does
      ├─────▶ listings       what a read shows
      └─────▶ sites          a connection, its routes, its task

`facts` and `regions` hold what the vendor documents, `defaults` every default, `model` the things
it is built from, `seeding` makes a cloud for an inventory. Below `server` all is pure: time is an
argument, chance comes from a seed.

Examples
--------
>>> from vcokit.simulator import Connection, Simulator
>>> with Simulator([Connection("vco-1")]) as cloud:
...     cloud.endpoint.startswith("http://127.0.0.1:")
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vcokit.simulator.defaults import CANARY_AUTH_KEY, CANARY_PSK
from vcokit.simulator.faults import Fault
from vcokit.simulator.model import Account, Connection, Credentials, Route, Switches

if TYPE_CHECKING:
    from vcokit.simulator.server import Simulator

__all__ = [
    "CANARY_AUTH_KEY",
    "CANARY_PSK",
    "Account",
    "Connection",
    "Credentials",
    "Fault",
    "Route",
    "Simulator",
    "Switches",
]


def __getattr__(name: str) -> Any:
    # The server needs uvicorn, the state behind it does not: who plays against the state alone
    # in virtual time shall not wait for the import.
    if name == "Simulator":
        from vcokit.simulator.server import Simulator

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
