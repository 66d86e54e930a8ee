"""The one place of each default of the simulator.

Seconds are simulated seconds unless a comment says wall time: the simulator may live faster than
the clock on the wall, but signatures are dated by the clock on the wall.
"""

from __future__ import annotations

from typing import Final

#: A simulator lives as fast as the cloud …
SPEED: Final = 1.0
#: … but one that is made for an inventory is for trying things out: a minute passes in a second.
INVENTORY_SPEED: Final = 60.0
SEED: Final = 0

#: Shortest and longest time a background task takes.
TASK_SECONDS: Final = (2.0, 5.0)
#: Destination routes of one connection; the vendor's number is not known, accounts can raise it.
QUOTA: Final = 50
#: How long a ClientToken is remembered; not documented.
TOKEN_LIFETIME: Final = 24 * 3600.0
#: What a fault asks a throttled client to wait, or how late (wall time) it makes an answer.
FAULT_SECONDS: Final = 1.0
#: Epoch seconds of simulated second 0 where nobody says otherwise (2026-01-01T00:00:00Z).
EPOCH: Final = 1_767_225_600.0

#: How far the date of a request may be from the wall, either way (wall time).
TIMESTAMP_TOLERANCE: Final = 900

HOST: Final = "127.0.0.1"
#: 0: any free port.
PORT: Final = 0
#: Bytes of a request's body that are read; no operation needs any.
MAX_BODY: Final = 1 << 16
#: How long a client may take over sending its body (wall time).
BODY_SECONDS: Final = 10.0
#: How long an idle connection is kept, so that clients do not run into its end (wall time).
KEEP_ALIVE_SECONDS: Final = 75
#: How long a start or stop may take before it is called failed (wall time).
PATIENCE_SECONDS: Final = 10.0

REGION: Final = "cn-hangzhou"
ACCOUNT_ID: Final = "1000000000000001"
ACCESS_KEY_ID: Final = "simulator-access-key-id"
ACCESS_KEY_SECRET: Final = "simulator-access-key-secret"  # noqa: S105 - opens nothing

#: Secrets that the cloud puts into its answers, and that no client may show or store.
CANARY_PSK: Final = "canary-psk-5e0d1c7b"
CANARY_AUTH_KEY: Final = "canary-auth-key-93fa26d8"
