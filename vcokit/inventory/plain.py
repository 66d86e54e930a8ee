"""Columns of text as JSON lines and Parquet: the names of the frame, whole weights as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vcokit.errors import InputError
from vcokit.inventory.cells import Column

_BATCH: Final = 20_000  # rows that are Python objects at a time
_NUMBER: Final = r"^(?:0|-?[1-9][0-9]{0,17})$"  # of 18 digits, as `vcokit.schema` has it


def json_lines(columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield rows as JSON, an object a line, a batch at a time; a missing cell is null.

    Parameters
    ----------
    columns : mapping of str to chunked array of large_string
        Under ``weight``, what is a whole number is written as one.
    """
    names = list(columns)
    numbers = pc.fill_null(pc.match_substring_regex(columns["weight"], _NUMBER), False)
    encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
    for start in range(0, len(numbers), _BATCH):
        cells = [column.slice(start, _BATCH).to_pylist() for column in columns.values()]
        whole = numbers.slice(start, _BATCH).to_pylist()
        place = names.index("weight")
        cells[place] = [int(w) if n else w for w, n in zip(cells[place], whole, strict=True)]
        rows = zip(*cells, strict=True)
        lines = (encode(dict(zip(names, row, strict=True))) for row in rows)
        yield "\n".join(lines) + "\n"


def write_parquet(columns: Mapping[str, Column], file: Any) -> None:
    """Write columns to an open binary file; weights are int64 where all of them are numbers."""
    import pyarrow.parquet as pq  # costs a tenth of importing pandas

    typed = dict(columns)
    numbers = pc.match_substring_regex(typed["weight"], _NUMBER)
    if pc.all(pc.fill_null(numbers, True)).as_py():
        typed["weight"] = typed["weight"].cast(pa.int64())
    try:
        pq.write_table(pa.table(typed), file)
    except TypeError as error:  # a text file
        raise InputError(
            "Parquet is written to a path or a binary file", remedy='Open it with mode "wb"'
        ) from error
