r"""Where in its file a cell at fault stands: lines and columns, found by reading the file again.

Only lines with findings are looked at. Columns count characters (code points) from 1, the end is
that of the character behind the cell; quotes belong to the cell. Where a file cannot be read
again, is no CSV, or its line has changed, places are NA and the finding keeps its line alone.

=============  ===================================================================================
line, column   Int64, of the cell's first character
end_line,      Int64, of the character behind its last one; a quoted cell may hold line ends
end_column
exact          bool: the cell is, character by character but for blanks, quotes and case, what the
               routes say; only such a cell can be replaced
=============  ===================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit.errors import VcokitError
from vcokit.inventory.cells import clean_cell
from vcokit.inventory.files import open_source
from vcokit.inventory.text import decode
from vcokit.schema import FINDINGS, INT, require_columns

#: Lines that a record may go over; what needs more is not looked for.
_MOST_LINES: Final = 1_000

Span: TypeAlias = tuple[int, int, int, int]


def locate(findings: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the place of the cell at fault of each finding.

    Parameters
    ----------
    findings : DataFrame
        Of `vcokit.schema.FINDINGS`.
    routes : DataFrame
        From `vcokit.read_routes`; what it noted in ``attrs["read"]`` says how to read again.

    Returns
    -------
    DataFrame
        Columns line, column, end_line, end_column, exact; index and rows are the findings'.
    """
    require_columns(findings, tuple(FINDINGS), what="findings")
    files = {
        table["source"]: file
        for table in tables_of(routes)
        if (file := _File.of(table)) is not None
    }
    spans: list[Span | None] = []
    exact: list[bool] = []
    names = ["source", "line", "column", "row"]
    # In the order of the file, so that a line is taken apart once.
    for source, line, field, row in zip(*(findings[name] for name in names), strict=True):
        file = files.get(source) if isinstance(source, str) else None
        found = None if file is None or pd.isna(line) else file.cell(int(line), field)
        spans.append(found[0] if found else None)
        exact.append(found is not None and _same(found[1], routes[field].iloc[row]))
    return _frame(spans, exact, findings.index)


def tables_of(routes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what reading noted of each table of the routes."""
    read = routes.attrs.get("read") or {}
    return list(read.get("tables") or ([read] if "format" in read else []))


def _frame(spans: list[Span | None], exact: list[bool], index: pd.Index) -> pd.DataFrame:
    columns = list(zip(*(span or (None,) * 4 for span in spans), strict=True)) or [()] * 4
    names = ("line", "column", "end_line", "end_column")
    frame = pd.DataFrame(
        {name: pd.array(list(c), dtype=INT) for name, c in zip(names, columns, strict=True)},
        index=index,
    )
    return frame.assign(exact=np.array(exact, dtype=bool))


def _same(cell: str, value: object) -> bool:
    text = clean_cell(unquoted(cell))
    return text.casefold() == value.casefold() if isinstance(value, str) else not text


def unquoted(cell: str) -> str:
    """Return what a cell of a CSV file says.

    Examples
    --------
    >>> unquoted('"say ""a"" once"'), unquoted("plain")
    ('say "a" once', 'plain')
    """
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if quoted else cell


@dataclass
class _File:
    """A CSV file that was read again."""

    data: bytes
    starts: npt.NDArray[np.int64]
    cells: re.Pattern[str]
    fields: Mapping[str, int]
    at: tuple[int, list[tuple[str, int, int]]] = (0, [])

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> _File | None:
        """Read the file of a table again; None where that cannot be, or finds other heads."""
        if table["format"] != "csv" or table["source"].startswith("<"):
            return None
        try:
            opened = open_source(table["source"])
            data = decode(opened.name, opened.content, table["encoding"]).data
        except (VcokitError, OSError, ValueError):
            return None
        file = cls(data, _starts(data), _pattern(table["delimiter"]), {})
        heads = [clean_cell(unquoted(cell[0])) for cell in file._record(table["head_line"])]
        file.fields = {
            field: heads.index(head)
            for head, field in table["columns"].items()
            if heads.count(head) == 1
        }
        return file if file.fields else None

    def cell(self, line: int, field: object) -> tuple[Span, str] | None:
        """Return where the cell of a field stands in the record of a line, and its text."""
        place = self.fields.get(str(field))
        if place is None:
            return None
        if self.at[0] != line:
            self.at = (line, self._record(line))
        if place >= len(self.at[1]):
            return None
        cell, start, end = self.at[1][place]
        text = self._text(line)
        return (*_position(text, start, line), *_position(text, end, line)), cell

    def _record(self, line: int) -> list[tuple[str, int, int]]:
        text = self._text(line)
        found: list[tuple[str, int, int]] = []
        for match in self.cells.finditer(text):
            found.append((match[1], match.start(1), match.end(1)))
            if not match[2] or match[2] in "\r\n":
                break
        return found

    def _text(self, line: int) -> str:
        """Return the text from the start of a line to where its quotes are closed."""
        last = len(self.starts) - 1
        if not 0 < line <= last:
            return ""
        for end in range(line, min(line + _MOST_LINES, last)):
            piece = self.data[self.starts[line - 1] : self.starts[end]]
            if piece.count(b'"') % 2 == 0:
                return piece.decode("utf-8", "replace")
        return self.data[self.starts[line - 1] : self.starts[line]].decode("utf-8", "replace")


def _pattern(delimiter: str) -> re.Pattern[str]:
    """Return what a cell is, and what ends it."""
    mark = re.escape(delimiter)
    return re.compile(rf'("(?:[^"]|"")*"(?=[{mark}\r\n]|\Z)|[^{mark}\r\n]*)([{mark}\r\n]|\Z)')


def _starts(data: bytes) -> npt.NDArray[np.int64]:
    """Return where each line begins, and the end of the data."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = codes == ord("\n")
    alone = np.flatnonzero(codes == ord("\r"))
    ends[alone] = codes.take(alone + 1, mode="clip") != ord("\n") if len(codes) else False
    starts = np.flatnonzero(ends) + 1
    return np.concatenate([[0], starts, [len(data)]]).astype(np.int64)


def _position(text: str, offset: int, line: int) -> tuple[int, int]:
    """Return line and column of a character of the text that begins at a line."""
    before = re.split(r"\r\n|\r|\n", text[:offset])
    return line + len(before) - 1, len(before[-1]) + 1
