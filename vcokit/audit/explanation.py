"""The result of `explain` for one address: frames, and their display as text and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit._text import printable
from vcokit.audit.columns import I64

#: How a route relates to the address, best first.
VERDICTS: Final = pd.CategoricalDtype(
    ["wins", "stands by", "shadowed", "inside", "blocked"], ordered=True
)

#: Most rows of one kind that the text shows, and most routes listed as taking over from another.
SHOWN: Final = 10
#: Most routes taking over together that the text names. Of more, it names the first and gives the
#: number of the others.
_TOGETHER: Final = 3


@dataclass(frozen=True, repr=False)
class Explanation:
    """How an inventory forwards one address, or the addresses of one prefix.

    Parameters
    ----------
    address : str
        The given prefix; an address is a ``/32``.
    routes : DataFrame
        One row per route that touches it: the scope's columns, ``verdict`` (categorical, see
        below), ``route_dest`` (network), ``vpn_connection_id``, ``next_hop``, ``weight``, ``row``
        (position), ``line``, ``source``; sorted by scope and verdict, longest prefix first.
    if_down : DataFrame
        The routes that take over if a winning connection is down: the scope's columns, ``down``
        (that connection), and ``route_dest``, ``vpn_connection_id``, ``weight``, ``row``,
        ``line``, ``source`` of the route that wins then (one row each), missing if no route does.
        ``sure`` is False if a shorter prefix would have to take over, which is not documented.
        ``routes`` is the number of routes that win then; the first ten have a row, and all of them
        are in `routes`.
    findings : DataFrame
        The audit's findings on these rows, and on destinations that would touch the address if
        the suggestion were applied.

    Notes
    -----
    =============  ==========================================================================
    ``wins``         of the longest destination that contains it; with equal cost, several
    ``stands by``    the same destination's standby route
    ``shadowed``     a longer prefix, or an active route, decides
    ``inside``       longer than the given prefix: decides for its own addresses
    ``blocked``      a plan would not create it
    =============  ==========================================================================
    """

    address: str
    routes: pd.DataFrame
    if_down: pd.DataFrame
    findings: pd.DataFrame

    def __repr__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        """Return the same text as HTML, because a notebook would break plain text within words."""
        hangs = "white-space:pre-wrap;padding-left:8ch;text-indent:-8ch"
        lines = "".join(f'<div style="{hangs}">{html.escape(line)}</div>' for line in _lines(self))
        return f'<div style="font-family:monospace">{lines}</div>'


def _lines(found: Explanation) -> Iterator[str]:
    """Yield the explanation as text, a few rows of each kind."""
    at = partial(_at, several=len(found.routes["source"].cat.categories) > 1)
    names = list(found.routes.columns[: found.routes.columns.get_loc("verdict")])
    if found.routes.empty:
        yield f"{found.address}: no route touches it"
    scope = _numbers(found.routes[names], found.if_down[names])
    for number in range(int(scope[0].max(initial=-1)) + 1):
        part = found.routes[scope[0] == number]
        words = ", ".join(_cell(value) for value in part[names].iloc[0])
        yield f"{found.address} in {words}" if names else found.address
        yield from _route_lines(part, at)
        yield from _down_lines(found.if_down[scope[1] == number], at)
    if len(found.findings):
        yield "findings"
        for one in found.findings.head(SHOWN).itertuples():
            yield f"  {at(one)}: {one.severity} {one.rule}: {_cell(one.message)}"
        yield from _more(len(found.findings))


def _numbers(*frames: pd.DataFrame) -> list[I64]:
    """Number the rows of some frames by their values, in order of appearance."""
    both = pd.concat(frames, ignore_index=True)
    number: I64 = np.zeros(len(both), dtype=np.int64)
    if len(both.columns):
        groups = both.groupby(list(both.columns), dropna=False, sort=False, observed=True)
        number = np.asarray(groups.ngroup(), dtype=np.int64)
    return np.split(number, np.cumsum([len(frame) for frame in frames])[:-1])


def _route_lines(part: pd.DataFrame, at: Callable[[Any], str]) -> Iterator[str]:
    if not (part["verdict"] == "wins").any():
        yield "  no route wins"
    shown = part.groupby("verdict", observed=True, sort=False).head(SHOWN)
    cells = [
        (str(one.verdict), _cell(one.route_dest), _cell(one.vpn_connection_id), _weight(one))
        for one in shown.itertuples()
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, one in zip(cells, shown.itertuples(), strict=True):
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {padded}  {at(one)}"
    yield from _more(len(part), len(shown))


def _down_lines(part: pd.DataFrame, at: Callable[[Any], str]) -> Iterator[str]:
    downs = part.groupby("down", sort=False)
    for down, routes in islice(downs, SHOWN):
        there = routes.dropna(subset=["row"])
        # A connection may win by two routes; the same routes take over from both.
        count = int(routes["routes"].iloc[0])
        named = [
            f"{one.route_dest} on {_cell(one.vpn_connection_id)} ({_weight(one)}, {at(one)})"
            for one in there.head(count if count <= _TOGETHER else 1).itertuples()
        ]
        if count > _TOGETHER:
            named.append(f"{count - 1:,} more")
        may = "" if routes["sure"].all() else " may take over"
        yield f"  if {_cell(down)} is down: {' and '.join(named) or 'no other route'}{may}"
    yield from _more(downs.ngroups)


def _more(total: int, shown: int = SHOWN) -> Iterator[str]:
    if total > shown:
        yield f"  … and {total - shown:,} more"


def _weight(one: Any) -> str:
    return f"weight {one.weight}"


def _at(one: Any, *, several: bool) -> str:
    """Return the line of a row, with the file if there are several; else its position."""
    if pd.isna(one.line) or (several and pd.isna(one.source)):
        return f"row {one.row}"
    return f"{printable(one.source)}, line {one.line}" if several else f"line {one.line}"


def _cell(value: object) -> str:
    return "(empty)" if pd.isna(value) else printable(value)  # type: ignore[call-overload]
