"""What a terminal shows: tables and progress, everything that comes from outside made harmless."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, Final

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vcokit._text import printable
from vcokit.audit.findings import by_rule
from vcokit.cli.outputs import silence
from vcokit.palette import STATES
from vcokit.rollout.messages import Tally

#: Columns of output that goes to a file or pipe, so that no line is ever folded.
_WIDE: Final = 100_000


def console() -> Console:
    """Return the console for results: colours and a bar only on a terminal."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Return the console for errors."""
    return _console(sys.stderr)


class _Lasting(Console):
    """A console that goes on in silence once nobody reads it: what is told is not what is done."""

    nobody_reads = False

    def on_broken_pipe(self) -> None:
        """Let what is written from now on go nowhere."""
        self.nobody_reads = True
        silence(self.file)


def is_closed(shown: Console) -> bool:
    """Tell whether whoever read a console has gone."""
    return isinstance(shown, _Lasting) and shown.nobody_reads


def _console(stream: IO[str]) -> Console:
    # Rich would take the word of FORCE_COLOR for a terminal; a pipe gets plain text whatever it is.
    is_terminal = stream.isatty()
    return _Lasting(
        file=stream,
        width=None if is_terminal else _WIDE,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
        highlight=False,
        soft_wrap=not is_terminal,
    )


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table; cells may be `Text`, everything else is made `printable`.

    On a terminal that is too narrow cells are folded, never cut. What names a route stays in one
    piece as long as the other columns have room beside it.
    """
    heads = list(columns)
    cells = [[c if isinstance(c, Text) else Text(printable(c)) for c in row] for row in rows]
    longest = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    needed = sum(
        n if head in _NAMES else min(n, _LEAST) for head, n in zip(heads, longest, strict=True)
    )
    whole = needed + _BETWEEN * (len(heads) - 1) <= console().width
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in heads:
        result.add_column(
            name,
            justify="right" if name in _NUMBERS else "left",
            overflow="fold",
            no_wrap=whole and name in _NAMES,
        )
    for row in cells:
        result.add_row(*row)
    return result


_NUMBERS: Final = frozenset({"rows", "line", "row", "steps", "routes", "weight", "old_weight"})
#: Columns that name a route, or a place in a file.
_NAMES: Final = frozenset(
    {"line", "connection", "vpn_connection_id", "destination", "route_dest", "next_hop"}
)
#: Characters that another column gets at least, and those between two columns.
_LEAST: Final = 12
_BETWEEN: Final = 2


#: Colours that a terminal has by name: the palette's orange and red are both its yellow where it
#: has sixteen.
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "cyan", "failed": "bold red"}


def severity(name: str) -> Text:
    """Return a severity in its colour of the terminal."""
    return Text(name, style=_STYLES[name])


def findings_by_rule(findings: pd.DataFrame) -> Table:
    """Return findings counted by rule."""
    counted = by_rule(findings)
    rows = (
        (severity(str(row.severity)), row.rule, row.rows, row.sentence)
        for row in counted.itertuples()
    )
    return table("Findings by rule", ("severity", "rule", "rows", "which says"), rows)


#: What is told of a failed step.
FAILED: Final = ("line", "vpn_connection_id", "route_dest", "code", "message")


def steps_not_done(failed: pd.DataFrame, state: str, limit: int) -> Table:
    """Return the first steps that ended as failed, or as skipped."""
    more = f", the first {limit} of {len(failed):,}" if len(failed) > limit else ""
    columns = ("line", "connection", "destination", "why")
    listed = failed[list(FAILED)].head(limit).itertuples(index=False)
    rows = ((*row[:3], _why(printable(row[3]), printable(row[4]))) for row in listed)
    return table(f"{state.capitalize()} steps{more}", columns, rows)


def _why(code: str, message: str) -> str:
    """Return code and message, which may begin with the code.

    Examples
    --------
    >>> _why("Busy", "Busy: try again"), _why("Busy", "try again"), _why("", "lost")
    ('Busy: try again', 'Busy: try again', 'lost')
    """
    if message.startswith(code):
        return message
    return f"{code}: {message}" if message else code


def states(tally: Tally) -> Text:
    """Return the counts by state, each in its colour."""
    result = Text()
    for name, colour in STATES.items():
        if tally.states[name] > 0:
            result.append(f"{name} {tally.states[name]:,}  ", style=_STYLES.get(name, colour))
    return result
