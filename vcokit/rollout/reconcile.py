"""Desired routes beside live ones: what to do about each row, what may be deleted, what differs.

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

Live routes that no row names are deleted only with ``prune=True``, and only

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

While a plan is carried out, listings are held against what should be there: before anything is
sent (`differences`), and at the end (`unlike_planned`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import NONE, RouteColumns, first_row, strings
from vcokit.audit.plannable import PlannableRows
from vcokit.cidr.parse import I64, Mask, parse
from vcokit.cidr.relations import pack
from vcokit.errors import InputError, PlanError
from vcokit.rollout.steps import (
    BLOCKED,
    BORN,
    CREATE,
    DELETE,
    DONE,
    FAILED,
    IN_DOUBT,
    KEEP,
    LIVE_COLUMNS,
    MODIFY,
    PENDING,
    PLAN_COLUMNS,
    SKIPPED,
    Route,
    Step,
)

#: Weights that a call may give; a route is named by its weight too.
WEIGHTS: Final = (0, 100)


def routes_there(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live ones, with the columns that tell them apart.

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
    return schema.frame({name: schema.STEPS[name] for name in PLAN_COLUMNS}, columns)


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


# -- live routes that no row names ----------------------------------------------------------------
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
        Live destination routes; from `routes_there`.
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


# -- a listing against what should be there -------------------------------------------------------


class Holdings(NamedTuple):
    """What a connection held when its plan was made, what is planned for it, and what it holds.

    Parameters
    ----------
    region_id, vpn_connection_id : str
    start : frozenset of Route
        Live routes that the plan was made from.
    steps : tuple of (Step, str)
        With the state of each.
    seen : frozenset of Route or None
        Of its latest listing; None where it was never listed.
    """

    region_id: str
    vpn_connection_id: str
    start: frozenset[Route]
    steps: tuple[tuple[Step, str], ...]
    seen: frozenset[Route] | None


def differences(held: Holdings) -> list[str]:
    """Hold a listing against what the plan saw, plus what its steps have done since.

    Steps in doubt, failed and skipped ones, may or may not have had their effect: their routes
    count as neither there nor gone.

    Returns
    -------
    list of str
        One line a difference, sorted.
    """
    listed = held.seen or frozenset()
    expected: set[Route | None] = set(held.start)
    open_to: set[Route | None] = {None}
    for step, state in held.steps:
        if step.sends and state == DONE:
            expected.discard(step.before)
            expected.add(step.after)
        elif step.sends and (state in IN_DOUBT or state in (FAILED, SKIPPED)):
            open_to |= {step.before, step.after}
    strange = {route for route in (expected ^ listed) - open_to if route is not None}
    return [
        f"{held.vpn_connection_id}: {route.route_dest} via {route.next_hop}, weight {route.weight},"
        f" is {'new' if route in listed else 'gone'}"
        for route in sorted(strange)
    ]


def unlike_planned(connections: Iterable[Holdings]) -> pd.DataFrame:
    """Return where the latest listings of connections differ from what was planned.

    Parameters
    ----------
    connections : iterable of Holdings
        Those that were never listed are passed over.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.DIFFERENCES`, a row a route: ``missing`` (planned, and no route of that
        network is there), ``different`` (one with another weight or next hop is) or
        ``unexpected`` (there, and neither planned nor live when the plan was made). ``row`` is NA.

    Examples
    --------
    >>> step = Step(0, "create", "r", "vco-a", "10.0.0.0/8", "h", 100)
    >>> held = Holdings("r", "vco-a", frozenset(), ((step, "done"),), frozenset())
    >>> unlike_planned([held])[["verdict", "route_dest"]].values.tolist()
    [['missing', '10.0.0.0/8']]
    """
    found = [row for held in connections if held.seen is not None for row in _unlike(held)]
    names = list(schema.DIFFERENCES)[:-1]
    return schema.frame(
        schema.DIFFERENCES,
        {name: [row[place] for row in found] for place, name in enumerate(names)},
    )


def _unlike(held: Holdings) -> Iterator[tuple[object, ...]]:
    wanted = set(held.start)
    for step, _ in held.steps:
        if step.before is not None:
            wanted.discard(step.before)
        if step.after is not None:
            wanted.add(step.after)
    seen = held.seen or frozenset()
    extra: dict[str, deque[Route]] = defaultdict(deque)
    for route in sorted(seen - wanted):
        extra[route.route_dest].append(route)
    place = (held.region_id, held.vpn_connection_id)
    for route in sorted(wanted - seen):
        others = extra[route.route_dest]
        there = others.popleft() if others else None
        verdict = "missing" if there is None else "different"
        live = (None, None) if there is None else (there.next_hop, there.weight)
        yield (verdict, *place, *route, *live)
    for route in chain.from_iterable(extra.values()):
        yield ("unexpected", *place, route.route_dest, None, None, route.next_hop, route.weight)
