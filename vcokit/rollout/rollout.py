"""Carry out a plan in the background, with a journal that survives crashes.

::

    Rollout(plan, client, journal=…)   the journal is made; nothing is sent
        .start()                       a thread reads the live routes, then sends
        .pause() .resume() .cancel()   at any time, from any thread
        .wait()  or  await rollout     until it has ended
    Rollout.open(journal, client)      resumes a rollout that was interrupted
        .undo()                        the plan that reverts what it provably did
    apply_plan(plan, client, …)        all of it in one call

For how signals end a rollout, see `vcokit.rollout.signals`.
"""

from __future__ import annotations

import copy
import json
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from types import EllipsisType
from typing import Any, Final, Literal, Self

import pandas as pd

from vcokit.cloud.client import Client
from vcokit.cloud.operations import Limit
from vcokit.cloud.ratelimit import MARGIN, ON_ITS_WAY, Limiter
from vcokit.errors import (
    ClockError,
    CredentialsError,
    InputError,
    JournalError,
    JournalLockedError,
    NoAnswerError,
    PlanError,
    Remedy,
    RolloutError,
    StalePlanError,
    VcokitError,
    as_argument,
)
from vcokit.live import live_routes
from vcokit.rollout import database, rehearsal
from vcokit.rollout.background import Background
from vcokit.rollout.connection import Record
from vcokit.rollout.engine import Clocks, Engine, guarded
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import (
    ENDED,
    Cause,
    Command,
    Event,
    Finished,
    Observer,
    RolloutBegan,
    RolloutChanged,
    Tally,
)
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.provenance import LISTED, RUNS, Run, approval, user_name
from vcokit.rollout.reconcile import unlike_planned
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.signals import interrupted, say_if_buttons_are_dead, terminating
from vcokit.rollout.steps import State
from vcokit.rollout.undo import undo_plan

#: How often a waiting thread wakes up, so that an interrupt reaches it; seconds.
_LOOK_UP: Final = 0.2
#: The longest wait for a command to take effect: the thread may hang on a slow disk; seconds.
_MOMENT: Final = 1.0

#: A call sent longer ago was either counted or lost, with or without an answer; seconds.
_LONGEST_CALL: Final = 120.0
#: Gaps that an error names; the others are counted.
_NAMED: Final = 5

_going: list[Rollout] = []
_view: Callable[[Rollout], object] | None = None


def show_with(view: Callable[[Rollout], object] | None) -> None:
    """Set what a notebook shows of a rollout; a higher layer calls it, as this one has no view."""
    global _view
    _view = view


class Rollout:
    """Carries out a plan in the background.

    Parameters
    ----------
    plan : Plan
    client : Client
        From `connect`.
    journal : path
        File to create; it must not exist yet.
    observers : iterable of callable
        Each is called with every event, in the rollout's thread.
    waves : sequence of int or None, optional
        Connections of each wave, ``[1, 5, None]``; None means all the rest. The next wave begins
        when a listing has shown every step of the last one. If a step of a wave had no effect, the
        rollout stops.
    stop_after : int, optional
        Number of failed steps in this run after which the rollout stops.
    rate_share : float
        Share of every rate limit that is used; lower it if another job uses the same account.
    deadline : float, optional
        Seconds from `start` after which nothing new is sent.
    allow_gap : bool
        Whether to carry out a plan that cannot be ordered without leaving an address uncovered.
    windows : str or iterable of str, optional
        When new writes may be sent, ``"22:00-05:00 Asia/Shanghai"`` or ``"Sat,Sun 00:00-24:00
        UTC"``; any time by default. Outside the windows the rollout completes what is in progress,
        waits, and resumes automatically when the next window opens.
    approved_by, ticket : str, optional
        Who approved the change, and where it was requested, in any words: for the change record.
    options : Options, optional
        By default the options of the settings, on the client's clock.
    clocks : Clocks, optional
        By default the clocks of this machine.

    Raises
    ------
    JournalError
        If the journal exists already.
    PlanError
        If the plan cannot be ordered without a gap, or if one of plan and client belongs to a
        simulator and the other to the cloud.
    InputError
        If an option is invalid.

    Notes
    -----
    The journal keeps the options from `waves` to `ticket`. A rollout that they stop ends as
    ``stopped`` after everything it sent was seen in a listing; `open` resumes it with new options.
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
        windows: str | Iterable[str] | None = None,
        approved_by: str | None = None,
        ticket: str | None = None,
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
            windows=windows,
        )
        approved = approval(approved_by=approved_by, ticket=ticket)
        refuse_gaps(plan, allowed=allow_gap)
        rollout_id = uuid.uuid4().hex
        clocks = clocks or Clocks(time.time, time.monotonic)
        self._prepare(plan, client, {}, observers, wishes, clocks)
        # Last, so that an error leaves no file.
        meta = {
            "options": wishes.to_json(),
            rehearsal.NAME: rehearsal.TEXTS[client.simulated],
            **approved,
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
        windows: str | Iterable[str] | EllipsisType | None = ...,
        take_over: bool = False,
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> Rollout:
        """Open a journal to resume its rollout; nothing is sent before `start`.

        Parameters
        ----------
        journal, client, observers, options, clocks
            As for a new rollout.
        waves, stop_after, rate_share, deadline, windows
            An option that is given replaces the one in the journal.
        take_over : bool
            Whether to take the journal from a rollout on another host. Pass True only if you are
            sure that it is dead: this cannot be checked from here. If it is still alive, it ends
            with an error and sends nothing more.

        Raises
        ------
        JournalError
            If the journal does not exist or cannot be read, or if one of journal and client
            belongs to a simulator and the other to the cloud.
        JournalLockedError
            If its rollout still runs, or may still run on another host.
        """
        require_client(client)
        clocks = clocks or Clocks(time.time, time.monotonic)
        opened = Journal.open(journal, take_over=take_over, now=clocks.wall)
        given = {
            "waves": waves,
            "stop_after": stop_after,
            "rate_share": rate_share,
            "deadline": deadline,
            "windows": windows,
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
        """Set up everything that needs no journal."""
        self.plan = plan
        self.options = options
        self.limits = client.limits
        self._client = client
        self._clocks = clocks
        self._ended: Finished | None = None
        self._error: BaseException | None = None
        self._guard = threading.Lock()
        self._scheduler = Scheduler(
            plan.each(), plan.live_by_connection(), client.limiter, options, records, plan.order
        )
        # The states before the scheduler's first changes, which are notified like all others.
        states: Counter[str] = Counter(plan.steps["state"].tolist())
        if records:
            states = Counter(record.state for record in records.values())
            states["blocked"] += plan.counts["blocked"]
        self._tally = Tally(states)
        self._observers = list(observers)
        self._told = guarded(self._observers)

    def _begin(self, journal: Journal, rollout_id: str) -> None:
        """Attach the locked journal, the last thing that a rollout needs."""
        self.journal = journal.path
        self._journal = journal
        self._rollout_id = rollout_id
        self._first_call = journal.last_call() + 1
        name = f"rollout {journal.path.name}"
        self._background = Background(name, self._run, self.stop, self._say_how_to_resume)
        self._engine = Engine(
            self._scheduler, journal, rollout_id, self._client, self._tell, self._clocks
        )

    # -- start and close ------------------------------------------------------------------------

    def start(self) -> Rollout:
        """Start or resume the rollout in the background and return at once.

        Returns
        -------
        Rollout
            The rollout itself.
        """
        _going.append(self)  # before it runs: it removes itself at its end
        try:
            self._background.start()
        except BaseException:
            _going.remove(self)
            raise
        return self

    @staticmethod
    def running() -> list[Rollout]:
        """Return the rollouts that run in this process, in the order they were started."""
        return [rollout for rollout in _going if rollout._background.running]

    def close(self) -> None:
        """Release the journal of a rollout that was not started; `open` can resume it.

        A started rollout releases its journal automatically when it ends.
        """
        if not self._background.begun:
            self._journal.close()

    def _run(self) -> None:
        try:
            self._journal.write(meta={"state": "running", "message": None, **self._begun()})
            self._tell(RolloutBegan(self._clocks.wall(), self.journal))
            self._say("looking")
            ended = self._engine.run()
        except BaseException as error:
            # `wait` raises any error again; the journal is intact in any case.
            self._error = error
            ended = Finished("stopped", str(error))
        self._finish(ended)
        _going.remove(self)

    def _finish(self, ended: Finished) -> None:
        self._ended = ended
        try:
            made = range(self._first_call, self._journal.last_call() + 1)
            self._client.limiter.counted.setdefault(self._rollout_id, []).append(made)
            meta = {"state": ended.reason, "message": ended.message}
            self._journal.write(meta={**meta, **self._came_to(ended)})
        except BaseException as error:
            self._error = self._error or error
        try:
            self._journal.close()
        except BaseException as error:
            self._error = self._error or error
        self._say(ended.reason, ended.message)

    def _begun(self) -> dict[str, str | None]:
        """Return what the journal keeps of this run as it begins; what was listed is history."""
        owner, client = self._journal.owner(), self._client
        try:
            account = client.account
        except CredentialsError:  # the first call says it
            account = ""
        earlier = json.loads(self._journal.meta().get(RUNS, "[]"))
        run = Run(
            user=user_name(),
            host="" if owner is None else owner.host,
            process=0 if owner is None else owner.process,
            version="" if owner is None else owner.version,
            account=account,
            endpoint="" if client.simulated else client.endpoint,
            options=json.loads(self.options.to_json()),
            began=self._clocks.wall(),
        )
        return {RUNS: json.dumps([*earlier, asdict(run)]), LISTED: None}

    def _came_to(self, ended: Finished) -> dict[str, str | None]:
        """Return what the journal keeps of this run at its end."""
        *earlier, run = json.loads(self._journal.meta().get(RUNS, "[null]"))
        if run is None:  # it ended before it began
            return {}
        run |= {"ended": self._clocks.wall(), "state": ended.reason}
        seen = {held.vpn_connection_id: held.seen for held in self._scheduler.holdings()}
        listed = {
            name: Counter(route.weight for route in routes)
            for name, routes in seen.items()
            if routes is not None
        }
        return {RUNS: json.dumps([*earlier, run]), LISTED: json.dumps(listed)}

    # -- control --------------------------------------------------------------------------------

    # The rollout's own thread processes a command, which takes a moment; when the call returns,
    # the state shows the command. A command after the end has no effect.

    def pause(self) -> None:
        """Send nothing new; calls in progress are completed."""
        self._command("pause")

    def resume(self) -> None:
        """Resume after a pause."""
        self._command("resume")

    def cancel(self) -> None:
        """Skip pending steps; calls in progress are completed."""
        self._command("cancel")

    def stop(self) -> None:
        """Stop and keep the pending steps for later: `open` resumes the rollout."""
        self._engine.command(Command("stop"))

    def _command(self, name: Literal["pause", "resume", "cancel"]) -> None:
        taken = self._engine.command(Command(name))
        if not self._background.here:  # an observer cannot wait for its own thread
            self._clocks.wait(taken, _MOMENT)

    def observe(self, observer: Observer) -> None:
        """Add an observer, which receives every event from now on."""
        self._observers.append(observer)

    # -- wait -----------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None, *, detach: bool = True) -> Rollout:
        """Block until the rollout has ended.

        An interrupt (Ctrl-C, SIGTERM) stops it gracefully: calls in progress return, the journal
        is closed, and the command to resume is printed. In a notebook, the interrupt ends only the
        cell.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; the rollout continues after that.
        detach : bool
            Whether the rollout continues after an interrupt in a notebook.

        Returns
        -------
        Rollout
            The rollout itself. Failed steps raise nothing here: see `raise_on_error`.

        Raises
        ------
        StalePlanError
            If the live routes were not those of the plan; nothing was sent.
        CredentialsError, ClockError, NoAnswerError
            If the AccessKey was refused, the clock of this machine is wrong, or the cloud stopped
            answering; `open` resumes the rollout.
        RolloutError
            If a connection could not be read although it still exists; `open` resumes the rollout.
        JournalError
            If the journal cannot be written, for example because the disk is full.
        TimeoutError
            If the rollout has not ended within `timeout`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._observers:
            say_if_buttons_are_dead()
        try:
            with terminating():
                while not self.join(_LOOK_UP if deadline is None else deadline - time.monotonic()):
                    if deadline is not None and time.monotonic() >= deadline:
                        raise TimeoutError(f"the rollout still runs after {timeout:g} s")
        except KeyboardInterrupt as caught:
            interrupted(caught, self.stop, self._land, self.how_to_resume(), detach=detach)
        return self._result()

    def join(self, timeout: float | None = None) -> bool:
        """Block until the rollout has ended or the time is over; return whether it has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds. Unlike `wait`, this raises no error of the rollout and no TimeoutError.
        """
        return self._background.wait(timeout)

    def _land(self) -> None:
        """Block until it has ended; a second interrupt ends the program at once."""
        try:
            self._background.wait()
        except KeyboardInterrupt:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Let the program end at once, even with calls in progress: `open` checks those first."""
        self._background.let_go()

    def __await__(self) -> Generator[Any, None, Rollout]:
        yield from self._background.__await__()
        return self._result()

    def _result(self) -> Rollout:
        if self.error is not None:
            raise self.error
        return self

    def how_to_resume(self) -> str:
        """Return the line of code that resumes this rollout."""
        return as_argument("resume", self.journal)

    def _say_how_to_resume(self) -> None:
        if self.state != "finished":
            print(f"Stopped. Resume with: {self.how_to_resume()}", file=sys.stderr)

    # -- read -----------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Ready, looking, running, waiting, paused, cancelling, or how it ended."""
        with self._guard:
            return self._tally.rollout

    @property
    def ended(self) -> bool:
        """Whether the rollout has ended, for any reason."""
        return self.state in ENDED

    @property
    def error(self) -> BaseException | None:
        """What `wait` raises of its end; None where it ended well, or as told, or goes on."""
        if self._ended is None:
            return None
        return helped(self._error, self.journal) or error_of(self._ended, self.journal)

    def tally(self) -> Tally:
        """Return the current counts."""
        with self._guard:
            return copy.deepcopy(self._tally)

    def frame(self) -> pd.DataFrame:
        """Return a row per step, of `vcokit.schema.STEPS`: state, code, times, attempts."""
        with Journal.read(self.journal) as journal:
            return journal.steps()

    def calls(self) -> pd.DataFrame:
        """Return a row per call that was made, of `vcokit.schema.CALLS`."""
        with Journal.read(self.journal) as journal:
            return journal.calls()

    def differences(self) -> pd.DataFrame:
        """Return where the cloud differs from the plan, by the latest listing of each connection.

        Returns
        -------
        DataFrame
            Of `vcokit.schema.DIFFERENCES`; empty if everything is as planned. At the end of the
            rollout, every connection that it wrote to is listed once more.
        """
        found = unlike_planned(self._scheduler.holdings())
        names = ["vpn_connection_id", "route_dest"]
        rows = self.plan.steps[[*names, "row"]].drop_duplicates(names)
        found["row"] = found[names].merge(rows, on=names, how="left")["row"]
        return found

    def raise_on_error(self) -> Self:
        """Return the rollout if it has ended and every step is done.

        Raises
        ------
        RolloutError
            If steps failed or were skipped, or if steps are left because the rollout was stopped,
            interrupted or cancelled, or has not ended.
        """
        tally = self.tally()
        harmed = {name: tally.states[name] for name in ("failed", "skipped") if tally.states[name]}
        if harmed:
            counts = ", ".join(f"{count} {name}" for name, count in harmed.items())
            raise RolloutError(
                f"steps not done: {counts}",
                failed=harmed.get("failed", 0),
                remedy=f'Look at rollout.frame().query("state in {list(harmed)}")',
            )
        if tally.rollout == "finished":
            return self
        if tally.rollout in ENDED:
            said = tally.rollout if tally.message is None else f"{tally.rollout}: {tally.message}"
            raise RolloutError(said, remedy=Remedy("Resume it: {resume}", resume=str(self.journal)))
        raise RolloutError(f"the rollout has not ended ({tally.rollout})", remedy="wait() for it")

    def undo(self) -> Plan:
        """Return the plan that reverts what this rollout provably did.

        This reads the live routes of its connections and sends nothing else. Carry the plan out
        with `apply_plan` and a journal of its own.

        Raises
        ------
        PlanError
            If the rollout still runs.
        """
        if self._background.running:
            raise PlanError("the rollout still runs", remedy="stop() it, or wait() for its end")
        return undo_of(self.journal, self._client)

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
        # Where no widget can be shown, one line is more useful than the widget's text form.
        data["text/plain"] = repr(self)
        return made

    def _say(self, state: str, message: str | None = None) -> None:
        self._tell(RolloutChanged(self._clocks.wall(), state, message))

    def _tell(self, event: Event) -> None:
        with self._guard:
            self._tally.add(event)
        self._told(event)


def apply_plan(
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
    windows: str | Iterable[str] | None = None,
    approved_by: str | None = None,
    ticket: str | None = None,
) -> Rollout:
    """Carry out a plan and wait for its end.

    An interrupt stops it gracefully, in a notebook too, and prints the command to resume.

    Parameters
    ----------
    plan, client, journal, observers, waves, stop_after, rate_share, deadline, allow_gap, windows, \
approved_by, ticket
        See `Rollout`.

    Returns
    -------
    Rollout
        The rollout, ended. Failed steps raise nothing here: see `Rollout.raise_on_error`.

    Raises
    ------
    VcokitError
        As `Rollout` and `Rollout.wait` do.
    """
    rollout = Rollout(
        plan,
        client,
        journal=journal,
        observers=observers,
        waves=waves,
        stop_after=stop_after,
        rate_share=rate_share,
        deadline=deadline,
        allow_gap=allow_gap,
        windows=windows,
        approved_by=approved_by,
        ticket=ticket,
    )
    return rollout.start().wait(detach=False)


def undo_of(path: Path, client: Client) -> Plan:
    """Return the plan that reverts what the rollout of a journal provably did.

    Parameters
    ----------
    path : Path
        Of a journal that nobody writes.
    client : Client
        It reads the live routes of the rollout's connections.
    """
    with Journal.read(path) as journal:
        steps, calls, quota = journal.steps(), journal.calls(), journal.plan().quota
        rollout_id = journal.meta()["rollout_id"]
    live = live_routes(client, steps[steps["action"] != "blocked"])
    return undo_plan(steps, calls, live, quota=quota, rollout_id=rollout_id)


# -- checks before the start, and the error at the end ---------------------------------------------


def error_of(ended: Finished, journal: Path) -> VcokitError | None:
    """Return the error of an end; None if the rollout finished or ended on command.

    Parameters
    ----------
    ended : Finished
    journal : Path
        The journal to resume from.

    Examples
    --------
    >>> error_of(Finished("finished"), Path("rollout.db")) is None
    True
    >>> error_of(Finished("stopped", "no answer for 120 s", Cause.SILENCE), Path("rollout.db"))
    NoAnswerError('no answer for 120 s')
    """
    message = str(ended.message)
    if ended.reason == "stale":
        return StalePlanError(
            f"{message}: {len(ended.differences)} differences, this run sent nothing",
            differences=ended.differences,
            remedy=Remedy("Read the live routes again and {new_plan}", new_plan=True),
        )
    if ended.cause is Cause.KEY:
        return CredentialsError(message, remedy=Remedy("{resume}", resume=str(journal)))
    if ended.cause is Cause.SILENCE:
        return NoAnswerError(message, remedy=Remedy("Resume with {resume}", resume=str(journal)))
    if ended.cause is Cause.REFUSED:
        remedy = Remedy("Correct that, then resume with {resume}", resume=str(journal))
        return RolloutError(message, remedy=remedy)
    return None


def helped(error: BaseException | None, journal: Path) -> BaseException | None:
    """Return an error; if it is one of ours, its remedy also names the command to resume.

    Examples
    --------
    >>> from vcokit.errors import JournalError
    >>> print(helped(JournalError("the disk is full", remedy="Make room"), Path("a.db")))
    the disk is full. Make room, then resume with vk.Rollout.open("a.db", client).start()
    """
    ours = isinstance(error, JournalError | CredentialsError | ClockError)
    if not isinstance(error, VcokitError) or not ours or isinstance(error, JournalLockedError):
        return error
    remedy = error.remedy if isinstance(error.remedy, Remedy) else Remedy(error.remedy or "")
    if "resume" not in remedy.options:
        remedy += Remedy(
            f"{', then resume' if remedy else 'Resume'} with {{resume}}", resume=str(journal)
        )
    error.remedy = remedy
    return error


def require_plan_and_client(plan: object, client: object) -> None:
    """Refuse a value that is not a plan, or not a client, before anything is created.

    Raises
    ------
    InputError
        It names the call that returns one.
    """
    if not isinstance(plan, Plan):
        raise InputError(
            f"a rollout carries out a Plan, not {_kind(plan)}",
            remedy="Pass vk.plan_routes(routes, live), or vk.Plan.load(path)",
        )
    require_client(client)


def require_client(client: object) -> None:
    """Refuse a value that is not a client."""
    # The check is by attributes, because the simulation passes a client of its own.
    needed = ("limits", "limiter", "simulated", "speed", "settings", "call", "page")
    if not all(hasattr(client, name) for name in needed):
        raise InputError(
            f"a rollout needs a client, not {_kind(client)}", remedy="Pass vk.connect(…)"
        )


def _kind(value: object) -> str:
    return f"{value!r}" if isinstance(value, str) else type(value).__name__


def refuse_gaps(plan: Plan, *, allowed: bool) -> None:
    """Refuse a plan that cannot be ordered without leaving an address uncovered.

    Raises
    ------
    PlanError
        It lists the gaps.
    """
    gaps = () if allowed else plan.order.gaps
    if gaps:
        reasons = "; ".join(gap.reason for gap in gaps[:_NAMED])
        more = f"; and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        raise PlanError(
            f"the plan cannot be ordered without a gap: {reasons}{more}",
            remedy=Remedy("Change the inventory, or pass {allow_gap}", allow_gap=True),
        )


# -- what is read from a journal -------------------------------------------------------------------


def options_in(journal: Journal, others: Options) -> Options:
    """Return the options that the journal keeps; `others` give the rest.

    Raises
    ------
    JournalError
        If the options in the journal are not valid.
    """
    try:
        return others.from_json(journal.meta().get("options"))
    except (InputError, ValueError, TypeError, AttributeError, RecursionError):
        raise database.damaged(journal.path, "its options are not valid") from None


def records_in(journal: Journal) -> dict[int, Record]:
    """Return the record of each step."""
    return {
        number: Record(State(state), attempt, misses)
        for number, state, attempt, misses in journal.standing()
    }


def count_in(limiter: Limiter, journal: Journal, rollout_id: str, clocks: Clocks) -> None:
    """Count the latest calls of a journal in a client, except those that the client made itself."""
    wall, now = clocks.wall(), clocks.steady()
    longest = max((limit.seconds for limit in limiter.limits.values()), default=0.0)
    own = limiter.counted.get(rollout_id, ())
    others = (
        call
        for number, *call in journal.calls_since(wall - 2 * longest - _LONGEST_CALL)
        if not any(number in made for made in own)
    )
    for region, operation, left in slots_held(others, limiter.limits, wall):
        limiter.hold(region, operation, now + left)


def slots_held(
    calls: Iterable[Sequence[Any]], limits: Mapping[str, Limit], now: float
) -> Iterator[tuple[str, str, float]]:
    """Yield the rate limit slots that calls of an earlier run still hold in the cloud's windows.

    A call without an answer may have been counted at any time until now, or may still be on its
    way. If the wall clock was set back, no slot is held longer than its window.

    Parameters
    ----------
    calls : iterable of (str, str, float, float or None)
        Region, operation, seconds since the epoch when the call was sent, and seconds until its
        answer, None without an answer.
    limits : mapping of str to Limit
    now : float
        Seconds since the epoch.

    Yields
    ------
    tuple of str, str, float
        Region, operation, and the seconds from now until the slot is free.

    Examples
    --------
    >>> calls = [("r", "X", 0.0, 1.0), ("r", "X", 50.0, 1.0), ("r", "X", 55.0, None)]
    >>> [round(until) for _, _, until in slots_held(calls, {"X": Limit(1, 60.0)}, 100.0)]
    [11, 61]
    """
    for region, operation, sent, seconds in calls:
        ago = -ON_ITS_WAY if seconds is None else max(0.0, now - sent - seconds)
        if operation in limits and ago < limits[operation].seconds:
            yield region, operation, limits[operation].seconds - ago + MARGIN
