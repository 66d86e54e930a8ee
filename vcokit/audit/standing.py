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
from vcokit.audit.codes import NONE, Mask, first_row
from vcokit.audit.findings import run
from vcokit.audit.registry import in_error
from vcokit.cidr.parse import to_text
from vcokit.schema import conform_routes


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
    by_rule = in_error(case)
    disagrees = np.zeros(facts.size, dtype=np.bool_)
    crowd = case.groups.crowd
    disagrees[crowd.rows[crowd.disagrees]] = True
    blocked = by_rule | disagrees | _repeats(case, ~by_rule)
    reason = _reasons(errors, blocked)
    network = to_text(facts.prefixes.network, facts.prefixes.length)
    return Standing(conform_routes(facts.given), network, ~blocked, reason, findings)


def _repeats(case: Case, candidates: Mask) -> Mask:
    """Tell which rows repeat an earlier one of the candidates."""
    crowd = case.groups.crowd
    open_codes = np.where(candidates[crowd.rows], crowd.identity, NONE)
    first = first_row(open_codes, int(crowd.identity.max(initial=-1)) + 1)[crowd.identity]
    repeats = np.zeros(case.facts.size, dtype=np.bool_)
    repeats[crowd.rows[(first != NONE) & (first < np.arange(len(first)))]] = True
    return repeats


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
