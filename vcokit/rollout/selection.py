"""Some of the steps of a plan: which are kept, and what they lose with those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.cidr.parse import Mask, parse
from vcokit.cidr.relations import covered_by
from vcokit.errors import InputError
from vcokit.rollout.circles import Gap
from vcokit.rollout.order import Order
from vcokit.rollout.steps import Step

Names = str | Iterable[str] | None
#: Steps that a reason names; the others are counted.
_NAMED = 3


def mask(
    steps: pd.DataFrame, connections: Names, regions: Names, actions: Names, networks: Names
) -> Mask:
    """Tell which steps to keep; see `vcokit.rollout.plan.Plan.only`."""
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
    """Refuse names that no step has: a slip of the pen would leave a plan of nothing."""
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
    """Tell which destinations lie in some one of the networks."""
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


def lost(
    steps: Iterable[Step], order: Order, keep: Mask, before: tuple[Gap, ...]
) -> tuple[Gap, ...]:
    """Return what kept steps no longer wait for, because it is left out.

    Parameters
    ----------
    steps : iterable of Step
        All of the plan.
    order : Order
        Of all of them.
    keep : ndarray of bool
        Which of the plan's steps are kept, by number.
    before : tuple of Gap
        What had been lost before.

    Returns
    -------
    tuple of Gap
        By the new number of the step that breaks, which is the only one a gap has.
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
    """Yield each kept step that takes an active route, and the steps left out that make over it."""
    out: dict[int, list[Step]] = {}
    for made, mark in order.makes.items():
        if not keep[made] and steps[made].weight > 0:
            out.setdefault(mark, []).append(steps[made])
    missing = [[step for mark in marks for step in out.get(mark, ())] for marks in order.needs]
    for broken, gate in order.breaks.items():
        route = steps[broken].before
        if keep[broken] and missing[gate] and route is not None and route.weight > 0:
            yield steps[broken], missing[gate]


def _reason(step: Step, out: list[Step]) -> str:
    named = [str(other) for other in out[:_NAMED]]
    if len(out) > _NAMED:
        named.append(f"{len(out) - _NAMED} more")
    return f"{step}: this plan leaves out {', '.join(named)}"
