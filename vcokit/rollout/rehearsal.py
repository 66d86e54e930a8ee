"""A rehearsal stays a rehearsal: what was begun on a simulator does not go on in the cloud.

Nor the other way round. Who knows on which of the two it was made:

=============  ====================================================================
a client       `Client.simulated`: whether a simulator answers it
live routes    the column ``simulated``; ``attrs`` where there is no row to say it
a plan         `Plan.simulated`, from its live routes, kept in its file
a journal      ``simulated`` in its meta, sealed, from its plan or its first client
=============  ====================================================================

A plan of live routes that say nothing does not know (None); its first journal decides. Journals of
earlier versions say nothing: those with ``.simulated`` in their name are rehearsals, the others
are not. For a journal that says it, its name decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from vcokit.errors import JournalError, PlanError

#: Name of the fact in files and journals, and its texts.
NAME: Final = "simulated"
TEXTS: Final[Mapping[bool, str]] = {True: "yes", False: "no"}

_IN_A_NAME: Final = re.compile(r"\.simulated(-\d+)?(\.|$)")


def of_live(live: pd.DataFrame) -> bool | None:
    """Tell whether live routes are a simulator's; None where they do not say.

    Raises
    ------
    PlanError
        If some are a simulator's and some the cloud's.
    """
    said = set(live[NAME].dropna()) if NAME in live.columns else set()
    if len(said) > 1:
        raise PlanError(
            "some of the live routes are a simulator's, some the cloud's",
            remedy="Make a plan for each of the two",
        )
    # Live routes without a row: the first rollout of all.
    found = said.pop() if said else live.attrs.get(NAME)
    return None if found is None else bool(found)


def of_text(text: str | None) -> bool | None:
    """Return the fact as a file or a journal has it; None where it has none."""
    return {said: fact for fact, said in TEXTS.items()}.get(text or "")


def of_journal(path: Path, meta: Mapping[str, str]) -> bool:
    """Tell whether a journal is that of a rehearsal.

    Examples
    --------
    >>> names = ("a.simulated.db", "a.simulated-2.db", "a.simulated.undo.db", "simulated.db")
    >>> [of_journal(Path(name), {}) for name in names]
    [True, True, True, False]
    >>> of_journal(Path("a.simulated.db"), {"simulated": "no"})
    False
    """
    said = of_text(meta.get(NAME))
    return _IN_A_NAME.search(path.name) is not None if said is None else said


def refuse_plan(plan: bool | None, *, client: bool) -> None:
    """Refuse a plan that was made for the other of the two.

    Parameters
    ----------
    plan, client : bool or None
        Whether each is a simulator's.
    """
    if plan is not None and plan != client:
        raise PlanError(
            "the plan was made on a simulator, and this is not one"
            if plan
            else "the plan was made on the cloud, and this is a simulator",
            remedy=f"Make a new plan from the live routes of {'the cloud' if plan else 'it'}",
        )


def refuse_journal(path: Path, journal: bool, *, client: bool) -> None:
    """Refuse to go on with a journal that was begun on the other of the two.

    Parameters
    ----------
    path : Path
    journal, client : bool
        Whether each is a simulator's.
    """
    if journal and not client:
        raise JournalError(
            "this rollout was begun on a simulator, and no simulator answers here",
            path=path,
            remedy="Go on with it on a simulator; for the cloud, make a new plan",
        )
    if client and not journal:
        raise JournalError(
            "this rollout was begun on the cloud, and this is a simulator",
            path=path,
            remedy="Go on with it on the cloud; for the simulator, make a new plan",
        )
