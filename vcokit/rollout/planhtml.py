"""A plan as a notebook shows it: some steps of each action, and what blocks those that are.

Columns that say nothing are left out: empty ones, a scope that is the region, a next hop that is
the connection, a file where there is but one. All of it is in `Plan.frame`.
"""

from __future__ import annotations

import html
from typing import Final

import pandas as pd

from vcokit import schema
from vcokit.plain import visible

#: Steps of each action that are shown.
_EACH: Final = 5
#: What is shown of a step, if it says something; ``row`` only where there are no lines.
_COLUMNS: Final = (
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
#: A column that says nothing where it equals another.
_TWINS: Final = {"scope": "region_id", "next_hop": "vpn_connection_id"}
_LEFT: Final = ' style="text-align:left"'


def table(steps: pd.DataFrame) -> str:
    """Return some steps of each action as an HTML table, and how many there are.

    Parameters
    ----------
    steps : DataFrame
        Of `PLAN_COLUMNS`.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "scope": ["r"],
    ...     "region_id": ["r"], "route_dest": ["10.0.0.0/8"], "weight": [100]})
    >>> [name for name in ("scope", "region_id", "message") if f">{name}<" in table(steps)]
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
    """Return the columns that say something of these steps.

    Examples
    --------
    >>> telling(schema.frame(schema.STEPS, {"action": ["keep"], "row": [0], "source": ["a.csv"]}))
    ['row', 'action']
    """
    names = [name for name in _COLUMNS if steps[name].notna().any()]
    silent = {name for name, twin in _TWINS.items() if _equal(steps[name], steps[twin])}
    silent |= {"source"} if steps["source"].nunique() < 2 else set()
    silent |= {"row"} if "line" in names else set()
    return [name for name in names if name not in silent]


def _equal(one: pd.Series, other: pd.Series) -> bool:
    """Tell whether two columns hold the same text; missing is the same as empty."""
    left, right = (column.astype("str").fillna("") for column in (one, other))
    return bool((left == right).all())


def _cell(value: object) -> str:
    return f"<td{_LEFT}>{html.escape(visible(value))}</td>"
