"""Journals as the shell names them, and what one says of the cloud it was carried out on.

==============================  ===========================================================
``apply routes.csv``            ``routes.rollout.db``, beside the inventory
again, once that has ended      ``routes.rollout-2.db``: no journal is ever overwritten
again, while it has not         an error that says who holds it, or how to go on
``--simulate``                  ``routes.simulated.db``; every such name has ``.simulated``
resume ``….simulated.db``       with ``--simulate`` only, never on the real cloud
``undo routes.rollout.db``      ``routes.rollout.undo.db``
==============================  ===========================================================
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from socket import gethostname
from typing import Final

import pandas as pd

from vcokit.cli.running import resume_command_of
from vcokit.errors import InputError, JournalLockedError
from vcokit.rollout.events import ENDED
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import LEASE_SECONDS, Lease
from vcokit.rollout.steps import ACCEPTED, DONE, FINAL, SETTLED, Route

_END: Final = ".rollout.db"
_SIMULATED: Final = ".simulated.db"
_IS_SIMULATED: Final = re.compile(r"\.simulated(-\d+)?(\.|$)")
#: States in which a step's effect is there.
_THERE: Final = (DONE, SETTLED, ACCEPTED)


def holder(lease: Lease | None, now: float) -> Lease | None:
    """Return who holds a journal now; a lease that ran out, or whose process is gone, is none."""
    if lease is None or now - lease.seen >= LEASE_SECONDS:
        return None
    return None if lease.host == gethostname() and not _lives(lease.process) else lease


def _lives(process: int) -> bool:
    if os.name != "posix":  # where signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def new_journal(given: Path | None, files: Sequence[str], *, simulated: bool) -> Path:
    """Return the name of the journal that a rollout is to have.

    Raises
    ------
    InputError
        If there is one whose rollout has not ended, or none can be named.
    JournalError
        If what has the name is no journal; nothing is touched.
    JournalLockedError
        If its rollout still runs.
    """
    if given is not None:
        if simulated and not is_simulated(given):
            raise InputError(
                f"{given}: no name for the journal of a simulated cloud",
                remedy=f"Name it {given.with_suffix(_SIMULATED).name}, so that it is never taken "
                "for a real one",
            )
        if given.exists():
            _refuse(given, ended="Name another journal")
        return given
    if files[0] == "-" or len(files) > 1:
        raise InputError("no journal is named", remedy="Name one: --journal FILE.db")
    first = Path(files[0]).with_suffix(_SIMULATED if simulated else _END)
    path = first
    for number in count(2):
        if not path.exists():
            return path
        _refuse(path)
        path = first.with_name(f"{first.stem}-{number}{first.suffix}")
    raise AssertionError("no end of numbers")


def _refuse(path: Path, ended: str | None = None) -> None:
    """Refuse a journal that is there; one whose rollout has ended only if `ended` says what to do.

    Raises
    ------
    InputError, JournalLockedError
    """
    with Journal.read(path) as journal:
        refuse_held(journal)
        left = int((~journal.steps()["state"].isin([*FINAL])).sum())
    if left:
        raise InputError(
            f"{path}: a rollout that has not ended, {left:,} steps are left",
            remedy=f"Go on with it: {resume_command_of(path, simulated=is_simulated(path))}",
        )
    if ended is not None:
        raise InputError(f"{path}: this journal exists already", remedy=ended)


def refuse_held(journal: Journal) -> None:
    """Refuse a journal whose rollout runs.

    Raises
    ------
    JournalLockedError
        It says who holds it.
    """
    held = holder(journal.lease(), time.time())
    if held is not None:
        raise JournalLockedError(
            f"another rollout holds this journal ({held})",
            path=journal.path,
            remedy=f"Wait for it; vcokit status {journal.path} looks at it",
        )


def is_simulated(path: Path) -> bool:
    """Tell whether a journal is one of a simulated cloud, by its name.

    Examples
    --------
    >>> names = ("a.simulated.db", "a.simulated-2.db", "a.simulated.undo.db", "simulated.db")
    >>> [is_simulated(Path(name)) for name in names]
    [True, True, True, False]
    """
    return _IS_SIMULATED.search(path.name) is not None


def refuse_stranger(path: Path, *, simulated: bool) -> None:
    """Refuse to go on, on the real cloud, with what was begun on a simulated one.

    Raises
    ------
    InputError
    """
    if is_simulated(path) and not simulated:
        raise InputError(
            f"{path}: the journal of a simulated cloud",
            remedy=f"Add --simulate: {resume_command_of(path, simulated=True)}",
        )


@dataclass(frozen=True)
class Standing:
    """What a journal says of its cloud.

    Parameters
    ----------
    routes : DataFrame
        The rows that its steps are about, blocked ones left out.
    live : DataFrame
        The live routes by what is known: those of the plan, with the steps that took effect.
    """

    routes: pd.DataFrame
    live: pd.DataFrame

    @classmethod
    def of(cls, path: Path) -> Standing:
        """Return that of a journal.

        Raises
        ------
        JournalError
        """
        with Journal.read(path) as journal:
            plan, steps = journal.plan(), journal.steps()
        took = set(steps.loc[steps["state"].isin(_THERE), "step"])
        lanes = {lane: set(routes) for lane, routes in plan.live_by_lane().items()}
        regions = {}
        for step in plan.each():
            regions[step.lane] = step.region_id
            if step.number in took:
                lanes[step.lane].discard(step.before)
                lanes[step.lane] |= set() if step.after is None else {step.after}
        rows = [(regions[lane], lane, *route) for lane, routes in lanes.items() for route in routes]
        names = ["region_id", "vpn_connection_id", *Route._fields]
        wanted = steps.loc[steps["action"] != "blocked", names].reset_index(drop=True)
        return cls(wanted, pd.DataFrame(rows, columns=names))


def state_of(meta: str, held: Lease | None, left: int) -> str:
    """Return in a word how a rollout stands.

    Examples
    --------
    >>> state_of("ready", None, 3), state_of("finished", None, 0)
    ('broken off', 'finished')
    """
    if held is not None:
        return "running"
    return meta if meta in ENDED else "broken off" if left else "finished"
