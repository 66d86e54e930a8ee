"""The options by which files are read, and what a reader is told of them.

Every command reads by `read`, so that whatever reading noted is said: a line a note on standard
error, ``note: routes.xlsx: sheet 'Cover' has no header of routes and was left out``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vcokit._text import pluralize, printable
from vcokit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILES: Final = "Inventories: CSV, workbook, JSON lines, Parquet; patterns; - is standard input."

Files = Annotated[list[str], typer.Argument(help=FILES, metavar="FILE")]
#: Bytes of files above which reading them is worth a bar.
_LONG: Final = 4_000_000

#: Hears a note.
Hear = Callable[[str], object]

Quota = Annotated[int | None, typer.Option(min=0, help="Routes a connection may have.")]


@dataclass(frozen=True)
class Shape:
    """What inventories look like, where that is not found."""

    weight_word: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD=N", help="Word that stands for a weight; may be repeated."),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="Column name of a field, where it is not found."),
    ] = None
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook; by default all.")] = None
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV; by default found.")] = None
    encoding: Annotated[str | None, typer.Option(help="Of a text; by default found.")] = None

    def read(
        self, files: Sequence[str], hear: Hear | None = None, region: str | None = None
    ) -> pd.DataFrame:
        """Return the routes of some files.

        Parameters
        ----------
        files : sequence of str
        hear : callable, optional
            Told the notes; by default a reader is.
        region : str, optional
            Region of rows that name none.

        Raises
        ------
        InputError
            If a file or an option cannot be used.
        """
        return read(
            files,
            hear,
            region=region,
            weights=self._weights(),
            columns=_pairs("--column", self.column) or None,
            sheet=self.sheet,
            delimiter=self.delimiter,
            encoding=self.encoding,
        )

    def _weights(self) -> Mapping[str, int] | None:
        words = _pairs("--weight-word", self.weight_word)
        wrong = [f"{word}={number}" for word, number in words.items() if not _is_number(number)]
        if wrong:
            raise InputError(f"--weight-word {wrong[0]!r}: no weight", remedy="Write standby=0")
        return {word: int(number) for word, number in words.items()} or None


@dataclass(frozen=True)
class Reading(Shape):
    """How inventories are read."""

    region: Annotated[str | None, typer.Option(help="Region of rows that name none.")] = None

    def read(
        self, files: Sequence[str], hear: Hear | None = None, region: str | None = None
    ) -> pd.DataFrame:
        """Return the routes of some files; see `Shape.read`."""
        return super().read(files, hear, region or self.region)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    wrong = [pair for pair in given or () if not all(part.strip() for part in pair.split("=", 1))]
    wrong += [pair for pair in given or () if "=" not in pair]
    if wrong:
        raise InputError(f"{option} {wrong[0]!r} is no pair", remedy="Write it like NAME=VALUE")
    return dict(pair.split("=", 1) for pair in given or ())


def read(files: Sequence[str], hear: Hear | None = None, **options: Any) -> pd.DataFrame:
    """Return the routes of some files, and say what was noted of them.

    Parameters
    ----------
    files : sequence of str
        Paths, patterns, ``-``.
    hear : callable, optional
        Told each note; by default notes go to standard error.
    **options
        Of `vcokit.read_routes`.

    Raises
    ------
    InputError
        If a file or an option cannot be used.
    """
    import pyarrow as pa

    from vcokit.inventory import read_routes
    from vcokit.inventory.read import notes_of

    with _bar() as progress:
        routes = read_routes([_path(name) for name in files], progress=progress, **options)
    # What reading needed is kept for the next time, which does not come: a tenth of the peak.
    pa.default_memory_pool().release_unused()
    for note in notes_of(routes):
        (hear or say_note)(note)
    return routes


def say_note(note: str) -> None:
    """Write a note to standard error, as one line."""
    print(f"note: {printable(note)}", file=sys.stderr)


def _path(name: str) -> str | Path:
    """Return a file's path; what `read_routes` would take for the text itself is none."""
    if not name or "\n" in name or "\r" in name or "\x00" in name:
        raise InputError(f"{name!r} is no file", remedy="Name a file, or - for standard input")
    return name if name == "-" else Path(name)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], object] | None]:
    """Give what shows bytes read as a bar, on a terminal and only for long files."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("Reading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("")

    def hear(done: int, total: int) -> None:
        if total >= _LONG and not bar.finished:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield hear
    finally:
        bar.stop()


def read_connections(name: str) -> pd.DataFrame:
    """Return the live connections of a file that ``vcokit live --connections`` wrote.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.LIVE_CONNECTIONS`; columns that the file lacks are missing values.

    Raises
    ------
    InventoryError
        If it cannot be read, or names no connections.
    """
    import pandas as pd

    from vcokit import schema
    from vcokit.errors import InventoryError
    from vcokit.inventory.sources import reason_of

    remedy = "Write it with: vcokit live --connections --output connections.csv"
    try:
        file = sys.stdin.buffer if name == "-" else _path(name)
        found = pd.read_csv(file, dtype="str", keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # pandas' and Unicode's are ValueErrors
        raise InventoryError(
            f"cannot be read ({reason_of(error)})", source=name, remedy=remedy
        ) from None
    lacking = [head for head in ("vpn_connection_id", "region_id") if head not in found.columns]
    if lacking:
        raise InventoryError(f"no column {lacking[0]}", source=name, remedy=remedy)
    cells = {
        head: found[head].str.removeprefix("'") for head in schema.LIVE_CONNECTIONS if head in found
    }
    for head in ("cross_account", "attached"):
        if head in cells:
            cells[head] = cells[head].str.lower().map({"true": True, "false": False})
    return schema.frame(schema.LIVE_CONNECTIONS, cells)


def named(files: Sequence[str], routes: pd.DataFrame) -> str:
    """Return what was read, in a line.

    Examples
    --------
    >>> import pandas as pd
    >>> named(["a.csv"], pd.DataFrame(index=range(1200)))
    'a.csv: 1,200 routes'
    """
    shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return f"{printable(shown)}: {pluralize(len(routes), 'route')}"
