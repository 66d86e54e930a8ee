"""Which rows of an inventory a plan includes, and what blocks the others; applying suggestions.

A row is blocked

- by an error of its own (from any error rule, built-in or the user's, except the three that compare
  rows with one another), or
- as a repeat: an earlier row without such an error is the same route, or
- by disagreement: rows of its connection and network differ in weight or next hop. Then all of
  them are blocked; no row wins by its position.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.columns import I64, NONE, TEXT, Mask, as_text, first_row, say
from vcokit.audit.findings import run
from vcokit.audit.own_rules import own_rules
from vcokit.audit.rules import RULES, Rule
from vcokit.cidr.parse import to_text
from vcokit.cidr.relations import is_new
from vcokit.errors import InputError


@dataclass(frozen=True)
class PlannableRows:
    """The rows of an inventory, divided into those that a plan includes and those it blocks.

    Parameters
    ----------
    routes : DataFrame
        The inventory in the shape of `vcokit.schema.ROUTES`.
    network : Series of str
        Network of each row, host bits cleared; NA if there is none.
    plannable : ndarray of bool
    reason : Series of str
        What blocks each row: the messages of its findings; NA if it is plannable.
    findings : DataFrame
        All findings of the audit.
    """

    routes: pd.DataFrame
    network: pd.Series
    plannable: Mask
    reason: pd.Series
    findings: pd.DataFrame


def plannable_rows(audit: Audit, own: Rule | Iterable[Rule] = ()) -> PlannableRows:
    """Run all rules, including the user's own, and return which rows are plannable."""
    findings = run(audit, (*RULES, *own_rules(own)))
    columns, contending = audit.columns, audit.groups.contending
    disagrees = np.zeros(columns.size, dtype=np.bool_)
    disagrees[contending.rows[contending.disagrees]] = True
    blocked = audit.has_row_error | disagrees | _repeats(audit)
    reason = _reasons(findings[findings["severity"] == "error"], blocked)
    network = to_text(columns.prefixes.network, columns.prefixes.length)
    routes = schema.conform_routes(columns.given)
    return PlannableRows(routes, network, ~blocked, reason, findings)


def _repeats(audit: Audit) -> Mask:
    """Return which rows repeat an earlier row that has no row error."""
    contending = audit.groups.contending
    route = contending.route_key
    candidates = np.where(audit.has_row_error[contending.rows], NONE, route)
    first = first_row(candidates, int(route.max(initial=NONE)) + 1)[route]
    repeats = np.zeros(audit.columns.size, dtype=np.bool_)
    repeats[contending.rows[(first != NONE) & (first < np.arange(len(first)))]] = True
    return repeats


def _reasons(errors: pd.DataFrame, blocked: Mask) -> pd.Series:
    """Join the messages of each blocked row's errors.

    Of two rows that disagree, only the later one has a finding. The first one gets a fixed text.
    """
    rows: I64 = errors["row"].to_numpy()
    named = say(as_text(errors["rule"].astype("str")), ": ", as_text(errors["message"]))
    starts = np.flatnonzero(is_new(rows))
    lists = pa.LargeListArray.from_arrays(pa.array(np.append(starts, len(rows))), named)
    joined = pd.Series(pc.binary_join(lists, pa.scalar("; ", TEXT)), dtype="str")
    reason = pd.Series(pd.NA, index=pd.RangeIndex(len(blocked)), dtype="str")
    reason[blocked] = "a later row gives the same route another weight or next hop"
    found = rows[starts]
    reason[found[blocked[found]]] = joined[blocked[found]].array
    return reason


def apply_suggestions(routes: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of routes with the suggestions of some findings applied.

    Parameters
    ----------
    routes : DataFrame
        The audited routes.
    findings : DataFrame
        All or some findings of `audit_routes` on these routes. Findings without a suggestion
        change nothing.

    Returns
    -------
    DataFrame
        A copy with the same index, columns and order of rows. Only the cells of the suggestions
        differ, and next hops: a next hop that was equal to its row's connection stays equal to
        it. In a column of numbers, a suggested number is stored as a number. Audit the result
        again, because corrected rows may now conflict with other rows.

    Raises
    ------
    InputError
        If the findings are not from an audit of these routes, or two of them suggest different
        values for the same cell.

    Examples
    --------
    >>> import pandas as pd
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> apply_suggestions(routes, audit_routes(routes))["route_dest"].tolist()
    ['10.0.0.0/8', '10.1.0.0/16']
    >>> routes["route_dest"].tolist()
    ['10.0.0.0/8', '10.1.2.3/16']
    """
    schema.require_columns(findings, ("row", "column", "route_dest", "suggestion"), what="findings")
    made = findings[findings["suggestion"].notna() & findings["column"].notna()]
    made = made.drop_duplicates(["row", "column", "suggestion"])
    _refuse_others(routes, made)
    made = pd.concat([made, _next_hops(routes, made)])
    corrected = routes.copy()
    for column, part in made.groupby("column", observed=True):
        corrected[column] = _put(corrected[column], part["row"], part["suggestion"])
    return corrected


def _next_hops(routes: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Repeat suggestions for connections for the next hops that were equal to them."""
    there = made[made["column"] == "vpn_connection_id"]
    rows = there["row"].to_numpy()
    connection, hop = (
        schema.text_column(routes[name]).take(rows).str.casefold().to_numpy()
        for name in ("vpn_connection_id", "next_hop")
    )
    suggested = made.loc[made["column"] == "next_hop", "row"]
    alike = (connection == hop) & ~there["row"].isin(suggested)
    return pd.DataFrame(there[alike].assign(column="next_hop"))


def _refuse_others(routes: pd.DataFrame, made: pd.DataFrame) -> None:
    schema.require_columns(routes, schema.ROUTES_REQUIRED, what="routes")
    rows = made["row"]
    there = rows.between(0, len(routes) - 1)
    same = there.copy()
    cells = schema.text_column(routes["route_dest"]).take(rows[there].to_numpy())
    said = made.loc[there, "route_dest"]
    alike = cells.fillna("").to_numpy() == said.fillna("").to_numpy()
    same[there] = alike
    if not same.all():
        raise InputError(
            f"{(~same).sum()} findings are not of these routes, the first names row "
            f"{rows[~same].iloc[0]}",
            remedy="Audit these routes and pass the new findings",
        )
    twice = made[made.duplicated(["row", "column"])]
    if len(twice):
        row, column = twice.iloc[0][["row", "column"]]
        raise InputError(
            f"two findings suggest different values for {column} of row {row}",
            remedy="Pass one of them",
        )


def _put(cells: pd.Series, rows: pd.Series, values: pd.Series) -> pd.Series:
    """Return a column with new values at some positions, in the column's dtype if they fit."""
    fitting: pd.Series = values
    if pd.api.types.is_numeric_dtype(cells.dtype):
        fitting = pd.to_numeric(values)
    elif isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(cells.cat.categories.dtype)
    elif cells.dtype != object:
        fitting = values.astype(cells.dtype)
    changed = cells.copy()
    changed.iloc[rows.to_numpy()] = fitting.array
    return changed
