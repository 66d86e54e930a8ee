"""Desired routes against live ones: a frozen, fingerprinted list of steps.

For every row that stands (see `vcokit.audit.standing`) its connection and network decide:

==============================================  ==========================================
the very route is live                          keep
live with the other weight, same next hop       modify, in place
live with another next hop only                 blocked: the cloud cannot change it in place
not live                                        create
the cloud does not list the connection          blocked
==============================================  ==========================================

Live routes that no row names are left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.case import Case
from vcokit.audit.standing import Standing, standing
from vcokit.errors import PlanError
from vcokit.rollout.steps import BLOCKED, BORN, CREATE, KEEP, MODIFY, PENDING, Route, Step

#: Columns of a plan's steps: those of `vcokit.schema.STEPS` that are known before it is carried
#: out. ``message`` says what blocks a step.
PLAN_COLUMNS: Final = (
    "step",
    "action",
    "state",
    "scope",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "old_weight",
    "weight",
    "description",
    "message",
    "row",
    "source",
    "line",
)
_LIVE_COLUMNS: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")


@dataclass(frozen=True, eq=False)
class Plan:
    """What a rollout will do, and the live routes it was made from.

    ``print(plan)`` gives the counts; `frame` gives a row a step.

    Parameters
    ----------
    steps : DataFrame
        Of `PLAN_COLUMNS`; private to the plan.
    live : DataFrame
        Destination routes that the plan's connections held: region_id, vpn_connection_id,
        route_dest, next_hop, weight; private to the plan.
    """

    steps: pd.DataFrame
    live: pd.DataFrame

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of steps by action."""
        found = self.steps["action"].value_counts()
        return {action: int(found.get(action, 0)) for action in schema.ACTIONS.categories}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what is to be done and of the live routes it was made from."""
        digest = hashlib.sha256()
        for frame, names in (
            (self.steps, [*PLAN_COLUMNS[1:2], *PLAN_COLUMNS[3:11]]),
            (self.live.sort_values(list(_LIVE_COLUMNS)), list(_LIVE_COLUMNS)),
        ):
            digest.update(frame[names].to_csv(index=False, lineterminator="\n").encode())
        return digest.hexdigest()

    def __str__(self) -> str:
        return ", ".join(f"{count} {action}" for action, count in self.counts.items())

    def __repr__(self) -> str:
        return f"<Plan {self.fingerprint[:12]}: {self}>"

    def __len__(self) -> int:
        return len(self.steps)

    def frame(self) -> pd.DataFrame:
        """Return a row a step: action, route, what blocks it, and the row it comes from."""
        return self.steps.copy()

    def _repr_html_(self) -> str:
        table = self.frame().drop(columns=["step", "state"]).to_html(max_rows=12, border=0)
        return f"<p><b>Plan</b> <code>{self.fingerprint[:12]}</code>: {self}</p>{table}"

    def each(self) -> Iterator[Step]:
        """Yield the steps as records; of blocked ones, those that name a whole route."""
        names = ("action", *_LIVE_COLUMNS, "old_weight", "description", "scope")
        columns = [self.steps[name].astype("object") for name in names]
        columns = [column.where(column.notna(), None) for column in columns]
        for number, values in zip(self.steps["step"], zip(*columns, strict=True), strict=True):
            given: dict[str, Any] = dict(zip(names, values, strict=True))
            if given["action"] != BLOCKED:
                yield Step(number=int(number), **given)

    def live_by_lane(self) -> Mapping[str, frozenset[Route]]:
        """Return the live routes the plan was made from, by connection."""
        lanes: dict[str, set[Route]] = {
            connection: set()
            for connection in self.steps.loc[
                self.steps["action"] != BLOCKED, "vpn_connection_id"
            ].unique()
        }
        live = self.live
        for connection, dest, hop, weight in zip(
            live["vpn_connection_id"],
            live["route_dest"],
            live["next_hop"],
            live["weight"],
            strict=True,
        ):
            if connection in lanes:
                lanes[connection].add(Route(dest, hop, int(weight)))
        return {connection: frozenset(routes) for connection, routes in lanes.items()}


def plan_routes(
    routes: pd.DataFrame,
    live: pd.DataFrame,
    *,
    connections: pd.DataFrame | None = None,
    quota: int | None = None,
    scope: str | Sequence[str] = "region_id",
) -> Plan:
    """Compare an inventory with the live routes and plan what makes them agree.

    Parameters
    ----------
    routes : DataFrame
        The inventory.
    live : DataFrame
        What its connections hold now, from `live_routes`.
    connections, quota, scope
        As in `audit_routes`; rows with errors are blocked.

    Returns
    -------
    Plan
        A step a row of the inventory, in its order. Nothing is ever deleted.

    Raises
    ------
    InputError
        If a frame lacks columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from vcokit import schema
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> print(plan_routes(routes, schema.frame(schema.LIVE_ROUTES)))
    1 create, 0 modify, 0 delete, 0 keep, 1 blocked
    """
    names = (scope,) if isinstance(scope, str) else tuple(scope)
    unlisted = dict(live.attrs.get("unlisted", {})) if isinstance(live, pd.DataFrame) else {}
    rows = standing(Case(routes, live=live, connections=connections, quota=quota, scope=names))
    there = _live_routes(live)
    steps = _steps(rows, there, unlisted, _scopes(routes, names))
    return Plan(steps, _of_interest(there, rows))


def _scopes(routes: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the scope of each row as text: the cells of its columns, an empty one as nothing."""
    parts = [schema.text_column(routes[name]).fillna("").reset_index(drop=True) for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined


def _live_routes(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among the live ones, with the columns that matter."""
    schema.require_columns(live, _LIVE_COLUMNS, what="live routes")
    live = schema.destination_routes(live)
    there = schema.frame(
        {name: schema.LIVE_ROUTES[name] for name in _LIVE_COLUMNS},
        {name: live[name] for name in _LIVE_COLUMNS},
    )
    if there.isna().to_numpy().any():
        raise PlanError(
            "a live route lacks a part of its identity", remedy="Read the live routes again"
        )
    return there.drop_duplicates(ignore_index=True)


def _of_interest(there: pd.DataFrame, rows: Standing) -> pd.DataFrame:
    """Return the live routes of the connections on which something stands."""
    wanted = rows.routes.loc[rows.stands, "vpn_connection_id"]
    return there[there["vpn_connection_id"].isin(wanted)].reset_index(drop=True)


def _steps(
    rows: Standing, there: pd.DataFrame, unlisted: Mapping[str, str], scope: pd.Series
) -> pd.DataFrame:
    routes = rows.routes
    size = len(routes)
    exact, other_weight, other_hop, old_weight = _compare(rows, there)
    connection = routes["vpn_connection_id"]
    unseen = connection.isin(list(unlisted)).to_numpy()
    action = np.select(
        [~rows.stands, unseen, exact, other_weight, other_hop],
        [BLOCKED, BLOCKED, KEEP, MODIFY, BLOCKED],
        CREATE,
    )
    message = rows.reason.copy()
    message[rows.stands & unseen] = "the cloud does not list the connection: " + connection.map(
        dict(unlisted)
    ).astype("str")
    change_hop = rows.stands & ~unseen & ~exact & ~other_weight & other_hop
    message[change_hop] = "live with another next hop, which the cloud cannot change in place"
    columns: dict[str, object] = {name: routes[name] for name in _LIVE_COLUMNS}
    columns |= {
        "step": np.arange(size),
        "scope": scope,
        "action": action,
        "state": np.array([BORN.get(name, PENDING) for name in action], dtype=object),
        "route_dest": rows.network.fillna(routes["route_dest"]),
        "old_weight": pd.Series(old_weight).where(action == MODIFY),
        "description": routes["description"],
        "message": message.where(action == BLOCKED),
        "row": np.arange(size),
        "source": routes["source"].astype("str"),
        "line": routes["line"],
    }
    return schema.frame({name: schema.STEPS[name] for name in PLAN_COLUMNS}, columns)


def _compare(
    rows: Standing, there: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.Series]:
    """Return where this very route is live, with another weight, with another next hop only.

    The last item is the weight that a modify changes.
    """
    connection, network = rows.routes["vpn_connection_id"], rows.network
    next_hop, weight = rows.routes["next_hop"], rows.routes["weight"]
    mine = pd.DataFrame({"c": connection, "n": network, "h": next_hop, "w": weight})
    live = there.rename(
        columns={"vpn_connection_id": "c", "route_dest": "n", "next_hop": "h", "weight": "w"}
    )
    exact = pd.MultiIndex.from_frame(mine).isin(pd.MultiIndex.from_frame(live[list("cnhw")]))
    path = pd.MultiIndex.from_frame(mine[list("cnh")])
    by_path = live.drop_duplicates(list("cnh")).set_index(list("cnh"))["w"]
    old_weight = by_path.reindex(path).reset_index(drop=True)
    place = pd.MultiIndex.from_frame(mine[list("cn")])
    in_place = place.isin(pd.MultiIndex.from_frame(live[list("cn")]))
    other_weight = old_weight.notna().to_numpy() & ~exact
    return exact, other_weight, in_place & ~exact & ~other_weight, old_weight
