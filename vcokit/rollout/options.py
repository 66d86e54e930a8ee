"""How a rollout goes about it, from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from vcokit import config


@dataclass(frozen=True)
class Options:
    """How the scheduler goes about it; times in seconds of its own clock.

    Parameters
    ----------
    in_flight : int
        Calls under way at most.
    step_attempts : int
        Accepted attempts of a step whose task comes to nothing before the step has failed.
    lost_attempts : int
        Lost answers, each with a look that shows nothing, before it has.
    poll_interval : float
        Wait between two looks at a state.
    task_seconds : float
        Time a task is thought to take until one was seen.
    backoff, backoff_cap : float
        First and longest wait of a lane after a call without an answer.
    list_after : int
        Settled steps of a lane after which it is listed though more are to be sent; at least half
        as many as it listed last, so that long lanes are not listed too often.
    lost_after : float
        Time without any answer after which the rollout stops, to be resumed.
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

    @classmethod
    def in_force(cls, speed: float = 1.0) -> Options:
        """Return what the settings say, for a cloud whose clock runs so many times faster.

        Waits for the cloud's own work run on its clock; waits after a lost answer on ours.
        """
        return cls(
            in_flight=config.get("in_flight"),
            step_attempts=config.get("step_attempts"),
            lost_attempts=config.get("lost_attempts"),
            poll_interval=config.get("poll_interval") / speed,
            task_seconds=config.get("task_seconds") / speed,
            backoff=config.get("retry_base"),
            backoff_cap=config.get("retry_cap"),
            list_after=config.get("list_after"),
            lost_after=config.get("lost_after"),
        )
