"""DuckDB on two threads, with its inet extension: https://duckdb.org/docs/extensions/inet.

The extension comes as a package and is loaded from its file, so that nothing is downloaded while
measuring. Results that are columns are kept as tables of DuckDB's own, the cheapest it has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb
import duckdb_extension_inet
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.contest import Answer, Entry, Prepare, positions
from benchmarks.given import Given

_THREADS: Final = 2
_IPV4: Final = 1  # the extension's ip_type


def _connect() -> duckdb.DuckDBPyConnection:
    home = Path(duckdb_extension_inet.__file__).parent
    file = home / "extensions" / f"v{duckdb.__version__}" / "inet.duckdb_extension"
    session = duckdb.connect(config={"threads": _THREADS, "autoinstall_known_extensions": False})
    session.execute(f"LOAD '{file}'")
    return session


def _parse(given: Given) -> Entry:
    session = _connect()
    session.register("given", pa.table({"cell": pa.array(given.text)}))
    make = "CREATE OR REPLACE TABLE found AS SELECT try_cast(cell AS INET) AS prefix FROM given"
    return Entry(lambda: session.execute(make), lambda _: _reads(session))


def _reads(session: duckdb.DuckDBPyConnection) -> Answer:
    """Read the column; clearing the host bits is left out of what is timed."""
    column = session.execute("SELECT network(prefix) AS prefix FROM found").to_arrow_table()[
        "prefix"
    ]
    kind, address, length = (
        pc.fill_null(pc.struct_field(column, name), 0) for name in ("ip_type", "address", "mask")
    )
    number = pc.if_else(pc.equal(kind, _IPV4), address, pa.scalar(0, address.type))
    packed = number.cast(pa.int64()).to_numpy() << 6 | length.to_numpy()
    return {"reads": np.where(kind.to_numpy() == _IPV4, packed, -1)}


def _load(session: duckdb.DuckDBPyConnection, given: Given, group: np.ndarray) -> None:
    """Make the table of clean destinations: row, connection or pair, prefix and its length."""
    lines = given.list.read_text("ascii").splitlines()
    rows = pa.table(
        {
            "row": np.arange(len(lines)),
            "led_by": group,
            "cell": pa.array(lines),
            "bits": given.length,
        }
    )
    session.register("given", rows)
    session.execute(
        "CREATE TABLE destination AS SELECT row, led_by, cell::INET AS prefix, bits FROM given"
    )


def _duplicates(given: Given) -> Entry:
    session = _connect()
    _load(session, given, given.group // 2)
    ask = """
        CREATE OR REPLACE TABLE found AS
        SELECT row, first FROM destination JOIN (
            SELECT led_by, prefix, min(row) AS first FROM destination
            GROUP BY led_by, prefix HAVING count(*) > 1
        ) USING (led_by, prefix) WHERE row <> first
    """
    return Entry(lambda: session.execute(ask), lambda _: _pairs(session, len(given.network)))


def _cover_groups(given: Given) -> Entry:
    """Ask by a join of each connection's prefixes with one another: there is no index for it."""
    session = _connect()
    _load(session, given, given.group)
    ask = """
        CREATE OR REPLACE TABLE found AS
        SELECT inner_.row AS row,
               arg_max(outer_.row, outer_.bits * 4294967296 - outer_.row) AS first
        FROM destination AS inner_ JOIN destination AS outer_
        ON inner_.led_by = outer_.led_by AND outer_.bits < inner_.bits
           AND outer_.prefix >>= inner_.prefix
        GROUP BY inner_.row
    """
    return Entry(lambda: session.execute(ask), lambda _: _pairs(session, len(given.network)))


def _pairs(session: duckdb.DuckDBPyConnection, rows: int) -> Answer:
    """Read a table of rows and the rows they lead to."""
    found = session.execute("SELECT row, first FROM found").fetchnumpy()
    result = np.full(rows, -1, dtype=np.int64)
    result[np.asarray(found["row"])] = np.asarray(found["first"])
    return positions(result)


ENTRIES: Final[dict[str, Prepare]] = {
    "parse": _parse,
    "parse-dirty": _parse,
    "duplicates": _duplicates,
    "cover-groups": _cover_groups,
}
