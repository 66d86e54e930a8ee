"""What a view of a rollout knows: counts, lanes, failures, latest events. Pure; no widget here.

::

    steps frame ──▶ Board ◀── events          one number a step, one row of counts a lane
                      │
                      └──▶ presenters (`rollout_html`), pace (`pace`)

A board made from a journal at any moment and a board that followed the events up to that moment
show the same (a test holds them to it), which is why a view may be made, closed and made again.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import is_connection
from vcokit.cloud.error_codes import classify
from vcokit.rollout.messages import ENDED, CallEnded, Event, RolloutChanged, StepChanged, Tally
from vcokit.rollout.steps import KEEP, OPERATION

#: Names of the states, by their number.
NAMES: Final = tuple(schema.STATES.categories)
_NUMBER: Final = {name: number for number, name in enumerate(NAMES)}
_WRITES: Final = frozenset(OPERATION.values())

#: States that decide a lane's colour before any other, the first that is there.
_LOUD: Final = ("failed", "unknown", "sent", "accepted", "settled", "pending", "skipped", "blocked")

_LATEST: Final = 8  # events that are kept
_WINDOW: Final = 60.0  # seconds of calls that are kept for the rate


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed, or is in doubt.

    Parameters
    ----------
    step : int
    vpn_connection_id, what : str
        Its connection; action and destination.
    code, message, request_id, remedy : str
        Empty where there is none.
    """

    step: int
    vpn_connection_id: str
    what: str
    code: str
    message: str
    request_id: str
    remedy: str

    def holds(self, words: str) -> bool:
        """Tell whether any of its texts holds some words, whatever their case."""
        texts = (self.vpn_connection_id, self.what, self.code, self.message, self.request_id)
        return words.casefold() in "\n".join((str(self.step), *texts)).casefold()


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection, as its cell shows it.

    Parameters
    ----------
    vpn_connection_id : str
    state : str
        What decides its colour.
    made, total : int
        Steps that are settled or done, and all.
    """

    vpn_connection_id: str
    state: str
    made: int
    total: int


class Board:
    """What is known of a rollout.

    Parameters
    ----------
    steps : DataFrame
        Of `vcokit.schema.STEPS`, from `Rollout.frame` or `Journal.steps`.
    state : str
        Of the rollout as a whole.
    message : str or None
    started : float or None
        Seconds since the epoch.

    Notes
    -----
    ``state`` is an int8 a step, a place in `NAMES`; ``counts`` an int64 matrix, a row a lane and a
    column a state.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"step": [0, 1], "action": ["create", "create"],
    ...     "state": ["pending", "done"], "vpn_connection_id": ["vco-a", "vco-a"]})
    >>> board = Board(steps)
    >>> board.add(StepChanged(9.0, 0, "pending", "sent"))
    >>> board.states["sent"], board.lanes()[0].made
    (1, 1)
    """

    def __init__(
        self,
        steps: pd.DataFrame,
        state: str = "ready",
        message: str | None = None,
        started: float | None = None,
    ) -> None:
        connection = steps["vpn_connection_id"].fillna("")
        codes, names = pd.factorize(connection)
        self._lane = codes.astype(np.int64)
        self._lane_names = [str(name) for name in names]
        self._is_connection = is_connection(pd.Series(names)).tolist()
        self._names = _spoken(steps)
        self.step_states = steps["state"].cat.codes.to_numpy(dtype=np.int8, copy=True)
        self.counts = np.zeros((len(names), len(NAMES)), dtype=np.int64)
        np.add.at(self.counts, (self._lane, self.step_states), 1)
        self._regions = dict(zip(connection, steps["region_id"].fillna(""), strict=True))
        self.sends = int(steps["action"].isin(list(OPERATION)).sum())
        self._kept = int((steps["action"] == KEEP).sum())
        self.state = state
        self.message = message
        self.started = started
        self.latest: float | None = None
        self.calls: Counter[str] = Counter()
        self.refused = 0
        self.writes: deque[tuple[float, str, str]] = deque()
        self.events: deque[tuple[float, str]] = deque(maxlen=_LATEST)
        self.failures: dict[int, Failure] = {}
        self.changes = 0
        self._note_failures(steps)

    def _note_failures(self, steps: pd.DataFrame) -> None:
        failed = steps[steps["state"].isin(["failed", "unknown"])]
        texts = (failed[name].fillna("") for name in ("code", "message", "request_id"))
        for place, code, message, request_id in zip(failed.index, *texts, strict=True):
            self.failures[place] = self._failure(place, code, message, request_id)

    def _failure(self, step: int, code: str, message: str, request_id: str) -> Failure:
        remedy = classify(code, 0).remedy if code else ""
        # Errors begin with their code, which has a column of its own.
        message = message.removeprefix(f"{code}: ").rstrip(". ")
        lane, what = self._lane_names[self._lane[step]], self._names[step]
        return Failure(step, lane, what, code, message, request_id, remedy)

    # -- told ------------------------------------------------------------------------------------

    def add(self, event: Event) -> None:
        """Take one event into account."""
        self.changes += 1
        self.latest = event.at if self.latest is None else max(self.latest, event.at)
        if isinstance(event, StepChanged):
            self._step_changed(event)
        elif isinstance(event, CallEnded):
            self._call_ended(event)
        else:
            self._rollout_changed(event)

    def _step_changed(self, event: StepChanged) -> None:
        # The old state is our own: an event may speak of what a frame had shown already.
        place, new = event.step, _NUMBER[event.new]
        lane, old = self._lane[place], self.step_states[place]
        self.counts[lane, old] -= 1
        self.counts[lane, new] += 1
        self.step_states[place] = new
        if event.new in ("failed", "unknown"):
            said = (event.code or "", event.message or "", event.request_id or "")
            self.failures[place] = self._failure(place, *said)
        else:
            self.failures.pop(place, None)
        because = f": {event.code}" if event.code else ""
        words = f"{event.new} · {self._names[place]} on {self._lane_names[lane]}{because}"
        self.events.append((event.at, words))

    def _call_ended(self, event: CallEnded) -> None:
        self.calls[event.operation] += 1
        self.refused += event.outcome != "ok"
        if event.operation in _WRITES:
            region = self._regions.get(event.vpn_connection_id, "")
            self.writes.append((event.at, event.operation, region))
            while self.writes[0][0] < event.at - _WINDOW:
                self.writes.popleft()

    def _rollout_changed(self, event: RolloutChanged) -> None:
        self.state, self.message = event.state, event.message
        if self.started is None:
            self.started = event.at
        because = f": {event.message}" if event.message else ""
        self.events.append((event.at, f"the rollout is {event.state}{because}"))

    def note_tally(self, tally: Tally) -> None:
        """Take over what the rollout itself counts: its state and its calls."""
        self.state, self.message, self.started = tally.rollout, tally.message, tally.started
        self.calls = tally.calls
        self.refused = sum(tally.outcomes.values()) - tally.outcomes["ok"]
        self.latest = tally.latest

    def note_calls(self, calls: pd.DataFrame) -> None:
        """Take the calls of a journal into account; of `vcokit.schema.CALLS`."""
        self.calls = Counter(calls["operation"].tolist())
        self.refused = int((calls["outcome"].fillna("ok") != "ok").sum())
        if not len(calls):
            return
        sent = seconds(calls["sent_at"])
        self.latest = max(self.latest or 0.0, float(np.nanmax(sent)))
        recent = (sent > self.latest - _WINDOW) & calls["operation"].isin(_WRITES).to_numpy()
        names = (calls.loc[recent, name].fillna("") for name in ("operation", "region_id"))
        self.writes = deque(sorted(zip(sent[recent].tolist(), *names, strict=True)))

    def note_moments(self, steps: pd.DataFrame) -> None:
        """Take the times of a journal's steps as its latest events."""
        stamps = {"sent": "sent_at", "accepted": "accepted_at", "settled": "settled_at"}
        found: list[tuple[float, int, str]] = []
        for place, (state, column) in enumerate([*stamps.items(), ("ended", "ended_at")]):
            at = seconds(steps[column])
            for step in np.argsort(np.where(np.isnan(at), -np.inf, at))[-_LATEST:]:
                if not np.isnan(at[step]):
                    name = NAMES[self.step_states[step]] if state == "ended" else state
                    lane = self._lane_names[self._lane[step]]
                    found.append((at[step], place, f"{name} · {self._names[step]} on {lane}"))
        self.events.extend((at, words) for at, _, words in sorted(found)[-_LATEST:])

    # -- asked -----------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the rollout has ended, one way or another."""
        return self.state in ENDED

    @property
    def states(self) -> dict[str, int]:
        """Number of steps in each state."""
        return dict(zip(NAMES, self.counts.sum(axis=0).tolist(), strict=True))

    @property
    def total(self) -> int:
        """Number of steps, blocked and kept ones too."""
        return len(self.step_states)

    @property
    def made(self) -> int:
        """Number of changes that have settled, listed or not."""
        counts = self.states
        return counts["settled"] + counts["done"] - self._kept

    @property
    def left(self) -> int:
        """Number of steps that are still to settle."""
        counts = self.states
        return sum(counts[name] for name in ("pending", "sent", "unknown", "accepted"))

    def lanes(self) -> list[Lane]:
        """Return the connections in the plan's order; blocked steps may be on none."""
        order = [_NUMBER[name] for name in _LOUD]
        there = self.counts[:, order] > 0
        state = np.where(there.any(axis=1), there.argmax(axis=1), -1)
        made = self.counts[:, [_NUMBER["settled"], _NUMBER["done"]]].sum(axis=1).tolist()
        total = self.counts.sum(axis=1).tolist()
        return [
            Lane(name, "done" if place < 0 else _LOUD[place], *numbers)
            for name, place, *numbers, there in zip(
                self._lane_names, state.tolist(), made, total, self._is_connection, strict=True
            )
            if there
        ]

    def failures_with(self, words: str = "") -> list[Failure]:
        """Return the failures that hold some words, in the plan's order."""
        return [self.failures[n] for n in sorted(self.failures) if self.failures[n].holds(words)]


def _spoken(steps: pd.DataFrame) -> list[str]:
    words = steps["action"].astype("str") + " " + steps["route_dest"].fillna("")
    return [str(word) for word in words]


def seconds(times: pd.Series) -> np.ndarray:
    """Return a column of times as seconds since the epoch, float64; NaN where there is none.

    Examples
    --------
    >>> seconds(pd.Series(pd.to_datetime([1.5, None], unit="s", utc=True))).tolist()
    [1.5, nan]
    """
    stamps = times.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype("int64") / 1e6)
