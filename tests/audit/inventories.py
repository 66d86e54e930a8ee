"""Random inventories with every kind of dirt, few connections and networks, so that rows meet."""

from __future__ import annotations

import random

import pandas as pd

REGIONS = ["cn-a", "cn-b", None]
CONNECTIONS = [
    "vco-a", "vco-b", "vco-c", "vco-d*", "VCO-x", "vco-", "bad", "", None,
    "vco-" + "z" * 60, "vco-" + "z" * 61, "vco-\u212a",
]  # fmt: skip
DESTINATIONS = [
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/24",
    "10.1.2.3/32",
    "100.64.0.0/10",
    "100.64.9.0/24",
    "0.0.0.0/1",
    "0.0.0.0/0",
    "1.2.3.4/0",
    "127.0.0.1/32",
    "224.0.0.0/4",
    "10.0.0.0/08",
    "10.0.0.0",
    "10.0.0.0/255.0.0.0",
    "10.0.0.256/24",
    "１０.0.0.0/8",
    "१०.0.0.0/8",
    " 10.0.0.0/8",
    "10. 0.0.0/8",
    "2001:db8::/32",
    "::/0",
    "2001:db8::1",
    "headquarters",
    "\u3000\u200b",
    None,
]
#: A region is one label of a host name: 63 characters of it are the most there can be.
ODD_REGIONS = [None, "cn_a", "cn-", "CN-A", "cn-ä", "c" * 63, "c" * 64]
#: 6,000 bytes of a request and a few more; what is encoded takes three bytes for one.
ODD_DESCRIPTIONS = [
    "d",
    "d" * 6_000,
    "d" * 6_001,
    "杭" * 666 + "~" * 6,
    "杭" * 666 + "-" * 7,
    "% " * 1_001,
]
CLEAN = 0.7


def random_rows(rng: random.Random, size: int) -> list[dict]:
    """Return rows for the oracle: mostly clean, so that relations are reached."""
    rows = []
    for line in range(size):
        connection = rng.choice(CONNECTIONS[:4] if rng.random() < CLEAN else CONNECTIONS)
        clean_hop = rng.random() < 0.85
        weight, text = random_weight(rng)
        rows.append(
            {
                "region_id": rng.choice(REGIONS[:2] if rng.random() < 0.9 else ODD_REGIONS),
                "vpn_connection_id": connection,
                "description": rng.choice(ODD_DESCRIPTIONS) if rng.random() < 0.05 else None,
                "route_dest": rng.choice(
                    DESTINATIONS[:7] if rng.random() < CLEAN else DESTINATIONS
                ),
                "next_hop": connection if clean_hop else rng.choice(CONNECTIONS),
                "weight": weight,
                "weight_text": text,
                "source": "random.csv",
                "line": line + 2,
            }
        )
    return rows


def random_weight(rng: random.Random) -> tuple[int | None, str | None]:
    """Return a weight and what stands in its cell where it is none."""
    if rng.random() < 0.9:
        return rng.choice([0, 100]), None
    return rng.choice([(50, None), (-1, None), (None, "abc"), (None, "0100"), (None, None)])


def random_live(rng: random.Random, size: int) -> list[dict]:
    """Return live routes on the same connections and networks."""
    return [
        {
            "region_id": "cn-a",
            "vpn_connection_id": (connection := rng.choice(CONNECTIONS[:4])),
            "route_dest": rng.choice(DESTINATIONS[:5]),
            "next_hop": connection if rng.random() < 0.8 else "vco-z",
            "weight": rng.choice([0, 100]),
        }
        for _ in range(size)
    ]


def random_connections(rng: random.Random) -> list[dict]:
    """Return live connections: some missing, some elsewhere, some not attached."""
    return [
        {
            "vpn_connection_id": name,
            "region_id": rng.choice(REGIONS[:2]),
            "state": rng.choice(["attached", "attaching", "detaching", "updating", "init", None]),
            "attach_type": rng.choice(["CEN", "CEN", "VPNGW", None]),
            "transit_router_id": rng.choice(["tr-1", "tr-1", None]),
            "attached": rng.choice([True, False, None]),
        }
        for name in CONNECTIONS[:5]
        if rng.random() < 0.8
    ]


def routes_frame(rows: list[dict]) -> pd.DataFrame:
    """Return rows as a frame such as reading gives."""
    names = [
        "region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "weight_text",
        "source", "line",
    ]  # fmt: skip
    extras = [name for row in rows for name in row if name not in names]
    frame = pd.DataFrame(rows, columns=[*names, *dict.fromkeys(extras)])
    return frame.astype({"weight": "Int64", "line": "Int64"})
