"""A rehearsal stays a rehearsal: a rollout begun on a simulator is never resumed in the cloud.

A rollout begun in the cloud is never resumed on a simulator either. Where this is recorded:

=============  ====================================================================
a client       `Client.simulated`: whether a simulator answers its calls
live routes    the column ``simulated``; ``attrs`` if there are no rows
a plan         `Plan.simulated`, from its live routes, kept in its file
a journal      ``simulated`` in its meta, sealed, from its plan or its first client
=============  ====================================================================

If the live routes do not say it, their plan has None; then its first journal decides. A journal
that does not say it, such as those of the earliest versions, can be read but never resumed. The
name of a file decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from vcokit.errors import JournalError, PlanError, Remedy

#: Name of the value in files and journals, and its texts.
NAME: Final = "simulated"
TEXTS: Final[Mapping[bool, str]] = {True: "yes", False: "no"}


def of_live(live: pd.DataFrame) -> bool | None:
    """Return whether live routes are a simulator's; None if they do not say.

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
    # There are no live routes, as in a first rollout.
    found = said.pop() if said else live.attrs.get(NAME)
    return None if found is None else bool(found)


def of_text(text: str | None) -> bool | None:
    """Return the value of a text in a file or journal; None if it has none."""
    return {said: fact for fact, said in TEXTS.items()}.get(text or "")


def refuse_plan(plan: bool | None, *, client: bool) -> None:
    """Refuse a plan made for a simulator if the client is the cloud's, and the other way round.

    Parameters
    ----------
    plan, client : bool or None
        Whether each belongs to a simulator.
    """
    if plan is not None and plan != client:
        raise PlanError(
            "the plan was made on a simulator, and this is not one"
            if plan
            else "the plan was made on the cloud, and this is a simulator",
            remedy=f"Make a new plan from the live routes of {'the cloud' if plan else 'it'}",
        )


def refuse_journal(path: Path, journal: bool | None, *, client: bool) -> None:
    """Refuse to resume a journal that was begun on the other side, or does not say where.

    Parameters
    ----------
    path : Path
    journal, client : bool or None
        Whether each belongs to a simulator.
    """
    if journal is None:
        raise JournalError(
            "this journal does not say whether it was begun on a simulator",
            path=path,
            remedy="It can be read, but not resumed. Make a new plan from the live "
            "routes: what was done is left out of it",
        )
    if journal and not client:
        raise JournalError(
            "this rollout was begun on a simulator, and this client is not connected to one",
            path=path,
            remedy=Remedy(
                "Resume it on a simulator ({simulate}); for the cloud, {new_plan}",
                simulate=True,
                new_plan=True,
            ),
        )
    if client and not journal:
        raise JournalError(
            "this rollout was begun on the cloud, and this is a simulator",
            path=path,
            remedy="Resume it on the cloud; for the simulator, make a new plan",
        )
