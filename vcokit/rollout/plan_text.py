"""A plan in readable forms: its changes, a diff, a table, Markdown and HTML.

The changes, by connection, and the blocked steps, with the reason::

    vco-a (cn-hangzhou)
    + 10.0.0.0/8     100       Hub, 2nd
    ~ 10.2.0.0/16    0 -> 100
    - 10.3.0.0/16    100
    ! 10.4.0.1/16    100       line 6: host-bits-set: …

    Plan: 1 to create, 1 to modify, 1 to delete, 4 to keep, 1 blocked.

The diff shows the routes that each connection holds and will hold, sorted by network, with some
unchanged routes around each change. The table has a line per step. A notebook shows some steps of
each action, without columns that add nothing: empty ones, a scope that is the region, a next hop
that is the connection, a file name if there is only one file. `Plan.frame` has everything.

Any cell is safe to display: invisible characters and markup are escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from itertools import accumulate
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit._text import printable
from vcokit.rollout.plan_io import rows
from vcokit.rollout.steps import PLAN_COLUMNS, UNKNOWN_WEIGHT, Action, Route, Step

# -- changes --------------------------------------------------------------------------------------
#: How the line of a step begins. Kept steps have no line.
SIGNS: Final = {Action.CREATE: "+", Action.MODIFY: "~", Action.DELETE: "-", Action.BLOCKED: "!"}


def changes(steps: pd.DataFrame) -> Iterator[str]:
    r"""Yield a line per step that is not kept, under its connection, and at the end the counts.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "vpn_connection_id": ["vco-a"],
    ...     "region_id": ["r"], "scope": ["r"], "route_dest": ["10.0.0.0/8"], "weight": [100]})
    >>> print("\n".join(changes(steps)))
    vco-a (r)
    + 10.0.0.0/8  100
    <BLANKLINE>
    Plan: 1 to create, 0 to modify, 0 to delete, 0 to keep, 0 blocked.
    """
    of_several_files = steps["source"].nunique() > 1
    for place, group in _by_connection(steps[steps["action"] != Action.KEEP]):
        yield place
        cells = [
            (
                f"{SIGNS[step['action']]} {printable(step['route_dest'])}",
                _weight(step),
                "  ".join(_remarks(step, of_several_files)),
            )
            for step in group
        ]
        yield from _aligned(cells)
        yield ""
    yield count_line(steps["action"].value_counts().to_dict())


def count_line(counts: Mapping[Any, int]) -> str:
    """Return the number of steps of each action, as a sentence."""
    counted = [
        f"{counts.get(action, 0):,} {'' if action == Action.BLOCKED else 'to '}{action}"
        for action in schema.ACTIONS.categories
    ]
    return f"Plan: {', '.join(counted)}."


#: Maximum size of the changes in Markdown, in bytes: code hosts refuse comments beyond 64 KiB.
COMMENT: Final = 50_000


def markdown(steps: pd.DataFrame, fingerprint: str) -> str:
    """Return the changes as Markdown, for a comment on a change; code hosts colour the lines.

    Lines that do not fit into a comment are only counted.
    """
    *lines, total = changes(steps)
    head = f"**{total}**\n\nFingerprint: `{fingerprint}`"
    if not lines:
        return head
    ends = accumulate(len(line.encode()) + 1 for line in lines[:-1])
    shown = sum(end <= COMMENT for end in ends)
    parts = [head, fenced("\n".join(lines[:shown]), "diff")]
    if shown < len(lines) - 1:
        parts.append(f"{len(lines) - 1 - shown:,} more lines do not fit here: see the saved plan.")
    return "\n\n".join(parts)


def fenced(text: str, language: str = "") -> str:
    """Return any text as a code block in Markdown."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


#: Changed blocks that are listed; the others are counted.
_BLOCKS: Final = 40
_NOBODY: Final = "no route"


def impact(changes: pd.DataFrame) -> str:
    """Return changes of forwarding as text: addresses per kind of change, then the blocks.

    Parameters
    ----------
    changes : DataFrame
        From `vcokit.audit.forwarding_changes`.

    Examples
    --------
    >>> changes = pd.DataFrame({"region_id": ["r"], "block": ["10.0.0.0/8"],
    ...     "addresses": [1 << 24], "change": ["lost"], "before": ["vco-a"], "after": [None]})
    >>> print(impact(changes))
    Impact: 16,777,216 addresses lost
      lost  r  10.0.0.0/8  16,777,216  vco-a -> no route
    """
    if changes.empty:
        return "Impact: no address is forwarded differently"
    totals = changes.groupby("change", sort=True, observed=True)["addresses"].sum()
    counts = ", ".join(f"{count:,} addresses {change}" for change, count in totals.items())
    names = list(changes.columns[: changes.columns.get_loc("block")])
    shown = changes.head(_BLOCKS)
    ways = [
        " -> ".join(printable(way) or _NOBODY for way in pair)
        for pair in zip(shown["before"].tolist(), shown["after"].tolist(), strict=True)
    ]
    cells = [
        (f"  {one['change']}", *(printable(one[name]) for name in [*names, "block"]))
        for one in shown.to_dict("records")
    ]
    addresses = [f"{count:,}" for count in shown["addresses"]]
    rows = [(*cell, *rest) for cell, *rest in zip(cells, addresses, ways, strict=True)]
    more = len(changes) - len(shown)
    end = [f"  and {more:,} more blocks"] if more else []
    return "\n".join([f"Impact: {counts}", *_aligned(rows), *end])


def _by_connection(steps: pd.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield a title and the steps of each connection, in the order of appearance."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows(steps, PLAN_COLUMNS):
        step = dict(zip(PLAN_COLUMNS, row, strict=True))
        place = (step["vpn_connection_id"], step["region_id"], step["scope"])
        groups.setdefault(place, []).append(step)
    for (connection, region, scope), group in groups.items():
        where = [region or "no region", *([f"scope {scope}"] if scope != region else [])]
        yield f"{printable(connection or 'no connection')} ({printable(', '.join(where))})", group


def _weight(step: Mapping[str, Any]) -> str:
    if step["old_weight"] is None:
        return printable(step["weight"])
    return f"{step['old_weight']} -> {step['weight']}"


def _remarks(step: Mapping[str, Any], of_several_files: bool) -> Iterator[str]:
    """Yield remarks: the next hop if it is another, and the description or why it is blocked."""
    if step["next_hop"] not in (None, step["vpn_connection_id"]):
        yield f"via {printable(step['next_hop'])}"
    if step["action"] != Action.BLOCKED:
        yield printable(step["description"])
        return
    place = [printable(step["source"])] if of_several_files and step["source"] else []
    place += [f"line {step['line']}"] if step["line"] is not None else []
    yield ": ".join(filter(None, [", ".join(place), printable(step["message"])]))


def _aligned(cells: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows of cells as aligned lines; no cell widens its column beyond 60 characters."""
    widths = [min(max(map(len, column)), 60) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


# -- table ----------------------------------------------------------------------------------------
_COLUMNS: Final = ("route_dest", "weight", "next_hop", "row", "line", "source", "description")


def table(steps: pd.DataFrame) -> str:
    """Return the steps as aligned text, by connection."""
    heads = ("  step", "action", "destination", *_COLUMNS[1:], "message")
    lines = []
    for place, group in _by_connection(steps):
        cells = [
            (
                f"  {step['step']}",
                step["action"],
                printable(step["route_dest"]) or "-",
                _weight(step) or "-",
                *(printable(step[name]) or "-" for name in _COLUMNS[2:]),
                printable(step["message"]) or "-",
            )
            for step in group
        ]
        lines += [place, *_aligned([heads, *cells]), ""]
    return "\n".join(lines).rstrip("\n")


# -- diff -----------------------------------------------------------------------------------------


def diff(steps: Iterable[Step], live: Mapping[str, frozenset[Route]]) -> str:
    """Return the changes of each connection as a unified diff.

    Parameters
    ----------
    steps : iterable of Step
    live : mapping of str to frozenset of Route
        The routes of each connection before the plan.

    Returns
    -------
    str
        Lines of a unified diff; empty if nothing changes.

    Examples
    --------
    >>> step = Step(0, "create", "r", "vco-a", "10.0.0.0/8", "vco-a", 100)
    >>> print(diff([step], {}))
    --- vco-a (live)
    +++ vco-a (planned)
    @@ -0,0 +1 @@
    +10.0.0.0/8  100  vco-a
    """
    by_connection: dict[str, list[Step]] = {}
    for step in steps:
        if step.sends:
            by_connection.setdefault(step.vpn_connection_id, []).append(step)
    lines: list[str] = []
    for connection, changed in by_connection.items():
        old = live.get(connection, frozenset())
        new = set(old) - {step.before for step in changed}
        new |= {step.after for step in changed if step.after is not None}
        before, after = _listings(old, new)
        name = printable(connection)
        lines += unified_diff(before, after, f"{name} (live)", f"{name} (planned)", lineterm="")
    return "\n".join(lines)


def _listings(*tables: Iterable[Route]) -> list[list[str]]:
    """Return tables of routes as lines with aligned columns."""
    every = [(one.route_dest, _told(one.weight)) for table in tables for one in table]
    dest, weight = (max(map(len, column)) for column in zip(*every, strict=True))

    def line(one: Route) -> str:
        destination = f"{printable(one.route_dest):<{dest}}"
        return f"{destination}  {_told(one.weight):>{weight}}  {printable(one.next_hop)}"

    return [[line(one) for one in sorted(table, key=_place)] for table in tables]


def _told(weight: int) -> str:
    return "?" if weight == UNKNOWN_WEIGHT else str(weight)


def _place(route: Route) -> tuple[bool, object, str, int]:
    """Return the sort key of a route: its network; destinations that are no network come last."""
    try:
        numbers = [int(part) for part in route.route_dest.replace("/", ".").split(".")]
        return False, numbers, route.next_hop, route.weight
    except ValueError:
        return True, route.route_dest, route.next_hop, route.weight


# -- HTML -----------------------------------------------------------------------------------------
#: Steps of each action that are shown.
_EACH: Final = 5
#: Columns that are shown if they add something; ``row`` only if there are no lines.
_SHOWN: Final = (
    "source",
    "line",
    "row",
    "action",
    "scope",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "old_weight",
    "weight",
    "message",
)
#: A column adds nothing if it equals the other one.
_TWINS: Final = {"scope": "region_id", "next_hop": "vpn_connection_id"}
_LEFT: Final = ' style="text-align:left"'


def html_table(steps: pd.DataFrame) -> str:
    """Return some steps of each action as an HTML table, and the number of the others.

    Parameters
    ----------
    steps : DataFrame
        Of `PLAN_COLUMNS`.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "scope": ["r"],
    ...     "region_id": ["r"], "route_dest": ["10.0.0.0/8"], "weight": [100]})
    >>> [name for name in ("scope", "region_id", "message") if f">{name}<" in html_table(steps)]
    ['region_id']
    """
    actions = steps["action"].astype(schema.ACTIONS)
    order = actions.cat.codes.sort_values(kind="stable").index
    shown = steps.loc[order].groupby(actions, observed=True, sort=False).head(_EACH)
    names = telling(shown)
    head = "".join(f"<th{_LEFT}>{name}</th>" for name in names)
    rows = zip(*(shown[name] for name in names), strict=True)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    left_out = len(steps) - len(shown)
    more = f"<p>… and {left_out:,} more: the first {_EACH} of each action are shown</p>"
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{more if left_out else ''}"
    )


def telling(steps: pd.DataFrame) -> list[str]:
    """Return the columns that add something for these steps.

    Examples
    --------
    >>> telling(schema.frame(schema.STEPS, {"action": ["keep"], "row": [0], "source": ["a.csv"]}))
    ['row', 'action']
    """
    names = [name for name in _SHOWN if steps[name].notna().any()]
    silent = {name for name, twin in _TWINS.items() if _equal(steps[name], steps[twin])}
    silent |= {"source"} if steps["source"].nunique() < 2 else set()
    silent |= {"row"} if "line" in names else set()
    return [name for name in names if name not in silent]


def _equal(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two columns hold the same text; missing is the same as empty."""
    left, right = (column.astype("str").fillna("") for column in (one, other))
    return bool((left == right).all())


def _cell(value: object) -> str:
    return f"<td{_LEFT}>{html.escape(printable(value))}</td>"
