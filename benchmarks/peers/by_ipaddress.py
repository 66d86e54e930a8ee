"""ipaddress, the standard library's objects, one a row."""

from __future__ import annotations

import ipaddress
from typing import Final

import numpy as np

from benchmarks.contest import Answer, Entry, Prepare, positions, prefixes
from benchmarks.given import Given
from benchmarks.peers.by_netaddr import first_of_the_same


def _parse(given: Given) -> Entry:
    cells = given.text.fillna("").tolist()
    return Entry(lambda: _networks(cells), _reads)


def _networks(cells: list[str]) -> list[ipaddress.IPv4Network | None]:
    found: list[ipaddress.IPv4Network | None] = []
    for cell in cells:
        try:
            found.append(ipaddress.IPv4Network(cell, strict=False))
        except ValueError:
            found.append(None)
    return found


def _reads(found: list[ipaddress.IPv4Network | None]) -> Answer:
    packed = [
        int(one.network_address) << 6 | one.prefixlen if one is not None else -1 for one in found
    ]
    return {"reads": np.array(packed, np.int64)}


def _objects(given: Given) -> list[ipaddress.IPv4Network]:
    pairs = zip(given.network.tolist(), given.length.tolist(), strict=True)
    return [ipaddress.IPv4Network(pair) for pair in pairs]


def _duplicates(given: Given) -> Entry:
    networks, pairs = _objects(given), (given.group // 2).tolist()

    def ask() -> list[int]:
        rows = zip(pairs, networks, strict=True)
        return first_of_the_same(
            (pair, int(one.network_address), one.prefixlen) for pair, one in rows
        )

    return Entry(ask, positions)


def _aggregate(given: Given) -> Entry:
    networks = _objects(given)
    return Entry(lambda: list(ipaddress.collapse_addresses(networks)), _blocks)


def _blocks(found: list[ipaddress.IPv4Network]) -> Answer:
    return prefixes([int(one[0]) for one in found], [one.prefixlen for one in found])


ENTRIES: Final[dict[str, Prepare]] = {
    "parse": _parse,
    "parse-dirty": _parse,
    "duplicates": _duplicates,
    "aggregate": _aggregate,
}
