"""Compare desired routes with live ones: a frozen, fingerprinted list of steps.

`vcokit.rollout.reconcile` decides what to do about each row, and which live routes that no row
names may be deleted; `vcokit.rollout.ordering` decides which step waits for which. This module
makes one value of them that can be shown (`vcokit.rollout.plan_text`), filtered, saved
(`vcokit.rollout.plan_io`) and carried out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from os import PathLike

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.impact import forwarding_changes
from vcokit.audit.plannable import plannable_rows
from vcokit.audit.review import Review
from vcokit.audit.rules import Rule
from vcokit.cidr.parse import Mask, parse
from vcokit.cidr.relations import covered_by
from vcokit.errors import InputError, PlanError
from vcokit.rollout import earlier, plan_io, plan_text, rehearsal
from vcokit.rollout.ordering import Gap, Order, order_of
from vcokit.rollout.provenance import ORIGIN, Origin
from vcokit.rollout.reconcile import deletes, meetings, routes_there, scopes, steps_of_rows
from vcokit.rollout.steps import LIVE_COLUMNS, OPERATION, PLAN_COLUMNS, Action, Route, Step

__all__ = ["PLAN_COLUMNS", "Plan", "plan_routes"]


#: Columns of the steps that the fingerprint covers, in this order since version 1 of the file:
#: other columns, or another order, would give other fingerprints.
_DIGESTED = (
    "action",
    "scope",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "old_weight",
    "weight",
    "description",
)


@dataclass(frozen=True, eq=False)
class Plan:
    """What a rollout will do, and the live routes it was made from.

    ``print(plan)`` gives the counts; `frame` gives a row per step.

    Parameters
    ----------
    steps : DataFrame
        Of `PLAN_COLUMNS`; do not modify it.
    live : DataFrame
        Destination routes that the plan's connections held: region_id, vpn_connection_id,
        route_dest, next_hop, weight; do not modify it.
    quota : int, optional
        Routes per connection, as given to `plan_routes`; None if it was not given. Rows beyond it
        are blocked, and `order` never has more routes live at once. It is part of the fingerprint,
        and is kept in files and journals.
    lost : tuple of Gap
        Steps of this plan that no longer wait for steps of a larger plan, because those are left
        out; see `only`.
    simulated : bool, optional
        Whether the live routes are a simulator's. Such a plan is never carried out in the cloud,
        and a plan of the cloud never on a simulator. None if the live routes did not say. It is
        kept in files and journals, but is not part of the fingerprint: a rehearsal may have the
        fingerprint of the real plan.
    origin : Origin, optional
        The files that the inventory was read from and the findings in them, for the change record.
        It is kept in files and journals, but is not part of the fingerprint.

    Examples
    --------
    >>> from vcokit import schema
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a", "vco-b"],
    ...     "route_dest": "10.0.0.0/8", "next_hop": ["vco-a", "vco-b"], "weight": [100, 0]})
    >>> plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    >>> print(plan)
    2 create, 0 modify, 0 delete, 0 keep, 0 blocked
    >>> canary = plan.only(connections="vco-b")
    >>> canary.frame()[["action", "vpn_connection_id", "route_dest", "weight"]]
       action vpn_connection_id  route_dest  weight
    0  create             vco-b  10.0.0.0/8       0
    >>> print(canary.diff())
    --- vco-b (live)
    +++ vco-b (planned)
    @@ -0,0 +1 @@
    +10.0.0.0/8  0  vco-b
    """

    steps: pd.DataFrame
    live: pd.DataFrame
    quota: int | None = None
    lost: tuple[Gap, ...] = ()
    simulated: bool | None = None
    origin: Origin | None = None

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of steps by action."""
        found = self.steps["action"].value_counts()
        return {action: int(found.get(action, 0)) for action in schema.ACTIONS.categories}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the steps and of the live routes that the plan was made from.

        It covers the values, not the dtypes, index or column order of the frames. It detects
        accidents and careless edits. It is not a signature: anyone who wants to change a plan
        unnoticed can compute a new one.
        """
        digest = hashlib.sha256()
        live = sorted(map(json.dumps, plan_io.rows(self.live, LIVE_COLUMNS)))
        steps = map(json.dumps, plan_io.rows(self.steps, _DIGESTED))
        for text in chain(steps, live, [json.dumps(self._given(), sort_keys=True)]):
            digest.update(f"{text}\n".encode())
        return digest.hexdigest()

    def has_fingerprint(self, told: str | None) -> bool:
        """Return whether a fingerprint, also one of an earlier version, is that of this plan."""
        return told == self.fingerprint or told == earlier.fingerprint(
            self.steps, self.live, _DIGESTED, self._given()
        )

    @cached_property
    def order(self) -> Order:
        """Which step waits for which, and what cannot be ordered: ``plan.order.gaps``."""
        found = order_of(self.each(), self.live_by_connection(), self.quota)
        return replace(found, gaps=self.lost + found.gaps)

    def meta(self) -> dict[str, str]:
        """Return what is in neither frame of the plan, as text, for a journal."""
        given = self._given()
        if self.simulated is not None:
            given[rehearsal.NAME] = rehearsal.TEXTS[self.simulated]
        if self.origin is not None:
            given[ORIGIN] = json.dumps(self.origin.to_json())
        return given

    def _given(self) -> dict[str, str]:
        """Return what is in neither frame of the plan but is part of its fingerprint."""
        given: dict[str, str] = {}
        if self.quota is not None:
            given["quota"] = str(self.quota)
        if self.lost:
            given["lost"] = json.dumps([[list(gap.steps), gap.reason] for gap in self.lost])
        return given

    @classmethod
    def of(cls, steps: pd.DataFrame, live: pd.DataFrame, meta: Mapping[str, str]) -> Plan:
        """Return the plan of two frames and the texts that `meta` returned."""
        lost = [
            Gap(tuple(numbers), reason) for numbers, reason in json.loads(meta.get("lost", "[]"))
        ]
        quota = int(meta["quota"]) if "quota" in meta else None
        simulated = rehearsal.of_text(meta.get(rehearsal.NAME))
        origin = Origin.from_json(json.loads(meta[ORIGIN])) if ORIGIN in meta else None
        return cls(steps, live, quota, tuple(lost), simulated, origin)

    # -- files ----------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the plan to a file of JSON lines: a header, then a line per step and live route.

        An existing file of that name is replaced atomically: if that fails, it stays intact.

        Raises
        ------
        PlanError
            If the file cannot be written.
        """
        plan_io.write(path, self.to_contents())

    def to_contents(self) -> plan_io.Contents:
        """Return what a file of the plan contains."""
        gaps = [(gap.steps, gap.reason) for gap in self.lost]
        origin = None if self.origin is None else self.origin.to_json()
        given = (self.steps, self.live, self.fingerprint, self.quota, gaps, self.simulated, origin)
        return plan_io.Contents(*given)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Plan:
        """Return the plan that `save` wrote, also with an earlier version.

        Raises
        ------
        PlanError
            If the file cannot be read, is not a plan, is damaged, or was changed without computing
            its digests anew; with file, line and remedy.
        """
        return cls.of_contents(plan_io.read(path), f"{path}, line 1")

    @classmethod
    def of_contents(cls, found: plan_io.Contents, place: str) -> Plan:
        """Return the plan of a file's contents; errors name the place.

        Raises
        ------
        PlanError
            If the origin is not understood, or the plan does not match its fingerprint.
        """
        lost = tuple(Gap(tuple(steps), reason) for steps, reason in found.gaps)
        try:
            origin = None if found.origin is None else Origin.from_json(found.origin)
        except (ValueError, TypeError):
            raise PlanError(
                f"{place}: what it says of its origin is not understood",
                remedy="Make the plan again",
            ) from None
        plan = cls(found.steps, found.live, found.quota, lost, found.simulated, origin)
        if not plan.has_fingerprint(found.fingerprint):
            raise PlanError(
                f"{place}: the plan does not match its fingerprint",
                remedy="Make the plan again",
            )
        return plan

    # -- views ----------------------------------------------------------------------------------

    def text(self) -> str:
        """Return changed and blocked steps, a line per step, by connection; then the counts.

        Lines begin with ``+`` (create), ``~`` (modify), ``-`` (delete) or ``!`` (blocked).
        """
        return "\n".join(plan_text.changes(self.steps))

    def markdown(self) -> str:
        """Return the same as Markdown, with the full fingerprint, for a comment on a change.

        Lines that do not fit into a comment of 64 KiB are only counted.
        """
        return plan_text.markdown(self.steps, self.fingerprint)

    def table(self) -> str:
        """Return all steps as aligned text, by connection, with unsafe characters escaped."""
        return plan_text.table(self.steps)

    def diff(self) -> str:
        """Return a unified diff of what each connection holds and what it will hold."""
        return plan_text.diff(self.each(), self.live_by_connection())

    def impact(self, live: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the address blocks that are forwarded differently once the plan is done.

        Parameters
        ----------
        live : DataFrame, optional
            All live routes of the regions, from `live_routes`; by default the routes that the
            plan's own connections held when it was made. Routes of other connections may carry
            traffic that these no longer do, so the answer is complete only with all live routes.

        Returns
        -------
        DataFrame
            As of `forwarding_changes`, the worst change first. Blocked rows change nothing. It
            compares before and after only; for what happens in between, see `order`.

        Examples
        --------
        >>> from vcokit import schema
        >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a"],
        ...     "route_dest": "10.0.0.0/8", "next_hop": ["vco-a"], "weight": [100]})
        >>> plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
        >>> plan.impact()[["block", "addresses", "change", "before", "after"]]
                block  addresses  change before  after
        0  10.0.0.0/8   16777216  gained    NaN  vco-a
        """
        before = self.live if live is None else live
        names = [*LIVE_COLUMNS, "scope"]
        steps = self.steps[self.steps["action"].isin(list(OPERATION))]
        scope = steps.drop_duplicates("vpn_connection_id").set_index("vpn_connection_id")["scope"]
        known = before["vpn_connection_id"].map(scope).astype("str")
        before = before.assign(scope=known.fillna(before["region_id"]))[names]
        gone = steps.assign(weight=steps["old_weight"].fillna(steps["weight"]))
        gone = gone[gone["action"] != Action.CREATE]
        route = list(LIVE_COLUMNS[1:])
        stays = ~pd.MultiIndex.from_frame(before[route]).isin(pd.MultiIndex.from_frame(gone[route]))
        made = steps.loc[steps["action"] != Action.DELETE, names]
        after = pd.concat([before[stays], made], ignore_index=True)
        by_region = bool((steps["scope"] == steps["region_id"]).all())
        return forwarding_changes(
            before, after, scope=["region_id"] if by_region else ["region_id", "scope"]
        )

    def only(
        self,
        *,
        connections: str | Iterable[str] | None = None,
        regions: str | Iterable[str] | None = None,
        actions: str | Iterable[str] | None = None,
        networks: str | Iterable[str] | None = None,
    ) -> Plan:
        """Return a plan of some of the steps, renumbered, with a fingerprint of its own.

        Parameters
        ----------
        connections, regions, actions : str or iterable of str, optional
            Which steps to keep; all by default.
        networks : str or iterable of str, optional
            Keep steps whose network is one of these prefixes, or lies within one.

        Returns
        -------
        Plan
            If a step removes coverage and waited for a step that is left out, the `order` of the
            plan has a gap.

        Raises
        ------
        InputError
            If an action or a network is invalid, or no step has a connection or region.
        """
        keep = mask_of(self.steps, connections, regions, actions, networks)
        steps = self.steps[keep].reset_index(drop=True)
        lost = lost_waits(self.each(), self.order, keep, self.lost)
        changed = steps.loc[steps["action"] != Action.BLOCKED, "vpn_connection_id"].unique()
        live = self.live[self.live["vpn_connection_id"].isin(changed)].reset_index(drop=True)
        return Plan(_numbered(steps), live, self.quota, lost, self.simulated, self.origin)

    def __str__(self) -> str:
        return ", ".join(f"{count} {action}" for action, count in self.counts.items())

    def __repr__(self) -> str:
        return f"<Plan {self.fingerprint[:12]}: {self}>"

    def __len__(self) -> int:
        return len(self.steps)

    def frame(self) -> pd.DataFrame:
        """Return a row per step: action, route, what blocks it, and the row it comes from."""
        return self.steps.copy()

    def _repr_html_(self) -> str:
        head = f"<p><b>Plan</b> <code>{self.fingerprint[:12]}</code>: {self}</p>"
        return head + plan_text.html_table(self.steps)

    def each(self) -> Iterator[Step]:
        """Yield the steps that are not blocked, as records."""
        return iter(self._records)

    @cached_property
    def _records(self) -> tuple[Step, ...]:
        there = self.steps[(self.steps["action"] != Action.BLOCKED).to_numpy()]
        rows = plan_io.rows(there, ("step", *Step.COLUMNS))
        return tuple(Step(number, Action(action), *rest) for number, action, *rest in rows)

    def live_by_connection(self) -> Mapping[str, frozenset[Route]]:
        """Return the live routes that the plan was made from, by connection."""
        steps, live = self.steps, self.live
        found: dict[str, set[Route]] = {
            connection: set()
            for connection in steps.loc[
                steps["action"] != Action.BLOCKED, "vpn_connection_id"
            ].unique()
        }
        columns = (live[name].tolist() for name in LIVE_COLUMNS[1:])
        for connection, dest, hop, weight in zip(*columns, strict=True):
            if connection in found:
                found[connection].add(Route(dest, hop, weight))
        return {connection: frozenset(routes) for connection, routes in found.items()}


def plan_routes(
    routes: pd.DataFrame,
    live: pd.DataFrame,
    *,
    connections: pd.DataFrame | None = None,
    quota: int | None = None,
    scope: str | Sequence[str] = "region_id",
    prune: bool = False,
    max_delete: int | None = None,
    rules: Rule | Iterable[Rule] = (),
    findings: pd.DataFrame | Review | None = None,
) -> Plan:
    """Compare an inventory with the live routes and plan the steps that make them agree.

    Parameters
    ----------
    routes : DataFrame
        The inventory.
    live : DataFrame
        What its connections hold now, from `live_routes`.
    connections, quota, scope
        As in `audit_routes`; rows with errors are blocked. With `prune`, routes that the plan
        deletes do not count.
    prune : bool
        Whether to delete live routes that no row names, on connections that a row names; see
        `vcokit.rollout.reconcile` for what is never deleted.
    max_delete : int, optional
        Maximum number of deletes per connection; by default 10, or a tenth of its live routes if
        that is more.
    rules : iterable of Rule
        Your own rules, from `rule` or `load_rules`, in addition to the built-in ones: a row with
        an error of such a rule is blocked.
    findings : DataFrame or Review, optional
        The findings of the inventory, from `audit_routes`, or with what was accepted of them, from
        `review_findings`. They do not change the plan; it keeps them for the change record.

    Returns
    -------
    Plan
        A step per row of the inventory, in its order, then the deletes, in the order of `live`.

    Raises
    ------
    InputError
        If a frame lacks columns, an argument is not a number of routes, or `prune` is True and
        the live routes do not say which connections could not be listed.
    PlanError
        If a live route lacks its region, connection, destination or next hop, more would be
        deleted than allowed, or the live routes are partly a simulator's and partly the cloud's.

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
    there = routes_there(live)
    if prune and not {"route_entry_type", "state"} <= set(live.columns):
        raise InputError(
            "prune=True needs live routes that say which connections could not be listed: "
            "the columns route_entry_type and state",
            remedy="Pass what vk.live_routes(client, routes) returned, with all its columns",
        )
    unlisted = schema.unlisted_connections(live)
    audit = Audit(routes, live=there, connections=connections, quota=quota, scope=names)
    of_row, columns = scopes(routes, names), audit.columns
    gone = schema.frame(schema.STEPS)
    if prune:
        astray = ~columns.id_ok | columns.routes["vpn_connection_id"].isin(unlisted).to_numpy()
        astray |= audit.status.unknown if audit.status else False
        gone = deletes(columns, there, of_row, astray, max_delete)
        if quota is not None:
            stay = there.drop(index=gone.index[gone["action"] == Action.DELETE])
            audit = Audit(routes, live=stay, connections=connections, quota=quota, scope=names)
    rows = plannable_rows(audit, rules)
    met = meetings(columns, there, rows.plannable)
    steps = steps_of_rows(rows, there, met, unlisted, of_row)
    taken = gone.loc[gone["action"] == Action.DELETE, "vpn_connection_id"]
    touched = pd.concat([rows.routes.loc[rows.plannable, "vpn_connection_id"], taken]).unique()
    kept = there[there["vpn_connection_id"].isin(touched)].drop_duplicates(ignore_index=True)
    steps = _numbered(pd.concat([steps, gone], ignore_index=True) if len(gone) else steps)
    origin = Origin.of(routes, findings)
    return Plan(steps, kept, quota, simulated=rehearsal.of_live(live), origin=origin)


def _numbered(steps: pd.DataFrame) -> pd.DataFrame:
    return steps.assign(step=np.arange(len(steps)))


# -- some of the steps, and what they no longer wait for -----------------------------------------
Names = str | Iterable[str] | None
#: Steps that a reason names; the others are counted.
_NAMED = 3


def mask_of(
    steps: pd.DataFrame, connections: Names, regions: Names, actions: Names, networks: Names
) -> Mask:
    """Return which steps to keep; see `Plan.only`."""
    keep = np.ones(len(steps), dtype=np.bool_)
    _refuse_unknown(steps["vpn_connection_id"], connections, "connection")
    _refuse_unknown(steps["region_id"], regions, "region")
    chosen = {"vpn_connection_id": connections, "region_id": regions, "action": actions}
    for column, names in chosen.items():
        if names is not None:
            keep &= steps[column].isin(_listed(names)).to_numpy(dtype=np.bool_)
    unknown = set(_listed(actions)) - set(schema.ACTIONS.categories)
    if unknown:
        raise InputError(
            f"no action: {', '.join(sorted(unknown))}",
            remedy=f"Actions are {', '.join(schema.ACTIONS.categories)}",
        )
    return keep if networks is None else keep & _within(steps["route_dest"], _listed(networks))


def _refuse_unknown(column: pd.Series, names: Names, what: str) -> None:
    """Refuse names that no step has: a typing error would give an empty plan."""
    wanted = _listed(names)
    there = set(column[column.isin(wanted)]) if wanted else set()
    unknown = sorted(set(wanted) - there)
    if unknown:
        some = ", ".join(repr(name) for name in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        known = ", ".join(map(repr, column.dropna().unique()[:_NAMED]))
        raise InputError(
            f"no step of the plan has the {what} {some}{more}",
            remedy=f"It has {column.nunique()}, such as {known}" if known else "It has no steps",
        )


def _listed(names: Names) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else [str(n) for n in names]


def _within(column: pd.Series, networks: list[str]) -> Mask:
    """Return which destinations lie in at least one of the networks."""
    outer = parse(pd.Series(networks, dtype="str"))
    wrong = [name for name, flags in zip(networks, outer.flags, strict=True) if flags]
    if wrong:
        raise InputError(f"not a network: {', '.join(wrong)}", remedy="Write a.b.c.d/length")
    inner = parse(column)
    rows = np.flatnonzero(inner.valid)
    result = np.zeros(len(column), dtype=np.bool_)
    if networks:
        held = covered_by(inner.network[rows], inner.length[rows], outer.network, outer.length)
        result[rows] = held
    return result


def lost_waits(
    steps: Iterable[Step], order: Order, keep: Mask, before: tuple[Gap, ...]
) -> tuple[Gap, ...]:
    """Return what kept steps no longer wait for, because those steps are left out.

    Parameters
    ----------
    steps : iterable of Step
        All steps of the plan.
    order : Order
        The order of all of them.
    keep : ndarray of bool
        Which of the plan's steps are kept, by number.
    before : tuple of Gap
        Gaps that earlier selections left.

    Returns
    -------
    tuple of Gap
        By the new number of the step that removes coverage, the only step number in such a gap.
    """
    number = np.cumsum(keep) - 1
    known = [gap for gap in before if keep[gap.steps[0]]]
    gaps = [Gap((int(number[gap.steps[0]]),), gap.reason) for gap in known]
    gaps += [
        Gap((int(number[step.number]),), _reason(step, out))
        for step, out in _left_out({step.number: step for step in steps}, order, keep)
    ]
    return tuple(gaps)


def _left_out(
    steps: dict[int, Step], order: Order, keep: Mask
) -> Iterator[tuple[Step, list[Step]]]:
    """Yield each kept step that removes an active route, with the left out steps it waited for."""
    for number, step in steps.items():
        route = step.before
        if not keep[number] or not step.sends or route is None or route.weight == 0:
            continue
        missing = [
            steps[other]
            for other in sorted(order.first(number))
            if not keep[other] and steps[other].adds_coverage and steps[other].weight > 0
        ]
        if missing:
            yield step, missing


def _reason(step: Step, out: list[Step]) -> str:
    named = [str(other) for other in out[:_NAMED]]
    if len(out) > _NAMED:
        named.append(f"{len(out) - _NAMED} more")
    return f"{step}: this plan leaves out {', '.join(named)}"
