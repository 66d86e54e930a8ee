"""A local server that answers as the cloud does. Imports nothing else of vcokit: it is the judge.

::

    server ──▶ wire            a real HTTP server on a loopback address
      │ └────▶ scenario        a cloud written down in TOML
      ▼
    service ──▶ gateway ──▶ claims ──▶ signature, signature_v1
      │            │           who is let in, in which order; both schemes
      │            └──────▶ accounts ──▶ policy
      ├───────▶ envelope       how an answer is written: JSON, XML
      ▼
    state ──▶ faults           what goes wrong on purpose
      ├─────▶ limits           how often
      ├─────▶ tokens           which answer again
      ├─────▶ checks           in which order a write is refused
      ├─────▶ effects          what an accepted write does
      ├─────▶ listings         what a read shows (described, tags)
      └─────▶ sites            a connection, its routes, its task

`facts`, `codes` and `regions` hold what the vendor documents, `switches` what it leaves open,
`defaults` every default, `model` and `durations` the things a cloud is built from, `seeding` makes
one for an inventory. ``COVERAGE.md`` says what is modelled, from which source, with which
confidence. Below `server` all is pure: time is an argument, chance comes from a seed.

Examples
--------
>>> from vcokit.simulator import Connection, Simulator
>>> with Simulator([Connection("vco-1")]) as cloud:
...     cloud.endpoint.startswith("http://127.0.0.1:")
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vcokit.simulator.accounts import Account, Credentials
from vcokit.simulator.defaults import CANARY_AUTH_KEY, CANARY_PSK
from vcokit.simulator.faults import Fault
from vcokit.simulator.model import Connection, LearnedRoute, Route
from vcokit.simulator.switches import Switches

if TYPE_CHECKING:
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
]


def __getattr__(name: str) -> Any:
    # The server needs uvicorn, the state behind it does not: who plays against the state alone
    # in virtual time shall not wait for the import.
    if name == "Simulator":
        from vcokit.simulator.server import Simulator

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
