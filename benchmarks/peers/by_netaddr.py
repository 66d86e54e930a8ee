"""netaddr, an object a row: https://netaddr.readthedocs.io.

Where a case is about objects that are made already, sets and dicts are keyed by numbers, which
takes half the time; the loop over a CSV is the one that scripts have, and
`benchmarks.peers.by_netaddr_numbers` is that loop tuned.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final

import netaddr
import numpy as np
import pandas as pd

from benchmarks.contest import Answer, Entry, Prepare, positions, prefixes
from benchmarks.given import Given

_NOT_READ: Final = (netaddr.AddrFormatError, ValueError)


def _parse(given: Given) -> Entry:
    cells = given.text.fillna("").tolist()
    return Entry(lambda: _networks(cells), _reads)


def _networks(cells: list[str]) -> list[netaddr.IPNetwork | None]:
    found: list[netaddr.IPNetwork | None] = []
    for cell in cells:
        try:
            found.append(netaddr.IPNetwork(cell))
        except _NOT_READ:
            found.append(None)
    return found


def _reads(found: list[netaddr.IPNetwork | None]) -> Answer:
    """Read the objects; IPv6 counts as nothing."""
    packed = [
        one.first << 6 | one.prefixlen if one is not None and one.version == 4 else -1
        for one in found
    ]
    return {"reads": np.array(packed, np.int64)}


def objects(given: Given) -> list[netaddr.IPNetwork]:
    """Return the clean destinations as objects."""
    pairs = zip(given.network.tolist(), given.length.tolist(), strict=True)
    return [netaddr.IPNetwork((network, length), version=4) for network, length in pairs]


def first_of_the_same(keys: Iterable[Hashable]) -> list[int]:
    """Return the position of the first equal key of each, -1 for the first itself."""
    first: dict[Hashable, int] = {}
    found = []
    for row, key in enumerate(keys):
        place = first.setdefault(key, row)
        found.append(-1 if place == row else place)
    return found


def _duplicates(given: Given) -> Entry:
    networks, pairs = objects(given), (given.group // 2).tolist()

    def ask() -> list[int]:
        rows = zip(pairs, networks, strict=True)
        return first_of_the_same((pair, one.value, one.prefixlen) for pair, one in rows)

    return Entry(ask, positions)


def _aggregate(given: Given) -> Entry:
    networks = objects(given)
    return Entry(lambda: netaddr.cidr_merge(networks), _blocks)


def _blocks(found: list[netaddr.IPNetwork]) -> Answer:
    return prefixes([one.first for one in found], [one.prefixlen for one in found])


def _findings(given: Given) -> Entry:
    path = given.csv
    return Entry(lambda: _count_duplicates(path), lambda found: {"duplicates": np.array(found)})


def _count_duplicates(path: Any) -> int:
    """Read a CSV, parse its destinations and count what repeats an earlier route: no more."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    seen: set[tuple[str, netaddr.IPNetwork, str, str]] = set()
    count = 0
    for row in frame.itertuples(index=False):
        try:
            network = netaddr.IPNetwork(row.RouteDest).cidr
        except _NOT_READ:
            continue
        complete = row.RegionId and row.VpnConnectionId and row.NextHop and row.Weight
        if network.version == 4 and network.prefixlen and complete:
            key = (row.VpnConnectionId, network, row.NextHop, row.Weight)
            count += key in seen
            seen.add(key)
    return count


ENTRIES: Final[dict[str, Prepare]] = {
    "parse": _parse,
    "parse-dirty": _parse,
    "duplicates": _duplicates,
    "aggregate": _aggregate,
    "findings": _findings,
}
