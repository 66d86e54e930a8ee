"""Rate limits: a sliding window for each account, region and operation.

A call at time t passes if fewer than *calls* calls passed in (t − seconds, t]; the one that left
the window exactly *seconds* ago counts no more. A call that is throttled leaves no trace, so
waiting as long as the refusal says is always enough. Calls refused for other reasons count.

Times are held as whole microseconds: with floats the edge of a window would be a matter of luck.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vcokit.simulator.codes import Refusal
from vcokit.simulator.facts import OPERATIONS, Limit

_MICROSECONDS: Final = 1_000_000


def merged_limits(changes: Mapping[str, Limit] | None) -> Mapping[str, Limit]:
    """Return the limit of every operation, the vendor's unless changed.

    Raises
    ------
    ValueError
        If an operation is unknown or a limit lets nothing pass.
    """
    limits = {name: operation.limit for name, operation in OPERATIONS.items()}
    for name, (calls, seconds) in (changes or {}).items():
        if name not in limits:
            raise ValueError(f"limit of {name!r}. Name one of {', '.join(limits)}")
        if calls < 1 or not 0 < seconds < math.inf:
            raise ValueError(f"limit of {name}: at least 1 call in more than 0 seconds")
        limits[name] = (calls, seconds)
    return MappingProxyType(limits)


class RateLimits:
    """Counts calls and refuses those over a limit.

    Parameters
    ----------
    limits : mapping of str to tuple
        Calls and simulated seconds of every operation.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self.limits = limits
        self._passed: dict[tuple[str, str, str], deque[int]] = {}

    def admit(self, account: str, region: str, operation: str, now: float) -> None:
        """Count a call at simulated second `now`.

        Raises
        ------
        Refusal
            ``Throttling.User``, with the time until the oldest call leaves the window.
        """
        calls, seconds = self.limits[operation]
        time, width = round(now * _MICROSECONDS), round(seconds * _MICROSECONDS)
        passed = self._passed.setdefault((account, region, operation), deque())
        while passed and passed[0] <= time - width:
            passed.popleft()
        if len(passed) >= calls:
            wait = passed[0] + width - time
            raise Refusal("Throttling.User", retry_after=wait / _MICROSECONDS)
        passed.append(time)
