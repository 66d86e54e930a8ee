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
from vcokit.inventory.clean import clean_cell
from vcokit.inventory.encoding import decode
from vcokit.inventory.sources import open_source
from vcokit.reports.report import to_list
from vcokit.schema import FINDINGS, INT, ROUTES_REQUIRED, require_columns

#: Lines that a record may go over; what needs more is not looked for.
_MOST_LINES: Final = 1_024

Span: TypeAlias = tuple[int, int, int, int]
#: A cell as it stands, and where in the text of its record.
_Cell: TypeAlias = tuple[str, int, int]
_Record: TypeAlias = tuple[str, list[_Cell]]

#: What routes say that a file may have told.
_SAID: Final = (*ROUTES_REQUIRED, "description", "weight_text")
#: What parts several destinations in one cell.
_PARTS: Final = re.compile(r"[^0-9a-z./:]+")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*+)(?:"|\Z)(.*)', re.DOTALL)


def locate_cells(findings: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
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
    rows = findings["row"].to_numpy()
    said = {name: to_list(routes[name].iloc[rows]) for name in _SAID if name in routes}
    values = [dict(zip(said, cells, strict=True)) for cells in zip(*said.values(), strict=True)]
    spans: list[Span | None] = []
    exact: list[bool] = []
    names = ["source", "line", "column"]
    # In the order of the file, so that a line is taken apart once.
    for source, line, field, row in zip(
        *(findings[name] for name in names), values or [{}] * len(rows), strict=True
    ):
        file = files.get(source) if isinstance(source, str) else None
        found = None if file is None or pd.isna(line) else file.cell(int(line), field, row)
        spans.append(found[0] if found else None)
        exact.append(found is not None and _same(found[1], row.get(str(field))))
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


def _accounts(field: str, cell: str, row: Mapping[str, Any]) -> bool:
    """Tell whether reading a cell gives what a row says in a field, as far as can be told.

    An empty cell may have been filled: with the region of the sheet, or the connection for a next
    hop. A destination may be one of several in its cell, or put together with the mask beside it.
    A weight may be a word.
    """
    text = clean_cell(unquoted(cell)).casefold()
    value = row.get("weight_text") if field == "weight" and row[field] is None else row[field]
    said = "" if value is None else str(value).casefold()
    if text == said:
        return True
    if field == "route_dest":
        return said != "" and (text == said.partition("/")[0] or said in _PARTS.split(text))
    if field == "weight":
        is_word = row[field] is not None and not text[:1].isdecimal()
        return text != "" and (is_word or re.sub(r"\.0+$", "", text) == said)
    return text == ""


def unquoted(cell: str) -> str:
    """Return what a cell of a CSV file says, also one with something behind its quotes.

    Examples
    --------
    >>> unquoted('"say ""a"" once"'), unquoted("plain"), unquoted('"a,b"c')
    ('say "a" once', 'plain', 'a,bc')
    """
    found = _QUOTED.fullmatch(cell)
    return found[1].replace('""', '"') + found[2] if found else cell


@dataclass
class _File:
    """A CSV file that was read again."""

    data: bytes
    starts: npt.NDArray[np.int64]
    cells: re.Pattern[str]
    fields: Mapping[str, int]
    at: tuple[int, _Record] = (0, ("", []))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> _File | None:
        """Read the file of a table again; None where that cannot be, or finds other heads."""
        if table["format"] != "csv" or table["source"].startswith("<"):
            return None
        try:
            opened = open_source(table["source"])
            if opened.notes:  # unpacked: nobody sees these lines
                return None
            data = decode(opened.name, opened.content, table["encoding"]).data
        except (VcokitError, OSError, ValueError):
            return None
        file = cls(data, _starts(data), _pattern(table["delimiter"]), {})
        heads = [clean_cell(unquoted(cell[0])) for cell in file._record(table["head_line"])[1]]
        file.fields = {
            field: heads.index(head)
            for head, field in table["columns"].items()
            if heads.count(head) == 1
        }
        return file if file.fields else None

    def cell(self, line: int, field: object, row: Mapping[str, Any]) -> tuple[Span, str] | None:
        """Return where the cell of a field stands in the record of a line, and its text.

        None where there is no such cell, or the record is not the one that a row was read from.
        """
        place = self.fields.get(str(field))
        if place is None:
            return None
        if self.at[0] != line:
            self.at = (line, self._record(line))
        text, record = self.at[1]
        if place >= len(record) or not self._is_of(record, row):
            return None
        cell, start, end = record[place]
        return (*_position(text, start, line), *_position(text, end, line)), cell

    def _is_of(self, record: list[_Cell], row: Mapping[str, Any]) -> bool:
        return all(
            _accounts(field, record[place][0] if place < len(record) else "", row)
            for field, place in self.fields.items()
            if field in ROUTES_REQUIRED
        )

    def _record(self, line: int) -> _Record:
        """Return the text of the record that starts on a line, and its cells; the text may go on.

        Lines are added until no quote is open.
        """
        last = len(self.starts) - 1
        text, found = "", list[_Cell]()
        size = 1
        while 0 < line <= last and size <= _MOST_LINES:
            end = min(line - 1 + size, last)
            piece = self.data[self.starts[line - 1] : self.starts[end]]
            text = piece.decode("utf-8", "replace")
            found, is_open = self._cells(text)
            if not is_open or end == last:
                break
            size *= 2
        return text, found

    def _cells(self, text: str) -> tuple[list[_Cell], bool]:
        """Return the cells of the record that a text begins with, and whether a quote is open."""
        found = []
        is_open = False
        for match in self.cells.finditer(text):
            found.append((match[1], match.start(1), match.end(1)))
            is_open = match[1][:1] == '"' and match[2] is None
            if not match[3] or match[3] in "\r\n":
                break
        return found, is_open


def _pattern(delimiter: str) -> re.Pattern[str]:
    """Return what a cell is, the quote that closes it, and what ends it.

    As the `csv` module has it, that reads such files: behind the closing quote the cell goes on to
    the next delimiter, and a quote that is not its first character is one like any other.
    """
    mark = re.escape(delimiter)
    quoted = rf'"(?:[^"]|"")*+(?:(")[^{mark}\r\n]*|\Z)'
    return re.compile(rf"({quoted}|[^{mark}\r\n]*)([{mark}\r\n]|\Z)")


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
