"""A plan as HTML and as frames to look through: pure.

===============  =========================================================================
`summary`        steps by action
`connections`    a row a connection, with its steps by action
`step_cells`     steps, each as before → after
`reasons`        what blocks steps, the most frequent first
`static_page`    all of it, for a saved notebook without a kernel
===============  =========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from vcokit._text import pluralize
from vcokit.audit.columns import count_connections, is_connection
from vcokit.rollout.plan import Plan
from vcokit.rollout.steps import BLOCKED, CREATE, DELETE, KEEP, MODIFY
from vcokit.widgets.style import grey, page, scrolled, sheet, stacked, table, text

#: Colour of an action: that of the state its steps are heading for, or stand in.
COLOURS: Final = {
    CREATE: "s-accepted",
    MODIFY: "s-sent",
    DELETE: "s-failed",
    KEEP: "s-done",
    BLOCKED: "s-blocked",
}
ACTIONS: Final = tuple(COLOURS)
LANE_HEADS: Final = (
    ("connection", "34%"),
    ("region", "18%"),
    *((action, "9.6%") for action in ACTIONS),
)
STEP_HEADS: Final = (
    ("step", "56px"),
    ("line", "56px"),
    ("action", "70px"),
    ("destination", "150px"),
    ("before → after", "220px"),
    ("next hop", "190px"),
    ("why, or description", "auto"),
)
BLOCKED_HEADS: Final = (
    ("line", "56px"),
    ("destination", "150px"),
    ("connection", "190px"),
    ("what blocks it", "auto"),
)
_STATIC_ROWS: Final = 50


def summary(plan: Plan, seconds: str = "") -> str:
    """Return the steps by action, and how long they are thought to take."""
    takes = f" {grey('· about')} <b>{text(seconds)}</b>" if seconds else ""
    there = int(is_connection(plan.steps["vpn_connection_id"]).sum())
    lanes, nowhere = count_connections(plan.steps), len(plan.steps) - there
    said = f"{pluralize(there, 'step')} on {pluralize(lanes, 'connection')}"
    said += f", {pluralize(nowhere, 'row')} without a valid one" if nowhere else ""
    return page(
        f'<span class="t">Plan</span><code>{text(plan.fingerprint[:12])}</code> '
        f"{grey(said)}{takes}",
        stacked((COLOURS[action], action, plan.counts[action]) for action in ACTIONS),
    )


def connections(plan: Plan) -> pd.DataFrame:
    """Return a row a connection, in the plan's order: its region and its steps by action.

    Rows without a valid connection are left out: they are blocked, and stand with what is.
    """
    steps = plan.steps[is_connection(plan.steps["vpn_connection_id"])]
    name = steps["vpn_connection_id"]
    counts = pd.crosstab(name, steps["action"].astype("str"))
    counts = counts.reindex(columns=list(ACTIONS), fill_value=0)
    region = steps["region_id"].fillna("").groupby(name).first()
    table = counts.join(region).loc[name.unique()]
    return table.rename_axis("vpn_connection_id").reset_index()


def lane_cells(lanes: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some connections; none is empty rather than 0, so that numbers stand out.

    Parameters
    ----------
    lanes : DataFrame
        From `connections`.
    """
    counts = (lanes[action].astype("object").where(lanes[action] > 0, "") for action in ACTIONS)
    return zip(lanes["vpn_connection_id"], lanes["region_id"], *counts, strict=True)


def step_cells(steps: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some steps, in the order of `STEP_HEADS`."""
    columns = ("step", "line", "action", "route_dest", "old_weight", "weight")
    changes = (
        change(*cells)
        for cells in zip(
            *(
                steps[name].astype("object").where(steps[name].notna(), None)
                for name in ("action", "old_weight", "weight")
            ),
            strict=True,
        )
    )
    why = steps["message"].where(steps["message"].notna(), steps["description"])
    first = (steps[name] for name in columns[:4])
    return zip(*first, changes, steps["next_hop"], why, strict=True)


def change(action: str, old_weight: int | None, weight: int | None) -> str:
    """Return what a step changes, as before → after.

    Examples
    --------
    >>> change("create", None, 100), change("modify", 100, 0)
    ('none → active (100)', 'active (100) → standby (0)')
    >>> change("delete", None, 0), change("keep", None, 0), change("blocked", None, None)
    ('standby (0) → none', 'standby (0), as it is', 'nothing is sent')
    """
    after = _weight(weight)
    if action == KEEP:
        return f"{after}, as it is"
    if action == BLOCKED:
        return "nothing is sent"
    if action == DELETE:
        return f"{after} → none"
    return f"{_weight(old_weight) if action == MODIFY else 'none'} → {after}"


def _weight(weight: int | None) -> str:
    names = {100: "active (100)", 0: "standby (0)"}
    return "none" if weight is None else names.get(weight, str(weight))


def reasons(plan: Plan) -> pd.DataFrame:
    """Return what blocks steps and how many, the most frequent first: columns reason, steps.

    A reason is the rule that a message begins with, or the message itself.
    """
    blocked = plan.steps.loc[plan.steps["action"] == BLOCKED, "message"].fillna("no reason given")
    rule = blocked.str.extract(r"^([a-z0-9-]+): ", expand=False)
    counted = rule.where(rule.notna(), blocked).value_counts()
    return counted.rename_axis("reason").rename("steps").reset_index()


def blocked_cells(steps: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some blocked steps, in the order of `BLOCKED_HEADS`."""
    names = ("line", "route_dest", "vpn_connection_id", "message")
    return zip(*(steps[name] for name in names), strict=True)


def reasons_html(plan: Plan) -> str:
    """Return what blocks steps as a bar with its legend, or that nothing does."""
    found = reasons(plan)
    if not len(found):
        return page("Nothing is blocked.")
    heads = (("what blocks steps", "auto"), ("steps", "90px"))
    return page(table(heads, zip(found["reason"], found["steps"], strict=True), wrap=True))


def static_page(plan: Plan, seconds: str = "", rule: str = "") -> str:
    """Return the plan as HTML that needs nothing else."""
    lanes = connections(plan)
    cut = f"the first {_STATIC_ROWS} of {len(lanes):,}" if len(lanes) > _STATIC_ROWS else ""
    parts = page(
        f"<h4>Connections {grey(cut)}</h4>",
        scrolled(table(LANE_HEADS, lane_cells(lanes.iloc[:_STATIC_ROWS]))),
    )
    head = page("<h4>Blocked</h4>")
    blocked = head + reasons_html(plan) if plan.counts[BLOCKED] else ""
    return sheet(rule) + summary(plan, seconds) + parts + blocked


def blocked_steps(plan: Plan) -> pd.DataFrame:
    """Return the blocked steps, on a fresh index."""
    return plan.steps[plan.steps["action"] == BLOCKED].reset_index(drop=True)
