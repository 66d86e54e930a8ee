"""What is to be seen of a rollout, at any time and from any thread: counts, frames, differences."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Self

import pandas as pd

from vcokit.errors import RolloutError
from vcokit.rollout.drift import unlike_planned
from vcokit.rollout.events import ENDED, Tally
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan
from vcokit.rollout.scheduler import Scheduler


class Looks:
    """The looking part of `vcokit.rollout.executor.Rollout`; changes nothing.

    Attributes
    ----------
    plan : Plan
    journal : Path
        Frames are read from it, so that they are what is on disk.
    """

    plan: Plan
    journal: Path
    _guard: threading.Lock
    _tally: Tally
    _scheduler: Scheduler

    @property
    def state(self) -> str:
        """The rollout as a whole: ready, looking, running, paused, cancelling, or how it ended."""
        with self._guard:
            return self._tally.rollout

    @property
    def ended(self) -> bool:
        """Whether it has come to an end, one way or another."""
        return self.state in ENDED

    def tally(self) -> Tally:
        """Return the counts of this moment."""
        with self._guard:
            return copy.deepcopy(self._tally)

    def frame(self) -> pd.DataFrame:
        """Return a row a step, of `vcokit.schema.STEPS`: state, code, times, attempts."""
        with Journal.read(self.journal) as journal:
            return journal.steps()

    def calls(self) -> pd.DataFrame:
        """Return a row a call that was made, of `vcokit.schema.CALLS`."""
        with Journal.read(self.journal) as journal:
            return journal.calls()

    def differences(self) -> pd.DataFrame:
        """Return where the cloud differs from the plan, by what each connection was seen to hold.

        Returns
        -------
        DataFrame
            Of `vcokit.schema.DIFFERENCES`; empty where all is as planned. Connections that
            something was sent to are read back at the end of the rollout.
        """
        found = unlike_planned(list(self._scheduler.lanes.values()), self._scheduler.steps)
        names = ["vpn_connection_id", "route_dest"]
        rows = self.plan.steps[[*names, "row"]].drop_duplicates(names)
        found["row"] = found[names].merge(rows, on=names, how="left")["row"]
        return found

    def raise_on_error(self) -> Self:
        """Return the rollout if it has ended and every step of it was done.

        Raises
        ------
        RolloutError
            If a step failed or was skipped, or some are left: because it was stopped, interrupted
            or cancelled, or has not ended.
        """
        tally = self.tally()
        harmed = {name: tally.states[name] for name in ("failed", "skipped") if tally.states[name]}
        if harmed:
            counts = ", ".join(f"{count} {name}" for name, count in harmed.items())
            raise RolloutError(
                f"steps that were not done: {counts}",
                failed=harmed.get("failed", 0),
                remedy=f'Look at rollout.frame().query("state in {list(harmed)}")',
            )
        if tally.rollout == "finished":
            return self
        if tally.rollout in ENDED:
            said = tally.rollout if tally.message is None else f"{tally.rollout}: {tally.message}"
            raise RolloutError(said, remedy="Rollout.open goes on with it")
        raise RolloutError(f"the rollout has not ended ({tally.rollout})", remedy="wait() for it")

    def __repr__(self) -> str:
        tally = self.tally()
        counts = ", ".join(f"{count} {name}" for name, count in tally.states.items() if count)
        return f"<Rollout {self.plan.fingerprint[:12]} {tally.rollout}: {counts}>"
