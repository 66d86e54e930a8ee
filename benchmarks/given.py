"""What a case is given: an inventory in the forms that programs take it in, kept in a folder.

It is written once and read from files by whoever needs it, so that a child process that measures
memory holds nothing but what its own case takes.

=====================  ======================================================================
`network`, `length`    uint32 and uint8 a row, host bits cleared: the clean inventory
`group`                int64, the connection of each row
`text`                 Series of str: the destinations as the file has them, dirt included
`reads`                int64, what `text` says: network × 64 + length, -1 where no prefix
`addresses`            uint32: nine in ten lie in some destination, one is anywhere
`address_text`         Series of str: the same, written out
`csv`, `list`          paths: the whole file with its head; the clean destinations, one a line
=====================  ======================================================================
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather

from benchmarks.dirt import KINDS, Spoilt, spoil
from benchmarks.inventories import (
    TEXT,
    Column,
    Layout,
    Shape,
    addresses_as_text,
    columns,
    lay_out,
    prefixes_as_text,
)

_PIECE: Final = 1_000_000  # rows that are written at a time
_QUOTE: Final = pa.scalar('"', TEXT)
_NOTHING: Final = pa.scalar("", TEXT)
_STRING: Final = pd.StringDtype(storage="pyarrow", na_value=np.nan)


@dataclass(frozen=True)
class Given:
    """An inventory in a folder; see the module for what it holds."""

    folder: Path

    @classmethod
    def make(cls, shape: Shape, folder: Path, *, addresses: int = 1_000_000) -> Given:
        """Generate an inventory and write it to a folder, which must be there.

        Parameters
        ----------
        shape : Shape
        folder : Path
        addresses : int
            How many to look up.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     given = Given.make(Shape(80, order="sorted"), Path(folder), addresses=5)
        ...     given.csv.read_text("utf-8").splitlines()[0], len(given.text), len(given.addresses)
        ('RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description', 80, 5)
        """
        given, layout = cls(folder), lay_out(shape)
        spoilt = spoil(layout, columns(layout, shape.seed), shape.dirt, shape.seed)
        given._save("shape.json", asdict(shape))
        given._save_numbers(layout, spoilt, _addresses(layout, addresses, shape.seed))
        given._save_texts(layout, spoilt)
        return given

    def _save(self, name: str, value: object) -> None:
        (self.folder / name).write_text(json.dumps(value), encoding="utf-8")

    def _save_numbers(self, layout: Layout, spoilt: Spoilt, addresses: np.ndarray) -> None:
        numbers = {
            "network": layout.network,
            "length": layout.length,
            "group": layout.connection,
            "reads": spoilt.reads,
            "kind": spoilt.kind,
            "addresses": addresses,
        }
        for name, column in numbers.items():
            np.save(self.folder / f"{name}.npy", column)

    def _save_texts(self, layout: Layout, spoilt: Spoilt) -> None:
        _write_csv(spoilt.columns, self.csv)
        _save_column(spoilt.columns["RouteDest"], self.folder / "text.feather")
        _save_column(addresses_as_text(self.addresses), self.folder / "address_text.feather")
        with self.list.open("wb") as file:
            _write_lines(file, [prefixes_as_text(layout.network, layout.length)])

    @cached_property
    def shape(self) -> Shape:
        """What the inventory looks like."""
        return Shape(**json.loads((self.folder / "shape.json").read_text("utf-8")))

    @cached_property
    def network(self) -> np.ndarray:
        """Networks, uint32."""
        return np.load(self.folder / "network.npy")

    @cached_property
    def length(self) -> np.ndarray:
        """Lengths, uint8."""
        return np.load(self.folder / "length.npy")

    @cached_property
    def group(self) -> np.ndarray:
        """Connections, int64."""
        return np.load(self.folder / "group.npy")

    @cached_property
    def reads(self) -> np.ndarray:
        """What the text says, int64."""
        return np.load(self.folder / "reads.npy")

    @cached_property
    def kinds(self) -> np.ndarray:
        """The name of each row's mistake, empty where it has none."""
        return np.array([*(kind.name for kind in KINDS), ""])[np.load(self.folder / "kind.npy")]

    @cached_property
    def addresses(self) -> np.ndarray:
        """Addresses, uint32."""
        return np.load(self.folder / "addresses.npy")

    @cached_property
    def text(self) -> pd.Series:
        """Destinations, str."""
        return _load_column(self.folder / "text.feather")

    @cached_property
    def address_text(self) -> pd.Series:
        """Addresses, str."""
        return _load_column(self.folder / "address_text.feather")

    @property
    def csv(self) -> Path:
        """The inventory's file."""
        return self.folder / "routes.csv"

    @property
    def list(self) -> Path:
        """The clean destinations, one a line."""
        return self.folder / "destinations.txt"


def _addresses(layout: Layout, count: int, seed: int) -> np.ndarray:
    """Return addresses to look up."""
    rng = np.random.default_rng((seed, 4))
    anywhere = rng.integers(1 << 32, size=count, dtype=np.uint32)
    rows = rng.integers(len(layout), size=count)
    host = np.uint32(0xFFFFFFFF) >> layout.length[rows].astype(np.uint32)
    inside = layout.network[rows] | anywhere & host
    return np.where(rng.random(count) < 0.1, anywhere, inside)


def _write_csv(columns: dict[str, Column], path: Path) -> None:
    """Write a file as a spreadsheet does: quotes only around cells with a comma."""
    quoted = [
        pc.if_else(pc.match_substring(column, ","), _joined([_QUOTE, column, _QUOTE], ""), column)
        for column in columns.values()
    ]
    with path.open("wb") as file:
        file.write(",".join(columns).encode() + b"\n")
        _write_lines(file, quoted)


def _write_lines(file: BinaryIO, columns: list[Column]) -> None:
    """Write one line a row, a piece of the rows at a time; what is missing is empty."""
    for start in range(0, len(columns[0]), _PIECE):
        cells = _joined([column.slice(start, _PIECE) for column in columns], ",")
        lines = _joined([cells, _NOTHING], "\n")
        file.write(lines.buffers()[2])


def _joined(parts: list[Column], separator: str) -> Column:
    separator = pa.scalar(separator, TEXT)
    return pc.binary_join_element_wise(*parts, separator, null_handling="replace")


def string_column(column: Column) -> pd.Series:
    """Return an Arrow column as pandas' ``str``, without a copy.

    Examples
    --------
    >>> string_column(pa.array(["10.0.0.0/8"], TEXT)).dtype
    <StringDtype(na_value=nan)>
    """
    return pd.Series(_STRING.__from_arrow__(column))


def _save_column(column: Column, path: Path) -> None:
    pa.feather.write_feather(pa.table([column], names=["text"]), path, compression="uncompressed")


def _load_column(path: Path) -> pd.Series:
    table = pa.feather.read_table(path, memory_map=False)
    return string_column(table.column("text").combine_chunks())
