"""Rows of an inventory beside live routes: what is to be done about each row.

For every row that is plannable (see `vcokit.audit.plannable`) its connection and network decide:

==============================================  ==========================================
the very route is live                          keep
live with the other weight, same next hop       modify, in place
live with a weight that is neither 0 nor 100    blocked: no call can name that route
live with another next hop only                 blocked: the cloud cannot change it in place
not live                                        create
the cloud does not list the connection          blocked
==============================================  ==========================================

Rows and live routes meet as numbers: a *place* is (connection, network), a *path* has the next hop
too. A live destination with host bits set, which the cloud should not hold, is no place here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import NONE, RouteColumns, strings
from vcokit.audit.plannable import PlannableRows
from vcokit.cidr.parse import I64, Mask, parse
from vcokit.cidr.relations import pack
from vcokit.errors import PlanError
from vcokit.rollout.steps import BLOCKED, BORN, CREATE, KEEP, LIVE_COLUMNS, MODIFY, PENDING
from vcokit.rollout.steps import PLAN_COLUMNS as COLUMNS

#: Weights that a call may give; a route is named by its weight too.
WEIGHTS: Final = (0, 100)


def routes_there(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live ones, with the columns that tell them apart.

    Parameters
    ----------
    live : DataFrame

    Returns
    -------
    DataFrame
        Of `LIVE_COLUMNS`, on a fresh index, a row a destination route, repeats included.

    Raises
    ------
    InputError
        If a column is not there.
    PlanError
        If a route lacks a part of its identity.
    """
    schema.require_columns(live, LIVE_COLUMNS, what="live routes")
    live = schema.destination_routes(live)
    there = schema.frame(
        {name: schema.LIVE_ROUTES[name] for name in LIVE_COLUMNS},
        {name: live[name] for name in LIVE_COLUMNS},
    )
    if any(there[name].isna().any() for name in LIVE_COLUMNS):
        raise PlanError(
            "a live route lacks a part of its identity", remedy="Read the live routes again"
        )
    return there


def scopes(routes: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the scope of each row as text: the cells of its columns, an empty one as nothing."""
    parts = [schema.text_column(routes[name]).fillna("").reset_index(drop=True) for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined


def steps_of_rows(
    facts: RouteColumns,
    rows: PlannableRows,
    there: pd.DataFrame,
    unlisted: Mapping[str, str],
    scope: pd.Series,
) -> pd.DataFrame:
    """Return a step a row.

    Parameters
    ----------
    facts : RouteColumns
        Of the inventory and the live routes.
    rows : PlannableRows
    there : DataFrame
        From `routes_there`.
    unlisted : mapping of str to str
        The cloud's code, by connections that it does not list.
    scope : Series of str
        From `scopes`.

    Returns
    -------
    DataFrame
        Of `PLAN_COLUMNS`.
    """
    routes, stands = rows.routes, rows.plannable
    found = _meet(facts, there)
    unseen = among(facts, unlisted)
    other = ~found.exact & (found.old_weight != NONE)
    nameless = other & ~np.isin(found.old_weight, WEIGHTS)
    action = np.select(
        [~stands, unseen, found.exact, nameless, other, found.place],
        [BLOCKED, BLOCKED, KEEP, BLOCKED, MODIFY, BLOCKED],
        CREATE,
    )
    message = rows.reason.copy()
    _say_unlisted(message, np.flatnonzero(stands & unseen), facts, unlisted)
    message[stands & (action == BLOCKED) & ~unseen] = (
        "live with another next hop, which the cloud cannot change in place"
    )
    for weight in np.unique(found.old_weight[stands & ~unseen & nameless]).tolist():
        here = stands & ~unseen & nameless & (found.old_weight == weight)
        message[here] = f"live with weight {weight}, which no call can name"
    columns: dict[str, object] = {name: routes[name] for name in LIVE_COLUMNS}
    columns |= {
        "step": np.arange(len(routes)),
        "scope": scope,
        "action": action,
        "state": np.where(
            action == KEEP, BORN[KEEP], np.where(action == BLOCKED, BLOCKED, PENDING)
        ),
        "route_dest": rows.network.fillna(routes["route_dest"]),
        "old_weight": pd.arrays.IntegerArray(found.old_weight, action != MODIFY),
        "description": routes["description"],
        "message": message,
        "row": np.arange(len(routes)),
        "source": routes["source"].astype("str"),
        "line": routes["line"],
    }
    return schema.frame({name: schema.STEPS[name] for name in COLUMNS}, columns)


def _say_unlisted(
    message: pd.Series, rows: I64, facts: RouteColumns, unlisted: Mapping[str, str]
) -> None:
    ids = pd.Series(facts.text(rows, "vpn_connection_id"), dtype="str")
    codes = ids.map(dict(unlisted)).astype("str")
    message.iloc[rows] = ("the cloud does not list the connection: " + codes).array


def among(facts: RouteColumns, connections: Mapping[str, str]) -> Mask:
    """Tell which rows are of certain connections.

    Parameters
    ----------
    facts : RouteColumns
    connections : mapping of str to str
        By id.
    """
    if not connections:
        return np.zeros(facts.size, dtype=np.bool_)
    numbers = facts.ids.number(strings(pd.Series(list(connections), dtype="str")))
    return np.isin(facts.connection, numbers)


# -- rows and live routes as numbers ------------------------------------------------------------


@dataclass(frozen=True)
class _Meeting:
    """How rows meet live routes.

    Parameters
    ----------
    exact : ndarray of bool
        The very route is live.
    place : ndarray of bool
        Something is live at the row's connection and network.
    old_weight : ndarray of int64
        Weight of the live route with the row's connection, network and next hop, where that
        differs; -1 elsewhere.
    """

    exact: Mask
    place: Mask
    old_weight: I64


def _meet(facts: RouteColumns, there: pd.DataFrame) -> _Meeting:
    prefixes = facts.prefixes
    live = live_prefixes(there)
    rows = np.flatnonzero(prefixes.valid & (facts.connection != NONE))
    known = np.flatnonzero(live.flags == 0)
    mine = pack(prefixes.network[rows], prefixes.length[rows], facts.connection[rows].astype("i8"))
    # What no row names has a number above those of rows, and need not fit a key.
    theirs_at = np.minimum(facts.live_connection[known].astype("i8"), facts.id_count)
    theirs = pack(live.network[known], live.length[known], theirs_at)
    places, their_place = _numbered(theirs)
    place = _position(places, mine)
    count = np.int64(facts.code_count)
    paths, their_path = _numbered(their_place * count + facts.live_next_hop[known])
    hop = facts.next_hop[rows].astype(np.int64)
    path = np.where((place >= 0) & (hop != NONE), _position(paths, place * count + hop), NONE)
    weights, their_weight = _numbered(there["weight"].to_numpy(dtype=np.int64)[known])
    weight = _position(weights, facts.weight[rows])
    size = np.int64(len(weights) + 1)
    routes, _ = _numbered(their_path * size + their_weight)
    exact = (path >= 0) & (weight >= 0) & (_position(routes, path * size + weight) >= 0)
    _, first = np.unique(their_path, return_index=True)
    old = np.append(weights[their_weight[first]], NONE)[path]
    return _Meeting(
        _spread(facts.size, rows, exact, fill=False),
        _spread(facts.size, rows, place >= 0, fill=False),
        _spread(facts.size, rows, np.where(exact, NONE, old), fill=NONE),
    )


def live_prefixes(there: pd.DataFrame) -> Any:
    """Return the destinations of live routes as `vcokit.cidr.parse.Prefixes`."""
    return parse(there["route_dest"])


def _numbered(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], I64]:
    """Return the distinct values, sorted, and the number of each value among them."""
    distinct, number = np.unique(values, return_inverse=True)
    return distinct, number.astype(np.int64)


def _position(known: npt.NDArray[Any], values: npt.NDArray[Any]) -> I64:
    """Return where each value stands among the sorted, distinct ones; -1 where it does not."""
    place = np.searchsorted(known, values)
    place[place == len(known)] = 0
    hit = known.take(place) == values if len(known) else np.zeros(len(values), dtype=np.bool_)
    return np.where(hit, place, NONE)


def _spread(size: int, rows: I64, values: npt.NDArray[Any], *, fill: object) -> npt.NDArray[Any]:
    """Return the values of some rows as a column of all."""
    column = np.full(size, fill, dtype=values.dtype)
    column[rows] = values
    return column
