"""Live routes that no row names: which of them a plan may delete.

Only with ``prune=True``, and only

- on connections that the inventory names, and there routes of type custom, never BGP's,
- where no row, blocked or not, names the connection and network, and
- up to a number a connection: a file that lost half its rows should not empty a cloud.

Where a row cannot be read to its end, nobody knows what it names. Then the deletes it might have
prevented are blocked, with the reason, and all the rest of the plan stands: one bad row among a
hundred thousand should stop what is dangerous and nothing else.

==========================================  ====================================================
a row that names                            blocks deletes
==========================================  ====================================================
a connection, no destination                of that connection
a destination, no connection that is known  of that network, on all connections
neither                                     all
a connection whose rows name other scopes   of that connection: what else covers is not known
==========================================  ====================================================

A connection is not known where the cell is empty, is no id, or names one that the cloud does not
list: whoever typed ``vco-c0.`` meant ``vco-c0``, and its routes are not to go for a full stop.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import NONE, Mask, RouteColumns, first_row
from vcokit.cidr.relations import pack
from vcokit.errors import InputError, PlanError
from vcokit.rollout.compare import WEIGHTS, live_prefixes
from vcokit.rollout.steps import BLOCKED, DELETE, LIVE_COLUMNS, PENDING, PLAN_COLUMNS

#: What may be deleted on a connection without being asked for: so many routes, or that share of
#: its live ones, whichever is more.
FEW: Final = 10
SHARE: Final = 0.1
#: Connections that an error names; the others are counted.
_NAMED: Final = 10


def deletes(
    facts: RouteColumns,
    there: pd.DataFrame,
    scope: pd.Series,
    max_delete: int | None = None,
    *,
    nameless: Mask | None = None,
) -> pd.DataFrame:
    """Return the steps that delete what no row names.

    Parameters
    ----------
    facts : RouteColumns
        Of the inventory and the live routes.
    there : DataFrame
        Live destination routes; see `vcokit.rollout.compare.routes_there`.
    scope : Series of str
        Of each row.
    max_delete : int, optional
        Deletes a connection may have; by default `FEW`, or a `SHARE` of its live routes.
    nameless : ndarray of bool, optional
        Rows whose connection nobody knows; by default those whose cell holds no id.

    Returns
    -------
    DataFrame
        Of `PLAN_COLUMNS`, indexed by the row of `there`; numbered from 0.

    Raises
    ------
    InputError
        If `max_delete` is no number of routes.
    PlanError
        If a connection would lose more than it may.
    """
    if max_delete is not None and (isinstance(max_delete, bool) or max_delete < 0):
        raise InputError(f"max_delete={max_delete!r} is not a number of routes")
    rows = np.flatnonzero(_unnamed(facts, there))
    connection = facts.live_connection[rows]
    reason = _reasons(facts, there, rows, ~facts.id_ok if nameless is None else nameless)
    free = reason.isna().to_numpy()
    _check_number(facts, connection[free], max_delete)
    first = _first_row(facts)[connection]
    return _steps(there.iloc[rows], scope.iloc[first], reason)


def _unnamed(facts: RouteColumns, there: pd.DataFrame) -> Mask:
    """Tell which live routes are on a connection that some row names, but on no network of it."""
    named = np.bincount(facts.connection[facts.connection != NONE], minlength=facts.id_count) > 0
    connection = facts.live_connection
    here = np.append(named, [False])[np.minimum(connection, len(named))]
    prefixes, live = facts.prefixes, live_prefixes(there)
    rows = prefixes.valid & (facts.connection != NONE)
    mine = pack(prefixes.network[rows], prefixes.length[rows], facts.connection[rows].astype("i8"))
    known = here & live.valid
    theirs = pack(live.network[known], live.length[known], connection[known].astype("i8"))
    here[known] = ~np.isin(theirs, mine)
    return here


def _first_row(facts: RouteColumns) -> np.ndarray:
    """Return, by connection, the first row that takes part; else the first row of all."""
    part = first_row(np.where(facts.takes_part, facts.connection, NONE), facts.id_count)
    return np.where(part == NONE, first_row(facts.connection, facts.id_count), part)


# -- what blocks a delete -----------------------------------------------------------------------


def _reasons(
    facts: RouteColumns, there: pd.DataFrame, rows: np.ndarray, nameless: Mask
) -> pd.Series:
    """Return what blocks each delete; NA where nothing does."""
    connection = facts.live_connection[rows]
    live = live_prefixes(there.iloc[rows])
    unread = ~facts.prefixes.valid
    reason = pd.Series(pd.NA, index=pd.RangeIndex(len(rows)), dtype="str")
    reason[~live.valid] = "not deleted: its destination is no IPv4 prefix"
    named = there["weight"].isin(WEIGHTS) & (there["next_hop"] != "")
    reason[~named.to_numpy()[rows]] = "not deleted: no call can name a route of its weight or hop"
    for blocked, said in (
        (_split(facts)[connection], "rows of its connection name several scopes"),
        (
            _of_network(facts, live, nameless & ~unread),
            "a row whose connection is not known names it",
        ),
        (_first(facts, unread, connection), "a row of its connection names no destination"),
        (np.full(len(rows), (unread & nameless).any()), "a row names nothing that can be read"),
    ):
        reason[blocked] = f"not deleted: {said}"
    return reason


def _split(facts: RouteColumns) -> Mask:
    """Tell, by connection, whether its rows name several scopes."""
    rows = np.flatnonzero(facts.takes_part)
    usual = np.full(facts.id_count + 1, NONE, dtype=np.int64)
    usual[facts.connection[rows]] = facts.scope[rows]
    split = np.zeros(facts.id_count + 1, dtype=np.bool_)
    split[facts.connection[rows[usual[facts.connection[rows]] != facts.scope[rows]]]] = True
    return split


def _first(facts: RouteColumns, unread: Mask, connection: np.ndarray) -> Mask:
    """Tell which of some connections have a row without a readable destination."""
    bad = np.zeros(facts.id_count + 1, dtype=np.bool_)
    bad[facts.connection[unread & (facts.connection != NONE)]] = True
    return np.asarray(bad[connection])


def _of_network(facts: RouteColumns, live: object, nameless: Mask) -> Mask:
    """Tell which live destinations are named by a row without a connection."""
    network, length = live.network, live.length  # type: ignore[attr-defined]
    mine = pack(facts.prefixes.network[nameless], facts.prefixes.length[nameless])
    return np.isin(pack(network, np.minimum(length, 32)), mine)


# -- how many -----------------------------------------------------------------------------------


def _check_number(facts: RouteColumns, connection: np.ndarray, max_delete: int | None) -> None:
    goes = np.bincount(connection, minlength=facts.id_count)
    holds = np.bincount(
        facts.live_connection[facts.live_connection < facts.id_count], minlength=facts.id_count
    )
    allowed = (
        np.maximum(FEW, (holds * SHARE).astype(np.int64))
        if max_delete is None
        else np.full(len(goes), max_delete)
    )
    over = np.flatnonzero(goes > allowed)
    if not len(over):
        return
    ids = facts.ids.text(over.astype(np.int32)).to_pylist()
    said = [
        f"{name} {goes[code]} of {holds[code]} live routes (allowed: {allowed[code]})"
        for name, code in zip(ids[:_NAMED], over[:_NAMED], strict=True)
    ]
    more = [f"{len(over) - _NAMED} more connections"] if len(over) > _NAMED else []
    raise PlanError(
        f"more would be deleted than a plan may by itself: {', '.join(said + more)}",
        remedy="Look whether the inventory is whole; if these routes are to go, "
        f"plan_routes(…, max_delete={goes.max()})",
    )


def _steps(there: pd.DataFrame, scope: pd.Series, reason: pd.Series) -> pd.DataFrame:
    blocked = reason.notna().to_numpy()
    columns: dict[str, object] = {name: there[name] for name in LIVE_COLUMNS}
    columns |= {
        "step": np.arange(len(there)),
        "scope": scope,
        "action": np.where(blocked, BLOCKED, DELETE),
        "state": np.where(blocked, BLOCKED, PENDING),
        "message": reason,
    }
    found = schema.frame({name: schema.STEPS[name] for name in PLAN_COLUMNS}, columns)
    return found.set_index(there.index)
