r"""What a cell means: blanks trimmed, protection taken away, case, absence, weight words.

==================  ==================================================================
cell of a file      value
==================  ==================================================================
``" 10.0.0.0/8 "``  ``10.0.0.0/8``: `BLANKS` at both ends say nothing
``""``, ``"  "``    NA, and nothing else is: ``NA``, ``null`` and ``None`` are text
``"'=1+1"``         ``=1+1``: a ``'`` before one of `PROTECTED` protects a spreadsheet
``"VCO-A"``         ``vco-a`` in the columns `LOWERED`
``"主"``            100 with ``weights={"主": 100}``
==================  ==================================================================

A column of cells is a chunked Arrow array of ``large_string`` in which an empty cell is null.
Everything here works on whole columns, whichever parser made them; `clean_cell` is the same rule
for one cell, used on heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.plain import PROTECTED
from vcokit.schema import BLANKS, split_weight

Column: TypeAlias = Any  # pa.ChunkedArray of large_string; pyarrow has no types of its own

#: Identifiers of the cloud, whose case carries nothing.
LOWERED: Final = ("region_id", "vpn_connection_id", "next_hop")

_STRING: Final[Any] = pd.StringDtype(na_value=np.nan)


@dataclass
class Tally:
    """How many cells reading changed, by what it did."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, count: int) -> None:
        """Count cells."""
        if count:
            self.counts[what] = self.counts.get(what, 0) + count


def clean_cell(cell: str) -> str:
    r"""Return one cell as `clean` reads it, empty where it is blank.

    Examples
    --------
    >>> clean_cell("\u3000 '=SUM(A1) "), clean_cell("'quoted'")
    ('=SUM(A1)', "'quoted'")
    """
    cell = cell.strip(BLANKS)
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in PROTECTED else cell


def clean(column: Column, tally: Tally, *, protected: bool = True) -> Column:
    """Return a column trimmed, unprotected where it may be protected, null where it is blank.

    Parsers leave no empty cell; one is made here alone.
    """
    if holds(column, "\x80", " "):  # white space, or anything that is not ASCII
        column = pa.chunked_array([_trim(chunk, tally) for chunk in column.chunks], column.type)
    if protected and holds(column, "'", "'"):
        marked = pc.match_substring_regex(column, rf"^'[{PROTECTED[:2]}\-{PROTECTED[3:]}]")
        tally.add("unprotected", _true(marked))
        column = pc.if_else(marked, pc.utf8_slice_codeunits(column, 1), column)
    return column


def _trim(chunk: Any, tally: Tally) -> Any:
    """Return a flat array trimmed, and null where it is blank.

    Only cells that begin or end with a blank, or with a byte that is not ASCII, are made anew.
    """
    doubtful = pa.array(_outer(chunk))
    cells = chunk.filter(doubtful)
    if not len(cells):
        return chunk
    trimmed = pc.utf8_trim(cells, characters=BLANKS)
    tally.add("trimmed", _changed(cells, trimmed))
    return pc.replace_with_mask(chunk, doubtful, absent(trimmed))


def _outer(chunk: Any) -> Any:
    """Tell which cells of a flat array begin or end with a byte that may be of a blank."""
    _, offsets, data = chunk.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    if data is None or not len(chunk):
        return np.zeros(len(chunk), dtype=np.bool_)
    letters = np.append(np.frombuffer(data, dtype=np.uint8), np.uint8(0))
    suspect = (letters <= 0x20) | (letters >= 0x80)
    there = bounds[1:] > bounds[:-1]
    return there & (suspect.take(bounds[:-1]) | suspect.take(bounds[1:] - 1))


def absent(column: Column) -> Column:
    """Return a column with null where a cell is empty."""
    empty = pc.equal(column, "")
    return pc.if_else(empty, pa.scalar(None, column.type), column) if _true(empty) else column


def lower(column: Column, tally: Tally) -> Column:
    """Return a column with ASCII letters in lower case.

    Others stand as they are: the Kelvin sign in lower case would be the ``k`` of another id.
    """
    if not holds(column, "A", "Z"):
        return column
    lowered = pc.ascii_lower(column)
    tally.add("lowered", _true(pc.not_equal(column, lowered)))
    return lowered


def translate(column: Column, words: Mapping[str, int], tally: Tally) -> Column:
    """Return a column of weights with words replaced by what they stand for.

    Words are compared without regard to case; a word itself is trimmed and casefolded already.
    """
    encoded = pc.dictionary_encode(column).combine_chunks()
    written = encoded.dictionary.to_pylist()
    meant = [words.get(word.casefold()) for word in written]
    known = pa.array([weight is not None for weight in meant], pa.bool_())
    tally.add("translated", _true(pc.take(known, encoded.indices)))
    values = [
        word if weight is None else str(weight) for word, weight in zip(written, meant, strict=True)
    ]
    return pa.chunked_array([pc.take(pa.array(values, column.type), encoded.indices)])


def weights(column: Column) -> tuple[pd.Series, pd.Series]:
    """Return a column as whole numbers and the text of what is none, by `split_weight`.

    Weights repeat: each text is looked at once.
    """
    encoded = pc.dictionary_encode(column).combine_chunks()
    weight, text = split_weight(pd.Series(_STRING.__from_arrow__(encoded.dictionary)))
    places = pc.fill_null(encoded.indices, -1).to_numpy()
    # Behind the distinct values stands the missing one, which place -1 takes.
    values = np.append(weight.to_numpy(dtype=np.int64, na_value=0), 0)
    absent_there = np.append(weight.isna().to_numpy(), True)
    return (
        pd.Series(pd.arrays.IntegerArray(values[places], absent_there[places])),
        pd.Series(text.array.take(places, allow_fill=True))
        if text.notna().any()
        else series(missing(len(column))),
    )


def missing(rows: int) -> Column:
    """Return a column in which every cell is null."""
    return pa.chunked_array([pa.nulls(rows, pa.large_string())])


def series(column: Column) -> pd.Series:
    """Return a column as pandas' ``str``, without a copy."""
    return pd.Series(_STRING.__from_arrow__(column))


def holds(column: Column, first: str, last: str) -> bool:
    """Tell whether any byte of a column lies in a range, which may lead over 255 to 0.

    A glance at the bytes is far cheaper than to make new cells that are equal to the old.
    """
    start = np.uint8(ord(first))
    length = np.uint8((ord(last) - ord(first)) % 256)
    for chunk in column.chunks:
        data = chunk.buffers()[2]
        if data is not None and data.size:
            letters = np.frombuffer(data, dtype=np.uint8)
            if bool((letters - start <= length).any()):  # uint8 wraps around
                return True
    return False


def _changed(before: Column, after: Column) -> int:
    return _true(pc.not_equal(pc.binary_length(before), pc.binary_length(after)))


def _true(mask: Column) -> int:
    return int(pc.sum(mask, min_count=0).as_py())
