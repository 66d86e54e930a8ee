"""What every format comes to: a `Table` of raw columns under a head, ready to be read as routes.

::

    csv ──┐
    excel ┤ one for each sheet
          ├─▶ Table: source, head, records ──read──▶ routes frame
    jsonl ┤
    parquet

Cells are text, null where they are empty, exactly as in `records`; whoever makes a table answers
for it that no cell holds a NUL or more than `CELL_LIMIT` characters (`check_cells`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vcokit.errors import InventoryError
from vcokit.inventory.bound import Bound
from vcokit.inventory.heads import Candidate, Head, check_head, locate, shortened
from vcokit.inventory.records import CELL_LIMIT, Records

#: Formats, as ``format=`` names them.
FORMATS: Final = ("csv", "excel", "jsonl", "parquet")


@dataclass(frozen=True)
class Options:
    """What the caller said about files: named heads, a region, encoding, delimiter, a sheet."""

    wanted: Mapping[str, str]
    region: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Table:
    """Raw cells under a head.

    ``region`` is what the table's name says about rows that name none; ``protected`` tells
    whether a ``'`` may stand before a cell to keep a spreadsheet from computing it. ``notes`` are
    on the table, ``beside`` on what stands beside it in its file: (source, note). ``bound`` is
    that of its file.
    """

    source: str
    format: str
    head: Head
    records: Records
    bound: Bound
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    region: str | None = None
    protected: bool = True
    beside: tuple[tuple[str, str], ...] = ()


def named_head(source: str, names: Sequence[str], options: Options) -> Head:
    """Return the head of a table whose columns bear names, so that it has no head line.

    Raises
    ------
    InventoryError
        If columns are missing, or two are one field.
    """
    check_names(source, names)
    found = Candidate(-1, list(names), 1, "", locate(names, options.wanted))
    check_head(source, found, options.wanted, options.region is not None)
    return Head(None, tuple(names), {name: places[0] for name, places in found.found.items()})


def check_names(source: str, names: Sequence[str], line: int | None = None) -> None:
    """Raise `InventoryError` for a head that no file of text could hold."""
    for name in names:
        if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InventoryError(
                f"the head {shortened(ascii(name))} holds what is no character",
                source=source,
                line=line,
                remedy="Give the column another name",
            )


def check_cells(
    source: str, names: Sequence[str], records: Records, letters: Sequence[str] = ()
) -> None:
    """Raise `InventoryError` for a cell that no file of text could hold.

    ``letters`` are those of the columns in a sheet, whose cells have names of their own.
    """
    for place, (name, column) in enumerate(zip(names, records.columns, strict=True)):
        for what, bad in (
            ("a NUL, which no text holds", pc.match_substring(column, "\0")),
            (f"more than {CELL_LIMIT:,} characters", _longer(column)),
        ):
            row = pc.index(bad, True).as_py()
            if row >= 0:
                line = None if records.lines is None else int(records.lines[row])
                cell = f"row {row}" if line is None else "a cell"
                raise InventoryError(
                    f"{f'cell {letters[place]}{line}' if letters else cell} holds {what}",
                    source=source,
                    line=line,
                    column=name,
                    remedy="Mend the cell",
                )


def _longer(column: Any) -> Any:
    if (pc.max(pc.binary_length(column)).as_py() or 0) <= CELL_LIMIT:
        return pa.chunked_array([pa.array([], pa.bool_())])
    return pc.greater(pc.utf8_length(column), CELL_LIMIT)
