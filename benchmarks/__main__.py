"""Times reading prefixes and auditing inventories beside plain loops over netaddr and ipaddress.

Every pair runs in turn in this one process, so that a slow moment of the machine strikes both;
the median of the rounds is printed, as a ratio. Answers are compared before anything is timed.

    python -m benchmarks [--rows 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import ipaddress
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import netaddr
import pandas as pd

import vcokit as vk
from vcokit.cidr.parse import parse

SEED = 20261123


def inventory(rows: int, seed: int = SEED) -> pd.DataFrame:
    """Return a seeded inventory: 40 routes a connection, 3 % of them dirty, some nested."""
    rng = random.Random(seed)
    names = [f"vco-{n:07x}" for n in range(max(1, rows // 40))]
    cells = []
    for _ in range(rows):
        length = rng.choice([12, 16, 20, 22, 23, 24, 24, 24, 26, 28])
        start = rng.randrange(0x0B000000, 0x63000000) >> (32 - length) << (32 - length)
        text = f"{ipaddress.IPv4Address(start)}/{length}"
        if rng.random() < 0.03:
            text = rng.choice([text[:-3], text.replace(".", ",", 1), f"{text}0", "headquarters"])
        name = rng.choice(names)
        cells.append(("cn-hangzhou", name, text, name, rng.choice([0, 100])))
    return pd.DataFrame(cells, columns=list(vk.read_routes(HEAD).columns[:5]))


HEAD = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight\n"


def by_netaddr(column: pd.Series) -> list[tuple[int, int] | None]:
    """Parse a column with netaddr, a cell at a time, as scripts do."""
    result: list[tuple[int, int] | None] = []
    for cell in column:
        try:
            network = netaddr.IPNetwork(cell)
            result.append((network.first, network.prefixlen) if "/" in cell else None)
        except (netaddr.AddrFormatError, ValueError):
            result.append(None)
    return result


def by_ipaddress(column: pd.Series) -> list[tuple[int, int] | None]:
    """Parse a column with the standard library, a cell at a time."""
    result: list[tuple[int, int] | None] = []
    for cell in column:
        try:
            network = ipaddress.IPv4Network(cell, strict=False)
            inside = (int(network.network_address), network.prefixlen)
            result.append(inside if "/" in cell else None)
        except ValueError:
            result.append(None)
    return result


def by_vcokit(column: pd.Series) -> list[tuple[int, int] | None]:
    """Parse a column as a whole, and list it for the comparison."""
    found = parse(column)
    pairs = zip(found.network.tolist(), found.length.tolist(), strict=True)
    return [pair if pair[1] <= 32 else None for pair in pairs]


def duplicates_by_netaddr(path: Path) -> int:
    """Read a CSV, parse it and count duplicates: the loop that an audit replaces."""
    frame = pd.read_csv(path, dtype=str)
    seen: set[tuple] = set()
    count = 0
    for connection, weight, network in zip(
        frame["VpnConnectionId"], frame["Weight"], by_netaddr(frame["RouteDest"]), strict=True
    ):
        key = (connection, weight, network)
        count += key in seen
        seen.add(key)
    return count


def ratio(rounds: int, ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, ...]:
    """Return median seconds of ours, of the peer, and the median of their ratios."""
    times = []
    for _ in range(rounds):
        pair = []
        for call in (ours, peer):
            begin = time.perf_counter()
            call()
            pair.append(time.perf_counter() - begin)
        times.append(pair)
    own, other = zip(*times, strict=True)
    ratios = [peer / mine for mine, peer in times]
    return statistics.median(own), statistics.median(other), statistics.median(ratios)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    frame = inventory(chosen.rows)
    column = frame["route_dest"].astype("str")
    if not by_vcokit(column) == by_netaddr(column) == by_ipaddress(column):
        raise SystemExit("the answers differ, so their times mean nothing")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "routes.csv"
        vk.write_routes(frame, path)
        cases = [
            ("parse", "netaddr", lambda: parse(column), lambda: by_netaddr(column)),
            ("parse", "ipaddress", lambda: parse(column), lambda: by_ipaddress(column)),
            (
                "CSV to findings",
                "netaddr loop: parse, duplicates",
                lambda: vk.audit_routes(vk.read_routes(path)),
                lambda: duplicates_by_netaddr(path),
            ),
            (
                "CSV to findings",
                "pandas.read_csv(engine='pyarrow')",
                lambda: vk.audit_routes(vk.read_routes(path)),
                lambda: pd.read_csv(path, engine="pyarrow"),
            ),
        ]
        print(f"{chosen.rows:,} rows, median of {chosen.rounds} rounds")
        print(f"{'what':<16} {'peer':<34} {'ours, s':>9} {'peer, s':>9} {'faster':>8}")
        for what, peer, ours, theirs in cases:
            own, other, times = ratio(chosen.rounds, ours, theirs)
            print(f"{what:<16} {peer:<34} {own:>9.3f} {other:>9.3f} {times:>7.1f}x")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB, peers and their answers included")


if __name__ == "__main__":
    main()
