"""The peers: other programs, each asked in the way that suits it best.

============  ==============================================================================
netaddr       objects, a row at a time: what network scripts use
netaddr*      the same with objects turned into numbers first, where that changes the time
ipaddress     the standard library's objects, likewise
pytricia      a Patricia trie in C
Polars        frames in Rust, with the plugin polars-iptools
DuckDB        SQL on two threads, with the extension inet
iprange       a C program that merges prefixes, files in and out
pandas        `read_csv` with pyarrow: reading alone, the floor of anything that reads a CSV
============  ==============================================================================

A cell of the tables stays empty where a peer has no way to answer, or none that ends: nothing is
written for a peer that it does not have.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.contest import OURS, Prepare

_EXTRA: Final = "pip install 'vcokit[bench]'"


@dataclass(frozen=True)
class Peer:
    """A program that answers cases.

    Parameters
    ----------
    name : str
    module : str
        The module of this project that asks it, with a mapping ``ENTRIES`` by case.
    needs : tuple of str
        Modules that must be there.
    program : str
        What must be on the PATH, if anything.
    remedy : str
        How to get it.
    """

    name: str
    module: str
    needs: tuple[str, ...] = ()
    program: str = ""
    remedy: str = _EXTRA

    @property
    def missing(self) -> str:
        """What is not there, and how to get it; empty where all is."""
        absent = [name for name in self.needs if not _has_module(name)]
        if self.program and not shutil.which(self.program):
            absent.append(self.program)
        return f"{self.name}: no {', '.join(absent)} here; {self.remedy}" if absent else ""

    @property
    def entries(self) -> Mapping[str, Prepare]:
        """How it answers, by case; loads it."""
        return importlib.import_module(self.module).ENTRIES


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


PEERS: Final = (
    Peer("netaddr", "benchmarks.peers.by_netaddr", ("netaddr",)),
    Peer("netaddr*", "benchmarks.peers.by_netaddr_numbers", ("netaddr",)),
    Peer("ipaddress", "benchmarks.peers.by_ipaddress"),
    Peer("pytricia", "benchmarks.peers.by_pytricia", ("pytricia",)),
    Peer("Polars", "benchmarks.peers.by_polars", ("polars", "polars_iptools")),
    Peer("DuckDB", "benchmarks.peers.by_duckdb", ("duckdb", "duckdb_extension_inet")),
    Peer(
        "iprange",
        "benchmarks.peers.by_iprange",
        program="iprange",
        remedy="apt-get install iprange",
    ),
    Peer("pandas", "benchmarks.peers.by_pandas", ("pandas",)),
)
VCOKIT: Final = Peer(OURS, "benchmarks.ours")
BY_NAME: Final = {peer.name: peer for peer in (VCOKIT, *PEERS)}
