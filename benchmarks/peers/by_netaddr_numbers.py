"""netaddr once more, with its objects turned into numbers before they are compared.

Comparing the objects themselves is what scripts do, and takes most of their time; this is the same
loop written by somebody who measured it.
"""

from __future__ import annotations

from typing import Any, Final

import netaddr
import numpy as np
import pandas as pd

from benchmarks.contest import Entry, Prepare
from benchmarks.given import Given

_HEADS: Final = ["RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight"]


def _findings(given: Given) -> Entry:
    path = given.csv
    return Entry(lambda: _count_duplicates(path), lambda found: {"duplicates": np.array(found)})


def _count_duplicates(path: Any) -> int:
    """Read a CSV, parse its destinations and count what repeats an earlier route: no more."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    seen: set[tuple[str, int, int, str, str]] = set()
    count = 0
    rows = zip(*(frame[head].tolist() for head in _HEADS), strict=True)
    for region, connection, cell, hop, weight in rows:
        try:
            network = netaddr.IPNetwork(cell)
        except (netaddr.AddrFormatError, ValueError):
            continue
        if network.version == 4 and network.prefixlen and region and connection and hop and weight:
            key = (connection, network.first, network.prefixlen, hop, weight)
            count += key in seen
            seen.add(key)
    return count


ENTRIES: Final[dict[str, Prepare]] = {"findings": _findings}
