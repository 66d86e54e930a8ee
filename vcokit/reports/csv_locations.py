r"""Line and column of a faulty cell in its file, found by reading the file again.

Only lines with findings are read. Columns count characters (code points) from 1. The end is the
position after the cell; quotes belong to the cell. If a file cannot be read again, is not CSV, or
its line has changed, the positions are NA and the finding keeps only its line.

=============  ===================================================================================
line, column   Int64, of the cell's first character
end_line,      Int64, of the character after its last one; a quoted cell may contain line ends
end_column
exact          bool: the cell has the same text as the routes, except for blanks, quotes and case;
               only such a cell can be replaced
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

#: Most lines of a record; cells of a longer record are not located.
_MOST_LINES: Final = 1_024

Span: TypeAlias = tuple[int, int, int, int]
#: A cell as written in the file, and its start and end in the text of its record.
_Cell: TypeAlias = tuple[str, int, int]
_Record: TypeAlias = tuple[str, list[_Cell]]

#: Columns of routes whose values may come from a file.
_SAID: Final = (*ROUTES_REQUIRED, "description", "weight_text")
#: Separators of several destinations in one cell.
_PARTS: Final = re.compile(r"[^0-9a-z./:]+")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*+)(?:"|\Z)(.*)', re.DOTALL)


def locate_cells(findings: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
    """Return the position of the faulty cell of each finding.

    Parameters
    ----------
    findings : DataFrame
        With the schema `vcokit.schema.FINDINGS`.
    routes : DataFrame
        From `vcokit.read_routes`; its ``attrs["read"]`` describes how to read the files again.

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
    # In the order of the file, so that each line is parsed once.
    for source, line, field, row in zip(
        *(findings[name] for name in names), values or [{}] * len(rows), strict=True
    ):
        file = files.get(source) if isinstance(source, str) else None
        found = None if file is None or pd.isna(line) else file.cell(int(line), field, row)
        spans.append(found[0] if found else None)
        exact.append(found is not None and _same(found[1], row.get(str(field))))
    return _frame(spans, exact, findings.index)


def tables_of(routes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the notes of the reader about each table of the routes."""
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
    """Return whether a cell can be the origin of a row's value in a field.

    An empty cell may have been filled: with the region of the sheet, or with the connection as next
    hop. A destination may be one of several in its cell, or combined with a mask in another cell.
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
    """Return the value of a CSV cell, even if there is text after its closing quote.

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
        """Read the file of a table again; None if that fails or the header has changed."""
        if table["format"] != "csv" or table["source"].startswith("<"):
            return None
        try:
            opened = open_source(table["source"])
            if opened.notes:  # decompressed: an editor does not show these lines
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
        """Return the position and text of the cell of a field in the record of a line.

        None if there is no such cell, or if the row was not read from this record.
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
        """Return a text that begins with the record of a line, and the cells of the record.

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
        """Return the cells of the first record in a text, and whether a quote is still open."""
        found = []
        is_open = False
        for match in self.cells.finditer(text):
            found.append((match[1], match.start(1), match.end(1)))
            is_open = match[1][:1] == '"' and match[2] is None
            if not match[3] or match[3] in "\r\n":
                break
        return found, is_open


def _pattern(delimiter: str) -> re.Pattern[str]:
    """Return a pattern for a cell, its closing quote, and its end.

    It follows the `csv` module, which reads these files: text after the closing quote belongs to
    the cell, up to the next delimiter. A quote inside an unquoted cell is an ordinary character.
    """
    mark = re.escape(delimiter)
    quoted = rf'"(?:[^"]|"")*+(?:(")[^{mark}\r\n]*|\Z)'
    return re.compile(rf"({quoted}|[^{mark}\r\n]*)([{mark}\r\n]|\Z)")


def _starts(data: bytes) -> npt.NDArray[np.int64]:
    """Return the offset of each line, and of the end of the data."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = codes == ord("\n")
    alone = np.flatnonzero(codes == ord("\r"))
    ends[alone] = codes.take(alone + 1, mode="clip") != ord("\n") if len(codes) else False
    starts = np.flatnonzero(ends) + 1
    return np.concatenate([[0], starts, [len(data)]]).astype(np.int64)


def _position(text: str, offset: int, line: int) -> tuple[int, int]:
    """Return line and column of a character in a text that begins on a given line."""
    before = re.split(r"\r\n|\r|\n", text[:offset])
    return line + len(before) - 1, len(before[-1]) + 1
