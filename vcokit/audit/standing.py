"""Which rows of an inventory stand, and what blocks the others.

A row is blocked

- by an error of its own (any error rule but the three conflicts), or
- as a repeat: an earlier row that is not blocked so is the same route, or
- by disagreement: rows of its connection and network differ in weight or next hop. Then all of
  them are blocked; none wins by its position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vcokit.audit.case import Case
from vcokit.audit.facts import ACTIVE, I64, Mask, dense, first_other, first_row
from vcokit.audit.findings import run
from vcokit.audit.rules import CONFLICTS
from vcokit.cidr.parse import to_text
from vcokit.cidr.relations import NONE


@dataclass(frozen=True)
class Standing:
    """The rows of an inventory, sorted into those that stand and those that are blocked.

    Parameters
    ----------
    routes : DataFrame
        The inventory in the shape of `vcokit.schema.ROUTES`.
    network : Series of str
        Network of each row, host bits cleared; NA where there is none.
    stands : ndarray of bool
    reason : Series of str
        What blocks each row: messages of its findings; NA where it stands.
    findings : DataFrame
        All findings of the audit.
    """

    routes: pd.DataFrame
    network: pd.Series
    stands: Mask
    reason: pd.Series
    findings: pd.DataFrame


def standing(case: Case) -> Standing:
    """Sort the rows of a case."""
    facts = case.facts
    findings = run(case)
    errors = findings[findings["severity"] == "error"]
    own = errors[~errors["rule"].isin(CONFLICTS)]
    by_rule = np.zeros(facts.size, dtype=np.bool_)
    by_rule[own["row"].to_numpy()] = True
    disagrees = _disagrees(case)
    blocked = by_rule | disagrees | _repeats(case, ~by_rule)
    reason = _reasons(errors, blocked)
    network = to_text(facts.prefixes.network, facts.prefixes.length)
    return Standing(facts.routes, network, ~blocked, reason, findings)


def _disagrees(case: Case) -> Mask:
    """Tell which rows share connection and network with a row of other weight or next hop."""
    facts = case.facts
    values = facts.next_hop * 2 + (facts.weight == ACTIVE)
    in_conflict = facts.place[first_other(facts.place, values) != NONE]
    return np.isin(facts.place, in_conflict) & facts.takes_part


def _repeats(case: Case, candidates: Mask) -> Mask:
    """Tell which rows repeat an earlier one of the candidates."""
    facts = case.facts
    identity = dense(np.where(facts.path >= 0, facts.path * 2 + (facts.weight == ACTIVE), NONE))
    first = _first_of(identity, candidates)
    return np.asarray((first != NONE) & (first < np.arange(facts.size)))


def _first_of(identity: I64, candidates: Mask) -> I64:
    """Return, for each row, the first candidate of the same identity; -1 where none is."""
    first = np.full(int(identity.max(initial=-1)) + 2, NONE, dtype=np.int64)
    found = first_row(np.where(candidates, identity, NONE))
    first[: len(found)] = found
    return first[identity]  # identity -1 reads the last element, which stays -1


def _reasons(errors: pd.DataFrame, blocked: Mask) -> pd.Series:
    """Join the messages of each blocked row's errors.

    The first of two rows that disagree has no finding of its own: the later one has. It gets the
    name of what blocks it all the same.
    """
    said = errors["rule"].astype("str") + ": " + errors["message"]
    joined = said.groupby(errors["row"].to_numpy()).agg("; ".join)
    reason = pd.Series(pd.NA, index=pd.RangeIndex(len(blocked)), dtype="str")
    reason[blocked] = "a later row gives the same route another weight or next hop"
    rows = joined.index[blocked[joined.index]]
    reason[rows] = joined[rows].astype("str")
    return reason
