"""A fleet: the rollouts of many accounts, run together.

::

    Fleet(plans, clients, directory=…)    creates a journal per member; sends nothing
        .start() .pause() .resume() .cancel() .stop()
        .wait()  or  await fleet          until no member runs and none is to begin
    Fleet.open(directory, clients)        resumes a fleet that was interrupted
        .results() .frame() .steps() .calls() .undo()
    Fleet(…, executor=pool)               runs each member in a pool of threads, processes or
                                          machines: `resume_member`, which is safe to repeat

A member is an account, with the regions of its plan. It has its own `Rollout` and its own journal,
because rate limits apply per account. The fleet only decides when each member begins::

    queue ─▶ begin: Rollout.open(journal).start() ─▶ its thread ─▶ "ended" ─┐
      ▲                                                                     │
      └── a free place, the earlier waves complete, not too many failed ◀───┘

The fleet has no thread of its own: when a member ends, its thread decides what begins next. All
members share the threads that make calls, so there are as many threads as calls in progress.
All files are in one directory, see `vcokit.rollout.fleet_directory`. The journals show which
members failed. Therefore a fleet that was killed and opened again still counts them for `waves` and
`stop_after`.
"""

from __future__ import annotations

import asyncio
import atexit
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import EllipsisType
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.cloud.client import Client
from vcokit.errors import (
    FleetError,
    InputError,
    JournalError,
    JournalLockedError,
    PlanError,
    Remedy,
    RolloutError,
    VcokitError,
    as_argument,
)
from vcokit.live import side_by_side
from vcokit.rollout.background import Threads
from vcokit.rollout.database import times_of
from vcokit.rollout.dependencies import waves_by_name
from vcokit.rollout.engine import Clocks, guarded
from vcokit.rollout.fleet_directory import (
    FILE,
    FleetFacts,
    created_atomically,
    journal_of,
    refuse_names,
)
from vcokit.rollout.journal import Journal
from vcokit.rollout.lock import Lock
from vcokit.rollout.messages import ENDED, Event, RolloutChanged
from vcokit.rollout.plan import Plan
from vcokit.rollout.rollout import Rollout, require_client, undo_of
from vcokit.rollout.signals import interrupted, terminating
from vcokit.rollout.snapshot import RolloutSnapshot
from vcokit.rollout.steps import State

#: Default number of members that run at once.
MAX_MEMBERS: Final = 50
#: Arguments of `connect` that must not be sent to workers.
_KEYS: Final = {"access_key_secret", "security_token", "credentials"}
#: Number of members that an error message names at most.
_NAMED: Final = 3
#: Seconds between two checks of a waiting thread, so that it receives interrupts.
_LOOK_UP: Final = 0.2
#: Seconds to wait at program exit for the members to end gracefully.
_AT_EXIT: Final = 15.0

#: A client, or a function that connects. With a function, a member has a client only while it runs.
Connect: TypeAlias = Client | Callable[[], Client]


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A change of a member's state, passed to observers.

    Parameters
    ----------
    at : float
        Seconds since the epoch.
    member : str
        Name of the member.
    state : str
        New state. The states are those of a rollout.
    message : str or None
        Why, if there is a reason.
    """

    at: float
    member: str
    state: str
    message: str | None = None


@dataclass(frozen=True)
class MemberResult:
    """The result of a member that has ended.

    Parameters
    ----------
    member : str
        Name of the member.
    state : str
        State in which it ended.
    error : Exception or None
        Why it did not finish, or which steps were not done. None if all steps were done.
    """

    member: str
    state: str
    error: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether the member did not finish or some of its steps were not done."""
        return self.error is not None

    @property
    def why(self) -> str | None:
        """The message of the error, without the remedy, which is for a rollout alone."""
        if self.error is None:
            return None
        return self.error.message if isinstance(self.error, VcokitError) else str(self.error)


class Fleet:
    """The rollouts of many accounts, run together.

    Parameters
    ----------
    plans : mapping of str to Plan
        The plan of each member, by its name. Members begin in this order. The name is used as a
        file name.
    clients : mapping of str to (Client or callable)
        The client of each member, by its name: a client, or a function that connects, such as
        ``functools.partial(vk.connect, "eu-central-1", profile="berlin")``. With functions, a
        member has a client only while it runs.
    directory : path
        Directory to create. It must not exist yet, or it must be empty.
    max_members : int
        Maximum number of members that run at once.
    waves : sequence of int or None, optional
        Number of members in each wave, such as ``[1, 5, None]``. A wave begins when all members of
        the previous wave have finished and all of their steps were done. None means all remaining
        members.
    stop_after : int or str, optional
        Number of failed members after which no other member begins, or their share of all members,
        such as ``"10%"``. Running members continue until they end.
    executor : concurrent.futures.Executor, optional
        Where members run, such as a ``ProcessPoolExecutor`` or Dask's ``client.get_executor()``. By
        default they run in threads of this process. The directory must have the same path for all
        workers. Unless the executor is a ``ThreadPoolExecutor``, `clients` must be functions that
        can be pickled and that find the key on the worker, by its profile: a key is never sent to
        a worker.
    observers : iterable of callable
        Each is called with every `MemberChanged`, in the thread of the member.
    rate_share, allow_gap, windows, approved_by, ticket, clocks
        For each member: see `Rollout`.

    Raises
    ------
    InputError
        If a name cannot be a file name, a member has no client, or an option is invalid.
    JournalError
        If the directory exists and is not empty, or cannot be created.
    VcokitError
        As `Rollout` does. The message names the member, and the directory is not created.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from vcokit import schema
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.rollout.plan import plan_routes
    >>> from vcokit.simulator import Account, Connection, Simulator
    >>> accounts = [Account("1", "key-1"), Account("2", "key-2")]
    >>> connections = [Connection("vco-a", account_id="1"), Connection("vco-b", account_id="2")]
    >>> def plan(name):
    ...     routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": [name],
    ...         "route_dest": "10.0.0.0/8", "next_hop": name, "weight": 100})
    ...     return plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    >>> cloud = Simulator(connections, accounts=accounts, speed=600)
    >>> with cloud, TemporaryDirectory() as folder:
    ...     clients = {"berlin": connect(cloud, credentials=accounts[0].credentials),
    ...                "madrid": connect(cloud, credentials=accounts[1].credentials)}
    ...     plans = {"berlin": plan("vco-a"), "madrid": plan("vco-b")}
    ...     fleet = Fleet(plans, clients, directory=f"{folder}/fleet").start().wait()
    ...     fleet.raise_on_error().frame()[["member", "state", "steps", "done"]]
       member     state  steps  done
    0  berlin  finished      1     1
    1  madrid  finished      1     1
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        clients: Mapping[str, Connect],
        *,
        directory: str | os.PathLike[str],
        max_members: int = MAX_MEMBERS,
        waves: Sequence[int | None] | None = None,
        stop_after: int | str | None = None,
        executor: Executor | None = None,
        observers: Iterable[Callable[[MemberChanged], None]] = (),
        rate_share: float = 1.0,
        allow_gap: bool = False,
        windows: str | Iterable[str] | None = None,
        approved_by: str | None = None,
        ticket: str | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        refuse_names(plans)
        _require_clients(plans, clients, executor)
        facts = FleetFacts(
            {name: plan.fingerprint for name, plan in plans.items()},
            max_members,
            tuple(waves or ()),
            stop_after,
        )
        windows = windows if windows is None or isinstance(windows, str) else list(windows)
        given: dict[str, Any] = {
            "rate_share": rate_share,
            "allow_gap": allow_gap,
            "windows": windows,
            "approved_by": approved_by,
            "ticket": ticket,
            "clocks": clocks,
        }
        with created_atomically(Path(directory)) as folder:
            for name, plan in plans.items():
                with of_member(name), connected(clients[name]) as client:
                    Rollout(plan, client, journal=journal_of(folder, name), **given).close()
            facts.write(folder)
        self._prepare(Path(directory), facts, clients, executor, observers, clocks)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        clients: Mapping[str, Connect],
        *,
        max_members: int | EllipsisType = ...,
        waves: Sequence[int | None] | EllipsisType | None = ...,
        stop_after: int | str | EllipsisType | None = ...,
        executor: Executor | None = None,
        observers: Iterable[Callable[[MemberChanged], None]] = (),
        take_over: bool = False,
        clocks: Clocks | None = None,
    ) -> Fleet:
        """Open the fleet of a directory to resume it; send nothing before `start`.

        Members that have no steps left do not run again: they are in `results` already. Members
        that failed count for `waves` and `stop_after`. If they have steps left, they run first, and
        count until they have ended.

        Parameters
        ----------
        directory, clients, executor, observers, clocks
            As for a new fleet.
        max_members, waves, stop_after
            If given, they replace the values in the directory.
        take_over : bool
            Whether to take journals from rollouts on another host: see `Rollout.open`.

        Raises
        ------
        JournalError
            If the directory holds no fleet, or the fleet cannot be read.
        InputError
            If a member has no client.
        """
        fleet = cls.read(directory)
        given = {"max_members": max_members, "stop_after": stop_after}
        if waves is not ...:
            given["waves"] = tuple(waves or ())  # type: ignore[assignment]
        facts = replace(fleet._facts, **{n: v for n, v in given.items() if v is not ...})  # type: ignore[arg-type]
        _require_clients(facts.members, clients, executor)
        given_to = (clients, executor, observers, clocks)
        fleet._prepare(fleet.directory, facts, *given_to, take_over=take_over)
        return fleet

    @classmethod
    def read(cls, directory: str | os.PathLike[str]) -> Fleet:
        """Return the fleet of a directory for reading only, also while another process runs it.

        Raises
        ------
        JournalError
            If the directory holds no fleet, or the fleet cannot be read.
        """
        folder = Path(directory)
        fleet = cls.__new__(cls)
        fleet._prepare(folder, FleetFacts.read(folder), {}, None, (), None)
        return fleet

    def _prepare(
        self,
        directory: Path,
        facts: FleetFacts,
        clients: Mapping[str, Connect],
        executor: Executor | None,
        observers: Iterable[Callable[[MemberChanged], None]],
        clocks: Clocks | None,
        *,
        take_over: bool = False,
    ) -> None:
        self.directory = directory.resolve()
        self._facts = facts
        self._clients = dict(clients)
        self._executor = executor
        self._callers = Threads()
        shared = partial(_SharedThreads, self._callers, threading.Lock())
        self._clocks = clocks or Clocks(time.time, time.monotonic, shared)
        self._take_over = take_over
        self._observers: list[Any] = list(observers)
        self._told = guarded(self._observers)
        self._wave_of = waves_by_name(facts.members, facts.waves)
        #: The last snapshot of each member, and the times of its files before it was taken.
        self._snapshots: dict[str, tuple[list[tuple[int, int]], RolloutSnapshot]] = {}
        # One lock protects all attributes below. It is only held briefly.
        self._lock = threading.Lock()
        self._results: dict[str, MemberResult] = {}
        self._queue: deque[str] = deque()
        #: Members that ended early before. They begin first, and count as failed until they end.
        self._repeated: set[str] = set()
        #: A rollout of this process, or the future of an executor; None if the member is starting.
        self._running: dict[str, Rollout | Future[MemberResult] | None] = {}
        self._command: Literal["", "pause", "cancel", "stop"] = ""
        self._halt: str | None = None  # why no other member begins
        self._hold: Lock | None = None
        self._over: Future[str] = Future()
        self._over.set_running_or_notify_cancel()  # so that callers that await it cannot cancel it
        for name, fingerprint in facts.members.items():
            found = self._look(name)
            if found.fingerprint != fingerprint:
                raise JournalError(
                    f"it is not the journal of the plan that {FILE} names",
                    path=self.journal(name),
                    remedy="Restore the journal of this fleet",
                )
            if found.left:
                self._queue.append(name)
                if found.state in ("stopped", "stale"):
                    self._repeated.add(name)
            else:
                # However its last run ended, nothing is left to resume.
                state = "cancelled" if found.state == "cancelled" else "finished"
                self._results[name] = MemberResult(name, state, _undone(found))
        self._queue = deque(
            sorted(self._queue, key=lambda name: (self._wave_of[name], name not in self._repeated))
        )

    # -- start ----------------------------------------------------------------------------------

    def start(self) -> Fleet:
        """Start or resume the fleet in the background; return at once.

        Returns
        -------
        Fleet
            Itself.

        Raises
        ------
        PlanError
            If the fleet was started already.
        JournalLockedError
            If another process runs this fleet.
        """
        if self._hold is not None or self._over.done():
            raise PlanError("this fleet was started already", remedy="wait() for it, or await it")
        _require_clients(self._queue, self._clients, self._executor)
        try:
            self._hold = Lock(self.directory / FILE, None)
        except JournalLockedError:
            raise JournalLockedError(
                "another process runs this fleet",
                path=self.directory,
                remedy="Wait for it or stop it; reading its state is always allowed",
            ) from None
        self._advance()
        return self

    def _advance(self) -> None:
        """Begin members while there is room; end the fleet if nothing is left to wait for."""
        while (member := self._next()) is not None:
            try:
                self._begin(member)
            except BaseException as error:
                self._end(MemberResult(member, "stopped", error))
                if not isinstance(error, Exception):
                    raise
        with self._lock:
            over = self._is_over and self._hold is not None
            hold, self._hold = (self._hold, None) if over else (None, self._hold)
        if hold is not None:
            atexit.unregister(self._end_in_order)
            hold.release()
            self._callers.close()
            self._over.set_result(self._ending())

    def _next(self) -> str | None:
        """Take the next member from the queue; return None if none may begin now."""
        with self._lock:
            is_full = len(self._running) >= self._facts.max_members
            is_at_rest = self._hold is None or self._command in ("pause", "stop")
            if not self._queue or is_full or is_at_rest:
                return None
            member = self._queue[0]
            if self._command != "cancel":
                wave = self._wave_of[member]
                if any(self._wave_of[other] < wave for other in self._running):
                    return None
                self._halt = self._halt or self._harm(wave)
                if self._halt is not None or self._waits(member):
                    return None
            self._running[self._queue.popleft()] = None
            return member

    def _harm(self, wave: int) -> str | None:
        """Return why no member of a wave may begin; None if they may."""
        failed = self._failed()
        if self._are_too_many(failed):
            return f"{pluralize(len(failed), 'member')} of {len(self._facts.members)} failed"
        for name in failed:
            if self._wave_of[name] < wave:
                return f"{name}, of wave {self._wave_of[name] + 1}, did not finish"
        return None

    def _waits(self, member: str) -> bool:
        """Return whether a member waits until those that ended early before have ended again."""
        failed = self._failed() + [name for name in self._running if name in self._repeated]
        return member not in self._repeated and self._are_too_many(failed)

    def _failed(self) -> list[str]:
        return [name for name, result in self._results.items() if result.failed]

    def _are_too_many(self, failed: list[str]) -> bool:
        most = self._facts.most_failed
        return most is not None and len(failed) >= most

    def _begin(self, member: str) -> None:
        if self._executor is not None:
            self._submit(member, self._executor)
            return
        given = self._clients[member]
        client = _client_of(given)
        with ExitStack() as undone:
            closing = partial(_close, client, given)
            undone.callback(closing)
            path, take_over = self.journal(member), self._take_over
            rollout = Rollout.open(path, client, take_over=take_over, clocks=self._clocks)
            undone.callback(rollout.close)
            rollout.observe(partial(self._changed, member, rollout, closing))
            with self._lock:  # a command at this moment comes after the one that is passed on
                self._running[member] = rollout
                if self._command:  # before it starts, so that a cancelled member sends nothing
                    getattr(rollout, self._command)()
            rollout.start()
            undone.pop_all()
        # Exit handlers run in reverse order. The fleet must stop before its rollouts do: else it
        # would begin another member when one of them ends.
        atexit.unregister(self._end_in_order)
        atexit.register(self._end_in_order)

    def _submit(self, member: str, executor: Executor) -> None:
        """Run a member in an executor."""
        work = (member, self.journal(member), self._clients[member])
        cancel = self._command == "cancel"
        self._told(MemberChanged(self._clocks.wall(), member, "running"))  # type: ignore[arg-type]
        future = executor.submit(resume_member, *work, cancel=cancel, take_over=self._take_over)
        with self._lock:
            self._running[member] = future
        future.add_done_callback(partial(self._came_back, member))

    def _came_back(self, member: str, future: Future[MemberResult]) -> None:
        """Record the result of a member that an executor ran, in a thread of the executor."""
        try:
            result = future.result()
        except CancelledError:  # the member has not begun
            with self._lock:
                del self._running[member]
                self._queue.appendleft(member)
        except Exception as error:
            self._end(MemberResult(member, "stopped", error))
        else:
            self._end(result)
        self._advance()

    def _changed(
        self, member: str, rollout: Rollout, closing: Callable[[], None], event: Event
    ) -> None:
        """Process an event of a member's rollout, in its thread."""
        if not isinstance(event, RolloutChanged):
            return
        if event.state not in ENDED:
            self._told(MemberChanged(event.at, member, event.state, event.message))  # type: ignore[arg-type]
            return
        closing()
        self._end(MemberResult(member, event.state, _why(rollout)))
        self._advance()

    def _end(self, result: MemberResult) -> None:
        if isinstance(result.error, VcokitError):
            result.error.__traceback__ = None  # it would keep the complete rollout in memory
        with self._lock:
            self._running.pop(result.member, None)
            self._results[result.member] = result
            if isinstance(result.error, BrokenExecutor):  # all other members would fail too
                self._halt = f"the executor is broken ({result.error})"
        now = self._clocks.wall()
        self._told(MemberChanged(now, result.member, result.state, result.why))  # type: ignore[arg-type]

    @property
    def _is_over(self) -> bool:
        if self._running:
            return False
        halted = self._halt is not None and self._command != "cancel"
        return not self._queue or self._command == "stop" or halted

    def _ending(self) -> str:
        """Return the state in which the fleet ends."""
        if self._command == "cancel":
            return "cancelled"
        through = all(one.state in ("finished", "cancelled") for one in self._results.values())
        return "finished" if through and not self._queue else "stopped"

    # -- control --------------------------------------------------------------------------------

    # Members that already run in an executor cannot be controlled: they continue until they end.

    def pause(self) -> None:
        """Begin no member and send nothing new; calls in progress are completed.

        Has no effect after `cancel` or `stop`.
        """
        self._steer("pause")

    def resume(self) -> None:
        """Continue after a pause."""
        with self._lock:
            if self._command != "pause":
                return
            self._command = ""
        for rollout in self.rollouts().values():
            rollout.resume()
        self._advance()

    def cancel(self) -> None:
        """Skip pending steps, also of members that have not begun.

        Calls in progress are completed.
        """
        self._steer("cancel")

    def stop(self) -> None:
        """Stop and keep the pending steps for later: `open` resumes the fleet."""
        self._steer("stop")

    def _steer(self, command: Literal["pause", "cancel", "stop"]) -> None:
        with self._lock:
            if command == "pause" and self._command in ("cancel", "stop"):
                return  # a later `resume` must not begin what was cancelled or stopped
            self._command = command
            running = list(self._running.values())
        for one in running:
            if isinstance(one, Rollout):
                getattr(one, command)()
            elif one is not None and command != "pause":
                one.cancel()  # has no effect on work that has begun
        self._advance()

    def observe(self, observer: Callable[[MemberChanged], None]) -> None:
        """Call an observer with every `MemberChanged` from now on."""
        self._observers.append(observer)

    def _end_in_order(self) -> None:
        """Stop all members if the program ends while they run."""
        running = self.rollouts()
        self.stop()
        if not self.join(_AT_EXIT):
            return
        for rollout in running.values():  # else each would print its own command to resume
            rollout.join(_AT_EXIT)
        if self.state != "finished":
            print(f"Stopped. Resume with: {self.how_to_resume()}", file=sys.stderr)

    # -- wait -----------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None, *, detach: bool = True) -> Fleet:
        """Block until no member runs and none is to begin.

        An interrupt (Ctrl-C, SIGTERM) stops all members gracefully and prints how to resume them.
        In a notebook it only interrupts the cell.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds. The fleet continues after it.
        detach : bool
            Whether the fleet continues after an interrupt in a notebook.

        Returns
        -------
        Fleet
            Itself. Failed members raise no error here: see `results` and `raise_on_error`.

        Raises
        ------
        PlanError
            If the fleet was not started.
        TimeoutError
            If the fleet has not ended within `timeout`.
        """
        self._must_run()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        try:
            with terminating():
                while not self.join(min(_LOOK_UP, deadline - time.monotonic())):
                    if time.monotonic() >= deadline:
                        raise TimeoutError(f"the fleet still runs after {timeout:g} s")
        except KeyboardInterrupt as caught:
            interrupted(caught, self.stop, self.join, self.how_to_resume(), detach=detach)
        return self

    def join(self, timeout: float | None = None) -> bool:
        """Block until the fleet has ended or the timeout expires; return whether it has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds. Unlike `wait`, this method raises no error when the timeout expires.
        """
        self._must_run()
        with suppress(TimeoutError):
            self._over.result(None if timeout is None else max(0.0, timeout))
        return self._over.done()

    def __await__(self) -> Generator[Any, None, Fleet]:
        self._must_run()
        yield from asyncio.wrap_future(self._over).__await__()
        return self

    def _must_run(self) -> None:
        if self._hold is None and not self._over.done():
            raise PlanError("the fleet was not started", remedy="Call start() first")

    def how_to_resume(self) -> str:
        """Return the line of code that resumes this fleet."""
        return as_argument("resume_fleet", self.directory)

    # -- state and results ----------------------------------------------------------------------

    @property
    def state(self) -> str:
        """State: ready, running, paused or cancelling; at the end finished, cancelled or stopped.

        The fleet is finished when every member is finished, also if steps of some members failed.
        """
        if self._over.done():
            return self._over.result()
        if self._hold is None:
            return "ready"
        return {"pause": "paused", "cancel": "cancelling"}.get(self._command, "running")

    @property
    def message(self) -> str | None:
        """Why no other member begins; None if nothing prevents it."""
        return self._halt

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members, in the order of the plans."""
        return tuple(self._facts.members)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the whole fleet: max_members, waves and stop_after."""
        facts = self._facts
        waves = list(facts.waves) or None
        return {"max_members": facts.max_members, "waves": waves, "stop_after": facts.stop_after}

    def journal(self, member: str) -> Path:
        """Return the path of a member's journal."""
        return journal_of(self.directory, member)

    def rollouts(self) -> dict[str, Rollout]:
        """Return the rollouts of the members that run in this process, by member."""
        with self._lock:
            return {name: one for name, one in self._running.items() if isinstance(one, Rollout)}

    def results(self) -> dict[str, MemberResult]:
        """Return the results of the members that have ended, by member; each has its error."""
        with self._lock:
            return {name: self._results[name] for name in self.members if name in self._results}

    def frame(self) -> pd.DataFrame:
        """Return a row per member: its state, its steps, and why it failed.

        The columns are those of `vcokit.schema.MEMBERS`.
        """
        running, results = self.rollouts(), self.results()
        rows = []
        for name in self.members:
            found, result = self._look(name), results.get(name)
            state = running[name].state if name in running else found.state
            why = None if result is None else result.why
            rows.append(
                {
                    "member": name,
                    "wave": self._wave_of[name] + 1 if self._facts.waves else None,
                    "state": state if result is None else result.state,
                    "steps": found.states.total(),
                    **{
                        each: found.states[each]
                        for each in (State.DONE, State.FAILED, State.SKIPPED, "blocked")
                    },
                    "left": found.left,
                    "started": found.started,
                    "latest": found.latest,
                    "seconds_left": found.seconds_left,
                    "fingerprint": found.fingerprint,
                    "message": _with_code(why or found.message, found),
                }
            )
        columns = {name: [row[name] for row in rows] for name in schema.MEMBERS}
        for name in ("started", "latest"):
            seconds = pd.Series(columns[name], dtype="float64")
            columns[name] = pd.to_datetime(seconds, unit="s", utc=True)  # type: ignore[assignment]
        return schema.frame(schema.MEMBERS, columns)

    def steps(self) -> pd.DataFrame:
        """Return a row per step of every member; columns as in `vcokit.schema.MEMBER_STEPS`."""
        return self._of_all(Journal.steps, schema.MEMBER_STEPS)

    def calls(self) -> pd.DataFrame:
        """Return a row per call of every member; columns as in `vcokit.schema.MEMBER_CALLS`."""
        return self._of_all(Journal.calls, schema.MEMBER_CALLS)

    def _of_all(
        self, read: Callable[[Journal], pd.DataFrame], columns: schema.Schema
    ) -> pd.DataFrame:
        frames = []
        for name in self.members:
            with Journal.read(self.journal(name)) as journal:
                frames.append(read(journal))
        member = np.repeat(self.members, [len(found) for found in frames])
        return schema.frame(columns, {"member": member, **pd.concat(frames, ignore_index=True)})

    def _look(self, member: str) -> RolloutSnapshot:
        """Return the snapshot of a member; an unchanged journal that nobody holds is not read."""
        path = self.journal(member)
        times = times_of(path)  # before reading, so that a later write is not missed
        read_at, known = self._snapshots.get(member, ([], None))
        if known is None or known.holder is not None or times != read_at:
            with Journal.read(path) as journal:
                known = journal.snapshot(earlier=known, failures=1)
            self._snapshots[member] = times, known
        return known

    def raise_on_error(self) -> Self:
        """Return the fleet if it has ended and every step of every member was done.

        Raises
        ------
        FleetError
            If members failed: the message names them, with the reasons. Also if the fleet is not
            finished.
        """
        failed = [result for result in self.results().values() if result.failed]
        if failed:
            some = "; ".join(f"{one.member}: {one.why}" for one in failed[:_NAMED])
            more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
            raise FleetError(
                f"{len(failed)} of {len(self.members)} members failed: {some}{more}",
                members=tuple(one.member for one in failed),
                remedy="Look at fleet.frame()",
            )
        if self.state != "finished":
            said = self.state if self._halt is None else f"{self.state}: {self._halt}"
            remedy = Remedy("Resume it: {resume_fleet}", resume_fleet=str(self.directory))
            if self._hold is not None:
                said, remedy = f"the fleet has not ended ({self.state})", Remedy("wait() for it")
            raise FleetError(said, remedy=remedy)
        return self

    def undo(self) -> dict[str, Plan]:
        """Return the plans that undo what this fleet provably did, by member.

        Reads the live routes of its connections, for up to `max_members` members at once. Changes
        nothing: apply the plans with another `Fleet`, in a directory of its own.

        Returns
        -------
        dict of str to Plan
            Plans of the members that changed something, or may have changed something. The last
            member is first.

        Raises
        ------
        PlanError
            If the fleet still runs.
        """
        if self._hold is not None:
            raise PlanError("the fleet still runs", remedy="stop() it, or wait() for its end")
        _require_clients(self.members, self._clients, None)

        def of(member: str) -> Plan:
            with of_member(member), connected(self._clients[member]) as client:
                return undo_of(self.journal(member), client)

        names = self.members[::-1]
        found = side_by_side(of, names, self._facts.max_members)
        plans = dict(zip(names, found, strict=True))
        return {name: plan for name, plan in plans.items() if len(plan)}

    def __repr__(self) -> str:
        ended, running = self.results(), len(self._running)
        failed = sum(result.failed for result in ended.values())
        return (
            f"<Fleet {self.directory.name} {self.state}: {pluralize(len(self.members), 'member')}, "
            f"{running} running, {len(ended) - failed} finished, {failed} failed>"
        )


class _SharedThreads(Threads):
    """The threads that all members share, with the mailbox of one member."""

    def __init__(self, shared: Threads, alone: threading.Lock) -> None:
        super().__init__()
        self._shared, self._alone = shared, alone

    def submit(self, work: Callable[[], None]) -> None:
        """Run work, which must not raise, in a thread."""
        with self._alone:  # members submit from their own threads
            self._shared.submit(work)

    def close(self) -> None:
        """Do nothing: the other members use the threads too."""


def resume_member(
    member: str,
    journal: Path,
    connect: Connect,
    *,
    cancel: bool = False,
    take_over: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> MemberResult:
    """Run or resume a member until it ends, in any process: the work that an executor is given.

    It is safe to repeat at any time. If all steps are done already, it sends nothing. While a
    worker on this host holds the journal, it waits; a worker that is killed releases the journal
    at once.

    Parameters
    ----------
    member : str
        Name of the member.
    journal : Path
        Its journal.
    connect : Client or callable
        As in `Fleet`.
    cancel : bool
        Whether to skip pending steps and send nothing.
    take_over : bool
        See `Rollout.open`.
    sleep : callable
        Called with the seconds to wait for a journal.

    Returns
    -------
    MemberResult
        How the member ended. A member that failed raises no error.

    Raises
    ------
    VcokitError
        If the member cannot begin.
    """
    with connected(connect) as client:
        while (rollout := _opened(journal, client, take_over=take_over)) is None:
            sleep(_LOOK_UP)
        if cancel:
            rollout.cancel()
        rollout.start().join()
        error = _why(rollout)
        if error is not None:
            error.__traceback__ = None
        return MemberResult(member, rollout.state, error)


def _opened(journal: Path, client: Client, *, take_over: bool) -> Rollout | None:
    """Open a journal; return None while another process on this host holds it."""
    try:
        return Rollout.open(journal, client, take_over=take_over)
    except JournalLockedError:
        with Journal.read(journal) as found:
            holder = found.holder()
        if holder is not None and (not holder.is_here or holder.process == os.getpid()):
            raise
        return None


# -- how a member ended ----------------------------------------------------------------------------


def _why(rollout: Rollout) -> BaseException | None:
    """Return why a member failed; None if all of its steps were done, also if it was cancelled."""
    states = rollout.tally().states
    is_done = states.total() == states[State.DONE] + states[State.BLOCKED]
    if rollout.error is None and not is_done:
        try:
            rollout.raise_on_error()
        except RolloutError as error:
            error.remedy = None  # it is about the rollout object, which the fleet does not keep
            return error
    return rollout.error


def _undone(found: RolloutSnapshot) -> RolloutError | None:
    """Return the error of a member that ended earlier; None if all of its steps were done."""
    harmed = {
        name: found.states[name] for name in (State.FAILED, State.SKIPPED) if found.states[name]
    }
    if not harmed:
        return None
    counts = ", ".join(f"{count} {name}" for name, count in harmed.items())
    return RolloutError(f"steps not done: {counts}", failed=found.states[State.FAILED])


def _with_code(message: str | None, found: RolloutSnapshot) -> str | None:
    """Return why a member failed, with the cloud's answer to its first failed step."""
    if not found.failures:
        return message
    first = found.failures[0]
    answer = first.message.removeprefix(f"{first.code}: ")
    said = f"{first.code}: {answer}" if answer else first.code
    return said if not message else f"{message} (step {first.step}: {said})"


# -- arguments -------------------------------------------------------------------------------------


def _require_clients(
    members: Iterable[str], clients: Mapping[str, Connect], executor: Executor | None
) -> None:
    members = list(members)
    missing = [name for name in members if name not in clients]
    if missing:
        some = ", ".join(missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InputError(
            f"no client for {some}{more}",
            remedy="Pass clients by the names of members, or functions that connect",
        )
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return
    for name in members:
        given = clients[name]
        if not callable(given) or _KEYS & getattr(given, "keywords", {}).keys():
            raise InputError(
                f"the client of {name} cannot be sent to a worker, because it has a key",
                remedy="Pass a function that finds the key where the worker is: "
                "functools.partial(vk.connect, region, profile=…)",
            )


def _client_of(given: Connect) -> Client:
    client = given() if callable(given) else given
    require_client(client)
    return client


@contextmanager
def connected(given: Connect) -> Iterator[Client]:
    """Yield the client of a member; close it afterwards if it was made here."""
    client = _client_of(given)
    try:
        yield client
    finally:
        _close(client, given)


def _close(client: Client, given: Connect) -> None:
    """Close a client that was made for one member; leave a client of the user open."""
    if client is not given:
        client.close()


@contextmanager
def of_member(name: str) -> Iterator[None]:
    """Add the name of the member to the message of an error."""
    try:
        yield
    except VcokitError as error:
        error.message = f"member {name}: {error.message}"
        raise


# -- the directory of a fleet ----------------------------------------------------------------------
