"""What a rule is, where rules are registered, and which rows they block.

::

    error rules ──▶ rows in error ──┐
    rows that disagree ─────────────┼──▶ blocked: no plan makes their routes (`standing`)
    repeats of a row that stands ───┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from vcokit.audit.case import Case, Hits
from vcokit.audit.codes import Mask


@dataclass(frozen=True)
class Rule:
    """One rule of the audit.

    Parameters
    ----------
    name : str
        As in the findings' column ``rule``.
    severity : str
        ``info``, ``warning`` or ``error``.
    sentence : str
        What the rule says of a row, for people.
    look : callable
        From a `Case` to `Hits`; None where the rule has nothing to look at.
    """

    name: str
    severity: str
    sentence: str
    look: Callable[[Case], Hits | None]

    def find(self, case: Case) -> Hits | None:
        """Look at a case, and note there which rows are in error by it."""
        hits = self.look(case)
        wrong = hits is not None and (hits.severity or self.severity) == "error"
        case.wrong[self.name] = hits.rows if hits is not None and wrong else _NOWHERE
        return hits


_NOWHERE: Final = np.zeros(0, dtype=np.int64)

#: The rules by name, in the order in which their findings stand.
REGISTRY: Final[dict[str, Rule]] = {}

#: Rules of rows that meet others: a plan weighs those against one another. By any other error
#: rule it blocks a row alone.
CONFLICTS: Final = frozenset({"duplicate", "weight-conflict", "next-hop-conflict"})


def rule(name: str, severity: str, sentence: str) -> Callable[..., Callable[[Case], Hits | None]]:
    """Register a function as a rule."""

    def register(look: Callable[[Case], Hits | None]) -> Callable[[Case], Hits | None]:
        REGISTRY[name] = Rule(name, severity, sentence, look)
        return look

    return register


def in_error(case: Case) -> Mask:
    """Tell which rows a plan would block for what they are, not for what they meet.

    Rules that were run already are not run again.
    """
    wrong = np.zeros(case.facts.size, dtype=np.bool_)
    for known in REGISTRY.values():
        if known.severity == "error" and known.name not in CONFLICTS:
            if known.name not in case.wrong:
                known.find(case)
            wrong[case.wrong[known.name]] = True
    return wrong
