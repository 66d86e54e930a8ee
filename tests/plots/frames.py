"""Frames to draw: routes, steps and calls written by hand, and one of each that is hostile."""

from __future__ import annotations

import pandas as pd

from vcokit import schema

A, B, C = "vco-a", "vco-b", "vco-c"
START = pd.Timestamp("2026-01-01", tz="UTC")

#: Names that would be mathematics, markup, control signs, or a legend's secret; and one too long.
HOSTILE = (
    r"$\frac{1}{",
    "$x_{$",
    "<script>alert(1)</script>",
    "_hidden",
    "a\x1b[31m\x00\n\u202eb",
    "中文\ue000😀",
    "x" * 5000,
    "50 % {0} \\",
)


def routes(*rows: tuple) -> pd.DataFrame:
    """Return routes; a row is (connection, destination, weight[, region])."""
    table = {
        "region_id": [row[3] if len(row) > 3 else "r" for row in rows],
        "vpn_connection_id": [row[0] for row in rows],
        "route_dest": [row[1] for row in rows],
        "next_hop": [row[0] for row in rows],
        "weight": [row[2] for row in rows],
    }
    return schema.conform_routes(pd.DataFrame(table))


def at(second: float | None) -> pd.Timestamp:
    """Return a moment after the start; NaT for None."""
    return pd.NaT if second is None else START + pd.Timedelta(seconds=second)


def steps(*rows: tuple) -> pd.DataFrame:
    """Return steps; a row is (state, sent, accepted, settled, ended[, connection])."""
    stamps = ["sent_at", "accepted_at", "settled_at", "ended_at"]
    columns: dict[str, object] = {
        "action": ["create"] * len(rows),
        "state": [row[0] for row in rows],
        "vpn_connection_id": [row[5] if len(row) > 5 else A for row in rows],
        "region_id": ["r"] * len(rows),
    }
    for place, name in enumerate(stamps, start=1):
        columns[name] = pd.Series([at(row[place]) for row in rows], dtype=schema.TIME)
    return schema.frame(schema.STEPS, columns)


def calls(*rows: tuple) -> pd.DataFrame:
    """Return calls; a row is (operation, seconds or None, outcome[, sent, connection])."""
    columns = {
        "operation": [row[0] for row in rows],
        "seconds": [row[1] for row in rows],
        "outcome": [row[2] for row in rows],
        "sent_at": pd.Series(
            [at(row[3] if len(row) > 3 else 0) for row in rows], dtype=schema.TIME
        ),
        "vpn_connection_id": [row[4] if len(row) > 4 else A for row in rows],
    }
    return schema.frame(schema.CALLS, columns)


def findings(*rows: tuple) -> pd.DataFrame:
    """Return findings; a row is (row, rule, severity)."""
    names = ("row", "rule", "severity")
    return schema.frame(
        schema.FINDINGS, {name: [row[place] for row in rows] for place, name in enumerate(names)}
    )


STEPS = steps(
    ("done", 0, 1, 4, 5),
    ("done", 2, 3, 5, 5, B),
    ("failed", 3, None, None, 4, C),
    ("unknown", 4, None, None, None, C),
    ("pending", None, None, None, None),
    ("skipped", None, None, None, 6, B),
)
