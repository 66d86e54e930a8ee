r"""Cleaning of cells: from the raw columns that readers return to the values that they mean.

===================================  ======================================================
cell of a file                       value
===================================  ======================================================
``" 10.0.0.0/8 "``                   ``10.0.0.0/8``: `BLANKS` at both ends are removed
``""``, ``"  "``                     NA. Nothing else is NA: ``NA``, ``null``, ``None`` are text
``"'=1+1"``                          ``=1+1``: a ``'`` before one of `PROTECTED` keeps a
                                     spreadsheet from computing the cell
``"VCO-A"``                          ``vco-a`` in the columns `LOWERED`
``"主"``                             100 with ``weights={"主": 100}``
a row in which every cell is empty   no row: spreadsheets write ``,,,`` after a table
``10.1.0.0`` and ``255.255.0.0``     ``10.1.0.0/16``, if the mask has a column of its own
``10.1.0.0`` and ``16`` or ``/16``   ``10.1.0.0/16``
``10.1.0.0`` and ``255.0.255.0``     ``10.1.0.0/255.0.255.0``, which the audit reports
``10.1.0.0/16`` and anything         ``10.1.0.0/16``
``10.1.0.0/16, 10.2.0.0/16``         two rows with the same line
``10.1.0.0/16 10.2.0.0/16``          two rows, because each network has its length
``10.1.0.0 255.255.0.0``             unchanged, for the audit to report: a network and its mask
``10.1.0.0, 255.255.0.0``            the same, whatever separates them
``10.1.0.0/16, HQ``                  unchanged: not every part is a network
===================================  ======================================================

A column of cells is a chunked Arrow array of ``large_string`` in which an empty cell is null. The
rows of all tables are concatenated in `Rows`, so that each rule runs only once per column, however
many files there are. Changes are counted per table.
"""

from __future__ import annotations

import functools
import itertools
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit._text import PROTECTED
from vcokit.errors import InventoryError
from vcokit.inventory.sources import Budget
from vcokit.schema import BLANKS, STR, split_weight
from vcokit.schema.conform import may_be_blank
from vcokit.schema.glance import Bytes, count_bytes, first_bytes, holds_byte, last_bytes
from vcokit.schema.tables import missing

Column: TypeAlias = Any  # pa.ChunkedArray of large_string; pyarrow has no type annotations
STRING: Final = pa.large_string()

#: Longest cell, in characters. This is the default limit of the `csv` module, so reading does not
#: change a setting of the whole process. Longer cells are usually due to an unclosed quote.
CELL_LIMIT: Final = 131_072

#: Identifiers of the cloud, whose case has no meaning.
LOWERED: Final = ("region_id", "vpn_connection_id", "next_hop")
#: Name in `Rows` of the column of masks; a header cannot have it, because it contains a NUL.
NETMASK: Final = "\0netmask"

#: First character of a cell that a spreadsheet would compute, or treats as protected; for RE2.
RISKY: Final = rf"[{PROTECTED[:2]}\-{PROTECTED[3:]}]"

_BATCH: Final = 20_000  # most rows that are Python objects at a time

_ADDRESS: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_LENGTH: Final = r"/[0-9.]{1,15}"
_BLANK: Final = r"[\s\x{3000}\x{A0}]"
_MARK: Final = rf"{_BLANK}*[,;|\n\r\x{{FF0C}}\x{{FF1B}}\x{{3001}}]{_BLANK}*"  # , ; | ， ； 、
_EITHER: Final = rf"{_ADDRESS}(?:{_LENGTH})?"
#: Several networks in one cell; for RE2.
_SEVERAL: Final = (
    rf"^(?:{_EITHER}(?:{_MARK}{_EITHER})+(?:{_MARK})?"
    rf"|{_ADDRESS}{_LENGTH}(?:{_BLANK}+{_ADDRESS}{_LENGTH})+)$"
)
_BETWEEN: Final = re.compile("[,;|\\s\u3000\xa0\uff0c\uff1b\u3001]+")
_BY_LENGTH: Final = [IPv4Network((0, length)) for length in range(33)]
_MASKS: Final = {str(network.netmask): network.prefixlen for network in _BY_LENGTH}
#: Network masks and host masks (``0.0.0.255``). After an address, these are not another network.
_NO_NETWORKS: Final = frozenset(_MASKS) | {str(network.hostmask) for network in _BY_LENGTH}

_PANDAS_STRING: Final[Any] = pd.StringDtype(na_value=np.nan)


class RowBuffer:
    """Collects rows of cells and converts them to columns in batches, to limit Python objects.

    A row may have fewer cells than later rows; missing cells are null.
    """

    def __init__(self) -> None:
        self._rows: list[Sequence[str | None]] = []
        self._lines = array("q")
        self._batches: list[tuple[int, list[Any]]] = []

    def add(self, line: int, cells: Sequence[str | None]) -> None:
        """Add a row and its line."""
        self._rows.append(cells)
        self._lines.append(line)
        if len(self._rows) == _BATCH:
            self._flush()

    def columns(self, width: int) -> list[Column]:
        """Return all rows as `width` columns."""
        self._flush()
        return [
            pa.chunked_array(
                [
                    arrays[place] if place < len(arrays) else pa.nulls(size, STRING)
                    for size, arrays in self._batches
                ],
                STRING,
            )
            for place in range(width)
        ]

    def lines(self) -> npt.NDArray[np.int64]:
        """Return the lines of the rows."""
        return np.array(self._lines, dtype=np.int64)

    def _flush(self) -> None:
        if self._rows:
            columns = itertools.zip_longest(*self._rows)
            arrays = [empty_to_null(pa.array(cells, STRING)) for cells in columns]
            self._batches.append((len(self._rows), arrays))
        self._rows = []


@dataclass
class Rows:
    """The rows of all tables: columns by name, and where each row comes from.

    For each row, ``table`` (int64, ascending) is the number of its table, and ``line`` (int64) its
    line, 0 if the table has no lines. ``counts`` has, by kind of change, the number of changed
    cells or rows of each table.
    """

    columns: dict[str, Column]
    table: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]
    tables: int
    counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def count(self, what: str, mask: Any) -> bool:
        """Count, per table, the rows where the mask is True; return whether there is any.

        Null counts as False.
        """
        if isinstance(mask, np.ndarray):
            hit = mask
        elif not pc.any(mask).as_py():
            return False
        else:
            hit = pc.fill_null(mask, False).to_numpy()
        found = np.bincount(self.table[hit], minlength=self.tables)
        self.counts[what] = self.counts.get(what, 0) + found
        return True

    def of_tables(self, values: Sequence[Any]) -> Any:
        """Return, for each row, the value of its table, as an Arrow array."""
        return pa.array(values).take(pa.array(self.table))

    def of_table(self, number: int, name: str) -> Column:
        """Return the cells of a column that belong to a table."""
        start, stop = np.searchsorted(self.table, [number, number + 1])
        return self.columns[name].slice(start, stop - start)

    def take(self, places: npt.NDArray[np.int64]) -> None:
        """Keep only the rows at some positions, in that order; a position may be repeated."""
        taken = pa.array(places)
        self.columns = {name: column.take(taken) for name, column in self.columns.items()}
        self.table, self.line = self.table[places], self.line[places]


def clean_cell(cell: str) -> str:
    r"""Return one cell trimmed and unprotected, empty if it is blank.

    Examples
    --------
    >>> clean_cell("\u3000 '=SUM(A1) "), clean_cell("'quoted'")
    ('=SUM(A1)', "'quoted'")
    """
    cell = cell.strip(BLANKS)
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in PROTECTED else cell


def empty_to_null(column: Any) -> Any:
    """Return text with null for empty cells; only this function decides which cells are missing."""
    empty = pc.equal(column, "")
    return pc.if_else(empty, pa.scalar(None, STRING), column) if pc.any(empty).as_py() else column


def check_cells(
    source: str,
    names: Sequence[str],
    columns: Iterable[Column],
    lines: npt.NDArray[np.int64] | None,
    letters: Sequence[str] = (),
) -> None:
    """Raise `InventoryError` for a cell that a text file cannot contain.

    ``letters`` are the letters of a sheet's columns, used to name the cell.
    """
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        for what, bad in unreadable(column):
            row = pc.index(bad, True).as_py()
            line = None if lines is None else int(lines[row])
            where = f"row {row}" if line is None else "a cell"
            where = f"cell {letters[place]}{line}" if letters else where
            raise InventoryError(
                f"{where} holds {what}, which no text can",
                source=source,
                line=line,
                column=name,
                remedy="Correct the cell",
            )


def unreadable(column: Column) -> list[tuple[str, Any]]:
    """Return the contents of cells that readers of text reject, each with a mask of the cells."""
    found = []
    if (pc.max(pc.binary_length(column)).as_py() or 0) > CELL_LIMIT:
        found.append((f"more than {CELL_LIMIT:,} characters", too_long(column)))
    found.append(("a NUL", pc.match_substring(column, "\0")))
    return [(what, bad) for what, bad in found if pc.any(bad).as_py()]


def too_long(column: Column) -> Any:
    """Return a mask of the cells longer than `CELL_LIMIT`."""
    return pc.greater(pc.utf8_length(column), CELL_LIMIT)


def trim(rows: Rows, protected: Sequence[bool]) -> None:
    """Remove blanks from the ends of cells; cells that become empty are null.

    Also remove a protective ``'`` in the tables whose format may have it.
    """
    for name, column in rows.columns.items():
        first = first_bytes(column)
        if may_be_blank(first) or may_be_blank(last_bytes(column)):
            trimmed = pc.utf8_trim(column, characters=BLANKS)
            lengths = pc.binary_length(column), pc.binary_length(trimmed)
            if rows.count("trimmed", pc.not_equal(*lengths)):
                rows.columns[name] = column = empty_to_null(trimmed)
                first = first_bytes(column)
        if any(protected) and (first == ord("'")).any():
            marked = pc.match_substring_regex(column, f"^'{RISKY}")
            if not all(protected):
                marked = pc.and_(marked, rows.of_tables(protected))
            if rows.count("unprotected", marked):
                rest = pc.utf8_slice_codeunits(column, 1)
                rows.columns[name] = pc.if_else(pc.fill_null(marked, False), rest, column)


def drop_blank_rows(rows: Rows) -> None:
    """Drop the rows in which every cell is empty.

    Most tables have a column that is never empty; then the rows need not be checked.
    """
    columns = list(rows.columns.values())
    if all(column.null_count for column in columns):
        there = functools.reduce(pc.or_, map(pc.is_valid, columns)).to_numpy()
        if not there.all():
            rows.count("blank", ~there)
            rows.take(np.flatnonzero(there))


def split_multi_prefix(rows: Rows, budgets: Sequence[Budget]) -> None:
    """Split rows with several networks in one cell into one row per network."""
    places, parts = _several(rows.columns["route_dest"])
    if not places:
        return
    counts = np.ones(len(rows.table), dtype=np.int64)
    counts[places] = [len(part) for part in parts]
    is_split = np.zeros(len(counts), dtype=np.bool_)
    is_split[places] = True
    tables, first = np.unique(rows.table[places], return_index=True)
    for number, place in zip(tables, first, strict=True):
        line = int(rows.line[places[place]]) or None
        budgets[number].take(*_copied(rows, number, counts), line=line)
    rows.count("split", is_split)
    origin = np.repeat(np.arange(len(counts)), counts)
    rows.take(origin)
    values = pa.array([part for cell in parts for part in cell], STRING)
    cells = rows.columns["route_dest"].combine_chunks()
    networks = pc.replace_with_mask(cells, pa.array(is_split[origin]), values)
    rows.columns["route_dest"] = pa.chunked_array([networks])


def join_netmask(rows: Rows) -> None:
    """Append the length from a mask column to the networks without a length."""
    if NETMASK not in rows.columns:
        return
    network = rows.columns["route_dest"]
    length = _mapped(rows.columns.pop(NETMASK), _length)
    wanting = pc.and_(pc.invert(pc.match_substring(network, "/")), pc.is_valid(length))
    if rows.count("joined", wanting):
        joined = pc.binary_join_element_wise(network, length, pa.scalar("/", STRING))
        rows.columns["route_dest"] = pc.if_else(pc.fill_null(wanting, False), joined, network)


def lower_case(rows: Rows) -> None:
    """Convert the ASCII letters of identifiers to lower case.

    Other letters stay unchanged: the lower case of the Kelvin sign is ``k``, so the result could be
    another id.
    """
    for name in LOWERED:
        if name in rows.columns and holds_byte(rows.columns[name], _are_capitals):
            lowered = pc.ascii_lower(rows.columns[name])
            if rows.count("lowered", pc.not_equal(rows.columns[name], lowered)):
                rows.columns[name] = lowered


def _are_capitals(codes: Bytes) -> npt.NDArray[np.bool_]:
    return (codes - np.uint8(ord("A"))) < 26  # below the A, uint8 wraps around


def translate_weights(rows: Rows, words: Mapping[str, int]) -> None:
    """Replace words for weights by the weights that they stand for, ignoring case."""
    if words:
        column = rows.columns["weight"]
        meant = _mapped(column, lambda word: str(words.get(word.casefold(), word)))
        known = _mapped(column, lambda word: word if word.casefold() in words else None)
        rows.count("translated", pc.is_valid(known))
        rows.columns["weight"] = meant


def weights(column: Column) -> tuple[pd.Series, pd.Series]:
    """Return a column as integers, and the text of cells that are not integers (`split_weight`).

    Weights repeat, so each distinct text is converted only once.
    """
    encoded = pc.dictionary_encode(column).combine_chunks()
    weight, text = split_weight(series(encoded.dictionary))
    places = pc.fill_null(encoded.indices, -1).to_numpy()
    # The last element is a missing value; place -1 takes it.
    values = np.append(weight.to_numpy(dtype=np.int64, na_value=0), 0)
    is_missing = np.append(weight.isna().to_numpy(), True)
    return (
        pd.Series(pd.arrays.IntegerArray(values.take(places), is_missing.take(places))),
        pd.Series(text.array.take(places, allow_fill=True))
        if text.notna().any()
        else missing(STR, pd.RangeIndex(len(places))),
    )


def series(column: Any) -> pd.Series:
    """Return a column as pandas' ``str``, without a copy."""
    if not len(column):
        column = pa.array([], STRING)  # pandas cannot join columns without any chunk
    return pd.Series(_PANDAS_STRING.__from_arrow__(column))


def _mapped(column: Column, meaning: Any) -> Column:
    """Apply a function to the texts of a column, once per distinct text."""
    encoded = pc.dictionary_encode(column).combine_chunks()
    meant = [meaning(text) for text in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(meant, STRING), encoded.indices)])


def _several(column: Column) -> tuple[list[int], list[list[str]]]:
    """Return the positions of cells with several networks, and their networks.

    A mask belongs to the network before it, so a cell with a mask has one network or none.
    """
    places = np.flatnonzero(count_bytes(column, _are_between))
    cells = column.take(pa.array(places))
    is_several = pc.fill_null(pc.match_substring_regex(cells, _SEVERAL), False)
    if not pc.any(is_several).as_py():
        return [], []
    places = places[is_several.to_numpy()]
    parts = [
        [part for part in _BETWEEN.split(cell) if part]
        for cell in cells.filter(is_several).to_pylist()
    ]
    kept = [number for number, networks in enumerate(parts) if _NO_NETWORKS.isdisjoint(networks)]
    return [int(places[number]) for number in kept], [parts[number] for number in kept]


def _are_between(codes: Bytes) -> npt.NDArray[np.bool_]:
    """Return which bytes cannot be part of a single network: not a dot, a slash or a digit."""
    return (codes - np.uint8(ord("."))) > ord("9") - ord(".")


def _copied(rows: Rows, table: int, counts: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Return the total bytes and cells of a table's rows, each row repeated `counts` times."""
    columns = [rows.of_table(table, name) for name in rows.columns]
    lengths = [pc.fill_null(pc.binary_length(column), 0).to_numpy() for column in columns]
    counts = counts[rows.table == table]
    return sum(int(length @ counts) for length in lengths), int(counts.sum()) * len(columns)


def _length(mask: str) -> str:
    """Return a mask as a length, and text that is neither unchanged.

    Examples
    --------
    >>> _length("255.255.0.0"), _length("/16"), _length("16.0"), _length("255.0.255.0")
    ('16', '16', '16', '255.0.255.0')
    """
    mask = mask.removeprefix("/")
    if re.fullmatch(r"[0-9]{1,2}\.0+", mask):
        mask = mask.partition(".")[0]
    return str(_MASKS.get(mask, mask))
