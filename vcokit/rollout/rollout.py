"""A rollout: the carrying out of a plan, in the background, survived by its journal.

::

    Rollout(plan, client, journal=…)   the journal is made; nothing is sent
        .start()                       a thread looks, then sends
        .pause() .resume() .cancel()   at any time, from any thread
        .wait()  or  await rollout     until it has ended
    Rollout.open(journal, client)      the same, where an earlier one broke off
        .undo()                        the plan that takes back what it provably did
    apply_plan(plan, client, …)        all of it in one call

How signals end it stands in `vcokit.rollout.signals`.
"""

from __future__ import annotations

import copy
import math
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
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
    RolloutChanged,
    Tally,
)
from vcokit.rollout.options import Options
from vcokit.rollout.plan import Plan
from vcokit.rollout.reconcile import unlike_planned
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.signals import interrupted, say_if_buttons_are_dead, terminating
from vcokit.rollout.undo import undo_plan

#: How often a waiting thread looks up, so that an interrupt reaches it; seconds.
_LOOK_UP: Final = 0.2
#: How long a command is waited for at most: the thread may hang on a slow disk; seconds.
_MOMENT: Final = 1.0

#: A call that left longer ago was counted or lost, answered or not; seconds.
_LONGEST_CALL: Final = 120.0
#: Calls that are looked at; all limits together let some 2,000 a minute through a region.
_LATEST: Final = 20_000
#: Gaps that an error names.
_NAMED: Final = 5

_going: list[Rollout] = []
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
    windows : str or iterable of str, optional
        When something new is sent, ``"22:00-05:00 Asia/Shanghai"`` or ``"Sat,Sun 00:00-24:00
        UTC"``; any time by default. Outside of them it waits, sees through what is under way, and
        goes on by itself when the next one opens.
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
    All six options are kept in the journal. A rollout that they stop ends as ``stopped`` once all
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
        windows: str | Iterable[str] | None = None,
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
        windows: str | Iterable[str] | EllipsisType | None = ...,
        take_over: bool = False,
        options: Options | None = None,
        clocks: Clocks | None = None,
    ) -> Rollout:
        """Go on with the rollout of a journal; nothing is sent before `start`.

        Parameters
        ----------
        journal, client, observers, options, clocks
            As of a new rollout.
        waves, stop_after, rate_share, deadline, windows
            Those that are given take the place of the ones in the journal.
        take_over : bool
            Whether to take the journal from a rollout on another host, which is surely dead: from
            here that cannot be seen. If it lives, it ends with an error and sends nothing more.

        Raises
        ------
        JournalError
            If there is no such journal, or it cannot be read, or it is that of a rehearsal and the
            client is the cloud's, or the other way round.
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
        # As they stand before the scheduler's first changes, which are told like all others.
        states: Counter[str] = Counter(plan.steps["state"].tolist())
        if records:
            states = Counter(record.state for record in records.values())
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

    # -- steer ----------------------------------------------------------------------------------

    # A command is taken in by the rollout's own thread, which takes a moment; the state says so
    # when the call comes back. One that comes after the end does nothing.

    def pause(self) -> None:
        """Send nothing new; what is on its way is seen to its end."""
        self._command("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._command("resume")

    def cancel(self) -> None:
        """Skip what is pending; what is on its way is seen to its end."""
        self._command("cancel")

    def stop(self) -> None:
        """Leave what is pending for another day: `open` goes on with it."""
        self._engine.command(Command("stop"))

    def _command(self, name: Literal["pause", "resume", "cancel"]) -> None:
        taken = self._engine.command(Command(name))
        if not self._background.here:  # an observer cannot wait for its own thread
            taken.wait(_MOMENT)

    def observe(self, observer: Observer) -> None:
        """Tell an observer of every event from now on."""
        self._observers.append(observer)

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
        if self.error is not None:
            raise self.error
        return self

    def how_to_go_on(self) -> str:
        """Return the line of code that goes on with this rollout."""
        return as_argument("resume", self.journal)

    def _say_how_to_go_on(self) -> None:
        if self.state != "finished":
            print(f"Stopped in order. Go on with: {self.how_to_go_on()}", file=sys.stderr)

    # -- look -----------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Ready, looking, running, waiting, paused, cancelling, or how it ended."""
        with self._guard:
            return self._tally.rollout

    @property
    def ended(self) -> bool:
        """Whether it has come to an end, one way or another."""
        return self.state in ENDED

    @property
    def error(self) -> BaseException | None:
        """What `wait` raises of its end; None where it ended well, or as told, or goes on."""
        if self._ended is None:
            return None
        return helped(self._error, self.journal) or error_of(self._ended, self.journal)

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
        found = unlike_planned(self._scheduler.holdings())
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
            raise RolloutError(
                said, remedy=Remedy("Go on with it: {resume}", resume=str(self.journal))
            )
        raise RolloutError(f"the rollout has not ended ({tally.rollout})", remedy="wait() for it")

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
        # Where no widget can be shown, one line says more than the widget's own parts.
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
) -> Rollout:
    """Carry out a plan and wait for its end.

    An interrupt stops it in order, in a notebook too, and the way to go on is printed.

    Parameters
    ----------
    plan, client, journal, observers, waves, stop_after, rate_share, deadline, allow_gap, windows
        See `Rollout`.

    Returns
    -------
    Rollout
        Ended. Failed steps raise nothing here: see `Rollout.raise_on_error`.

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
    )
    return rollout.start().wait(detach=False)


def undo_of(path: Path, client: Client) -> Plan:
    """Return the plan that takes back what the rollout of a journal provably did.

    Parameters
    ----------
    path : Path
        Of a journal that nobody writes.
    client : Client
        The live routes of its connections are read by it.
    """
    with Journal.read(path) as journal:
        steps, calls, quota = journal.steps(), journal.calls(), journal.plan().quota
    live = live_routes(client, steps[steps["action"] != "blocked"])
    return undo_plan(steps, calls, live, quota=quota)


# -- before it begins, and how it ended ------------------------------------------------------------


def error_of(ended: Finished, journal: Path) -> VcokitError | None:
    """Return the error of an end; None where it ended well, or as it was told to.

    Parameters
    ----------
    ended : Finished
    journal : Path
        By which the rollout can go on.

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
        return NoAnswerError(message, remedy=Remedy("Go on with {resume}", resume=str(journal)))
    if ended.cause is Cause.REFUSED:
        remedy = Remedy("Correct that, then go on with {resume}", resume=str(journal))
        return RolloutError(message, remedy=remedy)
    return None


def helped(error: BaseException | None, journal: Path) -> BaseException | None:
    """Return an error with the way to go on beside its remedy, where it is one of ours.

    Examples
    --------
    >>> from vcokit.errors import JournalError
    >>> print(helped(JournalError("the disk is full", remedy="Make room"), Path("a.db")))
    the disk is full. Make room, then go on with vk.Rollout.open("a.db", client).start()
    """
    ours = isinstance(error, JournalError | CredentialsError | ClockError)
    if not isinstance(error, VcokitError) or not ours or isinstance(error, JournalLockedError):
        return error
    remedy = error.remedy if isinstance(error.remedy, Remedy) else Remedy(error.remedy or "")
    if "resume" not in remedy.options:
        remedy += Remedy(
            f"{', then go' if remedy else 'Go'} on with {{resume}}", resume=str(journal)
        )
    error.remedy = remedy
    return error


def require_plan_and_client(plan: object, client: object) -> None:
    """Refuse what is no plan, or no client, before anything is made.

    Raises
    ------
    InputError
        It names the call that makes one.
    """
    if not isinstance(plan, Plan):
        raise InputError(
            f"a rollout carries out a Plan, not {_kind(plan)}",
            remedy="Pass vk.plan_routes(routes, live), or vk.Plan.load(path)",
        )
    require_client(client)


def require_client(client: object) -> None:
    """Refuse what is no client."""
    # By what it can do: the simulation hands over one of its own.
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


# -- what is taken over from a journal -------------------------------------------------------------


def options_in(journal: Journal, others: Options) -> Options:
    """Return what the user of a rollout wished when it was begun, and others for the rest.

    Raises
    ------
    JournalError
        If the journal's wishes are none.
    """
    try:
        return others.from_json(journal.meta().get("options"))
    except (InputError, ValueError, TypeError, AttributeError, RecursionError):
        raise database.damaged(journal.path, "its options are none of a rollout") from None


def records_in(journal: Journal) -> dict[int, Record]:
    """Return where each step stands."""
    return {
        number: Record(state, attempt, misses)
        for number, state, attempt, misses in journal.standing()
    }


def count_in(limiter: Limiter, journal: Journal, rollout_id: str, clocks: Clocks) -> None:
    """Let a client count the latest calls of a journal, but for those that it has made itself."""
    calls = journal.calls(after=journal.last_call() - _LATEST)
    for made in limiter.counted.get(rollout_id, ()):
        calls = calls[~calls["call"].between(made.start, made.stop - 1)]
    now = clocks.steady()
    for region, operation, left in slots_held(calls, limiter.limits, clocks.wall()):
        limiter.hold(region, operation, now + left)


def slots_held(
    calls: pd.DataFrame, limits: Mapping[str, Limit], now: float
) -> Iterator[tuple[str, str, float]]:
    """Yield the slots that calls of an earlier run still hold in the cloud's windows.

    A call without an answer may have been counted at any moment until now, or be on its way still.
    A wall clock that was set back makes no slot last longer than its window.

    Parameters
    ----------
    calls : DataFrame
        From `Journal.calls`.
    limits : mapping of str to Limit
    now : float
        Seconds since the epoch.

    Yields
    ------
    tuple of str, str, float
        Region, operation, and the seconds from now until the slot is free.

    Examples
    --------
    >>> from vcokit import schema
    >>> at = pd.to_datetime([0.0, 50.0, 55.0], unit="s", utc=True)
    >>> calls = schema.frame(schema.CALLS, {"call": [1, 2, 3], "operation": ["X"] * 3,
    ...     "region_id": ["r"] * 3, "sent_at": at, "seconds": [1.0, 1.0, None]})
    >>> [round(until) for _, _, until in slots_held(calls, {"X": Limit(1, 60.0)}, 100.0)]
    [11, 61]
    """
    longest = max((limit.seconds for limit in limits.values()), default=0.0)
    epoch = pd.Timestamp(0, tz="UTC")
    sent = (calls["sent_at"] - epoch).dt.total_seconds()
    answered = sent + calls["seconds"].astype("float64")
    late = answered.isna() | (answered > now - longest)
    recent = pd.DataFrame(
        {
            "region": calls["region_id"],
            "operation": calls["operation"],
            "free": now - answered,
        }
    )[late & (sent > now - 2 * longest - _LONGEST_CALL)]
    for region, operation, since in zip(
        recent["region"], recent["operation"], recent["free"], strict=True
    ):
        seconds = limits[operation].seconds if operation in limits else 0.0
        ago = -ON_ITS_WAY if math.isnan(since) else max(0.0, since)
        if ago < seconds:
            yield region, operation, seconds - ago + MARGIN
