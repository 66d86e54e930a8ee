"""Faults: what goes wrong on purpose, how often, and on which calls.

==============  =========  ===========================================================
kind            call done  what the client sees
==============  =========  ===========================================================
`drop_before`   no         the socket closes without an answer
`drop_after`    yes        the socket closes without an answer
`delay`         yes        the answer comes `seconds` of wall time late
`status_500`    as asked   500 ``InternalError``
`status_503`    as asked   503 ``ServiceUnavailable``
`throttle`      no         ``Throttling.User``, wait `seconds` of simulated time
`busy`          no         ``VpnConnection.Configuring`` (writes only)
`truncate`      yes        half of the answer, then the socket closes
`html`          as asked   200 and an HTML page, as of a proxy in between
`task_fails`    yes        nothing at all: the task ends and nothing has changed (writes)
==============  =========  ===========================================================

"As asked" is the argument ``applied``. Several faults may strike one call: it is left undone if any
of them leaves it undone, delays add up, a closed socket hides all else, and of several error codes
the first stands. Faults strike after the signature was found right and before rate limits.

`FaultPlan.decide` draws from seeded generators, one for each fault, so that another fault in the
list moves none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from vcokit.simulator import defaults
from vcokit.simulator.facts import OPERATIONS


@dataclass(frozen=True)
class _Kind:
    applied: bool
    code: str = ""
    writes_only: bool = False
    choosable: bool = False


KINDS: Final = {
    "drop_before": _Kind(applied=False),
    "drop_after": _Kind(applied=True),
    "delay": _Kind(applied=True),
    "status_500": _Kind(applied=False, code="InternalError", choosable=True),
    "status_503": _Kind(applied=False, code="ServiceUnavailable", choosable=True),
    "throttle": _Kind(applied=False, code="Throttling.User"),
    "busy": _Kind(applied=False, code="VpnConnection.Configuring", writes_only=True),
    "truncate": _Kind(applied=True),
    "html": _Kind(applied=False, choosable=True),
    "task_fails": _Kind(applied=True, writes_only=True),
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    kind : str
        See the table of this module.
    operation : str, optional
        Only calls of this operation.
    vpn_connection_id : str, optional
        Only calls that name this connection.
    count : int, optional
        Strike at most so often.
    probability : float
        Chance of each matching call to be struck.
    after : int
        Leave the first so many matching calls alone.
    seconds : float
        Of ``delay`` (wall time) and ``throttle`` (simulated time).
    applied : bool
        Whether the call is done nevertheless, for kinds where that is open.

    Examples
    --------
    >>> Fault("drop_after", operation="CreateVcoRouteEntry", count=1).kind
    'drop_after'
    """

    kind: str
    operation: str | None = None
    vpn_connection_id: str | None = None
    count: int | None = None
    probability: float = 1.0
    after: int = 0
    seconds: float = defaults.FAULT_SECONDS
    applied: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is unknown. Write one of {', '.join(KINDS)}")
        if self.operation is not None and self.operation not in OPERATIONS:
            raise ValueError(f"fault on {self.operation!r}. Name one of {', '.join(OPERATIONS)}")
        if not 0 <= self.probability <= 1 or self.after < 0 or self.seconds < 0:
            raise ValueError(f"fault {self.kind}: probability 0 to 1, after and seconds from 0")
        if self.applied and not KINDS[self.kind].choosable:
            raise ValueError(f"fault {self.kind}: whether the call is done is not open to choice")

    def matches(self, operation: str, vpn_connection_id: str) -> bool:
        """Tell whether a call is of the kind that this fault strikes."""
        if KINDS[self.kind].writes_only and not OPERATIONS[operation].writes:
            return False
        return self.operation in (None, operation) and self.vpn_connection_id in (
            None,
            vpn_connection_id,
        )


@dataclass(frozen=True)
class Verdict:
    """The faults that strike one call, and what follows."""

    struck: tuple[Fault, ...] = ()

    def _kinds(self) -> set[str]:
        return {fault.kind for fault in self.struck}

    @property
    def names(self) -> str:
        """Kinds, joined by commas."""
        return ",".join(fault.kind for fault in self.struck)

    @property
    def prevents(self) -> bool:
        """Whether the call is left undone."""
        return not all(fault.applied or KINDS[fault.kind].applied for fault in self.struck)

    @property
    def code(self) -> str:
        """Error code of the answer, empty where the faults bring none."""
        return next((KINDS[f.kind].code for f in self.struck if KINDS[f.kind].code), "")

    @property
    def retry_after(self) -> float | None:
        """Simulated seconds a throttled client shall wait."""
        if self.code != KINDS["throttle"].code:
            return None
        return next(fault.seconds for fault in self.struck if fault.kind == "throttle")

    @property
    def delay(self) -> float:
        """Seconds of wall time that the answer is late."""
        return sum(fault.seconds for fault in self.struck if fault.kind == "delay")

    @property
    def drops(self) -> bool:
        """Whether the socket closes without an answer."""
        return not self._kinds().isdisjoint({"drop_before", "drop_after"})

    @property
    def truncates(self) -> bool:
        """Whether the answer is cut off."""
        return "truncate" in self._kinds()

    @property
    def is_html(self) -> bool:
        """Whether the answer is a page of someone in between."""
        return "html" in self._kinds()


CLEAN: Final = Verdict()


class FaultPlan:
    """Faults with their memory: how many calls each has seen and struck.

    Parameters
    ----------
    faults : sequence of Fault
        In the order in which their error codes take precedence.
    seed : int
        Of the draws.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = defaults.SEED) -> None:
        self.faults = tuple(faults)
        self._draws = [Random(f"{seed}/fault/{n}") for n in range(len(self.faults))]  # noqa: S311
        self._seen = [0] * len(self.faults)
        self._struck = [0] * len(self.faults)

    def decide(self, operation: str, vpn_connection_id: str) -> Verdict:
        """Return the faults that strike a call, those of its background task aside."""
        if not self.faults:
            return CLEAN
        return Verdict(self._strike(operation, vpn_connection_id, of_tasks=False))

    def fail_task(self, operation: str, vpn_connection_id: str) -> Verdict:
        """Return the faults that strike the task of a call that was just accepted."""
        if not self.faults:
            return CLEAN
        return Verdict(self._strike(operation, vpn_connection_id, of_tasks=True))

    def _strike(self, operation: str, connection: str, *, of_tasks: bool) -> tuple[Fault, ...]:
        return tuple(
            fault
            for number, fault in enumerate(self.faults)
            if (fault.kind == "task_fails") is of_tasks
            and fault.matches(operation, connection)
            and self._strikes(number)
        )

    def _strikes(self, number: int) -> bool:
        fault = self.faults[number]
        self._seen[number] += 1
        if self._seen[number] <= fault.after:
            return False
        if fault.count is not None and self._struck[number] >= fault.count:
            return False
        if self._draws[number].random() >= fault.probability:
            return False
        self._struck[number] += 1
        return True
