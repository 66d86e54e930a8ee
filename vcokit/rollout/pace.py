"""Which lanes are in a hurry, and when a look at one is worth a call.

From the times of tasks seen so far follows how long each lane still takes, and each window; the
longest of them is the *horizon*, the time that the rollout cannot be shorter than. A lane that
takes less has *slack*::

    horizon ├──────────────────────────────────────────────┤
    lane A  ├─ task ─┼─ task ─┼─ task ─┼─ task ─┼─ task ───┤   no slack: looked at tightly
    lane B  ├─ task ─┼·········┼─ task ─┼··················    slack: looked at once, late

*Patient* is a lane that reaches the horizon with at most two calls or so in a window. The others
need slots in the middle of a window, when the patient ones would have taken them all; so patient
lanes share what the others leave, and get no less than what brings them to the horizon in time.

A look that comes too early costs a call, one that comes too late costs the lane. The first one
comes between the time in which a few tasks end and that in which most do, the later the more slack
there is; the next ones follow at a part of the slack. Some tasks are looked at from early on
whatever the slack, so that the times stay known (see `vcokit.rollout.durations`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from vcokit.cloud.ratelimit import Share
from vcokit.rollout.durations import Durations
from vcokit.rollout.lanes import Lane
from vcokit.rollout.options import Options
from vcokit.rollout.pause import Pause

#: Calls in a window that a patient lane needs at most to reach the horizon.
_PATIENT: Final = 2.2
#: A lane with less slack a step than this part of a task is critical.
_CRITICAL: Final = 0.25
#: Part of the read limit that looks at critical lanes may take.
_LOOKS: Final = 0.7
#: Of so many tasks of a lane one is looked at from early on.
_EXPLORED: Final = 8
#: Tasks of others that count as much as a lane's own when its times are guessed.
_OTHERS: Final = 8
#: Shortest time to go by, where neither steps nor times seen give one; seconds.
_INSTANT: Final = 0.001
#: How much of a new round trip goes into their mean.
_LEAN: Final = 0.1


class Pace:
    """What the times seen so far say about lanes.

    Parameters
    ----------
    options : Options
    """

    def __init__(self, options: Options) -> None:
        self.times = Durations(options.task_seconds)
        self.pause = Pause(options.pause)
        self.trip = 0.0
        self._interval = options.poll_interval
        self._tight: dict[str, float] = {}

    # -- what is seen ---------------------------------------------------------------------------

    def answered(self, seconds: float) -> None:
        """Note a round trip."""
        self.trip += (seconds - self.trip) * (_LEAN if self.trip else 1.0)

    def task_over(self, lane: Lane, now: float) -> None:
        """Note that a lane's task was seen over."""
        low = max(0.0, lane.running_at - lane.accepted_at)
        high = max(low, now - lane.accepted_at - self.trip / 2)
        lane.spent += self.times.add(low, high)
        lane.tasks += 1

    # -- what follows ---------------------------------------------------------------------------

    def step_seconds(self, lane: Lane) -> float:
        """Return the time that a step of a lane is thought to take."""
        task = (_OTHERS * self.times.mean + lane.spent) / (_OTHERS + lane.tasks)
        return task + self.pause.seconds + 1.5 * self.trip

    def remaining(self, lane: Lane) -> float:
        """Return the time that a lane still needs, were it never kept waiting."""
        return lane.left * self.step_seconds(lane)

    def refresh(
        self,
        lanes: Iterable[Lane],
        windows: Mapping[tuple[str, str], tuple[Share, int]],
        window_of: Callable[[Lane], tuple[str, str]],
        looks: Callable[[str, list[Lane]], float],
    ) -> list[Lane]:
        """Decide anew which lanes are in a hurry.

        Parameters
        ----------
        lanes : iterable of Lane
            Those that have not ended.
        windows : mapping of (str, str) to (Share, int)
            By region and operation: the window, and the steps that have to go through it.
        window_of : callable
            Region and operation of a lane's next write.
        looks : callable
            Given a region and its critical lanes, seconds that one look at all of them costs.

        Returns
        -------
        list of Lane
            Those that are patient now and were not before, or the other way round.
        """
        active = [(lane, self.remaining(lane)) for lane in lanes if lane.left]
        through = [left / w.calls * w.seconds for w, left in windows.values() if left]
        horizon = max([*through, *(time for _, time in active), self.times.mean, _INSTANT])
        critical: dict[str, list[Lane]] = defaultdict(list)
        hurried: dict[tuple[str, str], float] = defaultdict(float)
        changed = []
        for lane, time in active:
            lane.slack = (horizon - time) / lane.left
            if lane.slack < _CRITICAL * self.times.mean:
                critical[lane.region_id].append(lane)
            key = window_of(lane)
            rate = windows[key][0].seconds / horizon if key in windows else 0.0
            if lane.patient != (lane.left * rate <= _PATIENT):
                lane.patient = not lane.patient
                changed.append(lane)
            if not lane.patient:
                hurried[key] += lane.left
        for key, (window, left) in windows.items():
            self._share(window, left, hurried.get(key, 0.0), window.seconds / horizon)
        self._tight = {
            region: max(self._tightest(), looks(region, some) / _LOOKS)
            for region, some in critical.items()
        }
        return changed

    def _share(self, window: Share, left: int, hurried: float, rate: float) -> None:
        """Say how many calls of a window patient lanes may hold."""
        calls = window.calls
        if not hurried:
            window.patient = calls
            return
        theirs = hurried * rate
        needed = math.ceil(1.1 * (left - hurried) * rate) + 1
        share = max(needed, int(calls - 2 * theirs - 2))
        # One more than they need, since tasks of one lane do not end in step with its slots.
        window.patient = max(1, min(share, calls - math.ceil(theirs) - 1))

    def _tightest(self) -> float:
        """Return the shortest time between two looks: more would not be seen any earlier."""
        wanted = min(self._interval, self.times.mean / 40)
        return max(wanted, self._interval / 4, self.trip / 2)

    def first_look(self, lane: Lane) -> float:
        """Return the seconds after its acceptance at which a task is looked at first."""
        low = self.times.quantile(0.02) if len(self.times) else 0.5 * self.times.mean
        latest = self.times.quantile(0.9)
        if lane.tasks % _EXPLORED == 0:
            return 0.9 * low
        return 0.9 * low + min(max(0.0, lane.slack), latest - 0.9 * low)

    def next_look(self, lane: Lane, elapsed: float) -> float:
        """Return the seconds until the next look at a task that runs for some time already."""
        tight = self._tight.get(lane.region_id, self._tightest())
        return max(tight, min(max(0.0, lane.slack) / 4, elapsed / 4))
