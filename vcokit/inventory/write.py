r"""`write_routes`: writes a routes frame to a file that reads back equal: CSV, JSON lines, Parquet.

=====================  =================================================================
a CSV file             UTF-8, comma, LF; columns with the API's names, then the others
missing                an empty cell
weight                 the number, or the original text if it is not a number
starts with = + - @ '  a ``'`` is added in front, which `read_routes` removes again; also
a tab or ＝ ＋ － ＠       for these. Numbers are unchanged: spreadsheets read them correctly
``, ; |`` tab ``"``    the cell is quoted, with ``"`` doubled; no other cell is quoted. In
CR or LF               some locales, cells are separated by semicolons
=====================  =================================================================

JSON lines and Parquet have the names of the frame, unchanged cells, and integer weights as numbers.

A file is complete before it appears under its path: it is written to a temporary file in the same
folder, flushed to the disk, and then renamed in one step.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit._text import QUOTED
from vcokit.errors import InputError
from vcokit.inventory.clean import RISKY, STRING, Column, unreadable
from vcokit.inventory.header import canonical_name
from vcokit.inventory.sources import COMPRESSED, check_format, named_format
from vcokit.inventory.terraform import terraform_blocks
from vcokit.schema import (
    ROUTES,
    ROUTES_REQUIRED,
    conform_routes,
    require_columns,
    text_column,
)

#: The API's parameters, in the order of its documentation.
PARAMETERS: Final = {
    "region_id": "RegionId",
    "vpn_connection_id": "VpnConnectionId",
    "route_dest": "RouteDest",
    "next_hop": "NextHop",
    "weight": "Weight",
    "description": "Description",
}

_BATCH: Final = 20_000  # most rows that are Python objects at a time
_NUMBER: Final = r"^(?:0|-?[1-9][0-9]{0,17})$"  # up to 18 digits, as in `vcokit.schema`


class Writable(Protocol):
    """A file object, open for writing, binary or text."""

    def write(self, content: Any, /) -> Any:
        """Write content."""


Target: TypeAlias = str | os.PathLike[str] | Writable


def write_routes(
    routes: pd.DataFrame,
    target: Target,
    *,
    format: str | None = None,  # noqa: A002
) -> None:
    r"""Write routes to a file that `read_routes` reads back equal: CSV, JSON lines or Parquet.

    For every frame that `read_routes` could have returned, it returns the same six columns,
    ``weight_text`` and other columns. ``source`` and ``line`` are not written. In frames made by
    other means, reading changes values as it changes any cell: blanks at the ends are removed,
    region, connection and next hop become lower case, numbers in other columns become text.

    Parameters
    ----------
    routes : DataFrame
        Routes; see `vcokit.schema.conform_routes` for what is accepted.
    target : str, path or file object
        A path is replaced in one step, or not at all. The suffix decides the format: ``.jsonl``
        and ``.ndjson`` mean JSON lines, ``.parquet`` and ``.pq`` Parquet, ``.tf`` Terraform (see
        `vcokit.inventory.terraform`; `read_routes` can read its ``terraform show -json``),
        ``.csv``, ``.tsv``, ``.tab``, ``.txt`` and names without a suffix CSV; with an additional
        ``.gz`` or ``.zst`` the file is compressed. A file object may be binary or text (not for
        Parquet); open a text file with ``newline=""`` and UTF-8.
    format : {"csv", "jsonl", "parquet", "terraform"}, optional
        Format, whatever the name.

    Raises
    ------
    InputError
        If the frame lacks columns, contains what a text file cannot (a NUL, a lone surrogate, a
        cell longer than 131,072 characters), the target cannot be written, or its name has the
        suffix of a workbook or an unknown suffix.

    Notes
    -----
    A column whose name `read_routes` would read as a field (such as ``Prefix``) is written with
    ``(file)`` appended to its name. CSV is safe in a spreadsheet. In JSON lines and Parquet, cells
    are unchanged, under the names of the frame, and a leading tab is lost when they are read. With
    no routes, the JSON lines file is empty, and `read_routes` refuses it.

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
    return "Give an open file that accepts UTF-8"


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format in which routes are written to a path.

    Raises
    ------
    InputError
        If its suffix is unknown, or that of a workbook.

    Examples
    --------
    >>> format_of("a.csv.gz"), format_of("a.JSONL"), format_of("routes")
    ('csv', 'jsonl', 'csv')
    >>> format_of("live.json")
    Traceback (most recent call last):
        ...
    vcokit.errors.InputError: the end of 'live.json' means no format. End it in .csv, .jsonl, \
.parquet or .tf, and .gz or .zst after it to pack it
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
            remedy="End it in .csv, .jsonl, .parquet or .tf, and .gz or .zst after it to pack it",
        )
    if found == "excel":
        raise InputError(
            f"{_shown(target)}: workbooks cannot be written",
            remedy="Write .csv, which is safe to open in a spreadsheet, and save it from there",
        )
    return found


def _says_another(path: Path) -> bool:
    """Return whether a path has a suffix and is not a device or pipe, which may be named a.b."""
    ends = [end for end in path.suffixes[-2:] if end.lower() not in COMPRESSED]
    return bool(ends) and (path.is_file() or not path.exists())


def _writer(routes: pd.DataFrame, format: str) -> Callable[[Any], None]:  # noqa: A002
    """Return a function that writes the routes to an open file; check the routes here."""
    columns = _columns(routes)
    if format == "terraform":
        blocks = list(terraform_blocks(routes))
        return lambda file: _pour(iter(blocks), file)
    if format == "csv":
        cells = [_csv_column(column) for column in columns]
        return lambda file: _pour(_csv_lines(cells), file)
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two columns would be called {name!r}", remedy="Rename one")
    plain = {column.name: column.cells for column in columns}
    if format == "jsonl":
        return lambda file: _pour(_json_lines(plain), file)
    return lambda file: _write_parquet(plain, file)


@dataclass(frozen=True)
class _Column:
    """A column of text, null for missing cells; ``numbers`` is a mask of the cells with numbers."""

    name: str
    cells: Column
    numbers: Any


def _columns(routes: pd.DataFrame) -> list[_Column]:
    """Check the frame and return its columns as text, the six fields first."""
    require_columns(routes, ROUTES_REQUIRED, what="routes")
    known = [name for name in (*PARAMETERS, "weight_text") if name in routes.columns]
    require_columns(routes, known, what="routes")
    _refuse_halves(routes)
    fields = conform_routes(routes[known])
    columns = []
    for name in PARAMETERS:
        cells, numbers = _arrow(fields[name].astype("str")), pa.scalar(False)
        if name == "weight":
            numbers = pc.is_valid(cells)
            cells = pc.coalesce(cells, _arrow(fields["weight_text"]))
        columns.append(_Column(name, cells, numbers))
    for place, label in enumerate(routes.columns):
        if label not in ROUTES:
            cells = routes.iloc[:, place]
            name = f"{label}{' (file)' * (canonical_name(str(label)) is not None)}"
            is_number = pa.scalar(pd.api.types.is_numeric_dtype(cells.dtype))
            columns.append(_Column(name, _arrow(text_column(cells)), is_number))
    for column in columns:
        _refuse_unreadable(column)
    return columns


def _refuse_halves(routes: pd.DataFrame) -> None:
    """Raise for a lone surrogate: the audit can escape it, but a file must not change a cell."""
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


def _refuse_unreadable(column: _Column) -> None:
    """Raise for content that readers of text reject."""
    for cells, where in ((_one(column.name), "in its name"), (column.cells, "in row {}")):
        for what, bad in unreadable(cells):
            row = where.format(pc.index(bad, True).as_py())
            raise InputError(
                f"column {column.name!r} holds {what} {row}, which no file can",
                remedy="Correct the cell",
            )


def _one(cell: str) -> Column:
    return pa.chunked_array([pa.array([cell], STRING)])


def _arrow(column: pd.Series) -> Column:
    return pa.chunked_array(pa.table({"": column}).column(0)).cast(STRING)


def _csv_column(column: _Column) -> Column:
    """Return name and cells in the form of a CSV file: protected, and quoted if necessary."""
    name = _protected(_one(PARAMETERS.get(column.name, column.name)), pa.scalar(False))
    cells = pc.fill_null(_protected(column.cells, column.numbers), "")
    cells = pa.chunked_array([*name.chunks, *cells.chunks])
    quoted = _joined(_scalar('"'), pc.replace_substring(cells, '"', '""'), _scalar('"'))
    return pc.if_else(pc.match_substring_regex(cells, QUOTED), quoted, cells)


def _protected(cells: Column, numbers: Any) -> Column:
    """Return cells with a ``'`` before content that a spreadsheet would compute, except numbers."""
    risky = pc.and_(pc.match_substring_regex(cells, f"^{RISKY}"), pc.invert(numbers))
    return pc.if_else(risky, _joined(_scalar("'"), cells), cells)


def _scalar(text: str) -> Any:
    return pa.scalar(text, STRING)


def _joined(*parts: Any, by: str = "") -> Column:
    return pc.binary_join_element_wise(*parts, _scalar(by))


def _csv_lines(columns: Sequence[Column]) -> Iterator[str]:
    """Yield the text of a CSV file, one batch of rows at a time."""
    for start in range(0, len(columns[0]), _BATCH):
        lines = _joined(*(column.slice(start, _BATCH) for column in columns), by=",")
        yield "\n".join(lines.to_pylist()) + "\n"


def _json_lines(columns: dict[str, Column]) -> Iterator[str]:
    """Yield rows as JSON, one object per line, a batch at a time; missing cells are null."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    is_number = pc.fill_null(pc.match_substring_regex(columns["weight"], _NUMBER), False)
    for start in range(0, len(is_number), _BATCH):
        cells = {name: column.slice(start, _BATCH).to_pylist() for name, column in columns.items()}
        numbers = is_number.slice(start, _BATCH).to_pylist()
        cells["weight"] = [
            int(w) if n else w for w, n in zip(cells["weight"], numbers, strict=True)
        ]
        rows = zip(*cells.values(), strict=True)
        yield "".join(encode(dict(zip(cells, row, strict=True))) + "\n" for row in rows)


def _write_parquet(columns: dict[str, Column], file: Any) -> None:
    """Write columns to an open binary file; weights are int64 if all of them are numbers."""
    import pyarrow.parquet as pq  # imported here: it takes a tenth of the time of importing pandas

    is_number = pc.match_substring_regex(columns["weight"], _NUMBER)
    if pc.all(pc.fill_null(is_number, True)).as_py():
        columns = {**columns, "weight": columns["weight"].cast(pa.int64())}
    try:
        pq.write_table(pa.table(columns), file)
    except TypeError as error:  # a text file
        raise InputError(
            "Parquet is written to a path or a binary file", remedy='Open it with mode "wb"'
        ) from error


def _pour(parts: Iterator[str], file: Any) -> None:
    """Write text to an open file, binary or text."""
    takes_text = _takes_text(file)
    for part in parts:
        file.write(part if takes_text else part.encode("utf-8"))


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
    """Open a file that replaces a path once it is complete and on the disk.

    ``packed`` is whether to compress it if its suffix is that of a compressed file.
    """
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))  # replace the target of a link, not the link
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
    """Return a context manager that compresses into a file, by the suffix of its name."""
    if suffix == ".gz":  # without name and time, so that the same rows give the same bytes
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
    return _zstd(file) if suffix == ".zst" else contextlib.nullcontext(file)


@contextlib.contextmanager
def _zstd(file: IO[bytes]) -> Iterator[Any]:
    """Compress into a file. Arrow closes the handle it writes to, so it gets a second one."""
    handle = os.fdopen(os.dup(file.fileno()), "wb")
    with pa.CompressedOutputStream(pa.PythonFile(handle, "w"), "zstd") as stream:
        yield stream


def _sync(directory: Path) -> None:
    """Flush a directory to the disk, if directories can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _shown(target: object) -> str:
    return repr(os.fspath(target)) if isinstance(target, str | os.PathLike) else "file"
