"""Virtual time: a clock that jumps from one event to the next, and threads that live by it.

::

    World      the time, what is to happen when, and whose turn it is; goes on when a process dies
    Threads    what a rollout has for its calls, in that time

Real threads, of which one runs at a time: it has the turn until it rests, and then gives it to the
next that was called. Where nobody was, the clock jumps to the next event. So everything happens in
an order that follows from the times alone; of one moment, what was asked for first comes first.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

#: What a wait takes at least, in seconds. On a clock that stood still, one that rounding has made
#: an instant too short would never end, as it does on any real one.
TURN = 1e-6
#: Such waits in a row after which nobody believes that anybody gets anywhere.
TURNS_IN_A_ROW = 2_000
#: Real seconds after which a thread that has the turn, or that has begun, is taken for lost.
LOST = 120.0


class HangError(AssertionError):
    """Nothing is under way and nothing is waited for, or time does not go on."""


#: The process is no more: whoever gets the turn ends by it. A thread does so in silence, by this
#: very class and no other.
Killed = SystemExit


class Turn:
    """What a thread waits for that rests: somebody calls it, once."""

    __slots__ = ("called", "lock")

    def __init__(self) -> None:
        self.called = False
        self.lock = threading.Lock()
        self.lock.acquire()


class _Here(threading.local):
    """What a thread is to the world: whether it takes part, has come by itself, has left."""

    takes_part = came = left = False


_here = _Here()


class World:
    """The time, and what happens whether or not somebody looks.

    Parameters
    ----------
    until : float
        Virtual second after which the story must have ended.

    Attributes
    ----------
    each_wait : callable or None
        Called whenever time passes; a process may die there.
    dead : BaseException or None
        Why the process is no more: whoever rests, or gets the turn, ends by it.
    """

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until
        self.each_wait: Callable[[], None] | None = None
        self.dead: BaseException | None = None
        _here.takes_part = True  # whoever makes it has the turn
        self._heap: list[tuple[float, int, Callable[[], None], Turn | None]] = []
        self._tie = count()
        self._short = 0
        self._ready: deque[Turn] = deque()
        self._resting: dict[Turn, None] = {}
        self._chief: Turn | None = None
        self._leaving: threading.Thread | None = None
        self._coming: queue.SimpleQueue[tuple[str, Turn]] = queue.SimpleQueue()

    def at(self, moment: float, happen: Callable[[], None]) -> None:
        """Let something happen at a moment, now at the earliest."""
        self._push(moment, happen, None)

    def _push(self, moment: float, happen: Callable[[], None], turn: Turn | None) -> None:
        heapq.heappush(self._heap, (max(self.now, moment), next(self._tie), happen, turn))

    # -- turns ----------------------------------------------------------------------------------

    def rest(self, turn: Turn, seconds: float | None = None) -> None:
        """Let others go on until the turn is called, or until so many seconds have passed."""
        self.must_live()
        if seconds is not None:
            self._count(seconds)
            # A turn that was called before lets no time pass for this.
            self._push(self.now + max(TURN, seconds), lambda: self.call(turn), turn)
        self._resting[turn] = None
        try:
            following = self._next()
            if following is not turn:
                following.lock.release()
                if not turn.lock.acquire(timeout=LOST if turn is self._chief else -1):
                    raise HangError(f"at {self.now:.3f} s whoever has the turn keeps it")
        finally:
            turn.called = True
            del self._resting[turn]
        if self._leaving is not None:
            leaving, self._leaving = self._leaving, None
            leaving.join()
        self.must_live()

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass, whatever happens meanwhile."""
        self.rest(Turn(), seconds)

    def wait_for(self, event: threading.Event, seconds: float) -> bool:
        """Wait until an event is set, or for so many seconds; return whether it is.

        Whoever was called before goes on first, which mostly is who sets it.
        """
        if not event.is_set():
            turn = Turn()
            self.call(turn)
            self.rest(turn)
        if not event.is_set():
            self.wait(seconds)
        return event.is_set()

    def call(self, turn: Turn) -> None:
        """Let who rests go on as soon as nobody else does."""
        if not turn.called:
            turn.called = True
            self._ready.append(turn)

    def must_live(self) -> None:
        """End the thread of a process that is no more."""
        if self.dead is not None:
            raise Killed(str(self.dead)) from self.dead

    def _next(self) -> Turn:
        """Return whose turn it is, letting time pass where it is nobody's."""
        try:
            while not self._ready:
                self._pass()
        except HangError as hang:
            if self._chief is None:
                raise
            self.dead = hang
            raise Killed(str(hang)) from hang
        return self._ready.popleft()

    def _pass(self) -> None:
        """Go on to the next event; what happens at its moment happens."""
        heap = self._heap
        while heap and heap[0][3] is not None and heap[0][3].called:
            heapq.heappop(heap)
        if not heap:
            raise HangError(f"at {self.now:.3f} s everybody waits and nothing is to come")
        if self.each_wait is not None:
            self.each_wait()
        self.now = heap[0][0]
        while heap and heap[0][0] <= self.now:
            heapq.heappop(heap)[2]()
        if self.now > self.until:
            raise HangError(f"no end after {self.now:.0f} s")

    def _count(self, seconds: float) -> None:
        """See that somebody waits now and then."""
        self._short = self._short + 1 if seconds <= TURN else 0
        if self._short > TURNS_IN_A_ROW:
            raise HangError(f"at {self.now:.3f} s the loop turns and turns")

    # -- threads --------------------------------------------------------------------------------

    def start(self, work: Callable[[], None]) -> None:
        """Let a thread do something as soon as nobody else goes on."""
        worker = _idle.pop() if _idle else _Worker()
        worker.world, worker.work = self, work
        self._ready.append(worker.turn)

    def give_away(self) -> None:
        """Let another one go on, at the end of some work."""
        following = self._chief
        if self.dead is None:
            try:
                following = self._next()
            except (Killed, HangError) as error:
                self.dead = self.dead or error
        following = following or next(iter(self._resting))
        following.lock.release()

    def enter(self) -> None:
        """Take part from now on, in a thread that began by itself, once the chief lets it in."""
        if _here.takes_part:
            return
        _here.takes_part = _here.came = True
        turn = Turn()
        self._coming.put((threading.current_thread().name, turn))
        turn.lock.acquire()
        del self._resting[turn]
        if self.dead is not None:
            self.leave()
        self.must_live()

    def let_in(self, number: int) -> None:
        """Let so many threads take part that have begun, or are about to, in order of names."""
        came = [self._coming.get(timeout=LOST) for _ in range(number)]
        for _, turn in sorted(came, key=lambda one: one[0]):
            self._resting[turn] = None
            self.call(turn)

    def watch(self) -> None:
        """Be the chief: rest until one of those who came leaves, and wait for its very end."""
        self._chief = Turn()
        self.rest(self._chief)

    def wake(self) -> None:
        """Let the chief go on, where nobody is left to leave."""
        assert self._chief is not None
        self.call(self._chief)

    @property
    def is_left(self) -> bool:
        """Whether this thread takes part no longer, and is about to end."""
        return _here.left

    def leave(self) -> None:
        """Take part no longer, for who came by itself; the chief goes on once the thread ended."""
        if not _here.came or _here.left:
            return
        assert self._chief is not None
        _here.left = True
        self._leaving = threading.current_thread()
        self._chief.lock.release()

    def end(self) -> None:
        """Let the process be no more: whatever its threads were at, they end."""
        self.dead = self.dead or Killed("the end")
        # Workers that have not begun stay as they are.
        _idle.extend(_by_turn[turn] for turn in self._ready if turn in _by_turn)
        self._ready.clear()
        while self._resting:
            self._chief = Turn()
            turn = next(iter(self._resting))
            turn.lock.release()
            self._chief.lock.acquire()
            if self._leaving is not None:
                self._leaving.join()
                self._leaving = None
        self._chief = self.dead = None


class _Worker:
    """A thread that does one thing after another, each when it is its turn."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.world: World
        self.work: Callable[[], None]
        _by_turn[self.turn] = self
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        _here.takes_part = True
        while True:
            self.turn.lock.acquire()
            world = self.world
            try:
                self.work()
            except Killed:
                pass
            except BaseException as error:
                world.dead = world.dead or error
            del self.work, self.world
            _idle.append(self)
            world.give_away()
            del world


#: Threads that have nothing to do, in whatever world, and all of them by what they wait for.
_idle: list[_Worker] = []
_by_turn: dict[Turn, _Worker] = {}


class Threads:
    """What a rollout has for its calls, and a box that it waits at; see the real ones.

    Parameters
    ----------
    world : World
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._mail: deque[Any] = deque()
        self._waits = Turn()
        self._waits.called = True  # nobody waits yet

    def submit(self, work: Callable[[], None]) -> None:
        """Let a thread do something."""
        self.world.start(work)

    def put(self, item: Any) -> None:
        """Put something into the box."""
        self.world.must_live()
        self._mail.append(item)
        self.world.call(self._waits)

    def get(self, seconds: float | None) -> Any:
        """Return what came first, waiting for it that long at most; None where nothing came."""
        if not self._mail and seconds != 0.0:
            self._waits = Turn()
            self.world.rest(self._waits, seconds)
        return self._mail.popleft() if self._mail else None

    def close(self) -> None:
        """Leave nobody behind, for there is nobody."""
