"""The journals of commands: their names, and which cloud a journal belongs to.

==============================  ===========================================================
command                         journal
==============================  ===========================================================
``apply routes.csv``            ``routes.rollout.db``, next to the inventory
again, after that has ended     ``routes.rollout-2.db``: a journal is never overwritten. A stale
                                rollout has ended, unless the outcome of a step is not known
again, before it has ended      an error with the process that holds the journal, or with the
                                command to resume
``--simulate``                  ``routes.simulated.db``. The name is only for people: the journal
                                itself records whether its cloud is simulated
resume a simulated rollout      only with ``--simulate`` or at the endpoint of a simulator, never in
                                the cloud, whatever the name of the journal
``undo routes.rollout.db``      ``routes.rollout.undo.db``
``fleet apply``                 one per member, in the directory that ``--directory`` names
==============================  ===========================================================
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import pandas as pd

from vcokit import config
from vcokit._text import pluralize
from vcokit.cli.options import CloudOptions, FleetCloudOptions
from vcokit.cloud.simulated import may_be_simulator
from vcokit.errors import InputError
from vcokit.rollout import database, rehearsal
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import held
from vcokit.rollout.plan import Plan
from vcokit.rollout.steps import FINAL, LIVE_COLUMNS, State

_END: Final = ".rollout.db"
_SIMULATED: Final = ".simulated.db"


def command_to_resume(journal: Path, resume_args: str = "", *, command: str = "vcokit") -> str:
    """Return the command that resumes the rollout of a journal, or a fleet.

    Parameters
    ----------
    journal : Path
        The journal, or the directory of the fleet.
    resume_args : str
        Options that select the same cloud, from `CloudOptions.resume_args`.
    command : str
        Words before ``resume``.

    Examples
    --------
    >>> command_to_resume(Path("my routes.db"), " --simulate")
    "vcokit resume 'my routes.db' --simulate"
    """
    return f"{command} resume {shlex.quote(str(journal))}{resume_args}"


def new_journal(
    given: Path | None, files: Sequence[str], *, simulated: bool, option: str = "--journal"
) -> Path:
    """Return the path of the journal that a new rollout will have.

    Parameters
    ----------
    given : Path, optional
        The value of `option`.
    files : sequence of str
        Inventories, or a plan. Without `given`, the journal is named after the first file.
    simulated : bool
        Whether the cloud is simulated.
    option : str
        The option that names the journal.

    Raises
    ------
    InputError
        If the journal exists already, if the rollout of an existing journal has not ended, or if
        no name can be derived from `files`.
    JournalError
        If an existing file is not a journal, or if files of another journal are next to the path.
        No file is changed.
    JournalLockedError
        If the rollout of an existing journal still runs.
    """
    if given is not None:
        if given.exists():
            require_finished(given, option)
            raise InputError(
                f"{given}: this journal exists already", remedy=f"Name another with {option}"
            )
        database.refuse_leftovers(given)
        return given
    if files[0] == "-" or len(files) > 1:
        raise InputError("the journal needs a name", remedy="Name one: --journal FILE.db")
    first = Path(files[0]).with_suffix(_SIMULATED if simulated else _END)
    for path in _numbered(first):
        if not path.exists():
            database.refuse_leftovers(path)
            return path
        require_finished(path)
    raise AssertionError("no end of numbers")


def _numbered(first: Path) -> Iterator[Path]:
    """Yield the possible names for journals of one inventory, in their order."""
    yield first
    for number in count(2):
        yield first.with_name(f"{first.stem}-{number}{first.suffix}")


def require_finished(path: Path, option: str = "--journal") -> None:
    """Refuse to start a new rollout while the rollout of a journal has not ended.

    A stale rollout has ended, unless the cloud may still carry out a request of it.

    Raises
    ------
    InputError, JournalLockedError
        With the command that resumes the rollout, or that starts a new rollout nevertheless.
    """
    with Journal.read(path) as journal:
        require_unlocked(journal)
        rest = journal.snapshot()
        resume_args = resume_args_of(journal)
    is_stale = rest.state == "stale"
    if not rest.left or (is_stale and not rest.in_doubt):
        return
    if not is_stale:
        raise InputError(
            f"{path}: this rollout has not ended; {pluralize(rest.left, 'step')} left",
            remedy=f"Resume it: {command_to_resume(path, resume_args)}",
        )
    new = next(name for name in _numbered(path) if not name.exists())
    raise InputError(
        f"{path}: the live routes have changed since this rollout, and for "
        f"{pluralize(rest.in_doubt, 'step')} the outcome is not known",
        remedy="Look at the result with vcokit live, then repeat this command with "
        f"{option} {shlex.quote(str(new))}",
    )


def resume_args_of(journal: Journal) -> str:
    """Return the options that select the cloud of a journal, as far as they are known."""
    at_endpoint = may_be_simulator(config.get("endpoint"))
    return " --simulate" if journal.simulated and not at_endpoint else ""


def require_unlocked(journal: Journal) -> None:
    """Refuse a journal whose rollout runs.

    Raises
    ------
    JournalLockedError
        With the process that holds the journal.
    """
    owner = journal.holder()
    if owner is not None:
        raise held(journal.path, owner)


def require_same_target(
    path: Path, cloud: CloudOptions | FleetCloudOptions, *, fleet: Path | None = None
) -> None:
    """Refuse to resume a simulated rollout in the real cloud, or a real one in a simulator.

    Nothing is sent here. Whether an endpoint on this machine is a simulator is only known from its
    answer, so that case is checked after connecting: see `vcokit.rollout.rehearsal`.

    Parameters
    ----------
    path : Path
        The journal.
    cloud : CloudOptions or FleetCloudOptions
    fleet : Path, optional
        Directory of the fleet that the journal belongs to.

    Raises
    ------
    InputError, JournalError
    """
    with Journal.read(path) as journal:
        simulated = journal.simulated
    if simulated is None:
        rehearsal.refuse_journal(path, simulated, client=cloud.simulated)
    place, command, options = path, "vcokit", "--simulate and --scenario"
    if fleet is not None:
        place, command, options = fleet, "vcokit fleet", "--simulate"
    if simulated and not cloud.may_be_simulated:
        again = command_to_resume(place, " --simulate", command=command)
        raise InputError(
            f"{place}: this rollout was begun on a simulator, and cannot be resumed in the cloud",
            remedy=f"Add --simulate: {again}. For the cloud, make a new plan: {command} apply with "
            "the inventory",
        )
    if cloud.simulated and not simulated:
        raise InputError(
            f"{place}: this rollout was begun in the cloud, and cannot be resumed in a simulator",
            remedy=f"Leave out {options}. To rehearse, make a new plan: {command} apply --simulate "
            "with the inventory",
        )


@dataclass(frozen=True)
class ResumePoint:
    """The content of a journal that is needed to resume or undo its rollout.

    Parameters
    ----------
    plan : Plan
        The plan of the rollout.
    left : Plan
        The steps of the plan that are not in a final state yet.
    routes : DataFrame
        The routes of the steps, without blocked steps.
    live : DataFrame
        The live routes as far as known: those of the plan, changed by the steps that took effect.
    """

    plan: Plan
    left: Plan
    routes: pd.DataFrame
    live: pd.DataFrame

    @classmethod
    def of(cls, path: Path) -> ResumePoint:
        """Return the resume point of a journal.

        Raises
        ------
        JournalError
        """
        with Journal.read(path) as journal:
            plan, steps = journal.plan(), journal.steps()
        wanted = steps.loc[steps["action"] != "blocked", [*LIVE_COLUMNS]].reset_index(drop=True)
        return cls(
            plan,
            _left(plan, steps),
            wanted,
            _live_after(plan, steps, (State.DONE, State.SETTLED, State.ACCEPTED)),
        )


def _live_after(plan: Plan, steps: pd.DataFrame, states: Sequence[str]) -> pd.DataFrame:
    """Return the live routes after the effect of the steps in the given states, and no others."""
    took = set(steps.loc[steps["state"].isin(states), "step"])
    live = {name: set(routes) for name, routes in plan.live_by_connection().items()}
    regions = {}
    for step in plan.each():
        regions[step.vpn_connection_id] = step.region_id
        if step.number in took:
            live[step.vpn_connection_id].discard(step.before)
            live[step.vpn_connection_id] |= set() if step.after is None else {step.after}
    rows = [(regions[name], name, *route) for name, routes in live.items() for route in routes]
    return pd.DataFrame(rows, columns=[*LIVE_COLUMNS])


def _left(plan: Plan, steps: pd.DataFrame) -> Plan:
    """Return the steps that are not in a final state as a plan, for a forecast."""
    rest = plan.steps[~steps["state"].isin([*FINAL]).to_numpy()].reset_index(drop=True)
    live = _live_after(plan, steps, (State.DONE,))
    live = live[live["vpn_connection_id"].isin(rest["vpn_connection_id"].unique())]
    return Plan(rest.assign(step=range(len(rest))), live.reset_index(drop=True), plan.quota)
