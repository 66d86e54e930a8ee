r"""`write_routes`: a routes frame to a CSV that a spreadsheet opens safely and reads back equal.

=====================  =================================================================
the file               UTF-8, comma, LF, the heads of the API, then the other columns
missing                an empty cell
weight                 the number; where there is none, what stood in its place
starts with = + - @ '  a ``'`` before it, which `read_routes` takes away again; likewise
or a tab               before a tab. Numbers are left alone: a spreadsheet reads them right
``,`` ``"`` CR or LF   the cell in quotes, a ``"`` in it twice; no other cell is quoted
=====================  =================================================================

What is written to a path is complete before it bears that name: it goes to a temporary file
beside it, onto the disk, and then takes the name in one step.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.errors import InputError
from vcokit.inventory.cells import PROTECTED, Column
from vcokit.inventory.records import CELL_LIMIT
from vcokit.schema import (
    ROUTES,
    ROUTES_REQUIRED,
    conform_routes,
    field_of,
    require_columns,
    text_column,
)

#: The API's parameters, in the order of its documentation.
HEADS: Final = {
    "region_id": "RegionId",
    "vpn_connection_id": "VpnConnectionId",
    "route_dest": "RouteDest",
    "next_hop": "NextHop",
    "weight": "Weight",
    "description": "Description",
}

_BATCH: Final = 100_000  # rows that are joined into text at a time


class Writable(Protocol):
    """A file object, open for writing, binary or text."""

    def write(self, content: Any, /) -> Any:
        """Take in content."""


Target: TypeAlias = str | os.PathLike[str] | Writable


def write_routes(routes: pd.DataFrame, target: Target) -> None:
    r"""Write routes as a CSV file that is safe in a spreadsheet and reads back equal.

    `read_routes` returns the same six columns, ``weight_text`` and other columns, for every
    frame it could have returned itself. ``source`` and ``line`` are not written. Where values
    were made by hand, reading changes them as it changes any cell: blanks at the ends go,
    region, connection and next hop become lower case, numbers in other columns become text.

    Parameters
    ----------
    routes : DataFrame
        Routes; see `vcokit.schema.conform_routes` for what is accepted.
    target : str, path or file object
        A path is replaced in one step, or not at all; ``.gz`` packs it. A file object may be
        binary or text; open a text file with ``newline=""`` and UTF-8.

    Raises
    ------
    InputError
        If the frame lacks columns, holds what no CSV file can (a NUL, half a surrogate pair, a
        cell beyond 131,072 characters), or the target cannot be written.

    Notes
    -----
    A column whose name `read_routes` would take for a field (``Prefix``, say) is written with
    ``(file)`` behind its name.

    Examples
    --------
    >>> import io
    >>> from vcokit.inventory import read_routes
    >>> routes = read_routes('''region,connection,cidr,weight,Site
    ... cn-hangzhou,vco-a,10.1.0.0/16,100,"Berlin, old"
    ... cn-hangzhou,vco-a,10.2.0.0/16,abc,=1+1
    ... ''')
    >>> file = io.StringIO()
    >>> write_routes(routes, file)
    >>> print(file.getvalue())
    RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description,Site
    cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,,"Berlin, old"
    cn-hangzhou,vco-a,10.2.0.0/16,vco-a,abc,,'=1+1
    """
    columns = _columns(routes)
    try:
        if isinstance(target, str | os.PathLike):
            with _replacing(Path(target)) as file:
                _pour(columns, file)
        else:
            _pour(columns, target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"the target {_shown(target)} cannot be written: {reason}",
            remedy="Give a path in a directory that exists and is yours, or an open UTF-8 file",
        ) from error


def _columns(routes: pd.DataFrame) -> list[Column]:
    """Return the columns of the file, head first, every cell as it is written."""
    require_columns(routes, ROUTES_REQUIRED, what="routes")
    known = [name for name in (*HEADS, "weight_text") if name in routes.columns]
    require_columns(routes, known, what="routes")
    try:
        fields = conform_routes(routes[known])
        columns = [
            _column(head, _weights(fields) if name == "weight" else _text(fields[name]))
            for name, head in HEADS.items()
        ]
        others = [place for place, name in enumerate(routes.columns) if name not in ROUTES]
        return columns + [_extra(routes.iloc[:, place]) for place in others]
    except UnicodeEncodeError as error:
        raise InputError(
            f"routes hold half of a surrogate pair ({error.object[error.start]!a}), no character",
            remedy="Read the routes from their file again, by its path",
        ) from None


def _weights(fields: pd.DataFrame) -> Column:
    """Return weights as text. The number itself needs no protection, not even a negative one."""
    return pc.coalesce(_arrow(fields["weight"].astype("str")), _text(fields["weight_text"]))


def _extra(column: pd.Series) -> Column:
    """Return a column of the file that is no field."""
    head = str(column.name)
    head += " (file)" if field_of(head) else ""
    cells = text_column(column)
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    return _column(head, _arrow(cells) if numeric else _text(cells))


def _text(column: pd.Series) -> Column:
    return _protected(_arrow(column))


def _arrow(column: pd.Series) -> Column:
    return pa.chunked_array(pa.table({"": column}).column(0)).cast(pa.large_string())


def _protected(column: Column) -> Column:
    risky = pc.match_substring_regex(column, rf"^[{PROTECTED[:2]}\-{PROTECTED[3:]}]")
    return pc.if_else(risky, _joined(_scalar("'"), column), column)


def _column(head: str, cells: Column) -> Column:
    """Return head and cells with quotes where they are needed, missing cells empty."""
    head_cell = _protected(pa.chunked_array([pa.array([head], pa.large_string())]))
    cells = pc.fill_null(cells, "")
    _refuse_unreadable(head, head_cell)
    _refuse_unreadable(head, cells)
    column = pa.chunked_array([*head_cell.chunks, *cells.chunks])
    quoted = _joined(_scalar('"'), pc.replace_substring(column, '"', '""'), _scalar('"'))
    return pc.if_else(pc.match_substring_regex(column, '[",\r\n]'), quoted, column)


def _refuse_unreadable(head: str, cells: Column) -> None:
    """Raise for cells that no reader of CSV takes."""
    for what, bad in (
        ("a NUL", pc.match_substring(cells, "\0")),
        (f"more than {CELL_LIMIT:,} characters", pc.greater(pc.utf8_length(cells), CELL_LIMIT)),
    ):
        row = pc.index(bad, True).as_py()
        if row >= 0:
            raise InputError(
                f"column {head!r} holds {what} in row {row}, which no CSV file can",
                remedy="Mend the cell",
            )


def _scalar(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _joined(*parts: Any, by: str = "") -> Column:
    return pc.binary_join_element_wise(*parts, _scalar(by))


def _pour(columns: list[Column], file: Any) -> None:
    """Write the columns to an open file, binary or text, a batch of rows at a time."""
    text = _takes_text(file)
    for start in range(0, len(columns[0]), _BATCH):
        lines = _joined(*(column.slice(start, _BATCH) for column in columns), by=",")
        part = "\n".join(lines.to_pylist()) + "\n"
        file.write(part if text else part.encode("utf-8"))


def _takes_text(file: Any) -> bool:
    if not hasattr(file, "write"):
        raise InputError(
            f"routes cannot be written to a {type(file).__name__}",
            remedy="Give a path or an open file",
        )
    try:
        file.write("")
    except TypeError:
        return False
    return True


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Any]:
    """Open a file that takes the place of a path once it is complete and on the disk."""
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            with _packing(file) if path.suffix == ".gz" else contextlib.nullcontext(file) as inner:
                yield inner
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _packing(file: IO[bytes]) -> gzip.GzipFile:
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)  # same rows, same bytes


def _sync(directory: Path) -> None:
    """Bring the new name onto the disk, where directories can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _shown(target: object) -> str:
    return repr(os.fspath(target)) if isinstance(target, str | os.PathLike) else "file"
