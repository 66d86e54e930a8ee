"""The output of commands. It is safe to display, and never overwrites a file that is read.

::

    console(), error_console()   tables and messages; colours only on a terminal
    print_frame()                a frame as a table, JSON or CSV
    write_stdout()               the content of a file: the same bytes in every terminal encoding
    write_atomic()               a file, complete or not at all
    pipe_safe_streams()          the command continues if its reader closes the pipe (`| head`)
    check_output_paths()         refuse to overwrite a file that the command needs

rich is imported only where it is used, because `vcokit --help` in a pipe does not need it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from vcokit._text import csv_cell, printable
from vcokit.errors import InputError
from vcokit.palette import STATES

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vcokit.rollout.messages import Tally

# -- streams -------------------------------------------------------------------------------------


class PipeSafeStream:
    """A text stream that discards its output instead of failing when its reader has closed it.

    Parameters
    ----------
    stream : file
        Open for text. All attributes that are not defined here are those of this stream.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.reader_left = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> Any:
        """Write text."""
        return self._attempt(lambda: self._stream.write(text))

    def flush(self) -> None:
        """Flush the buffer of the stream."""
        self._attempt(self._stream.flush)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes directly, without the encoding of the stream."""
        self.flush()
        self._attempt(lambda: self.buffer.write(data))
        self._attempt(self.buffer.flush)

    def _attempt(self, write: Callable[[], Any]) -> Any:
        try:
            return write()
        except BrokenPipeError:
            self.reader_left = True
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            return None


@contextmanager
def pipe_safe_streams() -> Iterator[None]:
    """Replace standard output and standard error, so that a closed pipe does not end a command."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (PipeSafeStream(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def reader_left(console: Console) -> bool:
    """Return whether the reader of a console has closed it."""
    return getattr(console.file, "reader_left", False)


def console() -> Console:
    """Return the console for results, with colours and a progress bar only on a terminal."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Return the console for messages that are not part of the result."""
    return _console(sys.stderr)


#: Width of output to a file or pipe, in characters, so that no line is wrapped.
_WIDE: Final = 100_000


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    # With FORCE_COLOR, rich would treat any stream as a terminal. A pipe always gets plain text.
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        width=None if is_terminal else _WIDE,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
        highlight=False,
        markup=False,
        soft_wrap=not is_terminal,
    )


def print_note(note: str) -> None:
    """Print a note in one line on standard error."""
    print(f"note: {printable(note)}", file=sys.stderr)


# -- files ---------------------------------------------------------------------------------------

#: Endings of a journal and of the files next to it while a process writes to it.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")
_STDIN: Final = "/dev/stdin"


def check_output_paths(
    outputs: Mapping[str, Path | None],
    needed: Iterable[str | Path | None] = (),
    *,
    journals: Iterable[Path | None] = (),
) -> None:
    """Refuse to overwrite a file that the same command needs, also under another path.

    Parameters
    ----------
    outputs : mapping of str to Path or None
        File to write, by its option.
    needed : iterable of str or Path
        Files to read, as given in the shell: also patterns; ``-`` is standard input.
    journals : iterable of Path
        Journals to read or create; they need not exist yet.

    Raises
    ------
    InputError
        If an output is one of these files or another output, also through a link.

    Examples
    --------
    >>> check_output_paths({"--output": Path("a.csv")}, ["b.csv", None])
    >>> check_output_paths({"--save": Path("a.csv")}, ["a.csv"])
    Traceback (most recent call last):
        ...
    vcokit.errors.InputError: --save a.csv would overwrite a.csv, which this command needs. \
Name another file
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    taken = list(_files(name for name in needed if name)) if given else []
    taken += [Path(f"{path}{end}") for path in journals if path for end in _BESIDE]
    for option, path in given.items():
        for other in taken:
            if _same(path, other):
                raise InputError(
                    f"{option} {path} would overwrite {other}, which this command needs",
                    remedy="Name another file",
                )
        taken.append(path)


def _files(names: Iterable[str | Path]) -> Iterator[Path]:
    """Yield the files of paths and patterns. A pattern without a match is reported on reading."""
    from vcokit.inventory.sources import find_sources

    for name in names:
        if name == "-":
            yield Path(_STDIN)
            continue
        try:
            yield from map(Path, find_sources([name]))
        except InputError:
            continue


def _same(one: Path, other: Path) -> bool:
    """Return whether two paths name the same file, which need not exist yet."""
    try:
        if one.exists() and other.exists():
            return one.samefile(other)
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):
        return False


def write_stdout(text: str | Iterable[str], *, for_people: bool = False) -> None:
    """Write text to standard output.

    Parameters
    ----------
    text : str or iterable of str
    for_people : bool
        If True, use the encoding of standard output, and escape characters that it lacks. If
        False, the text is the content of a file: write it in UTF-8 whatever that encoding is.
    """
    encoding = (sys.stdout.encoding if for_people else None) or "utf-8"
    for part in [text] if isinstance(text, str) else text:
        if isinstance(sys.stdout, PipeSafeStream) and hasattr(sys.stdout, "buffer"):
            sys.stdout.write_bytes(part.encode(encoding, "backslashreplace"))
        else:  # a program has replaced the stream; it may only accept text
            sys.stdout.write(part)


def write_atomic(path: Path, text: Iterable[str], *, packed: bool = True) -> None:
    """Write a file in UTF-8, complete or not at all.

    Parameters
    ----------
    path : Path
        If it is a link, the file that the link points to is replaced, not the link.
    text : iterable of str
    packed : bool
        Whether to compress the file if its name has the ending of a compressed file.

    Raises
    ------
    InputError
    """
    from vcokit.inventory.write import replacing

    try:
        with replacing(path, packed=packed) as file:
            for part in text:
                file.write(part.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="Check path, permissions and space",
        ) from None


# -- frames --------------------------------------------------------------------------------------


class TableFormat(StrEnum):
    """Formats of a frame."""

    table = "table"
    json = "json"
    csv = "csv"


def print_frame(frame: pd.DataFrame, form: TableFormat, title: str, limit: int) -> None:
    """Print a frame.

    Parameters
    ----------
    frame : DataFrame
    form : TableFormat
    title : str
        Title of the table.
    limit : int
        Maximum number of rows of a table; the other formats contain all rows.
    """
    if form is TableFormat.json:
        write_stdout(f"{dumps(to_records(frame))}\n")
    elif form is TableFormat.csv:
        write_stdout(to_csv(frame))
    elif len(frame):
        frame = drop_uninformative_columns(frame)
        more = f", the first {limit} of {len(frame):,}" if len(frame) > limit else ""
        rows = frame.head(limit).itertuples(index=False)
        console().print(table(f"{title}{more}", frame.columns, rows))


def drop_uninformative_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the columns that do not inform the reader.

    These are empty columns, a next hop that is always the connection itself, a file or region that
    is the same in all rows, and the position of a row if its line is given.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"vpn_connection_id": ["vco-a"], "next_hop": ["vco-a"], "live_next_hop": [None]}
    >>> drop_uninformative_columns(pd.DataFrame({**one, "row": [7], "line": [9]})).columns.tolist()
    ['vpn_connection_id', 'line']
    """
    silent = {name for name in frame.columns if frame[name].isna().all()}
    if "vpn_connection_id" in frame.columns:
        connection = frame["vpn_connection_id"]
        hops = {"next_hop", "live_next_hop"} & {*frame.columns}
        silent |= {name for name in hops if (frame[name].fillna(connection) == connection).all()}
    silent |= {
        name for name in ("source", "region_id") if name in frame and frame[name].nunique() < 2
    }
    silent |= {"row"} if "line" in {*frame.columns} - silent else set()
    return frame.drop(columns=[name for name in frame.columns if name in silent])


def to_csv(frame: pd.DataFrame) -> str:
    r"""Return a frame as CSV that is safe to display and to open in a spreadsheet.

    Examples
    --------
    >>> import pandas as pd
    >>> print(to_csv(pd.DataFrame({"a": ["=1+1", "\x1b[31m", None], "b": [-1, 2, 3]})))
    a,b
    '=1+1,-1
    \x1b[31m,2
    ,3
    """
    rows: list[Iterable[object]] = [frame.columns, *frame.itertuples(index=False)]
    return "".join(",".join(map(csv_cell, row)) + "\n" for row in rows)


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as plain values, with None for missing values."""
    objects = frame.astype("object")
    records: list[Any] = objects.where(frame.notna(), None).to_dict("records")
    return records


def dumps(value: Any) -> str:
    r"""Return a value as one line of JSON that contains only printable ASCII characters.

    Examples
    --------
    >>> print(dumps({"a": "\x1b[31m\x7f主"}))
    {"a": "\u001b[31m\u007f\u4e3b"}
    """
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


# -- tables --------------------------------------------------------------------------------------

_NUMBERS: Final = frozenset(
    {"rows", "line", "row", "steps", "routes", "weight", "old_weight", "wave"}
    | {"create", "modify", "delete", "keep", "blocked", "done", "failed", "left"}
)
#: Columns that identify a route or a member, or a position in a file.
_NAMES: Final = frozenset(
    {"line", "connection", "vpn_connection_id", "destination", "route_dest", "next_hop", "member"}
)
#: Minimum width of any other column, and distance between two columns, in characters.
_LEAST: Final = 12
_BETWEEN: Final = 2


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table; a cell may be a `Text`, any other value is made `printable`.

    On a narrow terminal, cells are folded and never cut off. Cells that identify a route are not
    folded if the other columns have enough room.
    """
    from rich.table import Table
    from rich.text import Text

    names = list(columns)
    cells = [[c if isinstance(c, Text) else Text(printable(c)) for c in row] for row in rows]
    longest = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    needed = sum(
        n if name in _NAMES else min(n, _LEAST) for name, n in zip(names, longest, strict=True)
    )
    fits = needed + _BETWEEN * (len(names) - 1) <= console().width
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in names:
        result.add_column(
            name,
            justify="right" if name in _NUMBERS else "left",
            overflow="fold",
            no_wrap=fits and name in _NAMES,
        )
    for row in cells:
        result.add_row(*row)
    return result


#: Named colours of the terminal. With only sixteen colours, the palette's orange and red would both
#: become yellow.
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "cyan", "failed": "bold red"}


def severity(name: str) -> Text:
    """Return a severity in its colour."""
    from rich.text import Text

    return Text(name, style=_STYLES[name])


def findings_by_rule(findings: pd.DataFrame) -> Table:
    """Return a table with the number of findings per rule."""
    from vcokit.audit.findings import by_rule

    rows = (
        (severity(str(row.severity)), row.rule, row.rows, row.sentence)
        for row in by_rule(findings).itertuples()
    )
    return table("Findings by rule", ("severity", "rule", "rows", "meaning"), rows)


#: Columns that are shown for a failed step.
FAILED: Final = ("line", "vpn_connection_id", "route_dest", "code", "message")


def steps_not_done(steps: pd.DataFrame, state: str, limit: int) -> Table:
    """Return a table of the first steps that failed, or that were skipped."""
    more = f", the first {limit} of {len(steps):,}" if len(steps) > limit else ""
    rows = []
    for *place, code, message in steps[list(FAILED)].head(limit).itertuples(index=False):
        code, message = printable(code), printable(message)
        if message and not message.startswith(code):  # many messages begin with their code
            message = f"{code}: {message}"
        rows.append((*place, message or code))
    columns = ("line", "connection", "destination", "why")
    return table(f"{state.capitalize()} steps{more}", columns, rows)


def state_counts(tally: Tally) -> Text:
    """Return the counts by state, each in its colour."""
    return coloured_counts({name: tally.states[name] for name in STATES if tally.states[name] > 0})


#: Colours of the outcomes of members of a fleet; those of their steps are in `STATES`.
_OUTCOMES: Final = {
    "finished": STATES["done"],
    "running": STATES["sent"],
    "left": STATES["pending"],
}


def coloured_counts(counts: Mapping[str, int]) -> Text:
    """Return counts in one line, each in the colour of its name."""
    from rich.text import Text

    colours = {**STATES, **_OUTCOMES, **_STYLES}
    result = Text()
    for name, count in counts.items():
        result.append(f"{name} {count:,}  ", style=colours[name])
    return result
