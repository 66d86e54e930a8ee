"""A rollout: the carrying out of a plan, in the background, survived by its journal.

::

    Rollout(plan, client, journal=…)   the journal is made; nothing is sent
        .start()                       a thread looks, then sends
        .pause() .resume() .cancel()   at any time, from any thread
        .wait()  or  await rollout     until it has ended
    Rollout.open(journal, client)      the same, where an earlier one broke off
"""

from __future__ import annotations

import asyncio
import copy
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from os import PathLike
from typing import Any

import pandas as pd

from vcokit.cloud.client import Client
from vcokit.errors import CredentialsError, NoAnswerError, PlanError, RolloutError, StalePlanError
from vcokit.rollout.alphabet import Command, Finished
from vcokit.rollout.engine import Clocks, Engine, guarded
from vcokit.rollout.events import ENDED, Event, Observer, RolloutChanged, Tally
from vcokit.rollout.journal import Journal
from vcokit.rollout.lanes import Record
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.scheduler import Scheduler

#: How often a waiting thread looks up, so that an interrupt reaches it; seconds.
_LOOK_UP = 0.2

_view: Callable[[Rollout], object] | None = None


def show_with(view: Callable[[Rollout], object] | None) -> None:
    """Set what a notebook shows of a rollout; the top floor does, this one knows no view."""
    global _view
    _view = view


class Rollout:
    """The carrying out of a plan.

    Parameters
    ----------
    plan : Plan
    client : Client
        From `connect`.
    journal : path
        File to be made; it must not be there yet.
    observers : iterable of callable
        Each is called with every event, in the rollout's thread.
    options : Options, optional
        By default those of the settings, on the client's clock.
    clocks : Clocks, optional
        By default those of the machine.

    Raises
    ------
    JournalError
        If the journal is there already.
    """

    def __init__(
        self,
        plan: Plan,
        client: Client,
        *,
        journal: str | PathLike[str],
        observers: Iterable[Observer] = (),
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        rollout_id = uuid.uuid4().hex
        clocks = clocks or Clocks(time.time, time.monotonic)
        made = Journal.create(journal, plan, rollout_id, now=clocks.wall)
        self._begin(plan, client, made, rollout_id, {}, observers, options, clocks)

    @classmethod
    def open(
        cls,
        journal: str | PathLike[str],
        client: Client,
        *,
        observers: Iterable[Observer] = (),
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> Rollout:
        """Go on with the rollout of a journal; nothing is sent before `start`.

        Raises
        ------
        JournalError
            If there is no such journal, or it cannot be read.
        JournalLockedError
            If its rollout still runs.
        """
        opened = Journal.open(journal)
        records = {
            number: Record(state, attempt, misses)
            for number, state, attempt, misses in opened.standing()
        }
        rollout = cls.__new__(cls)
        clocks = clocks or Clocks(time.time, time.monotonic)
        rollout_id = opened.meta()["rollout_id"]
        plan = opened.plan()
        rollout._begin(plan, client, opened, rollout_id, records, observers, options, clocks)
        return rollout

    def _begin(
        self,
        plan: Plan,
        client: Client,
        journal: Journal,
        rollout_id: str,
        records: dict[int, Record],
        observers: Iterable[Observer],
        options: Options | None,
        clocks: Clocks,
    ) -> None:
        self.plan = plan
        self.journal = journal.path
        self._journal = journal
        self._clocks = clocks
        self._ended: Finished | None = None
        self._error: BaseException | None = None
        self._guard = threading.Lock()
        # Not Thread.join: an interrupt in the middle of it marks a living thread as ended.
        self._over = threading.Event()
        scheduler = Scheduler(
            plan.each(),
            plan.live_by_lane(),
            client.limits,
            options or Options.in_force(client.speed),
            records,
        )
        states = Counter(record.state for record in scheduler.records.values())
        states["blocked"] += plan.counts["blocked"]
        self._tally = Tally(states)
        self._observers = list(observers)
        self._told = guarded(self._observers)
        self._engine = Engine(scheduler, journal, rollout_id, client.to_async(), self._tell, clocks)
        self._thread = threading.Thread(
            target=self._run, name=f"rollout {journal.path.name}", daemon=True
        )

    # -- go -------------------------------------------------------------------------------------

    def start(self) -> Rollout:
        """Begin, or go on, in the background; return at once.

        Returns
        -------
        Rollout
            Itself.
        """
        if self._thread.ident is not None:
            raise PlanError("this rollout was started already", remedy="Use Rollout.open")
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            self._say("looking")
            ended = asyncio.run(self._engine.run())
        except BaseException as error:
            # Whatever it is, it belongs to whoever waits; the journal is whole in any case.
            self._error = error
            ended = Finished("stopped", str(error))
        self._finish(ended)

    def _finish(self, ended: Finished) -> None:
        self._ended = ended
        try:
            self._journal.write(meta={"state": ended.reason, "message": ended.message})
            self._journal.close()
        except BaseException as error:
            self._error = self._error or error
        self._say(ended.reason, ended.message)
        self._over.set()

    def _say(self, state: str, message: str | None = None) -> None:
        self._tell(RolloutChanged(self._clocks.wall(), state, message))

    def _tell(self, event: Event) -> None:
        with self._guard:
            self._tally.add(event)
        self._told(event)

    # -- steer ----------------------------------------------------------------------------------

    def pause(self) -> None:
        """Send nothing new; what is on its way is seen to its end."""
        self._engine.command(Command("pause"))
        self._say("paused")

    def resume(self) -> None:
        """Go on after a pause."""
        self._engine.command(Command("resume"))
        self._say("running")

    def cancel(self) -> None:
        """Skip what is pending; what is on its way is seen to its end."""
        self._engine.command(Command("cancel"))
        self._say("cancelling")

    def stop(self) -> None:
        """Leave what is pending for another day: `open` goes on with it."""
        self._engine.command(Command("stop"))

    def observe(self, observer: Observer) -> None:
        """Tell an observer of every event from now on."""
        self._observers.append(observer)

    # -- wait -----------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Rollout:
        """Block until the rollout has ended.

        An interrupt (Ctrl-C) stops it in order: what is on its way is seen to its end, the journal
        is closed, and the way to go on is printed.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; the rollout goes on.

        Returns
        -------
        Rollout
            Itself. Failed steps raise nothing here: see `raise_on_error`.

        Raises
        ------
        StalePlanError
            If the live routes were not those of the plan; nothing was sent.
        CredentialsError, NoAnswerError
            If the AccessKey was refused, or the cloud fell silent; `open` goes on.
        TimeoutError
            If the time is over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._observers:
            _say_if_buttons_are_dead()
        try:
            while not self.join(_LOOK_UP if deadline is None else deadline - time.monotonic()):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"the rollout goes on after {timeout:g} s")
        except KeyboardInterrupt:
            self.stop()
            self.join()
            print(f"Stopped in order. Go on with: {self.how_to_go_on()}")
            raise
        return self._result()

    def join(self, timeout: float | None = None) -> bool:
        """Block until the rollout has ended, or for a time; tell whether it has.

        Parameters
        ----------
        timeout : float, optional
            Seconds. Unlike `wait`, neither the end of the time nor that of the rollout raises.
        """
        self._must_run()
        return self._over.wait(None if timeout is None else max(0.0, timeout))

    def __await__(self) -> Generator[Any, None, Rollout]:
        self._must_run()
        yield from asyncio.to_thread(self._over.wait).__await__()
        return self._result()

    def _must_run(self) -> None:
        if self._thread.ident is None:
            raise PlanError("the rollout was not started", remedy="Call start() first")

    def _result(self) -> Rollout:
        ended = self._ended or Finished("stopped")
        if self._error is not None:
            raise self._error
        if ended.reason == "stale":
            raise StalePlanError(
                f"{ended.message}: {len(ended.differences)} differences, nothing was sent",
                differences=ended.differences,
                remedy="Read the live routes again and make a new plan",
            )
        if ended.cause == "key":
            raise CredentialsError(str(ended.message), remedy=self.how_to_go_on())
        if ended.cause == "silence":
            raise NoAnswerError(str(ended.message), remedy=f"Go on with {self.how_to_go_on()}")
        return self

    def how_to_go_on(self) -> str:
        """Return the line of code that goes on with this rollout."""
        return f'vk.Rollout.open("{self.journal}", client).start()'

    # -- look -----------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The rollout as a whole: ready, looking, running, paused, cancelling, or how it ended."""
        return self.tally().rollout

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

    def raise_on_error(self) -> Rollout:
        """Raise `RolloutError` if steps failed; else return the rollout itself."""
        failed = self.tally().states["failed"]
        if failed:
            raise RolloutError(
                f"{failed} steps failed",
                failed=failed,
                remedy="Look at rollout.frame().query(\"state == 'failed'\")",
            )
        return self

    def __repr__(self) -> str:
        tally = self.tally()
        counts = ", ".join(f"{count} {name}" for name, count in tally.states.items() if count)
        return f"<Rollout {self.plan.fingerprint[:12]} {tally.rollout}: {counts}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        shown = None if _view is None else _view(self)
        bundle = getattr(shown, "_repr_mimebundle_", None)
        if bundle is None:
            return {"text/plain": repr(self)}
        made = bundle(include=include, exclude=exclude)
        data = made[0] if isinstance(made, tuple) else made
        # Where no widget can be shown, one line says more than the widget's own parts.
        data["text/plain"] = repr(self)
        return made


def _say_if_buttons_are_dead() -> None:
    # A kernel hears no clicks while a cell blocks it; found without loading IPython.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if getattr(shell, "kernel", None) is not None:
        print("While this cell waits, the view's buttons are dead. Write instead: await rollout")


def apply_plan(
    plan: Plan,
    client: Client,
    *,
    journal: str | PathLike[str],
    observers: Iterable[Observer] = (),
) -> Rollout:
    """Carry out a plan and wait for its end.

    Parameters
    ----------
    plan, client, journal, observers
        See `Rollout`.

    Returns
    -------
    Rollout
        Ended.
    """
    return Rollout(plan, client, journal=journal, observers=observers).start().wait()
