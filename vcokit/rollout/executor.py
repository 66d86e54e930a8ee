"""A rollout: the carrying out of a plan, in the background, survived by its journal.

::

    Rollout(plan, client, journal=…)   the journal is made; nothing is sent
        .start()                       a thread looks, then sends
        .pause() .resume() .cancel()   at any time, from any thread
        .wait()  or  await rollout     until it has ended
    Rollout.open(journal, client)      the same, where an earlier one broke off
        .undo()                        the plan that takes back what it provably did

How signals end it stands in `vcokit.rollout.interrupt`, how its ends are raised in
`vcokit.rollout.ends`.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from os import PathLike
from types import EllipsisType
from typing import Any

from vcokit.cloud.client import Client
from vcokit.errors import PlanError
from vcokit.live import live_routes
from vcokit.rollout import rehearsal
from vcokit.rollout.alphabet import Finished
from vcokit.rollout.background import Background
from vcokit.rollout.ends import (
    error_of,
    helped,
    refuse_gaps,
    require_client,
    require_plan_and_client,
)
from vcokit.rollout.engine import Clocks, Engine, guarded
from vcokit.rollout.events import Observer, Tally
from vcokit.rollout.interrupt import interrupted, say_if_buttons_are_dead, terminating
from vcokit.rollout.journal import Journal
from vcokit.rollout.lanes import Record
from vcokit.rollout.looks import Looks
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.resume import count_in, options_in, records_in
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steering import Steers
from vcokit.rollout.undo import undo_plan

#: How often a waiting thread looks up, so that an interrupt reaches it; seconds.
_LOOK_UP = 0.2

_going: list[Rollout] = []
_view: Callable[[Rollout], object] | None = None


def show_with(view: Callable[[Rollout], object] | None) -> None:
    """Set what a notebook shows of a rollout; the top floor does, this one knows no view."""
    global _view
    _view = view


class Rollout(Looks, Steers):
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
    waves : sequence of int or None, optional
        Connections of each wave, ``[1, 5, None]``: the next wave begins when every step of the last
        one was seen in a listing; where one came to nothing, the rollout stops. None for the rest.
    stop_after : int, optional
        Failed steps of this run after which the rollout stops.
    rate_share : float
        Part of every rate limit that is used, where another job uses the same account.
    deadline : float, optional
        Seconds from `start` after which nothing new is sent.
    allow_gap : bool
        Whether a plan is carried out that cannot be ordered without leaving an address uncovered.
    options : Options, optional
        By default those of the settings, on the client's clock.
    clocks : Clocks, optional
        By default those of the machine.

    Raises
    ------
    JournalError
        If the journal is there already.
    PlanError
        If the plan cannot be ordered without a gap, or is one of a simulator and the client is
        the cloud's, or the other way round.
    InputError
        If an option is none.

    Notes
    -----
    All five options are kept in the journal. A rollout that they stop ends as ``stopped`` once all
    that was sent was seen, and `open` goes on with it, given other ones.
    """

    def __init__(
        self,
        plan: Plan,
        client: Client,
        *,
        journal: str | PathLike[str],
        observers: Iterable[Observer] = (),
        waves: Sequence[int | None] | None = None,
        stop_after: int | None = None,
        rate_share: float = 1.0,
        deadline: float | None = None,
        allow_gap: bool = False,
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        require_plan_and_client(plan, client)
        rehearsal.refuse_plan(plan.simulated, client=client.simulated)
        wishes = (options or Options.in_force(client.speed, client.settings)).wishing(
            waves=waves,
            stop_after=stop_after,
            rate_share=rate_share,
            deadline=deadline,
            allow_gap=allow_gap,
        )
        refuse_gaps(plan, allowed=allow_gap)
        rollout_id = uuid.uuid4().hex
        clocks = clocks or Clocks(time.time, time.monotonic)
        self._prepare(plan, client, {}, observers, wishes, clocks)
        # Last, so that an error leaves no file.
        meta = {
            "options": wishes.to_json(),
            rehearsal.NAME: rehearsal.TEXTS[client.simulated],
        }
        made = Journal.create(journal, plan, rollout_id, meta=meta, now=clocks.wall)
        self._begin(made, rollout_id)

    @classmethod
    def open(
        cls,
        journal: str | PathLike[str],
        client: Client,
        *,
        observers: Iterable[Observer] = (),
        waves: Sequence[int | None] | EllipsisType | None = ...,
        stop_after: int | EllipsisType | None = ...,
        rate_share: float | EllipsisType = ...,
        deadline: float | EllipsisType | None = ...,
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> Rollout:
        """Go on with the rollout of a journal; nothing is sent before `start`.

        Parameters
        ----------
        journal, client, observers, options, clocks
            As of a new rollout.
        waves, stop_after, rate_share, deadline
            Those that are given take the place of the ones in the journal.

        Raises
        ------
        JournalError
            If there is no such journal, or it cannot be read, or it is that of a rehearsal and the
            client is the cloud's, or the other way round.
        JournalLockedError
            If its rollout still runs.
        """
        require_client(client)
        clocks = clocks or Clocks(time.time, time.monotonic)
        opened = Journal.open(journal, now=clocks.wall)
        given = {
            "waves": waves,
            "stop_after": stop_after,
            "rate_share": rate_share,
            "deadline": deadline,
        }
        new = {name: value for name, value in given.items() if value is not ...}
        try:
            rehearsal.refuse_journal(opened.path, opened.simulated, client=client.simulated)
            kept = options_in(opened, options or Options.in_force(client.speed, client.settings))
            rollout_id = opened.meta()["rollout_id"]
            count_in(client.limiter, opened, rollout_id, clocks)
            rollout = cls.__new__(cls)
            rollout._prepare(
                opened.plan(), client, records_in(opened), observers, kept.wishing(**new), clocks
            )
            rollout._begin(opened, rollout_id)
        except BaseException:
            opened.close()
            raise
        return rollout

    def _prepare(
        self,
        plan: Plan,
        client: Client,
        records: dict[int, Record],
        observers: Iterable[Observer],
        options: Options,
        clocks: Clocks,
    ) -> None:
        """Make all that needs no journal."""
        self.plan = plan
        self.options = options
        self.limits = client.limits
        self._client = client
        self._clocks = clocks
        self._ended: Finished | None = None
        self._error: BaseException | None = None
        self._guard = threading.Lock()
        self._scheduler = Scheduler(
            plan.each(), plan.live_by_lane(), client.limiter, options, records, plan.order
        )
        states = Counter(record.state for record in self._scheduler.records.values())
        states["blocked"] += plan.counts["blocked"]
        self._tally = Tally(states)
        self._observers = list(observers)
        self._told = guarded(self._observers)

    def _begin(self, journal: Journal, rollout_id: str) -> None:
        """Take a journal that is held, the last thing that a rollout needs."""
        self.journal = journal.path
        self._journal = journal
        self._rollout_id = rollout_id
        self._first_call = journal.last_call() + 1
        name = f"rollout {journal.path.name}"
        self._background = Background(name, self._run, self.stop, self._say_how_to_go_on)
        self._engine = Engine(
            self._scheduler, journal, rollout_id, self._client, self._tell, self._clocks
        )

    # -- go -------------------------------------------------------------------------------------

    def start(self) -> Rollout:
        """Begin, or go on, in the background; return at once.

        Returns
        -------
        Rollout
            Itself.
        """
        _going.append(self)  # before it runs: it takes itself out at its end
        try:
            self._background.start()
        except BaseException:
            _going.remove(self)
            raise
        return self

    @staticmethod
    def running() -> list[Rollout]:
        """Return the rollouts that run in this program, in the order they were started."""
        return [rollout for rollout in _going if rollout._background.running]

    def close(self) -> None:
        """Let go of the journal of a rollout that was not started; `open` goes on with it.

        One that was started lets go of it by itself, at its end.
        """
        if not self._background.begun:
            self._journal.close()

    def _run(self) -> None:
        try:
            self._journal.write(meta={"state": "running", "message": None})
            self._say("looking")
            ended = self._engine.run()
        except BaseException as error:
            # Whatever it is, it belongs to whoever waits; the journal is whole in any case.
            self._error = error
            ended = Finished("stopped", str(error))
        self._finish(ended)
        _going.remove(self)

    def _finish(self, ended: Finished) -> None:
        self._ended = ended
        try:
            made = range(self._first_call, self._journal.last_call() + 1)
            self._client.limiter.counted.setdefault(self._rollout_id, []).append(made)
            self._journal.write(meta={"state": ended.reason, "message": ended.message})
        except BaseException as error:
            self._error = self._error or error
        try:
            self._journal.close()
        except BaseException as error:
            self._error = self._error or error
        self._say(ended.reason, ended.message)

    # -- wait -----------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None, *, detach: bool = True) -> Rollout:
        """Block until the rollout has ended.

        An interrupt (Ctrl-C, SIGTERM) stops it in order: calls under way come back, the journal is
        closed, and the way to go on is printed. In a notebook only the cell is interrupted.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; the rollout goes on.
        detach : bool
            Whether in a notebook it goes on after an interrupt too.

        Returns
        -------
        Rollout
            Itself. Failed steps raise nothing here: see `raise_on_error`.

        Raises
        ------
        StalePlanError
            If the live routes were not those of the plan; nothing was sent.
        CredentialsError, ClockError, NoAnswerError
            If the AccessKey was refused, this machine's clock is wrong, or the cloud fell silent;
            `open` goes on.
        RolloutError
            If a connection could not be read, for another reason than being gone; `open` goes on.
        JournalError
            If the journal cannot be written, for example because the disk is full.
        TimeoutError
            If the time is over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._observers:
            say_if_buttons_are_dead()
        try:
            with terminating():
                while not self.join(_LOOK_UP if deadline is None else deadline - time.monotonic()):
                    if deadline is not None and time.monotonic() >= deadline:
                        raise TimeoutError(f"the rollout goes on after {timeout:g} s")
        except KeyboardInterrupt as caught:
            interrupted(caught, self.stop, self._land, self.how_to_go_on(), detach=detach)
        return self._result()

    def join(self, timeout: float | None = None) -> bool:
        """Block until the rollout has ended, or for a time; tell whether it has.

        Parameters
        ----------
        timeout : float, optional
            Seconds. Unlike `wait`, neither the end of the time nor that of the rollout raises.
        """
        return self._background.wait(timeout)

    def _land(self) -> None:
        """Block until it has ended; one more interrupt ends the program at once."""
        try:
            self._background.wait()
        except KeyboardInterrupt:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Let the program end at once, whatever is under way: `open` looks at it first."""
        self._background.let_go()

    def __await__(self) -> Generator[Any, None, Rollout]:
        yield from self._background.__await__()
        return self._result()

    def _result(self) -> Rollout:
        how = self.how_to_go_on()
        error = helped(self._error, how) or error_of(self._ended or Finished("stopped"), how)
        if error is not None:
            raise error
        return self

    def how_to_go_on(self) -> str:
        """Return the line of code that goes on with this rollout."""
        return f'vk.Rollout.open("{self.journal}", client).start()'

    def _say_how_to_go_on(self) -> None:
        if self.state != "finished":
            print(f"Stopped in order. Go on with: {self.how_to_go_on()}", file=sys.stderr)

    # -- look -----------------------------------------------------------------------------------

    def undo(self) -> Plan:
        """Return the plan that takes back what this rollout provably did.

        The live routes of its connections are read for it. Nothing is sent: carry the plan out
        by `apply_plan`, with a journal of its own.

        Raises
        ------
        PlanError
            If the rollout still runs.
        """
        if self._background.running:
            raise PlanError("the rollout still runs", remedy="stop() it, or wait() for its end")
        with Journal.read(self.journal) as journal:
            steps, calls = journal.steps(), journal.calls()
        live = live_routes(self._client, steps[steps["action"] != "blocked"])
        return undo_plan(steps, calls, live, quota=self.plan.quota)

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
