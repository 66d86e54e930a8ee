"""Prefix algebra, beside the programs that do it too; each is asked in the way that suits it best.

A *case* is a question about an inventory; what an entry needs beforehand (objects, a filled table)
is made untimed. Answers are equal to ours, element by element, but for one thing: in an inventory
with mistakes a peer may read a cell that the strict form refuses. That is counted and told. What
such a cell says is known from how it was made, and ours must equal that.

============  ==============================================================================
netaddr       objects, a row at a time: what network scripts use
ipaddress     the standard library's objects, likewise
pytricia      a Patricia trie in C
Polars        frames in Rust, with the plugin polars-iptools
DuckDB        SQL on two threads, with the extension inet
iprange       a C program that merges prefixes, files in and out
pandas        `read_csv` with pyarrow: reading alone, the floor of whoever reads a CSV
============  ==============================================================================
"""

from __future__ import annotations

import importlib.util
import ipaddress
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import netaddr
import numpy as np
import pandas as pd

import vcokit as vk
from benchmarks import DisagreementError, Row, interleaved, ratio
from benchmarks.inventories import KINDS, Inventory, Shape

OURS: Final = "vcokit"
#: What each peer needs, modules or a program, and how to get it.
PEERS: Final = {
    "netaddr": ("netaddr", "pip install netaddr"),
    "ipaddress": ("ipaddress", ""),
    "pytricia": ("pytricia", "pip install 'vcokit[bench]'"),
    "Polars": ("polars polars_iptools", "pip install 'vcokit[bench]'"),
    "DuckDB": ("duckdb duckdb_extension_inet", "pip install 'vcokit[bench]'"),
    "iprange": ("!iprange", "apt-get install iprange"),
    "pandas": ("pandas", ""),
}


class Given(NamedTuple):
    """What the cases are asked about: an inventory, addresses, and a folder for files."""

    inventory: Inventory
    addresses: np.ndarray
    folder: Path

    @property
    def texts(self) -> list[str]:
        """The addresses, written out."""
        return [str(ipaddress.IPv4Address(int(one))) for one in self.addresses]

    @property
    def column(self) -> pd.Series:
        """The destinations as the file has them."""
        return pd.Series(self.inventory.text, dtype="str")

    @property
    def prefixes(self) -> pd.Series:
        """The destinations before anything was spoilt, as a column of prefixes."""
        return pd.Series(self.inventory.clean, dtype="cidr")

    @property
    def csv(self) -> Path:
        """The file of the inventory."""
        return self.inventory.write(self.folder / "routes.csv")

    @property
    def lines(self) -> Path:
        """A file of the clean destinations, one a line."""
        path = self.folder / "prefixes.txt"
        path.write_text("\n".join(self.inventory.clean) + "\n", encoding="ascii")
        return path


class Entry(NamedTuple):
    """A program's way to answer: `call` is timed, `read` makes numbers of its result."""

    call: Callable[[], Any]
    read: Callable[[Any], Any] = np.asarray


Prepare = Callable[[Given], Entry]


def missing(peer: str) -> str:
    """Return what a peer lacks here and how to get it; empty where it is there."""
    needs, remedy = PEERS[peer]
    absent = [
        name.removeprefix("!")
        for name in needs.split()
        if not (shutil.which(name[1:]) if name[0] == "!" else importlib.util.find_spec(name))
    ]
    return f"{peer} is left out: no {', '.join(absent)} here; {remedy}" if absent else ""


# -- how answers read as numbers --------------------------------------------------------------


def _packed(network: Any, length: Any) -> np.ndarray:
    return np.asarray(network, np.int64) << 6 | np.asarray(length, np.int64)


def _column(found: pd.Series) -> np.ndarray:
    """Read a column of prefixes, -1 where there is none."""
    packed = _packed(found.cidr.network.fillna(0), found.cidr.prefix_length.fillna(0))
    return np.where(found.notna(), packed, -1)


def _objects(found: Iterable[Any]) -> np.ndarray:
    """Read objects of netaddr or ipaddress; IPv6 and None are no prefix."""
    return np.array(
        [
            int(one[0]) << 6 | one.prefixlen if one is not None and one.version == 4 else -1
            for one in found
        ],
        np.int64,
    )


def _sorted(found: Iterable[Any]) -> np.ndarray:
    """Read a set of objects."""
    return np.sort(_objects(found))


def _collapsed(networks: list[ipaddress.IPv4Network]) -> list[ipaddress.IPv4Network]:
    return list(ipaddress.collapse_addresses(networks))


def _set(text: str) -> np.ndarray:
    """Read a set of prefixes, one a line; a bare address is a /32."""
    lines = (line if "/" in line else f"{line}/32" for line in text.split())
    return _sorted(map(ipaddress.IPv4Network, lines))


# -- the entries ------------------------------------------------------------------------------


def _each(make: Callable[[str], Any]) -> Prepare:
    """Return an entry that makes an object of each cell."""

    def one(cell: str) -> Any:
        try:
            return make(cell)
        except (netaddr.AddrFormatError, ValueError):
            return None

    return lambda given: Entry(
        lambda cells=given.inventory.text: [one(cell) for cell in cells], _objects
    )


def _netaddr_findings(path: Path) -> dict[str, int]:
    """Read a CSV, parse its destinations and count what repeats an earlier route: no more."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    heads = ["RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight"]
    seen, count = set(), 0
    for region, connection, cell, hop, weight in zip(*(frame[h].tolist() for h in heads)):  # noqa: B905
        try:
            network = netaddr.IPNetwork(cell)
        except (netaddr.AddrFormatError, ValueError):
            continue
        if network.version == 4 and network.prefixlen and region and connection and hop and weight:
            # The numbers, not the object: comparing objects takes twice the time.
            key = (connection, network.first, network.prefixlen, hop, weight)
            count += key in seen
            seen.add(key)
    return {"rows": len(frame), "duplicates": count}


def _read_and_audit(path: Path) -> dict[str, int]:
    routes = vk.read_routes(path)
    findings = vk.audit_routes(routes)
    return {"rows": len(routes), "duplicates": int((findings["rule"] == "duplicate").sum())}


def _tries(keys: list[str], groups: list[int]) -> dict[int, Any]:
    """Fill a trie per group, from last to first: of equal prefixes a trie keeps the last put in."""
    import pytricia

    tries = {group: pytricia.PyTricia(32) for group in groups}
    for row in range(len(keys) - 1, -1, -1):
        tries[groups[row]][keys[row]] = row
    return tries


def _parents(given: Given, groups: list[int]) -> Entry:
    """Ask pytricia for the closest cover of each prefix."""
    keys = given.inventory.clean

    def ask() -> list[int]:
        tries, found = _tries(keys, groups), []
        for key, group in zip(keys, groups, strict=True):
            parent = tries[group].parent(key)
            found.append(-1 if parent is None else tries[group][parent])
        return found

    return Entry(ask)


def _lookups(given: Given, addresses: list[Any]) -> Entry:
    """Ask pytricia for the longest match of each address, from an empty trie on."""
    keys = given.inventory.clean
    groups = [0] * len(keys)
    return Entry(lambda: [*map(_tries(keys, groups)[0].get, addresses, [-1] * len(addresses))])


def _polars_parse(given: Given) -> Entry:
    """Let the plugin read the address, and Polars the length: it has no type for a prefix."""
    import polars as pl
    import polars_iptools as ip

    frame = pl.DataFrame({"text": given.inventory.text})
    part = pl.col("text").str.split_exact("/", 1).struct
    read = pl.struct(
        ip.ipv4_to_numeric(part.field("field_0")).alias("address"),
        part.field("field_1").cast(pl.UInt8, strict=False).alias("length"),
    )
    masks = np.array([0xFFFFFFFF << (32 - n) & 0xFFFFFFFF for n in range(33)], np.int64)

    def numbers(found: Any) -> np.ndarray:
        pair = found["prefix"].struct.unnest().select(pl.all().cast(pl.Int64).fill_null(-1))
        address, length = pair["address"].to_numpy(), pair["length"].to_numpy()
        valid = (length >= 0) & (length <= 32) & (address >= 0)
        return np.where(valid, _packed(address & masks[np.where(valid, length, 0)], length), -1)

    return Entry(lambda: frame.select(read.alias("prefix")), numbers)


def _duckdb(given: Given) -> Any:
    """Open a session with two threads, the extension from its package, and the cells."""
    import duckdb
    import duckdb_extension_inet

    home = Path(duckdb_extension_inet.__file__).parent
    file = home / "extensions" / f"v{duckdb.__version__}" / "inet.duckdb_extension"
    session = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
    session.execute(f"LOAD '{file}'")
    inventory = given.inventory
    cells = {"cell": inventory.text, "clean": inventory.clean, "bits": inventory.length}
    frame = pd.DataFrame(cells | {"grp": inventory.connection, "row": range(len(inventory.text))})
    session.register("cells", frame)
    session.execute(
        "CREATE TABLE given AS SELECT row, grp, bits, clean::INET AS net, cell FROM cells"
    )
    return session


def _duckdb_parse(given: Given) -> Entry:
    session = _duckdb(given)
    make = "CREATE OR REPLACE TABLE found AS SELECT try_cast(cell AS INET) AS net FROM given"

    def numbers(_: Any) -> np.ndarray:
        read = session.execute("SELECT network(net)::VARCHAR FROM found").fetchall()
        return _objects(ipaddress.ip_network(text) if text else None for (text,) in read)

    return Entry(lambda: session.execute(make), numbers)


def _duckdb_covers(given: Given) -> Entry:
    """Ask by a join of each connection's prefixes with one another: there is no index for it."""
    session, rows = _duckdb(given), len(given.inventory.text)
    ask = """CREATE OR REPLACE TABLE found AS
        SELECT i.row AS row, arg_max(o.row, o.bits * 4294967296 - o.row) AS cover
        FROM given AS i JOIN given AS o
        ON i.grp = o.grp AND o.bits < i.bits AND o.net >>= i.net GROUP BY i.row"""

    def numbers(_: Any) -> np.ndarray:
        found = np.full(rows, -1, np.int64)
        pairs = session.execute("SELECT row, cover FROM found").fetchnumpy()
        found[np.asarray(pairs["row"])] = np.asarray(pairs["cover"])
        return found

    return Entry(lambda: session.execute(ask), numbers)


def _iprange(given: Given) -> Entry:
    command = ["iprange", "--merge", str(given.lines)]
    return Entry(lambda: subprocess.run(command, check=True, capture_output=True).stdout, _lines)


def _lines(text: bytes) -> np.ndarray:
    return _set(text.decode("ascii"))


def _merged(path: Path) -> bytes:
    """Read a file of prefixes and return the text of the fewest."""
    column = pd.read_csv(path, header=None, dtype="str", engine="pyarrow")[0]
    return column.cidr.aggregate().astype("str").str.cat(sep="\n").encode("ascii")


_PARSE: Final = {
    OURS: lambda g: Entry(lambda column=g.column: column.cidr.to_cidr(), _column),
    "netaddr": _each(netaddr.IPNetwork),
    "ipaddress": _each(lambda cell: ipaddress.IPv4Network(cell, strict=False)),
    "Polars": _polars_parse,
    "DuckDB": _duckdb_parse,
}
#: The questions, and how each program answers. Those of `DIRTY` are about spoilt inventories.
CASES: Final[dict[str, dict[str, Prepare]]] = {
    "text → prefixes": _PARSE,
    "text → prefixes, 3 % dirty": _PARSE,
    "closest cover, per connection": {
        OURS: lambda g: Entry(partial(g.prefixes.cidr.closest_cover, g.inventory.connection)),
        "pytricia": lambda g: _parents(g, g.inventory.connection.tolist()),
        "DuckDB": _duckdb_covers,
    },
    "closest cover, over all": {
        OURS: lambda g: Entry(g.prefixes.cidr.closest_cover),
        "pytricia": lambda g: _parents(g, [0] * len(g.inventory.clean)),
    },
    "numbers → longest match": {
        OURS: lambda g: Entry(partial(g.prefixes.cidr.lookup, g.addresses)),
        "pytricia": lambda g: _lookups(g, g.addresses.tolist()),
    },
    "texts → longest match": {
        OURS: lambda g: Entry(partial(g.prefixes.cidr.lookup, pd.Series(g.texts, dtype="str"))),
        "pytricia": lambda g: _lookups(g, g.texts),
    },
    "prefixes → fewest blocks": {
        OURS: lambda g: Entry(g.prefixes.cidr.aggregate, _column),
        "netaddr": lambda g: Entry(
            partial(netaddr.cidr_merge, [*map(netaddr.IPNetwork, g.inventory.clean)]), _sorted
        ),
        "ipaddress": lambda g: Entry(
            partial(_collapsed, [*map(ipaddress.IPv4Network, g.inventory.clean)]), _sorted
        ),
    },
    "file → fewest blocks": {
        OURS: lambda g: Entry(partial(_merged, g.lines), _lines),
        "iprange": _iprange,
    },
    "CSV → all findings, 3 % dirty": {
        OURS: lambda g: Entry(partial(_read_and_audit, g.csv), dict),
        "netaddr": lambda g: Entry(partial(_netaddr_findings, g.csv), dict),
        "pandas": lambda g: Entry(
            partial(pd.read_csv, g.csv, engine="pyarrow"), lambda frame: {"rows": len(frame)}
        ),
    },
}
DIRTY: Final = frozenset({"text → prefixes, 3 % dirty", "CSV → all findings, 3 % dirty"})


# -- compare, then time -----------------------------------------------------------------------


def agreed(case: str, given: Given, say: Callable[[str], None] = print) -> dict[str, Entry]:
    """Return the entries of all who are here, once each has answered as ours does.

    Parameters
    ----------
    case : str
        Of `CASES`.
    given : Given
    say : callable
        Gets a line for what was excused.

    Raises
    ------
    DisagreementError
        If an answer differs; it names the first row that does.
    """
    entries: dict[str, Entry] = {}
    ours: Any = None
    for name, prepare in CASES[case].items():
        if name != OURS and missing(name):
            continue
        entries[name] = prepare(given)
        found = entries[name].read(entries[name].call())
        if name == OURS:
            ours = found
            if CASES[case] is _PARSE:
                _compare(case, "the inventory itself", ours, given.inventory.reads)
            continue
        # In a spoilt inventory a peer may read what the strict form refuses; never ours.
        lenient = CASES[case] is _PARSE and given.inventory.reads < 0
        excused = _compare(case, name, ours, found, lenient)
        if excused.any():
            kinds = sorted({KINDS[n].name for n in given.inventory.kinds[excused]})
            say(f"{name} reads {excused.sum():,} cells that the strict form refuses: {kinds}")
    return entries


def _compare(case: str, who: str, ours: Any, theirs: Any, excused: Any = False) -> np.ndarray:
    """Return which elements differ with an excuse; raise where one has none."""
    if isinstance(theirs, dict):
        ours, theirs = [ours[name] for name in theirs], list(theirs.values())
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise DisagreementError(f"{case}: {OURS} has {ours.size:,}, {who} {theirs.size:,}")
    different = ours != theirs
    wrong = np.flatnonzero(different & ~np.broadcast_to(excused, different.shape))
    if len(wrong):
        row = wrong[0]
        raise DisagreementError(
            f"{case}: {OURS} and {who} differ in {len(wrong):,} of {ours.size:,}, "
            f"row {row}: {ours[row]}, {theirs[row]}"
        )
    return different


def given(rows: int, folder: Path, *, dirt: float = 0.0, addresses: int | None = None) -> Given:
    """Return what cases are asked about, in a folder of its own."""
    inventory = Inventory(Shape(rows, dirt=dirt))
    return Given(inventory, inventory.addresses(addresses or rows), folder)


def rows(size: int, rounds: int, say: Callable[[str], None] = print) -> Iterator[Row]:
    """Yield the rows of the table: inventories of a size, medians of some rounds."""
    for line in filter(None, map(missing, PEERS)):
        say(line)
    for dirt in (0.0, 0.03):
        with TemporaryDirectory(prefix="vcokit-bench-") as folder:
            asked = given(size, Path(folder), dirt=dirt)
            for case in CASES:
                if (case in DIRTY) != bool(dirt):
                    continue
                calls = {name: one.call for name, one in agreed(case, asked, say).items()}
                seconds = interleaved(calls, rounds)
                for name in [name for name in calls if name != OURS] or [""]:
                    yield _row(case, name, seconds)


def _row(case: str, peer: str, seconds: dict[str, list[float]]) -> Row:
    if not peer:
        return Row(case, _time(seconds[OURS]), "–", "–", "–")
    gain = ratio(seconds[OURS], seconds[peer])
    return Row(case, _time(seconds[OURS]), peer, _time(seconds[peer]), gain)


def _time(seconds: list[float]) -> str:
    """Return the median of some rounds.

    >>> _time([0.0234]), _time([5.09])
    ('23.4 ms', '5,090 ms')
    """
    milliseconds = median(seconds) * 1e3
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"
