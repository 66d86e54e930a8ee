r"""`write_routes`: a routes frame to a CSV that a spreadsheet opens safely and reads back equal.

=====================  =================================================================
the file               UTF-8, comma, LF, the heads of the API, then the other columns
missing                an empty cell
weight                 the number; where there is none, what stood in its place
starts with = + - @ '  a ``'`` before it, which `read_routes` takes away again; likewise
a tab or ＝ ＋ － ＠       before these. Numbers are left alone: a spreadsheet reads them right
``, ; |`` tab ``"``    the cell in quotes, a ``"`` in it twice; no other cell is quoted. Some
CR or LF               locales part cells at a semicolon
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.errors import InputError
from vcokit.inventory.cells import Column
from vcokit.inventory.files import PACKINGS, check_format, named_format
from vcokit.inventory.plain import json_lines, write_parquet
from vcokit.inventory.records import CELL_LIMIT
from vcokit.plain import PROTECTED, QUOTED
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


def write_routes(
    routes: pd.DataFrame,
    target: Target,
    *,
    format: str | None = None,  # noqa: A002
) -> None:
    r"""Write routes as a file that `read_routes` reads back equal: CSV, JSON lines or Parquet.

    `read_routes` returns the same six columns, ``weight_text`` and other columns, for every
    frame it could have returned itself. ``source`` and ``line`` are not written. Where values
    were made by hand, reading changes them as it changes any cell: blanks at the ends go,
    region, connection and next hop become lower case, numbers in other columns become text.

    Parameters
    ----------
    routes : DataFrame
        Routes; see `vcokit.schema.conform_routes` for what is accepted.
    target : str, path or file object
        A path is replaced in one step, or not at all. ``.jsonl``, ``.ndjson``, ``.parquet`` and
        ``.pq`` are written as such, ``.csv``, ``.tsv``, ``.tab``, ``.txt`` and names without an end
        as CSV; ``.gz`` and ``.zst`` pack it. A file object
        may be binary or text (not for Parquet); open a text file with ``newline=""`` and UTF-8.
    format : {"csv", "jsonl", "parquet"}, optional
        Format, whatever the name.

    Raises
    ------
    InputError
        If the frame lacks columns, holds what no text file can (a NUL, half a surrogate pair, a
        cell beyond 131,072 characters), the target cannot be written, or its name ends as that
        of a workbook, or in what means no format.

    Notes
    -----
    A column whose name `read_routes` would take for a field (``Prefix``, say) is written with
    ``(file)`` behind its name. CSV is safe in a spreadsheet; in JSON lines and Parquet cells stand
    as they are, under the names of the frame, and a leading tab is lost when they are read. JSON
    lines of no routes are an empty file, which is refused when it is read.

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
    pour = _writer(routes, _format(target, format))
    try:
        if isinstance(target, str | os.PathLike):
            with replacing(Path(target)) as file:
                pour(file)
        else:
            pour(target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"the target {_shown(target)} cannot be written: {reason}",
            remedy=_remedy(target),
        ) from error


def _remedy(target: object) -> str:
    if isinstance(target, str | os.PathLike):
        return "Give a path in a directory that exists and is yours, where there is room"
    return "Give an open file that takes UTF-8"


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that routes are written in under a name.

    Raises
    ------
    InputError
        If its end means no format, or a workbook.

    Examples
    --------
    >>> format_of("a.csv.gz"), format_of("a.JSONL"), format_of("routes")
    ('csv', 'jsonl', 'csv')
    >>> format_of("live.json")
    Traceback (most recent call last):
        ...
    vcokit.errors.base.InputError: the end of 'live.json' means no format. End it in .csv, .jsonl \
or .parquet, and .gz or .zst after it to pack it
    """
    return _format(path, None)


def _format(target: object, given: str | None) -> str:
    """Return the format to write."""
    check_format(given)
    path = Path(target) if isinstance(target, str | os.PathLike) else None
    named = None if path is None else named_format(path.name)
    found = given or named or "csv"
    if path is not None and not (given or named) and _says_another(path):
        raise InputError(
            f"the end of {_shown(target)} means no format",
            remedy="End it in .csv, .jsonl or .parquet, and .gz or .zst after it to pack it",
        )
    if found == "excel":
        raise InputError(
            f"{_shown(target)}: workbooks are not written",
            remedy="Write .csv, which is safe to open in a spreadsheet, and save it from there",
        )
    return found


def _says_another(path: Path) -> bool:
    """Tell whether a name ends in something, and is that of a file: a pipe may be called a.b."""
    ends = [end for end in path.suffixes[-2:] if end.lower() not in PACKINGS]
    return bool(ends) and (path.is_file() or not path.exists())


def _writer(routes: pd.DataFrame, format: str) -> Callable[[Any], None]:  # noqa: A002
    """Return what writes the routes to an open file; what cannot be written raises here."""
    if format == "csv":
        columns = _columns(routes)
        return lambda file: _pour(_csv_lines(columns), file)
    plain = plain_columns(routes)
    if format == "jsonl":
        return lambda file: _pour(json_lines(plain), file)
    return lambda file: write_parquet(plain, file)


def plain_columns(routes: pd.DataFrame) -> dict[str, Column]:
    """Return the columns of the frame as text, by name, unprotected; checked."""
    fields, others = _parts(routes)
    plain = {name: _arrow(fields[name]) for name in HEADS if name != "weight"}
    plain["weight"] = _weights(fields)
    columns = {name: plain[name] for name in HEADS}
    for column in others:
        if (head := _extra_head(column)) in columns:
            raise InputError(f"two columns would be called {head!r}", remedy="Rename one")
        columns[head] = _arrow(text_column(column))
    for name, column in columns.items():
        _refuse_unreadable(name, pa.chunked_array([pa.array([name], pa.large_string())]))
        _refuse_unreadable(name, column)
    return columns


def _parts(routes: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.Series]]:
    """Return the fields of routes in the shape of the schema, and the other columns."""
    require_columns(routes, ROUTES_REQUIRED, what="routes")
    known = [name for name in (*HEADS, "weight_text") if name in routes.columns]
    require_columns(routes, known, what="routes")
    others = [place for place, name in enumerate(routes.columns) if name not in ROUTES]
    _refuse_halves(routes)
    return conform_routes(routes[known]), [routes.iloc[:, place] for place in others]


def _refuse_halves(routes: pd.DataFrame) -> None:
    """Raise for half a surrogate pair: the audit spells it out, a file must not change a cell."""
    try:
        "".join(map(str, routes.columns)).encode("utf-8")
        for place, dtype in enumerate(routes.dtypes):
            if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_object_dtype(dtype):
                routes.iloc[:, place].astype("str")
    except UnicodeEncodeError as error:
        raise InputError(
            f"routes hold half of a surrogate pair ({error.object[error.start]!a}), no character",
            remedy="Read the routes from their file again, by its path",
        ) from None


def _columns(routes: pd.DataFrame) -> list[Column]:
    """Return the columns of a CSV file, head first, every cell as it is written."""
    fields, others = _parts(routes)
    columns = [
        _column(head, _protected_weights(fields) if name == "weight" else _text(fields[name]))
        for name, head in HEADS.items()
    ]
    return columns + [_extra(column) for column in others]


def _protected_weights(fields: pd.DataFrame) -> Column:
    """Return weights as text. The number itself needs no protection, not even a negative one."""
    return pc.coalesce(_arrow(fields["weight"].astype("str")), _text(fields["weight_text"]))


def _weights(fields: pd.DataFrame) -> Column:
    return pc.coalesce(_arrow(fields["weight"].astype("str")), _arrow(fields["weight_text"]))


def _extra(column: pd.Series) -> Column:
    """Return a column of the file that is no field."""
    cells = text_column(column)
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    return _column(_extra_head(column), _arrow(cells) if numeric else _text(cells))


def _extra_head(column: pd.Series) -> str:
    head = str(column.name)
    return head + (" (file)" if field_of(head) else "")


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
    return pc.if_else(pc.match_substring_regex(column, QUOTED), quoted, column)


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


def _csv_lines(columns: list[Column]) -> Iterator[str]:
    """Yield the lines of a CSV file, a batch of rows at a time."""
    for start in range(0, len(columns[0]), _BATCH):
        lines = _joined(*(column.slice(start, _BATCH) for column in columns), by=",")
        yield "\n".join(lines.to_pylist()) + "\n"


def _pour(parts: Iterator[str], file: Any) -> None:
    """Write text to an open file, binary or text."""
    text = _takes_text(file)
    for part in parts:
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
def replacing(path: Path, *, packed: bool = True) -> Iterator[Any]:
    """Open a file that takes the place of a path once it is complete and on the disk.

    Parameters
    ----------
    path : Path
    packed : bool
        Whether it is packed where its name ends so.
    """
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            with _packing(file, path.suffix.lower() if packed else "") as inner:
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


def _packing(file: IO[bytes], suffix: str) -> contextlib.AbstractContextManager[Any]:
    """Return what packs into a file, by the suffix of its name."""
    if suffix == ".gz":  # same rows, same bytes
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
    return _zstd(file) if suffix == ".zst" else contextlib.nullcontext(file)


@contextlib.contextmanager
def _zstd(file: IO[bytes]) -> Iterator[Any]:
    """Pack into a file. Arrow closes what it writes to, so it is given a second handle."""
    handle = os.fdopen(os.dup(file.fileno()), "wb")
    with pa.CompressedOutputStream(pa.PythonFile(handle, "w"), "zstd") as stream:
        yield stream


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
