"""What a command writes, whatever it holds made harmless, and never onto what the command reads.

::

    console(), error_console()   tables and messages; colours on a terminal only
    print_frame()                a frame as a table, JSON or CSV
    write_stdout()               the text of a file: the same bytes whatever the terminal's encoding
    write_atomic()               a file, complete or not at all
    pipe_safe_streams()          who reads our output may leave (`| head`): the command goes on

rich is imported where something is drawn: `vcokit --help` in a pipe needs none of it.
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
    """A text stream that goes nowhere once its reader has left, instead of failing.

    Parameters
    ----------
    stream : file
        Open for text; what is not defined here is its own.
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
        """Write out what is held back."""
        self._attempt(self._stream.flush)

    def write_bytes(self, data: bytes) -> None:
        """Write the bytes of a file, past the encoding of the stream."""
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
    """Let no command fail because nobody reads what it writes."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (PipeSafeStream(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def reader_left(console: Console) -> bool:
    """Tell whether nobody reads a console any more."""
    return getattr(console.file, "reader_left", False)


def console() -> Console:
    """Return the console for results: colours and a bar only on a terminal."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Return the console for what is said beside the result."""
    return _console(sys.stderr)


#: Columns of output that goes to a file or pipe, so that no line is ever folded.
_WIDE: Final = 100_000


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    # Rich would take the word of FORCE_COLOR for a terminal; a pipe gets plain text whatever it is.
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
    """Print a note on standard error, as one line."""
    print(f"note: {printable(note)}", file=sys.stderr)


# -- files ---------------------------------------------------------------------------------------

#: What stands beside a journal while somebody writes to it.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")
_STDIN: Final = "/dev/stdin"


def check_output_paths(
    outputs: Mapping[str, Path | None],
    needed: Iterable[str | Path | None] = (),
    *,
    journals: Iterable[Path | None] = (),
) -> None:
    """Refuse to write onto what the same command needs, under whatever name.

    Parameters
    ----------
    outputs : mapping of str to Path or None
        File to write, by its option.
    needed : iterable of str or Path
        Files that are read, as the shell was given them: patterns too, ``-`` is standard input.
    journals : iterable of Path
        Journals that are read or made, there yet or not.

    Raises
    ------
    InputError
        If an output is one of them or another output, also by a link.

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
    """Yield the files that are meant; a pattern that fits none is told of by who reads it."""
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
    """Tell whether two names are of one file, there yet or not."""
    try:
        if one.exists() and other.exists():
            return one.samefile(other)
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):
        return False


def write_stdout(text: str | Iterable[str], *, for_people: bool = False) -> None:
    """Write text to standard output: of a file the same bytes whatever encoding that has.

    Parameters
    ----------
    text : str or iterable of str
    for_people : bool
        Whether it is text to be read there, in standard output's own encoding; what that lacks is
        spelt out.
    """
    encoding = (sys.stdout.encoding if for_people else None) or "utf-8"
    for part in [text] if isinstance(text, str) else text:
        if isinstance(sys.stdout, PipeSafeStream) and hasattr(sys.stdout, "buffer"):
            sys.stdout.write_bytes(part.encode(encoding, "backslashreplace"))
        else:  # one that a program put there: it takes text alone
            sys.stdout.write(part)


def write_atomic(path: Path, text: Iterable[str], *, packed: bool = True) -> None:
    """Write a file in UTF-8, complete or not at all.

    Parameters
    ----------
    path : Path
        What a link points to is replaced, not the link.
    text : iterable of str
    packed : bool
        Whether it is compressed where its name ends so.

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
    """How a frame is shown."""

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
        Of a table.
    limit : int
        Rows of a table at most; the other formats have all.
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
    """Return a frame without the columns that tell a reader nothing.

    Empty ones, a next hop that is always the connection itself, the only file or region, and the
    position of a row whose line is given.

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
    r"""Return a frame as CSV that is safe to show and to open in a spreadsheet.

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
    """Return a frame's rows as plain values, None for what is missing."""
    objects = frame.astype("object")
    records: list[Any] = objects.where(frame.notna(), None).to_dict("records")
    return records


def dumps(value: Any) -> str:
    r"""Return a value as JSON in one line of ASCII in which everything can be seen.

    Examples
    --------
    >>> print(dumps({"a": "\x1b[31m\x7f主"}))
    {"a": "\u001b[31m\u007f\u4e3b"}
    """
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


# -- tables --------------------------------------------------------------------------------------

_NUMBERS: Final = frozenset({"rows", "line", "row", "steps", "routes", "weight", "old_weight"})
#: Columns that name a route, or a place in a file.
_NAMES: Final = frozenset(
    {"line", "connection", "vpn_connection_id", "destination", "route_dest", "next_hop"}
)
#: Characters that another column gets at least, and those between two columns.
_LEAST: Final = 12
_BETWEEN: Final = 2


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table; cells may be `Text`, everything else is made `printable`.

    On a terminal that is too narrow cells are folded, never cut. What names a route stays in one
    piece as long as the other columns have room beside it.
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


#: Colours that a terminal has by name: the palette's orange and red are both its yellow where it
#: has sixteen.
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "cyan", "failed": "bold red"}


def severity(name: str) -> Text:
    """Return a severity in its colour of the terminal."""
    from rich.text import Text

    return Text(name, style=_STYLES[name])


def findings_by_rule(findings: pd.DataFrame) -> Table:
    """Return findings counted by rule."""
    from vcokit.audit.findings import by_rule

    rows = (
        (severity(str(row.severity)), row.rule, row.rows, row.sentence)
        for row in by_rule(findings).itertuples()
    )
    return table("Findings by rule", ("severity", "rule", "rows", "meaning"), rows)


#: What is told of a failed step.
FAILED: Final = ("line", "vpn_connection_id", "route_dest", "code", "message")


def steps_not_done(steps: pd.DataFrame, state: str, limit: int) -> Table:
    """Return the first steps that ended as failed, or as skipped."""
    more = f", the first {limit} of {len(steps):,}" if len(steps) > limit else ""
    rows = []
    for *place, code, message in steps[list(FAILED)].head(limit).itertuples(index=False):
        code, message = printable(code), printable(message)
        if message and not message.startswith(code):  # many a message begins with its code
            message = f"{code}: {message}"
        rows.append((*place, message or code))
    columns = ("line", "connection", "destination", "why")
    return table(f"{state.capitalize()} steps{more}", columns, rows)


def state_counts(tally: Tally) -> Text:
    """Return the counts by state, each in its colour."""
    from rich.text import Text

    result = Text()
    for name, colour in STATES.items():
        if tally.states[name] > 0:
            result.append(f"{name} {tally.states[name]:,}  ", style=_STYLES.get(name, colour))
    return result
