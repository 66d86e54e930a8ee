r"""`write_routes`: a routes frame to a file that reads back equal: CSV, JSON lines or Parquet.

=====================  =================================================================
a CSV file             UTF-8, comma, LF, the API's names of columns, then the other ones
missing                an empty cell
weight                 the number; where there is none, what stood in its place
starts with = + - @ '  a ``'`` before it, which `read_routes` takes away again; likewise
a tab or ＝ ＋ － ＠       before these. Numbers are left alone: a spreadsheet reads them right
``, ; |`` tab ``"``    the cell in quotes, a ``"`` in it twice; no other cell is quoted. Some
CR or LF               locales separate cells at a semicolon
=====================  =================================================================

JSON lines and Parquet have the names of the frame, cells as they are, and whole weights as numbers.

What is written to a path is complete before it gets that name: it goes to a temporary file
beside it, onto the disk, and then takes the name in one step.
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

_BATCH: Final = 20_000  # rows that are Python objects at a time
_NUMBER: Final = r"^(?:0|-?[1-9][0-9]{0,17})$"  # of 18 digits, as `vcokit.schema` has it


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
        ``.pq`` are written as such, ``.tf`` as Terraform (see
        `vcokit.inventory.terraform`; `read_routes` reads what ``terraform show -json`` prints of
        it), ``.csv``, ``.tsv``, ``.tab``, ``.txt`` and names without an end
        as CSV; ``.gz`` and ``.zst`` pack it. A file object
        may be binary or text (not for Parquet); open a text file with ``newline=""`` and UTF-8.
    format : {"csv", "jsonl", "parquet", "terraform"}, optional
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
            f"{_shown(target)}: workbooks are not written",
            remedy="Write .csv, which is safe to open in a spreadsheet, and save it from there",
        )
    return found


def _says_another(path: Path) -> bool:
    """Tell whether a name ends in something, and is that of a file: a pipe may be called a.b."""
    ends = [end for end in path.suffixes[-2:] if end.lower() not in COMPRESSED]
    return bool(ends) and (path.is_file() or not path.exists())


def _writer(routes: pd.DataFrame, format: str) -> Callable[[Any], None]:  # noqa: A002
    """Return what writes the routes to an open file; what cannot be written raises here."""
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
    """A column of text, null where a cell is missing; ``numbers`` tells which cells are numbers."""

    name: str
    cells: Column
    numbers: Any


def _columns(routes: pd.DataFrame) -> list[_Column]:
    """Return the columns of the frame as text, the six fields first; checked."""
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


def _refuse_unreadable(column: _Column) -> None:
    """Raise for what no reader of text takes."""
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
    """Return name and cells as a CSV file holds them: protected, quoted where need be."""
    name = _protected(_one(PARAMETERS.get(column.name, column.name)), pa.scalar(False))
    cells = pc.fill_null(_protected(column.cells, column.numbers), "")
    cells = pa.chunked_array([*name.chunks, *cells.chunks])
    quoted = _joined(_scalar('"'), pc.replace_substring(cells, '"', '""'), _scalar('"'))
    return pc.if_else(pc.match_substring_regex(cells, QUOTED), quoted, cells)


def _protected(cells: Column, numbers: Any) -> Column:
    """Return cells with a ``'`` before what a spreadsheet would compute, but for numbers."""
    risky = pc.and_(pc.match_substring_regex(cells, f"^{RISKY}"), pc.invert(numbers))
    return pc.if_else(risky, _joined(_scalar("'"), cells), cells)


def _scalar(text: str) -> Any:
    return pa.scalar(text, STRING)


def _joined(*parts: Any, by: str = "") -> Column:
    return pc.binary_join_element_wise(*parts, _scalar(by))


def _csv_lines(columns: Sequence[Column]) -> Iterator[str]:
    """Yield the lines of a CSV file, a batch of rows at a time."""
    for start in range(0, len(columns[0]), _BATCH):
        lines = _joined(*(column.slice(start, _BATCH) for column in columns), by=",")
        yield "\n".join(lines.to_pylist()) + "\n"


def _json_lines(columns: dict[str, Column]) -> Iterator[str]:
    """Yield rows as JSON, an object a line, a batch at a time; a missing cell is null."""
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
    """Write columns to an open binary file; weights are int64 where all of them are numbers."""
    import pyarrow.parquet as pq  # costs a tenth of importing pandas

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
    """Open a file that takes the place of a path once it is complete and on the disk.

    ``packed`` tells whether it is compressed where its name ends so.
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
