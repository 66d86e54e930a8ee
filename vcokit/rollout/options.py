"""Options of a rollout: those that its user chose, and those of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from vcokit import config
from vcokit.contract import limit
from vcokit.errors import InputError
from vcokit.rollout.windows import Window

#: Options that the user of one rollout chooses; kept in its journal.
WISHES: Final = ("waves", "stop_after", "rate_share", "deadline", "allow_gap", "windows")
_FRESH: Final = 30.0
_PAUSE: Final = float(limit("task_conflict_seconds"))


@dataclass(frozen=True)
class Options:
    """Options of the scheduler; times are in seconds of its own clock.

    Parameters
    ----------
    in_flight : int
        Maximum number of calls in progress.
    step_attempts : int
        Number of accepted attempts without an effect after which a step fails.
    lost_attempts : int
        Number of lost answers, each followed by a listing without the change, after which a step
        fails.
    poll_interval : float
        Time between two reads of a state.
    task_seconds : float
        Expected duration of a task until one was measured.
    pause : float
        Time to leave a connection alone after a task, if the cloud requires it; used until the
        pause is measured.
    backoff, backoff_cap : float
        First and longest wait of a connection after a call without an answer.
    list_after : int
        Number of settled steps after which a connection is listed even though more steps are to be
        sent. The number is at least half of the routes in its last listing, so that long lists are
        not read too often.
    lost_after : float
        Time without any answer after which the rollout stops; it can be resumed.
    fresh : float
        Maximum age of a listing that need not be read again at the end.
    read_share : float
        Share of the rate limits of reads that is used.
    waves : tuple of int or None
        Connections of each wave, None for the rest; empty for no waves.
    stop_after : int or None
        Number of failed steps of this run after which the rollout stops. Earlier runs do not
        count: whoever resumes the rollout has accepted their failures.
    rate_share : float
        Share of every rate limit that is used; below 1 if another job uses the same account.
    deadline : float or None
        Time since the start of this run after which nothing new is sent.
    allow_gap : bool
        Whether a plan that cannot be ordered without a gap is carried out.
    windows : tuple of str
        Times in which new writes are sent, see `vcokit.rollout.windows`; empty for any time.
    """

    in_flight: int
    step_attempts: int
    lost_attempts: int
    poll_interval: float
    task_seconds: float
    backoff: float
    backoff_cap: float
    list_after: int
    lost_after: float
    fresh: float = 30.0
    pause: float = _PAUSE
    read_share: float = 0.5
    waves: tuple[int | None, ...] = ()
    stop_after: int | None = None
    rate_share: float = 1.0
    deadline: float | None = None
    allow_gap: bool = False
    windows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in self.windows:
            Window.parse(text)
        for name, (right, remedy) in self._wishes().items():
            if not right:
                raise InputError(f"{name}={getattr(self, name)!r}", remedy=remedy)

    def _wishes(self) -> dict[str, tuple[bool, str]]:
        """Return whether each chosen option is valid, and what to write instead."""
        most = self.stop_after
        return {
            "waves": (
                are_waves(self.waves),
                "Write how many connections each wave has, such as [1, 5, None]",
            ),
            "stop_after": (most is None or is_count(most), "Write a number of steps, from 1"),
            "rate_share": (
                _is_part(self.rate_share),
                "Write a share of the limits, above 0 and up to 1",
            ),
            "deadline": (_is_time(self.deadline), "Write seconds, above 0"),
        }

    def wishing(self, **wishes: object) -> Options:
        """Return a copy with some of `WISHES` replaced."""
        given = dict(wishes)
        if "waves" in given:
            waves = () if given["waves"] is None else given["waves"]
            given["waves"] = tuple(waves) if isinstance(waves, Iterable) else waves
        if "windows" in given:
            windows = given["windows"] or ()
            given["windows"] = (windows,) if isinstance(windows, str) else tuple(windows)  # type: ignore[arg-type]
        return replace(self, **given)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return the options of `WISHES` as JSON text, for the journal."""
        return json.dumps({name: getattr(self, name) for name in WISHES})

    def from_json(self, text: str | None) -> Options:
        """Return a copy with the options that a journal keeps."""
        kept = json.loads(text) if text else {}
        return self.wishing(**{name: value for name, value in kept.items() if name in WISHES})

    @classmethod
    def in_force(cls, speed: float = 1.0, settings: config.Settings | None = None) -> Options:
        """Return the options of the settings, for a cloud whose clock runs `speed` times faster.

        Waits for the cloud's own work use the cloud's clock; waits after a lost answer use ours.
        """
        settings = settings or config.Settings()
        return cls(
            in_flight=settings.get("in_flight"),
            step_attempts=settings.get("step_attempts"),
            lost_attempts=settings.get("lost_attempts"),
            poll_interval=settings.get("poll_interval") / speed,
            task_seconds=settings.get("task_seconds") / speed,
            backoff=settings.get("retry_base"),
            backoff_cap=settings.get("retry_cap"),
            list_after=settings.get("list_after"),
            lost_after=settings.get("lost_after"),
            fresh=_FRESH / speed,
            pause=_PAUSE / speed,
            read_share=min(1.0, settings.get("read_share")),
        )


def are_waves(value: object) -> bool:
    """Tell whether a value says how many each wave has, the last one perhaps the rest."""
    if not isinstance(value, tuple):
        return False
    counted = all(is_count(size) for size in value[:-1])
    return counted and all(size is None or is_count(size) for size in value[-1:])


def _is_time(value: object) -> bool:
    return value is None or (_is_number(value) and value > 0)  # type: ignore[operator]


def _is_part(value: object) -> bool:
    return _is_number(value) and 0 < value <= 1  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
