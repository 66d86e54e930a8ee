"""Compare desired routes with live ones: one comparison, for plans and for verification.

::

    rows of an inventory, live routes ─▶ meetings ┐          ┌─▶ steps_of_rows     a plan
                                                  ├─▶ meet ──┼─▶ verify_routes     verdicts
    planned routes, latest listings ──────────────┘          └─▶ unlike_planned    verdicts

Each row is matched with at most one live route: the identical route, else one of its connection,
network and next hop, else one of its connection and network. The match decides what a plan does
about a row that is plannable (see `vcokit.audit.plannable`), and the verdict of a verification:

==========================================  =======================================  ==============
the matching live route                     a plan                                   verdict
==========================================  =======================================  ==============
the identical route                         keep                                     as planned
same next hop, the other weight             modify, in place                         different
same next hop, a weight that is not 0, 100  blocked: no call can name that route     different
same next hop, a weight that is not listed  keep; a message says so                  weight unknown
another next hop                            blocked: it cannot be changed in place   different
none                                        create                                   missing
(the cloud does not list the connection)    blocked                                  missing
==========================================  =======================================  ==============

A listing may omit weights (the vendor's page calls them "not in use"). Then the effect of a changed
weight cannot be seen, and a live route is not deleted, because the call must name its weight.

A live destination with host bits set, which the cloud should not hold, matches no row.

Live routes that no row names are deleted only with ``prune=True``, and only

- on connections that the inventory names, and there only routes of type custom, never BGP routes,
- if no row, blocked or not, names the connection and network, and
- up to a number per connection: a file that lost half its rows should not delete most live routes.

If a row cannot be read completely, it is unknown what it names. Then the deletes that it might have
prevented are blocked, with the reason, and the rest of the plan is not affected: one bad row among
a hundred thousand should stop only what is dangerous.

==========================================  ====================================================
a row that names                            blocks deletes
==========================================  ====================================================
a connection, no destination                on that connection
a destination, no known connection          of that network, on all connections
neither                                     everywhere
a connection whose rows name other scopes   on that connection: other coverage is unknown
==========================================  ====================================================

A connection is unknown if the cell is empty, is not an id, or names a connection that the cloud
does not list: whoever typed ``vco-c0.`` meant ``vco-c0``, and its routes must not be deleted
because of a full stop.

A listed route may still not forward. If tunnels and the tables of transit routers were read as
well, a live route may be ``tunnel down`` or ``not in router`` instead.

While a plan is carried out, `differences` compares each first listing with the routes that are
expected; steps in doubt may or may not have taken effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.columns import NONE, RouteColumns, first_row
from vcokit.audit.plannable import PlannableRows, plannable_rows
from vcokit.audit.rules import Rule
from vcokit.cidr.parse import I64, Mask, parse
from vcokit.cidr.relations import pack
from vcokit.contract import CONTRACT, TUNNEL_UP
from vcokit.errors import InputError, PlanError, Remedy
from vcokit.rollout.steps import (
    BORN,
    IN_DOUBT,
    LIVE_COLUMNS,
    PLAN_COLUMNS,
    UNKNOWN_WEIGHT,
    Action,
    Route,
    State,
    Step,
)

#: Weights that a call may name; a call identifies a route by its weight too.
WEIGHTS: Final = (0, 100)

_PLAN: Final = {name: schema.STEPS[name] for name in PLAN_COLUMNS}


def routes_there(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live ones, with the columns that identify them.

    Returns
    -------
    DataFrame
        Of `LIVE_COLUMNS`, on a new index, a row per destination route, including repeats. A weight
        that the listing does not report is `UNKNOWN_WEIGHT`.

    Raises
    ------
    InputError
        If a column is missing.
    PlanError
        If a route lacks a part of its identity.
    """
    schema.require_columns(live, LIVE_COLUMNS, what="live routes")
    live = schema.destination_routes(live)
    there = schema.frame(
        {name: schema.LIVE_ROUTES[name] for name in LIVE_COLUMNS},
        {name: live[name] for name in LIVE_COLUMNS},
    )
    there["weight"] = there["weight"].fillna(UNKNOWN_WEIGHT)
    if any(there[name].isna().any() for name in LIVE_COLUMNS):
        raise PlanError(
            "a live route lacks its region, connection, destination or next hop",
            remedy="Read the live routes again",
        )
    return there


def scopes(routes: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the scope of each row as text: its scope columns, joined; empty cells as ``""``."""
    parts = [schema.text_column(routes[name]).fillna("").reset_index(drop=True) for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined


# -- the comparison -------------------------------------------------------------------------------


def meetings(columns: RouteColumns, there: pd.DataFrame, plannable: Mask) -> I64:
    """Return the position of the live route that matches each row of an inventory; -1 if none.

    Parameters
    ----------
    columns : RouteColumns
        Of the inventory, with `there` as live routes.
    there : DataFrame
        From `routes_there`.
    plannable : ndarray of bool
        Rows that are matched at all.
    """
    rows, live = _numbers_of_rows(columns), _numbers_of_live(columns, there)
    wanted = rows[plannable[rows.index] & rows["place"].isin(live["place"])]
    met = np.full(columns.size, NONE, dtype=np.int64)
    met[wanted.index] = meet(wanted, live[live["exact"]], ["place"])
    return met


def unnamed(columns: RouteColumns, there: pd.DataFrame) -> Mask:
    """Return which live routes no row names, although a row names their connection."""
    rows, live = _numbers_of_rows(columns), _numbers_of_live(columns, there)
    named = np.append(np.bincount(columns.connection[columns.connection != NONE]) > 0, False)
    found = named[np.minimum(columns.live_connection, len(named) - 1)]
    found[live.index[live["place"].isin(rows["place"])]] = False
    return found


def meet(wanted: pd.DataFrame, there: pd.DataFrame, place: list[str]) -> I64:
    """Return the label of the live route that matches each wanted one; -1 if there is none.

    Of several live routes with the same connection and network, the identical one matches first,
    then one with the same next hop, then the first one. No live route matches twice.

    Parameters
    ----------
    wanted, there : DataFrame
        With the columns of `place`, next_hop and weight.
    place : list of str
        Columns that identify connection and network.
    """
    met = np.full(len(wanted), NONE, dtype=np.int64)
    for names in ([*place, "next_hop", "weight"], [*place, "next_hop"], place):
        left = wanted[names].assign(at=np.arange(len(wanted)))[met == NONE]
        right = there[names].assign(label=there.index)[~there.index.isin(met)]
        for side in (left, right):
            side["turn"] = side.groupby(names).cumcount()
        pairs = left.merge(right, on=[*names, "turn"])
        met[pairs["at"]] = pairs["label"]
    return met


def _numbers_of_rows(columns: RouteColumns) -> pd.DataFrame:
    """Return place, next hop and weight of rows with a place, that is a connection and network."""
    prefixes = columns.prefixes
    rows = np.flatnonzero(prefixes.valid & (columns.connection != NONE))
    connection = columns.connection[rows].astype(np.int64)
    numbers = {
        "place": pack(prefixes.network[rows], prefixes.length[rows], connection),
        "next_hop": columns.next_hop[rows],
        "weight": columns.weight[rows],
    }
    return pd.DataFrame(numbers, index=rows)


def _numbers_of_live(columns: RouteColumns, there: pd.DataFrame) -> pd.DataFrame:
    """Return the same for live routes, and whether the destination is exactly that network."""
    prefixes = parse(there["route_dest"])
    known = np.flatnonzero(prefixes.valid)
    # Connections that no row names all get one number above those of rows, to fit into a key.
    connection = np.minimum(columns.live_connection[known].astype(np.int64), columns.id_count)
    numbers = {
        "place": pack(prefixes.network[known], prefixes.length[known], connection),
        "next_hop": columns.live_next_hop[known],
        "weight": there["weight"].to_numpy(dtype=np.int64)[known],
        "exact": prefixes.flags[known] == 0,
    }
    return pd.DataFrame(numbers, index=known)


# -- steps ----------------------------------------------------------------------------------------


def steps_of_rows(
    rows: PlannableRows,
    there: pd.DataFrame,
    met: I64,
    unlisted: Mapping[str, str],
    scope: pd.Series,
) -> pd.DataFrame:
    """Return a step per row, of `PLAN_COLUMNS`.

    Parameters
    ----------
    rows : PlannableRows
    there : DataFrame
        From `routes_there`.
    met : ndarray of int64
        From `meetings`.
    unlisted : mapping of str to str
        The cloud's error code by connection, for connections that it does not list.
    scope : Series of str
        From `scopes`.
    """
    routes, plannable, position = rows.routes, rows.plannable, np.arange(len(rows.routes))
    connection = routes["vpn_connection_id"]
    live = _taken(there, met)
    unseen = plannable & connection.isin(unlisted).to_numpy()
    same_hop = (live["next_hop"] == routes["next_hop"]).to_numpy()
    same = same_hop & (live["weight"] == routes["weight"]).to_numpy(dtype=np.bool_, na_value=False)
    nameable = live["weight"].isin(WEIGHTS).to_numpy(dtype=np.bool_)
    untold = same_hop & (live["weight"] == UNKNOWN_WEIGHT).to_numpy(np.bool_, na_value=False)
    action = np.select(
        [~plannable | unseen, same | untold, same_hop & nameable, met != NONE],
        [Action.BLOCKED, Action.KEEP, Action.MODIFY, Action.BLOCKED],
        Action.CREATE,
    )
    code, weight = connection.map(dict(unlisted)).astype("str"), live["weight"].astype("str")
    in_the_way = plannable & ~unseen & (action == Action.BLOCKED)
    message = (
        rows.reason.mask(unseen, "the cloud does not list the connection: " + code)
        .mask(in_the_way & same_hop, "live with weight " + weight + ", which no call accepts")
        .mask(
            in_the_way & ~same_hop,
            "live with another next hop, which the cloud cannot change in place",
        )
        .mask(untold & (action == Action.KEEP), "the listing does not report the live weight")
    )
    columns: dict[str, object] = {name: routes[name] for name in LIVE_COLUMNS}
    columns |= {
        "step": position,
        "scope": scope,
        "action": action,
        "state": _born(action),
        "route_dest": rows.network.fillna(routes["route_dest"]),
        "old_weight": live["weight"].where(action == Action.MODIFY),
        "description": routes["description"],
        "message": message,
        "row": position,
        "source": routes["source"].astype("str"),
        "line": routes["line"],
    }
    return schema.frame(_PLAN, columns)


def _taken(there: pd.DataFrame, met: I64) -> pd.DataFrame:
    """Return next hop and weight of the live routes at some positions; missing for -1."""
    columns = ("next_hop", "weight")
    return pd.DataFrame({name: there[name].array.take(met, allow_fill=True) for name in columns})


def _born(action: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.select([action == born for born in BORN], list(BORN.values()), State.PENDING)


# -- verdicts -------------------------------------------------------------------------------------


def verify_routes(
    routes: pd.DataFrame,
    live: pd.DataFrame,
    *,
    quota: int | None = None,
    rules: Rule | Iterable[Rule] = (),
    tunnels: pd.DataFrame | None = None,
    router_routes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare the routes of an inventory with the live ones, route by route.

    Parameters
    ----------
    routes : DataFrame
        The inventory. Rows that a plan would block are ignored.
    live : DataFrame
        From `live_routes`; connections that the inventory does not name are ignored.
    quota : int, optional
        As in `audit_routes`.
    rules : iterable of Rule
        Your own rules, as in `plan_routes`.
    tunnels : DataFrame, optional
        From `live_tunnels`: a live route may then be ``tunnel down``.
    router_routes : DataFrame, optional
        From `live_router_routes`: a live route may then be ``not in router``.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.DIFFERENCES`. First a row per desired route: ``as planned``, ``missing``,
        ``different`` or ``weight unknown`` (it is live, but the listing does not report its
        weight). A live route is ``tunnel down`` if no tunnel of its connection is up, and ``not in
        router`` if it has weight 100 and no table of the transit router has it. Then a row per
        ``unexpected`` live route: a row names its connection, but none names its network on that
        connection.

    Raises
    ------
    InputError
        If a frame lacks columns, or `quota` is not a number of routes.
    PlanError
        If a live route lacks its region, connection, destination or next hop.

    Examples
    --------
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "172.16.0.0/12"], "next_hop": "vco-a", "weight": 100})
    >>> live = routes.head(1).assign(weight=0)
    >>> verify_routes(routes, live)[["verdict", "route_dest", "weight", "live_weight"]]
         verdict     route_dest  weight  live_weight
    0  different     10.0.0.0/8     100            0
    1    missing  172.16.0.0/12     100         <NA>
    """
    there = routes_there(live)
    audit = Audit(routes, live=there, quota=quota)
    rows = plannable_rows(audit, rules)
    met = meetings(audit.columns, there, rows.plannable)
    wanted = rows.routes.assign(route_dest=rows.network, row=np.arange(len(met)))
    unexpected = unnamed(audit.columns, there)
    found = _verdicts(wanted[rows.plannable], there, met[rows.plannable], unexpected)
    return _beyond_the_listing(found, tunnels, router_routes)


def _verdicts(
    wanted: pd.DataFrame, there: pd.DataFrame, met: I64, unexpected: Mask
) -> pd.DataFrame:
    """Return wanted routes with their matches, then unexpected routes."""
    wanted = wanted.reset_index(drop=True)
    live = _taken(there, met)
    same = ((live["next_hop"] == wanted["next_hop"]) & (live["weight"] == wanted["weight"])).fillna(
        False
    )
    untold = live["weight"] == UNKNOWN_WEIGHT
    unknown = ((live["next_hop"] == wanted["next_hop"]) & untold).to_numpy(np.bool_, na_value=False)
    verdict = np.select(
        [met == NONE, same.to_numpy(), unknown],
        ["missing", "as planned", "weight unknown"],
        "different",
    )
    names = {"next_hop": "live_next_hop", "weight": "live_weight"}
    found = wanted.assign(verdict=verdict).join(live.rename(columns=names))
    extra = there[unexpected].rename(columns=names).assign(verdict="unexpected")
    both = pd.concat([found, extra], ignore_index=True)
    both["live_weight"] = both["live_weight"].mask(both["live_weight"] == UNKNOWN_WEIGHT)
    return schema.frame(
        schema.DIFFERENCES, {name: both[name] for name in schema.DIFFERENCES if name in both}
    )


#: Statuses of a route that has arrived in a route table, the best first.
_ARRIVED: Final = CONTRACT["services"]["transit_router"]["arrived"]["value"]


def _beyond_the_listing(
    found: pd.DataFrame, tunnels: pd.DataFrame | None, router_routes: pd.DataFrame | None
) -> pd.DataFrame:
    """Return verdicts with what becomes of routes that are listed: in tunnels, in routers."""
    there = found["verdict"].isin(["as planned", "weight unknown"])
    if router_routes is not None:
        found["router"] = _in_router(found, router_routes)
        arrived = found["router"].isin([status.lower() for status in _ARRIVED])
        lost = there & found["router"].notna() & ~arrived & (found["weight"] != 0)
        found.loc[lost, "verdict"] = "not in router"
    if tunnels is not None:
        # The cause comes before what follows from it: such a route is published to no router.
        found["tunnel"] = found["vpn_connection_id"].map(_tunnel_states(tunnels))
        found.loc[there & (found["tunnel"] == "down"), "verdict"] = "tunnel down"
    return found


def _tunnel_states(tunnels: pd.DataFrame) -> pd.Series:
    """Return by connection whether its tunnels are ``up``, ``degraded`` or ``down``."""
    known = tunnels.dropna(subset="status")
    up = (known["status"] == TUNNEL_UP).groupby(known["vpn_connection_id"])
    state = pd.Series("degraded", index=up.all().index, dtype="str")
    return state.mask(up.all(), "up").mask(~up.any(), "down")


def _in_router(found: pd.DataFrame, router_routes: pd.DataFrame) -> pd.Series:
    """Return the status of each route in the tables of its router; NA where none was read."""
    place = ["vpn_connection_id", "route_dest"]
    rank = router_routes["status"].map({status: at for at, status in enumerate(_ARRIVED)})
    best = router_routes.iloc[rank.argsort(kind="stable")].drop_duplicates(place)
    status = found[place].merge(best, how="left", on=place)["status"].str.lower()
    read = router_routes.loc[router_routes["note"].isna(), "vpn_connection_id"]
    return status.fillna("absent").where(found["vpn_connection_id"].isin(read))


# -- live routes that no row names ----------------------------------------------------------------
#: What may be deleted on a connection by default: `FEW` routes, or the `SHARE` of its live routes,
#: whichever is more.
FEW: Final = 10
SHARE: Final = 0.1
#: Connections that an error names; the others are counted.
_NAMED: Final = 10


def deletes(
    columns: RouteColumns,
    there: pd.DataFrame,
    scope: pd.Series,
    nameless: Mask,
    max_delete: int | None = None,
) -> pd.DataFrame:
    """Return the steps that delete live routes that no row names.

    Parameters
    ----------
    columns : RouteColumns
        Of the inventory and the live routes.
    there : DataFrame
        Live destination routes; from `routes_there`.
    scope : Series of str
        The scope of each row.
    nameless : ndarray of bool
        Rows whose connection is unknown.
    max_delete : int, optional
        Deletes per connection; by default `FEW`, or a `SHARE` of its live routes if that is more.

    Returns
    -------
    DataFrame
        Of `PLAN_COLUMNS`, indexed by the row of `there`; numbered from 0.

    Raises
    ------
    InputError
        If `max_delete` is not a number of routes.
    PlanError
        If more would be deleted on a connection than allowed.
    """
    if max_delete is not None and (isinstance(max_delete, bool) or max_delete < 0):
        raise InputError(f"max_delete={max_delete!r} is not a number of routes")
    free = unnamed(columns, there)
    gone, connection = there[free], columns.live_connection[free]
    reason = _what_blocks(columns, gone, connection, nameless)
    blocked = reason.notna().to_numpy()
    _check_number(columns, connection[~blocked], max_delete)
    action = np.where(blocked, Action.BLOCKED, Action.DELETE)
    # The scope of the connection's first row that takes part, else of its first row.
    part = first_row(np.where(columns.takes_part, columns.connection, NONE), columns.id_count)
    first = np.where(part == NONE, first_row(columns.connection, columns.id_count), part)
    values: dict[str, object] = {name: gone[name] for name in LIVE_COLUMNS}
    values |= {
        "step": np.arange(len(gone)),
        "scope": scope.iloc[first[connection]],
        "action": action,
        "state": _born(action),
        "message": reason,
    }
    return schema.frame(_PLAN, values).set_index(gone.index)


def _what_blocks(
    columns: RouteColumns, gone: pd.DataFrame, connection: npt.NDArray[Any], nameless: Mask
) -> pd.Series:
    """Return the reason that blocks each delete; the last one that applies, NA if none does."""
    prefixes, live = columns.prefixes, parse(gone["route_dest"])
    unread = ~prefixes.valid
    mine = pack(prefixes.network[nameless & ~unread], prefixes.length[nameless & ~unread])
    of_unread = np.isin(connection, columns.connection[unread & (columns.connection != NONE)])
    part = pd.Series(columns.scope[columns.takes_part])
    scopes_of = part.groupby(columns.connection[columns.takes_part]).nunique()
    named = gone["weight"].isin(WEIGHTS) & (gone["next_hop"] != "")
    reason = pd.Series(pd.NA, index=pd.RangeIndex(len(gone)), dtype="str")
    for blocked, why in (
        (~live.valid, "its destination is not an IPv4 prefix"),
        (~named.to_numpy(dtype=np.bool_), "no call accepts its weight or next hop"),
        (
            (gone["weight"] == UNKNOWN_WEIGHT).to_numpy(dtype=np.bool_),
            "the listing does not report its weight, which a call requires",
        ),
        (
            np.isin(connection, scopes_of.index[scopes_of > 1]),
            "rows of its connection name several scopes",
        ),
        (
            np.isin(pack(live.network, np.minimum(live.length, 32)), mine),
            "a row with an unknown connection names its network",
        ),
        (of_unread, "a row of its connection names no destination"),
        (np.full(len(gone), (unread & nameless).any()), "a row names nothing that can be read"),
    ):
        reason[blocked] = f"not deleted: {why}"
    return reason


# -- the number of deletes ----------------------------------------------------------------------


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
        f"more would be deleted than a plan may delete by default: {', '.join(said + more)}",
        remedy=Remedy(
            "Check that the inventory is complete. If these routes are to go, pass {max_delete}",
            max_delete=int(goes.max()),
        ),
    )


# -- a listing and the expected routes ------------------------------------------------------------


class Holdings(NamedTuple):
    """The routes that a connection held for the plan, its steps, and the routes it holds now.

    Parameters
    ----------
    region_id, vpn_connection_id : str
    start : frozenset of Route
        Live routes that the plan was made from.
    steps : tuple of (Step, str)
        Each step with its state.
    seen : frozenset of Route or None
        From its latest listing; None if it was never listed.
    """

    region_id: str
    vpn_connection_id: str
    start: frozenset[Route]
    steps: tuple[tuple[Step, str], ...]
    seen: frozenset[Route] | None


def differences(held: Holdings) -> list[str]:
    """Compare a listing with the routes of the plan, changed by the steps that are done.

    Steps in doubt, and failed and skipped ones, may or may not have taken effect: their routes
    count neither as present nor as gone.

    Returns
    -------
    list of str
        One line per difference, sorted.
    """
    listed = held.seen or frozenset()
    expected: set[Route | None] = set(held.start)
    open_to: set[Route | None] = {None}
    for step, state in held.steps:
        if step.sends and state == State.DONE:
            expected.discard(step.before)
            expected.add(step.after)
        elif step.sends and (state in IN_DOUBT or state in (State.FAILED, State.SKIPPED)):
            open_to |= {step.before, step.after}
    told = {
        other: route
        for route in expected | open_to
        if route is not None and (other := route._replace(weight=UNKNOWN_WEIGHT)) in listed
    }
    seen = {told.get(route, route) for route in listed} | {
        route for route in expected if route is not None and route.is_in(listed)
    }
    strange = {route for route in (expected ^ seen) - open_to if route is not None}
    return [
        f"{held.vpn_connection_id}: {route.route_dest} via {route.next_hop}, weight {route.weight},"
        f" is {'new' if route in seen else 'gone'}"
        for route in sorted(strange)
    ]


def unlike_planned(connections: Iterable[Holdings]) -> pd.DataFrame:
    """Return where the latest listings of connections differ from what was planned.

    Parameters
    ----------
    connections : iterable of Holdings
        Connections that were never listed are ignored.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.DIFFERENCES`, a row per route: ``missing`` (planned, but no route of that
        network is live), ``different`` (one with another weight or next hop is live) or
        ``unexpected`` (live, but neither planned nor live when the plan was made). ``row`` is NA.

    Examples
    --------
    >>> step = Step(0, "create", "r", "vco-a", "10.0.0.0/8", "h", 100)
    >>> held = Holdings("r", "vco-a", frozenset(), ((step, "done"),), frozenset())
    >>> unlike_planned([held])[["verdict", "route_dest"]].values.tolist()
    [['missing', '10.0.0.0/8']]
    """
    listed = [held for held in connections if held.seen is not None]
    wanted = _frame_of(listed, [_planned(held) for held in listed])
    there = _frame_of(listed, [held.seen or () for held in listed])
    met = meet(wanted, there, ["vpn_connection_id", "route_dest"])
    found = _verdicts(wanted, there, met, ~there.index.isin(met))
    right = found["verdict"].isin(["as planned", "weight unknown"])
    return found[~right].reset_index(drop=True)


def _planned(held: Holdings) -> set[Route]:
    """Return the routes that a connection holds when all its steps are done."""
    routes: set[Route | None] = set(held.start)
    before = {step.before for step, _ in held.steps if step.before is not None}
    routes -= before | {route._replace(weight=UNKNOWN_WEIGHT) for route in before}
    routes |= {step.after for step, _ in held.steps}
    return {route for route in routes if route is not None}


def _frame_of(connections: Iterable[Holdings], tables: Iterable[Iterable[Route]]) -> pd.DataFrame:
    """Return the routes of some connections, of `LIVE_COLUMNS`."""
    rows = [
        (held.region_id, held.vpn_connection_id, *route)
        for held, table in zip(connections, tables, strict=True)
        for route in sorted(table)
    ]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(LIVE_COLUMNS)}
    return schema.frame({name: schema.LIVE_ROUTES[name] for name in LIVE_COLUMNS}, columns)
